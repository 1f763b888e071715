package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/sdk"
)

// People is what the API asks of those who may be written to.
type People interface {
	SignUp(ctx context.Context, s consent.SignUp) error
	WithdrawAt(ctx context.Context, medium, address, reason string, e consent.Evidence) (consent.Ack, error)
	Notify(ctx context.Context, n consent.Notify) (string, error)
}

type signUpBody struct {
	Medium    string   `yaml:"medium" required:"true" doc:"How they are reached: email, or another medium whose address a person can type."`
	Address   string   `yaml:"address" required:"true" doc:"The address as the person typed it."`
	Channels  []string `yaml:"channels" doc:"The channels they want to follow."`
	Notices   []string `yaml:"notices" doc:"The notices they want to get."`
	Mode      string   `yaml:"mode" enum:"instant|digest" doc:"Each post at once, or collected; without it, what the channel offers first."`
	Times     []string `yaml:"times" doc:"The local times of digests, among those that the channel offers."`
	Topics    []string `yaml:"topics" doc:"The topics they want, among those that the channel offers."`
	Lang      string   `yaml:"lang" doc:"The language they are spoken to in: en or fr."`
	Zone      string   `yaml:"zone" doc:"Their time zone, such as Europe/Paris."`
	Reference string   `yaml:"reference" doc:"What your own system calls the person, by which notices find them."`
	Wording   string   `yaml:"wording" required:"true" doc:"The exact text that the person agreed to."`
	Version   string   `yaml:"wording_version" doc:"Its version."`
	Where     string   `yaml:"where" doc:"The form, such as its address."`
}

type withdrawBody struct {
	Medium  string `yaml:"medium" required:"true" doc:"How the person is reached."`
	Address string `yaml:"address" required:"true" doc:"Where."`
	Where   string `yaml:"where" doc:"How they said so, such as a call to the office."`
}

type noticeBody struct {
	Notice    string            `yaml:"notice" required:"true" doc:"The notice in the configuration."`
	Reference string            `yaml:"reference" required:"true" doc:"What your own system calls the person."`
	Key       string            `yaml:"key" required:"true" doc:"What it is about, such as an order: a newer notice of the same key takes the place of one that has not left yet, and the same text again is no news."`
	Title     string            `yaml:"title" doc:"The title; {{name}} stands for a slot."`
	Text      string            `yaml:"text" doc:"The text; an empty line begins a paragraph, and {{name}} stands for a slot."`
	URL       string            `yaml:"url" doc:"An address for more."`
	Slots     map[string]string `yaml:"slots" doc:"What is this person's own, by name. The bulk guard compares what is left without it."`
	Expires   string            `yaml:"expires" doc:"When it makes no sense any more: RFC 3339; without it, what the notice says."`
}

// accepted is the answer to a sign-up: it says nothing of who is known.
type accepted struct {
	Accepted bool `json:"accepted"`
}

// withdrawn is the answer to a withdrawal.
type withdrawn struct {
	At desk.Stamp `json:"at"`
	// Settled says that nothing to that person starts or is under way any more.
	Settled bool `json:"settled"`
}

// notified says what became of a notice.
type notified struct {
	Outcome string `json:"outcome"`
}

// people lists what concerns those who may be written to.
func (h *handler) people() []route {
	return []route{
		{method: post, path: "/signups", id: "signUp", scope: ScopePeople, summary: "Ask a person to confirm that they want to follow", status: http.StatusAccepted, answer: accepted{},
			text: "The person gets one message that asks for a confirmation, and nothing else before they gave it: at most one in 24 hours, three without an answer, none after " +
				"\"never write to me again\". The answer is the same whoever's address it is, so that it may be repeated.",
			action: takes(h.signUp)},
		{method: post, path: "/withdrawals", id: "withdraw", scope: ScopePeople, summary: "End everything that reaches an address", answer: withdrawn{},
			text:   "It may be repeated, and an address that nobody has is no error.",
			action: takes(h.withdraw)},
		{method: post, path: "/notices", id: "notify", scope: ScopePeople, summary: "Tell one person something about themselves", status: http.StatusAccepted, answer: notified{},
			text: "It is sent only to a person who agreed to this notice. `outcome` is `queued`, `known` when the same was said before under this key, or `no_grant`. " +
				"The same text to many people is held for a person: what is for everybody is a post.",
			action: takes(h.notify)},
	}
}

// theirs gives the people, or says that nobody is written to.
func (h *handler) theirs() (People, error) {
	if h.People == nil {
		return nil, problemf(http.StatusConflict, "no_people", "nobody is written to: the configuration has neither messages: on a channel nor notices:, or no privacy.key")
	}
	return h.People, nil
}

func (h *handler) signUp(ctx context.Context, c *call, b *signUpBody) (any, error) {
	people, err := h.theirs()
	if err != nil {
		return nil, err
	}
	s := consent.SignUp{Medium: b.Medium, Address: b.Address, Reference: b.Reference, Preferences: consent.Preferences{Mode: consent.Mode(b.Mode), Slots: b.Times, Topics: b.Topics},
		Habits:   consent.Habits{Lang: b.Lang, Zone: b.Zone},
		Evidence: consent.Evidence{Method: consent.ByAPI, Actor: consent.Self, Wording: b.Wording, Version: b.Version, Lang: b.Lang, Where: b.Where, Note: "by the API, token " + c.token}}
	for _, name := range b.Channels {
		s.Purposes = append(s.Purposes, consent.Purpose{Kind: consent.Channel, Name: name})
	}
	for _, name := range b.Notices {
		s.Purposes = append(s.Purposes, consent.Purpose{Kind: consent.Notice, Name: name})
	}
	return accepted{true}, refusal(people.SignUp(ctx, s))
}

func (h *handler) withdraw(ctx context.Context, c *call, b *withdrawBody) (any, error) {
	people, err := h.theirs()
	if err != nil {
		return nil, err
	}
	ack, err := people.WithdrawAt(ctx, b.Medium, b.Address, consent.SuppressedStopped, consent.Evidence{Method: consent.ByAPI, Actor: consent.Self, Where: b.Where, Note: "by the API, token " + c.token})
	return withdrawn{desk.Stamp{Time: ack.At}, ack.Settled}, refusal(err)
}

func (h *handler) notify(ctx context.Context, c *call, b *noticeBody) (any, error) {
	people, err := h.theirs()
	if err != nil {
		return nil, err
	}
	n, known := c.d.Config.Notices[b.Notice]
	if !known {
		return nil, problemf(http.StatusUnprocessableEntity, "invalid", "no notice is called %q; configure it under notices:", b.Notice)
	}
	if b.URL != "" {
		if b.URL, err = sdk.CheckLink(b.URL); err != nil {
			return nil, refusal(err)
		}
	}
	expires := c.d.Now.Add(n.Expires.Std())
	if b.Expires != "" {
		if expires, err = time.Parse(time.RFC3339, b.Expires); err != nil {
			return nil, problemf(http.StatusUnprocessableEntity, "invalid", "expires: %q is no time; write it like 2026-11-20T18:00:00Z (RFC 3339)", b.Expires)
		}
	}
	marked := func(text string) string {
		for name := range b.Slots {
			text = strings.ReplaceAll(text, "{{"+name+"}}", sdk.Slot(name))
		}
		return text
	}
	digest := policy.NoticeDigest(marked(b.Title), marked(b.Text)) // an address with a number of each one's own hides no bulk
	outcome, err := people.Notify(ctx, consent.Notify{Purpose: consent.Purpose{Kind: consent.Notice, Name: b.Notice}, Reference: b.Reference, Key: b.Key, Expires: expires,
		Text: consent.NoticeText{Title: b.Title, Text: b.Text, URL: b.URL, Slots: b.Slots}, Digest: hex.EncodeToString(digest[:])})
	return notified{outcome}, refusal(err)
}

// refusal is a problem for what consent does not take.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if e := sdk.AsError(err); e.Code == sdk.CodeInvalid || e.Code == sdk.CodeTooLarge {
		return problemf(http.StatusUnprocessableEntity, "invalid", "%s", e.Public)
	}
	return err
}

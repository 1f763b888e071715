package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// Medium is the name of the type, and so of the medium: what people agreed to is kept under it.
const Medium = "pager"

// maxText is how many characters the service takes.
const maxText = 480

// Config is what stands in Belfry's configuration below the destination.
type Config struct {
	API          string         `yaml:"api" required:"true" doc:"The address of the paging service." example:"https://pager.example/api"`
	Token        sdk.Secret     `yaml:"token" required:"true" doc:"The credential for it." example:"\"${env:PAGER_TOKEN}\""`
	AllowPrivate []netip.Prefix `yaml:"allow_private" doc:"Private networks in which the service may be." example:"[10.0.3.7/32]"`

	WebhookSecret sdk.Secret `yaml:"webhook_secret" doc:"What the service signs its calls to /hooks/NAME with, if it calls; 16 characters or more." example:"\"${env:PAGER_WEBHOOK_SECRET}\""`
}

// Validate is called after decoding.
func (c Config) Validate() error {
	var ps sdk.Problems
	if u, err := url.Parse(c.API); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		ps.Add("/api", fmt.Sprintf("%q is no address of a service", c.API), "write it like https://pager.example/api")
	}
	if s := c.WebhookSecret.Reveal(); s != "" && len(s) < 16 {
		ps.Add("/webhook_secret", "so short a secret can be guessed, and whoever does could say that people follow or leave", "make one of 16 characters or more")
	}
	return ps.Err()
}

// Spec declares the connector. WithMedium says what the platform wants of messages to people; this one forbids nothing. A type that
// writes to people has to say it, be it nothing; one that also hears them says of what it tells (hear.go).
func Spec() *sdk.Spec {
	return sdk.Define(Medium, "short texts to single people, by a paging service", Config{},
		func(_ context.Context, s sdk.Settings, c Config) (*pager, error) {
			return &pager{config: c, settings: s, client: sdk.NewClient(sdk.ClientConfig{UserAgent: s.UserAgent, AllowPrivate: c.AllowPrivate})}, nil
		}).WithMedium(sdk.Medium{Hears: hears()})
}

type pager struct {
	config   Config
	settings sdk.Settings
	client   *sdk.Client
}

// The abilities, checked by the compiler: MessageLimiter is a Messenger that says what it takes.
var _ sdk.MessageLimiter = (*pager)(nil)

// MessageLimits implements sdk.MessageLimiter. Belfry keeps to the rates, so that the service has no reason to refuse.
func (p *pager) MessageLimits() sdk.Limits {
	return sdk.Limits{Text: maxText, Unit: sdk.UnitCodePoints, Rules: sdk.Rules{Rates: []sdk.Rate{{Scope: sdk.RateDestination, Events: 50, Per: time.Second}}}}
}

// Message implements sdk.Messenger. It is called concurrently.
func (p *pager) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	// Recipient refuses a message that names nobody, and one whose time is over. It comes first, and the address it gives is for
	// this call alone: it stands in no log and in no error.
	to, err := m.Recipient(time.Now())
	if err != nil {
		return sdk.MessageRef{}, err
	}
	address, ok := to.Reveal()
	if !ok || to.Medium() != Medium {
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeNoConsent, "page", "the message is not for a pager")
	}
	text, err := compose(m)
	if err != nil {
		return sdk.MessageRef{}, err
	}
	body, err := json.Marshal(page{To: address, Text: text, Choices: choices(m.Buttons)})
	if err != nil {
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeInvalid, "page", "the text cannot be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(p.config.API, "/")+"/pages", bytes.NewReader(body))
	if err != nil {
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeInvalid, "page", "the address of the service is none")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.config.Token.Reveal())
	// The same for every attempt at this message: the service hands it over once.
	req.Header.Set("Idempotency-Key", m.ID())
	answer, err := p.client.Send(req, "page")
	if err != nil {
		return sdk.MessageRef{}, err // it says whether anything can have left
	}
	return accepted(answer)
}

// page is what the service takes.
type page struct {
	To      string   `json:"to"`
	Text    string   `json:"text"`
	Choices []choice `json:"choices,omitempty"`
}

// choice is a key of the pager: pressing it gives the code back.
type choice struct {
	Text string `json:"text"`
	Code string `json:"code"`
}

// choices are the buttons that send something back. Those that open an address stand in the text.
func choices(rows [][]sdk.Button) (out []choice) {
	for _, row := range rows {
		for _, b := range row {
			if b.Data != "" {
				out = append(out, choice{b.Text, b.Data})
			}
		}
	}
	return out
}

// accepted reads what the service answered. What it says is not repeated: the address may stand in it.
func accepted(a sdk.Answer) (sdk.MessageRef, error) {
	fail := func(code sdk.Code, scope sdk.Scope, public string) (sdk.MessageRef, error) {
		return sdk.MessageRef{}, &sdk.Error{Code: code, Scope: scope, Op: "page", Public: public}
	}
	switch {
	case a.Status == http.StatusCreated:
		var sent struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(a.Body, &sent) != nil || sent.ID == "" {
			return fail(sdk.CodeUnknownOutcome, sdk.ScopeMessage, "the service accepted something and its answer cannot be read")
		}
		return sdk.MessageRef{ID: sent.ID}, nil
	case a.Status == http.StatusUnauthorized:
		return fail(sdk.CodeUnauthenticated, sdk.ScopeAccount, "the service refuses the token; put a valid one into the configuration")
	case a.Status == http.StatusForbidden:
		return fail(sdk.CodeForbidden, sdk.ScopeAccount, "the service does not let this account write")
	case a.Status == http.StatusNotFound, a.Status == http.StatusGone:
		return fail(sdk.CodeGone, sdk.ScopePerson, "the service knows no such pager any more")
	case a.Status == http.StatusTooManyRequests:
		wait, _ := sdk.RetryAfter(a.Header, a.At)
		return sdk.MessageRef{}, &sdk.Error{Code: sdk.CodeRateLimited, Scope: sdk.ScopeAccount, Op: "page", Public: "the service asks to wait", RetryAfter: wait}
	case a.Status >= 500:
		return fail(sdk.CodeUnknownOutcome, sdk.ScopeMessage, fmt.Sprintf("the service failed (%d); whether the page arrived is not known", a.Status))
	}
	return fail(sdk.CodeInvalid, sdk.ScopeMessage, fmt.Sprintf("the service refuses the page (%d)", a.Status))
}

// compose writes the text of a message with the person's own values in it. The reason and the ways out stand whole at its end,
// whatever has to be cut.
func compose(m sdk.DirectMessage) (string, error) {
	c := m.Common
	if c == nil {
		return "", sdk.Errorf(sdk.CodeUnsupported, "page", "a pager shows texts, and no templates")
	}
	var end []string
	if c.Permalink != "" {
		end = append(end, c.Permalink)
	}
	if c.Reason != "" {
		end = append(end, sdk.Fill(c.Reason, m.Slots))
	}
	for _, l := range c.Links {
		if address := m.Slots[l.Slot]; address != "" {
			end = append(end, l.Text+" "+address)
		}
	}
	for _, row := range m.Buttons {
		for _, b := range row {
			if b.URL != "" {
				end = append(end, b.Text+" "+b.URL)
			}
		}
	}
	tail := strings.Join(end, "\n")
	var said []string
	for _, paragraph := range c.Body {
		said = append(said, sdk.PlainText([]sdk.Node{paragraph}))
	}
	if len(said) == 0 {
		said = append(said, c.Subject) // otherwise the text says it itself
	}
	text := strings.TrimSpace(sdk.Fill(strings.Join(said, "\n"), m.Slots))
	room := maxText - utf8.RuneCountInString(tail) - 1
	if runes := []rune(text); room <= 0 {
		return "", sdk.Errorf(sdk.CodeTooLarge, "page", "the addresses in the message leave no room for its text")
	} else if len(runes) > room {
		text = strings.TrimRight(string(runes[:room-1]), " .,;:\n") + "…"
	}
	return strings.TrimSpace(text + "\n" + tail), nil
}

// Close implements sdk.Connector.
func (p *pager) Close(context.Context) error {
	p.client.CloseIdle()
	return nil
}

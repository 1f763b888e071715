package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

type messageCmd struct {
	Held    messageHeldCmd    `cmd:"" help:"List the messages that wait for somebody of the house."`
	Release messageReleaseCmd `cmd:"" help:"Let held messages go."`
	Settle  messageSettleCmd  `cmd:"" help:"Say whether messages arrived of which nobody knows."`
	Preview messagePreviewCmd `cmd:"" help:"What a person would be sent, without sending it."`
}

type messagePreviewCmd struct {
	Person  string `required:"" placeholder:"REF" help:"The person, by their reference, or - for an address on standard input."`
	Channel string `required:"" placeholder:"NAME" help:"The channel."`
	Post    string `placeholder:"ID" help:"This post; without it, the person's next digest as it would be now."`
	Medium  string `default:"email" placeholder:"NAME" help:"By which medium."`
	Reason  string `required:"" placeholder:"TEXT" help:"Why, for the record: it shows what the person chose."`
	Headers bool   `help:"As it would leave, byte by byte: the whole header and the MIME parts."`
}

// Help is the long help.
func (*messagePreviewCmd) Help() string {
	return `Made as the daemon makes it, in the person's language and by their choices, and never sent: this command opens no destination.
What the policy would say now stands above it. The links are left out: those that work are keys to the person's own pages.
With --headers it is printed as the relay would get it, signed and with every header, where PREVIEW stands for the secret part of
each link and for the message's own name, and reader@example.invalid for the address. No relay is spoken to.

Examples:

    belfry message preview --person 4f0xk2c9m7qz1a3b --channel alertes --post 8f21 --reason "says it looks odd"
    belfry message preview --person 4f0xk2c9m7qz1a3b --channel brief --reason "what comes at seven?"
    belfry message preview --person 4f0xk2c9m7qz1a3b --channel alertes --post 8f21 --reason "one-click?" --headers

Exit codes: 0 printed, 1 nobody is called that, there is no such post, or nothing to send, 2 the command line cannot be used. With
--json: {person, destination, medium, kind, would_leave, reason, sentence, next, lang, subject, list, from, text, reason_line, links,
posts, raw}; raw is empty without --headers.`
}

// preview is a message that was not sent.
type preview struct {
	Person      string     `json:"person"`
	Destination string     `json:"destination"`
	Medium      string     `json:"medium"`
	Kind        string     `json:"kind"`
	Leaves      bool       `json:"would_leave"`
	Reason      string     `json:"reason"`
	Sentence    string     `json:"sentence"`
	Next        desk.Stamp `json:"next"`
	Lang        string     `json:"lang"`
	Subject     string     `json:"subject"`
	List        string     `json:"list"`
	From        string     `json:"from"`
	Text        string     `json:"text"`
	ReasonLine  string     `json:"reason_line"`
	Links       []string   `json:"links"`
	Posts       int        `json:"posts"`
	Raw         string     `json:"raw"`
}

// Run prints a message.
func (c *messagePreviewCmd) Run(ctx context.Context, g *global, std streams) error {
	r, err := g.openPeople(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	if _, known := r.Config.Channels[c.Channel]; !known {
		return desk.UnknownName("channel", c.Channel, slices.Collect(maps.Keys(r.Config.Channels)))
	}
	who := person{Person: c.Person, Medium: c.Medium, Reason: c.Reason}
	ref, err := who.ref(ctx, r, std)
	if err != nil {
		return err
	}
	var post int64
	if c.Post != "" {
		p, err := r.PostOn(ctx, c.Post, "")
		if err != nil {
			return err
		}
		if p.Channel != c.Channel {
			return unusable("post %s is of channel %s", p.ID, p.Channel)
		}
		post = p.Row.ID
	}
	program, err := r.Program(ctx)
	if err != nil {
		return err
	}
	p := app.NewPreview(r.Config, r.Store, r.people.Registry, program)
	s, writes, err := p.StreamOf(ctx, c.Channel, c.Medium, post, r.Now)
	if err != nil {
		return err
	}
	if !writes {
		return unusable("channel %s does not write to people by %s; see messages: in the configuration", c.Channel, c.Medium)
	}
	look, err := r.people.Look(ctx, ref, c.Reason, "message previewed", false)
	if err != nil {
		return err
	}
	if streams, err := r.Store.PostStreams(ctx, post); err != nil {
		return err
	} else if i := slices.IndexFunc(streams, func(x store.PostStream) bool { return x.Kind == s.Kind && x.Destination == s.Destination }); post > 0 && i >= 0 {
		s = streams[i].Stream // the one that is made already
	}
	asked, err := p.Ask(ctx, s, look.ID, r.Now)
	if err != nil {
		return err
	}
	out := preview{Person: ref, Destination: s.Destination, Medium: s.Medium, Kind: string(s.Kind), Leaves: asked.Go, Reason: asked.Reason, Sentence: desk.MessageReason(asked.Reason),
		Next: desk.Stamp{Time: asked.Next}, Posts: len(asked.Posts), Links: []string{}}
	if s.Kind != consent.StreamDigest || len(asked.Posts) > 0 {
		text, err := p.Text(ctx, s, asked)
		if err != nil {
			return err
		}
		out.fill(text)
		if c.Headers {
			if out.Raw, err = r.raw(ctx, g, s.Destination, text); err != nil {
				return err
			}
		}
	}
	if g.JSON {
		err = writeJSON(std.out, out)
	} else {
		r.printPreview(out)
	}
	if err == nil && out.Subject == "" {
		return &exitError{code: exitFailed}
	}
	return err
}

func (p *preview) fill(t direct.Text) {
	whole := func(s string) string {
		for name, value := range t.Slots {
			s = strings.ReplaceAll(s, sdk.Slot(name), value)
		}
		return s
	}
	c := t.Common
	p.Lang, p.Subject, p.List, p.From, p.ReasonLine = c.Lang, whole(c.Subject), strings.TrimSpace(c.List.ID+" "+c.List.Title), c.Sender, whole(c.Reason)
	p.Text = whole(render.Render(c.Body, render.Plain))
	for _, l := range c.Links {
		p.Links = append(p.Links, l.Text)
	}
}

// placeholder stands for what is a person's own and secret.
const placeholder = "PREVIEW"

// raw is a message as its destination would give it to the platform.
func (r *registrar) raw(ctx context.Context, g *global, destination string, t direct.Text) (string, error) {
	shop, err := g.quietWorkshop(r.Config, r.std.err)
	if err != nil {
		return "", err
	}
	defer shop.close()
	conn, _, err := shop.opening(r.clerk)(ctx, destination)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	p, can := sdk.As[sdk.Previewer](conn)
	if !can {
		return "", unusable("--headers is for mails; destination %s sends none", destination)
	}
	slots := maps.Clone(t.Slots)
	for _, name := range []string{sdk.SlotUnsubscribe, sdk.SlotPreferences, sdk.SlotWhy} {
		slots[name] = strings.Replace(slots[name], app.PreviewLink, placeholder, 1)
	}
	text, err := p.PreviewMessage(ctx, sdk.MessageContent{Common: t.Common, Slots: slots, Buttons: t.Buttons})
	return string(text), err
}

func (r *registrar) printPreview(p preview) {
	switch {
	case p.Leaves:
		r.print("would leave now by %s (%s)", p.Destination, p.Reason)
	case p.Next.IsZero():
		r.print("would not leave by %s (%s): %s", p.Destination, p.Reason, p.Sentence)
	default:
		r.print("would wait until %s by %s (%s): %s", r.At(p.Next.Time), p.Destination, p.Reason, p.Sentence)
	}
	if p.Subject == "" {
		r.print("there is nothing to send; to see what a post becomes, name it with --post")
		return
	}
	r.print("")
	if p.Raw != "" {
		r.print("%s", strings.ReplaceAll(p.Raw, "\r\n", "\n"))
		return
	}
	t := newTable()
	t.add("Subject:", p.Subject)
	t.add("Language:", p.Lang)
	t.add("List:", p.List)
	t.write(r.std.out)
	r.print("\n%s\n", strings.TrimSpace(p.Text))
	r.print("%s", p.ReasonLine)
	r.print("%s", strings.Join(p.Links, " · "))
	r.print("%s", p.From)
}

// Package newsroom lets staff act from their phone through the desk. Its one promise: an act by the bot is the same act as by
// command or API, with the same checks, the same sentences and the same record.
package newsroom

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

// Newsroom implements bot.Newsroom.
type Newsroom struct {
	desk func(actor string) *desk.Desk
}

var _ bot.Newsroom = (*Newsroom)(nil)

// New makes a Newsroom. desk gives the desk of this moment, for whoever acts; its Store is set.
func New(desk func(actor string) *desk.Desk) *Newsroom { return &Newsroom{desk} }

// reads is the actor of what changes nothing.
const reads = "bot"

// told makes a sentence for staff of what the desk says to people; its own trouble stays an error.
func told(err error) error {
	if e, is := errors.AsType[*desk.Error](err); is {
		return sdk.Errorf(sdk.CodeInvalid, "newsroom", "%s", e.Error())
	}
	return err
}

func post(p desk.Post) bot.Post {
	return bot.Post{ID: p.ID, Channel: p.Channel, Title: p.Title, Status: p.Status, URL: p.Permalink}
}

// Post implements bot.Newsroom.
func (n *Newsroom) Post(ctx context.Context, id string) (bot.Post, error) {
	p, err := n.desk(reads).Post(ctx, id)
	return post(p), told(err)
}

// redraft is what a draft changes: what it leaves empty stays.
func redraft(d bot.Draft) (r compose.Redraft) {
	for _, f := range []struct {
		to    **string
		value string
	}{{&r.Title, d.Title}, {&r.Text, d.Text}, {&r.Link, d.Link}} {
		if f.value != "" {
			*f.to = &f.value
		}
	}
	return r
}

// Check implements bot.Newsroom.
func (n *Newsroom) Check(ctx context.Context, id string, d bot.Draft) error {
	at := n.desk(reads)
	if id != "" {
		p, err := at.Post(ctx, id)
		if err != nil {
			return told(err)
		}
		if _, err := redraft(d).Revise(p.Row.Kind, p.Row.Status, p.Row.Content); err != nil {
			return sdk.Errorf(sdk.CodeInvalid, "edit", "post %s cannot be changed like that: %s", p.ID, err)
		}
		return nil
	}
	if _, err := at.Channel(ctx, d.Channel); err != nil {
		return told(err)
	}
	program, err := at.Program(ctx)
	if err != nil {
		return told(err)
	}
	if _, err := program.Channels[d.Channel].Write(draft(d), at.Now); err != nil {
		return sdk.Errorf(sdk.CodeInvalid, "post", "the post cannot be written: %s", err)
	}
	return nil
}

func draft(d bot.Draft) compose.Draft {
	return compose.Draft{Title: d.Title, Text: d.Text, Link: d.Link}
}

// Create implements bot.Newsroom.
func (n *Newsroom) Create(ctx context.Context, actor string, d bot.Draft) (bot.Post, error) {
	p, err := n.desk(actor).Create(ctx, desk.NewPost{Channel: d.Channel, Draft: draft(d)})
	return post(p), told(err)
}

// Edit implements bot.Newsroom.
func (n *Newsroom) Edit(ctx context.Context, actor, id string, d bot.Draft) (bot.Post, error) {
	p, err := n.desk(actor).Edit(ctx, id, redraft(d))
	return post(p), told(err)
}

// Retract implements bot.Newsroom. It does not wait for the copies to go, and never retracts for good: what cannot be undone
// is not done from a phone.
func (n *Newsroom) Retract(ctx context.Context, actor, id, reason string) (bot.Post, error) {
	at := n.desk(actor)
	if _, err := at.Retract(ctx, id, false, reason, 0); err != nil {
		return bot.Post{}, told(err)
	}
	p, err := at.Post(ctx, id)
	return post(p), told(err)
}

// channel is the desk's word for what Pause and Resume are about.
const channel = "channel"

// Pause implements bot.Newsroom.
func (n *Newsroom) Pause(ctx context.Context, actor, name string) (bool, error) {
	p, err := n.desk(actor).Pause(ctx, channel, name)
	return p.Changed, told(err)
}

// Resume implements bot.Newsroom.
func (n *Newsroom) Resume(ctx context.Context, actor, name string) (bool, error) {
	p, err := n.desk(actor).Resume(ctx, channel, name)
	return p.Changed, told(err)
}

// Held implements bot.Newsroom.
func (n *Newsroom) Held(ctx context.Context) ([]bot.Held, error) {
	sources, err := n.desk(reads).Sources(ctx)
	var out []bot.Held
	for _, s := range sources {
		if len(s.Holds) == 0 {
			continue
		}
		h := bot.Held{Source: s.Name, Note: s.Holds[0].Note}
		for _, hold := range s.Holds {
			h.Items += len(hold.Items)
			for _, it := range hold.Items {
				title := it.Title
				if title == "" {
					title = it.Key
				}
				h.Titles = append(h.Titles, title)
			}
		}
		out = append(out, h)
	}
	return out, told(err)
}

// Release implements bot.Newsroom.
func (n *Newsroom) Release(ctx context.Context, actor, source string, drop bool) (int, error) {
	r, err := n.desk(actor).ReleaseSource(ctx, source, drop)
	return r.Released + r.Dropped, told(err)
}

// mostUnknown is how many unknown deliveries are looked at.
const mostUnknown = 100

// Unknown implements bot.Newsroom.
func (n *Newsroom) Unknown(ctx context.Context) ([]bot.Unknown, error) {
	list, err := n.desk(reads).Deliveries(ctx, desk.DeliveryQuery{State: "unknown", Limit: mostUnknown})
	var out []bot.Unknown
	for _, x := range list {
		since := x.Started.Time
		if since.IsZero() {
			since = x.Created.Time
		}
		where := x.Destination
		if x.Chat != "" {
			where += " " + x.Chat
		}
		out = append(out, bot.Unknown{Delivery: x.ID, Post: x.Post, Title: x.Title, Destination: where, Since: since.Truncate(time.Second)})
	}
	return out, told(err)
}

// Settle implements bot.Newsroom.
func (n *Newsroom) Settle(ctx context.Context, actor string, delivery int64, arrived bool) error {
	var err error
	if at := n.desk(actor); arrived {
		_, err = at.Resolve(ctx, delivery, "arrived", "")
	} else {
		_, err = at.Resolve(ctx, delivery, "missing", "")
	}
	return told(err)
}

// UnknownMessages implements bot.Newsroom.
func (n *Newsroom) UnknownMessages(ctx context.Context) ([]bot.UnknownMessages, error) {
	list, err := n.desk(reads).HeldMessages(ctx)
	var out []bot.UnknownMessages
	for _, h := range list {
		if !h.Unknown {
			continue
		}
		if i := slices.IndexFunc(out, func(m bot.UnknownMessages) bool { return m.Number == h.Number }); i >= 0 {
			out[i].People += h.People
			continue
		}
		about := strings.TrimSpace(h.Purpose + " " + h.Post)
		if about == "" {
			about = h.Kind
		}
		out = append(out, bot.UnknownMessages{Number: h.Number, About: about, People: h.People, Since: h.Since.Truncate(time.Second)})
	}
	return out, told(err)
}

// SettleMessages implements bot.Newsroom.
func (n *Newsroom) SettleMessages(ctx context.Context, actor string, number int64, arrived bool) (int, error) {
	out, err := n.desk(actor).SettleMessages(ctx, number, "", arrived)
	return int(out.Messages), told(err)
}

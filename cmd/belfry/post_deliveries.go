package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

type postDeliveriesCmd struct {
	State       string `enum:",pending,started,unknown,held,awaiting_person,sent,failed,suppressed,expired,dropped" default:"" placeholder:"STATE" help:"Only in this state: pending, started, unknown, held, awaiting_person, sent, failed, suppressed, expired or dropped."`
	Destination string `placeholder:"NAME" help:"Only to this destination."`
	Channel     string `placeholder:"NAME" help:"Only of this channel."`
	Post        string `placeholder:"ID" help:"Only of this post."`
	Limit       int    `default:"50" placeholder:"N" help:"The most that are listed."`
}

// Help is the long help.
func (*postDeliveriesCmd) Help() string {
	return `A delivery is one call to a platform, or the wait for it, the newest first. Every one ends in exactly one outcome.

Example:

    belfry post deliveries --destination telegram --state failed

Exit codes: 0 listed, 1 there is no store, 2 no such name. With --json a list of deliveries.`
}

type deliveryJSON struct {
	ID          int64  `json:"id"`
	Post        string `json:"post"`
	Channel     string `json:"channel"`
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
	Title       string `json:"title"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	Op          string `json:"op"`
	Revision    int    `json:"revision"`
	Attempt     int    `json:"attempt"`
	Code        string `json:"code"`
	Error       string `json:"error"`
	Created     stamp  `json:"created"`
	Started     stamp  `json:"started"`
	Settled     stamp  `json:"settled"`
	Next        stamp  `json:"next"`
}

func newDelivery(x store.Delivery) deliveryJSON {
	out := deliveryJSON{ID: x.ID, Post: x.Post, Channel: x.Channel, Destination: x.Destination, Chat: x.Chat, Title: x.Title, State: string(x.State), Reason: x.Reason,
		Op: string(x.Op), Revision: x.Revision, Attempt: x.Attempt, Code: x.Code, Error: x.Error, Created: stamp{x.CreatedAt}, Started: stamp{x.StartedAt},
		Settled: stamp{x.SettledAt}}
	if x.State == outbox.Pending {
		out.Next = stamp{x.NextAt}
	}
	return out
}

// Run lists deliveries.
func (c *postDeliveriesCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if c.Destination != "" {
		if _, ok := d.cfg.Destinations[c.Destination]; !ok && !slices.Contains(d.cfg.Retired, c.Destination) {
			return unknownName("destination", c.Destination, slices.Collect(maps.Keys(d.cfg.Destinations)))
		}
	}
	if c.Limit < 1 {
		return unusable("--limit %d lists nothing; at least 1", c.Limit)
	}
	f := store.DeliveryFilter{State: c.State, Destination: c.Destination, Channel: c.Channel, Limit: c.Limit}
	if c.Post != "" {
		p, err := d.post(ctx, c.Post)
		if err != nil {
			return err
		}
		f.Post = p.PublicID
	}
	rows, err := d.db.Deliveries(ctx, f)
	if err != nil {
		return err
	}
	if g.JSON {
		list := []deliveryJSON{}
		for _, x := range rows {
			list = append(list, newDelivery(x))
		}
		return writeJSON(std.out, list)
	}
	if len(rows) == 0 {
		d.print("there is no such delivery")
		return nil
	}
	t := newTable("DELIVERY", "POST", "WHERE", "STATE", "WHAT", "REV", "TRIES", "WHEN", "TITLE")
	for _, x := range rows {
		when := x.SettledAt
		for _, earlier := range []time.Time{x.StartedAt, x.CreatedAt} {
			if when.IsZero() {
				when = earlier
			}
		}
		t.add(fmt.Sprint(x.ID), x.Post, strings.TrimSpace(x.Destination+" "+x.Chat), string(x.State), orDash(string(x.Op)), fmt.Sprint(x.Revision), fmt.Sprint(x.Attempt),
			d.ago(when), clip(orDash(x.Title), 40))
	}
	t.write(std.out)
	for _, x := range rows {
		if x.Error != "" {
			d.print("  %d: %s", x.ID, plain(x.Error))
		}
	}
	return nil
}

type postResendCmd struct {
	Delivery int64 `arg:"" help:"The number of the delivery."`
}

// Help is the long help.
func (*postResendCmd) Help() string {
	return `For a delivery that is failed, expired or dropped. The post goes as it is now, not as it was then.

Example:

    belfry post resend 1204

Exit codes: 0 it is sent again, 1 it cannot be, 2 the command line cannot be used.`
}

// Run sends a delivery again.
func (c *postResendCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if err := noSuchDelivery(c.Delivery, d.db.Resend(ctx, c.Delivery, actor(), time.Now())); err != nil {
		return err
	}
	return d.acted(map[string]any{"delivery": c.Delivery, "resent": true}, "delivery %d is sent again%s", c.Delivery, d.whenRunning())
}

func noSuchDelivery(id int64, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no delivery %d; see: belfry post deliveries", id)
	}
	return err
}

// acted tells that an act was recorded.
func (d *desk) acted(out any, format string, args ...any) error {
	if d.json {
		return writeJSON(d.std.out, out)
	}
	d.print(format, args...)
	return nil
}

func (d *desk) whenRunning() string {
	if d.running() {
		return ""
	}
	return ", when the daemon runs"
}

type postResolveCmd struct {
	Delivery int64  `arg:"" help:"The number of the delivery."`
	Arrived  bool   `xor:"say" required:"" help:"An unknown call arrived: the post is there."`
	Missing  bool   `xor:"say" required:"" help:"An unknown call did not arrive: it is made again."`
	Done     bool   `xor:"say" required:"" help:"What Belfry could not do there was done by hand."`
	URL      string `name:"url" placeholder:"URL" help:"With --arrived: where the post is."`
}

// Help is the long help.
func (*postResolveCmd) Help() string {
	return `A call whose answer was lost is unknown, and nothing is sent again while it may have arrived: look there, and say what you
see. Afterwards a post that arrived cannot be edited where the platform's own name for it is not known.

Examples:

    belfry post resolve 1204 --arrived --url https://t.me/gazette/1180
    belfry post resolve 1204 --missing
    belfry post resolve 1207 --done

Exit codes: 0 recorded, 1 the delivery is not in that state, 2 the command line cannot be used.`
}

// Run records what a person says.
func (c *postResolveCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if c.URL != "" && !c.Arrived {
		return unusable("--url says where a post is that arrived; it belongs to --arrived")
	}
	say, means := store.SayArrived, "its post is there"
	switch {
	case c.Missing:
		say, means = store.SayMissing, "it is sent again"+d.whenRunning()
	case c.Done:
		say, means = store.SayDone, "it was done by hand"
	}
	if err := noSuchDelivery(c.Delivery, d.db.ResolveByHand(ctx, c.Delivery, say, c.URL, actor(), time.Now())); err != nil {
		return err
	}
	return d.acted(map[string]any{"delivery": c.Delivery, "resolved": string(say)}, "delivery %d: %s", c.Delivery, means)
}

type postReleaseCmd struct {
	Channel string `required:"" placeholder:"NAME" help:"The channel."`
	Drop    bool   `help:"Drop what is held instead of posting it."`
}

// Help is the long help.
func (*postReleaseCmd) Help() string {
	return `What a blackout held stays held after its end until a person releases it.

Examples:

    belfry post list --channel alertes --held
    belfry post release --channel alertes

Exit codes: 0 done, 1 nothing is held, 2 no such channel. With --json: {channel, released, dropped}.`
}

// Run releases what a blackout held.
func (c *postReleaseCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if _, err := d.channel(c.Channel); err != nil {
		return err
	}
	n, err := d.db.ReleaseHeld(ctx, c.Channel, c.Drop, actor(), time.Now())
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("channel %s holds nothing", c.Channel)
	}
	out := map[string]any{"channel": c.Channel, "released": 0, "dropped": 0}
	out[map[bool]string{false: "released", true: "dropped"}[c.Drop]] = n
	what := "released"
	if c.Drop {
		what = "dropped"
	}
	return d.acted(out, "channel %s: %s %s", c.Channel, count(n, "held thing"), what)
}

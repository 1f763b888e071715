package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
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

// Run lists deliveries.
func (c *postDeliveriesCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if c.Limit < 1 {
		return unusable("--limit %d lists nothing; at least 1", c.Limit)
	}
	list, err := d.Deliveries(ctx, desk.DeliveryQuery{State: c.State, Destination: c.Destination, Channel: c.Channel, Post: c.Post, Limit: c.Limit})
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, list)
	}
	if len(list) == 0 {
		d.print("there is no such delivery")
		return nil
	}
	t := newTable("DELIVERY", "POST", "WHERE", "STATE", "WHAT", "REV", "TRIES", "WHEN", "TITLE")
	for _, x := range list {
		when := x.Settled
		for _, earlier := range []desk.Stamp{x.Started, x.Created} {
			if when.IsZero() {
				when = earlier
			}
		}
		t.add(fmt.Sprint(x.ID), x.Post, strings.TrimSpace(x.Destination+" "+x.Chat), x.State, desk.OrDash(x.Op), fmt.Sprint(x.Revision), fmt.Sprint(x.Attempt),
			d.Ago(when.Time), clip(desk.OrDash(x.Title), 40))
	}
	t.write(std.out)
	for _, x := range list {
		if x.Error != "" {
			d.print("  %d: %s", x.ID, desk.Plain(x.Error))
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
	out, err := d.Resend(ctx, c.Delivery)
	if err != nil {
		return err
	}
	return d.acted(out, "delivery %d is sent again%s", c.Delivery, d.whenRunning())
}

// acted tells that an act was recorded.
func (d *clerk) acted(out any, format string, args ...any) error {
	if d.json {
		return writeJSON(d.std.out, out)
	}
	d.print(format, args...)
	return nil
}

func (d *clerk) whenRunning() string {
	if d.Running() {
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
	out, err := d.Resolve(ctx, c.Delivery, say, c.URL)
	if err != nil {
		return err
	}
	return d.acted(out, "delivery %d: %s", c.Delivery, means)
}

type postReleaseCmd struct {
	ID      string `arg:"" optional:"" help:"One post: its id, or the beginning of it."`
	Channel string `placeholder:"NAME" help:"Everything that is held in this channel."`
	Drop    bool   `help:"Drop what is held instead of posting it."`
}

// Help is the long help.
func (*postReleaseCmd) Help() string {
	return `What a blackout held stays held after its end until a person releases it: one post, or all of a channel.

Examples:

    belfry post list --channel alertes --held
    belfry post release 8f21
    belfry post release --channel alertes

Exit codes: 0 done, 1 nothing is held, 2 no such channel. With --json: {channel, released, dropped}, or {post, released,
dropped}.`
}

// Run releases what a blackout held.
func (c *postReleaseCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	what := "released"
	if c.Drop {
		what = "dropped"
	}
	switch {
	case (c.ID == "") == (c.Channel == ""):
		return unusable("give the post that is to be released, or all of a channel by --channel; what is held: belfry post list --held")
	case c.ID != "":
		out, err := d.ReleasePost(ctx, c.ID, c.Drop)
		if err != nil {
			return err
		}
		return d.acted(out, "post %s: %s %s%s", out.Post, count(out.Released+out.Dropped, "held thing"), what, d.whenRunning())
	}
	out, err := d.ReleaseChannel(ctx, c.Channel, c.Drop)
	if err != nil {
		return err
	}
	return d.acted(out, "channel %s: %s %s", c.Channel, count(out.Released+out.Dropped, "held thing"), what)
}

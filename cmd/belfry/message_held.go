package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
)

type messageHeldCmd struct{}

// Help is the long help.
func (*messageHeldCmd) Help() string {
	return `Messages that the bulk guard or the brake on new audiences holds until somebody of the house has looked, and those of which nobody
knows whether they arrived, which are never sent again by this.

Example:

    belfry message held

Exit codes: 0 listed, 1 there is no store. With --json a list of {number, kind, purpose, post, reason, sentence, people, since}.`
}

// Run lists what is held.
func (c *messageHeldCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	list, err := d.HeldMessages(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, list)
	}
	if len(list) == 0 {
		d.print("nothing is held")
		return nil
	}
	t := newTable("NUMBER", "WHAT", "PEOPLE", "SINCE", "WHY")
	for _, h := range list {
		t.add(fmt.Sprint(h.Number), strings.TrimSpace(h.Kind+" "+h.Purpose+" "+h.Post), desk.Thousands(h.People), d.At(h.Since.Time), h.Sentence)
	}
	t.write(std.out)
	d.print("let them go: belfry message release NUMBER")
	return nil
}

type messageReleaseCmd struct {
	Number int64 `arg:"" help:"As belfry message held lists it."`
}

// Help is the long help.
func (*messageReleaseCmd) Help() string {
	return `Held messages are looked at again, and everything that decides about each is read anew: who left meanwhile gets nothing. Notices
that say the same go together. After the brake on a new audience, later messages to the same people are held no more: look at
bounces and complaints of the first ones before.

Example:

    belfry message release 4711

Exit codes: 0 released, 1 nothing is held under that number, or there is no store. With --json: {number, released}.`
}

// Run releases messages.
func (c *messageReleaseCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	n, err := d.ReleaseMessages(ctx, c.Number)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, map[string]int64{"number": c.Number, "released": n})
	}
	d.print("%s released", beVerb(int(n), "message is", "messages are"))
	if !d.Running() {
		d.print("  the daemon is not running; they leave when it starts")
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
)

type messageHeldCmd struct {
	Number int64 `arg:"" optional:"" help:"List to whom the messages of this number are, by reference."`
}

// Help is the long help.
func (*messageHeldCmd) Help() string {
	return `Messages that the bulk guard or the brake on new audiences holds until somebody of the house has looked, and those of which nobody
knows whether they arrived, which belfry message settle settles. With a number, to whom they are: people are named by reference, as
belfry subscriber list names them, and at most 1,000 of them.

Examples:

    belfry message held
    belfry message held 4711

Exit codes: 0 listed, 1 nothing waits under that number, or there is no store. With --json a list of {number, kind, unknown, purpose,
post, reason, sentence, people, since}, or with a number of {person, unknown, reason, sentence, error, since}.`
}

// Run lists what is held.
func (c *messageHeldCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if c.Number != 0 {
		return c.people(ctx, d)
	}
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
	if slices.ContainsFunc(list, func(h desk.HeldMessages) bool { return !h.Unknown }) {
		d.print("let them go: belfry message release NUMBER")
	}
	if slices.ContainsFunc(list, func(h desk.HeldMessages) bool { return h.Unknown }) {
		d.print("of those that may have arrived say whether they did: belfry message settle NUMBER --arrived, or --missing")
	}
	return nil
}

// people lists to whom the messages of one number are.
func (c *messageHeldCmd) people(ctx context.Context, d *clerk) error {
	list, err := d.HeldPeople(ctx, c.Number)
	if err != nil {
		return err
	}
	if d.json {
		return writeJSON(d.std.out, list)
	}
	t := newTable("PERSON", "SINCE", "WHY")
	unknown := false
	for _, h := range list {
		since := "-"
		if !h.Since.IsZero() {
			since = d.At(h.Since.Time)
		}
		unknown = unknown || h.Unknown
		t.add(h.Person, since, strings.TrimSpace(h.Sentence+" "+desk.Plain(h.Error)))
	}
	t.write(d.std.out)
	if unknown {
		d.print("of one that may have arrived say whether it did: belfry message settle %d --person REF --arrived, or --missing", c.Number)
	}
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

type messageSettleCmd struct {
	Number  int64  `arg:"" optional:"" help:"As belfry message held lists it."`
	Person  string `placeholder:"REF" help:"Only what is to this person, by their reference; without a number, all of it."`
	Arrived bool   `xor:"say" required:"" help:"They arrived, or are to count as if they had: they are not sent again."`
	Missing bool   `xor:"say" required:"" help:"They did not arrive: they are sent again."`
}

// Help is the long help.
func (*messageSettleCmd) Help() string {
	return `When the answer to a message was lost, or the daemon ended in the middle, nobody knows whether it arrived, and nothing is sent
again while it may have. Ask those people, or look at the platform, and say what you found, of all of them or of one: belfry message
held NUMBER lists them. What is missing is sent again,
and everything that decides about each is read anew: who left meanwhile gets nothing. Confirmations and answers are not sent
again, nor is what has expired.

Examples:

    belfry message settle 4711 --arrived
    belfry message settle 4711 --missing
    belfry message settle 4711 --person 4f0xk2c9m7qz1a3b --missing
    belfry message settle --person 4f0xk2c9m7qz1a3b --arrived

Exit codes: 0 recorded, 1 there are no such messages, or they cannot be sent again, 2 the command line cannot be used. With --json:
{number, person, settled, messages}; settled is arrived or missing.`
}

// Run records what a person says.
func (c *messageSettleCmd) Run(ctx context.Context, g *global, std streams) error {
	switch {
	case c.Number == 0 && c.Person == "":
		return unusable("say of which messages: a number that belfry message held lists, or --person REF, or both")
	case strings.Contains(c.Person, "@"):
		return unusable("an address on the command line can be seen by others of this machine; --person takes a reference, as belfry message held NUMBER lists it")
	}
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	out, err := d.SettleMessages(ctx, c.Number, c.Person, c.Arrived)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	if c.Arrived {
		d.print("%s as sent", beVerb(int(out.Messages), "message is counted", "messages are counted"))
		return nil
	}
	d.print("%s again%s", beVerb(int(out.Messages), "message is sent", "messages are sent"), d.whenRunning())
	return nil
}

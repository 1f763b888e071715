package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
)

type subscriberCmd struct {
	List     subscriberListCmd     `cmd:"" help:"List people by reference, never by address."`
	Show     subscriberShowCmd     `cmd:"" help:"One person: what they follow, where and how."`
	Import   subscriberImportCmd   `cmd:"" help:"Take people from a CSV file. Nobody is written to."`
	Imports  subscriberImportsCmd  `cmd:"" help:"List the imports."`
	Export   subscriberExportCmd   `cmd:"" help:"Everything about a person, or all people as a CSV file."`
	Merge    subscriberMergeCmd    `cmd:"" help:"Make two people one."`
	Withdraw subscriberWithdrawCmd `cmd:"" help:"End what a person follows, on their behalf."`
}

type subscriberListCmd struct {
	Channel string `placeholder:"NAME" help:"Only who has to do with this channel."`
	State   string `placeholder:"STATE" default:"" enum:"active,pending,withdrawn,expired," help:"Only who has a consent in this state: active, pending, withdrawn or expired."`
}

// Help is the long help.
func (*subscriberListCmd) Help() string {
	return `People are shown by their references: who they are, this list does not say. To find the reference of an address, give the
address to belfry subscriber show - on standard input.

Example:

    belfry subscriber list --channel alertes --state active

Exit codes: 0 listed, 1 there is no store, 2 no such channel or state. With --json one line for each person: {ref, since, lang,
zone, media, import, grants: [{purpose, medium, state, since, changed, mode, slots, topics, breaking}]}.`
}

// Run lists people.
func (c *subscriberListCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	n := 0
	err = d.Subscribers(ctx, desk.SubscriberFilter{Channel: c.Channel, State: c.State}, func(s desk.Subscriber) error {
		n++
		if g.JSON {
			return writeLine(std.out, s)
		}
		var follows []string
		for _, f := range s.Grants {
			text := strings.TrimPrefix(f.Purpose, "channel ") + " by " + f.Medium
			if f.State != string(consent.Active) {
				text += " (" + f.State + ")"
			}
			follows = append(follows, text)
		}
		_, err := fmt.Fprintf(std.out, "%s  %s  %s\n", s.Ref, s.Since.In(d.Zone()).Format(time.DateOnly), desk.OrDash(strings.Join(follows, ", ")))
		return err
	})
	if err == nil && n == 0 && !g.JSON {
		d.print("nobody")
	}
	return err
}

type subscriberShowCmd struct {
	person
	Address bool `help:"Show the addresses as they are. The record says so."`
}

// Help is the long help.
func (*subscriberShowCmd) Help() string {
	return `The look is an event of the ledger, with its reason; the person can see it. Addresses are masked unless --address asks for
them. What the person agreed to, when and how, is told by belfry consent show.

Examples:

    belfry subscriber show 4f0xk2c9m7qz1a3b --reason "says that nothing arrives"
    belfry subscriber show - --reason "says that nothing arrives" < address.txt

Exit codes: 0 printed, 1 nobody is called that, or there is no store, 2 the command line cannot be used. With --json: {ref, since,
seen, lang, zone, quiet_hours, paused_until, per_day, import, addresses, grants, suppressions}.`
}

// Run shows a person.
func (c *subscriberShowCmd) Run(ctx context.Context, g *global, std streams) error {
	return c.with(ctx, g, std, func(r *registrar, ref string) error {
		look, err := r.people.Look(ctx, ref, c.Reason, "", c.Address)
		if err != nil {
			return err
		}
		if g.JSON {
			return writeJSON(std.out, desk.Shown(look))
		}
		r.printShown(desk.Shown(look))
		return nil
	})
}

func (r *registrar) printShown(s desk.PersonShown) {
	r.print("person %s, since %s", s.Ref, r.At(s.Since.Time))
	t := newTable()
	for _, a := range s.Addresses {
		t.add("  "+a.Medium, desk.Plain(a.Address))
	}
	t.add("  language, zone", desk.OrDash(s.Lang)+", "+desk.OrDash(s.Zone))
	if s.Quiet != "" {
		t.add("  quiet hours", s.Quiet)
	}
	switch {
	case consent.Habits{PausedUntil: s.Paused.Time}.PausedOpenly():
		t.add("  paused", "until the person resumes")
	case s.Paused.After(r.Now):
		t.add("  paused", "until "+r.At(s.Paused.Time))
	}
	if s.PerDay > 0 {
		t.add("  at most", count(s.PerDay, "message")+" a day")
	}
	t.add("  seen", r.Ago(s.Seen.Time))
	if s.Import > 0 {
		t.add("  came with", fmt.Sprintf("import %d", s.Import))
	}
	t.write(r.std.out)
	for _, f := range s.Grants {
		how := manner(&consent.Preferences{Mode: consent.Mode(f.Mode), Slots: f.Slots, Topics: f.Topics, Languages: f.Languages, Breaking: f.Breaking})
		r.print("  %s by %s: %s since %s (%s)", f.Purpose, f.Medium, f.State, r.At(f.Changed.Time), how)
	}
	if len(s.Grants) == 0 {
		r.print("  follows nothing")
	}
	for _, x := range s.Suppressions {
		r.print("  must not be written to by %s (%s) since %s", x.Medium, strings.TrimSpace(x.Reason+" "+x.What), r.At(x.At.Time))
	}
}

type subscriberMergeCmd struct {
	From   string `arg:"" help:"Who is nobody afterwards."`
	Into   string `arg:"" help:"Who they are one with."`
	Reason string `required:"" placeholder:"TEXT" help:"How you know that they are the same person, for the record."`
}

// Help is the long help.
func (*subscriberMergeCmd) Help() string {
	return `What the first one has goes to the second, and the first is nobody afterwards. A withdrawal of either holds for both, and nobody
is brought back. An address goes along where the second has none of its medium. Where the second has one, that one stays, and
consents that were given for the other wait for the person: consent belongs to the address that it was given for.

Links in messages to the first lead to the second from then on, so that who leaves by one of them leaves. The ledger keeps both
records. There is no way back.

Example:

    belfry subscriber merge 4f0xk2c9m7qz1a3b 9ym3t0v5w8e2r6np --reason "wrote from both addresses"

Exit codes: 0 merged, 1 nobody is called that, or a message to one of them is under way, 2 the command line cannot be used. With
--json: {from, into, moved, ended, waiting, addresses, dropped_addresses}.`
}

// Run merges people.
func (c *subscriberMergeCmd) Run(ctx context.Context, g *global, std streams) error {
	r, err := g.openPeople(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	out, err := r.people.Merge(ctx, c.From, c.Into, strings.TrimSpace(c.Reason))
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	r.print("%s is %s now", out.From, out.Into)
	for _, x := range []struct {
		what string
		list []string
	}{{"went along", out.Moved}, {"ended, because the other one left it", out.Ended}, {"wait for the person, because the address is another one", out.Waiting},
		{"addresses that went along", out.Addresses}, {"addresses that were dropped, because there is one of that medium", out.Dropped}} {
		if len(x.list) > 0 {
			r.print("  %s: %s", x.what, strings.Join(x.list, ", "))
		}
	}
	return nil
}

type subscriberWithdrawCmd struct {
	person
	Channel string `placeholder:"NAME" help:"What ends; without it, everything. A notice is written \"notice NAME\"."`
	By      string `placeholder:"MEDIUM" help:"Only over this medium."`
}

// Help is the long help.
func (*subscriberWithdrawCmd) Help() string {
	return `For somebody who asks by telephone or letter. It is acknowledged when no message to the person is left that may still leave, at
most after 15 s; nothing starts from then on. Only the person themselves can come back.

Example:

    belfry subscriber withdraw 4f0xk2c9m7qz1a3b --channel alertes --reason "asked by telephone on 20 November"

Exit codes: 0 ended, or ended before, 1 nobody is called that, or one message may already be under way, 2 the command line cannot be
used. With --json: {ref, at, ended, settled}.`
}

// Run withdraws.
func (c *subscriberWithdrawCmd) Run(ctx context.Context, g *global, std streams) error {
	return c.with(ctx, g, std, func(r *registrar, ref string) error {
		out, err := r.people.Withdraw(ctx, ref, c.Channel, c.By, c.Reason)
		if err != nil {
			return err
		}
		switch {
		case g.JSON:
			err = writeJSON(std.out, out)
		case len(out.Ended) == 0:
			r.print("%s had left it already", out.Ref)
		default:
			r.print("%s does not follow %s any more", out.Ref, strings.Join(out.Ended, ", "))
		}
		if err == nil && !out.Settled {
			if !g.JSON {
				r.print("  it is recorded; one message may already be under way")
			}
			return &exitError{code: exitFailed}
		}
		return err
	})
}

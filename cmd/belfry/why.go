package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
)

type whyCmd struct {
	Item        string `xor:"what" required:"" placeholder:"KEY" help:"An item: its key, its address, or its number."`
	Post        string `xor:"what" required:"" placeholder:"ID" help:"A post: its id, or the beginning of it."`
	Source      string `placeholder:"NAME" help:"With --item: the source it comes from."`
	Channel     string `placeholder:"NAME" help:"With --item: only what this channel makes of it."`
	Destination string `placeholder:"NAME" help:"With --post: only what became of it there."`
	Person      string `placeholder:"REF" help:"With --post: what became of it for this person, by their reference."`
	Reason      string `placeholder:"TEXT" help:"With --person: why you look, for the record."`
}

// Help is the long help.
func (*whyCmd) Help() string {
	return `For an item: what the source said, and for each channel whether it waits (for what, until when), is used (in which post,
with its copies), or is left out, with the reason. For a post: what became of it on each destination, and how many of those who
follow the channel got it, wait for it, or do not get it, by reason.

For one person, by the reference that belfry subscriber list shows: what was decided about the post, or would be decided now.
That is a look at a person: it needs a --reason, and is an event of the ledger.

Examples:

    belfry why --item https://news.example/gare --channel alertes
    belfry why --post 8f21 --destination telegram
    belfry why --post 8f21 --person 4f0xk2c9m7qz1a3b --reason "says that nothing arrived"

Exit codes: 0 told, 1 nothing is known of it, 2 the command line cannot be used. With --json: a list of items, a post with people:
{got, wait, not, making, outcomes}, or with --person a list of {destination, medium, kind, what, state, reason, sentence, error, at,
next, attempts, asked_now}.`
}

// Run tells why.
func (c *whyCmd) Run(ctx context.Context, g *global, std streams) error {
	switch {
	case c.Post != "" && (c.Source != "" || c.Channel != ""):
		return unusable("--source and --channel belong to --item")
	case c.Item != "" && c.Destination != "":
		return unusable("--destination belongs to --post")
	case c.Person != "" && (c.Item != "" || c.Destination != ""):
		return unusable("--person goes with --post alone")
	case c.Person == "" && c.Reason != "":
		return unusable("--reason belongs to --person")
	case c.Person != "":
		return c.person(ctx, g, std)
	}
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if c.Post != "" {
		return c.post(ctx, d)
	}
	return c.item(ctx, d)
}

func (c *whyCmd) post(ctx context.Context, d *clerk) error {
	p, err := d.WhyPost(ctx, c.Post, c.Destination)
	if err != nil {
		return err
	}
	if d.json {
		return writeJSON(d.std.out, p)
	}
	var people desk.PostPeople
	if p.People != nil {
		people = *p.People
	}
	counts := desk.CopyCounts(p.Copies)
	alone := len(p.Copies) == 0 && !people.Empty() // it was written to people, and is published nowhere else
	if alone {
		counts = countsOf(people)
	}
	d.print("post %s %q (%s, %s): %s", p.ID, desk.Plain(p.Title), p.Channel, d.PostTime(p.Row), counts)
	if p.Row.Status != compose.PostLive {
		d.print("  %s", d.StatusSentence(p.Row))
	}
	d.printCopies(p.Copies)
	d.printWhyPeople(people, !alone)
	return nil
}

// countsOf says how many people got a post, wait for it, or do not get it.
func countsOf(p desk.PostPeople) string {
	more := ""
	if p.Making {
		more = "; more are being made ready"
	}
	return fmt.Sprintf("%s sent · %s waiting · %s not sent%s", desk.Thousands(p.Got), desk.Thousands(p.Wait), desk.Thousands(p.Not), more)
}

// printWhyPeople prints what became of a post with those who follow its channel.
func (d *clerk) printWhyPeople(p desk.PostPeople, counts bool) {
	if p.Empty() {
		return
	}
	if counts {
		d.print("  to people: %s", countsOf(p))
	}
	t := newTable()
	for _, o := range p.Outcomes {
		t.add("    "+o.Destination, o.Kind, o.What, desk.Thousands(o.People), orState(o.Reason, o.State), o.Sentence)
	}
	t.write(d.std.out)
}

func orState(reason, state string) string {
	if reason == "" {
		return state
	}
	return reason
}

// person tells what became of a post for one person.
func (c *whyCmd) person(ctx context.Context, g *global, std streams) error {
	if c.Post == "" {
		return unusable("--person goes with --post")
	}
	r, err := g.openPeople(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	who := person{Person: c.Person, Reason: c.Reason}
	ref, err := who.ref(ctx, r, std)
	if err != nil {
		return err
	}
	post, err := r.PostOn(ctx, c.Post, "")
	if err != nil {
		return err
	}
	look, err := r.people.Look(ctx, ref, c.Reason, "why post "+post.ID, false)
	if err != nil {
		return err
	}
	program, err := r.Program(ctx)
	if err != nil {
		return err
	}
	preview := app.NewPreview(r.Config, r.Store, r.people.Registry, program)
	list, err := r.people.WhyPerson(ctx, look.ID, post.ID, func(s consent.Stream) (consent.Judgement, error) {
		a, err := preview.Ask(ctx, s, look.ID, r.Now)
		return a.Judgement, err
	})
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, list)
	}
	r.print("post %s %q for %s", post.ID, desk.Plain(post.Title), ref)
	if len(list) == 0 {
		r.print("  no message was made of it: the channel did not write to people when it was published, or the daemon has not looked at it yet")
	}
	for _, m := range list {
		when := ""
		switch {
		case m.Now && m.What == desk.MessageWait && m.Next.IsZero():
			when = ", not decided yet; as things are it would leave"
		case m.Now:
			when = ", as things are; nothing is decided yet"
		case !m.At.IsZero():
			when = ", " + r.At(m.At.Time)
		}
		if !m.Next.IsZero() {
			when += ", next " + r.Until(m.Next.Time)
		}
		r.print("  %s by %s: %s%s", m.Kind, m.Destination, m.What, when)
		if m.Reason != "" {
			r.print("    %s: %s", m.Reason, m.Sentence)
		}
		if m.Error != "" {
			r.print("    %s", desk.Plain(m.Error))
		}
	}
	return nil
}

func (c *whyCmd) item(ctx context.Context, d *clerk) error {
	list, err := d.WhyItem(ctx, c.Item, c.Source, c.Channel)
	if err != nil {
		return err
	}
	if d.json {
		return writeJSON(d.std.out, list)
	}
	for i, w := range list {
		if i > 0 {
			d.print("")
		}
		d.printWhy(w)
	}
	return nil
}

func (d *clerk) printWhy(w desk.WhyItem) {
	if w.Number == 0 { // nothing is known of it but that it is blocked
		d.print("%s: %s", desk.Plain(w.Key), w.Sentence)
		return
	}
	d.print("item %q (%s, seen %s, revision %d): %s", desk.Plain(w.Title), w.Source, d.At(w.Seen.Time), w.Revision, w.Sentence)
	d.print("  %s", strings.TrimSpace(desk.Plain(w.Key)+"  "+strings.TrimPrefix(desk.Plain(w.URL), desk.Plain(w.Key))))
	if len(w.Channels) == 0 {
		d.print("  no channel takes items from source %s", w.Source)
	}
	for _, x := range w.Channels {
		d.print("  %s: %s", x.Channel, x.Sentence)
		for _, c := range x.Copies {
			d.print("    %s: %s", c.Place(), strings.TrimSpace(c.Sentence+" "+strings.Join(c.URLs, " ")))
		}
		for _, n := range x.NotTo {
			d.print("    %s: %s", n.Place(), n.Sentence())
		}
	}
}

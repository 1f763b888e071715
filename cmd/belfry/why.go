package main

import (
	"context"
	"strings"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
)

type whyCmd struct {
	Item        string `xor:"what" required:"" placeholder:"KEY" help:"An item: its key, its address, or its number."`
	Post        string `xor:"what" required:"" placeholder:"ID" help:"A post: its id, or the beginning of it."`
	Source      string `placeholder:"NAME" help:"With --item: the source it comes from."`
	Channel     string `placeholder:"NAME" help:"With --item: only what this channel makes of it."`
	Destination string `placeholder:"NAME" help:"With --post: only what became of it there."`
}

// Help is the long help.
func (*whyCmd) Help() string {
	return `For an item: what the source said, and for each channel whether it waits (for what, until when), is used (in which post,
with its copies), or is left out, with the reason. For a post: what became of it on each destination.

Examples:

    belfry why --item https://news.example/gare --channel alertes
    belfry why --post 8f21 --destination telegram

Exit codes: 0 told, 1 nothing is known of it, 2 the command line cannot be used. With --json: a list of items, or a post.`
}

// Run tells why.
func (c *whyCmd) Run(ctx context.Context, g *global, std streams) error {
	switch {
	case c.Post != "" && (c.Source != "" || c.Channel != ""):
		return unusable("--source and --channel belong to --item")
	case c.Item != "" && c.Destination != "":
		return unusable("--destination belongs to --post")
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
	p, err := d.PostOn(ctx, c.Post, c.Destination)
	if err != nil {
		return err
	}
	if d.json {
		return writeJSON(d.std.out, p)
	}
	d.print("post %s %q (%s, %s): %s", p.ID, desk.Plain(p.Title), p.Channel, d.PostTime(p.Row), desk.CopyCounts(p.Copies))
	if p.Row.Status != compose.PostLive {
		d.print("  %s", d.StatusSentence(p.Row))
	}
	d.printCopies(p.Copies)
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

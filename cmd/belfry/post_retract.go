package main

import (
	"context"
	"path/filepath"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

type postRetractCmd struct {
	ID     string       `arg:"" optional:"" help:"The post: its id, or the beginning of it."`
	Item   string       `placeholder:"KEY" help:"Instead of a post, with --legal: an item by its key, its address, or its number."`
	Source string       `placeholder:"NAME" help:"With --item: the source it comes from."`
	Legal  bool         `help:"For good: delete every copy, purge text and images, and block the item for ever."`
	Reason string       `required:"" placeholder:"TEXT" help:"Why, for the record."`
	Wait   sdk.Duration `default:"60s" placeholder:"TIME" help:"How long to wait until the daemon has worked it off; 0s does not wait."`
}

// Help is the long help.
func (*postRetractCmd) Help() string {
	return `The post does not come back, whatever its source says. Its page says that it was withdrawn. With --legal the page answers
410, every post of the same item goes in every channel, digests lose it, its text and images are purged from every
revision, from the store's files and from the images on disk, and its key and address never come back, not even as the
--link of an editor's post. A second run changes nothing and tells what has become of it. There is no way back from
--legal. Backups of before still hold the text: those that lie beside the store are named, the others are yours to find.

An item that is only in digests, or in no post yet, is named by --item. A digest that is retracted with --legal goes by
itself: its items stay, because most have nothing to do with the reason; they are listed, to be retracted with --item.

Examples:

    belfry post retract 8f21 --reason "published too early"
    belfry post retract 8f21 --legal --reason "court order 12/2026"
    belfry post retract --item https://news.example/gare --source articles --legal --reason "court order 12/2026"

With --json: {posts, digests, items, legal, again, files_removed, purged, backups, done, copies: [{post, digest, destination, chat,
state, sentence, …}]}. The copies of digests that lose the item are among them: they are corrected, and not deleted.

Exit codes: 0 gone everywhere, 1 something is still there (the table says where and why), 2 the command line cannot be used.`
}

// Run takes a post back, and waits until its copies are gone.
func (c *postRetractCmd) Run(ctx context.Context, g *global, std streams) error {
	switch {
	case (c.ID == "") == (c.Item == ""):
		return unusable("name either a post, by its id, or an item, by --item")
	case c.Item != "" && !c.Legal:
		return unusable("--item is retracted for good only: add --legal, or take its posts back one by one; see: belfry why --item %s", c.Item)
	case c.Item == "" && c.Source != "":
		return unusable("--source belongs to --item")
	}
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	var out desk.Retraction
	if c.Item != "" {
		out, err = d.RetractItem(ctx, c.Item, c.Source, c.Reason, c.Wait.Std())
	} else {
		out, err = d.Retract(ctx, c.ID, c.Legal, c.Reason, c.Wait.Std())
	}
	if err != nil {
		return err
	}
	if g.JSON {
		if err := writeJSON(std.out, out); err != nil {
			return err
		}
	} else {
		c.print(d, out)
	}
	if out.Trouble != nil {
		return out.Trouble
	}
	if !out.Done {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (c *postRetractCmd) print(d *clerk, out desk.Retraction) {
	what := "was retracted"
	switch {
	case out.Again:
		what = "was retracted for good before"
	case c.Legal:
		what = "was retracted for good"
	}
	for _, it := range out.Items {
		d.print("item %d (%s %s) %s", it.Number, it.Source, desk.Plain(it.Key), what)
	}
	for _, id := range out.Posts {
		d.print("post %s %s", id, what)
	}
	for _, id := range out.Digests {
		d.print("digest %s lost the item", id)
	}
	if out.Files > 0 {
		d.print("%s removed", count(out.Files, "image"))
	}
	for _, it := range out.Kept {
		d.print("item %d (%s %s) stays; retract it too: belfry post retract --item %d --legal --reason TEXT", it.ID, it.Source, desk.Plain(it.Key), it.ID)
	}
	c.printCopies(d, out)
	for _, file := range out.Backups {
		d.print("%s is older and may still hold it; delete it: rm %s", filepath.Base(file), file)
	}
	if !out.Purged {
		d.print("the store's files may still hold the text: they are cleared once the calls under way have ended and nobody reads the log")
	}
}

func (c *postRetractCmd) printCopies(d *clerk, out desk.Retraction) {
	if len(out.Copies) == 0 {
		if len(out.Posts) > 0 {
			d.print("there is no copy outside its page")
		}
		return
	}
	t := newTable("POST", "WHERE", "STATE", "WHAT")
	words := map[string]string{desk.CopyGone: "gone", desk.CopyStays: "cannot delete", desk.CopyByHand: "needs a person", desk.CopyUnknown: "needs a person", desk.CopyWaiting: "under way"}
	corrections := map[string]string{desk.CopyThere: "corrected", desk.CopyNotSent: "not sent", desk.CopyStays: "cannot correct"}
	for _, x := range out.Copies {
		state, ok := corrections[x.State]
		if !x.Digest || !ok {
			state, ok = words[x.State]
		}
		if !ok {
			state = x.State
		}
		t.add(x.Post, x.Place(), state, x.Sentence)
	}
	t.write(d.std.out)
	if desk.AnyCopy(out.Copies, desk.CopyWaiting) {
		if !out.Daemon {
			d.print("the daemon is not running; copies are taken away when it starts")
		} else {
			d.print("not everything is done yet; see: belfry why --post %s", out.Copies[0].Post)
		}
	}
}

package main

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
)

type postRetractCmd struct {
	ID     string        `arg:"" help:"The post: its id, or the beginning of it."`
	Legal  bool          `help:"For good: delete every copy, purge text and images, and block the item for ever."`
	Reason string        `required:"" placeholder:"TEXT" help:"Why, for the record."`
	Wait   time.Duration `default:"60s" placeholder:"TIME" help:"How long to wait until the daemon has worked it off; 0s does not wait."`
}

// Help is the long help.
func (*postRetractCmd) Help() string {
	return `The post does not come back, whatever its source says. Its page says that it was withdrawn. With --legal the page answers
410, every post of the same item goes in every channel, digests lose it, its text and images are purged from every
revision, and its key and address never come back. There is no way back from --legal.

Examples:

    belfry post retract 8f21 --reason "published too early"
    belfry post retract 8f21 --legal --reason "court order 12/2026"

With --json: {posts, legal, files_removed, done, copies: [{post, destination, chat, state, sentence, …}]}.

Exit codes: 0 gone everywhere, 1 something is still there (the table says where and why), 2 the command line cannot be used.`
}

// Run takes a post back, and waits until its copies are gone.
func (c *postRetractCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	out, err := d.Retract(ctx, c.ID, c.Legal, c.Reason, c.Wait)
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
	if c.Legal {
		what = "was retracted for good"
	}
	for _, id := range out.Posts {
		d.print("post %s %s", id, what)
	}
	if out.Files > 0 {
		d.print("%s removed", count(out.Files, "image"))
	}
	if len(out.Copies) == 0 {
		d.print("there is no copy outside its page")
		return
	}
	t := newTable("POST", "WHERE", "STATE", "WHAT")
	words := map[string]string{desk.CopyGone: "gone", desk.CopyStays: "cannot delete", desk.CopyByHand: "needs a person", desk.CopyUnknown: "needs a person", desk.CopyWaiting: "under way"}
	for _, x := range out.Copies {
		state, ok := words[x.State]
		if !ok {
			state = x.State
		}
		t.add(x.Post, x.Place(), state, x.Sentence)
	}
	t.write(d.std.out)
	if desk.AnyCopy(out.Copies, desk.CopyWaiting) {
		if !out.Daemon {
			d.print("the daemon is not running; copies are deleted when it starts")
		} else {
			d.print("not everything is done yet; see: belfry why --post %s", out.Posts[0])
		}
	}
}

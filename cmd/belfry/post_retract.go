package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
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

type retractedJSON struct {
	Posts  []string        `json:"posts"`
	Legal  bool            `json:"legal"`
	Files  int             `json:"files_removed"`
	Daemon bool            `json:"daemon"`
	Done   bool            `json:"done"`
	Copies []retractedCopy `json:"copies"`
}

type retractedCopy struct {
	Post string `json:"post"`
	copyJSON
}

// Run takes a post back, and waits until its copies are gone.
func (c *postRetractCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	p, err := d.post(ctx, c.ID)
	if err != nil {
		return err
	}
	if p.Status == compose.PostRetracted && !c.Legal {
		return fmt.Errorf("post %s is retracted already: %s", p.PublicID, d.statusSentence(p))
	}
	done, err := d.db.RetractPost(ctx, p.ID, c.Legal, c.Reason, actor(), time.Now())
	if err != nil {
		return err
	}
	out := retractedJSON{Posts: done.Posts, Legal: c.Legal, Daemon: d.running()}
	// The record comes first: a file that cannot be removed must not keep the post on show.
	filesErr := c.removeFiles(d, done.Files)
	out.Files = len(done.Files)
	wait := c.Wait
	if !out.Daemon {
		wait = 0
	}
	if _, err := waitFor(ctx, wait, func() (bool, error) {
		out.Copies, err = d.retracted(ctx, done.Posts)
		return err == nil && !anyCopy(out.Copies, copyWaiting), err
	}); err != nil {
		return err
	}
	out.Done = filesErr == nil
	for _, x := range out.Copies {
		out.Done = out.Done && x.State == copyGone
	}
	if g.JSON {
		if err := writeJSON(std.out, out); err != nil {
			return err
		}
	} else {
		c.print(d, out)
	}
	if filesErr != nil {
		return filesErr
	}
	if !out.Done {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (c *postRetractCmd) removeFiles(d *desk, names []string) error {
	if len(names) == 0 {
		return nil
	}
	files, err := media.NewFiles(filepath.Join(d.dir, "media"))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if err := files.Remove(name); err != nil {
			errs = append(errs, fmt.Errorf("the image %s is purged from the record, but its file cannot be removed; remove it by hand: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// retracted reads the copies of the posts that were taken back.
func (d *desk) retracted(ctx context.Context, posts []string) ([]retractedCopy, error) {
	out := []retractedCopy{}
	for _, id := range posts {
		p, err := d.db.PostByID(ctx, id)
		if err != nil {
			return nil, err
		}
		copies, err := d.copies(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		for _, x := range copies {
			out = append(out, retractedCopy{id, x})
		}
	}
	return out, nil
}

func anyCopy(copies []retractedCopy, state string) bool {
	for _, c := range copies {
		if c.State == state {
			return true
		}
	}
	return false
}

func (c *postRetractCmd) print(d *desk, out retractedJSON) {
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
	words := map[string]string{copyGone: "gone", copyStays: "cannot delete", copyByHand: "needs a person", copyUnknown: "needs a person", copyWaiting: "under way"}
	for _, x := range out.Copies {
		state, ok := words[x.State]
		if !ok {
			state = x.State
		}
		t.add(x.Post, x.place(), state, x.Sentence)
	}
	t.write(d.std.out)
	if anyCopy(out.Copies, copyWaiting) {
		if !out.Daemon {
			d.print("the daemon is not running; copies are deleted when it starts")
		} else {
			d.print("not everything is done yet; see: belfry why --post %s", out.Posts[0])
		}
	}
}

package main

import (
	"context"
	"fmt"

	"github.com/belfry-news/belfry/internal/desk"
)

type postCmd struct {
	Create     postCreateCmd     `cmd:"" help:"Write a post in a channel."`
	Edit       postEditCmd       `cmd:"" help:"Correct a post; every copy follows."`
	Retract    postRetractCmd    `cmd:"" help:"Take a post back everywhere."`
	List       postListCmd       `cmd:"" help:"List posts, the newest first."`
	Show       postShowCmd       `cmd:"" help:"A post with its revisions and copies."`
	Deliveries postDeliveriesCmd `cmd:"" help:"List what was, or is to be, sent to destinations."`
	Resend     postResendCmd     `cmd:"" help:"Send a delivery again that ended without success."`
	Resolve    postResolveCmd    `cmd:"" help:"Say what only a person can know of a delivery."`
	Release    postReleaseCmd    `cmd:"" help:"Let posts go that a blackout held, or drop them."`
}

type postListCmd struct {
	Channel string `placeholder:"NAME" help:"Only of this channel."`
	Held    bool   `help:"Only posts that a blackout holds, here or at a destination, and items that it held before."`
	Limit   int    `default:"20" placeholder:"N" help:"The most that are listed."`
}

// Help is the long help.
func (*postListCmd) Help() string {
	return `Example:

    belfry post list --channel alertes

Exit codes: 0 listed, 1 there is no store, 2 no such channel. With --json a list of posts; held items are no posts yet, and
stand in belfry plan --json under left_out.`
}

// Run lists posts.
func (c *postListCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if c.Limit < 1 {
		return unusable("--limit %d lists nothing; at least 1", c.Limit)
	}
	list, err := d.Posts(ctx, desk.PostQuery{Channel: c.Channel, Held: c.Held, Limit: c.Limit})
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, list)
	}
	var held []desk.PlannedOut
	if c.Held {
		if held, err = d.HeldItems(ctx, c.Channel, c.Limit); err != nil {
			return err
		}
	}
	if len(list) == 0 && len(held) == 0 {
		d.print("there is no such post")
		return nil
	}
	if len(list) > 0 {
		d.printPosts(list)
	}
	if len(held) > 0 {
		d.print("held before they became posts:")
		t := newTable("CHANNEL", "ITEM", "SINCE", "WHY")
		for _, x := range held {
			t.add(x.Channel, clip(desk.OrDash(x.Title), 60), d.At(x.At.Time), x.Sentence)
		}
		t.write(std.out)
	}
	return nil
}

func (d *clerk) printPosts(list []desk.Post) {
	t := newTable("POST", "CHANNEL", "KIND", "STATUS", "PUBLISHED", "REV", "TITLE")
	for _, p := range list {
		t.add(p.ID, p.Channel, p.Kind, p.Status, d.At(p.Visible.Time), fmt.Sprint(p.Revision), clip(desk.OrDash(p.Title), 60))
	}
	t.write(d.std.out)
}

type postShowCmd struct {
	ID string `arg:"" help:"The post: its id, or the beginning of it."`
}

// Help is the long help.
func (*postShowCmd) Help() string {
	return `Example:

    belfry post show 8f21

Exit codes: 0 printed, 1 there is no such post, 2 the id is not clear.`
}

// Run prints one post.
func (c *postShowCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	p, err := d.Post(ctx, c.ID)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, p)
	}
	d.print("post %s %q", p.ID, desk.Plain(p.Title))
	t := newTable()
	t.add("  channel", fmt.Sprintf("%s (%s, %s)", p.Channel, p.Kind, desk.OrDash(p.Lang)))
	t.add("  published", d.At(p.Visible.Time))
	t.add("  status", d.StatusSentence(p.Row))
	if p.Summary != "" {
		t.add("  text", clip(p.Summary, 200))
	}
	if p.URL != "" {
		t.add("  article", desk.Plain(p.URL))
	}
	if p.Permalink != "" {
		t.add("  page", p.Permalink)
	}
	for _, why := range p.Lost {
		t.add("  without its image", desk.Plain(why))
	}
	for _, it := range p.Items {
		t.add("  item", desk.Plain(it.Source+" "+it.Key))
	}
	t.write(std.out)
	d.print("\nrevisions:")
	for _, r := range p.Revisions {
		line := fmt.Sprintf("  %d  %s  %s", r.Number, d.At(r.At.Time), clip(desk.OrDash(r.Title), 70))
		if r.Note != "" {
			line += "  (" + desk.Plain(r.Note) + ")"
		}
		d.print("%s", line)
	}
	d.print("\ncopies: %s", desk.CopyCounts(p.Copies))
	d.printCopies(p.Copies)
	return nil
}

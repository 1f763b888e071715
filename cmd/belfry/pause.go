package main

import (
	"context"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
)

// pausable is what pause and resume are about.
type pausable struct {
	Scope string `arg:"" optional:"" default:"" enum:"all,source,channel,destination," help:"all, source, channel or destination; nothing lists what is paused."`
	Name  string `arg:"" optional:"" help:"Which one."`
}

type pauseCmd struct{ pausable }

// Help is the long help.
func (*pauseCmd) Help() string {
	return `A paused source is not fetched, a paused channel makes no posts, and to a paused destination nothing leaves, retractions neither. What
comes meanwhile waits; digests that are missed count as missed, and catch_up decides. A pause survives restarts.

Examples:

    belfry pause all
    belfry pause destination telegram
    belfry pause

Exit codes: 0 paused, or paused before, 1 there is no store, 2 no such name.`
}

// Run pauses something, or lists what is paused.
func (c *pauseCmd) Run(ctx context.Context, g *global, std streams) error {
	if c.Scope == "" {
		return listPauses(ctx, g, std)
	}
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	p, err := d.Pause(ctx, c.Scope, c.Name)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, p)
	}
	if !p.Changed {
		d.print("%s is paused already", p.About())
		return nil
	}
	d.print("%s is paused; to end it: belfry resume %s", p.About(), strings.TrimSpace(p.Scope+" "+p.Name))
	return nil
}

func listPauses(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	list, err := d.Pauses(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, list)
	}
	if len(list) == 0 {
		d.print("nothing is paused")
	}
	d.printPauses(list)
	return nil
}

func (d *clerk) printPauses(list []desk.Pause) {
	for _, p := range list {
		d.print("%s is paused since %s; to end it: belfry resume %s", p.About(), d.At(p.Since.Time), strings.TrimSpace(p.Scope+" "+p.Name))
		if p.Reason != "" {
			d.print("  %s", p.Reason)
		}
	}
}

type resumeCmd struct{ pausable }

// Help is the long help.
func (*resumeCmd) Help() string {
	return `Ends a pause. A destination that stopped by itself, because a credential or a right was missing, serves again too; test it
first with belfry destination check.

Example:

    belfry resume destination telegram

Exit codes: 0 resumed, or not paused, 1 there is no store, 2 no such name.`
}

// Run ends a pause.
func (c *resumeCmd) Run(ctx context.Context, g *global, std streams) error {
	if c.Scope == "" {
		return listPauses(ctx, g, std)
	}
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	p, err := d.Resume(ctx, c.Scope, c.Name)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, p)
	}
	if p.Scope == store.PauseAll {
		return d.resumedAll(ctx, p)
	}
	if p.Changed {
		d.print("%s goes on", p.About())
	} else {
		d.print("%s is not paused", p.About())
	}
	if p.Paused {
		d.print("everything is still paused: belfry resume all")
	}
	return nil
}

// resumedAll says that the pause of everything is over, and what is paused by itself all the same.
func (d *clerk) resumedAll(ctx context.Context, p desk.Pause) error {
	rest, err := d.Pauses(ctx)
	if err != nil {
		return err
	}
	what := "everything goes on"
	if len(rest) > 0 {
		what = "everything else goes on"
	}
	if !p.Changed {
		what += " already"
	}
	d.print("%s", what)
	d.printPauses(rest)
	return nil
}

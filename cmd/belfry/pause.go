package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/store"
)

// pausable is what pause and resume are about.
type pausable struct {
	Scope string `arg:"" optional:"" default:"" enum:"all,source,channel,destination," help:"all, source, channel or destination; nothing lists what is paused."`
	Name  string `arg:"" optional:"" help:"Which one."`
}

// name checks the scope and the name against the configuration.
func (p *pausable) check(d *desk) error {
	known := map[string][]string{
		store.PauseSource:      slices.Collect(maps.Keys(d.cfg.Sources)),
		store.PauseChannel:     slices.Collect(maps.Keys(d.cfg.Channels)),
		store.PauseDestination: slices.Collect(maps.Keys(d.cfg.Destinations)),
	}[p.Scope]
	switch {
	case p.Scope == store.PauseAll && p.Name != "":
		return unusable("all needs no name; to pause one source write: belfry pause source %s", p.Name)
	case p.Scope == store.PauseAll:
		return nil
	case p.Name == "":
		return unusable("which %s? known are %s", p.Scope, strings.Join(slices.Sorted(slices.Values(known)), ", "))
	case !slices.Contains(known, p.Name):
		return unknownName(p.Scope, p.Name, known)
	}
	return nil
}

func (p *pausable) String() string {
	if p.Scope == store.PauseAll {
		return "everything"
	}
	return p.Scope + " " + p.Name
}

type pauseJSON struct {
	Scope   string `json:"scope"`
	Name    string `json:"name"`
	Paused  bool   `json:"paused"`
	Since   stamp  `json:"since"`
	Changed bool   `json:"changed"`
}

type pauseCmd struct{ pausable }

// Help is the long help.
func (*pauseCmd) Help() string {
	return `A paused source is not fetched, a paused channel makes no posts, and to a paused destination nothing leaves. What comes
meanwhile waits; digests that are missed count as missed, and catch_up decides. A pause survives restarts.

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
	if err := c.check(d); err != nil {
		return err
	}
	changed, err := d.db.Pause(ctx, c.Scope, c.Name, actor(), time.Now())
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, pauseJSON{Scope: c.Scope, Name: c.Name, Paused: true, Since: stamp{d.now}, Changed: changed})
	}
	if !changed {
		d.print("%s is paused already", c.String())
		return nil
	}
	d.print("%s is paused; to end it: belfry resume %s", c.String(), strings.TrimSpace(c.Scope+" "+c.Name))
	return nil
}

func listPauses(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	rows, err := d.db.Pauses(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		list := []pauseJSON{}
		for _, p := range rows {
			list = append(list, pauseJSON{Scope: p.Scope, Name: p.Name, Paused: true, Since: stamp{p.Since}})
		}
		return writeJSON(std.out, list)
	}
	if len(rows) == 0 {
		d.print("nothing is paused")
	}
	d.printPauses(rows)
	return nil
}

func (d *desk) printPauses(rows []store.Pause) {
	for _, p := range rows {
		about := pausable{p.Scope, p.Name}
		d.print("%s is paused since %s; to end it: belfry resume %s", about.String(), d.at(p.Since), strings.TrimSpace(p.Scope+" "+p.Name))
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
	if err := c.check(d); err != nil {
		return err
	}
	changed, err := d.db.Resume(ctx, c.Scope, c.Name, actor(), time.Now())
	if err != nil {
		return err
	}
	rest, err := d.db.Pauses(ctx)
	if err != nil {
		return err
	}
	everything := slices.ContainsFunc(rest, func(p store.Pause) bool { return p.Scope == store.PauseAll })
	if g.JSON {
		return writeJSON(std.out, pauseJSON{Scope: c.Scope, Name: c.Name, Paused: everything, Changed: changed})
	}
	switch {
	case !changed:
		d.print("%s is not paused", c.String())
	default:
		d.print("%s goes on", c.String())
	}
	if everything {
		d.print("everything is still paused: belfry resume all")
	}
	return nil
}

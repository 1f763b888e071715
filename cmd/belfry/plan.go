package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

type planCmd struct {
	At  string       `placeholder:"TIME" help:"Look ahead from this time instead of from now."`
	For sdk.Duration `default:"24h" placeholder:"TIME" help:"How far to look ahead."`
	New string       `placeholder:"PATH" help:"A new configuration, when it lies elsewhere than the running one, which --config then names."`
}

// Help is the long help.
func (*planCmd) Help() string {
	return `Nothing is changed. The decisions of every channel are played forward in time over the rows of the store as they stand: the
digests to come with their items, which waiting items become posts when and where, and why others do not. Without a store
the digests to come are listed. New items, revisions and images that arrive meanwhile change the outcome. A time that is past
is said to be so on standard error.

With --config NEW on the command line, what that configuration would change about the running one comes first, changed secrets
without their values. The store is the one in its data_dir; where NEW lies elsewhere, name the running configuration with
--config and the new one with --new.

Examples:

    belfry plan --for 48h
    belfry plan --config belfry.new.yaml
    belfry plan --config /etc/belfry/belfry.yaml --new /tmp/new.yaml

With --json one object: {from, until, changes, need_restart, first_only, posts, left_out, waiting,
deliveries}.

Exit codes: 0 nothing changes, 1 the configuration has problems, 2 the command line cannot be used, 3 with --config or
--new: something would change.`
}

// Run prints what will happen.
func (c *planCmd) Run(ctx context.Context, g *global, std streams) error {
	running, err := g.loadToServe(g.Config)
	if err != nil {
		return err
	}
	proposed := running
	if c.New != "" {
		if proposed, err = g.loadToServe(c.New); err != nil {
			return err
		}
	}
	d := g.desk(proposed, std)
	d.Dir = app.DataDir(running)
	d.Daemon = func() (int, bool) { return app.Running(d.Dir) }
	if d.Store, err = sqlite.OpenExisting(ctx, app.Database(running)); err == nil {
		defer d.close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	from, err := desk.ParseTime(c.At, d.Zone(), d.Now)
	if err != nil {
		return err
	}
	until := from.Add(c.For.Std())
	if note := d.pastNote(from, until); note != "" {
		fmt.Fprintln(std.err, "belfry:", note)
	}
	var changes []configs.Change
	if g.explicit || c.New != "" {
		if changes, err = d.changes(ctx); err != nil {
			return err
		}
	}
	out, err := d.Plan(ctx, from, until)
	if err != nil {
		return err
	}
	out.Changes = changes
	out.NeedRestart = append(out.NeedRestart, app.NeedRestart(changes)...)
	if g.JSON {
		if err := writeJSON(std.out, out); err != nil {
			return err
		}
	} else {
		d.printPlan(out)
	}
	if len(out.Changes) > 0 {
		return &exitError{code: exitChanged}
	}
	return nil
}

// pastNote says that a time, or its beginning, is past; empty when it is not. What was typed in the same minute counts as now.
func (d *clerk) pastNote(from, until time.Time) string {
	switch {
	case !until.After(d.Now):
		return fmt.Sprintf("%s is past, and a plan looks ahead; what was posted then: belfry post list", d.At(from))
	case d.Now.Sub(from) >= time.Minute:
		return fmt.Sprintf("%s is past; what is listed falls between now and %s", d.At(from), d.At(until))
	}
	return ""
}

// changes finds what the configuration changes about the one that was last applied; never nil.
func (d *clerk) changes(ctx context.Context) ([]configs.Change, error) {
	none := []configs.Change{}
	if d.Store == nil {
		return none, nil
	}
	problems, err := app.CheckStore(ctx, d.Store, d.Config)
	if err != nil {
		return none, err
	}
	if len(problems) > 0 {
		return none, &configs.Invalid{Problems: problems}
	}
	applied, err := d.Store.Applied(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	return append(none, configs.Diff(applied.Tree, d.Config.Marked(applied.Key))...), nil
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/sdk"
)

type runCmd struct {
	Rehearse bool   `help:"Send nothing: real sources, a copy of the store, and a page with every request that would leave."`
	Listen   string `placeholder:"ADDRESS" help:"Where the pages are served, in place of listen:."`
}

// Help is the long help.
func (*runCmd) Help() string {
	return `Serves until SIGTERM or Ctrl-C, and then waits for what is under way (shutdown_grace); the log says so, and how long it took. A changed configuration is checked as
a whole and applied within two seconds, or at once on SIGHUP; one with problems changes nothing.

With --rehearse the daemon works on a copy of the store, which goes when it ends, beside a running daemon or without one.
Every source is fetched at once, every destination is replaced, and /rehearsal shows what would have been sent where. Its
pages are served at a free port of this machine, unless --listen names one.

Examples:

    belfry run --config /etc/belfry/belfry.yaml
    belfry run --rehearse --config belfry.new.yaml

Exit codes: 0 stopped as asked, 1 it could not start, or its store failed, 2 the command line cannot be used. With --json
the log is JSON.`
}

// Run runs the daemon until it is told to stop, or its store fails.
func (c *runCmd) Run(ctx context.Context, g *global, std streams) error {
	if err := noConfig(g.Config); err != nil {
		return err
	}
	flags := maps.Clone(g.Set)
	if flags == nil {
		flags = map[string]string{}
	}
	if c.Listen != "" {
		flags["listen"] = c.Listen
	}
	options := app.Options{Config: g.options(), Log: g.logger(std.err), Version: version, Rehearse: c.Rehearse}
	options.Config.Flags = flags
	if c.Rehearse {
		clean, err := c.rehearsal(ctx, g, flags)
		if err != nil {
			return err
		}
		defer clean()
	}
	a, err := app.New(options)
	if err != nil {
		return err
	}
	// Handlers stand before anything is announced: a signal that comes early must not kill the daemon.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	if err := a.Start(ctx); err != nil {
		return err
	}
	c.announce(a, g, options.Log, std)
	super := &supervisor{a, options.Log}
	super.ready()
	watching, unwatch := context.WithCancel(ctx)
	var watchdog sync.WaitGroup
	watchdog.Go(func() { super.watch(watching) })
	var failure error
wait:
	for {
		select {
		case <-ctx.Done():
			break wait
		case <-a.Failed():
			failure = a.Cause()
			break wait
		case <-hup:
			if r := a.Reload(ctx); !g.JSON { // the log tells it otherwise
				tellReload(ctx, a, r, std)
			}
		}
	}
	because := failure
	if because == nil {
		because = context.Cause(ctx)
	}
	options.Log.Info("asked to stop", "because", because)
	super.stopping()
	unwatch()
	watchdog.Wait()
	grace := a.Config().ShutdownGrace.Std()
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := a.Stop(stopCtx); err != nil && failure == nil {
		failure = fmt.Errorf("not everything ended within %s: %w", sdk.D(grace), err)
	}
	return failure
}

// announce says where the pages are.
func (c *runCmd) announce(a *app.App, g *global, log *slog.Logger, std streams) {
	if g.JSON {
		for _, w := range a.Config().Warnings {
			log.Warn("the configuration has a weak point", "at", w.Position.String(), "what", w.What, "fix", w.Fix)
		}
		log.Info("serving", "address", "http://"+a.Addr(), "generation", a.Status().Generation, "rehearsal", c.Rehearse)
		return
	}
	for _, w := range a.Config().Warnings {
		fmt.Fprintln(std.err, w)
	}
	fmt.Fprintf(std.err, "belfry: serving http://%s, generation %d\n", a.Addr(), a.Status().Generation)
	if c.Rehearse {
		fmt.Fprintf(std.err, "belfry: this is a rehearsal: nothing is sent; what would be: http://%s/rehearsal\n", a.Addr())
	}
}

// tellReload says in a few lines what a reload did.
func tellReload(ctx context.Context, a *app.App, r app.ReloadReport, std streams) {
	if r.Err != nil {
		running := fmt.Sprintf("generation %d", r.Generation)
		if applied, err := a.Store().Applied(ctx); err == nil {
			running += ", " + applied.AppliedAt.In(a.Config().Zone()).Format("2006-01-02 15:04 MST")
		}
		fmt.Fprintf(std.err, "%s, nothing was changed; the running configuration (%s) stays in force.\n", r.Err, running)
		return
	}
	for _, c := range r.Changes {
		fmt.Fprintln(std.err, c)
	}
	for _, name := range r.NeedRestart {
		fmt.Fprintf(std.err, "%s counts from the next start only.\n", name)
	}
	fmt.Fprintf(std.err, "generation %d is in force.\n", r.Generation)
}

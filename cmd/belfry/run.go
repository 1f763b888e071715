package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/plugin"
)

type runCmd struct{}

// Run runs the daemon until it is told to stop, or its store fails.
func (c *runCmd) Run(ctx context.Context, g *global, std streams) error {
	a, err := g.app(std)
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
	for _, w := range a.Config().Warnings {
		fmt.Fprintln(std.err, w)
	}
	fmt.Fprintf(std.err, "belfry: serving http://%s, generation %d\n", a.Addr(), a.Status().Generation)
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
			report(a.Reload(ctx), std)
		}
	}
	grace := a.Config().ShutdownGrace.Std()
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := a.Stop(stopCtx); err != nil && failure == nil {
		failure = fmt.Errorf("not everything ended within %s: %w", sdk.D(grace), err)
	}
	return failure
}

// report says in a few lines what a reload did.
func report(r app.ReloadReport, std streams) {
	if r.Err != nil {
		fmt.Fprintln(std.err, r.Err)
		fmt.Fprintf(std.err, "nothing was changed; the running configuration (generation %d) stays in force.\n", r.Generation)
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

type checkCmd struct{}

// Run names every problem of the configuration.
func (c *checkCmd) Run(g *global, std streams) error {
	a, err := g.app(std)
	if err != nil {
		return err
	}
	for _, w := range a.Config().Warnings {
		fmt.Fprintln(std.out, w)
	}
	fmt.Fprintf(std.out, "%s is fine.\n", g.Config)
	return nil
}

type pluginCmd struct {
	Serve pluginServeCmd `cmd:"" hidden:"" help:"Serve one kind of plugin to the daemon that started this process."`
}

type pluginServeCmd struct {
	Kind string `arg:""`
}

// Run serves one kind to the host that started this process.
func (c *pluginServeCmd) Run() error {
	for _, s := range builtIn() {
		if s.Type == c.Kind {
			plugin.Serve(s)
			return nil
		}
	}
	return &exitError{exitUsage, fmt.Errorf("there is no kind of plugin called %q", c.Kind)}
}

type versionCmd struct{}

// Run prints the version.
func (c *versionCmd) Run(std streams) error {
	fmt.Fprintln(std.out, "belfry", version)
	return nil
}

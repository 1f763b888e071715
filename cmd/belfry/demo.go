package main

import (
	"context"
	"fmt"
	"math"
	"os"

	"github.com/belfry-news/belfry/internal/demo"
)

type demoCmd struct {
	Addr    string  `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where everything is seen."`
	Feed    string  `placeholder:"URL" help:"Your own feed, or the page that names it, in place of the invented newspaper."`
	DataDir string  `placeholder:"DIR" help:"An empty folder for the store, the journals and the log, which stays. Without it they go when the demonstration ends."`
	Speed   float64 `default:"1" placeholder:"N" help:"How fast articles follow each other; 1 is one every 24 s."`
}

// Help is the long help.
func (*demoCmd) Help() string {
	return `Starts a newsroom with a feed of its own, a daemon as a process of its own, and strict stand-ins for Telegram, a webhook
receiver and a mail relay, all on this machine. The front page is at /, and /demo shows an article ring in every place, with
the times measured; its buttons correct an article, withdraw it, and cut the power (the daemon is killed and started again,
and what was lost or doubled is counted). A made-up reader follows by mail, confirms, gets the news and leaves by one click;
you can do the same with any address, since every mail stays in the inbox on that page. No configuration and no internet
are needed.

With --feed your own feed is read in place of the newspaper. Nothing of it is posted until you press the button, and
nothing leaves this machine but the requests for the feed and its pictures.

Examples:

    belfry demo
    belfry demo --feed https://news.example/feed.xml --addr 127.0.0.1:8090

Exit codes: 0 stopped as asked, 1 it could not start, 2 the command line cannot be used.`
}

// Run shows the demonstration until it is told to stop.
func (c *demoCmd) Run(ctx context.Context, g *global, std streams) error {
	if err := c.usable(g); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the file of this program cannot be found, and the daemon is started from it: %w", err)
	}
	return demo.Run(ctx, demo.Options{Addr: c.Addr, Feed: c.Feed, DataDir: c.DataDir, Speed: c.Speed, Program: program,
		Environ: os.Environ(), Make: os.Getenv("MAKELEVEL") != "", Out: std.out, Err: std.err})
}

// usable refuses flags that the demonstration does not heed.
func (c *demoCmd) usable(g *global) error {
	switch {
	case g.explicit:
		return unusable("belfry demo brings its own configuration; leave --config out, or run yours: belfry run --config %s", g.Config)
	case len(g.Set) > 0:
		return unusable("belfry demo brings its own configuration; leave --set out, or run your own with belfry run")
	case g.JSON:
		return unusable("belfry demo shows a page and prints one screen; it has no --json")
	case !(c.Speed >= 0.1 && c.Speed <= 100) || math.IsNaN(c.Speed):
		return unusable("--speed %v cannot be used; give a factor between 0.1 and 100", c.Speed)
	}
	return nil
}

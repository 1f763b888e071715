package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/store"
)

type statusCmd struct{}

// Help is the long help.
func (*statusCmd) Help() string {
	return `Example:

    belfry status

Exit codes: 0 printed, 1 there is no store or the configuration has problems. With --json one object: {daemon, generation,
applied, differs, sources, destinations, channels, paused, alerts}.`
}

type statusJSON struct {
	Site         string            `json:"site"`
	Daemon       daemonJSON        `json:"daemon"`
	Generation   int               `json:"generation"`
	Applied      stamp             `json:"applied"`
	Differs      bool              `json:"differs"`
	Sources      []sourceJSON      `json:"sources"`
	Destinations []destinationJSON `json:"destinations"`
	Channels     []channelJSON     `json:"channels"`
	Paused       []pauseJSON       `json:"paused"`
	Alerts       []alertJSON       `json:"alerts"`

	pauses []store.Pause
}

type daemonJSON struct {
	Running bool `json:"running"`
	PID     int  `json:"pid"`
}

type channelJSON struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Kind    string `json:"kind"`
	Posts   int    `json:"posts"`
	Waiting int    `json:"waiting"`
	Held    int    `json:"held"`
	Last    stamp  `json:"last"`
	Next    stamp  `json:"next_digest"`
}

// Run prints one screen.
func (c *statusCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.status(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, s)
	}
	s.print(d)
	return nil
}

func (d *desk) status(ctx context.Context) (*statusJSON, error) {
	s := &statusJSON{Site: d.cfg.Site.Title, Paused: []pauseJSON{}}
	s.Daemon.PID, s.Daemon.Running = app.Running(d.dir)
	applied, err := d.db.Applied(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	s.Generation, s.Applied = applied.Generation, stamp{applied.AppliedAt}
	s.Differs = err == nil && len(configs.Diff(applied.Tree, d.cfg.Tree())) > 0
	if s.Sources, err = d.sources(ctx); err != nil {
		return nil, err
	}
	if s.Destinations, err = d.destinations(ctx); err != nil {
		return nil, err
	}
	if s.Channels, err = d.channels(ctx); err != nil {
		return nil, err
	}
	if s.pauses, err = d.db.Pauses(ctx); err != nil {
		return nil, err
	}
	for _, p := range s.pauses {
		s.Paused = append(s.Paused, pauseJSON{Scope: p.Scope, Name: p.Name, Paused: true, Since: stamp{p.Since}})
	}
	s.Alerts, err = d.alerts(ctx)
	return s, err
}

func (d *desk) channels(ctx context.Context) ([]channelJSON, error) {
	counts, err := d.db.ChannelCounts(ctx)
	if err != nil {
		return nil, err
	}
	program := d.program()
	out := []channelJSON{}
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Channels)) {
		ch, n := d.cfg.Channels[name], counts[name]
		x := channelJSON{Name: name, Title: ch.Title.In(d.cfg.Site.Lang), Kind: "editor", Posts: n.Posts, Waiting: n.Waiting, Held: n.Held, Last: stamp{n.LastPost}}
		switch {
		case ch.Each != nil:
			x.Kind = "each"
		case ch.Digest != nil:
			x.Kind = "digest"
			if o, ok := program.Channels[name].Schedule.Next(d.now); ok {
				x.Next = stamp{o.At}
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func (s *statusJSON) print(d *desk) {
	daemon := "the daemon is not running"
	if s.Daemon.Running {
		daemon = "the daemon runs"
		if s.Daemon.PID > 0 {
			daemon += fmt.Sprintf(" (process %d)", s.Daemon.PID)
		}
	}
	d.print("%s: %s; generation %d of the configuration, applied %s", s.Site, daemon, s.Generation, d.at(s.Applied.Time))
	if s.Differs {
		d.print("  %s says something else than what was applied; see: belfry plan --config %s", d.cfg.Path, d.cfg.Path)
	}
	d.print("")
	d.printSources(s.Sources)
	d.print("")
	d.printDestinations(s.Destinations)
	d.print("")
	s.printChannels(d)
	if len(s.pauses) > 0 {
		d.print("")
		d.printPauses(s.pauses)
	}
	d.print("")
	if len(s.Alerts) == 0 {
		d.print("nothing needs anybody")
		return
	}
	verb := "needs"
	if len(s.Alerts) > 1 {
		verb = "need"
	}
	d.print("%s %s somebody:", count(len(s.Alerts), "thing"), verb)
	d.printAlerts(s.Alerts)
}

func (s *statusJSON) printChannels(d *desk) {
	if len(s.Channels) == 0 {
		d.print("no channel is configured")
		return
	}
	t := newTable("CHANNEL", "KIND", "POSTS", "WAITING", "HELD", "LAST POST", "NEXT DIGEST")
	for _, ch := range s.Channels {
		t.add(ch.Name, ch.Kind, thousands(ch.Posts), thousands(ch.Waiting), thousands(ch.Held), strings.TrimSpace(d.ago(ch.Last.Time)), d.until(ch.Next.Time))
	}
	t.write(d.std.out)
}

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
)

type statusCmd struct{}

// Help is the long help.
func (*statusCmd) Help() string {
	return `Example:

    belfry status

Exit codes: 0 printed, 1 there is no store or the configuration has problems. With --json one object: {daemon, generation,
applied, differs, sources, destinations, channels, paused, alerts, telling}; telling says where people are told of alerts.`
}

// Run prints one screen.
func (c *statusCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.Status(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, s)
	}
	d.printStatus(s)
	return nil
}

// printStatus prints one screen.
func (d *clerk) printStatus(s *desk.Status) {
	daemon := "the daemon is not running"
	if s.Daemon.Running {
		daemon = "the daemon runs"
		if s.Daemon.PID > 0 {
			daemon += fmt.Sprintf(" (process %d)", s.Daemon.PID)
		}
	}
	d.print("%s: %s; generation %d of the configuration, applied %s", s.Site, daemon, s.Generation, d.At(s.Applied.Time))
	if s.Differs && !d.Fallback { // what is wrong with it was told on standard error
		d.print("  %s says something else than what was applied; see: belfry plan --config %s", d.Config.Path, d.Config.Path)
	}
	d.print("")
	d.printSources(s.Sources, s.Alerts)
	d.print("")
	for i, x := range s.Destinations {
		// That it takes no alerts is told below, with what to do.
		if slices.ContainsFunc(s.Telling.Failing(), func(p desk.AlertPlace) bool { return p.Destination == x.Name && p.Error == x.Error }) {
			s.Destinations[i].Error = ""
		}
	}
	d.printDestinations(s.Destinations, s.Alerts)
	d.print("")
	d.printChannels(s)
	for _, x := range s.Sources {
		if x.FirstOnly() {
			d.print("\n%s", d.FirstSentence(x.Name, x.Baseline))
		}
	}
	if len(s.Paused) > 0 {
		d.print("")
		d.printPauses(s.Paused)
	}
	d.print("")
	if s.Daemon.Running {
		d.printTrouble(s.Alerts, s.Telling)
		return
	}
	d.printTrouble(s.Alerts, s.Telling, desk.NotRunning(d.Config.Path))
}

// printTrouble prints what lasts, and where people are not told of it; more is what no alert is about.
func (d *clerk) printTrouble(list []desk.Alert, telling desk.Telling, more ...desk.Finding) {
	failing := telling.Failing()
	n := len(list) + len(failing) + len(more)
	if n == 0 {
		d.print("nothing needs anybody")
		return
	}
	verb := "needs"
	if n > 1 {
		verb = "need"
	}
	d.print("%s %s somebody:", count(n, "thing"), verb)
	for _, f := range more {
		d.print("%s", f.Sentence)
		d.print("  %s", f.Mend)
	}
	for _, p := range failing {
		sentence, mend := d.Untold(telling, p)
		d.print("%s", sentence)
		d.print("  %s", mend)
	}
	d.printAlerts(list)
}

func (d *clerk) printChannels(s *desk.Status) {
	if len(s.Channels) == 0 {
		d.print("no channel is configured")
		return
	}
	t := newTable("CHANNEL", "KIND", "POSTS", "WAITING", "HELD", "LAST POST", "NEXT DIGEST")
	for _, ch := range s.Channels {
		next := d.Until(ch.Next.Time)
		if ch.Next.IsZero() && ch.NextNote != "" {
			next = ch.NextNote
		}
		t.add(ch.Name, ch.Kind, desk.Thousands(ch.Posts), desk.Thousands(ch.Waiting), desk.Thousands(ch.Held), strings.TrimSpace(d.Ago(ch.Last.Time)), next)
	}
	t.write(d.std.out)
}

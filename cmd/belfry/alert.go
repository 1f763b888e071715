package main

import (
	"context"

	"github.com/belfry-news/belfry/internal/desk"
)

type alertCmd struct {
	List alertListCmd `cmd:"" default:"1" help:"List the trouble that lasts, the oldest first."`
}

type alertListCmd struct{}

// Help is the long help.
func (*alertListCmd) Help() string {
	return `Example:

    belfry alert list

Exit codes: 0 listed, 1 there is no store. With --json: a list of {id, code, subject, sentence, mend, first,
last, count}.`
}

// Run lists the alerts.
func (c *alertListCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	list, err := d.Alerts(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, list)
	}
	if len(list) == 0 {
		d.print("nothing needs anybody")
	}
	d.printAlerts(list)
	return nil
}

func (d *clerk) printAlerts(list []desk.Alert) {
	for _, a := range list {
		times := ""
		if a.Count > 1 {
			times = ", " + desk.Thousands(a.Count) + " times"
		}
		d.print("%s (since %s%s)", desk.Plain(a.Sentence), d.Ago(a.First.Time), times)
		d.print("  %s", desk.Plain(a.Mend))
	}
}

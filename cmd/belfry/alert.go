package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

type alertCmd struct {
	List alertListCmd `cmd:"" default:"1" help:"List the trouble that lasts, the oldest first."`
	Test alertTestCmd `cmd:"" help:"Send one test alert to everybody who is told of trouble."`
}

type alertListCmd struct{}

// Help is the long help.
func (*alertListCmd) Help() string {
	return `Example:

    belfry alert list

Exit codes: 0 listed, 1 there is no store. With --json: a list of {id, code, subject, sentence, mend, link, first,
last, count}; link leads to what docs/operations.md says of the code.`
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
	telling, err := d.Telling(ctx)
	if err != nil {
		return err
	}
	d.printTrouble(list, telling)
	return nil
}

func (d *clerk) printAlerts(list []desk.Alert) {
	for _, a := range list {
		times := ""
		if a.Count > 1 && !alert.Code(a.Code).Counts() {
			times = ", " + desk.Thousands(a.Count) + " times"
		}
		d.print("%s (%s%s)", desk.Plain(a.Sentence), d.Lasting(a.First.Time), times)
		d.print("  %s", desk.Plain(a.Mend))
		d.print("  %s: %s", a.Code, a.Link)
	}
}

type alertTestCmd struct{}

// Help is the long help.
func (*alertTestCmd) Help() string {
	return `Sends a real alert to every place of alerts.to, at once and from this command itself, whether the daemon runs or not, and
says of each whether it arrived; status and doctor go by that from then on. The heartbeat is not asked: it would say that the
daemon works.

Example:

    belfry alert test

Exit codes: 0 it arrived everywhere, 1 it did not, or nobody is told of trouble. With --json a list of {destination, chat,
outcome, code, error}; outcome is arrived, refused or unknown.`
}

// Run sends a test alert.
func (c *alertTestCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.ask(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	shop, err := g.quietWorkshop(d.Config, std.err)
	if err != nil {
		return err
	}
	defer shop.close()
	all, unkept := d.TestAlerts(ctx, shop.opening(d))
	if len(all) == 0 {
		return unkept
	}
	arrived := true
	for _, x := range all {
		arrived = arrived && x.Outcome == desk.Arrived
	}
	if g.JSON {
		err = writeJSON(std.out, all)
	} else {
		d.printTested(all)
	}
	switch {
	case err != nil:
		return err
	case unkept != nil:
		return unkept
	case !arrived:
		return &exitError{code: exitFailed}
	}
	return nil
}

func (d *clerk) printTested(all []desk.TestedAlert) {
	for _, x := range all {
		place := strings.TrimSpace(x.Destination + " " + x.Chat)
		switch x.Outcome {
		case desk.Arrived:
			d.print("%s took the test alert; look there for it", place)
		case desk.Unsure:
			d.print("%s may have got the test alert, or not: %s", place, desk.Plain(x.Error))
			d.print("  look there for it; alerts that get lost like this are told again")
		default:
			d.print("%s did not take the test alert: %s", place, desk.Plain(x.Error))
			d.print("  see what is missing: belfry destination check %s", x.Destination)
		}
	}
}

// opening opens destinations by their configuration.
func (w *workshop) opening(d *clerk) desk.Open {
	return func(ctx context.Context, name string) (conn sdk.Connector, foreign bool, err error) {
		if d.Config.Withheld(name) {
			return nil, false, fmt.Errorf("its credentials are not in the store, and %s does not describe it as it was applied; mend that first: belfry check --config %s",
				d.Config.Path, d.Config.Path)
		}
		dest := d.Config.Destinations[name]
		conn, err = w.Open(ctx, name, dest.Type, false, dest.Options)
		return conn, specOf(dest.Type) == nil, err
	}
}

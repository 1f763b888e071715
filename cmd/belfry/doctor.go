package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

type doctorCmd struct {
	Online bool `help:"Ask the platform of every destination too. Nothing is posted."`
}

// Help is the long help.
func (*doctorCmd) Help() string {
	return `Looks at everything that an operator would be asked about: the configuration, the data folder and its disk, the database,
the daemon and its addresses, the clock and zone data, plugins, sources, destinations, what waits or is held, open alerts,
and what stands around the daemon. Each finding says what is so and what to do, the worst first. Nothing is changed.

Run it as the user who owns the store; what it asks of this machine is asked from there.

Examples:

    belfry doctor
    belfry doctor --online --json

Exit codes: 0 nothing needs a person, 1 something does, 2 the command line cannot be used. With --json: {healthy, findings:
[{level, about, sentence, mend}]}; level is trouble, advice or fine.`
}

// Run looks at everything.
func (c *doctorCmd) Run(ctx context.Context, g *global, std streams) error {
	out, err := c.examine(ctx, g, std)
	if err != nil {
		return err
	}
	return tellDiagnosis(g, std, out)
}

// tellDiagnosis prints what was found. Its error is the exit code, when something needs a person.
func tellDiagnosis(g *global, std streams, out desk.Diagnosis) error {
	if !g.JSON {
		printDiagnosis(out, std)
	} else if err := writeJSON(std.out, out); err != nil {
		return err
	}
	if !out.Healthy {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (c *doctorCmd) examine(ctx context.Context, g *global, std streams) (desk.Diagnosis, error) {
	cfg, problems, err := g.problems(ctx)
	if err != nil {
		return desk.Diagnosis{}, err // there is no configuration, and the error says how to begin
	}
	x := desk.Examination{Path: g.Config, Problems: problems}
	if cfg == nil {
		// One that only a daemon would refuse tells enough to go on; the error is among the problems.
		if cfg, err = g.load(); err != nil {
			return (&desk.Desk{}).Examine(ctx, x), nil
		}
	}
	d := g.desk(cfg, std)
	file := app.Database(cfg)
	x.Inspect = func(ctx context.Context) (store.Inspection, error) { return sqlite.Inspect(ctx, file) }
	if d.Store, x.OpenError = sqlite.OpenExisting(ctx, file); x.OpenError == nil {
		defer d.close()
	} else {
		// Why the store cannot be opened is among the problems of the configuration too, without a place in a file.
		d.Store = nil
		x.Problems = slices.DeleteFunc(x.Problems, func(p configs.Located) bool { return p.File == "" && p.What == x.OpenError.Error() })
	}
	shop, err := g.quietWorkshop(cfg, std.err)
	if err != nil {
		return desk.Diagnosis{}, err
	}
	defer shop.close()
	x.StartPlugin = func(ctx context.Context, kind string) error {
		if _, err := shop.host.Describe(ctx, kind); err != nil {
			return pluginSentence(err)
		}
		return nil
	}
	if c.Online {
		x.Open = shop.opening(d)
	}
	return d.Examine(ctx, x), nil
}

func printDiagnosis(out desk.Diagnosis, std streams) {
	titles := map[desk.Level]string{desk.Trouble: "Needs a person:", desk.Advice: "Could be better:", desk.Fine: "Fine:"}
	counts := map[desk.Level]int{}
	for _, f := range out.Findings {
		if counts[f.Level]++; counts[f.Level] == 1 {
			if len(counts) > 1 {
				fmt.Fprintln(std.out)
			}
			fmt.Fprintln(std.out, titles[f.Level])
		}
		fmt.Fprintf(std.out, "  %s: %s\n", strings.ReplaceAll(f.About, "_", " "), f.Sentence)
		if f.Mend != "" {
			fmt.Fprintf(std.out, "    → %s\n", f.Mend)
		}
	}
	verb := "needs"
	if counts[desk.Trouble] > 1 {
		verb = "need"
	}
	fmt.Fprintln(std.out)
	if counts[desk.Trouble] == 0 {
		fmt.Fprintf(std.out, "nothing needs a person; %s could be better\n", count(counts[desk.Advice], "thing"))
		return
	}
	fmt.Fprintf(std.out, "%s %s a person; %s could be better\n", count(counts[desk.Trouble], "thing"), verb, count(counts[desk.Advice], "thing"))
}

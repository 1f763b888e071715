package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

type checkCmd struct{}

// Help is the long help.
func (*checkCmd) Help() string {
	return `Every problem is named at once as file:line:column: what is wrong; what would be right. With a store beside the
configuration it also finds names that are gone and still hold posts. Plugins that are trusted in plugins.folder are compared with
what was trusted, and their options checked, without running them; those under plugins.external with a path are started to be
asked, and ended. Nothing is changed and nothing is fetched.

Example:

    belfry check --config /etc/belfry/belfry.yaml

Exit codes: 0 fine, 1 problems, 2 the command line cannot be used. With --json: a list of {file, line, column, what, fix},
where line and column are 0 when the whole of file is meant; warnings go to standard error.`
}

type problemJSON struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	What   string `json:"what"`
	Fix    string `json:"fix"`
}

// Run names every problem of the configuration.
func (c *checkCmd) Run(ctx context.Context, g *global, std streams) error {
	cfg, problems, err := g.problems(ctx)
	if err != nil && !g.JSON {
		return err
	}
	if cfg != nil {
		more, err := g.askPlugins(ctx, cfg, std)
		if err != nil {
			return err
		}
		problems = append(problems, more...)
	}
	if err != nil {
		problems = []configs.Located{{Position: configs.Position{File: g.Config}, What: "there is no such file", Fix: "belfry config example > " + g.Config}}
	}
	warnings := std.out
	if g.JSON {
		list := []problemJSON{}
		for _, p := range problems {
			list = append(list, problemJSON{p.File, p.Line, p.Column, p.What, p.Fix})
		}
		if err := writeJSON(std.out, list); err != nil {
			return err
		}
		warnings = std.err
	}
	if cfg != nil {
		for _, w := range cfg.Warnings {
			fmt.Fprintf(warnings, "%s (a warning)\n", w)
		}
	}
	switch {
	case len(problems) > 0 && g.JSON:
		return &exitError{code: exitFailed}
	case len(problems) > 0:
		fmt.Fprintln(std.out, &configs.Invalid{Problems: problems})
		return &exitError{code: exitFailed}
	case !g.JSON:
		fmt.Fprintf(std.out, "%s is fine: %s, %s, %s\n", g.Config, count(len(cfg.Sources), "source"), count(len(cfg.Destinations), "destination"),
			count(len(cfg.Channels), "channel"))
	}
	return nil
}

// problems finds everything that is wrong with the configuration, by itself and against the store. Its error says that
// there is no configuration.
func (g *global) problems(ctx context.Context) (*configs.Loaded, []configs.Located, error) {
	cfg, err := g.loadToServe(g.Config)
	if invalid, ok := errors.AsType[*configs.Invalid](err); ok {
		return nil, invalid.Problems, nil
	}
	if err != nil {
		return nil, nil, err
	}
	problems, err := againstStore(ctx, cfg)
	if err != nil {
		what, fix := sdk.Sentence(err)
		problems = append(problems, configs.Located{What: what, Fix: fix})
	}
	return cfg, problems, nil
}

// askPlugins finds what third parties' plugins have to say about a configuration.
func (g *global) askPlugins(ctx context.Context, cfg *configs.Loaded, std streams) ([]configs.Located, error) {
	if len(cfg.PluginTypes()) == 0 {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "belfry-")
	if err != nil {
		return nil, fmt.Errorf("no folder for a plugin's process: %w", err)
	}
	defer os.RemoveAll(dir)
	r := app.CheckPlugins(ctx, cfg, dir, g.quiet(std.err))
	all := slices.Concat(r.Wrong, r.Down)
	cfg.InOrder(all)
	return all, nil
}

// againstStore finds what a store holds for names that the configuration no longer has. Without a store that is nothing.
func againstStore(ctx context.Context, cfg *configs.Loaded) ([]configs.Located, error) {
	db, err := sqlite.OpenExisting(ctx, app.Database(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return app.CheckStore(ctx, db, cfg)
}

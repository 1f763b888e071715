package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

// global are the settings of every command.
type global struct {
	Config string            `short:"c" group:"global" default:"belfry.yaml" env:"BELFRY_CONFIG" placeholder:"PATH" help:"The configuration: a YAML file, or a folder of them."`
	Set    map[string]string `group:"global" placeholder:"PATH=VALUE" mapsep:"none" help:"Override one setting, such as site.url=https://news.example."`
	Log    string            `group:"global" default:"info" placeholder:"LEVEL" enum:"debug,info,warn,error" env:"BELFRY_LOG" help:"What is logged: debug, info, warn or error."`
	JSON   bool              `group:"global" name:"json" help:"Print JSON, for programs."`

	// explicit says that --config stands on the command line.
	explicit bool
}

func (g *global) options() configs.Options {
	return configs.Options{Path: g.Config, Environ: os.Environ(), Flags: g.Set, Specs: builtIn(), Trusted: app.TrustedTypes,
		Checks: []func(*configs.Loaded) sdk.Problems{compose.Check, api.Check}}
}

func (g *global) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(strings.ToUpper(g.Log))) // checked by the enum
	o := &slog.HandlerOptions{Level: level}
	if g.JSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// quiet is the logger of commands that answer by themselves: only what is asked for with --log debug is logged.
func (g *global) quiet(w io.Writer) *slog.Logger {
	if g.Log == "debug" {
		return g.logger(w)
	}
	return slog.New(slog.DiscardHandler)
}

// load reads and checks the configuration. Its error is *configs.Invalid, or says how to begin when there is none.
func (g *global) load() (*configs.Loaded, error) { return g.loadFrom(g.Config) }

// loadToServe is loadFrom for what a daemon is to serve by: it must say who is told of trouble.
func (g *global) loadToServe(path string) (*configs.Loaded, error) {
	return g.loadFrom(path, configs.RequireAlerts)
}

// noConfig says how to begin when there is no configuration.
func noConfig(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no such file\n  begin with:       belfry config example > %s\n  or name another:  --config PATH", path, path)
	}
	return nil
}

func (g *global) loadFrom(path string, checks ...func(*configs.Loaded) sdk.Problems) (*configs.Loaded, error) {
	if err := noConfig(path); err != nil {
		return nil, err
	}
	o := g.options()
	o.Path = path
	o.Checks = append(o.Checks, checks...)
	return configs.Load(o)
}

// clerk answers a command with what the desk knows: it prints.
type clerk struct {
	*desk.Desk
	std  streams
	json bool
}

// open loads the configuration and opens its store, which a daemon may be using. Where the configuration has problems it
// goes by the one that was applied last: who has to pause or retract something now need not mend a file first.
func (g *global) open(ctx context.Context, std streams) (*clerk, error) {
	return g.opened(ctx, std, func(string) error { return nil })
}

// openToWrite is open for commands that change something. The store's files must stay its owner's.
func (g *global) openToWrite(ctx context.Context, std streams) (*clerk, error) {
	return g.opened(ctx, std, ownStore)
}

func (g *global) opened(ctx context.Context, std streams, allow func(database string) error) (*clerk, error) {
	cfg, err := g.load()
	if err != nil {
		return g.openApplied(ctx, std, allow, err)
	}
	if err := allow(app.Database(cfg)); err != nil {
		return nil, err
	}
	d := g.desk(cfg, std)
	d.Store, err = sqlite.OpenExisting(ctx, app.Database(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noStore(d.Dir)
	}
	return d, err
}

func noStore(dir string) error {
	return fmt.Errorf("there is no store in %s yet; the daemon makes it: belfry run", dir)
}

// ask is a desk for a command that asks destinations: with the store where there is one that may be written, to keep what it
// finds out, and without otherwise. Where the configuration has problems it goes by the one that was applied last, as open
// does.
func (g *global) ask(ctx context.Context, std streams) (*clerk, error) {
	cfg, err := g.load()
	if err != nil {
		return g.openApplied(ctx, std, ownStore, err)
	}
	d := g.desk(cfg, std)
	file := app.Database(cfg)
	if ownStore(file) != nil {
		return d, nil //nolint:nilerr // one that cannot be opened is no reason not to ask
	}
	if db, err := sqlite.OpenExisting(ctx, file); err == nil { // one that cannot be opened is no reason not to ask
		d.Store = db
	}
	return d, nil
}

// openApplied opens the store that an unusable configuration means and goes by what was applied last, with a warning. The
// problem is the error where there is none, or where it is of the command line.
func (g *global) openApplied(ctx context.Context, std streams, allow func(database string) error, problem error) (*clerk, error) {
	invalid, ok := errors.AsType[*configs.Invalid](problem)
	if ok && slices.ContainsFunc(invalid.Problems, func(p configs.Located) bool { return strings.HasPrefix(p.File, "--set ") }) {
		return nil, problem
	}
	cfg := configs.Applied(g.options(), nil, nil) // it knows where the store is
	if err := allow(app.Database(cfg)); err != nil {
		return nil, err
	}
	db, err := sqlite.OpenExisting(ctx, app.Database(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem
	}
	if err != nil {
		return nil, err
	}
	applied, err := db.Applied(ctx)
	if err != nil {
		_ = db.Close()
		if errors.Is(err, store.ErrNotFound) {
			return nil, problem
		}
		return nil, err
	}
	d := g.desk(configs.Applied(g.options(), applied.Tree, applied.Key), std)
	d.Store, d.Fallback = db, true
	first := strings.TrimSpace(strings.SplitN(problem.Error(), "\n", 2)[0])
	fmt.Fprintf(std.err, "belfry: %s; this goes by generation %d of the configuration, applied %s (store in %s); see every problem: belfry check --config %s\n",
		first, applied.Generation, d.At(applied.AppliedAt), d.Dir, g.Config)
	return d, nil
}

// desk is a clerk at a desk without a store.
func (g *global) desk(cfg *configs.Loaded, std streams) *clerk {
	dir := app.DataDir(cfg)
	return &clerk{Desk: &desk.Desk{Config: cfg, Dir: dir, Now: time.Now(), Actor: actor(), UserAgent: app.UserAgent(version, cfg),
		Daemon: func() (int, bool) { return app.Running(dir) }}, std: std, json: g.JSON}
}

// close closes the store.
func (d *clerk) close() {
	if d.Store != nil {
		_ = d.Store.Close()
	}
}

// print writes a line to standard output.
func (d *clerk) print(format string, args ...any) { fmt.Fprintf(d.std.out, format+"\n", args...) }

// actor names who gives a command, for the record of acts.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "command line: " + u.Username
	}
	return "command line"
}

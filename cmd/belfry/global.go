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
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

// global are the settings of every command.
type global struct {
	Config string            `short:"c" group:"global" default:"belfry.yaml" env:"BELFRY_CONFIG" placeholder:"PATH" help:"The configuration: a YAML file, or a folder of them."`
	Set    map[string]string `group:"global" placeholder:"PATH=VALUE" mapsep:"none" help:"Override one setting, such as site.url=https://news.example."`
	Log    string            `group:"global" default:"info" enum:"debug,info,warn,error" env:"BELFRY_LOG" help:"What is logged: debug, info, warn or error."`
	JSON   bool              `group:"global" name:"json" help:"Print JSON, for programs."`

	// explicit says that --config stands on the command line.
	explicit bool
}

func (g *global) options() configs.Options {
	return configs.Options{Path: g.Config, Environ: os.Environ(), Flags: g.Set, Specs: builtIn(),
		Checks: []func(*configs.Loaded) sdk.Problems{compose.Check}}
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

// noConfig says how to begin when there is no configuration.
func noConfig(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no such file\n  begin with:       belfry config example > %s\n  or name another:  --config PATH", path, path)
	}
	return nil
}

func (g *global) loadFrom(path string) (*configs.Loaded, error) {
	if err := noConfig(path); err != nil {
		return nil, err
	}
	o := g.options()
	o.Path = path
	return configs.Load(o)
}

// desk is what a command works on: a configuration with its store.
type desk struct {
	cfg  *configs.Loaded
	db   *store.DB
	dir  string // the data folder
	zone *time.Location
	std  streams
	json bool
	now  time.Time
}

// open loads the configuration and opens its store, which a daemon may be using.
func (g *global) open(ctx context.Context, std streams) (*desk, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	d := g.desk(cfg, std)
	d.db, err = sqlite.OpenExisting(ctx, app.Database(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no store in %s yet; the daemon makes it: belfry run", d.dir)
	}
	return d, err
}

// openToWrite is open for commands that change something. The store's files must stay its owner's.
func (g *global) openToWrite(ctx context.Context, std streams) (*desk, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	if err := ownStore(app.Database(cfg)); err != nil {
		return nil, err
	}
	return g.open(ctx, std)
}

// desk is a desk without a store.
func (g *global) desk(cfg *configs.Loaded, std streams) *desk {
	return &desk{cfg: cfg, dir: app.DataDir(cfg), zone: cfg.Zone(), std: std, json: g.JSON, now: time.Now()}
}

// close closes the store.
func (d *desk) close() { _ = d.db.Close() }

// running says whether a daemon uses the store.
func (d *desk) running() bool {
	_, ok := app.Running(d.dir)
	return ok
}

// print writes a line to standard output.
func (d *desk) print(format string, args ...any) { fmt.Fprintf(d.std.out, format+"\n", args...) }

// program compiles the editorial part of the configuration, which was checked.
func (d *desk) program() *compose.Program {
	p, _ := compose.Compile(&d.cfg.Config)
	return p
}

// waitFor asks again and again until something is so, or the time is over; it says whether it became so.
func waitFor(ctx context.Context, timeout time.Duration, ask func() (bool, error)) (bool, error) {
	deadline := time.Now().Add(timeout)
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		ok, err := ask()
		if ok || err != nil || time.Now().After(deadline) {
			return ok, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-t.C:
		}
	}
}

// actor names who gives a command, for the record of acts.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "command line: " + u.Username
	}
	return "command line"
}

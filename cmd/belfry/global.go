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
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
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

// clerk answers a command with what the desk knows: it prints.
type clerk struct {
	*desk.Desk
	std  streams
	json bool
}

// open loads the configuration and opens its store, which a daemon may be using.
func (g *global) open(ctx context.Context, std streams) (*clerk, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	d := g.desk(cfg, std)
	d.Store, err = sqlite.OpenExisting(ctx, app.Database(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no store in %s yet; the daemon makes it: belfry run", d.Dir)
	}
	return d, err
}

// openToWrite is open for commands that change something. The store's files must stay its owner's.
func (g *global) openToWrite(ctx context.Context, std streams) (*clerk, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	if err := ownStore(app.Database(cfg)); err != nil {
		return nil, err
	}
	return g.open(ctx, std)
}

// desk is a clerk at a desk without a store.
func (g *global) desk(cfg *configs.Loaded, std streams) *clerk {
	dir := app.DataDir(cfg)
	return &clerk{Desk: &desk.Desk{Config: cfg, Dir: dir, Now: time.Now(), Actor: actor(), UserAgent: app.UserAgent(version, cfg),
		Daemon: func() (int, bool) { return app.Running(dir) }}, std: std, json: g.JSON}
}

// close closes the store.
func (d *clerk) close() { _ = d.Store.Close() }

// print writes a line to standard output.
func (d *clerk) print(format string, args ...any) { fmt.Fprintf(d.std.out, format+"\n", args...) }

// actor names who gives a command, for the record of acts.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "command line: " + u.Username
	}
	return "command line"
}

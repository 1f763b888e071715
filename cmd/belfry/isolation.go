package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/conn"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/sdk"
)

// workshop opens connectors outside the daemon, those of isolated kinds in processes of their own.
type workshop struct {
	*conn.Opener
	host *pluginhost.Host
	dir  string
}

// newWorkshop makes a workshop. The configuration, which may be nil, names third parties' plugins; memory is the most of
// one process, in MiB.
func newWorkshop(cfg *configs.Loaded, memory int, log *slog.Logger) (*workshop, error) {
	dir, err := os.MkdirTemp("", "belfry-")
	if err != nil {
		return nil, fmt.Errorf("no folder for a plugin's process: %w", err)
	}
	w := &workshop{dir: dir, Opener: &conn.Opener{Specs: map[string]*sdk.Spec{}, Log: log}}
	for _, s := range builtIn() {
		w.Specs[s.Type] = s
	}
	loaded := cfg
	if loaded == nil {
		loaded = &configs.Loaded{Config: configs.Default()}
	}
	w.UserAgent = app.UserAgent(version, loaded)
	w.host = pluginhost.New(pluginhost.Config{RunDir: dir, Log: log,
		Limits:  pluginhost.Limits{Memory: int64(memory) << 20, Call: loaded.Plugins.Deadline.Std()},
		Command: func(kind string) (pluginhost.Command, error) { return app.PluginCommand(cfg, kind) }})
	w.Isolator = w.host
	return w, nil
}

// close ends the processes.
func (w *workshop) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	w.host.Close(ctx) // what does not end now ends with this process
	_ = os.RemoveAll(w.dir)
}

// quietWorkshop is a workshop whose log is heard only when debugging.
func (g *global) quietWorkshop(cfg *configs.Loaded, errOut io.Writer) (*workshop, error) {
	memory := configs.Default().Plugins.Memory
	if cfg != nil {
		memory = cfg.Plugins.Memory
	}
	return newWorkshop(cfg, memory, g.quiet(errOut))
}

// pluginSentence is what an error of a plugin's process says to a person at a terminal, where nothing starts it again and
// there is no log to look at.
func pluginSentence(err error) error {
	sentence, _, _ := strings.Cut(desk.Sentence(err).Error(), "; it is started again")
	return errors.New(strings.Replace(sentence, "its last words are in the log", "--log debug shows its last words", 1))
}

func asProblems(err error) (sdk.Problems, bool) {
	var ps sdk.Problems
	ok := errors.As(err, &ps)
	return ps, ok
}

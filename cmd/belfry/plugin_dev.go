package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/belfry-news/belfry/internal/plugindev"
)

type pluginDevCmd struct {
	Dir    string `arg:"" optional:"" help:"The folder of the plugin's project; without it, this one."`
	Addr   string `default:"127.0.0.1:8090" placeholder:"HOST:PORT" help:"Where the page is served."`
	Memory int    `default:"384" env:"BELFRY__PLUGINS__MEMORY" placeholder:"MIB" help:"The most memory of the plugin's process, in MiB."`
}

// Help is the long help.
func (*pluginDevCmd) Help() string {
	return `Builds the plugin of a folder and lets it work in a daemon of its own, in a process of its own as always. A page shows its items,
posts, calls and log as they happen. When a file is saved, it is built again and takes the old one's place; what does not
build or does not start leaves the old one running, and the compiler's words stand on the page and in the terminal. A connector
gets sample posts: an article that is corrected, a long text, pictures, and an article that is withdrawn. One that writes to people
gets a reader who is made up, and follows by the form of a page and by the link in the message that asks.

The file dev.yaml in the folder says what the plugin is given: its settings below config, the command that starts what it talks to
(the fake, which prints its address on its first line; the address takes the place of $FAKE), and for a connector its channel
or, where it writes to people, the reader's address, which nobody may have (reader@example.invalid).

Examples:

    belfry plugin dev .
    belfry plugin dev ../our-cms --addr 127.0.0.1:9000

Exit codes: 0 stopped as asked, and nothing stayed, 1 it could not start, 2 the command line cannot be used.`
}

// Run lets a plugin work until it is told to stop.
func (c *pluginDevCmd) Run(ctx context.Context, g *global, std streams) error {
	switch {
	case g.explicit || len(g.Set) > 0:
		return unusable("belfry plugin dev brings its own configuration; what the plugin is given stands in dev.yaml")
	case g.JSON:
		return unusable("belfry plugin dev shows a page; it has no --json")
	}
	if c.Dir == "" {
		c.Dir = "."
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(strings.ToUpper(g.Log))) // checked by the enum
	return plugindev.Run(ctx, plugindev.Options{Dir: c.Dir, Addr: c.Addr, Specs: builtIn(), Version: version, Memory: c.Memory, Level: level, Out: std.err})
}

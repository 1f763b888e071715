package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/memory"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/plugin"
)

type pluginCmd struct {
	New    pluginNewCmd    `cmd:"" help:"Write the project of a new plugin."`
	Dev    pluginDevCmd    `cmd:"" help:"Let a plugin work in a daemon of its own, and build it again when it changes."`
	List   pluginListCmd   `cmd:"" help:"List the types of sources and destinations, and the plugins in the plugin folder."`
	Info   pluginInfoCmd   `cmd:"" help:"What a type or plugin can do, takes and is shown, without running it."`
	Trust  pluginTrustCmd  `cmd:"" help:"Look at a plugin of a third party and let the daemon run it as it is now."`
	Doctor pluginDoctorCmd `cmd:"" help:"Look at the sandbox, the plugin folder and every plugin, and start each."`
	Check  pluginCheckCmd  `cmd:"" help:"Start a plugin of a third party and say what it is."`
	Test   pluginTestCmd   `cmd:"" help:"Check whether a plugin keeps what its abilities promise."`
	Serve  pluginServeCmd  `cmd:"" hidden:"" help:"Serve one kind of plugin to the daemon that started this process."`
}

type pluginServeCmd struct {
	Kind string `arg:""`
}

// Run serves one kind to the host that started this process.
func (c *pluginServeCmd) Run() error {
	if s := specOf(c.Kind); s != nil {
		ctx, cancel := context.WithCancel(context.Background())
		var watching sync.WaitGroup
		watching.Go(func() { memory.Watch(ctx) })
		plugin.Serve(s)
		cancel()
		watching.Wait()
		return nil
	}
	return unusable("there is no kind of plugin called %q", c.Kind)
}

func roles(list []sdk.Role) string {
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = string(r)
	}
	return strings.Join(out, ", ")
}

type pluginCheckCmd struct {
	Path   string   `arg:"" help:"The program."`
	Args   []string `arg:"" optional:"" help:"Its arguments."`
	Type   string   `placeholder:"TYPE" help:"The type that is used of it; without it, its file's name without belfry-plugin-."`
	SHA256 string   `name:"sha256" placeholder:"HEX" help:"Its checksum; another program is not started."`
	Memory int      `default:"384" env:"BELFRY__PLUGINS__MEMORY" placeholder:"MIB" help:"The most memory of its process, in MiB."`
}

// Help is the long help.
func (*pluginCheckCmd) Help() string {
	return `Starts the program as the daemon would, in its sandbox, and asks what it is. What it prints can be put into the configuration as it stands.
A program that needs what lies beside it, as scripts do, gets a line with read: for that.

To be kept from starting a plugin of several files when one of them changes, put it into the plugin folder; see: belfry plugin trust --help

Example:

    belfry plugin check ./belfry-plugin-example --type example

With --json: {type, summary, roles, path, sha256, args, read}.

Exit codes: 0 it is a plugin, 1 it is not, or does not start.`
}

// Run starts a plugin and describes it.
func (c *pluginCheckCmd) Run(ctx context.Context, g *global, std streams) error {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return unusable("%s is no path: %w", c.Path, err)
	}
	bounds := configs.Default().Plugins
	bounds.Memory = c.Memory
	describe := func(read []string) (wire.Description, error) {
		ask, err := g.asking(bounds, std, pluginhost.Command{Path: path, Args: c.Args, Foreign: true, SHA256: c.SHA256, Read: read}, false)
		if err != nil {
			return wire.Description{}, err
		}
		defer ask.close()
		return ask.host.Describe(ctx, typeOf(c.Type, path))
	}
	read := []string{}
	found, err := describe(read)
	if err != nil && ctx.Err() == nil {
		// A script needs the modules beside it, and says nothing of that but that it ended.
		read = []string{filepath.Dir(path)}
		if again, errBeside := describe(read); errBeside == nil {
			found, err = again, nil
		}
	}
	if err != nil {
		return pluginSentence(err)
	}
	sum, err := filetree.Digest(path)
	if err != nil {
		return err
	}
	out := checkedPlugin{desk.ConnectorType{Type: found.Type, Summary: found.Summary, Roles: found.Roles, Path: path}, sum, append([]string{}, c.Args...), read}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	fmt.Fprintf(std.out, "%s is a plugin for type %s: %s\n  it can: %s\n", c.Path, out.Type, desk.Plain(out.Summary), roles(out.Roles))
	if slices.Contains(found.Roles, sdk.RoleMessenger) {
		printMedium(std.out, found.Roles, trust.MediumOf(found.Medium), true)
		fmt.Fprintf(std.out, "  people are written to by it once it is trusted in plugins.folder: belfry plugin trust %s\n", filepath.Base(path))
	}
	fmt.Fprintf(std.out, "  use it:\n")
	fmt.Fprintf(std.out, "    plugins:\n      external:\n        %s:\n          path: %q\n          sha256: %s\n", out.Type, path, sum)
	if len(c.Args) > 0 {
		fmt.Fprintf(std.out, "          args: [%s]\n", quotedList(c.Args))
	}
	if len(read) > 0 {
		fmt.Fprintf(std.out, "          read: [%s]   # it needs what lies beside it\n", quotedList(read))
		fmt.Fprintf(std.out, "  the sha256 says nothing of those files; put all of it into plugins.folder, and: belfry plugin trust %s\n", filepath.Base(read[0]))
	}
	return nil
}

func quotedList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	return strings.Join(quoted, ", ")
}

// checkedPlugin is a plugin as a configuration would name it.
type checkedPlugin struct {
	desk.ConnectorType
	SHA256 string   `json:"sha256"`
	Args   []string `json:"args"`
	// Read is what it needs besides itself.
	Read []string `json:"read"`
}

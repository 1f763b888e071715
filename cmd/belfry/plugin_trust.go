package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/sdk"
)

type pluginTrustCmd struct {
	Plugin  string   `arg:"" help:"The plugin in the plugin folder: its name there, or its path."`
	Args    []string `arg:"" optional:"" help:"Arguments that its program is always started with."`
	Program string   `placeholder:"FILE" help:"The program of a plugin of several files, by its path in there."`
	Folder  string   `placeholder:"PATH" help:"The plugin folder; without it, plugins.folder of the configuration."`
	Yes     bool     `help:"Do not ask."`
}

// Help is the long help.
func (*pluginTrustCmd) Help() string {
	return `Starts the plugin in its sandbox, asks what it is, shows what it will see, and asks you. What you agree to is recorded beside
it, in NAME.trust.json: the checksum of every file that belongs to it, the types it provides, their abilities, settings and
defaults. From then on the daemon runs it, as it is: when a file changes, comes or goes, it is not started until it is trusted
again. belfry check, belfry plugin info and editors know its settings without running it.

The plugin folder, and everything in it, must belong to root or to Belfry's user and be closed to changes by others. Run this as
who owns the folder.

Example:

    belfry plugin trust notes

Exit codes: 0 trusted, 1 it cannot be trusted or you did not agree, 2 the command line cannot be used. With --json: what belfry
plugin info --json prints.`
}

// Run asks a plugin what it is, and the person whether that is what they want.
func (c *pluginTrustCmd) Run(ctx context.Context, g *global, std streams) error {
	l := configs.PluginsIn(g.options())
	folder, err := pluginFolder(l, c.Folder)
	if err != nil {
		return err
	}
	if err := trust.CheckFolder(folder); err != nil {
		return err
	}
	name, err := trust.Find(folder, c.Plugin)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if !c.Yes && !isTerminal(std) {
		again := name + " --yes"
		if c.Folder != "" {
			again += " --folder " + c.Folder
		}
		return unusable("there is no terminal to ask you at; look at the plugin (belfry plugin check %s), then: belfry plugin trust %s", filepath.Join(folder, name), again)
	}
	before := trust.Look(folder, name)
	r, err := c.record(ctx, g, std, l, folder, name, before)
	if err != nil {
		return err
	}
	info := pluginInfo{Plugin: name, State: trust.Trusted, Path: r.Path(folder), Args: append([]string{}, r.Args...), Checksum: r.Checksum, Trusted: &desk.Stamp{Time: r.Trusted}, Types: []typeInfo{}}
	for _, t := range r.Types {
		info.add(t)
	}
	if !g.JSON {
		c.show(std, before, info, folder, r.Files)
	}
	if err := confirmed(std, c.Yes, name, "From now on the daemon may run it."); err != nil {
		return err
	}
	path, err := r.Write(folder)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, info)
	}
	fmt.Fprintf(std.out, "%s is trusted as it is now (%s)\n", name, path)
	return nil
}

// record asks the plugin what it is, as the tree of files that it is now.
func (c *pluginTrustCmd) record(ctx context.Context, g *global, std streams, l *configs.Loaded, folder, name string, before trust.Plugin) (trust.Record, error) {
	said, args := c.Program, c.Args
	if r := before.Record; r != nil && said == "" && r.Program != "." {
		if _, err := trust.Program(folder, name, r.Program); err == nil {
			said = r.Program
		}
	}
	if r := before.Record; r != nil && len(args) == 0 {
		args = r.Args
	}
	program, err := trust.Program(folder, name, said)
	if err != nil {
		return trust.Record{}, err
	}
	root := filepath.Join(folder, name)
	tree, err := filetree.Read(root)
	if err != nil {
		return trust.Record{}, err
	}
	r := trust.Record{Name: name, Program: program, Args: args, Checksum: tree.Sum(), Files: tree, Trusted: time.Now().UTC().Truncate(time.Second)}
	ask, err := g.asking(l.Plugins, std, pluginhost.Command{Path: r.Path(folder), Args: args, Foreign: true, Folder: root, SHA256: r.Checksum}, true)
	if err != nil {
		return r, err
	}
	defer ask.close()
	offers, err := ask.host.Offers(ctx, name)
	if err != nil {
		sentence := pluginSentence(err).Error()
		if !strings.Contains(sentence, "--log debug") {
			sentence += "; --log debug shows what it said"
		}
		return r, errors.New(sentence)
	}
	for _, d := range offers {
		t := trust.Type{Type: d.Type, Summary: d.Summary, Roles: d.Roles, Medium: trust.MediumOf(d.Medium), Fields: trust.Settings(d.Fields), Schema: d.Schema}
		if err := t.CheckSchema(); err != nil {
			return r, fmt.Errorf("%s cannot be trusted: %w; its author has to mend that", name, err)
		}
		if what, clashes := configs.Clash(d.Roles, d.Fields); clashes {
			return r, fmt.Errorf("%s cannot be trusted: %s; its author has to give it another name", name, what)
		}
		if what := configs.MediumClash(d.Type, d.Roles, builtIn()); what != "" {
			return r, fmt.Errorf("%s cannot be trusted: %s; its author has to give it another name", name, what)
		}
		if err := c.free(folder, name, t.Type); err != nil {
			return r, err
		}
		r.Types = append(r.Types, t)
	}
	if len(r.Types) == 0 {
		return r, fmt.Errorf("%s cannot be trusted: it provides no type", name)
	}
	return r, nil
}

// free reports why a type cannot be a plugin's.
func (c *pluginTrustCmd) free(folder, name, typ string) error {
	if specOf(typ) != nil {
		return fmt.Errorf("%s cannot be trusted: it provides the type %s, which Belfry has itself; its author has to give it another name", name, typ)
	}
	others, _ := trust.Records(folder) // where one cannot be read, that is said of its plugin
	for _, o := range others {
		if o.Name != name && slices.Contains(o.TypeNames(), typ) {
			return fmt.Errorf("%s cannot be trusted: the plugin %s provides the type %s already; take one of them out of %s", name, o.Name, typ, folder)
		}
	}
	return nil
}

// show prints what is about to be trusted.
func (c *pluginTrustCmd) show(std streams, before trust.Plugin, info pluginInfo, folder string, tree filetree.Tree) {
	files := 0
	for _, e := range tree {
		if e.SHA256 != "" || e.Link != "" {
			files++
		}
	}
	fmt.Fprintf(std.out, "plugin %s: %s in %s\n  program: %s\n  checksum: %s\n", info.Plugin, count(files, "file"), folder,
		strings.Join(append([]string{info.Path}, info.Args...), " "), info.Checksum)
	if before.State == trust.Changed {
		fmt.Fprintf(std.out, "  %s\n", before.Why)
	}
	for _, t := range info.Types {
		fmt.Fprintln(std.out)
		printType(std, t)
	}
	fmt.Fprintf(std.out, "\nNo plugin is shown:\n")
	for _, s := range trust.SeesNot() {
		fmt.Fprintf(std.out, "    %s\n", s)
	}
	fmt.Fprintln(std.out)
}

// isTerminal reports whether a person can answer.
func isTerminal(std streams) bool {
	f, ok := std.in.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// asking is a host that starts one program, to ask it what it is.
type asking struct {
	host *pluginhost.Host
	dir  string
}

// asking makes the host of a program; with anyType it may serve whatever types it has.
func (g *global) asking(bounds configs.Plugins, std streams, command pluginhost.Command, anyType bool) (*asking, error) {
	dir, err := os.MkdirTemp("", "belfry-")
	if err != nil {
		return nil, fmt.Errorf("no folder for a plugin's process: %w", err)
	}
	return &asking{dir: dir, host: pluginhost.New(pluginhost.Config{RunDir: dir, Log: g.quiet(std.err), AnyType: anyType,
		Limits:  pluginhost.Limits{Memory: int64(bounds.Memory) << 20, Call: bounds.Deadline.Std()},
		Command: func(string) (pluginhost.Command, error) { return command, nil }})}, nil
}

func (a *asking) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a.host.Close(ctx) // what does not end now ends with this process
	_ = os.RemoveAll(a.dir)
}

// rolesOf are the abilities of a type that was described, for comparing.
func rolesOf(list []sdk.Role) []sdk.Role {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}

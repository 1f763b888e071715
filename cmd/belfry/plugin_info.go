package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/sdk"
)

type pluginListCmd struct{}

// Help is the long help.
func (*pluginListCmd) Help() string {
	return `Lists Belfry's own types, those of plugins in plugins.folder, trusted or not, and those under plugins.external. Nothing is
started.

Example:

    belfry plugin list

Exit codes: 0 listed, 1 the plugin folder cannot be read. With --json: a list of {type, summary, roles, path, plugin, state, why};
plugin is the name in the plugin folder, state is trusted, not trusted, changed, refused or gone there, and why says what to do; a
plugin that nobody trusted yet has no type.`
}

// listedPlugin is a type, or a plugin whose types are not known.
type listedPlugin struct {
	desk.ConnectorType
	Plugin string      `json:"plugin"`
	State  trust.State `json:"state"`
	Why    string      `json:"why"`
}

// Run lists types and plugins.
func (c *pluginListCmd) Run(g *global, std streams) error {
	l := configs.PluginsIn(g.options())
	var plugins []trust.Plugin
	if folder := l.PluginFolder(); folder != "" {
		var err error
		if plugins, err = trust.List(folder); err != nil {
			return err
		}
	}
	list := []listedPlugin{}
	for _, t := range desk.Types(builtIn(), l) {
		if p, _ := l.Plugin(t.Type); p.Trusted == nil {
			list = append(list, listedPlugin{ConnectorType: t})
		}
	}
	for _, p := range plugins {
		list = append(list, listed(l.PluginFolder(), p)...)
	}
	if g.JSON {
		return writeJSON(std.out, list)
	}
	header := []string{"TYPE", "WHAT", "CAN"}
	if len(plugins) > 0 {
		header = append(header, "PLUGIN")
	}
	t := newTable(header...)
	var why []string
	for _, p := range list {
		what, plugin := p.Summary, p.Plugin
		switch {
		case p.State != "" && p.State != trust.Trusted:
			plugin += ": " + string(p.State)
			why = append(why, p.Why)
		case p.Path != "" && p.Plugin == "":
			what = "a plugin of a third party: belfry plugin check " + p.Path
		}
		t.add([]string{desk.OrDash(p.Type), desk.OrDash(desk.Plain(what)), desk.OrDash(roles(p.Roles)), desk.OrDash(plugin)}[:len(header)]...)
	}
	t.write(std.out)
	for _, line := range slices.Compact(why) {
		fmt.Fprintln(std.out, line)
	}
	return nil
}

// listed are the types of a plugin in the folder.
func listed(folder string, p trust.Plugin) []listedPlugin {
	entry := listedPlugin{ConnectorType: desk.ConnectorType{Roles: []sdk.Role{}, Path: filepath.Join(folder, p.Name)}, Plugin: p.Name, State: p.State}
	if p.Why != nil {
		entry.Why = p.Why.Error()
	}
	if p.Record == nil {
		return []listedPlugin{entry}
	}
	var out []listedPlugin
	for _, t := range p.Record.Types {
		entry.ConnectorType = desk.ConnectorType{Type: t.Type, Summary: t.Summary, Roles: t.Roles, Path: p.Record.Path(folder)}
		out = append(out, entry)
	}
	return out
}

type pluginInfoCmd struct {
	Name string `arg:"" help:"A type, or a plugin in the plugin folder."`
}

// Help is the long help.
func (*pluginInfoCmd) Help() string {
	return `Says what a type can do, which settings it takes and what it is shown. Of a plugin in plugins.folder it goes by what was
recorded when the plugin was trusted; nothing is started.

Example:

    belfry plugin info rss

Exit codes: 0 it is known, and if it is a plugin, trusted; 1 it is not trusted, changed or refused; 2 there is none of that name. With
--json: {plugin, state, why, path, args, checksum, trusted, types: [{type, summary, abilities, medium, settings, schema, sees}]}.`
}

// pluginInfo is what is known of a plugin, or of a type of Belfry's own.
type pluginInfo struct {
	Plugin   string      `json:"plugin"`
	State    trust.State `json:"state"`
	Why      string      `json:"why"`
	Path     string      `json:"path"`
	Args     []string    `json:"args"`
	Checksum string      `json:"checksum"`
	Trusted  *desk.Stamp `json:"trusted"`
	Types    []typeInfo  `json:"types"`
}

type typeInfo struct {
	trust.Type
	// Sees says what it is shown.
	Sees []string `json:"sees"`
	// third says that it is a third party's.
	third bool
}

// Run tells what is known.
func (c *pluginInfoCmd) Run(g *global, std streams) error {
	info, err := c.look(g)
	if err != nil {
		return err
	}
	if g.JSON {
		err = writeJSON(std.out, info)
	} else {
		info.print(std)
	}
	if err == nil && info.Why != "" {
		return &exitError{code: exitFailed}
	}
	return err
}

func (c *pluginInfoCmd) look(g *global) (pluginInfo, error) {
	info := pluginInfo{Args: []string{}, Types: []typeInfo{}}
	if s := specOf(c.Name); s != nil {
		info.add(trust.Type{Type: s.Type, Summary: s.Summary, Roles: s.Roles, Medium: trust.MediumOf(s.Medium), Fields: trust.Settings(s.Fields()), Schema: s.SchemaJSON()})
		return info, nil
	}
	l := configs.PluginsIn(g.options())
	if p, named := l.Plugin(c.Name); named && p.Trusted == nil {
		return info, fmt.Errorf("nothing is recorded of %s, which plugins.external names by its path; see: belfry plugin check %s --type %s", c.Name, p.Path, c.Name)
	}
	folder := l.PluginFolder()
	if folder == "" {
		return info, unusable("there is no type called %q, and no plugin folder is configured; see: belfry plugin list", c.Name)
	}
	name, err := trust.Find(folder, c.Name)
	if err != nil {
		return info, &exitError{exitUsage, err}
	}
	p := trust.Look(folder, name)
	info.Plugin, info.State, info.Path = name, p.State, filepath.Join(folder, name)
	if p.Why != nil {
		info.Why = p.Why.Error()
	}
	if r := p.Record; r != nil {
		info.Path, info.Args, info.Checksum = r.Path(folder), append(info.Args, r.Args...), r.Checksum
		info.Trusted = &desk.Stamp{Time: r.Trusted}
		for _, t := range r.Types {
			info.add(t)
		}
	}
	return info, nil
}

func (i *pluginInfo) add(t trust.Type) {
	i.Types = append(i.Types, typeInfo{t, trust.Sees(t.Roles), i.Plugin != ""})
}

func (i *pluginInfo) print(std streams) {
	if i.Plugin != "" {
		fmt.Fprintf(std.out, "plugin %s: %s\n", i.Plugin, i.State)
		if i.Why != "" {
			fmt.Fprintf(std.out, "  %s\n", i.Why)
		}
		if i.Trusted != nil {
			fmt.Fprintf(std.out, "  program: %s\n  checksum: %s\n  trusted: %s\n", strings.Join(append([]string{i.Path}, i.Args...), " "), i.Checksum, i.Trusted.UTC().Format(time.RFC3339))
		}
	}
	for n, t := range i.Types {
		if n > 0 || i.Plugin != "" {
			fmt.Fprintln(std.out)
		}
		printType(std, t)
	}
}

// printType prints what a type is, takes and sees.
func printType(std streams, t typeInfo) {
	fmt.Fprintf(std.out, "type %s: %s\n  it can: %s\n  it is shown:\n", t.Type.Type, desk.Plain(t.Summary), roles(t.Roles))
	for _, s := range t.Sees {
		fmt.Fprintf(std.out, "    %s\n", s)
	}
	printMedium(std.out, t.Roles, t.Medium, t.third)
	if len(t.Fields) == 0 {
		return
	}
	fmt.Fprintln(std.out)
	table := newTable("SETTING", "TYPE", "DEFAULT", "WHAT")
	for _, f := range t.Fields {
		def := f.Default
		if f.Required {
			def = "required"
		}
		table.add(desk.Plain(f.Path), desk.Plain(f.Type), desk.OrDash(desk.Plain(def)), desk.Plain(f.Doc))
	}
	table.write(std.out)
}

// pluginFolder is the folder of plugins, which a command needs.
func pluginFolder(l *configs.Loaded, said string) (string, error) {
	if said != "" {
		return filepath.Abs(said)
	}
	if folder := l.PluginFolder(); folder != "" {
		return folder, nil
	}
	return "", &exitError{exitUsage, errors.New("no plugin folder is configured; write into the configuration   plugins: {folder: /opt/belfry/plugins}   or name one with --folder")}
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/sdk"
)

type pluginDoctorCmd struct {
	Name   string `arg:"" optional:"" help:"One plugin; without it, all of them."`
	Folder string `placeholder:"PATH" help:"The plugin folder; without it, plugins.folder of the configuration."`
}

// Help is the long help.
func (*pluginDoctorCmd) Help() string {
	return `Says what this system keeps from plugins and what it cannot, whether the plugin folder is safe, and of each plugin whether it
is what was trusted, starts in its sandbox, and says of itself what it said then. Plugins that nobody trusted are not started.

Examples:

    belfry plugin doctor
    belfry plugin doctor notes --log debug

Exit codes: 0 nothing needs a person, 1 something does, 2 the command line cannot be used. With --json: {healthy, findings:
[{level, about, sentence, mend}]}, as belfry doctor prints; about is sandbox, folder, or the name of a plugin.`
}

// Run looks at everything about plugins.
func (c *pluginDoctorCmd) Run(ctx context.Context, g *global, std streams) error {
	d := &pluginDoctor{g: g, std: std, l: configs.PluginsIn(g.options())}
	d.sandbox()
	if err := d.plugins(ctx, c.Name, c.Folder); err != nil {
		return err
	}
	return tellDiagnosis(g, std, d.diagnosis())
}

// pluginDoctor collects findings about plugins.
type pluginDoctor struct {
	g        *global
	std      streams
	l        *configs.Loaded
	findings []desk.Finding
}

func (d *pluginDoctor) note(level desk.Level, about, sentence, mend string) {
	d.findings = append(d.findings, desk.Finding{Level: level, About: about, Sentence: desk.Plain(sentence), Mend: mend})
}

// wrong notes an error, whose text says what is wrong and what mends it.
func (d *pluginDoctor) wrong(about string, err error) {
	what, fix := sdk.Sentence(err)
	d.note(desk.Trouble, about, what, fix)
}

func (d *pluginDoctor) diagnosis() desk.Diagnosis {
	order := []desk.Level{desk.Trouble, desk.Advice, desk.Fine}
	slices.SortStableFunc(d.findings, func(a, b desk.Finding) int {
		return cmp.Compare(slices.Index(order, a.Level), slices.Index(order, b.Level))
	})
	healthy := !slices.ContainsFunc(d.findings, func(f desk.Finding) bool { return f.Level == desk.Trouble })
	return desk.Diagnosis{Healthy: healthy, Findings: d.findings}
}

// sandbox says what this system gives.
func (d *pluginDoctor) sandbox() {
	for _, a := range sandbox.Probe() {
		level := desk.Fine
		if !a.Have {
			level = desk.Advice
		}
		if !a.Have && a.Name == "files" {
			level = desk.Trouble
		}
		d.note(level, "sandbox", a.What, a.Mend)
	}
	d.note(desk.Fine, "sandbox", fmt.Sprintf("the process of a plugin has %d MiB of memory (plugins.memory); the network is open to it, because platforms lie there", d.l.Plugins.Memory), "")
}

// plugins looks at the folder and its plugins, and at those that the configuration names by their paths.
func (d *pluginDoctor) plugins(ctx context.Context, only, said string) error {
	var named []string
	for _, typ := range d.l.PluginTypes() {
		if p, _ := d.l.Plugin(typ); p.Trusted == nil && (only == "" || only == typ) {
			named = append(named, typ)
		}
	}
	if said != "" || only != "" && len(named) == 0 || d.l.PluginFolder() != "" {
		if err := d.folder(ctx, only, said, len(named) > 0); err != nil {
			return err
		}
	} else if len(named) == 0 {
		d.note(desk.Fine, "folder", "no plugin folder is configured (plugins.folder)", "")
	}
	for _, typ := range named {
		d.named(ctx, typ)
	}
	return nil
}

func (d *pluginDoctor) folder(ctx context.Context, only, said string, enough bool) error {
	folder, err := pluginFolder(d.l, said)
	if err != nil {
		return err
	}
	var name string
	if only != "" {
		found, err := trust.Find(folder, only)
		switch {
		case err == nil:
			name = found
		case enough:
			return nil // it is one that plugins.external names
		default:
			return &exitError{exitUsage, err}
		}
	}
	if err := trust.CheckFolder(folder); err != nil {
		d.wrong("folder", err)
	} else {
		d.note(desk.Fine, "folder", folder+" belongs to root or to this user, and is closed to changes by others", "")
	}
	if name != "" {
		d.look(ctx, folder, trust.Look(folder, name))
		return nil
	}
	list, err := trust.List(folder)
	if err != nil {
		return nil //nolint:nilerr // it was said of the folder
	}
	if len(list) == 0 {
		d.note(desk.Advice, "folder", folder+" is empty", "put a plugin there, then: belfry plugin trust NAME")
	}
	for _, p := range list {
		d.look(ctx, folder, p)
	}
	return nil
}

// look looks at one plugin of the folder.
func (d *pluginDoctor) look(ctx context.Context, folder string, p trust.Plugin) {
	switch p.State {
	case trust.Untrusted:
		what, fix := sdk.Sentence(p.Why)
		d.note(desk.Advice, p.Name, what, fix)
		return
	case trust.Trusted:
	default:
		d.wrong(p.Name, p.Why)
		return
	}
	r := p.Record
	command := pluginhost.Command{Path: r.Path(folder), Args: r.Args, Foreign: true, Folder: filepath.Join(folder, r.Name), SHA256: r.Checksum}
	for _, t := range r.Types {
		if q, ok := d.l.Plugin(t.Type); ok && q.Trusted != nil {
			command.Read = q.Read
		}
	}
	ask, err := d.g.asking(d.l.Plugins, d.std, command, true)
	if err != nil {
		d.wrong(p.Name, err)
		return
	}
	defer ask.close()
	offers, err := ask.host.Offers(ctx, p.Name)
	if err != nil {
		d.note(desk.Trouble, p.Name, pluginSentence(err).Error(), "see its words: belfry plugin doctor "+p.Name+" --log debug")
		return
	}
	same := len(offers) == len(r.Types)
	for i, o := range offers {
		same = same && o.Type == r.Types[i].Type && slices.Equal(rolesOf(o.Roles), rolesOf(r.Types[i].Roles)) && sameJSON(o.Schema, r.Types[i].Schema)
	}
	if !same {
		d.note(desk.Trouble, p.Name, "it says of itself something else than when it was trusted, though no file of it changed", "ask its author; then: belfry plugin trust "+p.Name)
		return
	}
	d.note(desk.Fine, p.Name, fmt.Sprintf("it is what was trusted, starts, and provides %s", strings.Join(r.TypeNames(), ", ")), "")
}

// named looks at a plugin that plugins.external names by its path.
func (d *pluginDoctor) named(ctx context.Context, typ string) {
	p, _ := d.l.Plugin(typ)
	shop, err := d.g.quietWorkshop(d.l, d.std.err)
	if err != nil {
		d.wrong(typ, err)
		return
	}
	defer shop.close()
	if _, err := shop.host.Describe(ctx, typ); err != nil {
		what, _ := sdk.Sentence(pluginSentence(err))
		d.note(desk.Trouble, typ, what, fmt.Sprintf("belfry plugin check %s --type %s --log debug", p.Path, typ))
		return
	}
	if p.Checksum == "" {
		d.note(desk.Advice, typ, p.Path+" starts, and is run whatever it becomes", "put it into plugins.folder and trust it, or write its sha256: belfry plugin check "+p.Path)
		return
	}
	d.note(desk.Fine, typ, p.Path+" is the program that the configuration names, and starts", "")
}

// sameJSON compares two texts of JSON, however they are laid out.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

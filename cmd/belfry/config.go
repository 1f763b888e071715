package main

import (
	"fmt"
	"io"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

type configCmd struct {
	Example configExampleCmd `cmd:"" help:"Print a configuration to begin with."`
	Schema  configSchemaCmd  `cmd:"" help:"Print the JSON Schema, for editors."`
	Show    configShowCmd    `cmd:"" help:"Print the configuration in force, with every default and without secrets."`
}

type configExampleCmd struct {
	Full bool `help:"The long one, which shows what there is."`
}

// Help is the long help.
func (*configExampleCmd) Help() string {
	return `Example:

    belfry config example > belfry.yaml

Then change the address of the feed, look at it with belfry check, and serve it with belfry run.

Exit codes: 0 printed.`
}

// Run prints an example.
func (c *configExampleCmd) Run(std streams) error {
	text := configs.Minimal
	if c.Full {
		text = configs.Example
	}
	_, err := io.WriteString(std.out, text)
	return err
}

type configSchemaCmd struct{}

// Help is the long help.
func (*configSchemaCmd) Help() string {
	return `The settings of plugins that are trusted in plugins.folder are among it, when there is a configuration.

Example:

    belfry config schema > belfry.schema.json

and as the first line of belfry.yaml, for editors with the YAML language server:

    # yaml-language-server: $schema=belfry.schema.json

Exit codes: 0 printed.`
}

// Run prints the schema.
func (c *configSchemaCmd) Run(g *global, std streams) error {
	return writeJSON(std.out, configs.Schema(builtIn(), configs.PluginsIn(g.options()).TrustedTypes()))
}

type configShowCmd struct {
	Origin bool `help:"Say where each setting comes from: a place in a file, the environment, a flag, or the default."`
}

// Help is the long help.
func (*configShowCmd) Help() string {
	return `Files, conf.d, environment (BELFRY__SITE__URL sets site.url) and --set are merged in this order. Secrets are masked.

Example:

    belfry config show --origin

Exit codes: 0 printed, 1 the configuration has problems. With --json: the settings as one object; with --origin a list of
{path, value, origin}.`
}

// Run prints the configuration in force.
func (c *configShowCmd) Run(g *global, std streams) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	d := &desk.Desk{Config: cfg}
	w := settingsWriter{out: std.out, desk: d, tree: cfg.Tree(), origin: c.Origin}
	switch {
	case g.JSON && c.Origin:
		return writeJSON(std.out, d.Settings())
	case g.JSON:
		return writeJSON(std.out, w.tree)
	}
	w.settings("", w.tree, "")
	return nil
}

// settingsWriter writes a configuration as YAML.
type settingsWriter struct {
	out    io.Writer
	desk   *desk.Desk
	tree   map[string]any
	origin bool
}

func (w *settingsWriter) settings(pointer string, m map[string]any, indent string) {
	for _, k := range desk.SettingOrder(pointer, m) {
		p := pointer + sdk.Pointer(k)
		w.value(p, m[k], indent, indent+configs.Spell(k)+":")
	}
}

func (w *settingsWriter) value(pointer string, v any, indent, line string) {
	switch t := desk.Sequence(v).(type) {
	case map[string]any:
		if len(t) == 0 {
			w.line(pointer, line+" {}")
			return
		}
		fmt.Fprintln(w.out, line)
		w.settings(pointer, t, indent+"  ")
	case []any:
		if len(t) == 0 {
			w.line(pointer, line+" []")
			return
		}
		fmt.Fprintln(w.out, line)
		for i, entry := range t {
			p := pointer + sdk.Pointer(i)
			if m, ok := entry.(map[string]any); ok && len(m) > 0 {
				fmt.Fprintln(w.out, indent+"  -")
				w.settings(p, m, indent+"    ")
				continue
			}
			w.value(p, entry, indent+"  ", indent+"  -")
		}
	default:
		w.line(pointer, line+" "+configs.Spell(t))
	}
}

func (w *settingsWriter) line(pointer, text string) {
	if w.origin {
		text = fmt.Sprintf("%-50s # %s", text, w.desk.Origin(w.tree, pointer))
	}
	fmt.Fprintln(w.out, text)
}

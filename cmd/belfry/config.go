package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/configs"
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
	return `Example:

    belfry config schema > belfry.schema.json

and as the first line of belfry.yaml, for editors with the YAML language server:

    # yaml-language-server: $schema=belfry.schema.json

Exit codes: 0 printed.`
}

// Run prints the schema.
func (c *configSchemaCmd) Run(std streams) error {
	return writeJSON(std.out, configs.Schema(builtIn()))
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

type settingJSON struct {
	Path   string `json:"path"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
}

// Run prints the configuration in force.
func (c *configShowCmd) Run(g *global, std streams) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	w := settingsWriter{out: std.out, cfg: cfg, origin: c.Origin}
	switch {
	case g.JSON && c.Origin:
		list := []settingJSON{}
		w.each("", cfg.Tree(), func(pointer string, value any) {
			list = append(list, settingJSON{dotted(pointer), value, w.originOf(pointer)})
		})
		return writeJSON(std.out, list)
	case g.JSON:
		return writeJSON(std.out, cfg.Tree())
	}
	w.settings("", cfg.Tree(), "")
	return nil
}

// settingsWriter writes a configuration as YAML.
type settingsWriter struct {
	out    io.Writer
	cfg    *configs.Loaded
	origin bool
}

// order lists the keys of settings: at the top as they are declared, below by name with the type first.
func order(pointer string, m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	declared := map[string]int{"type": -1}
	if pointer == "" {
		for i, f := range sdk.Fields(configs.Default()) {
			declared[f.Path] = i
		}
	}
	rank := func(k string) int {
		if n, ok := declared[k]; ok {
			return n
		}
		return 1 << 20
	}
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	return keys
}

func (w *settingsWriter) settings(pointer string, m map[string]any, indent string) {
	for _, k := range order(pointer, m) {
		p := pointer + sdk.Pointer(k)
		w.value(p, m[k], indent, indent+configs.Spell(k)+":")
	}
}

func (w *settingsWriter) value(pointer string, v any, indent, line string) {
	switch t := sequence(v).(type) {
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
		text = fmt.Sprintf("%-50s # %s", text, w.originOf(pointer))
	}
	fmt.Fprintln(w.out, text)
}

// each visits every single setting.
func (w *settingsWriter) each(pointer string, v any, visit func(pointer string, value any)) {
	switch t := sequence(v).(type) {
	case map[string]any:
		for _, k := range order(pointer, t) {
			w.each(pointer+sdk.Pointer(k), t[k], visit)
		}
	case []any:
		for i, entry := range t {
			w.each(pointer+sdk.Pointer(i), entry, visit)
		}
	default:
		visit(pointer, v)
	}
}

// originOf says where a setting was given. The entries of a list and the parts of a short form have the place of the
// whole.
func (w *settingsWriter) originOf(pointer string) string {
	for p := pointer; strings.Count(p, "/") > 0; p = p[:strings.LastIndexByte(p, '/')] {
		at, ok := w.cfg.Origin(p)
		if !ok {
			continue
		}
		// What stands inside given settings and was not given itself is a default.
		if p != pointer && isSettings(w.cfg.Tree(), p) {
			return "default"
		}
		return at.String()
	}
	return "default"
}

func isSettings(tree any, pointer string) bool {
	for _, token := range strings.Split(pointer, "/")[1:] {
		switch t := sequence(tree).(type) {
		case map[string]any:
			tree = t[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
		case []any:
			var i int
			if _, err := fmt.Sscan(token, &i); err != nil || i >= len(t) {
				return false
			}
			tree = t[i]
		}
	}
	_, ok := sequence(tree).(map[string]any)
	return ok
}

// sequence gives lists and settings of any type one form.
func sequence(v any) any {
	switch t := v.(type) {
	case []string:
		out := make([]any, len(t))
		for i, s := range t {
			out[i] = s
		}
		return out
	case map[string]string:
		out := make(map[string]any, len(t))
		for k, s := range t {
			out[k] = s
		}
		return out
	}
	return v
}

func dotted(pointer string) string {
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, t := range tokens {
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(t)
	}
	return strings.Join(tokens, ".")
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

//go:generate go test . -run TestCommandsPage|TestHelp|TestConfigurationPage|TestSchemaFile -update

// golden compares a text with a file, or rewrites the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; make it: go generate ./cmd/belfry", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale; make it anew: go generate ./cmd/belfry (-want +got):\n%s", file, diff)
	}
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := newParser(&cli{}, streams{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// leaves lists the commands that people see.
func leaves(n *kong.Node) []*kong.Node {
	if n.Hidden {
		return nil
	}
	if n.Leaf() {
		return []*kong.Node{n}
	}
	var out []*kong.Node
	for _, sub := range n.Children {
		out = append(out, leaves(sub)...)
	}
	return out
}

// words is a command as it is typed, without flags.
func words(n *kong.Node) string {
	var out []string
	for ; n != nil && n.Type == kong.CommandNode; n = n.Parent {
		out = append([]string{n.Name}, out...)
	}
	return strings.Join(out, " ")
}

// Every command has a help text with an example and its exit codes, and the texts are looked at when they change.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, n := range append(leaves(model(t).Node), &kong.Node{}) {
		name := words(n)
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := run(append(strings.Fields(name), "--help"), streams{&bytes.Buffer{}, &out, &out}); code != exitOK {
				t.Fatalf("exit code %d:\n%s", code, out.String())
			}
			file := "belfry"
			if name != "" {
				file = strings.ReplaceAll(name, " ", "-")
				for _, part := range []string{"Example", "Exit codes: 0", "belfry " + strings.Fields(name)[0]} {
					if !strings.Contains(out.String(), part) {
						t.Errorf("the help lacks %q", part)
					}
				}
			}
			golden(t, filepath.Join("testdata", "help", file+".txt"), out.String())
		})
	}
}

// The page of the commands says what the program says.
func TestCommandsPage(t *testing.T) {
	t.Parallel()
	golden(t, filepath.Join("..", "..", "docs", "commands.md"), commandsPage(model(t)))
}

func commandsPage(app *kong.Application) string {
	var b strings.Builder
	f := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	f(`# Commands

Made from the program itself (go generate ./cmd/belfry); belfry COMMAND --help says the same.

Commands act on rows of the store, which a running daemon notices within a second; they work whether it runs or not. They
run as the user who owns the store, and never change its schema. Everything that prints something prints JSON with --json,
with stable names; times are then RFC 3339 in UTC, and null when there are none.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | it was tried and did not work, or problems were found |
| 2 | the command line or its input cannot be used |
| 3 | plan: the configuration would change something |

Flags of every command:

`)
	flags(&b, app.Flags, true)
	for _, g := range groups {
		if g.Key == "global" {
			continue
		}
		f("\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, top := range app.Children {
			if top.Group == nil || top.Group.Key != g.Key {
				continue
			}
			for _, n := range leaves(top) {
				f("\n### belfry %s\n\n%s\n\n", words(n), n.Help)
				f("```\nbelfry %s\n```\n\n%s\n", usage(n), detail(n.Detail))
				if len(n.Positional) > 0 || slices.ContainsFunc(n.Flags, shown) {
					f("\n")
				}
				for _, p := range n.Positional {
					f("- `%s` %s\n", strings.ToUpper(p.Name), p.Help)
				}
				flags(&b, n.Flags, false)
			}
		}
	}
	return b.String()
}

// usage is how a command is typed.
func usage(n *kong.Node) string {
	out := words(n)
	for _, f := range n.Flags {
		if f.Required && shown(f) && len(f.Xor) == 0 {
			out += " " + flagText(f)
		}
	}
	for _, choice := range choices(n) {
		out += " (" + strings.ReplaceAll(strings.Join(choice, " | "), "=", " ") + ")"
	}
	for _, p := range n.Positional {
		name := strings.ToUpper(p.Name)
		if p.IsCumulative() {
			name += "…"
		}
		if !p.Required {
			name = "[" + name + "]"
		}
		out += " " + name
	}
	if slices.ContainsFunc(n.Flags, func(f *kong.Flag) bool { return shown(f) && !f.Required }) {
		out += " [flags]"
	}
	return out
}

func shown(f *kong.Flag) bool { return f.Name != "help" && !f.Hidden }

func flagText(f *kong.Flag) string {
	if f.IsBool() {
		return "--" + f.Name
	}
	value := f.PlaceHolder
	if value == "" {
		value = strings.ToUpper(f.Name)
	}
	return "--" + f.Name + " " + value
}

func flags(b *strings.Builder, list []*kong.Flag, global bool) {
	for _, f := range list {
		if !shown(f) || (f.Group != nil && f.Group.Key == "global") != global {
			continue
		}
		text := f.Help
		if f.HasDefault && f.Default != "" {
			text += fmt.Sprintf(" Default: %s.", f.Default)
		}
		if len(f.Tag.Envs) > 0 {
			text += fmt.Sprintf(" Environment: %s.", strings.Join(f.Tag.Envs, ", "))
		}
		fmt.Fprintf(b, "- `%s` %s\n", flagText(f), text)
	}
}

// detail turns the long help into Markdown: indented lines are code, and the rest is text.
func detail(text string) string {
	var out []string
	code := false
	for line := range strings.SplitSeq(text, "\n") {
		switch indented := strings.HasPrefix(line, "    "); {
		case indented && !code:
			out = append(out, "```")
			code = true
		case !indented && line != "" && code:
			out = slices.Insert(out, len(out)-1, "```")
			code = false
		}
		out = append(out, strings.TrimPrefix(line, "    "))
	}
	if code {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}

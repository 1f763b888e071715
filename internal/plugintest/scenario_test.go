//go:build linux

package plugintest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/pluginhost"
)

// TestWhatIsNotOffered: a promise that a plugin does not make is not called held.
func TestWhatIsNotOffered(t *testing.T) {
	t.Parallel()
	folder := copied(t, "../../plugins/example-python")
	path := filepath.Join(folder, "board.py")
	mutate(t, `"editor", "deleter", "finder")`, `"editor")`, path)
	mutate(t, "limits.rules.same_key_for.FromSeconds(DAY)", "limits.rules.same_key_for.FromSeconds(0)", path)
	o := options(t, pluginhost.Command{Path: path, Foreign: true}, "board-py")
	o.Fake, o.Only = startFake(t, filepath.Join(folder, "fake_board.py")), []string{"resolver", "publisher", "editor", "deleter", "faults"}
	o.Scenario = scenario(t, filepath.Join(folder, "board.test.yaml"), o.Fake)
	o.Scenario.NotChannels = nil
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if said := broken(r); said != "" {
		t.Errorf("broken:\n%s", said)
	}
	var without []string
	for _, s := range r.Suites {
		for _, c := range s.Results {
			if c.State == NotOffered {
				without = append(without, c.Promise+": "+strings.Join(c.Said, "; "))
			}
			if s.Name == "faults" && (strings.HasPrefix(c.Promise, "delete: ") || strings.HasPrefix(c.Promise, "find: ")) {
				t.Errorf("%s is %s, and the plugin cannot do it", c.Promise, c.State)
			}
		}
	}
	want := []string{"what is no channel is refused: no names of people are given",
		"the same key posts once: it says that the platform knows no keys (rules.same_key_for is 0)", "what was deleted cannot be edited: it does not delete"}
	if !slices.Equal(without, want) {
		t.Errorf("not offered are %q, wanted are %q", without, want)
	}
}

func TestScenariosThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"a misspelt key":        {"config: {folder: /x}\nchnage: ls\n", `FILE:2:1: unknown key "chnage"; did you mean "change"?`},
		"a list for a text":     {"channel: [x]\n", `FILE:1:10: text expected, found a list`},
		"no YAML":               {"config: {\n", "FILE:1:"},
		"no settings":           {"config: [1]\n", "FILE:1:9: settings expected (name: …), found a list"},
		"a fake that is none":   {"config: {url: $FAKE/api}\n", "FILE names $FAKE, and there is no fake; give its command with --fake"},
		"nothing mends it":      {"break: rm x\n", "FILE:1:8: it is not said how what breaks is mended; write the command under mend"},
		"nothing breaks it":     {"mend: touch x\n", "FILE:1:7: it is not said what is mended; write the command that breaks it under break"},
		"two problems, at once": {"chanel: x\nto: 5\n", "FILE:1:1: unknown key \"chanel\"; did you mean \"channel\"?\nFILE:2:5: text expected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "test.yaml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadScenario(path, "", t.TempDir())
			if _, ok := errors.AsType[*ScenarioError](err); !ok || !strings.Contains(err.Error(), strings.ReplaceAll(tc.want, "FILE", path)) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// TestScenariosOnWhichATestStops: what the file gets wrong is no fault of the plugin.
func TestScenariosOnWhichATestStops(t *testing.T) {
	t.Parallel()
	folder := copied(t, "../../plugins/example-python")
	for name, tc := range map[string]struct{ from, to, want string }{
		"a setting that the plugin does not know": {"  folder:", "  foldr: x\n  folder:", "the plugin refuses the settings that it is to be tested with:\nFILE:6:3: unknown key \"foldr\"; did you mean \"folder\"?"},
		"a command that fails at first":           {"prepare: ", "prepare: echo no room; exit 3; ", `" failed: exit status 3: no room`},
		"a command that fails in between":         {"change: ", "change: exit 4; ", `" failed: exit status 4`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "test.yaml")
			text, err := os.ReadFile(filepath.Join(folder, "notes.test.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), tc.from, tc.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			o := options(t, pluginhost.Command{Path: filepath.Join(folder, "notes.py"), Foreign: true}, "notes-py")
			o.Scenario, o.Only = scenario(t, path, nil), []string{"source"}
			o.Told = func(suite string, r Result) {
				if r.State == Broken {
					t.Errorf("%s: %s is called broken: %s", suite, r.Promise, r.Said)
				}
			}
			_, err = Run(t.Context(), o)
			if _, ok := errors.AsType[*ScenarioError](err); !ok || !strings.Contains(err.Error(), strings.ReplaceAll(tc.want, "FILE", path)) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestTextsAt(t *testing.T) {
	t.Parallel()
	config := map[string]any{"token": "one", "auth": map[string]any{"key": "two"}, "keys": []any{"three", "four"},
		"accounts": map[string]any{"a": map[string]any{"token": "five"}, "b": map[string]any{"other": "x"}}, "list": []any{map[string]any{"token": "six"}},
		"env": map[string]any{"A": "seven"}, "count": 8}
	for path, want := range map[string][]string{"token": {"one"}, "auth.key": {"two"}, "keys": {"three", "four"}, "accounts.<name>.token": {"five"},
		"list[].token": {"six"}, "env": {"seven"}, "count": nil, "auth": {"two"}, "nothing.there": nil, "token.below": nil} {
		if got := textsAt(config, fieldPath(path)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

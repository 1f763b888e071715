package app

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/logtest"
	"github.com/belfry-news/belfry/internal/sandbox"
)

// gaps is a system that lacks two abilities and has one.
func gaps() []sandbox.Ability {
	return []sandbox.Ability{{Name: "files", What: "every file is open", Mend: "a kernel"}, {Name: "signals", What: "signals reach everybody", Mend: "a kernel"}, {Name: "limits", Have: true}}
}

// What the sandbox cannot do is told once, of whatever it is that runs in one.
func TestTheGapsOfTheSandboxAreTold(t *testing.T) {
	t.Parallel()
	foreign := map[string]configs.External{"notes": {Path: "/opt/notes"}}
	own := func(typ, isolation string) map[string]configs.Source {
		return map[string]configs.Source{"articles": {Type: typ, Isolation: isolation}}
	}
	for name, c := range map[string]struct {
		sources map[string]configs.Source
		foreign map[string]configs.External
		want    []string
	}{
		"nothing isolated":       {own("rss", "none"), nil, nil},
		"a feed":                 {own("rss", "process"), nil, []string{"every file is open"}},
		"a command":              {own("exec", "process"), nil, nil}, // the source says so itself
		"a third party's plugin": {own("rss", "none"), foreign, []string{"every file is open", "signals reach everybody"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logtest.Buffer{}
			a := &App{log: slog.New(slog.NewTextHandler(log, nil)), probe: gaps}
			l := &configs.Loaded{}
			l.Sources, l.Plugins.External = c.sources, c.foreign
			a.tellGaps(l)
			a.tellGaps(l)
			var told []string
			for _, ability := range gaps() {
				if n := strings.Count(log.String(), `what="`+ability.What+`"`); ability.What != "" && n > 0 {
					told = append(told, ability.What)
					if n > 1 {
						t.Errorf("%q is told %d times", ability.What, n)
					}
				}
			}
			if d := cmp.Diff(c.want, told); d != "" {
				t.Error(d)
			}
		})
	}
}

// A reload that brings the first plugin tells them, too.
func TestAReloadTellsTheGapsOfTheSandbox(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	a.mu.Lock() // the daemon may see the file before it is told to
	a.probe = gaps
	a.mu.Unlock()
	s.config(withNotes(plain, `{path: "/no/such/plugin"}`, ""))
	if r := a.Reload(t.Context()); r.Err != nil {
		t.Fatal(r.Err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range []string{"files", "signals"} {
		if !a.gapsTold[name] {
			t.Errorf("the gap %s was not told, only %v", name, slices.Sorted(maps.Keys(a.gapsTold)))
		}
	}
}

// What reads strangers' texts is confined; what starts commands in sandboxes of their own is not in one itself.
func TestWhichOwnKindsAreConfined(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{"rss": true, "calendar": true, "webhook": true, "exec": false} {
		c, err := PluginCommand(nil, kind)
		if err != nil {
			t.Fatal(err)
		}
		if own := c.Path == "/proc/self/exe"; c.Confined != (want && own) {
			t.Errorf("%s: %+v", kind, c)
		}
	}
}

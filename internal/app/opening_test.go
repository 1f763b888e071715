//go:build linux

package app

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// program writes a script of a third party's plugin.
func (s *stage) program(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// example builds the third party's plugin of this repository as a program of the stage.
func (s *stage) example(name string) string {
	s.t.Helper()
	return s.built(".", name)
}

// built builds a program of the examples.
func (s *stage) built(program, name string) string {
	s.t.Helper()
	source, err := filepath.Abs("../../plugins/example")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, mod := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(source, mod))
		if err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, mod), b, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	path := filepath.Join(s.dir, name)
	cmd := exec.Command("go", "build", "-mod=mod", "-modfile="+filepath.Join(s.dir, "go.mod"), "-o", path, program)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("the example does not build: %v\n%s", err, out)
	}
	return path
}

func (s *stage) source(name string) intake.State {
	s.t.Helper()
	st, err := s.app.Store().SourceState(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

// withNotes adds a source and a destination of a third party's type to a configuration.
func withNotes(text, plugin, options string) string {
	return strings.NewReplacer("sources:\n  articles:", "sources:\n  carnet: {type: notes, poll: 1s"+options+"}\n  articles:",
		"destinations:\n", "destinations:\n  board: {type: notes"+options+"}\n",
		"sources: [articles]", "sources: [articles, carnet]", "{destination: hook}", "{destination: hook}, {destination: board}",
		"media: {", "plugins: {external: {notes: "+plugin+"}}\nmedia: {").Replace(text)
}

// A plugin of a third party that cannot be opened costs its own source and destination: the daemon starts at once, and
// serves everything else.
func TestPluginsThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plugin func(s *stage) string
		want   string
	}{
		"another file": {func(s *stage) string {
			return `{path: "` + s.program("notes", "exit 0") + `", sha256: "` + strings.Repeat("0", 64) + `"}`
		}, "and not the one in the configuration"},
		"nothing":        {func(*stage) string { return `{path: /nowhere/notes}` }, "/nowhere/notes cannot be found"},
		"no plugin":      {func(*stage) string { return `{path: /bin/true}` }, "plugin notes cannot be used: "},
		"one that hangs": {func(s *stage) string { return `{path: "` + s.program("notes", "sleep 60") + `"}` }, "it was not ready within 15s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.config(withNotes(plain, c.plugin(s), ""))
			s.start()
			s.publish(feedtest.Article{ID: "a", Title: "Un"})
			s.until("the others go on", func() bool { return len(s.messages()) == 1 && len(s.hook.State().Posts) == 1 })
			if code, _ := s.page("/readyz"); code != http.StatusOK {
				t.Errorf("readyz answers %d", code)
			}
			s.until("somebody is told", func() bool { a := s.alerts(); return a["source_failing"] != "" && a["destination_down"] != "" })
			told := s.alerts()
			if got := told["source_failing"]; !strings.HasPrefix(got, "source carnet cannot be read: ") || !strings.Contains(got, c.want) || strings.Contains(got, "started again") {
				t.Errorf("the alert says %q", got)
			}
			if got := told["destination_down"]; !strings.Contains(got, "destination board cannot be opened: ") || !strings.Contains(got, c.want) {
				t.Errorf("the alert says %q", got)
			}
			st := s.source("carnet")
			if wait := time.Until(st.NextAt); st.Failures == 0 || wait < 20*time.Second || wait > 3*time.Minute {
				t.Errorf("%d failures, and the next one in %s", st.Failures, wait)
			}
		})
	}
}

// Starting does not wait for a plugin: this one can go on only when the daemon has started.
func TestStartingWaitsForNoPlugin(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(withNotes(plain, "{path: /nowhere/notes}", ""))
	a := s.make()
	started := make(chan struct{})
	a.o.Plugin = func(string) (pluginhost.Command, error) {
		<-started
		return pluginhost.Command{}, errors.New("it is late")
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.app = a
	t.Cleanup(func() { s.stop(a) })
	close(started)
	s.until("somebody is told", func() bool {
		told := s.alerts()
		return strings.Contains(told["source_failing"], "it is late") && strings.Contains(told["destination_down"], "it is late")
	})
}

// What could not be opened is opened at a reload once it is mended; options that a plugin refuses are a problem of the
// configuration, at their place.
func TestAPluginThatIsMended(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	notes := filepath.Join(s.dir, "carnet")
	if err := os.Mkdir(notes, 0o700); err != nil {
		t.Fatal(err)
	}
	plugin, options := `{read: ["`+notes+`"], path: "`+filepath.Join(s.dir, "plugin")+`"}`, `, folder: "`+notes+`"`
	only := func(options string) string {
		text := withNotes(plain, plugin, options)
		return strings.NewReplacer("  board: {type: notes"+options+"}\n", "", ", {destination: board}", "").Replace(text)
	}
	s.config(plain)
	a := s.start()
	s.config(only(options))
	if r := a.Reload(t.Context()); r.Err != nil {
		t.Fatalf("a plugin that cannot be opened is no reason to refuse: %v", r.Err)
	}
	s.until("somebody is told", func() bool { return s.alerts()["source_failing"] != "" })
	s.example("plugin")
	if r := a.Reload(t.Context()); r.Err != nil || len(r.NeedRestart) != 0 {
		t.Fatalf("%+v", r)
	}
	s.until("it is read", func() bool { return !s.source("carnet").OKAt.IsZero() && s.alerts()["source_failing"] == "" })
	s.config(only(strings.Replace(options, "folder", "foldr", 1)))
	r := a.Reload(t.Context())
	if r.Err == nil || !strings.Contains(r.Err.Error(), "belfry.yaml:8:") || !strings.Contains(r.Err.Error(), `unknown key "foldr"; did you mean "folder"?`) {
		t.Errorf("got %v", r.Err)
	}
	// The same program as another one takes the place of the one that runs.
	before := s.pid("notes")
	s.config(strings.Replace(only(options), `/plugin"}`, `/plugin", args: ["-v"]}`, 1))
	if r := a.Reload(t.Context()); r.Err != nil || len(r.NeedRestart) != 0 {
		t.Errorf("%+v", r)
	}
	s.until("another one runs", func() bool {
		_ = a.Store().FetchNow(t.Context(), "carnet", false, time.Now())
		a.poller.Wake()
		pid := s.pid("notes")
		return pid != "" && pid != before
	})
}

// pid is the process of a kind of plugin; empty while none runs.
func (s *stage) pid(kind string) string {
	for _, p := range s.app.host.Status() {
		if p.Kind == kind {
			return p.PID
		}
	}
	return ""
}

// A destination whose plugin hangs does not keep the daemon from ending.
func TestStoppingWhileAPluginHangs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(withNotes(plain, `{path: "`+s.program("notes", "sleep 60")+`"}`, ""))
	a := s.start()
	s.until("it hangs", func() bool {
		return slices.ContainsFunc(a.host.Status(), func(p pluginhost.Process) bool { return p.Kind == "notes" && p.State == pluginhost.StateStarting })
	})
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// A source whose plugin fails again and again is held and told of, and called again when a person asks for it, or at a reload.
func TestAPluginThatIsHeld(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	notes := filepath.Join(s.dir, "carnet")
	if err := os.Mkdir(notes, 0o700); err != nil {
		t.Fatal(err)
	}
	plugin := s.example("plugin")
	s.config(strings.NewReplacer(", {destination: board}", "").Replace(withNotes(plain, `{read: ["`+notes+`"], path: "`+plugin+`"}`, `, folder: "`+notes+`"`)))
	a := s.make()
	a.o.PluginLimits = pluginhost.Limits{Budget: 2, BackoffMin: 10 * time.Millisecond}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.app = a
	t.Cleanup(func() { s.stop(a) })
	s.until("it is read", func() bool { return !s.source("carnet").OKAt.IsZero() })
	// What stands in its place for a while ends at once.
	good := plugin + "-good"
	for _, mend := range []func(){
		func() {
			if err := a.Store().FetchNow(t.Context(), "carnet", true, time.Now()); err != nil {
				t.Fatal(err)
			}
			a.poller.Wake()
		},
		func() {
			if r := a.Reload(t.Context()); r.Err != nil {
				t.Fatal(r.Err)
			}
		},
	} {
		if err := os.Rename(plugin, good); err != nil {
			t.Fatal(err)
		}
		s.program("plugin", "echo \"the notebook is torn\" >&2; exit 7")
		for _, p := range a.host.Status() {
			if pid, err := strconv.Atoi(p.PID); p.Kind == "notes" && err == nil {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.until("it is held", func() bool {
			_ = a.Store().FetchNow(t.Context(), "carnet", false, time.Now()) // the source's own back-off is not of interest
			a.poller.Wake()
			return s.alerts()["plugin_held"] != ""
		})
		if got := s.alerts()["plugin_held"]; !strings.HasPrefix(got, "source carnet is not read any more, because plugin notes failed too often: plugin notes is held since ") {
			t.Errorf("the alert says %q", got)
		}
		if err := os.Rename(good, plugin); err != nil {
			t.Fatal(err)
		}
		failed := s.source("carnet").OKAt
		mend()
		s.until("it is read again", func() bool { return s.source("carnet").OKAt.After(failed) && s.alerts()["plugin_held"] == "" })
	}
}

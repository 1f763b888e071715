//go:build !race

package plugindev

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What needs many starts of a plugin runs without the race detector alone, which makes each of them slow.

// Settings that the plugin refuses are told before anything is touched, in the words of the dev.yaml.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	dir := project(t, strings.Replace(asSource, "token:", "tokn:", 1))
	b := start(t, dir)
	b.until("the complaint is there", func() bool { return b.state().Trouble != "" })
	b.shows("Not running", "The settings in dev.yaml cannot be used", SettingsFile+`:3:10: unknown key &#34;tokn&#34;; did you mean &#34;token&#34;?`)
	if out := b.out.String(); strings.Contains(out, "belfry.yaml") || strings.Contains(out, b.temp) {
		t.Errorf("files that the developer does not know are named:\n%s", out)
	}
	write(t, dir, SettingsFile, strings.Replace(asSource, "{token", "{poll: soon, token", 1))
	b.until("the other complaint is there", func() bool { return strings.Contains(b.state().Said, `"soon" is no duration`) })
	b.shows("Not running", "The settings in dev.yaml cannot be used", SettingsFile+":3:16: ")
	write(t, dir, SettingsFile, strings.Replace(asSource, "secret-of-the-test", "\"${env:NO_SUCH_VARIABLE_ANYWHERE}\"", 1))
	b.until("a variable is missed", func() bool { return strings.Contains(b.state().Said, "NO_SUCH_VARIABLE_ANYWHERE") })
	if said := b.state().Said; !strings.HasPrefix(said, SettingsFile+": ") {
		t.Errorf("said was: %s", said)
	}
	write(t, dir, SettingsFile, asSource)
	b.until("it runs", func() bool { return b.state().Builds == 1 })
	b.shows("Running")
	write(t, dir, SettingsFile, "type: [\n")
	b.until("the complaint is there", func() bool { return b.state().Trouble != "" })
	b.shows("The version before runs on", "The settings cannot be used")
}

// A program that is none, and a plugin of another type, are told of.
func TestNoPlugin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ yaml, file, want string }{
		"a program that ends": {"type: x\nprogram: run.sh\n", "#!/bin/sh\necho no plugin >&2\nexit 7\n", "The plugin does not start it cannot be started: it ended before it was ready (exit status 7): &#34;no plugin&#34;"},
		"another type":        {strings.Replace(asSource, "newsroom", "cms", 1), "", "The plugin does not start"},
		"no program is made":  {"type: x\nbuild: [\"true\"]\n", "", "made no program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, tc.yaml)
			write(t, dir, "run.sh", tc.file)
			if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o755); err != nil {
				t.Fatal(err)
			}
			b := start(t, dir)
			b.until("the complaint is there", func() bool { return b.state().Trouble != "" })
			b.shows("Not running", tc.want)
		})
	}
}

// The fake is started, its address takes its place, and what it says is in the log; it ends with the session.
func TestFake(t *testing.T) {
	t.Parallel()
	dir := project(t, strings.Replace(asSource, "secret-of-the-test}", "\"$FAKE/token\"}\nfake: [sh, fake.sh]", 1))
	gone := filepath.Join(dir, ".gone")
	write(t, dir, "fake.sh", "echo http://127.0.0.1:4000\necho ready >&2\ntrap 'echo bye > "+gone+"; exit' TERM\nwhile :; do sleep 0.1; done\n")
	b := start(t, dir)
	b.until("it runs", func() bool { return b.state().Builds == 1 })
	b.until("the fake has spoken", func() bool {
		for _, l := range b.journal.read().log {
			if l.From == "fake" && l.Text == "ready" {
				return true
			}
		}
		return false
	})
	text, err := os.ReadFile(filepath.Join(b.temp, "belfry.yaml"))
	if err != nil || !strings.Contains(string(text), "token: http://127.0.0.1:4000/token") {
		t.Errorf("the fake's address is not in the settings: %v\n%s", err, text)
	}
	write(t, dir, "fake.sh", "echo 4000\n")
	b.until("the complaint is there", func() bool { return b.state().Trouble != "" })
	b.shows("The fake does not run", "the fake printed &#34;4000&#34;; its first line has to be its address")
	if _, err := os.Stat(gone); err != nil {
		t.Errorf("the first fake was not asked to end: %v", err)
	}
	write(t, dir, "fake.sh", "echo the port is taken >&2\nexit 1\n")
	b.until("the other complaint is there", func() bool { return strings.Contains(b.state().Said, "the port is taken") })
	b.shows("the fake ended before it said where it is: the port is taken")
}

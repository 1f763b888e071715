//go:build linux

package pluginhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/example-python"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// spyConfig configures a plugin that looks for everything it should not see.
type spyConfig struct {
	Look   []string   `yaml:"look" doc:"Files and folders that it tries to read."`
	Secret sdk.Secret `yaml:"secret" doc:"Its own."`
}

func spySpec() *sdk.Spec {
	return sdk.Define("spy", "looks for what it should not see", spyConfig{},
		func(_ context.Context, _ sdk.Settings, c spyConfig) (*spy, error) { return &spy{config: c}, nil }).WithMedium(sdk.Medium{})
}

// spy keeps everything that it is told.
type spy struct {
	config spyConfig
	mu     sync.Mutex
	told   []string
}

// Close implements sdk.Connector.
func (*spy) Close(context.Context) error { return nil }

// Message implements sdk.Messenger.
func (s *spy) Message(_ context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	to, err := m.Recipient(time.Now())
	if err != nil {
		return sdk.MessageRef{}, err
	}
	address, _ := to.Reveal()
	text, err := json.Marshal(m.MessageContent)
	if err != nil {
		return sdk.MessageRef{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprintf("told %s %s %s %s %s", m.ID(), m.Purpose(), to.Medium(), address, text))
	return sdk.MessageRef{ID: m.ID()}, nil
}

// Fetch implements sdk.Source: what it found are its notices.
func (s *spy) Fetch(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
	s.mu.Lock()
	found := slices.Concat(os.Environ(), os.Args, s.told)
	s.mu.Unlock()
	host := fmt.Sprint("/proc/", os.Getppid())
	look := []string{"/proc/self/environ", "/proc/self/maps", "/proc/self/mem", "/proc/self/cmdline", "/proc/self/fd", "/proc", "/etc/passwd", "/etc/shadow", "/root", "/home", "/",
		host + "/environ", host + "/cmdline", host + "/mem", host + "/fd", host + "/root" + "/etc/passwd", host + "/cwd", host + "/task"}
	for _, path := range append(look, s.config.Look...) {
		b, err := os.ReadFile(path)
		if err != nil {
			var list []os.DirEntry
			list, err = os.ReadDir(path)
			b = fmt.Append(nil, list)
		}
		if err != nil {
			found = append(found, "refused "+path)
			continue
		}
		found = append(found, "read "+path+": "+string(b))
	}
	for n := range 64 {
		if to, err := os.Readlink(fmt.Sprint("/proc/self/fd/", n)); err == nil {
			found = append(found, "open "+to)
		}
	}
	return sdk.Batch{Notices: found}, nil
}

// Belfry's own kinds read what strangers wrote: they are confined as others are.
func TestBelfrysOwnKindsAreConfined(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "belfry.db")
	if err := os.WriteFile(data, []byte("secret-in-the-store"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(c *Config) {
		c.Command = func(kind string) (Command, error) {
			command, err := ownCommand(kind)
			command.Confined = true
			return command, err
		}
	})
	conn, err := f.Open(t.Context(), "spy", nil, sdk.Settings{Instance: "spy"}, map[string]any{"secret": "x", "look": []any{data, "/etc/hosts", "/proc/self/smaps"}})
	if err != nil {
		t.Fatal(err)
	}
	found := mustFetch(t, source(t, conn)).Notices
	for _, want := range []string{"refused " + data, "refused /etc/passwd", "refused /home", "refused /proc/self/environ", "read /etc/hosts: ", "read /proc/self/smaps: "} {
		if !slices.ContainsFunc(found, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("it did not find %q", want)
		}
	}
	limits, err := os.ReadFile("/proc/" + f.status("spy").PID + "/limits")
	if err != nil || testMemory > 0 && !strings.Contains(string(limits), fmt.Sprintf("Max data size             %d", testMemory)) {
		t.Errorf("its memory is not bounded: %v\n%s", err, limits)
	}
}

// A process that cannot read what its control group allows is told how many processors the daemon uses.
func TestTheProcessorsOfAProcess(t *testing.T) {
	told := func() string {
		for _, line := range environment(0, "info") {
			if n, found := strings.CutPrefix(line, "GOMAXPROCS="); found {
				return n
			}
		}
		return ""
	}
	before := runtime.GOMAXPROCS(runtime.NumCPU())
	defer runtime.GOMAXPROCS(before)
	if n := told(); n != "" {
		t.Errorf("all of them, and it is told %s", n)
	}
	if runtime.NumCPU() > 1 {
		runtime.GOMAXPROCS(1)
		if n := told(); n != "1" {
			t.Errorf("one of them, and it is told %q", n)
		}
	}
}

// A plugin that looks for secrets finds nothing but its own.
func TestAPluginSeesNothingThatIsNotItsOwn(t *testing.T) {
	t.Setenv("BELFRY_TEST_SECRET", "secret-of-the-daemon")
	data := t.TempDir()
	for name, text := range map[string]string{"belfry.db": "secret-in-the-store", "belfry.yaml": "token: secret-in-the-configuration"} {
		if err := os.WriteFile(filepath.Join(data, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := newFixture(t, func(c *Config) {
		c.Command = func(kind string) (Command, error) {
			command, err := ownCommand(kind)
			command.Foreign = kind == "spy"
			return command, err
		}
	})
	other := f.open("good", "other", map[string]any{"secret": "secret-of-another-instance"})
	mustFetch(t, source(t, other))
	look := []any{data, filepath.Join(data, "belfry.db"), filepath.Join(data, "belfry.yaml"), "/proc/" + f.status("good").PID + "/environ", f.dir}
	conn, err := f.Open(t.Context(), "spy", nil, sdk.Settings{Instance: "spy"}, map[string]any{"secret": "secret-of-its-own", "look": look})
	if err != nil {
		t.Fatal(err)
	}
	// It sees the address of the message that it is to send, and no other: not that of another medium, of somebody whose permit is
	// over, or of a message to another instance.
	messenger, ok := sdk.As[sdk.Messenger](conn)
	if !ok {
		t.Fatal("it cannot write to anybody")
	}
	beside, err := f.Open(t.Context(), "spy", nil, sdk.Settings{Instance: "beside"}, map[string]any{"secret": "x"})
	if err != nil {
		t.Fatal(err)
	}
	besides, _ := sdk.As[sdk.Messenger](beside)
	write := func(to sdk.Messenger, p sdk.Permit, content sdk.MessageContent) error {
		_, err := to.Message(t.Context(), sdk.NewDirectMessage(p, content))
		return err
	}
	content := sdk.MessageContent{Template: "hello", Slots: map[string]string{"since": "2026"}}
	if err := errors.Join(write(messenger, sdktest.Permit(t, "m1", "spy", "reader@example.invalid"), content),
		write(besides, sdktest.Permit(t, "m2", "spy", "beside@example.invalid"), sdk.MessageContent{Template: "hello"})); err != nil {
		t.Fatal(err)
	}
	over := sdktest.PermitFor(t, "m3", "spy", "late@example.invalid", sdk.PurposeDelivery, time.Now().Add(-time.Minute))
	wantCode(t, write(messenger, over, content), sdk.CodeNoConsent)
	wantCode(t, write(messenger, sdktest.Permit(t, "m4", "email", "mail@example.invalid"), content), sdk.CodeInvalid)
	found := mustFetch(t, source(t, conn)).Notices
	told := slices.DeleteFunc(slices.Clone(found), func(line string) bool {
		return !strings.HasPrefix(line, "told ") && !strings.Contains(line, "@example.invalid")
	})
	if want := []string{`told m1 delivery spy reader@example.invalid {"Common":null,"Slots":{"since":"2026"},"Template":"hello","Parameters":null,"Buttons":null,"ReplyTo":""}`}; !slices.Equal(told, want) {
		t.Errorf("of people it was told %q", told)
	}
	refused := 0
	for _, line := range found {
		name, rest, _ := strings.Cut(line, " ")
		switch name {
		case "refused":
			refused++
		case "read":
			t.Errorf("it read %s", rest)
		case "open":
			if outside := strings.HasPrefix(rest, "/") && rest != "/dev/null"; outside {
				t.Errorf("a file was left open for it: %s", rest)
			}
		}
		for _, secret := range []string{"secret-of-the-daemon", "secret-in-the-store", "secret-in-the-configuration", "secret-of-another-instance"} {
			if strings.Contains(line, secret) {
				t.Errorf("it found %q", line)
			}
		}
	}
	if refused != 18+len(look) {
		t.Errorf("%d places were refused:\n%s", refused, strings.Join(found, "\n"))
	}
}

// examples are the sources that Belfry ships as examples of plugins, each as a folder with a program: how it is built, what it is
// given, and what it must find. An example that is added belongs here; the connector among them runs in the sandbox in the
// tests of package plugintest.
var examples = []example{
	{name: "notes", build: func(t *testing.T) Command { path, _ := buildExample(t); return Command{Path: path} }, typ: "notes",
		options: func(readable string) map[string]any { return map[string]any{"folder": readable} }, readable: map[string]string{"fire.txt": "Fire at the station\n\nTrains do not run.\n"},
		want: "Fire at the station"},
	{name: "notes in Python", build: pythonNotes, typ: "notes-py",
		options: func(readable string) map[string]any { return map[string]any{"folder": readable} }, readable: map[string]string{"fire.txt": "Fire at the station\n\nTrains do not run.\n"},
		want: "Fire at the station"},
}

// pythonNotes lays the example in Python into a folder, as a plugin of several files.
func pythonNotes(t *testing.T) Command {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "notes")
	if err := os.CopyFS(folder, examplepython.Files()); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "notes.py")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	return Command{Path: program, Folder: folder}
}

type example struct {
	name, typ string
	build     func(t *testing.T) Command
	// readable are files in a folder that the configuration lets it read.
	readable map[string]string
	options  func(readable string) map[string]any
	// want is the title of the first item.
	want string
}

// Every example runs in the sandbox as it is shipped: with the limits that are the defaults, and with no file but its own
// and what the configuration names.
func TestTheExamplesRunInTheSandbox(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			readable := t.TempDir()
			for name, text := range e.readable {
				if err := os.WriteFile(filepath.Join(readable, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			command := e.build(t)
			command.Foreign = true
			for _, allowed := range []bool{true, false} {
				if allowed {
					command.Read = []string{readable}
				} else {
					command.Read = nil
				}
				f := newFixture(t, func(c *Config) {
					c.Limits.Memory = 0 // the default; what is tested was not built with the race detector
					c.Command = func(string) (Command, error) { return command, nil }
				})
				conn, err := f.Open(t.Context(), e.typ, nil, sdk.Settings{Instance: e.name}, e.options(readable))
				if err != nil {
					t.Fatalf("%v\n%s", err, f.log)
				}
				b, err := source(t, conn).Fetch(t.Context(), sdk.FetchRequest{})
				if allowed && (err != nil || len(b.Items) == 0 || b.Items[0].Title != e.want) {
					t.Errorf("got %+v %v\n%s", b.Items, err, f.log)
				}
				if !allowed && len(e.readable) > 0 && err == nil {
					t.Errorf("it read what nobody let it read: %+v", b.Items)
				}
			}
		})
	}
}

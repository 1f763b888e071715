//go:build linux

package pluginhost

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// When a file of the system was replaced, a confined process makes room for another one: no call is lost, and nobody is to
// blame.
func TestAConfinedProcessIsRenewed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) {
		c.Command = func(kind string) (Command, error) {
			command, err := ownCommand(kind)
			command.Foreign = true
			return command, err
		}
	})
	conn := source(t, f.open("good", "a", map[string]any{}))
	mustFetch(t, conn)
	k := f.kind("good")
	k.mu.Lock()
	first := k.shared
	if first.stamp == "" || first.outdated(f.now().Add(2*renewEvery)) {
		t.Errorf("it is outdated before anything changed (%q)", first.stamp)
	}
	first.stamp, first.looked = strings.Replace(first.stamp, " ", " 0", 1), f.now().Add(-2*renewEvery)
	k.mu.Unlock()
	mustFetch(t, conn)
	<-first.judged
	mustFetch(t, conn)
	k.mu.Lock()
	second := k.shared
	k.mu.Unlock()
	if second == nil || second == first {
		t.Fatal("it was not renewed")
	}
	f.Renew("good")
	mustFetch(t, conn)
	<-second.judged
	s := f.status("good")
	if s.Crashes != 0 || s.Starts != 3 || len(s.Instances) != 1 || s.Instances[0].State != StateWell || s.Instances[0].Strikes != 0 {
		t.Errorf("%+v", s)
	}
}

// Belfry's own kinds are not confined, and live as long as they are used.
func TestOwnProcessesAreNotRenewed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mustFetch(t, source(t, f.open("good", "a", map[string]any{})))
	k := f.kind("good")
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shared.outdated(f.now().Add(2 * renewEvery)) {
		t.Error("it is outdated")
	}
}

// notingEar is an ear that notes when it begins and ends to listen, and whose message "slow" waits for a file.
type notingEar struct{ *ear }

func notingEarSpec() *sdk.Spec {
	return sdk.Define("noting-ear", "hears people, and notes it", postmanConfig{}, func(_ context.Context, _ sdk.Settings, c postmanConfig) (*notingEar, error) {
		return &notingEar{&ear{&postman{c.Folder}}}, nil
	})
}

func (n *notingEar) note(what string) { appendLine(filepath.Join(n.folder, "noted"), what) }

func appendLine(path, line string) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		panic(err)
	}
}

func (n *notingEar) Listen(ctx context.Context, from sdk.Cursor) (sdk.Events, error) {
	events, err := n.ear.Listen(ctx, from)
	n.note("begins")
	return &notedEvents{events, n}, err
}

type notedEvents struct {
	sdk.Events
	n *notingEar
}

func (e *notedEvents) Close() error {
	e.n.note("ends")
	return e.Events.Close()
}

func (n *notingEar) Message(_ context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	if m.Template == "slow" {
		n.note("writes")
		for !exists(filepath.Join(n.folder, "written")) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return sdk.MessageRef{ID: m.ID()}, nil
}

// TestARenewedProcessStopsListening: its successor listens alone, at once, although a call of somebody else goes on in the old one; and
// nothing that people say is lost.
func TestARenewedProcessStopsListening(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Limits.Grace = time.Minute })
	folders := map[string]string{"listener": t.TempDir(), "writer": t.TempDir()}
	conns := map[string]sdk.Connector{}
	for name, folder := range folders {
		conns[name] = f.open("noting-ear", name, map[string]any{"folder": folder})
	}
	noted := func(name string) []string {
		b, _ := os.ReadFile(filepath.Join(folders[name], "noted"))
		return strings.Fields(string(b))
	}
	l, _ := sdk.As[sdk.Listener](conns["listener"])
	events, err := l.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	failed := make(chan error, 1)
	next := func() { // waited for below
		event, _, err := events.Next(t.Context())
		if err != nil {
			failed <- err
			return
		}
		heard <- event.Text
	}
	hears := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		case err := <-failed:
			t.Fatal(err)
		}
	}
	go next()
	await(t, "it listens", func() bool { return slices.Equal(noted("listener"), []string{"begins"}) })
	written := make(chan error, 1)
	go func() { // waited for below
		m, _ := sdk.As[sdk.Messenger](conns["writer"])
		_, err := m.Message(t.Context(), sdk.NewDirectMessage(sdktest.Permit(t, "slow", "noting-ear", "reader@example.invalid"), sdk.MessageContent{Template: "slow"}))
		written <- err
	}()
	await(t, "it writes", func() bool { return slices.Equal(noted("writer"), []string{"writes"}) })
	k := f.kind("noting-ear")
	k.mu.Lock()
	first := k.shared
	k.mu.Unlock()

	f.Renew("noting-ear")
	await(t, "its successor listens alone", func() bool { return slices.Equal(noted("listener"), []string{"begins", "ends", "begins"}) })
	appendLine(filepath.Join(folders["listener"], "said"), "message one")
	hears("one")
	if first.gone() {
		t.Error("the old process ended under a call")
	}

	// Between two calls the plugin goes on listening for a while, which ends as well.
	f.Renew("noting-ear")
	await(t, "nobody listens", func() bool { return slices.Equal(noted("listener"), []string{"begins", "ends", "begins", "ends"}) })
	appendLine(filepath.Join(folders["listener"], "said"), "message two")
	go next()
	hears("two")
	appendLine(filepath.Join(folders["writer"], "written"), "")
	if err := <-written; err != nil {
		t.Errorf("the message of the old process: %v", err)
	}
	<-first.judged
	if s := f.status("noting-ear"); s.Crashes != 0 || s.Starts != 3 {
		t.Errorf("%+v", s)
	}
}

//go:build linux

package pluginhost

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// ear is a postman that also hears: the lines of a file.
type ear struct{ *postman }

func earSpec() *sdk.Spec {
	return sdk.Define("ear", "writes to people and hears them", postmanConfig{}, func(_ context.Context, _ sdk.Settings, c postmanConfig) (*ear, error) {
		return &ear{&postman{c.Folder}}, nil
	})
}

func (e *ear) Listen(ctx context.Context, from sdk.Cursor) (sdk.Events, error) {
	at, _ := strconv.Atoi(string(from))
	out := &lineEvents{path: filepath.Join(e.folder, "said"), at: at}
	out.open, out.end = context.WithCancel(context.WithoutCancel(ctx))
	return out, nil
}

type lineEvents struct {
	path string
	at   int
	open context.Context
	end  context.CancelFunc
}

func (e *lineEvents) Close() error { e.end(); return nil }

func (e *lineEvents) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	for {
		b, _ := os.ReadFile(e.path)
		if lines := strings.Split(strings.TrimSpace(string(b)), "\n"); len(b) > 0 && e.at < len(lines) {
			kind, text, _ := strings.Cut(lines[e.at], " ")
			e.at++
			return sdk.InboxEvent{ID: strconv.Itoa(e.at), Kind: sdk.EventKind(kind), From: sdk.Handle{Value: "reader@example.invalid"}, Text: text}, sdk.Cursor(strconv.Itoa(e.at)), nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return sdk.InboxEvent{}, nil, ctx.Err()
		case <-e.open.Done():
			return sdk.InboxEvent{}, nil, e.open.Err()
		}
	}
}

// TestHearingThroughAProcess: it goes on when the process ends under it, takes no turn from messages, and lets nothing through that was
// not agreed to.
func TestHearingThroughAProcess(t *testing.T) {
	t.Parallel()
	var refused []string
	f := newFixture(t, func(c *Config) {
		c.Limits.Calls, c.Limits.Queue, c.Limits.BackoffMin, c.Limits.BackoffMax = 1, 1, time.Millisecond, time.Millisecond
		c.Hears = func(string) []sdk.EventKind { return []sdk.EventKind{sdk.EventMessage} }
		c.Refused = func(kind, why string) { refused = append(refused, kind+" "+why) }
	})
	folder := t.TempDir()
	conn := f.open("ear", "an ear", map[string]any{"folder": folder})
	l, hears := sdk.As[sdk.Listener](conn)
	m, writes := sdk.As[sdk.Messenger](conn)
	if _, receives := sdk.As[sdk.Receiver](conn); !hears || !writes || receives {
		t.Fatalf("it hears %t, writes %t, receives %t", hears, writes, receives)
	}
	say := func(line string) {
		t.Helper()
		file, err := os.OpenFile(filepath.Join(folder, "said"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := fmt.Fprintln(file, line); err != nil {
			t.Fatal(err)
		}
	}
	events, err := l.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	heard := make(chan string)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // ended below
		for {
			event, _, err := events.Next(ctx)
			if err != nil {
				done <- err
				return
			}
			heard <- event.From.Medium + " " + event.Text
		}
	}()
	write := func(do string) error {
		_, err := m.Message(t.Context(), sdk.NewDirectMessage(sdktest.Permit(t, do, "ear", "reader@example.invalid"), sdk.MessageContent{Template: do}))
		return err
	}
	say("message one")
	if got := <-heard; got != "ear one" {
		t.Errorf("heard %q", got)
	}
	await(t, "it writes while it waits", func() bool { return write("well") == nil })
	wantCode(t, write("exit"), sdk.CodeUnknownOutcome)
	say("stop nothing")
	say("message two")
	if got := <-heard; got != "ear two" {
		t.Errorf("heard %q", got)
	}
	await(t, "it writes again", func() bool { return write("well") == nil })
	cancel()
	wantCode(t, <-done, sdk.CodeUnavailable)
	if !slices.Equal(slices.Compact(refused), []string{"ear kind"}) || strings.Contains(f.log.String(), "reader@") || !strings.Contains(f.log.String(), "tells of what cannot be taken") {
		t.Errorf("refused is %q; the log:\n%s", refused, f.log)
	}
}

// TestAnOldEar: a program that hears people and does not say of what it tells, as those from before hearing crossed, is used for what
// else it can do.
func TestAnOldEar(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.AnyType = true })
	types, err := f.Offers(t.Context(), "old-ear")
	if err != nil {
		t.Fatal(err)
	}
	if roles := f.usable(types[0]); len(types) != 1 || !slices.Equal(roles, []sdk.Role{sdk.RoleMessenger}) {
		t.Errorf("it can %v of %v", roles, types)
	}
	if !strings.Contains(f.log.String(), "does not say of what it tells on its medium") {
		t.Errorf("the log:\n%s", f.log)
	}
}

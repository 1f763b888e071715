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
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// ear is a postman that also hears: the lines of a file. It notes when it begins to listen and when it ends, and where.
type ear struct{ *postman }

func earSpec() *sdk.Spec {
	return sdk.Define("ear", "writes to people and hears them", postmanConfig{}, func(_ context.Context, _ sdk.Settings, c postmanConfig) (*ear, error) {
		return &ear{&postman{c.Folder}}, nil
	})
}

// Message of the template "until" leaves when the test lets it.
func (e *ear) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	ref, err := e.postman.Message(ctx, m)
	for m.Template == "until" && !exists(filepath.Join(e.folder, "leave")) {
		time.Sleep(time.Millisecond)
	}
	return ref, err
}

func (e *ear) note(what string) {
	f, err := os.OpenFile(filepath.Join(e.folder, "ears"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = fmt.Fprintln(f, what, os.Getpid())
		_ = f.Close()
	}
}

func (e *ear) Listen(ctx context.Context, from sdk.Cursor) (sdk.Events, error) {
	e.note("begins")
	at, _ := strconv.Atoi(string(from))
	out := &lineEvents{path: filepath.Join(e.folder, "said"), at: at, ended: sync.OnceFunc(func() { e.note("ends") })}
	out.open, out.end = context.WithCancel(context.WithoutCancel(ctx))
	return out, nil
}

type lineEvents struct {
	path  string
	at    int
	open  context.Context
	end   context.CancelFunc
	ended func()
}

func (e *lineEvents) Close() error { e.end(); e.ended(); return nil }

func (e *lineEvents) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	for {
		b, _ := os.ReadFile(e.path)
		if lines := strings.Split(strings.TrimSpace(string(b)), "\n"); len(b) > 0 && e.at < len(lines) {
			kind, text, _ := strings.Cut(lines[e.at], " ")
			if e.at++; kind == "exit" {
				os.Exit(9)
			}
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

// talk is an ear with somebody who writes to it, and listens to it all the time.
type talk struct {
	t      *testing.T
	folder string
	i      *instance
	m      sdk.Messenger
	heard  chan string
	// stop ends the listening, and gives its error.
	stop func() error
}

func newTalk(t *testing.T, f *fixture, name string) *talk {
	t.Helper()
	// It notes until its process has ended, and so until the fixture is gone.
	k := &talk{t: t, folder: filepath.Join(f.dir, "talk-"+name), heard: make(chan string)}
	if err := os.Mkdir(k.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	conn := f.open("ear", name, map[string]any{"folder": k.folder})
	l, hears := sdk.As[sdk.Listener](conn)
	m, writes := sdk.As[sdk.Messenger](conn)
	if _, receives := sdk.As[sdk.Receiver](conn); !hears || !writes || receives {
		t.Fatalf("it hears %t, writes %t, receives %t", hears, writes, receives)
	}
	k.m = m
	kind := f.kind("ear")
	kind.mu.Lock()
	for i := range kind.instances {
		if i.settings.Instance == name {
			k.i = i
		}
	}
	kind.mu.Unlock()
	events, err := l.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for {
			event, _, err := events.Next(ctx)
			switch {
			case ctx.Err() != nil:
				done <- err
				return
			case err == nil:
				select {
				case k.heard <- event.From.Medium + " " + event.Text:
				case <-ctx.Done():
				}
			default:
				time.Sleep(time.Millisecond) // and again, as the daemon does
			}
		}
	}()
	k.stop = sync.OnceValue(func() error { cancel(); err := <-done; _ = events.Close(); return err })
	t.Cleanup(func() { _ = k.stop() })
	return k
}

// say writes to the ear.
func (k *talk) say(lines ...string) {
	k.t.Helper()
	file, err := os.OpenFile(filepath.Join(k.folder, "said"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		k.t.Fatal(err)
	}
	defer file.Close()
	for _, line := range lines {
		if _, err := fmt.Fprintln(file, line); err != nil {
			k.t.Fatal(err)
		}
	}
}

// hears says something, and waits until it is heard.
func (k *talk) hears(what string) {
	k.t.Helper()
	k.say("message " + what)
	if got := <-k.heard; got != "ear "+what {
		k.t.Errorf("heard %q", got)
	}
}

// write has the ear write to somebody, or do something else.
func (k *talk) write(do string) error {
	_, err := k.m.Message(k.t.Context(), sdk.NewDirectMessage(sdktest.Permit(k.t, do, "ear", "reader@example.invalid"), sdk.MessageContent{Template: do}))
	return err
}

// noted gives the lines of one of the ear's files.
func (k *talk) noted(file string) []string {
	b, err := os.ReadFile(filepath.Join(k.folder, file))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// shared is the process that is shared now.
func (f *fixture) shared(kind string) *process {
	k := f.kind(kind)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shared
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
	k := newTalk(t, f, "an ear")
	k.hears("one")
	await(t, "it waits for the next", func() bool { return f.shared("ear").underWay()[k.i].waits == 1 })
	if calls := f.status("ear").Calls; calls != 0 {
		t.Errorf("listening takes %d turns", calls)
	}
	if err := k.write("well"); err != nil {
		t.Errorf("while it waits it does not write: %v", err)
	}
	wantCode(t, k.write("exit"), sdk.CodeUnknownOutcome)
	k.say("stop nothing")
	k.hears("two")
	await(t, "it writes again", func() bool { return k.write("well") == nil })
	wantCode(t, k.stop(), sdk.CodeUnavailable)
	if !slices.Equal(slices.Compact(refused), []string{"ear kind"}) || strings.Contains(f.log.String(), "reader@") || !strings.Contains(f.log.String(), "tells of what cannot be taken") {
		t.Errorf("refused is %q; the log:\n%s", refused, f.log)
	}
}

// TestWhoWritesIsNotClearedByListening: a message that ends the process is found out by itself, whoever listened meanwhile; and the
// process that the others share ends once.
func TestWhoWritesIsNotClearedByListening(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	a, b := newTalk(t, f, "a"), newTalk(t, f, "b")
	a.hears("one")
	b.hears("one")
	wantCode(t, a.write("exit"), sdk.CodeUnknownOutcome)
	for range 2 {
		a.hears("two")
		b.hears("two")
	}
	if a, b := f.instance("ear", "a"), f.instance("ear", "b"); a.State != StateSuspect || b.State != StateWell {
		t.Errorf("a: %+v, b: %+v", a, b)
	}
	shared := f.shared("ear")
	wantCode(t, a.write("exit"), sdk.CodeUnknownOutcome)
	if err := b.write("well"); err != nil {
		t.Error(err)
	}
	if i := f.instance("ear", "a"); i.Strikes != 1 || f.status("ear").Crashes != 1 || f.shared("ear") != shared {
		t.Errorf("%+v, after %d ends of what is shared", i, f.status("ear").Crashes)
	}
	await(t, "its message leaves", func() bool { return a.write("well") == nil })
	await(t, "it is cleared", func() bool { return f.instance("ear", "a").State == StateWell })
	a.hears("three")
}

// TestWhoListensIsFoundOut: an event that ends the process is nobody else's fault, whether others only listened or had a message
// under way, which is suspected first.
func TestWhoListensIsFoundOut(t *testing.T) {
	t.Parallel()
	for name, writes := range map[string]bool{"others listen": false, "others write": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			a, b := newTalk(t, f, "a"), newTalk(t, f, "b")
			a.hears("one")
			b.hears("one")
			wrote := make(chan error, 1)
			ends := 1
			if writes {
				go func() { wrote <- b.write("until") }()
				await(t, "the message", func() bool { return len(b.noted("calls")) > 0 })
				ends = 2
			}
			a.say("exit now")
			await(t, "the hold", func() bool { return f.instance("ear", "a").State == StateHeld })
			b.hears("two")
			if writes {
				wantCode(t, <-wrote, sdk.CodeUnknownOutcome)
			}
			if err := b.write("well"); err != nil {
				t.Error(err)
			}
			await(t, "the other is cleared", func() bool { return f.instance("ear", "b").State == StateWell })
			if s := f.status("ear"); s.Crashes != ends || f.instance("ear", "b").Strikes != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestNobodyListensBesideASuccessor: who only waits leaves a process that is renewed at once, while it goes on with what another one
// does there.
func TestNobodyListensBesideASuccessor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	a, b := newTalk(t, f, "a"), newTalk(t, f, "b")
	a.hears("one")
	b.hears("one")
	first := f.shared("ear")
	wrote := make(chan error, 1)
	go func() { wrote <- b.write("until") }()
	await(t, "the message, and both wait", func() bool {
		n := first.underWay()
		return len(b.noted("calls")) > 0 && n[a.i].waits == 1 && n[b.i] == underWay{1, 1}
	})
	f.Renew("ear")
	a.hears("two")
	b.hears("two")
	if first.gone() {
		t.Error("the process ended during a message")
	}
	second := f.shared("ear")
	if second == nil || second == first {
		t.Fatal("there is no successor")
	}
	// b's message keeps it open there, so that its order is not certain.
	want := []string{"begins " + first.run.ID(), "ends " + first.run.ID(), "begins " + second.run.ID()}
	if got := a.noted("ears"); !slices.Equal(got, want) {
		t.Errorf("listening went %q, wanted is %q", got, want)
	}
	if !slices.Contains(b.noted("ears"), want[2]) {
		t.Errorf("listening went %q", b.noted("ears"))
	}
	await(t, "who has no call is closed there", func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		return first.opened[a.i] == nil && first.opened[b.i] != nil
	})
	if err := os.WriteFile(filepath.Join(b.folder, "leave"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	<-first.judged
	if s := f.status("ear"); s.Crashes != 0 || s.Starts != 2 {
		t.Errorf("%+v", s)
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

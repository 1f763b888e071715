//go:build linux

package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/plugin"
)

// culprit is one way in which a plugin misbehaves.
type culprit struct {
	name string
	// kind is what the process is started as; empty for "bad", whose option do says what goes wrong.
	kind, do string
	// cursor makes a "liar" lie.
	cursor string
	// hangs says that the call ends only when it is given up, starts how long a process may take to start.
	hangs  bool
	starts time.Duration
	// code and says are of the error that the caller gets; no code when the call itself goes well.
	code sdk.Code
	says string
	// logged is what the operator reads in the log, where the call itself says nothing.
	logged string
	// ends says that the process is gone afterwards; held that, called again and again, it is not called any more.
	ends, held bool
}

// culprits are the fourteen of which the daemon promises that they cost nobody else anything; some come in two ways.
func culprits() []culprit {
	const givenUp, left = "the call was given up", `msg="plugin left processes behind, which were ended"`
	return append(memoryCulprits(), []culprit{
		{name: "exits at once", kind: "exits", code: sdk.CodeUnavailable, says: "ended before it was ready (exit status 7)", ends: true, held: true},
		{name: "crash loop", do: "crash", code: sdk.CodeUnavailable, says: "broke off the call", ends: true, held: true},
		{name: "hangs in handshake", kind: "silent", starts: time.Second, code: sdk.CodeUnavailable, says: "not ready within 1s", ends: true},
		{name: "hangs in call", do: "hang", hangs: true, code: sdk.CodeUnavailable, says: givenUp, ends: true},
		{name: "ignores SIGTERM", kind: "deaf"},
		{name: "forks a grandchild", do: "leave a child", logged: left},
		{name: "forks a grandchild that leaves", do: "leave a child in a session of its own", logged: left},
		{name: "spins", do: "spin", hangs: true, code: sdk.CodeUnavailable, says: givenUp, ends: true},
		{name: "prints a 1 GB line", do: "write a line of 1 GB", code: sdk.CodeUnavailable, says: "broke off the call", logged: "it wrote more than 32 MiB to its log at once", ends: true},
		{name: "wrong protocol version", kind: "wrong-version", code: sdk.CodeUnavailable, says: "speaks version 7 of the plugin protocol", ends: true},
		// What it answers is nobody's, and it is asked again by itself.
		{name: "answers with another's ids", kind: "liar", cursor: "another's ids", logged: "plugin answers calls that nobody made"},
		{name: "an endless stream", kind: "liar", cursor: "items without end", code: sdk.CodeTooLarge, says: "more than 20000 items"},
		{name: "an endless stream of nothing", kind: "liar", cursor: "messages without end", code: sdk.CodeTooLarge, says: "more than 1000 parts without anything in them"},
		{name: "one item of 1 GB", kind: "liar", cursor: "an item of 1 GB", code: sdk.CodeTooLarge, says: "larger than the 16 MiB"},
		{name: "invalid UTF-8", kind: "liar", cursor: "invalid UTF-8", code: sdk.CodeUnavailable, says: "cannot be read"},
		{name: "duplicate ids", kind: "liar", cursor: "duplicate ids", code: sdk.CodeInvalid, says: `the key "1" stands for two items`},
	}...)
}

// ownType is the culprit's type as a plugin of its own: the nth of culprits.
func ownType(n int) string { return fmt.Sprint("culprit-", n) }

// culpritOf gives the culprit of an ownType.
func culpritOf(typ string) (culprit, bool) {
	for n, c := range culprits() {
		if ownType(n) == typ {
			return c, true
		}
	}
	return culprit{}, false
}

// serve runs as the culprit, which misbehaves without being told to.
func (c culprit) serve(typ string) {
	switch c.kind {
	case "":
		plugin.Serve(badSpec(typ, c.do))
	case "liar":
		serveRaw(&rawPlugin{typ: typ, lie: c.cursor})
	case "deaf":
		plugin.Serve(goodSpec(typ))
		forever()
	default:
		servePlugin(c.kind)
	}
}

// neighbour is an innocent plugin of another kind, called all the time.
type neighbour struct {
	calls  atomic.Int64
	failed atomic.Pointer[error]
	stop   func()
}

func newNeighbour(f *fixture) *neighbour {
	s := source(f.t, f.open("good", "neighbour", map[string]any{}))
	mustFetch(f.t, s)
	n := &neighbour{}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond) // often, and not so that it is the load itself
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			b, err := s.Fetch(ctx, sdk.FetchRequest{})
			if err == nil && (len(b.Items) != 1 || b.Items[0].Key != "0") {
				err = fmt.Errorf("the answer is somebody else's: %+v", b)
			}
			if err != nil && ctx.Err() == nil {
				n.failed.Store(&err)
				return
			}
			n.calls.Add(1)
		}
	})
	n.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	return n
}

// TestMisbehaviour is the suite of plugins that misbehave. Of each it holds: the host lives, the calls of another plugin go
// on and well while the culprit does its worst, nothing of the culprit remains, and the caller or the log says what happened.
// How long the calls of the other plugin take meanwhile is measured by BenchmarkNeighbour.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for _, c := range culprits() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			beside := newNeighbour(f)
			defer beside.stop()
			before := f.status("good")
			if c.starts > 0 {
				f.limits.Start = c.starts // from now on: the neighbour may have needed longer
			}

			began := ""
			if c.hangs {
				began = filepath.Join(t.TempDir(), "began")
			}
			fetch := c.call(f, began)
			ctx, giveUp := context.WithCancel(context.Background())
			defer giveUp()
			call := func() error { return fetch(ctx) }
			failed := make(chan error, 1)
			under := make(chan struct{})
			var calling sync.WaitGroup
			calling.Go(func() { close(under); failed <- call() })
			<-under
			atStart := beside.calls.Load()
			if c.hangs {
				await(t, "the culprit's call", func() bool { return exists(began) })
				atStart = beside.calls.Load()
				await(t, "calls of the neighbour meanwhile", func() bool { return beside.calls.Load() >= atStart+20 || beside.failed.Load() != nil })
				giveUp()
			}
			err := <-failed
			calling.Wait()
			if c.code == "" && err != nil {
				t.Errorf("the call itself goes well, and gave %v", err)
			} else if c.code != "" {
				wantCode(t, err, c.code, c.says)
				wantAlert(t, err, alert.SourceFailing, "source culprit cannot be read: plugin "+c.kindName()+": ")
			}
			if c.held {
				await(t, "the hold", func() bool {
					var held *HeldError
					return errors.As(call(), &held)
				})
				err := call()
				wantCode(t, err, sdk.CodeUnavailable, "is held since", "a reload calls it again")
				wantAlert(t, err, alert.PluginHeld, "source culprit is not read any more, because plugin "+c.kindName()+" failed too often")
			}
			if c.ends {
				await(t, "the end of the process", func() bool { return !f.alive(c.kindName()) })
			}
			await(t, "calls of the neighbour", func() bool { return beside.calls.Load() >= atStart+20 || beside.failed.Load() != nil })
			beside.stop()
			if err := beside.failed.Load(); err != nil {
				t.Errorf("a call of the neighbour failed: %v", *err)
			}
			if after := f.status("good"); after.PID != before.PID || after.Starts != 1 || after.Crashes != 0 {
				t.Errorf("the neighbour's process was %+v and is %+v", before, after)
			}
			f.close()
			if !strings.Contains(f.log.String(), c.logged) {
				t.Errorf("the log does not say %q:\n%.3000s", c.logged, f.log)
			}
			await(t, "the end of everything that was started", func() bool { return len(sandbox.Marked(f.dir)) == 0 })
		})
	}
}

// wantAlert checks what the operator is told of an error, once it has come three times in a row: the daemon decides so.
func wantAlert(t *testing.T, err error, code alert.Code, sentence string) {
	t.Helper()
	st, told := intake.State{}, []alert.Alert(nil)
	for range 3 {
		ch := intake.Fail(intake.Rules{Name: "culprit", Poll: time.Minute}, st, sdk.AsError(err), time.Unix(1_800_000_000, 0), 0)
		st, told = ch.State, ch.Alerts
	}
	if len(told) != 1 || told[0].Code != code || !strings.HasPrefix(told[0].Sentence, sentence) || !strings.Contains(told[0].Mend, "belfry source fetch culprit") {
		t.Errorf("the operator is told %+v; want %s: %s", told, code, sentence)
	}
}

func (c culprit) kindName() string {
	if c.kind == "" {
		return "bad"
	}
	return c.kind
}

// call opens the culprit and gives what calls it. The first call makes the file began, unless that is empty.
func (c culprit) call(f *fixture, began string) func(ctx context.Context) error {
	var s sdk.Source
	switch c.kind {
	case "":
		s = source(f.t, f.open("bad", "culprit", map[string]any{"do": c.do, "once": began}))
	default:
		s = source(f.t, mustOpenKind(f.t, f, c.kind))
	}
	return func(ctx context.Context) error {
		b, err := s.Fetch(ctx, sdk.FetchRequest{Cursor: sdk.Cursor(c.cursor)})
		if string(b.Next) == "stolen" {
			return errors.New("it got the answer to a call that it did not make")
		}
		return err
	}
}

// alive reports whether a process of a kind runs.
func (f *fixture) alive(kind string) bool {
	for _, pid := range sandbox.Marked(f.dir) {
		if args := arguments(pid); len(args) == 3 && args[2] == kind {
			return true
		}
	}
	return false
}

func arguments(pid int) []string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
}

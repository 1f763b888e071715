package sdktest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"
)

// labelKey marks the goroutines of one check: a goroutine inherits the labels of the one that starts it, so whatever the
// connector starts can be found again, while other tests run.
const labelKey = "belfry-sdktest"

type labels struct {
	value string
	ctx   context.Context
}

// labelGoroutine marks the goroutine that calls it.
func labelGoroutine() *labels {
	l := &labels{}
	l.value = fmt.Sprintf("%p", l) // unlike any other while the check runs
	l.ctx = pprof.WithLabels(context.Background(), pprof.Labels(labelKey, l.value))
	pprof.SetGoroutineLabels(l.ctx)
	return l
}

func (l *labels) context() context.Context { return l.ctx }

// restore takes the mark from the goroutine that calls it.
func (l *labels) restore() { pprof.SetGoroutineLabels(context.Background()) }

// left waits until no other goroutine carries the mark, and gives the stacks of those that still do.
func (l *labels) left(wait time.Duration) string {
	l.restore()
	defer pprof.SetGoroutineLabels(l.ctx)
	until := time.Now().Add(wait)
	for {
		stacks := l.stacks()
		if stacks == "" || time.Now().After(until) {
			return stacks
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (l *labels) stacks() string {
	var b bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
	mark := fmt.Sprintf("%q:%q", labelKey, l.value)
	var found []string
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(stack, mark) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

// secretLog keeps what a connector logs.
type secretLog struct {
	mu    sync.Mutex
	lines []string
	attrs []slog.Attr
	up    *secretLog
}

// Enabled implements slog.Handler.
func (l *secretLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l *secretLog) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { line.WriteString(" " + a.String()); return true })
	for _, a := range l.attrs {
		line.WriteString(" " + a.String())
	}
	root := l
	for root.up != nil {
		root = root.up
	}
	root.mu.Lock()
	defer root.mu.Unlock()
	root.lines = append(root.lines, line.String())
	return nil
}

// WithAttrs implements slog.Handler.
func (l *secretLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &secretLog{up: l, attrs: append(append([]slog.Attr(nil), l.attrs...), attrs...)}
}

// WithGroup implements slog.Handler; what stands in a group is kept like the rest.
func (l *secretLog) WithGroup(string) slog.Handler { return &secretLog{up: l, attrs: l.attrs} }

func (l *secretLog) holds(secret string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, secret) {
			return line, true
		}
	}
	return "", false
}

// testLog writes what the far side of a Loopback logs to the test, as long as that runs.
type testLog struct {
	to    *testOutput
	attrs string
}

type testOutput struct {
	mu   sync.Mutex
	tb   testing.TB
	over bool
}

func newTestLog(tb testing.TB) *testLog {
	to := &testOutput{tb: tb}
	tb.Cleanup(func() {
		to.mu.Lock()
		defer to.mu.Unlock()
		to.over = true
	})
	return &testLog{to: to}
}

// Enabled implements slog.Handler.
func (l *testLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l *testLog) Handle(_ context.Context, r slog.Record) error {
	line := fmt.Sprintf("%s %s%s", r.Level, r.Message, l.attrs)
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	l.to.mu.Lock()
	defer l.to.mu.Unlock()
	if !l.to.over {
		l.to.tb.Log(line)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (l *testLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := &testLog{to: l.to, attrs: l.attrs}
	for _, a := range attrs {
		out.attrs += " " + a.String()
	}
	return out
}

// WithGroup implements slog.Handler.
func (l *testLog) WithGroup(string) slog.Handler { return l }

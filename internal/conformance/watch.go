package conformance

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

// LabelKey marks the goroutines of one check: a goroutine inherits the labels of the one that starts it, so whatever the
// connector starts can be found again, while other tests run.
const LabelKey = "belfry-sdktest"

type labels struct {
	value string
	ctx   context.Context
}

// labelGoroutine marks the goroutine that calls it.
func labelGoroutine() *labels {
	l := &labels{}
	l.value = fmt.Sprintf("%p", l) // unlike any other while the check runs
	l.ctx = pprof.WithLabels(context.Background(), pprof.Labels(LabelKey, l.value))
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
	mark := fmt.Sprintf("%q:%q", LabelKey, l.value)
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

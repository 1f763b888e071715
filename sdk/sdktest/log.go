package sdktest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
)

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

package conformance

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Record runs one check outside a Go test and keeps what it says.
type Record struct {
	ctx context.Context

	mu       sync.Mutex
	failures []string
	waived   string
	cleanups []func()
}

// Run runs a check and everything that it left to Cleanup. It gives what it found wrong, and why there was nothing to check,
// where the connector does not promise what the check is about.
func Run(ctx context.Context, c Check) (failures []string, waived string) {
	r := &Record{ctx: ctx}
	r.apart(func() { c.Run(r) })
	for {
		r.mu.Lock()
		last := slices.Clone(r.cleanups)
		r.cleanups = nil
		r.mu.Unlock()
		if len(last) == 0 {
			break
		}
		for _, f := range slices.Backward(last) {
			r.apart(f)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures, r.waived
}

// apart runs f where Fatal may end the goroutine. A panic is a failure of the check.
func (r *Record) apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.fail(fmt.Sprintf("the check itself failed: %v", p))
			}
		}()
		f()
	}()
	<-done
}

func (r *Record) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, text)
}

// waive ends a check of something that the connector does not promise. A Go test has no word for that, and passes.
func waive(tb T, why string) {
	if r, ok := tb.(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.waived = why
	}
}

// Helper implements T.
func (r *Record) Helper() {}

// Context implements T.
func (r *Record) Context() context.Context { return r.ctx }

// Cleanup implements T.
func (r *Record) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// Errorf implements T.
func (r *Record) Errorf(format string, args ...any) { r.fail(fmt.Sprintf(format, args...)) }

// Error implements T.
func (r *Record) Error(args ...any) { r.fail(fmt.Sprint(args...)) }

// Fatalf implements T: it ends the check.
func (r *Record) Fatalf(format string, args ...any) {
	r.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// Fatal implements T: it ends the check.
func (r *Record) Fatal(args ...any) { r.fail(fmt.Sprint(args...)); runtime.Goexit() }

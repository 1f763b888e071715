package memory

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSample looks at the memory profile before and after somebody asked for it; nothing else may run meanwhile.
func TestSample(t *testing.T) {
	before := runtime.MemProfileRate
	defer func() { runtime.MemProfileRate = before }()
	NoSamples()
	if rate := runtime.MemProfileRate; rate != 0 {
		t.Fatalf("a sample each %d bytes before anybody asked", rate)
	}
	if !Sample() || Sample() {
		t.Error("the profile begins twice, or never")
	}
	if rate := runtime.MemProfileRate; rate != sampleEvery {
		t.Errorf("a sample each %d bytes, want %d", rate, sampleEvery)
	}
	runtime.MemProfileRate = 4096
	if NoSamples(); runtime.MemProfileRate != 4096 {
		t.Error("a rate that was chosen does not stay")
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, c := range map[string]struct {
		live    uint64
		grown   []uint64 // between looks
		percent int
		release []bool
	}{
		"busy with little that lives":   {1 * mib, []uint64{20 * mib}, most, []bool{false}},
		"busy with more that lives":     {6 * mib, []uint64{20 * mib}, 200, []bool{false}},
		"busy with much that lives":     {90 * mib, []uint64{20 * mib}, usual, []bool{false}},
		"busy before anything is known": {0, []uint64{20 * mib}, most, []bool{false}},
		"rest after work": {4 * mib, []uint64{20 * mib, 0, 0, 0, 0, 0, 0}, usual,
			[]bool{false, false, false, false, false, true, false}},
		"rest that is broken": {4 * mib, []uint64{20 * mib, 0, 0, 0, 0, mib, 0, 0, 0, 0, 0}, usual,
			[]bool{false, false, false, false, false, false, false, false, false, false, true}},
		"not for so little": {4 * mib, []uint64{mib, 0, 0, 0, 0, 0, 0}, usual, make([]bool, 7)},
		"a trickle adds up": {4 * mib, []uint64{mib / 2, mib / 2, mib / 2, mib / 2, mib / 2, mib / 2, mib / 2, mib / 2, mib / 2}, usual,
			[]bool{false, false, false, false, false, false, false, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch{percent: usual}
			u := usage{live: c.live}
			for i, grown := range c.grown {
				u.allocated += grown
				percent, release := w.look(u)
				w.percent = percent
				if release != c.release[i] {
					t.Errorf("look %d: release is %v", i, release)
				}
			}
			if w.percent != c.percent {
				t.Errorf("the heap may grow by %d %%, want %d", w.percent, c.percent)
			}
		})
	}
}

func TestWatchEnds(t *testing.T) {
	before := debug.SetGCPercent(150)
	defer debug.SetGCPercent(before)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { Watch(ctx); close(done) }()
		time.Sleep(time.Minute)
		cancel()
		<-done
	})
	if now := debug.SetGCPercent(150); now != 150 {
		t.Errorf("the heap may grow by %d %% afterwards, want what was set before", now)
	}
}

// Package memory lets the process use more memory while there is much to do, and gives back what it does not need when
// there is nothing.
package memory

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// lookEvery is how often the process looks at itself.
	lookEvery = time.Second
	// busyFrom is how much a busy process allocates between two looks, restBelow one that rests; in bytes.
	busyFrom, restBelow = 16 << 20, 512 << 10
	// restAfter is how many looks in a row must find rest before memory is given back.
	restAfter = 5
	// worthwhile is how much must have been allocated since memory was last given back, in bytes: each time costs a
	// collection of everything.
	worthwhile = 4 << 20
	// roomy is the size that a small heap may grow to while there is much to do, in bytes: collections become rarer. A
	// large heap keeps to Go's default, to double.
	roomy = 12 << 20
	// most and usual are the growth of the heap between two collections, in per cent of what lives.
	most, usual = 400, 100
)

// sampleEvery is how many bytes are allocated for each sample of the memory profile; Go's own default.
const sampleEvery = 512 << 10

// NoSamples leaves the memory profile empty until somebody asks for one: Go keeps every stack that it ever sampled, which made a
// busy daemon grow by most of a mebibyte an hour. It is the first that a program calls. Another rate than Go's default, chosen
// by GODEBUG=memprofilerate, stays as it is.
func NoSamples() {
	if runtime.MemProfileRate == sampleEvery {
		runtime.MemProfileRate = 0
	}
}

// sampling is held while Sample looks at the rate.
var sampling sync.Mutex

// Sample begins the memory profile. It is true when the profile had not begun: what is allocated from now on is in it.
func Sample() (began bool) {
	sampling.Lock()
	defer sampling.Unlock()
	if runtime.MemProfileRate > 0 {
		return false
	}
	runtime.MemProfileRate = sampleEvery
	return true
}

// Watch looks after the memory of the process until ctx ends. Another growth of the heap than Go's default, chosen by
// GOGC, stays as it is.
func Watch(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	before := debug.SetGCPercent(usual)
	defer debug.SetGCPercent(before)
	debug.SetGCPercent(before)
	w := watch{percent: usual, last: read().allocated}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		percent, release := w.look(read())
		if before == usual && percent != w.percent {
			w.percent = percent
			debug.SetGCPercent(percent)
		}
		if release {
			GiveBack()
		}
	}
}

// GiveBack gives back at once what the process does not need. It is for one that will only wait from now on.
func GiveBack() {
	runtime.GC() // what pools hold survives one collection
	debug.FreeOSMemory()
	unmapProgram()
}

// usage is what the runtime says of the heap: all that was ever allocated, and what lived at the last collection, in bytes.
type usage struct{ allocated, live uint64 }

func read() usage {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return usage{s[0].Value.Uint64(), s[1].Value.Uint64()}
}

// watch is what is known from earlier looks.
type watch struct {
	percent        int
	last, released uint64 // what had been allocated at the last look, and when memory was last given back
	resting        int    // looks in a row that found rest
}

// look decides on the growth of the heap, and whether memory is given back now.
func (w *watch) look(u usage) (percent int, release bool) {
	grown := u.allocated - w.last
	w.last = u.allocated
	percent = w.percent
	switch {
	case grown >= busyFrom:
		w.resting = 0
		percent = int(min(max(roomy*100/max(u.live, 1), usual), most))
	case grown <= restBelow:
		if w.resting++; w.resting >= restAfter {
			percent = usual
			if release = u.allocated-w.released >= worthwhile; release {
				w.released = u.allocated
			}
		}
	default:
		w.resting = 0
	}
	return percent, release
}

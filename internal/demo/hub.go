package demo

import (
	"sync"
	"time"
)

// hub tells everybody who looks that something changed. What changed they find out themselves.
type hub struct {
	mu      sync.Mutex
	viewers map[chan struct{}]bool
	seen    time.Time // when somebody last asked for anything
}

func newHub() *hub { return &hub{viewers: map[chan struct{}]bool{}, seen: time.Now()} }

// Changed wakes the viewers.
func (h *hub) Changed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.viewers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Join adds a viewer, and gives the function that takes it away.
func (h *hub) Join() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.viewers[c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.viewers, c)
		h.seen = time.Now()
	}
}

// Seen notes that somebody asked for something.
func (h *hub) Seen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = time.Now()
}

// Watched reports whether somebody looks, and Alone for how long nobody has asked for anything.
func (h *hub) Watched() (viewers bool, alone time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.viewers) > 0, time.Since(h.seen)
}

// Package lanes keeps one lane for each destination, and its promise is that a lane that is replaced has ended before its
// successor begins.
package lanes

import (
	"context"
	"sync"
)

// Lane serves one destination.
type Lane interface {
	// Start begins to serve, until Stop or the end of ctx.
	Start(ctx context.Context)
	// Stop starts nothing more and waits until what is under way has ended, or soon after ctx has.
	Stop(ctx context.Context)
	// Wake makes the lane look for work now.
	Wake()
}

// Set are the lanes of an engine, by the names of their destinations. The zero value holds none.
type Set[L Lane] struct {
	mu    sync.Mutex
	lanes map[string]L
}

// End ends the lanes that do not stay, one after the other.
func (s *Set[L]) End(ctx context.Context, stays func(name string, l L) bool) {
	for _, l := range s.take(stays) {
		l.Stop(ctx)
	}
}

// Begin starts a lane under a name that has none, within ctx.
func (s *Set[L]) Begin(ctx context.Context, name string, open func() L) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, runs := s.lanes[name]; runs {
		return
	}
	if s.lanes == nil {
		s.lanes = map[string]L{}
	}
	l := open()
	s.lanes[name] = l
	l.Start(ctx)
}

// Wake makes every lane look for work now.
func (s *Set[L]) Wake() {
	for _, l := range s.All() {
		l.Wake()
	}
}

// All gives the lanes that run, in no order.
func (s *Set[L]) All() []L {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]L, 0, len(s.lanes))
	for _, l := range s.lanes {
		out = append(out, l)
	}
	return out
}

// Stop ends all lanes at once.
func (s *Set[L]) Stop(ctx context.Context) {
	var wg sync.WaitGroup
	for _, l := range s.take(func(string, L) bool { return false }) {
		wg.Go(func() { l.Stop(ctx) })
	}
	wg.Wait()
}

// take gives the lanes that do not stay, which are in the set no more.
func (s *Set[L]) take(stays func(name string, l L) bool) (out []L) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, l := range s.lanes {
		if !stays(name, l) {
			out = append(out, l)
			delete(s.lanes, name)
		}
	}
	return out
}

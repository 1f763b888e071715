package direct

import (
	"cmp"
	"context"
	"time"
)

// pace measures how fast messages leave.
type pace struct {
	since time.Time
	count int
	rate  float64 // a second
}

func (p *pace) add(now time.Time) {
	if p.since.IsZero() || now.Sub(p.since) > 5*time.Second {
		p.since, p.count = now, 0
		return
	}
	p.count++
	if d := now.Sub(p.since); d >= 100*time.Millisecond {
		p.rate, p.since, p.count = float64(p.count)/d.Seconds(), now, 0
	}
}

// window is how many messages leave in windowFor, at least one for each connection as long as nothing was measured, and for
// a streamer always: its connections each hold one while they send another, whatever the rate.
func (p *pace) window(connections int, streams bool) int {
	n := int(p.rate * windowFor.Seconds())
	if p.rate == 0 || streams {
		n = max(n, connections)
	}
	return min(max(n, 1), maxWindow*connections)
}

// room waits until fewer messages wait to be taken than a window has, so that one window is started while another is sent,
// and until one more leaves no more without an outcome than a kill may make unknown: two windows of 32 for each connection.
func (l *lane) room(ctx context.Context) bool {
	for {
		l.mu.Lock()
		c := l.parallel()
		w := l.pace.window(c, l.connections > 0)
		l.until = func() bool {
			n := l.writing + len(l.ready)
			return n < w && n+len(l.under)+w <= 2*maxWindow*c
		}
		there := l.until()
		if there {
			l.until = nil
		}
		l.mu.Unlock()
		if there {
			return true
		}
		select {
		case <-l.moved:
		case <-ctx.Done():
			l.mu.Lock()
			l.until = nil
			l.mu.Unlock()
			return false
		}
	}
}

// stir wakes the pump if what it waits for is there: thousands of messages move between two windows. l.mu is held.
func (l *lane) stir() {
	if l.until == nil || l.until() {
		signal(l.moved)
	}
}

func (l *lane) window() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pace.window(l.parallel(), l.connections > 0)
}

// size is how many messages are claimed at once: no more than leave in a second, so that what is more urgent waits no longer.
func (l *lane) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(max(int(l.pace.rate), maxWindow), batchSize)
}

// fast says that the next batch is claimed while one starts, because the claim would be waited for.
func (l *lane) fast() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pace.rate > 4*batchSize
}

// parallel is how many messages are under way at once; l.mu is held.
func (l *lane) parallel() int { return cmp.Or(l.connections, l.d.connections()) }

func (d Destination) connections() int { return max(d.Parallel, 1) }

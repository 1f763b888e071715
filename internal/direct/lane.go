package direct

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
)

// lane serves one destination.
type lane struct {
	e    *Engine
	d    Destination
	wake chan struct{}
	// moved says that a message was taken or has an outcome; see stir.
	moved  chan struct{}
	ended  chan struct{}
	known  *policy.Zones
	limits []*rate.Limiter
	stopC  context.CancelFunc // starts nothing more
	kill   context.CancelFunc // gives up what is under way
	// written is closed when the last window is prepared. It belongs to the pump.
	written <-chan struct{}

	mu sync.Mutex
	// writing counts started messages whose text is being written, ready are those that nobody has taken; under are those that
	// were taken.
	writing int
	ready   []*item
	under   map[string]*item
	results []settled
	// settling counts those that have an outcome which is not among the results yet.
	settling int
	pace     pace
	// over how many connections a streamer works; zero when it has not said.
	connections int
	over        bool
	// until is what the pump waits for; nil when anything that moves is worth a look.
	until   func() bool
	arrived chan struct{} // closed and made anew when something is ready or the lane is over
}

// item is a started message.
type item struct {
	start consent.Start
	text  Text
	took  time.Time
	batch *batch
}

// batch is one that was claimed. It belongs to the pump.
type batch struct {
	consent.Batch
	behind int // how many have started, or were refused at their start
	left   int // started messages without a recorded outcome
}

func newLane(e *Engine, d Destination) *lane {
	return &lane{e: e, d: d, wake: make(chan struct{}, 1), moved: make(chan struct{}, 1), ended: make(chan struct{}), under: map[string]*item{}, arrived: make(chan struct{}), limits: limits(d.Conn, d.Rates, d.NoRates)}
}

// Wake implements lanes.Lane.
func (l *lane) Wake() { signal(l.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Start implements lanes.Lane.
func (l *lane) Start(parent context.Context) {
	running, stop := context.WithCancel(parent)
	sending, kill := context.WithCancel(context.WithoutCancel(parent))
	l.stopC, l.kill = stop, kill
	go func() {
		defer close(l.ended)
		var senders sync.WaitGroup
		senders.Go(func() { l.send(sending) })
		l.pump(running, sending)
		senders.Wait()
	}()
}

// Stop starts nothing more and waits for what is under way until ctx ends.
func (l *lane) Stop(ctx context.Context) {
	l.stopC()
	defer l.kill()
	select {
	case <-l.ended:
	case <-ctx.Done():
		l.kill()
		select {
		case <-l.ended:
		case <-time.After(time.Second): // a connector that ignores its context is left alone with its messages
		}
	}
}

// pump claims batches, starts their windows, and settles what came back. A batch that has started is left to its end while
// the next one starts.
func (l *lane) pump(running, sending context.Context) {
	defer l.finish()
	var ending []*batch
	var ahead chan claimed
	for running.Err() == nil {
		var c claimed
		if ahead != nil {
			c, ahead = <-ahead, nil
		} else {
			c = l.claim(running)
		}
		switch {
		case c.err != nil:
			if running.Err() == nil {
				l.e.s.Log.Error("messages cannot be claimed", "destination", l.d.Name, "err", c.err)
			}
			l.pause(running, idlePoll)
		case c.batch != nil:
			if l.fast() {
				ahead = make(chan claimed, 1)
				go func() { ahead <- l.claim(running) }() // received above or below
			}
			ending = l.serve(running, c.batch, ending)
		case len(ending) == 0:
			l.rest(running)
		}
		if c.batch == nil && len(ending) > 0 {
			l.end(sending, ending)
			ending = nil
		}
	}
	if ahead != nil {
		if c := <-ahead; c.batch != nil {
			ending = append(ending, c.batch)
		}
	}
	l.end(sending, ending)
}

type claimed struct {
	batch *batch
	err   error
}

func (l *lane) claim(ctx context.Context) claimed {
	if l.e.blocked.Load() {
		return claimed{}
	}
	b, err := l.e.s.Store.ClaimMessages(ctx, l.d.Name, l.e.s.Now(), leaseTime, l.size())
	if b == nil {
		return claimed{err: err}
	}
	return claimed{batch: &batch{Batch: *b}, err: err}
}

// rest waits until there can be something to claim.
func (l *lane) rest(ctx context.Context) {
	wait := idlePoll
	if at, err := l.e.s.Store.NextMessages(ctx, l.d.Name); err == nil && !at.IsZero() {
		wait = min(max(at.Sub(l.e.s.Now()), 5*time.Millisecond), idlePoll)
	}
	l.pause(ctx, wait)
}

func (l *lane) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.wake:
	case <-t.C:
	}
}

// serve starts the windows of a batch one after the other, each while the one before is being sent. ending are batches that
// have started before; it gives those that are left, with this one.
func (l *lane) serve(running context.Context, b *batch, ending []*batch) []*batch {
	now := l.e.s.Now
	for b.behind < len(b.People) && running.Err() == nil && !l.e.blocked.Load() {
		if !l.room(running) {
			break
		}
		if b.LeaseUntil.Sub(now()) < l.d.Timeout+5*time.Second {
			break // what is left is claimed again
		}
		at := now()
		base, digest, err := l.e.s.Writer.Facts(running, b.Stream, at)
		if err != nil {
			l.e.s.Log.Error("a message cannot be made ready", "destination", l.d.Name, "stream", b.Stream.ID, "err", err)
			l.pause(running, idlePoll)
			break
		}
		results := l.take()
		over, open := ended(ending, results)
		sleepBefore, pause := time.Time{}, time.Duration(0)
		if ask, then := l.e.s.Writer.Sunset(); ask > 0 {
			sleepBefore, pause = at.Add(-ask), then
		}
		j := judge{base: base, digest: digest, now: at, zones: l.zones(), pauseAfter: pause}
		begun, err := l.e.s.People.Start(running, l.e.s.Store, consent.Window{Batch: b.Batch, Size: l.window(), Results: resultsOf(results), Ended: over, Now: at, Lease: leaseTime,
			Until: at.Add(2 * l.d.Timeout), SleepBefore: sleepBefore, Heard: base.Rules.ReplyWindow > 0 || base.Rules.TheyBegin, Week: base.Caps.PerWeek > 0}, j.decide)
		if err != nil {
			if errors.Is(err, consent.ErrPaused) {
				recorded(results)
			} else {
				l.give(results)
			}
			if !errors.Is(err, consent.ErrFence) && !errors.Is(err, consent.ErrPaused) && running.Err() == nil {
				l.e.s.Log.Error("messages cannot be started", "destination", l.d.Name, "err", err)
				l.pause(running, idlePoll)
			}
			break
		}
		recorded(results)
		if len(over) > 0 {
			ending = open
			l.told()
		}
		b.LeaseUntil, b.behind, b.left = at.Add(leaseTime), begun.All, b.left+begun.N
		l.prepare(running, b, begun)
	}
	return append(ending, b)
}

// prepare writes the texts of started messages and makes them ready to be taken, while the pump starts the next ones. Windows
// are prepared one after the other.
func (l *lane) prepare(ctx context.Context, b *batch, begun consent.Begun) {
	l.prepared()
	l.mu.Lock()
	l.writing = begun.N
	l.mu.Unlock()
	done := make(chan struct{})
	l.written = done
	go func() { // received by prepared
		defer close(done)
		l.write(context.WithoutCancel(ctx), b, begun)
	}()
}

// prepared waits until the texts of the last window are written.
func (l *lane) prepared() {
	if l.written != nil {
		<-l.written
		l.written = nil
	}
}

// write writes the texts of a window.
func (l *lane) write(ctx context.Context, b *batch, begun consent.Begun) {
	all, items := make([]item, 0, begun.N), make([]*item, 0, l.d.connections())
	for s := range begun.Messages {
		text, reason, err := Text{}, "sealed", s.Broken
		if err == nil {
			reason = "template"
			text, err = l.e.s.Writer.Text(ctx, s)
		}
		if err != nil {
			l.e.s.Log.Error("a message cannot be made", "destination", l.d.Name, "stream", b.Stream.ID, "reason", reason, "err", err)
			l.unwritten(settled{consent.Result{Stream: s.Stream.ID, Person: s.Person, State: consent.MessageFailed, Reason: reason, Error: short(err), At: l.e.s.Now(), Again: true}, b})
			continue
		}
		all = append(all, item{start: s, text: text, batch: b})
		if items = append(items, &all[len(all)-1]); len(items) == l.d.connections() {
			l.offer(items)
			items = items[:0]
		}
	}
	l.offer(items)
}

// zones finds the zones of people; they are loaded once.
func (l *lane) zones() *policy.Zones {
	if site := l.e.s.Writer.Zone(); l.known == nil || l.known.Site != site {
		l.known = &policy.Zones{Site: site}
	}
	return l.known
}

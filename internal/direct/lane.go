package direct

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/sdk"
)

// lane serves one destination.
type lane struct {
	e    *Engine
	d    Destination
	wake chan struct{}
	// pulled says that a message was taken or has an outcome, so that there is room for more.
	moved  chan struct{}
	ended  chan struct{}
	known  *policy.Zones
	limits []*rate.Limiter
	stopC  context.CancelFunc // starts nothing more
	kill   context.CancelFunc // gives up what is under way

	mu sync.Mutex
	// ready are started messages that nobody has taken; under are those that were taken.
	ready   []item
	under   map[string]item
	results []consent.Result
	pace    pace
	over    bool
	arrived chan struct{} // closed and made anew when something is ready or the lane is over
}

// item is a started message.
type item struct {
	start consent.Start
	text  Text
	took  time.Time
}

func newLane(e *Engine, d Destination) *lane {
	return &lane{e: e, d: d, wake: make(chan struct{}, 1), moved: make(chan struct{}, 1), ended: make(chan struct{}), under: map[string]item{}, arrived: make(chan struct{}), limits: limits(d.Conn, d.Rates, d.NoRates)}
}

func (l *lane) wakeUp() { signal(l.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *lane) start(parent context.Context) {
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

// stop starts nothing more and waits for what is under way until ctx ends.
func (l *lane) stop(ctx context.Context) {
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

// pump claims batches, starts their windows, and settles what came back.
func (l *lane) pump(running, sending context.Context) {
	defer l.finish()
	for running.Err() == nil {
		b, err := l.claim(running)
		if err != nil {
			if running.Err() == nil {
				l.e.s.Log.Error("messages cannot be claimed", "destination", l.d.Name, "err", err)
			}
			l.pause(running, idlePoll)
			continue
		}
		if b == nil {
			l.rest(running)
			continue
		}
		l.serve(running, sending, *b)
	}
}

func (l *lane) claim(ctx context.Context) (*consent.Batch, error) {
	if l.e.isBlocked() {
		return nil, nil
	}
	return l.e.s.Store.ClaimMessages(ctx, l.d.Name, l.e.s.Now(), leaseTime, batchSize)
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

// serve starts the windows of a batch one after the other, each while the one before is being sent, and ends the batch when
// all of it has an outcome.
func (l *lane) serve(running, sending context.Context, b consent.Batch) {
	store, now := l.e.s.Store, l.e.s.Now
	behind := 0
	for behind < len(b.People) && running.Err() == nil && !l.e.isBlocked() {
		if !l.room(running) {
			break
		}
		if b.LeaseUntil.Sub(now()) < l.d.Timeout+5*time.Second {
			break // what is left is claimed again
		}
		results := l.take()
		at := now()
		base, digest, err := l.e.s.Writer.Facts(running, b.Stream, at)
		if err != nil {
			l.e.s.Log.Error("a message cannot be made ready", "destination", l.d.Name, "stream", b.Stream.ID, "err", err)
			l.give(results)
			l.pause(running, idlePoll)
			break
		}
		j := judge{base: base, digest: digest, now: at, zones: l.zones()}
		started, all, err := l.e.s.People.Start(running, store, consent.Window{Batch: b, Size: l.window(), Results: results, Now: at, Lease: leaseTime, Until: at.Add(2 * l.d.Timeout)}, j.decide)
		if err != nil && len(started) == 0 {
			if !errors.Is(err, consent.ErrPaused) {
				l.give(results)
			}
			if errors.Is(err, consent.ErrFence) || errors.Is(err, consent.ErrPaused) || running.Err() != nil {
				break
			}
			l.e.s.Log.Error("messages cannot be started", "destination", l.d.Name, "err", err)
			l.pause(running, idlePoll)
			break
		}
		b.LeaseUntil = at.Add(leaseTime)
		behind = all
		for _, s := range started {
			text, terr := l.e.s.Writer.Text(sending, s)
			if terr != nil {
				l.e.s.Log.Error("a message cannot be written", "destination", l.d.Name, "stream", b.Stream.ID, "err", terr)
				l.settle(consent.Result{Stream: s.Stream.ID, Person: s.Person, State: consent.MessageFailed, Reason: "template", Error: short(terr), At: now(), Again: true})
				continue
			}
			l.offer(item{start: s, text: text})
		}
	}
	l.endBatch(sending, b)
}

// zones finds the zones of people; they are loaded once.
func (l *lane) zones() *policy.Zones {
	if site := l.e.s.Writer.Zone(); l.known == nil || l.known.Site != site {
		l.known = &policy.Zones{Site: site}
	}
	return l.known
}

// endBatch waits for the outcomes of what was started, records them, and takes the batch away.
func (l *lane) endBatch(sending context.Context, b consent.Batch) {
	for {
		l.mu.Lock()
		left := len(l.ready) + len(l.under)
		l.mu.Unlock()
		if left == 0 || sending.Err() != nil {
			break
		}
		if b.LeaseUntil.Sub(l.e.s.Now()) < 5*time.Second {
			return // recovery finds what has no outcome
		}
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-l.moved:
		case <-sending.Done():
		case <-t.C:
		}
		t.Stop()
		if results := l.take(); len(results) > 0 {
			if err := l.e.s.Store.SettleMessages(context.WithoutCancel(sending), results); err != nil {
				l.give(results)
				l.e.s.Log.Error("what became of messages cannot be recorded", "destination", l.d.Name, "err", err)
				l.pause(sending, 100*time.Millisecond)
			}
		}
	}
	if sending.Err() != nil {
		l.withdrawReady()
	}
	results := l.take()
	ctx := context.WithoutCancel(sending)
	for {
		l.mu.Lock()
		gaveUp := len(l.under) > 0
		l.mu.Unlock()
		var err error
		if gaveUp {
			err = l.e.s.Store.SettleMessages(ctx, results) // the next start finds the rest unknown
		} else {
			err = l.e.s.Store.EndBatch(ctx, b, results, l.e.s.Now())
		}
		if err == nil {
			break
		}
		l.e.s.Log.Error("what became of messages cannot be recorded", "destination", l.d.Name, "err", err)
		if sending.Err() != nil || b.LeaseUntil.Before(l.e.s.Now()) {
			return
		}
		l.pause(sending, 100*time.Millisecond)
	}
	if l.e.s.Settled != nil {
		l.e.s.Settled()
	}
}

// withdrawReady takes back what was started and never taken: it never left.
func (l *lane) withdrawReady() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range l.ready {
		l.results = append(l.results, consent.Result{Stream: i.start.Stream.ID, Person: i.start.Person, State: consent.MessagePending, Next: l.e.s.Now(), At: l.e.s.Now(), Again: true})
	}
	l.ready = nil
}

// finish tells the senders that nothing comes any more.
func (l *lane) finish() {
	l.mu.Lock()
	l.over = true
	close(l.arrived)
	l.mu.Unlock()
}

// room waits until fewer messages wait to be taken than a window has, so that one window is started while another is sent.
func (l *lane) room(ctx context.Context) bool {
	for {
		l.mu.Lock()
		n, w := len(l.ready), l.pace.window(l.d.connections())
		l.mu.Unlock()
		if n < w {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-l.moved:
		}
	}
}

func (l *lane) window() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pace.window(l.d.connections())
}

func (d Destination) connections() int { return max(d.Parallel, 1) }

// offer makes a started message ready to be taken.
func (l *lane) offer(i item) {
	l.mu.Lock()
	l.ready = append(l.ready, i)
	close(l.arrived)
	l.arrived = make(chan struct{})
	l.mu.Unlock()
}

// take gives the results that are not recorded yet; give brings them back.
func (l *lane) take() []consent.Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.results
	l.results = nil
	return out
}

func (l *lane) give(results []consent.Result) {
	l.mu.Lock()
	l.results = append(results, l.results...)
	l.mu.Unlock()
}

func (l *lane) settle(r consent.Result) {
	l.mu.Lock()
	l.results = append(l.results, r)
	l.mu.Unlock()
	signal(l.moved)
}

// send keeps the connector busy: a Streamer pulls by itself, a Messenger is called for each message.
func (l *lane) send(ctx context.Context) {
	streamer, streams := sdk.As[sdk.Streamer](l.d.Conn)
	messenger, writes := sdk.As[sdk.Messenger](l.d.Conn)
	for l.waitReady(ctx) {
		switch {
		case streams:
			if err := streamer.Stream(ctx, &pulled{l: l, idle: 2 * time.Second}); err != nil {
				l.failed(ctx, err)
			}
		case writes:
			l.writeEach(ctx, messenger)
		default:
			return
		}
	}
}

// failed waits after a stream that could not be opened: nothing was taken by it.
func (l *lane) failed(ctx context.Context, err error) {
	e := sdk.AsError(err)
	switch {
	case ctx.Err() != nil:
		return
	case e.Code == sdk.CodeUnauthenticated || e.Code == sdk.CodeForbidden:
		if serr := l.e.s.Store.StopDestination(ctx, l.d.Name, e.Code, e.Public, l.e.s.Now()); serr != nil {
			l.e.s.Log.Error("a destination cannot be stopped", "destination", l.d.Name, "err", serr)
		}
		l.withdrawReady()
		signal(l.moved)
	default:
		l.e.s.Log.Warn("messages cannot leave", "destination", l.d.Name, "code", e.Code, "err", err)
		l.withdrawLater(max(e.RetryAfter, 5*time.Second))
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// withdrawLater takes back what was started and never taken, until later.
func (l *lane) withdrawLater(wait time.Duration) {
	l.mu.Lock()
	at := l.e.s.Now()
	for _, i := range l.ready {
		l.results = append(l.results, l.again(i, at, wait, "unavailable", ""))
	}
	l.ready = nil
	l.mu.Unlock()
	signal(l.moved)
}

func (l *lane) again(i item, at time.Time, wait time.Duration, reason, text string) consent.Result {
	next := at.Add(wait)
	r := consent.Result{Stream: i.start.Stream.ID, Person: i.start.Person, State: consent.MessagePending, Reason: reason, Next: next, At: at, Error: text}
	if !next.Before(i.start.Stream.Expires) {
		r.State, r.Next = consent.MessageExpired, time.Time{}
	}
	return r
}

// writeEach calls a Messenger for each message, several at once.
func (l *lane) writeEach(ctx context.Context, m sdk.Messenger) {
	var wg sync.WaitGroup
	p := &pulled{l: l, idle: 2 * time.Second}
	for range l.d.connections() {
		wg.Go(func() {
			for {
				if !l.allowed(ctx) {
					return
				}
				msg, more := p.Next(ctx)
				if !more {
					return
				}
				call, cancel := context.WithTimeout(ctx, l.d.Timeout)
				ref, err := message(call, m, msg)
				cancel()
				p.Done(msg.ID(), ref, err)
			}
		})
	}
	wg.Wait()
}

// message calls the connector; a fault of it is an outcome that is not known.
func message(ctx context.Context, m sdk.Messenger, msg sdk.DirectMessage) (ref sdk.MessageRef, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sdk.Errorf(sdk.CodeUnknownOutcome, "message", "the connector failed while it wrote: %v", p)
		}
	}()
	return m.Message(ctx, msg)
}

// waitReady waits until something is ready to be taken; false when nothing comes any more.
func (l *lane) waitReady(ctx context.Context) bool {
	for {
		l.mu.Lock()
		n, over, arrived := len(l.ready), l.over, l.arrived
		l.mu.Unlock()
		switch {
		case n > 0:
			return ctx.Err() == nil
		case over || ctx.Err() != nil:
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-arrived:
		}
	}
}

package direct

import (
	"cmp"
	"context"
	"errors"
	"slices"
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
	ready   []*item
	under   map[string]*item
	results []settled
	// settling counts those that have an outcome which is not among the results yet.
	settling int
	pace     pace
	// over how many connections a streamer works; zero when it has not said.
	connections int
	over        bool
	arrived     chan struct{} // closed and made anew when something is ready or the lane is over
}

// item is a started message.
type item struct {
	start *consent.Start
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

// settled is an outcome that is not recorded yet.
type settled struct {
	consent.Result
	of *batch
}

func resultsOf(list []settled) []consent.Result {
	out := make([]consent.Result, len(list))
	for i, s := range list {
		out[i] = s.Result
	}
	return out
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
		started, all, err := l.e.s.People.Start(running, l.e.s.Store, consent.Window{Batch: b.Batch, Size: l.window(), Results: resultsOf(results), Ended: over, Now: at, Lease: leaseTime,
			Until: at.Add(2 * l.d.Timeout), SleepBefore: sleepBefore, Heard: base.Rules.ReplyWindow > 0 || base.Rules.TheyBegin, Week: base.Caps.PerWeek > 0}, j.decide)
		if err != nil && len(started) == 0 {
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
		b.LeaseUntil, b.behind, b.left = at.Add(leaseTime), all, b.left+len(started)
		l.prepare(running, b, started)
	}
	return append(ending, b)
}

// ended parts batches into those of which nothing is left once results are recorded, and the others.
func ended(ending []*batch, results []settled) (over []consent.Batch, open []*batch) {
	if len(ending) == 0 {
		return nil, nil
	}
	now := map[*batch]int{}
	for _, r := range results {
		now[r.of]++
	}
	for _, b := range ending {
		if b.left == now[b] {
			over = append(over, b.Batch)
		} else {
			open = append(open, b)
		}
	}
	return over, open
}

// recorded notes that outcomes are in the store.
func recorded(results []settled) {
	for _, r := range results {
		r.of.left--
	}
}

// prepare writes the texts of started messages and makes them ready to be taken.
func (l *lane) prepare(ctx context.Context, b *batch, started []consent.Start) {
	all, items := make([]item, len(started)), make([]*item, 0, l.d.connections())
	for i := range started {
		s := &started[i]
		if s.Broken != nil {
			l.e.s.Log.Error("a message cannot be addressed", "destination", l.d.Name, "stream", b.Stream.ID, "err", s.Broken)
			l.settle(settled{consent.Result{Stream: s.Stream.ID, Person: s.Person, State: consent.MessageFailed, Reason: "sealed", Error: short(s.Broken), At: l.e.s.Now(), Again: true}, b})
			continue
		}
		text, err := l.e.s.Writer.Text(context.WithoutCancel(ctx), *s)
		if err != nil {
			l.e.s.Log.Error("a message cannot be written", "destination", l.d.Name, "stream", b.Stream.ID, "err", err)
			l.settle(settled{consent.Result{Stream: s.Stream.ID, Person: s.Person, State: consent.MessageFailed, Reason: "template", Error: short(err), At: l.e.s.Now(), Again: true}, b})
			continue
		}
		all[i] = item{start: s, text: text, batch: b}
		if items = append(items, &all[i]); len(items) == l.d.connections() {
			l.offer(items)
			items = items[:0]
		}
	}
	l.offer(items)
}

func (l *lane) told() {
	if l.e.s.Settled != nil {
		l.e.s.Settled()
	}
}

// zones finds the zones of people; they are loaded once.
func (l *lane) zones() *policy.Zones {
	if site := l.e.s.Writer.Zone(); l.known == nil || l.known.Site != site {
		l.known = &policy.Zones{Site: site}
	}
	return l.known
}

// end waits for the outcomes of what was started, records them, and takes the batches away.
func (l *lane) end(sending context.Context, ending []*batch) {
	for len(ending) > 0 && sending.Err() == nil && l.unsettled() > 0 {
		now := l.e.s.Now()
		if ending = slices.DeleteFunc(ending, func(b *batch) bool { return b.left > 0 && b.LeaseUntil.Sub(now) < 5*time.Second }); len(ending) == 0 {
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
			if err := l.e.s.Store.SettleMessages(context.WithoutCancel(sending), resultsOf(results)); err != nil {
				l.give(results)
				l.e.s.Log.Error("what became of messages cannot be recorded", "destination", l.d.Name, "err", err)
				l.pause(sending, 100*time.Millisecond)
			} else {
				recorded(results)
			}
		}
	}
	if sending.Err() != nil {
		l.withdrawReady()
	}
	results := l.take()
	for _, b := range ending {
		l.endBatch(sending, b, results)
		results = nil
	}
	if len(ending) > 0 {
		l.told()
	}
}

// unsettled counts the messages that were started and whose outcome cannot be recorded yet.
func (l *lane) unsettled() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ready) + len(l.under) + l.settling
}

// endBatch records the last outcomes and takes a batch away. Of one that was given up with messages under way the next start
// finds these unknown.
func (l *lane) endBatch(sending context.Context, b *batch, results []settled) {
	ctx := context.WithoutCancel(sending)
	for {
		own := 0
		for _, r := range results {
			if r.of == b {
				own++
			}
		}
		var err error
		if b.left > own {
			err = l.e.s.Store.SettleMessages(ctx, resultsOf(results))
		} else {
			err = l.e.s.Store.EndBatch(ctx, b.Batch, resultsOf(results), l.e.s.Now())
		}
		if err == nil {
			recorded(results)
			return
		}
		l.e.s.Log.Error("what became of messages cannot be recorded", "destination", l.d.Name, "err", err)
		if sending.Err() != nil || b.LeaseUntil.Before(l.e.s.Now()) {
			l.give(results)
			return
		}
		l.pause(sending, 100*time.Millisecond)
	}
}

// withdrawReady takes back what was started and never taken: it never left.
func (l *lane) withdrawReady() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range l.ready {
		l.results = append(l.results, settled{consent.Result{Stream: i.start.Stream.ID, Person: i.start.Person, State: consent.MessagePending, Next: l.e.s.Now(), At: l.e.s.Now(), Again: true}, i.batch})
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

// room waits until fewer messages wait to be taken than a window has, so that one window is started while another is sent,
// and until one more leaves no more without an outcome than a kill may make unknown: two windows of 32 for each connection.
func (l *lane) room(ctx context.Context) bool {
	for {
		l.mu.Lock()
		c := l.parallel()
		n, w := len(l.ready), l.pace.window(c, l.connections > 0)
		out := n + len(l.under)
		l.mu.Unlock()
		if n < w && out+w <= 2*maxWindow*c {
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

// offer makes started messages ready to be taken.
func (l *lane) offer(list []*item) {
	if len(list) == 0 {
		return
	}
	l.mu.Lock()
	l.ready = append(l.ready, list...)
	close(l.arrived)
	l.arrived = make(chan struct{})
	l.mu.Unlock()
}

// take gives the results that are not recorded yet; give brings them back.
func (l *lane) take() []settled {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.results
	l.results = nil
	return out
}

func (l *lane) give(results []settled) {
	l.mu.Lock()
	l.results = append(results, l.results...)
	l.mu.Unlock()
}

func (l *lane) settle(r settled) {
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
		l.results = append(l.results, settled{l.again(i, at, wait, "unavailable", ""), i.batch})
	}
	l.ready = nil
	l.mu.Unlock()
	signal(l.moved)
}

func (l *lane) again(i *item, at time.Time, wait time.Duration, reason, text string) consent.Result {
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

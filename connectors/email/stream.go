package email

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Message sends one message. Its answer is the relay's: the reference is the Message-ID. Refusals have the code and scope of
// what they say, and a *Refusal as their cause.
//
// Errors: unavailable and rate_limited (nothing has left), unknown_outcome (the final dot may have left and nothing came
// back), gone (the address does not work any more), invalid with ScopePerson (not this time: a full mailbox, a malformed
// address) or ScopeTemplate (the text), too_large, unauthenticated and forbidden (the relay, or a policy: never about the
// person), no_consent (no permit, or its time is over), unsupported.
func (c *Connector) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	var ref sdk.MessageRef
	var outcome error
	settled := false
	done := func(_ string, r sdk.MessageRef, err error) { ref, outcome, settled = r, err, true }
	none := func() (sdk.DirectMessage, bool) { return sdk.DirectMessage{}, false }
	a := &assembler{c: c}
	// What cannot be built needs no connection.
	if _, err := a.build(m, nil); err != nil {
		return sdk.MessageRef{}, err
	}
	// A link may have ended while it rested; each round uses one up, and a fresh one always settles.
	for !settled {
		l, err := c.link(ctx)
		if err != nil {
			return sdk.MessageRef{}, err
		}
		stop := context.AfterFunc(ctx, l.abort)
		how := l.exchange(a, m, none, done)
		if !stop() {
			how.alive = false
		}
		c.release(l, how)
	}
	return ref, outcome
}

// link waits until a relay has room.
func (c *Connector) link(ctx context.Context) (*link, error) {
	for {
		l, busy, err := c.pool.get(ctx)
		switch {
		case l == nil && !busy:
			return nil, err
		case l != nil:
			if err := l.relay.turn(ctx); err != nil {
				c.pool.put(l)
				return nil, err
			}
			return l, nil
		case !sleep(ctx, 5*time.Millisecond):
			return nil, &sdk.Error{Code: sdk.CodeUnavailable, Op: "message", Public: "the relays were busy until the time was over", Err: ctx.Err()}
		}
	}
}

// turn waits until the relay's rate has room for a mail.
func (r *relay) turn(ctx context.Context) error {
	if r.limiter == nil {
		return nil
	}
	if err := r.limiter.Wait(ctx); err != nil {
		return &sdk.Error{Code: sdk.CodeUnavailable, Op: "message", Public: "the rate of " + r.target.host + " had no room until the time was over", Err: err}
	}
	return nil
}

// release gives a link back after its exchanges.
func (c *Connector) release(l *link, how ended) {
	if how.err != nil {
		l.relay.rest(how.err, c.pool.now())
	}
	if how.alive {
		c.pool.put(l)
	} else {
		c.pool.drop(l)
	}
}

// Stream pulls messages over as many connections as there is work for, until there are none or no relay can be used; the
// latter is its error, and what was taken and did not leave is settled as unavailable. When ctx ends, nothing more is begun,
// and what is under way is settled.
func (c *Connector) Stream(ctx context.Context, ms sdk.Messages) error {
	pulling, stop := context.WithCancel(ctx)
	defer stop()
	s := &stream{c: c, ms: ms, pulling: pulling, working: context.WithoutCancel(ctx), stop: stop,
		queue: make(chan sdk.DirectMessage, c.pool.size())}
	if m, asks := ms.(sdk.Connected); asks {
		m.Over(c.pool.size())
	}
	s.pull()
	close(s.queue)
	s.workers.Wait()
	for m := range s.queue {
		ms.Done(m.ID(), sdk.MessageRef{}, notSent(s.err))
	}
	return s.err
}

// stream is one Stream call. The caller's goroutine pulls; workers send. Workers are started as messages pile up.
type stream struct {
	c  *Connector
	ms sdk.Messages
	// pulling ends when nothing more is to be begun. working does not: what has begun is brought to its end.
	pulling, working context.Context
	stop             context.CancelFunc
	queue            chan sdk.DirectMessage
	workers          sync.WaitGroup
	waiting          atomic.Int32 // workers that have nothing to do

	mu      sync.Mutex
	running int
	err     error // why the stream failed
}

// pull takes messages and hands them to the workers.
func (s *stream) pull() {
	for {
		m, ok := s.ms.Next(s.pulling)
		if !ok {
			return
		}
		select {
		case s.queue <- m:
		case <-s.pulling.Done():
			s.ms.Done(m.ID(), sdk.MessageRef{}, notSent(s.failure()))
			return
		}
		s.mu.Lock()
		if n := len(s.queue); n > 0 && s.running < cap(s.queue) && (s.running == 0 || n > int(s.waiting.Load())) && s.pulling.Err() == nil {
			s.running++
			s.workers.Go(s.work)
		}
		s.mu.Unlock()
	}
}

// work sends what is in the queue, until nothing comes for a while or no relay can be used.
func (s *stream) work() {
	a := &assembler{c: s.c}
	l, err := s.connect()
	for l != nil {
		m, ok := s.take(l)
		if ok {
			l, err = s.send(l, a, m)
			continue
		}
		if s.leave(nil) {
			s.c.pool.put(l)
			return
		}
	}
	s.leave(err)
}

// leave ends a worker, unless messages wait that nobody else would send. The last one that found no relay ends the stream.
func (s *stream) leave(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && len(s.queue) > 0 && s.pulling.Err() == nil {
		return false
	}
	if s.running--; s.running == 0 && err != nil {
		s.err = err
		s.stop()
	}
	return true
}

func (s *stream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// errBusy is why a worker has no link when others have them all.
var errBusy = sdk.Errorf(sdk.CodeUnavailable, "connect", "the relays were busy until the work was ended")

// connect gets a link. Where all are in use it waits if it is the only worker; the others get along without it.
func (s *stream) connect() (*link, error) {
	for {
		l, busy, err := s.c.pool.get(s.working)
		if l != nil || !busy {
			return l, err
		}
		s.mu.Lock()
		only := s.running == 1
		s.mu.Unlock()
		if !only || !sleep(s.pulling, 5*time.Millisecond) {
			return nil, errBusy
		}
	}
}

// sleep is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// send sends a message and those that follow while there are any, and gives the link to go on with.
func (s *stream) send(l *link, a *assembler, m sdk.DirectMessage) (*link, error) {
	for {
		how := l.exchange(a, m, func() (sdk.DirectMessage, bool) { return s.next(l) }, s.ms.Done)
		if how.alive {
			return l, nil
		}
		s.c.release(l, how)
		fresh, err := s.connect()
		switch {
		case fresh == nil && how.unsent != nil:
			s.ms.Done(how.unsent.ID(), sdk.MessageRef{}, notSent(err))
			return nil, err
		case how.unsent == nil:
			return fresh, err
		}
		l, m = fresh, *how.unsent
	}
}

// next gives a message that is at hand, if the relay's rate has room for it.
func (s *stream) next(l *link) (sdk.DirectMessage, bool) {
	if len(s.queue) == 0 || s.pulling.Err() != nil || l.relay.limiter != nil && !l.relay.limiter.Allow() {
		return sdk.DirectMessage{}, false
	}
	select {
	case m, ok := <-s.queue:
		return m, ok
	default:
		return sdk.DirectMessage{}, false
	}
}

// take waits for a message; false when there are no more, or none came for a while.
func (s *stream) take(l *link) (sdk.DirectMessage, bool) {
	if l.relay.turn(s.pulling) != nil || s.pulling.Err() != nil {
		return sdk.DirectMessage{}, false
	}
	select {
	case m, ok := <-s.queue:
		return m, ok
	default:
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	idle := time.NewTimer(idleFor)
	defer idle.Stop()
	select {
	case m, ok := <-s.queue:
		return m, ok
	case <-idle.C:
		return sdk.DirectMessage{}, false
	}
}

// notSent is the outcome of a message that was taken and never left, with why.
func notSent(err error) error {
	if err == nil {
		return sdk.Errorf(sdk.CodeUnavailable, "message", "the work was ended before the mail had left")
	}
	e := *sdk.AsError(err)
	if e.Code == sdk.CodeUnknownOutcome {
		e.Code = sdk.CodeUnavailable
	}
	return &e
}

package direct

import (
	"context"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// offer makes started messages ready to be taken.
func (l *lane) offer(list []*item) {
	if len(list) == 0 {
		return
	}
	l.mu.Lock()
	l.writing -= len(list)
	l.ready = append(l.ready, list...)
	close(l.arrived)
	l.arrived = make(chan struct{})
	l.mu.Unlock()
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
	l.prepared()
	l.mu.Lock()
	l.over = true
	close(l.arrived)
	l.mu.Unlock()
}

package wire

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

type listenerServer struct {
	UnimplementedListenerServer
	s *Server
}

func (r *listenerServer) Listen(ctx context.Context, req *ListenRequest) (*ListenResponse, error) {
	out := &ListenResponse{}
	op := opListen()
	err := use(ctx, r.s, req, op, func(c sdk.Listener) (err error) {
		i := r.s.instance(req.GetHandle())
		if i == nil {
			return sdk.Errorf(sdk.CodeUnavailable, op.Name, "the instance is not open")
		}
		out, err = i.listening.listen(ctx, c, req, func(f func() error) error { return r.s.recovered(op, i.name, f) })
		return err
	})
	return out, err
}

type receiverServer struct {
	UnimplementedReceiverServer
	s *Server
}

func (r *receiverServer) Receive(ctx context.Context, req *ReceiveRequest) (*ReceiveResponse, error) {
	out := &ReceiveResponse{}
	op := opReceive()
	err := use(ctx, r.s, req, op, func(c sdk.Receiver) error {
		reply, events, err := c.ReceiveEvents(ctx, fromWebhookRequest(req.GetRequest()))
		if err != nil {
			return err
		}
		out.Reply = toReply(&reply)
		for _, e := range events {
			b, err := toInbox(op, &e)
			if err != nil {
				return err
			}
			out.Events = append(out.Events, b)
		}
		return nil
	})
	return out, err
}

// listening keeps what a connector listens by from one call of Listen to the next, so that a connection to a platform lasts while
// nothing comes. A call gives at most one event: the connector's own Next, for the one behind it, acknowledges it, and only the host
// knows when it is stored.
type listening struct {
	once sync.Once
	// turn is held by whoever uses what follows.
	turn  chan struct{}
	ear   *hearing
	given uint64 // the turn of the last answer
	over  *time.Timer
}

// lingers is how long a connector goes on listening for a host that does not ask again.
const lingers = 30 * time.Second

// hearing is one Listen of a connector.
type hearing struct {
	events sdk.Events
	life   context.Context
	end    context.CancelFunc
	// next has the answer of the Next that is under way; nil when none is.
	next chan nextEvent
}

type nextEvent struct {
	event sdk.InboxEvent
	next  sdk.Cursor
	err   error
}

// take waits until nobody else uses it; leave ends that.
func (l *listening) take(ctx context.Context) (leave func(), err error) {
	l.once.Do(func() { l.turn = make(chan struct{}, 1) })
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn }, nil
	case <-ctx.Done():
		return nil, listeningEnded(ctx)
	}
}

func listeningEnded(ctx context.Context) error {
	e := sdk.Errorf(sdk.CodeUnavailable, "listen", "listening was given up")
	e.Err = context.Cause(ctx)
	return e
}

// listen waits for one event.
func (l *listening) listen(ctx context.Context, c sdk.Listener, req *ListenRequest, guarded func(func() error) error) (*ListenResponse, error) {
	leave, err := l.take(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if l.over != nil {
		l.over.Stop()
	}
	if l.ear == nil || req.GetTurn() == 0 || req.GetTurn() != l.given {
		// Whatever was given and may not have arrived is given again.
		if err := l.stop(ctx); err != nil {
			return nil, err
		}
		if err := l.begin(ctx, c, req.GetCursor()); err != nil {
			return nil, err
		}
	}
	ear := l.ear
	if ear.next == nil {
		answer := make(chan nextEvent, 1)
		ear.next = answer
		go func() { // stop waits for it
			var n nextEvent
			n.err = guarded(func() (err error) { n.event, n.next, err = ear.events.Next(ear.life); return err })
			answer <- n
		}()
	}
	out := &ListenResponse{}
	wait := time.NewTimer(max(0, fromDuration(req.GetWait())))
	defer wait.Stop()
	select {
	case n := <-ear.next:
		ear.next = nil
		if n.err != nil {
			_ = l.stop(ctx) // the first error counts
			return nil, n.err
		}
		b, err := toInbox(opListen(), &n.event)
		if err != nil {
			return nil, err
		}
		out.Heard = []*Heard{{Event: b, Next: bytes.Clone(n.next)}}
	case <-wait.C:
	case <-ctx.Done():
		// Nobody listens any more, and somebody else may want to: at most platforms one alone can.
		_ = l.stop(context.WithoutCancel(ctx)) // a Next that does not return is not waited for by anybody but the host
		return nil, listeningEnded(ctx)
	}
	l.given++
	out.Turn = l.given
	l.over = time.AfterFunc(lingers, l.forget)
	return out, nil
}

// begin has the connector listen. What it does for that lasts longer than the call.
func (l *listening) begin(ctx context.Context, c sdk.Listener, from sdk.Cursor) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	kept := context.AfterFunc(ctx, end)
	events, err := c.Listen(life, from)
	if err != nil {
		end()
		return err
	}
	l.ear = &hearing{events: events, life: life, end: end}
	if !kept() {
		_ = l.stop(context.WithoutCancel(ctx))
		return listeningEnded(ctx)
	}
	return nil
}

// stop ends what the connector listens by, and waits for it within ctx. The turn is held.
func (l *listening) stop(ctx context.Context) error {
	ear := l.ear
	if ear == nil {
		return nil
	}
	ear.end()
	_ = ear.events.Close() // nothing of it is needed any more
	if ear.next != nil {
		select {
		case <-ear.next:
			ear.next = nil
		case <-ctx.Done():
			return sdk.Errorf(sdk.CodeUnavailable, "listen", "the connector does not stop listening")
		}
	}
	l.ear = nil
	return nil
}

// forget stops listening for a host that has not asked again.
func (l *listening) forget() {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
		_ = l.stop(context.Background())
	default: // it asks just now, or somebody ends it
	}
}

// close ends it before its instance is closed.
func (l *listening) close(ctx context.Context) error {
	leave, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if l.over != nil {
		l.over.Stop()
	}
	return l.stop(ctx)
}

package wire

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ear is what a process is believed of people.
type ear struct {
	hears   []sdk.EventKind
	refused func(kind sdk.EventKind, why string)
}

// Hear lets an instance be heard: of these kinds of events and no others. refused is told of each event that is left out: of its kind,
// empty when that is not one of hears, and why, in a word; nothing of the event itself. Without a kind nothing is heard.
func (i *Instance) Hear(hears []sdk.EventKind, refused func(kind sdk.EventKind, why string)) {
	if len(hears) == 0 {
		return
	}
	if refused == nil {
		refused = func(sdk.EventKind, string) {}
	}
	i.ear = &ear{hears: hears, refused: refused}
}

// event reads one event; false when it is left out.
func (i *Instance) event(in *answers, b []byte) (sdk.InboxEvent, bool) {
	e, why := fromInbox(in, b, i.typ, i.ear.hears)
	if why == "" {
		// What tells no time happens now; and a clock that is ahead of ours makes nothing later than that.
		if now := i.clock.now().UTC(); e.At.IsZero() || e.At.After(now) {
			e.At = now
		}
		return e, true
	}
	if why == refusedKind || why == refusedUnreadable {
		e.Kind = ""
	}
	i.ear.refused(e.Kind, why)
	return sdk.InboxEvent{}, false
}

// longestWait is how long one call waits for an event.
const longestWait = 25 * time.Second

// soonWait is the same while others wait for the end of the call: long enough to begin listening.
const soonWait = 300 * time.Millisecond

// restless is how soon a call may follow one that brought nothing, and within which at most MaxHeard calls or events may be for nothing.
const restless = time.Second

// pace keeps a process that never waits, or tells for ever what is of no use, from being asked all the time.
type pace struct {
	// asked is when the last call began; idle says that it brought nothing and moved nothing.
	asked time.Time
	idle  bool
	// vain counts, since then, the events that were refused or moved nothing, and the answers without events that did move.
	vain  int
	since time.Time
}

// asks notes that a call begins.
func (p *pace) asks(now time.Time) { p.asked, p.idle = now, false }

// inVain counts what was of no use.
func (p *pace) inVain(now time.Time) {
	if p.vain == 0 || now.Sub(p.since) >= restless {
		p.vain, p.since = 0, now
	}
	p.vain++
}

// wait is how long to rest before the next call.
func (p *pace) wait(now time.Time) time.Duration {
	switch {
	case p.idle:
		return max(0, restless-now.Sub(p.asked))
	case p.vain >= MaxHeard:
		return max(0, restless-now.Sub(p.since))
	}
	return 0
}

// clock is the time, and how to wait.
type clock struct {
	now   func() time.Time
	pause func(ctx context.Context, d time.Duration) error
}

func realClock() clock { return clock{time.Now, pause} }

// pause waits; its error is that of the context.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Listen implements sdk.Listener. The process is asked by Next.
func (i *Instance) Listen(ctx context.Context, from sdk.Cursor) (sdk.Events, error) {
	e := &events{i: i, at: bytes.Clone(from)}
	e.open, e.end = context.WithCancel(context.WithoutCancel(ctx))
	return e, nil
}

// events asks a process for what people did, in calls that wait.
type events struct {
	i    *Instance
	open context.Context
	end  context.CancelFunc
	// at is behind everything that was stored or left out, and turn is of the last answer. list are the events of it that were not given.
	at   sdk.Cursor
	turn uint64
	list []*Heard
	in   *answers
	// from is the cursor of the last call.
	from sdk.Cursor
	pace pace
}

// Next implements sdk.Events.
func (e *events) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.open, cancel)()
	op := opListen()
	for {
		if e.open.Err() != nil {
			return sdk.InboxEvent{}, nil, listeningEnded(ctx)
		}
		for len(e.list) > 0 {
			h := e.list[0]
			e.list = e.list[1:]
			if n := len(h.GetNext()); n > sdk.MaxCursor {
				return sdk.InboxEvent{}, nil, lie(op, sdk.CodeTooLarge, "the cursor behind an event has %d bytes; at most %d are stored", n, sdk.MaxCursor)
			}
			moved := !bytes.Equal(h.GetNext(), e.at)
			e.at = h.GetNext()
			event, ok := e.i.event(e.in, h.GetEvent())
			if !ok || !moved {
				e.pace.inVain(e.i.clock.now())
			}
			// Without a turn, the same cursor gives the same events again.
			e.pace.idle = e.turn == 0 && bytes.Equal(e.at, e.from)
			if ok {
				return event, bytes.Clone(e.at), nil
			}
		}
		if d := e.pace.wait(e.i.clock.now()); d > 0 {
			if e.i.clock.pause(ctx, d) != nil {
				return sdk.InboxEvent{}, nil, listeningEnded(ctx)
			}
			e.pace.vain = 0
		}
		if err := e.ask(ctx, op); err != nil {
			return sdk.InboxEvent{}, nil, err
		}
	}
}

// ask makes one call. Everything of the last one was stored, or left out.
func (e *events) ask(ctx context.Context, op Op) error {
	e.from = e.at
	e.pace.asks(e.i.clock.now())
	var answer *ListenResponse
	e.in = newAnswers()
	err := e.i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) (err error) {
		wait := longestWait
		if end, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(end)/2)
		}
		if at.Soon {
			wait = min(wait, soonWait)
		}
		answer, err = NewListenerClient(at.Conn).Listen(ctx, &ListenRequest{Handle: at.Handle, Call: at.Call, Cursor: e.at, Wait: durationpb.New(wait), Most: MaxHeard, Turn: e.turn}, opt...)
		return err
	})
	if err != nil {
		return withoutPeople(err)
	}
	e.list, e.turn = answer.GetHeard(), answer.GetTurn()
	switch next := answer.GetNext(); {
	case len(e.list) > MaxHeard:
		// What is more is told again behind the last of these: a new turn has the process begin there.
		e.list, e.turn = e.list[:MaxHeard], 0
	case len(e.list) == 0 && len(next) > sdk.MaxCursor:
		return lie(op, sdk.CodeTooLarge, "its cursor has %d bytes; at most %d are stored", len(next), sdk.MaxCursor)
	case len(e.list) == 0 && len(next) > 0 && !bytes.Equal(next, e.at):
		e.at = next
		e.pace.inVain(e.i.clock.now())
	case len(e.list) == 0:
		e.pace.idle = true
	}
	return nil
}

// Close implements sdk.Events.
func (e *events) Close() error {
	e.end()
	return nil
}

// ReceiveEvents implements sdk.Receiver.
func (i *Instance) ReceiveEvents(ctx context.Context, r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	var reply sdk.WebhookReply
	var events []sdk.InboxEvent
	op := opReceive()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := &ReceiveRequest{Handle: at.Handle, Call: at.Call, Request: toWebhookRequest(&r)}
		if err := fits(op, req); err != nil {
			return err
		}
		resp, err := NewReceiverClient(at.Conn).Receive(ctx, req, opt...)
		if err != nil {
			return err
		}
		if reply, err = fromReply(op, resp.GetReply()); err != nil {
			return err
		}
		switch n := len(resp.GetEvents()); {
		case n > MaxReceived:
			return lie(op, sdk.CodeUnavailable, "it reads %d events out of one call; at most %d are taken", n, MaxReceived)
		case n > 0 && reply.Status >= http.StatusBadRequest:
			return lie(op, sdk.CodeUnavailable, "it refuses a call and takes events out of it")
		}
		in := newAnswers()
		for _, b := range resp.GetEvents() {
			if event, ok := i.event(in, b); ok {
				events = append(events, event)
			}
		}
		return nil
	})
	if err != nil {
		return sdk.WebhookReply{}, nil, withoutPeople(err)
	}
	return reply, events, nil
}

// addressLike finds what reads like somebody's address: a mailbox, or a number as long as that of a telephone.
var addressLike = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[^\s"<>()]+@[^\s"<>()]+|\+?\d(?:[ ().-]?\d){6,}`)
})

// withoutPeople takes out of an error what reads like an address. Who wrote is known to the plugin alone, so none can be looked for.
func withoutPeople(err error) error {
	e, is := errors.AsType[*sdk.Error](err)
	if !is || !addressLike().MatchString(e.Public+" "+e.Op) {
		return err
	}
	masked := *e
	masked.Public, masked.Op = addressLike().ReplaceAllString(e.Public, "…"), addressLike().ReplaceAllString(e.Op, "…")
	return &masked
}

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

// restless is how soon a call may follow one that brought nothing, or whose cursor did not move.
const restless = time.Second

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
	// asked is when the last call began, and from its cursor; idle says that it brought nothing, or did not move.
	asked time.Time
	from  sdk.Cursor
	idle  bool
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
			e.at = h.GetNext()
			if event, ok := e.i.event(e.in, h.GetEvent()); ok {
				e.idle = e.idle && e.turn == 0 && bytes.Equal(e.at, e.from)
				return event, bytes.Clone(e.at), nil
			}
		}
		if err := e.rest(ctx); err != nil {
			return sdk.InboxEvent{}, nil, err
		}
		if err := e.ask(ctx, op); err != nil {
			return sdk.InboxEvent{}, nil, err
		}
	}
}

// rest keeps a process that never waits, or tells the same for ever, from being asked all the time.
func (e *events) rest(ctx context.Context) error {
	wait := restless - time.Since(e.asked)
	if !e.idle || wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return listeningEnded(ctx)
	}
}

// ask makes one call. Everything of the last one was stored, or left out.
func (e *events) ask(ctx context.Context, op Op) error {
	e.asked, e.from, e.idle = time.Now(), e.at, true
	var answer *ListenResponse
	e.in = newAnswers()
	err := e.i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) (err error) {
		wait := longestWait
		if end, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(end)/2)
		}
		if at.Soon {
			wait = min(wait, restless)
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
	case len(e.list) == 0 && len(next) > 0:
		e.at = next
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

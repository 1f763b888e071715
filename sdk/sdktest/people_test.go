package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// post is a post office in memory: it writes to reader@example.invalid, and people write to it.
type post struct {
	mu     sync.Mutex
	sent   []string
	came   []string
	arrive chan struct{}

	message func(p *post, m sdk.DirectMessage) error
	next    func(e *postEvents, ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error)
	receive func(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error)
}

const postReader, postLost = "somereader@example.invalid", "nobodyhere@example.invalid"

func (p *post) Spec() *sdk.Spec {
	return sdk.Define("post", "a post office in memory, for tests", PlatformConfig{},
		func(context.Context, sdk.Settings, PlatformConfig) (*postConn, error) { return &postConn{p}, nil }).
		WithMedium(sdk.Medium{Hears: []sdk.EventKind{sdk.EventMessage, sdk.EventStop}})
}

type postConn struct{ *post }

func (c *postConn) Close(context.Context) error { return nil }

// deliver is what a good connector does.
func (p *post) deliver(m sdk.DirectMessage) error {
	to, err := m.Recipient(time.Now())
	if err != nil {
		return err
	}
	address, _ := to.Reveal()
	switch {
	case m.Common == nil || to.Medium() != "post":
		return sdk.Errorf(sdk.CodeInvalid, "post", "this cannot be posted")
	case address != postReader:
		return &sdk.Error{Code: sdk.CodeGone, Scope: sdk.ScopePerson, Op: "post", Public: "nobody lives there"}
	}
	p.put(m, m.Slots)
	return nil
}

func (p *post) put(m sdk.DirectMessage, values map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, sdk.Fill(sdk.PlainText(m.Common.Body), values))
}

func (c *postConn) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	if ctx.Err() != nil {
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeUnavailable, "post", "given up")
	}
	send := (*post).deliver
	if c.message != nil {
		send = c.message
	}
	return sdk.MessageRef{ID: "m1"}, send(c.post, m)
}

func (p *post) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came = append(p.came, text)
	if p.arrive != nil {
		close(p.arrive)
	}
	p.arrive = make(chan struct{})
}

type postEvents struct {
	*post
	at   int
	over context.Context
	end  context.CancelFunc
}

func (c *postConn) Listen(_ context.Context, from sdk.Cursor) (sdk.Events, error) {
	e := &postEvents{post: c.post}
	if len(from) > 0 {
		if err := json.Unmarshal(from, &e.at); err != nil {
			return nil, sdk.Errorf(sdk.CodeInvalid, "listen", "no cursor")
		}
	}
	e.over, e.end = context.WithCancel(context.Background())
	return e, nil
}

func (e *postEvents) Close() error { e.end(); return nil }

func (e *postEvents) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	if e.next != nil {
		return e.next(e, ctx)
	}
	return e.read(ctx)
}

func (e *postEvents) read(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	for {
		e.mu.Lock()
		came, arrive := slices.Clone(e.came), e.arrive
		e.mu.Unlock()
		if e.at < len(came) {
			e.at++
			return sdk.InboxEvent{ID: fmt.Sprint(e.at), Kind: sdk.EventMessage, From: sdk.Handle{Medium: "post", Value: "x"},
				At: time.Now().UTC(), Text: came[e.at-1]}, sdk.Cursor(fmt.Sprint(e.at)), nil
		}
		select {
		case <-arrive:
		case <-ctx.Done():
			return sdk.InboxEvent{}, nil, sdk.Errorf(sdk.CodeUnavailable, "listen", "given up")
		case <-e.over.Done():
			return sdk.InboxEvent{}, nil, sdk.Errorf(sdk.CodeUnavailable, "listen", "closed")
		}
	}
}

func (p *post) messenger() MessengerOptions {
	return MessengerOptions{Options: Options{Open: p.Spec().Open, Config: map[string]any{"token": secret}}, Medium: "post",
		Address: postReader, Lost: postLost, Got: func(testing.TB) []string {
			p.mu.Lock()
			defer p.mu.Unlock()
			return slices.Clone(p.sent)
		}}
}

func (p *post) listener() ListenerOptions {
	return ListenerOptions{Options: Options{Open: p.Spec().Open, Config: map[string]any{"token": secret}}, Medium: "post",
		Say: func(_ testing.TB, text string) { p.say(text) }}
}

// ReceiveEvents takes a call whose body is who wrote and what, under the right word.
func (c *postConn) ReceiveEvents(_ context.Context, r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	if c.receive != nil {
		return c.receive(r)
	}
	return postCall(r)
}

func postCall(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	if !slices.Equal(r.Header["Word"], []string{secret}) {
		return sdk.WebhookReply{Status: 401}, nil, nil
	}
	id, text, found := strings.Cut(string(r.Body), " wrote ")
	if !found {
		return sdk.WebhookReply{Status: 400}, nil, nil
	}
	return sdk.WebhookReply{Status: 204}, []sdk.InboxEvent{{ID: id, Kind: sdk.EventMessage, From: sdk.Handle{Medium: "post", Value: postReader}, At: time.Now().UTC(), Text: text}}, nil
}

func (p *post) receiver() ReceiverOptions {
	call := func(word, body string) sdk.WebhookRequest {
		return sdk.WebhookRequest{Method: "POST", Path: "/hooks/post", Header: map[string][]string{"Word": {word}}, Body: []byte(body), ReceivedAt: time.Now().UTC()}
	}
	return ReceiverOptions{Options: Options{Open: p.Spec().Open, Config: map[string]any{"token": secret}, Secrets: []string{secret}}, Medium: "post", From: postReader,
		Genuine: []sdk.WebhookRequest{call(secret, "1 wrote START"), call(secret, "2 wrote STOP")}, Forged: []sdk.WebhookRequest{call("another", "3 wrote STOP"), call("", "4 wrote STOP")}}
}

func TestReceiverSuiteCatches(t *testing.T) {
	t.Parallel()
	type receive = func(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error)
	changed := func(change func(reply *sdk.WebhookReply, events []sdk.InboxEvent)) receive {
		return func(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
			reply, events, err := postCall(r)
			change(&reply, events)
			return reply, events, err
		}
	}
	n := 0
	for name, tc := range map[string]struct {
		receive receive
		want    string
	}{
		"anybody": {func(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
			r.Header = map[string][]string{"Word": {secret}}
			return postCall(r)
		}, "forged call 1: status 204, 1 events; anybody could say that somebody follows or leaves"},
		"whatever is empty": {func(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
			if len(r.Body) == 0 {
				return sdk.WebhookReply{Status: 204}, nil, nil
			}
			return postCall(r)
		}, "an empty call: status 204, 0 events; anybody could say"},
		"whatever is noise": {func(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
			if strings.HasPrefix(string(r.Body), "\x00") {
				return sdk.WebhookReply{Status: 204}, nil, nil
			}
			return postCall(r)
		}, "a call of noise: status 204, 0 events; anybody could say"},
		"another name every time": {changed(func(_ *sdk.WebhookReply, events []sdk.InboxEvent) {
			for i := range events {
				n++
				events[i].ID = fmt.Sprint("x", n)
			}
		}), "would count twice"},
		"nobody": {changed(func(_ *sdk.WebhookReply, events []sdk.InboxEvent) {
			for i := range events {
				events[i].From.Value = ""
			}
		}), "comes from somebody of the medium"},
		"somebody else": {changed(func(_ *sdk.WebhookReply, events []sdk.InboxEvent) {
			for i := range events {
				events[i].From.Value = "x"
			}
		}), "comes from somebody else"},
		"a refusal that tells":   {changed(func(reply *sdk.WebhookReply, _ []sdk.InboxEvent) { reply.Status = 500 }), "is refused with the status 500, and 1 events are taken"},
		"the word in the answer": {changed(func(reply *sdk.WebhookReply, _ []sdk.InboxEvent) { reply.Body = []byte("not " + secret) }), "a secret of the configuration stands in what a call is answered"},
		"a body that fails it": {func(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
			if !strings.Contains(string(r.Body), "wrote") {
				return sdk.WebhookReply{}, nil, errors.New("oops")
			}
			return postCall(r)
		}, "no *sdk.Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caught(t, receiverChecks((&post{receive: tc.receive}).receiver()), tc.want)
		})
	}
}

// TestTheLoopbackSaysWhatIsDropped: what Belfry would not take is no event that never came.
func TestTheLoopbackSaysWhatIsDropped(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(e *sdk.InboxEvent)
		want   string
	}{
		"a kind that it does not hear": {func(e *sdk.InboxEvent) { e.Kind = sdk.EventFollow }, "loopback: Belfry drops an event: its kind is none of those that the medium of the type hears"},
		"no id":                        {func(e *sdk.InboxEvent) { e.ID = "" }, "loopback: Belfry drops an event: its id is missing, too long, or no plain text"},
		"nobody":                       {func(e *sdk.InboxEvent) { e.From.Value = "" }, "loopback: Belfry drops an event: whom it comes from is missing, too long, or no plain text"},
		"as it should be":              {func(*sdk.InboxEvent) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, func(tb testing.TB) {
				p := &post{receive: func(r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
					reply, events, err := postCall(r)
					for i := range events {
						tc.change(&events[i])
					}
					return reply, events, err
				}}
				conn, err := Loopback(tb, p.Spec())(t.Context(), sdk.Settings{}, map[string]any{"token": secret})
				if err != nil {
					tb.Fatal(err)
				}
				receiver, _ := sdk.As[sdk.Receiver](conn)
				if _, _, err := receiver.ReceiveEvents(t.Context(), p.receiver().Genuine[0]); err != nil {
					tb.Error(err)
				}
				if err := conn.Close(t.Context()); err != nil {
					tb.Error(err)
				}
			})
			if r.text() != tc.want {
				t.Errorf("it says %q, want %q", r.text(), tc.want)
			}
		})
	}
}

func TestPeopleSuitesPass(t *testing.T) {
	t.Parallel()
	Messenger(t, (&post{}).messenger())
	p := &post{}
	far := p.messenger()
	far.Open = Loopback(t, p.Spec())
	Messenger(t, far)
	Listener(t, (&post{}).listener())
	p = &post{}
	heard := p.listener()
	heard.Open = Loopback(t, p.Spec())
	Listener(t, heard)
	Receiver(t, p.receiver())
	called := p.receiver()
	called.Open = heard.Open
	Receiver(t, called)
}

func TestMessengerSuiteCatches(t *testing.T) {
	t.Parallel()
	good := (*post).deliver
	for name, tc := range map[string]struct {
		message func(p *post, m sdk.DirectMessage) error
		want    string
	}{
		"no look at the permit": {func(p *post, m sdk.DirectMessage) error {
			if m.Common != nil {
				p.put(m, m.Slots)
			}
			return nil
		}, "a message without a permit was sent"},
		"sending first": {func(p *post, m sdk.DirectMessage) error {
			if _, err := m.Recipient(time.Now()); err != nil {
				p.put(m, m.Slots)
				return err
			}
			return good(p, m)
		}, "a message whose permit is over was sent"},
		"another medium": {func(p *post, m sdk.DirectMessage) error {
			if to, err := m.Recipient(time.Now()); err == nil && to.Medium() != "post" {
				p.put(m, m.Slots)
				return nil
			}
			return good(p, m)
		}, "a message for another medium was sent"},
		"empty places": {func(p *post, m sdk.DirectMessage) error {
			if _, err := m.Recipient(time.Now()); err == nil && m.Common != nil {
				m.Slots = nil
			}
			return good(p, m)
		}, "does not stand in its message"},
		"escaped twice": {func(p *post, m sdk.DirectMessage) error {
			if v, ok := m.Slots["name"]; ok {
				m.Slots = map[string]string{"name": strings.ReplaceAll(v, "<", "&lt;")}
			}
			return good(p, m)
		}, "as it is"},
		"an address in an error": {func(p *post, m sdk.DirectMessage) error {
			err := good(p, m)
			if to, bad := m.Recipient(time.Now()); bad == nil && err != nil {
				address, _ := to.Reveal()
				return &sdk.Error{Code: sdk.AsError(err).Code, Scope: sdk.ScopePerson, Public: "no", Err: errors.New(address)}
			}
			return err
		}, "stands in the error"},
		"sending twice": {func(p *post, m sdk.DirectMessage) error {
			if err := good(p, m); err != nil {
				return err
			}
			return good(p, m)
		}, "came"},
		"writing into the text": {func(p *post, m sdk.DirectMessage) error {
			err := good(p, m)
			if err == nil && m.Common.ID == "shared" { // not where messages go side by side, which the race detector sees
				m.Common.Subject = "another"
			}
			return err
		}, "changed the text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caught(t, messengerChecks((&post{message: tc.message}).messenger()), tc.want)
		})
	}
}

// TestMessengerSuiteCatchesOverTheWire: what a connector does wrong behind the wire is found there too, as far as Belfry does not keep
// it from going wrong itself.
func TestMessengerSuiteCatchesOverTheWire(t *testing.T) {
	t.Parallel()
	good := (*post).deliver
	for name, tc := range map[string]struct {
		message func(p *post, m sdk.DirectMessage) error
		want    string
	}{
		"sending twice": {func(p *post, m sdk.DirectMessage) error {
			if err := good(p, m); err != nil {
				return err
			}
			return good(p, m)
		}, "came"},
		"values of nobody": {func(p *post, m sdk.DirectMessage) error {
			if _, err := m.Recipient(time.Now()); err == nil && m.Common != nil {
				m.Slots = nil
			}
			return good(p, m)
		}, "does not stand in its message"},
		"writing into the text": {func(p *post, m sdk.DirectMessage) error {
			err := good(p, m)
			if err == nil && m.Common.ID == "shared" {
				m.Common.Body = append(m.Common.Body, sdk.Paragraph(sdk.Text("more")))
			}
			return err
		}, "two messages that say the same came as"},
		"somebody who is gone": {func(p *post, m sdk.DirectMessage) error {
			if err := good(p, m); err != nil {
				return sdk.Errorf(sdk.AsError(err).Code, "post", "nobody lives there")
			}
			return nil
		}, "and not about the person"},
		"a panic": {func(*post, sdk.DirectMessage) error { panic("the postman fell") }, "unknown_outcome"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &post{message: tc.message}
			o := p.messenger()
			o.Open = Loopback(t, p.Spec())
			caught(t, messengerChecks(o), tc.want)
		})
	}
}

func TestListenerSuiteCatches(t *testing.T) {
	t.Parallel()
	type next = func(e *postEvents, ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error)
	changed := func(change func(e *postEvents, event *sdk.InboxEvent, c *sdk.Cursor)) next {
		return func(e *postEvents, ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
			event, c, err := e.read(ctx)
			if err == nil {
				change(e, &event, &c)
			}
			return event, c, err
		}
	}
	for name, tc := range map[string]struct {
		next next
		want string
	}{
		"no id":  {changed(func(_ *postEvents, event *sdk.InboxEvent, _ *sdk.Cursor) { event.ID = "" }), "has no id"},
		"one id": {changed(func(_ *postEvents, event *sdk.InboxEvent, _ *sdk.Cursor) { event.ID = "x" }), "two events have the id"},
		"local time": {changed(func(_ *postEvents, event *sdk.InboxEvent, _ *sdk.Cursor) {
			event.At = event.At.In(time.FixedZone("x", 60))
		}), "time is"},
		"a cursor that stays": {changed(func(e *postEvents, _ *sdk.InboxEvent, c *sdk.Cursor) {
			*c = sdk.Cursor(fmt.Sprint(e.at - 1))
		}), "wanted are"},
		"forgetting at once": {changed(func(e *postEvents, event *sdk.InboxEvent, _ *sdk.Cursor) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.came = slices.Insert(slices.Delete(slices.Clone(e.came), e.at-1, e.at), e.at-1, "forgotten")
		}), "wanted are"},
		"a deaf ear": {func(e *postEvents, ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
			event, c, err := e.read(ctx)
			if err != nil {
				return event, c, errors.New("oops")
			}
			return event, c, err
		}, "no *sdk.Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caught(t, listenerChecks((&post{next: tc.next}).listener()), tc.want)
		})
	}
}

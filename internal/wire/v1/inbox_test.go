package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// office is a connector that hears people: what the test says, one after the other. It forgets what was acknowledged.
type office struct {
	mu     sync.Mutex
	said   []sdk.InboxEvent
	first  int // the number of said[0]
	more   chan struct{}
	opened int // Listens, and those that were closed
	closed int
	panics bool
	hook   func(ctx context.Context, r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error)
}

func newOffice() *office { return &office{more: make(chan struct{}, 1)} }

func (o *office) spec() *sdk.Spec {
	return sdk.Define("odd", "hears what a test says", oddConfig{}, func(context.Context, sdk.Settings, oddConfig) (*office, error) { return o, nil }).
		WithMedium(sdk.Medium{Hears: []sdk.EventKind{sdk.EventMessage, sdk.EventButton, sdk.EventStop, sdk.EventBounce}})
}

func (o *office) Close(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.opened != o.closed {
		return fmt.Errorf("%d listen on", o.opened-o.closed)
	}
	return nil
}

func (o *office) say(events ...sdk.InboxEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, events...)
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// text is a message with its own number as its name.
func text(s string) sdk.InboxEvent {
	return sdk.InboxEvent{ID: s, Kind: sdk.EventMessage, From: sdk.Handle{Medium: "email", Value: "someone"}, Text: s, At: time.Now().UTC()}
}

func (o *office) Listen(_ context.Context, from sdk.Cursor) (sdk.Events, error) {
	at := 0
	if len(from) > 0 {
		n, err := strconv.Atoi(string(from))
		if err != nil {
			return nil, sdk.Errorf(sdk.CodeInvalid, "listen", "no cursor")
		}
		at = n
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opened++
	e := &officeEvents{o: o, at: at, over: make(chan struct{})}
	return e, nil
}

func (o *office) ReceiveEvents(ctx context.Context, r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	return o.hook(ctx, r)
}

// Message makes it a messenger.
func (o *office) Message(context.Context, sdk.DirectMessage) (sdk.MessageRef, error) {
	return sdk.MessageRef{ID: "1"}, nil
}

type officeEvents struct {
	o    *office
	at   int
	once sync.Once
	over chan struct{}
}

func (e *officeEvents) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	for {
		e.o.mu.Lock()
		if e.o.panics {
			e.o.mu.Unlock()
			panic("the office fell")
		}
		if forgotten := min(e.at-e.o.first, len(e.o.said)); forgotten > 0 { // everything before it was acknowledged
			e.o.said, e.o.first = e.o.said[forgotten:], e.at
		}
		if n := e.at - e.o.first; n >= 0 && n < len(e.o.said) {
			e.at++
			out := e.o.said[n]
			e.o.mu.Unlock()
			return out, sdk.Cursor(strconv.Itoa(e.at)), nil
		}
		e.o.mu.Unlock()
		select {
		case <-e.o.more:
		case <-ctx.Done():
			return sdk.InboxEvent{}, nil, sdk.Errorf(sdk.CodeUnavailable, "listen", "given up")
		case <-e.over:
			return sdk.InboxEvent{}, nil, sdk.Errorf(sdk.CodeUnavailable, "listen", "closed")
		}
	}
}

func (e *officeEvents) Close() error {
	e.once.Do(func() {
		e.o.mu.Lock()
		defer e.o.mu.Unlock()
		e.o.closed++
		close(e.over)
	})
	return nil
}

type refusal struct {
	Kind sdk.EventKind
	Why  string
}

// heardInstance opens an office behind the wire.
func heardInstance(t *testing.T, o *office) (*wire.Instance, *[]refusal) {
	t.Helper()
	spec := o.spec()
	i := newPair(t, spec).open(t, "1", nil)
	var refused []refusal
	i.Hear(spec.Medium.Hears, func(k sdk.EventKind, why string) { refused = append(refused, refusal{k, why}) })
	t.Cleanup(func() {
		if err := i.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return i, &refused
}

func listens(t *testing.T, i *wire.Instance, from string) sdk.Events {
	t.Helper()
	l, ok := sdk.As[sdk.Listener](i)
	if !ok {
		t.Fatal("behind the wire it is no Listener")
	}
	e, err := l.Listen(t.Context(), sdk.Cursor(from))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func hears(t *testing.T, e sdk.Events, want string) sdk.Cursor {
	t.Helper()
	event, next, err := e.Next(t.Context())
	if err != nil || event.Text != want {
		t.Fatalf("heard %q, %v; wanted is %q", event.Text, err, want)
	}
	return next
}

// TestAnEventCrosses: all of it arrives, and its sender is somebody of the plugin's own medium, whatever the plugin says.
func TestAnEventCrosses(t *testing.T) {
	t.Parallel()
	o := newOffice()
	i, _ := heardInstance(t, o)
	want := sdk.InboxEvent{ID: "e1", Kind: sdk.EventButton, From: sdk.Handle{Medium: "email", Value: someone}, Claimed: true, Answers: "m1.2", Name: "@anna", At: time.Now().UTC(), Text: "a text",
		Data: "1|f|x", Lang: "fr", Ref: "r1", ReplyTo: "41", Count: 3, Emoji: "👍", Bounce: sdk.Bounce{Class: sdk.BounceSoft, Status: "4.2.2", Reason: "full"}}
	o.say(want)
	got, next, err := listens(t, i, "").Next(t.Context())
	if err != nil || string(next) != "1" {
		t.Fatalf("%q, %v", next, err)
	}
	want.From.Medium = "odd"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lost on the way (-want +got):\n%s", diff)
	}
}

// TestWhatWasNotStoredComesAgain: only a call of Next, and a later cursor, acknowledge.
func TestWhatWasNotStoredComesAgain(t *testing.T) {
	t.Parallel()
	o := newOffice()
	i, _ := heardInstance(t, o)
	o.say(text("one"), text("two"), text("three"))
	e := listens(t, i, "")
	hears(t, e, "one")
	_ = e.Close()
	e = listens(t, i, "")
	hears(t, e, "one")
	two := hears(t, e, "two")
	_ = e.Close()
	e = listens(t, i, "1")
	hears(t, e, "two")
	_ = e.Close()
	e = listens(t, i, string(two))
	hears(t, e, "three")
	// What comes while nobody waits is heard, and the connector listened on all the time.
	o.say(text("four"))
	hears(t, e, "four")
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.opened != 4 || o.closed != 3 {
		t.Errorf("it was listened %d times, and ended %d times", o.opened, o.closed)
	}
}

// TestListeningIsGivenUp: by the context, and by Close; and the connector behind the wire stops listening.
func TestListeningIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(e sdk.Events, cancel func()){
		"context": func(_ sdk.Events, cancel func()) { cancel() }, "close": func(e sdk.Events, _ func()) { _ = e.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice()
			i, _ := heardInstance(t, o)
			e := listens(t, i, "")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { _, _, err := e.Next(ctx); done <- err }()
			for o.listening() == 0 {
				time.Sleep(time.Millisecond)
			}
			end(e, cancel)
			wantCode(t, <-done, sdk.CodeUnavailable, "given up")
			for o.listening() != 0 {
				time.Sleep(time.Millisecond)
			}
			o.say(text("later"))
			hears(t, listens(t, i, ""), "later")
		})
	}
}

// listening counts those who listen.
func (o *office) listening() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.opened - o.closed
}

// TestAConnectorThatFailsToListen costs the call, and not the process.
func TestAConnectorThatFailsToListen(t *testing.T) {
	t.Parallel()
	o := newOffice()
	o.panics = true
	i, _ := heardInstance(t, o)
	_, _, err := listens(t, i, "").Next(t.Context())
	wantCode(t, err, sdk.CodeUnavailable, "a panic")
	_, _, err = listens(t, i, "nonsense").Next(t.Context())
	wantCode(t, err, sdk.CodeInvalid, "no cursor")
	o.mu.Lock()
	o.panics = false
	o.mu.Unlock()
	o.say(text("one"))
	hears(t, listens(t, i, ""), "one")
}

// TestMalformedEventsCostThemselves: what a process tells that makes no sense is left out, and nothing of it is repeated.
func TestMalformedEventsCostThemselves(t *testing.T) {
	t.Parallel()
	o := newOffice()
	i, refused := heardInstance(t, o)
	change := func(f func(e *sdk.InboxEvent)) sdk.InboxEvent {
		e := text("wrong")
		f(&e)
		return e
	}
	long := strings.Repeat("x", wire.MaxEventID+1)
	o.say(
		change(func(e *sdk.InboxEvent) { e.Kind = "mindreading" }), change(func(e *sdk.InboxEvent) { e.Kind = sdk.EventFollow }), change(func(e *sdk.InboxEvent) { e.ID = "" }),
		change(func(e *sdk.InboxEvent) { e.ID = long }), change(func(e *sdk.InboxEvent) { e.From.Value = "" }), change(func(e *sdk.InboxEvent) { e.From.Value = "a\nb" }),
		change(func(e *sdk.InboxEvent) { e.From.Value = long }), change(func(e *sdk.InboxEvent) { e.Kind, e.Data = sdk.EventButton, strings.Repeat("x", wire.MaxEventData+1) }),
		change(func(e *sdk.InboxEvent) { e.Kind, e.From.Value = sdk.EventBounce, "" }),
		change(func(e *sdk.InboxEvent) {
			e.Text, e.ReplyTo, e.Ref, e.Name, e.Data = "STOP", long, "a\x00", "a\nb", long
		}), text("\xff"), text("after"))
	clock := stopClock(i)
	e := listens(t, i, "")
	event, _, err := e.Next(t.Context())
	clock.rested(t, "a STOP behind a few that cannot be taken", 0)
	if err != nil || event.Text != "STOP" || event.ReplyTo+event.Ref+event.Name+event.Data != "" {
		t.Fatalf("a STOP with what makes no sense beside it: %+v, %v", event, err)
	}
	if event, _, err = e.Next(t.Context()); err != nil || event.Text != "�" {
		t.Errorf("%q, %v", event.Text, err)
	}
	hears(t, e, "after")
	want := []refusal{{"", "kind"}, {"", "kind"}, {sdk.EventMessage, "id"}, {sdk.EventMessage, "id"}, {sdk.EventMessage, "sender"}, {sdk.EventMessage, "sender"}, {sdk.EventMessage, "sender"},
		{sdk.EventButton, "content"}, {sdk.EventBounce, "sender"}}
	if diff := cmp.Diff(want, *refused); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// teller answers Listen as a test says, without any of our code.
type teller struct {
	wire.UnimplementedListenerServer
	wire.UnimplementedReceiverServer
	listen  func(r *wire.ListenRequest) (*wire.ListenResponse, error)
	receive func(r *wire.ReceiveRequest) (*wire.ReceiveResponse, error)
}

func (s *teller) Listen(_ context.Context, r *wire.ListenRequest) (*wire.ListenResponse, error) {
	return s.listen(r)
}

func (s *teller) Receive(_ context.Context, r *wire.ReceiveRequest) (*wire.ReceiveResponse, error) {
	return s.receive(r)
}

func tell(t *testing.T, s *teller) (*wire.Instance, *[]refusal) {
	t.Helper()
	p := newServer(t, func(r grpc.ServiceRegistrar) { wire.RegisterListenerServer(r, s); wire.RegisterReceiverServer(r, s) })
	i := wire.NewInstance(&caller{p: p, handle: "1"}, "odd", []sdk.Role{sdk.RoleListener, sdk.RoleReceiver})
	var refused []refusal
	i.Hear([]sdk.EventKind{sdk.EventMessage}, func(k sdk.EventKind, why string) { refused = append(refused, refusal{k, why}) })
	return i, &refused
}

func event(t *testing.T, id, said string) []byte {
	t.Helper()
	b, err := proto.Marshal(&wire.InboxEvent{Id: id, Kind: "message", From: someone, Text: said, At: timestamppb.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAnyLanguageIsHeard: a program that answers several events at once, and keeps nothing; one that cannot be read costs itself.
func TestAnyLanguageIsHeard(t *testing.T) {
	t.Parallel()
	var asked []string
	i, refused := tell(t, &teller{listen: func(r *wire.ListenRequest) (*wire.ListenResponse, error) {
		asked = append(asked, fmt.Sprintf("%s %d %d %t", r.GetCursor(), r.GetMost(), r.GetTurn(), r.GetWait().AsDuration() > 5*time.Second))
		switch string(r.GetCursor()) {
		case "":
			return &wire.ListenResponse{Heard: []*wire.Heard{{Event: event(t, "1", "one"), Next: []byte("a")}, {Event: []byte("\xff\xff"), Next: []byte("b")},
				{Event: bytes.Replace(event(t, "3", "three"), []byte("three"), []byte("thr\xff\xff"), 1), Next: []byte("c")}, {Event: event(t, "4", "four"), Next: []byte("d")}}}, nil
		case "d":
			return &wire.ListenResponse{Next: []byte("e")}, nil // it passed over something
		}
		var many []*wire.Heard
		for n := range wire.MaxHeard + 2 {
			many = append(many, &wire.Heard{Event: event(t, fmt.Sprint("m", n), fmt.Sprint(n)), Next: fmt.Appendf(nil, "e%d", n)})
		}
		return &wire.ListenResponse{Heard: many, Turn: 9}, nil
	}})
	e := listens(t, i, "")
	if next := hears(t, e, "one"); string(next) != "a" {
		t.Errorf("the cursor is %q", next)
	}
	if next := hears(t, e, "four"); string(next) != "d" {
		t.Errorf("the cursor is %q", next)
	}
	for n := range wire.MaxHeard {
		hears(t, e, strconv.Itoa(n))
	}
	hears(t, e, "0") // what was more than it may tell is asked for again, behind the last that was taken
	want := []string{" 100 0 true", "d 100 0 true", "e 100 0 true", "e99 100 0 true"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked was %q, wanted is %q", asked, want)
	}
	if diff := cmp.Diff([]refusal{{"", "unreadable"}, {"", "unreadable"}}, *refused); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// fakeClock moves by what is waited for, and notes it.
type fakeClock struct {
	mu     sync.Mutex
	at     time.Time
	paused []time.Duration
}

// stopClock gives an instance a clock that stands.
func stopClock(i *wire.Instance) *fakeClock {
	c := &fakeClock{at: time.Now()}
	i.SetClock(func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }, func(ctx context.Context, d time.Duration) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at, c.paused = c.at.Add(d), append(c.paused, d)
		return ctx.Err()
	})
	return c
}

// rested compares the pauses, each of a second.
func (c *fakeClock) rested(t *testing.T, what string, want int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.paused) != want || slices.ContainsFunc(c.paused, func(d time.Duration) bool { return d != time.Second }) {
		t.Errorf("%s: the pauses are %v, wanted are %d of a second", what, c.paused, want)
	}
}

// TestAProgramThatIsOfNoUse is not asked all the time; one that is waits for nothing.
func TestAProgramThatIsOfNoUse(t *testing.T) {
	t.Parallel()
	stop := func(n uint64) []*wire.Heard {
		return []*wire.Heard{{Event: event(t, fmt.Sprint(n), "STOP"), Next: []byte{byte(n)}}}
	}
	for name, tc := range map[string]struct {
		// answer is the nth, from 0 on.
		answer func(n uint64) *wire.ListenResponse
		hears  int
		pauses int
	}{
		"it never waits": {func(n uint64) *wire.ListenResponse {
			if n < 3 {
				return &wire.ListenResponse{Turn: n + 1}
			}
			return &wire.ListenResponse{Heard: stop(n)}
		}, 1, 3},
		"it says where it stands and never waits": {func(n uint64) *wire.ListenResponse {
			if n < 3 {
				return &wire.ListenResponse{Next: []byte("a")}
			}
			return &wire.ListenResponse{Heard: stop(n)}
		}, 1, 2},
		"it tells the same for ever": {func(uint64) *wire.ListenResponse { return &wire.ListenResponse{Heard: stop(0)[:1]} }, 4, 2},
		"it tells, and its cursor stands": {func(n uint64) *wire.ListenResponse {
			return &wire.ListenResponse{Turn: n + 1, Heard: []*wire.Heard{{Event: stop(n)[0].Event}}}
		}, wire.MaxHeard, 0},
		"it does so for ever": {func(n uint64) *wire.ListenResponse {
			return &wire.ListenResponse{Turn: n + 1, Heard: []*wire.Heard{{Event: stop(n)[0].Event}}}
		}, 3*wire.MaxHeard + 1, 3},
		"it passes over a few": {func(n uint64) *wire.ListenResponse {
			if n < wire.MaxHeard-1 {
				return &wire.ListenResponse{Next: fmt.Append(nil, n)}
			}
			return &wire.ListenResponse{Heard: stop(n)}
		}, 1, 0},
		"it passes over things for ever": {func(n uint64) *wire.ListenResponse {
			if n < 3*wire.MaxHeard {
				return &wire.ListenResponse{Next: fmt.Append(nil, n)}
			}
			return &wire.ListenResponse{Heard: stop(n)}
		}, 1, 3},
		"a few cannot be taken": {func(n uint64) *wire.ListenResponse {
			if n < wire.MaxHeard-1 {
				return &wire.ListenResponse{Turn: n + 1, Heard: []*wire.Heard{{Next: fmt.Append(nil, n)}}}
			}
			return &wire.ListenResponse{Heard: stop(n)}
		}, 1, 0},
		"thousands cannot be taken": {func(n uint64) *wire.ListenResponse {
			if n < 2000 {
				return &wire.ListenResponse{Turn: n + 1, Heard: []*wire.Heard{{Next: fmt.Append(nil, n)}}}
			}
			return &wire.ListenResponse{Heard: stop(n)}
		}, 1, 2000 / wire.MaxHeard},
		"thousands can": {func(n uint64) *wire.ListenResponse {
			return &wire.ListenResponse{Turn: n + 1, Heard: []*wire.Heard{{Event: stop(n)[0].Event, Next: fmt.Append(nil, n)}}}
		}, 2000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n uint64
			i, _ := tell(t, &teller{listen: func(*wire.ListenRequest) (*wire.ListenResponse, error) { n++; return tc.answer(n - 1), nil }})
			clock := stopClock(i)
			e := listens(t, i, "")
			for range tc.hears {
				hears(t, e, "STOP")
			}
			clock.rested(t, name, tc.pauses)
		})
	}
}

// TestWhenAnEventHappened: where its program does not say it, or has a clock that is ahead, it happened when it was told.
func TestWhenAnEventHappened(t *testing.T) {
	t.Parallel()
	told := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct{ at, want time.Time }{
		"it does not say": {time.Time{}, told}, "before": {told.Add(-time.Hour), told.Add(-time.Hour)}, "later": {told.Add(time.Hour), told},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := &wire.InboxEvent{Id: "1", Kind: "message", From: someone, Text: "one"}
			if !tc.at.IsZero() {
				said.At = wire.Timestamp(tc.at)
			}
			b, err := proto.Marshal(said)
			if err != nil {
				t.Fatal(err)
			}
			i, _ := tell(t, &teller{
				listen: func(*wire.ListenRequest) (*wire.ListenResponse, error) {
					return &wire.ListenResponse{Heard: []*wire.Heard{{Event: b}}}, nil
				},
				receive: func(*wire.ReceiveRequest) (*wire.ReceiveResponse, error) {
					return &wire.ReceiveResponse{Reply: &wire.WebhookReply{Status: 200}, Events: [][]byte{b}}, nil
				}})
			stopClock(i).at = told.In(time.FixedZone("", 3600))
			heard, _, err := listens(t, i, "").Next(t.Context())
			if err != nil || !heard.At.Equal(tc.want) || heard.At.Location() != time.UTC {
				t.Errorf("listening: %v, %v; wanted is %v", heard.At, err, tc.want)
			}
			r, _ := sdk.As[sdk.Receiver](i)
			_, events, err := r.ReceiveEvents(t.Context(), sdk.WebhookRequest{Method: "POST"})
			if err != nil || len(events) != 1 || !events[0].At.Equal(tc.want) {
				t.Errorf("a call: %v, %v; wanted is %v", events, err, tc.want)
			}
		})
	}
}

// TestEventsOfAnyLength: whatever of an event is too long to be one, it fits into a message, and listening goes on.
func TestEventsOfAnyLength(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", wire.MaxMessage/2+1)
	o := newOffice()
	i, refused := heardInstance(t, o)
	o.say(
		sdk.InboxEvent{ID: long, Kind: sdk.EventMessage, From: sdk.Handle{Value: someone}}, sdk.InboxEvent{ID: "2", Kind: sdk.EventMessage, From: sdk.Handle{Value: long}},
		sdk.InboxEvent{ID: "3", Kind: sdk.EventKind(long), From: sdk.Handle{Value: someone}}, sdk.InboxEvent{ID: "4", Kind: sdk.EventButton, From: sdk.Handle{Value: someone}, Data: long},
		sdk.InboxEvent{ID: "5", Kind: sdk.EventMessage, From: sdk.Handle{Value: someone}, Answers: long, Name: long, Text: "STOP " + long, Data: long, Lang: long, Ref: long, ReplyTo: long,
			Emoji: long, Bounce: sdk.Bounce{Class: sdk.BounceClass(long), Status: long, Reason: long}})
	got, _, err := listens(t, i, "").Next(t.Context())
	if err != nil || got.ID != "5" || !strings.HasPrefix(got.Text, "STOP é") || got.Answers+got.Name+got.Data+got.Lang+got.Ref+got.ReplyTo != "" {
		t.Errorf("%.100q %.100q, %v", got.ID, got.Text, err)
	}
	for what, n := range map[string][2]int{"text": {len(got.Text), wire.MaxEventText}, "emoji": {len(got.Emoji), wire.MaxEventData}, "status": {len(got.Bounce.Status), wire.MaxEventID}, "reason": {len(got.Bounce.Reason), wire.MaxEventID}} {
		if n[0] == 0 || n[0] > n[1] {
			t.Errorf("the %s has %d bytes; at most %d are taken", what, n[0], n[1])
		}
	}
	if diff := cmp.Diff([]refusal{{sdk.EventMessage, "id"}, {sdk.EventMessage, "sender"}, {"", "kind"}, {sdk.EventButton, "content"}}, *refused); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhoDoesNotServeHearing: a program that says it hears and has no such service is not heard, and neither is one that does not say of
// what it tells.
func TestWhoDoesNotServeHearing(t *testing.T) {
	t.Parallel()
	i, _ := tell(t, &teller{})
	old := newServer(t, func(grpc.ServiceRegistrar) {})
	deaf := wire.NewInstance(&caller{p: old, handle: "1"}, "odd", []sdk.Role{sdk.RoleListener, sdk.RoleReceiver})
	deaf.Hear([]sdk.EventKind{sdk.EventMessage}, nil)
	_, _, err := listens(t, deaf, "").Next(t.Context())
	wantCode(t, err, sdk.CodeUnsupported, "cannot do this")
	silent := wire.NewInstance(&caller{p: old, handle: "1"}, "odd", []sdk.Role{sdk.RoleListener, sdk.RoleReceiver})
	silent.Hear(nil, nil)
	_, l := sdk.As[sdk.Listener](silent)
	_, r := sdk.As[sdk.Receiver](silent)
	if _, ok := sdk.As[sdk.Receiver](i); l || r || !ok {
		t.Errorf("a type that does not say of what it tells listens %t, receives %t", l, r)
	}
}

// TestACallOfAPlatformCrosses with its bytes and headers as they came, and back comes what a stranger's program may say to anybody.
func TestACallOfAPlatformCrosses(t *testing.T) {
	t.Parallel()
	o := newOffice()
	i, refused := heardInstance(t, o)
	receiver, ok := sdk.As[sdk.Receiver](i)
	if !ok {
		t.Fatal("behind the wire it is no Receiver")
	}
	call := sdk.WebhookRequest{Method: "POST", Path: "/hooks/odd", Query: "a=%ff", Header: map[string][]string{"X-Signature": {"\xff1", "2"}}, Body: []byte("\x00\xffbody"), ReceivedAt: time.Now().UTC()}
	o.hook = func(_ context.Context, r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
		if diff := cmp.Diff(call, r); diff != "" {
			t.Errorf("lost on the way (-want +got):\n%s", diff)
		}
		wrong := text("wrong")
		wrong.From.Value = ""
		return sdk.WebhookReply{Status: 202, Body: []byte("ok"), Header: map[string][]string{"content-type": {"text/plain", "text/html"}, "Set-Cookie": {"a=b"}, "Location": {"https://elsewhere.example"},
			"X-Accel-Redirect": {"/etc/passwd"}, "Retry-After": {"1\r\nX: y"}}}, []sdk.InboxEvent{text("one"), wrong, text("two")}, nil
	}
	reply, events, err := receiver.ReceiveEvents(t.Context(), call)
	if err != nil || len(events) != 2 || events[0].Text != "one" || events[1].From != (sdk.Handle{Medium: "odd", Value: "someone"}) {
		t.Errorf("%+v, %v", events, err)
	}
	if diff := cmp.Diff(sdk.WebhookReply{Status: 202, Body: []byte("ok"), Header: map[string][]string{"Content-Type": {"text/plain"}}}, reply); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]refusal{{sdk.EventMessage, "sender"}}, *refused); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatAPlatformIsNeverAnswered: a redirect, no status, a page without end, and events out of a call that is refused.
func TestWhatAPlatformIsNeverAnswered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer *wire.ReceiveResponse
		want   string
	}{
		"nothing":           {&wire.ReceiveResponse{}, "with the status 0"},
		"a redirect":        {&wire.ReceiveResponse{Reply: &wire.WebhookReply{Status: 302}}, "with the status 302"},
		"a long page":       {&wire.ReceiveResponse{Reply: &wire.WebhookReply{Status: 200, Body: make([]byte, wire.MaxReply+1)}}, "at most 65536 are passed on"},
		"events of a liar":  {&wire.ReceiveResponse{Reply: &wire.WebhookReply{Status: 403}, Events: [][]byte{event(t, "1", "one")}}, "refuses a call and takes events"},
		"a flood of events": {&wire.ReceiveResponse{Reply: &wire.WebhookReply{Status: 200}, Events: make([][]byte, wire.MaxReceived+1)}, "1001 events out of one call"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, _ := tell(t, &teller{receive: func(*wire.ReceiveRequest) (*wire.ReceiveResponse, error) { return tc.answer, nil }})
			receiver, _ := sdk.As[sdk.Receiver](i)
			_, events, err := receiver.ReceiveEvents(t.Context(), sdk.WebhookRequest{Method: "POST"})
			wantCode(t, err, sdk.CodeUnavailable, tc.want)
			if rule := (*wire.RuleError)(nil); !errors.As(err, &rule) || len(events) > 0 {
				t.Errorf("%d events, %v", len(events), err)
			}
		})
	}
}

// TestNobodysAddressStandsInAnErrorOfHearing: who wrote is known to the plugin alone, so all that reads like an address goes.
func TestNobodysAddressStandsInAnErrorOfHearing(t *testing.T) {
	t.Parallel()
	o := newOffice()
	i, _ := heardInstance(t, o)
	receiver, _ := sdk.As[sdk.Receiver](i)
	o.hook = func(context.Context, sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
		return sdk.WebhookReply{}, nil, sdk.Errorf(sdk.CodeUnavailable, "receive", "what %s and +33 6 12 34 56 78 wrote at 12:30 cannot be read (503)", someone)
	}
	_, _, err := receiver.ReceiveEvents(t.Context(), sdk.WebhookRequest{Method: "POST"})
	if e := sdk.AsError(err); e.Public != "what … and … wrote at 12:30 cannot be read (503)" {
		t.Errorf("%q", e.Public)
	}
}

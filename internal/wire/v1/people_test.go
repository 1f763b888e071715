package wire_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// writer is a messenger that does what a test tells it to.
type writer struct {
	message func(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error)
}

func (w *writer) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	return w.message(ctx, m)
}
func (w *writer) Close(context.Context) error { return nil }

// spec declares the writer under the name that pair.open opens.
func (w *writer) spec() *sdk.Spec {
	return sdk.Define("odd", "writes as a test tells it to", oddConfig{}, func(context.Context, sdk.Settings, oddConfig) (*writer, error) { return w, nil }).
		WithMedium(sdk.Medium{OwnChoice: true, TheyBegin: true, ReplyWindow: time.Hour, Templates: true, Hears: []sdk.EventKind{sdk.EventMessage, "tomorrow"}, Address: sdk.AddressE164})
}

// limited is a writer that says what it takes.
type limited struct{ writer }

func (l *limited) MessageLimits() sdk.Limits {
	return sdk.Limits{Text: 160, Unit: sdk.UnitCodePoints, Rules: sdk.Rules{Rates: []sdk.Rate{{Scope: sdk.RateDestination, Events: 10, Per: time.Second}}}}
}

const someone = "someone@example.invalid"

func written(t *testing.T, content sdk.MessageContent) sdk.DirectMessage {
	t.Helper()
	return sdk.NewDirectMessage(sdktest.Permit(t, "m1", "odd", someone), content)
}

func messenger(t *testing.T, w *writer) (sdk.Messenger, *pair) {
	t.Helper()
	p := newPair(t, w.spec())
	m, ok := sdk.As[sdk.Messenger](p.open(t, "1", nil))
	if !ok {
		t.Fatal("behind the wire it is no Messenger")
	}
	return m, p
}

// TestAMessageCrosses: everything that a message says arrives, with the content of its files, and nothing of it is changed.
func TestAMessageCrosses(t *testing.T) {
	t.Parallel()
	type seen struct {
		ID, Medium, Address string
		Purpose             sdk.Purpose
		NotAfter            time.Time
		Content             sdk.MessageContent
	}
	var got []seen
	m, _ := messenger(t, &writer{message: func(_ context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
		to, err := m.Recipient(time.Now())
		if err != nil {
			return sdk.MessageRef{}, err
		}
		address, _ := to.Reveal()
		got = append(got, seen{m.ID(), to.Medium(), address, m.Purpose(), m.NotAfter(), m.MessageContent})
		return sdk.MessageRef{ID: "x7", State: []byte{1}}, nil
	}})
	content := sdk.MessageContent{Common: &sdk.Common{ID: "c1", Kind: sdk.CommonPost, Lang: "fr", Subject: "Feu", Body: sdk.Body{sdk.Paragraph(sdk.Text("Bonjour " + sdk.Slot("name")))},
		Media:  []sdk.Media{{URL: "https://news.example/i.png", File: sdk.File{Name: "i.png", Size: 600_000, Data: []byte(strings.Repeat("ab", 300_000))}}, {File: sdk.File{Name: "j.png", Size: 1, Data: []byte("j")}}},
		Reason: "parce que", Links: []sdk.CommonLink{{Text: "Partir", Slot: sdk.SlotUnsubscribe}}, List: sdk.List{ID: "alertes", Title: "Alertes"}, Sender: "La Gazette"},
		Slots:   map[string]string{"name": "Anna <&>", sdk.SlotUnsubscribe: "https://news.example/leave/x"},
		Buttons: [][]sdk.Button{{{Text: "Oui", Data: "y"}, {Text: "Lire", URL: "https://news.example/a"}}, {{Text: "Non", Data: "n"}}}, ReplyTo: "41"}
	until := time.Now().Add(time.Minute).UTC()
	message := sdk.NewDirectMessage(sdktest.PermitFor(t, "m1", "odd", someone, sdk.PurposeAnswer, until), content)
	for range 2 { // the second one shares the text
		ref, err := m.Message(t.Context(), message)
		if err != nil || ref.ID != "x7" || string(ref.State) != "\x01" {
			t.Fatalf("%+v, %v", ref, err)
		}
	}
	want := seen{"m1", "odd", someone, sdk.PurposeAnswer, until, content}
	if diff := cmp.Diff([]seen{want, want}, got); diff != "" {
		t.Errorf("lost on the way (-want +got):\n%s", diff)
	}
	if got[0].Content.Common != got[1].Content.Common {
		t.Error("messages that share a text got two of them")
	}
	other := *content.Common
	other.ID, other.Subject = "c2", "Autre"
	content.Common = &other
	if _, err := m.Message(t.Context(), written(t, content)); err != nil || got[2].Content.Common.Subject != "Autre" {
		t.Errorf("another text: %+v, %v", got[2].Content.Common, err)
	}
	// A platform's template has no text.
	if _, err := m.Message(t.Context(), written(t, sdk.MessageContent{Template: "news", Parameters: []string{"a", "b"}})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sdk.MessageContent{Template: "news", Parameters: []string{"a", "b"}}, got[3].Content); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatDoesNotCross: a message without a permit, one whose time is over, and one for another medium are refused in the host; the
// process hears nothing of them.
func TestWhatDoesNotCross(t *testing.T) {
	t.Parallel()
	calls := 0
	m, p := messenger(t, &writer{message: func(context.Context, sdk.DirectMessage) (sdk.MessageRef, error) {
		calls++
		return sdk.MessageRef{ID: "1"}, nil
	}})
	content := sdk.MessageContent{Common: &sdk.Common{ID: "c"}}
	_, err := m.Message(t.Context(), sdk.DirectMessage{MessageContent: content})
	wantCode(t, err, sdk.CodeNoConsent, "without a permit")
	over := sdktest.PermitFor(t, "m2", "odd", someone, sdk.PurposeDelivery, time.Now().Add(-time.Second))
	_, err = m.Message(t.Context(), sdk.NewDirectMessage(over, content))
	wantCode(t, err, sdk.CodeNoConsent, "the permit ended")
	_, err = m.Message(t.Context(), sdk.NewDirectMessage(sdktest.Permit(t, "m3", "email", someone), content))
	wantCode(t, err, sdk.CodeInvalid, "the message is for the medium email, and odd writes by its own alone")
	if strings.Contains(err.Error(), someone) || calls > 0 {
		t.Errorf("%d calls, %v", calls, err)
	}
	// What waited for its turn until its time was over is not sent either.
	waiting := wire.NewInstance(&late{caller{p: p, handle: "1"}}, "odd", []sdk.Role{sdk.RoleMessenger})
	soon := sdktest.PermitFor(t, "m4", "odd", someone, sdk.PurposeDelivery, time.Now().Add(20*time.Millisecond))
	_, err = waiting.Message(t.Context(), sdk.NewDirectMessage(soon, content))
	if wantCode(t, err, sdk.CodeNoConsent, "the permit ended"); calls > 0 {
		t.Error("it was sent")
	}
}

// late is a caller whose turn comes when every permit of the test is over.
type late struct{ caller }

func (c *late) Call(ctx context.Context, op wire.Op, f func(ctx context.Context, at wire.At) error) error {
	time.Sleep(40 * time.Millisecond)
	return c.caller.Call(ctx, op, f)
}

// TestMessagesThatFail: codes cross, what is not known stays unknown, and no error holds the address.
func TestMessagesThatFail(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		message func(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error)
		code    sdk.Code
		words   string
	}{
		"an error": {func(context.Context, sdk.DirectMessage) (sdk.MessageRef, error) {
			return sdk.MessageRef{}, &sdk.Error{Code: sdk.CodeRateLimited, Scope: sdk.ScopeAccount, Public: "too fast", RetryAfter: 7 * time.Second}
		}, sdk.CodeRateLimited, "too fast"},
		"an error that names the person": {func(_ context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
			to, _ := m.Recipient(time.Now())
			address, _ := to.Reveal()
			return sdk.MessageRef{}, &sdk.Error{Code: sdk.CodeGone, Scope: sdk.ScopePerson, Op: "send to " + address, Public: address + " is gone"}
		}, sdk.CodeGone, "[address] is gone"},
		"an account that is gone": {func(context.Context, sdk.DirectMessage) (sdk.MessageRef, error) {
			return sdk.MessageRef{}, &sdk.Error{Code: sdk.CodeGone, Scope: sdk.ScopeAccount, Public: "the account was closed"}
		}, sdk.CodeForbidden, "the account was closed"},
		"a panic": {func(context.Context, sdk.DirectMessage) (sdk.MessageRef, error) { panic("boo") }, sdk.CodeUnknownOutcome, "whether it took effect is not known"},
		"no id": {func(context.Context, sdk.DirectMessage) (sdk.MessageRef, error) { return sdk.MessageRef{}, nil }, sdk.CodeUnknownOutcome,
			"it accepted the message and gave no id for it"},
		"a large reference": {func(context.Context, sdk.DirectMessage) (sdk.MessageRef, error) {
			return sdk.MessageRef{ID: "1", State: make([]byte, wire.MaxRefState)}, nil
		}, sdk.CodeUnknownOutcome, "its reference has 4097 bytes"},
		"no end": {func(ctx context.Context, _ sdk.DirectMessage) (sdk.MessageRef, error) {
			<-ctx.Done()
			return sdk.MessageRef{}, ctx.Err()
		}, sdk.CodeUnknownOutcome, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := messenger(t, &writer{message: tc.message})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			if name == "no end" {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			defer cancel()
			_, err := m.Message(ctx, written(t, sdk.MessageContent{Common: &sdk.Common{ID: "c"}}))
			wantCode(t, err, tc.code, tc.words)
			if strings.Contains(err.Error(), someone) {
				t.Errorf("the address stands in %v", err)
			}
			if e := sdk.AsError(err); tc.code == sdk.CodeRateLimited && (e.RetryAfter != 7*time.Second || e.Scope != sdk.ScopeAccount) {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestMessageLimits: what a connector says of its messages is known before the first of them; one that says nothing is no
// MessageLimiter, and neither is one without the method.
func TestMessageLimits(t *testing.T) {
	t.Parallel()
	l := &limited{}
	spec := sdk.Define("odd", "has limits", oddConfig{}, func(context.Context, sdk.Settings, oddConfig) (*limited, error) { return l, nil })
	i := newPair(t, spec).open(t, "1", nil)
	if err := i.AskMessageLimits(t.Context()); err != nil {
		t.Fatal(err)
	}
	limiter, ok := sdk.As[sdk.MessageLimiter](i)
	if !ok {
		t.Fatal("behind the wire it is no MessageLimiter")
	}
	if diff := cmp.Diff(l.MessageLimits(), limiter.MessageLimits()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	unlimited := newPair(t, (&writer{}).spec()).open(t, "1", nil)
	if err := unlimited.AskMessageLimits(t.Context()); err != nil {
		t.Errorf("one that says nothing: %v", err)
	}
	if _, ok := sdk.As[sdk.MessageLimiter](unlimited); ok {
		t.Error("one that says nothing is a MessageLimiter")
	}
	old := newServer(t, func(r grpc.ServiceRegistrar) { wire.RegisterMessengerServer(r, wire.UnimplementedMessengerServer{}) })
	if err := wire.NewInstance(&caller{p: old, handle: "1"}, "odd", []sdk.Role{sdk.RoleMessenger}).AskMessageLimits(t.Context()); err != nil {
		t.Errorf("one without the method: %v", err)
	}
	lying := newServer(t, func(r grpc.ServiceRegistrar) { wire.RegisterMessengerServer(r, negative{}) })
	err := wire.NewInstance(&caller{p: lying, handle: "1"}, "odd", []sdk.Role{sdk.RoleMessenger}).AskMessageLimits(t.Context())
	wantCode(t, err, sdk.CodeInvalid, "one of its limits is negative")
}

type negative struct {
	wire.UnimplementedMessengerServer
}

func (negative) MessageLimits(context.Context, *wire.MessageLimitsRequest) (*wire.MessageLimitsResponse, error) {
	return &wire.MessageLimitsResponse{Limits: &wire.Limits{Text: -1}}, nil
}

// spy keeps every request that it gets.
type spy struct {
	wire.UnimplementedMessengerServer
	mu  sync.Mutex
	got []*wire.MessageRequest
}

func (s *spy) Message(stream grpc.ClientStreamingServer[wire.MessageRequest, wire.MessageResponse]) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return stream.SendAndClose(&wire.MessageResponse{Id: "1"})
		}
		s.mu.Lock()
		s.got = append(s.got, m)
		s.mu.Unlock()
	}
}

// TestNothingElseOfAPersonCrosses holds every byte of what a process is told when somebody is written to.
func TestNothingElseOfAPersonCrosses(t *testing.T) {
	t.Parallel()
	s := &spy{}
	p := newServer(t, func(r grpc.ServiceRegistrar) { wire.RegisterMessengerServer(r, s) })
	m := wire.NewInstance(&caller{p: p, handle: "1"}, "odd", []sdk.Role{sdk.RoleMessenger})
	message := written(t, sdk.MessageContent{Common: &sdk.Common{ID: "c", Subject: "Feu"}, Slots: map[string]string{"since": "2026"}})
	if _, err := m.Message(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	want := &wire.MessageRequest{Handle: "1", Call: 1, Message: &wire.DirectMessage{Id: "m1", Medium: "odd", Address: someone, Purpose: "delivery",
		NotAfter: s.got[0].GetMessage().GetNotAfter(), Common: &wire.Common{Id: "c", Subject: "Feu", List: &wire.FollowedList{}}, Slots: map[string]string{"since": "2026"}}}
	if len(s.got) != 1 || !proto.Equal(want, s.got[0]) || !s.got[0].GetMessage().GetNotAfter().AsTime().Equal(message.NotAfter()) {
		t.Errorf("it was told %v", s.got)
	}
	// Whoever adds a field to what crosses has to say here that it is no more of the person than before.
	var fields []string
	list := (&wire.DirectMessage{}).ProtoReflect().Descriptor().Fields()
	for i := range list.Len() {
		fields = append(fields, string(list.Get(i).Name()))
	}
	if diff := cmp.Diff(strings.Fields("id medium address purpose not_after common slots template parameters buttons reply_to"), fields); diff != "" {
		t.Errorf("what crosses of a message has changed (-want +got):\n%s", diff)
	}
}

// TestAFaultyHost: what a host must never send is refused by the other side as well.
func TestAFaultyHost(t *testing.T) {
	t.Parallel()
	calls := 0
	_, p := messenger(t, &writer{message: func(_ context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
		if _, err := m.Recipient(time.Now()); err != nil {
			return sdk.MessageRef{}, err
		}
		calls++
		return sdk.MessageRef{ID: "1"}, nil
	}})
	ok := func() *wire.DirectMessage {
		at := written(t, sdk.MessageContent{})
		return &wire.DirectMessage{Id: "m1", Medium: "odd", Address: someone, Purpose: "delivery", NotAfter: wire.Timestamp(at.NotAfter())}
	}
	for name, tc := range map[string]struct {
		change func(m *wire.DirectMessage)
		code   sdk.Code
	}{
		"nobody":             {func(m *wire.DirectMessage) { m.Address = "" }, sdk.CodeNoConsent},
		"over":               {func(m *wire.DirectMessage) { m.NotAfter = wire.Timestamp(time.Now().Add(-time.Minute)) }, sdk.CodeNoConsent},
		"without an end":     {func(m *wire.DirectMessage) { m.NotAfter = nil }, sdk.CodeInvalid},
		"without a name":     {func(m *wire.DirectMessage) { m.Id = "" }, sdk.CodeInvalid},
		"without a medium":   {func(m *wire.DirectMessage) { m.Medium = "" }, sdk.CodeInvalid},
		"of an unknown sort": {func(m *wire.DirectMessage) { m.Purpose = "tomorrow" }, ""},
	} {
		before := calls
		message := ok()
		tc.change(message)
		stream, err := wire.NewMessengerClient(p.conn).Message(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&wire.MessageRequest{Handle: "1", Call: p.calls.Add(1), Message: message}); err != nil {
			t.Fatal(err)
		}
		_, err = stream.CloseAndRecv()
		if tc.code == "" {
			if err != nil || calls != before+1 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || calls != before || !strings.Contains(wire.CodeOf(err), string(tc.code)) {
			t.Errorf("%s: %v, wanted is %s", name, err, tc.code)
		}
	}
}

// unopened is a caller whose instance cannot be opened.
type unopened struct{ err error }

func (u unopened) Call(context.Context, wire.Op, func(ctx context.Context, at wire.At) error) error {
	return u.err
}
func (unopened) Close(context.Context) error { return nil }

// TestWhatIsWrongWithAPluginCountsAgainstNobody: an instance that cannot be opened gives no message up, and nobody's address.
func TestWhatIsWrongWithAPluginCountsAgainstNobody(t *testing.T) {
	t.Parallel()
	for code, want := range map[sdk.Code]sdk.Code{sdk.CodeGone: sdk.CodeUnavailable, sdk.CodeInvalid: sdk.CodeUnavailable, sdk.CodeUnknownOutcome: sdk.CodeUnavailable,
		sdk.CodeNoConsent: sdk.CodeUnavailable, sdk.CodeWindowClosed: sdk.CodeUnavailable, sdk.CodeUnauthenticated: sdk.CodeUnauthenticated, sdk.CodeRateLimited: sdk.CodeRateLimited} {
		m := wire.NewInstance(unopened{&sdk.Error{Code: code, Scope: sdk.ScopePerson, Public: "it does not open", RetryAfter: time.Second}}, "odd", []sdk.Role{sdk.RoleMessenger})
		_, err := m.Message(t.Context(), written(t, sdk.MessageContent{Common: &sdk.Common{ID: "c"}}))
		wantCode(t, err, want, "it does not open")
		if e := sdk.AsError(err); e.Scope != sdk.ScopeAccount || e.RetryAfter != time.Second {
			t.Errorf("%s: %+v", code, e)
		}
	}
}

// TestWhatDoesNotCrossAtAll: whatever a process says that it can do, and whoever hears people without saying of what it tells.
func TestWhatDoesNotCrossAtAll(t *testing.T) {
	t.Parallel()
	i := wire.NewInstance(unopened{}, "odd", []sdk.Role{sdk.RoleReceiver, sdk.RoleListener, sdk.RoleStreamer, sdk.RoleAssistant, "reader of minds"})
	_, hears := sdk.As[sdk.Listener](i)
	_, receives := sdk.As[sdk.Receiver](i)
	_, streams := sdk.As[sdk.Streamer](i)
	_, writes := sdk.As[sdk.Messenger](i)
	if hears || receives || streams || writes {
		t.Error("a role crosses that does not")
	}
}

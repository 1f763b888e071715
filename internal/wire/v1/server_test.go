package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/logtest"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// odd is a connector that does what a test tells it to.
type odd struct {
	fetch   func(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error)
	publish func(ctx context.Context, part sdk.Part) (sdk.PartRef, error)
	check   func(items []sdk.ItemRef) ([]sdk.Presence, error)
	closed  func()
}

func (o *odd) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	return o.fetch(ctx, r)
}
func (o *odd) Plan(sdk.ChannelRef, sdk.Post) ([]sdk.Part, error) { return nil, nil }
func (o *odd) Publish(ctx context.Context, _ sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	return o.publish(ctx, part)
}
func (o *odd) CheckItems(_ context.Context, items []sdk.ItemRef) ([]sdk.Presence, error) {
	return o.check(items)
}
func (o *odd) Close(context.Context) error {
	if o.closed != nil {
		o.closed()
	}
	return nil
}

type oddConfig struct {
	Number int    `yaml:"number"`
	Fail   string `yaml:"fail"`
}

func (o *odd) spec() *sdk.Spec {
	return sdk.Define("odd", "does what a test tells it to", oddConfig{}, func(ctx context.Context, _ sdk.Settings, c oddConfig) (*odd, error) {
		switch c.Fail {
		case "error":
			return nil, sdk.Errorf(sdk.CodeForbidden, "open", "not today")
		case "panic":
			panic("boo")
		case "wait":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return o, nil
	})
}

// pair is a server and a connection to it.
type pair struct {
	conn   *grpc.ClientConn
	server *wire.Server
	log    *logtest.Buffer
	calls  atomic.Uint64
	many   *wire.FetchStream // of the instances that openMany opens
	alone  atomic.Int64      // fetches that were made by themselves
}

func newPair(t *testing.T, specs ...*sdk.Spec) *pair {
	t.Helper()
	log := &logtest.Buffer{}
	server, err := wire.NewServer(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), specs...)
	if err != nil {
		t.Fatal(err)
	}
	p := newServer(t, server.Register)
	p.server, p.log = server, log
	return p
}

// newServer serves what register registers.
func newServer(t *testing.T, register func(grpc.ServiceRegistrar)) *pair {
	t.Helper()
	p := &pair{}
	l := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(wire.MaxMessage), grpc.MaxSendMsgSize(2*wire.MaxMessage),
		grpc.StreamInterceptor(func(s any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			if strings.HasSuffix(info.FullMethod, "/Fetch") {
				p.alone.Add(1)
			}
			return h(s, ss)
		}))
	register(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	var err error
	p.conn, err = grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.conn.Close()
		srv.Stop()
		<-served
	})
	return p
}

// at is the place of an instance for one more call.
func (p *pair) at(handle string) wire.At {
	return wire.At{Conn: p.conn, Handle: handle, Call: p.calls.Add(1), Many: p.many}
}

func (p *pair) open(t *testing.T, handle string, config map[string]any) *wire.Instance {
	t.Helper()
	roles, err := wire.OpenInstance(t.Context(), p.at(handle), "odd", sdk.Settings{Instance: "an instance"}, config)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return wire.NewInstance(&caller{p: p, handle: handle}, "odd", roles)
}

type caller struct {
	p      *pair
	handle string
}

func (c *caller) Call(ctx context.Context, _ wire.Op, f func(ctx context.Context, at wire.At) error) error {
	return f(ctx, c.p.at(c.handle))
}

func (c *caller) Close(ctx context.Context) error { return wire.CloseInstance(ctx, c.p.at(c.handle)) }

func wantCode(t *testing.T, err error, code sdk.Code, words string) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Public, words) {
		t.Errorf("got %v, want the code %s and %q", err, code, words)
	}
}

func TestServersThatCannotBe(t *testing.T) {
	t.Parallel()
	spec := (&odd{}).spec()
	for name, specs := range map[string][]*sdk.Spec{"none": nil, "a type twice": {spec, spec}, "nil": {nil}, "no name": {{}}} {
		if _, err := wire.NewServer(slog.New(slog.DiscardHandler), specs...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	spec := (&odd{}).spec()
	got, err := wire.Describe(t.Context(), newPair(t, spec, (&sdktest.Platform{}).Spec()).conn)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	want := wire.Description{Type: "odd", Summary: spec.Summary, Roles: spec.Roles, Schema: spec.SchemaJSON(), Fields: spec.Fields()}
	if diff := cmp.Diff(want, got[0], cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestAPanicCostsTheCall(t *testing.T) {
	t.Parallel()
	fine := false
	o := &odd{
		fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			if fine {
				return sdk.Batch{}, nil
			}
			panic("a panic of the test")
		},
		publish: func(context.Context, sdk.Part) (sdk.PartRef, error) {
			panic(errors.New("an error, panicked"))
		},
	}
	p := newPair(t, o.spec())
	i := p.open(t, "1", nil)
	_, err := i.Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "a panic")
	_, err = i.Publish(t.Context(), sdk.ChannelRef{}, sdk.Part{})
	wantCode(t, err, sdk.CodeUnknownOutcome, "whether it took effect is not known")
	_, err = wire.OpenInstance(t.Context(), p.at("2"), "odd", sdk.Settings{}, map[string]any{"fail": "panic"})
	wantCode(t, err, sdk.CodeUnavailable, "a panic")
	if log := p.log.String(); !strings.Contains(log, "a panic of the test") || !strings.Contains(log, "server_test.go") || !strings.Contains(log, `instance="an instance"`) {
		t.Errorf("the log:\n%s", log)
	}
	fine = true
	if _, err := i.Fetch(t.Context(), sdk.FetchRequest{}); err != nil {
		t.Errorf("the instance after its panic: %v", err)
	}
}

func TestOpening(t *testing.T) {
	t.Parallel()
	o := &odd{fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) { return sdk.Batch{}, nil }}
	p := newPair(t, o.spec())
	open := func(handle, typ string, config map[string]any) error {
		_, err := wire.OpenInstance(t.Context(), p.at(handle), typ, sdk.Settings{Instance: "x"}, config)
		return err
	}
	if err := open("1", "odd", map[string]any{"number": sdk.Untyped("5")}); err != nil {
		t.Errorf("an untyped number: %v", err)
	}
	wantCode(t, open("1", "odd", nil), sdk.CodeInvalid, `the handle "1" is taken`)
	wantCode(t, open("", "odd", nil), sdk.CodeInvalid, "empty")
	wantCode(t, open("2", "even", nil), sdk.CodeUnsupported, `no type "even"`)
	wantCode(t, open("3", "odd", map[string]any{"fail": "error"}), sdk.CodeForbidden, "not today")
	if err := open("3", "odd", nil); err != nil {
		t.Errorf("the handle of an opening that failed: %v", err)
	}
	var ps sdk.Problems
	if err := open("4", "odd", map[string]any{"number": "5", "nmber": true}); !errors.As(err, &ps) || len(ps) != 2 {
		t.Errorf("got %v", err)
	}
	if err := wire.CheckConfig(t.Context(), p.conn, "odd", map[string]any{"number": "5"}); !errors.As(err, &ps) || len(ps) != 1 {
		t.Errorf("got %v", err)
	}
	if err := wire.CheckConfig(t.Context(), p.conn, "odd", map[string]any{}); err != nil {
		t.Errorf("got %v", err)
	}
	ghost := wire.NewInstance(&caller{p: p, handle: "77"}, "odd", []sdk.Role{sdk.RoleSource})
	_, err := ghost.Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "not open")
	if err := ghost.Close(t.Context()); err != nil {
		t.Errorf("Close of a handle that nobody opened: %v", err)
	}
	unable := wire.NewInstance(&caller{p: p, handle: "1"}, "odd", []sdk.Role{sdk.RoleEditor})
	_, err = unable.Edit(t.Context(), sdk.PartRef{}, sdk.Part{})
	wantCode(t, err, sdk.CodeUnsupported, "cannot do that")
}

func TestCloseWaitsForTheLastCall(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan struct{}), make(chan struct{})
	var order []string
	o := &odd{
		fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			close(began)
			<-goOn
			order = append(order, "fetched")
			return sdk.Batch{}, nil
		},
		closed: func() { order = append(order, "closed") },
	}
	p := newPair(t, o.spec())
	i := p.open(t, "1", nil)
	fetched, closed := make(chan error, 1), make(chan error, 1)
	go func() { _, err := i.Fetch(context.Background(), sdk.FetchRequest{}); fetched <- err }()
	<-began
	at := p.at("1")
	go func() { closed <- wire.CloseInstance(context.Background(), at) }()
	close(goOn)
	if err := errors.Join(<-fetched, <-closed); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"fetched", "closed"}, order); diff != "" {
		t.Error(diff)
	}
	_, err := i.Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "not open")
}

func TestSettle(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan struct{}, 2), make(chan struct{})
	o := &odd{fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
		began <- struct{}{}
		<-goOn
		return sdk.Batch{}, nil
	}}
	p := newPair(t, o.spec())
	p.open(t, "1", nil)
	one, two := p.at("1"), p.at("1")
	for _, at := range []wire.At{one, two} {
		i := wire.NewInstance(fixed{at}, "odd", []sdk.Role{sdk.RoleSource})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := i.Fetch(ctx, sdk.FetchRequest{}); done <- err }()
		<-began
		if at == one {
			cancel()
			wantCode(t, <-done, sdk.CodeUnavailable, "given up")
		} else {
			defer func() { cancel(); <-done }()
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := wire.SettleInstance(short, one); err == nil {
		t.Error("a call that goes on counts as settled")
	}
	goOn <- struct{}{} // one of the two ends; which one is not known, but a third never was
	if err := wire.SettleInstance(t.Context(), p.at("1")); err != nil {
		t.Errorf("a call that never was: %v", err)
	}
	close(goOn)
	if err := wire.SettleInstance(t.Context(), one); err != nil {
		t.Errorf("a call that ended: %v", err)
	}
}

// fixed makes every call under the same number.
type fixed struct{ at wire.At }

func (f fixed) Call(ctx context.Context, _ wire.Op, call func(ctx context.Context, at wire.At) error) error {
	return call(ctx, f.at)
}
func (f fixed) Close(context.Context) error { return nil }

func TestAnOpeningThatIsGivenUpSettles(t *testing.T) {
	t.Parallel()
	p := newPair(t, (&odd{}).spec())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	at := p.at("1")
	_, err := wire.OpenInstance(ctx, at, "odd", sdk.Settings{}, map[string]any{"fail": "wait"})
	wantCode(t, err, sdk.AsError(err).Code, "")
	if err := wire.SettleInstance(t.Context(), at); err != nil {
		t.Error(err)
	}
	if _, err := wire.OpenInstance(t.Context(), at, "odd", sdk.Settings{}, nil); err != nil {
		t.Errorf("the handle is free again: %v", err)
	}
}

func TestServerClose(t *testing.T) {
	t.Parallel()
	closed := 0
	o := &odd{closed: func() { closed++ }}
	p := newPair(t, o.spec())
	p.open(t, "1", nil)
	if err := p.server.Close(t.Context()); err != nil || closed != 1 {
		t.Errorf("%d closed, %v", closed, err)
	}
}

func TestUnknownWordsSurvive(t *testing.T) {
	t.Parallel()
	o := &odd{
		check: func([]sdk.ItemRef) ([]sdk.Presence, error) {
			return []sdk.Presence{{State: "moved-to-the-moon", Reason: "302"}}, nil
		},
		fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			return sdk.Batch{Items: []sdk.Item{{Key: "1", Body: sdk.Body{sdk.Paragraph(sdk.Node{Kind: "blink", Children: []sdk.Node{sdk.Text("x")}})}}}}, nil
		},
		publish: func(context.Context, sdk.Part) (sdk.PartRef, error) {
			return sdk.PartRef{}, &sdk.Error{Code: "quantum_lost", Scope: "galaxy", Public: "x"}
		},
	}
	conn, err := sdktest.Loopback(t, o.spec())(t.Context(), sdk.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := conn.(*wire.Instance)
	presences, err := i.CheckItems(t.Context(), []sdk.ItemRef{{Key: "1"}})
	if err != nil || presences[0].State != "moved-to-the-moon" {
		t.Errorf("%v, %v", presences, err)
	}
	b, err := i.Fetch(t.Context(), sdk.FetchRequest{})
	if err != nil || b.Items[0].Body[0].Children[0].Kind != "blink" {
		t.Errorf("%v, %v", b, err)
	}
	_, err = i.Publish(t.Context(), sdk.ChannelRef{}, sdk.Part{})
	if e := sdk.AsError(err); e.Code != "quantum_lost" || e.Scope != "galaxy" || e.Code.Disposition() != sdk.DispositionAsk {
		t.Errorf("%+v", e)
	}
}

func TestLargeFilesCross(t *testing.T) {
	t.Parallel()
	var got sdk.Part
	o := &odd{publish: func(_ context.Context, part sdk.Part) (sdk.PartRef, error) {
		got = part
		return sdk.PartRef{IDs: []string{"1"}}, nil
	}}
	conn, err := sdktest.Loopback(t, o.spec())(t.Context(), sdk.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	part := sdk.Part{Kind: "album", Request: []byte("{}"), Key: "k", ReplyTo: &sdk.PartRef{IDs: []string{"0"}}}
	for n, size := range []int{40 << 20, 0, 1, 256<<10 + 1} {
		data := bytes.Repeat([]byte{byte(n + 1)}, size)
		sum := sha256.Sum256(data)
		part.Files = append(part.Files, sdk.File{SHA256: hex.EncodeToString(sum[:]), Name: fmt.Sprint(n), Size: int64(size), Data: data})
	}
	if _, err := conn.(*wire.Instance).Publish(t.Context(), sdk.ChannelRef{ID: "1"}, part); err != nil {
		t.Fatal(err)
	}
	for n := range part.Files {
		if !bytes.Equal(part.Files[n].Data, got.Files[n].Data) {
			t.Errorf("file %d arrived with %d of %d bytes", n, len(got.Files[n].Data), len(part.Files[n].Data))
		}
		part.Files[n].Data, got.Files[n].Data = nil, nil
	}
	if diff := cmp.Diff(part, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestRequestsThatAreTooLargeAreNotSent(t *testing.T) {
	t.Parallel()
	o := &odd{
		fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			t.Error("the call was made")
			return sdk.Batch{}, nil
		},
		publish: func(context.Context, sdk.Part) (sdk.PartRef, error) {
			t.Error("the call was made")
			return sdk.PartRef{}, nil
		},
	}
	p := newPair(t, o.spec())
	i := p.open(t, "1", nil)
	_, err := i.Fetch(t.Context(), sdk.FetchRequest{Document: &sdk.Document{Body: make([]byte, wire.MaxMessage)}})
	wantCode(t, err, sdk.CodeTooLarge, "a plugin takes at most")
	_, err = i.Publish(t.Context(), sdk.ChannelRef{}, sdk.Part{Request: make([]byte, wire.MaxMessage)})
	wantCode(t, err, sdk.CodeTooLarge, "a plugin takes at most")
}

func TestLargeBatchesCross(t *testing.T) {
	t.Parallel()
	var want sdk.Batch
	for n := range 1000 {
		it := sdktest.SampleItem(fmt.Sprint(n))
		it.Body = append(it.Body, sdk.Paragraph(sdk.Text(strings.Repeat("Une phrase. ", 2000))))
		want.Items = append(want.Items, it)
	}
	want.Complete, want.Next = true, bytes.Repeat([]byte("x"), sdk.MaxCursor)
	o := &odd{fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) { return want, nil }}
	conn, err := sdktest.Loopback(t, o.spec())(t.Context(), sdk.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := conn.(*wire.Instance).Fetch(t.Context(), sdk.FetchRequest{})
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("%v\n%.2000s", err, diff)
	}
}

func TestCausesStayInThePluginsLog(t *testing.T) {
	t.Parallel()
	o := &odd{fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, "fetch", "the feed is away: %w", errors.New("dial tcp 192.0.2.1"))
	}}
	p := newPair(t, o.spec())
	_, err := p.open(t, "1", nil).Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "the feed is away")
	if sdk.AsError(err).Err != nil {
		t.Errorf("a cause crossed: %v", sdk.AsError(err).Err)
	}
	if !strings.Contains(p.log.String(), "level=DEBUG msg=\"a call failed\"") {
		t.Errorf("the log:\n%s", p.log.String())
	}
}

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/pprof"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/internal/grease"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
)

// callTime bounds the making of the connection and the end of a loopback.
const callTime = 30 * time.Second

// Opener makes an instance of a connector from its configuration, as (*sdk.Spec).Open does.
type Opener func(ctx context.Context, s sdk.Settings, config map[string]any) (sdk.Connector, error)

// Loopback gives an opener whose instances lie behind a real pair of gRPC client and server, greased: every message
// carries fields that nobody knows, lists of roles name roles that do not exist, and streams hold messages without known
// content. What the connector logs goes to tb, and an event of people that Belfry would drop fails it. It ends with tb.
func Loopback(tb testing.TB, spec *sdk.Spec) Opener {
	tb.Helper()
	l := &loop{typ: spec.Type, dropped: func(_ sdk.EventKind, why string) { tb.Errorf("loopback: %s", people.Dropped(why)) }}
	if spec.Medium != nil {
		l.hears = spec.Medium.Hears
	}
	server, err := wire.NewServer(slog.New(newTestLog(tb)), spec)
	if err != nil {
		tb.Fatalf("loopback: %v", err)
	}
	listener := bufconn.Listen(1 << 20)
	g := grease.New()
	srv := grpc.NewServer(grpc.ForceServerCodecV2(g), grpc.MaxRecvMsgSize(2*wire.MaxMessage), grpc.MaxSendMsgSize(2*wire.MaxMessage),
		grpc.UnaryInterceptor(labelUnary), grpc.StreamInterceptor(func(s any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			if info.IsServerStream {
				ss = g.ServerStream(ss)
			}
			return labelStream(s, ss, info, h)
		}))
	server.Register(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	l.conn, err = grpc.NewClient("passthrough:loopback", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithChainUnaryInterceptor(g.Unary), grpc.WithChainStreamInterceptor(g.Stream), grpc.WithIdleTimeout(0))
	if err != nil {
		tb.Fatalf("loopback: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), callTime)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			tb.Errorf("loopback: an instance that nobody closed did not close: %v", err)
		}
		_ = l.conn.Close()
		srv.Stop()
		if err := <-served; err != nil {
			tb.Errorf("loopback: the server: %v", err)
		}
	})
	// The connection is made here so that its goroutines belong to the loopback and not to an instance.
	l.conn.Connect()
	for state := l.conn.GetState(); state != connectivity.Ready; state = l.conn.GetState() {
		ctx, cancel := context.WithTimeout(context.Background(), callTime)
		if !l.conn.WaitForStateChange(ctx, state) {
			tb.Fatalf("loopback: no connection, only %s", state)
		}
		cancel()
	}
	return l.open
}

type loop struct {
	typ     string
	hears   []sdk.EventKind
	dropped func(kind sdk.EventKind, why string)
	conn    *grpc.ClientConn
	handles atomic.Int64
}

func (l *loop) open(ctx context.Context, s sdk.Settings, config map[string]any) (sdk.Connector, error) {
	c := &loopCaller{conn: l.conn, handle: fmt.Sprint(l.handles.Add(1))}
	c.label, _ = pprof.Label(ctx, conformance.LabelKey)
	roles, err := wire.OpenInstance(c.mark(ctx), wire.At{Conn: l.conn, Handle: c.handle}, l.typ, s, config)
	if err != nil {
		return nil, err
	}
	i := wire.NewInstance(c, l.typ, roles)
	i.Hear(l.hears, l.dropped)
	if err := i.AskMessageLimits(ctx); err != nil {
		return nil, errors.Join(err, i.Close(ctx))
	}
	return i, nil
}

// loopCaller brings the calls of one instance to the other end of the loop.
type loopCaller struct {
	conn          *grpc.ClientConn
	handle, label string
}

// Call implements wire.Caller.
func (c *loopCaller) Call(ctx context.Context, _ wire.Op, f func(ctx context.Context, at wire.At) error) error {
	ctx, cancel := context.WithTimeout(c.mark(ctx), time.Minute)
	defer cancel()
	return f(ctx, wire.At{Conn: c.conn, Handle: c.handle})
}

// Close implements wire.Caller.
func (c *loopCaller) Close(ctx context.Context) error {
	return wire.CloseInstance(c.mark(ctx), wire.At{Conn: c.conn, Handle: c.handle})
}

// mark sends the label of the check along, so that the goroutines which the connector starts can be told from others.
func (c *loopCaller) mark(ctx context.Context) context.Context {
	if c.label == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, conformance.LabelKey, c.label)
}

func labelUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	var out any
	var err error
	pprof.Do(ctx, labelsOf(ctx), func(ctx context.Context) { out, err = h(ctx, req) })
	return out, err
}

func labelStream(s any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	var err error
	pprof.Do(ss.Context(), labelsOf(ss.Context()), func(context.Context) { err = h(s, ss) })
	return err
}

func labelsOf(ctx context.Context) pprof.LabelSet {
	if values := metadata.ValueFromIncomingContext(ctx, conformance.LabelKey); len(values) > 0 {
		return pprof.Labels(conformance.LabelKey, values[0])
	}
	return pprof.Labels()
}

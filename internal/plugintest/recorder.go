package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Call is one call to the plugin, as it is saved.
type Call struct {
	Method   string            `json:"method"`
	Took     string            `json:"took,omitempty"`
	Requests []json.RawMessage `json:"requests"`
	Answers  []json.RawMessage `json:"answers"`
	Status   string            `json:"status,omitempty"`
	Error    json.RawMessage   `json:"error,omitempty"`
}

// maxCalls is how many calls of one check are kept, and maxShown how long a message of them is, in bytes of JSON.
const (
	maxCalls = 200
	maxShown = 64 << 10
)

// recorder keeps what is said to the plugin and by it, and looks for secrets in what it says. It stands on the connection.
type recorder struct {
	secrets []string
	// persons are the addresses that messages of the test go to: they stand in requests, and nowhere else.
	persons []string

	mu    sync.Mutex
	calls []*Call
	lines []string // of the plugin's log
	leaks []string
	conn  *grpc.ClientConn // the last one that was seen
	ends  []string         // processes that ended by themselves
	drops []string         // why events are dropped, each reason once
}

// begin forgets the calls of the check before.
func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.lines, r.leaks, r.ends, r.drops = nil, nil, nil, nil, nil
}

// what is known of the check that ends.
func (r *recorder) end() (calls []*Call, log, wrong []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls, r.lines, slices.Concat(r.leaks, r.ends, r.drops)
}

func (r *recorder) connection() *grpc.ClientConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conn
}

// Handle implements slog.Handler: the host's log holds what the plugin prints.
func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	var line strings.Builder
	line.WriteString(rec.Level.String() + " " + rec.Message)
	rec.Attrs(func(a slog.Attr) bool { line.WriteString(" " + a.String()); return true })
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range r.secrets {
		if strings.Contains(line.String(), secret) {
			r.leaks = append(r.leaks, "a secret of the configuration stands in the log: "+r.mask(line.String()))
		}
	}
	for _, address := range r.persons {
		if strings.Contains(line.String(), address) {
			r.leaks = append(r.leaks, "the address of the person stands in the log: "+r.mask(line.String()))
		}
	}
	if len(r.lines) < maxCalls {
		r.lines = append(r.lines, r.mask(line.String()))
	}
	return nil
}

// Enabled implements slog.Handler.
func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler; the attributes are those of the host.
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements slog.Handler.
func (r *recorder) WithGroup(string) slog.Handler { return r }

// died says that a process ended which nobody asked to.
func (r *recorder) died(string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, "the plugin's process ended during this check, by itself or because a call did not end")
}

// dropped says that an event was left out, which the suites see as one that never came.
func (r *recorder) dropped(_, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if said := people.Dropped(why); !slices.Contains(r.drops, said) {
		r.drops = append(r.drops, said)
	}
}

func (r *recorder) mask(s string) string {
	for _, secret := range r.secrets {
		s = strings.ReplaceAll(s, secret, "…")
	}
	return s
}

func (r *recorder) call(method string, cc *grpc.ClientConn) *Call {
	c := &Call{Method: strings.TrimPrefix(method, "/belfry.plugin.v1.")}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conn = cc
	if len(r.calls) < maxCalls {
		r.calls = append(r.calls, c)
	}
	return c
}

func (r *recorder) asked(c *Call, m any) {
	shown := r.show(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Requests = append(c.Requests, shown)
}

func (r *recorder) answered(c *Call, m any) {
	if raw, is := m.(wire.Undecoded); is {
		if decoded, err := raw.Decoded(); err == nil {
			m = decoded
		}
	}
	shown := r.show(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Answers = append(c.Answers, shown)
	r.look(c.Method, m)
}

// ended keeps what a call ended with.
func (r *recorder) ended(c *Call, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Took = took.Round(time.Microsecond).String()
	if err == nil {
		return
	}
	st := status.Convert(err)
	c.Status = st.Code().String() + ": " + r.mask(st.Message())
	r.find(c.Method, st.Message())
	for _, d := range st.Details() {
		if e, ok := d.(*wire.Error); ok {
			r.look(c.Method, e)
			c.Error = r.showLocked(e)
		}
	}
}

// look searches an answer for secrets. The lock is held.
func (r *recorder) look(method string, m any) {
	if p, ok := m.(proto.Message); ok && len(r.secrets)+len(r.persons) > 0 {
		if b, err := proto.Marshal(p); err == nil {
			r.find(method, string(b))
		}
	}
}

func (r *recorder) find(method, s string) {
	for _, secret := range r.secrets {
		if strings.Contains(s, secret) {
			r.leaks = append(r.leaks, "a secret of the configuration stands in the answer of "+method)
		}
	}
	if method == "Listener/Listen" || method == "Receiver/Receive" {
		return // they tell who it was
	}
	for _, address := range r.persons {
		if strings.Contains(s, address) {
			r.leaks = append(r.leaks, "the address of the person stands in the answer of "+method)
		}
	}
}

func (r *recorder) show(m any) json.RawMessage { return r.showLocked(m) }

// showLocked writes a message for people: the configuration and chunks inside of messages as what they are, secrets masked.
func (r *recorder) showLocked(m any) json.RawMessage {
	p, ok := m.(proto.Message)
	if !ok {
		return nil
	}
	var inside json.RawMessage
	switch t := p.(type) {
	case *wire.OpenRequest:
		inside, p = t.GetConfig().GetJson(), withoutConfig(t)
	case *wire.CheckRequest:
		inside, p = t.GetConfig().GetJson(), &wire.CheckRequest{Type: t.GetType()}
	case *wire.FetchResults:
		p, inside = chunks(t)
	case *wire.ListenResponse:
		inside = heard(each(t.GetHeard(), (*wire.Heard).GetEvent))
	case *wire.ReceiveResponse:
		inside = heard(t.GetEvents())
	}
	b, err := protojson.MarshalOptions{EmitUnpopulated: false}.Marshal(p)
	if err != nil {
		return json.RawMessage(`"it cannot be shown"`)
	}
	if len(inside) > 0 {
		if joined, err := json.Marshal(map[string]json.RawMessage{"message": b, "content": inside}); err == nil {
			b = joined
		}
	}
	text := r.mask(string(b))
	if len(text) > maxShown {
		short, err := json.Marshal(strings.ToValidUTF8(text[:maxShown], "") + "…")
		if err != nil {
			return nil
		}
		return short
	}
	return json.RawMessage(text)
}

func withoutConfig(r *wire.OpenRequest) proto.Message {
	c, ok := proto.Clone(r).(*wire.OpenRequest)
	if !ok {
		return r
	}
	c.Config = nil
	return c
}

// chunks takes the batches out of the results of a stream, where they are bytes.
func chunks(r *wire.FetchResults) (proto.Message, json.RawMessage) {
	out, ok := proto.Clone(r).(*wire.FetchResults)
	if !ok {
		return r, nil
	}
	var inside []json.RawMessage
	for _, result := range out.GetResults() {
		chunk := &wire.BatchChunk{}
		if len(result.GetChunk()) > 0 && proto.Unmarshal(result.GetChunk(), chunk) == nil {
			if b, err := protojson.Marshal(chunk); err == nil {
				inside = append(inside, b)
				result.Chunk = nil
			}
		}
	}
	b, err := json.Marshal(inside)
	if err != nil || len(inside) == 0 {
		return out, nil
	}
	return out, b
}

// heard shows events, which are bytes inside of their answer.
func heard(events [][]byte) json.RawMessage {
	shown := each(events, func(b []byte) json.RawMessage {
		m := &wire.InboxEvent{}
		if proto.Unmarshal(b, m) != nil {
			return json.RawMessage(`"it cannot be read"`)
		}
		out, err := protojson.Marshal(m)
		if err != nil {
			return json.RawMessage(`"it cannot be shown"`)
		}
		return out
	})
	if len(shown) == 0 {
		return nil
	}
	b, err := json.Marshal(shown)
	if err != nil {
		return nil
	}
	return b
}

func each[T, U any](list []T, f func(T) U) (out []U) {
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

// unary stands on the connection for single calls.
func (r *recorder) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if !strings.HasPrefix(method, "/belfry.") {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	c, start := r.call(method, cc), time.Now()
	r.asked(c, req)
	err := invoke(ctx, method, req, reply, cc, opts...)
	if err == nil {
		r.answered(c, reply)
	}
	r.ended(c, err, time.Since(start))
	return err
}

// stream stands on the connection for streams.
func (r *recorder) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil || !strings.HasPrefix(method, "/belfry.") {
		return s, err
	}
	return &recordedStream{ClientStream: s, r: r, c: r.call(method, cc), start: time.Now()}, nil
}

type recordedStream struct {
	grpc.ClientStream
	r     *recorder
	c     *Call
	start time.Time
}

// SendMsg implements grpc.ClientStream.
func (s *recordedStream) SendMsg(m any) error {
	s.r.asked(s.c, m)
	return s.ClientStream.SendMsg(m)
}

// RecvMsg implements grpc.ClientStream.
func (s *recordedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	switch {
	case err == nil:
		s.r.answered(s.c, m)
	case !errors.Is(err, io.EOF):
		s.r.ended(s.c, err, time.Since(s.start))
	}
	return err
}

package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// openMany opens an instance whose fetches go over one stream.
func (p *pair) openMany(t *testing.T, handle string) *wire.Instance {
	t.Helper()
	p.open(t, handle, nil)
	p.many = wire.NewFetchStream(p.conn, func() {})
	t.Cleanup(p.many.Close)
	return wire.NewInstance(&caller{p: p, handle: handle}, "odd", []sdk.Role{sdk.RoleSource})
}

// TestManyFetches: batches of every size come back to those who asked for them, whatever the order.
func TestManyFetches(t *testing.T) {
	t.Parallel()
	o := &odd{fetch: func(_ context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
		n := len(r.Cursor)
		b := sdk.Batch{Next: r.Cursor, Unchanged: n == 0}
		for i := range n {
			b.Items = append(b.Items, sdk.Item{Key: fmt.Sprint(n, "-", i), Title: strings.Repeat("x", 1000*n)})
		}
		if n == 7 {
			return sdk.Batch{}, &sdk.Error{Code: sdk.CodeRateLimited, Op: "fetch", Public: "seven is too many", RetryAfter: time.Minute}
		}
		return b, nil
	}}
	p := newPair(t, o.spec())
	s := p.openMany(t, "1")
	var wg sync.WaitGroup
	for n := range 30 {
		wg.Go(func() {
			for range 5 {
				b, err := s.Fetch(t.Context(), sdk.FetchRequest{Cursor: sdk.Cursor(strings.Repeat("c", n))})
				if n == 7 {
					wantCode(t, err, sdk.CodeRateLimited, "seven")
					if e := sdk.AsError(err); e.RetryAfter != time.Minute {
						t.Errorf("the wait of an error is %s", e.RetryAfter)
					}
					continue
				}
				if err != nil || len(b.Items) != n || len(b.Next) != n || n > 0 && b.Items[n-1].Key != fmt.Sprint(n, "-", n-1) {
					t.Errorf("%d: %d items, %v", n, len(b.Items), err)
				}
			}
		})
	}
	wg.Wait()
	if n := p.alone.Load(); n != 0 {
		t.Errorf("%d fetches were made by themselves", n)
	}
}

// expiring has a deadline far away, and is over when the test says so.
type expiring struct {
	context.Context
	err  error
	over chan struct{}
}

func (e expiring) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }
func (e expiring) Done() <-chan struct{}       { return e.over }
func (e expiring) Err() error {
	select {
	case <-e.over:
		return e.err
	default:
		return nil
	}
}

// TestAFetchThatIsGivenUp: its caller goes on at once, the connector is told, others are not touched, and it counts as
// settled when it has really ended.
func TestAFetchThatIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, ended := range map[string]error{"cancelled": context.Canceled, "too late": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began, told, end := make(chan time.Time, 1), make(chan struct{}), make(chan struct{})
			o := &odd{fetch: func(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				if len(r.Cursor) == 0 {
					return sdk.Batch{}, nil
				}
				at, _ := ctx.Deadline()
				began <- at
				<-ctx.Done()
				close(told)
				<-end
				return sdk.Batch{}, ctx.Err()
			}}
			p := newPair(t, o.spec())
			s := p.openMany(t, "1")
			at := p.at("1")
			ctx := expiring{t.Context(), ended, make(chan struct{})}
			done := make(chan error, 1)
			go func() {
				_, err := wire.NewInstance(fixed{at}, "odd", []sdk.Role{sdk.RoleSource}).Fetch(ctx, sdk.FetchRequest{Cursor: sdk.Cursor("wait")})
				done <- err
			}()
			select {
			case deadline := <-began:
				if deadline.IsZero() {
					t.Error("the connector was not told its deadline")
				}
			case err := <-done:
				t.Fatalf("the fetch ended before the connector was asked: %v", err)
			}
			close(ctx.over)
			err := <-done
			wantCode(t, err, sdk.CodeUnavailable, map[string]string{"cancelled": "given up", "too late": "in time"}[name])
			if !errors.Is(err, ended) {
				t.Errorf("the cause of %v is not %v", err, ended)
			}
			<-told
			if _, err := s.Fetch(t.Context(), sdk.FetchRequest{}); err != nil {
				t.Errorf("another fetch: %v", err)
			}
			short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer stop()
			if err := wire.SettleInstance(short, at); err == nil {
				t.Error("a fetch that goes on counts as settled")
			}
			close(end)
			if err := wire.SettleInstance(t.Context(), at); err != nil {
				t.Errorf("a fetch that ended: %v", err)
			}
		})
	}
}

// TestAStreamThatEnds: what was under way fails as if the process had gone, and so does what comes later.
func TestAStreamThatEnds(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	o := &odd{fetch: func(ctx context.Context, _ sdk.FetchRequest) (sdk.Batch, error) {
		close(began)
		<-ctx.Done()
		return sdk.Batch{}, ctx.Err()
	}}
	p := newPair(t, o.spec())
	s := p.openMany(t, "1")
	done := make(chan error, 1)
	go func() { _, err := s.Fetch(t.Context(), sdk.FetchRequest{}); done <- err }()
	<-began
	p.many.Close()
	wantCode(t, <-done, sdk.CodeUnavailable, "broke off")
	_, err := s.Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "broke off")
}

// misled is a source server whose stream does what a test wants; its single fetches are in order.
type misled struct {
	wire.UnimplementedSourceServer
	many func(grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error
}

func (m *misled) FetchMany(s grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error {
	return m.many(s)
}

func (m *misled) Fetch(_ *wire.FetchRequest, s grpc.ServerStreamingServer[wire.BatchChunk]) error {
	return s.Send(&wire.BatchChunk{End: &wire.BatchEnd{Unchanged: true}})
}

type settled struct{ wire.UnimplementedPluginServer }

func (settled) Settle(context.Context, *wire.SettleRequest) (*wire.SettleResponse, error) {
	return &wire.SettleResponse{}, nil
}

// TestAStreamThatBreaksItsRules: the fetches on it and those after it are made by themselves; what one fetch answers is
// judged by itself.
func TestAStreamThatBreaksItsRules(t *testing.T) {
	t.Parallel()
	answer := func(results func(call uint64) []*wire.FetchResult) func(grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error {
		return func(s grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error {
			for {
				m, err := s.Recv()
				if err != nil {
					return err
				}
				for _, c := range m.GetCalls() {
					if f := c.GetFetch(); f != nil {
						if err := s.Send(&wire.FetchResults{Results: results(f.GetCall())}); err != nil {
							return err
						}
					}
				}
			}
		}
	}
	for name, tc := range map[string]struct {
		many  func(grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error
		alone int64
		code  sdk.Code
		words string
	}{
		"it has none": {func(grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error {
			return status.Error(codes.Unimplemented, "no")
		}, 2, "", ""},
		"it ends": {func(s grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error {
			_, err := s.Recv()
			return err
		}, 2, "", ""},
		"a message of 20 MiB": {answer(func(uint64) []*wire.FetchResult {
			return []*wire.FetchResult{{Call: 1 << 40, Chunk: make([]byte, 20<<20)}}
		}), 2, "", ""},
		"a bomb of empty results": {answer(func(uint64) []*wire.FetchResult {
			out := make([]*wire.FetchResult, 1<<20)
			for i := range out {
				out[i] = &wire.FetchResult{}
			}
			return out
		}), 2, "", ""},
		"a chunk that is none": {answer(func(call uint64) []*wire.FetchResult {
			return []*wire.FetchResult{{Call: call, Chunk: []byte{0xff}, Last: true}}
		}), 0, sdk.CodeUnavailable, "cannot be read"},
		"no end": {answer(func(call uint64) []*wire.FetchResult {
			return []*wire.FetchResult{{Call: call, Last: true}}
		}), 0, sdk.CodeUnavailable, "broke off in the middle"},
		"answers nobody asked for": {answer(func(call uint64) []*wire.FetchResult {
			return []*wire.FetchResult{{Call: call + 1000, Last: true}, {Call: call, Last: true, Error: &wire.Error{Code: "gone", Public: "away"}}, {Call: call, Last: true}}
		}), 0, sdk.CodeGone, "away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newServer(t, func(r grpc.ServiceRegistrar) {
				wire.RegisterPluginServer(r, settled{})
				wire.RegisterSourceServer(r, &misled{many: tc.many})
			})
			p.many = wire.NewFetchStream(p.conn, func() {})
			t.Cleanup(p.many.Close)
			s := wire.NewInstance(&caller{p: p, handle: "1"}, "odd", []sdk.Role{sdk.RoleSource})
			for range 2 {
				b, err := s.Fetch(t.Context(), sdk.FetchRequest{})
				if tc.code != "" {
					wantCode(t, err, tc.code, tc.words)
				} else if err != nil || !b.Unchanged {
					t.Errorf("%+v, %v", b, err)
				}
			}
			if n := p.alone.Load(); n != tc.alone {
				t.Errorf("%d fetches were made by themselves, want %d", n, tc.alone)
			}
		})
	}
}

// TestAFetchThatIsAnsweredWithoutEnd: a plugin that goes on to answer a fetch which was refused for its size is cut off.
func TestAFetchThatIsAnsweredWithoutEnd(t *testing.T) {
	t.Parallel()
	items := &wire.BatchChunk{}
	for range 1000 {
		items.Items = append(items.Items, &wire.Item{})
	}
	raw, err := proto.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	for name, chunk := range map[string][]byte{"many": raw, "large": append(protowire.AppendBytes(protowire.AppendTag(bytes.Clone(raw), 1000, protowire.BytesType), make([]byte, 1<<20)), raw...)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended, told := make(chan struct{}), make(chan struct{})
			p := newServer(t, func(r grpc.ServiceRegistrar) {
				wire.RegisterPluginServer(r, settled{})
				wire.RegisterSourceServer(r, &misled{many: func(s grpc.BidiStreamingServer[wire.FetchCalls, wire.FetchResults]) error {
					defer close(ended)
					m, err := s.Recv()
					for err == nil {
						err = s.Send(&wire.FetchResults{Results: []*wire.FetchResult{{Call: m.GetCalls()[0].GetFetch().GetCall(), Chunk: chunk}}})
					}
					return err
				}})
			})
			p.many = wire.NewFetchStream(p.conn, func() { close(told) })
			t.Cleanup(p.many.Close)
			s := wire.NewInstance(&caller{p: p, handle: "1"}, "odd", []sdk.Role{sdk.RoleSource})
			_, err := s.Fetch(t.Context(), sdk.FetchRequest{})
			wantCode(t, err, sdk.CodeTooLarge, "more than 20000 items")
			<-told
			<-ended
			// What comes later is made by itself.
			if b, err := s.Fetch(t.Context(), sdk.FetchRequest{}); err != nil || !b.Unchanged {
				t.Errorf("%+v, %v", b, err)
			}
		})
	}
}

// TestABatchThatIsRefusedCostsLittle: what a batch holds is counted before it is decoded.
func TestABatchThatIsRefusedCostsLittle(t *testing.T) {
	chunk := &wire.BatchChunk{}
	for range 1000 {
		chunk.Items = append(chunk.Items, &wire.Item{})
	}
	p := newServer(t, func(r grpc.ServiceRegistrar) {
		wire.RegisterPluginServer(r, settled{})
		wire.RegisterSourceServer(r, endless{chunk: chunk})
	})
	s := wire.NewInstance(&caller{p: p, handle: "1"}, "odd", []sdk.Role{sdk.RoleSource})
	allocated := func() (m runtime.MemStats) { runtime.ReadMemStats(&m); return m }
	const n = 20
	before := allocated()
	for range n {
		_, err := s.Fetch(t.Context(), sdk.FetchRequest{})
		wantCode(t, err, sdk.CodeTooLarge, "more than 20000 items")
	}
	// Decoded, 20,000 items are as many objects.
	if each := (allocated().Mallocs - before.Mallocs) / n; each > wire.MaxItems/4 {
		t.Errorf("a batch of more than %d items that is refused makes %d objects", wire.MaxItems, each)
	}
}

// endless is a source whose batch does not end.
type endless struct {
	wire.UnimplementedSourceServer
	chunk *wire.BatchChunk
}

func (e endless) Fetch(_ *wire.FetchRequest, s grpc.ServerStreamingServer[wire.BatchChunk]) error {
	for {
		if err := s.Send(e.chunk); err != nil {
			return err
		}
	}
}

// TestNothingStaysOfAFetch: a stream lives as long as its process, and keeps nothing of the fetches that had a deadline. It
// looks at the heap, and so runs beside no other test.
func TestNothingStaysOfAFetch(t *testing.T) {
	o := &odd{fetch: func(context.Context, sdk.FetchRequest) (sdk.Batch, error) { return sdk.Batch{Unchanged: true}, nil }}
	p := newPair(t, o.spec())
	s := p.openMany(t, "1")
	fetches := func(n int) {
		t.Helper()
		for range n {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			_, err := s.Fetch(ctx, sdk.FetchRequest{})
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	live := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools hold survives one collection
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	fetches(1000)
	const n = 20_000
	before := live()
	fetches(n)
	if kept := (live() - before) / n; kept > 30 {
		t.Errorf("%d bytes stay of each fetch", kept)
	}
}

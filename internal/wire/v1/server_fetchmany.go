package wire

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

const (
	// keptWorkers is how many goroutines wait for the next fetch. Each has grown a stack, which a new one would have to
	// grow again.
	keptWorkers = 16
	// waitingResults is how many results may wait to be written before fetches wait for the host to read.
	waitingResults = 16
)

// fetches are the fetches of one stream.
type fetches struct {
	s      *Server
	ctx    context.Context
	work   chan *fetching
	idle   atomic.Int32
	out    chan *FetchResult
	under  sync.WaitGroup // fetches under way
	worker sync.WaitGroup

	mu      sync.Mutex
	cancels map[uint64]context.CancelFunc
}

// fetching is one fetch with its context.
type fetching struct {
	ctx context.Context
	req *FetchRequest
}

// FetchMany serves fetches until the host ends the stream, and returns after the last of them.
func (r *sourceServer) FetchMany(stream grpc.BidiStreamingServer[FetchCalls, FetchResults]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	f := &fetches{s: r.s, ctx: ctx, work: make(chan *fetching), out: make(chan *FetchResult, waitingResults), cancels: map[uint64]context.CancelFunc{}}
	var writing sync.WaitGroup
	writing.Go(func() { f.write(stream) })
	defer func() {
		f.under.Wait()
		cancel()
		f.worker.Wait()
		close(f.out)
		writing.Wait()
	}()
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, c := range m.GetCalls() {
			f.act(c)
		}
	}
}

// act begins a fetch or gives one up.
func (f *fetches) act(c *FetchCall) {
	req := c.GetFetch()
	if req == nil {
		f.mu.Lock()
		cancel := f.cancels[c.GetCancel()]
		f.mu.Unlock()
		if cancel != nil {
			cancel()
		}
		return
	}
	var ctx context.Context
	var cancel context.CancelFunc
	if c.GetTimeout() != nil {
		ctx, cancel = context.WithTimeout(f.ctx, c.GetTimeout().AsDuration())
	} else {
		ctx, cancel = context.WithCancel(f.ctx)
	}
	f.mu.Lock()
	f.cancels[req.GetCall()] = cancel
	f.mu.Unlock()
	f.under.Add(1)
	next := &fetching{ctx: ctx, req: req}
	select {
	case f.work <- next:
	default:
		f.worker.Go(func() { f.run(next) })
	}
}

// run makes fetches, one after another, as long as it is kept.
func (f *fetches) run(next *fetching) {
	for {
		f.fetch(next)
		if f.idle.Add(1) > keptWorkers {
			f.idle.Add(-1)
			return
		}
		select {
		case next = <-f.work:
			f.idle.Add(-1)
		case <-f.ctx.Done():
			return
		}
	}
}

// fetch makes one fetch. Its last result is sent when it has ended.
func (f *fetches) fetch(c *fetching) {
	defer f.under.Done()
	last := &FetchResult{Call: c.req.GetCall(), Last: true}
	err := used(c.ctx, f.s, c.req, opFetch(), func(s sdk.Source) error {
		b, err := s.Fetch(c.ctx, fromFetchRequest(c.req))
		if err != nil {
			return err
		}
		return sendBatch(&b, func(chunk *BatchChunk) error {
			raw, err := proto.Marshal(chunk)
			if err != nil {
				return err
			}
			if chunk.GetEnd() != nil {
				last.Chunk = raw
				return nil
			}
			if err := c.ctx.Err(); err != nil {
				return err // the host reads no more of it
			}
			return f.send(&FetchResult{Call: last.GetCall(), Chunk: raw})
		})
	})
	if err != nil {
		last.Chunk, last.Error = nil, crossing(err)
	}
	f.mu.Lock()
	cancel := f.cancels[last.GetCall()]
	delete(f.cancels, last.GetCall())
	f.mu.Unlock()
	cancel()
	_ = f.send(last) // a host that is gone waits for nothing
}

// send hands a result to the writer. It waits while the host does not read.
func (f *fetches) send(r *FetchResult) error {
	select {
	case f.out <- r:
		return nil
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

// write sends results, as many in a message as wait and fit.
func (f *fetches) write(stream grpc.BidiStreamingServer[FetchCalls, FetchResults]) {
	var broken error
	r, more := <-f.out
	for more {
		runtime.Gosched() // those that are about to answer share the message
		m, size := &FetchResults{}, 0
		for waits := true; waits; {
			if size += proto.Size(r); size > chunk && len(m.GetResults()) > 0 {
				break
			}
			m.Results = append(m.Results, r)
			select {
			case r, waits = <-f.out:
				more = waits
			default:
				waits, r = false, nil
			}
		}
		if broken == nil {
			broken = stream.Send(m)
		}
		if r == nil && more {
			r, more = <-f.out
		}
	}
}

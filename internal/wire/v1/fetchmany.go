package wire

import (
	"context"
	"errors"
	"io"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// FetchStream carries the fetches of all instances of one process over one stream, the method FetchMany, so that a small
// fetch costs neither a stream of its own nor a write. Close ends it.
//
// A stream that ends although the process lives is not opened again: fetches that were under way, and all later ones, are
// made by themselves, so that each gets its own verdict. A plugin without the method is such a case.
type FetchStream struct {
	conn   grpc.ClientConnInterface
	stray  func()
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	queued chan struct{} // something stands in the queue
	ended  chan struct{} // closed once err is set

	mu      sync.Mutex
	started bool
	err     error
	queue   []queuedCall
	calls   map[uint64]*fetchCall // until their last result
}

// queuedCall waits to be sent. of is the fetch that it begins; nil when it gives one up.
type queuedCall struct {
	message *FetchCall
	of      *fetchCall
}

// fetchCall is one fetch. What is not a channel is guarded by the stream's lock.
type fetchCall struct {
	// results holds one, so that the reader never waits for somebody who has left (see leave).
	results chan *FetchResult
	sent    bool
	left    bool          // nobody reads results any more
	late    excess        // what came afterwards
	over    chan struct{} // closed at the last result, when somebody waits for it
}

// excess counts answers that nobody reads. A plugin that keeps to the protocol sends few: what was on its way when a fetch was
// given up.
type excess struct{ results, bytes int }

// add counts one more, and reports whether it is too many.
func (e *excess) add(r *FetchResult) bool {
	e.results++
	e.bytes += len(r.GetChunk())
	return e.results > maxStray || e.bytes > MaxAnswer
}

var (
	// errByItself says that a fetch cannot be made over the stream.
	errByItself = errors.New("the fetch is made by itself")
	// errStreamEnded says so of a fetch that may have begun.
	errStreamEnded = errors.New("the stream of fetches ended")
)

// NewFetchStream makes a stream, which is opened with the first fetch. stray is told when it ends because the plugin went on to
// answer fetches that nobody made, or that were given up.
func NewFetchStream(conn grpc.ClientConnInterface, stray func()) *FetchStream {
	s := &FetchStream{conn: conn, stray: stray, queued: make(chan struct{}, 1), ended: make(chan struct{}), calls: map[uint64]*fetchCall{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the stream and every fetch on it, as if the process had ended.
func (s *FetchStream) Close() {
	s.end(status.Error(codes.Unavailable, "the stream of fetches was closed"))
	s.cancel()
	s.done.Wait()
}

// fetch makes one fetch. Besides what a fetch may end with it gives errByItself or errStreamEnded.
func (s *FetchStream) fetch(ctx context.Context, op Op, req *FetchRequest) (sdk.Batch, error) {
	c, err := s.begin(ctx, req)
	if err != nil {
		return sdk.Batch{}, err
	}
	defer s.leave(req.GetCall(), c)
	in, last := newAnswers(), false
	return receiveBatch(op, func() (rawChunk, error) {
		if last {
			return rawChunk{}, io.EOF
		}
		r, err := s.next(ctx, c)
		if err != nil {
			return rawChunk{}, err
		}
		if e := r.GetError(); e != nil {
			return rawChunk{}, fromError(ctx, e, op)
		}
		last = r.GetLast()
		chunk, err := in.take(r.GetChunk())
		if err != nil {
			return rawChunk{}, in.status(status.Error(codes.Internal, err.Error()))
		}
		return chunk, nil
	})
}

// begin queues a fetch, and opens the stream for the first one.
func (s *FetchStream) begin(ctx context.Context, req *FetchRequest) (*fetchCall, error) {
	act := &FetchCall{Act: &FetchCall_Fetch{Fetch: req}}
	if at, ok := ctx.Deadline(); ok {
		act.Timeout = durationpb.New(time.Until(at))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		if errors.Is(s.err, errStreamEnded) {
			return nil, errByItself
		}
		return nil, s.err
	}
	if s.calls[req.GetCall()] != nil || proto.Size(act) > chunk {
		return nil, errByItself
	}
	if !s.started {
		s.started = true
		s.done.Go(s.run)
	}
	c := &fetchCall{results: make(chan *FetchResult, 1)}
	s.calls[req.GetCall()] = c
	s.enqueue(queuedCall{act, c})
	return c, nil
}

// enqueue has a message sent. The lock is held.
func (s *FetchStream) enqueue(q queuedCall) {
	s.queue = append(s.queue, q)
	select {
	case s.queued <- struct{}{}:
	default:
	}
}

// next waits for the next result of a fetch.
func (s *FetchStream) next(ctx context.Context, c *fetchCall) (*FetchResult, error) {
	select {
	case r := <-c.results:
		return r, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	case <-s.ended:
	}
	select {
	case r := <-c.results: // it came before the end
		return r, nil
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil, s.err
}

// leave ends the reading of results. A fetch that is under way is given up, and stays known until it has ended.
func (s *FetchStream) leave(id uint64, c *fetchCall) {
	s.mu.Lock()
	c.left = true
	switch {
	case s.calls[id] != c: // it has ended
	case s.err != nil || !c.sent:
		delete(s.calls, id)
	default:
		s.enqueue(queuedCall{message: &FetchCall{Act: &FetchCall_Cancel{Cancel: id}}})
	}
	s.mu.Unlock()
	select {
	case <-c.results: // makes room for the one that the reader may be about to hand over
	default:
	}
}

// settle waits until a fetch that was given up has ended. It knows nothing of others, nor once the stream has ended.
func (s *FetchStream) settle(ctx context.Context, id uint64) error {
	s.mu.Lock()
	c := s.calls[id]
	if c == nil {
		s.mu.Unlock()
		return nil
	}
	if c.over == nil {
		c.over = make(chan struct{})
	}
	over := c.over
	s.mu.Unlock()
	select {
	case <-over:
		return nil
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// run opens the stream, and reads and writes it to its end.
func (s *FetchStream) run() {
	pprof.SetGoroutineLabels(context.Background()) // they are those of whoever came first
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	stream, err := NewSourceClient(s.conn).FetchMany(ctx, grpc.ForceCodecV2(newFrames()), grpc.MaxCallRecvMsgSize(MaxMessage),
		grpc.MaxCallSendMsgSize(MaxMessage))
	if err == nil {
		var writing sync.WaitGroup
		writing.Go(func() { s.write(stream) })
		err = s.read(stream)
		cancel()
		writing.Wait()
	}
	switch status.Code(err) {
	case codes.Unavailable:
	case codes.Unimplemented:
		err = errByItself
	default:
		err = errStreamEnded
	}
	s.end(err)
}

// end says why the stream ended. The first reason counts.
func (s *FetchStream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err, s.queue = err, nil
		close(s.ended)
	}
}

// read hands results over until the stream ends, and gives why it did.
func (s *FetchStream) read(stream grpc.BidiStreamingClient[FetchCalls, FetchResults]) error {
	var stray excess
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		tooMuch := len(m.GetResults()) == 0 && stray.add(nil)
		for _, r := range m.GetResults() {
			c, more := s.received(r, &stray)
			tooMuch = tooMuch || more
			if c != nil {
				select {
				case c.results <- r:
				case <-s.ctx.Done():
					return s.ctx.Err()
				}
			}
		}
		if tooMuch {
			s.stray()
			return errStreamEnded
		}
	}
}

// received gives the fetch that waits for a result; nil for none. tooMuch says that there were too many results for which none
// does: stray counts those for which there never was one.
func (s *FetchStream) received(r *FetchResult, stray *excess) (waits *fetchCall, tooMuch bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[r.GetCall()]
	if c == nil {
		return nil, stray.add(r)
	}
	if r.GetLast() {
		delete(s.calls, r.GetCall())
		if c.over != nil {
			close(c.over)
		}
	}
	if c.left {
		return nil, c.late.add(r)
	}
	return c, false
}

// write sends what is queued until the stream ends.
func (s *FetchStream) write(stream grpc.BidiStreamingClient[FetchCalls, FetchResults]) {
	for {
		select {
		case <-s.queued:
		case <-stream.Context().Done():
			return
		}
		runtime.Gosched() // those that are about to ask share the message
		for m := s.take(); m != nil; m = s.take() {
			if stream.Send(m) != nil {
				return // the reader learns why
			}
		}
	}
}

// take gives what is queued and fits into a message; nil when there is nothing.
func (s *FetchStream) take() *FetchCalls {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, size, n := &FetchCalls{}, 0, 0
	for _, q := range s.queue {
		if q.of != nil && q.of.left {
			n++
			continue // given up before it was sent
		}
		if size += proto.Size(q.message); size > chunk && len(m.GetCalls()) > 0 {
			break
		}
		if q.of != nil {
			q.of.sent = true
		}
		m.Calls = append(m.Calls, q.message)
		n++
	}
	if s.queue = s.queue[n:]; len(s.queue) == 0 {
		s.queue = nil
	}
	if len(m.GetCalls()) == 0 {
		return nil
	}
	return m
}

package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

const (
	// leaseTime is how long a batch belongs to its node without a renewal.
	leaseTime = 60 * time.Second
	// batchSize is how many deliveries of one channel are claimed at once.
	batchSize = 32
	// lookEvery is the contract: a row that became due is noticed within this time, whatever hint was lost.
	lookEvery = time.Second
	// lookApart is the least time between two looks for due rows while channels are being served.
	lookApart = 20 * time.Millisecond
	// asideFor is how long a delivery that cannot even be worked on is put off.
	asideFor = time.Minute
	// resolveAgain is how long a channel's reference and limits are believed.
	resolveAgain = 24 * time.Hour
)

// destinationLanes serve one destination: each of its channels in order, several channels at once.
type destinationLanes struct {
	e    *Engine
	dest Destination
	able Able
	wake chan struct{}
	// ended tells that a worker has ended: its channel can be claimed again.
	ended chan struct{}

	drain   chan struct{} // closed: claim and start nothing more
	cancel  context.CancelFunc
	running sync.WaitGroup
	calls   sync.WaitGroup // of the connector, those that ignored their deadline included

	outages outages

	mu    sync.Mutex
	known map[string]Lane // by chat
	// doubtedAt is when a call last ended without a clear answer: channels are asked for again before the next one.
	doubtedAt time.Time
}

func newDestinationLanes(e *Engine, d Destination) *destinationLanes {
	l := &destinationLanes{e: e, dest: d, wake: make(chan struct{}, 1), ended: make(chan struct{}, 1), drain: make(chan struct{}), known: map[string]Lane{}}
	_, l.able.Edit = sdk.As[sdk.Editor](d.Conn)
	_, l.able.Delete = sdk.As[sdk.Deleter](d.Conn)
	return l
}

// Start implements lanes.Lane.
func (l *destinationLanes) Start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.running.Go(func() { l.run(ctx) })
	l.running.Go(func() { l.lookAfterUnknown(ctx) })
}

// Stop drains the lanes: the calls under way may end until ctx does.
func (l *destinationLanes) Stop(ctx context.Context) {
	close(l.drain)
	ended := make(chan struct{})
	go func() { l.running.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	l.cancel()
	<-ended // within the grace of the calls under way
	l.await(ctx)
}

// await waits for calls that ignored their deadline, while ctx lasts.
func (l *destinationLanes) await(ctx context.Context) {
	ended := make(chan struct{})
	go func() { l.calls.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// Wake implements lanes.Lane.
func (l *destinationLanes) Wake() { hint(l.wake) }

// hint leaves a hint, unless one lies there already.
func hint(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *destinationLanes) draining() bool {
	select {
	case <-l.drain:
		return true
	default:
		return false
	}
}

// run claims batches and serves each in a worker of its own.
func (l *destinationLanes) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	slots := make(chan struct{}, l.dest.Parallel)
	log := l.e.s.Log.With("destination", l.dest.Name)
	for ctx.Err() == nil && !l.draining() {
		free := cap(slots) - len(slots)
		if free == 0 {
			l.rest(ctx, lookEvery, nil)
			continue
		}
		looked := time.Now()
		batches, err := l.e.s.Store.Claim(ctx, l.dest.Name, time.Now(), l.lease(), free, batchSize)
		if err != nil {
			if ctx.Err() == nil {
				log.Error("deliveries cannot be claimed", "err", err)
			}
			l.rest(ctx, lookEvery, l.wake)
			continue
		}
		for _, b := range batches {
			slots <- struct{}{}
			workers.Go(func() {
				defer func() { <-slots; hint(l.ended) }()
				l.serve(ctx, b)
			})
		}
		if len(batches) == 0 {
			if hinted := l.rest(ctx, l.idle(ctx), l.wake); hinted && len(slots) > 0 {
				// What the hint is about is most often for a channel that is being served: hints are taken together.
				l.rest(ctx, time.Until(looked.Add(lookApart)), nil)
			}
		}
	}
}

// lease is how long a batch belongs to its node: several calls may take their whole time.
func (l *destinationLanes) lease() time.Duration { return max(leaseTime, 4*(l.dest.Timeout+grace)) }

// idle is how long nothing is due.
func (l *destinationLanes) idle(ctx context.Context) time.Duration {
	next, err := l.e.s.Store.Next(ctx, l.dest.Name, time.Now())
	if err != nil || next.IsZero() {
		return lookEvery
	}
	return min(lookEvery, max(time.Until(next), time.Millisecond))
}

// rest waits until a worker has ended, or wake brings a hint. It says whether it was a hint.
func (l *destinationLanes) rest(ctx context.Context, wait time.Duration, wake <-chan struct{}) (hinted bool) {
	if wait <= 0 {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.drain:
	case <-l.ended:
	case <-wake:
		return true
	case <-t.C:
	}
	return false
}

// lane gives the channel's reference and limits, resolved when they are not known or old.
func (l *destinationLanes) lane(ctx context.Context, b Batch) (Lane, bool) {
	now := time.Now()
	l.mu.Lock()
	lane, known := l.known[b.Chat]
	doubted := l.doubtedAt
	l.mu.Unlock()
	if known && now.Sub(lane.ResolvedAt) < resolveAgain && lane.ResolvedAt.After(doubted) {
		return lane, true
	}
	stored, ok, err := l.e.s.Store.Lane(ctx, l.dest.Name, b.Chat)
	if err != nil {
		l.e.s.Log.Error("a channel cannot be read", "destination", l.dest.Name, "err", err)
		return Lane{}, false
	}
	if known = ok && now.Sub(stored.ResolvedAt) < resolveAgain && stored.ResolvedAt.After(doubted); known {
		l.remember(stored)
		return stored, true
	}
	lane, err = l.resolve(ctx, b.Chat)
	if err != nil {
		if ctx.Err() == nil {
			s := l.trouble(sdk.AsError(err), b.Chat, time.Now())
			if err := l.e.s.Store.LaneTrouble(ctx, l.dest.Name, b.Chat, s, time.Now()); err != nil {
				l.e.s.Log.Error("trouble cannot be recorded", "destination", l.dest.Name, "err", err)
			}
		}
		return Lane{}, false
	}
	if err := l.e.s.Store.SaveLane(ctx, lane); err != nil {
		l.e.s.Log.Error("a channel cannot be stored", "destination", l.dest.Name, "err", err)
		return Lane{}, false
	}
	l.remember(lane)
	return lane, true
}

func (l *destinationLanes) remember(lane Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[lane.Chat] = lane
}

// doubt makes every channel be asked for again before its next call. The store's word for it stays, since what is known of
// repetitions does not change.
func (l *destinationLanes) doubt(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubtedAt = now
}

func (l *destinationLanes) forget(chat string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, chat)
}

func (l *destinationLanes) resolve(ctx context.Context, chat string) (Lane, error) {
	lane := Lane{Destination: l.dest.Name, Chat: chat, ResolvedAt: time.Now()}
	r, ok := sdk.As[sdk.Resolver](l.dest.Conn)
	if !ok {
		return lane, sdk.Errorf(sdk.CodeUnsupported, "resolve", "this type of destination has no channels to post to")
	}
	return bounded(ctx, l, "resolve", sdk.CodeUnavailable, func(ctx context.Context) (found Lane, err error) {
		found = lane
		found.Ref, found.Limits, err = r.ResolveChannel(ctx, chat)
		return found, err
	})
}

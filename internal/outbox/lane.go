package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

	drain   chan struct{} // closed: claim and start nothing more
	cancel  context.CancelFunc
	running sync.WaitGroup
	calls   sync.WaitGroup // of the connector, those that ignored their deadline included

	mu    sync.Mutex
	known map[string]Lane // by chat
}

func newDestinationLanes(e *Engine, d Destination) *destinationLanes {
	l := &destinationLanes{e: e, dest: d, wake: make(chan struct{}, 1), drain: make(chan struct{}), known: map[string]Lane{}}
	_, l.able.Edit = sdk.As[sdk.Editor](d.Conn)
	_, l.able.Delete = sdk.As[sdk.Deleter](d.Conn)
	return l
}

func (l *destinationLanes) start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.running.Go(func() { l.run(ctx) })
	l.running.Go(func() { l.lookAfterUnknown(ctx) })
}

// stop drains the lanes: the calls under way may end until ctx does.
func (l *destinationLanes) stop(ctx context.Context) {
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

func (l *destinationLanes) wakeUp() {
	select {
	case l.wake <- struct{}{}:
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
			l.rest(ctx, lookEvery) // a worker that ends wakes it
			continue
		}
		batches, err := l.e.s.Store.Claim(ctx, l.dest.Name, time.Now(), l.lease(), free, batchSize)
		if err != nil {
			if ctx.Err() == nil {
				log.Error("deliveries cannot be claimed", "err", err)
			}
			l.rest(ctx, lookEvery)
			continue
		}
		for _, b := range batches {
			slots <- struct{}{}
			workers.Go(func() {
				defer func() { <-slots; l.wakeUp() }()
				l.serve(ctx, b)
			})
		}
		if len(batches) == 0 {
			l.rest(ctx, l.idle(ctx))
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

func (l *destinationLanes) rest(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.drain:
	case <-l.wake:
	case <-t.C:
	}
}

// serve sends the deliveries of a batch one after the other.
func (l *destinationLanes) serve(ctx context.Context, b Batch) {
	log := l.e.s.Log.With("destination", l.dest.Name, "chat", b.Chat)
	defer func() {
		if err := l.e.s.Store.Release(context.WithoutCancel(ctx), b); err != nil {
			log.Error("a batch cannot be given back; its lease will end", "err", err)
		}
	}()
	lane, ok := l.lane(ctx, b)
	if !ok {
		return
	}
	queue := append([]int64(nil), b.Deliveries...)
	for len(queue) > 0 {
		if ctx.Err() != nil || l.draining() {
			return
		}
		// A call that could outlive the lease is not started: after the lease nobody knows it is under way.
		if time.Until(b.LeaseUntil) < 2*(l.dest.Timeout+grace) {
			until := time.Now().Add(l.lease())
			if err := l.e.s.Store.Renew(ctx, b, until); err != nil {
				log.Warn("a lease was lost", "err", err)
				return
			}
			b.LeaseUntil = until
		}
		next, goOn, err := l.deliver(ctx, b, lane, queue[0])
		if err != nil {
			if ctx.Err() == nil {
				log.Error("what became of a delivery cannot be recorded", "delivery", queue[0], "err", err)
			}
			return
		}
		if !goOn {
			return
		}
		queue = queue[1:]
		if next != 0 {
			queue = append([]int64{next}, queue...)
		}
	}
}

// lane gives the channel's reference and limits, resolved when they are not known or old.
func (l *destinationLanes) lane(ctx context.Context, b Batch) (Lane, bool) {
	now := time.Now()
	l.mu.Lock()
	lane, known := l.known[b.Chat]
	l.mu.Unlock()
	if known && now.Sub(lane.ResolvedAt) < resolveAgain {
		return lane, true
	}
	stored, ok, err := l.e.s.Store.Lane(ctx, l.dest.Name, b.Chat)
	if err != nil {
		l.e.s.Log.Error("a channel cannot be read", "destination", l.dest.Name, "err", err)
		return Lane{}, false
	}
	if known = ok && now.Sub(stored.ResolvedAt) < resolveAgain; known {
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

// deliver takes one delivery one call further. next is the delivery that carries the publication on, when it does so at
// once; goOn is false when the rest of the batch has to wait.
func (l *destinationLanes) deliver(ctx context.Context, b Batch, lane Lane, id int64) (next int64, goOn bool, err error) {
	store := l.e.s.Store
	for range 8 {
		now := time.Now()
		w, err := store.Work(ctx, id)
		settle := Settlement{Delivery: id, Publication: w.Publication, Version: w.Version, Batch: b.ID, Fence: b.Fence}
		if err != nil {
			return 0, true, l.setAside(ctx, w, settle, err)
		}
		call, ended, err := l.decide(ctx, w, lane, &settle, now)
		if err != nil {
			return 0, true, l.setAside(ctx, w, settle, err)
		}
		if ended {
			next, err = store.Settle(ctx, settle, now)
			switch {
			case errors.Is(err, ErrConflict):
				continue
			case errors.Is(err, ErrFence):
				return 0, false, nil
			case err != nil:
				return 0, true, l.setAside(ctx, w, settle, err)
			}
			return next, settle.LaneUntil.IsZero() && settle.DestinationUntil.IsZero(), nil
		}
		if call.Key == "" {
			call.Key = "msg_" + rand.Text()
		}
		start := Start{Batch: b, Delivery: id, Version: w.Version, Call: *call, Repeat: w.Retry != nil, Rates: lane.Limits.Rules.Rates}
		if l.dest.NoRates {
			start.Rates = nil
		}
		wait, err := store.Start(ctx, start, now)
		switch {
		case errors.Is(err, ErrConflict):
			continue
		case errors.Is(err, ErrFence), errors.Is(err, ErrPaused):
			return 0, false, nil
		case err != nil:
			return 0, true, l.setAside(ctx, w, settle, err)
		case !wait.IsZero():
			return 0, false, nil // the rates are rows: the next claim waits for them
		}
		return l.send(ctx, b, lane, w, *call, settle)
	}
	return 0, true, nil // it changes faster than it can be read; its turn comes again
}

// setAside puts off a delivery that cannot even be worked on, so that it blocks no other. What stays so ends as failed. The
// error is not about this delivery: nothing can be written.
func (l *destinationLanes) setAside(ctx context.Context, w Work, s Settlement, fault error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.e.s.Log.Error("a delivery cannot be worked on", "destination", l.dest.Name, "delivery", s.Delivery, "err", fault)
	now := time.Now()
	aside := Settlement{Delivery: s.Delivery, Publication: s.Publication, Version: s.Version, Batch: s.Batch, Fence: s.Fence,
		Error: "it cannot be worked on; the log has the details"}
	if !w.Created.IsZero() && now.Sub(w.Created) > l.dest.RetryFor && w.Retry == nil {
		aside.State = Failed
		aside.Alerts = append(aside.Alerts, failedAlert(w, aside.Error))
	} else {
		aside.Postpone, aside.KeepCall = now.Add(asideFor), true
	}
	_, err := l.e.s.Store.Settle(ctx, aside, now)
	if errors.Is(err, ErrConflict) {
		return nil // it changed meanwhile: its turn comes again
	}
	return err
}

// decide finds the call, or fills in the settlement that ends or postpones the delivery. Its error is of the store and
// decides nothing.
func (l *destinationLanes) decide(ctx context.Context, w Work, lane Lane, s *Settlement, now time.Time) (*Call, bool, error) {
	if w.Retry != nil {
		return w.Retry, false, nil
	}
	if w.Out.IsZero() && len(w.Parts) == 0 && !w.Gone && !w.Released {
		if name, drop, silenced := l.e.s.Renderer.Silenced(w, now); silenced {
			s.State, s.Code, s.Error = Held, "", "blackout "+name
			if drop {
				s.State = Dropped
			}
			s.Alerts = append(s.Alerts, heldAlert(w, name, drop)...)
			return nil, true, nil
		}
	}
	p := &plans{ctx: ctx, l: l, lane: lane, w: w}
	step, err := Decide(w, l.e.s.Renderer.Ladders(w.Channel), l.able, lane.Limits.Rules, p, now)
	switch {
	case err != nil:
		var e *sdk.Error
		if !errors.As(err, &e) {
			return nil, false, err
		}
		switch {
		case e.Code.Disposition() == sdk.DispositionRetry:
			*s = l.retry(e, w, Call{Op: OpPublish}, *s, now)
			s.Code, s.Error = e.Code, sentence(e)
		case w.corrects():
			s.NextRung, s.Code, s.Error = true, e.Code, sentence(e) // it cannot be said this way; another may do
		default:
			*s = l.refused(e, w, *s)
		}
		return nil, true, nil
	case step.Call != nil:
		return step.Call, false, nil
	case step.Expired:
		s.State = Expired
		s.Error = fmt.Sprintf("it could not leave before %s", w.ExpiresAt.UTC().Format(time.RFC3339))
		s.Alerts = append(s.Alerts, expiredAlert(w))
	case step.NextRung:
		s.NextRung = true
	case !step.Until.IsZero():
		s.Postpone = step.Until
	default:
		s.Done = step.Done
		if step.Done == OutcomeListed {
			s.Alerts = append(s.Alerts, listedAlert(w))
		}
	}
	return nil, true, nil
}

// send makes the call that was started, and settles it.
func (l *destinationLanes) send(ctx context.Context, b Batch, lane Lane, w Work, call Call, s Settlement) (int64, bool, error) {
	ref, err := l.call(ctx, lane, call)
	now := time.Now()
	goOn := true
	if err == nil {
		s.Call, s.Ref, s.Succeeded = &call, ref, true
		s.Resolve = append(s.Resolve, healthy(l.dest.Name, b.Chat)...)
	} else {
		e := sdk.AsError(err)
		s.KeepCall = w.Retry != nil
		switch {
		case call.Op != OpEdit:
		case len(ref.IDs) > 0:
			s.HalfDone, s.Ref = &call, ref
		case e.Code.Disposition() == sdk.DispositionAsk:
			s.HalfDone, s.Ref = &call, call.Ref
		}
		s = l.settleError(e, w, call, s, now)
		goOn = s.LaneUntil.IsZero() && s.DestinationUntil.IsZero() && !s.StopLane && !s.StopDestination
		if s.StopLane || e.Code == sdk.CodeGone || e.Code == sdk.CodeNotAChannel {
			l.forget(b.Chat)
		}
		l.e.s.Log.Warn("a call was not accepted", "destination", l.dest.Name, "chat", b.Chat, "channel", w.Channel, "post", w.PublicID,
			"op", call.Op, "code", e.Code, "err", e.Error(), "attempt", w.Attempt)
	}
	// The result is recorded even when the daemon is stopping.
	next, settleErr := l.e.s.Store.Settle(context.WithoutCancel(ctx), s, now)
	if settleErr == nil && err == nil && l.e.s.Settled != nil {
		l.e.s.Settled()
	}
	return next, goOn, settleErr
}

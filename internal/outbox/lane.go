package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
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
	<-ended
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
		var batches []Batch
		if free > 0 {
			var err error
			if batches, err = l.e.s.Store.Claim(ctx, l.dest.Name, time.Now(), leaseTime, free, batchSize); err != nil && ctx.Err() == nil {
				log.Error("deliveries cannot be claimed", "err", err)
			}
		}
		for _, b := range batches {
			slots <- struct{}{}
			workers.Go(func() {
				defer func() { <-slots; l.wakeUp() }()
				l.serve(ctx, b)
			})
		}
		if len(batches) == 0 {
			l.rest(ctx)
		}
	}
}

func (l *destinationLanes) rest(ctx context.Context) {
	wait := lookEvery
	if next, err := l.e.s.Store.Next(ctx, l.dest.Name, time.Now()); err == nil && !next.IsZero() {
		wait = min(wait, max(time.Until(next), time.Millisecond))
	}
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
	deadline := time.Now().Add(leaseTime)
	queue := append([]int64(nil), b.Deliveries...)
	for len(queue) > 0 {
		if ctx.Err() != nil || l.draining() {
			return
		}
		// A call that could outlive the lease is not started: after the lease nobody knows it is under way.
		if time.Until(deadline) < 2*l.dest.Timeout {
			until := time.Now().Add(leaseTime)
			if err := l.e.s.Store.Renew(ctx, b, until); err != nil {
				log.Warn("a lease was lost", "err", err)
				return
			}
			deadline = until
		}
		next, goOn, err := l.deliver(ctx, b, lane, queue[0])
		if err != nil && ctx.Err() == nil {
			log.Error("a delivery cannot be worked on", "delivery", queue[0], "err", err)
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
			s := l.trouble(sdk.AsError(err), Work{Destination: l.dest.Name, Chat: b.Chat, Created: now}, nil, now)
			if err := l.e.s.Store.LaneTrouble(ctx, l.dest.Name, b.Chat, s, now); err != nil {
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
	ctx, cancel := context.WithTimeout(ctx, l.dest.Timeout)
	defer cancel()
	var err error
	lane.Ref, lane.Limits, err = r.ResolveChannel(ctx, chat)
	if err != nil && sdk.AsError(err).Code == sdk.CodeUnknownOutcome {
		e := *sdk.AsError(err)
		e.Code = sdk.CodeUnavailable // looking something up has no effect
		err = &e
	}
	return lane, err
}

// deliver takes one delivery one call further. next is the delivery that carries the publication on, when it does so at
// once; goOn is false when the rest of the batch has to wait.
func (l *destinationLanes) deliver(ctx context.Context, b Batch, lane Lane, id int64) (next int64, goOn bool, err error) {
	store := l.e.s.Store
	for range 8 {
		now := time.Now()
		w, err := store.Work(ctx, id)
		if err != nil {
			return 0, false, err
		}
		settle := Settlement{Delivery: id, Publication: w.Publication, Version: w.Version, Batch: b.ID}
		call, ended, err := l.decide(ctx, w, lane, &settle, now)
		if err != nil {
			return 0, false, err
		}
		if ended {
			next, err = store.Settle(ctx, settle, now)
			if errors.Is(err, ErrConflict) {
				continue
			}
			return next, err == nil, err
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
			return 0, false, err
		case !wait.IsZero():
			return 0, false, nil // the rates are rows: the next claim waits for them
		}
		return l.send(ctx, b, lane, w, *call, settle)
	}
	return 0, true, nil // it changes faster than it can be read; its turn comes again
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
		case len(w.Parts) > 0:
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

// plans asks renderer and connector for the parts of a publication.
type plans struct {
	ctx  context.Context
	l    *destinationLanes
	lane Lane
	w    Work
}

func (p *plans) Post() ([]sdk.Part, error) {
	post, err := p.l.e.s.Renderer.Post(p.ctx, p.w)
	if err != nil {
		return nil, err
	}
	return p.plan(post)
}

func (p *plans) Reply() ([]sdk.Part, error) {
	post, err := p.l.e.s.Renderer.Reply(p.ctx, p.w)
	if err != nil {
		return nil, err
	}
	return p.plan(post)
}

// plan calls the connector. A plan is pure, so that whatever goes wrong in it goes wrong every time.
func (p *plans) plan(post sdk.Post) (parts []sdk.Part, err error) {
	publisher, ok := sdk.As[sdk.Publisher](p.l.dest.Conn)
	if !ok {
		return nil, sdk.Errorf(sdk.CodeUnsupported, "plan", "this type of destination has no channels to post to")
	}
	defer recovered(&err, sdk.CodeInvalid, "plan", p.l.e.s.Log)
	parts, err = publisher.Plan(p.lane.Ref, post)
	if err == nil && len(parts) == 0 {
		err = sdk.Errorf(sdk.CodeInvalid, "plan", "there is nothing to post")
	}
	return parts, err
}

// recovered turns a panic of a connector into an error, so that it costs its delivery and not the daemon.
func recovered(err *error, code sdk.Code, op string, log interface{ Error(string, ...any) }) {
	if p := recover(); p != nil {
		log.Error("a connector failed", "op", op, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = &sdk.Error{Code: code, Op: op, Public: "the connector failed; the log has the details"}
	}
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
		if call.Op == OpEdit && len(ref.IDs) > 0 {
			s.HalfDone, s.Ref = &call, ref
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

// call makes one platform call within the deadline. A panic may have come after the call had its effect.
func (l *destinationLanes) call(ctx context.Context, lane Lane, c Call) (ref sdk.PartRef, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.dest.Timeout)
	defer cancel()
	if len(c.Part.Files) > 0 {
		if err := l.e.s.Renderer.Fill(ctx, c.Part.Files); err != nil {
			return ref, &sdk.Error{Code: sdk.CodeUnavailable, Op: "load images", Err: err}
		}
	}
	defer recovered(&err, sdk.CodeUnknownOutcome, string(c.Op), l.e.s.Log)
	c.Part.Key = c.Key
	unsupported := func() (sdk.PartRef, error) {
		return ref, sdk.Errorf(sdk.CodeUnsupported, string(c.Op), "this type of destination cannot %s", c.Op)
	}
	switch c.Op {
	case OpPublish, OpReply:
		publisher, ok := sdk.As[sdk.Publisher](l.dest.Conn)
		if !ok {
			return unsupported()
		}
		ref, err = publisher.Publish(ctx, lane.Ref, c.Part)
	case OpEdit:
		editor, ok := sdk.As[sdk.Editor](l.dest.Conn)
		if !ok {
			return unsupported()
		}
		ref, err = editor.Edit(ctx, c.Ref, c.Part)
	case OpDelete:
		deleter, ok := sdk.As[sdk.Deleter](l.dest.Conn)
		if !ok {
			return unsupported()
		}
		err = deleter.Delete(ctx, c.Ref)
	}
	if err == nil && len(ref.State) > sdk.MaxPartState {
		ref.State = nil // what is too long is not half kept; the part can then not be edited
	}
	return ref, err
}

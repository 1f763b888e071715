package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// aheadFor is for how long a step that was decided ahead of its start is believed: what is shown, silenced or expired
// depends on the time.
const aheadFor = 250 * time.Millisecond

// readAhead is how many deliveries are read together while a call is under way. Whatever changes what was read changes the
// version of its publication, and the start is refused.
const readAhead = 16

// turn is a delivery whose step is decided: a call, or an end without one.
type turn struct {
	work   Work
	call   *Call // nil when settle ends or postpones the delivery
	settle Settlement
	// at is when it was decided, began when its call started.
	at, began time.Time
}

// service sends the deliveries of one batch, one after the other. While a call is under way the next step is decided, and
// what became of the one is recorded in the transaction that starts the other.
type service struct {
	*destinationLanes
	batch Batch
	line  Lane
	log   *slog.Logger
	queue []int64
	// ahead is the step that was decided for a delivery further behind.
	ahead *turn
	// works are deliveries further behind, as they were read.
	works  map[int64]Work
	caller *caller
	// health are the alerts that an accepted call ends.
	health []alert.Key
	// took is how long the last call was under way.
	took time.Duration
}

// serve sends the deliveries of a batch.
func (l *destinationLanes) serve(ctx context.Context, b Batch) {
	log := l.e.s.Log.With("destination", l.dest.Name, "chat", b.Chat)
	defer func() {
		err := l.persist(ctx, time.Now().Add(l.lease()), func() error { return l.e.s.Store.Release(context.WithoutCancel(ctx), b) }, log, "a batch cannot be given back")
		if err != nil {
			log.Error("a batch was not given back; its lease will end", "err", err)
		}
	}()
	lane, ok := l.lane(ctx, b)
	if !ok {
		return
	}
	s := &service{destinationLanes: l, batch: b, line: lane, log: log, queue: append([]int64(nil), b.Deliveries...), caller: &caller{l: l},
		health: healthy(l.dest.Name, b.Chat)}
	defer s.caller.leave()
	var started *turn
	for goOn := true; goOn; {
		var err error
		var current int64
		switch {
		case started != nil:
			current = started.settle.Delivery
			started, goOn, err = s.send(ctx, started)
		case len(s.queue) == 0 || !s.mayStart(ctx) || !s.renew(ctx):
			return
		default:
			current = s.queue[0]
			s.queue = s.queue[1:]
			started, goOn, err = s.begin(ctx, current)
		}
		if err != nil {
			if ctx.Err() == nil {
				log.Error("a delivery cannot go on", "delivery", current, "err", err)
			}
			return
		}
	}
}

// persist repeats a write until the store takes it: while a disk is full, nothing that is known of a call may become
// unknown. It gives up at the end of a lease, when the lease was lost, and when the daemon stops.
func (l *destinationLanes) persist(ctx context.Context, until time.Time, write func() error, log *slog.Logger, trouble string) error {
	for told := false; ; told = true {
		err := write()
		if err == nil || errors.Is(err, ErrFence) || errors.Is(err, ErrConflict) || ctx.Err() != nil || l.draining() || !time.Now().Before(until) {
			return err
		}
		if !told {
			log.Error(trouble+"; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-l.drain:
		case <-time.After(lookEvery):
		}
	}
}

// settled records what became of a call, even when the daemon is stopping.
func (s *service) settled(ctx context.Context, t *turn, now time.Time) error {
	return s.persist(ctx, s.batch.LeaseUntil, func() error {
		next, err := s.e.s.Store.Settle(context.WithoutCancel(ctx), t.settle, now)
		s.first(next)
		return err
	}, s.log, "what became of a delivery cannot be recorded")
}

func (s *service) mayStart(ctx context.Context) bool { return ctx.Err() == nil && !s.draining() }

// short reports whether a call could outlive the lease: after it nobody knows that the call is under way.
func (s *service) short() bool { return time.Until(s.batch.LeaseUntil) < 2*(s.dest.Timeout+grace) }

func (s *service) renew(ctx context.Context) bool {
	if !s.short() {
		return true
	}
	until := time.Now().Add(s.lease())
	if err := s.e.s.Store.Renew(ctx, s.batch, until); err != nil {
		s.log.Warn("a lease was lost", "err", err)
		return false
	}
	s.batch.LeaseUntil = until
	return true
}

// prepare reads a delivery and decides its step. The turn is never nil; its error is of the store and decides nothing.
func (s *service) prepare(ctx context.Context, id int64) (*turn, error) {
	w, err := s.e.s.Store.Work(ctx, id)
	w.Delivery = id
	if err != nil {
		return s.turnOf(w), err
	}
	return s.plan(ctx, w)
}

func (s *service) turnOf(w Work) *turn {
	return &turn{at: time.Now(), work: w,
		settle: Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: s.batch.ID, Fence: s.batch.Fence}}
}

// plan decides the step of a delivery that was read.
func (s *service) plan(ctx context.Context, w Work) (*turn, error) {
	t := s.turnOf(w)
	call, _, err := s.decide(ctx, w, s.line, &t.settle, t.at)
	if err == nil && call != nil {
		t.call = call
		if call.Key == "" {
			call.Key = "msg_" + rand.Text()
		}
	}
	return t, err
}

// look decides the step of the delivery that comes next, while a call is under way. A slow platform leaves time enough
// for that afterwards.
func (s *service) look(ctx context.Context) {
	if len(s.queue) == 0 || s.took > aheadFor/2 || !s.mayStart(ctx) || s.ahead != nil && s.ahead.settle.Delivery == s.queue[0] {
		return
	}
	s.ahead = nil
	w, known := s.works[s.queue[0]]
	if !known {
		s.works = map[int64]Work{}
		works, err := s.e.s.Store.Works(ctx, s.queue[:min(len(s.queue), readAhead)])
		if err != nil {
			return // what fails is met again when it is its turn
		}
		for _, w := range works {
			s.works[w.Delivery] = w
		}
		if w, known = s.works[s.queue[0]]; !known {
			return
		}
	}
	delete(s.works, w.Delivery)
	if t, err := s.plan(ctx, w); err == nil && t.call != nil { // an end without a call is decided in its turn
		s.ahead = t
	}
}

// decided gives the step of a delivery that was decided ahead; nil when there is none, or when it is too old.
func (s *service) decided(id int64) *turn {
	t := s.ahead
	if t == nil || t.settle.Delivery != id {
		return nil
	}
	s.ahead = nil
	if time.Since(t.at) > aheadFor {
		return nil
	}
	return t
}

// rateSlack is added to the time of each rate: a call leaves a little later than its row says, once the row is on the
// disk, and its way to the platform takes now longer, now shorter.
const rateSlack = 50 * time.Millisecond

func (s *service) startOf(t *turn) Start {
	start := Start{Batch: s.batch, Delivery: t.settle.Delivery, Version: t.work.Version, Call: *t.call, Repeat: t.work.Retry != nil}
	if !s.dest.NoRates {
		start.Rates = slices.Clone(s.line.Limits.Rules.Rates)
		if len(s.dest.Rates) > 0 {
			start.Rates = slices.Clone(s.dest.Rates)
		}
		for i := range start.Rates {
			start.Rates[i].Per += rateSlack
		}
	}
	return start
}

// begin starts the call of a delivery, or ends the delivery without one. goOn is false when the rest of the batch has to
// wait.
func (s *service) begin(ctx context.Context, id int64) (started *turn, goOn bool, err error) {
	store := s.e.s.Store
	for range 8 {
		t := s.decided(id)
		if t == nil {
			if t, err = s.prepare(ctx, id); err != nil {
				return nil, true, s.setAside(ctx, t.work, t.settle, err)
			}
		}
		now := time.Now()
		if t.call == nil {
			next, err := store.Settle(ctx, t.settle, now)
			switch {
			case errors.Is(err, ErrConflict):
				continue
			case errors.Is(err, ErrFence):
				return nil, false, nil
			case err != nil:
				return nil, true, s.setAside(ctx, t.work, t.settle, err)
			}
			s.first(next)
			return nil, t.settle.LaneUntil.IsZero() && t.settle.DestinationUntil.IsZero(), nil
		}
		wait, err := store.Start(ctx, s.startOf(t), now)
		switch {
		case errors.Is(err, ErrConflict):
			continue
		case errors.Is(err, ErrFence), errors.Is(err, ErrPaused):
			return nil, false, nil
		case err != nil:
			return nil, true, s.setAside(ctx, t.work, t.settle, err)
		case !wait.IsZero():
			return nil, false, nil // the rates are rows: the next claim waits for them
		}
		t.began = now
		return t, true, nil
	}
	return nil, true, nil // it changes faster than it can be read; its turn comes again
}

// first puts a delivery that carries its publication on before the others.
func (s *service) first(next int64) {
	if next != 0 {
		s.queue = append([]int64{next}, s.queue...)
	}
}

// send makes the call that was started, settles it, and may start the next one with that.
func (s *service) send(ctx context.Context, t *turn) (started *turn, goOn bool, err error) {
	answer := s.call(ctx, s.caller, s.line, *t.call)
	s.look(ctx)
	ref, callErr := answer()
	now := time.Now()
	s.took = now.Sub(t.began)
	if s.e.s.Called != nil {
		code := sdk.Code("")
		if callErr != nil {
			code = sdk.AsError(callErr).Code
		}
		s.e.s.Called(s.dest.Name, code, s.took)
	}
	if callErr == nil {
		s.outages.accepted(s.batch.Chat, t.settle.Delivery)
		t.settle.Call, t.settle.Ref, t.settle.Succeeded = t.call, ref, true
		t.settle.Resolve = append(t.settle.Resolve, s.health...)
		started, goOn, err = s.settle(ctx, t, now)
		if err == nil && s.e.s.Settled != nil {
			s.e.s.Settled()
		}
		if first := t.call.Final && t.call.Op == OpPublish && t.work.Have == 0; err == nil && first && s.e.s.Accepted != nil {
			s.e.s.Accepted(s.dest.Name, now.Sub(t.work.Due))
		}
		return started, goOn, err
	}
	goOn = s.failed(t, ref, callErr, now)
	return nil, goOn, s.settled(ctx, t, now)
}

// failed fills in what is recorded of a call that was not accepted, and says whether the batch goes on.
func (s *service) failed(t *turn, ref sdk.PartRef, callErr error, now time.Time) bool {
	e := sdk.AsError(callErr)
	t.settle.KeepCall = t.work.Retry != nil
	switch {
	case t.call.Op != OpEdit:
	case len(ref.IDs) > 0:
		t.settle.HalfDone, t.settle.Ref = t.call, ref
	case e.Code.Disposition() == sdk.DispositionAsk:
		t.settle.HalfDone, t.settle.Ref = t.call, t.call.Ref
	}
	t.settle = s.settleError(e, t.work, *t.call, t.settle, now)
	if t.settle.StopLane || e.Code == sdk.CodeGone || e.Code == sdk.CodeNotAChannel {
		s.forget(s.batch.Chat)
	}
	s.log.Warn("a call was not accepted", "channel", t.work.Channel, "post", t.work.PublicID,
		"op", t.call.Op, "code", e.Code, "err", e.Error(), "attempt", t.work.Attempt)
	return t.settle.LaneUntil.IsZero() && t.settle.DestinationUntil.IsZero() && !t.settle.StopLane && !t.settle.StopDestination
}

// settle records an accepted call, and starts the next one in the same transaction when its step is decided.
func (s *service) settle(ctx context.Context, t *turn, now time.Time) (*turn, bool, error) {
	if s.mayStart(ctx) && !s.short() && len(s.queue) > 0 {
		if following := s.decided(s.queue[0]); following != nil && following.call != nil {
			next, wait, startErr, err := s.e.s.Store.SettleAndStart(context.WithoutCancel(ctx), t.settle, s.startOf(following), now)
			switch {
			case err != nil: // nothing of both is recorded: the outcome is tried again by itself
			case startErr == nil && wait.IsZero():
				s.queue = s.queue[1:]
				following.began = now
				return following, true, nil
			case errors.Is(startErr, ErrConflict): // it is decided anew in its turn, or after what goes before it
				s.first(next)
				return nil, true, nil
			default:
				return nil, false, nil // fence, pause, or rates
			}
		}
	}
	return nil, true, s.settled(ctx, t, now)
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
		s.Error = "it waited longer than max_age"
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

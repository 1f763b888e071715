package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// ErrConflict says that a source changed between the reading and the commit; what was decided is decided again.
var ErrConflict = errors.New("intake: the source changed meanwhile")

// Store is what intake needs of the store.
type Store interface {
	// ClaimSources leases due, configured, unpaused sources for the time of a fetch, the longest waiting first.
	ClaimSources(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]State, error)
	// ReleaseSource ends a lease without a change.
	ReleaseSource(ctx context.Context, name string) error
	// NextSource is when the next source becomes due; zero when none will.
	NextSource(ctx context.Context) (time.Time, error)
	// Found gives what is known about a batch of a source.
	Found(ctx context.Context, source string, batch sdk.Batch) (Found, error)
	// CommitIntake writes a change in one transaction and ends the lease, or gives ErrConflict.
	CommitIntake(ctx context.Context, ch Change, now time.Time) error
	// DueChecks gives items of one source whose addresses are due, with the source's state and the number of its items
	// seen since; an empty list when there are none.
	DueChecks(ctx context.Context, now time.Time, limit int) (source string, checks []Check, err error)
	// WatchedItems counts the live items of a source first seen since then.
	WatchedItems(ctx context.Context, source string, since time.Time) (int, error)
	// SourceState gives one source.
	SourceState(ctx context.Context, name string) (State, error)
}

// Instance is an opened source with its rules.
type Instance struct {
	Rules Rules
	Conn  sdk.Connector
}

// Settings wire a Poller.
type Settings struct {
	Store Store
	// Instance gives an opened source by name, and what to call when it is no longer used; false when it is not configured
	// any more.
	Instance func(name string) (inst Instance, done func(), ok bool)
	Log      *slog.Logger
	// Deadline of one fetch.
	Deadline time.Duration
	// Workers is how many sources are fetched at once.
	Workers int
	// Committed is called after items of a source changed.
	Committed func(source string)
	// Forced is told before a person's forced fetch of a source, which ends what keeps its plugin from being called; may be nil.
	Forced func(source string)
	// Described is called after a source described itself otherwise than before, and Missed after a fetch of a source brought
	// something new although a hub tells what is new (Rules.Slow); either may be nil.
	Described func()
	Missed    func(ctx context.Context, source string)
	// Fetched is told of each fetch of a source: the code is empty when it went well; may be nil.
	Fetched func(source string, code sdk.Code, took time.Duration)
}

// Poller fetches sources when they are due.
type Poller struct {
	s      Settings
	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	busy map[string]bool // sources that are being fetched, or wait for a worker
}

// NewPoller makes a Poller; Start starts it.
func NewPoller(s Settings) *Poller {
	return &Poller{s: s, wake: make(chan struct{}, 1), busy: map[string]bool{}}
}

// Start begins to fetch. The context ends with starting; Stop ends the fetching.
func (p *Poller) Start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.done.Go(func() { p.fetchLoop(ctx) })
	p.done.Go(func() { p.checkLoop(ctx) })
	return nil
}

// Stop gives up the fetches that are under way, of which nothing is stored, and waits for their workers until ctx ends.
func (p *Poller) Stop(ctx context.Context) error {
	if p.cancel == nil {
		return nil
	}
	p.cancel()
	ended := make(chan struct{})
	go func() { p.done.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Wake makes the poller look for due sources now.
func (p *Poller) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// pollEvery is the contract: a row that became due is noticed within this time, whatever hint was lost.
const pollEvery = time.Second

// begin marks a source as busy; false when it is already. A lease alone does not tell: it can end before its fetch does.
func (p *Poller) begin(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[name] {
		return false
	}
	p.busy[name] = true
	return true
}

func (p *Poller) end(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, name)
}

// fetchLoop hands due sources to workers, each to one at a time. A worker does not wait for the disk: what it fetched is
// stored beside the next fetch, so that sources share commits.
func (p *Poller) fetchLoop(ctx context.Context) {
	work := make(chan State, 2*p.s.Workers) // the next ones are claimed while these are fetched
	unstored := make(chan struct{}, 3*p.s.Workers)
	var workers, storing sync.WaitGroup
	for range p.s.Workers {
		workers.Go(func() {
			for st := range work {
				store := p.fetch(ctx, st)
				unstored <- struct{}{}
				storing.Go(func() {
					store()
					p.end(st.Name)
					<-unstored
				})
			}
		})
	}
	defer storing.Wait()
	defer workers.Wait()
	defer close(work)
	for ctx.Err() == nil {
		now := time.Now()
		claimed, err := p.s.Store.ClaimSources(ctx, now, p.lease(), 2*p.s.Workers)
		if err != nil && ctx.Err() == nil {
			p.s.Log.Error("due sources cannot be read", "err", err)
		}
		for _, st := range claimed {
			if !p.begin(st.Name) {
				continue // the fetch under way ends the lease
			}
			select {
			case work <- st:
			case <-ctx.Done():
				p.end(st.Name)
				p.release(ctx, st.Name, now)
			}
		}
		if len(claimed) == 0 {
			p.rest(ctx, now)
		}
	}
}

// rest waits until a source is due, a hint comes, or the poll's contract asks for a look. What was due when it was looked
// for and could not be claimed, because it is paused, is no reason to look sooner.
func (p *Poller) rest(ctx context.Context, looked time.Time) {
	wait := pollEvery
	if next, err := p.s.Store.NextSource(ctx); err == nil && next.After(looked) {
		wait = min(wait, max(time.Until(next), time.Millisecond))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-p.wake:
	case <-t.C:
	}
}

// lease is how long a source belongs to its fetch.
func (p *Poller) lease() time.Duration { return p.s.Deadline + 30*time.Second }

// release ends a lease without a change. While the store takes nothing, because its disk is full, it is tried again: the
// source is to be fetched soon after there is room.
func (p *Poller) release(ctx context.Context, name string, until time.Time) {
	for p.s.Store.ReleaseSource(context.WithoutCancel(ctx), name) != nil && ctx.Err() == nil && time.Now().Before(until) {
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
}

// fetch fetches one source. The function that it gives commits what came of it.
func (p *Poller) fetch(ctx context.Context, st State) (store func()) {
	until := time.Now().Add(p.lease())
	release := func() { p.release(ctx, st.Name, until) }
	inst, done, ok := p.s.Instance(st.Name)
	if !ok {
		return release
	}
	if st.Force && p.s.Forced != nil {
		p.s.Forced(st.Name)
	}
	began := time.Now()
	batch, err := p.call(ctx, inst, st)
	if p.s.Fetched != nil {
		code := sdk.Code("")
		if err != nil {
			code = sdk.AsError(err).Code
		}
		p.s.Fetched(st.Name, code, time.Since(began))
	}
	return func() {
		defer done()
		if ctx.Err() != nil {
			// Stopping: what is half done is not stored, and the lease ends with the daemon.
			release()
			return
		}
		if err = p.commit(ctx, inst.Rules, st, batch, err); err != nil {
			if ctx.Err() != nil {
				release() // the end came in the midst of it, which is no fault of the source
				return
			}
			p.s.Log.Error("what was fetched cannot be stored", "source", st.Name, "err", err)
			// What cannot be stored now is not asked for again at once.
			err = p.commit(ctx, inst.Rules, st, sdk.Batch{}, sdk.Errorf(sdk.CodeInvalid, "store", "what it gave cannot be stored; the log has the details"))
		}
		if err != nil {
			release()
		}
	}
}

func (p *Poller) call(ctx context.Context, inst Instance, st State) (sdk.Batch, error) {
	source, ok := sdk.As[sdk.Source](inst.Conn)
	if !ok {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnsupported, "fetch", "this type of source is not fetched; it waits to be called")
	}
	ctx, cancel := context.WithTimeout(ctx, p.s.Deadline)
	defer cancel()
	batch, err := source.Fetch(ctx, sdk.FetchRequest{Cursor: st.Cursor, Now: time.Now().UTC(), Force: st.Force})
	if _, told := errors.AsType[*sdk.Error](err); err != nil && !told && ctx.Err() != nil {
		err = &sdk.Error{Code: sdk.CodeUnavailable, Op: "fetch", Public: fmt.Sprintf("it did not answer within %s", sdk.D(p.s.Deadline)), Err: err}
	}
	if err == nil && len(batch.Next) > sdk.MaxCursor {
		err = sdk.Errorf(sdk.CodeInvalid, "fetch", "the source asks to remember %d bytes, and %d are the most", len(batch.Next), sdk.MaxCursor)
	}
	return batch, err
}

// commit decides and writes, again when a command changed the source meanwhile.
func (p *Poller) commit(ctx context.Context, r Rules, st State, batch sdk.Batch, fetchErr error) error {
	log, forced, about := p.s.Log.With("source", st.Name), st.Force, st.About
	for range 5 {
		now := time.Now()
		var ch Change
		if fetchErr != nil {
			e := sdk.AsError(fetchErr)
			ch = Fail(r, st, e, now, rand.Float64())
			if ch.State.Gone {
				log.Warn("the source is gone for good and is not fetched any more", "code", e.Code, "err", fetchErr)
			} else {
				log.Warn("the source cannot be read", "code", e.Code, "err", fetchErr, "failures", ch.State.Failures, "next", ch.State.NextAt)
			}
		} else {
			var found Found
			if !batch.Unchanged || len(batch.Items) > 0 || len(batch.Removed) > 0 {
				f, err := p.s.Store.Found(ctx, st.Name, batch)
				if err != nil {
					return err
				}
				found = f
			}
			ch = Decide(r, st, batch, found, now)
		}
		ch.Forced = forced
		err := p.s.Store.CommitIntake(ctx, ch, now)
		if errors.Is(err, ErrConflict) {
			if st, err = p.s.Store.SourceState(ctx, st.Name); err != nil {
				return err
			}
			continue
		}
		if err == nil && len(ch.Inserts)+len(ch.Updates) > 0 {
			log.Info("items taken", "new", len(ch.Inserts), "changed", len(ch.Updates), "held", len(ch.Holds))
			if p.s.Committed != nil {
				p.s.Committed(st.Name)
			}
		}
		if err == nil && ch.State.About != about && p.s.Described != nil {
			p.s.Described()
		}
		if err == nil && r.Slow > 0 && len(ch.Inserts) > 0 && p.s.Missed != nil {
			p.s.Missed(ctx, st.Name)
		}
		return err
	}
	return ErrConflict
}

// checkLoop looks at the addresses of items that left their source's document.
func (p *Poller) checkLoop(ctx context.Context) {
	t := time.NewTicker(5 * pollEvery)
	defer t.Stop()
	for {
		for ctx.Err() == nil {
			more, err := p.checkOnce(ctx)
			if err != nil && ctx.Err() == nil {
				p.s.Log.Error("items cannot be checked", "err", err)
			}
			if !more || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// checkOnce checks the due items of one source. It is false when none are due.
func (p *Poller) checkOnce(ctx context.Context) (bool, error) {
	name, checks, err := p.s.Store.DueChecks(ctx, time.Now(), 20)
	if err != nil || len(checks) == 0 {
		return false, err
	}
	var seen []sdk.Presence
	inst, done, ok := p.s.Instance(name)
	if !ok {
		return false, nil
	}
	defer done()
	if checker, able := sdk.As[sdk.Checker](inst.Conn); able {
		refs := make([]sdk.ItemRef, len(checks))
		for i, c := range checks {
			refs[i] = sdk.ItemRef{Key: c.Key, URL: c.URL}
		}
		callCtx, cancel := context.WithTimeout(ctx, p.s.Deadline)
		seen, err = checker.CheckItems(callCtx, refs)
		cancel()
		if err != nil {
			p.s.Log.Warn("items cannot be checked", "source", name, "err", err)
		}
	}
	for len(seen) < len(checks) {
		seen = append(seen, sdk.Presence{State: sdk.PresenceUnknown})
	}
	for range 5 {
		st, err := p.s.Store.SourceState(ctx, name)
		if err != nil {
			return false, err
		}
		now := time.Now()
		watched, err := p.s.Store.WatchedItems(ctx, name, now.Add(-inst.Rules.Watch))
		if err != nil {
			return false, err
		}
		ch := DecideChecks(inst.Rules, st, checks, seen, watched, now)
		if err = p.s.Store.CommitIntake(ctx, ch, now); errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil && p.s.Committed != nil {
			p.s.Committed(name)
		}
		return true, err
	}
	return false, ErrConflict
}

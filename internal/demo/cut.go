package demo

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/store"
)

// Phase says how far a power cut has come.
type Phase string

// The phases of a power cut, in order.
const (
	PhaseWriting  Phase = "writing"  // articles are written, the first calls leave
	PhaseDark     Phase = "dark"     // the daemon is dead
	PhaseCounting Phase = "counting" // it is back and works off what was left
	PhaseCounted  Phase = "counted"  // nothing is open any more
	PhaseFailed   Phase = "failed"   // something else went wrong; Trouble says what
)

// Cut is a power cut, with what was counted before and after.
type Cut struct {
	Number  int
	Edition string
	Phase   Phase
	Trouble string
	// Burst are the articles that were written right before, at BurstAt.
	Burst   []Article
	BurstAt time.Time
	// Killed is when the daemon was dead, Back when it served again.
	Killed, Back time.Time
	// Calls are those that these articles ask for, one for each receiver, and Before how many had arrived when the power
	// went.
	Calls, Before int
	Audit         Audit
}

// burst is how many articles are written before the power goes.
const burst = 5

// breaker cuts the power, one cut at a time.
type breaker struct {
	daemon    *daemon
	receivers *receivers
	paper     paper
	editions  map[string]edition
	db        func() *store.DB
	changed   func()
	// dark is how long the power stays away.
	dark time.Duration

	mu   sync.Mutex
	last *Cut
}

// errBusy says that the power is away already.
var errBusy = errors.New("demo: the power is being cut already")

// Last is the latest cut; nil before the first.
func (b *breaker) Last() *Cut {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil {
		return nil
	}
	c := *b.last
	return &c
}

// Busy reports whether a cut is under way.
func (b *breaker) Busy() bool {
	c := b.Last()
	return c != nil && c.Phase != PhaseCounted && c.Phase != PhaseFailed
}

func (b *breaker) set(change func(c *Cut)) {
	b.mu.Lock()
	change(b.last)
	b.mu.Unlock()
	b.changed()
}

// begin makes a new cut, unless one is under way.
func (b *breaker) begin(edition string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	number := 1
	if c := b.last; c != nil {
		if c.Phase != PhaseCounted && c.Phase != PhaseFailed {
			return errBusy
		}
		number = c.Number + 1
	}
	b.last = &Cut{Number: number, Edition: edition, Phase: PhaseWriting}
	return nil
}

// run cuts the power in the midst of a burst of articles, and counts afterwards.
func (b *breaker) run(ctx context.Context) {
	fail := func(err error) {
		if ctx.Err() == nil {
			b.set(func(c *Cut) { c.Phase, c.Trouble = PhaseFailed, err.Error() })
		}
	}
	c := b.Last()
	b.changed()
	calls := b.receivers.Calls()
	articles, at, err := b.paper.Burst(ctx, c.Edition, burst)
	if err != nil && !errors.Is(err, errNothingToDo) {
		fail(err)
		return
	}
	b.set(func(c *Cut) { c.Burst, c.BurstAt, c.Calls = articles, at, 2*len(articles) })
	// The first call has arrived, and others are on their way: any moment of the next is as bad as another.
	b.await(ctx, 6*time.Second, func() bool { return len(articles) == 0 || b.receivers.Calls() > calls })
	pause(ctx, time.Duration(rand.Int64N(int64(60*time.Millisecond))))
	b.daemon.Kill()
	killed := time.Now()
	before := b.arrived(articles)
	b.set(func(c *Cut) { c.Phase, c.Killed, c.Before = PhaseDark, killed, before })
	pause(ctx, b.dark)
	if ctx.Err() != nil {
		return
	}
	if err := b.daemon.Start(ctx); err != nil {
		fail(err)
		return
	}
	b.set(func(c *Cut) { c.Phase, c.Back = PhaseCounting, time.Now() })
	b.count(ctx)
}

// count audits until nothing is open any more.
func (b *breaker) count(ctx context.Context) {
	var audit Audit
	var err error
	b.await(ctx, 40*time.Second, func() bool {
		audit, err = b.audit(ctx)
		if err == nil {
			b.set(func(c *Cut) { c.Audit = audit })
		}
		return err == nil && audit.Open == 0
	})
	if ctx.Err() != nil {
		return
	}
	b.set(func(c *Cut) {
		c.Phase = PhaseCounted
		if err != nil {
			c.Phase, c.Trouble = PhaseFailed, err.Error()
		}
	})
}

// await asks until it is told yes, or the time is over.
func (b *breaker) await(ctx context.Context, most time.Duration, ask func() bool) {
	deadline := time.Now().Add(most)
	for !ask() && time.Now().Before(deadline) && ctx.Err() == nil {
		pause(ctx, 20*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// arrived counts the receivers' copies of articles.
func (b *breaker) arrived(articles []Article) int {
	held, n := b.receivers.Holdings(), 0
	for _, a := range articles {
		e, link := b.editions[a.Lang], b.paper.Link(a)
		n += held.atTelegram(e.Chat, link).Times + held.atWebhook(link).Times
	}
	return n
}

// audit compares every article that stands with every place.
func (b *breaker) audit(ctx context.Context) (Audit, error) {
	db := b.db()
	if db == nil {
		return Audit{}, errNotYet
	}
	articles, err := b.everything(ctx)
	if err != nil {
		return Audit{}, err
	}
	// The store is read before the receivers: what it calls done has arrived by then.
	books, err := readBooks(ctx, db, b.editions)
	if err != nil {
		return Audit{}, err
	}
	out := books.compare(articles, b.receivers.Holdings(), b.editions, b.paper.Link)
	out.Repeats = b.receivers.webhook.State().Repeats
	return out, nil
}

// everything is every article that stands, and every one of the last burst that was not taken back.
func (b *breaker) everything(ctx context.Context) ([]Article, error) {
	articles, err := b.paper.Live(ctx, "")
	if err != nil {
		return nil, err
	}
	c := b.Last()
	if c == nil {
		return articles, nil
	}
	for _, a := range c.Burst {
		link := b.paper.Link(a)
		if slices.ContainsFunc(articles, func(x Article) bool { return b.paper.Link(x) == link }) {
			continue
		}
		gone, err := b.paper.Withdrawn(ctx, a)
		if err != nil {
			return nil, err
		}
		if !gone {
			a.Published = c.BurstAt // from when on it is awaited
			articles = append(articles, a)
		}
	}
	return articles, nil
}

// resolve records what somebody who looked at the phone says about an unknown call, and counts again.
func (b *breaker) resolve(ctx context.Context, delivery int64, arrived bool) error {
	db := b.db()
	if db == nil {
		return errNotYet
	}
	say := store.SayMissing
	if arrived {
		say = store.SayArrived
	}
	if err := db.ResolveByHand(ctx, delivery, say, "", actor, time.Now()); err != nil {
		return err
	}
	b.set(func(c *Cut) {
		if c != nil && c.Phase == PhaseCounted {
			c.Phase = PhaseCounting
		}
	})
	return nil
}

package direct

import (
	"context"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// settled is an outcome that is not recorded yet.
type settled struct {
	consent.Result
	of *batch
}

func resultsOf(list []settled) []consent.Result {
	out := make([]consent.Result, len(list))
	for i, s := range list {
		out[i] = s.Result
	}
	return out
}

// ended parts batches into those of which nothing is left once results are recorded, and the others.
func ended(ending []*batch, results []settled) (over []consent.Batch, open []*batch) {
	if len(ending) == 0 {
		return nil, nil
	}
	now := map[*batch]int{}
	for _, r := range results {
		now[r.of]++
	}
	for _, b := range ending {
		if b.left == now[b] {
			over = append(over, b.Batch)
		} else {
			open = append(open, b)
		}
	}
	return over, open
}

// recorded notes that outcomes are in the store.
func recorded(results []settled) {
	for _, r := range results {
		r.of.left--
	}
}

// end waits for the outcomes of what was started, records them, and takes the batches away.
func (l *lane) end(sending context.Context, ending []*batch) {
	for len(ending) > 0 && sending.Err() == nil && l.unsettled() > 0 {
		now := l.e.s.Now()
		if ending = slices.DeleteFunc(ending, func(b *batch) bool { return b.left > 0 && b.LeaseUntil.Sub(now) < 5*time.Second }); len(ending) == 0 {
			return // recovery finds what has no outcome
		}
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-l.moved:
		case <-sending.Done():
		case <-t.C:
		}
		t.Stop()
		if results := l.take(); len(results) > 0 {
			if err := l.e.s.Store.SettleMessages(context.WithoutCancel(sending), resultsOf(results)); err != nil {
				l.give(results)
				l.e.s.Log.Error("what became of messages cannot be recorded", "destination", l.d.Name, "err", err)
				l.pause(sending, 100*time.Millisecond)
			} else {
				recorded(results)
			}
		}
	}
	l.prepared()
	if sending.Err() != nil {
		l.withdrawReady()
	}
	results := l.take()
	for _, b := range ending {
		l.endBatch(sending, b, results)
		results = nil
	}
	if len(ending) > 0 {
		l.told()
	}
}

// unsettled counts the messages that were started and whose outcome cannot be recorded yet.
func (l *lane) unsettled() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writing + len(l.ready) + len(l.under) + l.settling
}

// endBatch records the last outcomes and takes a batch away. Of one that was given up with messages under way the next start
// finds these unknown.
func (l *lane) endBatch(sending context.Context, b *batch, results []settled) {
	ctx := context.WithoutCancel(sending)
	for {
		own := 0
		for _, r := range results {
			if r.of == b {
				own++
			}
		}
		var err error
		if b.left > own {
			err = l.e.s.Store.SettleMessages(ctx, resultsOf(results))
		} else {
			err = l.e.s.Store.EndBatch(ctx, b.Batch, resultsOf(results), l.e.s.Now())
		}
		if err == nil {
			recorded(results)
			return
		}
		l.e.s.Log.Error("what became of messages cannot be recorded", "destination", l.d.Name, "err", err)
		if sending.Err() != nil || b.LeaseUntil.Before(l.e.s.Now()) {
			l.give(results)
			return
		}
		l.pause(sending, 100*time.Millisecond)
	}
}

// take gives the results that are not recorded yet; give brings them back.
func (l *lane) take() []settled {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.results
	l.results = make([]settled, 0, len(out)) // as many come until the next window
	return out
}

func (l *lane) give(results []settled) {
	l.mu.Lock()
	l.results = append(results, l.results...)
	l.mu.Unlock()
}

// unwritten settles a message that has no text.
func (l *lane) unwritten(r settled) {
	l.mu.Lock()
	l.writing--
	l.results = append(l.results, r)
	l.stir()
	l.mu.Unlock()
}

func (l *lane) settle(r settled) {
	l.mu.Lock()
	l.results = append(l.results, r)
	l.stir()
	l.mu.Unlock()
}

func (l *lane) told() {
	if l.e.s.Settled != nil {
		l.e.s.Settled()
	}
}

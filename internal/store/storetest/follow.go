package storetest

import (
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// follows checks that the outcome of a call is recorded whatever becomes of the start that goes with it, and that neither
// is when the outcome cannot be.
func follows(f *fixture) {
	first := f.own("first", "hook")
	f.own("second", "hook")
	f.own("third", "hook")
	batch := f.claim("hook")[0]
	start := func(delivery int64, key string) outbox.Start {
		w := must[outbox.Work](f)(f.Work(f.ctx(), delivery))
		call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: w.Want, Wanted: w.Want, Final: true, Key: key, Part: sdk.Part{Kind: "send"}}
		return outbox.Start{Batch: batch, Delivery: delivery, Version: w.Version, Call: call}
	}
	settles := func(s outbox.Start) outbox.Settlement {
		w := must[outbox.Work](f)(f.Work(f.ctx(), s.Delivery))
		return outbox.Settlement{Delivery: s.Delivery, Publication: w.Publication, Version: w.Version, Batch: batch.ID, Fence: batch.Fence,
			Call: &s.Call, Ref: sdk.PartRef{IDs: []string{"m"}}, Succeeded: true}
	}
	type result struct {
		Next       bool
		Wait       time.Time
		Start, Err error
	}
	turn := func(what string, s outbox.Settlement, following outbox.Start, want result, states ...string) int64 {
		f.Helper()
		next, wait, startErr, err := f.SettleAndStart(f.ctx(), s, following, f.now)
		if (next != 0) != want.Next || !wait.Equal(want.Wait) || !errors.Is(startErr, want.Start) || !errors.Is(err, want.Err) {
			f.Errorf("%s: next %d, wait %s, start %v, error %v", what, next, wait, startErr, err)
		}
		f.same(what, states, f.states(store.DeliveryFilter{}))
		return next
	}
	_, settle := f.begin(batch, "k1")
	// The first was withdrawn meanwhile: its next delivery goes first, and nothing is started before it.
	content := compose.Content{Withdrawn: true}
	f.ok(f.CommitRevision(f.ctx(), compose.Revise{Post: first.ID, On: 1, Content: &content, Status: compose.PostWithdrawn}, f.now))
	following := start(batch.Deliveries[1], "k2")
	turn("what goes before", settle, following, result{Next: true, Start: outbox.ErrConflict}, "sent", "pending", "pending", "pending")
	turn("accepted twice", settle, following, result{Err: outbox.ErrConflict}, "sent", "pending", "pending", "pending")

	f.same("at once", time.Time{}, must[time.Time](f)(f.Start(f.ctx(), following, f.now)))
	turn("decided on an older wish", settles(following), func() outbox.Start { s := start(batch.Deliveries[2], "k3"); s.Version--; return s }(),
		result{Start: outbox.ErrConflict}, "sent", "sent", "pending", "pending")

	third := start(batch.Deliveries[2], "k3")
	f.same("at once", time.Time{}, must[time.Time](f)(f.Start(f.ctx(), third, f.now)))
	stranger := third
	stranger.Batch.Fence = "another"
	turn("without the lease", settles(third), stranger, result{Start: outbox.ErrFence}, "sent", "sent", "sent", "pending")
}

// followsRates checks that rates and pauses keep the following call back, and the outcome stays.
func followsRates(f *fixture) {
	f.own("first", "hook")
	f.own("second", "hook")
	f.own("third", "hook")
	batch := f.claim("hook")[0]
	rates := []sdk.Rate{{Scope: sdk.RateDestination, Events: 1, Per: 30 * time.Second}}
	start := func(i int) outbox.Start {
		w := must[outbox.Work](f)(f.Work(f.ctx(), batch.Deliveries[i]))
		return outbox.Start{Batch: batch, Delivery: w.Delivery, Version: w.Version, Rates: rates,
			Call: outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: 1, Wanted: 1, Final: true, Key: "k"}}
	}
	settle := func(s outbox.Start) outbox.Settlement {
		w := must[outbox.Work](f)(f.Work(f.ctx(), s.Delivery))
		return outbox.Settlement{Delivery: s.Delivery, Publication: w.Publication, Version: w.Version, Batch: batch.ID, Fence: batch.Fence,
			Call: &s.Call, Ref: sdk.PartRef{IDs: []string{"m"}}, Succeeded: true}
	}
	one := start(0)
	f.same("at once", time.Time{}, must[time.Time](f)(f.Start(f.ctx(), one, f.now)))
	begun := f.now
	f.later(time.Second)
	_, wait, startErr, err := f.SettleAndStart(f.ctx(), settle(one), start(1), f.now)
	f.ok(errors.Join(startErr, err))
	f.same("the rate", begun.Add(30*time.Second), wait)
	f.same("kept back", []string{"sent", "pending", "pending"}, f.states(store.DeliveryFilter{}))
	f.ok(f.Release(f.ctx(), batch))
	f.same("nor claimed", 0, len(f.claim("hook")))
	f.later(30 * time.Second)
	batch = f.claim("hook")[0]
	two := start(0)
	f.same("at once", time.Time{}, must[time.Time](f)(f.Start(f.ctx(), two, f.now)))
	f.later(30 * time.Second)
	_, wait, startErr, err = f.SettleAndStart(f.ctx(), settle(two), start(1), f.now)
	f.ok(errors.Join(startErr, err))
	f.same("both", []string{"sent", "sent", "started"}, f.states(store.DeliveryFilter{}))
	f.same("without a wait", time.Time{}, wait)
}

// callsKept checks that a call is kept byte for byte until its outcome is certain, and no longer: what takes its place must
// neither lose it nor leave it.
func callsKept(f *fixture) {
	requests := []string{"first\xff request", "second request", "third request"}
	for range requests {
		f.own("news", "hook")
	}
	batch := f.claim("hook")[0]
	start := func(i int) outbox.Start {
		w := must[outbox.Work](f)(f.Work(f.ctx(), batch.Deliveries[i]))
		call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: 1, Wanted: 1, Final: true, Key: "k", Part: sdk.Part{Kind: "send", Request: []byte(requests[i])}}
		if w.Retry != nil {
			call = *w.Retry
		}
		return outbox.Start{Batch: batch, Delivery: w.Delivery, Version: w.Version, Call: call, Repeat: w.Retry != nil}
	}
	accepted := func(s outbox.Start) outbox.Settlement {
		w := must[outbox.Work](f)(f.Work(f.ctx(), s.Delivery))
		return outbox.Settlement{Delivery: s.Delivery, Publication: w.Publication, Version: w.Version, Batch: batch.ID, Fence: batch.Fence,
			Call: &s.Call, Ref: sdk.PartRef{IDs: []string{"m"}}, Succeeded: true}
	}
	follow := func(s, following outbox.Start) {
		f.Helper()
		_, wait, startErr, err := f.SettleAndStart(f.ctx(), accepted(s), following, f.now)
		f.ok(errors.Join(startErr, err))
		f.same("at once", time.Time{}, wait)
	}
	kept := func(what string, want ...int) {
		f.Helper()
		var got []int
		for _, r := range requests {
			got = append(got, must[int](f)(f.CountText(f.ctx(), r)))
		}
		f.same(what, want, got)
	}
	first := start(0)
	f.same("at once", time.Time{}, must[time.Time](f)(f.Start(f.ctx(), first, f.now)))
	kept("under way", 1, 0, 0)
	second := start(1)
	follow(first, second)
	kept("the next in its place", 0, 1, 0)

	put := accepted(second)
	put.Call, put.Succeeded, put.Postpone, put.KeepCall = nil, false, f.now, true
	must[int64](f)(f.Settle(f.ctx(), put, f.now))
	kept("to be repeated", 0, 1, 0)
	third := start(2)
	f.same("at once", time.Time{}, must[time.Time](f)(f.Start(f.ctx(), third, f.now)))
	kept("two", 0, 1, 1)
	again := start(1)
	f.same("the very same call", second.Call, again.Call)
	follow(third, again)
	kept("repeated", 0, 1, 0)
	must[int64](f)(f.Settle(f.ctx(), accepted(again), f.now))
	kept("all is certain", 0, 0, 0)

	works := must[[]outbox.Work](f)(f.Works(f.ctx(), append(batch.Deliveries, 999)))
	f.same("several at once", len(requests), len(works))
	for _, w := range works {
		f.same("as by itself", must[outbox.Work](f)(f.Work(f.ctx(), w.Delivery)), w)
	}
}

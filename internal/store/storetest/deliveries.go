package storetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/web"
	"github.com/belfry-news/belfry/sdk"
)

func batches(f *fixture) {
	other := f.opened("one")
	for i := range 10 {
		f.created(compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, Content: compose.Content{Title: fmt.Sprint(i)}, VisibleAt: f.now,
			Urgent: i == 7, Targets: []compose.NewTarget{{Destination: "hook", Chat: fmt.Sprint("chat", i%2)}}})
	}
	f.same("next", f.now, must[time.Time](f)(f.Next(f.ctx(), "hook", f.now)))
	var mu sync.Mutex
	var all []outbox.Batch
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			bs, err := []*store.DB{f.DB, other}[i%2].Claim(f.ctx(), "hook", f.now, time.Minute, 1, 5)
			if err != nil {
				f.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, bs...)
		})
	}
	wg.Wait()
	if len(all) != 2 || all[0].Chat == all[1].Chat || all[0].Fence == all[1].Fence {
		f.Fatalf("%d batches: %+v", len(all), all)
	}
	for _, b := range all {
		var order []string
		for _, id := range b.Deliveries {
			order = append(order, must[outbox.Work](f)(f.Work(f.ctx(), id)).PublicID)
		}
		titles := []string{}
		for _, id := range order {
			titles = append(titles, must[store.Post](f)(f.PostByID(f.ctx(), id)).Content.Title)
		}
		want := []string{"0", "2", "4", "6", "8"}
		if b.Chat == "chat1" {
			want = []string{"7", "1", "3", "5", "9"} // what is urgent goes first
		}
		f.same("order in "+b.Chat, want, titles)
	}
	f.same("nothing else while they last", 0, len(f.claim("hook")))
	f.same("next", time.Time{}, must[time.Time](f)(f.Next(f.ctx(), "hook", f.now)))
	// A batch of another fence is nobody's to give back or to renew.
	stranger := all[0]
	stranger.Fence = "another"
	f.ok(f.Release(f.ctx(), stranger))
	if err := f.Renew(f.ctx(), stranger, f.now.Add(time.Hour)); !errors.Is(err, outbox.ErrFence) {
		f.Errorf("got %v", err)
	}
	f.same("still claimed", 0, len(f.claim("hook")))
	f.ok(f.Release(f.ctx(), all[0]))
	f.same("given back", all[0].Deliveries, f.claim("hook")[0].Deliveries[:len(all[0].Deliveries)])
	// After the lease the rows are anybody's; a renewal keeps them.
	f.ok(f.Renew(f.ctx(), all[1], f.now.Add(time.Hour)))
	f.same("none is unknown", 0, must[int](f)(f.Recover(f.ctx(), false, f.later(time.Minute))))
	again := f.claim("hook")
	f.same("only the one whose lease is over", []string{all[0].Chat}, []string{again[0].Chat})
	f.same("one", 1, len(again))
	for _, pause := range [][2]string{{store.PauseDestination, "hook"}, {store.PauseAll, ""}} {
		f.ok(f.Release(f.ctx(), again[0]))
		must[bool](f)(f.Pause(f.ctx(), pause[0], pause[1], "test", f.now))
		f.same("paused", 0, len(f.claim("hook")))
		must[bool](f)(f.Resume(f.ctx(), pause[0], pause[1], "test", f.now))
		again = f.claim("hook")
	}
	if _, err := f.Work(f.ctx(), 999); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("got %v", err)
	}
}

func starts(f *fixture) {
	p := f.own("news", "hook")
	b := f.claim("hook")[0]
	w := must[outbox.Work](f)(f.Work(f.ctx(), b.Deliveries[0]))
	call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: 1, Wanted: 1, Final: true, Key: "k", Part: sdk.Part{Kind: "send", Request: []byte{0, 255, 'x'}}}
	try := func(what string, want error, change func(*outbox.Start), now time.Time) {
		f.Helper()
		s := outbox.Start{Batch: b, Delivery: w.Delivery, Version: w.Version, Call: call}
		if change != nil {
			change(&s)
		}
		if wait, err := f.Start(f.ctx(), s, now); !errors.Is(err, want) || !wait.IsZero() {
			f.Errorf("%s: %v, wait until %s", what, err, wait)
		}
	}
	try("another fence", outbox.ErrFence, func(s *outbox.Start) { s.Batch.Fence = "x" }, f.now)
	try("another batch", outbox.ErrFence, func(s *outbox.Start) { s.Batch.ID++ }, f.now)
	try("the lease is over", outbox.ErrFence, nil, f.now.Add(time.Minute))
	try("an older wish", outbox.ErrConflict, func(s *outbox.Start) { s.Version-- }, f.now)
	must[bool](f)(f.Pause(f.ctx(), store.PauseDestination, "hook", "test", f.now))
	try("paused", outbox.ErrPaused, nil, f.now)
	must[bool](f)(f.Resume(f.ctx(), store.PauseDestination, "hook", "test", f.now))
	f.ok(f.EditPost(f.ctx(), p.ID, 1, compose.Content{Title: "newer"}, nil, "test", f.now))
	try("revised meanwhile", outbox.ErrConflict, nil, f.now)
	w = must[outbox.Work](f)(f.Work(f.ctx(), b.Deliveries[0]))
	f.same("nothing has started", []string{"pending"}, f.states(store.DeliveryFilter{}))
	try("now", nil, nil, f.now)
	f.same("started", []string{"started"}, f.states(store.DeliveryFilter{}))
	try("twice", outbox.ErrConflict, nil, f.now)
	// The call is kept to the byte.
	f.same("unknown", 1, must[int](f)(f.Recover(f.ctx(), true, f.now)))
	u := must[[]outbox.UnknownCall](f)(f.UnknownCalls(f.ctx(), "hook"))
	f.same("the call", call, u[0].Call)
	f.same("crashes", []any{1, 1, f.now}, []any{u[0].Crashes, u[0].Attempt, u[0].FirstAt})
	f.ok(f.Resolve(f.ctx(), u[0], outbox.Resolution{Repeat: true, Until: f.now}, f.now))
	f.same("the very same call", call, *must[outbox.Work](f)(f.Work(f.ctx(), w.Delivery)).Retry)
	// A repetition keeps the moment of its first start.
	first := f.now
	f.later(time.Minute)
	f.begin(f.claim("hook")[0], "unused")
	f.same("unknown", 1, must[int](f)(f.Recover(f.ctx(), true, f.now)))
	f.same("first at", first, must[[]outbox.UnknownCall](f)(f.UnknownCalls(f.ctx(), "hook"))[0].FirstAt)
}

func outcomes(f *fixture) {
	p := f.own("news", "hook")
	_, settle := f.begin(f.claim("hook")[0], "k1")
	stranger := settle
	stranger.Call, stranger.Succeeded, stranger.Fence, stranger.Postpone = nil, false, "another", f.now.Add(time.Hour)
	for what, s := range map[string]outbox.Settlement{"postponed": stranger, "failed": {Delivery: settle.Delivery, Publication: settle.Publication, State: outbox.Failed},
		"next rung": {Delivery: settle.Delivery, Publication: settle.Publication, NextRung: true}} {
		if _, err := f.Settle(f.ctx(), s, f.now); !errors.Is(err, outbox.ErrFence) {
			f.Errorf("%s without the lease: %v", what, err)
		}
	}
	f.same("started", []string{"started"}, f.states(store.DeliveryFilter{}))
	f.same("no next", int64(0), must[int64](f)(f.Settle(f.ctx(), settle, f.later(time.Second))))
	if _, err := f.Settle(f.ctx(), settle, f.now); !errors.Is(err, outbox.ErrConflict) {
		f.Errorf("accepted twice: %v", err)
	}
	c := must[[]store.Copy](f)(f.Copies(f.ctx(), p.ID))[0]
	f.same("there", []any{"done", 1, []string{"https://platform.example/k1"}, f.now}, []any{c.State, c.Have, c.URLs, c.OutAt})

	// A withdrawal while a call is under way: the next delivery follows in the same batch, before everything else.
	q := f.own("other", "hook")
	f.own("third", "hook")
	b := f.claim("hook")
	if len(b) != 0 {
		f.Fatalf("a chat has two batches: %+v", b)
	}
	f.same("unknown", 0, must[int](f)(f.Recover(f.ctx(), true, f.now)))
	batch := f.claim("hook")[0]
	w, settle := f.begin(batch, "k2")
	content := compose.Content{Withdrawn: true}
	f.ok(f.CommitRevision(f.ctx(), compose.Revise{Post: q.ID, On: 1, Content: &content, Status: compose.PostWithdrawn}, f.now))
	next := must[int64](f)(f.Settle(f.ctx(), settle, f.now))
	work := must[outbox.Work](f)(f.Work(f.ctx(), next))
	f.same("the withdrawal", []any{w.Publication, true, 2, 1, false}, []any{work.Publication, work.Gone, work.Want, work.Have, work.HaveGone})
	f.same("its part", sdk.PartRef{IDs: []string{"mk2"}, URL: "https://platform.example/k2", State: []byte{0, 255}}, work.Parts[0].Ref)
	gone := outbox.Call{Op: outbox.OpDelete, Series: outbox.SeriesPost, Ref: work.Parts[0].Ref, Final: true, Wanted: 2, Key: "k3"}
	must[time.Time](f)(f.Start(f.ctx(), outbox.Start{Batch: batch, Delivery: next, Version: work.Version, Call: gone}, f.now))
	must[int64](f)(f.Settle(f.ctx(), outbox.Settlement{Delivery: next, Publication: work.Publication, Version: work.Version, Batch: batch.ID, Fence: batch.Fence, Call: &gone}, f.now))
	c = must[[]store.Copy](f)(f.Copies(f.ctx(), q.ID))[0]
	f.same("gone", []any{"done", true, 0}, []any{c.State, c.HaveGone, len(c.URLs)})

	// A failure for certain is a wait in the row; what asked to wait holds for the lane, and for the destination.
	f.ok(f.Release(f.ctx(), batch))
	batch = f.claim("hook")[0]
	_, settle = f.begin(batch, "k4")
	settle.Call, settle.Succeeded = nil, false
	settle.Postpone, settle.LaneUntil, settle.DestinationUntil, settle.Code, settle.Error, settle.CountAttempt = f.now.Add(time.Minute), f.now.Add(2*time.Minute), f.now.Add(3*time.Minute), sdk.CodeRateLimited, "slowly", true
	must[int64](f)(f.Settle(f.ctx(), settle, f.now))
	f.ok(f.Release(f.ctx(), batch))
	d := must[[]store.Delivery](f)(f.Deliveries(f.ctx(), store.DeliveryFilter{State: "pending"}))[0]
	f.same("put off", []any{f.now.Add(time.Minute), 1, "rate_limited", "slowly"}, []any{d.NextAt, d.Attempt, d.Code, d.Error})
	f.same("next", f.now.Add(3*time.Minute), must[time.Time](f)(f.Next(f.ctx(), "hook", f.now)))
	f.later(3*time.Minute - time.Microsecond)
	f.same("not early", 0, len(f.claim("hook")))
	f.later(time.Microsecond)
	batch = f.claim("hook")[0]
	// A post that was decided about before it changed is decided anew.
	w = must[outbox.Work](f)(f.Work(f.ctx(), batch.Deliveries[0]))
	f.ok(f.EditPost(f.ctx(), w.Post, 1, compose.Content{Title: "third, revised"}, nil, "test", f.now))
	old := outbox.Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: batch.ID, Fence: batch.Fence, State: outbox.Expired}
	if _, err := f.Settle(f.ctx(), old, f.now); !errors.Is(err, outbox.ErrConflict) {
		f.Errorf("an end that was decided about an older wish: %v", err)
	}
	old.Version++
	old.Error, old.Alerts = "too late", []alert.Alert{{Code: alert.PostExpired, Subject: "hook"}}
	must[int64](f)(f.Settle(f.ctx(), old, f.now))
	f.same("expired, with a record and an alert", []string{"expired", "1"}, []string{f.states(store.DeliveryFilter{State: "expired"})[0], fmt.Sprint(len(must[[]alert.Row](f)(f.Alerts(f.ctx()))))})
	rows := must[map[string]store.DestinationRow](f)(f.DestinationRows(f.ctx()))
	f.same("waiting", 0, rows["hook"].Waiting)
}

func unknowns(f *fixture) {
	for range 4 {
		f.own("news", "hook")
	}
	batch := f.claim("hook")[0]
	var settles []outbox.Settlement
	for i := range 4 {
		one := batch
		one.Deliveries = batch.Deliveries[i : i+1]
		_, s := f.begin(one, fmt.Sprint("k", i))
		settles = append(settles, s)
	}
	f.ok(f.Release(f.ctx(), batch)) // started rows that are given up are unknown
	list := must[[]outbox.UnknownCall](f)(f.UnknownCalls(f.ctx(), "hook"))
	f.same("unknown", []int{4, 0}, []int{len(list), list[0].Crashes})
	// The node that made the call hears of it late: that counts.
	must[int64](f)(f.Settle(f.ctx(), settles[0], f.now))
	f.ok(f.Resolve(f.ctx(), list[1], outbox.Resolution{Accepted: true, Ref: sdk.PartRef{IDs: []string{"found"}}}, f.now))
	f.ok(f.Resolve(f.ctx(), list[2], outbox.Resolution{Anew: true, Until: f.now.Add(time.Minute)}, f.now))
	key := outbox.UnknownKey(list[3].Delivery)
	f.ok(f.Resolve(f.ctx(), list[3], outbox.Resolution{Alert: &alert.Alert{Code: key.Code, Subject: key.Subject}}, f.now))
	f.same("states", []string{"sent", "sent", "pending", "unknown"}, f.states(store.DeliveryFilter{}))
	if w := must[outbox.Work](f)(f.Work(f.ctx(), list[2].Delivery)); w.Retry != nil {
		f.Errorf("it is not decided anew: %+v", w.Retry)
	}
	list = must[[]outbox.UnknownCall](f)(f.UnknownCalls(f.ctx(), "hook"))
	f.same("a person was asked", []any{1, true}, []any{len(list), list[0].Alerted})
	for _, d := range must[[]store.Delivery](f)(f.Deliveries(f.ctx(), store.DeliveryFilter{})) {
		if d.State != outbox.Unknown {
			for _, say := range []store.Say{store.SayArrived, store.SayMissing, store.SayDone} {
				if err := f.ResolveByHand(f.ctx(), d.ID, say, "", "test", f.now); err == nil {
					f.Errorf("a delivery that is %s was said to be %s", d.State, say)
				}
			}
		}
	}
	f.ok(f.ResolveByHand(f.ctx(), list[0].Delivery, store.SayArrived, "https://platform.example/there", "test", f.now))
	f.same("alerts", 0, len(must[[]alert.Row](f)(f.Alerts(f.ctx()))))
	if err := f.ResolveByHand(f.ctx(), 999, store.SayDone, "", "test", f.now); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("got %v", err)
	}
	// What failed is sent again once.
	batchOf := func() outbox.Batch { f.Helper(); return f.claim("hook")[0] }
	f.later(time.Hour)
	b := batchOf()
	w, s := f.begin(b, "k9")
	s.Call, s.Succeeded, s.State, s.Code = nil, false, outbox.Failed, sdk.CodeInvalid
	must[int64](f)(f.Settle(f.ctx(), s, f.now))
	f.ok(f.Resend(f.ctx(), w.Delivery, "test", f.now))
	if err := f.Resend(f.ctx(), w.Delivery, "test", f.now); err == nil {
		f.Error("it is sent again twice")
	}
	if err := f.Resend(f.ctx(), 999, "test", f.now); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("got %v", err)
	}
	f.same("states", []string{"sent", "sent", "failed", "sent", "pending"}, f.states(store.DeliveryFilter{}))
}

func rates(f *fixture) {
	allowed := []sdk.Rate{{Scope: sdk.RateChannel, Events: 2, Per: 10 * time.Second}, {Scope: sdk.RateDestination, Events: 3, Per: time.Minute}}
	for i := range 6 {
		f.created(compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, VisibleAt: f.now, Targets: []compose.NewTarget{{Destination: "hook", Chat: fmt.Sprint(i % 2)}}})
	}
	list := must[[]outbox.Batch](f)(f.Claim(f.ctx(), "hook", f.now, time.Hour, 9, 9))
	begin := func(b outbox.Batch, i int) time.Time {
		f.Helper()
		w := must[outbox.Work](f)(f.Work(f.ctx(), b.Deliveries[i]))
		return must[time.Time](f)(f.Start(f.ctx(), outbox.Start{Batch: b, Delivery: w.Delivery, Version: w.Version, Call: outbox.Call{Op: outbox.OpPublish, Key: "k"}, Rates: allowed}, f.now))
	}
	f.same("two of a channel", []bool{true, true}, []bool{begin(list[0], 0).IsZero(), begin(list[0], 1).IsZero()})
	f.same("not a third", f.now.Add(10*time.Second), begin(list[0], 2))
	f.same("another channel", true, begin(list[1], 0).IsZero())
	f.same("not a fourth of the destination", f.now.Add(time.Minute), begin(list[1], 1))
	f.later(59 * time.Second)
	if _, err := f.Start(f.ctx(), outbox.Start{Batch: list[1], Delivery: list[1].Deliveries[1], Version: 1, Rates: allowed}, f.now); !errors.Is(err, outbox.ErrPaused) {
		f.Errorf("a lane that has to wait: %v", err)
	}
	f.later(time.Second)
	f.same("a minute later", true, begin(list[1], 1).IsZero())
}

func trouble(f *fixture) {
	f.own("news", "hook")
	f.ok(f.UseDestinations(f.ctx(), []store.DestinationSetting{{Name: "hook", Fingerprint: "one"}}))
	lane := outbox.Lane{Destination: "hook", Chat: "", Ref: sdk.ChannelRef{ID: "c1", Title: "Gazette", URL: "https://platform.example/c1", State: []byte{0, 255}},
		Limits: sdk.Limits{Text: 500, Unit: sdk.UnitGraphemes, Rules: sdk.Rules{EditFor: sdk.Forever, Rates: []sdk.Rate{{Scope: sdk.RateChannel, Events: 1, Per: time.Second}}}}, ResolvedAt: f.now}
	if _, known, err := f.Lane(f.ctx(), "hook", ""); known || err != nil {
		f.Errorf("%v, %v", known, err)
	}
	f.ok(f.SaveLane(f.ctx(), lane))
	got, known, err := f.Lane(f.ctx(), "hook", "")
	f.ok(err)
	f.same("lane", lane, got)
	f.same("known", true, known)
	f.same("places", []web.Place{{Destination: "hook", URL: "https://platform.example/c1"}}, must[[]web.Place](f)(f.Places(f.ctx())))
	f.ok(f.LaneTrouble(f.ctx(), "hook", "", outbox.Settlement{StopDestination: true, Code: sdk.CodeUnauthenticated, Error: "revoked",
		Alerts: []alert.Alert{{Code: alert.DestinationStop, Subject: "hook"}}}, f.now))
	f.same("stopped", 0, len(f.claim("hook")))
	row := must[map[string]store.DestinationRow](f)(f.DestinationRows(f.ctx()))["hook"]
	f.same("said", []any{f.now, "revoked", 1}, []any{row.StoppedAt, row.Error, row.Waiting})
	f.ok(f.UseDestinations(f.ctx(), []store.DestinationSetting{{Name: "hook", Fingerprint: "one"}}))
	f.same("the same configuration changes nothing", 0, len(f.claim("hook")))
	f.ok(f.UseDestinations(f.ctx(), []store.DestinationSetting{{Name: "hook", Fingerprint: "two"}}))
	b := f.claim("hook")
	f.same("another one is a chance", 1, len(b))
	f.ok(f.Release(f.ctx(), b[0]))
	for _, resume := range []func() error{
		func() error { _, err := f.Resume(f.ctx(), store.PauseDestination, "hook", "test", f.now); return err },
		func() error { return f.StartAgain(f.ctx(), "hook", f.now) },
	} {
		f.ok(f.LaneTrouble(f.ctx(), "hook", "", outbox.Settlement{StopLane: true, Code: sdk.CodeForbidden, Error: "no right"}, f.now))
		f.same("stopped", 0, len(f.claim("hook")))
		_, known, err = f.Lane(f.ctx(), "hook", "")
		f.same("to be resolved again", false, known || err != nil)
		f.ok(resume())
		b = f.claim("hook")
		f.same("resumed", 1, len(b))
		f.ok(f.Release(f.ctx(), b[0]))
	}
	f.same("alerts", 0, len(must[[]alert.Row](f)(f.Alerts(f.ctx()))))
	// What a platform put off for long goes on when a person resumes it, or when it is another one.
	for name, lift := range map[string]func() error{
		"resume":      func() error { _, err := f.Resume(f.ctx(), store.PauseDestination, "hook", "test", f.now); return err },
		"start again": func() error { return f.StartAgain(f.ctx(), "hook", f.now) },
		"configuration": func() error {
			return f.UseDestinations(f.ctx(), []store.DestinationSetting{{Name: "hook", Fingerprint: rand.Text()}})
		},
	} {
		f.same(name+": before", false, must[bool](f)(f.PutOff(f.ctx(), "hook", f.now)))
		_, put := f.begin(f.claim("hook")[0], name)
		put.Call, put.Succeeded, put.Postpone, put.LaneUntil = nil, false, f.now.Add(24*time.Hour), f.now.Add(24*time.Hour)
		put.Code, put.Error = sdk.CodeRateLimited, "slowly"
		must[int64](f)(f.Settle(f.ctx(), put, f.now))
		must[int](f)(f.Recover(f.ctx(), true, f.now))
		f.same(name+": put off", true, must[bool](f)(f.PutOff(f.ctx(), "hook", f.now)))
		f.same(name+": nothing is due", 0, len(f.claim("hook")))
		f.ok(lift())
		f.same(name+": not any more", false, must[bool](f)(f.PutOff(f.ctx(), "hook", f.now)))
		b = f.claim("hook")
		f.same(name+": due", 1, len(b))
		f.ok(f.Release(f.ctx(), b[0]))
	}
	// Trouble without a time is a minute's pause.
	f.ok(f.LaneTrouble(f.ctx(), "hook", "", outbox.Settlement{}, f.now))
	f.same("later", f.now.Add(time.Minute), must[time.Time](f)(f.Next(f.ctx(), "hook", f.now)))
}

func renames(f *fixture) {
	p := f.own("news", "hook")
	_, settle := f.begin(f.claim("hook")[0], "k1")
	must[int64](f)(f.Settle(f.ctx(), settle, f.now))
	must[int](f)(f.Recover(f.ctx(), true, f.now))
	f.ok(f.Rename(f.ctx(), "destination", "hook", "ops", f.now))
	f.ok(f.EditPost(f.ctx(), p.ID, 1, compose.Content{Title: "two"}, nil, "test", f.now))
	f.same("the old name has nothing", 0, len(f.claim("hook")))
	w := must[outbox.Work](f)(f.Work(f.ctx(), f.claim("ops")[0].Deliveries[0]))
	f.same("the copy goes on under the new one", []any{"ops", "mk1"}, []any{w.Destination, w.Parts[0].Ref.IDs[0]})
}

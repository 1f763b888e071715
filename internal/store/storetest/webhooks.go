package storetest

import (
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// A call is kept once by its delivery, for as long as it may be repeated, and is mapped again in its order.
func webhooks(f *fixture) {
	if err := f.UseSources(f.ctx(), []store.SourceSetting{{Name: "desk", Poll: time.Second, Called: true}}, f.now); err != nil {
		f.Fatal(err)
	}
	f.same("what is called is not fetched", 0, len(must[[]intake.State](f)(f.ClaimSources(f.ctx(), f.now.Add(time.Hour), time.Minute, 10))))
	if !must[intake.State](f)(f.SourceState(f.ctx(), "desk")).Called {
		f.Error("it is not known as called")
	}
	keep := func(delivery, body string) intake.Kept {
		f.now = f.now.Add(time.Second)
		return must[intake.Kept](f)(f.KeepCall(f.ctx(), intake.Call{Source: "desk", Delivery: delivery, Request: sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", Query: "a=b",
			Header: map[string][]string{"X-Event": {"é"}}, Body: []byte(body), ReceivedAt: f.now}}))
	}
	first := f.now.Add(time.Second)
	f.same("the first", intake.KeptNew, keep("1", "a"))
	f.same("again", intake.KeptDuplicate, keep("1", "a"))
	f.same("another body", intake.KeptConflict, keep("1", "b"))
	f.same("the second", intake.KeptNew, keep("2", "\x00\xff"))
	f.same("without a name", intake.KeptNew, keep("", "c"))
	f.same("without a name again", intake.KeptNew, keep("", "c"))
	f.same("called sources", []string{"desk"}, must[[]string](f)(f.CalledSources(f.ctx())))
	waiting := func() []intake.Call { return must[[]intake.Call](f)(f.WaitingCalls(f.ctx(), "desk", 10)) }
	calls := waiting()
	f.same("the calls as they came", []string{"a", "\x00\xff", "c", "c"}, bodies(calls))
	f.same("a call as it came", intake.Call{ID: calls[0].ID, Source: "desk", Delivery: "1", Request: sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", Query: "a=b",
		Header: map[string][]string{"X-Event": {"é"}}, Body: []byte("a"), ReceivedAt: first}}, calls[0])
	f.same("how many wait", 4, must[int](f)(f.CountWaitingCalls(f.ctx(), "desk", 10)))
	f.same("how many wait, at most", 3, must[int](f)(f.CountWaitingCalls(f.ctx(), "desk", 2)))

	// One fails, the others are mapped: with their items, in one transaction.
	a := alert.Alert{Code: alert.WebhookFailed, Subject: "desk", Sentence: "s"}
	if err := f.FailCall(f.ctx(), calls[1].ID, "no title", a, f.now); err != nil {
		f.Fatal(err)
	}
	st := must[intake.State](f)(f.SourceState(f.ctx(), "desk"))
	ch := intake.Change{State: st, Inserts: []intake.Insert{insert(item("k", "K"), intake.Live, f.now)}, Mapped: []int64{calls[0].ID, calls[2].ID}}
	if err := f.CommitIntake(f.ctx(), ch, f.now); err != nil {
		f.Fatal(err)
	}
	f.same("what waits", []string{"c"}, bodies(waiting()))
	f.same("new items", 1, must[int](f)(f.NewItems(f.ctx(), "desk", f.now.Add(-time.Hour), 100)))
	f.same("what is told", store.Calls{Waiting: 1, Failed: 1, Reasons: []string{"no title"}}, must[store.Calls](f)(f.Calls(f.ctx(), "desk")))
	f.same("alerts", 1, len(must[[]alert.Row](f)(f.Alerts(f.ctx()))))

	// What came after the one that failed is mapped again with it, and the alert ends once none is left.
	f.same("replayed", 2, must[int](f)(f.ReplayCalls(f.ctx(), "desk", false, "test", f.now)))
	f.same("what waits again", []string{"\x00\xff", "c", "c"}, bodies(waiting()))
	st = must[intake.State](f)(f.SourceState(f.ctx(), "desk"))
	if err := f.CommitIntake(f.ctx(), intake.Change{State: st, Mapped: []int64{calls[1].ID, calls[2].ID, calls[3].ID}}, f.now); err != nil {
		f.Fatal(err)
	}
	f.same("alerts after it", 0, len(must[[]alert.Row](f)(f.Alerts(f.ctx()))))
	f.same("nothing waits", 0, len(must[[]string](f)(f.CalledSources(f.ctx()))))
	f.same("all replayed", 4, must[int](f)(f.ReplayCalls(f.ctx(), "desk", true, "test", f.now)))
	if err := f.FailCall(f.ctx(), calls[0].ID, "no title", a, f.now); err != nil {
		f.Fatal(err)
	}
	f.same("dropped", 1, must[int](f)(f.DropCalls(f.ctx(), "desk", "test", f.now)))
	f.same("alerts after dropping", 0, len(must[[]alert.Row](f)(f.Alerts(f.ctx()))))
	f.same("its name is still known", intake.KeptDuplicate, keep("1", "a"))

	// Calls go after their retention, and names of deliveries later than any sender repeats them.
	st = must[intake.State](f)(f.SourceState(f.ctx(), "desk"))
	if err := f.CommitIntake(f.ctx(), intake.Change{State: st, Mapped: []int64{calls[1].ID}}, f.now); err != nil {
		f.Fatal(err)
	}
	prune := func(after time.Duration) int {
		p, n := f.Prune(store.Retention{Webhooks: 7 * 24 * time.Hour}, 10, f.now.Add(after)), 0
		for more := true; more; {
			step := must[store.Pruned](f)(p.Step(f.ctx()))
			n, more = n+step.Webhooks, step.More
		}
		return n
	}
	f.same("pruned too early", 0, prune(6*24*time.Hour))
	f.same("known for days", intake.KeptDuplicate, keep("1", "a"))
	f.same("pruned", 1, prune(8*24*time.Hour))
	f.same("known after it", intake.KeptDuplicate, keep("1", "a"))
	f.same("what waits is never pruned", 2, len(waiting()))
	prune(15 * 24 * time.Hour)
	f.same("forgotten", intake.KeptNew, keep("1", "a"))
}

func bodies(calls []intake.Call) []string {
	var out []string
	for _, c := range calls {
		out = append(out, string(c.Request.Body))
	}
	return out
}

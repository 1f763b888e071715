package storetest

import (
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

// released: what a person let go leaves at once, on the page and at every destination, although the blackout lasts.
func released(f *fixture) {
	f.source("feed")
	f.bring("feed", item("a", "A"), item("b", "B"))
	f.take("alertes", compose.StateHeld, compose.ReasonBlackout)
	f.same("let go", 2, must[int](f)(f.ReleaseHeld(f.ctx(), "alertes", false, "test", f.now)))
	work := func(p store.Post) outbox.Work {
		f.Helper()
		d := must[[]store.Delivery](f)(f.Deliveries(f.ctx(), store.DeliveryFilter{Post: p.PublicID}))
		if len(d) != 1 {
			f.Fatalf("%d deliveries", len(d))
		}
		return must[outbox.Work](f)(f.Work(f.ctx(), d[0].ID))
	}
	f.same("its copy", true, work(f.each("alertes", "feed", "a", compose.NewTarget{Destination: "hook"})).Released)
	// A post of an item that was never held is not released, nor is a digest that has such a one.
	f.bring("feed", item("c", "C"), item("d", "D"))
	f.take("alertes", compose.StateWaiting, "")
	f.same("another's copy", false, work(f.each("alertes", "feed", "c", compose.NewTarget{Destination: "hook"})).Released)
	digest := compose.NewPost{Channel: "alertes", Key: "occurrence:1", Kind: compose.KindDigest, Status: compose.PostLive, VisibleAt: f.now, Targets: []compose.NewTarget{{Destination: "hook"}}}
	for _, key := range []string{"b", "d"} {
		digest.Items = append(digest.Items, compose.PostItem{Item: f.item("feed", key).ID, Revision: 1})
	}
	public := must[[]string](f)(f.CommitPosts(f.ctx(), compose.Commit{Channel: "alertes", Posts: []compose.NewPost{digest}}, f.now))
	f.same("a digest's copy", false, work(must[store.Post](f)(f.PostByID(f.ctx(), public[0]))).Released)
}

// failedExpressions: the copy for a place whose condition failed waits for a person, and what tells of it ends with that or
// when the expression is no more.
func failedExpressions(f *fixture) {
	f.source("feed")
	f.bring("feed", item("a", "A"))
	changed := must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 9))[0]
	raised := func(subject string) alert.Alert {
		return alert.Alert{Code: alert.ExpressionFailed, Subject: subject, Sentence: "it failed", Mend: "mend it"}
	}
	subjects := func() []string {
		f.Helper()
		var out []string
		for _, a := range must[[]alert.Row](f)(f.Alerts(f.ctx())) {
			out = append(out, a.Subject)
		}
		return out
	}
	f.ok(f.CommitEvaluations(f.ctx(), []compose.Evaluation{{Item: changed.ID, Change: changed.Change, Alerts: []alert.Alert{raised("channels.alertes.where: x")},
		Set: []compose.Membership{{Channel: "alertes", Item: changed.ID, State: compose.StateHeld, Reason: compose.ReasonWhereFailed, Detail: "column 1: why"}}}}, f.now))
	f.same("told with the row", []string{"channels.alertes.where: x"}, subjects())
	held := must[[]store.NotUsed](f)(f.HeldItems(f.ctx(), "alertes", 9))
	f.same("held", []any{1, compose.ReasonWhereFailed, "column 1: why"}, []any{len(held), held[0].Reason, held[0].Detail})
	for _, s := range []string{"channels.alertes2.where: x", "channels.alertes.publish_to.0.where: y", "blackouts.b.where: z"} {
		f.ok(f.Raise(f.ctx(), raised(s), f.now))
	}
	must[int](f)(f.ReleaseHeld(f.ctx(), "alertes", false, "test", f.now))
	f.same("over for the channel", []string{"channels.alertes2.where: x", "blackouts.b.where: z"}, subjects())
	f.same("let go", true, must[[]compose.Waiting](f)(f.WaitingItems(f.ctx(), "alertes"))[0].Released)
	f.ok(f.KeepExpressionAlerts(f.ctx(), []string{"channels.alertes2.where: x", "blackouts.b.where: other"}, f.now))
	f.same("over with its expression", []string{"channels.alertes2.where: x"}, subjects())
	f.ok(f.KeepExpressionAlerts(f.ctx(), nil, f.now))
	f.same("over with all", 0, len(subjects()))

	f.bring("feed", item("b", "B"))
	f.take("alertes", compose.StateWaiting, "")
	p := f.each("alertes", "feed", "b", compose.NewTarget{Destination: "hook", Chat: "fine"},
		compose.NewTarget{Destination: "hook", Chat: "unsure", ExpiresAt: f.now.Add(time.Hour), Failed: &compose.Failure{What: "why"}})
	f.same("deliveries", []string{"held", "pending"}, f.states(store.DeliveryFilter{Post: p.PublicID}))
	copies := must[[]store.Copy](f)(f.Copies(f.ctx(), p.ID))
	f.same("the copy", []string{"held", "its where: failed, why", "held"}, []string{copies[1].State, copies[1].Reason, copies[1].Waiting})
	f.same("the post is among what is held", 1, len(must[[]store.Post](f)(f.Posts(f.ctx(), "alertes", true, 9))))
	// A correction finds it held still; letting it go sends what is wanted then.
	content := compose.Content{Title: "A2"}
	f.ok(f.CommitRevision(f.ctx(), compose.Revise{Post: p.ID, On: 1, Content: &content, Status: compose.PostLive}, f.now))
	f.same("corrected", []string{"held", "pending"}, f.states(store.DeliveryFilter{Post: p.PublicID}))
	f.same("one thing", 1, must[int](f)(f.ReleaseHeld(f.ctx(), "alertes", false, "test", f.now)))
	f.same("let go", []string{"pending", "pending"}, f.states(store.DeliveryFilter{Post: p.PublicID}))
	for _, d := range must[[]store.Delivery](f)(f.Deliveries(f.ctx(), store.DeliveryFilter{Post: p.PublicID})) {
		w := must[outbox.Work](f)(f.Work(f.ctx(), d.ID))
		if w.Want != 2 || w.Released != (w.Chat == "unsure") || d.Error != "" {
			f.Errorf("%+v, %+v", w, d)
		}
	}
}

package storetest

import (
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

// onePost is a post of several that are held, which is released or dropped by itself.
func onePost(f *fixture) {
	held := []alert.Alert{{Code: alert.HeldForRelease, Subject: "alertes"}}
	hold := func(title string) store.Post {
		p := f.created(compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostScheduled, Content: compose.Content{Title: title},
			VisibleAt: f.now, Targets: []compose.NewTarget{{Destination: "hook"}}})
		f.ok(f.CommitDue(f.ctx(), p.ID, compose.PostHeld, "election", held, f.now))
		return p
	}
	status := func(p store.Post) compose.PostStatus {
		return must[store.Post](f)(f.PostByID(f.ctx(), p.PublicID)).Status
	}
	alerts := func() int { return len(must[[]alert.Row](f)(f.Alerts(f.ctx()))) }
	// A copy that a blackout holds at its destination.
	out := f.own("out", "hook")
	b := f.claim("hook")[0]
	w := must[outbox.Work](f)(f.Work(f.ctx(), b.Deliveries[0]))
	must[int64](f)(f.Settle(f.ctx(), outbox.Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: b.ID, Fence: b.Fence,
		State: outbox.Held, Error: "blackout election", Alerts: held}, f.now))
	f.same("held there", []string{"held"}, f.states(store.DeliveryFilter{Post: out.PublicID}))
	one, two, three := hold("one"), hold("two"), hold("three")
	f.same("released", 1, must[int](f)(f.ReleasePost(f.ctx(), one.ID, false, "test", f.now)))
	f.same("the others stay", []compose.PostStatus{compose.PostScheduled, compose.PostHeld, compose.PostHeld}, []compose.PostStatus{status(one), status(two), status(three)})
	f.same("the alert lasts", 1, alerts())
	f.same("again", 0, must[int](f)(f.ReleasePost(f.ctx(), one.ID, false, "test", f.now)))
	f.same("dropped", 1, must[int](f)(f.ReleasePost(f.ctx(), two.ID, true, "test", f.now)))
	f.same("dropped", compose.PostWithdrawn, status(two))
	f.ok(f.CommitDue(f.ctx(), one.ID, compose.PostLive, "", nil, f.later(time.Second)))
	f.same("it leaves", []string{"pending"}, f.states(store.DeliveryFilter{Post: one.PublicID}))

	f.same("released there", 1, must[int](f)(f.ReleasePost(f.ctx(), out.ID, false, "test", f.now)))
	f.same("it waits", []string{"pending"}, f.states(store.DeliveryFilter{Post: out.PublicID}))
	f.same("the alert lasts for the third", 1, alerts())
	f.same("the last one", 1, must[int](f)(f.ReleasePost(f.ctx(), three.ID, false, "test", f.now)))
	f.same("nothing is held", 0, alerts())
	if _, err := f.ReleasePost(f.ctx(), 999, false, "test", f.now); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("a post that is not there: %v", err)
	}
}

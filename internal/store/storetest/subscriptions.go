package storetest

import (
	"time"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/sdk"
)

// A subscription becomes active only while its hub is being asked, and a hub that came back meanwhile did not fail.
func subscriptions(f *fixture) {
	if err := f.UseSources(f.ctx(), []store.SourceSetting{{Name: "feed", Poll: time.Hour}, {Name: "plain", Poll: time.Hour}}, f.now); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"feed", "plain"} {
		st := must[intake.State](f)(f.SourceState(f.ctx(), name))
		st.About = sdk.About{Title: `"Hub":"h`}
		if name == "feed" {
			st.About.Hub, st.About.Topic = "https://hub.example/", "https://news.example/feed"
		}
		st.FetchedAt, st.NextAt = f.now, f.now.Add(12*time.Hour)
		if err := f.CommitIntake(f.ctx(), intake.Change{State: st}, f.now); err != nil {
			f.Fatal(err)
		}
	}
	f.same("who names a hub", []websub.Feed{{Source: "feed", Hub: "https://hub.example/", Topic: "https://news.example/feed"}}, must[[]websub.Feed](f)(f.HubFeeds(f.ctx())))
	ok := func(err error) {
		if err != nil {
			f.Error(err)
		}
	}
	made := websub.Subscription{Source: "feed", Hub: "https://hub.example/", Topic: "t", Origin: "https://news.example", Token: "token", Secret: "secret", State: websub.Pending, NextAt: f.now}
	ok(f.ChangeSubscriptions(f.ctx(), []websub.Subscription{made}, nil, nil, f.now))
	read := func() websub.Subscription { return must[websub.Subscription](f)(f.Subscription(f.ctx(), "token")) }
	sub := read()
	made.ID = sub.ID
	f.same("as it was made", made, sub)
	if _, err := f.Subscription(f.ctx(), "another"); err != websub.ErrUnknown { //nolint:errorlint // it is given as it is
		f.Errorf("another: %v", err)
	}
	expires := f.now.Add(time.Hour)
	verify := func() bool {
		return must[bool](f)(f.SubscriptionVerified(f.ctx(), sub.ID, f.now, f.now.Add(40*time.Minute), expires))
	}
	f.same("before it was asked for", false, verify())
	ok(f.SubscriptionAsked(f.ctx(), sub.ID, f.now, f.now.Add(time.Minute)))
	f.same("asked for", true, verify())
	ok(f.SubscriptionFailed(f.ctx(), sub.ID, f.now, "late", f.now.Add(time.Minute)))
	sub = read()
	f.same("a failure of before", websub.Subscription{State: websub.Active, ExpiresAt: expires, NextAt: f.now.Add(40 * time.Minute)},
		websub.Subscription{State: sub.State, ExpiresAt: sub.ExpiresAt, NextAt: sub.NextAt, Attempts: sub.Attempts, Error: sub.Error})
	f.same("again without being asked for", false, verify())
	ok(f.SubscriptionDelivered(f.ctx(), sub.ID, f.now))
	ok(f.SubscriptionMissed(f.ctx(), "feed", f.now.Add(time.Second)))
	sub = read()
	f.same("what it told, and did not", [2]time.Time{f.now, f.now.Add(time.Second)}, [2]time.Time{sub.DeliveredAt, sub.MissedAt})
	ok(f.PollSoon(f.ctx(), "feed", time.Hour))
	f.same("fetched as before", f.now.Add(time.Hour), must[intake.State](f)(f.SourceState(f.ctx(), "feed")).NextAt)
	f.same("the other one is left alone", f.now.Add(12*time.Hour), must[intake.State](f)(f.SourceState(f.ctx(), "plain")).NextAt)
	ok(f.ChangeSubscriptions(f.ctx(), nil, []int64{sub.ID}, nil, f.now))
	ok(f.SubscriptionAsked(f.ctx(), sub.ID, f.now, f.now.Add(time.Minute)))
	f.same("one that leaves", false, verify())
	ok(f.SubscriptionEnded(f.ctx(), sub.ID, websub.Denied, "no", f.now))
	f.same("stays one that leaves", websub.Leaving, read().State)
	ok(f.ChangeSubscriptions(f.ctx(), nil, nil, []int64{sub.ID}, f.now))
	f.same("forgotten", 0, len(must[[]websub.Subscription](f)(f.Subscriptions(f.ctx()))))
}

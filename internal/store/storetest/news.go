package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/web"
	"github.com/belfry-news/belfry/sdk"
)

func sources(f *fixture) {
	other := f.opened("one")
	var list []store.SourceSetting
	for i := range 40 {
		list = append(list, store.SourceSetting{Name: fmt.Sprintf("s%02d", i), Poll: time.Minute})
	}
	f.ok(f.UseSources(f.ctx(), list, f.now))
	claimed := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			states, err := []*store.DB{f.DB, other}[i%2].ClaimSources(f.ctx(), f.now, time.Minute, 7)
			if err != nil {
				f.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, st := range states {
				claimed[st.Name]++
			}
		})
	}
	wg.Wait()
	for name, n := range claimed {
		if n != 1 {
			f.Errorf("source %s was claimed %d times", name, n)
		}
	}
	f.same("claimed", 40, len(claimed))
	f.ok(f.ReleaseSource(f.ctx(), "s03"))
	f.same("given back", "s03", must[[]intake.State](f)(other.ClaimSources(f.ctx(), f.now, time.Minute, 99))[0].Name)
	f.same("after the lease", 40, len(must[[]intake.State](f)(other.ClaimSources(f.ctx(), f.later(time.Minute), time.Minute, 99))))

	// A commit ends the lease; the next time is what it says, and a pause or the end of the source is respected.
	st := must[intake.State](f)(f.SourceState(f.ctx(), "s00"))
	st.NextAt, st.FetchedAt = f.now.Add(time.Minute), f.now
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st}, f.now))
	if err := f.CommitIntake(f.ctx(), intake.Change{State: st}, f.now); !errors.Is(err, intake.ErrConflict) {
		f.Errorf("an old version: %v", err)
	}
	f.ok(f.UseSources(f.ctx(), list[:1], f.now)) // the others are not configured any more
	f.same("configured", 1, len(must[[]intake.State](f)(f.Sources(f.ctx()))))
	f.same("next", st.NextAt, must[time.Time](f)(f.NextSource(f.ctx())))
	f.same("too early", 0, len(must[[]intake.State](f)(f.ClaimSources(f.ctx(), f.now, time.Minute, 9))))
	must[bool](f)(f.Pause(f.ctx(), store.PauseSource, "s00", "test", f.now))
	f.same("next while it is paused", time.Time{}, must[time.Time](f)(f.NextSource(f.ctx())))
	f.same("paused", 0, len(must[[]intake.State](f)(f.ClaimSources(f.ctx(), f.later(time.Hour), time.Minute, 9))))
	must[bool](f)(f.Resume(f.ctx(), store.PauseSource, "s00", "test", f.now))
	st = must[[]intake.State](f)(f.ClaimSources(f.ctx(), f.now, time.Minute, 9))[0]
	st.Gone, st.NextAt = true, f.now
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st}, f.now))
	f.same("gone", 0, len(must[[]intake.State](f)(f.ClaimSources(f.ctx(), f.now, time.Minute, 9))))
	f.ok(f.FetchNow(f.ctx(), "s00", true, f.now))
	f.same("forced", true, must[[]intake.State](f)(f.ClaimSources(f.ctx(), f.now, time.Minute, 9))[0].Force)
	if err := f.FetchNow(f.ctx(), "nobody", false, f.now); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("got %v", err)
	}
	if _, err := f.SourceState(f.ctx(), "nobody"); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("got %v", err)
	}
	// A shorter interval counts at once, but not before the server allows it.
	st = must[intake.State](f)(f.SourceState(f.ctx(), "s00"))
	st.FetchedAt, st.NextAt, st.WaitUntil = f.now, f.now.Add(time.Hour), f.now.Add(10*time.Minute)
	st.Force, st.Gone = false, false
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Forced: true}, f.now))
	f.ok(f.UseSources(f.ctx(), []store.SourceSetting{{Name: "s00", Poll: time.Minute}}, f.now))
	f.same("sooner", f.now.Add(10*time.Minute), must[intake.State](f)(f.SourceState(f.ctx(), "s00")).NextAt)
	// What a person asks for while a fetch is under way is not forgotten with the end of that one.
	st = must[[]intake.State](f)(f.ClaimSources(f.ctx(), f.now.Add(2*time.Hour), time.Minute, 1))[0]
	f.ok(f.FetchNow(f.ctx(), "s00", true, f.now))
	st.NextAt, st.Version = f.now.Add(time.Hour), must[intake.State](f)(f.SourceState(f.ctx(), "s00")).Version
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st}, f.now))
	st = must[intake.State](f)(f.SourceState(f.ctx(), "s00"))
	f.same("still wished", []any{true, f.now}, []any{st.Force, st.NextAt})
}

func fetches(f *fixture) {
	st := f.source("feed")
	validators := sdk.Cursor("W/\"étag\"\x00Thu, 01 Jan 1970")
	st.Cursor, st.Primed, st.About, st.Notices, st.NewAt = validators, true, sdk.About{Title: "News", Updated: f.now}, []string{"repaired"}, f.now
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Inserts: []intake.Insert{insert(item("a", "A"), intake.Live, f.now), insert(item("b", "B"), intake.Live, f.now)}}, f.now))
	st.Version++
	f.same("the state with the items", st, must[intake.State](f)(f.SourceState(f.ctx(), "feed")))
	found := must[intake.Found](f)(f.Found(f.ctx(), "feed", sdk.Batch{Items: []sdk.Item{item("a", "A"), item("c", "C")}}))
	f.same("known", []string{"a", "b"}, []string{found.Listed[0].Key, found.Listed[1].Key})
	if _, known := found.ByKey["c"]; known {
		f.Error("a new item is known")
	}
	a := found.ByKey["a"]
	f.same("known", intake.Known{ID: a.ID, Key: "a", Revision: 1, State: intake.Live, Substance: "s:A", Facts: "f:A", Link: "https://news.example/a", TitleKey: "A", SeenAt: f.now,
		Listed: true, ListedAt: f.now}, a)
	// When what was announced happens is known of what a batch leaves out where that counts.
	due := item("due", "Due")
	due.Due = f.later(48 * time.Hour)
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Inserts: []intake.Insert{insert(due, intake.Live, f.now)}}, f.now))
	st.Version++
	for _, batch := range []sdk.Batch{{Items: []sdk.Item{item("a", "A")}, Complete: true}, {Whole: []string{"g"}}, {Items: []sdk.Item{item("a", "A")}}} {
		found = must[intake.Found](f)(f.Found(f.ctx(), "feed", batch))
		want := due.Due
		if !batch.Complete && len(batch.Whole) == 0 {
			want = time.Time{}
		}
		f.same("when it is due", []time.Time{want, want, {}}, []time.Time{found.Listed[2].Due, found.ByKey["due"].Due, found.ByKey["a"].Due})
	}
	gone := intake.Update{ID: found.ByKey["due"].ID, State: intake.Live, ListedAt: f.now}
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Updates: []intake.Update{gone}}, f.now))
	st.Version++
	// A revision, a further key, an end of the listing.
	again := item("a", "A2")
	update := intake.Update{ID: a.ID, Item: &again, Substance: "s2", Facts: "f2", Link: a.Link, TitleKey: "A2", Revises: true, Alias: "a-old", ListedAt: f.later(time.Hour)}
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Updates: []intake.Update{update}}, f.now))
	found = must[intake.Found](f)(f.Found(f.ctx(), "feed", sdk.Batch{Items: []sdk.Item{item("a-old", "")}}))
	if k := found.ByKey["a-old"]; k.ID != a.ID || k.Revision != 2 || k.Substance != "s2" || k.Listed {
		f.Errorf("under its other key: %+v", k)
	}
	f.same("listed", 1, len(found.Listed))
	// A withdrawal and its end are changes that channels see.
	f.take("alertes", compose.StateWaiting, "")
	for _, state := range []intake.ItemState{intake.Removed, intake.Live} {
		st = must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
		f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Updates: []intake.Update{{ID: a.ID, State: state, Reason: "410"}}}, f.now))
		changed := must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 9))
		if len(changed) != 1 || changed[0].ID != a.ID || changed[0].State != string(state) {
			f.Errorf("%s: %+v", state, changed)
		}
		f.take("alertes", compose.StateWaiting, "")
	}
	f.same("counts", store.SourceCount{Items: 3, Live: 3}, must[map[string]store.SourceCount](f)(f.SourceCounts(f.ctx()))["feed"])
}

func holds(f *fixture) {
	f.source("feed")
	f.bring("feed", item("old", "Old"))
	st := must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	old := f.item("feed", "old").ID
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Inserts: []intake.Insert{insert(item("n1", "N1"), intake.Held, f.now), insert(item("n2", "N2"), intake.Held, f.now)},
		Holds: []intake.Hold{{Kind: intake.HoldFlood, Note: "two at once"}, {Kind: intake.HoldRemoval, Note: "many are gone", Removals: []int64{old}, Reason: "absent"}}}, f.now))
	list := must[[]store.OpenHold](f)(f.Holds(f.ctx(), "feed"))
	f.same("held", []string{"two at once N1 N2", "many are gone Old"}, []string{list[0].Note + " " + list[0].Items[0].Title + " " + list[0].Items[1].Title, list[1].Note + " " + list[1].Items[0].Title})
	f.same("the source says so", true, must[intake.State](f)(f.SourceState(f.ctx(), "feed")).Holds)
	f.same("one is no change yet", 1, len(must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 9))))
	f.same("released", 3, must[int](f)(f.ReleaseSourceHolds(f.ctx(), "feed", false, "test", f.now)))
	f.same("states", []string{"live", "live", "removed"}, []string{f.item("feed", "n1").State, f.item("feed", "n2").State, f.item("feed", "old").State})
	f.same("reason", "absent", f.item("feed", "old").Reason)
	f.same("over", 0, len(must[[]store.OpenHold](f)(f.Holds(f.ctx(), ""))))
	f.same("again", 0, must[int](f)(f.ReleaseSourceHolds(f.ctx(), "feed", false, "test", f.now)))

	// Dropped: what was new is known and never used, what was to go stays.
	st = must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Inserts: []intake.Insert{insert(item("n3", "N3"), intake.Held, f.now)},
		Holds: []intake.Hold{{Kind: intake.HoldFlood, Note: "flood"}, {Kind: intake.HoldRemoval, Note: "gone", Removals: []int64{f.item("feed", "n1").ID}}}}, f.now))
	must[int](f)(f.ReleaseSourceHolds(f.ctx(), "feed", true, "test", f.now))
	f.same("dropped", []any{"live", true, "live"}, []any{f.item("feed", "n3").State, f.item("feed", "n3").Baseline, f.item("feed", "n1").State})

	// What a blackout holds in a channel.
	f.take("alertes", compose.StateHeld, compose.ReasonBlackout)
	f.same("held in the channel", 4, len(must[[]store.NotUsed](f)(f.NotUsed(f.ctx(), "alertes", time.Time{}, 9))))
	f.same("released", 4, must[int](f)(f.ReleaseHeld(f.ctx(), "alertes", false, "test", f.now)))
	waiting := must[[]compose.Waiting](f)(f.WaitingItems(f.ctx(), "alertes"))
	f.same("waiting", []bool{true, true, true}, []bool{waiting[0].Released, waiting[1].Released, waiting[2].Released})
}

func baseline(f *fixture) {
	st := f.source("feed")
	var ch intake.Change
	ch.State = st
	for i := range 5 {
		in := insert(item(fmt.Sprint(i), fmt.Sprint("T", i)), intake.Live, f.now)
		in.Baseline, in.Item.Published = true, f.now.Add(-time.Duration(i)*time.Hour)
		ch.Inserts = append(ch.Inserts, in)
	}
	f.ok(f.CommitIntake(f.ctx(), ch, f.now))
	f.take("alertes", compose.StateLeftOut, compose.ReasonBaseline)
	f.same("counts", store.SourceCount{Items: 5, Baseline: 5}, must[map[string]store.SourceCount](f)(f.SourceCounts(f.ctx()))["feed"])
	f.same("released", 2, must[int](f)(f.ReleaseBaseline(f.ctx(), "feed", 2, "test", f.later(time.Minute))))
	changed := must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 9))
	f.same("the newest come anew", []any{"0", false, f.now, 0, "1"}, []any{changed[0].Content.Key, changed[0].Baseline, changed[0].SeenAt, len(changed[0].In), changed[1].Content.Key})
	f.same("the rest", 3, must[int](f)(f.ReleaseBaseline(f.ctx(), "feed", 99, "test", f.now)))
	f.same("nothing is left", 0, must[int](f)(f.ReleaseBaseline(f.ctx(), "feed", 99, "test", f.now)))
}

func checks(f *fixture) {
	f.source("feed")
	f.bring("feed", item("a", "A"), item("b", "B"))
	due := func() (string, []intake.Check) {
		f.Helper()
		source, list, err := f.DueChecks(f.ctx(), f.now, 9)
		f.ok(err)
		return source, list
	}
	if _, list := due(); len(list) != 0 {
		f.Errorf("%+v", list)
	}
	st := must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	a := f.item("feed", "a")
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Updates: []intake.Update{{ID: a.ID, SetCheck: true, CheckAt: f.now.Add(time.Minute), GoneAt: f.now, GoneReason: "404"}}}, f.now))
	if _, list := due(); len(list) != 0 {
		f.Errorf("too early: %+v", list)
	}
	f.later(time.Minute)
	source, list := due()
	f.same("due", []intake.Check{{ID: a.ID, Key: "a", URL: a.URL, SeenAt: a.SeenAt, GoneAt: f.now.Add(-time.Minute)}}, list)
	f.same("of", "feed", source)
	must[bool](f)(f.Pause(f.ctx(), store.PauseAll, "", "test", f.now))
	if _, list := due(); len(list) != 0 {
		f.Errorf("while it is paused: %+v", list)
	}
	f.same("watched", 2, must[int](f)(f.WatchedItems(f.ctx(), "feed", f.now.Add(-time.Hour))))
	f.same("watched", 0, must[int](f)(f.WatchedItems(f.ctx(), "feed", f.now)))
}

func channels(f *fixture) {
	f.ok(f.UseChannels(f.ctx(), []string{"alertes"}, f.now))
	f.ok(f.UseChannels(f.ctx(), []string{"alertes", "brief"}, f.later(time.Hour)))
	f.same("since", map[string]time.Time{"alertes": f.now.Add(-time.Hour), "brief": f.now}, must[map[string]time.Time](f)(f.ChannelsSince(f.ctx())))
	f.source("feed")
	f.bring("feed", item("a", "A"), item("b", "B"))
	changed := must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 1))
	f.same("at most", 1, len(changed))
	// An item that changed again while it was looked at stays to be looked at.
	st := must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	it := item("a", "A2")
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Updates: []intake.Update{{ID: changed[0].ID, Item: &it, Revises: true}}}, f.now))
	left := compose.Evaluation{Item: changed[0].ID, Change: changed[0].Change, Set: []compose.Membership{{Channel: "alertes", Item: changed[0].ID, State: compose.StateLeftOut, Reason: compose.ReasonWhere, Detail: "urgency"}}}
	f.ok(f.CommitEvaluations(f.ctx(), []compose.Evaluation{left}, f.now))
	f.same("still to be looked at", 2, len(must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 9))))
	left.Change++
	f.ok(f.CommitEvaluations(f.ctx(), []compose.Evaluation{left}, f.now))
	f.same("why", []compose.Membership{{Channel: "alertes", State: compose.StateLeftOut, Reason: compose.ReasonWhere, Detail: "urgency"}}, f.item("feed", "a").In)
	why := must[[]store.NotUsed](f)(f.NotUsed(f.ctx(), "", f.now, 9))
	if len(why) != 1 || why[0].Key != "a" || why[0].Title != "A2" || why[0].Reason != compose.ReasonWhere || why[0].Detail != "urgency" || !why[0].Since.Equal(f.now) {
		f.Errorf("%+v", why)
	}
	f.take("alertes", compose.StateWaiting, "")
	waiting := must[[]compose.Waiting](f)(f.WaitingItems(f.ctx(), "alertes"))
	f.same("waiting", []string{"B"}, []string{waiting[0].Content.Title})
	f.same("counts", compose.StateWaiting, f.item("feed", "b").In[0].State)
	f.same("counts", 1, must[map[string]store.ChannelCount](f)(f.ChannelCounts(f.ctx()))["alertes"].Waiting)
	// The same article from another source.
	f.source("wire")
	same := item("x", "B")
	same.URL = "https://news.example/b"
	f.bring("wire", same)
	changed = must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 9))
	f.same("duplicate", map[string]int64{"alertes": f.item("feed", "b").ID}, changed[0].Duplicates)
}

func posts(f *fixture) {
	f.source("feed")
	f.bring("feed", item("a", "A"), item("b", "B"))
	f.take("alertes", compose.StateWaiting, "")
	a, b := f.item("feed", "a"), f.item("feed", "b")
	post := func(key string, it store.ItemRow, revision int) compose.NewPost {
		return compose.NewPost{Channel: "alertes", Key: key, Kind: compose.KindEach, Status: compose.PostLive, Content: compose.Content{Title: it.Title},
			Items: []compose.PostItem{{Item: it.ID, Revision: revision}}, VisibleAt: f.now, Targets: []compose.NewTarget{{Destination: "hook", ExpiresAt: f.now.Add(time.Hour)}}}
	}
	for name, second := range map[string]compose.NewPost{"a key that is taken": post("each:a", b, 1), "an item that is used": post("each:b", a, 1), "an older revision": post("each:b", b, 2)} {
		if _, err := f.CommitPosts(f.ctx(), compose.Commit{Channel: "alertes", Posts: []compose.NewPost{post("each:a", a, 1), second}}, f.now); !errors.Is(err, compose.ErrConflict) {
			f.Errorf("%s: %v", name, err)
		}
		f.same("nothing stays: "+name, 0, len(must[[]store.Post](f)(f.Posts(f.ctx(), "", false, 9)))+len(f.states(store.DeliveryFilter{})))
	}
	must[[]string](f)(f.CommitPosts(f.ctx(), compose.Commit{Channel: "alertes", Posts: []compose.NewPost{post("each:a", a, 1)},
		Out: []compose.LeaveOut{{Item: b.ID, Reason: compose.ReasonMaxAge, Detail: "1h"}}}, f.now))
	f.same("used and left out", []compose.MembershipState{compose.StateUsed, compose.StateLeftOut}, []compose.MembershipState{f.item("feed", "a").In[0].State, f.item("feed", "b").In[0].State})
	p := must[[]store.Post](f)(f.Posts(f.ctx(), "alertes", false, 9))[0]
	f.same("its items", []store.ItemName{{ID: a.ID, Source: "feed", Key: "a"}}, must[[]store.ItemName](f)(f.PostItems(f.ctx(), p.ID)))
	f.same("with its delivery", []string{"pending"}, f.states(store.DeliveryFilter{Post: p.PublicID}))
	f.same("its public id", p.PublicID, must[string](f)(f.PostPublicID(f.ctx(), p.ID)))
	f.same("recent", compose.Recent{Last: f.now, Today: 1}, must[compose.Recent](f)(f.RecentPosts(f.ctx(), "alertes", f.now.Add(-time.Hour), 5)))
	f.same("a taken item stays used", 0, len(must[[]compose.Waiting](f)(f.WaitingItems(f.ctx(), "alertes"))))
	if _, err := f.CommitPosts(f.ctx(), compose.Commit{Channel: "alertes", Posts: []compose.NewPost{post("each:a2", a, 1)}}, f.now); !errors.Is(err, compose.ErrConflict) {
		f.Errorf("an item is used twice: %v", err)
	}
	if _, err := f.PostByID(f.ctx(), "nothing"); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("got %v", err)
	}
}

func digests(f *fixture) {
	other := f.opened("one")
	due := f.now
	commit := compose.Commit{Channel: "brief", Schedule: "digest:brief", Spec: "0 7 * * *", CheckedUntil: due,
		Occurrences: []compose.Occurrence{{Schedule: "digest:brief", Key: "k1", At: due, Outcome: "fired"}},
		Posts:       []compose.NewPost{{Channel: "brief", Key: "occurrence:k1", Kind: compose.KindDigest, Status: compose.PostLive, VisibleAt: f.now}}}
	f.same("never looked at", compose.ScheduleState{}, must[compose.ScheduleState](f)(f.Schedule(f.ctx(), "digest:brief")))
	must[[]string](f)(f.CommitPosts(f.ctx(), commit, f.now))
	f.same("looked at", compose.ScheduleState{CheckedUntil: due, Spec: "0 7 * * *"}, must[compose.ScheduleState](f)(other.Schedule(f.ctx(), "digest:brief")))
	if _, err := other.CommitPosts(f.ctx(), commit, f.now); !errors.Is(err, compose.ErrConflict) {
		f.Errorf("two nodes decided the same stretch: %v", err)
	}
	// The same occurrence, found once more from another starting point, happens once.
	commit.CheckedFrom, commit.CheckedUntil = due, due.Add(time.Hour)
	must[[]string](f)(other.CommitPosts(f.ctx(), commit, f.now))
	f.same("posts", 1, len(must[[]store.Post](f)(f.Posts(f.ctx(), "brief", false, 9))))
	f.same("occurrences", commit.Occurrences, must[[]compose.Occurrence](f)(f.Occurrences(f.ctx(), "digest:brief", 9)))
}

func revisions(f *fixture) {
	f.source("feed")
	f.bring("feed", item("a", "A"))
	f.take("alertes", compose.StateWaiting, "")
	p := f.each("alertes", "feed", "a", compose.NewTarget{Destination: "hook"})
	f.same("nothing is stale", 0, len(must[[]compose.Stale](f)(f.StalePosts(f.ctx(), 0, 9))))
	st := must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	again := item("a", "A2")
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Updates: []intake.Update{{ID: f.item("feed", "a").ID, Item: &again, Revises: true}}}, f.now))
	changed := must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 9))[0]
	f.same("its post", []int64{p.ID, 1}, []int64{changed.In[0].Post, int64(changed.In[0].PostRevision)})
	f.ok(f.CommitEvaluations(f.ctx(), []compose.Evaluation{{Item: changed.ID, Change: changed.Change, Recompose: []int64{p.ID}}}, f.now))
	stale := must[[]compose.Stale](f)(f.StalePosts(f.ctx(), 0, 9))
	f.same("stale", []any{p.ID, 1, "A", "A2", 2}, []any{stale[0].Post, stale[0].Revision, stale[0].Current.Title, stale[0].Items[0].Content.Title, stale[0].Items[0].Revision})
	content := compose.Content{Title: "A2", Note: "corrected"}
	revise := compose.Revise{Post: p.ID, On: 1, Items: stale[0].Items, Content: &content, Status: compose.PostLive}
	wrong := revise
	wrong.Items = []compose.StaleItem{stale[0].Items[0]}
	wrong.Items[0].Revision++
	for name, r := range map[string]compose.Revise{"an item that went on": wrong, "another revision": {Post: p.ID, On: 2}} {
		if err := f.CommitRevision(f.ctx(), r, f.now); !errors.Is(err, compose.ErrConflict) {
			f.Errorf("%s: %v", name, err)
		}
	}
	revise.Items = must[[]compose.Stale](f)(f.StalePosts(f.ctx(), 0, 9))[0].Items
	f.ok(f.CommitRevision(f.ctx(), revise, f.later(time.Minute)))
	f.same("not stale any more", 0, len(must[[]compose.Stale](f)(f.StalePosts(f.ctx(), 0, 9))))
	rev := must[[]store.PostRevision](f)(f.Revisions(f.ctx(), p.ID))
	f.same("revisions", []any{2, "A", "A2", "corrected", f.now}, []any{len(rev), rev[0].Content.Title, rev[1].Content.Title, rev[1].Note, rev[1].At})
	// The desired state moved; there is still one delivery.
	c := must[[]store.Copy](f)(f.Copies(f.ctx(), p.ID))
	f.same("wanted", []any{1, 2, 0, "open", "pending"}, []any{len(c), c[0].Want, c[0].Have, c[0].State, c[0].Waiting})
	f.same("deliveries", []string{"pending"}, f.states(store.DeliveryFilter{}))
}

func scheduled(f *fixture) {
	at := f.now.Add(time.Hour)
	draft := compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostScheduled, Content: compose.Content{Title: "later"}, VisibleAt: at,
		Targets: []compose.NewTarget{{Destination: "hook", ExpiresAt: f.now.Add(30 * time.Minute)}}}
	p := f.created(draft)
	f.same("next", at, must[time.Time](f)(f.NextScheduled(f.ctx())))
	f.same("not due", 0, len(must[[]compose.Scheduled](f)(f.DuePosts(f.ctx(), f.now))))
	f.same("no delivery yet", 0, len(f.states(store.DeliveryFilter{})))
	f.later(90 * time.Minute)
	f.same("due", p.ID, must[[]compose.Scheduled](f)(f.DuePosts(f.ctx(), f.now))[0].Post)
	f.ok(f.CommitDue(f.ctx(), p.ID, compose.PostLive, "", nil, f.now))
	if err := f.CommitDue(f.ctx(), p.ID, compose.PostLive, "", nil, f.now); !errors.Is(err, compose.ErrConflict) {
		f.Errorf("it is published twice: %v", err)
	}
	w := must[[]store.Delivery](f)(f.Deliveries(f.ctx(), store.DeliveryFilter{Post: p.PublicID}))
	work, err := f.Work(f.ctx(), w[0].ID)
	f.ok(err)
	f.same("its max_age begins now", f.now.Add(30*time.Minute), work.ExpiresAt)
	// A blackout holds one, and a person drops it.
	p = f.created(draft)
	f.ok(f.CommitDue(f.ctx(), p.ID, compose.PostHeld, "election", []alert.Alert{{Code: alert.HeldForRelease, Subject: "alertes"}}, f.now))
	f.same("held", p.PublicID, must[[]store.Post](f)(f.Posts(f.ctx(), "alertes", true, 9))[0].PublicID)
	f.same("dropped", 1, must[int](f)(f.ReleaseHeld(f.ctx(), "alertes", true, "test", f.now)))
	f.same("status", compose.PostWithdrawn, must[store.Post](f)(f.PostByID(f.ctx(), p.PublicID)).Status)
	f.same("alerts", 0, len(must[[]alert.Row](f)(f.Alerts(f.ctx()))))
}

func editors(f *fixture) {
	p := f.own("one", "hook")
	f.ok(f.EditPost(f.ctx(), p.ID, 1, compose.Content{Title: "two"}, nil, "test", f.now))
	if err := f.EditPost(f.ctx(), p.ID, 1, compose.Content{Title: "three"}, nil, "test", f.now); !errors.Is(err, compose.ErrConflict) {
		f.Errorf("an edit of what was edited meanwhile: %v", err)
	}
	if err := f.EditPost(f.ctx(), p.ID+100, 1, compose.Content{}, nil, "test", f.now); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("got %v", err)
	}
	f.same("found by its beginning", 1, len(must[[]store.Post](f)(f.PostsByPrefix(f.ctx(), p.PublicID[:5], 9))))
	out := must[store.Retracted](f)(f.RetractPost(f.ctx(), p.ID, false, "a mistake", "test", f.now))
	f.same("retracted", []string{p.PublicID}, out.Posts)
	p = must[store.Post](f)(f.PostByID(f.ctx(), p.PublicID))
	f.same("retracted", []any{compose.PostRetracted, true, 3}, []any{p.Status, p.Content.Withdrawn, p.Revision})
	if c := must[[]store.Copy](f)(f.Copies(f.ctx(), p.ID))[0]; !c.Gone || c.Want != 3 || c.HaveGone {
		f.Errorf("%+v", c)
	}
}

func images(f *fixture) {
	const a, b = "https://news.example/a.jpg", "https://news.example/b.jpg"
	f.ok(f.WantImages(f.ctx(), []string{a, b, a}, f.now))
	f.same("pending", map[string]time.Time{a: f.now}, must[map[string]time.Time](f)(f.PendingImages(f.ctx(), []string{a, "https://other.example/"})))
	wanted, err := f.WantedMedia(f.ctx(), f.now, 9)
	f.ok(err)
	f.same("wanted", 2, len(wanted))
	file := sdk.File{SHA256: "abc", Name: "abc.jpg", Type: "image/jpeg", Width: 3, Height: 2, Size: 9}
	f.ok(f.MediaStored(f.ctx(), wanted[0].ID, file, f.now))
	f.ok(f.MediaFailed(f.ctx(), wanted[1].ID, "404", f.now.Add(time.Minute)))
	f.same("stored", compose.Files{a: file}, must[compose.Files](f)(f.Files(f.ctx(), []string{a, b})))
	if wanted, err = f.WantedMedia(f.ctx(), f.now, 9); len(wanted) != 0 || err != nil {
		f.Errorf("too early: %+v, %v", wanted, err)
	}
	if wanted, err = f.WantedMedia(f.ctx(), f.later(time.Minute), 9); len(wanted) != 1 || wanted[0].Attempt != 1 || err != nil {
		f.Errorf("%+v, %v", wanted, err)
	}
	f.ok(f.MediaFailed(f.ctx(), wanted[0].ID, "404", time.Time{}))
	f.same("given up", 0, len(must[map[string]time.Time](f)(f.PendingImages(f.ctx(), []string{b}))))
	f.same("on no post", false, must[bool](f)(f.MediaShown(f.ctx(), "abc", f.now)))
	f.created(compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, VisibleAt: f.now.Add(time.Minute), Content: compose.Content{Media: []sdk.Media{{URL: a}}}})
	f.same("before its time", false, must[bool](f)(f.MediaShown(f.ctx(), "abc", f.now)))
	f.same("on a post", true, must[bool](f)(f.MediaShown(f.ctx(), "abc", f.now.Add(time.Minute))))
	f.ok(f.PutImage(f.ctx(), "own:1", file, f.now))
	f.same("given as a file", 1, len(must[compose.Files](f)(f.Files(f.ctx(), []string{"own:1"}))))
}

func pages(f *fixture) {
	version := must[string](f)(f.PagesVersion(f.ctx()))
	var ids []string
	for i := range 4 {
		ids = append(ids, f.own(fmt.Sprint(i)).PublicID)
		f.later(time.Minute)
	}
	if v := must[string](f)(f.PagesVersion(f.ctx())); v == version {
		f.Error("new posts leave the version as it was")
	}
	future := f.created(compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, Content: compose.Content{Title: "future"}, VisibleAt: f.now.Add(time.Hour)})
	must[store.Retracted](f)(f.RetractPost(f.ctx(), must[store.Post](f)(f.PostByID(f.ctx(), ids[1])).ID, false, "wrong", "test", f.now))
	list := must[[]web.Post](f)(f.ShownPosts(f.ctx(), web.Range{Channel: "alertes", Now: f.now, Most: 3}))
	f.same("the newest first", []string{"3", "2", ""}, []string{list[0].Content.Title, list[1].Content.Title, list[2].Content.Title})
	f.same("taken back", compose.PostRetracted, list[2].Status)
	list = must[[]web.Post](f)(f.ShownPosts(f.ctx(), web.Range{Channel: "alertes", Now: f.now, Most: 9, Before: &list[2]}))
	f.same("the page after", []string{ids[0]}, []string{list[0].PublicID})
	_, shown, err := f.ShownPost(f.ctx(), future.PublicID, f.now)
	f.same("before its time", false, shown || err != nil)
	_, shown, err = f.ShownPost(f.ctx(), future.PublicID, future.VisibleAt)
	f.same("at its time", true, shown && err == nil)
	f.same("the newest", ids[3], must[[]web.Post](f)(f.NewestPosts(f.ctx(), []string{"alertes", "none"}, f.now))[0].PublicID)
	f.same("the next", future.VisibleAt, must[time.Time](f)(f.NextPost(f.ctx(), []string{"alertes"}, f.now)))
}

func retraction(f *fixture) {
	const secret = "Diffamatoire"
	f.source("feed")
	a := item("a", secret)
	f.bring("feed", a, item("keep", "Reste"))
	st := must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Updates: []intake.Update{{ID: f.item("feed", "a").ID, Alias: "a-old"}}}, f.now))
	f.ok(f.WantImages(f.ctx(), []string{"https://news.example/i.jpg"}, f.now))
	wanted, err := f.WantedMedia(f.ctx(), f.now, 1)
	f.ok(err)
	f.ok(f.MediaStored(f.ctx(), wanted[0].ID, sdk.File{SHA256: "abc", Name: "abc.jpg"}, f.now))
	f.take("alertes", compose.StateWaiting, "")
	p := f.each("alertes", "feed", "a", compose.NewTarget{Destination: "hook"})
	f.ok(f.EditPost(f.ctx(), p.ID, 1, compose.Content{Title: secret + " 2", Note: secret, URL: a.URL, Media: []sdk.Media{{URL: "https://news.example/i.jpg"}}}, nil, "test", f.now))
	gone := f.item("feed", "a")
	b := f.claim("hook")[0]
	_, settle := f.begin(b, "k1")
	must[int64](f)(f.Settle(f.ctx(), settle, f.now))

	out := must[store.Retracted](f)(f.RetractPost(f.ctx(), p.ID, true, "ruling", "test", f.later(time.Minute)))
	f.same("retracted", store.Retracted{Posts: []string{p.PublicID}, Items: []store.ItemName{{ID: gone.ID, Source: "feed", Key: "a"}}, Files: []string{"abc.jpg"}}, out)
	f.same("the text is nowhere", 0, must[int](f)(f.CountText(f.ctx(), secret)))
	f.same("revisions stay, empty", 3, len(must[[]store.PostRevision](f)(f.Revisions(f.ctx(), p.ID))))
	found := must[intake.Found](f)(f.Found(f.ctx(), "feed", sdk.Batch{Items: []sdk.Item{a, {Key: "a-old"}, {Key: "new", URL: a.URL + "?utm_source=x"}, {Key: "keep"}}}))
	f.same("blocked keys", map[string]bool{"a": true, "a-old": true}, found.BlockedKeys)
	f.same("blocked links", map[string]bool{"https://news.example/a": true}, found.BlockedLinks)
	// The source can change nothing about it any more.
	st = must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	back := item("a", secret+" encore")
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st, Updates: []intake.Update{{ID: gone.ID, Item: &back, Revises: true, State: intake.Live}}}, f.now))
	f.same("blocked", "blocked", f.item("feed", "a").State)
	f.same("the text is nowhere", 0, must[int](f)(f.CountText(f.ctx(), secret)))
	f.ok(f.WantImages(f.ctx(), []string{"https://news.example/i.jpg"}, f.now))
	wanted, err = f.WantedMedia(f.ctx(), f.now.Add(time.Hour), 9)
	f.ok(err)
	f.same("its image is not fetched again", 0, len(wanted))
	f.ok(f.MediaStored(f.ctx(), 1, sdk.File{SHA256: "abc", Name: "abc.jpg"}, f.now)) // it was under way
	f.same("its image is not stored", 0, len(must[compose.Files](f)(f.Files(f.ctx(), []string{"https://news.example/i.jpg"}))))
	if c := must[[]store.Copy](f)(f.Copies(f.ctx(), p.ID))[0]; !c.Gone || c.Waiting != "pending" {
		f.Errorf("%+v", c)
	}
	f.same("what it has nothing to do with stays", "live", f.item("feed", "keep").State)
	// A second time changes nothing.
	copies, acts := must[[]store.Copy](f)(f.Copies(f.ctx(), p.ID)), must[store.Post](f)(f.PostByID(f.ctx(), p.PublicID))
	again := must[store.Retracted](f)(f.RetractPost(f.ctx(), p.ID, true, "another ruling", "test", f.later(time.Minute)))
	out.Files, out.Again = nil, true
	f.same("again", out, again)
	f.same("again, the copies", copies, must[[]store.Copy](f)(f.Copies(f.ctx(), p.ID)))
	f.same("again, the post", acts, must[store.Post](f)(f.PostByID(f.ctx(), p.PublicID)))
	f.same("again, by the item", out, must[store.Retracted](f)(f.RetractItem(f.ctx(), gone.ID, "ruling", "test", f.now)))
	// No editor leads there either.
	var blocked *store.BlockedError
	if _, err := f.CreatePost(f.ctx(), compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Content: compose.Content{Title: "x", URL: a.URL + "?utm_source=x"}}, nil, "test", f.now); !errors.As(err, &blocked) || blocked.Reason != "ruling" {
		f.Errorf("a post leads to it: %v", err)
	}
	own := f.own("own", "hook")
	if err := f.EditPost(f.ctx(), own.ID, 1, compose.Content{Title: "own", URL: a.URL}, nil, "test", f.now); !errors.As(err, &blocked) {
		f.Errorf("a post is made to lead to it: %v", err)
	}
	if err := f.BlockedLink(f.ctx(), a.URL); !errors.As(err, &blocked) || f.BlockedLink(f.ctx(), "https://news.example/other") != nil {
		f.Errorf("%v", err)
	}
	f.same("forgotten", true, must[bool](f)(f.Forget(f.ctx())))
	// A call that may have arrived keeps its text, which is seen to when it has ended.
	f.ok(f.EditPost(f.ctx(), own.ID, 1, compose.Content{Title: secret}, nil, "test", f.now))
	for _, b := range f.claim("hook") {
		for range b.Deliveries {
			w, settle := f.begin(b, "k2")
			b.Deliveries = b.Deliveries[1:]
			if w.PublicID == own.PublicID {
				must[store.Retracted](f)(f.RetractPost(f.ctx(), own.ID, true, "ruling", "test", f.now))
				f.same("while it is under way", false, must[bool](f)(f.Forget(f.ctx())))
				f.same("and still", false, must[bool](f)(f.Forget(f.ctx())))
			}
			must[int64](f)(f.Settle(f.ctx(), settle, f.now))
		}
	}
	f.same("forgotten once it ended", true, must[bool](f)(f.Forget(f.ctx())))
	f.same("and nothing is to be forgotten", true, must[bool](f)(f.Forget(f.ctx())))
}

// What an item that is retracted for good was in: a digest is revised and waits for nothing that it itself brought about.
func digestRetraction(f *fixture) {
	const secret = "Diffamatoire"
	f.source("feed")
	f.bring("feed", item("a", secret), item("keep", "Reste"))
	f.take("brief", compose.StateWaiting, "")
	a, keep := f.item("feed", "a"), f.item("feed", "keep")
	content := compose.Content{Title: "Brief: " + secret, Note: secret, Entries: []compose.Entry{{Item: a.ID, Title: secret}, {Item: keep.ID, Title: "Reste"}}}
	must[[]string](f)(f.CommitPosts(f.ctx(), compose.Commit{Channel: "brief", Posts: []compose.NewPost{{Channel: "brief", Key: "k", Kind: compose.KindDigest, Status: compose.PostLive,
		Content: content, Items: []compose.PostItem{{Item: a.ID, Revision: a.Revision}, {Item: keep.ID, Revision: keep.Revision}}, VisibleAt: f.now,
		Targets: []compose.NewTarget{{Destination: "hook"}}}}}, f.now))
	p := must[[]store.Post](f)(f.Posts(f.ctx(), "brief", false, 1))[0]
	b := f.claim("hook")[0]
	_, settle := f.begin(b, "k1")
	must[int64](f)(f.Settle(f.ctx(), settle, f.now))
	f.ok(f.Release(f.ctx(), b))
	// An edit waits for min_gap.
	f.ok(f.EditPost(f.ctx(), p.ID, 1, content, nil, "test", f.now))
	b = f.claim("hook")[0]
	w, err := f.Work(f.ctx(), b.Deliveries[0])
	f.ok(err)
	must[int64](f)(f.Settle(f.ctx(), outbox.Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: b.ID, Fence: b.Fence, Postpone: f.now.Add(time.Hour)}, f.now))
	f.ok(f.Release(f.ctx(), b))
	f.same("it waits", 0, len(f.claim("hook")))

	out := must[store.Retracted](f)(f.RetractItem(f.ctx(), a.ID, "ruling", "test", f.now))
	f.same("retracted", store.Retracted{Digests: []string{p.PublicID}, Items: []store.ItemName{{ID: a.ID, Source: "feed", Key: "a"}}}, out)
	f.same("the text is nowhere", 0, must[int](f)(f.CountText(f.ctx(), secret)))
	b = f.claim("hook")[0]
	w, err = f.Work(f.ctx(), b.Deliveries[0])
	f.ok(err)
	f.same("due at once, by the legal ladder", []any{true, false, 3}, []any{w.Purge, w.Gone, w.Want})
	p = must[store.Post](f)(f.PostByID(f.ctx(), p.PublicID))
	f.same("what is left", []any{compose.PostLive, "Brief: …", "", 1}, []any{p.Status, p.Content.Title, p.Content.Note, len(p.Content.Entries)})
	must[int64](f)(f.Settle(f.ctx(), outbox.Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: b.ID, Fence: b.Fence, Done: outbox.OutcomeUnchanged}, f.now))
	f.ok(f.Release(f.ctx(), b))
	// What comes later goes by the channel's ladder again.
	f.ok(f.EditPost(f.ctx(), p.ID, p.Revision, compose.Content{Title: "Later", Entries: p.Content.Entries}, nil, "test", f.now))
	b = f.claim("hook")[0]
	w, err = f.Work(f.ctx(), b.Deliveries[0])
	f.ok(err)
	f.same("later", false, w.Purge)
	// The digest by itself: its items stay.
	out = must[store.Retracted](f)(f.RetractPost(f.ctx(), p.ID, true, "ruling", "test", f.now))
	f.same("the digest", store.Retracted{Posts: []string{p.PublicID}}, out)
	f.same("its item stays", "live", f.item("feed", "keep").State)
}

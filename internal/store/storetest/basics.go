package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

func transactions(f *fixture) {
	f.source("feed")
	f.bring("feed", item("a", "A"))
	st := must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	st.Cursor, st.Error = sdk.Cursor("moved"), "moved"
	// The last row breaks the key of an earlier one: nothing of it all may stay.
	err := f.CommitIntake(f.ctx(), intake.Change{State: st, Inserts: []intake.Insert{insert(item("b", "B"), intake.Live, f.now), insert(item("a", "again"), intake.Live, f.now)},
		Holds: []intake.Hold{{Kind: intake.HoldFlood, Note: "n"}}, Alerts: []alert.Alert{{Code: alert.SourceHeld, Subject: "feed"}}}, f.now)
	if err == nil {
		f.Fatal("two items have one key")
	}
	after := must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	if len(after.Cursor) != 0 || after.Error != "" || after.Version != st.Version || after.Holds {
		f.Errorf("half of it stayed: %+v", after)
	}
	f.same("items", 0, len(must[[]store.ItemRow](f)(f.FindItem(f.ctx(), "feed", "b"))))
	f.same("alerts", 0, len(must[[]alert.Row](f)(f.Alerts(f.ctx()))))
	// A fault in a part is its own, and so is its panic.
	fault := errors.New("fault")
	if err := f.Write(f.ctx(), func(*store.Tx) error { return fault }); !errors.Is(err, fault) {
		f.Errorf("got %v", err)
	}
	if err := f.Write(f.ctx(), func(*store.Tx) error { panic("boom") }); err == nil || !strings.Contains(err.Error(), "boom") {
		f.Errorf("got %v", err)
	}
	f.own("the store goes on")
}

func manyWriters(f *fixture) {
	other := f.opened("one") // a command beside the daemon
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			db := []*store.DB{f.DB, other}[i%2]
			switch i % 3 {
			case 0:
				_ = db.Write(f.ctx(), func(*store.Tx) error { return errors.New("fault") })
			case 1:
				_ = db.Write(f.ctx(), func(*store.Tx) error { panic("boom") })
			default:
				if _, err := db.Pause(f.ctx(), store.PauseSource, fmt.Sprint("s", i), "test", f.now); err != nil {
					f.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f.same("what was written", 20, len(must[[]store.Pause](f)(f.Pauses(f.ctx()))))
}

func theEnd(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx())
	cancel()
	if err := f.Write(ctx, func(*store.Tx) error { return nil }); err != nil && !errors.Is(err, context.Canceled) {
		f.Errorf("got %v", err)
	}
	db := f.open(f.T, "two")
	var wg sync.WaitGroup
	done := make([]error, 40)
	for i := range done {
		wg.Go(func() {
			_, done[i] = db.Pause(f.ctx(), store.PauseSource, fmt.Sprint("s", i), "test", f.now)
		})
	}
	f.ok(db.Close())
	wg.Wait()
	f.ok(db.Close())
	if err := db.Write(f.ctx(), func(*store.Tx) error { return nil }); err == nil {
		f.Error("a closed store is written")
	}
	// Whoever was told that it is written finds it, and nobody else does.
	written := 0
	for _, err := range done {
		if err == nil {
			written++
		}
	}
	f.same("what was written before the end", written, len(must[[]store.Pause](f)(f.opened("two").Pauses(f.ctx()))))
	select {
	case <-f.Failed():
		f.Error("the store failed")
	default:
	}
	f.ok(f.Cause())
}

func texts(f *fixture) {
	long := strings.Repeat("é", 1<<19)
	for name, text := range map[string]string{"empty": "", "unicode": "Événement à l'île d'Yeu — «жёлтый» 中文 العربية 👩‍👩‍👧‍👦 \u202e \uFFFD \U0010FFFF", "long": long,
		"quotes": `"'\; DROP TABLE posts; --` + "\n\r\t\x01\x7f", "nul": "before\x00after", "markup": "<b>&amp;</b>\u2028\u2029"} {
		p := f.created(compose.NewPost{Channel: "texts", Kind: compose.KindEditor, Status: compose.PostLive, VisibleAt: f.now,
			Content: compose.Content{Title: text, Summary: text, Note: text, Tags: []string{text}}})
		if p.Content.Title != text || p.Content.Summary != text || p.Content.Tags[0] != text {
			f.Errorf("%s: a post came back as another", name)
		}
		if rev := must[[]store.PostRevision](f)(f.Revisions(f.ctx(), p.ID)); rev[0].Note != text {
			f.Errorf("%s: a note came back as another", name)
		}
		a := alert.Alert{Code: alert.PostFailed, Subject: name, Sentence: text, Mend: text}
		f.ok(f.Raise(f.ctx(), a, f.now))
		f.same("an alert", a, must[[]alert.Row](f)(f.Alerts(f.ctx()))[0].Alert)
		f.ok(f.ResolveAlerts(f.ctx(), []alert.Key{a.Key()}, f.now))
		st := f.source("feed " + name)
		st.Cursor, st.Error, st.Notices, st.About.Title = sdk.Cursor(text), text, []string{text}, text
		f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st}, f.now))
		st.Version++
		f.same("a source", st, must[intake.State](f)(f.SourceState(f.ctx(), st.Name)))
	}
	// What is no text is refused where it would be looked up by, and never cut.
	f.source("feed")
	bytes := "a\xff\xfe\x00z"
	st := must[intake.State](f)(f.SourceState(f.ctx(), "feed"))
	if err := f.CommitIntake(f.ctx(), intake.Change{State: st, Inserts: []intake.Insert{insert(item(bytes, "A"), intake.Live, f.now)}}, f.now); err == nil ||
		!strings.Contains(err.Error(), "is no text") {
		f.Errorf("a key that is no text: %v", err)
	}
	st.Cursor = sdk.Cursor(bytes)
	f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st}, f.now))
	f.same("a cursor", sdk.Cursor(bytes), must[intake.State](f)(f.SourceState(f.ctx(), "feed")).Cursor)
	p := f.own(bytes)
	if !strings.HasPrefix(p.Content.Title, "a") || !strings.HasSuffix(p.Content.Title, "\x00z") {
		f.Errorf("a title was cut: %q", p.Content.Title)
	}
	// Keys are compared byte by byte: neither case nor spelling of a letter makes them the same.
	f.bring("feed", item("é", "composed"), item("e\u0301", "decomposed"), item("É", "capital"), item(" é", "blank"))
	found := must[intake.Found](f)(f.Found(f.ctx(), "feed", sdk.Batch{Items: []sdk.Item{item("e\u0301", "")}, Removed: []sdk.Removal{{Key: "É"}}}))
	f.same("found", []string{"decomposed", "capital"}, []string{found.ByKey["e\u0301"].TitleKey, found.ByKey["É"].TitleKey})
}

func times(f *fixture) {
	paris := time.FixedZone("Paris", 3600)
	for name, at := range map[string]time.Time{"zone": time.Date(2026, 11, 20, 7, 12, 0, 123_456_789, paris), "old": time.Date(1921, 1, 1, 0, 0, 0, 1000, time.UTC),
		"far": time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "never": {}, "monotonic": time.Now()} {
		st := f.source(name)
		st.NextAt, st.OKAt = at, at
		f.ok(f.CommitIntake(f.ctx(), intake.Change{State: st}, f.now))
		got := must[intake.State](f)(f.SourceState(f.ctx(), name))
		want := at.Truncate(time.Microsecond).UTC()
		if !got.NextAt.Equal(want) || got.NextAt != got.OKAt || got.NextAt.Location() != time.UTC || got.NextAt.IsZero() != at.IsZero() {
			f.Errorf("%s: %s came back as %s", name, at, got.NextAt)
		}
	}
}

func names(f *fixture) {
	other := f.opened("one")
	secret := must[[]byte](f)(f.Secret(f.ctx(), "links"))
	f.same("the same secret", secret, must[[]byte](f)(other.Secret(f.ctx(), "links")))
	if second := must[[]byte](f)(other.Secret(f.ctx(), "others")); len(secret) != 32 || string(second) == string(secret) {
		f.Error("secrets are no secrets")
	}

	if _, err := f.Applied(f.ctx()); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("got %v", err)
	}
	tree := map[string]any{"site": map[string]any{"title": "La Gazette"}}
	f.same("first", 1, must[int](f)(f.Apply(f.ctx(), tree, f.now)))
	f.same("the same again", 1, must[int](f)(f.Apply(f.ctx(), tree, f.now.Add(time.Hour))))
	tree["timezone"] = "Europe/Paris"
	f.same("another", 2, must[int](f)(f.Apply(f.ctx(), tree, f.now)))
	f.same("applied", store.Configuration{Generation: 2, AppliedAt: f.now, Tree: tree}, must[store.Configuration](f)(f.Applied(f.ctx())))

	f.source("feed")
	f.bring("feed", item("a", "A"))
	f.take("alertes", compose.StateWaiting, "")
	f.each("alertes", "feed", "a", compose.NewTarget{Destination: "hook"})
	f.same("held", []store.Held{{Kind: "channel", Name: "alertes", Posts: 1}, {Kind: "source", Name: "feed", Items: 1}, {Kind: "destination", Name: "hook", Copies: 1}},
		must[[]store.Held](f)(f.Held(f.ctx())))
	for _, r := range [][3]string{{"channel", "alertes", "breaking"}, {"source", "feed", "articles"}, {"destination", "hook", "ops"}} {
		for range 2 { // a second time changes nothing
			f.ok(f.Rename(f.ctx(), r[0], r[1], r[2], f.now))
		}
	}
	f.same("renamed", []store.Held{{Kind: "channel", Name: "breaking", Posts: 1}, {Kind: "source", Name: "articles", Items: 1}, {Kind: "destination", Name: "ops", Copies: 1}},
		must[[]store.Held](f)(f.Held(f.ctx())))
	f.same("the item", "used", string(f.item("articles", "a").In[0].State))
	if err := f.Rename(f.ctx(), "planet", "a", "b", f.now); err == nil {
		f.Error("a planet was renamed")
	}
}

func pauses(f *fixture) {
	for _, want := range []bool{true, false} {
		f.same("paused", want, must[bool](f)(f.Pause(f.ctx(), store.PauseChannel, "alertes", "test", f.now)))
	}
	must[bool](f)(f.Pause(f.ctx(), store.PauseAll, "", "test", f.later(time.Second)))
	f.same("pauses", []store.Pause{{Scope: "channel", Name: "alertes", Since: f.now.Add(-time.Second)}, {Scope: "all", Since: f.now}}, must[[]store.Pause](f)(f.Pauses(f.ctx())))
	f.same("channels", 2, len(must[map[string]time.Time](f)(f.PausedChannels(f.ctx()))))
	for _, want := range []bool{true, false} {
		f.same("resumed", want, must[bool](f)(f.Resume(f.ctx(), store.PauseChannel, "alertes", "test", f.now)))
	}
	f.same("pauses", 1, len(must[[]store.Pause](f)(f.Pauses(f.ctx()))))
	if _, err := f.Pause(f.ctx(), "planet", "", "test", f.now); err == nil {
		f.Error("a planet was paused")
	}
}

func alerts(f *fixture) {
	a := alert.Alert{Code: alert.SourceStale, Subject: "feed", Sentence: "old", Mend: "look"}
	b := alert.Alert{Code: alert.SourceStale, Subject: "desk"}
	f.ok(f.Raise(f.ctx(), a, f.now))
	a.Sentence = "older"
	f.ok(f.Raise(f.ctx(), a, f.later(time.Hour)))
	f.ok(f.Raise(f.ctx(), b, f.now))
	list := must[[]alert.Row](f)(f.Alerts(f.ctx()))
	f.same("folded", []int{2, 1}, []int{list[0].Count, list[1].Count})
	f.same("the newest sentence", a, list[0].Alert)
	f.same("since", []time.Time{f.now.Add(-time.Hour), f.now}, []time.Time{list[0].First, list[0].Last})
	many := alert.Alert{Code: alert.PostExpired, Subject: "wire", Sentence: "post x", Many: "{n} posts, the last one post x"}
	for range 3 {
		f.ok(f.Raise(f.ctx(), many, f.now))
	}
	f.same("counted", "3 posts, the last one post x", must[[]alert.Row](f)(f.Alerts(f.ctx()))[2].Sentence)
	f.same("counts", map[alert.Code]int{alert.SourceStale: 2, alert.PostExpired: 1}, must[map[alert.Code]int](f)(f.AlertCounts(f.ctx())))
	f.same("one of them", true, must[bool](f)(f.Alerted(f.ctx(), many.Key())))
	f.ok(f.ResolveAlerts(f.ctx(), []alert.Key{many.Key()}, f.now))
	f.same("counts of what lasts", map[alert.Code]int{alert.SourceStale: 2}, must[map[alert.Code]int](f)(f.AlertCounts(f.ctx())))
	for what, k := range map[string]alert.Key{"what is over": many.Key(), "another subject": {Code: a.Code, Subject: "wire"}, "another code": {Code: alert.SourceGone, Subject: a.Subject}} {
		f.same(what, false, must[bool](f)(f.Alerted(f.ctx(), k)))
	}
	untold := func() (out []string) {
		for _, r := range must[[]alert.Row](f)(f.UntoldAlerts(f.ctx(), 30*time.Minute, alert.Settle, f.now)) {
			out = append(out, fmt.Sprint(r.Subject, " ", !r.Resolved.IsZero()))
		}
		return out
	}
	f.same("untold", []string{"feed false", "desk false"}, untold())
	f.ok(f.AlertTold(f.ctx(), list[0], f.now))
	f.same("told", []string{"desk false"}, untold())
	f.ok(f.Raise(f.ctx(), a, f.later(10*time.Minute)))
	f.same("not repeated so soon", []string{"desk false"}, untold())
	f.later(time.Hour)
	f.same("repeated", []string{"feed false", "desk false"}, untold())
	f.ok(f.ResolveAlerts(f.ctx(), []alert.Key{a.Key(), b.Key()}, f.now))
	f.same("over, also of what nobody was told of for long", []string{"feed true", "desk true"}, untold())
	for _, r := range must[[]alert.Row](f)(f.UntoldAlerts(f.ctx(), time.Hour, alert.Settle, f.now)) {
		f.ok(f.AlertTold(f.ctx(), r, f.now))
	}
	f.same("over", 0, len(untold()))
	f.ok(f.Raise(f.ctx(), b, f.now))
	f.ok(f.ResolveAlerts(f.ctx(), []alert.Key{b.Key()}, f.later(30*time.Second)))
	f.same("over before anybody was told of it", 0, len(untold()))
	f.ok(f.Raise(f.ctx(), a, f.now))
	f.same("a new one", 1, must[[]alert.Row](f)(f.Alerts(f.ctx()))[0].Count)
}

// flapping is trouble that comes and goes: one alert, whose end is told of once it has stayed away.
func flapping(f *fixture) {
	a := alert.Alert{Code: alert.SourceFailing, Subject: "feed", Sentence: "it fails", Mend: "look"}
	tell := func() (out []string) {
		for _, r := range must[[]alert.Row](f)(f.UntoldAlerts(f.ctx(), 30*time.Minute, 5*time.Minute, f.now)) {
			out = append(out, fmt.Sprint(r.Count, " ", !r.Resolved.IsZero()))
			f.ok(f.AlertTold(f.ctx(), r, f.now))
		}
		return out
	}
	begins := func() { f.ok(f.Raise(f.ctx(), a, f.now)) }
	ends := func() { f.ok(f.ResolveAlerts(f.ctx(), []alert.Key{a.Key()}, f.now)) }
	ids := map[int64]bool{}
	lasts := func(count int, since time.Duration) {
		r := must[[]alert.Row](f)(f.Alerts(f.ctx()))[0]
		ids[r.ID] = true
		f.same("counted on", []string{fmt.Sprint(count), since.String()}, []string{fmt.Sprint(r.Count), f.now.Sub(r.First).String()})
	}
	var none []string
	begins()
	f.same("it begins", []string{"1 false"}, tell())
	f.later(time.Minute)
	ends()
	f.same("an end is not believed at once", none, tell())
	f.later(4 * time.Minute)
	begins()
	lasts(2, 5*time.Minute)
	f.same("nobody was told that it was over", none, tell())
	f.later(time.Minute)
	ends()
	f.later(40 * time.Minute)
	f.same("what came back has to stay away for an hour", none, tell())
	begins()
	lasts(3, 46*time.Minute)
	f.same("it is repeated like everything that happens anew", []string{"3 false"}, tell())
	ends()
	f.later(59 * time.Minute)
	f.same("not yet", none, tell())
	f.later(time.Minute)
	f.same("over", []string{"3 true"}, tell())
	f.same("it was one alert", 1, len(ids))
	begins()
	lasts(1, 0)
	f.same("another one, after the hour", []string{"1 false"}, tell())
	f.same("two alerts", 2, len(ids))
	f.later(time.Minute)
	ends()
	f.later(5 * time.Minute)
	f.same("the first end is told of soon", []string{"1 true"}, tell())
	f.later(time.Minute)
	begins()
	f.same("who was told that it is over is told that it is not", []string{"2 false"}, tell())
	lasts(2, 7*time.Minute)
	f.same("still two", 2, len(ids))
}

// alertPlaces are the places that take no alerts.
func alertPlaces(f *fixture) {
	f.ok(f.UseDestinations(f.ctx(), []store.DestinationSetting{{Name: "ops"}, {Name: "desk"}}))
	places := func() []store.AlertPlace { return must[[]store.AlertPlace](f)(f.AlertPlaces(f.ctx())) }
	okAt := func(name string) time.Time {
		return must[map[string]store.DestinationRow](f)(f.DestinationRows(f.ctx()))[name].OKAt
	}
	f.same("none", 0, len(places()))
	f.ok(f.AlertRefused(f.ctx(), store.AlertPlace{Destination: "ops", Error: "nobody is there"}, f.now))
	f.ok(f.AlertRefused(f.ctx(), store.AlertPlace{Destination: "desk", Chat: "@ops", Code: "forbidden", Error: "go away"}, f.now))
	since := f.now
	f.ok(f.AlertRefused(f.ctx(), store.AlertPlace{Destination: "ops", Error: "still nobody"}, f.later(time.Minute)))
	f.same("kept", []store.AlertPlace{{Destination: "ops", Since: since, Tried: f.now, Failures: 2, Error: "still nobody"},
		{Destination: "desk", Chat: "@ops", Since: since, Tried: since, Failures: 1, Code: "forbidden", Error: "go away"}}, places())
	f.ok(f.AlertTaken(f.ctx(), "desk", "", f.now))
	f.same("another chat took one", 2, len(places()))
	f.ok(f.AlertTaken(f.ctx(), "ops", "", f.now))
	f.same("it took one", []string{"desk"}, []string{places()[0].Destination})
	f.same("the destination accepted a call", f.now, okAt("ops"))
	f.ok(f.KeepAlertPlaces(f.ctx(), func(destination, chat string) bool { return destination == "desk" && chat == "" }))
	f.same("nobody is told there any more", 0, len(places()))

	n := func() int {
		count, _, err := f.UnheardAlerts(f.ctx())
		f.ok(err)
		return count
	}
	f.same("nothing to tell", 0, n())
	a := alert.Alert{Code: alert.PostFailed, Subject: "ops"}
	f.ok(f.Raise(f.ctx(), a, f.now))
	f.same("not told yet", 1, n())
	f.ok(f.AlertTold(f.ctx(), must[[]alert.Row](f)(f.Alerts(f.ctx()))[0], f.now))
	f.same("told", 0, n())
}

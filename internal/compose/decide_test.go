package compose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

var base = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) // a Friday, 10:00 in Paris

func mins(n int) time.Duration { return time.Duration(n) * time.Minute }

func waiting(id int64, age time.Duration, change func(*Waiting)) Waiting {
	w := Waiting{Item: id, Revision: 1, Source: "s", SeenAt: base.Add(-age), ChangedAt: base.Add(-age), Content: sdk.Item{Key: fmt.Sprint(id), Title: fmt.Sprint("t", id)}}
	if change != nil {
		change(&w)
	}
	return w
}

func each(change func(*configs.Each)) configs.Channel {
	return channel(func(c *configs.Channel) { change(c.Each) })
}

// told writes a decision in short.
func told(d EachDecision) []string {
	var out []string
	for _, w := range d.Post {
		out = append(out, fmt.Sprintf("post %d", w.Item))
	}
	for _, o := range d.Out {
		what := "out"
		if o.Hold {
			what = "hold"
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", what, o.Item, o.Reason, o.Detail)))
	}
	for _, w := range d.Why {
		out = append(out, fmt.Sprintf("wait %d %s until %s", w.Item, w.For, w.Until.UTC().Format("02T15:04")))
	}
	return out
}

func TestDecideEach(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		channel configs.Channel
		waiting []Waiting
		recent  Recent
		want    []string
	}{
		{"at once", each(func(*configs.Each) {}), []Waiting{waiting(1, 0, nil)}, Recent{}, []string{"post 1"}},
		{"settle counts from the last revision", each(func(e *configs.Each) { e.Settle = sdk.D(mins(10)) }),
			[]Waiting{waiting(1, mins(60), func(w *Waiting) { w.ChangedAt = base.Add(-mins(3)) }), waiting(2, mins(11), nil)}, Recent{},
			[]string{"post 2", "wait 1 settle until 20T09:07"}},
		{"embargo", each(func(*configs.Each) {}), []Waiting{waiting(1, mins(5), func(w *Waiting) { w.NotBefore = base.Add(mins(90)) })}, Recent{},
			[]string{"wait 1 embargo until 20T10:30"}},
		{"too old", each(func(e *configs.Each) { e.MaxAge = sdk.D(time.Hour) }), []Waiting{waiting(1, mins(61), nil)}, Recent{}, []string{"out 1 max_age 1h"}},
		{"age counts from the end of the embargo", each(func(e *configs.Each) { e.MaxAge = sdk.D(time.Hour) }),
			[]Waiting{waiting(1, 48*time.Hour, func(w *Waiting) { w.NotBefore = base.Add(-mins(10)) })}, Recent{}, []string{"post 1"}},
		{"expired", each(func(*configs.Each) {}), []Waiting{waiting(1, 0, func(w *Waiting) { w.Content.ExpiresAt = base })}, Recent{}, []string{"out 1 expired 2026-11-20T09:00:00Z"}},
		{"oldest first", each(func(*configs.Each) {}), []Waiting{waiting(1, mins(1), nil), waiting(2, mins(5), nil)}, Recent{}, []string{"post 2", "post 1"}},
		{"newest first", each(func(e *configs.Each) { e.Pace.Prefer = "newest" }), []Waiting{waiting(1, mins(5), nil), waiting(2, mins(1), nil)}, Recent{}, []string{"post 2", "post 1"}},
		{"urgency first, unsaid is normal", each(func(e *configs.Each) { e.Pace.Prefer = "urgency" }),
			[]Waiting{waiting(1, mins(9), nil), waiting(2, mins(1), func(w *Waiting) { w.Content.Urgency = 6 }), waiting(3, mins(1), func(w *Waiting) { w.Content.Urgency = 4 })},
			Recent{}, []string{"post 3", "post 1", "post 2"}},
		{"a date in the source's future orders by arrival", each(func(*configs.Each) {}),
			[]Waiting{waiting(1, mins(2), func(w *Waiting) { w.Content.Published = base.Add(48 * time.Hour) }), waiting(2, mins(1), nil)}, Recent{}, []string{"post 1", "post 2"}},
		{"gap", each(func(e *configs.Each) { e.Pace.Gap = sdk.D(mins(10)) }), []Waiting{waiting(1, mins(2), nil), waiting(2, mins(1), nil)}, Recent{Last: base.Add(-mins(4))},
			[]string{"wait 1 pace: gap 10m until 20T09:06", "wait 2 pace: gap 10m until 20T09:06"}},
		{"one at a time under a gap", each(func(e *configs.Each) { e.Pace.Gap = sdk.D(mins(10)) }), []Waiting{waiting(1, mins(2), nil), waiting(2, mins(1), nil)}, Recent{},
			[]string{"post 1", "wait 2 pace: gap 10m until 20T09:10"}},
		{"per day ends at the midnight of the zone", each(func(e *configs.Each) { e.Pace.PerDay = 2 }), []Waiting{waiting(1, mins(2), nil), waiting(2, mins(1), nil)}, Recent{Today: 1},
			[]string{"post 1", "wait 2 pace: 2 a day until 20T23:00"}},
		{"hours", each(func(e *configs.Each) { e.Hours = "mon-fri 14:00-22:00" }), []Waiting{waiting(1, 0, nil)}, Recent{},
			[]string{"wait 1 hours mon-fri 14:00-22:00 until 20T13:00"}},
		{"urgent skips settle, pace and hours", each(func(e *configs.Each) {
			e.Settle, e.Pace.Gap, e.Pace.PerDay, e.Hours, e.Urgent = sdk.D(mins(10)), sdk.D(mins(10)), 1, "14:00-22:00", "item.urgency <= 2"
		}), []Waiting{waiting(1, mins(1), func(w *Waiting) { w.Content.Urgency = 1 }), waiting(2, mins(20), nil)}, Recent{Last: base, Today: 5},
			[]string{"post 1", "wait 2 pace: gap 10m until 20T09:10"}},
		{"urgent does not skip an embargo", each(func(e *configs.Each) { e.Urgent = "true" }), []Waiting{waiting(1, 0, func(w *Waiting) { w.NotBefore = base.Add(mins(1)) })}, Recent{},
			[]string{"wait 1 embargo until 20T09:01"}},
		{"images on their way", each(func(*configs.Each) {}), []Waiting{waiting(1, mins(1), func(w *Waiting) { w.ImagesPending, w.ImagesSince = true, base.Add(-time.Second) })}, Recent{},
			[]string{"wait 1 its images until 20T09:00"}},
		{"images that do not come", each(func(*configs.Each) {}), []Waiting{waiting(1, mins(1), func(w *Waiting) { w.ImagesPending, w.ImagesSince = true, base.Add(-time.Hour) })}, Recent{}, []string{"post 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := program(t, c.channel)
			d := p.Channels["c"].DecideEach(p.Zone, 20*time.Second, c.waiting, c.recent, base)
			if diff := cmp.Diff(c.want, told(d)); diff != "" {
				t.Error(diff)
			}
			for _, w := range d.Why {
				if d.Look.IsZero() || d.Look.After(w.Until) {
					t.Errorf("looks again at %s, but item %d waits until %s only", d.Look, w.Item, w.Until)
				}
			}
		})
	}
}

func TestDecideEachInABlackout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		b    configs.Blackout
		rel  bool
		want []string
	}{
		{"holds", configs.Blackout{Hours: "09:00-12:00", Then: "hold"}, false, []string{"hold 1 blackout b"}},
		{"drops", configs.Blackout{Hours: "09:00-12:00", Then: "drop"}, false, []string{"out 1 blackout b"}},
		{"is over", configs.Blackout{Hours: "08:00-10:00", Then: "hold"}, false, []string{"post 1"}},
		{"a day of election", configs.Blackout{From: "2026-11-20 00:00", Until: "2026-11-20 20:00", Then: "hold"}, false, []string{"hold 1 blackout b"}},
		{"for others", configs.Blackout{Hours: "09:00-12:00", Then: "hold", Where: `hasTag("sport")`}, false, []string{"post 1"}},
		{"for these", configs.Blackout{Hours: "09:00-12:00", Then: "hold", Where: `hasTag("politique")`}, false, []string{"hold 1 blackout b"}},
		{"of another channel", configs.Blackout{Hours: "09:00-12:00", Then: "hold", Channels: []string{"d"}}, false, []string{"post 1"}},
		{"released by a person", configs.Blackout{Hours: "09:00-12:00", Then: "hold"}, true, []string{"post 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := configs.Default()
			cfg.Timezone = "Europe/Paris"
			cfg.Sources = map[string]configs.Source{"s": {}}
			cfg.Channels = map[string]configs.Channel{"c": channel(nil), "d": channel(nil)}
			cfg.Blackouts = map[string]configs.Blackout{"b": c.b}
			p, problems := Compile(&cfg)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			w := waiting(1, mins(1), func(w *Waiting) { w.Content.Tags, w.Released = []string{"Politique"}, c.rel })
			if diff := cmp.Diff(c.want, told(p.Channels["c"].DecideEach(p.Zone, 0, []Waiting{w}, Recent{}, base))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecideDigest(t *testing.T) {
	t.Parallel()
	digest := func(change func(*configs.Digest)) configs.Channel {
		return channel(func(c *configs.Channel) {
			c.Each = nil
			d := &configs.Digest{}
			d.SetDefaults()
			d.Cron = "0 7 * * *"
			if change != nil {
				change(d)
			}
			c.Digest = d
		})
	}
	items := []Waiting{waiting(1, mins(30), nil), waiting(2, mins(10), func(w *Waiting) { w.Content.Urgency = 1 }), waiting(3, mins(20), nil),
		waiting(4, mins(5), func(w *Waiting) { w.NotBefore = base.Add(mins(5)) }), waiting(5, 10*24*time.Hour, nil)}
	for _, c := range []struct {
		name    string
		channel configs.Channel
		items   []Waiting
		want    string
	}{
		{"newest first, embargoed ones wait, old ones leave", digest(nil), items, "items 2 3 1, out 5 max_age"},
		{"oldest first", digest(func(d *configs.Digest) { d.Order = "oldest" }), items, "items 1 3 2, out 5 max_age"},
		{"most urgent first", digest(func(d *configs.Digest) { d.Order, d.MaxItems = "urgency", 1 }), items, "items 2, out 5 max_age"},
		{"the others wait", digest(func(d *configs.Digest) { d.MaxItems = 2 }), items, "items 2 3, out 5 max_age"},
		{"too few", digest(func(d *configs.Digest) { d.MinItems = 4 }), items, "empty: 3 of at least 4 items wait, out 5 max_age"},
		{"none", digest(nil), nil, "empty: no item waits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := program(t, c.channel).Channels["c"].DecideDigest(c.items, base)
			got := "items"
			for _, w := range d.Items {
				got += fmt.Sprint(" ", w.Item)
			}
			if d.Empty != "" {
				got = "empty: " + d.Empty
			}
			for _, o := range d.Out {
				got += fmt.Sprintf(", out %d %s", o.Item, o.Reason)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEvaluateItem(t *testing.T) {
	t.Parallel()
	created := map[string]time.Time{"c": base.Add(-time.Hour)}
	item := func(change func(*Changed)) Changed {
		it := Changed{ID: 7, Source: "s", Change: 1, Revision: 1, State: "live", SeenAt: base, Content: sdk.Item{Key: "k", Title: "T", Tags: []string{"Alerté"}, Media: []sdk.Media{{URL: "https://i.example/a.jpg"}, {URL: "https://i.example/f.mp4", Type: "video/mp4"}}}}
		if change != nil {
			change(&it)
		}
		return it
	}
	in := func(s MembershipState, r Reason) func(*Changed) {
		return func(it *Changed) { it.In = []Membership{{Channel: "c", Item: 7, State: s, Reason: r}} }
	}
	and := func(fs ...func(*Changed)) func(*Changed) {
		return func(it *Changed) {
			for _, f := range fs {
				f(it)
			}
		}
	}
	where := channel(func(c *configs.Channel) { c.Where = `hasTag("alerte")` })
	other := func(it *Changed) { it.Content.Tags = nil }
	for _, c := range []struct {
		name    string
		channel configs.Channel
		item    Changed
		want    string
	}{
		{"selected", where, item(nil), "waiting; images https://i.example/a.jpg"},
		{"not selected", where, item(other), `left_out where hasTag("alerte")`},
		{"selected by a later revision", where, item(in(StateLeftOut, ReasonWhere)), "waiting; images https://i.example/a.jpg"},
		{"no more selected", where, item(and(other, in(StateWaiting, ""))), `left_out where hasTag("alerte")`},
		{"goes on waiting", where, item(in(StateWaiting, "")), "; images https://i.example/a.jpg"},
		{"another source", channel(nil), item(func(it *Changed) { it.Source = "x" }), ""},
		{"first fetch", channel(nil), item(func(it *Changed) { it.Baseline = true }), "left_out baseline"},
		{"before the channel", channel(nil), item(func(it *Changed) { it.SeenAt = base.Add(-2 * time.Hour) }), "left_out before"},
		{"held by the flood brake", channel(nil), item(func(it *Changed) { it.State = "held" }), ""},
		{"withdrawn before anybody looked", channel(nil), item(func(it *Changed) { it.State = "removed" }), ""},
		{"withdrawn while it waited", channel(nil), item(and(in(StateWaiting, ""), func(it *Changed) { it.State = "removed" })), "left_out withdrawn"},
		{"came back", channel(nil), item(in(StateLeftOut, ReasonWithdrawn)), "waiting; images https://i.example/a.jpg"},
		{"retracted for good", channel(nil), item(and(in(StateWaiting, ""), func(it *Changed) { it.State = "blocked" })), "left_out retracted"},
		{"too old stays too old", channel(nil), item(in(StateLeftOut, ReasonMaxAge)), ""},
		{"dropped stays dropped", channel(nil), item(in(StateLeftOut, ReasonDropped)), ""},
		{"held by a blackout stays held", channel(nil), item(in(StateHeld, ReasonBlackout)), "; images https://i.example/a.jpg"},
		{"the same article from another source", channel(nil), item(func(it *Changed) { it.Duplicates = map[string]int64{"c": 3} }), "left_out duplicate item 3"},
		{"used and revised", channel(nil), item(func(it *Changed) {
			it.Revision, it.In = 2, []Membership{{Channel: "c", State: StateUsed, Post: 9, PostRevision: 1}}
		}), "; recompose 9; images https://i.example/a.jpg"},
		{"used and only its tags changed", channel(nil), item(func(it *Changed) { it.In = []Membership{{Channel: "c", State: StateUsed, Post: 9, PostRevision: 1}} }),
			"; images https://i.example/a.jpg"},
		{"used and withdrawn", channel(nil), item(func(it *Changed) {
			it.State, it.In = "removed", []Membership{{Channel: "c", State: StateUsed, Post: 9, PostRevision: 1}}
		}), "; recompose 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := program(t, c.channel).EvaluateItem(c.item, created)
			got := ""
			for _, m := range e.Set {
				got += strings.TrimSpace(fmt.Sprintf("%s %s %s", m.State, m.Reason, m.Detail))
			}
			for _, p := range e.Recompose {
				got += fmt.Sprintf("; recompose %d", p)
			}
			if len(e.Images) > 0 {
				got += "; images " + strings.Join(e.Images, " ")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecompose(t *testing.T) {
	t.Parallel()
	live := func(id int64, title string) StaleItem {
		return StaleItem{ID: id, State: "live", Content: sdk.Item{Key: "k", Title: title}}
	}
	gone := func(id int64) StaleItem {
		return StaleItem{ID: id, State: "removed", Reason: "tombstone", Content: sdk.Item{Title: "x"}}
	}
	note := live(1, "New")
	note.Content.Correction = "The name was wrong."
	digest := digestContent("fr", "Digest", []Entry{{Item: 1, Title: "a"}, {Item: 2, Title: "b"}})
	for _, c := range []struct {
		name  string
		stale Stale
		want  string
	}{
		{"nothing changed", Stale{Kind: KindEach, Status: PostLive, Current: Content{Lang: "en", Title: "a"}, Items: []StaleItem{live(1, "a")}}, "nothing"},
		{"revised", Stale{Kind: KindEach, Status: PostLive, Current: Content{Lang: "en", Title: "a"}, Items: []StaleItem{live(1, "b")}}, "live b"},
		{"revised with a note", Stale{Kind: KindEach, Status: PostLive, Current: Content{Lang: "en", Title: "a"}, Items: []StaleItem{note}}, "live New (The name was wrong.)"},
		{"withdrawn", Stale{Kind: KindEach, Status: PostLive, Current: Content{Lang: "en", Title: "a", Summary: "s"}, Items: []StaleItem{gone(1)}}, "withdrawn a [tombstone]"},
		{"came back", Stale{Kind: KindEach, Status: PostWithdrawn, Current: Content{Lang: "en", Title: "a", Withdrawn: true}, Items: []StaleItem{live(1, "a")}}, "live a"},
		{"retracted by an editor stays so", Stale{Kind: KindEach, Status: PostRetracted, Items: []StaleItem{live(1, "b")}}, "nothing"},
		{"an editor's post is the editor's", Stale{Kind: KindEditor, Status: PostLive}, "nothing"},
		{"an entry is revised", Stale{Kind: KindDigest, Status: PostLive, Current: digest, Items: []StaleItem{live(1, "a"), live(2, "B")}}, "live Digest: a, B"},
		{"an entry is withdrawn", Stale{Kind: KindDigest, Status: PostLive, Current: digest, Items: []StaleItem{gone(1), live(2, "b")}}, "live Digest: b"},
		{"all entries are withdrawn", Stale{Kind: KindDigest, Status: PostLive, Current: digest, Items: []StaleItem{gone(1), gone(2)}}, "withdrawn Digest [tombstone; tombstone]"},
		{"held stays held", Stale{Kind: KindEach, Status: PostHeld, Current: Content{Lang: "en", Title: "a"}, Items: []StaleItem{live(1, "b")}}, "held b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.stale.Channel = "c"
			r := program(t, channel(nil)).Recompose(c.stale, base)
			got := "nothing"
			if r.Content != nil {
				got = fmt.Sprintf("%s %s", r.Status, r.Content.Title)
				var titles []string
				for _, e := range r.Content.Entries {
					titles = append(titles, e.Title)
				}
				if titles != nil {
					got += ": " + strings.Join(titles, ", ")
				}
				if r.Content.Note != "" {
					got += " (" + r.Content.Note + ")"
				}
				if r.Content.Withdrawn {
					got += " [" + r.Content.Reason + "]"
					if r.Content.Summary != "" || len(r.Content.Body) > 0 {
						t.Error("a withdrawn post keeps its text")
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

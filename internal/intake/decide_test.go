package intake

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func rules(change func(*Rules)) Rules {
	r := Rules{Name: "s", Poll: 5 * time.Minute, MaxNew: 10, HoldFuture: true, Watch: 7 * 24 * time.Hour, Checkable: true}
	if change != nil {
		change(&r)
	}
	return r
}

// primed is the state of a source that was read five minutes ago.
func primed(change func(*State)) State {
	st := State{Name: "s", Version: 3, Primed: true, OKAt: now.Add(-5 * time.Minute), NewAt: now.Add(-time.Hour)}
	if change != nil {
		change(&st)
	}
	return st
}

func item(key string, change func(*sdk.Item)) sdk.Item {
	it := sdk.Item{Key: key, Title: "Title " + key, Summary: "Summary", URL: "https://news.example/" + key, Published: now.Add(-time.Hour)}
	if change != nil {
		change(&it)
	}
	return it
}

// stored is an item as the store has it after the same item was taken.
func stored(id int64, it sdk.Item, change func(*Known)) Known {
	it, _, _ = cleanItem(it)
	k := Known{ID: id, Key: it.Key, Revision: 1, State: Live, Substance: substance(it, Canonical(it.URL)), Facts: facts(it), Link: Canonical(it.URL), TitleKey: titleKey(it.Title),
		SeenAt: now.Add(-time.Hour), Published: it.Published, Listed: true, ListedAt: now.Add(-time.Minute)}
	if change != nil {
		change(&k)
	}
	return k
}

func found(known ...Known) Found {
	f := Found{ByKey: map[string]Known{}, BlockedKeys: map[string]bool{}, BlockedLinks: map[string]bool{}}
	for _, k := range known {
		f.ByKey[k.Key] = k
		if k.Listed {
			f.Listed = append(f.Listed, k)
		}
	}
	return f
}

// told writes a change in short.
func told(ch Change) []string {
	var out []string
	for _, in := range ch.Inserts {
		s := fmt.Sprintf("new %s %s", in.Item.Key, in.State)
		if in.Baseline {
			s += " baseline"
		}
		if !in.NotBefore.IsZero() {
			s += " not before " + in.NotBefore.Format("15:04")
		}
		out = append(out, s)
	}
	for _, u := range ch.Updates {
		s := fmt.Sprintf("item %d", u.ID)
		switch {
		case u.Revises:
			s += " revised"
		case u.Item != nil:
			s += " touched"
		}
		if u.State == Removed {
			s += " removed: " + u.Reason
		}
		if u.Alias != "" {
			s += " also " + u.Alias
		}
		if !u.ListedAt.IsZero() {
			s += fmt.Sprintf(" listed %v", u.Listed)
		}
		if u.SetCheck && !u.CheckAt.IsZero() {
			s += fmt.Sprintf(" check in %s", u.CheckAt.Sub(now))
		}
		if s == fmt.Sprintf("item %d", u.ID) && u.SetCheck {
			s += " no check"
		}
		out = append(out, s)
	}
	for _, h := range ch.Holds {
		out = append(out, fmt.Sprintf("hold %s %d", h.Kind, len(h.Removals)))
	}
	for _, a := range ch.Alerts {
		out = append(out, "alert "+string(a.Code))
	}
	return out
}

func TestDecide(t *testing.T) {
	t.Parallel()
	a, b, c := item("a", nil), item("b", nil), item("c", nil)
	aged := func(key string, hours int) sdk.Item {
		return item(key, func(it *sdk.Item) { it.Published = now.Add(-time.Duration(hours) * time.Hour) })
	}
	undated := func(key string) sdk.Item { return item(key, func(it *sdk.Item) { it.Published = time.Time{} }) }
	blocked := func(key string, known ...Known) Found {
		f := found(known...)
		f.BlockedKeys[key] = true
		return f
	}
	many := func(prefix string, n int) (out []sdk.Item) {
		for i := range n {
			out = append(out, item(fmt.Sprint(prefix, i), nil))
		}
		return out
	}
	known := func(items []sdk.Item) (out []Known) {
		for i, it := range items {
			out = append(out, stored(int64(i+1), it, nil))
		}
		return out
	}
	held := func(n int) (out []string) {
		for i := n - 1; i >= 0; i-- {
			out = append(out, fmt.Sprintf("new n%d held", i))
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		rules Rules
		state State
		batch sdk.Batch
		found Found
		want  []string
	}{
		{"first fetch posts nothing", rules(nil), State{Name: "s"}, sdk.Batch{Items: []sdk.Item{a, b}}, found(), []string{"new b live baseline", "new a live baseline"}},
		{"first fetch with the newest", rules(func(r *Rules) { r.Baseline = 1 }), State{Name: "s"},
			sdk.Batch{Items: []sdk.Item{item("old", func(it *sdk.Item) { it.Published = now.Add(-48 * time.Hour) }), b}}, found(), []string{"new b live", "new old live baseline"}},
		{"first fetch without dates goes by the order of the document", rules(func(r *Rules) { r.Baseline = 1 }), State{Name: "s"},
			sdk.Batch{Items: []sdk.Item{item("x", func(it *sdk.Item) { it.Published = time.Time{} }), item("y", func(it *sdk.Item) { it.Published = time.Time{} })}}, found(),
			[]string{"new y live baseline", "new x live"}},
		{"first fetch with all", rules(func(r *Rules) { r.BaselineAll = true }), State{Name: "s"}, sdk.Batch{Items: []sdk.Item{a}}, found(), []string{"new a live"}},
		{"after a month a person looks first", rules(nil), primed(func(s *State) { s.OKAt = now.Add(-31 * 24 * time.Hour) }), sdk.Batch{Items: []sdk.Item{a}}, found(),
			[]string{"new a held", "hold flood 0", "alert source_held"}},
		{"unless everything is wanted", rules(func(r *Rules) { r.BaselineAll = true }), primed(func(s *State) { s.OKAt = now.Add(-31 * 24 * time.Hour) }), sdk.Batch{Items: []sdk.Item{a}}, found(), []string{"new a live"}},
		{"a clock that was set back ten years", rules(nil), primed(func(s *State) { s.OKAt = now.AddDate(10, 0, 0) }), sdk.Batch{Items: []sdk.Item{a}}, found(), []string{"new a live"}},
		{"new ones in the order they were written", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{c, b}}, found(stored(1, a, nil)),
			[]string{"new b live", "new c live", "item 1 listed false check in 1h0m0s"}},
		{"nothing changed costs nothing", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a}}, found(stored(1, a, nil)), nil},
		{"still listed, noted once a day", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a}}, found(stored(1, a, func(k *Known) { k.ListedAt = now.Add(-25 * time.Hour) })), []string{"item 1 listed true"}},
		{"a revision", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("a", func(it *sdk.Item) { it.Title = "Other" })}}, found(stored(1, a, nil)), []string{"item 1 revised"}},
		{"a correction note is a revision", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("a", func(it *sdk.Item) { it.Correction = "Name." })}}, found(stored(1, a, nil)), []string{"item 1 revised"}},
		{"other tags are none", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("a", func(it *sdk.Item) { it.Tags = []string{"x"} })}}, found(stored(1, a, nil)), []string{"item 1 touched"}},
		{"white space, dates and cache parameters are nothing", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("a", func(it *sdk.Item) {
			it.Title, it.Updated = " Title \n a ", now
		})}}, found(stored(1, a, nil)), nil},
		{"a key that stands twice", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a, a}}, found(), []string{"new a live"}},
		{"a key that is empty", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("", nil)}}, found(), nil},
		{"a future date is an embargo", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("a", func(it *sdk.Item) { it.Published = now.Add(time.Hour) })}}, found(), []string{"new a live not before 10:00"}},
		{"a future date can be ignored", rules(func(r *Rules) { r.HoldFuture = false }), primed(nil), sdk.Batch{Items: []sdk.Item{item("a", func(it *sdk.Item) { it.Published = now.Add(time.Hour) })}}, found(), []string{"new a live"}},
		{"a date two minutes ahead is an embargo", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("a", func(it *sdk.Item) { it.Published = now.Add(2 * time.Minute) })}}, found(), []string{"new a live not before 09:02"}},
		{"a clock that goes wrong by a minute is none", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("a", func(it *sdk.Item) { it.Published = now.Add(time.Minute) })}}, found(), []string{"new a live"}},
		{"the same article under another key", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("z", func(it *sdk.Item) { it.Title, it.URL = "Title a", "http://NEWS.example/a/?utm_source=x#top" })}},
			found(stored(1, a, nil)), []string{"item 1 touched also z"}},
		{"the same title under another key", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("z", func(it *sdk.Item) { it.Title = "TITLE: a!" })}}, found(stored(1, a, nil)), []string{"item 1 revised also z"}},
		{"two articles of one title", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a, item("z", func(it *sdk.Item) { it.Title = "Title a" })}}, found(stored(1, a, nil)), []string{"new z live"}},
		{"an old article of the same title", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("z", func(it *sdk.Item) { it.Title = "Title a" })}},
			found(stored(1, a, func(k *Known) { k.SeenAt = now.Add(-72 * time.Hour) })), []string{"new z live", "item 1 listed false check in 1h0m0s"}},
		{"a blocked key", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a}}, Found{BlockedKeys: map[string]bool{"a": true}}, nil},
		{"a blocked link under another key", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("z", func(it *sdk.Item) { it.URL = "https://news.example/a?utm_medium=x" })}},
			Found{BlockedLinks: map[string]bool{"https://news.example/a": true}}, nil},
		{"a flood is held", rules(nil), primed(nil), sdk.Batch{Items: many("n", 11)}, found(), append(held(11), "hold flood 0", "alert source_held")},
		{"as many as allowed are none", rules(nil), primed(nil), sdk.Batch{Items: many("n", 10)}, found(), strings.Split(strings.ReplaceAll(strings.Join(held(10), "|"), "held", "live"), "|")},
		{"after three hours away more are allowed", rules(nil), primed(func(s *State) { s.OKAt = now.Add(-3 * time.Hour) }), sdk.Batch{Items: many("n", 40)}, found(),
			strings.Split(strings.ReplaceAll(strings.Join(held(40), "|"), "held", "live"), "|")},
		{"most keys changed", rules(nil), primed(nil), sdk.Batch{Items: many("n", 6)}, found(known(many("o", 6))...),
			append(held(6), "item 1 listed false check in 1h0m0s", "item 2 listed false check in 1h0m0s", "item 3 listed false check in 1h0m0s", "item 4 listed false check in 1h0m0s",
				"item 5 listed false check in 1h0m0s", "item 6 listed false check in 1h0m0s", "hold rekeyed 0", "alert source_held")},
		{"a tombstone", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{b}, Removed: []sdk.Removal{{Key: "a", Reason: "tombstone"}}}, found(stored(1, a, nil), stored(2, b, nil)),
			[]string{"item 1 removed: tombstone listed false"}},
		{"a tombstone for what is still listed", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a}, Removed: []sdk.Removal{{Key: "a"}}}, found(stored(1, a, nil)), nil},
		{"it slid off the end", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{c, b}}, found(stored(1, aged("a", 9), nil), stored(2, b, nil)),
			[]string{"new c live", "item 1 listed false check in 1h0m0s"}},
		{"the oldest left and nothing came", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{b}}, found(stored(1, aged("a", 9), nil), stored(2, b, nil)),
			[]string{"item 1 listed false check in 0s"}},
		{"two left and one came", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{c, b}}, found(stored(1, aged("a", 9), nil), stored(2, aged("o", 8), nil), stored(3, b, nil)),
			[]string{"new c live", "item 1 listed false check in 0s", "item 2 listed false check in 0s"}},
		{"a document of one item gets another", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{c}}, found(stored(1, aged("a", 9), nil)),
			[]string{"new c live", "item 1 listed false check in 1h0m0s"}},
		{"the only item left", rules(nil), primed(nil), sdk.Batch{}, found(stored(1, a, nil)), []string{"item 1 check in 0s"}},
		{"the only item left, and is looked at already", rules(nil), primed(nil), sdk.Batch{}, found(stored(1, a, func(k *Known) { k.Checking = true })), nil},
		{"nothing changed, and nothing is looked at", rules(nil), primed(nil), sdk.Batch{Unchanged: true}, found(stored(1, a, nil)), nil},
		{"the only item is back", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a}}, found(stored(1, a, func(k *Known) { k.Checking = true })), []string{"item 1 no check"}},
		{"it vanished above an item that is blocked", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{c, b, aged("x", 20)}}, blocked("x", stored(1, aged("a", 9), nil), stored(2, b, nil)),
			[]string{"new c live", "item 1 listed false check in 0s"}},
		{"a blocked item is none that came", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("x", nil), b}}, blocked("x", stored(1, aged("a", 9), nil), stored(2, b, nil)),
			[]string{"item 1 listed false check in 0s"}},
		{"it vanished from the midst of items without dates", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{c, undated("b"), undated("o")}},
			found(stored(1, undated("o"), nil), stored(2, undated("a"), nil), stored(3, undated("b"), nil)), []string{"new c live", "item 2 listed false check in 0s"}},
		{"it slid off the end of items without dates", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{c, undated("b")}},
			found(stored(1, undated("a"), nil), stored(2, undated("b"), nil)), []string{"new c live", "item 1 listed false check in 1h0m0s"}},
		{"it vanished from the midst", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{item("o", func(it *sdk.Item) { it.Published = now.Add(-9 * time.Hour) })}},
			found(stored(1, a, nil), stored(2, item("o", func(it *sdk.Item) { it.Published = now.Add(-9 * time.Hour) }), nil)), []string{"item 1 listed false check in 0s"}},
		{"an item that was never used is not watched", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{b}}, found(stored(1, a, func(k *Known) { k.Baseline = true }), stored(2, b, nil)), []string{"item 1 listed false"}},
		{"it is listed again", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a}}, found(stored(1, a, func(k *Known) { k.Listed = false })), []string{"item 1 listed true"}},
		{"it came back after its withdrawal", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{a}}, found(stored(1, a, func(k *Known) { k.State, k.Listed = Removed, false })), []string{"item 1 revised listed true"}},
		{"a complete answer without it", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{b}, Complete: true}, found(stored(1, a, nil), stored(2, b, nil)), []string{"item 1 removed: absent from a complete answer listed false"}},
		{"a complete answer after a lost place proves nothing", rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{b}, Complete: true, Reset: true}, found(stored(1, a, nil), stored(2, b, nil)),
			[]string{"item 1 listed false check in 0s"}},
		{"a complete answer that loses too much is held", rules(nil), primed(nil), sdk.Batch{Items: many("o", 1), Complete: true}, found(known(many("o", 4))...),
			[]string{"item 2 listed false check in 0s", "item 3 listed false check in 0s", "item 4 listed false check in 0s", "hold removal 3", "alert source_held"}},
		{"nothing new for long", rules(func(r *Rules) { r.StaleAfter = 30 * time.Minute }), primed(nil), sdk.Batch{Unchanged: true}, Found{}, []string{"alert source_stale"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ch := Decide(tt.rules, tt.state, tt.batch, tt.found, now)
			got := told(ch)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if ch.State.Version != tt.state.Version || !ch.State.OKAt.Equal(now) || ch.State.Failures != 0 || !ch.State.Primed {
				t.Errorf("state %+v", ch.State)
			}
		})
	}
}

func TestDecideGroupsAreWhole(t *testing.T) {
	t.Parallel()
	in := func(key, group string) sdk.Item { return item(key, func(it *sdk.Item) { it.Group = group }) }
	f := found(stored(1, in("a", "g"), func(k *Known) { k.Group = "g" }), stored(2, in("b", "g"), func(k *Known) { k.Group = "g" }), stored(3, in("c", "h"), func(k *Known) { k.Group = "h" }))
	got := told(Decide(rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{in("a", "g")}, Whole: []string{"g"}}, f, now))
	if want := []string{"item 2 removed: absent from its group"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: only what is absent from a whole group is withdrawn, and a batch of groups is no document", got, want)
	}
}

func TestNextFetch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		batch sdk.Batch
		want  time.Duration
	}{
		{"poll is the floor", sdk.Batch{Wait: time.Minute}, 5 * time.Minute},
		{"the server asks for more", sdk.Batch{Wait: time.Hour}, time.Hour},
		{"there is more at once", sdk.Batch{More: true, Next: sdk.Cursor("2"), Wait: time.Hour}, 0},
		{"more without getting on is none", sdk.Batch{More: true, Next: sdk.Cursor("1")}, 5 * time.Minute},
		{"a wrong hint silences no source", sdk.Batch{Wait: 365 * 24 * time.Hour}, 7 * 24 * time.Hour},
	} {
		if got := Decide(rules(nil), primed(func(s *State) { s.Cursor = sdk.Cursor("1") }), c.batch, Found{}, now).State.NextAt.Sub(now); got != c.want {
			t.Errorf("%s: fetches again after %s, want %s", c.name, got, c.want)
		}
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	r := rules(nil)
	for _, c := range []struct {
		name   string
		state  State
		err    *sdk.Error
		jitter float64
		want   string
	}{
		{"once is no alert", primed(nil), &sdk.Error{Code: sdk.CodeUnavailable}, 0, "5m0s []"},
		{"thrice is one", primed(func(s *State) { s.Failures = 2 }), &sdk.Error{Code: sdk.CodeUnavailable}, 0, "20m0s [alert source_failing]"},
		{"a source that never worked", State{Name: "s"}, &sdk.Error{Code: sdk.CodeInvalid}, 0, "5m0s [alert source_failing]"},
		{"jitter only makes it later", primed(nil), &sdk.Error{Code: sdk.CodeUnavailable}, 0.999, "5m29.97s []"},
		{"never before it was asked to", primed(nil), &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: 36 * time.Hour}, 0, "36h0m0s []"},
		{"at most a day by itself", primed(func(s *State) { s.Failures = 40 }), &sdk.Error{Code: sdk.CodeUnavailable}, 0, "24h0m0s [alert source_failing]"},
		{"forbidden is given an hour", primed(nil), &sdk.Error{Code: sdk.CodeForbidden}, 0, "1h0m0s []"},
		{"gone", primed(nil), &sdk.Error{Code: sdk.CodeGone}, 0, "5m0s [alert source_gone]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ch := Fail(r, c.state, c.err, now, c.jitter)
			if got := fmt.Sprint(ch.State.NextAt.Sub(now), " ", told(ch)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if ch.State.Gone != (c.err.Code == sdk.CodeGone) {
				t.Errorf("gone is %v", ch.State.Gone)
			}
			if ch.State.OKAt != c.state.OKAt || ch.State.Primed != c.state.Primed {
				t.Error("a failure must not count as a fetch")
			}
		})
	}
}

// A sentence about another day says which.
func TestWhenItIsTriedAgain(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{time.Hour: "; it is tried again at 10:00 UTC", 24 * time.Hour: "; it is tried again at 2026-11-21 09:00 UTC"} {
		ch := Fail(rules(nil), State{Name: "s"}, &sdk.Error{Code: sdk.CodeInvalid, Public: "x", RetryAfter: after}, now, 0)
		if len(ch.Alerts) != 1 || !strings.HasSuffix(ch.Alerts[0].Sentence, want) {
			t.Errorf("%+v", ch.Alerts)
		}
	}
}

func TestDecideChecks(t *testing.T) {
	t.Parallel()
	check := func(id int64, gone time.Duration) Check {
		c := Check{ID: id, Key: fmt.Sprint(id), SeenAt: now.Add(-24 * time.Hour)}
		if gone > 0 {
			c.GoneAt = now.Add(-gone)
		}
		return c
	}
	gone, there, unknown := sdk.Presence{State: sdk.PresenceGone, Reason: "404 Not Found"}, sdk.Presence{State: sdk.PresenceThere}, sdk.Presence{State: "whatever"}
	all := func(n int, p sdk.Presence, since time.Duration) (cs []Check, ps []sdk.Presence) {
		for i := range n {
			cs, ps = append(cs, check(int64(i+1), since)), append(ps, p)
		}
		return cs, ps
	}
	four, fourGone := all(4, gone, time.Hour)
	for _, c := range []struct {
		name    string
		checks  []Check
		seen    []sdk.Presence
		watched int
		want    []string
	}{
		{"the first look proves nothing", []Check{check(1, 0)}, []sdk.Presence{gone}, 50, []string{"item 1 check in 10m0s"}},
		{"nine minutes later neither", []Check{check(1, 9*time.Minute)}, []sdk.Presence{gone}, 50, []string{"item 1 check in 1m0s"}},
		{"ten minutes later it is withdrawn", []Check{check(1, 10*time.Minute)}, []sdk.Presence{gone}, 50, []string{"item 1 removed: its address answers 404 Not Found"}},
		{"it is there again", []Check{check(1, 10*time.Minute)}, []sdk.Presence{there}, 50, []string{"item 1 check in 6h0m0s"}},
		{"no evidence", []Check{check(1, 0)}, []sdk.Presence{unknown}, 50, []string{"item 1 check in 1h0m0s"}},
		{"four of fifty", four, fourGone, 50, []string{"item 1 removed: its address answers 404 Not Found", "item 2 removed: its address answers 404 Not Found",
			"item 3 removed: its address answers 404 Not Found", "item 4 removed: its address answers 404 Not Found"}},
		{"four of ten are a fault of the site", four, fourGone, 10, []string{"item 1 no check", "item 2 no check", "item 3 no check", "item 4 no check", "hold removal 4", "alert source_held"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, told(DecideChecks(rules(nil), primed(nil), c.checks, c.seen, c.watched, now))); diff != "" {
				t.Error(diff)
			}
		})
	}
	old := Check{ID: 1, SeenAt: now.Add(-7 * 24 * time.Hour)}
	if ch := DecideChecks(rules(nil), primed(nil), []Check{old}, []sdk.Presence{there}, 1, now); !ch.Updates[0].CheckAt.IsZero() {
		t.Errorf("an item older than watch is looked at again at %s", ch.Updates[0].CheckAt)
	}
}

func TestCleanItem(t *testing.T) {
	t.Parallel()
	it, notes, ok := cleanItem(sdk.Item{Key: "k", Title: " a\u202eb\x00\n c ", Summary: "x\n\ny", URL: "javascript:alert(1)", Lang: "français", Tags: []string{" A ", "a", ""},
		Body:  sdk.Body{{Kind: "paragraph", Children: []sdk.Node{{Kind: "paragraph"}}}},
		Media: []sdk.Media{{URL: "data:image/png;base64,x"}, {URL: "https://i.example/x", Alt: "\x1bAlt", File: sdk.File{SHA256: "x"}}}, Urgency: 42})
	if !ok || len(notes) != 2 {
		t.Fatalf("ok %v, notes %q", ok, notes)
	}
	want := sdk.Item{Key: "k", Title: "ab c", Summary: "x\ny", Tags: []string{"A"}, Media: []sdk.Media{{URL: "https://i.example/x", Alt: "Alt"}}}
	if diff := cmp.Diff(want, it); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []sdk.Item{{Title: "no key"}, {Key: strings.Repeat("k", sdk.MaxKey+1), Title: "x"}, {Key: "k"}, {Key: "k", Title: "\u202e\x00"}} {
		if _, _, ok := cleanItem(bad); ok {
			t.Errorf("%+v was taken", bad)
		}
	}
	long, _, _ := cleanItem(sdk.Item{Key: "k", Title: strings.Repeat("é", sdk.MaxTitle)})
	if len(long.Title) > sdk.MaxTitle || !strings.HasSuffix(long.Title, "é") {
		t.Errorf("a title was cut to %d bytes, in the midst of a character", len(long.Title))
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	want := "https://news.example/a?id=1"
	for _, u := range []string{"http://NEWS.example/a?id=1", "https://news.example/a/?utm_source=x&id=1#top", "https://news.example/a?fbclid=1&id=1&mc_cid=2"} {
		if got := Canonical(u); got != want {
			t.Errorf("%s: %s", u, got)
		}
	}
	if Canonical("mailto:x@y.example") != "" || Canonical("::") != "" {
		t.Error("what is no address of an article has no canonical spelling")
	}
}

// Somebody is told of a source when it lasts, and at once of what will not mend itself; nobody is told to ask a server
// again that asked to be left alone.
func TestWhenAFailureIsTold(t *testing.T) {
	t.Parallel()
	r := Rules{Name: "s", Poll: 5 * time.Minute}
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	limited := &sdk.Error{Code: sdk.CodeRateLimited, Op: "fetch", Public: "news.example asked to be left alone", RetryAfter: 10 * time.Minute}
	down := &sdk.Error{Code: sdk.CodeUnavailable, Op: "fetch", Public: "it does not answer"}
	busy := &sdk.Error{Code: sdk.CodeUnavailable, Op: "fetch", Public: "it answers 503", RetryAfter: 10 * time.Minute}
	refused := &sdk.Error{Code: sdk.CodeForbidden, Op: "fetch", Public: "it answers 403"}
	unopened := &sdk.Error{Code: sdk.CodeUnavailable, Op: "open", Public: "it cannot be opened", Err: &UnopenedError{Mend: "look there", Err: errors.New("x")}}
	const tryIt, letItBe = "try it: belfry source fetch s", "let it be, and fetch it less often"
	for name, c := range map[string]struct {
		known bool // it has been read before
		err   *sdk.Error
		every time.Duration
		told  int // which failure in a row is the first that somebody is told of; 0 none of ten
		mend  string
	}{
		"limited, never read":        {false, limited, 10 * time.Minute, 7, letItBe},
		"limited":                    {true, limited, 20 * time.Minute, 4, letItBe},
		"limited at long intervals":  {true, limited, 6 * time.Hour, 2, letItBe},
		"down, never read":           {false, down, time.Minute, 3, tryIt},
		"down":                       {true, down, time.Minute, 3, tryIt},
		"down, at long intervals":    {true, down, time.Hour, 2, tryIt},
		"down, and asks for a while": {true, busy, 10 * time.Minute, 3, letItBe},
		"refused, never read":        {false, refused, time.Minute, 1, tryIt},
		"refused":                    {true, refused, time.Minute, 3, tryIt},
		"not opened":                 {true, unopened, time.Minute, 1, "look there; then: belfry source fetch s --force"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, now := State{Name: "s"}, start
			if c.known {
				st.OKAt = start.Add(-48 * time.Hour) // it is polled rarely
			}
			for n := 1; n <= 10; n++ {
				ch := Fail(r, st, c.err, now, 0)
				if len(ch.Alerts) > 0 {
					if n != c.told || !strings.Contains(ch.Alerts[0].Mend, c.mend) {
						t.Errorf("failure %d is told: %+v", n, ch.Alerts)
					}
					return
				}
				st, now = ch.State, now.Add(c.every)
			}
			t.Error("nobody is told")
		})
	}
	st := Fail(r, State{Name: "s"}, down, start, 0).State
	if got := Decide(r, st, sdk.Batch{}, Found{}, start.Add(time.Minute)).State.BadSince; !got.IsZero() {
		t.Errorf("after a good fetch it is bad since %s", got)
	}
}

// What was retracted for good leaves a count when it comes again, and not a word.
func TestBlockedItemsAreCounted(t *testing.T) {
	t.Parallel()
	batch := sdk.Batch{Items: []sdk.Item{item("a", nil), item("z", func(it *sdk.Item) { it.URL = "https://news.example/b" }), item("c", nil)}}
	found := Found{BlockedKeys: map[string]bool{"a": true}, BlockedLinks: map[string]bool{"https://news.example/b": true}}
	ch := Decide(rules(nil), primed(nil), batch, found, now)
	want := []string{"items that were retracted for good, by their key or their address, were left out (2); why: belfry why --item ADDRESS"}
	if diff := cmp.Diff(want, ch.State.Notices); diff != "" || len(ch.Inserts) != 1 {
		t.Errorf("(-want +got):\n%s%d came", diff, len(ch.Inserts))
	}
}

func TestMergeOfCalls(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	item := func(title string, updated time.Time) sdk.Batch {
		return sdk.Batch{Items: []sdk.Item{{Key: "a", Title: title, Updated: updated}}}
	}
	for name, c := range map[string]struct {
		first, later sdk.Batch
		want         string
	}{
		"in order":          {item("old", at), item("new", at.Add(time.Minute)), "new"},
		"late":              {item("new", at.Add(time.Minute)), item("old", at), "new"},
		"as old":            {item("first", at), item("second", at), "second"},
		"without a time":    {item("first", at), item("second", time.Time{}), "second"},
		"withdrawn":         {item("first", at), sdk.Batch{Removed: []sdk.Removal{{Key: "a"}}}, ""},
		"withdrawn and old": {sdk.Batch{Removed: []sdk.Removal{{Key: "a"}}}, item("again", at), "again"},
	} {
		var all sdk.Batch
		merge(&all, c.first)
		merge(&all, c.later)
		got := ""
		for _, it := range all.Items {
			got += it.Title
		}
		if got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A source may give all its items new keys, as exporters of calendars do that make up an id for each answer. It is decided on at
// once: comparing each with each takes an hour of so many.
func TestAllKeysAreNew(t *testing.T) {
	t.Parallel()
	const n = 5000
	var known []Known
	var batch sdk.Batch
	for i := range n {
		known = append(known, stored(int64(i+1), item(fmt.Sprintf("old-%d", i), nil), nil))
		batch.Items = append(batch.Items, item(fmt.Sprintf("new-%d", i), func(it *sdk.Item) { it.Title = fmt.Sprintf("Title old-%d", i) }))
	}
	ch := Decide(rules(nil), primed(nil), batch, found(known...), now)
	if len(ch.Inserts) != 0 || len(ch.Updates) != n || len(ch.Holds) != 0 {
		t.Fatalf("%d new, %d updates, %v", len(ch.Inserts), len(ch.Updates), ch.Holds)
	}
	for _, u := range ch.Updates {
		if want := fmt.Sprintf("new-%d", u.ID-1); u.Alias != want {
			t.Fatalf("item %d came as %s, not %s", u.ID, u.Alias, want)
		}
	}
}

package intake

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// announced is an item about an event, whose turn is a day before it.
func announced(key string, due time.Time) sdk.Item {
	return item(key, func(it *sdk.Item) {
		it.Title, it.URL, it.Published = "The same concert", "https://news.example/concert", time.Time{}
		it.Due, it.NotBefore, it.Group = due, due.Add(-24*time.Hour), "g"
	})
}

// known is an announcement as the store has it, seen an hour ago.
func known(id int64, it sdk.Item) Known {
	return stored(id, it, func(k *Known) { k.Group, k.Due, k.TitleKey = it.Group, it.Due, nameKey(it) })
}

// agenda has the rules of a calendar, whose items have no pages that could be asked.
func agenda(r *Rules) { r.Checkable = false }

func TestWhatLiesAheadIsNoBaselineAndNoFlood(t *testing.T) {
	t.Parallel()
	batch := sdk.Batch{Complete: true}
	for i := range 30 { // hours that begin at 10:00: the first 23 were announced already
		batch.Items = append(batch.Items, announced(fmt.Sprintf("k%02d", 29-i), now.Add(time.Duration(30-i)*time.Hour)))
	}
	count := func(ch Change, what func(Insert) bool) (n int) {
		for _, in := range ch.Inserts {
			if what(in) {
				n++
			}
		}
		return n
	}
	first := Decide(rules(nil), primed(func(st *State) { st.Primed = false }), batch, found(), now)
	if n := count(first, func(in Insert) bool { return in.Baseline }); n != 24 || len(first.Inserts) != 30 {
		t.Errorf("%d of %d are not used, want those whose turn had come", n, len(first.Inserts))
	}
	later := Decide(rules(nil), primed(nil), batch, found(), now)
	if n := count(later, func(in Insert) bool { return in.State == Held }); n != 24 || len(later.Holds) != 1 {
		t.Errorf("%d are held: %v", n, later.Holds)
	}
	batch.Items = batch.Items[:6]
	if ch := Decide(rules(func(r *Rules) { r.MaxNew = 2 }), primed(nil), batch, found(), now); len(ch.Holds) != 0 || len(ch.Inserts) != 6 {
		t.Errorf("what has its turn later is held: %v", ch.Holds)
	}
}

func TestTheTimesOfASeriesAreNotOneAnother(t *testing.T) {
	t.Parallel()
	past, next := announced("old", now.Add(-2*time.Hour)), announced("next", now.Add(30*time.Hour))
	got := told(Decide(rules(agenda), primed(nil), sdk.Batch{Items: []sdk.Item{next}, Complete: true}, found(known(1, past)), now))
	if want := []string{"new next live not before 15:00", "item 1 listed false"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// An exporter that makes its identifiers anew each time still means the same event.
	again := announced("next", now.Add(30*time.Hour))
	got = told(Decide(rules(nil), primed(nil), sdk.Batch{Items: []sdk.Item{again}, Complete: true}, found(known(1, announced("other", now.Add(30*time.Hour)))), now))
	if want := []string{"item 1 touched also next"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCalendarsForgetThePast(t *testing.T) {
	t.Parallel()
	over, ahead, other := announced("over", now.Add(-time.Minute)), announced("ahead", now.Add(time.Hour)), announced("other", now.Add(2*time.Hour))
	for name, c := range map[string]struct {
		batch sdk.Batch
		want  []string
	}{
		"a complete answer": {sdk.Batch{Items: []sdk.Item{other}, Complete: true}, []string{"item 1 listed false", "item 2 removed: absent from a complete answer listed false"}},
		"a whole group":     {sdk.Batch{Items: []sdk.Item{other}, Whole: []string{"g"}}, []string{"item 1 listed false", "item 2 removed: absent from its group"}},
		"another group":     {sdk.Batch{Items: []sdk.Item{other}, Whole: []string{"h"}}, []string{"item 1 listed false"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := told(Decide(rules(agenda), primed(nil), c.batch, found(known(1, over), known(2, ahead), known(3, other)), now))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

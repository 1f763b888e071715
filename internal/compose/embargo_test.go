package compose

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// What a revision says under an embargo is in no post before its end, and a withdrawal does not wait for it.
func TestARevisionUnderEmbargoWaits(t *testing.T) {
	t.Parallel()
	p := program(t, channel(nil))
	end := base.Add(time.Hour)
	entry := func(id int64, title string) Entry { return Entry{Item: id, Title: title} }
	item := func(id int64, title, state string, notBefore time.Time) StaleItem {
		return StaleItem{ID: id, Revision: 2, State: state, Content: sdk.Item{Key: "k", Title: title}, NotBefore: notBefore}
	}
	for name, c := range map[string]struct {
		kind    PostKind
		current Content
		items   []StaleItem
		now     time.Time
		want    []string // the titles of the post, or of its entries; nil when nothing changes
		until   time.Time
		items2  int // how many items' revisions are settled
	}{
		"a post waits":               {KindEach, Content{Title: "Before"}, []StaleItem{item(1, "Secret", "live", end)}, base, nil, end, 1},
		"a post after its end":       {KindEach, Content{Title: "Before"}, []StaleItem{item(1, "Secret", "live", end)}, end, []string{"Secret"}, time.Time{}, 1},
		"a withdrawal does not wait": {KindEach, Content{Title: "Before"}, []StaleItem{item(1, "Secret", "removed", end)}, base, []string{"withdrawn"}, time.Time{}, 1},
		"a digest keeps what it said": {KindDigest, Content{Title: "D", Entries: []Entry{entry(1, "One"), entry(2, "Two")}},
			[]StaleItem{item(1, "Secret", "live", end), item(2, "Two, corrected", "live", time.Time{})}, base, []string{"One", "Two, corrected"}, end, 1},
		"a digest after its end": {KindDigest, Content{Title: "D", Entries: []Entry{entry(1, "One"), entry(2, "Two")}},
			[]StaleItem{item(1, "Secret", "live", end), item(2, "Two, corrected", "live", time.Time{})}, end, []string{"Secret", "Two, corrected"}, time.Time{}, 2},
		"a digest from which one goes": {KindDigest, Content{Title: "D", Entries: []Entry{entry(1, "One"), entry(2, "Two")}},
			[]StaleItem{item(1, "Secret", "live", end), item(2, "Two", "removed", time.Time{})}, base, []string{"One"}, end, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := p.Recompose(Stale{Post: 1, Channel: "c", Kind: c.kind, Status: PostLive, Revision: 1, Current: c.current, Items: c.items}, c.now)
			var got []string
			switch {
			case r.Content == nil:
			case r.Content.Withdrawn:
				got = []string{"withdrawn"}
			case c.kind == KindEach:
				got = []string{r.Content.Title}
			default:
				for _, e := range r.Content.Entries {
					got = append(got, e.Title)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if !r.Until.Equal(c.until) || len(r.Items) != c.items2 {
				t.Errorf("until %s, %d items settled", r.Until, len(r.Items))
			}
		})
	}
}

// Of an article that two sources bring in the same moment a channel takes one.
func TestDuplicatesWithinOneBatch(t *testing.T) {
	t.Parallel()
	p := program(t, channel(func(c *configs.Channel) { c.Sources = []string{"s", "t"} }))
	change := func(id int64, source, link, state string) Changed {
		return Changed{ID: id, Source: source, Change: 1, Revision: 1, State: state, Link: link, Content: sdk.Item{Key: "k", Title: "T"}, SeenAt: base}
	}
	es := p.EvaluateItems([]Changed{change(1, "s", "https://n.example/a", "live"), change(2, "t", "https://n.example/a", "live"), change(3, "s", "https://n.example/b", "live"),
		change(4, "s", "https://n.example/b", "live"), change(5, "t", "", "live"), change(6, "s", "", "live"), change(7, "s", "https://n.example/c", "held"),
		change(8, "t", "https://n.example/c", "live")}, nil)
	var got []string
	for _, e := range es {
		s := "nothing"
		if len(e.Set) > 0 {
			s = string(e.Set[0].State) + " " + string(e.Set[0].Reason) + e.Set[0].Detail
		}
		got = append(got, s)
	}
	if diff := cmp.Diff([]string{"waiting ", "left_out duplicateitem 1", "waiting ", "waiting ", "waiting ", "waiting ", "nothing", "waiting "}, got); diff != "" {
		t.Error(diff)
	}
}

// Campaign parameters leave what stands in an address as it is written.
func TestAddCampaign(t *testing.T) {
	t.Parallel()
	c := campaign{"bel fry", "chat", ""}
	for raw, want := range map[string]string{
		"https://n.example/a":                                                  "https://n.example/a?utm_source=bel+fry&utm_medium=chat",
		"https://n.example/a?z=1&a=2#part":                                     "https://n.example/a?z=1&a=2&utm_source=bel+fry&utm_medium=chat#part",
		"https://n.example/a?utm_source=own":                                   "https://n.example/a?utm_source=bel+fry&utm_medium=chat",
		"https://n.example/a?p=1&UTM_Source=old&utm_campaign=x&utm_id&q=a%2Fb": "https://n.example/a?p=1&q=a%2Fb&utm_source=bel+fry&utm_medium=chat",
		"https://n.example/a?utm%5Fterm=x&utmost=1":                            "https://n.example/a?utmost=1&utm_source=bel+fry&utm_medium=chat",
		"https://n.example/a?p;12,34":                                          "https://n.example/a?p;12,34&utm_source=bel+fry&utm_medium=chat",
		"https://n.example/a?12345":                                            "https://n.example/a?12345&utm_source=bel+fry&utm_medium=chat",
		"https://n.example/a?q=100%":                                           "https://n.example/a?q=100%&utm_source=bel+fry&utm_medium=chat",
		"https://n.example/%C3%A9?sig=a%2Fb+c":                                 "https://n.example/%C3%A9?sig=a%2Fb+c&utm_source=bel+fry&utm_medium=chat",
		"mailto:a@n.example":                                                   "mailto:a@n.example",
		"":                                                                     "",
	} {
		if got := addCampaign(raw, c); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
		if got := addCampaign(raw, campaign{}); got != raw {
			t.Errorf("%s: without a campaign it is %s", raw, got)
		}
	}
}

// max_age: 0s of a place is no bound, as everywhere.
func TestATargetWithoutMaxAge(t *testing.T) {
	t.Parallel()
	p := program(t, channel(func(c *configs.Channel) {
		target := configs.Target{}
		target.SetDefaults()
		target.Destination = "d"
		c.PublishTo = []configs.Target{target, target}
		c.PublishTo[1].Chat, c.PublishTo[1].MaxAge = "x", 0
	}))
	want := []NewTarget{{Destination: "d", ExpiresAt: base.Add(24 * time.Hour)}, {Destination: "d", Chat: "x"}}
	if diff := cmp.Diff(want, p.Channels["c"].targets(nil, base)); diff != "" {
		t.Error(diff)
	}
}

// A blackout holds what would leave in it, not what waits for its hours and leaves after it.
func TestABlackoutDoesNotHoldWhatWaits(t *testing.T) {
	t.Parallel()
	ch := channel(func(c *configs.Channel) { c.Each.Hours = "07:00-22:00" })
	cfg := configs.Default()
	cfg.Channels = map[string]configs.Channel{"c": ch}
	cfg.Blackouts = map[string]configs.Blackout{"night": {Hours: "01:00-04:00", Then: "hold"}, "noon": {Hours: "12:00-13:00", Then: "hold"}}
	p, problems := Compile(&cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	midnight := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	w := Waiting{Item: 1, Revision: 1, Source: "s", Content: sdk.Item{Key: "k", Title: "T"}, SeenAt: midnight}
	for hour, want := range map[int]string{2: "waits", 7: "posts", 12: "held", 23: "waits"} {
		d := p.Channels["c"].DecideEach(time.UTC, 0, []Waiting{w}, Recent{}, midnight.Add(time.Duration(hour)*time.Hour))
		got := "waits"
		switch {
		case len(d.Post) > 0:
			got = "posts"
		case len(d.Out) > 0 && d.Out[0].Hold:
			got = "held"
		}
		if got != want {
			t.Errorf("at %d o'clock it %s, want %s", hour, got, want)
		}
	}
}

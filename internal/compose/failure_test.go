package compose

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// An expression that fails says where and why, and not a word of the item.
func TestFailuresQuoteNothing(t *testing.T) {
	t.Parallel()
	it := sdk.Item{Key: "k", Title: "Geheim [titre", Summary: "(secret"}
	for text, want := range map[string]string{
		`all(1..100000000, {# > 0})`:              "column 6: it takes more memory than an expression may",
		`5 % len(item.tags) == 0`:                 "column 3: it divides by zero",
		`item.tags[0] == "x"`:                     "column 10: it asks for an element that is not there",
		"true and\n item.tags[0] == \"x\"":        "line 2, column 11: it asks for an element that is not there",
		`first(item.tags) == "x"`:                 "column 18: it uses a value that is not there",
		`int(item.title) > 3`:                     "column 1: it cannot read a text as what it asks for",
		`date(item.title).Year() > 1`:             "column 1: it cannot read a text as what it asks for",
		`duration(item.title).Hours() > 1`:        "column 1: it cannot read a text as what it asks for",
		`item.title matches item.summary`:         "column 12: the pattern that it compares with cannot be read",
		`fromJSON(item.title).a == 1`:             "column 1: it cannot read a text as what it asks for",
		`repeat(item.title, 100000000) == "long"`: "column 1: it takes more memory than an expression may",
	} {
		c, err := CompileCondition(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		ok, err := c.Match(View("s", it))
		f, failed := errors.AsType[*Failure](err)
		if ok || !failed {
			t.Errorf("%s: %v, %v", text, ok, err)
			continue
		}
		if diff := cmp.Diff(want, f.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		a := f.alert("channel c: its where:", itemRef{7, "s"}, "the item is held", "c")
		if all := f.Error() + a.Sentence + a.Mend + a.Subject; strings.Contains(all, "Geheim") || strings.Contains(all, "secret") {
			t.Errorf("%s: it quotes the item: %s", text, all)
		}
	}
}

// What fails while it runs is no "does not hold": nothing is lost by it, and a person is told.
func TestEvaluateItemThatAnExpressionFailsFor(t *testing.T) {
	t.Parallel()
	created := map[string]time.Time{"c": base.Add(-time.Hour)}
	const fails = `item.tags[0] == "sport"`
	where := func(text string) configs.Channel {
		return channel(func(c *configs.Channel) { c.Where = text })
	}
	in := func(m Membership) []Membership {
		m.Channel, m.Item = "c", 7
		return []Membership{m}
	}
	held := Membership{State: StateHeld, Reason: ReasonWhereFailed, Detail: "column 10: it asks for an element that is not there"}
	for name, c := range map[string]struct {
		channel configs.Channel
		tags    []string
		in      []Membership
		twice   bool
		want    []string
	}{
		"new":                                {where(fails), nil, nil, false, []string{"held where_failed", "alert channels.c.where"}},
		"it does not hold":                   {where(fails), []string{"x"}, nil, false, []string{"left_out where"}},
		"it holds":                           {where(fails), []string{"sport"}, nil, false, []string{"waiting"}},
		"a revision of one that waits":       {where(fails), nil, in(Membership{State: StateWaiting}), false, []string{"held where_failed", "alert channels.c.where"}},
		"a revision of one let go":           {where(fails), nil, in(Membership{State: StateWaiting, Released: true}), false, nil},
		"a revision of one left out":         {where(fails), nil, in(Membership{State: StateLeftOut, Reason: ReasonWhere}), false, []string{"held where_failed", "alert channels.c.where"}},
		"a revision of one that was dropped": {where(fails), nil, in(Membership{State: StateLeftOut, Reason: ReasonDropped}), false, nil},
		"a revision of one in a blackout":    {where(fails), nil, in(Membership{State: StateHeld, Reason: ReasonBlackout}), false, nil},
		"it still fails":                     {where(fails), nil, in(held), false, []string{"alert channels.c.where"}},
		"mended, and it holds":               {where("true"), nil, in(held), false, []string{"waiting"}},
		"mended, and it does not hold":       {where(`hasTag("sport")`), nil, in(held), false, []string{"left_out where"}},
		"the same article is there":          {where(fails), nil, nil, true, []string{"left_out duplicate"}},
		"urgent fails": {channel(func(c *configs.Channel) { c.Each.Urgent = fails }), nil, nil, false,
			[]string{"waiting", "alert channels.c.each.urgent"}},
		"urgent fails for what is not taken": {channel(func(c *configs.Channel) { c.Each.Urgent, c.Where = fails, "false" }), nil, nil, false, []string{"left_out where"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			it := Changed{ID: 7, Source: "s", Change: 1, Revision: 1, State: "live", SeenAt: base, Content: sdk.Item{Key: "k", Title: "T", Tags: c.tags}, In: c.in}
			if c.twice {
				it.Duplicates = map[string]int64{"c": 3}
			}
			e := program(t, c.channel).EvaluateItem(it, created)
			var got []string
			for _, m := range e.Set {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s", m.State, m.Reason)))
			}
			for _, a := range e.Alerts {
				if a.Code != alert.ExpressionFailed || !strings.Contains(a.Sentence, "item 7 of source s") || !strings.HasSuffix(a.Subject, ": "+fails) {
					t.Errorf("%+v", a)
				}
				place, _, _ := strings.Cut(a.Subject, ":")
				got = append(got, "alert "+place)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A blackout whose condition fails silences and drops nothing; one that holds comes before it. A place whose condition
// fails gets a copy that is held.
func TestDecideWhatAnExpressionFailsFor(t *testing.T) {
	t.Parallel()
	const fails = `item.tags[0] == "sport"`
	cfg := configs.Default()
	cfg.Timezone = "Europe/Paris"
	cfg.Sources = map[string]configs.Source{"s": {}}
	target := configs.Target{}
	target.SetDefaults()
	target.Destination, target.Chat, target.Where = "wire", "@sport", fails
	everywhere := target
	everywhere.Chat, everywhere.Where = "@all", ""
	digest := configs.Digest{}
	digest.SetDefaults()
	digest.Cron = "* * * * *"
	cfg.Channels = map[string]configs.Channel{
		"free":   channel(func(c *configs.Channel) { c.PublishTo = []configs.Target{everywhere, target} }),
		"silent": channel(nil), "dropped": channel(nil), "brief": channel(func(c *configs.Channel) { c.Each, c.Digest, c.PublishTo = nil, &digest, []configs.Target{target} }),
	}
	cfg.Blackouts = map[string]configs.Blackout{"a": {Hours: "00:00-24:00", Where: fails, Then: "drop", Channels: []string{"silent", "dropped", "brief"}},
		"b": {Hours: "00:00-24:00", Where: `item.title == "t1"`, Then: "drop", Channels: []string{"dropped"}}}
	p, problems := Compile(&cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	list := []Waiting{waiting(1, mins(1), nil)}
	decide := func(name string) EachDecision {
		return p.Channels[name].DecideEach(p.Zone, 0, list, Recent{}, base)
	}
	silent, dropped := decide("silent"), decide("dropped")
	if diff := cmp.Diff([]string{"hold 1 blackout a"}, told(silent)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"out 1 blackout b"}, told(dropped)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if a := p.Channels["silent"].silenceAlerts(silent.Out, list); len(a) != 1 || !strings.HasPrefix(a[0].Subject, "blackouts.a.where: ") ||
		!strings.Contains(a[0].Sentence, "channel silent holds the item") || !strings.Contains(a[0].Mend, "belfry post release --channel silent") {
		t.Errorf("%+v", a)
	}
	if _, drop, silenced := p.Silenced("silent", Content{Title: "t1"}, base); !silenced || drop {
		t.Errorf("a post: silenced %v, drop %v", silenced, drop)
	}
	d := p.Channels["brief"].DecideDigest(list, base)
	if d.Empty == "" || len(d.Out) != 0 || len(d.Failed) != 1 || d.Failed[0].Item != 1 || d.Failed[0].Blackout != "a" {
		t.Errorf("%+v", d)
	}
	free := p.Channels["free"]
	post := p.eachPost(free, list[0], base)
	if len(post.Targets) != 2 || post.Targets[0].Failed != nil || post.Targets[1].Failed == nil || post.Targets[1].FailedItem != 1 {
		t.Fatalf("%+v", post.Targets)
	}
	if a := free.targetAlerts(post, list); len(a) != 1 || !strings.HasPrefix(a[0].Subject, "channels.free.publish_to.1.where: ") ||
		!strings.Contains(a[0].Sentence, "the where: of wire @sport failed for item 1 of source s") {
		t.Errorf("%+v", a)
	}
	// One of a digest's items is enough.
	brief := p.Channels["brief"]
	both := slices.Concat(list, []Waiting{waiting(2, mins(1), func(w *Waiting) { w.Content.Tags = []string{"sport"} })})
	if got := brief.targets(both, base); len(got) != 1 || got[0].Failed != nil {
		t.Errorf("%+v", got)
	}
	not := []Waiting{list[0], waiting(2, mins(1), func(w *Waiting) { w.Content.Tags = []string{"x"} })}
	if got := brief.targets(not, base); len(got) != 1 || got[0].Failed == nil {
		t.Errorf("%+v", got)
	}
	if got := brief.targets(not[1:], base); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := free.NotFor(list[0].view()); len(got) != 1 || got[0].Failed == nil {
		t.Errorf("%+v", got)
	}
}

// An urgent: that fails leaves an item at the usual pace.
func TestUrgentThatFails(t *testing.T) {
	t.Parallel()
	p := program(t, each(func(e *configs.Each) { e.Urgent, e.Settle = `item.tags[0] == "eilt"`, sdk.D(mins(10)) }))
	list := []Waiting{waiting(1, mins(1), nil), waiting(2, mins(1), func(w *Waiting) { w.Content.Tags = []string{"eilt"} })}
	got := told(p.Channels["c"].DecideEach(p.Zone, 0, list, Recent{}, base))
	if diff := cmp.Diff([]string{"post 2", "wait 1 settle until 20T09:09"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

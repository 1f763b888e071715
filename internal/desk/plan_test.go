package desk_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/desk/desktest"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// with gives the same desk another configuration; edit is old, new, ….
func with(t *testing.T, d *desk.Desk, edit ...string) *desk.Desk {
	t.Helper()
	text := desktest.Config
	for i := 0; i < len(edit); i += 2 {
		if !strings.Contains(text, edit[i]) {
			t.Fatalf("%q is not there", edit[i])
		}
		text = strings.Replace(text, edit[i], edit[i+1], 1)
	}
	return &desk.Desk{Config: desktest.Load(t, text), Store: d.Store, Dir: d.Dir, Now: d.Now, Actor: d.Actor, Daemon: d.Daemon}
}

func plan(t *testing.T, d *desk.Desk, from, until time.Time) *desk.Plan {
	t.Helper()
	p, err := d.Plan(t.Context(), from, until)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What the flood brake holds is among what is held.
func TestPlanTellsOfFloods(t *testing.T) {
	t.Parallel()
	d, _ := newDesk(t)
	var got []string
	for _, o := range plan(t, d, d.Now, d.Now.Add(time.Hour)).LeftOut {
		if o.State != "held" || o.Reason != "flood" || o.Channel != "" || !strings.HasSuffix(o.Sentence, "post it: belfry source release articles") {
			t.Errorf("%+v", o)
		}
		got = append(got, o.Source+" "+o.Key)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"articles pont", "articles quai"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What happens before the time that is asked for has happened by then.
func TestPlanFromLater(t *testing.T) {
	t.Parallel()
	d, _ := newDesk(t)
	at := d.Now.Add(2 * time.Hour)
	p := plan(t, d, at, at.Add(48*time.Hour))
	for _, x := range p.Posts {
		if x.At.Before(at) || x.Channel == "alertes" {
			t.Errorf("%+v", x)
		}
	}
	if len(p.Posts) != 2 || len(p.Waiting) != 0 {
		t.Errorf("%+v, %+v", p.Posts, p.Waiting)
	}
}

// A channel that is renamed keeps what the store knows of it by its old name.
func TestPlanOfARenamedChannel(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	picky := with(t, d, "alertes: {", `alertes: {where: 'hasTag("sport")', `)
	if _, err := d.ReleaseSource(t.Context(), "articles", false); err != nil {
		t.Fatal(err)
	}
	n.Config = picky.Config
	n.Evaluate(t)
	renamed := with(t, d, "alertes: {", `nieuws: {was: alertes, where: 'hasTag("sport")', `)
	p := plan(t, renamed, d.Now, d.Now.Add(time.Hour))
	var out []string
	for _, o := range p.LeftOut {
		out = append(out, o.Channel+" "+o.Key)
	}
	slices.Sort(out)
	if diff := cmp.Diff([]string{"nieuws pont", "nieuws quai"}, out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The morning's digest comes within the hour when this runs in the morning.
	of := func(p *desk.Plan) []desk.PlannedPost {
		return slices.DeleteFunc(p.Posts, func(x desk.PlannedPost) bool { return x.Channel != "nieuws" })
	}
	if posts := of(p); len(posts) != 1 || posts[0].Items[0].Key != "gare" {
		t.Errorf("%+v", posts)
	}
	if _, err := d.Pause(t.Context(), store.PauseChannel, "alertes"); err != nil {
		t.Fatal(err)
	}
	if p := plan(t, renamed, d.Now, d.Now.Add(time.Hour)); len(of(p)) != 0 ||
		!slices.ContainsFunc(p.Waiting, func(w desk.PlannedWait) bool { return w.Channel == "nieuws" && w.For == "the channel is paused" }) {
		t.Errorf("%+v, %+v", p.Posts, p.Waiting)
	}
}

// A digest says where it goes before it has items, and that a pause keeps it.
func TestPlanOfDigests(t *testing.T) {
	t.Parallel()
	d, _ := newDesk(t)
	d = with(t, d, `digest: {cron: "0 7 * * *"}`, `digest: {cron: "0 7 * * *", min_items: 5}, publish_to: [{destination: wire, chat: "@gazette"}]`)
	soon := d.Now.Add(30 * time.Hour)
	p := plan(t, d, d.Now, soon)
	i := slices.IndexFunc(p.Posts, func(x desk.PlannedPost) bool { return x.Channel == "brief" })
	if i < 0 || p.Posts[i].Note != "1 of at least 5 items wait" || len(p.Posts[i].To) != 1 || p.Posts[i].To[0].Destination != "wire" || p.Posts[i].Missed {
		t.Errorf("%+v", p.Posts)
	}
	for scope, want := range map[string]string{store.PauseChannel: "the channel is paused", store.PauseAll: "everything is paused"} {
		name := map[string]string{store.PauseChannel: "brief"}[scope]
		if _, err := d.Pause(t.Context(), scope, name); err != nil {
			t.Fatal(err)
		}
		p := plan(t, d, d.Now, soon)
		i := slices.IndexFunc(p.Posts, func(x desk.PlannedPost) bool { return x.Channel == "brief" })
		if i < 0 || p.Posts[i].Note != want || len(p.Posts[i].To) != 1 || !slices.ContainsFunc(p.Waiting, func(w desk.PlannedWait) bool { return w.Channel == "brief" && w.For == want }) {
			t.Errorf("%s: %+v, %+v", scope, p.Posts, p.Waiting)
		}
		if _, err := d.Resume(t.Context(), scope, name); err != nil {
			t.Fatal(err)
		}
	}
}

// A source whose items were all there at its first fetch posts nothing, and says so, and they can be let go.
func TestFirstFetchOnly(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	st, err := n.Store.SourceState(t.Context(), "agenda")
	if err != nil {
		t.Fatal(err)
	}
	batch := sdk.Batch{Items: []sdk.Item{{Key: "a", Title: "Un"}, {Key: "b", Title: "Deux"}, {Key: "c", Title: "Trois"}}}
	found, err := n.Store.Found(t.Context(), "agenda", batch)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Store.CommitIntake(t.Context(), intake.Decide(intake.Rules{Name: "agenda", Poll: time.Minute, MaxNew: 10}, st, batch, found, n.Now), n.Now); err != nil {
		t.Fatal(err)
	}
	p := plan(t, d, d.Now, d.Now.Add(time.Hour))
	if diff := cmp.Diff([]desk.PlannedFirst{{Source: "agenda", Items: 3}}, p.FirstOnly); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if got := d.FirstSentence("agenda", 3); got != "source agenda: 3 items known, none posted (baseline: none); post the newest N: belfry source release agenda --baseline N" {
		t.Error(got)
	}
	if out, err := d.ReleaseFirst(t.Context(), "agenda", 2); err != nil || out.Released != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	if p := plan(t, d, d.Now, d.Now.Add(time.Hour)); len(p.FirstOnly) != 0 {
		t.Errorf("%+v", p.FirstOnly)
	}
	_, err = d.ReleaseFirst(t.Context(), "articles", 1)
	wants(t, err, desk.Conflict, "has no items left from its first fetch")
	_, err = d.ReleaseFirst(t.Context(), "agenda", -1)
	wants(t, err, desk.Unusable, "is no number of items")
}

func TestWhyAnItemWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit  []string
		pause string
		item  sdk.Item
		want  string
	}{
		"a digest that lacks items": {[]string{`cron: "0 7 * * *"`, `cron: "0 7 * * *", min_items: 5`}, "", sdk.Item{}, "waits for the next digest: 1 of at least 5 items wait;"},
		"an embargo":                {nil, "", sdk.Item{NotBefore: time.Now().Add(3 * time.Hour)}, "waits for embargo, "},
		"a digest":                  {nil, "", sdk.Item{}, "waits for the next digest; likely posted "},
		"everything is paused":      {nil, store.PauseAll, sdk.Item{}, "waits: everything is paused; belfry resume all"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, n := newDesk(t)
			d = with(t, d, c.edit...)
			key := n.Waiting
			if !c.item.NotBefore.IsZero() {
				c.item.Key, c.item.Title = "later", "Plus tard"
				n.Fetch(t, "agenda", c.item)
				n.Evaluate(t)
				key = "later"
			}
			if c.pause != "" {
				if _, err := d.Pause(t.Context(), c.pause, ""); err != nil {
					t.Fatal(err)
				}
			}
			got, err := d.WhyItem(t.Context(), key, "", "brief")
			if err != nil || len(got) != 1 || len(got[0].Channels) != 1 || !strings.HasPrefix(got[0].Channels[0].Sentence, c.want) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// A place that its own condition keeps an item from is named.
func TestWhyNotThere(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	d = with(t, d, `chat: "@gazette"}`, `chat: "@gazette", where: 'hasTag("sport")'}`)
	got, err := d.WhyItem(t.Context(), n.Waiting, "", "alertes")
	if err != nil || len(got) != 1 || len(got[0].Channels) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if diff := cmp.Diff([]desk.WhyNotTo{{Destination: "wire", Chat: "@gazette", Where: `hasTag("sport")`}}, got[0].Channels[0].NotTo); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A blackout over a digest shows in the plan, in why and in the status, and so does its end.
func TestABlackoutOverADigest(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	tomorrow := d.Now.In(d.Zone()).AddDate(0, 0, 1)
	end := time.Date(tomorrow.Year(), tomorrow.Month(), tomorrow.Day(), 23, 0, 0, 0, d.Zone())
	for name, c := range map[string]struct {
		blackout string
		note     string
		why      string
		next     time.Time
	}{
		"without an end": {`{hours: "00:00-24:00"}`, "the blackout nuit silences it, without an end",
			"waits for the end of the blackout nuit, which silences the digest; the daemon is not running", time.Time{}},
		"with an end": {`{from: "` + d.Now.In(d.Zone()).Format(time.DateOnly) + `", until: "` + end.Format("2006-01-02 15:04") + `"}`,
			"the blackout nuit silences it until " + d.At(end), "waits for the end of the blackout nuit, which silences the digest, " + d.Until(end), end},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silent := with(t, d, `digest: {cron: "0 7 * * *"}`, `digest: {cron: "* * * * *"}`, "media:", "blackouts: {nuit: "+c.blackout+"}\nmedia:")
			p := plan(t, silent, d.Now, d.Now.Add(2*time.Minute))
			i := slices.IndexFunc(p.Posts, func(x desk.PlannedPost) bool { return x.Channel == "brief" })
			if i < 0 || p.Posts[i].Note != c.note || p.Posts[i].Missed || len(p.Posts[i].Items) != 0 {
				t.Errorf("planned: %+v", p.Posts)
			}
			j := slices.IndexFunc(p.Waiting, func(x desk.PlannedWait) bool { return x.Channel == "brief" })
			if j < 0 || p.Waiting[j].For != "the end of the blackout nuit, which silences the digest" || !p.Waiting[j].Until.Equal(c.next) {
				t.Errorf("waiting: %+v", p.Waiting)
			}
			why, err := silent.WhyItem(t.Context(), n.Waiting, "", "brief")
			if err != nil || len(why) != 1 || !strings.HasPrefix(why[0].Channels[0].Sentence, c.why) {
				t.Errorf("why: %+v, %v", why, err)
			}
			ch, err := silent.Channel(t.Context(), "brief")
			if err != nil || !ch.Next.Equal(c.next) || ch.NextNote != c.note {
				t.Errorf("status: %+v, %v", ch, err)
			}
		})
	}
}

// The status knows of a pause, which has no next digest.
func TestThePauseOfADigest(t *testing.T) {
	t.Parallel()
	d, _ := newDesk(t)
	if ch, err := d.Channel(t.Context(), "brief"); err != nil || ch.Next.IsZero() || ch.NextNote != "" {
		t.Errorf("%+v, %v", ch, err)
	}
	if _, err := d.Pause(t.Context(), store.PauseChannel, "brief"); err != nil {
		t.Fatal(err)
	}
	// By a new name, too.
	renamed := with(t, d, "brief: {", "matin: {was: brief, ")
	for name, desk := range map[string]*desk.Desk{"brief": d, "matin": renamed} {
		if ch, err := desk.Channel(t.Context(), name); err != nil || !ch.Next.IsZero() || ch.NextNote != "the channel is paused" {
			t.Errorf("%+v, %v", ch, err)
		}
	}
}

// An item for which a where: failed says so, and how it is let go; a place whose where: failed is named.
func TestWhyAWhereFailed(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	const fails = `item.tags[0] == "sport"`
	n.Config = with(t, d, "agenda], ", "agenda], where: '"+fails+"', ").Config
	d = &desk.Desk{Config: n.Config, Store: d.Store, Dir: d.Dir, Now: d.Now, Actor: d.Actor, Daemon: d.Daemon}
	n.Fetch(t, "agenda", sdk.Item{Key: "later", Title: "Plus tard"})
	n.Evaluate(t)
	got, err := d.WhyItem(t.Context(), "later", "", "brief")
	want := "held: the channel's where: failed for it (column 10: it asks for an element that is not there); post it: belfry post release --channel brief"
	if err != nil || len(got) != 1 || got[0].Channels[0].State != "held" || got[0].Channels[0].Sentence != want {
		t.Errorf("%+v, %v", got, err)
	}
	if i := slices.IndexFunc(plan(t, d, d.Now, d.Now.Add(time.Hour)).LeftOut, func(o desk.PlannedOut) bool {
		return o.Key == "later" && o.State == "held" && o.Reason == "where_failed"
	}); i < 0 {
		t.Error("the plan does not tell of it")
	}
	if out, err := d.ReleaseChannel(t.Context(), "brief", false); err != nil || out.Released != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	if got, err = d.WhyItem(t.Context(), "later", "", "brief"); err != nil || got[0].Channels[0].State != "waiting" {
		t.Errorf("%+v, %v", got, err)
	}
	d = with(t, d, `chat: "@gazette"}`, `chat: "@gazette", where: '`+fails+`'}`)
	if got, err = d.WhyItem(t.Context(), n.Waiting, "", "alertes"); err != nil || len(got[0].Channels[0].NotTo) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if s := got[0].Channels[0].NotTo[0].Sentence(); s != "its copy will be held: the where: of this place failed for it (column 10: it asks for an element that is not there)" {
		t.Error(s)
	}
}

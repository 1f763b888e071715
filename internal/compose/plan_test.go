package compose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// foreseen writes a forecast in lines, with times of the day in UTC.
func foreseen(f Forecast) []string {
	var out []string
	clock := func(t time.Time) string {
		if t.IsZero() {
			return "?"
		}
		return t.UTC().Format("02 15:04")
	}
	for _, p := range f.Posts {
		var items []string
		for _, w := range p.Items {
			items = append(items, w.Content.Key)
		}
		line := fmt.Sprintf("%s %s %s [%s]", clock(p.At), p.Channel, p.Kind, strings.Join(items, " "))
		for _, note := range []string{p.Empty, p.Held, p.Silenced} {
			if note != "" {
				line += " (" + note + ")"
			}
		}
		if p.Silenced != "" {
			line += " until " + clock(p.SilencedUntil)
		}
		if p.Late {
			line += " late"
		}
		if p.Missed {
			line += " missed"
		}
		out = append(out, line)
	}
	for _, o := range f.Out {
		out = append(out, fmt.Sprintf("%s %s out %s: %s hold=%v", clock(o.At), o.Channel, o.Waiting.Content.Key, o.Reason, o.Hold))
	}
	for _, w := range f.Waiting {
		out = append(out, fmt.Sprintf("%s still %s for %s until %s", w.Channel, w.Waiting.Content.Key, w.For, clock(w.Until)))
	}
	return out
}

func TestLookAhead(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	at := from.Add
	item := func(id int64, key string, seen time.Duration, change ...func(*Waiting)) Waiting {
		w := Waiting{Item: id, Revision: 1, Source: "s", Content: sdk.Item{Key: key, Title: key}, SeenAt: at(seen), ChangedAt: at(seen), Since: at(seen)}
		for _, c := range change {
			c(&w)
		}
		return w
	}
	each := func(change ...func(*configs.Each)) configs.Channel {
		c := configs.Channel{Each: &configs.Each{}}
		c.Content = "summary"
		c.Each.SetDefaults()
		for _, f := range change {
			f(c.Each)
		}
		return c
	}
	digest := func(cron string, change ...func(*configs.Digest)) configs.Channel {
		c := configs.Channel{Digest: &configs.Digest{}}
		c.Content = "summary"
		c.Digest.SetDefaults()
		c.Digest.Cron = cron
		for _, f := range change {
			f(c.Digest)
		}
		return c
	}
	for name, c := range map[string]struct {
		channels  map[string]configs.Channel
		blackouts map[string]configs.Blackout
		rows      Rows
		hours     int
		want      []string
	}{
		"pace, over midnight": {
			channels: map[string]configs.Channel{"a": each(func(e *configs.Each) { e.Pace.Gap, e.Pace.PerDay = sdk.D(10*time.Minute), 2 })},
			rows: Rows{Waiting: map[string][]Waiting{"a": {item(1, "k1", -3*time.Minute), item(2, "k2", -2*time.Minute), item(3, "k3", -time.Minute)}},
				Recent: map[string]Recent{"a": {Last: at(-5 * time.Minute), Today: 1}}},
			hours: 24, want: []string{"20 06:05 a each [k1]", "21 00:00 a each [k2]", "21 00:10 a each [k3]"}},
		"settle, embargo and what waits beyond the end": {
			channels: map[string]configs.Channel{"a": each(func(e *configs.Each) { e.Settle = sdk.D(30 * time.Minute) })},
			rows: Rows{Waiting: map[string][]Waiting{"a": {item(1, "k1", 0), item(2, "k2", 0, func(w *Waiting) { w.NotBefore = at(time.Hour) }),
				item(3, "k3", 0, func(w *Waiting) { w.NotBefore = at(5 * time.Hour) })}}},
			hours: 2, want: []string{"20 06:30 a each [k1]", "20 07:00 a each [k2]", "a still k3 for embargo until 20 11:00"}},
		"too old, and expired on the way": {
			channels: map[string]configs.Channel{"a": each(func(e *configs.Each) { e.MaxAge, e.Pace.Gap = sdk.D(time.Hour), sdk.D(40*time.Minute) })},
			rows: Rows{Waiting: map[string][]Waiting{"a": {item(1, "old", -2*time.Hour), item(2, "k2", -time.Minute),
				item(3, "k3", -time.Minute, func(w *Waiting) { w.Content.ExpiresAt = at(20 * time.Minute) })}}},
			hours: 3, want: []string{"20 06:00 a each [k2]", "20 06:00 a out old: max_age hold=false", "20 06:20 a out k3: expired hold=false"}},
		"a blackout holds": {
			channels:  map[string]configs.Channel{"a": each()},
			blackouts: map[string]configs.Blackout{"b": {Hours: "06:00-07:00", Then: "hold"}},
			rows:      Rows{Waiting: map[string][]Waiting{"a": {item(1, "k1", -time.Minute)}}},
			hours:     3, want: []string{"20 06:00 a out k1: blackout hold=true"}},
		"a paused channel": {
			channels: map[string]configs.Channel{"a": each()},
			rows:     Rows{Waiting: map[string][]Waiting{"a": {item(1, "k1", -time.Minute)}}, Paused: map[string]time.Time{"": at(-time.Hour)}},
			hours:    3, want: []string{"a still k1 for everything is paused until ?"}},
		"digests": {
			channels: map[string]configs.Channel{"d": digest("0 7,8 * * *", func(d *configs.Digest) { d.MaxItems = 1 })},
			rows: Rows{Waiting: map[string][]Waiting{"d": {item(1, "k1", -3*time.Minute), item(2, "k2", -2*time.Minute)}},
				Schedules: map[string]ScheduleState{"d": {CheckedUntil: at(-time.Minute)}}},
			hours: 24, want: []string{"20 07:00 d digest [k2]", "20 08:00 d digest [k1]"}},
		"a digest without items": {
			channels: map[string]configs.Channel{"d": digest("0 7 * * *", func(d *configs.Digest) { d.MinItems = 2 })},
			rows:     Rows{Waiting: map[string][]Waiting{"d": {item(1, "k1", -3*time.Minute)}}},
			hours:    24, want: []string{"20 07:00 d digest [] (1 of at least 2 items wait)", "d still k1 for the next digest: 1 of at least 2 items wait until 21 07:00"}},
		"a digest that is caught up": {
			channels: map[string]configs.Channel{"d": digest("0 5 * * *")},
			rows: Rows{Waiting: map[string][]Waiting{"d": {item(1, "k1", -3*time.Hour)}},
				Schedules: map[string]ScheduleState{"d": {CheckedUntil: at(-2 * time.Hour)}}},
			hours: 2, want: []string{"20 06:00 d digest [k1] late"}},
		"a paused digest": {
			channels: map[string]configs.Channel{"d": digest("0 7 * * *")},
			rows:     Rows{Waiting: map[string][]Waiting{"d": {item(1, "k1", 0)}}, Paused: map[string]time.Time{"d": at(-time.Hour)}},
			hours:    24, want: []string{"20 07:00 d digest [] (the channel is paused)", "d still k1 for the channel is paused until ?"}},
		"a blackout over a digest, of which the last is caught up": {
			channels:  map[string]configs.Channel{"d": digest("0 7,8 * * *")},
			blackouts: map[string]configs.Blackout{"b": {Hours: "06:30-09:00", Then: "hold"}},
			rows:      Rows{Waiting: map[string][]Waiting{"d": {item(1, "k1", 0)}}},
			hours:     12, want: []string{"20 07:00 d digest [] (b) until 20 09:00", "20 08:00 d digest [] (b) until 20 09:00", "20 09:00 d digest [k1] late"}},
		"a blackout over a digest that is not made up for": {
			channels:  map[string]configs.Channel{"d": digest("0 7 * * *", func(d *configs.Digest) { d.CatchUp = "none" })},
			blackouts: map[string]configs.Blackout{"b": {Hours: "06:30-09:00", Then: "hold"}},
			rows:      Rows{Waiting: map[string][]Waiting{"d": {item(1, "k1", 0)}}},
			hours:     12, want: []string{"20 07:00 d digest [] (b) until 20 09:00", "d still k1 for the end of the blackout b, which silences the digest until 21 09:00"}},
		"a blackout without an end": {
			channels:  map[string]configs.Channel{"d": digest("0 7 * * *")},
			blackouts: map[string]configs.Blackout{"b": {Hours: "00:00-24:00", Then: "hold"}},
			rows:      Rows{Waiting: map[string][]Waiting{"d": {item(1, "k1", 0)}}},
			hours:     30, want: []string{"20 07:00 d digest [] (b) until ?", "21 07:00 d digest [] (b) until ?",
				"d still k1 for the end of the blackout b, which silences the digest until ?"}},
		"a blackout over some items of a digest": {
			channels:  map[string]configs.Channel{"d": digest("0 7 * * *")},
			blackouts: map[string]configs.Blackout{"b": {From: "2026-11-20", Until: "2026-11-22", Where: `hasTag("wahl")`, Then: "hold"}},
			rows: Rows{Waiting: map[string][]Waiting{"d": {item(1, "k1", 0, func(w *Waiting) { w.Content.Tags = []string{"Wahl"} }), item(2, "k2", 0),
				item(3, "k3", 0, func(w *Waiting) { w.Content.Tags, w.Released = []string{"Wahl"}, true })}}},
			hours: 12, want: []string{"20 07:00 d digest [k3 k2]", "d still k1 for the end of the blackout b until 22 00:00"}},
		"editors' posts": {
			channels:  map[string]configs.Channel{"a": each(), "e": {}},
			blackouts: map[string]configs.Blackout{"b": {Hours: "09:00-10:00", Channels: []string{"e"}, Then: "hold"}},
			rows: Rows{Scheduled: []Scheduled{{Post: 1, Channel: "e", At: at(-time.Minute)}, {Post: 2, Channel: "e", At: at(3 * time.Hour)},
				{Post: 3, Channel: "a", At: at(2 * time.Hour)}, {Post: 4, Channel: "a", At: at(50 * time.Hour)}}, Paused: map[string]time.Time{"a": from}},
			hours: 24, want: []string{"20 06:00 e editor []", "20 08:00 a editor [] (the channel is paused)", "20 09:00 e editor [] (b)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := configs.Default()
			cfg.Channels, cfg.Blackouts = c.channels, c.blackouts
			p, problems := Compile(&cfg)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got := foreseen(p.LookAhead(c.rows, Span{From: from, Until: from.Add(time.Duration(c.hours) * time.Hour)}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A schedule that is always due is cut off, and says so.
func TestLookAheadIsBounded(t *testing.T) {
	t.Parallel()
	cfg := configs.Default()
	c := configs.Channel{Digest: &configs.Digest{}}
	c.Digest.SetDefaults()
	c.Digest.Cron = "@every 1s"
	cfg.Channels = map[string]configs.Channel{"d": c}
	p, problems := Compile(&cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	from := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	f := p.LookAhead(Rows{}, Span{From: from, Until: from.Add(24 * time.Hour)})
	if !f.More || len(f.Posts) != maxForeseen {
		t.Errorf("%d posts, more %v", len(f.Posts), f.More)
	}
	// So is one that a blackout silences always.
	cfg.Blackouts = map[string]configs.Blackout{"b": {Hours: "00:00-24:00"}}
	if p, problems = Compile(&cfg); len(problems) > 0 {
		t.Fatal(problems)
	}
	f = p.LookAhead(Rows{}, Span{From: from, Until: from.Add(24 * time.Hour)})
	if !f.More || len(f.Posts) != maxForeseen || f.Posts[0].Silenced != "b" {
		t.Errorf("%d posts, more %v", len(f.Posts), f.More)
	}
}

// What lies before the time that is asked for is no part of the answer, however much it is.
func TestLookAheadFromLater(t *testing.T) {
	t.Parallel()
	cfg := configs.Default()
	cfg.Timezone = "Europe/Paris"
	digest := func(cron string) configs.Channel {
		c := configs.Channel{Digest: &configs.Digest{}}
		c.Digest.SetDefaults()
		c.Digest.Cron = cron
		return c
	}
	cfg.Channels = map[string]configs.Channel{"d": digest("*/5 * * * *"), "e": digest("0 7 1 12 *"), "minute": digest("* * * * *"), "second": digest("@every 1s")}
	p, problems := Compile(&cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	// One comes under an embargo, on the way, and one that nobody has used by then expires.
	w := func(id int64, key string, change func(*Waiting)) Waiting {
		w := Waiting{Item: id, Revision: 1, Source: "s", Content: sdk.Item{Key: key, Title: key}, SeenAt: now, ChangedAt: now, Since: now}
		change(&w)
		return w
	}
	rows := Rows{Waiting: map[string][]Waiting{
		"d":      {w(1, "now", func(*Waiting) {}), w(2, "later", func(w *Waiting) { w.NotBefore = now.AddDate(0, 0, 3) }), w(3, "then", func(w *Waiting) { w.NotBefore = time.Date(2026, 12, 1, 6, 3, 0, 0, time.UTC) })},
		"minute": {w(4, "early", func(w *Waiting) { w.Content.ExpiresAt, w.NotBefore = now.AddDate(0, 0, 1), now.AddDate(0, 0, 2) })},
	}}
	from := time.Date(2026, 12, 1, 5, 59, 0, 0, time.UTC)
	f := p.LookAhead(rows, Span{Now: now, From: from, Until: from.Add(10 * time.Minute)})
	var got []string
	for _, line := range foreseen(f) {
		if !strings.Contains(line, " minute digest") && !strings.Contains(line, " second digest") {
			got = append(got, line)
		}
	}
	want := []string{"01 06:00 d digest [] (no item waits)", "01 06:00 e digest [] (no item waits)", "01 06:05 d digest [then]", "21 09:00 minute out early: expired hold=false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	count := map[string]int{}
	for _, x := range f.Posts {
		count[x.Channel]++
	}
	if diff := cmp.Diff(map[string]int{"d": 2, "e": 1, "minute": 11, "second": 601}, count); diff != "" || f.More {
		t.Errorf("(-want +got):\n%s more %v", diff, f.More)
	}
}

// Decades of seconds before the time that is asked for are passed over, not played; a test that plays them never ends.
func TestLookAheadOverDecades(t *testing.T) {
	t.Parallel()
	cfg := configs.Default()
	c := configs.Channel{Digest: &configs.Digest{}}
	c.Digest.SetDefaults()
	c.Digest.Cron, c.Digest.MinItems = "@every 1s", 2
	cfg.Channels = map[string]configs.Channel{"d": c}
	p, problems := Compile(&cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	now := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	waits := Waiting{Item: 1, Source: "s", Content: sdk.Item{Key: "k", ExpiresAt: now.AddDate(200, 0, 0)}, SeenAt: now, ChangedAt: now, NotBefore: now.AddDate(20, 0, 0)}
	from := now.AddDate(30, 0, 0)
	f := p.LookAhead(Rows{Waiting: map[string][]Waiting{"d": {waits}}}, Span{Now: now, From: from, Until: from.Add(2 * time.Second)})
	if len(f.Posts) != 3 || f.More || len(f.Out) != 1 || f.Out[0].Reason != ReasonMaxAge || f.Out[0].At.Before(waits.NotBefore) {
		t.Errorf("%v, more %v", foreseen(f), f.More)
	}
}

// When the next digest is made: after blackouts, and as catch_up says at their end.
func TestNextDigest(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		cron, catchUp string
		blackout      configs.Blackout
		rows          Rows
		want          NextDigest
	}{
		"as planned": {"0 7 * * *", "last", configs.Blackout{}, Rows{}, NextDigest{At: now.Add(time.Hour)}},
		"caught up after a blackout": {"0 7 * * *", "last", configs.Blackout{Hours: "05:00-08:30"}, Rows{},
			NextDigest{At: now.Add(150 * time.Minute), Silenced: "b", Until: now.Add(150 * time.Minute)}},
		"the one after a blackout": {"0 7,9 * * *", "none", configs.Blackout{Hours: "05:00-08:30"}, Rows{},
			NextDigest{At: now.Add(3 * time.Hour), Silenced: "b", Until: now.Add(150 * time.Minute)}},
		"too late to catch up": {"0 7 * * *", "last", configs.Blackout{From: "2026-11-20", Until: "2026-11-23"}, Rows{},
			NextDigest{At: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), Silenced: "b", Until: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}},
		"always silenced":               {"* * * * *", "last", configs.Blackout{Hours: "00:00-24:00"}, Rows{}, NextDigest{Silenced: "b"}},
		"never outside":                 {"0 7 * * *", "none", configs.Blackout{Hours: "06:30-07:30"}, Rows{}, NextDigest{Silenced: "b", Until: now.Add(90 * time.Minute)}},
		"a blackout of some items only": {"0 7 * * *", "last", configs.Blackout{Hours: "05:00-08:30", Where: "true"}, Rows{}, NextDigest{At: now.Add(time.Hour)}},
		"missed a moment ago":           {"55 5 * * *", "last", configs.Blackout{}, Rows{Schedules: map[string]ScheduleState{"d": {CheckedUntil: now.Add(-time.Hour)}}}, NextDigest{At: now}},
		"a clock that was set back": {"*/5 * * * *", "last", configs.Blackout{}, Rows{Schedules: map[string]ScheduleState{"d": {CheckedUntil: now.Add(time.Hour)}}},
			NextDigest{At: now.Add(65 * time.Minute)}},
		"paused": {"0 7 * * *", "last", configs.Blackout{Hours: "05:00-08:30"}, Rows{Paused: map[string]time.Time{"d": now}}, NextDigest{Paused: ChannelPaused}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := configs.Default()
			ch := configs.Channel{Digest: &configs.Digest{}}
			ch.Digest.SetDefaults()
			ch.Digest.Cron, ch.Digest.CatchUp = c.cron, c.catchUp
			cfg.Channels = map[string]configs.Channel{"d": ch}
			if c.blackout.Hours != "" || c.blackout.From != "" {
				cfg.Blackouts = map[string]configs.Blackout{"b": c.blackout}
			}
			p, problems := Compile(&cfg)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(c.want, p.NextDigest(c.rows, "d", now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

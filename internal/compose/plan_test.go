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
		for _, note := range []string{p.Empty, p.Held} {
			if note != "" {
				line += " (" + note + ")"
			}
		}
		if p.Late {
			line += " late"
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
			got := foreseen(p.LookAhead(c.rows, from, from.Add(time.Duration(c.hours)*time.Hour)))
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
	f := p.LookAhead(Rows{}, from, from.Add(24*time.Hour))
	if !f.More || len(f.Posts) > maxForeseen+1 {
		t.Errorf("%d posts, more %v", len(f.Posts), f.More)
	}
}

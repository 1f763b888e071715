package compose_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

// world is a random configuration with random rows, at a random moment.
type world struct {
	*rand.Rand
	config  configs.Config
	inserts []intake.Insert
	pauses  []string
}

// some is true one time in n.
func (w *world) some(n int) bool { return w.IntN(n) == 0 }

func (w *world) minutes(most int) sdk.Duration {
	return sdk.D(time.Duration(w.IntN(most)) * time.Minute)
}

func oneOf[T any](w *world, list ...T) T { return list[w.IntN(len(list))] }

func (w *world) each() *configs.Each {
	e := &configs.Each{}
	e.SetDefaults()
	if w.some(2) {
		e.Settle = w.minutes(90)
	}
	if w.some(2) {
		e.Pace.Gap = w.minutes(240)
	}
	if w.some(3) {
		e.Pace.PerDay = 1 + w.IntN(4)
	}
	e.Pace.Prefer = oneOf(w, "oldest", "newest", "urgency")
	e.MaxAge = sdk.D(time.Duration(w.IntN(30)) * time.Hour)
	e.Hours = oneOf(w, "", "", "07:00-22:00", "22:00-02:00", "mon-fri 09:00-12:30", "sat-sun 00:00-24:00")
	e.Urgent = oneOf(w, "", "", "item.urgency <= 2", `hasTag("eilt")`, `item.tags[0] == "eilt"`)
	return e
}

func (w *world) digest() *configs.Digest {
	d := &configs.Digest{}
	d.SetDefaults()
	d.Cron = oneOf(w, "0 7 * * *", "30 2 * * *", "*/45 * * * *", "0 */6 * * *", "@every 3h", "15 1,2,3 * * *", "0 7 1 1 *")
	d.Timezone = oneOf(w, "", "", "America/New_York", "Australia/Lord_Howe")
	d.MaxItems, d.MinItems = 1+w.IntN(5), 1+w.IntN(2)
	d.Order = oneOf(w, "newest", "oldest", "urgency")
	d.CatchUp = oneOf(w, "none", "last", "all")
	d.MaxAge = sdk.D(time.Duration(w.IntN(40)) * time.Hour)
	return d
}

func (w *world) blackout(now time.Time, zone *time.Location) configs.Blackout {
	b := configs.Blackout{}
	b.SetDefaults()
	b.Then = oneOf(w, "hold", "drop")
	b.Where = oneOf(w, "", "", `hasTag("wahl")`, `item.tags[0] == "wahl"`)
	if w.some(2) {
		b.Hours = oneOf(w, "01:00-04:00", "12:00-13:00", "23:30-00:30", "mon-sun 06:30-07:30")
	} else {
		from := now.Add(time.Duration(w.IntN(48*60)-24*60) * time.Minute).In(zone)
		b.From, b.Until = from.Format("2006-01-02 15:04"), from.Add(time.Duration(1+w.IntN(600))*time.Minute).Format("2006-01-02 15:04")
	}
	if w.some(2) {
		b.Channels = []string{oneOf(w, "one", "two", "digest", "desk")}
	}
	return b
}

func newWorld(seed uint64, now time.Time) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 7)), config: configs.Default()}
	w.config.Timezone = oneOf(w, "UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Africa/Cairo")
	zone := w.config.Zone()
	w.config.Channels, w.config.Blackouts = map[string]configs.Channel{}, map[string]configs.Blackout{}
	for _, name := range []string{"one", "two", "digest", "desk"} {
		c := configs.Channel{}
		c.SetDefaults()
		c.Title, c.Sources = configs.Localized{"": name}, []string{"s", "t"}
		switch name {
		case "digest":
			c.Digest = w.digest()
		case "desk":
			c.Sources = nil
		default:
			c.Each = w.each()
		}
		c.Where = oneOf(w, "", "", "", `not hasTag("sport")`, `item.tags[0] != "sport"`)
		w.config.Channels[name] = c
		if w.some(9) {
			w.pauses = append(w.pauses, name)
		}
	}
	for i := range w.IntN(3) {
		w.config.Blackouts[fmt.Sprint("b", i)] = w.blackout(now, zone)
	}
	for i := range w.IntN(14) {
		seen := now.Add(-time.Duration(w.IntN(600)) * time.Minute)
		it := sdk.Item{Key: fmt.Sprint("k", i), Title: fmt.Sprint("Title ", i), Published: seen.Add(-time.Duration(w.IntN(100)) * time.Minute), Urgency: w.IntN(10)}
		it.URL = fmt.Sprintf("https://news.example/%d", w.IntN(20))
		for _, tag := range []string{"eilt", "wahl", "sport"} {
			if w.some(4) {
				it.Tags = append(it.Tags, tag)
			}
		}
		if w.some(4) {
			it.ExpiresAt = now.Add(time.Duration(w.IntN(1500)-100) * time.Minute)
		}
		in := intake.Insert{Item: it, Substance: it.Key, Facts: it.Key, Link: intake.Canonical(it.URL), State: intake.Live, SeenAt: seen}
		if w.some(4) {
			in.NotBefore = now.Add(time.Duration(w.IntN(1600)-100) * time.Minute)
		}
		w.inserts = append(w.inserts, in)
	}
	return w
}

// Whatever is configured and waits, the plan of a day is what the day then brings: the same posts of the same items at
// the same moments, the same items left out and held for the same reasons, and nothing else.
func TestWhatIsPlannedHappens(t *testing.T) {
	t.Parallel()
	posts, others := 0, 0
	for seed := range uint64(36) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				p, o := planAndLive(t, dir, seed)
				posts, others = posts+p, others+o
			})
		})
	}
	if posts < 80 || others < 40 {
		t.Errorf("the worlds were too quiet: %d posts, %d items left out or waiting", posts, others)
	}
}

func planAndLive(t *testing.T, dir string, seed uint64) (posts, others int) {
	ctx := t.Context()
	// Some days have 23 or 25 hours somewhere.
	day := []time.Time{time.Date(2026, 3, 28, 5, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 11, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 8, 1, 0, 0, 0, time.UTC)}[seed%4]
	time.Sleep(time.Until(day))
	now := time.Now()
	w := newWorld(seed, now)
	program, problems := compose.Compile(&w.config)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	db := sqlitetest.Open(t, filepath.Join(dir, "belfry.db"))
	defer db.Close()
	w.fill(t, db, program, now)
	rows := compose.Rows{Waiting: map[string][]compose.Waiting{}, Recent: map[string]compose.Recent{}, Schedules: map[string]compose.ScheduleState{}}
	end := now.Add(24 * time.Hour)
	for name, ch := range program.Channels {
		var errs [3]error
		rows.Waiting[name], errs[0] = db.WaitingItems(ctx, name)
		rows.Recent[name], errs[1] = db.RecentPosts(ctx, name, program.DayStart(now), 10)
		rows.Schedules[name], errs[2] = db.Schedule(ctx, ch.ScheduleName())
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var err error
	if rows.Scheduled, err = db.DuePosts(ctx, end); err != nil {
		t.Fatal(err)
	}
	if rows.Paused, err = db.PausedChannels(ctx); err != nil {
		t.Fatal(err)
	}
	plan := program.LookAhead(rows, compose.Span{Now: now, From: now, Until: end})
	for _, ahead := range []time.Duration{time.Minute, 97 * time.Minute, 8 * time.Hour, 23*time.Hour + 59*time.Minute} {
		fromLater(t, program, rows, plan, compose.Span{Now: now, From: now.Add(ahead), Until: end})
	}
	live(t, db, program, end)
	var planned, out []string
	for _, f := range plan.Posts {
		if f.Missed || f.Empty != "" || f.Held != "" || f.Silenced != "" {
			continue
		}
		var keys []string
		for _, i := range f.Items {
			keys = append(keys, i.Content.Key)
		}
		planned = append(planned, fmt.Sprint(f.At.UTC().Format("02 15:04:05.000000 "), f.Channel, " ", f.Kind, " ", keys))
	}
	for _, o := range plan.Out {
		state := compose.StateLeftOut
		if o.Hold {
			state = compose.StateHeld
		}
		out = append(out, fmt.Sprint(o.Channel, " ", o.Waiting.Content.Key, " ", state, " ", o.Reason))
	}
	happened, left := record(t, db, now)
	if diff := cmp.Diff(planned, happened); diff != "" {
		t.Errorf("posts (-planned +happened):\n%s", diff)
	}
	slices.Sort(out)
	if diff := cmp.Diff(out, left); diff != "" {
		t.Errorf("left out or held (-planned +happened):\n%s", diff)
	}
	// What waits in the plan still waits.
	for _, s := range plan.Waiting {
		waiting, err := db.WaitingItems(ctx, s.Channel)
		if err != nil || !slices.ContainsFunc(waiting, func(w compose.Waiting) bool { return w.Item == s.Waiting.Item }) {
			t.Errorf("%s in %s does not wait any more, as planned: %v", s.Waiting.Content.Key, s.Channel, err)
		}
	}
	return len(happened), len(left) + len(plan.Waiting)
}

// fromLater compares a plan from a later time with what the whole plan says of the time from then on.
func fromLater(t *testing.T, program *compose.Program, rows compose.Rows, whole compose.Forecast, span compose.Span) {
	t.Helper()
	tell := func(list []compose.Foreseen, from time.Time) []string {
		var out []string
		for _, f := range list {
			if f.At.Before(from) {
				continue
			}
			line := fmt.Sprint(f.At.UTC().Format("02 15:04:05.000000 "), f.Channel, " ", f.Kind, " ", f.Due.Key, f.Late, f.Missed, f.Paused, f.Empty, f.Held, f.Silenced, f.SilencedUntil.UTC(), f.Title)
			for _, i := range f.Items {
				line += " " + i.Content.Key
			}
			out = append(out, line)
		}
		return out
	}
	later := program.LookAhead(rows, span)
	if diff := cmp.Diff(tell(whole.Posts, span.From), tell(later.Posts, time.Time{})); diff != "" {
		t.Errorf("posts from %s on (-in the whole +asked for):\n%s", span.From, diff)
	}
	state := func(f compose.Forecast) []string {
		var out []string
		for _, o := range f.Out {
			out = append(out, fmt.Sprint(o.Channel, o.Item, o.Reason, o.Hold))
		}
		for _, w := range f.Waiting {
			out = append(out, fmt.Sprint(w.Channel, w.Waiting.Item, w.For, w.Until.UTC()))
		}
		slices.Sort(out)
		return out
	}
	if diff := cmp.Diff(state(whole), state(later)); diff != "" {
		t.Errorf("what is left from %s on (-in the whole +asked for):\n%s", span.From, diff)
	}
}

// fill brings the rows of the world into a store, as if the daemon had looked at them for hours.
func (w *world) fill(t *testing.T, db *store.DB, program *compose.Program, now time.Time) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	then := now.Add(-11 * time.Hour)
	check(db.UseSources(ctx, []store.SourceSetting{{Name: "s", Poll: time.Minute}, {Name: "t", Poll: time.Minute}}, then))
	check(db.UseChannels(ctx, []string{"one", "two", "digest", "desk"}, then))
	for i, source := range []string{"s", "t"} {
		st, err := db.SourceState(ctx, source)
		check(err)
		ch := intake.Change{State: st}
		for j, in := range w.inserts {
			if j%2 == i {
				ch.Inserts = append(ch.Inserts, in)
			}
		}
		check(db.CommitIntake(ctx, ch, now))
	}
	changed, err := db.ChangedItems(ctx, 100)
	check(err)
	since, err := db.ChannelsSince(ctx)
	check(err)
	check(db.CommitEvaluations(ctx, program.EvaluateItems(changed, since), now))
	// The digest was looked at a while ago: a downtime lies behind.
	_, err = db.CommitPosts(ctx, compose.Commit{Channel: "digest", Schedule: program.Channels["digest"].ScheduleName(), Spec: "x",
		CheckedUntil: now.Add(-time.Duration(w.IntN(500)) * time.Minute)}, now)
	check(err)
	for i := range w.IntN(4) {
		c, err := program.Channels["desk"].Write(compose.Draft{Title: fmt.Sprint("Own ", i)}, now)
		check(err)
		at := now.Add(time.Duration(w.IntN(1800)-60) * time.Minute)
		_, err = db.CreatePost(ctx, program.Channels["desk"].EditorPost(c, at, false, now), nil, "test", now)
		check(err)
	}
	for _, name := range w.pauses {
		_, err := db.Pause(ctx, store.PauseChannel, name, "test", now.Add(-time.Duration(w.IntN(60))*time.Minute))
		check(err)
	}
}

// live lets the engine look whenever it wants to, until the end.
func live(t *testing.T, db *store.DB, program *compose.Program, end time.Time) {
	t.Helper()
	e := compose.NewEngine(compose.Settings{Store: db, Log: slog.New(slog.DiscardHandler)}, program)
	for looks := 0; ; looks++ {
		next, err := e.Look(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if next.IsZero() || next.After(end) {
			return
		}
		if looks > 5000 {
			t.Fatal("the engine looks without end")
		}
		time.Sleep(time.Until(next))
	}
}

// record is what happened since.
func record(t *testing.T, db *store.DB, since time.Time) (posts, left []string) {
	t.Helper()
	ctx := t.Context()
	list, err := db.Posts(ctx, "", false, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b store.Post) int {
		if c := a.VisibleAt.Compare(b.VisibleAt); c != 0 {
			return c
		}
		if c := strings.Compare(a.Channel, b.Channel); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	for _, p := range list {
		if p.Status != compose.PostLive {
			continue
		}
		items, err := db.PostItems(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, it := range items {
			keys = append(keys, it.Key)
		}
		posts = append(posts, fmt.Sprint(p.VisibleAt.UTC().Format("02 15:04:05.000000 "), p.Channel, " ", p.Kind, " ", keys))
	}
	not, err := db.NotUsed(ctx, "", time.Time{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range not {
		if n.Reason != compose.ReasonWhere && n.Reason != compose.ReasonWhereFailed && n.Reason != compose.ReasonDuplicate {
			left = append(left, fmt.Sprint(n.Channel, " ", n.Key, " ", n.State, " ", n.Reason))
		}
	}
	slices.Sort(left)
	return posts, left
}

//go:build !race

package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

// A stretch is a run of a daemon: from when its clock says that it starts, until when.
type stretch struct {
	name string
	// after is how long after the end of the one before it starts, by the clock: less than nothing when the clock was set back.
	after time.Duration
	lasts time.Duration
	zone  string
	// paused is for how many days from the start the digest's channel is paused; blackout silences it at its own time every day.
	paused   time.Duration
	blackout bool
	// late are the digests that are made late, at the start or at the end of what kept them back.
	late []string
	// held says that what is new at first waits for a person.
	held bool
}

const daily = 24 * time.Hour

// It is one goroutine, in which the race detector finds nothing and takes minutes: make test runs it without.
//
// A newsroom's daemon lives for more than a thousand days through all that a clock does to it: it is down, its clock is set by
// an hour and by ten years either way, its zone changes, somebody pauses a channel, a blackout lies over a digest. There is
// exactly one digest for each day that it saw, at its time, and each item is posted once and soon.
func TestAThousandDays(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/dev/shm", "belfry-days-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	const decade = 3653 * daily
	l := &life{dir: dir, digests: map[string]string{}}
	at := time.Date(2026, 1, 1, 7, 0, 0, 0, time.UTC) // 08:00 in Paris: the digest of that day was due before
	days := 0
	for _, s := range []stretch{
		{name: "an ordinary year", lasts: 400 * daily, zone: "Europe/Paris"},
		// It is 07:00 in Paris again, and the digest of 07:30 was made before.
		{name: "an hour back", after: -time.Hour, lasts: 100*daily - time.Hour, zone: "Europe/Paris"},
		// Its clock jumps over 07:30: from 07:00 to 08:00 in summer.
		{name: "an hour ahead", after: time.Hour, lasts: 50 * daily, zone: "Europe/Paris", late: []string{"2027-05-16"}},
		{name: "down for ten occurrences", after: 10 * daily, lasts: 50 * daily, zone: "Europe/Paris"}, // the digest of the first morning would be empty
		{name: "down for a hundred", after: 100*daily + 5*time.Hour, lasts: 50 * daily, zone: "Europe/Paris", held: true},
		{name: "ten years ahead", after: decade, lasts: 100 * daily, zone: "Europe/Paris", held: true},
		{name: "ten years back", after: -decade, lasts: 100 * daily, zone: "Europe/Paris"},
		{name: "another zone", after: time.Minute, lasts: 100 * daily, zone: "America/New_York"},
		{name: "a pause", after: time.Minute, lasts: 50 * daily, zone: "America/New_York", paused: 5 * daily, late: []string{""}},
		{name: "a blackout", after: time.Minute, lasts: 50 * daily, zone: "Pacific/Auckland", blackout: true},
		// Somebody sets the clock while the blackout, from 7 to 8, keeps the digest back: at 07:40 to 06:40, at 07:40 to 08:40.
		{name: "into a blackout", after: time.Minute, lasts: 3*daily + 7*time.Hour + 36*time.Minute, zone: "Pacific/Auckland", blackout: true},
		{name: "an hour back in a blackout", after: -time.Hour, lasts: 3*daily + time.Hour, zone: "Pacific/Auckland", blackout: true},
		{name: "an hour ahead in a blackout", after: time.Hour, lasts: 3 * daily, zone: "Pacific/Auckland", blackout: true, late: []string{"2029-03-13"}},
	} {
		at = at.Add(s.after)
		synctest.Test(t, func(t *testing.T) { l.live(t, s, at) })
		if t.Failed() {
			t.Fatalf("in %q", s.name)
		}
		at = at.Add(s.lasts)
		days += int(s.lasts / daily)
	}
	if days < 1000 || l.items < 2*1000 {
		t.Errorf("only %d days with %d items were lived", days, l.items)
	}
}

// life is what lasts from one stretch to the next, as somebody outside counts it.
type life struct {
	dir   string
	items int
	// digests are those that were made, by their local day and zone, with the stretch that made them.
	digests map[string]string
	// last is the newest post of the stretches before.
	last int64
}

func (s stretch) program(t *testing.T) *compose.Program {
	t.Helper()
	c := configs.Default()
	c.Timezone = s.zone
	each, brief := configs.Channel{}, configs.Channel{}
	each.SetDefaults()
	brief.SetDefaults()
	each.Title, each.Sources, each.Each = configs.Localized{"": "All"}, []string{"press"}, &configs.Each{}
	each.Each.SetDefaults()
	each.Each.Settle, each.Each.Pace.Gap = sdk.D(10*time.Minute), sdk.D(30*time.Minute)
	brief.Title, brief.Sources, brief.Digest = configs.Localized{"": "Brief"}, []string{"press"}, &configs.Digest{}
	brief.Digest.SetDefaults()
	brief.Digest.Cron = "30 7 * * *"
	c.Channels = map[string]configs.Channel{"all": each, "brief": brief}
	if s.blackout {
		b := configs.Blackout{}
		b.SetDefaults()
		b.Hours, b.Channels = "07:00-08:00", []string{"brief"}
		c.Blackouts = map[string]configs.Blackout{"mornings": b}
	}
	p, problems := compose.Compile(&c)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

// live lives through a stretch: at is what its clock says at the start.
func (l *life) live(t *testing.T, s stretch, at time.Time) {
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Until(at))
	db := sqlitetest.Open(t, filepath.Join(l.dir, "belfry.db"))
	defer func() { ok(db.Close()) }()
	a := &App{db: db, log: slog.New(slog.DiscardHandler), born: time.Now()}
	ok(a.startClock(ctx))
	rules := intake.Rules{Name: "press", Poll: time.Minute, MaxNew: 20}
	ok(db.UseSources(ctx, []store.SourceSetting{{Name: "press", Poll: rules.Poll}}, at))
	ok(db.UseChannels(ctx, []string{"all", "brief"}, at))
	engine := compose.NewEngine(compose.Settings{Store: db, Log: a.log}, s.program(t))
	if s.paused > 0 {
		_, err := db.Pause(ctx, store.PauseChannel, "brief", "test", at)
		ok(err)
	}
	end := at.Add(s.lasts)
	fetch := func(keys ...string) {
		t.Helper()
		st, err := db.SourceState(ctx, "press")
		ok(err)
		if st.NextAt.After(time.Now().Add(rules.Poll)) {
			t.Fatalf("at %s the source is fetched at %s", time.Now(), st.NextAt)
		}
		batch := sdk.Batch{}
		for _, k := range keys {
			batch.Items = append(batch.Items, sdk.Item{Key: k, Title: "Article " + k, Published: time.Now()})
		}
		found, err := db.Found(ctx, "press", batch)
		ok(err)
		ok(db.CommitIntake(ctx, intake.Decide(rules, st, batch, found, time.Now()), time.Now()))
	}
	var keys []string
	if !s.held {
		fetch() // a source is met with an empty document
	}
	next := at.Add(time.Minute)
	zone, err := time.LoadLocation(s.zone)
	ok(err)
	back := at.Add(s.paused).In(zone)
	resume := time.Date(back.Year(), back.Month(), back.Day(), 8, 30, 0, 0, zone) // an hour after a digest was due
	for looks := 0; ; looks++ {
		now := time.Now()
		if !now.Before(next) && now.Before(end.Add(-3*time.Hour)) {
			l.items++
			key := fmt.Sprintf("%s/%d", strings.ReplaceAll(s.name, " ", "-"), l.items)
			keys = append(keys, key)
			fetch(key)
			held, err := db.Holds(ctx, "press")
			ok(err)
			if first := len(keys) == 1; s.held && first != (len(held) == 1) || !s.held && len(held) > 0 {
				t.Fatalf("at %s, after %d items, %d are held", now, len(keys), len(held))
			}
			if len(held) > 0 {
				_, err := db.ReleaseSourceHolds(ctx, "press", false, "test", now)
				ok(err)
			}
			next = now.Add(11*time.Hour + 7*time.Minute)
		}
		if s.paused > 0 && !now.Before(resume) {
			_, err := db.Resume(ctx, store.PauseChannel, "brief", "test", now)
			ok(err)
			s.paused = 0
		}
		wake, err := engine.Look(ctx)
		ok(err)
		if !now.Before(end) {
			break
		}
		until := slices.MinFunc([]time.Time{end, next, resume, wake}, func(a, b time.Time) int {
			switch far := now.Add(daily); { // what lies behind, or nowhere, is no reason to look
			case !a.After(now):
				a = far
			case !b.After(now):
				b = far
			}
			return a.Compare(b)
		})
		if !until.After(now) {
			until = now.Add(time.Second)
		}
		if looks > 100*int(s.lasts/daily) {
			t.Fatal("the engine looks without end")
		}
		time.Sleep(time.Until(until))
	}
	ok(db.KeepClock(ctx, time.Now()))
	l.judge(t, db, s, keys)
}

// judge looks at what a stretch brought.
func (l *life) judge(t *testing.T, db *store.DB, s stretch, keys []string) {
	t.Helper()
	posts, err := db.Posts(t.Context(), "", false, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation(s.zone)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]int{}
	late := slices.Clone(s.late)
	fired := 0
	for _, p := range posts {
		if p.ID <= l.last {
			continue // an earlier stretch made it
		}
		if p.Channel == "all" {
			items, err := db.PostItems(t.Context(), p.ID)
			if err != nil || len(items) != 1 {
				t.Fatalf("%+v, %v", items, err)
			}
			used[items[0].Key]++
			continue
		}
		fired++
		local := p.VisibleAt.In(zone)
		day := local.Format(time.DateOnly)
		if before, twice := l.digests[day+" "+s.zone]; twice {
			t.Errorf("%s: the digest of %s was made before, in %q", s.name, day, before)
		}
		l.digests[day+" "+s.zone] = s.name
		want := "07:30:00"
		if s.blackout {
			want = "08:00:00"
		}
		if got := local.Format(time.TimeOnly); got != want {
			if len(late) == 0 || late[0] != "" && late[0] != day {
				t.Errorf("%s: a digest at %s, want %s", s.name, local, want)
				continue
			}
			late = late[1:]
		}
	}
	if len(late) > 0 {
		t.Errorf("%s: no late digest on %q", s.name, late)
	}
	for _, k := range keys {
		if used[k] != 1 {
			t.Errorf("%s: %s is in %d posts", s.name, k, used[k])
		}
	}
	for _, p := range posts {
		l.last = max(l.last, p.ID)
	}
	// One a day, but for days that had one before, or that a pause kept back.
	if days := int(s.lasts / daily); s.paused == 0 && len(s.late) == 0 && (fired < days-1 || fired > days+1) {
		t.Errorf("%s: %d digests in %d days", s.name, fired, days)
	}
}

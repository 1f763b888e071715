package intake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/conn"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

// script is a source that does as it is told. Its zero value has nothing new.
type script struct {
	mu       sync.Mutex
	fetch    func(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error)
	check    func(items []sdk.ItemRef) ([]sdk.Presence, error)
	fetches  []time.Time // when it was fetched
	cursors  []string    // what it was given
	checks   []string    // keys, each with its time
	at, most int         // fetches under way now, and the most at once
}

func (s *script) Close(context.Context) error { return nil }

func (s *script) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	s.mu.Lock()
	s.fetches, s.cursors = append(s.fetches, time.Now()), append(s.cursors, string(r.Cursor))
	s.at++
	s.most = max(s.most, s.at)
	fetch := s.fetch
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.at--
		s.mu.Unlock()
	}()
	if fetch == nil {
		return sdk.Batch{Unchanged: true, Next: r.Cursor}, nil
	}
	return fetch(ctx, r)
}

func (s *script) CheckItems(_ context.Context, items []sdk.ItemRef) ([]sdk.Presence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		s.checks = append(s.checks, it.Key+" "+time.Since(epoch).Round(time.Minute).String())
	}
	if s.check == nil {
		return nil, errors.New("nothing is known")
	}
	return s.check(items)
}

// will changes what the source does.
func (s *script) will(fetch func(context.Context, sdk.FetchRequest) (sdk.Batch, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetch = fetch
}

// shows makes the source give these items from now on, with a cursor that counts.
func (s *script) shows(items ...sdk.Item) {
	n := 0
	s.will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
		n++
		return sdk.Batch{Items: items, Next: sdk.Cursor(fmt.Sprint("after ", n))}, nil
	})
}

func (s *script) fails(err error) {
	s.will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) { return sdk.Batch{}, err })
}

// times are when it was fetched since the beginning, and forgets them.
func (s *script) times() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, t := range s.fetches {
		out = append(out, t.Sub(epoch).Round(time.Second).String())
	}
	s.fetches = nil
	return out
}

// epoch is when the time of a synctest bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// desk is a poller on a store of its own, inside a bubble.
type desk struct {
	t       *testing.T
	file    string
	db      *store.DB
	sources map[string]*script
	rules   map[string]intake.Rules
	poller  *intake.Poller
	crash   func(error) error // in place of a commit's answer
}

func rules(name string, change ...func(*intake.Rules)) intake.Rules {
	r := intake.Rules{Name: name, Poll: 5 * time.Minute, MaxNew: 5, HoldFuture: true, Watch: 7 * 24 * time.Hour, Checkable: true}
	for _, c := range change {
		c(&r)
	}
	return r
}

// bubble runs a test with sources of these rules; all are primed with nothing.
func bubble(t *testing.T, test func(t *testing.T, d *desk), all ...intake.Rules) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, file: filepath.Join(dir, "belfry.db"), sources: map[string]*script{}, rules: map[string]intake.Rules{}}
		for _, r := range all {
			d.sources[r.Name], d.rules[r.Name] = &script{}, r
		}
		d.open()
		defer func() {
			d.stop()
			if err := d.db.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(t, d)
	})
}

func (d *desk) open() {
	d.t.Helper()
	db := sqlitetest.Open(d.t, d.file)
	d.db = db
	d.use()
}

// use applies the rules as a start or a reload does.
func (d *desk) use() {
	d.t.Helper()
	var list []store.SourceSetting
	for name, r := range d.rules {
		list = append(list, store.SourceSetting{Name: name, Poll: r.Poll})
	}
	if err := d.db.UseSources(d.t.Context(), list, time.Now()); err != nil {
		d.t.Fatal(err)
	}
}

// crashing answers commits in place of the store.
type crashing struct {
	*store.DB
	d *desk
}

func (c crashing) CommitIntake(ctx context.Context, ch intake.Change, now time.Time) error {
	if c.d.crash != nil {
		return c.d.crash(nil)
	}
	return c.DB.CommitIntake(ctx, ch, now)
}

func (d *desk) start() {
	d.t.Helper()
	log := slog.New(slog.DiscardHandler)
	d.poller = intake.NewPoller(intake.Settings{Store: crashing{d.db, d}, Log: log, Deadline: 90 * time.Second, Workers: 4,
		Instance: func(name string) (intake.Instance, func(), bool) {
			s, ok := d.sources[name]
			return intake.Instance{Rules: d.rules[name], Conn: conn.Recovering(s, log)}, func() {}, ok
		}})
	if err := d.poller.Start(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) stop() {
	if d.poller == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := d.poller.Stop(ctx); err != nil {
		d.t.Errorf("stop: %v", err)
	}
	d.poller = nil
}

// sleep lets time pass.
func (d *desk) sleep(long time.Duration) {
	time.Sleep(long)
	synctest.Wait()
}

// pass lets time pass: much of it in minutes of which the poller runs the last seconds only, because it looks every second.
func (d *desk) pass(long time.Duration) {
	for ; long >= 3*time.Minute && d.poller != nil; long -= time.Minute {
		d.skip(time.Minute, time.Minute)
	}
	d.sleep(long)
}

// skip lets much time pass in steps, between which the poller does not run: it looks every second.
func (d *desk) skip(long, step time.Duration) {
	for range long / step {
		d.stop()
		time.Sleep(step - 6*time.Second)
		d.start()
		d.sleep(6 * time.Second)
	}
}

// run starts the poller and lets its first fetches happen.
func (d *desk) run() {
	d.start()
	d.pass(time.Second)
}

func (d *desk) state(name string) intake.State {
	d.t.Helper()
	st, err := d.db.SourceState(d.t.Context(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	return st
}

// items are the items of the store in short, by key.
func (d *desk) items(keys ...string) []string {
	d.t.Helper()
	var out []string
	for _, key := range keys {
		rows, err := d.db.FindItem(d.t.Context(), "", key)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, it := range rows {
			s := fmt.Sprintf("%s %s %d", it.Key, it.State, it.Revision)
			if it.Baseline {
				s += " baseline"
			}
			if !it.NotBefore.IsZero() {
				s += " not before " + it.NotBefore.Sub(epoch).String()
			}
			if it.Reason != "" {
				s += ": " + it.Reason
			}
			out = append(out, s)
		}
	}
	return out
}

func (d *desk) alerts() []string {
	d.t.Helper()
	rows, err := d.db.Alerts(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	out := []string{}
	for _, a := range rows {
		out = append(out, string(a.Code)+" "+a.Subject)
	}
	return out
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func item(key string, change ...func(*sdk.Item)) sdk.Item {
	it := sdk.Item{Key: key, Title: "Title " + key, URL: "https://news.example/" + key, Published: epoch.Add(-time.Hour)}
	for _, c := range change {
		c(&it)
	}
	return it
}

func many(prefix string, n int) (out []sdk.Item) {
	for i := range n {
		out = append(out, item(fmt.Sprint(prefix, i)))
	}
	return out
}

// Nothing of a fetch is stored without the rest: after a failure in between, the source is asked again from where it was.
func TestCursorAndItemsAreOneCommit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		s := d.sources["s"]
		s.shows()
		d.run()
		s.shows(item("a"))
		d.crash = func(error) error { return errors.New("the power fails") }
		d.pass(5 * time.Minute)
		same(t, "items", []string(nil), d.items("a"))
		same(t, "cursor", "after 1", string(d.state("s").Cursor))
		d.stop()
		d.crash = nil
		if err := d.db.Close(); err != nil {
			t.Fatal(err)
		}
		d.open()
		d.run()
		d.pass(10 * time.Minute)
		same(t, "items", []string{"a live 1"}, d.items("a"))
		if last := s.cursors[len(s.cursors)-1]; !strings.HasPrefix(last, "after ") {
			t.Errorf("the last cursor is %q", last)
		}
		if !slices.Contains(s.cursors, "after 1") || s.cursors[2] != "after 1" {
			t.Errorf("it went on from %q", s.cursors)
		}
	}, rules("s"))
}

// What cannot be stored does not make the source be asked again and again.
func TestAnUnstorableAnswerIsNoStorm(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		s := d.sources["s"]
		s.shows()
		d.run()
		calls := 0
		d.crash = func(error) error {
			if calls++; calls%2 == 1 {
				return errors.New("this row cannot be written")
			}
			d.crash, calls = nil, 0
			return errors.New("nor can that")
		}
		s.times()
		d.sleep(5*time.Minute + 30*time.Second)
		if n := len(s.times()); n > 31 {
			t.Errorf("it was fetched %d times in half a minute", n)
		}
	}, rules("s"))
	bubble(t, func(t *testing.T, d *desk) {
		s := d.sources["s"]
		s.shows(item("a", func(it *sdk.Item) { it.Updated = time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC) }))
		d.run()
		d.pass(10 * time.Minute)
		same(t, "a time that cannot be written", []string{"a live 1 baseline"}, d.items("a"))
		same(t, "fetches", []string{"0s", "5m0s", "10m0s"}, s.times())
	}, rules("s"))
}

func TestWhenItIsFetched(t *testing.T) {
	t.Parallel()
	unavailable := &sdk.Error{Code: sdk.CodeUnavailable, Public: "no answer"}
	for name, c := range map[string]struct {
		batch sdk.Batch
		err   error
		long  time.Duration
		most  int // fetches in that time, beyond the first
		least int
	}{
		"poll is the floor":                  {batch: sdk.Batch{Wait: time.Second}, long: time.Hour, most: 12, least: 12},
		"a quiet source asks for less":       {batch: sdk.Batch{Wait: 20 * time.Minute}, long: time.Hour, most: 3, least: 3},
		"a negative wait is none":            {batch: sdk.Batch{Wait: -time.Hour}, long: time.Hour, most: 12, least: 12},
		"for ever is a week":                 {batch: sdk.Batch{Wait: sdk.Forever}, long: 15 * 24 * time.Hour, most: 2, least: 2},
		"more that never ends":               {batch: sdk.Batch{More: true}, long: time.Hour, most: 12, least: 12},
		"asked to come back later":           {err: &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: 40 * time.Minute}, long: 2 * time.Hour, most: 3, least: 3},
		"asked to come back, without a time": {err: &sdk.Error{Code: sdk.CodeRateLimited}, long: time.Hour, most: 6, least: 6},
		"a failure waits longer each time":   {err: unavailable, long: 2*time.Hour + 50*time.Minute, most: 5, least: 4},
		"and at most a day":                  {err: unavailable, long: 10 * 24 * time.Hour, most: 20, least: 14},
		"a failure that says when":           {err: &sdk.Error{Code: sdk.CodeUnavailable, RetryAfter: 3 * time.Hour}, long: 7 * time.Hour, most: 2, least: 2},
		"gone is the end":                    {err: &sdk.Error{Code: sdk.CodeGone, Public: "410"}, long: 20 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, d *desk) {
				d.sources["s"].will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) { return c.batch, c.err })
				d.run()
				if c.long > 12*time.Hour {
					d.skip(c.long, 2*time.Hour)
				} else {
					d.pass(c.long)
				}
				if n := len(d.sources["s"].times()) - 1; n < c.least || n > c.most {
					t.Errorf("it was fetched %d times more, want %d to %d", n, c.least, c.most)
				}
			}, rules("s"))
		})
	}
}

// A restart, a reload and a longer interval ask nobody again; a shorter interval counts at once.
func TestRestartsAskNobodyAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		d.run()
		for range 10 {
			d.stop()
			if err := d.db.Close(); err != nil {
				t.Fatal(err)
			}
			d.open()
			d.run()
		}
		same(t, "fetches", []string{"0s"}, d.sources["s"].times())
		for range 5 {
			d.use()
			d.poller.Wake()
			d.pass(time.Second)
		}
		same(t, "fetches after reloads", []string(nil), d.sources["s"].times())
		d.rules["s"] = rules("s", func(r *intake.Rules) { r.Poll = 20 * time.Second })
		d.use()
		d.poller.Wake()
		d.pass(5 * time.Second)
		same(t, "fetches after a shorter interval", []string{"20s"}, d.sources["s"].times())
	}, rules("s"))
	bubble(t, func(t *testing.T, d *desk) {
		d.sources["s"].fails(&sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: time.Hour})
		d.run()
		d.stop()
		d.rules["s"] = rules("s", func(r *intake.Rules) { r.Poll = time.Second })
		d.use()
		d.run()
		d.pass(50 * time.Minute)
		same(t, "a server that asked to wait is not asked sooner", []string{"0s"}, d.sources["s"].times())
	}, rules("s"))
}

// A source that hangs, also beyond its deadline, panics, lies or floods the log costs only itself.
func TestAFaultCostsOnlyItsSource(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		release := make(chan struct{})
		d.sources["deaf"].will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			<-release
			return sdk.Batch{}, nil
		})
		d.sources["slow"].will(func(ctx context.Context, _ sdk.FetchRequest) (sdk.Batch, error) {
			<-ctx.Done()
			return sdk.Batch{}, ctx.Err()
		})
		d.sources["panics"].will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) { panic("index out of range") })
		d.sources["lies"].will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			return sdk.Batch{Items: []sdk.Item{{}, {Key: "\xff", Title: "x"}, {Key: "a\x00b", Title: "x"}, {Key: strings.Repeat("k", 5000), Title: "x"}, item("fine")},
				Removed: []sdk.Removal{{Key: "never seen"}}, Whole: []string{"nothing"}, Notices: slices.Repeat([]string{strings.Repeat("x", 100_000)}, 100),
				About: sdk.About{Title: strings.Repeat("x", 100_000), URL: "javascript:alert(1)", Lang: "<b>"}, Next: sdk.Cursor("c")}, nil
		})
		d.sources["hoards"].will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			return sdk.Batch{Items: []sdk.Item{item("x")}, Next: make(sdk.Cursor, sdk.MaxCursor+1)}, nil
		})
		d.run()
		d.sleep(25 * time.Minute)
		same(t, "the honest source", 6, len(d.sources["fine"].times()))
		if d.sources["deaf"].most != 1 {
			t.Errorf("%d fetches of one source at once", d.sources["deaf"].most)
		}
		same(t, "items of the liar", []string{"fine live 1 baseline"}, d.items("fine"))
		st := d.state("lies")
		if size := len(strings.Join(st.Notices, "")) + len(st.About.Title); size > 20*500+2000 || st.About.URL != "" || st.About.Lang != "" {
			t.Errorf("%d bytes of notices and title, %+v", size, st.About)
		}
		for name, code := range map[string]sdk.Code{"slow": sdk.CodeUnavailable, "panics": sdk.CodeUnavailable, "hoards": sdk.CodeInvalid} {
			if st := d.state(name); st.Code != code || st.Failures < 3 || len(st.Cursor) > 0 {
				t.Errorf("%s: %s, %d failures, cursor of %d bytes", name, st.Code, st.Failures, len(st.Cursor))
			}
		}
		same(t, "alerts", []string{"source_failing hoards", "source_failing panics", "source_failing slow"}, slices.Sorted(slices.Values(d.alerts())))
		close(release)
	}, rules("deaf"), rules("slow"), rules("panics"), rules("lies"), rules("hoards"), rules("fine"))
}

// While a source is paused nobody spins, and nothing is fetched; afterwards it goes on.
func TestAPausedSourceRests(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		d.run()
		if _, err := d.db.Pause(t.Context(), store.PauseSource, "s", "test", time.Now()); err != nil {
			t.Fatal(err)
		}
		looks := 0
		d.stop()
		log := slog.New(slog.DiscardHandler)
		d.poller = intake.NewPoller(intake.Settings{Store: counting{d.db, &looks}, Log: log, Deadline: time.Minute, Workers: 1,
			Instance: func(string) (intake.Instance, func(), bool) { return intake.Instance{}, nil, false }})
		if err := d.poller.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.sleep(6 * time.Minute)
		if looks > 600 {
			t.Errorf("the due sources were looked for %d times in six minutes", looks)
		}
		d.stop()
		d.sources["s"].times()
		if _, err := d.db.Resume(t.Context(), store.PauseSource, "s", "test", time.Now()); err != nil {
			t.Fatal(err)
		}
		d.run()
		if n := len(d.sources["s"].times()); n != 1 {
			t.Errorf("fetched %d times after the pause", n)
		}
	}, rules("s"))
}

type counting struct {
	*store.DB
	looks *int
}

func (c counting) ClaimSources(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]intake.State, error) {
	*c.looks++
	return c.DB.ClaimSources(ctx, now, lease, limit)
}

// The flood brake holds what is too much, a person releases or drops it, and the alert ends.
func TestFloodIsHeldAndReleased(t *testing.T) {
	t.Parallel()
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprint("drop ", drop), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, d *desk) {
				ctx := t.Context()
				d.sources["s"].shows(item("old"))
				d.run()
				d.sources["s"].shows(append(many("n", 6), item("old"))...)
				d.pass(5 * time.Minute)
				same(t, "items", []string{"n0 held 1", "n5 held 1", "old live 1 baseline"}, d.items("n0", "n5", "old"))
				same(t, "alerts", []string{"source_held s"}, d.alerts())
				holds, err := d.db.Holds(ctx, "s")
				if err != nil || len(holds) != 1 || len(holds[0].Items) != 6 {
					t.Fatalf("holds %+v, %v", holds, err)
				}
				// Another fetch of the same does not hold them again, and a revision of a held one is kept.
				d.sources["s"].shows(append(many("n", 5), item("n5", func(it *sdk.Item) { it.Title = "Other" }), item("old"))...)
				d.pass(5 * time.Minute)
				same(t, "items", []string{"n5 held 2"}, d.items("n5"))
				n, err := d.db.ReleaseSourceHolds(ctx, "s", drop, "test", time.Now())
				if err != nil || n != 6 {
					t.Fatalf("released %d, %v", n, err)
				}
				want := []string{"n0 live 1", "n5 live 2"}
				if drop {
					want = []string{"n0 live 1 baseline", "n5 live 2 baseline"}
				}
				same(t, "items", want, d.items("n0", "n5"))
				d.pass(5 * time.Minute)
				same(t, "alerts", []string{}, d.alerts())
			}, rules("s"))
		})
	}
}

func TestStaleIsToldAndOver(t *testing.T) {
	t.Parallel()
	stale := func(r *intake.Rules) { r.StaleAfter = time.Hour }
	for name, first := range map[string][]sdk.Item{"with items": {item("a")}, "empty from the first": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, d *desk) {
				d.sources["s"].shows(first...)
				d.run()
				d.pass(59 * time.Minute)
				same(t, "alerts", []string{}, d.alerts())
				d.pass(10 * time.Minute)
				same(t, "alerts", []string{"source_stale s"}, d.alerts())
				d.sources["s"].shows(append(first, item("news"))...)
				d.pass(5 * time.Minute)
				same(t, "alerts", []string{}, d.alerts())
			}, rules("s", stale))
		})
	}
}

// A source that fails is told of once it matters, and no more when it answers; one that is gone needs a person.
func TestFailuresAreToldAndOver(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		s := d.sources["s"]
		d.run()
		s.fails(&sdk.Error{Code: sdk.CodeUnavailable, Public: "no answer"})
		d.pass(6 * time.Minute)
		same(t, "alerts after one failure", []string{}, d.alerts())
		d.pass(time.Hour)
		same(t, "alerts", []string{string(alert.SourceFailing) + " s"}, d.alerts())
		s.will(nil)
		d.pass(2 * time.Hour)
		same(t, "alerts", []string{}, d.alerts())
		s.fails(&sdk.Error{Code: sdk.CodeGone, Public: "410"})
		d.pass(time.Hour)
		same(t, "alerts", []string{"source_gone s"}, d.alerts())
		s.will(nil)
		s.times()
		d.skip(30*24*time.Hour, 24*time.Hour)
		same(t, "fetches of what is gone", []string(nil), s.times())
		if err := d.db.FetchNow(t.Context(), "s", true, time.Now()); err != nil {
			t.Fatal(err)
		}
		d.poller.Wake()
		d.pass(time.Second)
		same(t, "fetches by command", 1, len(s.times()))
		same(t, "alerts", []string{}, d.alerts())
	}, rules("s"))
}

// An item is withdrawn when its address says so twice, ten minutes apart, while it is young; never because it slid off.
func TestWithdrawalNeedsEvidence(t *testing.T) {
	t.Parallel()
	gone, there := sdk.Presence{State: sdk.PresenceGone, Reason: "404 Not Found"}, sdk.Presence{State: sdk.PresenceThere}
	answer := func(at func(long time.Duration) sdk.Presence) func([]sdk.ItemRef) ([]sdk.Presence, error) {
		return func(items []sdk.ItemRef) ([]sdk.Presence, error) {
			return slices.Repeat([]sdk.Presence{at(time.Since(epoch))}, len(items)), nil
		}
	}
	for name, c := range map[string]struct {
		check func([]sdk.ItemRef) ([]sdk.Presence, error)
		long  time.Duration
		rules func(*intake.Rules)
		want  string
		// looks are how often its address is looked at.
		most, least int
	}{
		"it is there":      {answer(func(time.Duration) sdk.Presence { return there }), 9 * 24 * time.Hour, nil, "a live 1", 40, 5},
		"nothing is known": {nil, 9 * 24 * time.Hour, nil, "a live 1", 170, 80},
		"it is gone":       {answer(func(time.Duration) sdk.Presence { return gone }), 2 * time.Hour, nil, "a removed 1: its address answers 404 Not Found", 2, 2},
		"it is gone for a moment": {answer(func(long time.Duration) sdk.Presence {
			if long < 16*time.Minute {
				return gone
			}
			return there
		}), 9 * 24 * time.Hour, nil, "a live 1", 40, 5},
		"too few answers":    {func([]sdk.ItemRef) ([]sdk.Presence, error) { return nil, nil }, time.Hour, nil, "a live 1", 2, 1},
		"the checker panics": {func([]sdk.ItemRef) ([]sdk.Presence, error) { panic("x") }, time.Hour, nil, "a live 1", 2, 1},
		"it is not watched":  {answer(func(time.Duration) sdk.Presence { return gone }), 24 * time.Hour, func(r *intake.Rules) { r.Watch = 0 }, "a live 1", 0, 0},
		"it is gone after the watch": {answer(func(long time.Duration) sdk.Presence {
			if long > 26*time.Hour {
				return gone
			}
			return there
		}), 4 * 24 * time.Hour, func(r *intake.Rules) { r.Watch = 24 * time.Hour }, "a live 1", 10, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rules("s")
			if c.rules != nil {
				c.rules(&r)
			}
			bubble(t, func(t *testing.T, d *desk) {
				s := d.sources["s"]
				s.check = c.check
				s.shows(item("z"))
				d.run()
				s.shows(item("a", func(it *sdk.Item) { it.Published = epoch.Add(-30 * time.Minute) }), item("z"))
				d.pass(5 * time.Minute)
				s.shows(item("z")) // it vanished from before an older one
				if c.long > 12*time.Hour {
					d.pass(30 * time.Minute)
					d.skip(c.long, 2*time.Hour)
				} else {
					d.pass(c.long)
				}
				same(t, "item", []string{c.want}, d.items("a"))
				if n := len(s.checks); n < c.least || n > c.most {
					t.Errorf("its address was looked at %d times, want %d to %d", n, c.least, c.most)
				}
				if slices.ContainsFunc(s.checks, func(k string) bool { return strings.HasPrefix(k, "z") }) {
					t.Error("what is listed was looked at")
				}
			}, r)
		})
	}
}

// What came back before anybody decided about its withdrawal is not withdrawn any more.
func TestAHeldWithdrawalEndsWhenItComesBack(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		all := many("n", 5)
		complete := func(items ...sdk.Item) {
			d.sources["s"].will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
				return sdk.Batch{Items: items, Complete: true}, nil
			})
		}
		complete(all...)
		d.run()
		complete(all[0])
		d.pass(10 * time.Minute)
		holds, err := d.db.Holds(ctx, "s")
		if err != nil || len(holds) != 1 || len(holds[0].Items) != 4 {
			t.Fatalf("holds %+v, %v", holds, err)
		}
		same(t, "alerts", []string{"source_held s"}, d.alerts())
		complete(all[:4]...)
		d.pass(5 * time.Minute)
		if holds, err = d.db.Holds(ctx, "s"); err != nil || len(holds) != 1 || len(holds[0].Items) != 1 {
			t.Fatalf("holds %+v, %v", holds, err)
		}
		complete(all...)
		d.pass(5 * time.Minute)
		if holds, err = d.db.Holds(ctx, "s"); err != nil || len(holds) != 0 {
			t.Fatalf("holds %+v, %v", holds, err)
		}
		same(t, "alerts", []string{}, d.alerts())
		n, err := d.db.ReleaseSourceHolds(ctx, "s", false, "test", time.Now())
		if err != nil || n != 0 {
			t.Errorf("released %d, %v", n, err)
		}
		same(t, "items", []string{"n1 live 1 baseline", "n4 live 1 baseline"}, d.items("n1", "n4"))
	}, rules("s", func(r *intake.Rules) { r.Checkable = false }))
}

// A publication date ahead is an embargo, unless the source is told to take it as now.
func TestFutureItems(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		ahead := item("a", func(it *sdk.Item) { it.Published = epoch.Add(3 * time.Hour) })
		for _, s := range d.sources {
			s.shows(item("z"))
		}
		d.run()
		d.sources["hold"].shows(ahead)
		d.sources["now"].shows(item("b", func(it *sdk.Item) { it.Published = ahead.Published }))
		d.pass(5 * time.Minute)
		same(t, "items", []string{"a live 1 not before 3h0m0s", "b live 1"}, d.items("a", "b"))
	}, rules("hold"), rules("now", func(r *intake.Rules) { r.HoldFuture = false }))
}

// Stopping ends within its context even when a source does not listen.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		d.sources["deaf"].will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			time.Sleep(10 * time.Minute)
			return sdk.Batch{Items: []sdk.Item{item("late")}}, nil
		})
		d.run()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := d.poller.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("it stopped after %s: %v", time.Since(began), err)
		}
		d.sleep(10 * time.Minute)
		same(t, "what came too late", []string(nil), d.items("late"))
	}, rules("deaf"))
}

// The log says of a source that is gone that it is not fetched any more, and names no next time.
func TestTheLogOfAGoneSource(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *desk) {
		d.sources["s"].will(func(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
			return sdk.Batch{}, &sdk.Error{Code: sdk.CodeGone, Public: "it answers 410"}
		})
		var log bytes.Buffer
		d.poller = intake.NewPoller(intake.Settings{Store: d.db, Log: slog.New(slog.NewTextHandler(&log, nil)), Deadline: time.Minute, Workers: 1,
			Instance: func(name string) (intake.Instance, func(), bool) {
				return intake.Instance{Rules: d.rules[name], Conn: d.sources[name]}, func() {}, true
			}})
		if err := d.poller.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.sleep(time.Hour)
		d.stop()
		if got := log.String(); !strings.Contains(got, "gone for good and is not fetched any more") || strings.Contains(got, "next=") {
			t.Errorf("the log says %s", got)
		}
	}, rules("s"))
}

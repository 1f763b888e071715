package desk_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/desk/desktest"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

// clinic is a newsroom with a doctor, and what the doctor looks at besides.
type clinic struct {
	t    *testing.T
	d    *desk.Desk
	n    *desktest.Newsroom
	x    desk.Examination
	root string
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	d, n := newDesk(t)
	c := &clinic{t: t, d: d, n: n, root: t.TempDir()}
	if err := os.Chmod(n.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(n.Dir, "belfry.db")
	c.x = desk.Examination{Path: "belfry.yaml", Root: c.root, Inspect: func(ctx context.Context) (store.Inspection, error) { return sqlite.Inspect(ctx, file) },
		StartPlugin: func(context.Context, string) error { return nil }}
	// Nothing is served at the addresses of the configuration, whatever else this machine does.
	n.Config.Listen, n.Config.AdminListen = "127.0.0.1:0", "none"
	return c
}

// write puts a file below the doctor's root.
func (c *clinic) write(path, text string) {
	c.t.Helper()
	path = filepath.Join(c.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		c.t.Fatal(err)
	}
}

// running lets a daemon use the store.
func (c *clinic) running(pid int) { c.d.Daemon = func() (int, bool) { return pid, true } }

// examine gives every finding as one line.
func (c *clinic) examine() (desk.Diagnosis, string) {
	c.t.Helper()
	out := c.d.Examine(c.t.Context(), c.x)
	var lines strings.Builder
	rank := map[desk.Level]int{desk.Trouble: 0, desk.Advice: 1, desk.Fine: 2}
	last := 0
	for _, f := range out.Findings {
		if rank[f.Level] < last {
			c.t.Errorf("%s %q stands after something better", f.Level, f.Sentence)
		}
		last = rank[f.Level]
		if f.Sentence == "" || f.About == "" || f.Level != desk.Fine && f.Mend == "" || f.Level == desk.Fine && f.Mend != "" {
			c.t.Errorf("it says too little or too much: %+v", f)
		}
		if strings.ContainsAny(f.Sentence+f.Mend, "!") || strings.Contains(f.Sentence, "%!") {
			c.t.Errorf("the voice: %+v", f)
		}
		fmt.Fprintf(&lines, "%s %s: %s → %s\n", f.Level, f.About, f.Sentence, f.Mend)
	}
	if trouble := strings.Contains(lines.String(), "trouble "); out.Healthy == trouble {
		c.t.Errorf("healthy is %v of\n%s", out.Healthy, lines.String())
	}
	return out, lines.String()
}

// says wants each part in one finding, and what begins with ! in none.
func (c *clinic) says(parts ...string) {
	c.t.Helper()
	_, lines := c.examine()
	for _, p := range parts {
		absent, not := strings.CutPrefix(p, "!")
		if not && strings.Contains(lines, absent) || !not && !strings.Contains(lines, p) {
			c.t.Errorf("wanted %q in:\n%s", p, lines)
		}
	}
}

// A newsroom at work: what an alert says is not said again, and what waits is told of with the act that ends it.
func TestDoctorAtWork(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.says("trouble source_failing: source agenda cannot be read (for ", "→ belfry source show agenda",
		"trouble source_held: source articles: 2 new items came at once", "!source articles holds",
		"!sources:", "trouble daemon: the daemon is not running", "advice alerts: nobody would notice that Belfry itself is gone",
		"fine database: schema ", "; every page fits", "fine configuration: belfry.yaml can be used", "fine plugins: feed can be started")
	c.n.Lose(t, "ops")
	c.says("trouble destinations: destination ops may have got 1 post, or not → look there, and say what you see: belfry post deliveries --state unknown; belfry post resolve")
	c.n.Refuse(t, "wire")
	c.says("advice destinations: posts for destination wire ended without reaching it: 1 failed → which and why: belfry post deliveries --destination wire; to send one again: belfry post resend")
}

func TestDoctorDestinations(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.d.Now = c.n.Now.Add(time.Hour)
	c.says("trouble destinations: destination ops is behind; 1 waits for it, the oldest since ", "→ see what they wait for: belfry post deliveries --destination ops")
	c.n.Stop(t, "wire")
	c.says("trouble destinations: destination wire has stopped: the bot may not post; 1 waits for it", "→ belfry destination check wire")
	if _, err := c.n.Store.Pause(t.Context(), store.PauseDestination, "ops", "test", c.n.Now); err != nil {
		t.Fatal(err)
	}
	if _, err := c.n.Store.Pause(t.Context(), store.PauseChannel, "brief", "test", c.n.Now); err != nil {
		t.Fatal(err)
	}
	c.says("advice destinations: destination ops is paused", "!destination ops is behind", "advice pauses: channel brief is paused since", "→ belfry resume channel brief")
	if _, err := c.n.Store.Pause(t.Context(), store.PauseAll, "", "test", c.n.Now); err != nil {
		t.Fatal(err)
	}
	c.says("advice destinations: destination ops is paused with everything else; 1 waits for it", "!belfry resume destination")
	if _, err := c.n.Store.Resume(t.Context(), store.PauseAll, "", "test", c.n.Now); err != nil {
		t.Fatal(err)
	}
	c.x.Open = func(_ context.Context, name string) (sdk.Connector, bool, error) {
		if name == "wire" {
			return nil, false, errors.New("the door is locked")
		}
		return c.n.Platform, false, nil
	}
	c.says("fine destinations: ops can be posted to", "trouble destinations: destination wire cannot be asked: destination wire cannot be opened: the door is locked")
	c.n.Platform.Broken.Store(true)
	c.says(`trouble destinations: destination ops cannot be posted to: the bot may not post in ""`)
}

// Alerts that nobody takes are trouble of their own, and a place that takes none is no destination that is well.
func TestDoctorOfAlerts(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	ctx := t.Context()
	if err := c.n.Config.Alerts.Heartbeat.URL.UnmarshalText([]byte("https://hc.example/ping/key")); err != nil {
		t.Fatal(err)
	}
	c.says("fine alerts: told to ops, with a heartbeat to https://hc.example/[…] every 1m")
	ops := store.AlertPlace{Destination: "ops", Code: sdk.CodeUnavailable, Error: "nobody is there"}
	if err := c.n.Store.AlertRefused(ctx, ops, c.n.Now); err != nil {
		t.Fatal(err)
	}
	c.says("trouble alerts: ops has not taken an alert since ", " (one try), and so nobody is told of trouble: nobody is there "+
		"→ see what is missing: belfry destination check ops; when it is mended: belfry alert test", "!told to ops", "!destination ops failed")
	if err := c.n.Store.AlertRefused(ctx, ops, c.n.Now); err != nil {
		t.Fatal(err)
	}
	c.n.Config.Alerts.To = append(c.n.Config.Alerts.To, configs.AlertTarget{Destination: "wire", Chat: "@desk"})
	c.says(" (2 tries); the other places are told: nobody is there")
	status, err := c.d.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := desk.Telling{Untold: 2, Places: []desk.AlertPlace{{Destination: "ops", State: "failing", Since: desk.Stamp{Time: c.n.Now}, Tried: desk.Stamp{Time: c.n.Now}, Failures: 2,
		Code: "unavailable", Error: "nobody is there"}, {Destination: "wire", Chat: "@desk", State: "ok"}}}
	if diff := cmp.Diff(want, status.Telling); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A test that arrives is as good as an alert that does; one that is refused counts as well.
	tested, err := c.d.TestAlerts(ctx, func(_ context.Context, name string) (sdk.Connector, bool, error) {
		if name == "wire" {
			return &taker{err: sdk.Errorf(sdk.CodeForbidden, "publish", "the bot may not post")}, false, nil
		}
		return &taker{}, false, nil
	})
	if err != nil || len(tested) != 2 {
		t.Fatalf("%+v, %v", tested, err)
	}
	c.says("!ops has not taken", "trouble alerts: wire @desk has not taken an alert since ", "the bot may not post")
	x, err := c.d.Destination(ctx, "ops")
	if err != nil || x.State != "ok" || !x.OK.Equal(c.n.Now) {
		t.Errorf("%+v, %v", x, err)
	}
}

// What may pass has the mend that fits it, and what an alert said is not said again, nor called fine.
func TestDoctorOfAFailingSource(t *testing.T) {
	t.Parallel()
	for code, mend := range map[sdk.Code]string{
		sdk.CodeUnavailable:     "→ nothing needs to be done unless it lasts: it is tried again by itself (next: ",
		sdk.CodeForbidden:       "→ ask whoever runs its server to let Belfry read it; then: belfry source fetch articles",
		sdk.CodeInvalid:         "→ see what it says: belfry source show articles; and what its address gives: belfry try feed URL",
		sdk.CodeUnauthenticated: "→ ask whoever runs its server to let Belfry read it",
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			ctx := t.Context()
			if _, err := c.n.Store.ReleaseSourceHolds(ctx, "articles", true, "test", c.n.Now); err != nil {
				t.Fatal(err)
			}
			st, err := c.n.Store.SourceState(ctx, "articles")
			if err != nil {
				t.Fatal(err)
			}
			rules := intake.Rules{Name: "articles", Poll: 5 * time.Minute, BaselineAll: true, MaxNew: 9}
			if err := c.n.Store.CommitIntake(ctx, intake.Fail(rules, st, sdk.Errorf(code, "fetch", "the door is shut"), c.n.Now, 0), c.n.Now); err != nil {
				t.Fatal(err)
			}
			c.running(0)
			c.says("trouble sources: source articles cannot be read (1 time in a row, last read ", mend, "!read in time")
		})
	}
}

func TestDoctorSources(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	ctx := t.Context()
	over := []alert.Key{{Code: alert.SourceFailing, Subject: "agenda"}, {Code: alert.SourceHeld, Subject: "articles"}}
	if err := c.n.Store.ResolveAlerts(ctx, over, c.n.Now); err != nil {
		t.Fatal(err)
	}
	c.says("trouble sources: source articles holds 2 items for a person → look: belfry source show articles; then: belfry source release articles", "!source agenda")
	c.says("!read in time")
	if _, err := c.n.Store.ReleaseSourceHolds(ctx, "articles", false, "test", c.n.Now); err != nil {
		t.Fatal(err)
	}
	c.says("fine sources: 1 of 2 sources read in time", "!all read in time") // the other was never
	c.running(0)
	c.says("trouble sources: source agenda was never read → belfry source fetch agenda")
	c.d.Now = c.n.Now.Add(24 * time.Hour)
	c.says("trouble sources: source articles should have been read at ")
	s := c.n.Config.Sources["articles"]
	s.StaleAfter = sdk.D(time.Hour)
	c.n.Config.Sources["articles"] = s
	if err := c.n.Store.FetchNow(ctx, "articles", false, c.d.Now); err != nil {
		t.Fatal(err)
	}
	c.says("trouble sources: source articles has had nothing new since ", "(stale_after: 1h)")
	for name, ch := range c.n.Config.Channels {
		ch.Sources = nil
		c.n.Config.Channels[name] = ch
	}
	c.says("advice sources: no channel takes items of source agenda")
	if _, err := c.n.Store.Pause(ctx, store.PauseAll, "", "test", c.n.Now); err != nil {
		t.Fatal(err)
	}
	c.says("advice pauses: everything is paused since", "→ belfry resume all", "!source articles is paused", "!belfry resume source", "!belfry resume destination", "!should have been read")
}

// The machine around: the folder, the clock, the zones, the service, the memory.
func TestDoctorHost(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.says("fine data folder: ", "fine zone data: that of the program", "!service", "!memory")
	for mode, says := range map[os.FileMode]string{0o777: "trouble data folder: others may write into", 0o755: "advice data folder: others may look into"} {
		if err := os.Chmod(c.n.Dir, mode); err != nil {
			t.Fatal(err)
		}
		c.says(says, "→ chmod 700 "+c.n.Dir)
	}
	c.write("usr/share/zoneinfo/tzdata.zi", "# version 2025c\nR d 1916\n")
	c.d.Now = time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	c.says("fine zone data: version 2025c of this machine")
	c.write("usr/share/zoneinfo/tzdata.zi", "# version 2023a\n")
	c.says("advice zone data: the zone data of this machine is of 2023a")

	c.d.Now = c.n.Now.Add(-time.Hour)
	c.says("trouble clock: the newest row was written at ", "1h ahead of this machine's clock")

	c.running(4711)
	c.write("proc/4711/environ", "PATH=/bin\x00NOTIFY_SOCKET=/run/systemd/notify\x00INVOCATION_ID=1\x00")
	c.says("advice service: systemd would not notice a daemon that hangs")
	c.write("proc/4711/environ", "NOTIFY_SOCKET=/run/systemd/notify\x00WATCHDOG_USEC=60000000\x00")
	c.says("fine service: run by systemd, with its watchdog", "!memory")
	c.write("proc/4711/environ", "PATH=/bin\x00")
	c.write("proc/4711/cgroup", "0::/system.slice/belfry.service\n")
	c.write("sys/fs/cgroup/system.slice/belfry.service/memory.max", "max\n")
	c.says("fine service: not run by systemd", "!memory")
	c.write("sys/fs/cgroup/system.slice/belfry.service/memory.max", "268435456\n")
	c.says("advice memory: the daemon and its plugins may use 268 MB together, and need up to 537 MB at worst (plugins.memory: 384)")
	c.write("sys/fs/cgroup/system.slice/belfry.service/memory.max", "1073741824\n")
	c.says("fine memory: limited to 1.1 GB")

	c.x.StartPlugin = func(context.Context, string) error { return errors.New("it ended at once") }
	c.says("trouble plugins: the plugin feed does not start: it ended at once")
	c.n.Config.DiskFloor = 1 << 60
	c.says("trouble disk: the disk of ", "less than disk_floor: 1048576TiB")
}

func TestDoctorPages(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	for address, says := range map[string]string{
		"":                       "advice pages: site.url is not set",
		"http://localhost:8080":  "trouble pages: site.url is http://localhost:8080, which leads readers of posts to their own machine",
		"https://127.0.0.1":      "trouble pages: site.url is https://127.0.0.1",
		"http://192.168.0.3":     "trouble pages: site.url is http://192.168.0.3",
		"http://gazette.example": "advice pages: site.url is http://gazette.example: readers come without encryption",
		"https://news.example":   "fine pages: readers come by https://news.example",
	} {
		c.n.Config.Site.URL = address
		c.says(says)
	}
	c.n.Config.Channels = map[string]configs.Channel{}
	c.n.Config.Site.URL = "http://localhost:8080"
	c.says("!which leads readers of posts", "fine pages: readers come by http://localhost:8080")
	c.n.Config.Listen = ":0"
	c.says("advice pages: the pages are served at :0 to everybody who reaches this machine")
}

// What answers, or does not, where the daemon should.
func TestDoctorAsksTheDaemon(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" && r.URL.Path != "/healthz" {
			t.Errorf("it is asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	c.n.Config.Listen = address
	c.says("trouble daemon: the daemon is not running", "trouble daemon: another program answers at "+address)
	c.running(7)
	c.says("fine daemon: the daemon (process 7) runs and answers at " + address)
	status = http.StatusServiceUnavailable
	c.says("advice daemon: the daemon (process 7) runs and is still starting")
	c.n.Config.AdminListen = address
	c.says("advice daemon: the daemon (process 7) does not answer operators at " + address + ": it answers with status 503")
	status = http.StatusNotFound
	c.says("trouble daemon: the daemon (process 7) runs, but its pages do not answer at " + address + ": it answers with status 404")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.n.Config.Listen, c.n.Config.AdminListen = ln.Addr().String(), "none"
	_ = ln.Close()
	c.says("its pages do not answer at " + c.n.Config.Listen + ": " + c.n.Config.Listen + " refuses connections")
}

// A store that cannot be opened, and a configuration that cannot be read, leave the rest to be looked at as far as it goes.
func TestDoctorWithLess(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.d.Store = nil
	c.x.OpenError = fs.ErrNotExist
	c.says("trouble database: there is no store in "+c.n.Dir+" yet", "fine plugins: feed can be started", "!the daemon is not running")
	c.x.OpenError = errors.New("belfry.db is damaged")
	c.x.Inspect = func(context.Context) (store.Inspection, error) { return store.Inspection{}, errors.New("damaged") }
	c.says("trouble database: belfry.db is damaged", "!could not be looked at")
	c.x.Inspect = func(context.Context) (store.Inspection, error) {
		return store.Inspection{File: "belfry.db", Checked: true, Damage: "row 3 missing from index"}, nil
	}
	c.says("trouble database: belfry.db is damaged: row 3 missing from index")
	c.x.Inspect = func(context.Context) (store.Inspection, error) { return store.Inspection{Log: 1 << 30}, nil }
	c.says("advice database: the log of the database has 1.1 GB and is not moved into it")
	c.n.Config.Alerts.Off = true
	c.says("advice alerts: nobody is told of trouble: the configuration says alerts: none")
	c.x.Problems = []configs.Located{{Position: configs.Position{File: "belfry.yaml", Line: 3, Column: 1}, What: "unknown key", Fix: "take it out"}}
	c.says("trouble configuration: belfry.yaml:3:1: unknown key → take it out", "!belfry.yaml can be used")
	c.d = &desk.Desk{}
	c.says("trouble everything else: nothing else can be looked at until the configuration can be read", "!plugins")
}

// A store that fails while it is looked at is told of, and the rest is looked at.
func TestDoctorWithAClosedStore(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	if err := c.n.Store.Close(); err != nil {
		t.Fatal(err)
	}
	c.says("trouble sources: this could not be looked at: ", "trouble destinations: this could not be looked at", "trouble clock: this could not be looked at", "fine plugins: feed can be started")
}

// A test alert goes to every place, and what became of it is told of each.
func TestTestAlerts(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	n.Config.Alerts.To = []configs.AlertTarget{{Destination: "ops"}, {Destination: "wire", Chat: "@desk"}, {Destination: "lost"}, {Destination: "shut"}}
	got, err := d.TestAlerts(t.Context(), func(_ context.Context, name string) (sdk.Connector, bool, error) {
		switch name {
		case "ops":
			return &taker{}, false, nil
		case "lost":
			return &taker{err: sdk.Errorf(sdk.CodeUnknownOutcome, "publish", "the answer was lost")}, false, nil
		case "shut":
			return nil, false, errors.New("no key")
		}
		return &taker{err: sdk.Errorf(sdk.CodeForbidden, "publish", "the bot may not post")}, false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []desk.TestedAlert{{Destination: "ops", Outcome: desk.Arrived}, {"wire", "@desk", desk.Refused, "forbidden", "the bot may not post"},
		{"lost", "", desk.Unsure, "unknown_outcome", "the answer was lost"}, {Destination: "shut", Outcome: desk.Refused, Error: "it cannot be opened: no key"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// A store that takes nothing keeps no place from being tried.
	if err := n.Store.Close(); err != nil {
		t.Fatal(err)
	}
	n.Config.Alerts.To = n.Config.Alerts.To[:2]
	got, err = d.TestAlerts(t.Context(), func(context.Context, string) (sdk.Connector, bool, error) { return &taker{}, false, nil })
	if err == nil || !strings.HasPrefix(err.Error(), "what came of it cannot be recorded, and so status and doctor do not know of it: ") || len(got) != 2 || got[1].Outcome != desk.Arrived {
		t.Errorf("%+v, %v", got, err)
	}
	n.Config.Alerts.To = nil
	_, err = d.TestAlerts(t.Context(), nil)
	wants(t, err, desk.Conflict, "nobody is told of trouble")
}

// taker takes every post, or refuses all.
type taker struct {
	desktest.Platform
	err error
}

func (t *taker) Plan(sdk.ChannelRef, sdk.Post) ([]sdk.Part, error) { return []sdk.Part{{}}, nil }

func (t *taker) Publish(context.Context, sdk.ChannelRef, sdk.Part) (sdk.PartRef, error) {
	return sdk.PartRef{}, t.err
}

// A store without room cannot record that it has none: whoever asks is told all the same, and once.
func TestADiskWithoutRoom(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.d.Free = func(string) (int64, bool) { return 0, true }
	c.n.Config.DiskFloor = 3_000_000
	low := func() (n int) {
		t.Helper()
		s, err := c.d.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range s.Alerts {
			if a.Code == string(alert.DiskLow) {
				if n++; a.ID == 0 && !strings.HasSuffix(a.Sentence, " has 0 B left, less than disk_floor (3MB): nothing is fetched, and without any room nothing leaves") {
					t.Errorf("it says %q", a.Sentence)
				}
			}
		}
		return n
	}
	if n := low(); n != 1 {
		t.Errorf("it is told %d times", n)
	}
	c.says("trouble disk: the disk of ")
	if err := c.n.Store.Raise(t.Context(), alert.Alert{Code: alert.DiskLow, Subject: c.d.Dir, Sentence: "little room", Mend: "make room"}, c.n.Now); err != nil {
		t.Fatal(err)
	}
	if n := low(); n != 1 {
		t.Errorf("with its alert it is told %d times", n)
	}
	c.says("trouble disk_low: little room", "!trouble disk: ")
	c.d.Free = func(string) (int64, bool) { return 3_000_000, true }
	if err := c.n.Store.ResolveAlerts(t.Context(), []alert.Key{{Code: alert.DiskLow, Subject: c.d.Dir}}, c.n.Now); err != nil {
		t.Fatal(err)
	}
	if n := low(); n != 0 {
		t.Errorf("with room it is told %d times", n)
	}
}

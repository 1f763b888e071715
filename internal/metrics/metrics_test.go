package metrics

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk/desktest"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/sdk"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const newsroom = `
timezone: Europe/Paris
site: {title: La Gazette}
alerts: {to: [ops, wire]}
sources:
  articles: {type: feed}
destinations:
  ops: {type: hook}
  wire: {type: hook}
channels:
  alertes: {title: Alertes, sources: [articles], each: {}, publish_to: [{destination: ops}]}
  brief: {title: Le brief, sources: [articles], digest: {cron: "0 7 * * *"}}
  desk: {title: Desk}
`

// fixture is a store with something in every family.
func fixture(t *testing.T, now time.Time) (*store.DB, *configs.Loaded) {
	t.Helper()
	cfg := desktest.Load(t, newsroom)
	db := sqlitetest.Open(t, filepath.Join(t.TempDir(), "belfry.db"))
	t.Cleanup(func() { _ = db.Close() })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.UseSources(t.Context(), []store.SourceSetting{{Name: "articles"}}, now))
	must(db.ChangeSubscriptions(t.Context(), []websub.Subscription{{Source: "articles", Hub: "https://hub.example/", Topic: "https://news.example/", Token: "token", Secret: "secret"}}, nil, nil, now))
	_, err := db.KeepCall(t.Context(), intake.Call{Source: "articles", Topic: "https://news.example/", Request: sdk.WebhookRequest{Body: []byte("<feed/>"), ReceivedAt: now}})
	must(err)
	must(db.UseDestinations(t.Context(), []store.DestinationSetting{{Name: "ops"}, {Name: "wire"}}))
	id, err := db.CreatePost(t.Context(), compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive,
		Content: compose.Content{Title: "Incendie à la gare"}, VisibleAt: now.Add(-time.Minute), Targets: []compose.NewTarget{{Destination: "ops"}}}, nil, "test",
		now.Add(-time.Minute))
	must(err)
	if id == "" {
		t.Fatal("no post")
	}
	must(db.Raise(t.Context(), alert.Alert{Code: alert.SourceFailing, Subject: "articles", Sentence: "it fails", Mend: "mend it"}, now))
	must(db.AlertRefused(t.Context(), store.AlertPlace{Destination: "wire", Error: "nobody is there"}, now))
	_, err = db.Pause(t.Context(), store.PauseDestination, "wire", "test", now)
	must(err)
	return db, cfg
}

// programOf is what a configuration is composed by.
func programOf(cfg *configs.Loaded) func() *compose.Program {
	p, _ := compose.Compile(&cfg.Config)
	return func() *compose.Program { return p }
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// belfrys are the lines of a scrape that are Belfry's own and not of an instrument's buckets or of chance.
func belfrys(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "belfry_") && !strings.Contains(line, "_bucket{") && !strings.HasPrefix(line, collectDuration) && !strings.HasPrefix(line, buildInfo) {
			out = append(out, line)
		}
	}
	return out
}

func plugins() []Plugin {
	return []Plugin{{Kind: "rss", Starts: 3, Running: 1, Resident: 30 << 20, CPU: 1500 * time.Millisecond, Held: 1, Calls: 2, Waiting: 1}}
}

func use(m *Metrics) {
	m.Accepted("ops", 80*time.Millisecond)
	m.Accepted("ops", -time.Second) // a clock that was put back
	m.Called("ops", "", 20*time.Millisecond)
	m.Called("ops", sdk.CodeRateLimited, 20*time.Millisecond)
	m.Called("ops", "from_tomorrow", 20*time.Millisecond)
	m.Fetched("rss", "", time.Second)
	m.PluginCrashed("rss")
	m.EventRefused("pager", "sender")
	m.Answered("desk", "accepted", time.Millisecond)
	m.Mapped("desk", "mapped", 3)
	m.Served("post", 200, time.Millisecond)
	m.Served("post", 0, time.Millisecond)
}

func TestScrape(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC)
	db, cfg := fixture(t, now)
	m := New(Settings{Store: db, Config: func() *configs.Loaded { return cfg }, Program: programOf(cfg), Version: "test", Now: func() time.Time { return now }, Plugins: plugins})
	use(m)
	want := []string{
		`belfry_alerts_open{code="source_failing"} 1`, `belfry_alerts_refused{destination="ops"} 0`, `belfry_alerts_refused{destination="wire"} 1`, `belfry_alerts_untold 1`,
		`belfry_channel_held{channel="alertes"} 0`, `belfry_channel_held{channel="brief"} 0`, `belfry_channel_held{channel="desk"} 0`,
		`belfry_channel_last_post_timestamp_seconds{channel="alertes"} 1.79515074e+09`,
		`belfry_channel_last_post_timestamp_seconds{channel="brief"} 0`, `belfry_channel_last_post_timestamp_seconds{channel="desk"} 0`,
		`belfry_channel_next_digest_timestamp_seconds{channel="brief"} 1.7951544e+09`,
		`belfry_channel_posts{channel="alertes"} 1`, `belfry_channel_posts{channel="brief"} 0`, `belfry_channel_posts{channel="desk"} 0`,
		`belfry_channel_waiting{channel="alertes"} 0`, `belfry_channel_waiting{channel="brief"} 0`, `belfry_channel_waiting{channel="desk"} 0`,
		`belfry_collect_success 1`,
		`belfry_delivery_lag_seconds_count{destination="ops"} 2`, `belfry_delivery_lag_seconds_sum{destination="ops"} 0.08`,
		`belfry_destination_call_duration_seconds_count{destination="ops",outcome="ok"} 1`,
		`belfry_destination_call_duration_seconds_count{destination="ops",outcome="other"} 1`,
		`belfry_destination_call_duration_seconds_count{destination="ops",outcome="rate_limited"} 1`,
		`belfry_destination_call_duration_seconds_sum{destination="ops",outcome="ok"} 0.02`,
		`belfry_destination_call_duration_seconds_sum{destination="ops",outcome="other"} 0.02`,
		`belfry_destination_call_duration_seconds_sum{destination="ops",outcome="rate_limited"} 0.02`,
		`belfry_destination_held{destination="ops"} 0`, `belfry_destination_held{destination="wire"} 0`,
		`belfry_destination_last_success_timestamp_seconds{destination="ops"} 0`, `belfry_destination_last_success_timestamp_seconds{destination="wire"} 0`,
		`belfry_destination_needs_a_person{destination="ops"} 0`, `belfry_destination_needs_a_person{destination="wire"} 0`,
		`belfry_destination_oldest_waiting_seconds{destination="ops"} 60`, `belfry_destination_oldest_waiting_seconds{destination="wire"} 0`,
		`belfry_destination_stopped{destination="ops"} 0`, `belfry_destination_stopped{destination="wire"} 0`,
		`belfry_destination_unknown{destination="ops"} 0`, `belfry_destination_unknown{destination="wire"} 0`,
		`belfry_destination_waiting{destination="ops"} 1`, `belfry_destination_waiting{destination="wire"} 0`,
		`belfry_http_request_duration_seconds_count{class="post",status="2xx"} 1`, `belfry_http_request_duration_seconds_count{class="post",status="5xx"} 1`,
		`belfry_http_request_duration_seconds_sum{class="post",status="2xx"} 0.001`, `belfry_http_request_duration_seconds_sum{class="post",status="5xx"} 0.001`,
		`belfry_paused{name="wire",scope="destination"} 1`,
		`belfry_plugin_crashes_total{kind="rss"} 1`, `belfry_plugin_events_refused_total{kind="pager",why="sender"} 1`,
		`belfry_plugin_calls{kind="rss",state="running"} 2`, `belfry_plugin_calls{kind="rss",state="waiting"} 1`, `belfry_plugin_cpu_seconds_total{kind="rss"} 1.5`,
		`belfry_plugin_held{kind="rss"} 1`, `belfry_plugin_processes{kind="rss"} 1`, `belfry_plugin_resident_memory_bytes{kind="rss"} 3.145728e+07`,
		`belfry_plugin_starts_total{kind="rss"} 3`,
		`belfry_source_failures{source="articles"} 0`,
		`belfry_source_fetch_duration_seconds_count{outcome="ok",type="rss"} 1`, `belfry_source_fetch_duration_seconds_sum{outcome="ok",type="rss"} 1`,
		`belfry_source_gone{source="articles"} 0`, `belfry_source_held{source="articles"} 0`,
		`belfry_source_hub_active{source="articles"} 0`,
		`belfry_source_last_success_timestamp_seconds{source="articles"} 0`,
		`belfry_webhook_answer_duration_seconds_count{outcome="accepted",source="desk"} 1`,
		`belfry_webhook_answer_duration_seconds_sum{outcome="accepted",source="desk"} 0.001`,
		`belfry_webhooks_failed{source="articles"} 0`,
		`belfry_webhooks_mapped_total{outcome="mapped",source="desk"} 3`,
		`belfry_webhooks_waiting{source="articles"} 1`,
	}
	for _, state := range []string{"dropped", "expired", "failed"} {
		for _, name := range []string{"ops", "wire"} {
			want = append(want, fmt.Sprintf(`belfry_destination_dead{destination=%q,state=%q} 0`, name, state))
		}
	}
	slices.Sort(want)
	got := belfrys(scrape(t, m))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(scrape(t, m), "Incendie") {
		t.Error("a title is in the metrics")
	}
}

// What was read is given again for a while, and not for longer.
func TestTheStoreIsReadRarely(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC)
	db, cfg := fixture(t, now)
	at := now
	m := New(Settings{Store: db, Config: func() *configs.Loaded { return cfg }, Program: programOf(cfg), Now: func() time.Time { return at }})
	has := func() bool { return strings.Contains(scrape(t, m), `belfry_paused{name="alertes",scope="channel"} 1`) }
	if has() {
		t.Fatal("it is paused already")
	}
	if _, err := db.Pause(t.Context(), store.PauseChannel, "alertes", "test", now); err != nil {
		t.Fatal(err)
	}
	at = now.Add(fresh - time.Millisecond)
	if has() {
		t.Error("the store was read again too early")
	}
	at = now.Add(fresh)
	if !has() {
		t.Error("the store was not read again")
	}
}

// A scrape costs no more when many alerts last: nobody ends those about copies that could not follow a correction by the hour.
func TestAlertsAreCountedInTheStore(t *testing.T) {
	now := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC)
	db, cfg := fixture(t, now)
	at := now
	m := New(Settings{Store: db, Config: func() *configs.Loaded { return cfg }, Program: programOf(cfg), Now: func() time.Time { return at }})
	read := func() float64 {
		return testing.AllocsPerRun(5, func() { at = at.Add(fresh); scrape(t, m) })
	}
	few := read()
	for i := range 200 {
		if err := db.Raise(t.Context(), alert.Alert{Code: alert.CorrectionListed, Subject: strconv.Itoa(i)}, now); err != nil {
			t.Fatal(err)
		}
	}
	if many := read(); many > few+200 {
		t.Errorf("%.0f allocations with two hundred alerts, %.0f with one", many, few)
	}
	if text := scrape(t, m); !strings.Contains(text, `belfry_alerts_open{code="correction_listed"} 200`) || !strings.Contains(text, "go_gc_heap_live_bytes ") {
		t.Errorf("got\n%s", text)
	}
}

// broken is a store that cannot be read.
type broken struct{ Store }

func (broken) DestinationRows(context.Context) (map[string]store.DestinationRow, error) {
	return nil, errors.New("the disk is gone")
}

// Without the store there are no old figures, and the instruments go on.
func TestABrokenStoreIsSaid(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC)
	db, cfg := fixture(t, now)
	m := New(Settings{Store: broken{db}, Config: func() *configs.Loaded { return cfg }, Program: programOf(cfg), Now: func() time.Time { return now }})
	m.PluginCrashed("rss")
	if diff := cmp.Diff([]string{`belfry_collect_success 0`, `belfry_plugin_crashes_total{kind="rss"} 1`}, belfrys(scrape(t, m))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// slow is a store that answers when the deadline is over.
type slow struct{ Store }

func (slow) SourceHealths(ctx context.Context) ([]store.SourceHealth, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, errors.New("there is no deadline")
	}
	return nil, context.DeadlineExceeded
}

func TestReadingHasADeadline(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	now := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC)
	db, cfg := fixture(t, now)
	m := New(Settings{Store: slow{db}, Config: func() *configs.Loaded { return cfg }, Program: programOf(cfg), Log: textLog(&log)})
	if got := belfrys(scrape(t, m)); !slices.Equal(got, []string{"belfry_collect_success 0"}) {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(log.String(), context.DeadlineExceeded.Error()) {
		t.Errorf("the log says %q", log.String())
	}
}

// TestFamilies holds the names, kinds, labels and help texts: others' dashboards hold on to them.
func TestFamilies(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC)
	db, cfg := fixture(t, now)
	m := New(Settings{Store: db, Config: func() *configs.Loaded { return cfg }, Program: programOf(cfg), Now: func() time.Time { return now }, Plugins: plugins})
	use(m)
	found, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	listed := map[string]familyOf{}
	for _, f := range families() {
		listed[f.name] = f
	}
	for _, f := range found {
		if !strings.HasPrefix(f.GetName(), "belfry_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		kind := strings.ToLower(f.GetType().String())
		fmt.Fprintf(&got, "%s %s {%s}\n  %s\n", f.GetName(), kind, strings.Join(labels, ", "), f.GetHelp())
		l, ok := listed[f.GetName()]
		slices.Sort(l.labels)
		if !ok || l.kind != kind || l.help != f.GetHelp() || !slices.Equal(l.labels, labels) {
			t.Errorf("%s is measured otherwise than listed: %+v", f.GetName(), l)
		}
		delete(listed, f.GetName())
	}
	for name := range listed {
		t.Errorf("%s is listed and not measured", name)
	}
	golden(t, "testdata/families.txt", got.String())
	problems, err := promlint.NewWithMetricFamilies(found).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "belfry_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; make it: go generate ./internal/metrics", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale; make it anew: go generate ./internal/metrics (-want +got):\n%s", file, diff)
	}
}

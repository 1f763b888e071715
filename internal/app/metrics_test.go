//go:build linux

package app

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/internal/websub/websubtest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// scrape is what /metrics gave: values by the name with its labels, as they are written.
type scrape map[string]float64

// meter is a stage whose metrics are looked at. Told are the names of which something was expected.
type meter struct {
	*stage
	told map[string]bool
	all  scrape // everything that was ever seen
}

// scrapes asks a running daemon for its metrics.
func (s *meter) scrapes() scrape {
	s.t.Helper()
	code, text := ask(s.t, "http://"+s.app.AdminAddr()+"/metrics", "")
	if code != http.StatusOK {
		s.t.Fatalf("%d: %s", code, text)
	}
	out := scrape{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if line == "" || line[0] == '#' || at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			s.t.Fatalf("%q: %v", line, err)
		}
		out[line[:at]] = v
	}
	maps.Copy(s.all, out)
	return out
}

// receivers are servers that each fail in a way of their own; one of them while it is deaf.
func receivers(t *testing.T) (url string, deaf *atomic.Bool) {
	t.Helper()
	deaf = &atomic.Bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("/lossy", func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler) // it took the call, and the connection ends
	})
	mux.HandleFunc("/fixed", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":1}`) })
	mux.HandleFunc("/strict", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/shy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/deaf", func(w http.ResponseWriter, _ *http.Request) {
		if deaf.Load() {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, deaf
}

const measured = `
timezone: Europe/Paris
site: {title: La Gazette, url: "https://gazette.example", lang: fr}
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
data_dir: data
alerts: {to: [deaf]}
plugins: {external: {notes: {path: "%PLUGIN%", read: ["%NOTES%"]}}}
sources:
  articles: {type: rss, url: "%SITE%/feed", poll: 1s, baseline: all, isolation: none, allow_private: [127.0.0.0/8]}
  broken: {type: rss, url: "%SITE%/broken", poll: 1s, isolation: none, allow_private: [127.0.0.0/8]}
  away: {type: rss, url: "%SITE%/away", poll: 1s, isolation: none, allow_private: [127.0.0.0/8]}
  flood: {type: rss, url: "%SITE%/flood", poll: 1s, max_new: 3, isolation: none, allow_private: [127.0.0.0/8]}
  told: {type: rss, url: "%SITE%/told", poll: 1s, isolation: none, allow_private: [127.0.0.0/8]}
  desk: {type: webhook, isolation: none, signature: bearer, secret: "0123456789abcdef-token", map: {key: entry.id, title: entry.title}}
  carnet: {type: notes, poll: 1s, folder: "%NOTES%"}
destinations:
  telegram: {type: telegram, token: "%TOKEN%", api: "%TELEGRAM%", rates: off, allow_private: [127.0.0.0/8]}
  hook: {type: http, url: "%HOOK%/in", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
  lossy: {type: http, url: "%OTHERS%/lossy", body: '{"t": {{json .Title}}}', allow_private: [127.0.0.0/8]}
  fixed: {type: http, url: "%OTHERS%/fixed", body: '{"t": {{json .Title}}}', allow_private: [127.0.0.0/8]}
  strict: {type: http, url: "%OTHERS%/strict", body: '{"t": {{json .Title}}}', allow_private: [127.0.0.0/8]}
  late: {type: http, url: "%OTHERS%/late", body: '{"t": {{json .Title}}}', allow_private: [127.0.0.0/8]}
  shy: {type: http, url: "%OTHERS%/shy", body: '{"t": {{json .Title}}}', allow_private: [127.0.0.0/8]}
  deaf: {type: http, url: "%OTHERS%/deaf", body: '{"t": {{json .Title}}}', allow_private: [127.0.0.0/8]}
channels:
  alertes:
    title: Alertes
    sources: [articles]
    each: {}
    corrections: {revised: [edit, list], min_gap: 0s}
    publish_to: [{destination: telegram, chat: "@gazette"}, {destination: hook}, {destination: lossy}, {destination: fixed}, {destination: strict},
      {destination: late, max_age: 5s}, {destination: shy}]
  lente: {title: Lente, sources: [articles], each: {settle: 1h}}
  muette: {title: Muette, sources: [articles], each: {}}
  brief: {title: Brief, sources: [articles, flood, broken, away, carnet], digest: {cron: "@every 1h"}}
blackouts:
  nuit: {hours: "mon-sun 00:00-24:00", channels: [%SILENT%]}
`

// expectation says what a series has to be.
type expectation struct {
	series string
	says   string
	holds  func(v float64, there bool) bool
}

func is(series string, want float64) expectation {
	return expectation{series, fmt.Sprint("= ", want), func(v float64, there bool) bool { return there && v == want }}
}

func more(series string, than float64) expectation {
	return expectation{series, fmt.Sprint("> ", than), func(v float64, there bool) bool { return there && v > than }}
}

// recent is a time within two minutes before or after now.
func recent(series string) expectation {
	return expectation{series, "about now", func(v float64, there bool) bool {
		return there && time.Since(time.Unix(int64(v), 0)).Abs() < 2*time.Minute
	}}
}

// gone is nothing, or 0.
func gone(series string) expectation {
	return expectation{series, "0 or not there", func(v float64, there bool) bool { return !there || v == 0 }}
}

// expects waits until a scrape is as expected.
func (s *meter) expects(when string, list ...expectation) {
	s.t.Helper()
	var got scrape
	for _, e := range list {
		name, _, _ := strings.Cut(e.series, "{")
		s.told[name] = true
	}
	var wrong []string
	for deadline := time.Now().Add(waiting); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		got, wrong = s.scrapes(), nil
		for _, e := range list {
			if v, there := got[e.series]; !e.holds(v, there) {
				wrong = append(wrong, fmt.Sprintf("%s is %v (there: %v), want %s", e.series, v, there, e.says))
			}
		}
		if len(wrong) == 0 {
			return
		}
	}
	s.t.Fatalf("%s:\n%s\n%s", when, strings.Join(wrong, "\n"), s.state())
}

// TestEveryMetricMoves holds that every family of the reference is in a scrape of a running daemon, and shows what happens
// to it: posts, a failing source and one that is gone, a flood, a plugin that falls, destinations that stop, lose answers,
// refuse, are late and cannot correct, a pause, a blackout, a deaf operator, and readers; and that it shows the end of it.
func TestEveryMetricMoves(t *testing.T) {
	t.Parallel()
	s := &meter{stage: newStage(t), told: map[string]bool{}, all: scrape{}}
	others, deaf := receivers(t)
	notes := filepath.Join(s.dir, "carnet")
	if err := os.Mkdir(notes, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(silent string) {
		s.config(strings.NewReplacer("%OTHERS%", others, "%PLUGIN%", s.dir+"/plugin", "%NOTES%", notes, "%SILENT%", silent).Replace(measured))
	}
	write("muette")
	s.example("plugin")
	flood := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Flood", Lang: "fr"}}
	publish := func(n int) {
		for i := range n {
			flood.Publish(feedtest.Article{ID: fmt.Sprint(i), Link: s.siteURL + "/flood/" + fmt.Sprint(i), Title: fmt.Sprint("Flot ", i), Published: time.Now().Add(-time.Hour)})
		}
		s.site.Feed("/flood", flood.RSS())
	}
	publish(1)
	s.site.Set("/broken", feedtest.Page{Status: http.StatusInternalServerError})
	s.site.Set("/away", feedtest.Page{Status: http.StatusGone})
	hub := websubtest.New(websubtest.Options{Client: websubtest.Through(func() string { return s.app.Addr() })})
	hub.Refuse(http.StatusInternalServerError)
	hubServer := httptest.NewServer(hub)
	t.Cleanup(hubServer.Close)
	t.Cleanup(hub.Wait)
	s.site.Set("/told", feedtest.Page{Type: "application/rss+xml", Header: http.Header{"Link": {"<" + hubServer.URL + ">; rel=hub"}}, Body: flood.RSS()})
	a := s.start()
	db, now := a.Store(), time.Now

	s.expects("at first", is("belfry_build_info{goversion=\""+runtime.Version()+"\",version=\"test\"}", 1), is("belfry_collect_success", 1), is(`belfry_channel_posts{channel="alertes"}`, 0),
		is(`belfry_channel_waiting{channel="lente"}`, 0), is(`belfry_channel_held{channel="muette"}`, 0), is(`belfry_channel_last_post_timestamp_seconds{channel="alertes"}`, 0),
		is(`belfry_destination_waiting{destination="hook"}`, 0), is(`belfry_destination_unknown{destination="lossy"}`, 0), is(`belfry_destination_needs_a_person{destination="fixed"}`, 0),
		is(`belfry_destination_dead{destination="strict",state="failed"}`, 0), is(`belfry_destination_stopped{destination="telegram"}`, 0), is(`belfry_destination_last_success_timestamp_seconds{destination="hook"}`, 0),
		is(`belfry_alerts_refused{destination="deaf"}`, 0), gone(`belfry_paused{name="shy",scope="destination"}`), gone(`belfry_plugin_crashes_total{kind="notes"}`), gone(`belfry_source_held{source="flood"}`))

	s.expects("while the hub refuses", is(`belfry_source_hub_active{source="told"}`, 0))
	hub.Refuse(0)
	for _, sub := range subscriptions(t, db) {
		if err := db.SubscriptionEnded(t.Context(), sub.ID, websub.Pending, "", now()); err != nil { // it is asked again at once
			t.Fatal(err)
		}
	}
	a.hubs.Wake()
	for body, token := range map[string]string{`{"id":"1","title":"Un appel"}`: "0123456789abcdef-token", `{"id":"2"}`: "0123456789abcdef-token", `{}`: "another"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr()+"/hooks/desk", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	s.expects("once somebody called", is(`belfry_webhook_answer_duration_seconds_count{outcome="accepted",source="desk"}`, 2), is(`belfry_webhook_answer_duration_seconds_count{outcome="401",source="desk"}`, 1),
		is(`belfry_webhooks_mapped_total{outcome="mapped",source="desk"}`, 1), is(`belfry_webhooks_mapped_total{outcome="failed",source="desk"}`, 1), is(`belfry_webhooks_waiting{source="desk"}`, 0),
		is(`belfry_webhooks_failed{source="desk"}`, 1), is(`belfry_source_hub_active{source="told"}`, 1))

	deaf.Store(true) // from now on: the failing sources are told as soon as they have failed
	// A post everywhere; then its correction, while Telegram takes the bot's rights away.
	if _, err := db.Pause(t.Context(), store.PauseDestination, "shy", "test", now()); err != nil {
		t.Fatal(err)
	}
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("it is out", func() bool { return len(s.messages()) == 1 && len(s.hook.State().Posts) == 1 })
	s.until("the fixed one has it", func() bool { return len(s.deliveries(store.DeliveryFilter{Destination: "fixed", State: "sent"})) == 1 })
	s.telegram.SetChat(telegramtest.Chat{ID: testChat, Type: "channel", Title: "Gazette", Username: "gazette", Bot: telegramtest.Member{Status: "left"}})
	s.publish(feedtest.Article{ID: "a", Title: "Un, corrigé", Updated: now()})
	s.publish(feedtest.Article{ID: "b", Title: "Deux"})
	publish(12)
	s.until("the notebook is read", func() bool { return !s.source("carnet").OKAt.IsZero() })
	for _, p := range a.host.Status() {
		if pid, err := strconv.Atoi(p.PID); p.Kind == "notes" && err == nil {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.until("there are two posts", func() bool { return len(s.posts()) == 2 })
	for _, path := range []string{"/", "/c/alertes", "/c/alertes/feed.atom", "/c/alertes/" + s.posts()[0].PublicID, "/nowhere"} {
		s.page(path)
	}
	s.expects("in the midst of it",
		more(`belfry_delivery_lag_seconds_count{destination="hook"}`, 1), more(`belfry_delivery_lag_seconds_sum{destination="hook"}`, 0), more(`belfry_delivery_lag_seconds_bucket{destination="hook",le="+Inf"}`, 1),
		more(`belfry_destination_call_duration_seconds_count{destination="hook",outcome="ok"}`, 1), more(`belfry_destination_call_duration_seconds_count{destination="strict",outcome="invalid"}`, 0),
		more(`belfry_destination_call_duration_seconds_count{destination="lossy",outcome="unknown_outcome"}`, 0), more(`belfry_destination_call_duration_seconds_count{destination="late",outcome="unavailable"}`, 0),
		more(`belfry_source_fetch_duration_seconds_count{outcome="ok",type="rss"}`, 1), more(`belfry_source_fetch_duration_seconds_count{outcome="unavailable",type="rss"}`, 0), more(`belfry_source_fetch_duration_seconds_sum{outcome="ok",type="rss"}`, 0),
		more(`belfry_plugin_crashes_total{kind="notes"}`, 0), more(`belfry_plugin_starts_total{kind="notes"}`, 1), is(`belfry_plugin_processes{kind="notes"}`, 1),
		more(`belfry_plugin_resident_memory_bytes{kind="notes"}`, 1<<20), more(`belfry_plugin_cpu_seconds_total{kind="notes"}`, 0), is(`belfry_plugin_held{kind="notes"}`, 0),
		is(`belfry_plugin_calls{kind="notes",state="waiting"}`, 0),
		is(`belfry_http_request_duration_seconds_count{class="front",status="2xx"}`, 1), is(`belfry_http_request_duration_seconds_count{class="channel",status="2xx"}`, 1), is(`belfry_http_request_duration_seconds_count{class="feed",status="2xx"}`, 1),
		is(`belfry_http_request_duration_seconds_count{class="post",status="2xx"}`, 1), is(`belfry_http_request_duration_seconds_count{class="other",status="4xx"}`, 2),
		recent(`belfry_source_last_success_timestamp_seconds{source="articles"}`), is(`belfry_source_last_success_timestamp_seconds{source="broken"}`, 0),
		more(`belfry_source_failures{source="broken"}`, 0), is(`belfry_source_failures{source="articles"}`, 0),
		is(`belfry_source_gone{source="away"}`, 1), is(`belfry_source_gone{source="articles"}`, 0), is(`belfry_source_held{source="flood"}`, 11), is(`belfry_source_held{source="articles"}`, 0),
		is(`belfry_channel_posts{channel="alertes"}`, 2), is(`belfry_channel_waiting{channel="lente"}`, 2), is(`belfry_channel_held{channel="muette"}`, 2), is(`belfry_channel_held{channel="alertes"}`, 0),
		recent(`belfry_channel_last_post_timestamp_seconds{channel="alertes"}`), more(`belfry_channel_next_digest_timestamp_seconds{channel="brief"}`, float64(now().Unix())),
		more(`belfry_destination_waiting{destination="telegram"}`, 0), is(`belfry_destination_waiting{destination="shy"}`, 2), is(`belfry_destination_waiting{destination="hook"}`, 0),
		more(`belfry_destination_oldest_waiting_seconds{destination="telegram"}`, 0), is(`belfry_destination_oldest_waiting_seconds{destination="hook"}`, 0),
		is(`belfry_destination_unknown{destination="lossy"}`, 2), is(`belfry_destination_needs_a_person{destination="fixed"}`, 1),
		more(`belfry_destination_dead{destination="strict",state="failed"}`, 0), more(`belfry_destination_dead{destination="late",state="expired"}`, 0), is(`belfry_destination_dead{destination="shy",state="dropped"}`, 0),
		is(`belfry_destination_stopped{destination="telegram"}`, 1), is(`belfry_destination_stopped{destination="hook"}`, 0), recent(`belfry_destination_last_success_timestamp_seconds{destination="hook"}`),
		is(`belfry_destination_last_success_timestamp_seconds{destination="strict"}`, 0),
		more(`belfry_alerts_open{code="source_failing"}`, 0), more(`belfry_alerts_open{code="destination_stop"}`, 0), more(`belfry_alerts_untold`, 0), is(`belfry_alerts_refused{destination="deaf"}`, 1),
		is(`belfry_paused{name="shy",scope="destination"}`, 1), is(`belfry_collect_success`, 1), more(`belfry_collect_duration_seconds`, 0))

	// What is paused waits; a blackout begins, and holds it.
	write("muette, alertes")
	if r := a.Reload(t.Context()); r.Err != nil {
		t.Fatal(r.Err)
	}
	if _, err := db.Resume(t.Context(), store.PauseDestination, "shy", "test", now()); err != nil {
		t.Fatal(err)
	}
	s.expects("in the blackout", is(`belfry_destination_held{destination="shy"}`, 2), is(`belfry_destination_held{destination="hook"}`, 0), gone(`belfry_paused{name="shy",scope="destination"}`))

	// Everything is mended, which is seen as well.
	if _, err := db.ReleaseHeld(t.Context(), "alertes", true, "test", now()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ReleaseSourceHolds(t.Context(), "flood", false, "test", now()); err != nil {
		t.Fatal(err)
	}
	for _, d := range s.deliveries(store.DeliveryFilter{State: "unknown"}) {
		if err := db.ResolveByHand(t.Context(), d.ID, store.SayArrived, "", "test", now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range s.deliveries(store.DeliveryFilter{State: "awaiting_person"}) {
		if err := db.ResolveByHand(t.Context(), d.ID, store.SayDone, "", "test", now()); err != nil {
			t.Fatal(err)
		}
	}
	s.site.Feed("/broken", s.newsroom.Atom())
	if err := db.FetchNow(t.Context(), "broken", false, now()); err != nil {
		t.Fatal(err)
	}
	deaf.Store(false)
	s.expects("once it is mended", is(`belfry_destination_held{destination="shy"}`, 0), is(`belfry_destination_dead{destination="shy",state="dropped"}`, 2), is(`belfry_source_held{source="flood"}`, 0),
		more(`belfry_channel_waiting{channel="brief"}`, 10), is(`belfry_destination_unknown{destination="lossy"}`, 0), is(`belfry_source_failures{source="broken"}`, 0),
		recent(`belfry_source_last_success_timestamp_seconds{source="broken"}`), gone(`belfry_alerts_untold`), is(`belfry_alerts_refused{destination="deaf"}`, 0))

	// That a plugin moves it, TestPeopleByAPlugin shows: it takes one that hears people.
	s.app.metrics.EventRefused("pager", "sender")
	s.expects("of a plugin that tells nonsense", is(`belfry_plugin_events_refused_total{kind="pager",why="sender"}`, 1))

	// A store that cannot be read shows no old figures, and shows them again when it can.
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "data", sqlite.FileName)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(`ALTER TABLE pauses RENAME TO pauses_away`); err != nil {
		t.Fatal(err)
	}
	s.expects("while the store cannot be read", is("belfry_collect_success", 0), gone(`belfry_destination_dead{destination="shy",state="dropped"}`), more(`belfry_delivery_lag_seconds_count{destination="hook"}`, 1))
	if _, err := raw.Exec(`ALTER TABLE pauses_away RENAME TO pauses`); err != nil {
		t.Fatal(err)
	}
	s.expects("when it can be read again", is("belfry_collect_success", 1), is(`belfry_destination_dead{destination="shy",state="dropped"}`, 2))
	s.checkReference()
	s.checkQueries()
}

func subscriptions(t *testing.T, db *store.DB) []websub.Subscription {
	t.Helper()
	subs, err := db.Subscriptions(t.Context())
	if err != nil || len(subs) == 0 {
		t.Fatalf("%v %v", subs, err)
	}
	return subs
}

var row = regexp.MustCompile("(?m)^\\| `(belfry_[a-z_]+)` \\| ([a-z]+) \\| ([^|]+) \\|")

// checkReference holds that every family of the reference was seen with its labels, and that something was expected of it.
func (s *meter) checkReference() {
	s.t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		s.t.Fatal(err)
	}
	rows := row.FindAllStringSubmatch(string(page), -1)
	if len(rows) < 20 {
		s.t.Fatalf("only %d families are found", len(rows))
	}
	label := regexp.MustCompile(`([a-z]+)="`)
	for _, r := range rows {
		names := []string{r[1]}
		if r[2] == "histogram" {
			names = []string{r[1] + "_bucket", r[1] + "_sum", r[1] + "_count"}
		}
		if !slices.ContainsFunc(names, func(n string) bool { return s.told[n] }) {
			s.t.Errorf("nothing is expected of %s: say here how it moves", r[1])
		}
		for _, name := range names {
			want := regexp.MustCompile("[a-z]+").FindAllString(r[3], -1)
			if strings.HasSuffix(name, "_bucket") {
				want = append(want, "le")
			}
			slices.Sort(want)
			seen := false
			for series := range s.all {
				if n, labels, _ := strings.Cut(series, "{"); n == name {
					var got []string
					for _, l := range label.FindAllStringSubmatch(labels, -1) {
						got = append(got, l[1])
					}
					slices.Sort(got)
					if !slices.Equal(got, want) {
						s.t.Errorf("%s has the labels %q, the reference says %q", series, got, want)
					}
					seen = true
				}
			}
			if !seen {
				s.t.Errorf("%s is in the reference, and in no scrape", name)
			}
		}
	}
	documented := map[string]bool{}
	for _, r := range rows {
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			documented[r[1]+suffix] = true
		}
	}
	for series := range s.all {
		if name, _, _ := strings.Cut(series, "{"); strings.HasPrefix(name, "belfry_") && !documented[name] {
			s.t.Errorf("%s is in a scrape, and not in the reference", name)
		}
	}
}

// checkQueries holds that every metric that the alert rules and the dashboard ask for was in a scrape.
func (s *meter) checkQueries() {
	s.t.Helper()
	exprs := map[string]string{}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	text, err := os.ReadFile("../../docs/operations/prometheus-rules.yaml")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		s.t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			exprs["rule "+r.Alert] = r.Expr
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, RefID string }
		}
	}
	if text, err = os.ReadFile("../../docs/operations/grafana.json"); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &board); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			exprs["panel "+p.Title+" "+target.RefID] = target.Expr
		}
	}
	if len(exprs) < 30 {
		s.t.Fatalf("only %d queries are found", len(exprs))
	}
	seen := map[string]bool{}
	for series := range s.all {
		name, _, _ := strings.Cut(series, "{")
		seen[name] = true
	}
	used := regexp.MustCompile(`\b(?:belfry|process|go)_[a-z_]+`)
	for where, expr := range exprs {
		for _, name := range used.FindAllString(expr, -1) {
			if !seen[name] {
				s.t.Errorf("%s asks for %s, which is in no scrape", where, name)
			}
		}
	}
}

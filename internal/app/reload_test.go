package app

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

func (s *stage) alerts() map[string]string {
	s.t.Helper()
	rows, err := s.app.Store().Alerts(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range rows {
		out[string(r.Code)] = r.Sentence
	}
	return out
}

// A changed file is applied by itself; one with problems changes nothing, says so, and is over with the next good one.
func TestAFileThatChanges(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("it is out", func() bool { return len(s.messages()) == 1 && s.idle() })
	for name, bad := range map[string]string{"an unknown key": plain + "lisen: x\n", "nothing": "", "half of it": plain[:len(plain)/2], "no channel": "timezone: UTC\n",
		"a gone channel": strings.Replace(plain, "  alertes:", "  breves:", 1), "a gone destination": strings.NewReplacer("  hook: {type", "  crochet: {type", "destination: hook", "destination: crochet").Replace(plain)} {
		s.config(bad)
		r := a.Reload(t.Context())
		if r.Err == nil || r.Generation != 1 || a.Status().Err == nil {
			t.Errorf("%s: %+v", name, r)
		}
		if said := s.alerts()["config_refused"]; !strings.Contains(said, "generation 1 stays in force") {
			t.Errorf("%s: the alert says %q", name, said)
		}
	}
	s.publish(feedtest.Article{ID: "b", Title: "Deux"})
	s.until("the running one goes on", func() bool { return len(s.messages()) == 2 && len(s.hook.State().Posts) == 2 && s.idle() })
	s.config(strings.Replace(plain, "title: Alertes", "title: Dernière minute", 1))
	s.until("the good one is in force by itself", func() bool {
		_, page := s.page("/c/alertes")
		return strings.Contains(page, "Dernière minute")
	})
	s.until("the alert is over", func() bool { return len(s.alerts()) == 0 })
	if st := a.Status(); st.Generation != 2 || len(st.Changes) != 1 || st.Changes[0].Path != "channels.alertes.title" {
		t.Errorf("status %+v", st)
	}
	if calls := s.telegram.Messages(testChat); len(calls) != 2 || !calls[0].Edited.IsZero() {
		t.Errorf("what is out was touched: %+v", calls)
	}
}

// A configuration that was refused while the daemon ran, and mended while it was down, is over after the start.
func TestARefusalEndsWithARestart(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	s.config("timezone: nowhere\n")
	if r := a.Reload(t.Context()); r.Err == nil {
		t.Fatal("it was taken")
	}
	s.stop(a)
	s.config(plain)
	s.start()
	if len(s.alerts()) != 0 {
		t.Errorf("alerts stay: %v", s.alerts())
	}
}

// When the store cannot take a changed destination, the one before goes on.
func TestADestinationThatCannotBeChangedGoesOn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("the first article", func() bool { return len(s.hook.State().Posts) == 1 })
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "data", sqlite.FileName)+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(`CREATE TRIGGER full BEFORE UPDATE OF fingerprint ON destinations BEGIN SELECT RAISE(ABORT, 'no room'); END`); err != nil {
		t.Fatal(err)
	}
	s.config(strings.Replace(plain, `secret: "%SECRET%",`, `secret: "%SECRET%", timeout: 7s,`, 1))
	if r := a.Reload(t.Context()); r.Err == nil || !strings.Contains(r.Err.Error(), "no room") {
		t.Fatalf("the reload says %v", r.Err)
	}
	s.publish(feedtest.Article{ID: "b", Title: "Deux"})
	s.until("the second article", func() bool { return len(s.hook.State().Posts) == 2 })
	if _, err := raw.Exec(`DROP TRIGGER full`); err != nil {
		t.Fatal(err)
	}
	if r := a.Reload(t.Context()); r.Err != nil {
		t.Fatal(r.Err)
	}
	s.publish(feedtest.Article{ID: "c", Title: "Trois"})
	s.until("the third article", func() bool { return len(s.hook.State().Posts) == 3 })
}

// A channel that holds posts is renamed by was:, and nothing of it is lost; without, the configuration is refused.
func TestARenamedChannel(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("it is out", func() bool { return len(s.messages()) == 1 && len(s.hook.State().Posts) == 1 && s.idle() })
	gone := strings.Replace(plain, "  alertes:", "  breves:", 1)
	s.config(gone)
	r := a.Reload(t.Context())
	want := `channel "alertes" is gone from the configuration but holds 1 posts; renamed? add   was: alertes   to the new channel; closed? add   retired: [alertes]`
	if r.Err == nil || !strings.Contains(r.Err.Error(), want) {
		t.Errorf("got %v", r.Err)
	}
	// A start refuses it too, and names the same way out.
	s.stop(a)
	if err := s.make().Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	s.config(plain)
	a = s.start()
	was := strings.Replace(gone, "  breves:\n", "  breves:\n    was: alertes\n", 1)
	// The rename is not carried out by a configuration that is refused for another reason.
	s.config(strings.Replace(was, "sources:\n", "sources:\n  strange: {type: strange, isolation: none}\n", 1))
	if r := a.Reload(t.Context()); r.Err == nil || !strings.Contains(r.Err.Error(), "source strange cannot be opened") {
		t.Fatalf("got %v", r.Err)
	}
	if p := s.posts(); len(p) != 1 || p[0].Channel != "alertes" {
		t.Errorf("after the refusal the post is in %+v", p)
	}
	s.config(was)
	if r := a.Reload(t.Context()); r.Err != nil {
		t.Fatal(r.Err)
	}
	s.publish(feedtest.Article{ID: "a", Title: "Un, corrigé"})
	s.until("its copies follow", func() bool {
		_, page := s.page("/c/breves")
		return strings.Contains(s.messages()[0], "corrigé") && strings.Contains(page, "corrigé") && s.idle()
	})
	if n := len(s.telegram.Messages(testChat)); n != 1 {
		t.Errorf("there are %d messages", n)
	}
	s.config(was + "  ")
	if r := a.Reload(t.Context()); r.Err != nil {
		t.Errorf("was: may stay: %v", r.Err)
	}
}

// An added channel gets nothing of the past; a removed source is not fetched, and what was told of it is over; a changed
// destination gets what comes, and a changed zone moves the hours.
func TestWhatReloadsChange(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var mu sync.Mutex
	fetched := 0
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		fetched++
		mu.Unlock()
		http.NotFound(w, nil)
	}))
	t.Cleanup(broken.Close)
	other, err := receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{testSecret}})
	if err != nil {
		t.Fatal(err)
	}
	second := httptest.NewServer(other)
	t.Cleanup(second.Close)
	with := strings.Replace(plain, "sources:\n  articles", `sources:
  broken: {type: rss, url: "`+broken.URL+`", poll: 1s, isolation: none, allow_private: [127.0.0.0/8]}
  articles`, 1)
	s.config(with)
	a := s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("it is out, and somebody is told of the broken source", func() bool {
		return len(s.messages()) == 1 && len(s.hook.State().Posts) == 1 && s.idle() && s.alerts()["source_failing"] != ""
	})
	s.config(strings.Replace(strings.Replace(plain, s.urls["hook"], second.URL, 1), "%HOOK%", second.URL, 1) + "  neu:\n    title: Neu\n    sources: [articles]\n    each: {}\n")
	r := a.Reload(t.Context())
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if len(s.alerts()) != 0 {
		t.Errorf("alerts of what is gone stay: %v", s.alerts())
	}
	mu.Lock()
	before := fetched
	mu.Unlock()
	s.publish(feedtest.Article{ID: "b", Title: "Deux"})
	s.until("the new ones have it", func() bool {
		_, page := s.page("/c/neu")
		return len(other.State().Posts) == 1 && len(s.messages()) == 2 && strings.Contains(page, "Deux") && s.idle()
	})
	if _, page := s.page("/c/neu"); strings.Contains(page, "Un<") {
		t.Error("the added channel shows what was there before it")
	}
	if n := len(s.hook.State().Posts); n != 1 {
		t.Errorf("the old receiver has %d posts", n)
	}
	mu.Lock()
	if fetched > before+1 {
		t.Errorf("the removed source was fetched %d times more", fetched-before)
	}
	mu.Unlock()
	zone := a.engine.Program().Zone
	s.config(strings.Replace(strings.Replace(plain, "Europe/Paris", "Pacific/Auckland", 1), "%HOOK%", second.URL, 1) + "retired: [neu]\n")
	if r := a.Reload(t.Context()); r.Err != nil || len(r.NeedRestart) != 0 {
		t.Fatalf("%+v", r)
	}
	if now := a.engine.Program().Zone; now.String() != "Pacific/Auckland" || zone.String() != "Europe/Paris" {
		t.Errorf("the zone was %s and is %s", zone, now)
	}
	s.config(strings.Replace(strings.Replace(plain, "listen: 127.0.0.1:0", "listen: 127.0.0.1:1", 1), "%HOOK%", second.URL, 1) + "retired: [neu]\n")
	if r := a.Reload(t.Context()); r.Err != nil || len(r.NeedRestart) != 1 || r.NeedRestart[0] != "listen" {
		t.Errorf("%+v", r)
	}
	// What was started counts: the value of then is in force, although the last reload said another.
	s.config(strings.Replace(plain, "%HOOK%", second.URL, 1) + "retired: [neu]\n")
	if r := a.Reload(t.Context()); r.Err != nil || len(r.Changes) == 0 || len(r.NeedRestart) != 0 {
		t.Errorf("%+v", r)
	}
}

// Alerts reach their destination once, and so does their end; a destination that cannot take them is left in peace.
func TestAlertsAreTold(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var mu sync.Mutex
	refused := 0
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		refused++
		mu.Unlock()
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(down.Close)
	text := strings.Replace(plain, "alerts: none", "alerts: {to: [ops, down], repeat: 1h, settle: 0s}", 1)
	text = strings.Replace(text, "destinations:\n", `destinations:
  ops: {type: http, url: "%HOOK%/ops", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
  down: {type: http, url: "`+down.URL+`", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
`, 1)
	s.config(strings.Replace(text, `url: "%SITE%/feed"`, `url: "%SITE%/none"`, 1))
	s.start()
	s.until("it is told", func() bool { return len(s.hook.State().Posts) == 1 })
	p := s.hook.State().Posts[0]
	if !strings.Contains(p.Text+p.Summary, "source articles cannot be read") || !strings.Contains(p.Text, "belfry source fetch articles") {
		t.Errorf("it says %q %q", p.Summary, p.Text)
	}
	s.config(text)
	s.until("its end is told", func() bool {
		list := s.hook.State().Posts
		return len(s.alerts()) == 0 && strings.Contains(list[len(list)-1].Text, "It is over")
	})
	mu.Lock()
	defer mu.Unlock()
	if refused > 1 {
		t.Errorf("the destination that asked for an hour was called %d times", refused)
	}
}

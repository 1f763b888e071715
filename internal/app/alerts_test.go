package app

import (
	"database/sql"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// Where alerts reach nobody, that is kept where status, doctor and metrics look, and it ends when one arrives.
func TestAlertsThatReachNobody(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil { // connections are refused from here on
		t.Fatal(err)
	}
	config := strings.Replace(strings.Replace(plain, "alerts: none", "alerts: {to: [ops]}", 1), "destinations:\n", `destinations:
  ops: {type: http, url: "http://`+address+`/ops", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
`, 1)
	s.config(config)
	a := s.start()
	ctx := t.Context()
	trouble := alert.Alert{Code: alert.OutcomeUnknown, Subject: "delivery 7", Sentence: "nobody knows", Mend: "look"}
	if err := a.db.Raise(ctx, trouble, time.Now()); err != nil {
		t.Fatal(err)
	}
	places := func() []store.AlertPlace {
		list, err := a.db.AlertPlaces(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	s.until("it is kept that ops takes no alerts", func() bool { return len(places()) == 1 })
	if p := places()[0]; p.Destination != "ops" || p.Failures < 1 || p.Code != sdk.CodeUnavailable || !strings.Contains(p.Error, "refuses connections") {
		t.Errorf("%+v", p)
	}
	counted := func(outcome string) bool {
		w := httptest.NewRecorder()
		a.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return strings.Contains(w.Body.String(), `belfry_destination_call_duration_seconds_count{destination="ops",outcome="`+outcome+`"}`)
	}
	if !counted("unavailable") {
		t.Error("the call is not measured")
	}
	for since, want := range map[time.Duration]bool{-time.Hour: false, time.Hour: true} {
		if mute, err := unheard(ctx, a.db, a.Config(), time.Now().Add(since)); err != nil || mute != want {
			t.Errorf("unheard since %s: %v, %v", since, mute, err)
		}
	}
	// The place answers again: one that is configured anew is tried at once.
	if ln, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	back := httptest.NewUnstartedServer(s.hook)
	back.Listener = ln
	back.Start()
	t.Cleanup(back.Close)
	s.config(strings.Replace(config, "/ops", "/desk", 1))
	if r := a.Reload(ctx); r.Err != nil {
		t.Fatal(r.Err)
	}
	unheardOf := func() int {
		n, _, err := a.db.UnheardAlerts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.until("ops was told", func() bool { return len(places()) == 0 && unheardOf() == 0 })
	rows, err := a.db.DestinationRows(ctx)
	if err != nil || rows["ops"].OKAt.IsZero() {
		t.Errorf("ops accepted a call at %s, %v", rows["ops"].OKAt, err)
	}
	if !counted("ok") {
		t.Error("the call that arrived is not measured")
	}
	// A place that is not told any more is forgotten.
	if err := a.db.AlertRefused(ctx, store.AlertPlace{Destination: "telegram"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if r := a.Reload(ctx); r.Err != nil {
		t.Fatal(r.Err)
	}
	s.until("telegram is forgotten", func() bool { return len(places()) == 0 })
}

// What one place could not take, while another was told, is told there later: the newest of each alert, in order.
func TestOwedAlerts(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var mu sync.Mutex
	down, took := true, []string{}
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		took = append(took, r.Header.Get("Webhook-Id"))
	}))
	t.Cleanup(second.Close)
	text := strings.Replace(plain, "alerts: none", "alerts: {to: [ops, {destination: second, chat: desk}], repeat: 1h}", 1)
	s.config(strings.Replace(text, "destinations:\n", `destinations:
  ops: {type: http, url: "%HOOK%/ops", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
  second: {type: http, url: "`+second.URL+`", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
`, 1))
	a := s.start() // it has no alert to tell of by itself
	loaded, ctx := a.Config(), t.Context()
	tell := newTeller(a)
	at := time.Now()
	rows := []alert.Row{{ID: 1, Alert: alert.Alert{Code: alert.SourceFailing, Subject: "a", Sentence: "a fails"}, First: at, Last: at, Count: 1},
		{ID: 2, Alert: alert.Alert{Code: alert.SourceFailing, Subject: "b", Sentence: "b fails"}, First: at, Last: at, Count: 1}}
	to := loaded.Alerts.To[1]
	for _, r := range rows {
		if tell.try(ctx, to, r, loaded) {
			t.Error("it was taken")
		}
		tell.owe(to, r)
	}
	over := rows[0]
	over.Resolved = at.Add(time.Minute)
	tell.owe(to, over)
	tell.payOwed(ctx, ctx, loaded)
	if n := len(tell.owed[to]); n != 2 || tell.waits[to] == nil || tell.waits[to].failures != 1 {
		t.Errorf("%d are owed, and it waits %+v", n, tell.waits[to])
	}
	mu.Lock()
	down = false
	mu.Unlock()
	tell.waits[to].until = time.Now()
	tell.payOwed(ctx, ctx, loaded)
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"alert_2_1_0", "alert_1_1_0_over"}, took); diff != "" || len(tell.owed) != 0 || tell.waits[to] != nil {
		t.Errorf("%s\n%v, %v", diff, tell.owed, tell.waits)
	}
	// A place that is not told any more is owed nothing.
	gone := configs.AlertTarget{Destination: "gone"}
	for i := range 2 * maxOwed {
		tell.owe(gone, alert.Row{ID: int64(i)})
	}
	if n := len(tell.owed[gone]); n != maxOwed || tell.owed[gone][n-1].ID != 2*maxOwed-1 {
		t.Errorf("%d are kept", n)
	}
	tell.payOwed(ctx, ctx, loaded)
	if len(tell.owed) != 0 {
		t.Errorf("%d places are owed", len(tell.owed))
	}
}

// refusing lets the store of a daemon take no alert about the disk, nor what is told of any, as on one without room.
func refusing(t *testing.T, a *App) (mended func()) {
	t.Helper()
	db, err := sql.Open("sqlite", Database(a.Config()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	do := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := db.Exec("PRAGMA busy_timeout = 10000;" + s); err != nil {
				t.Fatal(err)
			}
		}
	}
	do(`CREATE TRIGGER no_alert BEFORE INSERT ON alerts WHEN NEW.code = 'disk_low' BEGIN SELECT RAISE(ABORT, 'no room'); END`,
		`CREATE TRIGGER no_mark BEFORE UPDATE OF told_at ON alerts WHEN NEW.told_at <> OLD.told_at BEGIN SELECT RAISE(ABORT, 'no room'); END`)
	return func() { do(`DROP TRIGGER no_alert`, `DROP TRIGGER no_mark`) }
}

// On a disk without any room the store takes no alert. Operators are told of that all the same, of everything once however
// long it lasts, and when it is over.
func TestAlertsOfAFullDisk(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var mu sync.Mutex
	var took []string
	ops := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var call struct {
			Data struct{ Summary string }
		}
		_ = json.NewDecoder(r.Body).Decode(&call)
		mu.Lock()
		defer mu.Unlock()
		took = append(took, call.Data.Summary)
	}))
	t.Cleanup(ops.Close)
	text := strings.Replace(plain, "alerts: none", "disk_floor: 100MB\nalerts: {to: [ops], settle: 0s}", 1)
	s.config(strings.Replace(text, "destinations:\n", `destinations:
  ops: {type: http, url: "`+ops.URL+`", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
`, 1))
	var free atomic.Int64
	free.Store(1e9)
	a, err := New(Options{Config: configs.Options{Path: filepath.Join(s.dir, "belfry.yaml"), Specs: specs()}, Version: "test",
		Free: func(string) (int64, bool) { return free.Load(), true }})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.app = a
	t.Cleanup(func() { s.stop(a) })
	told := func(part string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, x := range took {
			if strings.Contains(x, part) {
				n++
			}
		}
		return n
	}
	ctx := t.Context()
	raise := func(subject string) {
		t.Helper()
		if err := a.db.Raise(ctx, alert.Alert{Code: alert.OutcomeUnknown, Subject: subject, Sentence: "nobody knows of " + subject, Mend: "look"}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	mended := refusing(t, a)
	free.Store(0)
	if err := a.checkDisk(ctx); err == nil {
		t.Fatal("the store took it")
	}
	s.until("somebody is told of the full disk", func() bool { return told("the store takes nothing") == 1 })
	raise("one")
	raise("two")
	s.until("both are told", func() bool { return told("nobody knows of one") > 0 && told("nobody knows of two") > 0 })
	s.never("anything is told twice", func() bool {
		return told("nobody knows of one") > 1 || told("nobody knows of two") > 1 || told("the store takes nothing") > 1
	})
	mended()
	free.Store(1e9)
	if err := a.checkDisk(ctx); err != nil {
		t.Fatal(err)
	}
	s.until("its end is told", func() bool {
		rows, err := a.db.UntoldAlerts(ctx, time.Hour, 0, time.Now())
		return err == nil && len(rows) == 0 && told("It is over since") == 1
	})
	// Its end repeats the sentence.
	if told("the store takes nothing") != 2 || told("nobody knows of one") != 1 || told("nobody knows of two") != 1 {
		t.Errorf("%q", took)
	}
}

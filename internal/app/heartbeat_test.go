package app

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/logtest"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
)

// A daemon that serves asks the dead man's switch, and nothing is sent when it stops.
func TestHeartbeatOfADaemon(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var beats atomic.Int32
	asked := make(chan *http.Request, 8)
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		beats.Add(1)
		asked <- r
	}))
	t.Cleanup(service.Close)
	s.config(strings.Replace(plain, "alerts: none", `alerts: {to: [hook], heartbeat: {url: "`+service.URL+`/ping/key", allow_private: [127.0.0.0/8]}}`, 1))
	a := s.start()
	select {
	case r := <-asked:
		if r.Method != http.MethodGet || r.URL.Path != "/ping/key" || !strings.HasPrefix(r.UserAgent(), "Belfry/") {
			t.Errorf("%s %s by %s", r.Method, r.URL, r.UserAgent())
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it was not asked")
	}
	s.stop(a)
	if n := beats.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// heartOf is the heart of a daemon that has only a store, which started an hour ago.
func heartOf(t *testing.T, service http.Handler) (h *heart, log func() string) {
	t.Helper()
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	db := sqlitetest.Open(t, filepath.Join(filepath.Dir(path), sqlite.FileName))
	t.Cleanup(func() { _ = db.Close() })
	s := &stage{t: t, dir: filepath.Dir(path)}
	s.config(`alerts: {to: [ops], heartbeat: {url: "` + server.URL + `/ping/key?token=hunter2", allow_private: [127.0.0.0/8]}}
destinations: {ops: {type: http, url: "https://ops.example/hook", secret: "%SECRET%"}}`)
	loaded, err := configs.Load(configs.Options{Path: path, Specs: specs()})
	if err != nil {
		t.Fatal(err)
	}
	var text logtest.Buffer
	a := &App{db: db, log: slog.New(slog.NewTextHandler(&text, nil))}
	a.loaded.Store(loaded)
	h = &heart{App: a, started: time.Now().Add(-time.Hour)}
	t.Cleanup(h.close)
	h.use(loaded.Alerts.Heartbeat)
	return h, text.String
}

// What keeps the heart from beating is in the log, without the key, and so is that it goes on.
func TestHeartbeatMissed(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	var beats atomic.Int32
	status.Store(http.StatusOK)
	h, log := heartOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		beats.Add(1)
		w.WriteHeader(int(status.Load()))
	}))
	now := time.Now()
	beat := func(sent int32, says string) {
		t.Helper()
		before := beats.Load()
		had := len(log())
		h.tell(h.once(t.Context()))
		said := log()[had:]
		if beats.Load()-before != sent || !strings.Contains(said, says) || says == "" && said != "" || strings.Contains(said, "hunter2") || strings.Contains(said, "/ping") {
			t.Errorf("%d sent, want %d; the log says %q, want %q", beats.Load()-before, sent, said, says)
		}
	}
	beat(1, "")
	status.Store(http.StatusNotFound)
	beat(1, "answered with status 404")
	status.Store(http.StatusOK)
	beat(1, "the heartbeat goes on")

	// A source that nobody reads.
	if err := h.db.UseSources(t.Context(), []store.SourceSetting{{Name: "articles", Poll: time.Minute}}, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	beat(0, "source articles should have been read at")
	h.started = now // what was due before the start has its time
	beat(1, "the heartbeat goes on")
	h.started = now.Add(-time.Hour)
	if _, err := h.db.Pause(t.Context(), store.PauseAll, "", "test", now); err != nil {
		t.Fatal(err)
	}
	beat(1, "")

	// Trouble that nobody can be told of: the switch is the last that reaches anybody.
	ops := store.AlertPlace{Destination: "ops", Error: "nobody is there"}
	if err := h.db.AlertRefused(t.Context(), ops, now.Add(-2*overdue)); err != nil {
		t.Fatal(err)
	}
	beat(1, "") // there is nothing to tell
	if err := h.db.Raise(t.Context(), alert.Alert{Code: alert.PostFailed, Subject: "ops"}, now); err != nil {
		t.Fatal(err)
	}
	beat(0, "no place of alerts.to has taken an alert for 5m")
	if err := h.db.AlertTaken(t.Context(), "ops", "", now); err != nil {
		t.Fatal(err)
	}
	beat(1, "the heartbeat goes on")
	if err := h.db.AlertRefused(t.Context(), ops, now); err != nil { // it has its time
		t.Fatal(err)
	}
	beat(1, "")

	// A store that takes no row, as on a full disk, although a transaction without any would pass.
	raw, err := sql.Open("sqlite", filepath.Join(filepath.Dir(h.Config().Path), sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(`CREATE TRIGGER full BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'no room'); END`); err != nil {
		t.Fatal(err)
	}
	beat(0, "the store takes nothing")
	if _, err := raw.Exec(`DROP TRIGGER full`); err != nil {
		t.Fatal(err)
	}
	beat(1, "the heartbeat goes on")

	// A store that is gone.
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
	beat(0, "the store takes nothing")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	had := len(log())
	h.tell(context.Cause(ctx))
	if len(log()) != had {
		t.Errorf("the end is told of: %s", log()[had:])
	}
}

// A switch that is changed is asked by its new address; one that is taken out is not asked any more.
func TestHeartbeatReload(t *testing.T) {
	t.Parallel()
	h, _ := heartOf(t, http.NotFoundHandler())
	first := h.client
	h.due = time.Now().Add(time.Hour)
	h.use(h.config)
	if h.client != first || h.due.IsZero() {
		t.Error("the same switch is taken up anew")
	}
	changed := h.config
	changed.Every += changed.Every
	h.use(changed)
	if h.client == first || !h.due.IsZero() {
		t.Error("a changed switch is not asked at once")
	}
	h.use(configs.Heartbeat{})
	if h.client != nil {
		t.Error("a switch that is gone is still asked")
	}
}

package app

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

func (s *stage) make() *App {
	s.t.Helper()
	a, err := New(Options{Config: configs.Options{Path: filepath.Join(s.dir, "belfry.yaml"), Specs: specs()}, Version: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func TestADaemonIsStartedOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	if err := a.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "started before") {
		t.Errorf("a second start gives %v", err)
	}
	if code, _ := s.page("/"); code != http.StatusOK {
		t.Errorf("after it the pages answer %d", code)
	}
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("it still works", func() bool { return len(s.messages()) == 1 && s.idle() })
	s.stop(a)
	s.stop(a)
	if err := a.Start(t.Context()); err == nil {
		t.Error("a stopped daemon was started again")
	}
	if r := a.Reload(t.Context()); r.Err == nil {
		t.Error("a stopped daemon was reloaded")
	}
}

func TestStopAtAnyMoment(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	never := s.make()
	s.stop(never)
	if err := never.Start(t.Context()); err == nil {
		t.Error("a daemon that was stopped before its start was started")
	}
	for range 3 {
		a := s.make()
		started := make(chan error, 1)
		go func() { started <- a.Start(context.Background()) }()
		s.stop(a)
		<-started // it was stopped before or after its start, which either refused or ended
		s.stop(a)
	}
	a := s.start() // nothing is locked
	s.stop(a)
}

// An impossible start leaves nothing open: the next one finds no lock.
func TestAFailedStartLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	address := strings.TrimPrefix(taken.URL, "http://")
	s.config(strings.Replace(plain, "listen: 127.0.0.1:0", "listen: "+address, 1))
	err := s.make().Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the pages cannot be served at "+address) || !strings.Contains(err.Error(), "choose another address with listen:") {
		t.Errorf("got %v", err)
	}
	s.config(plain)
	s.start()
}

func TestASecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	s.start()
	err := s.make().Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "uses the data folder "+filepath.Join(s.dir, "data")) || !strings.Contains(err.Error(), "data_dir") {
		t.Errorf("got %v", err)
	}
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("the first one works", func() bool { return len(s.messages()) == 1 && s.idle() })
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	s.stop(a)
	file := Database(a.Config())
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	err = s.make().Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
	if _, running := Running(filepath.Join(s.dir, "data")); running {
		t.Error("the refused one holds the lock")
	}
}

// A feed and a platform that say nothing keep neither a reload nor the end.
func TestStoppingIsBounded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	asked := make(chan struct{}, 8)
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(release) })
	s.urls["site"] = silent.URL
	s.config(plain)
	a := s.start()
	<-asked
	// The source is changed while it is being fetched: the reload does not wait for it.
	s.config(strings.Replace(plain, "poll: 1s", "poll: 2s", 1))
	began := time.Now()
	if r := a.Reload(t.Context()); r.Err != nil {
		t.Fatal(r.Err)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("the reload took %s", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	began = time.Now()
	if err := a.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("stopping took %s", d)
	}
}

// What is under way is waited for: nothing is lost, and nothing is left in doubt.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	for _, id := range []string{"a", "b", "c", "d"} {
		s.publish(feedtest.Article{ID: id, Title: "Titre " + id})
	}
	s.until("it began", func() bool { return len(s.messages()) > 0 })
	s.stop(a)
	s.start()
	s.until("all are out", func() bool { return len(s.messages()) == 4 && len(s.hook.State().Posts) == 4 && s.idle() })
}

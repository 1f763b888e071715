package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The race detector makes the model slow, and what it looks for shows in few checks.
	if checks := flag.Lookup("rapid.checks"); raceEnabled && checks != nil {
		_ = checks.Value.Set("6")
	}
	remove, err := trust()
	if err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { remove(); os.Exit(code) }))
}

// words renders posts: the title is what is shown.
type words struct {
	ladders  outbox.Ladders
	silenced func(time.Time) (string, bool, bool)
	fails    func(title string) error
}

func (r *words) Post(_ context.Context, w outbox.Work) (*outbox.Post, error) {
	p, err := r.post(w)
	if err != nil {
		return nil, err
	}
	return &outbox.Post{Post: p}, nil
}

func (r *words) post(w outbox.Work) (sdk.Post, error) {
	var c compose.Content
	if err := json.Unmarshal(w.Content, &c); err != nil {
		return sdk.Post{}, err
	}
	if r.fails != nil {
		if err := r.fails(c.Title); err != nil {
			return sdk.Post{}, err
		}
	}
	p := sdk.Post{ID: w.PublicID, Revision: w.Want, Channel: w.Channel, Title: c.Title, State: sdk.PostLive, Published: w.Published, Updated: w.RevisedAt,
		Body: sdk.Body{sdk.Paragraph(sdk.Text(c.Title))}}
	if c.Withdrawn {
		p.Title, p.State = "withdrawn", sdk.PostWithdrawn
	}
	return p, nil
}

func (r *words) Reply(_ context.Context, w outbox.Work) (sdk.Post, error) {
	p, err := r.post(w)
	p.Title = "note on " + strings.ReplaceAll(p.Title, "|", " ")
	return p, err
}

func (r *words) Ladders(string) outbox.Ladders { return r.ladders }

func (r *words) Silenced(_ outbox.Work, now time.Time) (name string, drop, silenced bool) {
	if r.silenced == nil {
		return "", false, false
	}
	return r.silenced(now)
}

func (r *words) Fill(context.Context, []sdk.File) error { return nil }

// stage is an engine on a real store, with platforms for destinations.
type stage struct {
	t         *testing.T
	db        *store.DB
	engine    *outbox.Engine
	words     *words
	platforms map[string]*platform
	// conns are further destinations.
	conns map[string]sdk.Connector
	// adjust changes a destination's settings.
	adjust func(*outbox.Destination)
}

// play runs a test on a stage with the platforms a and b, in a time of its own.
func play(t *testing.T, f func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, map[string]*platform{"a": newPlatform(), "b": newPlatform()})
		f(s)
		for name, p := range s.platforms {
			if len(p.faults) > 0 {
				t.Errorf("platform %s: %s", name, strings.Join(p.faults, "; "))
			}
		}
	})
}

// newStage makes a stage inside a bubble; it is cleared away with the test.
func newStage(t *testing.T, platforms map[string]*platform) *stage {
	t.Helper()
	s := &stage{t: t, platforms: platforms,
		words: &words{ladders: outbox.Ladders{Revised: []string{"edit", "reply", "list"}, Withdrawn: []string{"delete", "mark", "list"}}}}
	db := sqlitetest.Open(t, filepath.Join(folder(t), "belfry.db"))
	s.db = db
	t.Cleanup(func() {
		for _, p := range s.platforms {
			close(p.release)
		}
		_, _ = s.stop(time.Minute)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// folder is a folder for a database; in memory where the system has such a place, because the store waits for the disk at
// every commit, and what a disk survives is for the tests of the store.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "belfry-outbox-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// start starts an engine that is alone.
func (s *stage) start() {
	s.t.Helper()
	s.engine = outbox.NewEngine(outbox.Settings{Store: s.db, Renderer: s.words, Log: slog.New(slog.DiscardHandler)})
	if err := s.engine.Start(s.t.Context(), true); err != nil {
		s.t.Fatal(err)
	}
	s.engine.Use(context.Background(), s.destinations())
}

func (s *stage) destinations() map[string]outbox.Destination {
	out := map[string]outbox.Destination{}
	all := maps.Clone(s.conns)
	if all == nil {
		all = map[string]sdk.Connector{}
	}
	for name, p := range s.platforms {
		all[name] = &peer{p}
	}
	for name, conn := range all {
		d := outbox.Destination{Name: name, Conn: conn, Timeout: 15 * time.Second, RetryFor: 10 * time.Minute, Parallel: 4}
		if s.adjust != nil {
			s.adjust(&d)
		}
		out[name] = d
	}
	return out
}

// stop stops the engine within a bound, and says how long that took.
func (s *stage) stop(bound time.Duration) (time.Duration, error) {
	if s.engine == nil {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	begun := time.Now()
	err := s.engine.Stop(ctx)
	s.engine = nil
	return time.Since(begun), err
}

// pass lets time go by.
func (s *stage) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *stage) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// post makes a post for chats of destinations ("a", "b gazette") and gives its id.
func (s *stage) post(title string, targets ...string) int64 {
	s.t.Helper()
	return s.expiring(title, 0, targets...)
}

func (s *stage) expiring(title string, maxAge time.Duration, targets ...string) int64 {
	s.t.Helper()
	p := compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, Content: compose.Content{Title: title}, VisibleAt: time.Now()}
	for _, x := range targets {
		destination, chat, _ := strings.Cut(x, " ")
		nt := compose.NewTarget{Destination: destination, Chat: chat}
		if maxAge > 0 {
			nt.ExpiresAt = time.Now().Add(maxAge)
		}
		p.Targets = append(p.Targets, nt)
	}
	public, err := s.db.CreatePost(s.t.Context(), p, nil, "test", time.Now())
	s.ok(err)
	row, err := s.db.PostByID(s.t.Context(), public)
	s.ok(err)
	return row.ID
}

func (s *stage) row(id int64) store.Post {
	s.t.Helper()
	public, err := s.db.PostPublicID(s.t.Context(), id)
	s.ok(err)
	p, err := s.db.PostByID(s.t.Context(), public)
	s.ok(err)
	return p
}

// revise gives a post another content and status, as its source's revision or withdrawal does.
func (s *stage) revise(id int64, c compose.Content) {
	s.t.Helper()
	status := compose.PostLive
	if c.Withdrawn {
		status = compose.PostWithdrawn
	}
	s.ok(s.db.CommitRevision(s.t.Context(), compose.Revise{Post: id, On: s.row(id).Revision, Content: &c, Status: status}, time.Now()))
}

func (s *stage) withdraw(id int64) { s.t.Helper(); s.revise(id, compose.Content{Withdrawn: true}) }

func (s *stage) retract(id int64) {
	s.t.Helper()
	_, err := s.db.RetractPost(s.t.Context(), id, true, "ruling", "test", time.Now())
	s.ok(err)
}

func (s *stage) deliveries(f store.DeliveryFilter) []store.Delivery {
	s.t.Helper()
	list, err := s.db.Deliveries(s.t.Context(), f)
	s.ok(err)
	return list
}

// states are the states of all deliveries, the oldest first, with what says more.
func (s *stage) states() []string {
	s.t.Helper()
	out := []string{}
	for _, d := range s.deliveries(store.DeliveryFilter{Limit: 1000}) {
		text := string(d.State)
		if d.Reason != "" {
			text += " " + d.Reason
		}
		if d.Code != "" {
			text += " (" + d.Code + ")"
		}
		out = append([]string{text}, out...)
	}
	return out
}

func (s *stage) alerts() []string {
	s.t.Helper()
	rows, err := s.db.Alerts(s.t.Context())
	s.ok(err)
	out := []string{}
	for _, a := range rows {
		out = append(out, string(a.Code))
	}
	return out
}

func (s *stage) alert(code alert.Code) alert.Row {
	s.t.Helper()
	rows, err := s.db.Alerts(s.t.Context())
	s.ok(err)
	for _, a := range rows {
		if a.Code == code {
			return a
		}
	}
	s.t.Fatalf("there is no alert %s among %+v", code, rows)
	return alert.Row{}
}

// same compares, naming what.
func (s *stage) same(what string, want, got any) {
	s.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("%s:\n%s", what, diff)
	}
}

func (s *stage) copies(id int64) []store.Copy {
	s.t.Helper()
	list, err := s.db.Copies(s.t.Context(), id)
	s.ok(err)
	return list
}

var errPlain = errors.New("a fault that says nothing")

func content(title string) compose.Content { return compose.Content{Title: title} }

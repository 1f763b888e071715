package app

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/disk"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

func alertCodes(t *testing.T, a *App) []alert.Code {
	t.Helper()
	rows, err := a.db.Alerts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []alert.Code
	for _, r := range rows {
		out = append(out, r.Code)
	}
	return out
}

// Below disk_floor nothing is fetched and somebody is told; what an editor takes back still goes; and with room again it
// goes on by itself.
func TestDiskFloor(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(plain, "data_dir: data", "data_dir: data\ndisk_floor: 100MB", 1))
	s.publish(feedtest.Article{ID: "a", Title: "Avant", Summary: "Texte."})
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
	s.until("the first post arrived", func() bool { return len(s.hook.State().Posts) == 1 && s.idle() })
	free.Store(99e6)
	if err := a.checkDisk(t.Context()); err != nil {
		t.Fatal(err)
	}
	if codes := alertCodes(t, a); !slices.Contains(codes, alert.DiskLow) {
		t.Errorf("alerts: %q", codes)
	}
	told, err := a.db.Alerts(t.Context())
	if err != nil || !strings.Contains(told[0].Sentence, "what a source withdraws or corrects now is not noticed; retractions by people") {
		t.Errorf("it says %+v, %v", told, err)
	}
	fetched := func() time.Time {
		st, err := a.db.SourceState(t.Context(), "articles")
		if err != nil {
			t.Fatal(err)
		}
		return st.FetchedAt
	}
	// A fetch that was under way may still end; after that none begins, although one is due every second.
	last := time.Time{}
	s.until("no fetch is under way", func() bool {
		before := last
		last = fetched()
		time.Sleep(1200 * time.Millisecond)
		return last.Equal(before)
	})
	s.publish(feedtest.Article{ID: "b", Title: "Pendant", Summary: "Texte."})
	posts, err := a.db.Posts(t.Context(), "", false, 9)
	if err != nil || len(posts) != 1 {
		t.Fatalf("%+v, %v", posts, err)
	}
	if _, err := a.db.RetractPost(t.Context(), posts[0].ID, false, "erreur", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.until("the retraction arrived", func() bool {
		p := s.hook.State().Posts
		return (len(p) == 0 || p[0].State != "live") && len(s.messages()) == 0
	})
	s.never("it was fetched although room is short", func() bool { return !fetched().Equal(last) })
	// A little more than the floor is not enough to go on: it would come and go.
	free.Store(105e6)
	if err := a.checkDisk(t.Context()); err != nil || !a.low.Load() {
		t.Errorf("low %v, %v", a.low.Load(), err)
	}
	free.Store(120e6)
	if err := a.checkDisk(t.Context()); err != nil {
		t.Fatal(err)
	}
	if codes := alertCodes(t, a); slices.Contains(codes, alert.DiskLow) {
		t.Errorf("alerts: %q", codes)
	}
	s.until("the second post arrived", func() bool {
		return slices.ContainsFunc(s.messages(), func(m string) bool { return strings.Contains(m, "Pendant") })
	})
}

// A little room is held beside the store while there is enough, and given up when there is none.
func TestReserve(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(plain, "data_dir: data", "data_dir: data\ndisk_floor: 100MB", 1))
	var free atomic.Int64
	known := true
	a, err := New(Options{Config: configs.Options{Path: filepath.Join(s.dir, "belfry.yaml"), Specs: specs()}, Version: "test",
		Free: func(string) (int64, bool) { return free.Load(), known }})
	if err != nil {
		t.Fatal(err)
	}
	dir := DataDir(a.Config())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		free  int64
		known bool
		held  bool
	}{
		{1e9, false, false},
		{115e6, true, false}, // making it would come near to the floor
		{130e6, true, true},
		{99e6, true, true},
		{5e6, true, true},
		{4e6, true, false},
		{20e6, true, false}, // that is the room it had
		{1e9, true, true},
		{0, false, true},
		{0, true, false},
	} {
		free.Store(c.free)
		known = c.known
		a.keepReserve()
		if held := disk.Reserved(dir) == disk.ReserveSize; held != c.held {
			t.Errorf("look %d, with %d bytes: held %v, want %v", i, c.free, held, c.held)
		}
	}
}

// Whether the alert about the disk lasts is asked every few seconds. It costs no more when hundreds of others do, such as
// those about copies that could not follow a correction: nobody ends them by the hour.
func TestLookingAtTheDiskReadsNoOtherAlerts(t *testing.T) {
	s := newStage(t)
	s.config(plain)
	a, err := New(Options{Config: configs.Options{Path: filepath.Join(s.dir, "belfry.yaml"), Specs: specs()}, Version: "test", Free: func(string) (int64, bool) { return 1e12, true }})
	if err != nil {
		t.Fatal(err)
	}
	if a.db, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), sqlite.FileName)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.db.Close() })
	look := func() float64 {
		return testing.AllocsPerRun(5, func() {
			if err := a.checkDisk(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	few := look()
	for i := range 200 {
		if err := a.db.Raise(t.Context(), alert.Alert{Code: alert.CorrectionListed, Subject: strconv.Itoa(i)}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if many := look(); many > few+200 {
		t.Errorf("%.0f allocations with two hundred alerts, %.0f with none", many, few)
	}
}

// The daemon prunes what its configuration says, and removes files that no row names; the same feed then posts nothing.
func TestThePruningOfADaemon(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(plain, "data_dir: data", "data_dir: data\nretention: {items: 1d, deliveries: 1d, posts: 1d, media: 1d}", 1))
	for _, id := range []string{"a", "b", "c"} {
		s.publish(feedtest.Article{ID: id, Title: "Titre " + id, Summary: "Texte."})
	}
	a := s.start()
	s.until("three posts arrived", func() bool { return len(s.hook.State().Posts) == 3 && len(s.messages()) == 3 && s.idle() })
	stray := filepath.Join(s.dir, "data", "media", "ab", "ab"+strings.Repeat("0", 62)+".jpg")
	if err := os.MkdirAll(filepath.Dir(stray), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{stray, stray + ".txt"} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.prune(t.Context(), time.Now().Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stray); err == nil {
		t.Error("the image that no row names is still there")
	}
	if _, err := os.Stat(stray + ".txt"); err != nil {
		t.Error("a file that is none of ours was removed")
	}
	if posts := s.posts(); len(posts) != 1 { // the newest stays for its number
		t.Errorf("%d posts are left", len(posts))
	}
	st, err := a.db.SourceState(t.Context(), "articles")
	if err != nil {
		t.Fatal(err)
	}
	// The whole document comes anew, with one more article.
	s.publish(feedtest.Article{ID: "d", Title: "Titre d", Summary: "Texte."})
	s.until("the document was fetched again", func() bool {
		now, err := a.db.SourceState(t.Context(), "articles")
		return err == nil && now.OKAt.After(st.OKAt.Add(time.Second))
	})
	s.until("the fourth post arrived", func() bool { return len(s.hook.State().Posts) == 4 && s.idle() })
	s.never("something was posted again", func() bool { return len(s.messages()) > 4 || len(s.posts()) > 2 })
}

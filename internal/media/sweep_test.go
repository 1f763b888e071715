package media

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	id := func(c string) string { return strings.Repeat(c, 64) }
	for name, age := range map[string]time.Duration{
		"aa/" + id("a") + ".jpg": 48 * time.Hour, "aa/" + id("a") + "-small.jpg": 48 * time.Hour, // named
		"bb/" + id("b") + ".png": 48 * time.Hour, "bb/" + id("b") + "-small.png": 48 * time.Hour, // not named
		"cc/" + id("c") + ".jpg": time.Minute,                             // written a moment ago, and about to be recorded
		"dd/.new-1":              2 * time.Hour, "dd/.new-2": time.Minute, // half written
		"dd/notes.txt": 48 * time.Hour, // somebody else's
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	n, bytes, err := files.Sweep(t.Context(), map[string]bool{id("a"): true}, now)
	if err != nil || n != 3 || bytes != 15 {
		t.Errorf("%d files, %d bytes, %v", n, bytes, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, "*", ".*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range append(left, hidden...) {
		if name := filepath.Base(path); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{".new-2", id("a") + "-small.jpg", id("a") + ".jpg", id("c") + ".jpg", "notes.txt"}, names); diff != "" {
		t.Error(diff)
	}
}

// A file that is stored again is asked for, however old it is.
func TestSweepLeavesWhatIsStoredAgain(t *testing.T) {
	t.Parallel()
	files, err := NewFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := Picture{Data: []byte("picture"), Ext: ".jpg", Type: "image/jpeg"}
	f, err := files.Put(p)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(files.path(f.Name), old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Put(p); err != nil {
		t.Fatal(err)
	}
	if n, _, err := files.Sweep(t.Context(), nil, time.Now()); err != nil || n != 0 {
		t.Errorf("%d files went, %v", n, err)
	}
	if n, _, err := files.Sweep(t.Context(), nil, time.Now().Add(2*time.Hour)); err != nil || n != 1 {
		t.Errorf("%d files went, %v", n, err)
	}
}

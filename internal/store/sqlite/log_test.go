package sqlite

import (
	"bytes"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/store"
)

// killed makes a database that was in use when its process was killed: three commits of several pages each are in its log.
func killed(t *testing.T) (file string) {
	t.Helper()
	from := filepath.Join(t.TempDir(), "belfry.db")
	db, err := Open(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, value := range []string{"first", "second", "third"} {
		if _, err := db.Apply(t.Context(), map[string]any{"value": value, "long": strings.Repeat(value, 3000)}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	file = filepath.Join(t.TempDir(), "belfry.db")
	for _, end := range []string{"", "-wal", "-open"} {
		text, err := os.ReadFile(from + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+end, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := setMark(file); err != nil { // the log's copy is another file
		t.Fatal(err)
	}
	return file
}

func TestReadLogTakesACutTail(t *testing.T) {
	t.Parallel()
	log, err := os.ReadFile(logOf(killed(t)))
	if err != nil {
		t.Fatal(err)
	}
	for end := 0; end <= len(log); end += 97 + len(log)/600 {
		if whole, err := readLog(bytes.NewReader(log[:end])); err != nil || !whole {
			t.Fatalf("cut off after %d of %d bytes: %v, %v", end, len(log), whole, err)
		}
	}
}

func TestReadLogNoticesDamage(t *testing.T) {
	t.Parallel()
	log, err := os.ReadFile(logOf(killed(t)))
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096 + 24
	commits := 0
	last := 0 // where the frames of the last commit begin
	for at := 32; at < len(log); at += page {
		if !bytes.Equal(log[at+4:at+8], make([]byte, 4)) {
			commits++
			if at+page < len(log) {
				last = at + page
			}
		}
	}
	if commits < 3 {
		t.Fatalf("there are %d commits", commits)
	}
	for at := 0; at < last; at += 61 + last/600 {
		broken := bytes.Clone(log)
		broken[at] ^= 1 << (at % 8)
		whole, err := readLog(bytes.NewReader(broken))
		if err != nil || whole {
			t.Errorf("a flipped bit at %d of %d: %v, %v", at, len(log), whole, err)
		}
	}
}

func TestALogThatIsMissingOrDamagedIsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do    func(t *testing.T, file string)
		wants string
	}{
		"untouched": {func(*testing.T, string) {}, ""},
		"missing":   {func(t *testing.T, file string) { remove(t, logOf(file)) }, "belfry.db-wal is missing"},
		"missing without a mark": {func(t *testing.T, file string) {
			remove(t, logOf(file))
			remove(t, markOf(file))
		}, ""},
		"damaged": {func(t *testing.T, file string) {
			log, err := os.ReadFile(logOf(file))
			if err != nil {
				t.Fatal(err)
			}
			log[5000] ^= 4
			if err := os.WriteFile(logOf(file), log, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "belfry.db-wal is damaged"},
		"removed while it was in use, and made anew": {func(t *testing.T, file string) {
			held, err := os.Open(logOf(file)) // by the daemon
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			remove(t, logOf(file))
			db, err := connect(file, url.Values{"mode": {"rw"}, "_pragma": {"query_only(1)"}}) // a reader that finds none
			if err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.QueryRow(`SELECT count(*) FROM sqlite_schema`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() }) // the reader of a killed daemon closes nothing
			if info, err := os.Stat(logOf(file)); err != nil || info.Size() != 0 {
				t.Fatalf("the reader made no empty log: %v, %v", info, err)
			}
		}, "belfry.db-wal was removed while the database was in use, and an empty one stands in its place"},
		"emptied while it was in use": {func(t *testing.T, file string) {
			if err := os.Truncate(logOf(file), 0); err != nil { // as TRUNCATE does, once all is in the database
				t.Fatal(err)
			}
		}, ""},
		"put back": {func(t *testing.T, file string) {
			log, err := os.ReadFile(logOf(file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(logOf(file), file+".kept"); err != nil { // its number stays in use
				t.Fatal(err)
			}
			if err := os.WriteFile(logOf(file), log, 0o600); err != nil {
				t.Fatal(err)
			}
		}, ""},
		"no database": {func(t *testing.T, file string) { remove(t, file); remove(t, logOf(file)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := killed(t)
			tc.do(t, file)
			db, err := Open(t.Context(), file)
			if tc.wants == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil || marked(file) {
					t.Errorf("closing: %v, marked %v", err, marked(file))
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.wants) {
				t.Errorf("the error is %v, want %q", err, tc.wants)
			}
		})
	}
}

// TestALogThatIsRemovedInUse holds that nothing is confirmed that would be lost, and that what was confirmed before is saved
// by closing.
func TestALogThatIsRemovedInUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "belfry.db")
	db, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Apply(t.Context(), map[string]any{"value": "kept"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	remove(t, logOf(file))
	for range 2 {
		if _, err := db.Apply(t.Context(), map[string]any{"value": "refused"}, time.Now()); !errors.Is(err, store.ErrFailed) {
			t.Fatalf("a commit into a removed log gives %v", err)
		}
	}
	<-db.Failed()
	if why := db.Cause(); why == nil || !strings.Contains(why.Error(), logOf(file)+" was removed while the database is in use") {
		t.Errorf("it failed for %v", why)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	applied, err := db.Applied(t.Context())
	if err := joined(err, db); err != nil || applied.Generation != 1 || applied.Tree["value"] != "kept" {
		t.Errorf("%+v, %v", applied, err)
	}
}

// TestCommandsBesideADeadDaemon holds that a command that looks at a killed daemon's database, and so moves its log into
// the file, does not make the next start refuse it.
func TestCommandsBesideADeadDaemon(t *testing.T) {
	t.Parallel()
	file := killed(t)
	for _, look := range []func() error{
		func() error {
			db, err := OpenExisting(t.Context(), file)
			if err != nil {
				return err
			}
			_, err = db.Applied(t.Context())
			return joined(err, db)
		},
		func() error { return Copy(t.Context(), file, filepath.Join(t.TempDir(), "copy.db")) },
	} {
		if err := look(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := db.Applied(t.Context())
	if err := joined(err, db); err != nil || applied.Generation != 3 {
		t.Errorf("generation %d, %v", applied.Generation, err)
	}
}

func TestPagesThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "belfry.db")
	db, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 3 * 4096; i < 3*4096+16; i++ {
		text[i] ^= 0xff
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), file); err == nil || !strings.Contains(err.Error(), file+" is damaged") {
		t.Errorf("the error is %v", err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func joined(err error, db *store.DB) error {
	if e := db.Close(); err == nil {
		err = e
	}
	return err
}

func TestSchemaDigest(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "belfry.db")
	db, err := connect(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := migrate(t.Context(), db, file, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if got, err := digestOfSchema(t.Context(), db); err != nil || got != schemaDigest {
		t.Errorf("the migrations make another schema; write schemaDigest = %q (%v)", got, err)
	}
}

package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
)

func newDatabase(t *testing.T) (file string, db *store.DB) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "belfry.db")
	return file, sqlitetest.Open(t, file)
}

func closed(t *testing.T, db *store.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, db *store.DB, title string) string {
	t.Helper()
	now := time.Now()
	id, err := db.CreatePost(t.Context(), compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostScheduled,
		Content: compose.Content{Title: title}, VisibleAt: now}, nil, "test", now)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// alter runs a statement in a database that nobody has open.
func alter(t *testing.T, file, statement string) {
	t.Helper()
	raw, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// A command writes beside the daemon, and each sees what the other wrote.
func TestOpenExistingBesideTheDaemon(t *testing.T) {
	t.Parallel()
	file, daemon := newDatabase(t)
	defer closed(t, daemon)
	before := write(t, daemon, "before")
	command, err := sqlite.OpenExisting(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, command)
	if _, err := command.PostByID(t.Context(), before); err != nil {
		t.Errorf("the command does not see what the daemon wrote: %v", err)
	}
	after := write(t, command, "after")
	if _, err := daemon.PostByID(t.Context(), after); err != nil {
		t.Errorf("the daemon does not see what the command wrote: %v", err)
	}
}

func TestOpenExistingRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(t *testing.T, file string)
		want string
	}{
		"a newer schema": {func(t *testing.T, file string) {
			alter(t, file, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
		},
			"was written by a newer Belfry (schema 999"},
		"an older schema": {func(t *testing.T, file string) { alter(t, file, `DELETE FROM goose_db_version WHERE version_id > 0`) },
			"is of an older Belfry (schema 0"},
		"another program's database": {func(t *testing.T, file string) { alter(t, file, `DROP TABLE goose_db_version`) },
			"is no database of Belfry"},
		"no database": {func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is damaged or is no database of Belfry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, db := newDatabase(t)
			closed(t, db)
			c.make(t, file)
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sqlite.OpenExisting(t.Context(), file); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			after, err := os.ReadFile(file)
			if err != nil || string(before) != string(after) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "belfry.db")
	if _, err := sqlite.OpenExisting(t.Context(), missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a database was made")
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	file, daemon := newDatabase(t)
	defer closed(t, daemon)
	id := write(t, daemon, "a post that is in the log and not in the file yet")
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := sqlite.Copy(t.Context(), file, to); err != nil {
		t.Fatal(err)
	}
	copied, err := sqlite.Open(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, copied)
	if _, err := copied.PostByID(t.Context(), id); err != nil {
		t.Errorf("the copy lacks a post: %v", err)
	}
	other := write(t, copied, "only in the copy")
	if _, err := daemon.PostByID(t.Context(), other); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the database holds what was written to the copy: %v", err)
	}
	if err := sqlite.Copy(t.Context(), file, to); err == nil {
		t.Error("a file was overwritten")
	}
	if err := sqlite.Copy(context.Background(), file+".missing", to+"2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestPostsByPrefix(t *testing.T) {
	t.Parallel()
	_, db := newDatabase(t)
	defer closed(t, db)
	id := write(t, db, "one")
	for prefix, want := range map[string]int{id: 1, id[:4]: 1, strings.ToUpper(id[:5]): 1, "": 0, "%": 0, "_": 0, id + "0": 0, "'; DROP TABLE posts; --": 0} {
		found, err := db.PostsByPrefix(t.Context(), prefix, 2)
		if err != nil || len(found) != want {
			t.Errorf("%q finds %d, want %d (%v)", prefix, len(found), want, err)
		}
	}
}

// Posts that a person releases from a blackout leave although the blackout lasts.
func TestReleaseOfAHeldPost(t *testing.T) {
	t.Parallel()
	_, db := newDatabase(t)
	defer closed(t, db)
	now := time.Now()
	public, err := db.CreatePost(t.Context(), compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostScheduled,
		Content: compose.Content{Title: "held"}, VisibleAt: now, Targets: []compose.NewTarget{{Destination: "ops"}}}, nil, "test", now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := db.PostByID(t.Context(), public)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.CommitDue(t.Context(), p.ID, compose.PostHeld, "blackout b", nil, now); err != nil {
		t.Fatal(err)
	}
	if n, err := db.ReleaseHeld(t.Context(), "alertes", false, "test", now); n != 1 || err != nil {
		t.Fatalf("%d released, %v", n, err)
	}
	due, err := db.DuePosts(t.Context(), now.Add(time.Second))
	if err != nil || len(due) != 1 || !due[0].Released {
		t.Fatalf("%+v, %v", due, err)
	}
	if err := db.CommitDue(t.Context(), p.ID, compose.PostLive, "", nil, now); err != nil {
		t.Fatal(err)
	}
	deliveries, err := db.Deliveries(t.Context(), store.DeliveryFilter{Post: public})
	if err != nil || len(deliveries) != 1 {
		t.Fatalf("%+v, %v", deliveries, err)
	}
	if w, err := db.Work(t.Context(), deliveries[0].ID); err != nil || !w.Released {
		t.Errorf("the copy is not released: %+v, %v", w, err)
	}
}

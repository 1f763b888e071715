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
)

// schema lists what a database is made of.
func schema(t *testing.T, file string) string {
	t.Helper()
	raw, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	rows, err := raw.Query(`SELECT coalesce(sql, name) FROM sqlite_schema WHERE name NOT LIKE '%goose%' AND name <> 'sqlite_sequence' ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// A database of any earlier state of the schema, and one whose last migration was cut off, becomes what a new one is, and
// keeps what it holds.
func TestMigrations(t *testing.T) {
	t.Parallel()
	fresh, db := newDatabase(t)
	closed(t, db)
	want := schema(t, fresh)
	files, err := fs.Glob(os.DirFS("migrations"), "*.sql")
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	statements := func(name string) string {
		text, err := os.ReadFile(filepath.Join("migrations", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	versions := `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')));
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1);`
	for name, prepare := range map[string]string{
		"an empty file":           ``,
		"only the versions' list": versions,
		"the first schema": versions + statements(files[0]) + `INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, 1);
			INSERT INTO channels (name, since) VALUES ('alertes', 1000000);`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "belfry.db")
			alter(t, file, prepare+`;`)
			db, err := sqlite.Open(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			write(t, db, "it works")
			since, err := db.ChannelsSince(t.Context())
			if held := strings.Contains(prepare, "channels (name"); err != nil || held != (len(since) == 1) {
				t.Errorf("channels: %v, %v", since, err)
			}
			closed(t, db)
			if got := schema(t, file); got != want {
				t.Errorf("the schema is another:\n%s", got)
			}
		})
	}
}

// A migration that fails in its midst leaves the state before it, names the file, and goes through once the cause is gone.
func TestAMigrationThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	write(t, db, "kept")
	closed(t, db)
	// The second migration drops a table first; a view of the name of its new table makes the rest fail.
	alter(t, file, undoThird+`DELETE FROM goose_db_version WHERE version_id > 1; DROP INDEX batches_channel; DROP TABLE rates; CREATE TABLE old (x); CREATE VIEW rates AS SELECT x FROM old`)
	before := schema(t, file)
	_, err := sqlite.Open(t.Context(), file)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "bring the schema up to date") {
		t.Fatalf("got %v", err)
	}
	if after := schema(t, file); after != before {
		t.Errorf("half of it stayed:\n%s", after)
	}
	alter(t, file, `DROP VIEW rates; DROP TABLE old; CREATE TABLE rates (x)`)
	db, err = sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, db)
	if list, err := db.Posts(t.Context(), "", false, 9); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(t *testing.T, file string)
		want []string
	}{
		"a newer database": {func(t *testing.T, file string) {
			t.Helper()
			alter(t, file, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
		}, []string{"was written by a newer Belfry (schema 999, this one knows", "start the newer version, or restore the backup"}},
		"another file": {func(t *testing.T, file string) {
			t.Helper()
			overwrite(t, file, 0, strings.Repeat("Dear diary, ", 500))
		}, []string{"is damaged or is no database of Belfry", "restore a backup, or move the file away"}},
		"a damaged schema": {func(t *testing.T, file string) {
			t.Helper()
			overwrite(t, file, 100, strings.Repeat("\xff", 3000))
		}, []string{"is damaged or is no database of Belfry", "restore a backup, or move the file away"}},
		"a folder": {func(t *testing.T, file string) {
			t.Helper()
			if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, []string{"cannot be opened for writing", "look at the rights"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, db := newDatabase(t)
			write(t, db, "kept")
			closed(t, db)
			c.make(t, file)
			before, _ := os.ReadFile(file)
			_, err := sqlite.Open(t.Context(), file)
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, want := range append(c.want, file) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if after, _ := os.ReadFile(file); string(uncounted(after)) != string(uncounted(before)) {
				t.Error("the file was changed")
			}
		})
	}
}

// uncounted blanks the counters of transactions in the header, which looking for the version moves.
func uncounted(file []byte) []byte {
	if len(file) > 96 {
		clear(file[24:28])
		clear(file[92:96])
	}
	return file
}

func overwrite(t *testing.T, file string, at int64, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), at); err != nil {
		t.Fatal(err)
	}
}

// Two daemons' worth of writers on one file wait for each other rather than failing.
func TestAWriterWaitsForAnother(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	defer closed(t, db)
	raw, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn, err := raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := db.CreatePost(context.Background(), compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive}, nil, "test", time.Now())
		written <- err
	}()
	if _, err := db.Posts(t.Context(), "", false, 1); err != nil {
		t.Errorf("a reader waits for a writer: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// Once a commit failed in a way that leaves open what the disk holds, nothing is written any more.
func TestAFailedDiskStopsTheStore(t *testing.T) {
	t.Parallel()
	file, good := newDatabase(t)
	closed(t, good)
	open := func() *sql.DB {
		t.Helper()
		raw, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	// Every error counts as fatal here; a writer whose transactions cannot begin gives one.
	reader, writer := open(), open()
	writer.SetMaxOpenConns(1)
	blocked := store.New(store.Options{Reader: reader, Writer: writer, Rewrite: store.SQLite, Fatal: func(error) bool { return true },
		Close: func() error { return errors.Join(writer.Close(), reader.Close()) }})
	defer closed(t, blocked)
	other := open()
	defer other.Close()
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if _, err := blocked.Pause(t.Context(), store.PauseAll, "", "test", time.Now()); !errors.Is(err, store.ErrFailed) {
			t.Fatalf("attempt %d: %v", i, err)
		}
		if i == 0 { // from now on the disk would take it
			if _, err := conn.ExecContext(t.Context(), `ROLLBACK`); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-blocked.Failed()
	if blocked.Cause() == nil {
		t.Error("nobody says why")
	}
	if list, err := blocked.Pauses(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

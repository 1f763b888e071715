package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/internal/store/sqlite/schematest"
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

// A database of any earlier state of the schema becomes what a new one is, and keeps what it holds.
func TestMigrations(t *testing.T) {
	t.Parallel()
	fresh, db := newDatabase(t)
	closed(t, db)
	want := schema(t, fresh)
	schemas := schematest.In(t, ".")
	cases := map[string]func(t *testing.T, file string){
		"an empty file": func(t *testing.T, file string) {
			t.Helper()
			ok(t, os.WriteFile(file, nil, 0o600))
		},
		"only the versions' list": func(t *testing.T, file string) {
			t.Helper()
			alter(t, file, `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')));
				INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`)
		},
	}
	for _, v := range schemas.Versions() {
		cases[fmt.Sprintf("schema %d", v)] = func(t *testing.T, file string) { t.Helper(); schematest.In(t, ".").Make(file, v) }
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schemas := schematest.In(t, ".")
			file := filepath.Join(schemas.Dir(), "belfry.db")
			prepare(t, file)
			var before schematest.Content
			if strings.HasPrefix(name, "schema") {
				before = schemas.Read(file)
			}
			db, err := sqlite.Open(t.Context(), file)
			ok(t, err)
			write(t, db, "it works")
			closed(t, db)
			if got := schema(t, file); got != want {
				t.Errorf("the schema is another:\n%s", got)
			}
			after := schemas.Read(file)
			for _, missing := range schemas.Missing(before, after) {
				t.Error(missing)
			}
			if after.Schema != schemas.Newest() {
				t.Errorf("the schema is %d", after.Schema)
			}
		})
	}
}

// A database whose next migration was cut off anywhere, because the machine stopped, is what it was before, and becomes
// what a new one is at the next start. The cuts are after every write of the migration's transaction to the log, and in it.
func TestAMigrationThatWasCutOff(t *testing.T) {
	t.Parallel()
	fresh, db := newDatabase(t)
	closed(t, db)
	want := schema(t, fresh)
	schemas := schematest.In(t, ".")
	for _, v := range schemas.Versions()[1:] {
		t.Run(fmt.Sprintf("to schema %d", v), func(t *testing.T) {
			t.Parallel()
			schemas := schematest.In(t, ".")
			dir := schemas.Dir()
			old := filepath.Join(dir, "old.db")
			schemas.Make(old, schemas.Before(v))
			before := schemas.Read(old)
			raw, err := sql.Open("sqlite", "file:"+old+"?_pragma=wal_autocheckpoint(0)")
			ok(t, err)
			defer raw.Close()
			raw.SetMaxOpenConns(1)
			schemas.Migrate(raw, v)
			file, err := os.ReadFile(old) // without the migration, which is in the log alone
			ok(t, err)
			log, err := os.ReadFile(old + "-wal")
			ok(t, err)
			ends, commits := schematest.Frames(log)
			if len(ends) < 2 || slices.Contains(commits[:len(ends)-1], true) || !commits[len(ends)-1] {
				t.Fatalf("the migration is no single transaction: %v", commits)
			}
			t.Logf("%d frames", len(ends))
			begin := 32
			for i, end := range ends {
				if raceEnabled && i%6 != 0 && i < len(ends)-2 {
					begin = end // each cut opens a database, which the race detector makes slow
					continue
				}
				for _, cut := range []int{begin + 24 + i*100%4000, end} { // in the midst of a frame, and after it
					here := filepath.Join(dir, fmt.Sprintf("%d-%d.db", i, cut))
					ok(t, os.WriteFile(here, file, 0o600))
					ok(t, os.WriteFile(here+"-wal", log[:cut], 0o600))
					whole := cut == ends[len(ends)-1]
					if cutOff := schematest.CutOff(log[:cut]); cutOff == whole {
						t.Fatalf("a log of %d bytes is cut off: %v", cut, cutOff)
					}
					if got := schemas.Version(here); (got == v) != whole || (got == schemas.Before(v)) == whole {
						t.Fatalf("cut after %d bytes, the schema is %d", cut, got)
					}
					db, err := sqlite.Open(t.Context(), here)
					ok(t, err)
					closed(t, db)
					if got := schema(t, here); got != want {
						t.Errorf("cut after %d bytes, the schema is another:\n%s", cut, got)
					}
					for _, missing := range schemas.Missing(before, schemas.Read(here)) {
						t.Errorf("cut after %d bytes: %s", cut, missing)
					}
				}
				begin = end
			}
		})
	}
}

// A migration that fails in its midst leaves the state before it, names the file, and goes through once the cause is gone.
func TestAMigrationThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	schemas := schematest.In(t, ".")
	file := filepath.Join(schemas.Dir(), "belfry.db")
	schemas.Make(file, 1)
	// The second migration makes a table anew and then an index; another index has its name.
	alter(t, file, `CREATE INDEX batches_channel ON alerts (code)`)
	before, held := schema(t, file), schemas.Read(file)
	_, err := sqlite.Open(t.Context(), file)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "bring the schema up to date") || !strings.Contains(err.Error(), "batches_channel") {
		t.Fatalf("got %v", err)
	}
	if after := schema(t, file); after != before {
		t.Errorf("half of it stayed:\n%s", after)
	}
	if diff := cmp.Diff(held, schemas.Read(file)); diff != "" {
		t.Errorf("the rows are others:\n%s", diff)
	}
	alter(t, file, `DROP INDEX batches_channel`)
	db, err := sqlite.Open(t.Context(), file)
	ok(t, err)
	closed(t, db)
	for _, missing := range schemas.Missing(held, schemas.Read(file)) {
		t.Error(missing)
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

// Package schematest makes databases of earlier schemas, filled, for tests of the migrations that come after: what they
// hold must come through every fault.
package schematest

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver
)

// Schemas are the migrations and the rows of the store's package.
type Schemas struct {
	tb  testing.TB
	dir string
}

// In finds them in the folder of package sqlite.
func In(tb testing.TB, dir string) Schemas {
	tb.Helper()
	s := Schemas{tb: tb, dir: dir}
	if len(s.Versions()) < 2 {
		tb.Fatalf("%s has no migrations", dir)
	}
	return s
}

// Versions are the numbers of all schemas, the oldest first.
func (s Schemas) Versions() (out []int64) {
	s.tb.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "migrations", "*.sql"))
	if err != nil {
		s.tb.Fatal(err)
	}
	for _, f := range files {
		n, err := goose.NumericComponent(f)
		if err != nil {
			s.tb.Fatal(err)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Newest is the number of the newest schema.
func (s Schemas) Newest() int64 { return slices.Max(s.Versions()) }

// Before is the schema before another one; 0 before the first.
func (s Schemas) Before(version int64) (before int64) {
	for _, v := range s.Versions() {
		if v < version {
			before = v
		}
	}
	return before
}

// Make makes a database as a Belfry of that schema left it: every table holds rows, which came the way of all earlier
// schemas.
func (s Schemas) Make(file string, version int64) {
	s.tb.Helper()
	db := s.open(file, "_pragma=journal_mode(WAL)&_pragma=auto_vacuum(2)&_pragma=foreign_keys(1)")
	defer db.Close()
	for _, v := range s.Versions() {
		if v > version {
			break
		}
		s.Migrate(db, v)
		name := s.rowsOf(v)
		text, err := os.ReadFile(name)
		if err != nil {
			s.tb.Fatalf("%v: write the rows that schema %d adds there, so that the next migration is tested with them", err, v)
		}
		if _, err := db.Exec(string(text)); err != nil {
			s.tb.Fatalf("%s: %v", name, err)
		}
	}
	for _, table := range s.tables(db) {
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM "` + table + `"`).Scan(&n); err != nil || n == 0 {
			s.tb.Fatalf("table %s of schema %d has %d rows, %v: add some to %s", table, version, n, err, s.rowsOf(version))
		}
	}
	if err := db.Close(); err != nil {
		s.tb.Fatal(err)
	}
	if _, err := os.Stat(file + "-wal"); err == nil {
		s.tb.Fatalf("%s was not closed as it should", file)
	}
}

// Dir is a new folder, in memory where the system has such a place: what a disk survives is for other tests. It goes with
// the test.
func (s Schemas) Dir() string {
	s.tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "belfry-schema-")
	if err != nil {
		return s.tb.TempDir()
	}
	s.tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			s.tb.Error(err)
		}
	})
	return dir
}

func (s Schemas) rowsOf(version int64) string {
	return filepath.Join(s.dir, "testdata", "rows", fmt.Sprintf("%05d.sql", version))
}

// Migrate brings an open database to a schema.
func (s Schemas) Migrate(db *sql.DB, version int64) {
	s.tb.Helper()
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS(filepath.Join(s.dir, "migrations")))
	if err != nil {
		s.tb.Fatal(err)
	}
	if _, err := provider.UpTo(context.Background(), version); err != nil {
		s.tb.Fatal(err)
	}
}

func (s Schemas) open(file, query string) *sql.DB {
	s.tb.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?"+query)
	if err != nil {
		s.tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// tables are the tables of a database but those of SQLite and of the migrations.
func (s Schemas) tables(db *sql.DB) (out []string) {
	s.tb.Helper()
	rows, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'goose_db_version' ORDER BY name`)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			s.tb.Fatal(err)
		}
		out = append(out, name)
	}
	if err := rows.Err(); err != nil {
		s.tb.Fatal(err)
	}
	return out
}

// Content is what a database holds: its schema, and its rows by table, each with its columns.
type Content struct {
	Schema int64
	Tables map[string][]map[string]string
}

// Read reads a database that nobody uses, with its log, and leaves both as they are.
func (s Schemas) Read(file string) Content {
	s.tb.Helper()
	db := s.copyOf(file)
	defer db.Close()
	var said string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&said); err != nil || said != "ok" {
		s.tb.Fatalf("%s is not whole: %s %v", file, said, err)
	}
	c := Content{Tables: map[string][]map[string]string{}, Schema: s.version(db)}
	for _, table := range s.tables(db) {
		c.Tables[table] = s.rows(db, table)
	}
	return c
}

// Version is the schema of a database that nobody uses, with its log; both stay as they are.
func (s Schemas) Version(file string) int64 {
	s.tb.Helper()
	db := s.copyOf(file)
	defer db.Close()
	return s.version(db)
}

func (s Schemas) version(db *sql.DB) (v int64) {
	s.tb.Helper()
	if err := db.QueryRow(`SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&v); err != nil {
		s.tb.Fatal(err)
	}
	return v
}

// copyOf opens a copy of a database and its log.
func (s Schemas) copyOf(file string) *sql.DB {
	s.tb.Helper()
	copied := filepath.Join(s.Dir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(file + suffix)
		if suffix != "" && os.IsNotExist(err) {
			continue
		}
		if err != nil {
			s.tb.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, text, 0o600); err != nil { //nolint:gosec // a folder of the test
			s.tb.Fatal(err)
		}
	}
	return s.open(copied, "mode=rw")
}

func (s Schemas) rows(db *sql.DB, table string) (out []map[string]string) {
	s.tb.Helper()
	rows, err := db.Query(`SELECT * FROM "` + table + `"`) //nolint:gosec,unqueryvet // a name of the schema, and all that is there
	if err != nil {
		s.tb.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		s.tb.Fatal(err)
	}
	for rows.Next() {
		cells, values := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			values[i] = &cells[i]
		}
		if err := rows.Scan(values...); err != nil {
			s.tb.Fatal(err)
		}
		row := map[string]string{}
		for i, c := range columns {
			row[c] = fmt.Sprintf("%q", fmt.Sprint(cells[i]))
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		s.tb.Fatal(err)
	}
	return out
}

var (
	forgets = regexp.MustCompile(`(?m)^-- forgets: (.+)$`)
	moves   = regexp.MustCompile(`(?m)^-- moves: (\w+)\.(\w+) to (\w+)\.(\w+) by (\w+)$`)
)

// movement is a column that a migration moves into another table: the row there has the id of the row here in key. Empty texts
// are not moved.
type movement struct{ table, column, toTable, toColumn, key string }

// missing lists the values that were not moved.
func (m movement) missing(before, after Content) (out []string) {
	there := map[string]bool{}
	for _, row := range after.Tables[m.toTable] {
		there[row[m.key]+" "+row[m.toColumn]] = true
	}
	for _, row := range before.Tables[m.table] {
		if value := row[m.column]; value != `""` && !there[row["id"]+" "+value] {
			out = append(out, fmt.Sprintf("table %s has no %s for %s %s", m.toTable, value, m.table, row["id"]))
		}
	}
	return out
}

// Missing lists the rows of before that are not in after, by the columns that both have. What a migration between the two
// forgets on purpose, as the line "-- forgets: TABLE" in its file of rows says, does not count; nor do the tables in but. What
// it moves, as the line "-- moves: TABLE.COLUMN to TABLE.COLUMN by KEY" says, is looked for there.
func (s Schemas) Missing(before, after Content, but ...string) (out []string) {
	s.tb.Helper()
	away := map[string]bool{}
	for _, v := range s.Versions() {
		if v <= before.Schema || v > after.Schema {
			continue
		}
		text, err := os.ReadFile(s.rowsOf(v))
		if err != nil {
			s.tb.Fatal(err)
		}
		if m := forgets.FindSubmatch(text); m != nil {
			but = append(but, strings.Fields(string(m[1]))...)
		}
		for _, m := range moves.FindAllStringSubmatch(string(text), -1) {
			moved := movement{m[1], m[2], m[3], m[4], m[5]}
			away[moved.table+"."+moved.column] = true
			out = append(out, moved.missing(before, after)...)
		}
	}
	for table, rows := range before.Tables {
		if slices.Contains(but, table) || len(rows) == 0 {
			continue
		}
		if len(after.Tables[table]) < len(rows) {
			out = append(out, fmt.Sprintf("table %s has %d rows of %d", table, len(after.Tables[table]), len(rows)))
			continue
		}
		there := map[string]bool{}
		var columns []string
		for _, row := range after.Tables[table] {
			if columns == nil {
				for c := range rows[0] {
					if _, both := row[c]; both {
						columns = append(columns, c)
					}
				}
				slices.Sort(columns)
			}
			there[line(row, columns)] = true
		}
		want := 0
		for c := range rows[0] {
			if !away[table+"."+c] {
				want++
			}
		}
		if len(columns) != want {
			out = append(out, fmt.Sprintf("table %s kept only the columns %q", table, columns))
		}
		for _, row := range rows {
			if l := line(row, columns); !there[l] {
				out = append(out, fmt.Sprintf("table %s has no row %.300s", table, l))
			}
		}
	}
	return out
}

func line(row map[string]string, columns []string) string {
	var b strings.Builder
	for _, c := range columns {
		fmt.Fprintf(&b, "%s=%s ", c, row[c])
	}
	return b.String()
}

// Frames are the ends of the frames of a write-ahead log, in bytes, up to the last one that belongs to it; and which of
// them end a transaction. The format is that of https://www.sqlite.org/fileformat.html, section 4.1.
func Frames(log []byte) (ends []int, commits []bool) {
	if len(log) < 32 {
		return nil, nil
	}
	page := int(binary.BigEndian.Uint32(log[8:]))
	for at := 32; at+24+page <= len(log) && page > 0; at += 24 + page {
		if string(log[at+8:at+16]) != string(log[16:24]) {
			break // left from an earlier use of the file
		}
		ends = append(ends, at+24+page)
		commits = append(commits, binary.BigEndian.Uint32(log[at+4:]) != 0)
	}
	return ends, commits
}

// CutOff reports whether a log, of which this is the first use, ends in the midst of a transaction.
func CutOff(log []byte) bool {
	ends, commits := Frames(log)
	if len(ends) == 0 {
		return len(log) > 32 // a part of the first frame
	}
	return !commits[len(commits)-1] || len(log) > ends[len(ends)-1]
}

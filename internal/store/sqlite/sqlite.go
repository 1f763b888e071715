// Package sqlite opens Belfry's store in one file: write-ahead log, every commit synced to the disk, one writer, a pool
// of readers that cannot write.
package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// FileName is what the database is called in the data folder.
const FileName = "belfry.db"

// Readers is how many queries run at once. No query is asked while the rows of another are read.
const Readers = 4

// Open opens the database in the file, creates it or brings its schema up to date, after a backup. It refuses a database
// that a newer Belfry has written, and a file that is damaged, naming it. What it does besides opening is told to log.
func Open(ctx context.Context, file string, log ...*slog.Logger) (*store.DB, error) {
	if len(log) == 0 {
		log = append(log, slog.New(slog.DiscardHandler))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made: %w", err)
	}
	if err := checkLog(file); err != nil {
		return nil, err
	}
	if err := ownerOnly(file); err != nil {
		return nil, err
	}
	writer, err := connect(file, url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "auto_vacuum(2)", "secure_delete(1)",
		"temp_store(2)", "cache_size(-4000)", "journal_size_limit(67108864)", "wal_autocheckpoint(1000)"}})
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	err = migrate(ctx, writer, file, log[0])
	if err == nil {
		err = checkPages(ctx, writer, file)
	}
	if err == nil {
		err = copiedByHand(ctx, writer, file, log[0])
	}
	if err == nil {
		err = setMark(file)
	}
	if err != nil {
		_ = writer.Close()
		return nil, err
	}
	reader, err := readers(file)
	if err != nil {
		_ = writer.Close()
		return nil, err
	}
	return store.New(store.Options{Reader: reader, Writer: writer, Rewrite: store.SQLite, Fatal: fatal, Explain: explain(file), Whole: logInPlace(file), Forget: emptyLog(file), Close: func() error {
		return errors.Join(endMark(file), reader.Close(), writer.Close())
	}}), nil
}

// readers opens the pool that reads. Its caches are small: whatever is committed empties them before the next query, so that
// they only serve one query at a time, and a page of 4 KiB takes up 9 (the allocator has places for 4 and for 8, and a page
// comes with a header). Larger ones fill over hours, as the queries that go through much find more of it.
func readers(file string) (*sql.DB, error) {
	db, err := connect(file, url.Values{"_pragma": {"busy_timeout(10000)", "query_only(1)", "foreign_keys(1)", "temp_store(2)", "cache_size(-500)"}})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(Readers)
	db.SetMaxIdleConns(Readers)
	db.SetConnMaxIdleTime(10 * time.Second) // each holds the schema and a cache of pages
	db.SetConnMaxLifetime(5 * time.Minute)  // and, in the long run, every statement that there is
	return db, nil
}

// checkAlways is the size in bytes up to which every start reads the whole database; larger ones are read only after a
// daemon that did not end by itself.
const checkAlways = 32 << 20

// checkPages refuses a database whose pages do not fit together.
func checkPages(ctx context.Context, db *sql.DB, file string) error {
	if info, err := os.Stat(file); err == nil && info.Size() > checkAlways && !marked(file) {
		return nil
	}
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return damaged(file, err)
	}
	if said != "ok" {
		return fmt.Errorf("%s is damaged (%s); restore a backup, or move the file away to start anew", file, said)
	}
	digest, err := digestOfSchema(ctx, db)
	if err != nil {
		return damaged(file, err)
	}
	if digest != schemaDigest && hasImages(ctx, db) {
		return fmt.Errorf("%s is a backup with images; move it elsewhere and put it in place with: belfry store restore FILE", file)
	}
	if digest != schemaDigest {
		return fmt.Errorf("%s is damaged or was altered: its tables are not those that Belfry made; restore a backup, or move the file away to start anew", file)
	}
	return nil
}

// schemaDigest identifies the tables and indexes that the migrations make. A test says what it has to be.
const schemaDigest = "f1f8e8e6ad077623"

// digestOfSchema identifies the tables and indexes of a database.
func digestOfSchema(ctx context.Context, db *sql.DB) (string, error) {
	rows, err := db.QueryContext(ctx, `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!' AND tbl_name <> 'goose_db_version' ORDER BY type, name`)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	sum := sha256.New()
	for rows.Next() {
		var object [4]string
		if err := rows.Scan(&object[0], &object[1], &object[2], &object[3]); err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%q\n", object)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], rows.Err()
}

func connect(file string, query url.Values) (*sql.DB, error) {
	pool()
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: query.Encode()}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	return db, nil
}

// migrate brings the schema up to date. Each migration is one transaction: a kill in the middle leaves the one before.
func migrate(ctx context.Context, db *sql.DB, file string, log *slog.Logger) error {
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, steps)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, err := provider.GetDBVersion(ctx)
	if err != nil {
		return damaged(file, err)
	}
	all := provider.ListSources()
	newest := all[len(all)-1].Version
	if have > newest {
		return newer(file, have, newest)
	}
	if have > 0 && have < newest {
		next := slices.IndexFunc(all, func(m *goose.Source) bool { return m.Version > have })
		if err := backupBefore(ctx, file, have, all[next].Version, newest, log); err != nil {
			return err
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		return damaged(file, fmt.Errorf("bring the schema up to date: %w", err))
	}
	return nil
}

// damaged names the file when it is the file that is wrong.
func damaged(file string, err error) error {
	if se, ok := errors.AsType[*sqlite.Error](err); ok {
		switch se.Code() & 0xff {
		case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
			return fmt.Errorf("%s is damaged or is no database of Belfry: %w; restore a backup, or move the file away to start anew", file, err)
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
			return fmt.Errorf("%s cannot be opened for writing: %w; look at the rights of the file and its folder", file, err)
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("the disk of %s is full: %w; make room and start again", file, err)
		}
	}
	return fmt.Errorf("%s: %w", file, err)
}

// explain names what a person can mend when a running store takes no write.
func explain(file string) func(error) error {
	return func(err error) error {
		se, ok := errors.AsType[*sqlite.Error](err)
		if !ok {
			return err
		}
		switch se.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("%s: %w (%w)", file, store.ErrNoRoom, err)
		case sqlite3.SQLITE_BUSY:
			return fmt.Errorf("%s: another process has been writing for more than 10 seconds, and nothing was changed; try again (%w)", file, err)
		}
		return err
	}
}

// fatal reports whether a failed commit leaves open what the disk holds: the reading of a page back may then give
// something else than was written, and only a restart from the file is safe.
func fatal(err error) bool {
	se, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

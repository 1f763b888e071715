package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/pressly/goose/v3"
)

// OpenExisting opens a database that a daemon has made, for a command beside it. It creates nothing and changes no
// schema. The error is fs.ErrNotExist when there is no file, and says what to do when its schema is another one.
func OpenExisting(ctx context.Context, file string) (*store.DB, error) {
	return openExisting(ctx, file, "cache_size(-4000)")
}

// OpenToImport is OpenExisting for a command that writes very many rows: it takes 16 MiB of pages into memory, and moves the
// log into the database each 250 MB, so that the pages of the index of addresses, which comes in no order, are written once for
// many rows. More memory than that finds few more of these pages: at a million people the index alone has 100 MB.
func OpenToImport(ctx context.Context, file string) (*store.DB, error) {
	return openExisting(ctx, file, "cache_size(-16384)", "wal_autocheckpoint(64000)")
}

func openExisting(ctx context.Context, file string, pragmas ...string) (*store.DB, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	if err := checkPresent(file); err != nil {
		return nil, err
	}
	writer, err := connect(file, url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": append([]string{
		"busy_timeout(10000)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)", "temp_store(2)"}, pragmas...)})
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	if err := sameSchema(ctx, writer, file); err != nil {
		_ = writer.Close()
		return nil, err
	}
	reader, err := connect(file, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)", "query_only(1)", "foreign_keys(1)", "temp_store(2)", "cache_size(-4000)"}})
	if err != nil {
		_ = writer.Close()
		return nil, err
	}
	reader.SetMaxOpenConns(Readers)
	return store.New(store.Options{Reader: reader, Writer: writer, Rewrite: store.SQLite, Fatal: fatal, Explain: explain(file), Forget: emptyLog(file), Close: func() error {
		err := errors.Join(reader.Close(), writer.Close())
		dropMark(file)
		return err
	}}), nil
}

// sameSchema refuses a database whose schema is not this program's.
func sameSchema(ctx context.Context, db *sql.DB, file string) error {
	have, err := schemaOf(ctx, db, file)
	if err != nil {
		return err
	}
	newest, err := newestSchema(db)
	if err != nil {
		return err
	}
	switch {
	case have > newest:
		return newer(file, have, newest)
	case have < newest:
		return fmt.Errorf("the database %s is of an older Belfry (schema %d, this one needs %d); start the daemon once, which brings it up to date",
			file, have, newest)
	}
	return nil
}

func schemaOf(ctx context.Context, db *sql.DB, file string) (int64, error) {
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`).Scan(&tables); err != nil {
		return 0, damaged(file, err)
	}
	if tables == 0 {
		return 0, fmt.Errorf("%s is no database of Belfry; move the file away, or name another data_dir", file)
	}
	var have int64
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have); err != nil {
		return 0, damaged(file, err)
	}
	return have, nil
}

func newestSchema(db *sql.DB) (int64, error) {
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, steps)
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	all := provider.ListSources()
	return all[len(all)-1].Version, nil
}

func newer(file string, have, newest int64) error {
	restore := "restore the backup from before the update"
	if before := usableBefore(context.Background(), file, newest); before != "" {
		restore += ": belfry store restore " + before
	}
	return fmt.Errorf("the database %s was written by a newer Belfry (schema %d, this one knows %d); start the newer version, or %s", file, have, newest, restore)
}

// Copy writes a copy of a database, as it stands at one moment, to a file that does not exist yet. Neither the daemon nor
// the database notices. The error is fs.ErrNotExist when there is no database.
func Copy(ctx context.Context, from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already", to)
	}
	if err := checkPresent(from); err != nil {
		return err
	}
	db, err := connect(from, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)"}})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(); dropMark(from) }()
	have, err := schemaOf(ctx, db, from)
	if err != nil {
		return err
	}
	if newest, err := newestSchema(db); err != nil || have > newest {
		return errors.Join(err, newer(from, have, newest))
	}
	if err := newFile(to); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, to); err != nil {
		return damaged(from, fmt.Errorf("copy to %s: %w", to, err))
	}
	return nil
}

// Package sqlitetest opens new databases for tests. The migrations run once in a process: every database after the first is
// a copy of what they made.
package sqlitetest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// Open opens the database in the file as sqlite.Open does; the caller closes it.
func Open(tb testing.TB, file string) *store.DB {
	tb.Helper()
	Place(tb, file)
	db, err := sqlite.Open(tb.Context(), file)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

// Place puts a database of the newest schema, without a row, where no file is yet.
func Place(tb testing.TB, file string) {
	tb.Helper()
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	content, err := migrated()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// migrated gives the bytes of a database that Belfry made and closed.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "belfry-migrated-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, sqlite.FileName)
	db, err := sqlite.Open(context.Background(), file)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

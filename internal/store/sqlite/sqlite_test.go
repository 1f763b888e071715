package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/internal/store/storetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	t.Parallel()
	// Files in memory where the system has such a place: what a disk survives is for the tests beside this one.
	dir, err := os.MkdirTemp("/dev/shm", "belfry-store-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	storetest.Run(t, func(t *testing.T, name string) *store.DB {
		t.Helper()
		db := sqlitetest.Open(t, filepath.Join(dir, strings.NewReplacer("/", "-", " ", "_").Replace(t.Name()), name+".db"))
		return db
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) *store.DB {
		b.Helper()
		db := sqlitetest.Open(b, filepath.Join(b.TempDir(), "belfry.db"))
		b.Cleanup(func() { _ = db.Close() })
		return db
	})
}

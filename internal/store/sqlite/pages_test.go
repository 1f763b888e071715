package sqlite

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"testing"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

func init() { pool() } // before a test opens a database by itself

// TestPagesHaveTheirPlaces holds that caches take the places that were set apart for them, and not the allocator's first.
func TestPagesHaveTheirPlaces(t *testing.T) {
	t.Parallel()
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tls := libc.NewTLS()
	defer tls.Close()
	now, most := libc.Xcalloc(tls, 1, 4), libc.Xcalloc(tls, 1, 4)
	defer libc.Xfree(tls, now)
	defer libc.Xfree(tls, most)
	if rc := sqlite3.Xsqlite3_status(tls, sqlite3.SQLITE_STATUS_PAGECACHE_USED, now, most, 0); rc != sqlite3.SQLITE_OK {
		t.Fatal(rc)
	}
	used := binary.NativeEndian.Uint32(libc.GoBytes(most, 4))
	if used == 0 || used > pooled {
		t.Errorf("%d of %d places were in use", used, pooled)
	}
}

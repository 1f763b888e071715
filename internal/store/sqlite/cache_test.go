package sqlite

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"
)

// What all readers keep of a database in memory is a few megabytes, however large it is and whatever they went through.
func TestReadersKeepLittle(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), FileName)
	writer, err := connect(file, url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(OFF)"}})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if _, err := writer.ExecContext(t.Context(), `CREATE TABLE much (id INTEGER PRIMARY KEY, text BLOB);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) INSERT INTO much SELECT i, zeroblob(1000) FROM n`); err != nil {
		t.Fatal(err)
	}
	pool, err := readers(file)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var conns []*sql.Conn
	for range Readers {
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn) // all at once: each is another one
		var bytes int
		if err := conn.QueryRowContext(t.Context(), `SELECT sum(length(text)) FROM much`).Scan(&bytes); err != nil || bytes != 6_000_000 {
			t.Fatal(bytes, err)
		}
	}
	kept := 0
	for _, conn := range conns { // only now: one that is full takes pages from the others
		if err := conn.Raw(func(c any) error {
			n, _, err := c.(sqlite.DBStatus).Status(sqlite.DBStatusCacheUsed, false)
			kept += n
			return err
		}); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if kept == 0 || kept > 8<<20 {
		t.Errorf("%d readers keep %d bytes of the database", Readers, kept)
	}
}

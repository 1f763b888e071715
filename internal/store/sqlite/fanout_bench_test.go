package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
)

// BenchmarkFanOut makes the messages of a post to b.N people. A million, as the figures ask for:
// go test ./internal/store/sqlite -run - -bench FanOut -benchtime 1000000x
func BenchmarkFanOut(b *testing.B) {
	const chunk = 20_000 // as the daemon does
	file := filepath.Join(b.TempDir(), "belfry.db")
	db := sqlitetest.Open(b, file)
	b.Cleanup(func() { _ = db.Close() })
	raw, err := sql.Open("sqlite", "file:"+file+"?_pragma=synchronous(OFF)")
	if err != nil {
		b.Fatal(err)
	}
	raw.SetMaxOpenConns(1)
	for _, text := range []string{
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) INSERT INTO subscribers (id, ref, created_at) SELECT i, printf('%010d', i), 1 FROM n`,
		`INSERT INTO grants (person, kind, name, medium, state, since, changed_at) SELECT id, 'channel', 'news', 'email', 'active', 1, 1 FROM subscribers WHERE id <= ?1 ORDER BY id`,
		`INSERT INTO streams (id, kind, destination, medium, purpose, created_at, expires_at) VALUES (1, 'post', 'mail', 'email', 'channel news', 2, 3 + 0 * ?1)`,
	} {
		if _, err := raw.ExecContext(b.Context(), text, b.N); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := raw.ExecContext(b.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil { // the setup belongs to no message
		b.Fatal(err)
	}
	if err := raw.Close(); err != nil { // its pages would take the place of the writer's
		b.Fatal(err)
	}
	var all int64
	var longest time.Duration
	before := processorTime(b)
	b.ResetTimer()
	for whole := false; !whole; {
		begun := time.Now()
		var made int64
		if made, whole, err = db.FanOut(b.Context(), 1, chunk, "", "", "UTC"); err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(begun))
		all += made
	}
	b.StopTimer()
	if all != int64(b.N) {
		b.Fatalf("%d messages", all)
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "ns-cpu/message")
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

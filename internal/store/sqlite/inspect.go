package sqlite

import (
	"context"
	"net/url"
	"os"
	"time"

	"github.com/belfry-news/belfry/internal/store"
)

// inspectFor is how long the pages of a database are read for an inspection.
const inspectFor = 20 * time.Second

// Inspect looks at a database that a daemon may be using, without changing it. The error is fs.ErrNotExist when there is
// no file.
func Inspect(ctx context.Context, file string) (store.Inspection, error) {
	in := store.Inspection{File: file}
	info, err := os.Stat(file)
	if err != nil {
		return in, err
	}
	in.Bytes = info.Size()
	if log, err := os.Stat(logOf(file)); err == nil {
		in.Log = log.Size()
	}
	if err := checkPresent(file); err != nil {
		return in, err
	}
	db, err := connect(file, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)", "query_only(1)", "cache_size(-4000)"}})
	if err != nil {
		return in, err
	}
	defer func() { _ = db.Close(); dropMark(file) }()
	if in.Schema, err = schemaOf(ctx, db, file); err != nil {
		return in, err
	}
	var free, page int64
	if err := db.QueryRowContext(ctx, `SELECT freelist_count, page_size FROM pragma_freelist_count, pragma_page_size`).Scan(&free, &page); err != nil {
		return in, damaged(file, err)
	}
	in.Free = free * page
	check, cancel := context.WithTimeout(ctx, inspectFor)
	defer cancel()
	said := ""
	switch err := db.QueryRowContext(check, `PRAGMA quick_check(1)`).Scan(&said); {
	case check.Err() != nil && ctx.Err() == nil:
		return in, nil // it would take longer
	case err != nil:
		return in, damaged(file, err)
	}
	if in.Checked = true; said != "ok" {
		in.Damage = said
	}
	return in, nil
}

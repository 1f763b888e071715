package store

import (
	"context"
	"time"
)

// Overdue finds the source that has been due for longest since before a time, and is neither paused nor being fetched. The
// error is ErrNotFound when there is none.
func (db *DB) Overdue(ctx context.Context, before time.Time) (name string, since time.Time, err error) {
	var at int64
	err = db.queryRow(ctx, `SELECT name, max(next_at, lease) FROM sources WHERE configured = 1 AND gone <= force AND next_at < $1 AND lease < $1
		AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'all' OR p.scope = 'source' AND p.name = sources.name)
		ORDER BY max(next_at, lease) LIMIT 1`, micros(before)).Scan(&name, &at)
	return name, timeOf(at), notFound(err)
}

// NewestStamp gives the newest time at which something is recorded to have happened: of an item, a post, a delivery, an
// act, an alert. One that lies ahead says that the clock stood wrong, then or now. Zero when nothing has happened.
func (db *DB) NewestStamp(ctx context.Context) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT coalesce(max(at), 0) FROM (
		SELECT max(fetched_at) AS at FROM sources UNION ALL SELECT max(seen_at) FROM (SELECT seen_at FROM items ORDER BY id DESC LIMIT 100)
		UNION ALL SELECT max(created_at) FROM (SELECT created_at FROM posts ORDER BY id DESC LIMIT 100)
		UNION ALL SELECT max(max(created_at, started_at, settled_at)) FROM (SELECT created_at, started_at, settled_at FROM deliveries ORDER BY id DESC LIMIT 100)
		UNION ALL SELECT max(at) FROM acts UNION ALL SELECT max(max(last_at, resolved_at)) FROM alerts UNION ALL SELECT max(applied_at) FROM configurations) AS t`).Scan(&at)
	return timeOf(at), err
}

// Inspection is how the files of a store are. Sizes are in bytes.
type Inspection struct {
	File   string
	Schema int64
	// Bytes is the size of the database, Free the part of it that nothing uses, Log the size of the write-ahead log.
	Bytes, Free, Log int64
	// Checked says that every page was read; Damage is what was found wrong then.
	Checked bool
	Damage  string
}

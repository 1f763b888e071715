package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// What a legal retraction purges is gone from the rows at once. The files of the engine may hold it for longer: in a log of
// what was committed lately, and in the calls that are under way. A row says that this is still to be seen to, so that it
// happens whoever retracted and whatever ended meanwhile.
const (
	forgetting = "forget"
	// emptied is the value of the row once only calls under way are left.
	emptied = "calls"
)

// wantForgotten notes that the engine's files may hold what was purged.
func (tx *Tx) wantForgotten(now time.Time) error {
	return tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		forgetting, now.UTC().Format(time.RFC3339Nano)+" "+token(8))
}

// Forget makes sure that no file of the engine holds what was purged, and says whether that is so. It is not as long as
// somebody reads the log, or a call with the text may have arrived; the daemon tries again every few seconds.
func (db *DB) Forget(ctx context.Context) (bool, error) {
	var what string
	err := db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, forgetting).Scan(&what)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	calls := false
	if err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM calls c CROSS JOIN deliveries d ON d.id = c.delivery
		JOIN publications u ON u.id = d.publication WHERE u.purge = 1)`).Scan(&calls); err != nil {
		return false, err
	}
	if calls && what == emptied {
		return false, nil // nothing changed since the log was emptied
	}
	if db.forget != nil {
		if done, err := db.forget(ctx); err != nil || !done {
			return false, err
		}
	}
	return !calls, db.Write(ctx, func(tx *Tx) error {
		if calls {
			return tx.run(`UPDATE meta SET value = $3 WHERE name = $1 AND value = $2`, forgetting, what, emptied)
		}
		return tx.run(`DELETE FROM meta WHERE name = $1 AND value = $2`, forgetting, what)
	})
}

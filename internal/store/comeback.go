package store

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// Names in the table meta that backups and restores use.
const (
	// MetaBackup holds when a copy was taken; only a backup that nobody has opened as a database has it.
	MetaBackup = "store.backup"
	// MetaComeBack holds a ComeBack.
	MetaComeBack = "store.come_back"
	// MetaPauseReason holds why everything is paused, when it was not a person who paused it.
	MetaPauseReason = "pause.reason"
)

// ComeBack says that this database came from a backup. Times are UTC.
type ComeBack struct {
	// Taken is when the backup was taken, At when it became the database again.
	Taken time.Time `json:"taken"`
	At    time.Time `json:"at"`
	// Sources are those that may have brought items in between; what is new at their first fetch since is held.
	Sources []string `json:"sources"`
}

// ComeBack gives what is known of the backup from which this database came; false when it came from none.
func (db *DB) ComeBack(ctx context.Context) (c ComeBack, ok bool, err error) {
	var text string
	err = notFound(db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, MetaComeBack).Scan(&text))
	if errors.Is(err, ErrNotFound) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	return c, true, decode(text, &c)
}

// PauseReason says why everything is paused, when it was not a person who paused it; empty otherwise.
func (db *DB) PauseReason(ctx context.Context) (string, error) {
	var text string
	err := notFound(db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, MetaPauseReason).Scan(&text))
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return text, err
}

// resumedAll forgets why everything was paused.
func (tx *Tx) resumedAll(now time.Time) error {
	if err := tx.run(`DELETE FROM meta WHERE name = $1`, MetaPauseReason); err != nil {
		return err
	}
	return tx.alerts(nil, []alert.Key{{Code: alert.StoreRestored, Subject: "store"}}, now)
}

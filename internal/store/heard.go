package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// Heard implements consent.InboxStore.
func (db *DB) Heard(ctx context.Context, medium, hash string, at, now time.Time) (n int64, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		n = 0
		if known, err := tx.exec(`UPDATE addresses SET heard_at = max(heard_at, $3) WHERE medium = $1 AND hash = $2`, medium, hash, micros(at)); err != nil || known == 0 {
			return err
		}
		n, err = tx.exec(`UPDATE messages SET state = 'pending', reason = '', next_at = $3 WHERE state = 'held' AND reason = 'reply_window_closed'
			AND person = (SELECT person FROM addresses WHERE medium = $1 AND hash = $2) AND stream IN (SELECT id FROM streams WHERE medium = $1 AND state = 'open')`, medium, hash, micros(now))
		return err
	})
	return n, err
}

// closeWindows ends what waited for a person to write until it was too old.
func (tx *Tx) closeWindows(now time.Time) error {
	return tx.run(`UPDATE messages SET state = 'expired', settled_at = $1 WHERE state = 'held' AND reason = 'reply_window_closed'
		AND stream IN (SELECT id FROM streams WHERE state = 'open' AND expires_at <= $1)`, micros(now))
}

// heard reads when the candidates of a window last wrote on its medium.
func (tx *Tx) heard(w consent.Window, candidates []consent.Candidate) error {
	if !w.Heard || len(candidates) == 0 {
		return nil
	}
	at, ids := places(candidates)
	return tx.rows(func(r scanner) error {
		var id consent.PersonID
		var us int64
		err := r.Scan(&id, &us)
		if i, known := at[id]; known {
			candidates[i].Heard = timeOf(us)
		}
		return err
	}, `SELECT person, heard_at FROM addresses WHERE medium = $1 AND person IN @list($2) AND heard_at > 0`, w.Batch.Stream.Medium, jsonList(ids))
}

// week reads what the candidates of a window got of its purpose in the days that can belong to a week with today.
func (tx *Tx) week(w consent.Window, candidates []consent.Candidate) error {
	if !w.Week || len(candidates) == 0 {
		return nil
	}
	at, ids := places(candidates)
	return tx.rows(func(r scanner) error {
		var id consent.PersonID
		var d consent.Day
		err := r.Scan(&id, &d.Day, &d.Count)
		if i, known := at[id]; known {
			candidates[i].WeekDays = append(candidates[i].WeekDays, d)
		}
		return err
	}, `SELECT person, day, count FROM sent_days WHERE person IN @list($1) AND purpose = $2 AND day > $3`, jsonList(ids), w.Batch.Stream.Purpose.String(), w.Now.Unix()/86400-9)
}

// places finds candidates by their person.
func places(candidates []consent.Candidate) (at map[consent.PersonID]int, ids []consent.PersonID) {
	at, ids = make(map[consent.PersonID]int, len(candidates)), make([]consent.PersonID, len(candidates))
	for i := range candidates {
		at[candidates[i].Person], ids[i] = i, candidates[i].Person
	}
	return at, ids
}

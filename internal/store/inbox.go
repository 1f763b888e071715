package store

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

var _ consent.InboxStore = (*DB)(nil)

// Cursor implements consent.InboxStore.
func (db *DB) Cursor(ctx context.Context, connection string) (cursor []byte, err error) {
	err = notFound(db.queryRow(ctx, `SELECT cursor FROM listeners WHERE name = $1`, connection).Scan(&cursor))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return cursor, err
}

// PutInbound implements consent.InboxStore.
func (db *DB) PutInbound(ctx context.Context, in []consent.Inbound, connection string, cursor []byte) error {
	return db.Write(ctx, func(tx *Tx) error {
		for _, e := range in {
			if err := tx.run(`INSERT INTO inbox (connection, id, at, kind, sealed) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
				e.Connection, e.ID, micros(e.At), e.Kind, e.Sealed); err != nil {
				return err
			}
		}
		if cursor == nil {
			return nil
		}
		return tx.run(`INSERT INTO listeners (name, cursor) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor`, connection, cursor)
	})
}

// OpenInbound implements consent.InboxStore.
func (db *DB) OpenInbound(ctx context.Context, most int) (out []consent.Inbound, err error) {
	err = db.query(ctx, func(r scanner) error {
		var e consent.Inbound
		var at int64
		err := r.Scan(&e.Connection, &e.ID, &at, &e.Kind, &e.Sealed)
		e.At = timeOf(at)
		out = append(out, e)
		return err
	}, `SELECT connection, id, at, kind, sealed FROM inbox WHERE outcome = '' ORDER BY at, id LIMIT $1`, most)
	return out, err
}

// CountInbound implements consent.InboxStore. It reads what is open, however much of the connection is not.
func (db *DB) CountInbound(ctx context.Context, connection string, most int) (n int, err error) {
	err = db.queryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM inbox WHERE outcome = '' AND connection || '' = $1 LIMIT $2)`, connection, most).Scan(&n)
	return n, err
}

// EndInbound implements consent.InboxStore. What it said is not kept.
func (db *DB) EndInbound(ctx context.Context, connection, id, outcome string, person consent.PersonID) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE inbox SET outcome = $3, person = $4, sealed = x'' WHERE connection = $1 AND id = $2`, connection, id, outcome, person)
	})
}

// Outcomes implements consent.InboxStore.
func (db *DB) Outcomes(ctx context.Context, connection, outcome string, person consent.PersonID, since time.Time) (times []time.Time, err error) {
	err = db.query(ctx, func(r scanner) error {
		var at int64
		err := r.Scan(&at)
		times = append(times, timeOf(at))
		return err
	}, `SELECT at FROM inbox WHERE connection = $1 AND outcome = $2 AND outcome <> '' AND ($3 = 0 OR person = $3) AND at >= $4 ORDER BY at`, connection, outcome, person, micros(since))
	return times, err
}

// SentSince implements consent.InboxStore. A message is sent within a day of being made, or soon after.
func (db *DB) SentSince(ctx context.Context, destination string, since time.Time, most int) (n int, err error) {
	err = db.queryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM streams s CROSS JOIN messages m ON m.stream = s.id
		WHERE s.destination = $1 AND s.created_at >= CAST($2 AS BIGINT) - 86400000000 AND m.state = 'sent' AND m.settled_at >= $2 LIMIT $3)`, destination, micros(since), most).Scan(&n)
	return n, err
}

// Bounced implements consent.InboxStore.
func (db *DB) Bounced(ctx context.Context, s consent.Stream, person consent.PersonID, reason, text string) (medium string, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		if err := missing(tx.row(mediumOf, s.ID, person, s.Nonce).Scan(&medium)); err != nil {
			return err
		}
		return tx.run(`UPDATE messages SET reason = $3, error = $4 WHERE stream = $1 AND person = $2 AND (state = 'sent' OR state = 'unknown')`, s.ID, person, reason, text)
	})
	return medium, err
}

// mediumOf is the medium of a message: the stream's number alone may be that of another one since a restore.
const mediumOf = `SELECT s.medium FROM streams s JOIN messages m ON m.stream = s.id WHERE s.id = $1 AND m.person = $2 AND s.nonce = $3`

// Wrote implements consent.InboxStore.
func (db *DB) Wrote(ctx context.Context, s consent.Stream, person consent.PersonID) (medium string, err error) {
	err = missing(db.queryRow(ctx, mediumOf+` AND (m.attempt > 0 OR m.unsure = 1 OR m.state = 'sent' OR m.state = 'unknown')`, s.ID, person, s.Nonce).Scan(&medium))
	return medium, err
}

// Remember implements consent.InboxStore.
func (db *DB) Remember(ctx context.Context, hash, name string, data []byte, until, now time.Time) (first bool, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		if err := tx.run(`DELETE FROM bot_memory WHERE until_at <= $1`, micros(now)); err != nil {
			return err
		}
		n, err := tx.exec(`INSERT INTO bot_memory (hash, name, data, until_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, hash, name, data, micros(until))
		first = n > 0
		return err
	})
	return first, err
}

// Recall implements consent.InboxStore.
func (db *DB) Recall(ctx context.Context, hash, name string, now time.Time) (data []byte, found bool, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		err := notFound(tx.row(`DELETE FROM bot_memory WHERE hash = $1 AND name = $2 AND until_at > $3 RETURNING data`, hash, name, micros(now)).Scan(&data))
		found = err == nil
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return err
	})
	return data, found, err
}

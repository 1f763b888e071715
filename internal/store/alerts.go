package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// alerts raises and ends alerts as part of a transaction. Identical ones fold into one.
func (tx *Tx) alerts(raise []alert.Alert, resolve []alert.Key, now time.Time) error {
	for _, a := range raise {
		if err := tx.run(`INSERT INTO alerts (code, subject, sentence, mend, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $5)
			ON CONFLICT (code, subject) WHERE resolved_at = 0 DO UPDATE SET sentence = excluded.sentence, mend = excluded.mend,
			last_at = excluded.last_at, count = count + 1`, string(a.Code), a.Subject, a.Sentence, a.Mend, micros(now)); err != nil {
			return err
		}
	}
	for _, k := range resolve {
		if err := tx.run(`UPDATE alerts SET resolved_at = $3 WHERE code = $1 AND subject = $2 AND resolved_at = 0`, string(k.Code), k.Subject, micros(now)); err != nil {
			return err
		}
	}
	return nil
}

// Raise raises an alert by itself.
func (db *DB) Raise(ctx context.Context, a alert.Alert, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.alerts([]alert.Alert{a}, nil, now) })
}

// Resolve ends alerts by themselves.
func (db *DB) ResolveAlerts(ctx context.Context, keys []alert.Key, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.alerts(nil, keys, now) })
}

// Alerts lists the alerts that last, the oldest first.
func (db *DB) Alerts(ctx context.Context) ([]alert.Row, error) {
	var out []alert.Row
	err := db.query(ctx, func(r scanner) error {
		var a alert.Row
		var first, last, resolved int64
		err := r.Scan(&a.ID, &a.Code, &a.Subject, &a.Sentence, &a.Mend, &first, &last, &a.Count, &resolved)
		a.First, a.Last, a.Resolved = timeOf(first), timeOf(last), timeOf(resolved)
		out = append(out, a)
		return err
	}, `SELECT id, code, subject, sentence, mend, first_at, last_at, count, resolved_at FROM alerts WHERE resolved_at = 0 ORDER BY first_at, id`)
	return out, err
}

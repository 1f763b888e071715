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
			ON CONFLICT (code, subject) WHERE resolved_at = 0 DO UPDATE SET mend = excluded.mend,
			sentence = CASE WHEN $6 = '' THEN excluded.sentence ELSE replace($6, '{n}', alerts.count + 1) END,
			last_at = excluded.last_at, count = alerts.count + 1`, string(a.Code), a.Subject, a.Sentence, a.Mend, micros(now), a.Many); err != nil {
			return err
		}
	}
	if len(resolve) > 1 {
		// Nearly always none is open: one look instead of a statement for each.
		open := false
		if err := tx.row(`SELECT EXISTS (SELECT 1 FROM alerts WHERE resolved_at = 0)`).Scan(&open); err != nil || !open {
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

// ResolveAlerts ends alerts by themselves.
func (db *DB) ResolveAlerts(ctx context.Context, keys []alert.Key, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.alerts(nil, keys, now) })
}

const alertColumns = `id, code, subject, sentence, mend, first_at, last_at, count, resolved_at`

func (db *DB) alertRows(ctx context.Context, where string, args ...any) ([]alert.Row, error) {
	var out []alert.Row
	err := db.query(ctx, func(r scanner) error {
		var a alert.Row
		var first, last, resolved int64
		err := r.Scan(&a.ID, &a.Code, &a.Subject, &a.Sentence, &a.Mend, &first, &last, &a.Count, &resolved)
		a.First, a.Last, a.Resolved = timeOf(first), timeOf(last), timeOf(resolved)
		out = append(out, a)
		return err
	}, `SELECT `+alertColumns+` FROM alerts WHERE `+where+` ORDER BY first_at, id`, args...)
	return out, err
}

// Alerts lists the alerts that last, the oldest first.
func (db *DB) Alerts(ctx context.Context) ([]alert.Row, error) {
	return db.alertRows(ctx, `resolved_at = 0`)
}

// UntoldAlerts lists alerts that nobody was told of, those that were raised again after the time in which they are not
// repeated, and those that are over and of which somebody was told.
func (db *DB) UntoldAlerts(ctx context.Context, repeat time.Duration, now time.Time) ([]alert.Row, error) {
	return db.alertRows(ctx, `resolved_at = 0 AND (told_at = 0 OR last_at > told_at AND told_at <= $1) OR resolved_at > 0 AND told_at > 0 AND over_told = 0`,
		micros(now.Add(-repeat)))
}

// AlertTold notes that somebody was told of an alert, or of its end.
func (db *DB) AlertTold(ctx context.Context, r alert.Row, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		if !r.Resolved.IsZero() {
			return tx.run(`UPDATE alerts SET over_told = 1 WHERE id = $1`, r.ID)
		}
		return tx.run(`UPDATE alerts SET told_at = $2 WHERE id = $1`, r.ID, micros(now))
	})
}

package store

import (
	"context"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// What alerts.over_told says of the end of an alert.
const (
	overUntold   = iota // nobody was told of an end
	overTold            // somebody was told that it is over
	overCameBack        // it came back after an end; nobody was told of the next one
)

// alerts raises and ends alerts as part of a transaction. Identical ones fold into one.
func (tx *Tx) alerts(raise []alert.Alert, resolve []alert.Key, now time.Time) error {
	for _, a := range raise {
		if err := tx.raise(a, now); err != nil {
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

// raise raises one alert: it counts on while it lasts, and passing trouble also when it comes back soon after its end. Then
// it is told of anew where somebody was told that it was over.
func (tx *Tx) raise(a alert.Alert, now time.Time) error {
	again := func() (int64, error) {
		return tx.exec(`UPDATE alerts SET mend = $3, sentence = CASE WHEN $5 = '' THEN $4 ELSE replace($5, '{n}', count + 1) END, last_at = $6, count = count + 1
			WHERE code = $1 AND subject = $2 AND resolved_at = 0`, string(a.Code), a.Subject, a.Mend, a.Sentence, a.Many, micros(now))
	}
	if n, err := again(); err != nil || n > 0 {
		return err
	}
	if a.Code.Passing() {
		n, err := tx.exec(`UPDATE alerts SET resolved_at = 0, told_at = CASE WHEN over_told = $4 THEN 0 ELSE told_at END, over_told = $5
			WHERE id = (SELECT max(id) FROM alerts WHERE code = $1 AND subject = $2) AND resolved_at > $3`,
			string(a.Code), a.Subject, micros(now.Add(-alert.SameWithin)), overTold, overCameBack)
		if err != nil {
			return err
		}
		if n > 0 {
			_, err := again()
			return err
		}
	}
	return tx.run(`INSERT INTO alerts (code, subject, sentence, mend, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $5)`,
		string(a.Code), a.Subject, a.Sentence, a.Mend, micros(now))
}

// Raise raises an alert by itself.
func (db *DB) Raise(ctx context.Context, a alert.Alert, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.alerts([]alert.Alert{a}, nil, now) })
}

// ResolveAlerts ends alerts by themselves.
func (db *DB) ResolveAlerts(ctx context.Context, keys []alert.Key, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.alerts(nil, keys, now) })
}

const alertColumns = `id, code, subject, sentence, mend, first_at, last_at, count, resolved_at, over_told`

func (db *DB) alertRows(ctx context.Context, where string, args ...any) ([]alert.Row, error) {
	var out []alert.Row
	err := db.query(ctx, func(r scanner) error {
		var a alert.Row
		var first, last, resolved, over int64
		err := r.Scan(&a.ID, &a.Code, &a.Subject, &a.Sentence, &a.Mend, &first, &last, &a.Count, &resolved, &over)
		a.First, a.Last, a.Resolved, a.CameBack = timeOf(first), timeOf(last), timeOf(resolved), over == overCameBack
		out = append(out, a)
		return err
	}, `SELECT `+alertColumns+` FROM alerts WHERE `+where+` ORDER BY first_at, id`, args...)
	return out, err
}

// Alerts lists the alerts that last, the oldest first.
func (db *DB) Alerts(ctx context.Context) ([]alert.Row, error) {
	return db.alertRows(ctx, `resolved_at = 0`)
}

// AlertCounts counts the alerts that last, by code.
func (db *DB) AlertCounts(ctx context.Context) (map[alert.Code]int, error) {
	out := map[alert.Code]int{}
	err := db.query(ctx, func(r scanner) error {
		var code alert.Code
		var n int
		err := r.Scan(&code, &n)
		out[code] = n
		return err
	}, `SELECT code, count(*) FROM alerts WHERE resolved_at = 0 GROUP BY code`)
	return out, err
}

// Alerted says whether an alert lasts.
func (db *DB) Alerted(ctx context.Context, key alert.Key) (lasts bool, err error) {
	err = db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM alerts WHERE code = $1 AND subject = $2 AND resolved_at = 0)`, string(key.Code), key.Subject).Scan(&lasts)
	return lasts, err
}

const (
	// untoldFor is how long an alert may have lasted without anybody being told of it: from then on somebody is told at
	// least that it was, for untoldUntil after its end.
	untoldFor   = time.Minute
	untoldUntil = 24 * time.Hour
)

// UntoldAlerts lists alerts that nobody was told of, those that were raised again after the time in which they are not
// repeated, and those that are over (alert.Row.Over) and of which somebody was told, or should have been.
func (db *DB) UntoldAlerts(ctx context.Context, repeat, settle time.Duration, now time.Time) ([]alert.Row, error) {
	rows, err := db.alertRows(ctx, `resolved_at = 0 AND (told_at = 0 OR last_at > told_at AND told_at <= $1)
		OR resolved_at > 0 AND over_told <> $2 AND (told_at > 0 OR resolved_at - first_at >= $3 AND resolved_at > $4)`,
		micros(now.Add(-repeat)), overTold, untoldFor.Microseconds(), micros(now.Add(-untoldUntil)))
	return slices.DeleteFunc(rows, func(r alert.Row) bool { return !r.Resolved.IsZero() && !r.Over(settle, now) }), err
}

// UnheardAlerts counts the alerts that last and of which nobody was told, and says since when the first of them does.
func (db *DB) UnheardAlerts(ctx context.Context) (n int, since time.Time, err error) {
	var first int64
	err = db.queryRow(ctx, `SELECT count(*), coalesce(min(last_at), 0) FROM alerts WHERE resolved_at = 0 AND told_at = 0`).Scan(&n, &first)
	return n, timeOf(first), err
}

// AlertTold notes that somebody was told of an alert, or of its end.
func (db *DB) AlertTold(ctx context.Context, r alert.Row, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		if !r.Resolved.IsZero() {
			return tx.run(`UPDATE alerts SET over_told = $2 WHERE id = $1 AND resolved_at > 0`, r.ID, overTold)
		}
		return tx.run(`UPDATE alerts SET told_at = $2 WHERE id = $1`, r.ID, micros(now))
	})
}

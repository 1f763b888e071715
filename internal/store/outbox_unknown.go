package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/outbox"
)

// UnknownCalls implements outbox.Store.
func (db *DB) UnknownCalls(ctx context.Context, destination string) ([]outbox.UnknownCall, error) {
	var out []outbox.UnknownCall
	err := db.query(ctx, func(r scanner) error {
		var u outbox.UnknownCall
		var call storedCall
		var started, created int64
		if err := r.Scan(&u.Delivery, &u.Publication, &u.Version, &u.Post, &u.Channel, &u.Chat, &call.call, &call.request, &started, &created, &u.Attempt, &u.Crashes, &u.Alerted, &u.Gone, &u.Error); err != nil {
			return err
		}
		u.FirstAt, u.Created = timeOf(started), timeOf(created)
		out = append(out, u)
		return call.read(&out[len(out)-1].Call)
	}, `SELECT d.id, u.id, u.version, p.public_id, u.channel, d.chat, `+callColumns+`, d.first_at, d.created_at, d.attempt, d.crashes, d.reason = 'asked', u.gone, d.error
		FROM deliveries d JOIN publications u ON u.id = d.publication JOIN posts p ON p.id = u.post LEFT JOIN calls c ON c.delivery = d.id
		WHERE d.destination = $1 AND d.state = 'unknown' ORDER BY d.reason = 'asked', d.id LIMIT 200`, destination)
	return out, err
}

// Resolve implements outbox.Store.
func (db *DB) Resolve(ctx context.Context, u outbox.UnknownCall, r outbox.Resolution, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		switch {
		case r.Accepted:
			s := outbox.Settlement{Delivery: u.Delivery, Publication: u.Publication, Version: u.Version, Call: &u.Call, Ref: r.Ref}
			if _, _, err := tx.settleCall(s, now); err != nil {
				return err
			}
			if err := tx.dropCall(u.Delivery); err != nil {
				return err
			}
		case r.Repeat:
			if err := tx.run(`UPDATE deliveries SET state = 'pending', next_at = $2, reason = '' WHERE id = $1 AND state = 'unknown'`, u.Delivery, micros(r.Until)); err != nil {
				return err
			}
		case r.Anew:
			if err := tx.decideAnew(u, r.Until); err != nil {
				return err
			}
		default:
			if err := tx.run(`UPDATE deliveries SET reason = 'asked' WHERE id = $1 AND state = 'unknown'`, u.Delivery); err != nil {
				return err
			}
		}
		if r.Alert != nil {
			return tx.alerts([]alert.Alert{*r.Alert}, r.Resolve, now)
		}
		return tx.alerts(nil, r.Resolve, now)
	})
}

// decideAnew forgets an unknown call: what its delivery does is decided from what is wanted by then.
func (tx *Tx) decideAnew(u outbox.UnknownCall, at time.Time) error {
	n, err := tx.exec(`UPDATE deliveries SET state = 'pending', next_at = $2, reason = '', key = '' WHERE id = $1 AND state = 'unknown'`, u.Delivery, micros(at))
	if err != nil || n == 0 {
		return err
	}
	if err := tx.dropCall(u.Delivery); err != nil || u.Call.Op != outbox.OpEdit {
		return err
	}
	// Whether the part shows what it did before or what the edit said is not known.
	return tx.run(`UPDATE parts SET digest = '' WHERE publication = $1 AND series = $2 AND position = $3`, u.Publication, string(u.Call.Series), u.Call.Position)
}

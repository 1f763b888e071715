package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/sdk"
)

var _ outbox.Store = (*DB)(nil)

// serves holds for a destination whose deliveries may start at $2, and not when it, or everything, is paused.
const serves = `NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'all' OR p.scope = 'destination' AND p.name = $1)
	AND NOT EXISTS (SELECT 1 FROM destinations x WHERE x.name = $1 AND (x.stopped_at > 0 OR x.paused_until > $2))`

// dueDelivery holds for a delivery d of the destination $1 that may be claimed at $2: its time has come, nothing else of
// its channel is claimed, and its channel on the platform is neither stopped nor waiting.
const dueDelivery = `d.destination = $1 AND d.state = 'pending' AND d.batch IS NULL AND d.next_at <= $2
	AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.destination = d.destination AND b.chat = d.chat)
	AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.destination = d.destination AND l.chat = d.chat AND (l.stopped_at > 0 OR l.ready_at > $2))`

// Claim implements outbox.Store.
func (db *DB) Claim(ctx context.Context, destination string, now time.Time, lease time.Duration, lanes, size int) ([]outbox.Batch, error) {
	due := false
	err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM deliveries d WHERE `+dueDelivery+`) AND `+serves, destination, micros(now)).Scan(&due)
	if err != nil || !due {
		return nil, err
	}
	var out []outbox.Batch
	err = db.Write(ctx, func(tx *Tx) error {
		out = nil
		at := map[string]int{}
		if err := tx.rows(func(r scanner) error {
			var id int64
			var chat string
			if err := r.Scan(&id, &chat); err != nil {
				return err
			}
			i, known := at[chat]
			if !known {
				if len(out) == lanes {
					return nil
				}
				i = len(out)
				at[chat] = i
				out = append(out, outbox.Batch{Fence: token(16), Destination: destination, Chat: chat, LeaseUntil: now.Add(lease)})
			}
			if b := &out[i]; len(b.Deliveries) < size {
				b.Deliveries = append(b.Deliveries, id)
			}
			return nil
		}, `SELECT d.id, d.chat FROM deliveries d WHERE `+dueDelivery+` AND `+serves+` ORDER BY d.priority, d.id LIMIT $3`,
			destination, micros(now), lanes*size); err != nil {
			return err
		}
		for i := range out {
			b := &out[i]
			id, _, err := tx.insert(`INSERT INTO batches (node, fence, destination, chat, lease_until) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
				db.node, b.Fence, b.Destination, b.Chat, micros(b.LeaseUntil))
			if err != nil {
				return err
			}
			b.ID = id
			if err := tx.run(`UPDATE deliveries SET batch = $1 WHERE id IN @list($2)`, id, jsonList(b.Deliveries)); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// Next implements outbox.Store.
func (db *DB) Next(ctx context.Context, destination string, now time.Time) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT coalesce(min(max(d.next_at,
			coalesce((SELECT l.ready_at FROM lanes l WHERE l.destination = d.destination AND l.chat = d.chat), 0),
			coalesce((SELECT x.paused_until FROM destinations x WHERE x.name = d.destination), 0))), 0)
		FROM (SELECT next_at, destination, chat FROM deliveries WHERE destination = $1 AND state = 'pending' AND batch IS NULL ORDER BY priority, id LIMIT 500) d
		WHERE NOT EXISTS (SELECT 1 FROM lanes l WHERE l.destination = d.destination AND l.chat = d.chat AND l.stopped_at > 0)
		AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.destination = d.destination AND b.chat = d.chat)
		AND NOT EXISTS (SELECT 1 FROM destinations x WHERE x.name = $1 AND x.stopped_at > 0)
		AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'all' OR p.scope = 'destination' AND p.name = $1)`, destination).Scan(&at)
	return timeOf(at), err
}

// Release implements outbox.Store.
func (db *DB) Release(ctx context.Context, b outbox.Batch) error {
	return db.Write(ctx, func(tx *Tx) error {
		// Rows that were started keep their state; without the batch they would be unknown to Recover, so they are made
		// so here: their node gave them up.
		if err := tx.run(`UPDATE deliveries SET state = 'unknown' WHERE batch = $1 AND state = 'started'
			AND EXISTS (SELECT 1 FROM batches WHERE id = $1 AND fence = $2)`, b.ID, b.Fence); err != nil {
			return err
		}
		if err := tx.run(`UPDATE deliveries SET batch = NULL WHERE batch = $1 AND EXISTS (SELECT 1 FROM batches WHERE id = $1 AND fence = $2)`, b.ID, b.Fence); err != nil {
			return err
		}
		return tx.run(`DELETE FROM batches WHERE id = $1 AND fence = $2`, b.ID, b.Fence)
	})
}

// Renew implements outbox.Store.
func (db *DB) Renew(ctx context.Context, b outbox.Batch, until time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE batches SET lease_until = $3 WHERE id = $1 AND fence = $2`, b.ID, b.Fence, micros(until))
		if err == nil && n == 0 {
			err = outbox.ErrFence
		}
		return err
	})
}

// Recover implements outbox.Store.
func (db *DB) Recover(ctx context.Context, all bool, now time.Time) (int, error) {
	limit := micros(now)
	if all {
		limit = 1 << 62
	} else {
		over := false
		if err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM batches WHERE lease_until <= $1)`, limit).Scan(&over); err != nil || !over {
			return 0, err
		}
	}
	unknown := 0
	err := db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE deliveries SET state = 'unknown', batch = NULL, crashes = crashes + 1, code = $2, error = 'the daemon ended while the call was under way'
			WHERE state = 'started' AND (batch IS NULL OR batch IN (SELECT id FROM batches WHERE lease_until <= $1))`, limit, string(sdk.CodeUnknownOutcome))
		if err != nil {
			return err
		}
		unknown = int(n)
		if err := tx.run(`UPDATE deliveries SET batch = NULL WHERE batch IN (SELECT id FROM batches WHERE lease_until <= $1)`, limit); err != nil {
			return err
		}
		return tx.run(`DELETE FROM batches WHERE lease_until <= $1`, limit)
	})
	return unknown, err
}

// Work implements outbox.Store.
func (db *DB) Work(ctx context.Context, delivery int64) (outbox.Work, error) {
	w := outbox.Work{Delivery: delivery}
	var created, out, edited, expires, published, revised int64
	var call, content, note string
	err := db.queryRow(ctx, `SELECT d.attempt, d.created_at, d.call, u.id, u.version, u.post, p.public_id, u.channel, u.destination, u.chat, u.want, u.gone, u.purge,
			u.have, u.have_gone, u.rung, u.out_at, u.edited_at, u.expires_at, u.released, r.content, r.note, p.visible_at, r.at
		FROM deliveries d JOIN publications u ON u.id = d.publication JOIN posts p ON p.id = u.post
		JOIN post_revisions r ON r.post = u.post AND r.revision = u.want WHERE d.id = $1`, delivery).Scan(
		&w.Attempt, &created, &call, &w.Publication, &w.Version, &w.Post, &w.PublicID, &w.Channel, &w.Destination, &w.Chat, &w.Want, &w.Gone, &w.Purge,
		&w.Have, &w.HaveGone, &w.Rung, &out, &edited, &expires, &w.Released, &content, &note, &published, &revised)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return w, err
	}
	w.Created, w.Out, w.EditedAt, w.ExpiresAt = timeOf(created), timeOf(out), timeOf(edited), timeOf(expires)
	w.Published, w.RevisedAt, w.Content, w.Note = timeOf(published), timeOf(revised), []byte(content), note != ""
	if call != "" {
		w.Retry = &outbox.Call{}
		if err := decode(call, w.Retry); err != nil {
			return w, err
		}
	}
	return w, db.query(ctx, func(r scanner) error {
		var p outbox.Part
		var ids string
		if err := r.Scan(&p.Series, &p.Position, &ids, &p.Ref.URL, &p.Ref.State, &p.Digest, &p.Revision); err != nil {
			return err
		}
		w.Parts = append(w.Parts, p)
		return decode(ids, &w.Parts[len(w.Parts)-1].Ref.IDs)
	}, `SELECT series, position, ids, url, ref_state, digest, revision FROM parts WHERE publication = $1 ORDER BY series, position`, w.Publication)
}

// Start implements outbox.Store.
func (db *DB) Start(ctx context.Context, s outbox.Start, now time.Time) (time.Time, error) {
	for i := range s.Call.Part.Files {
		s.Call.Part.Files[i].Data = nil // bytes of images live in files
	}
	var wait time.Time
	err := db.Write(ctx, func(tx *Tx) error {
		wait = time.Time{}
		var alive, same, may bool
		err := tx.row(`SELECT EXISTS (SELECT 1 FROM batches WHERE id = $3 AND fence = $4 AND lease_until > $2),
			EXISTS (SELECT 1 FROM publications WHERE id = (SELECT publication FROM deliveries WHERE id = $5 AND batch = $3 AND state = 'pending') AND version = $6), `+serves+`
			AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.destination = $1 AND l.chat = $7 AND (l.stopped_at > 0 OR l.ready_at > $2))`,
			s.Batch.Destination, micros(now), s.Batch.ID, s.Batch.Fence, s.Delivery, s.Version, s.Batch.Chat).Scan(&alive, &same, &may)
		switch {
		case err != nil:
			return err
		case !alive:
			return outbox.ErrFence
		case !may:
			return outbox.ErrPaused
		case !same:
			return outbox.ErrConflict
		}
		if wait, err = tx.takeRates(s, now); err != nil || !wait.IsZero() {
			return err
		}
		call, err := encode(s.Call)
		if err != nil {
			return err
		}
		return tx.run(`UPDATE deliveries SET state = 'started', op = $2, series = $3, position = $4, revision = $5, key = $6, call = $7, final = $8,
			attempt = attempt + 1, started_at = $9, first_at = CASE WHEN $10 THEN first_at ELSE $9 END, code = '', error = '' WHERE id = $1`, s.Delivery, string(s.Call.Op), string(s.Call.Series), s.Call.Position,
			s.Call.Revision, s.Call.Key, call, s.Call.Final, micros(now), s.Repeat)
	})
	return wait, err
}

func (tx *Tx) laneReady(destination, chat string, at int64) error {
	return tx.run(`INSERT INTO lanes (destination, chat, ready_at) VALUES ($1, $2, $3)
		ON CONFLICT (destination, chat) DO UPDATE SET ready_at = max(lanes.ready_at, excluded.ready_at)`, destination, chat, at)
}

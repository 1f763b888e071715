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

// waitingChats begins a statement with the chats of the destination $1 that have waiting rows and no batch, and whose lane is
// not stopped. It steps from chat to chat, so that how long a queue is costs nothing.
const waitingChats = `WITH RECURSIVE every (chat) AS (
		SELECT min(chat) FROM deliveries WHERE destination = $1 AND state = 'pending' AND batch IS NULL
		UNION ALL SELECT (SELECT min(d.chat) FROM deliveries d WHERE d.destination = $1 AND d.state = 'pending' AND d.batch IS NULL AND d.chat > every.chat)
			FROM every WHERE every.chat IS NOT NULL),
	waiting (chat) AS (SELECT chat FROM every WHERE chat IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.destination = $1 AND b.chat = every.chat)
		AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.destination = $1 AND l.chat = every.chat AND l.stopped_at > 0)) `

// readyChat holds for a chat of waitingChats that nobody asked to wait at $2.
const readyChat = `NOT EXISTS (SELECT 1 FROM lanes l WHERE l.destination = $1 AND l.chat = w.chat AND l.ready_at > $2)`

// dueDelivery holds for a delivery of the destination $1 that may be claimed at $2, apart from its chat.
const dueDelivery = `destination = $1 AND state = 'pending' AND batch IS NULL AND next_at <= $2`

// Claim implements outbox.Store.
func (db *DB) Claim(ctx context.Context, destination string, now time.Time, lease time.Duration, lanes, size int) ([]outbox.Batch, error) {
	due := false
	err := db.queryRow(ctx, waitingChats+`SELECT EXISTS (SELECT 1 FROM waiting w WHERE `+readyChat+`
		AND EXISTS (SELECT 1 FROM deliveries WHERE `+dueDelivery+` AND chat = w.chat)) AND `+serves, destination, micros(now)).Scan(&due)
	if err != nil || !due {
		return nil, err
	}
	var out []outbox.Batch
	err = db.writeAgain(ctx, func(tx *Tx) error {
		out = nil
		if err := tx.rows(func(r scanner) error {
			b := outbox.Batch{Fence: token(16), Destination: destination, LeaseUntil: now.Add(lease)}
			err := r.Scan(&b.Chat)
			out = append(out, b)
			return err
		}, waitingChats+`SELECT w.chat FROM waiting w JOIN deliveries d ON d.id =
				(SELECT id FROM deliveries WHERE `+dueDelivery+` AND chat = w.chat ORDER BY priority, id LIMIT 1)
			WHERE `+readyChat+` AND `+serves+` ORDER BY d.priority, d.id LIMIT $3`, destination, micros(now), lanes); err != nil {
			return err
		}
		for i := range out {
			if err := tx.fill(&out[i], size, now); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// fill puts the first due rows of its chat into a batch.
func (tx *Tx) fill(b *outbox.Batch, size int, now time.Time) (err error) {
	if b.ID, _, err = tx.insert(`INSERT INTO batches (node, fence, destination, chat, lease_until) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
		tx.db.node, b.Fence, b.Destination, b.Chat, micros(b.LeaseUntil)); err != nil {
		return err
	}
	if err := tx.rows(func(r scanner) error {
		var id int64
		err := r.Scan(&id)
		b.Deliveries = append(b.Deliveries, id)
		return err
	}, `SELECT id FROM deliveries WHERE `+dueDelivery+` AND chat = $3 ORDER BY priority, id LIMIT $4`, b.Destination, micros(now), b.Chat, size); err != nil {
		return err
	}
	return tx.run(`UPDATE deliveries SET batch = $1 WHERE id IN @list($2)`, b.ID, jsonList(b.Deliveries))
}

// Next implements outbox.Store.
func (db *DB) Next(ctx context.Context, destination string, now time.Time) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, waitingChats+`SELECT coalesce(min(max(
			(SELECT min(next_at) FROM (SELECT next_at FROM deliveries WHERE destination = $1 AND state = 'pending' AND batch IS NULL
				AND chat = w.chat ORDER BY priority, id LIMIT 500) first),
			coalesce((SELECT l.ready_at FROM lanes l WHERE l.destination = $1 AND l.chat = w.chat), 0),
			coalesce((SELECT x.paused_until FROM destinations x WHERE x.name = $1), 0))), 0)
		FROM waiting w WHERE NOT EXISTS (SELECT 1 FROM destinations x WHERE x.name = $1 AND x.stopped_at > 0)
		AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'all' OR p.scope = 'destination' AND p.name = $1)`, destination).Scan(&at)
	return timeOf(at), err
}

// Release implements outbox.Store.
func (db *DB) Release(ctx context.Context, b outbox.Batch) error {
	return db.writeAgain(ctx, func(tx *Tx) error {
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
	all, err := db.Works(ctx, []int64{delivery})
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return outbox.Work{Delivery: delivery}, err
	}
	return all[0], nil
}

// What the bits of a row of Works say, apart from what Work itself says.
const (
	workGone = 1 << iota
	workPurge
	workHaveGone
	workReleased
	workNote
	workPosted
	workCalled
)

// Works implements outbox.Store.
func (db *DB) Works(ctx context.Context, deliveries []int64) ([]outbox.Work, error) {
	var all []outbox.Work
	var said []int // the bits of each
	// Each column costs about as much as a look-up: what is a yes or no is a bit of one, and what few have is read apart.
	err := db.query(ctx, func(r scanner) error {
		w, bits, err := work(r)
		all, said = append(all, w), append(said, bits)
		return err
	}, `SELECT d.id, d.attempt, d.created_at, u.id, u.version, u.post, p.public_id, u.channel, u.destination, u.chat, u.want,
			u.have, u.rung, u.out_at, u.edited_at, u.expires_at, r.content, p.visible_at, p.due_at, r.at,
			u.gone + 2 * u.purge + 4 * u.have_gone + 8 * u.released + 16 * (r.note <> '') + 32 * (u.out_at > 0 AND EXISTS (SELECT 1 FROM parts WHERE publication = u.id))
			+ 64 * EXISTS (SELECT 1 FROM calls WHERE delivery = d.id)
		FROM deliveries d JOIN publications u ON u.id = d.publication JOIN posts p ON p.id = u.post
		JOIN post_revisions r ON r.post = u.post AND r.revision = u.want WHERE d.id IN @list($1)`, jsonList(deliveries))
	for i, bits := range said {
		if err == nil && bits&workPosted > 0 {
			err = db.parts(ctx, &all[i])
		}
		if err == nil && bits&workCalled > 0 {
			err = db.retry(ctx, &all[i])
		}
	}
	return all, err
}

// work reads a row of Works.
func work(r scanner) (w outbox.Work, bits int, err error) {
	var created, out, edited, expires, published, due, revised int64
	if err = r.Scan(&w.Delivery, &w.Attempt, &created, &w.Publication, &w.Version, &w.Post, &w.PublicID, &w.Channel, &w.Destination, &w.Chat, &w.Want,
		&w.Have, &w.Rung, &out, &edited, &expires, &w.Content, &published, &due, &revised, &bits); err != nil {
		return w, 0, err
	}
	if due == 0 {
		due = published
	}
	w.Gone, w.Purge, w.HaveGone = bits&workGone > 0, bits&workPurge > 0, bits&workHaveGone > 0
	w.Released, w.Note = bits&workReleased > 0, bits&workNote > 0
	w.Created, w.Out, w.EditedAt, w.ExpiresAt = timeOf(created), timeOf(out), timeOf(edited), timeOf(expires)
	w.Published, w.Due, w.RevisedAt = timeOf(published), timeOf(due), timeOf(revised)
	return w, bits, nil
}

// retry reads the call that a delivery repeats, unless it was settled since.
func (db *DB) retry(ctx context.Context, w *outbox.Work) error {
	var call storedCall
	err := db.queryRow(ctx, `SELECT call, request FROM calls WHERE delivery = $1`, w.Delivery).Scan(&call.call, &call.request)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	w.Retry = &outbox.Call{}
	return call.read(w.Retry)
}

// parts reads what was accepted of a publication.
func (db *DB) parts(ctx context.Context, w *outbox.Work) error {
	return db.query(ctx, func(r scanner) error {
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
func (db *DB) Start(ctx context.Context, s outbox.Start, now time.Time) (wait time.Time, err error) {
	call, err := storeCall(s.Call)
	if err != nil {
		return wait, err
	}
	err = db.writeAgain(ctx, func(tx *Tx) (err error) {
		wait, err = tx.start(s, call, 0, now)
		return err
	})
	return wait, err
}

// What a start has to find: $1 and $7 are its destination and chat, $2 is now, $3 and $4 its batch and the fence, $5 and $6
// the delivery and the version of the publication that its call was decided on.
const (
	stillLeased = `EXISTS (SELECT 1 FROM batches WHERE id = $3 AND fence = $4 AND lease_until > $2)`
	unchanged   = `EXISTS (SELECT 1 FROM publications WHERE version = $6
		AND id = (SELECT publication FROM deliveries WHERE id = $5 AND batch = $3 AND state = 'pending'))`
	mayLeave = serves + ` AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.destination = $1 AND l.chat = $7 AND (l.stopped_at > 0 OR l.ready_at > $2))`
)

// start begins a call, which is kept in place of the one of the delivery ended. The errors of outbox come before anything
// is written.
func (tx *Tx) start(s outbox.Start, call storedCall, ended int64, now time.Time) (time.Time, error) {
	starts, wait, err := tx.rates(s, now)
	if err != nil {
		return time.Time{}, err
	}
	found := []any{s.Batch.Destination, micros(now), s.Batch.ID, s.Batch.Fence, s.Delivery, s.Version, s.Batch.Chat}
	started := int64(0)
	if wait.IsZero() {
		if started, err = tx.exec(`UPDATE deliveries SET state = 'started', op = $8, series = $9, position = $10, revision = $11, key = $12, final = $13,
			attempt = attempt + 1, started_at = $2, first_at = CASE WHEN $14 THEN first_at ELSE $2 END, code = '', error = ''
			WHERE id = $5 AND `+stillLeased+` AND `+unchanged+` AND `+mayLeave, append(found, string(s.Call.Op), string(s.Call.Series), s.Call.Position,
			s.Call.Revision, s.Call.Key, s.Call.Final, s.Repeat)...); err != nil {
			return time.Time{}, err
		}
	}
	if started == 0 {
		switch err := tx.refusal(found); {
		case err != nil:
			return time.Time{}, err
		case wait.IsZero():
			return time.Time{}, outbox.ErrConflict // it cannot be: both ask for the same
		}
		return wait, tx.laneReady(s.Batch.Destination, s.Batch.Chat, micros(wait))
	}
	if err := tx.saveRates(s, starts); err != nil {
		return time.Time{}, err
	}
	return time.Time{}, tx.keepCall(s.Delivery, call, ended)
}

// refusal says why a start finds what it must not; nil when it is only the rates that keep it waiting.
func (tx *Tx) refusal(found []any) error {
	var leased, same, may bool
	err := tx.row(`SELECT `+stillLeased+`, `+unchanged+`, `+mayLeave, found...).Scan(&leased, &same, &may)
	switch {
	case err != nil:
		return err
	case !leased:
		return outbox.ErrFence
	case !may:
		return outbox.ErrPaused
	case !same:
		return outbox.ErrConflict
	}
	return nil
}

func (tx *Tx) laneReady(destination, chat string, at int64) error {
	return tx.run(`INSERT INTO lanes (destination, chat, ready_at) VALUES ($1, $2, $3)
		ON CONFLICT (destination, chat) DO UPDATE SET ready_at = max(lanes.ready_at, excluded.ready_at)`, destination, chat, at)
}

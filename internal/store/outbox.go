package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
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
		FROM (SELECT * FROM deliveries WHERE destination = $1 AND state = 'pending' AND batch IS NULL ORDER BY priority, id LIMIT 500) d
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

// takeRates takes one call out of every rate (GCRA), or says until when to wait and takes nothing. A channel that has to
// wait is not claimed before.
func (tx *Tx) takeRates(s outbox.Start, now time.Time) (time.Time, error) {
	at := micros(now)
	wait := at
	arrivals := make([]int64, len(s.Rates))
	for i, r := range s.Rates {
		chat := rateChat(r, s.Batch.Chat)
		err := tx.row(`SELECT coalesce((SELECT arrival FROM rates WHERE destination = $1 AND chat = $2 AND scope = $3 AND events = $4 AND per = $5), 0)`,
			s.Batch.Destination, chat, string(r.Scope), r.Events, r.Per.Microseconds()).Scan(&arrivals[i])
		if err != nil {
			return time.Time{}, err
		}
		interval := r.Per.Microseconds() / int64(max(r.Events, 1))
		arrivals[i] = max(arrivals[i], at)
		// A burst of as many events as the rate counts is allowed: the arrival may lie that far ahead.
		if earliest := arrivals[i] + interval - r.Per.Microseconds(); earliest > wait {
			wait = earliest
		}
		arrivals[i] += interval
	}
	if wait > at {
		return timeOf(wait), tx.laneReady(s.Batch.Destination, s.Batch.Chat, wait)
	}
	for i, r := range s.Rates {
		if err := tx.run(`INSERT INTO rates (destination, chat, scope, events, per, arrival) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (destination, chat, scope, events, per) DO UPDATE SET arrival = excluded.arrival`,
			s.Batch.Destination, rateChat(r, s.Batch.Chat), string(r.Scope), r.Events, r.Per.Microseconds(), arrivals[i]); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, nil
}

func rateChat(r sdk.Rate, chat string) string {
	if r.Scope == sdk.RateDestination {
		return ""
	}
	return chat
}

func (tx *Tx) laneReady(destination, chat string, at int64) error {
	return tx.run(`INSERT INTO lanes (destination, chat, ready_at) VALUES ($1, $2, $3)
		ON CONFLICT (destination, chat) DO UPDATE SET ready_at = max(lanes.ready_at, excluded.ready_at)`, destination, chat, at)
}

// Settle implements outbox.Store.
func (db *DB) Settle(ctx context.Context, s outbox.Settlement, now time.Time) (int64, error) {
	var next int64
	err := db.Write(ctx, func(tx *Tx) (err error) {
		next, err = tx.settle(s, now)
		return err
	})
	return next, err
}

func (tx *Tx) settle(s outbox.Settlement, now time.Time) (next int64, err error) {
	if err := tx.laneEffects(s, now); err != nil {
		return 0, err
	}
	switch {
	case s.Call != nil:
		next, err = tx.settleCall(s, now)
	case s.Done != outbox.OutcomeNone:
		err = tx.settleDone(s, now)
	case s.NextRung:
		next, err = tx.settleRung(s, now)
	case !s.Postpone.IsZero():
		if s.HalfDone != nil {
			if err := tx.run(`UPDATE parts SET ids = $4, url = $5, ref_state = $6, digest = '' WHERE publication = $1 AND series = $2 AND position = $3`, s.Publication,
				string(s.HalfDone.Series), s.HalfDone.Position, jsonList(s.Ref.IDs), s.Ref.URL, notNil(s.Ref.State)); err != nil {
				return 0, err
			}
		}
		n := int64(0)
		// A call that failed for certain is decided anew; one that is merely put off was never decided.
		n, err = tx.exec(`UPDATE deliveries SET state = 'pending', next_at = $2, attempt = attempt - CASE WHEN $3 OR state = 'pending' THEN 0 ELSE 1 END,
			call = CASE WHEN $6 THEN call ELSE '' END, key = CASE WHEN $6 THEN key ELSE '' END, code = $4, error = $5
			WHERE id = $1 AND state IN ('pending', 'started')`,
			s.Delivery, micros(s.Postpone), s.CountAttempt, string(s.Code), s.Error, s.KeepCall)
		err = conflictUnless(n, err)
	default:
		err = tx.settleState(s, now)
	}
	if err != nil {
		return 0, err
	}
	return next, tx.alerts(s.Alerts, s.Resolve, now)
}

// notNil is for columns that are never NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func conflictUnless(n int64, err error) error {
	if err == nil && n == 0 {
		return outbox.ErrConflict
	}
	return err
}

// settleCall records an accepted call: the part, what is there now, and the next delivery if more is to be done.
func (tx *Tx) settleCall(s outbox.Settlement, now time.Time) (int64, error) {
	c := s.Call
	// A node that lost its lease meanwhile still knows what happened: its row is unknown by now, and is settled all the same.
	n, err := tx.exec(`UPDATE deliveries SET state = 'sent', settled_at = $2, code = '', error = '', call = '' WHERE id = $1 AND state IN ('started', 'unknown')`, s.Delivery, micros(now))
	if err := conflictUnless(n, err); err != nil {
		return 0, err
	}
	if err := tx.recordPart(s.Publication, *c, s.Ref, now); err != nil {
		return 0, err
	}
	return tx.moveOn(s, now)
}

// recordPart writes what an accepted call changed.
func (tx *Tx) recordPart(publication int64, c outbox.Call, ref sdk.PartRef, now time.Time) error {
	switch c.Op {
	case outbox.OpDelete:
		return tx.run(`DELETE FROM parts WHERE publication = $1 AND series = $2 AND position = $3`, publication, string(c.Series), c.Position)
	case outbox.OpEdit:
		if err := tx.run(`UPDATE publications SET edited_at = $2 WHERE id = $1`, publication, micros(now)); err != nil {
			return err
		}
		if ref.IDs == nil {
			return tx.run(`UPDATE parts SET digest = $4, revision = $5, at = $6 WHERE publication = $1 AND series = $2 AND position = $3`,
				publication, string(c.Series), c.Position, c.Part.Digest(), c.Revision, micros(now))
		}
	}
	if err := tx.run(`INSERT INTO parts (publication, series, position, ids, url, ref_state, digest, revision, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (publication, series, position) DO UPDATE SET ids = excluded.ids, url = excluded.url, ref_state = excluded.ref_state,
		digest = excluded.digest, revision = excluded.revision, at = excluded.at`, publication, string(c.Series), c.Position, jsonList(ref.IDs), ref.URL, notNil(ref.State),
		c.Part.Digest(), c.Revision, micros(now)); err != nil {
		return err
	}
	return tx.run(`UPDATE publications SET out_at = CASE WHEN out_at = 0 THEN $2 ELSE out_at END WHERE id = $1`, publication, micros(now))
}

// moveOn marks the publication as being there, if the call was its last, or gives it its next delivery, in the same batch
// so that what belongs together leaves together.
func (tx *Tx) moveOn(s outbox.Settlement, now time.Time) (int64, error) {
	if s.Call.Final {
		// Only what was wanted when the call was decided is there: a newer wish leaves the publication open.
		if err := tx.run(`UPDATE publications SET version = version + 1, have = $2,
			have_gone = CASE WHEN want = $2 THEN gone ELSE 0 END, state = CASE WHEN want = $2 THEN 'done' ELSE 'open' END, reason = '' WHERE id = $1`,
			s.Publication, s.Call.Wanted); err != nil {
			return 0, err
		}
	} else if err := tx.run(`UPDATE publications SET version = version + 1 WHERE id = $1`, s.Publication); err != nil {
		return 0, err
	}
	return tx.nextDelivery(s, now)
}

// nextDelivery gives an open publication its next delivery.
func (tx *Tx) nextDelivery(s outbox.Settlement, now time.Time) (int64, error) {
	var batch any
	if s.Batch != 0 {
		batch = s.Batch
	}
	id, inserted, err := tx.insert(`INSERT INTO deliveries (publication, destination, chat, priority, next_at, created_at, batch)
		SELECT id, destination, chat, CASE WHEN gone = 1 THEN 0 ELSE 1 END, $2, $2, (SELECT id FROM batches WHERE id = $3)
		FROM publications WHERE id = $1 AND state = 'open' ON CONFLICT DO NOTHING RETURNING id`, s.Publication, micros(now), batch)
	if err != nil || !inserted || s.Batch == 0 {
		return 0, err
	}
	return id, nil
}

// settleDone ends a delivery that needed no call.
func (tx *Tx) settleDone(s outbox.Settlement, now time.Time) error {
	n, err := tx.exec(`UPDATE publications SET version = version + 1, reason = $3,
		state = CASE $3 WHEN 'needs_a_person' THEN 'listed' WHEN 'ladder_ended' THEN 'left' ELSE 'done' END,
		have = CASE WHEN $3 IN ('unchanged', 'newer_revision_there') THEN want ELSE have END,
		have_gone = CASE WHEN $3 IN ('unchanged', 'withdrawn_before', 'newer_revision_there') THEN gone ELSE have_gone END
		WHERE id = $1 AND version = $2`, s.Publication, s.Version, string(s.Done))
	if err := conflictUnless(n, err); err != nil {
		return err
	}
	n, err = tx.exec(`UPDATE deliveries SET state = CASE WHEN $3 = 'needs_a_person' THEN 'awaiting_person' ELSE 'suppressed' END,
		settled_at = CASE WHEN $3 = 'needs_a_person' THEN 0 ELSE $2 END, reason = $3, batch = NULL WHERE id = $1 AND state = 'pending'`,
		s.Delivery, micros(now), string(s.Done))
	return conflictUnless(n, err)
}

// settleRung ends a delivery whose way of correcting did not work, and opens one for the next.
func (tx *Tx) settleRung(s outbox.Settlement, now time.Time) (int64, error) {
	state := "suppressed"
	if s.Code != "" {
		state = "failed"
	}
	n, err := tx.exec(`UPDATE deliveries SET state = $3, settled_at = $2, reason = 'next_rung', code = $4, error = $5, call = '' WHERE id = $1
		AND state IN ('pending', 'started', 'unknown')`, s.Delivery, micros(now), state, string(s.Code), s.Error)
	if err := conflictUnless(n, err); err != nil {
		return 0, err
	}
	// A newer revision begins at the first rung again; a step that was decided before it does not move it.
	if err := tx.run(`UPDATE publications SET version = version + 1, rung = rung + CASE WHEN version = $2 THEN 1 ELSE 0 END WHERE id = $1`, s.Publication, s.Version); err != nil {
		return 0, err
	}
	return tx.nextDelivery(s, now)
}

// settleState ends a delivery without success, or lets it wait for a person or for news of its outcome.
func (tx *Tx) settleState(s outbox.Settlement, now time.Time) error {
	settled := int64(0)
	publication := ""
	switch s.State {
	case outbox.Failed, outbox.Expired, outbox.Dropped:
		settled, publication = micros(now), string(s.State)
	case outbox.Held:
		publication = "held"
	case outbox.Unknown:
	default:
		return fmt.Errorf("store: a delivery cannot be settled as %q", s.State)
	}
	n, err := tx.exec(`UPDATE deliveries SET state = $2, settled_at = $3, code = $4, error = $5, batch = NULL,
		call = CASE WHEN $2 = 'unknown' THEN call ELSE '' END WHERE id = $1 AND state IN ('pending', 'started', 'unknown')`,
		s.Delivery, string(s.State), settled, string(s.Code), s.Error)
	if err := conflictUnless(n, err); err != nil || publication == "" {
		return err
	}
	return tx.run(`UPDATE publications SET version = version + 1, state = $2, reason = $3 WHERE id = $1`, s.Publication, publication, s.Error)
}

// laneEffects records what an outcome says about the channel on the platform and about the destination.
func (tx *Tx) laneEffects(s outbox.Settlement, now time.Time) error {
	if s.LaneUntil.IsZero() && s.DestinationUntil.IsZero() && !s.StopLane && !s.StopDestination && !s.DestinationFailed && !s.Succeeded {
		return nil
	}
	var destination, chat string
	if err := tx.row(`SELECT destination, chat FROM deliveries WHERE id = $1`, s.Delivery).Scan(&destination, &chat); err != nil {
		return err
	}
	return tx.laneTrouble(destination, chat, s, now)
}

func (tx *Tx) laneTrouble(destination, chat string, s outbox.Settlement, now time.Time) error {
	if !s.LaneUntil.IsZero() {
		if err := tx.laneReady(destination, chat, micros(s.LaneUntil)); err != nil {
			return err
		}
	}
	if s.StopLane {
		if err := tx.run(`INSERT INTO lanes (destination, chat, stopped_at, code, error) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (destination, chat) DO UPDATE SET stopped_at = excluded.stopped_at, code = excluded.code, error = excluded.error, resolved_at = 0`,
			destination, chat, micros(now), string(s.Code), s.Error); err != nil {
			return err
		}
	}
	stopped := int64(0)
	if s.StopDestination {
		stopped = micros(now)
	}
	switch {
	case s.Succeeded:
		// In health nothing is written but once a minute.
		return tx.run(`INSERT INTO destinations (name, ok_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET ok_at = excluded.ok_at, failures = 0,
			failing_since = 0, paused_until = 0, code = CASE WHEN stopped_at > 0 THEN code ELSE '' END, error = CASE WHEN stopped_at > 0 THEN error ELSE '' END
			WHERE destinations.failures > 0 OR destinations.ok_at < $2 - 60000000`, destination, micros(now))
	case s.DestinationFailed || s.StopDestination || !s.DestinationUntil.IsZero():
		failed := 0
		if s.DestinationFailed {
			failed = 1
		}
		if err := tx.run(`INSERT INTO destinations (name, paused_until, stopped_at, code, error, failures, failing_since) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (name) DO UPDATE SET paused_until = max(destinations.paused_until, excluded.paused_until),
			stopped_at = max(destinations.stopped_at, excluded.stopped_at), code = excluded.code, error = excluded.error,
			failures = destinations.failures + $6, failing_since = CASE WHEN destinations.failing_since = 0 THEN excluded.failing_since ELSE destinations.failing_since END`,
			destination, micros(s.DestinationUntil), stopped, string(s.Code), s.Error, failed, micros(now)); err != nil || s.Down == nil {
			return err
		}
		long := false
		if err := tx.row(`SELECT failures > 2 AND failing_since < $2 FROM destinations WHERE name = $1`, destination, micros(now.Add(-outbox.DownAfter))).Scan(&long); err != nil || !long {
			return err
		}
		return tx.alerts([]alert.Alert{*s.Down}, nil, now)
	}
	return nil
}

// LaneTrouble implements outbox.Store.
func (db *DB) LaneTrouble(ctx context.Context, destination, chat string, s outbox.Settlement, now time.Time) error {
	if s.LaneUntil.IsZero() && s.DestinationUntil.IsZero() && !s.StopLane && !s.StopDestination {
		s.LaneUntil = s.Postpone // there is no delivery that could be put off
		if s.LaneUntil.IsZero() {
			s.LaneUntil = now.Add(time.Minute)
		}
	}
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.laneTrouble(destination, chat, s, now); err != nil {
			return err
		}
		return tx.alerts(s.Alerts, nil, now)
	})
}

// Lane implements outbox.Store.
func (db *DB) Lane(ctx context.Context, destination, chat string) (outbox.Lane, bool, error) {
	l := outbox.Lane{Destination: destination, Chat: chat}
	var ref, limits string
	var resolved int64
	err := db.queryRow(ctx, `SELECT ref, limits, resolved_at FROM lanes WHERE destination = $1 AND chat = $2`, destination, chat).Scan(&ref, &limits, &resolved)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	if err != nil {
		return l, false, err
	}
	l.ResolvedAt = timeOf(resolved)
	return l, resolved > 0, errors.Join(decode(ref, &l.Ref), decode(limits, &l.Limits))
}

// SaveLane implements outbox.Store.
func (db *DB) SaveLane(ctx context.Context, l outbox.Lane) error {
	ref, err := encode(l.Ref)
	if err != nil {
		return err
	}
	limits, err := encode(l.Limits)
	if err != nil {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`INSERT INTO lanes (destination, chat, ref, limits, resolved_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (destination, chat) DO UPDATE SET ref = excluded.ref, limits = excluded.limits, resolved_at = excluded.resolved_at`,
			l.Destination, l.Chat, ref, limits, micros(l.ResolvedAt))
	})
}

// UnknownCalls implements outbox.Store.
func (db *DB) UnknownCalls(ctx context.Context, destination string) ([]outbox.UnknownCall, error) {
	var out []outbox.UnknownCall
	err := db.query(ctx, func(r scanner) error {
		var u outbox.UnknownCall
		var call string
		var started, created int64
		if err := r.Scan(&u.Delivery, &u.Publication, &u.Version, &u.Post, &u.Channel, &u.Chat, &call, &started, &created, &u.Attempt, &u.Crashes, &u.Alerted); err != nil {
			return err
		}
		u.FirstAt, u.Created = timeOf(started), timeOf(created)
		out = append(out, u)
		return decode(call, &out[len(out)-1].Call)
	}, `SELECT d.id, u.id, u.version, p.public_id, u.channel, d.chat, d.call, d.first_at, d.created_at, d.attempt, d.crashes, d.reason = 'asked'
		FROM deliveries d JOIN publications u ON u.id = d.publication JOIN posts p ON p.id = u.post
		WHERE d.destination = $1 AND d.state = 'unknown' ORDER BY d.id LIMIT 200`, destination)
	return out, err
}

// Resolve implements outbox.Store.
func (db *DB) Resolve(ctx context.Context, u outbox.UnknownCall, r outbox.Resolution, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		switch {
		case r.Accepted:
			s := outbox.Settlement{Delivery: u.Delivery, Publication: u.Publication, Version: u.Version, Call: &u.Call, Ref: r.Ref}
			if _, err := tx.settleCall(s, now); err != nil {
				return err
			}
		case r.Repeat:
			if err := tx.run(`UPDATE deliveries SET state = 'pending', next_at = $2, reason = '' WHERE id = $1 AND state = 'unknown'`, u.Delivery, micros(r.Until)); err != nil {
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

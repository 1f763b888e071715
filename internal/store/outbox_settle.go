package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/sdk"
)

// Settle implements outbox.Store.
func (db *DB) Settle(ctx context.Context, s outbox.Settlement, now time.Time) (int64, error) {
	var next int64
	err := db.writeAgain(ctx, func(tx *Tx) (err error) {
		if next, err = tx.settle(s, now); err != nil || s.Call == nil {
			return err
		}
		return tx.dropCall(s.Delivery)
	})
	return next, err
}

// SettleAndStart implements outbox.Store.
func (db *DB) SettleAndStart(ctx context.Context, s outbox.Settlement, following outbox.Start, now time.Time) (next int64, wait time.Time, startErr, err error) {
	call, err := storeCall(following.Call)
	if err != nil {
		return 0, time.Time{}, nil, err
	}
	err = db.writeAgain(ctx, func(tx *Tx) (err error) {
		wait, startErr = time.Time{}, nil
		if next, err = tx.settle(s, now); err != nil {
			return err
		}
		if next != 0 {
			startErr = outbox.ErrConflict
			return tx.dropCall(s.Delivery)
		}
		wait, err = tx.start(following, call, s.Delivery, now)
		switch {
		case errors.Is(err, outbox.ErrConflict), errors.Is(err, outbox.ErrFence), errors.Is(err, outbox.ErrPaused):
			startErr = err // these come before anything is written
		case err != nil || wait.IsZero() && !following.Repeat:
			return err // the call that started is in the place of the one that ended
		}
		return tx.dropCall(s.Delivery)
	})
	return next, wait, startErr, err
}

// settle records an outcome. A call that was accepted is dropped, or replaced, by whoever asks for it.
func (tx *Tx) settle(s outbox.Settlement, now time.Time) (next int64, err error) {
	if s.Call == nil {
		if err := tx.leased(s); err != nil {
			return 0, err
		}
	}
	if s.HalfDone != nil {
		if err := tx.run(`UPDATE parts SET ids = $4, url = $5, ref_state = $6, digest = '' WHERE publication = $1 AND series = $2 AND position = $3`, s.Publication,
			string(s.HalfDone.Series), s.HalfDone.Position, jsonList(s.Ref.IDs), s.Ref.URL, notNil(s.Ref.State)); err != nil {
			return 0, err
		}
	}
	switch {
	case s.Call != nil:
		var quiet bool
		if next, quiet, err = tx.settleCall(s, now); quiet && s.Succeeded && len(s.Alerts) == 0 {
			return next, err
		}
	case s.Done != outbox.OutcomeNone:
		err = tx.settleDone(s, now)
	case s.NextRung:
		next, err = tx.settleRung(s, now)
	case !s.Postpone.IsZero():
		var n int64
		// A call that failed for certain is decided anew; one that is merely put off was never decided.
		n, err = tx.exec(`UPDATE deliveries SET state = 'pending', next_at = $2, attempt = attempt - CASE WHEN $3 OR state = 'pending' THEN 0 ELSE 1 END,
			key = CASE WHEN $6 THEN key ELSE '' END, code = $4, error = $5
			WHERE id = $1 AND state IN ('pending', 'started')`,
			s.Delivery, micros(s.Postpone), s.CountAttempt, string(s.Code), s.Error, s.KeepCall)
		if err = conflictUnless(n, err); err == nil && !s.KeepCall {
			err = tx.dropCall(s.Delivery)
		}
	default:
		if next, err = tx.settleState(s, now); next != 0 {
			s.Alerts = nil // the publication goes on: what failed is not what is wanted
		}
	}
	if err != nil {
		return 0, err
	}
	if err := tx.laneEffects(s, now); err != nil {
		return 0, err
	}
	return next, tx.alerts(s.Alerts, s.Resolve, now)
}

// leased gives ErrFence unless the delivery is still under the lease by which it is settled: another node may be at it.
func (tx *Tx) leased(s outbox.Settlement) error {
	held := false
	if err := tx.row(`SELECT EXISTS (SELECT 1 FROM deliveries d JOIN batches b ON b.id = d.batch WHERE d.id = $1 AND b.id = $2 AND b.fence = $3)`,
		s.Delivery, s.Batch, s.Fence).Scan(&held); err != nil {
		return err
	}
	if !held {
		return outbox.ErrFence
	}
	return nil
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

// settleCall records an accepted call: the part, what is there now, and the next delivery if more is to be done. That one
// is in the same batch, so that what belongs together leaves together. It is quiet when no alert can end with the call and
// its destination is known to work.
func (tx *Tx) settleCall(s outbox.Settlement, now time.Time) (next int64, quiet bool, err error) {
	// A node that lost its lease meanwhile still knows what happened: its row is unknown by now, and is settled all the same.
	n, err := tx.exec(`UPDATE deliveries SET state = 'sent', settled_at = $2, reason = '', code = '', error = '', batch = NULL
		WHERE id = $1 AND state IN ('started', 'unknown')`, s.Delivery, micros(now))
	if err := conflictUnless(n, err); err != nil {
		return 0, false, err
	}
	recorded, err := tx.recordPart(s.Publication, *s.Call, s.Ref, now)
	if err != nil {
		return 0, false, err
	}
	open, quiet, err := tx.moveOn(s, recorded, now)
	if err == nil && open {
		next, err = tx.nextDelivery(s, now)
	}
	return next, quiet, err
}

// recordPart writes what an accepted call changed of the parts, and says whether a reference was written.
func (tx *Tx) recordPart(publication int64, c outbox.Call, ref sdk.PartRef, now time.Time) (bool, error) {
	switch {
	case c.Op == outbox.OpDelete:
		return false, tx.run(`DELETE FROM parts WHERE publication = $1 AND series = $2 AND position = $3`, publication, string(c.Series), c.Position)
	case c.Op == outbox.OpEdit && ref.IDs == nil:
		return false, tx.run(`UPDATE parts SET digest = $4, revision = $5, at = $6 WHERE publication = $1 AND series = $2 AND position = $3`,
			publication, string(c.Series), c.Position, c.Part.Digest(), c.Revision, micros(now))
	}
	return true, tx.run(`INSERT INTO parts (publication, series, position, ids, url, ref_state, digest, revision, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (publication, series, position) DO UPDATE SET ids = excluded.ids, url = excluded.url, ref_state = excluded.ref_state,
		digest = excluded.digest, revision = excluded.revision, at = excluded.at`, publication, string(c.Series), c.Position, jsonList(ref.IDs), ref.URL, notNil(ref.State),
		c.Part.Digest(), c.Revision, micros(now))
}

// inHealth holds for a publication when no alert is open that an accepted call could end, and its destination is known to
// work since $4.
const inHealth = `NOT EXISTS (SELECT 1 FROM alerts WHERE resolved_at = 0)
	AND EXISTS (SELECT 1 FROM destinations x WHERE x.name = publications.destination AND x.failures = 0 AND x.ok_at >= $4)`

// moveOn marks the publication as being there, if the call was its last, and says whether more is to be done. What may be
// done until when counts from the first part of the copy; one that was deleted and posted again is new. Only what was
// wanted when the call was decided is there: a newer wish leaves the publication open. It is quiet when no alert is open and
// the destination is known to work since less than a minute.
func (tx *Tx) moveOn(s outbox.Settlement, recorded bool, now time.Time) (open, quiet bool, err error) {
	c, lately := s.Call, micros(now)-time.Minute.Microseconds()
	if c.Final && c.Op == outbox.OpPublish {
		// Nearly always it is the first and only part of what is still wanted, and nothing has to be read back.
		n, err := tx.exec(`UPDATE publications SET version = version + 1, out_at = $2, have = $3, have_gone = gone, state = 'done', reason = ''
			WHERE id = $1 AND out_at = 0 AND want = $3 AND `+inHealth, s.Publication, micros(now), c.Wanted, lately)
		if err != nil || n > 0 {
			return false, true, err
		}
	}
	err = tx.row(`UPDATE publications SET version = version + 1,
		out_at = CASE WHEN $3 AND (out_at = 0 OR $9 AND NOT EXISTS
			(SELECT 1 FROM parts WHERE publication = $1 AND series = 'post' AND position <> $5)) THEN $2 ELSE out_at END,
		edited_at = CASE WHEN $6 THEN $2 ELSE edited_at END,
		have = CASE WHEN $7 THEN $8 ELSE have END,
		have_gone = CASE WHEN NOT $7 THEN have_gone WHEN want = $8 THEN gone ELSE 0 END,
		state = CASE WHEN NOT $7 THEN state WHEN want = $8 THEN 'done' ELSE 'open' END,
		reason = CASE WHEN $7 THEN '' ELSE reason END
		WHERE id = $1 RETURNING state = 'open', `+inHealth,
		s.Publication, micros(now), recorded, lately, c.Position, c.Op == outbox.OpEdit, c.Final, c.Wanted, c.Op == outbox.OpPublish).Scan(&open, &quiet)
	return open, quiet, err
}

// nextDelivery gives an open publication its next delivery.
func (tx *Tx) nextDelivery(s outbox.Settlement, now time.Time) (int64, error) {
	// Ids of batches are used again; the fence says whether it is still the same one.
	leased := false
	if err := tx.row(`SELECT EXISTS (SELECT 1 FROM batches WHERE id = $1 AND fence = $2)`, s.Batch, s.Fence).Scan(&leased); err != nil {
		return 0, err
	}
	var batch any
	if leased {
		batch = s.Batch
	}
	id, inserted, err := tx.insert(`INSERT INTO deliveries (publication, destination, chat, priority, next_at, created_at, batch)
		SELECT id, destination, chat, CASE WHEN gone = 1 THEN 0 ELSE 1 END, $2, $2, $3
		FROM publications WHERE id = $1 AND state = 'open' ON CONFLICT DO NOTHING RETURNING id`, s.Publication, micros(now), batch)
	if err != nil || !inserted || !leased {
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
	n, err := tx.exec(`UPDATE deliveries SET state = $3, settled_at = $2, reason = 'next_rung', code = $4, error = $5 WHERE id = $1
		AND state IN ('pending', 'started', 'unknown')`, s.Delivery, micros(now), state, string(s.Code), s.Error)
	if err := conflictUnless(n, err); err != nil {
		return 0, err
	}
	if err := tx.dropCall(s.Delivery); err != nil {
		return 0, err
	}
	// A newer revision begins at the first rung again; a step that was decided before it does not move it.
	if err := tx.run(`UPDATE publications SET version = version + 1, rung = rung + CASE WHEN version = $2 THEN 1 ELSE 0 END WHERE id = $1`, s.Publication, s.Version); err != nil {
		return 0, err
	}
	return tx.nextDelivery(s, now)
}

// settleState ends a delivery without success, or lets it wait for a person or for news of its outcome.
func (tx *Tx) settleState(s outbox.Settlement, now time.Time) (int64, error) {
	settled := int64(0)
	publication := ""
	switch s.State {
	case outbox.Failed, outbox.Expired, outbox.Dropped:
		settled, publication = micros(now), string(s.State)
	case outbox.Held:
		publication = "held"
	case outbox.Unknown:
	default:
		return 0, fmt.Errorf("store: a delivery cannot be settled as %q", s.State)
	}
	var called, current bool
	if err := tx.row(`SELECT d.state = 'started', u.version = $2 FROM deliveries d JOIN publications u ON u.id = d.publication WHERE d.id = $1`,
		s.Delivery, s.Version).Scan(&called, &current); err != nil {
		return 0, err
	}
	if !called && !current {
		return 0, outbox.ErrConflict // it was decided about a wish that is no more
	}
	n, err := tx.exec(`UPDATE deliveries SET state = $2, settled_at = $3, code = $4, error = $5, batch = NULL WHERE id = $1 AND state IN ('pending', 'started')`,
		s.Delivery, string(s.State), settled, string(s.Code), s.Error)
	if err := conflictUnless(n, err); err != nil || publication == "" {
		return 0, err // an unknown call is kept
	}
	if err := tx.dropCall(s.Delivery); err != nil {
		return 0, err
	}
	if !current {
		return tx.nextDelivery(s, now) // what was refused is not what is wanted by now
	}
	return 0, tx.run(`UPDATE publications SET version = version + 1, state = $2, reason = $3 WHERE id = $1`, s.Publication, publication, s.Error)
}

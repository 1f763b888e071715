package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// StartMessages implements consent.MessageStore.
func (db *DB) StartMessages(ctx context.Context, w consent.Window, judge func(*consent.Candidate) consent.Judgement) (started []*consent.Candidate, all int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		started, all = nil, 0
		if err := tx.settleMessages(w.Results); err != nil {
			return err
		}
		for _, b := range w.Ended {
			if err := tx.endBatch(b.ID, b.Fence, w.Now); err != nil {
				return err
			}
		}
		begun, err := tx.batchOf(w)
		if err != nil {
			return err
		}
		window := w.Batch.People[begun:min(begun+w.Size, len(w.Batch.People))]
		all = begun + len(window)
		if len(window) == 0 {
			return nil
		}
		candidates, err := tx.candidates(w, window)
		if err != nil {
			return err
		}
		started = make([]*consent.Candidate, 0, len(candidates))
		if err := tx.sleepers(w, candidates); err != nil {
			return err
		}
		byDay, fresh := map[int64][]consent.PersonID{}, newcomers{imported: map[int64]int{}}
		for i := range candidates {
			c := &candidates[i]
			fresh.before(c)
			j := judge(c)
			fresh.count(c, j)
			if err := tx.judged(w, c, j); err != nil {
				return err
			}
			if j.Go {
				c.Folded = j.Posts
				started = append(started, c)
				byDay[j.Day] = append(byDay[j.Day], c.Person)
			}
		}
		if err := fresh.record(tx, w.Batch.Stream, w.Now); err != nil {
			return err
		}
		if err := tx.countDays(w.Batch.Stream, byDay, w.Now); err != nil {
			return err
		}
		return tx.run(`UPDATE message_batches SET started = $2, lease_until = $3 WHERE id = $1`, w.Batch.ID, all, micros(w.Now.Add(w.Lease)))
	})
	if errors.Is(err, consent.ErrPaused) && len(w.Results) > 0 { // what became of the window before is recorded in any case
		err = errors.Join(err, db.SettleMessages(ctx, w.Results))
	}
	return started, all, err
}

// batchOf says how much of a batch that is still ours has started, and whether its destination may write now.
func (tx *Tx) batchOf(w consent.Window) (begun int, err error) {
	var may bool
	err = tx.row(`SELECT started, (SELECT `+strings.ReplaceAll(serves, "$1", "b.destination")+` AND `+unpaused+`) FROM message_batches b JOIN streams s ON s.id = b.stream WHERE b.id = $1 AND b.fence = $3 AND b.lease_until > $2`,
		w.Batch.ID, micros(w.Now), w.Batch.Fence).Scan(&begun, &may)
	switch {
	case errors.Is(notFound(err), ErrNotFound):
		return 0, consent.ErrFence
	case err != nil:
		return 0, err
	case !may:
		return 0, consent.ErrPaused
	}
	return begun, nil
}

// judged writes what was decided about a message.
func (tx *Tx) judged(w consent.Window, c *consent.Candidate, j consent.Judgement) error {
	s := w.Batch.Stream
	if len(j.Fold) > 0 && c.Grant != nil {
		why := j.Reason
		if j.Go {
			why = "digest_full"
		}
		for _, post := range j.Fold {
			if err := tx.run(`INSERT INTO folded (person, consent, post, reason, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, c.Person, c.Grant.ID, post, why, micros(w.Now)); err != nil {
				return err
			}
		}
	}
	if !j.Go && j.State == consent.MessageHeld && s.Notice > 0 {
		released, err := tx.releasedMeanwhile(s.Notice, w.Now)
		if err != nil {
			return err
		}
		if released {
			j.State, j.Reason, j.Next = consent.MessagePending, "", w.Now
		}
	}
	if !j.Go {
		return tx.run(`UPDATE messages SET state = $3, reason = $4, next_at = $5, settled_at = $6 WHERE stream = $1 AND person = $2`, s.ID, c.Person, j.State, j.Reason, micros(j.Next), ended(j.State, w.Now))
	}
	if j.Ask && !c.Asked.After(c.LastSign) {
		if err := tx.run(`UPDATE subscribers SET asked_at = $2 WHERE id = $1`, c.Person, micros(w.Now)); err != nil {
			return err
		}
	}
	if j.Override && c.Grant != nil && w.Overridden != nil {
		e, err := w.Overridden(c)
		if err != nil {
			return err
		}
		if err := (people{tx}).AddEvent(e); err != nil {
			return err
		}
	}
	return nil
}

// countDays counts the messages that start now for the caps of their people, by the day of each one's zone.
func (tx *Tx) countDays(s consent.Stream, byDay map[int64][]consent.PersonID, now time.Time) error {
	if s.Purpose.Name == "" {
		return nil
	}
	for day, list := range byDay {
		if err := tx.run(`INSERT INTO sent_days (person, purpose, day, count, last_at) SELECT value, $2, $3, 1, $4 FROM json_each($1) WHERE 1
			ON CONFLICT (person, purpose, day) DO UPDATE SET count = count + 1, last_at = excluded.last_at`, jsonList(list), s.Purpose.String(), day, micros(now)); err != nil {
			return err
		}
	}
	return nil
}

// ended is when a message with this state was settled.
func ended(state consent.MessageState, now time.Time) int64 {
	switch state {
	case consent.MessagePending, consent.MessageUnknown, consent.MessageHeld:
		return 0
	}
	return micros(now)
}

package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// SettleMessages records what became of started messages.
func (db *DB) SettleMessages(ctx context.Context, results []consent.Result) error {
	if len(results) == 0 {
		return nil
	}
	return db.Write(ctx, func(tx *Tx) error { return tx.settleMessages(results) })
}

func (tx *Tx) settleMessages(results []consent.Result) error {
	type shown struct {
		stream   int64
		revision int
	}
	plain := map[shown][]consent.PersonID{}
	for _, r := range results {
		if r.State == consent.MessageSent && r.Ref == "" && len(r.Posts) == 0 {
			k := shown{r.Stream, r.Revision}
			plain[k] = append(plain[k], r.Person)
			continue
		}
		attempt := 1
		if r.Again {
			attempt = 0
		}
		posts := ""
		if len(r.Posts) > 0 {
			posts = jsonList(r.Posts)
		}
		if err := tx.run(`UPDATE messages SET state = $3, reason = $4, next_at = $5, settled_at = $6, ref = $7, error = $8, posts = $9, attempt = attempt + $10, unsure = max(unsure, $11), revision = $12
			WHERE stream = $1 AND person = $2`,
			r.Stream, r.Person, r.State, r.Reason, micros(r.Next), ended(r.State, r.At), r.Ref, r.Error, posts, attempt, r.Reason == "unknown", r.Revision); err != nil {
			return err
		}
		if (r.State == consent.MessageSent || r.State == consent.MessageUnknown) && len(r.Posts) > 0 { // what may have arrived is not shown again
			if err := tx.run(`UPDATE grants SET covered = max(covered, (SELECT slot_at FROM streams WHERE id = $1)) WHERE id = (SELECT consent FROM messages WHERE stream = $1 AND person = $2)`, r.Stream, r.Person); err != nil {
				return err
			}
			if err := tx.run(`DELETE FROM folded WHERE person = $2 AND consent = (SELECT consent FROM messages WHERE stream = $1 AND person = $2) AND post IN @list($3)`, r.Stream, r.Person, posts); err != nil {
				return err
			}
		}
	}
	for of, people := range plain {
		at := micros(results[0].At)
		runs, others := stretches(people)
		for _, r := range runs {
			if err := tx.run(settleSent+`person >= $4 AND person <= $5`, of.stream, at, of.revision, r.first, r.last); err != nil {
				return err
			}
		}
		if len(others) > 0 {
			if err := tx.run(settleSent+`person IN @list($4)`, of.stream, at, of.revision, jsonList(others)); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleSent leaves next_at alone, which a message that has started has none of, so that its index is not looked at.
const settleSent = `UPDATE messages SET state = 'sent', reason = '', settled_at = $2, attempt = attempt + 1, revision = $3 WHERE stream = $1 AND `

// stretch is people without a gap, who are found as one stretch of a table and not one by one.
type stretch struct{ first, last consent.PersonID }

// shortStretch is from how many people on a stretch is worth a statement of its own.
const shortStretch = 8

// stretches parts people into long stretches and the others. It sorts them.
func stretches(people []consent.PersonID) (long []stretch, others []consent.PersonID) {
	slices.Sort(people)
	for len(people) > 0 {
		n := 1
		for n < len(people) && people[n] == people[n-1]+1 {
			n++
		}
		if n >= shortStretch {
			long = append(long, stretch{people[0], people[n-1]})
		} else {
			others = append(others, people[:n]...)
		}
		people = people[n:]
	}
	return long, others
}

// EndBatch takes a batch away whose messages have all an outcome or never left; what of it never started is claimed again.
func (db *DB) EndBatch(ctx context.Context, b consent.Batch, results []consent.Result, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.settleMessages(results); err != nil {
			return err
		}
		return tx.endBatch(b.ID, b.Fence, now)
	})
}

func (tx *Tx) endBatch(id int64, fence string, now time.Time) error {
	_, err := tx.closeBatch(id, fence, now, false)
	return err
}

// closeBatch takes a batch away. What of it started and has no outcome is unknown when it is lost; closeBatch says how many.
func (tx *Tx) closeBatch(id int64, fence string, now time.Time, lost bool) (unknown int64, err error) {
	var list string
	var stream int64
	var begun int
	err = notFound(tx.row(`SELECT people, stream, started FROM message_batches WHERE id = $1 AND fence = $2`, id, fence).Scan(&list, &stream, &begun))
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	var members []consent.PersonID
	if err := errors.Join(err, decode(list, &members)); err != nil {
		return 0, err
	}
	if begun < len(members) {
		if err := tx.run(`UPDATE messages SET next_at = $3 WHERE stream = $1 AND person IN @list($2) AND state = 'pending' AND next_at = 0`, stream, jsonList(members[begun:]), micros(now)); err != nil {
			return 0, err
		}
	}
	if lost {
		if unknown, err = tx.exec(`UPDATE messages SET state = 'unknown', reason = 'node_ended' WHERE stream = $1 AND person IN @list($2) AND state = 'pending' AND next_at = 0`, stream, jsonList(members[:begun])); err != nil {
			return 0, err
		}
	}
	return unknown, tx.run(`DELETE FROM message_batches WHERE id = $1`, id)
}

// RecoverMessages ends the batches whose lease is over, all of them when no other node can be alive: what was started and has
// no outcome is unknown, the rest is claimed again. It says how many became unknown.
func (db *DB) RecoverMessages(ctx context.Context, alone bool, now time.Time) (unknown int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		unknown = 0
		type batch struct {
			id    int64
			fence string
		}
		var over []batch
		if err := tx.rows(func(r scanner) error {
			var b batch
			err := r.Scan(&b.id, &b.fence)
			over = append(over, b)
			return err
		}, `SELECT id, fence FROM message_batches WHERE lease_until <= $1 OR $2`, micros(now), alone); err != nil {
			return err
		}
		for _, b := range over {
			n, err := tx.closeBatch(b.id, b.fence, now, true)
			if err != nil {
				return err
			}
			unknown += int(n)
		}
		return nil
	})
	return unknown, err
}

// ResendUnknown lets the messages of a destination that were under way when a node died be started again, after a while. What
// was sent twice already, and what a restore held, is not among them.
func (db *DB) ResendUnknown(ctx context.Context, destination string, at time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE messages @by(messages_wait) SET state = 'pending', reason = 'unknown', unsure = 1, next_at = $2 WHERE state = 'unknown' AND reason = 'node_ended'
			AND stream IN (SELECT id FROM streams WHERE destination = $1 AND state = 'open')`, destination, micros(at))
	})
}

// Under implements consent.Store.
func (db *DB) Under(ctx context.Context, p consent.PersonID) (under bool, err error) {
	type batch struct {
		stream int64
		people []consent.PersonID
	}
	var list []batch
	if err := db.query(ctx, func(r scanner) error {
		var b batch
		var text string
		var begun int
		if err := r.Scan(&b.stream, &text, &begun); err != nil {
			return err
		}
		if err := decode(text, &b.people); err != nil {
			return err
		}
		b.people = b.people[:begun]
		list = append(list, b)
		return nil
	}, `SELECT stream, people, started FROM message_batches WHERE started > 0`); err != nil {
		return false, err
	}
	for _, b := range list {
		if !slices.Contains(b.people, p) {
			continue
		}
		if err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM messages WHERE stream = $1 AND person = $2 AND state = 'pending' AND next_at = 0)`, b.stream, p).Scan(&under); err != nil || under {
			return under, err
		}
	}
	return false, nil
}

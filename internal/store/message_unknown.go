package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// Errors of SayMessages.
var (
	// ErrFixedText: a confirmation or an answer is never sent again.
	ErrFixedText = errors.New("a confirmation and an answer are not sent again; whoever waits for one can ask anew")
	// ErrOver: what the messages tell is news no more, or was taken back.
	ErrOver = errors.New("it is too late to send them: what they tell has expired, or was taken back")
)

// Unsure names messages of which nobody knows whether they arrived: those of a stream, those to a person, or the one of a stream
// to a person. A field that is 0 means any.
type Unsure struct {
	Stream int64
	Person consent.PersonID
}

// SayMessages records what somebody of the house says about messages of which nobody knows whether they arrived, and says how many
// there were; ErrNotFound when there are none. What arrived counts as sent. What is missing starts again, and everything that
// decides about it is read anew then: who has left since gets nothing. When one of them cannot be sent again nothing is recorded.
func (db *DB) SayMessages(ctx context.Context, u Unsure, say Say, actor string, now time.Time) (n int64, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		n = 0
		list, err := tx.unsure(u)
		if err != nil {
			return err
		}
		for _, s := range list {
			switch say {
			case SayArrived:
				err = tx.run(`UPDATE messages SET state = 'sent', reason = '', settled_at = $3 WHERE stream = $1 AND (person = $2 OR $2 = 0) AND state = 'unknown'`, s.id, u.Person, micros(now))
			case SayMissing:
				err = tx.sendAgain(s, u.Person, now)
			default:
				return fmt.Errorf("messages can be said to have arrived or to be missing, not %q", say)
			}
			if err != nil {
				return fmt.Errorf("number %d: %w", s.id, err)
			}
			whose := ""
			if u.Person != 0 {
				whose = fmt.Sprintf(" to person %d", u.Person)
			}
			if err := tx.act(actor, "settle messages", fmt.Sprintf("stream %d: %d messages%s %s", s.id, s.messages, whose, say), now); err != nil {
				return err
			}
			n += s.messages
		}
		if n == 0 {
			return ErrNotFound
		}
		return nil
	})
	return n, err
}

// unsureStream is a stream with messages of which nobody knows whether they arrived.
type unsureStream struct {
	id          int64
	kind, state string
	expires     time.Time
	messages    int64
}

func (tx *Tx) unsure(u Unsure) (out []unsureStream, err error) {
	err = tx.rows(func(r scanner) error {
		var s unsureStream
		var expires int64
		err := r.Scan(&s.id, &s.kind, &s.state, &expires, &s.messages)
		s.expires = timeOf(expires)
		out = append(out, s)
		return err
	}, `SELECT s.id, s.kind, s.state, s.expires_at, count(*) FROM messages m JOIN streams s ON s.id = m.stream
		WHERE m.state = 'unknown' AND (m.stream = $1 OR $1 = 0) AND (m.person = $2 OR $2 = 0) GROUP BY s.id ORDER BY s.id`, u.Stream, u.Person)
	return out, err
}

// sendAgain lets what is missing of a stream start again; of person 0, to everybody.
func (tx *Tx) sendAgain(s unsureStream, person consent.PersonID, now time.Time) error {
	switch {
	case s.kind == string(consent.StreamConfirm) || s.kind == string(consent.StreamAnswer):
		return ErrFixedText
	case s.state != "open" && s.state != "done" || !s.expires.After(now):
		return ErrOver
	}
	if err := tx.run(`UPDATE messages SET state = 'pending', reason = '', next_at = $3 WHERE stream = $1 AND (person = $2 OR $2 = 0) AND state = 'unknown'`, s.id, person, micros(now)); err != nil {
		return err
	}
	return tx.run(`UPDATE streams SET state = 'open' WHERE id = $1`, s.id)
}

// HeldPerson is one message that waits for somebody of the house, or of which nobody knows whether it arrived.
type HeldPerson struct {
	Ref           string
	State, Reason string
	// Error is what the platform or the way there said.
	Error string
	Since time.Time
}

// HeldPeople lists to whom the messages of a stream are that HeldMessages counts, at most so many.
func (db *DB) HeldPeople(ctx context.Context, stream int64, most int) (out []HeldPerson, err error) {
	err = db.query(ctx, func(r scanner) error {
		var h HeldPerson
		var since int64
		err := r.Scan(&h.Ref, &h.State, &h.Reason, &h.Error, &since)
		h.Since = timeOf(since)
		out = append(out, h)
		return err
	}, `SELECT p.ref, m.state, m.reason, m.error, m.settled_at FROM messages m JOIN subscribers p ON p.id = m.person JOIN streams s ON s.id = m.stream
		WHERE m.stream = $1 AND `+heldMessages+` ORDER BY m.person LIMIT $2`, stream, most)
	return out, err
}

// heldMessages holds for a message m of a stream s that waits for somebody of the house, or may have arrived.
const heldMessages = `(m.state = 'held' OR m.state = 'unknown') AND (m.state = 'unknown' OR m.reason <> 'reply_window_closed' AND s.state = 'open')`

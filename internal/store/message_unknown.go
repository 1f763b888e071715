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

// SayMessages records what a person says about the messages of a stream of which nobody knows whether they arrived, and says how
// many there were; ErrNotFound when there are none. What arrived counts as sent. What is missing starts again, and everything
// that decides about it is read anew then: who has left since gets nothing.
func (db *DB) SayMessages(ctx context.Context, stream int64, say Say, actor string, now time.Time) (n int64, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		var kind, state string
		var expires int64
		if err := tx.row(`SELECT kind, state, expires_at FROM streams WHERE id = $1`, stream).Scan(&kind, &state, &expires); err != nil {
			return notFound(err)
		}
		if err := tx.row(`SELECT count(*) FROM messages WHERE stream = $1 AND state = 'unknown'`, stream).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		switch say {
		case SayArrived:
			if err := tx.run(`UPDATE messages SET state = 'sent', reason = '', settled_at = $2 WHERE stream = $1 AND state = 'unknown'`, stream, micros(now)); err != nil {
				return err
			}
		case SayMissing:
			switch {
			case kind == string(consent.StreamConfirm) || kind == string(consent.StreamAnswer):
				return ErrFixedText
			case state != "open" && state != "done" || expires <= micros(now):
				return ErrOver
			}
			if err := tx.run(`UPDATE messages SET state = 'pending', reason = '', next_at = $2 WHERE stream = $1 AND state = 'unknown'`, stream, micros(now)); err != nil {
				return err
			}
			if err := tx.run(`UPDATE streams SET state = 'open' WHERE id = $1`, stream); err != nil {
				return err
			}
		default:
			return fmt.Errorf("messages can be said to have arrived or to be missing, not %q", say)
		}
		return tx.act(actor, "settle messages", fmt.Sprintf("stream %d: %d messages %s", stream, n, say), now)
	})
	return n, err
}

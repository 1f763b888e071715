package store

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// ClaimMessages claims up to size messages of one open stream of a destination: what is due again goes first, then what was
// never claimed, the most urgent stream before the others. Nil when nothing is to be claimed now.
func (db *DB) ClaimMessages(ctx context.Context, destination string, now time.Time, lease time.Duration, size int) (*consent.Batch, error) {
	waits := false
	if err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM streams s WHERE s.destination = $1 AND s.state = 'open' AND s.ready_at <= $2 AND `+claimable+`) AND `+serves, destination, micros(now)).Scan(&waits); err != nil || !waits {
		return nil, err
	}
	var out *consent.Batch
	err := db.Write(ctx, func(tx *Tx) error {
		out = nil
		b := consent.Batch{Fence: token(16), LeaseUntil: now.Add(lease)}
		var claimed int64
		var err error
		b.Stream, err = scanStream(tx.row(`SELECT `+streamColumns+`, s.claimed FROM streams s WHERE s.destination = $1 AND s.state = 'open' AND s.ready_at <= $2
			AND `+claimable+` AND `+serves+` ORDER BY s.priority, s.id LIMIT 1`, destination, micros(now)), &claimed)
		if errors.Is(notFound(err), ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		take := func(text string, args ...any) error {
			return tx.rows(func(r scanner) error {
				var id int64
				err := r.Scan(&id)
				b.People = append(b.People, consent.PersonID(id))
				return err
			}, text, args...)
		}
		if err := take(`SELECT person FROM messages WHERE stream = $1 AND next_at > 0 AND next_at <= $2 ORDER BY next_at LIMIT $3`, b.Stream.ID, micros(now), size); err != nil {
			return err
		}
		if again := len(b.People); again > 0 {
			if err := tx.run(`UPDATE messages SET next_at = 0 WHERE stream = $1 AND person IN @list($2)`, b.Stream.ID, jsonList(b.People)); err != nil {
				return err
			}
		} else {
			if err := take(`SELECT person FROM messages WHERE stream = $1 AND person > $2 AND state = 'pending' AND next_at = 0 ORDER BY person LIMIT $3`, b.Stream.ID, claimed, size); err != nil {
				return err
			}
			if len(b.People) == 0 {
				return nil
			}
			if err := tx.run(`UPDATE streams SET claimed = $2 WHERE id = $1`, b.Stream.ID, b.People[len(b.People)-1]); err != nil {
				return err
			}
		}
		if b.ID, _, err = tx.insert(`INSERT INTO message_batches (node, fence, destination, stream, people, lease_until) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			tx.db.node, b.Fence, destination, b.Stream.ID, jsonList(b.People), micros(b.LeaseUntil)); err != nil {
			return err
		}
		out = &b
		return nil
	})
	return out, err
}

// claimable holds for a stream that has something to claim at $2.
const claimable = `(s.claimed < s.fanned OR EXISTS (SELECT 1 FROM messages m WHERE m.stream = s.id AND m.next_at > 0 AND m.next_at <= $2)) AND ` + unpaused

// unpaused holds for a stream whose channel nobody paused.
const unpaused = `NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'channel' AND s.purpose = 'channel ' || p.name)`

// NextMessages is when there can be something to claim for a destination; zero when nothing waits.
func (db *DB) NextMessages(ctx context.Context, destination string) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT coalesce(min(max(s.ready_at, CASE WHEN s.claimed < s.fanned THEN 1
			ELSE coalesce((SELECT min(m.next_at) FROM messages m WHERE m.stream = s.id AND m.next_at > 0), 9e18) END)), 0)
		FROM streams s WHERE s.destination = $1 AND s.state = 'open'`, destination).Scan(&at)
	if at >= 9e18 {
		at = 0
	}
	return timeOf(at), err
}

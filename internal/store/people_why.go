package store

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// errSupposed undoes what was only supposed.
var errSupposed = errors.New("it was only supposed")

// Suppose implements consent.Supposed: the message is written, read as a start reads it, and undone.
func (db *DB) Suppose(ctx context.Context, s consent.Stream, p consent.PersonID, now time.Time) (c *consent.Candidate, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		if s.ID == 0 {
			var err error
			if s.ID, err = tx.newStream(s, 0); err != nil {
				return err
			}
		}
		if err := tx.run(`INSERT INTO messages (stream, person, consent, version) SELECT $1, $2, g.id, coalesce(g.version, 0)
			FROM (SELECT 1) LEFT JOIN grants g ON g.person = $2 AND g.medium = $3 AND g.kind = $4 AND g.name = $5 WHERE 1
			ON CONFLICT (stream, person) DO UPDATE SET state = 'pending'`, s.ID, p, s.Medium, s.Purpose.Kind, s.Purpose.Name); err != nil {
			return err
		}
		list, err := tx.candidates(consent.Window{Batch: consent.Batch{Stream: s, People: []consent.PersonID{p}}, Now: now, Heard: true, Week: true}, []consent.PersonID{p})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return consent.ErrNotFound
		}
		c = &list[0]
		return errSupposed
	})
	if errors.Is(err, errSupposed) {
		err = nil
	}
	return c, err
}

// PostStream is a stream that a post came to people by.
type PostStream struct {
	consent.Stream
	// Whole says that all its messages are made. State is open, done, held or stopped, for Reason.
	Whole         bool
	State, Reason string
}

// PostStreams gives the streams of a post: its messages and corrections.
func (db *DB) PostStreams(ctx context.Context, post int64) (out []PostStream, err error) {
	err = db.query(ctx, func(r scanner) error {
		var s PostStream
		var err error
		s.Stream, err = scanStream(r, &s.Whole, &s.State, &s.Reason)
		out = append(out, s)
		return err
	}, `SELECT `+streamColumns+`, s.whole, s.state, s.reason FROM streams s WHERE s.post = $1 ORDER BY s.id`, post)
	return out, err
}

// MessageCount is how many messages share an outcome.
type MessageCount struct {
	Destination, Medium string
	Kind                consent.StreamKind
	State               consent.MessageState
	Reason              string
	People              int
}

// MessageCounts counts the messages that a post came to people by, and those of digests that held it.
func (db *DB) MessageCounts(ctx context.Context, post int64) (out []MessageCount, err error) {
	scan := func(r scanner) error {
		var c MessageCount
		err := r.Scan(&c.Destination, &c.Medium, &c.Kind, &c.State, &c.Reason, &c.People)
		out = append(out, c)
		return err
	}
	if err := db.query(ctx, scan, `SELECT s.destination, s.medium, s.kind, m.state, m.reason, count(*) FROM streams s JOIN messages m ON m.stream = s.id
		WHERE s.post = $1 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 3, 6 DESC`, post); err != nil {
		return nil, err
	}
	// A digest holds what was shown in the days before its slot.
	return out, db.query(ctx, scan, `SELECT s.destination, s.medium, s.kind, m.state, m.reason, count(*) FROM posts p
		JOIN streams s ON s.kind = 'digest' AND s.purpose = 'channel ' || p.channel AND s.slot_at >= p.visible_at
		JOIN messages m ON m.stream = s.id AND m.posts <> '' AND EXISTS (SELECT 1 FROM json_each(m.posts) WHERE value = $1)
		WHERE p.id = $1 AND p.visible_at > 0 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 6 DESC`, post)
}

// FoldedCounts counts, by reason, the people for whom a post waits until their next digest.
func (db *DB) FoldedCounts(ctx context.Context, post int64) (map[string]int, error) {
	out := map[string]int{}
	err := db.query(ctx, func(r scanner) error {
		var reason string
		var n int
		err := r.Scan(&reason, &n)
		out[reason] = n
		return err
	}, `SELECT reason, count(*) FROM folded WHERE post = $1 GROUP BY reason`, post)
	return out, err
}

// MessageRow is one message to one person.
type MessageRow struct {
	Stream                 int64
	Kind                   consent.StreamKind
	Destination, Medium    string
	State                  consent.MessageState
	Reason, Error          string
	Attempts               int
	Next, Settled, Created time.Time
}

// MessagesOfPost gives the messages of a post to a person, and the digests to them that held it.
func (db *DB) MessagesOfPost(ctx context.Context, post int64, p consent.PersonID) (out []MessageRow, err error) {
	err = db.query(ctx, func(r scanner) error {
		var m MessageRow
		var next, settled, created int64
		err := r.Scan(&m.Stream, &m.Kind, &m.Destination, &m.Medium, &m.State, &m.Reason, &m.Error, &m.Attempts, &next, &settled, &created)
		m.Next, m.Settled, m.Created = timeOf(next), timeOf(settled), timeOf(created)
		out = append(out, m)
		return err
	}, `SELECT s.id, s.kind, s.destination, s.medium, m.state, m.reason, m.error, m.attempt, m.next_at, m.settled_at, s.created_at
		FROM (SELECT id FROM streams WHERE post = $1 UNION SELECT d.id FROM posts p JOIN streams d ON d.kind = 'digest' AND d.purpose = 'channel ' || p.channel AND d.slot_at >= p.visible_at WHERE p.id = $1) of
		CROSS JOIN streams s CROSS JOIN messages m
		WHERE s.id = of.id AND m.stream = s.id AND m.person = $2 AND (s.post = $1 OR m.posts <> '' AND EXISTS (SELECT 1 FROM json_each(m.posts) WHERE value = $1)) ORDER BY s.id`, post, p)
	return out, err
}

// DigestsAhead counts, by medium, the people who follow the channel of a live post by digests and have not had one since it
// was shown, at most for so long.
func (db *DB) DigestsAhead(ctx context.Context, post int64, now time.Time, within time.Duration) (map[string]int, error) {
	out := map[string]int{}
	err := db.query(ctx, func(r scanner) error {
		var medium string
		var n int
		err := r.Scan(&medium, &n)
		out[medium] = n
		return err
	}, `SELECT g.medium, count(*) FROM posts p JOIN grants g ON g.kind = 'channel' AND g.name = p.channel AND g.state = 'active' AND g.mode = 'digest' AND g.covered < p.visible_at
		WHERE p.id = $1 AND p.status = 'live' AND p.visible_at > $2 GROUP BY g.medium`, post, micros(now.Add(-within)))
	return out, err
}

package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
)

var _ consent.MessageStore = (*DB)(nil)

const streamColumns = `s.id, s.nonce, s.kind, s.destination, s.medium, s.purpose, coalesce(s.post, 0), coalesce(s.notice, 0), s.revision, s.occurrence, s.content, s.urgent, s.priority, s.slot_at, s.created_at, s.expires_at`

func scanStream(r scanner, more ...any) (s consent.Stream, err error) {
	var purpose string
	var slot, created, expires int64
	err = r.Scan(append([]any{&s.ID, &s.Nonce, &s.Kind, &s.Destination, &s.Medium, &purpose, &s.Post, &s.Notice, &s.Revision, &s.Occurrence, &s.Content, &s.Urgent, &s.Priority, &slot, &created, &expires}, more...)...)
	kind, name, _ := strings.Cut(purpose, " ")
	s.Purpose = consent.Purpose{Kind: consent.Kind(kind), Name: name}
	s.SlotAt, s.Created, s.Expires = timeOf(slot), timeOf(created), timeOf(expires)
	return s, err
}

// HalfMade lists the open streams of which not all messages are made.
func (db *DB) HalfMade(ctx context.Context) (out []consent.Stream, err error) {
	err = db.query(ctx, func(r scanner) error {
		s, err := scanStream(r)
		out = append(out, s)
		return err
	}, `SELECT `+streamColumns+` FROM streams s WHERE s.state = 'open' AND s.whole = 0 ORDER BY s.priority, s.id`)
	return out, err
}

// NewStream makes a stream; it gives 0 when there is one already for the same post or occurrence.
func (tx *Tx) newStream(s consent.Stream, person consent.PersonID) (int64, error) {
	nullable := func(n int64) any {
		if n == 0 {
			return nil
		}
		return n
	}
	purpose := ""
	if s.Purpose.Name != "" {
		purpose = s.Purpose.String()
	}
	if s.Content == nil {
		s.Content = []byte{}
	}
	id, made, err := tx.insert(`INSERT INTO streams (kind, destination, medium, purpose, post, notice, occurrence, person, content, urgent, priority, slot_at, created_at, expires_at, revision, nonce, collects)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING RETURNING id`,
		s.Kind, s.Destination, s.Medium, purpose, nullable(s.Post), nullable(s.Notice), s.Occurrence, nullable(int64(person)), s.Content, s.Urgent, s.Priority,
		micros(s.SlotAt), micros(s.Created), micros(s.Expires), s.Revision, token(8), s.Collects)
	if err != nil || !made {
		return 0, err
	}
	return id, nil
}

// MakeStreams makes streams, each once: for posts that were made ready for followers, and for slots of digests. Where more people
// came since the last one than brake allows, the messages to them are braked.
func (db *DB) MakeStreams(ctx context.Context, list []consent.Stream, brake policy.Jump) (made int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		made = 0
		for _, s := range list {
			id, err := tx.newStream(s, 0)
			if err != nil {
				return err
			}
			if id == 0 {
				continue
			}
			made++
			if err := tx.madeFor(s, brake); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}

// Queue implements consent.Tx: the one message of a fixed text.
func (p people) Queue(f consent.Fixed) error {
	destination := ""
	if err := missing(p.tx.row(`SELECT value FROM meta WHERE name = $1`, writerOf+f.Medium).Scan(&destination)); err != nil {
		return err
	}
	id, err := p.tx.newStream(consent.Stream{Kind: consent.StreamKind(f.Kind), Destination: destination, Medium: f.Medium, Content: f.Content, Created: f.At, Expires: f.Expires}, f.Person)
	if err != nil {
		return err
	}
	if id == 0 {
		return fmt.Errorf("there is a stream already for %s to person %d", f.Kind, f.Person)
	}
	if err := p.tx.run(`INSERT INTO messages (stream, person) VALUES ($1, $2)`, id, f.Person); err != nil {
		return err
	}
	return p.tx.run(`UPDATE streams SET whole = 1, fanned = $2 WHERE id = $1`, id, f.Person)
}

// writerOf begins the names in meta of the destinations that write fixed texts, by medium.
const writerOf = "writer."

// UseWriters says which destination writes the fixed texts of each medium.
func (db *DB) UseWriters(ctx context.Context, byMedium map[string]string) error {
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.run(`DELETE FROM meta WHERE name LIKE $1`, writerOf+"%"); err != nil {
			return err
		}
		for medium, destination := range byMedium {
			if err := tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2)`, writerOf+medium, destination); err != nil {
				return err
			}
		}
		return nil
	})
}

// FinishStreams ends the streams of which nothing is left to do, and says how many. What waited for a person to write ends when
// it is too old.
func (db *DB) FinishStreams(ctx context.Context, now time.Time) (n int64, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		if err := tx.closeWindows(now); err != nil {
			return err
		}
		n, err = tx.exec(`UPDATE streams SET state = 'done', content = x'' WHERE state = 'open' AND whole = 1 AND claimed >= fanned
			AND NOT EXISTS (SELECT 1 FROM message_batches b WHERE b.stream = streams.id)
			AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.stream = streams.id AND m.next_at > 0)
			AND NOT EXISTS (SELECT 1 FROM messages m @by(messages_wait) WHERE m.stream = streams.id AND (m.state = 'held' OR m.state = 'unknown') AND (m.state = 'held' OR streams.notice IS NOT NULL OR streams.person IS NOT NULL))`)
		return err
	})
	return n, err
}

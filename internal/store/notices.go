package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

var _ consent.NoticeTx = people{}

// PutNotice implements consent.NoticeTx.
func (p people) PutNotice(n consent.Notify, person consent.PersonID, sealed []byte, grants []consent.Grant, now time.Time) (bool, error) {
	same := false
	if err := notFound(p.tx.row(`SELECT body = $4 FROM notices WHERE purpose = $1 AND person = $2 AND key = $3 ORDER BY id DESC LIMIT 1`, n.Purpose.Name, person, n.Key, n.Body).Scan(&same)); same || err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	return true, p.putNotice(n, person, sealed, grants, now)
}

func (p people) putNotice(n consent.Notify, person consent.PersonID, sealed []byte, grants []consent.Grant, now time.Time) error {
	if err := p.tx.run(`UPDATE streams SET state = 'stopped', reason = 'replaced' WHERE state = 'open'
		AND notice IN (SELECT id FROM notices WHERE purpose = $1 AND person = $2 AND key = $3 AND ended_at = 0)`, n.Purpose.Name, person, n.Key); err != nil {
		return err
	}
	if err := p.tx.run(`UPDATE notices SET ended_at = $4 WHERE purpose = $1 AND person = $2 AND key = $3 AND ended_at = 0`, n.Purpose.Name, person, n.Key, micros(now)); err != nil {
		return err
	}
	id, _, err := p.tx.insert(`INSERT INTO notices (purpose, person, key, sealed, digest, body, at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
		n.Purpose.Name, person, n.Key, sealed, n.Digest, n.Body, micros(now), micros(n.Expires))
	if err != nil {
		return err
	}
	for _, g := range grants {
		destination := ""
		if err := missing(p.tx.row(`SELECT value FROM meta WHERE name = $1`, writerOf+g.Medium).Scan(&destination)); err != nil {
			return err
		}
		stream, err := p.tx.newStream(consent.Stream{Kind: consent.StreamNotice, Destination: destination, Medium: g.Medium, Purpose: n.Purpose, Notice: id, Content: sealed,
			Priority: 1, Created: now, Expires: n.Expires}, person)
		if err != nil {
			return err
		}
		if stream == 0 {
			return fmt.Errorf("there is a stream already for notice %d by %s", id, g.Medium)
		}
		if err := p.tx.run(`INSERT INTO messages (stream, person, consent, version) VALUES ($1, $2, $3, $4)`, stream, person, g.ID, g.Version); err != nil {
			return err
		}
		if err := p.tx.run(`UPDATE streams SET whole = 1, fanned = $2 WHERE id = $1`, stream, person); err != nil {
			return err
		}
	}
	return nil
}

// SameNotices says how many people besides one were sent a notice that says the same since a time, or wait for one, and
// whether somebody has looked at the text and let it go.
func (db *DB) SameNotices(ctx context.Context, notice int64, since time.Time) (others int, released bool, err error) {
	err = db.queryRow(ctx, `SELECT (SELECT count(DISTINCT o.person) FROM notices o WHERE o.digest = n.digest AND o.purpose = n.purpose AND o.at >= $2 AND o.person <> n.person),
			EXISTS (SELECT 1 FROM meta WHERE name = $3 || n.purpose || '.' || n.digest AND value > $4)
		FROM notices n WHERE n.id = $1`, notice, micros(since), noticeReleased, since.UTC().Format(time.RFC3339)).Scan(&others, &released)
	return others, released, notFound(err)
}

// noticeReleased begins the names in meta of the texts of a notice that somebody has let go in spite of the bulk guard, with when:
// it counts as long as the guard looks back.
const noticeReleased = "notice.released."

// releasedMeanwhile reports whether somebody let a notice's text go a moment ago: what decided to hold it may have been read
// before that, and nobody would release it again.
func (tx *Tx) releasedMeanwhile(notice int64, now time.Time) (released bool, err error) {
	err = tx.row(`SELECT EXISTS (SELECT 1 FROM notices n JOIN meta m ON m.name = $2 || n.purpose || '.' || n.digest WHERE n.id = $1 AND m.value > $3)`,
		notice, noticeReleased, now.Add(-time.Minute).UTC().Format(time.RFC3339)).Scan(&released)
	return released, err
}

// ReleaseNotices lets the notices of a text go that the bulk guard holds, and says how many waited.
func (db *DB) ReleaseNotices(ctx context.Context, digest, actor string, now time.Time) (n int64, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		if err := tx.run(`INSERT INTO meta (name, value) SELECT DISTINCT $1 || purpose || '.' || digest, $3 FROM notices WHERE digest = $2
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, noticeReleased, digest, now.UTC().Format(time.RFC3339)); err != nil {
			return err
		}
		n, err = tx.exec(`UPDATE messages SET state = 'pending', reason = '', next_at = $2 WHERE state = 'held' AND stream IN
			(SELECT s.id FROM streams s JOIN notices x ON x.id = s.notice WHERE x.digest = $1 AND s.state = 'open')`, digest, micros(now))
		if err != nil {
			return err
		}
		return tx.act(actor, "release notices", digest, now)
	})
	return n, err
}

// HeldMessages are messages that wait for a person, by stream and reason.
type HeldMessages struct {
	Stream        int64
	Kind, Purpose string
	Post          string
	Reason        string
	Digest        string
	Count         int
	Since         time.Time
}

// HeldMessages lists what waits for somebody of the house: what waits for its reader to write is not among it.
func (db *DB) HeldMessages(ctx context.Context) (out []HeldMessages, err error) {
	err = db.query(ctx, func(r scanner) error {
		var h HeldMessages
		var since int64
		err := r.Scan(&h.Stream, &h.Kind, &h.Purpose, &h.Post, &h.Reason, &h.Digest, &h.Count, &since)
		h.Since = timeOf(since)
		out = append(out, h)
		return err
	}, `SELECT s.id, s.kind, s.purpose, coalesce(p.public_id, ''), m.reason, coalesce(n.digest, ''), count(*), s.created_at
		FROM messages m JOIN streams s ON s.id = m.stream LEFT JOIN posts p ON p.id = s.post LEFT JOIN notices n ON n.id = s.notice
		WHERE `+heldMessages+` GROUP BY s.id, m.reason, m.state ORDER BY s.id`)
	return out, err
}

// ReleaseMessages lets the held messages of a stream be looked at again; everything that decides is read anew. Somebody has
// looked at the new audiences that the brake held.
func (db *DB) ReleaseMessages(ctx context.Context, stream int64, actor string, now time.Time) (n int64, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		if err := tx.releaseAudiences(stream, now); err != nil {
			return err
		}
		if n, err = tx.exec(`UPDATE messages SET state = 'pending', reason = '', next_at = $2 WHERE stream = $1 AND state = 'held' AND reason <> 'reply_window_closed'`, stream, micros(now)); err != nil {
			return err
		}
		return tx.act(actor, "release messages", fmt.Sprintf("stream %d: %d messages", stream, n), now)
	})
	return n, err
}

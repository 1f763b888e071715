package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
)

// PostFilter chooses posts; empty fields choose all.
type PostFilter struct {
	Channel string
	// Held chooses those that a blackout holds, here or at a destination.
	Held bool
	// Before chooses those with a smaller id; 0 begins with the newest.
	Before int64
	Limit  int
}

// PostsBefore lists posts, the newest first.
func (db *DB) PostsBefore(ctx context.Context, f PostFilter) ([]Post, error) {
	var out []Post
	err := db.query(ctx, func(r scanner) error {
		p, err := scanPost(r)
		out = append(out, p)
		return err
	}, `SELECT `+postColumns+` FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE ($1 = 0 OR p.id < $1) AND (p.channel = $2 OR $2 = '')
		AND (NOT $3 OR p.status = 'held' OR EXISTS (SELECT 1 FROM publications u WHERE u.post = p.id AND u.state = 'held'))
		ORDER BY p.id DESC LIMIT $4`, f.Before, f.Channel, f.Held, f.Limit)
	return out, err
}

// DeliveriesBefore lists deliveries with a smaller id, the newest first; 0 begins with the newest.
func (db *DB) DeliveriesBefore(ctx context.Context, f DeliveryFilter, before int64) ([]Delivery, error) {
	var out []Delivery
	err := db.query(ctx, func(r scanner) error {
		var d Delivery
		var next, created, started, settled int64
		var content string
		if err := r.Scan(&d.ID, &d.Post, &d.Channel, &d.Destination, &d.Chat, &d.State, &d.Reason, &d.Op, &d.Revision, &d.Attempt, &d.Code, &d.Error,
			&next, &created, &started, &settled, &content); err != nil {
			return err
		}
		d.NextAt, d.CreatedAt, d.StartedAt, d.SettledAt = timeOf(next), timeOf(created), timeOf(started), timeOf(settled)
		var c compose.Content
		err := decode(content, &c)
		d.Title = c.Title
		out = append(out, d)
		return err
	}, `SELECT d.id, p.public_id, u.channel, d.destination, d.chat, d.state, d.reason, d.op, d.revision, d.attempt, d.code, d.error, d.next_at, d.created_at,
			d.started_at, d.settled_at, r.content
		FROM deliveries d JOIN publications u ON u.id = d.publication JOIN posts p ON p.id = u.post JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE ($1 = 0 OR d.id < $1) AND (p.public_id = $2 OR $2 = '') AND (u.channel = $3 OR $3 = '') AND (d.destination = $4 OR $4 = '') AND (d.state = $5 OR $5 = '')
		ORDER BY d.id DESC LIMIT $6`, before, f.Post, f.Channel, f.Destination, f.State, f.Limit)
	return out, err
}

// DeliveryState gives the state of a delivery, and whether another one of the same publication has not ended.
func (db *DB) DeliveryState(ctx context.Context, id int64) (state outbox.State, open bool, err error) {
	err = db.queryRow(ctx, `SELECT d.state, EXISTS (SELECT 1 FROM deliveries o WHERE o.publication = d.publication AND o.id <> d.id
		AND o.settled_at = 0) FROM deliveries d WHERE d.id = $1`, id).Scan(&state, &open)
	return state, open, notFound(err)
}

// CreatedBy finds the newest post since a time that was written by an actor whose name begins with a text, and gives the
// whole name and the post's public id.
func (db *DB) CreatedBy(ctx context.Context, prefix string, since time.Time) (actor, publicID string, err error) {
	err = db.queryRow(ctx, `SELECT actor, detail FROM acts WHERE act = 'create post' AND substr(actor, 1, length($1)) = $1 AND at >= $2 ORDER BY id DESC LIMIT 1`,
		prefix, micros(since)).Scan(&actor, &publicID)
	return actor, publicID, notFound(err)
}

// SourceHealth is what watching a source needs.
type SourceHealth struct {
	Name string
	// OKAt is when it last answered well; zero when it never did.
	OKAt     time.Time
	Failures int
	Gone     bool
	// Held counts items and withdrawals that the flood brake holds.
	Held int
}

// SourceHealths lists the configured sources.
func (db *DB) SourceHealths(ctx context.Context) ([]SourceHealth, error) {
	var out []SourceHealth
	err := db.query(ctx, func(r scanner) error {
		var s SourceHealth
		var ok int64
		err := r.Scan(&s.Name, &ok, &s.Failures, &s.Gone, &s.Held)
		s.OKAt = timeOf(ok)
		out = append(out, s)
		return err
	}, `SELECT s.name, s.ok_at, s.failures, s.gone,
			(SELECT count(*) FROM items i WHERE i.state = 'held' AND i.hold IN (SELECT h.id FROM holds h WHERE h.source = s.name AND h.ended_at = 0))
			+ (SELECT count(*) FROM held_removals r JOIN holds h ON h.id = r.hold WHERE h.source = s.name AND h.ended_at = 0)
		FROM sources s WHERE s.configured = 1 ORDER BY s.name`)
	return out, err
}

// DeadCopies counts the copies of posts that will not leave by themselves any more, by destination and state: failed,
// expired or dropped.
func (db *DB) DeadCopies(ctx context.Context) (map[string]map[string]int, error) {
	out := map[string]map[string]int{}
	err := db.query(ctx, func(r scanner) error {
		var name, state string
		var n int
		err := r.Scan(&name, &state, &n)
		if out[name] == nil {
			out[name] = map[string]int{}
		}
		out[name][state] = n
		return err
	}, `SELECT destination, state, count(*) FROM publications WHERE state <> 'done' AND state <> 'open' AND state IN ('failed', 'expired', 'dropped') GROUP BY destination, state`)
	return out, err
}

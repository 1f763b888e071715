package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// ReleasePost lets one post go that a blackout holds, here or at a destination, or drops what is held of it: what has left is
// not touched. It says how many things that touched; 0 when nothing of it is held.
func (db *DB) ReleasePost(ctx context.Context, id int64, drop bool, actor string, now time.Time) (int, error) {
	total := int64(0)
	err := db.Write(ctx, func(tx *Tx) error {
		total = 0
		var channel, publicID string
		if err := notFound(tx.row(`SELECT channel, public_id FROM posts WHERE id = $1`, id).Scan(&channel, &publicID)); err != nil {
			return err
		}
		release := tx.releasePost
		if drop {
			release = tx.dropPost
		}
		var err error
		if total, err = release(id, now); err != nil || total == 0 {
			return err
		}
		act := "release held post"
		if drop {
			act = "drop held post"
		}
		if err := tx.act(actor, act, publicID, now); err != nil {
			return err
		}
		more := false
		if err := tx.row(`SELECT EXISTS (SELECT 1 FROM channel_items WHERE channel = $1 AND state = 'held') OR EXISTS (SELECT 1 FROM posts WHERE channel = $1 AND status = 'held')
			OR EXISTS (SELECT 1 FROM publications WHERE channel = $1 AND state = 'held')`, channel).Scan(&more); err != nil || more {
			return err
		}
		if err := tx.resolveExpressions("channels."+channel+".", now); err != nil {
			return err
		}
		return tx.alerts(nil, []alert.Key{{Code: alert.HeldForRelease, Subject: channel}}, now)
	})
	return int(total), err
}

// releasePost lets what is held of a post go.
func (tx *Tx) releasePost(id int64, now time.Time) (int64, error) {
	at := micros(now)
	n, err := tx.exec(`UPDATE deliveries SET state = 'pending', next_at = $2, code = '', error = '' WHERE state = 'held'
		AND publication IN (SELECT id FROM publications WHERE post = $1 AND state = 'held')`, id, at)
	if err != nil {
		return 0, err
	}
	if err := tx.run(`UPDATE publications SET state = 'open', reason = '', released = 1, version = version + 1, expires_at = CASE WHEN expires_at > 0 THEN max(expires_at, $2 + 86400000000) ELSE 0 END
		WHERE post = $1 AND state = 'held'`, id, at); err != nil {
		return 0, err
	}
	// Its copies are released with it: the blackout still lasts when they leave.
	if err := tx.run(`UPDATE publications SET released = 1, version = version + 1 WHERE post = $1 AND EXISTS (SELECT 1 FROM posts WHERE id = $1 AND status = 'held')`, id); err != nil {
		return 0, err
	}
	m, err := tx.exec(`UPDATE posts SET status = 'scheduled', visible_at = $2, reason = 'released' WHERE id = $1 AND status = 'held'`, id, at)
	return n + m, err
}

// dropPost ends what is held of a post.
func (tx *Tx) dropPost(id int64, now time.Time) (int64, error) {
	n, err := tx.exec(`UPDATE deliveries SET state = 'dropped', settled_at = $2, reason = 'dropped' WHERE state = 'held'
		AND publication IN (SELECT id FROM publications WHERE post = $1 AND state = 'held')`, id, micros(now))
	if err != nil {
		return 0, err
	}
	if err := tx.run(`UPDATE publications SET state = 'dropped', version = version + 1 WHERE post = $1 AND state = 'held'`, id); err != nil {
		return 0, err
	}
	m, err := tx.exec(`UPDATE posts SET status = 'withdrawn', reason = 'dropped', visible_at = 0 WHERE id = $1 AND status = 'held'`, id)
	return n + m, err
}

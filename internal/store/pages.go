package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/web"
)

var _ web.Store = (*DB)(nil)

// PagesVersion implements web.Store.
func (db *DB) PagesVersion(ctx context.Context) (string, error) {
	version := ""
	err := db.queryRow(ctx, `SELECT (SELECT coalesce(max(id), 0) FROM posts) || '.' || (SELECT coalesce(max(changed_at), 0) FROM posts) || '.' ||
		(SELECT coalesce(max(id), 0) FROM acts)`).Scan(&version)
	return version, err
}

const (
	shownColumns = `p.id, p.public_id, p.channel, p.kind, p.status, p.visible_at, p.changed_at, r.content`
	shownJoin    = `JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision`
	isShown      = `p.status IN ('live', 'withdrawn', 'retracted') AND p.visible_at > 0`
)

func scanShown(r scanner) (web.Post, error) {
	var p web.Post
	var visible, changed int64
	var content string
	if err := r.Scan(&p.ID, &p.PublicID, &p.Channel, &p.Kind, &p.Status, &visible, &changed, &content); err != nil {
		return p, err
	}
	p.VisibleAt, p.ChangedAt = timeOf(visible), timeOf(changed)
	err := decode(content, &p.Content)
	if p.Status != compose.PostLive || p.Content.Withdrawn {
		// What was taken back does not even reach the pages.
		p.Content = compose.Content{Lang: p.Content.Lang, Withdrawn: true}
	}
	return p, err
}

// ShownPosts implements web.Store.
func (db *DB) ShownPosts(ctx context.Context, q web.Range) ([]web.Post, error) {
	until, below := micros(q.Now), int64(math.MaxInt64)
	if q.Before != nil && q.Before.VisibleAt.Before(q.Now) {
		until, below = micros(q.Before.VisibleAt), q.Before.ID
	}
	var out []web.Post
	err := db.query(ctx, func(r scanner) error {
		p, err := scanShown(r)
		out = append(out, p)
		return err
	}, `SELECT `+shownColumns+` FROM posts p `+shownJoin+` WHERE p.channel = $1 AND `+isShown+`
		AND p.visible_at >= $2 AND p.visible_at <= $3 AND (p.visible_at < $3 OR p.id < $4) ORDER BY p.visible_at DESC, p.id DESC LIMIT $5`,
		q.Channel, micros(q.Since), until, below, q.Most)
	if err != nil {
		return nil, err
	}
	return out, db.revisions(ctx, out)
}

// ShownPost implements web.Store.
func (db *DB) ShownPost(ctx context.Context, publicID string, now time.Time) (web.Post, bool, error) {
	p, err := scanShown(db.queryRow(ctx, `SELECT `+shownColumns+` FROM posts p `+shownJoin+` WHERE p.public_id = $1 AND `+isShown+` AND p.visible_at <= $2`,
		publicID, micros(now)))
	if errors.Is(err, sql.ErrNoRows) {
		return web.Post{}, false, nil
	}
	if err != nil {
		return web.Post{}, false, err
	}
	list := []web.Post{p}
	err = db.revisions(ctx, list)
	return list[0], err == nil, err
}

// NewestPosts implements web.Store.
func (db *DB) NewestPosts(ctx context.Context, channels []string, now time.Time) ([]web.Post, error) {
	var out []web.Post
	err := db.query(ctx, func(r scanner) error {
		p, err := scanShown(r)
		out = append(out, p)
		return err
	}, `SELECT `+shownColumns+` FROM @list($1) c JOIN posts p ON p.id = (SELECT n.id FROM posts n WHERE n.channel = c.value AND n.status = 'live'
			AND n.visible_at > 0 AND n.visible_at <= $2 ORDER BY n.visible_at DESC, n.id DESC LIMIT 1) `+shownJoin, jsonList(channels), micros(now))
	if err != nil {
		return nil, err
	}
	return out, db.revisions(ctx, out)
}

// NextPost implements web.Store.
func (db *DB) NextPost(ctx context.Context, channels []string, now time.Time) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT coalesce(min((SELECT min(n.visible_at) FROM posts n WHERE n.channel = c.value AND n.status = 'live' AND n.visible_at > 0 AND n.visible_at > $2)), 0)
		FROM @list($1) c`, jsonList(channels), micros(now)).Scan(&at)
	return timeOf(at), err
}

// revisions fills in the later revisions of posts.
func (db *DB) revisions(ctx context.Context, posts []web.Post) error {
	at := make(map[int64]int, len(posts))
	ids := make([]int64, 0, len(posts))
	for i := range posts {
		if posts[i].Status == compose.PostLive {
			at[posts[i].ID] = i
			ids = append(ids, posts[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return db.query(ctx, func(r scanner) error {
		var post, us int64
		var rev web.Revision
		if err := r.Scan(&post, &us, &rev.Note); err != nil {
			return err
		}
		rev.At = timeOf(us)
		p := &posts[at[post]]
		p.Revisions = append(p.Revisions, rev)
		return nil
	}, `SELECT post, at, note FROM post_revisions WHERE post IN @list($1) AND revision > 1 ORDER BY post, revision`, jsonList(ids))
}

// Places implements web.Store.
func (db *DB) Places(ctx context.Context) ([]web.Place, error) {
	var out []web.Place
	err := db.query(ctx, func(r scanner) error {
		var p web.Place
		var ref string
		if err := r.Scan(&p.Destination, &p.Chat, &ref); err != nil {
			return err
		}
		var known struct{ URL string }
		if err := decode(ref, &known); err != nil {
			return err
		}
		if p.URL = known.URL; p.URL != "" {
			out = append(out, p)
		}
		return nil
	}, `SELECT destination, chat, ref FROM lanes WHERE resolved_at > 0 ORDER BY destination, chat`)
	return out, err
}

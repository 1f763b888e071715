package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/sdk"
)

var _ media.Store = (*DB)(nil)

// WantedMedia implements media.Store.
func (db *DB) WantedMedia(ctx context.Context, now time.Time, limit int) ([]media.Wanted, error) {
	var out []media.Wanted
	err := db.query(ctx, func(r scanner) error {
		var w media.Wanted
		err := r.Scan(&w.ID, &w.URL, &w.Attempt)
		out = append(out, w)
		return err
	}, `SELECT id, url, attempt FROM media WHERE state = 'wanted' AND next_at <= $1
		AND NOT EXISTS (SELECT 1 FROM blocked WHERE kind = 'image' AND source = '' AND value = media.url) ORDER BY next_at LIMIT $2`, micros(now), limit)
	return out, err
}

// MediaStored implements media.Store.
func (db *DB) MediaStored(ctx context.Context, id int64, f sdk.File, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE media SET state = 'stored', sha256 = $2, type = $3, width = $4, height = $5, size = $6, name = $7, error = '', fetched_at = $8 WHERE id = $1`,
			id, f.SHA256, f.Type, f.Width, f.Height, f.Size, f.Name, micros(now))
	})
}

// MediaFailed implements media.Store.
func (db *DB) MediaFailed(ctx context.Context, id int64, sentence string, next time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE media SET state = CASE WHEN $3 = 0 THEN 'failed' ELSE 'wanted' END, attempt = attempt + 1, error = $2, next_at = $3 WHERE id = $1`,
			id, sentence, micros(next))
	})
}

// Files finds the stored copies of images by the addresses at which their source publishes them.
func (db *DB) Files(ctx context.Context, urls []string) (compose.Files, error) {
	out := compose.Files{}
	if len(urls) == 0 {
		return out, nil
	}
	err := db.query(ctx, func(r scanner) error {
		var u string
		var f sdk.File
		err := r.Scan(&u, &f.SHA256, &f.Name, &f.Type, &f.Size, &f.Width, &f.Height)
		out[u] = f
		return err
	}, `SELECT url, sha256, name, type, size, width, height FROM media WHERE state = 'stored' AND url IN @list($1)`, jsonList(urls))
	return out, err
}

// MediaShown reports whether a post that is on show uses the stored image.
func (db *DB) MediaShown(ctx context.Context, sha256 string, now time.Time) (bool, error) {
	shown := false
	err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM media m JOIN post_media pm ON pm.media = m.id JOIN posts p ON p.id = pm.post
		WHERE m.sha256 = $1 AND p.status = 'live' AND p.visible_at > 0 AND p.visible_at <= $2)`, sha256, micros(now)).Scan(&shown)
	return shown, err
}

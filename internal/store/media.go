package store

import (
	"context"
	"slices"
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

// MediaStored implements media.Store. An image that was retracted while it was fetched stays so; its file, which no row
// names, is swept.
func (db *DB) MediaStored(ctx context.Context, id int64, f sdk.File, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE media SET state = 'stored', sha256 = $2, type = $3, width = $4, height = $5, size = $6, name = $7, error = '', fetched_at = $8 WHERE id = $1 AND state = 'wanted'`,
			id, f.SHA256, f.Type, f.Width, f.Height, f.Size, f.Name, micros(now))
	})
}

// MediaFailed implements media.Store.
func (db *DB) MediaFailed(ctx context.Context, id int64, sentence string, next time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE media SET state = CASE WHEN $3 = 0 THEN 'failed' ELSE 'wanted' END, attempt = attempt + 1, error = $2, next_at = $3 WHERE id = $1 AND state = 'wanted'`,
			id, sentence, micros(next))
	})
}

// recentItems is how many of the newest items are looked at for those that show an image.
const recentItems = 2000

// MediaUsers implements media.Store. Of items only the newest are looked at: an image is wanted when its item comes.
func (db *DB) MediaUsers(ctx context.Context, id int64) (media.Users, error) {
	var u media.Users
	var address string
	if err := db.queryRow(ctx, `SELECT url FROM media WHERE id = $1`, id).Scan(&address); err != nil {
		return u, notFound(err)
	}
	quoted, err := encode(address)
	if err != nil {
		return u, err
	}
	add := func(list *[]string, name string) {
		if name != "" && !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	err = db.query(ctx, func(r scanner) error {
		var source, channel string
		err := r.Scan(&source, &channel)
		add(&u.Sources, source)
		add(&u.Channels, channel)
		return err
	}, `SELECT i.source, coalesce(ci.channel, '') FROM (SELECT id, source FROM (SELECT id, source, content FROM items ORDER BY id DESC LIMIT $2)
		WHERE instr(content, $1) > 0 LIMIT 10) i LEFT JOIN channel_items ci ON ci.item = i.id AND ci.state <> 'left_out' ORDER BY 1, 2`, quoted, recentItems)
	if err != nil {
		return u, err
	}
	return u, db.query(ctx, func(r scanner) error {
		var channel, post string
		err := r.Scan(&channel, &post)
		add(&u.Channels, channel)
		add(&u.Posts, post)
		return err
	}, `SELECT p.channel, p.public_id FROM post_media pm JOIN posts p ON p.id = pm.post WHERE pm.media = $1 ORDER BY p.id LIMIT 10`, id)
}

// LostImages says why images, by their addresses, will not be had.
func (db *DB) LostImages(ctx context.Context, urls []string) (map[string]string, error) {
	out := map[string]string{}
	if len(urls) == 0 {
		return out, nil
	}
	return out, db.query(ctx, func(r scanner) error {
		var url, why string
		err := r.Scan(&url, &why)
		out[url] = why
		return err
	}, `SELECT url, error FROM media WHERE state = 'failed' AND url IN @list($1)`, jsonList(urls))
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

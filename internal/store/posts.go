package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// CreatePost writes an editor's post and gives its public id. The error is *BlockedError when it leads to an article that
// was retracted for good.
func (db *DB) CreatePost(ctx context.Context, p compose.NewPost, images []string, actor string, now time.Time) (string, error) {
	public := ""
	p.Key = "editor:" + token(16)
	err := db.Write(ctx, func(tx *Tx) error {
		if err := blockedLink(p.Content.URL, tx.row); err != nil {
			return err
		}
		for _, u := range images {
			if err := tx.run(`INSERT INTO media (url, next_at, wanted_at) VALUES ($1, $2, $2) ON CONFLICT (url) DO NOTHING`, u, micros(now)); err != nil {
				return err
			}
		}
		var err error
		if _, public, err = tx.insertPost(p, now); err != nil {
			return err
		}
		return tx.act(actor, "create post", public, now)
	})
	return public, err
}

// PutImage records an image that an editor gave as a file, under an address that only this store knows.
func (db *DB) PutImage(ctx context.Context, url string, f sdk.File, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`INSERT INTO media (url, state, sha256, name, type, width, height, size, next_at, wanted_at, fetched_at)
			VALUES ($1, 'stored', $2, $3, $4, $5, $6, $7, $8, $8, $8) ON CONFLICT (url) DO NOTHING`, url, f.SHA256, f.Name, f.Type, f.Width, f.Height, f.Size, micros(now))
	})
}

// Post is a post as commands show it.
type Post struct {
	ID        int64
	PublicID  string
	Channel   string
	Kind      compose.PostKind
	Status    compose.PostStatus
	Reason    string
	Revision  int
	CreatedAt time.Time
	VisibleAt time.Time
	ChangedAt time.Time
	Content   compose.Content
}

const postColumns = `p.id, p.public_id, p.channel, p.kind, p.status, p.reason, p.revision, p.created_at, p.visible_at, p.changed_at, r.content`

func scanPost(r scanner) (Post, error) {
	var p Post
	var created, visible, changed int64
	var content string
	err := r.Scan(&p.ID, &p.PublicID, &p.Channel, &p.Kind, &p.Status, &p.Reason, &p.Revision, &created, &visible, &changed, &content)
	if err != nil {
		return p, notFound(err)
	}
	p.CreatedAt, p.VisibleAt, p.ChangedAt = timeOf(created), timeOf(visible), timeOf(changed)
	return p, decode(content, &p.Content)
}

// PostByID gives a post by its public id.
func (db *DB) PostByID(ctx context.Context, publicID string) (Post, error) {
	return scanPost(db.queryRow(ctx, `SELECT `+postColumns+` FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision WHERE p.public_id = $1`, publicID))
}

// Posts lists posts, the newest first; of all channels when the name is empty; only held ones when asked.
func (db *DB) Posts(ctx context.Context, channel string, held bool, limit int) ([]Post, error) {
	var out []Post
	err := db.query(ctx, func(r scanner) error {
		p, err := scanPost(r)
		out = append(out, p)
		return err
	}, `SELECT `+postColumns+` FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE (p.channel = $1 OR $1 = '') AND (NOT $2 OR p.status = 'held' OR EXISTS (SELECT 1 FROM publications u WHERE u.post = p.id AND u.state = 'held'))
		ORDER BY p.id DESC LIMIT $3`, channel, held, limit)
	return out, err
}

// EditPost gives a post another content, as its next revision. on is the revision that was read.
// The error is *BlockedError when the content newly leads to an article that was retracted for good.
func (db *DB) EditPost(ctx context.Context, post int64, on int, c compose.Content, images []string, actor string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		p, err := tx.post(post)
		if err != nil {
			return err
		}
		if p.Revision != on {
			return compose.ErrConflict
		}
		if c.URL != p.Content.URL {
			if err := blockedLink(c.URL, tx.row); err != nil {
				return err
			}
		}
		for _, u := range images {
			if err := tx.run(`INSERT INTO media (url, next_at, wanted_at) VALUES ($1, $2, $2) ON CONFLICT (url) DO NOTHING`, u, micros(now)); err != nil {
				return err
			}
		}
		if err := tx.revise(post, c, p.Status, false, now); err != nil {
			return err
		}
		return tx.act(actor, "edit post", p.PublicID, now)
	})
}

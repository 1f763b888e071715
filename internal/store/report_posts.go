package store

import (
	"context"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
)

// PostRevision is one revision of a post as commands show it.
type PostRevision struct {
	Number  int
	At      time.Time
	Content compose.Content
	Note    string
}

// Revisions lists the revisions of a post, the oldest first.
func (db *DB) Revisions(ctx context.Context, post int64) ([]PostRevision, error) {
	var out []PostRevision
	err := db.query(ctx, func(r scanner) error {
		var rev PostRevision
		var at int64
		var content string
		if err := r.Scan(&rev.Number, &at, &content, &rev.Note); err != nil {
			return err
		}
		rev.At = timeOf(at)
		out = append(out, rev)
		return decode(content, &out[len(out)-1].Content)
	}, `SELECT revision, at, content, note FROM post_revisions WHERE post = $1 ORDER BY revision`, post)
	return out, err
}

// PostsByPrefix gives the posts whose public id begins with a text, at most limit.
func (db *DB) PostsByPrefix(ctx context.Context, prefix string, limit int) ([]Post, error) {
	var out []Post
	if prefix == "" || strings.Trim(strings.ToLower(prefix), "0123456789abcdefghjkmnpqrstvwxyz") != "" {
		return nil, nil
	}
	err := db.query(ctx, func(r scanner) error {
		p, err := scanPost(r)
		out = append(out, p)
		return err
	}, `SELECT `+postColumns+` FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE p.public_id >= $1 AND p.public_id < $1 || '~' ORDER BY p.public_id LIMIT $2`, strings.ToLower(prefix), limit)
	return out, err
}

// PostItems lists the items that a post uses, in order.
func (db *DB) PostItems(ctx context.Context, post int64) ([]ItemName, error) {
	var out []ItemName
	err := db.query(ctx, func(r scanner) error {
		var it ItemName
		err := r.Scan(&it.ID, &it.Source, &it.Key)
		out = append(out, it)
		return err
	}, `SELECT i.id, i.source, i.key FROM post_items pi JOIN items i ON i.id = pi.item WHERE pi.post = $1 ORDER BY pi.position`, post)
	return out, err
}

// ItemName says which item something is about.
type ItemName struct {
	ID          int64
	Source, Key string
}

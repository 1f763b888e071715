package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/sdk"
)

// Retracted is what a retraction touched.
type Retracted struct {
	// Posts are the public ids of the posts that were taken back.
	Posts []string
	// Files are the names of stored images that nothing shows any more; whoever retracts for good deletes them.
	Files []string
}

// RetractPost takes a post back by an editor's act; whatever its source says later, it does not come back.
//
// A legal retraction is for good: every post of the same item in any channel goes with it, digests lose the item, texts
// and images are purged from every revision, and the item's keys and addresses are blocked for ever.
func (db *DB) RetractPost(ctx context.Context, post int64, legal bool, reason, actor string, now time.Time) (Retracted, error) {
	var out Retracted
	err := db.Write(ctx, func(tx *Tx) error {
		out = Retracted{}
		p, err := tx.post(post)
		if err != nil {
			return err
		}
		act := "retract post"
		if legal {
			act = "retract post for good"
			err = tx.purge(p, reason, now, &out)
		} else {
			c := compose.Content{Lang: p.Content.Lang, Title: p.Content.Title, URL: p.Content.URL, Published: p.Content.Published, Withdrawn: true, Reason: reason}
			err = tx.retract(p, c, false, now)
			out.Posts = []string{p.PublicID}
		}
		if err != nil {
			return err
		}
		return tx.act(actor, act, p.PublicID+": "+reason, now)
	})
	return out, err
}

func (tx *Tx) post(id int64) (Post, error) {
	return scanPost(tx.row(`SELECT `+postColumns+` FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision WHERE p.id = $1`, id))
}

// retract gives a post its last revision.
func (tx *Tx) retract(p Post, c compose.Content, purge bool, now time.Time) error {
	if err := tx.revise(p.ID, c, compose.PostRetracted, purge, now); err != nil {
		return err
	}
	if p.Status == compose.PostScheduled || p.Status == compose.PostHeld {
		return tx.run(`UPDATE posts SET visible_at = 0 WHERE id = $1`, p.ID) // it was never shown
	}
	return nil
}

// purge takes a post, its items and every other post of them out of the store, for ever.
func (tx *Tx) purge(p Post, reason string, now time.Time, out *Retracted) error {
	var items []int64
	if p.Kind == compose.KindEach {
		var err error
		if items, err = tx.ids(`SELECT item FROM post_items WHERE post = $1`, p.ID); err != nil {
			return err
		}
	}
	posts := []int64{p.ID}
	for _, item := range items {
		more, err := tx.ids(`SELECT p.id FROM posts p JOIN post_items pi ON pi.post = p.id WHERE pi.item = $1 AND p.kind = 'each' AND p.id <> $2`, item, p.ID)
		if err != nil {
			return err
		}
		posts = append(posts, more...)
		if err := tx.blockItem(item, reason, now); err != nil {
			return err
		}
		if err := tx.dropFromDigests(item, now); err != nil {
			return err
		}
	}
	if err := tx.block("link", "", intake.Canonical(p.Content.URL), reason, now); err != nil {
		return err
	}
	for _, id := range posts {
		q, err := tx.post(id)
		if err != nil {
			return err
		}
		files, err := tx.purgeMedia(id, reason, now)
		if err != nil {
			return err
		}
		blank := compose.Content{Lang: q.Content.Lang, Withdrawn: true, Reason: reason}
		text, err := encode(compose.Content{Lang: q.Content.Lang, Withdrawn: true})
		if err != nil {
			return err
		}
		if err := tx.run(`UPDATE post_revisions SET content = $2, note = '' WHERE post = $1`, id, text); err != nil {
			return err
		}
		if err := tx.retract(q, blank, true, now); err != nil {
			return err
		}
		// A call that is under way, or may have arrived, keeps its text until it is settled: to be repeated exactly is how a
		// platform that knows repeats says where the copy is that must go. No other delivery holds a call.
		out.Posts, out.Files = append(out.Posts, q.PublicID), append(out.Files, files...)
	}
	return nil
}

func (tx *Tx) ids(text string, args ...any) ([]int64, error) {
	var out []int64
	err := tx.rows(func(r scanner) error {
		var id int64
		err := r.Scan(&id)
		out = append(out, id)
		return err
	}, text, args...)
	return out, err
}

func (tx *Tx) block(kind, source, value, reason string, now time.Time) error {
	if value == "" {
		return nil
	}
	return tx.run(`INSERT INTO blocked (kind, source, value, at, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, source, value) DO NOTHING`,
		kind, source, value, micros(now), reason)
}

// blockItem empties an item and keeps its keys and address from ever coming back.
func (tx *Tx) blockItem(item int64, reason string, now time.Time) error {
	var source, key, link string
	if err := tx.row(`SELECT source, key, link FROM items WHERE id = $1`, item).Scan(&source, &key, &link); err != nil {
		return err
	}
	keys := []string{key}
	if err := tx.rows(func(r scanner) error {
		var alias string
		err := r.Scan(&alias)
		keys = append(keys, alias)
		return err
	}, `SELECT key FROM item_aliases WHERE item = $1`, item); err != nil {
		return err
	}
	for _, k := range keys {
		if err := tx.block("key", source, k, reason, now); err != nil {
			return err
		}
	}
	if err := tx.block("link", "", link, reason, now); err != nil {
		return err
	}
	return tx.run(`UPDATE items SET state = 'blocked', reason = $2, content = '{}', title_key = '', url = '', link = '', substance = '', facts = '',
		hold = NULL, check_at = 0, changed = changed + 1 WHERE id = $1`, item, reason)
}

// dropFromDigests takes an item's entry out of every revision of the digests that have it, and has them made anew.
func (tx *Tx) dropFromDigests(item int64, now time.Time) error {
	digests, err := tx.ids(`SELECT p.id FROM posts p JOIN post_items pi ON pi.post = p.id WHERE pi.item = $1 AND p.kind = 'digest'`, item)
	if err != nil {
		return err
	}
	for _, id := range digests {
		revisions := map[int]compose.Content{}
		if err := tx.rows(func(r scanner) error {
			var n int
			var text string
			if err := r.Scan(&n, &text); err != nil {
				return err
			}
			var c compose.Content
			err := decode(text, &c)
			revisions[n] = c
			return err
		}, `SELECT revision, content FROM post_revisions WHERE post = $1`, id); err != nil {
			return err
		}
		for n, c := range revisions {
			for _, e := range c.Entries {
				if e.Item != item {
					continue
				}
				for _, m := range e.Media {
					c.Media = slices.DeleteFunc(c.Media, func(o sdk.Media) bool { return o.URL == m.URL })
				}
			}
			c.Entries = slices.DeleteFunc(c.Entries, func(e compose.Entry) bool { return e.Item == item })
			text, err := encode(c)
			if err != nil {
				return err
			}
			if err := tx.run(`UPDATE post_revisions SET content = $3 WHERE post = $1 AND revision = $2`, id, n, text); err != nil {
				return err
			}
		}
		// The copies still show the entry: a further revision makes them follow, even where its content is the same now.
		if err := tx.reviseSame(id, now); err != nil {
			return err
		}
	}
	return nil
}

// reviseSame makes a further revision with the content of the newest, so that every copy is looked at again.
func (tx *Tx) reviseSame(post int64, now time.Time) error {
	p, err := tx.post(post)
	if err != nil {
		return err
	}
	if len(p.Content.Entries) == 0 {
		p.Content = compose.Content{Lang: p.Content.Lang, Title: p.Content.Title, Withdrawn: true, Reason: fmt.Sprintf("all items of %s were retracted", p.PublicID)}
		p.Status = compose.PostWithdrawn
	}
	return tx.revise(post, p.Content, p.Status, p.Status == compose.PostWithdrawn, now)
}

// purgeMedia forgets the images that only this post shows, and gives the names of their files.
func (tx *Tx) purgeMedia(post int64, reason string, now time.Time) ([]string, error) {
	type medium struct {
		id        int64
		url, name string
	}
	var list []medium
	if err := tx.rows(func(r scanner) error {
		var m medium
		err := r.Scan(&m.id, &m.url, &m.name)
		list = append(list, m)
		return err
	}, `SELECT m.id, m.url, CASE WHEN EXISTS (SELECT 1 FROM media x WHERE x.sha256 = m.sha256 AND x.id <> m.id AND x.state = 'stored') THEN '' ELSE m.name END
		FROM media m JOIN post_media pm ON pm.media = m.id WHERE pm.post = $1
		AND NOT EXISTS (SELECT 1 FROM post_media o JOIN posts p ON p.id = o.post WHERE o.media = m.id AND o.post <> $1 AND p.status <> 'retracted')`, post); err != nil {
		return nil, err
	}
	var files []string
	for _, m := range list {
		if m.name != "" {
			files = append(files, m.name)
		}
		if err := tx.block("image", "", m.url, reason, now); err != nil {
			return nil, err
		}
		if err := tx.run(`DELETE FROM post_media WHERE media = $1`, m.id); err != nil {
			return nil, err
		}
		if err := tx.run(`UPDATE media SET state = 'failed', sha256 = '', name = '', error = 'retracted' WHERE id = $1`, m.id); err != nil {
			return nil, err
		}
	}
	return files, nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/sdk"
)

// Retracted is what a retraction touched.
type Retracted struct {
	// Posts are the public ids of the posts that were taken back, and Digests those of the digests that lost an item.
	Posts, Digests []string
	// Items are blocked for ever.
	Items []ItemName
	// Files are the names of stored images that nothing shows any more; whoever retracts for good deletes them.
	Files []string
	// Again says that all of it was retracted for good before, so that nothing changed.
	Again bool
}

// RetractPost takes a post back by an editor's act; whatever its source says later, it does not come back.
//
// A legal retraction is for good: every post of the same item in any channel goes with it, digests lose the item, texts
// and images are purged from every revision, and the item's keys and addresses are blocked for ever. A digest goes by
// itself: its items stay. A second legal retraction changes nothing.
func (db *DB) RetractPost(ctx context.Context, post int64, legal bool, reason, actor string, now time.Time) (Retracted, error) {
	var out Retracted
	err := db.Write(ctx, func(tx *Tx) error {
		out = Retracted{}
		p, err := tx.post(post)
		if err != nil {
			return err
		}
		if legal {
			var items []int64
			if p.Kind == compose.KindEach {
				if items, err = tx.ids(`SELECT item FROM post_items WHERE post = $1`, p.ID); err != nil {
					return err
				}
			}
			return tx.purge([]int64{p.ID}, items, &out, act{actor, "retract post for good", p.PublicID, reason, now})
		}
		c := compose.Content{Lang: p.Content.Lang, Title: p.Content.Title, URL: p.Content.URL, Published: p.Content.Published, Withdrawn: true, Reason: reason}
		if err := tx.retract(p, c, false, now); err != nil {
			return err
		}
		out.Posts = []string{p.PublicID}
		return tx.act(actor, "retract post", p.PublicID+": "+reason, now)
	})
	return out, err
}

// RetractItem takes an item back for good: what RetractPost does for one of its posts, also when it is only in digests, or
// in no post yet.
func (db *DB) RetractItem(ctx context.Context, item int64, reason, actor string, now time.Time) (Retracted, error) {
	var out Retracted
	err := db.Write(ctx, func(tx *Tx) error {
		out = Retracted{}
		return tx.purge(nil, []int64{item}, &out, act{actor, "retract item for good", fmt.Sprintf("item %d", item), reason, now})
	})
	return out, err
}

// RetractedSince is the reason of a post that a backup shows and that must not be shown, until the retraction is repeated.
const RetractedSince = "retracted since the backup"

// BlockedError says that an address was retracted for good.
type BlockedError struct {
	URL, Reason string
	At          time.Time
}

// Error says so.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("%s was retracted for good on %s: %s", e.URL, e.At.Format(time.DateOnly), e.Reason)
}

// BlockedLink gives *BlockedError when the article at an address was retracted for good.
func (db *DB) BlockedLink(ctx context.Context, url string) error {
	return blockedLink(url, func(text string, args ...any) scanner { return db.queryRow(ctx, text, args...) })
}

// BlockedName gives *BlockedError when what has a key of a source, or an address, was retracted for good; of any source when
// the name is empty.
func (db *DB) BlockedName(ctx context.Context, source, name string) error {
	if name == "" {
		return nil
	}
	e := &BlockedError{URL: name}
	var at int64
	err := db.queryRow(ctx, `SELECT at, reason FROM blocked WHERE kind = 'key' AND value = $2 AND (source = $1 OR $1 = '') ORDER BY at LIMIT 1`, source, name).Scan(&at, &e.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return db.BlockedLink(ctx, name)
	}
	if err != nil {
		return err
	}
	e.At = timeOf(at)
	return e
}

func blockedLink(url string, row func(text string, args ...any) scanner) error {
	if url == "" {
		return nil
	}
	e := &BlockedError{URL: url}
	var at int64
	err := row(`SELECT at, reason FROM blocked WHERE kind = 'link' AND source = '' AND value = $1`, intake.Canonical(url)).Scan(&at, &e.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	e.At = timeOf(at)
	return e
}

func (tx *Tx) post(id int64) (Post, error) {
	return scanPost(tx.row(`SELECT `+postColumns+` FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision WHERE p.id = $1`, id))
}

// showAgain shows what a restore hid, now that nothing is left in it that must not be seen.
func (tx *Tx) showAgain(post int64) error {
	return tx.run(`UPDATE posts SET visible_at = created_at, reason = '' WHERE id = $1 AND visible_at = 0 AND reason = $2`, post, RetractedSince)
}

// retract gives a post its last revision.
func (tx *Tx) retract(p Post, c compose.Content, purge bool, now time.Time) error {
	if err := tx.showAgain(p.ID); err != nil { // its page says that it was retracted
		return err
	}
	if err := tx.revise(p.ID, c, compose.PostRetracted, purge, now); err != nil {
		return err
	}
	if p.Status == compose.PostScheduled || p.Status == compose.PostHeld {
		return tx.run(`UPDATE posts SET visible_at = 0 WHERE id = $1`, p.ID) // it was never shown
	}
	return nil
}

// act is what somebody does, for the record.
type act struct {
	actor, what, about, reason string
	now                        time.Time
}

// purge takes posts, items and every other post of the items out of the store, for ever. What was purged before is named
// and left as it is.
func (tx *Tx) purge(posts, items []int64, out *Retracted, a act) error {
	out.Again = true
	images := map[string]bool{}
	for _, item := range items {
		name, err := tx.blockItem(item, images, out, a)
		if err != nil {
			return err
		}
		out.Items = append(out.Items, name)
		more, err := tx.ids(`SELECT p.id FROM posts p JOIN post_items pi ON pi.post = p.id WHERE pi.item = $1 AND p.kind = 'each' ORDER BY p.id`, item)
		if err != nil {
			return err
		}
		for _, id := range more {
			if !slices.Contains(posts, id) {
				posts = append(posts, id)
			}
		}
		if err := tx.dropFromDigests(item, images, out, a.now); err != nil {
			return err
		}
	}
	for _, id := range posts {
		if err := tx.purgePost(id, images, out, a); err != nil {
			return err
		}
	}
	if out.Again {
		return nil
	}
	if err := tx.purgeMedia(images, out, a); err != nil {
		return err
	}
	if err := tx.wantForgotten(a.now); err != nil {
		return err
	}
	return tx.act(a.actor, a.what, a.about+": "+a.reason, a.now)
}

// purgePost empties every revision of a post and takes its copies away.
func (tx *Tx) purgePost(id int64, images map[string]bool, out *Retracted, a act) error {
	p, err := tx.post(id)
	if err != nil {
		return err
	}
	out.Posts = append(out.Posts, p.PublicID)
	if p.Content.Purged {
		return nil
	}
	out.Again = false
	revisions, err := tx.revisions(id)
	if err != nil {
		return err
	}
	for _, c := range revisions {
		if err := tx.block("link", "", intake.Canonical(c.URL), a.reason, a.now); err != nil {
			return err
		}
		note(images, c.Media)
		for _, e := range c.Entries {
			note(images, e.Media)
		}
	}
	blank := compose.Content{Lang: p.Content.Lang, Withdrawn: true, Purged: true}
	text, err := encode(blank)
	if err != nil {
		return err
	}
	if err := tx.run(`UPDATE post_revisions SET content = $2, note = '' WHERE post = $1`, id, text); err != nil {
		return err
	}
	blank.Reason = a.reason
	// A call that is under way, or may have arrived, keeps its text until it is settled: to be repeated exactly is how a
	// platform that knows repeats says where the copy is that must go. No other delivery holds a call.
	return tx.retract(p, blank, true, a.now)
}

func note(images map[string]bool, media []sdk.Media) {
	for _, m := range media {
		images[m.URL] = true
	}
}

// revisions reads the contents of a post's revisions by their numbers.
func (tx *Tx) revisions(post int64) (map[int]compose.Content, error) {
	out := map[int]compose.Content{}
	return out, tx.rows(func(r scanner) error {
		var n int
		var text string
		if err := r.Scan(&n, &text); err != nil {
			return err
		}
		var c compose.Content
		err := decode(text, &c)
		out[n] = c
		return err
	}, `SELECT revision, content FROM post_revisions WHERE post = $1`, post)
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
func (tx *Tx) blockItem(item int64, images map[string]bool, out *Retracted, a act) (ItemName, error) {
	name := ItemName{ID: item}
	var link, state, content string
	if err := tx.row(`SELECT source, key, link, state, content FROM items WHERE id = $1`, item).Scan(&name.Source, &name.Key, &link, &state, &content); err != nil {
		return name, notFound(err)
	}
	if state == string(intake.Blocked) {
		return name, nil
	}
	out.Again = false
	var it sdk.Item
	if err := decode(content, &it); err != nil {
		return name, err
	}
	note(images, it.Media)
	keys := []string{name.Key}
	if err := tx.rows(func(r scanner) error {
		var alias string
		err := r.Scan(&alias)
		keys = append(keys, alias)
		return err
	}, `SELECT key FROM item_aliases WHERE item = $1`, item); err != nil {
		return name, err
	}
	for _, k := range keys {
		if err := tx.block("key", name.Source, k, a.reason, a.now); err != nil {
			return name, err
		}
	}
	if err := tx.block("link", "", link, a.reason, a.now); err != nil {
		return name, err
	}
	if it.Event != nil {
		if err := tx.eventsMoved(name.Source); err != nil {
			return name, err
		}
	}
	return name, tx.run(`UPDATE items SET state = 'blocked', reason = $2, content = '{}', title_key = '', url = '', link = '', substance = '', facts = '',
		hold = NULL, check_at = 0, changed = changed + 1 WHERE id = $1`, item, a.reason)
}

// dropFromDigests takes an item's entry out of every revision of the digests that have it, and has them made anew.
func (tx *Tx) dropFromDigests(item int64, images map[string]bool, out *Retracted, now time.Time) error {
	digests, err := tx.ids(`SELECT p.id FROM posts p JOIN post_items pi ON pi.post = p.id WHERE pi.item = $1 AND p.kind = 'digest' ORDER BY p.id`, item)
	if err != nil {
		return err
	}
	for _, id := range digests {
		revisions, err := tx.revisions(id)
		if err != nil {
			return err
		}
		had := false
		var titles []string
		for n, c := range revisions {
			var gone []compose.Entry
			c.Entries = slices.DeleteFunc(c.Entries, func(e compose.Entry) bool {
				if e.Item == item {
					gone = append(gone, e)
				}
				return e.Item == item
			})
			for _, e := range gone {
				had = true
				titles = append(titles, e.Title)
				note(images, e.Media)
				c.Media = slices.DeleteFunc(c.Media, func(o sdk.Media) bool {
					return slices.ContainsFunc(e.Media, func(m sdk.Media) bool { return m.URL == o.URL })
				})
			}
			revisions[n] = c
		}
		p, err := tx.post(id)
		if err != nil {
			return err
		}
		if slices.Contains(out.Digests, p.PublicID) && !had {
			continue
		}
		if !slices.Contains(out.Digests, p.PublicID) {
			out.Digests = append(out.Digests, p.PublicID)
		}
		if !had {
			continue
		}
		out.Again = false
		for n, c := range revisions {
			// A digest's title may be made of its entries' titles. Whose correction a note tells of is not known: all go.
			for _, t := range titles {
				if t != "" {
					c.Title = strings.ReplaceAll(c.Title, t, "…")
				}
			}
			c.Note = ""
			text, err := encode(c)
			if err != nil {
				return err
			}
			if err := tx.run(`UPDATE post_revisions SET content = $3, note = '' WHERE post = $1 AND revision = $2`, id, n, text); err != nil {
				return err
			}
		}
		if err := tx.showAgain(id); err != nil {
			return err
		}
		// The copies still show the entry: a further revision makes them follow, even where its content is the same now.
		if err := tx.reviseSame(id, now); err != nil {
			return err
		}
	}
	return nil
}

// reviseSame makes a further revision with the content of the newest, so that every copy is looked at again, at once.
func (tx *Tx) reviseSame(post int64, now time.Time) error {
	p, err := tx.post(post)
	if err != nil {
		return err
	}
	if len(p.Content.Entries) == 0 && !p.Content.Withdrawn {
		p.Content = compose.Content{Lang: p.Content.Lang, Title: p.Content.Title, Withdrawn: true, Reason: fmt.Sprintf("all items of %s were retracted", p.PublicID)}
		p.Status = compose.PostWithdrawn
	}
	return tx.revise(post, p.Content, p.Status, true, now)
}

// purgeMedia forgets the images that no other post shows, and gives the names of their files.
func (tx *Tx) purgeMedia(images map[string]bool, out *Retracted, a act) error {
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
	}, `SELECT m.id, m.url, CASE WHEN EXISTS (SELECT 1 FROM media x WHERE x.sha256 = m.sha256 AND x.sha256 <> '' AND x.id <> m.id AND x.state = 'stored') THEN '' ELSE m.name END
		FROM media m WHERE m.url IN @list($1)
		AND NOT EXISTS (SELECT 1 FROM post_media o JOIN posts p ON p.id = o.post WHERE o.media = m.id AND p.status <> 'retracted') ORDER BY m.id`,
		jsonList(slices.Sorted(maps.Keys(images)))); err != nil {
		return err
	}
	for _, m := range list {
		if m.name != "" {
			out.Files = append(out.Files, m.name)
		}
		if err := tx.block("image", "", m.url, a.reason, a.now); err != nil {
			return err
		}
		if err := tx.run(`DELETE FROM post_media WHERE media = $1`, m.id); err != nil {
			return err
		}
		if err := tx.run(`UPDATE media SET state = 'failed', sha256 = '', name = '', error = 'retracted' WHERE id = $1`, m.id); err != nil {
			return err
		}
	}
	return nil
}

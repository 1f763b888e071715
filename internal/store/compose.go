package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
)

var _ compose.Store = (*DB)(nil)

// UseChannels notes when each configured channel first existed.
func (db *DB) UseChannels(ctx context.Context, names []string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		for _, n := range names {
			if err := tx.run(`INSERT INTO channels (name, since) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, n, micros(now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ChannelsSince implements compose.Store.
func (db *DB) ChannelsSince(ctx context.Context) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	err := db.query(ctx, func(r scanner) error {
		var name string
		var since int64
		err := r.Scan(&name, &since)
		out[name] = timeOf(since)
		return err
	}, `SELECT name, since FROM channels`)
	return out, err
}

// ChangedItems implements compose.Store.
func (db *DB) ChangedItems(ctx context.Context, limit int) ([]compose.Changed, error) {
	var out []compose.Changed
	at := map[int64]int{}
	ids := []int64{}
	err := db.query(ctx, func(r scanner) error {
		var c compose.Changed
		var content string
		var seen int64
		if err := r.Scan(&c.ID, &c.Source, &c.Change, &c.Revision, &c.State, &c.Baseline, &content, &c.Link, &seen); err != nil {
			return err
		}
		c.SeenAt = timeOf(seen)
		at[c.ID] = len(out)
		ids = append(ids, c.ID)
		out = append(out, c)
		return decode(content, &out[len(out)-1].Content)
	}, `SELECT id, source, changed, revision, state, baseline, content, link, seen_at FROM items WHERE changed > 0 ORDER BY id LIMIT $1`, limit)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	if err := db.query(ctx, func(r scanner) error {
		var m compose.Membership
		if err := r.Scan(&m.Item, &m.Channel, &m.State, &m.Reason, &m.Detail, &m.Post, &m.PostRevision, &m.Released); err != nil {
			return err
		}
		c := &out[at[m.Item]]
		c.In = append(c.In, m)
		return nil
	}, `SELECT ci.item, ci.channel, ci.state, ci.reason, ci.detail, coalesce(ci.post, 0), coalesce(pi.item_revision, 0), ci.released
		FROM channel_items ci LEFT JOIN post_items pi ON pi.post = ci.post AND pi.item = ci.item
		WHERE ci.item IN @list($1) ORDER BY ci.item, ci.channel`, jsonList(ids)); err != nil {
		return nil, err
	}
	// The same article brought by another source, which a channel has or had: the earlier one stands.
	return out, db.query(ctx, func(r scanner) error {
		var item, other int64
		var channel string
		if err := r.Scan(&item, &other, &channel); err != nil {
			return err
		}
		c := &out[at[item]]
		if c.Duplicates == nil {
			c.Duplicates = map[string]int64{}
		}
		c.Duplicates[channel] = other
		return nil
	}, `SELECT i.id, o.id, ci.channel FROM items i JOIN items o ON o.link = i.link AND o.link <> '' AND o.id < i.id AND o.source <> i.source AND o.state = 'live'
		JOIN channel_items ci ON ci.item = o.id AND ci.state IN ('waiting', 'used', 'held')
		WHERE i.id IN @list($1) AND i.link <> ''`, jsonList(ids))
}

// CommitEvaluations implements compose.Store. An item that changed again meanwhile stays to be looked at.
func (db *DB) CommitEvaluations(ctx context.Context, es []compose.Evaluation, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		for _, e := range es {
			n, err := tx.exec(`UPDATE items SET changed = 0 WHERE id = $1 AND changed = $2`, e.Item, e.Change)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			for _, m := range e.Set {
				if err := tx.run(`INSERT INTO channel_items (channel, item, state, reason, detail, since) VALUES ($1, $2, $3, $4, $5, $6)
					ON CONFLICT (channel, item) DO UPDATE SET state = excluded.state, reason = excluded.reason, detail = excluded.detail,
					since = CASE WHEN excluded.state = 'waiting' THEN excluded.since ELSE channel_items.since END
					WHERE channel_items.state <> 'used'`, m.Channel, m.Item, string(m.State), string(m.Reason), m.Detail, micros(now)); err != nil {
					return err
				}
			}
			for _, post := range e.Recompose {
				if err := tx.run(`UPDATE posts SET stale = 1 WHERE id = $1`, post); err != nil {
					return err
				}
			}
			if err := tx.alerts(e.Alerts, nil, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// StalePosts implements compose.Store.
func (db *DB) StalePosts(ctx context.Context, after int64, limit int) ([]compose.Stale, error) {
	var out []compose.Stale
	at := map[int64]int{}
	ids := []int64{}
	err := db.query(ctx, func(r scanner) error {
		var s compose.Stale
		var content string
		var visible int64
		if err := r.Scan(&s.Post, &s.PublicID, &s.Channel, &s.Kind, &s.Status, &s.Revision, &visible, &content); err != nil {
			return err
		}
		s.VisibleAt = timeOf(visible)
		at[s.Post] = len(out)
		ids = append(ids, s.Post)
		out = append(out, s)
		return decode(content, &out[len(out)-1].Current)
	}, `SELECT p.id, p.public_id, p.channel, p.kind, p.status, p.revision, p.visible_at, r.content
		FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision WHERE p.stale = 1 AND p.id > $1 ORDER BY p.id LIMIT $2`, after, limit)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out, db.query(ctx, func(r scanner) error {
		var post, notBefore int64
		var it compose.StaleItem
		var content string
		if err := r.Scan(&post, &it.ID, &it.Revision, &it.State, &it.Reason, &notBefore, &content); err != nil {
			return err
		}
		it.NotBefore = timeOf(notBefore)
		if err := decode(content, &it.Content); err != nil {
			return err
		}
		s := &out[at[post]]
		s.Items = append(s.Items, it)
		return nil
	}, `SELECT pi.post, i.id, i.revision, i.state, i.reason, i.not_before, i.content FROM post_items pi JOIN items i ON i.id = pi.item
		WHERE pi.post IN @list($1) ORDER BY pi.post, pi.position`, jsonList(ids))
}

// CommitRevision implements compose.Store.
func (db *DB) CommitRevision(ctx context.Context, r compose.Revise, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE posts SET stale = $3 WHERE id = $1 AND revision = $2`, r.Post, r.On, !r.Until.IsZero())
		if err != nil {
			return err
		}
		if n == 0 {
			return compose.ErrConflict
		}
		for _, it := range r.Items {
			n, err := tx.exec(`UPDATE post_items SET item_revision = $3 WHERE post = $1 AND item = $2
				AND EXISTS (SELECT 1 FROM items WHERE id = $2 AND revision = $3 AND state = $4)`, r.Post, it.ID, it.Revision, it.State)
			if err != nil {
				return err
			}
			if n == 0 {
				return compose.ErrConflict
			}
		}
		if r.Content == nil {
			return nil
		}
		return tx.revise(r.Post, *r.Content, r.Status, false, now)
	})
}

// revise writes a new revision of a post and moves what its copies are to show. With purge it is due to a legal retraction,
// which climbs a ladder of its own; copies remember that until they are as they should be, and withdrawn ones for ever.
func (tx *Tx) revise(post int64, c compose.Content, status compose.PostStatus, purge bool, now time.Time) error {
	content, err := encode(c)
	if err != nil {
		return err
	}
	if err := tx.run(`UPDATE posts SET revision = revision + 1, status = $2, reason = $3, changed_at = $4 WHERE id = $1`, post, string(status), c.Reason, micros(now)); err != nil {
		return err
	}
	if err := tx.run(`INSERT INTO post_revisions (post, revision, at, content, note) SELECT id, revision, $2, $3, $4 FROM posts WHERE id = $1`,
		post, micros(now), content, c.Note); err != nil {
		return err
	}
	if err := tx.linkMedia(post, c); err != nil {
		return err
	}
	// A copy that was dropped stays so, and one that was refused gets another chance by another content; a withdrawal
	// still looks whether something of it is there. What is held for a person stays held, unless it is withdrawn.
	const stays = `NOT EXISTS (SELECT 1 FROM parts WHERE publication = publications.id)
		AND (state IN ('expired', 'dropped') OR state = 'failed' AND $2 OR state = 'held' AND NOT $2)`
	if err := tx.run(`UPDATE publications SET version = version + 1, want = (SELECT revision FROM posts WHERE id = $1), rung = 0,
		gone = $2, purge = max($3, CASE WHEN gone = 1 OR state <> 'done' THEN purge ELSE 0 END), have_gone = 0,
		state = CASE WHEN `+stays+` THEN state ELSE 'open' END, reason = CASE WHEN `+stays+` THEN reason ELSE '' END
		WHERE post = $1`, post, c.Withdrawn, purge); err != nil {
		return err
	}
	if err := tx.run(`UPDATE deliveries SET state = 'pending', reason = '', next_at = $2 WHERE settled_at = 0 AND (state = 'awaiting_person' OR state = 'held' AND $3)
		AND publication IN (SELECT id FROM publications WHERE post = $1)`, post, micros(now), c.Withdrawn); err != nil {
		return err
	}
	if c.Withdrawn || purge {
		// Withdrawals go first. A legal one does not wait as other edits do; what the platform asked for stands.
		if err := tx.run(`UPDATE deliveries SET priority = 0, next_at = CASE WHEN $3 AND code = '' THEN min(next_at, $2) ELSE next_at END
			WHERE settled_at = 0 AND state = 'pending' AND publication IN (SELECT id FROM publications WHERE post = $1)`, post, micros(now), purge); err != nil {
			return err
		}
	}
	return tx.openDeliveries(post, now)
}

// openDeliveries gives every publication of a post that is not as it should be a delivery, unless it has one.
func (tx *Tx) openDeliveries(post int64, now time.Time) error {
	return tx.run(`INSERT INTO deliveries (publication, destination, chat, priority, next_at, created_at)
		SELECT id, destination, chat, CASE WHEN gone = 1 OR (SELECT urgent FROM posts WHERE id = $1) THEN 0 ELSE 1 END, $2, $2
		FROM publications WHERE post = $1 AND state = 'open'
		ON CONFLICT (publication) WHERE settled_at = 0 DO NOTHING`, post, micros(now))
}

// linkMedia notes which images a revision shows.
func (tx *Tx) linkMedia(post int64, c compose.Content) error {
	if err := tx.run(`DELETE FROM post_media WHERE post = $1`, post); err != nil || c.Withdrawn {
		return err
	}
	urls := make([]string, 0, len(c.Media))
	for _, m := range c.Media {
		urls = append(urls, m.URL)
	}
	if len(urls) == 0 {
		return nil
	}
	return tx.run(`INSERT INTO post_media (post, media) SELECT $1, id FROM media WHERE url IN @list($2) ON CONFLICT DO NOTHING`, post, jsonList(urls))
}

// WaitingItems implements compose.Store.
func (db *DB) WaitingItems(ctx context.Context, channel string) ([]compose.Waiting, error) {
	var out []compose.Waiting
	err := db.query(ctx, func(r scanner) error {
		var w compose.Waiting
		var content string
		var seen, changed, notBefore, since int64
		if err := r.Scan(&w.Item, &w.Revision, &w.Source, &content, &seen, &changed, &notBefore, &since, &w.Released); err != nil {
			return err
		}
		w.SeenAt, w.ChangedAt, w.NotBefore, w.Since = timeOf(seen), timeOf(changed), timeOf(notBefore), timeOf(since)
		out = append(out, w)
		return decode(content, &out[len(out)-1].Content)
	}, `SELECT i.id, i.revision, i.source, i.content, i.seen_at, i.changed_at, i.not_before, ci.since, ci.released
		FROM channel_items ci @by(channel_items_waiting) JOIN items i ON i.id = ci.item WHERE ci.channel = $1 AND ci.state = 'waiting' AND i.state = 'live' AND i.changed = 0 ORDER BY i.id`, channel)
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, w := range out {
		for _, m := range w.Content.Media {
			urls = append(urls, m.URL)
		}
	}
	wanted, err := db.PendingImages(ctx, urls)
	for i := range out {
		for _, m := range out[i].Content.Media {
			if at, pending := wanted[m.URL]; pending && (out[i].ImagesSince.IsZero() || at.Before(out[i].ImagesSince)) {
				out[i].ImagesPending, out[i].ImagesSince = true, at
			}
		}
	}
	return out, err
}

// PendingImages implements compose.Store.
func (db *DB) PendingImages(ctx context.Context, urls []string) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	if len(urls) == 0 {
		return out, nil
	}
	return out, db.query(ctx, func(r scanner) error {
		var url string
		var at int64
		err := r.Scan(&url, &at)
		out[url] = timeOf(at)
		return err
	}, `SELECT url, wanted_at FROM media WHERE state = 'wanted' AND url IN @list($1)`, jsonList(urls))
}

// RecentPosts implements compose.Store.
func (db *DB) RecentPosts(ctx context.Context, channel string, since time.Time, most int) (compose.Recent, error) {
	var last int64
	var rec compose.Recent
	err := db.queryRow(ctx, `SELECT coalesce((SELECT visible_at FROM posts WHERE channel = $1 AND kind = 'each' AND visible_at > 0 ORDER BY visible_at DESC LIMIT 1), 0),
		(SELECT count(*) FROM (SELECT 1 FROM posts WHERE channel = $1 AND kind = 'each' AND visible_at > 0 AND visible_at >= $2 LIMIT $3))`, channel, micros(since), most).Scan(&last, &rec.Today)
	rec.Last = timeOf(last)
	return rec, err
}

// Schedule implements compose.Store.
func (db *DB) Schedule(ctx context.Context, name string) (compose.ScheduleState, error) {
	var st compose.ScheduleState
	var until int64
	err := db.queryRow(ctx, `SELECT spec, checked_until FROM schedules WHERE name = $1`, name).Scan(&st.Spec, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return st, nil
	}
	st.CheckedUntil = timeOf(until)
	return st, err
}

// CommitPosts implements compose.Store.
func (db *DB) CommitPosts(ctx context.Context, c compose.Commit, now time.Time) ([]string, error) {
	var made []string
	err := db.Write(ctx, func(tx *Tx) error {
		made = make([]string, len(c.Posts))
		if c.Schedule != "" {
			n, err := tx.exec(`INSERT INTO schedules (name, spec, checked_until) VALUES ($1, $2, $3)
				ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, checked_until = excluded.checked_until WHERE schedules.checked_until = $4`,
				c.Schedule, c.Spec, micros(c.CheckedUntil), micros(c.CheckedFrom))
			if err != nil {
				return err
			}
			if n == 0 {
				return compose.ErrConflict
			}
		}
		posts := map[string]int64{}
		fired := map[string]bool{}
		for _, o := range c.Occurrences {
			_, inserted, err := tx.insert(`INSERT INTO occurrences (schedule, key, at, outcome, reason, decided_at) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (schedule, key) DO NOTHING RETURNING 1`, o.Schedule, o.Key, micros(o.At), o.Outcome, o.Reason, micros(now))
			if err != nil {
				return err
			}
			fired["occurrence:"+o.Key] = inserted
		}
		for i, p := range c.Posts {
			if first, scheduled := fired[p.Key]; scheduled && !first {
				continue // the occurrence was decided before: it happens once
			}
			id, public, err := tx.insertPost(p, now)
			if err != nil {
				return err
			}
			posts[p.Key], made[i] = id, public
		}
		for _, o := range c.Occurrences {
			if id, ok := posts["occurrence:"+o.Key]; ok {
				if err := tx.run(`UPDATE occurrences SET post = $3 WHERE schedule = $1 AND key = $2`, o.Schedule, o.Key, id); err != nil {
					return err
				}
			}
		}
		for _, o := range c.Out {
			state := compose.StateLeftOut
			if o.Hold {
				state = compose.StateHeld
			}
			if err := tx.run(`UPDATE channel_items SET state = $3, reason = $4, detail = $5 WHERE channel = $1 AND item = $2 AND state = 'waiting'`,
				c.Channel, o.Item, string(state), string(o.Reason), o.Detail); err != nil {
				return err
			}
		}
		return tx.alerts(c.Alerts, c.Resolve, now)
	})
	return made, err
}

// insertPost writes a post with its first revision and its outbox rows, and gives its id and its public id. Items that changed since it was decided make it a
// conflict.
func (tx *Tx) insertPost(p compose.NewPost, now time.Time) (id int64, public string, err error) {
	content, err := encode(p.Content)
	if err != nil {
		return 0, "", err
	}
	public = token(8)
	id, inserted, err := tx.insert(`INSERT INTO posts (public_id, channel, key, kind, status, urgent, created_at, visible_at, changed_at, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $9) ON CONFLICT (channel, key) DO NOTHING RETURNING id`,
		public, p.Channel, p.Key, string(p.Kind), string(p.Status), p.Urgent, micros(now), micros(p.VisibleAt), micros(p.DueAt))
	if err != nil {
		return 0, "", err
	}
	if !inserted {
		return 0, "", compose.ErrConflict
	}
	if err := tx.run(`INSERT INTO post_revisions (post, revision, at, content, note) VALUES ($1, 1, $2, $3, $4)`, id, micros(now), content, p.Content.Note); err != nil {
		return 0, "", err
	}
	for i, it := range p.Items {
		n, err := tx.exec(`UPDATE channel_items SET state = 'used', reason = '', detail = '', post = $3 WHERE channel = $1 AND item = $2 AND state = 'waiting'
			AND EXISTS (SELECT 1 FROM items WHERE id = $2 AND revision = $4 AND state = 'live')`, p.Channel, it.Item, id, it.Revision)
		if err != nil {
			return 0, "", err
		}
		if n == 0 {
			return 0, "", compose.ErrConflict
		}
		if err := tx.run(`INSERT INTO post_items (post, item, position, item_revision) VALUES ($1, $2, $3, $4)`, id, it.Item, i, it.Revision); err != nil {
			return 0, "", err
		}
	}
	if err := tx.linkMedia(id, p.Content); err != nil {
		return 0, "", err
	}
	// Its copies are released with its items: the blackout may still last when they leave.
	released := false
	if err := tx.row(`SELECT coalesce(min(released), 0) FROM channel_items
		WHERE channel = $1 AND item IN (SELECT item FROM post_items WHERE post = $2) AND post = $2`, p.Channel, id).Scan(&released); err != nil {
		return 0, "", err
	}
	for _, t := range p.Targets {
		state, reason := "open", ""
		if t.Failed != nil {
			state, reason = "held", "its where: failed, "+t.Failed.Error()
		}
		if err := tx.run(`INSERT INTO publications (post, channel, destination, chat, want, expires_at, released, state, reason) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8)`,
			id, p.Channel, t.Destination, t.Chat, micros(t.ExpiresAt), released, state, reason); err != nil {
			return 0, "", err
		}
	}
	if err := tx.heldDeliveries(id, now); err != nil || p.Status != compose.PostLive {
		return id, public, err
	}
	return id, public, tx.openDeliveries(id, now)
}

// heldDeliveries gives the copies of a new post that are held from the beginning their deliveries, which wait for a person.
func (tx *Tx) heldDeliveries(post int64, now time.Time) error {
	return tx.run(`INSERT INTO deliveries (publication, destination, chat, state, error, priority, next_at, created_at)
		SELECT id, destination, chat, 'held', reason, CASE WHEN (SELECT urgent FROM posts WHERE id = $1) THEN 0 ELSE 1 END, $2, $2
		FROM publications WHERE post = $1 AND state = 'held'`, post, micros(now))
}

// DuePosts implements compose.Store.
func (db *DB) DuePosts(ctx context.Context, now time.Time) ([]compose.Scheduled, error) {
	var out []compose.Scheduled
	err := db.query(ctx, func(r scanner) error {
		var s compose.Scheduled
		var at int64
		var content string
		if err := r.Scan(&s.Post, &s.Channel, &at, &s.Released, &content); err != nil {
			return err
		}
		s.At = timeOf(at)
		out = append(out, s)
		return decode(content, &out[len(out)-1].Content)
	}, `SELECT p.id, p.channel, p.visible_at, p.reason = 'released', r.content FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE p.status = 'scheduled' AND p.visible_at <= $1 ORDER BY p.visible_at, p.id`, micros(now))
	return out, err
}

// NextScheduled implements compose.Store.
func (db *DB) NextScheduled(ctx context.Context) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT coalesce(min(visible_at), 0) FROM posts WHERE status = 'scheduled'`).Scan(&at)
	return timeOf(at), err
}

// CommitDue implements compose.Store.
func (db *DB) CommitDue(ctx context.Context, post int64, status compose.PostStatus, reason string, alerts []alert.Alert, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		visible := micros(now)
		if status != compose.PostLive {
			visible = 0
		}
		n, err := tx.exec(`UPDATE posts SET status = $2, reason = $3, visible_at = $4, changed_at = $5 WHERE id = $1 AND status IN ('scheduled', 'held')`,
			post, string(status), reason, visible, micros(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return compose.ErrConflict
		}
		if status != compose.PostLive {
			return tx.alerts(alerts, nil, now)
		}
		// Its time to live begins when it may leave.
		if err := tx.run(`UPDATE publications SET expires_at = CASE WHEN expires_at > 0 THEN expires_at - (SELECT created_at FROM posts WHERE id = $1) + $2 ELSE 0 END
			WHERE post = $1`, post, micros(now)); err != nil {
			return err
		}
		return tx.openDeliveries(post, now)
	})
}

// PausedChannels implements compose.Store.
func (db *DB) PausedChannels(ctx context.Context) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	err := db.query(ctx, func(r scanner) error {
		var name string
		var since int64
		err := r.Scan(&name, &since)
		out[name] = timeOf(since)
		return err
	}, `SELECT name, since FROM pauses WHERE scope IN ('all', 'channel')`)
	return out, err
}

// WantImages implements compose.Store.
func (db *DB) WantImages(ctx context.Context, urls []string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		for _, u := range urls {
			if err := tx.run(`INSERT INTO media (url, next_at, wanted_at) VALUES ($1, $2, $2) ON CONFLICT (url) DO NOTHING`, u, micros(now)); err != nil {
				return err
			}
		}
		return nil
	})
}

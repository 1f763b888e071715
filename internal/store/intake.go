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
	"unicode/utf8"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/sdk"
)

var _ intake.Store = (*DB)(nil)

// SourceSetting is what the store has to know of a configured source.
type SourceSetting struct {
	Name string
	Poll time.Duration
	// Called says that it is called and not fetched.
	Called bool
}

// UseSources says which sources are configured. A new one is due at once, many new ones spread over a minute; a shorter
// poll interval counts at once, unless the source's server asked to wait.
func (db *DB) UseSources(ctx context.Context, sources []SourceSetting, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.run(`UPDATE sources SET configured = 0, lease = 0`); err != nil {
			return err
		}
		for i, s := range sources {
			var spread time.Duration
			if len(sources) > 50 {
				spread = time.Minute * time.Duration(i) / time.Duration(len(sources))
			}
			_, inserted, err := tx.insert(`INSERT INTO sources (name, next_at, called) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING 1`,
				s.Name, micros(now.Add(spread)), s.Called)
			if err != nil {
				return err
			}
			if inserted {
				continue
			}
			if err := tx.run(`UPDATE sources SET configured = 1, called = $3,
				next_at = CASE WHEN fetched_at > 0 AND failures = 0 THEN min(next_at, max(wait_until, fetched_at + CAST($2 AS BIGINT))) ELSE next_at END
				WHERE name = $1`, s.Name, s.Poll.Microseconds(), s.Called); err != nil {
				return err
			}
		}
		return nil
	})
}

const sourceColumns = `name, version, cursor, primed, gone, called, force, next_at, wait_until, fetched_at, ok_at, new_at, bad_since, failures, code, error, about, notices,
	EXISTS (SELECT 1 FROM holds h WHERE h.source = sources.name AND h.ended_at = 0)`

func scanSource(r scanner) (intake.State, error) {
	var st intake.State
	var next, wait, fetched, ok, fresh, bad int64
	var cursor []byte
	var about, notices string
	err := r.Scan(&st.Name, &st.Version, &cursor, &st.Primed, &st.Gone, &st.Called, &st.Force, &next, &wait, &fetched, &ok, &fresh, &bad,
		&st.Failures, &st.Code, &st.Error, &about, &notices, &st.Holds)
	if err != nil {
		return st, err
	}
	st.Cursor = cursor
	st.NextAt, st.WaitUntil, st.FetchedAt, st.OKAt, st.NewAt, st.BadSince = timeOf(next), timeOf(wait), timeOf(fetched), timeOf(ok), timeOf(fresh), timeOf(bad)
	if notices == "[]" {
		notices = "" // nearly always
	}
	return st, errors.Join(decode(about, &st.About), decode(notices, &st.Notices))
}

// dueSource holds for a source that may be fetched at $1.
const dueSource = `configured = 1 AND called = 0 AND gone <= force AND next_at <= $1 AND lease <= $1
	AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'all' OR p.scope = 'source' AND p.name = sources.name)`

// ClaimSources implements intake.Store.
func (db *DB) ClaimSources(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]intake.State, error) {
	if !db.moreSources.Load() {
		due := false
		if err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM sources WHERE `+dueSource+`)`, micros(now)).Scan(&due); err != nil || !due {
			return nil, err
		}
	}
	var out []intake.State
	err := db.Write(ctx, func(tx *Tx) error {
		out = nil
		return tx.rows(func(r scanner) error {
			st, err := scanSource(r)
			out = append(out, st)
			return err
		}, `UPDATE sources SET lease = $2 WHERE name IN (SELECT name FROM sources WHERE `+dueSource+` ORDER BY next_at LIMIT $3) RETURNING `+sourceColumns,
			micros(now), micros(now.Add(lease)), limit)
	})
	db.moreSources.Store(err == nil && len(out) == limit)
	return out, err
}

// ReleaseSource implements intake.Store.
func (db *DB) ReleaseSource(ctx context.Context, name string) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.run(`UPDATE sources SET lease = 0 WHERE name = $1`, name) })
}

// NextSource implements intake.Store.
func (db *DB) NextSource(ctx context.Context) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT coalesce(min(next_at), 0) FROM sources WHERE configured = 1 AND called = 0 AND gone <= force AND lease = 0
		AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'all' OR p.scope = 'source' AND p.name = sources.name)`).Scan(&at)
	return timeOf(at), err
}

// SourceState implements intake.Store.
func (db *DB) SourceState(ctx context.Context, name string) (intake.State, error) {
	st, err := scanSource(db.queryRow(ctx, `SELECT `+sourceColumns+` FROM sources WHERE name = $1`, name))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return st, err
}

// Sources lists the configured sources by name.
func (db *DB) Sources(ctx context.Context) ([]intake.State, error) {
	var out []intake.State
	err := db.query(ctx, func(r scanner) error {
		st, err := scanSource(r)
		out = append(out, st)
		return err
	}, `SELECT `+sourceColumns+` FROM sources WHERE configured = 1 ORDER BY name`)
	return out, err
}

const knownColumns = `i.id, i.key, i.revision, i.state, i.baseline, i.substance, i.facts, i.link, i.title_key, i.grp, i.seen_at, i.published, i.listed, i.listed_at, i.check_at`

func scanKnown(r scanner, extra ...any) (intake.Known, error) {
	var k intake.Known
	var seen, published, listed, check int64
	err := r.Scan(append([]any{&k.ID, &k.Key, &k.Revision, &k.State, &k.Baseline, &k.Substance, &k.Facts, &k.Link, &k.TitleKey, &k.Group, &seen, &published,
		&k.Listed, &listed, &check}, extra...)...)
	k.SeenAt, k.Published, k.ListedAt, k.Checking = timeOf(seen), timeOf(published), timeOf(listed), check > 0
	return k, err
}

// Found implements intake.Store.
func (db *DB) Found(ctx context.Context, source string, batch sdk.Batch) (intake.Found, error) {
	return db.found(ctx, source, batch, true)
}

// found gives what is known about a batch; listed asks also for all that the source listed last.
func (db *DB) found(ctx context.Context, source string, batch sdk.Batch, listed bool) (intake.Found, error) {
	f := intake.Found{ByKey: map[string]intake.Known{}, BlockedKeys: map[string]bool{}, BlockedLinks: map[string]bool{}}
	keys := make([]string, 0, len(batch.Items)+len(batch.Removed))
	links := []string{}
	for _, it := range batch.Items {
		keys = append(keys, it.Key)
		if link := intake.Canonical(it.URL); link != "" {
			links = append(links, link)
		}
	}
	for _, rm := range batch.Removed {
		keys = append(keys, rm.Key)
	}
	if listed {
		if err := db.query(ctx, func(r scanner) error {
			k, err := scanKnown(r)
			f.Listed = append(f.Listed, k)
			return err
		}, `SELECT `+knownColumns+` FROM items i WHERE i.source = $1 AND i.listed = 1 ORDER BY i.id`, source); err != nil {
			return f, err
		}
	}
	for _, k := range f.Listed {
		f.ByKey[k.Key] = k
	}
	if batch.Complete || len(batch.Whole) > 0 {
		if err := db.dueOfAbsent(ctx, &f, keys); err != nil {
			return f, err
		}
	}
	missing := []string{}
	for _, key := range keys {
		if _, ok := f.ByKey[key]; !ok {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		if err := db.query(ctx, func(r scanner) error {
			k, err := scanKnown(r)
			f.ByKey[k.Key] = k
			return err
		}, `SELECT `+knownColumns+` FROM items i WHERE i.source = $1 AND i.key IN @list($2)`, source, jsonList(missing)); err != nil {
			return f, err
		}
		if err := db.query(ctx, func(r scanner) error {
			var alias string
			k, err := scanKnown(r, &alias)
			f.ByKey[alias] = k
			return err
		}, `SELECT `+knownColumns+`, a.key FROM item_aliases a JOIN items i ON i.id = a.item
			WHERE a.source = $1 AND a.key IN @list($2)`, source, jsonList(missing)); err != nil {
			return f, err
		}
	}
	return f, db.query(ctx, func(r scanner) error {
		var kind, value string
		if err := r.Scan(&kind, &value); err != nil {
			return err
		}
		if kind == "key" {
			f.BlockedKeys[value] = true
		} else {
			f.BlockedLinks[value] = true
		}
		return nil
	}, `SELECT kind, value FROM blocked WHERE kind = 'key' AND source = $1 AND value IN @list($2)
		OR kind = 'link' AND source = '' AND value IN @list($3)`, source, jsonList(keys), jsonList(links))
}

// dueOfAbsent finds when what was announced happens, of the listed items that a batch does not hold.
func (db *DB) dueOfAbsent(ctx context.Context, f *intake.Found, keys []string) error {
	held := make(map[string]bool, len(keys))
	for _, k := range keys {
		held[k] = true
	}
	at := map[int64]int{}
	for i, k := range f.Listed {
		if !held[k.Key] {
			at[k.ID] = i
		}
	}
	return db.itemTimes(ctx, slices.Collect(maps.Keys(at)), func(id int64, it itemTimes) {
		i := at[id]
		f.Listed[i].Due = it.Due
		f.ByKey[f.Listed[i].Key] = f.Listed[i]
	})
}

// itemTimes are the times of an item that stand in its content alone.
type itemTimes struct {
	Updated time.Time `json:"updated"`
	Due     time.Time `json:"due"`
}

// itemTimes reads them of some items.
func (db *DB) itemTimes(ctx context.Context, ids []int64, each func(id int64, it itemTimes)) error {
	if len(ids) == 0 {
		return nil
	}
	return db.query(ctx, func(r scanner) error {
		var id int64
		var content string
		var it itemTimes
		if err := r.Scan(&id, &content); err != nil {
			return err
		}
		if err := decode(content, &it); err != nil {
			return err
		}
		each(id, it)
		return nil
	}, `SELECT id, content FROM items WHERE id IN @list($1)`, jsonList(ids))
}

// CommitIntake implements intake.Store.
func (db *DB) CommitIntake(ctx context.Context, ch intake.Change, now time.Time) error {
	about, err := encode(ch.State.About)
	if err != nil {
		return err
	}
	notices := jsonList(ch.State.Notices)
	return db.Write(ctx, func(tx *Tx) error {
		st := ch.State
		n, err := tx.exec(`UPDATE sources SET version = version + 1, cursor = $3, primed = $4, gone = $5,
			force = CASE WHEN force > $18 THEN 1 ELSE $6 END, next_at = CASE WHEN force > $18 THEN next_at ELSE $7 END, wait_until = CASE WHEN force > $18 THEN wait_until ELSE $8 END,
			fetched_at = $9, ok_at = $10, new_at = $11, failures = $12, code = $13, error = $14, about = $15, notices = $16, bad_since = $17, lease = 0
			WHERE name = $1 AND version = $2`, st.Name, st.Version, notNil(st.Cursor), st.Primed, st.Gone, st.Force, micros(st.NextAt), micros(st.WaitUntil),
			micros(st.FetchedAt), micros(st.OKAt), micros(st.NewAt), st.Failures, string(st.Code), st.Error, about, notices, micros(st.BadSince), ch.Forced)
		if err != nil {
			return err
		}
		if n == 0 {
			return intake.ErrConflict
		}
		if err := tx.intakeRows(ch, now); err != nil {
			return err
		}
		if err := tx.mapped(st.Name, ch.Mapped, ch.Forget, now); err != nil {
			return err
		}
		return tx.alerts(ch.Alerts, ch.Resolve, now)
	})
}

func (tx *Tx) intakeRows(ch intake.Change, now time.Time) error {
	var flood any
	for _, h := range ch.Holds {
		id, _, err := tx.insert(`INSERT INTO holds (source, kind, note, reason, at) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			ch.State.Name, string(h.Kind), h.Note, h.Reason, micros(now))
		if err != nil {
			return err
		}
		if h.Kind != intake.HoldRemoval {
			flood = id
		}
		for _, item := range h.Removals {
			if err := tx.run(`INSERT INTO held_removals (hold, item) VALUES ($1, $2)`, id, item); err != nil {
				return err
			}
		}
	}
	for _, in := range ch.Inserts {
		if !utf8.ValidString(in.Item.Key) || strings.ContainsRune(in.Item.Key, 0) {
			return fmt.Errorf("store: the key %q of source %s is no text", in.Item.Key, ch.State.Name) // it could not be found again
		}
		content, err := encode(in.Item)
		if err != nil {
			return err
		}
		var hold any
		if in.State == intake.Held {
			hold = flood
		}
		if err := tx.run(`INSERT INTO items (source, key, state, baseline, substance, facts, content, link, title_key, seen_at, changed_at, published,
			not_before, listed_at, hold, changed, url, grp) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $10, $13, $14, $15, $16)`,
			ch.State.Name, in.Item.Key, string(in.State), in.Baseline, in.Substance, in.Facts, content, in.Link, in.TitleKey, micros(in.SeenAt),
			micros(in.Item.Published), micros(in.NotBefore), hold, in.State == intake.Live, in.Item.URL, in.Item.Group); err != nil {
			return err
		}
	}
	shown := []int64{}
	moved := slices.ContainsFunc(ch.Inserts, func(in intake.Insert) bool { return in.Item.Event != nil })
	for _, u := range ch.Updates {
		changed, err := tx.updateItem(ch.State.Name, u, now)
		if err != nil {
			return err
		}
		moved = moved || changed
		if u.Listed && !u.ListedAt.IsZero() {
			shown = append(shown, u.ID)
		}
	}
	if moved {
		if err := tx.eventsMoved(ch.State.Name); err != nil {
			return err
		}
	}
	return tx.shownAgain(ch.State.Name, shown, now)
}

// shownAgain ends the held withdrawals of items that their source shows again.
func (tx *Tx) shownAgain(source string, items []int64, now time.Time) error {
	if len(items) == 0 {
		return nil
	}
	n, err := tx.exec(`DELETE FROM held_removals WHERE item IN @list($1) AND hold IN (SELECT id FROM holds WHERE source = $2 AND ended_at = 0)`, jsonList(items), source)
	if err != nil || n == 0 {
		return err
	}
	if err := tx.run(`UPDATE holds SET ended_at = $2 WHERE source = $1 AND ended_at = 0 AND kind = 'removal'
		AND NOT EXISTS (SELECT 1 FROM held_removals r WHERE r.hold = holds.id)`, source, micros(now)); err != nil {
		return err
	}
	return tx.run(`UPDATE alerts SET resolved_at = $2 WHERE code = $3 AND subject = $1 AND resolved_at = 0
		AND NOT EXISTS (SELECT 1 FROM holds WHERE source = $1 AND ended_at = 0)`, source, micros(now), string(alert.SourceHeld))
}

// updateItem changes an item. It reports whether its content or its state is another one.
func (tx *Tx) updateItem(source string, u intake.Update, now time.Time) (changed bool, err error) {
	if u.Item != nil {
		content, err := encode(u.Item)
		if err != nil {
			return false, err
		}
		revises := 0
		if u.Revises {
			revises = 1
		}
		n, err := tx.exec(`UPDATE items SET content = $2, substance = $3, facts = $4, link = $5, title_key = $6, not_before = $7, published = $8, url = $11, grp = $12,
			revision = revision + CAST($9 AS BIGINT), changed_at = CASE WHEN $9 = 1 THEN $10 ELSE changed_at END, changed = changed + 1 WHERE id = $1 AND state <> 'blocked'`,
			u.ID, content, u.Substance, u.Facts, u.Link, u.TitleKey, micros(u.NotBefore), micros(u.Item.Published), revises, micros(now), u.Item.URL, u.Item.Group)
		if err != nil {
			return false, err
		}
		changed = n > 0
	}
	if u.State == intake.Removed || u.State == intake.Live {
		// A withdrawal, or its end, is for the channels to look at.
		n, err := tx.exec(`UPDATE items SET state = $2, reason = $3, changed = changed + 1 WHERE id = $1 AND state NOT IN ('blocked', 'held', $2)`,
			u.ID, string(u.State), u.Reason)
		if err != nil {
			return false, err
		}
		changed = changed || n > 0
		if u.State == intake.Removed {
			n, err := tx.exec(`UPDATE items SET state = 'removed', reason = $2, hold = NULL WHERE id = $1 AND state = 'held'`, u.ID, u.Reason)
			if err != nil {
				return false, err
			}
			changed = changed || n > 0
		}
	}
	if !u.ListedAt.IsZero() {
		if err := tx.run(`UPDATE items SET listed = $2, listed_at = CASE WHEN $2 THEN $3 ELSE listed_at END WHERE id = $1`, u.ID, u.Listed, micros(u.ListedAt)); err != nil {
			return false, err
		}
	}
	if u.SetCheck {
		if err := tx.run(`UPDATE items SET check_at = $2, gone_at = $3, gone_reason = $4 WHERE id = $1`, u.ID, micros(u.CheckAt), micros(u.GoneAt), u.GoneReason); err != nil {
			return false, err
		}
	}
	if u.Alias != "" {
		return changed, tx.run(`INSERT INTO item_aliases (source, key, item) VALUES ($1, $2, $3) ON CONFLICT (source, key) DO UPDATE SET item = excluded.item`,
			source, u.Alias, u.ID)
	}
	return changed, nil
}

// DueChecks implements intake.Store.
func (db *DB) DueChecks(ctx context.Context, now time.Time, limit int) (string, []intake.Check, error) {
	var source string
	err := db.queryRow(ctx, `SELECT i.source FROM items i JOIN sources s ON s.name = i.source AND s.configured = 1
		WHERE i.check_at > 0 AND i.check_at <= $1 AND i.state = 'live'
		AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'all' OR p.scope = 'source' AND p.name = i.source)
		ORDER BY i.check_at LIMIT 1`, micros(now)).Scan(&source)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	var out []intake.Check
	err = db.query(ctx, func(r scanner) error {
		var c intake.Check
		var seen, gone int64
		err := r.Scan(&c.ID, &c.Key, &c.URL, &seen, &gone)
		c.SeenAt, c.GoneAt = timeOf(seen), timeOf(gone)
		out = append(out, c)
		return err
	}, `SELECT id, key, url, seen_at, gone_at FROM items
		WHERE source = $1 AND check_at > 0 AND check_at <= $2 AND state = 'live' ORDER BY check_at LIMIT $3`, source, micros(now), limit)
	return source, out, err
}

// WatchedItems implements intake.Store.
func (db *DB) WatchedItems(ctx context.Context, source string, since time.Time) (int, error) {
	n := 0
	err := db.queryRow(ctx, `SELECT count(*) FROM items WHERE source = $1 AND seen_at >= $2 AND state = 'live'`, source, micros(since)).Scan(&n)
	return n, err
}

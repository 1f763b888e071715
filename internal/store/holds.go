package store

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// FetchNow makes a source due at once; force makes the fetch unconditional and also tries a source that said it is gone.
func (db *DB) FetchNow(ctx context.Context, source string, force bool, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE sources SET next_at = $2, wait_until = 0, force = max(force, $3) WHERE name = $1 AND configured = 1`, source, micros(now), force)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
}

// OpenHold is what the flood brake of a source holds.
type OpenHold struct {
	ID           int64
	Source, Kind string
	Note         string
	At           time.Time
	Items        []HeldItem
}

// HeldItem is an item that is held, or whose withdrawal is.
type HeldItem struct {
	ID         int64
	Key, Title string
	URL        string
}

// Holds lists what is held of a source; of all sources when the name is empty.
func (db *DB) Holds(ctx context.Context, source string) ([]OpenHold, error) {
	var out []OpenHold
	at := map[int64]int{}
	err := db.query(ctx, func(r scanner) error {
		var h OpenHold
		var since int64
		err := r.Scan(&h.ID, &h.Source, &h.Kind, &h.Note, &since)
		h.At = timeOf(since)
		at[h.ID] = len(out)
		out = append(out, h)
		return err
	}, `SELECT id, source, kind, note, at FROM holds WHERE ended_at = 0 AND (source = $1 OR $1 = '') ORDER BY id`, source)
	if err != nil || len(out) == 0 {
		return out, err
	}
	return out, db.query(ctx, func(r scanner) error {
		var hold int64
		var it HeldItem
		var content string
		if err := r.Scan(&hold, &it.ID, &it.Key, &content); err != nil {
			return err
		}
		var item sdk.Item
		if err := decode(content, &item); err != nil {
			return err
		}
		it.Title, it.URL = item.Title, item.URL
		if i, ok := at[hold]; ok {
			out[i].Items = append(out[i].Items, it)
		}
		return nil
	}, `SELECT i.hold, i.id, i.key, i.content FROM items i JOIN holds h ON h.id = i.hold WHERE h.ended_at = 0 AND i.state = 'held' AND (h.source = $1 OR $1 = '')
		UNION ALL SELECT r.hold, i.id, i.key, i.content FROM held_removals r JOIN holds h ON h.id = r.hold JOIN items i ON i.id = r.item
		WHERE h.ended_at = 0 AND (h.source = $1 OR $1 = '') ORDER BY 1, 2`, source)
}

// ReleaseSourceHolds ends the holds of a source: held items come to life, or, with drop, are known and never used; held
// withdrawals are carried out, or, with drop, forgotten. It says how many items that touched.
func (db *DB) ReleaseSourceHolds(ctx context.Context, source string, drop bool, actor string, now time.Time) (int, error) {
	total := int64(0)
	err := db.Write(ctx, func(tx *Tx) error {
		total = 0
		n, err := tx.exec(`UPDATE items SET state = 'live', baseline = CASE WHEN $2 THEN 1 ELSE baseline END, hold = NULL, seen_at = $3, changed_at = $3, changed = changed + 1
			WHERE state = 'held' AND hold IN (SELECT id FROM holds WHERE source = $1 AND ended_at = 0)`, source, drop, micros(now))
		if err != nil {
			return err
		}
		total = n
		if !drop {
			n, err = tx.exec(`UPDATE items SET state = 'removed', reason = (SELECT h.reason FROM held_removals r JOIN holds h ON h.id = r.hold
				WHERE r.item = items.id AND h.ended_at = 0 LIMIT 1), changed = changed + 1 WHERE state = 'live'
				AND id IN (SELECT r.item FROM held_removals r JOIN holds h ON h.id = r.hold WHERE h.source = $1 AND h.ended_at = 0)`, source)
			if err != nil {
				return err
			}
			total += n
			if n > 0 {
				if err := tx.eventsMoved(source); err != nil {
					return err
				}
			}
		}
		if err := tx.run(`UPDATE holds SET ended_at = $2, released = $3 WHERE source = $1 AND ended_at = 0`, source, micros(now), !drop); err != nil {
			return err
		}
		if err := tx.run(`UPDATE sources SET version = version + 1 WHERE name = $1`, source); err != nil {
			return err
		}
		act := "release source"
		if drop {
			act = "drop held items"
		}
		if err := tx.act(actor, act, fmt.Sprintf("%s: %d items", source, total), now); err != nil {
			return err
		}
		return tx.alerts(nil, []alert.Key{{Code: alert.SourceHeld, Subject: source}}, now)
	})
	return int(total), err
}

// resolveExpressions ends the alerts about expressions below a place of the configuration.
func (tx *Tx) resolveExpressions(place string, now time.Time) error {
	return tx.run(`UPDATE alerts SET resolved_at = $2 WHERE code = $1 AND resolved_at = 0 AND substr(subject, 1, length($3)) = $3`,
		string(alert.ExpressionFailed), micros(now), place)
}

// KeepExpressionAlerts implements compose.Store.
func (db *DB) KeepExpressionAlerts(ctx context.Context, subjects []string, now time.Time) error {
	open := false
	err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM alerts WHERE code = $1 AND resolved_at = 0)`, string(alert.ExpressionFailed)).Scan(&open)
	if err != nil || !open {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE alerts SET resolved_at = $2 WHERE code = $1 AND resolved_at = 0 AND subject NOT IN @list($3)`,
			string(alert.ExpressionFailed), micros(now), jsonList(append([]string{}, subjects...)))
	})
}

// ReleaseHeld lets go what a blackout held in a channel, or what an expression held by failing, or drops it. It says how
// many items and copies that touched.
func (db *DB) ReleaseHeld(ctx context.Context, channel string, drop bool, actor string, now time.Time) (int, error) {
	total := int64(0)
	err := db.Write(ctx, func(tx *Tx) error {
		total = 0
		at := micros(now)
		add := func(n int64, err error) error {
			total += n
			return err
		}
		if drop {
			if err := add(tx.exec(`UPDATE channel_items SET state = 'left_out', reason = $2 WHERE channel = $1 AND state = 'held'`, channel, string(compose.ReasonDropped))); err != nil {
				return err
			}
			if err := add(tx.exec(`UPDATE deliveries SET state = 'dropped', settled_at = $2, reason = 'dropped' WHERE state = 'held'
				AND publication IN (SELECT id FROM publications WHERE channel = $1 AND state = 'held')`, channel, at)); err != nil {
				return err
			}
			if err := tx.run(`UPDATE publications SET state = 'dropped', version = version + 1 WHERE channel = $1 AND state = 'held'`, channel); err != nil {
				return err
			}
			if err := add(tx.exec(`UPDATE posts SET status = 'withdrawn', reason = 'dropped', visible_at = 0 WHERE channel = $1 AND status = 'held'`, channel)); err != nil {
				return err
			}
		} else {
			if err := add(tx.exec(`UPDATE channel_items SET state = 'waiting', reason = '', released = 1, since = $2 WHERE channel = $1 AND state = 'held'`, channel, at)); err != nil {
				return err
			}
			if err := add(tx.exec(`UPDATE deliveries SET state = 'pending', next_at = $2, code = '', error = '' WHERE state = 'held'
				AND publication IN (SELECT id FROM publications WHERE channel = $1 AND state = 'held')`, channel, at)); err != nil {
				return err
			}
			if err := tx.run(`UPDATE publications SET state = 'open', reason = '', released = 1, version = version + 1, expires_at = CASE WHEN expires_at > 0 THEN max(expires_at, $2 + 86400000000) ELSE 0 END
				WHERE channel = $1 AND state = 'held'`, channel, at); err != nil {
				return err
			}
			// Its copies are released with it: the blackout still lasts when they leave.
			if err := tx.run(`UPDATE publications SET released = 1, version = version + 1 WHERE post IN (SELECT id FROM posts WHERE channel = $1 AND status = 'held')`,
				channel); err != nil {
				return err
			}
			if err := add(tx.exec(`UPDATE posts SET status = 'scheduled', visible_at = $2, reason = 'released' WHERE channel = $1 AND status = 'held'`, channel, at)); err != nil {
				return err
			}
		}
		act := "release held posts"
		if drop {
			act = "drop held posts"
		}
		if err := tx.act(actor, act, fmt.Sprintf("%s: %d", channel, total), now); err != nil {
			return err
		}
		if err := tx.resolveExpressions("channels."+channel+".", now); err != nil {
			return err
		}
		return tx.alerts(nil, []alert.Key{{Code: alert.HeldForRelease, Subject: channel}}, now)
	})
	return int(total), err
}

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/store"
)

// What left after a backup was taken would leave again once the backup is in use, since the backup does not know of it.
// So a backup is marked as one and paused, and whoever opens it as a database, restored by command or copied by hand, holds
// all that may have left for a person first. Only statements that every schema knows are used here.

// markBackup pauses a copy and notes when it was taken.
func markBackup(ctx context.Context, db *sql.DB, at time.Time) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		return run(ctx, tx,
			statement{`INSERT INTO pauses (scope, name, since) VALUES ('all', '', ?1) ON CONFLICT (scope, name) DO UPDATE SET since = excluded.since`, []any{at.UnixMicro()}},
			statement{`INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, []any{store.MetaBackup, at.Format(time.RFC3339)}})
	})
}

// takenAt is when a backup was taken; false for a database that is none.
func takenAt(ctx context.Context, db *sql.DB) (time.Time, bool, error) {
	var text string
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = ?1`, store.MetaBackup).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, err
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil, err
}

// HeldBack counts what was held because it may have left since a backup was taken.
type HeldBack struct {
	// Items wait in a channel, Posts were planned, Copies were about to leave, and Unknown calls were under way.
	Items   int `json:"items"`
	Posts   int `json:"posts"`
	Copies  int `json:"copies"`
	Unknown int `json:"unknown"`
	// Messages to people waited or were under way.
	Messages int `json:"messages"`
	// Channels and Sources have something held.
	Channels []string `json:"channels"`
	Sources  []string `json:"sources"`
}

type statement struct {
	text string
	args []any
}

func run(ctx context.Context, tx *sql.Tx, list ...statement) error {
	for _, s := range list {
		if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
			return fmt.Errorf("%w in %q", err, s.text)
		}
	}
	return nil
}

func changed(ctx context.Context, tx *sql.Tx, text string, args ...any) (int, error) {
	res, err := tx.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, fmt.Errorf("%w in %q", err, text)
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// comeBack makes a database of a backup: all of it is paused, and what may have left since taken is held for a person.
func comeBack(ctx context.Context, db *sql.DB, taken, now time.Time) (HeldBack, error) {
	h := HeldBack{Channels: []string{}, Sources: []string{}}
	err := inTx(ctx, db, func(tx *sql.Tx) error {
		c := comingBack{tx: tx, taken: taken, now: now, held: &h}
		for _, step := range []func(context.Context) error{c.copies, c.posts, c.items, c.sources, c.channels, c.messages, c.told} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return h, err
}

type comingBack struct {
	tx         *sql.Tx
	taken, now time.Time
	held       *HeldBack
}

func (c *comingBack) since() string { return c.taken.UTC().Format("2006-01-02 15:04 MST") }

// copies holds what was about to leave, besides withdrawals, which do no harm twice.
func (c *comingBack) copies(ctx context.Context) (err error) {
	if c.held.Unknown, err = changed(ctx, c.tx, `UPDATE deliveries SET state = 'unknown', batch = NULL, code = 'unknown_outcome', error = 'the backup was taken while the call was under way'
		WHERE state = 'started'`); err != nil {
		return err
	}
	if c.held.Copies, err = changed(ctx, c.tx, `UPDATE deliveries SET state = 'held', batch = NULL, reason = 'restored' WHERE state = 'pending'
		AND publication IN (SELECT id FROM publications WHERE gone = 0)`); err != nil {
		return err
	}
	return run(ctx, c.tx, statement{`UPDATE deliveries SET batch = NULL`, nil}, statement{`DELETE FROM batches`, nil},
		statement{`UPDATE publications SET state = 'held', reason = 'restored', version = version + 1
			WHERE id IN (SELECT publication FROM deliveries WHERE state = 'held' AND reason = 'restored')`, nil})
}

// posts holds editors' posts that were planned for a time which has come.
func (c *comingBack) posts(ctx context.Context) (err error) {
	c.held.Posts, err = changed(ctx, c.tx, `UPDATE posts SET status = 'held', reason = 'restored', visible_at = 0, changed_at = ?1 WHERE status = 'scheduled' AND visible_at <= ?1`, c.now.UnixMicro())
	return err
}

// items holds what waited in channels, and what channels had not looked at.
func (c *comingBack) items(ctx context.Context) error {
	waiting, err := changed(ctx, c.tx, `UPDATE channel_items SET state = 'held', reason = 'restored' WHERE state = 'waiting'`)
	if err != nil {
		return err
	}
	c.held.Items = waiting
	// An item that was left out may have been revised since so that it was posted after all.
	if err := run(ctx, c.tx, statement{`UPDATE channel_items SET reason = 'restored' WHERE state = 'left_out' AND reason IN ('where', 'withdrawn', 'duplicate')
		AND item IN (SELECT id FROM items WHERE listed = 1 OR changed > 0)`, nil}); err != nil {
		return err
	}
	const unseen = `items.state = 'live' AND items.baseline = 0 AND items.changed > 0 AND NOT EXISTS (SELECT 1 FROM channel_items ci WHERE ci.item = items.id)`
	rows, err := c.tx.QueryContext(ctx, `SELECT DISTINCT source FROM items WHERE `+unseen+` ORDER BY source`)
	if err != nil {
		return err
	}
	sources, err := texts(rows)
	if err != nil {
		return err
	}
	for _, source := range sources {
		note := "the database came from a backup of " + c.since() + ", and these items may have been posted since"
		if err := run(ctx, c.tx, statement{`INSERT INTO holds (source, kind, note, at) VALUES (?1, 'flood', ?2, ?3)`, []any{source, note, c.now.UnixMicro()}}); err != nil {
			return err
		}
		n, err := changed(ctx, c.tx, `UPDATE items SET state = 'held', changed = 0, hold = (SELECT max(id) FROM holds) WHERE source = ?1 AND `+unseen, source)
		if err != nil {
			return err
		}
		c.held.Items += n
		if err := c.raise(ctx, alert.SourceHeld, source, "source "+source+": "+note+"; they are held and nothing of them is posted",
			fmt.Sprintf("look: belfry source list %s; post them: belfry source release %s; never post them: belfry source release %s --drop", source, source, source)); err != nil {
			return err
		}
	}
	c.held.Sources = append(c.held.Sources, sources...)
	return nil
}

// sources lets the next fetch of each source hold what is new: it may have been posted since.
func (c *comingBack) sources(ctx context.Context) error {
	rows, err := c.tx.QueryContext(ctx, `SELECT name FROM sources ORDER BY name`)
	if err != nil {
		return err
	}
	names, err := texts(rows)
	if err != nil {
		return err
	}
	text, err := json.Marshal(store.ComeBack{Taken: c.taken.UTC(), At: c.now.UTC(), Sources: slices.Concat([]string{}, names)})
	if err != nil {
		return err
	}
	return run(ctx, c.tx, statement{`UPDATE sources SET lease = 0`, nil},
		statement{`INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, []any{store.MetaComeBack, string(text)}},
		statement{`DELETE FROM meta WHERE name = ?1`, []any{store.MetaBackup}})
}

// channels tells of the channels in which something is held.
func (c *comingBack) channels(ctx context.Context) error {
	rows, err := c.tx.QueryContext(ctx, `SELECT channel FROM channel_items WHERE state = 'held' AND reason = 'restored' UNION SELECT channel FROM posts WHERE status = 'held' AND reason = 'restored'
		UNION SELECT channel FROM publications WHERE state = 'held' AND reason = 'restored' ORDER BY 1`)
	if err != nil {
		return err
	}
	names, err := texts(rows)
	if err != nil {
		return err
	}
	c.held.Channels = append(c.held.Channels, names...)
	for _, name := range names {
		if err := c.raise(ctx, alert.HeldForRelease, name,
			fmt.Sprintf("channel %s: the database came from a backup of %s, and what waited then may have been posted since; it is held until a person says", name, c.since()),
			fmt.Sprintf("look: belfry post list --channel %s --held, and belfry plan; post it: belfry post release --channel %s; it has left, or is not wanted: add --drop", name, name)); err != nil {
			return err
		}
	}
	return nil
}

// messages holds what was about to be written to people, and lets nothing be made of what was shown or due before now. What
// people wrote before the backup was worked on since: a wish to follow of then must not count after a withdrawal since.
func (c *comingBack) messages(ctx context.Context) (err error) {
	var there bool
	if err := c.tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'message_batches')`).Scan(&there); err != nil || !there {
		return err // a backup by a Belfry that wrote to nobody
	}
	if err := run(ctx, c.tx,
		statement{`UPDATE messages SET state = 'unknown' WHERE state = 'pending' AND next_at = 0
			AND (stream, person) IN (SELECT b.stream, j.value FROM message_batches b, json_each(b.people) j WHERE j.key < b.started)`, nil},
		statement{`UPDATE messages SET reason = 'restored' WHERE state = 'unknown'`, nil},
		statement{`DELETE FROM message_batches`, nil}); err != nil {
		return err
	}
	if c.held.Messages, err = changed(ctx, c.tx, `UPDATE messages SET state = 'held', reason = 'restored', next_at = 0 WHERE state = 'pending'`); err != nil {
		return err
	}
	if err := run(ctx, c.tx,
		statement{`UPDATE streams SET whole = 1 WHERE whole = 0`, nil},
		statement{`UPDATE streams SET claimed = fanned WHERE state = 'open'`, nil},
		statement{`UPDATE inbox SET outcome = 'restored', sealed = x'' WHERE outcome = ''`, nil},
		statement{`DELETE FROM signups`, nil},
		statement{`UPDATE meta SET value = ?1 WHERE name = 'messages.looked' OR name LIKE 'messages.since.%'`, []any{c.now.UTC().Format(time.RFC3339Nano)}}); err != nil {
		return err
	}
	if c.held.Messages == 0 {
		return nil
	}
	return c.raise(ctx, alert.MessagesHeld, "restored", fmt.Sprintf("the database came from a backup of %s, and messages to people that waited then may have been sent since; they are held until a person says",
		c.since()), "look at them: belfry message held; let them go: belfry message release NUMBER")
}

// told pauses everything and says why.
func (c *comingBack) told(ctx context.Context) error {
	sentence := fmt.Sprintf("the database came from a backup of %s; everything is paused, because what left since then would leave again", c.since())
	if err := run(ctx, c.tx,
		statement{`INSERT INTO pauses (scope, name, since) VALUES ('all', '', ?1) ON CONFLICT (scope, name) DO UPDATE SET since = excluded.since`, []any{c.now.UnixMicro()}},
		statement{`INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, []any{store.MetaPauseReason, sentence}},
		statement{`INSERT INTO acts (at, actor, act, detail) VALUES (?1, 'belfry', 'come back from a backup', ?2)`, []any{c.now.UnixMicro(), c.since()}}); err != nil {
		return err
	}
	return c.raise(ctx, alert.StoreRestored, "store", sentence,
		"look at what is held: belfry status, belfry alert list; release or drop it; then go on: belfry resume all")
}

func (c *comingBack) raise(ctx context.Context, code alert.Code, subject, sentence, mend string) error {
	return run(ctx, c.tx, statement{`INSERT INTO alerts (code, subject, sentence, mend, first_at, last_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
		ON CONFLICT (code, subject) WHERE resolved_at = 0 DO UPDATE SET sentence = excluded.sentence, mend = excluded.mend, last_at = excluded.last_at, count = count + 1`,
		[]any{string(code), subject, sentence, mend, c.now.UnixMicro()}})
}

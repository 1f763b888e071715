package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// Held counts what a name of the configuration holds in the store.
type Held struct {
	// Kind is "channel", "source", "destination" or "notice".
	Kind, Name string
	Posts      int
	Items      int
	Copies     int
	// Grants counts the active grants of people to a channel or notice.
	Grants int
}

// Held lists every name that the store holds something for.
func (db *DB) Held(ctx context.Context) ([]Held, error) {
	var out []Held
	add := func(kind string, into func(*Held) *int) func(scanner) error {
		return func(r scanner) error {
			h := Held{Kind: kind}
			err := r.Scan(&h.Name, into(&h))
			out = append(out, h)
			return err
		}
	}
	if err := db.query(ctx, add("channel", func(h *Held) *int { return &h.Posts }), `SELECT channel, count(*) FROM posts GROUP BY channel ORDER BY channel`); err != nil {
		return nil, err
	}
	if err := db.query(ctx, add("source", func(h *Held) *int { return &h.Items }),
		`SELECT i.source, count(*) FROM items i WHERE EXISTS (SELECT 1 FROM post_items pi WHERE pi.item = i.id) GROUP BY i.source ORDER BY i.source`); err != nil {
		return nil, err
	}
	if err := db.query(ctx, func(r scanner) error {
		h := Held{}
		if err := r.Scan(&h.Kind, &h.Name, &h.Grants); err != nil {
			return err
		}
		if i := slices.IndexFunc(out, func(o Held) bool { return o.Kind == h.Kind && o.Name == h.Name }); i >= 0 {
			out[i].Grants = h.Grants
		} else {
			out = append(out, h)
		}
		return nil
	}, `SELECT kind, name, count(*) FROM grants WHERE state = 'active' GROUP BY kind, name ORDER BY kind, name`); err != nil {
		return nil, err
	}
	return out, db.query(ctx, add("destination", func(h *Held) *int { return &h.Copies }),
		`SELECT u.destination, count(*) FROM publications u WHERE EXISTS (SELECT 1 FROM parts p WHERE p.publication = u.id) OR u.state = 'open'
		GROUP BY u.destination ORDER BY u.destination`)
}

// Rename gives what a name holds to another name. Nothing happens when the old name holds nothing, or was renamed before.
func (db *DB) Rename(ctx context.Context, kind, from, to string, now time.Time) error {
	statements := map[string][]string{
		"channel": {
			`UPDATE posts SET channel = $2 WHERE channel = $1`,
			`UPDATE OR IGNORE channel_items SET channel = $2 WHERE channel = $1`,
			`UPDATE publications SET channel = $2, version = version + 1 WHERE channel = $1`,
			`UPDATE OR IGNORE channels SET name = $2 WHERE name = $1`,
			`UPDATE OR IGNORE schedules SET name = 'digest:' || $2 WHERE name = 'digest:' || $1`,
			`UPDATE OR IGNORE occurrences SET schedule = 'digest:' || $2 WHERE schedule = 'digest:' || $1`,
			`UPDATE OR IGNORE pauses SET name = $2 WHERE scope = 'channel' AND name = $1`,
			`UPDATE OR IGNORE grants SET name = $2 WHERE kind = 'channel' AND name = $1`,
			`UPDATE OR IGNORE suppressions SET name = 'channel ' || $2 WHERE scope = 'purpose' AND name = 'channel ' || $1`,
			`UPDATE streams SET purpose = 'channel ' || $2 WHERE purpose = 'channel ' || $1`,
			`UPDATE OR IGNORE sent_days SET purpose = 'channel ' || $2 WHERE purpose = 'channel ' || $1`,
			`UPDATE OR REPLACE audiences SET purpose = 'channel ' || $2 WHERE purpose = 'channel ' || $1`,
			`UPDATE OR REPLACE meta SET name = 'messages.since.' || $2 || substr(name, length('messages.since.' || $1) + 1)
				WHERE substr(name, 1, length('messages.since.' || $1 || '/')) = 'messages.since.' || $1 || '/'`,
		},
		"source": {
			`UPDATE OR IGNORE items SET source = $2 WHERE source = $1`,
			`UPDATE OR IGNORE item_aliases SET source = $2 WHERE source = $1`,
			`UPDATE OR IGNORE blocked SET source = $2 WHERE source = $1`,
			`UPDATE holds SET source = $2 WHERE source = $1`,
			`UPDATE raw_webhooks SET source = $2 WHERE source = $1`,
			`UPDATE OR IGNORE webhook_ids SET source = $2 WHERE source = $1`,
			`DELETE FROM sources WHERE name = $2 AND primed = 0 AND EXISTS (SELECT 1 FROM sources WHERE name = $1)`,
			`UPDATE OR IGNORE sources SET name = $2 WHERE name = $1`,
			`UPDATE OR IGNORE pauses SET name = $2 WHERE scope = 'source' AND name = $1`,
		},
		"destination": {
			`UPDATE OR IGNORE publications SET destination = $2, version = version + 1 WHERE destination = $1`,
			`UPDATE deliveries SET destination = $2 WHERE destination = $1`,
			`UPDATE OR IGNORE lanes SET destination = $2 WHERE destination = $1`,
			`UPDATE OR IGNORE rates SET destination = $2 WHERE destination = $1`,
			`DELETE FROM destinations WHERE name = $2`,
			`UPDATE OR IGNORE destinations SET name = $2 WHERE name = $1`,
			`UPDATE OR IGNORE pauses SET name = $2 WHERE scope = 'destination' AND name = $1`,
			`UPDATE OR IGNORE streams SET destination = $2 WHERE destination = $1`,
			`UPDATE message_batches SET destination = $2 WHERE destination = $1`,
			`UPDATE OR REPLACE listeners SET name = $2 WHERE name = $1`,
			`UPDATE OR IGNORE inbox SET connection = $2 WHERE connection = $1`,
			`UPDATE meta SET value = $2 WHERE value = $1 AND substr(name, 1, length('writer.')) = 'writer.'`,
			`UPDATE OR REPLACE meta SET name = substr(name, 1, length(name) - length($1)) || $2
				WHERE substr(name, 1, length('messages.since.')) = 'messages.since.' AND substr(name, -length('/' || $1)) = '/' || $1`,
		},
	}[kind]
	exists := map[string]string{
		"channel": `SELECT EXISTS (SELECT 1 FROM channels WHERE name = $1) OR EXISTS (SELECT 1 FROM posts WHERE channel = $1) OR
			EXISTS (SELECT 1 FROM grants WHERE kind = 'channel' AND name = $1)`,
		"source": `SELECT EXISTS (SELECT 1 FROM sources WHERE name = $1)`,
		"destination": `SELECT EXISTS (SELECT 1 FROM publications WHERE destination = $1) OR EXISTS (SELECT 1 FROM streams WHERE destination = $1) OR
			EXISTS (SELECT 1 FROM listeners WHERE name = $1) OR EXISTS (SELECT 1 FROM inbox WHERE connection = $1)`,
	}[kind]
	if exists == "" {
		return fmt.Errorf("store: a %s cannot be renamed", kind)
	}
	has := false
	if err := db.queryRow(ctx, exists, from).Scan(&has); err != nil || !has {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		for _, text := range statements {
			args := []any{from, to}
			if err := tx.run(text, args...); err != nil {
				return err
			}
		}
		if kind == "channel" {
			// The journal of withdrawals keeps the old name.
			if err := tx.run(`DELETE FROM meta WHERE name = $1`, consent.RenamedMark+to); err != nil {
				return err
			}
			if err := (people{tx}).SetMark(consent.RenamedMark+from, to+" "+now.UTC().Format(time.RFC3339Nano)); err != nil {
				return err
			}
		}
		return tx.act("configuration", "rename "+kind, from+" → "+to, now)
	})
}

// act records what somebody did.
func (tx *Tx) act(actor, act, detail string, now time.Time) error {
	return tx.run(`INSERT INTO acts (at, actor, act, detail) VALUES ($1, $2, $3, $4)`, micros(now), actor, act, detail)
}

// Configuration is the configuration that was last applied, masked.
type Configuration struct {
	Generation int
	AppliedAt  time.Time
	Tree       map[string]any
	// Outside are the settings that came from flags or the environment of the daemon, as dotted paths.
	Outside []string
	// Key is of the marks in Tree that stand for what is masked; nil when none was ever made.
	Key []byte
}

// Applied gives the configuration that was last applied; ErrNotFound when none was.
func (db *DB) Applied(ctx context.Context) (Configuration, error) {
	var c Configuration
	var at int64
	var tree, outside string
	err := notFound(db.queryRow(ctx, `SELECT generation, applied_at, tree, outside FROM configurations ORDER BY generation DESC LIMIT 1`).
		Scan(&c.Generation, &at, &tree, &outside))
	if err != nil {
		return c, err
	}
	c.AppliedAt = timeOf(at)
	if err := decode(tree, &c.Tree); err != nil {
		return c, err
	}
	err = decode(outside, &c.Outside)
	if len(c.Outside) == 0 {
		c.Outside = nil
	}
	if err != nil {
		return c, err
	}
	// Whoever only looks makes no key.
	var key string
	if err := notFound(db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, "secret."+configurationKey).Scan(&key)); err != nil {
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return c, err
	}
	c.Key, err = hex.DecodeString(key)
	return c, err
}

// Apply records a configuration, masked, as applied, and gives its generation. The same as before keeps its generation.
// outside are the paths of what came from flags or the environment.
func (db *DB) Apply(ctx context.Context, tree map[string]any, now time.Time, outside ...string) (int, error) {
	text, err := encode(tree)
	if err != nil {
		return 0, err
	}
	paths := jsonList(outside)
	generation := 0
	err = db.Write(ctx, func(tx *Tx) error {
		var last string
		err := notFound(tx.row(`SELECT generation, tree FROM configurations ORDER BY generation DESC LIMIT 1`).Scan(&generation, &last))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if last == text {
			return tx.run(`UPDATE configurations SET outside = $2 WHERE generation = $1 AND outside <> $2`, generation, paths)
		}
		generation++
		return tx.run(`INSERT INTO configurations (generation, applied_at, tree, outside) VALUES ($1, $2, $3, $4)`, generation, micros(now), text, paths)
	})
	return generation, err
}

// DestinationSetting is what the store has to know of a configured destination.
type DestinationSetting struct {
	Name string
	// Fingerprint changes when anything about the destination does, its credential included; it tells nothing of it.
	Fingerprint string
}

// UseDestinations notes the configured destinations. One that was stopped and is configured differently now is given
// another chance.
func (db *DB) UseDestinations(ctx context.Context, list []DestinationSetting) error {
	return db.Write(ctx, func(tx *Tx) error {
		for _, d := range list {
			n, err := tx.exec(`INSERT INTO destinations (name, fingerprint) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint,
				stopped_at = 0, paused_until = 0, failures = 0, failing_since = 0, code = '', error = '' WHERE destinations.fingerprint <> excluded.fingerprint`,
				d.Name, d.Fingerprint)
			if err != nil {
				return err
			}
			if n > 0 {
				if err := tx.run(`UPDATE lanes SET stopped_at = 0, ready_at = 0, resolved_at = 0, code = '', error = '' WHERE destination = $1`, d.Name); err != nil {
					return err
				}
				// What trouble put off is due as it was.
				if err := tx.run(`UPDATE deliveries SET next_at = min(next_at, started_at) WHERE destination = $1 AND state = 'pending' AND batch IS NULL AND code <> ''`, d.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

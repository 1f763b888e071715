package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/sdk"
)

var _ intake.CallStore = (*DB)(nil)

// envelope is a call without its body.
type envelope struct {
	Method string              `json:"method"`
	Path   string              `json:"path"`
	Query  string              `json:"query,omitempty"`
	Header map[string][]string `json:"header"`
	Topic  string              `json:"topic,omitempty"`
}

// KeepCall keeps a genuine call, unless its delivery came before. When it returns without an error, what it says is on the
// disk.
func (db *DB) KeepCall(ctx context.Context, c intake.Call) (kept intake.Kept, err error) {
	r := c.Request
	request, err := json.Marshal(envelope{r.Method, r.Path, r.Query, r.Header, c.Topic})
	if err != nil {
		return "", err
	}
	body := sha256.Sum256(r.Body)
	at := micros(r.ReceivedAt)
	err = db.Write(ctx, func(tx *Tx) error {
		kept = intake.KeptNew
		if c.Delivery != "" {
			n, err := tx.exec(`INSERT INTO webhook_ids (source, delivery, body, at) VALUES ($1, $2, $3, $4) ON CONFLICT (source, delivery) DO NOTHING`, c.Source, c.Delivery, body[:], at)
			if err != nil {
				return err
			}
			if n == 0 {
				var before []byte
				if err := tx.row(`SELECT body FROM webhook_ids WHERE source = $1 AND delivery = $2`, c.Source, c.Delivery).Scan(&before); err != nil {
					return err
				}
				if kept = intake.KeptDuplicate; !bytes.Equal(before, body[:]) {
					kept = intake.KeptConflict
				}
				return nil
			}
		}
		return tx.run(`INSERT INTO raw_webhooks (source, delivery, request, body, at) VALUES ($1, $2, $3, $4, $5)`, c.Source, c.Delivery, string(request), notNil(r.Body), at)
	})
	return kept, err
}

// CalledSources implements intake.CallStore.
func (db *DB) CalledSources(ctx context.Context) (names []string, err error) {
	err = db.query(ctx, func(r scanner) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	}, `SELECT name FROM sources WHERE configured = 1
		AND EXISTS (SELECT 1 FROM raw_webhooks w WHERE w.source = sources.name AND w.state = 'waiting')
		AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'all' OR p.scope = 'source' AND p.name = sources.name) ORDER BY name`)
	return names, err
}

// WaitingCalls implements intake.CallStore.
func (db *DB) WaitingCalls(ctx context.Context, source string, limit int) (out []intake.Call, err error) {
	err = db.query(ctx, func(r scanner) error {
		c := intake.Call{Source: source}
		var request string
		var at int64
		if err := r.Scan(&c.ID, &c.Delivery, &request, &c.Request.Body, &at, &c.Attempts, &c.Told); err != nil {
			return err
		}
		var e envelope
		if err := json.Unmarshal([]byte(request), &e); err != nil {
			return err
		}
		c.Topic, c.Request.Method, c.Request.Path, c.Request.Query, c.Request.Header, c.Request.ReceivedAt = e.Topic, e.Method, e.Path, e.Query, e.Header, timeOf(at)
		out = append(out, c)
		return nil
	}, `SELECT id, delivery, request, body, at, attempts, told FROM raw_webhooks WHERE source = $1 AND state = 'waiting' ORDER BY id LIMIT $2`, source, limit)
	return out, err
}

// CountWaitingCalls says how many calls of a source wait to be mapped, counting no further than one beyond limit.
func (db *DB) CountWaitingCalls(ctx context.Context, source string, limit int) (n int, err error) {
	err = db.queryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM raw_webhooks WHERE source = $1 AND state = 'waiting' LIMIT $2)`, source, limit+1).Scan(&n)
	return n, err
}

// FailCall implements intake.CallStore.
func (db *DB) FailCall(ctx context.Context, id int64, reason string, a alert.Alert, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE raw_webhooks SET state = 'failed', reason = $2, ended_at = $3 WHERE id = $1 AND state = 'waiting'`, id, reason, micros(now))
		if err != nil || n == 0 {
			return err
		}
		return tx.alerts([]alert.Alert{a}, nil, now)
	})
}

// CallTried implements intake.CallStore.
func (db *DB) CallTried(ctx context.Context, id int64) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.run(`UPDATE raw_webhooks SET attempts = attempts + 1 WHERE id = $1`, id) })
}

// NewItems implements intake.CallStore. Ids follow the order in which items came, so that few rows have to be read.
func (db *DB) NewItems(ctx context.Context, source string, since time.Time, most int) (n int, err error) {
	err = db.queryRow(ctx, `SELECT count(*) FROM items WHERE id > (SELECT coalesce(max(id), 0) FROM items) - CAST($3 AS BIGINT) AND source = $1 AND seen_at >= $2`, source, micros(since), most).Scan(&n)
	return n, err
}

// FoundCalled implements intake.CallStore.
func (db *DB) FoundCalled(ctx context.Context, source string, batch sdk.Batch, listed bool) (intake.Found, error) {
	f, err := db.found(ctx, source, batch, listed)
	if err != nil {
		return f, err
	}
	at := map[int64]string{}
	for _, it := range batch.Items {
		if k, known := f.ByKey[it.Key]; known && !it.Updated.IsZero() {
			at[k.ID] = it.Key
		}
	}
	return f, db.itemTimes(ctx, slices.Collect(maps.Keys(at)), func(id int64, it itemTimes) {
		k := f.ByKey[at[id]]
		k.Updated = it.Updated
		f.ByKey[at[id]] = k
	})
}

// mapped marks calls whose items are committed by the same transaction, and ends the alert about those of the source that
// failed when none is left. Of some nothing is to be kept.
func (tx *Tx) mapped(source string, calls, forget []int64, now time.Time) error {
	if len(calls) == 0 {
		return nil
	}
	if err := tx.run(`UPDATE raw_webhooks SET state = 'mapped', reason = '', told = 1, ended_at = $2 WHERE id IN @list($1)`, jsonList(calls), micros(now)); err != nil {
		return err
	}
	if len(forget) > 0 {
		if err := tx.run(`DELETE FROM raw_webhooks WHERE id IN @list($1)`, jsonList(forget)); err != nil {
			return err
		}
	}
	return tx.endCallAlert(source, now)
}

func (tx *Tx) endCallAlert(source string, now time.Time) error {
	return tx.run(`UPDATE alerts SET resolved_at = $2 WHERE code = $3 AND subject = $1 AND resolved_at = 0
		AND NOT EXISTS (SELECT 1 FROM raw_webhooks WHERE source = $1 AND state = 'failed')`, source, micros(now), string(alert.WebhookFailed))
}

// ReplayCalls lets kept calls of a source be mapped once more: those that failed, with all that came after the first of them,
// so that an old version does not go over a newer one; with all every call that is still kept.
func (db *DB) ReplayCalls(ctx context.Context, source string, all bool, actor string, now time.Time) (n int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		changed, err := tx.exec(`UPDATE raw_webhooks SET state = 'waiting', attempts = 0, ended_at = 0 WHERE source = $1 AND state <> 'waiting'
			AND id >= (SELECT min(id) FROM raw_webhooks WHERE source = $1 AND (state = 'failed' OR $2))`, source, all)
		if n = int(changed); err != nil || n == 0 {
			return err
		}
		return tx.act(actor, "replay webhooks", source, now)
	})
	return n, err
}

// DropCalls forgets the calls of a source that failed.
func (db *DB) DropCalls(ctx context.Context, source, actor string, now time.Time) (n int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		changed, err := tx.exec(`DELETE FROM raw_webhooks WHERE source = $1 AND state = 'failed'`, source)
		if n = int(changed); err != nil || n == 0 {
			return err
		}
		return errors.Join(tx.endCallAlert(source, now), tx.act(actor, "drop webhooks", source, now))
	})
	return n, err
}

// KeptCalls implements consent.Store.
func (db *DB) KeptCalls(ctx context.Context, after int64, most int) (out []consent.KeptCall, err error) {
	err = db.query(ctx, func(r scanner) error {
		var c consent.KeptCall
		var request string
		if err := r.Scan(&c.ID, &c.Source, &c.Waits, &request, &c.Body); err != nil {
			return err
		}
		var e envelope
		err := json.Unmarshal([]byte(request), &e)
		c.Hub = e.Topic != ""
		out = append(out, c)
		return err
	}, `SELECT id, source, state = 'waiting', request, body FROM raw_webhooks WHERE id > $1 AND (state = 'waiting' OR state = 'failed') ORDER BY id LIMIT $2`, after, most)
	return out, err
}

// DropKept implements consent.Store. The alert about calls of a source that failed ends with the last of them.
func (db *DB) DropKept(ctx context.Context, ids []int64, now time.Time) (n int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		var sources []string
		if err := tx.rows(func(r scanner) error {
			var name string
			err := r.Scan(&name)
			sources = append(sources, name)
			return err
		}, `SELECT DISTINCT source FROM raw_webhooks WHERE id IN @list($1)`, jsonList(ids)); err != nil {
			return err
		}
		gone, err := tx.exec(`DELETE FROM raw_webhooks WHERE id IN @list($1) AND state <> 'mapped'`, jsonList(ids))
		if n = int(gone); err != nil {
			return err
		}
		for _, name := range sources {
			if err := tx.endCallAlert(name, now); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// CutKept implements consent.Store.
func (db *DB) CutKept(ctx context.Context, id int64, body []byte) (n int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		cut, err := tx.exec(`UPDATE raw_webhooks SET body = $2 WHERE id = $1 AND state <> 'mapped'`, id, body)
		n = int(cut)
		return err
	})
	return n, err
}

// Calls says how many calls of a source wait, and which failed.
type Calls struct {
	Waiting int
	Failed  int
	// Reasons are the reasons of those that failed, each once, the newest first, at most ten.
	Reasons []string
}

// Calls reads what is kept of a source's calls.
func (db *DB) Calls(ctx context.Context, source string) (c Calls, err error) {
	if err = db.queryRow(ctx, `SELECT (SELECT count(*) FROM raw_webhooks WHERE source = $1 AND state = 'waiting'), (SELECT count(*) FROM raw_webhooks WHERE source = $1 AND state = 'failed')`,
		source).Scan(&c.Waiting, &c.Failed); err != nil {
		return c, err
	}
	err = db.query(ctx, func(r scanner) error {
		var reason string
		err := r.Scan(&reason)
		c.Reasons = append(c.Reasons, reason)
		return err
	}, `SELECT reason FROM raw_webhooks WHERE source = $1 AND state = 'failed' GROUP BY reason ORDER BY max(id) DESC LIMIT 10`, source)
	return c, err
}

// CallCount says how many calls of a source wait to be mapped, and how many could not be.
type CallCount struct{ Waiting, Failed int }

// CallCounts counts the kept calls that are not mapped, by source.
func (db *DB) CallCounts(ctx context.Context) (map[string]CallCount, error) {
	out := map[string]CallCount{}
	err := db.query(ctx, func(r scanner) error {
		var name string
		var c CallCount
		err := r.Scan(&name, &c.Waiting, &c.Failed)
		out[name] = c
		return err
	}, `SELECT s.name, (SELECT count(*) FROM raw_webhooks w WHERE w.source = s.name AND w.state = 'waiting'), (SELECT count(*) FROM raw_webhooks w WHERE w.source = s.name AND w.state = 'failed')
		FROM sources s WHERE s.configured = 1 AND (s.called = 1 OR EXISTS (SELECT 1 FROM subscriptions x WHERE x.source = s.name))`)
	return out, err
}

// webhooks takes out calls that were mapped, or failed, long ago, and the names of deliveries that nobody repeats any more.
func (p *Pruner) webhooks(ctx context.Context) (out Pruned, err error) {
	const old = `ended_at > 0 AND ended_at < CASE WHEN state = 'mapped' THEN $1 ELSE $2 END`
	mapped, failed := p.before(p.keep.Webhooks), p.before(12*p.keep.Webhooks)
	ids, err := p.ids(ctx, `SELECT id FROM raw_webhooks WHERE `+old+` LIMIT $3`, mapped, failed, p.size)
	if err != nil {
		return out, err
	}
	remembered := micros(p.now.Add(-intake.RememberCalls))
	names, err := p.ids(ctx, `SELECT at FROM webhook_ids WHERE at < $1 ORDER BY at LIMIT $2`, remembered, p.size)
	if err != nil || len(ids)+len(names) == 0 {
		return out, err
	}
	out.More = len(ids) == p.size || len(names) == p.size
	return out, p.db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM raw_webhooks WHERE id IN @list($3) AND `+old, mapped, failed, jsonList(ids))
		if out.Webhooks = int(n); err != nil || len(names) == 0 {
			return err
		}
		return tx.run(`DELETE FROM webhook_ids WHERE at <= $1`, names[len(names)-1])
	})
}

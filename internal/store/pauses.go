package store

import (
	"context"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// Pause scopes.
const (
	PauseAll         = "all"
	PauseSource      = "source"
	PauseChannel     = "channel"
	PauseDestination = "destination"
)

// Pause is something that a person paused.
type Pause struct {
	Scope, Name string
	Since       time.Time
}

// Pauses lists what is paused.
func (db *DB) Pauses(ctx context.Context) ([]Pause, error) {
	var out []Pause
	err := db.query(ctx, func(r scanner) error {
		var p Pause
		var since int64
		err := r.Scan(&p.Scope, &p.Name, &since)
		p.Since = timeOf(since)
		out = append(out, p)
		return err
	}, `SELECT scope, name, since FROM pauses ORDER BY since, scope, name`)
	return out, err
}

// Pause pauses something; false when it was paused already.
func (db *DB) Pause(ctx context.Context, scope, name, actor string, now time.Time) (bool, error) {
	changed := false
	err := db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`INSERT INTO pauses (scope, name, since) VALUES ($1, $2, $3) ON CONFLICT (scope, name) DO NOTHING`, scope, name, micros(now))
		if changed = n > 0; err != nil || !changed {
			return err
		}
		return tx.act(actor, "pause", strings.TrimSpace(scope+" "+name), now)
	})
	return changed, err
}

// Resume ends a pause, and what stopped a destination by itself; false when neither was there.
func (db *DB) Resume(ctx context.Context, scope, name, actor string, now time.Time) (bool, error) {
	changed := false
	err := db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM pauses WHERE scope = $1 AND name = $2`, scope, name)
		if err != nil {
			return err
		}
		changed = n > 0
		if scope == PauseAll {
			if err := tx.resumedAll(now); err != nil {
				return err
			}
		}
		if scope == PauseDestination {
			m, err := tx.startAgain(name, now)
			if err != nil {
				return err
			}
			changed = changed || m
		}
		if !changed {
			return nil
		}
		return tx.act(actor, "resume", strings.TrimSpace(scope+" "+name), now)
	})
	return changed, err
}

// putOff holds for a delivery of the destination $1 that trouble of the destination put off beyond $2.
const putOff = `destination = $1 AND state = 'pending' AND batch IS NULL AND next_at > $2 AND code <> ''`

// startAgain lets a destination and its channels serve again that had stopped or that were asked to wait, and takes what
// was put off by that to be due.
func (tx *Tx) startAgain(destination string, now time.Time) (bool, error) {
	n, err := tx.exec(`UPDATE destinations SET stopped_at = 0, paused_until = 0, failures = 0, failing_since = 0, code = '', error = ''
		WHERE name = $1 AND (stopped_at > 0 OR paused_until > $2)`, destination, micros(now))
	if err != nil {
		return false, err
	}
	m, err := tx.exec(`UPDATE lanes SET stopped_at = 0, ready_at = 0, resolved_at = 0, code = '', error = '' WHERE destination = $1 AND (stopped_at > 0 OR ready_at > $2)`,
		destination, micros(now))
	if err != nil {
		return false, err
	}
	d, err := tx.exec(`UPDATE deliveries SET next_at = $2 WHERE `+putOff, destination, micros(now))
	if err != nil {
		return false, err
	}
	return n+m+d > 0, tx.run(`UPDATE alerts SET resolved_at = $2 WHERE resolved_at = 0 AND code = $3 AND (subject = $1 OR subject LIKE $1 || ' %')`,
		destination, micros(now), string(alert.DestinationStop))
}

// PutOff reports whether trouble keeps a destination from serving, or what waits for it from being tried.
func (db *DB) PutOff(ctx context.Context, destination string, now time.Time) (bool, error) {
	put := false
	// A channel that is known may wait for its own rates, which is no trouble.
	err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM destinations WHERE name = $1 AND (stopped_at > 0 OR paused_until > $2))
		OR EXISTS (SELECT 1 FROM lanes WHERE destination = $1 AND (stopped_at > 0 OR ready_at > $2 AND resolved_at = 0))
		OR EXISTS (SELECT 1 FROM deliveries WHERE `+putOff+`)`, destination, micros(now)).Scan(&put)
	return put, err
}

// StartAgain lets a destination that was found healthy serve again.
func (db *DB) StartAgain(ctx context.Context, destination string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		_, err := tx.startAgain(destination, now)
		return err
	})
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/outbox"
)

// laneEffects records what an outcome says about the channel on the platform and about the destination.
func (tx *Tx) laneEffects(s outbox.Settlement, now time.Time) error {
	if s.LaneUntil.IsZero() && s.DestinationUntil.IsZero() && !s.StopLane && !s.StopDestination && !s.DestinationFailed && !s.Succeeded {
		return nil
	}
	var destination, chat string
	if err := tx.row(`SELECT destination, chat FROM deliveries WHERE id = $1`, s.Delivery).Scan(&destination, &chat); err != nil {
		return err
	}
	return tx.laneTrouble(destination, chat, s, now)
}

func (tx *Tx) laneTrouble(destination, chat string, s outbox.Settlement, now time.Time) error {
	if !s.LaneUntil.IsZero() {
		if err := tx.laneReady(destination, chat, micros(s.LaneUntil)); err != nil {
			return err
		}
	}
	if s.StopLane {
		if err := tx.run(`INSERT INTO lanes (destination, chat, stopped_at, code, error) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (destination, chat) DO UPDATE SET stopped_at = excluded.stopped_at, code = excluded.code, error = excluded.error, resolved_at = 0`,
			destination, chat, micros(now), string(s.Code), s.Error); err != nil {
			return err
		}
	}
	stopped := int64(0)
	if s.StopDestination {
		stopped = micros(now)
	}
	switch {
	case s.Succeeded:
		// In health nothing is written but once a minute. What the platform asked to wait stays: this call began before.
		return tx.run(`INSERT INTO destinations (name, ok_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET ok_at = excluded.ok_at, failures = 0,
			failing_since = 0, code = CASE WHEN stopped_at > 0 THEN code ELSE '' END, error = CASE WHEN stopped_at > 0 THEN error ELSE '' END
			WHERE destinations.failures > 0 OR destinations.ok_at < $2 - 60000000`, destination, micros(now))
	case s.DestinationFailed || s.StopDestination || !s.DestinationUntil.IsZero():
		failed := 0
		if s.DestinationFailed {
			failed = 1
		}
		if err := tx.run(`INSERT INTO destinations (name, paused_until, stopped_at, code, error, failures, failing_since) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (name) DO UPDATE SET paused_until = max(destinations.paused_until, excluded.paused_until),
			stopped_at = max(destinations.stopped_at, excluded.stopped_at), code = excluded.code, error = excluded.error,
			failures = destinations.failures + $6, failing_since = CASE WHEN destinations.failing_since = 0 THEN excluded.failing_since ELSE destinations.failing_since END`,
			destination, micros(s.DestinationUntil), stopped, string(s.Code), s.Error, failed, micros(now)); err != nil || s.Down == nil {
			return err
		}
		long := false
		if err := tx.row(`SELECT failures > 2 AND failing_since < $2 FROM destinations WHERE name = $1`, destination, micros(now.Add(-outbox.DownAfter))).Scan(&long); err != nil || !long {
			return err
		}
		return tx.alerts([]alert.Alert{*s.Down}, nil, now)
	}
	return nil
}

// LaneTrouble implements outbox.Store.
func (db *DB) LaneTrouble(ctx context.Context, destination, chat string, s outbox.Settlement, now time.Time) error {
	if s.LaneUntil.IsZero() && s.DestinationUntil.IsZero() && !s.StopLane && !s.StopDestination {
		s.LaneUntil = s.Postpone // there is no delivery that could be put off
		if s.LaneUntil.IsZero() {
			s.LaneUntil = now.Add(time.Minute)
		}
	}
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.laneTrouble(destination, chat, s, now); err != nil {
			return err
		}
		return tx.alerts(s.Alerts, nil, now)
	})
}

// Lane implements outbox.Store.
func (db *DB) Lane(ctx context.Context, destination, chat string) (outbox.Lane, bool, error) {
	l := outbox.Lane{Destination: destination, Chat: chat}
	var ref, limits string
	var resolved int64
	err := db.queryRow(ctx, `SELECT ref, limits, resolved_at FROM lanes WHERE destination = $1 AND chat = $2`, destination, chat).Scan(&ref, &limits, &resolved)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	if err != nil {
		return l, false, err
	}
	l.ResolvedAt = timeOf(resolved)
	return l, resolved > 0, errors.Join(decode(ref, &l.Ref), decode(limits, &l.Limits))
}

// SaveLane implements outbox.Store.
func (db *DB) SaveLane(ctx context.Context, l outbox.Lane) error {
	ref, err := encode(l.Ref)
	if err != nil {
		return err
	}
	limits, err := encode(l.Limits)
	if err != nil {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`INSERT INTO lanes (destination, chat, ref, limits, resolved_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (destination, chat) DO UPDATE SET ref = excluded.ref, limits = excluded.limits, resolved_at = excluded.resolved_at`,
			l.Destination, l.Chat, ref, limits, micros(l.ResolvedAt))
	})
}

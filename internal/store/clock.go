package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// clockRead is the name in the table meta of the newest time that a daemon read from the clock.
const clockRead = "clock"

// ClockRead gives the newest time that was kept by KeepClock; zero when none was.
func (db *DB) ClockRead(ctx context.Context) (time.Time, error) {
	text := ""
	switch err := notFound(db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, clockRead).Scan(&text)); {
	case errors.Is(err, ErrNotFound):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the time kept in the store: %w", err)
	}
	return timeOf(us), nil
}

// KeepClock keeps what the clock reads, so that a later start notices a clock that was set back meanwhile.
func (db *DB) KeepClock(ctx context.Context, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.keepClock(now) })
}

func (tx *Tx) keepClock(now time.Time) error {
	return tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, clockRead, strconv.FormatInt(micros(now), 10))
}

// heartbeat is the name in the table meta of the last time that the store was tried.
const heartbeat = "heartbeat"

// Try commits a row, and so says whether the store takes anything: an empty transaction leaves nothing on the disk, and a full
// disk takes it.
func (db *DB) Try(ctx context.Context, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, heartbeat, strconv.FormatInt(micros(now), 10))
	})
}

// planned are the columns that say when something is to be done next: by the clock of when it was decided, plus a wait.
var planned = map[string][]string{
	"sources":         {"next_at", "wait_until", "lease"},
	"items":           {"check_at"},
	"batches":         {"lease_until"},
	"deliveries":      {"next_at"},
	"destinations":    {"paused_until"},
	"lanes":           {"ready_at"},
	"media":           {"next_at"},
	"streams":         {"ready_at"},
	"messages":        {"next_at"},
	"message_batches": {"lease_until"},
	"subscriptions":   {"next_at", "expires_at"},
}

// recorded are the columns that say when something happened, as far as anything depends on them later.
var recorded = map[string][]string{
	"sources":        {"fetched_at", "ok_at", "new_at", "bad_since"},
	"holds":          {"at", "ended_at"},
	"items":          {"seen_at", "changed_at", "listed_at", "gone_at"},
	"channels":       {"since"},
	"posts":          {"created_at", "changed_at", "due_at"},
	"post_revisions": {"at"},
	"channel_items":  {"since"},
	"occurrences":    {"decided_at"},
	"acts":           {"at"},
	"configurations": {"applied_at"},
	"schedules":      {"checked_until"}, // what fired has a key, so that it does not fire again
	"publications":   {"out_at", "edited_at"},
	"parts":          {"at"},
	"deliveries":     {"created_at", "first_at", "started_at", "settled_at"},
	"destinations":   {"stopped_at", "failing_since", "ok_at"},
	"lanes":          {"resolved_at", "stopped_at"},
	"pauses":         {"since"},
	"media":          {"wanted_at", "fetched_at"},
	"subscriptions":  {"asked_at", "verified_at", "delivered_at", "missed_at"},
	"alerts":         {"first_at", "last_at", "told_at", "resolved_at"},
	"subscribers":    {"created_at", "signal_at", "asked_at", "erased_at"},
	"addresses":      {"created_at", "verified_at", "heard_at"},
	"audiences":      {"posted_at", "since"},
	"grants":         {"since", "changed_at"},
	"signups":        {"at"},
	"tokens":         {"created_at", "used_at"},
	"confirmations":  {"last_at"},
	"notices":        {"at", "ended_at"},
	"streams":        {"created_at"},
	"messages":       {"settled_at"},
	"sent_days":      {"last_at"},
	"inbox":          {"at"},
	"raw_webhooks":   {"at", "ended_at"},
	"webhook_ids":    {"at"},
}

// ClockSetBack makes the rows fit a clock that stands by less than it did: what is planned keeps its wait, what happened
// later than now happened now, and every schedule goes on from now. What people and feeds said of the future stands: posts
// for later, embargoes, expiries.
func (db *DB) ClockSetBack(ctx context.Context, by time.Duration, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		for table, columns := range planned {
			for _, c := range columns {
				if err := tx.run(fmt.Sprintf(`UPDATE %[1]s SET %[2]s = CASE WHEN %[2]s - $2 > $1 THEN %[2]s - $2 ELSE $1 END WHERE %[2]s > $1`, table, c), micros(now), by.Microseconds()); err != nil {
					return fmt.Errorf("%s.%s: %w", table, c, err)
				}
			}
		}
		for table, columns := range recorded {
			for _, c := range columns {
				if err := tx.run(fmt.Sprintf(`UPDATE %[1]s SET %[2]s = $1 WHERE %[2]s > $1`, table, c), micros(now)); err != nil {
					return fmt.Errorf("%s.%s: %w", table, c, err)
				}
			}
		}
		if err := tx.run(`UPDATE posts SET visible_at = $1 WHERE visible_at > $1 AND status <> 'scheduled'`, micros(now)); err != nil {
			return err
		}
		return tx.keepClock(now)
	})
}

package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// NotUsed is an item that a channel left out, or that a blackout holds, as commands show it.
type NotUsed struct {
	Channel string
	ItemName
	Title, URL string
	State      compose.MembershipState
	Reason     compose.Reason
	Detail     string
	Since      time.Time
}

// NotUsed lists the items that channels hold, and those left out since a time, the newest first; of all channels when the name
// is empty.
func (db *DB) NotUsed(ctx context.Context, channel string, since time.Time, limit int) ([]NotUsed, error) {
	return db.notUsed(ctx, `(ci.state = 'held' OR ci.state = 'left_out' AND ci.since >= $2)`, channel, since, limit)
}

// HeldItems lists the items that a blackout holds before they become posts, the newest first.
func (db *DB) HeldItems(ctx context.Context, channel string, limit int) ([]NotUsed, error) {
	return db.notUsed(ctx, `ci.state = 'held' AND ci.since >= $2`, channel, time.Time{}, limit)
}

func (db *DB) notUsed(ctx context.Context, where, channel string, since time.Time, limit int) ([]NotUsed, error) {
	var out []NotUsed
	err := db.query(ctx, func(r scanner) error {
		var n NotUsed
		var at int64
		var content string
		if err := r.Scan(&n.Channel, &n.ID, &n.Source, &n.Key, &content, &n.State, &n.Reason, &n.Detail, &at); err != nil {
			return err
		}
		var it sdk.Item
		err := decode(content, &it)
		n.Since, n.Title, n.URL = timeOf(at), it.Title, it.URL
		out = append(out, n)
		return err
	}, `SELECT ci.channel, i.id, i.source, i.key, i.content, ci.state, ci.reason, ci.detail, ci.since
		FROM channel_items ci JOIN items i ON i.id = ci.item WHERE `+where+` AND (ci.channel = $1 OR $1 = '')
		ORDER BY ci.since DESC, i.id DESC LIMIT $3`, channel, micros(since), limit)
	return out, err
}

// SourceCount counts the items of a source.
type SourceCount struct {
	// Items are all that were ever seen; of them Live ones can be used, Baseline ones were there at the first fetch and are
	// not, Held ones wait for a person, Removed ones were withdrawn or retracted.
	Items, Live, Baseline, Held, Removed int
}

// SourceCounts counts items by source.
func (db *DB) SourceCounts(ctx context.Context) (map[string]SourceCount, error) {
	out := map[string]SourceCount{}
	err := db.query(ctx, func(r scanner) error {
		var name string
		var c SourceCount
		err := r.Scan(&name, &c.Items, &c.Live, &c.Baseline, &c.Held, &c.Removed)
		out[name] = c
		return err
	}, `SELECT source, count(*), count(*) FILTER (WHERE state = 'live' AND baseline = 0), count(*) FILTER (WHERE state = 'live' AND baseline = 1),
		count(*) FILTER (WHERE state = 'held'), count(*) FILTER (WHERE state IN ('removed', 'blocked')) FROM items GROUP BY source`)
	return out, err
}

// ChannelCount counts what a channel has.
type ChannelCount struct {
	// Posts that are on show, items that wait and items that a blackout holds.
	Posts, Waiting, Held int
	// LastPost is when the newest post on show was published; zero when there is none.
	LastPost time.Time
}

// ChannelCounts counts by channel.
func (db *DB) ChannelCounts(ctx context.Context) (map[string]ChannelCount, error) {
	out := map[string]ChannelCount{}
	if err := db.query(ctx, func(r scanner) error {
		var name string
		var c ChannelCount
		var last int64
		err := r.Scan(&name, &c.Posts, &last)
		c.LastPost = timeOf(last)
		out[name] = c
		return err
	}, `SELECT channel, count(*), max(visible_at) FROM posts WHERE status = 'live' AND visible_at > 0 GROUP BY channel`); err != nil {
		return nil, err
	}
	return out, db.query(ctx, func(r scanner) error {
		var name string
		var waiting, held int
		err := r.Scan(&name, &waiting, &held)
		c := out[name]
		c.Waiting, c.Held = waiting, held
		out[name] = c
		return err
	}, `SELECT channel, sum(waiting), sum(held) FROM (SELECT channel, 1 AS waiting, 0 AS held FROM channel_items WHERE state = 'waiting'
		UNION ALL SELECT channel, 0, 1 FROM channel_items WHERE state = 'held') GROUP BY channel`)
}

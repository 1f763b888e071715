package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

const (
	// eventsKept is how long the time of an event is told after its end: for what was missed meanwhile.
	eventsKept = 48 * time.Hour
	// mostEvents bounds how many items of a calendar are looked at, the newest first.
	mostEvents = 20_000
)

// EventTimes gives from when to when the events of calendars last, by source: of those that a source announces and has neither
// withdrawn nor called off, whether or not anything was posted of them.
func (db *DB) EventTimes(ctx context.Context, sources []string, now time.Time) (map[string]scheduler.Windows, error) {
	out := map[string]scheduler.Windows{}
	type span struct {
		source   string
		from, to int64
	}
	seen := map[span]bool{}
	for _, name := range sources {
		if err := db.query(ctx, func(r scanner) error {
			var content string
			if err := r.Scan(&content); err != nil {
				return err
			}
			var it struct {
				Event *sdk.Event `json:"event"`
			}
			if err := decode(content, &it); err != nil || it.Event == nil || it.Event.Status == "CANCELLED" {
				return err
			}
			from, to := it.Event.Start.UTC(), it.Event.End.UTC()
			s := span{name, from.Unix(), to.Unix()}
			if !to.After(from) || to.Before(now.Add(-eventsKept)) || seen[s] {
				return nil
			}
			seen[s] = true
			out[name] = append(out[name], scheduler.Window{From: from, To: to})
			return nil
		}, `SELECT content FROM items WHERE source = $1 AND state IN ('live', 'held') ORDER BY id DESC LIMIT $2`, name, mostEvents); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eventsOf begins the names in the table meta that count how often the events of a source changed.
const eventsOf = "events."

// EventVersions is a text that changes when what EventTimes gives of one of the sources may have: not with each fetch.
func (db *DB) EventVersions(ctx context.Context, sources []string) (string, error) {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = eventsOf + s
	}
	var b strings.Builder
	err := db.query(ctx, func(r scanner) error {
		var name, version string
		err := r.Scan(&name, &version)
		fmt.Fprintf(&b, "%s %s\n", name, version)
		return err
	}, `SELECT name, value FROM meta WHERE name IN @list($1) ORDER BY name`, jsonList(names))
	return b.String(), err
}

// eventsMoved says that the events of a source may have changed.
func (tx *Tx) eventsMoved(source string) error {
	return tx.run(`INSERT INTO meta (name, value) VALUES ($1, '1') ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)`, eventsOf+source)
}

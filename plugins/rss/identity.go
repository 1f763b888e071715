package rss

import (
	"fmt"

	"github.com/belfry-news/belfry/plugins/rss/internal/feed"
	"github.com/belfry-news/belfry/sdk"
)

// keys gives every entry its key: its identifier where that is its own, identifier and link where several items of the
// document share one. An identifier that was once shared stays so, or its items would change their keys whenever one of
// them leaves the feed. When sharing begins in a feed that was read before, the oldest of the sharers keeps the plain
// identifier, under which it is known.
//
// Entries that are still the same item afterwards are left out; the notices say what was found.
func keys(entries []feed.Entry, c *cursor) (items []sdk.Item, notices []string) {
	users := map[string]int{}
	for _, e := range entries {
		users[e.ID]++
	}
	newlyShared := 0
	owners := map[string]string{}
	for _, e := range entries {
		id := fingerprint(e.ID)
		if _, known := c.Shared[id]; known || users[e.ID] < 2 || !differ(entries, e) {
			continue
		}
		if c.Shared == nil {
			c.Shared = map[string]string{}
		}
		if len(c.Shared) >= maxShared {
			continue
		}
		newlyShared++
		c.Shared[id] = ""
		if !c.first() {
			owners[e.ID] = id
		}
	}
	for id, mark := range owners {
		c.Shared[mark] = oldest(entries, id)
	}
	seen := map[string]bool{}
	repeated := 0
	items = make([]sdk.Item, 0, len(entries))
	for _, e := range entries {
		key := e.ID
		if owner, shared := c.Shared[fingerprint(e.ID)]; shared && e.Link != "" && fingerprint(e.Link) != owner {
			key = e.ID + " " + e.Link
		}
		if key = feed.Key(key); seen[key] {
			repeated++
			continue
		}
		seen[key] = true
		e.Item.Key = key
		items = append(items, e.Item)
	}
	if newlyShared > 0 {
		notices = append(notices, fmt.Sprintf(
			"identifiers that several items use were found; those items are told apart by their addresses (%d)", newlyShared))
	}
	if repeated > 0 {
		notices = append(notices, fmt.Sprintf("items that occur more than once were taken once (%d)", repeated))
	}
	return items, notices
}

// differ tells whether another entry has the same identifier and another address; without that they are repetitions.
func differ(entries []feed.Entry, e feed.Entry) bool {
	for i := range entries {
		if entries[i].ID == e.ID && entries[i].Link != e.Link {
			return true
		}
	}
	return false
}

// oldest gives the fingerprint of the link of the oldest entry with an identifier: by date, or else the last one in the
// document.
func oldest(entries []feed.Entry, id string) string {
	best := -1
	for i := range entries {
		if entries[i].ID != id {
			continue
		}
		if best < 0 || entries[best].Item.Published.IsZero() || !entries[i].Item.Published.After(entries[best].Item.Published) {
			best = i
		}
	}
	return fingerprint(entries[best].Link)
}

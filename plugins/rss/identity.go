package rss

import (
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/plugins/rss/internal/feed"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// keys gives every entry its key: its identifier where that is its own, and where several items of the document share one,
// the identifier with what tells them apart (see mark). An identifier that was once shared stays so, or its items would
// change their keys whenever one of them leaves the feed. When sharing begins in a feed that was read before, the oldest of
// the sharers keeps the plain identifier, under which it is known.
//
// Entries that are still the same item afterwards are left out; the notices say what was found.
func keys(entries []feed.Entry, c *cursor) (items []sdk.Item, notices []string) {
	users := map[string]int{}
	marks := make([]string, len(entries))
	for i, e := range entries {
		users[e.ID]++
		marks[i] = mark(e)
	}
	byAddress, byText := 0, 0
	owners := map[string]string{}
	for i, e := range entries {
		id := fetch.Fingerprint(e.ID)
		if _, known := c.Shared[id]; known || users[e.ID] < 2 || !differ(entries, marks, i) {
			continue
		}
		if c.Shared == nil {
			c.Shared = map[string]string{}
		}
		if len(c.Shared) >= maxShared {
			continue
		}
		if e.Rule == feed.ByHash {
			byText++
		} else {
			byAddress++
		}
		c.Shared[id] = ""
		if !c.first() {
			owners[e.ID] = id
		}
	}
	for id, shared := range owners {
		c.Shared[shared] = oldest(entries, marks, id)
	}
	seen := map[string]bool{}
	repeated := 0
	items = make([]sdk.Item, 0, len(entries))
	for i, e := range entries {
		key := e.ID
		if owner, shared := c.Shared[fetch.Fingerprint(e.ID)]; shared && marks[i] != "" && fetch.Fingerprint(marks[i]) != owner {
			key = e.ID + " " + marks[i]
		}
		if key = feed.Key(key); seen[key] {
			repeated++
			continue
		}
		seen[key] = true
		e.Item.Key = key
		items = append(items, e.Item)
	}
	if byAddress > 0 {
		notices = append(notices, fmt.Sprintf(
			"identifiers that several items use were found; those items are told apart by their addresses (%d)", byAddress))
	}
	if byText > 0 {
		notices = append(notices, fmt.Sprintf("items that have neither an identifier nor an address share a title and a date; "+
			"they are told apart by their texts, and a corrected one may count as new (%d); a guid for each item mends it", byText))
	}
	if repeated > 0 {
		notices = append(notices, fmt.Sprintf("items that occur more than once were taken once (%d)", repeated))
	}
	return items, notices
}

// mark is what tells an entry from others with its identifier: its address, or, where the identifier was made of title and
// date because the feed gives none, its text. Empty for an address that is not there.
//
// A text counts only where two such entries stand in one document: as long as there is one, its corrected text is a
// revision of it.
func mark(e feed.Entry) string {
	if e.Link != "" || e.Rule != feed.ByHash {
		return e.Link
	}
	text := e.Item.Summary
	if text == "" {
		var b strings.Builder
		for _, n := range e.Item.Body {
			b.WriteString(sdk.PlainText([]sdk.Node{n}))
			b.WriteByte(' ')
		}
		text = b.String()
	}
	return fetch.Fingerprint(strings.Join(strings.Fields(text), " "))
}

// differ tells whether another entry has the same identifier and another mark; without that they are repetitions.
func differ(entries []feed.Entry, marks []string, i int) bool {
	for j := range entries {
		if entries[j].ID == entries[i].ID && marks[j] != marks[i] {
			return true
		}
	}
	return false
}

// oldest gives the fingerprint of the mark of the oldest entry with an identifier: by date, or else the last one in the
// document.
func oldest(entries []feed.Entry, marks []string, id string) string {
	best := -1
	for i := range entries {
		if entries[i].ID != id {
			continue
		}
		if best < 0 || entries[best].Item.Published.IsZero() || !entries[i].Item.Published.After(entries[best].Item.Published) {
			best = i
		}
	}
	return fetch.Fingerprint(marks[best])
}

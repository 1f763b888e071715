package calendar

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// cursorVersion of the form below. A cursor of another version is passed over, and the calendar read as if for the first
// time: its items have keys.
const cursorVersion = 1

const maxValidator = 1024 // bytes of an ETag or Last-Modified; a longer one is not kept

// cursor is what a source keeps between fetches. Times are Unix seconds. Bulk follows the JSON as bytes.
type cursor struct {
	V int `json:"v"`
	// Source is the fingerprint of what is read how. The validators and hashes of another one say nothing.
	Source string `json:"source"`
	// ETag and Modified are the validators of the answer that came from the address whose fingerprint is At; Body is the hash
	// of the document.
	At       string `json:"at,omitempty"`
	ETag     []byte `json:"etag,omitempty"`
	Modified []byte `json:"modified,omitempty"`
	Body     string `json:"body,omitempty"`
	// Full is when everything within the horizon was last read.
	Full int64 `json:"full,omitempty"`
	// Refresh is how often the calendar asks to be read, in seconds.
	Refresh int64 `json:"refresh,omitempty"`
	// DAV is what is known of a CalDAV collection.
	DAV *collection `json:"dav,omitempty"`
	// Turns is how many of the entries below there are.
	Turns int `json:"turns,omitempty"`

	// turns are the items that were, or may by now have been, announced, and are not over.
	turns []turn
}

// turn is what is remembered of an item whose turn came near.
type turn struct {
	key      [8]byte
	from, to uint32 // minutes since 1970
}

const (
	turnBytes = 16
	maxTurns  = 900
	// nearTurn is how long before its turn an item is remembered: longer than two fetches are apart.
	nearTurn = 2 * day
)

func minutes(t time.Time) uint32 { return uint32(max(0, t.Unix()/60)) }

// readCursor reads a cursor as far as it concerns the source; one that does not, or cannot be read, counts as none.
func readCursor(raw sdk.Cursor, source string) *cursor {
	fresh := &cursor{V: cursorVersion, Source: source}
	end := slices.Index(raw, '\n')
	if len(raw) > sdk.MaxCursor || end < 0 {
		return fresh
	}
	c := &cursor{}
	if err := json.Unmarshal(raw[:end], c); err != nil || c.V != cursorVersion {
		return fresh
	}
	bulk := raw[end+1:]
	known := 0
	if c.DAV != nil {
		known = c.DAV.Known
	}
	if c.Turns < 0 || c.Turns > maxTurns || known < 0 || known > maxResources || len(bulk) != c.Turns*turnBytes+known*resourceBytes {
		return fresh
	}
	for range c.Turns {
		t := turn{from: binary.BigEndian.Uint32(bulk[8:]), to: binary.BigEndian.Uint32(bulk[12:])}
		copy(t.key[:], bulk)
		c.turns = append(c.turns, t)
		bulk = bulk[turnBytes:]
	}
	if c.DAV != nil {
		c.DAV.read(bulk)
	}
	if c.Source != source {
		// Another address, zone or lead: everything is read again. What was announced stays announced.
		fresh.turns = c.turns
		return fresh
	}
	return c
}

func (c *cursor) encode() (sdk.Cursor, error) {
	c.Turns = len(c.turns)
	if c.DAV != nil {
		c.DAV.Known = len(c.DAV.resources)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	raw = append(raw, '\n')
	for _, t := range c.turns {
		raw = append(raw, t.key[:]...)
		raw = binary.BigEndian.AppendUint32(raw, t.from)
		raw = binary.BigEndian.AppendUint32(raw, t.to)
	}
	if c.DAV != nil {
		raw = c.DAV.write(raw)
	}
	return raw, nil
}

// keep takes the validators of an answer.
func (c *cursor) keep(a *fetch.Answer) {
	c.At, c.ETag, c.Modified = "", nil, nil
	if v := a.Header.Get("ETag"); v != "" && len(v) <= maxValidator {
		c.ETag = []byte(v)
	}
	if v := a.Header.Get("Last-Modified"); v != "" && len(v) <= maxValidator {
		c.Modified = []byte(v)
	}
	if len(c.ETag)+len(c.Modified) > 0 {
		c.At = fetch.Fingerprint(a.URL.String())
	}
}

// announced tells whether an item's turn had come before now and was not over.
func (c *cursor) announced(key string, now time.Time) bool {
	h := shortHash(key)
	return slices.ContainsFunc(c.turns, func(t turn) bool { return string(t.key[:]) == h && t.from <= minutes(now) && t.to > minutes(now) })
}

// remember replaces what is known of the items that came, and forgets what is over.
func (c *cursor) remember(came map[string]turn, now time.Time) {
	keep := make([]turn, 0, len(came))
	for _, t := range c.turns {
		if _, again := came[string(t.key[:])]; !again && t.to > minutes(now) {
			keep = append(keep, t)
		}
	}
	for _, t := range came {
		if t.to > minutes(now) && t.from <= minutes(now.Add(nearTurn)) {
			keep = append(keep, t)
		}
	}
	slices.SortFunc(keep, func(a, b turn) int {
		if a.from != b.from {
			return int(int64(a.from) - int64(b.from))
		}
		return slices.Compare(a.key[:], b.key[:])
	})
	if len(keep) > maxTurns {
		keep = keep[:maxTurns]
	}
	c.turns = keep
}

package rss

import (
	"bytes"
	"encoding/json"
	"net/url"
	"sync"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/internal/feed"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// cursorVersion of the form below. A cursor of another version is passed over: the feed is read again as if for the first
// time, which costs one full answer and loses nothing, since items have keys.
const cursorVersion = 1

// Bounds on what is kept.
const (
	maxValidator = 1024 // bytes of an ETag or Last-Modified; a longer one is not kept
	maxShared    = 500  // identifiers known to be used more than once
	maxHistory   = 5    // moves
)

// cursor is what a source keeps between fetches. Times are Unix seconds.
type cursor struct {
	V int `json:"v"`
	// Source is the fingerprint of what was read how: configured address, zone, choice of body, version of the parser. The
	// validators and hashes of another one say nothing.
	Source string `json:"source"`

	// ETag and Modified are the validators, byte for byte, of the answer that came from the address whose fingerprint is At.
	At       string `json:"at,omitempty"`
	ETag     []byte `json:"etag,omitempty"`
	Modified []byte `json:"modified,omitempty"`
	// Body is the hash of the last document that was read.
	Body string `json:"body,omitempty"`
	// Half says that the document was broken off. Its validators are not kept: they would keep the other half away.
	Half bool `json:"half,omitempty"`
	// Full is when a full answer last came, Changed when it last differed.
	Full    int64 `json:"full,omitempty"`
	Changed int64 `json:"changed,omitempty"`

	// Every, Hours and Days are the document's own hints.
	Every int64  `json:"every,omitempty"`
	Hours uint32 `json:"hours,omitempty"`
	Days  uint8  `json:"days,omitempty"`

	// Found is the feed that the configured page names.
	Found string `json:"found,omitempty"`
	Moved moved  `json:"moved,omitzero"`
	// Shared maps the fingerprint of an identifier that several items use to that of the link of the item that owns it
	// plainly, if one does.
	Shared map[string]string `json:"shared,omitempty"`
	// Expired says that the feed declared itself finished.
	Expired bool `json:"expired,omitempty"`
}

// lastCursor is the cursor of the fetch before, read. Most fetches find nothing new and are given the same one again.
type lastCursor struct {
	mu  sync.Mutex
	raw sdk.Cursor
	is  cursor
}

// maxLast is the longest cursor that is kept so, in bytes: a process may hold thousands of sources.
const maxLast = 1 << 10

// read reads a cursor like readCursor.
func (l *lastCursor) read(raw sdk.Cursor, source string) cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(raw) > 0 && bytes.Equal(raw, l.raw) {
		return l.is
	}
	c := readCursor(raw, source)
	if len(raw) <= maxLast && len(c.Shared) == 0 && len(c.Moved.History) == 0 { // what a fetch adds to is not kept
		l.raw, l.is = bytes.Clone(raw), c
	}
	return c
}

// readCursor reads a cursor as far as it concerns the source; one that does not, or cannot be read, counts as none.
func readCursor(raw sdk.Cursor, source string) cursor {
	fresh := cursor{V: cursorVersion, Source: source}
	if len(raw) == 0 || len(raw) > sdk.MaxCursor {
		return fresh
	}
	c := cursor{}
	if err := json.Unmarshal(raw, &c); err != nil || c.V != cursorVersion {
		return fresh
	}
	if c.Source != source {
		// Another parser or zone: what was read must be read again. Which identifiers are shared stays true.
		fresh.Shared = c.Shared
		return fresh
	}
	return c
}

func (c *cursor) encode() (sdk.Cursor, error) {
	raw, err := json.Marshal(c)
	if err == nil && len(raw) > sdk.MaxCursor {
		c.Shared, c.ETag, c.Modified, c.Moved = nil, nil, nil, moved{}
		raw, err = json.Marshal(c)
	}
	return raw, err
}

// first says that nothing was ever read.
func (c *cursor) first() bool { return c.Full == 0 }

// validate keeps the validators of an answer, or drops them when it has none or is half a document.
func (c *cursor) validate(a *fetch.Answer) {
	c.At, c.ETag, c.Modified = "", nil, nil
	if c.Half {
		return
	}
	c.At = fetch.Fingerprint(a.URL.String())
	if v := a.Header.Get("ETag"); len(v) <= maxValidator {
		c.ETag = []byte(v)
	}
	if v := a.Header.Get("Last-Modified"); len(v) <= maxValidator {
		c.Modified = []byte(v)
	}
	if len(c.ETag)+len(c.Modified) == 0 {
		c.At = ""
	}
}

// refresh takes the validators that a 304 repeats; those that it does not mention stay. It tells whether one was new.
func (c *cursor) refresh(a *fetch.Answer) bool {
	etag := renew(&c.ETag, a.Header.Get("ETag"))
	modified := renew(&c.Modified, a.Header.Get("Last-Modified"))
	return etag || modified
}

func renew(kept *[]byte, v string) bool {
	if v == "" || len(v) > maxValidator || string(*kept) == v {
		return false
	}
	*kept = []byte(v)
	return true
}

// changed is when the feed last differed; the zero time when that is not known.
func (c *cursor) changed() time.Time {
	if c.Changed == 0 {
		return time.Time{}
	}
	return time.Unix(c.Changed, 0)
}

func (c *cursor) hints() feed.Hints {
	return feed.Hints{Every: time.Duration(c.Every) * time.Second, Hours: c.Hours, Days: c.Days}
}

func (c *cursor) keepHints(h feed.Hints) {
	c.Every, c.Hours, c.Days = int64(h.Every/time.Second), h.Hours, h.Days
}

// start is the address to begin with.
func (c *cursor) start(configured *url.URL) *url.URL {
	target := c.Found
	if c.Moved.Use != "" {
		target = c.Moved.Use
	}
	if u, err := url.Parse(target); err == nil && target != "" {
		return u
	}
	return configured
}

// Package feed reads a feed of any format into items.
//
// Read is the only way in: it finds the encoding, guards and repairs the document, has gofeed parse it, and fills what
// gofeed leaves open: dates, identifiers, addresses relative to xml:base, media, embargoes, tombstones. Whatever the
// bytes, it gives items that are valid and bounded, or one error that says what is wrong, within memory that grows with
// the document.
package feed

import (
	"context"
	"errors"
	"mime"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/internal/charset"
	"github.com/belfry-news/belfry/sdk"
)

// Version changes whenever the same bytes may give other items than before. Who keeps validators keeps it beside them.
const Version = 1

// Bounds on what Read gives.
const (
	// MaxItems of a feed; the newest are kept.
	MaxItems = 1000
	// maxText is the most bytes of a document as UTF-8.
	maxText = 24 << 20
	// maxBatch is the most weight of all items together: bytes of text, and nodeWeight for each node of a body. Later items
	// lose their bodies.
	maxBatch   = 8 << 20
	nodeWeight = 128
	// maxNotices about one document.
	maxNotices = 20
)

// Input is a document and what is known of it.
type Input struct {
	Body []byte
	// ContentType as the server declared it; may be empty.
	ContentType string
	// URL is where the document came from; nil when unknown.
	URL *url.URL
	// Zone is taken for dates without one; nil means UTC, with a notice.
	Zone *time.Location
	Now  time.Time
	// Description makes the body of an item from its description although it has a content.
	Description bool
}

// Rule says what an item is identified by.
type Rule string

// The rules, in the order in which they are tried.
const (
	ByGUID  Rule = "guid"        // RSS guid, Atom id, JSON id
	ByAbout Rule = "rdf:about"   // RSS 1.0
	ByLink  Rule = "link"        // canonical address
	ByHash  Rule = "fingerprint" // of title, date and enclosure
)

// Entry is an item whose key is still to be chosen among those of its document.
type Entry struct {
	// Item has no Key yet.
	Item sdk.Item
	// ID identifies the item by Rule; never empty.
	ID   string
	Rule Rule
	// Link is the canonical form of the item's address, for telling items with the same ID apart; empty without address.
	Link string
}

// Feed is what Read found.
type Feed struct {
	// Format is "RSS", "Atom" or "JSON Feed".
	Format  string
	About   sdk.About
	Entries []Entry
	// Removed has the identifiers of tombstones as keys.
	Removed []sdk.Removal
	// Complete says that the document holds every item of the feed (RFC 5005) and that all of them were read.
	Complete bool
	// Whole is false when the document was cut off; it must then be fetched again.
	Whole bool
	// Expired says that the feed declares itself finished.
	Expired bool
	Hints   Hints
	Notices []string
}

// Hints are what a document says about when to fetch it again.
type Hints struct {
	// Every is the longest of ttl and sy:updatePeriod; 0 when there is none.
	Every time.Duration
	// Hours and Days, in GMT, in which not to fetch: bit 0 is midnight to one, and Sunday.
	Hours uint32
	Days  uint8
}

// PageError says that the document is a web page, with the feeds that it names.
type PageError struct{ Feeds []string }

// Error says that it is a page.
func (e *PageError) Error() string { return "the document is a web page, not a feed" }

// Read reads a document. Its error is a *PageError for HTML, otherwise an *sdk.Error: CodeTooLarge for what is beyond the
// limits, CodeInvalid for what is no feed or cannot be repaired; or the context's.
func Read(ctx context.Context, in Input) (*Feed, error) {
	mediaType, label := contentType(in.ContentType)
	text, err := charset.Decode(in.Body, label, maxText)
	if errors.Is(err, charset.ErrTooLarge) {
		return nil, sdk.Errorf(sdk.CodeTooLarge, op, "the feed has more than %d MiB of text", maxText>>20)
	}
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, op, "the feed cannot be decoded: %w", err)
	}
	r := reader{ctx: ctx, in: in, feed: &Feed{Whole: true}, langs: map[string]string{}}
	r.feed.Notices = append(r.feed.Notices, text.Repairs...)
	switch kindOf(text.UTF8, mediaType) {
	case 0:
		return nil, sdk.Errorf(sdk.CodeInvalid, op, "the document is empty")
	case '{':
		err = r.json(text.UTF8)
	default:
		err = r.xml(text.UTF8)
	}
	if err != nil {
		return nil, err
	}
	r.finish()
	return r.feed, nil
}

const op = "read feed"

// contentType takes the media type and the charset out of a header, which may be malformed.
func contentType(header string) (mediaType, label string) {
	mediaType, params, err := mime.ParseMediaType(header)
	if err == nil {
		return mediaType, params["charset"]
	}
	header = strings.ToLower(header)
	mediaType, _, _ = strings.Cut(header, ";")
	if _, rest, ok := strings.Cut(header, "charset="); ok {
		label, _, _ = strings.Cut(rest, ";")
	}
	return strings.TrimSpace(mediaType), label
}

// kindOf tells by the first character whether a document is JSON ('{'), XML ('<'), or empty (0). A media type decides
// only for what begins with something else.
func kindOf(text []byte, mediaType string) byte {
	trimmed := strings.TrimLeft(string(text[:min(len(text), 512)]), " \t\r\n\x00\uFEFF")
	switch {
	case trimmed == "" && len(text) <= 512:
		return 0
	case strings.HasPrefix(trimmed, "{"), strings.HasPrefix(trimmed, "["):
		return '{'
	case !strings.HasPrefix(trimmed, "<") && strings.HasSuffix(mediaType, "json"):
		return '{'
	}
	return '<'
}

// Package feedxml makes any XML feed safe and plain to parse.
//
// Scan reads a document of any RSS or Atom dialect once, front to back, in memory that grows with the document only, and
// refuses what is built to hurt: nesting, attributes, elements, entities. While it reads, it repairs what is merely
// broken: bare ampersands, HTML entities, control characters, missing end tags, a missing end. What comes out is a small
// canonical document: known elements only, namespaces recognised by their URI and written as fixed prefixes without
// declarations, inline XHTML as text, no DOCTYPE, no entities. A parser behind it never sees the original.
//
// What the canonical form cannot carry (identifiers byte for byte, rdf:about, xml:base and xml:lang in force) is noted
// beside each item.
package feedxml

import (
	"context"
	"net/url"

	"github.com/belfry-news/belfry/sdk"
)

// Limits on a document. What exceeds them is refused with CodeTooLarge, or cut where Scan says so.
const (
	MaxDepth      = 100
	MaxAttributes = 256
	MaxElements   = 500_000
	MaxItems      = 50_000   // read; how many are kept is Options.Keep
	MaxText       = 2 << 20  // bytes of one text with markup; longer ones are cut
	MaxPlain      = 64 << 10 // bytes of one text without; longer ones are cut
	maxName       = 256
	maxBindings   = 512
	maxDoctype    = 64 << 10
	maxEntities   = 300
	maxArena      = 24 << 20 // bytes of all canonical items
)

// Format is the family of a document.
type Format string

// The families. RSS holds every RSS from 0.90 to 2.0.
const (
	RSS  Format = "rss"
	Atom Format = "atom"
)

// Options of a scan.
type Options struct {
	// URL is the document's own address, against which a relative xml:base is resolved; it may be nil.
	URL *url.URL
	// Skip leaves out so many items at the beginning, and Keep is the most that are kept after them.
	Skip, Keep int
}

// Document is what a scan found.
type Document struct {
	Format Format
	// Lang and Base are xml:lang and xml:base of the feed itself; Base is nil when there is none.
	Lang string
	Base *url.URL
	// Head is the canonical document without its items.
	Head []byte
	// Items in the order of the document.
	Items []Item
	// Total counts the items of the document, kept or not.
	Total int
	// Truncated says that the document ended early and that its last item may be missing.
	Truncated bool
	// Repairs are sentences about what was broken and how it was read.
	Repairs []string
}

// Item is one item or entry.
type Item struct {
	// Canonical is the element in canonical form.
	Canonical []byte
	// ID is the guid, Atom id or rdf:about, trimmed and otherwise as it stands; empty when there is none.
	ID string
	// About says that ID is the item's rdf:about.
	About bool
	// Date is the text of the first date of the item.
	Date string
	// Lang and Base are in force for the item; ContentBase for its content, when that has one of its own.
	Lang              string
	Base, ContentBase *url.URL
}

const op = "read feed"

// NotFeedError says that the document is something else than a feed.
type NotFeedError struct {
	// Page is set for HTML.
	Page bool
	// Root is the name of the root element, empty when there is none.
	Root string
}

// Error says what the document is.
func (e *NotFeedError) Error() string {
	switch {
	case e.Page:
		return "the document is a web page, not a feed"
	case e.Root != "":
		return "the document is XML with the root <" + e.Root + ">, not a feed"
	}
	return "the document is neither XML nor JSON"
}

// Scan reads a document in UTF-8. Its errors are a *NotFeedError, or an *sdk.Error with CodeTooLarge for what is beyond
// the limits and CodeInvalid for what no repair can save.
func Scan(ctx context.Context, data []byte, o Options) (*Document, error) {
	s := scanner{ctx: ctx, opt: o, data: data, doc: &Document{}}
	if err := s.run(); err != nil {
		return nil, err
	}
	return s.finish()
}

func tooLarge(format string, args ...any) error {
	return sdk.Errorf(sdk.CodeTooLarge, op, format, args...)
}
func invalid(format string, args ...any) error {
	return sdk.Errorf(sdk.CodeInvalid, op, format, args...)
}

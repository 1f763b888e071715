package sdk

import "time"

// Item is one thing from a source. (source, Key) is its identity; the same key with other content is a revision.
type Item struct {
	// Key is the source's own stable identifier, opaque, at most MaxKey bytes.
	Key string
	// Group names the part of the source that the item belongs to (a calendar's resource); empty when there is none.
	Group string
	// Title is plain text on one line.
	Title string
	// Summary is plain text.
	Summary string
	// Body is the full content.
	Body Body
	// URL is the article's own address, http or https.
	URL     string
	Authors []Author
	// Tags are plain text, as the source spells them.
	Tags []string
	// Lang is a BCP 47 tag; empty when unknown.
	Lang  string
	Media []Media
	// Published and Updated are the source's own times, zero when unknown. They order items; they never decide newness.
	Published, Updated time.Time
	// NotBefore is the embargo: before it the item appears nowhere.
	NotBefore time.Time
	// Due is when what the item announces happens (calendars).
	Due time.Time
	// ExpiresAt is when the item loses its meaning; nothing new is posted of it afterwards.
	ExpiresAt time.Time
	// Urgency goes from 1 (most urgent) to 9, as in IPTC NewsML; 0 means that the source does not say and counts as 5.
	Urgency int
	// Correction is the newsroom's note on what this revision corrects.
	Correction string
	// TranslationOf is the key of the item, in the same source, that this one translates.
	TranslationOf string
}

// NormalUrgency is what an urgency of 0 counts as.
const NormalUrgency = 5

// Author of an item. Each field is plain text and may be empty.
type Author struct{ Name, URL string }

// Media is a picture, a film or a sound of an item.
type Media struct {
	// URL is where the source publishes it. In a Post that the host hands to a connector it is the copy on Belfry's own
	// origin, or empty when there is none.
	URL string
	// Type is the media type (image/jpeg…); empty when unknown.
	Type string
	// Alt describes it for those who do not see it.
	Alt string
	// Credit names the author and the licence or the rights' holder.
	Credit string
	// Width and Height in pixels; 0 when unknown.
	Width, Height int
	// Duration of films and sounds; 0 when unknown.
	Duration time.Duration
	// File identifies the host's stored copy; its zero value means that there is none.
	File File
}

// File is a stored copy of a medium. Plan sees it without Data; the host fills Data in before Publish and Edit.
type File struct {
	// SHA256 is the hex digest of the content and the file's identity.
	SHA256 string
	Name   string
	Type   string
	// Size in bytes.
	Size int64
	// Width and Height in pixels; 0 when it is no picture.
	Width, Height int
	Data          []byte
}

// Bounds on what the host takes from a source, in bytes unless said otherwise. What exceeds them is refused with
// CodeTooLarge, or cut where a cut loses nothing but length.
const (
	MaxKey      = 1024
	MaxTitle    = 2000
	MaxSummary  = 20_000
	MaxURL      = 4096
	MaxTags     = 64 // number of tags
	MaxTag      = 200
	MaxAuthors  = 32 // number of authors
	MaxMedia    = 32 // number of media
	MaxAlt      = 4000
	MaxBodyText = 1 << 20
)

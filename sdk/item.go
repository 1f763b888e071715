package sdk

import "time"

// Item is one thing from a source. (source, Key) is its identity; the same key with other content is a revision. The
// names in JSON are those of the store, and stay.
type Item struct {
	// Key is the source's own stable identifier, opaque, at most MaxKey bytes.
	Key string `json:"key"`
	// Group names the part of the source that the item belongs to (a calendar's resource); empty when there is none.
	Group string `json:"group,omitempty"`
	// Title is plain text on one line.
	Title string `json:"title,omitempty"`
	// Summary is plain text.
	Summary string `json:"summary,omitempty"`
	// Body is the full content.
	Body Body `json:"body,omitempty"`
	// URL is the article's own address, http or https.
	URL     string   `json:"url,omitempty"`
	Authors []Author `json:"authors,omitempty"`
	// Tags are plain text, as the source spells them.
	Tags []string `json:"tags,omitempty"`
	// Lang is a BCP 47 tag; empty when unknown.
	Lang  string  `json:"lang,omitempty"`
	Media []Media `json:"media,omitempty"`
	// Published and Updated are the source's own times, zero when unknown. They order items; they never decide newness.
	Published time.Time `json:"published,omitzero"`
	Updated   time.Time `json:"updated,omitzero"`
	// NotBefore is the embargo: before it the item appears nowhere.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Due is when what the item announces happens (calendars).
	Due time.Time `json:"due,omitzero"`
	// Event is what a calendar says of the event that the item announces; nil for other items.
	Event *Event `json:"event,omitempty"`
	// ExpiresAt is when the item loses its meaning; nothing new is posted of it afterwards.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Urgency goes from 1 (most urgent) to 9, as in IPTC NewsML; 0 means that the source does not say and counts as 5.
	Urgency int `json:"urgency,omitempty"`
	// Correction is the newsroom's note on what this revision corrects.
	Correction string `json:"correction,omitempty"`
	// TranslationOf is the key of the item, in the same source, that this one translates.
	TranslationOf string `json:"translation_of,omitempty"`
}

// Event is one occurrence of an event in a calendar.
type Event struct {
	// UID is the calendar's identifier of the event, or of the series that it belongs to.
	UID string `json:"uid,omitempty"`
	// Recurrence is the original start of an occurrence of a series, however it was moved; zero for a single event.
	Recurrence time.Time `json:"recurrence,omitzero"`
	// Start and End, which is exclusive, carry the offset of the event's zone.
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
	// AllDay says that it takes whole days: only the dates of Start and End count.
	AllDay bool `json:"all_day,omitempty"`
	// Zone is the IANA name of the event's zone; empty when it has none.
	Zone     string `json:"zone,omitempty"`
	Location string `json:"location,omitempty"`
	// Status is CONFIRMED, TENTATIVE or CANCELLED (RFC 5545), or empty when the calendar does not say.
	Status string `json:"status,omitempty"`
}

// NormalUrgency is what an urgency of 0 counts as.
const NormalUrgency = 5

// Author of an item. Each field is plain text and may be empty.
type Author struct {
	Name string `json:"name,omitempty"`
	URL  string `json:"url,omitempty"`
}

// Media is a picture, a film or a sound of an item.
type Media struct {
	// URL is where the source publishes it. In a Post that the host hands to a connector it is the copy on Belfry's own
	// origin, or empty when there is none.
	URL string `json:"url,omitempty"`
	// Type is the media type (image/jpeg…); empty when unknown.
	Type string `json:"type,omitempty"`
	// Alt describes it for those who do not see it.
	Alt string `json:"alt,omitempty"`
	// Credit names the author and the licence or the rights' holder.
	Credit string `json:"credit,omitempty"`
	// Width and Height in pixels; 0 when unknown.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
	// Duration of films and sounds; 0 when unknown.
	Duration time.Duration `json:"duration,omitempty"`
	// File identifies the host's stored copy; its zero value means that there is none.
	File File `json:"file,omitzero"`
}

// File is a stored copy of a medium. Plan sees it without Data; the host fills Data in before Publish and Edit.
type File struct {
	// SHA256 is the hex digest of the content and the file's identity.
	SHA256 string `json:"sha256,omitempty"`
	Name   string `json:"name,omitempty"`
	Type   string `json:"type,omitempty"`
	// Size in bytes.
	Size int64 `json:"size,omitempty"`
	// Width and Height in pixels; 0 when it is no picture.
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	Data   []byte `json:"data,omitempty"`
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

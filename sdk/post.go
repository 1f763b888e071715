package sdk

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Post is one revision of what a channel publishes, made ready for one destination.
type Post struct {
	// ID is the post's identity, the same in every revision and on every destination.
	ID string
	// Revision counts from 1.
	Revision int
	// Channel is the channel's name in the configuration; ChannelTitle is its title in the post's language.
	Channel, ChannelTitle string
	Lang                  string
	// Title and Summary are plain text; URL is the article, Permalink the hosted page of the post.
	Title, Summary string
	URL, Permalink string
	// Body is the text to post, made by the channel's or the destination's template. Connectors render and fit this.
	Body Body
	// Content is the article's own text: its summary, or all of it where the channel says "content: full".
	Content Body
	Authors []Author
	Tags    []string
	// Media have a File when the host holds a copy.
	Media []Media
	// Published is when the channel published the post; Updated when this revision was made. UTC.
	Published, Updated time.Time
	// Items are the items of a digest in order, or the one item of an each post.
	Items []PostItem
	// Correction is the note of this revision; empty in the first one.
	Correction string
	// State says whether the post is live or withdrawn.
	State PostState
	// Overflow chosen for this destination; empty means the platform's default.
	Overflow Overflow
}

// PostItem is an item as a post shows it.
type PostItem struct {
	Key, Title, Summary, URL string
	Published                time.Time
}

// PostState is append-only.
type PostState string

const (
	// PostLive is on show.
	PostLive PostState = "live"
	// PostWithdrawn was taken back; its text says so and nothing more.
	PostWithdrawn PostState = "withdrawn"
)

// ChannelRef names a channel on a platform. Only ResolveChannel makes one; the host stores it as it is.
type ChannelRef struct {
	// ID is the platform's own identifier. Only the connector reads it.
	ID string
	// Title and URL are for people.
	Title, URL string
	// State is whatever else the connector needs, at most 4 KiB.
	State []byte
}

// Part is exactly one call to a platform, ready to be made: what Plan decided, without credentials.
type Part struct {
	// Kind is the connector's own name for the call ("sendPhoto", "create"…).
	Kind string
	// Request is the body of the call, byte for byte as far as it is known before the call (files are referred to by
	// their digest, a reply by ReplyTo).
	Request []byte
	// Type is the media type of Request.
	Type string
	// Files the call uploads. The host fills in Data.
	Files []File
	// Thread says that this part answers the one before it; the host then sets ReplyTo.
	Thread bool
	// Text is what a reader will read, in plain text, for the record and for people who look at a plan.
	Text string

	// ReplyTo is the part this one answers; nil when it answers none. Set by the host.
	ReplyTo *PartRef
	// Key is the idempotency key: the same for every attempt at this call, another for every other call. Set by the host.
	Key string
}

// Digest is the hex SHA-256 of what a platform would be asked to show: Kind, Type, Request and the files' digests. Two
// parts with the same digest need no edit between them.
func (p Part) Digest() string {
	h := sha256.New()
	put := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	put([]byte(p.Kind))
	put([]byte(p.Type))
	put(p.Request)
	for _, f := range p.Files {
		put([]byte(f.SHA256))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// PartRef is how a platform names an accepted part. An album is one part with several ids.
type PartRef struct {
	IDs []string
	// URL is where people see the part; empty when the platform has none.
	URL string
	// State is opaque to the host, at most MaxPartState bytes.
	State []byte
}

// MaxPartState is the largest PartRef.State the host stores, in bytes.
const MaxPartState = 4 << 10

// Limits say, as data, what a channel on a platform takes.
type Limits struct {
	// Text is the longest text, in Unit; 0 means that there is no limit.
	Text int
	Unit Unit
	// Caption is the longest text beside media, in Unit; 0 means the same as Text.
	Caption int
	// Media is the most media in one part; 0 means that none are taken.
	Media int
	// MediaBytes is the largest file, in bytes; 0 means that there is no limit.
	MediaBytes int64
	// Overflow is what happens to longer texts unless the configuration says otherwise.
	Overflow Overflow
	// Overflows are the choices the connector supports.
	Overflows []Overflow
	Rules     Rules
}

// Rules say, as data, what may be done when.
type Rules struct {
	// EditFor and DeleteFor say how long after publication a part can be edited or deleted. Forever means no end; 0 means
	// never.
	EditFor, DeleteFor time.Duration
	// ReplyFor says how long after publication another part can answer a part (Part.ReplyTo); 0 means never.
	ReplyFor time.Duration
	// SameKeyFor says how long the platform recognises a repeated idempotency key; 0 means that it does not.
	SameKeyFor time.Duration
	// Rates the platform allows; the host keeps to all of them.
	Rates []Rate
	// Parallel is how many calls to different channels of the destination may be under way at once; 0 means 1.
	Parallel int
}

// Forever is a duration without end.
const Forever time.Duration = 1<<63 - 1

// Rate allows Events calls in any Per, for each channel or for the whole destination.
type Rate struct {
	Scope  RateScope
	Events int
	Per    time.Duration
}

// RateScope is append-only.
type RateScope string

const (
	// RateChannel counts the calls to one channel.
	RateChannel RateScope = "channel"
	// RateDestination counts the calls of the destination.
	RateDestination RateScope = "destination"
	// RatePerson counts the messages to one person.
	RatePerson RateScope = "person"
)

// Unit is what a platform counts a text's length in. Append-only.
type Unit string

const (
	// UnitBytes counts UTF-8 bytes.
	UnitBytes Unit = "bytes"
	// UnitUTF16 counts UTF-16 code units.
	UnitUTF16 Unit = "utf16"
	// UnitCodePoints counts Unicode code points.
	UnitCodePoints Unit = "codepoints"
	// UnitGraphemes counts extended grapheme clusters (UAX 29).
	UnitGraphemes Unit = "graphemes"
)

// Overflow says what happens to a text that is too long. Append-only.
type Overflow string

const (
	// OverflowCut shortens the text with an ellipsis and keeps its closing link.
	OverflowCut Overflow = "cut"
	// OverflowSplit continues in further parts.
	OverflowSplit Overflow = "split"
	// OverflowThread continues in further parts, each answering the one before.
	OverflowThread Overflow = "thread"
)

// Handoff is a post that a human publishes by hand.
type Handoff struct {
	// Text to paste, Files to attach, Open the address where it is done.
	Text  string
	Files []File
	Open  string
}

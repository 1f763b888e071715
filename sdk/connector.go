package sdk

import (
	"context"
	"time"
)

// Connector is an opened instance of a connector or source. Close is called once, after the last call has returned; it
// frees connections and waits for its goroutines.
type Connector interface {
	Close(ctx context.Context) error
}

// Source yields items when asked.
//
// Fetch is called by one caller at a time for an instance, but different instances of one process are called
// concurrently. It must keep no state besides what it returns in Batch.Next: that cursor is stored in the same
// transaction as the items, and comes back in the next FetchRequest. An error stores nothing.
type Source interface {
	Connector
	Fetch(ctx context.Context, r FetchRequest) (Batch, error)
}

// WebhookReceiver yields items when somebody else calls.
//
// Verify looks at one request and says what to answer, whether it is genuine, and which delivery it is; it does no other
// parsing. The host commits the accepted raw body before it answers with a 2xx, and calls Map afterwards from that row;
// Map may be repeated on the same row and must then give the same items.
type WebhookReceiver interface {
	Connector
	Verify(ctx context.Context, r WebhookRequest) (Verdict, error)
	Map(ctx context.Context, r WebhookRequest) (Batch, error)
}

// Checker looks whether items that a source yielded are still there, for withdrawals that the source itself does not
// announce. The answer has one presence for each item asked, in the same order.
type Checker interface {
	Connector
	CheckItems(ctx context.Context, items []ItemRef) ([]Presence, error)
}

// Resolver turns the name of a channel, as the configuration spells it, into a reference. It refuses what is not a
// channel (a private chat, a person) with CodeNotAChannel, and what the credential may not post to with CodeForbidden,
// in words that tell an admin what to change.
type Resolver interface {
	Connector
	ResolveChannel(ctx context.Context, name string) (ChannelRef, Limits, error)
}

// Publisher posts to channels.
//
// Plan turns a post into parts. It is pure and deterministic: no network, no clock, the same post gives the same parts.
// One part is one platform call. Publish makes that call; it is called for the parts in order, each recorded as the
// platform accepts it. Calls to different channels of one instance may be concurrent.
type Publisher interface {
	Connector
	Plan(to ChannelRef, p Post) ([]Part, error)
	Publish(ctx context.Context, to ChannelRef, part Part) (PartRef, error)
}

// SharedPlanner says which channels have the same plans, so that the host asks for the plan of a post once where it goes to
// many of them. It is for connectors inside the host only.
type SharedPlanner interface {
	Publisher
	// PlanKey tells apart what Plan depends on besides the post. It begins with the name of the connector's type; with equal
	// keys, connectors of that type give equal parts of a post, whatever their settings. The parts must not be changed by
	// Publish or Edit. Empty when the plan is not to be shared.
	PlanKey(to ChannelRef) string
}

// Editor replaces what a part shows. It is idempotent: an edit to the state that the platform already has is a success.
// The reference it gives back replaces the old one.
type Editor interface {
	Connector
	Edit(ctx context.Context, ref PartRef, part Part) (PartRef, error)
}

// Deleter takes a part away. It is idempotent: a part that is already missing is a success.
type Deleter interface {
	Connector
	Delete(ctx context.Context, ref PartRef) error
}

// Finder looks for a part by the key that its publication carried, to resolve an unknown outcome. It answers false only
// when the platform is sure that nothing with this key was accepted.
type Finder interface {
	Connector
	Find(ctx context.Context, to ChannelRef, key string) (PartRef, bool, error)
}

// Assistant prepares a post that a human then publishes by hand, for platforms without an API for it.
type Assistant interface {
	Connector
	Prepare(ctx context.Context, to ChannelRef, p Post) (Handoff, error)
}

// Messenger writes to one person. The host calls it concurrently.
type Messenger interface {
	Connector
	Message(ctx context.Context, m DirectMessage) (MessageRef, error)
}

// Streamer writes to many people one by one over few connections: it pulls messages from ms until Next says that no more
// will come. Every message that Next hands out may have left from that moment; Done is called once for each. Messages that
// follow each other mostly share a Common, which is then composed once.
type Streamer interface {
	Connector
	Stream(ctx context.Context, ms Messages) error
}

// Connected is implemented by Messages that want to know over how many connections a Streamer works, so that enough is ready
// ahead. A Streamer says it before it takes its first message; one that does not is given few at a time.
type Connected interface {
	Over(connections int)
}

// Receiver turns a platform's webhook call into events. It verifies the call itself.
type Receiver interface {
	Connector
	ReceiveEvents(ctx context.Context, r WebhookRequest) (WebhookReply, []InboxEvent, error)
}

// Listener waits for events by long poll, socket or mailbox. One node listens at a time, by lease.
type Listener interface {
	Connector
	Listen(ctx context.Context, from Cursor) (Events, error)
}

// Cursor is where a source or listener goes on. Only the connector reads it. At most MaxCursor bytes.
type Cursor []byte

// MaxCursor is the largest cursor the host stores, in bytes.
const MaxCursor = 64 << 10

// FetchRequest asks a source for what is new.
type FetchRequest struct {
	// Cursor is what the last successful fetch gave as Next; empty for the first one.
	Cursor Cursor
	// Now is the host's clock, in UTC. A source uses it instead of time.Now, so that tests can move it.
	Now time.Time
	// Force asks for a full answer: no conditional request, no remembered body.
	Force bool
	// Document, when set, is read instead of fetching anything.
	Document *Document
}

// Document is a body that somebody already holds.
type Document struct {
	// URL is the address relative links are resolved against; empty when unknown.
	URL string
	// ContentType is the media type as a server would declare it, with its charset; empty when unknown.
	ContentType string
	Body        []byte
}

// Batch is what one fetch or one mapped webhook gave.
//
// Withdrawals need evidence: a key in Removed, absence from a Complete batch, or absence from a group named in Whole.
// An item that is merely absent stays.
type Batch struct {
	Items   []Item
	Removed []Removal
	// Whole names groups (Item.Group) of which this batch holds every item.
	Whole []string
	// Complete says that this batch holds every item of the source. A batch that loses more than a fifth of the known
	// items is held for a person, not believed.
	Complete bool
	// Reset says that the source lost its place (an expired sync token): absences count only after one full pass.
	Reset bool
	// More says that the next fetch would give more at once.
	More bool
	// Next is stored with the items.
	Next Cursor
	// Wait is how long the source asks not to be fetched again, from its server's hints and its own habits. The host
	// waits at least this long and at least as long as its configured poll interval.
	Wait time.Duration
	// Unchanged says that the source's server confirmed that nothing changed; Items is then empty.
	Unchanged bool
	// About describes the source itself, as far as the batch tells.
	About About
	// Notices are sentences for the admin: what was repaired, what looks wrong. They are shown, never acted upon.
	Notices []string
	// PersonNotices are for one person each, by reference. Only webhooks may have them.
	PersonNotices []PersonNotice
}

// PersonNotice is news about one person, for that person alone. It reaches them only if they agreed to such notices.
type PersonNotice struct {
	// Notice is the name under which the configuration has such notices.
	Notice string
	// Reference is what the sender's own system calls the person.
	Reference string
	// Key names what it is about: a newer one of the same key takes the place of one that was not sent yet.
	Key string
	// Title and Text are plain text; they may hold {{name}} where a value of Slots stands.
	Title, Text string
	// URL is an address of http or https; empty when there is none.
	URL   string
	Slots map[string]string
	// Expires is when it loses its meaning; zero leaves it to the host.
	Expires time.Time
}

// About describes a source as it describes itself.
type About struct {
	Title, URL, Description, Lang string
	Updated                       time.Time
	// Hub is the address of a WebSub hub that tells at once what is new, and Topic what the source is called there; both are
	// empty when the source names no hub.
	Hub   string `json:",omitempty"`
	Topic string `json:",omitempty"`
}

// Removal withdraws an item.
type Removal struct {
	Key string
	// Reason is a short sentence for the record, such as "tombstone" or "410 at the item's address".
	Reason string
	At     time.Time
}

// ItemRef names an item of a source for a Checker.
type ItemRef struct{ Key, URL string }

// Presence is what a Checker saw.
type Presence struct {
	State PresenceState
	// Reason is a short sentence for the record, such as "404 Not Found".
	Reason string
}

// PresenceState is append-only; an unknown value counts as PresenceUnknown.
type PresenceState string

const (
	// PresenceUnknown is no evidence: a timeout, a 5xx, a 403.
	PresenceUnknown PresenceState = "unknown"
	// PresenceThere means that the item is still published.
	PresenceThere PresenceState = "there"
	// PresenceGone means that the item's address says it is withdrawn (404, 410, 451).
	PresenceGone PresenceState = "gone"
)

package sdk

import (
	"context"
	"time"
)

// Handle is a sender as a platform names it. It is plain: only consent turns it into an address.
type Handle struct{ Medium, Value string }

// InboxEvent is what came back from a platform or a person.
type InboxEvent struct {
	// ID is unique within the connector's instance; repeats are dropped by it.
	ID   string
	Kind EventKind
	From Handle
	// Claimed says that From is what the sender says of themselves, and that nothing proves it.
	Claimed bool
	// Answers is the ID of the DirectMessage that a person's message answers, when it carries a secret that only that message
	// had: whoever it was written to wrote this, whatever From says. Empty otherwise.
	Answers string
	// Name is the sender's public name on the platform ("@annab"), empty when they have none. People change it and others
	// may take it, so it is for matching staff and never for knowing a person again.
	Name string
	At   time.Time
	// Text of a message, or of a command with what follows it ("/start alertes").
	Text string
	// Data is what the button that was pressed carries.
	Data string
	// Lang is the language of the sender's own device as far as the platform tells (BCP 47).
	Lang string
	// Ref is the part or message that the event is about, as the platform names it; for bounces and complaints the ID of
	// the DirectMessage, which the connector has verified.
	Ref string
	// ReplyTo is what an answer to this event names in MessageContent.ReplyTo.
	ReplyTo string
	// Count and Emoji of reactions.
	Count int
	Emoji string
	// Bounce says what a bounce is.
	Bounce Bounce
}

// Bounce is why a message came back.
type Bounce struct {
	Class BounceClass
	// Status is the enhanced status code (RFC 3463), empty when none is known; Reason is the remote server's sentence.
	Status, Reason string
}

// BounceClass is append-only; an unknown class counts as BounceOther.
type BounceClass string

const (
	// BounceHard means that the address does not work and will not.
	BounceHard BounceClass = "hard"
	// BounceSoft means that it did not work this time.
	BounceSoft BounceClass = "soft"
	// BounceOther says nothing about the person: a fault of ours, of the content or of the way.
	BounceOther BounceClass = "other"
)

// EventKind is append-only; an unknown kind is kept and shown, never acted upon.
type EventKind string

// The kinds of events.
const (
	EventMessage  EventKind = "message"
	EventButton   EventKind = "button"
	EventFollow   EventKind = "follow"
	EventReaction EventKind = "reaction"
	EventBounce   EventKind = "bounce"
	EventReceipt  EventKind = "receipt"
	// EventStop means that the person closed the way to them: blocked the bot, or left by the platform's own means.
	EventStop EventKind = "stop"
	// EventReopen means that they opened it again. It is no consent.
	EventReopen EventKind = "reopen"
	// EventComplaint means that the person or their provider called a message unwanted.
	EventComplaint EventKind = "complaint"
)

// Events are the events of one Listen call, in the platform's order. The host calls Next, from one goroutine, until it
// errs. Calling Next acknowledges the event given before: it has been stored with its cursor, and is not given again by
// this call nor by a Listen from that cursor. An event that was not acknowledged is. Close may be called while Next waits;
// it makes Next return.
type Events interface {
	Next(ctx context.Context) (InboxEvent, Cursor, error)
	Close() error
}

package sdk

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/permit"
)

// Permit is the sealed permission to write to one person once. Nothing outside Belfry's consent package can make one
// that names somebody; the zero value names nobody.
type Permit = permit.Permit

// Address is where one person is reached. It exists only inside a Permit, masks itself when printed, and is read with
// Reveal at the moment of sending.
type Address = permit.Address

// Purpose says why a person is written to.
type Purpose = permit.Purpose

// The purposes. Confirm and Answer are fixed texts without editorial content.
const (
	PurposeDelivery = permit.Delivery
	PurposeConfirm  = permit.Confirm
	PurposeAnswer   = permit.Answer
)

// DirectMessage is one message to one person. It is made only from a permit.
type DirectMessage struct {
	permit Permit
	MessageContent
}

// NewDirectMessage addresses content to the person whom p names. A message made from a zero Permit names nobody, and a
// connector refuses it with CodeNoConsent (see Recipient).
func NewDirectMessage(p Permit, content MessageContent) DirectMessage {
	return DirectMessage{permit: p, MessageContent: content}
}

// ID is the delivery's identity, the same for every attempt.
func (m DirectMessage) ID() string { return m.permit.ID() }

// Purpose says why the person is written to.
func (m DirectMessage) Purpose() Purpose { return m.permit.Purpose() }

// NotAfter is when the message must no longer leave, in UTC.
func (m DirectMessage) NotAfter() time.Time { return m.permit.NotAfter() }

// Recipient gives the address, or an error with CodeNoConsent when the message names nobody or its time is over.
func (m DirectMessage) Recipient(now time.Time) (Address, error) {
	switch {
	case !m.permit.Names():
		return Address{}, Errorf(CodeNoConsent, "message", "the message was made without a permit")
	case now.After(m.permit.NotAfter()):
		return Address{}, Errorf(CodeNoConsent, "message", "the permit ended at %s", m.permit.NotAfter().Format(time.RFC3339))
	}
	return m.permit.Address(), nil
}

// MessageContent is what a message says: the person's own slots of a Common text, or a platform's template with its
// parameters.
type MessageContent struct {
	Slots      map[string]string
	Template   string
	Parameters []string
	Buttons    []Button
	// ReplyTo is the platform's id of the message this one answers.
	ReplyTo string
}

// Button opens an address or sends Data back as an inbox event.
type Button struct{ Text, URL, Data string }

// MessageRef is how a platform names an accepted message.
type MessageRef struct {
	ID    string
	State []byte
}

// Common is the text that the messages of one stream share; each message carries only its slots.
type Common struct {
	Post Post
	// Subject, Text and HTML hold {{name}} where a message's slot of that name stands.
	Subject, Text, HTML string
}

// Messages hands out the messages of a stream.
type Messages interface {
	// Next gives a message inside a started window, or false when the stream is over. Taking a message means that its
	// first byte may leave.
	Next(ctx context.Context) (DirectMessage, bool)
	// Done settles a taken message, once.
	Done(id string, ref MessageRef, err error)
}

// Handle is a sender as a platform names it. It is plain: only consent turns it into an address.
type Handle struct{ Medium, Value string }

// InboxEvent is what came back from a platform or a person.
type InboxEvent struct {
	// ID is unique within the connector's instance; repeats are dropped by it.
	ID   string
	Kind EventKind
	From Handle
	At   time.Time
	// Text of a message, a command or an answer.
	Text string
	// Ref is the part or message that the event is about, as the platform names it.
	Ref string
	// Count and Emoji of reactions.
	Count int
	Emoji string
}

// EventKind is append-only; an unknown kind is kept and shown, never acted upon.
type EventKind string

// The kinds of events.
const (
	EventMessage  EventKind = "message"
	EventFollow   EventKind = "follow"
	EventStop     EventKind = "stop"
	EventReaction EventKind = "reaction"
	EventBounce   EventKind = "bounce"
	EventReceipt  EventKind = "receipt"
)

// Events are the events of one Listen call. The host calls Next until it errs; an acknowledged event is not given again.
type Events interface {
	Next(ctx context.Context) (InboxEvent, Cursor, error)
	Close() error
}

// WebhookRequest is one call by a platform or a publishing system, as it came.
type WebhookRequest struct {
	Method, Path, Query string
	Header              map[string][]string
	Body                []byte
	ReceivedAt          time.Time
}

// WebhookReply is what to answer.
type WebhookReply struct {
	Status int
	Header map[string][]string
	Body   []byte
}

// Verdict is what a WebhookReceiver thinks of a request.
type Verdict struct {
	Reply WebhookReply
	// Accept says that the request is genuine and is to be kept and mapped.
	Accept bool
	// DeliveryID names the delivery, the same for the sender's retries; empty when the sender gives none.
	DeliveryID string
}

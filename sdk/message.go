package sdk

import (
	"context"
	"strings"
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

// MessageContent is what a message says: a text that several messages share with the person's own words in its slots, or
// a platform's template with its parameters.
type MessageContent struct {
	// Common is the shared text. Messages that share one hold the same pointer, so that a connector composes it once. Nil
	// where Template says everything.
	Common *Common
	// Slots are the person's own values: plain text, by the name that Slot marks in Common. Those named by a Slot constant
	// are addresses that only this person's message may hold.
	Slots      map[string]string
	Template   string
	Parameters []string
	// Buttons stand under this message alone, row by row. A medium without buttons lists those that open an address.
	Buttons [][]Button
	// ReplyTo is the platform's id of the message this one answers.
	ReplyTo string
}

// Button opens an address, or sends Data (at most 64 bytes) back as an EventButton.
type Button struct{ Text, URL, Data string }

// MessageRef is how a platform names an accepted message.
type MessageRef struct {
	ID    string
	State []byte
}

// The slots that the host fills in every message that a person can leave by it.
const (
	// SlotUnsubscribe is the address that ends what this message belongs to: a POST to it does so at once (RFC 8058), a GET
	// shows a page with a button.
	SlotUnsubscribe = "unsubscribe"
	// SlotPreferences is the address of the person's own page.
	SlotPreferences = "preferences"
	// SlotWhy is the address that shows the person's own record of why they get this.
	SlotWhy = "why"
	// SlotConfirm is the address that a confirmation asks to open.
	SlotConfirm = "confirm"
)

// Slot is the place in a text of a Common where each message's own value of that name stands. It is made of two
// noncharacters of Unicode, which texts from outside cannot hold: package render takes them out.
func Slot(name string) string { return "\ufdd0" + name + "\ufdd1" }

// Slots cuts a text with places for slots into its fixed parts and the names between them: len(fixed) is len(names)+1.
func Slots(text string) (fixed, names []string) {
	for {
		before, rest, found := strings.Cut(text, "\ufdd0")
		name, after, whole := strings.Cut(rest, "\ufdd1")
		if !found || !whole {
			return append(fixed, text), names
		}
		fixed, names, text = append(fixed, before), append(names, name), after
	}
}

// Fill puts values into the places for slots of a plain text; a name without a value becomes nothing.
func Fill(text string, values map[string]string) string {
	fixed, names := Slots(text)
	var b strings.Builder
	b.WriteString(fixed[0])
	for i, n := range names {
		b.WriteString(values[n])
		b.WriteString(fixed[i+1])
	}
	return b.String()
}

// Common is a text that many messages share, each with its own slots.
type Common struct {
	// ID names the text, and changes whenever any of it does.
	ID string
	// Kind says what it is about.
	Kind CommonKind
	// Lang is the language of the text (BCP 47).
	Lang string
	// Subject is plain text without line breaks, for media that show one apart from the text. Body is the text, which says its
	// title itself; where it is empty, the subject is all there is. Both may hold slots, Body in its texts only.
	Subject string
	Body    Body
	// Permalink is the hosted page of what the message is about; empty where there is none.
	Permalink string
	// Media with a File, as far as the text shows any.
	Media []Media
	// Reason says in one sentence why the person gets this; it may hold slots.
	Reason string
	// Links stand under the reason: each opens the address in a slot.
	Links []CommonLink
	// List is what the person follows; its ID is empty where they follow nothing yet.
	List List
	// Sender is the name and the postal or web address of who writes, in one line.
	Sender string
}

// CommonLink is a link whose address is each person's own.
type CommonLink struct{ Text, Slot string }

// List is what a person follows and can leave.
type List struct {
	// ID is a name of letters, digits and hyphens that never changes; Title is for people.
	ID, Title string
}

// CommonKind is append-only; an unknown kind counts as CommonPost.
type CommonKind string

// The kinds of texts.
const (
	CommonPost       CommonKind = "post"
	CommonDigest     CommonKind = "digest"
	CommonCorrection CommonKind = "correction"
	CommonNotice     CommonKind = "notice"
	CommonConfirm    CommonKind = "confirm"
	CommonAnswer     CommonKind = "answer"
)

// Messages hands out the messages of a stream.
type Messages interface {
	// Next gives a message inside a started window, or false when the stream is over. Taking a message means that its
	// first byte may leave. It may be called by several goroutines.
	Next(ctx context.Context) (DirectMessage, bool)
	// Done settles a taken message, once.
	Done(id string, ref MessageRef, err error)
}

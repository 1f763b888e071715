package sdk

import "time"

// Medium is what a platform says of messages to single people there, as data: the host decides by it before each message, and
// asks no connector. The zero value forbids nothing. An admin may add to it, and takes nothing away (medium_rules).
type Medium struct {
	// OwnChoice says that the platform forbids impersonal bulk: of a channel's posts a person gets only those that a choice of
	// theirs selects (a topic, digests, breaking news).
	OwnChoice bool
	// TheyBegin says that nobody is written to before they have written there themselves: nobody is asked for a confirmation there,
	// and what an import says is not enough.
	TheyBegin bool
	// ReplyWindow is how long after a person last wrote they may be written to; what comes later waits until they write again.
	// 0 is always. Templates says that outside of it the connector uses the platform's own templates, so that nothing waits.
	ReplyWindow time.Duration
	Templates   bool
	// Hears are the kinds of events that a Receiver or a Listener of the type tells of, so that an admin knows what a plugin will be
	// believed. Every type that has one says it: what it does not name is dropped where it comes out of another process.
	Hears []EventKind
	// Address says when two spellings are one address; empty is AddressExact. It holds before an address is sealed or compared, so it
	// must not change while any is kept.
	Address AddressRule
}

// AddressRule brings the addresses of a medium into one form. It is append-only; a type with an unknown one writes to nobody.
type AddressRule string

const (
	// AddressExact leaves an address as it is.
	AddressExact AddressRule = "exact"
	// AddressLowercase takes small letters for capital ones.
	AddressLowercase AddressRule = "lowercase"
	// AddressE164 is a telephone number with its country: "+33612345678" for "+33 6 12 34 56 78" and "0033 (0)6 12-34-56-78".
	AddressE164 AddressRule = "e164"
)

// Known reports whether the rule is one of those above, or empty.
func (a AddressRule) Known() bool {
	return a == "" || a == AddressExact || a == AddressLowercase || a == AddressE164
}

// WithMedium says what holds for messages to people by this type. Every type that has a Messenger says it, a platform that forbids
// nothing with the zero value.
func (s *Spec) WithMedium(m Medium) *Spec {
	s.Medium = &m
	return s
}

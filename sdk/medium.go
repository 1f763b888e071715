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
}

// WithMedium says what holds for messages to people by this type. Every type that has a Messenger says it, a platform that forbids
// nothing with the zero value.
func (s *Spec) WithMedium(m Medium) *Spec {
	s.Medium = &m
	return s
}

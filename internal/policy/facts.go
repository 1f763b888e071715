package policy

import (
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/scheduler"
)

// Kind of a message.
type Kind string

// The kinds. They have the names of the SDK's kinds of texts.
const (
	Post       Kind = "post"
	Digest     Kind = "digest"
	Correction Kind = "correction" // of what this person was sent; a retraction is one
	Notice     Kind = "notice"
	Confirm    Kind = "confirm"
	Answer     Kind = "answer"
)

// Facts are all that a decision depends on. What is left at its zero value is never a permission: no grant, no kind.
type Facts struct {
	Now     time.Time
	Kind    Kind
	Purpose consent.Purpose
	Medium  string

	// Suppressions are those of this person and of the address that is written to.
	Suppressions []Suppression

	// Grant as it is now; its zero value where there is none. Version goes up each time it becomes active, and MadeFor is
	// the version that the message was made for.
	Grant            consent.Grant
	Version, MadeFor int64

	// Wrote is when the person wrote what an Answer answers, AnswerWithin how long an answer to it makes sense.
	Wrote        time.Time
	AnswerWithin time.Duration

	Content Content
	Rules   Rules
	Caps    Caps
	Pauses  Pauses
	Brake   Brake
	Guard   Guard

	// Asleep says that the person was asked whether they still read, and has shown no sign since.
	Asleep bool

	Habits consent.Habits
	// Zones is the person's time zone (see Zones.Of). Of a person whose zone is unknown but whose country has several, it
	// is all of them: what is quiet in one of them is quiet. Empty is UTC.
	Zones []*time.Location
	// Country is where the person is, as far as it is known (ISO 3166-1 alpha-2), for the law's quiet hours.
	Country string
}

// Content is what the decision needs to know of what the message says.
type Content struct {
	// Topics and Language (BCP 47) of a post; an unknown language is every language.
	Topics   []string
	Language string
	// Urgent posts and corrections may pass quiet hours where the person ticked breaking.
	Urgent bool
	// Expires is when the news is old; zero is never. UTC.
	Expires time.Time
	// Withdrawn says that the post is withdrawn, or the notice taken back; Replaced that a newer notice of the same key is
	// there; Had that the person had it already, on this medium; Empty that nothing of a digest is left.
	Withdrawn, Replaced, Had, Empty bool
	// Asked says that this person asked for this very message, with a keyword or a button.
	Asked bool
}

// Rules are a medium's and the law's, as data.
type Rules struct {
	// OwnChoice says that the platform forbids impersonal bulk: a message goes only where the person's own choice
	// (topic, keyword, digest, breaking) selects it.
	OwnChoice bool
	// TheyBegin says that the platform lets nobody be written to who has not begun (Began) there themselves.
	TheyBegin, Began bool
	// ReplyWindow is how long after the person's own last message (LastHeard) they may be written to freely; 0 is always.
	// Template says that the message is one that the platform also takes outside it.
	ReplyWindow time.Duration
	LastHeard   time.Time
	Template    bool
	// Quiet holds the hours in which the law forbids messages on this medium, by country; "" holds everywhere. Hours
	// without a zone are the person's.
	Quiet map[string]scheduler.Windows
}

// Caps are the most that one person gets, and what they got. Days and weeks are those of the person's zone (see Day and
// Week). A zero cap is none.
type Caps struct {
	// PerDay, PerWeek and Gap (between two) are of the channel or notice, as are Today, ThisWeek and Last.
	PerDay, PerWeek int
	Gap             time.Duration
	Today, ThisWeek int
	Last            time.Time
	// All is how many messages the person got today over everything, against Habits.PerDay.
	All int
}

// Pauses are what somebody of the house paused. The person's own is in Habits.
type Pauses struct {
	// Lane is everything direct, or all on this medium; Channel is this channel or notice.
	Lane, Channel Pause
}

// Pause is one pause; without Until it holds until it is lifted.
type Pause struct {
	On    bool
	Until time.Time
}

// Scope is what a suppression covers. An unknown scope covers everything.
type Scope string

const (
	// ScopePurpose covers one channel or notice, on one medium or on all.
	ScopePurpose Scope = "purpose"
	// ScopeMedium covers everything on one medium, as an address that is gone does.
	ScopeMedium Scope = "medium"
	// ScopeAll covers everything but what the person newly asks for.
	ScopeAll Scope = "all"
	// ScopeNever is "never write to me again", and covers confirmations too.
	ScopeNever Scope = "never"
)

// Suppression is one entry that forbids writing.
type Suppression struct {
	Scope   Scope
	Purpose consent.Purpose // of ScopePurpose
	Medium  string          // of ScopePurpose and ScopeMedium; "" is every medium
	// Why is what led to it, such as "hard-bounce"; it decides nothing.
	Why string
}

// covers reports whether it forbids the message.
func (s Suppression) covers(f Facts) bool {
	medium := s.Medium == "" || s.Medium == f.Medium
	switch s.Scope {
	case ScopePurpose:
		return f.Kind != Confirm && medium && s.Purpose == f.Purpose
	case ScopeMedium:
		return f.Kind != Confirm && medium
	case ScopeAll:
		return f.Kind != Confirm
	}
	return true
}

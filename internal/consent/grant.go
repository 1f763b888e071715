package consent

import (
	"slices"
	"time"
)

// PersonID is a person's internal identity. It is never shown; Ref is.
type PersonID int64

// Kind of purpose.
type Kind string

const (
	// Channel is a channel that the person follows.
	Channel Kind = "channel"
	// Notice is something about this one person that they asked to hear.
	Notice Kind = "notice"
)

// Purpose is what a person agreed to.
type Purpose struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"` // of the channel or notice in the configuration
}

// String names the purpose, such as "channel alertes".
func (p Purpose) String() string { return string(p.Kind) + " " + p.Name }

// State of a grant. Only Active permits anything; that nothing is known is no.
type State string

const (
	// Pending waits for the person's own act.
	Pending State = "pending"
	// Active permits.
	Active State = "active"
	// Withdrawn was ended by the person, or on their behalf by a bounce or a complaint.
	Withdrawn State = "withdrawn"
	// Expired was never confirmed in time, or was given for a time that is over.
	Expired State = "expired"
)

// Grant is one person's consent to one purpose over one medium.
type Grant struct {
	ID      int64    `json:"-"`
	Person  PersonID `json:"-"`
	Purpose Purpose  `json:"purpose"`
	Medium  string   `json:"medium"`
	State   State    `json:"state"`
	// Since is when it became active; Changed when its state was last changed. UTC.
	Since   time.Time `json:"since,omitzero"`
	Changed time.Time `json:"changed"`
	// Version is another one after each end, so that what was made for an ended grant does not leave under a later one.
	Version     int         `json:"-"`
	Preferences Preferences `json:"preferences"`
}

// Preferences are what a person chose for one grant.
type Preferences struct {
	// Mode says whether each post comes at once or collected.
	Mode Mode `json:"mode,omitempty"`
	// Slots are the local times of digests, "07:00", among those that the channel offers.
	Slots []string `json:"slots,omitempty"`
	// Topics are tags; without any, everything is wanted. Languages are main language tags; without any, all are.
	Topics    []string `json:"topics,omitempty"`
	Languages []string `json:"languages,omitempty"`
	// Breaking lets urgent posts come in quiet hours.
	Breaking bool `json:"breaking,omitempty"`
}

// Mode of messages.
type Mode string

const (
	// Instant sends each post as it is published.
	Instant Mode = "instant"
	// Digest collects posts until the person's next slot.
	Digest Mode = "digest"
)

// Equal reports whether two people chose the same.
func (p Preferences) Equal(q Preferences) bool {
	return p.Mode == q.Mode && p.Breaking == q.Breaking && slices.Equal(p.Slots, q.Slots) && slices.Equal(p.Topics, q.Topics) && slices.Equal(p.Languages, q.Languages)
}

// Habits are what a person chose for all that they get.
type Habits struct {
	// Lang is the language Belfry speaks to them ("en", "fr"); Zone their time zone, by its IANA name.
	Lang string `json:"lang,omitempty"`
	Zone string `json:"zone,omitempty"`
	// QuietFrom and QuietUntil are local times, "22:00"; both empty for no quiet hours. They may cross midnight.
	QuietFrom  string `json:"quiet_from,omitempty"`
	QuietUntil string `json:"quiet_until,omitempty"`
	// PausedUntil is zero when nothing is paused. UTC.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	// PerDay is the most messages a day over everything they follow; 0 is what the channels allow.
	PerDay int `json:"per_day,omitempty"`
}

// UntilResumed is the PausedUntil of a pause without an end.
func UntilResumed() time.Time { return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }

// PausedOpenly says that everything is paused until the person says otherwise.
func (h Habits) PausedOpenly() bool { return !h.PausedUntil.Before(UntilResumed()) }

// Method says how a person showed what they want.
type Method string

// The methods. They are append-only: the ledger keeps them.
const (
	ByForm      Method = "form"      // a page of ours, or a form elsewhere that leads to one
	ByLink      Method = "link"      // the button behind a link that only this person was sent
	ByOneClick  Method = "one_click" // RFC 8058
	ByButton    Method = "button"    // a bot's button
	ByKeyword   Method = "keyword"   // a word or command to a bot, or in a reply
	ByReply     Method = "reply"     // a reply by mail
	ByAPI       Method = "api"
	ByImport    Method = "import"
	ByPlatform  Method = "platform"  // blocked the bot, left by the platform's own means
	ByBounce    Method = "bounce"    // the address is gone
	ByComplaint Method = "complaint" // a provider passed on a complaint
	ByOperator  Method = "operator"
	ByTime      Method = "time" // something was not done in time
)

// Actor is who acted.
type Actor string

// The actors.
const (
	Self     Actor = "self"
	Operator Actor = "operator"
	Importer Actor = "import"
	Provider Actor = "provider"
	Clock    Actor = "clock"
)

// Evidence is how it can be shown later that a person wanted something.
type Evidence struct {
	At     time.Time `json:"at,omitzero"` // by our clock, UTC; of an import, when it says that the person agreed
	Method Method    `json:"method"`
	Actor  Actor     `json:"actor"`
	// Wording is the exact text that the person saw, Version its name, Lang its language.
	Wording string `json:"wording,omitempty"`
	Version string `json:"version,omitempty"`
	Lang    string `json:"lang,omitempty"`
	// Where is the form or message: a path of ours, or an inbound message's id.
	Where string `json:"where,omitempty"`
	// Origin is where the request came from, as far as privacy.ip allows.
	Origin string `json:"origin,omitempty"`
	// Note is an operator's reason, or the source that an import names.
	Note string `json:"note,omitempty"`
}

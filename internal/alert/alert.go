// Package alert names the trouble that a person has to know of. Alerts are rows, committed with what caused them;
// identical ones fold into one that counts, and each ends when its cause does.
package alert

import "time"

// Code says what kind of trouble an alert is about. Append-only.
type Code string

// The codes.
const (
	SourceFailing    Code = "source_failing"    // a source cannot be fetched
	SourceGone       Code = "source_gone"       // a source answered 410
	SourceStale      Code = "source_stale"      // nothing new for longer than stale_after
	SourceHeld       Code = "source_held"       // the flood brake holds new items or withdrawals
	WebhookFailed    Code = "webhook_failed"    // a webhook could not be mapped, and is kept
	PluginHeld       Code = "plugin_held"       // a plugin instance crashed too often
	DestinationStop  Code = "destination_stop"  // a credential or right is missing; its posts wait
	DestinationDown  Code = "destination_down"  // a destination fails for passing reasons, for long
	OutcomeUnknown   Code = "outcome_unknown"   // a call may have arrived, and a person has to look
	PostFailed       Code = "post_failed"       // a post was refused for good
	PostExpired      Code = "post_expired"      // posts could not leave in time
	CorrectionListed Code = "correction_listed" // a copy could not follow a correction
	ScheduleMissed   Code = "schedule_missed"   // a digest was missed
	HeldForRelease   Code = "held_for_release"  // a blackout held posts that wait for a person
	ExpressionFailed Code = "expression_failed" // a where: or urgent: failed for an item, which is held where that matters
	ConfigRefused    Code = "config_refused"    // a changed configuration has problems; the old one stays
	DiskLow          Code = "disk_low"          // less room than disk_floor: nothing is fetched
	StoreRestored    Code = "store_restored"    // the store came from a backup, and a person has to let it go on
	ClockChanged     Code = "clock_changed"     // the machine's clock was set by more than it drifts
	MessagesHeld     Code = "messages_held"     // no message to a person may leave until somebody has looked
	LedgerTrouble    Code = "ledger_trouble"    // the record of consent cannot be sealed
	Test             Code = "test"              // belfry alert test: nothing is wrong
)

// Codes lists every code, in the order of the guide.
func Codes() []Code {
	return []Code{SourceFailing, SourceGone, SourceStale, SourceHeld, WebhookFailed, PluginHeld, DestinationStop, DestinationDown, OutcomeUnknown, PostFailed, PostExpired,
		CorrectionListed, ScheduleMissed, HeldForRelease, ExpressionFailed, ConfigRefused, DiskLow, StoreRestored, ClockChanged, MessagesHeld, LedgerTrouble, Test}
}

// Counts says that the sentence of such an alert tells how often it was raised.
func (c Code) Counts() bool { return c == PostFailed || c == PostExpired || c == WebhookFailed }

// Passing says that trouble of this kind comes and goes by itself: what comes back soon after its end is still the same, and
// its end is told of once it has lasted.
func (c Code) Passing() bool { return c == SourceFailing || c == DestinationDown || c == DiskLow }

const (
	// SameWithin is how long after its end passing trouble that comes back is still the same alert.
	SameWithin = time.Hour
	// Settle is how long passing trouble has to stay away by default until its end is told of; trouble that came back
	// before has to stay away for SameWithin.
	Settle = 5 * time.Minute
)

// guide is the operator's guide, which has a heading for every code.
const guide = "https://github.com/belfry-news/belfry/blob/main/docs/operations.md"

// Link leads to what the operator's guide says of a code.
func (c Code) Link() string { return guide + "#" + string(c) }

// Alert is trouble with one subject.
type Alert struct {
	Code Code
	// Subject is what it is about: a source, a destination, a channel, a post. Code and Subject are its identity.
	Subject string
	// Sentence says what happened and what it means; Mend is the command or the act that mends it.
	Sentence, Mend string
	// Many is the sentence once it was raised more than once, with {n} for how often; empty when it is the same.
	Many string
}

// Key is the identity of an alert.
type Key struct {
	Code    Code
	Subject string
}

// Key gives the identity.
func (a Alert) Key() Key { return Key{a.Code, a.Subject} }

// Row is a stored alert.
type Row struct {
	ID int64
	Alert
	// First and Last time it was raised, and how often; Resolved is zero while it lasts. UTC.
	First, Last, Resolved time.Time
	Count                 int
	// CameBack says that it was over before, and began again.
	CameBack bool
}

// Over says whether the end of an alert is believed: trouble that comes and goes has to stay away for settle, and when it
// came back before, until it would be another alert. A settle of zero believes every end at once.
func (r Row) Over(settle time.Duration, now time.Time) bool {
	switch {
	case r.Resolved.IsZero():
		return false
	case !r.Code.Passing() || settle <= 0:
		return true
	case r.CameBack:
		settle = max(settle, SameWithin)
	}
	return !now.Before(r.Resolved.Add(settle))
}

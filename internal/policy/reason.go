package policy

import "time"

// Verdict is what becomes of a message now.
type Verdict string

const (
	// Go lets it start.
	Go Verdict = "go"
	// Wait puts it off until a time, at which it is decided anew.
	Wait Verdict = "wait"
	// Fold puts what it says into the person's next digest; it ends here, as a message of its own. Of a Digest, its
	// contents go into the next one.
	Fold Verdict = "fold"
	// Hold waits for somebody's act; the reason says whose.
	Hold Verdict = "hold"
	// No ends it: it does not go.
	No Verdict = "no"
)

// Decision is what Decide answers.
type Decision struct {
	Verdict Verdict
	Reason  Reason
	// Until is the first instant at which nothing that is known now speaks against it: set with Wait alone. Who waits for
	// the end of the same hours must not leave in the same second: its caller adds jitter.
	Until time.Time
	// Override says that the person's own quiet hours or choice of digests were passed because they ticked breaking. Each
	// is recorded.
	Override bool
}

// Reason names why. Reasons are stored: the list is append-only.
type Reason string

// The reasons, in the order in which they are tried.
const (
	UnknownKind    Reason = "unknown_kind"
	Suppressed     Reason = "suppressed"
	Stale          Reason = "answer_too_late"
	NoGrant        Reason = "no_grant"
	NotConfirmed   Reason = "not_confirmed"
	Left           Reason = "withdrawn"
	GrantEnded     Reason = "grant_expired"
	EarlierGrant   Reason = "earlier_grant"
	NotBegun       Reason = "not_begun"
	ContentGone    Reason = "content_withdrawn"
	NoticeReplaced Reason = "replaced"
	AlreadyHad     Reason = "already_had"
	NothingLeft    Reason = "empty"
	Old            Reason = "expired"
	OtherTopic     Reason = "topic_not_chosen"
	OtherLanguage  Reason = "language_not_chosen"
	NotSelected    Reason = "not_selected"
	Asleep         Reason = "asleep"
	ChoseDigests   Reason = "digest_chosen"
	SameToMany     Reason = "bulk_guard"
	NewAudience    Reason = "new_audience"
	LanePaused     Reason = "lane_paused"
	ChannelPaused  Reason = "channel_paused"
	WindowClosed   Reason = "reply_window_closed"
	QuietUnread    Reason = "quiet_hours_unreadable"
	PersonPaused   Reason = "person_paused"
	CapOfPerson    Reason = "cap_of_person"
	CapOfDay       Reason = "cap_of_day"
	CapOfWeek      Reason = "cap_of_week"
	TooSoon        Reason = "gap"
	QuietByLaw     Reason = "quiet_hours_of_law"
	QuietHours     Reason = "quiet_hours"
	QuietAlways    Reason = "quiet_hours_endless"
	OldByThen      Reason = "expires_before_it_may_go"
	Breaking       Reason = "breaking"
	Allowed        Reason = "allowed"
)

// Told is a reason with what `belfry why` says of it.
type Told struct {
	Reason Reason
	// Verdicts it may come with.
	Verdicts []Verdict
	Sentence string
}

// Reasons lists all reasons in the order in which they are tried.
func Reasons() []Told {
	return []Told{
		{UnknownKind, []Verdict{No}, "This version of Belfry does not know this kind of message."},
		{Suppressed, []Verdict{No}, "The person or the address must not be written to: they left, complained, or the address is gone. Only a new act of the person lifts this."},
		{Stale, []Verdict{No}, "What the person wrote is too long ago to be answered now."},
		{NoGrant, []Verdict{No}, "There is no consent of this person to this purpose on this medium."},
		{NotConfirmed, []Verdict{No}, "The person has not confirmed yet."},
		{Left, []Verdict{No}, "The person withdrew their consent."},
		{GrantEnded, []Verdict{No}, "The consent was never confirmed in time, or was given for a time that is over."},
		{EarlierGrant, []Verdict{No}, "The message was made for a consent that has ended; the person has come back since, and gets what is new from then on."},
		{NotBegun, []Verdict{No}, "The platform lets nobody be written to before they have written there themselves: it begins when the person starts the bot."},
		{ContentGone, []Verdict{No}, "What the message says was withdrawn before it left."},
		{NoticeReplaced, []Verdict{No}, "A newer notice about the same thing took its place."},
		{AlreadyHad, []Verdict{No}, "The person already had this."},
		{NothingLeft, []Verdict{No}, "There is nothing in the digest for this person."},
		{Old, []Verdict{No}, "The news is too old."},
		{OtherTopic, []Verdict{No}, "The person chose other topics."},
		{OtherLanguage, []Verdict{No}, "The person chose other languages."},
		{NotSelected, []Verdict{No}, "The platform forbids the same message to many, and no choice of this person selects this one: choose topics or digests, or post it on the platform's channel."},
		{Asleep, []Verdict{No}, "The person was asked whether they still read, and has not answered; a word or a change on their page brings everything back."},
		{ChoseDigests, []Verdict{Fold}, "The person chose digests: it comes in the next one."},
		{SameToMany, []Verdict{Hold}, "The same notice would go to more people than bulk_guard.same_body allows. Somebody of the house looks at it and releases it, or makes it a post of a channel."},
		{NewAudience, []Verdict{Hold}, "The channel has many new people, and its first messages to them are out. Somebody of the house looks at bounces and complaints and releases the rest."},
		{LanePaused, []Verdict{Hold, Wait}, "Direct messages are paused."},
		{ChannelPaused, []Verdict{Hold, Wait}, "The channel or notice is paused."},
		{WindowClosed, []Verdict{Hold}, "The platform lets this person be written to only after they write again."},
		{QuietUnread, []Verdict{Hold}, "The person's quiet hours cannot be read; setting them anew mends it."},
		{PersonPaused, []Verdict{Fold, Wait}, "The person paused everything."},
		{CapOfPerson, []Verdict{Fold, Wait}, "The person got as many messages today as they want."},
		{CapOfDay, []Verdict{Fold, Wait}, "The person got as many messages today as the channel or notice sends in a day."},
		{CapOfWeek, []Verdict{Fold, Wait}, "The person got as many messages this week as the channel or notice sends in a week."},
		{TooSoon, []Verdict{Wait}, "The last message to this person is too recent."},
		{QuietByLaw, []Verdict{Wait}, "The law forbids messages at this hour where the person is."},
		{QuietHours, []Verdict{Wait}, "The person's quiet hours."},
		{QuietAlways, []Verdict{No}, "The quiet hours never end."},
		{OldByThen, []Verdict{No}, "The news would be too old by the time it may go."},
		{Breaking, []Verdict{Go}, "Urgent, and the person chose that urgent news may come at any time."},
		{Allowed, []Verdict{Go}, "Nothing speaks against it."},
	}
}

// Sentence says the reason in plain words; of a reason of a newer version it gives the name.
func (r Reason) Sentence() string {
	for _, t := range Reasons() {
		if t.Reason == r {
			return t.Sentence
		}
	}
	return string(r)
}

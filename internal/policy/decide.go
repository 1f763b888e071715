package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// Decide says whether the message may go now. The package comment states the order.
func Decide(f Facts) Decision {
	if d, decided := f.permission(); decided {
		return d
	}
	if d, decided := f.content(); decided {
		return d
	}
	if f.Asleep && (f.Kind == Post || f.Kind == Digest) {
		return Decision{Verdict: No, Reason: Asleep}
	}
	digests, breaking := f.wantsDigest(), f.breaking()
	if digests && !breaking {
		return Decision{Verdict: Fold, Reason: ChoseDigests}
	}
	if reason, held := f.held(); held {
		return Decision{Verdict: Hold, Reason: reason}
	}
	quiet, ok := f.quiet(breaking)
	if !ok {
		return Decision{Verdict: Hold, Reason: QuietUnread}
	}
	reached := f.limits()
	if len(reached) > 0 && f.Kind != Notice { // a notice is about one person and one thing: it fits in no digest, and waits
		return Decision{Verdict: Fold, Reason: reached[0].reason}
	}
	return f.timed(reached, quiet, digests)
}

// permission decides what needs no look at the content: everything about fixed texts, and whether there is a grant.
func (f Facts) permission() (Decision, bool) {
	no := func(r Reason) (Decision, bool) { return Decision{Verdict: No, Reason: r}, true }
	if !slices.Contains([]Kind{Post, Digest, Correction, Notice, Confirm, Answer}, f.Kind) {
		return no(UnknownKind)
	}
	if f.Kind == Answer {
		if late := f.Now.Sub(f.Wrote); f.Wrote.IsZero() || late > f.AnswerWithin {
			return no(Stale)
		}
		return Decision{Verdict: Go, Reason: Allowed}, true
	}
	if slices.ContainsFunc(f.Suppressions, func(s Suppression) bool { return s.covers(f) }) {
		return no(Suppressed)
	}
	if f.Kind == Confirm {
		return Decision{Verdict: Go, Reason: Allowed}, true
	}
	if f.Grant.Purpose != f.Purpose || f.Grant.Medium != f.Medium || f.Medium == "" || f.Purpose.Name == "" {
		return no(NoGrant)
	}
	switch f.Grant.State {
	case consent.Active:
	case consent.Pending:
		return no(NotConfirmed)
	case consent.Withdrawn:
		return no(Left)
	case consent.Expired:
		return no(GrantEnded)
	default:
		return no(NoGrant)
	}
	if f.Version != f.MadeFor {
		return no(EarlierGrant)
	}
	if f.Rules.TheyBegin && !f.Rules.Began {
		return no(NotBegun)
	}
	return Decision{}, false
}

// content decides what does not go because of what it says.
func (f Facts) content() (Decision, bool) {
	c, wants := f.Content, f.Grant.Preferences
	reason := Allowed
	switch {
	case c.Withdrawn && f.Kind != Correction: // a correction may be what says so
		reason = ContentGone
	case c.Replaced:
		reason = NoticeReplaced
	case c.Had:
		reason = AlreadyHad
	case c.Empty && f.Kind == Digest:
		reason = NothingLeft
	case !c.Expires.IsZero() && !f.Now.Before(c.Expires):
		reason = Old
	case f.Kind != Post || c.Asked:
	case len(wants.Topics) > 0 && !meet(wants.Topics, c.Topics):
		reason = OtherTopic
	case len(wants.Languages) > 0 && c.Language != "" && !meet(mains(wants.Languages), mains([]string{c.Language})):
		reason = OtherLanguage
	case f.Rules.OwnChoice && len(wants.Topics) == 0 && wants.Mode != consent.Digest && !f.breaking():
		reason = NotSelected
	}
	return Decision{Verdict: No, Reason: reason}, reason != Allowed
}

// meet reports whether two lists have a word in common, whatever its case.
func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return strings.EqualFold(x, y) })
	})
}

// mains gives the languages without their regions and scripts.
func mains(tags []string) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i], _, _ = strings.Cut(strings.ReplaceAll(t, "_", "-"), "-")
	}
	return out
}

// breaking reports whether this is urgent to a person who wants urgent news at any time.
func (f Facts) breaking() bool {
	return f.Content.Urgent && f.Grant.Preferences.Breaking && (f.Kind == Post || f.Kind == Correction)
}

// wantsDigest reports whether it is a post to a person who chose digests.
func (f Facts) wantsDigest() bool {
	return f.Kind == Post && f.Grant.Preferences.Mode == consent.Digest && !f.Content.Asked
}

// held finds what waits for somebody's act.
func (f Facts) held() (Reason, bool) {
	r := f.Rules
	switch {
	case f.Kind == Notice && f.Guard.Holds():
		return SameToMany, true
	case (f.Kind == Post || f.Kind == Digest) && f.Brake.Holds():
		return NewAudience, true
	case f.Pauses.Lane.On && f.Pauses.Lane.Until.IsZero():
		return LanePaused, true
	case f.Pauses.Channel.On && f.Pauses.Channel.Until.IsZero():
		return ChannelPaused, true
	case r.ReplyWindow > 0 && !r.Template && (r.LastHeard.IsZero() || f.Now.Sub(r.LastHeard) >= r.ReplyWindow):
		return WindowClosed, true
	}
	return "", false
}

// limit is one thing of which the person has had enough, and when they may get more.
type limit struct {
	reason Reason
	until  time.Time
}

// limits gives those that are reached.
func (f Facts) limits() (out []limit) {
	c, zone := f.Caps, f.zones()[0]
	if f.Now.Before(f.Habits.PausedUntil) {
		out = append(out, limit{PersonPaused, f.Habits.PausedUntil})
	}
	if f.Habits.PerDay > 0 && c.All >= f.Habits.PerDay {
		out = append(out, limit{CapOfPerson, NextDay(zone, f.Now)})
	}
	if c.PerDay > 0 && c.Today >= c.PerDay {
		out = append(out, limit{CapOfDay, NextDay(zone, f.Now)})
	}
	if c.PerWeek > 0 && c.ThisWeek >= c.PerWeek {
		out = append(out, limit{CapOfWeek, NextWeek(zone, f.Now)})
	}
	return out
}

// timed decides by the clock: until is pushed on by all that has to wait, and the first of them is the reason.
func (f Facts) timed(reached []limit, quiet hours, passesDigest bool) Decision {
	reason, until := Allowed, f.Now
	wait := func(why Reason, end time.Time) {
		if reason == Allowed && f.Now.Before(end) {
			reason = why
		}
		if until.Before(end) {
			until = end
		}
	}
	if p := f.Pauses.Lane; p.On {
		wait(LanePaused, p.Until)
	}
	if p := f.Pauses.Channel; p.On {
		wait(ChannelPaused, p.Until)
	}
	for _, l := range reached {
		wait(l.reason, l.until)
	}
	if f.Caps.Gap > 0 && !f.Caps.Last.IsZero() {
		wait(TooSoon, f.Caps.Last.Add(f.Caps.Gap))
	}
	if reason == Allowed && quiet.law.Covers(f.Now) {
		reason = QuietByLaw
	}
	if reason == Allowed && quiet.own.Covers(f.Now) {
		reason = QuietHours
	}
	if reason == Allowed {
		if passesDigest || quiet.passed.Covers(f.Now) {
			return Decision{Verdict: Go, Reason: Breaking, Override: true}
		}
		return Decision{Verdict: Go, Reason: Allowed}
	}
	until = slices.Concat(quiet.law, quiet.own).End(until)
	if until.IsZero() {
		return Decision{Verdict: No, Reason: QuietAlways}
	}
	if e := f.Content.Expires; !e.IsZero() && !until.Before(e) {
		return Decision{Verdict: No, Reason: OldByThen}
	}
	return Decision{Verdict: Wait, Reason: reason, Until: until.UTC()}
}

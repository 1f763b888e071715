package outbox

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

const (
	backoffBase = 2 * time.Second
	backoffCap  = 15 * time.Minute
	// poisonCrashes is after how many ends of the daemon in the midst of its call a delivery is set aside.
	poisonCrashes = 5
	// LongestWait bounds how long a platform can ask to be left alone: longer ones are nearly always mistakes (milliseconds
	// for seconds, a date in another century), and a post that is a day late is of little use anyway. A day is longer than
	// every quota that platforms are known to have, and who asks again after it is waited for again.
	LongestWait = 24 * time.Hour
	// longWait is from which wait on somebody is told at once.
	longWait = 15 * time.Minute
)

// backoff is a random wait below an exponentially growing bound ("full jitter"), so that what failed together does not
// come again together.
func backoff(attempt int) time.Duration {
	bound := min(backoffBase<<min(max(attempt-1, 0), 20), backoffCap)
	return time.Duration(rand.Int64N(int64(bound))) + bound/10
}

// settleError turns the failure of a call into what is recorded.
func (l *destinationLanes) settleError(e *sdk.Error, w Work, call Call, s Settlement, now time.Time) Settlement {
	s.Code, s.Error = e.Code, sentence(e)
	if call.Op == OpDelete && e.Code.Disposition() == sdk.DispositionAsk {
		s.KeepCall = true // until it is repeated, nobody knows whether the copy is there
	}
	switch e.Code.Disposition() {
	case sdk.DispositionRetry:
		return l.retry(e, w, call, s, now)
	case sdk.DispositionAsk:
		if call.Op == OpEdit || call.Op == OpDelete {
			// Both are idempotent: doing them again does no harm.
			again := *e
			again.Code = sdk.CodeUnavailable
			return l.retry(&again, w, call, s, now)
		}
		return l.doubted(e, w, s, now)
	case sdk.DispositionStop, sdk.DispositionRefuse:
		return l.stopped(e, w, s, now)
	case sdk.DispositionSuppress:
		if call.Op == OpPublish {
			return l.stopped(e, w, s, now)
		}
		s.NextRung = true // the copy is gone: it can be neither edited nor answered
		return s
	case sdk.DispositionWait, sdk.DispositionGiveUp:
		if call.Op == OpPublish {
			return l.refused(e, w, s)
		}
		s.NextRung = true
		return s
	}
	return l.refused(e, w, s)
}

// trouble is what to do with a channel that cannot be resolved: there is no delivery to settle yet.
func (l *destinationLanes) trouble(e *sdk.Error, chat string, now time.Time) Settlement {
	w := Work{Destination: l.dest.Name, Chat: chat, Created: now}
	s := Settlement{Code: e.Code, Error: sentence(e)}
	switch e.Code.Disposition() {
	case sdk.DispositionRetry:
		return l.retry(e, w, Call{Op: OpPublish}, s, now)
	case sdk.DispositionAsk:
		again := *e
		again.Code = sdk.CodeUnavailable // looking something up has no effect
		return l.retry(&again, w, Call{Op: OpPublish}, s, now)
	}
	return l.stopped(e, w, s, now)
}

// retry keeps the delivery pending, never earlier than the platform asked. What keeps others waiting is what the platform
// asked for, and an outage; the pauses of one post grow for it alone.
func (l *destinationLanes) retry(e *sdk.Error, w Work, call Call, s Settlement, now time.Time) Settlement {
	s.CountAttempt, s.DestinationFailed, s.Down = true, true, l.down(e)
	asked := min(e.RetryAfter, LongestWait)
	own := backoff(w.Attempt + 1)
	until := func(wait time.Duration) time.Time { return now.Add(max(wait, asked)) }
	switch {
	case e.Code == sdk.CodeRateLimited && asked > 0:
		s.Postpone = now.Add(asked)
		s.waitFor(e.Scope, s.Postpone)
	case e.Code == sdk.CodeRateLimited:
		s.Postpone = now.Add(min(max(own, time.Second), risky.most))
		s.waitFor(e.Scope, s.Postpone)
	case e.Scope == sdk.ScopeAccount:
		// Nobody answers: there is no use in trying every other post at once.
		s.Postpone = until(min(own, harmless.most))
		if again, _, ok := l.outages.failed(whole, w.Delivery, harmless, now); ok {
			s.Postpone = until(again.Sub(now))
		}
		s.DestinationUntil = s.Postpone
	case e.Scope == sdk.ScopeDestination:
		again, alone, ok := l.outages.failed(w.Chat, w.Delivery, harmless, now)
		switch {
		case !ok && asked > 0:
			s.Postpone, s.LaneUntil = until(own), now.Add(asked)
		case !ok:
			s.Postpone = until(own)
		case asked > 0 || !alone && w.Attempt == 0: // two in a row are no coincidence: the posts behind wait with them
			s.Postpone = until(again.Sub(now))
			s.LaneUntil = s.Postpone
		default:
			s.Postpone = again
		}
	default:
		if s.Postpone = until(own); asked > 0 {
			s.LaneUntil = now.Add(asked)
		}
	}
	if asked >= longWait {
		s.Alerts = append(s.Alerts, l.leftAlone(e, w.Chat, now.Add(asked)))
		s.Down = nil // that is said
	}
	if e.Code == sdk.CodeRateLimited {
		return s
	}
	if call.Op == OpPublish && now.Sub(w.Created) > l.dest.RetryFor {
		s.Postpone = time.Time{}
		if s.KeepCall {
			s.State = Unknown // an earlier attempt may have arrived: this is no failure, and a person has to look
			return s
		}
		s.State = Failed
		s.Error = fmt.Sprintf("given up after %s: %s", sdk.D(l.dest.RetryFor), s.Error)
		s.Alerts = append(s.Alerts, failedAlert(w, s.Error))
	}
	return s
}

// waitFor lets the channel on the platform wait, or the whole destination.
func (s *Settlement) waitFor(scope sdk.Scope, until time.Time) {
	if scope == sdk.ScopeAccount {
		s.DestinationUntil = until
	} else {
		s.LaneUntil = until
	}
}

// doubted is a call for a post that may have arrived. Where a person would have to look after each, the platform is asked
// for its channel before the next one, and the others wait a little: what fails now would make them doubtful too.
func (l *destinationLanes) doubted(e *sdk.Error, w Work, s Settlement, now time.Time) Settlement {
	s.State, s.CountAttempt, s.DestinationFailed, s.Down = Unknown, true, true, l.down(e)
	if l.resolves(w.Chat) {
		if again, alone, ok := l.outages.failed(whole, w.Delivery, harmless, now); ok && !alone && w.Attempt == 0 {
			s.DestinationUntil = again
		}
		return s
	}
	l.doubt(now)
	if again, _, ok := l.outages.failed(whole, w.Delivery, risky, now); ok {
		s.DestinationUntil = again
	}
	return s
}

// resolves reports whether unknown calls to a channel end without a person.
func (l *destinationLanes) resolves(chat string) bool {
	l.mu.Lock()
	lane := l.known[chat]
	l.mu.Unlock()
	_, finds := sdk.As[sdk.Finder](l.dest.Conn)
	return finds || l.dest.Resend || lane.Limits.Rules.SameKeyFor > 0
}

// down is what is told of a destination that has been failing for DownAfter.
func (l *destinationLanes) down(e *sdk.Error) *alert.Alert {
	return &alert.Alert{Code: alert.DestinationDown, Subject: l.dest.Name,
		Sentence: fmt.Sprintf("destination %s fails: %s; its posts wait and are tried again, other destinations are unaffected", l.dest.Name, sentence(e)),
		Mend:     fmt.Sprintf("look: belfry destination check %s", l.dest.Name)}
}

// leftAlone is what is told of a destination that asks for a long wait.
func (l *destinationLanes) leftAlone(e *sdk.Error, chat string, until time.Time) alert.Alert {
	asks := fmt.Sprintf("asks to be left alone until %s", until.UTC().Format("2006-01-02 15:04 MST"))
	if e.RetryAfter > LongestWait {
		asks = fmt.Sprintf("asks to be left alone for longer than %s, and is tried again at %s", sdk.D(LongestWait), until.UTC().Format("2006-01-02 15:04 MST"))
	}
	return alert.Alert{Code: alert.DestinationDown, Subject: l.dest.Name,
		Sentence: fmt.Sprintf("destination %s %s: %s; its posts wait, and other destinations are unaffected", laneSubject(l.dest.Name, chat), asks, sentence(e)),
		Mend:     fmt.Sprintf("if it is well before that, let its posts go: belfry destination check %s", l.dest.Name)}
}

// stopped stops the channel or the destination until a person or another configuration resumes it. The delivery waits.
func (l *destinationLanes) stopped(e *sdk.Error, w Work, s Settlement, now time.Time) Settlement {
	s.Postpone = now
	subject := l.dest.Name
	if e.Scope == sdk.ScopeAccount || e.Code == sdk.CodeUnauthenticated {
		s.StopDestination = true
	} else {
		s.StopLane = true
		subject = laneSubject(l.dest.Name, w.Chat)
	}
	s.Code, s.Error = e.Code, sentence(e)
	cause, mend := causeAndMend(s.Error, "belfry destination check "+l.dest.Name)
	s.Alerts = append(s.Alerts, alert.Alert{Code: alert.DestinationStop, Subject: subject,
		Sentence: fmt.Sprintf("destination %s: %s; its posts wait, and other destinations are unaffected", subject, cause), Mend: mend})
	return s
}

// causeAndMend parts what is wrong with a destination from what mends it. Connectors that know the act end their sentence
// with it and the command that tries again: "…; check url:, then: belfry destination check ops".
func causeAndMend(sentence, check string) (cause, mend string) {
	cause, ends := strings.CutSuffix(sentence, "then: "+check)
	if !ends {
		return sentence, "mend that, then: " + check
	}
	cause = strings.TrimRight(cause, ",; ")
	if i := strings.LastIndex(cause, "; "); i >= 0 && strings.HasSuffix(sentence, ", then: "+check) {
		return cause[:i], strings.TrimPrefix(cause[i+2:], "mend: ") + ", then: " + check
	}
	return cause, "mend that, then: " + check
}

// refused ends a delivery that this platform will never take as it is.
func (l *destinationLanes) refused(e *sdk.Error, w Work, s Settlement) Settlement {
	s.Code, s.Error, s.State = e.Code, sentence(e), Failed
	s.Alerts = append(s.Alerts, failedAlert(w, s.Error))
	return s
}

func sentence(e *sdk.Error) string {
	if e.Public != "" {
		return e.Public
	}
	return map[sdk.Code]string{
		sdk.CodeRateLimited: "too many calls", sdk.CodeUnavailable: "it does not answer as it should",
		sdk.CodeUnknownOutcome: "whether the call arrived is not known", sdk.CodeInvalid: "it refuses this content",
		sdk.CodeTooLarge: "the post is too large for it", sdk.CodeUnsupported: "it cannot do this",
		sdk.CodeUnauthenticated: "it does not accept the credential", sdk.CodeForbidden: "the credential may not do this",
		sdk.CodeGone: "the channel is gone", sdk.CodeNotAChannel: "that is no channel", sdk.CodeWindowClosed: "the time for this is over",
	}[e.Code]
}

func laneSubject(destination, chat string) string {
	if chat == "" {
		return destination
	}
	return destination + " " + chat
}

// healthy are the alerts that end with an accepted call.
func healthy(destination, chat string) []alert.Key {
	return []alert.Key{{Code: alert.DestinationStop, Subject: laneSubject(destination, chat)}, {Code: alert.DestinationStop, Subject: destination},
		{Code: alert.DestinationDown, Subject: destination}}
}

func copyName(w Work) string {
	return fmt.Sprintf("post %s of channel %s on %s", w.PublicID, w.Channel, laneSubject(w.Destination, w.Chat))
}

// Both fold by destination: an outage of one ends many posts.

func failedAlert(w Work, why string) alert.Alert {
	return alert.Alert{Code: alert.PostFailed, Subject: w.Destination,
		Sentence: fmt.Sprintf("%s was not posted: %s", copyName(w), why),
		Many:     fmt.Sprintf("{n} posts were not posted on %s; the last one is %s: %s", w.Destination, copyName(w), why),
		Mend:     endedMend(w, Failed, "send it again")}
}

func expiredAlert(w Work) alert.Alert {
	return alert.Alert{Code: alert.PostExpired, Subject: w.Destination,
		Sentence: fmt.Sprintf("%s waited longer than max_age and was dropped", copyName(w)),
		Many:     fmt.Sprintf("{n} posts waited longer than max_age for %s and were dropped; the last one is %s", w.Destination, copyName(w)),
		Mend:     endedMend(w, Expired, "send it all the same")}
}

func endedMend(w Work, s State, again string) string {
	return fmt.Sprintf("look: belfry post deliveries --destination %s --state %s; %s: belfry post resend %d", w.Destination, s, again, w.Delivery)
}

func listedAlert(w Work) alert.Alert {
	what := "could not be corrected"
	if w.Gone {
		what = "could not be withdrawn"
	}
	return alert.Alert{Code: alert.CorrectionListed, Subject: fmt.Sprintf("post %s on %s", w.PublicID, laneSubject(w.Destination, w.Chat)),
		Sentence: fmt.Sprintf("%s %s there; a person has to do it", copyName(w), what),
		Mend:     fmt.Sprintf("do it by hand, then say so: belfry post resolve %d --done", w.Delivery)}
}

func heldAlert(w Work, blackout string, drop bool) []alert.Alert {
	if drop {
		return nil
	}
	return []alert.Alert{{Code: alert.HeldForRelease, Subject: w.Channel,
		Sentence: fmt.Sprintf("%s is held by the blackout %s, and stays held after its end until a person releases it", copyName(w), blackout),
		Mend:     fmt.Sprintf("look: belfry post list --channel %s --held; post it: belfry post release --channel %s; drop it: add --drop", w.Channel, w.Channel)}}
}

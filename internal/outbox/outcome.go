package outbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

const (
	backoffBase = 2 * time.Second
	backoffCap  = 15 * time.Minute
	// poisonCrashes is after how many ends of the daemon in the midst of its call a delivery is set aside.
	poisonCrashes = 5
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
	switch e.Code.Disposition() {
	case sdk.DispositionRetry:
		return l.retry(e, w, call, s, now)
	case sdk.DispositionAsk:
		if call.Op == OpEdit || call.Op == OpDelete {
			// Both are idempotent: doing them again does no harm.
			e.Code = sdk.CodeUnavailable
			return l.retry(e, w, call, s, now)
		}
		s.State, s.CountAttempt, s.DestinationFailed = Unknown, true, true
		return s
	case sdk.DispositionStop, sdk.DispositionRefuse:
		return l.stopped(e, w, s)
	case sdk.DispositionSuppress:
		if call.Op == OpPublish {
			return l.stopped(e, w, s)
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

// trouble is settleError for what goes wrong before there is a delivery to settle.
func (l *destinationLanes) trouble(e *sdk.Error, w Work, _ *Call, now time.Time) Settlement {
	return l.settleError(e, w, Call{Op: OpPublish}, Settlement{}, now)
}

// retry keeps the delivery pending, never earlier than the platform asked.
func (l *destinationLanes) retry(e *sdk.Error, w Work, call Call, s Settlement, now time.Time) Settlement {
	s.CountAttempt = true
	until := now.Add(max(backoff(w.Attempt+1), e.RetryAfter))
	s.Postpone = until
	if e.Code == sdk.CodeRateLimited {
		s.Postpone = now.Add(max(e.RetryAfter, time.Second))
		if e.Scope == sdk.ScopeAccount {
			s.DestinationUntil = s.Postpone
		} else {
			s.LaneUntil = s.Postpone
		}
		return s
	}
	s.DestinationFailed = true
	s.Down = &alert.Alert{Code: alert.DestinationDown, Subject: l.dest.Name,
		Sentence: fmt.Sprintf("destination %s fails: %s; its posts wait and are tried again, other destinations are unaffected", l.dest.Name, sentence(e)),
		Mend:     fmt.Sprintf("look: belfry destination check %s", l.dest.Name)}
	if e.RetryAfter > 0 {
		s.LaneUntil = until
	}
	if e.Scope == sdk.ScopeAccount {
		// Nobody answers: there is no use in trying every other post at once.
		s.DestinationUntil = now.Add(min(until.Sub(now), time.Minute))
	}
	if call.Op == OpPublish && now.Sub(w.Created) > l.dest.RetryFor {
		s.Postpone = time.Time{}
		s.State = Failed
		s.Error = fmt.Sprintf("given up after %s: %s", sdk.D(l.dest.RetryFor), s.Error)
		s.Alerts = append(s.Alerts, failedAlert(w, s.Error))
	}
	return s
}

// stopped stops the channel or the destination until a person or another configuration resumes it. The delivery waits.
func (l *destinationLanes) stopped(e *sdk.Error, w Work, s Settlement) Settlement {
	s.Postpone = time.Now()
	subject := l.dest.Name
	if e.Scope == sdk.ScopeAccount || e.Code == sdk.CodeUnauthenticated {
		s.StopDestination = true
	} else {
		s.StopLane = true
		subject = laneSubject(l.dest.Name, w.Chat)
	}
	s.Code, s.Error = e.Code, sentence(e)
	s.Alerts = append(s.Alerts, alert.Alert{Code: alert.DestinationStop, Subject: subject,
		Sentence: fmt.Sprintf("destination %s: %s; its posts wait, and other destinations are unaffected", subject, s.Error),
		Mend:     fmt.Sprintf("mend that, then: belfry destination check %s", l.dest.Name)})
	return s
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

func failedAlert(w Work, why string) alert.Alert {
	return alert.Alert{Code: alert.PostFailed, Subject: w.Destination,
		Sentence: fmt.Sprintf("%s was not posted: %s", copyName(w), why),
		Mend:     fmt.Sprintf("look: belfry post deliveries --destination %s --state failed; send it again: belfry post resend %d", w.Destination, w.Delivery)}
}

func expiredAlert(w Work) alert.Alert {
	return alert.Alert{Code: alert.PostExpired, Subject: w.Destination,
		Sentence: fmt.Sprintf("%s waited longer than max_age and was dropped", copyName(w)),
		Mend:     fmt.Sprintf("look: belfry post deliveries --destination %s --state expired; send it all the same: belfry post resend %d", w.Destination, w.Delivery)}
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

// UnknownKey identifies the alert about an unknown call.
func UnknownKey(delivery int64) alert.Key {
	return alert.Key{Code: alert.OutcomeUnknown, Subject: fmt.Sprintf("delivery %d", delivery)}
}

// lookAfterUnknown resolves unknown outcomes beside the lanes, so that a look-up delays nothing.
func (l *destinationLanes) lookAfterUnknown(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		l.resolveUnknown(ctx)
		select {
		case <-ctx.Done():
			return
		case <-l.drain:
			return
		case <-t.C:
		}
	}
}

// resolveUnknown looks after the destination's calls whose outcome is not known.
func (l *destinationLanes) resolveUnknown(ctx context.Context) {
	log := l.e.s.Log.With("destination", l.dest.Name)
	calls, err := l.e.s.Store.UnknownCalls(ctx, l.dest.Name)
	if err != nil {
		if ctx.Err() == nil {
			log.Error("unknown outcomes cannot be read", "err", err)
		}
		return
	}
	for _, u := range calls {
		now := time.Now()
		r, decided := l.resolution(ctx, u, now)
		if !decided {
			continue
		}
		if err := l.e.s.Store.Resolve(ctx, u, r, now); err != nil && ctx.Err() == nil {
			log.Error("an unknown outcome cannot be settled", "delivery", u.Delivery, "err", err)
			continue
		}
		if r.Repeat || r.Accepted {
			l.wakeUp()
		}
		log.Info("an unknown outcome was looked after", "delivery", u.Delivery, "accepted", r.Accepted, "repeat", r.Repeat, "person", !r.Accepted && !r.Repeat)
	}
}

// resolution finds out what became of a call, or what to do without knowing; false when it has to be asked again later.
func (l *destinationLanes) resolution(ctx context.Context, u UnknownCall, now time.Time) (Resolution, bool) {
	if u.Crashes >= poisonCrashes {
		return l.ask(u, fmt.Sprintf("the daemon ended %d times in the midst of it", u.Crashes))
	}
	if u.Call.Op == OpEdit || u.Call.Op == OpDelete {
		return Resolution{Repeat: true, Until: now}, true // both are idempotent
	}
	if now.Sub(u.Created) > l.dest.RetryFor && u.Attempt > 1 {
		return l.ask(u, fmt.Sprintf("%d attempts in %s brought no clear answer", u.Attempt, sdk.D(l.dest.RetryFor)))
	}
	if finder, ok := sdk.As[sdk.Finder](l.dest.Conn); ok {
		if lane, known := l.lane(ctx, Batch{Destination: l.dest.Name, Chat: u.Chat}); known {
			callCtx, cancel := context.WithTimeout(ctx, l.dest.Timeout)
			ref, found, err := finder.Find(callCtx, lane.Ref, u.Call.Key)
			cancel()
			switch {
			case err == nil && found:
				return Resolution{Accepted: true, Ref: ref, Resolve: []alert.Key{UnknownKey(u.Delivery)}}, true
			case err == nil:
				return Resolution{Repeat: true, Until: now.Add(backoff(u.Attempt))}, true
			case sdk.AsError(err).Code != sdk.CodeUnsupported:
				return Resolution{}, false
			}
		}
	}
	lane, ok, err := l.e.s.Store.Lane(ctx, l.dest.Name, u.Chat)
	if err != nil {
		return Resolution{}, false
	}
	if same := lane.Limits.Rules.SameKeyFor; ok && same > 0 && now.Sub(u.FirstAt) < same {
		return Resolution{Repeat: true, Until: now.Add(backoff(u.Attempt))}, true
	}
	if l.dest.Resend {
		return Resolution{Repeat: true, Until: now.Add(backoff(u.Attempt))}, true
	}
	return l.ask(u, "the platform cannot tell")
}

// ask leaves the call to a person, once.
func (l *destinationLanes) ask(u UnknownCall, why string) (Resolution, bool) {
	if u.Alerted {
		return Resolution{}, false
	}
	return Resolution{Alert: &alert.Alert{Code: alert.OutcomeUnknown, Subject: UnknownKey(u.Delivery).Subject,
		Sentence: fmt.Sprintf("post %s of channel %s may or may not have appeared on %s: the connection ended before an answer came, and %s",
			u.Post, u.Channel, laneSubject(l.dest.Name, u.Chat), why),
		Mend: fmt.Sprintf("look there, then say so: belfry post resolve %d --arrived, or belfry post resolve %d --missing", u.Delivery, u.Delivery)}}, true
}

package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// UnknownKey identifies the alert about an unknown call.
func UnknownKey(delivery int64) alert.Key {
	return alert.Key{Code: alert.OutcomeUnknown, Subject: fmt.Sprintf("delivery %d", delivery)}
}

// again is when an unknown call is asked about again, after so many times without an answer.
type again struct {
	at    time.Time
	times int
}

// lookAfterUnknown resolves unknown outcomes beside the lanes, so that a look-up delays nothing.
func (l *destinationLanes) lookAfterUnknown(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	asked := map[int64]again{}
	for {
		l.resolveUnknown(ctx, asked)
		select {
		case <-ctx.Done():
			return
		case <-l.drain:
			return
		case <-t.C:
		}
	}
}

// resolveUnknown looks after the destination's calls whose outcome is not known. asked remembers those without an answer,
// so that a platform that is down is not asked about each of them every second.
func (l *destinationLanes) resolveUnknown(ctx context.Context, asked map[int64]again) {
	log := l.e.s.Log.With("destination", l.dest.Name)
	calls, err := l.e.s.Store.UnknownCalls(ctx, l.dest.Name)
	if err != nil {
		if ctx.Err() == nil {
			log.Error("unknown outcomes cannot be read", "err", err)
		}
		return
	}
	open := map[int64]bool{}
	for _, u := range calls {
		open[u.Delivery] = true
		now := time.Now()
		if l.draining() || ctx.Err() != nil {
			return
		}
		if now.Before(asked[u.Delivery].at) {
			continue
		}
		r, decided := l.resolution(ctx, u, now)
		if !decided {
			n := asked[u.Delivery].times + 1
			asked[u.Delivery] = again{time.Now().Add(backoff(n)), n}
			continue
		}
		if err := l.e.s.Store.Resolve(ctx, u, r, now); err != nil {
			if ctx.Err() == nil {
				log.Error("an unknown outcome cannot be settled", "delivery", u.Delivery, "err", err)
			}
			continue
		}
		if r.Repeat || r.Anew || r.Accepted {
			l.Wake()
		}
		log.Info("an unknown outcome was looked after", "delivery", u.Delivery, "accepted", r.Accepted, "repeat", r.Repeat, "anew", r.Anew,
			"person", !r.Accepted && !r.Repeat && !r.Anew)
	}
	for id := range asked {
		if !open[id] {
			delete(asked, id)
		}
	}
}

// resolution finds out what became of a call, or what to do without knowing; false when it has to be asked again later.
func (l *destinationLanes) resolution(ctx context.Context, u UnknownCall, now time.Time) (Resolution, bool) {
	known := []alert.Key{UnknownKey(u.Delivery)} // what somebody was told is over
	switch {
	case u.Crashes >= poisonCrashes:
		return l.ask(u, fmt.Sprintf("the daemon ended %d times in the midst of it", u.Crashes))
	case u.Call.Op == OpEdit:
		// Idempotent; what is to be shown may have changed since.
		return Resolution{Anew: true, Until: now, Resolve: known}, true
	case u.Call.Op == OpDelete:
		return Resolution{Repeat: true, Until: now, Resolve: known}, true // idempotent; until it is done, nothing else is
	case now.Sub(u.Created) > l.dest.RetryFor && u.Attempt > 1:
		return l.ask(u, fmt.Sprintf("%d attempts in %s brought no clear answer", u.Attempt, sdk.D(l.dest.RetryFor)))
	}
	if finder, ok := sdk.As[sdk.Finder](l.dest.Conn); ok {
		ref, found, err := l.find(ctx, finder, u)
		switch {
		case err == nil && found:
			return Resolution{Accepted: true, Ref: ref, Resolve: known}, true
		case err == nil:
			return Resolution{Anew: true, Until: l.again(u, now), Resolve: known}, true
		case sdk.AsError(err).Code == sdk.CodeUnsupported: // the other ways remain
		case now.Sub(u.FirstAt) > l.dest.RetryFor:
			return l.ask(u, fmt.Sprintf("looking for it failed for %s", sdk.D(l.dest.RetryFor)))
		default:
			return Resolution{}, false
		}
	}
	lane, ok, err := l.e.s.Store.Lane(ctx, l.dest.Name, u.Chat)
	if err != nil {
		return Resolution{}, false
	}
	repeat := Resolution{Repeat: true, Until: l.again(u, now), Resolve: known}
	if same := lane.Limits.Rules.SameKeyFor; ok && same > 0 && now.Sub(u.FirstAt) < same {
		return repeat, true
	}
	switch {
	case !l.dest.Resend:
		return l.ask(u, "the platform cannot tell")
	case u.Gone:
		// A second copy would be deleted again, and the first one would stay.
		return l.ask(u, "the post was taken back since, so that it is not sent again")
	}
	return repeat, true
}

// again is when an unknown call may be made again: in an outage with the others, so that their order is kept.
func (l *destinationLanes) again(u UnknownCall, now time.Time) time.Time {
	if at, ok := l.outages.again(whole, u.Delivery, harmless, now); ok {
		return at
	}
	return now.Add(backoff(u.Attempt))
}

// find looks for a call on the platform.
func (l *destinationLanes) find(ctx context.Context, finder sdk.Finder, u UnknownCall) (sdk.PartRef, bool, error) {
	lane, known := l.lane(ctx, Batch{Destination: l.dest.Name, Chat: u.Chat})
	if !known {
		return sdk.PartRef{}, false, sdk.Errorf(sdk.CodeUnavailable, "find", "the channel cannot be looked up")
	}
	type answer struct {
		ref   sdk.PartRef
		found bool
	}
	a, err := bounded(ctx, l, "find", sdk.CodeUnavailable, func(ctx context.Context) (a answer, err error) {
		a.ref, a.found, err = finder.Find(ctx, lane.Ref, u.Call.Key)
		return a, err
	})
	return a.ref, a.found, err
}

// ask leaves the call to a person, once.
func (l *destinationLanes) ask(u UnknownCall, why string) (Resolution, bool) {
	if u.Alerted {
		return Resolution{}, false
	}
	cause := u.Error
	if cause == "" {
		cause = "no answer came" // it was given up, or its node ended
	}
	return Resolution{Alert: &alert.Alert{Code: alert.OutcomeUnknown, Subject: UnknownKey(u.Delivery).Subject,
		Sentence: fmt.Sprintf("post %s of channel %s may or may not have appeared on %s: %s, and %s",
			u.Post, u.Channel, laneSubject(l.dest.Name, u.Chat), cause, why),
		Mend: fmt.Sprintf("look there, then say so: belfry post resolve %d --arrived, or belfry post resolve %d --missing", u.Delivery, u.Delivery)}}, true
}

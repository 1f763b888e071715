package compose

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

// Reason names why an item is not in a channel's posts. Append-only; each is a row that `belfry why` shows.
type Reason string

// The reasons.
const (
	ReasonBaseline  Reason = "baseline"   // it was there at the source's first fetch
	ReasonBefore    Reason = "before"     // it was there before the channel
	ReasonWhere     Reason = "where"      // the channel's condition does not hold
	ReasonDuplicate Reason = "duplicate"  // another source brought the same article
	ReasonMaxAge    Reason = "max_age"    // it waited too long
	ReasonExpired   Reason = "expired"    // it lost its meaning before it could be used
	ReasonWithdrawn Reason = "withdrawn"  // it was withdrawn before it was used
	ReasonBlocked   Reason = "retracted"  // an editor retracted it for good
	ReasonBlackout  Reason = "blackout"   // a blackout dropped it
	ReasonDropped   Reason = "dropped"    // a person dropped what was held
	ReasonFailed    Reason = "not_usable" // no post could be made of it
	ReasonRestored  Reason = "restored"   // the store came from a backup, which does not know whether it was posted since
	// ReasonWhereFailed: the channel's condition failed, so that whether it holds is not known.
	ReasonWhereFailed Reason = "where_failed"
)

// Waiting is an item that a channel may still use.
type Waiting struct {
	Item     int64
	Revision int
	Source   string
	Content  sdk.Item
	// SeenAt and ChangedAt are when the item came and when it was last revised; NotBefore is its embargo.
	SeenAt, ChangedAt, NotBefore time.Time
	// Since is when the channel took it up; Released is set when a person released it from a hold.
	Since    time.Time
	Released bool
	// ImagesPending says that its images are still being fetched, since ImagesSince.
	ImagesPending bool
	ImagesSince   time.Time
}

// Recent is what a channel posted lately.
type Recent struct {
	// Last is the time of the last each post; zero when there was none.
	Last time.Time
	// Today counts the each posts of the current day in the daemon's zone.
	Today int
}

// LeaveOut is an item that is given up, or held, with its reason.
type LeaveOut struct {
	Item   int64
	Reason Reason
	// Detail says more, such as the name of a blackout.
	Detail string
	// Hold keeps it for a person instead of giving it up.
	Hold bool
	// Failed is the condition of a blackout that failed for it; nil for others.
	Failed *Failure
}

// EachDecision is what to do with the waiting items of an each channel now.
type EachDecision struct {
	// Post are the items to post now, in order.
	Post []Waiting
	Out  []LeaveOut
	// Look is when there can be something to decide again; zero when only new rows can change anything.
	Look time.Time
	// Why says, for each item that goes on waiting, what it waits for and until when; for `belfry plan` and `belfry why`.
	Why []Wait
}

// Wait is what an item waits for.
type Wait struct {
	Item  int64
	For   string
	Until time.Time
}

// DecideEach decides about an each channel. It is pure. The zone is the daemon's; it bounds the day of per_day. Between now
// and Look nothing is decided otherwise, however often somebody looks.
func (ch *Channel) DecideEach(zone *time.Location, imageWait time.Duration, waiting []Waiting, recent Recent, now time.Time) EachDecision {
	return ch.decideEach(urgencies{}, zone, imageWait, waiting, recent, now)
}

func (ch *Channel) decideEach(urgent urgencies, zone *time.Location, imageWait time.Duration, waiting []Waiting, recent Recent, now time.Time) EachDecision {
	d := EachDecision{}
	each := ch.Config.Each
	var ready []Waiting
	for _, w := range waiting {
		at, reason := w.readyAt(each.Settle.Std(), urgent.of(ch, w))
		tooOld := time.Time{}
		if each.MaxAge > 0 && !w.Released {
			tooOld = at.Add(each.MaxAge.Std())
		}
		switch {
		case reached(w.Content.ExpiresAt, now):
			d.Out = append(d.Out, LeaveOut{Item: w.Item, Reason: ReasonExpired, Detail: w.Content.ExpiresAt.UTC().Format(time.RFC3339)})
			continue
		case reached(tooOld, now):
			d.Out = append(d.Out, LeaveOut{Item: w.Item, Reason: ReasonMaxAge, Detail: each.MaxAge.String()})
			continue
		case now.Before(at):
			d.wait(w, reason, at)
		case w.ImagesPending && now.Sub(w.ImagesSince) < imageWait:
			d.wait(w, "its images", w.ImagesSince.Add(imageWait))
		default:
			ready = append(ready, w)
		}
		d.lookAt(w.Content.ExpiresAt)
		d.lookAt(tooOld)
	}
	ch.order(ready, urgent)
	for _, w := range ready {
		if !urgent.of(ch, w) {
			if until, what := ch.mayNotBefore(zone, recent, now); until.After(now) {
				d.wait(w, what, until)
				continue
			}
		}
		// A blackout is for what would leave now; what waits for its turn may be let out after it.
		if !w.Released {
			if b, silenced := ch.silencing(w.view, now); silenced {
				d.Out = append(d.Out, LeaveOut{Item: w.Item, Reason: ReasonBlackout, Detail: b.name, Hold: !b.drop, Failed: b.failed})
				continue
			}
		}
		d.Post = append(d.Post, w)
		recent.Last, recent.Today = now, recent.Today+1
	}
	return d
}

// reached reports whether a time, if there is one, has come.
func reached(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

func (d *EachDecision) wait(w Waiting, what string, until time.Time) {
	d.Why = append(d.Why, Wait{w.Item, what, until})
	d.lookAt(until)
}

func (d *EachDecision) lookAt(t time.Time) { d.Look = sooner(d.Look, t) }

// readyAt is when an item may be used at the earliest, and what it waits for until then.
func (w Waiting) readyAt(settle time.Duration, urgent bool) (time.Time, string) {
	at, reason := w.SeenAt, ""
	if settle > 0 && !urgent {
		at, reason = w.ChangedAt.Add(settle), "settle"
	}
	if w.NotBefore.After(at) {
		at, reason = w.NotBefore, "embargo"
	}
	return at, reason
}

// view is what expressions see of the item.
func (w Waiting) view() ItemView { return View(w.Source, w.Content) }

// isUrgent says whether an item skips pace, settle and hours. One for which that cannot be worked out goes at the usual
// pace: it is not lost, and a person is told when it is taken up.
func (ch *Channel) isUrgent(w Waiting) bool {
	if ch.urgent.program == nil {
		return false
	}
	ok, err := ch.urgent.Match(w.view())
	return ok && err == nil
}

// urgencies remember which items are urgent, so that one decision, or one look ahead, asks once.
type urgencies map[int64]bool

func (u urgencies) of(ch *Channel, w Waiting) bool {
	urgent, known := u[w.Item]
	if !known {
		urgent = ch.isUrgent(w)
		u[w.Item] = urgent
	}
	return urgent
}

// order puts the item first that the channel prefers.
func (ch *Channel) order(list []Waiting, urgent urgencies) {
	prefer := ch.Config.Each.Pace.Prefer
	slices.SortStableFunc(list, func(a, b Waiting) int {
		if ua, ub := urgent.of(ch, a), urgent.of(ch, b); ua != ub {
			return boolFirst(ua)
		}
		switch prefer {
		case "urgency":
			if c := cmp.Compare(urgency(a), urgency(b)); c != 0 {
				return c
			}
		case "newest":
			return cmp.Or(b.when().Compare(a.when()), cmp.Compare(b.Item, a.Item))
		}
		return cmp.Or(a.when().Compare(b.when()), cmp.Compare(a.Item, b.Item))
	})
}

func boolFirst(a bool) int {
	if a {
		return -1
	}
	return 1
}

func urgency(w Waiting) int {
	if w.Content.Urgency == 0 {
		return sdk.NormalUrgency
	}
	return w.Content.Urgency
}

// when orders items: by publication as the source says, unless that lies ahead of when it came.
func (w Waiting) when() time.Time {
	if w.Content.Published.IsZero() || w.Content.Published.After(w.SeenAt) {
		return w.SeenAt
	}
	return w.Content.Published
}

// mayNotBefore is when pace and hours allow the next post, and which of them asks to wait.
func (ch *Channel) mayNotBefore(zone *time.Location, recent Recent, now time.Time) (time.Time, string) {
	each := ch.Config.Each
	if next := recent.Last.Add(each.Pace.Gap.Std()); each.Pace.Gap > 0 && !recent.Last.IsZero() && next.After(now) {
		return next, fmt.Sprintf("pace: gap %s", each.Pace.Gap)
	}
	if each.Pace.PerDay > 0 && recent.Today >= each.Pace.PerDay {
		return nextDay(zone, now), fmt.Sprintf("pace: %d a day", each.Pace.PerDay)
	}
	if len(ch.hours) > 0 && !ch.hours.Covers(now) {
		if start, ok := ch.hours.Start(now); ok {
			return start, "hours " + each.Hours
		}
	}
	return now, ""
}

// dayStart is when the day of an instant began in a zone.
func dayStart(zone *time.Location, t time.Time) time.Time {
	return scheduler.DayStart(zone, t)
}

func nextDay(zone *time.Location, t time.Time) time.Time {
	// A day has 23 to 25 hours nearly everywhere; 36 hours after its start it is always the next one or the one after.
	return dayStart(zone, dayStart(zone, t).Add(36*time.Hour))
}

// DigestDecision is what to do at a fired occurrence of a digest.
type DigestDecision struct {
	Items []Waiting
	Out   []LeaveOut
	// Empty says why there is no digest; empty when there is one.
	Empty string
	// Failed are the conditions of blackouts that failed, with their items, which go on waiting.
	Failed []SilenceFailed
}

// SilenceFailed is the condition of a blackout that failed for an item.
type SilenceFailed struct {
	*Failure
	Blackout string
	Item     int64
}

// DecideDigest chooses the items of a digest that is made now. It is pure. Whatever it does not take goes on waiting.
func (ch *Channel) DecideDigest(waiting []Waiting, now time.Time) DigestDecision {
	d := DigestDecision{}
	cfg := ch.Config.Digest
	var ready []Waiting
	for _, w := range waiting {
		at, _ := w.readyAt(0, false)
		switch {
		case !w.Content.ExpiresAt.IsZero() && !now.Before(w.Content.ExpiresAt):
			d.Out = append(d.Out, LeaveOut{Item: w.Item, Reason: ReasonExpired, Detail: w.Content.ExpiresAt.UTC().Format(time.RFC3339)})
		case now.Before(at):
		case cfg.MaxAge > 0 && now.Sub(at) > cfg.MaxAge.Std():
			d.Out = append(d.Out, LeaveOut{Item: w.Item, Reason: ReasonMaxAge, Detail: cfg.MaxAge.String()})
		default:
			if b, silenced := ch.silencing(w.view, now); silenced && !w.Released {
				switch {
				case b.drop:
					d.Out = append(d.Out, LeaveOut{Item: w.Item, Reason: ReasonBlackout, Detail: b.name})
				case b.failed != nil:
					d.Failed = append(d.Failed, SilenceFailed{b.failed, b.name, w.Item})
				}
				continue
			}
			ready = append(ready, w)
		}
	}
	slices.SortStableFunc(ready, func(a, b Waiting) int {
		switch cfg.Order {
		case "oldest":
			return cmp.Or(a.when().Compare(b.when()), cmp.Compare(a.Item, b.Item))
		case "urgency":
			if c := cmp.Compare(urgency(a), urgency(b)); c != 0 {
				return c
			}
		}
		return cmp.Or(b.when().Compare(a.when()), cmp.Compare(b.Item, a.Item))
	})
	if len(ready) < cfg.MinItems {
		d.Empty = fmt.Sprintf("%d of at least %d items wait", len(ready), cfg.MinItems)
		if len(ready) == 0 {
			d.Empty = "no item waits"
		}
		return d
	}
	d.Items = ready[:min(len(ready), cfg.MaxItems)]
	return d
}

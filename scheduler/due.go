package scheduler

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// CatchUp says what happens to occurrences that were missed.
type CatchUp string

// The ways to catch up.
const (
	// CatchUpNone: what was missed stays missed.
	CatchUpNone CatchUp = "none"
	// CatchUpLast: one firing stands for all that was missed within the window.
	CatchUpLast CatchUp = "last"
	// CatchUpAll: each that was missed within the window is fired, in order, up to Rule.MaxAll.
	CatchUpAll CatchUp = "all"
)

// UnmarshalText reads "none", "last" or "all".
func (c *CatchUp) UnmarshalText(text []byte) error {
	switch v := CatchUp(text); v {
	case CatchUpNone, CatchUpLast, CatchUpAll:
		*c = v
		return nil
	}
	return fmt.Errorf("catch_up %s is not known; write none, last or all", shown(string(text)))
}

// The defaults of a Rule, and the bound of a Decision.
const (
	DefaultLate   = time.Minute
	DefaultMaxAll = 100
	// MaxMissed is how many missed occurrences a Decision lists, the newest; the others are only counted.
	MaxMissed = 100
	maxFire   = 10_000
)

// Rule is a schedule with what holds when it could not fire on time.
type Rule struct {
	Spec Spec
	// CatchUp decides about missed occurrences; the empty value is CatchUpNone.
	CatchUp CatchUp
	// Window is how late a missed occurrence may still be fired, counted from its instant. Zero catches nothing up.
	Window time.Duration
	// Late is the lateness up to which an occurrence counts as on time. Zero is DefaultLate; a negative value is none.
	Late time.Duration
	// Blackouts are times in which nothing fires. Hours without a zone are read in the zone of Spec.
	Blackouts []Window
	// MaxAll bounds the firings of one Decision; the newest are kept. Zero or less is DefaultMaxAll, and more than 10,000
	// is 10,000.
	MaxAll int
}

// Reason says why an occurrence was not fired.
type Reason string

// The reasons.
const (
	// Downtime: nobody looked in time, and CatchUp is none.
	Downtime Reason = "downtime"
	// Blackout: it lay in a blackout, and CatchUp is none.
	Blackout Reason = "blackout"
	// TooLate: CatchUp is last or all, and it was found later than Rule.Window allows.
	TooLate Reason = "window"
	// Superseded: it was found within the window, and the next firing of the same Decision stands for it, because CatchUp
	// is last or because MaxAll was reached.
	Superseded Reason = "superseded"
)

// Fire is an occurrence to fire now.
type Fire struct {
	Occurrence
	// Late says that the occurrence itself was missed, by downtime or a blackout, and is caught up.
	Late bool
	// Covers is how many missed occurrences this firing stands for, itself included when it is Late. An ordinary firing
	// on time covers none.
	Covers int
}

// Missed is an occurrence that is not fired, now or later.
type Missed struct {
	Occurrence
	Reason Reason
}

// Decision is what to do about a stretch of time. Every occurrence after the old and up to the new CheckedUntil is in
// exactly one of Fire, Missed and the count MissedMore.
type Decision struct {
	// Fire lists what to fire, oldest first. The caller fires only what its unique (schedule, key) does not know yet.
	Fire []Fire
	// Missed lists what is not fired, oldest first, at most MaxMissed, the newest.
	Missed []Missed
	// MissedMore counts the missed occurrences that are older than those listed.
	MissedMore int
	// CheckedUntil is the from of the next look. The caller stores it in the transaction that stores the rest.
	CheckedUntil time.Time
	// NextLook is when there can be something to decide again; zero means never. Looking earlier or later is harmless.
	NextLook time.Time
	// ClockBack is how far the clock stands before the last look; zero in a healthy world. Nothing is due until the clock
	// has caught up; after a wrong clock ran far ahead, the caller may alert and start again from now, and the keys it
	// keeps still prevent a second firing.
	ClockBack time.Duration
}

// Due decides about the occurrences after from, up to and including now. A caller looks at NextLook or more often, and
// stores CheckedUntil, the keys of Fire and of Missed together.
//
//   - On time is what is found within Late of its instant and lies in no blackout; it fires, up to MaxAll.
//   - All else is missed, and CatchUp decides. With last, the newest missed one within Window fires, unless a later one
//     fires on time, which then stands for it.
//   - While now lies in a blackout nothing is decided: from the first occurrence on CheckedUntil stays, and NextLook is
//     the blackout's end, at which CatchUp decides about all that piled up. A pause is a blackout with an open end.
//   - When the clock went back behind from, nothing fires and CheckedUntil stays.
//   - A zero from means a new schedule: nothing was due before now.
//   - The time that an answer takes does not grow with the length of a downtime.
func (r Rule) Due(from, now time.Time) Decision {
	from, now = from.UTC(), now.UTC() // which drops the monotonic clock: it does not see a jump
	if from.IsZero() {
		from = now
	}
	blackouts := Windows(r.Blackouts).In(r.Spec.Zone())
	if now.Before(from) {
		return Decision{CheckedUntil: from, NextLook: r.nextLook(blackouts, from), ClockBack: from.Sub(now)}
	}
	first, ok := r.Spec.Next(from)
	pending := ok && !first.At.After(now)
	if blackouts.Covers(now) {
		d := Decision{CheckedUntil: now, NextLook: blackouts.End(now)}
		if pending {
			d.CheckedUntil = from
		}
		return d
	}
	d := Decision{CheckedUntil: now, NextLook: r.nextLook(blackouts, now)}
	if pending {
		r.decide(&d, blackouts, from, now)
	}
	return d
}

// nextLook gives when the first occurrence after t can be decided.
func (r Rule) nextLook(blackouts Windows, t time.Time) time.Time {
	next, ok := r.Spec.Next(t)
	if !ok {
		return time.Time{}
	}
	return blackouts.End(next.At)
}

// candidate is an occurrence about which a decision is being made.
type candidate struct {
	Occurrence
	blackout bool
	onTime   bool // found within Late, and in no blackout
	caughtUp bool // found within Window by a rule that catches up
	fires    bool
}

// decide fills in Fire and Missed. It looks at no more of the newest occurrences than it may fire and list.
func (r Rule) decide(d *Decision, blackouts Windows, from, now time.Time) {
	most := min(r.MaxAll, maxFire)
	if most <= 0 {
		most = DefaultMaxAll
	}
	total := r.Spec.Count(from, now)
	newest := r.Spec.newest(from, now, total, most+MaxMissed)
	cs := make([]candidate, len(newest))
	for i, o := range newest {
		cs[i] = r.candidate(o, blackouts, now)
	}
	r.choose(cs, most)

	covers := 0 // missed occurrences that the next firing stands for
	if len(cs) > 0 && cs[0].caughtUp {
		covers = r.Spec.Count(latestOf(from, now.Add(-r.Window-1)), now) - len(cs)
	}
	for _, c := range cs {
		if c.fires {
			if !c.onTime {
				covers++
			}
			d.Fire = append(d.Fire, Fire{Occurrence: c.Occurrence, Late: !c.onTime, Covers: covers})
			covers = 0
			continue
		}
		if c.caughtUp {
			covers++
		}
		d.Missed = append(d.Missed, Missed{Occurrence: c.Occurrence, Reason: r.reason(c)})
	}
	d.Missed = d.Missed[max(0, len(d.Missed)-MaxMissed):]
	d.MissedMore = total - len(d.Fire) - len(d.Missed)
}

func (r Rule) candidate(o Occurrence, blackouts Windows, now time.Time) candidate {
	late := r.Late
	if late == 0 {
		late = DefaultLate
	}
	age := now.Sub(o.At)
	c := candidate{Occurrence: o, blackout: blackouts.Covers(o.At), caughtUp: r.catchesUp() && age <= r.Window}
	c.onTime = !c.blackout && age <= max(late, 0)
	return c
}

// choose marks what fires, from the newest on.
func (r Rule) choose(cs []candidate, most int) {
	fires := 0
	for i := range slices.Backward(cs) {
		c := &cs[i]
		c.fires = c.onTime || (c.caughtUp && (r.CatchUp == CatchUpAll || fires == 0))
		if fires == most {
			c.fires = false
		}
		if c.fires {
			fires++
		}
	}
}

// reason says why a candidate does not fire. One within the window always has a newer one that fires.
func (r Rule) reason(c candidate) Reason {
	switch {
	case c.caughtUp:
		return Superseded
	case r.catchesUp():
		return TooLate
	case c.blackout:
		return Blackout
	}
	return Downtime
}

func (r Rule) catchesUp() bool { return r.CatchUp == CatchUpLast || r.CatchUp == CatchUpAll }

// newest lists the newest n of the total occurrences after from, up to and including now.
func (s Spec) newest(from, now time.Time, total, n int) []Occurrence {
	start := seconds(from)
	if total > n {
		end := seconds(now)
		start = end - int64(sort.Search(int(end-start), func(back int) bool {
			return s.Count(time.Unix(end-int64(back), 0), now) >= n
		}))
	}
	return slices.Collect(s.Between(time.Unix(start, 0), now))
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

package scheduler

import (
	"iter"
	"time"
)

// Kind says which rule turns an expression into instants; the package comment has the rules.
type Kind string

// The kinds.
const (
	// FixedHour: the hour field leaves at least one hour out. Each planned wall time fires once per local day.
	FixedHour Kind = "fixed_hour"
	// RealTime: the hour field covers all hours. Every real instant whose wall clock matches fires.
	RealTime Kind = "real_time"
	// Interval: "@every", counted from 1970-01-01T00:00:00Z.
	Interval Kind = "interval"
)

// Shift says what a clock change did to an occurrence of a FixedHour schedule.
type Shift string

// The shifts; an occurrence without one has the empty string.
const (
	// Gap: the planned wall time does not exist; the occurrence is at the first instant after it.
	Gap Shift = "gap"
	// Overlap: the planned wall time comes twice; the occurrence is at the first.
	Overlap Shift = "overlap"
)

// Occurrence is one due time of a schedule.
type Occurrence struct {
	// At is the instant, in UTC.
	At time.Time
	// Local is the same instant in the zone of the schedule.
	Local time.Time
	// Key identifies the occurrence within its schedule. For FixedHour it is the planned wall time, "2026-03-29T02:30",
	// without the zone, so that a changed zone does not fire the same local day twice. For RealTime and Interval it is the
	// instant, "2026-03-29T00:30:00Z".
	Key string
	// Shift says whether a clock change moved or doubled the planned wall time.
	Shift Shift
}

// Spec is a parsed schedule in a zone. It does not change; the zero Spec never fires. Two Specs with the same String
// fire at the same instants.
type Spec struct {
	text  string
	zone  *time.Location
	kind  Kind
	cal   calendar // FixedHour and RealTime
	every int64    // Interval, in seconds
}

// String gives the schedule as Parse reads it back in any zone: "CRON_TZ=Europe/Paris 0 7 * * mon-fri".
func (s Spec) String() string {
	if s.zone == nil {
		return ""
	}
	return "CRON_TZ=" + s.zone.String() + " " + s.text
}

// Expression gives the schedule without its zone: "0 7 * * mon-fri".
func (s Spec) Expression() string { return s.text }

// Zone gives the zone on whose wall clock the schedule is read; UTC for the zero Spec.
func (s Spec) Zone() *time.Location {
	if s.zone == nil {
		return time.UTC
	}
	return s.zone
}

// Kind gives the rule by which the schedule fires; it is empty for the zero Spec.
func (s Spec) Kind() Kind { return s.kind }

// Next gives the first occurrence strictly after t. It is false when there is none, which happens for the zero Spec and
// near the year 9999 only: Parse refuses an expression that never fires.
func (s Spec) Next(t time.Time) (Occurrence, bool) {
	after := seconds(t)
	switch s.kind {
	case FixedHour:
		return s.nextFixedHour(after)
	case RealTime:
		return s.nextRealTime(after)
	case Interval:
		return s.realOccurrence((div(after, s.every) + 1) * s.every)
	}
	return Occurrence{}, false
}

// Between yields the occurrences after one instant, up to and including another, in order.
func (s Spec) Between(after, until time.Time) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		for {
			o, ok := s.Next(after)
			if !ok || o.At.After(until) || !yield(o) {
				return
			}
			after = o.At
		}
	}
}

// Count gives the number of occurrences that Between yields, without visiting them: ten years of minutes take
// microseconds.
func (s Spec) Count(after, until time.Time) int {
	from, to := seconds(after), seconds(until)
	if from >= to {
		return 0
	}
	switch s.kind {
	case FixedHour:
		return s.countFixedHour(from, to)
	case RealTime:
		return s.countRealTime(from, to)
	case Interval:
		return int(div(to, s.every) - div(from, s.every))
	}
	return 0
}

func (s Spec) nextFixedHour(after int64) (Occurrence, bool) {
	w := furthest(s.zone, after)
	for {
		var ok bool
		if w, ok = s.cal.next(w); !ok {
			return Occurrence{}, false
		}
		at, p := firstReading(s.zone, w)
		if at > latest {
			return Occurrence{}, false
		}
		reads, midnight := at+p.offset, div(w, secondsPerDay)*secondsPerDay
		o := Occurrence{At: time.Unix(at, 0).UTC(), Local: time.Unix(at, 0).In(s.zone), Key: wallKey(w)}
		switch {
		case reads != w:
			if tomorrow := midnight + secondsPerDay; reads >= tomorrow {
				if begins, _ := firstReading(s.zone, midnight); begins == at {
					w = tomorrow - 1 // the zone has no such day, so it plans nothing
					continue
				}
			}
			o.Shift = Gap
		case comesAgain(s.zone, at, p):
			o.Shift = Overlap
		}
		return o, true
	}
}

func (s Spec) countFixedHour(from, to int64) int {
	n := s.cal.count(furthest(s.zone, from), furthest(s.zone, to))
	for p := periodAt(s.zone, from); p.end <= to; {
		change := p.end
		before := furthest(s.zone, change-1)
		p = periodAt(s.zone, change)
		reads := change + p.offset
		skipped := s.cal.count(before, reads)
		if skipped < 2 && reads-before <= secondsPerDay {
			continue
		}
		// All that was planned from the gap's beginning up to the time read after it is one occurrence; days that lie
		// in the gap as a whole plan nothing.
		n -= skipped
		firstMidnight, lastMidnight := -div(-before-1, secondsPerDay)*secondsPerDay, div(reads, secondsPerDay)*secondsPerDay
		if firstMidnight < lastMidnight {
			skipped -= s.cal.count(firstMidnight-1, lastMidnight-1)
		}
		if skipped > 0 {
			n++
		}
	}
	return n
}

func (s Spec) nextRealTime(after int64) (Occurrence, bool) {
	t := after + 1
	for {
		p := periodAt(s.zone, t)
		w, ok := s.cal.next(t + p.offset - 1)
		if !ok || w-p.offset > latest {
			return Occurrence{}, false
		}
		if at := w - p.offset; at < p.end {
			return s.realOccurrence(at)
		}
		t = p.end
	}
}

func (s Spec) countRealTime(from, to int64) int {
	n := 0
	for t := from + 1; t <= to; {
		p := periodAt(s.zone, t)
		last := min(to, p.end-1)
		n += s.cal.count(t+p.offset-1, last+p.offset)
		t = last + 1
	}
	return n
}

func (s Spec) realOccurrence(at int64) (Occurrence, bool) {
	if at > latest {
		return Occurrence{}, false
	}
	utc := time.Unix(at, 0).UTC()
	return Occurrence{At: utc, Local: utc.In(s.zone), Key: utc.Format(time.RFC3339)}, true
}

func wallKey(w int64) string { return time.Unix(w, 0).UTC().Format("2006-01-02T15:04") }

package scheduler

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// lookback is further than any two wall clocks of the world can be apart, in seconds.
const lookback = 2 * secondsPerDay

// The first and the last second with which this package reckons: the beginning of year 1 and of 9999-12-31, in UTC.
const (
	earliest = -62135596800
	latest   = 253402214400
)

// seconds gives the whole second of an instant since 1970, within what this package reckons with.
func seconds(t time.Time) int64 { return min(max(t.Unix(), earliest), latest) }

// period is a stretch of real time, [start, end) in seconds since 1970, in which a zone keeps one offset. Neighbours may
// have the same offset.
type period struct{ start, end, offset int64 }

// periodAt finds the period around an instant. The zone database is asked for its transitions here and nowhere else.
func periodAt(zone *time.Location, unix int64) period {
	t := time.Unix(unix, 0).In(zone)
	_, offset := t.Zone()
	p := period{start: math.MinInt64, end: math.MaxInt64, offset: int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		p.start = min(start.Unix(), unix)
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	if p.end <= unix {
		// For rules without an explicit table, package time ends every year after 365 days. On the last day of a leap
		// year the period goes on to the end of that day at least.
		p.end = (div(unix, secondsPerDay) + 1) * secondsPerDay
	}
	return p
}

// firstReading gives the first instant at which the clock of the zone reads w or a later time, and its period. That one
// sentence is the rule for skipped times (the first instant after the gap) and for repeated ones (the first).
func firstReading(zone *time.Location, w int64) (int64, period) {
	t := w - lookback
	p := periodAt(zone, t)
	for {
		if at := max(t, w-p.offset); at < p.end {
			return at, p
		}
		t = p.end
		p = periodAt(zone, t)
	}
}

// furthest gives the latest wall time that the clock of the zone has read up to and including an instant: a wall time is
// still to come exactly when it is later than that.
func furthest(zone *time.Location, unix int64) int64 {
	p := periodAt(zone, unix)
	w := unix + p.offset
	for p.start > unix-lookback {
		before := p.start - 1
		p = periodAt(zone, before)
		w = max(w, before+p.offset)
	}
	return w
}

// comesAgain reports whether the clock of the zone reads the same wall time once more after at, which lies in p.
func comesAgain(zone *time.Location, at int64, p period) bool {
	w := at + p.offset
	for p.end < at+lookback {
		begins := p.end // not the start of the next period, which is earlier on the last day of a leap year
		p = periodAt(zone, begins)
		if again := w - p.offset; again >= begins && again < p.end {
			return true
		}
	}
	return false
}

// ParseLocal reads a local date and time like "2027-04-10 18:30" (or with a T between) on the wall clock of the zone. A
// time that the clock skips is the first instant after the gap; of one that comes twice it is the first.
func ParseLocal(text string, zone *time.Location) (time.Time, error) {
	if zone == nil {
		return time.Time{}, fmt.Errorf("time %s has no zone; name one, such as Europe/Paris", shown(text))
	}
	written := strings.TrimSpace(text)
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if wall, err := time.Parse(layout, written); err == nil {
			at, _ := firstReading(zone, wall.Unix())
			return time.Unix(at, 0).UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is no date with a time; write it like 2027-04-10 18:30", shown(text))
}

// DayStart gives the first instant of the local day of t: usually midnight, the first instant after the gap where the
// clock skips it.
func DayStart(zone *time.Location, t time.Time) time.Time {
	unix := seconds(t)
	midnight := div(unix+periodAt(zone, unix).offset, secondsPerDay) * secondsPerDay
	at, _ := firstReading(zone, midnight)
	return time.Unix(at, 0).UTC()
}

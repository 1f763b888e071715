package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// Window is a time in which something holds: a blackout, quiet hours, a pause. It covers the instants from From,
// included, to To, excluded; a zero From or To leaves that side open, so a pause that has begun is Window{From: then}.
// Hours, when set, narrows it to hours that come again. The zero Window covers nothing.
type Window struct {
	From, To time.Time
	Hours    Hours
}

// Hours are hours of the day that come again, read on the wall clock: an instant is covered exactly when the clock of
// Zone then shows a time from From, included, to To, excluded, on one of Days. With From later than To they go over
// midnight and belong to the day on which they begin. So a beginning or an end that the clock skips is at the first
// instant after the gap, an hour that comes twice is covered both times, and at every instant exactly one of
// "08:00-22:00" and "22:00-08:00" covers. From equal to To covers nothing.
type Hours struct {
	Days     Days
	From, To Clock
	Zone     *time.Location // nil is UTC; Windows.In fills it in
}

// Clock is a wall time in minutes after midnight, 0 to 1440; 1440 is "24:00" and makes sense as an end only.
type Clock int

// String gives "07:05".
func (c Clock) String() string {
	return fmt.Sprintf("%02d:%02d", int(c)/minutesPerHour, int(c)%minutesPerHour)
}

// Days is a set of weekdays, with the bit 1<<time.Monday for Monday. The empty set means every day.
type Days uint8

const everyDay Days = 0x7f

// Has reports whether the day is in the set.
func (d Days) Has(day time.Weekday) bool { return d&everyDay == 0 || d&(1<<uint(day)) != 0 }

// String gives "mon-fri", "sat,sun", or "" for the empty set.
func (d Days) String() string {
	switch d & everyDay {
	case 0:
		return ""
	case everyDay:
		return "mon-sun"
	}
	in := func(i int) bool { return d.Has(time.Weekday(i % 7)) }
	var runs []string
	for i := 1; i <= 7; i++ { // Monday to Sunday, each run from its first day
		if !in(i) || in(i+6) {
			continue
		}
		last := i
		for in(last + 1) {
			last++
		}
		switch run := dayNames[i%7]; last - i {
		case 0:
			runs = append(runs, run)
		case 1:
			runs = append(runs, run+","+dayNames[last%7])
		default:
			runs = append(runs, run+"-"+dayNames[last%7])
		}
	}
	return strings.Join(runs, ",")
}

// String gives the hours as ParseHours reads them: "mon-fri 07:00-23:00".
func (h Hours) String() string {
	return strings.TrimSpace(h.Days.String() + " " + h.From.String() + "-" + h.To.String())
}

func (h Hours) set() bool { return h.Days != 0 || h.From != h.To }

func (h Hours) zone() *time.Location {
	if h.Zone == nil {
		return time.UTC
	}
	return h.Zone
}

// covered gives the wall time up to which the hours cover from the wall time w on; false when w is not covered.
func (h Hours) covered(w int64) (int64, bool) {
	day, inDay := div(w, secondsPerDay), mod(w, secondsPerDay)
	from, to := int64(h.From)*secondsPerMinute, int64(h.To)*secondsPerMinute
	midnight := day * secondsPerDay
	switch today := h.Days.Has(weekday(day)); {
	case from < to && today && inDay >= from && inDay < to:
		return midnight + to, true
	case from > to && inDay < to && h.Days.Has(weekday(day-1)):
		return midnight + to, true
	case from > to && today && inDay >= from:
		return midnight + secondsPerDay + to, true
	}
	return 0, false
}

// begins gives the first wall time after w at which the hours begin.
func (h Hours) begins(w int64) int64 {
	day := div(w, secondsPerDay)
	for {
		if at := day*secondsPerDay + int64(h.From)*secondsPerMinute; at > w && h.Days.Has(weekday(day)) {
			return at
		}
		day++
	}
}

func weekday(day int64) time.Weekday { return time.Weekday(mod(day+int64(time.Thursday), 7)) }

// Covers reports whether the window covers the instant.
func (w Window) Covers(t time.Time) bool {
	if w.From.IsZero() && w.To.IsZero() && !w.Hours.set() {
		return false
	}
	if t.Before(w.From) || (!w.To.IsZero() && !t.Before(w.To)) {
		return false
	}
	if !w.Hours.set() {
		return true
	}
	unix := seconds(t)
	_, covers := w.Hours.covered(unix + periodAt(w.Hours.zone(), unix).offset)
	return covers
}

// holds gives an instant after t up to which the window covers without a break; t is covered. The window may well cover
// that instant too. False means that it never ends.
func (w Window) holds(t time.Time) (time.Time, bool) {
	if !w.Hours.set() {
		return w.To, !w.To.IsZero()
	}
	p := periodAt(w.Hours.zone(), seconds(t))
	end, _ := w.Hours.covered(seconds(t) + p.offset)
	until := time.Unix(min(end-p.offset, p.end), 0).UTC()
	if !w.To.IsZero() && w.To.Before(until) {
		until = w.To
	}
	return until, true
}

// starts gives the first instant from t on that the window covers; false when there is none.
func (w Window) starts(t time.Time) (time.Time, bool) {
	if t.Before(w.From) {
		t = w.From
	}
	if w.Hours.set() && w.Hours.From != w.Hours.To {
		t = w.Hours.starts(t)
	}
	return t, w.Covers(t)
}

func (h Hours) starts(t time.Time) time.Time {
	for unix := seconds(t); unix < latest; {
		p := periodAt(h.zone(), unix)
		if _, covers := h.covered(unix + p.offset); covers {
			if unix > seconds(t) {
				return time.Unix(unix, 0).UTC()
			}
			return t
		}
		if at := h.begins(unix+p.offset) - p.offset; at < p.end {
			return time.Unix(at, 0).UTC()
		}
		unix = p.end
	}
	return t
}

// Windows are windows taken together.
type Windows []Window

// Covers reports whether any of the windows covers the instant.
func (ws Windows) Covers(t time.Time) bool {
	for _, w := range ws {
		if w.Covers(t) {
			return true
		}
	}
	return false
}

// unbroken is how long windows that come again may cover without a break before they count as endless. What opens once
// a week opens at the latest after two, should a clock change swallow the first opening.
const unbroken = 60 * 24 * time.Hour

// End gives the first instant from t on that no window covers, across windows that adjoin or overlap: t itself when
// none covers it, and the zero time when they never end.
func (ws Windows) End(t time.Time) time.Time {
	last := t
	for _, w := range ws {
		if w.To.After(last) {
			last = w.To
		}
	}
	for last = last.Add(unbroken); t.Before(last); {
		before := t
		for _, w := range ws {
			if !w.Covers(t) {
				continue
			}
			until, ends := w.holds(t)
			if !ends {
				return time.Time{}
			}
			t = until
		}
		if t.Equal(before) {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Start gives the first instant from t on that any window covers: t itself when one covers it; false when there is none.
func (ws Windows) Start(t time.Time) (time.Time, bool) {
	var first time.Time
	found := false
	for _, w := range ws {
		if at, ok := w.starts(t); ok && (!found || at.Before(first)) {
			first, found = at, true
		}
	}
	return first.UTC(), found
}

// In gives the same windows with the hours that have no zone yet read on the wall clock of this one. Quiet hours are
// parsed once and read in the zone of each person.
func (ws Windows) In(zone *time.Location) Windows {
	out := make(Windows, len(ws))
	for i, w := range ws {
		if w.Hours.Zone == nil {
			w.Hours.Zone = zone
		}
		out[i] = w
	}
	return out
}

// String gives windows of hours as ParseHours reads them, and spans in RFC 3339.
func (ws Windows) String() string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = w.String()
	}
	return strings.Join(out, ", ")
}

// String gives the hours, the span, or both.
func (w Window) String() string {
	var parts []string
	if w.Hours.set() {
		parts = append(parts, w.Hours.String())
	}
	if !w.From.IsZero() {
		parts = append(parts, "from "+w.From.Format(time.RFC3339))
	}
	if !w.To.IsZero() {
		parts = append(parts, "until "+w.To.Format(time.RFC3339))
	}
	return strings.Join(parts, " ")
}

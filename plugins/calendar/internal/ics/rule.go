package ics

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds on one rule.
const (
	maxInterval = 100_000
	maxTimes    = 1440   // times of day that a rule names by BYHOUR, BYMINUTE and BYSECOND together
	maxPerRule  = 1000   // occurrences of one series in a window
	neverSteps  = 50_000 // what a rule that never comes true costs
	maxSteps    = 50_000 // occurrences that are counted through to reach the window
)

// errDense says that a rule plans more than is taken of it.
var errDense = fmt.Errorf("it repeats more than %d times within the window", maxPerRule)

// budget bounds the work on a document.
type budget struct{ steps int }

var errBudget = errors.New("the calendar's rules take too long to work out")

func (b *budget) step() error {
	b.steps--
	return b.left()
}

func (b *budget) left() error {
	if b.steps < 0 {
		return errBudget
	}
	return nil
}

// rule is a recurrence rule. Its times are wall times.
type rule struct {
	option rrule.ROption
	until  moment // zero when there is none
	// ordinal says that BYDAY names a first or last weekday.
	ordinal bool
}

// parseRule reads an RRULE. Parts that only vendors know are passed over; what changes the meaning (RSCALE of another
// calendar) is refused.
func parseRule(s string) (*rule, error) {
	r := &rule{}
	var known []string
	seen := map[string]bool{}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(s)), ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if part == "" || ok && value == "" {
			continue
		}
		if !ok || seen[name] || len(value) > 4000 {
			return nil, fmt.Errorf("the rule %.60q cannot be read", s)
		}
		seen[name] = true
		switch name {
		case "UNTIL":
			m, err := parseWall(value)
			if err != nil {
				return nil, err
			}
			r.until = m
		case "RSCALE":
			if value != "GREGORIAN" {
				return nil, fmt.Errorf("its rule counts in the calendar %.20s", value)
			}
		case "SKIP":
			if value != "OMIT" {
				return nil, fmt.Errorf("its rule has SKIP=%.20s, which is not known", value)
			}
		case "INTERVAL", "COUNT":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || name == "INTERVAL" && n > maxInterval {
				return nil, fmt.Errorf("its rule has %s=%.20s, which is not possible", name, value)
			}
			known = append(known, part)
		case "FREQ", "WKST", "BYSETPOS", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND":
			known = append(known, strings.TrimSpace(part))
		}
	}
	option, err := rrule.StrToROption(strings.Join(known, ";"))
	if err != nil {
		return nil, fmt.Errorf("the rule %.60q cannot be read", s)
	}
	r.option = *option
	if option.Wkst == (rrule.Weekday{}) {
		r.option.Wkst = rrule.MO
	}
	for _, list := range [][]int{option.Bymonth, option.Bymonthday, option.Byyearday, option.Byweekno, option.Byhour, option.Byminute, option.Bysecond, option.Bysetpos} {
		if len(list) > 400 {
			return nil, fmt.Errorf("the rule %.60q is too long", s)
		}
	}
	r.ordinal = slices.ContainsFunc(option.Byweekday, func(w rrule.Weekday) bool { return w.N() != 0 })
	if len(option.Byweekday) > 400 || max(1, len(option.Byhour))*max(1, len(option.Byminute))*max(1, len(option.Bysecond)) > maxTimes {
		return nil, fmt.Errorf("the rule %.60q names too many times", s)
	}
	if r.fine() && (len(option.Bysetpos) > 0 || len(option.Byweekno) > 0 || r.ordinal) {
		return nil, fmt.Errorf("the rule %.60q mixes hours or less with what only longer rules have", s)
	}
	for i := range r.option.Bysecond { // a leap second
		r.option.Bysecond[i] = min(r.option.Bysecond[i], 59)
	}
	if r.option.Count > 0 && r.option.Count > maxSteps && !r.plain() {
		r.option.Count = 0 // as good as without end; counting through them all is not
	}
	probe := r.option
	probe.Dtstart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := rrule.NewRRule(probe); err != nil {
		return nil, fmt.Errorf("the rule %.60q is not possible: %w", s, err)
	}
	return r, nil
}

// fine rules repeat within a day.
func (r *rule) fine() bool { return r.option.Freq >= rrule.HOURLY }

// plain rules have each of their steps as an occurrence.
func (r *rule) plain() bool {
	o := r.option
	return r.option.Freq >= rrule.DAILY && len(o.Bymonth)+len(o.Bymonthday)+len(o.Byyearday)+len(o.Byweekno)+len(o.Byweekday)+len(o.Byhour)+
		len(o.Byminute)+len(o.Bysecond)+len(o.Bysetpos) == 0
}

// untilWall is the last wall time of a rule, zero without one. UNTIL is inclusive; a date means the end of that day, and an
// instant is read in the zone of the series.
func (r *rule) untilWall(wholeDays bool, zone *time.Location) time.Time {
	switch {
	case r.until.isZero():
		return time.Time{}
	case r.until.kind == date:
		return r.until.wall.Add(24*time.Hour - time.Second)
	case wholeDays:
		y, m, d := r.until.wall.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case r.until.kind == utc && zone != nil:
		local := r.until.wall.In(zone)
		y, m, d := local.Date()
		h, mi, s := local.Clock()
		return time.Date(y, m, d, h, mi, s, 0, time.UTC)
	}
	return r.until.wall
}

// unit is the length of one step of a rule from weekly downwards.
func (r *rule) unit() time.Duration {
	unit := time.Second
	switch r.option.Freq {
	case rrule.WEEKLY:
		unit = 7 * 24 * time.Hour
	case rrule.DAILY:
		unit = 24 * time.Hour
	case rrule.HOURLY:
		unit = time.Hour
	case rrule.MINUTELY:
		unit = time.Minute
	}
	return time.Duration(max(1, r.option.Interval)) * unit
}

// between gives the wall times of a rule from lo to before hi of which use, if there is one, says that they count. It begins
// at start, which is one of them only where it fits.
func (r *rule) between(start, lo, hi, until time.Time, use func(time.Time) bool, b *budget) ([]time.Time, error) {
	if !until.IsZero() && until.Before(hi) {
		hi = until.Add(time.Second)
	}
	if !start.Before(hi) {
		return nil, nil
	}
	option := r.option
	from := start
	// Whole steps before the window are jumped over where nothing has to be counted on the way.
	if behind := lo.Sub(start); behind > 0 && r.option.Freq >= rrule.WEEKLY && (option.Count == 0 || r.plain()) {
		steps := max(0, int64(behind/r.unit())-1)
		if option.Freq == rrule.WEEKLY {
			steps = max(0, steps-1) // its days lie around the start's
		}
		if option.Count > 0 {
			if steps >= int64(option.Count) {
				return nil, nil
			}
			option.Count -= int(steps)
		}
		from = start.Add(time.Duration(steps) * r.unit())
	}
	if r.fine() {
		return r.loop(option, from, lo, hi, use, b)
	}
	if option.Freq == rrule.YEARLY && len(option.Byweekno) > 0 && len(option.Byweekday)+len(option.Bymonthday)+len(option.Byyearday) == 0 {
		// The day of the week is the start's (RFC 5545, section 3.3.10); the library takes all seven.
		option.Byweekday = []rrule.Weekday{[]rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}[start.Weekday()]}
	}
	// Without an end of its own the library stops after 290 years, and some zones begin in 1601.
	option.Dtstart, option.Until = from, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	rr, err := rrule.NewRRule(option)
	if err != nil {
		return nil, err
	}
	next := rr.Iterator()
	var out []time.Time
	for {
		if err := b.step(); err != nil {
			return out, err
		}
		t, ok := next()
		if !ok && option.Count == 0 {
			// The library walked to the year 9999, since the rule does not come true any more.
			b.steps -= neverSteps
			return out, b.left()
		}
		if !ok || !t.Before(hi) {
			return out, nil
		}
		if t.Before(lo) || use != nil && !use(t) {
			continue
		}
		if len(out) == maxPerRule {
			return out, errDense
		}
		out = append(out, t)
	}
}

// loop works out a rule of hours, minutes or seconds: day after day, so that days which do not match cost one step.
func (r *rule) loop(o rrule.ROption, from, lo, hi time.Time, use func(time.Time) bool, b *budget) ([]time.Time, error) {
	unit, count := r.unit(), o.Count
	var out []time.Time
	in := func(list []int, n int) bool { return len(list) == 0 || slices.Contains(list, n) }
	// jump goes to the first step at or after a time.
	jump := func(t, to time.Time) time.Time {
		steps := int64((to.Sub(t) + unit - 1) / unit)
		return t.Add(time.Duration(max(1, steps)) * unit)
	}
	for t := from; t.Before(hi); {
		if err := b.step(); err != nil {
			return out, err
		}
		y, m, d := t.Date()
		switch {
		case !r.dayMatches(o, t):
			t = jump(t, time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC))
			continue
		case !in(o.Byhour, t.Hour()):
			t = jump(t, time.Date(y, m, d, t.Hour()+1, 0, 0, 0, time.UTC))
			continue
		case o.Freq >= rrule.MINUTELY && !in(o.Byminute, t.Minute()):
			t = jump(t, time.Date(y, m, d, t.Hour(), t.Minute()+1, 0, 0, time.UTC))
			continue
		case o.Freq == rrule.SECONDLY && !in(o.Bysecond, t.Second()):
			t = t.Add(unit)
			continue
		}
		for _, at := range within(o, t) {
			if at.Before(from) || !at.Before(hi) {
				continue
			}
			if !at.Before(lo) && (use == nil || use(at)) {
				if len(out) == maxPerRule {
					return out, errDense
				}
				out = append(out, at)
			}
			if o.Count > 0 {
				if count--; count == 0 {
					return out, nil
				}
			}
		}
		t = t.Add(unit)
	}
	return out, nil
}

// within gives the times of one step: BYMINUTE and BYSECOND of a longer step name several.
func within(o rrule.ROption, t time.Time) []time.Time {
	minutes, seconds := []int{t.Minute()}, []int{t.Second()}
	if o.Freq == rrule.HOURLY && len(o.Byminute) > 0 {
		minutes = slices.Compact(slices.Sorted(slices.Values(o.Byminute)))
	}
	if o.Freq != rrule.SECONDLY && len(o.Bysecond) > 0 {
		seconds = slices.Compact(slices.Sorted(slices.Values(o.Bysecond)))
	}
	if len(minutes) == 1 && len(seconds) == 1 && minutes[0] == t.Minute() && seconds[0] == t.Second() {
		return []time.Time{t}
	}
	y, m, d := t.Date()
	var out []time.Time
	for _, mi := range minutes {
		for _, s := range seconds {
			out = append(out, time.Date(y, m, d, t.Hour(), mi, s, 0, time.UTC))
		}
	}
	return out
}

func (r *rule) dayMatches(o rrule.ROption, t time.Time) bool {
	if len(o.Bymonth) > 0 && !slices.Contains(o.Bymonth, int(t.Month())) {
		return false
	}
	either := func(list []int, n, last int) bool {
		return len(list) == 0 || slices.Contains(list, n) || slices.Contains(list, n-last-1)
	}
	lastOfMonth := time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	lastOfYear := time.Date(t.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	if !either(o.Bymonthday, t.Day(), lastOfMonth) || !either(o.Byyearday, t.YearDay(), lastOfYear) {
		return false
	}
	return len(o.Byweekday) == 0 || slices.ContainsFunc(o.Byweekday, func(w rrule.Weekday) bool { return w.Day() == (int(t.Weekday())+6)%7 })
}

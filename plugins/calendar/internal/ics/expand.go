package ics

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds on one look at a calendar.
const (
	// MaxOccurrences is how many occurrences one look gives.
	MaxOccurrences = 5_000
	maxWork        = 2_000_000 // steps of all rules together
)

// ErrTooMany says that a window holds more occurrences than one look gives.
var ErrTooMany = fmt.Errorf("it holds more than %d occurrences", MaxOccurrences)

// Occurrence is one time at which an event takes place.
type Occurrence struct {
	UID string
	// Recurrence is the original start of an instance of a series, in the zone of the series; zero for a single event. Instance
	// identifies it within the UID; empty for a single event.
	Recurrence time.Time
	Instance   string
	// Start and End are in the event's zone.
	Start, End time.Time
	AllDay     bool
	// Zone is the zone's name; empty for a zone of the calendar's own making.
	Zone string
	// Cancelled says that the event was called off.
	Cancelled bool
	Detail
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Between gives what takes place in a window, also in part, by start; and notices about events that it could not plan.
// Events without a length count at their start. Cancelled occurrences are among them.
func (c *Calendar) Between(from, to time.Time) ([]Occurrence, []string, error) {
	p := &plan{c: c, from: from, to: to, work: budget{steps: maxWork}, names: map[*time.Location]string{}}
	for _, uid := range c.order {
		if err := p.series(c.series[uid]); err != nil {
			return nil, nil, err
		}
	}
	slices.SortStableFunc(p.out, func(a, b Occurrence) int {
		if d := a.Start.Compare(b.Start); d != 0 {
			return d
		}
		return strings.Compare(a.UID+a.Instance, b.UID+b.Instance)
	})
	return p.out, p.notices, nil
}

type plan struct {
	c        *Calendar
	from, to time.Time
	work     budget
	out      []Occurrence
	notices  []string
	names    map[*time.Location]string
}

// nameOf is a zone's name, if everybody knows it.
func (p *plan) nameOf(zone *time.Location) string {
	name, known := p.names[zone]
	if !known {
		if _, err := time.LoadLocation(zone.String()); err == nil {
			name = zone.String()
		}
		p.names[zone] = name
	}
	return name
}

func (p *plan) zone(m moment) *time.Location { return m.in(p.c.floatingZone()) }

// instance is one start of a series before overrides.
type instance struct {
	wall time.Time
	end  time.Time // the end of an RDATE's period; zero otherwise
}

func (p *plan) series(s *series) error {
	m := s.master
	if m == nil {
		return p.orphans(s)
	}
	repeats := len(m.rules)+len(m.dates) > 0
	if !repeats {
		if err := p.take(m, instance{wall: m.start.wall}, moment{}, ""); err != nil {
			return err
		}
		return p.orphans(s)
	}
	starts, err := p.starts(m)
	if errors.Is(err, errBudget) {
		return err // what is missing then would look like withdrawn
	}
	if err != nil {
		p.notice(m, err)
	}
	p.align(s, starts)
	shifts := p.shifts(s)
	for _, in := range starts {
		original := moment{wall: in.wall, kind: m.start.kind, zone: m.start.zone}
		key := p.c.instanceKey(original)
		if s.overrides[key] != nil {
			continue // taken below, wherever it was moved
		}
		e, begin := m, in
		for _, sh := range shifts {
			if !original.at(p.c.floatingZone()).Before(sh.from) {
				e, begin = sh.event, instance{wall: in.wall.Add(sh.by)}
			}
		}
		if err := p.take(e, begin, original, key); err != nil {
			return err
		}
	}
	return p.orphans(s)
}

// align finds the instances of overrides that name them by a day where the series has times, or the other way round.
func (p *plan) align(s *series, starts []instance) {
	for key, e := range s.overrides {
		if (e.recurrence.kind == date) == (s.master.start.kind == date) {
			continue
		}
		day := p.wallIn(e.recurrence, s.master.start).Format("20060102")
		for _, in := range starts {
			if in.wall.Format("20060102") == day {
				right := moment{wall: in.wall, kind: s.master.start.kind, zone: s.master.start.zone}
				delete(s.overrides, key)
				moved := *e
				moved.recurrence = right
				s.overrides[p.c.instanceKey(right)] = &moved
				break
			}
		}
	}
}

// shift is an override of an instance and all that follow it.
type shift struct {
	from  time.Time
	by    time.Duration // in wall time
	event *event
}

func (p *plan) shifts(s *series) []shift {
	var out []shift
	for _, e := range s.overrides {
		if e.future {
			out = append(out, shift{from: e.recurrence.at(p.c.floatingZone()), by: e.start.wall.Sub(p.wallIn(e.recurrence, e.start)), event: e})
		}
	}
	slices.SortFunc(out, func(a, b shift) int { return a.from.Compare(b.from) })
	return out
}

// wallIn spells a time in the zone of another.
func (p *plan) wallIn(m, like moment) time.Time {
	if m.kind == like.kind && m.zone == like.zone || m.kind == date {
		return m.wall
	}
	t := m.at(p.c.floatingZone()).In(p.zone(like))
	y, mo, d := t.Date()
	h, mi, sec := t.Clock()
	return time.Date(y, mo, d, h, mi, sec, 0, time.UTC)
}

// orphans takes the overrides, each where it was moved to; one without its series is an event of its own.
func (p *plan) orphans(s *series) error {
	keys := make([]string, 0, len(s.overrides))
	for k := range s.overrides {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		e := s.overrides[k]
		original := e.recurrence
		if s.master != nil && original.kind != date && s.master.start.kind != date {
			original = moment{wall: p.wallIn(original, s.master.start), kind: s.master.start.kind, zone: s.master.start.zone}
		}
		if err := p.take(e, instance{wall: e.start.wall}, original, k); err != nil {
			return err
		}
	}
	return nil
}

// clockChange is more than any clock change moves wall times.
const clockChange = 3 * time.Hour

// longestOf bounds the length of an event's occurrences.
func (e *event) longestOf() time.Duration {
	switch {
	case e.hasLength:
		return time.Duration(e.length.days)*24*time.Hour + e.length.exact
	case !e.end.isZero():
		return min(max(0, e.end.wall.Sub(e.start.wall)), longest*24*time.Hour) + 26*time.Hour
	case e.start.kind == date:
		return 24 * time.Hour
	}
	return 0
}

// starts gives the wall times at which a series begins, around the window, without the excepted ones. An error is about
// this series; what is given with it stands.
func (p *plan) starts(m *event) ([]instance, error) {
	wall := func(t time.Time) time.Time {
		return p.wallIn(moment{wall: t.UTC(), kind: utc}, moment{kind: zoned, zone: p.zone(m.start)})
	}
	lo, hi := wall(p.from).Add(-m.longestOf()-clockChange), wall(p.to).Add(clockChange)
	use := func(wall time.Time) bool {
		return p.ends(m, instance{wall: wall}).After(p.from) || !Resolve(wall, p.zone(m.start)).Before(p.from)
	}
	for _, sh := range p.shifts(p.c.series[m.uid]) {
		use = nil
		lo, hi = lo.Add(-sh.by.Abs()), hi.Add(sh.by.Abs())
	}
	seen := map[int64]bool{}
	var out []instance
	add := func(in instance) {
		if m.start.kind == date { // whatever its rule plans within a day is that day
			in.wall = in.wall.Truncate(24 * time.Hour)
		}
		if !seen[in.wall.Unix()] && !in.wall.Before(lo) && in.wall.Before(hi) {
			seen[in.wall.Unix()] = true
			out = append(out, in)
		}
	}
	for _, x := range m.dates {
		in := instance{wall: p.wallIn(x.start, m.start)}
		if x.start.kind == date && m.start.kind != date { // a day: the series' time on it
			h, mi, s := m.start.wall.Clock()
			in.wall = in.wall.Add(time.Duration(h)*time.Hour + time.Duration(mi)*time.Minute + time.Duration(s)*time.Second)
		}
		switch {
		case x.hasLength:
			in.end = x.length.after(in.wall, p.zone(m.start))
		case !x.end.isZero():
			in.end = x.end.at(p.c.floatingZone())
		}
		add(in)
	}
	add(instance{wall: m.start.wall}) // the first one, also where it does not fit the rule
	var failed error
	for _, r := range m.rules {
		list, err := p.ruled(m, r, lo, hi, use)
		if err != nil {
			failed = err
			if errors.Is(err, errBudget) {
				return nil, err
			}
		}
		for _, w := range list {
			add(instance{wall: w})
		}
	}
	except := map[int64]bool{}
	days := map[string]bool{}
	for _, x := range m.except {
		if x.kind == date || m.start.kind == date {
			days[x.wall.Format("20060102")] = true
		} else {
			except[x.at(p.c.floatingZone()).Unix()] = true
		}
	}
	out = slices.DeleteFunc(out, func(in instance) bool {
		return days[in.wall.Format("20060102")] || len(except) > 0 && except[Resolve(in.wall, p.zone(m.start)).Unix()]
	})
	slices.SortFunc(out, func(a, b instance) int { return a.wall.Compare(b.wall) })
	return out, failed
}

// ruled works out one rule. The series' first start counts towards COUNT, also where it does not fit.
func (p *plan) ruled(m *event, r *rule, lo, hi time.Time, use func(time.Time) bool) ([]time.Time, error) {
	if r.option.Count > 0 && !r.plain() {
		first, err := (&rule{option: uncounted(r.option)}).between(m.start.wall, m.start.wall, m.start.wall.Add(time.Second), time.Time{}, nil, &budget{steps: 1000})
		if err == nil && len(first) == 0 {
			if r.option.Count == 1 {
				return nil, nil
			}
			less := *r
			less.option.Count--
			r = &less
		}
	}
	return r.between(m.start.wall, lo, hi, r.untilWall(m.start.kind == date, p.zone(m.start)), use, &p.work)
}

// ends is when an instance is over.
func (p *plan) ends(e *event, in instance) time.Time {
	zone := p.zone(e.start)
	start := Resolve(in.wall, zone)
	end := start
	switch {
	case !in.end.IsZero():
		end = in.end.In(zone)
	case e.start.kind == date:
		days := 1
		if e.hasLength {
			days = max(1, e.length.days)
		} else if !e.end.isZero() {
			days = max(1, int(e.end.wall.Sub(e.start.wall)/(24*time.Hour)))
		}
		end = Resolve(in.wall.AddDate(0, 0, days), zone)
	case e.hasLength:
		end = e.length.after(in.wall, zone)
	case !e.end.isZero():
		end = start.Add(e.end.at(p.c.floatingZone()).Sub(e.start.at(p.c.floatingZone()))).In(p.zone(e.end))
	}
	if end.Before(start) {
		return start
	}
	return end
}

// take makes an occurrence if it lies in the window.
func (p *plan) take(e *event, in instance, original moment, key string) error {
	zone := p.zone(e.start)
	o := Occurrence{UID: e.uid, Instance: key, Start: Resolve(in.wall, zone), AllDay: e.start.kind == date, Detail: e.detail,
		Cancelled: p.c.Cancel || e.detail.Status == "CANCELLED"}
	o.End = p.ends(e, in)
	if !o.Start.Before(p.to) || !o.End.After(p.from) && (o.End.After(o.Start) || o.Start.Before(p.from)) {
		return nil
	}
	if key != "" {
		o.Recurrence = original.at(p.c.floatingZone())
	}
	o.Zone = p.nameOf(zone)
	if len(p.out) == MaxOccurrences {
		return ErrTooMany
	}
	p.out = append(p.out, o)
	return nil
}

func (p *plan) notice(e *event, err error) {
	name := e.detail.Summary
	if name == "" {
		name = e.uid
	}
	what := "is planned in part"
	if errors.Is(err, errDense) {
		what = "is planned as far as its first " + strconv.Itoa(maxPerRule) + " times"
	}
	if len(p.notices) < maxNotices {
		p.notices = append(p.notices, fmt.Sprintf("the event %q %s: %s", shorten(name, 60), what, err))
	}
}

// uncounted is a rule without its COUNT.
func uncounted(o rrule.ROption) rrule.ROption {
	o.Count = 0
	return o
}

package ics

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// Resolve gives the instant of a wall time, which stands in UTC. A time that occurs twice is the first of the two; one that
// a clock change leaves out is read with the offset before the change (RFC 5545, section 3.3.5). time.Date promises neither.
func Resolve(wall time.Time, zone *time.Location) time.Time {
	offset := func(t time.Time) time.Duration {
		_, seconds := t.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	const day = 24 * time.Hour
	before, after := offset(wall.Add(-day)), offset(wall.Add(day))
	first, second := wall.Add(-before), wall.Add(-after)
	if second.Before(first) {
		first, second, before, after = second, first, after, before
	}
	switch {
	case offset(first) == before:
		return first.In(zone)
	case offset(second) == after:
		return second.In(zone)
	}
	// A gap: of the two readings the later one has the smaller offset, which is the one before the change.
	return second.In(zone)
}

// zones finds the zones that a calendar names.
type zones struct {
	own    map[string]*ical.Component // VTIMEZONE by TZID
	found  map[string]*time.Location
	now    time.Time
	notice func(format string, args ...any)
}

// load finds a zone by the order of the sources that are likely to be right; nil when there is none.
func (z *zones) load(tzid string) *time.Location {
	tzid = strings.Trim(tzid, "\" \t")
	if loc, known := z.found[tzid]; known {
		return loc
	}
	loc, own := named(tzid), z.rules(tzid)
	switch {
	case loc != nil && own != nil:
		if at, differs := z.differ(loc, own); differs {
			z.notice("the calendar's own rules for the zone %s differ from those in force (first on %s); those in force are used",
				shorten(tzid, 60), at.UTC().Format(time.DateOnly))
		}
	case loc == nil && own != nil:
		loc = own
	case loc == nil:
		if c := z.own[tzid]; c != nil {
			if p := c.Props.Get("X-LIC-LOCATION"); p != nil {
				loc = named(p.Value)
			}
		}
	}
	z.found[tzid] = loc
	return loc
}

// differ looks at two years of a zone, week by week.
func (z *zones) differ(a, b *time.Location) (time.Time, bool) {
	for week := range 104 {
		t := z.now.AddDate(0, 0, 7*week)
		_, x := t.In(a).Zone()
		if _, y := t.In(b).Zone(); x != y {
			return t, true
		}
	}
	return time.Time{}, false
}

// named finds a zone by its IANA name in any case, by such a name behind a vendor's prefix, or by its Windows name.
func named(name string) *time.Location {
	name = strings.Trim(name, "\" \t")
	if iana, ok := windowsZones[strings.ToLower(name)]; ok {
		name = iana
	}
	parts := strings.Split(strings.Trim(name, "/"), "/")
	for n := min(3, len(parts)); n > 0; n-- {
		try := strings.Join(parts[len(parts)-n:], "/")
		for _, spelling := range []string{try, titled(try), strings.ToUpper(try)} {
			if spelling == "" || strings.EqualFold(spelling, "local") {
				continue
			}
			if loc, err := time.LoadLocation(spelling); err == nil {
				return loc
			}
		}
	}
	return nil
}

// titled spells a zone as most are spelt: Europe/Paris, America/New_York.
func titled(s string) string {
	b := []byte(strings.ToLower(s))
	start := true
	for i, c := range b {
		if start && c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
		start = c == '/' || c == '_' || c == '-'
	}
	return string(b)
}

const maxObservances = 64

// rules makes a zone of the calendar's own VTIMEZONE; nil when it has none, or none that can be read.
func (z *zones) rules(tzid string) *time.Location {
	c := z.own[tzid]
	if c == nil {
		return nil
	}
	var changes []change
	for i, o := range c.Children {
		if i == maxObservances {
			break
		}
		start := o.Props.Get(ical.PropDateTimeStart)
		from, ok1 := offsetOf(o.Props.Get(ical.PropTimezoneOffsetFrom))
		to, ok2 := offsetOf(o.Props.Get(ical.PropTimezoneOffsetTo))
		if start == nil || !ok1 || !ok2 {
			continue
		}
		onset, err := parseWall(start.Value)
		if err != nil {
			continue
		}
		add := func(wall time.Time) {
			changes = append(changes, change{at: wall.Add(-time.Duration(from) * time.Second).Unix(), from: from, to: to})
		}
		add(onset.wall)
		for _, p := range o.Props.Values(ical.PropRecurrenceDates) {
			for text := range strings.SplitSeq(p.Value, ",") {
				if m, err := parseWall(text); err == nil && len(changes) < 2000 {
					add(m.wall)
				}
			}
		}
		for _, p := range o.Props.Values(ical.PropRecurrenceRule) {
			r, err := parseRule(p.Value)
			if err != nil || r.option.Freq > 1 { // yearly and monthly
				continue
			}
			if r.until.kind == utc { // an onset's end is given in UTC
				r.until = moment{wall: r.until.wall.Add(time.Duration(from) * time.Second), kind: floating}
			}
			lo := maxTime(onset.wall, z.now.AddDate(-2, 0, 0))
			list, err := r.between(onset.wall, lo, z.now.AddDate(8, 0, 0), r.untilWall(false, nil), nil, &budget{steps: 20_000})
			if err != nil {
				continue
			}
			for _, w := range list {
				add(w)
			}
		}
	}
	if len(changes) == 0 {
		return nil
	}
	slices.SortStableFunc(changes, func(a, b change) int { return int(max(-1, min(1, a.at-b.at))) })
	loc, err := location(tzid, changes)
	if err != nil {
		return nil
	}
	return loc
}

// change is a transition of a zone: offsets in seconds, the time in Unix seconds.
type change struct {
	at       int64
	from, to int
}

// location makes a zone of its transitions, in the form in which the system keeps zones (RFC 8536).
func location(name string, changes []change) (*time.Location, error) {
	offsets := []int{changes[0].from}
	index := func(o int) byte {
		i := slices.Index(offsets, o)
		if i < 0 {
			i = len(offsets)
			offsets = append(offsets, o)
		}
		return byte(i)
	}
	var times []int64
	var which []byte
	for _, c := range changes {
		if n := len(times); n > 0 && times[n-1] == c.at {
			which[n-1] = index(c.to)
			continue
		}
		times, which = append(times, c.at), append(which, index(c.to))
	}
	if len(offsets) > 100 {
		return nil, fmt.Errorf("more than 100 offsets")
	}
	var b bytes.Buffer
	head := func(counts ...int) {
		b.WriteString("TZif2" + strings.Repeat("\x00", 15))
		for _, n := range counts {
			_ = binary.Write(&b, binary.BigEndian, uint32(n))
		}
	}
	head(0, 0, 0, 0, 1, 1) // the old form, unused: one type
	b.Write(make([]byte, 6+1))
	var names bytes.Buffer
	starts := make([]byte, len(offsets))
	for i, o := range offsets {
		starts[i] = byte(min(names.Len(), 255))
		if names.Len() < 240 {
			names.WriteString(offsetName(o) + "\x00")
		} else {
			starts[i] = 0
		}
	}
	head(0, 0, 0, len(times), len(offsets), names.Len())
	for _, t := range times {
		_ = binary.Write(&b, binary.BigEndian, t)
	}
	b.Write(which)
	for i, o := range offsets {
		_ = binary.Write(&b, binary.BigEndian, int32(o))
		b.Write([]byte{0, starts[i]})
	}
	b.Write(names.Bytes())
	b.WriteString("\n\n")
	return time.LoadLocationFromTZData(name, b.Bytes())
}

func offsetName(seconds int) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	return fmt.Sprintf("%s%02d%02d", sign, seconds/3600, seconds/60%60)
}

// offsetOf reads a UTC offset, in seconds.
func offsetOf(p *ical.Prop) (int, bool) {
	if p == nil {
		return 0, false
	}
	s := strings.TrimSpace(p.Value)
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.Atoi(s[1:])
	if err != nil || n < 0 {
		return 0, false
	}
	if len(s) == 5 {
		n *= 100
	}
	seconds := n/10000*3600 + n/100%100*60 + n%100
	if seconds > 15*3600 {
		return 0, false
	}
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

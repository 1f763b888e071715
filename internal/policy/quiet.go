package policy

import (
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/scheduler"
)

// hours are the quiet ones: the law's, the person's own, and those of the person's that breaking news passes.
type hours struct{ law, own, passed scheduler.Windows }

// quiet collects the hours that count for this person; false when their own cannot be read.
func (f Facts) quiet(breaking bool) (h hours, ok bool) {
	for country, windows := range f.Rules.Quiet {
		// Of a person whose country is unknown, the strictest of all countries holds.
		if country != "" && f.Country != "" && country != f.Country {
			continue
		}
		for _, zone := range f.zones() {
			h.law = append(h.law, windows.In(zone)...)
		}
	}
	from, until := f.Habits.QuietFrom, f.Habits.QuietUntil
	if from == "" && until == "" {
		return h, true
	}
	begin, ok1 := clock(from)
	end, ok2 := clock(until)
	if !ok1 || !ok2 || begin == 24*60 {
		return h, false
	}
	for _, zone := range f.zones() {
		h.own = append(h.own, scheduler.Window{Hours: scheduler.Hours{From: begin, To: end, Zone: zone}})
	}
	if breaking {
		h.own, h.passed = nil, h.own
	}
	return h, true
}

// clock reads "22:00".
func clock(s string) (scheduler.Clock, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	n := 0
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	h, m := n/100, n%100
	return scheduler.Clock(h*60 + m), m < 60 && (h < 24 || h == 24 && m == 0)
}

func (f Facts) zones() []*time.Location {
	if len(f.Zones) == 0 {
		return []*time.Location{time.UTC}
	}
	return f.Zones
}

// Zones finds the zones of people, and remembers them: a lane asks for one with each message. It may be used by several
// goroutines.
type Zones struct {
	// Site is the zone of who has chosen none, or one that this machine does not know; nil is UTC.
	Site  *time.Location
	known sync.Map // of *time.Location by name
}

// Of gives the time zone of a person.
func (z *Zones) Of(h consent.Habits) *time.Location {
	if known, found := z.known.Load(h.Zone); found {
		zone, _ := known.(*time.Location) // nothing else is stored
		return zone
	}
	if h.Zone != "" {
		if zone, err := scheduler.LoadZone(h.Zone); err == nil {
			z.known.Store(h.Zone, zone)
			return zone
		}
	}
	if z.Site == nil {
		return time.UTC
	}
	return z.Site
}

// Day gives the first instant of the day of t in a zone, UTC: what Caps.Today counts from.
func Day(zone *time.Location, t time.Time) time.Time { return scheduler.DayStart(zone, t) }

// NextDay gives the first instant of the day after that of t in a zone, UTC. It is always after t.
func NextDay(zone *time.Location, t time.Time) time.Time {
	today := Day(zone, t)
	// A day has at most 25 hours, and the one after a day that a zone left out begins where that one would have.
	for later := today.Add(12 * time.Hour); ; later = later.Add(12 * time.Hour) {
		if next := Day(zone, later); next.After(t) && next.After(today) {
			return next
		}
	}
}

// Week gives the first instant of the week of t in a zone, UTC: what Caps.ThisWeek counts from. Weeks begin on Monday.
func Week(zone *time.Location, t time.Time) time.Time {
	at := Day(zone, t)
	for range 6 {
		if at.In(zone).Weekday() == time.Monday {
			break
		}
		at = Day(zone, at.Add(-time.Second))
	}
	return at
}

// NextWeek gives the first instant of the week after that of t in a zone, UTC. It is always after t.
func NextWeek(zone *time.Location, t time.Time) time.Time {
	at := NextDay(zone, t)
	for range 6 {
		if at.In(zone).Weekday() == time.Monday {
			break
		}
		at = NextDay(zone, at)
	}
	return at
}

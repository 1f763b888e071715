package scheduler

import (
	"fmt"
	"testing"
	"time"
)

// clockWalk is what the clock of a zone shows at each minute of a stretch of real time, found by walking it.
type clockWalk struct {
	zone  *time.Location
	start int64   // seconds since 1970, a whole minute
	wall  []int64 // the wall time at each minute, in minutes
}

func walkClock(zone *time.Location, around int64, reach time.Duration) clockWalk {
	r := int64(reach / time.Minute)
	w := clockWalk{zone: zone, start: around - r*60, wall: make([]int64, 2*r)}
	for i := range w.wall {
		unix := w.start + int64(i)*60
		_, offset := time.Unix(unix, 0).In(zone).Zone()
		w.wall[i] = (unix + int64(offset)) / 60
	}
	return w
}

func (w clockWalk) at(i int) time.Time { return time.Unix(w.start+int64(i)*60, 0).UTC() }

// readings finds the minutes of the walk whose clock reads each wall minute.
func (w clockWalk) readings() map[int64][]int {
	m := make(map[int64][]int, len(w.wall))
	for i, wall := range w.wall {
		m[wall] = append(m[wall], i)
	}
	return m
}

// firing says when the design fires a planned wall minute: at the first minute that reads it, or else at the minute to
// which the clock jumped over it.
func (w clockWalk) firing(readings map[int64][]int, planned int64) (time.Time, Shift) {
	switch is := readings[planned]; {
	case len(is) == 1:
		return w.at(is[0]), ""
	case len(is) > 1:
		return w.at(is[0]), Overlap
	}
	for i := 1; i < len(w.wall); i++ {
		if w.wall[i-1] < planned && planned < w.wall[i] {
			return w.at(i), Gap
		}
	}
	return time.Time{}, ""
}

// clockChanges finds the changes of a zone's offset by looking every six hours and halving.
func clockChanges(zone *time.Location, from, to time.Time) []int64 {
	offset := func(unix int64) int {
		_, o := time.Unix(unix, 0).In(zone).Zone()
		return o
	}
	var changes []int64
	const step = 6 * 3600
	for t := from.Unix(); t < to.Unix(); t += step {
		lo, hi := t, t+step
		if offset(lo) == offset(hi) {
			continue
		}
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; offset(mid) == offset(lo) {
				lo = mid
			} else {
				hi = mid
			}
		}
		changes = append(changes, hi)
	}
	return changes
}

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func mustParse(t testing.TB, expr string, zone *time.Location) Spec {
	t.Helper()
	spec, err := Parse(expr, zone)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestEveryClockChange visits every zone of the database and every change of its clock from 2026 to 2028.
func TestEveryClockChange(t *testing.T) {
	t.Parallel()
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)
	// How many changes these zones have at least, and how far their clocks move.
	known := map[string]struct {
		changes int
		by      time.Duration
	}{
		"Europe/Paris":        {6, time.Hour},
		"America/New_York":    {6, time.Hour},
		"Australia/Lord_Howe": {6, 30 * time.Minute},
		"Africa/Cairo":        {6, time.Hour},
		"Asia/Beirut":         {6, time.Hour},
		"Africa/Casablanca":   {6, time.Hour},
		"Antarctica/Troll":    {6, 2 * time.Hour},
		"Europe/Dublin":       {6, time.Hour},
	}
	total, zones := 0, 0
	for _, name := range ZoneNames() {
		zone := mustZone(t, name)
		changes := clockChanges(zone, from, to)
		if k, ok := known[name]; ok {
			if len(changes) < k.changes {
				t.Errorf("%s: found %d clock changes, want at least %d", name, len(changes), k.changes)
			}
			delete(known, name)
			for _, c := range changes {
				if by := (offsetAt(zone, c) - offsetAt(zone, c-1)).Abs(); by != k.by {
					t.Errorf("%s: the clock moves by %v at %v, want %v", name, by, time.Unix(c, 0).UTC(), k.by)
				}
			}
		}
		if len(changes) == 0 {
			continue
		}
		total, zones = total+len(changes), zones+1
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range changes {
				checkClockChange(t, zone, c)
			}
		})
	}
	if len(known) > 0 || zones < 200 || total < 1200 {
		t.Errorf("visited %d changes of %d zones, without %v: the zone list is not whole", total, zones, known)
	}
}

// TestClockChangesByRule visits changes that no table lists and only the rule at the end of the zone data gives, with the
// last day of a leap year among them.
func TestClockChangesByRule(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago", "Antarctica/Troll"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := mustZone(t, name)
			changes := clockChanges(zone, time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC))
			if len(changes) != 2 {
				t.Fatalf("found %d changes, want 2", len(changes))
			}
			for _, c := range append(changes, time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC).Unix()) {
				checkClockChange(t, zone, c)
			}
		})
	}
}

// TestPastClockChanges visits fifty years of zones that did unusual things: whole days left out, half hours, changes at
// one minute past midnight, double summer time.
func TestPastClockChanges(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Pacific/Apia", "Pacific/Kwajalein", "Pacific/Kiritimati", "Pacific/Enderbury", "America/St_Johns",
		"America/Caracas", "Asia/Pyongyang", "Asia/Kathmandu", "Asia/Gaza", "Antarctica/Casey", "Asia/Tehran", "America/Sao_Paulo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := mustZone(t, name)
			changes := clockChanges(zone, time.Date(1975, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			if len(changes) == 0 {
				t.Fatal("found no clock change")
			}
			for _, c := range changes {
				checkClockChange(t, zone, c)
			}
		})
	}
}

func offsetAt(zone *time.Location, unix int64) time.Duration {
	_, o := time.Unix(unix, 0).In(zone).Zone()
	return time.Duration(o) * time.Second
}

func checkClockChange(t *testing.T, zone *time.Location, change int64) {
	t.Helper()
	walk := walkClock(zone, change/60*60, 76*time.Hour)
	readings := walk.readings()
	days := make(map[int64]bool) // local days that exist
	for wall := range readings {
		days[wall/minutesPerDay] = true
	}
	before, after := wallMinute(zone, change-1), wallMinute(zone, change)

	// Once a day, at every quarter hour around the change: each local day has one firing, at the stated instant.
	const reach = 2 * minutesPerHour
	for m := (min(before, after) - reach) / 15 * 15; m <= max(before, after)+reach; m += 15 {
		inDay := m % minutesPerDay
		spec := mustParse(t, fmt.Sprintf("%d %d * * *", inDay%60, inDay/60), zone)
		first, last := min(before, after)/minutesPerDay-1, max(before, after)/minutesPerDay+1
		got := make(map[string][]Occurrence)
		for o := range spec.Between(walk.at(0), walk.at(len(walk.wall)-1)) {
			got[o.Key] = append(got[o.Key], o)
		}
		for day := first; day <= last; day++ {
			planned := day*minutesPerDay + inDay
			key := time.Unix(planned*60, 0).UTC().Format("2006-01-02T15:04")
			if !days[day] {
				if len(got[key]) != 0 {
					t.Fatalf("%s %s: a day that does not exist fires %v", zone, spec.Expression(), got[key])
				}
				continue
			}
			at, shift := walk.firing(readings, planned)
			if len(got[key]) != 1 || !got[key][0].At.Equal(at) || got[key][0].Shift != shift {
				t.Fatalf("%s %q, local day of %s: got %v, want one firing at %v (%q)", zone, spec.Expression(), key, got[key], at, shift)
			}
		}
	}

	// A daemon that starts in the middle of the change: what has fired does not fire again, and the rest still comes.
	for i := len(walk.wall)/2 - 4*60; i <= len(walk.wall)/2+4*60; i += 25 {
		from := walk.at(i).Add(time.Second)
		for _, hour := range []int64{before / 60 % 24, after / 60 % 24} {
			spec := mustParse(t, fmt.Sprintf("30 %d * * *", hour), zone)
			var want time.Time
			for day := walk.wall[0]/minutesPerDay + 1; ; day++ {
				planned := day*minutesPerDay + hour*60 + 30
				if !days[day] {
					continue
				}
				if want, _ = walk.firing(readings, planned); want.After(from) {
					break
				}
			}
			if o, ok := spec.Next(from); !ok || !o.At.Equal(want) {
				t.Fatalf("%s %q after %v: got %+v, want %v", zone, spec.Expression(), from.In(zone), o, want)
			}
			if n, m := spec.Count(from, want.Add(-1)), spec.Count(from, want); n != 0 || m != 1 {
				t.Fatalf("%s %q after %v: counted %d before and %d at the next", zone, spec.Expression(), from.In(zone), n, m)
			}
		}
	}

	// Several times a day: the firings are those of the planned times, one for each instant, with the first one's key.
	for _, several := range []struct {
		expr    string
		planned func(minute, hour int64) bool
	}{
		{"*/15 0-3,22,23 * * *", func(m, h int64) bool { return m%15 == 0 && (h <= 3 || h >= 22) }},
		{"10,50 */2 * * *", func(m, h int64) bool { return (m == 10 || m == 50) && h%2 == 0 }},
		{"0 0-22 * * *", func(m, h int64) bool { return m == 0 && h != 23 }},
	} {
		spec := mustParse(t, several.expr, zone)
		from, until := walk.at(60*60), walk.at(len(walk.wall)-60)
		var want []Occurrence
		for planned := walk.wall[0] + 1; planned < walk.wall[len(walk.wall)-1]; planned++ {
			if !several.planned(planned%60, planned/60%24) || !days[planned/minutesPerDay] {
				continue
			}
			at, shift := walk.firing(readings, planned)
			if !at.After(from) || at.After(until) || (len(want) > 0 && want[len(want)-1].At.Equal(at)) {
				continue
			}
			want = append(want, Occurrence{At: at, Key: time.Unix(planned*60, 0).UTC().Format("2006-01-02T15:04"), Shift: shift})
		}
		compare(t, spec, from, until, want)
	}

	// Every hour or finer: the real minutes whose clock matches.
	for _, finer := range []struct {
		expr  string
		fires func(wall int64) bool
	}{
		{"0 * * * *", func(wall int64) bool { return wall%60 == 0 }},
		{"*/20 * * * *", func(wall int64) bool { return wall%20 == 0 }},
		{"35 0-23 * * sun", func(wall int64) bool { return wall%60 == 35 && (wall/minutesPerDay+4)%7 == 0 }},
	} {
		spec := mustParse(t, finer.expr, zone)
		first, last := len(walk.wall)/2-6*60, len(walk.wall)/2+6*60
		var want []Occurrence
		for i := first + 1; i <= last; i++ {
			if finer.fires(walk.wall[i]) {
				want = append(want, Occurrence{At: walk.at(i), Key: walk.at(i).Format(time.RFC3339)})
			}
		}
		compare(t, spec, walk.at(first), walk.at(last), want)
	}
}

func wallMinute(zone *time.Location, unix int64) int64 {
	return (unix + int64(offsetAt(zone, unix)/time.Second)) / 60
}

// compare checks what Between yields, and that Count agrees with it.
func compare(t *testing.T, spec Spec, from, until time.Time, want []Occurrence) {
	t.Helper()
	i := 0
	for got := range spec.Between(from, until) {
		if i >= len(want) {
			t.Fatalf("%v fires too often, at %v", spec, got.At)
		}
		if w := want[i]; !got.At.Equal(w.At) || got.Key != w.Key || got.Shift != w.Shift || !got.Local.Equal(got.At) || got.Local.Location() != spec.Zone() {
			t.Fatalf("%v: got %+v, want %+v", spec, got, w)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%v fires %d times, want %d, the next at %v", spec, i, len(want), want[i].At)
	}
	if n := spec.Count(from, until); n != len(want) {
		t.Fatalf("%v counts %d from %v to %v, want %d", spec, n, from, until, len(want))
	}
}

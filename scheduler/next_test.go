package scheduler

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// lines writes occurrences for comparison: instant, key and shift.
func lines(s Spec, after time.Time, n int) []string {
	var found []string
	for o := range s.Between(after, after.AddDate(60, 0, 0)) {
		found = append(found, strings.TrimSpace(o.Local.Format(time.RFC3339)+" "+o.Key+" "+string(o.Shift)))
		if len(found) == n {
			break
		}
	}
	return found
}

func TestNext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, expr, after string
		want              []string
	}{
		{"Paris skips 02:30", "CRON_TZ=Europe/Paris 30 2 * * *", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T03:00:00+02:00 2026-03-29T02:30 gap",
			"2026-03-30T02:30:00+02:00 2026-03-30T02:30",
		}},
		{"Paris repeats 02:30", "CRON_TZ=Europe/Paris 30 2 * * *", "2026-10-24T12:00:00Z", []string{
			"2026-10-25T02:30:00+02:00 2026-10-25T02:30 overlap",
			"2026-10-26T02:30:00+01:00 2026-10-26T02:30",
		}},
		{"New York skips 02:30", "CRON_TZ=America/New_York 30 2 * * *", "2026-03-07T12:00:00Z", []string{
			"2026-03-08T03:00:00-04:00 2026-03-08T02:30 gap",
			"2026-03-09T02:30:00-04:00 2026-03-09T02:30",
		}},
		{"New York repeats 01:30", "CRON_TZ=America/New_York 30 1 * * *", "2026-10-31T12:00:00Z", []string{
			"2026-11-01T01:30:00-04:00 2026-11-01T01:30 overlap",
			"2026-11-02T01:30:00-05:00 2026-11-02T01:30",
		}},
		{"Dublin, whose winter is the exception", "CRON_TZ=Europe/Dublin 30 1 * * *", "2026-10-24T12:00:00Z", []string{
			"2026-10-25T01:30:00+01:00 2026-10-25T01:30 overlap",
			"2026-10-26T01:30:00Z 2026-10-26T01:30",
		}},
		{"Cairo skips midnight", "CRON_TZ=Africa/Cairo 0 0 * * *", "2026-04-23T12:00:00Z", []string{
			"2026-04-24T01:00:00+03:00 2026-04-24T00:00 gap",
			"2026-04-25T00:00:00+03:00 2026-04-25T00:00",
		}},
		{"Cairo repeats the hour before midnight", "CRON_TZ=Africa/Cairo 0 0,23 * * *", "2026-10-29T12:00:00Z", []string{
			"2026-10-29T23:00:00+03:00 2026-10-29T23:00 overlap",
			"2026-10-30T00:00:00+02:00 2026-10-30T00:00",
		}},
		{"Beirut skips midnight", "CRON_TZ=Asia/Beirut @daily", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T01:00:00+03:00 2026-03-29T00:00 gap",
			"2026-03-30T00:00:00+03:00 2026-03-30T00:00",
		}},
		{"Casablanca before Ramadan repeats 02:15", "CRON_TZ=Africa/Casablanca 15 2 * * *", "2026-02-14T12:00:00Z", []string{
			"2026-02-15T02:15:00+01:00 2026-02-15T02:15 overlap",
			"2026-02-16T02:15:00Z 2026-02-16T02:15",
		}},
		{"Lord Howe skips half an hour", "CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03T00:00:00Z", []string{
			"2026-10-04T02:30:00+11:00 2026-10-04T02:15 gap",
			"2026-10-05T02:15:00+11:00 2026-10-05T02:15",
		}},
		{"Troll skips two hours", "CRON_TZ=Antarctica/Troll 30 1,2 * * *", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T03:00:00+02:00 2026-03-29T01:30 gap",
			"2026-03-30T01:30:00+02:00 2026-03-30T01:30",
		}},
		{"four skipped times are one", "CRON_TZ=Europe/Paris */15 2 * * *", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T03:00:00+02:00 2026-03-29T02:00 gap",
			"2026-03-30T02:00:00+02:00 2026-03-30T02:00",
		}},
		{"skipped times join the planned one", "CRON_TZ=Europe/Paris 0 2,3 * * *", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T03:00:00+02:00 2026-03-29T02:00 gap",
			"2026-03-30T02:00:00+02:00 2026-03-30T02:00",
		}},
		{"a planned time at the end of a gap is no skipped one", "CRON_TZ=Europe/Paris 0 3 * * *", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T03:00:00+02:00 2026-03-29T03:00",
		}},
		{"the repeated hour ends where it began", "CRON_TZ=Europe/Paris 0 2,3 * * *", "2026-10-24T12:00:00Z", []string{
			"2026-10-25T02:00:00+02:00 2026-10-25T02:00 overlap",
			"2026-10-25T03:00:00+01:00 2026-10-25T03:00",
		}},
		{"every hour passes the gap", "CRON_TZ=Europe/Paris @hourly", "2026-03-29T00:30:00Z", []string{
			"2026-03-29T03:00:00+02:00 2026-03-29T01:00:00Z",
			"2026-03-29T04:00:00+02:00 2026-03-29T02:00:00Z",
		}},
		{"every hour fires in both", "CRON_TZ=Europe/Paris @hourly", "2026-10-24T23:30:00Z", []string{
			"2026-10-25T02:00:00+02:00 2026-10-25T00:00:00Z",
			"2026-10-25T02:00:00+01:00 2026-10-25T01:00:00Z",
			"2026-10-25T03:00:00+01:00 2026-10-25T02:00:00Z",
		}},
		{"a gap over midnight keeps its day", "CRON_TZ=America/Toronto 45 23 30 3 *", "1919-03-30T00:00:00Z", []string{
			"1919-03-31T00:30:00-04:00 1919-03-30T23:45 gap",
			"1920-03-30T23:45:00-05:00 1920-03-30T23:45",
		}},
		{"Apia had no 30 December 2011", "CRON_TZ=Pacific/Apia 0 9 * * *", "2011-12-29T00:00:00Z", []string{
			"2011-12-29T09:00:00-10:00 2011-12-29T09:00",
			"2011-12-31T09:00:00+14:00 2011-12-31T09:00",
		}},
		{"Apia had no such day in that year", "CRON_TZ=Pacific/Apia 0 9 30 12 *", "2010-12-31T12:00:00Z", []string{
			"2012-12-30T09:00:00+14:00 2012-12-30T09:00",
		}},
		{"the midnight after a day left out", "CRON_TZ=Pacific/Apia 0 0 * * *", "2011-12-29T12:00:00Z", []string{
			"2011-12-31T00:00:00+14:00 2011-12-31T00:00",
			"2012-01-01T00:00:00+14:00 2012-01-01T00:00",
		}},
		{"Kwajalein had no 21 August 1993", "CRON_TZ=Pacific/Kwajalein 0 9 20-22 8 *", "1993-08-20T12:00:00Z", []string{
			"1993-08-20T09:00:00-12:00 1993-08-20T09:00",
			"1993-08-22T09:00:00+12:00 1993-08-22T09:00",
		}},
		{"a day that came twice", "CRON_TZ=America/Juneau 0 12 17-19 10 *", "1867-10-16T12:00:00Z", []string{
			"1867-10-17T12:00:00+15:02 1867-10-17T12:00",
			"1867-10-18T12:00:00+15:02 1867-10-18T12:00",
			"1867-10-19T12:00:00+15:02 1867-10-19T12:00 overlap",
			"1868-10-17T12:00:00-08:57 1868-10-17T12:00",
		}},
		{"an offset with seconds", "CRON_TZ=Africa/Monrovia 0 * * * *", "1972-01-06T22:50:00Z", []string{
			"1972-01-06T23:00:00-00:44 1972-01-06T23:44:30Z",
			"1972-01-07T01:00:00Z 1972-01-07T01:00:00Z",
		}},
		{"29 February over 2100", "CRON_TZ=UTC 0 0 29 2 *", "2096-03-01T00:00:00Z", []string{
			"2104-02-29T00:00:00Z 2104-02-29T00:00",
			"2108-02-29T00:00:00Z 2108-02-29T00:00",
		}},
		{"every hour of 29 February over 2100", "CRON_TZ=Europe/Paris 30 * 29 2 *", "2096-03-01T00:00:00Z", []string{
			"2104-02-29T00:30:00+01:00 2104-02-28T23:30:00Z",
		}},
		{"either day matches", "CRON_TZ=UTC 0 9 13 * fri", "2026-11-02T00:00:00Z", []string{
			"2026-11-06T09:00:00Z 2026-11-06T09:00",
			"2026-11-13T09:00:00Z 2026-11-13T09:00",
			"2026-11-20T09:00:00Z 2026-11-20T09:00",
			"2026-11-27T09:00:00Z 2026-11-27T09:00",
			"2026-12-04T09:00:00Z 2026-12-04T09:00",
			"2026-12-11T09:00:00Z 2026-12-11T09:00",
			"2026-12-13T09:00:00Z 2026-12-13T09:00",
		}},
		{"*/2 restricts, so either day matches", "CRON_TZ=UTC 0 9 */20 * sat", "2026-11-19T00:00:00Z", []string{
			"2026-11-21T09:00:00Z 2026-11-21T09:00",
			"2026-11-28T09:00:00Z 2026-11-28T09:00",
			"2026-12-01T09:00:00Z 2026-12-01T09:00",
		}},
		{"an interval counts from 1970", "CRON_TZ=Europe/Paris @every 7h", "1970-01-01T00:00:00Z", []string{
			"1970-01-01T08:00:00+01:00 1970-01-01T07:00:00Z",
			"1970-01-01T15:00:00+01:00 1970-01-01T14:00:00Z",
		}},
		{"an interval before 1970", "CRON_TZ=UTC @every 7h", "1969-12-31T16:59:59Z", []string{
			"1969-12-31T17:00:00Z 1969-12-31T17:00:00Z",
			"1970-01-01T00:00:00Z 1970-01-01T00:00:00Z",
		}},
		{"strictly after", "CRON_TZ=UTC 0 9 * * *", "2026-01-01T09:00:00Z", []string{"2026-01-02T09:00:00Z 2026-01-02T09:00"}},
		{"a fraction of a second before", "CRON_TZ=UTC 0 9 * * *", "2026-01-01T08:59:59.999999999Z", []string{"2026-01-01T09:00:00Z 2026-01-01T09:00"}},
		{"a fraction of a second after", "CRON_TZ=UTC 0 9 * * *", "2026-01-01T09:00:00.000000001Z", []string{"2026-01-02T09:00:00Z 2026-01-02T09:00"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			spec := mustParse(t, test.expr, time.UTC)
			if got := lines(spec, instant(t, test.after), len(test.want)); !cmp.Equal(got, test.want) {
				t.Errorf("%s after %s: %s", test.expr, test.after, cmp.Diff(test.want, got))
			}
		})
	}
}

func TestSpecAtTheEnds(t *testing.T) {
	t.Parallel()
	far := time.Unix(1<<62, 0)
	for _, expr := range []string{"0 9 * * *", "@hourly", "@every 1h"} {
		spec := mustParse(t, expr, mustZone(t, "Europe/Paris"))
		for _, after := range []time.Time{far, time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)} {
			if o, ok := spec.Next(after); ok {
				t.Errorf("%s fires at %v after the year 9999", expr, o.At)
			}
		}
		if o, ok := spec.Next(time.Time{}); !ok || o.At.Year() != 1 {
			t.Errorf("%s fires first at %v, want year 1", expr, o.At)
		}
		if o, ok := spec.Next(time.Unix(-1<<62, 0)); !ok || o.At.Year() != 1 {
			t.Errorf("%s fires first at %v, want year 1", expr, o.At)
		}
		if n := spec.Count(far, time.Unix(0, 0)); n != 0 {
			t.Errorf("%s counts %d backwards, want none", expr, n)
		}
	}
	var zero Spec
	if o, ok := zero.Next(time.Unix(0, 0)); ok || zero.Count(time.Unix(0, 0), far) != 0 {
		t.Errorf("the zero Spec fires at %v", o.At)
	}
	if zero.String() != "" || zero.Zone() != time.UTC || zero.Kind() != "" {
		t.Errorf("the zero Spec is %q in %v, of kind %q", zero, zero.Zone(), zero.Kind())
	}
}

// drawnSpec is a random schedule together with the sets that it was written from.
type drawnSpec struct {
	expr                          string
	minute, hour, dom, month, dow uint64
	domStar, dowStar              bool
}

func (d drawnSpec) plans(wallMinute int64) bool {
	at := time.Unix(wallMinute*60, 0).UTC()
	dom, dow := d.dom&(1<<uint(at.Day())) != 0, d.dow&(1<<uint(at.Weekday())) != 0
	day := dom || dow
	if d.domStar || d.dowStar {
		day = dom && dow
	}
	return day && d.month&(1<<uint(at.Month())) != 0 && d.hour&(1<<uint(at.Hour())) != 0 && d.minute&(1<<uint(at.Minute())) != 0
}

func drawSpec(t *rapid.T) drawnSpec {
	field := func(name string, low, high int, dense int) (string, uint64, bool) {
		all := uint64(1)<<(high+1) - 1<<low
		if rapid.IntRange(0, dense).Draw(t, name+" restricted") == 0 {
			return "*", all, true
		}
		set := rapid.Uint64().Draw(t, name) & all
		if rapid.Bool().Draw(t, name+" sparse") {
			for range 2 {
				set &= rapid.Uint64().Draw(t, name+" mask")
			}
		}
		if set == 0 {
			set = 1 << uint(rapid.IntRange(low, high).Draw(t, name+" value"))
		}
		var values []string
		for v := set; v != 0; v &= v - 1 {
			values = append(values, strconv.Itoa(bits.TrailingZeros64(v)))
		}
		return strings.Join(values, ","), set, false
	}
	var d drawnSpec
	var minute, hour, dom, month, dow string
	minute, d.minute, _ = field("minute", 0, 59, 3)
	hour, d.hour, _ = field("hour", 0, 23, 2)
	dom, d.dom, d.domStar = field("day of month", 1, 31, 1)
	month, d.month, _ = field("month", 1, 12, 1)
	dow, d.dow, d.dowStar = field("day of week", 0, 6, 1)
	d.expr = strings.Join([]string{minute, hour, dom, month, dow}, " ")
	return d
}

// TestNextProperty compares random schedules in random zones, near clock changes and elsewhere, with a walk over the
// minutes.
func TestNextProperty(t *testing.T) {
	t.Parallel()
	names := ZoneNames()
	rapid.Check(t, func(t *rapid.T) {
		d := drawSpec(t)
		zone, err := LoadZone(rapid.SampledFrom(names).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		spec, err := Parse(d.expr, zone)
		if err != nil {
			t.Skip("never fires")
		}
		around := time.Date(1975, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 85*365*24*60).Draw(t, "minute")) * time.Minute)
		if changes := clockChanges(zone, around, around.AddDate(0, 7, 0)); len(changes) > 0 {
			around = time.Unix(changes[0]/60*60, 0)
		}
		walk := walkClock(zone, around.Unix(), 72*time.Hour)
		from, until := 60*60, len(walk.wall)-60*60
		var want []Occurrence
		if spec.Kind() == RealTime {
			for i := from + 1; i <= until; i++ {
				if d.plans(walk.wall[i]) {
					want = append(want, Occurrence{At: walk.at(i)})
				}
			}
		} else {
			readings := walk.readings()
			exists := make(map[int64]bool)
			for wall := range readings {
				exists[wall/minutesPerDay] = true
			}
			for planned := walk.wall[0] + 1; planned < walk.wall[len(walk.wall)-1]; planned++ {
				if !d.plans(planned) || !exists[planned/minutesPerDay] {
					continue
				}
				at, shift := walk.firing(readings, planned)
				if !at.After(walk.at(from)) || at.After(walk.at(until)) || (len(want) > 0 && want[len(want)-1].At.Equal(at)) {
					continue
				}
				want = append(want, Occurrence{At: at, Shift: shift})
			}
		}
		i := 0
		for o := range spec.Between(walk.at(from), walk.at(until)) {
			if i >= len(want) || !o.At.Equal(want[i].At) || o.Shift != want[i].Shift {
				t.Fatalf("%v: occurrence %d is %+v, want %+v", spec, i, o, want[min(i, len(want)-1):])
			}
			i++
		}
		if i != len(want) || spec.Count(walk.at(from), walk.at(until)) != i {
			t.Fatalf("%v: %d occurrences, counted %d, want %d", spec, i, spec.Count(walk.at(from), walk.at(until)), len(want))
		}
	})
}

// TestCountProperty checks over years that Count agrees with Between, and that keys are unique and instants rise.
func TestCountProperty(t *testing.T) {
	t.Parallel()
	names := ZoneNames()
	rapid.Check(t, func(t *rapid.T) {
		d := drawSpec(t)
		zone, err := LoadZone(rapid.SampledFrom(names).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		expr := d.expr
		if rapid.IntRange(0, 9).Draw(t, "interval") == 0 {
			expr = fmt.Sprintf("@every %ds", rapid.IntRange(600, 1_000_000).Draw(t, "seconds"))
		}
		spec, err := Parse(expr, zone)
		if err != nil {
			t.Skip("never fires")
		}
		after := time.Unix(rapid.Int64Range(-5_000_000_000, 5_000_000_000).Draw(t, "after"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		until := after.Add(time.Duration(rapid.Int64Range(0, int64(3*365*24*time.Hour)).Draw(t, "span")))
		n := spec.Count(after, until)
		if n > 20_000 {
			t.Skip("too many to visit")
		}
		seen, last, visited := make(map[string]bool, n), after, 0
		for o := range spec.Between(after, until) {
			if seen[o.Key] || !o.At.After(last) || o.At.After(until) {
				t.Fatalf("%v: %+v after %v", spec, o, last)
			}
			seen[o.Key], last = true, o.At
			visited++
		}
		if visited != n {
			t.Fatalf("%v from %v to %v: counted %d, visited %d", spec, after, until, n, visited)
		}
	})
}

func TestParseLocal(t *testing.T) {
	t.Parallel()
	paris := mustZone(t, "Europe/Paris")
	tests := []struct{ text, want string }{
		{"2027-04-10 18:30", "2027-04-10T16:30:00Z"},
		{" 2027-04-10T18:30 ", "2027-04-10T16:30:00Z"},
		{"2027-01-10 18:30:15", "2027-01-10T17:30:15Z"},
		{"2026-03-29 02:30", "2026-03-29T01:00:00Z"},
		{"2026-10-25 02:30", "2026-10-25T00:30:00Z"},
	}
	for _, test := range tests {
		got, err := ParseLocal(test.text, paris)
		if err != nil || !got.Equal(instant(t, test.want)) {
			t.Errorf("%q is %v (%v), want %s", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"", "2027-02-30 10:00", "10:00", "2027-04-10", "2027-04-10 24:00", "2027-04-10T10:00:00Z"} {
		want := fmt.Sprintf("%q is no date with a time; write it like 2027-04-10 18:30", text)
		if got, err := ParseLocal(text, paris); err == nil || err.Error() != want {
			t.Errorf("%q is %v (%v), want %s", text, got, err, want)
		}
	}
	if _, err := ParseLocal("2027-04-10 18:30", nil); err == nil || err.Error() != `time "2027-04-10 18:30" has no zone; name one, such as Europe/Paris` {
		t.Errorf("without a zone: %v", err)
	}
}

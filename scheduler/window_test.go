package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	sun = Days(1 << time.Sunday)
	mon = Days(1 << time.Monday)
	wed = Days(1 << time.Wednesday)
	fri = Days(1 << time.Friday)
	sat = Days(1 << time.Saturday)
)

func TestParseHoursAccepts(t *testing.T) {
	t.Parallel()
	weekdays := everyDay &^ (sat | sun)
	tests := []struct {
		text    string
		want    []Hours
		written string
	}{
		{"08:00-22:00", []Hours{{From: 480, To: 1320}}, "08:00-22:00"},
		{"8:00 - 22:30", []Hours{{From: 480, To: 1350}}, "08:00-22:30"},
		{"22:00-06:30", []Hours{{From: 1320, To: 390}}, "22:00-06:30"},
		{"00:00-24:00", []Hours{{From: 0, To: 1440}}, "00:00-24:00"},
		{"22:00-00:00", []Hours{{From: 1320, To: 0}}, "22:00-00:00"},
		{"mon-fri 07:00-23:00", []Hours{{Days: weekdays, From: 420, To: 1380}}, "mon-fri 07:00-23:00"},
		{"FRI-Mon 07:00-23:00", []Hours{{Days: fri | sat | sun | mon, From: 420, To: 1380}}, "fri-mon 07:00-23:00"},
		{"mon,wed 07:00-09:00", []Hours{{Days: mon | wed, From: 420, To: 540}}, "mon,wed 07:00-09:00"},
		{"sat,sun 07:00-09:00", []Hours{{Days: sat | sun, From: 420, To: 540}}, "sat,sun 07:00-09:00"},
		{"fri, sun-mon, wed 07:00-09:00", []Hours{{Days: fri | sun | mon | wed, From: 420, To: 540}}, "wed,fri,sun,mon 07:00-09:00"},
		{"mon-sun 07:00-09:00", []Hours{{Days: everyDay, From: 420, To: 540}}, "mon-sun 07:00-09:00"},
		{"mon-fri 07:00-12:00, mon-fri 14:00-18:00, sat 09:00-12:00",
			[]Hours{{Days: weekdays, From: 420, To: 720}, {Days: weekdays, From: 840, To: 1080}, {Days: sat, From: 540, To: 720}},
			"mon-fri 07:00-12:00, mon-fri 14:00-18:00, sat 09:00-12:00"},
		{"07:00-12:00,14:00-18:00", []Hours{{From: 420, To: 720}, {From: 840, To: 1080}}, "07:00-12:00, 14:00-18:00"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := ParseHours(test.text)
			if err != nil {
				t.Fatal(err)
			}
			want := make(Windows, len(test.want))
			for i, h := range test.want {
				want[i].Hours = h
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if got.String() != test.written {
				t.Errorf("written as %q, want %q", got, test.written)
			}
			if again, err := ParseHours(got.String()); err != nil || !cmp.Equal(again, got) {
				t.Errorf("%q, read again, is %v (%v)", got, again, err)
			}
		})
	}
}

func TestParseHoursRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"", `hours "": the hours are empty; write them like mon-fri 07:00-23:00`},
		{"always", `hours "always", column 1: "always" is no day; days are mon, tue, wed, thu, fri, sat and sun`},
		{"mon-fri", `hours "mon-fri", column 1: the days have no hours; write hours after them, such as mon-fri 07:00-23:00`},
		{"07:00-09:00, sat", `hours "07:00-09:00, sat", column 14: the days have no hours; write hours after them, such as mon-fri 07:00-23:00`},
		{"monday 07:00-23:00", `hours "monday 07:00-23:00", column 1: "monday" is no day; write mon`},
		{"mon-tue-wed 07:00-23:00", `hours "mon-tue-wed 07:00-23:00", column 9: "mon-tue-wed" has more than one hyphen; write a range of days like mon-fri`},
		{"mon fri 07:00-23:00", `hours "mon fri 07:00-23:00", column 5: "fri" stands where hours are expected; write them like mon-fri 07:00-23:00`},
		{"7-23", `hours "7-23", column 1: "7" is no time; write hours and minutes, such as 07:00`},
		{"07:00-7", `hours "07:00-7", column 7: "7" is no time; write hours and minutes, such as 07:00`},
		{"mon  07:00 -  7:5", `hours "mon  07:00 -  7:5", column 15: "7:5" is no time; write hours and minutes, such as 07:00`},
		{"07:00-7:5", `hours "07:00-7:5", column 7: "7:5" is no time; write hours and minutes, such as 07:00`},
		{"07:00", `hours "07:00", column 1: "07:00" is no pair of times; write them like 07:00-23:00`},
		{"07:00–23:00", `hours "07:00–23:00", column 1: "07:00–23:00" is no pair of times; write them like 07:00-23:00`},
		{"07:00-12:00-14:00", `hours "07:00-12:00-14:00", column 1: "07:00-12:00-14:00" is no pair of times; write them like 07:00-23:00`},
		{"07:00-25:00", `hours "07:00-25:00", column 7: 25:00 is no time of a day; times run from 00:00 to 23:59, and 24:00 ends a day`},
		{"07:60-08:00", `hours "07:60-08:00", column 1: 07:60 is no time of a day; times run from 00:00 to 23:59, and 24:00 ends a day`},
		{"07:00-24:30", `hours "07:00-24:30", column 7: 24:30 is no time of a day; times run from 00:00 to 23:59, and 24:00 ends a day`},
		{"24:00-06:00", `hours "24:00-06:00", column 1: 24:00 is an end only; write 00:00 to begin at midnight`},
		{"07:00-07:00", `hours "07:00-07:00", column 1: the hours end when they begin; write 00:00-24:00 for the whole day`},
		{"07:00-09:00,,10:00-11:00", `hours "07:00-09:00,,10:00-11:00", column 13: there is nothing between two commas; write hours with one comma between them`},
		{"mon 07:00-12:00, 14:00-18:00", `hours "mon 07:00-12:00, 14:00-18:00", column 18: these hours have no days, and those before them have; write the days of each, or mon-sun`},
		{"07:00-12:00, mon 14:00-18:00", `hours "07:00-12:00, mon 14:00-18:00", column 14: these hours have days, and those before them have none; write the days of each, or mon-sun`},
		{"07:00-09:00 mon", `hours "07:00-09:00 mon", column 7: "09:00 mon" is no time; write hours and minutes, such as 07:00`},
		{strings.Repeat("07:00-09:00,", 40), `hours "` + strings.Repeat("07:00-09:00,", 40)[:80] + `…": the text is 480 bytes long; 400 are allowed`},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			ws, err := ParseHours(test.text)
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Fatalf("%q was accepted as %v (%v)", test.text, ws, err)
			}
			if got := err.Error(); got != test.want {
				t.Errorf("the sentence is\n  %s\nwant\n  %s", got, test.want)
			}
		})
	}
}

func mustHours(t testing.TB, text string, zone *time.Location) Windows {
	t.Helper()
	ws, err := ParseHours(text)
	if err != nil {
		t.Fatal(err)
	}
	return ws.In(zone)
}

func TestWindowsEnd(t *testing.T) {
	t.Parallel()
	paris := mustZone(t, "Europe/Paris")
	span := func(from, to string) Window {
		var w Window
		if from != "" {
			w.From = instant(t, from)
		}
		if to != "" {
			w.To = instant(t, to)
		}
		return w
	}
	hours := func(text string) Windows { return mustHours(t, text, paris) }
	summer := hours("22:00-06:00")
	summer[0].From, summer[0].To = instant(t, "2026-06-01T00:00:00Z"), instant(t, "2026-06-03T00:00:00Z")
	tests := []struct {
		name    string
		windows Windows
		at      string
		covers  bool
		end     string // "" for never
	}{
		{"no window", nil, "2026-06-01T12:00:00Z", false, "2026-06-01T12:00:00Z"},
		{"the zero window", Windows{{}}, "2026-06-01T12:00:00Z", false, "2026-06-01T12:00:00Z"},
		{"before a span", Windows{span("2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z")}, "2026-06-01T11:59:59.9Z", false, "2026-06-01T11:59:59.9Z"},
		{"the start belongs to a span", Windows{span("2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z")}, "2026-06-01T12:00:00Z", true, "2026-06-01T13:00:00Z"},
		{"the end does not", Windows{span("2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z")}, "2026-06-01T13:00:00Z", false, "2026-06-01T13:00:00Z"},
		{"a span that runs backwards", Windows{span("2026-06-01T13:00:00Z", "2026-06-01T12:00:00Z")}, "2026-06-01T12:30:00Z", false, "2026-06-01T12:30:00Z"},
		{"an open end", Windows{span("2026-06-01T12:00:00Z", "")}, "2026-06-01T12:30:00Z", true, ""},
		{"an open beginning", Windows{span("", "2026-06-01T13:00:00Z")}, "1990-06-01T12:30:00Z", true, "2026-06-01T13:00:00Z"},
		{"adjoining spans", Windows{span("2026-06-01T13:00:00Z", "2026-06-01T14:00:00Z"), span("2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z")},
			"2026-06-01T12:30:00Z", true, "2026-06-01T14:00:00Z"},
		{"a span of ten years and a night", append(Windows{span("2020-01-01T00:00:00Z", "2030-01-01T23:00:00Z")}, hours("22:00-06:30")...),
			"2021-01-01T00:00:00Z", true, "2030-01-02T05:30:00Z"},

		{"hours start on the wall clock", hours("08:00-22:00"), "2026-06-01T06:00:00Z", true, "2026-06-01T20:00:00Z"},
		{"hours end on the wall clock", hours("08:00-22:00"), "2026-06-01T20:00:00Z", false, "2026-06-01T20:00:00Z"},
		{"over midnight, in the evening", hours("22:00-06:30"), "2026-06-01T21:00:00Z", true, "2026-06-02T04:30:00Z"},
		{"over midnight, in the morning", hours("22:00-06:30"), "2026-06-02T03:00:00Z", true, "2026-06-02T04:30:00Z"},
		{"the night of Friday goes into Saturday", hours("fri 22:00-06:30"), "2026-06-06T03:00:00Z", true, "2026-06-06T04:30:00Z"},
		{"the morning of Friday is Thursday's night", hours("fri 22:00-06:30"), "2026-06-05T03:00:00Z", false, "2026-06-05T03:00:00Z"},
		{"hours up to midnight adjoin those from it", hours("sat 22:00-24:00, sun 00:00-08:00"), "2026-06-06T21:00:00Z", true, "2026-06-07T06:00:00Z"},
		{"a whole weekend", hours("sat-sun 00:00-24:00"), "2026-06-06T12:00:00Z", true, "2026-06-07T22:00:00Z"},
		{"always", hours("00:00-24:00"), "2026-06-06T12:00:00Z", true, ""},
		{"always, in pieces", hours("00:00-08:00, 08:00-20:00, 20:00-00:00"), "2026-06-06T12:00:00Z", true, ""},
		{"all but a minute a week", hours("mon-sat 00:00-24:00, sun 00:00-02:29, sun 02:30-24:00"), "2026-06-06T12:00:00Z", true, "2026-06-07T00:29:00Z"},
		{"the minute is in the gap", hours("mon-sat 00:00-24:00, sun 00:00-02:29, sun 02:30-24:00"), "2026-03-28T12:00:00Z", true, "2026-04-05T00:29:00Z"},
		{"hours in a span", summer, "2026-06-01T21:00:00Z", true, "2026-06-02T04:00:00Z"},
		{"hours cut off by the span", summer, "2026-06-02T21:00:00Z", true, "2026-06-03T00:00:00Z"},
		{"hours outside the span", summer, "2026-06-05T21:00:00Z", false, "2026-06-05T21:00:00Z"},

		{"an end in the gap", hours("22:00-02:30"), "2026-03-28T22:00:00Z", true, "2026-03-29T01:00:00Z"},
		{"a beginning in the gap", hours("02:30-06:00"), "2026-03-29T01:00:00Z", true, "2026-03-29T04:00:00Z"},
		{"all of it in the gap", hours("02:15-02:45"), "2026-03-29T01:00:00Z", false, "2026-03-29T01:00:00Z"},
		{"an end that comes twice, the first time", hours("22:00-02:30"), "2026-10-24T22:00:00Z", true, "2026-10-25T00:30:00Z"},
		{"an end that comes twice, between", hours("22:00-02:30"), "2026-10-25T00:45:00Z", false, "2026-10-25T00:45:00Z"},
		{"an end that comes twice, the second time", hours("22:00-02:30"), "2026-10-25T01:15:00Z", true, "2026-10-25T01:30:00Z"},
		{"all of it twice", hours("02:15-02:45"), "2026-10-25T01:20:00Z", true, "2026-10-25T01:45:00Z"},
		{"over the repeated hour", hours("22:00-06:00"), "2026-10-24T22:00:00Z", true, "2026-10-25T05:00:00Z"},
		{"another zone", mustHours(t, "22:00-06:00", mustZone(t, "Asia/Tokyo")), "2026-06-01T13:00:00Z", true, "2026-06-01T21:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at := instant(t, test.at)
			var end time.Time
			if test.end != "" {
				end = instant(t, test.end)
			}
			if got := test.windows.Covers(at); got != test.covers {
				t.Errorf("Covers is %v, want %v", got, test.covers)
			}
			if got := test.windows.End(at); !got.Equal(end) {
				t.Errorf("End is %v, want %v", got, end)
			}
		})
	}
}

func TestWindowsStart(t *testing.T) {
	t.Parallel()
	paris := mustZone(t, "Europe/Paris")
	summer := mustHours(t, "22:00-06:00", paris)
	summer[0].From, summer[0].To = instant(t, "2026-06-01T02:00:00Z"), instant(t, "2026-06-01T12:00:00Z")
	over := mustHours(t, "22:00-23:00", paris)
	over[0].From, over[0].To = instant(t, "2026-06-01T02:00:00Z"), instant(t, "2026-06-01T12:00:00Z")
	tests := []struct {
		name    string
		windows Windows
		at      string
		want    string // "" for never
	}{
		{"no window", nil, "2026-06-01T12:00:00Z", ""},
		{"the zero window", Windows{{}}, "2026-06-01T12:00:00Z", ""},
		{"hours with days and no length", Windows{{Hours: Hours{Days: mon}}}, "2026-06-01T12:00:00Z", ""},
		{"covered already", mustHours(t, "08:00-22:00", paris), "2026-06-01T12:00:00.5Z", "2026-06-01T12:00:00.5Z"},
		{"this evening", mustHours(t, "22:00-06:00", paris), "2026-06-01T12:00:00Z", "2026-06-01T20:00:00Z"},
		{"the earlier of two", mustHours(t, "22:00-06:00, 20:00-21:00", paris), "2026-06-01T12:00:00Z", "2026-06-01T18:00:00Z"},
		{"next Monday", mustHours(t, "mon 08:00-22:00", paris), "2026-06-01T21:00:00Z", "2026-06-08T06:00:00Z"},
		{"a beginning in the gap", mustHours(t, "02:30-06:00", paris), "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"all of it in the gap", mustHours(t, "02:15-02:45", paris), "2026-03-29T00:50:00Z", "2026-03-30T00:15:00Z"},
		{"the second time", mustHours(t, "02:15-02:45", paris), "2026-10-25T00:50:00Z", "2026-10-25T01:15:00Z"},
		{"a span to come", Windows{{From: instant(t, "2026-07-01T00:00:00Z")}}, "2026-06-01T12:00:00Z", "2026-07-01T00:00:00Z"},
		{"a span that is over", Windows{{To: instant(t, "2026-05-01T00:00:00Z")}}, "2026-06-01T12:00:00Z", ""},
		{"hours in a span to come", summer, "2026-05-01T00:00:00Z", "2026-06-01T02:00:00Z"},
		{"hours that begin after the span", over, "2026-05-01T00:00:00Z", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ok := test.windows.Start(instant(t, test.at))
			if ok != (test.want != "") || (ok && !got.Equal(instant(t, test.want))) {
				t.Errorf("Start is %v, %v, want %q", got, ok, test.want)
			}
		})
	}
}

func TestWindowString(t *testing.T) {
	t.Parallel()
	from, to := instant(t, "2026-06-01T00:00:00Z"), instant(t, "2026-06-02T00:00:00Z")
	nights := Hours{Days: fri | sat, From: 1320, To: 390}
	for want, w := range map[string]Window{
		"": {},
		"from 2026-06-01T00:00:00Z until 2026-06-02T00:00:00Z":                     {From: from, To: to},
		"from 2026-06-01T00:00:00Z":                                                {From: from},
		"fri,sat 22:00-06:30 from 2026-06-01T00:00:00Z until 2026-06-02T00:00:00Z": {From: from, To: to, Hours: nights},
	} {
		if got := w.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestWindowsProperty compares Covers, End and Start with a walk over the minutes around clock changes, and checks that
// hours and the hours between them divide the day.
func TestWindowsProperty(t *testing.T) {
	t.Parallel()
	names := ZoneNames()
	rapid.Check(t, func(t *rapid.T) {
		zone, err := LoadZone(rapid.SampledFrom(names).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		around := time.Date(1975, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 80*365).Draw(t, "day"))
		if changes := clockChanges(zone, around, around.AddDate(0, 7, 0)); len(changes) > 0 {
			around = time.Unix(changes[0]/60*60, 0)
		}
		var windows Windows
		for i := range rapid.IntRange(1, 3).Draw(t, "windows") {
			windows = append(windows, Window{Hours: Hours{
				Days: Days(rapid.IntRange(0, 127).Draw(t, fmt.Sprint("days ", i))),
				From: Clock(rapid.IntRange(0, 1439).Draw(t, fmt.Sprint("from ", i))),
				To:   Clock(rapid.IntRange(0, 1440).Draw(t, fmt.Sprint("to ", i))),
				Zone: zone,
			}})
		}
		walk := walkClock(zone, around.Unix(), 72*time.Hour)
		covered := make([]bool, len(walk.wall))
		for i, wall := range walk.wall {
			day, minute := wall/minutesPerDay, Clock(wall%minutesPerDay)
			today, yesterday := time.Weekday((day+4)%7), time.Weekday((day+3)%7)
			for _, w := range windows {
				h := w.Hours
				if h.From < h.To {
					covered[i] = covered[i] || (h.Days.Has(today) && h.From <= minute && minute < h.To)
				} else if h.From > h.To {
					covered[i] = covered[i] || (h.Days.Has(today) && minute >= h.From) || (h.Days.Has(yesterday) && minute < h.To)
				}
			}
			if got := windows.Covers(walk.at(i)); got != covered[i] {
				t.Fatalf("%v in %v at %v: Covers is %v", windows, zone, walk.at(i).In(zone), got)
			}
			if h := windows[0].Hours; h.Days == 0 && h.From != h.To && h.To != 1440 {
				between := Window{Hours: Hours{From: h.To, To: h.From, Zone: zone}}
				if windows[0].Covers(walk.at(i)) == between.Covers(walk.at(i)) {
					t.Fatalf("%v and %v do not divide the day in %v at %v", windows[0], between, zone, walk.at(i))
				}
			}
		}
		for i := range covered {
			if i%97 != 0 {
				continue
			}
			next := i
			for next < len(covered) && covered[next] == covered[i] {
				next++
			}
			if next == len(covered) {
				break
			}
			if end := windows.End(walk.at(i)); covered[i] && !end.Equal(walk.at(next)) {
				t.Fatalf("%v in %v at %v: End is %v, want %v", windows, zone, walk.at(i), end, walk.at(next))
			}
			if start, ok := windows.Start(walk.at(i)); !covered[i] && (!ok || !start.Equal(walk.at(next))) {
				t.Fatalf("%v in %v at %v: Start is %v, want %v", windows, zone, walk.at(i), start, walk.at(next))
			}
		}
	})
}

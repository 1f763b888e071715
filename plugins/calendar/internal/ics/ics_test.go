package ics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// document wraps lines in a calendar.
func document(lines ...string) []byte {
	return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCALENDAR\r\n")
}

// single is a calendar with one event; lines are added to it.
func single(lines ...string) []byte {
	return document(slices.Concat([]string{"BEGIN:VEVENT", "UID:u", "SUMMARY:S"}, lines, []string{"END:VEVENT"})...)
}

// told spells occurrences: start, end where it has one, whole days, the instance, what is called off.
func told(list []Occurrence) []string {
	out := []string{}
	for _, o := range list {
		s := o.Start.Format("2006-01-02 15:04:05 -0700")
		if o.AllDay {
			s = o.Start.Format("2006-01-02") + " to " + o.End.AddDate(0, 0, -1).Format("2006-01-02")
		} else if o.End.After(o.Start) {
			s += " +" + o.End.Sub(o.Start).String()
		}
		if o.Summary != "S" {
			s += " " + o.Summary
		}
		if o.Cancelled {
			s += " cancelled"
		}
		out = append(out, s)
	}
	return out
}

func TestOccurrences(t *testing.T) {
	t.Parallel()
	paris := "TZID=Europe/Paris"
	override := func(lines ...string) []string {
		return slices.Concat([]string{"END:VEVENT", "BEGIN:VEVENT", "UID:u"}, lines)
	}
	tests := []struct {
		name     string
		doc      []byte
		from, to string
		want     []string
		notice   string
	}{
		{name: "a single one in UTC", doc: single("DTSTART:20261201T180000Z", "DTEND:20261201T200000Z"), want: []string{"2026-12-01 18:00:00 +0000 +2h0m0s"}},
		{name: "without an end", doc: single("DTSTART;" + paris + ":20261201T180000"), want: []string{"2026-12-01 18:00:00 +0100"}},
		{name: "an end before the start", doc: single("DTSTART:20261201T180000Z", "DTEND:20261201T170000Z"), want: []string{"2026-12-01 18:00:00 +0000"}},
		{name: "a nominal duration over a clock change", from: "2026-10-20", doc: single("DTSTART;"+paris+":20261024T120000", "DURATION:P1DT2H"),
			want: []string{"2026-10-24 12:00:00 +0200 +27h0m0s"}},
		{name: "a floating time in the option's zone", doc: single("DTSTART:20261201T180000"), want: []string{"2026-12-01 18:00:00 +0100"}},
		{name: "a whole day", doc: single("DTSTART;VALUE=DATE:20261201"), want: []string{"2026-12-01 to 2026-12-01"}},
		{name: "whole days with an exclusive end", doc: single("DTSTART;VALUE=DATE:20261201", "DTEND;VALUE=DATE:20261204"), want: []string{"2026-12-01 to 2026-12-03"}},
		{name: "under way when the window begins", doc: single("DTSTART:20261120T100000Z", "DTEND:20261120T130000Z"), want: []string{"2026-11-20 10:00:00 +0000 +3h0m0s"}},
		{name: "over when the window begins", doc: single("DTSTART:20261120T100000Z", "DTEND:20261120T120000Z"), want: []string{}},
		{name: "a list of exceptions in another zone", doc: single("DTSTART;"+paris+":20261201T190000", "RRULE:FREQ=DAILY;COUNT=5",
			"EXDATE:20261202T180000Z,20261203T180000Z", "EXDATE;TZID=America/New_York:20261205T130000"),
			want: []string{"2026-12-01 19:00:00 +0100", "2026-12-04 19:00:00 +0100"}},
		{name: "exceptions by the day", doc: single("DTSTART;"+paris+":20261201T190000", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20261202"),
			want: []string{"2026-12-01 19:00:00 +0100", "2026-12-03 19:00:00 +0100"}},
		{name: "exceptions with times of whole days", doc: single("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261202T000000"),
			want: []string{"2026-12-01 to 2026-12-01", "2026-12-03 to 2026-12-03"}},
		{name: "UNTIL as a date takes that day in", doc: single("DTSTART;"+paris+":20261201T230000", "RRULE:FREQ=DAILY;UNTIL=20261203"),
			want: []string{"2026-12-01 23:00:00 +0100", "2026-12-02 23:00:00 +0100", "2026-12-03 23:00:00 +0100"}},
		{name: "UNTIL in UTC is inclusive", doc: single("DTSTART;"+paris+":20261201T190000", "RRULE:FREQ=DAILY;UNTIL=20261202T180000Z"),
			want: []string{"2026-12-01 19:00:00 +0100", "2026-12-02 19:00:00 +0100"}},
		{name: "UNTIL with a time for whole days", doc: single("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;UNTIL=20261202T230000Z"),
			want: []string{"2026-12-01 to 2026-12-01", "2026-12-02 to 2026-12-02"}},
		{name: "dates of its own", doc: single("DTSTART;"+paris+":20261201T190000", "RDATE;"+paris+":20261205T200000,20261207T190000", "RDATE;VALUE=PERIOD:20261209T180000Z/PT3H"),
			want: []string{"2026-12-01 19:00:00 +0100", "2026-12-05 20:00:00 +0100", "2026-12-07 19:00:00 +0100", "2026-12-09 19:00:00 +0100 +3h0m0s"}},
		{name: "a date that the rule plans too", doc: single("DTSTART:20261201T180000Z", "RRULE:FREQ=DAILY;COUNT=2", "RDATE:20261202T180000Z"),
			want: []string{"2026-12-01 18:00:00 +0000", "2026-12-02 18:00:00 +0000"}},
		{name: "a start that does not fit the rule counts", doc: single("DTSTART:20261201T180000Z", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=3"),
			want: []string{"2026-12-01 18:00:00 +0000", "2026-12-04 18:00:00 +0000", "2026-12-11 18:00:00 +0000"}},
		{name: "summer ends between two", from: "2026-10-20", to: "2026-11-05", doc: single("DTSTART;"+paris+":20261024T080000", "DTEND;"+paris+":20261024T090000", "RRULE:FREQ=DAILY;COUNT=3"),
			want: []string{"2026-10-24 08:00:00 +0200 +1h0m0s", "2026-10-25 08:00:00 +0100 +1h0m0s", "2026-10-26 08:00:00 +0100 +1h0m0s"}},
		{name: "a skipped and a repeated hour", from: "2026-03-01", to: "2026-12-01", doc: single("DTSTART;TZID=America/New_York:20260308T023000", "RDATE;TZID=America/New_York:20261101T013000"),
			want: []string{"2026-03-08 03:30:00 -0400", "2026-11-01 01:30:00 -0400"}},
		{name: "a skipped and a repeated hour in Paris", from: "2026-03-01", to: "2026-12-01", doc: single("DTSTART;"+paris+":20260329T023000", "RDATE;"+paris+":20261025T023000"),
			want: []string{"2026-03-29 03:30:00 +0200", "2026-10-25 02:30:00 +0200"}},
		{name: "the 31st is left out where there is none", doc: single("DTSTART:20261031T180000Z", "RRULE:FREQ=MONTHLY"), to: "2027-03-31T23:00",
			want: []string{"2026-12-31 18:00:00 +0000", "2027-01-31 18:00:00 +0000", "2027-03-31 18:00:00 +0000"}},
		{name: "the last Friday", doc: single("DTSTART:20200131T180000Z", "RRULE:FREQ=MONTHLY;BYDAY=-1FR"), to: "2027-01-01",
			want: []string{"2026-11-27 18:00:00 +0000", "2026-12-25 18:00:00 +0000"}},
		{name: "a week of the year, on the day of the start", doc: single("DTSTART:20260114T180000Z", "RRULE:FREQ=YEARLY;BYWEEKNO=3,50"),
			want: []string{"2026-12-09 18:00:00 +0000"}},
		{name: "a week of the year and its day", doc: single("DTSTART:20260112T180000Z", "RRULE:FREQ=YEARLY;BYWEEKNO=50;BYDAY=MO,TU"),
			want: []string{"2026-12-07 18:00:00 +0000", "2026-12-08 18:00:00 +0000"}},
		{name: "every other week from long ago", doc: single("DTSTART:20200103T180000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU"), to: "2026-12-06",
			want: []string{"2026-11-23 18:00:00 +0000", "2026-11-27 18:00:00 +0000"}},
		{name: "every day from long ago, counted", doc: single("DTSTART:20261001T180000Z", "RRULE:FREQ=DAILY;COUNT=53"),
			want: []string{"2026-11-20 18:00:00 +0000", "2026-11-21 18:00:00 +0000", "2026-11-22 18:00:00 +0000"}},
		{name: "every few hours on Sundays", doc: single("DTSTART:20200105T000000Z", "RRULE:FREQ=HOURLY;INTERVAL=8;BYDAY=SU"), to: "2026-11-25",
			want: []string{"2026-11-22 00:00:00 +0000", "2026-11-22 08:00:00 +0000", "2026-11-22 16:00:00 +0000"}},
		{name: "minutes of chosen hours, counted", doc: single("DTSTART:20261121T080000Z", "RRULE:FREQ=MINUTELY;INTERVAL=30;BYHOUR=8,9;COUNT=5"),
			want: []string{"2026-11-21 08:00:00 +0000", "2026-11-21 08:30:00 +0000", "2026-11-21 09:00:00 +0000", "2026-11-21 09:30:00 +0000", "2026-11-22 08:00:00 +0000"}},
		{name: "parts that only a vendor knows", doc: single("DTSTART:20261201T180000Z", "RRULE:FREQ=DAILY;COUNT=1;X-COLOR=RED;RSCALE=GREGORIAN;SKIP=OMIT"), want: []string{"2026-12-01 18:00:00 +0000"}},
		{name: "a rule that cannot be read leaves the event", doc: single("DTSTART:20261201T180000Z", "RRULE:FREQ=FORTNIGHTLY"), want: []string{"2026-12-01 18:00:00 +0000"},
			notice: `the event "S" is taken without its repetitions`},
		{name: "a rule of another calendar", doc: single("DTSTART:20261201T180000Z", "RRULE:RSCALE=CHINESE;FREQ=YEARLY"), want: []string{"2026-12-01 18:00:00 +0000"}, notice: "counts in the calendar CHINESE"},

		{name: "one moved, one called off", doc: single(slices.Concat([]string{"DTSTART;" + paris + ":20261201T190000", "RRULE:FREQ=DAILY;COUNT=3"},
			override("RECURRENCE-ID:20261202T180000Z", "DTSTART;"+paris+":20261202T210000", "SUMMARY:later"),
			override("RECURRENCE-ID;"+paris+":20261203T190000", "DTSTART;"+paris+":20261203T190000", "SUMMARY:S", "STATUS:CANCELLED"))...),
			want: []string{"2026-12-01 19:00:00 +0100", "2026-12-02 21:00:00 +0100 later", "2026-12-03 19:00:00 +0100 cancelled"}},
		{name: "one moved out of the window", doc: single(slices.Concat([]string{"DTSTART:20261201T180000Z", "RRULE:FREQ=DAILY;COUNT=2"},
			override("RECURRENCE-ID:20261202T180000Z", "DTSTART:20270502T180000Z", "SUMMARY:S"))...), want: []string{"2026-12-01 18:00:00 +0000"}},
		{name: "one moved into the window", doc: single(slices.Concat([]string{"DTSTART:20270501T180000Z", "RRULE:FREQ=DAILY;COUNT=2"},
			override("RECURRENCE-ID:20270502T180000Z", "DTSTART:20261202T180000Z", "SUMMARY:S"))...), want: []string{"2026-12-02 18:00:00 +0000"}},
		{name: "an override of what is excepted stays", doc: single(slices.Concat([]string{"DTSTART:20261201T180000Z", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261202T180000Z"},
			override("RECURRENCE-ID:20261202T180000Z", "DTSTART:20261202T200000Z", "SUMMARY:S"))...), want: []string{"2026-12-01 18:00:00 +0000", "2026-12-02 20:00:00 +0000"}},
		{name: "an override by the day", doc: single(slices.Concat([]string{"DTSTART:20261201T180000Z", "RRULE:FREQ=DAILY;COUNT=2"},
			override("RECURRENCE-ID;VALUE=DATE:20261202", "DTSTART:20261202T200000Z", "SUMMARY:S"))...), want: []string{"2026-12-01 18:00:00 +0000", "2026-12-02 20:00:00 +0000"}},
		{name: "an override without its series", doc: single("RECURRENCE-ID:20261202T180000Z", "DTSTART:20261202T200000Z"), want: []string{"2026-12-02 20:00:00 +0000"}},
		{name: "this and all that follow", doc: single(slices.Concat([]string{"DTSTART;" + paris + ":20261201T190000", "RRULE:FREQ=DAILY;COUNT=4"},
			override("RECURRENCE-ID;RANGE=THISANDFUTURE;"+paris+":20261203T190000", "DTSTART;"+paris+":20261203T203000", "SUMMARY:new"))...),
			want: []string{"2026-12-01 19:00:00 +0100", "2026-12-02 19:00:00 +0100", "2026-12-03 20:30:00 +0100 new", "2026-12-04 20:30:00 +0100 new"}},
		{name: "the higher SEQUENCE counts, wherever it stands", doc: document("BEGIN:VEVENT", "UID:u", "SEQUENCE:2", "SUMMARY:new", "DTSTART:20261201T180000Z", "END:VEVENT",
			"BEGIN:VEVENT", "UID:u", "SEQUENCE:1", "DTSTAMP:20271201T180000Z", "SUMMARY:old", "DTSTART:20261202T180000Z", "END:VEVENT"), want: []string{"2026-12-01 18:00:00 +0000 new"}},
		{name: "a cancelled calendar", doc: document("METHOD:CANCEL", "BEGIN:VEVENT", "UID:u", "SUMMARY:S", "DTSTART:20261201T180000Z", "END:VEVENT"), want: []string{"2026-12-01 18:00:00 +0000 cancelled"}},

		{name: "a zone in another case", doc: single("DTSTART;TZID=europe/paris:20261201T180000"), want: []string{"2026-12-01 18:00:00 +0100"}},
		{name: "a vendor's prefix", doc: single("DTSTART;TZID=/mozilla.org/20050126_1/Europe/Paris:20261201T180000"), want: []string{"2026-12-01 18:00:00 +0100"}},
		{name: "a name of three parts", doc: single("DTSTART;TZID=/freeassociation.sourceforge.net/America/Argentina/Ushuaia:20261201T180000"), want: []string{"2026-12-01 18:00:00 -0300"}},
		{name: "a Windows name in quotes with a blank", doc: single(`DTSTART;TZID="W. Europe Standard Time ":20261201T180000`), want: []string{"2026-12-01 18:00:00 +0100"}},
		{name: "Eastern Standard Time has a summer", from: "2026-06-01", to: "2026-08-01", doc: single("DTSTART;TZID=Eastern Standard Time:20260701T180000"), want: []string{"2026-07-01 18:00:00 -0400"}},
		{name: "an unknown zone", doc: single("DTSTART;TZID=Middle-earth:20261201T180000"), want: []string{}, notice: `its time zone "Middle-earth" is unknown`},
		{name: "the zone Local", doc: single("DTSTART;TZID=Local:20261201T180000"), want: []string{}, notice: `its time zone "Local" is unknown`},

		{name: "one lone line feed, folds within characters, blank lines", doc: []byte("\ufeffbegin:vcalendar\n\nBEGIN:VEVENT\nuid:u\nDTSTART:20261201T180000Z\nSUMMARY:caf\xc3\n \xa9 \\, bar\\nx\nEND:VEVENT\nEND:VCALENDAR"),
			want: []string{"2026-12-01 18:00:00 +0000 café , bar\nx"}},
		{name: "Windows-1252", doc: single("DTSTART:20261201T180000Z", "SUMMARY:caf\xe9"), want: []string{"2026-12-01 18:00:00 +0000"}},
		{name: "alarms and tasks are passed over", doc: single("BEGIN:VALARM", "TRIGGER:-PT1H", "DTSTART:20201201T180000Z", "END:VALARM", "DTSTART:20261201T180000Z", "END:VEVENT", "BEGIN:VTODO", "UID:t",
			"DTSTART:20261202T180000Z", "END:VTODO", "BEGIN:VEVENT", "UID:v", "SUMMARY:S", "DTSTART:20261203T180000Z"), want: []string{"2026-12-01 18:00:00 +0000", "2026-12-03 18:00:00 +0000"}},
		{name: "lines that are none", doc: single("DTSTART:20261201T180000Z", "what", `X-A;P="never closed:1`, `X-B;P=a"b:1`, ";X:1", "X-C;=1:2", "X-D;A=1"), want: []string{"2026-12-01 18:00:00 +0000"}, notice: "6 lines are no lines"},
		{name: "two calendars in one document", doc: append(single("DTSTART:20261201T180000Z"), document("BEGIN:VEVENT", "UID:v", "SUMMARY:S", "DTSTART:20261202T180000Z", "END:VEVENT")...),
			want: []string{"2026-12-01 18:00:00 +0000", "2026-12-02 18:00:00 +0000"}},
		{name: "broken off", doc: single("DTSTART:20261201T180000Z", "END:VEVENT", "BEGIN:VEVENT", "UID:v", "DTSTART:20261202T180000Z")[:170-30], want: []string{"2026-12-01 18:00:00 +0000"}, notice: "breaks off"},
		{name: "a start that is no time", doc: single("DTSTART:20261301T180000Z"), want: []string{}, notice: `the time "20261301T180000Z" cannot be read`},
		{name: "no start", doc: single("DURATION:PT1H"), want: []string{}, notice: "it has no start"},
		{name: "30 February", doc: single("DTSTART;VALUE=DATE:20270230"), want: []string{}, notice: "cannot be read"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			zone := zoneOf(t, "Europe/Paris")
			at := func(s string, otherwise time.Time) time.Time {
				for _, layout := range []string{time.DateOnly, "2006-01-02T15:04"} {
					if got, err := time.ParseInLocation(layout, s, time.UTC); err == nil {
						return got
					}
				}
				return otherwise
			}
			cal, err := Parse(c.doc, Options{Zone: zone, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			from := at(c.from, now)
			list, notices, err := cal.Between(from, at(c.to, from.AddDate(0, 0, 35)))
			if err != nil {
				t.Fatal(err)
			}
			got := told(list)
			if c.name == "Windows-1252" {
				got = []string{list[0].Start.Format("2006-01-02 15:04:05 -0700")}
				if list[0].Summary != "S" && list[0].Summary != "café" {
					t.Errorf("the summary is %q", list[0].Summary)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want and got:\n%s", diff)
			}
			if all := strings.Join(append(cal.Notices, notices...), "\n"); c.notice == "" && all != "" || !strings.Contains(all, c.notice) {
				t.Errorf("the notices are %q, want %q", all, c.notice)
			}
		})
	}
}

// TestOwnZone reads rules that a calendar made itself, and holds that they win over nothing but ignorance.
func TestOwnZone(t *testing.T) {
	t.Parallel()
	vtimezone := func(tzid string) []string {
		return []string{"BEGIN:VTIMEZONE", "TZID:" + tzid,
			"BEGIN:STANDARD", "DTSTART:16011028T030000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "TZOFFSETFROM:+0500", "TZOFFSETTO:+0330", "END:STANDARD",
			"BEGIN:DAYLIGHT", "DTSTART:16010325T020000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "TZOFFSETFROM:+0330", "TZOFFSETTO:+0500", "END:DAYLIGHT", "END:VTIMEZONE"}
	}
	event := func(tzid string) []string {
		return []string{"BEGIN:VEVENT", "UID:u", "SUMMARY:S", "DTSTART;TZID=" + tzid + ":20261024T180000", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT"}
	}
	for tzid, want := range map[string]struct{ starts, zone, notice string }{
		"Customized Time Zone": {"2026-10-24 18:00:00 +0500, 2026-10-25 18:00:00 +0330, 2026-10-26 18:00:00 +0330", "", ""},
		"Europe/Paris":         {"2026-10-24 18:00:00 +0200, 2026-10-25 18:00:00 +0100, 2026-10-26 18:00:00 +0100", "Europe/Paris", "own rules for the zone Europe/Paris differ"},
	} {
		cal, err := Parse(document(slices.Concat(vtimezone(tzid), event(tzid))...), Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := cal.Between(now.AddDate(0, -2, 0), now)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(told(list), ", "); got != want.starts {
			t.Errorf("%s: %s", tzid, got)
		}
		if len(list) > 0 && list[0].Zone != want.zone {
			t.Errorf("%s: the zone is called %q", tzid, list[0].Zone)
		}
		if all := strings.Join(cal.Notices, "\n"); want.notice == "" && all != "" || !strings.Contains(all, want.notice) {
			t.Errorf("%s: %q", tzid, all)
		}
	}
}

func TestWindowsZonesExist(t *testing.T) {
	t.Parallel()
	for name, iana := range windowsZones {
		if _, err := time.LoadLocation(iana); err != nil || name != strings.ToLower(name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestResolve holds the rule for gaps and overlaps in every change of many zones over a year.
func TestResolve(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Paris", "America/New_York", "Africa/Cairo", "Africa/Casablanca", "Australia/Lord_Howe", "Europe/Dublin", "Asia/Beirut", "America/Santiago", "UTC", "Asia/Kolkata"} {
		zone := zoneOf(t, name)
		for at := time.Date(2026, 1, 1, 0, 10, 0, 0, time.UTC); at.Year() < 2027; at = at.Add(30 * time.Minute) {
			if _, a := at.Add(-48 * time.Hour).In(zone).Zone(); at.Hour() == 0 && at.Minute() == 10 {
				if _, b := at.Add(72 * time.Hour).In(zone).Zone(); a == b { // no change around this day
					at = at.Add(23*time.Hour + 30*time.Minute)
					continue
				}
			}
			got := Resolve(at, zone)
			_, offset := got.Zone()
			shown := got.Add(time.Duration(offset) * time.Second).UTC()
			_, before := got.Add(-3 * time.Hour).Zone()
			if shown.Equal(at) {
				if earlier := got.Add(-time.Hour); Resolve(at, zone).After(earlier) && earlier.In(zone).Format("2006-01-02 15:04") == at.Format("2006-01-02 15:04") {
					t.Fatalf("%s: %s is taken for the second of two", name, at.Format(time.DateTime))
				}
				continue
			}
			if want := at.Add(-time.Duration(before) * time.Second); !got.Equal(want) {
				t.Fatalf("%s: %s is %s, and no such time exists; want %s", name, at.Format(time.DateTime), got, want.In(zone))
			}
		}
	}
}

func TestWhatIsNoCalendar(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                                       "the document is empty",
		" <!DOCTYPE html><html>":                 "the document is a web page, not a calendar",
		"<?xml version='1.0'?><rss/>":            "the document is XML, not a calendar",
		`{"error":"login"}`:                      "the document is JSON, not a calendar",
		"BEGIN:VCARD\nFN:x\nEND:VCARD":           "it has no line BEGIN:VCALENDAR",
		"<p>BEGIN:VCALENDAR</p>":                 "the document is XML, not a calendar",
		"\xff\xfe<\x00h\x00t\x00m\x00l\x00>\x00": "the document is a web page",
	} {
		_, err := Parse([]byte(body), Options{Now: now})
		if _, ok := errors.AsType[*NotACalendarError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// TestHostileRulesEndSoon counts steps, which do not depend on the machine.
func TestHostileRulesEndSoon(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]string{
		"every second since 2020":         "FREQ=SECONDLY",
		"seconds, counted":                "FREQ=SECONDLY;COUNT=999999999",
		"seconds of one month":            "FREQ=SECONDLY;BYMONTH=1;COUNT=999999999",
		"seconds that never come":         "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
		"minutes of one hour":             "FREQ=MINUTELY;BYHOUR=3;BYMINUTE=7",
		"days that never come":            "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
		"months that never come":          "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31",
		"years that never come":           "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31",
		"all seconds of all days, yearly": "FREQ=YEARLY;BYHOUR=1,2,3;BYMINUTE=1,2,3,4;BYSECOND=1,2,3,4,5",
		"a long step":                     "FREQ=DAILY;INTERVAL=100000",
		"hours at set positions":          "FREQ=HOURLY;BYSETPOS=1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cal, err := Parse(single("DTSTART:20200101T000000Z", "RRULE:"+rule), Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			p := &plan{c: cal, from: now, to: now.AddDate(0, 0, 35), work: budget{steps: maxWork}, names: map[*time.Location]string{}}
			if cal.series["u"] == nil {
				return // the rule was refused, and the event without it is long over
			}
			if err := p.series(cal.series["u"]); err != nil {
				t.Fatal(err)
			}
			if used := maxWork - p.work.steps; used > 60_000 || len(p.out) > maxPerRule+1 {
				t.Errorf("it took %d steps to %d occurrences", used, len(p.out))
			}
		})
	}
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		_, err := Parse([]byte("BEGIN:VCALENDAR\n"+strings.Repeat("BEGIN:VEVENT\nEND:VEVENT\n", MaxEvents+1)), Options{Now: now})
		if err == nil || !strings.Contains(err.Error(), "more than 10000 events") {
			t.Error(err)
		}
	})
	t.Run("occurrences", func(t *testing.T) {
		t.Parallel()
		var lines []string
		for i := range 30 {
			lines = append(lines, "BEGIN:VEVENT", fmt.Sprintf("UID:%d", i), "DTSTART:20261120T000000Z", "RRULE:FREQ=MINUTELY", "END:VEVENT")
		}
		cal, err := Parse(document(lines...), Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := cal.Between(now, now.AddDate(0, 0, 35)); !errors.Is(err, ErrTooMany) {
			t.Error(err)
		}
	})
	t.Run("work", func(t *testing.T) {
		t.Parallel()
		var lines []string
		for i := range 60 {
			lines = append(lines, "BEGIN:VEVENT", fmt.Sprintf("UID:%d", i), "DTSTART:20200101T000000Z", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "END:VEVENT")
		}
		cal, err := Parse(document(lines...), Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		// Not in part: what is missing would look like withdrawn.
		if _, _, err := cal.Between(now, now.AddDate(0, 0, 35)); !errors.Is(err, errBudget) {
			t.Error(err)
		}
	})
	t.Run("depth", func(t *testing.T) {
		t.Parallel()
		if _, err := Parse([]byte("BEGIN:VCALENDAR\n"+strings.Repeat("BEGIN:VEVENT\nBEGIN:STANDARD\n", 20_000)), Options{Now: now}); err != nil {
			t.Error(err)
		}
	})
}

// FuzzParse holds that whatever the bytes, reading and planning end, give occurrences within the window in order, and never
// two of one identity.
func FuzzParse(f *testing.F) {
	f.Add(single("DTSTART;TZID=Romance Standard Time:20261201T180000", "RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20270101", "EXDATE;VALUE=DATE:20261207"))
	f.Add(single("DTSTART;VALUE=DATE:20261201", "DURATION:P2W", "RRULE:FREQ=SECONDLY"))
	f.Add(document("BEGIN:VTIMEZONE", "TZID:x", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:-0500", "TZOFFSETTO:+143059", "RDATE:20250101T000000", "END:STANDARD", "END:VTIMEZONE",
		"BEGIN:VEVENT", "UID:a", "DTSTART;TZID=x:20261201T180000", "END:VEVENT"))
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=\"a\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261201T180000"))
	f.Fuzz(func(t *testing.T, body []byte) {
		cal, err := Parse(body, Options{Now: now})
		if err != nil {
			return
		}
		from, to := now, now.AddDate(0, 0, 35)
		list, _, err := cal.Between(from, to)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for i, o := range list {
			if seen[o.UID+"#"+o.Instance] {
				t.Fatalf("%s %s stands twice", o.UID, o.Instance)
			}
			seen[o.UID+"#"+o.Instance] = true
			if o.End.Before(o.Start) || !o.Start.Before(to) || o.End.Before(from) || i > 0 && o.Start.Before(list[i-1].Start) {
				t.Fatalf("%+v lies elsewhere", o)
			}
		}
	})
}

func BenchmarkCalendar(b *testing.B) {
	var lines []string
	for i := range 5000 {
		lines = append(lines, "BEGIN:VEVENT", fmt.Sprintf("UID:%d", i), "SUMMARY:An event", "DESCRIPTION:"+strings.Repeat("words ", 40),
			fmt.Sprintf("DTSTART;TZID=Europe/Paris:2026%02d%02dT180000", 1+i%12, 1+i%28), "DURATION:PT2H", "END:VEVENT")
	}
	doc := document(lines...)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		cal, err := Parse(doc, Options{Now: now})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := cal.Between(now, now.AddDate(0, 0, 35)); err != nil {
			b.Fatal(err)
		}
	}
}

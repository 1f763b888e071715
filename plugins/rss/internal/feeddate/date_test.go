package feeddate

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		zone       *time.Location
		want       string // RFC 3339 in UTC; empty for no date
		zoneless   bool
	}{
		{name: "RFC 3339", text: "2026-01-05T10:00:00Z", want: "2026-01-05T10:00:00Z"},
		{name: "RFC 3339 with offset and fraction", text: "2026-01-05T10:00:00.25+01:00", want: "2026-01-05T09:00:00.25Z"},
		{name: "lower case t and z", text: "2026-01-05t10:00:00z", want: "2026-01-05T10:00:00Z"},
		{name: "RFC 3339 with a space and short offset", text: "2026-01-05 10:00:00 +0100", want: "2026-01-05T09:00:00Z"},
		{name: "offset glued on", text: "2026-01-05T10:00:00-0500", want: "2026-01-05T15:00:00Z"},
		{name: "offset of hours only", text: "2026-01-05T10:00:00+01", want: "2026-01-05T09:00:00Z"},
		{name: "no seconds", text: "2026-01-05T10:00Z", want: "2026-01-05T10:00:00Z"},
		{name: "24:00", text: "2026-01-05T24:00:00Z", want: "2026-01-06T00:00:00Z"},
		{name: "leap second", text: "2026-06-30T23:59:60Z", want: "2026-07-01T00:00:00Z"},
		{name: "no zone, none configured", text: "2026-01-05 10:00:00", want: "2026-01-05T10:00:00Z", zoneless: true},
		{name: "no zone, Paris", text: "2026-01-05T10:00:00", zone: paris, want: "2026-01-05T09:00:00Z", zoneless: true},
		{name: "no zone, Paris, repeated hour is the first", text: "2026-10-25 02:30:00", zone: paris, want: "2026-10-25T00:30:00Z", zoneless: true},
		{name: "no zone, Paris, skipped hour", text: "2026-03-29 02:30:00", zone: paris, want: "2026-03-29T01:00:00Z", zoneless: true},
		{name: "a day", text: "2026-01-05", want: "2026-01-05T00:00:00Z", zoneless: true},
		{name: "a month", text: "2026-01", want: "2026-01-01T00:00:00Z", zoneless: true},
		{name: "compact", text: "20260105T101500Z", want: "2026-01-05T10:15:00Z"},
		{name: "Unix seconds", text: "1767607200", want: "2026-01-05T10:00:00Z"},
		{name: "Unix milliseconds", text: "1767607200000", want: "2026-01-05T10:00:00Z"},
		{name: "RFC 1123", text: "Mon, 05 Jan 2026 10:00:00 GMT", want: "2026-01-05T10:00:00Z"},
		{name: "RFC 1123 numeric", text: "Mon, 05 Jan 2026 10:00:00 +0100", want: "2026-01-05T09:00:00Z"},
		{name: "RFC 822 two digits", text: "Mon, 5 Jan 26 10:00 EST", want: "2026-01-05T15:00:00Z"},
		{name: "two digits of the last century", text: "5 Jan 96 10:00:00 GMT", want: "1996-01-05T10:00:00Z"},
		{name: "no weekday", text: "5 Jan 2026 10:00:00 +0000", want: "2026-01-05T10:00:00Z"},
		{name: "wrong weekday", text: "Fri, 05 Jan 2026 10:00:00 +0000", want: "2026-01-05T10:00:00Z"},
		{name: "full names", text: "Monday, 5 January 2026 10:00:00 GMT", want: "2026-01-05T10:00:00Z"},
		{name: "Sept", text: "Tue, 01 Sept 2026 10:00:00 GMT", want: "2026-09-01T10:00:00Z"},
		{name: "EDT", text: "Wed, 01 Jul 2026 10:00:00 EDT", want: "2026-07-01T14:00:00Z"},
		{name: "CST", text: "Mon, 05 Jan 2026 10:00:00 CST", want: "2026-01-05T16:00:00Z"},
		{name: "MDT", text: "Wed, 01 Jul 2026 10:00:00 MDT", want: "2026-07-01T16:00:00Z"},
		{name: "PST", text: "Mon, 05 Jan 2026 10:00:00 PST", want: "2026-01-05T18:00:00Z"},
		{name: "UT", text: "Mon, 05 Jan 2026 10:00:00 UT", want: "2026-01-05T10:00:00Z"},
		{name: "CET", text: "Mon, 05 Jan 2026 10:00:00 CET", want: "2026-01-05T09:00:00Z"},
		{name: "CEST", text: "Wed, 01 Jul 2026 10:00:00 CEST", want: "2026-07-01T08:00:00Z"},
		{name: "BST is British", text: "Wed, 01 Jul 2026 10:00:00 BST", want: "2026-07-01T09:00:00Z"},
		{name: "IST means three zones", text: "Mon, 05 Jan 2026 10:00:00 IST"},
		{name: "an invented zone", text: "Mon, 05 Jan 2026 10:00:00 XYZT"},
		{name: "IST with its offset", text: "Mon, 05 Jan 2026 10:00:00 IST+0530", want: "2026-01-05T04:30:00Z"},
		{name: "offset with a comment", text: "Mon, 05 Jan 2026 10:00:00 +0530 (IST)", want: "2026-01-05T04:30:00Z"},
		{name: "offset with an unknown name behind it", text: "Mon, 05 Jan 2026 10:00:00 +0530 IST", want: "2026-01-05T04:30:00Z"},
		{name: "GMT+2", text: "Mon, 05 Jan 2026 10:00:00 GMT+2", want: "2026-01-05T08:00:00Z"},
		{name: "UTC+02:00", text: "Mon, 05 Jan 2026 10:00:00 UTC+02:00", want: "2026-01-05T08:00:00Z"},
		{name: "as browsers print it", text: "Mon Jan 05 2026 10:00:00 GMT+0100 (CET)", want: "2026-01-05T09:00:00Z"},
		{name: "as Unix prints it", text: "Mon Jan  5 10:00:00 CET 2026", want: "2026-01-05T09:00:00Z"},
		{name: "ANSI C", text: "Mon Jan  5 10:00:00 2026", want: "2026-01-05T10:00:00Z", zoneless: true},
		{name: "American words", text: "January 5, 2026 3:04 PM", want: "2026-01-05T15:04:00Z", zoneless: true},
		{name: "American words, a.m.", text: "January 5th, 2026, 12:04 a.m. EST", want: "2026-01-05T05:04:00Z"},
		{name: "American figures with PM", text: "1/5/2026 3:04:05 PM", want: "2026-01-05T15:04:05Z", zoneless: true},
		{name: "American figures, only one reading", text: "1/25/2026 10:00", want: "2026-01-25T10:00:00Z", zoneless: true},
		{name: "European figures, only one reading", text: "25/1/2026 10:00", want: "2026-01-25T10:00:00Z", zoneless: true},
		{name: "figures with two readings", text: "03/04/2026 10:00"},
		{name: "German figures", text: "05.01.2026 10:30", want: "2026-01-05T10:30:00Z", zoneless: true},
		{name: "German figures with Uhr", text: "05.01.2026, 10.30 Uhr", want: "2026-01-05T10:30:00Z", zoneless: true},
		{name: "year first with slashes", text: "2026/01/05 10:00:00 +0100", want: "2026-01-05T09:00:00Z"},
		{name: "French short", text: "lun., 05 janv. 2026 10:00:00 +0100", want: "2026-01-05T09:00:00Z"},
		{name: "French Tuesday is not March", text: "mar. 6 janv. 2026 10:00:00 +0100", want: "2026-01-06T09:00:00Z"},
		{name: "French Tuesday in March", text: "mar. 3 mars 2026 10:00:00 +0100", want: "2026-03-03T09:00:00Z"},
		{name: "French long", text: "mercredi 12 août 2026 à 10h30", zone: paris, want: "2026-08-12T08:30:00Z", zoneless: true},
		{name: "French first", text: "1er février 2026 09:05", want: "2026-02-01T09:05:00Z", zoneless: true},
		{name: "French December", text: "ven., 25 déc. 2026 08:00:00 GMT", want: "2026-12-25T08:00:00Z"},
		{name: "decomposed accents", text: "25 de\u0301c. 2026 08:00:00 GMT", want: "2026-12-25T08:00:00Z"},
		{name: "German short", text: "Mo, 05 Jan 2026 10:00:00 +0100", want: "2026-01-05T09:00:00Z"},
		{name: "German March", text: "Di, 03 Mrz 2026 10:00:00 +0100", want: "2026-03-03T09:00:00Z"},
		{name: "German long", text: "Donnerstag, 5. März 2026 um 10:15 Uhr", want: "2026-03-05T10:15:00Z", zoneless: true},
		{name: "German MEZ", text: "Do., 31. Dez. 2026 10:15:00 MEZ", want: "2026-12-31T09:15:00Z"},
		{name: "Spanish", text: "lun, 05 ene 2026 10:00:00 +0000", want: "2026-01-05T10:00:00Z"},
		{name: "Italian", text: "gio, 01 ott 2026 10:00:00 +0200", want: "2026-10-01T08:00:00Z"},
		{name: "Portuguese", text: "qui, 01 out 2026 10:00:00 -0300", want: "2026-10-01T13:00:00Z"},
		{name: "Dutch", text: "wo, 04 mrt 2026 10:00:00 +0100", want: "2026-03-04T09:00:00Z"},
		{name: "Russian", text: "5 января 2026 10:00 MSK", want: "2026-01-05T07:00:00Z"},
		{name: "Japanese", text: "2026年1月5日 10:00", want: "2026-01-05T10:00:00Z", zoneless: true},
		{name: "blanks around", text: "\n  Mon, 05 Jan 2026 10:00:00 GMT\t", want: "2026-01-05T10:00:00Z"},
		{name: "empty", text: "  "},
		{name: "words", text: "yesterday"},
		{name: "a lone year", text: "2026"},
		{name: "30 February", text: "30 Feb 2026 10:00:00 GMT"},
		{name: "29 February of a leap year", text: "29 Feb 2028 10:00:00 GMT", want: "2028-02-29T10:00:00Z"},
		{name: "25 o'clock", text: "Mon, 05 Jan 2026 25:00:00 GMT"},
		{name: "minute 61", text: "Mon, 05 Jan 2026 10:61:00 GMT"},
		{name: "an offset of 15 hours", text: "Mon, 05 Jan 2026 10:00:00 +1500"},
		{name: "two times", text: "Mon, 05 Jan 2026 10:00:00 11:00:00 GMT"},
		{name: "too long", text: "Mon, 05 Jan 2026 10:00:00 GMT" + string(make([]byte, MaxLength))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at, zoned, ok := Parse(c.text, c.zone)
			got := ""
			if ok {
				got = at.Format(time.RFC3339Nano)
			}
			if got != c.want {
				t.Fatalf("Parse(%q) = %q, want %q", c.text, got, c.want)
			}
			if ok && zoned == c.zoneless {
				t.Errorf("Parse(%q): zoned is %v", c.text, zoned)
			}
		})
	}
}

// FuzzParse holds that whatever is read is in UTC, and is read again from its own RFC 3339 form.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"Mon, 05 Jan 2026 10:00:00 +0100", "2026-01-05T10:00:00Z", "1767607200", "1/5/2026 3:04 PM",
		"mar. 3 mars 2026 à 10h30", "05.01.2026, 10.30 Uhr", "2026年1月5日", "20260105T101500", "((", "+-+1 :", "5 Jan -1"} {
		f.Add(s)
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, _, ok := Parse(s, paris)
		if !ok {
			return
		}
		if at.Location() != time.UTC {
			t.Fatalf("Parse(%q) is not in UTC", s)
		}
		if y := at.Year(); y < 0 || y > 10000 {
			t.Fatalf("Parse(%q) gives the year %d", s, y)
		}
		if at.Year() > 0 && at.Year() < 9999 {
			again, zoned, ok := Parse(at.Format(time.RFC3339Nano), nil)
			if !ok || !zoned || !again.Equal(at) {
				t.Fatalf("Parse(%q) = %s, which is read again as %s", s, at, again)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, s := range []string{"Thu, 19 Nov 2026 10:15:00 +0000", "2026-11-19T10:15:00Z", "jeu. 19 nov. 2026 10:15:00 +0100"} {
		b.Run(s, func(b *testing.B) {
			for b.Loop() {
				if _, _, ok := Parse(s, nil); !ok {
					b.Fatal(s)
				}
			}
		})
	}
}

package scheduler

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/robfig/cron/v3"
)

// checkSentence holds what is promised of every error text: one printable line that names the place within the text.
func checkSentence(t *testing.T, text string, err error) {
	t.Helper()
	var bad *SyntaxError
	if !errors.As(err, &bad) {
		t.Fatalf("%q: the error is a %T", text, err)
	}
	if bad.Text != text || bad.Problem == "" || bad.Fix == "" || bad.Column < 0 || bad.Column > utf8.RuneCountInString(text)+1 {
		t.Errorf("%q: %+v", text, bad)
	}
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if sentence := bad.Error(); !utf8.ValidString(sentence) || strings.IndexFunc(sentence, unprintable) >= 0 || len(sentence) > 1500 {
		t.Errorf("%q: the sentence is %q", text, sentence)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"0 7 * * mon-fri", "*/5 * * * *", "1,10-12,50/5 8,20 1-7 jan-mar,dec fri-mon", "0 0 29 2 *", "0 9 31 2 *", "0 7 13 * 5", "0 7 ? * 7",
		"0 7 L * 5#3", "6-1 22-6 15W nov-feb 0-7/2", "@daily", "@every 1h30m", "@every -1h", "@every 9223372036s", "@reboot", "0 0 7 * * ? 2027",
		"CRON_TZ=Europe/Paris 30 2 * * *", "TZ=Pacific/Apia 0 9 30 12 *", "TZ=", "CRON_TZ= ", "TZ=Europe/Pari 0 7 * * *", "TZ=\x00 *", "\xff 7 * * *", "+1 -0 */0 , *",
	} {
		f.Add(seed)
	}
	paris := mustZone(f, "Europe/Paris")
	f.Fuzz(func(t *testing.T, expr string) {
		spec, err := Parse(expr, paris)
		if err != nil {
			checkSentence(t, expr, err)
			return
		}
		again, err := Parse(spec.String(), time.UTC)
		if err != nil || again.String() != spec.String() {
			t.Fatalf("%q is written as %q, which is read as %q (%v)", expr, spec, again, err)
		}
		if own, err := cron.ParseStandard(spec.Expression()); err == nil {
			if s, ok := own.(*cron.SpecSchedule); ok && newCalendar(s) != spec.cal {
				t.Fatalf("%q means %+v, robfig/cron reads %+v", expr, spec.cal, s)
			}
		}
		for _, from := range []int64{-4_000_000_000, 0, 1_774_700_000, 3_981_000_000} { // the last is before 29 February 2096
			after := time.Unix(from, 0)
			for range 3 {
				o, ok := spec.Next(after)
				if !ok || !o.At.After(after) || o.Key == "" || spec.Count(after, o.At) != 1 {
					t.Fatalf("%q after %v: %+v, %v, counted %d", expr, after, o, ok, spec.Count(after, o.At))
				}
				if n := spec.Count(after, o.At.Add(-1)); n != 0 {
					t.Fatalf("%q: counted %d between %v and its next occurrence", expr, n, after)
				}
				after = o.At
			}
		}
	})
}

func FuzzParseHours(f *testing.F) {
	for _, seed := range []string{
		"08:00-22:00", "mon-fri 07:00-23:00", "mon,wed 22:00-06:30, sat-sun 00:00-24:00", "fri-mon 9:00 - 10:00", "00:00-12:00,12:00-24:00",
		"", ",", "mon", "24:00-06:00", "07:00-07:00", "07:00–23:00", "000\xe500", "mon 07:00-12:00, 14:00-18:00", "\xff 07:00-08:00", "99999999999:00-1:00", "tues 07:00-08:00",
	} {
		f.Add(seed, int64(1_774_700_000))
	}
	paris := mustZone(f, "Europe/Paris")
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		ws, err := ParseHours(text)
		if err != nil {
			checkSentence(t, text, err)
			return
		}
		if again, err := ParseHours(ws.String()); err != nil || again.String() != ws.String() {
			t.Fatalf("%q is written as %q, which is read as %q (%v)", text, ws, again, err)
		}
		at := time.Unix(unix%250_000_000_000, 0).UTC()
		ws = ws.In(paris)
		end := ws.End(at)
		if !end.IsZero() && (end.Before(at) || ws.Covers(end) || end.Equal(at) == ws.Covers(at)) {
			t.Fatalf("%q at %v: End is %v", text, at, end)
		}
		if start, ok := ws.Start(at); ok && (start.Before(at) || !ws.Covers(start) || start.After(at) && ws.Covers(start.Add(-1))) {
			t.Fatalf("%q at %v: Start is %v", text, at, start)
		}
	})
}

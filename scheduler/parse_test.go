package scheduler

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestParseAccepts compares what an expression means with a plainer way to write it.
func TestParseAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, expr string
		means      string // a plain expression with the same occurrences
		kind       Kind
		written    string // Expression()
	}{
		{"plain", "0 7 * * *", "0 7 * * *", FixedHour, "0 7 * * *"},
		{"leading zeros", "05 07 01 06 *", "5 7 1 6 *", FixedHour, "05 07 01 06 *"},
		{"white space", "\t0  7 * *\u00a0* ", "0 7 * * *", FixedHour, "0 7 * * *"},
		{"day name", "0 7 * * MON", "0 7 * * 1", FixedHour, "0 7 * * mon"},
		{"day names", "0 7 * * Sat,sun", "0 7 * * 0,6", FixedHour, "0 7 * * sat,sun"},
		{"month names", "0 7 1 JAN-mar,Dec *", "0 7 1 1,2,3,12 *", FixedHour, "0 7 1 jan-mar,dec *"},
		{"7 is Sunday", "0 7 * * 7", "0 7 * * 0", FixedHour, "0 7 * * 7"},
		{"range to 7", "0 7 * * 5-7", "0 7 * * 0,5,6", FixedHour, "0 7 * * 5-7"},
		{"range from 7", "0 7 * * 7-2", "0 7 * * 0,1,2", FixedHour, "0 7 * * 7-2"},
		{"7 to 7", "0 7 * * 7-7", "0 7 * * 0", FixedHour, "0 7 * * 7-7"},
		{"0 to 7", "0 7 * * 0-7", "0 7 * * *", FixedHour, "0 7 * * 0-7"},
		{"names over the week's end", "0 7 * * fri-mon", "0 7 * * 0,1,5,6", FixedHour, "0 7 * * fri-mon"},
		{"numbers over the week's end", "0 7 * * 6-1", "0 7 * * 0,1,6", FixedHour, "0 7 * * 6-1"},
		{"step over the week's end", "0 7 * * fri-mon/2", "0 7 * * 0,5", FixedHour, "0 7 * * fri-mon/2"},
		{"over the year's end", "0 7 1 nov-feb *", "0 7 1 1,2,11,12 *", FixedHour, "0 7 1 nov-feb *"},
		{"month 7 is July", "0 7 1 7-2 *", "0 7 1 1,2,7,8,9,10,11,12 *", FixedHour, "0 7 1 7-2 *"},
		{"one day as a range", "0 7 * * wed-wed", "0 7 * * 3", FixedHour, "0 7 * * wed-wed"},
		{"step", "*/20 7 * * *", "0,20,40 7 * * *", FixedHour, "*/20 7 * * *"},
		{"step that divides nothing", "*/45 7 * * *", "0,45 7 * * *", FixedHour, "*/45 7 * * *"},
		{"step of a range", "10-30/10 7 * * *", "10,20,30 7 * * *", FixedHour, "10-30/10 7 * * *"},
		{"step from a value", "5/25 7 * * *", "5,30,55 7 * * *", FixedHour, "5/25 7 * * *"},
		{"list of everything", "1,10-12,50/5 8,20 * * *", "1,10,11,12,50,55 8,20 * * *", FixedHour, "1,10-12,50/5 8,20 * * *"},
		{"question marks", "0 7 ? * ?", "0 7 * * *", FixedHour, "0 7 ? * ?"},
		{"either day matches", "0 7 13 * fri", "0 7 13 * 5", FixedHour, "0 7 13 * fri"},
		{"*/1 does not restrict", "0 7 */1 * fri", "0 7 * * 5", FixedHour, "0 7 */1 * fri"},
		{"? does not restrict", "0 7 ? * fri", "0 7 * * 5", FixedHour, "0 7 ? * fri"},
		{"29 February", "0 7 29 2 *", "0 7 29 2 *", FixedHour, "0 7 29 2 *"},
		{"31 in some months", "0 7 31 4,5 *", "0 7 31 5 *", FixedHour, "0 7 31 4,5 *"},
		{"31 February or Monday", "0 7 31 2 mon", "0 7 31 2 1", FixedHour, "0 7 31 2 mon"},
		{"all hours but one", "0 0-22 * * *", "0 0-22 * * *", FixedHour, "0 0-22 * * *"},
		{"all hours", "0 0-23 * * *", "0 * * * *", RealTime, "0 0-23 * * *"},
		{"all hours in two", "0 0-11,12-23 * * *", "0 * * * *", RealTime, "0 0-11,12-23 * * *"},
		{"every minute", "* * * * *", "0-59 * * * *", RealTime, "* * * * *"},
		{"hourly", "@hourly", "0 * * * *", RealTime, "@hourly"},
		{"daily", "@daily", "0 0 * * *", FixedHour, "@daily"},
		{"midnight", "@midnight", "0 0 * * *", FixedHour, "@midnight"},
		{"weekly", "@Weekly", "0 0 * * 0", FixedHour, "@weekly"},
		{"monthly", "@monthly", "0 0 1 * *", FixedHour, "@monthly"},
		{"yearly", "@yearly", "0 0 1 1 *", FixedHour, "@yearly"},
		{"annually", "@annually", "0 0 1 1 *", FixedHour, "@annually"},
		{"interval", "@every 90m", "@every 1h30m", Interval, "@every 90m"},
		{"interval with a name in capitals", "@Every 1h", "@every 3600s", Interval, "@every 1h"},
	}
	berlin := mustZone(t, "Europe/Berlin")
	from := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			spec, plain := mustParse(t, test.expr, berlin), mustParse(t, test.means, berlin)
			if got, want := first(spec, from, 300), first(plain, from, 300); !cmp.Equal(got, want) {
				t.Errorf("%q does not mean %q: %s", test.expr, test.means, cmp.Diff(want, got))
			}
			if spec.Kind() != test.kind || spec.Expression() != test.written || spec.String() != "CRON_TZ=Europe/Berlin "+test.written {
				t.Errorf("got %s of kind %s, want %s of kind %s", spec, spec.Kind(), test.written, test.kind)
			}
			again := mustParse(t, spec.String(), time.UTC)
			if again.String() != spec.String() || !cmp.Equal(first(again, from, 20), first(spec, from, 20)) {
				t.Errorf("%q, read again, is %q", spec, again)
			}
		})
	}
}

func first(s Spec, after time.Time, n int) []time.Time {
	var found []time.Time
	for o := range s.Between(after, after.AddDate(100, 0, 0)) {
		if found = append(found, o.At); len(found) == n {
			break
		}
	}
	return found
}

func TestParseZonePrefix(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	want := time.Date(2026, 6, 1, 22, 0, 0, 0, time.UTC) // 07:00 in Tokyo on the second
	for _, expr := range []string{"CRON_TZ=Asia/Tokyo 0 7 * * *", "TZ=Asia/Tokyo 0 7 * * *", "  CRON_TZ=Asia/Tokyo\t0 7 * * *"} {
		for _, zone := range []*time.Location{time.UTC, mustZone(t, "Europe/Paris"), nil} {
			spec := mustParse(t, expr, zone)
			if o, ok := spec.Next(from); !ok || !o.At.Equal(want) || spec.Zone().String() != "Asia/Tokyo" {
				t.Errorf("%q: next is %v in %v, want %v", expr, o.At, spec.Zone(), want)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, want string }{
		{"", `cron "": the expression is empty; write five fields, such as 0 7 * * mon-fri`},
		{" \t", `cron " \t": the expression is empty; write five fields, such as 0 7 * * mon-fri`},
		{"0 7 * *", `cron "0 7 * *": there are 4 fields; five are needed: minute, hour, day of month, month, day of week`},
		{"7", `cron "7": there is one field; five are needed: minute, hour, day of month, month, day of week`},
		{"0 0 7 * * *", `cron "0 0 7 * * *", column 1: there are six fields, and seconds are not supported; leave the first one out: "0 7 * * *"`},
		{"0 7 * * * 2027", `cron "0 7 * * * 2027", column 11: there are six fields, and years are not supported; leave the last one out: "0 7 * * *"`},
		{"0 0 7 * * ? 2027", `cron "0 0 7 * * ? 2027", column 11: there are 7 fields; five are needed: minute, hour, day of month, month, day of week`},
		{strings.Repeat("1,", 250), `cron "` + strings.Repeat("1,", 40) + `…": the expression is 500 bytes long; 400 are allowed`},

		{"60 7 * * *", `cron "60 7 * * *", column 1: minute 60 is out of range; minutes run from 0 to 59`},
		{"0 24 * * *", `cron "0 24 * * *", column 3: hour 24 is out of range; hours run from 0, midnight, to 23`},
		{"0 7 0 * *", `cron "0 7 0 * *", column 5: day of month 0 is out of range; days of the month run from 1 to 31`},
		{"0 7 1,32 * *", `cron "0 7 1,32 * *", column 7: day of month 32 is out of range; days of the month run from 1 to 31`},
		{"0 7 * 13 *", `cron "0 7 * 13 *", column 7: month 13 is out of range; months run from 1 to 12 or from jan to dec`},
		{"0 7 * * 8", `cron "0 7 * * 8", column 9: day of week 8 is out of range; days of the week run from 0, Sunday, to 6, Saturday, or from sun to sat, and 7 is Sunday too`},
		{"99999999999999999999 7 * * *", `cron "99999999999999999999 7 * * *", column 1: minute 999999999999… is out of range; minutes run from 0 to 59`},
		{"-5 7 * * *", `cron "-5 7 * * *", column 1: "-5" is no range; a range has a beginning, one hyphen and an end, such as 1-5`},
		{"5- 7 * * *", `cron "5- 7 * * *", column 1: "5-" is no range; a range has a beginning, one hyphen and an end, such as 1-5`},
		{"0 7 * * mon-", `cron "0 7 * * mon-", column 9: "mon-" is no range; a range has a beginning, one hyphen and an end, such as mon-fri`},
		{"0 1-5-9 * * *", `cron "0 1-5-9 * * *", column 7: "1-5-9" has more than one hyphen; a range has a beginning, one hyphen and an end, such as 1-5`},
		{"50-10 7 * * *", `cron "50-10 7 * * *", column 1: the range 50-10 runs backwards; write 50-59,0-10 to go over the end`},
		{"0 22-6 * * *", `cron "0 22-6 * * *", column 3: the range 22-6 runs backwards; write 22-23,0-6 to go over the end`},
		{"0 7 28-3 * *", `cron "0 7 28-3 * *", column 5: the range 28-3 runs backwards; write 28-31,1-3 to go over the end`},
		{"0,,5 7 * * *", `cron "0,,5 7 * * *", column 3: the list has an empty item; write the values with one comma between them`},
		{", 7 * * *", `cron ", 7 * * *", column 1: the list has an empty item; write the values with one comma between them`},
		{"*,5 7 * * *", `cron "*,5 7 * * *", column 1: * already means all minutes, so nothing can stand beside it; write * alone, or the list without it`},
		{"+5 7 * * *", `cron "+5 7 * * *", column 1: "+5" is no minute; minutes run from 0 to 59`},
		{"0 7.5 * * *", `cron "0 7.5 * * *", column 3: "7.5" is no hour; hours run from 0, midnight, to 23`},
		{"*5 7 * * *", `cron "*5 7 * * *", column 1: "*5" is no minute; write * alone, or with a step, such as */2`},
		{"*-5 7 * * *", `cron "*-5 7 * * *", column 1: "*" is no minute; write * alone, or with a step, such as */2`},
		{"é 7 * * *", `cron "é 7 * * *", column 1: "é" is no minute; minutes run from 0 to 59`},
		{"1,2,é,x 7 * * *", `cron "1,2,é,x 7 * * *", column 5: "é" is no minute; minutes run from 0 to 59`},

		{"*/0 7 * * *", `cron "*/0 7 * * *", column 3: a step of 0 leads nowhere; write 1 or more`},
		{"*/ 7 * * *", `cron "*/ 7 * * *", column 3: the step "" is no number; write it like */15`},
		{"*/-5 7 * * *", `cron "*/-5 7 * * *", column 3: the step "-5" is no number; write it like */15`},
		{"*/5/2 7 * * *", `cron "*/5/2 7 * * *", column 5: "*/5/2" has more than one slash; write one step, such as */15`},
		{"*/90 * * * *", `cron "*/90 * * * *", column 3: a step of 90 reaches beyond the field minute; write at most 59, or an interval, such as @every 90m`},
		{"0 */36 * * *", `cron "0 */36 * * *", column 5: a step of 36 reaches beyond the field hour; write at most 23, or an interval, such as @every 36h`},
		{"0 7 * */13 *", `cron "0 7 * */13 *", column 9: a step of 13 reaches beyond the field month; write at most 12`},
		{"0 7 * * 7/2", `cron "0 7 * * 7/2", column 9: the step after 7 leads nowhere; write 0/2 to count from Sunday`},

		{"0 7 * * monday", `cron "0 7 * * monday", column 9: "monday" is no day of week; write mon`},
		{"0 7 * janv *", `cron "0 7 * janv *", column 7: "janv" is no month; write jan`},
		{"0 7 * * lun", `cron "0 7 * * lun", column 9: "lun" is no day of week; days of the week run from 0, Sunday, to 6, Saturday, or from sun to sat, and 7 is Sunday too`},
		{"0 7 mon-fri * *", `cron "0 7 mon-fri * *", column 5: "mon" stands in the field day of month; the fields are minute, hour, day of month, month, day of week`},
		{"0 7 * mon *", `cron "0 7 * mon *", column 7: "mon" stands in the field month; the fields are minute, hour, day of month, month, day of week`},
		{"0 7 L * *", `cron "0 7 L * *", column 5: L (the last day) is not supported; write a date, such as 28, or 1 for the first day of the next month`},
		{"0 7 * * 5L", `cron "0 7 * * 5L", column 9: L (the last day) is not supported; write a date, such as 28, or 1 for the first day of the next month`},
		{"0 7 * * friL", `cron "0 7 * * friL", column 9: L (the last day) is not supported; write a date, such as 28, or 1 for the first day of the next month`},
		{"0 7 15W * *", `cron "0 7 15W * *", column 5: W (the nearest working day) is not supported; list the dates or the days of the week`},
		{"0 7 LW * *", `cron "0 7 LW * *", column 5: W (the nearest working day) is not supported; list the dates or the days of the week`},
		{"0 7 * * mon#2", `cron "0 7 * * mon#2", column 9: # (the n-th weekday of a month) is not supported; list the days of the week or the dates`},
		{"0 7 * * 1#2", `cron "0 7 * * 1#2", column 9: # (the n-th weekday of a month) is not supported; list the days of the week or the dates`},
		{"? 7 * * *", `cron "? 7 * * *", column 1: ? has no meaning in the field minute; write *`},
		{"0 7 * ? *", `cron "0 7 * ? *", column 7: ? has no meaning in the field month; write *`},
		{"0 7 1,? * *", `cron "0 7 1,? * *", column 7: ? already means all days of the month, so nothing can stand beside it; write * alone, or the list without it`},
		{"0 7 ?/2 * *", `cron "0 7 ?/2 * *", column 5: "?" is no day of month; days of the month run from 1 to 31`},
		{"H 7 * * *", `cron "H 7 * * *", column 1: "H" is no minute; minutes run from 0 to 59`},

		{"0 9 31 2 *", `cron "0 9 31 2 *", column 5: February has no day 31, so this would never fire; write a day up to 29, or another month`},
		{"0 9 30 2 *", `cron "0 9 30 2 *", column 5: February has no day 30, so this would never fire; write a day up to 29, or another month`},
		{"0 9 30,31 feb *", `cron "0 9 30,31 feb *", column 5: February has no day 30, so this would never fire; write a day up to 29, or another month`},
		{"0 9 31 4,6,9,11 ?", `cron "0 9 31 4,6,9,11 ?", column 5: April, June, September and November have no day 31, so this would never fire; write a day up to 30, or another month`},
		{"TZ=UTC 0 9 31 sep *", `cron "TZ=UTC 0 9 31 sep *", column 12: September has no day 31, so this would never fire; write a day up to 30, or another month`},

		{"@reboot", `cron "@reboot", column 1: a restart is no time, so @reboot is not supported; write a time, such as @daily or 0 7 * * mon-fri`},
		{"@dayly", `cron "@dayly", column 1: "@dayly" is not known; did you mean @daily?`},
		{"@5m", `cron "@5m", column 1: "@5m" is not known; known are @annually, @daily, @every, @hourly, @midnight, @monthly, @weekly, @yearly`},
		{"@daily 7", `cron "@daily 7", column 8: nothing may follow @daily; write @daily alone, or five fields, such as 0 7 * * mon-fri`},
		{"daily", `cron "daily", column 1: daily needs an @ before it; write "@daily"`},
		{"every 5m", `cron "every 5m", column 1: every needs an @ before it; write "@every 5m"`},
		{"@every", `cron "@every": the interval after @every is missing; write it like @every 15m`},
		{"@every 1d", `cron "@every 1d", column 8: "1d" is no length of time; write it with h, m and s, such as @every 15m, @every 1h30m or @every 24h`},
		{"@every 5", `cron "@every 5", column 8: "5" is no length of time; write it with h, m and s, such as @every 15m, @every 1h30m or @every 24h`},
		{"@every 1h 30m", `cron "@every 1h 30m", column 8: the interval has a space in it; write "@every 1h30m"`},
		{"@every -1h", `cron "@every -1h", column 8: an interval of "-1h" goes backwards; write a positive one, such as @every 15m`},
		{"@every 0s", `cron "@every 0s", column 8: an interval of "0s" is too short; the shortest is @every 1s`},
		{"@every 10ms", `cron "@every 10ms", column 8: an interval of "10ms" is too short; the shortest is @every 1s`},
		{"@every 1.5s", `cron "@every 1.5s", column 8: an interval of "1.5s" is not a whole number of seconds; write @every 1s`},

		{"TZ=", `cron "TZ=", column 1: the zone after TZ= is missing; write TZ=Europe/Paris 0 7 * * mon-fri`},
		{"CRON_TZ=", `cron "CRON_TZ=", column 1: the zone after CRON_TZ= is missing; write CRON_TZ=Europe/Paris 0 7 * * mon-fri`},
		{"CRON_TZ= 0 7 * * *", `cron "CRON_TZ= 0 7 * * *", column 1: the zone after CRON_TZ= is missing; write CRON_TZ=Europe/Paris 0 7 * * mon-fri`},
		{"TZ=0", `cron "TZ=0", column 4: time zone "0" is unknown; name a place, such as Europe/Paris, or UTC`},
		{"CRON_TZ=Europe/Paris", `cron "CRON_TZ=Europe/Paris": the fields after the zone are missing; write CRON_TZ=Europe/Paris 0 7 * * mon-fri`},
		{"CRON_TZ=Europe/Pari 0 7 * * *", `cron "CRON_TZ=Europe/Pari 0 7 * * *", column 9: time zone "Europe/Pari" is unknown; did you mean Europe/Paris?`},
		{"TZ=Local 0 7 * * *", `cron "TZ=Local 0 7 * * *", column 4: time zone "Local" means something else on every machine; name a place, such as Europe/Paris, or UTC`},
		{"tz=Europe/Paris 0 7 * * *", `cron "tz=Europe/Paris 0 7 * * *", column 1: "tz=" is not known here; a zone is written before the fields: CRON_TZ=Europe/Paris 0 7 * * mon-fri`},
		{"0 7 * * * TZ=Europe/Paris", `cron "0 7 * * * TZ=Europe/Paris", column 11: the zone stands after the fields; write it first: CRON_TZ=Europe/Paris 0 7 * * mon-fri`},
	}
	for _, test := range tests {
		t.Run(test.expr, func(t *testing.T) {
			t.Parallel()
			spec, err := Parse(test.expr, time.UTC)
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Fatalf("%q was accepted as %v (%v)", test.expr, spec, err)
			}
			if got := err.Error(); got != test.want {
				t.Errorf("the sentence is\n  %s\nwant\n  %s", got, test.want)
			}
		})
	}
}

func TestParseNeedsAZone(t *testing.T) {
	t.Parallel()
	const want = `cron "0 7 * * *": the expression stands in no zone; give the schedule one, such as Europe/Paris`
	for _, zone := range []*time.Location{nil, time.Local} {
		if _, err := Parse("0 7 * * *", zone); err == nil || err.Error() != want {
			t.Errorf("zone %v: got %v, want %s", zone, err, want)
		}
	}
}

func TestSyntaxErrorFields(t *testing.T) {
	t.Parallel()
	_, err := Parse("0 7 * * mon,frid", time.UTC)
	want := &SyntaxError{What: "cron", Text: "0 7 * * mon,frid", Field: "day of week", Column: 13, Problem: `"frid" is no day of week`, Fix: "write fri"}
	if diff := cmp.Diff(want, err); diff != "" {
		t.Error(diff)
	}
}

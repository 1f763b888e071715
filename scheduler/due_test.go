package scheduler

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// told writes a decision for comparison; the times are in UTC.
func told(d Decision) []string {
	var out []string
	for _, f := range d.Fire {
		line := "fire " + f.Key
		if f.Late {
			line += " late"
		}
		if f.Covers > 0 {
			line += fmt.Sprint(" for ", f.Covers)
		}
		out = append(out, line)
	}
	for _, m := range d.Missed {
		out = append(out, fmt.Sprintf("missed %s %s", m.Key, m.Reason))
	}
	if d.MissedMore > 0 {
		out = append(out, fmt.Sprint("missed more ", d.MissedMore))
	}
	out = append(out, "checked "+d.CheckedUntil.Format("2006-01-02T15:04:05"), "look "+d.NextLook.Format("2006-01-02T15:04:05"))
	if d.ClockBack != 0 {
		out = append(out, "clock back "+d.ClockBack.String())
	}
	return out
}

func TestDue(t *testing.T) {
	t.Parallel()
	night := mustHours(t, "22:00-06:30", nil)
	silence := Window{From: instant(t, "2026-06-13T00:00:00Z"), To: instant(t, "2026-06-14T18:00:00Z")}
	daily := "CRON_TZ=UTC 0 7 * * *"
	tests := []struct {
		name      string
		spec      string
		catchUp   CatchUp
		window    time.Duration
		late      time.Duration
		maxAll    int
		blackouts []Window
		from, now string
		want      []string
	}{
		{name: "nothing due", spec: daily, from: "2026-06-01T07:00:00Z", now: "2026-06-01T12:00:00Z",
			want: []string{"checked 2026-06-01T12:00:00", "look 2026-06-02T07:00:00"}},
		{name: "on the second", spec: daily, from: "2026-06-01T06:00:00Z", now: "2026-06-01T07:00:00Z",
			want: []string{"fire 2026-06-01T07:00", "checked 2026-06-01T07:00:00", "look 2026-06-02T07:00:00"}},
		{name: "already looked at", spec: daily, from: "2026-06-01T07:00:00Z", now: "2026-06-01T07:00:30Z",
			want: []string{"checked 2026-06-01T07:00:30", "look 2026-06-02T07:00:00"}},
		{name: "the same look again", spec: daily, from: "2026-06-01T07:00:00Z", now: "2026-06-01T07:00:00Z",
			want: []string{"checked 2026-06-01T07:00:00", "look 2026-06-02T07:00:00"}},
		{name: "a minute late is on time", spec: daily, from: "2026-06-01T06:00:00Z", now: "2026-06-01T07:01:00Z",
			want: []string{"fire 2026-06-01T07:00", "checked 2026-06-01T07:01:00", "look 2026-06-02T07:00:00"}},
		{name: "more is not", spec: daily, from: "2026-06-01T06:00:00Z", now: "2026-06-01T07:01:01Z",
			want: []string{"missed 2026-06-01T07:00 downtime", "checked 2026-06-01T07:01:01", "look 2026-06-02T07:00:00"}},
		{name: "another tolerance", spec: daily, late: 5 * time.Minute, from: "2026-06-01T06:00:00Z", now: "2026-06-01T07:05:00Z",
			want: []string{"fire 2026-06-01T07:00", "checked 2026-06-01T07:05:00", "look 2026-06-02T07:00:00"}},
		{name: "no tolerance", spec: daily, late: -1, from: "2026-06-01T06:00:00Z", now: "2026-06-01T07:00:01Z",
			want: []string{"missed 2026-06-01T07:00 downtime", "checked 2026-06-01T07:00:01", "look 2026-06-02T07:00:00"}},
		{name: "a new schedule owes nothing", spec: daily, catchUp: CatchUpAll, window: 1000 * time.Hour, now: "2026-06-01T12:00:00Z",
			want: []string{"checked 2026-06-01T12:00:00", "look 2026-06-02T07:00:00"}},
		{name: "an unknown way to catch up is none", spec: daily, catchUp: "first", window: 24 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-01T08:00:00Z",
			want: []string{"missed 2026-06-01T07:00 downtime", "checked 2026-06-01T08:00:00", "look 2026-06-02T07:00:00"}},
		{name: "the zero schedule", from: "2026-06-01T06:00:00Z", now: "2026-06-01T07:00:00Z",
			want: []string{"checked 2026-06-01T07:00:00", "look 0001-01-01T00:00:00"}},

		{name: "one missed, none", spec: daily, catchUp: CatchUpNone, window: 3 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-01T09:00:00Z",
			want: []string{"missed 2026-06-01T07:00 downtime", "checked 2026-06-01T09:00:00", "look 2026-06-02T07:00:00"}},
		{name: "one missed, last", spec: daily, catchUp: CatchUpLast, window: 3 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-01T10:00:00Z",
			want: []string{"fire 2026-06-01T07:00 late for 1", "checked 2026-06-01T10:00:00", "look 2026-06-02T07:00:00"}},
		{name: "one missed, last, too late", spec: daily, catchUp: CatchUpLast, window: 3 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-01T10:00:01Z",
			want: []string{"missed 2026-06-01T07:00 window", "checked 2026-06-01T10:00:01", "look 2026-06-02T07:00:00"}},
		{name: "one missed, all", spec: daily, catchUp: CatchUpAll, window: 3 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-01T09:00:00Z",
			want: []string{"fire 2026-06-01T07:00 late for 1", "checked 2026-06-01T09:00:00", "look 2026-06-02T07:00:00"}},
		{name: "four missed, last, two of them in the window", spec: daily, catchUp: CatchUpLast, window: 36 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-04T12:00:00Z",
			want: []string{"fire 2026-06-04T07:00 late for 2", "missed 2026-06-01T07:00 window", "missed 2026-06-02T07:00 window", "missed 2026-06-03T07:00 superseded",
				"checked 2026-06-04T12:00:00", "look 2026-06-05T07:00:00"}},
		{name: "four missed, all, two of them in the window", spec: daily, catchUp: CatchUpAll, window: 36 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-04T12:00:00Z",
			want: []string{"fire 2026-06-03T07:00 late for 1", "fire 2026-06-04T07:00 late for 1", "missed 2026-06-01T07:00 window", "missed 2026-06-02T07:00 window",
				"checked 2026-06-04T12:00:00", "look 2026-06-05T07:00:00"}},
		{name: "one on time stands for those before it", spec: daily, catchUp: CatchUpLast, window: 36 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-03T07:00:10Z",
			want: []string{"fire 2026-06-03T07:00 for 1", "missed 2026-06-01T07:00 window", "missed 2026-06-02T07:00 superseded", "checked 2026-06-03T07:00:10", "look 2026-06-04T07:00:00"}},
		{name: "one on time among missed ones, none", spec: daily, catchUp: CatchUpNone, window: 36 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-03T07:00:10Z",
			want: []string{"fire 2026-06-03T07:00", "missed 2026-06-01T07:00 downtime", "missed 2026-06-02T07:00 downtime", "checked 2026-06-03T07:00:10", "look 2026-06-04T07:00:00"}},
		{name: "one on time after missed ones, all", spec: daily, catchUp: CatchUpAll, window: 36 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-03T07:00:10Z",
			want: []string{"fire 2026-06-02T07:00 late for 1", "fire 2026-06-03T07:00", "missed 2026-06-01T07:00 window", "checked 2026-06-03T07:00:10", "look 2026-06-04T07:00:00"}},
		{name: "all, bounded", spec: daily, catchUp: CatchUpAll, window: 1000 * time.Hour, maxAll: 2, from: "2026-06-01T06:00:00Z", now: "2026-06-05T12:00:00Z",
			want: []string{"fire 2026-06-04T07:00 late for 4", "fire 2026-06-05T07:00 late for 1",
				"missed 2026-06-01T07:00 superseded", "missed 2026-06-02T07:00 superseded", "missed 2026-06-03T07:00 superseded",
				"checked 2026-06-05T12:00:00", "look 2026-06-06T07:00:00"}},

		{name: "all, without a bound", spec: daily, catchUp: CatchUpAll, window: 1000 * time.Hour, maxAll: math.MaxInt, from: "2026-06-01T06:00:00Z", now: "2026-06-02T12:00:00Z",
			want: []string{"fire 2026-06-01T07:00 late for 1", "fire 2026-06-02T07:00 late for 1", "checked 2026-06-02T12:00:00", "look 2026-06-03T07:00:00"}},

		{name: "an hour forward", spec: "CRON_TZ=UTC 0,30 * * * *", catchUp: CatchUpLast, window: 15 * time.Minute, from: "2026-06-01T06:40:00Z", now: "2026-06-01T07:40:00Z",
			want: []string{"fire 2026-06-01T07:30:00Z late for 1", "missed 2026-06-01T07:00:00Z window", "checked 2026-06-01T07:40:00", "look 2026-06-01T08:00:00"}},
		{name: "an hour back", spec: daily, catchUp: CatchUpAll, window: 1000 * time.Hour, from: "2026-06-01T07:30:00Z", now: "2026-06-01T06:30:00Z",
			want: []string{"checked 2026-06-01T07:30:00", "look 2026-06-02T07:00:00", "clock back 1h0m0s"}},
		{name: "ten years back", spec: daily, catchUp: CatchUpAll, window: 1000 * time.Hour, from: "2036-06-01T07:30:00Z", now: "2026-06-01T07:30:00Z",
			want: []string{"checked 2036-06-01T07:30:00", "look 2036-06-02T07:00:00", "clock back 87672h0m0s"}},
		{name: "ten years forward, weekly", spec: "CRON_TZ=UTC @yearly", catchUp: CatchUpLast, window: 90 * 24 * time.Hour, from: "2033-06-01T00:00:00Z", now: "2036-02-01T00:00:00Z",
			want: []string{"fire 2036-01-01T00:00 late for 1", "missed 2034-01-01T00:00 window", "missed 2035-01-01T00:00 window", "checked 2036-02-01T00:00:00", "look 2037-01-01T00:00:00"}},

		{name: "the next one lies in a blackout", spec: daily, blackouts: []Window{silence}, from: "2026-06-12T07:00:00Z", now: "2026-06-12T12:00:00Z",
			want: []string{"checked 2026-06-12T12:00:00", "look 2026-06-14T18:00:00"}},
		{name: "a blackout before anything is due", spec: daily, blackouts: []Window{silence}, from: "2026-06-12T23:00:00Z", now: "2026-06-13T03:00:00Z",
			want: []string{"checked 2026-06-13T03:00:00", "look 2026-06-14T18:00:00"}},
		{name: "in the blackout nothing is decided", spec: daily, blackouts: []Window{silence}, catchUp: CatchUpAll, window: 1000 * time.Hour, from: "2026-06-13T03:00:00Z", now: "2026-06-13T07:00:00Z",
			want: []string{"checked 2026-06-13T03:00:00", "look 2026-06-14T18:00:00"}},
		{name: "a second before its end", spec: daily, blackouts: []Window{silence}, catchUp: CatchUpAll, window: 1000 * time.Hour, from: "2026-06-13T03:00:00Z", now: "2026-06-14T17:59:59Z",
			want: []string{"checked 2026-06-13T03:00:00", "look 2026-06-14T18:00:00"}},
		{name: "at its end, none", spec: daily, blackouts: []Window{silence}, catchUp: CatchUpNone, window: 1000 * time.Hour, from: "2026-06-13T03:00:00Z", now: "2026-06-14T18:00:00Z",
			want: []string{"missed 2026-06-13T07:00 blackout", "missed 2026-06-14T07:00 blackout", "checked 2026-06-14T18:00:00", "look 2026-06-15T07:00:00"}},
		{name: "at its end, last", spec: daily, blackouts: []Window{silence}, catchUp: CatchUpLast, window: 12 * time.Hour, from: "2026-06-13T03:00:00Z", now: "2026-06-14T18:00:00Z",
			want: []string{"fire 2026-06-14T07:00 late for 1", "missed 2026-06-13T07:00 window", "checked 2026-06-14T18:00:00", "look 2026-06-15T07:00:00"}},
		{name: "at its end, last, too late", spec: daily, blackouts: []Window{silence}, catchUp: CatchUpLast, window: 3 * time.Hour, from: "2026-06-13T03:00:00Z", now: "2026-06-14T18:00:00Z",
			want: []string{"missed 2026-06-13T07:00 window", "missed 2026-06-14T07:00 window", "checked 2026-06-14T18:00:00", "look 2026-06-15T07:00:00"}},
		{name: "at its end, all", spec: daily, blackouts: []Window{silence}, catchUp: CatchUpAll, window: 48 * time.Hour, from: "2026-06-13T03:00:00Z", now: "2026-06-14T18:00:00Z",
			want: []string{"fire 2026-06-13T07:00 late for 1", "fire 2026-06-14T07:00 late for 1", "checked 2026-06-14T18:00:00", "look 2026-06-15T07:00:00"}},
		{name: "due at the very end of a blackout", spec: "CRON_TZ=UTC 0 18 * * *", blackouts: []Window{silence}, from: "2026-06-14T12:00:00Z", now: "2026-06-14T18:00:00Z",
			want: []string{"fire 2026-06-14T18:00", "checked 2026-06-14T18:00:00", "look 2026-06-15T18:00:00"}},
		{name: "due at the very start of a blackout", spec: "CRON_TZ=UTC 0 0 * * *", blackouts: []Window{silence}, from: "2026-06-12T12:00:00Z", now: "2026-06-13T00:00:00Z",
			want: []string{"checked 2026-06-12T12:00:00", "look 2026-06-14T18:00:00"}},
		{name: "just before the end is still in it", spec: "CRON_TZ=UTC 59 17 * * *", blackouts: []Window{silence}, from: "2026-06-14T12:00:00Z", now: "2026-06-14T18:00:00Z",
			want: []string{"missed 2026-06-14T17:59 blackout", "checked 2026-06-14T18:00:00", "look 2026-06-15T17:59:00"}},
		{name: "due before a blackout, found in it", spec: daily, blackouts: []Window{{From: instant(t, "2026-06-01T07:00:30Z"), To: instant(t, "2026-06-01T08:00:00Z")}},
			catchUp: CatchUpLast, window: 3 * time.Hour, from: "2026-06-01T06:00:00Z", now: "2026-06-01T07:00:40Z",
			want: []string{"checked 2026-06-01T06:00:00", "look 2026-06-01T08:00:00"}},
		{name: "the night, then the morning after", spec: "CRON_TZ=Europe/Paris 0 */4 * * *", blackouts: night, catchUp: CatchUpLast, window: 12 * time.Hour, from: "2026-06-01T20:00:00Z", now: "2026-06-02T04:30:00Z",
			want: []string{"fire 2026-06-02T04:00 late for 2", "missed 2026-06-02T00:00 superseded", "checked 2026-06-02T04:30:00", "look 2026-06-02T06:00:00"}},
		{name: "adjoining blackouts are one", spec: daily, blackouts: append([]Window{{From: instant(t, "2026-06-12T06:00:00Z"), To: silence.From}, silence}, mustHours(t, "18:00-20:00", time.UTC)...),
			catchUp: CatchUpLast, window: 48 * time.Hour, from: "2026-06-12T00:00:00Z", now: "2026-06-13T01:00:00Z",
			want: []string{"checked 2026-06-12T00:00:00", "look 2026-06-14T20:00:00"}},
		{name: "paused", spec: daily, blackouts: []Window{{From: instant(t, "2026-06-01T00:00:00Z")}}, catchUp: CatchUpLast, window: 3 * time.Hour, from: "2026-06-01T00:00:00Z", now: "2026-06-05T12:00:00Z",
			want: []string{"checked 2026-06-01T00:00:00", "look 0001-01-01T00:00:00"}},
		{name: "resumed in time", spec: daily, blackouts: []Window{{From: instant(t, "2026-06-01T00:00:00Z"), To: instant(t, "2026-06-03T09:00:00Z")}}, catchUp: CatchUpLast, window: 3 * time.Hour,
			from: "2026-06-01T00:00:00Z", now: "2026-06-03T09:00:00Z",
			want: []string{"fire 2026-06-03T07:00 late for 1", "missed 2026-06-01T07:00 window", "missed 2026-06-02T07:00 window", "checked 2026-06-03T09:00:00", "look 2026-06-04T07:00:00"}},
		{name: "downtime over a blackout", spec: daily, blackouts: []Window{silence}, catchUp: CatchUpNone, from: "2026-06-12T00:00:00Z", now: "2026-06-15T12:00:00Z",
			want: []string{"missed 2026-06-12T07:00 downtime", "missed 2026-06-13T07:00 blackout", "missed 2026-06-14T07:00 blackout", "missed 2026-06-15T07:00 downtime",
				"checked 2026-06-15T12:00:00", "look 2026-06-16T07:00:00"}},
		{name: "one on time before a short blackout, one in it", spec: "CRON_TZ=UTC @every 20s", blackouts: []Window{{From: instant(t, "2026-06-01T07:00:30Z"), To: instant(t, "2026-06-01T07:00:50Z")}},
			catchUp: CatchUpLast, window: 3 * time.Hour, from: "2026-06-01T07:00:00Z", now: "2026-06-01T07:00:55Z",
			want: []string{"fire 2026-06-01T07:00:20Z", "fire 2026-06-01T07:00:40Z late for 1", "checked 2026-06-01T07:00:55", "look 2026-06-01T07:01:00"}},
		{name: "a digest in the gap, found late", spec: "CRON_TZ=Europe/Paris 30 2 * * *", catchUp: CatchUpLast, window: 3 * time.Hour, from: "2026-03-29T00:30:00Z", now: "2026-03-29T02:00:00Z",
			want: []string{"fire 2026-03-29T02:30 late for 1", "checked 2026-03-29T02:00:00", "look 2026-03-30T00:30:00"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rule := Rule{CatchUp: test.catchUp, Window: test.window, Late: test.late, MaxAll: test.maxAll, Blackouts: test.blackouts}
			if test.spec != "" {
				rule.Spec = mustParse(t, test.spec, time.UTC)
			}
			var from time.Time
			if test.from != "" {
				from = instant(t, test.from)
			}
			if got := told(rule.Due(from, instant(t, test.now))); !cmp.Equal(got, test.want) {
				t.Error(cmp.Diff(test.want, got))
			}
		})
	}
}

// TestDueAfterDowntime looks once after 1, 10 and 100 missed occurrences, and after ten years of minutes.
func TestDueAfterDowntime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		missed                                 int
		window                                 time.Duration // one hour without it
		catchUp                                CatchUp
		fired, covers, listed, more, tooLate   int
		oldestFired, newestFired, oldestListed int // numbers of occurrences, from 1
	}{
		{missed: 1, catchUp: CatchUpNone, listed: 1, oldestListed: 1},
		{missed: 1, catchUp: CatchUpLast, fired: 1, covers: 1, oldestFired: 1, newestFired: 1},
		{missed: 1, catchUp: CatchUpAll, fired: 1, covers: 1, oldestFired: 1, newestFired: 1},
		{missed: 10, catchUp: CatchUpNone, listed: 10, oldestListed: 1},
		{missed: 10, catchUp: CatchUpLast, fired: 1, covers: 10, listed: 9, oldestFired: 10, newestFired: 10, oldestListed: 1},
		{missed: 10, catchUp: CatchUpAll, fired: 10, covers: 10, oldestFired: 1, newestFired: 10},
		{missed: 100, catchUp: CatchUpNone, listed: 100, oldestListed: 1},
		{missed: 100, catchUp: CatchUpLast, fired: 1, covers: 60, listed: 99, tooLate: 40, oldestFired: 100, newestFired: 100, oldestListed: 1},
		{missed: 100, catchUp: CatchUpAll, fired: 60, covers: 60, listed: 40, tooLate: 40, oldestFired: 41, newestFired: 100, oldestListed: 1},
		{missed: 1000, window: 500 * time.Minute, catchUp: CatchUpLast, fired: 1, covers: 500, listed: 100, more: 899, oldestFired: 1000, newestFired: 1000, oldestListed: 900},
		{missed: 1000, window: 500 * time.Minute, catchUp: CatchUpAll, fired: 100, covers: 500, listed: 100, more: 800, oldestFired: 901, newestFired: 1000, oldestListed: 801},
		{missed: 5_259_600, catchUp: CatchUpNone, listed: 100, more: 5_259_500, oldestListed: 5_259_501},
		{missed: 5_259_600, catchUp: CatchUpLast, fired: 1, covers: 60, listed: 100, more: 5_259_499, tooLate: 41, oldestFired: 5_259_600, newestFired: 5_259_600, oldestListed: 5_259_500},
		{missed: 5_259_600, catchUp: CatchUpAll, fired: 60, covers: 60, listed: 100, more: 5_259_440, tooLate: 100, oldestFired: 5_259_541, newestFired: 5_259_600, oldestListed: 5_259_441},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d missed, %s, %v", test.missed, test.catchUp, test.window), func(t *testing.T) {
			t.Parallel()
			rule := Rule{Spec: mustParse(t, "* * * * *", mustZone(t, "Europe/Paris")), CatchUp: test.catchUp, Window: max(test.window, time.Hour), Late: -1}
			from := instant(t, "2026-06-01T00:00:00Z")
			now := from.Add(time.Duration(test.missed)*time.Minute + 30*time.Second)
			d := rule.Due(from, now)
			number := func(o Occurrence) int { return int(o.At.Sub(from) / time.Minute) }
			covers, tooLate := 0, 0
			for _, f := range d.Fire {
				covers += f.Covers
			}
			for _, m := range d.Missed {
				if m.Reason == TooLate {
					tooLate++
				}
			}
			if len(d.Fire) != test.fired || covers != test.covers || len(d.Missed) != test.listed || d.MissedMore != test.more || tooLate != test.tooLate {
				t.Errorf("fired %d for %d, listed %d (%d too late) and %d more, want %+v", len(d.Fire), covers, len(d.Missed), tooLate, d.MissedMore, test)
			}
			if test.fired > 0 && (number(d.Fire[0].Occurrence) != test.oldestFired || number(d.Fire[test.fired-1].Occurrence) != test.newestFired) {
				t.Errorf("fired %d to %d, want %d to %d", number(d.Fire[0].Occurrence), number(d.Fire[len(d.Fire)-1].Occurrence), test.oldestFired, test.newestFired)
			}
			if test.listed > 0 && number(d.Missed[0].Occurrence) != test.oldestListed {
				t.Errorf("listed from %d on, want %d", number(d.Missed[0].Occurrence), test.oldestListed)
			}
			if !d.CheckedUntil.Equal(now) || !d.NextLook.Equal(now.Add(30*time.Second)) {
				t.Errorf("checked until %v, look at %v", d.CheckedUntil, d.NextLook)
			}
		})
	}
}

// TestDueIsQuick holds the bound on work after a hundred years of downtime for schedules of every shape: visiting the
// occurrences would take the dense ones minutes.
func TestDueIsQuick(t *testing.T) {
	t.Parallel()
	from, now := instant(t, "2026-06-01T00:00:00Z"), instant(t, "2126-06-01T00:00:20Z")
	for _, expr := range []string{"* * * * *", "@every 1s", "* 0-22 * * *", "* * 1-15 1 *", "0 7 * * *", "* 9 29 2 *"} {
		for _, catchUp := range []CatchUp{CatchUpNone, CatchUpLast, CatchUpAll} {
			rule := Rule{Spec: mustParse(t, expr, mustZone(t, "Europe/Paris")), CatchUp: catchUp, Window: 1000 * 24 * time.Hour,
				Blackouts: mustHours(t, "mon-fri 22:00-06:30, sat 00:00-23:59", nil)}
			began := time.Now()
			d := rule.Due(from, now)
			if took := time.Since(began); took > time.Second {
				t.Errorf("%s, %s: took %v", expr, catchUp, took)
			}
			if d.NextLook.IsZero() || len(d.Fire)+len(d.Missed)+d.MissedMore != rule.Spec.Count(from, d.CheckedUntil) {
				t.Errorf("%s, %s: %d fired, %d and %d missed do not add up to %d", expr, catchUp, len(d.Fire), len(d.Missed), d.MissedMore, rule.Spec.Count(from, d.CheckedUntil))
			}
		}
	}
}

// TestDueReadsTheWallClock: a stored CheckedUntil must not compare by the monotonic clock, which does not see a jump.
func TestDueReadsTheWallClock(t *testing.T) {
	t.Parallel()
	rule := Rule{Spec: mustParse(t, "@hourly", time.UTC)}
	now := time.Now()
	for _, d := range []Decision{rule.Due(now, now.Add(time.Minute)), rule.Due(now, now.Add(-time.Minute)), rule.Due(time.Time{}, now)} {
		if d.CheckedUntil != d.CheckedUntil.Round(0) || d.CheckedUntil.Location() != time.UTC {
			t.Errorf("CheckedUntil is %v", d.CheckedUntil)
		}
	}
}

// TestChangedZone moves a schedule to other zones between looks: the keys keep each local day to one firing.
func TestChangedZone(t *testing.T) {
	t.Parallel()
	zones := []string{"Europe/Paris", "America/New_York", "Asia/Tokyo", "Pacific/Honolulu", "Pacific/Auckland", "Europe/Paris"}
	fired := make(map[string]int)
	refused := 0
	from := instant(t, "2026-06-01T00:00:00Z")
	for hour := range 24 * 60 {
		zone := mustZone(t, zones[hour/7%len(zones)]) // another zone every seven hours
		rule := Rule{Spec: mustParse(t, "0 7 * * *", zone), CatchUp: CatchUpLast, Window: 3 * time.Hour}
		now := instant(t, "2026-06-01T00:00:00Z").Add(time.Duration(hour) * time.Hour)
		d := rule.Due(from, now)
		for _, f := range d.Fire {
			if fired[f.Key] > 0 {
				refused++ // by the caller's unique key
				continue
			}
			fired[f.Key]++
		}
		from = d.CheckedUntil
	}
	if refused == 0 {
		t.Error("no local day came due in two zones, so this test shows nothing")
	}
	days := make(map[string]int)
	for key := range fired {
		days[key[:10]]++
	}
	if len(days) != len(fired) || len(fired) < 40 {
		t.Errorf("%d firings on %d local days in 60 days", len(fired), len(days))
	}

	// The plain case: moved from Paris to New York at noon in Paris, the digest of that day does not come again.
	paris, newYork := Rule{Spec: mustParse(t, "0 7 * * *", mustZone(t, "Europe/Paris"))}, Rule{Spec: mustParse(t, "0 7 * * *", mustZone(t, "America/New_York"))}
	first := paris.Due(instant(t, "2026-06-01T00:00:00Z"), instant(t, "2026-06-01T05:00:00Z"))
	second := newYork.Due(first.CheckedUntil, instant(t, "2026-06-01T11:00:00Z"))
	if len(first.Fire) != 1 || len(second.Fire) != 1 || first.Fire[0].Key != second.Fire[0].Key {
		t.Errorf("the keys of one local day in two zones differ: %v and %v", told(first), told(second))
	}
}

func TestCatchUpText(t *testing.T) {
	t.Parallel()
	var c CatchUp
	for _, text := range []string{"none", "last", "all"} {
		if err := c.UnmarshalText([]byte(text)); err != nil || string(c) != text {
			t.Errorf("%q is %q (%v)", text, c, err)
		}
	}
	err := c.UnmarshalText([]byte("yes"))
	if want := `catch_up "yes" is not known; write none, last or all`; err == nil || err.Error() != want || c != CatchUpAll {
		t.Errorf("got %v and %q, want %s", err, c, want)
	}
}

package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fate is what becomes of one occurrence.
type fate struct {
	Key    string
	Fired  bool
	Late   bool
	Covers int
	Reason Reason
}

// fates says, one occurrence after the other and without any haste, what the rules of Due make of them.
func fates(r Rule, from, now time.Time) []fate {
	late, most := r.Late, r.MaxAll
	if late == 0 {
		late = DefaultLate
	}
	late = max(late, 0)
	if most == 0 {
		most = DefaultMaxAll
	}
	blackouts := Windows(r.Blackouts).In(r.Spec.Zone())
	var all []fate
	var ats []time.Time
	var onTime, caught []int
	for o := range r.Spec.Between(from, now) {
		i, age := len(all), now.Sub(o.At)
		f := fate{Key: o.Key, Reason: Downtime}
		switch black := blackouts.Covers(o.At); {
		case !black && age <= late:
			onTime = append(onTime, i)
			f.Reason = ""
		case age <= r.Window && r.CatchUp != CatchUpNone:
			caught = append(caught, i)
			f.Reason = Superseded
		case r.CatchUp != CatchUpNone:
			f.Reason = TooLate
		case black:
			f.Reason = Blackout
		}
		all, ats = append(all, f), append(ats, o.At)
	}
	fires := slices.Clone(onTime)
	if r.CatchUp == CatchUpAll {
		fires = append(fires, caught...)
	}
	if n := len(caught); r.CatchUp == CatchUpLast && n > 0 && (len(onTime) == 0 || slices.Max(onTime) < caught[n-1]) {
		fires = append(fires, caught[n-1])
	}
	slices.Sort(fires)
	for ; len(fires) > most; fires = fires[1:] { // what is beyond the bound counts as missed, even if it was on time
		f := &all[fires[0]]
		switch age := now.Sub(ats[fires[0]]); {
		case r.CatchUp == CatchUpNone:
			f.Reason = Downtime
		case age <= r.Window:
			f.Reason = Superseded
		default:
			f.Reason = TooLate
		}
	}
	for _, i := range fires {
		all[i].Fired, all[i].Late, all[i].Reason = true, !slices.Contains(onTime, i), ""
		if all[i].Late {
			all[i].Covers = 1
		}
	}
	for i, f := range all {
		if f.Reason == Superseded {
			next := i + 1
			for !all[next].Fired {
				next++
			}
			all[next].Covers++
		}
	}
	return all
}

func drawRule(t *rapid.T) Rule {
	zone, err := LoadZone(rapid.SampledFrom([]string{"Europe/Paris", "Africa/Cairo", "Australia/Lord_Howe", "UTC"}).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	expr := rapid.SampledFrom([]string{"0 7 * * *", "0 7,19 * * mon-fri", "*/15 * * * *", "30 2 * * *", "@daily", "@every 7h", "@every 20s", "* 9 * * *", "0 12 1 * *"}).Draw(t, "expr")
	spec, err := Parse(expr, zone)
	if err != nil {
		t.Fatal(err)
	}
	r := Rule{
		Spec:    spec,
		CatchUp: rapid.SampledFrom([]CatchUp{CatchUpNone, CatchUpLast, CatchUpAll}).Draw(t, "catch up"),
		Window:  time.Duration(rapid.IntRange(0, 100).Draw(t, "window")) * time.Hour / 2,
		Late:    rapid.SampledFrom([]time.Duration{0, -1, time.Second, 10 * time.Minute, 5 * time.Hour}).Draw(t, "late"),
		MaxAll:  rapid.SampledFrom([]int{0, 1, 3, 20}).Draw(t, "max"),
	}
	if hours := rapid.SampledFrom([]string{"", "22:00-06:30", "sat-sun 00:00-24:00, mon-fri 06:30-07:30", "02:15-02:45"}).Draw(t, "blackout"); hours != "" {
		if r.Blackouts, err = ParseHours(hours); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestDueProperty compares Due with the slow way to say the same.
func TestDueProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRule(t)
		from := time.Unix(1_767_225_600, 0).Add(time.Duration(rapid.Int64Range(0, int64(365*24*time.Hour)).Draw(t, "from")))
		now := from.Add(time.Duration(rapid.Int64Range(0, int64(rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 30 * time.Hour, 400 * time.Hour}).Draw(t, "reach"))).Draw(t, "span")))
		if r.Spec.Count(from, now) > 3000 {
			t.Skip("too many to visit")
		}
		d := r.Due(from, now)
		if Windows(r.Blackouts).In(r.Spec.Zone()).Covers(now) {
			if len(d.Fire) > 0 || len(d.Missed) > 0 || d.MissedMore > 0 || r.Spec.Count(from, d.CheckedUntil) > 0 {
				t.Fatalf("decided in a blackout: %v", told(d))
			}
			return
		}
		all := fates(r, from, now)
		fired, missed := []fate{}, []fate{}
		for _, f := range all {
			if f.Fired {
				fired = append(fired, f)
			} else {
				missed = append(missed, f)
			}
		}
		got := struct{ Fired, Missed []fate }{[]fate{}, []fate{}}
		for _, f := range d.Fire {
			got.Fired = append(got.Fired, fate{Key: f.Key, Fired: true, Late: f.Late, Covers: f.Covers})
		}
		for _, m := range d.Missed {
			got.Missed = append(got.Missed, fate{Key: m.Key, Reason: m.Reason})
		}
		if n := len(all) - len(fired); len(got.Missed)+d.MissedMore != n || len(got.Missed) != min(n, MaxMissed) {
			t.Fatalf("listed %d missed and %d more, want %d", len(got.Missed), d.MissedMore, n)
		}
		if diff := cmp.Diff(fired, got.Fired); diff != "" {
			t.Fatalf("%+v fires otherwise: %s", r, diff)
		}
		if diff := cmp.Diff(missed[max(0, len(missed)-len(got.Missed)):], got.Missed); diff != "" {
			t.Fatalf("%+v misses otherwise: %s", r, diff)
		}
	})
}

// TestLooksProperty drives a caller that keeps its rows through arbitrary looks: late ones, crashes before the rows are
// stored, clocks that jump, schedules that move to another zone. No key fires twice, and each occurrence has one fate.
func TestLooksProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawRule(t)
		now := time.Unix(1_767_225_600, 0).Add(time.Duration(rapid.Int64Range(0, int64(365*24*time.Hour)).Draw(t, "start")))
		checked := now
		keys := make(map[string]string) // the rows: key and fate
		moved := false
		for i := range rapid.IntRange(1, 60).Draw(t, "looks") {
			switch step := rapid.IntRange(0, 11).Draw(t, fmt.Sprint("step ", i)); step {
			case 0:
				now = now.Add(-time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "back")))
			case 1:
				now = now.AddDate(10, 0, 0)
			case 2:
				now = now.AddDate(-10, 0, 0)
			case 3:
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(2000*time.Hour)).Draw(t, "downtime")))
			case 4:
				zone, err := LoadZone(rapid.SampledFrom([]string{"Asia/Tokyo", "America/New_York", "Europe/Paris"}).Draw(t, "moved"))
				if err != nil {
					t.Fatal(err)
				}
				if r.Spec, err = Parse(r.Spec.Expression(), zone); err != nil {
					t.Fatal(err)
				}
				moved = true
			default:
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(26*time.Hour)).Draw(t, "sleep")))
			}
			d := r.Due(checked, now)
			if rapid.IntRange(0, 4).Draw(t, "crash") == 0 {
				continue // the rows were not stored
			}
			if d.CheckedUntil.Before(checked) || (now.Before(checked) && (!d.CheckedUntil.Equal(checked) || d.ClockBack != checked.Sub(now))) {
				t.Fatalf("checked until %v after %v at %v", d.CheckedUntil, checked, now)
			}
			if got, want := len(d.Fire)+len(d.Missed)+d.MissedMore, r.Spec.Count(checked, d.CheckedUntil); got != want {
				t.Fatalf("%d fates for %d occurrences", got, want)
			}
			for _, f := range d.Fire {
				if keys[f.Key] != "" && !moved { // in another zone a local day may come due again, and the key refuses it
					t.Fatalf("%s fires at %v and was %s", f.Key, now, keys[f.Key])
				}
				if !f.At.After(checked) || f.At.After(d.CheckedUntil) {
					t.Fatalf("%s fires outside of (%v, %v]", f.Key, checked, d.CheckedUntil)
				}
				keys[f.Key] = "fired"
			}
			for _, m := range d.Missed {
				if keys[m.Key] != "" && !moved {
					t.Fatalf("%s is missed at %v and was %s", m.Key, now, keys[m.Key])
				}
				keys[m.Key] = "missed"
			}
			if !d.NextLook.IsZero() && !d.NextLook.After(d.CheckedUntil) {
				t.Fatalf("the next look at %v is not after %v", d.NextLook, d.CheckedUntil)
			}
			if busy := r.Spec.Count(d.CheckedUntil, d.NextLook.Add(-1)); !d.NextLook.IsZero() && busy > 0 && len(r.Blackouts) == 0 {
				t.Fatalf("%d occurrences between %v and the next look at %v", busy, d.CheckedUntil, d.NextLook)
			}
			checked = d.CheckedUntil
		}
	})
}

// TestSimulatedDays runs a daemon through 1,100 days of simulated time with power cuts, pauses and nightly blackouts, and
// then asks what became of each planned occurrence.
func TestSimulatedDays(t *testing.T) {
	t.Parallel()
	rules := map[string]Rule{
		"digest, last":   {CatchUp: CatchUpLast, Window: 3 * time.Hour, Spec: mustParse(t, "0 7,19 * * *", mustZone(t, "Europe/Paris"))},
		"night, all":     {CatchUp: CatchUpAll, Window: 24 * time.Hour, Spec: mustParse(t, "30 2 * * *", mustZone(t, "America/New_York"))},
		"half days, all": {CatchUp: CatchUpAll, Window: 10 * time.Hour, Spec: mustParse(t, "15 */6 * * *", mustZone(t, "Africa/Cairo")), Blackouts: mustHours(t, "22:00-06:30", nil)},
		"hourly, none":   {CatchUp: CatchUpNone, Spec: mustParse(t, "@hourly", mustZone(t, "Australia/Lord_Howe")), Blackouts: mustHours(t, "sat 01:00-03:30", nil)},
		"interval, last": {CatchUp: CatchUpLast, Window: time.Hour, Spec: mustParse(t, "@every 5h", time.UTC)},
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulate(t, rule, 1100) })
		})
	}
}

func simulate(t *testing.T, rule Rule, days int) {
	dice := rand.New(rand.NewPCG(7, uint64(len(rule.Spec.String()))))
	begin := time.Now()
	end := begin.AddDate(0, 0, days)
	own := rule.Blackouts
	checked := begin
	firedAt, missed := map[string]time.Time{}, map[string]Reason{}
	late := map[string]bool{}
	var off []Window // when the daemon was down, or stood still
	var pause *Window
	pauses, cuts := 0, 0

	look := func() time.Time {
		rule.Blackouts = own
		if pause != nil {
			rule.Blackouts = append(slices.Clone(own), *pause)
		}
		d := rule.Due(checked, time.Now())
		for _, f := range d.Fire {
			if _, again := firedAt[f.Key]; again {
				t.Fatalf("%s fired twice", f.Key)
			}
			firedAt[f.Key], late[f.Key] = time.Now(), f.Late
		}
		for _, m := range d.Missed {
			if _, again := missed[m.Key]; again {
				t.Fatalf("%s missed twice", m.Key)
			}
			missed[m.Key] = m.Reason
		}
		if d.MissedMore > 0 {
			t.Fatalf("%d more missed than listed", d.MissedMore)
		}
		checked = d.CheckedUntil
		return d.NextLook
	}
	for time.Now().Before(end) {
		next := look()
		event := time.Now().Add(time.Duration(dice.Int64N(int64(60 * time.Hour))))
		if !next.IsZero() && next.Before(event) {
			time.Sleep(time.Until(next))
			continue
		}
		time.Sleep(time.Until(event))
		switch {
		case pause != nil: // resume
			look()
			pause.To = time.Now()
			off = append(off, *pause)
			look()
			pause = nil
		case dice.IntN(3) == 0:
			pauses++
			pause = &Window{From: time.Now()}
		default: // the power is cut
			cuts++
			down := time.Duration(dice.Int64N(int64(40 * time.Hour)))
			off = append(off, Window{From: time.Now(), To: time.Now().Add(down)})
			time.Sleep(down)
		}
	}
	pause = nil
	look()

	planned, onTime := 0, 0
	for o := range rule.Spec.Between(begin, checked) {
		planned++
		at, fired := firedAt[o.Key]
		_, wasMissed := missed[o.Key]
		if fired == wasMissed {
			t.Errorf("%s: fired is %v, missed is %v", o.Key, fired, wasMissed)
		}
		if fired && (at.Before(o.At) || late[o.Key] && at.Sub(o.At) > rule.Window || !late[o.Key] && at.Sub(o.At) > DefaultLate) {
			t.Errorf("%s: due at %v, fired at %v", o.Key, o.At, at)
		}
		if up := !Windows(off).Covers(o.At) && !Windows(own).In(rule.Spec.Zone()).Covers(o.At); up {
			onTime++
			if !at.Equal(o.At) || late[o.Key] {
				t.Errorf("%s: the daemon was up, and it fired at %v", o.Key, at)
			}
		}
	}
	if planned != len(firedAt)+len(missed) {
		t.Errorf("%d planned, %d fired and %d missed", planned, len(firedAt), len(missed))
	}
	if simulated := time.Since(begin); simulated < time.Duration(days)*24*time.Hour || pauses < 10 || cuts < 20 || onTime < planned/4 || len(missed) == 0 {
		t.Errorf("simulated %v with %d pauses and %d cuts, %d of %d on time, %d missed: too tame", simulated, pauses, cuts, onTime, planned, len(missed))
	}
}

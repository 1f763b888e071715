package policy

import (
	"slices"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/scheduler"
	"pgregory.net/rapid"
)

var zonesOfTheWorld = []*time.Location{time.UTC, zone("Europe/Paris"), zone("America/New_York"), zone("Australia/Lord_Howe"),
	zone("Asia/Kathmandu"), zone("Pacific/Apia"), zone("Africa/Casablanca"), zone("America/Nuuk")}

// anyFacts draws facts of which most speak for the message, so that all verdicts are common.
func anyFacts(t *rapid.T) Facts {
	rarely := func(name string) bool { return rapid.IntRange(0, 9).Draw(t, name) == 0 }
	often := func(name string) bool { return !rarely(name) }
	// Nights around clock changes of 2026, and any other time.
	base := rapid.SampledFrom([]time.Time{time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 3, 15, 0, 0, 0, time.UTC), noon}).Draw(t, "around")
	f := fine(rapid.SampledFrom([]Kind{Post, Post, Post, Digest, Correction, Notice, Confirm, Answer, "rumour"}).Draw(t, "kind"))
	f.Now = base.Add(time.Duration(rapid.IntRange(-100_000, 100_000).Draw(t, "seconds")) * time.Second)
	soon := func(name string) time.Time {
		return f.Now.Add(time.Duration(rapid.IntRange(-100_000, 200_000).Draw(t, name)) * time.Second)
	}
	f.Wrote, f.Rules.LastHeard, f.Caps.Last, f.Habits.PausedUntil = soon("wrote"), f.Now, soon("last").Add(-50*time.Hour), time.Time{}
	f.Content.Expires = time.Time{}
	if rarely("expires") {
		f.Content.Expires = soon("expiry")
	}
	if rarely("person pauses") {
		f.Habits.PausedUntil = soon("paused until")
	}
	for _, p := range []*Pause{&f.Pauses.Lane, &f.Pauses.Channel} {
		if p.On = rarely("pause"); p.On && often("with an end") {
			p.Until = soon("pause ends")
		}
	}
	f.Suppressions = rapid.SliceOfN(anySuppression(), 0, 1).Draw(t, "suppressions")
	f.Grant.State = consent.Active
	if rarely("no grant") {
		f.Grant.State = rapid.SampledFrom([]consent.State{consent.Pending, consent.Withdrawn, consent.Expired, "", "galore"}).Draw(t, "state")
	}
	if rarely("old version") {
		f.MadeFor--
	}
	f.Grant.Preferences.Breaking = rapid.Bool().Draw(t, "breaking")
	f.Content.Urgent = rapid.Bool().Draw(t, "urgent")
	f.Content.Had, f.Content.Withdrawn, f.Content.Replaced, f.Content.Empty = rarely("had"), rarely("withdrawn"), rarely("replaced"), rarely("empty")
	if rarely("digests") {
		f.Grant.Preferences.Mode = consent.Digest
	}
	f.Country = rapid.SampledFrom([]string{"", "FR", "DE", "ES"}).Draw(t, "country")
	f.Rules.Quiet = map[string]scheduler.Windows{"FR": read("22:00-08:00"), "DE": read("01:30-02:30,13:00-15:00")}
	f.Caps.Today, f.Caps.ThisWeek, f.Caps.All = rapid.IntRange(0, 5).Draw(t, "today"), rapid.IntRange(0, 20).Draw(t, "week"), rapid.IntRange(0, 8).Draw(t, "all")
	f.Habits.QuietFrom = scheduler.Clock(rapid.IntRange(0, 1439).Draw(t, "from")).String()
	f.Habits.QuietUntil = scheduler.Clock(rapid.IntRange(0, 1440).Draw(t, "until")).String()
	if rarely("unreadable") {
		f.Habits.QuietUntil = ""
	}
	f.Zones = rapid.SliceOfN(rapid.SampledFrom(zonesOfTheWorld), 0, 2).Draw(t, "zones")
	f.Brake.Sent, f.Guard.Others = rapid.IntRange(40, 50).Draw(t, "brake"), rapid.IntRange(10, 20).Draw(t, "guard")
	return f
}

func anySuppression() *rapid.Generator[Suppression] {
	return rapid.Custom(func(t *rapid.T) Suppression {
		return Suppression{
			Scope:   rapid.SampledFrom([]Scope{ScopePurpose, ScopeMedium, ScopeAll, ScopeNever, "galaxy"}).Draw(t, "scope"),
			Purpose: rapid.SampledFrom([]consent.Purpose{alerts, {Kind: consent.Channel, Name: "brief"}}).Draw(t, "purpose"),
			Medium:  rapid.SampledFrom([]string{"", "email", "telegram"}).Draw(t, "medium"),
		}
	})
}

func TestProperties(t *testing.T) {
	t.Parallel()
	seen := map[Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		d := Decide(f)
		seen[d.Verdict]++

		// The reason is listed with this verdict, and only breaking overrides.
		i := slices.IndexFunc(Reasons(), func(r Told) bool { return r.Reason == d.Reason })
		if i < 0 || !slices.Contains(Reasons()[i].Verdicts, d.Verdict) {
			t.Fatalf("%+v is not listed", d)
		}
		if d.Override != (d.Reason == Breaking) || d.Until.IsZero() != (d.Verdict != Wait) {
			t.Fatalf("%+v", d)
		}

		// No grant, no message.
		if d.Verdict == Go && f.Kind != Confirm && f.Kind != Answer && (f.Grant.State != consent.Active || f.Version != f.MadeFor) {
			t.Fatalf("%+v without a grant", d)
		}
		// An override is one that the person agreed to.
		if d.Override && (!f.Content.Urgent || !f.Grant.Preferences.Breaking) {
			t.Fatalf("%+v, and the person did not agree", d)
		}
		// What goes now or later goes outside the law's hours, and the person's own unless they agreed.
		if d.Verdict == Go && f.Kind != Confirm && f.Kind != Answer {
			outside(t, f, f.Now, d.Override)
		}
		if d.Verdict == Wait {
			if !d.Until.After(f.Now) || !f.Content.Expires.IsZero() && !d.Until.Before(f.Content.Expires) {
				t.Fatalf("%+v at %s", d, f.Now)
			}
			outside(t, f, d.Until, f.breaking())
			then := f
			then.Now, then.Rules.LastHeard = d.Until, d.Until
			then.Caps.Today, then.Caps.ThisWeek, then.Caps.All = 0, 0, 0 // a new day
			if again := Decide(then); again.Verdict != Go {
				t.Fatalf("%+v, and then %+v", d, again)
			}
		}
		// A suppression more opens nothing.
		more := f
		more.Suppressions = append(slices.Clone(f.Suppressions), anySuppression().Draw(t, "one more"))
		if after := Decide(more); d.Verdict == No && after.Verdict != No || after.Verdict != No && after != d {
			t.Fatalf("%+v, and with a suppression more %+v", d, after)
		}
		// Nor does a grant less, a pause more or a message more that the person got today.
		for name, put := range map[string]func(*Facts){
			"withdrawn":   func(f *Facts) { f.Grant.State = consent.Withdrawn },
			"lane paused": func(f *Facts) { f.Pauses.Lane = Pause{On: true} },
			"one more":    func(f *Facts) { f.Caps.Today++; f.Caps.ThisWeek++; f.Caps.All++; f.Caps.Last = f.Now },
			"one had it":  func(f *Facts) { f.Content.Had = true },
			"more of it":  func(f *Facts) { f.Guard.Others++; f.Brake.Sent++ },
		} {
			less := f
			put(&less)
			if after := Decide(less); after.Verdict == Go && d.Verdict != Go {
				t.Fatalf("%s: %+v becomes %+v", name, d, after)
			}
		}
	})
	for _, v := range []Verdict{Go, Wait, Fold, Hold, No} {
		if seen[v] == 0 {
			t.Errorf("no case came to %s: %v", v, seen)
		}
	}
}

// outside reads the walls' clocks, independently of the windows.
func outside(t *rapid.T, f Facts, at time.Time, passes bool) {
	t.Helper()
	for _, z := range f.zones() {
		now := at.In(z).Format("15:04")
		in := func(from, until string) bool {
			if from <= until {
				return from <= now && now < until
			}
			return now >= from || now < until
		}
		france := f.Country == "FR" || f.Country == ""
		germany := f.Country == "DE" || f.Country == ""
		if france && in("22:00", "08:00") || germany && (in("01:30", "02:30") || in("13:00", "15:00")) {
			t.Fatalf("%s in %s is forbidden in %q", now, z, f.Country)
		}
		if !passes && f.Habits.QuietFrom != f.Habits.QuietUntil && in(f.Habits.QuietFrom, f.Habits.QuietUntil) {
			t.Fatalf("%s in %s is quiet from %s to %s", now, z, f.Habits.QuietFrom, f.Habits.QuietUntil)
		}
	}
}

// FuzzQuiet: no habit and no time makes it panic, and Until is outside the quiet hours and after now.
func FuzzQuiet(f *testing.F) {
	f.Add("22:00", "07:00", "Europe/Paris", int64(1792000000))
	f.Add("00:00", "24:00", "UTC", int64(0))
	f.Add("02:10", "02:50", "Europe/Paris", int64(1792890000))
	f.Add("", "x", "../etc/passwd", int64(-62135596801))
	zones := &Zones{Site: paris}
	f.Fuzz(func(t *testing.T, from, until, zone string, at int64) {
		if at < -60e9 || at > 250e9 { // the years that the scheduler reckons with
			return
		}
		facts := fine(Post)
		facts.Now = time.Unix(at, 0)
		facts.Habits = consent.Habits{Zone: zone, QuietFrom: from, QuietUntil: until}
		facts.Zones = []*time.Location{zones.Of(facts.Habits)}
		facts.Content.Expires, facts.Rules, facts.Caps = time.Time{}, Rules{}, Caps{}
		d := Decide(facts)
		if d.Verdict != Wait {
			return
		}
		if !d.Until.After(facts.Now) {
			t.Fatalf("%+v at %s", d, facts.Now)
		}
		facts.Now = d.Until
		if again := Decide(facts); again.Verdict != Go {
			t.Fatalf("%+v, and then %+v", d, again)
		}
	})
}

// A lane asks once for each message that it starts.
func BenchmarkDecide(b *testing.B) {
	f := fine(Post)
	for b.Loop() {
		if Decide(f).Verdict != Go {
			b.Fatal("it does not go")
		}
	}
}

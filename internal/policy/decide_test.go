package policy

import (
	"slices"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/scheduler"
	"github.com/google/go-cmp/cmp"
)

var (
	paris  = zone("Europe/Paris")
	noon   = time.Date(2026, 11, 18, 11, 0, 0, 0, time.UTC) // a Wednesday, 12:00 in Paris
	alerts = consent.Purpose{Kind: consent.Channel, Name: "alertes"}
)

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

// fine are facts against which nothing speaks, and in which every rule is set.
func fine(k Kind) Facts {
	f := Facts{
		Now: noon, Kind: k, Purpose: alerts, Medium: "email",
		Suppressions: []Suppression{
			{Scope: ScopePurpose, Purpose: consent.Purpose{Kind: consent.Channel, Name: "brief"}},
			{Scope: ScopePurpose, Purpose: alerts, Medium: "telegram"},
			{Scope: ScopeMedium, Medium: "telegram", Why: "blocked"},
		},
		Grant: consent.Grant{ID: 1, Person: 7, Purpose: alerts, Medium: "email", State: consent.Active, Since: noon.AddDate(0, -1, 0),
			Preferences: consent.Preferences{Mode: consent.Instant, Topics: []string{"Incendie", "gare"}, Languages: []string{"fr"}}},
		Version: 3, MadeFor: 3,
		Wrote: noon.Add(-time.Minute), AnswerWithin: time.Hour,
		Content: Content{Topics: []string{"Gare"}, Language: "fr-CA", Expires: noon.Add(48 * time.Hour)},
		Rules: Rules{OwnChoice: true, TheyBegin: true, Began: true, ReplyWindow: 24 * time.Hour, LastHeard: noon.Add(-time.Hour),
			Quiet: map[string]scheduler.Windows{"FR": read("22:00-08:00"), "DE": read("09:00-18:00")}},
		Caps:    Caps{PerDay: 5, PerWeek: 20, Gap: 10 * time.Minute, Today: 4, ThisWeek: 19, Last: noon.Add(-10 * time.Minute), All: 7},
		Guard:   Guard{Others: 19, Limit: 20},
		Brake:   Brake{New: true, Sent: 49, First: 50},
		Habits:  consent.Habits{Zone: "Europe/Paris", QuietFrom: "22:00", QuietUntil: "07:00", PerDay: 8, PausedUntil: noon},
		Zones:   []*time.Location{paris},
		Country: "FR",
	}
	if k == Notice {
		f.Purpose = consent.Purpose{Kind: consent.Notice, Name: "colis"}
		f.Grant.Purpose = f.Purpose
	}
	return f
}

func read(text string) scheduler.Windows {
	w, err := scheduler.ParseHours(text)
	if err != nil {
		panic(err)
	}
	return w
}

var (
	texts    = []Kind{Post, Digest, Correction, Notice}
	messages = append([]Kind{Confirm}, texts...)
)

// obstacles has one for each reason that stands in the way, in the order in which they are tried.
var obstacles = []struct {
	reason  Reason
	kinds   []Kind
	verdict Verdict
	until   time.Time
	put     func(*Facts)
}{
	{UnknownKind, messages, No, time.Time{}, func(f *Facts) { f.Kind = "rumour" }},
	{Suppressed, messages, No, time.Time{}, func(f *Facts) { f.Suppressions = []Suppression{{Scope: ScopeNever}} }},
	{NoGrant, texts, No, time.Time{}, func(f *Facts) { f.Grant = consent.Grant{} }},
	{NotConfirmed, texts, No, time.Time{}, func(f *Facts) { f.Grant.State = consent.Pending }},
	{Left, texts, No, time.Time{}, func(f *Facts) { f.Grant.State = consent.Withdrawn }},
	{GrantEnded, texts, No, time.Time{}, func(f *Facts) { f.Grant.State = consent.Expired }},
	{EarlierGrant, texts, No, time.Time{}, func(f *Facts) { f.MadeFor = 2 }},
	{NotBegun, texts, No, time.Time{}, func(f *Facts) { f.Rules.Began = false }},
	{ContentGone, []Kind{Post, Digest, Notice}, No, time.Time{}, func(f *Facts) { f.Content.Withdrawn = true }},
	{NoticeReplaced, texts, No, time.Time{}, func(f *Facts) { f.Content.Replaced = true }},
	{AlreadyHad, texts, No, time.Time{}, func(f *Facts) { f.Content.Had = true }},
	{NothingLeft, []Kind{Digest}, No, time.Time{}, func(f *Facts) { f.Content.Empty = true }},
	{Old, texts, No, time.Time{}, func(f *Facts) { f.Content.Expires = noon }},
	{OtherTopic, []Kind{Post}, No, time.Time{}, func(f *Facts) { f.Content.Topics = []string{"sport"}; f.Grant.Preferences.Topics = []string{"gare"} }},
	{OtherLanguage, []Kind{Post}, No, time.Time{}, func(f *Facts) { f.Content.Language = "en" }},
	{NotSelected, []Kind{Post}, No, time.Time{}, func(f *Facts) { f.Grant.Preferences.Topics = nil; f.Grant.Preferences.Mode = consent.Instant }},
	{Asleep, []Kind{Post, Digest}, No, time.Time{}, func(f *Facts) { f.Asleep = true }},
	{ChoseDigests, []Kind{Post}, Fold, time.Time{}, func(f *Facts) { f.Grant.Preferences.Mode = consent.Digest }},
	{SameToMany, []Kind{Notice}, Hold, time.Time{}, func(f *Facts) { f.Guard.Others = 20 }},
	{NewAudience, []Kind{Post, Digest}, Hold, time.Time{}, func(f *Facts) { f.Brake.Sent = 50 }},
	{LanePaused, texts, Hold, time.Time{}, func(f *Facts) { f.Pauses.Lane.On = true }},
	{ChannelPaused, texts, Hold, time.Time{}, func(f *Facts) { f.Pauses.Channel.On = true }},
	{WindowClosed, texts, Hold, time.Time{}, func(f *Facts) { f.Rules.LastHeard = noon.Add(-24 * time.Hour) }},
	{QuietUnread, texts, Hold, time.Time{}, func(f *Facts) { f.Habits.QuietFrom = "10pm" }},
	{PersonPaused, []Kind{Post, Digest, Correction}, Fold, time.Time{}, func(f *Facts) { f.Habits.PausedUntil = noon.Add(time.Hour) }},
	{CapOfPerson, []Kind{Post, Digest, Correction}, Fold, time.Time{}, func(f *Facts) { f.Caps.All = 8 }},
	{CapOfDay, []Kind{Post, Digest, Correction}, Fold, time.Time{}, func(f *Facts) { f.Caps.Today = 5 }},
	{CapOfWeek, []Kind{Post, Digest, Correction}, Fold, time.Time{}, func(f *Facts) { f.Caps.ThisWeek = 20 }},
	{LanePaused, texts, Wait, noon.Add(time.Minute), func(f *Facts) { f.Pauses.Lane = Pause{true, noon.Add(time.Minute)} }},
	{ChannelPaused, texts, Wait, noon.Add(time.Minute), func(f *Facts) { f.Pauses.Channel = Pause{true, noon.Add(time.Minute)} }},
	{PersonPaused, []Kind{Notice}, Wait, noon.Add(time.Hour), func(f *Facts) { f.Habits.PausedUntil = noon.Add(time.Hour) }},
	// The day ends at midnight in Paris, when the person's quiet hours and the law's hold; the law's end last, at 8.
	{CapOfPerson, []Kind{Notice}, Wait, noon.Add(20 * time.Hour), func(f *Facts) { f.Caps.All = 8 }},
	{CapOfDay, []Kind{Notice}, Wait, noon.Add(20 * time.Hour), func(f *Facts) { f.Caps.Today = 5 }},
	{CapOfWeek, []Kind{Notice}, Wait, noon.Add(116 * time.Hour), func(f *Facts) { f.Caps.ThisWeek = 20; f.Content.Expires = time.Time{} }},
	{TooSoon, texts, Wait, noon.Add(9 * time.Minute), func(f *Facts) { f.Caps.Last = noon.Add(-time.Minute) }},
	{QuietByLaw, texts, Wait, noon.Add(6 * time.Hour), func(f *Facts) { f.Country = "DE" }},
	{QuietHours, texts, Wait, noon.Add(time.Hour), func(f *Facts) { f.Habits.QuietFrom, f.Habits.QuietUntil = "11:59", "13:00" }},
	{QuietAlways, texts, No, time.Time{}, func(f *Facts) { f.Rules.Quiet = map[string]scheduler.Windows{"": read("00:00-24:00")} }},
	{OldByThen, texts, No, time.Time{}, func(f *Facts) {
		f.Habits.QuietFrom, f.Habits.QuietUntil = "11:59", "13:00"
		f.Content.Expires = noon.Add(time.Hour)
	}},
}

func TestEveryReason(t *testing.T) {
	t.Parallel()
	for _, k := range append([]Kind{Answer}, messages...) {
		if got, want := Decide(fine(k)), (Decision{Verdict: Go, Reason: Allowed}); got != want {
			t.Errorf("%s against which nothing speaks: %+v", k, got)
		}
	}
	for _, o := range obstacles {
		for _, k := range o.kinds {
			f := fine(k)
			o.put(&f)
			if got, want := Decide(f), (Decision{Verdict: o.verdict, Reason: o.reason, Until: o.until}); got != want {
				t.Errorf("%s, %s: %+v, want %+v", o.reason, k, got, want)
			}
		}
		// What is not listed as concerning a kind does not.
		for _, k := range messages {
			if f := fine(k); !slices.Contains(o.kinds, k) {
				o.put(&f)
				if got := Decide(f); got.Reason == o.reason && got.Verdict == o.verdict {
					t.Errorf("%s concerns %s, which is not stated", o.reason, k)
				}
			}
		}
	}
}

// Of two obstacles the earlier one is named, whatever the later one is.
func TestTheOrderOfReasons(t *testing.T) {
	t.Parallel()
	pairs := 0
	for i, first := range obstacles {
		for _, second := range obstacles[i+1:] {
			for _, k := range first.kinds {
				if !slices.Contains(second.kinds, k) {
					continue
				}
				f := fine(k)
				second.put(&f)
				first.put(&f)
				want := first.reason
				if first.verdict == Wait && second.verdict == No { // these two are about waiting
					want = second.reason
				}
				if first.reason == LanePaused && second.reason == LanePaused || first.reason == ChannelPaused && second.reason == ChannelPaused {
					continue // one pause, with and without an end
				}
				if want == OldByThen && f.Content.Expires.IsZero() {
					continue // the earlier obstacle took the expiry away
				}
				if got := Decide(f); got.Reason != want {
					t.Errorf("%s: %s and %s: %s", k, first.reason, second.reason, got.Reason)
				}
				pairs++
			}
		}
	}
	if pairs < 1000 {
		t.Errorf("only %d pairs were tried", pairs)
	}
}

func TestTheListOfReasons(t *testing.T) {
	t.Parallel()
	var got, want []Reason
	said := map[string]Reason{}
	for _, r := range Reasons() {
		got = append(got, r.Reason)
		if before, double := said[r.Sentence]; double {
			t.Errorf("%s and %s say the same", before, r.Reason)
		}
		if said[r.Sentence] = r.Reason; len(r.Sentence) < 15 || r.Sentence[len(r.Sentence)-1] != '.' {
			t.Errorf("%s says %q", r.Reason, r.Sentence)
		}
		if r.Reason.Sentence() != r.Sentence {
			t.Errorf("%s says two things", r.Reason)
		}
	}
	for _, o := range obstacles {
		i := slices.IndexFunc(Reasons(), func(r Told) bool { return r.Reason == o.reason })
		if i < 0 || !slices.Contains(Reasons()[i].Verdicts, o.verdict) {
			t.Errorf("%s with %s is not listed", o.reason, o.verdict)
		}
		if !slices.Contains(want, o.reason) {
			want = append(want, o.reason)
		}
	}
	for _, r := range []Reason{Stale, Breaking, Allowed} { // tested by themselves
		if !slices.Contains(got, r) {
			t.Errorf("%s is not listed", r)
		}
		got = slices.DeleteFunc(got, func(g Reason) bool { return g == r })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the list is not in the order of the obstacles, or one has no test:\n%s", diff)
	}
	if Reason("of tomorrow").Sentence() != "of tomorrow" {
		t.Error("an unknown reason says nothing")
	}
}

func TestChoices(t *testing.T) {
	t.Parallel()
	instant := consent.Preferences{Mode: consent.Instant}
	for name, c := range map[string]struct {
		chose   consent.Preferences
		content Content
		own     bool
		want    Reason
	}{
		"everything":                         {instant, Content{Topics: []string{"a"}}, false, Allowed},
		"no topic on the post":               {consent.Preferences{Topics: []string{"a"}}, Content{}, false, OtherTopic},
		"one of several topics":              {consent.Preferences{Topics: []string{"a", "b"}}, Content{Topics: []string{"c", "B"}}, false, Allowed},
		"a post in an unknown language":      {consent.Preferences{Languages: []string{"fr"}}, Content{}, false, Allowed},
		"a language with a region":           {consent.Preferences{Languages: []string{"pt-BR"}}, Content{Language: "pt"}, false, Allowed},
		"a language that begins alike":       {consent.Preferences{Languages: []string{"fr"}}, Content{Language: "frr"}, false, OtherLanguage},
		"asked for, whatever was chosen":     {consent.Preferences{Topics: []string{"a"}, Mode: consent.Digest}, Content{Asked: true}, true, Allowed},
		"personal only, nothing chosen":      {instant, Content{Topics: []string{"a"}}, true, NotSelected},
		"personal only, by topic":            {consent.Preferences{Topics: []string{"a"}}, Content{Topics: []string{"a"}}, true, Allowed},
		"personal only, a language is none":  {consent.Preferences{Languages: []string{"fr"}}, Content{Language: "fr"}, true, NotSelected},
		"personal only, breaking":            {consent.Preferences{Breaking: true}, Content{Urgent: true}, true, Allowed},
		"personal only, breaking, no urgent": {consent.Preferences{Breaking: true}, Content{}, true, NotSelected},
		"personal only, in digests":          {consent.Preferences{Mode: consent.Digest}, Content{}, true, ChoseDigests},
		"digests, and breaking":              {consent.Preferences{Mode: consent.Digest, Breaking: true}, Content{Urgent: true}, false, Breaking},
		"digests, and nothing urgent":        {consent.Preferences{Mode: consent.Digest, Breaking: true}, Content{}, false, ChoseDigests},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fine(Post)
			f.Grant.Preferences, f.Content, f.Rules.OwnChoice = c.chose, c.content, c.own
			if got := Decide(f); got.Reason != c.want {
				t.Errorf("%+v, want %s", got, c.want)
			}
		})
	}
}

func TestFixedTexts(t *testing.T) {
	t.Parallel()
	bare := Facts{Now: noon, Kind: Confirm, Medium: "email", Purpose: alerts}
	for scope, want := range map[Scope]Verdict{ScopePurpose: Go, ScopeMedium: Go, ScopeAll: Go, ScopeNever: No, "of tomorrow": No} {
		f := bare
		f.Suppressions = []Suppression{{Scope: scope, Purpose: alerts}}
		if got := Decide(f); got.Verdict != want {
			t.Errorf("a confirmation to somebody suppressed with scope %q: %+v", scope, got)
		}
	}
	for name, c := range map[string]struct {
		wrote  time.Time
		within time.Duration
		want   Reason
	}{
		"fresh":               {noon.Add(-time.Hour), time.Hour, Allowed},
		"a second too late":   {noon.Add(-time.Hour - time.Second), time.Hour, Stale},
		"to nothing":          {time.Time{}, time.Hour, Stale},
		"a clock that is off": {noon.Add(time.Minute), time.Hour, Allowed},
	} {
		f := Facts{Now: noon, Kind: Answer, Wrote: c.wrote, AnswerWithin: c.within, Suppressions: []Suppression{{Scope: ScopeNever}}}
		if got := Decide(f); got.Reason != c.want {
			t.Errorf("an answer, %s: %+v", name, got)
		}
	}
	if got := Decide(Facts{}); got.Verdict != No {
		t.Errorf("no facts at all: %+v", got)
	}
}

func TestSuppressions(t *testing.T) {
	t.Parallel()
	other := consent.Purpose{Kind: consent.Notice, Name: "alertes"} // the name of the channel, but a notice
	for name, c := range map[string]struct {
		s    Suppression
		want Verdict
	}{
		"this purpose":                  {Suppression{Scope: ScopePurpose, Purpose: alerts}, No},
		"this purpose here":             {Suppression{Scope: ScopePurpose, Purpose: alerts, Medium: "email"}, No},
		"this purpose elsewhere":        {Suppression{Scope: ScopePurpose, Purpose: alerts, Medium: "telegram"}, Go},
		"another purpose":               {Suppression{Scope: ScopePurpose, Purpose: other}, Go},
		"this medium":                   {Suppression{Scope: ScopeMedium, Medium: "email"}, No},
		"another medium":                {Suppression{Scope: ScopeMedium, Medium: "telegram"}, Go},
		"everything":                    {Suppression{Scope: ScopeAll, Medium: "telegram"}, No},
		"never":                         {Suppression{Scope: ScopeNever}, No},
		"a scope of a newer version":    {Suppression{Scope: "galaxy", Medium: "telegram"}, No},
		"an entry that says no purpose": {Suppression{Scope: ScopePurpose}, Go},
	} {
		f := fine(Post)
		f.Suppressions = []Suppression{c.s}
		if got := Decide(f); got.Verdict != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return v
	}
	for name, c := range map[string]struct {
		zone        string
		from, until string
		now, want   string // want "" goes
	}{
		"before midnight":                    {"Europe/Paris", "22:00", "07:00", "2026-11-18T22:30:00+01:00", "2026-11-19T06:00:00Z"},
		"after midnight":                     {"Europe/Paris", "22:00", "07:00", "2026-11-19T03:00:00+01:00", "2026-11-19T06:00:00Z"},
		"the first instant":                  {"Europe/Paris", "22:00", "07:00", "2026-11-18T22:00:00+01:00", "2026-11-19T06:00:00Z"},
		"the last instant":                   {"Europe/Paris", "22:00", "07:00", "2026-11-19T06:59:59+01:00", "2026-11-19T06:00:00Z"},
		"their end":                          {"Europe/Paris", "22:00", "07:00", "2026-11-19T07:00:00+01:00", ""},
		"in the person's zone, not the news": {"America/New_York", "22:00", "07:00", "2026-11-18T22:30:00+01:00", ""},
		"to the end of the day":              {"Europe/Paris", "20:00", "24:00", "2026-11-18T20:30:00+01:00", "2026-11-18T23:00:00Z"},
		"of no length":                       {"Europe/Paris", "20:00", "20:00", "2026-11-18T20:00:00+01:00", ""},
		"over the night that loses an hour":  {"Europe/Paris", "22:00", "07:00", "2026-03-28T23:00:00+01:00", "2026-03-29T05:00:00Z"},
		"over the night that gains an hour":  {"Europe/Paris", "22:00", "07:00", "2026-10-24T23:00:00+02:00", "2026-10-25T06:00:00Z"},
		"an end that the clock skips":        {"Europe/Paris", "22:00", "02:30", "2026-03-29T01:59:00+01:00", "2026-03-29T01:00:00Z"},
		"skipped as a whole":                 {"Europe/Paris", "02:10", "02:50", "2026-03-29T03:00:00+02:00", ""},
		"that come twice, the first time":    {"Europe/Paris", "02:10", "02:50", "2026-10-25T02:20:00+02:00", "2026-10-25T00:50:00Z"},
		"that come twice, between":           {"Europe/Paris", "02:10", "02:50", "2026-10-25T02:55:00+02:00", ""},
		"that come twice, the second time":   {"Europe/Paris", "02:10", "02:50", "2026-10-25T02:20:00+01:00", "2026-10-25T01:50:00Z"},
		"an end that comes twice":            {"Europe/Paris", "22:00", "02:30", "2026-10-25T01:00:00+02:00", "2026-10-25T00:30:00Z"},
		"where half an hour is skipped":      {"Australia/Lord_Howe", "21:00", "02:15", "2026-10-04T01:30:00+10:30", "2026-10-03T15:30:00Z"},
		"an unknown zone is the site's":      {"Europe/Atlantis", "22:00", "07:00", "2026-11-18T22:30:00+01:00", "2026-11-19T06:00:00Z"},
		"no zone is the site's":              {"", "22:00", "07:00", "2026-11-18T22:30:00+01:00", "2026-11-19T06:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zones := &Zones{Site: paris}
			h := consent.Habits{Zone: c.zone, QuietFrom: c.from, QuietUntil: c.until}
			f := fine(Post)
			f.Now, f.Habits, f.Zones = at(c.now), h, []*time.Location{zones.Of(h)}
			f.Content.Expires, f.Rules, f.Caps.Last = time.Time{}, Rules{}, time.Time{}
			want := Decision{Verdict: Go, Reason: Allowed}
			if c.want != "" {
				want = Decision{Verdict: Wait, Reason: QuietHours, Until: at(c.want)}
			}
			if got := Decide(f); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			if again := zones.Of(h); again != f.Zones[0] {
				t.Error("the zone is another one the second time")
			}
		})
	}
	for _, bad := range [][2]string{{"22:00", ""}, {"", "07:00"}, {"24:00", "07:00"}, {"22:60", "07:00"}, {"22:00", "24:01"}, {"2200", "07:00"}, {"22:0x", "07:00"}} {
		f := fine(Post)
		f.Habits.QuietFrom, f.Habits.QuietUntil = bad[0], bad[1]
		if got := Decide(f); got != (Decision{Verdict: Hold, Reason: QuietUnread}) {
			t.Errorf("quiet hours %q: %+v", bad, got)
		}
	}
}

func TestWhoMayBeWhere(t *testing.T) {
	t.Parallel()
	f := fine(Post)
	f.Now, f.Caps.Last, f.Content.Expires = time.Date(2026, 11, 18, 15, 0, 0, 0, time.UTC), time.Time{}, time.Time{}
	f.Rules.LastHeard = f.Now
	f.Rules.Quiet = map[string]scheduler.Windows{"": read("12:00-13:00"), "US": read("21:00-08:00"), "FR": read("sun 00:00-24:00")}
	f.Habits = consent.Habits{}
	// 15:00 UTC is 10:00 in New York and 07:00 in Los Angeles.
	f.Country, f.Zones = "US", []*time.Location{zone("America/New_York"), zone("America/Los_Angeles")}
	if got, want := Decide(f), (Decision{Verdict: Wait, Reason: QuietByLaw, Until: f.Now.Add(time.Hour)}); got != want {
		t.Errorf("in one of two zones it is too early: %+v, want %+v", got, want)
	}
	f.Zones = f.Zones[:1]
	if got := Decide(f); got.Verdict != Go {
		t.Errorf("10:00 in New York: %+v", got)
	}
	f.Now = time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC) // a Sunday
	f.Rules.LastHeard = f.Now
	if got := Decide(f); got.Verdict != Go {
		t.Errorf("Sunday in New York: %+v", got)
	}
	f.Country = ""
	if got := Decide(f); got.Reason != QuietByLaw {
		t.Errorf("a country that is unknown has the strictest law: %+v", got)
	}
	f.Country, f.Now = "JP", time.Date(2026, 11, 22, 17, 30, 0, 0, time.UTC)
	f.Rules.LastHeard = f.Now
	if got := Decide(f); got.Reason != QuietByLaw || !got.Until.Equal(f.Now.Add(30*time.Minute)) {
		t.Errorf("what holds everywhere holds here: %+v", got)
	}
}

func TestBreaking(t *testing.T) {
	t.Parallel()
	night := func(k Kind) Facts {
		f := fine(k)
		f.Country, f.Habits.QuietFrom, f.Habits.QuietUntil = "ES", "11:00", "13:00"
		f.Content.Urgent, f.Grant.Preferences.Breaking = true, true
		return f
	}
	for name, c := range map[string]struct {
		kind Kind
		put  func(*Facts)
		want Decision
	}{
		"a post":                     {Post, func(*Facts) {}, Decision{Verdict: Go, Reason: Breaking, Override: true}},
		"a correction":               {Correction, func(*Facts) {}, Decision{Verdict: Go, Reason: Breaking, Override: true}},
		"an ordinary correction":     {Correction, func(f *Facts) { f.Content.Urgent = false }, Decision{Verdict: Wait, Reason: QuietHours, Until: noon.Add(time.Hour)}},
		"a digest":                   {Digest, func(*Facts) {}, Decision{Verdict: Wait, Reason: QuietHours, Until: noon.Add(time.Hour)}},
		"a notice":                   {Notice, func(*Facts) {}, Decision{Verdict: Wait, Reason: QuietHours, Until: noon.Add(time.Hour)}},
		"not ticked":                 {Post, func(f *Facts) { f.Grant.Preferences.Breaking = false }, Decision{Verdict: Wait, Reason: QuietHours, Until: noon.Add(time.Hour)}},
		"not urgent":                 {Post, func(f *Facts) { f.Content.Urgent = false }, Decision{Verdict: Wait, Reason: QuietHours, Until: noon.Add(time.Hour)}},
		"outside quiet hours":        {Post, func(f *Facts) { f.Habits.QuietFrom = "12:30" }, Decision{Verdict: Go, Reason: Allowed}},
		"the law's hours":            {Post, func(f *Facts) { f.Country = "DE" }, Decision{Verdict: Wait, Reason: QuietByLaw, Until: noon.Add(6 * time.Hour)}},
		"the person's pause":         {Post, func(f *Facts) { f.Habits.PausedUntil = noon.Add(time.Hour) }, Decision{Verdict: Fold, Reason: PersonPaused}},
		"a cap":                      {Post, func(f *Facts) { f.Caps.Today = 5 }, Decision{Verdict: Fold, Reason: CapOfDay}},
		"the gap, and no quiet hour": {Post, func(f *Facts) { f.Caps.Last = noon.Add(-time.Minute) }, Decision{Verdict: Wait, Reason: TooSoon, Until: noon.Add(9 * time.Minute)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := night(c.kind)
			c.put(&f)
			if got := Decide(f); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestDaysAndWeeks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ zone, now, day, nextDay, week, nextWeek string }{
		"an ordinary day":           {"Europe/Paris", "2026-11-18 11:00", "2026-11-17 23:00", "2026-11-18 23:00", "2026-11-15 23:00", "2026-11-22 23:00"},
		"the short day":             {"Europe/Paris", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00", "2026-03-22 23:00", "2026-03-29 22:00"},
		"the long day":              {"Europe/Paris", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00", "2026-10-18 22:00", "2026-10-25 23:00"},
		"a midnight that is none":   {"Africa/Cairo", "2026-04-23 12:00", "2026-04-22 22:00", "2026-04-23 22:00", "2026-04-19 22:00", "2026-04-26 21:00"},
		"a Monday at midnight":      {"UTC", "2026-11-16 00:00", "2026-11-16 00:00", "2026-11-17 00:00", "2026-11-16 00:00", "2026-11-23 00:00"},
		"before a day left out":     {"Pacific/Apia", "2011-12-30 09:00", "2011-12-29 10:00", "2011-12-30 10:00", "2011-12-26 10:00", "2012-01-01 10:00"},
		"a Sunday's last second":    {"UTC", "2026-11-22 23:59", "2026-11-22 00:00", "2026-11-23 00:00", "2026-11-16 00:00", "2026-11-23 00:00"},
		"where the day is far away": {"Pacific/Kiritimati", "2026-11-18 11:00", "2026-11-18 10:00", "2026-11-19 10:00", "2026-11-15 10:00", "2026-11-22 10:00"},
	} {
		z := zone(c.zone)
		now, err := time.Parse("2006-01-02 15:04", c.now)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{c.zone, c.now}
		for _, f := range []func(*time.Location, time.Time) time.Time{Day, NextDay, Week, NextWeek} {
			got = append(got, f(z, now).Format("2006-01-02 15:04"))
		}
		if diff := cmp.Diff([]string{c.zone, c.now, c.day, c.nextDay, c.week, c.nextWeek}, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

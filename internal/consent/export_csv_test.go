package consent_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// exported is everybody, as a file.
func (o *office) exported() string {
	o.t.Helper()
	list, err := o.db.ListPeople(o.t.Context(), store.PeopleFilter{}, 0, 100)
	must(o.t, err)
	var ids []consent.PersonID
	for _, p := range list {
		ids = append(ids, p.ID)
	}
	rows, _, err := o.reg.ExportRows(o.t.Context(), ids, consent.ExportFilter{}, "test", "we move")
	must(o.t, err)
	var text strings.Builder
	w := csv.NewWriter(&text)
	must(o.t, w.Write(consent.ExportColumns()))
	must(o.t, w.WriteAll(rows))
	return text.String()
}

// TestAnExportHoldsWhatPeopleChose: everything that somebody chose is the same where the file was imported, and in an export from
// there.
func TestAnExportHoldsWhatPeopleChose(t *testing.T) {
	t.Parallel()
	forever := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		preferences consent.Preferences
		habits      consent.Habits
		kept        time.Time // of the pause
	}{
		"everything": {
			preferences: consent.Preferences{Mode: consent.Digest, Slots: []string{"07:00"}, Topics: []string{"culture", "sport"}, Languages: []string{"en", "fr"}, Breaking: true},
			habits:      consent.Habits{Lang: "fr", Zone: "Europe/Paris", QuietFrom: "22:30", QuietUntil: "06:45", PausedUntil: forever, PerDay: 3},
			kept:        forever,
		},
		"nothing":            {preferences: consent.Preferences{Mode: consent.Instant}},
		"a pause that ended": {preferences: consent.Preferences{Mode: consent.Instant, Languages: []string{"fr"}}, habits: consent.Habits{Lang: "en", PausedUntil: time.Now().Add(-time.Hour).UTC()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := newOffice(t), newOffice(t)
			r, err := here.reg.Follow(t.Context(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: "lea@example.org"}, Purposes: []consent.Purpose{alertes}, Preferences: tt.preferences,
				Evidence: consent.Evidence{Method: consent.ByForm, Actor: consent.Self, Wording: "I want it", Version: "2026-11", Where: "/follow/alertes"}})
			must(t, err)
			must(t, here.reg.SetHabits(t.Context(), r.ID, tt.habits, consent.Evidence{Method: consent.ByLink, Actor: consent.Self}))
			file := here.exported()
			there.now = here.now.Add(time.Minute)
			_, out, err := there.take(file, false)
			must(t, err)
			if diff := cmp.Diff([]string{"2 granted"}, out.Fates); diff != "" {
				t.Fatalf("%s\n%s", diff, file)
			}
			got, found, err := there.reg.ReaderOf(t.Context(), sdk.Handle{Medium: consent.Email, Value: "lea@example.org"})
			must(t, err)
			if !found || len(got.Grants) != 1 {
				t.Fatalf("%v %+v", found, got)
			}
			habits := tt.habits
			habits.PausedUntil = tt.kept
			if diff := cmp.Diff(habits, got.Habits); diff != "" {
				t.Errorf("habits (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.preferences, got.Grants[0].Preferences, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("preferences (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(file, there.exported()); diff != "" {
				t.Errorf("the next export (-want +got)\n%s", diff)
			}
			// Who is known already keeps what they chose, and nothing else is told of them.
			known := newOffice(t)
			k := known.follow(consent.Email, "lea@example.org", brief)
			known.now = here.now.Add(time.Minute)
			_, _, err = known.take(file, false)
			must(t, err)
			record, err := known.reg.Record(t.Context(), k.ID)
			must(t, err)
			for _, e := range record.Events {
				if e.Kind == consent.EventImported && e.Habits != nil {
					t.Errorf("somebody known is told of %+v", *e.Habits)
				}
			}
		})
	}
}

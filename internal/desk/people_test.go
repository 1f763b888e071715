package desk_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
)

// A list is read page by page, names nobody, and gives each person once.
func TestSubscribersPageByPage(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t, filepath.Join(t.TempDir(), "belfry.db"))
	t.Cleanup(func() { _ = db.Close() })
	master, err := consent.ParseKey(consent.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := consent.OpenKeys(t.Context(), db, master)
	if err != nil {
		t.Fatal(err)
	}
	reg := consent.New(consent.Settings{Store: db, Keys: keys, Offers: func() []consent.Offer {
		return []consent.Offer{{Purpose: consent.Purpose{Kind: consent.Channel, Name: "alertes"}, Media: []consent.Medium{{Name: consent.Email}}, Modes: []consent.Mode{consent.Instant}}}
	}})
	var b strings.Builder
	b.WriteString("address,consented_at\n")
	for n := range 1201 {
		at := ""
		if n%3 == 0 {
			at = "2024-03-01"
		}
		fmt.Fprintf(&b, "reader%d@example.org,%s\n", n, at)
	}
	in, err := reg.NewImportReader("r.csv", strings.NewReader(b.String()), consent.ImportDefaults{Channel: "alertes", Medium: consent.Email, Source: "form", Version: "1", Zone: time.UTC, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	i, err := reg.StartImport(t.Context(), db, "r.csv", "sum", "", "test", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.RunImport(t.Context(), &consent.ImportRun{Store: db, Import: i, Reader: in, Told: func(consent.ImportRow, consent.Fate, error) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	d := &desk.Desk{Store: db, Config: &configs.Loaded{}, Now: time.Now()}
	got := map[string]int{}
	for state, want := range map[string]int{"": 1201, "active": 401, "pending": 800, "withdrawn": 0} {
		seen := map[string]bool{}
		if err := d.Subscribers(context.Background(), desk.SubscriberFilter{State: state}, func(s desk.Subscriber) error {
			seen[s.Ref] = true
			if diff := cmp.Diff([]string{consent.Email}, s.Media); diff != "" || len(s.Grants) != 1 {
				t.Fatalf("%+v", s)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got[state] = len(seen); got[state] != want {
			t.Errorf("%d people are %q, want %d", got[state], state, want)
		}
	}
}

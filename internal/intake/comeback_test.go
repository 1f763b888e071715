package intake

import (
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// After a store came from a backup, the first good fetch holds what is new, and only that one.
func TestTheFirstFetchAfterABackup(t *testing.T) {
	t.Parallel()
	taken := time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)
	back := taken.Add(9 * time.Hour)
	batch := sdk.Batch{Items: []sdk.Item{{Key: "new", Title: "New"}, {Key: "known", Title: "Known"}}}
	known := Known{ID: 1, Key: "known", State: Live, Listed: true, SeenAt: taken, ListedAt: taken}
	for name, c := range map[string]struct {
		rules    Rules
		primed   bool
		ok       time.Time
		held     bool
		baseline bool
	}{
		"the first one":                {Rules{MaxNew: 20, CameBack: back, BackupTaken: taken}, true, taken, true, false},
		"the second one":               {Rules{MaxNew: 20, CameBack: back, BackupTaken: taken}, true, back.Add(time.Minute), false, false},
		"no backup":                    {Rules{MaxNew: 20}, true, taken, false, false},
		"never fetched, all is posted": {Rules{MaxNew: 20, BaselineAll: true, CameBack: back, BackupTaken: taken}, false, time.Time{}, true, false},
		"never fetched, none is":       {Rules{MaxNew: 20, CameBack: back, BackupTaken: taken}, false, time.Time{}, false, true},
		"an old backup":                {Rules{MaxNew: 20, CameBack: back, BackupTaken: taken}, true, taken.Add(-90 * 24 * time.Hour), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.rules.Name, c.rules.Poll = "feed", time.Minute
			ch := Decide(c.rules, State{Name: "feed", Primed: c.primed, OKAt: c.ok}, batch, Found{ByKey: map[string]Known{"known": known}, Listed: []Known{known}}, back.Add(2*time.Minute))
			if len(ch.Inserts) != 1 || (ch.Inserts[0].State == Held) != c.held || ch.Inserts[0].Baseline != c.baseline {
				t.Fatalf("%+v", ch.Inserts)
			}
			if held := len(ch.Holds) == 1 && strings.Contains(ch.Holds[0].Note, "a backup of 2026-11-20 03:00 UTC, and 1 items"); held != c.held {
				t.Errorf("holds: %+v", ch.Holds)
			}
			if told := len(ch.Alerts) == 1; told != c.held {
				t.Errorf("alerts: %+v", ch.Alerts)
			}
		})
	}
}

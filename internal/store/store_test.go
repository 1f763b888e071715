package store

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSQLite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT 1":                              "SELECT 1",
		"a = $1 AND b = $12 OR a = $1":          "a = ?1 AND b = ?12 OR a = ?1",
		"VALUES ($1, $2, $3)":                   "VALUES (?, ?, ?)",
		"b = $2 AND a = $1":                     "b = ?2 AND a = ?1",
		"id IN @list($3) AND x = $2":            "id IN (SELECT value FROM json_each(?3)) AND x = ?2",
		"FROM a @by(a_wait) WHERE b = $1":       "FROM a INDEXED BY a_wait WHERE b = ?",
		"FROM @list($1) c JOIN posts ON $2 > 0": "FROM (SELECT value FROM json_each(?)) c JOIN posts ON ? > 0",
	} {
		if got := SQLite(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// Whatever a rate allows, and whenever calls are asked for: no stretch of its length has more of them, and nobody waits
// although there is room.
func TestSpendKeepsToTheRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := sdk.Rate{Events: rapid.IntRange(1, 1000).Draw(t, "events"), Per: time.Duration(rapid.Int64Range(1000, 1e9).Draw(t, "per")) * time.Microsecond}
		events, per := finer(rate)
		if events < 1 || events > mostStarts {
			t.Fatalf("%d events are remembered", events)
		}
		var remembered, all []int64
		now := int64(1_700_000_000_000_000)
		for range rapid.IntRange(1, 400).Draw(t, "calls") {
			now += rapid.Int64Range(0, 2*per/int64(events)).Draw(t, "pause")
			next, free := spend(remembered, events, per, now)
			if free > now {
				if len(all) < events || free > now+per {
					t.Fatalf("it has to wait for %d µs after %d calls", free-now, len(all))
				}
				now = free
				if next, free = spend(remembered, events, per, now); free > now {
					t.Fatal("it has to wait a second time")
				}
			}
			remembered, all = next, append(all, now)
			if len(remembered) > events {
				t.Fatalf("%d starts are remembered of %d", len(remembered), events)
			}
		}
		for i := range all {
			n := 0
			for _, at := range all[i:] {
				if at-all[i] < rate.Per.Microseconds() {
					n++
				}
			}
			if n > rate.Events {
				t.Fatalf("%d calls in one stretch, and %d are allowed", n, rate.Events)
			}
		}
	})
}

// A clock that was set back costs a wait of one stretch at most.
func TestSpendAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	const now, per = int64(1_000_000_000), int64(1_000_000)
	starts, _ := spend([]int64{now + 3600*per, now + 3601*per}, 2, per, now)
	if len(starts) != 3 {
		t.Fatalf("%d", starts)
	}
	if _, free := spend([]int64{now + 3600*per, now + 3601*per}, 2, per, now); free != now+per {
		t.Errorf("it waits for %d µs", free-now)
	}
}

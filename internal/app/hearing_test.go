package app

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// crowded is an inbox in which more waits than can be worked on, for so many looks.
type crowded struct {
	consent.InboxStore
	looks int
}

func (c *crowded) CountInbound(_ context.Context, _ string, most int) (int, error) {
	if c.looks--; c.looks >= 0 {
		return most, nil
	}
	return most - 1, nil
}

func crowdedInbox(looks int) *inbox {
	return &inbox{a: &App{log: slog.New(slog.DiscardHandler)}, in: (&consent.Registry{}).Inbox(&crowded{looks: looks}), calls: map[string]int{}}
}

// TestAFloodWaitsAtThePlugin: no more is asked for while much waits, and that ends with the daemon.
func TestAFloodWaitsAtThePlugin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if !crowdedInbox(4).room(t.Context(), "pager") || time.Since(start) != 4*roomEvery {
			t.Errorf("there is room after %s", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if crowdedInbox(1_000_000).room(ctx, "pager") || ctx.Err() == nil {
			t.Error("there is room in a full inbox")
		}
	})
}

// TestCallsOfPlatformsAreBounded: of each destination so many are looked at, and the others are told to come again.
func TestCallsOfPlatformsAreBounded(t *testing.T) {
	t.Parallel()
	x := crowdedInbox(0)
	var leaves []func()
	for range mostCalls {
		leave, ok := x.enter("pager")
		if !ok {
			t.Fatal("a call is refused")
		}
		leaves = append(leaves, leave)
	}
	if _, ok := x.enter("pager"); ok {
		t.Error("a call too many is looked at")
	}
	if _, ok := x.enter("other"); !ok {
		t.Error("another destination's is refused")
	}
	leaves[0]()
	if _, ok := x.enter("pager"); !ok {
		t.Error("a call is refused after another has ended")
	}
}

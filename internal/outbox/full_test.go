package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
)

var errFull = errors.New("database or disk is full")

// fullStore takes nothing while it is full.
type fullStore struct {
	outbox.Store
	full     atomic.Bool
	unknowns atomic.Int32
}

func (s *fullStore) Claim(ctx context.Context, destination string, now time.Time, lease time.Duration, lanes, size int) ([]outbox.Batch, error) {
	if s.full.Load() {
		return nil, errFull
	}
	return s.Store.Claim(ctx, destination, now, lease, lanes, size)
}

func (s *fullStore) Release(ctx context.Context, b outbox.Batch) error {
	if s.full.Load() {
		return errFull
	}
	return s.Store.Release(ctx, b)
}

func (s *fullStore) Start(ctx context.Context, st outbox.Start, now time.Time) (time.Time, error) {
	if s.full.Load() {
		return time.Time{}, errFull
	}
	return s.Store.Start(ctx, st, now)
}

func (s *fullStore) Settle(ctx context.Context, st outbox.Settlement, now time.Time) (int64, error) {
	if s.full.Load() {
		return 0, errFull
	}
	return s.Store.Settle(ctx, st, now)
}

func (s *fullStore) SettleAndStart(ctx context.Context, st outbox.Settlement, following outbox.Start, now time.Time) (int64, time.Time, error, error) {
	if s.full.Load() {
		return 0, time.Time{}, nil, errFull
	}
	return s.Store.SettleAndStart(ctx, st, following, now)
}

func (s *fullStore) Resolve(ctx context.Context, u outbox.UnknownCall, r outbox.Resolution, now time.Time) error {
	s.unknowns.Add(1)
	return s.Store.Resolve(ctx, u, r, now)
}

// What is known of a call stays known while the disk is full, and everything goes on within seconds of there being room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		a    answer
	}{{"an accepted call", answer{}}, {"a refused call", refusal("rate_limited", "slowly", time.Second)}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				disk := &fullStore{Store: s.db}
				p := s.platforms["a"]
				a := c.a
				a.before = func() { disk.full.Store(true) } // the disk fills while the call is under way
				p.then(a)
				s.post("one", "a")
				s.post("two", "a")
				s.engine = outbox.NewEngine(outbox.Settings{Store: disk, Renderer: s.words, Log: slog.New(slog.DiscardHandler)})
				s.ok(s.engine.Start(s.t.Context(), true))
				s.engine.Use(context.Background(), s.destinations())
				s.pass(40 * time.Second)
				if n := len(p.made()); n != 1 {
					t.Fatalf("%d calls were made on a full disk", n)
				}
				disk.full.Store(false)
				s.pass(5 * time.Second)
				s.same("states", []string{"sent", "sent"}, s.states())
				if len(p.texts("")) != 2 || disk.unknowns.Load() != 0 {
					t.Errorf("it shows %q, %d unknown outcomes", p.texts(""), disk.unknowns.Load())
				}
			})
		})
	}
}

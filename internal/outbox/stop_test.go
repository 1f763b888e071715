package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

func TestStop(t *testing.T) {
	t.Parallel()
	slow := answer{before: func() { time.Sleep(5 * time.Second) }}
	for _, c := range []struct {
		name  string
		a     answer
		bound time.Duration
		// most is how long stopping may take.
		most   time.Duration
		fails  bool
		states []string
	}{
		{"nothing is under way", answer{}, time.Minute, 0, false, []string{"sent", "sent"}},
		{"a call may end", slow, 20 * time.Second, 5 * time.Second, false, []string{"sent", "pending"}},
		{"a call hangs longer than the bound", answer{hang: true}, 4 * time.Second, 5 * time.Second, true, []string{"unknown (unknown_outcome)", "pending"}},
		{"a call is deaf", answer{deaf: true}, 4 * time.Second, 6 * time.Second, true, []string{"unknown (unknown_outcome)", "pending"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				p := s.platforms["a"]
				p.then(c.a)
				s.post("one", "a")
				s.post("two", "a")
				s.start()
				s.pass(10 * time.Millisecond)
				took, err := s.stop(c.bound)
				if took > c.most || (err != nil) != c.fails {
					t.Errorf("it took %s, %v", took, err)
				}
				s.same("states", c.states, s.states())
				p.finds = true
				s.start()
				s.pass(time.Minute)
				if len(p.texts("")) != 2 {
					t.Errorf("after the restart it shows %q", p.texts(""))
				}
			})
		})
	}
}

func TestStopTwiceAndBeforeStart(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		e := outbox.NewEngine(outbox.Settings{Store: s.db, Renderer: s.words, Log: slog.New(slog.DiscardHandler)})
		s.ok(e.Stop(s.t.Context()))
		s.ok(e.Start(s.t.Context(), true))
		e.Use(s.t.Context(), s.destinations())
		s.ok(e.Stop(s.t.Context()))
		s.ok(e.Stop(s.t.Context()))
	})
}

// A changed connector takes over once the calls of the old one have ended; what is not configured any more waits.
func TestUse(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		p.then(answer{before: func() { time.Sleep(3 * time.Second) }})
		s.post("one", "a")
		s.start()
		s.pass(10 * time.Millisecond)
		without := s.destinations()
		delete(without, "a")
		begun := time.Now()
		s.engine.Use(context.Background(), without)
		if d := time.Since(begun); d < 2*time.Second || d > 4*time.Second {
			t.Errorf("the change took %s", d)
		}
		s.same("states", []string{"sent"}, s.states())
		s.post("two", "a")
		s.pass(time.Minute)
		s.same("shown without it", []string{"one"}, p.texts(""))
		s.engine.Use(context.Background(), s.destinations())
		s.pass(time.Second)
		s.same("shown with it", []string{"one", "two"}, p.texts(""))
	})
}

// Two nodes on one store: every post leaves once, and what a dead node left is taken over after its lease.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		s.start()
		other := outbox.NewEngine(outbox.Settings{Store: s.db, Renderer: s.words, Log: slog.New(slog.DiscardHandler)})
		s.ok(other.Start(s.t.Context(), false))
		other.Use(context.Background(), s.destinations())
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprint(i))
			s.post(want[i], "a")
		}
		s.pass(10 * time.Second)
		s.same("shown", want, p.texts(""))
		s.ok(other.Stop(s.t.Context()))
		// A third node claims and starts, and is never heard of again.
		_, err := s.stop(time.Minute)
		s.ok(err)
		s.post("lost", "a")
		s.post("next", "a")
		batches, err := s.db.Claim(s.t.Context(), "a", time.Now(), time.Minute, 1, 10)
		s.ok(err)
		w, err := s.db.Work(s.t.Context(), batches[0].Deliveries[0])
		s.ok(err)
		call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: 1, Key: "msg_lost", Part: sdk.Part{Kind: "send", Request: []byte("lost")}, Final: true, Wanted: 1}
		_, err = s.db.Start(s.t.Context(), outbox.Start{Batch: batches[0], Delivery: w.Delivery, Version: w.Version, Call: call}, time.Now())
		s.ok(err)
		s.engine = outbox.NewEngine(outbox.Settings{Store: s.db, Renderer: s.words, Log: slog.New(slog.DiscardHandler)})
		s.ok(s.engine.Start(s.t.Context(), false))
		s.engine.Use(context.Background(), s.destinations())
		s.pass(50 * time.Second)
		s.same("within the lease", want, p.texts(""))
		s.pass(40 * time.Second)
		s.same("after the lease", append(want, "next"), p.texts(""))
		if u := s.deliveries(store.DeliveryFilter{State: "unknown"}); len(u) != 1 || u[0].ID != w.Delivery {
			t.Errorf("%+v", u)
		}
	})
}

// A post in whose call the daemon ends again and again is set aside for a person.
func TestACallThatEndsTheDaemonIsSetAside(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		p.dedup = true
		s.post("news", "a")
		for range 20 {
			ctx, now := s.t.Context(), time.Now()
			batches, err := s.db.Claim(ctx, "a", now, time.Minute, 1, 10)
			s.ok(err)
			if len(batches) == 0 {
				break
			}
			w, err := s.db.Work(ctx, batches[0].Deliveries[0])
			s.ok(err)
			call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: 1, Key: "msg_1", Part: sdk.Part{Kind: "send", Request: []byte("news")}, Final: true, Wanted: 1}
			_, err = s.db.Start(ctx, outbox.Start{Batch: batches[0], Delivery: w.Delivery, Version: w.Version, Call: call, Repeat: w.Retry != nil}, now)
			s.ok(err)
			// The daemon ends here. The next one looks after what it left, and ends too.
			s.start()
			s.pass(100 * time.Millisecond)
			_, err = s.stop(time.Minute)
			s.ok(err)
			s.pass(20 * time.Minute)
		}
		s.same("alerts", []string{"outcome_unknown"}, s.alerts())
		s.same("states", []string{"unknown asked (unknown_outcome)"}, s.states())
	})
}

package direct_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/sdk"
)

// sink takes every message over ten connections.
type sink struct{ n atomic.Int64 }

func (s *sink) Close(context.Context) error { return nil }

func (s *sink) Stream(ctx context.Context, ms sdk.Messages) error {
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for {
				m, more := ms.Next(ctx)
				if !more {
					return
				}
				_, err := m.Recipient(time.Now())
				ms.Done(m.ID(), sdk.MessageRef{ID: m.ID()}, err)
				s.n.Add(1)
			}
		})
	}
	wg.Wait()
	return nil
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMessages measures the protocol alone: messages of one post with a durable outcome each, to a connector that does
// nothing. It says how much processor time a message takes.
func BenchmarkMessages(b *testing.B) {
	const people = 20_000
	h := newHouse(b)
	h.crowd(people)
	out := &sink{}
	h.engine = direct.New(direct.Settings{Store: h.db, People: h.people, Writer: writer{}, Log: quiet})
	must(b, h.engine.Start(b.Context(), true))
	defer h.stop()
	h.engine.Use(b.Context(), map[string]direct.Destination{"mail": {Name: "mail", Medium: "email", Conn: out, Timeout: 5 * time.Second, Parallel: 10}})
	before, sent := processorTime(), 0
	for b.Loop() {
		want := out.n.Load() + people
		h.publish()
		for out.n.Load() < want {
			time.Sleep(time.Millisecond)
		}
		sent += people
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(sent), "µs-cpu/message")
}

// crowd makes many people who follow the channel, many in one transaction.
func (h *house) crowd(n int) {
	h.t.Helper()
	for from := 0; from < n; from += 500 {
		var wg sync.WaitGroup
		for i := from; i < min(from+500, n); i++ {
			wg.Go(func() {
				_, err := h.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: "email", Value: fmt.Sprintf("crowd%d@example.invalid", i)}, Purposes: []consent.Purpose{alertes},
					Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
				must(h.t, err)
			})
		}
		wg.Wait()
	}
}

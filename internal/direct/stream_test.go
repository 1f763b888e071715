package direct_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/sdk"
)

// crowdSink takes messages over so many connections, and remembers how many were on their way at once.
type crowdSink struct {
	connections int

	mu    sync.Mutex
	times map[string]int
}

func (s *crowdSink) Close(context.Context) error { return nil }

func (s *crowdSink) Stream(ctx context.Context, ms sdk.Messages) error {
	ms.(sdk.Connected).Over(s.connections)
	var wg sync.WaitGroup
	for range s.connections {
		wg.Go(func() {
			for {
				m, more := ms.Next(ctx)
				if !more {
					return
				}
				s.mu.Lock()
				s.times[m.ID()]++
				s.mu.Unlock()
				ms.Done(m.ID(), sdk.MessageRef{ID: m.ID()}, nil)
			}
		})
	}
	wg.Wait()
	return nil
}

func (s *crowdSink) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times)
}

// TestBatchesOverlap sends more than three batches to a fast streamer: everybody gets one message, each has an outcome, and no
// batch is left behind.
func TestBatchesOverlap(t *testing.T) {
	t.Parallel()
	const people = 1700
	h := newHouse(t)
	h.crowd(people)
	out := &crowdSink{connections: 10, times: map[string]int{}}
	settled := make(chan struct{}, 1)
	h.engine = direct.New(direct.Settings{Store: h.db, People: h.people, Writer: writer{}, Log: quiet, Settled: func() {
		select {
		case settled <- struct{}{}:
		default:
		}
	}})
	must(t, h.engine.Start(t.Context(), true))
	h.engine.Use(t.Context(), map[string]direct.Destination{"mail": {Name: "mail", Medium: "email", Conn: out, Timeout: 5 * time.Second, Parallel: 1}})
	h.publish()
	for out.taken() < people {
		select {
		case <-settled:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d messages left", out.taken(), people)
		}
	}
	h.stop() // waits for what is under way
	for id, n := range out.times {
		if n != 1 {
			t.Errorf("message %s left %d times", id, n)
		}
	}
	// Nothing that was started is without an outcome, and no batch is there that could have made it so.
	if unknown, err := h.db.RecoverMessages(t.Context(), true, time.Now()); err != nil || unknown != 0 {
		t.Errorf("%d messages are unknown (%v)", unknown, err)
	}
	if streams, err := h.db.FinishStreams(t.Context(), time.Now()); err != nil || streams != 1 {
		t.Errorf("%d streams are done (%v)", streams, err)
	}
	for _, id := range []consent.PersonID{1, 500, 501, people} {
		record, err := h.people.Record(t.Context(), id)
		if err != nil || len(record.Messages) != 1 || record.Messages[0].Outcome != "sent" {
			t.Errorf("person %d: %+v (%v)", id, record.Messages, err)
		}
	}
}

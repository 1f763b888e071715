package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// Bench runs the benchmarks of what the store does most. open gives an empty database.
func Bench(b *testing.B, open func(b *testing.B) *store.DB) {
	b.Helper()
	b.Run("commit a fetch of 50 new items", func(b *testing.B) {
		db := open(b)
		benchFetch(b, db)
	})
	b.Run("claim, start and settle one delivery", func(b *testing.B) {
		db := open(b)
		benchDelivery(b, db)
	})
	b.Run("deliveries of 32 destinations at once", func(b *testing.B) {
		db := open(b)
		benchLanes(b, db)
	})
}

func benchFetch(b *testing.B, db *store.DB) {
	now := time.Now()
	if err := db.UseSources(b.Context(), []store.SourceSetting{{Name: "feed", Poll: time.Minute}}, now); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		st, err := db.SourceState(b.Context(), "feed")
		if err != nil {
			b.Fatal(err)
		}
		ch := intake.Change{State: st}
		var batch sdk.Batch
		for i := range 50 {
			it := item(path.Join("2026", fmt.Sprint(n), fmt.Sprint(i)), fmt.Sprintf("Title %d of fetch %d", i, n))
			it.Summary = "A summary of some length, as the articles of most feeds have it, in two sentences. This is the second one."
			batch.Items = append(batch.Items, it)
			in := insert(it, intake.Live, now)
			in.Substance, in.Facts = fmt.Sprintf("%064d", n), fmt.Sprintf("%064d", i)
			ch.Inserts = append(ch.Inserts, in)
		}
		found, err := db.Found(b.Context(), "feed", batch)
		if err != nil {
			b.Fatal(err)
		}
		for _, k := range found.Listed { // the document before holds other items
			ch.Updates = append(ch.Updates, intake.Update{ID: k.ID, ListedAt: now})
		}
		if err := db.CommitIntake(b.Context(), ch, now); err != nil {
			b.Fatal(err)
		}
	}
}

func benchDelivery(b *testing.B, db *store.DB) {
	now := time.Now()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		if _, err := db.CreatePost(b.Context(), compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, Content: compose.Content{Title: "news"}, VisibleAt: now,
			Targets: []compose.NewTarget{{Destination: "hook"}}}, nil, "bench", now); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		list, err := db.Claim(b.Context(), "hook", now, time.Hour, 1, 32)
		if err != nil || len(list) != 1 {
			b.Fatalf("%d batches, %v", len(list), err)
		}
		w, err := db.Work(b.Context(), list[0].Deliveries[0])
		if err != nil {
			b.Fatal(err)
		}
		call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: 1, Wanted: 1, Final: true, Key: fmt.Sprint("msg_", n), Part: sdk.Part{Kind: "send", Request: make([]byte, 600)}}
		if _, err := db.Start(b.Context(), outbox.Start{Batch: list[0], Delivery: w.Delivery, Version: w.Version, Call: call}, now); err != nil {
			b.Fatal(err)
		}
		if _, err := db.Settle(b.Context(), outbox.Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: list[0].ID, Fence: list[0].Fence, Call: &call,
			Ref: sdk.PartRef{IDs: []string{fmt.Sprint(n)}}, Succeeded: true}, now); err != nil {
			b.Fatal(err)
		}
		if err := db.Release(b.Context(), list[0]); err != nil {
			b.Fatal(err)
		}
	}
}

// benchLanes has as many lanes as the bench of the whole program: they share commits.
func benchLanes(b *testing.B, db *store.DB) {
	const lanes = 32
	now := time.Now()
	content := compose.Content{Title: "news", Summary: strings.Repeat("A sentence of a summary. ", 30)}
	targets := make([]compose.NewTarget, lanes)
	for i := range targets {
		targets[i].Destination = fmt.Sprint("hook", i)
	}
	for n := 0; n < b.N; n += lanes {
		if _, err := db.CreatePost(b.Context(), compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, Content: content,
			VisibleAt: now, Targets: targets}, nil, "bench", now); err != nil {
			b.Fatal(err)
		}
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for _, t := range targets {
		all.Go(func() {
			for left.Load() > 0 {
				list, err := db.Claim(b.Context(), t.Destination, now, time.Hour, 1, 32)
				if err != nil {
					b.Error(err)
				}
				if len(list) == 0 {
					return // others have less
				}
				if err := benchBatch(b, db, list[0], &left, now); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// benchBatch carries the deliveries of a batch through, each start in the transaction of the outcome before.
func benchBatch(b *testing.B, db *store.DB, batch outbox.Batch, left *atomic.Int64, now time.Time) error {
	text := strings.Repeat("A sentence of a post. ", 40)
	var under *outbox.Start
	var publication int64
	known := map[int64]outbox.Work{}
	for i, id := range batch.Deliveries {
		if left.Add(-1) < 0 {
			break
		}
		if _, ok := known[id]; !ok {
			all, err := db.Works(b.Context(), batch.Deliveries[i:min(i+8, len(batch.Deliveries))])
			if err != nil {
				return err
			}
			for _, w := range all {
				known[w.Delivery] = w
			}
		}
		w := known[id]
		next := &outbox.Start{Batch: batch, Delivery: id, Version: w.Version, Call: outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: 1, Wanted: 1,
			Final: true, Key: fmt.Sprint("msg_", id), Part: sdk.Part{Kind: "send", Type: "application/json", Request: bytes.Repeat([]byte(`{"word":5}`), 230), Text: text}}}
		var wait time.Time
		var startErr, err error
		if under == nil {
			wait, err = db.Start(b.Context(), *next, now)
		} else {
			_, wait, startErr, err = db.SettleAndStart(b.Context(), accepted(under, publication), *next, now)
		}
		if err = errors.Join(err, startErr); err != nil || !wait.IsZero() {
			return fmt.Errorf("%w, %v", err, wait)
		}
		under, publication = next, w.Publication
	}
	if under != nil {
		if _, err := db.Settle(b.Context(), accepted(under, publication), now); err != nil {
			return err
		}
	}
	return db.Release(b.Context(), batch)
}

func accepted(s *outbox.Start, publication int64) outbox.Settlement {
	return outbox.Settlement{Delivery: s.Delivery, Publication: publication, Version: s.Version, Batch: s.Batch.ID, Fence: s.Batch.Fence, Call: &s.Call,
		Ref: sdk.PartRef{IDs: []string{fmt.Sprint(s.Delivery)}, State: []byte(`{"key":"msg_0123456789"}`)}, Succeeded: true,
		Resolve: []alert.Key{{Code: alert.DestinationStop, Subject: s.Batch.Destination}, {Code: alert.DestinationDown, Subject: s.Batch.Destination}}}
}

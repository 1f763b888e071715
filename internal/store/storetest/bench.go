package storetest

import (
	"fmt"
	"path"
	"testing"
	"time"

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

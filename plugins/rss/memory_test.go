package rss

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// TestManyLargeFeedsAtOnce holds that the memory of a process does not grow with the number of its instances that get
// something large at the same time.
func TestManyLargeFeedsAtOnce(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("<rss><channel>")
	for i := range 450 {
		fmt.Fprintf(&doc, "<item><guid>%d</guid><title>x</title><description>%s</description></item>", i, strings.Repeat("&lt;p>some words ", 600))
	}
	doc.WriteString("</channel></rss>")
	site := feedtest.New()
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Header: http.Header{"Content-Encoding": {"gzip"}},
		Body: gzipped(t, []byte(doc.String()))})
	n := fetch.New()
	peak := peakOf(func() {
		var wg sync.WaitGroup
		for range 6 {
			src := openSource(t, n, server.URL+"/feed")
			wg.Go(func() {
				batch, err := src.Fetch(context.Background(), sdk.FetchRequest{Now: start})
				if err != nil || len(batch.Items) != 450 {
					t.Errorf("%d items: %v", len(batch.Items), err)
				}
			})
		}
		wg.Wait()
	})
	t.Logf("%d MiB of heap", peak>>20)
	if peak > 200<<20 {
		t.Errorf("%d MiB of heap were in use", peak>>20)
	}
}

// peakOf samples how much heap is in use while f runs.
func peakOf(f func()) (peak uint64) {
	runtime.GC()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	<-done
	return peak
}

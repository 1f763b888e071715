package rss

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// TestFetchesOfOneHostKeepThePace drives whole fetches against a server that counts, as if it were public.
func TestFetchesOfOneHostKeepThePace(t *testing.T) {
	t.Parallel()
	n := fetch.New()
	n.Gate.Private = func(netip.Addr) bool { return false }
	n.Gate.Spacing = 50 * time.Millisecond
	site := feedtest.New()
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: articles(1).RSS(), Drip: 100 * time.Microsecond})
	var wg sync.WaitGroup
	began := time.Now()
	for range 6 {
		src := openSource(t, n, server.URL+"/feed")
		wg.Go(func() {
			if _, err := src.Fetch(context.Background(), sdk.FetchRequest{Now: start}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most := site.MostOpen(); most > 2 {
		t.Errorf("%d requests were under way at once", most)
	}
	reqs := site.Requests()
	// The server sees a request a little after its start, so the whole time tells more than each gap.
	if took := reqs[len(reqs)-1].At.Sub(began); took < 5*n.Gate.Spacing {
		t.Errorf("six requests came within %s", took)
	}
}

package rss

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// faulty is a site that can be made to fail or to stall.
type faulty struct {
	site  *feedtest.Site
	state atomic.Pointer[chan struct{}] // stalls until it is closed
	fails atomic.Bool
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.fails.Load() {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	if hold := f.state.Load(); hold != nil {
		select {
		case <-*hold:
		case <-r.Context().Done():
			return
		}
	}
	f.site.ServeHTTP(w, r)
}

func TestConformance(t *testing.T) {
	spec := Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "loopback": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			f := &faulty{site: feedtest.New()}
			server := httptest.NewServer(f)
			t.Cleanup(server.Close)
			room := articles(5)
			f.site.Feed("/feed", room.RSS())
			f.site.Set("/there", feedtest.Page{Type: "text/html", Body: []byte("x")})
			options := sdktest.Options{
				Open: open,
				Config: map[string]any{"url": server.URL + "/feed", "allow_private": []any{"127.0.0.0/8"}, "username": "desk", "password": "canary-password",
					"headers": map[string]any{"X-Key": "canary-header"}},
				Secrets: []string{"canary-password", "canary-header"},
				Break: func(testing.TB) func() {
					f.fails.Store(true)
					return func() { f.fails.Store(false) }
				},
				Stall: func(testing.TB) func() {
					hold := make(chan struct{})
					f.state.Store(&hold)
					return func() {
						f.state.Store(nil)
						close(hold)
					}
				},
			}
			n := 0
			t.Run("source", func(t *testing.T) {
				sdktest.Source(t, sdktest.SourceOptions{Options: options, Now: start, Change: func(testing.TB) {
					n++
					room.Publish(feedtest.Article{ID: "fresh", Title: "Fresh", Link: "https://gazette.example/fresh", Published: start.Add(time.Duration(n) * time.Minute)})
					f.site.Feed("/feed", room.RSS())
				}})
			})
			t.Run("checker", func(t *testing.T) {
				sdktest.Checker(t, sdktest.CheckerOptions{Options: options,
					There: []sdk.ItemRef{{Key: "a", URL: server.URL + "/there"}}, Gone: []sdk.ItemRef{{Key: "b", URL: server.URL + "/gone"}}})
			})
		})
	}
}

package calendar

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/belfry-news/belfry/sdk/sdktest"
)

// faulty is a server that can be made to fail or to stall.
type faulty struct {
	http.Handler
	hold  atomic.Pointer[chan struct{}] // stalls until it is closed
	fails atomic.Bool
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.fails.Load() {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	if hold := f.hold.Load(); hold != nil {
		select {
		case <-*hold:
		case <-r.Context().Done():
			return
		}
	}
	f.Handler.ServeHTTP(w, r)
}

// options are those of the suite for a server.
func (f *faulty) options(open sdktest.Opener, config map[string]any) sdktest.Options {
	config["allow_private"], config["username"], config["password"] = []any{"127.0.0.0/8"}, "desk", "canary-password"
	config["headers"] = map[string]any{"X-Key": "canary-header"}
	return sdktest.Options{Open: open, Config: config, Secrets: []string{"canary-password", "canary-header"},
		Break: func(testing.TB) func() {
			f.fails.Store(true)
			return func() { f.fails.Store(false) }
		},
		Stall: func(testing.TB) func() {
			hold := make(chan struct{})
			f.hold.Store(&hold)
			return func() {
				f.hold.Store(nil)
				close(hold)
			}
		}}
}

func TestConformance(t *testing.T) {
	spec := Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "loopback": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			s := &site{}
			f := &faulty{Handler: s}
			server := httptest.NewServer(f)
			t.Cleanup(server.Close)
			list := []string{event("a@x", "20261125T200000", "One", "RRULE:FREQ=WEEKLY;COUNT=3", "LOCATION:Here"), event("b@x", "20261202T200000", "Two", "STATUS:TENTATIVE", "URL:https://news.example/b")}
			s.set(agenda(list...))
			n := 0
			sdktest.Source(t, sdktest.SourceOptions{Options: f.options(open, map[string]any{"url": server.URL + "/agenda.ics", "announce": []any{"1d", "2h"}}), Now: start,
				Change: func(testing.TB) {
					n++
					list = append(list, event(fmt.Sprintf("fresh%d@x", n), "20261203T200000", "Fresh"))
					s.set(agenda(list...))
				}})
		})
	}
}

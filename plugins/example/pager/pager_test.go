package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

const anna, gone = "anna@example.invalid", "gonepager@example.invalid"

// desk is the service as the tests of this package see it.
type desk struct {
	mu    sync.Mutex
	pages []string
	keys  map[string]bool
	fails func(w http.ResponseWriter, r *http.Request) bool
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != nil && d.fails(w, r) {
		return
	}
	var p struct{ To, Text string }
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil || r.Header.Get("Authorization") != "Bearer canary-token" || r.URL.Path != "/api/pages" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if p.To != anna {
		http.Error(w, "no pager "+p.To, http.StatusGone)
		return
	}
	if key := r.Header.Get("Idempotency-Key"); !d.keys[key] {
		d.keys[key] = true
		d.pages = append(d.pages, p.Text)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(`{"id":"p1"}`))
}

func start(t *testing.T) (*desk, map[string]any) {
	t.Helper()
	d := &desk{keys: map[string]bool{}}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	return d, map[string]any{"api": server.URL + "/api", "token": "canary-token", "allow_private": []any{"127.0.0.0/8"}}
}

// TestConformance runs Belfry's own suite, on the connector itself and behind the wire.
func TestConformance(t *testing.T) {
	spec := Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "over the wire": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			d, config := start(t)
			sdktest.Messenger(t, sdktest.MessengerOptions{
				Options: sdktest.Options{Open: open, Config: config, Secrets: []string{"canary-token"},
					Break: func(testing.TB) func() {
						d.set(func(w http.ResponseWriter, _ *http.Request) bool {
							w.WriteHeader(http.StatusServiceUnavailable)
							return true
						})
						return func() { d.set(nil) }
					}},
				Medium: Medium, Address: anna, Lost: gone,
				Got: func(testing.TB) []string {
					d.mu.Lock()
					defer d.mu.Unlock()
					return append([]string(nil), d.pages...)
				},
			})
		})
	}
}

func (d *desk) set(fails func(w http.ResponseWriter, r *http.Request) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails = fails
}

func TestTheWaysOutAreNeverCut(t *testing.T) {
	m := sdk.NewDirectMessage(sdktest.Permit(t, "m1", Medium, anna), sdk.MessageContent{
		Common: &sdk.Common{Subject: "Fire", Body: sdk.Body{sdk.Paragraph(sdk.Text(strings.Repeat("é", 1000)))}, Reason: "Because " + sdk.Slot("since"),
			Links: []sdk.CommonLink{{Text: "Leave", Slot: sdk.SlotUnsubscribe}}},
		Slots: map[string]string{"since": "2026", sdk.SlotUnsubscribe: "https://news.example/leave/x"}})
	text, err := compose(m)
	if err != nil || utf8.RuneCountInString(text) > maxText || !strings.HasSuffix(text, "…\nBecause 2026\nLeave: https://news.example/leave/x") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestTheServiceRefuses(t *testing.T) {
	for status, want := range map[int]sdk.Code{401: sdk.CodeUnauthenticated, 403: sdk.CodeForbidden, 404: sdk.CodeGone, 410: sdk.CodeGone, 429: sdk.CodeRateLimited,
		422: sdk.CodeInvalid, 500: sdk.CodeUnknownOutcome, 200: sdk.CodeInvalid} {
		_, err := accepted(sdk.Answer{Status: status, Header: http.Header{"Retry-After": {"7"}}, At: time.Now()})
		if e := sdk.AsError(err); e.Code != want || status == 429 && e.RetryAfter != 7*time.Second {
			t.Errorf("%d: %+v", status, e)
		}
	}
	if _, err := accepted(sdk.Answer{Status: 201, Body: []byte("{")}); sdk.AsError(err).Code != sdk.CodeUnknownOutcome {
		t.Errorf("an answer that cannot be read: %v", err)
	}
}

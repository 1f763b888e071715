//go:build unix

package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
)

const annasPager = "anna.pager@example.invalid"

// hearing is a medium on which people write first.
func hearing() trust.Medium {
	return trust.Medium{TheyBegin: true, Hears: []sdk.EventKind{sdk.EventMessage, sdk.EventButton, sdk.EventStop, sdk.EventReopen}}
}

var hearingRoles = []sdk.Role{sdk.RoleMessenger, sdk.RoleReceiver, sdk.RoleListener}

// presses has anna press the key of her last page whose text holds some words.
func (h *pagingHouse) presses(words string) {
	h.t.Helper()
	page := h.service.Last(annasPager)
	for _, c := range page.Choices {
		if strings.Contains(c.Text, words) {
			h.service.Did(annasPager, "chose", "", c.Code)
			return
		}
	}
	h.t.Fatalf("no key says %q under %q: %+v", words, page.Text, page.Choices)
}

// pages waits until anna got so many pages, and gives the last one.
func (h *pagingHouse) pages(n int) string {
	h.t.Helper()
	h.until(fmt.Sprintf("anna has %d pages", n), func() bool { return len(h.service.Texts(annasPager)) == n })
	return h.service.Last(annasPager).Text
}

// follows has anna write START and follow by the key under the wording; it takes three pages.
func (h *pagingHouse) follows() {
	h.t.Helper()
	h.service.Did(annasPager, "wrote", "START", "")
	if page := h.pages(1); !strings.Contains(page, "Alertes") {
		h.t.Fatalf("START is answered with %q", page)
	}
	h.presses("Alertes")
	if page := h.pages(2); !strings.Contains(page, "vous écrit ici ce qui paraît dans") {
		h.t.Fatalf("the wording is %q", page)
	}
	if r, known, err := h.app.people.ReaderOf(context.Background(), sdk.Handle{Medium: "pager", Value: annasPager}); err != nil || known && len(r.Grants) > 0 {
		h.t.Fatalf("she follows before she agreed: %+v, %v", r.Grants, err)
	}
	h.presses("Suivre")
	h.pages(3)
}

// record is what is kept of anna's consent, newest first.
func (h *pagingHouse) record() (out []consent.Event) {
	h.t.Helper()
	r, known, err := h.app.people.ReaderOf(context.Background(), sdk.Handle{Medium: "pager", Value: annasPager})
	if err != nil || !known {
		h.t.Fatalf("she is not known: %v", err)
	}
	record, err := h.app.people.Record(context.Background(), r.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return record.Events
}

// followsByWriting goes the whole way of somebody who writes to a plugin's medium: START, the wording, the key, news, STOP, and nothing
// more; and the record tells it, with whose word it is.
func followsByWriting(t *testing.T, program string) {
	h := newHearingHouse(t, program, hearing(), hearingRoles...)
	a := h.start()
	const bert = "bert.mail@example.invalid"
	if _, err := a.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: bert}, Purposes: []consent.Purpose{alertes},
		Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	h.follows()
	h.publish(feedtest.Article{ID: "a", Title: "Incendie à la gare", Summary: "Les pompiers sont là."})
	if news := h.pages(4); !strings.Contains(news, "Incendie à la gare") || !strings.Contains(news, "parce que vous suivez «\u00a0Alertes\u00a0» depuis le") {
		t.Errorf("the news reads %q", news)
	}
	h.service.Did(annasPager, "wrote", "Arrêt !", "")
	if said := h.pages(5); !strings.Contains(said, "Alertes") {
		t.Errorf("STOP is answered with %q", said)
	}
	h.publish(feedtest.Article{ID: "b", Title: "Après", Summary: "Texte."})
	h.until("who stays gets it", func() bool { return len(h.letters()) == 2 })
	h.never("who has left was written to", func() bool { return len(h.service.Texts(annasPager)) > 5 })

	var kinds []string
	for _, e := range h.record() {
		kinds = append(kinds, e.Kind+" "+string(e.Evidence.Method))
		if e.Medium != "pager" || e.Evidence.Actor != consent.Self || e.Evidence.Note != "as the plugin paging tells" || !strings.HasPrefix(e.Evidence.Where, "pager i") {
			t.Errorf("the record says %+v", e)
		}
	}
	if got := strings.Join(kinds, ", "); got != "withdrawn keyword, granted button" {
		t.Errorf("the record has %q", got)
	}
	// Whoever blocks the sender has left, too, and nobody is told.
	h.service.Did(annasPager, "wrote", "/start alertes", "")
	h.pages(6)
	h.presses("Suivre")
	h.pages(7)
	h.service.Did(annasPager, "blocked", "", "")
	h.until("she has left", func() bool { return h.record()[0].Evidence.Method == consent.ByPlatform })
	h.until("everything was stored", func() bool { return h.service.Untold() <= 1 })
	// Somebody else's address is nothing that the plugin could leave for.
	h.service.Did(bert, "wrote", "STOP", "")
	h.until("his word was worked on", func() bool { return h.service.Untold() <= 1 && len(h.service.Texts(bert)) == 1 })
	h.publish(feedtest.Article{ID: "c", Title: "Encore", Summary: "Texte."})
	h.until("bert still follows by mail", func() bool { return len(h.letters()) == 3 })
	if len(h.service.Texts(annasPager)) != 7 {
		t.Errorf("anna got %q", h.service.Texts(annasPager))
	}
}

// call calls the daemon as the service does, or as somebody with another secret.
func (h *pagingHouse) call(secret, body string) *http.Response {
	h.t.Helper()
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(body))
	req, err := http.NewRequest(http.MethodPost, "http://"+h.app.Addr()+"/hooks/pager", bytes.NewReader([]byte(body)))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Pager-Signature", hex.EncodeToString(sum.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// heardByCalls: what the platform calls with counts once its signature is right, and once; what anybody else calls with counts nothing.
func heardByCalls(t *testing.T, program string) {
	const secret = "canary-webhook-secret"
	h := newHearingHouse(t, program, hearing(), hearingRoles...)
	h.start()
	h.follows()
	stop := `{"id":"c1","kind":"wrote","from":"` + annasPager + `","text":"STOP"}`
	for name, tc := range map[string]struct {
		secret, body string
		want         int
	}{
		"another secret": {"canary-webhook-guess!", stop, http.StatusUnauthorized}, "no secret": {"", stop, http.StatusUnauthorized}, "nothing": {secret, "", http.StatusBadRequest},
		"too much": {secret, strings.Repeat(" ", mostInbound+1), http.StatusRequestEntityTooLarge},
	} {
		resp := h.call(tc.secret, tc.body)
		if resp.StatusCode != tc.want || tc.want < 413 && (resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox")) {
			t.Errorf("%s is answered with %d, %v", name, resp.StatusCode, resp.Header)
		}
	}
	if code, _ := h.page("/hooks/pager"); code != http.StatusUnauthorized { // some platforms ask with GET; this one's answer needs a signature
		t.Errorf("GET is answered with %d", code)
	}
	if kind := h.record()[0].Kind; kind != "granted" {
		t.Errorf("the record begins with %q", kind)
	}
	for range 3 { // a platform repeats
		if resp := h.call(secret, stop); resp.StatusCode != http.StatusNoContent {
			t.Errorf("STOP is answered with %d", resp.StatusCode)
		}
	}
	h.pages(4)
	if e := h.record(); len(e) != 2 || e[0].Kind != "withdrawn" {
		t.Errorf("the record is %+v", e)
	}
	h.never("it was answered twice", func() bool { return len(h.service.Texts(annasPager)) > 4 })
}

// hearsWhatWasAgreed: a plugin is believed what was shown to whoever trusted it, and nothing else that it tells; the rest goes its way.
func hearsWhatWasAgreed(t *testing.T, program string) {
	m := trust.Medium{Hears: []sdk.EventKind{sdk.EventMessage}}
	h := newHearingHouse(t, program, m, hearingRoles...)
	a := h.start()
	if _, err := a.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: "pager", Value: annasPager}, Purposes: []consent.Purpose{alertes},
		Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	h.service.Did(annasPager, "blocked", "", "")
	h.service.Did("", "wrote", "STOP", "") // from nobody
	h.service.Did(annasPager+"\n", "wrote", "STOP", "")
	h.service.Did(annasPager, "wrote", "START", "")
	if page := h.pages(1); !strings.Contains(page, "https://gazette.example/") || len(h.service.Last(annasPager).Choices) > 0 {
		t.Errorf("where no button is heard, the answer is %q with %+v", page, h.service.Last(annasPager).Choices)
	}
	if e := h.record(); len(e) != 1 {
		t.Errorf("the record is %+v", e)
	}
	w := httptest.NewRecorder()
	a.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	metrics := w.Body.String()
	for _, want := range []string{`belfry_plugin_events_refused_total{kind="pager",why="kind"} 1`, `belfry_plugin_events_refused_total{kind="pager",why="sender"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s:\n%s", want, metrics)
		}
	}
}

// heardAfterItWasAway: what people wrote while the plugin could not be opened is heard once it can, and its platform is told to call again.
func heardAfterItWasAway(t *testing.T, program string) {
	h := newHearingHouse(t, program, hearing(), hearingRoles...)
	installed := filepath.Join(h.folder, "paging")
	if err := os.Rename(installed, installed+".away"); err != nil {
		t.Fatal(err)
	}
	a := h.start()
	h.service.Did(annasPager, "wrote", "START", "")
	h.until("it is known that the plugin is away", func() bool { return h.alerts()[string(alert.DestinationDown)] != "" })
	if resp := h.call("canary-webhook-secret", "{}"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a call is answered with %d", resp.StatusCode)
	}
	if err := os.Rename(installed+".away", installed); err != nil {
		t.Fatal(err)
	}
	if r := a.Reload(context.Background()); r.Err != nil {
		t.Fatal(r.Err)
	}
	h.pages(1)
}

// keepsItsRule: another rule for the addresses of a medium is refused while anything is kept by the old one, and is fine before.
func keepsItsRule(t *testing.T, program string) {
	h := newHearingHouse(t, program, trust.Medium{}, sdk.RoleMessenger)
	a := h.start()
	h.trustPager("paging", trust.Medium{Address: sdk.AddressLowercase})
	if r := a.Reload(context.Background()); r.Err != nil {
		t.Fatalf("nobody is there yet: %v", r.Err)
	}
	if _, err := a.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: "pager", Value: "Anna.Pager@example.invalid"}, Purposes: []consent.Purpose{alertes},
		Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	if _, known, err := a.people.ReaderOf(context.Background(), sdk.Handle{Medium: "pager", Value: annasPager}); err != nil || !known {
		t.Errorf("she is not known in small letters: %t, %v", known, err)
	}
	for _, m := range []trust.Medium{{}, {Address: sdk.AddressE164}} {
		h.trustPager("paging", m)
		want := "the addresses of the medium pager are kept by the rule lowercase, and its plugin now says "
		if r := a.Reload(context.Background()); r.Err == nil || !strings.Contains(r.Err.Error(), want) || !strings.Contains(r.Err.Error(), "belfry.yaml:15:17: ") {
			t.Errorf("with %+v: %v", m, r.Err)
		}
	}
	h.trustPager("paging", trust.Medium{Address: sdk.AddressLowercase})
	if r := a.Reload(context.Background()); r.Err != nil {
		t.Error(r.Err)
	}
}

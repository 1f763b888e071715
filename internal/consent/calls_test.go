package consent_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// TestErasingReachesIntoWebhooks: a call that could not be mapped, or waits for a source that brings notices, and names a person by
// their reference or an address, goes with them, with its alert when it was the last. Nothing else does: what is about others, also in
// the same call, and articles.
func TestErasingReachesIntoWebhooks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	must(t, o.db.UseSources(t.Context(), []store.SourceSetting{{Name: "shop", Poll: time.Second, Called: true}, {Name: "desk", Poll: time.Second, Called: true}, {Name: "news", Poll: time.Second, Called: true}}, o.now))
	r := o.follow(consent.Email, "lea@example.org", alertes)
	must(t, o.reg.SetReference(t.Context(), r.ID, "c-4711"))
	other := o.follow(consent.Email, "max@example.org", alertes)
	must(t, o.reg.SetReference(t.Context(), other.ID, "c-47"))
	keep := func(source, body string, fails bool) {
		t.Helper()
		_, err := o.db.KeepCall(t.Context(), intake.Call{Source: source, Request: sdk.WebhookRequest{Method: http.MethodPost, Body: []byte(body), ReceivedAt: o.now}})
		must(t, err)
		if !fails {
			return
		}
		calls, err := o.db.WaitingCalls(t.Context(), source, 100)
		must(t, err)
		must(t, o.db.FailCall(t.Context(), calls[len(calls)-1].ID, "no title", alert.Alert{Code: alert.WebhookFailed, Subject: source, Sentence: "s"}, o.now))
	}
	for _, body := range []string{
		`{"order": {"customer": "c-4711", "state": "sent"}}`,
		`{"orders": [{"to": "Léa <LEA@Example.org>"}]}`,
		"customer=c-4711&state=sent",
		"<order><customer>c-4711</customer></order>",
		"not json, to:lea@example.org",
	} {
		keep("shop", body, true)
	}
	keep("desk", `{"title": "c-4711 is a bus", "by": 47}`, true)
	for i := range 50 { // more than are read at once
		keep("desk", fmt.Sprintf(`{"customer": "c-47", "to": "max@example.org", "n": %d}`, i), true)
	}
	keep("shop", `{"customer": "c-4711"}`, false)
	keep("shop", "customer=c-4711", false)
	keep("shop", `{"orders": [{"customer": "c-4711", "city": "Lyon"}, {"customer": "c-47", "n": 12345678901234567890}], "of": "today"}`, false)
	keep("shop", `{"orders": [{"customer": "c-4711"}, {"customer": "c-4711", "city": "Lyon"}]}`, false)
	keep("shop", `{"by": "c-4711", "orders": [{"customer": "c-47"}, {"customer": "c-4711"}]}`, false)
	keep("shop", `{"orders": [{"customer": "c-4711"}], "returns": [{"customer": "c-47"}]}`, false)
	keep("shop", `[[{"customer": "c-4711"}, {"customer": "c-47"}]]`, false)
	keep("shop", `{"customer": "c-47"}`, false)
	keep("news", `{"title": "The c-4711 bus is late"}`, false)
	done, err := o.reg.Erase(t.Context(), r.ID, consent.Evidence{Method: consent.ByLink, Actor: consent.Self})
	must(t, err)
	if diff := cmp.Diff(consent.Found{Dropped: 10, Cut: 3, Waiting: 1}, done.Calls); diff != "" {
		t.Error(diff)
	}
	shop, err := o.db.Calls(t.Context(), "shop")
	must(t, err)
	desk, err := o.db.Calls(t.Context(), "desk")
	must(t, err)
	if shop.Failed != 0 || desk.Failed != 50 {
		t.Errorf("shop %+v, desk %+v", shop, desk)
	}
	left := map[string][]string{}
	for _, source := range []string{"shop", "news"} {
		calls, err := o.db.WaitingCalls(t.Context(), source, 100)
		must(t, err)
		for _, c := range calls {
			left[source] = append(left[source], string(c.Request.Body))
		}
	}
	if diff := cmp.Diff(map[string][]string{
		"shop": {`{"of":"today","orders":[{"customer":"c-47","n":12345678901234567890}]}`, `{"orders":[],"returns":[{"customer":"c-47"}]}`, `[[{"customer":"c-47"}]]`, `{"customer": "c-47"}`},
		"news": {`{"title": "The c-4711 bus is late"}`},
	}, left); diff != "" {
		t.Error(diff)
	}
	alerts, err := o.db.Alerts(t.Context())
	must(t, err)
	if len(alerts) != 1 || alerts[0].Subject != "desk" {
		t.Errorf("%+v", alerts)
	}
}

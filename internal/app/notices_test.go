package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// TestNoticesOfTwoSenders holds that webhooks and the API tell by the same rules: what is newer about the same thing takes the
// place of what has not left, whoever says it, what has expired does not leave, and the same text to many holds the lane.
func TestNoticesOfTwoSenders(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.config(strings.Replace(strings.ReplaceAll(followed, "%RELAY%", p.relay.Addr), "sources:\n", `sources:
  shop:
    type: webhook
    isolation: none
    signature: standard
    secret: "%SECRET%"
    map:
      notice: {name: '"parcels"', reference: body.customer, key: body.order, title: '"Votre colis"', text: body.text, expires: body.until}
`, 1) + fmt.Sprintf(`
notices:
  parcels: {title: Colis, destinations: [mail]}
bulk_guard: {same_body: 2}
admin_listen: 127.0.0.1:0
admin: {tokens: {shop: {hash: %q, scopes: [people]}}}
`, api.Hash("token")))
	a := p.start()
	ctx := context.Background()
	for i := range 4 {
		r, err := a.people.Follow(ctx, consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: fmt.Sprintf("client%d@example.invalid", i)},
			Purposes: []consent.Purpose{{Kind: consent.Notice, Name: "parcels"}}, Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
		if err == nil {
			err = a.people.SetReference(ctx, r.ID, fmt.Sprintf("c-%d", i))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	calls := 0
	hook := func(body string) {
		t.Helper()
		calls++
		if status, what, _ := (&caller{stage: p.stage}).send(fmt.Sprintf("msg_%d", calls), body, func(r *http.Request) { r.URL.Path = "/hooks/shop" }); status != http.StatusOK || what != "accepted" {
			t.Fatalf("%d %s", status, what)
		}
		p.until("it is mapped", func() bool {
			list, err := a.Store().Calls(ctx, "shop")
			if err != nil || list.Failed > 0 {
				t.Fatalf("%+v %v", list, err)
			}
			return list.Waiting == 0
		})
	}
	tell := func(body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.AdminAddr()+api.Base+"/notices", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer token")
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	pause := func(on bool) {
		t.Helper()
		act := a.Store().Pause
		if !on {
			act = a.Store().Resume
		}
		if _, err := act(ctx, store.PauseDestination, "mail", "test", time.Now()); err != nil {
			t.Fatal(err)
		}
		a.direct.Wake()
	}

	pause(true)
	hook(`{"customer":"c-0","order":"o-1","text":"Il arrive lundi."}`)
	hook(`{"customer":"c-1","order":"o-2","text":"Il part.","until":"` + time.Now().Add(24*time.Hour).Format(time.RFC3339) + `"}`)
	if got := tell(`{"notice":"parcels","reference":"c-0","key":"o-1","title":"Votre colis","text":"Il arrive mardi."}`); !strings.Contains(got, `"queued"`) {
		t.Errorf("what is newer is %s", got)
	}
	if got := tell(`{"notice":"parcels","reference":"c-0","key":"o-1","title":"Votre colis","text":"Il arrive mardi."}`); !strings.Contains(got, `"known"`) {
		t.Errorf("the same again is %s", got)
	}
	if got := tell(`{"notice":"parcels","reference":"c-2","key":"o-3","text":"Il fut là.","expires":"2026-01-01T00:00:00Z"}`); !strings.Contains(got, "has expired already") {
		t.Errorf("what has expired is %s", got)
	}
	var until time.Time
	p.until("what is short-lived is taken", func() bool {
		until = time.Now().Add(2 * time.Second).Truncate(time.Second)
		return strings.Contains(tell(`{"notice":"parcels","reference":"c-2","key":"o-4","text":"Il est à la porte.","expires":"`+until.Format(time.RFC3339)+`"}`), `"queued"`)
	})
	p.until("it is over", func() bool { return time.Now().After(until) })
	pause(false)
	p.until("the others are in the mail", func() bool { return len(p.letters()) == 2 })
	for _, l := range p.letters() {
		if !strings.Contains(l.text, "Il arrive mardi.") && !strings.Contains(l.text, "Il part.") {
			t.Errorf("it says %s", l.text)
		}
	}

	for i := range 2 { // the same text to everybody, from both sides
		hook(fmt.Sprintf(`{"customer":"c-%d","order":"promo","text":"Soldes !"}`, i))
		tell(fmt.Sprintf(`{"notice":"parcels","reference":"c-%d","key":"promo","title":"Votre colis","text":"Soldes !"}`, i+2))
	}
	p.until("what is the same for too many is held", func() bool {
		held, err := a.Store().HeldMessages(ctx)
		return err == nil && len(held)+len(p.letters())-2 == 4
	})
	if n := len(p.letters()) - 2; n > 2 {
		t.Errorf("%d people got the same text", n)
	}
}

package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// called has a source that is called, whose map has a mistake that %TITLE% stands for.
const called = `
timezone: Europe/Paris
site: {title: La Gazette, url: "https://gazette.example", lang: fr}
listen: 127.0.0.1:0
data_dir: data
alerts: none
retired: [former]
sources:
  desk:
    type: webhook
    isolation: none
    max_call: 4KiB
    signature: standard
    secret: "%SECRET%"
    map:
      each: body.articles
      remove: entry.gone ?? false
      key: entry.id
      title: %TITLE%
      text: entry.text
      urgency: entry.urgency
destinations:
  hook: {type: http, url: "%HOOK%/in", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
channels:
  alertes:
    title: Alertes
    sources: [desk]
    each: {}
    template: "{{.Title}}"
    publish_to: [{destination: hook}]
    corrections: {min_gap: 0s, withdrawn: [delete, list]}
`

type caller struct {
	*stage
	n int
}

func newCaller(t *testing.T, title string) *caller {
	t.Helper()
	c := &caller{stage: newStage(t)}
	c.config(strings.ReplaceAll(called, "%TITLE%", title))
	c.start()
	return c
}

// send sends a genuine call under an id, and gives the status and what stands in the answer under status or code.
func (c *caller) send(id, body string, change ...func(*http.Request)) (int, string, http.Header) {
	c.t.Helper()
	wh, err := standardwebhooks.NewWebhook(testSecret)
	if err != nil {
		c.t.Fatal(err)
	}
	now := time.Now()
	sig, err := wh.Sign(id, now, []byte(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, "http://"+c.app.Addr()+"/hooks/desk", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {id}, "Webhook-Timestamp": {fmt.Sprint(now.Unix())}, "Webhook-Signature": {sig}}
	for _, f := range change {
		f(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		var answer struct{ Status string }
		if err := json.Unmarshal(text, &answer); err != nil {
			c.t.Errorf("%s", text)
		}
		return resp.StatusCode, answer.Status, resp.Header
	}
	var problem struct {
		Type, Title, Code, Detail string
		Status                    int
	}
	if err := json.Unmarshal(text, &problem); err != nil || problem.Status != resp.StatusCode || problem.Detail == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
		c.t.Errorf("%d is no problem document: %s", resp.StatusCode, text)
	}
	return resp.StatusCode, problem.Code, resp.Header
}

func (c *caller) accepted(body string) {
	c.t.Helper()
	c.n++
	if status, what, _ := c.send(fmt.Sprintf("msg_%d", c.n), body); status != 200 || what != "accepted" {
		c.t.Fatalf("%d %s", status, what)
	}
}

func article(id, title string) string {
	return fmt.Sprintf(`{"articles":[{"id":%q,"title":%q}]}`, id, title)
}

// A call becomes a post, its revision a correction, its withdrawal a deletion; a repeated delivery becomes nothing.
func TestACallBecomesAPost(t *testing.T) {
	t.Parallel()
	c := newCaller(t, "entry.title")
	c.accepted(article("a", "Le feu"))
	shown := func(title string) func() bool {
		return func() bool {
			posts := c.hook.State().Posts
			return len(posts) == 1 && posts[0].Title == title && posts[0].Times == 1
		}
	}
	c.until("it is posted", shown("Le feu"))
	if status, what, _ := c.send("msg_1", article("a", "Le feu")); status != 200 || what != "duplicate" {
		t.Errorf("a repeated delivery: %d %s", status, what)
	}
	if status, what, _ := c.send("msg_1", article("a", "Un autre feu")); status != 409 || what != "delivery_conflict" {
		t.Errorf("another body: %d %s", status, what)
	}
	c.accepted(article("a", "Le feu est éteint"))
	c.until("the correction leaves", shown("Le feu est éteint"))
	c.accepted(`{"articles":[{"id":"a","gone":true}]}`)
	c.until("the withdrawal leaves", func() bool { return !c.hook.State().Posts[0].Withdrawn.IsZero() })
}

// A call that cannot be mapped is kept and told of, delays no other, and is mapped once the map is corrected.
func TestAFailingMapLosesNothing(t *testing.T) {
	t.Parallel()
	c := newCaller(t, "entry.headline.text")
	c.accepted(article("a", "A"))
	c.accepted(`{"articles":[{"id":"b","headline":{"text":"B"}}]}`)
	ctx := context.Background()
	c.until("the second is mapped", func() bool {
		rows, err := c.app.Store().FindItem(ctx, "desk", "b")
		return err == nil && len(rows) == 1
	})
	calls, err := c.app.Store().Calls(ctx, "desk")
	if err != nil || calls.Failed != 1 || calls.Waiting != 0 || len(calls.Reasons) != 1 || !strings.Contains(calls.Reasons[0], "map.title fails") {
		t.Errorf("%+v %v", calls, err)
	}
	told := func() bool {
		rows, err := c.app.Store().Alerts(ctx)
		if err != nil {
			t.Error(err)
		}
		for _, r := range rows {
			if r.Code == alert.WebhookFailed && r.Subject == "desk" && strings.Contains(r.Mend, "belfry source replay desk") {
				return true
			}
		}
		return false
	}
	if !told() {
		t.Error("nobody is told")
	}
	c.config(strings.ReplaceAll(called, "%TITLE%", `pick(entry, "headline.text", "title")`))
	c.app.Reload(ctx)
	if n, err := c.app.Store().ReplayCalls(ctx, "desk", false, "test", time.Now()); err != nil || n != 2 {
		t.Fatalf("%d %v", n, err)
	}
	c.until("the first is mapped", func() bool {
		rows, err := c.app.Store().FindItem(ctx, "desk", "a")
		return err == nil && len(rows) == 1 && !told()
	})
}

// What is refused is told in a problem document, and nothing of it is kept.
func TestCallsThatAreRefused(t *testing.T) {
	t.Parallel()
	c := newCaller(t, "entry.title")
	to := func(path string) func(*http.Request) { return func(r *http.Request) { r.URL.Path = path } }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, s := range []struct {
		name   string
		body   string
		change func(*http.Request)
		status int
		code   string
	}{
		{"unsigned", "{}", func(r *http.Request) { r.Header.Del("Webhook-Signature") }, 401, "signature_missing"},
		{"forged", "{}", header("Webhook-Signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), 401, "signature_wrong"},
		{"another id", "{}", header("Webhook-Id", "msg_x"), 401, "signature_wrong"},
		{"no JSON", `{"articles":`, func(*http.Request) {}, 400, "body_malformed"},
		{"too large", `{"articles":"` + strings.Repeat("x", 5000) + `"}`, func(*http.Request) {}, 413, "body_too_large"},
		{"too large and of unknown length", `{"articles":"` + strings.Repeat("x", 5000) + `"}`, func(r *http.Request) { r.ContentLength = -1 }, 413, "body_too_large"},
		{"XML", "<x/>", header("Content-Type", "text/xml"), 415, "type_unsupported"},
		{"compressed", "{}", header("Content-Encoding", "gzip"), 415, "encoding_unsupported"},
		{"another method", "{}", func(r *http.Request) { r.Method = http.MethodPut }, 405, "method_not_allowed"},
		{"nobody of that name", "{}", to("/hooks/nobody"), 404, "not_found"},
		{"a destination that is not called", "{}", to("/hooks/hook"), 404, "not_found"},
		{"a name that is retired", "{}", to("/hooks/former"), 410, "gone"},
	} {
		t.Run(s.name, func(t *testing.T) {
			status, code, h := c.send("msg_1", s.body, s.change)
			if status != s.status || code != s.code {
				t.Errorf("%d %s, want %d %s", status, code, s.status, s.code)
			}
			if status == 405 && h.Get("Allow") != http.MethodPost {
				t.Errorf("allowed is %q", h.Get("Allow"))
			}
		})
	}
	calls, err := c.app.Store().Calls(context.Background(), "desk")
	if err != nil || calls.Waiting+calls.Failed != 0 {
		t.Errorf("something of it is kept: %+v %v", calls, err)
	}
	if status, what, _ := c.send("msg_1", article("a", "A")); status != 200 || what != "accepted" {
		t.Errorf("the genuine one after all: %d %s", status, what)
	}
}

// While a source is paused its calls are taken, and mapped when it is resumed.
func TestCallsDuringAPause(t *testing.T) {
	t.Parallel()
	c := newCaller(t, "entry.title")
	ctx := context.Background()
	if _, err := c.app.Store().Pause(ctx, store.PauseSource, "desk", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	c.accepted(article("a", "A"))
	if calls, err := c.app.Store().Calls(ctx, "desk"); err != nil || calls.Waiting != 1 {
		t.Errorf("%+v %v", calls, err)
	}
	if _, err := c.app.Store().Resume(ctx, store.PauseSource, "desk", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	c.until("it is mapped", func() bool {
		rows, err := c.app.Store().FindItem(ctx, "desk", "a")
		return err == nil && len(rows) == 1
	})
}

// A webhook tells one person something, by the reference of the sender's system: once, however often it is mapped, and nobody who
// did not agree.
func TestACallTellsOnePerson(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	config := strings.ReplaceAll(followed, "%RELAY%", p.relay.Addr)
	config = strings.Replace(config, "sources:\n", `sources:
  shop:
    type: webhook
    isolation: none
    signature: standard
    secret: "%SECRET%"
    map:
      each: body.entries
      key: entry.id
      title: entry.title
      notice:
        name: 'entry.customer != nil ? "parcels" : ""'
        reference: entry.customer
        key: entry.order
        title: '"Votre colis"'
        text: entry.text
        slots: '{"day": entry.day}'
`, 1)
	p.config(config + "notices:\n  parcels: {title: Colis, destinations: [mail]}\n")
	a := p.start()
	ctx := context.Background()
	r, err := a.people.Follow(ctx, consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: "client@example.invalid"},
		Purposes: []consent.Purpose{{Kind: consent.Notice, Name: "parcels"}}, Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.people.SetReference(ctx, r.ID, "c-7"); err != nil {
		t.Fatal(err)
	}
	c := &caller{stage: p.stage}
	to := func(r *http.Request) { r.URL.Path = "/hooks/shop" }
	for id, body := range map[string]string{"msg_1": `{"entries":[{"customer":"stranger","order":1,"text":"Il arrive {{day}}.","day":"lundi"}]}`,
		"msg_2": `{"entries":[{"customer":"c-7","order":2,"text":"Il arrive {{day}}.","day":"mardi"},{"id":"n","title":"Le marché est ouvert"}]}`} {
		if status, what, _ := c.send(id, body, to); status != 200 || what != "accepted" {
			t.Fatalf("%d %s", status, what)
		}
	}
	mapped := func() bool {
		calls, err := a.Store().Calls(ctx, "shop")
		if err != nil || calls.Failed > 0 {
			t.Fatalf("%+v %v", calls, err)
		}
		return calls.Waiting == 0
	}
	p.until("all is mapped", mapped)
	p.until("the notice is in the mail", func() bool { return len(p.letters()) == 1 })
	if l := p.letters()[0]; l.to != "client@example.invalid" || !strings.Contains(l.text, "Il arrive mardi.") {
		t.Errorf("it reads %+v", l)
	}
	if n, err := a.Store().ReplayCalls(ctx, "shop", true, "test", time.Now()); err != nil || n != 0 {
		t.Errorf("%d calls about people are kept, %v", n, err)
	}
	if items, err := a.Store().FindItem(ctx, "shop", "n"); err != nil || len(items) != 1 {
		t.Errorf("the article that came with a notice is %+v, %v", items, err)
	}
}

// A call that comes late with an older version changes nothing, whether or not the newer one was mapped before it came.
func TestALateCallChangesNothing(t *testing.T) {
	t.Parallel()
	c := &caller{stage: newStage(t)}
	c.config(strings.ReplaceAll(strings.ReplaceAll(called, "%TITLE%", "entry.title"), "      urgency: entry.urgency\n", "      updated: entry.updated\n"))
	c.start()
	version := func(title, updated string) string {
		return fmt.Sprintf(`{"articles":[{"id":"a","title":%q,"updated":%q}]}`, title, updated)
	}
	shown := func(title string) func() bool {
		return func() bool { posts := c.hook.State().Posts; return len(posts) == 1 && posts[0].Title == title }
	}
	c.accepted(version("Trois blessés", "2026-11-20T10:05:00Z"))
	c.until("the newer version is posted", shown("Trois blessés"))
	c.accepted(version("Deux blessés", "2026-11-20T10:01:00Z"))
	c.accepted(`{"articles":[{"id":"b","title":"Autre chose"}]}`)
	c.until("what came after it is posted", func() bool { return len(c.hook.State().Posts) == 2 })
	c.until("nothing is under way", c.idle)
	for _, p := range c.hook.State().Posts {
		if p.Title == "Deux blessés" {
			t.Error("an older version went over a newer one")
		}
	}
	c.accepted(version("Quatre blessés", "2026-11-20T10:05:00Z")) // as old: what came last counts
	c.until("the last one counts", func() bool { return strings.Contains(fmt.Sprint(c.hook.State().Posts), "Quatre blessés") })
}

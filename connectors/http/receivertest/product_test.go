package receivertest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
)

// call is a request that a product must judge.
type call struct {
	method, target, header, body string
	code                         int
}

const (
	jsonType = "Content-Type: application/json\n"
	formType = "Content-Type: application/x-www-form-urlencoded\n"
	zulip    = "Authorization: Basic Ym90QHouZXhhbXBsZTprMQ==\n" + formType // bot@z.example:k1
	card     = `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"x"}]}}]}`
)

// The products refuse what the real ones refuse; nothing of a refused call is shown.
func TestProductsRefuse(t *testing.T) {
	t.Parallel()
	o := receivertest.Options{}
	const ntfy, gotify, client, mattermost, rocket = "Authorization: Bearer tk\n", "X-Gotify-Key: A\n",
		"X-Gotify-Key: C\n", "Authorization: Bearer b0t\n", "X-User-Id: u\nX-Auth-Token: t\n"
	for name, c := range map[string]struct {
		make  func() *receivertest.Product
		calls map[string]call
	}{
		"ntfy": {func() *receivertest.Product { return receivertest.Ntfy(o, "tk") }, map[string]call{
			"no token":       {"POST", "/", "", `{"topic":"a","message":"x"}`, 403},
			"another token":  {"POST", "/", "Authorization: Bearer no\n", `{"topic":"a","message":"x"}`, 401},
			"no JSON":        {"POST", "/", ntfy, `x`, 400},
			"a typo":         {"POST", "/", ntfy, `{"topic":"a","mesage":"x"}`, 400},
			"no topic":       {"POST", "/", ntfy, `{"message":"x"}`, 400},
			"a bad topic":    {"POST", "/", ntfy, `{"topic":"a b","message":"x"}`, 400},
			"too long":       {"POST", "/", ntfy, `{"topic":"a","message":"` + strings.Repeat("x", 4097) + `"}`, 413},
			"a priority":     {"POST", "/", ntfy, `{"topic":"a","message":"x","priority":6}`, 400},
			"a bad link":     {"POST", "/", ntfy, `{"topic":"a","message":"x","click":"javascript:x"}`, 400},
			"a bad sequence": {"POST", "/", ntfy, `{"topic":"a","message":"x","sequence_id":"a/b"}`, 400},
			"elsewhere":      {"GET", "/a", ntfy, "", 404},
		}},
		"gotify": {func() *receivertest.Product { return receivertest.Gotify(o, "A", "C") }, map[string]call{
			"no token":         {"POST", "/message", jsonType, `{"message":"x"}`, 401},
			"a client's token": {"POST", "/message", client + jsonType, `{"message":"x"}`, 403},
			"no message":       {"POST", "/message", gotify + jsonType, `{"title":"x"}`, 400},
			"a typo":           {"POST", "/message", gotify + jsonType, `{"message":"x","tittle":"x"}`, 400},
			"no JSON":          {"POST", "/message", gotify + formType, `message=x`, 400},
			"a content type": {"POST", "/message", gotify + jsonType,
				`{"message":"x","extras":{"client::display":{"contentType":"text/html"}}}`, 400},
			"an app's deletion": {"DELETE", "/message/1", gotify, "", 403},
			"a missing message": {"DELETE", "/message/1", client, "", 404},
			"an edit":           {"PUT", "/message/1", client, "{}", 404},
		}},
		"mattermost": {func() *receivertest.Product { return receivertest.Mattermost(o, "k", "b0t") }, map[string]call{
			"another hook":   {"POST", "/hooks/no", jsonType, `{"text":"x"}`, 404},
			"no text":        {"POST", "/hooks/k", jsonType, `{"text":""}`, 400},
			"a typo":         {"POST", "/hooks/k", jsonType, `{"txt":"x"}`, 400},
			"a form":         {"POST", "/hooks/k", formType, `{"text":"x"}`, 400},
			"too long":       {"POST", "/hooks/k", jsonType, `{"text":"` + strings.Repeat("é", 16384) + `"}`, 400},
			"no token":       {"POST", "/api/v4/posts", jsonType, `{"channel_id":"c","message":"x"}`, 401},
			"no channel":     {"POST", "/api/v4/posts", mattermost + jsonType, `{"message":"x"}`, 400},
			"a missing post": {"PUT", "/api/v4/posts/p/patch", mattermost + jsonType, `{"message":"x"}`, 404},
		}},
		"rocketchat": {func() *receivertest.Product { return receivertest.RocketChat(o, "id/tk", "u", "t") }, map[string]call{
			"another hook": {"POST", "/hooks/id/no", jsonType, `{"text":"x"}`, 401},
			"a typo":       {"POST", "/hooks/id/tk", jsonType, `{"txt":"x"}`, 400},
			"a person":     {"POST", "/hooks/id/tk", jsonType, `{"text":"x","channel":"@anna"}`, 400},
			"too long":     {"POST", "/hooks/id/tk", jsonType, `{"text":"` + strings.Repeat("x", 5001) + `"}`, 400},
			"no token":     {"POST", "/api/v1/chat.postMessage", jsonType, `{"text":"x","roomId":"r"}`, 401},
			"no room":      {"POST", "/api/v1/chat.postMessage", rocket + jsonType, `{"text":"x"}`, 400},
			"a missing message": {"POST", "/api/v1/chat.update", rocket + jsonType,
				`{"roomId":"r","msgId":"m","text":"x"}`, 400},
			"no id": {"POST", "/api/v1/chat.delete", rocket + jsonType, `{"roomId":"r"}`, 400},
		}},
		"zulip": {func() *receivertest.Product { return receivertest.Zulip(o, "bot@z.example", "k1", "news") },
			map[string]call{
				"no key": {"POST", "/api/v1/messages", formType, `type=stream&to=news&topic=t&content=x`, 401},
				"JSON": {"POST", "/api/v1/messages", strings.Replace(zulip, formType, jsonType, 1),
					`type=stream&to=news&topic=t&content=x`, 400},
				"no channel": {"POST", "/api/v1/messages", zulip, `type=stream&to=other&topic=t&content=x`, 400},
				"a person":   {"POST", "/api/v1/messages", zulip, `type=direct&to=news&topic=t&content=x`, 400},
				"a typo":     {"POST", "/api/v1/messages", zulip, `type=stream&to=news&topik=t&content=x`, 400},
				"two texts":  {"POST", "/api/v1/messages", zulip, `type=stream&to=news&topic=t&content=x&content=y`, 400},
				"a long topic": {"POST", "/api/v1/messages", zulip, `type=stream&to=news&topic=` + strings.Repeat("x",
					61) + `&content=x`, 400},
				"too long": {"POST", "/api/v1/messages", zulip,
					`type=stream&to=news&topic=t&content=` + strings.Repeat("x", 10001), 400},
				"no text":           {"POST", "/api/v1/messages", zulip, `type=stream&to=news&topic=t&content=+`, 400},
				"a missing message": {"PATCH", "/api/v1/messages/5", zulip, `content=x`, 404},
			}},
		"teams": {func() *receivertest.Product { return receivertest.Teams(o, "/w", "s") }, map[string]call{
			"elsewhere":         {"POST", "/v?sig=s", jsonType, card, 404},
			"another signature": {"POST", "/w?sig=no", jsonType, card, 401},
			"plain text":        {"POST", "/w?sig=s", jsonType, `{"text":"x"}`, 400},
			"an empty card": {"POST", "/w?sig=s", jsonType, strings.Replace(card, `{"type":"TextBlock","text":"x"}`,
				"", 1), 400},
			"an empty block": {"POST", "/w?sig=s", jsonType, strings.Replace(card, `"text":"x"`, `"text":""`, 1), 400},
			"a submit button": {"POST", "/w?sig=s", jsonType, strings.Replace(card, `"body":`,
				`"actions":[{"type":"Action.Submit","title":"x"}],"body":`, 1), 400},
			"a mention": {"POST", "/w?sig=s", jsonType, strings.Replace(card, `"version":`,
				`"msteams":{"entities":[]},"version":`, 1), 400},
			"too large": {"POST", "/w?sig=s", jsonType, strings.Replace(card, `"text":"x"`,
				`"text":"`+strings.Repeat("x", 28<<10)+`"`, 1), 413},
		}},
	} {
		for what, call := range c.calls {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				p := c.make()
				r := httptest.NewRequest(call.method, call.target, strings.NewReader(call.body))
				for line := range strings.SplitSeq(strings.TrimSpace(call.header), "\n") {
					if key, value, ok := strings.Cut(line, ": "); ok {
						r.Header.Set(key, value)
					}
				}
				w := httptest.NewRecorder()
				p.ServeHTTP(w, r)
				if w.Code != call.code || len(p.Messages()) > 0 {
					t.Errorf("got %d %s with %d messages, want %d", w.Code, w.Body, len(p.Messages()), call.code)
				}
			})
		}
	}
}

// What rings is seen.
func TestProductsRing(t *testing.T) {
	t.Parallel()
	for text, rings := range map[string]bool{"@all": true, "(@here)": true, "x <!channel>": true, "see @anna": true, "a@all.example": false, "＠all": false, "@ all": false} {
		p := receivertest.Mattermost(receivertest.Options{}, "k", "")
		r := httptest.NewRequest(http.MethodPost, "/hooks/k", strings.NewReader(`{"text":"`+text+`"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if m := p.Messages(); w.Code != 200 || w.Body.String() != "ok" || len(m) != 1 || (len(m[0].Rings) > 0) != rings {
			t.Errorf("%q: %d %s %+v", text, w.Code, w.Body, m)
		}
	}
}

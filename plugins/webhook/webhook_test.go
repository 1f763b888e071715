package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/plugins/webhook"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

type tree = map[string]any

const secret = "canary-of-the-sender"

var at = time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)

func open(tb testing.TB, config tree) *webhook.Source {
	tb.Helper()
	all := tree{"signature": "github", "secret": secret}
	maps.Copy(all, config)
	c, err := webhook.Spec().Open(tb.Context(), sdk.Settings{}, all)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*webhook.Source)
}

// call is a genuine call of the scheme github.
func call(body string, header ...string) sdk.WebhookRequest {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	r := sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", ReceivedAt: at, Body: []byte(body), Header: map[string][]string{
		"Content-Type": {"application/json"}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(m.Sum(nil))}}}
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = []string{header[i+1]}
	}
	return r
}

const ghostPost = `{"post":{"current":{"id":"61a","title":"Incendie à la gare","status":"published","visibility":"public","html":"<p>Le <b>feu</b>.</p>",
	"url":"https://gazette.example/incendie/","custom_excerpt":"Le feu a pris.","feature_image":"https://gazette.example/a.jpg","feature_image_alt":"La gare",
	"published_at":"2026-11-20T05:00:00.000Z","updated_at":"2026-11-20T05:00:01.000Z","tags":[{"name":"Alerte","visibility":"public"},{"name":"#flash","visibility":"internal"}],
	"authors":[{"name":"Anne B."}]},"previous":{"status":"draft"}}}`

func TestMap(t *testing.T) {
	t.Parallel()
	item := func(change func(*sdk.Item)) sdk.Batch {
		it := sdk.Item{Key: "k", Title: "T"}
		change(&it)
		return sdk.Batch{Items: []sdk.Item{it}}
	}
	removed := func(key, reason string) sdk.Batch {
		return sdk.Batch{Removed: []sdk.Removal{{Key: key, Reason: strings.TrimSpace("withdrawn by the sender " + reason), At: at}}}
	}
	plain := tree{"key": "entry.id", "title": "entry.title"}
	with := func(more tree) tree {
		m := maps.Clone(plain)
		maps.Copy(m, more)
		return tree{"map": m}
	}
	p := func(text string) sdk.Body { return sdk.Body{sdk.Paragraph(sdk.Text(text))} }
	cases := []struct {
		name   string
		config tree
		r      sdk.WebhookRequest
		want   sdk.Batch
	}{
		{"ghost publishes", tree{"preset": "ghost"}, call(ghostPost), sdk.Batch{Items: []sdk.Item{{Key: "61a", Title: "Incendie à la gare", Summary: "Le feu a pris.", URL: "https://gazette.example/incendie/",
			Body: sdk.Body{sdk.Paragraph(sdk.Text("Le "), sdk.Strong(sdk.Text("feu")), sdk.Text("."))}, Tags: []string{"Alerte"}, Authors: []sdk.Author{{Name: "Anne B."}},
			Media: []sdk.Media{{URL: "https://gazette.example/a.jpg", Alt: "La gare"}}, Published: at.Add(-time.Hour), Updated: at.Add(-time.Hour + time.Second)}}}},
		{"ghost with an expression of one's own", tree{"preset": "ghost", "map": tree{"urgency": `any(entry.now.tags, #.name == "#flash") ? 1 : 5`, "title": `"Ghost: " + entry.now.title`}},
			call(`{"post":{"current":{"id":"1","title":"T","status":"published","tags":[{"name":"#flash","visibility":"internal"}]},"previous":{}}}`),
			item(func(it *sdk.Item) { it.Key, it.Title, it.Urgency = "1", "Ghost: T", 1 })},
		{"ghost for members only", tree{"preset": "ghost"}, call(`{"post":{"current":{"id":"1","title":"T","status":"published","visibility":"paid","html":"<p>secret</p>"},"previous":{}}}`),
			item(func(it *sdk.Item) { it.Key = "1" })},
		{"ghost unpublishes", tree{"preset": "ghost"}, call(`{"post":{"current":{"id":"1","title":"T","status":"draft"},"previous":{"status":"published"}}}`), removed("1", "")},
		{"ghost deletes", tree{"preset": "ghost"}, call(`{"post":{"current":{},"previous":{"id":"1","status":"published"}}}`), removed("1", "")},
		{"ghost saves a draft", tree{"preset": "ghost"}, call(`{"post":{"current":{"id":"1","title":"T","status":"draft"},"previous":{}}}`), sdk.Batch{}},
		{"ghost changes a page", tree{"preset": "ghost"}, call(`{"page":{"current":{"id":"1","title":"T","status":"published"},"previous":{"title":"S"}}}`), item(func(it *sdk.Item) { it.Key = "1" })},
		{"ghost tells of a tag", tree{"preset": "ghost"}, call(`{"tag":{"current":{"id":"1"}}}`), sdk.Batch{}},
		{"wordpress as REST", tree{"preset": "wordpress", "zone": "Europe/Paris"}, call(`{"id":7,"title":{"rendered":"T"},"content":{"rendered":"<p>x</p>"},"link":"https://gazette.example/?p=7","status":"publish","date_gmt":"2026-11-20T05:00:00","meta":{"urgency":"2","correction":"Le nom."}}`),
			item(func(it *sdk.Item) {
				it.Key, it.URL, it.Body, it.Published, it.Urgency, it.Correction = "7", "https://gazette.example/?p=7", p("x"), at.Add(-time.Hour), 2, "Le nom."
			})},
		{"wordpress as a plugin", tree{"preset": "wordpress"}, call(`{"post_id":7,"post":{"ID":7,"post_title":"T","post_content":"x","post_status":"publish","post_date_gmt":"0000-00-00 00:00:00"},"post_permalink":"https://gazette.example/t"}`),
			item(func(it *sdk.Item) { it.Key, it.URL, it.Body = "7", "https://gazette.example/t", p("x") })},
		{"wordpress trashes", tree{"preset": "wordpress"}, call(`{"post_id":7,"post":{"post_status":"trash"}}`), removed("7", "")},
		{"wordpress schedules", tree{"preset": "wordpress"}, call(`{"id":7,"status":"future","title":{"rendered":"T"}}`), sdk.Batch{}},
		{"strapi publishes", tree{"preset": "strapi", "base_url": "https://cms.example/"}, call(`{"event":"entry.publish","model":"article","entry":{"id":9,"documentId":"d1","locale":"fr","title":"T","content":"**x**","publishedAt":"2026-11-20T05:00:00.000Z","url":"/t","embargo":"2026-11-21T05:00:00Z","urgency":2,"correction":"Le nom."}}`),
			item(func(it *sdk.Item) {
				it.Key, it.URL, it.Lang, it.Published, it.NotBefore, it.Urgency, it.Correction = "article:d1:fr", "https://cms.example/t", "fr", at.Add(-time.Hour), at.Add(23*time.Hour), 2, "Le nom."
				it.Body = sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text("x")))}
			})},
		{"strapi creates a draft", tree{"preset": "strapi"}, call(`{"event":"entry.create","model":"article","entry":{"id":9,"title":"T","publishedAt":null}}`), sdk.Batch{}},
		{"strapi unpublishes", tree{"preset": "strapi"}, call(`{"event":"entry.unpublish","model":"article","entry":{"id":9,"documentId":"d1"}}`), removed("article:d1", "entry.unpublish")},
		{"github releases", tree{"preset": "github"}, call(`{"action":"published","release":{"id":5,"name":"v1","tag_name":"v1","body":"x","html_url":"https://code.example/r/5","prerelease":true,"author":{"login":"anna"},"published_at":"2026-11-20T05:00:00Z"},"repository":{"name":"belfry"}}`, "X-Github-Event", "release"),
			item(func(it *sdk.Item) {
				it.Key, it.Title, it.URL, it.Body, it.Tags, it.Authors, it.Published = "release:5", "belfry v1", "https://code.example/r/5", p("x"), []string{"release", "prerelease"}, []sdk.Author{{Name: "anna"}}, at.Add(-time.Hour)
			})},
		{"github pushes", tree{"preset": "github"}, call(`{"ref":"main"}`, "X-Github-Event", "push"), sdk.Batch{}},
		{"github deletes a release", tree{"preset": "github"}, call(`{"action":"deleted","release":{"id":5}}`, "X-Github-Event", "release"), removed("release:5", "release")},
		{"cloudevents, structured", tree{"preset": "cloudevents"}, call(`{"specversion":"1.0","id":"1","source":"/cms","type":"article.published","subject":"k","data":{"title":"T","urgency":1}}`, "Content-Type", "application/cloudevents+json; charset=utf-8"),
			item(func(it *sdk.Item) { it.Urgency = 1 })},
		{"cloudevents, binary", tree{"preset": "cloudevents"}, call(`{"title":"T"}`, "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/cms", "Ce-Type", "article.published", "Ce-Subject", "k"), item(func(*sdk.Item) {})},
		{"cloudevents, a batch", tree{"preset": "cloudevents"}, call(`[{"specversion":"1.0","id":"1","type":"a.published","subject":"k","data":{"title":"T"}},{"specversion":"1.0","id":"2","type":"a.deleted","subject":"l"}]`, "Content-Type", "application/cloudevents-batch+json"),
			sdk.Batch{Items: []sdk.Item{{Key: "k", Title: "T"}}, Removed: []sdk.Removal{{Key: "l", Reason: "withdrawn by the sender", At: at}}}},
		{"a map", with(tree{"html": "entry.html", "tags": "entry.tags", "published": "entry.ms", "not_before": `entry.embargo`, "group": `header["x-desk"]`, "summary": `query?.s`, "authors": `entry.by`}),
			call(`{"id":"k","title":"T","html":"<p>x</p>","tags":["a",{"name":"b"}],"ms":1795150800000,"embargo":"2026-11-21 05:00","by":"Anne"}`, "X-Desk", "d"),
			item(func(it *sdk.Item) {
				it.Body, it.Tags, it.Published, it.NotBefore, it.Group, it.Authors = p("x"), []string{"a", "b"}, at.Add(-time.Hour), at.Add(23*time.Hour), "d", []sdk.Author{{Name: "Anne"}}
			})},
		{"a map of several", tree{"map": tree{"each": "body.articles", "when": "entry.live", "key": "entry.id", "title": "entry.title"}}, call(`{"articles":[{"id":1,"title":"A","live":true},{"id":2,"title":"B","live":false},{"id":12345678901234567,"title":"C","live":true}]}`),
			sdk.Batch{Items: []sdk.Item{{Key: "1", Title: "A"}, {Key: "12345678901234567", Title: "C"}}}},
		{"the last word counts", with(tree{"remove": "entry.gone ?? false"}), call(`[{"id":"a","title":"A"},{"id":"a","title":"B"},{"id":"b","title":"C"},{"id":"b","gone":true},{"id":"k","gone":true},{"id":"k","title":"T"}]`),
			sdk.Batch{Items: []sdk.Item{{Key: "a", Title: "B"}, {Key: "k", Title: "T"}}, Removed: []sdk.Removal{{Key: "b", Reason: "withdrawn by the sender", At: at}}}},
		{"lines", with(nil), call("{\"id\":\"a\",\"title\":\"A\"}\n\n{\"id\":\"k\",\"title\":\"T\"}\n", "Content-Type", "application/x-ndjson"), sdk.Batch{Items: []sdk.Item{{Key: "a", Title: "A"}, {Key: "k", Title: "T"}}}},
		{"a form", with(nil), call("id=k&title=T", "Content-Type", "application/x-www-form-urlencoded"), item(func(*sdk.Item) {})},
		{"JSON in a form", with(nil), call("payload=%7B%22id%22%3A%22k%22%2C%22title%22%3A%22T%22%7D", "Content-Type", "application/x-www-form-urlencoded"), item(func(*sdk.Item) {})},
		{"a link within", with(tree{"url": "entry.url", "html": "entry.html"}), call(`{"id":"k","title":"T","url":"https://gazette.example/a/","html":"<a href='b'>x</a><a href='javascript:alert(1)'>y</a>"}`),
			item(func(it *sdk.Item) {
				it.URL = "https://gazette.example/a/"
				it.Body = sdk.Body{sdk.Paragraph(sdk.Link("https://gazette.example/a/b", sdk.Text("x")), sdk.Text("y"))}
			})},
		{"a notice", with(tree{"notice": tree{"name": `event == "parcel" ? "parcels" : nil`, "reference": "entry.customer", "key": "entry.order", "text": `"Your parcel {{number}} leaves."`, "slots": `{"number": entry.parcel}`, "url": "entry.url"}}),
			call(`{"event":"parcel","customer":"c-7","order":12,"parcel":99,"url":"https://shop.example/12"}`),
			sdk.Batch{PersonNotices: []sdk.PersonNotice{{Notice: "parcels", Reference: "c-7", Key: "12", Text: "Your parcel {{number}} leaves.", URL: "https://shop.example/12", Slots: map[string]string{"number": "99"}}}}},
		{"no notice but an item", with(tree{"notice": tree{"name": `event == "parcel" ? "parcels" : nil`, "reference": "entry.customer", "key": "entry.order", "text": `"x"`}}), call(`{"event":"article","id":"k","title":"T"}`), item(func(*sdk.Item) {})},
		{"an address that is none", with(tree{"url": "entry.url"}), call(`{"id":"k","title":"T","url":"javascript:alert(1)"}`), item(func(*sdk.Item) {})},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, c.config)
			got, err := s.Map(t.Context(), c.r)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
			if len(got.Items) == 0 {
				got.Items = nil
			}
			if len(got.Removed) == 0 {
				got.Removed = nil
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What cannot be mapped is told in a sentence that names the part of the map and the entry.
func TestMapFails(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, field, expression, body, says string
	}{
		{"no title", "title", "entry.headline", `{"id":"k"}`, `map.title yields no title for "k"`},
		{"no key", "key", "entry.uid", `{"title":"T"}`, "map.key yields nothing"},
		{"an object for a text", "summary", "entry.title", `{"id":"k","title":{"x":1}}`, "map.title gives an object"},
		{"a date that is none", "published", "entry.d", `{"id":"k","title":"T","d":"soon"}`, `map.published gives "soon", which is no time`},
		{"an embargo that is none", "not_before", "entry.d", `{"id":"k","title":"T","d":"later"}`, "map.not_before gives"},
		{"an urgency beyond", "urgency", "entry.u", `{"id":"k","title":"T","u":99}`, "map.urgency gives 99"},
		{"something missing", "summary", "entry.a.b", `{"id":"k","title":"T"}`, "write ?. in place of ."},
		{"a text for yes", "when", "entry.title", `{"id":"k","title":"T"}`, "map.when gives a text"},
		{"nobody to tell", "notice", "", `{"id":"k","title":"T"}`, "map.notice.reference yields nothing"},
		{"no list", "each", "body.x", `{"x":{}}`, "map.each gives an object"},
		{"the second entry", "summary", "entry.s", `[{"id":"k","title":"T"},{"id":"l","title":"U","s":{}}]`, "entry 2: map.summary gives an object"},
		{"a list for an object", "summary", "body.s", `[{"id":"k","title":"T"}]`, "map.summary fails: it asks a list for what has a name; where the body is a list, each of its entries is called entry"},
		{"no JSON", "summary", "entry.s", `{"id":`, "the body is no JSON at byte 6"},
		{"too deep", "summary", "entry.s", strings.Repeat("[", 65) + strings.Repeat("]", 65), "nested deeper than 64"},
		{"no UTF-8", "summary", "entry.s", "\"\xff\"", "not UTF-8"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := tree{"key": "entry.id", "title": "entry.title"}
			m[c.field] = c.expression
			if c.field == "notice" {
				m["notice"] = tree{"name": `"x"`, "reference": "entry.r", "key": "entry.id", "text": "entry.title"}
			}
			_, err := open(t, tree{"map": m}).Map(t.Context(), call(c.body))
			e, ok := errors.AsType[*sdk.Error](err)
			if !ok || e.Code != sdk.CodeInvalid || !strings.Contains(e.Public, c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// A configuration is checked whole when it is read; what is wrong with an expression has its place in it.
func TestConfig(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name         string
		config       tree
		pointer      string
		line, column int
		says         string
	}{
		{"nothing mapped", tree{}, "/map", 0, 0, "nothing says what becomes of a call"},
		{"no title", tree{"map": tree{"key": "body.id"}}, "/map", 0, 0, "the map yields no title"},
		{"an unknown preset", tree{"preset": "gost"}, "/preset", 0, 0, "ghost"},
		{"an unknown scheme", tree{"preset": "ghost", "signature": "gost"}, "/signature", 0, 0, "ghost"},
		{"an unknown name", tree{"map": tree{"key": "id", "title": "body.title"}}, "/map/key", 1, 1, "write body.id"},
		{"a misspelt name", tree{"map": tree{"key": "entri.id", "title": "body.title"}}, "/map/key", 1, 1, "did you mean entry?"},
		{"in the second line", tree{"map": tree{"key": "entry.id +\n  nope", "title": "body.title"}}, "/map/key", 2, 3, "unknown name nope"},
		{"an end too early", tree{"map": tree{"key": "pick(entry,", "title": "body.title"}}, "/map/key", 1, 12, "ends too early"},
		{"a number for yes", tree{"preset": "ghost", "map": tree{"when": "1 + 1"}}, "/map/when", 1, 1, "it must give true or false"},
		{"yes for a title", tree{"preset": "ghost", "map": tree{"title": "event == \"x\""}}, "/map/title", 1, 1, "it must give a text"},
		{"a text for a list of entries", tree{"preset": "ghost", "map": tree{"each": "event"}}, "/map/each", 1, 1, "it must give a list"},
		{"the clock", tree{"preset": "ghost", "map": tree{"published": "now()"}}, "/map/published", 1, 1, "unknown name now"},
		{"kinds that do not fit", tree{"preset": "ghost", "map": tree{"when": `event > 1`}}, "/map/when", 1, 7, "mismatched types"},
		{"an unknown part", tree{"preset": "ghost", "map": tree{"titel": "body.title"}}, "/map/titel", 0, 0, `did you mean "title"?`},
		{"half a notice", tree{"preset": "ghost", "map": tree{"notice": tree{"name": `"x"`}}}, "/map/notice", 0, 0, "needs a reference"},
		{"a notice without a name", tree{"preset": "ghost", "map": tree{"notice": tree{"key": "entry.id"}}}, "/map/notice", 0, 0, "which notice"},
		{"a text for slots", tree{"map": tree{"notice": tree{"name": `"x"`, "reference": "entry.r", "key": "entry.k", "text": "entry.t", "slots": "event"}}}, "/map/notice/slots", 1, 1, "it must give an object of texts"},
		{"no secret", tree{"preset": "ghost", "secret": ""}, "/secret", 0, 0, "anybody could send items"},
		{"a broken second secret", tree{"preset": "ghost", "signature": "standard", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secrets": []any{"whsec_!"}}, "/secrets/0", 0, 0, "not base64"},
		{"a broken secret", tree{"preset": "ghost", "signature": "standard", "secret": "whsec_!"}, "/secret", 0, 0, "not base64"},
		{"a weak token", tree{"preset": "strapi", "signature": "bearer", "secret": "short"}, "/secret", 0, 0, "soon guessed"},
		{"no header", tree{"preset": "ghost", "signature": "hmac"}, "/header", 0, 0, "which header"},
		{"a zone", tree{"preset": "ghost", "zone": "Europe/Pari"}, "/zone", 0, 0, "unknown"},
		{"no site", tree{"preset": "ghost", "base_url": "gazette"}, "/base_url", 0, 0, "no address of a site"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := tree{"signature": "github", "secret": secret}
			maps.Copy(all, c.config)
			ps, _ := errors.AsType[sdk.Problems](webhook.Spec().Check(all))
			if len(ps) != 1 || ps[0].Pointer != c.pointer || ps[0].Line != c.line || ps[0].Column != c.column || !strings.Contains(ps[0].String(), c.says) {
				t.Errorf("%+v", ps)
			}
			for _, p := range ps {
				if strings.Contains(p.String(), secret) {
					t.Error("a problem tells the secret")
				}
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	type reply struct {
		Status int
		Code   string
		Accept bool
		ID     bool
	}
	preset := tree{"preset": "github"}
	changed := call(`{"a":1}`)
	changed.Body = []byte(`{"a":2}`)
	with := func(r sdk.WebhookRequest, change func(*sdk.WebhookRequest)) sdk.WebhookRequest { change(&r); return r }
	bearer := tree{"preset": "github", "signature": "bearer", "secret": "0123456789abcdef"}
	shown := func(body string) sdk.WebhookRequest {
		return call(body, "Authorization", "Bearer 0123456789abcdef", "X-Delivery", "d1")
	}
	cases := []struct {
		name   string
		config tree
		r      sdk.WebhookRequest
		want   reply
		body   string
	}{
		{"genuine", preset, call(`{"a":1}`), reply{200, "", true, true}, "accepted"},
		{"a token, and no name of the delivery", bearer, shown(`{"id":1}`), reply{200, "", true, false}, "accepted"},
		{"a token, and a name", tree{"preset": "github", "signature": "bearer", "secret": "0123456789abcdef", "id_header": "X-Delivery"}, shown(`{"id":1}`), reply{200, "", true, true}, "accepted"},
		{"another body", preset, changed, reply{401, "signature_wrong", false, false}, "fits no secret"},
		{"unsigned", preset, with(call(`{"a":1}`), func(r *sdk.WebhookRequest) { delete(r.Header, "X-Hub-Signature-256") }), reply{401, "signature_missing", false, false}, "X-Hub-Signature-256"},
		{"no JSON", preset, call(`{"a":`), reply{400, "body_malformed", false, false}, "byte 5"},
		{"too deep", preset, call(strings.Repeat("[", 65) + strings.Repeat("]", 65)), reply{400, "body_malformed", false, false}, "deeper than 64"},
		{"XML", preset, call(`<x/>`, "Content-Type", "application/xml"), reply{415, "type_unsupported", false, false}, "application/xml"},
		{"unsigned XML", preset, with(call(`<x/>`, "Content-Type", "application/xml"), func(r *sdk.WebhookRequest) { delete(r.Header, "X-Hub-Signature-256") }), reply{401, "signature_missing", false, false}, ""},
		{"GET", preset, with(call(`{}`), func(r *sdk.WebhookRequest) { r.Method = "GET" }), reply{405, "method_not_allowed", false, false}, ""},
		{"a ping of GitHub", preset, call(`{"zen":"x"}`, "X-Github-Event", "ping"), reply{200, "", false, false}, "pong"},
		{"a forged ping of GitHub", preset, with(call(`{"zen":"x"}`, "X-Github-Event", "ping"), func(r *sdk.WebhookRequest) { r.Body = []byte("{}") }), reply{401, "signature_wrong", false, false}, ""},
		{"a ping of WooCommerce", tree{"preset": "wordpress", "signature": "woocommerce"}, sdk.WebhookRequest{Method: "POST", Body: []byte("webhook_id=12"), ReceivedAt: at}, reply{200, "", false, false}, ""},
		{"more than a ping", tree{"preset": "wordpress", "signature": "woocommerce"}, sdk.WebhookRequest{Method: "POST", Body: []byte("webhook_id=12&x=1"), ReceivedAt: at}, reply{401, "signature_missing", false, false}, ""},
		{"Meta asks", tree{"preset": "github", "signature": "meta", "verify_token": "t0ken"}, sdk.WebhookRequest{Method: "GET", Query: "hub.mode=subscribe&hub.verify_token=t0ken&hub.challenge=c1%2F"}, reply{200, "", false, false}, "c1/"},
		{"somebody asks as Meta", tree{"preset": "github", "signature": "meta", "verify_token": "t0ken"}, sdk.WebhookRequest{Method: "GET", Query: "hub.mode=subscribe&hub.verify_token=x&hub.challenge=c1"}, reply{403, "token_wrong", false, false}, ""},
		{"nobody waits for Meta", tree{"preset": "github", "signature": "meta"}, sdk.WebhookRequest{Method: "GET", Query: "hub.mode=subscribe&hub.verify_token=&hub.challenge=c1"}, reply{403, "token_wrong", false, false}, ""},
		{"CloudEvents asks", tree{"preset": "cloudevents"}, sdk.WebhookRequest{Method: "OPTIONS", Header: map[string][]string{"Webhook-Request-Origin": {"cms.example"}}}, reply{200, "", false, false}, ""},
		{"a browser asks", preset, sdk.WebhookRequest{Method: "OPTIONS", Header: map[string][]string{"Webhook-Request-Origin": {"cms.example"}}}, reply{405, "method_not_allowed", false, false}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := open(t, c.config).Verify(t.Context(), c.r)
			if err != nil {
				t.Fatal(err)
			}
			got := reply{Status: v.Reply.Status, Accept: v.Accept, ID: v.DeliveryID != ""}
			if v.Reply.Status >= 400 {
				var problem struct {
					Status       int
					Code, Detail string
				}
				if err := json.Unmarshal(v.Reply.Body, &problem); err != nil || problem.Status != v.Reply.Status || v.Reply.Header["Content-Type"][0] != "application/problem+json" {
					t.Errorf("no problem document: %s", v.Reply.Body)
				}
				got.Code = problem.Code
			}
			if diff := cmp.Diff(c.want, got); diff != "" || !strings.Contains(string(v.Reply.Body), c.body) {
				t.Errorf("%s\n%s", diff, v.Reply.Body)
			}
		})
	}
}

// Slack asks, signed, before it sends anything.
func TestSlackAsks(t *testing.T) {
	t.Parallel()
	body := `{"type":"url_verification","challenge":"c1"}`
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("v0:1795154400:" + body))
	r := sdk.WebhookRequest{Method: "POST", Body: []byte(body), ReceivedAt: at, Header: map[string][]string{"Content-Type": {"application/json"},
		"X-Slack-Signature": {"v0=" + hex.EncodeToString(m.Sum(nil))}, "X-Slack-Request-Timestamp": {"1795154400"}}}
	v, err := open(t, tree{"signature": "slack", "map": tree{"key": "body.id", "title": "body.title"}}).Verify(t.Context(), r)
	if err != nil || v.Accept || string(v.Reply.Body) != "c1" {
		t.Errorf("%v %+v %s", err, v, v.Reply.Body)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	spec := webhook.Spec()
	forged := call(ghostPost)
	forged.Body = append([]byte(" "), forged.Body...)
	for name, opener := range map[string]sdktest.Opener{"direct": spec.Open, "loopback": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			sdktest.Webhook(t, sdktest.WebhookOptions{Options: sdktest.Options{Open: opener, Secrets: []string{secret},
				Config: tree{"signature": "github", "secret": secret, "preset": "ghost"}}, Genuine: []sdk.WebhookRequest{call(ghostPost)}, Forged: []sdk.WebhookRequest{forged}})
		})
	}
}

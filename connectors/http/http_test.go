package http_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	belfry "github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDx3UJl6Yh0QM="
)

type tree = map[string]any

// bench is a connector in front of a receiver.
type bench struct {
	*belfry.Connector
	url    string
	to     sdk.ChannelRef
	limits sdk.Limits
}

// serve opens a connector on a handler; "URL" in the texts of the settings stands for the handler's address.
func serve(t *testing.T, h http.Handler, settings tree) *bench {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	config := tree{"url": web.URL + "/hook", "allow_private": []any{"127.0.0.1/32"}}
	for key, value := range settings {
		config[key] = at(value, web.URL)
	}
	b := &bench{Connector: open(t, config), url: web.URL}
	var err error
	if b.to, b.limits, err = b.ResolveChannel(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	return b
}

func at(v any, url string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "URL", url)
	case tree:
		out := tree{}
		for key, sub := range v {
			out[key] = at(sub, url)
		}
		return out
	}
	return v
}

func open(t *testing.T, config tree) *belfry.Connector {
	t.Helper()
	conn, err := belfry.Spec().Open(t.Context(), sdk.Settings{Instance: "ops", UserAgent: "Belfry/test"}, config)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn.(*belfry.Connector)
}

func standard(t *testing.T, o receivertest.StandardOptions) *receivertest.Standard {
	t.Helper()
	if o.Secrets == nil {
		o.Secrets = []string{secret}
	}
	s, err := receivertest.NewStandard(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) plan(t *testing.T, p sdk.Post) sdk.Part {
	t.Helper()
	parts, err := b.Plan(b.to, p)
	if err != nil || len(parts) != 1 {
		t.Fatalf("Plan: %d parts, %v", len(parts), err)
	}
	parts[0].Key = "k-" + p.ID + "-" + p.Title
	return parts[0]
}

func (b *bench) publish(t *testing.T, p sdk.Post) sdk.PartRef {
	t.Helper()
	ref, err := b.Publish(t.Context(), b.to, b.plan(t, p))
	if err != nil {
		t.Fatalf("Publish: %v", err)
	}
	return ref
}

func article(title string) sdk.Post {
	at := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	return sdk.Post{
		ID: "8f21", Revision: 1, Channel: "alertes", ChannelTitle: "Dernière minute", Lang: "fr", Title: title,
		Summary: "Le trafic <est> interrompu.",
		URL:     "https://news.example/a", Permalink: "https://belfry.example/c/alertes/8f21", State: sdk.PostLive,
		Body: sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(title))), sdk.Paragraph(sdk.Link("https://news.example/a",
			sdk.Text("Lire")))},
		Content: sdk.Body{sdk.Paragraph(sdk.Text("Le trafic <est> interrompu."))},
		Authors: []sdk.Author{{Name: "A. Bé", URL: "https://news.example/abe"}}, Tags: []string{"alerte", "gare"},
		Media: []sdk.Media{{URL: "https://belfry.example/media/1.jpg", Type: "image/jpeg", Alt: "La gare",
			Credit: "C. Dé", Width: 1200, Height: 800}},
		Published: at, Updated: at, Items: []sdk.PostItem{{Key: "1", Title: title, URL: "https://news.example/a",
			Published: at}},
	}
}

// digestPost has several items and nothing else.
func digestPost() sdk.Post {
	p := article("Le brief")
	p.Media, p.Authors, p.Tags, p.Content, p.Summary, p.URL = nil, nil, nil, nil, "", ""
	p.Items = append(p.Items, sdk.PostItem{Key: "2", Title: "Deux"})
	return p
}

func TestConfigProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config tree
		want   []string // the problems, or none
	}{
		"the shortest": {tree{"url": "https://ops.example/hook", "secret": secret}, nil},
		"no url": {tree{"secret": secret},
			[]string{`/url: "url" is missing: where posts are sent. Its path and query may hold a secret and are shown nowhere; ` +
				`write url: …`}},
		"no secret": {tree{"url": "https://ops.example/hook"},
			[]string{"secret is missing: receivers of the standard form know Belfry by its signature; make one with: " +
				"echo whsec_$(openssl rand -base64 32)"}},
		"a plain secret": {tree{"url": "https://ops.example/hook", "secret": "hunter2hunter2"},
			[]string{"/secret: this is no Standard Webhooks secret, which is whsec_ and 24 to 64 bytes in base64; " +
				"make one with: echo whsec_$(openssl rand -base64 32)"}},
		"a short secret": {tree{"url": "https://ops.example/hook", "secret": "whsec_c2hvcnQ="},
			[]string{"/secret: this is no Standard Webhooks secret, which is whsec_ and 24 to 64 bytes in base64; " +
				"make one with: echo whsec_$(openssl rand -base64 32)"}},
		"two ways": {tree{"url": "https://ops.example/hook", "secret": secret, "secrets": []any{newSecret}},
			[]string{"/secret: the secret is given twice; keep secret, or secrets while one replaces another"}},
		"a misspelt key": {tree{"url": "https://ops.example/hook", "secret": secret, "boddy": "x"},
			[]string{`/boddy: unknown key "boddy"; did you mean "body"?`}},
		"a bare address": {tree{"url": "https://ops.example/hook", "secret": secret, "allow_private": []any{"fd00::1"}},
			[]string{`/allow_private/0: "fd00::1" is no network; one address is written fd00::1/128`}},
		"plain http": {tree{"url": "http://ops.example/hook", "secret": secret},
			[]string{"/url: over plain http the call and its credentials could be read on the way; use https, or name " +
				"the receiver's own network under allow_private"}},
		"plain http, own": {tree{"url": "http://ops.example/hook", "secret": secret,
			"allow_private": []any{"10.0.0.0/8"}}, nil},
		"a private address": {tree{"url": "https://127.0.0.1:7002/hook", "secret": secret},
			[]string{"/url: 127.0.0.1 is a loopback address, and calls do not go there; if the receiver is your own, add " +
				"allow_private: [127.0.0.1/32]"}},
		"a private address, another allowed": {tree{"url": "http://10.0.3.7/hook", "secret": secret,
			"allow_private": []any{"10.0.4.0/24"}},
			[]string{"/url: 10.0.3.7 is a private address, and calls do not go there; if the receiver is your own, add " +
				"allow_private: [10.0.3.7/32]"}},
		"metadata": {tree{"url": "https://169.254.169.254/", "secret": secret},
			[]string{"/url: 169.254.169.254 is a link-local address (cloud metadata lives there), and calls do not go " +
				"there; no receiver has such an address; write the one it has"}},
		"no address": {tree{"url": "ops.example/hook", "secret": secret},
			[]string{"/url: this is no http or https address; write it like https://receiver.example/hook"}},
		"a user": {tree{"url": "https://u:p@ops.example/", "secret": secret},
			[]string{"/url: the address holds a user or a password; write them under basic:"}},
		"a template": {tree{"url": "https://ops.example/{{.ID}}", "body": "x", "content_type": "text/plain"},
			[]string{"/url: posts go to one address; a template is possible in update and delete; put what varies " +
				"into body:"}},
		"own headers": {tree{"url": "https://ops.example/", "secret": secret, "headers": tree{"Webhook-Id": "x"}},
			[]string{"/headers/Webhook-Id: this header is set by Belfry itself; take it out"}},
		"a key for all": {tree{"url": "https://ops.example/", "secret": secret,
			"headers": tree{"idempotency-key": "x"}},
			[]string{"/headers/idempotency-key: the same key on every post would make the receiver drop all but " +
				"one; write deduplicates: true, and each call gets a key of its own"}},
		"a line end": {tree{"url": "https://ops.example/", "secret": secret,
			"headers": tree{"X-A": "b\r\nX-Admin: 1"}},
			[]string{"/headers/X-A: the value of this header holds a line end or another control character; take " +
				"it out"}},
		"a header twice": {tree{"url": "https://ops.example/", "secret": secret, "headers": tree{"X-A": "b", "x-a": "c"}},
			[]string{"/headers/x-a: this header is given twice, in two spellings; keep one of them"}},
		"a wrong header": {tree{"url": "https://ops.example/", "secret": secret, "headers": tree{"X A": "b"}},
			[]string{"/headers/X A: this is no name of a header; letters, digits and - only"}},
		"a content type": {tree{"url": "https://ops.example/", "secret": secret, "headers": tree{"Content-Type": "b"}},
			[]string{"/headers/Content-Type: the type of the body has its own setting; write it as content_type"}},
		"two credentials": {tree{"url": "https://ops.example/", "secret": secret, "basic": tree{"user": "u",
			"password": "p"}, "headers": tree{"authorization": "x"}},
			[]string{"/headers/authorization: the receiver gets credentials twice; keep basic, or this header"}},
		"custom, standard": {tree{"url": "https://ops.example/", "secret": secret, "ref": "/id", "overflow": "split",
			"update": tree{}, "delete": tree{}, "content_type": "text/plain", "method": "PUT", "markup": "html"}, []string{
			"/content_type: the standard form is application/json; take it out, or add body:",
			"/delete: delete belongs to a body of your own; the standard form corrects and withdraws by itself; take " +
				"it out, or add body:",
			"/markup: the standard form has the text as plain text and as HTML; take it out, or add body:",
			"/method: the standard form is a POST; take it out, or add body:",
			"/overflow: the standard form is one call for each post; cut, or add body:",
			"/ref: ref belongs to a body of your own; the standard form corrects and withdraws by itself; take it " +
				"out, or add body:",
			"/update: update belongs to a body of your own; the standard form corrects and withdraws by itself; take " +
				"it out, or add body:"}},
		"no ref": {tree{"url": "https://ops.example/", "body": "x", "content_type": "text/plain",
			"delete": tree{}}, []string{"/delete: delete needs the receiver's name for the post; say with ref: where " +
			"its answer has it, like ref: /id"}},
		"a bad ref": {tree{"url": "https://ops.example/", "body": "x", "content_type": "text/plain", "ref": "id"},
			[]string{"/ref: this is no JSON Pointer; it begins with a slash, like /id or /message/_id"}},
		"a bad accept": {tree{"url": "https://ops.example/", "secret": secret, "accept": tree{"success": true}},
			[]string{`/accept/success: "success" is no JSON Pointer; it begins with a slash, like /success`}},
		"a deep accept": {tree{"url": "https://ops.example/", "secret": secret, "accept": tree{"/a": tree{}}},
			[]string{"/accept/~1a: a text, a number, true or false expected; name the value itself, like /status/ok: true"}},
		"an empty accept": {tree{"url": "https://ops.example/", "secret": secret, "accept": ""},
			[]string{"/accept: nothing is asked of the answer; take accept: out, or write it like {/success: true}"}},
		// One look tells all, and no more.
		"a header of no value beside a bad address": {tree{"url": "ftp://ops.example/", "secret": secret, "headers": tree{"A": []any{}}},
			[]string{"/headers/A: text expected, found a list; write one value",
				"/url: this is no http or https address; write it like https://receiver.example/hook"}},
		"a bad network of a private receiver": {tree{"url": "http://10.0.3.7/", "secret": secret, "allow_private": []any{"10.0.3.7"}},
			[]string{`/allow_private/0: "10.0.3.7" is no network; one address is written 10.0.3.7/32`}},
		"a body that is none": {tree{"url": "https://ops.example/", "body": []any{}, "ref": "/id", "update": tree{}},
			[]string{"/body: text expected, found a list; write a single text"}},
		"a misspelt body": {tree{"url": "https://ops.example/", "bdy": "x", "ref": "/id", "update": tree{}},
			[]string{`/bdy: unknown key "bdy"; did you mean "body"?`}},
		"a type that is none beside a form": {tree{"url": "https://ops.example/", "body": "t={{urlquery .Text}}", "content_type": true},
			[]string{`/content_type: text expected, found true; put it in quotes: "true"`}},
		"an unknown type": {tree{"url": "https://ops.example/", "body": "<x/>", "content_type": "application/xml"},
			[]string{`/content_type: "application/xml" is no type whose bodies can be checked; application/json, ` +
				`application/x-www-form-urlencoded or text/plain`}},
		"the host, chosen": {tree{"url": "https://ops.example/", "body": "x", "content_type": "text/plain", "ref": "/id",
			"delete": tree{"url": "https://{{.Ref}}.example/"}},
			[]string{"/delete/url: a template may not choose the host; write the host as it is"}},
		"impatience": {tree{"url": "https://ops.example/", "secret": secret, "timeout": "10ms"},
			[]string{"/timeout: no receiver answers as fast as that; at least 1s; 15s is usual"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := belfry.Spec().Check(c.config); err != nil {
				got = err.Error()
			}
			if want := strings.Join(c.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for _, s := range []string{"hunter2", "MfKQ9r8"} {
				if strings.Contains(got, s) {
					t.Error("a problem shows a secret")
				}
			}
		})
	}
}

func TestResolveChannel(t *testing.T) {
	t.Parallel()
	conn := open(t, tree{"url": "https://ops.example/very-secret?sig=more", "secret": secret})
	for name, want := range map[string]sdk.ChannelRef{
		"":     {ID: "ops.example", Title: "ops.example", State: []byte{}},
		"desk": {ID: "ops.example desk", Title: "desk", State: []byte("desk")},
	} {
		ref, limits, err := conn.ResolveChannel(t.Context(), name)
		if err != nil || ref.ID != want.ID || ref.Title != want.Title || string(ref.State) != string(want.State) || ref.URL != "" {
			t.Errorf("%q: got %+v, %v", name, ref, err)
		}
		if r := limits.Rules; r.EditFor != sdk.Forever || r.DeleteFor != sdk.Forever || r.SameKeyFor != 72*time.Hour || r.ReplyFor != 0 || len(r.Rates) != 0 {
			t.Errorf("%+v", r)
		}
	}
	for _, bad := range []string{"a\nb", strings.Repeat("x", 300)} {
		if _, _, err := conn.ResolveChannel(t.Context(), bad); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%.9q: got %v", bad, err)
		}
	}
	own := open(t, tree{"url": "https://ops.example/", "body": `{"t": {{json .Text}}}`, "max_text": json.Number("100"),
		"unit": "bytes", "ref": "/id", "update": tree{"within": "2h"}})
	_, limits, err := own.ResolveChannel(t.Context(), "")
	if r := limits.Rules; err != nil || r.EditFor != 2*time.Hour || r.DeleteFor != 0 || r.SameKeyFor != 0 || limits.Text != 100 || limits.Unit != sdk.UnitBytes {
		t.Errorf("%+v, %v", limits, err)
	}
}

// What is stored and shown of a configuration holds no secret, and what is generated of it names every setting.
func TestConfigIsShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	c := belfry.Config{}
	config := tree{"url": "https://ops.example/hooks/hush1?sig=hush2", "secret": secret, "basic": tree{"user": "u",
		"password": "hush3"},
		"headers": tree{"X-Key": "hush4"}, "accept": tree{"/ok": true}, "timeout": "5s",
		"content_type": "application/json", "method": "POST", "markup": "plain",
		"unit": "bytes", "overflow": "cut", "body": `{"a":{{json .Title}}}`, "ref": "/id",
		"delete": tree{"url": "https://ops.example/hush5/{{.Ref}}", "headers": tree{"X-Key": "hush6"}}}
	if err := sdk.Decode(config, &c); err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(sdk.Tree(c))
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{string(shown), fmt.Sprintf("%v %+v %#v %s", c, c, c, c.URL)} {
		if strings.Contains(said, "hush") || strings.Contains(said, secret[6:]) {
			t.Errorf("a secret in %s", said)
		}
	}
	if !strings.Contains(string(shown), `"url":"https://ops.example/[…]"`) || !strings.Contains(string(shown), `"accept":{"/ok":true}`) {
		t.Errorf("%s", shown)
	}
	schema := string(belfry.Spec().SchemaJSON())
	for _, f := range belfry.Spec().Fields() {
		if last := f.Path[strings.LastIndexByte(f.Path, '.')+1:]; !strings.Contains(schema, `"`+last+`"`) || f.Doc == "" {
			t.Errorf("%+v", f)
		}
	}
}

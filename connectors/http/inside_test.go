package http

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

// The test vector of the Standard Webhooks specification.
func TestSign(t *testing.T) {
	t.Parallel()
	key, ok := signingKey(sdk.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	if !ok {
		t.Fatal("the secret is refused")
	}
	timestamp, signature := sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 999),
		[]byte(`{"test": 2432232314}`))
	if timestamp != "1614265330" || signature != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("got %s %s", timestamp, signature)
	}
}

func TestCallID(t *testing.T) {
	t.Parallel()
	for key, same := range map[string]bool{"8f21-telegram_1": true, "a.b": false, "a b": false, "": false, "é": false, strings.Repeat("x", 201): false} {
		got := callID(key)
		if (got == key) != same || !plainID().MatchString(got) || got != callID(key) {
			t.Errorf("%.9q gives %q", key, got)
		}
	}
	if derivedID("a", "bc") == derivedID("ab", "c") {
		t.Error("different calls have one key")
	}
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "",
		"nothing here":                       "nothing here",
		"@all":                               "＠all",
		"Hello @all, @Here and (@channel)!":  "Hello ＠all, ＠Here and (＠channel)!",
		"@everyone@here":                     "＠everyone@here",
		"@@all":                              "＠＠all",
		"foo.@all":                           "foo.＠all",
		"@**all** and @_**Anna** @*desk*":    "＠**all** and ＠_**Anna** ＠*desk*",
		`@\*\*all\*\*`:                       `＠\*\*all\*\*`,
		"<!channel> <!here|x> <@U1>":         "<！channel> <！here|x> <＠U1>",
		`\<!channel>`:                        `\<！channel>`,
		"desk@news.example":                  "desk@news.example",
		"2 kg @ 5 €, @":                      "2 kg @ 5 €, @",
		"https://m.example/@anna/1 says":     "https://m.example/%40anna/1 says",
		"https://m.example/@all":             "https://m.example/%40all",
		"https://m.example/a@**all**":        "https://m.example/a%40**all**",
		"http://@all https://x@all/":         "http://＠all https://x@all/",
		"[x](https://m.example/@anna) @anna": "[x](https://m.example/%40anna) ＠anna",
		"https://m.example/a\"@all":          "https://m.example/a\"＠all",
		"Ah! < ! x":                          "Ah! < ! x",
		"\xff@all\xff":                       "\xff＠all\xff",
	} {
		if got := quiet(text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

// Quiet text is as long as before but for addresses, stays quiet, and rings nobody.
func FuzzQuiet(f *testing.F) {
	for _, s := range []string{"@all", "https://x.example/@all", "a@b @c", "<!here>", "\xff@", "@\u200ball", "http://a.b:1/@@all(@here"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := quiet(s)
		if utf8.RuneCountInString(got) != utf8.RuneCountInString(s)+2*(strings.Count(got, "%40")-strings.Count(s, "%40")) {
			t.Fatalf("%q has another length than %q", got, s)
		}
		if again := quiet(got); again != got {
			t.Fatalf("%q is not quiet yet: %q", got, again)
		}
		for _, word := range []string{"@all", "@here", "@channel", "@everyone", "@**", "@_**", "<!"} {
			for i := 0; ; {
				at := strings.Index(got[i:], word)
				if at < 0 {
					break
				}
				i += at
				before, _ := utf8.DecodeLastRuneInString(got[:i])
				letter := before == '_' || ('a' <= before|0x20 && before|0x20 <= 'z') || ('0' <= before && before <= '9') || before > 0x7f
				if !letter {
					t.Fatalf("%q still rings", got)
				}
				i += len(word)
			}
		}
	})
}

// Whatever a receiver answers, it is judged, and a name for the post is a plain text.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{`{"id":"m1"}`, `{"id":9007199254740993}`, `{"id":{"x":1}}`, `{"id":""}`, `{"id":".."}`, `{"a":[{"id":"x"}]}`, "ok", "", "<html><title>hush-hush</title>", `{"id":"` + "\x00" + `"}`, `{"success":false}`, `{"error":"hush-hush"}`, `{"ok":false,"retry_after":1e400}`, `{"retry_after_ms":-3}`, `{"success":true,"id":1e999}`} {
		for _, status := range []int{200, 301, 404, 500} {
			f.Add(status, "application/json", "120", []byte(body), "/id")
		}
	}
	c := &Connector{host: "ops.example", secrets: []string{"hush-hush"},
		config: Config{Accept: Acceptance{values: map[string]any{"/success": true}}}}
	f.Fuzz(func(t *testing.T, code int, contentType, after string, body []byte, pointer string) {
		a := sdk.Answer{Status: code, Body: body, Header: http.Header{"Content-Type": {contentType}, "Retry-After": {after}}}
		for _, act := range []act{{op: "publish"}, {op: "withdraw", again: true, about: true, missing: "gone"}} {
			for _, e := range []*sdk.Error{c.judge(act, a), c.accepted(act, a, true), c.contradicted(act, a, true), c.contradicted(act, a, false)} {
				if e != nil && (e.Code == "" || e.Public == "" || e.RetryAfter < 0 || strings.Contains(e.Public, "hush-hush") || !utf8.ValidString(e.Public)) {
					t.Fatalf("%+v", e)
				}
				if settled := sdk.AsError(act.settle(e)); settled != nil && act.again && settled.Code == sdk.CodeUnknownOutcome {
					t.Fatalf("a repeatable call is left unknown: %+v", settled)
				}
			}
		}
		ref, ok := reference(pointed(body, pointer))
		if ok && (ref == "" || len(ref) > maxRef || strings.ContainsAny(ref, "\r\n\x00")) {
			t.Fatalf("%q is taken for a name", ref)
		}
	})
}

// Whatever a post says, it stays in its place: what a receiver decodes is the text itself and nothing besides.
func FuzzPlan(f *testing.F) {
	for _, s := range []string{"plain", `","admin":true,"x":"`, "\\", "\x00\xff", "{{.ID}}", "&admin=true;%zz+", "\u2028\ufeff", "@all <!here>", "", "1"} {
		f.Add(s, s)
	}
	open := func(contentType, text string) *Connector {
		c := defaults()
		c.URL, c.ContentType, c.Body = Endpoint{"https://ops.example/"}, contentType, text
		forms, ps := compile(&c)
		if len(ps) > 0 {
			f.Fatal(ps)
		}
		return &Connector{config: c, forms: forms, host: "ops.example"}
	}
	asJSON := open("application/json",
		`{"title":{{json .Title}},"tags":[{{range $i, $t := .Tags}}{{if $i}},{{end}}{{json $t}}{{end}}]}`)
	asForm := open("application/x-www-form-urlencoded", `title={{urlquery .Title}}&tag={{urlquery (join "," .Tags)}}`+"\n")
	f.Fuzz(func(t *testing.T, title, tag string) {
		p := sdk.Post{ID: "8f21", Title: title, Tags: []string{tag}}
		parts, err := asJSON.Plan(sdk.ChannelRef{}, p)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Title string
			Tags  []string
		}
		d := json.NewDecoder(strings.NewReader(string(parts[0].Request)))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil || d.More() || len(got.Tags) != 1 || got.Title != decoded(t, title) || got.Tags[0] != decoded(t, tag) {
			t.Fatalf("%q, %q give %s (%v)", title, tag, parts[0].Request, err)
		}
		if parts, err = asForm.Plan(sdk.ChannelRef{}, p); err != nil {
			t.Fatal(err)
		}
		values, err := url.ParseQuery(string(parts[0].Request))
		if err != nil || len(values) != 2 || values.Get("title") != title || values.Get("tag") != tag {
			t.Fatalf("%q, %q give %s (%v)", title, tag, parts[0].Request, err)
		}
	})
}

// decoded is a text after a way through JSON, which has no room for what is not UTF-8.
func decoded(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out string
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPointed(t *testing.T) {
	t.Parallel()
	const doc = `{"id":"x","n":12345678901234567890,"m":{"_id":"y","a/b":true,"~":false},"l":["p",{"q":"r"}],"":"empty","null":null}`
	for pointer, want := range map[string]any{
		"/id": "x", "/n": json.Number("12345678901234567890"), "/m/_id": "y", "/m/a~1b": true, "/m/~0": false,
		"/l/0": "p", "/l/1/q": "r", "/": "empty",
		"/no": nil, "/m": nil, "/l": nil, "/l/2": nil, "/l/-1": nil, "/l/x": nil, "/id/x": nil, "/null": nil,
	} {
		got, ok := pointed([]byte(doc), pointer)
		if got != want || ok != (want != nil) {
			t.Errorf("%s gives %v, %t", pointer, got, ok)
		}
	}
	for _, broken := range []string{"", "{", `{"id":"x"}{"id":"y"}`, "ok", "<html>"} {
		if got, ok := pointed([]byte(broken), "/id"); ok {
			t.Errorf("%q gives %v", broken, got)
		}
	}
}

// Receivers with the same key show every post in the same way, whatever else their settings say.
func TestPlanKeyTellsPlansApart(t *testing.T) {
	t.Parallel()
	body := sdk.Body{sdk.Paragraph(sdk.Text("A fire broke out at the station. Nobody was hurt."))}
	post := sdk.Post{ID: "p1", Revision: 1, Channel: "news", Title: "Fire", Body: body, Content: body, URL: "https://news.example/1"}
	plain := func(url string) Config {
		c := defaults()
		c.URL = Endpoint{url}
		c.Secret = sdk.NewSecret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")
		return c
	}
	with := func(change func(*Config)) Config {
		c := plain("https://receiver.example/b")
		change(&c)
		return c
	}
	first := plain("https://receiver.example/a")
	for _, tt := range []struct {
		name   string
		config Config
		to     string
		same   bool
	}{
		{"another address", plain("https://other.example/b"), "", true},
		{"another limit of time", with(func(c *Config) { c.Timeout = sdk.D(time.Minute) }), "", true},
		{"a name of its own", plain("https://receiver.example/b"), "sports", false},
		{"a shorter text", with(func(c *Config) { c.MaxText = 12 }), "", false},
		{"a body of its own", with(func(c *Config) { c.Body = `{"text": {{json .Text}}}` }), "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := func(c Config, name string) (string, []sdk.Part) {
				conn, err := open(t.Context(), sdk.Settings{}, c)
				if err != nil {
					t.Fatal(err)
				}
				to, _, err := conn.ResolveChannel(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				parts, err := conn.Plan(to, post)
				if err != nil {
					t.Fatal(err)
				}
				return conn.PlanKey(to), parts
			}
			key, parts := plan(first, "")
			otherKey, others := plan(tt.config, tt.to)
			if key == "" || (key == otherKey) != tt.same {
				t.Errorf("the keys are %q and %q", key, otherKey)
			}
			if diff := cmp.Diff(parts, others); (diff == "") != tt.same {
				t.Errorf("the plans:\n%s", diff)
			}
		})
	}
}

package http_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	belfry "github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/sdk"
)

// script answers each call with the next answer, and keeps the calls.
func script(answers ...string) *recorder {
	var n atomic.Int64
	return &recorder{next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i := int(n.Add(1)) - 1
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answers[min(i, len(answers)-1)])
	})}
}

func TestTemplateProblems(t *testing.T) {
	t.Parallel()
	const json, form = "application/json", "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		contentType, body string
		more              tree
		want              string
		line, column      int
	}{
		"fine JSON":       {json, "{\"text\": {{json .Text}} }", nil, "", 0, 0},
		"fine form":       {form, "content={{urlquery .Text}}&to={{urlquery .To}}", nil, "", 0, 0},
		"fine text":       {"text/plain; charset=utf-8", "{{.Title}}\n{{.Text}}", nil, "", 0, 0},
		"a missing brace": {json, "{\n\"text\": {{json .Text}\n}", nil, "/body: bad character U+007D '}'", 2, 0},
		"an unknown function": {json, "{\n\n\"text\": {{upper .Text}} }", nil,
			`/body: function "upper" not defined`, 3, 0},
		"an unknown field": {json, "{\n  \"text\": {{json .Titel}}\n}", nil,
			`/body: there is no field .Titel; did you mean .Title?`, 2, 18},
		"an unknown far field": {json, `{"a":{{json .Zzz}}}`, nil,
			`/body: there is no field .Zzz; a post has ID, Channel, ChannelTitle, Lang, Revision, To, Title, Summary, ` +
				`URL, Permalink, Text, Content, Authors, Tags, Media, Items, Published, Updated, Correction, Withdrawn`,
			1, 13},
		"in a branch not taken": {json, `{"a":1{{if eq .Lang "xx"}},"b":{{json .Sumary}}{{end}} }`, nil,
			`/body: there is no field .Sumary; did you mean .Summary?`, 1, 39},
		"of the root": {json, `[{{range .Items}}{{json $.Titel}},{{end}}1]`, nil,
			`/body: there is no field .Titel; did you mean .Title?`, 1, 26},
		"a field of a text": {json, `{"a":{{json .Title.Name}}}`, nil,
			`/body: the template fails: <.Title.Name>: can't evaluate field Name in type string`, 1, 19},
		"no JSON at all": {json, `text {{.Title}}`, nil,
			`/body: the template gives no valid JSON (a mistake at byte 2); write every text as {{json .Title}}, ` +
				`without quotes around it, and commas between values only`, 0, 0},
		"half of JSON": {json, `{"a":{{json .Title}}`, nil,
			`/body: the template gives no valid JSON (it ends too early); write every text as {{json .Title}}, ` +
				`without quotes around it, and commas between values only`, 0, 0},
		"two values": {json, `{"a":1} {"b":2}`, nil,
			`/body: the template gives more than one JSON value; write every text as {{json .Title}}, without quotes ` +
				`around it, and commas between values only`, 0, 0},
		"a bare text": {json, `{"a":"{{.Title}}"}`, nil,
			`/body: a text with a quotation mark (") breaks out of its place: the template then gives no valid JSON ` +
				`(a mistake at byte 8); write every text as {{json .Title}}, without quotes around it`, 0, 0},
		"a bare text in quotes": {json, `{"a":{{printf "%q" .Title}}}`, nil,
			`/body: a text with "\x00" breaks out of its place: the template then gives no valid JSON (a mistake at ` +
				`byte 8); write every text as {{json .Title}}, without quotes around it`, 0, 0},
		"a bare key": {json, `{ {{json .Title}}: 1}`, nil,
			`/body: a text with a quotation mark (") breaks out of its place; write every text as {{json .Title}}, ` +
				`without quotes around it`, 0, 0},
		"a bare form": {form, `content={{.Title}}`, nil,
			`/body: a text with a quotation mark (") breaks out of its place: the template then gives a form with ` +
				`characters that are not encoded; write every text as {{urlquery .Title}}`, 0, 0},
		"a half-bare form": {form, `content={{urlquery .Title}}&title={{slice .Title 0 1}}`, nil,
			`/body: a text with a quotation mark (") breaks out of its place: the template then gives a form with ` +
				`characters that are not encoded; write every text as {{urlquery .Title}}`, 0, 0},
		"a field twice": {form, `a=1&a=2`, nil,
			`/body: the template gives a form with two fields "a"; write every text as {{urlquery .Title}}, and ` +
				`nothing but names, = and & around them`, 0, 0},
		"what may be missing": {json, `{"a":{{json (index .Media 0).URL}}}`, nil,
			`/body: for a post without pictures, tags, authors and items the template fails: <index .Media 0>: error ` +
				`calling index: reflect: slice index out of range`, 1, 14},
		"a bare text by a condition": {json, `{"a":{{if eq .Lang "fr"}}{{.Title}}{{else}}1{{end}}}`, nil,
			`/body: the template gives no valid JSON (a mistake at byte 6); write every text as {{json .Title}}, ` +
				`without quotes around it, and commas between values only`, 0, 0},
		"a bare text by absence": {json, `{"a":{{if not .Summary}}1{{.Title}}{{else}}1{{end}}}`, nil,
			`/body: the template gives no valid JSON (a mistake at byte 7); write every text as {{json .Title}}, ` +
				`without quotes around it, and commas between values only`, 0, 0},
		"a quoted text when withdrawn": {json, `{"a":{{if .Withdrawn}}"{{.Title}}"{{else}}1{{end}}}`, nil,
			`/body: a text with a quotation mark (") breaks out of its place: the template then gives no valid JSON ` +
				`(a mistake at byte 8); write every text as {{json .Title}}, without quotes around it`, 0, 0},
		"a comma too many": {json, `[{{range .Items}}{{json .Title}},{{end}}1]`, nil, "", 0, 0},
		"a comma at the end": {json, `[{{range .Items}}{{json .Title}},{{end}}]`, nil,
			`/body: the template gives no valid JSON (a mistake at byte 20); write every text as {{json .Title}}, ` +
				`without quotes around it, and commas between values only`, 0, 0},
		"counting": {json, "[1]\n{{range 100000000}}{{end}}", nil,
			`/body: a template may not count; range over .Items, .Media, .Tags or .Authors`, 2, 9},
		"too much": {"text/plain", `{{printf "%2000000d" 1}}`, nil,
			`/body: the template fails: the template gives more than 1 MiB`, 0, 0},
		"an update that breaks": {json, `{"a":{{json .Title}}}`, tree{"ref": "/id",
			"update": tree{"body": `{"a":"{{.Sent.a}}"}`}},
			`/update/body: a text with a quotation mark (") breaks out of its place: the template then gives no ` +
				`valid JSON (a mistake at byte 8); write every text as {{json .Title}}, without quotes around it`, 0, 0},
		"an update by name": {json, `{"a":{{json .Title}}}`, tree{"ref": "/id",
			"update": tree{"body": `{"b":{{json .Sent.b}}}`}},
			`/update/body: the template fails: <.Sent.b>: map has no entry for key "b"`, 1, 18},
		"a deletion of a post": {json, `{"a":{{json .Title}}}`, tree{"ref": "/id",
			"delete": tree{"body": `{"a":{{json .Title}}}`}},
			`/delete/body: the template fails: <.Title>: can't evaluate field Title in type http.CallView`, 1, 13},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := tree{"url": "https://ops.example/hook", "body": c.body, "content_type": c.contentType}
			maps.Copy(config, c.more)
			err := belfry.Spec().Check(config)
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var ps sdk.Problems
			if !errors.As(err, &ps) || len(ps) != 1 {
				t.Fatalf("got %v", err)
			}
			if ps.Error() != c.want || ps[0].Line != c.line || ps[0].Column != c.column {
				t.Errorf("got  %d:%d %s\nwant %d:%d %s", ps[0].Line, ps[0].Column, ps, c.line, c.column, c.want)
			}
		})
	}
}

// No text can change a request but in its own place.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	shapes := map[string]bool{}
	for _, text := range []string{"plain", `","admin":true,"x":"`, "\\", "\x00\n\r\t", `</script>`, "{{.ID}}", "&admin=true", "%00%zz", "\u2028", "\xff\xfe"} {
		p := article(text)
		p.Body = sdk.Body{sdk.Paragraph(sdk.Text(text))}
		for _, c := range []struct{ contentType, body string }{
			{"application/json", `{"title":{{json .Title}},"text":{{json .Text}},"tags":{{json ` +
				`.Tags}},"items":[{{range $i, $x := .Items}}{{if $i}},{{end}}{{json $x.Title}}{{end}}]}`},
			{"application/x-www-form-urlencoded", `title={{urlquery .Title}}&text={{urlquery .Text}}`},
		} {
			b := open(t, tree{"url": "https://ops.example/", "body": c.body, "content_type": c.contentType})
			parts, err := b.Plan(sdk.ChannelRef{ID: "ops.example"}, p)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			request := string(parts[0].Request)
			if c.contentType == "application/json" {
				var got struct {
					Title, Text string
					Tags, Items []string
				}
				d := json.NewDecoder(strings.NewReader(request))
				d.DisallowUnknownFields()
				if err := d.Decode(&got); err != nil || got.Title != strings.ToValidUTF8(text, "\ufffd\ufffd") && got.Title != text || len(got.Items) != 1 {
					t.Errorf("%q gives %s: %v", text, request, err)
				}
				continue
			}
			if strings.Count(request, "&") != 1 || strings.Count(request, "=") != 2 {
				t.Errorf("%q gives %s", text, request)
			}
		}
		shapes[text] = true
	}
}

// What passed the check can still fail for one post; that says where, and touches nothing else.
func TestTemplateFailsForAPost(t *testing.T) {
	t.Parallel()
	b := open(t, tree{"url": "https://ops.example/",
		"body": `{"a":{{if gt (len .Title) 300}}{{.Title}}{{else}}{{json .Title}}{{end}},` + "\n" + `"b":{{if gt (len ` +
			`.Title) 200}}{{index .Tags 7}}{{else}}1{{end}}}`})
	for title, want := range map[string]string{
		strings.Repeat("x", 400): `plan: the template in body: line 2: <index .Tags 7>: error calling index: index ` +
			`out of range: 7`,
		strings.Repeat("x", 250): `plan: the template in body: line 2: <index .Tags 7>: error calling index: index ` +
			`out of range: 7`,
	} {
		_, err := b.Plan(sdk.ChannelRef{ID: "ops.example"}, article(title))
		if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeInvalid || e.Scope != sdk.ScopeTemplate || e.Error() != want {
			t.Errorf("got %v", err)
		}
	}
	p := article(strings.Repeat("x", 400))
	p.Tags = strings.Split("1 2 3 4 5 6 7 8", " ")
	_, err := b.Plan(sdk.ChannelRef{ID: "ops.example"}, p)
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeInvalid || e.Scope != sdk.ScopeTemplate || e.Public != "the template in body: gives no valid JSON (a mistake at byte 6)" {
		t.Errorf("got %v", err)
	}
}

func TestCustomLife(t *testing.T) {
	t.Parallel()
	log := script(`{"message":{"_id":"a b/../c?d#e%"}}`)
	b := serve(t, log, tree{
		"headers": tree{"X-Token": "one", "X-Team": "news"},
		"body":    `{"room": {{json .To}}, "text": {{json .Text}}, "n": {{.Revision}} }`,
		"ref":     "/message/_id",
		"update": tree{"url": "URL/m/{{.Ref}}/edit?id={{.Ref}}", "method": "PATCH",
			"body": `{{json (set .Sent "ref" .Ref)}}`},
		"delete":   tree{"url": "URL/m/{{.Ref}}", "headers": tree{"X-Token": "two"}},
		"max_text": json.Number("40"),
	})
	var err error
	if b.to, _, err = b.ResolveChannel(t.Context(), "#desk"); err != nil {
		t.Fatal(err)
	}
	ref := b.publish(t, article("un"))
	if diff := cmp.Diff([]string{"a b/../c?d#e%"}, ref.IDs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	revised := article("deux")
	revised.Revision = 2
	if ref, err = b.Edit(t.Context(), ref, b.plan(t, revised)); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range log.seen() {
		got = append(got, fmt.Sprintf("%s %s %s [%s%s%s]", c.method, c.path, c.body, c.header.Get("X-Token"),
			c.header.Get("Idempotency-Key"), c.header.Get("webhook-id")))
	}
	const name = "a%20b%2F..%2Fc%3Fd%23e%25"
	want := []string{
		`POST /hook {"room": "#desk", "text": "un\n\nLire (https://news.example/a)", "n": 1 } [one]`,
		`PATCH /m/` + name + `/edit?id=` + name + ` {"n":2,"ref":"a b/../c?d#e%","room":"#desk","text":"deux\n\nLire ` +
			`(https://news.example/a)"} [one]`,
		`DELETE /m/` + name + `  [two]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A receiver's name for a post that could change an address or a log is no name.
func TestRefusedNames(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"id":""}`, `{"id":".."}`, `{"id":"."}`, `{"id":"a\nb"}`, `{"id":null}`, `{"id":true}`, `{"id":{}}`, `{}`, `ok`, ``, `{"id":"` + strings.Repeat("x", 600) + `"}`, `{"id":"a"`} {
		b := serve(t, script(answer), tree{"body": `{"a":{{json .Title}}}`, "ref": "/id"})
		_, err := b.Publish(t.Context(), b.to, b.plan(t, article("un")))
		if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeUnknownOutcome || !strings.Contains(e.Public, "without a name for the post at /id") {
			t.Errorf("%.30s: got %v", answer, err)
		}
	}
}

func TestWithoutUpdateAndDelete(t *testing.T) {
	t.Parallel()
	log := script("ok")
	b := serve(t, log, tree{"body": `{"a":{{json .Title}}}`, "accept": "ok"})
	ref := b.publish(t, article("un"))
	_, err := b.Edit(t.Context(), ref, b.plan(t, article("deux")))
	host := b.to.ID
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeUnsupported || e.Public != host+" takes no corrections; if it can, add update: to the destination" {
		t.Errorf("got %v", err)
	}
	if e := sdk.AsError(b.Delete(t.Context(), ref)); e == nil || e.Code != sdk.CodeUnsupported || e.Public != host+" takes no withdrawals; if it can, add delete: to the destination" {
		t.Errorf("got %v", e)
	}
	if len(log.seen()) != 1 || b.limits.Rules.EditFor != 0 || b.limits.Rules.DeleteFor != 0 {
		t.Errorf("%d calls, %+v", len(log.seen()), b.limits.Rules)
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		accept any
		answer string
		code   sdk.Code // empty: a success
		want   string
	}{
		"a text": {"ok", " ok\n", "", ""},
		"another text": {"ok", "no_text", sdk.CodeUnknownOutcome,
			`does not say "ok" (accept:); whether it took the call is not known`},
		"a page for a text": {"ok", "<html>ok</html>", sdk.CodeUnknownOutcome, "not known"},
		"a value":           {tree{"/success": true}, `{"success":true}`, "", ""},
		"a no": {tree{"/success": true}, `{"success":false,"error":"room closed"}`, sdk.CodeInvalid,
			`answers 200 OK but refuses: /success is not true: {"success":false,"error":"room closed"}`},
		"a page for a value":  {tree{"/success": true}, `<html>`, sdk.CodeUnknownOutcome, "says nothing at /success"},
		"nothing for a value": {tree{"/success": true}, ``, sdk.CodeUnknownOutcome, "says nothing at /success"},
		"a number":            {tree{"/status": json.Number("1")}, `{"status":1}`, "", ""},
		"texts":               {tree{"/a": "x", "/b/c": "y"}, `{"a":"x","b":{"c":"z"}}`, sdk.CodeInvalid, "/b/c is not y"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serve(t, script(c.answer), tree{"body": `{"a":{{json .Title}}}`, "accept": c.accept})
			_, err := b.Publish(t.Context(), b.to, b.plan(t, article("un")))
			switch e := sdk.AsError(err); {
			case c.code == "" && err != nil:
				t.Errorf("got %v", err)
			case c.code != "" && (e == nil || e.Code != c.code || !strings.Contains(e.Public, c.want)):
				t.Errorf("got  %v\nwant %s …%s", err, c.code, c.want)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	p := article("x")
	p.Body = sdk.Body{sdk.Paragraph(sdk.Text(strings.Repeat("Une phrase. ", 40)))}
	custom := tree{"url": "https://ops.example/", "body": `{"a":{{json .Text}}}`, "max_text": json.Number("200"),
		"overflow": "split"}
	parts, err := open(t, custom).Plan(sdk.ChannelRef{ID: "ops.example"}, p)
	if err != nil || len(parts) < 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	for _, part := range parts {
		var got struct{ A string }
		if err := json.Unmarshal(part.Request, &got); err != nil || got.A == "" || len([]rune(got.A)) > 200 || part.Text != got.A || part.Thread {
			t.Errorf("%+v", part)
		}
	}
	p.Overflow = sdk.OverflowThread
	if _, err := open(t, custom).Plan(sdk.ChannelRef{ID: "ops.example"}, p); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeUnsupported {
		t.Errorf("got %v", err)
	}
	p.Overflow = sdk.OverflowCut
	parts, err = open(t, tree{"url": "https://ops.example/", "secret": secret,
		"max_text": json.Number("50")}).Plan(sdk.ChannelRef{ID: "ops.example"}, p)
	if err != nil || len(parts) != 1 || len([]rune(parts[0].Text)) > 50 {
		t.Errorf("%+v, %v", parts, err)
	}
}

// A receiver that says it deduplicates gets the key of the call on every attempt.
func TestCustomDeduplicates(t *testing.T) {
	t.Parallel()
	log := script(`{"id":"m1"}`)
	b := serve(t, log, tree{"body": `{"a":{{json .Title}}}`, "ref": "/id", "deduplicates": true, "update": tree{},
		"delete": tree{"url": "URL/m/{{.Ref}}"}})
	part := b.plan(t, article("un"))
	part.Key = "key.with a dot"
	var ref sdk.PartRef
	for range 2 {
		var err error
		if ref, err = b.Publish(t.Context(), b.to, part); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := b.Delete(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	keys := map[string]int{}
	for _, c := range log.seen() {
		keys[c.header.Get("Idempotency-Key")]++
	}
	if len(keys) != 2 || keys[""] != 0 || b.limits.Rules.SameKeyFor == 0 {
		t.Errorf("%v", keys)
	}
}

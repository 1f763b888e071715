package exec

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

// readAll reads an output as that of a command that ended well.
func readAll(s *Source, cursor, text string) (sdk.Batch, error) {
	r := &lineReader{source: s}
	if cursor != "" {
		r.cursor = json.RawMessage(cursor)
	}
	if err := r.read(strings.NewReader(text)); err != nil {
		return sdk.Batch{}, err
	}
	if r.cut != nil {
		return sdk.Batch{}, r.cut
	}
	if !r.ended {
		return sdk.Batch{}, errors.New("it has no last line")
	}
	return r.finish()
}

func item(fields string) string {
	return `{"item":{"key":"1","title":"T"` + fields + `}}` + "\n" + `{"cursor":1}` + "\n"
}

func TestWrongLines(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, tc := range map[string]struct{ in, want string }{
		"a misspelt field":            {item(`,"sumary":"x"`), `line 1 of the output: item: unknown key "sumary"; did you mean "summary"?`},
		"a number for a text":         {item(`,"summary":5`), `line 1 of the output: item.summary: text expected, found the number 5; put it in quotes: "5"`},
		"a text for a number":         {item(`,"urgency":"1"`), `item.urgency: a whole number expected, found text; write 1, without quotes`},
		"an urgency that is none":     {item(`,"urgency":10`), `item.urgency: 10 is too large; at most 9`},
		"a text for a list":           {item(`,"tags":"a"`), `item.tags: a list expected, found text`},
		"a list of numbers":           {item(`,"tags":["a",5]`), `item.tags.1: text expected, found the number 5`},
		"a time without a zone":       {item(`,"published":"2026-11-20T06:00:00"`), `item.published: "2026-11-20T06:00:00" names no zone; print the offset (2026-11-20T06:00:00+01:00), or set zone of the source`},
		"a time that is none":         {item(`,"updated":"yesterday"`), `item.updated: "yesterday" is no time; write it like 2026-11-20T06:00:00Z, or as seconds since 1970`},
		"a time far away":             {item(`,"updated":1e300`), `item.updated: 1e300 is no time`},
		"a relative address":          {item(`,"url":"/a"`), `item.url "/a" is relative; print it whole, or set base_url`},
		"an odd address":              {item(`,"url":"javascript:alert(1)"`), `item.url: "javascript:alert(1)" is neither http, https nor mailto`},
		"a mail address":              {item(`,"url":"mailto:a@news.example"`), `item.url: it is a mail address`},
		"a medium without an address": {item(`,"media":[{"alt":"x"}]`), `item.media.0.url: "url" is missing`},
		"a misspelt part of a medium": {item(`,"media":[{"url":"https://news.example/a.png","atl":"x"}]`), `did you mean "alt"?`},
		"an author of another kind":   {item(`,"authors":[5]`), `item.authors.0: an author is a name, or {name, url}`},
		"two texts":                   {item(`,"html":"x","text":"y"`), `item has its text more than once; print one of html, markdown and text`},
		"a field twice":               {item(`,"title":"U"`), `item.title stands twice in the object`},
		"no key":                      {`{"item":{"title":"T"}}`, `item.key: "key" is missing: the CMS's own id of the article`},
		"an empty key":                {`{"item":{"key":" ","title":"T"}}`, `item.key is empty`},
		"a long key":                  {`{"item":{"key":"` + long(1025) + `","title":"T"}}`, `item.key has 1025 bytes; at most 1024 are possible`},
		"a number as a key":           {`{"item":{"key":5,"title":"T"}}`, `item.key: text expected, found the number 5; put it in quotes: "5"`},
		"nothing to say":              {`{"item":{"key":"1","html":"<p></p>"}}`, `item "1" has neither title nor summary nor text`},
		"a long title":                {`{"item":{"key":"1","title":"` + long(2001) + `"}}`, `item.title has 2001 bytes; at most 2000 are kept`},
		"too many tags":               {item(`,"tags":["` + strings.Repeat(`a","`, 64) + `a"]`), `item.tags has 65 entries; at most 64 are kept`},
		"a withdrawal of an item":     {`{"item":{"key":"1","title":"T"}}` + "\n" + `{"removed":"1"}`, `line 2 of the output: the key "1" stands in line 1 already`},
		"two things in a line":        {`{"item":{"key":"1","title":"T"},"notice":"x"}`, `"notice" stands beside "item"; print each in a line of its own`},
		"an item without its frame":   {`{"key":"1","title":"T"}`, `an item is printed as {"item": {…}}`},
		"an end without a cursor":     {`{"complete":true}`, `"complete" belongs into the last line, which has a cursor; write {"cursor": null, "complete": …} where there is none`},
		"a misspelt line":             {`{"itme":{}}`, `unknown key "itme"; did you mean "item"?`},
		"an empty object":             {`{}`, `none of the keys item, removed, notice, about, error and cursor`},
		"a list":                      {`[1]`, `this is no JSON object`},
		"two objects":                 {`{"cursor":1} {"cursor":2}`, `something follows the object`},
		"JSON over several lines":     {"{\n\"cursor\":1}\n", `line 1 of the output: the JSON ends too early (byte 2); print each object in one line`},
		"deep JSON":                   {`{"item":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `}`, `nested deeper than 64`},
		"a notice that is none":       {`{"notice":{}}`, `a notice is a sentence for the admin`},
		"an unknown flag":             {`{"cursor":1,"compleet":true}`, `the last line: unknown key "compleet"; did you mean "complete"?`},
		"a flag of another kind":      {`{"cursor":1,"more":"yes"}`, `the last line.more: true or false expected, found text`},
		"a large cursor":              {`{"cursor":"` + long(sdk.MaxCursor) + `"}`, `the cursor has 65538 bytes; at most 65472 are stored`},
		"complete and more":           {`{"cursor":2,"complete":true,"more":true}`, `print one of them`},
		"more with the same cursor":   {`{"cursor":1,"more":true}`, `it would never get on`},
		"unchanged with items":        {`{"removed":"1"}` + "\n" + `{"cursor":1,"unchanged":true}`, `there are items`},
		"an error without a message":  {`{"error":{}}`, `error.message: "message" is missing: what happened, and what would mend it`},
		"an unknown code":             {`{"error":{"code":"tired","message":"x"}}`, `error.code: "tired" is not possible here`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readAll(&Source{}, "1", tc.in)
			e, ok := errors.AsType[*sdk.Error](err)
			if !ok || !strings.Contains(e.Public, tc.want) || !strings.HasPrefix(e.Public, "line ") || e.Code != sdk.CodeInvalid && e.Code != sdk.CodeTooLarge {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestAnItem(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	s := &Source{base: &url.URL{Scheme: "https", Host: "news.example", Path: "/"}, zone: zone}
	b, err := readAll(s, "", `{"about":{"title":"CMS","url":"/","lang":"fr"}}
{"item":{"key":"a","group":"g","title":" Un\n titre ","summary":"S","html":"<p>Un <a href=\"b\">mot</a><img src=\"c.png\" alt=\"C\"></p>","url":"/a","authors":["Ada",{"name":"Bo","url":"https://bo.example/"}],
`+"")
	if err == nil {
		t.Errorf("an item over two lines was read: %+v", b)
	}
	b, err = readAll(s, "", `{"about":{"title":"CMS","url":"/","lang":"fr"}}
{"item":{"key":"a","group":"g","title":" Un\n titre ","summary":"S","html":"<p>Un <a href=\"b\">mot</a><img src=\"c.png\" alt=\"C\"></p>","url":"/a","authors":["Ada",{"name":"Bo","url":"https://bo.example/"}],"tags":["x"],"lang":"fr","media":["/d.png",{"url":"https://news.example/e.mp3","type":"audio/mpeg","duration":1.5}],"published":"2026-11-20 06:00","updated":"2026-11-20T06:00:00+01:00","not_before":1795154400,"expires":null,"urgency":2,"correction":"C","translation_of":null}}
{"item":{"key":"b","markdown":"*x*"}}
{"item":{"key":"c","text":"a <b>\n\nc"}}
{"removed":{"key":"d","reason":"gone","at":1795154400}}
{"notice":"two were skipped"}
{"cursor":[1, 2],"whole":["g"],"more":true}
`)
	if err != nil {
		t.Fatal(err)
	}
	six := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC)
	wantItem := sdk.Item{Key: "a", Group: "g", Title: "Un titre", Summary: "S", URL: "https://news.example/a", Authors: []sdk.Author{{Name: "Ada"}, {Name: "Bo", URL: "https://bo.example/"}},
		Body: sdk.Body{sdk.Paragraph(sdk.Text("Un "), sdk.Link("https://news.example/b", sdk.Text("mot")))}, Tags: []string{"x"}, Lang: "fr",
		Media:     []sdk.Media{{URL: "https://news.example/d.png"}, {URL: "https://news.example/e.mp3", Type: "audio/mpeg", Duration: 1500 * time.Millisecond}, {URL: "https://news.example/c.png", Alt: "C"}},
		Published: six, Updated: six, NotBefore: time.Unix(1795154400, 0).UTC(), Urgency: 2, Correction: "C"}
	if diff := cmp.Diff(wantItem, b.Items[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(b.Items) != 3 || len(b.Items[2].Body) != 2 || b.Items[1].Body[0].Children[0].Kind != sdk.NodeEmphasis {
		t.Errorf("%+v", b.Items[1:])
	}
	want := sdk.Batch{Removed: []sdk.Removal{{Key: "d", Reason: "gone", At: time.Unix(1795154400, 0).UTC()}}, Whole: []string{"g"}, More: true,
		Next: sdk.Cursor(`{"exec":1,"cursor":[1,2]}`), About: sdk.About{Title: "CMS", URL: "https://news.example/", Lang: "fr"}, Notices: []string{"two were skipped"}}
	b.Items = nil
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		own string
		odd bool
	}{
		``: {}, `{"exec":1,"cursor":null}`: {}, `{"exec":1,"cursor":"x"}`: {own: `"x"`}, `{"exec":1,"cursor":{"a":[1]}}`: {own: `{"a":[1]}`},
		`{"exec":2,"cursor":1}`: {odd: true}, `{"exec":1}`: {odd: true}, `{"v":1,"source":"x"}`: {odd: true}, "\x00": {odd: true}, `{"exec":1,"cursor":1}{}`: {odd: true},
	} {
		if own, odd := readCursor(sdk.Cursor(in)); string(own) != want.own || odd != want.odd {
			t.Errorf("%q gives %q, %t", in, own, odd)
		}
	}
}

// FuzzRead: whatever a command prints, it gives either a batch that keeps to the rules, the same each time, or one sentence that
// names the line.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{item(`,"html":"<p>x","media":["https://a.example/x"],"published":1`), `{"removed":"a"}` + "\n" + `{"cursor":null,"complete":true,"wait":"1h"}`,
		`{"error":{"code":"gone","message":"x"}}`, "{\"item\":{\"key\":\"\xff\"}}", `{"cursor":[[[[` + "\n", `{"item":{"key":"1","text":"a\u0000b","tags":["\ud800"]}}` + "\n" + `{"cursor":"x"}`} {
		f.Add(seed)
	}
	s := &Source{base: &url.URL{Scheme: "https", Host: "news.example"}, zone: time.UTC, mask: mask{"secret"}}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := readAll(s, "7", text)
		if e, ok := errors.AsType[*sdk.Error](err); ok {
			if !strings.HasPrefix(e.Public, "line ") && !strings.HasPrefix(e.Public, "the command says: ") || e.Code == "" || len(e.Public) > 8<<10 {
				t.Errorf("%s: %d bytes: %q", e.Code, len(e.Public), e.Public)
			}
			return
		}
		if err != nil {
			return // no last line
		}
		if err := b.Validate(); err != nil {
			t.Errorf("the batch breaks a rule: %v", err)
		}
		if len(b.Next) > sdk.MaxCursor {
			t.Errorf("a cursor of %d bytes", len(b.Next))
		}
		for _, it := range b.Items {
			if len(it.Title) > sdk.MaxTitle || strings.ContainsAny(it.Title, "\n\r") || fmt.Sprint(it) != strings.ToValidUTF8(fmt.Sprint(it), "") {
				t.Errorf("%+v", it)
			}
			for _, m := range it.Media {
				if _, err := sdk.CheckLink(m.URL); err != nil {
					t.Errorf("a medium at %q", m.URL)
				}
			}
		}
		if again, err := readAll(s, "7", text); err != nil || !reflect.DeepEqual(again, b) {
			t.Errorf("a second time it gives %+v, %v", again, err)
		}
	})
}

// A secret that begins as another one does is taken out whole.
func TestSecretsWithinSecrets(t *testing.T) {
	t.Parallel()
	m := newMask(Config{Config: map[string]any{"a": sdk.Untyped("abcd"), "b": []any{sdk.Untyped("abcdefgh")}}, Env: map[string]sdk.Secret{"C": sdk.NewSecret("defgh-xyz"), "D": sdk.NewSecret("abc")}})
	if got, want := m.text("abcdefgh abcd defgh-xyz abc"), "[secret] [secret] [secret] abc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

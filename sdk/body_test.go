package sdk_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// quotes nests a paragraph in quotations.
func quotes(depth int) sdk.Body {
	b := sdk.Body{sdk.Paragraph(sdk.Text("x"))}
	for range depth {
		b = sdk.Body{{Kind: sdk.NodeQuote, Children: b}}
	}
	return b
}

func repeat(n int, node sdk.Node) []sdk.Node {
	out := make([]sdk.Node, n)
	for i := range out {
		out[i] = node
	}
	return out
}

func TestBodyValidate(t *testing.T) {
	t.Parallel()
	x := sdk.Text("x")
	p := sdk.Paragraph(x)
	item := func(children ...sdk.Node) sdk.Node { return sdk.Node{Kind: sdk.NodeItem, Children: children} }
	ul := func(children ...sdk.Node) sdk.Node { return sdk.Node{Kind: sdk.NodeList, Children: children} }
	heading := func(level int) sdk.Node {
		return sdk.Node{Kind: sdk.NodeHeading, Level: level, Children: []sdk.Node{x}}
	}
	code := func(lang string) sdk.Node { return sdk.Node{Kind: sdk.NodeCodeBlock, Lang: lang, Text: "x"} }
	inline := func(kind sdk.NodeKind, children ...sdk.Node) sdk.Node {
		return sdk.Node{Kind: kind, Children: children}
	}
	for name, tc := range map[string]struct {
		body sdk.Body
		code sdk.Code
	}{
		"nothing":                  {nil, ""},
		"a paragraph":              {sdk.Body{p}, ""},
		"an empty paragraph":       {sdk.Body{sdk.Paragraph()}, ""},
		"every block":              {sdk.Body{p, heading(1), heading(6), {Kind: sdk.NodeQuote, Children: []sdk.Node{p, ul(item(p))}}, ul(item(p, ul(item(p)))), code("go"), {Kind: sdk.NodeRule}}, ""},
		"every inline":             {sdk.Body{sdk.Paragraph(x, sdk.Strong(inline(sdk.NodeEmphasis, inline(sdk.NodeStrike, x))), sdk.Node{Kind: sdk.NodeCode, Text: "x"}, sdk.Link("https://a.example/", sdk.Strong(x)), sdk.Node{Kind: sdk.NodeBreak})}, ""},
		"a mail address":           {sdk.Body{sdk.Paragraph(sdk.Link("mailto:a@news.example", x))}, ""},
		"languages":                {sdk.Body{code("c++"), code("c#"), code("objective-c"), code("x_y"), code("")}, ""},
		"an unknown inline":        {sdk.Body{sdk.Paragraph(inline("blink", x))}, ""},
		"as deep as allowed":       {quotes(sdk.MaxBodyDepth - 2), ""},
		"as many as allowed":       {sdk.Body(repeat(sdk.MaxBodyNodes/2, p)), ""},
		"as long as allowed":       {sdk.Body{sdk.Paragraph(sdk.Text(strings.Repeat("x", sdk.MaxBodyText)))}, ""},
		"too deep":                 {quotes(sdk.MaxBodyDepth - 1), sdk.CodeTooLarge},
		"far too deep":             {quotes(100_000), sdk.CodeTooLarge},
		"too many":                 {sdk.Body(repeat(sdk.MaxBodyNodes/2+1, p)), sdk.CodeTooLarge},
		"too long":                 {sdk.Body{p, sdk.Paragraph(sdk.Text(strings.Repeat("x", sdk.MaxBodyText)))}, sdk.CodeTooLarge},
		"text at the top":          {sdk.Body{x}, sdk.CodeInvalid},
		"an unknown kind at top":   {sdk.Body{inline("video", x)}, sdk.CodeInvalid},
		"a block in a paragraph":   {sdk.Body{sdk.Paragraph(p)}, sdk.CodeInvalid},
		"a block in a heading":     {sdk.Body{{Kind: sdk.NodeHeading, Level: 1, Children: []sdk.Node{p}}}, sdk.CodeInvalid},
		"text in a quotation":      {sdk.Body{{Kind: sdk.NodeQuote, Children: []sdk.Node{x}}}, sdk.CodeInvalid},
		"an item outside a list":   {sdk.Body{item(p)}, sdk.CodeInvalid},
		"an item in a quotation":   {sdk.Body{{Kind: sdk.NodeQuote, Children: []sdk.Node{item(p)}}}, sdk.CodeInvalid},
		"a paragraph in a list":    {sdk.Body{ul(p)}, sdk.CodeInvalid},
		"text in an item":          {sdk.Body{ul(item(x))}, sdk.CodeInvalid},
		"a link in a link":         {sdk.Body{sdk.Paragraph(sdk.Link("https://a.example/", sdk.Link("https://b.example/", x)))}, sdk.CodeInvalid},
		"a link to a script":       {sdk.Body{sdk.Paragraph(sdk.Link("javascript:alert(1)", x))}, sdk.CodeInvalid},
		"a link without a scheme":  {sdk.Body{sdk.Paragraph(sdk.Link("/a", x))}, sdk.CodeInvalid},
		"a link with a password":   {sdk.Body{sdk.Paragraph(sdk.Link("https://u:p@a.example/", x))}, sdk.CodeInvalid},
		"a link that is too long":  {sdk.Body{sdk.Paragraph(sdk.Link("https://a.example/"+strings.Repeat("x", sdk.MaxURL), x))}, sdk.CodeTooLarge},
		"a heading without level":  {sdk.Body{heading(0)}, sdk.CodeInvalid},
		"a heading of level 7":     {sdk.Body{heading(7)}, sdk.CodeInvalid},
		"text with children":       {sdk.Body{sdk.Paragraph(inline(sdk.NodeText, x))}, sdk.CodeInvalid},
		"a rule with children":     {sdk.Body{inline(sdk.NodeRule, p)}, sdk.CodeInvalid},
		"a break with children":    {sdk.Body{sdk.Paragraph(inline(sdk.NodeBreak, x))}, sdk.CodeInvalid},
		"code with children":       {sdk.Body{inline(sdk.NodeCodeBlock, p)}, sdk.CodeInvalid},
		"a language with a quote":  {sdk.Body{code(`go" onclick="x`)}, sdk.CodeInvalid},
		"a language with accents":  {sdk.Body{code("é")}, sdk.CodeInvalid},
		"text that is not UTF-8":   {sdk.Body{sdk.Paragraph(sdk.Text("\xff"))}, sdk.CodeInvalid},
		"a link that is not UTF-8": {sdk.Body{sdk.Paragraph(sdk.Link("https://a.example/\xff", x))}, sdk.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tc.body.Validate()
			if tc.code == "" && err != nil || tc.code != "" && !errors.Is(err, &sdk.Error{Code: tc.code}) && sdk.AsError(err).Code != tc.code {
				t.Errorf("got %v, want %q", err, tc.code)
			}
		})
	}
}

func TestCheckLink(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://news.example/a":       "https://news.example/a",
		" https://news.example ":       "https://news.example", //nolint:gocritic // spaces around an address are a case
		"HTTPS://NEWS.Example/A?B=C#D": "https://news.example/A?B=C#D",
		"http://1.2.3.4:80/":           "http://1.2.3.4:80/", "mailto:a@news.example?subject=x": "mailto:a@news.example?subject=x", "https://é.example/é": "https://%C3%A9.example/%C3%A9",
		"": "", "mailto:": "", "https://": "", "https:///a": "", "https:a": "", "ftp://a.example/": "", "data:text/html,x": "", "vbscript:x": "",
		"java\nscript:alert(1)": "", "https://a.example/\x7f": "", "https://a.example/\t": "", "https://@a.example/": "", "://a": "", "https://[::1": "", "%": "",
	} {
		got, err := sdk.CheckLink(in)
		if strings.Contains(in, "é") {
			if err != nil {
				t.Errorf("%q: %v", in, err)
			}
			continue
		}
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
}

// FuzzCheckLink: what is taken is taken again and stays as it is, has a scheme that is allowed, and nothing in it ends an
// attribute or a line.
func FuzzCheckLink(f *testing.F) {
	for _, s := range []string{"https://a.example/?q=<\"'>#x", "mailto:a@b.example", "HTTP://A:80/", "https://a.example/é%zz", "javascript:x", " https://é.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		once, err := sdk.CheckLink(in)
		if err != nil {
			return
		}
		twice, err := sdk.CheckLink(once)
		if err != nil && len(once) <= sdk.MaxURL || err == nil && once != twice {
			t.Errorf("%q gives %q, which gives %q, %v", in, once, twice, err)
		}
		if !strings.HasPrefix(once, "http://") && !strings.HasPrefix(once, "https://") && !strings.HasPrefix(once, "mailto:") {
			t.Errorf("%q gives %q", in, once)
		}
		if strings.ContainsAny(once, "\r\n\t\x00") {
			t.Errorf("%q gives %q", in, once)
		}
	})
}

func TestPlainText(t *testing.T) {
	t.Parallel()
	got := sdk.PlainText([]sdk.Node{sdk.Text("a "), sdk.Strong(sdk.Text("b"), sdk.Node{Kind: sdk.NodeBreak}, sdk.Link("https://x.example/", sdk.Text("c")))})
	if got != "a b\nc" {
		t.Errorf("got %q", got)
	}
	if s := sdk.Strong(sdk.Text("secret")).String(); strings.Contains(s, "secret") {
		t.Errorf("String shows the text: %q", s)
	}
}

func TestBatchValidate(t *testing.T) {
	t.Parallel()
	item := sdk.Item{Key: "1", Title: "x"}
	for name, tc := range map[string]struct {
		batch sdk.Batch
		words string
	}{
		"nothing":               {sdk.Batch{}, ""},
		"one":                   {sdk.Batch{Items: []sdk.Item{item}, Removed: []sdk.Removal{{Key: "2"}}, Whole: []string{"g"}, Complete: true}, ""},
		"what the host cleans":  {sdk.Batch{Items: []sdk.Item{{Key: "1", Title: strings.Repeat("x", 5000), URL: "no address", Urgency: 99}}}, ""},
		"a full cursor":         {sdk.Batch{Next: make([]byte, sdk.MaxCursor)}, ""},
		"a cursor too large":    {sdk.Batch{Next: make([]byte, sdk.MaxCursor+1)}, "the cursor has 65537 bytes; at most 65536 are stored"},
		"no key":                {sdk.Batch{Items: []sdk.Item{{Title: "x"}}}, "an item has no key"},
		"a blank key":           {sdk.Batch{Items: []sdk.Item{{Key: " \t"}}}, "an item has no key"},
		"a long key":            {sdk.Batch{Items: []sdk.Item{{Key: strings.Repeat("é", 513)}}}, "has 1026 bytes; at most 1024 are stored"},
		"a key that is no text": {sdk.Batch{Items: []sdk.Item{{Key: "\xff"}}}, `the key "\xff" is no text`},
		"a key with a zero":     {sdk.Batch{Items: []sdk.Item{{Key: "a\x00"}}}, `is no text`},
		"a key twice":           {sdk.Batch{Items: []sdk.Item{item, item}}, `the key "1" stands for two items`},
		"given and removed":     {sdk.Batch{Items: []sdk.Item{item}, Removed: []sdk.Removal{{Key: "1"}}}, `item "1" is given and removed`},
		"removed without a key": {sdk.Batch{Removed: []sdk.Removal{{}}}, "an item has no key"},
		"a body":                {sdk.Batch{Items: []sdk.Item{{Key: "1", Body: sdk.Body{sdk.Text("x")}}}}, `item "1": a text stands where a paragraph is expected`},
		"unchanged with items":  {sdk.Batch{Items: []sdk.Item{item}, Unchanged: true}, "nothing changed and yet"},
		"complete with more":    {sdk.Batch{Complete: true, More: true}, "complete and that there is more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tc.batch.Validate()
			if (err == nil) != (tc.words == "") || err != nil && !strings.Contains(err.Error(), tc.words) {
				t.Errorf("got %v, want %q", err, tc.words)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("a sentence of %d bytes", len(err.Error()))
			}
		})
	}
}

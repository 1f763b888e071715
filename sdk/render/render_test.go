package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

func em(children ...sdk.Node) sdk.Node {
	return sdk.Node{Kind: sdk.NodeEmphasis, Children: children}
}

func struck(children ...sdk.Node) sdk.Node {
	return sdk.Node{Kind: sdk.NodeStrike, Children: children}
}

func inlineCode(s string) sdk.Node { return sdk.Node{Kind: sdk.NodeCode, Text: s} }

func br() sdk.Node { return sdk.Node{Kind: sdk.NodeBreak} }

func heading(level int, children ...sdk.Node) sdk.Node {
	return sdk.Node{Kind: sdk.NodeHeading, Level: level, Children: children}
}

func quote(children ...sdk.Node) sdk.Node {
	return sdk.Node{Kind: sdk.NodeQuote, Children: children}
}

func item(children ...sdk.Node) sdk.Node {
	return sdk.Node{Kind: sdk.NodeItem, Children: children}
}

func bullets(items ...sdk.Node) sdk.Node {
	return sdk.Node{Kind: sdk.NodeList, Children: items}
}

func numbers(start int, items ...sdk.Node) sdk.Node {
	return sdk.Node{Kind: sdk.NodeList, Ordered: true, Level: start, Children: items}
}

func codeBlock(lang, text string) sdk.Node {
	return sdk.Node{Kind: sdk.NodeCodeBlock, Lang: lang, Text: text}
}

func rule() sdk.Node { return sdk.Node{Kind: sdk.NodeRule} }

// p is a paragraph of plain text.
func p(text string) sdk.Node { return sdk.Paragraph(sdk.Text(text)) }

// lines joins lines, so that tables read like what they expect.
func lines(l ...string) string { return strings.Join(l, "\n") }

func TestRender(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body sdk.Body
		want map[Markup]string
	}{
		{
			name: "nothing",
			want: map[Markup]string{Plain: "", HTML: "", CommonMark: "", TelegramHTML: "", TelegramMarkdownV2: ""},
		},
		{
			name: "paragraphs and formats",
			body: sdk.Body{
				sdk.Paragraph(sdk.Text("a "), sdk.Strong(sdk.Text("b "), em(sdk.Text("c"))), sdk.Text(" "), struck(sdk.Text("d")), br(), inlineCode("e`f")),
				p("second"),
			},
			want: map[Markup]string{
				Plain:              lines("a b c d", "e`f", "", "second"),
				HTML:               lines("<p>a <strong>b <em>c</em></strong> <s>d</s><br>", "<code>e`f</code></p>", "<p>second</p>"),
				CommonMark:         lines("a **b _c_** ~~d~~  ", "``e`f``", "", "second"),
				TelegramHTML:       lines("a <b>b <i>c</i></b> <s>d</s>", "<code>e`f</code>", "", "second"),
				TelegramMarkdownV2: lines("a *b _c_* ~d~", "`e\\`f`", "", "second"),
			},
		},
		{
			name: "headings",
			body: sdk.Body{heading(1, sdk.Text("One #1")), heading(3, sdk.Text("Three "), inlineCode("x"))},
			want: map[Markup]string{
				Plain:              lines("One #1", "", "Three x"),
				HTML:               lines("<h1>One #1</h1>", "<h3>Three <code>x</code></h3>"),
				CommonMark:         lines("# One \\#1", "", "### Three `x`"),
				TelegramHTML:       lines("<b>One #1</b>", "", "<b>Three</b> <code>x</code>"),
				TelegramMarkdownV2: lines("*One \\#1*", "", "*Three* `x`"),
			},
		},
		{
			name: "links",
			body: sdk.Body{
				sdk.Paragraph(sdk.Text("See "), sdk.Link("https://x.example/a?b=1&c=(2)", sdk.Text("the \"page\"")), sdk.Text("!")),
				sdk.Paragraph(sdk.Link("mailto:desk@x.example", sdk.Text("the desk")), sdk.Text(", "), sdk.Link("mailto:a@x.example", sdk.Text("a@x.example"))),
				sdk.Paragraph(sdk.Link("https://x.example/end")),
			},
			want: map[Markup]string{
				Plain: lines("See the \"page\" (https://x.example/a?b=1&c=(2))!", "", "the desk (desk@x.example), a@x.example", "", "https://x.example/end"),
				HTML: lines(`<p>See <a href="https://x.example/a?b=1&amp;c=(2)">the &quot;page&quot;</a>!</p>`,
					`<p><a href="mailto:desk@x.example">the desk</a>, <a href="mailto:a@x.example">a@x.example</a></p>`,
					`<p><a href="https://x.example/end">https://x.example/end</a></p>`),
				CommonMark: lines(`See [the "page"](https://x.example/a?b=1&c=\(2\))!`, "",
					`[the desk](mailto:desk@x.example), [a@x.example](mailto:a@x.example)`, "", `<https://x.example/end>`),
				TelegramHTML: lines(`See <a href="https://x.example/a?b=1&amp;c=(2)">the &quot;page&quot;</a>!`, "",
					"the desk (desk@x.example), a@x.example", "", `<a href="https://x.example/end">https://x.example/end</a>`),
				TelegramMarkdownV2: lines(`See [the "page"](https://x.example/a?b=1&c=(2\))\!`, "",
					`the desk \(desk@x\.example\), a@x\.example`, "", `[https://x\.example/end](https://x.example/end)`),
			},
		},
		{
			name: "lists",
			body: sdk.Body{
				bullets(item(p("one")), item(p("two"), numbers(9, item(sdk.Paragraph(sdk.Text("nine"), br(), sdk.Text("more"))), item(p("ten"))))),
				bullets(item(p("a"), p("b")), item(p("c"))),
			},
			want: map[Markup]string{
				Plain: lines("• one", "• two", "  9. nine", "     more", "  10. ten", "", "• a", "", "  b", "• c"),
				HTML: lines("<ul>", "<li>one</li>", "<li>two", `<ol start="9">`, "<li>nine<br>", "more</li>", "<li>ten</li>", "</ol></li>", "</ul>",
					"<ul>", "<li><p>a</p>", "<p>b</p></li>", "<li>c</li>", "</ul>"),
				CommonMark:         lines("- one", "- two", "", "  9. nine  ", "     more", "  10. ten", "", "* a", "", "  b", "", "* c"),
				TelegramHTML:       lines("• one", "• two", "   9. nine", "      more", "   10. ten", "", "• a", "   b", "• c"),
				TelegramMarkdownV2: lines("• one", "• two", `   9\. nine`, "      more", `   10\. ten`, "", "• a", "   b", "• c"),
			},
		},
		{
			name: "quotations, code and rules",
			body: sdk.Body{
				quote(p("q1"), quote(p("q2")), codeBlock("go", "x := `<&>`\n\n\ty\\"), p("q3")),
				rule(),
				codeBlock("", "plain"),
			},
			want: map[Markup]string{
				Plain: lines("> q1", ">", "> > q2", ">", "> x := `<&>`", "> ", "> \ty\\", ">", "> q3", "", "———", "", "plain"),
				HTML: lines("<blockquote>", "<p>q1</p>", "<blockquote>", "<p>q2</p>", "</blockquote>",
					`<pre data-lang="go"><code>x := `+"`&lt;&amp;&gt;`", "", "\ty\\</code></pre>", "<p>q3</p>", "</blockquote>", "<hr>", "<pre><code>plain</code></pre>"),
				CommonMark: lines("> q1", ">", "> > q2", ">", "> ```go", "> x := `<&>`", ">", "> \ty\\", "> ```", ">", "> q3", "", "___", "", "```", "plain", "```"),
				TelegramHTML: lines("<blockquote>q1", "", "q2</blockquote>", "", `<pre><code class="language-go">x := `+"`&lt;&amp;&gt;`", "", "\ty\\</code></pre>", "",
					"<blockquote>q3</blockquote>", "", "———", "", "<pre>plain</pre>"),
				TelegramMarkdownV2: lines(">q1", ">", ">q2", "", "```go", "x := \\`<&>\\`", "", "\ty\\\\```", "", ">q3", "", "———", "", "```", "plain```"),
			},
		},
		{
			name: "inline code loses other formats in Telegram, and gives way to a link",
			body: sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text("a "), inlineCode("b"), sdk.Text(" c")), sdk.Link("https://x.example/", sdk.Text(" d "), inlineCode("e")))},
			want: map[Markup]string{
				TelegramHTML:       `<b>a</b> <code>b</code> <b>c</b> <a href="https://x.example/">d e</a>`,
				TelegramMarkdownV2: "*a* `b` *c* [d e](https://x.example/)",
				CommonMark:         "**a `b` c** [d `e`](https://x.example/)",
			},
		},
		{
			name: "delimiters where CommonMark forbids them",
			body: sdk.Body{sdk.Paragraph(sdk.Text("pre"), sdk.Strong(sdk.Text("fix")), sdk.Text("es, a"), sdk.Strong(sdk.Text("“b”")), sdk.Text("c x"), em(sdk.Text("y")), sdk.Text("z"),
				struck(sdk.Text("~")))},
			want: map[Markup]string{CommonMark: "pre**fix**es, &#97;**“b”**&#99; &#120;_y_&#122;~~&#126;~~"},
		},
		{
			name: "text that looks like blocks of CommonMark",
			body: sdk.Body{p("# a"), p("- a"), p("+ a"), p("--- a"), p("1. a"), p("23) a"), p("> a"), p("= a"), p("#tag"), p("-5"), p("+33 1"), p("3.5"), p("1234567890. a"), p("```"), p("<b>")},
			want: map[Markup]string{CommonMark: lines(`\# a`, "", `\- a`, "", `\+ a`, "", `\--- a`, "", `1\. a`, "", `23\) a`, "", `\> a`, "", `\= a`, "", "#tag", "", "-5", "",
				"+33 1", "", "3.5", "", "1234567890. a", "", "\\`\\`\\`", "", `\<b\>`)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for m, want := range tt.want {
				if diff := cmp.Diff(strings.ReplaceAll(want, "\u00a0", " "), strings.ReplaceAll(Render(tt.body, m), "\u00a0", " ")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", m, diff)
				}
			}
			checkRoundTrip(t, tt.body)
		})
	}
}

// TestRenderEscapes holds that every reserved character of MarkdownV2, as its documentation lists them, is escaped, in
// text, in code and in addresses.
func TestRenderEscapes(t *testing.T) {
	t.Parallel()
	for _, c := range "_*[]()~`>#+-=|{}.!" {
		if got, want := Render(sdk.Body{p("a" + string(c) + "b")}, TelegramMarkdownV2), "a\\"+string(c)+"b"; got != want {
			t.Errorf("text %q is written %q, want %q", c, got, want)
		}
		want := "`a" + string(c) + "b`"
		if c == '`' {
			want = "`a\\`b`"
		}
		if got := Render(sdk.Body{sdk.Paragraph(inlineCode("a" + string(c) + "b"))}, TelegramMarkdownV2); got != want {
			t.Errorf("code %q is written %q, want %q", c, got, want)
		}
	}
	for text, want := range map[string]string{`a\b`: `a\\b`, "a:b@c#": `a:b@c\#`, "été « x »": "été « x »"} {
		if got := Render(sdk.Body{p(text)}, TelegramMarkdownV2); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
	link := sdk.Body{sdk.Paragraph(sdk.Link("https://x.example/a_(b)!", sdk.Text("t")))}
	if got, want := Render(link, TelegramMarkdownV2), `[t](https://x.example/a_(b\)!)`; got != want {
		t.Errorf("a link is written %q, want %q", got, want)
	}
}

func TestRenderHTMLOptions(t *testing.T) {
	t.Parallel()
	body := sdk.Body{heading(1, sdk.Text("a")), heading(6, sdk.Text("b")), sdk.Paragraph(sdk.Link("https://x.example/", sdk.Text("c")))}
	got := RenderHTML(body, HTMLOptions{HeadingShift: 2, Rel: `nofollow "ugc"`})
	want := lines("<h3>a</h3>", "<h6>b</h6>", `<p><a href="https://x.example/" rel="nofollow &quot;ugc&quot;">c</a></p>`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := RenderHTML(body, HTMLOptions{}); got != Render(body, HTML) {
		t.Errorf("without options it is %q", got)
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	deep := p("deep")
	for range 14 {
		deep = quote(deep)
	}
	flat := p("deep")
	for range 9 {
		flat = quote(flat)
	}
	tests := []struct {
		name     string
		in, want sdk.Body
	}{
		{"white space", sdk.Body{p("  a \t b  "), p(" "), p("\u00a0"), p("\u00a0c\u00a0d ")}, sdk.Body{p("a b"), p("c\u00a0d")}},
		{"line feeds are breaks, two end the paragraph", sdk.Body{p("a\nb\r\nc\n\nd\u2028e\u2029f")},
			sdk.Body{sdk.Paragraph(sdk.Text("a"), br(), sdk.Text("b"), br(), sdk.Text("c")), sdk.Paragraph(sdk.Text("d"), br(), sdk.Text("e")), p("f")}},
		{"controls, overrides and isolates are gone", sdk.Body{p("a\x00b\x1b[1m\u202ec\u2066d\u2069\ufeffe\u0085\ufffef")},
			sdk.Body{sdk.Paragraph(sdk.Text("ab[1mcde"), br(), sdk.Text("f"))}},
		{"joiners and marks of direction stay", sdk.Body{p("👩\u200d🚀 نمی\u200cخواهم \u200e1")}, sdk.Body{p("👩\u200d🚀 نمی\u200cخواهم \u200e1")}},
		{"what was no character", sdk.Body{p("a\ufffd\ufffd\xffb\xc3")}, sdk.Body{p("a\ufffdb\ufffd")}},
		{"equal neighbours merge", sdk.Body{sdk.Paragraph(sdk.Text("a"), sdk.Text("b"), sdk.Strong(sdk.Text("c")), sdk.Strong(sdk.Text("d")))},
			sdk.Body{sdk.Paragraph(sdk.Text("ab"), sdk.Strong(sdk.Text("cd")))}},
		{"a format in itself", sdk.Body{sdk.Paragraph(sdk.Strong(em(sdk.Strong(sdk.Text("a")))))}, sdk.Body{sdk.Paragraph(sdk.Strong(em(sdk.Text("a"))))}},
		{"spaces leave formats", sdk.Body{sdk.Paragraph(sdk.Text("a"), sdk.Strong(sdk.Text(" b ")), sdk.Text("c"))},
			sdk.Body{sdk.Paragraph(sdk.Text("a "), sdk.Strong(sdk.Text("b")), sdk.Text(" c"))}},
		{"formats end at breaks", sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text("a"), br(), sdk.Text("b")))},
			sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text("a")), br(), sdk.Strong(sdk.Text("b")))}},
		{"the wider format is outside", sdk.Body{sdk.Paragraph(em(sdk.Strong(sdk.Text("a"))), sdk.Strong(sdk.Text("b")))},
			sdk.Body{sdk.Paragraph(sdk.Strong(em(sdk.Text("a")), sdk.Text("b")))}},
		{"links", sdk.Body{sdk.Paragraph(sdk.Link("HTTP://X.example/é b"), sdk.Text(" "), sdk.Link("javascript:x", sdk.Text("a")), sdk.Text(" "),
			sdk.Link("https://y.example/", sdk.Link("https://z.example/", sdk.Text("b"), br(), sdk.Text("c"))))},
			sdk.Body{sdk.Paragraph(sdk.Link("http://x.example/%C3%A9%20b", sdk.Text("http://x.example/%C3%A9%20b")), sdk.Text(" a "),
				sdk.Link("https://y.example/", sdk.Text("b c")))}},
		{"empty things", sdk.Body{sdk.Paragraph(), heading(1, sdk.Text(" ")), quote(), bullets(item(), item(p(""))), codeBlock("go", " \n"), sdk.Paragraph(sdk.Strong())}, nil},
		{"misplaced things", sdk.Body{sdk.Text("a"), sdk.Strong(sdk.Text("b")), item(p("c")), bullets(p("d"), item(p("e"))), {Kind: "new", Children: []sdk.Node{p("f")}},
			{Kind: "newer", Text: "g"}, heading(9, sdk.Text("h"), br(), sdk.Text("i"))},
			sdk.Body{sdk.Paragraph(sdk.Text("a"), sdk.Strong(sdk.Text("b"))), p("c"), bullets(item(p("d")), item(p("e"))), p("f"), p("g"), heading(6, sdk.Text("h i"))}},
		{"numbers", sdk.Body{numbers(-3, item(p("a"))), numbers(1<<40, item(p("b"))), {Kind: sdk.NodeList, Level: 4, Children: []sdk.Node{item(p("c"))}}},
			sdk.Body{numbers(1, item(p("a"))), numbers(1, item(p("b"))), bullets(item(p("c")))}},
		{"code", sdk.Body{codeBlock("no such", "\n  \n  a\r\n \t \nb \n\n")}, sdk.Body{codeBlock("", "  a\n\nb")}},
		{"depth", sdk.Body{deep}, sdk.Body{flat}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Normalize(tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkRoundTrip(t, tt.in)
		})
	}
}

// TestNormalizeBounds holds that bodies beyond the bounds come back within them, and lose the least that helps.
func TestNormalizeBounds(t *testing.T) {
	t.Parallel()
	var formats, breaks, links []sdk.Node
	for range 4000 {
		formats = append(formats, sdk.Text("a"), sdk.Strong(sdk.Text("b")))
		breaks = append(breaks, sdk.Text("a"), br())
		links = append(links, sdk.Link("https://x.example/", sdk.Text("l")))
	}
	tests := []struct {
		name string
		in   sdk.Body
		want func(plain string) bool
	}{
		{"formats go first", sdk.Body{sdk.Paragraph(formats...)}, func(s string) bool { return len(s) == 8000 }},
		{"then breaks", sdk.Body{sdk.Paragraph(breaks...)}, func(s string) bool { return len(s) == 7999 && !strings.Contains(s, "\n") }},
		{"then the end", sdk.Body{sdk.Paragraph(links...)}, func(s string) bool { return strings.HasPrefix(s, "l (https://x.example/)l (") && len(s) > 40_000 }},
		{"long text", sdk.Body{p(strings.Repeat("é", sdk.MaxBodyText))}, func(s string) bool { return len(s) == sdk.MaxBodyText }},
		{"long code", sdk.Body{codeBlock("", strings.Repeat("x\n", sdk.MaxBodyText))}, func(s string) bool { return len(s) > sdk.MaxBodyText-4 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Normalize(tt.in)
			if err := got.Validate(); err != nil {
				t.Fatal(err)
			}
			if plain := Render(got, Plain); !tt.want(plain) {
				t.Errorf("%d bytes are left: %.100q", len(plain), plain)
			}
		})
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                              "",
		"  a\n\n b\tc ":                 "a b c",
		"Gare\u202e\u2067 : \u00a018 h": "Gare : \u00a018 h",
		"👨\u200d👩\u200d👧 ok\x00":        "👨\u200d👩\u200d👧 ok",
		"\u00a0":                        "",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

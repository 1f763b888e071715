package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

// readsAs holds that a text in a markup reads as the HTML given.
func readsAs(t *testing.T, m Markup, text, want string) {
	t.Helper()
	b, err := Parse(text, m)
	if err != nil {
		t.Fatalf("%s: %q: %v", m, text, err)
	}
	if diff := cmp.Diff(want, Render(b, HTML)); diff != "" {
		t.Errorf("%s: %q (-want +got):\n%s", m, text, diff)
	}
	checkNormal(t, b)
}

func TestParsePlain(t *testing.T) {
	t.Parallel()
	link := func(url, label string) string { return `<a href="` + url + `">` + label + `</a>` }
	tests := []struct{ name, text, want string }{
		{"paragraphs and lines", "a\nb\n\n \n\nc\r\n\r\nd", "<p>a<br>\nb</p>\n<p>c</p>\n<p>d</p>"},
		{"markup is text", "<b>*x*</b> &amp;", "<p>&lt;b&gt;*x*&lt;/b&gt; &amp;amp;</p>"},
		{"an address", "https://x.example/a", "<p>" + link("https://x.example/a", "https://x.example/a") + "</p>"},
		{"the sentence goes on", "See https://x.example/a, or (http://y.example/b(c)). Or https://z.example?q=1!",
			"<p>See " + link("https://x.example/a", "https://x.example/a") + ", or (" + link("http://y.example/b(c)", "http://y.example/b(c)") + "). Or " +
				link("https://z.example?q=1", "https://z.example?q=1") + "!</p>"},
		{"quotation marks end it", "« https://x.example/a » “https://y.example”", "<p>« " + link("https://x.example/a", "https://x.example/a") + " » “" +
			link("https://y.example", "https://y.example") + "”</p>"},
		{"capitals", "HTTPS://X.example/A", "<p>" + link("https://x.example/A", "HTTPS://X.example/A") + "</p>"},
		{"letters of every script", "https://x.example/été", "<p>" + link("https://x.example/%C3%A9t%C3%A9", "https://x.example/été") + "</p>"},
		{"no address", "xhttp://x.example http:// https://u:p@x.example ftp://x.example ://", "<p>xhttp://x.example http:// https://u:p@x.example ftp://x.example ://</p>"},
		{"controls and overrides", "a\u202eb\x07c", "<p>abc</p>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			readsAs(t, Plain, tt.text, tt.want)
		})
	}
}

func TestParseCommonMark(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"blocks", "# A\n\nb  \nc\nd\n\n> e\n\n3. f\n4. g\n   - h\n\n---\n\n```go\ni <\n```\n\n    j",
			"<h1>A</h1>\n<p>b<br>\nc d</p>\n<blockquote>\n<p>e</p>\n</blockquote>\n<ol start=\"3\">\n<li>f</li>\n<li>g\n<ul>\n<li>h</li>\n</ul></li>\n</ol>\n" +
				"<hr>\n<pre data-lang=\"go\"><code>i &lt;</code></pre>\n<pre><code>j</code></pre>"},
		{"formats", "**a _b_** ~~c~~ `d *e*`", "<p><strong>a <em>b</em></strong> <s>c</s> <code>d *e*</code></p>"},
		{"raw HTML is text", "<script>a</script>\n\n<div>\n*b*\n</div>\n\nc<!-- d --> <b>e</b>",
			"<p>&lt;script&gt;a&lt;/script&gt;</p>\n<p>&lt;div&gt; <em>b</em> &lt;/div&gt;</p>\n<p>c&lt;!-- d --&gt; &lt;b&gt;e&lt;/b&gt;</p>"},
		{"links", "[a](https://x.example/(b) \"t\") <https://y.example> <a@x.example> [c][r] [d](javascript:x)\n\n[r]: <https://z.example/é&amp;\\)>",
			`<p><a href="https://x.example/(b)">a</a> <a href="https://y.example">https://y.example</a> <a href="mailto:a@x.example">a@x.example</a> ` +
				`<a href="https://z.example/%C3%A9&amp;%29">c</a> d</p>`},
		{"an image is a link to it", "![the *alt*](https://x.example/i.png) ![](https://x.example/j.png) ![no](x.png)",
			`<p><a href="https://x.example/i.png">the <em>alt</em></a> <a href="https://x.example/j.png">https://x.example/j.png</a> no</p>`},
		{"escapes and entities", "\\*a\\* &copy; &#x41;&#0; &bogus; &copy \\&amp; &notit;", "<p>*a* © A\ufffd &amp;bogus; &amp;copy &amp;amp; &amp;notit;</p>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			readsAs(t, CommonMark, tt.text, tt.want)
		})
	}
}

func TestParseTelegramHTML(t *testing.T) {
	t.Parallel()
	accepted := []struct{ name, text, want string }{
		{"every tag", `<b>a</b><strong>b</strong> <i>c</i><em>d</em> <u>e</u><ins>f</ins> <s>g</s><strike>h</strike><del>i</del> <span class="tg-spoiler">j</span>` +
			`<tg-spoiler>k</tg-spoiler> <tg-emoji emoji-id="5368324170671202286">👍</tg-emoji><tg-time unix="1">l</tg-time> <code>m</code>`,
			"<p><strong>ab</strong> <em>cd</em> ef <s>ghi</s> jk 👍l <code>m</code></p>"},
		{"links", `<a href="https://x.example/?a=1&amp;b=&quot;">a</a> <a href='y.example'>b</a> <a href="tg://user?id=1">c</a> <a>d</a>`,
			`<p><a href="https://x.example/?a=1&amp;b=%22">a</a> <a href="http://y.example">b</a> c d</p>`},
		{"code", `<pre>a  b</pre><pre><code class="language-go">c &lt;</code></pre><pre><code>d</code></pre>`,
			"<pre><code>a  b</code></pre>\n<pre data-lang=\"go\"><code>c &lt;</code></pre>\n<pre><code>d</code></pre>"},
		{"quotations", "a\n<blockquote>b\nc</blockquote>\n<blockquote expandable>d</blockquote>",
			"<p>a</p>\n<blockquote>\n<p>b<br>\nc</p>\n</blockquote>\n<blockquote>\n<p>d</p>\n</blockquote>"},
		{"entities", "&lt;&gt;&amp;&quot;&#65;&#x42;&#67 &nbsp; & &unknown; &lt", "<p>&lt;&gt;&amp;&quot;ABC &amp;nbsp; &amp; &amp;unknown; &lt;</p>"},
		{"odd spelling", "<B >a</b ><i\nx=y z>b</>", "<p><strong>a</strong><em>b</em></p>"},
		{"formats around blocks", "<b>a\n\n<blockquote>b</blockquote></b>", "<p><strong>a</strong></p>\n<blockquote>\n<p><strong>b</strong></p>\n</blockquote>"},
	}
	for _, tt := range accepted {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			readsAs(t, TelegramHTML, tt.text, tt.want)
		})
	}
	testRefused(t, TelegramHTML, []refusal{
		{"an unknown tag", "éa<p>b</p>", 3, "<p> is not one of Telegram's"},
		{"a bare less-than sign", "1 < 2", 2, "write &lt;"},
		{"a tag without an end", "a <b", 2, "write &lt;"},
		{"no end tag", "a<b>c<i>d</i>", 1, "<b> is never closed"},
		{"no start tag", "ab</b>", 2, "no start tag"},
		{"overlapping", "<b>a<i>b</b></i>", 8, "</i> is expected"},
		{"an end tag without an end", "<b>a</b", 4, "has no"},
		{"a span of another class", `<span class="x">a</span>`, 0, "tg-spoiler"},
		{"a span without a class", "<span>a</span>", 0, "tg-spoiler"},
		{"an attribute without a name", "a<i =x>b</i>", 1, "without a name"},
		{"a value without quotation marks", "<a href=https://x.example>b</a>", 8, "needs quotation marks"},
		{"a value without an end", `<a href="x>b</a>`, 0, "no end"},
		{"quotations that nest", "<blockquote>a<blockquote>b</blockquote></blockquote>", 13, "do not nest"},
		{"a tag in code", "<code>a<b>c</b></code>", 7, "contains nothing"},
		{"a tag in a code block", "<pre>a<code>b</code></pre>", 6, "contains nothing"},
		{"half of a surrogate pair", "a&#xD83D;", 1, "surrogate"},
	})
}

func TestParseMarkdownV2(t *testing.T) {
	t.Parallel()
	accepted := []struct{ name, text, want string }{
		{"every entity", "*a* _b_ __c__ ~d~ ||e|| `f` ![👍](tg://emoji?id=1)", "<p><strong>a</strong> <em>b</em> c <s>d</s> e <code>f</code> 👍</p>"},
		{"nested formats", "*a _b ~c~ d_ e*", "<p><strong>a <em>b <s>c</s> d</em> e</strong></p>"},
		{"links", `[a](https://x.example/\)\\) [b](y.example) [z\.example] [c](tg://user?id=1) [*d*](https://w.example)`,
			`<p><a href="https://x.example/%29%5C">a</a> <a href="http://y.example">b</a> <a href="http://z.example">z.example</a> c ` +
				`<strong><a href="https://w.example">d</a></strong></p>`},
		{"code", "```go\na *b* \\` \\\\\n```\n```\nc```\n`d*\\``",
			"<pre data-lang=\"go\"><code>a *b* ` \\</code></pre>\n<pre><code>c</code></pre>\n<p><code>d*`</code></p>"},
		{"quotations", ">a\n>*b\n>c*\nd\n>e||\n**>f", "<blockquote>\n<p>a<br>\n<strong>b</strong><br>\n<strong>c</strong></p>\n</blockquote>\n<p>d</p>\n" +
			"<blockquote>\n<p>e</p>\n</blockquote>\n<blockquote>\n<p>f</p>\n</blockquote>"},
		{"escapes", `\_\*\[\]\(\)\~\` + "`" + `\>\#\+\-\=\|\{\}\.\!\\ \a`, "<p>_*[]()~`&gt;#+-=|{}.!\\ a</p>"},
		{"a backslash before another script", `a\é`, `<p>a\é</p>`},
		{"what needs no escaping", "a:b@c & <d \"e\" 'f' / , ; ? %", "<p>a:b@c &amp; &lt;d &quot;e&quot; 'f' / , ; ? %</p>"},
	}
	for _, tt := range accepted {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			readsAs(t, TelegramMarkdownV2, tt.text, tt.want)
		})
	}
	refusals := []refusal{
		{"bold without an end", "é*a", 2, "bold text"},
		{"italic without an end", "a _b", 2, "italic text"},
		{"struck without an end", "~a", 0, "struck text"},
		{"a link without an end", "[a", 0, "link"},
		{"code without an end", "a `b", 2, "code"},
		{"a code block without an end", "```\na", 0, "code"},
		{"an address without an end", "[a](https://x.example", 3, "closing parenthesis"},
		{"a custom emoji without an address", "![a]", 0, "address"},
		{"overlapping", "*a _b* c_", 8, "italic text"},
		{"bold beyond its quotation", ">*a\nb*", 1, "bold text"},
		{"a quotation in the line", "a > b", 2, "reserved"},
		{"a backtick in a code block", "```\na ` b```", 6, "reserved in code"},
	}
	for _, c := range "()#+-={}.!|>]" {
		refusals = append(refusals, refusal{"a bare " + string(c), "a " + string(c) + " b", 2, `reserved; write \` + string(c)})
	}
	testRefused(t, TelegramMarkdownV2, refusals)
}

type refusal struct {
	name, text string
	offset     int
	says       string
}

// testRefused holds that what Telegram refuses is refused, with the place and the reason.
func testRefused(t *testing.T, m Markup, tests []refusal) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := Parse(tt.text, m)
			if err == nil {
				t.Fatalf("%q is accepted as %s", tt.text, Render(b, HTML))
			}
			if e := sdk.AsError(err); e.Code != sdk.CodeInvalid || !strings.Contains(e.Public, tt.says) ||
				!strings.HasSuffix(e.Public, fmt.Sprintf("at byte offset %d", tt.offset)) {
				t.Errorf("%q: the error is %s %q, want %q at byte offset %d", tt.text, e.Code, e.Public, tt.says, tt.offset)
			}
		})
	}
}

func TestParseBounds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		markup     Markup
		code       sdk.Code
	}{
		{"an unknown markup", "a", "rtf", sdk.CodeUnsupported},
		{"too long", strings.Repeat("a", sdk.MaxBodyText+1), Plain, sdk.CodeTooLarge},
		{"too many lines", strings.Repeat("a\n", sdk.MaxBodyNodes), Plain, sdk.CodeTooLarge},
		{"too many formats", strings.Repeat("<b>a</b> ", sdk.MaxBodyNodes), TelegramHTML, sdk.CodeTooLarge},
		{"too many formats in HTML", strings.Repeat("<a href=http://x.example/>a</a> ", sdk.MaxBodyNodes), HTML, sdk.CodeTooLarge},
		{"too many brackets", strings.Repeat("[a](", 3000), CommonMark, sdk.CodeTooLarge},
		{"brackets in many paragraphs", strings.Repeat("[a]\n\n", 30_000), CommonMark, sdk.CodeTooLarge},
		{"too many delimiters", strings.Repeat("a**b_c ", 3000), CommonMark, sdk.CodeTooLarge},
		{"quotations too deep", "a\n" + strings.Repeat("> ", 200) + "b", CommonMark, sdk.CodeTooLarge},
		{"lists too deep", strings.Repeat("1. ", 200) + "b", CommonMark, sdk.CodeTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := Parse(tt.text, tt.markup)
			if err == nil || sdk.AsError(err).Code != tt.code || sdk.AsError(err).Public == "" {
				t.Errorf("%d nodes and the error %v, want code %s", len(b), err, tt.code)
			}
		})
	}
	for _, ordinary := range []string{strings.Repeat("1 2 3 4 ", 100), strings.Repeat("-", 200), strings.Repeat("* a *b* [c](https://x.example)\n\n", 300)} {
		if _, err := Parse(ordinary, CommonMark); err != nil {
			t.Errorf("%.40q: %v", ordinary, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for i, s := range naughty {
		f.Add(s, byte(i))
	}
	for i, shape := range seedShapes()[:100] {
		m := markups[i%len(markups)]
		f.Add(Render(makeBody(shape, "text"), m), byte(i%len(markups)))
	}
	f.Fuzz(func(t *testing.T, text string, markup byte) {
		checkParse(t, text, markups[int(markup)%len(markups)])
	})
}

var markups = []Markup{Plain, HTML, CommonMark, TelegramHTML, TelegramMarkdownV2}

func checkParse(t *testing.T, text string, m Markup) {
	t.Helper()
	b, err := Parse(text, m)
	if err != nil {
		if e := sdk.AsError(err); e.Code != sdk.CodeInvalid && e.Code != sdk.CodeTooLarge {
			t.Fatalf("%s: an error with code %s: %v", m, e.Code, err)
		}
		return
	}
	checkNormal(t, b)
}

func checkNormal(t *testing.T, b sdk.Body) {
	t.Helper()
	if err := b.Validate(); err != nil {
		t.Fatalf("the body is not valid: %v", err)
	}
	if diff := diffBodies(b, Normalize(b)); diff != "" {
		t.Fatalf("the body is not normal (-is +normal):\n%s", diff)
	}
}

package render

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

func TestFromHTML(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"text alone", "a &lt;b&gt; &eacute;", "<p>a &lt;b&gt; é</p>"},
		{"white space", "<p> a\n\t b <b> c </b> d&nbsp; e</p> <p>\u00a0</p>", "<p>a b <strong>c</strong> d\u00a0 e</p>"},
		{"breaks", "a<br>b<br/>\n c<br><br>d<br>", "<p>a<br>\nb<br>\nc</p>\n<p>d</p>"},
		{"every format", "<b>a</b><i>b</i><s>c</s><code>d</code><kbd>e</kbd><u>f</u><mark>g</mark><del>h</del><cite>i</cite>",
			"<p><strong>a</strong><em>b</em><s>c</s><code>de</code>fg<s>h</s><em>i</em></p>"},
		{"formats by style", `<span style="font-weight: 700">a</span><b style="font-weight:normal">b</b><span STYLE="Font-Style : Italic">c</span>`,
			"<p><strong>a</strong>b<em>c</em></p>"},
		{"misnested formats", "<b>a<i>b</b>c</i>d", "<p><strong>a<em>b</em></strong><em>c</em>d</p>"},
		{"a format ends with its block", "<div><b>a</div>b", "<p><strong>a</strong></p>\n<p>b</p>"},
		{"a format around blocks", "<b><p>a</p><p>b</b>c</p>", "<p><strong>a</strong></p>\n<p><strong>b</strong>c</p>"},
		{"headings", "<h1>a<br>b</h1><h2><div>c</div>d</h3>e<h6><ul><li>f</ul></h6>", "<h1>a b</h1>\n<h2>c d</h2>\n<p>e</p>\n<ul>\n<li>f</li>\n</ul>"},
		{"implied ends", "<p>a<p>b<ul><li>c<li>d</ul>e<dl><dt>f<dd>g</dl>",
			"<p>a</p>\n<p>b</p>\n<ul>\n<li>c</li>\n<li>d</li>\n</ul>\n<p>e</p>\n<p><strong>f</strong></p>\n<p>g</p>"},
		{"lists", "<ol start=4><li><p>a</p><li>b<p>c</ol><ul>d<ul><li>e</ul><li></ul>",
			"<ol start=\"4\">\n<li>a</li>\n<li><p>b</p>\n<p>c</p></li>\n</ol>\n<ul>\n<li>d\n<ul>\n<li>e</li>\n</ul></li>\n</ul>"},
		{"quotations", "<blockquote>a<blockquote><p>b</blockquote>c</blockquote>",
			"<blockquote>\n<p>a</p>\n<blockquote>\n<p>b</p>\n</blockquote>\n<p>c</p>\n</blockquote>"},
		{"preformatted", "<pre>\n  a\n<b>b</b><br>c<div>d</div>e&lt;</pre><pre class=\"x language-c++\">f</pre><pre><code class=lang-go>g</code></pre><xmp><i></xmp>",
			"<pre><code>  a\nb\nc\nd\ne&lt;</code></pre>\n<pre data-lang=\"c++\"><code>f</code></pre>\n<pre data-lang=\"go\"><code>g</code></pre>\n<pre><code>&lt;i&gt;</code></pre>"},
		{"links", `<a href="/a?b=1&amp;c">d</a> <a href="e.html">f</a> <a href="//g.example">h</a> <a href=" HTTP://I.example/é&#10; ">j</a> <a href="mailto:k@l.example">m</a>`,
			`<p><a href="https://base.example/a?b=1&amp;c">d</a> <a href="https://base.example/dir/e.html">f</a> <a href="https://g.example">h</a> ` +
				`<a href="http://i.example/%C3%A9">j</a> <a href="mailto:k@l.example">m</a></p>`},
		{"links to nowhere", `<a href="javascript:a">b</a> <a href="java&#10;script:a">c</a> <a href="data:d">d</a> <a href="#e">f</a> <a>g</a> <a href="https://u:p@h.example">i</a> <a href="tel:1">j</a>`,
			"<p>b c d f g i j</p>"},
		{"addresses that need repair", `<a href="https://x.example/100%?a b">c</a>`, `<p><a href="https://x.example/100%25?a%20b">c</a></p>`},
		{"links that hold blocks", "<a href=/a><h2>b</h2><p>c</p></a>d",
			`<h2><a href="https://base.example/a">b</a></h2>` + "\n" + `<p><a href="https://base.example/a">c</a></p>` + "\n<p>d</p>"},
		{"a link ends the one before", "<a href=/a>b<a href=/c>d</a>", `<p><a href="https://base.example/a">b</a><a href="https://base.example/c">d</a></p>`},
		{"a table of data", "<table><caption>a</caption><tr><th>b<th>c</tr><tr><td>d<td><a href=/e>f</a><tr><td><td></table>g",
			"<p>a</p>\n<p><strong>b</strong> | <strong>c</strong><br>\nd | <a href=\"https://base.example/e\">f</a></p>\n<p>g</p>"},
		{"a table that arranges a page", "<table><tbody><tr><td><p>a</p><p>b</p></td><td>c</td></tr><tr><td>d</table>", "<p>a</p>\n<p>b</p>\n<p>c</p>\n<p>d</p>"},
		{"a table in a table", "<table><tr><td><table><tr><td>a<td>b</table><td>c</table>", "<p>a | b | c</p>"},
		{"not for readers", "a<script>b<p></script><style>c</style><!-- d --><template>e</template><noscript>f</noscript><iframe>g</iframe><svg><title>h</title><text>i</text></svg>" +
			"<math>j</math><object>k</object><textarea>l</textarea><button>m</button>", "<p>af</p>"},
		{"forms", "a<form action=/b><p>c<input value=d><select><option>e</select></form>f", "<p>af</p>"},
		{"an unclosed form ends with what holds it", "<div>a<form><p>b</div>c", "<p>a</p>\n<p>c</p>"},
		{"hidden", `<p hidden>a<p>b<span style="display: NONE">c</span><div aria-hidden="true">d<div>e</div></div><span style="visibility :hidden">f</span>g`, "<p>b</p>\n<p>g</p>"},
		{"closed by itself as in XHTML", `a<b/>b<script src="c"/>d<iframe src="e"/>f<p/>g<a name="h"/>i`, "<p>abdf</p>\n<p>gi</p>"},
		{"raised and lowered digits", "10<sup>2</sup> H<sub>2</sub>O 1<sup>er</sup>", "<p>10² H₂O 1er</p>"},
		{"quotation marks", "<q>a</q>", "<p>“a”</p>"},
		{"pictures of characters", `a <img class="emoji" alt="😀" src="e.png"> b`, "<p>a 😀 b</p>"},
		{"a whole page", "<!doctype html><html><head><title>a</title><meta charset=utf-8><body><main><h1>b</h1></main></body></html>", "<h1>b</h1>"},
		{"character data", "a<![CDATA[ <b> ]]>c", "<p>a &lt;b&gt; c</p>"},
		{"controls and overrides", "a&#x202e;b\x00&#8;c\ufeff&#0;", "<p>abc\ufffd</p>"},
		{"words of a word processor", "<p class=MsoNormal>a<o:p>&nbsp;</o:p></p><o:p></o:p>", "<p>a</p>"},
		{"a tag that never ends", "a<b", "<p>a</p>"},
		{"end tags alone", "</b></div>a</p>b</blockquote></li></td>", "<p>a</p>\n<p>b</p>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := FromHTML(tt.in, &url.URL{Scheme: "https", Host: "base.example", Path: "/dir/page"})
			if diff := cmp.Diff(tt.want, Render(doc.Body, HTML)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.in, diff)
			}
			if doc.Truncated {
				t.Error("it is said to be truncated")
			}
			checkFromHTML(t, tt.in)
		})
	}
}

func TestFromHTMLMedia(t *testing.T) {
	t.Parallel()
	at := func(path string) string { return "https://base.example/dir/" + path }
	tests := []struct {
		name, in string
		media    []sdk.Media
		text     string
	}{
		{"a picture", `a<img src="b.jpg" alt=" The&#10;bridge " width="800" height="600px">c`, []sdk.Media{{URL: at("b.jpg"), Alt: "The bridge", Width: 800, Height: 600}}, "ac"},
		{"counters", `<img src=a.gif width=1 height=1><img src=b.gif width=0><img src=c.gif style="width: 1px"><img src=d.gif hidden><img src=e.gif height=100%>`,
			[]sdk.Media{{URL: at("e.gif")}}, ""},
		{"loaded late", `<img src="data:image/gif;base64,x" data-src="a.jpg"><noscript><img src="a.jpg" alt="A"></noscript><img src="blank.gif" data-lazy-src="b.jpg">`,
			[]sdk.Media{{URL: at("a.jpg"), Alt: "A"}, {URL: at("b.jpg")}}, ""},
		{"several sizes", `<img srcset="s.jpg 320w, l.jpg 1280w, m.jpg 640w"><picture><source srcset="p,1.webp 1x, p2.webp 2x"><img alt="P"></picture><img>`,
			[]sdk.Media{{URL: at("l.jpg")}, {URL: at("p2.webp"), Alt: "P"}}, ""},
		{"films and sounds", `<video src="v.mp4" width=640 height=360>no film</video><audio><source src="a.ogg" type="audio/ogg; codecs=opus"><source src="a.mp3">no sound</audio><video></video>`,
			[]sdk.Media{{URL: at("v.mp4"), Width: 640, Height: 360}, {URL: at("a.ogg"), Type: "audio/ogg"}}, ""},
		{"a caption", `a<figure><img src="b.jpg"><figcaption>The <b>bridge</b>, at night.</figcaption></figure>c`, []sdk.Media{{URL: at("b.jpg"), Alt: "The bridge, at night."}}, "a\n\nc"},
		{"a caption beside an alternative text", `<figure><img src="b.jpg" alt="A bridge"><figcaption>At night. Photo : Ada L. / AFP</figcaption></figure>`,
			[]sdk.Media{{URL: at("b.jpg"), Alt: "A bridge", Credit: "Ada L. / AFP"}}, ""},
		{"an alternative text that is a file's name", `<figure><img src="b.jpg" alt="IMG_1.JPG"><figcaption>At night (© Ada)</figcaption></figure>`,
			[]sdk.Media{{URL: at("b.jpg"), Alt: "At night (© Ada)"}}, ""},
		{"credits", `<figure><img src=a.jpg><figcaption>Text. © Ada</figcaption></figure><figure><img src=b.jpg><figcaption>Crédit photo : Bob</figcaption></figure>` +
			`<figure><img src=c.jpg><figcaption>Text <span class="photo-credit">(Foto: Cy)</span></figcaption></figure><figure><img src=d.jpg><figcaption>On the photo: Dee.</figcaption></figure>`,
			[]sdk.Media{{URL: at("a.jpg"), Alt: "Text.", Credit: "Ada"}, {URL: at("b.jpg"), Credit: "Bob"}, {URL: at("c.jpg"), Alt: "Text", Credit: "Cy"}, {URL: at("d.jpg"), Alt: "On the photo: Dee."}}, ""},
		{"a gallery", `<figure><figure><img src=a.jpg><figcaption>A</figcaption></figure><img src=b.jpg><figcaption>Both</figcaption></figure>`,
			[]sdk.Media{{URL: at("a.jpg"), Alt: "A"}, {URL: at("b.jpg"), Alt: "Both"}}, ""},
		{"a figure without media keeps its caption", `<figure><blockquote>a</blockquote><figcaption>b <cite>c</cite></figcaption></figure>`, nil, "> a\n\nb c"},
		{"addresses that are none", `<img src="javascript:a"><img src="mailto:a@b.example"><img src="https://u:p@x.example/a.jpg"><img src="">`, nil, ""},
		{"the same twice", `<img src=a.jpg><img src=./a.jpg alt=A>`, []sdk.Media{{URL: at("a.jpg"), Alt: "A"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := FromHTML(tt.in, &url.URL{Scheme: "https", Host: "base.example", Path: "/dir/page", User: url.User("u")})
			if diff := cmp.Diff(tt.media, doc.Media); diff != "" {
				t.Errorf("media (-want +got):\n%s", diff)
			}
			if got := Render(doc.Body, Plain); got != tt.text {
				t.Errorf("the text is %q, want %q", got, tt.text)
			}
			checkFromHTML(t, tt.in)
		})
	}
}

func TestFromHTMLWithoutBase(t *testing.T) {
	t.Parallel()
	in := `<a href="/a">b</a> <a href="https://c.example/d">e</a> <img src="f.jpg"><img src="https://g.example/h.jpg"><a href="//i.example">j</a>`
	for name, base := range map[string]*url.URL{"none": nil, "a file": {Scheme: "file", Path: "/etc/"}} {
		doc := FromHTML(in, base)
		if got, want := Render(doc.Body, HTML), `<p>b <a href="https://c.example/d">e</a> j</p>`; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if diff := cmp.Diff([]sdk.Media{{URL: "https://g.example/h.jpg"}}, doc.Media); diff != "" {
			t.Errorf("%s: media (-want +got):\n%s", name, diff)
		}
	}
}

// TestFromHTMLBounds holds that hostile fragments are read within bounds, in time that grows with their length: each of
// these takes minutes where a step costs as much as what came before it.
func TestFromHTMLBounds(t *testing.T) {
	t.Parallel()
	const n = 100_000
	many := func(s string) string { return strings.Repeat(s, n) }
	tests := []struct {
		name, in  string
		truncated bool
	}{
		{"nested div", many("<div>"), false},
		{"nested div with text", many("<div>x"), true},
		{"nested formats", many("<b>") + many("</i>x"), false},
		{"nested lists", many("<ul><li>x"), true},
		{"nested quotations", many("<blockquote>x"), true},
		{"nested tables", many("<table><tr><td>x"), true},
		{"nested figures", many("<figure><figcaption>x"), true},
		{"start tags against end tags", many("<div>") + many("</section>"), false},
		{"unclosed formats", many("<b>x"), false},
		{"unclosed links", many("<a href=https://x.example/>x"), true},
		{"unclosed code", many("<pre>x"), false},
		{"unclosed forms", many("<form>x"), false},
		{"unclosed comments", many("<!--"), false},
		{"unclosed raw text", many("<script>") + many("<textarea>") + many("<title>"), false},
		{"paragraphs", many("<p>x"), true},
		{"pictures", func() string {
			var s strings.Builder
			for i := range n {
				fmt.Fprintf(&s, "<img src=https://x.example/%d>", i)
			}
			return s.String()
		}(), true},
		{"less-than signs", strings.Repeat("<", 1<<20), false},
		{"ampersands", strings.Repeat("&x;", 1<<18), false},
		{"a long attribute", `<p title="` + strings.Repeat("x", 1<<20) + `">x`, false},
		{"a long alternative text", `<img src=https://x.example/ alt="` + strings.Repeat("x ", 1<<19) + `">`, false},
		{"a long style", `<p style="` + strings.Repeat("a : b ; ", 1<<17) + `">x`, false},
		{"many attributes", "<p " + strings.Repeat("a=b ", 1<<18) + ">x", false},
		{"long text", strings.Repeat("é", sdk.MaxBodyText), true},
		{"long input", strings.Repeat("<!-- x -->", 1<<19), true},
		{"one long cluster", strings.Repeat("\u0301", 1<<20), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := FromHTML(tt.in, nil)
			checkNormal(t, doc.Body)
			if doc.Truncated != tt.truncated {
				t.Errorf("truncated is %t", doc.Truncated)
			}
		})
	}
}

func FuzzFromHTML(f *testing.F) {
	for _, s := range naughty {
		f.Add(s)
		f.Add("<p>" + s + "</p>")
	}
	for _, s := range hostileHTML {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, fragment string) { checkFromHTML(t, fragment) })
}

func checkFromHTML(t *testing.T, fragment string) {
	t.Helper()
	base := &url.URL{Scheme: "https", Host: "base.example", Path: "/dir/page.html"}
	doc := FromHTML(fragment, base)
	checkNormal(t, doc.Body)
	if again := FromHTML(Render(doc.Body, HTML), nil); diffBodies(doc.Body, again.Body) != "" {
		t.Fatalf("read again it differs:\n%s", diffBodies(doc.Body, again.Body))
	}
	if len(doc.Media) > sdk.MaxMedia {
		t.Fatalf("%d media", len(doc.Media))
	}
	for _, m := range doc.Media {
		if u, err := sdk.CheckLink(m.URL); err != nil || u != m.URL || !strings.HasPrefix(u, "http") {
			t.Fatalf("medium at %q: %v", m.URL, err)
		}
		if len(m.Alt) > sdk.MaxAlt || m.Alt != Line(m.Alt) || m.Credit != Line(m.Credit) || m.Width < 0 || m.Height < 0 {
			t.Fatalf("medium %+v", m)
		}
	}
}

// hostileHTML is markup that strangers write, on purpose or not.
var hostileHTML = []string{
	`<script>alert(1)</script>a<style>p{}</style><!-- c --><![CDATA[d]]><?php x ?><!doctype html>`,
	`<a href="javascript:alert(1)">a</a><a href=" JaVa` + "\t" + `Script:x">b</a><a href="data:text/html,x">c</a><a href="//h.example/x">d</a>`,
	`<a href="http://x.example/100%">p</a><a href="?q=1">q</a><a href=#f>f</a><a href="http://[::1">bad</a><a href=x.html/>s</a>`,
	`<b><i>a</b>b</i><p>c<p>d</div><ul><li>e<li>f<ul><li>g</ul></li></ul><li>stray<ol start=-5><li>h</ol>`,
	`<b><p>x</b>y</p><blockquote><blockquote>z</b></blockquote>w<h2>t<h3>u</h2>v<h1><ul><li>x</ul>y</h1>`,
	`<table><caption>cap</caption><thead><tr><th>A<th>B<tbody><tr><td>1<td>2<tr><td><td></table>`,
	`<table><tr><td><p>a</p><p>b</p><td><table><tr><td>in<td>ner</table></table><td>x</td><tr>y`,
	`<pre>
  code <b>x</b><br>y<p>z</p>
</pre><pre class="language-go"><code>a</code></pre><pre></pre><xmp><b></xmp><listing>l</listing>`,
	`<figure><img src=a.jpg alt=""><figcaption>Cap. <span class=credit>Photo: X</span></figcaption></figure><figcaption>alone</figcaption>`,
	`<img src=p.gif width=1 height=1><img src=d.jpg width=100% height="20px"><img src="data:x" data-src=l.jpg><img srcset="a 1x, b 2x">`,
	`<picture><source srcset="w.webp 2x"><img></picture><video src=v.mp4 poster=p><source src=w.mp4 type=video/mp4>fallback</video><audio><source src=s.mp3></audio>`,
	`<div hidden>no</div><p style="display : none">no<p>yes<span aria-hidden=true>no</span><i style="font-weight:bold;font-style:normal">s</i>`,
	`<form>f<input><select><option>o</select><textarea></form></textarea></form>after<iframe src=x/>i</iframe><svg><title>t</title><p>s</svg>`,
	`<sup>2</sup><sub>2</sub><q>q</q><details><summary>s</summary>d</details><dl><dt>t<dd>d</dl><br><br>x<br/>y<hr>z<wbr>`,
	`<html><head><title>t</title><body class=x>body</body></html>tail<plaintext><b>all`,
	`<p>&nbsp;</p><p> a &nbsp; b </p>&#0;&#xD800;&#x202e;&bogus;&ampx;&lt;b&gt;`,
	`<ul>stray<ul><li>a</ul><p>b</p></ul><li></li><blockquote></blockquote><p></p><h1></h1><b></b><a href=x></a><code> </code>`,
	`<a href="http://x.example/"><h2>T</h2><p>p</p></a><a href=y><img src=i.jpg></a><a name=n>n</a><a href=z><a href=w>w</a></a>`,
	`<img class="emoji" alt="😀" src=e.png><img class=wp-smiley alt=":-)" src=s.png><s>s</s><del>d</del><strike>k</strike><u>u</u>`,
	strings.Repeat("<div><blockquote><ul><li><table><tr><td>", 60) + "deep" + strings.Repeat("</b>", 10),
	`<b`, `<a href="`, `</`, `<!--`, `<p/>a<br/ >b</p/>`, `<<b>>`, `<b>a<b>b</b>c</b>d`, `<code>a <b>b</b></code>`,
}

// A text without tags takes a shorter way, which must lead where the tokenizer does: a comment before it makes it go there.
func TestFromHTMLWithoutTags(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", " ", "a", " a\tb ", "a &lt;b&gt; &eacute; &amp;amp; &copy &nosuch; &", "a\r\nb\rc\n\nd", "&#13;a&#10;b&nbsp;c", "a\x00b\xff&#0;&#xD800;", "> a \"b\" 'c'"} {
		if got, want := FromHTML(in, nil), FromHTML("<!-- -->"+in, nil); !cmp.Equal(got, want) {
			t.Errorf("%q: %s", in, cmp.Diff(want, got))
		}
	}
}

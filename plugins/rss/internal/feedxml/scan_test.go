package feedxml

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

func scan(t testing.TB, doc string) *Document {
	t.Helper()
	d, err := Scan(context.Background(), []byte(doc), Options{Keep: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func rss(items string) string {
	return `<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>T</title>` + items + `</channel></rss>`
}

// inner strips what all canonical items share.
func inner(i Item) string {
	s := string(i.Canonical)
	for _, tag := range []string{"item", "entry"} {
		s = strings.TrimSuffix(strings.TrimPrefix(s, "<"+tag+">"), "</"+tag+">")
	}
	return s
}

func TestScanRepairs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc string
		want      []string // canonical items without their own tag
		repair    string   // part of the repair sentences; empty for none
	}{
		{name: "plain", doc: rss(`<item><title>A</title></item>`), want: []string{`<title>A</title>`}},
		{name: "CDATA", doc: rss(`<item><title><![CDATA[A & B <b>]]> &amp; C</title></item>`), want: []string{`<title><![CDATA[A & B <b> & C]]></title>`}},
		{name: "CDATA that ends itself", doc: rss(`<item><title>a ]]&gt; b</title></item>`), want: []string{`<title><![CDATA[a ]]]]><![CDATA[> b]]></title>`}},
		{name: "bare ampersand", doc: rss(`<item><title>Q&A & more</title></item>`), want: []string{`<title><![CDATA[Q&A & more]]></title>`}, repair: "bare & signs were read as text (2)"},
		{name: "ampersands in an address", doc: rss(`<item><link>http://n.example/?a=1&b=2&copy=3</link></item>`), want: []string{`<link><![CDATA[http://n.example/?a=1&b=2&copy=3]]></link>`}, repair: "bare & signs"},
		{name: "HTML entities", doc: rss(`<item><title>Caf&eacute;&nbsp;&hellip;</title></item>`), want: []string{"<title>Café\u00a0…</title>"}, repair: "names of HTML characters"},
		{name: "entity with a capital", doc: rss(`<item><title>&Eacute;t&eacute;</title></item>`), want: []string{`<title>Été</title>`}, repair: "names of HTML characters"},
		{name: "unknown entity", doc: rss(`<item><title>a &foo; b</title></item>`), want: []string{`<title><![CDATA[a &foo; b]]></title>`}, repair: "bare & signs"},
		{name: "prefix of an entity", doc: rss(`<item><title>a &notit; b</title></item>`), want: []string{`<title><![CDATA[a &notit; b]]></title>`}, repair: "bare & signs"},
		{name: "character references", doc: rss(`<item><title>&#233;&#xE9;&#8217;&#150;</title></item>`), want: []string{`<title>éé’–</title>`}},
		{name: "forbidden references", doc: rss(`<item><title>a&#0;b&#x1F;c&#xFFFF;d&#xD800;e&#99999999;f</title></item>`), want: []string{"<title>a\uFFFDbcd\uFFFDe\uFFFDf</title>"}, repair: "control characters"},
		{name: "control characters", doc: rss("<item><title>a\x00b\x08c\uFFFEd</title></item>"), want: []string{`<title>abcd</title>`}, repair: "control characters, which XML forbids, were left out (3)"},
		{name: "windows-1252 in disguise", doc: rss("<item><title>l\u0092heure \u0093ici\u0094</title></item>"), want: []string{`<title>l’heure “ici”</title>`}, repair: "mistaken for ISO-8859-1"},
		{name: "bare less-than", doc: rss(`<item><title>1 < 2 <3</title></item>`), want: []string{`<title><![CDATA[1 < 2 <3]]></title>`}, repair: "bare < signs were read as text (2)"},
		{name: "markup in a description", doc: rss(`<item><description><p>A<br>b <img src="x.png" alt='"q"'/> &amp; c</p></description></item>`), want: []string{`<description><![CDATA[<p>A<br>b <img src="x.png" alt="&#34;q&#34;"> & c</p>]]></description>`}},
		{name: "unclosed paragraphs in a description", doc: rss(`<item><description><p>A<p>B</description><title>T</title></item>`), want: []string{`<description><![CDATA[<p>A</p><p>B</p>]]></description><title>T</title>`}, repair: "do not match"},
		{name: "markup in a title", doc: rss(`<item><title>A <b>B</b> C</title></item>`), want: []string{`<title>A B C</title>`}},
		{name: "forgotten end of a title", doc: rss(`<item><title>A<link>http://n.example/</link></item>`), want: []string{`<title>A</title><link>http://n.example/</link>`}, repair: "do not match"},
		{name: "forgotten end of an item", doc: rss(`<item><title>A</title><item><title>B</title></item>`), want: []string{`<title>A</title>`, `<title>B</title>`}, repair: "do not match"},
		{name: "forgotten end of a channel's title", doc: `<rss><channel><title>T<item><title>A</title></item></channel></rss>`, want: []string{`<title>A</title>`}, repair: "do not match"},
		{name: "stray end tag", doc: rss(`<item><title>A</title></b></item>`), want: []string{`<title>A</title>`}, repair: "do not match"},
		{name: "end tag in capitals", doc: rss(`<ITEM><Title>A</TITLE></Item>`), want: []string{`<title>A</title>`}},
		{name: "attributes without quotes", doc: rss(`<item><enclosure url=http://n.example/a.mp3 length=5 type=audio/mpeg /></item>`), want: []string{`<enclosure url="http://n.example/a.mp3" length="5" type="audio/mpeg"></enclosure>`}},
		{name: "a tag without its end", doc: rss(`<item><enclosure url="a.mp3" <title>A</title></item>`), want: []string{`<enclosure url="a.mp3"></enclosure><title>A</title>`}, repair: "do not match"},
		{name: "a warning in front", doc: "<br />\n<b>Warning</b>: x in <b>/y</b><br />\n" + rss(`<item><title>A</title></item>`), want: []string{`<title>A</title>`}, repair: "in front of the feed"},
		{name: "text in front", doc: "oops\n" + rss(`<item><title>A</title></item>`), want: []string{`<title>A</title>`}, repair: "in front of the feed"},
		{name: "blanks in front", doc: "\r\n  " + rss(`<item><title>A</title></item>`), want: []string{`<title>A</title>`}},
		{name: "text behind", doc: rss(`<item><title>A</title></item>`) + "<script>x</script>", want: []string{`<title>A</title>`}},
		{name: "broken off in an item", doc: `<rss><channel><item><title>A</title></item><item><title>B</ti`, want: []string{`<title>A</title>`}, repair: "what it broke off in was left out; complete items: 1"},
		{name: "broken off between items", doc: `<rss><channel><item><title>A</title></item>`, want: []string{`<title>A</title>`}, repair: "the end tags are missing; complete items: 1"},
		{name: "broken off in CDATA", doc: rss(`<item><title>A</title></item><item><title><![CDATA[B`), want: []string{`<title>A</title>`}, repair: "was left out"},
		{name: "broken off in an attribute", doc: `<rss><channel><item><title>A</title></item><item><enclosure url="http://n`, want: []string{`<title>A</title>`}, repair: "was left out"},
		{name: "broken off in a comment", doc: `<rss><channel><item><title>A</title></item><!-- `, want: []string{`<title>A</title>`}, repair: "ends early"},
		{name: "DOCTYPE of RSS 0.91", doc: `<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd">` + `<rss version="0.91"><channel><item><title>A</title></item></channel></rss>`, want: []string{`<title>A</title>`}},
		{name: "DOCTYPE with HTML's entities", doc: `<!DOCTYPE rss [<!ENTITY % HTMLlat1 PUBLIC "-//W3C//ENTITIES Latin 1 for XHTML//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml-lat1.ent"> %HTMLlat1; <!ENTITY nbsp "&#160;">]><rss><channel><item><title>a&nbsp;b</title></item></channel></rss>`, want: []string{"<title>a\u00a0b</title>"}, repair: "names of HTML"},
		{name: "DOCTYPE with an entity that nobody uses", doc: `<!DOCTYPE rss [<!ENTITY me "Me">]><rss><channel><item><title>a</title></item></channel></rss>`, want: []string{`<title>a</title>`}},
		{name: "items in the root, RSS 1.0", doc: `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel rdf:about="x"><title>T</title><items><rdf:Seq><rdf:li rdf:resource="u"/></rdf:Seq></items></channel><item rdf:about="u"><title>A</title></item></rdf:RDF>`, want: []string{`<title>A</title>`}},
		{name: "channel without rss", doc: `<channel><item><title>A</title></item></channel>`, want: []string{`<title>A</title>`}},
		{name: "unknown elements", doc: rss(`<item><x:y xmlns:x="urn:x"><title>no</title></x:y><foo>bar</foo><title>A</title></item>`), want: []string{`<title>A</title>`}},
		{name: "the prefix does not matter", doc: `<rss xmlns:c="http://purl.org/rss/1.0/modules/content/" xmlns:m="http://search.yahoo.com/mrss" xmlns:i="HTTP://WWW.ITUNES.COM/DTDs/PodCast-1.0.dtd"><channel><item><c:encoded>x</c:encoded><m:thumbnail url="u"/><i:author>J</i:author></item></channel></rss>`, want: []string{`<content:encoded>x</content:encoded><media:thumbnail url="u"></media:thumbnail><itunes:author>J</itunes:author>`}},
		{name: "a prefix of another namespace", doc: `<rss xmlns:media="urn:other"><channel><item><media:thumbnail url="u"/><title>A</title></item></channel></rss>`, want: []string{`<title>A</title>`}},
		{name: "undeclared prefixes", doc: `<rss><channel><item><media:thumbnail url="u"/><dc:creator>J</dc:creator></item></channel></rss>`, want: []string{`<media:thumbnail url="u"></media:thumbnail><dc:creator>J</dc:creator>`}},
		{name: "a default namespace on rss", doc: `<rss xmlns="http://www.w3.org/2005/Atom"><channel><item><title>A</title></item></channel></rss>`, want: []string{`<title>A</title>`}},
		{name: "an Atom link by its own declaration", doc: rss(`<item><link xmlns="http://www.w3.org/2005/Atom" href="http://n.example/" rel="self"/></item>`), want: []string{`<atom:link href="http://n.example/" rel="self"></atom:link>`}},
		{name: "too many of one kind", doc: rss(`<item>` + strings.Repeat(`<category>x</category>`, 100) + `</item>`), want: []string{strings.Repeat(`<category>x</category>`, 64)}},
		{name: "Atom text", doc: `<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>A &lt;b&gt; &amp; c</title></entry></feed>`, want: []string{`<title type="html"><![CDATA[A &lt;b&gt; &amp; c]]></title>`}},
		{name: "Atom HTML", doc: `<feed xmlns="http://www.w3.org/2005/Atom"><entry><title type="html">A &lt;b&gt;B&lt;/b&gt;</title></entry></feed>`, want: []string{`<title type="html"><![CDATA[A <b>B</b>]]></title>`}},
		{name: "Atom XHTML", doc: `<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>A &lt; B<br/>c</p><hr/></div></content></entry></feed>`, want: []string{`<content type="html"><![CDATA[<p>A &lt; B<br>c</p><hr>]]></content>`}},
		{name: "Atom XHTML with a prefix", doc: `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:h="http://www.w3.org/1999/xhtml"><entry><content type="xhtml"><h:div><h:p>A</h:p></h:div></content></entry></feed>`, want: []string{`<content type="html"><![CDATA[<p>A</p>]]></content>`}},
		{name: "Atom with a prefix", doc: `<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:title>A</a:title><a:link href="u"/></a:entry></a:feed>`, want: []string{`<title type="html">A</title><link href="u"></link>`}},
		{name: "Atom without a namespace", doc: `<feed><entry><title>A</title></entry></feed>`, want: []string{`<title type="html">A</title>`}},
		{name: "Atom 0.3", doc: `<feed version="0.3" xmlns="http://purl.org/atom/ns#"><entry><title mode="escaped" type="text/html">A &lt;i&gt;b&lt;/i&gt;</title><issued>2026-01-05T10:00:00Z</issued><modified>2026-01-06T10:00:00Z</modified></entry></feed>`, want: []string{`<title type="html"><![CDATA[A <i>b</i>]]></title><published>2026-01-05T10:00:00Z</published><updated>2026-01-06T10:00:00Z</updated>`}},
		{name: "Atom content of another type", doc: `<feed><entry><content type="image/png">iVBORw0KGgo=</content></entry></feed>`, want: []string{`<content type="html"></content>`}},
		{name: "Atom tombstone in an entry is none", doc: `<feed><entry><at:deleted-entry ref="x"/><title>A</title></entry></feed>`, want: []string{`<title type="html">A</title>`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := scan(t, c.doc)
			var got []string
			for _, i := range d.Items {
				got = append(got, inner(i))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			notes := strings.Join(d.Repairs, "; ")
			if (notes == "") != (c.repair == "") || !strings.Contains(notes, c.repair) {
				t.Errorf("repairs are %q, want %q", notes, c.repair)
			}
			wellFormed(t, d)
		})
	}
}

func TestScanNotesWhatTheCanonicalFormCannotCarry(t *testing.T) {
	t.Parallel()
	doc := `<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://n.example/a/" xml:lang="fr">
<entry xml:base="b/" xml:lang="de"><id> tag:n.example,2026:é b </id><updated>2026-01-05T10:00:00Z</updated>
<link href="c.html" xml:base="/z/"/><content type="html" xml:base="http://cdn.example/">x</content></entry>
<entry><id>2</id></entry></feed>`
	d := scan(t, doc)
	if d.Lang != "fr" || d.Base.String() != "http://n.example/a/" || d.Format != Atom || d.Total != 2 {
		t.Errorf("the document is %+v", d)
	}
	one, two := d.Items[0], d.Items[1]
	if one.ID != "tag:n.example,2026:é b" || one.Lang != "de" || one.Base.String() != "http://n.example/a/b/" ||
		one.ContentBase.String() != "http://cdn.example/" || one.Date != "2026-01-05T10:00:00Z" {
		t.Errorf("the first entry is %+v", one)
	}
	if !strings.Contains(string(one.Canonical), `href="http://n.example/z/c.html"`) {
		t.Errorf("a link with its own xml:base was not resolved: %s", one.Canonical)
	}
	if two.ID != "2" || two.Lang != "fr" || two.Base.String() != "http://n.example/a/" || two.ContentBase != nil {
		t.Errorf("the second entry is %+v", two)
	}
	u, err := url.Parse("http://n.example/feeds/x.xml")
	if err != nil {
		t.Fatal(err)
	}
	d, err = Scan(context.Background(), []byte(`<rss><channel xml:base="../y/"><item rdf:about="u"><title>A</title></item></channel></rss>`), Options{URL: u, Keep: 9})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Items[0]; got.Base.String() != "http://n.example/y/" || got.ID != "u" || !got.About {
		t.Errorf("the item is %+v", got)
	}
}

func TestScanKeepsAWindowOfItems(t *testing.T) {
	t.Parallel()
	var items strings.Builder
	for i := range 30 {
		fmt.Fprintf(&items, "<item><title>%d</title></item>", i)
	}
	d, err := Scan(context.Background(), []byte(rss(items.String())), Options{Skip: 20, Keep: 5})
	if err != nil {
		t.Fatal(err)
	}
	if d.Total != 30 || len(d.Items) != 5 || inner(d.Items[0]) != "<title>20</title>" || inner(d.Items[4]) != "<title>24</title>" {
		t.Errorf("kept %d of %d, the first is %s", len(d.Items), d.Total, d.Items[0].Canonical)
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	laughs := `<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]><rss><channel><item><title>&lol2;</title></item></channel></rss>`
	quadratic := `<!DOCTYPE rss [<!ENTITY a "` + strings.Repeat("a", 50_000) + `">]><rss><channel><item><title>` + strings.Repeat("&a;", 50_000) + `</title></item></channel></rss>`
	for _, c := range []struct {
		name, doc string
		code      sdk.Code
		says      string
	}{
		{"two million nested tags", strings.Repeat("<a>", 2_000_000), sdk.CodeInvalid, ""},
		{"two million nested tags in a feed", "<rss><channel><item>" + strings.Repeat("<a>", 2_000_000), sdk.CodeTooLarge, "nested more than 100 levels"},
		{"nested tags in a text", "<rss><channel><item><description>" + strings.Repeat("<b>", 1000), sdk.CodeTooLarge, "nested more than"},
		{"nested tags in XHTML", `<feed><entry><content type="xhtml">` + strings.Repeat("<div>", 1000), sdk.CodeTooLarge, "nested more than"},
		{"nested media groups", "<rss><channel><item>" + strings.Repeat("<media:group>", 1000), sdk.CodeTooLarge, "nested more than"},
		{"a million attributes", "<rss><channel><item " + strings.Repeat(`a="" `, 1_000_000) + "/></channel></rss>", sdk.CodeTooLarge, "more than 256 attributes"},
		{"a million items", "<rss><channel>" + strings.Repeat("<item/>", 1_000_000) + "</channel></rss>", sdk.CodeTooLarge, "more than 50000 items"},
		{"a million elements", "<rss><channel>" + strings.Repeat("<a/>", 1_000_000) + "</channel></rss>", sdk.CodeTooLarge, "more than 500000 elements"},
		{"namespaces without end", "<rss><channel>" + strings.Repeat(`<a xmlns:a="x" xmlns:b="x" xmlns:c="x" xmlns:d="x" xmlns:e="x" xmlns:f="x" xmlns:g="x">`, 99), sdk.CodeTooLarge, "namespaces"},
		{"a name without end", "<rss><channel><" + strings.Repeat("a", 1_000_000) + "/></channel></rss>", sdk.CodeTooLarge, "name of more than"},
		{"billion laughs", laughs, sdk.CodeInvalid, "made of other entities (lol2)"},
		{"quadratic blow-up", quadratic, sdk.CodeInvalid, "entity that it declares itself (&a;)"},
		{"a DOCTYPE without end", "<!DOCTYPE rss [" + strings.Repeat(" ", 100_000), sdk.CodeInvalid, "DOCTYPE"},
		{"a long DOCTYPE", "<!DOCTYPE rss " + strings.Repeat("x ", 100_000) + "><rss/>", sdk.CodeTooLarge, "DOCTYPE"},
		{"entities without end", "<!DOCTYPE rss [" + strings.Repeat(`<!ENTITY x "">`, 5) + manyEntities(400) + "]><rss/>", sdk.CodeTooLarge, "more than 300 entities"},
		{"an external entity", `<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><item><title>&x;</title></item></channel></rss>`, sdk.CodeInvalid, "external entity (x)"},
		{"an entity without value", `<!DOCTYPE rss [<!ENTITY x>]><rss/>`, sdk.CodeInvalid, "without a value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Scan(context.Background(), []byte(c.doc), Options{Keep: 1000})
			if c.says == "" {
				if _, ok := errors.AsType[*NotFeedError](err); !ok {
					t.Fatalf("the error is %v", err)
				}
				return
			}
			if e := sdk.AsError(err); err == nil || e.Code != c.code || !strings.Contains(e.Public, c.says) {
				t.Fatalf("the error is %v (%v), want %s with %q", err, sdk.AsError(err), c.code, c.says)
			}
		})
	}
}

func manyEntities(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<!ENTITY e%d "x">`, i)
	}
	return b.String()
}

func TestScanKnowsWhatIsNoFeed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc string
		page      bool
		says      string
	}{
		{"a page", "<!DOCTYPE html><html><head><title>x</title></head></html>", true, "web page"},
		{"a page in capitals", "<HTML><BODY>", true, "web page"},
		{"a page that holds a feed's text", "<html><body><pre><rss></pre>", true, "web page"},
		{"half a page", "<div>x</div>", true, "web page"},
		{"a site map", `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"/>`, false, "<urlset>"},
		{"OPML", `<opml version="2.0"/>`, false, "<opml>"},
		{"words", "hello", false, "neither XML nor JSON"},
		{"nothing", "", false, "neither XML nor JSON"},
		{"a comment", "<!-- x -->", false, "neither XML nor JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Scan(context.Background(), []byte(c.doc), Options{Keep: 1000})
			var other *NotFeedError
			if !errors.As(err, &other) || other.Page != c.page || !strings.Contains(other.Error(), c.says) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestScanCutsLongTexts(t *testing.T) {
	t.Parallel()
	d := scan(t, rss("<item><title>"+strings.Repeat("é", MaxPlain)+"</title><description>"+strings.Repeat("&lt;p>é", MaxText/4)+"</description></item>"))
	if n := len(d.Items[0].Canonical); n > MaxPlain+MaxText+100 || !utf8.Valid(d.Items[0].Canonical) {
		t.Errorf("%d bytes were kept", n)
	}
	if !strings.Contains(strings.Join(d.Repairs, " "), "were cut (2)") {
		t.Errorf("repairs are %q", d.Repairs)
	}
}

func TestScanStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Scan(ctx, []byte(rss(strings.Repeat("<item><title>A</title></item>", 1000))), Options{Keep: 1000})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// wellFormed holds the promise towards the parser behind: strict XML, shallow, without declarations.
func wellFormed(t testing.TB, d *Document) {
	t.Helper()
	for _, doc := range [][]byte{d.Head, d.Wrap(d.Items)} {
		dec := xml.NewDecoder(bytes.NewReader(doc))
		depth := 0
		for {
			tok, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("the canonical form is not well-formed: %v\n%.2000s", err, doc)
			}
			switch tok := tok.(type) {
			case xml.StartElement:
				depth++
				if depth > MaxDepth+4 || len(tok.Attr) > 8 {
					t.Fatalf("the canonical form has depth %d and %d attributes", depth, len(tok.Attr))
				}
			case xml.EndElement:
				depth--
			case xml.Directive, xml.ProcInst, xml.Comment:
				t.Fatalf("the canonical form holds %T", tok)
			}
		}
	}
}

// FuzzScan holds that whatever comes in, what comes out is well-formed and small, or an error of a known kind.
func FuzzScan(f *testing.F) {
	f.Add([]byte(rss(`<item><title>A &amp; B</title><description><p>x<br>y</description></item>`)))
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr"><entry><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>A</p></div></content></entry></feed>`))
	f.Add([]byte(`<!DOCTYPE rss [<!ENTITY x "y">]><rss><channel><item><item><title>&x;<link>`))
	f.Add([]byte(`<br><b>Warning<?xml version="1.0"?><rdf:RDF xmlns="http://purl.org/rss/1.0/"><item rdf:about=x><media:group><media:content url=y`))
	f.Add([]byte("<rss><channel><skipHours><hour>1</hour><item xml:base='a'><title><![CDATA[]]]]></title>\xC2\x92</item>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) {
			data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
		}
		d, err := Scan(context.Background(), data, Options{Keep: 50})
		if err != nil {
			var known *sdk.Error
			var other *NotFeedError
			if !errors.As(err, &known) && !errors.As(err, &other) {
				t.Fatalf("an unknown error: %v", err)
			}
			return
		}
		size := len(d.Head)
		for _, i := range d.Items {
			size += len(i.Canonical)
		}
		if size > 8*len(data)+1000 {
			t.Fatalf("%d bytes became %d", len(data), size)
		}
		if d.Total < len(d.Items) || len(d.Items) > 50 {
			t.Fatalf("%d items of %d", len(d.Items), d.Total)
		}
		wellFormed(t, d)
	})
}

// TestScanTakesLinearTime repeats what is unfinished, unbalanced or costly a hundred thousand times, in every place; a
// step that looked back or ahead for each of them would take minutes.
func TestScanTakesLinearTime(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"", "<rss><channel><item><title>", "<rss><channel><item><description>", "<feed><entry><content type='xhtml'>", "<rss><channel><item "} {
		for _, p := range []string{"<", "<a", "<a ", "<a b=", "<a b='", "&", "&#1", "<!", "<!--", "<![CDATA[", "<?", "</", "</a>", "<item>", "<title>",
			"<p>", "xmlns:a='b' ", "<a/>", "]]>", "\u0092", "&lt;", "<link>", "<description><p>", "<b></c>", "<a xml:base='x'/>"} {
			began := time.Now()
			_, _ = Scan(context.Background(), []byte(begin+strings.Repeat(p, 1<<20/len(p))), Options{Keep: 1000}) // any result will do
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%q and then %q took %s", begin, p, took)
			}
		}
	}
}

package web_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/web"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
	"github.com/mmcdole/gofeed"
	"golang.org/x/net/html"
)

// hostile are texts that want to be more than text.
var hostile = map[string]string{
	"script":      `<script>pwned=1</script>`,
	"attribute":   `"><img src=x onerror=pwned=1>`,
	"quote":       `' onmouseover='pwned=1' x='`,
	"end of data": `</title></script></textarea><svg onload=pwned=1>`,
	"address":     `javascript:pwned=1`,
	"template":    `{{.Site}}{{template "top"}}${7*7}<%= 7 %>`,
	"section":     `]]></content><entry><title>x</title></entry><![CDATA[`,
	"comment":     `--><!-- <b>x</b>`,
	"entity":      `&lt;b&gt; &amp;amp; &#x3c;script&#x3e; &bogus;`,
	"bidi":        "abc \u202Egpj.exe\u2066\u2067\u202B def",
	"line breaks": "Titre\r\nSet-Cookie: pwned=1\r\n\r\n<p>x",
	"controls":    "a\x00b\x1bc\x7f\ufeffd\ufffe",
	"terminal":    "a\u009b31mb\x1b]0;c\x07d\u0085e\u2028f\u2029g\x08h\uffffi\ufdd0j\U0001fffe",
	"no UTF-8":    "caf\xe9 \xf0\x28",
	"huge word":   strings.Repeat("Donaudampfschifffahrt", 200),
	"many marks":  "z" + strings.Repeat("\u0301", 3000),
	"emoji":       strings.Repeat("👩‍👩‍👧‍👦🏴‍☠️", 200),
	"right":       "مرحبا <b>بالعالم</b> \u202E",
	"json":        `","@type":"Person","x":"\u2028\u2029</script>`,
}

// hostileContent puts a text into every field of a content.
func hostileContent(s string) compose.Content {
	link := "https://gazette.example/?q=" + s
	entry := compose.Entry{Title: s, Summary: s, URL: "javascript:" + s, Tags: []string{s}, Authors: []sdk.Author{{Name: s, URL: s}}, Media: []sdk.Media{{URL: "https://gazette.example/photos/1.jpg", Alt: s, Credit: s}}}
	linked := entry
	linked.URL = link
	return compose.Content{Lang: s, Title: s, Summary: s + "\n" + s, URL: link, Note: s, Tags: []string{s}, Authors: []sdk.Author{{Name: s, URL: s}, {Name: s, URL: link}},
		Media:   []sdk.Media{{URL: "https://gazette.example/photos/1.jpg", Alt: s, Credit: s}, {URL: s, Alt: s}},
		Entries: []compose.Entry{entry, linked},
		Body: sdk.Body{sdk.Paragraph(sdk.Text(s), sdk.Link("javascript:pwned=1", sdk.Text(s)), sdk.Link(link, sdk.Text(s))), {Kind: sdk.NodeCodeBlock, Lang: s, Text: s},
			{Kind: sdk.NodeHeading, Level: -4, Children: []sdk.Node{sdk.Text(s)}}, {Kind: sdk.NodeKind(s), Text: s}}}
}

// controls are characters that command a terminal or a program, and what is no character in XML.
func controls(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r == '\ufffe' || r == '\uffff'
}

// harmless reports what is wrong with a page or fragment: anything that runs, loads from elsewhere or reorders text.
func harmless(doc *html.Node) []string {
	var bad []string
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && strings.ContainsAny(n.Data, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b\ufeff") {
			bad = append(bad, fmt.Sprintf("text with controls: %.60q", n.Data))
		}
		if n.Type == html.TextNode && strings.ContainsFunc(n.Data, controls) {
			bad = append(bad, fmt.Sprintf("text with controls: %.60q", n.Data))
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script":
			if attr(n, "type") != "application/ld+json" || !json.Valid([]byte(n.FirstChild.Data)) {
				bad = append(bad, "a script")
			}
		case "style", "iframe", "frame", "object", "embed", "form", "base", "video", "audio", "math", "template", "textarea", "input":
			bad = append(bad, "<"+n.Data+">")
		case "svg":
			if len(n.Attr) == 0 || attr(n, "viewbox") == "" && attr(n, "viewBox") == "" {
				bad = append(bad, "a strange <svg>")
			}
		}
		for _, a := range n.Attr {
			if strings.ContainsFunc(a.Val, controls) {
				bad = append(bad, fmt.Sprintf("%s with controls: %.60q", a.Key, a.Val))
			}
			switch key := strings.ToLower(a.Key); {
			case strings.HasPrefix(key, "on"), key == "style", key == "srcdoc", key == "http-equiv", key == "formaction":
				bad = append(bad, fmt.Sprintf("%s=%.40q on <%s>", key, a.Val, n.Data))
			case key == "href" || key == "src" || key == "xlink:href":
				if u, err := url.Parse(a.Val); err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
					bad = append(bad, fmt.Sprintf("%s=%.60q on <%s>", key, a.Val, n.Data))
				}
			case key == "srcset" && strings.Contains(a.Val, "gazette.example"):
				bad = append(bad, "an image from elsewhere")
			}
			if n.Data == "img" && a.Key == "src" && !strings.HasPrefix(a.Val, "/media/") && !strings.HasPrefix(a.Val, "https://canaux.gazette.example/media/") {
				bad = append(bad, fmt.Sprintf("an image from %.60q", a.Val))
			}
		}
	}
	return bad
}

func hostileNewsroom(t *testing.T, s string) (*newsroom, map[string]string) {
	config := gazette()
	n := open(t, config)
	n.picture(1, "", "")
	config.Site.Title, config.Site.Description = s, s
	for _, name := range []string{"alertes", "brief", "culture"} {
		c := config.Channels[name]
		c.Title, c.Description = configs.Localized{"": s}, configs.Localized{"fr": s}
		config.Channels[name] = c
	}
	l := outbox.Lane{Destination: "telegram", Chat: "@gazette", ResolvedAt: n.clock.now(), Ref: sdk.ChannelRef{URL: "javascript:" + s, Title: s}}
	if err := n.db.SaveLane(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	n.server.Use(config)
	paths := map[string]string{"front": "/", "sitemap": "/sitemap.xml"}
	for channel, kind := range map[string]compose.PostKind{"alertes": compose.KindEach, "culture": compose.KindEditor, "brief": compose.KindDigest} {
		c := hostileContent(s)
		if kind != compose.KindDigest {
			c.Entries = nil
		}
		id, many := "", 3
		if channel == "alertes" {
			many = 22 // more than a page holds
		}
		for range many {
			id = n.post(channel, "2026-11-20 07:00:00", kind, c)
		}
		n.revise(id, "2026-11-20 07:10:00", func(c *compose.Content) { c.Note += " bis" })
		paths[channel], paths[channel+" post"] = "/c/"+channel, "/c/"+channel+"/"+id
		paths[channel+" atom"], paths[channel+" json"] = "/c/"+channel+"/feed.atom", "/c/"+channel+"/feed.json"
	}
	n.server.Changed()
	return n, paths
}

func TestHostile(t *testing.T) {
	t.Parallel()
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, paths := hostileNewsroom(t, s)
			// What is readable must come out as it went in: control characters are all that goes.
			want := strings.Join(strings.Fields(render.CutText(render.Line(s), 100, sdk.UnitBytes)), " ")
			want = strings.TrimSuffix(want, "…")
			for what, path := range paths {
				a := n.get(path)
				if a.Status != 200 {
					t.Errorf("%s: status %d", what, a.Status)
					continue
				}
				for key, values := range a.Header {
					if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") || key == "Set-Cookie" {
						t.Errorf("%s: header %s: %q", what, key, values)
					}
				}
				switch {
				case strings.HasSuffix(what, "atom"):
					atomRules(t, a.Body)
					if strings.ContainsFunc(html.UnescapeString(a.Body), controls) {
						t.Errorf("%s has controls", what)
					}
					hostileFeed(t, what, a.Body, want)
				case strings.HasSuffix(what, "json"):
					jsonRules(t, a.Body)
					hostileFeed(t, what, a.Body, want)
				case what == "sitemap":
				default:
					doc := parse(t, a.Body)
					if bad := harmless(doc); bad != nil {
						t.Errorf("%s: %v", what, slices.Compact(bad))
					}
					if seen := strings.Join(strings.Fields(text(doc)), " "); !strings.Contains(seen, want) {
						t.Errorf("%s does not show %q:\n%.600s", what, want, seen)
					}
					if size := len(a.Body); size > 48<<10 && !strings.HasSuffix(what, "post") {
						t.Errorf("%s has %d bytes", what, size)
					}
				}
			}
		})
	}
}

// hostileFeed looks at a feed as a reader's program does.
func hostileFeed(t *testing.T, what, body, want string) {
	t.Helper()
	feed, err := gofeed.NewParser().ParseString(body)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if len(feed.Items) < 3 {
		t.Errorf("%s: only %d items", what, len(feed.Items))
	}
	told := []string{feed.Title, feed.Description}
	for _, it := range feed.Items {
		told = append(told, it.Title, it.Description, it.Content, strings.Join(it.Categories, ""))
		for _, a := range it.Authors {
			told = append(told, a.Name)
		}
	}
	if all := strings.Join(told, ""); strings.ContainsFunc(all, controls) {
		t.Errorf("%s has controls: %.400q", what, all)
	}
	for _, it := range feed.Items[:1] {
		if bad := harmless(parse(t, it.Content)); bad != nil {
			t.Errorf("%s: %v in %s", what, bad, it.Content)
		}
		if !strings.HasSuffix(what, "atom") {
			// A title of JSON Feed is plain text; gofeed gives it as it stands.
			if got := strings.Join(strings.Fields(it.Title), " "); !strings.Contains(got, want) {
				t.Errorf("%s: the title is %.200q, want %q", what, got, want)
			}
		}
		if seen := strings.Join(strings.Fields(text(parse(t, it.Content))), " "); !strings.Contains(seen, want) {
			t.Errorf("%s does not show %q: %.400s", what, want, seen)
		}
	}
}

// FuzzItemPage holds that no item makes a page that does more than be read.
func FuzzItemPage(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, "https://gazette.example/?q="+s, uint8(3))
	}
	f.Add("x", "javascript:alert(1)", uint8(0))
	f.Fuzz(func(t *testing.T, s, link string, how uint8) {
		it := sdk.Item{Key: "k", Title: s, Summary: s, URL: link, Lang: s, Correction: s, Authors: []sdk.Author{{Name: s, URL: link}},
			Media: []sdk.Media{{URL: "https://gazette.example/1.jpg", Alt: s, Credit: s}},
			Body:  sdk.Body{sdk.Paragraph(sdk.Text(s), sdk.Link(link, sdk.Text(s))), {Kind: sdk.NodeKind(s), Level: int(how), Text: s}}}
		page, err := web.ItemPage(it, web.Preview{Full: how&1 > 0, Lang: []string{"fr", "en"}[how>>1&1],
			Files: compose.Files{"https://gazette.example/1.jpg": {Name: strings.Repeat("a", 64) + ".jpg", Width: 800, Height: 600}}})
		if err != nil {
			t.Fatal(err)
		}
		if bad := harmless(parse(t, string(page))); bad != nil {
			t.Errorf("%v in:\n%s", bad, page)
		}
	})
}

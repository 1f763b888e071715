package hostile

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
	htmlparse "golang.org/x/net/html"
	"golang.org/x/text/unicode/norm"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk/render"
)

// naughty reads the Big List of Naughty Strings (testdata/blns, MIT), and adds what it lacks.
func naughty(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/blns/blns.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return append(list, "Title\r\nSet-Cookie: a=1\r\n\r\n<p>x", "a\x01b\x1b[31mc", "evil \u202egnp.exe\u202c \u2066x\u2069", "{{.Title}}{{template \"x\"}}",
		"]]></title><entry/><![CDATA[", "*bold* _it_ ~s~ ||x|| `c` [l](https://x.example)", "</script><script>alert(1)</script>", "\u2028line\u2029")
}

// TestNaughtyStrings carries each string, as a title, a summary, a text, a tag and an author, from a feed to every page,
// feed and destination, and holds that it comes out as it went in, as text.
func TestNaughtyStrings(t *testing.T) {
	t.Parallel()
	room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Naughty", Lang: "en"}}
	want := map[string]string{} // the cleaned title by the article's address
	text := func(s string) string { return packed(norm.NFC.String(render.Line(s))) }
	raw := map[string]string{} // as it went in
	for i, s := range naughty(t) {
		link := "https://news.example/" + strconv.Itoa(i)
		title := norm.NFC.String(render.Line(s))
		if title == "" {
			continue // an article needs words
		}
		want[link], raw[link] = title, s
		room.Publish(feedtest.Article{ID: link, Link: link, Title: s, Summary: "Summary: " + s, HTML: "<p>" + html.EscapeString(s) + "</p>" + s,
			Author: s, Tags: []string{s}, Published: time.Now().Add(-time.Duration(i) * time.Minute)})
	}
	site := feedtest.New()
	site.Feed("/feed", room.JSON()) // JSON carries controls that XML cannot
	const token, chat = "123456:abcdefghijklmnopqrstuvwxyzABCDEFGHI", -1001234567890
	telegram := telegramtest.New(telegramtest.Options{Token: token, Bot: "naughty_bot", Chats: []telegramtest.Chat{{ID: chat, Type: "channel", Title: "N", Username: "naughty",
		Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}}}})
	receiver, err := receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{pressSecret}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.Handle("/hook", receiver)
	mux.Handle("/telegram/", http.StripPrefix("/telegram", telegram))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
data_dir: data
alerts: none
sources: {naughty: {type: rss, url: %q, poll: 1m, baseline: all, max_new: 100000, allow_private: [127.0.0.0/8]}}
destinations:
  hook: {type: http, url: %q, secret: %q, allow_private: [127.0.0.0/8]}
  telegram: {type: telegram, token: %q, api: %q, rates: off, allow_private: [127.0.0.0/8]}
channels:
  all:
    title: All
    sources: [naughty]
    each: {settle: 0s}
    content: full
    publish_to: [{destination: hook}, {destination: telegram, chat: "@naughty"}]
`, server.URL+"/feed", server.URL+"/hook", pressSecret, token, server.URL+"/telegram")
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemontest.Start(t, program(), dir)
	base := d.Ready()
	for deadline := time.Now().Add(patience); len(receiver.State().Posts) < len(want) || len(telegram.Messages(chat)) < len(want); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) || !d.Running() {
			t.Fatalf("%d of %d posts and %d messages came:\n%s", len(receiver.State().Posts), len(want), len(telegram.Messages(chat)), d.Tail())
		}
	}
	if refused := receiver.State().Refused; len(refused) > 0 {
		t.Errorf("the receiver refused: %q", refused)
	}
	get := func(url string) string {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for name := range resp.Header {
			if name == "Set-Cookie" {
				t.Errorf("%s sets a cookie", url)
			}
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", url, resp.Status, err)
		}
		return string(body)
	}
	messages := map[string]string{}
	for _, m := range telegram.Messages(chat) {
		for link := range want {
			if strings.HasSuffix(m.Text, link) || strings.Contains(m.Raw, link+`"`) || strings.Contains(m.Raw, link+"\n") {
				messages[link] = m.Text
			}
		}
	}
	pages := map[string]string{}
	for _, p := range receiver.State().Posts {
		if p.Title != want[p.URL] {
			t.Errorf("%s: the receiver got the title %q, want %q", p.URL, p.Title, want[p.URL])
		}
		if !strings.Contains(messages[p.URL], want[p.URL]) {
			t.Errorf("%s: Telegram shows %q, want %q in it", p.URL, messages[p.URL], want[p.URL])
		}
		pages[p.URL] = p.ID
		if in := text("Summary: " + raw[p.URL]); !strings.Contains(packed(p.Summary), in) {
			t.Errorf("%s: the receiver got the summary %q, want %q in it", p.URL, p.Summary, in)
		}
		if in := text(raw[p.URL]); !strings.Contains(packed(p.Text), in) {
			t.Errorf("%s: the receiver got the text %q, want %q in it", p.URL, p.Text, in)
		}
	}
	for _, name := range []string{"feed.atom", "feed.json"} {
		feed, err := gofeed.NewParser().ParseString(get(base + "/c/all/" + name))
		if err != nil {
			t.Fatal(err)
		}
		if len(feed.Items) == 0 {
			t.Errorf("%s is empty", name)
		}
		for _, it := range feed.Items {
			if _, known := want[it.Link]; known && it.Title != want[it.Link] {
				t.Errorf("%s: %s has the title %q, want %q", it.Link, name, it.Title, want[it.Link])
			}
		}
	}
	for link, id := range pages {
		doc, err := htmlparse.Parse(strings.NewReader(get(base + "/c/all/" + id)))
		if err != nil {
			t.Fatal(err)
		}
		heading, whole := "", packed(words(doc))
		for _, in := range []string{text("Summary: " + raw[link]), text(raw[link])} {
			if !strings.Contains(whole, in) {
				t.Errorf("%s: the page lacks %q", link, in)
			}
		}
		for n := range doc.Descendants() {
			if n.Type != htmlparse.ElementNode {
				continue
			}
			if n.Data == "h1" {
				heading = words(n)
			}
			if bad := dangerous(n); bad != "" {
				t.Errorf("%s: the page has %s", link, bad)
			}
		}
		if fold(heading) != fold(want[link]) {
			t.Errorf("%s: the page is headed %q, want %q", link, heading, want[link])
		}
	}
	t.Logf("%d strings came out as they went in", len(want))
}

func fold(s string) string { return strings.Join(strings.Fields(s), " ") }

func words(n *htmlparse.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == htmlparse.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// dangerous says what of an element could run or load something.
func dangerous(n *htmlparse.Node) string {
	switch n.Data {
	case "style", "iframe", "object", "embed", "base", "math", "form":
		return "<" + n.Data + ">"
	case "script":
		if len(n.Attr) != 1 || n.Attr[0].Val != "application/ld+json" {
			return "a script"
		}
	}
	for _, a := range n.Attr {
		switch key := strings.ToLower(a.Key); {
		case strings.HasPrefix(key, "on"), key == "style", key == "srcdoc", key == "http-equiv":
			return key + " on <" + n.Data + ">"
		case key == "href" || key == "src":
			if scheme, _, found := strings.Cut(a.Val, ":"); found && !strings.HasPrefix(a.Val, "/") && scheme != "http" && scheme != "https" && scheme != "mailto" {
				return "a link to " + a.Val
			}
		}
	}
	return ""
}

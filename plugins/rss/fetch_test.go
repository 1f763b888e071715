package rss

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

func TestTheThreeFormats(t *testing.T) {
	t.Parallel()
	room := articles(3)
	room.Publish(feedtest.Article{ID: "id-x", Title: "Full & <new>", Link: "https://gazette.example/x", Summary: "Short", HTML: "<p>Long</p>", Author: "Jane", Tags: []string{"alerte"},
		Lang: "en", Image: "https://gazette.example/x.jpg", Published: start, Updated: start.Add(time.Hour), NotBefore: start.Add(48 * time.Hour), Urgency: 2, Correction: "Typo"})
	room.Withdraw("id-b", "A mistake", start)
	var first []sdk.Item
	for name, body := range map[string][]byte{"RSS": room.RSS(), "Atom": room.Atom(), "JSON": room.JSON()} {
		b := newBench(t)
		b.site.Feed("/feed", body)
		batch := b.fetch(t)
		if len(batch.Notices) > 0 {
			t.Errorf("%s: notices %q", name, batch.Notices)
		}
		if diff := cmp.Diff([]string{"id-x", "id-c", "id-a"}, keysOf(batch)); diff != "" {
			t.Errorf("%s: keys (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([]sdk.Removal{{Key: "id-b", Reason: "tombstone in the feed: A mistake", At: start}}, batch.Removed); diff != "" {
			t.Errorf("%s: removed (-want +got):\n%s", name, diff)
		}
		// The formats say the same, so the items must be the same; only Atom demands a time of update.
		for i := range batch.Items[1:] {
			batch.Items[i+1].Updated = time.Time{}
		}
		if first == nil {
			first = batch.Items
		} else if diff := cmp.Diff(first, batch.Items); diff != "" {
			t.Errorf("%s differs (-first +this):\n%s", name, diff)
		}
	}
	if it := first[0]; it.Urgency != 2 || it.Correction != "Typo" || !it.NotBefore.Equal(start.Add(48*time.Hour)) || it.Title != "Full & <new>" ||
		it.Lang != "en" || len(it.Media) != 1 || it.Summary != "Short" || len(it.Body) != 1 || it.Authors[0].Name != "Jane" {
		t.Errorf("the item is %+v", it)
	}
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, etag, modified string }{
		{"both", `W/"a-gzip, \"x"`, "Fri, 20 Nov 2026 07:00:00 GMT"},
		{"a tag without quotes", "abc-gzip", ""},
		{"a tag of other bytes", "\"caf\xe9\"", ""},
		{"a date in no known form", "", "2026-11-20 07:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			page := feedtest.Page{Type: "application/rss+xml", Body: articles(3).RSS(), ETag: c.etag, Modified: c.modified}
			b.site.Set("/feed", page)
			if got := b.fetch(t); len(got.Items) != 3 || got.Unchanged {
				t.Fatalf("the first fetch gave %d items, unchanged %v", len(got.Items), got.Unchanged)
			}
			before := bytes.Clone(b.cursor)
			b.later(10 * time.Minute)
			if got := b.fetch(t); !got.Unchanged || len(got.Items) != 0 {
				t.Fatalf("the second fetch gave %d items, unchanged %v", len(got.Items), got.Unchanged)
			}
			if !bytes.Equal(before, b.cursor) {
				t.Error("a 304 changed the cursor, which then must be written again")
			}
			reqs := b.site.Requests()
			if h := reqs[0].Header; h.Get("If-None-Match") != "" || h.Get("If-Modified-Since") != "" {
				t.Errorf("the first request was conditional: %v", h)
			}
			if h := reqs[1].Header; h.Get("If-None-Match") != c.etag || h.Get("If-Modified-Since") != c.modified || reqs[1].Status != 304 {
				t.Errorf("the second request was answered %d: %v", reqs[1].Status, h)
			}
		})
	}
}

func TestValidatorsAreDropped(t *testing.T) {
	t.Parallel()
	page := feedtest.Page{Type: "application/rss+xml", Body: articles(3).RSS(), ETag: `"1"`}
	asked := func(b *bench) string { return b.site.Requests()[0].Header.Get("If-None-Match") }
	t.Run("when a later answer has none", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.site.Set("/feed", page)
		b.fetch(t)
		b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: articles(4).RSS()})
		b.fetch(t)
		b.site.Requests()
		b.fetch(t)
		if tag := asked(b); tag != "" {
			t.Errorf("after an answer without validators %q was sent", tag)
		}
	})
	t.Run("when forced", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.site.Set("/feed", page)
		b.fetch(t)
		b.site.Requests()
		if got := b.fetch(t, true); len(got.Items) != 3 || got.Unchanged {
			t.Errorf("a forced fetch gave %d items, unchanged %v", len(got.Items), got.Unchanged)
		}
		if tag := asked(b); tag != "" {
			t.Errorf("a forced fetch sent %q", tag)
		}
	})
	t.Run("when the parser or the settings changed", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.site.Set("/feed", page)
		b.fetch(t)
		b.site.Requests()
		other := openSource(t, fetch.New(), b.server.URL+"/feed", func(c *Config) { c.Zone = "Europe/Paris" })
		got, err := other.Fetch(context.Background(), sdk.FetchRequest{Cursor: b.cursor, Now: b.now})
		if err != nil || len(got.Items) != 3 || asked(b) != "" {
			t.Errorf("another zone gave %d items: %v", len(got.Items), err)
		}
	})
	t.Run("after a week of 304", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		stuck := page
		stuck.Always304 = true
		b.site.Set("/feed", stuck)
		b.fetch(t)
		stuck.Body = articles(5).RSS()
		b.site.Set("/feed", stuck)
		b.later(6 * 24 * time.Hour)
		if !b.fetch(t).Unchanged {
			t.Fatal("a stuck server did not answer 304")
		}
		b.later(25 * time.Hour)
		b.site.Requests()
		if got := b.fetch(t); len(got.Items) != 5 || asked(b) != "" {
			t.Errorf("after a week %d items came", len(got.Items))
		}
		b.later(time.Hour)
		b.site.Requests()
		if b.fetch(t); asked(b) == "" {
			t.Error("conditional requests did not resume")
		}
	})
	t.Run("when the document was broken off", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		half := page
		half.Body = page.Body[:len(page.Body)-40]
		b.site.Set("/feed", half)
		if got := b.fetch(t); len(got.Items) != 2 {
			t.Fatalf("half a document gave %d items", len(got.Items))
		}
		b.site.Requests()
		if got := b.fetch(t); !got.Unchanged || asked(b) != "" {
			t.Error("the same half was read twice, or its validators were kept")
		}
		b.site.Set("/feed", page)
		b.site.Requests()
		if got := b.fetch(t); len(got.Items) != 3 || asked(b) != "" {
			t.Errorf("the whole document gave %d items", len(got.Items))
		}
	})
	t.Run("when nothing of it could be read", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.site.Set("/feed", page)
		b.fetch(t)
		cursor := bytes.Clone(b.cursor)
		b.site.Set("/feed", feedtest.Page{Type: "text/html", Body: []byte("<html><body>Robot check</body></html>"), ETag: `"html"`})
		if e := b.fails(t); e.Code != sdk.CodeInvalid {
			t.Errorf("a page gave %v", e)
		}
		b.site.Set("/feed", page)
		if !bytes.Equal(cursor, b.cursor) || !b.fetch(t).Unchanged {
			t.Error("a failure moved the cursor")
		}
	})
}

func TestTheSameBodyIsNotReadAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page := feedtest.Page{Type: "application/rss+xml", Body: articles(3).RSS()}
	b.site.Set("/feed", page)
	b.fetch(t)
	b.later(time.Hour)
	if got := b.fetch(t); !got.Unchanged || len(got.Items) != 0 {
		t.Errorf("the same body gave %d items", len(got.Items))
	}
	page.Body = articles(4).RSS()
	b.site.Set("/feed", page)
	if got := b.fetch(t); got.Unchanged || len(got.Items) != 4 {
		t.Errorf("another body gave %d items", len(got.Items))
	}
}

func TestUnknownCursorsMeanAFirstFetch(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"garbage", `{"v":99,"etag":"IjEi"}`, `{"v":1}`, `{"v":1,"moved":3}`, `[]`, "\xff\xfe", strings.Repeat("x", sdk.MaxCursor+1)} {
		b := newBench(t)
		b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: articles(3).RSS(), ETag: `"1"`})
		b.cursor = sdk.Cursor(raw)
		if got := b.fetch(t); len(got.Items) != 3 {
			t.Errorf("the cursor %.20q gave %d items", raw, len(got.Items))
		}
	}
}

func TestTheCursorStaysSmall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var doc strings.Builder
	doc.WriteString("<rss><channel>")
	for i := range 1000 {
		fmt.Fprintf(&doc, "<item><guid>same-%d</guid><link>https://n.example/%d</link><title>x</title></item>", i/2, i)
	}
	doc.WriteString("</channel></rss>")
	b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: []byte(doc.String()), ETag: `"` + strings.Repeat("e", 900) + `"`, Modified: strings.Repeat("m", 5000)})
	if got := b.fetch(t); len(got.Items) != 1000 {
		t.Errorf("%d items", len(got.Items))
	}
	var c cursor
	if err := json.Unmarshal(b.cursor, &c); err != nil || len(c.Shared) != maxShared || len(c.Modified) != 0 {
		t.Errorf("the cursor of %d bytes holds %d shared identifiers and a date of %d bytes: %v", len(b.cursor), len(c.Shared), len(c.Modified), err)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"", "gzip", "br", "zstd", "deflate", "raw-deflate", "unasked-gzip", "claimed-gzip", "identity"} {
		b := newBench(t)
		b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: articles(20).RSS(), Encoding: encoding})
		if got := b.fetch(t); len(got.Items) != 20 || len(got.Notices) > 0 {
			t.Errorf("%q: %d items, notices %q", encoding, len(got.Items), got.Notices)
		}
		if h := b.site.Requests()[0].Header; h.Get("Accept-Encoding") != "gzip, br, zstd" {
			t.Errorf("the encodings asked for are %q", h.Get("Accept-Encoding"))
		}
	}
	b := newBench(t)
	b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: articles(2).RSS(), Encoding: "lzma"})
	if e := b.fails(t); e.Code != sdk.CodeInvalid || !strings.Contains(e.Public, "unknown way") {
		t.Errorf("an unknown encoding: %v", e)
	}
}

func TestWhatARequestCarries(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Contact = "https://gazette.example/contact" })
	b.site.Feed("/feed", articles(1).RSS())
	b.fetch(t)
	h := b.site.Requests()[0].Header
	if got := h.Get("User-Agent"); got != "Belfry/test (https://belfry.example) (https://gazette.example/contact)" {
		t.Errorf("the User-Agent is %q", got)
	}
	if got := h.Get("Accept"); !strings.HasPrefix(got, "application/atom+xml, application/rss+xml, application/feed+json, ") {
		t.Errorf("Accept is %q", got)
	}
	for _, name := range []string{"Cookie", "Referer", "Authorization"} {
		if h.Get(name) != "" {
			t.Errorf("the request carries %s", name)
		}
	}
}

func TestDocumentsAreReadWithoutTheNetwork(t *testing.T) {
	t.Parallel()
	n := fetch.New()
	n.Gate = nil // any request would panic
	src := openSource(t, n, "https://unreachable.example/feed")
	batch, err := src.Fetch(context.Background(), sdk.FetchRequest{Now: start, Document: &sdk.Document{URL: "https://base.example/x/feed.xml", ContentType: "text/xml; charset=iso-8859-1",
		Body: []byte("<rss><channel><title>T</title><item><title>Caf\xe9</title><link>a.html</link></item></channel></rss>")}})
	if err != nil || len(batch.Items) != 1 || batch.Items[0].Title != "Café" || batch.Items[0].URL != "https://base.example/x/a.html" || batch.About.Title != "T" {
		t.Errorf("the batch is %+v: %v", batch, err)
	}
	if len(batch.Next) == 0 {
		t.Error("there is no cursor")
	}
	for name, c := range map[string]struct {
		doc  sdk.Document
		code sdk.Code
		says string
	}{
		"a page":             {sdk.Document{Body: []byte(`<html><link rel=alternate type=application/rss+xml href="https://a.example/f.xml">`)}, sdk.CodeInvalid, "it names a feed at https://a.example/f.xml"},
		"a page without any": {sdk.Document{Body: []byte(`<html>`)}, sdk.CodeInvalid, "a web page, not a feed; give the feed's own address"},
		"a bad base":         {sdk.Document{Body: []byte(`<rss/>`), URL: "feed.xml"}, sdk.CodeInvalid, "no address to resolve links against"},
		"too large":          {sdk.Document{Body: make([]byte, 11<<20)}, sdk.CodeTooLarge, "larger than 10MiB"},
		"nothing":            {sdk.Document{}, sdk.CodeInvalid, "empty"},
	} {
		_, err := src.Fetch(context.Background(), sdk.FetchRequest{Now: start, Document: &c.doc})
		if e := sdk.AsError(err); err == nil || e.Code != c.code || !strings.Contains(e.Public, c.says) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	batch, err = src.Fetch(context.Background(), sdk.FetchRequest{Now: start, Document: &sdk.Document{Body: gzipped(t, articles(2).JSON())}})
	if err != nil || len(batch.Items) != 2 {
		t.Errorf("a compressed file gave %d items: %v", len(batch.Items), err)
	}
}

func TestExpiredFeedsStop(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	doc := func(expired bool, n int) []byte {
		return fmt.Appendf(nil, `{"version":"https://jsonfeed.org/version/1.1","title":"T","expired":%v,"items":[{"id":"%d","title":"x"}]}`, expired, n)
	}
	b.site.Feed("/feed", doc(true, 1))
	got := b.fetch(t)
	if len(got.Items) != 1 || got.Wait != 24*time.Hour || !strings.Contains(strings.Join(got.Notices, " "), "declares itself finished") {
		t.Errorf("the last items: %d, wait %s, notices %q", len(got.Items), got.Wait, got.Notices)
	}
	if e := b.fails(t); e.Code != sdk.CodeGone {
		t.Errorf("the error is %v", e)
	}
	b.site.Feed("/feed", doc(true, 2))
	if got := b.fetch(t); len(got.Items) != 1 || got.Items[0].Key != "2" {
		t.Errorf("an item after the end was lost: %+v", got.Items)
	}
	b.site.Feed("/feed", doc(false, 3))
	if got := b.fetch(t); len(got.Items) != 1 {
		t.Errorf("a feed that goes on gave %d items", len(got.Items))
	}
	if got := b.fetch(t); !got.Unchanged {
		t.Error("a feed that goes on is gone")
	}
}

func TestIdentifiersThatSeveralItemsUse(t *testing.T) {
	t.Parallel()
	item := func(guid, link string, hours int) string {
		return fmt.Sprintf("<item><guid>%s</guid><link>https://n.example/%s</link><title>%s</title><pubDate>%s</pubDate></item>",
			guid, link, link, start.Add(time.Duration(hours)*time.Hour).Format(time.RFC1123Z))
	}
	feed := func(items ...string) []byte {
		return []byte("<rss><channel>" + strings.Join(items, "") + "</channel></rss>")
	}
	b := newBench(t)
	steps := []struct {
		name   string
		items  []string
		want   []string
		notice string
	}{
		{"all from the beginning", []string{item("same", "b", -1), item("same", "a", -2), item("own", "c", -3)}, []string{"same https://n.example/b", "same https://n.example/a", "own"}, "told apart by their addresses (1)"},
		{"one of them left", []string{item("same", "b", -1), item("own", "c", -3)}, []string{"same https://n.example/b", "own"}, ""},
		{"sharing begins: the older keeps its key", []string{item("own", "d", 0), item("own", "c", -3)}, []string{"own https://n.example/d", "own"}, "told apart by their addresses (1)"},
		{"the older left", []string{item("own", "d", 0), item("other", "e", -4)}, []string{"own https://n.example/d", "other"}, ""},
		{"repetitions", []string{item("r", "f", 0), item("r", "f", 0)}, []string{"r"}, "taken once (1)"},
	}
	for _, s := range steps {
		b.site.Feed("/feed", feed(s.items...))
		got := b.fetch(t)
		if diff := cmp.Diff(s.want, keysOf(got)); diff != "" {
			t.Errorf("%s: keys (-want +got):\n%s", s.name, diff)
		}
		if notes := strings.Join(got.Notices, "; "); !strings.Contains(notes, s.notice) {
			t.Errorf("%s: the notices are %q", s.name, notes)
		}
	}
}

// Items that a feed gives neither an identifier nor an address are told apart by title and date, and only where two of them
// collide by their texts, so that a corrected text stays a revision as long as that is possible.
func TestItemsWithoutIdentifierAndAddress(t *testing.T) {
	t.Parallel()
	item := func(title, text, date string) string {
		return fmt.Sprintf("<item><title>%s</title><description>%s</description><pubDate>%s</pubDate></item>", title, text, date)
	}
	const monday, tuesday = "Mon, 16 Nov 2026 06:00:00 GMT", "Tue, 17 Nov 2026 06:00:00 GMT"
	b := newBench(t)
	named := map[string]string{} // keys by the names that the steps give them
	for _, s := range []struct {
		name   string
		items  []string
		want   []string
		notice string
	}{
		{"two of one title and date at the first fetch", []string{item("Accident", "A bus.", monday), item("Accident", "A tram.", monday), item("Accident", "A car.", tuesday)},
			[]string{"bus", "tram", "car"}, "neither an identifier nor an address share a title and a date"},
		{"set otherwise", []string{item("Accident", "  A\n<b>bus</b>.", monday), item("Accident", "A tram.", monday), item("Accident", "A car.", tuesday)}, []string{"bus", "tram", "car"}, ""},
		{"one left", []string{item("Accident", "A tram.", monday)}, []string{"tram"}, ""},
		{"a single one", []string{item("Météo", "Sun.", "")}, []string{"sun"}, ""},
		{"a single one is corrected", []string{item("Météo", "Sun and wind.", "")}, []string{"sun"}, ""},
		{"a second one comes", []string{item("Météo", "Snow.", ""), item("Météo", "Sun and wind.", "")}, []string{"snow", "sun"}, "(1); a guid for each item mends it"},
		{"the first one left", []string{item("Météo", "Snow.", "")}, []string{"snow"}, ""},
		{"without any text", []string{item("Silence", "", ""), item("Silence", "It is over.", "")}, []string{"silence", "over"}, "share a title and a date"},
		{"repetitions", []string{item("Twice", "The same.", ""), item("Twice", "The same.", "")}, []string{"twice"}, "taken once (1)"},
	} {
		b.site.Feed("/feed", []byte("<rss><channel>"+strings.Join(s.items, "")+"</channel></rss>"))
		batch := b.fetch(t)
		var got []string
		for i, key := range keysOf(batch) {
			name := named[key]
			if name == "" && i < len(s.want) {
				name = s.want[i]
				for k, taken := range named {
					if taken == name {
						t.Errorf("%s: %s was known as %s, and is %s now", s.name, name, k, key)
					}
				}
				named[key] = name
			}
			got = append(got, name)
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
		if notes := strings.Join(batch.Notices, "; "); !strings.Contains(notes, s.notice) || s.notice == "" && strings.Contains(notes, "share a title") {
			t.Errorf("%s: the notices are %q", s.name, notes)
		}
	}
}

func TestLongIdentifiersBecomeKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	long := strings.Repeat("x", 3000)
	b.site.Feed("/feed", []byte(`<rss xmlns:at="http://purl.org/atompub/tombstones/1.0"><channel><at:deleted-entry ref="`+long+`y" when="2026-11-20T00:00:00Z"/><item><guid>`+long+`</guid><title>x</title></item></channel></rss>`))
	got := b.fetch(t)
	if key := got.Items[0].Key; !strings.HasPrefix(key, "sha256:") || len(key) > sdk.MaxKey || len(got.Removed) != 1 || !strings.HasPrefix(got.Removed[0].Key, "sha256:") {
		t.Errorf("the key is %q, removed %+v", key, got.Removed)
	}
}

func TestTombstonesOfItemsThatAreBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	room := articles(2)
	gone := room.Articles()[0]
	room.Withdraw(gone.ID, "", start)
	b.site.Feed("/feed", room.RSS())
	if got := b.fetch(t); len(got.Items) != 1 || len(got.Removed) != 1 || got.Removed[0].Key != gone.ID {
		t.Errorf("withdrawn: %d items, removed %+v", len(got.Items), got.Removed)
	}
	gone.Updated = start.Add(time.Hour)
	room.Publish(gone)
	b.site.Feed("/feed", room.RSS())
	if got := b.fetch(t); len(got.Items) != 2 || len(got.Removed) != 0 {
		t.Errorf("published again: %d items, removed %+v", len(got.Items), got.Removed)
	}
}

func TestCursorsTellNoAddresses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Source = openSource(t, fetch.New(), b.server.URL+"/feed?token=canary-42")
	b.site.Feed("/feed", articles(2).RSS())
	b.fetch(t)
	if raw, err := base64.StdEncoding.DecodeString(string(b.cursor)); err == nil && bytes.Contains(raw, []byte("canary")) || bytes.Contains(b.cursor, []byte("canary")) {
		t.Errorf("the cursor holds the token: %s", b.cursor)
	}
	b.site.Set("/feed", feedtest.Page{Status: http.StatusNotFound})
	if e := b.fails(t); strings.Contains(e.Error()+fmt.Sprint(e.Err), "canary") {
		t.Errorf("the error holds the token: %v", e)
	}
}

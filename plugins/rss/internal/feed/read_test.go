package feed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

func read(t testing.TB, body string) *Feed {
	t.Helper()
	f, err := Read(context.Background(), input(t, []byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"plain", "Hello", "Hello"},
		{"double-escaped", "Fish &amp; chips", "Fish & chips"},
		{"escaped three times", "Fish &amp;amp; chips", "Fish &amp; chips"},
		{"entity", "Caf&eacute; &#8217;26", "Café ’26"},
		{"no semicolon", "R&D, AT&T, ?a=1&copy=2", "R&D, AT&T, ?a=1&copy=2"},
		{"paired tags", "The <em>new</em> <b class=\"x\">thing</b>", "The new thing"},
		{"a lone tag", "How to use the <b> tag", "How to use the <b> tag"},
		{"a break", "One<br/>two", "One two"},
		{"less than", "5 < 6 and <3", "5 < 6 and <3"},
		{"escaped tag is text", "&lt;b&gt; in HTML", "<b> in HTML"},
		{"blanks", "  a \n\t b  ", "a b"},
		{"bidi", "evil \u202egnp.exe\u202c \u2066x\u2069", "evil gnp.exe x"},
		{"joiners stay in emoji", "👩\u200d🚒", "👩\u200d🚒"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := unknownTitle(c.in); got != c.want {
				t.Errorf("%q became %q, want %q", c.in, got, c.want)
			}
		})
	}
	if got := unknownTitle(strings.Repeat("é", 3000)); len(got) > sdk.MaxTitle || !utf8.ValidString(got) {
		t.Errorf("a long title has %d bytes", len(got))
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Jane": "Jane", "jane@news.example (Jane Writer)": "Jane Writer", "Jane Writer <jane@news.example>": "Jane Writer",
		"Jane Writer (jane@news.example)": "Jane Writer", "jane@news.example": "", "mailto:jane@news.example": "", "Jane &amp; Bob": "Jane & Bob",
		"@jane on air": "@jane on air", "": "",
	} {
		if got := person(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestCanonicalLinks(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"HTTPS://News.Example":                      "https://news.example/",
		"https://news.example:443/a#x":              "https://news.example/a",
		"http://news.example:80/a?":                 "http://news.example/a",
		"https://news.example/a?utm_source=x&id=1":  "https://news.example/a?id=1",
		"https://news.example/a?fbclid=1&gclid=2":   "https://news.example/a",
		"https://news.example/a?mc_cid=1&b=&UTM_x=": "https://news.example/a?b=",
		"https://news.example/A?ref=rss":            "https://news.example/A?ref=rss",
		"":                                          "",
	} {
		if got := canonical(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestRelativeLinks(t *testing.T) {
	t.Parallel()
	const item = `<item><title>x</title><link>a/b.html</link></item></channel></rss>`
	for _, c := range []struct{ name, doc, want string }{
		{"against xml:base", `<rss xml:base="https://base.example/x/"><channel><link>https://site.example/y/</link>` + item, "https://base.example/x/a/b.html"},
		{"against the channel's link", `<rss><channel><link>https://site.example/y/</link>` + item, "https://site.example/y/a/b.html"},
		{"against the document", `<rss><channel>` + item, "https://fetched.example/feeds/a/b.html"},
		{"xml:base is a file, not a folder", `<rss xml:base="https://base.example/x/feed.xml"><channel>` + item, "https://base.example/x/a/b.html"},
		{"a relative xml:base", `<rss xml:base="/z/"><channel>` + item, "https://fetched.example/z/a/b.html"},
		{"without a scheme", `<rss><channel><item><title>x</title><link>//cdn.example/a</link></item></channel></rss>`, "https://cdn.example/a"},
		{"a bare host", `<rss><channel><item><title>x</title><link>www.news.example/a</link></item></channel></rss>`, "https://www.news.example/a"},
		{"blanks inside", "<rss><channel><item><title>x</title><link>\n https://n.example/a b\n</link></item></channel></rss>", "https://n.example/a%20b"},
		{"a script", `<rss><channel><item><title>x</title><link>javascript:alert(1)</link></item></channel></rss>`, ""},
		{"a password", `<rss><channel><item><title>x</title><link>https://u:p@n.example/</link></item></channel></rss>`, ""},
		{"a permalink instead", `<rss><channel><item><title>x</title><guid>https://n.example/g</guid></item></channel></rss>`, "https://n.example/g"},
		{"no permalink", `<rss><channel><item><title>x</title><guid isPermaLink="false">https://n.example/g</guid></item></channel></rss>`, ""},
		{"a guid that is no address", `<rss><channel><item><title>x</title><guid>g</guid></item></channel></rss>`, ""},
		{"an Atom link", `<rss xmlns:a="http://www.w3.org/2005/Atom"><channel><item><title>x</title><a:link href="https://n.example/a"/></item></channel></rss>`, "https://n.example/a"},
		{"the original behind a counter", `<rss xmlns:f="http://rssnamespace.org/feedburner/ext/1.0"><channel><item><title>x</title><link>https://count.example/1</link><f:origLink>https://n.example/o</f:origLink></item></channel></rss>`, "https://n.example/o"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := read(t, c.doc).Entries[0].Item.URL; got != c.want {
				t.Errorf("the address is %q, want %q", got, c.want)
			}
		})
	}
}

func TestIncredibleDatesAreNone(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]bool{"1 Jan 1989 00:00:00 GMT": false, "1 Jan 1991 00:00:00 GMT": true,
		now.AddDate(0, 6, 0).Format(time.RFC1123Z): true, now.AddDate(1, 0, 1).Format(time.RFC1123Z): false} {
		f := read(t, `<rss><channel><item><title>x</title><pubDate>`+date+`</pubDate></item></channel></rss>`)
		if got := !f.Entries[0].Item.Published.IsZero(); got != want {
			t.Errorf("%s counts as a date: %v", date, got)
		}
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Many words follow here. ", 200)
	f := read(t, `<rss xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<item><guid>1</guid><description>Short.</description><content:encoded>&lt;p&gt;`+long+`&lt;/p&gt;</content:encoded></item>
<item><guid>2</guid><content:encoded>&lt;p&gt;`+long+`&lt;/p&gt;</content:encoded></item>
<item><guid>3</guid><description>&lt;p&gt;`+long+`&lt;/p&gt;</description></item></channel></rss>`)
	if got := f.Entries[0].Item; got.Summary != "Short." || len(plain(got.Body)) < 4000 {
		t.Errorf("a description beside a content: summary %q, body of %d bytes", got.Summary, len(plain(got.Body)))
	}
	for _, e := range f.Entries[1:] {
		if n := len(e.Item.Summary); n < cutSummary/2 || n > cutSummary || len(plain(e.Item.Body)) < 4000 {
			t.Errorf("item %s: a summary of %d bytes, body of %d bytes", e.ID, n, len(plain(e.Item.Body)))
		}
	}
	in := input(t, []byte(`<rss xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><item><guid>1</guid><description>Short.</description><content:encoded>Full</content:encoded></item></channel></rss>`))
	in.Description = true
	f, err := Read(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got := plain(f.Entries[0].Item.Body); got != "Short." {
		t.Errorf("the body from the description is %q", got)
	}
}

func TestTheNewestItemsAreKept(t *testing.T) {
	t.Parallel()
	doc := func(xml, ascending bool) string {
		var b strings.Builder
		for i := range 1500 {
			n := i
			if !ascending {
				n = 1499 - i
			}
			at := now.Add(-time.Duration(1500-n) * time.Hour)
			if xml {
				fmt.Fprintf(&b, "<item><guid>g%d</guid><title>x</title><pubDate>%s</pubDate></item>", n, at.Format(time.RFC1123Z))
			} else {
				fmt.Fprintf(&b, `{"id":"g%d","title":"x","date_published":%q},`, n, at.Format(time.RFC3339))
			}
		}
		if xml {
			return "<rss><channel>" + b.String() + "</channel></rss>"
		}
		return `{"version":"https://jsonfeed.org/version/1.1","items":[` + strings.TrimSuffix(b.String(), ",") + `]}`
	}
	for _, c := range []struct{ xml, ascending bool }{{true, false}, {true, true}, {false, false}, {false, true}} {
		f := read(t, doc(c.xml, c.ascending))
		newest := map[bool]Entry{true: f.Entries[len(f.Entries)-1], false: f.Entries[0]}[c.ascending]
		if len(f.Entries) != MaxItems || newest.ID != "g1499" {
			t.Errorf("xml %v, ascending %v: %d items, the newest is %s", c.xml, c.ascending, len(f.Entries), newest.ID)
		}
		if notes := strings.Join(f.Notices, "; "); !strings.Contains(notes, "the feed has 1500 items; the newest 1000 were read") {
			t.Errorf("the notices are %q", notes)
		}
	}
}

func TestACompleteFeedMustBeWhole(t *testing.T) {
	t.Parallel()
	const head = `<rss xmlns:fh="http://purl.org/syndication/history/1.0"><channel><fh:complete/>`
	for _, c := range []struct {
		name, doc string
		want      bool
	}{
		{"whole", head + `<item><guid>1</guid><title>x</title></item></channel></rss>`, true},
		{"broken off", head + `<item><guid>1</guid><title>x</title></item><item>`, false},
		{"too long", head + strings.Repeat(`<item><guid>1</guid><title>x</title></item>`, 1001) + `</channel></rss>`, false},
		{"with an item left out", head + `<item><guid>1</guid><title>x</title></item><item/></channel></rss>`, false},
	} {
		if got := read(t, c.doc).Complete; got != c.want {
			t.Errorf("%s: complete is %v", c.name, got)
		}
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, head string
		want       Hints
	}{
		{"none", "", Hints{}},
		{"ttl", "<ttl> 90 </ttl>", Hints{Every: 90 * time.Minute}},
		{"a ttl of a year", "<ttl>525600</ttl>", Hints{Every: 24 * time.Hour}},
		{"a ttl that is none", "<ttl>soon</ttl>", Hints{}},
		{"hourly, twice", "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>", Hints{Every: 30 * time.Minute}},
		{"a frequency alone is daily", "<sy:updateFrequency>4</sy:updateFrequency>", Hints{Every: 6 * time.Hour}},
		{"weekly is bounded", "<sy:updatePeriod>weekly</sy:updatePeriod>", Hints{Every: 24 * time.Hour}},
		{"an unknown period", "<sy:updatePeriod>often</sy:updatePeriod>", Hints{}},
		{"hours", "<skipHours><hour>0</hour><hour>24</hour><hour>13</hour><hour>99</hour></skipHours>", Hints{Hours: 1 | 1<<13}},
		{"days", "<skipDays><day>saturday</day><day>Sunday</day><day>Feierabend</day></skipDays>", Hints{Days: 1 | 1<<6}},
		{"every day", "<skipDays><day>Monday</day><day>Tuesday</day><day>Wednesday</day><day>Thursday</day><day>Friday</day><day>Saturday</day><day>Sunday</day></skipDays>", Hints{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := read(t, `<rss xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel>`+c.head+`<item><title>x</title></item></channel></rss>`)
			if diff := cmp.Diff(c.want, f.Hints); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("testdata", "refused", "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Read(context.Background(), input(t, body))
	var page *PageError
	if !errors.As(err, &page) {
		t.Fatalf("the error is %v", err)
	}
	if diff := cmp.Diff([]string{"https://site.example/sub/feed.xml", "https://site.example/atom.xml"}, page.Feeds); diff != "" {
		t.Errorf("feeds (-want +got):\n%s", diff)
	}
}

// TestBombs holds that each bomb is refused soon, in little memory, and with a sentence.
func TestBombs(t *testing.T) {
	const head = `<?xml version="1.0"?><rss version="2.0"><channel>`
	for _, c := range []struct {
		name string
		doc  func() string
		code sdk.Code // empty when it may be read
	}{
		{"two million nested tags", func() string { return head + "<item>" + strings.Repeat("<a>", 2_000_000) }, sdk.CodeTooLarge},
		{"a million attributes", func() string { return head + "<item " + strings.Repeat(`a="b" `, 1_000_000) + "/>" }, sdk.CodeTooLarge},
		{"a million items", func() string { return head + strings.Repeat("<item/>", 1_000_000) }, sdk.CodeTooLarge},
		{"half a million elements in an item", func() string { return head + "<item>" + strings.Repeat("<media:content/>", 600_000) }, sdk.CodeTooLarge},
		{"billion laughs", func() string {
			return `<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>` + head + "<title>&b;</title>"
		}, sdk.CodeInvalid},
		{"quadratic blow-up", func() string {
			return `<!DOCTYPE r [<!ENTITY a "` + strings.Repeat("a", 60_000) + `">]>` + head + "<title>" + strings.Repeat("&a;", 1_000_000) + "</title>"
		}, sdk.CodeInvalid},
		{"JSON a million deep", func() string { return `{"items":[{"a":` + strings.Repeat("[", 1_000_000) }, sdk.CodeTooLarge},
		{"a million JSON items", func() string { return `{"items":[` + strings.Repeat("{},", 1_000_000) + "{}]}" }, sdk.CodeTooLarge},
		{"nothing but zeros", func() string { return strings.Repeat("\x00", 10<<20) }, sdk.CodeInvalid},
		{"nothing but blanks", func() string { return strings.Repeat(" ", 10<<20) }, sdk.CodeInvalid},
		{"ten MiB of one title", func() string {
			return head + "<item><title>" + strings.Repeat("title ", 1_700_000) + "</title></item></channel></rss>"
		}, ""},
		{"deep HTML in CDATA", func() string {
			return head + "<item><title>x</title><description><![CDATA[" + strings.Repeat("<div>", 300_000) + "]]></description></item></channel></rss>"
		}, ""},
		{"a thousand items with ten KiB each", func() string {
			return head + strings.Repeat("<item><title>x</title><description>"+strings.Repeat("&lt;p>some words ", 600)+"</description></item>", 1000) + "</channel></rss>"
		}, ""},
		{"ten MiB of tags in one description", func() string {
			return head + "<item><title>x</title><description><![CDATA[" + strings.Repeat("<b>x</b><p>", 900_000) + "]]></description></item></channel></rss>"
		}, ""},
		{"the most elements that are kept", func() string {
			return head + strings.Repeat("<item><title>x</title>"+strings.Repeat(`<media:content url="https://a.example/b.jpg"/><category>c</category>`, 60)+"</item>", 1000) + "</channel></rss>"
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := []byte(c.doc())
			heap := watchHeap(t)
			began := time.Now()
			f, err := Read(context.Background(), input(t, doc))
			took, peak := time.Since(began), heap()
			t.Logf("%d bytes: %s, %d MiB of heap", len(doc), took.Round(time.Millisecond), peak>>20)
			switch {
			case c.code == "" && err != nil:
				t.Errorf("the error is %v", err)
			case c.code == "":
				for _, e := range f.Entries {
					check(t, e)
				}
			case err == nil || sdk.AsError(err).Code != c.code || sdk.AsError(err).Public == "":
				t.Errorf("the error is %v, want %s", err, c.code)
			}
			// It takes a second or two, and hours where the work grows with the square of the size.
			if !raceEnabled && took > time.Minute {
				t.Errorf("it took %s", took)
			}
			if !raceEnabled && peak > 100<<20 {
				t.Errorf("%d MiB of heap were in use", peak>>20)
			}
		})
	}
}

// watchHeap samples how much heap is in use beyond what was, until the function it gives is called.
func watchHeap(t *testing.T) func() uint64 {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				if m.HeapAlloc > before {
					peak = max(peak, m.HeapAlloc-before)
				}
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return peak
	}
}

// FuzzRead holds the package's promise: any bytes give valid, bounded entries or one error of a known kind.
func FuzzRead(f *testing.F) {
	for _, dir := range []string{"good", "broken", "refused"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, ".golden") {
				continue
			}
			body, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body, "application/xml")
		}
	}
	f.Add([]byte(`{"items":[{"id":1,"attachments":[{"duration_in_seconds":1e300}]}]}`), "application/json; charset=utf-16")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		in := input(t, body)
		in.ContentType = contentType
		feed, err := Read(context.Background(), in)
		if err != nil {
			var page *PageError
			var known *sdk.Error
			if !errors.As(err, &page) && (!errors.As(err, &known) || known.Public == "") {
				t.Fatalf("an unknown error: %v", err)
			}
			return
		}
		for _, e := range feed.Entries {
			check(t, e)
		}
		if len(feed.Entries) > MaxItems || len(feed.Notices) > maxNotices {
			t.Fatalf("%d entries, %d notices", len(feed.Entries), len(feed.Notices))
		}
		for _, r := range feed.Removed {
			if r.Key == "" || len(r.Key) > sdk.MaxKey || len(r.Reason) > 1000 {
				t.Fatalf("a removal of %q for %q", r.Key, r.Reason)
			}
		}
	})
}

package rss

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

func paths(b *bench) string {
	var out []string
	for _, r := range b.site.Requests() {
		out = append(out, r.Path)
	}
	return strings.Join(out, " ")
}

func TestPermanentMoves(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusPermanentRedirect} {
		b := newBench(t)
		b.site.Redirect("/feed", status, "/new")
		b.site.Feed("/new", articles(2).RSS())
		steps := []struct {
			wait time.Duration
			want string
		}{{0, "/feed /new"}, {time.Hour, "/feed /new"}, {22 * time.Hour, "/feed /new"}, {2 * time.Hour, "/feed /new"}, {time.Hour, "/new"}, {time.Hour, "/new"}}
		for i, s := range steps {
			b.later(s.wait)
			got := b.fetch(t)
			if asked := paths(b); asked != s.want {
				t.Errorf("%d: fetch %d asked %s, want %s", status, i, asked, s.want)
			}
			moved := strings.Contains(strings.Join(got.Notices, " "), "has moved for good to "+b.server.URL+"/new")
			if moved != (i == 3) {
				t.Errorf("%d: fetch %d: notices %q", status, i, got.Notices)
			}
			if (i == 0) == got.Unchanged {
				t.Errorf("%d: fetch %d: unchanged is %v", status, i, got.Unchanged)
			}
		}
		// It goes back when the configured address is asked on purpose and no longer redirects.
		b.site.Feed("/feed", articles(3).RSS())
		b.fetch(t, true)
		paths(b)
		b.later(time.Hour)
		b.fetch(t)
		if asked := paths(b); asked != "/feed" {
			t.Errorf("%d: after going back %s was asked", status, asked)
		}
	}
}

func TestWaysThatAreNotPermanent(t *testing.T) {
	t.Parallel()
	for name, way := range map[string][]int{
		"302": {302}, "303": {303}, "307": {307}, "302 then 301": {302, 301}, "301 then 302": {301, 302}, "308 then 307": {308, 307},
	} {
		b := newBench(t)
		at := "/feed"
		for i, status := range way {
			to := "/" + string(rune('a'+i))
			b.site.Redirect(at, status, to)
			at = to
		}
		b.site.Feed(at, articles(1).RSS())
		for range 4 {
			b.fetch(t)
			b.later(25 * time.Hour)
		}
		if asked := paths(b); strings.Count(asked, "/feed") != 4 {
			t.Errorf("%s: the address was replaced: %s was asked", name, asked)
		}
	}
}

func TestAMoveMustLast(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.site.Feed("/new", articles(1).RSS())
	b.site.Redirect("/feed", http.StatusMovedPermanently, "/new")
	b.fetch(t)
	b.later(25 * time.Hour)
	b.site.Feed("/feed", articles(1).RSS())
	b.fetch(t)
	b.later(25 * time.Hour)
	b.site.Redirect("/feed", http.StatusMovedPermanently, "/new")
	b.fetch(t)
	paths(b)
	b.later(time.Hour)
	b.fetch(t)
	if asked := paths(b); asked != "/feed /new" {
		t.Errorf("an interrupted move was believed: %s was asked", asked)
	}
}

func TestAMoveToSomethingElseIsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.site.Feed("/feed", articles(1).RSS())
	b.fetch(t)
	b.site.Redirect("/feed", http.StatusMovedPermanently, "/page")
	b.site.Set("/page", feedtest.Page{Type: "text/html", Body: []byte("<html>moved")})
	for range 3 {
		b.later(25 * time.Hour)
		if e := b.fails(t); e.Code != sdk.CodeInvalid {
			t.Errorf("a page gave %v", e)
		}
	}
	b.site.Feed("/feed", articles(2).RSS())
	paths(b)
	b.fetch(t)
	if asked := paths(b); asked != "/feed" {
		t.Errorf("%s was asked", asked)
	}
}

func TestAnAddressInUseThatFailsIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.site.Redirect("/feed", http.StatusMovedPermanently, "/new")
	b.site.Feed("/new", articles(1).RSS())
	for range 3 {
		b.fetch(t)
		b.later(25 * time.Hour)
	}
	paths(b)
	// A failure that passes changes nothing.
	b.site.Set("/new", feedtest.Page{Status: 500})
	if e := b.fails(t); e.Code != sdk.CodeUnavailable || paths(b) != "/new" {
		t.Errorf("the error is %v", e)
	}
	// Both gone: the error is that of the address in use.
	b.site.Set("/new", feedtest.Page{Status: 410})
	b.site.Remove("/feed")
	if e := b.fails(t); e.Code != sdk.CodeGone || paths(b) != "/new /feed" {
		t.Errorf("the error is %v", e)
	}
	b.site.Feed("/feed", articles(2).RSS())
	got := b.fetch(t)
	if len(got.Items) != 2 || !strings.Contains(strings.Join(got.Notices, " "), "the configured one is fetched again") {
		t.Errorf("%d items, notices %q", len(got.Items), got.Notices)
	}
	paths(b)
	b.fetch(t)
	if asked := paths(b); asked != "/feed" {
		t.Errorf("%s was asked", asked)
	}
}

func TestRedirectsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, to string
		code     sdk.Code
		says     string
	}{
		{"in a circle", "/feed", sdk.CodeUnavailable, "in a circle"},
		{"without end", "/1", sdk.CodeUnavailable, "more than 5 times"},
		{"to a file", "file:///etc/passwd", sdk.CodeInvalid, "no web address"},
		{"to a script", "javascript:alert(1)", sdk.CodeInvalid, "no web address"},
		{"with a password", "https://user:canary@news.example/", sdk.CodeInvalid, "no web address"},
		{"to nothing", "http://", sdk.CodeInvalid, "no web address"},
		{"to rubbish", "http://[::1", sdk.CodeInvalid, "no web address"},
	} {
		b := newBench(t)
		b.site.Redirect("/feed", http.StatusFound, c.to)
		for i := 1; i < 10; i++ {
			b.site.Redirect("/"+string(rune('0'+i)), http.StatusFound, "/"+string(rune('1'+i)))
		}
		if e := b.fails(t); e.Code != c.code || !strings.Contains(e.Public, c.says) || strings.Contains(e.Error(), "canary") {
			t.Errorf("%s: %v", c.name, e)
		}
		if n := len(b.site.Requests()); n > fetch.MaxRedirects+1 {
			t.Errorf("%s: %d requests", c.name, n)
		}
	}
}

func TestLeavingHTTPSIsNotRemembered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		want     bool
	}{{"https://a.example/", "http://b.example/", false}, {"http://a.example/", "https://b.example/", true}, {"https://a.example/", "https://b.example/", true}} {
		if got := permanent([]fetch.Hop{{Status: 301, From: parse(t, c.from), To: parse(t, c.to)}}); got != c.want {
			t.Errorf("%s to %s: permanent is %v", c.from, c.to, got)
		}
	}
	if permanent(nil) {
		t.Error("no way is permanent")
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	page := func(links string) feedtest.Page {
		return feedtest.Page{Type: "text/html; charset=utf-8", Body: []byte("<!doctype html><html><head>" + links + "</head><body>x</body></html>")}
	}
	t.Run("the first of several", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.site.Set("/feed", page(`<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed"><link rel="alternate" type="application/atom+xml" href="atom.xml"><link rel="alternate" type="application/rss+xml" href="/rss.xml?token=canary">`))
		b.site.Feed("/atom.xml", articles(2).Atom())
		got := b.fetch(t)
		notes := strings.Join(got.Notices, " ")
		if len(got.Items) != 2 || !strings.Contains(notes, "its feed is at "+b.server.URL+"/atom.xml") || !strings.Contains(notes, "names 2 feeds") || strings.Contains(notes, "canary") {
			t.Errorf("%d items, notices %q", len(got.Items), got.Notices)
		}
		paths(b)
		b.later(time.Hour)
		if got := b.fetch(t); !got.Unchanged || paths(b) != "/atom.xml" {
			t.Error("the feed that was found is not remembered")
		}
	})
	t.Run("by a Link header", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		p := page("")
		p.Header = http.Header{"Link": {`<https://x.example/>; rel=preconnect, </f.json>; rel="alternate"; type="application/feed+json"`}}
		b.site.Set("/feed", p)
		b.site.Feed("/f.json", articles(2).JSON())
		if got := b.fetch(t); len(got.Items) != 2 {
			t.Errorf("%d items", len(got.Items))
		}
	})
	t.Run("only at the first fetch", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.site.Feed("/feed", articles(1).RSS())
		b.fetch(t)
		b.site.Set("/feed", page(`<link rel="alternate" type="application/rss+xml" href="/other">`))
		b.site.Feed("/other", articles(2).RSS())
		if e := b.fails(t); e.Code != sdk.CodeInvalid || !strings.Contains(e.Public, "a web page, not a feed; it names a feed at "+b.server.URL+"/other") {
			t.Errorf("the error is %v", e)
		}
		if got := b.fetch(t, true); len(got.Items) != 2 {
			t.Errorf("forced: %d items", len(got.Items))
		}
	})
	t.Run("not when it is off", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, func(c *Config) { c.Discover = false })
		b.site.Set("/feed", page(`<link rel="alternate" type="application/rss+xml" href="/other">`))
		b.site.Feed("/other", articles(2).RSS())
		if e := b.fails(t); e.Code != sdk.CodeInvalid {
			t.Errorf("the error is %v", e)
		}
	})
	t.Run("a page that names a page", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.site.Set("/feed", page(`<link rel="alternate" type="application/rss+xml" href="/feed">`))
		if e := b.fails(t); e.Code != sdk.CodeInvalid || len(b.site.Requests()) > 2 {
			t.Errorf("the error is %v", e)
		}
	})
	t.Run("a page that names a private address", func(t *testing.T) {
		t.Parallel()
		inside := feedtest.New()
		server := httptest.NewServer(inside)
		t.Cleanup(server.Close)
		b := newBench(t)
		b.site.Set("/feed", page(`<link rel="alternate" type="application/rss+xml" href="http://10.1.2.3/feed">`))
		if e := b.fails(t); e.Code != sdk.CodeInvalid {
			t.Errorf("the error is %v", e)
		}
	})
}

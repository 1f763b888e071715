package rss

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

func gzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	after := func(v string) http.Header { return http.Header{"Retry-After": {v}} }
	for _, c := range []struct {
		status int
		header http.Header
		code   sdk.Code
		wait   time.Duration
		says   string
	}{
		{400, nil, sdk.CodeUnavailable, 0, "400 Bad Request"},
		{401, nil, sdk.CodeForbidden, 24 * time.Hour, "set username and password"},
		{403, nil, sdk.CodeForbidden, 24 * time.Hour, "403 Forbidden: the server refuses Belfry"},
		{404, nil, sdk.CodeUnavailable, 0, "404 Not Found: there is no feed at this address; check url"},
		{405, nil, sdk.CodeUnavailable, 0, "405 Method Not Allowed instead of a feed"},
		{406, nil, sdk.CodeUnavailable, 0, "406 Not Acceptable"},
		{408, nil, sdk.CodeUnavailable, 0, "408 Request Timeout"},
		{410, nil, sdk.CodeGone, 0, "410 Gone: the feed was taken down for good"},
		{418, nil, sdk.CodeUnavailable, 0, "418"},
		{429, nil, sdk.CodeRateLimited, time.Hour, "429 Too Many Requests"},
		{429, after("120"), sdk.CodeRateLimited, 2 * time.Minute, "429"},
		{429, after("Fri, 20 Nov 2026 08:30:00 GMT"), sdk.CodeRateLimited, 90 * time.Minute, "429"},
		{429, after("Fri, 20 Nov 2020 08:30:00 GMT"), sdk.CodeRateLimited, time.Hour, "429"},
		{429, after("99999999999"), sdk.CodeRateLimited, 7 * 24 * time.Hour, "429"},
		{429, after("-5"), sdk.CodeRateLimited, time.Hour, "429"},
		{429, after("soon"), sdk.CodeRateLimited, time.Hour, "429"},
		{451, nil, sdk.CodeForbidden, 24 * time.Hour, "451"},
		{500, nil, sdk.CodeUnavailable, 0, "500 Internal Server Error: the server has a problem"},
		{502, nil, sdk.CodeUnavailable, 0, "502 Bad Gateway"},
		{503, nil, sdk.CodeRateLimited, time.Hour, "503 Service Unavailable"},
		{503, after("30"), sdk.CodeRateLimited, 30 * time.Second, "503"},
		{504, nil, sdk.CodeUnavailable, 0, "504"},
		{204, nil, sdk.CodeUnavailable, 0, "204 No Content, without a feed"},
		{206, nil, sdk.CodeUnavailable, 0, "206"},
		{300, nil, sdk.CodeUnavailable, 0, "300"},
		{304, nil, sdk.CodeUnavailable, 0, "304 Not Modified to a request without conditions"},
		{301, nil, sdk.CodeUnavailable, 0, "without saying where to"},
	} {
		t.Run(fmt.Sprintf("%d %v", c.status, c.header), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			header := http.Header{"Date": {"Fri, 20 Nov 2026 07:00:00 GMT"}}
			maps.Copy(header, c.header)
			b.site.Set("/feed", feedtest.Page{Status: c.status, Header: header, Type: "text/html", Body: []byte("<html>secret page")})
			e := b.fails(t)
			if e.Code != c.code || e.RetryAfter != c.wait || !strings.Contains(e.Public, c.says) {
				t.Errorf("the error is %s after %s: %s; want %s after %s: %s", e.Code, e.RetryAfter, e.Public, c.code, c.wait, c.says)
			}
			if strings.Contains(e.Error(), "secret page") || e.Op != "fetch" || e.Scope != sdk.ScopeDestination {
				t.Errorf("the error is %+v", e)
			}
		})
	}
}

func TestAHostThatAsksToBeLeftAloneIs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.site.Set("/feed", feedtest.Page{Status: 429, Header: http.Header{"Retry-After": {"600"}}})
	b.site.Feed("/other", articles(1).RSS())
	b.fails(t)
	b.site.Requests()
	other := openSource(t, b.client.Network(), b.server.URL+"/other")
	_, err := other.Fetch(context.Background(), sdk.FetchRequest{Now: start})
	if e := sdk.AsError(err); err == nil || e.Code != sdk.CodeRateLimited || e.RetryAfter < 9*time.Minute || e.RetryAfter > 11*time.Minute {
		t.Errorf("another feed of the host: %v", err)
	}
	if got := b.site.Requests(); len(got) > 0 {
		t.Errorf("the host was asked %d times", len(got))
	}
	stranger := openSource(t, fetch.New(), b.server.URL+"/other")
	if _, err := stranger.Fetch(context.Background(), sdk.FetchRequest{Now: start}); err != nil {
		t.Errorf("another process: %v", err)
	}
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	body := articles(20).RSS()
	for name, page := range map[string]feedtest.Page{
		"before the headers": {ResetAfter: -1},
		"in the body":        {Type: "application/rss+xml", Body: body, ResetAfter: 500},
		"in a gzip body":     {Type: "application/rss+xml", Body: body, Encoding: "gzip", ResetAfter: 100},
	} {
		b := newBench(t)
		b.site.Set("/feed", page)
		if e := b.fails(t); e.Code != sdk.CodeUnavailable || e.Public == "" {
			t.Errorf("%s: %v", name, e)
		}
	}
	b := newBench(t)
	whole := gzipped(t, body)
	b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: whole[:len(whole)*3/4], Encoding: "gzip-already"})
	b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: whole[:len(whole)*3/4], Header: http.Header{"Content-Encoding": {"gzip"}}, ETag: `"1"`})
	got := b.fetch(t)
	if len(got.Items) == 0 || len(got.Items) >= 20 || !strings.Contains(strings.Join(got.Notices, " "), "broken off") {
		t.Errorf("a torn gzip stream gave %d items, notices %q", len(got.Items), got.Notices)
	}
	b.site.Requests()
	b.fetch(t)
	if h := b.site.Requests()[0].Header; h.Get("If-None-Match") != "" {
		t.Error("the validators of half a document were kept")
	}
	b = newBench(t)
	b.server.Close()
	if e := b.fails(t); e.Code != sdk.CodeUnavailable || !strings.Contains(e.Public, "refuses connections") {
		t.Errorf("a closed port: %v", e)
	}
}

func TestDripsAreGivenUp(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]feedtest.Page{
		"a byte at a time": {Type: "application/rss+xml", Body: articles(20).RSS(), Drip: 20 * time.Millisecond},
		"compressed":       {Type: "application/rss+xml", Body: articles(20).RSS(), Drip: 20 * time.Millisecond, Encoding: "gzip"},
	} {
		b := newBench(t)
		b.client.Pace = fetch.Pace{Grace: 200 * time.Millisecond, Rate: 512}
		b.site.Set("/feed", page)
		if e := b.fails(t); e.Code != sdk.CodeUnavailable || !strings.Contains(e.Public, "so slowly") {
			t.Errorf("%s: %v", name, e)
		}
	}
	// A slow answer that keeps the pace is read.
	b := newBench(t)
	b.client.Pace = fetch.Pace{Grace: 50 * time.Millisecond, Rate: 1}
	b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: articles(1).RSS(), Drip: time.Millisecond})
	if got := b.fetch(t); len(got.Items) != 1 {
		t.Errorf("a slow answer gave %d items", len(got.Items))
	}
}

func TestHeadersThatDripAreGivenUp(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		for _, c := range "HTTP/1.1 200 OK\r\nX-Drip: " + strings.Repeat("x", 10_000) {
			if _, err := conn.Write([]byte(string(c))); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}))
	t.Cleanup(server.Close)
	src := openSource(t, fetch.New(), server.URL+"/feed")
	src.client.Pace = fetch.Pace{Grace: 200 * time.Millisecond, Rate: 512}
	_, err := src.Fetch(context.Background(), sdk.FetchRequest{Now: start})
	if e := sdk.AsError(err); err == nil || !strings.Contains(e.Public, "so slowly") {
		t.Errorf("the error is %v", err)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	b := newBench(t, func(c *Config) { c.Timeout = sdk.D(time.Second) })
	b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Hold: hold})
	if e := b.fails(t); e.Code != sdk.CodeUnavailable || !strings.Contains(e.Public, "did not answer in time") {
		t.Errorf("the error is %v", e)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.Fetch(ctx, sdk.FetchRequest{Now: start})
	if e := sdk.AsError(err); err == nil || e.Code != sdk.CodeUnavailable {
		t.Errorf("a cancelled fetch: %v", err)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	small := func(c *Config) { c.MaxSize = 64 << 10 }
	big := []byte("<rss><channel>" + strings.Repeat(" ", 70<<10) + "<item><title>x</title></item></channel></rss>")
	for _, encoding := range []string{"", "gzip", "br", "zstd", "deflate", "unasked-gzip"} {
		b := newBench(t, small)
		b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: big, Encoding: encoding})
		if e := b.fails(t); e.Code != sdk.CodeTooLarge || !strings.Contains(e.Public, "larger than 64KiB; max_size") {
			t.Errorf("%q: %v", encoding, e)
		}
	}
}

// TestBombs sends what small compressed answers can hide.
func TestBombs(t *testing.T) {
	for name, doc := range map[string]func() []byte{
		"two million nested tags": func() []byte {
			return []byte("<rss><channel><item><description>" + strings.Repeat("<a>", 2_000_000) + "</description></item></channel></rss>")
		},
		"two million nested tags, escaped": func() []byte {
			return []byte("<rss><channel><item><title>x</title><description><![CDATA[" + strings.Repeat("<a>", 2_000_000) + "]]></description></item></channel></rss>")
		},
		"fifty MiB of blanks": func() []byte { return bytes.Repeat([]byte(" "), 50<<20) },
	} {
		for _, encoding := range []string{"gzip", "br", "zstd"} {
			b := newBench(t)
			b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: doc(), Encoding: encoding})
			runtime.GC()
			began := time.Now()
			got, err := b.try(t)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%s by %s took %s", name, encoding, took)
			}
			if strings.HasSuffix(name, "escaped") {
				if err != nil || len(got.Items) != 1 {
					t.Errorf("%s by %s: %v", name, encoding, err)
				}
				continue
			}
			if e := sdk.AsError(err); err == nil || e.Code != sdk.CodeTooLarge {
				t.Errorf("%s by %s: %v", name, encoding, err)
			}
		}
	}
}

func TestCredentialsStayWithTheirOrigin(t *testing.T) {
	t.Parallel()
	elsewhere := feedtest.New()
	other := httptest.NewServer(elsewhere)
	t.Cleanup(other.Close)
	elsewhere.Feed("/feed", articles(1).RSS())
	login := func(c *Config) {
		c.Username, c.Password = "desk", sdk.NewSecret("canary-pass")
		c.Headers = map[string]sdk.Secret{"X-Key": sdk.NewSecret("canary-key")}
	}
	b := newBench(t, login)
	b.site.Set("/feed", feedtest.Page{Type: "application/rss+xml", Body: articles(1).RSS(), User: "desk", Password: "canary-pass", ETag: `"1"`})
	b.fetch(t)
	if h := b.site.Requests()[0].Header; h.Get("X-Key") != "canary-key" {
		t.Error("the header was not sent to its own origin")
	}
	b.site.Redirect("/feed", http.StatusFound, other.URL+"/feed")
	b.fetch(t)
	for _, r := range elsewhere.Requests() {
		for _, name := range []string{"Authorization", "X-Key", "If-None-Match", "If-Modified-Since", "Cookie"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s went to another origin", name)
			}
		}
	}
	// The validators of the other origin go nowhere else either.
	b.site.Requests()
	b.later(time.Hour)
	if !b.fetch(t).Unchanged {
		t.Error("the validators were not sent where they came from")
	}
	if h := b.site.Requests()[0].Header; h.Get("If-None-Match") != "" {
		t.Error("the validators of one address were sent to another")
	}
	wrong := newBench(t, func(c *Config) { login(c); c.Password = sdk.NewSecret("canary-wrong") })
	wrong.site.Set("/feed", feedtest.Page{User: "desk", Password: "canary-pass"})
	if e := wrong.fails(t); e.Code != sdk.CodeForbidden || strings.Contains(e.Error(), "canary") {
		t.Errorf("a wrong password: %v", e)
	}
}

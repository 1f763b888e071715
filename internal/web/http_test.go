package web_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/web"
)

func TestConditional(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.fill()
	gzipped := func(text string) string {
		r, err := gzip.NewReader(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, path := range []string{"/", "/c/alertes", "/c/alertes/" + id.fire, "/c/alertes/feed.atom", "/c/alertes/feed.json", "/sitemap.xml", "/favicon.svg"} {
		plain := n.get(path)
		etag := plain.Header.Get("ETag")
		if plain.Status != 200 || !strings.HasPrefix(etag, `"`) || plain.Header.Get("Content-Length") != fmt.Sprint(len(plain.Body)) {
			t.Fatalf("%s: status %d, ETag %s, Content-Length %s of %d", path, plain.Status, etag, plain.Header.Get("Content-Length"), len(plain.Body))
		}
		small := n.get(path, "Accept-Encoding", "gzip, br")
		if small.Header.Get("Content-Encoding") != "gzip" || gzipped(small.Body) != plain.Body || small.Header.Get("Content-Length") != fmt.Sprint(len(small.Body)) {
			t.Errorf("%s: the compressed answer differs", path)
		}
		if other := small.Header.Get("ETag"); other == etag || other == "" {
			t.Errorf("%s: two representations have the ETag %s", path, other)
		}
		for name, c := range map[string]struct {
			headers []string
			status  int
		}{
			"its own":           {[]string{"If-None-Match", etag}, 304},
			"a weak form of it": {[]string{"If-None-Match", "W/" + etag}, 304},
			"a list":            {[]string{"If-None-Match", `"other", ` + etag}, 304},
			"any":               {[]string{"If-None-Match", "*"}, 304},
			"another":           {[]string{"If-None-Match", `"other"`}, 200},
			"the compressed":    {[]string{"If-None-Match", small.Header.Get("ETag"), "Accept-Encoding", "gzip"}, 304},
			"mixed up":          {[]string{"If-None-Match", small.Header.Get("ETag")}, 200},
		} {
			a := n.get(path, c.headers...)
			if a.Status != c.status || (a.Status == 304) != (a.Body == "") {
				t.Errorf("%s for a reader with %s: status %d and %d bytes, want %d", path, name, a.Status, len(a.Body), c.status)
			}
			if a.Status == 304 && (a.Header.Get("ETag") == "" || a.Header.Get("Cache-Control") == "" || a.Header.Get("Vary") == "") {
				t.Errorf("%s: the 304 lacks what caches need: %v", path, a.Header)
			}
		}
		head := n.ask(http.MethodHead, path, nil)
		if head.Status != 200 || head.Body != "" || head.Header.Get("Content-Length") != plain.Header.Get("Content-Length") || head.Header.Get("ETag") != etag {
			t.Errorf("%s: HEAD gives %d with %q", path, head.Status, head.Header)
		}
	}
	// By time alone, once the second of the change is over.
	n.clock.advance(5 * time.Second)
	modified := n.get("/c/alertes/feed.atom").Header.Get("Last-Modified")
	if modified == "" {
		t.Fatal("the feed has no Last-Modified")
	}
	if a := n.get("/c/alertes/feed.atom", "If-Modified-Since", modified); a.Status != 304 {
		t.Errorf("status %d by time, want 304", a.Status)
	}
	n.post("alertes", "", compose.KindEach, compose.Content{Title: "Encore"})
	n.server.Changed()
	if a := n.get("/c/alertes/feed.atom", "If-Modified-Since", modified); a.Status != 200 || !strings.Contains(a.Body, "Encore") {
		t.Errorf("status %d after a change, want 200", a.Status)
	}
}

func TestChangesShow(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.post("alertes", "2026-11-20 07:00:00", compose.KindEach, compose.Content{Title: "Avant"})
	path := "/c/alertes/" + id
	first := n.get(path)
	// What another process changed is noticed by itself, within a second.
	n.revise(id, "2026-11-20 07:10:00", func(c *compose.Content) { c.Title = "Après" })
	n.clock.advance(time.Second)
	second := n.get(path)
	if !strings.Contains(first.Body, "Avant") || !strings.Contains(second.Body, "Après") || first.Header.Get("ETag") == second.Header.Get("ETag") {
		t.Error("a revision does not show after a second")
	}
	// A hint makes it at once.
	n.withdraw(id, "2026-11-20 07:20:00")
	n.server.Changed()
	if a := n.get(path); a.Status != http.StatusGone {
		t.Errorf("status %d after a withdrawal, want 410", a.Status)
	}
	config := *n.config
	config.Site.Title = "Le Journal"
	n.server.Use(&config)
	if !strings.Contains(n.get("/").Body, "Le Journal") {
		t.Error("another configuration does not show")
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.fill()
	for _, path := range []string{"/", "/c/alertes", "/c/alertes/" + id.fire, "/c/alertes/" + id.withdrawn, "/c/alertes/feed.atom", "/nowhere", "/healthz", "/c/alertes/", "/robots.txt",
		"/media/" + storedName(t, n, 2), "/favicon.svg"} {
		h := n.get(path).Header
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "http") {
			t.Errorf("%s: Content-Security-Policy: %s", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin", "Cross-Origin-Opener-Policy": "same-origin"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s: %s, want %s", path, name, h.Get(name), want)
			}
		}
		if h.Get("Permissions-Policy") == "" || h.Get("Cache-Control") == "" || h.Get("Content-Type") == "" || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: a header is missing or there is a cookie: %v", path, h)
		}
	}
	if csp := n.get("/").Header.Get("Content-Security-Policy"); csp != "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'" {
		t.Errorf("the policy of pages: %s", csp)
	}
	for path, want := range map[string]string{"/": "public, max-age=15, stale-while-revalidate=30", "/c/alertes/feed.json": "public, max-age=60",
		"/c/alertes/" + id.withdrawn: "public, max-age=15", "/nowhere": "public, max-age=15", "/healthz": "no-store", "/media/" + storedName(t, n, 2): "public, max-age=3600, s-maxage=60, immutable"} {
		if got := n.get(path).Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control: %s, want %s", path, got, want)
		}
	}
	framed := web.New(web.Settings{Store: n.db, Config: n.config, Framed: true})
	n.server = framed
	if csp := n.get("/").Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "frame-ancestors 'self'") {
		t.Errorf("the policy of pages that the demo frames: %s", csp)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, http.MethodTrace, "PURGE"} {
		a := n.ask(method, "/c/alertes", nil)
		if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, HEAD" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, Allow %q", method, a.Status, a.Header.Get("Allow"))
		}
	}
	if a := n.ask(http.MethodPost, "/c/alertes", strings.NewReader(strings.Repeat("x", 65<<10))); a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: status %d, want 413", a.Status)
	}
}

// faulty is a store that fails.
type faulty struct {
	web.Store
	panics bool
}

func (f faulty) NewestPosts(context.Context, []string, time.Time) ([]web.Post, error) {
	if f.panics {
		panic("a fault of the program")
	}
	return nil, errors.New("disk I/O error at /var/lib/belfry/belfry.db")
}

func TestFaults(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	for _, c := range []struct {
		name   string
		panics bool
		status int
		says   string
	}{
		{"a store that cannot be read", false, 503, "La page ne peut pas être lue pour le moment"},
		{"a panic", true, 500, "La page n’a pas pu être préparée"},
	} {
		n.server = web.New(web.Settings{Store: faulty{n.db, c.panics}, Config: n.config, Now: n.clock.now})
		a := n.get("/")
		if a.Status != c.status || !strings.Contains(a.Body, c.says) || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, want %d: %s", c.name, a.Status, c.status, a.Body)
		}
		for _, secret := range []string{"disk", "/var/lib", "goroutine", "a fault of the program"} {
			if strings.Contains(a.Body, secret) {
				t.Errorf("%s: the page shows %q", c.name, secret)
			}
		}
		if a := n.get("/c/alertes"); a.Status != 200 {
			t.Errorf("%s takes other pages along: status %d", c.name, a.Status)
		}
	}
	ready := false
	n.server = web.New(web.Settings{Store: n.db, Config: n.config, Ready: func() bool { return ready }, Routes: map[string]http.Handler{
		"GET /demo": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the demo") })}})
	if a := n.get("/readyz"); a.Status != 503 {
		t.Errorf("before the start: status %d, want 503", a.Status)
	}
	ready = true
	if a := n.get("/readyz"); a.Status != 200 || a.Body != "ok\n" {
		t.Errorf("after the start: status %d %q", a.Status, a.Body)
	}
	if a := n.get("/demo"); a.Body != "the demo" || a.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("a further route: %d %q", a.Status, a.Body)
	}
}

// TestListener speaks to the server as the network does.
func TestListener(t *testing.T) {
	t.Parallel()
	config := gazette()
	config.Site.URL = ""
	n := open(t, config)
	n.post("alertes", "2026-11-20 07:00:00", compose.KindEach, compose.Content{Title: "Un titre"})
	base := n.serve()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	read := func(req *http.Request) (int, string) {
		t.Helper()
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	request := func(path string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	// Without an address of its own, the site's is where it is served, never what a request claims.
	req := request("/c/alertes/feed.atom")
	req.Host = "evil.example"
	if status, body := read(req); status != 200 || !strings.Contains(body, `href="`+base+`/c/alertes/feed.atom"`) || strings.Contains(body, "evil") {
		t.Errorf("status %d:\n%s", status, body)
	}
	for name, c := range map[string]struct{ text, want string }{
		"a path with a line break": {"GET /c/alertes\r\nX: y HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 "},
		"two lengths":              {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 "},
		"no host":                  {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
		"a long header":            {"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 21<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, c.text)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		_ = conn.Close()
		if !strings.HasPrefix(line, c.want) {
			t.Errorf("%s: %q, want %s", name, line, c.want)
		}
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.fill()
	name := storedName(t, n, 4)
	small := strings.TrimSuffix(name, ".jpg") + "-small.jpg"
	for _, c := range []struct {
		what, path string
		status     int
	}{
		{"an image of a post", "/media/" + name, 200},
		{"its small variant", "/media/" + small, 200},
		{"the image of a withdrawn post", "/media/" + storedName(t, n, 100), 404},
		{"an image nobody knows", "/media/" + strings.Repeat("0", 64) + ".jpg", 404},
		{"no image", "/media/belfry.db", 404},
		{"a way out of the folder", "/media/..%2F..%2Fbelfry.db", 404},
		{"the folder", "/media/", 404},
	} {
		a := n.get(c.path)
		if a.Status != c.status {
			t.Errorf("%s: status %d, want %d", c.what, a.Status, c.status)
		}
		if c.status == 200 && (a.Header.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(a.Body, "\xff\xd8") || !strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox")) {
			t.Errorf("%s is no picture, or may do more than be looked at: %v", c.what, a.Header)
		}
	}
	etag := n.get("/media/" + name).Header.Get("ETag")
	if a := n.get("/media/"+name, "If-None-Match", etag); a.Status != 304 || a.Header.Get("Cache-Control") == "" {
		t.Errorf("an image the reader has: status %d, want 304", a.Status)
	}
	// A retraction ends it at once, the proxy's question with the right ETag included.
	p, err := n.db.PostByID(t.Context(), id.exhibition)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.db.RetractPost(t.Context(), p.ID, true, "droits", "test", n.clock.now()); err != nil {
		t.Fatal(err)
	}
	n.server.Changed()
	for _, path := range []string{"/media/" + name, "/media/" + small} {
		if a := n.get(path, "If-None-Match", etag); a.Status != 404 || strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s after the retraction: status %d, %s", path, a.Status, a.Header.Get("Cache-Control"))
		}
	}
}

// BenchmarkWarm is a page that is in the cache, as browsers ask for it.
func BenchmarkWarm(b *testing.B) {
	n := open(b, gazette())
	n.fill()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if a := n.get("/c/alertes", "Accept-Encoding", "gzip", "Accept-Language", "fr-FR,fr;q=0.9,en;q=0.5"); a.Status != 200 {
				b.Fatal(a.Status)
			}
		}
	})
}

// BenchmarkCold is a page that is made anew, with its reads from the store.
func BenchmarkCold(b *testing.B) {
	n := open(b, gazette())
	n.fill()
	b.ReportAllocs()
	for b.Loop() {
		n.server.Changed()
		if a := n.get("/c/alertes"); a.Status != 200 {
			b.Fatal(a.Status)
		}
	}
}

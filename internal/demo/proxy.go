package demo

import (
	"bytes"
	"html/template"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/i18n"
)

// newProxy hands requests on to the daemon as they are. What comes back differs in two points: pages of this origin may
// show it in a frame, and a line above the pages leads to the demonstration. While the daemon is away, a page says so.
func newProxy(address func() string, p *pages) http.Handler {
	transport := &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: 20 * time.Second, ResponseHeaderTimeout: 20 * time.Second, DisableCompression: true}
	forward := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			to, err := url.Parse(address())
			if err != nil {
				to = &url.URL{Scheme: "http", Host: "127.0.0.1:0"} // nobody is there
			}
			r.SetURL(to)
			r.Out.Host = r.In.Host
			adaptTags(r)
		},
		ModifyResponse: p.dress,
		ErrorHandler:   func(w http.ResponseWriter, r *http.Request, _ error) { p.dark(w, r) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if address() == "" {
			p.dark(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

// lineTag marks the ETags of pages with the line.
const lineTag = "-demo"

// mostDressed is the largest page that gets the line.
const mostDressed = 1 << 20

var line = template.Must(template.New("line").Parse(
	`<p class="belfry-line" lang="{{.Lang}}"><a href="/demo?lang={{.Lang}}">{{.Text "demo.line"}}</a></p>`))

// framed reports whether a page is asked for that stands in a frame, where it has no line.
func framed(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Dest") == "iframe" }

// adaptTags keeps the two forms of a page apart: one with the line has a tag of its own, and a browser that has the other
// form has nothing that it could use.
func adaptTags(r *httputil.ProxyRequest) {
	if !strings.Contains(r.In.Header.Get("Accept"), "text/html") {
		return
	}
	var kept []string
	for tag := range strings.SplitSeq(r.In.Header.Get("If-None-Match"), ",") {
		tag = strings.TrimSpace(tag)
		plain, lined := strings.CutSuffix(tag, lineTag+`"`)
		switch {
		case tag == "" || lined == framed(r.In):
		case lined:
			kept = append(kept, plain+`"`)
		default:
			kept = append(kept, tag)
		}
	}
	r.Out.Header.Del("If-None-Match")
	if len(kept) > 0 {
		r.Out.Header.Set("If-None-Match", strings.Join(kept, ", "))
	}
	if !framed(r.In) {
		r.Out.Header.Del("Accept-Encoding") // the line is written into plain text
	}
}

// dress lets pages of this origin frame the daemon's pages, and puts the line above them where they stand by themselves.
func (p *pages) dress(resp *http.Response) error {
	h := resp.Header
	if policy := h.Get("Content-Security-Policy"); policy != "" {
		h.Set("Content-Security-Policy", strings.ReplaceAll(policy, "frame-ancestors 'none'", "frame-ancestors 'self'"))
	}
	page := strings.HasPrefix(h.Get("Content-Type"), "text/html")
	asked := strings.Contains(resp.Request.Header.Get("Accept"), "text/html")
	if kept := !strings.Contains(h.Get("Cache-Control"), "no-store"); kept && (page || resp.StatusCode == http.StatusNotModified && asked) {
		// What is shown here changes while somebody looks: a browser asks again, which costs a 304.
		h.Set("Cache-Control", "no-cache")
		h.Add("Vary", "Sec-Fetch-Dest")
	}
	if framed(resp.Request) || h.Get("Content-Encoding") != "" || resp.ContentLength > mostDressed {
		return nil
	}
	tag := h.Get("ETag")
	if resp.StatusCode == http.StatusNotModified && asked && tag != "" {
		h.Set("ETag", strings.TrimSuffix(tag, `"`)+lineTag+`"`)
	}
	if !page {
		return nil
	}
	if tag != "" {
		h.Set("ETag", strings.TrimSuffix(tag, `"`)+lineTag+`"`)
	}
	if resp.Request.Method == http.MethodHead {
		h.Del("Content-Length")
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostDressed))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	body = p.withLine(body, h.Get("Content-Language"))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// withLine puts the line and its stylesheet into a page.
func (p *pages) withLine(page []byte, lang string) []byte {
	var out bytes.Buffer
	if line.Execute(&out, i18n.For(lang)) != nil {
		return page
	}
	page = bytes.Replace(page, []byte("</head>"), []byte(`<link rel="stylesheet" href="`+p.line.path+"\">\n</head>"), 1)
	return bytes.Replace(page, []byte("<body>"), append([]byte("<body>\n"), out.Bytes()...), 1)
}

// dark says that the daemon is away.
func (p *pages) dark(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Retry-After", "1")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	p.write(w, http.StatusServiceUnavailable, "dark", struct {
		*i18n.Catalogue
		Style string
	}{words(r), p.style.path})
}

// Package feedtest is a strict fake of a feed's server, for tests and demonstrations. Its one promise: it answers as RFC
// 9110 says and as badly as it is told to, and it forgives nothing: a validator that differs by one byte from what it gave
// at the same path is recorded as a fault.
package feedtest

import (
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Site is an http.Handler with pages that can be changed while it serves.
type Site struct {
	mu       sync.Mutex
	pages    map[string]*Page
	given    map[string]bool // validators that were ever sent, by path
	requests []Request
	faults   []string
	open     int
	mostOpen int
}

// New makes an empty site.
func New() *Site { return &Site{pages: map[string]*Page{}, given: map[string]bool{}} }

// Page is what one path answers.
type Page struct {
	// Status to answer; 0 means 200.
	Status int
	// Header is sent besides what the other fields give.
	Header http.Header
	// Type is the Content-Type.
	Type string
	Body []byte
	// ETag and Modified are sent as they stand and compared byte for byte.
	ETag, Modified string
	// Location of a redirect.
	Location string
	// Encoding compresses the body: gzip, br, zstd, deflate (zlib) or raw-deflate; "unasked-gzip" sends gzip without
	// saying so, and "claimed-gzip" claims it without doing so.
	Encoding string
	// Always304 answers every conditional request with 304, whatever its validators.
	Always304 bool
	// NoValidators leaves ETag and Modified out of a 304.
	NoValidators bool
	// Drip sends one byte at each interval.
	Drip time.Duration
	// ResetAfter cuts the connection after so many bytes of the body; -1 before the headers.
	ResetAfter int
	// Hold keeps the answer back until the channel is closed or the request ends.
	Hold <-chan struct{}
	// User and Password must come by basic authentication, if set.
	User, Password string
	// NoHead answers HEAD with 405.
	NoHead bool

	sent   []byte // Body as Encoding makes it, and
	coding string // what the answer calls that
}

// Request is what somebody asked.
type Request struct {
	At     time.Time
	Method string
	Host   string
	Path   string
	Header http.Header
	// Status that was answered.
	Status int
}

// Set puts a page at a path, in place of what was there.
func (s *Site) Set(path string, p Page) {
	p.sent, p.coding = compress(p.Body, p.Encoding)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = &p
}

// Feed puts a document at a path, with an ETag of its own and, as its type, what the document begins with.
func (s *Site) Feed(path string, body []byte) {
	typ := "application/rss+xml; charset=utf-8"
	switch head := string(body[:min(len(body), 300)]); {
	case strings.HasPrefix(strings.TrimSpace(head), "{"):
		typ = "application/feed+json"
	case strings.Contains(head, "<feed"):
		typ = "application/atom+xml; charset=utf-8"
	}
	s.Set(path, Page{Type: typ, Body: body, ETag: fmt.Sprintf(`"%x"`, sum(body))})
}

func sum(b []byte) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// Redirect puts a redirect at a path.
func (s *Site) Redirect(path string, status int, to string) {
	s.Set(path, Page{Status: status, Location: to})
}

// Remove makes a path answer 404.
func (s *Site) Remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pages, path)
}

// Requests gives what was asked since the last call.
func (s *Site) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// Faults gives what clients did wrong: validators that were never given at the path, because they are altered or come from
// elsewhere.
func (s *Site) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// MostOpen is the largest number of requests that were under way at once.
func (s *Site) MostOpen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mostOpen
}

// ServeHTTP answers.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	var page Page
	if p := s.pages[r.URL.Path]; p != nil {
		page = *p
	} else {
		page = Page{Status: http.StatusNotFound, Type: "text/plain; charset=utf-8", sent: []byte("not found")}
	}
	page.Status = s.status(r, page)
	s.given[r.URL.Path+" "+page.ETag], s.given[r.URL.Path+" "+page.Modified] = true, true
	s.requests = append(s.requests, Request{At: time.Now(), Method: r.Method, Host: r.Host, Path: r.URL.Path,
		Header: r.Header.Clone(), Status: page.Status})
	s.open++
	s.mostOpen = max(s.mostOpen, s.open)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}()
	if page.Hold != nil {
		select {
		case <-page.Hold:
		case <-r.Context().Done():
			return
		}
	}
	page.write(w, r)
}

// status decides as RFC 9110, section 13.2.2: If-None-Match before If-Modified-Since, and the latter only without the
// former. A validator that was never given at this path, byte for byte, is a fault.
func (s *Site) status(r *http.Request, p Page) int {
	if p.User != "" {
		if user, password, ok := r.BasicAuth(); !ok || user != p.User || password != p.Password {
			return http.StatusUnauthorized
		}
	}
	if r.Method == http.MethodHead && p.NoHead {
		return http.StatusMethodNotAllowed
	}
	if p.Status != 0 && p.Status != http.StatusOK {
		return p.Status
	}
	tag, since := r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since")
	for name, v := range map[string]string{"If-None-Match": tag, "If-Modified-Since": since} {
		if v != "" && !s.given[r.URL.Path+" "+v] {
			s.faults = append(s.faults, fmt.Sprintf("%s %s: %s %q was never given here", r.Method, r.URL.Path, name, v))
		}
	}
	switch {
	case p.Always304 && (tag != "" || since != ""):
		return http.StatusNotModified
	case tag != "":
		if tag == p.ETag {
			return http.StatusNotModified
		}
	case since != "" && since == p.Modified:
		return http.StatusNotModified
	}
	return http.StatusOK
}

func (p *Page) write(w http.ResponseWriter, r *http.Request) {
	if p.ResetAfter < 0 {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), p.Header)
	if p.Location != "" {
		w.Header().Set("Location", p.Location)
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="feed"`)
	}
	if !(p.Status == http.StatusNotModified && p.NoValidators) {
		if p.ETag != "" {
			w.Header()["Etag"] = []string{p.ETag}
		}
		if p.Modified != "" {
			w.Header().Set("Last-Modified", p.Modified)
		}
	}
	if p.Status == http.StatusNotModified || p.Status == http.StatusNoContent {
		w.WriteHeader(p.Status)
		return
	}
	w.Header().Set("Content-Type", p.Type)
	body := p.sent
	if p.coding != "" {
		w.Header().Set("Content-Encoding", p.coding)
	}
	if p.ResetAfter > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	if p.ResetAfter > 0 {
		_, _ = w.Write(body[:min(p.ResetAfter, len(body))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if p.Drip == 0 {
		_, _ = w.Write(body)
		return
	}
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(p.Drip):
		case <-r.Context().Done():
			return
		}
	}
}

// compress gives a body in an encoding, and what the answer calls it.
func compress(body []byte, encoding string) ([]byte, string) {
	var out strings.Builder
	switch encoding {
	case "gzip", "unasked-gzip":
		z := gzip.NewWriter(&out)
		_, _ = z.Write(body)
		_ = z.Close()
	case "deflate":
		z := zlib.NewWriter(&out)
		_, _ = z.Write(body)
		_ = z.Close()
	case "raw-deflate":
		z, _ := flate.NewWriter(&out, flate.BestCompression)
		_, _ = z.Write(body)
		_ = z.Close()
	case "br":
		z := brotli.NewWriter(&out)
		_, _ = z.Write(body)
		_ = z.Close()
	case "zstd":
		z, err := zstd.NewWriter(&out)
		if err != nil {
			return body, ""
		}
		_, _ = z.Write(body)
		_ = z.Close()
	case "claimed-gzip":
		return body, "gzip"
	default:
		return body, encoding
	}
	switch encoding {
	case "unasked-gzip":
		return []byte(out.String()), ""
	case "raw-deflate":
		return []byte(out.String()), "deflate"
	}
	return []byte(out.String()), encoding
}

package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/singleflight"
)

// document is what was rendered for one address and language.
type document struct {
	status int
	// kind is the media type, lang the language, control the Cache-Control.
	kind, lang, control string
	// negotiated says that another reader may be given another language at the same address.
	negotiated bool
	// open says that scripts of other sites may read it: feeds.
	open bool
	// index is the X-Robots-Tag.
	index string
	body  []byte
	// until is when time itself changes the document; zero when it does not.
	until time.Time
}

// entry is a document that can be answered with.
type entry struct {
	document
	gzip []byte
	// The header values are made once and shared by all answers.
	headers        http.Header
	etag, gzipETag []string
	size, gzipSize []string
	epoch          uint64
	made           time.Time
	// modified is when these bytes first appeared, in whole seconds.
	modified time.Time
}

// Bounds of the cache. Entries are rendered anew after longest in any case, so that a lost hint about an image or a clock
// set back cannot keep a page old.
const (
	longest     = time.Minute
	lookEvery   = time.Second
	cacheBytes  = 32 << 20
	largestKept = 4 << 20
)

// cache keeps what was rendered until posts, the configuration or time change it.
type cache struct {
	epoch   atomic.Uint64
	flights singleflight.Group

	mu      sync.RWMutex
	entries map[string]*entry
	bytes   int

	looked  atomic.Int64 // when the version was last read, in nanoseconds
	look    sync.Mutex
	version string
}

func newCache() *cache { return &cache{entries: map[string]*entry{}} }

// forget makes everything be rendered anew.
func (c *cache) forget() { c.epoch.Add(1) }

// get gives what stands under a key, or has it rendered, once for all who ask meanwhile. What cannot be rendered is not
// kept, so that keys of things that do not exist cost no memory.
func (c *cache) get(ctx context.Context, key string, now time.Time, version func(context.Context) (string, error),
	render func(ctx context.Context) (document, error)) (*entry, error) {
	c.follow(ctx, now, version)
	epoch := c.epoch.Load()
	if e := c.kept(key); e != nil && e.fresh(epoch, now) {
		return e, nil
	}
	v, err, _ := c.flights.Do(strconv.FormatUint(epoch, 36)+" "+key, func() (any, error) {
		old := c.kept(key)
		if old != nil && old.fresh(epoch, now) {
			return old, nil // a flight has ended since
		}
		// Others may wait for this rendering: it outlives the request that began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renderTime)
		defer cancel()
		doc, err := render(ctx)
		if err != nil {
			return nil, err
		}
		e := finish(doc, old, epoch, now)
		c.put(key, e)
		return e, nil
	})
	if err != nil {
		return nil, err
	}
	e, _ := v.(*entry) // nothing else flies here
	return e, nil
}

// kept is what was rendered last under a key, fresh or not; nil when nothing is.
func (c *cache) kept(key string) *entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.entries[key]
}

// follow reads the store's version now and then, so that changes by other processes show within a second. A store that
// does not answer changes nothing: what is kept serves on for a minute at most.
func (c *cache) follow(ctx context.Context, now time.Time, version func(context.Context) (string, error)) {
	due := func() bool {
		since := now.UnixNano() - c.looked.Load()
		return since >= int64(lookEvery) || since < -int64(lookEvery)
	}
	if !due() {
		return
	}
	c.look.Lock()
	defer c.look.Unlock()
	if !due() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), versionTime)
	defer cancel()
	if v, err := version(ctx); err == nil && v != c.version {
		c.version = v
		c.forget()
	}
	c.looked.Store(now.UnixNano())
}

func (c *cache) put(key string, e *entry) {
	if e.cost() > largestKept {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.entries[key]; old != nil {
		c.bytes -= old.cost()
	}
	c.entries[key] = e
	c.bytes += e.cost()
	if c.bytes <= cacheBytes {
		return
	}
	// Go's maps are walked in no order: any entries go, the popular ones come back at once.
	for k, old := range c.entries {
		if k == key {
			continue
		}
		delete(c.entries, k)
		if c.bytes -= old.cost(); c.bytes <= cacheBytes*3/4 {
			return
		}
	}
}

func (e *entry) cost() int { return len(e.body) + len(e.gzip) + 1<<10 }

func (e *entry) fresh(epoch uint64, now time.Time) bool {
	return e.epoch == epoch && (e.until.IsZero() || now.Before(e.until)) && now.Sub(e.made) < longest && !now.Before(e.made.Add(-lookEvery))
}

// finish makes a document ready to be answered with. The same bytes as before keep their time.
func finish(doc document, old *entry, epoch uint64, now time.Time) *entry {
	e := &entry{document: doc, epoch: epoch, made: now, modified: now.UTC().Truncate(time.Second)}
	if old != nil && bytes.Equal(old.body, doc.body) && old.kind == doc.kind {
		e.gzip, e.modified, e.etag, e.gzipETag, e.size, e.gzipSize = old.gzip, old.modified, old.etag, old.gzipETag, old.size, old.gzipSize
	} else {
		sum := sha256.Sum256(doc.body)
		tag := base64.RawURLEncoding.EncodeToString(sum[:15])
		e.etag, e.gzipETag = []string{`"` + tag + `"`}, []string{`"` + tag + `-gzip"`}
		e.gzip = compressed(doc.body)
		e.size, e.gzipSize = []string{strconv.Itoa(len(doc.body))}, []string{strconv.Itoa(len(e.gzip))}
	}
	vary := "Accept-Encoding"
	if doc.negotiated {
		vary += ", Accept-Language"
	}
	e.headers = http.Header{"Content-Type": {doc.kind}, "Cache-Control": {doc.control}, "Vary": {vary}}
	if doc.lang != "" {
		e.headers["Content-Language"] = []string{doc.lang}
	}
	if doc.open {
		e.headers["Access-Control-Allow-Origin"] = []string{"*"}
	}
	if doc.index != "" {
		e.headers["X-Robots-Tag"] = []string{doc.index}
	}
	return e
}

func compressed(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.DefaultCompression)
	if err != nil {
		panic("web: " + err.Error()) // the level is a constant
	}
	_, _ = w.Write(body) // a bytes.Buffer does not fail
	_ = w.Close()
	return out.Bytes()
}

// answer answers a request with the entry, or says that the reader has it.
func (e *entry) answer(w http.ResponseWriter, r *http.Request, now time.Time) {
	h := w.Header()
	maps.Copy(h, e.headers)
	body, size := e.body, e.size
	etag := e.etag
	if len(e.gzip) < len(e.body) && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body, size, etag = e.gzip, e.gzipSize, e.gzipETag
		h["Content-Encoding"] = []string{"gzip"}
	}
	if e.status != http.StatusOK {
		h["Content-Length"] = size
		w.WriteHeader(e.status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) //nolint:gosec // what html/template wrote
		}
		return
	}
	h["Etag"], h["Content-Length"] = etag, size
	// A time in whole seconds identifies these bytes only once its second is over (RFC 9110, section 8.8.2.2).
	modified := e.modified
	if now.Sub(modified) < time.Second {
		modified = time.Time{}
	}
	http.ServeContent(w, r, "", modified, bytes.NewReader(body))
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	rest := false
	for header != "" {
		var part string
		part, header, _ = strings.Cut(header, ",")
		coding, params, _ := strings.Cut(part, ";")
		coding = strings.TrimSpace(coding)
		if !strings.EqualFold(coding, "gzip") && !strings.EqualFold(coding, "x-gzip") && coding != "*" {
			continue
		}
		yes := true
		if name, q, ok := strings.Cut(strings.TrimSpace(params), "="); ok && strings.EqualFold(strings.TrimSpace(name), "q") {
			weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			yes = err == nil && weight > 0
		}
		if coding != "*" {
			return yes
		}
		rest = yes
	}
	return rest
}

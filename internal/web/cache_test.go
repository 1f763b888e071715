package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"":                          false,
		"gzip":                      true,
		"gzip, deflate, br, zstd":   true,
		"deflate, GZIP":             true,
		"x-gzip":                    true,
		"br;q=1.0, gzip;q=0.8":      true,
		"gzip;q=0":                  false,
		"gzip; q=0.0, *;q=1":        false,
		"gzip;q=0.001":              true,
		"*":                         true,
		"*;q=0":                     false,
		"identity":                  false,
		"*;q=0, gzip":               true,
		"gzip;q=nonsense":           false,
		"gzipped":                   false,
		",,;;=,":                    false,
		"identity;q=0.5, gzip ;q=1": true,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("Accept-Encoding: %s: accepts gzip: %v, want %v", header, got, want)
		}
	}
}

func FuzzAcceptsGzip(f *testing.F) {
	f.Add("gzip, deflate;q=0.5, *;q=0")
	f.Fuzz(func(t *testing.T, header string) {
		if acceptsGzip(header) && !strings.Contains(strings.ToLower(header), "gzip") && !strings.Contains(header, "*") {
			t.Errorf("%q does not name gzip", header)
		}
	})
}

func still(context.Context) (string, error) { return "1", nil }

func TestCache(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	doc := func(text string) document {
		return document{status: http.StatusOK, kind: "text/plain", body: []byte(text)}
	}

	t.Run("renders once until something changes", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		n := 0
		look := func(now time.Time, until time.Time) string {
			e, err := c.get(t.Context(), "k", now, still, func(context.Context) (document, error) {
				n++
				d := doc(fmt.Sprint(n))
				d.until = until
				return d, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return string(e.body)
		}
		for i, step := range []struct {
			after  time.Duration
			forget bool
			until  time.Duration
			want   string
		}{
			{0, false, 0, "1"}, {time.Second, false, 0, "1"}, {2 * time.Second, true, 10 * time.Second, "2"}, {9 * time.Second, false, 0, "2"},
			{10 * time.Second, false, 0, "3"}, {10*time.Second + longest, false, 0, "4"}, {0, false, 0, "5"},
		} {
			if step.forget {
				c.forget()
			}
			until := time.Time{}
			if step.until > 0 {
				until = start.Add(step.until)
			}
			if got := look(start.Add(step.after), until); got != step.want {
				t.Errorf("step %d: rendering %s, want %s", i, got, step.want)
			}
		}
	})

	t.Run("one rendering for all who ask at once", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		var renders, waiting atomic.Int32
		release := make(chan struct{})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				waiting.Add(1)
				e, err := c.get(t.Context(), "k", start, still, func(context.Context) (document, error) {
					renders.Add(1)
					<-release
					return doc("x"), nil
				})
				if err != nil || string(e.body) != "x" {
					t.Errorf("got %v, %v", e, err)
				}
			})
		}
		for waiting.Load() < 50 {
			runtime.Gosched()
		}
		close(release)
		wg.Wait()
		if n := renders.Load(); n != 1 {
			t.Errorf("rendered %d times", n)
		}
	})

	t.Run("a reader who leaves does not spoil it for the others", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.get(ctx, "k", start, still, func(ctx context.Context) (document, error) { return doc("x"), ctx.Err() }); err != nil {
			t.Error(err)
		}
	})

	t.Run("what cannot be rendered is not kept", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		fault := errors.New("fault")
		if _, err := c.get(t.Context(), "k", start, still, func(context.Context) (document, error) { return document{}, fault }); !errors.Is(err, fault) {
			t.Errorf("error %v, want %v", err, fault)
		}
		if len(c.entries) != 0 {
			t.Errorf("%d entries are kept", len(c.entries))
		}
	})

	t.Run("another version of the posts is noticed within a second", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		version, n := "1", 0
		look := func(now time.Time) string {
			e, err := c.get(t.Context(), "k", now, func(context.Context) (string, error) { return version, nil },
				func(context.Context) (document, error) { n++; return doc(fmt.Sprint(n)), nil })
			if err != nil {
				t.Fatal(err)
			}
			return string(e.body)
		}
		look(start)
		version = "2"
		if got := look(start.Add(900 * time.Millisecond)); got != "1" {
			t.Errorf("the store was asked again after 0.9 s")
		}
		if got := look(start.Add(time.Second)); got != "2" {
			t.Errorf("rendering %s after a second, want 2", got)
		}
	})

	t.Run("a store that does not answer leaves what is kept", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		broken := func(context.Context) (string, error) { return "", errors.New("no store") }
		render := func(context.Context) (document, error) { return doc("x"), nil }
		if _, err := c.get(t.Context(), "k", start, still, render); err != nil {
			t.Fatal(err)
		}
		e, err := c.get(t.Context(), "k", start.Add(5*time.Second), broken, func(context.Context) (document, error) { return document{}, errors.New("no store") })
		if err != nil || string(e.body) != "x" {
			t.Errorf("got %v, %v", e, err)
		}
	})

	t.Run("memory is bounded", func(t *testing.T) {
		t.Parallel()
		c := newCache()
		for i := range 200 {
			e := finish(document{body: []byte(strings.Repeat(fmt.Sprintf("%08d", i), 50_000))}, nil, 0, start)
			c.put(fmt.Sprint(i), e)
			if c.bytes > cacheBytes {
				t.Fatalf("%d bytes are kept after %d entries", c.bytes, i)
			}
			if c.entries[fmt.Sprint(i)] != e {
				t.Fatal("the newest entry was dropped")
			}
		}
		sum := 0
		for _, e := range c.entries {
			sum += e.cost()
		}
		if sum != c.bytes {
			t.Errorf("%d bytes are counted, %d are there", c.bytes, sum)
		}
		c.put("large", finish(document{body: make([]byte, largestKept)}, nil, 0, start))
		if c.entries["large"] != nil {
			t.Error("a document of 4 MiB was kept")
		}
	})
}

// TestModified holds that a time in whole seconds never stands for two contents.
func TestModified(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 7, 0, 0, 300_000_000, time.UTC)
	first := finish(document{status: http.StatusOK, kind: "text/plain", body: []byte("one")}, nil, 0, at)
	same := finish(document{status: http.StatusOK, kind: "text/plain", body: []byte("one")}, first, 1, at.Add(time.Hour))
	if !same.modified.Equal(first.modified) {
		t.Errorf("the same bytes have the times %s and %s", first.modified, same.modified)
	}
	second := finish(document{status: http.StatusOK, kind: "text/plain", body: []byte("two")}, first, 1, at.Add(400*time.Millisecond))
	ask := func(e *entry, now time.Time, since string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if since != "" {
			r.Header.Set("If-Modified-Since", since)
		}
		w := httptest.NewRecorder()
		e.answer(w, r, now)
		return w.Result()
	}
	if got := ask(first, at, "").Header.Get("Last-Modified"); got != "" {
		t.Errorf("Last-Modified %s within its own second", got)
	}
	since := ask(second, at.Add(2*time.Second), "").Header.Get("Last-Modified")
	if since != "Fri, 20 Nov 2026 07:00:00 GMT" {
		t.Errorf("Last-Modified %q", since)
	}
	if got := ask(second, at.Add(3*time.Second), since).StatusCode; got != http.StatusNotModified {
		t.Errorf("status %d for a reader who has it, want 304", got)
	}
}

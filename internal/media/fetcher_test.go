package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

// shelf is a store in memory that tells of every outcome.
type shelf struct {
	mu       sync.Mutex
	wanted   []Wanted
	files    map[int64]sdk.File
	outcomes chan string
}

func (s *shelf) WantedMedia(_ context.Context, _ time.Time, limit int) ([]Wanted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(limit, len(s.wanted))
	out := s.wanted[:n:n]
	s.wanted = s.wanted[n:]
	return out, nil
}

func (s *shelf) MediaStored(_ context.Context, id int64, f sdk.File, _ time.Time) error {
	s.mu.Lock()
	s.files[id] = f
	s.mu.Unlock()
	s.outcomes <- "stored"
	return nil
}

func (s *shelf) MediaFailed(_ context.Context, _ int64, sentence string, next time.Time) error {
	when := "for good"
	if !next.IsZero() {
		when = "again in " + time.Until(next).Round(time.Second).String()
	}
	s.outcomes <- sentence + ": " + when
	return nil
}

func (s *shelf) MediaUsers(context.Context, int64) (Users, error) {
	return Users{Sources: []string{"agenda"}, Channels: []string{"brief"}, Posts: []string{"8f21"}}, nil
}

func fetcher(t *testing.T, s *shelf, dir string) *Fetcher {
	t.Helper()
	files, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := NewFetcher(Settings{Store: s, Files: files, Bounds: Bounds{MaxBytes: 1 << 20, MaxPixels: 1_000_000, Width: 640}, UserAgent: "Belfry/test",
		AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Log: slog.New(slog.DiscardHandler)})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestFetch(t *testing.T) {
	t.Parallel()
	photo := asJPEG(t, quarters(320, 160))
	mux := http.NewServeMux()
	page := func(path string, h http.HandlerFunc) { mux.HandleFunc(path, h) }
	page("/photo", func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "Belfry/test" {
			http.Error(w, "who are you", http.StatusForbidden)
			return
		}
		_, _ = w.Write(photo)
	})
	page("/lied-about", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write(photo)
	})
	page("/svg", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg"/>`)
	})
	page("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/photo", http.StatusFound) })
	page("/inside", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
	})
	page("/file", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	page("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	page("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) })
	page("/busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "300")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	page("/away", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1000000")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	page("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(photo)
		panic(http.ErrAbortHandler)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for path, want := range map[string]string{
		"/photo": "stored", "/lied-about": "stored", "/moved": "stored",
		"/svg":    "it is no picture that can be shown: it is neither JPEG, PNG, GIF nor WebP: for good",
		"/inside": "169.254.169.254 is a link-local address (cloud metadata lives there): for good",
		"/file":   `"file:///etc/passwd" is no http or https address: for good`,
		"/round":  "its address leads on more than 5 times: for good",
		"/large":  "it is no picture that can be shown: it has more than 1048576 bytes: for good",
		"/busy":   "its server answers 503: again in 5m0s",
		"/away":   "its server answers 429: for good",
		"/none":   "its server answers 404: for good",
		"/cut":    "%s broke off the connection: again in 10s",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := &shelf{files: map[int64]sdk.File{}, outcomes: make(chan string, 1), wanted: []Wanted{{ID: 1, URL: server.URL + path}}}
			dir := t.TempDir()
			fetcher(t, s, dir)
			want = strings.ReplaceAll(want, "%s", strings.TrimPrefix(server.URL, "http://"))
			if want != "stored" {
				want = "image of " + strings.TrimPrefix(server.URL, "http://") + ": " + want
			}
			if got := <-s.outcomes; got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			if want != "stored" {
				return
			}
			s.mu.Lock()
			f := s.files[1]
			s.mu.Unlock()
			files := &Files{dir: dir}
			data, err := files.Read(f.Name)
			if err != nil || int64(len(data)) != f.Size || f.Width != 320 || f.Height != 160 || f.Type != "image/jpeg" {
				t.Errorf("stored is %+v, %v", f, err)
			}
		})
	}
}

// What is lost is told once it is for good: where, why, for whom, and what helps.
func TestALostImageIsTold(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for name, c := range map[string]struct {
		allow []netip.Prefix
		want  string
	}{
		"missing": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, "image of " + host + ": its server answers 404"},
		"refused": {nil, "image of " + host + ": 127.0.0.1 is a loopback address; if that server is your own, permit it: media: {allow_private: [127.0.0.1/32]}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := NewFiles(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s := &shelf{files: map[int64]sdk.File{}, outcomes: make(chan string, 1), wanted: []Wanted{{ID: 7, URL: server.URL + "/secret-path"}}}
			f := NewFetcher(Settings{Store: s, Files: files, Bounds: Bounds{MaxBytes: 1 << 20, MaxPixels: 1_000_000, Width: 640}, AllowPrivate: c.allow,
				Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err := f.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := <-s.outcomes; got != c.want+": for good" {
				t.Errorf("recorded is %q", got)
			}
			if err := f.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"level=WARN", `why="` + c.want + `"`, "media=7", "sources=agenda", "channels=brief", "posts=8f21"} {
				if !strings.Contains(log.String(), part) {
					t.Errorf("%q is missing in %s", part, log.String())
				}
			}
			if strings.Contains(log.String(), "secret-path") {
				t.Errorf("the path is told: %s", log.String())
			}
		})
	}
}

// A disk that is full today may have room tomorrow.
func TestAFaultOfOurOwnIsTriedAgain(t *testing.T) {
	t.Parallel()
	photo := asJPEG(t, quarters(320, 160))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(photo) }))
	defer server.Close()
	dir := t.TempDir()
	s := &shelf{files: map[int64]sdk.File{}, outcomes: make(chan string, 1)}
	f := fetcher(t, s, dir)
	p, err := Process(photo, f.s.Bounds)
	if err != nil {
		t.Fatal(err)
	}
	made, err := f.s.Files.Put(p)
	if err != nil {
		t.Fatal(err)
	}
	// A file stands where the folder of the picture has to be.
	folder := filepath.Join(dir, made.Name[:2])
	if err := errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.wanted = []Wanted{{ID: 1, URL: server.URL}}
	s.mu.Unlock()
	f.Wake()
	if got := <-s.outcomes; !strings.HasSuffix(got, ": again in 10s") {
		t.Errorf("got %q", got)
	}
}

// Stopping does not wait for a server that says nothing, nor beyond its context.
func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	s := &shelf{outcomes: make(chan string, 1), wanted: []Wanted{{ID: 1, URL: server.URL}}}
	f := fetcher(t, s, t.TempDir())
	<-asked
	if err := f.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case got := <-s.outcomes:
		t.Errorf("what was given up was recorded as %q", got)
	default:
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	f, err := NewFiles(filepath.Join(t.TempDir(), "media"))
	if err != nil {
		t.Fatal(err)
	}
	p := Picture{Data: []byte("large"), Small: []byte("small"), Type: "image/jpeg", Ext: ".jpg", Width: 9, Height: 9}
	stored, err := f.Put(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Put(p)
	if diff := cmp.Diff(stored, again); diff != "" || err != nil {
		t.Error(diff, err)
	}
	small, err := f.Read(SmallName(stored.Name))
	if err != nil || string(small) != "small" {
		t.Errorf("got %q, %v", small, err)
	}
	for _, name := range []string{"", "..", "../belfry.db", stored.Name + "/..", "a/" + stored.Name, strings.ToUpper(stored.Name), stored.SHA256 + ".svg", stored.SHA256, fmt.Sprint(stored.Name, "\x00")} {
		if _, err := f.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := f.Read(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
		if err := f.Remove(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := errors.Join(f.Remove(stored.Name), f.Remove(stored.Name)); err != nil {
		t.Error(err)
	}
	if _, err := f.Open(stored.Name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	left := 0
	_ = filepath.WalkDir(f.dir, func(_ string, d fs.DirEntry, _ error) error {
		if !d.IsDir() {
			left++
		}
		return nil
	})
	if left > 0 {
		t.Errorf("%d files are left", left)
	}
}

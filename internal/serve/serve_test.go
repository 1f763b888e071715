package serve

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whoever is slow or many holds nobody else up.
func TestLimits(t *testing.T) {
	t.Parallel()
	h := New(http.NotFoundHandler(), Limits{Conns: 1}, "nothing is", slog.New(slog.DiscardHandler)).http
	for name, d := range map[string]time.Duration{"headers": h.ReadHeaderTimeout, "reading": h.ReadTimeout, "writing": h.WriteTimeout, "idling": h.IdleTimeout} {
		if d <= 0 || d > time.Minute {
			t.Errorf("%s may take %s", name, d)
		}
	}
	if h.MaxHeaderBytes <= 0 || h.MaxHeaderBytes > 64<<10 {
		t.Errorf("headers may have %d bytes", h.MaxHeaderBytes)
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fine", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("fine")) })
	mux.HandleFunc("GET /silent", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /early", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("GET /fault", func(http.ResponseWriter, *http.Request) { panic("a fault") })
	mux.HandleFunc("POST /read", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	for name, c := range map[string]struct {
		method, path, body string
		unknownLength      bool
		want               int
		pattern            string
	}{
		"a fine page":                         {method: "GET", path: "/fine", want: 200, pattern: "GET /fine"},
		"a handler that writes nothing":       {method: "GET", path: "/silent", want: 200, pattern: "GET /silent"},
		"informational answers do not count":  {method: "GET", path: "/early", want: 418, pattern: "GET /early"},
		"a fault":                             {method: "GET", path: "/fault", want: 500, pattern: "GET /fault"},
		"a body within the limit":             {method: "POST", path: "/read", body: "12345678", want: 200, pattern: "POST /read"},
		"a body that says it is too large":    {method: "POST", path: "/read", body: "123456789", want: 413},
		"a body that turns out too large":     {method: "POST", path: "/read", body: "123456789", unknownLength: true, want: 400, pattern: "POST /read"},
		"a body of unknown length with a GET": {method: "GET", path: "/fine", body: "1", unknownLength: true, want: 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			told := []int{}
			pattern := ""
			h := Guard{Log: slog.New(slog.NewTextHandler(&log, nil)), MaxBody: 8,
				Fail:   func(w http.ResponseWriter, _ *http.Request, status int) { w.WriteHeader(status) },
				Served: func(r *http.Request, status int, _ time.Duration) { told, pattern = append(told, status), r.Pattern }}.Wrap(mux)
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			if c.body == "" {
				r.Body, r.ContentLength = http.NoBody, 0
			}
			if c.unknownLength {
				r.ContentLength = -1
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want && c.want != 418 {
				t.Errorf("status %d, want %d", w.Code, c.want)
			}
			if diff := cmp.Diff([]int{c.want}, told); diff != "" {
				t.Errorf("told of (-want +got):\n%s", diff)
			}
			if pattern != c.pattern {
				t.Errorf("pattern %q, want %q", pattern, c.pattern)
			}
			if faulty := strings.Contains(log.String(), "a fault"); faulty != (c.want == 500) {
				t.Errorf("the log says %q", log.String())
			}
		})
	}
}

// A server serves until it is stopped, and an answer under way is finished.
func TestServeAndStop(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	s := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = w.Write([]byte("done"))
	}), Limits{Conns: 4}, "the test is", slog.New(slog.DiscardHandler))
	s.Serve(ln)
	got := make(chan string, 1)
	go func() {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Get("http://" + ln.Addr().String())
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		got <- string(b)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }()
	close(leave)
	if text := <-got; text != "done" {
		t.Errorf("got %q", text)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

package fault_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve gives a server that counts the requests which reached it and answers with their body.
func serve(t *testing.T, faults ...fault.Fault) (s *fault.Script, url string, reached *atomic.Int64) {
	t.Helper()
	s, reached = &fault.Script{}, new(atomic.Int64)
	s.Add(faults...)
	web := httptest.NewServer(s.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-From", "server")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	})))
	t.Cleanup(web.Close)
	return s, web.URL, reached
}

func post(t *testing.T, url, body string) (status int, header http.Header, got string, err error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(b), err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   fault.Fault
		reached int64
		status  int // 0: no answer
		body    string
		broken  bool // the body breaks off
	}{
		"nothing":                 {fault.Fault{}, 1, 201, "hello", false},
		"a drop":                  {fault.Fault{Drop: true}, 0, 0, "", false},
		"a drop after the work":   {fault.Fault{Drop: true, Accepted: true}, 1, 0, "", false},
		"another answer":          {fault.Fault{Status: 503, Body: "no"}, 0, 503, "no", false},
		"another, after the work": {fault.Fault{Status: 503, Accepted: true}, 1, 503, "", false},
		"half":                    {fault.Fault{Half: true}, 1, 201, "he", true},
		"half of another":         {fault.Fault{Half: true, Status: 200, Body: "abcd"}, 0, 200, "ab", true},
		"a drip":                  {fault.Fault{Drip: time.Microsecond}, 1, 201, "hello", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url, reached := serve(t, c.fault)
			status, _, body, err := post(t, url, "hello")
			if status != c.status || body != c.body || reached.Load() != c.reached || (err != nil) != (c.broken || c.status == 0) {
				t.Errorf("got %d %q %v, reached %d times", status, body, err, reached.Load())
			}
			if c.broken && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the body ended as if it were whole: %v", err)
			}
			if status, _, body, err := post(t, url, "after"); status != 201 || body != "after" || err != nil || s.Met() != 1 {
				t.Errorf("the fault stays: %d %q %v", status, body, err)
			}
		})
	}
}

func TestWhen(t *testing.T) {
	t.Parallel()
	only := func(word string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			b, _ := io.ReadAll(r.Body)
			return string(b) == word
		}
	}
	s, url, reached := serve(t, fault.Fault{Status: 500, Times: 2, On: only("a")}, fault.Fault{Status: 429, Every: 3})
	var got []int
	for _, word := range []string{"a", "b", "a", "b", "b", "a", "b", "b", "b"} {
		status, _, _, err := post(t, url, word)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	want := []int{500, 201, 500, 201, 429, 201, 201, 429, 201}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	s.Clear()
	for range 4 {
		if status, _, _, err := post(t, url, "b"); status != 201 || err != nil {
			t.Errorf("after Clear: %d %v", status, err)
		}
	}
	if reached.Load() != 9 || s.Met() != 4 {
		t.Errorf("reached %d times, %d faults", reached.Load(), s.Met())
	}
}

// A wait ends with its time, and with the client that goes away.
func TestWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &fault.Script{}
		s.Add(fault.Fault{Before: time.Hour, After: time.Hour})
		h := s.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
		start, w := time.Now(), httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if time.Since(start) != 2*time.Hour || w.Code != http.StatusNoContent {
			t.Errorf("%s, %d", time.Since(start), w.Code)
		}
	})
}

package pagertest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// deaf is an answer that nobody takes.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestWhoAsksShowsTheToken(t *testing.T) {
	t.Parallel()
	s := New("a-token")
	n := s.Did("anna@example.invalid", "wrote", "START", "")
	ask := func(method, path, token, body string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Idempotency-Key", "k1")
		return r
	}
	status := func(r *http.Request) int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	if got := []int{status(ask("GET", "/inbox?after=1", "another", "")), status(ask("POST", "/pages", "another", "{}"))}; !slices.Equal(got, []int{401, 401}) {
		t.Errorf("without the token: %d", got)
	}
	if s.ServeHTTP(deaf{httptest.NewRecorder()}, ask("GET", "/inbox?after=0", "a-token", "")); s.Told() != 0 || s.Untold() != 1 {
		t.Errorf("nobody was told: %d, %d", s.Told(), s.Untold())
	}
	if got := []int{status(ask("GET", "/inbox?after=0", "a-token", "")), status(ask("POST", "/pages", "a-token", `{"to":"x","text":"y"}`))}; !slices.Equal(got, []int{200, 201}) || s.Told() != n {
		t.Errorf("with the token: %d, told %d", got, s.Told())
	}
	pages, wrong, heard := s.Record()
	if want := []string{"GET /inbox?after=1 ", "POST /pages {}"}; pages != 1 || !slices.Equal(wrong, want) || strings.Count(heard, "/inbox?after=") != 3 || strings.Count(heard, "Bearer a-token") != 3 {
		t.Errorf("%d pages, wrong is %q, heard is\n%s", pages, wrong, heard)
	}
}

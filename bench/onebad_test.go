package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// callCrowd makes a post about an article to a receiver of a crowd, with a bound for its answer.
func callCrowd(t *testing.T, c *crowd, who, url string, bound time.Duration) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/to/"+who, strings.NewReader(fmt.Sprintf(`{"data":{"url":%q}}`, url)))
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// Only the first receiver has moods; what it takes in one of them has not arrived.
func TestCrowd(t *testing.T) {
	t.Parallel()
	for m, want := range map[mood]struct {
		status int
		took   time.Duration
		body   string
	}{well: {http.StatusNoContent, 0, ""}, hangs: {http.StatusOK, 15 * time.Second, ""}, fails: {http.StatusInternalServerError, 0, ""},
		drips: {http.StatusOK, 15 * time.Second, strings.Repeat("{", 15)}} {
		t.Run(fmt.Sprint(m), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd()
				c.be(m)
				begun := time.Now()
				served := map[string]time.Time{"a": begun}
				w := callCrowd(t, c, "0", "a", 15*time.Second)
				body, err := io.ReadAll(w.Body)
				if err != nil || w.Code != want.status || time.Since(begun) != want.took || len(body) > len(want.body)+1 || !strings.HasPrefix(string(body), want.body) {
					t.Errorf("%d %q after %s, %v", w.Code, body, time.Since(begun), err)
				}
				if caught := c.caughtUp(served, begun.Add(time.Second)); caught != (m == well) {
					t.Errorf("the first has everything: %v", caught)
				}
				if m != well && c.met != 1 {
					t.Errorf("%d calls met the mood", c.met)
				}
				if _, all := c.lags(served, begun, begun.Add(time.Second)); all {
					t.Error("the others have everything before they were called")
				}
				at := time.Now()
				for who := 1; who < crowdSize; who++ {
					time.Sleep(time.Millisecond)
					if w := callCrowd(t, c, fmt.Sprint(who), "a", time.Second); w.Code != http.StatusNoContent {
						t.Errorf("receiver %d answers %d", who, w.Code)
					}
				}
				lags, all := c.lags(served, begun, begun.Add(time.Second))
				base := float64(at.Sub(begun).Milliseconds())
				if !all || len(lags) != crowdSize-1 || lags[0] != base+1 || lags[8] != base+9 {
					t.Errorf("%v, %v", lags, all)
				}
			})
		})
	}
	for _, who := range []string{"10", "-1", "x"} {
		if w := callCrowd(t, newCrowd(), who, "a", time.Second); w.Code != http.StatusBadRequest {
			t.Errorf("receiver %s answers %d", who, w.Code)
		}
	}
}

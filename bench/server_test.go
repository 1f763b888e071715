package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mmcdole/gofeed"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ask(t *testing.T, h http.Handler, method, path, tag string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, http.NoBody)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func items(t *testing.T, body []byte) (ids, titles []string) {
	t.Helper()
	f, err := gofeed.NewParser().Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i, it := range f.Items {
		if it.Link == "" || it.Description == "" || it.PublishedParsed == nil || len(it.Categories) != 3 || len(it.Authors) != 1 {
			t.Fatalf("item %d lacks something: %+v", i, it)
		}
		if i > 0 && !it.PublishedParsed.Before(*f.Items[i-1].PublishedParsed) {
			t.Fatalf("item %d is not older than the one before", i)
		}
		if it.PublishedParsed.After(time.Now()) {
			t.Fatalf("item %d lies in the future", i)
		}
		ids, titles = append(ids, it.GUID), append(titles, it.Title)
	}
	return ids, titles
}

func TestNewsstand(t *testing.T) {
	t.Parallel()
	for feed, format := range map[int]string{0: "rss", 1: "atom"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := newNewsstand(2)
			h := s.handler()
			path := fmt.Sprintf("/feed/%d", feed)
			first := ask(t, h, "GET", path, "")
			if kind := first.Header().Get("Content-Type"); !strings.Contains(kind, format) {
				t.Errorf("the type is %q", kind)
			}
			before, _ := items(t, first.Body.Bytes())
			tag := first.Header().Get("ETag")
			if again := ask(t, h, "GET", path, tag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
				t.Errorf("the same edition is answered with %d", again.Code)
			}
			if w := ask(t, h, "POST", "/epoch?n=1", ""); w.Code != http.StatusOK {
				t.Fatalf("a new edition is answered with %d", w.Code)
			}
			second := ask(t, h, "GET", path, tag)
			if second.Code != http.StatusOK {
				t.Fatalf("a new edition is answered with %d", second.Code)
			}
			after, titles := items(t, second.Body.Bytes())
			if len(before) != articlesShown || len(after) != articlesShown {
				t.Fatalf("%d and %d items", len(before), len(after))
			}
			if d := cmp.Diff(before[:articlesShown-articlesFresh], after[articlesFresh:]); d != "" {
				t.Errorf("an edition brings more than %d new items:\n%s", articlesFresh, d)
			}
			seen := map[string]bool{}
			for _, id := range append(before, after...) {
				seen[id] = true
			}
			if d := cmp.Diff(s.served(feed, 1), seen); d != "" {
				t.Errorf("served is not what was served:\n%s", d)
			}
			distinct := map[string]bool{}
			for _, title := range titles {
				distinct[title] = true
			}
			if len(distinct) != articlesShown {
				t.Errorf("%d different titles: items would be taken for the same", len(distinct))
			}
			if s.asked.Load() != 3 || s.unchanged.Load() != 1 {
				t.Errorf("counted %d asked and %d unchanged", s.asked.Load(), s.unchanged.Load())
			}
		})
	}
	if w := ask(t, newNewsstand(1).handler(), "GET", "/feed/1", ""); w.Code != http.StatusNotFound {
		t.Errorf("a feed that is not there is answered with %d", w.Code)
	}
}

func TestTickerRemembersWhenNewsWasServed(t *testing.T) {
	t.Parallel()
	s := newTicker()
	begun := time.Now()
	for range 3 {
		ask(t, s, "GET", "/feed/4", "")
	}
	ids, _ := items(t, ask(t, s, "GET", "/feed/4", "").Body.Bytes())
	if ids[0] != articleID(4, 4) || len(ids) != 4 {
		t.Errorf("the fourth answer shows %v", ids)
	}
	times := s.times()
	if _, there := times[articleURL(4, 1)]; there || len(times) != 3 {
		t.Errorf("what a source starts from counts as news: %v", times)
	}
	for url, at := range times {
		if at.Before(begun) || at.After(time.Now()) {
			t.Errorf("%s was served at %s", url, at)
		}
	}
}

func TestSinkCountsRepeats(t *testing.T) {
	t.Parallel()
	s := newSink()
	post := func(path, id, body string) int {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Webhook-Id", id)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	body := `{"type":"post.published","data":{"url":"https://paper.example/a/1"}}`
	for _, call := range [][2]string{{"/to/0", "m1"}, {"/to/0", "m1"}, {"/to/1", "m1"}, {"/to/0", "m2"}} {
		if code := post(call[0], call[1], body); code != http.StatusNoContent {
			t.Fatalf("answered with %d", code)
		}
	}
	if code := post("/to/0", "m3", `{}`); code != http.StatusBadRequest {
		t.Errorf("a call without a post is answered with %d", code)
	}
	if code := post("/send", "", "anything"); code != http.StatusNoContent {
		t.Errorf("the yardstick's call is answered with %d", code)
	}
	got := s.tally()
	if got.distinct != 3 || got.repeated != 1 || got.meanSize != len(body) {
		t.Errorf("%+v", got)
	}
	if _, ok := s.arrival("https://paper.example/a/1"); !ok {
		t.Error("the arrival was not noted")
	}
}

func TestLoops(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("news ", 100)
	status := http.StatusOK
	srv, err := serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(page)))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, page)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer srv.stop()
	ctx := context.Background()
	size, err := pageSize(srv.addr())
	if err != nil || size != len(page) {
		t.Fatalf("size %d, %v", size, err)
	}
	if speed, err := closedLoop(ctx, srv.addr(), size, 2, 50*time.Millisecond); err != nil || speed <= 0 {
		t.Errorf("closed loop: %v, %v", speed, err)
	}
	begun := time.Now()
	times, err := openLoop(ctx, srv.addr(), size, 4, 1000, 100*time.Millisecond)
	if err != nil || len(times) != 100 {
		t.Errorf("open loop: %d, %v", len(times), err)
	}
	if took := time.Since(begun); took < 99*time.Millisecond {
		t.Errorf("100 requests at 1,000 a second took %s", took)
	}
	for i, ms := range times {
		if ms <= 0 {
			t.Errorf("request %d took %v ms", i, ms)
		}
	}
	if _, err := closedLoop(ctx, srv.addr(), size/2, 1, 50*time.Millisecond); err == nil {
		t.Error("a page of quite another size was taken")
	}
	status = http.StatusServiceUnavailable
	if _, err := openLoop(ctx, srv.addr(), size, 1, 1000, 10*time.Millisecond); err == nil {
		t.Error("an error page was taken for the page")
	}
}

// TestOpenLoopCountsWaiting holds that a slow answer delays the clock of nobody behind it.
func TestOpenLoopCountsWaiting(t *testing.T) {
	t.Parallel()
	const slow = 60 * time.Millisecond
	first := make(chan struct{}, 1)
	first <- struct{}{}
	srv, err := serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-first:
			<-time.After(slow)
		default:
		}
		w.Header().Set("Content-Length", "1")
		_, _ = io.WriteString(w, "x")
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer srv.stop()
	times, err := openLoop(context.Background(), srv.addr(), 1, 1, 100, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	// The second was due after 10 ms and could not begin before 60 ms.
	if times[1] < 45 {
		t.Errorf("the request behind a slow one took %v ms: its waiting was left out", times[1])
	}
}

func TestProcessorTicks(t *testing.T) {
	t.Parallel()
	if got := (ticks{busy: 30, all: 200}).since(ticks{busy: 10, all: 100}); got != 20 {
		t.Errorf("busy %v %%, want 20", got)
	}
	if got := (ticks{}).since(ticks{}); got != 0 {
		t.Errorf("without figures the machine is %v %% busy", got)
	}
}

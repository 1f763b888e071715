package feedtest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

func ask(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestSiteIsStrict(t *testing.T) {
	t.Parallel()
	site := feedtest.New()
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	site.Set("/feed", feedtest.Page{Body: []byte("x"), ETag: `W/"1"`, Modified: "Fri, 20 Nov 2026 07:00:00 GMT"})
	if resp, _ := ask(t, server.URL+"/none"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a path without a page answers %d", resp.StatusCode)
	}
	resp, _ := ask(t, server.URL+"/feed")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") != `W/"1"` {
		t.Errorf("the page answers %d: %v", resp.StatusCode, resp.Header)
	}
	for _, c := range []struct {
		name, value string
		status      int
		faults      int
	}{
		{"If-None-Match", `W/"1"`, 304, 0},
		{"If-Modified-Since", "Fri, 20 Nov 2026 07:00:00 GMT", 304, 0},
		{"If-None-Match", `"1"`, 200, 1},
		{"If-Modified-Since", "Fri, 20 Nov 2026 07:00:01 GMT", 200, 2},
	} {
		resp, body := ask(t, server.URL+"/feed", c.name, c.value)
		if resp.StatusCode != c.status || len(site.Faults()) != c.faults || (body == "") != (c.status == 304) {
			t.Errorf("%s %s: answers %d with %q, faults %q", c.name, c.value, resp.StatusCode, body, site.Faults())
		}
	}
	if n := len(site.Requests()); n != 6 {
		t.Errorf("%d requests were recorded", n)
	}
}

func TestNewsroomWritesWhatItHolds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	var room feedtest.Newsroom
	room.Publish(feedtest.Article{ID: "1", Title: "One & only <b>", Published: at})
	room.Publish(feedtest.Article{ID: "2", Title: "Two", Published: at.Add(time.Hour)})
	room.Publish(feedtest.Article{ID: "1", Title: "One, corrected", Correction: "A name", Published: at})
	room.Withdraw("2", "mistake", at.Add(2*time.Hour))
	if list := room.Articles(); len(list) != 1 || list[0].Title != "One, corrected" || !room.Channel.Updated.Equal(at.Add(2*time.Hour)) {
		t.Errorf("the newsroom holds %+v, updated %s", list, room.Channel.Updated)
	}
	for name, doc := range map[string]string{"RSS": string(room.RSS()), "Atom": string(room.Atom()), "JSON": string(room.JSON())} {
		for _, part := range []string{"One, corrected", "A name", "mistake"} {
			if strings.Count(doc, part) != 1 {
				t.Errorf("%s holds %q %d times", name, part, strings.Count(doc, part))
			}
		}
		if strings.Contains(doc, "Two") {
			t.Errorf("%s holds a withdrawn article", name)
		}
	}
}

package rss

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
)

func TestCheckItems(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	html := "text/html"
	for _, c := range []struct {
		name  string
		page  feedtest.Page
		more  map[string]feedtest.Page
		want  sdk.PresenceState
		says  string
		asked string // methods, in order
	}{
		{name: "there", page: feedtest.Page{Type: html, Body: []byte("x")}, want: sdk.PresenceThere, says: "200 OK", asked: "HEAD"},
		{name: "not found", page: feedtest.Page{Status: 404}, want: sdk.PresenceGone, says: "404 Not Found", asked: "HEAD GET"},
		{name: "gone", page: feedtest.Page{Status: 410}, want: sdk.PresenceGone, says: "410 Gone", asked: "HEAD GET"},
		{name: "for legal reasons", page: feedtest.Page{Status: 451}, want: sdk.PresenceGone, says: "451", asked: "HEAD GET"},
		{name: "no HEAD", page: feedtest.Page{Type: html, NoHead: true}, want: sdk.PresenceThere, says: "200 OK", asked: "HEAD GET"},
		{name: "refused", page: feedtest.Page{Status: 403}, want: sdk.PresenceUnknown, says: "403 Forbidden", asked: "HEAD GET"},
		{name: "a login", page: feedtest.Page{Status: 401}, want: sdk.PresenceUnknown, says: "401", asked: "HEAD GET"},
		{name: "a failure", page: feedtest.Page{Status: 500}, want: sdk.PresenceUnknown, says: "500", asked: "HEAD GET"},
		{name: "overload", page: feedtest.Page{Status: 429}, want: sdk.PresenceUnknown, says: "429", asked: "HEAD"},
		{name: "a broken connection", page: feedtest.Page{ResetAfter: -1}, want: sdk.PresenceUnknown, says: "broke off", asked: "HEAD"},
		{name: "no answer", page: feedtest.Page{Hold: hold}, want: sdk.PresenceUnknown, says: "did not answer in time", asked: "HEAD"},
		{name: "moved", page: feedtest.Page{Status: 301, Location: "/b"}, more: map[string]feedtest.Page{"/b": {Type: html}}, want: sdk.PresenceThere, says: "200", asked: "HEAD HEAD"},
		{name: "moved to nothing", page: feedtest.Page{Status: 302, Location: "/b"}, want: sdk.PresenceGone, says: "404", asked: "HEAD HEAD GET GET"},
		{name: "moved to the front page", page: feedtest.Page{Status: 301, Location: "/"}, more: map[string]feedtest.Page{"/": {Type: html}}, want: sdk.PresenceUnknown, says: "to the front page of 127.0.0.1", asked: "HEAD"},
		{name: "moved to the front page of a language", page: feedtest.Page{Status: 302, Location: "/fr/"}, want: sdk.PresenceUnknown, says: "front page", asked: "HEAD"},
		{name: "in a circle", page: feedtest.Page{Status: 302, Location: "/a"}, want: sdk.PresenceUnknown, says: "more than 5 redirects", asked: "HEAD HEAD HEAD HEAD HEAD HEAD"},
		{name: "to a private address", page: feedtest.Page{Status: 302, Location: "http://10.0.0.1/"}, want: sdk.PresenceUnknown, says: "cannot be asked", asked: "HEAD"},
		{name: "without a place", page: feedtest.Page{Status: 302}, want: sdk.PresenceUnknown, says: "cannot be asked", asked: "HEAD"},
		{name: "a long page", page: feedtest.Page{Type: html, NoHead: true, Body: make([]byte, 8<<20)}, want: sdk.PresenceThere, says: "200", asked: "HEAD GET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *Config) { c.Timeout = sdk.D(time.Second) })
			b.site.Set("/a", c.page)
			for path, page := range c.more {
				b.site.Set(path, page)
			}
			got, err := b.CheckItems(context.Background(), []sdk.ItemRef{{Key: "a", URL: b.server.URL + "/a"}})
			if err != nil || len(got) != 1 || got[0].State != c.want || !strings.Contains(got[0].Reason, c.says) {
				t.Errorf("%+v, %v; want %s with %q", got, err, c.want, c.says)
			}
			var asked []string
			for _, r := range b.site.Requests() {
				asked = append(asked, r.Method)
			}
			if got := strings.Join(asked, " "); got != c.asked {
				t.Errorf("asked by %s, want %s", got, c.asked)
			}
		})
	}
}

func TestCheckItemsAnswersInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.site.Set("/a", feedtest.Page{Type: "text/html"})
	items := []sdk.ItemRef{{Key: "1", URL: b.server.URL + "/a"}, {Key: "2"}, {Key: "3", URL: b.server.URL + "/b"}, {Key: "4", URL: "ftp://x/"}}
	got, err := b.CheckItems(context.Background(), items)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []sdk.PresenceState{sdk.PresenceThere, sdk.PresenceUnknown, sdk.PresenceGone, sdk.PresenceUnknown} {
		if got[i].State != want || got[i].Reason == "" {
			t.Errorf("item %d is %+v, want %s", i+1, got[i], want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got, err = b.CheckItems(ctx, items)
	if err != nil || len(got) != 4 || got[0].State != sdk.PresenceUnknown {
		t.Errorf("without time: %+v, %v", got, err)
	}
}

func TestCheckItemsRespectsAPause(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.site.Set("/a", feedtest.Page{Status: 503, Header: http.Header{"Retry-After": {"60"}}})
	b.site.Set("/b", feedtest.Page{Type: "text/html"})
	got, err := b.CheckItems(context.Background(), []sdk.ItemRef{{Key: "1", URL: b.server.URL + "/a"}, {Key: "2", URL: b.server.URL + "/b"}})
	if err != nil || got[1].State != sdk.PresenceUnknown || !strings.Contains(got[1].Reason, "asked to be left alone") || len(b.site.Requests()) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

package feed

import (
	"net/url"
	"testing"
	"time"
)

func TestHubs(t *testing.T) {
	t.Parallel()
	at := &url.URL{Scheme: "https", Host: "news.example", Path: "/feed"}
	atom := func(links string) string {
		return `<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>x</id>` + links + `<entry><id>a</id><title>A</title><link rel="hub" href="https://not.example/"/></entry></feed>`
	}
	rss := func(links string) string {
		return `<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>T</title>` + links + `<item><guid>a</guid><title>A</title></item></channel></rss>`
	}
	for name, c := range map[string]struct{ document, hub, topic string }{
		"Atom":                {atom(`<link rel="hub" href="https://hub.example/"/><link rel="self" href="https://news.example/atom"/>`), "https://hub.example/", "https://news.example/atom"},
		"RSS":                 {rss(`<atom:link rel="hub" href="https://hub.example/"/><atom:link rel="self" href="https://news.example/rss"/>`), "https://hub.example/", "https://news.example/rss"},
		"relative":            {atom(`<link rel="hub" href="/hub"/><link rel="self" href="/atom"/>`), "https://news.example/hub", "https://news.example/atom"},
		"several hubs":        {atom(`<link rel="hub" href="http://first.example/"/><link rel="hub" href="https://second.example/"/><link rel="hub" href="https://third.example/"/>`), "https://second.example/", ""},
		"two relations":       {atom(`<link rel="Hub self" href="https://hub.example/"/>`), "https://hub.example/", "https://hub.example/"},
		"none":                {atom(`<link rel="self" href="https://news.example/atom"/>`), "", "https://news.example/atom"},
		"no address of a hub": {rss(`<atom:link rel="hub" href="mailto:hub@example.invalid"/><atom:link rel="hub" href="javascript:alert(1)"/><atom:link rel="hub" href=""/>`), "", ""},
		"JSON Feed": {`{"version":"https://jsonfeed.org/version/1.1","title":"T","feed_url":"https://news.example/json","hubs":[{"type":"rssCloud","url":"https://cloud.example/"},{"type":"WebSub","url":"https://hub.example/"}],"items":[{"id":"a","title":"A"}]}`,
			"https://hub.example/", "https://news.example/json"},
		"odd hubs": {`{"version":"https://jsonfeed.org/version/1.1","title":"T","hubs":"https://hub.example/","items":[{"id":"a","title":"A"}]}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Read(t.Context(), Input{Body: []byte(c.document), URL: at, Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if f.About.Hub != c.hub || f.About.Topic != c.topic || len(f.Entries) != 1 {
				t.Errorf("hub %q, topic %q, %d entries", f.About.Hub, f.About.Topic, len(f.Entries))
			}
		})
	}
}

func TestLinkHeaders(t *testing.T) {
	t.Parallel()
	at := &url.URL{Scheme: "https", Host: "news.example", Path: "/feed"}
	for name, c := range map[string]struct {
		headers    []string
		hub, topic string
	}{
		"one header":   {[]string{`<https://hub.example/>; rel="hub", <https://news.example/feed>; rel="self"`}, "https://hub.example/", "https://news.example/feed"},
		"two headers":  {[]string{`<https://hub.example/>;rel=hub`, `</feed>; title="x"; REL=self`}, "https://hub.example/", "https://news.example/feed"},
		"rel twice":    {[]string{`<https://hub.example/>; rel=next; rel=hub`}, "", ""},
		"none":         {nil, "", ""},
		"no link":      {[]string{`https://hub.example/; rel=hub`, `<https://hub.example/`, ``}, "", ""},
		"another kind": {[]string{`<ftp://hub.example/>; rel=hub`}, "", ""},
	} {
		if hub, topic := LinkHub(c.headers, at); hub != c.hub || topic != c.topic {
			t.Errorf("%s: hub %q, topic %q", name, hub, topic)
		}
	}
}

package app

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/internal/websub/websubtest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

const withHub = base + `
sources:
  articles: {type: rss, url: "%SITE%/feed", poll: 1h, isolation: none, allow_private: [127.0.0.0/8]}
` + toHook

// hubStage is a stage whose feed names a hub.
type hubStage struct {
	*stage
	hub   *websubtest.Hub
	links http.Header
	topic string
}

func newHubStage(t *testing.T) *hubStage {
	t.Helper()
	s := &hubStage{stage: newStage(t)}
	s.hub = websubtest.New(websubtest.Options{Client: websubtest.Through(func() string { return s.app.Addr() })})
	server := httptest.NewServer(s.hub)
	t.Cleanup(server.Close)
	t.Cleanup(s.hub.Wait)
	s.topic = s.siteURL + "/topic"
	s.links = http.Header{"Link": {"<" + server.URL + "/>; rel=\"hub\", <" + s.topic + ">; rel=\"self\""}}
	s.config(withHub)
	s.shows()
	return s
}

// shows lets the site serve the newsroom's state, with the hub.
func (s *hubStage) shows() {
	s.site.Set("/feed", feedtest.Page{Type: "application/atom+xml", Header: s.links, Body: s.newsroom.Atom()})
}

// writes adds an article that the site does not show yet.
func (s *hubStage) writes(id, title string) {
	s.newsroom.Publish(feedtest.Article{ID: id, Title: title, Link: s.siteURL + "/" + id, Published: time.Now().Add(-time.Minute)})
}

func (s *hubStage) posted(title string) func() bool {
	return func() bool {
		for _, p := range s.hook.State().Posts {
			if p.Title == title {
				return true
			}
		}
		return false
	}
}

// fetches counts how often the feed was asked for since it was last counted.
func (s *hubStage) fetches() (n int) {
	for _, r := range s.site.Requests() {
		if r.Path == "/feed" {
			n++
		}
	}
	return n
}

// fetch has the feed fetched now.
func (s *hubStage) fetch() {
	s.t.Helper()
	was := s.source("articles").FetchedAt
	if err := s.app.Store().FetchNow(s.t.Context(), "articles", false, time.Now()); err != nil {
		s.t.Fatal(err)
	}
	s.app.poller.Wake()
	s.until("it was fetched", func() bool { return s.source("articles").FetchedAt.After(was) })
}

// What a hub tells is posted without a fetch, once, also when it comes again with the next fetch; what is not signed by it is
// not. A feed whose hub tells is fetched rarely, and as before once a fetch finds what the hub had not told. A feed that names
// no hub any more ends its subscription.
func TestAHubTells(t *testing.T) {
	t.Parallel()
	s := newHubStage(t)
	s.writes("old", "Hier")
	s.shows()
	s.start()
	s.until("the hub has asked back", func() bool { return len(s.hub.Subscribers()) == 1 })
	s.fetches()

	s.writes("a", "Le feu")
	if got := s.hub.Publish(s.topic, "application/atom+xml", s.newsroom.Atom()); len(got) != 1 || got[0] != http.StatusAccepted {
		t.Fatalf("%v %q", got, s.hub.Problems())
	}
	s.until("what the hub told is posted", s.posted("Le feu"))
	if n := s.fetches(); n != 0 {
		t.Errorf("the feed was fetched %d times", n)
	}

	callback := s.hub.Subscribers()[0].Callback
	through := websubtest.Through(s.app.Addr)
	forged := bytes.ReplaceAll(s.newsroom.Atom(), []byte("Le feu"), []byte("Un mensonge"))
	tell := func(to, signature string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, bytes.NewReader(forged))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/atom+xml")
		if signature != "" {
			req.Header.Set("X-Hub-Signature", signature)
		}
		resp, err := through.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for _, signature := range []string{"", "sha512=00", websubtest.SHA512("another secret", forged), "md5=" + strings.Repeat("0", 32)} {
		if status := tell(callback, signature); status != http.StatusAccepted {
			t.Errorf("%q: %d", signature, status)
		}
	}
	if status := tell("https://gazette.example"+websub.Path+"guessed", ""); status != http.StatusNotFound {
		t.Errorf("a guessed callback: %d", status)
	}

	// The site shows it now too, and the next fetch brings nothing new. It is the last for a while.
	s.shows()
	s.fetch()
	if st := s.source("articles"); st.NextAt.Sub(st.FetchedAt) < 11*time.Hour {
		t.Errorf("it is fetched again after %s, although the hub tells", st.NextAt.Sub(st.FetchedAt))
	}
	s.writes("b", "La crue")
	s.shows()
	s.fetch()
	s.until("what a fetch found is posted", s.posted("La crue"))
	s.until("it is fetched as before", func() bool {
		st := s.source("articles")
		return st.NextAt.Sub(st.FetchedAt) <= time.Hour
	})
	if posts := s.hook.State().Posts; len(posts) != 2 {
		t.Errorf("%d posts: %v", len(posts), posts)
	}

	s.links = nil
	s.shows()
	s.fetch()
	s.until("the subscription has ended", func() bool { return len(s.hub.Subscribers()) == 0 })
	s.hub.Wait()
	if status := tell(callback, ""); status != http.StatusGone {
		t.Errorf("a callback of before: %d", status)
	}
	if p := s.hub.Problems(); len(p) > 0 {
		t.Errorf("%q", p)
	}
}

// What a hub tells and nobody can read is not waited for: the feed is fetched as before, and whoever looks learns why.
func TestAHubTellsNonsense(t *testing.T) {
	t.Parallel()
	s := newHubStage(t)
	s.start()
	s.until("the hub has asked back", func() bool { return len(s.hub.Subscribers()) == 1 })
	s.writes("a", "Le feu")
	s.hub.Publish(s.topic, "application/atom+xml", s.newsroom.Atom())
	s.until("what the hub told is posted", s.posted("Le feu"))
	s.shows()
	s.fetch()
	if st := s.source("articles"); st.NextAt.Sub(st.FetchedAt) < 11*time.Hour {
		t.Errorf("it is fetched again after %s, although the hub tells", st.NextAt.Sub(st.FetchedAt))
	}
	if got := s.hub.Publish(s.topic, "text/html", []byte("<html><title>Down for maintenance</title></html>")); len(got) != 1 || got[0] != http.StatusAccepted {
		t.Fatalf("%v %q", got, s.hub.Problems())
	}
	s.until("it is fetched as before", func() bool {
		st := s.source("articles")
		return st.NextAt.Sub(st.FetchedAt) <= time.Hour
	})
	rows, err := s.app.Store().Alerts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(rows, func(r alert.Row) bool { return r.Code == alert.WebhookFailed }); i < 0 || !strings.HasPrefix(rows[i].Sentence, "source articles: what its hub told could not be read: ") ||
		!strings.Contains(rows[i].Mend, "belfry source replay articles --drop") || strings.Contains(rows[i].Mend, "map") {
		t.Errorf("%+v", rows)
	}

	// What the alert says can be done.
	d := desk.Desk{Config: s.app.Config(), Store: s.app.Store(), Now: time.Now()}
	if src, err := d.Source(t.Context(), "articles"); err != nil || src.Calls == nil || src.Calls.Failed != 1 || !src.Calls.Told || len(src.Calls.Reasons) != 1 {
		t.Errorf("%+v, %v", src.Calls, err)
	}
	if _, err := d.Replay(t.Context(), "articles", true, false); err == nil || !strings.Contains(err.Error(), "may be older than what it has") {
		t.Errorf("all that the hub told is read again: %v", err)
	}
	if done, err := d.Replay(t.Context(), "articles", false, true); err != nil || done.Dropped != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if rows, err := s.app.Store().Alerts(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
	if src, err := d.Source(t.Context(), "articles"); err != nil || src.Calls != nil {
		t.Errorf("%+v, %v", src.Calls, err)
	}
}

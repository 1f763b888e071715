package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
)

const withDigest = plain + `
  brief:
    title: Brief
    sources: [articles]
    digest: {cron: "@every 1s"}
    publish_to: [{destination: hook}]
`

// everywhere are the places where readers look.
var everywhere = []string{"/", "/c/alertes", "/c/alertes/feed.atom", "/c/alertes/feed.json", "/c/brief", "/c/brief/feed.atom", "/c/brief/feed.json"}

// Before its embargo ends an article is on no page, in no feed, at no destination, and its picture at no address; after it,
// it is everywhere by itself. What a revision says under an embargo is no exception.
func TestEmbargo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(withDigest)
	s.start()
	s.publish(feedtest.Article{ID: "open", Title: "Ouvert"})
	s.until("the open one is out", func() bool { return len(s.messages()) == 1 && s.idle() })
	picture, revised := s.image("/secret.jpg", 90), time.Now()
	publish := func(end time.Time) {
		s.publish(feedtest.Article{ID: "a", Title: "Secret d'État", Summary: "Embargo", Image: picture, NotBefore: end})
		s.publish(feedtest.Article{ID: "open", Title: "Secret aussi", NotBefore: end, Updated: revised})
	}
	// In whole seconds, as feeds write times. The end is far until everybody has looked often enough, and then moved near.
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	publish(end)
	ctx := t.Context()
	s.until("it is known, and so is its picture", func() bool {
		rows, err := s.app.Store().FindItem(ctx, "articles", "a")
		if err != nil || len(rows) != 1 {
			return false
		}
		files, err := s.app.Store().Files(ctx, []string{s.siteURL + "/secret.jpg"})
		return err == nil && len(files) == 1
	})
	files, err := s.app.Store().Files(ctx, []string{s.siteURL + "/secret.jpg"})
	if err != nil {
		t.Fatal(err)
	}
	name := files[s.siteURL+"/secret.jpg"].Name
	early := func() bool { return time.Until(end) > 300*time.Millisecond }
	looks := 0
	for ; early(); looks++ {
		if looks == 5 {
			end = time.Now().Add(4 * time.Second).Truncate(time.Second)
			publish(end)
		}
		for _, path := range everywhere {
			if _, page := s.page(path); strings.Contains(page, "Secret") && early() {
				t.Errorf("%s tells %s before the end", path, time.Until(end))
			}
		}
		for _, file := range []string{name, media.SmallName(name)} {
			if code, _ := s.page("/media/" + file); code != http.StatusNotFound && early() {
				t.Errorf("the picture is shown before the end: %d", code)
			}
		}
		posts, err := json.Marshal(s.hook.State().Posts)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(posts), "Secret") && early() || strings.Contains(strings.Join(s.messages(), ""), "Secret") && early() {
			t.Error("a destination has it before the end")
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.until("it is everywhere", func() bool {
		code, _ := s.page("/media/" + name)
		_, page := s.page("/c/alertes")
		_, brief := s.page("/c/brief")
		return code == http.StatusOK && strings.Contains(page, "Secret d") && strings.Contains(page, "Secret aussi") && strings.Contains(brief, "Secret d") && len(s.messages()) == 2 && s.idle()
	})
}

// The first fetch posts nothing, a command releases the newest, and a flood waits for its own command.
func TestBaselineAndFloodAreReleasedByCommand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(plain, "baseline: all", "baseline: none, max_new: 3", 1))
	for _, id := range []string{"a", "b", "c"} {
		s.publish(feedtest.Article{ID: id, Title: "Ancien " + id, Published: time.Now().Add(-time.Hour)})
	}
	s.publish(feedtest.Article{ID: "d", Title: "Ancien d, le plus récent", Published: time.Now().Add(-time.Minute)})
	s.start()
	ctx := t.Context()
	s.until("they are known", func() bool {
		counts, err := s.app.Store().SourceCounts(ctx)
		return err == nil && counts["articles"].Baseline == 4
	})
	s.never("something of the first fetch was posted", func() bool { return len(s.posts()) > 0 })
	if n, err := s.app.Store().ReleaseBaseline(ctx, "articles", 1, "test", time.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.app.engine.Wake()
	s.until("the newest is out", func() bool {
		return len(s.messages()) == 1 && strings.Contains(s.messages()[0], "plus récent") && s.idle()
	})
	for _, id := range []string{"w", "x", "y", "z"} {
		s.newsroom.Publish(feedtest.Article{ID: id, Title: "Flot " + id, Link: s.siteURL + "/" + id, Published: time.Now().Add(-time.Minute)})
	}
	s.show()
	s.until("the flood is held, and somebody is told", func() bool { return s.alerts()["source_held"] != "" })
	s.never("something of the flood was posted", func() bool { return len(s.messages()) > 1 })
	if n, err := s.app.Store().ReleaseSourceHolds(ctx, "articles", false, "test", time.Now()); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	s.app.engine.Wake()
	s.until("the flood is out", func() bool { return len(s.messages()) == 5 && s.idle() && len(s.alerts()) == 0 })
}

// Two sources bring one article at the same moment: each channel posts it once, and says why the other was left out.
func TestOneArticleOfTwoSources(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	text := strings.Replace(plain, "sources:\n  articles", `sources:
  second: {type: rss, url: "%SITE%/second", poll: 1s, baseline: all, isolation: none, allow_private: [127.0.0.0/8]}
  articles`, 1)
	s.config(strings.Replace(text, "sources: [articles]", "sources: [articles, second]", 1))
	s.newsroom.Publish(feedtest.Article{ID: "a", Title: "Un", Link: s.siteURL + "/one", Published: time.Now().Add(-time.Minute)})
	s.show()
	other := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Agence", Link: s.siteURL}}
	other.Publish(feedtest.Article{ID: "b", Title: "Un, par l'agence", Link: s.siteURL + "/one?utm_source=agence", Published: time.Now().Add(-time.Minute)})
	s.site.Feed("/second", other.Atom())
	s.start()
	s.until("it is out", func() bool { return len(s.messages()) == 1 && len(s.hook.State().Posts) == 1 && s.idle() })
	s.never("it is out twice", func() bool { return len(s.messages()) > 1 })
	var not []store.NotUsed
	s.until("the other is left out with its reason", func() bool {
		list, err := s.app.Store().NotUsed(t.Context(), "alertes", time.Time{}, 10)
		not = list
		return err == nil && len(list) == 1 && list[0].Reason == compose.ReasonDuplicate
	})
	if not[0].Detail == "" {
		t.Error("nothing says of which")
	}
}

// Editors' own posts go the way of all posts: written with a picture and a link, later or now, edited, retracted.
func TestEditorsPosts(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(plain, "corrections:", "utm: {source: belfry}\n    corrections:", 1))
	a := s.start()
	ctx := t.Context()
	p, err := media.Process(picture(t, 120), media.Bounds{MaxBytes: 1 << 20, MaxPixels: 1 << 20, Width: 640})
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.files.Put(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Store().PutImage(ctx, "belfry:"+f.SHA256, f, time.Now()); err != nil {
		t.Fatal(err)
	}
	ch := a.engine.Program().Channels["alertes"]
	c, err := ch.Write(compose.Draft{Title: "Gare fermée", Text: "Les **bus** remplacent les trains. {{.Title}}", Link: "https://news.example/gare?x=1",
		Image: sdk.Media{URL: "belfry:" + f.SHA256, Alt: "La gare"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(3 * time.Second)
	id, err := a.Store().CreatePost(ctx, ch.EditorPost(c, at, false, time.Now()), nil, "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a.engine.Wake()
	for time.Until(at) > 300*time.Millisecond {
		if code, page := s.page("/c/alertes/" + id); (code == http.StatusOK || strings.Contains(page, "Gare")) && time.Until(at) > 0 {
			t.Errorf("before its time the page answers %d", code)
		}
		if code, _ := s.page("/media/" + f.Name); code == http.StatusOK && time.Until(at) > 0 {
			t.Error("before its time the picture is shown")
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.until("it is out with its picture", func() bool {
		m := s.telegram.Messages(testChat)
		return len(m) == 1 && m[0].Photo != nil && strings.Contains(m[0].Text, "Gare fermée") && strings.Contains(m[0].Text, "bus remplacent") && s.idle()
	})
	m := s.telegram.Messages(testChat)[0]
	if !strings.Contains(m.Text, "{{.Title}}") || !strings.Contains(m.Text, "https://news.example/gare?x=1&utm_source=belfry") {
		t.Errorf("the text is %q", m.Text)
	}
	post, err := a.Store().PostByID(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	title, note := "Gare rouverte", "La gare a rouvert à 9 h."
	next, err := compose.Redraft{Title: &title, Note: &note}.Revise(post.Kind, post.Status, post.Content)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Store().EditPost(ctx, post.ID, post.Revision, next, nil, "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	a.outbox.Wake()
	s.until("every copy is edited", func() bool {
		_, page := s.page("/c/alertes/" + id)
		return strings.Contains(s.messages()[0], "Gare rouverte") && strings.Contains(page, note) && s.hook.State().Posts[0].Title == title && s.idle()
	})
	if _, err := a.Store().RetractPost(ctx, post.ID, false, "erreur", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	a.outbox.Wake()
	s.until("every copy is gone", func() bool {
		code, _ := s.page("/c/alertes/" + id)
		return len(s.messages()) == 0 && !s.hook.State().Posts[0].Withdrawn.IsZero() && code == http.StatusGone && s.idle()
	})
}

// A paused digest is not made, its items wait, and one is made when it goes on.
func TestAPausedDigest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(withDigest, "  alertes:\n    title: Alertes\n    sources: [articles]\n    each: {}\n", "  alertes:\n    title: Alertes\n    hide_after: 30d\n", 1))
	a := s.start()
	ctx := t.Context()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("the first is made", func() bool { return len(s.posts()) == 1 })
	if _, err := a.Store().Pause(ctx, store.PauseChannel, "brief", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.publish(feedtest.Article{ID: "b", Title: "Deux"})
	s.until("the item waits", func() bool {
		w, err := a.Store().WaitingItems(ctx, "brief")
		return err == nil && len(w) == 1
	})
	s.never("a paused digest was made", func() bool { return len(s.posts()) > 1 })
	if _, err := a.Store().Resume(ctx, store.PauseChannel, "brief", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.until("it goes on", func() bool {
		return len(s.posts()) == 2 && len(s.posts()[0].Content.Entries) == 1 && s.posts()[0].Content.Entries[0].Title == "Deux"
	})
}

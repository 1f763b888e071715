package app

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

func TestRendererShares(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t, filepath.Join(t.TempDir(), "belfry.db"))
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	var channel configs.Channel
	channel.SetDefaults()
	channel.Title, channel.Template = configs.Localized{"": "News"}, configs.Template{Text: "{{.Title}}"}
	for _, name := range []string{"a", "b", "shouts", "counts"} {
		var target configs.Target
		target.SetDefaults()
		target.Destination = name
		switch name {
		case "shouts":
			target.Template.Text = "{{upper .Title}}"
		case "counts":
			target.UTM = &configs.UTM{Source: "belfry"}
		}
		channel.PublishTo = append(channel.PublishTo, target)
	}
	config := configs.Config{Timezone: "UTC", Channels: map[string]configs.Channel{"news": channel}}
	program, problems := compose.Compile(&config)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := newRenderer(func() *compose.Program { return program }, db, nil)
	at := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	work := func(revision int, title, destination string) outbox.Work {
		return outbox.Work{PublicID: "p", Channel: "news", Want: revision, Destination: destination, Published: at, RevisedAt: at,
			Content: fmt.Appendf(nil, `{"title": %q, "url": "https://news.example/1"}`, title)}
	}
	post := func(w outbox.Work) sdk.Post {
		t.Helper()
		p, err := r.Post(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		return p.Post
	}
	first, again := post(work(1, "Fire", "a")), post(work(1, "Fire", "b"))
	if &first.Body[0] != &again.Body[0] {
		t.Error("two destinations that show a post the same way do not share it")
	}
	for _, c := range []struct {
		name string
		work outbox.Work
		text string
		url  string
	}{
		{"the same", work(1, "Fire", "a"), "Fire", "https://news.example/1"},
		{"another template", work(1, "Fire", "shouts"), "FIRE", "https://news.example/1"},
		{"another campaign", work(1, "Fire", "counts"), "Fire", "https://news.example/1?utm_source=belfry"},
		{"a revision", work(2, "Fire at the station", "a"), "Fire at the station", "https://news.example/1"},
		{"a text that was changed in the store", work(1, "Smoke", "a"), "Smoke", "https://news.example/1"},
		{"and its other destination", work(1, "Smoke", "b"), "Smoke", "https://news.example/1"},
	} {
		p := post(c.work)
		if diff := cmp.Diff([]string{c.text, c.url}, []string{sdk.PlainText(p.Body), p.URL}); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
	for i := range 3 * mostRendered {
		post(work(10+i, "Fire", "a"))
	}
	if len(r.rendered) > mostRendered || len(r.order) != len(r.rendered) {
		t.Errorf("%d revisions are kept, in an order of %d", len(r.rendered), len(r.order))
	}
}

package app

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/google/go-cmp/cmp"
)

// holding are the files of the data folder that hold a text.
func (s *stage) holding(text string) []string {
	s.t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(s.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			out = append(out, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// An item that is only in a digest is retracted for good: the digest follows at once, however lately it was edited, nothing
// of the text stays in any file, and a second retraction changes nothing.
func TestALegalRetractionOfWhatIsOnlyInADigest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(head + `
channels:
  brief:
    title: Brief
    sources: [articles]
    digest: {cron: "@every 1s", title: "Brief: {{(index .Items 0).Title}}", min_items: 2}
    publish_to: [{destination: telegram, chat: "@gazette"}]
    corrections: {min_gap: 1h, revised: [list]}
`)
	s.start()
	// Long texts stand in pages of their own.
	long := strings.Repeat("Une calomnie de plus. ", 400)
	s.newsroom.Publish(feedtest.Article{ID: "keep", Title: "Reste"})
	s.publish(feedtest.Article{ID: "a", Title: "Diffamatoire", Summary: "Une calomnie", HTML: "<p>" + long + "</p>", Image: s.image("/a.jpg", 90)})
	s.until("the digest is out with its picture", func() bool {
		pictures, err := s.app.Store().Files(context.Background(), []string{s.siteURL + "/a.jpg"})
		return err == nil && len(pictures) == 1 && len(s.messages()) == 1 && s.idle()
	})
	if !strings.Contains(s.messages()[0], "Diffamatoire") || len(s.holding("calomnie")) == 0 {
		t.Fatalf("the digest is %q", s.messages())
	}
	ctx, db := context.Background(), s.app.Store()
	found, err := db.FindItem(ctx, "articles", "a")
	if err != nil || len(found) != 1 {
		list, _ := db.FindItem(ctx, "articles", "2")
		t.Fatalf("%+v, %v; %+v", found, err, list)
	}
	out, err := db.RetractItem(ctx, found[0].ID, "jugement", "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	digest := s.posts()[0]
	want := store.Retracted{Digests: []string{digest.PublicID}, Items: []store.ItemName{{ID: found[0].ID, Source: "articles", Key: found[0].Key}}, Files: out.Files}
	if diff := cmp.Diff(want, out); diff != "" || len(out.Files) != 1 {
		t.Errorf("%d files, %s", len(out.Files), diff)
	}
	for _, name := range out.Files {
		if err := s.app.files.Remove(name); err != nil {
			t.Error(err)
		}
	}
	s.until("the digest follows at once", func() bool { return !strings.Contains(strings.Join(s.messages(), ""), "Diffamatoire") && s.idle() })
	if got := s.messages(); len(got) != 1 || !strings.Contains(got[0], "Reste") {
		t.Errorf("the digest is %q", got)
	}
	s.until("the files are clear", func() bool {
		done, err := db.Forget(ctx)
		return err == nil && done
	})
	for _, text := range []string{"Diffamatoire", "calomnie"} {
		if files := s.holding(text); len(files) > 0 {
			t.Errorf("%q is still in %v", text, files)
		}
	}
	before := s.state()
	copies, err := db.Copies(ctx, digest.ID)
	if err != nil {
		t.Fatal(err)
	}
	again, err := db.RetractItem(ctx, found[0].ID, "jugement", "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want.Files, want.Again = nil, true
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("the second time:\n%s", diff)
	}
	after, err := db.Copies(ctx, digest.ID)
	if diff := cmp.Diff(copies, after); diff != "" || err != nil || before != s.state() {
		t.Errorf("a second retraction changes something: %v\n%s\n%s\n%s", err, diff, before, s.state())
	}
}

package demo

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the desks wrote is whole: every story has a text in its language, every picture words and a drawing.
func TestStocks(t *testing.T) {
	t.Parallel()
	stocks, err := readStocks()
	if err != nil {
		t.Fatal(err)
	}
	slugs, drawn, total := map[string]bool{}, map[string]bool{}, 0
	for _, lang := range desks {
		s := stocks[lang]
		total += len(s.Front)
		if len(s.Coming) == 0 || len(s.Bulletins) < burst || s.Generic.Note == "" || !strings.Contains(s.Generic.Summary, "{summary}") {
			t.Errorf("%s: not enough for a demonstration", lang)
		}
		for i, story := range slices.Concat(s.Front, s.Coming) {
			if story.Slug == "" || slugs[lang+story.Slug] {
				t.Errorf("%s: the slug %q is empty or is there twice", lang, story.Slug)
			}
			slugs[lang+story.Slug] = true
			if story.Title == "" || story.Summary == "" || story.Text == "" || story.By == "" || len(story.Tags) == 0 {
				t.Errorf("%s/%s: something is missing", lang, story.Slug)
			}
			if i >= len(s.Front) && story.Fix.Note == "" {
				t.Errorf("%s/%s: there is nothing to correct about it", lang, story.Slug)
			}
			if p := story.Picture; p.Name != "" {
				drawn[p.Name+".jpg"] = true
				if p.Alt == "" || p.Credit == "" {
					t.Errorf("%s/%s: the picture has no words", lang, story.Slug)
				}
			}
		}
	}
	if total != 36 {
		t.Errorf("%d articles stand at the start, want 36", total)
	}
	entries, err := material.ReadDir("newsroom/pictures")
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, e := range entries {
		data, err := material.ReadFile("newsroom/pictures/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		size += len(data)
		if c, err := jpeg.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 960 || c.Height != 640 {
			t.Errorf("%s: %v, %d × %d; the pages say 960 × 640", e.Name(), err, c.Width, c.Height)
		}
		if !drawn[e.Name()] {
			t.Errorf("%s: no story has this picture", e.Name())
		}
		delete(drawn, e.Name())
	}
	for name := range drawn {
		t.Errorf("%s is not drawn; make it: go generate ./internal/demo", name)
	}
	if size > 1_500_000 {
		t.Errorf("the pictures take %d bytes of the program, at most 1.5 MB are wanted", size)
	}
}

func testNewsroom(t *testing.T) (*newsroom, func() string) {
	t.Helper()
	n, err := openNewsroom(time.UTC, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.serveAt("http://paper.example", "http://inner.example"); err != nil {
		t.Fatal(err)
	}
	return n, func() string {
		w := httptest.NewRecorder()
		n.site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://inner.example"+feedPath, nil))
		return w.Body.String()
	}
}

func TestNewsroomWritesTheFeed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n, feed := testNewsroom(t)
	articles, at := n.Publish("fr", "en")
	if len(articles) != 2 || time.Since(at) > time.Minute {
		t.Fatalf("published %v at %v", articles, at)
	}
	a := articles[1]
	if !strings.Contains(feed(), n.Link(a)) {
		t.Errorf("%s is not in the feed", a.ID)
	}
	live, err := n.Live(ctx, "en")
	if err != nil || live[0].ID != a.ID {
		t.Errorf("the newest article is %s, want %s (%v)", live[0].ID, a.ID, err)
	}

	first, _, err := n.Correct(ctx, a.ID)
	if err != nil || first.Note != a.Fix.Note || !strings.Contains(feed(), first.Note) {
		t.Errorf("corrected with the note %q, want %q in the feed (%v)", first.Note, a.Fix.Note, err)
	}
	second, _, err := n.Correct(ctx, a.ID)
	if err != nil || second.Note == first.Note || second.Summary == first.Summary {
		t.Errorf("a second correction changes nothing: %q, %v", second.Summary, err)
	}

	gone, _, err := n.Withdraw(ctx, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 6721: a tombstone counts when it is later than its entry.
	if !gone.Withdrawn.After(gone.Published) || !gone.Withdrawn.After(gone.Updated) {
		t.Errorf("withdrawn at %v, published at %v, updated at %v", gone.Withdrawn, gone.Published, gone.Updated)
	}
	if text := feed(); strings.Contains(text, n.Link(a)+"<") || !strings.Contains(text, "deleted-entry") {
		t.Errorf("the feed has no tombstone in the place of %s", a.ID)
	}
	if taken, err := n.Withdrawn(ctx, a); !taken || err != nil {
		t.Errorf("withdrawn: %v, %v", taken, err)
	}
	for name, act := range map[string]func(context.Context, string) (Article, time.Time, error){"correct": n.Correct, "withdraw": n.Withdraw} {
		for _, id := range []string{a.ID, "en/nothing"} {
			if _, _, err := act(ctx, id); !errors.Is(err, errNothingToDo) {
				t.Errorf("%s %s: %v", name, id, err)
			}
		}
	}
}

// Long after what was written beforehand has run out, every article is one of its own.
func TestNewsroomNeverRunsOut(t *testing.T) {
	t.Parallel()
	n, feed := testNewsroom(t)
	seen := map[string]bool{}
	for range 100 {
		articles, _ := n.Publish(desks[:]...)
		for _, a := range articles {
			if seen[a.ID] || a.Title == "" || strings.ContainsAny(a.Title+a.Summary, "{}") {
				t.Fatalf("%s: %q, %q", a.ID, a.Title, a.Summary)
			}
			seen[a.ID] = true
		}
	}
	if n := strings.Count(feed(), "<item>"); n != mostListed {
		t.Errorf("the feed lists %d articles, want %d", n, mostListed)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 7, 5, 0, 0, time.UTC)
	if fr, en := clock("fr", at), clock("en", at); fr != "7\u00a0h\u00a005" || en != "07:05" {
		t.Errorf("%q, %q", fr, en)
	}
	if fr, en := seconds("fr", 412*time.Millisecond), seconds("en", 412*time.Millisecond); fr != "+0,41\u00a0s" || en != "+0.41\u00a0s" {
		t.Errorf("%q, %q", fr, en)
	}
}

package app

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// The main job: an article rings on the page, in the Telegram channel and at the receiver; its correction and its
// withdrawal follow everywhere.
func TestAnArticleRingsAndEveryCopyFollows(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Incendie à la gare", Summary: "Les pompiers sont sur place."})
	s.until("the article is everywhere", func() bool {
		_, page := s.page("/c/alertes")
		return strings.Contains(page, "Incendie à la gare") && len(s.messages()) == 1 && len(s.hook.State().Posts) == 1
	})
	s.publish(feedtest.Article{ID: "a", Title: "Incendie maîtrisé à la gare", Summary: "Les pompiers sont sur place.", Correction: "Le feu est éteint."})
	s.until("the correction is everywhere", func() bool {
		_, page := s.page("/c/alertes")
		return strings.Contains(page, "Incendie maîtrisé") && strings.Contains(s.messages()[0], "maîtrisé") && s.hook.State().Posts[0].Title == "Incendie maîtrisé à la gare"
	})
	if m := s.telegram.Messages(testChat)[0]; m.Edited.IsZero() {
		t.Error("the message was not edited but posted anew")
	}
	permalink := "/c/alertes/" + s.posts()[0].PublicID
	if _, page := s.page(permalink); !strings.Contains(page, "Le feu est éteint.") || strings.Contains(page, "Incendie à la gare") {
		t.Errorf("the hosted post does not say what was corrected:\n%s", page)
	}
	s.newsroom.Withdraw("a", "retiré", time.Now())
	s.show()
	s.until("it is gone everywhere", func() bool {
		_, page := s.page("/c/alertes")
		return !strings.Contains(page, "maîtrisé") && len(s.messages()) == 0 && !s.hook.State().Posts[0].Withdrawn.IsZero()
	})
	if code, page := s.page(permalink); code != http.StatusGone || strings.Contains(page, "maîtrisé") {
		t.Errorf("the permalink answers %d:\n%s", code, page)
	}
}

func TestTenRevisionsWhileADestinationIsDownAreOneEdit(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Version 0"})
	s.until("it is out", func() bool { return len(s.messages()) == 1 && s.idle() })
	before := len(s.telegram.Calls())
	ctx := context.Background()
	if _, err := s.app.Store().Pause(ctx, store.PauseDestination, "telegram", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 10; i++ {
		s.publish(feedtest.Article{ID: "a", Title: fmt.Sprintf("Version %d", i)})
		s.until("the revision is known", func() bool { return s.posts()[0].Revision == i+1 })
	}
	if _, err := s.app.Store().Resume(ctx, store.PauseDestination, "telegram", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.until("the newest is there", func() bool { return s.idle() && strings.Contains(s.messages()[0], "Version 10") })
	edits := 0
	for _, c := range s.telegram.Calls()[before:] {
		if strings.HasPrefix(c, "edit") {
			edits++
		}
	}
	if edits != 1 {
		t.Errorf("%d edits were sent: %v", edits, s.telegram.Calls()[before:])
	}
}

func TestWithdrawnBeforeItLeftIsNeverSent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	s.start()
	ctx := context.Background()
	if _, err := s.app.Store().Pause(ctx, store.PauseDestination, "telegram", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.publish(feedtest.Article{ID: "a", Title: "Trop tôt"})
	s.until("it is on the page", func() bool { return len(s.posts()) == 1 })
	s.newsroom.Withdraw("a", "", time.Now())
	s.show()
	s.until("it is withdrawn", func() bool { return s.posts()[0].Status == "withdrawn" })
	if _, err := s.app.Store().Resume(ctx, store.PauseDestination, "telegram", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.until("nothing waits", s.idle)
	if got := s.telegram.State().Chats[0].Messages; len(got) != 0 {
		t.Errorf("it was sent: %v", got)
	}
	d := s.deliveries(store.DeliveryFilter{Destination: "telegram"})
	if len(d) != 1 || d[0].State != "suppressed" || d[0].Reason != "withdrawn_before" {
		t.Errorf("its outcome is %+v", d)
	}
}

// An edit leaves only if the destination's own request changed.
func TestAnEditThatShowsNothingNewStays(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(plain, `chat: "@gazette", media: 10`, `chat: "@gazette", template: "{{.Title}}"`, 1))
	s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Titre", Summary: "Un"})
	s.until("it is out", func() bool { return len(s.messages()) == 1 && len(s.hook.State().Posts) == 1 && s.idle() })
	before := len(s.telegram.Calls())
	s.publish(feedtest.Article{ID: "a", Title: "Titre", Summary: "Deux"})
	s.until("the receiver has the revision", func() bool { return s.hook.State().Posts[0].Summary == "Deux" && s.idle() })
	if calls := s.telegram.Calls()[before:]; len(calls) != 0 {
		t.Errorf("Telegram was called: %v", calls)
	}
}

func picture(t *testing.T, shade uint8) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 800, 450))
	for i := range img.Pix {
		img.Pix[i] = shade
	}
	img.Set(0, 0, color.Black)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (s *stage) image(path string, shade uint8) string {
	s.site.Set(path, feedtest.Page{Type: "image/jpeg", Body: picture(s.t, shade)})
	return s.siteURL + path
}

func TestAPictureAndItsCaptionAreEdited(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Avec image", Image: s.image("/a.jpg", 90), ImageAlt: "Une gare", Credit: "AFP"})
	s.until("the picture is out", func() bool {
		m := s.telegram.Messages(testChat)
		return len(m) == 1 && m[0].Photo != nil
	})
	first := s.telegram.Messages(testChat)[0].Photo.SHA256
	if _, page := s.page("/c/alertes"); !strings.Contains(page, "/media/") || !strings.Contains(page, `alt="Une gare"`) || strings.Contains(page, s.siteURL+"/a.jpg") {
		t.Error("the page does not show the picture from its own origin")
	}
	s.publish(feedtest.Article{ID: "a", Title: "Avec une autre image", Image: s.image("/b.jpg", 200), ImageAlt: "Une gare", Credit: "AFP"})
	s.until("picture and caption changed", func() bool {
		m := s.telegram.Messages(testChat)[0]
		return m.Photo.SHA256 != first && strings.Contains(m.Text, "autre image") && s.idle()
	})
}

func TestAThreadFollowsItsText(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(plain, `media: 10`, `overflow: thread`, 1))
	s.start()
	long := strings.Repeat("Une phrase qui compte. ", 500)
	s.publish(feedtest.Article{ID: "a", Title: "Fil", Summary: "s", HTML: "<p>" + long + "</p>"})
	s.until("it is out", func() bool { return len(s.messages()) == 1 && s.idle() })
	// The whole text, by a template that shows it.
	s2 := newStage(t)
	s2.config(strings.Replace(strings.Replace(plain, `media: 10`, `overflow: thread, template: "{{.Title}}\n\n{{.Text}}"`, 1), "each: {}", "each: {}\n    content: full", 1))
	s2.start()
	s2.publish(feedtest.Article{ID: "a", Title: "Fil", Summary: "s", HTML: "<p>" + long + "</p>"})
	s2.until("the thread is out", func() bool { return len(s2.messages()) == 3 && s2.idle() })
	m := s2.telegram.Messages(testChat)
	if m[1].ReplyTo != m[0].ID || m[2].ReplyTo != m[1].ID {
		t.Errorf("the parts do not answer each other: %d %d %d", m[0].ReplyTo, m[1].ReplyTo, m[2].ReplyTo)
	}
	s2.publish(feedtest.Article{ID: "a", Title: "Fil corrigé", Summary: "s", HTML: "<p>" + long[:5000] + "</p>"})
	s2.until("the thread is shorter", func() bool {
		return len(s2.messages()) == 2 && strings.Contains(s2.messages()[0], "corrigé") && s2.idle()
	})
}

func TestALegalRetractionStaysGone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain + `
  brief:
    title: Brief
    sources: [articles]
    digest: {cron: "@every 1s"}
    publish_to: [{destination: hook}]
    corrections: {min_gap: 0s}
`)
	s.start()
	s.publish(feedtest.Article{ID: "keep", Title: "Reste"})
	s.publish(feedtest.Article{ID: "a", Title: "Diffamatoire", Summary: "Un secret", Image: s.image("/a.jpg", 90)})
	var p store.Post
	s.until("it is everywhere", func() bool {
		digested := 0
		for _, x := range s.posts() {
			if x.Channel == "brief" {
				digested += len(x.Content.Entries)
			}
			if x.Content.Title == "Diffamatoire" {
				p = x
			}
		}
		return p.PublicID != "" && digested == 2 && len(s.messages()) == 2 && s.idle()
	})
	ctx := context.Background()
	out, err := s.app.Store().RetractPost(ctx, p.ID, true, "jugement", "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Files) != 1 {
		t.Errorf("the stored images %v are to be deleted; want one", out.Files)
	}
	s.until("every copy is gone", func() bool {
		for _, x := range s.hook.State().Posts {
			if x.Withdrawn.IsZero() && strings.Contains(x.Text+x.Title+x.HTML, "Diffamatoire") {
				return false
			}
		}
		return len(s.messages()) == 1 && s.idle()
	})
	// The source shows it again, changed and under another key: it stays gone.
	s.publish(feedtest.Article{ID: "a", Title: "Diffamatoire encore", Summary: "Un secret"})
	s.publish(feedtest.Article{ID: "b", Title: "Diffamatoire toujours", Link: s.siteURL + "/a?utm_source=x"})
	s.publish(feedtest.Article{ID: "c", Title: "Autre chose"})
	s.until("the next article is out", func() bool { return len(s.messages()) == 2 })
	s.never("it came back", func() bool { return strings.Contains(strings.Join(s.messages(), " "), "Diffamatoire") })
	if code, page := s.page("/c/alertes/" + p.PublicID); code != http.StatusGone || strings.Contains(page, "Diffamatoire") {
		t.Errorf("the permalink answers %d", code)
	}
	for _, path := range []string{"/", "/c/alertes", "/c/alertes/feed.atom", "/c/alertes/feed.json", "/c/brief", "/c/brief/feed.json"} {
		if _, page := s.page(path); strings.Contains(page, "Diffamatoire") || strings.Contains(page, "Un secret") {
			t.Errorf("%s still shows it", path)
		}
	}
	if n := s.count("Diffamatoire") + s.count("Un secret"); n != 0 {
		t.Errorf("the store still holds the text in %d places", n)
	}
}

// count counts the rows of the store that hold a text.
func (s *stage) count(text string) int {
	s.t.Helper()
	n, err := s.app.Store().CountText(context.Background(), text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// A destination that is down delays no other.
func TestADestinationThatIsDownDelaysNoOther(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	s.telegram.Faults.Add(fault.Fault{Times: 1000, Status: http.StatusBadGateway, Body: "<html>bad gateway</html>"})
	s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.publish(feedtest.Article{ID: "b", Title: "Deux"})
	s.until("the receiver has both", func() bool { return len(s.hook.State().Posts) == 2 })
	s.telegram.Faults.Clear()
	s.until("Telegram has both in the end", func() bool { return len(s.messages()) == 2 })
}

// What certainly had no effect is tried again; a revoked token stops the destination, once, without loss.
func TestARevokedTokenStopsAndResumes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(strings.Replace(plain, `token: "%TOKEN%"`, `token: "999:revoked"`, 1))
	s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.publish(feedtest.Article{ID: "b", Title: "Deux"})
	ctx := context.Background()
	s.until("somebody is told", func() bool {
		alerts, _ := s.app.Store().Alerts(ctx)
		return len(alerts) == 1 && alerts[0].Code == "destination_stop" && strings.Contains(alerts[0].Sentence, "telegram")
	})
	s.never("it is tried again and again", func() bool { return len(s.telegram.Calls()) > 2 })
	// The admin puts the right token in; the daemon notices by itself.
	s.config(plain)
	s.until("nothing was lost", func() bool { return len(s.messages()) == 2 && s.idle() })
	alerts, _ := s.app.Store().Alerts(ctx)
	if len(alerts) != 0 {
		t.Errorf("alerts stay: %+v", alerts)
	}
}

package app

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// slow is a newsroom whose relay answers the first text that it gets only when it is let.
func slow(t *testing.T, messages, corrections string) (p *post, under <-chan struct{}, let func()) {
	t.Helper()
	came, free := make(chan struct{}), make(chan struct{})
	var once, freed sync.Once
	let = func() { freed.Do(func() { close(free) }) }
	t.Cleanup(let)
	p = newPost(t)
	p.relay = emailtest.Start(t, emailtest.Options{Pipelining: true, Play: func(s emailtest.Step) string {
		if s.Name == "end" {
			once.Do(func() { close(came) })
			<-free
		}
		return ""
	}})
	p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, "messages: [{destination: mail}]", "messages: [{destination: mail, "+messages+"}]",
		"messages: instant", "messages: "+corrections).Replace(followed))
	p.start()
	return p, came, let
}

// TestACorrectionWhileAMessageIsUnderWay holds that whoever's message was being sent when it was corrected is told too, once it
// is known that they got it.
func TestACorrectionWhileAMessageIsUnderWay(t *testing.T) {
	t.Parallel()
	p, under, let := slow(t, chosenOften, "instant")
	p.follow("reader", consent.Preferences{})
	p.publish(feedtest.Article{ID: "a", Title: "Trois blessés"})
	<-under
	p.publish(feedtest.Article{ID: "a", Title: "Deux blessés", Correction: "Deux personnes, et non trois."})
	made := func() bool {
		streams, err := p.app.Store().HalfMade(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range streams {
			if s.Kind == consent.StreamCorrection && time.Since(s.Created) > 3*time.Second {
				return true
			}
		}
		return false
	}
	p.until("the correction waits for the message", made)
	let()
	p.until("the correction is in the mail", func() bool { return len(p.to("reader")) == 2 })
	if l := p.to("reader")[1]; !strings.Contains(l.subject, "Rectificatif") || !strings.Contains(l.text, "et non trois") {
		t.Errorf("it reads %q\n%s", l.subject, l.text)
	}
	// Who was shown a revision is not told of it.
	now := time.Now()
	if n, err := p.app.Store().MakeStreams(context.Background(), []consent.Stream{{Kind: consent.StreamCorrection, Destination: "mail", Medium: consent.Email, Purpose: toAlertes, Post: p.posts()[0].ID,
		Revision: 1, Occurrence: "correction again", Priority: 1, Created: now, Expires: now.Add(time.Hour)}}, policy.Jump{}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	p.until("it is made", func() bool {
		streams, err := p.app.Store().HalfMade(context.Background())
		return err == nil && len(streams) == 0
	})
	p.never("they were told of what they had", func() bool { return len(p.to("reader")) > 2 })
}

// TestACorrectionIsCollectedForADigestUnderWay holds the same for a digest, and that the next one says what was wrong.
func TestACorrectionIsCollectedForADigestUnderWay(t *testing.T) {
	t.Parallel()
	p, under, let := slow(t, chosenOften, "next_digest")
	p.follow("reader", byDigest)
	p.publish(feedtest.Article{ID: "a", Title: "Trois blessés"})
	p.shows(1)
	p.digest("one")
	<-under
	p.publish(feedtest.Article{ID: "a", Title: "Deux blessés", Correction: "Deux personnes, et non trois."})
	p.until("the correction is known", func() bool { return p.posts()[0].Revision == 2 })
	kept := func() bool {
		folded, err := p.app.Store().FoldedCounts(context.Background(), p.posts()[0].ID)
		return err == nil && folded["correction"] == 1
	}
	p.never("it is kept before it is known that they got it", kept)
	let()
	p.until("the correction is kept for the next digest", kept)
	p.digest("two")
	p.until("the next digest is in the mail", func() bool { return len(p.to("reader")) == 2 })
	if l := p.to("reader")[1]; !strings.Contains(l.text, "Rectificatif\u00a0: Deux personnes, et non trois.") || !strings.Contains(l.html, "et non trois") {
		t.Errorf("it reads:\n%s", l.text)
	}
}

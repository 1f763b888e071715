package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
)

var toAlertes = consent.Purpose{Kind: consent.Channel, Name: "alertes"}

// digests is a newsroom whose readers can choose digests, with its other settings.
func digests(t *testing.T, messages, corrections string) *post {
	t.Helper()
	p := newPost(t)
	p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, "messages: [{destination: mail}]", "messages: [{destination: mail, "+messages+"}]",
		"messages: instant", "messages: "+corrections, "each: {}", `each: {urgent: 'titleHas("urgent")'}`).Replace(followed))
	p.start()
	return p
}

// follow makes a reader with a wish.
func (p *post) follow(name string, wants consent.Preferences) consent.PersonID {
	p.t.Helper()
	r, err := p.app.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: name + "@example.invalid"}, Purposes: []consent.Purpose{toAlertes},
		Preferences: wants, Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
	if err != nil {
		p.t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // what is published from now on is for them
	return r.ID
}

var byDigest = consent.Preferences{Mode: consent.Digest, Slots: []string{"03:33"}}

// digest makes the digests of a slot that is now.
func (p *post) digest(name string) {
	p.t.Helper()
	at := time.Now()
	if n, err := p.app.Store().MakeStreams(context.Background(), []consent.Stream{{Kind: consent.StreamDigest, Destination: "mail", Medium: consent.Email, Purpose: toAlertes,
		Occurrence: direct.SlotKey(toAlertes, "03:33", "Europe/Paris", name), Priority: 3, SlotAt: at, Created: at, Expires: at.Add(48 * time.Hour)}}, policy.Jump{}); err != nil || n != 1 {
		p.t.Fatalf("%d streams are made, %v", n, err)
	}
	p.app.direct.Wake()
}

// to are the mails that somebody got.
func (p *post) to(name string) (out []letter) {
	p.t.Helper()
	for _, l := range p.letters() {
		if l.to == name+"@example.invalid" {
			out = append(out, l)
		}
	}
	return out
}

func (p *post) shows(n int) {
	p.t.Helper()
	p.until(fmt.Sprintf("%d posts are shown", n), func() bool { return len(p.posts()) == n })
}

const chosenOften = `modes: [instant, digest], times: ["03:33"], breaking: true`

// TestADigestIsCorrected holds that who was sent a wrong version in a digest hears of it, once, and nobody else does.
func TestADigestIsCorrected(t *testing.T) {
	t.Parallel()
	p := digests(t, `modes: [digest], times: ["03:33"]`, "instant")
	p.follow("reader", byDigest)
	p.publish(feedtest.Article{ID: "a", Title: "Trois blessés", Summary: "À la gare."})
	p.shows(1)
	p.digest("one")
	p.until("the digest is in the mail", func() bool { return len(p.to("reader")) == 1 })
	p.follow("late", byDigest)
	p.publish(feedtest.Article{ID: "a", Title: "Deux blessés", Summary: "À la gare.", Correction: "Deux personnes, et non trois."})
	p.until("the correction is in the mail", func() bool { return len(p.to("reader")) == 2 })
	if l := p.to("reader")[1]; !strings.Contains(l.subject, "Rectificatif") || !strings.Contains(l.text, "et non trois") {
		t.Errorf("it reads %q\n%s", l.subject, l.text)
	}
	// The note stays, but nothing more is corrected.
	p.publish(feedtest.Article{ID: "a", Title: "Deux blessés", Summary: "À la gare du Nord.", Correction: "Deux personnes, et non trois."})
	p.until("the third revision is there", func() bool { return p.posts()[0].Revision == 3 })
	p.never("it was corrected again", func() bool { return len(p.letters()) > 2 })
	p.newsroom.Withdraw("a", "", time.Now())
	p.show()
	p.until("the withdrawal is in the mail", func() bool { return len(p.to("reader")) == 3 })
	if l := p.to("reader")[2]; strings.Contains(l.text, "blessés") {
		t.Errorf("what was withdrawn is said again:\n%s", l.text)
	}
	p.never("somebody else was told, or somebody twice", func() bool { return len(p.letters()) > 3 })
}

// TestACorrectionComesWithTheNextDigest holds the same where corrections are collected, and that a withdrawal is not, whatever
// still waits.
func TestACorrectionComesWithTheNextDigest(t *testing.T) {
	t.Parallel()
	p := digests(t, chosenOften, "next_digest")
	p.follow("reader", byDigest)
	p.publish(feedtest.Article{ID: "a", Title: "Trois blessés", Summary: "À la gare."})
	p.shows(1)
	p.digest("one")
	p.until("the digest is in the mail", func() bool { return len(p.to("reader")) == 1 })
	correct := func(title, note string) {
		t.Helper()
		p.publish(feedtest.Article{ID: "a", Title: title, Summary: "À la gare.", Correction: note})
		p.until("the correction is kept for the next digest", func() bool {
			folded, err := p.app.Store().FoldedCounts(context.Background(), p.posts()[0].ID)
			return err == nil && folded["correction"] == 1
		})
	}
	correct("Deux blessés", "Deux personnes.")
	p.never("the correction came at once", func() bool { return len(p.letters()) > 1 })
	p.digest("two")
	p.until("the next digest is in the mail", func() bool { return len(p.to("reader")) == 2 })
	if l := p.to("reader")[1]; !strings.Contains(l.text, "Deux blessés") {
		t.Errorf("it reads:\n%s", l.text)
	}
	correct("Un blessé", "Une personne.")
	p.newsroom.Withdraw("a", "", time.Now())
	p.show()
	p.until("the withdrawal is in the mail", func() bool { return len(p.to("reader")) == 3 })
}

// TestUrgentForDigestReaders holds that urgent news reaches at once who wants it at any time, also in a channel of digests
// alone, and does not come with the digest once more.
func TestUrgentForDigestReaders(t *testing.T) {
	t.Parallel()
	p := digests(t, `modes: [digest], times: ["03:33"], breaking: true`, "instant")
	wants := byDigest
	wants.Breaking = true
	p.follow("awake", wants)
	p.follow("asleep", byDigest)
	p.publish(feedtest.Article{ID: "a", Title: "Urgent incendie"})
	p.until("the urgent news is in the mail", func() bool { return len(p.to("awake")) == 1 })
	p.publish(feedtest.Article{ID: "b", Title: "Marché fleuri"})
	p.shows(2)
	p.never("more came at once", func() bool { return len(p.letters()) > 1 })
	p.digest("one")
	p.until("the digests are in the mail", func() bool { return len(p.to("awake")) == 2 && len(p.to("asleep")) == 1 })
	if l := p.to("awake")[1]; strings.Contains(l.text, "incendie") || !strings.Contains(l.text, "fleuri") {
		t.Errorf("who had the urgent news reads:\n%s", l.text)
	}
	if l := p.to("asleep")[0]; !strings.Contains(l.text, "incendie") || !strings.Contains(l.text, "fleuri") {
		t.Errorf("who did not reads:\n%s", l.text)
	}
}

// TestAFullDigest holds that what does not fit into a digest comes with the next one.
func TestAFullDigest(t *testing.T) {
	t.Parallel()
	const articles = 23
	p := digests(t, chosenOften, "instant")
	p.follow("reader", byDigest)
	for i := range articles {
		p.publish(feedtest.Article{ID: fmt.Sprint("n", i), Title: fmt.Sprintf("Nouvelle-%02d.", i)})
		if i == articles/2 { // more at once would be held
			p.shows(i + 1)
		}
	}
	p.shows(articles)
	seen := map[string]int{}
	for i, n := range []int{20, 23} {
		p.digest(fmt.Sprint(i))
		p.until("the digest is in the mail", func() bool { return len(p.to("reader")) == i+1 })
		text := p.to("reader")[i].text
		for i := range articles {
			if title := fmt.Sprintf("Nouvelle-%02d.", i); strings.Contains(text, title) {
				seen[title]++
			}
		}
		if len(seen) != n {
			t.Fatalf("after digest %d %d articles were read, want %d", i+1, len(seen), n)
		}
	}
	for title, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", title, n)
		}
	}
}

// TestADigestShowsTheNewest holds that a digest which is written again shows what its posts say by then.
func TestADigestShowsTheNewest(t *testing.T) {
	t.Parallel()
	p := digests(t, chosenOften, "instant")
	p.publish(feedtest.Article{ID: "a", Title: "Trois blessés"})
	p.shows(1)
	l, w := p.app.Config(), newLetters(p.app)
	m := consent.Start{Candidate: &consent.Candidate{Folded: []int64{p.posts()[0].ID}, Stream: &consent.Stream{ID: 1, Kind: consent.StreamDigest, Purpose: toAlertes, Destination: "mail", SlotAt: time.Now()}}}
	reads := func(title string) bool {
		c, err := w.digest(context.Background(), l, m, "fr")
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(c.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(text), title)
	}
	if !reads("Trois") {
		t.Error("the first revision is not in the digest")
	}
	p.publish(feedtest.Article{ID: "a", Title: "Deux blessés"})
	p.until("the digest shows the second revision", func() bool { return reads("Deux") })
}

// TestWhatIsTooMuchComesLater holds that posts beyond a person's cap come with a digest, once, also for who chose none in a
// channel that offers none.
func TestWhatIsTooMuchComesLater(t *testing.T) {
	t.Parallel()
	p := digests(t, "per_day: 1", "instant")
	ctx := context.Background()
	p.follow("reader", consent.Preferences{})
	p.publish(feedtest.Article{ID: "a", Title: "Un seul."})
	p.until("the first is in the mail", func() bool { return len(p.letters()) == 1 })
	p.publish(feedtest.Article{ID: "b", Title: "Deuxième."})
	p.publish(feedtest.Article{ID: "c", Title: "Troisième."})
	p.shows(3)
	p.until("they are kept", func() bool {
		n := 0
		for _, post := range p.posts() {
			folded, err := p.app.Store().FoldedCounts(ctx, post.ID)
			if err != nil {
				t.Fatal(err)
			}
			n += folded["cap_of_day"]
		}
		return n == 2
	})
	if n := len(p.letters()); n != 1 {
		t.Errorf("%d mails passed the cap", n)
	}
	// Also long after: what is kept is found however old it is.
	later := time.Now().Add(time.Hour)
	if posts, err := p.app.Store().MessagePosts(ctx, "alertes", later, later); err != nil || len(posts) != 2 {
		t.Errorf("%d posts are found later, %v", len(posts), err)
	}
	l := p.app.Config()
	entry := l.Channels["alertes"].Messages[0]
	slots := func(local string) []consent.Stream {
		t.Helper()
		day := time.Now().In(l.Zone()).AddDate(0, 0, 1).Format(time.DateOnly)
		now, err := time.ParseInLocation(time.DateTime, day+" "+local, l.Zone())
		if err != nil {
			t.Fatal(err)
		}
		streams, err := p.app.dueSlots(ctx, l, toAlertes, entry, consent.Email, now.Add(-10*time.Second), now)
		if err != nil {
			t.Fatal(err)
		}
		return streams
	}
	if early := slots("07:59:50"); len(early) != 0 {
		t.Errorf("before the time %d digests are due", len(early))
	}
	due := slots("08:00:05")
	if len(due) != 1 {
		t.Fatalf("at the time %d digests are due: %+v", len(due), due)
	}
	p.raiseCap(l) // the cap is of the day on which this test runs
	if _, err := p.app.Store().MakeStreams(ctx, due, policy.Jump{}); err != nil {
		t.Fatal(err)
	}
	p.app.direct.Wake()
	p.until("what was too much is in the mail", func() bool { return len(p.letters()) == 2 })
	if text := p.letters()[1].text; !strings.Contains(text, "Deuxième.") || !strings.Contains(text, "Troisième.") || strings.Contains(text, "Un seul.") {
		t.Errorf("it reads:\n%s", text)
	}
	p.until("nothing more is due", func() bool { return len(slots("08:00:05")) == 0 })
}

// raiseCap puts a configuration in force by which a day has room for more.
func (p *post) raiseCap(l *configs.Loaded) {
	p.t.Helper()
	p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, "messages: [{destination: mail}]", "messages: [{destination: mail, per_day: 9}]").Replace(followed))
	if r := p.app.Reload(context.Background()); r.Err != nil {
		p.t.Fatal(r.Err)
	}
	if n := p.app.Config(); n == l || !slices.ContainsFunc(n.Channels["alertes"].Messages, func(m configs.Messages) bool { return m.PerDay == 9 }) {
		p.t.Fatal("the new cap is not in force")
	}
}

package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// Article is a story in the feed.
type Article struct {
	ID   string
	Lang string
	Story
	Published time.Time
	Updated   time.Time
	// Base is the summary without what further corrections added.
	Base string
	// Note says what the last correction corrected; Corrections counts them.
	Note        string
	Corrections int
	// Withdrawn is when it was taken back; zero while it stands.
	Withdrawn time.Time
	// URL, Image and Dialect (its language) are those of an article of somebody's own feed.
	URL, Image, Dialect string
}

// newsroom writes the feed. It may be used from several goroutines.
type newsroom struct {
	stocks map[string]*stock
	zone   *time.Location
	// public is the address readers use; inner is where the daemon finds feed and pictures.
	public, inner string
	site          *feedtest.Site

	mu       sync.Mutex
	articles []Article // in the order of their publication
	// came and bulletins count what has been published besides the front, by desk.
	came, bulletins map[string]int
	lastAsk         feedtest.Request
}

const feedPath = "/newsroom/feed.xml"

// openNewsroom makes a newspaper whose front was written during the last hours.
func openNewsroom(zone *time.Location, now time.Time) (*newsroom, error) {
	stocks, err := readStocks()
	if err != nil {
		return nil, err
	}
	n := &newsroom{stocks: stocks, zone: zone, site: feedtest.New(), came: map[string]int{}, bulletins: map[string]int{}}
	for _, lang := range desks {
		list := stocks[lang].Front
		at := now.Add(-5 * time.Minute)
		if lang == "en" {
			at = now.Add(-9 * time.Minute)
		}
		for i, s := range list {
			n.articles = append(n.articles, Article{ID: lang + "/" + s.Slug, Lang: lang, Story: s, Base: s.Summary, Published: at.Truncate(time.Second)})
			at = at.Add(-time.Duration(11+7*(i%4)) * time.Minute)
		}
	}
	slices.SortStableFunc(n.articles, func(a, b Article) int { return a.Published.Compare(b.Published) })
	return n, nil
}

// serveAt says where readers and the daemon find the newspaper, and begins to serve it.
func (n *newsroom) serveAt(public, inner string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.public, n.inner = public, inner
	entries, err := material.ReadDir("newsroom/pictures")
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := material.ReadFile("newsroom/pictures/" + e.Name())
		if err != nil {
			return err
		}
		n.site.Set("/newsroom/pictures/"+e.Name(), feedtest.Page{Type: "image/jpeg", Body: data, ETag: fmt.Sprintf(`"%d"`, len(data)),
			Header: http.Header{"Cache-Control": {"public, max-age=3600"}}})
	}
	n.write()
	return nil
}

// mostListed bounds the feed, as newsrooms do.
const mostListed = 60

// write puts the feed as it is now in the place of the one before.
func (n *newsroom) write() {
	feed := feedtest.Newsroom{Channel: feedtest.Channel{Title: "La Gazette de Port-Ermine", Link: n.public + "/newsroom/", Lang: "fr",
		Description: "Un journal inventé · An invented newspaper"}}
	live := n.live("")
	for _, a := range live[:min(len(live), mostListed)] {
		out := feedtest.Article{ID: a.ID, Title: a.Title, Link: n.link(a), Summary: a.Summary, HTML: paragraphs(a.Text), Author: a.By, Tags: a.Tags, Lang: a.Lang,
			Published: a.Published, Updated: a.Updated, Urgency: a.Urgency, Correction: a.Note}
		if a.Picture.Name != "" {
			out.Image, out.ImageAlt, out.Credit = n.inner+"/newsroom/pictures/"+a.Picture.Name+".jpg", a.Picture.Alt, a.Picture.Credit
		}
		feed.Publish(out)
	}
	for _, a := range n.articles {
		if !a.Withdrawn.IsZero() {
			feed.Withdraw(a.ID, "withdrawn by the newsroom", a.Withdrawn)
		}
	}
	n.site.Feed(feedPath, feed.RSS())
}

// live lists what stands, the newest first; of every desk when the language is empty.
func (n *newsroom) live(lang string) []Article {
	var out []Article
	for _, a := range slices.Backward(n.articles) {
		if a.Withdrawn.IsZero() && (lang == "" || a.Lang == lang) {
			out = append(out, a)
		}
	}
	return out
}

// link is the address of an article.
func (n *newsroom) link(a Article) string { return n.public + "/newsroom/" + a.ID }

// Link implements paper.
func (n *newsroom) Link(a Article) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.link(a)
}

// Live implements paper.
func (n *newsroom) Live(_ context.Context, lang string) ([]Article, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.live(lang), nil
}

// Article finds an article, withdrawn ones too.
func (n *newsroom) Article(id string) (Article, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.index(id)
	if i < 0 {
		return Article{}, false
	}
	return n.articles[i], true
}

func (n *newsroom) index(id string) int {
	return slices.IndexFunc(n.articles, func(a Article) bool { return a.ID == id })
}

// errNothingToDo says that the article is not there, or not any more.
var errNothingToDo = errors.New("demo: there is no such article in the feed")

// Publish writes the next article of each desk named. The time is when the feed showed them.
func (n *newsroom) Publish(langs ...string) ([]Article, time.Time) {
	return n.publish(func(lang string) Story { return n.next(lang, time.Now().In(n.zone)) }, langs...)
}

// Burst implements paper.
func (n *newsroom) Burst(_ context.Context, lang string, count int) ([]Article, time.Time, error) {
	langs := slices.Repeat([]string{lang}, count)
	articles, at := n.publish(func(lang string) Story { return n.nextBulletin(lang, time.Now().In(n.zone)) }, langs...)
	return articles, at, nil
}

func (n *newsroom) publish(write func(lang string) Story, langs ...string) ([]Article, time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Article
	for _, lang := range langs {
		s := write(lang)
		a := Article{ID: lang + "/" + s.Slug, Lang: lang, Story: s, Base: s.Summary, Published: time.Now().Truncate(time.Second)}
		n.articles = append(n.articles, a)
		out = append(out, a)
	}
	n.write()
	return out, time.Now()
}

// next is what a desk publishes next: what it has written, and then bulletins.
func (n *newsroom) next(lang string, at time.Time) Story {
	s := n.stocks[lang]
	if i := n.came[lang]; i < len(s.Coming) {
		n.came[lang] = i + 1
		return s.Coming[i]
	}
	return n.nextBulletin(lang, at)
}

func (n *newsroom) nextBulletin(lang string, at time.Time) Story {
	i := n.bulletins[lang]
	n.bulletins[lang] = i + 1
	return n.stocks[lang].bulletin(i, at)
}

// Correct implements paper: the article gets a correction with a note.
func (n *newsroom) Correct(_ context.Context, id string) (Article, time.Time, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.index(id)
	if i < 0 || !n.articles[i].Withdrawn.IsZero() {
		return Article{}, time.Time{}, errNothingToDo
	}
	a := &n.articles[i]
	now := time.Now()
	fix := a.Fix
	if a.Corrections > 0 || fix.Note == "" {
		g := n.stocks[a.Lang].Generic
		when := clock(a.Lang, now.In(n.zone)) + fmt.Sprintf(":%02d", now.Second())
		fix = Correction{Summary: fill(g.Summary, when, nil), Note: fill(g.Note, when, nil)}
		fix.Summary = strings.ReplaceAll(fix.Summary, "{summary}", a.Base)
	} else if fix.Summary != "" {
		a.Base = fix.Summary
	}
	if fix.Title != "" {
		a.Title = fix.Title
	}
	if fix.Summary != "" {
		a.Summary = fix.Summary
	}
	a.Note, a.Updated = fix.Note, now.Truncate(time.Second)
	a.Corrections++
	n.write()
	return *a, time.Now(), nil
}

// Withdrawn implements paper.
func (n *newsroom) Withdrawn(_ context.Context, a Article) (bool, error) {
	now, ok := n.Article(a.ID)
	return ok && !now.Withdrawn.IsZero(), nil
}

// Withdraw implements paper: the feed says that the article is gone.
func (n *newsroom) Withdraw(_ context.Context, id string) (Article, time.Time, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.index(id)
	if i < 0 || !n.articles[i].Withdrawn.IsZero() {
		return Article{}, time.Time{}, errNothingToDo
	}
	a := &n.articles[i]
	// A tombstone counts when it is later than its article (RFC 6721).
	at := time.Now()
	for _, t := range []time.Time{a.Published, a.Updated} {
		if !at.Truncate(time.Second).After(t) {
			at = t.Add(time.Second)
		}
	}
	a.Withdrawn = at.Truncate(time.Second)
	n.write()
	return *a, time.Now(), nil
}

// Asked is the daemon's last look at the feed; zero before the first.
func (n *newsroom) Asked() (at time.Time, status int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.site.Requests() {
		if r.Path == feedPath {
			n.lastAsk = r
		}
	}
	return n.lastAsk.At, n.lastAsk.Status
}

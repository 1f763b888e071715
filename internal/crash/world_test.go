package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

const (
	feeds     = 5
	token     = "123456:crash-token"
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	gazette   = -1001000000001
	dropOneIn = 30
)

// world is everything around the daemon: the newsrooms that write the truth, and the receivers that journal what arrived.
// It is never killed.
type world struct {
	site      *feedtest.Site
	newsrooms [feeds]*feedtest.Newsroom
	telegram  *telegramtest.Server
	dedup     *receivertest.Standard // knows a repeated key
	forgetful *plain                 // does not, and loses one answer in thirty
	urls      struct{ site, telegram, dedup, forgetful string }
	// What else goes wrong, in a soak.
	badSite, badTelegram, badDedup fault.Script
	// admin is where the daemon serves operators; keep is how many articles a feed shows, 0 for all; memory is what a plugin
	// may use, in MiB.
	admin  string
	keep   int
	memory int
	// many says that digests are made more often, and take more.
	many bool

	// truth holds every article that was published, by its id, as it is now.
	truth map[string]*article
	next  int
}

type article struct {
	feed      int
	title     string
	withdrawn bool
	revisions int
}

// journal appends lines to a file and syncs each: an effect that is not in it did not happen.
type journal struct {
	mu sync.Mutex
	f  *os.File
}

func openJournal(t *testing.T, path string) *journal {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &journal{f: f}
}

func (j *journal) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.f.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.f.Sync()
}

// plain is a receiver that takes every call it gets, without knowing repeated ones.
type plain struct {
	faults fault.Script
	out    *journal
	mu     sync.Mutex
	texts  []string
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.faults.Wrap(http.HandlerFunc(p.take)).ServeHTTP(w, r)
}

func (p *plain) take(w http.ResponseWriter, r *http.Request) {
	var body struct{ Text string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Text == "" {
		http.Error(w, "no text", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.out.write(body); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	p.texts = append(p.texts, body.Text)
	w.WriteHeader(http.StatusNoContent)
}

func (p *plain) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.texts...)
}

func newWorld(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{site: feedtest.New(), truth: map[string]*article{}, admin: "none", memory: 512}
	telegramJournal := openJournal(t, filepath.Join(dir, "telegram.journal"))
	w.telegram = telegramtest.New(telegramtest.Options{Token: token, Bot: "crash_bot", Accept: func(e telegramtest.Effect) error { return telegramJournal.write(e) },
		Chats: []telegramtest.Chat{{ID: gazette, Type: "channel", Title: "Gazette", Username: "gazette",
			Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}}}})
	dedupJournal := openJournal(t, filepath.Join(dir, "dedup.journal"))
	var err error
	if w.dedup, err = receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{secret},
		Accept: func(e receivertest.Event) error { return dedupJournal.write(e) }}); err != nil {
		t.Fatal(err)
	}
	w.forgetful = &plain{out: openJournal(t, filepath.Join(dir, "forgetful.journal"))}
	w.forgetful.faults.Add(fault.Fault{Every: dropOneIn, Accepted: true, Drop: true})
	for _, s := range []struct {
		h   http.Handler
		url *string
	}{{w.badSite.Wrap(w.site), &w.urls.site}, {w.badTelegram.Wrap(w.telegram), &w.urls.telegram}, {w.badDedup.Wrap(w.dedup), &w.urls.dedup}, {w.forgetful, &w.urls.forgetful}} {
		server := httptest.NewServer(s.h)
		t.Cleanup(server.Close)
		*s.url = server.URL
	}
	for i := range w.newsrooms {
		w.newsrooms[i] = &feedtest.Newsroom{Channel: feedtest.Channel{Title: fmt.Sprintf("Newsroom %d", i), Link: w.urls.site, Lang: "en"}}
		w.put(i)
	}
	return w
}

// put serves the newest state of a newsroom, each in another format.
func (w *world) put(feed int) {
	n := w.newsrooms[feed]
	if w.keep > 0 {
		n.Keep(w.keep)
	}
	var body []byte
	switch feed % 3 {
	case 0:
		body = n.RSS()
	case 1:
		body = n.Atom()
	default:
		body = n.JSON()
	}
	w.site.Feed(fmt.Sprintf("/feed%d", feed), body)
}

// act writes news: mostly a new article, sometimes a revision or a withdrawal.
func (w *world) act(r *rand.Rand) {
	switch n := r.IntN(10); {
	case n < 7 || len(w.truth) == 0:
		w.publish(r.IntN(feeds))
	case n < 9:
		w.revise(r)
	default:
		w.withdraw(r)
	}
}

func (w *world) publish(feed int) {
	w.next++
	id := fmt.Sprintf("article-%d", w.next)
	a := &article{feed: feed, title: fmt.Sprintf("News %d as first told", w.next)}
	w.truth[id] = a
	w.show(id, a)
}

// mark stands in every text about an article, so that it is found again wherever it arrives.
func mark(id string) string { return "mark:" + id + ":" }

func (w *world) show(id string, a *article) {
	// The page stays when the article leaves the feed: without it the daemon would take the article for withdrawn.
	w.site.Set("/"+id, feedtest.Page{Type: "text/html; charset=utf-8", Body: []byte("<h1>" + a.title + "</h1>")})
	w.newsrooms[a.feed].Publish(feedtest.Article{ID: id, Title: a.title, Link: w.urls.site + "/" + id, Summary: mark(id), Published: time.Now().Add(-time.Minute)})
	w.put(a.feed)
}

// pick chooses among the recent articles: a newsroom corrects what is still in its feed.
func (w *world) pick(r *rand.Rand) (string, *article) {
	var ids []string
	for i := max(1, w.next-20); i <= w.next; i++ {
		id := fmt.Sprintf("article-%d", i)
		if !w.truth[id].withdrawn {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "", nil
	}
	id := ids[r.IntN(len(ids))]
	return id, w.truth[id]
}

func (w *world) revise(r *rand.Rand) {
	if id, a := w.pick(r); a != nil {
		a.revisions++
		a.title = fmt.Sprintf("News of %s in revision %d", id, a.revisions)
		w.show(id, a)
	}
}

// withdraw leaves a tombstone; only Atom feeds can.
func (w *world) withdraw(r *rand.Rand) {
	if id, a := w.pick(r); a != nil && a.feed%3 == 1 {
		a.withdrawn = true
		w.site.Remove("/" + id)
		w.newsrooms[a.feed].Withdraw(id, "withdrawn", time.Now())
		w.put(a.feed)
	}
}

// config is the daemon's configuration.
func (w *world) config() string {
	sources, names := "", ""
	for i := range feeds {
		sources += fmt.Sprintf("  feed%d: {type: rss, url: %q, poll: 1s, baseline: all, max_new: 1000, allow_private: [127.0.0.0/8]}\n", i, fmt.Sprintf("%s/feed%d", w.urls.site, i))
		names += fmt.Sprintf("feed%d, ", i)
	}
	first, firstMost, second, secondMost := `cron: "@every 2s"`, 20, `cron: "@every 3s"`, 30
	if w.many {
		first, firstMost, second, secondMost = `cron: "@every 1s"`, 50, `cron: "@every 1s"`, 50
	}
	return fmt.Sprintf(`
timezone: Europe/Paris
site: {title: Crash, url: "https://crash.example"}
listen: 127.0.0.1:0
admin_listen: %s
data_dir: data
alerts: none
plugins: {memory: %d}
sources:
%s
destinations:
  telegram: {type: telegram, token: %q, api: %q, rates: off, allow_private: [127.0.0.0/8]}
  dedup: {type: http, url: %q, secret: %q, allow_private: [127.0.0.0/8]}
  forgetful: {type: http, url: %q, body: '{"text": {{json .Text}}}', allow_private: [127.0.0.0/8]}
channels:
  all:
    title: All
    sources: [%s]
    each: {}
    template: "{{.Title}}\n\n{{.Summary}}\n\n{{.Permalink}}"
    corrections: {min_gap: 0s}
    publish_to: [{destination: telegram, chat: "@gazette"}, {destination: dedup}, {destination: forgetful}]
  first:
    title: First digest
    sources: [feed0, feed1]
    digest: {%s, max_items: %d}
    template: "{{.Title}}\n\n{{range .Items}}- {{.Title}} {{.Summary}}\n{{end}}\n{{.Permalink}}"
    corrections: {min_gap: 0s}
    publish_to: [{destination: dedup}]
  second:
    title: Second digest
    sources: [feed2, feed3, feed4]
    digest: {%s, order: oldest, max_items: %d}
    template: "{{.Title}}\n\n{{range .Items}}- {{.Title}} {{.Summary}}\n{{end}}\n{{.Permalink}}"
    corrections: {min_gap: 0s}
    publish_to: [{destination: telegram, chat: "@gazette"}]
`, w.admin, w.memory, sources, token, w.urls.telegram, w.urls.dedup+"/hook", secret, w.urls.forgetful+"/hook", names, first, firstMost, second, secondMost)
}

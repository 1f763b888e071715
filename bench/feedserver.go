package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The shape of the feeds: each shows the newest fifty articles, and a new edition brings five.
const (
	articlesShown = 50
	articlesFresh = 5
)

// server is an HTTP server of the bench's own on loopback.
type server struct {
	url  string
	http *http.Server
	done sync.WaitGroup
}

func serve(h http.Handler) (*server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + ln.Addr().String(), http: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}}
	s.done.Go(func() { _ = s.http.Serve(ln) })
	return s, nil
}

func (s *server) addr() string { return strings.TrimPrefix(s.url, "http://") }

func (s *server) stop() {
	_ = s.http.Close()
	s.done.Wait()
}

// newsstand serves feeds, the even ones as RSS and the odd ones as Atom, with strong ETags. Their documents are made
// ahead, so that serving costs little while something is measured.
type newsstand struct {
	edition atomic.Pointer[edition]
	feeds   int
	base    time.Time

	asked, unchanged atomic.Int64
	first            atomic.Int64 // when the first request came, in nanoseconds
}

// edition is what all feeds show at one time.
type edition struct {
	number int
	docs   [][]byte
}

func newNewsstand(feeds int) *newsstand {
	s := &newsstand{feeds: feeds, base: time.Now().Truncate(time.Second).Add(-time.Minute)}
	s.publish(0)
	return s
}

// publish puts another edition in place.
func (s *newsstand) publish(number int) {
	e := &edition{number: number, docs: make([][]byte, s.feeds)}
	for i := range e.docs {
		e.docs[i] = document(i, s.articles(i, number))
	}
	s.edition.Store(e)
}

// articles are what a feed shows in an edition, the newest first.
func (s *newsstand) articles(feed, edition int) []article {
	newest := articlesShown + edition*articlesFresh
	out := make([]article, articlesShown)
	for k := range out {
		// Between two articles lies a minute, and what a later edition brings was published after what came before.
		out[k] = newArticle(feed, newest-k, s.base.Add(time.Duration(newest-k-10*articlesShown)*time.Minute))
	}
	return out
}

// served are the keys of all articles that a feed has shown up to an edition.
func (s *newsstand) served(feed, edition int) map[string]bool {
	out := map[string]bool{}
	for n := range articlesShown + edition*articlesFresh {
		out[articleID(feed, n+1)] = true
	}
	return out
}

// reset begins to count anew.
func (s *newsstand) reset() {
	s.asked.Store(0)
	s.unchanged.Store(0)
	s.first.Store(0)
}

func (s *newsstand) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feed/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		e := s.edition.Load()
		if err != nil || n < 0 || n >= len(e.docs) {
			http.NotFound(w, r)
			return
		}
		s.first.CompareAndSwap(0, time.Now().UnixNano())
		defer s.asked.Add(1)
		tag := fmt.Sprintf(`"feed-%d-edition-%d"`, n, e.number)
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			s.unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		answer(w, n, e.docs[n])
	})
	// The yardstick turns the pages by itself.
	mux.HandleFunc("POST /epoch", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil || n < 0 {
			http.Error(w, "n must be a number", http.StatusBadRequest)
			return
		}
		s.publish(n)
	})
	return mux
}

func answer(w http.ResponseWriter, feed int, doc []byte) {
	kind := "application/rss+xml"
	if feed%2 == 1 {
		kind = "application/atom+xml"
	}
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(doc)))
	_, _ = w.Write(doc)
}

// ticker serves feeds that bring one new article with each answer, and remembers when each was served first.
type ticker struct {
	base time.Time

	mu    sync.Mutex
	shown map[int]int          // newest article by feed
	at    map[string]time.Time // by the article's address
}

func newTicker() *ticker {
	return &ticker{base: time.Now().Add(-time.Hour), shown: map[int]int{}, at: map[string]time.Time{}}
}

func (t *ticker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	feed, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/feed/"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	t.mu.Lock()
	t.shown[feed]++
	newest := t.shown[feed]
	t.mu.Unlock()
	var list []article
	for n := newest; n > max(0, newest-10); n-- {
		list = append(list, newArticle(feed, n, t.base.Add(time.Duration(n)*time.Second)))
	}
	doc := document(feed, list)
	w.Header().Set("ETag", fmt.Sprintf(`"%d-%d"`, feed, newest))
	t.mu.Lock()
	t.at[list[0].url] = time.Now() // before the first byte, so that the path is never taken for shorter than it is
	t.mu.Unlock()
	answer(w, feed, doc)
}

// times are when each article was served first; a feed's very first is left out, because it is what a source starts from.
func (t *ticker) times() map[string]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]time.Time{}
	for feed, newest := range t.shown {
		for n := 2; n <= newest; n++ {
			url := articleURL(feed, n)
			out[url] = t.at[url]
		}
	}
	return out
}

type article struct {
	id, url, title, summary, author string
	tags                            []string
	at                              time.Time
}

func articleID(feed, number int) string {
	return fmt.Sprintf("tag:paper%d.example,2026:%d", feed, number)
}
func articleURL(feed, number int) string {
	return fmt.Sprintf("https://paper%d.example/a/%d", feed, number)
}

// newArticle writes the same article for the same numbers, about as long as a wire service's.
func newArticle(feed, number int, at time.Time) article {
	r := rand.New(rand.NewPCG(uint64(feed), uint64(number)))
	return article{id: articleID(feed, number), url: articleURL(feed, number), at: at.UTC(),
		title: prose(r, 60) + " " + strconv.Itoa(number), summary: "<p>" + prose(r, 280) + "</p>",
		author: "Desk " + strconv.Itoa(feed%7), tags: []string{"News", pickWord(r), pickWord(r)}}
}

const vocabulary = `bridge mayor ferry strike budget harvest museum storm council verdict tram merger orchard referee
hospital drought ballot festival quarry airport pension glacier mill archive border signal lighthouse treaty garden
engine school river tariff witness stadium canal reactor chapel satellite union dairy tunnel census the of and after
before against with under reopens delays wins closes plans rejects finds loses warns agrees returns begins ends`

func pickWord(r *rand.Rand) string {
	words := strings.Fields(vocabulary)
	return words[r.IntN(len(words))]
}

// prose is at least so many bytes of words.
func prose(r *rand.Rand, size int) string {
	words := strings.Fields(vocabulary)
	var out strings.Builder
	for out.Len() < size {
		if out.Len() > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(words[r.IntN(len(words))])
	}
	return strings.ToUpper(out.String()[:1]) + out.String()[1:]
}

// document writes a feed in the format of its number.
func document(feed int, list []article) []byte {
	var out strings.Builder
	home := fmt.Sprintf("https://paper%d.example/", feed)
	if feed%2 == 0 {
		fmt.Fprintf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel>"+
			"<title>Paper %d</title><link>%s</link><description>All of paper %d</description><language>en</language>\n", feed, home, feed)
		for _, a := range list {
			fmt.Fprintf(&out, "<item><title>%s</title><link>%s</link><guid isPermaLink=\"false\">%s</guid><pubDate>%s</pubDate><dc:creator>%s</dc:creator>",
				a.title, a.url, a.id, a.at.Format(time.RFC1123Z), a.author)
			for _, tag := range a.tags {
				fmt.Fprintf(&out, "<category>%s</category>", tag)
			}
			fmt.Fprintf(&out, "<description><![CDATA[%s]]></description></item>\n", a.summary)
		}
		out.WriteString("</channel></rss>\n")
		return []byte(out.String())
	}
	fmt.Fprintf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\">"+
		"<id>%s</id><title>Paper %d</title><subtitle>All of paper %d</subtitle><link href=\"%s\"/><updated>%s</updated>\n",
		home, feed, feed, home, list[0].at.Format(time.RFC3339))
	for _, a := range list {
		fmt.Fprintf(&out, "<entry><id>%s</id><title>%s</title><link rel=\"alternate\" href=\"%s\"/><published>%s</published><updated>%s</updated><author><name>%s</name></author>",
			a.id, a.title, a.url, a.at.Format(time.RFC3339), a.at.Format(time.RFC3339), a.author)
		for _, tag := range a.tags {
			fmt.Fprintf(&out, "<category term=\"%s\"/>", tag)
		}
		fmt.Fprintf(&out, "<summary type=\"html\"><![CDATA[%s]]></summary></entry>\n", a.summary)
	}
	out.WriteString("</feed>\n")
	return []byte(out.String())
}

// sourcesOf writes the sources of a server's feeds and gives their names. settings is what each has besides its address.
func sourcesOf(url string, feeds int, settings string) (text string, names []string) {
	var out strings.Builder
	out.WriteString("sources:\n")
	for i := range feeds {
		name := fmt.Sprintf("paper%d", i)
		names = append(names, name)
		fmt.Fprintf(&out, "  %s: {type: rss, url: \"%s/feed/%d\", allow_private: [127.0.0.0/8]%s}\n", name, url, i, settings)
	}
	return out.String(), names
}

// everyFeedAsked waits until so many requests were answered.
func (s *newsstand) everyFeedAsked(ctx context.Context, d *daemon) error {
	return await(ctx, time.Millisecond, 5*time.Minute, "every feed is asked", func() (bool, error) {
		return s.asked.Load() >= int64(s.feeds), d.alive()
	})
}

var errUnasked = errors.New("no feed was asked")

// begun is when the first feed was asked since the last reset.
func (s *newsstand) begun() (time.Time, error) {
	at := s.first.Load()
	if at == 0 {
		return time.Time{}, errUnasked
	}
	return time.Unix(0, at), nil
}

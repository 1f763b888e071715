package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/internal/logtest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// TestDemo plays the whole demonstration with the real binary.
func TestDemo(t *testing.T) {
	t.Parallel()
	binary := daemontest.Build(t)
	t.Run("newspaper", func(t *testing.T) { t.Parallel(); playNewspaper(t, binary) })
	t.Run("inbox", func(t *testing.T) { t.Parallel(); playInbox(t, binary) })
	t.Run("reader", func(t *testing.T) { t.Parallel(); playReader(t, binary) })
	t.Run("own feed", func(t *testing.T) { t.Parallel(); playOwnFeed(t, binary) })
	t.Run("mistakes", func(t *testing.T) { t.Parallel(); playMistakes(t, binary) })
	t.Run("browser", func(t *testing.T) { t.Parallel(); lookAtIt(t, binary) })
}

// show is a running demonstration with somebody who looks at it.
type show struct {
	*Demo
	t      *testing.T
	client *http.Client
	said   *logtest.Buffer
}

// start starts a demonstration; whoever wishes changes its options before.
func start(t *testing.T, binary string, change func(o *Options)) *show {
	t.Helper()
	s := &show{t: t, said: &logtest.Buffer{}, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
	o := Options{Addr: "127.0.0.1:0", Program: binary, Environ: os.Environ(), DataDir: t.TempDir(), Out: s.said, Err: s.said}
	if change != nil {
		change(&o)
	}
	var err error
	if s.Demo, err = Start(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			log, _ := os.ReadFile(s.dir + "/daemon.log")
			t.Logf("said:\n%s\nthe daemon's log ends with:\n%s", s.said, log[max(0, len(log)-4000):])
		}
	})
	s.Settle(context.Background())
	return s
}

// until waits for something that must come.
func (s *show) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !is(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s\n%s", what, s.get("/demo?lang=en"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *show) ask(method, path string, form url.Values, header ...string) (*http.Response, string) {
	s.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = s.Base() + path
	}
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(body)
}

func (s *show) get(path string) string {
	s.t.Helper()
	_, body := s.ask(http.MethodGet, path, nil, "Accept", "text/html,*/*")
	return body
}

// press presses a button, as the English page has it, and gives the page that follows.
func (s *show) press(button string, more ...string) string {
	s.t.Helper()
	form := url.Values{"lang": {"en"}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	resp, page := s.ask(http.MethodPost, "/demo/"+button, form)
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/demo" {
		s.t.Fatalf("%s leads to %s, %s", button, resp.Request.URL, resp.Status)
	}
	return page
}

// arrived waits until what was done to an article is everywhere.
func (s *show) arrived(kind Kind, edition, id string) Act {
	s.t.Helper()
	var act Act
	s.until(fmt.Sprintf("%s is %s everywhere", id, kind), func() bool {
		s.watch.mu.Lock()
		defer s.watch.mu.Unlock()
		for _, a := range s.watch.acts { // the newsroom may have gone on to the next article
			if a.Edition == edition && a.Kind == kind && a.Article.ID == id && a.Done() {
				act = a
				return true
			}
		}
		return false
	})
	for place, at := range map[string]time.Time{"the page": act.Page, "Telegram": act.Telegram, "the webhook": act.Webhook} {
		if took := at.Sub(act.At); took < 0 || took > patience {
			s.t.Errorf("%s was %s at %s after %s", id, kind, place, took)
		}
	}
	return act
}

// newest is the newest article that stands.
func (s *show) newest(lang string) Article {
	s.t.Helper()
	list, err := s.paper.Live(context.Background(), lang)
	if err != nil || len(list) == 0 {
		s.t.Fatalf("no article stands: %v", err)
	}
	return list[0]
}

func wantIn(t *testing.T, where, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s does not say %q:\n%.3000s", where, p, text)
		}
	}
}

func playNewspaper(t *testing.T, binary string) {
	// At this speed the first article comes after four seconds, and the next ones while others are corrected.
	s := start(t, binary, func(o *Options) { o.Speed = 3 })
	var screen bytes.Buffer
	s.o.Out = &screen
	s.screen(context.Background())
	wantIn(t, "the screen", screen.String(), "\n  "+s.Base()+"  ", s.Base()+"/demo", "36 articles (fr, en)", "next digest in ", "your feed: belfry demo --feed https://…", "stop: Ctrl-C")
	if n := strings.Count(screen.String(), "\n"); n > 14 {
		t.Errorf("the screen has %d lines", n)
	}

	// An article comes by itself.
	s.until("an article comes by itself", func() bool { act, ok := s.watch.Last("en"); return ok && act.Done() })
	act, _ := s.watch.Last("en")
	s.arrived(KindNew, "en", act.Article.ID)
	a := act.Article
	link := s.newsroom.Link(a)
	for path, parts := range map[string][]string{
		"/": {"<img", "La Gazette de Port-Ermine"}, "/c/news": {link, "belfry-line"}, "/c/news/feed.atom": {link}, "/c/news/feed.json": {link},
		"/newsroom/feed.xml": {link}, "/newsroom/" + a.ID: {a.Title}, "/newsroom/": {a.Title}, "/demo/telegram.json": {link}, "/demo/webhook.json": {link},
	} {
		wantIn(t, path, s.get(path), parts...)
	}

	s.press("correct", "id", a.ID)
	corrected := s.arrived(KindCorrected, "en", a.ID)
	wantIn(t, "/demo", s.get("/demo?lang=en"), corrected.Article.Note, "post.updated", "edited")
	for _, path := range []string{"/c/news", "/demo/telegram.json", "/demo/webhook.json", "/newsroom/" + a.ID} {
		wantIn(t, path, s.get(path), corrected.Article.Note)
	}

	s.press("withdraw", "id", a.ID)
	s.arrived(KindWithdrawn, "en", a.ID)
	wantIn(t, "/demo", s.get("/demo?lang=en"), "withdrawn at", "post.withdrawn")

	// A button about an article that is gone, or never was, touches no other.
	stands := s.newest("en")
	for _, button := range []string{"withdraw", "correct"} {
		for _, id := range []string{a.ID, "nonexist", ""} {
			wantIn(t, button+" "+id, s.press(button, "id", id), "That article is no longer in the feed; nothing was changed.")
		}
	}
	if same, ok := s.newsroom.Article(stands.ID); !ok || !same.Withdrawn.IsZero() || same.Corrections != stands.Corrections {
		t.Errorf("%s was touched by a button about another article", stands.ID)
	}
	if page := s.get("/demo?lang=en"); strings.Contains(page, "nothing was changed") {
		t.Error("what could not be done is said again")
	}
	for _, m := range s.receivers.Messages(chatSecond) {
		if strings.Contains(m.Raw, link+`"`) {
			t.Errorf("Telegram still shows %s", a.ID)
		}
	}
	for _, path := range []string{"/c/news", "/c/news/feed.json"} {
		if strings.Contains(s.get(path), link) {
			t.Errorf("%s still shows %s", path, a.ID)
		}
	}
	if resp, _ := s.ask(http.MethodGet, "/newsroom/"+a.ID, nil); resp.StatusCode != http.StatusGone {
		t.Errorf("the article answers %s", resp.Status)
	}

	s.cutAndCount()
	s.sabotage()
}

// pid is the daemon's process.
func (s *show) pid() int {
	s.daemon.mu.Lock()
	defer s.daemon.mu.Unlock()
	if s.daemon.run == nil {
		return 0
	}
	return s.daemon.run.cmd.Process.Pid
}

// cutPower presses the button and waits until everything is counted.
func (s *show) cutPower() (Cut, string) {
	s.t.Helper()
	before := s.pid()
	wantIn(s.t, "/demo", s.press("cut"), `<section class="outage `)
	s.until("everything is counted", func() bool { return !s.breaker.Busy() })
	c := *s.breaker.Last()
	if c.Phase != PhaseCounted || c.Trouble != "" {
		s.t.Fatalf("the cut ended as %s: %s", c.Phase, c.Trouble)
	}
	if after := s.pid(); after == 0 || after == before {
		s.t.Errorf("the daemon was process %d and is %d: it was not killed", before, after)
	}
	return c, s.get("/demo?lang=en")
}

// cutAndCount cuts the power, and answers what the page asks as somebody does who looks at the phone.
func (s *show) cutAndCount() {
	s.t.Helper()
	c, page := s.cutPower()
	wantIn(s.t, "/demo", page, "0 lost", "0 doubled", "was killed with SIGKILL")
	if len(c.Burst) != burst {
		s.t.Errorf("%d articles were written, want %d", len(c.Burst), burst)
	}
	for _, f := range c.Audit.Unknown {
		wantIn(s.t, "/demo", page, " unknown</b>", "“"+f.Title+"” was on its way to Telegram", "Is it in the channel “")
		say := "missing"
		if s.inItsChat(f) {
			say = "arrived"
		}
		s.press("resolve", "delivery", strconv.FormatInt(f.Delivery, 10), "say", say)
	}
	s.until("nothing is unknown any more", func() bool {
		c := s.breaker.Last()
		return c.Phase == PhaseCounted && len(c.Audit.Unknown) == 0 && c.Audit.Open == 0
	})
	page = s.get("/demo?lang=en")
	wantIn(s.t, "/demo", page, "0 lost", "0 doubled")
	for _, a := range c.Burst {
		held := s.receivers.Holdings()
		if n, m := held.atTelegram(chatSecond, s.paper.Link(a)).Times, held.atWebhook(s.paper.Link(a)).Times; n != 1 || m != 1 {
			s.t.Errorf("%q arrived %d times at Telegram and %d times at the webhook", a.Title, n, m)
		}
	}
}

// inItsChat reports whether the message of an unknown call is there, in the chat that it was for.
func (s *show) inItsChat(f Finding) bool {
	s.t.Helper()
	chat, err := strconv.ParseInt(f.Chat, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range s.receivers.Messages(chat) {
		if strings.Contains(m.Text, f.Title) {
			return true
		}
	}
	return false
}

// sabotage takes one copy away and sends another one twice, behind the daemon's back: the next count must say so.
func (s *show) sabotage() {
	s.t.Helper()
	list := s.receivers.Messages(chatSecond)
	articles, err := s.newsroom.Live(context.Background(), "en")
	if err != nil {
		s.t.Fatal(err)
	}
	var gone, twice *Article
	for _, m := range list {
		for i, a := range articles {
			switch {
			case !strings.Contains(m.Raw, s.newsroom.Link(a)+`"`):
			case gone == nil:
				gone = &articles[i]
				s.bot("deleteMessage", map[string]any{"chat_id": chatSecond, "message_id": m.ID})
			case twice == nil && a.ID != gone.ID:
				twice = &articles[i]
				s.bot("sendMessage", map[string]any{"chat_id": chatSecond, "parse_mode": "HTML", "text": `<a href="` + s.newsroom.Link(a) + `">again</a>`})
			}
		}
	}
	if gone == nil || twice == nil {
		s.t.Fatal("there was nothing to sabotage")
	}
	_, page := s.cutPower()
	wantIn(s.t, "/demo", page, `<b class="wrong">1 lost</b>`, `<b class="wrong">1 doubled</b>`,
		"“"+gone.Title+"” is missing: On Telegram", "“"+twice.Title+"” came more than once: On Telegram")
}

// bot calls the Telegram stand-in as nobody of the demonstration does.
func (s *show) bot(method string, call map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(call)
	if err != nil {
		s.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/bot"+s.receivers.token+"/"+method, bytes.NewReader(text))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.receivers.telegram.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", method, w.Code, w.Body)
	}
}

// harbour is what the feed calls itself. What looks like a reference in it is none.
const harbour = "Harbour ${env:DEMO_LANG} & News"

// serveFeed serves a newsroom's feed with a number of articles.
func serveFeed(t *testing.T, articles int) string {
	t.Helper()
	site := feedtest.New()
	n := feedtest.Newsroom{Channel: feedtest.Channel{Title: harbour, Link: "https://harbour.example/", Lang: "en"}}
	for i := range articles {
		at := time.Now().Add(-time.Duration(articles-i) * time.Hour).Truncate(time.Second)
		n.Publish(feedtest.Article{ID: fmt.Sprint("tide-", i+1), Title: fmt.Sprint("Tide number ", i+1), Link: fmt.Sprint("https://harbour.example/tide-", i+1),
			Summary: "The water came, and went.", Published: at, Updated: at})
	}
	site.Feed("/feed.xml", n.RSS())
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	return server.URL + "/feed.xml"
}

func playOwnFeed(t *testing.T, binary string) {
	feed := serveFeed(t, 40)
	s := start(t, binary, func(o *Options) { o.Feed, o.Speed, o.DataDir = feed, 4, "" })
	var screen bytes.Buffer
	s.o.Out = &screen
	s.screen(context.Background())
	wantIn(t, "the screen", screen.String(), "40 items found, none posted", "the invented newspaper: belfry demo\n", "stop: Ctrl-C")
	wantIn(t, "/demo", s.get("/demo?lang=en"), "40 items found, none posted", "Ring the newest three", "Tide number 40")
	wantIn(t, "/demo", s.get("/demo?lang=fr"), "40 articles trouvés, aucun publié")
	// Everything is called what the feed calls itself.
	for what, shown := range map[string]string{"the phone": s.get("/demo?lang=en"), "the front page": s.get("/"), "the channel": s.get("/c/" + ownChannel)} {
		if !strings.Contains(html.UnescapeString(shown), harbour) || strings.Contains(shown, "<h1>127.0.0.1") {
			t.Errorf("%s does not say %q:\n%.3000s", what, harbour, shown)
		}
	}
	if n := s.receivers.Calls(); n != 0 {
		t.Errorf("%d calls came before anybody asked for them", n)
	}

	r := s.readers[ownEdition]
	s.until("the made-up reader follows", func() bool { return !r.Journey().Confirmed.IsZero() })
	s.press("ring")
	news := s.mailTo("the made-up reader gets what was rung", r.Address, rings)
	if !strings.HasPrefix(news.Subject, "Tide number ") || !strings.Contains(news.Text, html.UnescapeString(harbour)) {
		t.Errorf("the message reads %q", news.Text)
	}
	s.until("the newest three have rung", func() bool {
		act, ok := s.watch.Last(ownEdition)
		return ok && s.watch.Quiet() && act.Done()
	})
	list := s.receivers.Messages(chatFirst)
	if len(list) != 3 {
		t.Fatalf("%d messages came, want 3", len(list))
	}
	for i, m := range list {
		wantIn(t, "a message", m.Text, fmt.Sprint("Tide number ", 38+i))
	}
	wantIn(t, "/demo", s.get("/demo?lang=en"), "40 items found, 3 posted", "post.published")

	newest := s.newest(ownEdition)
	s.press("correct", "id", newest.ID)
	corrected := s.arrived(KindCorrected, ownEdition, newest.ID)
	wantIn(t, "/demo", s.get("/demo?lang=en"), corrected.Article.Note, "post.updated", "edited")
	s.press("withdraw", "id", newest.ID)
	s.arrived(KindWithdrawn, ownEdition, newest.ID)
	if n := len(s.receivers.Messages(chatFirst)); n != 2 {
		t.Errorf("%d messages stand, want 2", n)
	}
	_, page := s.cutPower()
	wantIn(t, "/demo", page, "0 lost", "0 doubled")

	// Afterwards nothing is left of it.
	pid := s.pid()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder %s stays: %v", s.dir, err)
	}
	if pid == 0 || alive(pid) {
		t.Errorf("the daemon (process %d) outlives the demonstration", pid)
	}
}

func playMistakes(t *testing.T, binary string) {
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	addr := strings.TrimPrefix(taken.URL, "http://")
	used := t.TempDir()
	if err := os.WriteFile(used+"/notes.txt", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		options Options
		want    string
	}{
		{"port in use", Options{Addr: addr}, "another program uses " + addr + "; end it, or choose another address: belfry demo --addr 127.0.0.1:"},
		{"port in use, by make", Options{Addr: addr, Make: true}, "choose another address: make run ADDR=127.0.0.1:"},
		{"no address", Options{Addr: "nowhere"}, "choose another address: "},
		{"not a web address", Options{Addr: "127.0.0.1:0", Feed: "ftp://harbour.example"}, `"ftp://harbour.example" is no address of a feed; write it like https://`},
		{"a folder in use", Options{Addr: "127.0.0.1:0", DataDir: used}, used + " is not empty; empty it, or give another one with --data-dir"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.options.Program = binary
			d, err := Start(context.Background(), tc.options)
			if err == nil {
				_ = d.Stop()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q does not say %q", err, tc.want)
			}
		})
	}
	page := feedtest.New()
	page.Set("/page", feedtest.Page{Type: "text/html", Body: []byte("<!doctype html><title>Harbour</title><p>No feed here.")})
	site := httptest.NewServer(page)
	t.Cleanup(site.Close)
	for _, tc := range []struct{ name, feed, want string }{
		{"a web page", site.URL + "/page", "is a web page, not a feed; give the feed's own address"},
		{"404", site.URL + "/nothing.xml", "answers 404 Not Found: there is no feed at this address"},
		{"unreachable", "http://" + freeAddress(t) + "/feed.xml", "refuses connections"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, binary, func(o *Options) { o.Feed, o.Make = tc.feed, true })
			var screen bytes.Buffer
			s.o.Out = &screen
			s.screen(context.Background())
			wantIn(t, "the screen", screen.String(), "your feed cannot be read: ", tc.want, "another one: make run FEED=https://…")
			wantIn(t, "/demo", s.get("/demo?lang=en"), "Your feed cannot be read:")
		})
	}
}

// freeAddress is one at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return strings.TrimPrefix(server.URL, "http://")
}

// A daemon that ends at its start is no demonstration.
func TestDaemonEndsAtOnce(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("false")
	if err != nil {
		t.Fatal(err)
	}
	var out logtest.Buffer
	_, err = Start(context.Background(), Options{Addr: "127.0.0.1:0", Program: program, Out: &out, Err: &out})
	if err == nil || !strings.Contains(err.Error(), "the daemon ended at its start") {
		t.Fatalf("a program that ends at once: %v", err)
	}
}

package crash

import (
	"bytes"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads the journal of the daemon

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

var liveFor = flag.Duration("live", 25*time.Second, "how long readers come and go")

const (
	mailReaders = 120
	botReaders  = 80
	firstChat   = 7_000_000
)

// TestLive lets two hundred readers follow and leave at random moments, by the pages, by one click and by a bot, while posts
// and personal digests leave, receivers fail, and the daemon is killed again and again. Nothing begins at a receiver for
// somebody after they were told that they have left, and whoever follows all the time gets everything once; a mail of which
// nobody knows whether it arrived may come twice under the same Message-ID.
func TestLive(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d, %s", *seed, *liveFor)
	c := newCrowd(t)
	// A personal digest is due at a full minute: one falls into the time.
	end := time.Now().Add(*liveFor)
	if minute := time.Now().Add(10 * time.Second).Truncate(time.Minute).Add(time.Minute); end.Before(minute.Add(6 * time.Second)) {
		end = minute.Add(6 * time.Second)
	}
	c.end = end
	d := c.start()
	var people sync.WaitGroup
	for i := range mailReaders {
		people.Go(func() { c.readsMails(i) })
	}
	for i := range botReaders {
		people.Go(func() { c.readsAtBot(firstChat + int64(i)) })
	}
	people.Go(c.newsroom)
	people.Go(c.sort)
	random := rand.New(rand.NewPCG(*seed, 3))
	for {
		life := time.Duration(2500+random.IntN(4000)) * time.Millisecond
		if time.Now().Add(life).After(c.end) {
			break
		}
		time.Sleep(life)
		d.Kill(daemontest.Group)
		c.mu.Lock()
		c.lives++
		c.mu.Unlock()
		d = c.start()
	}
	time.Sleep(time.Until(c.end))
	people.Wait()
	c.calm(d)
	c.judge()
}

// crowd are the readers, and what the receivers saw. One clock tells when.
type crowd struct {
	t      *testing.T
	dir    string
	binary string
	end    time.Time
	relay  *emailtest.Relay
	bot    *telegramtest.Server
	site   *feedtest.Site
	news   *feedtest.Newsroom

	mu     sync.Mutex
	base   string
	random *rand.Rand
	faults bool
	// attempts are transactions at the receivers that carry, or may carry, news; in the order of their beginnings.
	attempts []attempt
	open     map[int]attempt   // by SMTP connection
	accepted map[int][]attempt // the same order as the relay's mails of a connection
	wishes   map[string]string // links in mails, by reader
	leaves   map[string]string
	asked    map[string]time.Time   // when a reader last asked to follow
	gone     map[string][]time.Time // when they were told that they have left
	back     map[string][]time.Time // when they asked to come back
	said     map[int64]time.Time    // when the bot said last that somebody has left
	posts    int
	signUps  int
	lives    int // of daemons that were killed
}

// attempt is one transaction.
type attempt struct {
	to string
	at time.Time
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{t: t, dir: t.TempDir(), binary: daemontest.Build(t), random: rand.New(rand.NewPCG(*seed, 4)), faults: true, open: map[int]attempt{}, accepted: map[int][]attempt{},
		wishes: map[string]string{}, leaves: map[string]string{}, asked: map[string]time.Time{}, gone: map[string][]time.Time{}, back: map[string][]time.Time{}, said: map[int64]time.Time{}}
	c.relay = emailtest.Start(t, emailtest.Options{Pipelining: true, Play: c.play})
	var chats []telegramtest.Chat
	for i := range botReaders {
		chats = append(chats, telegramtest.Chat{ID: firstChat + int64(i), Type: "private", Lang: "en"})
	}
	c.bot = telegramtest.New(telegramtest.Options{Token: token, Bot: "live_bot", Chats: chats, Accept: c.took})
	c.site = feedtest.New()
	feed, api := httptest.NewServer(c.site), httptest.NewServer(http.HandlerFunc(c.call))
	t.Cleanup(feed.Close)
	t.Cleanup(api.Close)
	sends := telegramtest.On("sendMessage")
	limited, broken := telegramtest.Refusal(429, "Too Many Requests: retry after 1", 1, 0), fault.Fault{On: sends, Every: 61, Status: http.StatusBadGateway, Body: "<html>502</html>"}
	limited.On, limited.Every = sends, 43
	c.bot.Faults.Add(limited, broken, fault.Fault{On: sends, Every: 79, Accepted: true, Drop: true})
	c.news = &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Live", Link: feed.URL, Lang: "en"}}
	c.site.Feed("/feed", c.news.RSS())
	var times []string
	for i := range 1 + int(liveFor.Minutes()) {
		times = append(times, strconv.Quote(time.Now().UTC().Add(10*time.Second).Truncate(time.Minute).Add(time.Duration(i+1)*time.Minute).Format("15:04")))
	}
	for name, text := range map[string]string{"people.key": consent.NewKey() + "\n", "belfry.yaml": fmt.Sprintf(`
timezone: UTC
site: {title: Live, url: "https://live.example", lang: en}
listen: 127.0.0.1:0
data_dir: data
alerts: none
sources:
  articles: {type: rss, url: "%s/feed", poll: 1s, baseline: all, max_new: 1000, isolation: none, allow_private: [127.0.0.0/8]}
destinations:
  telegram: {type: telegram, token: %q, api: %q, rates: off, allow_private: [127.0.0.0/8]}
  mail: {type: email, relay: "smtp://%s", tls: none, sender: "Live <brief@live.example>"}
privacy: {key: "${file:people.key}", controller: "Live, 1 High Street, Leeds"}
channels:
  news:
    title: News
    sources: [articles]
    each: {}
    template: "{{.Title}}\n\n{{.Summary}}"
    messages:
      - {destination: mail, modes: [instant, digest], times: [%s], per_day: 1000}
      - {destination: telegram, per_day: 1000}
`, feed.URL, token, api.URL, c.relay.Addr, strings.Join(times, ", "))} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *crowd) start() *daemontest.Daemon {
	c.t.Helper()
	d := daemontest.Start(c.t, c.binary, c.dir)
	base := d.Ready()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = base
	return d
}

// chance is true in so many of a thousand cases, as long as receivers fail.
func (c *crowd) chance(perMille int) bool { return c.faults && c.random.IntN(1000) < perMille }

// dawdle lets a message that has started come late now and then. What is noted is when the receiver begins with it, so that an
// acknowledgement that does not wait for what is under way is found out.
func (c *crowd) dawdle() {
	c.mu.Lock()
	slow := c.chance(100)
	c.mu.Unlock()
	if slow {
		time.Sleep(300 * time.Millisecond)
	}
}

var mailbox = regexp.MustCompile(`<([^>]+)>`)

// play is the relay, which notes when a mail to somebody begins, and fails now and then.
func (c *crowd) play(s emailtest.Step) string {
	if s.Name == "MAIL" {
		c.dawdle()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.Name {
	case "MAIL":
		if c.chance(5) {
			return "421 4.3.2 going down"
		}
	case "RCPT":
		c.open[s.Connection] = attempt{mailbox.FindStringSubmatch(s.Arg)[1], time.Now()}
		switch {
		case c.chance(10):
			return "451 4.7.1 try again later"
		case c.chance(3):
			return "554 5.7.1 this text is not wanted here"
		}
	case "end":
		// Whatever becomes of it, it has begun.
		switch drops, full := c.chance(10), c.chance(10); {
		case drops:
			c.attempts = append(c.attempts, c.open[s.Connection])
			return emailtest.Drop
		case full:
			c.attempts = append(c.attempts, c.open[s.Connection])
			return "451 4.3.0 the disk is full"
		}
		c.accepted[s.Connection] = append(c.accepted[s.Connection], c.open[s.Connection])
		if c.chance(10) {
			return "keep " + emailtest.Drop
		}
	}
	return ""
}

var chatOf = regexp.MustCompile(`chat_id[^0-9]{1,40}?(\d+)`)

// call is the platform, which notes when a message with news begins.
func (c *crowd) call(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if to := chatOf.FindSubmatch(body); to != nil && strings.HasSuffix(r.URL.Path, "/sendMessage") && bytes.Contains(body, []byte("mark:")) {
		c.mu.Lock()
		came, life := time.Now(), c.lives
		c.mu.Unlock()
		c.dawdle()
		c.mu.Lock()
		began := time.Now()
		if life != c.lives {
			began = came // nobody can recall what a daemon has sent that is dead by now; the next one begins nothing
		}
		c.attempts = append(c.attempts, attempt{string(to[1]), began})
		c.mu.Unlock()
	}
	c.bot.ServeHTTP(w, r)
}

// took notes when the bot has told somebody that they have left.
func (c *crowd) took(e telegramtest.Effect) error {
	if strings.Contains(e.Text, "Nothing more comes") || strings.Contains(e.Text, "sends you nothing") {
		c.mu.Lock()
		c.said[e.Chat] = time.Now()
		c.mu.Unlock()
	}
	return nil
}

// newsroom writes an article about each second.
func (c *crowd) newsroom() {
	for time.Now().Before(c.end.Add(-2 * time.Second)) {
		c.mu.Lock()
		c.posts++
		n := c.posts
		c.mu.Unlock()
		c.news.Keep(60)
		c.news.Publish(feedtest.Article{ID: fmt.Sprintf("p%d", n), Title: fmt.Sprintf("mark:p%d:", n), Link: fmt.Sprintf("https://live.example/p%d", n),
			Summary: "It is told here.", Published: time.Now().Add(-time.Minute)})
		c.site.Feed("/feed", c.news.RSS())
		time.Sleep(time.Second)
	}
}

var (
	liveLink  = regexp.MustCompile(`https://live\.example(/(confirm|leave)/[a-z0-9.-]+)`)
	liveMark  = regexp.MustCompile(`mark:(p\d+):`)
	messageID = regexp.MustCompile(`(?mi)^Message-ID: *(\S+)\r$`)
)

func unfolded(m emailtest.Mail) string {
	return strings.NewReplacer("=\r\n", "", "\r\n ", "", "\r\n\t", "").Replace(string(m.Data))
}

// sort opens the mails as they come.
func (c *crowd) sort() {
	for n := 0; time.Now().Before(c.end); time.Sleep(100 * time.Millisecond) {
		mails := c.relay.Mails()
		for _, m := range mails[n:] {
			for _, l := range liveLink.FindAllStringSubmatch(unfolded(m), -1) {
				c.mu.Lock()
				if l[2] == "confirm" {
					c.wishes[m.To] = l[1]
				} else {
					c.leaves[m.To] = l[1]
				}
				c.mu.Unlock()
			}
		}
		n = len(mails)
	}
}

// nap sleeps for a random while up to most; false when the time is over.
func (c *crowd) nap(least, most time.Duration) bool {
	c.mu.Lock()
	d := least + time.Duration(c.random.Int64N(int64(most-least)+1))
	c.mu.Unlock()
	time.Sleep(min(d, time.Until(c.end)))
	return time.Now().Before(c.end)
}

// post sends a form again and again until the daemon answers it.
func (c *crowd) post(path string, form url.Values) (int, string) {
	for time.Now().Before(c.end) {
		c.mu.Lock()
		base := c.base
		c.mu.Unlock()
		resp, err := http.PostForm(base+path, form)
		if err == nil {
			body, rerr := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if rerr == nil && resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
				return resp.StatusCode, string(body)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return 0, ""
}

// await waits for a link in a mail.
func (c *crowd) await(in map[string]string, who string) string {
	for time.Now().Before(c.end) {
		c.mu.Lock()
		link := in[who]
		c.mu.Unlock()
		if link != "" {
			return link
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ""
}

// readsMails follows by the form, and mostly leaves again.
func (c *crowd) readsMails(i int) {
	who := fmt.Sprintf("reader%d@readers.example", i)
	span := time.Until(c.end)
	if !c.nap(0, span/3) {
		return
	}
	form := url.Values{"medium": {"email"}, "address": {who}, "mode": {"instant"}, "started": {strconv.FormatInt(time.Now().Add(-time.Minute).UnixMilli(), 36)}}
	if i%4 == 0 {
		form.Set("mode", "digest")
	}
	if code, page := c.post("/follow/news", form); code != http.StatusOK && code != 0 {
		c.t.Errorf("%s may not follow: %d\n%s", who, code, page)
	}
	confirm := c.await(c.wishes, who)
	if confirm == "" || !c.nap(0, span/8) {
		return
	}
	if code, _ := c.post(confirm, url.Values{"act": {"confirm"}}); code == http.StatusOK {
		c.mu.Lock()
		c.signUps++
		c.mu.Unlock()
	}
	if i%5 == 1 {
		return // stays
	}
	leave := c.await(c.leaves, who)
	if leave == "" || !c.nap(0, span/3) {
		return
	}
	form = url.Values{"List-Unsubscribe": {"One-Click"}}
	switch i % 3 {
	case 1:
		form = url.Values{"act": {"leave"}}
	case 2:
		form = url.Values{"act": {"leave"}, "all": {"1"}}
	}
	for time.Now().Before(c.end) {
		code, page := c.post(leave, form)
		now := time.Now()
		if code != http.StatusOK && code != 0 {
			c.t.Errorf("%s may not leave: %d\n%s", who, code, page)
			return
		}
		if strings.Contains(page, "No message is under way") {
			c.mu.Lock()
			c.gone[who] = append(c.gone[who], now)
			c.mu.Unlock()
			return
		}
	}
}

// readsAtBot follows, leaves and comes back, now and then by blocking the bot.
func (c *crowd) readsAtBot(chat int64) {
	who := strconv.FormatInt(chat, 10)
	start := "/start " + bot.Payload(consent.Purpose{Kind: consent.Channel, Name: "news"})
	stays := chat%5 == 0
	for c.nap(200*time.Millisecond, 4*time.Second) {
		c.mu.Lock()
		c.back[who] = append(c.back[who], time.Now())
		c.mu.Unlock()
		if err := c.bot.Say(chat, start); err != nil {
			c.t.Error(err)
			return
		}
		if !c.press(chat, "Follow") {
			continue
		}
		c.mu.Lock()
		c.signUps++
		c.mu.Unlock()
		if stays || !c.nap(500*time.Millisecond, 8*time.Second) {
			return
		}
		if chat%7 == 0 {
			if c.bot.Block(chat) == nil && c.nap(time.Second, 3*time.Second) {
				_ = c.bot.Unblock(chat)
			}
			continue
		}
		c.leavesBot(chat, who)
	}
}

// leavesBot writes STOP until the bot says that it is done.
func (c *crowd) leavesBot(chat int64, who string) {
	for time.Now().Before(c.end) {
		asked := time.Now()
		if err := c.bot.Say(chat, "STOP"); err != nil {
			c.t.Error(err)
			return
		}
		for until := asked.Add(9 * time.Second); time.Now().Before(until) && time.Now().Before(c.end); time.Sleep(50 * time.Millisecond) {
			c.mu.Lock()
			said := c.said[chat]
			if said.After(asked) {
				c.gone[who] = append(c.gone[who], said)
				c.mu.Unlock()
				return
			}
			c.mu.Unlock()
		}
	}
}

// press presses the newest button that says so, once it is there.
func (c *crowd) press(chat int64, says string) bool {
	asked := time.Now()
	for time.Now().Before(c.end) && time.Since(asked) < 9*time.Second {
		for _, m := range slices.Backward(c.bot.Messages(chat)) {
			for _, row := range m.Buttons {
				for _, b := range row {
					if strings.Contains(b.Text, says) && b.Data != "" && !m.Date.Before(asked.Add(-time.Second)) {
						_, err := c.bot.Press(chat, m.ID, b.Data)
						return err == nil
					}
				}
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

func (c *crowd) database() *sql.DB {
	c.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.dir, "data", "belfry.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		c.t.Fatal(err)
	}
	return db
}

// calm lets the receivers work again and the daemon send what waits, as if the time of retries had come.
func (c *crowd) calm(d *daemontest.Daemon) {
	c.t.Helper()
	c.mu.Lock()
	c.faults = false
	c.mu.Unlock()
	c.bot.Faults.Clear()
	for range 3 { // what is sent again may have waited for something else
		time.Sleep(1500 * time.Millisecond)
		d.Stop()
		db := c.database()
		if _, err := db.Exec(`UPDATE messages SET next_at = 1 WHERE next_at > 0; UPDATE destinations SET paused_until = 0`); err != nil {
			c.t.Fatal(err)
		}
		_ = db.Close()
		d = c.start()
		c.settle(d)
	}
	d.Stop()
}

func (c *crowd) settle(d *daemontest.Daemon) {
	c.t.Helper()
	db := c.database()
	defer db.Close()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		var open, batches int
		if err := db.QueryRow(`SELECT (SELECT count(*) FROM messages m JOIN streams s ON s.id = m.stream WHERE m.state = 'pending' AND s.state = 'open' AND m.next_at < unixepoch() * 1000000),
			(SELECT count(*) FROM message_batches)`).Scan(&open, &batches); err != nil {
			c.t.Fatal(err)
		}
		if open+batches == 0 {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("%d messages and %d batches are left\n%s", open, batches, d.Tail())
		}
	}
}

// judge compares what the receivers saw with what people were told.
func (c *crowd) judge() {
	c.t.Helper()
	mails := c.relay.Mails()
	seen := map[int]int{}
	got := map[string]map[string]map[string]int{} // by reader, article and Message-ID
	note := func(who, mark, id string) {
		if got[who] == nil {
			got[who] = map[string]map[string]int{}
		}
		if got[who][mark] == nil {
			got[who][mark] = map[string]int{}
		}
		got[who][mark][id]++
	}
	for _, m := range mails {
		a := c.accepted[m.Connection][seen[m.Connection]]
		seen[m.Connection]++
		text := unfolded(m)
		id := messageID.FindStringSubmatch(string(m.Data))
		if id == nil || a.to != m.To {
			c.t.Fatalf("a mail to %s began as one to %s, or has no name", m.To, a.to)
		}
		marks := map[string]bool{}
		for _, x := range liveMark.FindAllStringSubmatch(text, -1) {
			marks[x[1]] = true
		}
		for mark := range marks {
			note(m.To, mark, id[1])
		}
		if len(marks) > 0 {
			c.attempts = append(c.attempts, a)
		}
	}
	for i := range botReaders {
		chat := firstChat + int64(i)
		for _, m := range c.bot.Messages(chat) {
			if x := liveMark.FindStringSubmatch(m.Text); x != nil {
				note(strconv.FormatInt(chat, 10), x[1], fmt.Sprint(m.ID))
			}
		}
	}
	after, left := 0, 0
	for who, times := range c.gone {
		left += len(times)
		for _, told := range times {
			for _, a := range c.attempts {
				if a.to != who || !a.at.After(told) || slices.ContainsFunc(c.back[who], func(b time.Time) bool { return b.After(told) && b.Before(a.at) }) {
					continue
				}
				after++
				c.t.Errorf("%s was told at %s that they have left, and a message began %s later", who, told.Format(time.RFC3339Nano), a.at.Sub(told))
			}
		}
	}
	doubled, twice := 0, 0
	for who, articles := range got {
		for mark, ids := range articles {
			if len(ids) > 1 {
				doubled++
				c.t.Errorf("%s got %s in %d messages: %v", who, mark, len(ids), ids)
			}
			for _, n := range ids {
				if n > 1 {
					twice++
				}
			}
		}
	}
	outcomes := c.outcomes(got)
	c.t.Logf("%d articles, %d times followed, %d told that they have left, %d messages began, %d mails; killed %d times; %d began after somebody was told; %d doubled; %d mails came again under their name; outcomes %v",
		c.posts, c.signUps, left, len(c.attempts), len(mails), c.lives, after, doubled, twice, outcomes)
	if left < 50 || c.lives < 2 || len(c.attempts) < 500 {
		c.t.Error("the test did not test")
	}
	if faults := c.relay.Faults(); len(faults) > 0 {
		c.t.Errorf("the relay complains: %v", faults[:min(3, len(faults))])
	}
}

// outcomes looks at everybody who never left: for each article that came while they followed there is one message with one
// outcome, and what was sent is there.
func (c *crowd) outcomes(got map[string]map[string]map[string]int) map[string]int {
	c.t.Helper()
	db := c.database()
	defer db.Close()
	rows, err := db.Query(`SELECT g.medium, coalesce(m.state, 'lost'), count(*) FROM grants g JOIN posts p ON p.channel = g.name AND p.status = 'live'
		LEFT JOIN streams s ON s.post = p.id AND s.medium = g.medium AND s.kind = 'post' LEFT JOIN messages m ON m.stream = s.id AND m.person = g.person
		WHERE g.state = 'active' AND g.version = 1 AND g.mode = 'instant' AND p.visible_at > g.since GROUP BY 1, 2`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var medium, state string
		var n int
		if err := rows.Scan(&medium, &state, &n); err != nil {
			c.t.Fatal(err)
		}
		out[medium+" "+state] = n
		switch state {
		case "sent", "unknown", "failed":
		default:
			c.t.Errorf("%d messages by %s to people who follow are %s", n, medium, state)
		}
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	// What is sent has arrived: as many by each medium as the receivers hold, of all people. Of what is not sent, an attempt of
	// before may have arrived without an answer.
	for medium, of := range map[string]func(string) bool{"email": func(who string) bool { return strings.Contains(who, "@") }, "telegram": func(who string) bool { return !strings.Contains(who, "@") }} {
		const uncertain = `m.state <> 'sent' AND (m.attempt > 0 OR m.unsure = 1 OR m.reason IN ('unknown', 'node_ended'))`
		var sent, maybe int
		if err := db.QueryRow(`SELECT count(*) FILTER (WHERE m.state = 'sent'), count(*) FILTER (WHERE `+uncertain+`) FROM streams s JOIN messages m ON m.stream = s.id
			WHERE s.kind = 'post' AND s.medium = ?`, medium).Scan(&sent, &maybe); err != nil {
			c.t.Fatal(err)
		}
		// What was in a digest that has no outcome is not written down: it may have been everything.
		var digested, perhaps int
		if err := db.QueryRow(`SELECT coalesce(sum(json_array_length(m.posts)) FILTER (WHERE m.state = 'sent'), 0),
			coalesce(sum(coalesce(json_array_length(nullif(m.posts, '')), ?2)) FILTER (WHERE `+uncertain+`), 0)
			FROM streams s JOIN messages m ON m.stream = s.id WHERE s.kind = 'digest' AND s.medium = ?1`, medium, c.posts).Scan(&digested, &perhaps); err != nil {
			c.t.Fatal(err)
		}
		maybe += perhaps
		there := 0
		for who, articles := range got {
			if of(who) {
				there += len(articles)
			}
		}
		out[medium+" in digests"] = digested
		if there < sent+digested || there > sent+digested+maybe {
			c.t.Errorf("by %s %d messages and %d articles in digests were sent, perhaps %d more, and %d arrived", medium, sent, digested, maybe, there)
		}
	}
	return out
}

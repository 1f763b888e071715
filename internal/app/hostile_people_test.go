package app

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// states counts the messages of a kind by their states and reasons.
func (m *mailroom) states(kind string) map[string]int {
	m.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(m.dir, "data", "belfry.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT m.state || ' ' || m.reason, count(*) FROM streams s JOIN messages m ON m.stream = s.id WHERE s.kind = ? GROUP BY 1`, kind)
	if err != nil {
		m.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			m.t.Fatal(err)
		}
		out[strings.TrimSpace(state)] = n
	}
	if err := rows.Err(); err != nil {
		m.t.Fatal(err)
	}
	return out
}

// TestSignUpBombing signs nine addresses up a thousand times each by the form, in many spellings. Each gets one mail at most, the
// daemon does not grow, and somebody else can follow as soon as the flood is over. It measures memory, so that it runs alone.
func TestSignUpBombing(t *testing.T) {
	const addresses, each = 9, 1000
	m := newMailroom(t, "")
	m.start()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	t.Cleanup(client.CloseIdleConnections)
	send := func(address string) (int, error) {
		resp, err := client.PostForm("http://"+m.app.Addr()+"/follow/alertes", url.Values{"medium": {"email"}, "address": {address}, "started": {strconv.FormatInt(time.Now().Add(-time.Minute).UnixMilli(), 36)}})
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, err
	}
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	if _, err := send("first@example.invalid"); err != nil {
		t.Fatal(err)
	}
	before := heap()
	var taken, refused atomic.Int64
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := w; i < addresses*each; i += 8 {
				address := fmt.Sprintf("victim%d@example.invalid", i%addresses)
				if i%2 == 0 {
					address = " " + strings.ToUpper(address)
				}
				switch code, err := send(address); {
				case err != nil:
					t.Error(err)
					return
				case code == http.StatusOK:
					taken.Add(1)
				case code == http.StatusTooManyRequests:
					refused.Add(1)
				default:
					t.Errorf("a sign-up is answered with %d", code)
				}
			}
		})
	}
	group.Wait()
	grown := int64(heap()) - int64(before)
	if taken.Load()+refused.Load() != addresses*each || taken.Load() < addresses {
		t.Errorf("%d were taken and %d refused", taken.Load(), refused.Load())
	}
	if grown > 16<<20 {
		t.Errorf("the daemon has grown by %d bytes", grown)
	}
	m.until("somebody else can follow", func() bool { code, err := send("reader@example.invalid"); return err == nil && code == http.StatusOK })
	m.until("they are asked to confirm", func() bool {
		for _, l := range m.letters() {
			if l.to == "reader@example.invalid" {
				return true
			}
		}
		return false
	})
	m.never("an address was asked twice", func() bool { return len(m.relay.Mails()) > addresses+2 })
	seen := map[string]bool{}
	for _, l := range m.relay.Mails() {
		if to := strings.ToLower(l.To); seen[to] {
			t.Errorf("%s was asked twice", to)
		} else {
			seen[to] = true
		}
	}
	t.Logf("%d taken, %d refused, %d mails, grown by %d KiB", taken.Load(), refused.Load(), len(m.relay.Mails()), grown>>10)
}

// TestHeadersCannotBeInjected brings line ends, boundaries and dots into everything that strangers and staff write, and looks at the
// bytes that the relay got.
func TestHeadersCannotBeInjected(t *testing.T) {
	t.Parallel()
	m := newMailroom(t, noticed)
	m.start()
	r := m.follow("reader@example.invalid", alertes, parcels)
	if err := m.app.people.SetReference(context.Background(), r.ID, "ref"); err != nil {
		t.Fatal(err)
	}
	const bad = "Alerte\r\nBcc: victim@example.invalid\r\nX-Evil: 1\r\n\r\n.\r\nRCPT TO:<victim@example.invalid>\r\n"
	m.publish(feedtest.Article{ID: "a", Title: bad + "\u2028Bcc: victim@example.invalid", Summary: "<p>" + bad + "</p>\r\n.\r\nMAIL FROM:<x@example.invalid>", Author: bad})
	m.until("the news is there", func() bool { return len(m.relay.Mails()) == 1 })
	ctx := context.Background()
	for key, address := range map[string]string{"with an address": "https://gazette.example/\r\nBcc:%20victim@example.invalid", bad: ""} {
		if _, err := m.app.people.Notify(ctx, consent.Notify{Purpose: parcels, Reference: "ref", Key: key, Digest: key, Expires: time.Now().Add(time.Hour),
			Text: consent.NoticeText{Title: "{{name}} " + bad, Text: bad + "\r\n\r\n{{name}}", URL: address, Slots: map[string]string{"name": bad}}}); err != nil {
			t.Fatal(err)
		}
	}
	m.until("the notice that can be written is there, and the other one is refused by name", func() bool {
		s := m.states("notice")
		return len(m.relay.Mails()) == 2 && s["sent"] == 1 && s["failed invalid"]+s["failed template"] == 1
	})
	for _, mailed := range m.relay.Mails() {
		if mailed.To != "reader@example.invalid" {
			t.Errorf("a mail went to %s", mailed.To)
		}
		msg, err := mail.ReadMessage(bytes.NewReader(mailed.Data))
		if err != nil {
			t.Fatal(err)
		}
		for name := range msg.Header {
			switch name {
			case "Bcc", "X-Evil", "Cc":
				t.Errorf("the header %s was injected", name)
			}
		}
		if to, err := msg.Header.AddressList("To"); err != nil || len(to) != 1 {
			t.Errorf("it is addressed to %v: %v", to, err)
		}
		for _, name := range []string{"Subject", "From", "List-Id", "Message-Id"} {
			if v := msg.Header.Get(name); v == "" || strings.ContainsAny(v, "\r\n") {
				t.Errorf("%s is %q", name, v)
			}
		}
	}
	if n := m.times("victim@example.invalid"); n > 0 {
		t.Errorf("somebody else was named %d times", n)
	}
	if faults := m.relay.Faults(); len(faults) > 0 {
		t.Errorf("the relay complains: %v", faults)
	}
}

// TestARelayThatLies says yes to everything and hangs up before it says that it has the mail, or announces a size that it does not
// keep to. Every message has an outcome with a name, none is sent more than twice, and who follows by another address is
// not kept waiting.
func TestARelayThatLies(t *testing.T) {
	t.Parallel()
	m := newMailroom(t, "")
	m.start()
	m.follow("lied@example.invalid", alertes)
	m.follow("tooBig@example.invalid", alertes)
	m.follow("fine@example.invalid", alertes)
	m.play("lied@example.invalid", emailtest.Drop)
	m.play("tooBig@example.invalid", "552 5.3.4 message too big")
	m.article("a")
	m.reached("fine@example.invalid", 1)
	m.until("it is not known what became of one", func() bool { s := m.states("post"); return s["pending unknown"] == 1 && s["sent"] == 1 })
	m.sql(`UPDATE messages SET next_at = 1 WHERE next_at > 0`)
	m.until("it is given up after the second time", func() bool { return m.states("post")["unknown "+"unknown"] == 1 })
	for range 3 {
		m.sql(`UPDATE messages SET next_at = 1 WHERE next_at > 0`)
		time.Sleep(200 * time.Millisecond)
	}
	if n := m.times("lied@example.invalid"); n != 2 {
		t.Errorf("a mail was sent %d times that may have arrived", n)
	}
	if s := m.states("post"); s["failed too_large"] != 1 || m.times("tooBig@example.invalid") != 1 {
		t.Errorf("the outcomes are %v", s)
	}
	m.article("b")
	m.reached("fine@example.invalid", 2)

	// A size that is announced and smaller than any mail: nothing is begun, and it is said.
	small := emailtest.Start(t, emailtest.Options{Size: 100})
	s := newMailroom(t, "")
	s.config(strings.ReplaceAll(followed, "%RELAY%", small.Addr))
	s.start()
	s.follow("reader@example.invalid", alertes)
	s.article("c")
	s.until("it is refused by name", func() bool { return s.states("post")["failed too_large"] == 1 })
	if n := len(small.Mails()); n != 0 {
		t.Errorf("%d mails left", n)
	}
	if faults := small.Faults(); len(faults) > 0 {
		t.Errorf("the relay complains: %v", faults)
	}
}

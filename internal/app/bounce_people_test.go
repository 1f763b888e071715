package app

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// TestABounceLeavesNoAddress: the other server names the address in its refusal. What is stored of that says why the message
// came back, and nothing in the files of the store tells the address.
func TestABounceLeavesNoAddress(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	box := newMaildir(t)
	p.bouncing(box)
	a := p.start()
	time.Sleep(20 * time.Millisecond)
	lectrice := p.follow("lectrice", consent.Preferences{})
	p.publish(feedtest.Article{ID: "a", Title: "Incendie"})
	p.until("the news is in the mail", func() bool { return len(p.relay.Mails()) == 1 })
	mail := p.relay.Mails()[0]
	if !strings.HasPrefix(mail.From, "bounce+") {
		t.Fatalf("it was sent from %q", mail.From)
	}
	if err := os.WriteFile(filepath.Join(box, "new", "1.a"), bounceOf(mail.From, mail.To), 0o600); err != nil {
		t.Fatal(err)
	}
	p.stop(a) // a start reads the folder at once
	p.start()
	var row store.MessageRow
	p.until("the bounce is recorded", func() bool {
		rows, err := p.app.Store().MessagesOfPost(t.Context(), p.posts()[0].ID, lectrice)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%+v, %v", rows, err)
		}
		row = rows[0]
		return row.Reason == consent.OutcomeHard
	})
	if !strings.Contains(row.Error, "is unknown") || strings.Contains(row.Error, "@") || strings.Contains(row.Error, "lectrice") {
		t.Errorf("the row says %q", row.Error)
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	top, _ := filepath.Glob(filepath.Join(p.dir, "*"))
	looked := 0
	for _, f := range append(files, top...) {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // a folder
		}
		looked++
		if bytes.Contains(text, []byte(mail.To)) {
			t.Errorf("%s holds the address", f)
		}
	}
	if looked < 2 {
		t.Errorf("only %d files were looked at", looked)
	}
}

// bounceOf is what another server writes about a mail that it does not take: the address does not exist.
func bounceOf(from, to string) []byte {
	return []byte(strings.ReplaceAll("Delivered-To: "+from+`
From: MAILER-DAEMON@mx.example
Subject: Undelivered
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

No.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; `+to+`
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <`+to+`>: user `+strings.Split(to, "@")[0]+` is unknown

--b1--
`, "\n", "\r\n"))
}

// bouncing is the configuration followed with a folder for what comes back.
func (p *post) bouncing(box string) {
	p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, `sender: "La Gazette`,
		`bounce: bounce@gazette.example, bounce_secrets: ["0123456789abcdef0123456789abcdef"], bounces: {maildir: "`+box+`"}, sender: "La Gazette`).Replace(followed))
}

// newMaildir makes an empty mailbox.
func newMaildir(t *testing.T) (box string) {
	t.Helper()
	box = t.TempDir()
	for _, d := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(box, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return box
}

// TestADestinationPausesItself: one in twenty of a day's mails comes back for good, which is where providers begin to refuse
// everything. Nothing more leaves before somebody has looked, and nothing is lost meanwhile.
func TestADestinationPausesItself(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	box := newMaildir(t)
	p.bouncing(box)
	a := p.start()
	spared := consent.PersonID(0)
	for i := range 21 {
		spared = p.follow(fmt.Sprintf("r%d", i), consent.Preferences{})
	}
	p.publish(feedtest.Article{ID: "a", Title: "Incendie"})
	p.until("the news is in the mail", func() bool { return len(p.relay.Mails()) == 21 })
	for i, mail := range p.relay.Mails() {
		if strings.HasPrefix(mail.To, "r20@") {
			continue // theirs arrived
		}
		if err := os.WriteFile(filepath.Join(box, "new", fmt.Sprintf("%d.a", i)), bounceOf(mail.From, mail.To), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.stop(a) // a start reads the folder at once
	a = p.start()
	paused := func() bool {
		list, err := a.Store().Pauses(t.Context())
		return err == nil && slices.ContainsFunc(list, func(x store.Pause) bool { return x.Scope == "destination" && x.Name == "mail" })
	}
	p.until("the destination has paused itself", paused)
	p.until("an alert says why", func() bool {
		alerts, err := a.Store().Alerts(t.Context())
		return err == nil && slices.ContainsFunc(alerts, func(r alert.Row) bool {
			return r.Code == alert.MessagesHeld && strings.Contains(r.Sentence, "20 of 21 messages sent in a day came back for good")
		})
	})
	p.publish(feedtest.Article{ID: "b", Title: "Pluie"})
	p.until("its message waits", func() bool {
		posts := p.posts()
		if len(posts) != 2 {
			return false
		}
		rows, err := a.Store().MessagesOfPost(t.Context(), posts[0].ID, spared)
		if err != nil || len(rows) > 0 && rows[0].State != consent.MessagePending {
			t.Fatalf("%+v, %v", rows, err)
		}
		return len(rows) == 1
	})
	if _, err := a.Store().Resume(t.Context(), "destination", "mail", "the desk", time.Now()); err != nil {
		t.Fatal(err)
	}
	p.until("it goes on where it paused", func() bool { return len(p.relay.Mails()) == 22 })
	if last := p.relay.Mails()[21]; !strings.HasPrefix(last.To, "r20@") {
		t.Errorf("it went to %s", last.To)
	}
}

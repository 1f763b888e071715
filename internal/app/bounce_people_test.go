package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// TestABounceLeavesNoAddress: the other server names the address in its refusal. What is stored of that says why the message
// came back, and nothing in the files of the store tells the address.
func TestABounceLeavesNoAddress(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	box := t.TempDir()
	for _, d := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(box, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, `sender: "La Gazette`,
		`bounce: bounce@gazette.example, bounce_secrets: ["0123456789abcdef0123456789abcdef"], bounces: {maildir: "`+box+`"}, sender: "La Gazette`).Replace(followed))
	a := p.start()
	time.Sleep(20 * time.Millisecond)
	lectrice := p.follow("lectrice", consent.Preferences{})
	p.publish(feedtest.Article{ID: "a", Title: "Incendie"})
	p.until("the news is in the mail", func() bool { return len(p.relay.Mails()) == 1 })
	mail := p.relay.Mails()[0]
	if !strings.HasPrefix(mail.From, "bounce+") {
		t.Fatalf("it was sent from %q", mail.From)
	}
	report := strings.ReplaceAll("Delivered-To: "+mail.From+`
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

Final-Recipient: rfc822; `+mail.To+`
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <`+mail.To+`>: user lectrice is unknown

--b1--
`, "\n", "\r\n")
	if err := os.WriteFile(filepath.Join(box, "new", "1.a"), []byte(report), 0o600); err != nil {
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

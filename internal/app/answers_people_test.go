package app

import (
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// TestAnAnswerByMail goes the whole way of withdrawals by mail: an answer to a message ends it, from whatever address; a mail that
// only claims to be somebody's pauses, and says so to their own address; strangers are never written to. And a provider tells of
// a complaint.
func TestAnAnswerByMail(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	box := t.TempDir()
	for _, d := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(box, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, `sender: "La Gazette`, `bounce: bounce@gazette.example, bounce_secrets: ["0123456789abcdef0123456789abcdef"],
    bounces: {maildir: "`+box+`", poll: 1s, webhook: {provider: postmark, user: belfry, secret: 0123456789abcdef0123}}, sender: "La Gazette`).Replace(followed))
	p.start()
	answering, forged, told := p.follow("answering", consent.Preferences{}), p.follow("forged", consent.Preferences{}), p.follow("told", consent.Preferences{})
	p.publish(feedtest.Article{ID: "a", Title: "Incendie"})
	p.until("the news is in the mail", func() bool { return len(p.letters()) == 3 })
	write := func(name, from, to string) {
		t.Helper()
		text := "From: " + from + "\r\nTo: " + to + "\r\nSubject: Re: Incendie\r\nMessage-ID: <" + name + "@reader.example>\r\n\r\nSTOP\r\n"
		if err := os.WriteFile(filepath.Join(box, "new", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	to, err := mail.ParseAddress(p.to("answering")[0].head.Get("Reply-To"))
	if err != nil || !strings.HasPrefix(to.Address, "bounce+") {
		t.Fatalf("it is answered at %v, %v", to, err)
	}
	write("1", "stranger@elsewhere.example", "brief@gazette.example")
	write("2", "somebody.else@elsewhere.example", to.Address)
	write("3", "forged@example.invalid", "brief@gazette.example")
	p.until("both are answered, at their own addresses", func() bool { return len(p.to("answering")) == 2 && len(p.to("forged")) == 2 })
	if l := p.to("forged")[1]; !strings.Contains(l.text, "ne vous envoie plus rien") || !strings.Contains(l.text, "https://gazette.example/me/") {
		t.Errorf("it reads\n%s", l.text)
	}
	state := func(id consent.PersonID) string {
		t.Helper()
		r, err := p.app.people.Record(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		state := string(r.Reader.Grants[0].State)
		if !r.Reader.Habits.PausedUntil.IsZero() {
			state += ", paused"
		}
		return state
	}
	for id, want := range map[consent.PersonID]string{answering: "withdrawn", forged: "active, paused", told: "active"} {
		if got := state(id); got != want {
			t.Errorf("%d is %s, want %s", id, got, want)
		}
	}
	call := func(password, id string) int {
		t.Helper()
		body := `{"RecordType":"SpamComplaint","ID":42,"Type":"SpamComplaint","BouncedAt":"` + time.Now().UTC().Format(time.RFC3339) + `","Email":"told@example.invalid","Metadata":{"belfry":"` + id + `"}}`
		req, err := http.NewRequest(http.MethodPost, "http://"+p.app.Addr()+"/hooks/mail", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("belfry", password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	id := p.to("told")[0].head.Get("X-Pm-Metadata-Belfry")
	if code := call("another", id); code != http.StatusForbidden || state(told) != "active" {
		t.Errorf("a forged call: %d, %s", code, state(told))
	}
	for range 2 {
		if code := call("0123456789abcdef0123", id); code != http.StatusOK {
			t.Errorf("a call: %d", code)
		}
	}
	p.until("the complaint ended it", func() bool { return state(told) == "withdrawn" })
	p.never("a stranger was written to", func() bool { return len(p.letters()) > 5 })
}

// TestAfterARestore: what comes back for a message of before a restore names nothing, though its number is given again.
func TestAfterARestore(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.start()
	reader := p.follow("reader", consent.Preferences{})
	p.publish(feedtest.Article{ID: "a", Title: "Incendie"})
	p.until("the news is in the mail", func() bool { return len(p.letters()) == 1 })
	id, _, _ := strings.Cut(strings.TrimPrefix(p.letters()[0].head.Get("Message-Id"), "<"), "@")
	stream, nonce, _ := strings.Cut(id, "-")
	nonce, person, _ := strings.Cut(nonce, "-")
	number, err := strconv.ParseInt(stream, 36, 64)
	if err != nil || len(nonce) < 8 || person == "" {
		t.Fatalf("the message is called %s: %v", id, err)
	}
	ctx := t.Context()
	for name, s := range map[string]consent.Stream{"of before": {ID: number, Nonce: "zzzzzzzz"}, "without a secret": {ID: number}} {
		if _, err := p.app.Store().Bounced(ctx, s, reader, "bounce_hard", ""); err == nil {
			t.Errorf("a name %s is believed", name)
		}
		if _, err := p.app.Store().Wrote(ctx, s, reader); err == nil {
			t.Errorf("an answer to a name %s is believed", name)
		}
	}
	p.until("its own name is known, once it is written down that it was sent", func() bool {
		medium, err := p.app.Store().Wrote(ctx, consent.Stream{ID: number, Nonce: nonce}, reader)
		return err == nil && medium == consent.Email
	})
}

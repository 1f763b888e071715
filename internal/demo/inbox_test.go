package demo

import (
	"context"
	"errors"
	"html"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/visitor"
)

// mailTo waits for the first mail to an address that is as wanted.
func (s *show) mailTo(what, address string, want func(Mail) bool) Mail {
	s.t.Helper()
	var m Mail
	s.until(what, func() (ok bool) { m, ok = s.mailbox.First(address, want); return ok })
	return m
}

func asks(base string) func(Mail) bool {
	return func(m Mail) bool { return m.Path(base, "/confirm/", "") != "" }
}

func rings(m Mail) bool { return m.OneClick }

// sign fills in the form of a channel as a visitor does in a browser, through the demonstration's own address.
func (s *show) sign(channel, address string) {
	s.t.Helper()
	page := s.get("/follow/" + channel + "?lang=en")
	form, err := visitor.Fields(page)
	if err != nil || form.Get("medium") != "email" {
		s.t.Fatalf("there is no form: %v\n%s", err, page)
	}
	form.Set("address", address)
	time.Sleep(hasty) // faster ones are taken for a program's
	if resp, page := s.ask(http.MethodPost, "/follow/"+channel+"?lang=en", form); resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the form is answered with %s:\n%s", resp.Status, page)
	}
}

// playInbox follows, confirms, gets the news, leaves by one click and sees the record, as a visitor does; and a made-up
// reader does so alone.
func playInbox(t *testing.T, binary string) {
	s := start(t, binary, func(o *Options) { o.Speed = 0.1 }) // two minutes without an article of its own
	base := s.Base()
	wantIn(t, "the channel's page", s.get("/c/news?lang=en"), "/follow/news")
	if n := len(s.mailbox.Mails()); n != 0 {
		t.Errorf("%d mails came before anybody looked", n)
	}

	// A visitor takes any address; what is asked for is in the inbox, and a look at the link confirms nothing.
	const somebody = "somebody@example.invalid"
	s.sign("news", somebody)
	asked := s.mailTo("the confirmation is asked for", somebody, asks(base))
	if asked.OneClick || asked.Unsubscribe != "" {
		t.Errorf("the question can be left by one click: %+v", asked)
	}
	id := strconv.FormatInt(asked.ID, 10)
	wantIn(t, "/demo", s.get("/demo?lang=en&mail="+id), somebody, html.EscapeString(asked.Subject), `src="/demo/mail/`+id+`"`, "Nothing leaves this machine")
	s.press("leave", "id", id) // there is no such button, and so nothing happens
	if m, _ := s.mailbox.Mail(asked.ID); m.Click != nil {
		t.Errorf("a mail that offers no click was clicked: %+v", m.Click)
	}
	link := asked.Path(base, "/confirm/", "")
	resp, page := s.ask(http.MethodGet, link, nil, "Accept", "text/html")
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("a page of one person may be kept: %v", resp.Header)
	}
	s.PublishNext()
	early := s.newest("en")
	s.arrived(KindNew, "en", early.ID)
	form, err := visitor.Fields(page)
	if err != nil {
		t.Fatal(err)
	}
	form.Set("act", "confirm")
	if resp, page := s.ask(http.MethodPost, link, form); resp.StatusCode != http.StatusOK {
		t.Fatalf("the button is answered with %s:\n%s", resp.Status, page)
	}

	// The next article comes as a message, and its correction too; the one before does not.
	s.PublishNext()
	a := s.newest("en")
	s.arrived(KindNew, "en", a.ID)
	news := s.mailTo("the news is in the inbox", somebody, rings)
	if news.Subject != a.Title || !strings.Contains(news.Text, "because you have followed “In English” since") {
		t.Errorf("the message is %+v", news)
	}
	s.press("correct", "id", a.ID)
	s.mailTo("the correction is in the inbox", somebody, func(m Mail) bool { return strings.HasPrefix(m.Subject, "Correction: ") })
	s.lookAtLetter(news, a)

	// One click, by the mail's own header; a second one changes nothing.
	id = strconv.FormatInt(news.ID, 10)
	for range 2 {
		wantIn(t, "/demo", s.press("leave", "id", id, "mail", id), "left at ", "/why?lang=en")
	}
	left, _ := s.mailbox.Mail(news.ID)
	if !left.Click.Done() || left.Click.Status != http.StatusOK {
		t.Fatalf("the click became %+v", left.Click)
	}
	s.PublishNext()
	after := s.newest("en")
	s.arrived(KindNew, "en", after.ID)

	// Meanwhile the made-up reader, who began with the first look at the page, has followed too, and goes at the end.
	r := s.readers["en"]
	s.until("the made-up reader follows", func() bool { return !r.Journey().Confirmed.IsZero() })
	s.PublishNext()
	s.mailTo("the made-up reader gets the news", r.Address, rings)
	if m, came := s.mailbox.First(somebody, func(m Mail) bool { return m.Subject == after.Title || m.Subject == early.Title }); came {
		t.Errorf("the visitor got %q, which came before or after", m.Subject)
	}
	record := news.Path(base, "/me/", "/why")
	wantIn(t, "the record", s.get(record+"?lang=en"), "In English", html.EscapeString(a.Title), "ended on", "by the unsubscribe button of your mail program", "<strong>Sent</strong>")
	wantIn(t, "/demo/mail.json", s.get("/demo/mail.json"), somebody, `"one_click": true`)
	if _, came := s.mailbox.First(s.readers["fr"].Address, func(Mail) bool { return true }); came {
		t.Error("the French reader began before anybody looked at the French page")
	}
	for _, m := range s.mailbox.Mails() {
		if !strings.HasSuffix(m.To, "@example.invalid") || m.Copies != 1 {
			t.Errorf("a mail to %s came %d times", m.To, m.Copies)
		}
	}
}

// lookAtLetter holds that a mail is shown without scripts and forms, with links that stay on this machine.
func (s *show) lookAtLetter(m Mail, a Article) {
	s.t.Helper()
	resp, page := s.ask(http.MethodGet, "/demo/mail/"+strconv.FormatInt(m.ID, 10), nil)
	policy := resp.Header.Get("Content-Security-Policy")
	wantIn(s.t, "the policy of a mail", policy, "sandbox allow-popups ", "default-src 'none'", "form-action 'none'")
	if strings.Contains(policy, "allow-scripts") || strings.Contains(policy, "script-src") || strings.Contains(policy, "allow-same-origin") {
		s.t.Errorf("a mail may do too much: %s", policy)
	}
	wantIn(s.t, "a mail", page, `<base target="_blank">`, `href="/leave/`, `href="/me/`, html.EscapeString(a.Title))
	if strings.Contains(page, `href="`+s.Base()) {
		s.t.Error("the links of a mail lead to another name of this machine")
	}
	if resp, _ := s.ask(http.MethodGet, "/demo/mail/99999", nil); resp.StatusCode != http.StatusNotFound {
		s.t.Errorf("a mail that never came answers %s", resp.Status)
	}
}

// playReader watches the made-up reader go the whole way, through a power cut.
func playReader(t *testing.T, binary string) {
	s := start(t, binary, func(o *Options) { o.Speed = 4 })
	s.until("the whole front is posted", func() bool { // what is posted after the button is news
		counts, err := s.db.Load().ChannelCounts(context.Background())
		return err == nil && counts["une"].Posts+counts["news"].Posts >= s.found
	})
	wantIn(t, "/demo", s.get("/demo?lang=fr"), "Lucie Varenne suit par e-mail", "lucie.varenne@example.invalid", "Rien ne sort de cette machine")
	r := s.readers["fr"]
	s.until("the reader has confirmed", func() bool { return !r.Journey().Confirmed.IsZero() })
	s.cutPower()
	s.until("the reader has gone the whole way", func() bool { return !r.Journey().Left.IsZero() })
	j := r.Journey()
	at := j.Asked
	for _, next := range []time.Time{j.Invited, j.Confirmed, j.First, j.Left} {
		if next.Before(at) {
			t.Errorf("the reader's way goes backwards: %+v", j)
		}
		at = next
	}
	if took := j.First.Sub(j.Published); j.Published.IsZero() || took < 0 || took > patience {
		first, _ := s.mailbox.First(r.Address, rings)
		t.Errorf("the message %q came %s after the article, at %s; confirmed at %s", first.Subject, took, first.At, j.Confirmed)
	}
	theirs := func() (n int) {
		for _, m := range s.mailbox.Mails() {
			if m.To == r.Address {
				n++
			}
		}
		return n
	}
	count := theirs()
	s.until("an article comes afterwards", func() bool { return s.watch.newSince("fr", j.Left) > 0 })
	act, _ := s.watch.Last("fr")
	s.arrived(act.Kind, "fr", act.Article.ID)
	page := s.get("/demo?lang=fr")
	wantIn(t, "/demo", page, "Depuis\u00a0: ", "0 e-mail", "son dossier", "désabonnement à", html.EscapeString(j.Record))
	if n := theirs(); n != count {
		t.Errorf("%d mails came after the reader had left", n-count)
	}
	if strings.Contains(s.get("/demo?lang=en"), r.Address) {
		t.Error("the English page shows the French reader")
	}
	wantIn(t, "the record", s.get(j.Record+"?lang=fr"), "À la une")
}

func TestReadMail(t *testing.T) {
	t.Parallel()
	const whole = "From: =?utf-8?q?La_Gazette_=C3=A0_l=27heure?= <g@example.invalid>\r\nTo: <r@example.invalid>\r\nSubject: =?utf-8?q?L=27=C3=A9t=C3=A9?=\r\n" +
		"Message-ID: <a@example.invalid>\r\nList-Unsubscribe: <mailto:l@example.invalid>, <http://h/leave/x>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" +
		"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
		"=C3=89t=C3=A9 <http://h/me/y/why>\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>x</p>\r\n--b--\r\n"
	m, err := readMail([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if m.From != "La Gazette à l'heure" || m.Subject != "L'été" || !m.OneClick || m.Unsubscribe != "http://h/leave/x" || !strings.HasPrefix(m.Text, "Été") || m.HTML != "<p>x</p>" {
		t.Errorf("it reads %+v", m)
	}
	if got := m.Path("http://h", "/me/", "/why"); got != "/me/y/why" {
		t.Errorf("its record is at %q", got)
	}
	if got := m.Path("http://other", "/me/", "/why"); got != "" {
		t.Errorf("a link of another site is ours: %q", got)
	}
	for name, change := range map[string][2]string{
		"no Message-ID": {"Message-ID: <a@example.invalid>\r\n", ""},
		"no sender":     {"From: ", "X-From: "},
		"no HTML":       {"text/html", "text/plain"},
		"an attachment": {"text/html", "application/pdf"},
		"plain":         {"multipart/alternative", "text/plain"},
		"cut off":       {"--b--\r\n", ""},
	} {
		if m, err := readMail([]byte(strings.Replace(whole, change[0], change[1], 1))); err == nil {
			t.Errorf("%s is taken: %+v", name, m)
		}
	}
	for header, want := range map[string]bool{"List-Unsubscribe=One-Click": true, "": false, "List-Unsubscribe=One-click": false} {
		m, err := readMail([]byte(strings.Replace(whole, "Post: List-Unsubscribe=One-Click", "Post: "+header, 1)))
		if err != nil || m.OneClick != want {
			t.Errorf("List-Unsubscribe-Post %q: one click %v, %v", header, m.OneClick, err)
		}
	}
}

// A click goes to the demonstration's own pages alone, whoever wrote the mail.
func TestOneClickStaysHere(t *testing.T) {
	t.Parallel()
	b := newBrowser("http://127.0.0.1:9")
	defer b.Close()
	for name, m := range map[string]Mail{
		"elsewhere":        {OneClick: true, Unsubscribe: "http://127.0.0.1:99/leave/x"},
		"elsewhere, alike": {OneClick: true, Unsubscribe: "http://127.0.0.1:9@elsewhere.invalid/leave/x"},
		"another page":     {OneClick: true, Unsubscribe: "http://127.0.0.1:9/me/x"},
		"not offered":      {Unsubscribe: "http://127.0.0.1:9/leave/x"},
	} {
		if _, err := b.OneClick(context.Background(), m); !errors.Is(err, errNothingToDo) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

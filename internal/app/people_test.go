package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
)

const followed = head + `
  mail: {type: email, relay: "smtp://%RELAY%", tls: none, sender: "La Gazette <brief@gazette.example>"}
privacy: {key: "${file:people.key}", controller: "La Gazette, 1 rue Haute, Lyon"}
channels:
  alertes:
    title: Alertes
    sources: [articles]
    each: {}
    template: "**{{.Title}}**\n\n{{.Summary}}\n\n{{.URL}}"
    messages: [{destination: mail}]
    corrections: {min_gap: 0s, messages: instant}
`

// post is a newsroom whose readers get mails.
type post struct {
	*stage
	relay *emailtest.Relay
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{newStage(t), emailtest.Start(t, emailtest.Options{Pipelining: true})}
	if err := os.WriteFile(filepath.Join(p.dir, "people.key"), []byte(consent.NewKey()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.config(strings.ReplaceAll(followed, "%RELAY%", p.relay.Addr))
	return p
}

// letter is a mail as its reader sees it.
type letter struct {
	to, subject, text, html string
	head                    mail.Header
}

func (p *post) letters() (out []letter) {
	p.t.Helper()
	for _, m := range p.relay.Mails() {
		out = append(out, read(p.t, m))
	}
	return out
}

func read(t *testing.T, m emailtest.Mail) letter {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(m.Data))
	if err != nil {
		t.Fatalf("%v\n%s", err, m.Data)
	}
	l := letter{to: m.To, head: msg.Header}
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return l
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, m.Data)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			l.html = string(text)
		} else {
			l.text = string(text)
		}
	}
}

// send posts a form to a page.
func (p *post) send(path string, form url.Values) (int, string) {
	p.t.Helper()
	resp, err := http.PostForm("http://"+p.app.Addr()+path, form)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

var linkOf = regexp.MustCompile(`https://gazette\.example(/(?:confirm|leave|me)/[a-z0-9.-]+)`)

// TestAReaderFollowsAndLeaves goes the whole way over real SMTP and the pages: a form, the mail, the button, news, a
// correction, the way out by one click, and the reader's record.
func TestAReaderFollowsAndLeaves(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.start()
	p.publish(feedtest.Article{ID: "old", Title: "Avant", Summary: "Personne ne suit encore."})
	p.until("the old article is shown", func() bool { return len(p.posts()) == 1 })
	code, page := p.page("/follow/alertes")
	if code != http.StatusOK || !strings.Contains(page, `name="address"`) {
		t.Fatalf("the form answers %d:\n%s", code, page)
	}
	form := formOf(t, page)
	form.Set("address", "lectrice@example.invalid")
	time.Sleep(formPause)
	if code, page = p.send("/follow/alertes", form); code != http.StatusOK {
		t.Fatalf("the form was answered with %d:\n%s", code, page)
	}
	p.until("the confirmation is asked for", func() bool { return len(p.letters()) == 1 })
	asked := p.letters()[0]
	if asked.to != "lectrice@example.invalid" || asked.head.Get("List-Unsubscribe") != "" || !strings.Contains(asked.text, "48\u00a0heures") {
		t.Errorf("it is asked like this: %+v", asked)
	}
	confirm := linkOf.FindStringSubmatch(asked.text)
	if confirm == nil {
		t.Fatalf("there is no link in %q", asked.text)
	}
	if code, page = p.page(confirm[1]); code != http.StatusOK { // as a scanner does
		t.Fatalf("the link answers %d:\n%s", code, page)
	}
	if code, page = p.send(confirm[1], url.Values{"act": {"confirm"}}); code != http.StatusOK {
		t.Fatalf("the button answers %d:\n%s", code, page)
	}
	time.Sleep(20 * time.Millisecond)
	p.publish(feedtest.Article{ID: "a", Title: "Incendie à la gare", Summary: "Les pompiers <b>sont</b> là."})
	p.until("the news is in the mail", func() bool { return len(p.letters()) == 2 })
	news := p.letters()[1]
	if news.subject != "Incendie à la gare" || !strings.Contains(news.text, "parce que vous suivez «\u00a0Alertes\u00a0» depuis le") || !strings.Contains(news.html, "Incendie") {
		t.Errorf("it reads %+v", news)
	}
	if news.head.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
		t.Errorf("it cannot be left by one click: %v", news.head)
	}
	p.publish(feedtest.Article{ID: "a", Title: "Incendie maîtrisé", Summary: "Les pompiers sont là.", Correction: "Le feu est éteint."})
	p.until("the correction is in the mail", func() bool { return len(p.letters()) == 3 })
	if c := p.letters()[2]; !strings.Contains(c.subject, "Rectificatif") || !strings.Contains(c.text, "Le feu est éteint.") {
		t.Errorf("the correction reads %+v", c)
	}
	leave := linkOf.FindStringSubmatch(news.head.Get("List-Unsubscribe"))
	if leave == nil {
		t.Fatalf("there is no link in %q", news.head.Get("List-Unsubscribe"))
	}
	for range 2 { // repeats succeed
		if code, page = p.send(leave[1], url.Values{"List-Unsubscribe": {"One-Click"}}); code != http.StatusOK {
			t.Fatalf("the one click is answered with %d:\n%s", code, page)
		}
	}
	p.publish(feedtest.Article{ID: "b", Title: "Après"})
	p.until("the next article is shown", func() bool { return len(p.posts()) == 3 })
	p.never("who has left was written to", func() bool { return len(p.letters()) > 3 })
	var own string
	for _, m := range linkOf.FindAllStringSubmatch(news.text, -1) {
		if strings.HasPrefix(m[1], "/me/") {
			own = m[1]
		}
	}
	if code, page = p.page(own + "/why"); code != http.StatusOK || !strings.Contains(page, "Alertes") {
		t.Errorf("their record answers %d:\n%s", code, page)
	}
	if faults := p.relay.Faults(); len(faults) > 0 {
		t.Errorf("the relay complains: %v", faults)
	}
}

var inputs = regexp.MustCompile(`<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"`)

// formOf gives the fields of the first form of a page as they stand there.
func formOf(t *testing.T, page string) url.Values {
	t.Helper()
	form := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		form.Add(m[1], strings.ReplaceAll(m[2], "&amp;", "&"))
	}
	return form
}

// formPause is longer than the least time in which a person fills in the form.
const formPause = 3 * time.Second

// TestStartWithoutTheKey holds that a daemon refuses to run without the key that sealed its people.
func TestStartWithoutTheKey(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	a := p.start()
	if _, err := a.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: "r@example.invalid"},
		Purposes: []consent.Purpose{{Kind: consent.Channel, Name: "alertes"}}, Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	p.stop(a)
	if err := os.WriteFile(filepath.Join(p.dir, "people.key"), []byte(consent.NewKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := New(a.o)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Start(context.Background())
	if err == nil || !strings.Contains(err.Error(), "which is not configured") || !strings.Contains(err.Error(), "privacy.previous_keys") {
		t.Errorf("it starts, or says %v", err)
	}
	p.app = a
}

// TestAReaderFollowsByBot goes the whole way by a bot: a link, the button, news, STOP, and a press after it; and what a person
// of the newsroom may do there.
func TestAReaderFollowsByBot(t *testing.T) {
	t.Parallel()
	const reader, editor = 7_000_001, 7_000_002
	p := newPost(t)
	people := []telegramtest.Chat{{ID: reader, Type: "private", Lang: "fr"}, {ID: editor, Type: "private", Lang: "en"}}
	p.telegram = telegramtest.New(telegramtest.Options{Token: testToken, Bot: "gazette_bot", Chats: append(people, telegramtest.Chat{ID: testChat, Type: "channel", Title: "Gazette",
		Username: "gazette", Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}})})
	server := httptest.NewServer(p.telegram)
	t.Cleanup(server.Close)
	p.urls["telegram"] = server.URL
	p.config(strings.Replace(strings.ReplaceAll(followed, "%RELAY%", p.relay.Addr), "messages: [{destination: mail}]", "messages: [{destination: telegram}]", 1) + `
staff:
  anna: {medium: telegram, handle: "7000002", may: [create]}
`)
	p.start()
	said := func(chat int64) []telegramtest.Message { return p.telegram.Messages(chat) }
	press := func(chat int64, part string) {
		t.Helper()
		for _, m := range slices.Backward(said(chat)) {
			for _, row := range m.Buttons {
				for _, b := range row {
					if strings.Contains(b.Text, part) && b.Data != "" {
						if _, err := p.telegram.Press(chat, m.ID, b.Data); err != nil {
							t.Fatal(err)
						}
						return
					}
				}
			}
		}
		t.Fatalf("no button says %q: %+v", part, said(chat))
	}
	p.until("the page has the bot's link", func() bool {
		_, page := p.page("/c/alertes")
		return strings.Contains(page, "https://t.me/gazette_bot?start=")
	})
	_, page := p.page("/c/alertes")
	payload := regexp.MustCompile(`t\.me/gazette_bot\?start=([A-Za-z0-9_-]+)`).FindStringSubmatch(page)[1]
	if err := p.telegram.Say(reader, "/start "+payload); err != nil {
		t.Fatal(err)
	}
	p.until("the bot asks", func() bool { return len(said(reader)) == 1 })
	p.publish(feedtest.Article{ID: "early", Title: "Trop tôt"})
	p.until("it is shown", func() bool { return len(p.posts()) == 1 })
	press(reader, "Suivre")
	p.until("the bot confirms", func() bool { return len(said(reader)) == 2 })
	time.Sleep(20 * time.Millisecond)
	p.publish(feedtest.Article{ID: "a", Title: "Incendie à la gare", Summary: "Les pompiers sont là."})
	p.until("the news is there", func() bool { return len(said(reader)) == 3 })
	if m := said(reader)[2]; !strings.Contains(m.Text, "Incendie à la gare") || !strings.Contains(m.Text, "parce que vous suivez") {
		t.Errorf("it reads %q", m.Text)
	}
	if err := p.telegram.Say(reader, "Arrêt !"); err != nil {
		t.Fatal(err)
	}
	p.until("the bot acknowledges", func() bool { return len(said(reader)) == 4 })
	p.publish(feedtest.Article{ID: "b", Title: "Après"})
	p.until("it is shown", func() bool { return len(p.posts()) == 3 })
	p.never("who has left was written to", func() bool { return len(said(reader)) > 4 })

	if err := p.telegram.Say(editor, "/post alertes De la rédaction"); err != nil {
		t.Fatal(err)
	}
	p.until("the bot asks the editor", func() bool { return len(said(editor)) == 1 })
	if len(p.posts()) != 3 {
		t.Error("it was posted without a confirmation")
	}
	press(editor, "Publish")
	p.until("it is posted", func() bool { return len(p.posts()) == 4 })
	if err := p.telegram.Say(reader, "/post alertes Je ne suis pas de la maison"); err != nil {
		t.Fatal(err)
	}
	p.never("somebody else posted", func() bool { return len(p.posts()) > 4 })
}

// TestNotices holds that a notice reaches who asked for it, that a newer one takes the place of one that waits, that the same
// again is no news, and that the same text to many is held.
func TestNotices(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.config(strings.ReplaceAll(followed, "%RELAY%", p.relay.Addr) + `
notices:
  parcels: {title: Colis, destinations: [mail]}
bulk_guard: {same_body: 3}
`)
	a := p.start()
	ctx := context.Background()
	parcels := consent.Purpose{Kind: consent.Notice, Name: "parcels"}
	for i := range 6 {
		r, err := a.people.Follow(ctx, consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: fmt.Sprintf("client%d@example.invalid", i)}, Purposes: []consent.Purpose{parcels},
			Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.people.SetReference(ctx, r.ID, fmt.Sprintf("c-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	notify := func(who, key, text, digest string, slots map[string]string) string {
		t.Helper()
		outcome, err := a.people.Notify(ctx, consent.Notify{Purpose: parcels, Reference: who, Key: key, Digest: digest, Expires: time.Now().Add(time.Hour),
			Text: consent.NoticeText{Title: "Votre colis", Text: text, Slots: slots}})
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	if got := notify("stranger", "o-1", "Il arrive.", "d0", nil); got != consent.NoticeNobody {
		t.Errorf("a stranger's notice is %s", got)
	}
	if got := notify("c-0", "o-1", "{{who}}, il arrive {{day}}.", "d1", map[string]string{"who": "Ana\r\nBcc: x@example.invalid", "day": "<b>mardi</b>"}); got != consent.NoticeQueued {
		t.Errorf("the notice is %s", got)
	}
	p.until("the notice is in the mail", func() bool { return len(p.letters()) == 1 })
	if l := p.letters()[0]; l.subject != "Votre colis" || !strings.Contains(l.text, "il arrive <b>mardi</b>.") || !strings.Contains(l.html, "&lt;b&gt;mardi&lt;/b&gt;") || l.head.Get("Bcc") != "" ||
		!strings.Contains(l.text, "parce que vous suivez «\u00a0Colis\u00a0»") {
		t.Errorf("it reads %+v", l)
	}
	if got := notify("c-0", "o-1", "{{who}}, il arrive {{day}}.", "d1", map[string]string{"who": "Ana\r\nBcc: x@example.invalid", "day": "<b>mardi</b>"}); got != consent.NoticeKnown {
		t.Errorf("the same again is %s", got)
	}
	for i := range 6 { // the same text to everybody
		notify(fmt.Sprintf("c-%d", i), "promo", "Soldes !", "d2", nil)
	}
	p.until("the guard has raised the alarm", func() bool {
		alerts, err := a.Store().Alerts(ctx)
		return err == nil && slices.ContainsFunc(alerts, func(r alert.Row) bool { return r.Code == alert.MessagesHeld })
	})
	p.until("the others are held", func() bool {
		held, err := a.Store().HeldMessages(ctx)
		return err == nil && len(held)+len(p.letters())-1 == 6
	})
	if n := len(p.letters()) - 1; n > 3 {
		t.Errorf("%d people got the same text", n)
	}
	if _, err := a.Store().FinishStreams(ctx, time.Now()); err != nil { // what is held is not done
		t.Fatal(err)
	}
	if held, err := a.Store().HeldMessages(ctx); err != nil || len(held) < 3 {
		t.Errorf("%d are held, %v", len(held), err)
	}
	if _, err := a.Store().ReleaseNotices(ctx, "d2", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	p.until("what was released is in the mail", func() bool { return len(p.letters()) == 7 })
}

// TestAPlatformCalls holds that what a platform brings by webhook is taken once, from the platform alone.
func TestAPlatformCalls(t *testing.T) {
	t.Parallel()
	const reader, secret = 7_000_001, "abcdefghijklmnop-1234"
	p := newPost(t)
	p.telegram = telegramtest.New(telegramtest.Options{Token: testToken, Bot: "gazette_bot", Chats: []telegramtest.Chat{{ID: reader, Type: "private", Lang: "en", Bot: telegramtest.Member{Status: "member"}}}})
	server := httptest.NewServer(p.telegram)
	t.Cleanup(server.Close)
	p.urls["telegram"] = server.URL
	p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, "messages: [{destination: mail}]", "messages: [{destination: telegram}]",
		"rates: off, ", `rates: off, webhook: "https://gazette.example/hooks/telegram", webhook_secret: `+secret+", ").Replace(followed))
	p.start()
	call := func(path, secret, body string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+p.app.Addr()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	update := fmt.Sprintf(`{"update_id":71,"message":{"message_id":1,"date":%d,"chat":{"id":%d,"type":"private"},"from":{"id":%[2]d,"is_bot":false,"first_name":"R","language_code":"en"},"text":"/help"}}`, time.Now().Unix(), reader)
	for what, c := range map[string]struct {
		path, secret, body string
		want               int
	}{"a stranger": {"/hooks/telegram", "abcdefghijklmnop-1235", update, 401}, "nothing": {"/hooks/telegram", secret, "{", 400}, "nobody": {"/hooks/nobody", secret, update, 404},
		"what does not listen": {"/hooks/hook", secret, update, 404}} {
		if got := call(c.path, c.secret, c.body); got != c.want {
			t.Errorf("%s is answered with %d, want %d", what, got, c.want)
		}
	}
	for range 3 { // it repeats what it is not sure of
		if got := call("/hooks/telegram", secret, update); got != 200 {
			t.Fatalf("the call is answered with %d", got)
		}
	}
	p.until("the bot answers", func() bool { return len(p.telegram.Messages(reader)) == 1 })
	p.never("it answers again", func() bool { return len(p.telegram.Messages(reader)) > 1 })
}

// TestANewKey holds that a new master key takes the place of an earlier one while the daemon works, after which the earlier
// one is needed no more.
func TestANewKey(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	a := p.start()
	ctx := context.Background()
	if _, err := a.people.Follow(ctx, consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: "r@example.invalid"},
		Purposes: []consent.Purpose{{Kind: consent.Channel, Name: "alertes"}}, Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	p.stop(a)
	if err := os.WriteFile(filepath.Join(p.dir, "new.key"), []byte(consent.NewKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(followed, "%RELAY%", p.relay.Addr)
	p.config(strings.Replace(text, `key: "${file:people.key}"`, `key: "${file:new.key}", previous_keys: ["${file:people.key}"]`, 1))
	b := p.start()
	p.until("the keys are sealed anew", func() bool {
		used, err := b.Store().Masters(ctx)
		return err == nil && len(used) == 1 && used[0] != keyID(t, filepath.Join(p.dir, "people.key"))
	})
	p.stop(b)
	p.config(strings.Replace(text, "people.key", "new.key", 1))
	p.start()
	time.Sleep(20 * time.Millisecond)
	p.publish(feedtest.Article{ID: "a", Title: "Après"})
	p.until("the news is in the mail", func() bool { return len(p.letters()) == 1 })
}

func keyID(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := consent.ParseKey(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return m.ID()
}

// TestMessagesBeginWithTheConfiguration: once a configuration is in force, nothing that a channel posts is too early for its
// followers, however late the next look for posts comes.
func TestMessagesBeginWithTheConfiguration(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.start()
	p.config(strings.ReplaceAll(followed, "%RELAY%", p.relay.Addr) + `  neuf: {title: Neuf, sources: [articles], each: {}, messages: [{destination: mail}]}
`)
	if r := p.app.Reload(t.Context()); r.Err != nil {
		t.Fatal(r.Err)
	}
	after := time.Now()
	text, err := p.app.Store().Mark(t.Context(), sinceMark+"neuf/mail")
	if at, wrong := time.Parse(time.RFC3339Nano, text); err != nil || wrong != nil || at.After(after) {
		t.Errorf("it writes to people since %q (%v, %v), in force since %s", text, err, wrong, after)
	}
}

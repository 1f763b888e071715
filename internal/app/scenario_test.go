package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/connectors/email"
	httpconn "github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/plugins/calendar"
	"github.com/belfry-news/belfry/plugins/rss"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/plugins/webhook"
	"github.com/belfry-news/belfry/sdk"
)

const (
	testToken  = "123456:scenario-token"
	testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	testChat   = -1001000000001
)

// waiting is how long a test waits for what has to come: a slow machine is no failure.
const waiting = 3 * time.Minute

// stage is a daemon in this process with a newsroom before it and fakes behind it.
type stage struct {
	t        *testing.T
	dir      string
	newsroom *feedtest.Newsroom
	site     *feedtest.Site
	siteURL  string
	telegram *telegramtest.Server
	hook     *receivertest.Standard
	urls     map[string]string
	app      *App
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), site: feedtest.New(), urls: map[string]string{}}
	s.telegram = telegramtest.New(telegramtest.Options{Token: testToken, Bot: "gazette_bot", Chats: []telegramtest.Chat{{ID: testChat, Type: "channel", Title: "Gazette",
		Username: "gazette", Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}}}})
	var err error
	if s.hook, err = receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{testSecret}}); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]http.Handler{"site": s.site, "telegram": s.telegram, "hook": s.hook} {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		s.urls[name] = server.URL
	}
	s.siteURL = s.urls["site"]
	s.newsroom = &feedtest.Newsroom{Channel: feedtest.Channel{Title: "La Gazette", Link: s.siteURL, Lang: "fr"}}
	s.show()
	return s
}

// show serves the newsroom's present state as Atom, which has tombstones.
func (s *stage) show() { s.site.Feed("/feed", s.newsroom.Atom()) }

func (s *stage) publish(a feedtest.Article) {
	if a.Link == "" {
		a.Link = s.siteURL + "/" + a.ID
	}
	if a.Published.IsZero() {
		a.Published = time.Now().Add(-time.Minute)
	}
	s.newsroom.Publish(a)
	s.show()
}

// config writes the configuration: %SITE% and its kin stand for addresses.
func (s *stage) config(text string) {
	s.t.Helper()
	r := strings.NewReplacer("%SITE%", s.urls["site"], "%TELEGRAM%", s.urls["telegram"], "%HOOK%", s.urls["hook"], "%TOKEN%", testToken, "%SECRET%", testSecret)
	if err := os.WriteFile(filepath.Join(s.dir, "belfry.yaml"), []byte(r.Replace(text)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// base is what every stage's configuration begins with.
const base = `
timezone: Europe/Paris
site: {title: La Gazette, url: "https://gazette.example", lang: fr}
listen: 127.0.0.1:0
data_dir: data
alerts: none`

const head = base + `
sources:
  articles: {type: rss, url: "%SITE%/feed", poll: 1s, baseline: all, isolation: none, allow_private: [127.0.0.0/8]}
media: {allow_private: [127.0.0.0/8]}
destinations:
  telegram: {type: telegram, token: "%TOKEN%", api: "%TELEGRAM%", rates: off, allow_private: [127.0.0.0/8]}
  hook: {type: http, url: "%HOOK%/in", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
`

const plain = head + `
channels:
  alertes:
    title: Alertes
    sources: [articles]
    each: {}
    template: "**{{.Title}}**\n\n{{.Summary}}\n\n{{.URL}}"
    publish_to: [{destination: telegram, chat: "@gazette", media: 10}, {destination: hook}]
    corrections: {min_gap: 0s}
`

// toHook is a channel of articles with the receiver as its only destination.
const toHook = `
destinations:
  hook: {type: http, url: "%HOOK%/in", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
channels:
  alertes:
    title: Alertes
    sources: [articles]
    each: {}
    template: "{{.Title}}"
    publish_to: [{destination: hook}]
    corrections: {min_gap: 0s}
`

// specs are the built-in types, and one that cannot be opened.
func specs() []*sdk.Spec {
	strange := sdk.Define("strange", "a source that cannot be opened", struct{}{}, func(context.Context, sdk.Settings, struct{}) (sdk.Source, error) {
		return nil, errors.New("it is not to be opened")
	})
	return []*sdk.Spec{httpconn.Spec(), telegram.Spec(), email.Spec(), rss.Spec(), calendar.Spec(), webhook.Spec(), strange}
}

// start starts a daemon; it is stopped with the test.
func (s *stage) start() *App {
	s.t.Helper()
	log := io.Discard
	if testing.Verbose() {
		log = os.Stderr
	}
	sqlitetest.Place(s.t, filepath.Join(s.dir, "data", sqlite.FileName))
	a, err := New(Options{Config: configs.Options{Path: filepath.Join(s.dir, "belfry.yaml"), Specs: specs(), Trusted: TrustedTypes}, Log: slog.New(slog.NewTextHandler(log, nil)), Version: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := a.Start(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.app = a
	s.t.Cleanup(func() { s.stop(a) })
	return a
}

func (s *stage) stop(a *App) {
	ctx, cancel := context.WithTimeout(context.Background(), waiting)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		s.t.Errorf("stop: %v", err)
	}
}

// until waits for something to become true.
func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(waiting); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	s.t.Fatalf("it never came true that %s\n%s", what, s.state())
}

// never watches that something stays false for a while.
func (s *stage) never(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(2500 * time.Millisecond); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ok() {
			s.t.Fatalf("%s\n%s", what, s.state())
		}
	}
}

func (s *stage) deliveries(f store.DeliveryFilter) []store.Delivery {
	s.t.Helper()
	list, err := s.app.Store().Deliveries(context.Background(), f)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// state describes what is there, for failures.
func (s *stage) state() string {
	var b strings.Builder
	for _, d := range s.deliveries(store.DeliveryFilter{}) {
		fmt.Fprintf(&b, "delivery %d %s %s rev %d to %s: %s %s %s\n", d.ID, d.Title, d.Op, d.Revision, d.Destination, d.State, d.Reason, d.Error)
	}
	alerts, _ := s.app.Store().Alerts(context.Background())
	for _, a := range alerts {
		fmt.Fprintln(&b, "alert", a.Code, a.Sentence)
	}
	fmt.Fprintln(&b, "telegram:", s.messages())
	return b.String()
}

// messages are the texts that the Telegram channel shows.
func (s *stage) messages() []string {
	var out []string
	for _, m := range s.telegram.Messages(testChat) {
		out = append(out, m.Text)
	}
	return out
}

func (s *stage) page(path string) (int, string) {
	s.t.Helper()
	resp, err := http.Get("http://" + s.app.Addr() + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (s *stage) posts() []store.Post {
	s.t.Helper()
	list, err := s.app.Store().Posts(context.Background(), "", false, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func (s *stage) idle() bool {
	for _, state := range []string{"pending", "started", "unknown"} {
		if len(s.deliveries(store.DeliveryFilter{State: state})) > 0 {
			return false
		}
	}
	return true
}

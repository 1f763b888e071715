package demo

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
)

// The chats of the demonstration's Telegram, as the configuration names them. They have no public name, so that nothing
// leads to a stranger's channel.
const (
	chatFirst  = -1001000000001
	chatSecond = -1001000000002
	chatAlerts = -1001000000003
)

// The paths of the receivers on the inner address.
const (
	telegramPath = "/telegram"
	webhookPath  = "/hooks/newsdesk"
)

// receivers stand for Telegram and for a webhook receiver. Each writes into its journal, and syncs it, before it answers:
// what is not in there did not happen.
type receivers struct {
	telegram *telegramtest.Server
	webhook  *receivertest.Standard
	token    string
	secret   string
	journals []*os.File
	// changed is told that something came.
	changed func()

	mu     sync.Mutex
	calls  int // accepted ones, of both
	events []Event
	names  map[int64]string // of chats that were renamed
}

// Event is a call that the webhook receiver accepted.
type Event struct {
	receivertest.Event
	// Post as the receiver has it now; nil when it has none.
	Post *receivertest.Post
}

// keptEvents bounds what the page can show.
const keptEvents = 60

// openReceivers makes the receivers; their journals are files that begin with a prefix.
func openReceivers(prefix string, titles map[int64]string, changed func()) (*receivers, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	r := &receivers{token: "123456:demonstration", secret: "whsec_" + base64.StdEncoding.EncodeToString(key), changed: changed}
	var chats []telegramtest.Chat
	for _, id := range []int64{chatFirst, chatSecond, chatAlerts} {
		chats = append(chats, telegramtest.Chat{ID: id, Type: "channel", Title: titles[id],
			Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}})
	}
	telegramJournal, err := r.journal(prefix + "telegram.journal")
	if err != nil {
		return nil, err
	}
	webhookJournal, err := r.journal(prefix + "webhook.journal")
	if err != nil {
		r.close()
		return nil, err
	}
	r.telegram = telegramtest.New(telegramtest.Options{Token: r.token, BotID: 123456, Bot: "belfry_demo_bot", Chats: chats, Accept: func(e telegramtest.Effect) error {
		if err := telegramJournal(e); err != nil {
			return err
		}
		r.came(nil)
		return nil
	}})
	r.webhook, err = receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{r.secret}, Accept: func(e receivertest.Event) error {
		if err := webhookJournal(e); err != nil {
			return err
		}
		r.came(&e)
		return nil
	}})
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// journal opens a journal and gives the function that writes a line to it.
func (r *receivers) journal(path string) (func(any) error, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("a receiver's journal cannot be written: %w", err)
	}
	r.journals = append(r.journals, f)
	return func(v any) error {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if _, err := f.Write(append(line, '\n')); err != nil {
			return err
		}
		return f.Sync()
	}, nil
}

func (r *receivers) close() {
	for _, f := range r.journals {
		_ = f.Close()
	}
}

func (r *receivers) came(e *receivertest.Event) {
	r.mu.Lock()
	r.calls++
	if e != nil {
		r.events = append(r.events, Event{Event: *e})
		if extra := len(r.events) - keptEvents; extra > 0 {
			r.events = slices.Delete(r.events, 0, extra)
		}
	}
	r.mu.Unlock()
	r.changed()
}

// Calls counts the accepted calls of both receivers.
func (r *receivers) Calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// Events lists the webhook receiver's latest calls, the newest first, with the posts as they are there now.
func (r *receivers) Events(most int, want func(receivertest.Post) bool) []Event {
	posts := map[string]receivertest.Post{}
	for _, p := range r.webhook.State().Posts {
		posts[p.ID] = p
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Event
	for _, e := range slices.Backward(r.events) {
		if p, ok := posts[e.Event.Post]; ok && want(p) && len(out) < most {
			e.Post = &p
			out = append(out, e)
		}
	}
	return out
}

// serve adds the receivers to the inner address.
func (r *receivers) serve(mux *http.ServeMux) {
	mux.Handle(telegramPath+"/", http.StripPrefix(telegramPath, r.telegram))
	mux.Handle(webhookPath, r.webhook)
}

// Messages lists the messages of a chat that are there, in the order they came.
func (r *receivers) Messages(chat int64) []telegramtest.Message { return r.telegram.Messages(chat) }

// titles are the names of the chats, by what the configuration calls them.
func (r *receivers) titles() map[string]string {
	chats := r.telegram.State().Chats // not under the lock, which it waits for when something comes
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]string{}
	for _, c := range chats {
		name := c.Title
		if later, renamed := r.names[c.ID]; renamed {
			name = later
		}
		out[strconv.FormatInt(c.ID, 10)] = name
	}
	return out
}

// Rename gives a chat another name, as its administrator does.
func (r *receivers) Rename(chat int64, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil {
		r.names = map[int64]string{}
	}
	r.names[chat] = name
}

// shown is what a receiver has of an article.
type shown struct {
	At, Edited, Gone time.Time
	// Times counts how often it was posted, and Standing how many of these copies are still there.
	Times, Standing int
}

// holdings is everything that the receivers had at one moment.
type holdings struct {
	chats map[int64][]telegramtest.Message
	posts []receivertest.Post
}

// Holdings looks at both receivers.
func (r *receivers) Holdings() holdings {
	h := holdings{chats: map[int64][]telegramtest.Message{}, posts: r.webhook.State().Posts}
	for _, c := range r.telegram.State().Chats {
		h.chats[c.ID] = c.Messages
	}
	return h
}

// atTelegram finds the messages about an article in a chat by its address.
func (h holdings) atTelegram(chat int64, link string) shown {
	out := shown{}
	for _, m := range h.chats[chat] {
		if strings.Contains(m.Raw, html.EscapeString(link)+`"`) {
			out = shown{m.Date, m.Edited, m.Deleted, out.Times + 1, out.Standing}
			if m.Deleted.IsZero() {
				out.Standing++
			}
		}
	}
	return out
}

// atWebhook finds the post of an article by its address.
func (h holdings) atWebhook(link string) shown {
	out := shown{}
	for _, p := range h.posts {
		if p.URL == link {
			out = shown{p.Received, p.Edited, p.Withdrawn, out.Times + p.Times, out.Standing}
			if p.Withdrawn.IsZero() {
				out.Standing++
			}
		}
	}
	return out
}

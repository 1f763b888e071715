// Package telegramtest is a strict Bot API server without Telegram behind it: it refuses what Telegram refuses, with
// Telegram's own descriptions, and fails on a script. It follows Bot API 10.1, not the connector.
//
// A Server is an http.Handler without package state, for tests, for a demonstration that draws its chats, and for a
// harness that kills its client. It is stricter than Telegram in one point: parameters and files that a method does not
// know are refused, so that a misspelt one is found.
package telegramtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// Options say how a Server begins.
type Options struct {
	// Token is the only token that is accepted, such as "123456:test-token".
	Token string
	// BotID and Bot are the bot's number and its user name without "@".
	BotID int64
	Bot   string
	Chats []Chat
	// Now is the server's clock; nil means time.Now.
	Now func() time.Time
	// Accept is told each effect before anybody can see it or its answer, one at a time. When it errs, the effect does
	// not happen and the caller gets a 500. It must not call the Server.
	Accept func(Effect) error
	// Rates makes the server answer 429 beyond 20 sends or 20 edits a minute in a group or channel, 4 sends in 3 seconds to a
	// person, and 30 calls a second in all.
	Rates bool
}

// Chat is a chat as the bot finds it.
type Chat struct {
	ID    int64
	Type  string // channel, supergroup, group, private
	Title string
	// Username without "@"; empty for a chat without a public name.
	Username string
	Bot      Member
	// AdminsOnly says that plain members may not write.
	AdminsOnly bool
	// MigratedTo is the supergroup that this group became.
	MigratedTo int64
	// Closed says that the group was deleted (groups), or that the person is deactivated (private chats).
	Closed bool
	// Lang is the language of a person's program (private chats), such as "fr".
	Lang string
}

// Member is what the bot is in a chat, and which rights it has as an administrator.
type Member struct {
	// Status is administrator, member, restricted, left or kicked. In a private chat: member when the person pressed
	// Start, kicked when they blocked the bot.
	Status                                string
	PostMessages, EditMessages, DeleteAny bool
}

// Effect is one accepted change, for a journal.
type Effect struct {
	Method string `json:"method"`
	Chat   int64  `json:"chat"`
	// Messages came, changed or went.
	Messages []int64 `json:"messages"`
	// Text is the visible text of the first of them.
	Text string `json:"text,omitempty"`
	// Photos are the hex SHA-256 of the pictures shown.
	Photos []string  `json:"photos,omitempty"`
	At     time.Time `json:"at"`
}

// Server is the fake. It may be used from several goroutines.
type Server struct {
	// Faults are what goes wrong next; see On.
	Faults fault.Script

	options Options
	inner   http.Handler

	mu    sync.Mutex
	chats map[int64]*chat
	order []int64
	files map[string]*file // by file_id
	album int64
	calls []string
	sends map[int64][]time.Time
	edits map[int64][]time.Time
	all   []time.Time

	updates    []update
	lastUpdate int64
	allowed    []string // kinds of updates; none means the usual ones
	arrived    chan struct{}
	polling    chan struct{}
	poll       int64 // counts the getUpdates
	webhook    webhook
	queries    int64
	open       map[string]bool // presses of buttons, true while they wait for an answer
	commands   map[string][]Command
}

// New makes a Server. The clock, the bot and the token have defaults.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Token == "" {
		o.Token = "123456:test-token"
	}
	if o.Bot == "" {
		o.BotID, o.Bot = 123456, "test_bot"
	}
	s := &Server{options: o, chats: map[int64]*chat{}, files: map[string]*file{},
		sends: map[int64][]time.Time{}, edits: map[int64][]time.Time{}, lastUpdate: 870_000_000,
		arrived: make(chan struct{}), polling: make(chan struct{}), open: map[string]bool{}, commands: map[string][]Command{}}
	for _, c := range o.Chats {
		s.SetChat(c)
	}
	s.inner = s.Faults.Wrap(http.HandlerFunc(s.serve))
	return s
}

// On makes a fault's condition: the call is one of these methods.
func On(methods ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		method := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		for _, m := range methods {
			if strings.EqualFold(m, method) {
				return true
			}
		}
		return false
	}
}

// Refusal is a fault in Telegram's own form. retryAfter, in seconds, and migrateTo stand in its parameters unless 0.
func Refusal(code int, description string, retryAfter int, migrateTo int64) fault.Fault {
	e := &refusal{code: code, description: description, retryAfter: retryAfter, migrateTo: migrateTo}
	return fault.Fault{Status: code, Header: e.header(), Body: string(e.json())}
}

// SetChat adds a chat, or changes what it is without touching its messages.
func (s *Server) SetChat(c Chat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.chats[c.ID]
	if !ok {
		known = &chat{}
		s.chats[c.ID] = known
		s.order = append(s.order, c.ID)
	}
	known.Chat = c
}

// ForgetFiles makes every file_id given out so far unknown.
func (s *Server) ForgetFiles() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.files {
		if !strings.HasPrefix(id, servedPrefix) {
			delete(s.files, id)
		}
	}
}

// Remove makes a message vanish as if an administrator had deleted it by hand.
func (s *Server) Remove(chatID, messageID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.chats[chatID]; c != nil {
		if m := c.find(messageID); m != nil {
			m.Deleted = s.options.Now().UTC()
		}
	}
}

// Calls lists the methods that reached the server, in order.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// ServeHTTP answers /bot<token>/<method> as the Bot API does, and /photo/<name> with the bytes of a picture.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/photo/"); ok {
		s.servePhoto(w, r, name)
		return
	}
	s.inner.ServeHTTP(w, r)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	result, err := s.answer(r)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		maps.Copy(w.Header(), err.header())
		w.WriteHeader(err.code)
		_, _ = w.Write(err.json())
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": result})
}

func (s *Server) answer(r *http.Request) (any, *refusal) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/bot")
	token, method, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || !strings.Contains(token, ":") {
		return nil, refuse(404, "Not Found")
	}
	if token != s.options.Token {
		return nil, refuse(401, "Unauthorized")
	}
	if r.Method != http.MethodPost {
		return nil, refuse(404, "Not Found: this fake takes POST only")
	}
	m, ok := methods[strings.ToLower(method)]
	if !ok {
		return nil, refuse(404, "Not Found: method not found")
	}
	p, bad := readParameters(r, m.knows)
	if bad != nil {
		return nil, bad
	}
	s.mu.Lock()
	s.calls = append(s.calls, m.name)
	bad = s.tooMany()
	if bad == nil && m.do == nil {
		s.mu.Unlock()
		return s.getUpdates(r.Context(), p) // which waits, and must not hold up the others
	}
	defer s.mu.Unlock()
	if bad != nil {
		return nil, bad
	}
	return m.do(s, p)
}

// refusal is a "no" in Telegram's form.
type refusal struct {
	code        int
	description string
	retryAfter  int
	migrateTo   int64
}

func refuse(code int, format string, args ...any) *refusal {
	return &refusal{code: code, description: fmt.Sprintf(format, args...)}
}

func (e *refusal) json() []byte {
	out := map[string]any{"ok": false, "error_code": e.code, "description": e.description}
	parameters := map[string]any{}
	if e.retryAfter > 0 {
		parameters["retry_after"] = e.retryAfter
	}
	if e.migrateTo != 0 {
		parameters["migrate_to_chat_id"] = e.migrateTo
	}
	if len(parameters) > 0 {
		out["parameters"] = parameters
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return b
}

func (e *refusal) header() http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	return h
}

// tooMany keeps to 30 calls a second over all chats.
func (s *Server) tooMany() *refusal {
	if !s.options.Rates {
		return nil
	}
	var bad *refusal
	s.all, bad = within(s.all, s.options.Now(), time.Second, 30)
	return bad
}

// tooManyIn keeps to 20 calls a minute in one group or channel, and to one a second to a person, with a short burst.
func (s *Server) tooManyIn(seen map[int64][]time.Time, chatID int64) *refusal {
	if !s.options.Rates {
		return nil
	}
	window, n := time.Minute, 20
	if c := s.chats[chatID]; c != nil && c.Type == "private" {
		window, n = 3*time.Second, 4
	}
	var bad *refusal
	seen[chatID], bad = within(seen[chatID], s.options.Now(), window, n)
	return bad
}

// within notes one more event, unless n happened in the window already.
func within(seen []time.Time, now time.Time, window time.Duration, n int) ([]time.Time, *refusal) {
	for len(seen) > 0 && now.Sub(seen[0]) >= window {
		seen = seen[1:]
	}
	if len(seen) >= n {
		e := refuse(429, "")
		e.retryAfter = int((window-now.Sub(seen[0]))/time.Second) + 1
		e.description = fmt.Sprintf("Too Many Requests: retry after %d", e.retryAfter)
		return seen, e
	}
	return append(seen, now), nil
}

// commit is the last step before an effect: every file that was sent must be used, and the journal must know.
func (s *Server) commit(p *parameters, e Effect) *refusal {
	if bad := p.unused(); bad != nil {
		return bad
	}
	if s.options.Accept == nil {
		return nil
	}
	e.At = s.options.Now().UTC()
	if err := s.options.Accept(e); err != nil {
		return refuse(500, "Internal Server Error: the journal failed")
	}
	return nil
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

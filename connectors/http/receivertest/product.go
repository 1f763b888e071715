package receivertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// Options say how a Product begins.
type Options struct {
	// Accept is told each accepted change before its answer, one at a time; when it errs, nothing happened.
	Accept func(Change) error
	// Now is its clock; nil means time.Now.
	Now func() time.Time
}

// Change is one accepted call, for a journal.
type Change struct {
	// Act is post, edit or delete.
	Act  string    `json:"act"`
	ID   string    `json:"id"`
	Text string    `json:"text,omitempty"`
	At   time.Time `json:"at"`
}

// Message is what a product shows.
type Message struct {
	ID      string    `json:"id"`
	Room    string    `json:"room,omitempty"`
	Title   string    `json:"title,omitempty"`
	Text    string    `json:"text"`
	Link    string    `json:"link,omitempty"`
	Posted  time.Time `json:"posted"`
	Edited  time.Time `json:"edited,omitzero"`
	Deleted time.Time `json:"deleted,omitzero"`
	// Rings are the mentions in the text that would have rung everybody or somebody.
	Rings []string `json:"rings,omitempty"`
}

// Product is a strict stand-in for one chat or push product. Each constructor says which requests it takes and which
// credentials it knows. It may be used from several goroutines.
type Product struct {
	// Faults are what goes wrong next.
	Faults fault.Script

	options Options
	inner   http.Handler
	rings   *regexp.Regexp

	mu       sync.Mutex
	last     int
	messages []*Message
}

// reply is an answer: JSON, unless it is a string, which is sent as plain text.
type reply struct {
	code int
	body any
}

func newProduct(o Options, rings string, serve func(*Product, *http.Request, []byte) reply) *Product {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Product{options: o}
	if rings != "" {
		p.rings = regexp.MustCompile(rings)
	}
	p.inner = p.Faults.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxEvent))
		if err != nil {
			return
		}
		p.mu.Lock()
		answer := serve(p, r, body)
		p.mu.Unlock()
		if text, ok := answer.body.(string); ok {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(answer.code)
			_, _ = io.WriteString(w, text)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if answer.code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(answer.code)
		_ = json.NewEncoder(w).Encode(answer.body)
	}))
	return p
}

// ServeHTTP takes calls.
func (p *Product) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.inner.ServeHTTP(w, r) }

// Messages gives a copy of what is shown, deleted messages with their time.
func (p *Product) Messages() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Message, len(p.messages))
	for i, m := range p.messages {
		out[i] = *m
	}
	return out
}

// post, edit and remove are called with the lock held. They are false when the journal failed.

func (p *Product) post(m Message) bool {
	if !p.accept("post", m) {
		return false
	}
	m.Posted = p.options.Now().UTC()
	m.Rings = p.ringing(m)
	p.messages = append(p.messages, &m)
	return true
}

func (p *Product) edit(m *Message, title, text string) bool {
	if !p.accept("edit", Message{ID: m.ID, Text: text}) {
		return false
	}
	m.Title, m.Text = title, text
	m.Edited = p.options.Now().UTC()
	m.Rings = p.ringing(*m)
	return true
}

func (p *Product) remove(m *Message) bool {
	if !p.accept("delete", *m) {
		return false
	}
	m.Deleted = p.options.Now().UTC()
	return true
}

func (p *Product) accept(act string, m Message) bool {
	if p.options.Accept == nil {
		return true
	}
	return p.options.Accept(Change{Act: act, ID: m.ID, Text: m.Text, At: p.options.Now().UTC()}) == nil
}

func (p *Product) ringing(m Message) []string {
	if p.rings == nil {
		return nil
	}
	return p.rings.FindAllString(m.Text, -1)
}

// find gives a message that is still shown, or nil.
func (p *Product) find(id string) *Message {
	for _, m := range p.messages {
		if m.ID == id && m.Deleted.IsZero() {
			return m
		}
	}
	return nil
}

// next gives a number for a new message.
func (p *Product) next() int {
	p.last++
	return p.last
}

func codePoints(s string) int { return utf8.RuneCountInString(s) }

func isJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}

// unknownMembers errs for a JSON object with a member that is not among the known ones.
func unknownMembers(body []byte, known ...string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return fmt.Errorf("no JSON object: %w", err)
	}
	for name := range members {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if !found {
			return fmt.Errorf("unknown member %q", name)
		}
	}
	return nil
}

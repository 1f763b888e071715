// Package pagertest is a paging service for tests, as the example plugin "pager" knows it: it takes pages, and tells of what
// people did with their pagers to whoever waits for it. It forgets what it told once somebody asks for what came after it.
package pagertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Page is what somebody got.
type Page struct {
	To, Text string
	Choices  []struct{ Text, Code string }
}

// Service is the service. It refuses calls without its token, and pages without an idempotency key; and it keeps every byte of what it
// is sent.
type Service struct {
	token string

	mu     sync.Mutex
	pages  []Page
	heard  strings.Builder
	wrong  []string
	inbox  []event
	number int
	told   int
	more   chan struct{}
}

type event struct {
	Number int       `json:"number"`
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	From   string    `json:"from"`
	Text   string    `json:"text"`
	Choice string    `json:"choice"`
	At     time.Time `json:"at"`
}

// New makes a service whose callers show this token.
func New(token string) *Service { return &Service{token: token, more: make(chan struct{})} }

// ServeHTTP takes a page, or tells what came.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	ours := r.Header.Get("Authorization") == "Bearer "+s.token
	s.mu.Lock()
	fmt.Fprintf(&s.heard, "%s %s %v %s\n", r.Method, r.URL, r.Header, body)
	if !ours {
		s.wrong = append(s.wrong, fmt.Sprintf("%s %s %s", r.Method, r.URL, body))
	}
	s.mu.Unlock()
	switch {
	case !ours:
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet:
		s.tell(w, r)
	default:
		s.take(w, r, body, err)
	}
}

// take takes a page.
func (s *Service) take(w http.ResponseWriter, r *http.Request, body []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page Page
	if err != nil || json.Unmarshal(body, &page) != nil || r.Header.Get("Idempotency-Key") == "" {
		s.wrong = append(s.wrong, string(body))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.pages = append(s.pages, page)
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"id":"p%d"}`, len(s.pages))
}

// tell tells what people did behind a number, and forgets what stands before it.
func (s *Service) tell(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for {
		s.mu.Lock()
		s.inbox = slices.DeleteFunc(s.inbox, func(e event) bool { return e.Number <= after })
		list, more := slices.Clone(s.inbox), s.more
		s.mu.Unlock()
		if len(list) > 0 {
			if json.NewEncoder(w).Encode(map[string]any{"inbox": list}) == nil {
				s.mu.Lock()
				s.told = list[len(list)-1].Number
				s.mu.Unlock()
			}
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

// Did has somebody do something with their pager: kind is wrote, chose or blocked. It gives the event's number.
func (s *Service) Did(from, kind, text, choice string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	s.inbox = append(s.inbox, event{Number: s.number, ID: fmt.Sprint("i", s.number), Kind: kind, From: from, Text: text, Choice: choice, At: time.Now().UTC()})
	close(s.more)
	s.more = make(chan struct{})
	return s.number
}

// Told is the number of the last event that somebody was told of, stored or not.
func (s *Service) Told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// Untold is how many events nobody has taken for good, as the service sees it.
func (s *Service) Untold() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inbox)
}

// Pages are the pages for somebody, in the order in which they came.
func (s *Service) Pages(to string) (out []Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, page := range s.pages {
		if page.To == to {
			out = append(out, page)
		}
	}
	return out
}

// Last is the newest page that somebody got; empty when there is none.
func (s *Service) Last(to string) Page {
	pages := s.Pages(to)
	if len(pages) == 0 {
		return Page{}
	}
	return pages[len(pages)-1]
}

// Texts are what the pages for somebody say.
func (s *Service) Texts(to string) (out []string) {
	for _, page := range s.Pages(to) {
		out = append(out, page.Text)
	}
	return out
}

// Record is how many pages came for anybody, the calls that were refused, and every byte of the calls.
func (s *Service) Record() (pages int, wrong []string, heard string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pages), slices.Clone(s.wrong), s.heard.String()
}

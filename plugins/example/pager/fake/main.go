// Command fake is a paging service for tests, stricter than a real one: what is not exactly right is refused.
//
// It prints its address and serves until it is killed. At /.belfry/messages it says what it handed over, and at /.belfry/say somebody
// writes to it, for the suites of `belfry plugin test`.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const token = "canary-c0ffee"

// known are the pagers there are.
var known = map[string]bool{"anna@example.invalid": true}

type page struct {
	ID      string   `json:"id"`
	To      string   `json:"to"`
	Text    string   `json:"text"`
	Choices []choice `json:"choices,omitempty"`
	key     string
}

type choice struct {
	Text string `json:"text"`
	Code string `json:"code"`
}

// inbound is what somebody did with their pager.
type inbound struct {
	Number int64     `json:"number"`
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	From   string    `json:"from"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
}

type service struct {
	mu    sync.Mutex
	pages []page
	inbox []inbound
	came  int64         // how many there were, with those that are forgotten
	more  chan struct{} // closed when somebody writes
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := &service{more: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/pages", s.send)
	mux.HandleFunc("GET /api/inbox", s.tell)
	mux.HandleFunc("GET /.belfry/messages", s.list)
	mux.HandleFunc("POST /.belfry/say", s.say)
	fmt.Fprintf(os.Stdout, "http://%s\n", l.Addr())
	log.Fatal(http.Serve(l, mux))
}

func (s *service) send(w http.ResponseWriter, r *http.Request) {
	var p page
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	key := r.Header.Get("Idempotency-Key")
	switch err := d.Decode(&p); {
	case r.Header.Get("Authorization") != "Bearer "+token:
		http.Error(w, "who are you", http.StatusUnauthorized)
	case err != nil || p.ID != "" || p.To == "" || strings.TrimSpace(p.Text) == "" || utf8.RuneCountInString(p.Text) > 480 || strings.ContainsAny(p.Text, "\ufdd0\ufdd1"):
		http.Error(w, "a page has to and text, of at most 480 characters", http.StatusUnprocessableEntity)
	case slices.ContainsFunc(p.Choices, func(c choice) bool { return c.Text == "" || c.Code == "" || len(c.Code) > 64 }) || len(p.Choices) > 20:
		http.Error(w, "a choice has a text, and a code of at most 64 bytes", http.StatusUnprocessableEntity)
	case key == "" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") == "":
		http.Error(w, "a header is missing", http.StatusBadRequest)
	case !known[p.To]:
		http.Error(w, "no pager "+p.To, http.StatusGone)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{"id": s.keep(p, key)})
	}
}

// keep hands a page over once, however often it comes.
func (s *service) keep(p page, key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, before := range s.pages {
		if before.key == key {
			return before.ID
		}
	}
	p.ID, p.key = fmt.Sprint("p", len(s.pages)+1), key
	s.pages = append(s.pages, p)
	return p.ID
}

// maxTold is how much is told at once, and maxWait how long a request may wait, in seconds.
const (
	maxTold = 3
	maxWait = 30
)

// tell tells what people did behind a number, and waits for it. What stands before that number is forgotten: it was told.
func (s *service) tell(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	wait, errWait := strconv.Atoi(r.URL.Query().Get("wait"))
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		http.Error(w, "who are you", http.StatusUnauthorized)
		return
	case err != nil || after < 0 || errWait != nil || wait < 0 || wait > maxWait || r.Header.Get("User-Agent") == "":
		http.Error(w, "ask with after and wait, at most 30 seconds", http.StatusBadRequest)
		return
	}
	over := time.NewTimer(time.Duration(wait) * time.Second)
	defer over.Stop()
	for waiting := true; ; {
		list, more := s.behind(after)
		if len(list) > 0 || !waiting {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"inbox": list})
			return
		}
		select {
		case <-more:
		case <-over.C:
			waiting = false
		case <-r.Context().Done():
			return
		}
	}
}

func (s *service) behind(after int64) (list []inbound, more chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox = slices.DeleteFunc(s.inbox, func(i inbound) bool { return i.Number <= after })
	return append([]inbound{}, s.inbox[:min(maxTold, len(s.inbox))]...), s.more
}

// say has somebody write.
func (s *service) say(w http.ResponseWriter, r *http.Request) {
	var said struct{ From, Text string }
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil || !known[said.From] {
		http.Error(w, "nobody of that name has a pager", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.came++
	s.inbox = append(s.inbox, inbound{Number: s.came, ID: fmt.Sprint("i", s.came), Kind: "wrote", From: said.From, Text: said.Text, At: time.Now().UTC()})
	close(s.more)
	s.more = make(chan struct{})
	w.WriteHeader(http.StatusNoContent)
}

func (s *service) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.pages)
}

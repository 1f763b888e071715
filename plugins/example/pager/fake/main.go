// Command fake is a paging service for tests, stricter than a real one: what is not exactly right is refused.
//
// It prints its address and serves until it is killed. At /.belfry/messages it says what it handed over, for the suite of
// `belfry plugin test`.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"unicode/utf8"
)

const token = "canary-c0ffee"

// known are the pagers there are.
var known = map[string]bool{"anna@example.invalid": true}

type page struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
	key  string
}

type service struct {
	mu    sync.Mutex
	pages []page
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := &service{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/pages", s.send)
	mux.HandleFunc("GET /.belfry/messages", s.list)
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

func (s *service) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.pages)
}

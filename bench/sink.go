package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sink accepts every post, and remembers what it accepted.
type sink struct {
	mu          sync.Mutex
	taken       map[string]int       // by receiver and the call's id: how often
	at          map[string]time.Time // by the article's address: when it came first
	bytes       int64
	first, last time.Time
}

func newSink() *sink { return &sink{taken: map[string]int{}, at: map[string]time.Time{}} }

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/to/") {
		// The yardstick's calls are answered and not remembered.
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, err := io.ReadAll(r.Body)
	now := time.Now()
	var call struct {
		Data struct {
			URL string `json:"url"`
		} `json:"data"`
	}
	id := r.Header.Get("Webhook-Id")
	if err != nil || json.Unmarshal(body, &call) != nil || id == "" || call.Data.URL == "" {
		http.Error(w, "a post in the standard form was expected", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.taken[r.URL.Path+" "+id]++
	if _, known := s.at[call.Data.URL]; !known {
		s.at[call.Data.URL] = now
	}
	if s.first.IsZero() {
		s.first = now
	}
	s.last = now
	s.bytes += int64(len(body))
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// tally is what a sink has accepted.
type tally struct {
	distinct, repeated int
	first, last        time.Time
	meanSize           int
}

func (s *sink) tally() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := tally{distinct: len(s.taken), first: s.first, last: s.last}
	calls := 0
	for _, n := range s.taken {
		calls += n
	}
	t.repeated = calls - t.distinct
	if calls > 0 {
		t.meanSize = int(s.bytes) / calls
	}
	return t
}

// arrival is when a post about an article came first.
func (s *sink) arrival(url string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.at[url]
	return at, ok
}

// Package fake plays the part of the newsroom's API in tests and in belfry plugin dev. It is strict: what the real one
// would refuse it refuses, because a fake that takes everything proves nothing.
package fake

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// Article is an article of the newsroom.
type Article struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Summary   string    `json:"summary,omitempty"`
	Text      []string  `json:"text,omitempty"`
	URL       string    `json:"url,omitempty"`
	Tags      []string  `json:"tags,omitempty"`
	Published time.Time `json:"published"`
	Changed   time.Time `json:"changed"`
	Withdrawn bool      `json:"withdrawn,omitempty"`

	Section string `json:"-"`
	change  int64
}

// perPage is how many changes one answer has.
const perPage = 3

// Newsroom is a newsroom with its API, which lies under /api. It may be used from several goroutines.
type Newsroom struct {
	// Token is what a caller must show.
	Token string
	// Faults break the API on a script: no answer, half an answer, a late one, another one.
	Faults fault.Script

	mu       sync.Mutex
	articles []Article
	change   int64
}

// Publish publishes an article, or a new version of it.
func (n *Newsroom) Publish(a Article) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.put(a)
}

// Withdraw takes an article back.
func (n *Newsroom) Withdraw(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.articles {
		if a.ID == id {
			n.put(Article{ID: id, Published: a.Published, Changed: a.Changed, Section: a.Section, Withdrawn: true})
			return
		}
	}
}

func (n *Newsroom) put(a Article) {
	n.change++
	a.change = n.change
	n.articles = append(slices.DeleteFunc(n.articles, func(old Article) bool { return old.ID == a.ID }), a)
}

// ServeHTTP answers GET /api/changes?after=N&section=S.
func (n *Newsroom) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.Faults.Wrap(http.HandlerFunc(n.serve)).ServeHTTP(w, r)
}

func (n *Newsroom) serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name := range query {
		if name != "after" && name != "section" {
			http.Error(w, "unknown parameter "+name, http.StatusBadRequest)
			return
		}
	}
	after, err := strconv.ParseInt(query.Get("after"), 10, 64)
	switch {
	case r.URL.Path != "/api/changes":
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+n.Token)) == 0:
		http.Error(w, "no valid token", http.StatusUnauthorized)
	case err != nil || after < 0:
		http.Error(w, "after is a number from 0 on", http.StatusBadRequest)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(n.changes(after, query.Get("section"))) // the caller has gone
	}
}

func (n *Newsroom) changes(after int64, section string) (page struct {
	Articles []Article `json:"articles"`
	Last     int64     `json:"last"`
	More     bool      `json:"more"`
}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	page.Last = after
	for _, a := range n.articles {
		if a.change <= after || section != "" && a.Section != section {
			continue
		}
		if len(page.Articles) == perPage {
			page.More = true
			break
		}
		page.Articles = append(page.Articles, a)
		page.Last = a.change
	}
	return page
}

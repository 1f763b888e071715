// Package fake plays the part of the platform's API in tests and in belfry plugin dev. It is strict: what the real one would
// refuse it refuses, because a fake that takes everything proves nothing.
package fake

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// What the platform takes.
const (
	MaxText     = 500
	MaxPictures = 4
	MaxPicture  = 1 << 20
)

// Post is a post on a board.
type Post struct {
	ID      string
	Board   string
	Key     string
	Text    string
	ReplyTo string
	// Pictures are the digests of its pictures.
	Pictures []string
	Edits    int
	Deleted  bool
}

// Platform is a platform with its API, which lies under /api. It has a board #news whose id is b1, another, #sport, b2, and
// a person, anna, who is no board. It may be used from several goroutines.
type Platform struct {
	// Token is what a caller must show.
	Token string
	// Happened, if any, is told what a call did.
	Happened func(what string)
	// Faults break the API on a script: no answer, half an answer, a late one, another one.
	Faults fault.Script

	mu    sync.Mutex
	posts []*Post
}

// Posts lists all posts that were ever accepted, the oldest first.
func (p *Platform) Posts() []Post {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Post, len(p.posts))
	for i, post := range p.posts {
		out[i] = *post
	}
	return out
}

// ServeHTTP answers the API's calls.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.Faults.Wrap(http.HandlerFunc(p.serve)).ServeHTTP(w, r)
}

func (p *Platform) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/.belfry/posts" { // what belfry plugin test asks about
		p.held(w)
		return
	}
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+p.Token)) == 0 {
		http.Error(w, "no valid token", http.StatusUnauthorized)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/boards/{name}", p.board)
	mux.HandleFunc("POST /api/boards/{board}/posts", p.post)
	mux.HandleFunc("GET /api/boards/{board}/posts", p.find)
	mux.HandleFunc("PUT /api/posts/{id}", p.edit)
	mux.HandleFunc("DELETE /api/posts/{id}", p.remove)
	mux.ServeHTTP(w, r)
}

// held says which posts the platform holds.
func (p *Platform) held(w http.ResponseWriter) {
	posts := []map[string]any{}
	for _, post := range p.Posts() {
		posts = append(posts, map[string]any{"ids": []string{post.ID}, "text": post.Text, "deleted": post.Deleted})
	}
	answer(w, http.StatusOK, posts)
}

func (p *Platform) board(w http.ResponseWriter, r *http.Request) {
	switch name := r.PathValue("name"); name {
	case "news", "sport":
		id := map[string]string{"news": "b1", "sport": "b2"}[name]
		answer(w, http.StatusOK, map[string]string{"id": id, "kind": "board", "title": "The board of " + name, "url": "https://boards.example/" + name})
	case "anna":
		answer(w, http.StatusOK, map[string]string{"id": "p1", "kind": "person", "title": "Anna"})
	default:
		http.NotFound(w, r)
	}
}

// request is what a caller asks to be shown.
type request struct {
	Text     string `json:"text"`
	Pictures []struct {
		SHA256 string `json:"sha256"`
		Type   string `json:"type"`
		Alt    string `json:"alt"`
		Data   []byte `json:"data"`
	} `json:"pictures"`
	ReplyTo string `json:"reply_to"`
}

// read reads a request as strictly as the platform does.
func read(r *http.Request) (request, int, string) {
	var in request
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return in, http.StatusUnsupportedMediaType, "only application/json"
	}
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 8<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, http.StatusBadRequest, err.Error()
	}
	switch {
	case strings.TrimSpace(in.Text) == "" && len(in.Pictures) == 0:
		return in, http.StatusBadRequest, "an empty post"
	case utf8.RuneCountInString(in.Text) > MaxText:
		return in, http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d characters", MaxText)
	case len(in.Pictures) > MaxPictures:
		return in, http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d pictures", MaxPictures)
	}
	for _, picture := range in.Pictures {
		sum := sha256.Sum256(picture.Data)
		switch {
		case len(picture.Data) == 0 || hex.EncodeToString(sum[:]) != picture.SHA256:
			return in, http.StatusBadRequest, "a picture is not what its digest says"
		case len(picture.Data) > MaxPicture:
			return in, http.StatusRequestEntityTooLarge, "a picture is too large"
		case http.DetectContentType(picture.Data) != picture.Type:
			return in, http.StatusBadRequest, "a picture is not of the type it claims"
		}
	}
	return in, 0, ""
}

func (p *Platform) post(w http.ResponseWriter, r *http.Request) {
	in, status, complaint := read(r)
	board, key := r.PathValue("board"), r.Header.Get("Idempotency-Key")
	switch {
	case status != 0:
		http.Error(w, complaint, status)
		return
	case board != "b1" && board != "b2":
		http.Error(w, "no board", http.StatusForbidden)
		return
	case key == "":
		http.Error(w, "an Idempotency-Key is wanted", http.StatusBadRequest)
		return
	case in.ReplyTo != "" && p.get(in.ReplyTo) == nil:
		http.Error(w, "it answers a post that does not exist", http.StatusBadRequest)
		return
	}
	for _, old := range p.posts {
		if old.Key == key && old.Board == board {
			answer(w, http.StatusOK, link(old))
			return
		}
	}
	post := &Post{ID: strconv.Itoa(len(p.posts) + 1), Board: board, Key: key, Text: in.Text, ReplyTo: in.ReplyTo, Pictures: digests(in)}
	p.posts = append(p.posts, post)
	p.say("post %s: %.60q, %d pictures", post.ID, post.Text, len(post.Pictures))
	answer(w, http.StatusCreated, link(post))
}

func (p *Platform) find(w http.ResponseWriter, r *http.Request) {
	found := []map[string]string{}
	for _, post := range p.posts {
		if key := r.URL.Query().Get("key"); key != "" && post.Key == key && post.Board == r.PathValue("board") {
			found = append(found, link(post))
		}
	}
	answer(w, http.StatusOK, map[string]any{"posts": found})
}

func (p *Platform) edit(w http.ResponseWriter, r *http.Request) {
	in, status, complaint := read(r)
	post := p.get(r.PathValue("id"))
	switch {
	case post == nil:
		http.NotFound(w, r)
	case post.Deleted:
		http.Error(w, "it was deleted", http.StatusGone)
	case status != 0:
		http.Error(w, complaint, status)
	default:
		post.Text, post.Pictures = in.Text, digests(in)
		post.Edits++
		p.say("edit of post %s: %.60q", post.ID, post.Text)
		answer(w, http.StatusOK, link(post))
	}
}

func (p *Platform) remove(w http.ResponseWriter, r *http.Request) {
	post := p.get(r.PathValue("id"))
	switch {
	case post == nil:
		http.NotFound(w, r)
	case post.Deleted:
		http.Error(w, "it was deleted", http.StatusGone)
	default:
		post.Deleted = true
		p.say("deletion of post %s", post.ID)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (p *Platform) get(id string) *Post {
	for _, post := range p.posts {
		if post.ID == id {
			return post
		}
	}
	return nil
}

func (p *Platform) say(format string, args ...any) {
	if p.Happened != nil {
		p.Happened(fmt.Sprintf(format, args...))
	}
}

func digests(in request) (out []string) {
	for _, picture := range in.Pictures {
		out = append(out, picture.SHA256)
	}
	return out
}

func link(p *Post) map[string]string {
	return map[string]string{"id": p.ID, "url": "https://boards.example/p/" + p.ID}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller has gone
}

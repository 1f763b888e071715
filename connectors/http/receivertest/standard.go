// Package receivertest has strict HTTP receivers for tests, for a demonstration and for a harness that kills its client:
// one that takes posts by Standard Webhooks, and small ones that stand for chat products. Each refuses what the real one
// refuses, keeps what it accepted, tells a journal, and fails on a script. They follow the specifications and the
// products' documentation, not the connector, and have no package state.
package receivertest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// StandardOptions say how a Standard receiver begins.
type StandardOptions struct {
	// Secrets are the whsec_ secrets it knows; a signature by any of them is good.
	Secrets []string
	// Tolerance is how far a call's timestamp may be off; 0 means five minutes.
	Tolerance time.Duration
	// Forgetful makes it take a call again whose webhook-id it knows.
	Forgetful bool
	// Now is its clock; nil means time.Now.
	Now func() time.Time
	// Accept is told each accepted event before its answer, one at a time. When it errs, nothing happened and the caller
	// gets a 500. It must not call the receiver.
	Accept func(Event) error
}

// Event is one accepted call, for a journal.
type Event struct {
	// ID is the webhook-id.
	ID string `json:"id"`
	// Type is post.published, post.updated or post.withdrawn.
	Type     string    `json:"type"`
	Post     string    `json:"post"`
	Revision int       `json:"revision,omitempty"`
	Title    string    `json:"title,omitempty"`
	At       time.Time `json:"at"`
}

// StandardState is what a Standard receiver holds.
type StandardState struct {
	// Posts in the order they came.
	Posts []Post `json:"posts"`
	// Repeats are calls with a known webhook-id and the same body, which had no effect; Conflicts are those with
	// another body; Refused are calls that were not in order.
	Repeats   int      `json:"repeats"`
	Conflicts int      `json:"conflicts"`
	Refused   []string `json:"refused,omitempty"`
}

// Post is a post as a Standard receiver shows it.
type Post struct {
	ID        string    `json:"id"`
	Revision  int       `json:"revision"`
	State     string    `json:"state"`
	Channel   string    `json:"channel"`
	Lang      string    `json:"lang,omitempty"`
	Title     string    `json:"title"`
	Summary   string    `json:"summary,omitempty"`
	Text      string    `json:"text"`
	HTML      string    `json:"html"`
	URL       string    `json:"url,omitempty"`
	Image     string    `json:"image,omitempty"`
	Received  time.Time `json:"received"`
	Edited    time.Time `json:"edited,omitzero"`
	Withdrawn time.Time `json:"withdrawn,omitzero"`
	// Times counts how often the post was published while it was on show; more than one is a double.
	Times int `json:"times"`
}

// Standard is a receiver that takes posts by Standard Webhooks. It may be used from several goroutines.
type Standard struct {
	// Faults are what goes wrong next.
	Faults fault.Script

	options StandardOptions
	keys    [][]byte
	inner   http.Handler

	mu    sync.Mutex
	seen  map[string][sha256.Size]byte // webhook-id to the digest of its body
	state StandardState
}

// NewStandard makes a receiver; a secret that is none is an error.
func NewStandard(o StandardOptions) (*Standard, error) {
	if o.Tolerance == 0 {
		o.Tolerance = 5 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Standard{options: o, seen: map[string][sha256.Size]byte{}}
	for _, secret := range o.Secrets {
		text, ok := strings.CutPrefix(secret, "whsec_")
		key, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil {
			return nil, errors.New("a Standard Webhooks secret is whsec_ and base64")
		}
		s.keys = append(s.keys, key)
	}
	s.inner = s.Faults.Wrap(http.HandlerFunc(s.serve))
	return s, nil
}

// ServeHTTP takes calls at any path.
func (s *Standard) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.inner.ServeHTTP(w, r) }

// State gives a copy of what the receiver holds.
func (s *Standard) State() StandardState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.state
	out.Posts = append([]Post{}, s.state.Posts...)
	out.Refused = slices.Clone(s.state.Refused)
	return out
}

func (s *Standard) serve(w http.ResponseWriter, r *http.Request) {
	code, said := s.take(r)
	if code >= 400 {
		s.mu.Lock()
		s.state.Refused = append(s.state.Refused, said)
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": code < 300, "message": said})
}

// maxEvent is the largest body, in bytes.
const maxEvent = 1 << 20

// take checks a call from the outside to the inside and lets it have its effect.
func (s *Standard) take(r *http.Request) (code int, said string) {
	if r.Method != http.MethodPost {
		return 405, "only POST is taken"
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return 415, "only application/json is taken"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxEvent+1))
	if err != nil {
		return 400, "the body broke off"
	}
	if len(body) > maxEvent {
		return 413, "the body is too large"
	}
	id, err := s.verify(r.Header, body)
	if err != nil {
		return 401, err.Error()
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" && key != id {
		return 400, "Idempotency-Key and webhook-id name different calls"
	}
	e, d, err := readEvent(body)
	if err != nil {
		return 400, err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256(body)
	if known, ok := s.seen[id]; ok && !s.options.Forgetful {
		if known != sum {
			s.state.Conflicts++
			return 409, "this webhook-id came with another body before"
		}
		s.state.Repeats++
		return 200, "known already"
	}
	if e.Type == "post.updated" && !s.shown(d.ID) {
		return 422, "there is no post with this id to update"
	}
	if s.options.Accept != nil {
		j := Event{ID: id, Type: e.Type, Post: d.ID, Revision: d.Revision, Title: d.Title, At: s.options.Now().UTC()}
		if err := s.options.Accept(j); err != nil {
			return 500, "the journal failed"
		}
	}
	s.seen[id] = sum
	s.apply(e.Type, d)
	return 200, "taken"
}

var plainHeaderID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`) })

// verify checks the signature over the raw bytes, as the Standard Webhooks specification says.
func (s *Standard) verify(h http.Header, body []byte) (id string, err error) {
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		if len(h.Values(name)) != 1 || h.Get(name) == "" {
			return "", fmt.Errorf("%s is missing, or there are several", name)
		}
	}
	id = h.Get("webhook-id")
	if !plainHeaderID().MatchString(id) {
		return "", errors.New("webhook-id has characters that make the signed bytes ambiguous")
	}
	seconds, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return "", errors.New("webhook-timestamp is no number of seconds")
	}
	if off := s.options.Now().Sub(time.Unix(seconds, 0)).Abs(); off > s.options.Tolerance {
		return "", fmt.Errorf("webhook-timestamp is %s off", off)
	}
	signed := append([]byte(id+"."+h.Get("webhook-timestamp")+"."), body...)
	for entry := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		version, text, ok := strings.Cut(entry, ",")
		if !ok {
			return "", errors.New("webhook-signature is no list of version and signature")
		}
		given, err := base64.StdEncoding.DecodeString(text)
		if version != "v1" || err != nil {
			continue
		}
		for _, key := range s.keys {
			mac := hmac.New(sha256.New, key)
			mac.Write(signed)
			if hmac.Equal(mac.Sum(nil), given) {
				return id, nil
			}
		}
	}
	return "", errors.New("no signature fits")
}

type (
	event struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
	eventData struct {
		ID           string      `json:"id"`
		Revision     int         `json:"revision"`
		State        string      `json:"state"`
		Channel      string      `json:"channel"`
		ChannelTitle string      `json:"channel_title"`
		To           string      `json:"to"`
		Lang         string      `json:"lang"`
		Title        string      `json:"title"`
		Summary      string      `json:"summary"`
		Text         string      `json:"text"`
		HTML         string      `json:"html"`
		ContentText  string      `json:"content_text"`
		ContentHTML  string      `json:"content_html"`
		URL          string      `json:"url"`
		Permalink    string      `json:"permalink"`
		Authors      []any       `json:"authors"`
		Tags         []string    `json:"tags"`
		Media        []mediaItem `json:"media"`
		Published    time.Time   `json:"published"`
		Updated      time.Time   `json:"updated"`
		Correction   string      `json:"correction"`
		Items        []any       `json:"items"`
	}
	mediaItem struct {
		URL    string `json:"url"`
		Type   string `json:"type"`
		Alt    string `json:"alt"`
		Credit string `json:"credit"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	}
)

// strict decodes JSON without room for unknown members or a second value.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}

func readEvent(body []byte) (event, eventData, error) {
	var e event
	var d eventData
	if err := strict(body, &e); err != nil {
		return e, d, fmt.Errorf("the event cannot be read: %w", err)
	}
	if err := strict(e.Data, &d); err != nil {
		return e, d, fmt.Errorf("the event's data cannot be read: %w", err)
	}
	switch {
	case d.ID == "":
		return e, d, errors.New("data.id is missing")
	case e.Type == "post.withdrawn":
		var members map[string]json.RawMessage
		if json.Unmarshal(e.Data, &members) != nil || len(members) != 1 {
			return e, d, errors.New("a withdrawal repeats the post's content")
		}
	case e.Type != "post.published" && e.Type != "post.updated":
		return e, d, fmt.Errorf("the type %q is unknown", e.Type)
	case e.Timestamp.IsZero():
		return e, d, errors.New("timestamp is missing")
	case d.Revision < 1 || d.Channel == "" || (d.State != "live" && d.State != "withdrawn"):
		return e, d, errors.New("revision, channel or state is missing")
	}
	return e, d, nil
}

// shown reports whether a post is on show.
func (s *Standard) shown(id string) bool {
	return slices.ContainsFunc(s.state.Posts, func(p Post) bool { return p.ID == id && p.Withdrawn.IsZero() })
}

func (s *Standard) apply(kind string, d eventData) {
	now := s.options.Now().UTC()
	at := slices.IndexFunc(s.state.Posts, func(p Post) bool { return p.ID == d.ID })
	if kind == "post.withdrawn" {
		if at >= 0 {
			s.state.Posts[at].Withdrawn = now
			s.state.Posts[at].State = "withdrawn"
		}
		return
	}
	if at < 0 {
		s.state.Posts = append(s.state.Posts, Post{Received: now})
		at = len(s.state.Posts) - 1
	}
	old := s.state.Posts[at]
	p := Post{ID: d.ID, Revision: d.Revision, State: d.State, Channel: d.Channel, Lang: d.Lang, Title: d.Title,
		Summary: d.Summary,
		Text:    d.Text, HTML: d.HTML, URL: d.URL, Received: old.Received, Edited: old.Edited, Times: old.Times}
	for _, m := range d.Media {
		if p.Image == "" && strings.HasPrefix(m.Type, "image/") {
			p.Image = m.URL
		}
	}
	switch {
	case kind == "post.updated":
		p.Edited = now
	case !old.Withdrawn.IsZero():
		p.Times = 1 // published again after it was withdrawn
	default:
		p.Times++
	}
	s.state.Posts[at] = p
}

package http

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// The events of the standard form.
const (
	eventPublished = "post.published"
	eventUpdated   = "post.updated"
	eventWithdrawn = "post.withdrawn"
)

// envelope is a Standard Webhooks payload. Timestamp is when the revision was made; a withdrawal has none, because every
// attempt at it must have the same bytes and its moment is in webhook-timestamp.
type envelope struct {
	Type      string          `json:"type"`
	Timestamp *time.Time      `json:"timestamp,omitempty"`
	Data      json.RawMessage `json:"data"`
}

// published is an envelope that is written at once.
type published struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      postData  `json:"data"`
}

// postData is what receivers of the standard form get of a post.
type postData struct {
	ID           string       `json:"id"`
	Revision     int          `json:"revision"`
	State        string       `json:"state"`
	Channel      string       `json:"channel"`
	ChannelTitle string       `json:"channel_title,omitempty"`
	To           string       `json:"to,omitempty"`
	Lang         string       `json:"lang,omitempty"`
	Title        string       `json:"title"`
	Summary      string       `json:"summary,omitempty"`
	Text         string       `json:"text"`
	HTML         string       `json:"html"`
	ContentText  string       `json:"content_text,omitempty"`
	ContentHTML  string       `json:"content_html,omitempty"`
	URL          string       `json:"url,omitempty"`
	Permalink    string       `json:"permalink,omitempty"`
	Authors      []authorData `json:"authors"`
	Tags         []string     `json:"tags"`
	Media        []mediaData  `json:"media"`
	Published    time.Time    `json:"published"`
	Updated      time.Time    `json:"updated"`
	Correction   string       `json:"correction,omitempty"`
	Items        []itemData   `json:"items"`
}

type (
	authorData struct {
		Name string `json:"name"`
		URL  string `json:"url,omitempty"`
	}
	mediaData struct {
		URL    string `json:"url"`
		Type   string `json:"type,omitempty"`
		Alt    string `json:"alt,omitempty"`
		Credit string `json:"credit,omitempty"`
		Width  int    `json:"width,omitempty"`
		Height int    `json:"height,omitempty"`
	}
	itemData struct {
		Key       string    `json:"key"`
		Title     string    `json:"title"`
		Summary   string    `json:"summary,omitempty"`
		URL       string    `json:"url,omitempty"`
		Published time.Time `json:"published,omitzero"`
	}
)

// standardPart is the post.published event of a post. Edit makes the post.updated event out of it.
func standardPart(to sdk.ChannelRef, p sdk.Post, text, html string) sdk.Part {
	content := render.RenderEach(p.Content, render.Plain, render.HTML)
	v := viewOf(to, p, text, content[0])
	state := p.State
	if state == "" {
		state = sdk.PostLive
	}
	d := postData{
		ID: v.ID, Revision: v.Revision, State: string(state), Channel: v.Channel, ChannelTitle: v.ChannelTitle, To: v.To,
		Lang:  v.Lang,
		Title: v.Title, Summary: v.Summary, Text: v.Text, HTML: html,
		ContentText: v.Content, ContentHTML: content[1], URL: v.URL, Permalink: v.Permalink,
		Authors: []authorData{}, Tags: append([]string{}, v.Tags...), Media: []mediaData{}, Items: []itemData{},
		Published: v.Published, Updated: v.Updated, Correction: v.Correction,
	}
	for _, a := range v.Authors {
		d.Authors = append(d.Authors, authorData(a))
	}
	for _, m := range v.Media {
		if m.URL != "" {
			d.Media = append(d.Media, mediaData(m))
		}
	}
	for _, i := range v.Items {
		d.Items = append(d.Items, itemData(i))
	}
	at := v.Updated
	if at.IsZero() {
		at = v.Published
	}
	return sdk.Part{Kind: kindStandard, Type: "application/json",
		Request: encode(published{Type: eventPublished, Timestamp: at, Data: d})}
}

// encode writes JSON without escaping < and >.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("http: an event that cannot be written: " + err.Error()) // our own types only
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// postID reads the post's identity back from a part of the standard form.
func postID(request []byte) (id string, e envelope, ok bool) {
	var d struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(request, &e) != nil || json.Unmarshal(e.Data, &d) != nil || d.ID == "" {
		return "", e, false
	}
	return d.ID, e, true
}

// plannedID reads the post's identity from a part of the standard form as standardPart writes it: nothing of the post stands
// before it, and what follows is not looked at.
func plannedID(request []byte) (id string, ok bool) {
	_, after, found := bytes.Cut(request, []byte(`"data":{"id":"`))
	if text, _, ended := bytes.Cut(after, []byte(`"`)); found && ended && plainID().Match(text) {
		return string(text), true
	}
	id, _, ok = postID(request)
	return id, ok
}

// plainID is what may stand in webhook-id as it is: a dot would make the signed bytes ambiguous.
var plainID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`) })

// callID gives the key of a call the spelling of a header.
func callID(key string) string {
	if plainID().MatchString(key) {
		return key
	}
	return derivedID("key", key)
}

// derivedID makes the key of a call from what the call is about.
func derivedID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return "msg_" + hex.EncodeToString(h.Sum(nil)[:20])
}

// sign gives the three headers of Standard Webhooks, with a v1 signature by each key.
func sign(keys [][]byte, id string, at time.Time, body []byte) (timestamp, signature string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return timestamp, strings.Join(signatures, " ")
}

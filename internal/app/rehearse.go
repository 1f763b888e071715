package app

import (
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/rehearse"
	"github.com/belfry-news/belfry/sdk"
)

// Rehearsed is one call that a rehearsing daemon would have made.
type Rehearsed struct {
	At          time.Time `json:"at"`
	Destination string    `json:"destination"`
	rehearse.Call
}

// mostRehearsed bounds how many calls are kept, the newest.
const mostRehearsed = 2000

// Rehearsal keeps what a rehearsing daemon would have sent, and shows it as a page at /rehearsal and as JSON at
// /rehearsal.json.
type Rehearsal struct {
	mu    sync.Mutex
	calls []Rehearsed
	total int
	zone  func() *time.Location
}

// Calls lists what would have been sent, the oldest first, and how much it was in all.
func (r *Rehearsal) Calls() (calls []Rehearsed, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls), r.total
}

func (r *Rehearsal) record(destination string, c rehearse.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	r.calls = append(r.calls, Rehearsed{time.Now().UTC(), destination, c})
	if len(r.calls) > mostRehearsed {
		r.calls = slices.Delete(r.calls, 0, len(r.calls)-mostRehearsed)
	}
}

// standIn puts a connector that sends nothing in the place of a destination.
func (r *Rehearsal) standIn(name string, spec *sdk.Spec, options map[string]any, c sdk.Connector) sdk.Connector {
	return rehearse.New(c, rehearse.Hide(spec, options), func(call rehearse.Call) { r.record(name, call) })
}

// routes are the pages of a rehearsal.
func (r *Rehearsal) routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /rehearsal":      http.HandlerFunc(r.page),
		"GET /rehearsal.json": http.HandlerFunc(r.list),
		"GET /rehearsal.css":  http.HandlerFunc(r.style),
	}
}

//go:embed rehearsal.html
var rehearsalHTML string

//go:embed rehearsal.css
var rehearsalCSS string

var rehearsalPage = template.Must(template.New("rehearsal").Parse(rehearsalHTML))

// shownCall is a call as the page shows it.
type shownCall struct {
	Rehearsed
	Local string
	Body  string
	// Pictures are the names of stored images.
	Pictures []string
}

func (r *Rehearsal) page(w http.ResponseWriter, _ *http.Request) {
	calls, total := r.Calls()
	zone := r.zone()
	data := struct {
		Calls   []shownCall
		Total   int
		Dropped int
		Zone    string
	}{Total: total, Dropped: total - len(calls), Zone: zone.String()}
	for _, c := range slices.Backward(calls) {
		s := shownCall{Rehearsed: c, Local: c.At.In(zone).Format("2006-01-02 15:04:05 MST"), Body: readable(c.Body)}
		for _, f := range c.Files {
			if f.Name != "" {
				s.Pictures = append(s.Pictures, f.Name)
			}
		}
		data.Calls = append(data.Calls, s)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_ = rehearsalPage.Execute(w, data) // the reader has gone
}

// readable writes a body for people: a text as it is, everything else indented.
func readable(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var v strings.Builder
	e := json.NewEncoder(&v)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(raw) != nil { //nolint:errchkjson // a request that is no JSON is shown as it is
		return string(raw)
	}
	return strings.TrimSpace(v.String())
}

func (r *Rehearsal) list(w http.ResponseWriter, _ *http.Request) {
	calls, total := r.Calls()
	if calls == nil {
		calls = []Rehearsed{}
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(map[string]any{"total": total, "calls": calls}) //nolint:errchkjson // the reader has gone
}

func (r *Rehearsal) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write([]byte(rehearsalCSS)) // the reader has gone
}

// Rehearsal is what this daemon would have sent; nil unless it rehearses.
func (a *App) Rehearsal() *Rehearsal { return a.rehearsal }

// fetchAll makes every source due: who looks at a rehearsal does not wait for the next poll.
func (a *App) fetchAll(ctx context.Context, l *configs.Loaded) error {
	for name := range l.Sources {
		if err := a.db.FetchNow(ctx, name, false, time.Now()); err != nil {
			return err
		}
	}
	a.poller.Wake()
	return nil
}

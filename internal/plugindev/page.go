package plugindev

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/internal/palette"
	"github.com/belfry-news/belfry/sdk"
)

//go:embed page
var files embed.FS

// page is what the template shows.
type page struct {
	Type  string
	State state
	// Site is the page of the channel, and Hook where the plugin is called; empty when it is not.
	Site, Hook string
	// Posts says that it posts to a platform, Writes that it writes to people, Fetched that it is asked for items.
	Posts, Writes, Fetched bool
	Roles                  []sdk.Role

	Published []Post
	Calls     []Call
	Items     []Item
	Log       []Line
	Messages  []Message
	Zone      string
}

// functions write times as a person at this machine reads them.
func functions() template.FuncMap {
	return template.FuncMap{
		"clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
		"full":  func(t time.Time) string { return t.Format(time.RFC3339Nano) },
		"took": func(d time.Duration) string {
			if d < 10*time.Millisecond {
				return d.Round(10 * time.Microsecond).String()
			}
			return d.Round(time.Millisecond).String()
		},
	}
}

// routes lead requests to what answers them.
func (s *Session) routes() (http.Handler, error) {
	shown, err := template.New("").Funcs(functions()).ParseFS(files, "page/dev.html")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { s.show(w, shown) })
	mux.HandleFunc("GET /events", s.events)
	for name, kind := range map[string]string{"dev.css": "text/css; charset=utf-8", "dev.js": "text/javascript; charset=utf-8"} {
		body, err := files.ReadFile("page/" + name)
		if err != nil {
			return nil, err
		}
		if name == "dev.css" {
			body = append([]byte(palette.CSS()), body...)
		}
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) { answer(w, kind, body) })
	}
	for i, name := range []string{"1.png", "2.png"} {
		body, err := picture(i == 1)
		if err != nil {
			return nil, err
		}
		mux.HandleFunc("GET /sample/"+name, func(w http.ResponseWriter, _ *http.Request) { answer(w, "image/png", body) })
	}
	for path, do := range map[string]func(){
		"another":  s.samples.Another,
		"correct":  func() { s.samples.Correct() },
		"withdraw": func() { s.samples.Withdraw() },
		"fetch": func() {
			select {
			case s.asked <- struct{}{}:
			default: // it was asked for already
			}
		},
	} {
		mux.HandleFunc("POST /"+path, func(w http.ResponseWriter, r *http.Request) {
			do()
			http.Redirect(w, r, "/", http.StatusSeeOther)
		})
	}
	return http.NewCrossOriginProtection().Handler(mux), nil
}

func answer(w http.ResponseWriter, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body) // the reader has gone
}

func (s *Session) show(w http.ResponseWriter, shown *template.Template) {
	r := s.journal.read()
	p := page{Type: r.typ, State: r.state, Roles: r.roles, Published: r.posts, Calls: r.calls, Items: r.items, Log: r.log, Messages: r.messages, Zone: time.Now().Format("MST"),
		Posts: slices.Contains(r.roles, sdk.RolePublisher), Writes: slices.Contains(r.roles, sdk.RoleMessenger), Fetched: slices.Contains(r.roles, sdk.RoleSource)}
	if r.state.Running {
		p.Site = r.site + "/c/" + channelName
	}
	if slices.Contains(r.roles, sdk.RoleWebhook) {
		p.Hook = r.site + "/hooks/" + pluginName
	}
	var out bytes.Buffer
	if err := shown.ExecuteTemplate(&out, "dev.html", p); err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	answer(w, "text/html; charset=utf-8", out.Bytes())
}

// events tells a viewer whenever something changed (server-sent events); the viewer then asks for the page again.
func (s *Session) events(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	changed, leave := s.journal.join()
	defer leave()
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	for n, message := 0, "retry: 1000\n\n"; ; n++ {
		if _, err := w.Write([]byte(message)); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
			message = "event: changed\ndata: " + strconv.Itoa(n) + "\n\n"
		case <-beat.C:
			message = ": still here\n\n"
		}
	}
}

package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/internal/palette"
)

//go:embed templates/*.html static/*.css static/demo.js
var files embed.FS

// pages shows the demonstration.
type pages struct {
	d         *Demo
	templates *template.Template
	style     asset
	line      asset // the style of the line above the daemon's pages
	script    asset
	proxy     http.Handler
}

// asset is a file of the program, at an address that changes with its content.
type asset struct {
	path, kind string
	body       []byte
}

func newPages(d *Demo) (*pages, error) {
	p := &pages{d: d}
	var err error
	if p.templates, err = template.ParseFS(files, "templates/*.html"); err != nil {
		return nil, err
	}
	if p.style, err = loadAsset("demo.css", palette.CSS(), "text/css; charset=utf-8"); err != nil {
		return nil, err
	}
	if p.line, err = loadAsset("line.css", "", "text/css; charset=utf-8"); err != nil {
		return nil, err
	}
	if p.script, err = loadAsset("demo.js", "", "text/javascript; charset=utf-8"); err != nil {
		return nil, err
	}
	p.proxy = newProxy(d.daemon.Address, p)
	return p, nil
}

// loadAsset makes an asset of a file, with something before it.
func loadAsset(name, before, kind string) (asset, error) {
	body, err := files.ReadFile("static/" + name)
	body = append([]byte(before), body...)
	sum := sha256.Sum256(body)
	return asset{"/demo/" + hex.EncodeToString(sum[:5]) + "-" + name, kind, body}, err
}

func (a asset) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.body) // the reader has gone
}

// routes leads requests to what answers them: the demonstration's own pages, and the daemon for everything else.
func (p *pages) routes() http.Handler {
	own := http.NewServeMux()
	own.HandleFunc("GET /demo", p.show)
	own.HandleFunc("GET /demo/{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/demo", http.StatusMovedPermanently)
	})
	own.HandleFunc("GET /demo/events", p.events)
	own.Handle("GET "+p.style.path, p.style)
	own.Handle("GET "+p.line.path, p.line)
	own.Handle("GET "+p.script.path, p.script)
	own.Handle("GET /demo/photo/{name}", http.StripPrefix("/demo", p.d.receivers.telegram))
	own.HandleFunc("GET /demo/telegram.json", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.d.receivers.telegram.State()) })
	own.HandleFunc("GET /demo/webhook.json", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.d.receivers.webhook.State()) })
	own.HandleFunc("GET /demo/mail.json", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.d.mailbox.Mails()) })
	own.HandleFunc("GET /demo/mail/{id}", p.letter)
	own.HandleFunc("POST "+leavePath, p.act(p.leave))
	own.HandleFunc("POST /demo/correct", p.act(p.correct))
	own.HandleFunc("POST /demo/withdraw", p.act(p.withdraw))
	own.HandleFunc("POST /demo/cut", p.act(p.cut))
	own.HandleFunc("POST /demo/resolve", p.act(p.resolve))
	if p.d.own != nil {
		own.HandleFunc("POST /demo/ring", p.act(p.ring))
	} else {
		own.HandleFunc("GET /newsroom/{$}", p.index)
		own.Handle("GET "+feedPath, p.d.newsroom.site)
		own.Handle("GET /newsroom/pictures/{name}", p.d.newsroom.site)
		own.HandleFunc("GET /newsroom/{lang}/{slug}", p.article)
	}
	own.HandleFunc("/demo/", func(w http.ResponseWriter, r *http.Request) { p.proxy.ServeHTTP(w, r) })
	guarded := http.NewCrossOriginProtection().Handler(limited(own))
	all := http.NewServeMux()
	for _, path := range []string{"/demo", "/demo/"} {
		all.Handle(path, guarded)
	}
	if p.d.newsroom != nil {
		all.Handle("/newsroom/", guarded)
	}
	all.Handle("/", p.proxy)
	return all
}

// limited puts the limits and headers of the demonstration's own pages around them.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		next.ServeHTTP(w, r)
	})
}

// noting wraps a handler so that the newsroom knows that somebody is there.
func (h *hub) noting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Seen()
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) //nolint:errchkjson // plain records always can be; otherwise the reader has gone
}

// write answers with a page.
func (p *pages) write(w http.ResponseWriter, status int, name string, data any) {
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, name, data); err != nil {
		p.d.trouble("a page of the demonstration cannot be made: " + err.Error())
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the reader has gone
}

// words are those of the language that the reader chose, or else prefers.
func words(r *http.Request) *i18n.Catalogue {
	if lang := r.FormValue("lang"); lang != "" && i18n.For(lang).Lang() == lang {
		return i18n.For(lang)
	}
	return i18n.For(i18n.Match(r.Header.Get("Accept-Language"), "en"))
}

// edition is the one that a reader of a language looks at.
func (d *Demo) edition(lang string) edition {
	if e, ok := d.editions[lang]; ok {
		return e
	}
	return d.editions[ownEdition]
}

func (p *pages) show(w http.ResponseWriter, r *http.Request) {
	v, err := p.view(r)
	if err != nil {
		p.d.trouble("the demonstration cannot be shown: " + err.Error())
		http.Error(w, "The demonstration cannot be shown right now; try again in a moment.", http.StatusServiceUnavailable)
		return
	}
	p.d.readers[p.d.edition(v.Lang()).Lang].Begin()
	w.Header().Add("Vary", "Accept-Language")
	p.write(w, http.StatusOK, "demo", v)
}

// events tells a viewer whenever something changed (server-sent events); the viewer then asks for the page again.
func (p *pages) events(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	changed, leave := p.d.hub.Join()
	defer leave()
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	for message := "retry: 1000\n\n"; ; {
		if _, err := w.Write([]byte(message)); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-p.d.ctx.Done():
			return
		case <-r.Context().Done():
			return
		case <-changed:
			message = "event: changed\ndata: " + strconv.Quote(p.d.version()) + "\n\n"
		case <-beat.C:
			message = ": still here\n\n"
		}
	}
}

// act does what a button says, and leads back to the page.
func (p *pages) act(do func(r *http.Request, e edition) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, "The form could not be read; go back and press the button again.", http.StatusBadRequest)
			return
		}
		words := words(r)
		err := do(r, p.d.edition(words.Lang()))
		if err != nil && !errors.Is(err, errNothingToDo) && !errors.Is(err, errBusy) && !errors.Is(err, errNotYet) {
			p.d.trouble("a button of the demonstration failed: " + err.Error())
		}
		p.d.hub.Changed()
		q := url.Values{}
		if r.FormValue("lang") != "" {
			q.Set("lang", words.Lang())
		}
		if id := r.FormValue("mail"); id != "" {
			q.Set("mail", id)
		}
		if errors.Is(err, errNothingToDo) {
			q.Set("nothing", "done")
		}
		to := strings.TrimSuffix("/demo?"+q.Encode(), "?")
		if r.URL.Path == leavePath {
			to += "#inbox"
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// correct and withdraw are about the article that the reader saw, and about no other when that one is gone.
func (p *pages) correct(r *http.Request, _ edition) error {
	a, at, err := p.d.paper.Correct(r.Context(), r.FormValue("id"))
	if err == nil {
		p.d.begin(KindCorrected, at, a)
	}
	return err
}

func (p *pages) withdraw(r *http.Request, _ edition) error {
	a, at, err := p.d.paper.Withdraw(r.Context(), r.FormValue("id"))
	if err == nil {
		p.d.begin(KindWithdrawn, at, a)
	}
	return err
}

func (p *pages) cut(_ *http.Request, e edition) error {
	if err := p.d.breaker.begin(e.Lang); err != nil {
		return err
	}
	p.d.tasks.Go(func() { p.d.breaker.run(p.d.ctx) })
	return nil
}

func (p *pages) resolve(r *http.Request, _ edition) error {
	delivery, err := strconv.ParseInt(r.FormValue("delivery"), 10, 64)
	if err != nil {
		return errNothingToDo
	}
	if err := p.d.breaker.resolve(r.Context(), delivery, r.FormValue("say") == "arrived"); err != nil {
		return err
	}
	p.d.tasks.Go(func() { p.d.breaker.count(p.d.ctx) })
	return nil
}

func (p *pages) ring(r *http.Request, _ edition) error {
	articles, at, err := p.d.own.Ring(r.Context(), 3)
	if err == nil {
		p.d.begin(KindNew, at, articles...)
	}
	return err
}

// seconds writes a short time as people of a language do: "+0.41 s", "+0,41 s".
func seconds(lang string, d time.Duration) string {
	s := fmt.Sprintf("+%.2f\u00a0s", d.Seconds())
	if lang == "fr" {
		s = strings.ReplaceAll(s, ".", ",")
	}
	return s
}

package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/internal/serve"
)

// routes leads requests to what answers them.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s.page(w, r, "front", s.site.Load().lang(), s.front)
	})
	mux.HandleFunc("GET /c/{channel}", s.serveChannel)
	mux.HandleFunc("GET /c/{channel}/{$}", s.withoutSlash)
	mux.HandleFunc("GET /c/{channel}/feed.atom", s.serveFeed(feedAtom))
	mux.HandleFunc("GET /c/{channel}/feed.json", s.serveFeed(feedJSON))
	mux.HandleFunc("GET /c/{channel}/{post}", s.servePost)
	mux.HandleFunc("GET /media/{name}", s.serveMedia)
	mux.HandleFunc("GET /static/{name}", s.serveStatic)
	mux.HandleFunc("GET /favicon.svg", s.serveIcon)
	mux.HandleFunc("GET /robots.txt", s.serveRobots)
	mux.HandleFunc("GET /sitemap.xml", s.serveSitemap)
	s.peopleRoutes(mux)
	serve.Health(mux, s.s.Ready)
	for pattern, h := range s.s.Routes {
		mux.Handle(pattern, h)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.fail(w, r, http.StatusMethodNotAllowed, "405")
			return
		}
		s.fail(w, r, http.StatusNotFound, "404")
	})
	return mux
}

// view prepares showing something in the language that the reader chose, or else prefers.
func (s *Server) view(r *http.Request, fallback string) *view {
	v := &view{site: s.site.Load(), now: s.s.Now().UTC()}
	if lang := r.URL.Query().Get("lang"); lang != "" && i18n.For(lang).Lang() == lang {
		v.words, v.chosen = i18n.For(lang), true
		return v
	}
	v.words = i18n.For(i18n.Match(r.Header.Get("Accept-Language"), fallback))
	return v
}

// key tells apart what is shown to readers of different languages.
func (v *view) key(parts ...string) string {
	mode := "~"
	if v.chosen {
		mode = "="
	}
	return strings.Join(parts, " ") + " " + mode + v.words.Lang()
}

// page answers with a page of the cache, or makes it.
func (s *Server) page(w http.ResponseWriter, r *http.Request, key, lang string, render func(context.Context, *view) (document, error)) {
	v := s.view(r, lang)
	s.show(w, r, v, v.key(key), func(ctx context.Context) (document, error) {
		// What is kept must not be older than the cache takes it for: time and configuration are read anew.
		fresh := *v
		fresh.site = s.site.Load()
		return render(ctx, &fresh)
	})
}

// show answers with a document of the cache, or makes it.
func (s *Server) show(w http.ResponseWriter, r *http.Request, v *view, key string, render func(context.Context) (document, error)) {
	e, err := s.cache.get(r.Context(), key, v.now, s.s.Store.PagesVersion, render)
	if err != nil {
		if missing, ok := errors.AsType[*missingError](err); ok {
			s.refuse(w, r, missing)
			return
		}
		s.s.Log.Error("a page cannot be read", "path", r.URL.Path, "err", err)
		w.Header().Set("Retry-After", "5")
		s.fail(w, r, http.StatusServiceUnavailable, "503")
		return
	}
	e.answer(w, r, v.now)
}

// missingError says that nothing stands at an address, or that it stands elsewhere.
type missingError struct {
	// elsewhere is the path to go to; empty when there is none.
	elsewhere string
	// status and code of the page that says so.
	status int
	code   string
}

func (n *missingError) Error() string { return "nothing stands at this address" }

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, n *missingError) {
	if n.elsewhere == "" {
		s.fail(w, r, n.status, n.code)
		return
	}
	to := url.URL{Path: n.elsewhere, RawQuery: r.URL.RawQuery}
	w.Header().Set("Cache-Control", controlFeed)
	http.Redirect(w, r, to.String(), http.StatusPermanentRedirect)
}

// fail answers with a page that says what is wrong.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, code string) {
	v := s.view(r, s.site.Load().lang())
	e, err := s.cache.get(r.Context(), v.key("error", code), v.now, s.s.Store.PagesVersion, func(context.Context) (document, error) {
		return v.failure(status, code, "", "")
	})
	if err != nil {
		s.s.Log.Error("an error page cannot be made", "err", err)
		http.Error(w, http.StatusText(status), status)
		return
	}
	e.answer(w, r, v.now)
}

// unknownChannel says what became of a channel that is not configured.
func (s *Server) unknownChannel(ctx context.Context, st *site, name, rest string) error {
	if to, ok := st.renamed[name]; ok {
		return &missingError{elsewhere: "/c/" + to + rest}
	}
	if st.closed(name) {
		posts, err := s.s.Store.ShownPosts(ctx, Range{Channel: name, Now: s.s.Now().UTC(), Most: 1})
		if err != nil {
			return err
		}
		if len(posts) > 0 {
			return &missingError{status: http.StatusGone, code: "410.channel"}
		}
	}
	return &missingError{status: http.StatusNotFound, code: "404"}
}

func (s *Server) serveChannel(w http.ResponseWriter, r *http.Request) {
	name, cursor := r.PathValue("channel"), r.URL.Query().Get("before")
	if !isName(name) || cursor != "" && !isName(cursor) {
		s.fail(w, r, http.StatusNotFound, "404")
		return
	}
	s.page(w, r, "channel "+name+" "+cursor, s.site.Load().langOf(name), func(ctx context.Context, v *view) (document, error) {
		if _, ok := v.site.config.Channels[name]; !ok {
			return document{}, s.unknownChannel(ctx, v.site, name, "")
		}
		if cursor == "" {
			return s.channel(ctx, v, name, nil)
		}
		p, found, err := s.s.Store.ShownPost(ctx, cursor, v.now)
		if err != nil {
			return document{}, err
		}
		if !found || p.Channel != name {
			return document{}, &missingError{status: http.StatusNotFound, code: "404"}
		}
		return s.channel(ctx, v, name, &p)
	})
}

// isName reports whether a text can be the name of a channel or the id of a post; nothing else is looked for.
func isName(s string) bool { return validName.MatchString(s) }

var validName = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)

func (s *Server) servePost(w http.ResponseWriter, r *http.Request) {
	name, id := r.PathValue("channel"), r.PathValue("post")
	if !isName(name) || !isName(id) {
		s.fail(w, r, http.StatusNotFound, "404")
		return
	}
	s.page(w, r, "post "+name+" "+id, s.site.Load().langOf(name), func(ctx context.Context, v *view) (document, error) {
		p, found, err := s.s.Store.ShownPost(ctx, id, v.now)
		switch {
		case err != nil:
			return document{}, err
		case !found:
			return document{}, &missingError{status: http.StatusNotFound, code: "404"}
		case p.Channel != name:
			return document{}, &missingError{elsewhere: permalink(&p)}
		}
		return s.post(ctx, v, &p)
	})
}

func (s *Server) withoutSlash(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, &missingError{elsewhere: strings.TrimSuffix(r.URL.Path, "/")})
}

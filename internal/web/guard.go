package web

import (
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/serve"
)

// maxBody is far more than a page needs.
const maxBody = 64 << 10

// hooks is where publishing systems and platforms call; who takes the calls bounds them.
const hooks = "/hooks/"

// hubHooks is where the hubs of feeds call, each at a path that nobody else knows.
const hubHooks = hooks + "websub/"

// guard puts the limits and headers that hold for every answer around a handler: nobody's code runs in a page, nothing is
// loaded from elsewhere, and a fault of one page is a page that says so.
func (s *Server) guard(next http.Handler) http.Handler {
	fixed := http.Header{
		"Content-Security-Policy": {s.policy("'none'")},
		"X-Content-Type-Options":  {"nosniff"},
		// Readers' ways between articles stay here; other sites learn which newsroom sent them, and no more.
		"Referrer-Policy": {"strict-origin-when-cross-origin"},
		"Permissions-Policy": {"accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), " +
			"geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=()"},
		"Cross-Origin-Opener-Policy":        {"same-origin"},
		"Cross-Origin-Resource-Policy":      {"cross-origin"}, // feed readers show images, and sites fetch feeds
		"X-Permitted-Cross-Domain-Policies": {"none"},
	}
	words := map[int]string{http.StatusRequestEntityTooLarge: "413", http.StatusInternalServerError: "500"}
	g := serve.Guard{Log: s.s.Log, MaxBody: maxBody, Path: loggedPath, Own: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, hooks) },
		Fail: func(w http.ResponseWriter, r *http.Request, status int) { s.fail(w, r, status, words[status]) }}
	if s.s.Served != nil {
		g.Served = func(r *http.Request, status int, took time.Duration) { s.s.Served(class(r.Pattern), status, took) }
	}
	limited := g.Wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), fixed)
		limited.ServeHTTP(w, r)
	})
}

// policy is what pages may do; forms is where their forms may go.
func (s *Server) policy(forms string) string {
	framing := "'none'"
	if s.s.Framed {
		framing = "'self'"
	}
	return "default-src 'none'; img-src 'self'; style-src 'self'; form-action " + forms + "; base-uri 'none'; frame-ancestors " + framing
}

// Classes of what is served: front, channel, feed, post, media, static, people and other.
func class(pattern string) string {
	switch pattern {
	case "GET /{$}":
		return "front"
	case "GET /c/{channel}", "GET /c/{channel}/{$}":
		return "channel"
	case "GET /c/{channel}/feed.atom", "GET /c/{channel}/feed.json":
		return "feed"
	case "GET /c/{channel}/{post}":
		return "post"
	case "GET /media/{name}":
		return "media"
	case "GET /static/{name}", "GET /favicon.svg":
		return "static"
	}
	path := pattern[strings.LastIndexByte(pattern, ' ')+1:]
	for _, prefix := range personPrefixes {
		if strings.HasPrefix(path, prefix) {
			return "people"
		}
	}
	return "other"
}

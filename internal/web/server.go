// Package web serves the public pages and feeds of channels, their images, and health. Its one promise: it shows what
// the store has on show at this moment, nothing before its time, and nothing for longer than a second after it was taken
// back; what came from a source is text on every page, never markup.
package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/serve"
)

// Settings wire a Server.
type Settings struct {
	Store Store
	// Files are the stored images.
	Files *media.Files
	Log   *slog.Logger
	// Ready says whether the daemon has started; nil means that it has.
	Ready  func() bool
	Config *configs.Config
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Routes are further handlers by their patterns (see http.ServeMux), such as the demo's. They stand behind the same
	// limits, and under the same headers unless they set their own.
	Routes map[string]http.Handler
	// Framed lets pages of this origin show the public pages in a frame; nobody else ever may.
	Framed bool
	// People are those who may be written to, with what they can follow; nil means that nobody can, and that the people's
	// pages do not exist.
	People People
	// Origin gives where a request comes from, as far as privacy.ip lets evidence keep it; nil means nothing.
	Origin func(*http.Request) string
	// Network gives the network that a request comes from, whatever privacy.ip says: sign-ups of one network are bounded by it,
	// in memory alone. Empty, or nil, means nobody's: that of a proxy on this machine, say, which many stand behind.
	Network func(*http.Request) string
	// Served is told of every answer: the class of the page, the status, and how long it took; nil when nobody wants to know.
	Served func(class string, status int, took time.Duration)
}

// Server serves the pages.
type Server struct {
	s       Settings
	site    atomic.Pointer[site]
	local   atomic.Pointer[string] // where it is served, for sites without an address of their own
	cache   *cache
	pace    *pace
	handler http.Handler
	http    *serve.Server
}

// maxConns is how many connections are held at once, and maxOfOne how many from one client; renderTime and versionTime bound what a page waits for the store.
const (
	maxConns    = 2048
	maxOfOne    = 128
	renderTime  = 5 * time.Second
	versionTime = 2 * time.Second
)

// New makes a Server; Serve starts it.
func New(s Settings) *Server {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Ready == nil {
		s.Ready = func() bool { return true }
	}
	srv := &Server{s: s, cache: newCache(), pace: newPace()}
	srv.Use(s.Config)
	srv.handler = srv.guard(srv.routes())
	srv.http = serve.New(srv.handler, serve.Limits{Conns: maxConns, PerClient: maxOfOne, Trusted: srv.proxy}, "the pages are", s.Log)
	return srv
}

// proxy says of a peer that many readers come through it: it is a trusted proxy, or on this machine, where the web server in
// front usually is.
func (s *Server) proxy(peer netip.Addr) bool {
	return peer.IsLoopback() || serve.Among(peer, s.site.Load().config.Proxies)
}

// Handler gives the pages as a handler, with all their limits but those of connections.
func (s *Server) Handler() http.Handler { return s.handler }

// Changed tells that posts, images or what can be followed changed. A call that is missed costs a second, and of what can be
// followed a minute, not more.
func (s *Server) Changed() { s.cache.forget() }

// Use puts another configuration in force.
func (s *Server) Use(c *configs.Config) {
	local := ""
	if p := s.local.Load(); p != nil {
		local = *p
	}
	s.site.Store(newSite(c, local))
	s.cache.forget()
}

// Serve serves on a listener until Stop.
func (s *Server) Serve(ln net.Listener) {
	local := localAddress(ln.Addr())
	s.local.Store(&local)
	s.Use(s.site.Load().config)
	s.http.Serve(ln)
}

// Stop waits for requests under way until ctx ends, and then cuts them off.
func (s *Server) Stop(ctx context.Context) error { return s.http.Stop(ctx) }

// localAddress is the address of a listener as a browser on the same machine writes it.
func localAddress(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

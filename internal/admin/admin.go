// Package admin serves what only operators see, at an address of its own: metrics, the API, profiles and health. Its one
// promise: nothing of it is open to anybody who is neither on this machine nor holds a token for it.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"

	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/memory"
	"github.com/belfry-news/belfry/internal/serve"
)

// maxConns and maxOfOne are far more than operators and their scrapers need; maxBody is what the API takes.
const (
	maxConns = 256
	maxOfOne = 64
	maxBody  = 1 << 20
)

// Settings wire a Server.
type Settings struct {
	// Listen is the address: a loopback one, or any other when there are tokens.
	Listen string
	// API serves everything below api.Base, and asks for tokens itself.
	API http.Handler
	// Metrics answers scrapes.
	Metrics http.Handler
	// Tokens say who may see metrics and profiles from elsewhere.
	Tokens *api.Tokens
	// Trusted says of a peer that it is a proxy, which speaks for many clients; nil trusts nobody.
	Trusted func(peer netip.Addr) bool
	// Ready says whether the daemon has started; nil means that it has.
	Ready func() bool
	Log   *slog.Logger
}

// Server serves the admin address.
type Server struct {
	s    Settings
	http *serve.Server
	addr string
}

// New makes a Server; Start starts it.
func New(s Settings) *Server {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Ready == nil {
		s.Ready = func() bool { return true }
	}
	srv := &Server{s: s}
	srv.http = serve.New(srv.Handler(), serve.Limits{Conns: maxConns, PerClient: maxOfOne, Trusted: s.Trusted}, "the admin address is", s.Log)
	return srv
}

// Handler gives what is served, with all its limits but those of connections.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(api.Base+"/", s.s.API)
	mux.Handle("GET /metrics", s.guarded(api.ScopeRead, s.s.Metrics))
	// Without cmdline: what stands on the command line may be a secret.
	mux.Handle("GET /debug/pprof/", s.guarded(api.ScopeOperate, http.HandlerFunc(pprof.Index)))
	mux.Handle("GET /debug/pprof/heap", s.guarded(api.ScopeOperate, memoryProfile("heap")))
	mux.Handle("GET /debug/pprof/allocs", s.guarded(api.ScopeOperate, memoryProfile("allocs")))
	mux.Handle("GET /debug/pprof/profile", s.guarded(api.ScopeOperate, http.HandlerFunc(pprof.Profile)))
	mux.Handle("GET /debug/pprof/symbol", s.guarded(api.ScopeOperate, http.HandlerFunc(pprof.Symbol)))
	mux.Handle("POST /debug/pprof/symbol", s.guarded(api.ScopeOperate, http.HandlerFunc(pprof.Symbol)))
	mux.Handle("GET /debug/pprof/trace", s.guarded(api.ScopeOperate, http.HandlerFunc(pprof.Trace)))
	serve.Health(mux, s.s.Ready)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		serve.Word(w, http.StatusNotFound, "here are "+api.Base+"/openapi.json, /metrics, /debug/pprof/, /healthz and /readyz")
	})
	return serve.Guard{Log: s.s.Log, MaxBody: maxBody, Fail: api.Fail}.Wrap(mux)
}

// memoryProfile serves a profile that begins when it is first asked for, because it takes memory itself.
func memoryProfile(name string) http.Handler {
	profile := pprof.Handler(name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if memory.Sample() {
			w.Header().Set("X-Go-Pprof", "1") // so that go tool pprof shows what is said
			w.Header().Set("Retry-After", "60")
			serve.Word(w, http.StatusServiceUnavailable, "the memory profile begins now, and holds what is allocated from now on; ask again in some minutes")
			return
		}
		profile.ServeHTTP(w, r)
	})
}

// guarded lets in who is on this machine, and who has a token with the scope.
func (s *Server) guarded(scope string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !local(r) || r.Header.Get("Authorization") != "" {
			if _, p := s.s.Tokens.Authorize(r, scope); p != nil {
				p.Answer(w)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// local says that a request comes from this machine itself: not through a proxy that runs here, and not from a page in a
// browser here that made a name of its own lead to this machine.
func local(r *http.Request) bool {
	if !serve.Peer(r).IsLoopback() {
		return false
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return loopbackHost(r.Host)
}

// loopbackHost says that a host, with or without a port, is this machine by a name that nobody else can give.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// Start listens and serves. An address that others can reach is refused while nobody has a token.
func (s *Server) Start(ctx context.Context) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.s.Listen)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		return fmt.Errorf("the admin address %s cannot be used: %w; choose another one with admin_listen:, or end what uses it", s.s.Listen, err)
	}
	// What is really listened at decides, whatever name led there. Nothing is answered before.
	if at, ok := ln.Addr().(*net.TCPAddr); (!ok || !at.IP.IsLoopback()) && s.s.Tokens.Empty() {
		_ = ln.Close()
		return fmt.Errorf("the admin address %s can be reached from other machines, and no token is configured; write admin_listen: 127.0.0.1:9080, "+
			"or make a token: belfry token NAME", s.s.Listen)
	}
	s.addr = ln.Addr().String()
	s.http.Serve(ln)
	return nil
}

// Addr is where it is served, with the real port; empty before Start.
func (s *Server) Addr() string { return s.addr }

// Stop waits for requests under way until ctx ends, and then cuts them off.
func (s *Server) Stop(ctx context.Context) error { return s.http.Stop(ctx) }

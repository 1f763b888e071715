// Package web serves the public pages and feeds, the images, and health.
package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/store"
)

// Settings wire a Server.
type Settings struct {
	Store   *store.DB
	Files   *media.Files
	Log     *slog.Logger
	Version string
	Ready   func() bool
	Config  *configs.Config
}

// Server serves the pages.
type Server struct {
	s    Settings
	http *http.Server
	done sync.WaitGroup
}

// New makes a Server.
func New(s Settings) *Server {
	srv := &Server{s: s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.Ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	srv.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return srv
}

// Changed tells that posts changed.
func (s *Server) Changed() {}

// Use puts another configuration in force.
func (s *Server) Use(*configs.Config) {}

// Serve serves on a listener.
func (s *Server) Serve(ln net.Listener) { s.done.Go(func() { _ = s.http.Serve(ln) }) }

// Stop waits for requests under way.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	s.done.Wait()
	return err
}

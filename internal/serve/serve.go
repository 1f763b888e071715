// Package serve serves a handler on a listener. Its one promise: no client, however slow, large or many, holds up the
// others, and a fault of one request is an answer that says so.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds on requests and connections. What is served needs no more than a request line and a few headers; whoever is
// slower than this, or holds more connections, holds others up.
const (
	headerTime = 3 * time.Second
	readTime   = 10 * time.Second
	idleTime   = 30 * time.Second
	maxHeader  = 16 << 10

	// WriteTime bounds how long an answer may take, its making included.
	WriteTime = time.Minute
)

// Server serves one handler.
type Server struct {
	http *http.Server
	door *door
	what string
	log  *slog.Logger
	done sync.WaitGroup
}

// New makes a Server; Serve starts it. what names in the log what is served.
func New(h http.Handler, l Limits, what string, log *slog.Logger) *Server {
	return &Server{door: newDoor(l, what, log), what: what, log: log, http: &http.Server{Handler: answering(h), ConnContext: withGuest,
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: WriteTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}}
}

// Serve serves on a listener until Stop, which closes it.
func (s *Server) Serve(ln net.Listener) {
	s.done.Go(func() {
		if err := s.http.Serve(&listener{ln, s.door}); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error(s.what+" not served any more", "err", err)
		}
	})
}

// Stop waits for requests under way until ctx ends, and then cuts them off.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	s.done.Wait()
	return err
}

// Word answers programs in a word, which nobody keeps.
func Word(w http.ResponseWriter, status int, word string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(word + "\n"))
}

// Health serves /healthz, which says that the process answers, and /readyz, which says whether it has started.
func Health(mux *http.ServeMux, ready func() bool) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { Word(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			Word(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		Word(w, http.StatusOK, "ok")
	})
}

package serve

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// Guard puts limits around a handler.
type Guard struct {
	Log *slog.Logger
	// Path gives a request's path as the log may have it; nil means as it is.
	Path func(*http.Request) string
	// MaxBody is the largest body of a request, in bytes.
	MaxBody int64
	// Own says of a request that its handler bounds the body itself; nil means that none does.
	Own func(*http.Request) bool
	// Fail answers a request that is too large (413) or whose handler failed (500).
	Fail func(w http.ResponseWriter, r *http.Request, status int)
	// Served is told of every answer, after it; nil when nobody wants to know. The request's Pattern is known then.
	Served func(r *http.Request, status int, took time.Duration)
}

// Wrap gives the handler with the limits around it. A handler that panics is logged and answered with 500; when its answer
// has begun, the connection is cut off, which the reader's program notices.
func (g Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		out := &watched{ResponseWriter: w}
		if g.Served != nil {
			defer func() { g.Served(r, out.code(), time.Since(begun)) }()
		}
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			err, _ := fault.(error)
			aborted := errors.Is(err, http.ErrAbortHandler)
			if !aborted {
				path := r.URL.Path
				if g.Path != nil {
					path = g.Path(r)
				}
				g.Log.Error("a request failed", "path", path, "fault", fault, "stack", string(debug.Stack()))
			}
			if aborted || out.status != 0 {
				out.begin(http.StatusInternalServerError)
				panic(http.ErrAbortHandler)
			}
			g.Fail(out, r, http.StatusInternalServerError)
		}()
		if g.Own != nil && g.Own(r) {
			next.ServeHTTP(out, r)
			return
		}
		if r.ContentLength > g.MaxBody || r.ContentLength < 0 && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			out.Header().Set("Connection", "close")
			g.Fail(out, r, http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(out, r.Body, g.MaxBody)
		next.ServeHTTP(out, r)
	})
}

// watched notes what an answer begins with.
type watched struct {
	http.ResponseWriter
	status int // 0 until it begins
}

// code is the status that the client was given.
func (w *watched) code() int {
	if w.status == 0 {
		return http.StatusOK // a handler that writes nothing
	}
	return w.status
}

func (w *watched) begin(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// WriteHeader notes the status; what is only informational begins no answer.
func (w *watched) WriteHeader(status int) {
	if status >= 200 {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets files be sent without copying them.
func (w *watched) ReadFrom(src io.Reader) (int64, error) {
	w.begin(http.StatusOK)
	return io.Copy(w.ResponseWriter, src)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

package web

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
)

// guard puts the limits and headers that hold for every answer around a handler: nobody's code runs in a page, nothing is
// loaded from elsewhere, and a fault of one page is a page that says so.
func (s *Server) guard(next http.Handler) http.Handler {
	framing := "'none'"
	if s.s.Framed {
		framing = "'self'"
	}
	fixed := http.Header{
		"Content-Security-Policy": {"default-src 'none'; img-src 'self'; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors " + framing},
		"X-Content-Type-Options":  {"nosniff"},
		// Readers' ways between articles stay here; other sites learn which newsroom sent them, and no more.
		"Referrer-Policy": {"strict-origin-when-cross-origin"},
		"Permissions-Policy": {"accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), " +
			"geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=()"},
		"Cross-Origin-Opener-Policy":        {"same-origin"},
		"Cross-Origin-Resource-Policy":      {"cross-origin"}, // feed readers show images, and sites fetch feeds
		"X-Permitted-Cross-Domain-Policies": {"none"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		maps.Copy(h, fixed)
		out := &watched{ResponseWriter: w}
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			err, _ := fault.(error)
			aborted := errors.Is(err, http.ErrAbortHandler)
			if !aborted {
				s.s.Log.Error("a page failed", "path", r.URL.Path, "fault", fault, "stack", string(debug.Stack()))
			}
			if aborted || out.begun {
				panic(http.ErrAbortHandler) // the answer is cut off, which the reader's program notices
			}
			s.fail(w, r, http.StatusInternalServerError, "500")
		}()
		if r.ContentLength > maxBody || r.ContentLength < 0 && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			h.Set("Connection", "close")
			s.fail(out, r, http.StatusRequestEntityTooLarge, "413")
			return
		}
		r.Body = http.MaxBytesReader(out, r.Body, maxBody)
		next.ServeHTTP(out, r)
	})
}

// watched notes whether an answer has begun.
type watched struct {
	http.ResponseWriter
	begun bool
}

func (w *watched) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets files be sent without copying them.
func (w *watched) ReadFrom(src io.Reader) (int64, error) {
	w.begun = true
	return io.Copy(w.ResponseWriter, src)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

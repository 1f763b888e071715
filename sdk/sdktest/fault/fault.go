// Package fault breaks an HTTP server on a script, so that a strict fake can do what real servers do on bad days: lose
// an answer, before or after the work was done, delay it, cut it in half, or give something else in its place.
//
// It imports nothing of package testing, so that a demonstration or a crash harness may use it too.
package fault

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Fault is one thing that goes wrong. The zero value answers with nothing changed, which is useful with Delay alone.
type Fault struct {
	// On says which requests may meet the fault; nil means all of them. The body can be read, and is given back.
	On func(*http.Request) bool
	// Every makes the fault happen at each n-th of these requests, for ever. When it is 0, the fault happens at the next
	// Times of them; 0 means one.
	Every, Times int

	// Before and After are waits, before the server sees the request and before it answers. They end with the request.
	Before, After time.Duration
	// Accepted lets the server do its work although its own answer is lost or replaced. Without it, a fault that drops
	// or replaces the answer keeps the request from the server.
	Accepted bool
	// Drop breaks off the connection without an answer; Half does so after half of it.
	Drop, Half bool
	// Drip sends the answer byte by byte with this pause between two of them.
	Drip time.Duration
	// Status, unless 0, replaces the answer, with Header and Body.
	Status int
	Header http.Header
	Body   string
}

// Script holds the faults to come. Its zero value has none. It may be used from several goroutines.
type Script struct {
	mu    sync.Mutex
	armed []*armed
	met   int
}

type armed struct {
	Fault
	seen, left int
}

// Add appends faults to the script. The first fault that a request meets is the only one for it.
func (s *Script) Add(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.armed = append(s.armed, &armed{Fault: f, left: max(f.Times, 1)})
	}
}

// Clear forgets the faults that have not happened yet.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = nil
}

// Met counts the faults that happened.
func (s *Script) Met() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.met
}

// next gives the fault that this request meets.
func (s *Script) next(r *http.Request, body []byte) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.armed {
		if f.On != nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			if !f.On(r) {
				continue
			}
		}
		f.seen++
		if f.Every > 0 {
			if f.seen%f.Every != 0 {
				continue
			}
			s.met++
			return f.Fault, true
		}
		if f.left--; f.left == 0 {
			s.armed = append(s.armed[:i:i], s.armed[i+1:]...)
		}
		s.met++
		return f.Fault, true
	}
	return Fault{}, false
}

// maxRequest is the most bytes of a request that the script holds back; larger ones are cut off there.
const maxRequest = 256 << 20

// Wrap puts the script before a server.
func (s *Script) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
		if err != nil {
			return // the client went away
		}
		f, hit := s.next(r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !hit {
			next.ServeHTTP(w, r)
			return
		}
		f.happen(w, r, next)
	})
}

func (f Fault) happen(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !wait(r, f.Before) {
		return
	}
	answer := &recorder{header: http.Header{}}
	if f.Accepted || (!f.Drop && f.Status == 0) {
		next.ServeHTTP(answer, r)
	}
	if f.Status != 0 {
		answer = &recorder{header: f.Header.Clone(), status: f.Status}
		answer.body.WriteString(f.Body)
	}
	if !wait(r, f.After) {
		return
	}
	switch {
	case f.Drop:
		hangUp(w, nil)
	case f.Half:
		whole := answer.wire()
		hangUp(w, whole[:len(whole)-(answer.body.Len()+1)/2])
	default:
		answer.send(w, r, f.Drip)
	}
}

// wait is false when the client went away meanwhile.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// hangUp writes what is given and breaks off the connection with a reset.
func hangUp(w http.ResponseWriter, first []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// HTTP/2 and recorders have no connection of their own; this aborts the stream.
		panic(http.ErrAbortHandler)
	}
	if len(first) > 0 {
		_, _ = conn.Write(first)
	} else if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *recorder) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// wire is the answer as HTTP/1.1 writes it.
func (a *recorder) wire() []byte {
	a.WriteHeader(http.StatusOK)
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(a.status) + " " + http.StatusText(a.status) + "\r\n")
	a.header.Del("Content-Length")
	_ = a.header.Write(&b)
	b.WriteString("Content-Length: " + strconv.Itoa(a.body.Len()) + "\r\n\r\n")
	b.Write(a.body.Bytes())
	return b.Bytes()
}

func (a *recorder) send(w http.ResponseWriter, r *http.Request, drip time.Duration) {
	maps.Copy(w.Header(), a.header)
	a.WriteHeader(http.StatusOK)
	w.WriteHeader(a.status)
	if drip <= 0 {
		_, _ = w.Write(a.body.Bytes())
		return
	}
	flush := http.NewResponseController(w)
	for _, c := range a.body.Bytes() {
		if _, err := w.Write([]byte{c}); err != nil {
			return
		}
		if err := flush.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return
		}
		if !wait(r, drip) {
			return
		}
	}
}

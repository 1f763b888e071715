// Package hook takes the calls of publishing systems at /hooks/NAME. Its one promise: a call that was answered with a 2xx as
// accepted is on the disk, it was genuine, and its delivery was taken once. What is refused is told in a problem document
// (RFC 9457), from which the sender's developer learns what to change, and nothing that would help to forge a call.
package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/sdk"
)

// Store is what the door needs of the store.
type Store interface {
	// KeepCall keeps a call unless its delivery came before. What it says is on the disk when it returns without an error.
	KeepCall(ctx context.Context, c intake.Call) (intake.Kept, error)
	// CountWaitingCalls counts the calls of a source that wait to be mapped, no further than one beyond limit.
	CountWaitingCalls(ctx context.Context, source string, limit int) (int, error)
}

// Source is a source that is called.
type Source struct {
	Receiver sdk.WebhookReceiver
	// MaxBody is the largest body, in bytes, and PerSecond how many genuine calls are taken in a second.
	MaxBody   int64
	PerSecond int
	// Done is called when the source is no longer used.
	Done func()
}

// Settings wire a Door.
type Settings struct {
	Store Store
	// Source gives a source by name; false when none of that name is called.
	Source func(name string) (Source, bool)
	// Closed says of a name that its source is configured and called, but not open: the daemon starts, stops, or mends it.
	Closed func(name string) bool
	// Retired says that a name was in use and is not any more: its sender is told to stop.
	Retired func(name string) bool
	// Other answers calls to names that are no source; false when it knows none either.
	Other func(w http.ResponseWriter, r *http.Request, name string) bool
	// Hubs are the subscriptions of feeds; nil when there are none.
	Hubs Hubs
	// Low says that the disk has no room for more.
	Low func() bool
	// Answered is told of each answer to a call of a source: what became of it (accepted, duplicate, ignored, asked, or the status
	// with which it was refused), and how long it took; may be nil.
	Answered func(source, outcome string, took time.Duration)
	// Came is called after a call was kept.
	Came func()
	Log  *slog.Logger
}

// Door is the handler of /hooks/{name}.
type Door struct {
	s  Settings
	mu sync.Mutex
	// limits and backlogs are by the names of sources; a configuration has few.
	limits   map[string]*rate.Limiter
	backlogs map[string]backlog
}

type backlog struct {
	at time.Time
	n  int
}

// New makes a Door.
func New(s Settings) *Door {
	return &Door{s: s, limits: map[string]*rate.Limiter{}, backlogs: map[string]backlog{}}
}

const (
	// readTime bounds the reading of a body, verifyTime its verification.
	readTime   = 20 * time.Second
	verifyTime = 5 * time.Second
	// countEvery is how often the calls that wait are counted.
	countEvery = time.Second
	// again is when a sender is asked to come back, in seconds.
	again = 10
)

// ServeHTTP takes a call.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	src, ok := d.s.Source(name)
	if !ok {
		switch {
		case d.s.Closed != nil && d.s.Closed(name):
			Later(w, "not_open", "Belfry takes no calls at the moment; send this one again")
		case d.s.Other != nil && d.s.Other(w, r, name):
		case d.s.Retired != nil && d.s.Retired(name):
			Refuse(w, http.StatusGone, "gone", "nothing is taken here any more; delete this webhook")
		default:
			Refuse(w, http.StatusNotFound, "not_found", "no source or destination of this name is called; compare the address with the name in Belfry's configuration")
		}
		return
	}
	defer src.Done()
	a := d.answer(w)
	w = a
	defer a.done(name)
	body, ok := Body(w, r, src.MaxBody, ", or let Belfry's admin raise max_call of this source")
	if !ok {
		return
	}
	call := sdk.WebhookRequest{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: time.Now().UTC()}
	ctx, cancel := context.WithTimeout(r.Context(), verifyTime)
	defer cancel()
	v, err := src.Receiver.Verify(ctx, call)
	switch {
	case err != nil:
		d.s.Log.Error("a webhook cannot be verified", "source", name, "err", err)
		Later(w, "verification_failed", "the call cannot be verified at the moment; send it again")
	case !v.Accept:
		if v.Reply.Status >= http.StatusBadRequest {
			d.s.Log.Warn("a webhook was refused", "source", name, "status", v.Reply.Status, "bytes", len(body))
		}
		Reply(w, v.Reply)
	default:
		_ = d.keep(a, r, src, intake.Call{Source: name, Delivery: v.DeliveryID, Request: call}, v)
	}
}

// Body reads the body of a call within bounds, or refuses it. mend says what else may be done about one that is too large.
func Body(w http.ResponseWriter, r *http.Request, most int64, mend string) ([]byte, bool) {
	if c := r.Header.Get("Content-Encoding"); c != "" && c != "identity" {
		Refuse(w, http.StatusUnsupportedMediaType, "encoding_unsupported", fmt.Sprintf("the body is compressed (%.40s); send it as it is", c))
		return nil, false
	}
	tooLarge := func() {
		w.Header().Set("Connection", "close")
		Refuse(w, http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("the body has more than %d bytes; send less%s", most, mend))
	}
	if r.ContentLength > most {
		tooLarge()
		return nil, false
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTime)) // not every connection has one
	in := http.MaxBytesReader(w, r.Body, most)
	var body []byte
	var err error
	if r.ContentLength > 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(in, body)
	} else {
		body, err = io.ReadAll(in)
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		tooLarge()
		return nil, false
	}
	if err != nil {
		w.Header().Set("Connection", "close")
		Refuse(w, http.StatusBadRequest, "body_incomplete", fmt.Sprintf("the body did not arrive whole within %s; send it again", sdk.D(readTime)))
		return nil, false
	}
	return body, true
}

const notKept = "the call cannot be kept at the moment; send it again"

// keep commits a genuine call and answers it. It says whether the call was kept.
func (d *Door) keep(w *answer, r *http.Request, src Source, c intake.Call, v sdk.Verdict) bool {
	name := c.Source
	if d.s.Low != nil && d.s.Low() {
		Later(w, "disk_low", "Belfry has no room on its disk at the moment; send the call again")
		return false
	}
	if !d.limit(name, src.PerSecond).Allow() {
		w.Header().Set("Retry-After", "1")
		Refuse(w, http.StatusTooManyRequests, "rate_limited", fmt.Sprintf("more than %d calls came within a second; send this one again, and fewer at once", src.PerSecond))
		return false
	}
	switch n, err := d.waiting(r.Context(), name); {
	case err != nil:
		d.s.Log.Error("the webhooks that wait cannot be counted", "source", name, "err", err)
		Later(w, "store_unavailable", notKept)
		return false
	case n > intake.MaxWaitingCalls:
		Later(w, "backlog", "many calls wait to be worked on; send this one again")
		return false
	}
	c.Request.Header = kept(c.Request.Header, v.Forget)
	outcome, err := d.s.Store.KeepCall(r.Context(), c)
	switch {
	case err != nil:
		d.s.Log.Error("a webhook cannot be kept", "source", name, "err", err)
		Later(w, "store_unavailable", notKept)
	case outcome == intake.KeptConflict:
		d.s.Log.Warn("a delivery came again with another body", "source", name, "delivery", v.DeliveryID)
		Refuse(w, http.StatusConflict, "delivery_conflict", fmt.Sprintf("delivery %.100q came before with another body; give each delivery an id of its own, and repeat the same body under the same id", v.DeliveryID))
	case outcome == intake.KeptDuplicate:
		w.outcome = "duplicate"
		Reply(w, sdk.WebhookReply{Status: http.StatusOK, Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(`{"status":"duplicate"}` + "\n")})
	default:
		w.outcome = "accepted"
		if d.s.Came != nil {
			d.s.Came()
		}
		Reply(w, v.Reply)
		return true
	}
	return false
}

// limit gives the limiter of a source.
func (d *Door) limit(name string, perSecond int) *rate.Limiter {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.limits[name]
	if l == nil || l.Burst() != perSecond {
		l = rate.NewLimiter(rate.Limit(perSecond), perSecond)
		d.limits[name] = l
	}
	return l
}

// waiting is about how many calls of a source wait.
func (d *Door) waiting(ctx context.Context, name string) (int, error) {
	now := time.Now()
	d.mu.Lock()
	known := d.backlogs[name]
	if now.Sub(known.at) < countEvery {
		d.mu.Unlock()
		return known.n, nil
	}
	d.backlogs[name] = backlog{now, known.n} // others go by the old count meanwhile
	d.mu.Unlock()
	n, err := d.s.Store.CountWaitingCalls(ctx, name, intake.MaxWaitingCalls)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	d.backlogs[name] = backlog{now, n}
	d.mu.Unlock()
	return n, nil
}

// kept are the headers that a mapping may need: none that holds a credential, or says how the call came here.
func kept(h map[string][]string, forget []string) map[string][]string {
	out := map[string][]string{}
	bytes := 0
	for name, values := range h {
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case "Authorization", "Proxy-Authorization", "Cookie", "Connection", "Accept", "Accept-Encoding", "Accept-Language", "Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via":
			continue
		}
		if slices.ContainsFunc(forget, func(f string) bool { return strings.EqualFold(f, name) }) {
			continue
		}
		for _, v := range values {
			bytes += len(name) + len(v)
		}
		if bytes > maxKeptHeaders {
			break
		}
		out[name] = values
	}
	return out
}

// maxKeptHeaders bounds what is kept of headers, in bytes.
const maxKeptHeaders = 32 << 10

// Later asks a sender to come back.
func Later(w http.ResponseWriter, code, detail string) {
	w.Header().Set("Retry-After", strconv.Itoa(again))
	Refuse(w, http.StatusServiceUnavailable, code, detail)
}

// Refuse answers with a problem document.
func Refuse(w http.ResponseWriter, status int, code, detail string) {
	Reply(w, sdk.WebhookProblem(status, code, detail))
}

// Reply answers as a receiver says.
func Reply(w http.ResponseWriter, reply sdk.WebhookReply) {
	for k, values := range reply.Header {
		for _, v := range values {
			w.Header().Add(k, v)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	status := reply.Status
	if status < 200 || status > 599 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(reply.Body) // who called hangs up as they like
}

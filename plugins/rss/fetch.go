package rss

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// pace is how fast an answer must come: from its first byte on, after the grace, at least rate bytes a second on average.
type pace struct {
	grace time.Duration
	rate  int64
}

var defaultPace = pace{grace: 8 * time.Second, rate: 512}

// errDrip ends an exchange that comes too slowly.
var errDrip = errors.New("the answer comes too slowly")

// client makes the requests of one instance.
type client struct {
	network   *network
	transport *transport
	guard     sdk.Guard
	origin    *url.URL // whose credentials are sent
	userAgent string
	username  string
	password  sdk.Secret
	headers   map[string]sdk.Secret
	timeout   time.Duration
	maxSize   int64
	pace      pace
}

// request is what is asked for.
type request struct {
	url *url.URL
	// etag and modified are sent to the address with the fingerprint at, and to no other.
	at             string
	etag, modified []byte
	accept         string
}

// answer is what came at the end of the redirects.
type answer struct {
	status int
	header http.Header
	url    *url.URL // where it came from
	way    []hop
	body   []byte
	// cut says that the body's compression ended early.
	cut bool
	// release gives the place of a large document back; nil for a small one.
	release func()
	// conditional says that validators were sent with the request that was answered.
	conditional bool
}

const acceptFeeds = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"

// get follows redirects, each of them guarded and in its turn, to a document or a 304. Everything else is an error.
func (c *client) get(ctx context.Context, r request, now time.Time) (*answer, error) {
	a := &answer{url: r.url}
	left := c.timeout
	for {
		began := time.Now()
		turn, err := c.network.gate.enter(ctx, a.url.Hostname())
		if err != nil {
			return nil, transportError(err, a.url)
		}
		waited := time.Since(began)
		err = c.exchange(ctx, r, a, left)
		turn()
		if err != nil {
			return nil, transportError(err, a.url)
		}
		left -= time.Since(began) - waited
		if e, failed := statusError(a.status, a.header, a.url.Host, now); failed {
			if _, told := sdk.RetryAfter(a.header, now); told && e.Code == sdk.CodeRateLimited {
				c.network.gate.pause(a.url.Hostname(), e.RetryAfter)
			}
			return nil, e
		}
		if a.status == http.StatusNotModified && !a.conditional {
			return nil, failf(sdk.CodeUnavailable, "%s answers 304 Not Modified to a request without conditions", a.url.Host)
		}
		if a.status < 300 || a.status == http.StatusNotModified {
			return a, nil
		}
		next, err := c.redirect(a)
		if err != nil {
			return nil, err
		}
		a.way = append(a.way, hop{status: a.status, from: a.url, to: next})
		a.url = next
	}
}

// redirect checks where a redirect leads.
func (c *client) redirect(a *answer) (*url.URL, error) {
	if len(a.way) >= maxRedirects {
		return nil, failf(sdk.CodeUnavailable, "%s redirects more than %d times", a.url.Host, maxRedirects)
	}
	location := a.header.Get("Location")
	if location == "" {
		return nil, failf(sdk.CodeUnavailable, "%s answers %d without saying where to", a.url.Host, a.status)
	}
	u, err := a.url.Parse(strings.TrimSpace(location))
	if err == nil {
		u.Fragment, u.RawFragment = "", ""
		u, err = c.guard.CheckURL(u.String())
	}
	if err != nil {
		e := *sdk.AsError(err)
		if e.Code != sdk.CodeForbidden {
			e = *failf(sdk.CodeInvalid, "%s redirects to something that is no web address", a.url.Host)
		} else {
			e.Public = fmt.Sprintf("%s redirects to a refused address: %s", a.url.Host, e.Public)
		}
		e.Op, e.Scope = opFetch, sdk.ScopeDestination
		return nil, &e
	}
	for _, h := range a.way {
		if h.from.String() == u.String() {
			return nil, failf(sdk.CodeUnavailable, "%s redirects in a circle", a.url.Host)
		}
	}
	return u, nil
}

// exchange makes one request and reads its answer into a.
func (c *client) exchange(ctx context.Context, r request, a *answer, left time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deadline := time.AfterFunc(left, func() { cancel(context.DeadlineExceeded) })
	defer deadline.Stop()
	watch := &watch{pace: c.pace, cancel: cancel}
	defer watch.stop()
	req := (&http.Request{Method: http.MethodGet, URL: a.url, Host: a.url.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1,
		ProtoMinor: 1}).WithContext(c.trace(ctx, a.url, watch.start))
	c.dress(req)
	req.Header.Set("Accept", r.accept)
	req.Header.Set("Accept-Encoding", acceptEncoding)
	a.conditional = false
	if r.at != "" && fingerprint(a.url.String()) == r.at {
		if len(r.etag) > 0 {
			req.Header["If-None-Match"] = []string{string(r.etag)}
			a.conditional = true
		}
		if len(r.modified) > 0 {
			req.Header["If-Modified-Since"] = []string{string(r.modified)}
			a.conditional = true
		}
	}
	resp, err := c.transport.http.RoundTrip(req)
	if err != nil {
		return because(ctx, err)
	}
	defer resp.Body.Close()
	a.status, a.header = resp.StatusCode, resp.Header
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNonAuthoritativeInfo {
		// A short body is read so that the connection can be used again; its text is of no interest.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
		return nil
	}
	if resp.ContentLength > 0 && resp.ContentLength > c.maxSize {
		return failf(sdk.CodeTooLarge, "the feed is larger than %s; max_size allows up to 15MiB", Size(c.maxSize))
	}
	a.body, a.cut, err = readBody(&counted{resp.Body, watch}, resp.Header, c.maxSize, func() (err error) {
		watch.stop() // waiting for a place is not the server's fault, and what comes this far does not drip
		a.release, err = c.network.place(ctx)
		return err
	})
	if err != nil {
		a.done()
	}
	return because(ctx, err)
}

// done gives back what the answer holds besides memory.
func (a *answer) done() {
	if a.release != nil {
		a.release()
		a.release = nil
	}
}

// trace tells the gate over what kind of address a host is reached.
func (c *client) trace(ctx context.Context, u *url.URL, first func()) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(i httptrace.GotConnInfo) { c.network.gate.reached(u.Hostname(), i.Conn.RemoteAddr()) },
		GotFirstResponseByte: first,
	})
}

// dress adds what every request carries, and the credentials where they belong.
func (c *client) dress(req *http.Request) {
	req.Header.Set("User-Agent", c.userAgent)
	if req.URL.Scheme != c.origin.Scheme || !strings.EqualFold(req.URL.Host, c.origin.Host) {
		return
	}
	if c.username != "" {
		req.SetBasicAuth(c.username, c.password.Reveal())
	}
	for name, value := range c.headers {
		req.Header.Set(name, value.Reveal())
	}
}

// because gives the reason for which a context was cancelled in place of the cancelling.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	return err
}

// transportError makes an Error of a failed exchange.
func transportError(err error, u *url.URL) error {
	switch {
	case errors.Is(err, errDrip):
		return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeDestination, Op: opFetch, Err: err,
			Public: fmt.Sprintf("%s sends its answer so slowly that the exchange was given up", u.Host)}
	case errors.Is(err, context.DeadlineExceeded):
		return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeDestination, Op: opFetch, Err: err,
			Public: fmt.Sprintf("%s did not answer in time", u.Host)}
	}
	var known *sdk.Error
	if errors.As(err, &known) && known.Code != sdk.CodeForbidden {
		e := *known
		e.Scope = sdk.ScopeDestination
		if e.Code == sdk.CodeTooLarge || e.Code == sdk.CodeInvalid {
			e.Public = fmt.Sprintf("%s: %s", u.Host, known.Public)
		}
		return &e
	}
	e := sdk.TransportError(err, opFetch, u.Host)
	if e.Code == sdk.CodeForbidden {
		e.Scope = sdk.ScopeDestination
		if refused, ok := errors.AsType[*sdk.AddressError](err); ok && refused.Own() {
			e.Public += "; if this is your own server, add its address to allow_private"
		}
	}
	return e
}

// watch ends an exchange whose answer drips.
type watch struct {
	pace   pace
	cancel context.CancelCauseFunc
	bytes  atomic.Int64
	timer  atomic.Pointer[time.Timer]
	began  time.Time
	over   atomic.Bool
}

// start begins to count time, at the first byte of the headers.
func (w *watch) start() {
	w.began = time.Now()
	w.timer.Store(time.AfterFunc(w.pace.grace, w.check))
}

func (w *watch) check() {
	if w.over.Load() {
		return
	}
	if w.bytes.Load() < int64(time.Since(w.began).Seconds()*float64(w.pace.rate)) {
		w.cancel(errDrip)
		return
	}
	w.timer.Store(time.AfterFunc(w.pace.grace/5, w.check))
}

func (w *watch) stop() {
	w.over.Store(true)
	if t := w.timer.Load(); t != nil {
		t.Stop()
	}
}

// counted counts what comes.
type counted struct {
	io.Reader
	watch *watch
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.watch.bytes.Add(int64(n))
	return n, err
}

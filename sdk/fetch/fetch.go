package fetch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Pace is how fast an answer must come: from its first byte on, after the grace, at least Rate bytes a second on average.
type Pace struct {
	Grace time.Duration
	Rate  int64
}

var defaultPace = Pace{Grace: 8 * time.Second, Rate: 512}

// errDrip ends an exchange that comes too slowly.
var errDrip = errors.New("the answer comes too slowly")

// Config says how a Client behaves.
type Config struct {
	// What is the kind of document in sentences: "feed", "calendar".
	What string
	// Guard decides which addresses may be dialled.
	Guard sdk.Guard
	// Origin is where Username, Password and Headers are sent; no other origin gets them.
	Origin    *url.URL
	UserAgent string
	Username  string
	Password  sdk.Secret
	Headers   map[string]sdk.Secret
	// Timeout of one fetch with its redirects, without waiting for its turn.
	Timeout time.Duration
	// MaxSize of a document, in bytes, after decompression.
	MaxSize int64
}

// Client makes the requests of one instance.
type Client struct {
	// Pace is the least speed of an answer.
	Pace      Pace
	network   *Network
	transport *transport
	config    Config
}

// Client makes a client. Close gives its connections back.
func (n *Network) Client(c Config) *Client {
	return &Client{Pace: defaultPace, network: n, transport: n.join(c.Guard), config: c}
}

// Close gives the connections back.
func (c *Client) Close() { c.network.part(c.transport) }

// Network is what the client shares with others.
func (c *Client) Network() *Network { return c.network }

// Guard decides which addresses the client dials.
func (c *Client) Guard() sdk.Guard { return c.config.Guard }

// MaxSize is the largest document, in bytes.
func (c *Client) MaxSize() int64 { return c.config.MaxSize }

// Request is what is asked for.
type Request struct {
	URL *url.URL
	// Method and Body are those of a request that does more than read a document (WebDAV); empty is GET. It is repeated at the
	// target of a redirect.
	Method string
	Body   []byte
	// Header has what such a request needs besides.
	Header map[string]string
	// ETag and Modified are sent to the address with the fingerprint At, and to no other.
	At             string
	ETag, Modified []byte
	Accept         string
	// Entered says that the caller holds the turn at the host (see Enter), for several requests of one fetch.
	Entered bool
	// Pass are statuses that the caller reads itself, with the body, instead of an error.
	Pass []int
}

// Answer is what came at the end of the redirects.
type Answer struct {
	Status int
	Header http.Header
	URL    *url.URL // where it came from
	Way    []Hop
	Body   []byte
	// Cut says that the body's compression ended early.
	Cut bool
	// Conditional says that validators were sent with the request that was answered.
	Conditional bool
	// release gives the place of a large document back; nil for a small one.
	release func()
}

// Hop is one redirect on the way to a document.
type Hop struct {
	Status   int
	From, To *url.URL
}

// Fingerprint is short and does not tell an address, which may hold a token.
func Fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Enter waits for the turn at a host, and gives the function that ends it.
func (c *Client) Enter(ctx context.Context, u *url.URL) (leave func(), err error) {
	leave, err = c.network.Gate.enter(ctx, u.Hostname())
	if err != nil {
		return nil, TransportError(err, u)
	}
	return leave, nil
}

// Get follows redirects, each of them guarded and in its turn, to a document or a 304. Everything else is an error.
func (c *Client) Get(ctx context.Context, r Request, now time.Time) (*Answer, error) {
	a := &Answer{URL: r.URL}
	left := c.config.Timeout
	for {
		began := time.Now()
		turn := func() {}
		if !r.Entered {
			var err error
			if turn, err = c.Enter(ctx, a.URL); err != nil {
				return nil, err
			}
		}
		waited := time.Since(began)
		err := c.exchange(ctx, r, a, left)
		turn()
		if err != nil {
			return nil, TransportError(err, a.URL)
		}
		left -= time.Since(began) - waited
		if slices.Contains(r.Pass, a.Status) {
			return a, nil
		}
		if e, failed := c.statusError(a.Status, a.Header, a.URL.Host, now); failed {
			if _, told := sdk.RetryAfter(a.Header, now); told && e.Code == sdk.CodeRateLimited {
				c.network.Gate.pause(a.URL.Hostname(), e.RetryAfter)
			}
			return nil, e
		}
		if a.Status == http.StatusNotModified && !a.Conditional {
			return nil, failf(sdk.CodeUnavailable, "%s answers 304 Not Modified to a request without conditions", a.URL.Host)
		}
		if a.Status < 300 || a.Status == http.StatusNotModified {
			return a, nil
		}
		next, err := c.redirect(a)
		if err != nil {
			return nil, err
		}
		a.Way = append(a.Way, Hop{Status: a.Status, From: a.URL, To: next})
		a.URL = next
	}
}

// redirect checks where a redirect leads.
func (c *Client) redirect(a *Answer) (*url.URL, error) {
	if len(a.Way) >= MaxRedirects {
		return nil, failf(sdk.CodeUnavailable, "%s redirects more than %d times", a.URL.Host, MaxRedirects)
	}
	location := a.Header.Get("Location")
	if location == "" {
		return nil, failf(sdk.CodeUnavailable, "%s answers %d without saying where to", a.URL.Host, a.Status)
	}
	u, err := c.Target(a.URL, location)
	if err != nil {
		return nil, err
	}
	for _, h := range a.Way {
		if h.From.String() == u.String() {
			return nil, failf(sdk.CodeUnavailable, "%s redirects in a circle", a.URL.Host)
		}
	}
	return u, nil
}

// Target checks where a redirect of an address leads.
func (c *Client) Target(from *url.URL, location string) (*url.URL, error) {
	u, err := from.Parse(strings.TrimSpace(location))
	if err == nil {
		u.Fragment, u.RawFragment = "", ""
		u, err = c.config.Guard.CheckURL(u.String())
	}
	if err == nil {
		return u, nil
	}
	e := *sdk.AsError(err)
	if e.Code != sdk.CodeForbidden {
		e = *failf(sdk.CodeInvalid, "%s redirects to something that is no web address", from.Host)
	} else {
		e.Public = fmt.Sprintf("%s redirects to a refused address: %s", from.Host, e.Public)
	}
	e.Op, e.Scope = Op, sdk.ScopeDestination
	return nil, &e
}

// exchange makes one request and reads its answer into a.
func (c *Client) exchange(ctx context.Context, r Request, a *Answer, left time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deadline := time.AfterFunc(left, func() { cancel(context.DeadlineExceeded) })
	defer deadline.Stop()
	watch := &watch{pace: c.Pace, cancel: cancel}
	defer watch.stop()
	req, err := http.NewRequestWithContext(c.trace(ctx, a.URL, watch.start), cmp.Or(r.Method, http.MethodGet), a.URL.String(), bytes.NewReader(r.Body))
	if err != nil {
		return err
	}
	if len(r.Body) == 0 {
		req.Body, req.GetBody = nil, nil
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	c.dress(req)
	req.Header.Set("Accept", r.Accept)
	req.Header.Set("Accept-Encoding", acceptEncoding)
	a.Conditional = false
	if r.At != "" && Fingerprint(a.URL.String()) == r.At {
		if len(r.ETag) > 0 {
			req.Header["If-None-Match"] = []string{string(r.ETag)}
			a.Conditional = true
		}
		if len(r.Modified) > 0 {
			req.Header["If-Modified-Since"] = []string{string(r.Modified)}
			a.Conditional = true
		}
	}
	resp, err := c.transport.http.RoundTrip(req)
	if err != nil {
		return because(ctx, err)
	}
	defer resp.Body.Close()
	a.Status, a.Header = resp.StatusCode, resp.Header
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNonAuthoritativeInfo && !slices.Contains(r.Pass, resp.StatusCode) {
		// A short body is read so that the connection can be used again; its text is of no interest.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
		return nil
	}
	if resp.ContentLength > 0 && resp.ContentLength > c.config.MaxSize {
		return tooLarge(c.config.MaxSize)
	}
	a.Body, a.Cut, err = ReadBody(&counted{resp.Body, watch}, resp.Header, c.config.MaxSize, func() (err error) {
		watch.stop() // waiting for a place is not the server's fault, and what comes this far does not drip
		a.release, err = c.network.place(ctx)
		return err
	})
	if err != nil {
		a.Done()
	}
	return because(ctx, err)
}

// Done gives back what the answer holds besides memory.
func (a *Answer) Done() {
	if a.release != nil {
		a.release()
		a.release = nil
	}
}

// trace tells the gate over what kind of address a host is reached.
func (c *Client) trace(ctx context.Context, u *url.URL, first func()) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(i httptrace.GotConnInfo) { c.network.Gate.reached(u.Hostname(), i.Conn.RemoteAddr()) },
		GotFirstResponseByte: first,
	})
}

// dress adds what every request carries, and the credentials where they belong.
func (c *Client) dress(req *http.Request) {
	req.Header.Set("User-Agent", c.config.UserAgent)
	if req.URL.Scheme != c.config.Origin.Scheme || !strings.EqualFold(req.URL.Host, c.config.Origin.Host) {
		return
	}
	if c.config.Username != "" {
		req.SetBasicAuth(c.config.Username, c.config.Password.Reveal())
	}
	for name, value := range c.config.Headers {
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

// TransportError makes an Error of a failed exchange.
func TransportError(err error, u *url.URL) error {
	switch {
	case errors.Is(err, errDrip):
		return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeDestination, Op: Op, Err: err,
			Public: fmt.Sprintf("%s sends its answer so slowly that the exchange was given up", u.Host)}
	case errors.Is(err, context.DeadlineExceeded):
		return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeDestination, Op: Op, Err: err,
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
	e := sdk.TransportError(err, Op, u.Host)
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
	pace   Pace
	cancel context.CancelCauseFunc
	bytes  atomic.Int64
	timer  atomic.Pointer[time.Timer]
	began  time.Time
	over   atomic.Bool
}

// start begins to count time, at the first byte of the headers.
func (w *watch) start() {
	w.began = time.Now()
	w.timer.Store(time.AfterFunc(w.pace.Grace, w.check))
}

func (w *watch) check() {
	if w.over.Load() {
		return
	}
	if w.bytes.Load() < int64(time.Since(w.began).Seconds()*float64(w.pace.Rate)) {
		w.cancel(errDrip)
		return
	}
	w.timer.Store(time.AfterFunc(w.pace.Grace/5, w.check))
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

// Status makes one request in its turn and reads nothing but its status, and where a redirect leads.
func (c *Client) Status(ctx context.Context, method string, u *url.URL, timeout time.Duration) (status int, location string, err error) {
	turn, err := c.network.Gate.enter(ctx, u.Hostname())
	if err != nil {
		return 0, "", err
	}
	defer turn()
	ctx, cancel := context.WithTimeoutCause(ctx, min(timeout, c.config.Timeout), context.DeadlineExceeded)
	defer cancel()
	req, err := http.NewRequestWithContext(c.trace(ctx, u, nil), method, u.String(), nil)
	if err != nil {
		return 0, "", err
	}
	c.dress(req)
	req.Header.Set("Accept", "text/html, */*;q=0.5")
	resp, err := c.transport.http.RoundTrip(req)
	if err != nil {
		return 0, "", because(ctx, err)
	}
	defer resp.Body.Close()
	// A little is read so that a short answer leaves the connection usable.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 2<<10)); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return resp.StatusCode, resp.Header.Get("Location"), nil
	}
	if after, told := sdk.RetryAfter(resp.Header, time.Now()); told &&
		(resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable) {
		c.network.Gate.pause(u.Hostname(), min(after, LongestPause))
	}
	return resp.StatusCode, resp.Header.Get("Location"), nil
}

// Agent is what requests say of who asks: the program, Belfry where nobody names one, and whom to write to.
func Agent(program, contact string) string {
	if program == "" {
		program = "Belfry"
	}
	if contact != "" {
		program += " (" + contact + ")"
	}
	return program
}

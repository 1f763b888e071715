package sdk

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ClientConfig says how a Client behaves. Its zero value has sensible bounds.
type ClientConfig struct {
	// AllowPrivate are the prefixes that may be dialled although they are not public.
	AllowPrivate []netip.Prefix
	UserAgent    string
	// Timeout of a whole exchange with its body; 0 means 30 s. Connecting may take a third of it.
	Timeout time.Duration
	// MaxBody is the most bytes of an answer that Send reads; 0 means 1 MiB. What exceeds it is cut off, since the status
	// has told what matters.
	MaxBody int64
	// MaxConnsPerHost bounds the connections to one host; 0 means 16.
	MaxConnsPerHost int
}

// Client speaks HTTP to platforms. Every connection passes the Guard, no proxy is used, no redirect is followed, and
// what goes wrong is an *Error that says whether the request may have had an effect.
type Client struct {
	http      *http.Client
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	userAgent string
	maxBody   int64
	timeout   time.Duration
}

// NewClient makes a Client. CloseIdle frees its connections.
func NewClient(c ClientConfig) *Client {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.MaxConnsPerHost == 0 {
		c.MaxConnsPerHost = 16
	}
	guard := Guard{Allow: c.AllowPrivate}
	transport := &http.Transport{
		Proxy:                  nil,
		DialContext:            guard.Dialer(c.Timeout / 3).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    c.Timeout / 3,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConnsPerHost:    c.MaxConnsPerHost,
		MaxConnsPerHost:        c.MaxConnsPerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	return &Client{dial: transport.DialContext, userAgent: c.UserAgent, maxBody: c.MaxBody, timeout: c.Timeout,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// CloseIdle frees the connections that are not in use.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Answer is a whole answer.
type Answer struct {
	Status int
	Header http.Header
	// Body is cut off at ClientConfig.MaxBody.
	Body []byte
	At   time.Time
}

// Send makes one request and reads the answer, whatever its status. The error says whether the request may have had an
// effect: CodeUnavailable when nothing of it can have left, CodeUnknownOutcome afterwards. Of an answer that broke off,
// what had come is given beside the error.
func (c *Client) Send(req *http.Request, op string) (Answer, error) {
	ctx, cancel := context.WithTimeout(req.Context(), c.timeout)
	defer cancel()
	var left atomic.Bool // the request may have left: a connection was handed to it
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { left.Store(true) }}
	req = req.WithContext(httptrace.WithClientTrace(ctx, trace))
	// net/http would repeat a request with an Idempotency-Key by itself when its connection ends without an answer. The
	// answer to the repetition says nothing of the first one, which may have had its effect.
	req.GetBody = nil
	if c.userAgent != "" && req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	do := c.http.Do
	if rehearsed := exchange(ctx); rehearsed != nil {
		do = rehearsed
	}
	resp, err := do(req)
	if err != nil {
		return Answer{}, c.classify(err, op, req.URL, left.Load())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxBody))
	if err != nil {
		return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body, At: time.Now()}, c.classify(err, op, req.URL, true)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body, At: time.Now()}, nil
}

// classify turns a failure of the transport into an Error. The URL is never repeated whole: platforms put tokens there.
func (c *Client) classify(err error, op string, u *url.URL, left bool) *Error {
	if guarded, ok := errors.AsType[*Error](err); ok {
		e := *guarded
		e.Op = op
		e.Public = fmt.Sprintf("%s refused: %s", u.Host, guarded.Public)
		return &e
	}
	e := &Error{Code: CodeUnavailable, Scope: ScopeAccount, Op: op, Err: withoutURL(err)}
	if left {
		e.Code = CodeUnknownOutcome
		e.Scope = ScopeMessage
	}
	e.Public = transportSentence(err, u.Host)
	if left {
		e.Public += "; whether it arrived is not known"
	}
	return e
}

// transportSentence says in a plain sentence why an HTTP exchange with a host failed, without its URL.
func transportSentence(err error, host string) string {
	var dns *net.DNSError
	var netErr net.Error
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("the name %s does not exist", host)
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s cannot be resolved now", host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		if time.Now().Before(invalid.Cert.NotBefore) {
			return fmt.Sprintf("the certificate of %s is valid from %s on and not before", host, certificateTime(invalid.Cert.NotBefore))
		}
		return fmt.Sprintf("the certificate of %s expired at %s; whoever runs %s has to renew it", host, certificateTime(invalid.Cert.NotAfter), host)
	case errors.As(err, &cert):
		return fmt.Sprintf("%s shows a certificate that cannot be trusted: %s", host, cert.Err)
	case errors.As(err, &record):
		return fmt.Sprintf("%s answers without TLS; an https address needs it", host)
	case errors.Is(err, context.Canceled):
		return fmt.Sprintf("the exchange with %s was given up", host)
	case errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Sprintf("%s did not answer in time", host)
	case strings.Contains(err.Error(), "connection refused"):
		return fmt.Sprintf("%s refuses connections", host)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "connection reset"):
		return fmt.Sprintf("%s broke off the connection", host)
	}
	return fmt.Sprintf("the exchange with %s failed", host)
}

func certificateTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// withoutURL takes the request's address, which may carry a token, out of the cause.
func withoutURL(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}

// TransportError turns a failure of an exchange that only reads (a fetch) into an Error with CodeUnavailable, or into the
// Guard's refusal, without repeating the URL.
func TransportError(err error, op, host string) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		e := *known
		e.Op = op
		if e.Code == CodeForbidden {
			e.Public = fmt.Sprintf("%s refused: %s", host, known.Public)
		}
		return &e
	}
	return &Error{Code: CodeUnavailable, Scope: ScopeDestination, Op: op, Public: transportSentence(err, host), Err: withoutURL(err)}
}

// RetryAfter reads a Retry-After header (RFC 9110 section 10.2.3): seconds, or a date in one of HTTP's three formats
// against the answer's own Date or else now. It is rounded up and never negative; false when there is none to read.
func RetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	// What is too large for a float comes as infinity, with an error.
	if secs, err := strconv.ParseFloat(text, 64); (err == nil || errors.Is(err, strconv.ErrRange)) && strings.Trim(text, "0123456789.") == "" {
		if secs > float64(Forever)/1e9/2 {
			return Forever / 2, true
		}
		return time.Duration(math.Ceil(secs * 1e9)), true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		// The server's clock may differ from ours; the difference it meant counts.
		now = date
	}
	return max(at.Sub(now), 0), true
}

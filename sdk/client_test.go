package sdk_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A path as platforms make them: the token is part of the address.
const tokenPath = "/bot123:hunter2/sendMessage?key=hunter2"

func newClient(t *testing.T, change func(c *sdk.ClientConfig)) *sdk.Client {
	t.Helper()
	c := sdk.ClientConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Timeout: 10 * time.Second, UserAgent: "Belfry/1 (+https://news.example)"}
	if change != nil {
		change(&c)
	}
	client := sdk.NewClient(c)
	t.Cleanup(client.CloseIdle)
	return client
}

func send(t *testing.T, c *sdk.Client, url string) (sdk.Answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"text":"hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	return c.Send(req, "sendMessage")
}

// rawServer answers each connection with a function of the test.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String()
}

// readRequest reads a whole request, so that the connection does not end with a reset.
func readRequest(conn net.Conn) {
	if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// What had come of an answer that broke off is given beside the error.
func TestHalfAnAnswer(t *testing.T) {
	t.Parallel()
	url := rawServer(t, func(c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nhalf")
	})
	a, err := send(t, newClient(t, nil), url)
	if err == nil || a.Status != 503 || string(a.Body) != "half" || a.At.IsZero() || a.Header.Get("Retry-After") != "7" {
		t.Errorf("%+v, %v", a, err)
	}
}

// expired makes a certificate that was good until yesterday, and early one that will be good from tomorrow on.
func expired(t *testing.T) tls.Certificate { t.Helper(); return lasting(t, -30, -1) }
func early(t *testing.T) tls.Certificate   { t.Helper(); return lasting(t, 1, 30) }

// lasting makes a certificate that is good from some days from now to others.
func lasting(t *testing.T, from, to int) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(0, 0, from), NotAfter: time.Now().AddDate(0, 0, to),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestClientKnowsWhetherTheRequestLeft: before the request can have left, a failure certainly had no effect; afterwards
// nobody knows. The sentence names the host and never the address.
func TestClientKnowsWhetherTheRequestLeft(t *testing.T) {
	t.Parallel()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + nobody.Addr().String()
	_ = nobody.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{expired(t)}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	tooSoon := httptest.NewUnstartedServer(http.NotFoundHandler())
	tooSoon.TLS = &tls.Config{Certificates: []tls.Certificate{early(t)}}
	tooSoon.Config.ErrorLog = secure.Config.ErrorLog
	tooSoon.StartTLS()
	t.Cleanup(tooSoon.Close)
	unknown := httptest.NewUnstartedServer(http.NotFoundHandler())
	unknown.Config.ErrorLog = secure.Config.ErrorLog
	unknown.StartTLS()
	t.Cleanup(unknown.Close)

	for name, tc := range map[string]struct {
		url   string
		code  sdk.Code
		words string
	}{
		"refused":              {refusing, sdk.CodeUnavailable, "refuses connections"},
		"no such name":         {"http://no-such-name.invalid", sdk.CodeUnavailable, "no-such-name.invalid"},
		"a private address":    {"http://127.0.0.2:80", sdk.CodeForbidden, "127.0.0.2:80 refused: 127.0.0.2 is a loopback address"},
		"an expired cert":      {secure.URL, sdk.CodeUnavailable, " expired at " + time.Now().AddDate(0, 0, -1).UTC().Format("2006-01-02")},
		"a cert of tomorrow":   {tooSoon.URL, sdk.CodeUnavailable, " is valid from " + time.Now().AddDate(0, 0, 1).UTC().Format("2006-01-02")},
		"a cert of nobody":     {unknown.URL, sdk.CodeUnavailable, "shows a certificate that cannot be trusted"},
		"no TLS at all":        {"https://" + strings.TrimPrefix(rawServer(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 smtp\r\n"); readRequest(c) }), "http://"), sdk.CodeUnavailable, "answers without TLS; an https address needs it"},
		"closed on acceptance": {rawServer(t, readRequest), sdk.CodeUnknownOutcome, "broke off the connection; whether it arrived is not known"},
		"reset":                {rawServer(t, func(c net.Conn) { readRequest(c); _ = c.(*net.TCPConn).SetLinger(0) }), sdk.CodeUnknownOutcome, "whether it arrived is not known"},
		"no HTTP":              {rawServer(t, func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "what?\r\n\r\n") }), sdk.CodeUnknownOutcome, "the exchange with"},
		"half an answer": {rawServer(t, func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		}), sdk.CodeUnknownOutcome, "broke off the connection"},
		"endless headers": {rawServer(t, func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 200))
		}), sdk.CodeUnknownOutcome, "the exchange with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := send(t, newClient(t, nil), tc.url+tokenPath)
			var e *sdk.Error
			if !errors.As(err, &e) || e.Code != tc.code || e.Op != "sendMessage" || !strings.Contains(e.Public, tc.words) {
				t.Fatalf("got %v (%+v), want %s and %q", err, e, tc.code, tc.words)
			}
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				if strings.Contains(fmt.Sprintf("%v %+v", cause, cause), "hunter2") {
					t.Errorf("the address stands in the error: %v", cause)
				}
			}
		})
	}
}

func TestClientTimeouts(t *testing.T) {
	t.Parallel()
	stall := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow-body" {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
		}
		<-stall
	}))
	t.Cleanup(func() { close(stall); server.Close() })
	quick := func(c *sdk.ClientConfig) { c.Timeout = 300 * time.Millisecond }
	for _, path := range []string{"/slow", "/slow-body"} {
		_, err := send(t, newClient(t, quick), server.URL+path)
		if e := sdk.AsError(err); e.Code != sdk.CodeUnknownOutcome || !strings.Contains(e.Public, "did not answer in time; whether it arrived is not known") {
			t.Errorf("%s: %v", path, err)
		}
	}
	// A server that does not even shake hands: nothing can have left.
	silent := rawServer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	_, err := send(t, newClient(t, quick), "https://"+strings.TrimPrefix(silent, "http://")+"/")
	if e := sdk.AsError(err); e.Code != sdk.CodeUnavailable || !strings.Contains(e.Public, "did not answer in time") {
		t.Errorf("no handshake: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newClient(t, nil).Send(req, "x")
	if e := sdk.AsError(err); e.Code != sdk.CodeUnavailable || !strings.Contains(e.Public, "was given up") || !errors.Is(err, context.Canceled) {
		t.Errorf("given up before it began: %v", err)
	}
}

func TestClientAnswers(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	var agent atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent.Store(r.Header.Get("User-Agent"))
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/elsewhere":
			followed.Store(true)
		case "/error":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, "slow down")
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}
	}))
	t.Cleanup(server.Close)
	client := newClient(t, func(c *sdk.ClientConfig) { c.MaxBody = 1000 })
	for path, want := range map[string]struct{ status, length int }{"/redirect": {307, 0}, "/error": {429, 9}, "/large": {200, 1000}, "/": {200, 0}} {
		a, err := send(t, client, server.URL+path)
		if err != nil || a.Status != want.status || len(a.Body) != want.length || a.At.IsZero() {
			t.Errorf("%s: %d with %d bytes, %v", path, a.Status, len(a.Body), err)
		}
		if d, ok := sdk.RetryAfter(a.Header, a.At); path == "/error" && (!ok || d != 7*time.Second) {
			t.Errorf("Retry-After: %v, %t", d, ok)
		}
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
	if got := agent.Load(); got != "Belfry/1 (+https://news.example)" {
		t.Errorf("it calls itself %q", got)
	}
}

// TestClientUsesNoProxy: a proxy in the environment would dial for us, past the guard.
func TestClientUsesNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	if _, err := send(t, newClient(t, nil), "http://no-such-name.invalid/"); err == nil {
		t.Error("no error")
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	ctx := sdk.WithExchange(t.Context(), func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(r.URL.Path))}, nil
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://10.0.0.1/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := newClient(t, nil).Send(req, "x"); err != nil || a.Status != 201 || string(a.Body) != "/x" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTransportError(t *testing.T) {
	t.Parallel()
	refused := sdk.Guard{}.Check(netip.MustParseAddr("10.0.0.1"))
	for name, tc := range map[string]struct {
		in   error
		code sdk.Code
		want string
	}{
		"a refusal":   {fmt.Errorf("dial: %w", refused), sdk.CodeForbidden, "fetch: news.example refused: 10.0.0.1 is a private address"},
		"a known one": {sdk.Errorf(sdk.CodeTooLarge, "x", "too much"), sdk.CodeTooLarge, "fetch: too much"},
		"the end":     {io.ErrUnexpectedEOF, sdk.CodeUnavailable, "fetch: news.example broke off the connection"},
		"given up":    {context.Canceled, sdk.CodeUnavailable, "fetch: the exchange with news.example was given up"},
		"too late":    {context.DeadlineExceeded, sdk.CodeUnavailable, "fetch: news.example did not answer in time"},
		"no name":     {&net.DNSError{IsNotFound: true}, sdk.CodeUnavailable, "fetch: the name news.example does not exist"},
		"no resolver": {&net.DNSError{}, sdk.CodeUnavailable, "fetch: the name news.example cannot be resolved now"},
		"anything":    {errors.New("GET https://news.example/?token=hunter2"), sdk.CodeUnavailable, "fetch: the exchange with news.example failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e := sdk.TransportError(tc.in, "fetch", "news.example"); e.Code != tc.code || e.Error() != tc.want {
				t.Errorf("got %s %q, want %s %q", e.Code, e, tc.code, tc.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		after, date string
		want        time.Duration
		ok          bool
	}{
		"seconds":             {"120", "", 2 * time.Minute, true},
		"none":                {"0", "", 0, true},
		"with spaces":         {" 5 ", "", 5 * time.Second, true},
		"a fraction":          {"1.5", "", 1500 * time.Millisecond, true},
		"a long fraction":     {"0.0000000001", "", 1, true},
		"IMF-fixdate":         {"Sun, 29 Mar 2026 12:01:00 GMT", "", time.Minute, true},
		"RFC 850":             {"Sunday, 29-Mar-26 12:01:00 GMT", "", time.Minute, true},
		"asctime":             {"Sun Mar 29 12:01:00 2026", "", time.Minute, true},
		"against their clock": {"Sun, 29 Mar 2026 15:01:00 GMT", "Sun, 29 Mar 2026 15:00:00 GMT", time.Minute, true},
		"their clock is odd":  {"Sun, 29 Mar 2026 12:01:00 GMT", "yesterday", time.Minute, true},
		"the past":            {"Sun, 29 Mar 2026 11:00:00 GMT", "", 0, true},
		"huge":                {"99999999999999999999", "", sdk.Forever / 2, true},
		"a huge fraction":     {strings.Repeat("9", 400), "", sdk.Forever / 2, true},
		"a far date":          {"Fri, 31 Dec 9999 23:59:59 GMT", "", sdk.Forever, true},
		"negative":            {"-5", "", 0, false},
		"nothing":             {"", "", 0, false},
		"junk":                {"soon", "", 0, false},
		"a number with junk":  {"5s", "", 0, false},
		"an exponent":         {"1e3", "", 0, false},
		"hexadecimal":         {"0x10", "", 0, false},
		"infinity":            {"Inf", "", 0, false},
		"not a number":        {"NaN", "", 0, false},
		"a dot":               {".", "", 0, false},
		"two dots":            {"1.2.3", "", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{"Retry-After": {tc.after}}
			if tc.date != "" {
				h.Set("Date", tc.date)
			}
			if got, ok := sdk.RetryAfter(h, now); got != tc.want || ok != tc.ok {
				t.Errorf("got %v, %t; want %v, %t", got, ok, tc.want, tc.ok)
			}
		})
	}
	if _, ok := sdk.RetryAfter(http.Header{}, now); ok {
		t.Error("no header gave a wait")
	}
}

// FuzzRetryAfter: a header never gives a negative wait.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", "1.5", "Sun, 29 Mar 2026 12:01:00 GMT", "99999999999999999999", "-1", "Sunday, 29-Mar-26 12:01:00 GMT"} {
		f.Add(s, "Sun, 29 Mar 2026 12:01:00 GMT")
	}
	f.Fuzz(func(t *testing.T, after, date string) {
		h := http.Header{"Retry-After": {after}, "Date": {date}}
		if d, ok := sdk.RetryAfter(h, time.Unix(1_800_000_000, 0)); d < 0 || !ok && d != 0 {
			t.Errorf("%q gave %v, %t", after, d, ok)
		}
	})
}

// TestClientNeverRepeats: a connection that ends without an answer leaves the outcome unknown, and nothing is sent again by
// itself, also where net/http holds that it may.
func TestClientNeverRepeats(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if asked.Add(1) == 2 {
			panic(http.ErrAbortHandler) // it is taken, and the answer is lost
		}
	}))
	t.Cleanup(server.Close)
	client := newClient(t, nil)
	for i, want := range []sdk.Code{"", sdk.CodeUnknownOutcome, ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Idempotency-Key", "k")
		_, err = client.Send(req, "x")
		if (err == nil) != (want == "") || err != nil && sdk.AsError(err).Code != want {
			t.Errorf("request %d: %v, want %q", i+1, err, want)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("the server was asked %d times", n)
	}
}

package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/fake"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// Fake is a program that plays the platform, behind a proxy that makes it fail on a script.
type Fake struct {
	// URL is the address of the proxy.
	URL    string
	script *fault.Script

	process *fake.Process
	client  *http.Client
	proxy   http.Handler
	work    sync.WaitGroup

	mu     sync.Mutex
	server *http.Server
	addr   string
}

// StartFake starts a fake with a shell (package fake); said is told what it says. Close ends it, and what it started.
func StartFake(ctx context.Context, command string, said func(line string)) (*Fake, error) {
	process, err := fake.Start(ctx, fake.Command{Args: []string{"/bin/sh", "-c", command}, Said: said})
	if err != nil {
		return nil, err
	}
	f := &Fake{script: &fault.Script{}, client: &http.Client{Timeout: 10 * time.Second}, process: process}
	f.proxy = f.script.Wrap(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(process.URL) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }})
	if err := f.listen("127.0.0.1:0"); err != nil {
		f.Close()
		return nil, err
	}
	f.URL = "http://" + f.addr // the proxy adds the path
	return f, nil
}

func (f *Fake) listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("the proxy before the fake cannot listen: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addr = l.Addr().String()
	f.server = &http.Server{Handler: f.proxy, ReadHeaderTimeout: time.Minute}
	// On a connection that is kept a plugin cannot tell whether its request left before the other end had gone.
	f.server.SetKeepAlivesEnabled(false)
	server := f.server
	f.work.Go(func() { _ = server.Serve(l) })
	return nil
}

// noticed is how long a plugin has to see that a connection which it had just made, such as one to listen on, was closed: on that
// one it could not tell whether a request left.
const noticed = 200 * time.Millisecond

// refuse closes the proxy's socket and what is connected to it, until restore is called.
func (f *Fake) refuse(tb conformance.T) (restore func()) {
	f.mu.Lock()
	_ = f.server.Close()
	f.mu.Unlock()
	time.Sleep(noticed)
	return sync.OnceFunc(func() {
		if err := f.listen(f.addr); err != nil {
			tb.Errorf("%v", err)
		}
	})
}

// fail makes every request fail until restore is called.
func (f *Fake) fail(conformance.T) (restore func()) {
	f.script.Add(fault.Fault{Every: 1, Status: http.StatusServiceUnavailable})
	return f.script.Clear
}

// stall lets every request wait until restore is called or its sender goes away.
func (f *Fake) stall(conformance.T) (restore func()) {
	f.script.Add(fault.Fault{Every: 1, Before: time.Hour})
	return f.script.Clear
}

// fakePost is what a fake says of one part that it accepted.
type fakePost struct {
	IDs     []string `json:"ids"`
	Text    string   `json:"text"`
	Deleted bool     `json:"deleted"`
}

// errSilent says that the fake does not tell of what was asked.
var errSilent = errors.New("the fake does not tell")

// told asks the fake itself for a list, like /.belfry/posts.
func told[T any](ctx context.Context, f *Fake, path string) ([]T, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.process.URL.JoinPath(path).String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: it has no %s", errSilent, path)
	}
	var out []T
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(&out); err != nil {
		return nil, fmt.Errorf("what the fake says at %s cannot be read: %w", path, err)
	}
	return out, nil
}

// posts are what the fake holds.
func (f *Fake) posts(ctx context.Context) ([]fakePost, error) {
	return told[fakePost](ctx, f, "/.belfry/posts")
}

// tells reports whether the fake says what it holds.
func (f *Fake) tells() bool {
	_, err := f.posts(context.Background())
	return !errors.Is(err, errSilent)
}

func (f *Fake) shows(tb conformance.T, ref sdk.PartRef) (string, bool) {
	list, err := f.posts(tb.Context())
	if err != nil {
		tb.Fatalf("%v", err)
	}
	for _, p := range list {
		if slices.Equal(p.IDs, ref.IDs) && !p.Deleted {
			return p.Text, true
		}
	}
	return "", false
}

func (f *Fake) count(tb conformance.T) int {
	list, err := f.posts(tb.Context())
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return len(list)
}

// Close ends the proxy and the fake.
func (f *Fake) Close() {
	f.mu.Lock()
	if f.server != nil {
		_ = f.server.Close()
	}
	f.mu.Unlock()
	f.process.Stop()
	f.client.CloseIdleConnections()
	f.work.Wait()
}

package plugintest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// fakeStart is how long a fake may take until it says where it listens; it may have to be compiled first.
const fakeStart = 3 * time.Minute

// Fake is a program that plays the platform, behind a proxy that makes it fail on a script.
type Fake struct {
	// URL is the address of the proxy.
	URL    string
	script *fault.Script

	direct *url.URL
	cmd    *exec.Cmd
	kill   func()
	out    io.Closer
	client *http.Client
	proxy  http.Handler
	work   sync.WaitGroup

	mu     sync.Mutex
	server *http.Server
	addr   string
}

// StartFake starts a fake with a shell. Its first line of output is its address; log is told what it says on standard error.
// Close ends it, and what it started.
func StartFake(ctx context.Context, command string, log io.Writer) (*Fake, error) {
	f := &Fake{script: &fault.Script{}, client: &http.Client{Timeout: 10 * time.Second}}
	f.cmd = exec.Command("/bin/sh", "-c", command)
	f.kill = own(f.cmd)
	words := &lastWords{log: log}
	f.cmd.Stderr, f.cmd.Env, f.cmd.WaitDelay = words, os.Environ(), time.Second
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := f.cmd.Start(); err != nil {
		return nil, fmt.Errorf("the fake does not start: %w", err)
	}
	f.out = out
	line := make(chan string, 1)
	f.work.Go(func() {
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			line <- lines.Text()
		}
		close(line)
		_, _ = io.Copy(io.Discard, out)
	})
	waiting, cancel := context.WithTimeout(ctx, fakeStart)
	defer cancel()
	select {
	case said, there := <-line:
		if !there {
			f.Close() // from here on nothing more is said
			return nil, fmt.Errorf("the fake ended before it said where it is: %s", words.text())
		}
		f.direct, err = url.Parse(said)
		if err != nil || f.direct.Scheme != "http" || f.direct.Host == "" {
			f.Close()
			return nil, fmt.Errorf("the fake printed %.80q; its first line has to be its address, like http://127.0.0.1:34567", said)
		}
	case <-waiting.Done():
		f.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("the fake did not say within %s where it is; its first line has to be its address, like http://127.0.0.1:34567", fakeStart)
	}
	f.proxy = f.script.Wrap(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(f.direct) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }})
	if err := f.listen("127.0.0.1:0"); err != nil {
		f.Close()
		return nil, err
	}
	f.URL = "http://" + f.addr + f.direct.Path
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

// refuse closes the proxy's socket and what is connected to it, until restore is called.
func (f *Fake) refuse(tb conformance.T) (restore func()) {
	f.mu.Lock()
	_ = f.server.Close()
	f.mu.Unlock()
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

// errNoPosts says that the fake does not tell what it holds.
var errNoPosts = errors.New("the fake has no /.belfry/posts")

// posts asks the fake itself what it holds.
func (f *Fake) posts(ctx context.Context) ([]fakePost, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.direct.JoinPath("/.belfry/posts").String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errNoPosts
	}
	var out []fakePost
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(&out); err != nil {
		return nil, fmt.Errorf("what the fake says at /.belfry/posts cannot be read: %w", err)
	}
	return out, nil
}

// tells reports whether the fake says what it holds.
func (f *Fake) tells() bool {
	_, err := f.posts(context.Background())
	return !errors.Is(err, errNoPosts)
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
	f.kill()
	_ = f.out.Close() // what left the group may hold the other end
	f.client.CloseIdleConnections()
	f.work.Wait()
	_ = f.cmd.Wait()
}

// lastWords hands on what a program says on standard error, and keeps the end of it.
type lastWords struct {
	log  io.Writer
	kept []byte
}

// Write implements io.Writer. One goroutine writes, and text is asked for after it ended.
func (w *lastWords) Write(p []byte) (int, error) {
	w.kept = append(w.kept, p...)
	if over := len(w.kept) - 1<<10; over > 0 {
		w.kept = append(w.kept[:0], w.kept[over:]...)
	}
	return w.log.Write(p)
}

func (w *lastWords) text() string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(w.kept), "")), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return "it said nothing"
}

package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/logtest"
)

// house is a server with a door, and clients before it. No time of the server ends anything here: what ends is cut.
type house struct {
	t    *testing.T
	s    *Server
	addr string
	log  *logtest.Buffer
	// enter and leave are of requests for /wait.
	enter chan struct{}
	leave chan struct{}
	slow  sync.WaitGroup
	// ahead is how far the door's clock is ahead.
	ahead atomic.Int64
}

func newHouse(t *testing.T, limits Limits) *house {
	t.Helper()
	h := &house{t: t, log: &logtest.Buffer{}, enter: make(chan struct{}, 64), leave: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a page") })
	mux.HandleFunc("GET /wait", func(w http.ResponseWriter, _ *http.Request) {
		h.enter <- struct{}{}
		<-h.leave
		_, _ = io.WriteString(w, "done")
	})
	h.s = New(mux, limits, "the house is", slog.New(slog.NewTextHandler(h.log, nil)))
	h.s.http.ReadHeaderTimeout, h.s.http.ReadTimeout, h.s.http.IdleTimeout = time.Hour, time.Hour, time.Hour
	h.s.door.now = func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	h.s.Serve(ln)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = h.s.Stop(ctx) // what is half open is cut off
		h.slow.Wait()
	})
	return h
}

// dial connects from an address of this machine.
func (h *house) dial(from string) net.Conn {
	h.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: time.Minute}
	c, err := d.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	return c
}

// crawl opens connections that never get to the end of their headers: each sends a byte now and then until it is cut.
func (h *house) crawl(from string, n int) {
	h.t.Helper()
	for range n {
		c := h.dial(from)
		h.slow.Go(func() {
			_, err := io.WriteString(c, "GET /page HTTP/1.1\r\nHost: a\r\nX-Slow: ")
			for tick := time.NewTicker(20 * time.Millisecond); err == nil; <-tick.C {
				_, err = c.Write([]byte("a"))
			}
		})
	}
}

// ask asks on a connection, as clients that keep it do.
func ask(c net.Conn, path string) (status, body string) {
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path); err != nil {
		return err.Error(), ""
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error(), ""
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.Status, string(b)
}

func (h *house) wants(c net.Conn, path, want string) {
	h.t.Helper()
	if status, body := ask(c, path); !strings.HasPrefix(status, want) || want == "200" && body == "" {
		h.t.Errorf("%s answers %s %q, want %s", path, status, body, want)
	}
}

// held says how many connections the door holds.
func (h *house) held() int {
	h.s.door.mu.Lock()
	defer h.s.door.mu.Unlock()
	return h.s.door.waiting.Len() + h.s.door.busy.Len()
}

// until waits for what another goroutine of the server does.
func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("it never came true that %s; %d are held", what, h.held())
		}
	}
}

// Hundreds of clients that never come to the end of a request hold nobody up: not those who come from the same address, and
// not those who keep a connection from another one.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{Conns: 64, PerClient: 8})
	reader := h.dial("127.0.0.2")
	h.wants(reader, "/page", "200")
	h.crawl("127.0.0.1", 300)
	for range 20 {
		h.wants(h.dial("127.0.0.1"), "/page", "200")
		h.wants(h.dial("127.0.0.3"), "/page", "200")
	}
	h.wants(reader, "/page", "200")
	if n := h.held(); n > 8+1+20 {
		t.Errorf("%d connections are held", n)
	}
	if text := h.log.String(); strings.Count(text, "connections are cut") != 1 || strings.Contains(text, "127.0.0.1") {
		t.Errorf("the log says %q", text)
	}
}

// Through a trusted proxy come many clients: it has no bound of its own, and the bound of all holds.
func TestProxyIsNoClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{Conns: 32, PerClient: 4, Trusted: func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.9") }})
	var kept []net.Conn
	for range 16 {
		c := h.dial("127.0.0.9")
		h.wants(c, "/page", "200")
		kept = append(kept, c)
	}
	for _, c := range kept {
		h.wants(c, "/page", "200")
	}
	h.crawl("127.0.0.9", 100)
	h.wants(h.dial("127.0.0.9"), "/page", "200")
	h.wants(h.dial("127.0.0.1"), "/page", "200")
	if n := h.held(); n > 32 {
		t.Errorf("%d connections are held", n)
	}
}

// Who is being answered is not cut for others, who are told to come again; what is idle is.
func TestBusyConnectionsStay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits Limits
		other  string // who finds no place
	}{
		"of one client": {Limits{Conns: 64, PerClient: 3}, "127.0.0.1"},
		"of all":        {Limits{Conns: 3, PerClient: 3}, "127.0.0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, c.limits)
			idle := h.dial("127.0.0.1")
			h.wants(idle, "/page", "200")
			got := make(chan string, 3)
			for range 3 {
				conn := h.dial("127.0.0.1")
				go func() {
					_, body := ask(conn, "/wait")
					got <- body
				}()
				<-h.enter
			}
			if status, _ := ask(idle, "/page"); strings.HasPrefix(status, "200") {
				t.Error("the idle connection was not cut")
			}
			refused := h.dial(c.other)
			answer := make([]byte, 12)
			_ = refused.SetReadDeadline(time.Now().Add(2 * time.Minute))
			if _, err := io.ReadFull(refused, answer); err != nil || string(answer) != "HTTP/1.1 503" {
				t.Errorf("whoever finds no place is told %q, %v", answer, err)
			}
			close(h.leave)
			for range 3 {
				if body := <-got; body != "done" {
					t.Errorf("an answer under way ended with %q", body)
				}
			}
			h.wants(h.dial(c.other), "/page", "200")
		})
	}
}

// Where everybody is being answered, the one whose answer takes for ever gives way.
func TestEndlessAnswersGiveWay(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{Conns: 2})
	got := make(chan string, 2)
	for range 2 {
		conn := h.dial("127.0.0.1")
		go func() {
			_, body := ask(conn, "/wait")
			got <- body
		}()
		<-h.enter
		h.ahead.Add(int64(longRequest - time.Second))
	}
	h.wants(h.dial("127.0.0.1"), "/page", "200") // the first has taken too long by now, the second has not
	if body := <-got; body != "" {
		t.Errorf("the oldest was answered %q", body)
	}
	close(h.leave)
	if body := <-got; body != "done" {
		t.Errorf("the other one was answered %q", body)
	}
}

// What has left gives its place back, once.
func TestPlacesAreGivenBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{Conns: 16, PerClient: 8})
	for range 100 {
		c := h.dial("127.0.0.1")
		h.wants(c, "/page", "200")
		_ = c.Close()
	}
	h.until("all places are given back", func() bool {
		h.s.door.mu.Lock()
		defer h.s.door.mu.Unlock()
		return h.s.door.waiting.Len() == 0 && h.s.door.busy.Len() == 0 && len(h.s.door.by) == 0
	})
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{"192.0.2.1": "192.0.2.1/32", "2001:db8::1:2:3:4": "2001:db8::/64"} {
		if got := Network(netip.MustParseAddr(from)).String(); got != want {
			t.Errorf("%s is of %s, want %s", from, got, want)
		}
	}
	if Network(netip.Addr{}).IsValid() {
		t.Error("no address is of a network")
	}
}

// No more connections are held than half of the descriptors.
func TestAffordable(t *testing.T) {
	t.Parallel()
	if n := affordable(16); n != 16 {
		t.Errorf("%d of 16", n)
	}
	if n := affordable(1 << 30); n < 1 || n > 1<<30 {
		t.Errorf("%d of very many", n)
	}
}

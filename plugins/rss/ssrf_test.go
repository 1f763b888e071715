package rss

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// trap counts the connections that reach an address.
type trap struct {
	port string
	hits atomic.Int64
}

func newTrap(t *testing.T, network, address string) *trap {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trap{}
	_, tr.port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tr.hits.Add(1)
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return tr
}

// only permits nothing but the given networks.
func only(networks ...string) func(*Config) {
	return func(c *Config) {
		c.AllowPrivate = nil
		for _, n := range networks {
			if err := c.permit(n); err != nil {
				panic(err)
			}
		}
	}
}

// spellings of loopback, private, link-local, metadata, shared, NAT64, 6to4, Teredo and mapped addresses.
var spellings = []string{
	"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.000.000.001",
	"localhost", "LOCALHOST", "localhost.", "foo.localhost", "１２７.0.0.1", "127。0。0。1", "⑫7.0.0.1",
	"0.0.0.0", "0", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]",
	"10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]", "[fc00::1]", "100.64.0.1", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
	"[2002:7f00:1::]", "[2001:0:7f00:1::]", "198.18.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "[ff02::1]", "[100::1]", "[2001:db8::1]",
}

func TestNoSpellingReachesAPrivateAddress(t *testing.T) {
	t.Parallel()
	four, six := newTrap(t, "tcp4", "127.0.0.1:0"), newTrap(t, "tcp6", "[::1]:0")
	n := fetch.New()
	n.Gate.Spacing = 0 // names that are refused are never known to be our own
	for _, host := range spellings {
		for _, port := range []string{four.port, six.port} {
			target := "http://" + host + ":" + port + "/feed"
			t.Run(target, func(t *testing.T) {
				c := defaults()
				c.URL = target
				err := c.Validate()
				if err == nil {
					src := openSource(t, n, target, only())
					_, err = src.Fetch(context.Background(), sdk.FetchRequest{Now: start})
				}
				if err == nil {
					t.Error("it was fetched")
				}
				// A redirect there is refused by its spelling or, when it is followed, by its address.
				src := openSource(t, n, "https://news.example/feed", only())
				next, err := src.client.Target(parse(t, "https://news.example/feed"), target)
				if err == nil {
					if _, err := src.client.Get(context.Background(), fetch.Request{URL: next}, start); err == nil {
						t.Error("a redirect there was followed")
					}
				}
				got, err := src.CheckItems(context.Background(), []sdk.ItemRef{{Key: "k", URL: target}})
				if err != nil || got[0].State != sdk.PresenceUnknown {
					t.Errorf("an item there is %+v: %v", got, err)
				}
			})
		}
	}
	if n := four.hits.Load() + six.hits.Load(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}

// resolver answers every question for an address with the next one of a list, the last one for ever.
func resolver(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() { // ends when the resolver closes its end
			defer there.Close()
			for {
				var size uint16
				if binary.Read(there, binary.BigEndian, &size) != nil {
					return
				}
				question := make([]byte, size)
				if _, err := io.ReadFull(there, question); err != nil {
					return
				}
				answer, err := reply(question, func() netip.Addr {
					i := min(int(asked.Add(1))-1, len(answers)-1)
					return netip.MustParseAddr(answers[i])
				})
				if err != nil {
					return
				}
				if binary.Write(there, binary.BigEndian, uint16(len(answer))) != nil {
					return
				}
				if _, err := there.Write(answer); err != nil {
					return
				}
			}
		}()
		return here, nil
	}}
}

func reply(question []byte, next func() netip.Addr) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0},
				Body: &dnsmessage.AResource{A: next().As4()}})
		}
	}
	return m.Pack()
}

// twoListeners listen on one port of two addresses.
func twoListeners(t *testing.T) (outside, inside net.Listener) {
	t.Helper()
	for range 20 {
		outside, err := net.Listen("tcp4", "127.0.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		inside, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", outside.Addr().(*net.TCPAddr).Port))
		if err == nil {
			return outside, inside
		}
		outside.Close()
	}
	t.Fatal("no port is free on both addresses")
	return nil, nil
}

func TestRebindingEndsWithoutAConnection(t *testing.T) {
	t.Parallel()
	site := feedtest.New()
	page := feedtest.Page{Type: "application/rss+xml", Body: articles(1).RSS(), Header: http.Header{"Connection": {"close"}}}
	site.Set("/feed", page)
	outside, inside := twoListeners(t)
	server := httptest.NewUnstartedServer(site)
	server.Listener.Close()
	server.Listener = outside
	server.Start()
	t.Cleanup(server.Close)
	port := outside.Addr().(*net.TCPAddr).Port
	var hits atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := inside.Accept()
			if err != nil {
				return
			}
			hits.Add(1)
			c.Close()
		}
	})
	t.Cleanup(func() {
		inside.Close()
		wg.Wait()
	})
	n := fetch.New()
	n.Resolver = resolver(t, "127.0.0.2", "127.0.0.1")
	src := openSource(t, n, fmt.Sprintf("http://rebind.example:%d/feed", port), only("127.0.0.2"))
	batch, err := src.Fetch(context.Background(), sdk.FetchRequest{Now: start})
	if err != nil || len(batch.Items) != 1 {
		t.Fatalf("the first fetch: %v", err)
	}
	_, err = src.Fetch(context.Background(), sdk.FetchRequest{Now: start, Cursor: batch.Next})
	if e := sdk.AsError(err); err == nil || e.Code != sdk.CodeForbidden || !strings.Contains(e.Public, "127.0.0.1 is a loopback address; if this is your own server, add its address to allow_private") {
		t.Errorf("the second fetch: %v", err)
	}
	if got, _ := src.CheckItems(context.Background(), []sdk.ItemRef{{Key: "k", URL: fmt.Sprintf("http://rebind.example:%d/a", port)}}); got[0].State != sdk.PresenceUnknown {
		t.Errorf("an item there is %+v", got)
	}
	if hits.Load() > 0 {
		t.Errorf("%d connections were made", hits.Load())
	}
}

// TestConnectionsAreNotLent holds that an instance cannot use a connection that only another one may make.
func TestConnectionsAreNotLent(t *testing.T) {
	t.Parallel()
	site := feedtest.New()
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	site.Feed("/feed", articles(1).RSS())
	n := fetch.New()
	n.Resolver = resolver(t, "127.0.0.1")
	address := strings.Replace(server.URL, "127.0.0.1", "own.example", 1) + "/feed"
	permitted, other := openSource(t, n, address), openSource(t, n, address, only())
	if _, err := permitted.Fetch(context.Background(), sdk.FetchRequest{Now: start}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Fetch(context.Background(), sdk.FetchRequest{Now: start}); err == nil || sdk.AsError(err).Code != sdk.CodeForbidden {
		t.Errorf("the other instance: %v", err)
	}
	if got := len(site.Requests()); got != 1 {
		t.Errorf("%d requests arrived", got)
	}
}

package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Manners towards one public host, whatever the number of documents it serves.
const (
	perHost     = 2                // requests at a time
	spacing     = time.Second      // between the starts of two requests
	longestTurn = 30 * time.Second // what waits longer comes back later
	keepHosts   = 1000
)

// Gate keeps the manners. Hosts that are reached over private addresses are the admin's own and are not slowed down;
// before the first connection nobody knows, so that one waits its turn like any other.
type Gate struct {
	// Spacing is kept between the starts of two requests to a host; what would wait beyond LongestTurn is told to come later.
	Spacing, LongestTurn time.Duration
	// Private tells whether an address is not public.
	Private func(netip.Addr) bool

	mu    sync.Mutex
	hosts map[string]*host
}

type host struct {
	slots  chan struct{}
	over   netip.Addr // the address that it was reached over last
	next   time.Time  // earliest start of the next request
	paused time.Time  // the server asked to be left alone until then
	// own is closed when the host turns out to be reached over a private address; nobody waits for it any longer.
	own    chan struct{}
	isOwn  bool
	leaves int // requests that have entered and not left
}

func newGate() *Gate {
	return &Gate{Spacing: spacing, LongestTurn: longestTurn, hosts: map[string]*host{},
		Private: func(a netip.Addr) bool { return sdk.Guard{}.Check(a) != nil }}
}

// host finds or makes the state of a host; an address written as such tells at once whether it is private.
func (g *Gate) host(name string) *host {
	h := g.hosts[name]
	if h == nil {
		if len(g.hosts) >= keepHosts {
			g.forget(time.Now())
		}
		h = &host{slots: make(chan struct{}, perHost), own: make(chan struct{})}
		if addr, err := netip.ParseAddr(name); err == nil && g.Private(addr) {
			h.isOwn = true
			close(h.own)
		}
		g.hosts[name] = h
	}
	return h
}

// forget drops the hosts that nothing waits for.
func (g *Gate) forget(now time.Time) {
	for name, h := range g.hosts {
		if h.leaves == 0 && now.After(h.next) && now.After(h.paused) {
			delete(g.hosts, name)
		}
	}
}

// enter waits until a request to the host may start, and gives the function that ends it. The error has CodeRateLimited
// when the turn would come too late or the host is paused, or is the context's.
func (g *Gate) enter(ctx context.Context, name string) (leave func(), err error) {
	g.mu.Lock()
	h := g.host(name)
	now := time.Now()
	if h.paused.After(now) {
		g.mu.Unlock()
		return nil, busy(name, h.paused.Sub(now), "asked to be left alone")
	}
	start := now
	if h.next.After(now) {
		start = h.next
	}
	if !h.isOwn && start.Sub(now) > g.LongestTurn {
		g.mu.Unlock()
		return nil, busy(name, start.Sub(now), "serves many of our sources and is asked at most once a second")
	}
	h.leaves++
	if h.isOwn {
		g.mu.Unlock()
		return func() { g.leave(h, false) }, nil
	}
	own := h.own
	h.next = start.Add(g.Spacing)
	g.mu.Unlock()

	timer := time.NewTimer(start.Sub(now))
	defer timer.Stop()
	select {
	case <-own:
		return func() { g.leave(h, false) }, nil
	case <-timer.C:
	case <-ctx.Done():
		g.leave(h, false)
		return nil, ctx.Err()
	}
	select {
	case <-own:
		return func() { g.leave(h, false) }, nil
	case h.slots <- struct{}{}:
		return func() { g.leave(h, true) }, nil
	case <-ctx.Done():
		g.leave(h, false)
		return nil, ctx.Err()
	}
}

func (g *Gate) leave(h *host, slot bool) {
	if slot {
		<-h.slots
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	h.leaves--
}

// reached tells over what address the host was connected.
func (g *Gate) reached(name string, address net.Addr) {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return
	}
	addr := tcp.AddrPort().Addr()
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.host(name)
	if h.over == addr {
		return
	}
	h.over = addr
	private := g.Private(addr)
	switch {
	case private && !h.isOwn:
		h.isOwn = true
		close(h.own)
	case !private && h.isOwn:
		h.isOwn, h.own = false, make(chan struct{})
	}
}

// pause keeps every request away from the host.
func (g *Gate) pause(name string, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.host(name)
	if until := time.Now().Add(d); until.After(h.paused) {
		h.paused = until
	}
}

func busy(name string, d time.Duration, why string) *sdk.Error {
	return &sdk.Error{Code: sdk.CodeRateLimited, Scope: sdk.ScopeDestination, Op: Op, RetryAfter: d.Round(time.Second) + time.Second,
		Public: fmt.Sprintf("%s %s; the next try is in %s", name, why, sdk.D(d.Round(time.Second)))}
}

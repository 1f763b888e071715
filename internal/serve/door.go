package serve

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits bound how many connections are held at once.
type Limits struct {
	// Conns is the most of all.
	Conns int
	// PerClient is the most from one address, which is an IPv4 address or the /64 network of an IPv6 one; 0 means no bound.
	PerClient int
	// Trusted says of a peer that it is a proxy, which speaks for many clients and has no bound of its own; nil trusts nobody.
	Trusted func(peer netip.Addr) bool
}

// longRequest is how long a request may be answered until its connection is cut for others that find no place. A page takes
// milliseconds: who is slower reads slowly.
const longRequest = 5 * time.Second

// door lets connections in. Nobody waits in front of it: when there is no place, the connection that has been without a
// request for longest goes, of the same client where that has too many; then the one whose answer takes longest; and where
// everybody is being served, whoever comes is told so.
type door struct {
	limits Limits
	what   string
	log    *slog.Logger
	now    func() time.Time

	mu sync.Mutex
	// waiting are connections without a request: half open, or kept for the next one. busy are those whose request is being
	// answered. In both the oldest is first.
	waiting, busy list.List
	by            map[netip.Prefix]*client
	cut           int       // since told
	told          time.Time // of connections that were cut
}

// client are the connections from one place.
type client struct {
	conns   int
	waiting list.List
}

// guest is a connection that was let in.
type guest struct {
	net.Conn
	door *door
	from netip.Prefix // invalid when the peer has no bound of its own
	// inAll and inClient are the places in the lists; nil once it has left.
	inAll, inClient *list.Element
	answering       bool
	since           time.Time
}

func newDoor(l Limits, what string, log *slog.Logger) *door {
	l.Conns = affordable(l.Conns)
	return &door{limits: l, what: what, log: log, now: time.Now, by: map[netip.Prefix]*client{}}
}

// listener hands out connections that the door let in.
type listener struct {
	net.Listener
	door *door
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := l.door.enter(c); g != nil {
			return g, nil
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // a new connection takes this at once
		_, _ = c.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
		_ = c.Close()
	}
}

// place is where a connection comes from; invalid when that is unknown, or has no bound.
func (d *door) place(c net.Conn) netip.Prefix {
	if d.limits.PerClient <= 0 {
		return netip.Prefix{}
	}
	peer, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	a := peer.AddrPort().Addr().Unmap().WithZone("")
	if d.limits.Trusted != nil && d.limits.Trusted(a) {
		return netip.Prefix{}
	}
	return Network(a)
}

// Network is what counts as one client: an IPv4 address, or the /64 network of an IPv6 one; invalid for no address.
func Network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// enter lets a connection in, perhaps for another one that is cut; nil when there is no place.
func (d *door) enter(c net.Conn) *guest {
	from := d.place(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if cl := d.by[from]; cl != nil && cl.conns >= d.limits.PerClient && !d.sendAway(&cl.waiting) {
		return nil
	}
	if d.waiting.Len()+d.busy.Len() >= d.limits.Conns && !d.sendAway(&d.waiting) && !d.sendAwaySlow(now) {
		return nil
	}
	g := &guest{Conn: c, door: d, from: from, since: now}
	if from.IsValid() {
		if d.by[from] == nil {
			d.by[from] = &client{}
		}
		d.by[from].conns++
	}
	d.wait(g)
	return g
}

// sendAway cuts the connection that has waited for longest; false when none waits.
func (d *door) sendAway(from *list.List) bool {
	first := oldest(from)
	if first == nil {
		return false
	}
	d.drop(first)
	return true
}

// sendAwaySlow cuts the connection whose answer takes longest, if it takes long.
func (d *door) sendAwaySlow(now time.Time) bool {
	first := oldest(&d.busy)
	if first == nil || now.Sub(first.since) < longRequest {
		return false
	}
	d.drop(first)
	return true
}

// oldest is the first of a list; nil when it is empty.
func oldest(l *list.List) *guest {
	if l.Len() == 0 {
		return nil
	}
	g, _ := l.Front().Value.(*guest) // nothing else is in there
	return g
}

// drop cuts a connection.
func (d *door) drop(g *guest) {
	d.leave(g)
	_ = g.Conn.Close() // the kernel does the rest
	d.cut++
	if now := d.now(); now.Sub(d.told) >= time.Minute {
		d.log.Warn("connections are cut, since too many are held at once: half-open and idle ones first", "what", d.what, "cut", d.cut)
		d.told, d.cut = now, 0
	}
}

// wait puts a connection that has no request behind the others.
func (d *door) wait(g *guest) {
	g.inAll, g.answering = d.waiting.PushBack(g), false
	if g.from.IsValid() {
		g.inClient = d.by[g.from].waiting.PushBack(g)
	}
}

// out takes a connection out of the lists.
func (d *door) out(g *guest) {
	if g.answering {
		d.busy.Remove(g.inAll)
		return
	}
	d.waiting.Remove(g.inAll)
	if g.from.IsValid() {
		d.by[g.from].waiting.Remove(g.inClient)
	}
}

// leave gives the place of a connection back, once.
func (d *door) leave(g *guest) {
	if g.inAll == nil {
		return
	}
	d.out(g)
	g.inAll, g.inClient = nil, nil
	if !g.from.IsValid() {
		return
	}
	if cl := d.by[g.from]; cl.conns > 1 {
		cl.conns--
	} else {
		delete(d.by, g.from)
	}
}

// answer notes that a request is being answered, or with false that it was.
func (g *guest) answer(is bool) {
	d := g.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if g.inAll == nil || g.answering == is {
		return
	}
	d.out(g)
	g.since = d.now()
	if is {
		g.inAll, g.inClient, g.answering = d.busy.PushBack(g), nil, true
	} else {
		d.wait(g)
	}
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.door.mu.Lock()
	g.door.leave(g)
	g.door.mu.Unlock()
	return g.Conn.Close()
}

type guestKey struct{}

// withGuest is for http.Server.ConnContext.
func withGuest(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, guestKey{}, c)
}

// answering notes which connections have a request.
func answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
			g.answer(true)
			defer g.answer(false)
		}
		next.ServeHTTP(w, r)
	})
}

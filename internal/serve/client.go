package serve

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Peer is the other end of a request's connection; invalid when that is no address.
func Peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address(host)
}

func address(text string) netip.Addr {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// Client is where a request comes from: the last address of X-Forwarded-For that is none of a trusted proxy's, when the
// request comes from such a proxy, and the peer otherwise. What stands before that address anybody may have written.
func Client(r *http.Request, trusted []netip.Prefix) netip.Addr {
	at := Peer(r)
	behind := func(a netip.Addr) bool { return Among(a, trusted) }
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !behind(at) {
			return at
		}
		a := address(hop)
		if !a.IsValid() {
			return at
		}
		at = a
	}
	return at
}

// Among says that an address is in one of the networks.
func Among(a netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

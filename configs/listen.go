package configs

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// listening is an address to listen at.
type listening struct {
	// host is invalid for every network of this machine.
	host netip.Addr
	port int
}

// parseListen reads an address to listen at: an IP address or localhost, or nothing for every network, and a port. A name
// is none: whether the daemon starts would depend on who answers for it.
func parseListen(text string) (listening, sdk.Problem) {
	const like = "write an address and a port, like 127.0.0.1:8080, or :8080 for every network"
	no := func(fix string) (listening, sdk.Problem) {
		return listening{}, sdk.Problem{What: fmt.Sprintf("%q is no address to listen at", text), Fix: fix}
	}
	if u, err := url.Parse(text); err == nil && strings.Contains(text, "://") && u.Port() != "" {
		return no("write " + u.Host)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		if addr, ipErr := netip.ParseAddr(strings.Trim(text, "[]")); ipErr == nil {
			return no("add a port: " + net.JoinHostPort(addr.String(), "8080"))
		}
		if _, portErr := net.LookupPort("tcp", text); portErr == nil && strings.Trim(text, "0123456789") == "" {
			return no(fmt.Sprintf("write 127.0.0.1:%s, or :%s for every network", text, text))
		}
		return no(like)
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil || port == "" || strings.ContainsAny(port, " \t") { // which some systems' libraries overlook
		return listening{}, sdk.Problem{What: fmt.Sprintf("%q is no port", port), Fix: "write a number up to 65535, like 8080"}
	}
	switch host {
	case "":
		return listening{port: n}, sdk.Problem{}
	case "localhost":
		return listening{host: netip.AddrFrom4([4]byte{127, 0, 0, 1}), port: n}, sdk.Problem{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return listening{}, sdk.Problem{What: fmt.Sprintf("%q is a name, and the address of a network of this machine is wanted", host), Fix: like}
	}
	if addr = addr.Unmap(); addr.IsUnspecified() {
		addr = netip.Addr{}
	}
	return listening{host: addr, port: n}, sdk.Problem{}
}

// overlaps reports whether two addresses cannot both be listened at. The port 0 is a free one.
func (a listening) overlaps(b listening) bool {
	return a.port != 0 && a.port == b.port && (!a.host.IsValid() || !b.host.IsValid() || a.host == b.host)
}

// checkListens looks at the addresses with which the daemon would not start.
func (l *Loaded) checkListens(c *collector) {
	pages, wrong := parseListen(l.Listen)
	if wrong.What != "" {
		wrong.Pointer = "/listen"
		c.addAll(sdk.Problems{wrong})
	}
	if l.AdminListen == AdminNone {
		return
	}
	operators, odd := parseListen(l.AdminListen)
	if odd.What != "" {
		odd.Pointer, odd.Fix = "/admin_listen", odd.Fix+", or none"
		c.addAll(sdk.Problems{odd})
		return
	}
	// The address that nobody asked for is given up where it cannot be used.
	asked := l.Says("/admin_listen")
	switch same := wrong.What == "" && pages.overlaps(operators); {
	case same && asked:
		c.at("/admin_listen", "readers are served at this address already", "give operators another port, like 127.0.0.1:9080")
	case same:
		l.Warnings = append(l.Warnings, l.Locate(sdk.Problem{Pointer: "/listen", What: "operators would be served at this address by default, and now are nowhere",
			Fix: "write admin_listen: with another port, or admin_listen: none"}))
	}
	if asked && !operators.host.IsLoopback() && len(l.Admin.Tokens) == 0 {
		c.at("/admin_listen", "other machines can reach this address, and no token is configured", "write admin_listen: 127.0.0.1:9080, or make a token: belfry token NAME")
	}
}

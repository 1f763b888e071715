package sdk

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Guard decides which addresses may be dialled. It is asked at the moment of dialling, with the address that was really
// resolved, so that redirects, DNS rebinding and odd spellings change nothing. The zero Guard refuses every address that
// is not globally reachable (IANA special-purpose registries, RFC 6890), and Azure's host, whatever form it comes in.
type Guard struct {
	// Allow are the prefixes an admin permits although they are not public (allow_private in the configuration).
	Allow []netip.Prefix
}

// refused are the prefixes that are not globally reachable, with the word an admin reads, and one address that is spelt like
// a public one.
var refused = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "an address of this host"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "a carrier's shared address (CGNAT)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	// Every virtual machine of Azure reaches its host there, which gives out certificates and settings.
	{netip.MustParsePrefix("168.63.129.16/32"), "a cloud's own address (Azure's host)"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address (cloud metadata lives there)"},
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "a protocol address"},
	{netip.MustParsePrefix("192.0.2.0/24"), "a documentation address"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a 6to4 relay address"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "a benchmarking address"},
	{netip.MustParsePrefix("198.51.100.0/24"), "a documentation address"},
	{netip.MustParsePrefix("203.0.113.0/24"), "a documentation address"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},
	{netip.MustParsePrefix("::1/128"), "a loopback address"},
	{netip.MustParsePrefix("::/96"), "an IPv4-compatible address"},
	{netip.MustParsePrefix("64:ff9b::/96"), "a NAT64 address"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "a NAT64 address"},
	{netip.MustParsePrefix("100::/64"), "a discard address"},
	{netip.MustParsePrefix("2001::/32"), "a Teredo address"},
	{netip.MustParsePrefix("2001::/23"), "a protocol address"},
	{netip.MustParsePrefix("2001:db8::/32"), "a documentation address"},
	{netip.MustParsePrefix("2002::/16"), "a 6to4 address"},
	{netip.MustParsePrefix("3fff::/20"), "a documentation address"},
	{netip.MustParsePrefix("5f00::/16"), "a segment-routing address"},
	{netip.MustParsePrefix("fc00::/7"), "a private address"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("fec0::/10"), "a site-local address"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
	// Only 2000::/3 is given out as global unicast (RFC 4291 section 2.4); everything else is reserved.
	{netip.MustParsePrefix("::/3"), "a reserved address"},
	{netip.MustParsePrefix("4000::/2"), "a reserved address"},
	{netip.MustParsePrefix("8000::/1"), "a reserved address"},
}

// Check says why an address may not be dialled, or nil. An address that carries an IPv4 address inside (mapped, NAT64,
// 6to4) is refused unless both of them are permitted. The error has CodeForbidden.
func (g Guard) Check(addr netip.Addr) error {
	if !addr.IsValid() {
		return Errorf(CodeForbidden, "", "there is no address to judge")
	}
	addr = addr.WithZone("")
	if addr.Is4In6() {
		addr = addr.Unmap()
	}
	for _, r := range refused {
		if !r.prefix.Contains(addr) {
			continue
		}
		if !g.allows(addr) {
			e := Errorf(CodeForbidden, "", "%s is %s", addr, r.what)
			e.Scope = ScopeDestination
			e.Err = &AddressError{Addr: addr, What: r.what}
			return e
		}
		if inner, ok := embedded(addr); ok {
			return g.Check(inner)
		}
		return nil
	}
	return nil
}

// AddressError is the cause of a refusal by a Guard.
type AddressError struct {
	Addr netip.Addr
	What string
}

// Error says what the address is.
func (e *AddressError) Error() string { return fmt.Sprintf("%s is %s", e.Addr, e.What) }

// Own says that a server of the admin's own may have the address, so that permitting it can be right: it is private,
// shared (CGNAT) or a loopback address. Where clouds keep their metadata, and what is no address of one server, is none.
func (e *AddressError) Own() bool {
	return e.Addr.IsPrivate() || e.Addr.IsLoopback() || netip.MustParsePrefix("100.64.0.0/10").Contains(e.Addr)
}

func (g Guard) allows(addr netip.Addr) bool {
	for _, p := range g.Allow {
		if p.Contains(addr) || (p.Addr().Is4In6() && p.Addr().Unmap().Is4() && p.Bits() >= 96 &&
			netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Contains(addr)) {
			return true
		}
	}
	return false
}

// embedded gives the IPv4 address inside a NAT64 (RFC 6052) or 6to4 (RFC 3056) address.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// Control is for net.Dialer.Control: it sees each address just before the connection is made.
func (g Guard) Control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return Errorf(CodeForbidden, "", "the address %s cannot be judged", address)
	}
	return g.Check(ap.Addr())
}

// Dialer makes connections under the guard. Every connection to an address that came from outside the program goes
// through one.
func (g Guard) Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Control: g.Control}
}

// CheckURL accepts an http or https URL that may be fetched: with a host in an ordinary spelling, without user and
// password. It does not resolve the host. The error has CodeInvalid or, for a literal address that is refused,
// CodeForbidden.
func (g Guard) CheckURL(raw string) (*url.URL, error) {
	normal, err := CheckLink(raw)
	if u, parseErr := url.Parse(strings.TrimSpace(raw)); parseErr == nil && !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") {
		return nil, Errorf(CodeInvalid, "", "%q is no http or https address", raw)
	}
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(normal)
	if err != nil {
		return nil, Errorf(CodeInvalid, "", "%q is no http or https address", raw)
	}
	host := u.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil {
		return u, g.Check(addr)
	}
	// A host whose last label is a number is an IPv4 address in some spelling (WHATWG URL, "ends in a number"); only the
	// dotted decimal one is accepted, and that was parsed above.
	last := strings.TrimSuffix(host, ".")
	last = strings.ToLower(last[strings.LastIndexByte(last, '.')+1:])
	if last == "" || strings.Trim(last, "0123456789") == "" || (strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == "") {
		return nil, Errorf(CodeForbidden, "", "%q is an address in an unusual spelling; write it as four decimal numbers", host)
	}
	return u, nil
}

// Resolution is what a Guard makes of a URL.
type Resolution struct {
	Addr netip.Addr
	// Refused says why the address would not be dialled; nil when it would.
	Refused error
}

// Resolve gives the addresses that a fetch of the URL could dial, each judged.
func (g Guard) Resolve(ctx context.Context, u *url.URL) ([]Resolution, error) {
	host := u.Hostname()
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, &Error{Code: CodeUnavailable, Op: "resolve", Public: fmt.Sprintf("the name %s cannot be resolved", host), Err: err}
		}
		addrs = found
	}
	out := make([]Resolution, len(addrs))
	for i, a := range addrs {
		out[i] = Resolution{Addr: a.Unmap(), Refused: g.Check(a)}
	}
	return out, nil
}

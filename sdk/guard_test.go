package sdk_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"pgregory.net/rapid"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		// public
		"1.1.1.1": "", "93.184.216.34": "", "2606:4700:4700::1111": "", "2a00:1450::1": "", "9.255.255.255": "", "11.0.0.0": "",
		"172.15.255.255": "", "172.32.0.0": "", "192.167.255.255": "", "192.169.0.0": "", "100.63.255.255": "", "100.128.0.0": "",
		"198.17.255.255": "", "198.20.0.0": "", "223.255.255.255": "", "168.63.129.15": "", "168.63.129.17": "", "::ffff:1.1.1.1": "",
		// this host, private, loopback, link-local
		"0.0.0.0": "this host", "0.1.2.3": "this host", "10.0.0.0": "private", "10.255.255.255": "private", "127.0.0.1": "loopback", "127.255.255.254": "loopback",
		"169.254.0.1": "link-local", "169.254.169.254": "metadata", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.0.1": "private",
		"100.64.0.1": "CGNAT", "100.127.255.255": "CGNAT", "100.100.100.200": "CGNAT",
		"168.63.129.16": "cloud", "::ffff:168.63.129.16": "cloud",
		// protocols, documentation, multicast, reserved
		"192.0.0.1": "protocol", "192.0.0.192": "protocol", "192.0.2.1": "documentation", "198.51.100.1": "documentation", "203.0.113.1": "documentation",
		"192.88.99.1": "6to4 relay", "198.18.0.1": "benchmarking", "198.19.255.255": "benchmarking", "224.0.0.1": "multicast", "239.255.255.255": "multicast",
		"240.0.0.1": "reserved", "255.255.255.255": "reserved",
		// the same inside IPv6
		"::ffff:127.0.0.1": "loopback", "::ffff:10.0.0.1": "private", "::ffff:169.254.169.254": "metadata", "::ffff:a9fe:a9fe": "metadata",
		"::127.0.0.1": "IPv4-compatible", "::1.1.1.1": "IPv4-compatible", "::ffff:0:127.0.0.1": "reserved", "64:ff9b::7f00:1": "NAT64", "64:ff9b::1.1.1.1": "NAT64",
		"64:ff9b:1::7f00:1": "NAT64", "2002:7f00:1::": "6to4", "2002:0101:0101::1": "6to4", "2001:0:4136:e378::1": "Teredo",
		// IPv6 itself
		"::": "IPv4-compatible", "::1": "loopback", "fc00::1": "private", "fd00:ec2::254": "private", "fdff::1": "private", "fe80::1": "link-local", "fe80::1%eth0": "link-local",
		"febf::1": "link-local", "fec0::1": "site-local", "ff02::1": "multicast", "100::1": "discard", "100:0:0:1::1": "reserved", "2001:db8::1": "documentation",
		"3fff::1": "documentation", "5f00::1": "segment-routing", "2001:2::1": "protocol", "4000::1": "reserved", "8000::1": "reserved", "f000::1": "reserved", "1234::1": "reserved",
	} {
		err := sdk.Guard{}.Check(netip.MustParseAddr(addr))
		if want == "" {
			if err != nil {
				t.Errorf("%s is refused: %v", addr, err)
			}
			continue
		}
		var e *sdk.Error
		var cause *sdk.AddressError
		if !errors.As(err, &e) || e.Code != sdk.CodeForbidden || e.Scope != sdk.ScopeDestination || !strings.Contains(e.Public, want) || !errors.As(err, &cause) {
			t.Errorf("%s: got %v, want a refusal that says %q", addr, err, want)
		}
	}
	if err := (sdk.Guard{}).Check(netip.Addr{}); err == nil {
		t.Error("no address at all was let through")
	}
}

// TestGuardKnowsWhatIsNotGlobal: whatever the standard library calls private, loopback, link-local, multicast or
// unspecified is refused, as itself and mapped into IPv6.
func TestGuardKnowsWhatIsNotGlobal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "low") {
			copy(b[:], []byte{rapid.SampledFrom([]byte{0, 0xfc, 0xfd, 0xfe, 0xff}).Draw(t, "first")})
		}
		v4 := netip.AddrFrom4([4]byte(b[:4]))
		for _, a := range []netip.Addr{netip.AddrFrom16(b), v4, netip.AddrFrom16(v4.As16())} {
			inner := a.Unmap()
			local := inner.IsPrivate() || inner.IsLoopback() || inner.IsLinkLocalUnicast() || inner.IsMulticast() || inner.IsUnspecified()
			if local && (sdk.Guard{}).Check(a) == nil {
				t.Fatalf("%s is let through", a)
			}
		}
	})
}

func TestGuardAllow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		allow, addr string
		ok          bool
	}{
		"the address itself":           {"10.0.3.7/32", "10.0.3.7", true},
		"its neighbour":                {"10.0.3.7/32", "10.0.3.8", false},
		"mapped":                       {"10.0.3.7/32", "::ffff:10.0.3.7", true},
		"allowed in mapped form":       {"::ffff:10.0.0.0/104", "10.1.2.3", true},
		"outside of the mapped form":   {"::ffff:10.0.0.0/104", "11.0.0.1", true}, // public anyway
		"another one of mapped form":   {"::ffff:10.0.0.0/104", "127.0.0.1", false},
		"with a zone":                  {"fe80::/10", "fe80::1%eth0", true},
		"NAT64 with a public address":  {"64:ff9b::/96", "64:ff9b::1.1.1.1", true},
		"NAT64 with a private address": {"64:ff9b::/96", "64:ff9b::10.0.3.7", false},
		"6to4 with a private address":  {"2002::/16", "2002:0a00:0307::1", false},
		"6to4 with a public address":   {"2002::/16", "2002:0101:0101::1", true},
		"everything":                   {"0.0.0.0/0", "127.0.0.1", true},
		"everything of IPv4 only":      {"0.0.0.0/0", "::1", false},
		"everything of IPv6":           {"::/0", "::1", true},
		"everything of IPv6 only":      {"::/0", "127.0.0.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := sdk.Guard{Allow: []netip.Prefix{netip.MustParsePrefix(tc.allow)}}
			if err := g.Check(netip.MustParseAddr(tc.addr)); (err == nil) != tc.ok {
				t.Errorf("%s under %s: %v", tc.addr, tc.allow, err)
			}
		})
	}
	both := sdk.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("10.0.3.7/32")}}
	if err := both.Check(netip.MustParseAddr("64:ff9b::10.0.3.7")); err != nil {
		t.Errorf("both addresses are permitted: %v", err)
	}
}

// Permitting an address is advised where a server of one's own can have it, and nowhere else.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	for in, own := range map[string]bool{"10.0.3.7": true, "172.16.0.1": true, "192.168.1.1": true, "127.0.0.1": true, "100.64.1.1": true, "::1": true,
		"fd00::1": true, "::ffff:10.0.3.7": true, "169.254.169.254": false, "168.63.129.16": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false,
		"192.0.2.1": false, "ff02::1": false, "fe80::1": false, "::": false, "64:ff9b::a00:307": false} {
		refused, ok := errors.AsType[*sdk.AddressError](sdk.Guard{}.Check(netip.MustParseAddr(in)))
		if !ok || refused.Own() != own {
			t.Errorf("%s: %v, %t; want %t", in, refused, ok && refused.Own(), own)
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]sdk.Code{
		"https://news.example/feed.xml": "", "http://news.example": "", "HTTPS://News.Example:8443/a?b=c#d": "", "http://1.1.1.1/": "",
		"http://[2606:4700::1]/": "", "http://localhost/": "", "http://news.example./": "", "http://1.example/": "", "http://0x.example/": "",
		// other spellings of local addresses
		"http://127.0.0.1/": sdk.CodeForbidden, "http://127.1/": sdk.CodeForbidden, "http://127.0.1/": sdk.CodeForbidden, "http://2130706433/": sdk.CodeForbidden,
		"http://0x7f000001/": sdk.CodeForbidden, "http://0X7F.1/": sdk.CodeForbidden, "http://0x7f.0x1/": sdk.CodeForbidden, "http://0177.0.0.1/": sdk.CodeForbidden,
		"http://127.0.0.1./": sdk.CodeForbidden, "http://127.0.0.0x1/": sdk.CodeForbidden, "http://1.2.3.4.5/": sdk.CodeForbidden, "http://a.0x/": sdk.CodeForbidden,
		"http://a.08/": sdk.CodeForbidden, "http://[::1]/": sdk.CodeForbidden, "http://[::ffff:127.0.0.1]/": sdk.CodeForbidden, "http://[0:0:0:0:0:ffff:7f00:1]/": sdk.CodeForbidden,
		"http://[fe80::1%25eth0]/": sdk.CodeForbidden, "http://[64:ff9b::7f00:1]/": sdk.CodeForbidden, "http://169.254.169.254/latest/meta-data/": sdk.CodeForbidden,
		"http://0/": sdk.CodeForbidden, "http://./": sdk.CodeForbidden,
		// no addresses to fetch
		"": sdk.CodeInvalid, "news.example": sdk.CodeInvalid, "/feed": sdk.CodeInvalid, "//news.example/": sdk.CodeInvalid, "ftp://news.example/": sdk.CodeInvalid,
		"file:///etc/passwd": sdk.CodeInvalid, "javascript:alert(1)": sdk.CodeInvalid, "mailto:a@news.example": sdk.CodeInvalid, "http:///x": sdk.CodeInvalid,
		"http://:80/": sdk.CodeInvalid, "http://user@news.example/": sdk.CodeInvalid, "http://user:pass@news.example/": sdk.CodeInvalid,
		"http://news.example/\r\nHost: evil": sdk.CodeInvalid, "http://a\x00b/": sdk.CodeInvalid, "http://[::1/": sdk.CodeInvalid, "http://a b/": sdk.CodeInvalid,
		"http://news.example/" + strings.Repeat("x", sdk.MaxURL): sdk.CodeTooLarge,
	} {
		u, err := sdk.Guard{}.CheckURL(in)
		switch {
		case want == "" && (err != nil || u == nil || u.Host != strings.ToLower(u.Host)):
			t.Errorf("%.60q: %v, %v", in, u, err)
		case want != "" && !errors.Is(err, &sdk.Error{Code: want}) && sdk.AsError(err).Code != want:
			t.Errorf("%.60q: got %v, %v; want %s", in, u, err, want)
		}
	}
	allowed := sdk.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if _, err := allowed.CheckURL("http://127.0.0.1/"); err != nil {
		t.Errorf("an address that is allowed: %v", err)
	}
	if _, err := allowed.CheckURL("http://127.1/"); err == nil {
		t.Error("an odd spelling of an address that is allowed was taken")
	}
}

// TestDialer: the guard judges the address that is really dialled, however the name came to it.
func TestDialer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	closed := sdk.Guard{}.Dialer(5 * time.Second)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.0.0.2"} {
		conn, err := closed.DialContext(ctx, "tcp", host+":"+port)
		if err == nil {
			_ = conn.Close()
			t.Errorf("%s was dialled", host)
		} else if refusal := (*sdk.AddressError)(nil); !errors.As(err, &refusal) {
			t.Errorf("%s: %v", host, err)
		}
	}
	open := sdk.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}.Dialer(5 * time.Second)
	conn, err := open.DialContext(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := (sdk.Guard{}).Control("tcp", "no address", nil); err == nil {
		t.Error("what cannot be read was let through")
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	g := sdk.Guard{}
	for raw, refused := range map[string]bool{"http://10.0.0.1/": true, "http://1.1.1.1/": false} {
		u, err := sdk.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}.CheckURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Resolve(t.Context(), u)
		if err != nil || len(got) != 1 || (got[0].Refused != nil) != refused || got[0].Addr.String() != u.Hostname() {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
	u, err := g.CheckURL("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.Resolve(t.Context(), u)
	if err != nil || len(got) == 0 || got[0].Refused == nil {
		t.Errorf("localhost: %+v, %v", got, err)
	}
}

// TestNoSpellingIsDialled holds that no spelling of an address that is not public leads the client to a connection.
func TestNoSpellingIsDialled(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	ports := map[string]string{}
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{ConnState: func(net.Conn, http.ConnState) { hits.Add(1) }, ReadHeaderTimeout: time.Second}
		done := make(chan struct{})
		go func() { defer close(done); _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close(); <-done })
		_, ports[at], err = net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
	}
	client := sdk.NewClient(sdk.ClientConfig{Timeout: 3 * time.Second})
	t.Cleanup(client.CloseIdle)
	for _, host := range []string{
		"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.000.000.001",
		"localhost", "LOCALHOST", "localhost.", "foo.localhost", "１２７.0.0.1", "127。0。0。1", "⑫7.0.0.1", "user:pass@127.0.0.1",
		"0.0.0.0", "0", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]",
		"10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]", "[fc00::1]", "100.64.0.1", "[64:ff9b::7f00:1]",
		"[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "198.18.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "[ff02::1]",
		"[100::1]", "[2001:db8::1]",
	} {
		for _, port := range ports {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+":"+port+"/", nil)
			if err != nil {
				continue // it is no address at all
			}
			if a, err := client.Send(req, "test"); err == nil {
				t.Errorf("%s answered %d", host, a.Status)
			}
		}
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}

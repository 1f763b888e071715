package app

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/belfry-news/belfry/configs"
)

// TestNetworkBoundsWithoutBeingKept: sign-ups of one network are bounded also where nothing of it may be kept, and nobody is
// bounded by an address that many stand behind.
func TestNetworkBoundsWithoutBeingKept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ip, from, forwarded, network, origin string
	}{
		"nothing is kept":               {"none", "198.51.100.7:4711", "", "198.51.100.0/24", ""},
		"the network is kept":           {"truncated", "198.51.100.7:4711", "", "198.51.100.0/24", "198.51.100.0/24"},
		"version 6":                     {"none", "[2001:db8:1:2::3]:4711", "", "2001:db8:1::/48", ""},
		"a proxy that is trusted":       {"none", "10.0.0.1:4711", "203.0.113.9", "203.0.113.0/24", ""},
		"a proxy that nobody has named": {"none", "192.168.1.1:4711", "203.0.113.9", "", ""},
		"this machine":                  {"none", "127.0.0.1:4711", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &App{}
			l := &configs.Loaded{}
			l.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			l.Privacy.IP = test.ip
			a.loaded.Store(l)
			r := &http.Request{RemoteAddr: test.from, Header: http.Header{}}
			if test.forwarded != "" {
				r.Header.Set("X-Forwarded-For", test.forwarded)
			}
			if got := a.network(r); got != test.network {
				t.Errorf("the network is %q, want %q", got, test.network)
			}
			if got := a.origin(r); got != test.origin {
				t.Errorf("the origin is %q, want %q", got, test.origin)
			}
		})
	}
}

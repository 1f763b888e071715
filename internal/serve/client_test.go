package serve

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClient(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("::1/128")}
	for name, c := range map[string]struct {
		peer    string
		headers []string
		want    string
	}{
		"no proxy":                        {"192.0.2.1:5", nil, "192.0.2.1"},
		"a stranger's header":             {"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"},
		"a proxy":                         {"10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		"a proxy behind another":          {"10.0.0.1:5", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"in two headers":                  {"[::1]:5", []string{"198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		"what the client wrote before it": {"10.0.0.1:5", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		"no address in it":                {"10.0.0.1:5", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		"a proxy's own request":           {"10.0.0.1:5", nil, "10.0.0.1"},
		"mapped":                          {"[::ffff:10.0.0.1]:5", []string{"2001:db8::7"}, "2001:db8::7"},
		"nothing":                         {"@", nil, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.headers}}
			if got := Client(r, trusted).String(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

package http_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// A probe reaches the receiver's door and says why when it cannot; it never calls.
func TestProbe(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	count := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	plain, secure := httptest.NewServer(count), httptest.NewTLSServer(count)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(plain.Listener.Addr().String())
	own := []any{"127.0.0.1/32", "::1/128"}
	for name, c := range map[string]struct {
		settings tree
		code     sdk.Code
		want     string
	}{
		"reached": {tree{"url": plain.URL + "/hook", "allow_private": own}, "",
			"a connection to " + plain.Listener.Addr().String() + " was made"},
		"no such name": {tree{"url": "https://nosuch.invalid/hook"}, sdk.CodeUnavailable, "the name nosuch.invalid "},
		"a closed port": {tree{"url": "https://" + nobody + "/hook", "allow_private": own}, sdk.CodeUnavailable,
			nobody + " refuses connections"},
		"a private address behind a name": {tree{"url": "https://localhost:" + port + "/hook"}, sdk.CodeForbidden,
			"if the receiver is your own, add allow_private: ["},
		"no TLS": {tree{"url": "https://" + plain.Listener.Addr().String() + "/hook", "allow_private": own},
			sdk.CodeUnavailable, "answers without TLS"},
		"a certificate of nobody": {tree{"url": secure.URL + "/hook", "allow_private": own}, sdk.CodeUnavailable,
			"shows a certificate that cannot be trusted"},
		"another host for corrections": {tree{"url": plain.URL + "/hook", "allow_private": own, "body": `{"t":{{json .Text}}}`,
			"ref": "/id", "update": tree{"url": "https://" + nobody + "/{{.Ref}}"}}, sdk.CodeUnavailable, nobody + " refuses connections"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.settings["body"] == nil {
				c.settings["secret"] = secret
			}
			found, err := open(t, c.settings).Probe(t.Context())
			if c.code == "" {
				if err != nil || found.Tested != c.want || !strings.Contains(found.Untested, "secret") {
					t.Errorf("got %+v, %v", found, err)
				}
				return
			}
			if e := sdk.AsError(err); e == nil || e.Code != c.code || e.Scope != sdk.ScopeDestination || !strings.Contains(e.Public, c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if calls.Load() > 0 {
			t.Errorf("the receiver was called %d times", calls.Load())
		}
	})
}

package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

func request(from, header string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, Base+"/status", nil)
	r.RemoteAddr = from
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	return r
}

func tokens(t *testing.T) *Tokens {
	t.Helper()
	k := NewTokens(nil)
	if err := k.Use(map[string]configs.Token{"desk": {Hash: Hash("s3cret"), Scopes: []string{ScopeRead, ScopePost}}, "prometheus": {Hash: Hash("scrape"), Scopes: []string{ScopeRead}}}); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header, scope string
		want          string // the name of the token
		status        int
		says          string
		challenge     string
	}{
		"a token with the scope":  {"Bearer s3cret", ScopePost, "desk", 0, "", ""},
		"any case of the scheme":  {"bearer s3cret", ScopeRead, "desk", 0, "", ""},
		"another token":           {"Bearer scrape", ScopeRead, "prometheus", 0, "", ""},
		"without the scope":       {"Bearer scrape", ScopePost, "", 403, "token prometheus has the scopes read, and this needs post; add it to admin.tokens.prometheus.scopes", `scope="post"`},
		"no token":                {"", ScopeRead, "", 401, "Authorization: Bearer TOKEN", `Bearer realm="belfry"`},
		"an empty token":          {"Bearer ", ScopeRead, "", 401, "Authorization: Bearer TOKEN", `Bearer realm="belfry"`},
		"another scheme":          {"Basic czNjcmV0", ScopeRead, "", 401, "Authorization: Bearer TOKEN", `Bearer realm="belfry"`},
		"a wrong token":           {"Bearer wrong", ScopeRead, "", 401, "is not known", `error="invalid_token"`},
		"the hash is no token":    {"Bearer " + Hash("s3cret"), ScopeRead, "", 401, "is not known", `error="invalid_token"`},
		"a beginning of a token":  {"Bearer s3cre", ScopeRead, "", 401, "is not known", `error="invalid_token"`},
		"a token and more":        {"Bearer s3cret more", ScopeRead, "", 401, "is not known", `error="invalid_token"`},
		"a scope that nobody has": {"Bearer s3cret", ScopeOperate, "", 403, "read, post, and this needs operate", `scope="operate"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, p := tokens(t).Authorize(request("192.0.2.1:1", c.header), c.scope)
			if got != c.want || (p == nil) != (c.status == 0) {
				t.Fatalf("%q, %v", got, p)
			}
			if p != nil && (p.Status != c.status || !strings.Contains(p.Detail, c.says) || !strings.Contains(p.header.Get("WWW-Authenticate"), c.challenge) || strings.Contains(p.Detail, "s3cre")) {
				t.Errorf("%d %s %v", p.Status, p.Detail, p.header)
			}
		})
	}
}

func TestWithoutTokens(t *testing.T) {
	t.Parallel()
	k := NewTokens(nil)
	if _, p := k.Authorize(request("192.0.2.1:1", "Bearer x"), ScopeRead); p == nil || p.Status != 401 || !strings.Contains(p.Detail, "no token is configured; add one under admin.tokens") {
		t.Errorf("%v", p)
	}
	if !k.Empty() || tokens(t).Empty() {
		t.Error("Empty is wrong")
	}
}

// Whoever guesses is slowed down, wherever within their network they come from, and nobody else is.
func TestGuessing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, same, other string }{
		"IPv4":              {"192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"},
		"IPv4 in IPv6":      {"[::ffff:192.0.2.1]:1", "192.0.2.1:2", "[::ffff:192.0.2.2]:1"},
		"IPv6":              {"[2001:db8::1]:1", "[2001:db8::ffff:2]:1", "[2001:db8:0:1::1]:1"},
		"no address at all": {"@", "pipe", "192.0.2.2:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := tokens(t)
			now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
			k.now = func() time.Time { return now }
			status := func(from, token string) int {
				_, p := k.Authorize(request(from, "Bearer "+token), ScopeRead)
				if p == nil {
					return 200
				}
				return p.Status
			}
			for i := range wrongAtOnce {
				if got := status(c.from, fmt.Sprint("guess ", i)); got != 401 {
					t.Fatalf("guess %d: %d", i, got)
				}
			}
			_, p := k.Authorize(request(c.same, "Bearer guess"), ScopeRead)
			if p == nil || p.Status != 429 || p.header.Get("Retry-After") != "6" || !strings.Contains(p.Detail, "wait 6s") {
				t.Fatalf("%+v", p)
			}
			if got := status(c.same, "s3cret"); got != 200 {
				t.Errorf("a right token among a neighbour's guesses answers %d", got)
			}
			if got := status(c.other, "s3cret"); got != 200 {
				t.Errorf("somebody else is answered %d", got)
			}
			if got := status(c.from, ""); got != 401 {
				t.Errorf("no token is no guess, and answers %d", got)
			}
			now = now.Add(wrongAgain)
			if got := status(c.from, "guess"); got != 401 {
				t.Errorf("after the wait: %d", got)
			}
		})
	}
}

// Right tokens cost nothing.
func TestRightTokensAreNotCounted(t *testing.T) {
	t.Parallel()
	k := tokens(t)
	for range 10 * wrongAtOnce {
		if _, p := k.Authorize(request("192.0.2.1:1", "Bearer s3cret"), ScopeRead); p != nil {
			t.Fatal(p)
		}
	}
}

// However many addresses guess, what is remembered of them is bounded, and those without a place share one.
func TestManyGuessers(t *testing.T) {
	t.Parallel()
	k := tokens(t)
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	k.now = func() time.Time { return now }
	guess := func(i int) int {
		a := netip.AddrFrom4([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)})
		_, p := k.Authorize(request(netip.AddrPortFrom(a, 1).String(), "Bearer guess"), ScopeRead)
		return p.Status
	}
	limited := 0
	for i := range mostGuessers + 2*wrongAtOnce {
		if guess(i) == 429 {
			limited++
		}
	}
	if len(k.guesses) > mostGuessers || limited == 0 {
		t.Errorf("%d are remembered, %d were limited", len(k.guesses), limited)
	}
	now = now.Add(time.Hour)
	if guess(1<<20) != 401 || len(k.guesses) > 2 {
		t.Errorf("%d are remembered after an hour", len(k.guesses))
	}
}

func TestTokenConfig(t *testing.T) {
	t.Parallel()
	good := Hash("x")
	for name, c := range map[string]struct {
		tree any
		want string
	}{
		"good":          {map[string]any{"hash": good, "scopes": []any{"read"}}, ""},
		"upper case":    {map[string]any{"hash": "sha256:" + strings.ToUpper(good[7:]), "scopes": []any{"read"}}, ""},
		"the token":     {map[string]any{"hash": "s3cret", "scopes": []any{"read"}}, "/hash: the hash is not sha256: and 64 hexadecimal digits; make both: belfry token NAME"},
		"half a hash":   {map[string]any{"hash": good[:40], "scopes": []any{"read"}}, "/hash: the hash is not sha256:"},
		"no scope":      {map[string]any{"hash": good, "scopes": []any{}}, "/scopes: the token may do nothing"},
		"another scope": {map[string]any{"hash": good, "scopes": []any{"write"}}, `"write" is not possible here`},
		"no hash":       {map[string]any{"scopes": []any{"read"}}, `/hash: "hash" is missing`},
		"more":          {map[string]any{"hash": good, "scopes": []any{"read"}, "token": "s3cret"}, `unknown key "token"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cfg configs.Token
			err := sdk.Decode(c.tree, &cfg)
			if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestUse(t *testing.T) {
	t.Parallel()
	k := tokens(t)
	err := k.Use(map[string]configs.Token{"Desk 1": {Hash: Hash("a"), Scopes: []string{ScopeRead}}, "a": {Hash: Hash("b"), Scopes: []string{ScopeRead}},
		"b": {Hash: Hash("b"), Scopes: []string{ScopeRead}}, "c": {Hash: "x"}})
	want := strings.Join([]string{`/Desk 1: "Desk 1" is no name for a token; use small letters, digits, - and _`,
		`/b/hash: it is the hash of a too; give everybody a token of their own`, `/c/hash: the hash is not sha256: and 64 hexadecimal digits; ` + configs.HashFix}, "\n")
	if err == nil {
		t.Fatal("it was taken")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, p := k.Authorize(request("192.0.2.1:1", "Bearer s3cret"), ScopeRead); p != nil {
		t.Errorf("what was in force is not any more: %v", p)
	}
	if err := k.Use(nil); err != nil || !k.Empty() {
		t.Errorf("%v", err)
	}
}

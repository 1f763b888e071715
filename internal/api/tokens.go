package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/serve"
	"github.com/belfry-news/belfry/sdk"
)

// The scopes of tokens. None of them includes another.
const (
	// ScopeRead sees everything that commands show.
	ScopeRead = "read"
	// ScopePost writes, corrects and retracts posts.
	ScopePost = "post"
	// ScopeOperate fetches, releases, pauses, resends, checks, and retracts for good.
	ScopeOperate = "operate"
	// ScopePeople signs people up, who then confirm, takes withdrawals, and sends notices. It shows nobody.
	ScopePeople = "people"
)

// Hash gives what the configuration holds of a token.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Tokens know who may do what, and slow down whoever guesses. They may be used by anybody at any time.
type Tokens struct {
	client func(*http.Request) netip.Addr
	now    func() time.Time
	known  atomic.Pointer[[]known]

	mu      sync.Mutex
	guesses map[netip.Prefix]*rate.Limiter
	rest    *rate.Limiter // of those for whom there is no place
}

type known struct {
	name   string
	sum    [sha256.Size]byte
	scopes []string
}

const (
	// wrongAtOnce wrong tokens may come from one address, and one more each wrongAgain.
	wrongAtOnce = 10
	wrongAgain  = 6 * time.Second
	// mostGuessers bounds the addresses that are remembered.
	mostGuessers = 4096
)

// NewTokens makes Tokens that know none. client tells where a request comes from, behind proxies that are trusted; nil
// means the other end of the connection.
func NewTokens(client func(*http.Request) netip.Addr) *Tokens {
	if client == nil {
		client = serve.Peer
	}
	t := &Tokens{client: client, now: time.Now, guesses: map[netip.Prefix]*rate.Limiter{}, rest: newLimiter()}
	t.known.Store(&[]known{})
	return t
}

func newLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(wrongAgain), wrongAtOnce) }

var tokenName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Use puts other tokens in force. An error changes nothing; it is sdk.Problems with pointers below the map.
func (t *Tokens) Use(tokens map[string]configs.Token) error {
	var ps sdk.Problems
	list := []known{}
	sums := map[[sha256.Size]byte]string{}
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		c := tokens[name]
		if !tokenName.MatchString(name) {
			ps.Add(sdk.Pointer(name), fmt.Sprintf("%q is no name for a token", name), "use small letters, digits, - and _")
		}
		sum, err := c.Sum()
		if err != nil {
			ps.Add(sdk.Pointer(name, "hash"), err.Error(), configs.HashFix)
			continue
		}
		if other, twice := sums[sum]; twice {
			ps.Add(sdk.Pointer(name, "hash"), fmt.Sprintf("it is the hash of %s too", other), "give everybody a token of their own")
		}
		sums[sum] = name
		list = append(list, known{name, sum, slices.Clone(c.Scopes)})
	}
	if len(ps) > 0 {
		return ps
	}
	t.known.Store(&list)
	return nil
}

// Empty says that there is no token.
func (t *Tokens) Empty() bool { return len(*t.known.Load()) == 0 }

// scopes are those of a token.
func (t *Tokens) scopes(name string) []string {
	for _, k := range *t.known.Load() {
		if k.name == name {
			return k.scopes
		}
	}
	return nil
}

// Authorize looks whether the request's token has the scope, and gives its name, or the problem to answer with.
func (t *Tokens) Authorize(r *http.Request, scope string) (name string, p *Problem) {
	challenge := func(rest, format string, args ...any) *Problem {
		return problemf(http.StatusUnauthorized, "unauthenticated", format, args...).with("WWW-Authenticate", `Bearer realm="belfry"`+rest)
	}
	list := *t.known.Load()
	if len(list) == 0 {
		return "", challenge("", "no token is configured; add one under admin.tokens: {NAME: {hash: \"sha256:…\", scopes: [%s]}}; %s", scope, configs.HashFix)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", challenge("", "this needs a token; send it in the header Authorization: Bearer TOKEN")
	}
	// Every token is compared, and all of each, so that the time taken says nothing.
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range list {
		if subtle.ConstantTimeCompare(sum[:], list[i].sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return "", t.guessed(r, challenge(`, error="invalid_token"`, "the token is not known; compare its SHA-256 with the hashes under admin.tokens"))
	}
	k := list[found]
	if !slices.Contains(k.scopes, scope) {
		return "", forbidden(k, scope, "this")
	}
	return k.name, nil
}

// guessed counts a wrong token against where it came from, and says to wait where too many did. Whoever has a right one never
// waits, whatever a neighbour behind the same address sends: a token has 256 random bits, and no guess comes near it.
func (t *Tokens) guessed(r *http.Request, unknown *Problem) *Problem {
	guesses := t.limiter(t.client(r))
	if missing := 1 - guesses.TokensAt(t.now()); missing > 0 {
		wait := time.Duration(missing * float64(wrongAgain))
		return problemf(http.StatusTooManyRequests, "rate_limited", "too many wrong tokens came from this address; wait %s", max(wait, time.Second).Round(time.Second)).wait(wait)
	}
	guesses.AllowN(t.now(), 1)
	return unknown
}

// forbidden says which scope is missing for what.
func forbidden(k known, scope, what string) *Problem {
	return problemf(http.StatusForbidden, "forbidden", "token %s has the scopes %s, and %s needs %s; add it to admin.tokens.%s.scopes", k.name,
		strings.Join(k.scopes, ", "), what, scope, k.name).with("WWW-Authenticate", fmt.Sprintf(`Bearer realm="belfry", error="insufficient_scope", scope=%q`, scope))
}

// limiter bounds the wrong tokens from one place: an IPv4 address, or the network of an IPv6 host.
func (t *Tokens) limiter(from netip.Addr) *rate.Limiter {
	place := serve.Network(from)
	if !place.IsValid() {
		return t.rest
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if l, ok := t.guesses[place]; ok {
		return l
	}
	if len(t.guesses) >= mostGuessers {
		now := t.now()
		maps.DeleteFunc(t.guesses, func(_ netip.Prefix, l *rate.Limiter) bool { return l.TokensAt(now) >= wrongAtOnce })
	}
	if len(t.guesses) >= mostGuessers {
		return t.rest
	}
	l := newLimiter()
	t.guesses[place] = l
	return l
}

// Check is for configs.Options.Checks.
func Check(l *configs.Loaded) sdk.Problems {
	var ps sdk.Problems
	if errors.As(NewTokens(nil).Use(l.Admin.Tokens), &ps) {
		for i := range ps {
			ps[i].Pointer = "/admin/tokens" + ps[i].Pointer
		}
	}
	return ps
}

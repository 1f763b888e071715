package email

import (
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

func newTestTokens(tb testing.TB, secrets ...string) *tokens {
	tb.Helper()
	var list []sdk.Secret
	for _, s := range secrets {
		list = append(list, sdk.NewSecret(s))
	}
	t, err := newTokens("bounce@news.example", list)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestTokens(t *testing.T) {
	t.Parallel()
	a, b := newTestTokens(t, "first secret, long"), newTestTokens(t, "second secret, long", "first secret, long")
	for _, id := range []string{"d1", "0193a1f2-7c1b-7d3e-9f00-aabbccddeeff", "Delivery 7/é", strings.Repeat("x", 35)} {
		token, err := a.mint(id, forBounce, noon)
		if err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		address := a.envelope(token)
		local, _, _ := strings.Cut(address, "@")
		if len(local) > 64 || strings.Trim(local, "0123456789abcdefghijklmnopqrstuvwxyz+-") != "" {
			t.Errorf("%q: the local part is %q", id, local)
		}
		for name, tc := range map[string]struct {
			tokens  *tokens
			address string
			at      time.Time
			ok      bool
		}{
			"genuine": {a, address, noon, true}, "in capitals": {a, strings.ToUpper(address), noon, true}, "in brackets": {a, "<" + address + ">", noon, true},
			"after two weeks": {a, address, noon.Add(14 * 24 * time.Hour), true}, "after 16 days": {a, address, noon.Add(16 * 24 * time.Hour), false},
			"with a new key beside": {b, address, noon, true}, "another's key": {newTestTokens(t, "third secret, long"), address, noon, false},
			"another domain": {a, strings.Replace(address, "news", "evil", 1), noon, false}, "another name": {a, "x" + address, noon, false},
			"from the future": {a, address, noon.Add(-72 * time.Hour), false}, "cut": {a, strings.Replace(address, "@", "x@", 1), noon, false},
		} {
			got, ok := tc.tokens.of(tc.address, forBounce, tc.at)
			if ok != tc.ok || ok && got != id {
				t.Errorf("%s: %q %t", name, got, ok)
			}
		}
		// No character can be changed.
		for i := range token {
			other := byte('0')
			if token[i] == '0' {
				other = '1'
			}
			if got, ok := a.read(token[:i]+string(other)+token[i+1:], forBounce, noon); ok {
				t.Errorf("with another character at %d it names %q", i, got)
			}
		}
	}
	if _, err := a.mint(strings.Repeat("x", 36), forBounce, noon); err != nil {
		t.Error("an ID of 36 characters does not fit")
	}
	if _, err := a.mint(strings.Repeat("x", 37), forBounce, noon); codeOf(err) != "invalid message" {
		t.Errorf("an ID of 37 characters: %v", err)
	}
}

// TestTokensForAnswers holds that who got a mail, and can read the address for answers in it, has no token for a bounce with that;
// and that a reader may answer whenever they like.
func TestTokensForAnswers(t *testing.T) {
	t.Parallel()
	a := newTestTokens(t, "first secret, long")
	for _, id := range []string{"1-abcdefgh-2", "Delivery 7/é"} {
		answer, err := a.mint(id, forAnswer, noon)
		if err != nil {
			t.Fatal(err)
		}
		bounce, err := a.mint(id, forBounce, noon)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := a.of(a.envelope(answer), forBounce, noon); ok {
			t.Errorf("an answer's token is a bounce's of %q", got)
		}
		if got, ok := a.of(a.envelope(bounce), forAnswer, noon); ok {
			t.Errorf("a bounce's token is an answer's to %q", got)
		}
		if got, ok := a.of(a.envelope(answer), forAnswer, noon.AddDate(3, 0, 0)); !ok || got != id {
			t.Errorf("after three years: %q, %t", got, ok)
		}
	}
}

// FuzzTokens: only what was minted is read.
func FuzzTokens(f *testing.F) {
	a := newTestTokens(f, "first secret, long")
	good, err := a.mint("d1", forBounce, noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("bounce+" + good + "@news.example")
	f.Add("bounce+@news.example")
	f.Add(strings.Repeat("0", 80))
	f.Fuzz(func(t *testing.T, s string) {
		id, ok := a.of(s, forBounce, noon)
		if !ok {
			id, ok = a.read(s, forBounce, noon)
		}
		if !ok {
			return
		}
		again, err := a.mint(id, forBounce, noon)
		if err != nil || !strings.Contains(strings.ToLower(s), again) {
			t.Fatalf("%q was read as %q, which nobody minted (%v)", s, id, err)
		}
	})
}

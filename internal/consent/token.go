package consent

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"hash"
	"strconv"
	"strings"
)

// crockford is Crockford's alphabet in small letters: no letter looks like a digit, and a relay that changes case does no harm.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ErrToken says that a link is wrong, used or expired; see TokenError.
var ErrToken = errors.New("this link leads nowhere")

// Why a link leads nowhere.
const (
	TokenUnknown = "unknown"
	TokenUsed    = "used"
	TokenExpired = "expired"
)

// TokenError says why a link leads nowhere.
type TokenError struct{ Why string }

func (e *TokenError) Error() string { return ErrToken.Error() + ": " + e.Why }

// Is makes every TokenError an ErrToken.
func (e *TokenError) Is(target error) bool { return target == ErrToken }

// newToken makes a secret of 160 bits, and the hash that is kept of it.
func newToken() (token, hash string) {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	token = crockford.EncodeToString(b)
	return token, tokenHash(token)
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte("belfry token\x00" + strings.ToLower(token)))
	return hex.EncodeToString(sum[:])
}

// newRef makes what commands and links call a person.
func newRef() string {
	b := make([]byte, 10)
	_, _ = rand.Read(b)
	return crockford.EncodeToString(b)
}

// sign makes a link that names something and cannot be guessed: 100 bits of a keyed hash. It never expires, because mails
// are read late (facts sheet, 1.3).
func (k *Keys) sign(kind, name string) string { return name + "." + k.mac(kind, name) }

func (k *Keys) mac(kind, name string) string {
	m, _ := k.links.Get().(hash.Hash) // the pool holds nothing else
	defer k.links.Put(m)
	m.Reset()
	m.Write([]byte(kind + "\x00" + name))
	var sum [sha256.Size]byte
	return crockford.EncodeToString(m.Sum(sum[:0])[:20])
}

// signed gives the name in a link of ours.
func (k *Keys) signed(kind, link string) (string, error) {
	name, mac, found := strings.Cut(strings.ToLower(link), ".")
	if !found || name == "" || !hmac.Equal([]byte(mac), []byte(k.mac(kind, name))) {
		return "", &TokenError{TokenUnknown}
	}
	return name, nil
}

// Link is the address part of a person's own pages.
func (k *Keys) Link(ref string) string { return k.sign("person", ref) }

// LeaveLink is the address part of the link that ends a grant.
// It names the person too, by what nobody is called again: numbers are given anew once a database was restored.
func (k *Keys) LeaveLink(ref string, grant int64) string {
	return k.sign("leave", ref+"-"+strconv.FormatInt(grant, 36))
}

func (k *Keys) leaving(link string) (ref string, grant int64, err error) {
	name, err := k.signed("leave", link)
	if err != nil {
		return "", 0, err
	}
	ref, number, _ := strings.Cut(name, "-")
	grant, err = strconv.ParseInt(number, 36, 64)
	return ref, grant, err
}

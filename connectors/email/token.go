package email

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// tokenLife is how long a bounce may take to come back. A reader may answer whenever they like.
const tokenLife = 14 * 24 * time.Hour

// tokens make and check the tokens in envelope senders (VERP) and in the addresses to which readers answer. A token is, in the alphabet 0-9 a-z that no relay changes:
//
//	K DDD MMMMMMMMMMMMMMMM F ID
//
// K is the key's name, D the day it was made (15 bits, days since 1970, good until 2059), M 80 bits of HMAC-SHA-256 over the rest, F tells
// whether ID is the message's ID as it is (l) or its bytes in base32 (b); r and s tell the same of a token for answers, so that
// one is never taken for the other: whoever got a mail can read the address for answers in it. All of it is 21 characters and the ID,
// so that an ID of 36 characters fits behind "bounce+".
type tokens struct {
	local, domain string // of the bounce address
	keys          [][]byte
	names         []byte
	// macs are hashes under the first key that can be used again.
	macs sync.Pool
}

// base32hex without padding, in small letters: 0-9 a-v.
var tokenAlphabet = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

const (
	macBytes  = 10
	macChars  = 16
	dayLength = 3
	tokenHead = 1 + dayLength + macChars + 1
	maxLocal  = 64
)

// plainID says that an ID survives relays that change case.
func plainID(id string) bool {
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return id != ""
}

// bounceAddress reads the setting bounce.
func bounceAddress(text string) (local, domain string, err error) {
	const fix = "write it like bounce@news.example, or bounce.news.example"
	local, domain = "bounce", text
	if l, d, found := cutLast(text, '@'); found {
		to, err := parseRecipient(text)
		if err != nil || to.utf8 || strings.HasPrefix(to.path, `"`) || strings.Contains(l, "+") {
			return "", "", sdk.Errorf(sdk.CodeInvalid, "", "this is no address that a token can be added to; %s", fix)
		}
		local, domain = l, d
	}
	if domain = strings.ToLower(domain); !isDomain(domain) {
		return "", "", sdk.Errorf(sdk.CodeInvalid, "", "%q is no domain; %s", domain, fix)
	}
	if len(local) > 12 {
		return "", "", sdk.Errorf(sdk.CodeInvalid, "", "%q leaves no room for the token: 64 characters may stand before the @; take a name of at most 12", local)
	}
	return local, domain, nil
}

func newTokens(bounce string, secrets []sdk.Secret) (*tokens, error) {
	local, domain, err := bounceAddress(bounce)
	if err != nil {
		return nil, err
	}
	t := &tokens{local: local, domain: domain}
	for _, s := range secrets {
		key := sha256.Sum256([]byte("belfry bounce token\x00" + s.Reveal()))
		name := sha256.Sum256(append([]byte("name\x00"), key[:]...))
		t.keys = append(t.keys, key[:])
		t.names = append(t.names, tokenAlphabet.EncodeToString(name[:])[0])
	}
	if len(t.keys) == 0 {
		return nil, sdk.Errorf(sdk.CodeInvalid, "open", "bounce needs bounce_secrets")
	}
	return t, nil
}

// aim is what a token is for.
type aim struct{ plain, encoded byte }

var (
	forBounce = aim{'l', 'b'}
	forAnswer = aim{'r', 's'}
)

// mint makes a token of a message. It fails for an ID that does not fit.
func (t *tokens) mint(id string, what aim, now time.Time) (string, error) {
	tail := string(what.plain) + id
	if !plainID(id) {
		tail = string(what.encoded) + tokenAlphabet.EncodeToString([]byte(id))
	}
	if len(t.local)+1+tokenHead-1+len(tail) > maxLocal {
		return "", sdk.Errorf(sdk.CodeInvalid, "message", "the message's ID has %d bytes, which do not fit into a bounce address; shorten the name before the @ in bounce", len(id))
	}
	day := dayChars(now)
	h, ok := t.macs.Get().(hash.Hash)
	if !ok {
		h = hmac.New(sha256.New, t.keys[0])
	}
	defer t.macs.Put(h)
	return string(t.names[:1]) + day + mac(h, day, tail) + tail, nil
}

// envelope is the address with a token.
func (t *tokens) envelope(token string) string { return t.local + "+" + token + "@" + t.domain }

// read checks a token and gives the ID of its message. It is false for a forged one, for one that is for something else, and for
// a bounce's that is older than 14 days.
func (t *tokens) read(token string, what aim, now time.Time) (id string, ok bool) {
	token = strings.ToLower(token)
	if len(token) <= tokenHead || len(token) > maxLocal {
		return "", false
	}
	day, sum, tail := token[1:1+dayLength], token[1+dayLength:tokenHead-1], token[tokenHead-1:]
	genuine := false
	for i, key := range t.keys {
		if t.names[i] == token[0] && hmac.Equal([]byte(mac(hmac.New(sha256.New, key), day, tail)), []byte(sum)) {
			genuine = true
		}
	}
	made, known := dayOf(day)
	if !genuine || !known || what == forBounce && now.Sub(made) > tokenLife+24*time.Hour || made.Sub(now) > 24*time.Hour {
		return "", false
	}
	switch tail[0] {
	case what.plain:
		return tail[1:], true
	case what.encoded:
		raw, err := tokenAlphabet.DecodeString(tail[1:])
		return string(raw), err == nil
	}
	return "", false
}

// of finds the token in an address of ours and checks it.
func (t *tokens) of(address string, what aim, now time.Time) (id string, ok bool) {
	local, domain, found := cutLast(strings.Trim(strings.TrimSpace(address), "<>"), '@')
	if !found || !strings.EqualFold(domain, t.domain) || len(local) <= len(t.local)+1 ||
		!strings.EqualFold(local[:len(t.local)], t.local) || local[len(t.local)] != '+' {
		return "", false
	}
	return t.read(local[len(t.local)+1:], what, now)
}

// mac is over the day and the rest; h is new, or used before.
func mac(h hash.Hash, day, tail string) string {
	h.Reset()
	var sum [sha256.Size]byte
	h.Write([]byte(day))
	h.Write([]byte(tail))
	return tokenAlphabet.EncodeToString(h.Sum(sum[:0])[:macBytes])
}

func dayChars(now time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.Unix()/86400)<<49)
	return tokenAlphabet.EncodeToString(b[:])[:dayLength]
}

func dayOf(chars string) (time.Time, bool) {
	b, err := tokenAlphabet.DecodeString(chars + "00000") // whole bytes
	if err != nil {
		return time.Time{}, false
	}
	days := int64(b[0])<<7 | int64(b[1])>>1
	return time.Unix(days*86400, 0), true
}

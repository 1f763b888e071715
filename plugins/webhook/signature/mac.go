package signature

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // a sender that knows nothing better is the admin's choice
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// keys are the secrets of a scheme that signs with a hash.
type keys struct {
	hash func() hash.Hash
	all  [][]byte
}

func sha256Keys(secrets []string) keys {
	k := keys{hash: sha256.New}
	for _, s := range secrets {
		k.all = append(k.all, []byte(s))
	}
	return k
}

// fits gives the place of the secret under which the parts have one of the signatures; -1 when there is none. It takes as
// long whichever fits.
func (k keys) fits(signatures [][]byte, parts ...[]byte) int {
	found := -1
	for i, key := range k.all {
		mac := hmac.New(k.hash, key)
		for _, p := range parts {
			mac.Write(p)
		}
		want := mac.Sum(nil)
		for _, s := range signatures {
			if hmac.Equal(want, s) && found < 0 {
				found = i
			}
		}
	}
	return found
}

// encoding turns a written signature into bytes.
type encoding func(string) ([]byte, error)

func fromHex(s string) ([]byte, error)    { return hex.DecodeString(s) }
func fromBase64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }
func fromBase64URL(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}

func hashes() map[string]func() hash.Hash {
	return map[string]func() hash.Hash{"sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New, "sha1": sha1.New}
}

func encodings() map[string]encoding {
	return map[string]encoding{"hex": fromHex, "base64": fromBase64, "base64url": fromBase64URL}
}

// header gives the values of a header that must be there.
func header(h http.Header, name string) ([]string, error) {
	var out []string
	for _, v := range h.Values(name) {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return nil, refuse(ReasonMissing, "the header %s is missing; sign the request, and let no proxy take its headers away", name)
	}
	return out, nil
}

// oneHeader gives the value of a header that must be there once, or always say the same.
func oneHeader(h http.Header, name string) (string, error) {
	all, err := header(h, name)
	if err != nil {
		return "", err
	}
	for _, v := range all {
		if v != all[0] {
			return "", refuse(ReasonMalformed, "the header %s says two things; send it once", name)
		}
	}
	return all[0], nil
}

// decode turns written signatures into bytes, without their prefix. Those of another shape are left out; it is an error when
// none is left.
func decode(name string, written []string, prefix string, from encoding, size int) ([][]byte, error) {
	var out [][]byte
	for _, w := range written {
		rest, ok := strings.CutPrefix(w, prefix)
		if !ok {
			continue
		}
		if sum, err := from(rest); err == nil && len(sum) == size && len(out) < maxSignatures {
			out = append(out, sum)
		}
	}
	if len(out) == 0 {
		return nil, refuse(ReasonMalformed, "the header %s holds no signature of this scheme; it begins with %q and holds %d bytes, encoded", name, prefix, size)
	}
	return out, nil
}

// stamp reads a time in units since 1970, digits only.
func stamp(name, text string, unit time.Duration) (time.Time, error) {
	digits := text != "" && len(text) <= 16
	for _, c := range []byte(text) {
		digits = digits && c >= '0' && c <= '9'
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if !digits || err != nil {
		return time.Time{}, refuse(ReasonMalformed, "the time in %s is no number of %s since 1970", name, unitWord(unit))
	}
	if unit == time.Millisecond {
		return time.UnixMilli(n).UTC(), nil
	}
	return time.Unix(n, 0).UTC(), nil
}

func unitWord(unit time.Duration) string {
	if unit == time.Millisecond {
		return "milliseconds"
	}
	return "seconds"
}

// pairs reads a list such as "t=1, v1=ab, v1=cd". Every name keeps its values in their order.
func pairs(values []string) map[string][]string {
	out := map[string][]string{}
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if ok && len(out[name]) < maxSignatures {
			out[name] = append(out[name], value)
		}
	}
	return out
}

// wrong is the refusal of a signature that fits no secret. It says what usually is the cause, and nothing of what it should be.
func wrong(name string) error {
	return refuse(ReasonWrong, "the signature in %s fits no secret; check that both sides have the same secret, and that nothing between them changes the body", name)
}

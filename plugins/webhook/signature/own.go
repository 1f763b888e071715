package signature

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/belfry-news/belfry/sdk"
)

// HMAC describes a signature of one's own choosing.
type HMAC struct {
	Header    string `yaml:"header" doc:"The header that holds the signature, or with bearer the token." example:"X-Signature"`
	Prefix    string `yaml:"prefix" doc:"What stands in front of the signature in its header." example:"sha256="`
	Algorithm string `yaml:"algorithm" enum:"sha256|sha384|sha512|sha1" doc:"The hash. sha1 is for senders that know nothing better."`
	Encoding  string `yaml:"encoding" enum:"hex|base64|base64url" doc:"How the signature is written."`
	Signed    string `yaml:"signed" doc:"What is signed: {body}, which must stand last, and if the sender signs them {timestamp} and {id}." example:"{timestamp}.{body}"`
	Timestamp string `yaml:"timestamp_header" doc:"The header that holds the time. It only counts when it is signed." example:"X-Timestamp"`
	Unit      string `yaml:"timestamp_unit" enum:"s|ms" doc:"Whether the time is in seconds or milliseconds since 1970."`
	ID        string `yaml:"id_header" doc:"The header that names the delivery, the same for the sender's retries." example:"X-Delivery"`
}

// DefaultHMAC are the choices that most senders make.
func DefaultHMAC() HMAC {
	return HMAC{Algorithm: "sha256", Encoding: "hex", Signed: "{body}", Unit: "s"}
}

// ownHMAC is a signature as an admin describes it.
type ownHMAC struct {
	keys keys
	o    HMAC
	from encoding
	// before is what stands in front of the body in what is signed.
	before string
	// between are the signs that stand in it of themselves, which an id must not hold.
	between string
	unit    time.Duration
}

func newHMAC(o Options) (scheme, error) {
	c := o.HMAC
	s := &ownHMAC{keys: sha256Keys(o.Secrets), o: c, from: encodings()[c.Encoding], unit: time.Second}
	if c.Unit == "ms" {
		s.unit = time.Millisecond
	}
	s.keys.hash = hashes()[c.Algorithm]
	var ps sdk.Problems
	if s.keys.hash == nil {
		ps.Add("/algorithm", "the hash is unknown", "sha256, sha384, sha512 or sha1")
	}
	if s.from == nil {
		ps.Add("/encoding", "the encoding is unknown", "hex, base64 or base64url")
	}
	if c.Header == "" {
		ps.Add("/header", "nothing says which header holds the signature", "write header: X-Signature, or what the sender calls it")
	}
	for at, name := range map[string]string{"/header": c.Header, "/timestamp_header": c.Timestamp, "/id_header": c.ID} {
		if name != "" && !httpguts.ValidHeaderFieldName(name) {
			ps.Add(at, "this is no name of a header", "letters, digits and - only")
		}
	}
	before, last := strings.CutSuffix(c.Signed, "{body}")
	s.before = before
	for _, place := range []struct{ name, header, setting string }{{"{timestamp}", c.Timestamp, "timestamp_header"}, {"{id}", c.ID, "id_header"}} {
		if strings.Contains(before, place.name) && place.header == "" {
			ps.Add("/signed", place.name+" is signed, and nothing says which header holds it", "add "+place.setting, "/"+place.setting)
		}
	}
	bare := strings.NewReplacer("{timestamp}", "", "{id}", "").Replace(before)
	s.between = bare
	if !last || strings.ContainsAny(bare, "{}") {
		ps.Add("/signed", "what is signed must end with {body}, and may hold {timestamp} and {id} before it", `write it like "{timestamp}.{body}"`)
	}
	if strings.Contains(before, "{id}{timestamp}") || strings.Contains(before, "{timestamp}{id}") || before != "" && (strings.HasSuffix(before, "{id}") || strings.Count(before, "{id}") > 1) {
		ps.Add("/signed", "the id, the time and the body stand next to each other, so that a stranger could move the boundary between them", `put something between them, such as "{id}.{timestamp}.{body}"`)
	}
	return s, ps.Err()
}

func (s *ownHMAC) verify(h http.Header, r sdk.WebhookRequest) (Accepted, error) {
	written, err := header(h, s.o.Header)
	if err != nil {
		return Accepted{}, err
	}
	sums, err := decode(s.o.Header, written, s.o.Prefix, s.from, s.keys.hash().Size())
	if err != nil {
		return Accepted{}, err
	}
	a := Accepted{}
	before := s.before
	if strings.Contains(before, "{timestamp}") {
		sent, err := oneHeader(h, s.o.Timestamp)
		if err != nil {
			return Accepted{}, err
		}
		if a.At, err = stamp(s.o.Timestamp, sent, s.unit); err != nil {
			return Accepted{}, err
		}
		before = strings.ReplaceAll(before, "{timestamp}", sent)
	}
	idSigned := strings.Contains(before, "{id}")
	if s.o.ID != "" {
		if a.ID, err = oneHeader(h, s.o.ID); err != nil && idSigned {
			return Accepted{}, err
		}
		if len(a.ID) > maxID || idSigned && strings.ContainsAny(a.ID, s.between) {
			return Accepted{}, refuse(ReasonMalformed, "the header %s is longer than %d bytes, or holds a sign that could separate it from what follows", s.o.ID, maxID)
		}
		before = strings.ReplaceAll(before, "{id}", a.ID)
	}
	if a.Secret = s.keys.fits(sums, []byte(before), r.Body); a.Secret < 0 {
		return Accepted{}, wrong(s.o.Header)
	}
	// What is not signed may be changed by whoever repeats the request.
	if a.BodyOnce = !idSigned && a.At.IsZero(); a.ID == "" || !idSigned && !a.BodyOnce {
		a.ID = digest([]byte(before), r.Body)
	}
	return a, nil
}

// token compares something that the sender shows with every request. What is shown proves nothing about the body.
type token struct {
	header string
	prefix string
	sums   [][sha256.Size]byte
	id     string
	what   string
}

func newBearer(o Options) (scheme, error) {
	t := &token{header: "Authorization", prefix: "Bearer ", id: o.HMAC.ID, what: "the token"}
	if o.HMAC.Header != "" && !strings.EqualFold(o.HMAC.Header, t.header) {
		if !httpguts.ValidHeaderFieldName(o.HMAC.Header) {
			return nil, sdk.Problems{{Pointer: "/header", What: "this is no name of a header", Fix: "letters, digits and - only"}}
		}
		t.header, t.prefix = o.HMAC.Header, o.HMAC.Prefix
	}
	for _, s := range o.Secrets {
		t.sums = append(t.sums, sha256.Sum256([]byte(s)))
	}
	return t, nil
}

func newBasic(o Options) (scheme, error) {
	t := &token{header: "Authorization", prefix: "Basic ", id: o.HMAC.ID, what: "user:password in Base64"}
	for i, s := range o.Secrets {
		if !strings.Contains(s, ":") {
			return nil, sdk.Problems{{Pointer: sdk.Pointer("secrets", i), What: "there is no password", Fix: "write user:password"}}
		}
		t.sums = append(t.sums, sha256.Sum256([]byte(s)))
	}
	return t, nil
}

// Weak finds secrets that are soon guessed. What a sender signs with is its own affair; what it shows can be tried out.
func Weak(o Options) sdk.Problems {
	least, what, fix := 0, "", ""
	switch o.Scheme {
	case "bearer":
		least, what, fix = 16, "a token", "at least 16 characters, by chance: openssl rand -hex 24"
	case "basic":
		least, what, fix = 12, "user and password", "at least 12 characters together"
	}
	var ps sdk.Problems
	for i, s := range o.Secrets {
		if len(s) < least {
			ps.Add(sdk.Pointer("secrets", i), what+" of so few characters is soon guessed", fix)
		}
	}
	return ps
}

func (t *token) verify(h http.Header, _ sdk.WebhookRequest) (Accepted, error) {
	shown, err := header(h, t.header)
	if err != nil {
		behind := ""
		if word := strings.TrimSpace(t.prefix); word != "" {
			behind = " behind the word " + word
		}
		return Accepted{}, refuse(ReasonMissing, "the header %s is missing; send %s in it%s, and let no proxy take it away", t.header, t.what, behind)
	}
	found, shaped := -1, false
	for _, v := range shown[:min(len(shown), maxSignatures)] {
		if len(v) < len(t.prefix) || !strings.EqualFold(v[:len(t.prefix)], t.prefix) {
			continue
		}
		value := strings.TrimSpace(v[len(t.prefix):])
		if t.prefix == "Basic " {
			plain, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				continue
			}
			value = string(plain)
		}
		shaped = true
		sum := sha256.Sum256([]byte(value))
		for i := range t.sums {
			if subtle.ConstantTimeCompare(sum[:], t.sums[i][:]) == 1 && found < 0 {
				found = i
			}
		}
	}
	switch {
	case !shaped:
		return Accepted{}, refuse(ReasonMalformed, "the header %s does not begin with %q", t.header, strings.TrimSpace(t.prefix))
	case found < 0:
		return Accepted{}, refuse(ReasonWrong, "%s in %s is not what is expected here", t.what, t.header)
	}
	a := Accepted{Secret: found}
	if ids := h.Values(t.id); t.id != "" && len(ids) > 0 && len(ids[0]) <= maxID {
		a.ID = strings.TrimSpace(ids[0])
	}
	return a, nil
}

// Hidden lists the headers that hold a credential of a scheme itself, and not a signature: they are not to be kept.
func Hidden(o Options) []string {
	out := []string{"Authorization", "Cookie", "Proxy-Authorization"}
	if o.Scheme == "bearer" && o.HMAC.Header != "" && !slices.Contains(out, o.HMAC.Header) {
		out = append(out, http.CanonicalHeaderKey(o.HMAC.Header))
	}
	return out
}

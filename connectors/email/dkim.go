package email

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// signer makes DKIM signatures (RFC 6376, RFC 8463): SHA-256, relaxed canonicalisation of headers and body, the whole body.
type signer struct {
	domain, selector, algorithm string
	key                         crypto.Signer
	// begin is the signature's header up to t=, written and canonical.
	begin, canonical string
}

const keyFix = `make one with: openssl genrsa 2048, or: openssl genpkey -algorithm ed25519, and give it as key: "${file:…}"`

// privateKey reads a key in PEM. Its error has a fix.
func privateKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, "", "this is no private key in PEM; %s", keyFix)
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, sdk.Errorf(sdk.CodeInvalid, "", "the key is locked with a passphrase; write it without: openssl pkey -in locked.pem -out key.pem")
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return nil, sdk.Errorf(sdk.CodeInvalid, "", "this is the public half of a key; give the private one")
	default:
		return nil, sdk.Errorf(sdk.CodeInvalid, "", "PEM of the kind %q is no key that signs mails; %s", block.Type, keyFix)
	}
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, "", "the key is damaged; %s", keyFix)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 1024 {
			return nil, sdk.Errorf(sdk.CodeInvalid, "", "the key has %d bits, which receivers refuse; 2048 are usual", k.N.BitLen())
		}
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, sdk.Errorf(sdk.CodeInvalid, "", "DKIM knows RSA and Ed25519 keys, not this kind; %s", keyFix)
}

func newSigner(c Signature) (*signer, error) {
	key, err := privateKey(c.Key.Reveal())
	if err != nil {
		return nil, err
	}
	s := &signer{domain: strings.ToLower(c.Domain), selector: c.Selector, algorithm: "rsa-sha256", key: key}
	if _, ok := key.(ed25519.PrivateKey); ok {
		s.algorithm = "ed25519-sha256"
	}
	tags := "v=1; a=" + s.algorithm + "; c=relaxed/relaxed; d=" + s.domain + ";"
	rest := "s=" + s.selector + "; t="
	s.begin = "DKIM-Signature: " + tags + "\r\n\t" + rest
	s.canonical = "dkim-signature:" + tags + " " + rest
	return s, nil
}

// dnsKey is what the p= of the key's record in DNS must be.
func (s *signer) dnsKey() string {
	switch pub := s.key.Public().(type) {
	case ed25519.PublicKey:
		return base64.StdEncoding.EncodeToString(pub)
	default:
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			return ""
		}
		return base64.StdEncoding.EncodeToString(der)
	}
}

// oversigned are named once more than they are there, so that a copy that somebody adds breaks the signature.
var oversigned = []string{"From", "Subject", "Date", "To"}

// appendSignature signs a message and appends the header. headers is the message's header, a field after the other, each
// once; canonical is its relaxed form, names its names with colons between them.
func (s *signer) appendSignature(dst, canonical []byte, names string, bodyHash [sha256.Size]byte, now time.Time) ([]byte, error) {
	var room [512]byte
	stamp := strconv.FormatInt(now.Unix(), 10)
	hash := base64.StdEncoding.EncodeToString(bodyHash[:])
	h := sha256.New()
	h.Write(canonical)
	// The names stand without white space; they are folded with care below, and each fold is a space here.
	own := append(room[:0], s.canonical...)
	own = append(append(own, stamp...), "; h="...)
	dst = append(append(append(dst, s.begin...), stamp...), ";\r\n\th="...)
	width := len("\th=")
	for rest := names; rest != ""; {
		name, after, more := strings.Cut(rest, ":")
		if width+len(name)+1 > maxLine {
			dst, own, width = append(dst, "\r\n\t "...), append(own, ' '), 2
		}
		dst, own, width = append(dst, name...), append(own, name...), width+len(name)+1
		if rest = after; more {
			dst, own = append(dst, ':'), append(own, ':')
		}
	}
	dst = append(append(append(dst, ";\r\n\tbh="...), hash...), ";\r\n\tb="...)
	own = append(append(append(own, "; bh="...), hash...), "; b="...)
	h.Write(own)
	digest := h.Sum(nil)
	opts := crypto.SignerOpts(crypto.SHA256)
	if s.algorithm == "ed25519-sha256" {
		opts = crypto.Hash(0)
	}
	sig, err := s.key.Sign(rand.Reader, digest, opts)
	if err != nil {
		return dst, &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "message", Public: "the mail could not be signed (DKIM)", Err: err}
	}
	text := base64.StdEncoding.EncodeToString(sig)
	for len(text) > 70 {
		dst, text = append(append(dst, text[:70]...), "\r\n\t "...), text[70:]
	}
	return append(append(dst, text...), crlf...), nil
}

// appendRelaxedHeader writes header fields in the relaxed form (RFC 6376 section 3.4.2).
func appendRelaxedHeader(dst, fields []byte) []byte {
	for len(fields) > 0 {
		// A field goes on in the lines that begin with white space.
		end := 0
		for {
			i := bytes.IndexByte(fields[end:], '\n')
			if i < 0 {
				end = len(fields)
				break
			}
			if end += i + 1; end == len(fields) || fields[end] != ' ' && fields[end] != '\t' {
				break
			}
		}
		field := fields[:end]
		fields = fields[end:]
		colon := bytes.IndexByte(field, ':')
		for _, c := range bytes.TrimRight(field[:colon], " \t") {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
		}
		dst = append(dst, ':')
		space, begun := false, false
		for _, c := range field[colon+1:] {
			switch c {
			case '\r', '\n':
			case ' ', '\t':
				space = begun
			default:
				if space {
					dst, space = append(dst, ' '), false
				}
				dst, begun = append(dst, c), true
			}
		}
		dst = append(dst, crlf...)
	}
	return dst
}

// relaxedBody gives a body in the relaxed form (RFC 6376 section 3.4.4), but for empty lines at its end, of which the bodies
// here have none. The body begins at the beginning of a line and ends with the end of one.
func relaxedBody(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for line := range bytes.Lines(body) {
		line = bytes.TrimRight(line, "\r\n")
		space := false
		for _, c := range line {
			if c == ' ' || c == '\t' {
				space = true
				continue
			}
			if space {
				out, space = append(out, ' '), false
			}
			out = append(out, c)
		}
		out = append(out, crlf...)
	}
	return out
}

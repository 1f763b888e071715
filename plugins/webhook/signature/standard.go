package signature

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// standard is the scheme of the Standard Webhooks specification: HMAC-SHA256 (v1) and Ed25519 (v1a) over id, time and body.
type standard struct {
	keys keys
	// places are the places in the list of secrets of keys, and publicPlaces those of public.
	places       []int
	public       []ed25519.PublicKey
	publicPlaces []int
}

func newStandard(o Options) (scheme, error) {
	s := &standard{keys: keys{hash: sha256.New}}
	var ps sdk.Problems
	for i, secret := range o.Secrets {
		at := sdk.Pointer("secrets", i)
		switch {
		case strings.HasPrefix(secret, "whsk_"):
			ps.Add(at, "this is the sender's private key", "give its public key, which begins with whpk_")
		case strings.HasPrefix(secret, "whpk_"):
			key, err := base64.StdEncoding.DecodeString(secret[len("whpk_"):])
			if err != nil || len(key) != ed25519.PublicKeySize {
				ps.Add(at, "the public key is not 32 bytes in base64", "copy it whole, with whpk_ in front")
				continue
			}
			s.public, s.publicPlaces = append(s.public, key), append(s.publicPlaces, i)
		default:
			key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
			if err != nil {
				ps.Add(at, "the secret is not base64", "copy it whole, with whsec_ in front")
				continue
			}
			if len(key) < 24 || len(key) > 64 {
				ps.Add(at, fmt.Sprintf("the secret holds %d bytes", len(key)), "24 to 64 bytes, in base64, with whsec_ in front")
				continue
			}
			s.keys.all, s.places = append(s.keys.all, key), append(s.places, i)
		}
	}
	return s, ps.Err()
}

const (
	standardID        = "webhook-id"
	standardTimestamp = "webhook-timestamp"
	standardSignature = "webhook-signature"
)

func (s *standard) verify(h http.Header, r sdk.WebhookRequest) (Accepted, error) {
	id, err := oneHeader(h, standardID)
	if err != nil {
		return Accepted{}, err
	}
	sent, err := oneHeader(h, standardTimestamp)
	if err != nil {
		return Accepted{}, err
	}
	written, err := header(h, standardSignature)
	if err != nil {
		return Accepted{}, err
	}
	// A dot would let the boundary between id, time and body be moved under the same signature.
	if len(id) > maxID || strings.Contains(id, ".") {
		return Accepted{}, refuse(ReasonMalformed, "the header %s is longer than %d bytes or holds a dot", standardID, maxID)
	}
	at, err := stamp(standardTimestamp, sent, time.Second)
	if err != nil {
		return Accepted{}, err
	}
	var macs, signed [][]byte
	for w := range strings.FieldsSeq(strings.Join(written, " ")) {
		version, value, _ := strings.Cut(w, ",")
		sum, err := base64.StdEncoding.DecodeString(value)
		switch {
		case err != nil || len(macs)+len(signed) == maxSignatures:
		case version == "v1" && len(sum) == sha256.Size:
			macs = append(macs, sum)
		case version == "v1a" && len(sum) == ed25519.SignatureSize:
			signed = append(signed, sum)
		}
	}
	if len(macs)+len(signed) == 0 {
		return Accepted{}, refuse(ReasonMalformed, "the header %s holds no signature that begins with v1, or v1a, and is base64", standardSignature)
	}
	start := []byte(id + "." + sent + ".")
	a := Accepted{ID: id, At: at}
	if i := s.keys.fits(macs, start, r.Body); i >= 0 {
		a.Secret = s.places[i]
		return a, nil
	}
	if len(signed) > 0 && len(s.public) > 0 {
		message := slices.Concat(start, r.Body)
		for i, key := range s.public {
			for _, sig := range signed {
				if ed25519.Verify(key, message, sig) {
					a.Secret = s.publicPlaces[i]
					return a, nil
				}
			}
		}
	}
	return Accepted{}, wrong(standardSignature)
}

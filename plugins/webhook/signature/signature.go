// Package signature says whether a webhook is genuine: whether whoever sent it knows a secret, by the scheme of its sender.
// It is pure: no network, no clock, no state. It compares in constant time, over the raw bytes of the body, and reads
// nothing else of a body before that.
package signature

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// DefaultTolerance is how far a sender's clock may be from ours, either way, unless an admin says otherwise.
const DefaultTolerance = 5 * time.Minute

// Accepted says what a genuine request proved.
type Accepted struct {
	// ID names the delivery, the same for the sender's retries; empty when the sender gives none.
	ID string
	// BodyOnce says that nothing but the body is signed, so that the same body under another id is a replay.
	BodyOnce bool
	// Secret is the place in the list of the secret that fits, from 0.
	Secret int
	// At is when the sender says that it signed; zero when it does not say.
	At time.Time
	// Legacy says that the sender signs in a way that it has given up itself.
	Legacy bool
}

// Reason names why a request is refused, for programs. The list only grows.
type Reason string

// The reasons.
const (
	ReasonMissing   Reason = "signature_missing"   // a header that the scheme needs is not there
	ReasonMalformed Reason = "signature_malformed" // it is there, and is not what the scheme says
	ReasonWrong     Reason = "signature_wrong"     // it fits no secret
	ReasonStale     Reason = "timestamp_stale"     // it fits, and is older than the tolerance
	ReasonAhead     Reason = "timestamp_ahead"     // it fits, and is from the future
)

// RefusedError says why a request is not genuine, in a sentence for the sender's developer. It never tells what would be
// genuine.
type RefusedError struct {
	Reason Reason
	Detail string
}

// Error is the sentence.
func (e *RefusedError) Error() string { return e.Detail }

func refuse(r Reason, format string, args ...any) error {
	return &RefusedError{r, fmt.Sprintf(format, args...)}
}

// Options are a scheme with its secrets.
type Options struct {
	Scheme  string
	Secrets []string
	// Tolerance is how far the sender's time may be from ours; 0 is DefaultTolerance.
	Tolerance time.Duration
	// HMAC is of the scheme hmac. Header is also where the scheme bearer looks, in place of Authorization.
	HMAC HMAC
}

// Verifier verifies requests by one scheme. It may be used from several goroutines.
type Verifier struct {
	scheme    scheme
	tolerance time.Duration
}

// scheme looks at one request. at is the sender's own time, which is only judged once the signature fits.
type scheme interface {
	verify(h http.Header, r sdk.WebhookRequest) (Accepted, error)
}

// Schemes lists the names of the schemes.
func Schemes() []string { return slices.Sorted(maps.Keys(makers())) }

func makers() map[string]func(Options) (scheme, error) {
	return map[string]func(Options) (scheme, error){
		"standard":          newStandard,
		"standard-webhooks": newStandard,
		"github":            newGitHub,
		"meta":              newMeta,
		"contentful":        newContentful,
		"stripe":            newStripe,
		"slack":             newSlack,
		"ghost":             newGhost,
		"sanity":            newSanity,
		"woocommerce":       newWooCommerce,
		"wordpress":         newWooCommerce,
		"hmac":              newHMAC,
		"bearer":            newBearer,
		"basic":             newBasic,
	}
}

// New makes a verifier. Its error is sdk.Problems below the options' names in a configuration: /signature, /secrets/0 and
// those of HMAC.
func New(o Options) (*Verifier, error) {
	var ps sdk.Problems
	maker, known := makers()[o.Scheme]
	if !known {
		fix := "known are " + strings.Join(Schemes(), ", ")
		if near := sdk.Nearest(o.Scheme, Schemes()); near != "" {
			fix = fmt.Sprintf("did you mean %q?", near)
		}
		ps.Add("/signature", fmt.Sprintf("there is no signature scheme called %q", o.Scheme), fix)
		return nil, ps
	}
	if len(o.Secrets) == 0 {
		ps.Add("/secrets", "without a secret anybody could send items", `write secret: "${file:/run/secrets/…}"`)
	}
	if len(o.Secrets) > maxSecrets {
		ps.Add("/secrets", fmt.Sprintf("%d secrets are too many", len(o.Secrets)), fmt.Sprintf("%d are the most; take old ones out", maxSecrets))
	}
	if o.Tolerance == 0 {
		o.Tolerance = DefaultTolerance
	}
	if o.Tolerance < 0 || o.Tolerance > 24*time.Hour {
		ps.Add("/tolerance", fmt.Sprintf("%s is not possible", o.Tolerance), "between 1s and 24h")
	}
	if err := ps.Err(); err != nil {
		return nil, err
	}
	s, err := maker(o)
	if err != nil {
		return nil, err
	}
	return &Verifier{s, o.Tolerance}, nil
}

const (
	// maxSecrets and maxSignatures bound what one request can cost.
	maxSecrets    = 8
	maxSignatures = 16
)

// Verify looks at a request at a moment. Its error is a *RefusedError. Of most schemes only the headers and the body count.
func (v *Verifier) Verify(r sdk.WebhookRequest, now time.Time) (Accepted, error) {
	a, err := v.scheme.verify(canonical(r.Header), r)
	if err != nil {
		return Accepted{}, err
	}
	if a.At.IsZero() {
		return a, nil
	}
	switch off := now.Sub(a.At); {
	case off > v.tolerance:
		return Accepted{}, refuse(ReasonStale, "the signature is %s old and %s are allowed; send the request when it is signed, and set the sender's clock", sdk.D(off.Truncate(time.Second)), sdk.D(v.tolerance))
	case off < -v.tolerance:
		return Accepted{}, refuse(ReasonAhead, "the signature is from %s ahead and %s are allowed; set the sender's clock", sdk.D((-off).Truncate(time.Second)), sdk.D(v.tolerance))
	}
	return a, nil
}

// canonical spells the names of headers one way, whoever wrote them.
func canonical(header map[string][]string) http.Header {
	spelt := true
	for name := range header {
		spelt = spelt && http.CanonicalHeaderKey(name) == name
	}
	if spelt {
		return header
	}
	out := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		key := http.CanonicalHeaderKey(name)
		out[key] = append(out[key], header[name]...)
	}
	return out
}

// IsRefused gives why a request is not genuine.
func IsRefused(err error) (*RefusedError, bool) { return errors.AsType[*RefusedError](err) }

// idOf reads a member of a JSON object that names the delivery. It is asked of genuine bodies alone.
func idOf(body []byte, member string) string {
	var all map[string]json.RawMessage
	if json.Unmarshal(body, &all) != nil {
		return ""
	}
	id := ""
	if json.Unmarshal(all[member], &id) != nil || len(id) > maxID {
		return ""
	}
	return id
}

// maxID is the longest id of a delivery, in bytes.
const maxID = 256

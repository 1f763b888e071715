package signature

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// bodyOnly is a scheme that signs the body and nothing else.
type bodyOnly struct {
	keys   keys
	header string
	prefix string
	from   encoding
	// id is the header that names the delivery; without one, or with an empty one, the body does.
	id string
}

func newGitHub(o Options) (scheme, error) {
	return &bodyOnly{sha256Keys(o.Secrets), "X-Hub-Signature-256", "sha256=", fromHex, "X-GitHub-Delivery"}, nil
}

func newMeta(o Options) (scheme, error) {
	return &bodyOnly{sha256Keys(o.Secrets), "X-Hub-Signature-256", "sha256=", fromHex, ""}, nil
}

func newWooCommerce(o Options) (scheme, error) {
	return &bodyOnly{sha256Keys(o.Secrets), "X-WC-Webhook-Signature", "", fromBase64, "X-WC-Webhook-Delivery-ID"}, nil
}

func (s *bodyOnly) verify(h http.Header, r sdk.WebhookRequest) (Accepted, error) {
	written, err := header(h, s.header)
	if err != nil {
		return Accepted{}, err
	}
	sums, err := decode(s.header, written, s.prefix, s.from, s.keys.hash().Size())
	if err != nil {
		return Accepted{}, err
	}
	i := s.keys.fits(sums, r.Body)
	if i < 0 {
		return Accepted{}, wrong(s.header)
	}
	a := Accepted{BodyOnce: true, Secret: i}
	if s.id != "" {
		if id := strings.TrimSpace(h.Get(s.id)); len(id) <= maxID {
			a.ID = id
		}
	}
	if a.ID == "" {
		a.ID = digest(r.Body)
	}
	return a, nil
}

// digest names a delivery whose sender gives it no name.
func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// stripe signs the time and the body, once with each of its secrets.
type stripe struct{ keys keys }

func newStripe(o Options) (scheme, error) { return &stripe{sha256Keys(o.Secrets)}, nil }

func (s *stripe) verify(h http.Header, r sdk.WebhookRequest) (Accepted, error) {
	const name = "Stripe-Signature"
	written, err := header(h, name)
	if err != nil {
		return Accepted{}, err
	}
	all := pairs(written)
	sent, at, err := sentAt(name, all["t"], time.Second)
	if err != nil {
		return Accepted{}, err
	}
	sums, err := decode(name, all["v1"], "", fromHex, sha256.Size)
	if err != nil {
		return Accepted{}, err
	}
	i := s.keys.fits(sums, []byte(sent+"."), r.Body)
	if i < 0 {
		return Accepted{}, wrong(name)
	}
	id := idOf(r.Body, "id")
	if id == "" {
		id = digest([]byte(sent+"."), r.Body)
	}
	return Accepted{ID: id, Secret: i, At: at}, nil
}

// sentAt reads the time in a list of pairs, which must name one.
func sentAt(name string, values []string, unit time.Duration) (string, time.Time, error) {
	if len(values) != 1 {
		return "", time.Time{}, refuse(ReasonMalformed, "the header %s must name the time once, as t=…", name)
	}
	at, err := stamp(name, values[0], unit)
	return values[0], at, err
}

// slack signs its version, the time and the body.
type slack struct{ keys keys }

func newSlack(o Options) (scheme, error) { return &slack{sha256Keys(o.Secrets)}, nil }

func (s *slack) verify(h http.Header, r sdk.WebhookRequest) (Accepted, error) {
	const name, clock = "X-Slack-Signature", "X-Slack-Request-Timestamp"
	written, err := header(h, name)
	if err != nil {
		return Accepted{}, err
	}
	sent, err := oneHeader(h, clock)
	if err != nil {
		return Accepted{}, err
	}
	at, err := stamp(clock, sent, time.Second)
	if err != nil {
		return Accepted{}, err
	}
	sums, err := decode(name, written, "v0=", fromHex, sha256.Size)
	if err != nil {
		return Accepted{}, err
	}
	i := s.keys.fits(sums, []byte("v0:"+sent+":"), r.Body)
	if i < 0 {
		return Accepted{}, wrong(name)
	}
	id := idOf(r.Body, "event_id")
	if id == "" {
		id = digest([]byte(sent+":"), r.Body)
	}
	return Accepted{ID: id, Secret: i, At: at}, nil
}

// ghost signs the body followed by the time; before, it signed the body alone.
type ghost struct{ keys keys }

func newGhost(o Options) (scheme, error) { return &ghost{sha256Keys(o.Secrets)}, nil }

func (s *ghost) verify(h http.Header, r sdk.WebhookRequest) (Accepted, error) {
	const name = "X-Ghost-Signature"
	written, err := header(h, name)
	if err != nil {
		return Accepted{}, err
	}
	all := pairs(written)
	sums, err := decode(name, all["sha256"], "", fromHex, sha256.Size)
	if err != nil {
		return Accepted{}, err
	}
	sent, at, err := sentAt(name, all["t"], time.Millisecond)
	if err != nil {
		return Accepted{}, err
	}
	if i := s.keys.fits(sums, r.Body, []byte(sent)); i >= 0 {
		return Accepted{ID: digest(r.Body, []byte(sent)), Secret: i, At: at}, nil
	}
	if i := s.keys.fits(sums, r.Body); i >= 0 {
		// The time is not signed, so that it proves nothing.
		return Accepted{ID: digest(r.Body), BodyOnce: true, Secret: i, Legacy: true}, nil
	}
	return Accepted{}, wrong(name)
}

// sanity signs the time in milliseconds and the body.
type sanity struct{ keys keys }

func newSanity(o Options) (scheme, error) { return &sanity{sha256Keys(o.Secrets)}, nil }

func (s *sanity) verify(h http.Header, r sdk.WebhookRequest) (Accepted, error) {
	const name = "Sanity-Webhook-Signature"
	written, err := header(h, name)
	if err != nil {
		return Accepted{}, err
	}
	all := pairs(written)
	sent, at, err := sentAt(name, all["t"], time.Millisecond)
	if err != nil {
		return Accepted{}, err
	}
	sums, err := decode(name, all["v1"], "", fromBase64URL, sha256.Size)
	if err != nil {
		return Accepted{}, err
	}
	i := s.keys.fits(sums, []byte(sent+"."), r.Body)
	if i < 0 {
		return Accepted{}, wrong(name)
	}
	// The key that names the delivery is not signed: the same signature under another one would be a replay.
	return Accepted{ID: digest([]byte(sent+"."), r.Body), Secret: i, At: at}, nil
}

// Digest names a delivery by its body.
func Digest(body []byte) string { return digest(body) }

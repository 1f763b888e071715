package signature

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// contentful signs the method, the path, the headers that it names, and the body.
type contentful struct{ keys keys }

func newContentful(o Options) (scheme, error) { return &contentful{sha256Keys(o.Secrets)}, nil }

func (s *contentful) verify(h http.Header, r sdk.WebhookRequest) (Accepted, error) {
	const name, list, clock = "X-Contentful-Signature", "X-Contentful-Signed-Headers", "X-Contentful-Timestamp"
	written, err := oneHeader(h, name)
	if err != nil {
		return Accepted{}, err
	}
	named, err := oneHeader(h, list)
	if err != nil {
		return Accepted{}, err
	}
	sent, err := oneHeader(h, clock)
	if err != nil {
		return Accepted{}, err
	}
	at, err := stamp(clock, sent, time.Millisecond)
	if err != nil {
		return Accepted{}, err
	}
	// It is written in hex or in base64, whose lengths differ.
	from := fromHex
	if len(written) != 2*sha256.Size {
		from = fromBase64
	}
	sums, err := decode(name, []string{written}, "", from, sha256.Size)
	if err != nil {
		return Accepted{}, err
	}
	names := strings.Split(named, ",")
	if len(names) > maxSignedHeaders || !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(strings.TrimSpace(n), clock) }) {
		return Accepted{}, refuse(ReasonMalformed, "the header %s must name %s, and at most %d headers", list, clock, maxSignedHeaders)
	}
	signed := make([]string, len(names))
	for i, n := range names {
		n = strings.TrimSpace(n)
		signed[i] = strings.ToLower(n) + ":" + strings.TrimSpace(h.Get(n))
	}
	start := []byte(r.Method + "\n" + r.Path + "\n" + strings.Join(signed, ";") + "\n")
	i := s.keys.fits(sums, start, r.Body)
	if i < 0 {
		return Accepted{}, wrong(name)
	}
	return Accepted{ID: digest(start, r.Body), Secret: i, At: at}, nil
}

// maxSignedHeaders bounds what one request can cost.
const maxSignedHeaders = 32

package signature_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/belfry-news/belfry/plugins/webhook/signature"
	"github.com/belfry-news/belfry/sdk"
)

func verifier(tb testing.TB, o signature.Options) *signature.Verifier {
	tb.Helper()
	v, err := signature.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func heads(pairs ...string) map[string][]string {
	h := map[string][]string{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

// vector is a genuine request as the documents of the schemes have it, or as they prescribe it.
type vector struct {
	name    string
	options signature.Options
	header  map[string][]string
	body    string
	now     int64 // Unix seconds
	want    signature.Accepted
}

const standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func vectors() []vector {
	own := signature.DefaultHMAC()
	own.Header, own.Prefix, own.Signed, own.Timestamp, own.ID = "X-Sig", "v1=", "{id}.{timestamp}.{body}", "X-Time", "X-Id"
	sum := func(key, text string) string {
		m := hmac.New(sha256.New, []byte(key))
		m.Write([]byte(text))
		return hex.EncodeToString(m.Sum(nil))
	}
	bodyID := func(parts string) string {
		s := sha256.Sum256([]byte(parts))
		return "sha256:" + hex.EncodeToString(s[:])
	}
	return []vector{
		{"github", signature.Options{Scheme: "github", Secrets: []string{"It's a Secret to Everybody"}},
			heads("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
			"Hello, World!", 0, signature.Accepted{ID: "72d3162e-cc78-11e3-81ab-4c9367dc0958", BodyOnce: true}},
		{"meta", signature.Options{Scheme: "meta", Secrets: []string{"It's a Secret to Everybody"}},
			heads("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
			"Hello, World!", 0, signature.Accepted{ID: bodyID("Hello, World!"), BodyOnce: true}},
		{"standard webhooks", signature.Options{Scheme: "standard", Secrets: []string{standardSecret}},
			heads("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
			`{"test": 2432232314}`, 1614265330, signature.Accepted{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", At: time.Unix(1614265330, 0).UTC()}},
		{"standard webhooks, one of several signatures and secrets", signature.Options{Scheme: "standard", Secrets: []string{"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 24)), standardSecret}},
			heads("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330", "Webhook-Signature",
				"v9,AAAA v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
			`{"test": 2432232314}`, 1614265330 + 299, signature.Accepted{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Secret: 1, At: time.Unix(1614265330, 0).UTC()}},
		{"standard webhooks, Ed25519", signature.Options{Scheme: "standard", Secrets: []string{standardSecret, "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="}},
			heads("webhook-id", "msg_1", "webhook-timestamp", "1700000000", "webhook-signature", "v1a,DA+4m4VqA33Hm9Wlha/1LaJIOTEvbTa2btJ5gtcP1KIJ83aMbtlDaDEj9gW4UzCjPd9EMUgy41eDWvfIiFddCQ=="),
			`{"a":1}`, 1700000300, signature.Accepted{ID: "msg_1", Secret: 1, At: time.Unix(1700000000, 0).UTC()}},
		{"slack", signature.Options{Scheme: "slack", Secrets: []string{"topsecret"}},
			heads("X-Slack-Signature", "v0=80b9059aeee750bbeba6f03d6d89a022d18dcb0c67e7b87c1a8a3a7a14e4f4fc", "X-Slack-Request-Timestamp", "1700000000"),
			`{"type":"event_callback"}`, 1700000000, signature.Accepted{ID: bodyID(`1700000000:{"type":"event_callback"}`), At: time.Unix(1700000000, 0).UTC()}},
		{"stripe", signature.Options{Scheme: "stripe", Secrets: []string{"whsec_new", "whsec_test"}},
			heads("Stripe-Signature", "t=1700000000,v1=00,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925,v0=ff"),
			`{"id":"evt_1"}`, 1700000000, signature.Accepted{ID: "evt_1", Secret: 1, At: time.Unix(1700000000, 0).UTC()}},
		{"ghost", signature.Options{Scheme: "ghost", Secrets: []string{"topsecret"}},
			heads("X-Ghost-Signature", "sha256=7cadeb333fe652150dc157d0535e895da87460d85829d7b8c4dcd503a6f845d5, t=1700000000000"),
			`{"post":{}}`, 1700000000, signature.Accepted{ID: bodyID(`{"post":{}}1700000000000`), At: time.Unix(1700000000, 0).UTC()}},
		{"ghost as it signed before", signature.Options{Scheme: "ghost", Secrets: []string{"topsecret"}},
			heads("X-Ghost-Signature", "sha256="+sum("topsecret", `{"post":{}}`)+", t=1700000000000"),
			`{"post":{}}`, 1800000000, signature.Accepted{ID: bodyID(`{"post":{}}`), BodyOnce: true, Legacy: true}},
		{"sanity", signature.Options{Scheme: "sanity", Secrets: []string{"topsecret"}},
			heads("sanity-webhook-signature", "t=1700000000000,v1=OPNLjqIfQU04EHkPLTWWiOldQhV1_N8FhpdxflSY5q4"),
			`{"_id":"a"}`, 1700000000, signature.Accepted{ID: bodyID(`1700000000000.{"_id":"a"}`), At: time.Unix(1700000000, 0).UTC()}},
		{"woocommerce", signature.Options{Scheme: "woocommerce", Secrets: []string{"topsecret"}},
			heads("X-WC-Webhook-Signature", "2jVXuwHprbWFJzRSoY1AVT/Ncf0a7q416zDIGnsIKFA=", "X-WC-Webhook-Delivery-ID", "7"),
			`{"id":1}`, 0, signature.Accepted{ID: "7", BodyOnce: true}},
		{"contentful", signature.Options{Scheme: "contentful", Secrets: []string{"topsecret"}},
			heads("X-Contentful-Signature", sum("topsecret", "POST\n/hooks/desk\nx-contentful-signed-headers:x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic;"+
				"x-contentful-timestamp:1700000000000;x-contentful-topic:ContentManagement.Entry.publish\n{}"), "X-Contentful-Signed-Headers", "x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic",
				"X-Contentful-Timestamp", "1700000000000", "X-Contentful-Topic", "ContentManagement.Entry.publish"),
			"{}", 1700000000, signature.Accepted{At: time.Unix(1700000000, 0).UTC(), ID: bodyID("POST\n/hooks/desk\nx-contentful-signed-headers:x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic;" +
				"x-contentful-timestamp:1700000000000;x-contentful-topic:ContentManagement.Entry.publish\n{}")}},
		{"one's own", signature.Options{Scheme: "hmac", Secrets: []string{"a key of mine"}, HMAC: own},
			heads("X-Sig", "v1="+sum("a key of mine", "d1.1700000000.{}"), "X-Time", "1700000000", "X-Id", "d1"),
			"{}", 1700000000, signature.Accepted{ID: "d1", At: time.Unix(1700000000, 0).UTC()}},
		{"bearer", signature.Options{Scheme: "bearer", Secrets: []string{"0123456789abcdef"}},
			heads("Authorization", "bearer 0123456789abcdef"), "x", 0, signature.Accepted{}},
		{"bearer in a header of its own", signature.Options{Scheme: "bearer", Secrets: []string{"0123456789abcdef"}, HMAC: signature.HMAC{Header: "X-Token", ID: "X-Id"}},
			heads("X-Token", "0123456789abcdef", "X-Id", "7"), "x", 0, signature.Accepted{ID: "7"}},
		{"basic", signature.Options{Scheme: "basic", Secrets: []string{"desk:correct horse"}},
			heads("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("desk:correct horse"))), "x", 0, signature.Accepted{}},
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, c := range vectors() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, c.options)
			got, err := v.Verify(sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", Header: c.header, Body: []byte(c.body)}, time.Unix(c.now, 0))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whatever is changed in a genuine request, it is refused, and the refusal tells nothing that would help to forge it.
func TestChanged(t *testing.T) {
	t.Parallel()
	for _, c := range vectors() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, c.options)
			refused := func(what string, h map[string][]string, body string, now int64, reasons ...signature.Reason) {
				t.Helper()
				_, err := v.Verify(sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", Header: h, Body: []byte(body)}, time.Unix(now, 0))
				r, ok := signature.IsRefused(err)
				if !ok {
					t.Errorf("%s: accepted", what)
					return
				}
				found := len(reasons) == 0
				for _, want := range reasons {
					found = found || r.Reason == want
				}
				if !found {
					t.Errorf("%s: %s (%s), want one of %v", what, r.Reason, r, reasons)
				}
				for _, s := range c.options.Secrets {
					if strings.Contains(err.Error(), s) {
						t.Errorf("%s: the refusal tells the secret: %s", what, err)
					}
				}
			}
			if s := c.options.Scheme; s != "bearer" && s != "basic" {
				refused("another body", c.header, c.body+" ", c.now, signature.ReasonWrong)
			}
			refused("no header", nil, c.body, c.now, signature.ReasonMissing)
			if !c.want.At.IsZero() {
				refused("late", c.header, c.body, c.want.At.Unix()+301, signature.ReasonStale)
				refused("early", c.header, c.body, c.want.At.Unix()-301, signature.ReasonAhead)
			}
			other := c.options
			other.Secrets = []string{"whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret, as good as it")), "another:secret, as good as it"}[:1]
			if c.options.Scheme == "basic" {
				other.Secrets = []string{"another:secret, as good as it"}
			}
			if _, err := verifier(t, other).Verify(sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", Header: c.header, Body: []byte(c.body)}, time.Unix(c.now, 0)); err == nil {
				t.Error("another secret: accepted")
			}
			// Each header by itself: gone, empty, cut short.
			for name := range c.header {
				for what, change := range map[string]string{"empty": "", "cut": c.header[name][0][:len(c.header[name][0])-1], "noise": "\x00\xff"} {
					h := map[string][]string{}
					maps.Copy(h, c.header)
					h[name] = []string{change}
					_, err := v.Verify(sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", Header: h, Body: []byte(c.body)}, time.Unix(c.now, 0))
					// What comes last there is no part of what fits: v0, or a time that is not signed.
					unsigned := c.want.Legacy || name == "Stripe-Signature" && what == "cut" || strings.Contains(strings.ToLower(name), "delivery") || c.options.Scheme == "bearer" && name == "X-Id"
					if err == nil && !unsigned {
						t.Errorf("%s is %s: accepted", name, what)
					}
				}
			}
		})
	}
}

// The boundary between what is signed cannot be moved: a part of the id or the time passed off as body, or the other way.
func TestBoundaries(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef0123456789abcdef")
	m := hmac.New(sha256.New, key)
	m.Write([]byte("a.1700000000.1700000000.{}"))
	sig := base64.StdEncoding.EncodeToString(m.Sum(nil))
	v := verifier(t, signature.Options{Scheme: "standard", Secrets: []string{"whsec_" + base64.StdEncoding.EncodeToString(key)}})
	now := time.Unix(1700000000, 0)
	if _, err := v.Verify(sdk.WebhookRequest{Header: heads("webhook-id", "a", "webhook-timestamp", "1700000000", "webhook-signature", "v1,"+sig), Body: []byte("1700000000.{}")}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(sdk.WebhookRequest{Header: heads("webhook-id", "a.1700000000", "webhook-timestamp", "1700000000", "webhook-signature", "v1,"+sig), Body: []byte("{}")}, now); err == nil {
		t.Error("the id took a part of the time")
	}
	own := signature.DefaultHMAC()
	own.Header, own.Signed, own.ID = "X-Sig", "{id}-{body}", "X-Id"
	h := hmac.New(sha256.New, []byte("k"))
	h.Write([]byte("a-b-{}"))
	vo := verifier(t, signature.Options{Scheme: "hmac", Secrets: []string{"k"}, HMAC: own})
	if _, err := vo.Verify(sdk.WebhookRequest{Header: heads("X-Sig", hex.EncodeToString(h.Sum(nil)), "X-Id", "a-b"), Body: []byte("{}")}, now); err == nil {
		t.Error("the id took a part of the body")
	}
}

// Another implementation of the Standard Webhooks specification signs what is accepted here, and accepts what is.
func TestStandardAgainstItsLibrary(t *testing.T) {
	t.Parallel()
	wh, err := standardwebhooks.NewWebhook(standardSecret)
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, signature.Options{Scheme: "standard", Secrets: []string{standardSecret}})
	for i := range 50 {
		id, now, body := fmt.Sprintf("msg_%d", i), time.Unix(1700000000+int64(i), 0), []byte(strings.Repeat("é\x00{", i))
		sig, err := wh.Sign(id, now, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(sdk.WebhookRequest{Header: heads("Webhook-Id", id, "Webhook-Timestamp", fmt.Sprint(now.Unix()), "Webhook-Signature", sig), Body: body}, now); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	own := func(change func(*signature.HMAC)) signature.HMAC {
		h := signature.DefaultHMAC()
		h.Header = "X-Sig"
		change(&h)
		return h
	}
	cases := []struct {
		name    string
		options signature.Options
		pointer string
		says    string
	}{
		{"unknown", signature.Options{Scheme: "githib", Secrets: []string{"x"}}, "/signature", `did you mean "github"?`},
		{"no secret", signature.Options{Scheme: "github"}, "/secrets", "anybody could send items"},
		{"too many", signature.Options{Scheme: "github", Secrets: strings.Split("a,b,c,d,e,f,g,h,i", ",")}, "/secrets", "8 are the most"},
		{"no base64", signature.Options{Scheme: "standard", Secrets: []string{"whsec_!"}}, "/secrets/0", "not base64"},
		{"short", signature.Options{Scheme: "standard", Secrets: []string{"whsec_AAAA"}}, "/secrets/0", "24 to 64 bytes"},
		{"private key", signature.Options{Scheme: "standard", Secrets: []string{"whsk_AAAA"}}, "/secrets/0", "public key"},
		{"broken public key", signature.Options{Scheme: "standard", Secrets: []string{"whpk_AAAA"}}, "/secrets/0", "32 bytes"},
		{"tolerance", signature.Options{Scheme: "slack", Secrets: []string{"x"}, Tolerance: 48 * time.Hour}, "/tolerance", "between 1s and 24h"},
		{"no header", signature.Options{Scheme: "hmac", Secrets: []string{"x"}, HMAC: signature.DefaultHMAC()}, "/header", "which header"},
		{"time without header", signature.Options{Scheme: "hmac", Secrets: []string{"x"}, HMAC: own(func(h *signature.HMAC) { h.Signed = "{timestamp}.{body}" })}, "/signed", "timestamp_header"},
		{"body not last", signature.Options{Scheme: "hmac", Secrets: []string{"x"}, HMAC: own(func(h *signature.HMAC) { h.Signed = "{body}." })}, "/signed", "end with {body}"},
		{"no boundary", signature.Options{Scheme: "hmac", Secrets: []string{"x"}, HMAC: own(func(h *signature.HMAC) { h.Signed, h.ID = "{id}{body}", "X-Id" })}, "/signed", "boundary"},
		{"header with a space", signature.Options{Scheme: "hmac", Secrets: []string{"x"}, HMAC: own(func(h *signature.HMAC) { h.Header = "X Sig" })}, "/header", "no name of a header"},
		{"no password", signature.Options{Scheme: "basic", Secrets: []string{"desk"}}, "/secrets/0", "user:password"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := signature.New(c.options)
			ps, ok := err.(sdk.Problems)
			if !ok || len(ps) != 1 || ps[0].Pointer != c.pointer || !strings.Contains(ps[0].String(), c.says) {
				t.Errorf("%#v", err)
			}
		})
	}
}

// What a sender shows with every request must not be guessed; what it signs with is its own affair.
func TestWeak(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options signature.Options
		weak    int
	}{
		"a short token":      {signature.Options{Scheme: "bearer", Secrets: []string{"0123456789abcdef", "short"}}, 1},
		"a short password":   {signature.Options{Scheme: "basic", Secrets: []string{"desk:1234"}}, 1},
		"a short key":        {signature.Options{Scheme: "ghost", Secrets: []string{"short"}}, 0},
		"a long token":       {signature.Options{Scheme: "bearer", Secrets: []string{"0123456789abcdef"}}, 0},
		"a lasting password": {signature.Options{Scheme: "basic", Secrets: []string{"desk:correct horse"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if ps := signature.Weak(c.options); len(ps) != c.weak {
				t.Errorf("%v", ps)
			}
		})
	}
}

// FuzzVerify holds that nothing but the genuine request is accepted, that nothing panics, and that an accepted id is bounded.
func FuzzVerify(f *testing.F) {
	for i, c := range vectors() {
		for name, values := range c.header {
			f.Add(uint8(i), name, values[0], []byte(c.body))
		}
	}
	all := vectors()
	f.Fuzz(func(t *testing.T, which uint8, name, value string, body []byte) {
		c := all[int(which)%len(all)]
		h := http.Header{}
		maps.Copy(h, c.header)
		h[name] = []string{value}
		a, err := verifier(t, c.options).Verify(sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", Header: h, Body: body}, time.Unix(c.now, 0))
		if err != nil {
			if _, ok := signature.IsRefused(err); !ok {
				t.Fatalf("%v", err)
			}
			return
		}
		if s := c.options.Scheme; s != "bearer" && s != "basic" && string(body) != c.body {
			t.Fatalf("another body was accepted: %q", body)
		}
		if len(a.ID) > 256 {
			t.Fatalf("an id of %d bytes", len(a.ID))
		}
	})
}

func BenchmarkStandard2KB(b *testing.B) {
	v := verifier(b, signature.Options{Scheme: "standard", Secrets: []string{standardSecret}})
	wh, err := standardwebhooks.NewWebhook(standardSecret)
	if err != nil {
		b.Fatal(err)
	}
	body, now := []byte(strings.Repeat("x", 2048)), time.Unix(1700000000, 0)
	sig, err := wh.Sign("msg_1", now, body)
	if err != nil {
		b.Fatal(err)
	}
	h := heads("Webhook-Id", "msg_1", "Webhook-Timestamp", "1700000000", "Webhook-Signature", sig)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(sdk.WebhookRequest{Method: "POST", Path: "/hooks/desk", Header: h, Body: body}, now); err != nil {
			b.Fatal(err)
		}
	}
}

// The key of the vector for Ed25519 is of the seed that the scheme's sheet names.
func TestEd25519Vector(t *testing.T) {
	t.Parallel()
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i)
	}
	key := ed25519.NewKeyFromSeed(seed)
	if got := "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(`msg_1.1700000000.{"a":1}`))); got != vectors()[4].header["webhook-signature"][0] {
		t.Error(got)
	}
}

// Who forgot the header of a secret that is shown learns what belongs into it.
func TestMissingSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options signature.Options
		says    string
	}{
		"bearer":     {signature.Options{Scheme: "bearer", Secrets: []string{"0123456789abcdef"}}, "the header Authorization is missing; send the token in it behind the word Bearer, "},
		"own header": {signature.Options{Scheme: "bearer", Secrets: []string{"0123456789abcdef"}, HMAC: signature.HMAC{Header: "X-Token"}}, "the header X-Token is missing; send the token in it, "},
		"basic":      {signature.Options{Scheme: "basic", Secrets: []string{"desk:0123456789"}}, "the header Authorization is missing; send user:password in Base64 in it behind the word Basic, "},
	} {
		_, err := verifier(t, c.options).Verify(sdk.WebhookRequest{Method: "POST"}, time.Unix(0, 0))
		if refused, is := errors.AsType[*signature.RefusedError](err); !is || refused.Reason != signature.ReasonMissing || !strings.HasPrefix(refused.Detail, c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

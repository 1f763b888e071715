package email

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

const (
	hookSecret = "a secret of sixteen or more"
	topic      = "arn:aws:sns:eu-west-3:123456789012:bounces"
)

// caller calls a connector's webhook as its provider does.
type caller struct {
	t    testing.TB
	c    *Connector
	sign func(body string) sdk.WebhookRequest
}

func newCaller(t testing.TB, provider string) *caller {
	t.Helper()
	k := &caller{t: t}
	settings := map[string]any{"provider": provider, "secret": hookSecret}
	req := func(body string) sdk.WebhookRequest {
		return sdk.WebhookRequest{Method: http.MethodPost, Path: "/hooks/mail", Header: http.Header{}, Body: []byte(body), ReceivedAt: noon}
	}
	switch provider {
	case providerPostmark, providerBrevo:
		settings["user"] = "belfry"
		k.sign = func(body string) sdk.WebhookRequest {
			r := req(body)
			http.Header(r.Header).Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("belfry:"+hookSecret)))
			return r
		}
	case providerMailgun:
		n := 0
		k.sign = func(body string) sdk.WebhookRequest {
			n++
			stamp, token := fmt.Sprint(noon.Unix()), fmt.Sprintf("%050d", n)
			mac := hmac.New(sha256.New, []byte(hookSecret))
			mac.Write([]byte(stamp + token))
			return req(fmt.Sprintf(`{"signature":{"timestamp":"%s","token":"%s","signature":"%x"},"event-data":%s}`, stamp, token, mac.Sum(nil), body))
		}
	case providerSendGrid:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		settings["secret"] = base64.StdEncoding.EncodeToString(der)
		k.sign = func(body string) sdk.WebhookRequest {
			r := req(body)
			stamp := fmt.Sprint(noon.Unix())
			sum := sha256.Sum256([]byte(stamp + body))
			signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			http.Header(r.Header).Set(sendGridTimestamp, stamp)
			http.Header(r.Header).Set(sendGridSignature, base64.StdEncoding.EncodeToString(signature))
			return r
		}
	case providerSES:
		delete(settings, "secret")
		settings["topic"] = topic
		k.sign = func(body string) sdk.WebhookRequest { return req(snsNotificationOf(t, body, nil)) }
	}
	k.c = offline(t, map[string]any{"bounces": map[string]any{"webhook": settings}})
	k.c.now = func() time.Time { return noon }
	if k.c.hook.sns != nil {
		k.c.hook.sns.fetch = func(context.Context, string) ([]byte, error) { return amazon(t, noon), nil }
	}
	return k
}

func (k *caller) call(r sdk.WebhookRequest) ([]sdk.InboxEvent, error) {
	k.t.Helper()
	_, events, err := k.c.ReceiveEvents(k.t.Context(), r)
	return events, err
}

// amazon is a certificate as the service gives it out, of the test's RSA key.
func amazon(t testing.TB, at time.Time) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, NotBefore: at.Add(-time.Hour), NotAfter: at.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &rsaKey().PublicKey, rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// snsNotificationOf is a call of Amazon SNS, signed; change changes it before that.
func snsNotificationOf(t testing.TB, message string, change func(c map[string]string)) string {
	t.Helper()
	c := map[string]string{"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": topic, "Subject": "Amazon SES", "Message": message,
		"Timestamp": "2026-11-20T11:59:59.000Z", "SignatureVersion": "2", "SigningCertURL": "https://sns.eu-west-3.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"}
	if change != nil {
		change(c)
	}
	names := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if c["Type"] != "Notification" {
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	var text strings.Builder
	for _, n := range names {
		if v, has := c[n]; has {
			text.WriteString(n + "\n" + v + "\n")
		}
	}
	hash, sum := crypto.SHA256, sha256.New()
	if c["SignatureVersion"] == "1" {
		hash, sum = crypto.SHA1, sha1.New()
	}
	sum.Write([]byte(text.String()))
	signature, err := rsa.SignPKCS1v15(rand.Reader, rsaKey(), hash, sum.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	c["Signature"] = base64.StdEncoding.EncodeToString(signature)
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestWebhooks reads calls in the shape that each provider gives them.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	ses := func(rest string) string {
		return `{"notificationType":"Bounce","mail":{"timestamp":"2026-11-20T11:58:00.000Z","source":"%SENDER%","messageId":"0102018f","destination":["a@reader.example"],
			"headers":[{"name":"Subject","value":"x"}],"commonHeaders":{"messageId":"<other@amazonses.com>"}},"bounce":{"feedbackId":"0102-f1","timestamp":"2026-11-20T11:59:00.000Z",` + rest + `}}`
	}
	mailgun := func(rest string) string {
		return `{"id":"G9Bn5sl1TC6nu79C8C0bwg","timestamp":1795175940.25,"recipient":"a@reader.example","user-variables":{"belfry":"1-abcdefgh-2"},"envelope":{"sender":"x@news.example"},` + rest + `}`
	}
	postmark := func(rest string) string {
		return `{"MessageID":"883953f4-6105-42a2-a16a-77a8eac79483","Metadata":{"belfry":"1-abcdefgh-2"},"Email":"a@reader.example","Tag":"",` + rest + `}`
	}
	sendgrid := func(rest string) string {
		return `[{"email":"a@reader.example","timestamp":1795175940,"event":"processed","sg_event_id":"p1"},
			{"email":"a@reader.example","timestamp":1795175940,"sg_event_id":"e1","smtp-id":"<1-abcdefgh-2@news.example>",` + rest + `}]`
	}
	brevo := func(rest string) string {
		return `{"email":"a@reader.example","id":26224,"date":"2026-11-20 12:59:00","ts":1795175940,"ts_event":1795175940,"message-id":"<1-abcdefgh-2@news.example>","X-Mailin-custom":"1-abcdefgh-2",` + rest + `}`
	}
	hard := func(status, reason string) *sdk.Bounce {
		return &sdk.Bounce{Class: sdk.BounceHard, Status: status, Reason: reason}
	}
	of := func(class sdk.BounceClass, status, reason string) *sdk.Bounce {
		return &sdk.Bounce{Class: class, Status: status, Reason: reason}
	}
	complaint, stop := of("", "", "complaint"), of("", "", "stop")
	for name, tc := range map[string]struct {
		provider, body string
		want           *sdk.Bounce // nil for nothing
	}{
		"SES, no such mailbox": {"ses", ses(`"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"a@reader.example","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 <a@reader.example>: no"}]`), hard("5.1.1", "550 5.1.1 <[address]>: no")},
		"SES, policy":          {"ses", ses(`"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"a@reader.example","status":"5.7.1","diagnosticCode":"smtp; 550 5.7.1 SPF"}]`), of("other", "5.7.1", "550 5.7.1 SPF")},
		"SES, no code":         {"ses", ses(`"bounceType":"Permanent","bounceSubType":"NoEmail","bouncedRecipients":[{"emailAddress":"a@reader.example"}]`), hard("", "Permanent NoEmail")},
		"SES, general":         {"ses", ses(`"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"a@reader.example"}]`), of("soft", "", "Permanent General")},
		"SES, transient":       {"ses", ses(`"bounceType":"Transient","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"a@reader.example","status":"5.1.1"}]`), of("soft", "5.1.1", "Transient General")},
		"SES, complaint": {"ses", `{"eventType":"Complaint","mail":{"source":"%SENDER%"},"complaint":{"feedbackId":"c1","timestamp":"2026-11-20T11:59:00Z","complaintFeedbackType":"abuse",
			"complainedRecipients":[{"emailAddress":"a@reader.example"}]}}`, complaint},
		"SES, by its tag": {"ses", `{"eventType":"Complaint","mail":{"source":"a@b.example","tags":{"ses:source-ip":["192.0.2.1"],"belfry":["1-abcdefgh-2"]}},"complaint":{"feedbackId":"c1",
			"timestamp":"2026-11-20T11:59:00Z","complainedRecipients":[{"emailAddress":"a@reader.example"}]}}`, complaint},
		"SES, delivery":          {"ses", `{"eventType":"Delivery","mail":{"source":"%SENDER%"},"delivery":{}}`, nil},
		"SES, words for people":  {"ses", `Successfully validated SNS topic for Amazon SES event publishing.`, nil},
		"Mailgun, hard":          {"mailgun", mailgun(`"event":"failed","severity":"permanent","reason":"bounce","delivery-status":{"code":550,"enhanced-code":"5.1.1","message":"5.1.1 no such user","attempt-no":1}`), hard("5.1.1", "5.1.1 no such user")},
		"Mailgun, policy":        {"mailgun", mailgun(`"event":"failed","severity":"permanent","reason":"bounce","delivery-status":{"code":554,"message":"5.7.1 blocked by our list"}`), of("other", "5.7.1", "5.7.1 blocked by our list")},
		"Mailgun, gave up":       {"mailgun", mailgun(`"event":"failed","severity":"permanent","reason":"old","delivery-status":{"code":602,"message":"Too old"}`), of("soft", "", "Too old")},
		"Mailgun, own list":      {"mailgun", mailgun(`"event":"failed","severity":"permanent","reason":"suppress-bounce","delivery-status":{"code":605,"message":"","description":"Not delivering to previously bounced address"}`), hard("", "Not delivering to previously bounced address")},
		"Mailgun, temporary":     {"mailgun", mailgun(`"event":"failed","severity":"temporary","reason":"generic","delivery-status":{"code":421}`), nil},
		"Mailgun, complaint":     {"mailgun", mailgun(`"event":"complained"`), complaint},
		"Mailgun, unsubscribed":  {"mailgun", mailgun(`"event":"unsubscribed"`), stop},
		"Postmark, hard":         {"postmark", postmark(`"RecordType":"Bounce","ID":42,"Type":"HardBounce","TypeCode":1,"Details":"smtp;550 5.1.1 The email account does not exist","BouncedAt":"2026-11-20T11:59:00.0000000Z"`), hard("5.1.1", "550 5.1.1 The email account does not exist")},
		"Postmark, in own words": {"postmark", postmark(`"RecordType":"Bounce","ID":43,"Type":"BadEmailAddress","Description":"The address is not valid.","BouncedAt":"2026-11-20T06:59:00-05:00"`), hard("", "The address is not valid.")},
		"Postmark, policy":       {"postmark", postmark(`"RecordType":"Bounce","ID":44,"Type":"HardBounce","Details":"smtp;550 5.7.26 unauthenticated","BouncedAt":"2026-11-20T11:59:00Z"`), of("other", "5.7.26", "550 5.7.26 unauthenticated")},
		"Postmark, under way":    {"postmark", postmark(`"RecordType":"Bounce","ID":45,"Type":"Transient","BouncedAt":"2026-11-20T11:59:00Z"`), nil},
		"Postmark, absent":       {"postmark", postmark(`"RecordType":"Bounce","ID":45,"Type":"AutoResponder","BouncedAt":"2026-11-20T11:59:00Z"`), nil},
		"Postmark, complaint":    {"postmark", postmark(`"RecordType":"SpamComplaint","ID":46,"Type":"SpamComplaint","BouncedAt":"2026-11-20T11:59:00Z"`), complaint},
		"Postmark, unsubscribed": {"postmark", postmark(`"RecordType":"SubscriptionChange","Recipient":"a@reader.example","ChangedAt":"2026-11-20T11:59:00Z","Origin":"Recipient","SuppressSending":true,"SuppressionReason":"ManualSuppression"`), stop},
		"Postmark, back again":   {"postmark", postmark(`"RecordType":"SubscriptionChange","Recipient":"a@reader.example","ChangedAt":"2026-11-20T11:59:00Z","Origin":"Recipient","SuppressSending":false`), nil},
		"Postmark, delivered":    {"postmark", postmark(`"RecordType":"Delivery"`), nil},
		"SendGrid, hard":         {"sendgrid", sendgrid(`"event":"bounce","type":"bounce","status":"5.1.1","reason":"550 5.1.1 no such user","bounce_classification":"Invalid Address"`), hard("5.1.1", "550 5.1.1 no such user")},
		"SendGrid, unclear":      {"sendgrid", sendgrid(`"event":"bounce","type":"bounce","status":"5.0.0","reason":"550 no"`), of("soft", "5.0.0", "550 no")},
		"SendGrid, blocked":      {"sendgrid", sendgrid(`"event":"bounce","type":"blocked","status":"5.7.1","reason":"550 5.7.1 IP listed"`), of("other", "5.7.1", "550 5.7.1 IP listed")},
		"SendGrid, deferred":     {"sendgrid", sendgrid(`"event":"deferred","status":"4.2.1","reason":"later"`), nil},
		"SendGrid, dropped":      {"sendgrid", sendgrid(`"event":"dropped","reason":"Bounced Address"`), hard("", "Bounced Address")},
		"SendGrid, complaint":    {"sendgrid", sendgrid(`"event":"spamreport"`), complaint},
		"SendGrid, unsubscribed": {"sendgrid", sendgrid(`"event":"group_unsubscribe"`), stop},
		"Brevo, hard":            {"brevo", brevo(`"event":"hard_bounce","reason":"550 5.1.1 unknown user"`), hard("5.1.1", "550 5.1.1 unknown user")},
		"Brevo, policy":          {"brevo", brevo(`"event":"hard_bounce","reason":"550 5.7.1 rejected, DMARC"`), of("other", "5.7.1", "550 5.7.1 rejected, DMARC")},
		"Brevo, soft":            {"brevo", brevo(`"event":"soft_bounce","reason":"452 4.2.2 mailbox full"`), of("soft", "4.2.2", "452 4.2.2 mailbox full")},
		"Brevo, several":         {"brevo", "[" + brevo(`"event":"delivered"`) + "," + brevo(`"event":"blocked","reason":""`) + "]", of("other", "", "")},
		"Brevo, complaint":       {"brevo", brevo(`"event":"spam"`), complaint},
		"Brevo, unsubscribed":    {"brevo", brevo(`"event":"unsubscribed"`), stop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newCaller(t, tc.provider)
			body := strings.ReplaceAll(tc.body, "%SENDER%", k.sender("1-abcdefgh-2"))
			r := k.sign(body)
			got, err := k.call(r)
			if err != nil {
				t.Fatal(err)
			}
			again, err := k.call(r)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == nil {
				if len(got) > 0 {
					t.Errorf("it gives %+v", got)
				}
				return
			}
			if len(got) != 1 || len(again) != 1 || got[0].ID != again[0].ID || got[0].ID == "" {
				t.Fatalf("it gives %+v, and told again %+v", got, again)
			}
			e := got[0]
			if e.Ref != "1-abcdefgh-2" || !e.At.Before(noon) || noon.Sub(e.At) > 2*time.Minute {
				t.Errorf("it is about %q at %s", e.Ref, e.At)
			}
			switch tc.want {
			case complaint:
				if e.Kind != sdk.EventComplaint {
					t.Errorf("it is %+v", e)
				}
			case stop:
				if e.Kind != sdk.EventStop || e.From != (sdk.Handle{Medium: Medium, Value: "a@reader.example"}) || e.Answers != e.Ref {
					t.Errorf("it is %+v", e)
				}
			default:
				if diff := cmp.Diff(*tc.want, e.Bounce); e.Kind != sdk.EventBounce || diff != "" {
					t.Errorf("%s: %s", e.Kind, diff)
				}
			}
		})
	}
}

// sender is the envelope's sender of a message, as the test's clock has it.
func (k *caller) sender(id string) string {
	k.t.Helper()
	token, err := k.c.tokens.mint(id, forBounce, noon)
	if err != nil {
		k.t.Fatal(err)
	}
	return k.c.tokens.envelope(token)
}

// TestForgedWebhooks: calls that are not the provider's give nothing.
func TestForgedWebhooks(t *testing.T) {
	t.Parallel()
	const bounce = `{"RecordType":"Bounce","ID":1,"Type":"HardBounce","BouncedAt":"2026-11-20T11:59:00Z","Metadata":{"belfry":"1-abcdefgh-2"}}`
	refuse := func(name string, k *caller, r sdk.WebhookRequest, code sdk.Code) {
		t.Helper()
		events, err := k.call(r)
		if len(events) > 0 || sdk.AsError(err).Code != code {
			t.Errorf("%s: %+v, %v", name, events, err)
		}
	}
	for _, provider := range []string{"ses", "mailgun", "postmark", "sendgrid", "brevo"} {
		k := newCaller(t, provider)
		refuse(provider+" without a proof", k, sdk.WebhookRequest{Method: "POST", Header: http.Header{}, Body: []byte(bounce)}, sdk.CodeForbidden)
		for what, body := range map[string]string{"no JSON": "{", "an empty object": "{}", "another type": `{"event":7,"RecordType":7,"notificationType":7}`, "a word": `"x"`, "null": "null", "a list of words": `["x"]`,
			"deep": strings.Repeat("[", 20000)} {
			if provider == providerSES && (what == "no JSON" || what == "a word" || what == "null" || what == "a list of words" || what == "deep") && !strings.HasPrefix(body, "{") {
				continue // words for people
			}
			if provider == providerBrevo && what == "another type" || provider == providerSendGrid && what == "null" {
				continue
			}
			if provider == providerMailgun && (what == "no JSON" || what == "deep") {
				continue // the proof itself cannot be read: below
			}
			refuse(provider+", "+what, k, k.sign(body), sdk.CodeInvalid)
		}
		get := k.sign(bounce)
		get.Method = http.MethodGet
		if reply, events, err := k.c.ReceiveEvents(t.Context(), get); reply.Status != http.StatusMethodNotAllowed || len(events) > 0 || err != nil {
			t.Errorf("%s, GET: %+v %v", provider, reply, err)
		}
	}
	// A signature of Mailgun's is over no event: with one that was seen, another event counts as the same call.
	k := newCaller(t, providerMailgun)
	r := k.sign(`{"event":"complained","id":"a","timestamp":1795175940,"user-variables":{"belfry":"1-abcdefgh-2"}}`)
	first, err := k.call(r)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = []byte(strings.Replace(strings.Replace(string(r.Body), `"id":"a"`, `"id":"b"`, 1), "abcdefgh-2", "abcdefgh-3", 1))
	second, err := k.call(r)
	if err != nil || len(first) != 1 || len(second) != 1 || first[0].ID != second[0].ID {
		t.Errorf("a signature was used again: %+v, %+v, %v", first, second, err)
	}
	refuse("mailgun, no JSON", k, sdk.WebhookRequest{Method: "POST", Body: []byte("{")}, sdk.CodeInvalid)
	// A body that was changed.
	k = newCaller(t, providerSendGrid)
	r = k.sign(`[{"event":"spamreport","sg_event_id":"1","timestamp":1795175940}]`)
	r.Body = append(r.Body, ' ')
	refuse("sendgrid, changed", k, r, sdk.CodeForbidden)
	k = newCaller(t, providerPostmark)
	r = k.sign(bounce)
	http.Header(r.Header).Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("belfry:"+hookSecret+"x")))
	refuse("postmark, another password", k, r, sdk.CodeForbidden)
	old := k.sign(strings.Replace(bounce, "2026-11-20", "2026-10-20", 1))
	if events, err := k.call(old); len(events) > 0 || err != nil {
		t.Errorf("an old event counts: %+v %v", events, err)
	}
	foreign := k.sign(strings.Replace(bounce, "1-abcdefgh-2", "", 1))
	if events, err := k.call(foreign); err != nil || len(events) != 1 || events[0].Ref != "" {
		t.Errorf("an event about another mail: %+v %v", events, err)
	}
}

// TestAmazonsSignature plays what Amazon SNS says, and what somebody says in its name.
func TestAmazonsSignature(t *testing.T) {
	t.Parallel()
	const message = `{"eventType":"Complaint","mail":{},"complaint":{"feedbackId":"c1","timestamp":"2026-11-20T11:59:00Z","complainedRecipients":[{"emailAddress":"a@reader.example"}]}}`
	for name, tc := range map[string]struct {
		before func(c map[string]string)
		after  [2]string
		code   sdk.Code // of the refusal; empty for what counts
	}{
		"version 2":     {},
		"version 1":     {before: func(c map[string]string) { c["SignatureVersion"] = "1" }},
		"no subject":    {before: func(c map[string]string) { delete(c, "Subject") }},
		"version 3":     {before: func(c map[string]string) { c["SignatureVersion"] = "3" }, code: sdk.CodeForbidden},
		"another topic": {before: func(c map[string]string) { c["TopicArn"] = strings.Replace(topic, "1234", "9999", 1) }, code: sdk.CodeForbidden},
		"changed":       {after: [2]string{"c1", "c2"}, code: sdk.CodeForbidden},
		"another host": {before: func(c map[string]string) {
			c["SigningCertURL"] = "https://sns.eu-west-3.amazonaws.com.evil.example/SimpleNotificationService-9c.pem"
		}, code: sdk.CodeForbidden},
		"another region": {before: func(c map[string]string) {
			c["SigningCertURL"] = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-9c.pem"
		}, code: sdk.CodeForbidden},
		"without TLS": {before: func(c map[string]string) {
			c["SigningCertURL"] = "http://sns.eu-west-3.amazonaws.com/SimpleNotificationService-9c.pem"
		}, code: sdk.CodeForbidden},
		"another page": {before: func(c map[string]string) {
			c["SigningCertURL"] = "https://sns.eu-west-3.amazonaws.com/?x=/SimpleNotificationService-9c.pem"
		}, code: sdk.CodeForbidden},
		"long ago":     {before: func(c map[string]string) { c["Timestamp"] = "2026-11-01T00:00:00Z" }, code: sdk.CodeForbidden},
		"raw delivery": {before: func(c map[string]string) { c["Type"] = "" }, code: sdk.CodeForbidden},
		"subscription": {before: func(c map[string]string) {
			c["Type"], c["Token"], c["SubscribeURL"] = "SubscriptionConfirmation", "tok", "https://sns.eu-west-3.amazonaws.com/?Action=ConfirmSubscription&Token=tok"
		}},
		"subscription to others": {before: func(c map[string]string) {
			c["Type"], c["Token"], c["SubscribeURL"] = "SubscriptionConfirmation", "tok", "https://10.0.0.1/?Action=ConfirmSubscription"
		}, code: sdk.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newCaller(t, providerSES)
			var fetched []string
			cert := amazon(t, noon)
			k.c.hook.sns.fetch = func(_ context.Context, address string) ([]byte, error) {
				fetched = append(fetched, address)
				return cert, nil
			}
			body := snsNotificationOf(t, message, tc.before)
			if tc.after[0] != "" {
				body = strings.Replace(body, tc.after[0], tc.after[1], 1)
			}
			events, err := k.call(sdk.WebhookRequest{Method: "POST", Body: []byte(body)})
			switch {
			case tc.code != "":
				if len(events) > 0 || sdk.AsError(err).Code != tc.code {
					t.Errorf("%+v, %v", events, err)
				}
				for _, f := range fetched {
					if !strings.HasPrefix(f, "https://sns.eu-west-3.amazonaws.com/SimpleNotificationService-") {
						t.Errorf("%s was fetched", f)
					}
				}
			case name == "subscription":
				if err != nil || len(events) > 0 || len(fetched) != 2 || !strings.Contains(fetched[1], "ConfirmSubscription") {
					t.Errorf("%+v, %v, fetched %v", events, err, fetched)
				}
			case err != nil || len(events) != 1:
				t.Errorf("%+v, %v", events, err)
			}
			if tc.code == "" {
				if _, err := k.call(sdk.WebhookRequest{Method: "POST", Body: []byte(body)}); err != nil || name != "subscription" && len(fetched) != 1 {
					t.Errorf("a second call: %v, fetched %v", err, fetched)
				}
			}
		})
	}
	k := newCaller(t, providerSES)
	k.c.hook.sns.fetch = func(context.Context, string) ([]byte, error) { return amazon(t, noon.AddDate(-1, 0, 0)), nil }
	if _, err := k.call(k.sign(message)); sdk.AsError(err).Code != sdk.CodeForbidden {
		t.Errorf("a certificate that has ended: %v", err)
	}
}

// TestTheProvidersField: a mail carries the field by which its provider's events name it, outside what is signed.
func TestTheProvidersField(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]string{"mailgun": `X-Mailgun-Variables: {"belfry":"d1"}`, "postmark": "X-PM-Metadata-belfry: d1",
		"sendgrid": `X-SMTPAPI: {"unique_args":{"belfry":"d1"}}`, "brevo": "X-Mailin-custom: d1", "ses": "X-SES-MESSAGE-TAGS: belfry=d1"} {
		k := newCaller(t, provider)
		out := build(t, k.c, message(t, "d1", common(), slots("Zoé"))).data
		head, _, _ := strings.Cut(string(out), "\r\n\r\n")
		if strings.Count(head, "\r\n"+want) != 1 {
			t.Errorf("%s:\n%s", provider, head)
		}
		if strings.Contains(head, "\r\nReply-To:") {
			t.Error("answers are asked for at an address that nobody reads")
		}
	}
}

package email

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of Amazon's signatures; nothing of ours is signed with it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// sns reads the calls of an Amazon SNS topic, in which SES tells of bounces and complaints. A call counts when it is about the
// configured topic and the signature over its fields is right, by a certificate that the service of the topic's own region
// gives out.
type sns struct {
	topic, host string
	client      *sdk.Client
	// fetch gets a page of the service.
	fetch func(ctx context.Context, address string) ([]byte, error)

	mu     sync.Mutex
	keys   map[string]signingKey
	failed time.Time // when a certificate last could not be had
}

type signingKey struct {
	key   *rsa.PublicKey
	until time.Time
}

const (
	mostKeys = 8
	// snsPause is how long no certificate is asked for after one could not be had.
	snsPause = 10 * time.Second
)

func newSNS(topic, userAgent string) *sns {
	host := ""
	if m := topicForm().FindStringSubmatch(topic); m != nil {
		host = "sns." + m[2] + ".amazonaws.com"
		if m[1] == "aws-cn" {
			host += ".cn"
		}
	}
	s := &sns{topic: topic, host: host, keys: map[string]signingKey{}, client: sdk.NewClient(sdk.ClientConfig{UserAgent: userAgent, Timeout: 10 * time.Second, MaxBody: 64 << 10})}
	s.fetch = s.get
	return s
}

// snsCall is the body of a call.
type snsCall struct {
	Type, MessageID, TopicArn, Message, Timestamp string
	Subject                                       *string
	Token, SubscribeURL                           string
	SignatureVersion, Signature, SigningCertURL   string
}

const (
	snsNotification = "Notification"
	snsSubscribe    = "SubscriptionConfirmation"
	snsUnsubscribe  = "UnsubscribeConfirmation"
)

// signed are the fields that the signature covers, in its order.
func (c *snsCall) signed() []byte {
	var b strings.Builder
	add := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	add("Message", c.Message)
	add("MessageId", c.MessageID)
	if c.Type == snsNotification {
		if c.Subject != nil {
			add("Subject", *c.Subject)
		}
		add("Timestamp", c.Timestamp)
	} else {
		add("SubscribeURL", c.SubscribeURL)
		add("Timestamp", c.Timestamp)
		add("Token", c.Token)
	}
	add("TopicArn", c.TopicArn)
	add("Type", c.Type)
	return []byte(b.String())
}

// open gives what SES wrote in a call; nil for a call about the subscription itself, which is answered here.
func (s *sns) open(ctx context.Context, body []byte, now time.Time) ([]byte, error) {
	forbidden := func(format string, args ...any) error {
		return sdk.Errorf(sdk.CodeForbidden, "receive", format, args...)
	}
	var c snsCall
	if err := json.Unmarshal(body, &c); err != nil { //nolint:musttag // the keys are the names of the fields
		return nil, unread("Amazon SNS", err)
	}
	switch {
	case c.Type != snsNotification && c.Type != snsSubscribe && c.Type != snsUnsubscribe:
		return nil, forbidden("the call is of no kind that Amazon SNS signs; raw delivery must be off for the subscription")
	case c.TopicArn != s.topic:
		return nil, forbidden("the call is about another topic than bounces.webhook.topic")
	}
	at, err := time.Parse(time.RFC3339, c.Timestamp)
	if err != nil {
		return nil, unread("Amazon SNS", err)
	}
	if age := now.Sub(at); age > tokenLife || age < -24*time.Hour {
		return nil, forbidden("the call was signed at %s, which is too long ago", c.Timestamp)
	}
	key, err := s.key(ctx, c.SigningCertURL, now)
	if err != nil {
		return nil, err
	}
	if err := c.verify(key); err != nil {
		return nil, forbidden("the signature of the call is wrong")
	}
	switch c.Type {
	case snsSubscribe:
		u, err := url.Parse(c.SubscribeURL)
		if err != nil || u.Scheme != "https" || u.Host != s.host || u.User != nil {
			return nil, forbidden("the address that confirms the subscription is not at %s", s.host)
		}
		if _, err := s.fetch(ctx, c.SubscribeURL); err != nil {
			return nil, err
		}
		return nil, nil
	case snsUnsubscribe:
		return nil, nil
	}
	if !strings.HasPrefix(strings.TrimSpace(c.Message), "{") {
		return nil, nil // words for people, such as that the topic works
	}
	return []byte(c.Message), nil
}

// verify checks the signature: version 2 is over SHA-256, version 1, which topics have unless told otherwise, over SHA-1.
func (c *snsCall) verify(key *rsa.PublicKey) error {
	signature, err := base64.StdEncoding.DecodeString(c.Signature)
	if err != nil {
		return err
	}
	if c.SignatureVersion == "2" {
		sum := sha256.Sum256(c.signed())
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	}
	if c.SignatureVersion != "1" {
		return sdk.Errorf(sdk.CodeForbidden, "receive", "signatures of version %q are not known", c.SignatureVersion)
	}
	sum := sha1.Sum(c.signed()) //nolint:gosec // see above
	return rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature)
}

var certificatePath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem$`)
})

// key gives the key of a certificate of the service's.
func (s *sns) key(ctx context.Context, address string, now time.Time) (*rsa.PublicKey, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host != s.host || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !certificatePath().MatchString(u.Path) {
		return nil, sdk.Errorf(sdk.CodeForbidden, "receive", "the certificate of the call is not Amazon's, at %s", s.host)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, known := s.keys[u.Path]; known && now.Before(k.until) {
		return k.key, nil
	}
	if now.Sub(s.failed) < snsPause {
		return nil, sdk.Errorf(sdk.CodeUnavailable, "receive", "the certificate of the call could not be had a moment ago")
	}
	k, err := s.certificate(ctx, address, now)
	if err != nil {
		s.failed = now
		return nil, err
	}
	if len(s.keys) >= mostKeys {
		clear(s.keys)
	}
	s.keys[u.Path] = k
	return k.key, nil
}

func (s *sns) certificate(ctx context.Context, address string, now time.Time) (signingKey, error) {
	raw, err := s.fetch(ctx, address)
	if err != nil {
		return signingKey{}, err
	}
	wrong := sdk.Errorf(sdk.CodeForbidden, "receive", "the certificate of the call is none that signs now")
	block, _ := pem.Decode(raw)
	if block == nil {
		return signingKey{}, wrong
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return signingKey{}, wrong
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 2048 {
		return signingKey{}, wrong
	}
	until := now.Add(24 * time.Hour)
	if cert.NotAfter.Before(until) {
		until = cert.NotAfter
	}
	return signingKey{key, until}, nil
}

func (s *sns) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeForbidden, "receive", "an address in the call cannot be read")
	}
	a, err := s.client.Send(req, "receive")
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, sdk.Errorf(sdk.CodeUnavailable, "receive", "%s answered %d", s.host, a.Status)
	}
	return a.Body, nil
}

// sesMail is what SES tells, as a notification of feedback or as a published event.
type sesMail struct {
	NotificationType, EventType string
	Mail                        struct {
		Source        string
		CommonHeaders struct{ MessageID string }
		Tags          struct{ Belfry []string }
	}
	Bounce *struct {
		BounceType, BounceSubType, Timestamp, FeedbackID string
		BouncedRecipients                                []struct{ EmailAddress, Status, DiagnosticCode string }
	}
	Complaint *struct {
		Timestamp, FeedbackID, ComplaintFeedbackType string
		ComplainedRecipients                         []struct{ EmailAddress string }
	}
}

// sesPermanent says what a permanent bounce of each kind means where no code says more. Others are soft.
var sesPermanent = map[string]sdk.BounceClass{"NoEmail": sdk.BounceHard, "Suppressed": sdk.BounceHard, "OnAccountSuppressionList": sdk.BounceHard,
	"UnsubscribedRecipient": sdk.BounceHard, "MessageTooLarge": sdk.BounceOther, "ContentRejected": sdk.BounceOther, "AttachmentRejected": sdk.BounceOther}

func readSES(body []byte) ([]told, error) {
	var m sesMail
	if err := json.Unmarshal(body, &m); err != nil { //nolint:musttag // the keys are the names of the fields but for their case
		return nil, unread("Amazon SES", err)
	}
	kind := m.NotificationType
	if kind == "" {
		kind = m.EventType
	}
	t := told{sender: m.Mail.Source, messageID: m.Mail.CommonHeaders.MessageID}
	if len(m.Mail.Tags.Belfry) == 1 {
		t.id = m.Mail.Tags.Belfry[0]
	}
	var stamp string
	switch {
	case kind == "":
		return nil, unread("Amazon SES", nil)
	case kind == "Bounce" && m.Bounce != nil && len(m.Bounce.BouncedRecipients) > 0:
		b := m.Bounce
		// A mail of ours has one recipient.
		who := b.BouncedRecipients[0]
		stated := sdk.BounceSoft
		if b.BounceType == "Permanent" {
			// The provider calls it final; whether the address is gone the code says.
			if stated = sesPermanent[b.BounceSubType]; stated == "" {
				stated = sdk.BounceSoft
			}
		}
		t.kind, t.to, t.key, stamp = sdk.EventBounce, who.EmailAddress, b.FeedbackID, b.Timestamp
		t.bounce = toldBounce(sesHardest(b.BounceType), who.Status, who.DiagnosticCode)
		if s, _ := parseStatus(t.bounce.Status); !s.specific() {
			t.bounce.Class = stated
		}
		if t.bounce.Reason == "" {
			t.bounce.Reason = b.BounceType + " " + b.BounceSubType
		}
	case kind == "Complaint" && m.Complaint != nil && len(m.Complaint.ComplainedRecipients) > 0:
		c := m.Complaint
		t.kind, t.to, t.key, stamp, t.feedback = sdk.EventComplaint, c.ComplainedRecipients[0].EmailAddress, c.FeedbackID, c.Timestamp, c.ComplaintFeedbackType
		if t.feedback == "not-spam" {
			t.kind = EventFeedback
		}
		if t.feedback == "" {
			t.feedback = "abuse"
		}
	case kind == "Bounce" || kind == "Complaint":
		return nil, unread("Amazon SES", nil)
	default:
		return nil, nil // deliveries, openings, and kinds to come
	}
	var err error
	if t.at, err = time.Parse(time.RFC3339, stamp); err != nil || t.key == "" {
		return nil, unread("Amazon SES", err)
	}
	return []told{t}, nil
}

// sesHardest is the most that a bounce of a kind can mean.
func sesHardest(kind string) sdk.BounceClass {
	if kind == "Permanent" {
		return sdk.BounceHard
	}
	return sdk.BounceSoft
}

package email

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// word is what a provider's word for an event means. Its zero value is passed over.
type word struct {
	kind  sdk.EventKind
	class sdk.BounceClass
}

var (
	hardBounce  = word{sdk.EventBounce, sdk.BounceHard}
	softBounce  = word{sdk.EventBounce, sdk.BounceSoft}
	otherBounce = word{sdk.EventBounce, sdk.BounceOther}
	complained  = word{kind: sdk.EventComplaint}
	// left is somebody who unsubscribed by the provider's own means.
	left = word{kind: sdk.EventStop}
)

// as makes an event of a word.
func (w word) as(t told, code, words, feedback string) told {
	t.kind = w.kind
	switch w.kind {
	case sdk.EventBounce:
		t.bounce = toldBounce(w.class, code, words)
	case sdk.EventComplaint:
		t.feedback = feedback
	}
	return t
}

// seconds is a time as providers write it, with or without a fraction. It is false for none.
func seconds(n float64) (time.Time, bool) {
	if math.IsNaN(n) || n <= 0 || n > 1<<40 {
		return time.Time{}, false
	}
	whole, part := math.Modf(n)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}

// mailgunSigned checks the signature in a call of Mailgun's. It is over a time and a token, not over the event: the token makes
// the call unlike any other, so that one that was seen lets nobody tell anything else with it.
func (h *hook) mailgunSigned(r sdk.WebhookRequest) (once string, err error) {
	var c struct {
		Signature struct {
			Timestamp string `json:"timestamp"`
			Token     string `json:"token"`
			Signature string `json:"signature"`
		} `json:"signature"`
	}
	if err := json.Unmarshal(r.Body, &c); err != nil {
		return "", unread("Mailgun", err)
	}
	s := c.Signature
	given, err := hex.DecodeString(s.Signature)
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write([]byte(s.Timestamp + s.Token))
	if err != nil || h.secret == "" || len(s.Token) < 16 || len(s.Token) > 128 || !hmac.Equal(given, mac.Sum(nil)) {
		return "", sdk.Errorf(sdk.CodeForbidden, "receive", "the signature of the call is wrong")
	}
	return s.Token, nil
}

// mailgunReasons are those of Mailgun's own lists. What another server said is decided by its code.
var mailgunReasons = map[string]word{"suppress-bounce": hardBounce, "suppress-complaint": complained, "suppress-unsubscribe": left}

func readMailgun(body []byte) ([]told, error) {
	var c struct {
		Event struct {
			ID             string  `json:"id"`
			Event          string  `json:"event"`
			Severity       string  `json:"severity"`
			Reason         string  `json:"reason"`
			Recipient      string  `json:"recipient"`
			Timestamp      float64 `json:"timestamp"`
			DeliveryStatus struct {
				Code         int    `json:"code"`
				EnhancedCode string `json:"enhanced-code"`
				Message      string `json:"message"`
				Description  string `json:"description"`
			} `json:"delivery-status"`
			Envelope struct {
				Sender string `json:"sender"`
			} `json:"envelope"`
			Message struct {
				Headers struct {
					MessageID string `json:"message-id"`
				} `json:"headers"`
			} `json:"message"`
			UserVariables struct {
				Belfry string `json:"belfry"`
			} `json:"user-variables"`
		} `json:"event-data"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, unread("Mailgun", err)
	}
	e := c.Event
	var w word
	switch {
	case e.Event == "":
		return nil, unread("Mailgun", nil)
	case e.Event == "complained":
		w = complained
	case e.Event == "unsubscribed":
		w = left
	case e.Event == "failed" && e.Severity == "permanent":
		var own bool
		if w, own = mailgunReasons[e.Reason]; !own {
			w = hardBounce
			if code, _ := parseStatus(e.DeliveryStatus.EnhancedCode); !code.specific() && e.DeliveryStatus.Code/100 != 5 {
				w = softBounce // Mailgun gave up by itself
			}
		}
	default:
		return nil, nil // what is tried again, and what went well
	}
	at, ok := seconds(e.Timestamp)
	if !ok {
		return nil, unread("Mailgun", nil)
	}
	d := e.DeliveryStatus
	code, words := d.EnhancedCode, d.Message
	if words == "" {
		words = d.Description
	}
	if code == "" && d.Code/100 == 5 && d.Code < 600 {
		code = strconv.Itoa(d.Code)
	}
	t := w.as(told{key: e.ID, at: at, id: e.UserVariables.Belfry, sender: e.Envelope.Sender, messageID: e.Message.Headers.MessageID, to: e.Recipient}, code, words, e.Event)
	if _, own := mailgunReasons[e.Reason]; own && t.kind == sdk.EventBounce {
		t.bounce.Class = w.class
	} else if s, _ := parseStatus(t.bounce.Status); !own && t.kind == sdk.EventBounce && !s.specific() {
		t.bounce.Class = sdk.BounceSoft
	}
	return []told{t}, nil
}

// postmarkTypes are Postmark's words for bounces. Those that are not here are passed over: they are no failures, or not ended.
var postmarkTypes = map[string]word{"HardBounce": hardBounce, "BadEmailAddress": hardBounce, "ManuallyDeactivated": hardBounce,
	"SoftBounce": softBounce, "DnsError": softBounce, "Undeliverable": softBounce, "Unknown": softBounce,
	"Blocked": otherBounce, "SpamNotification": otherBounce, "DMARCPolicy": otherBounce, "VirusNotification": otherBounce,
	"SpamComplaint": complained, "Unsubscribe": left}

func readPostmark(body []byte) ([]told, error) {
	var e struct {
		RecordType        string `json:"RecordType"`
		Type              string `json:"Type"`
		Details           string `json:"Details"`
		Description       string `json:"Description"`
		Email             string `json:"Email"`
		Recipient         string `json:"Recipient"`
		MessageID         string `json:"MessageID"`
		ID                int64  `json:"ID"`
		BouncedAt         string `json:"BouncedAt"`
		ChangedAt         string `json:"ChangedAt"`
		SuppressSending   bool   `json:"SuppressSending"`
		Origin            string `json:"Origin"`
		SuppressionReason string `json:"SuppressionReason"`
		Metadata          struct {
			Belfry string `json:"Belfry"`
		} `json:"Metadata"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, unread("Postmark", err)
	}
	var w word
	stamp, key := e.BouncedAt, e.RecordType+" "+strconv.FormatInt(e.ID, 10)
	switch e.RecordType {
	case "":
		return nil, unread("Postmark", nil)
	case "Bounce":
		w = postmarkTypes[e.Type]
	case "SpamComplaint":
		w = complained
	case "SubscriptionChange":
		if e.SuppressSending && e.SuppressionReason == "ManualSuppression" && e.Origin == "Recipient" {
			w = left
		}
		stamp, key, e.Email = e.ChangedAt, e.RecordType+" "+e.MessageID+" "+e.ChangedAt, e.Recipient
	}
	if w == (word{}) {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return nil, unread("Postmark", err)
	}
	words := e.Details
	if words == "" {
		words = e.Description
	}
	return []told{w.as(told{key: key, at: at, id: e.Metadata.Belfry, to: e.Email}, "", words, "spam")}, nil
}

// Headers of a signed call of SendGrid's.
const (
	sendGridSignature = "X-Twilio-Email-Event-Webhook-Signature"
	sendGridTimestamp = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// verificationKey reads the public key that SendGrid shows.
func verificationKey(text string) (*ecdsa.PublicKey, error) {
	const what, fix = "this is no verification key of SendGrid's", "copy it from Mail Settings, Signed Event Webhook: it begins with MFkw"
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, "open", "%s; %s", what, fix)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	key, ok := public.(*ecdsa.PublicKey)
	if err != nil || !ok {
		return nil, sdk.Errorf(sdk.CodeInvalid, "open", "%s; %s", what, fix)
	}
	return key, nil
}

// sendGridSigned checks the signature over the time and the body of a call.
func (h *hook) sendGridSigned(r sdk.WebhookRequest) (string, error) {
	header := http.Header(r.Header)
	signature, err := base64.StdEncoding.DecodeString(header.Get(sendGridSignature))
	sum := sha256.Sum256(append([]byte(header.Get(sendGridTimestamp)), r.Body...))
	if err != nil || h.key == nil || header.Get(sendGridTimestamp) == "" || !ecdsa.VerifyASN1(h.key, sum[:], signature) {
		return "", sdk.Errorf(sdk.CodeForbidden, "receive", "the signature of the call is wrong")
	}
	return "", nil
}

// sendGridDrops are the reasons for which SendGrid does not try at all.
var sendGridDrops = map[string]word{"Bounced Address": hardBounce, "Invalid": hardBounce, "Invalid Address": hardBounce, "Spam Reporting Address": complained,
	"Unsubscribed Address": left}

// mostEvents bounds one call.
const mostEvents = 10_000

func readSendGrid(body []byte) ([]told, error) {
	var list []struct {
		Event          string  `json:"event"`
		Type           string  `json:"type"`
		Email          string  `json:"email"`
		Reason         string  `json:"reason"`
		Status         string  `json:"status"`
		Belfry         string  `json:"belfry"`
		Timestamp      float64 `json:"timestamp"`
		ID             string  `json:"sg_event_id"`
		MessageID      string  `json:"smtp-id"`
		Classification string  `json:"bounce_classification"`
	}
	if err := json.Unmarshal(body, &list); err != nil || len(list) > mostEvents {
		return nil, unread("SendGrid", err)
	}
	var out []told
	for _, e := range list {
		var w word
		switch e.Event {
		case "":
			return nil, unread("SendGrid", nil)
		case "bounce":
			switch {
			case e.Type == "blocked":
				w = softBounce
			case e.Classification == "Reputation" || e.Classification == "Content" || e.Classification == "Technical" || e.Classification == "Frequency or Volume Too High":
				w = otherBounce
			default:
				w = hardBounce
			}
		case "dropped":
			w = sendGridDrops[e.Reason]
		case "spamreport":
			w = complained
		case "unsubscribe", "group_unsubscribe":
			w = left
		}
		if w == (word{}) {
			continue
		}
		at, ok := seconds(e.Timestamp)
		if !ok || e.ID == "" {
			return nil, unread("SendGrid", nil)
		}
		t := w.as(told{key: e.ID, at: at, id: e.Belfry, messageID: e.MessageID, to: e.Email}, e.Status, e.Reason, e.Event)
		if s, _ := parseStatus(t.bounce.Status); e.Event == "bounce" && !s.specific() && w.class == sdk.BounceHard && e.Classification != "Invalid Address" {
			t.bounce.Class = sdk.BounceSoft
		}
		out = append(out, t)
	}
	return out, nil
}

// brevoEvents are Brevo's words.
var brevoEvents = map[string]word{"hard_bounce": hardBounce, "hardBounce": hardBounce, "invalid_email": hardBounce, "invalid": hardBounce,
	"soft_bounce": softBounce, "softBounce": softBounce, "blocked": otherBounce, "error": otherBounce, "spam": complained, "complaint": complained, "unsubscribed": left}

func readBrevo(body []byte) ([]told, error) {
	type event struct {
		Event     string  `json:"event"`
		Email     string  `json:"email"`
		Reason    string  `json:"reason"`
		TS        float64 `json:"ts"`
		TSEvent   float64 `json:"ts_event"`
		MessageID string  `json:"message-id"`
		Belfry    string  `json:"X-Mailin-custom"`
	}
	var list []event
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		if err := json.Unmarshal(body, &list); err != nil || len(list) > mostEvents {
			return nil, unread("Brevo", err)
		}
	} else {
		list = make([]event, 1)
		if err := json.Unmarshal(body, &list[0]); err != nil {
			return nil, unread("Brevo", err)
		}
	}
	var out []told
	for _, e := range list {
		if e.Event == "" {
			return nil, unread("Brevo", nil)
		}
		w := brevoEvents[e.Event]
		if w == (word{}) {
			continue
		}
		at, ok := seconds(e.TSEvent)
		if !ok {
			at, ok = seconds(e.TS)
		}
		if !ok || e.MessageID == "" {
			return nil, unread("Brevo", nil)
		}
		key := e.Event + " " + e.MessageID + " " + strconv.FormatInt(at.Unix(), 10)
		out = append(out, w.as(told{key: key, at: at, id: e.Belfry, messageID: e.MessageID, to: e.Email}, "", e.Reason, e.Event))
	}
	return out, nil
}

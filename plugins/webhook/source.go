package webhook

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/webhook/signature"
	"github.com/belfry-news/belfry/sdk"
)

const (
	opVerify = "verify"
	opMap    = "map"
)

// Source is one sender. It has the role of an sdk.WebhookReceiver.
type Source struct {
	config   Config
	verifier *signature.Verifier
	program  program
	zone     *time.Location
	base     *url.URL
}

func open(c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Source{config: c, zone: time.UTC}
	var err error
	if s.verifier, err = signature.New(c.options()); err != nil {
		return nil, err
	}
	var ps sdk.Problems
	if s.program, ps = c.mapping().compile(); ps.Err() != nil {
		return nil, ps
	}
	if c.Zone != "" {
		if s.zone, err = time.LoadLocation(c.Zone); err != nil {
			return nil, err
		}
	}
	if c.BaseURL != "" {
		if s.base, err = url.Parse(c.BaseURL); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close has nothing to give back.
func (s *Source) Close(context.Context) error { return nil }

// Verify says whether a call is genuine. It answers handshakes and pings, which are not kept. What is refused is answered
// with a problem document (RFC 9457): 400 for a body that cannot be read, 401 for what is not genuine, 405, and 415 for a
// type that no mapping reads.
func (s *Source) Verify(_ context.Context, r sdk.WebhookRequest) (sdk.Verdict, error) {
	switch r.Method {
	case http.MethodPost:
	case http.MethodGet:
		return s.subscribe(r), nil
	case http.MethodOptions:
		if reply, ok := s.permit(r); ok {
			return sdk.Verdict{Reply: reply}, nil
		}
		fallthrough
	default:
		return notAllowed(), nil
	}
	if ping.Match(r.Body) && (s.config.Signature == "woocommerce" || s.config.Signature == "wordpress") {
		return answer(http.StatusOK, "text/plain; charset=utf-8", nil), nil // unsigned, says nothing, and is sent once when the hook is made
	}
	now := r.ReceivedAt
	if now.IsZero() {
		now = time.Now()
	}
	a, err := s.verifier.Verify(r, now)
	if refused, ok := signature.IsRefused(err); ok {
		return sdk.Verdict{Reply: sdk.WebhookProblem(http.StatusUnauthorized, string(refused.Reason), refused.Detail)}, nil
	}
	if err != nil {
		return sdk.Verdict{}, err
	}
	if v, ok := s.handshake(r); ok {
		return v, nil
	}
	f := formOf(r)
	if f == formUnknown {
		return sdk.Verdict{Reply: sdk.WebhookProblem(http.StatusUnsupportedMediaType, "type_unsupported",
			fmt.Sprintf("a body of type %.80q is not read; send application/json, application/x-ndjson or application/x-www-form-urlencoded", http.Header(r.Header).Get("Content-Type")))}, nil
	}
	if err := check(r, f); err != nil {
		return sdk.Verdict{Reply: sdk.WebhookProblem(http.StatusBadRequest, "body_malformed", err.Error())}, nil
	}
	v := answer(http.StatusOK, "application/json", []byte(`{"status":"accepted"}`+"\n"))
	v.Accept, v.DeliveryID, v.Forget = true, a.ID, signature.Hidden(s.config.options())
	if a.BodyOnce {
		// What names the delivery is not signed: only the body can tell that it came before.
		v.DeliveryID = signature.Digest(r.Body)
	}
	// Who shows a secret and names nothing may say the same twice and mean it: an article that gets its old title back.
	return v, nil
}

// ping is what WooCommerce sends when a webhook is made.
var ping = regexp.MustCompile(`^webhook_id=\d{1,20}$`)

func answer(status int, typ string, body []byte) sdk.Verdict {
	return sdk.Verdict{Reply: sdk.WebhookReply{Status: status, Header: map[string][]string{"Content-Type": {typ}}, Body: body}}
}

func notAllowed() sdk.Verdict {
	reply := sdk.WebhookProblem(http.StatusMethodNotAllowed, "method_not_allowed", "webhooks are sent here with POST")
	reply.Header["Allow"] = []string{http.MethodPost}
	return sdk.Verdict{Reply: reply}
}

// subscribe answers the question with which Meta sets a webhook up.
func (s *Source) subscribe(r sdk.WebhookRequest) sdk.Verdict {
	q, err := url.ParseQuery(r.Query)
	if s.config.Signature != "meta" || err != nil || q.Get("hub.mode") != "subscribe" {
		return notAllowed()
	}
	want := s.config.VerifyToken
	if want.Empty() || subtle.ConstantTimeCompare([]byte(q.Get("hub.verify_token")), []byte(want.Reveal())) != 1 {
		return sdk.Verdict{Reply: sdk.WebhookProblem(http.StatusForbidden, "token_wrong", "the verify token is not the one that is configured here as verify_token")}
	}
	return answer(http.StatusOK, "text/plain; charset=utf-8", []byte(q.Get("hub.challenge")))
}

// permit answers the question with which a sender of CloudEvents makes sure that it may send.
func (s *Source) permit(r sdk.WebhookRequest) (sdk.WebhookReply, bool) {
	origin := http.Header(r.Header).Get("Webhook-Request-Origin")
	if s.config.Preset != "cloudevents" || origin == "" {
		return sdk.WebhookReply{}, false
	}
	return sdk.WebhookReply{Status: http.StatusOK, Header: map[string][]string{"Webhook-Allowed-Origin": {origin}, "Webhook-Allowed-Rate": {"*"}, "Allow": {http.MethodPost}}}, true
}

// handshake answers genuine calls that carry nothing.
func (s *Source) handshake(r sdk.WebhookRequest) (sdk.Verdict, bool) {
	switch s.config.Signature {
	case "slack":
		var call struct {
			Type      string `json:"type"`
			Challenge string `json:"challenge"`
		}
		if bytes.Contains(r.Body, []byte("url_verification")) && json.Unmarshal(r.Body, &call) == nil && call.Type == "url_verification" {
			return answer(http.StatusOK, "text/plain; charset=utf-8", []byte(call.Challenge)), true
		}
	case "github":
		if strings.EqualFold(http.Header(r.Header).Get("X-Github-Event"), "ping") {
			return answer(http.StatusOK, "application/json", []byte(`{"status":"pong"}`+"\n")), true
		}
	}
	return sdk.Verdict{}, false
}

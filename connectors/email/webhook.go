package email

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// hook takes what a provider tells of the mails that its relay was given. Its zero value takes nothing.
type hook struct {
	name     string
	provider provider
	secret   string
	user     string
	key      *ecdsa.PublicKey // of signed events
	sns      *sns             // of Amazon
}

// provider is what one provider does its own way.
type provider struct {
	// before and after stand around a message's ID in the header field that comes back with each event.
	before, after string
	// genuine finds out whether a call is the provider's. It gives what makes the call unlike any other, where the signature
	// does not cover the events themselves.
	genuine func(h *hook, r sdk.WebhookRequest) (once string, err error)
	// read takes the events apart.
	read func(body []byte) ([]told, error)
}

// providers are those whose events are understood. Amazon's come inside another service's calls.
func providers() map[string]provider {
	return map[string]provider{
		providerSES:      {before: "X-SES-MESSAGE-TAGS: belfry=", read: readSES},
		providerMailgun:  {before: `X-Mailgun-Variables: {"belfry":"`, after: `"}`, genuine: (*hook).mailgunSigned, read: readMailgun},
		providerPostmark: {before: "X-PM-Metadata-belfry: ", genuine: (*hook).password, read: readPostmark},
		providerSendGrid: {before: `X-SMTPAPI: {"unique_args":{"belfry":"`, after: `"}}`, genuine: (*hook).sendGridSigned, read: readSendGrid},
		providerBrevo:    {before: "X-Mailin-custom: ", genuine: (*hook).password, read: readBrevo},
	}
}

// The names of providers in the configuration.
const (
	providerSES      = "ses"
	providerMailgun  = "mailgun"
	providerPostmark = "postmark"
	providerSendGrid = "sendgrid"
	providerBrevo    = "brevo"
)

func newHook(w Webhook, userAgent string) (hook, error) {
	p, known := providers()[w.Provider]
	if !known {
		return hook{}, sdk.Errorf(sdk.CodeInvalid, "open", "webhook: %q is no provider whose calls are understood", w.Provider)
	}
	h := hook{name: w.Provider, provider: p, secret: w.Secret.Reveal(), user: w.User}
	switch w.Provider {
	case providerSES:
		h.sns = newSNS(w.Topic, userAgent)
	case providerSendGrid:
		var err error
		if h.key, err = verificationKey(h.secret); err != nil {
			return hook{}, err
		}
	}
	return h, nil
}

func (h *hook) close() {
	if h.sns != nil {
		h.sns.client.CloseIdle()
	}
}

// appendHeader adds the field by which the provider's events name a message.
func (h *hook) appendHeader(dst []byte, id string) []byte {
	if h.name == "" || !idForm(id) {
		return dst
	}
	return append(append(append(append(dst, h.provider.before...), id...), h.provider.after...), crlf...)
}

var topicForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_.-]{1,256}$`)
})

// check looks for what contradicts.
func (w *Webhook) check(ps *sdk.Problems) {
	const at = "/bounces/webhook"
	_, known := providers()[w.Provider]
	if !known {
		return // said by the list of providers
	}
	asksUser := w.Provider == providerPostmark || w.Provider == providerBrevo
	switch {
	case w.Provider == providerSES && !w.Secret.Empty():
		ps.Add(at+"/secret", "Amazon SNS signs its calls and knows no secret", "take it out, and give topic", "/bounces/webhook/topic")
	case w.Provider != providerSES && w.Secret.Empty():
		ps.Add(at, "without a secret anybody could forge a bounce", `add secret: "${file:…}" with `+map[string]string{
			providerMailgun:  "the HTTP webhook signing key of the account",
			providerSendGrid: "the verification key that Signed Event Webhook shows",
			providerPostmark: "the password that stands in the webhook's address",
			providerBrevo:    "the password that stands in the webhook's address"}[w.Provider], "/bounces/webhook/secret")
	case asksUser && len(w.Secret.Reveal()) < 16:
		ps.Add(at+"/secret", "this secret has less than 16 characters", "make one with: openssl rand -hex 24, and put it into the webhook's address at the provider")
	case w.Provider == providerSendGrid:
		if _, err := verificationKey(w.Secret.Reveal()); err != nil {
			what, fix := sdk.Sentence(err)
			ps.Add(at+"/secret", what, fix)
		}
	}
	switch {
	case asksUser && (w.User == "" || strings.Contains(w.User, ":")):
		ps.Add(at, w.Provider+" calls with a user and a password, and there is no user", "add user, and give the webhook the address https://USER:SECRET@news.example/hooks/NAME", "/bounces/webhook/user")
	case !asksUser && w.User != "":
		ps.Add(at+"/user", w.Provider+" proves its calls otherwise", "take it out")
	}
	switch {
	case w.Provider == providerSES && !topicForm().MatchString(w.Topic):
		ps.Add(at, fmt.Sprintf("%q is no ARN of an Amazon SNS topic", w.Topic), "write it like topic: arn:aws:sns:eu-west-3:123456789012:bounces", "/bounces/webhook/topic")
	case w.Provider != providerSES && w.Topic != "":
		ps.Add(at+"/topic", "topics are Amazon's", "take it out")
	}
}

// told is one event as a provider tells it.
type told struct {
	// key tells it from the provider's other events; the same when it is told again.
	key  string
	at   time.Time
	kind sdk.EventKind
	// id is what our own header field said; sender is the envelope's, and messageID the mail's.
	id, sender, messageID string
	to                    string
	bounce                sdk.Bounce
	feedback              string
}

// ReceiveEvents reads one call of the provider's. One that is not proved to be the provider's is answered with 403 and gives
// nothing; one that cannot be read with 400. Events about mails that are not ours come without Ref, and change nothing. Told
// again, an event has the same ID. What is older than 14 days is passed over, as a bounce by mail is.
func (c *Connector) ReceiveEvents(ctx context.Context, r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	h := &c.hook
	if h.name == "" {
		return sdk.WebhookReply{}, nil, sdk.Errorf(sdk.CodeUnsupported, "receive", "no provider is configured that would call; add bounces: {webhook: …}")
	}
	if r.Method != http.MethodPost {
		return sdk.WebhookReply{Status: http.StatusMethodNotAllowed, Header: map[string][]string{"Allow": {http.MethodPost}}}, nil, nil
	}
	body, once := r.Body, ""
	var err error
	if h.sns != nil {
		if body, err = h.sns.open(ctx, r.Body, c.now()); err != nil || body == nil {
			return sdk.WebhookReply{}, nil, err
		}
	} else if once, err = h.provider.genuine(h, r); err != nil {
		return sdk.WebhookReply{}, nil, err
	}
	list, err := h.provider.read(body)
	if err != nil {
		return sdk.WebhookReply{}, nil, err
	}
	var out []sdk.InboxEvent
	for i, t := range list {
		if t.kind == "" {
			continue
		}
		if age := c.now().Sub(t.at); age > tokenLife || age < -24*time.Hour {
			c.log.Info("an event of the provider's is too old, and passed over", "provider", h.name, "at", t.at)
			continue
		}
		if once != "" {
			t.key = fmt.Sprintf("%s %d", once, i)
		}
		out = append(out, c.toldEvent(t))
	}
	return sdk.WebhookReply{Status: http.StatusOK}, out, nil
}

// toldEvent makes an event of what a provider told. Words of others name no address.
func (c *Connector) toldEvent(t told) sdk.InboxEvent {
	sum := sha256.Sum256([]byte(c.hook.name + "\x00" + t.key))
	who := Recipient{Address: t.to}
	e := sdk.InboxEvent{ID: "hook-" + hex.EncodeToString(sum[:16]), Kind: t.kind, At: t.at.UTC(), Ref: c.ours(t)}
	switch t.kind {
	case sdk.EventBounce:
		e.Bounce = t.bounce
		e.Bounce.Reason = who.unnamed(reasonText(t.bounce.Reason))
	case sdk.EventComplaint:
		e.Bounce = sdk.Bounce{Class: sdk.BounceOther, Reason: "complaint: " + reasonText(t.feedback)}
		e.Text = reasonText(t.feedback)
	case EventFeedback:
		e.Text = reasonText(t.feedback)
	case sdk.EventStop:
		e.From, e.Answers = sdk.Handle{Medium: Medium, Value: t.to}, e.Ref
	}
	return e
}

// ours gives the ID of our message that an event is about: by our header field, by the token in the envelope's sender, or by
// its Message-ID. The call was proved to be the provider's, who was given all three. Empty when it is about another mail.
func (c *Connector) ours(t told) string {
	if t.id != "" && idForm(t.id) && len(t.id) <= maxLocal {
		return t.id
	}
	if c.tokens != nil && t.sender != "" {
		if id, ok := c.tokens.of(t.sender, forBounce, c.now()); ok {
			return id
		}
	}
	local, domain, found := cutLast(strings.Trim(strings.TrimSpace(t.messageID), "<>"), '@')
	if found && strings.EqualFold(domain, c.idDomain) && idForm(local) && len(local) <= maxLocal {
		return local
	}
	return ""
}

// toldBounce makes a bounce of what a provider says about a failure. stated is the class that the provider's own word for it
// has; a code in the answer of the other server decides, with the one table for all bounces, but never makes it harder than
// the provider says: what they call temporary writes nobody off.
func toldBounce(stated sdk.BounceClass, code, words string) sdk.Bounce {
	words = strings.TrimSpace(words)
	if kind, rest, found := strings.Cut(words, ";"); found && strings.EqualFold(strings.TrimSpace(kind), "smtp") {
		words = strings.TrimSpace(rest)
	}
	s, _ := parseStatus(strings.TrimSpace(code))
	basic := basicCode(words)
	if basic == 0 {
		basic = basicCode(strings.TrimSpace(code))
	}
	if better := findStatus(words); better.class != 0 && !s.specific() {
		s = better
	}
	if !s.specific() {
		if guessed := guess(max(basic, s.class*100), strings.ToLower(words)); guessed.specific() {
			s = guessed
		}
	}
	out := sdk.Bounce{Class: stated, Status: s.String(), Reason: words}
	if s.specific() {
		if out.Class = react(s, basic, words).class; out.Class == sdk.BounceHard && stated != sdk.BounceHard {
			out.Class = sdk.BounceSoft
		}
	}
	return out
}

// password says that a call carries the user and the password of the webhook's address.
func (h *hook) password(r sdk.WebhookRequest) (string, error) {
	user, password, _ := (&http.Request{Header: r.Header}).BasicAuth()
	got, want := sha256.Sum256([]byte(user+"\x00"+password)), sha256.Sum256([]byte(h.user+"\x00"+h.secret))
	// The sums have one length, so that the time tells nothing about the secret's.
	if h.secret == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return "", sdk.Errorf(sdk.CodeForbidden, "receive", "the call does not carry the user and the secret of the webhook's address")
	}
	return "", nil
}

// unread says that a proved call cannot be read.
func unread(provider string, err error) error {
	return &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeMessage, Op: "receive", Public: "the call is none of " + provider + "'s: its body cannot be read", Err: err}
}

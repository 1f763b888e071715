// Package http publishes posts to any receiver that takes an HTTP request: signed by Standard Webhooks in the default
// form, or in a form of the receiver's own, made by templates out of which no text of a post can break.
//
// Every call to a receiver that deduplicates carries the same key on every attempt (webhook-id and Idempotency-Key), so
// that repeating a call whose answer was lost posts nothing twice. Corrections and withdrawals are calls of their own.
package http

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/belfry-news/belfry/sdk"
)

// Config is what an admin writes under a destination of type http.
type Config struct {
	URL          Endpoint              `yaml:"url" required:"true" doc:"Where posts are sent. Its path and query may hold a secret and are shown nowhere."`
	Secret       sdk.Secret            `yaml:"secret" doc:"The Standard Webhooks secret that signs each call, whsec_ and base64."`
	Secrets      []sdk.Secret          `yaml:"secrets" doc:"Several secrets while one replaces another; all of them sign."`
	Basic        *Basic                `yaml:"basic" doc:"A user and a password for the receiver."`
	Headers      map[string]sdk.Secret `yaml:"headers" doc:"Headers of each call, such as Authorization."`
	AllowPrivate []netip.Prefix        `yaml:"allow_private" doc:"Private networks the receiver may be in." example:"[10.0.3.7/32]"`
	Timeout      sdk.Duration          `yaml:"timeout" doc:"How long one call may take."`

	Deduplicates *bool      `yaml:"deduplicates" doc:"The receiver drops a call whose webhook-id or Idempotency-Key it knows. True for the standard form and false for a body of your own, unless given."`
	Accept       Acceptance `yaml:"accept" doc:"What the body of a 2xx answer must say: a text, or values by JSON Pointer. Without it a web page, and JSON that says no or tells of an error, are no yes; * takes everything." example:"{/success: true}"`

	Body        string `yaml:"body" doc:"A template for the body of a call; without it the standard form is sent."`
	ContentType string `yaml:"content_type" doc:"The type of the body: JSON, a form or plain text."`
	Method      string `yaml:"method" enum:"POST|PUT|PATCH" doc:"The method of the call."`
	Ref         string `yaml:"ref" doc:"Where the answer names the post, as a JSON Pointer; needed for update and delete." example:"/id"`
	Update      *Call  `yaml:"update" doc:"The call that corrects a post, when the body is your own. Without it posts cannot be corrected."`
	Delete      *Call  `yaml:"delete" doc:"The call that withdraws a post, when the body is your own. Without it posts cannot be withdrawn."`

	Markup   string       `yaml:"markup" enum:"plain|commonmark|html" doc:"What .Text is in the templates."`
	MaxText  int          `yaml:"max_text" min:"0" doc:"The longest .Text; 0 means that there is no limit."`
	Unit     sdk.Unit     `yaml:"unit" enum:"bytes|utf16|codepoints|graphemes" doc:"What max_text counts."`
	Overflow sdk.Overflow `yaml:"overflow" enum:"cut|split" doc:"What happens to a longer text: it is cut, or goes on in further calls (with a body of your own)."`
}

// Call is a call about a post that the receiver has.
type Call struct {
	URL         Endpoint              `yaml:"url" doc:"Where it is sent; {{.Ref}} is the receiver's name for the post. The same as for posts unless given."`
	Method      string                `yaml:"method" enum:"POST|PUT|PATCH|DELETE" doc:"The method; the same as for posts unless given, and DELETE for delete."`
	Body        string                `yaml:"body" doc:"A template with .Ref and, in update, .Sent, which is what the body would be for a new post. Without it an update sends that, and a deletion nothing."`
	ContentType string                `yaml:"content_type" doc:"The type of the body; the same as for posts unless given."`
	Headers     map[string]sdk.Secret `yaml:"headers" doc:"Further headers, or other values for the same ones."`
	Within      sdk.Duration          `yaml:"within" doc:"How long after the post the receiver takes this call; 0s means for ever."`
	Missing     string                `yaml:"missing" doc:"A text in a refusal that says that the post is not there any more; the statuses 404 and 410 say so anyway."`
}

// Basic is HTTP's Basic authentication (RFC 7617).
type Basic struct {
	User     string     `yaml:"user" required:"true" doc:"The user's name."`
	Password sdk.Secret `yaml:"password" required:"true" doc:"The password or API key."`
}

// keyFor is how long a receiver is trusted to know a key: the span over which Standard Webhooks senders repeat a call.
const keyFor = 72 * time.Hour

func defaults() Config {
	return Config{Timeout: sdk.D(15 * time.Second), ContentType: "application/json", Method: http.MethodPost,
		Markup: "plain", Unit: sdk.UnitCodePoints, Overflow: sdk.OverflowCut}
}

// Spec declares the connector.
func Spec() *sdk.Spec {
	return sdk.Define("http", "Posts to any HTTP receiver: signed by Standard Webhooks, or in a form of the "+
		"receiver's own.", defaults(), open)
}

// custom says that the body is the admin's own.
func (c *Config) custom() bool { return c.Body != "" }

func (c *Config) deduplicates() bool {
	if c.Deduplicates != nil {
		return *c.Deduplicates
	}
	return !c.custom()
}

// Validate checks addresses, secrets and headers, and renders every template with texts that try to break out of it. Its
// error is sdk.Problems.
func (c *Config) Validate() error {
	var ps sdk.Problems
	guard := sdk.Guard{Allow: c.AllowPrivate}
	c.URL.check(&ps, "/url", guard, false)
	c.checkSecrets(&ps)
	c.checkHeaders(&ps, "", c.Headers)
	if c.Timeout.Std() < time.Second {
		ps.Add("/timeout", "no receiver answers as fast as that", "at least 1s; 15s is usual")
	}
	if !c.custom() {
		var standard sdk.Problems
		c.checkStandard(&standard)
		for i := range standard {
			standard[i].Needs = []string{"/body"} // with one, these are no problems
		}
		return append(ps, standard...).Err()
	}
	for name, call := range map[string]*Call{"update": c.Update, "delete": c.Delete} {
		if call == nil {
			continue
		}
		at := sdk.Pointer(name)
		if call.URL.raw != "" {
			call.URL.check(&ps, at+"/url", guard, true)
		}
		c.checkHeaders(&ps, at, call.Headers)
		if c.Ref == "" {
			ps.Add(at, name+" needs the receiver's name for the post", "say with ref: where its answer has it, like ref: /id", "/ref")
		}
	}
	if c.Ref != "" && !strings.HasPrefix(c.Ref, "/") {
		ps.Add("/ref", "this is no JSON Pointer", "it begins with a slash, like /id or /message/_id")
	}
	if _, problems := compile(c); len(ps) == 0 {
		// A template is only worth trying when what stands around it is right.
		ps = problems
		for i := range ps {
			ps[i].Needs = []string{"/body", "/content_type", "/ref", "/update", "/delete"}
		}
	}
	return ps.Err()
}

func (c *Config) checkSecrets(ps *sdk.Problems) {
	for i, s := range c.Secrets {
		checkSecret(ps, sdk.Pointer("secrets", i), s)
	}
	if !c.Secret.Empty() {
		checkSecret(ps, "/secret", c.Secret)
		if len(c.Secrets) > 0 {
			ps.Add("/secret", "the secret is given twice", "keep secret, or secrets while one replaces another", "/secrets")
		}
	}
}

// signingKey decodes a Standard Webhooks secret: 24 to 64 bytes in base64 behind whsec_.
func signingKey(s sdk.Secret) ([]byte, bool) {
	text, ok := strings.CutPrefix(s.Reveal(), "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	return key, ok && err == nil && len(key) >= 24 && len(key) <= 64
}

const howToSecret = "make one with: echo whsec_$(openssl rand -base64 32)"

func checkSecret(ps *sdk.Problems, at string, s sdk.Secret) {
	if _, ok := signingKey(s); !ok {
		ps.Add(at, "this is no Standard Webhooks secret, which is whsec_ and 24 to 64 bytes in base64", howToSecret)
	}
}

func (c *Config) checkStandard(ps *sdk.Problems) {
	if c.Secret.Empty() && len(c.Secrets) == 0 {
		ps.Add("", "secret is missing: receivers of the standard form know Belfry by its signature", howToSecret)
	}
	own := map[string]bool{"update": c.Update != nil, "delete": c.Delete != nil, "ref": c.Ref != ""}
	for _, name := range []string{"update", "delete", "ref"} {
		if own[name] {
			ps.Add("/"+name, name+" belongs to a body of your own; the standard form corrects and withdraws by itself",
				"take it out, or add body:")
		}
	}
	if c.ContentType != "application/json" {
		ps.Add("/content_type", "the standard form is application/json", "take it out, or add body:")
	}
	if c.Method != http.MethodPost {
		ps.Add("/method", "the standard form is a POST", "take it out, or add body:")
	}
	if c.Markup != "plain" {
		ps.Add("/markup", "the standard form has the text as plain text and as HTML", "take it out, or add body:")
	}
	if c.Overflow != sdk.OverflowCut {
		ps.Add("/overflow", "the standard form is one call for each post", "cut, or add body:")
	}
}

// ownHeaders are set by the connector itself.
var ownHeaders = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Te",
	"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}

func (c *Config) checkHeaders(ps *sdk.Problems, at string, headers map[string]sdk.Secret) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		value := headers[name]
		here := at + sdk.Pointer("headers", name)
		canonical := http.CanonicalHeaderKey(name)
		twice := seen[canonical]
		seen[canonical] = true
		switch {
		case twice:
			ps.Add(here, "this header is given twice, in two spellings", "keep one of them")
		case !httpguts.ValidHeaderFieldName(name):
			ps.Add(here, "this is no name of a header", "letters, digits and - only")
		case !httpguts.ValidHeaderFieldValue(value.Reveal()):
			ps.Add(here, "the value of this header holds a line end or another control character", "take it out")
		case canonical == "Content-Type":
			ps.Add(here, "the type of the body has its own setting", "write it as content_type")
		case canonical == "Idempotency-Key" || canonical == "X-Idempotency-Key":
			ps.Add(here, "the same key on every post would make the receiver drop all but one",
				"write deduplicates: true, and each call gets a key of its own")
		case slices.Contains(ownHeaders, canonical):
			ps.Add(here, "this header is set by Belfry itself", "take it out")
		case canonical == "Authorization" && c.Basic != nil:
			ps.Add(here, "the receiver gets credentials twice", "keep basic, or this header", "/basic")
		}
	}
}

// Connector is one receiver.
type Connector struct {
	config   Config
	instance string
	client   *sdk.Client
	forms    *forms // nil for the standard form
	keys     [][]byte
	host     string
	secrets  []string // what must not be shown, the longest first
	planned  string   // what plans depend on besides the post and the channel
}

func open(_ context.Context, s sdk.Settings, c Config) (*Connector, error) {
	conn := &Connector{config: c, instance: s.Instance, host: c.URL.host(),
		planned: fmt.Sprintf("http %d %s %s ", c.MaxText, c.Unit, c.Overflow),
		client: sdk.NewClient(sdk.ClientConfig{AllowPrivate: c.AllowPrivate, UserAgent: s.UserAgent,
			Timeout: c.Timeout.Std()})}
	if c.custom() {
		f, problems := compile(&c)
		if err := problems.Err(); err != nil {
			return nil, err
		}
		conn.forms = f
	}
	for _, s := range append(slices.Clone(c.Secrets), c.Secret) {
		if key, ok := signingKey(s); ok {
			conn.keys = append(conn.keys, key)
		}
	}
	conn.secrets = c.hidden()
	return conn, nil
}

// Close frees the connections.
func (c *Connector) Close(context.Context) error {
	c.client.CloseIdle()
	return nil
}

var (
	_ sdk.Resolver      = (*Connector)(nil)
	_ sdk.Publisher     = (*Connector)(nil)
	_ sdk.SharedPlanner = (*Connector)(nil)
	_ sdk.Editor        = (*Connector)(nil)
	_ sdk.Deleter       = (*Connector)(nil)
)

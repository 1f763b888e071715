package webhook

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/webhook/signature"
	"github.com/belfry-news/belfry/sdk"
)

// Config is what an admin writes for one sender.
type Config struct {
	Signature      string       `yaml:"signature" required:"true" enum:"standard|standard-webhooks|github|meta|stripe|slack|ghost|contentful|sanity|woocommerce|wordpress|hmac|bearer|basic" doc:"How the sender proves itself." example:"ghost"`
	Secret         sdk.Secret   `yaml:"secret" doc:"The secret that both sides know; of basic user:password, of bearer the token, of standard also a public key." example:"${file:/run/secrets/desk}"`
	Secrets        []sdk.Secret `yaml:"secrets" doc:"Further secrets that count too, while one is being replaced."`
	Tolerance      sdk.Duration `yaml:"tolerance" doc:"How far the sender's clock may be away, where it signs the time."`
	signature.HMAC              // of hmac; header, prefix and id_header of bearer too
	VerifyToken    sdk.Secret   `yaml:"verify_token" doc:"What Meta shows when its webhook is set up."`
	Preset         string       `yaml:"preset" enum:"ghost|wordpress|strapi|github|cloudevents" doc:"The mapping of a well-known sender. What stands under map goes before it." example:"ghost"`
	Map            Mapping      `yaml:"map" doc:"What of a call becomes what of an item: expressions."`
	Zone           string       `yaml:"zone" doc:"Time zone of dates that say none; without it they count as UTC." example:"Europe/Paris"`
	BaseURL        string       `yaml:"base_url" doc:"What relative links are resolved against." example:"https://news.example/"`
}

func defaults() Config {
	return Config{HMAC: signature.DefaultHMAC(), Tolerance: sdk.D(signature.DefaultTolerance)}
}

// Spec declares the source.
func Spec() *sdk.Spec {
	return sdk.Define("webhook", "Items of a publishing system that calls at /hooks/NAME", defaults(),
		func(_ context.Context, _ sdk.Settings, c Config) (*Source, error) { return open(c) })
}

// Validate checks everything that can be known before somebody calls.
func (c *Config) Validate() error {
	var ps sdk.Problems
	o := c.options()
	if _, err := signature.New(o); err != nil {
		more, ok := err.(sdk.Problems) //nolint:errorlint // New gives nothing else
		if !ok {
			return err
		}
		ps = append(ps, more...)
	}
	ps = append(ps, signature.Weak(o)...)
	for i := range ps {
		ps[i].Pointer = c.where(ps[i].Pointer)
	}
	if n := c.Map.Notice; n.given() && (n.Reference == "" || n.Key == "" || n.Title == "" && n.Text == "") {
		ps.Add("/map/notice", "a notice needs a reference, a key, and a title or a text", "add what is missing")
	} else if n != (NoticeMapping{}) && !n.given() {
		ps.Add("/map/notice", "nothing says which notice it is", "add name, such as name: '\"parcels\"'")
	}
	switch {
	case c.Preset == "" && c.Map.Key == "" && c.Map.Notice.given() && c.Map.Title == "":
		// Nothing but notices.
	case c.Preset == "" && c.Map.Key == "":
		ps.Add("/map", "nothing says what becomes of a call", "add preset: ghost, or another one, or a map with key and title", "/preset")
	case c.Preset == "" && c.Map.Title == "":
		ps.Add("/map", "the map yields no title", "add title, such as title: body.title", "/preset")
	}
	_, more := c.mapping().compile()
	for _, p := range more {
		p.Pointer = "/map" + p.Pointer
		ps = append(ps, p)
	}
	if strings.EqualFold(c.Zone, "local") {
		ps.Add("/zone", "a zone must be named", "write a name such as Europe/Paris or UTC")
	} else if _, err := time.LoadLocation(c.Zone); err != nil {
		ps.Add("/zone", fmt.Sprintf("the time zone %q is unknown", c.Zone), "write a name such as Europe/Paris or UTC")
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		ps.Add("/base_url", "this is no address of a site", "write it like https://news.example/")
	}
	return ps.Err()
}

// where is the setting that holds a secret of the list that the schemes see.
func (c *Config) where(pointer string) string {
	n := 0
	if got, err := fmt.Sscanf(pointer, "/secrets/%d", &n); got != 1 || err != nil {
		if pointer == "/secrets" {
			return "/secret"
		}
		return pointer
	}
	if !c.Secret.Empty() {
		if n == 0 {
			return "/secret"
		}
		n--
	}
	return sdk.Pointer("secrets", n)
}

func (c *Config) options() signature.Options {
	o := signature.Options{Scheme: c.Signature, Tolerance: c.Tolerance.Std(), HMAC: c.HMAC}
	all := slices.Clone(c.Secrets)
	if !c.Secret.Empty() {
		all = append([]sdk.Secret{c.Secret}, all...)
	}
	for _, s := range all {
		o.Secrets = append(o.Secrets, s.Reveal())
	}
	return o
}

// mapping is the preset, with what the admin says in its place.
func (c *Config) mapping() Mapping { return presets()[c.Preset].with(c.Map) }

package main

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Config is what stands in Belfry's configuration below the destination. The tags yield the strict decoding, the JSON
// Schema and the completion in editors. A setting that is a credential has the type sdk.Secret: it never gets into a log.
type Config struct {
	URL          string         `yaml:"url" required:"true" doc:"Address of the platform's API." example:"https://boards.example/api"`
	Token        sdk.Secret     `yaml:"token" required:"true" doc:"The API's key, which needs the right to post." example:"${env:BOARDS_TOKEN}"`
	Pictures     bool           `yaml:"pictures" doc:"Whether pictures are posted with the text."`
	AllowPrivate []netip.Prefix `yaml:"allow_private" doc:"Private networks the API may be in; without it, only public addresses are called." example:"[10.0.3.7/32]"`
}

// Validate is called after decoding, and reaches no network. All problems are told at once, each with the pointer of its
// setting and with what would be right.
func (c Config) Validate() error {
	var ps sdk.Problems
	if _, err := c.address(); err != nil {
		what, fix := sdk.Sentence(err)
		if fix == "" {
			fix = "write an address like https://boards.example/api"
		}
		ps.Add("/url", what, fix, "/allow_private")
	}
	return ps.Err()
}

// address is where the API is. Belfry's guard refuses private addresses that allow_private does not name, here and again
// at the moment of dialling.
func (c Config) address() (*url.URL, error) {
	return sdk.Guard{Allow: c.AllowPrivate}.CheckURL(c.URL)
}

// Spec declares the connector: its name after "type:", what it is in a few words, its defaults, and how an instance is
// opened. Opening reaches no network, so that a whole configuration can be checked offline.
func Spec() *sdk.Spec {
	return sdk.Define("sampleplugin", "posts on the boards of a platform", Config{Pictures: true}, open)
}

func open(_ context.Context, s sdk.Settings, c Config) (*connector, error) {
	base, err := c.address()
	if err != nil {
		return nil, err
	}
	client := sdk.NewClient(sdk.ClientConfig{AllowPrivate: c.AllowPrivate, UserAgent: s.UserAgent})
	return &connector{config: c, api: &api{base: base, token: c.Token, client: client}}, nil
}

// connector implements sdk.Resolver, sdk.Publisher, sdk.Editor, sdk.Deleter and sdk.Finder. What the platform cannot do is
// simply left out: without Editor, corrections become replies or listed posts, as the channel's configuration says.
type connector struct {
	config Config
	api    *api
}

// limits say, as data, what the platform takes. Belfry keeps to them, and to the rates.
func limits() sdk.Limits {
	return sdk.Limits{
		Text: maxText, Unit: sdk.UnitCodePoints, Media: maxPictures, MediaBytes: maxPicture,
		Overflow: sdk.OverflowThread, Overflows: []sdk.Overflow{sdk.OverflowThread, sdk.OverflowCut},
		Rules: sdk.Rules{
			EditFor: sdk.Forever, DeleteFor: sdk.Forever, ReplyFor: sdk.Forever,
			SameKeyFor: 24 * time.Hour, // the platform recognises a repeated Idempotency-Key for a day
			Rates:      []sdk.Rate{{Scope: sdk.RateChannel, Events: 20, Per: time.Second}},
			Parallel:   4,
		},
	}
}

// ResolveChannel implements sdk.Resolver. What is a person, or something else that is no channel, is refused: Belfry writes
// to people only with their consent, and never by this way.
func (c *connector) ResolveChannel(ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	if !strings.HasPrefix(name, "#") || len(name) < 2 || len(name) > 64 || strings.ContainsFunc(name[1:], notInNames) {
		return sdk.ChannelRef{}, sdk.Limits{}, sdk.Errorf(sdk.CodeNotAChannel, "resolve", "%.80q is no name of a board; names look like #news", name)
	}
	b, err := c.api.board(ctx, name[1:])
	if err != nil {
		return sdk.ChannelRef{}, sdk.Limits{}, err
	}
	if b.Kind != "board" {
		return sdk.ChannelRef{}, sdk.Limits{}, sdk.Errorf(sdk.CodeNotAChannel, "resolve", "%s is a %s and no board; name a board", name, b.Kind)
	}
	return sdk.ChannelRef{ID: b.ID, Title: b.Title, URL: b.URL}, limits(), nil
}

func notInNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// Plan implements sdk.Publisher: what will be posted, one part for each call. It reaches no network and knows no clock: the
// same post gives the same parts, so that a plan can be shown before anything happens.
func (c *connector) Plan(_ sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	bound := render.Bound{Markup: render.Plain, Unit: sdk.UnitCodePoints, Max: maxText}
	var texts []sdk.Body
	switch p.Overflow {
	case sdk.OverflowCut:
		texts = []sdk.Body{render.Cut(p.Body, bound)}
	case sdk.OverflowThread, "":
		texts = render.Split(p.Body, bound)
	default:
		return nil, sdk.Errorf(sdk.CodeUnsupported, "plan", "overflow %q is unknown; cut and thread are possible", p.Overflow)
	}
	pictures := c.pictures(p)
	if len(texts) == 0 && len(pictures) > 0 {
		texts = []sdk.Body{nil}
	}
	var parts []sdk.Part
	for i, body := range texts {
		r := request{Text: render.Render(body, render.Plain)}
		part := sdk.Part{Kind: "post", Type: "application/json", Thread: i > 0, Text: r.Text}
		if i == 0 {
			for _, m := range pictures {
				r.Pictures = append(r.Pictures, picture{SHA256: m.File.SHA256, Type: m.File.Type, Alt: m.Alt})
				part.Files = append(part.Files, m.File)
			}
		}
		if r.Text == "" && len(part.Files) == 0 {
			continue
		}
		part.Request = r.encode()
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeTemplate, Op: "plan", Public: "the template gives no text; the platform takes no empty post"}
	}
	return parts, nil
}

// pictures are those of a post that the platform takes and of which Belfry holds a copy.
func (c *connector) pictures(p sdk.Post) []sdk.Media {
	var out []sdk.Media
	for _, m := range p.Media {
		if c.config.Pictures && m.File.SHA256 != "" && m.File.Size <= maxPicture && len(out) < maxPictures && (m.File.Type == "image/jpeg" || m.File.Type == "image/png") {
			out = append(out, m)
		}
	}
	return out
}

// Publish implements sdk.Publisher: one call. The platform recognises part.Key, so that a call whose answer was lost is
// found again and not repeated.
func (c *connector) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	if !strings.HasPrefix(to.ID, "b") {
		return sdk.PartRef{}, sdk.Errorf(sdk.CodeNotAChannel, "publish", "%.80q is no board", to.ID)
	}
	r, err := decode(part)
	if err != nil {
		return sdk.PartRef{}, err
	}
	if part.ReplyTo != nil && len(part.ReplyTo.IDs) > 0 {
		r.ReplyTo = part.ReplyTo.IDs[0]
	}
	return c.api.post(ctx, to.ID, part.Key, r)
}

// Edit implements sdk.Editor. An edit to what is shown already is a success.
func (c *connector) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	r, err := decode(part)
	if err != nil {
		return sdk.PartRef{}, err
	}
	return c.api.edit(ctx, ref, r)
}

// Delete implements sdk.Deleter. A post that is gone already is a success.
func (c *connector) Delete(ctx context.Context, ref sdk.PartRef) error {
	return c.api.remove(ctx, ref)
}

// Find implements sdk.Finder: what became of a call whose answer was lost. False only when the platform is sure.
func (c *connector) Find(ctx context.Context, to sdk.ChannelRef, key string) (sdk.PartRef, bool, error) {
	if key == "" {
		return sdk.PartRef{}, false, nil
	}
	return c.api.find(ctx, to.ID, key)
}

// Close implements sdk.Connector.
func (c *connector) Close(context.Context) error {
	c.api.client.CloseIdle()
	return nil
}

package main

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/belfry-news/belfry/sdk"
)

// Config is what stands in Belfry's configuration below the source. The tags yield the strict decoding, the JSON Schema
// and the completion in editors. A setting that is a credential has the type sdk.Secret: it never gets into a log.
type Config struct {
	URL          string         `yaml:"url" required:"true" doc:"Address of the newsroom's API." example:"https://cms.example/api"`
	Token        sdk.Secret     `yaml:"token" required:"true" doc:"The API's key, which needs the right to read articles." example:"${env:CMS_TOKEN}"`
	Section      string         `yaml:"section" doc:"Only articles of this section; without it, all of them." example:"sport"`
	AllowPrivate []netip.Prefix `yaml:"allow_private" doc:"Private networks the API may be in; without it, only public addresses are called." example:"[10.0.3.7/32]"`
}

// Validate is called after decoding, and reaches no network. All problems are told at once, each with the pointer of its
// setting and with what would be right.
func (c Config) Validate() error {
	var ps sdk.Problems
	if _, err := c.address(); err != nil {
		what, fix := sdk.Sentence(err)
		if fix == "" {
			fix = "write an address like https://cms.example/api"
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

// Spec declares the source: its name after "type:", what it is in a few words, its defaults, and how an instance is opened.
// Opening reaches no network, so that a whole configuration can be checked offline.
func Spec() *sdk.Spec {
	return sdk.Define("sampleplugin", "articles of a newsroom's API", Config{}, open)
}

func open(_ context.Context, s sdk.Settings, c Config) (*source, error) {
	base, err := c.address()
	if err != nil {
		return nil, err
	}
	client := sdk.NewClient(sdk.ClientConfig{AllowPrivate: c.AllowPrivate, UserAgent: s.UserAgent})
	return &source{settings: s, section: c.Section, api: &api{base: base, token: c.Token, client: client}}, nil
}

// source has no state of its own: what it must remember travels in the cursor, which Belfry stores together with the items.
type source struct {
	settings sdk.Settings
	section  string
	api      *api
}

// Fetch implements sdk.Source: what changed since the cursor, which is the number of the last change that was read.
func (s *source) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	var after int64
	if !r.Force {
		// A cursor that cannot be read is of another version of this plugin: reading everything again harms nothing, since
		// Belfry knows what it has.
		after, _ = strconv.ParseInt(string(r.Cursor), 10, 64)
	}
	page, err := s.api.changes(ctx, max(after, 0), s.section)
	if err != nil {
		return sdk.Batch{}, err
	}
	batch := sdk.Batch{Next: sdk.Cursor(strconv.FormatInt(page.Last, 10)), More: page.More}
	for _, a := range page.Articles {
		// Withdrawing needs evidence. That an article is missing from a page is none; that the API calls it withdrawn is.
		if a.Withdrawn {
			batch.Removed = append(batch.Removed, sdk.Removal{Key: a.ID, Reason: "withdrawn by the newsroom", At: a.Changed})
			continue
		}
		item, err := a.item()
		if err != nil {
			// One article that cannot be read must not hold up the others. The admin is told.
			batch.Notices = append(batch.Notices, fmt.Sprintf("article %q was left out: %v", a.ID, err))
			continue
		}
		batch.Items = append(batch.Items, item)
	}
	batch.Unchanged = !r.Force && len(batch.Items)+len(batch.Removed)+len(batch.Notices) == 0
	s.settings.Log.Debug("read the changes", "after", after, "items", len(batch.Items), "removed", len(batch.Removed))
	return batch, nil
}

// Close implements sdk.Connector.
func (s *source) Close(context.Context) error {
	s.api.client.CloseIdle()
	return nil
}

package rss

import (
	"context"
	"net/url"
	"strings"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// Config is what an admin writes for one feed.
type Config struct {
	URL          string                `yaml:"url" required:"true" doc:"Address of the feed, or of a page that names its feed." example:"https://news.example/feed.xml"`
	AllowPrivate []fetch.Prefix        `yaml:"allow_private" doc:"Private addresses that this feed may be fetched from, such as those of your own CMS." example:"[10.0.3.7/32]"`
	Username     string                `yaml:"username" doc:"User name for HTTP basic authentication. Sent to the feed's own origin only."`
	Password     sdk.Secret            `yaml:"password" doc:"Password for HTTP basic authentication."`
	Headers      map[string]sdk.Secret `yaml:"headers" doc:"Further request headers, such as Authorization. Sent to the feed's own origin only."`
	Zone         string                `yaml:"zone" doc:"Time zone of dates that say none; without it they count as UTC." example:"Europe/Paris"`
	Body         string                `yaml:"body" enum:"content|description" doc:"Which of the two becomes an item's text where the feed has both."`
	Discover     bool                  `yaml:"discover" doc:"Whether the first fetch may follow a web page to the feed that it names."`
	WebSub       string                `yaml:"websub" enum:"auto|off" doc:"Whether a hub that the feed names is asked to tell at once what is new."`
	MaxSize      fetch.Size            `yaml:"max_size" doc:"Largest document, after decompression; at most 15MiB." example:"10MiB"`
	Timeout      sdk.Duration          `yaml:"timeout" doc:"Longest time for one fetch, without waiting for its turn."`
	Contact      string                `yaml:"contact" doc:"Web or mail address at which the feed's publisher can reach you, told in the User-Agent." example:"https://gazette.example/contact"`
}

func defaults() Config {
	return Config{Body: "content", Discover: true, WebSub: "auto", MaxSize: fetch.DefaultMaxSize, Timeout: sdk.D(fetch.DefaultTimeout)}
}

// Spec declares the source. Instances opened through one Spec share their connections and their manners towards hosts.
func Spec() *sdk.Spec {
	shared := fetch.New()
	return sdk.Define("rss", "Items of an RSS, Atom or JSON feed", defaults(),
		func(_ context.Context, s sdk.Settings, c Config) (*Source, error) { return open(shared, s, c) })
}

// Validate checks everything that can be known without the network.
func (c *Config) Validate() error {
	var ps sdk.Problems
	_, err := c.address()
	fetch.Access{AddressErr: err, Document: "feed", Example: "https://news.example/feed.xml", Username: c.Username, Password: c.Password,
		Headers: c.Headers, Zone: c.Zone, MaxSize: c.MaxSize, Timeout: c.Timeout, Contact: c.Contact}.Check(&ps)
	return ps.Err()
}

// address gives the feed's URL as it is fetched. The scheme feed: stands for https.
func (c *Config) address() (*url.URL, error) {
	raw := strings.TrimSpace(c.URL)
	if rest, ok := cutFold(raw, "feed://"); ok {
		raw = "https://" + rest
	} else if rest, ok := cutFold(raw, "feed:"); ok {
		raw = rest
	}
	if u, err := url.Parse(raw); err == nil && u.User != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, "", "the address holds a user name or a password; write them as username and password")
	}
	u, err := fetch.Guard(c.AllowPrivate).CheckURL(raw)
	if u != nil {
		u.Fragment, u.RawFragment = "", ""
	}
	return u, err
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

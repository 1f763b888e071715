package rss

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/belfry-news/belfry/sdk"
)

// Config is what an admin writes for one feed.
type Config struct {
	URL          string                `yaml:"url" required:"true" doc:"Address of the feed, or of a page that names its feed." example:"https://news.example/feed.xml"`
	AllowPrivate []Prefix              `yaml:"allow_private" doc:"Private addresses that this feed may be fetched from, such as those of your own CMS." example:"[10.0.3.7/32]"`
	Username     string                `yaml:"username" doc:"User name for HTTP basic authentication. Sent to the feed's own origin only."`
	Password     sdk.Secret            `yaml:"password" doc:"Password for HTTP basic authentication."`
	Headers      map[string]sdk.Secret `yaml:"headers" doc:"Further request headers, such as Authorization. Sent to the feed's own origin only."`
	Zone         string                `yaml:"zone" doc:"Time zone of dates that say none; without it they count as UTC." example:"Europe/Paris"`
	Body         string                `yaml:"body" enum:"content|description" doc:"Which of the two becomes an item's text where the feed has both."`
	Discover     bool                  `yaml:"discover" doc:"Whether the first fetch may follow a web page to the feed that it names."`
	MaxSize      Size                  `yaml:"max_size" doc:"Largest document, after decompression; at most 15MiB." example:"10MiB"`
	Timeout      sdk.Duration          `yaml:"timeout" doc:"Longest time for one fetch, without waiting for its turn."`
	Contact      string                `yaml:"contact" doc:"Web or mail address at which the feed's publisher can reach you, told in the User-Agent." example:"https://gazette.example/contact"`
}

const (
	defaultMaxSize = 10 << 20
	largestMaxSize = 15 << 20
	defaultTimeout = time.Minute
)

func defaults() Config {
	return Config{Body: "content", Discover: true, MaxSize: defaultMaxSize, Timeout: sdk.D(defaultTimeout)}
}

// Spec declares the source. Instances opened through one Spec share their connections and their manners towards hosts.
func Spec() *sdk.Spec {
	shared := newNetwork()
	return sdk.Define("rss", "Items of an RSS, Atom or JSON feed", defaults(),
		func(_ context.Context, s sdk.Settings, c Config) (*Source, error) { return open(shared, s, c) })
}

// Validate checks everything that can be known without the network.
func (c *Config) Validate() error {
	var ps sdk.Problems
	if _, err := c.address(); err != nil {
		what, fix := sdk.Sentence(err)
		switch refused, ok := errors.AsType[*sdk.AddressError](err); {
		case ok && refused.Own():
			fix = "if it is your own server, add its address to allow_private"
		case ok:
			fix = "no feed has such an address; write the one it has"
		case fix == "":
			fix = "write it like https://news.example/feed.xml"
		}
		ps.Add("/url", what, fix, "/allow_private")
	}
	if strings.EqualFold(c.Zone, "local") {
		ps.Add("/zone", "a zone must be named", "write a name such as Europe/Paris or UTC")
	} else if _, err := time.LoadLocation(c.Zone); err != nil {
		ps.Add("/zone", fmt.Sprintf("the time zone %q is unknown", c.Zone), "write a name such as Europe/Paris or UTC")
	}
	if c.MaxSize < 1<<10 || c.MaxSize > largestMaxSize {
		ps.Add("/max_size", fmt.Sprintf("%s is not possible", c.MaxSize), "between 1KiB and 15MiB")
	}
	if d := c.Timeout.Std(); d < time.Second || d > 10*time.Minute {
		ps.Add("/timeout", fmt.Sprintf("%s is not possible", c.Timeout), "between 1s and 10m")
	}
	if c.Username == "" && !c.Password.Empty() {
		ps.Add("/password", "a password needs a username", "add username", "/username")
	}
	if strings.ContainsAny(c.Contact, "\r\n()") || len(c.Contact) > 200 {
		ps.Add("/contact", "the contact is no address", "write a web or mail address")
	}
	for name, value := range c.Headers {
		switch at := sdk.Pointer("headers", name); {
		case !httpguts.ValidHeaderFieldName(name):
			ps.Add(at, fmt.Sprintf("%q is no name of a header", name), "letters, digits and - only")
		case reserved(name):
			ps.Add(at, fmt.Sprintf("the header %s is set by the fetch itself", name), "take it out")
		case !httpguts.ValidHeaderFieldValue(value.Reveal()):
			ps.Add(at, fmt.Sprintf("the value of the header %s holds a control character", name), "take it out")
		}
	}
	return ps.Err()
}

// reserved headers belong to the exchange.
func reserved(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Te", "Trailer", "Upgrade", "Accept-Encoding",
		"If-None-Match", "If-Modified-Since", "Range", "User-Agent", "Expect":
		return true
	}
	return false
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
	u, err := c.guard().CheckURL(raw)
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

func (c *Config) guard() sdk.Guard {
	g := sdk.Guard{}
	for _, p := range c.AllowPrivate {
		g.Allow = append(g.Allow, netip.Prefix(p))
	}
	return g
}

// Prefix is a network, or one address.
type Prefix netip.Prefix

// UnmarshalText reads "10.0.3.0/24" or "10.0.3.7".
func (p *Prefix) UnmarshalText(text []byte) error {
	s := string(text)
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		*p = Prefix(netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf("%q is no address and no network; write it like 10.0.3.7 or 10.0.3.0/24", s)
	}
	if prefix.Masked() != prefix {
		return fmt.Errorf("%q has bits behind its length; write %s for the network, or %s for the address", s, prefix.Masked(), prefix.Addr())
	}
	*p = Prefix(prefix)
	return nil
}

// MarshalText writes the prefix with its length.
func (p Prefix) MarshalText() ([]byte, error) { return []byte(netip.Prefix(p).String()), nil }

// Size is a number of bytes: "512KiB", "10MiB", "65536".
type Size int64

// UnmarshalText reads a size.
func (z *Size) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	digits := strings.TrimRight(s, "KMiB ")
	n, err := strconv.ParseInt(digits, 10, 32)
	unit, known := map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[strings.TrimSpace(s[len(digits):])]
	if err != nil || n < 0 || !known {
		return fmt.Errorf("%q is no size; write it like 512KiB or 10MiB", s)
	}
	*z = Size(n * unit)
	return nil
}

// String writes the size in the largest unit that divides it.
func (z Size) String() string {
	switch {
	case z != 0 && z%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", z>>20)
	case z != 0 && z%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", z>>10)
	}
	return strconv.FormatInt(int64(z), 10)
}

// MarshalText writes the size as String does.
func (z Size) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

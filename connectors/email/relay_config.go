package email

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Relays are one relay or several, written as an address, as settings, or as a list of these.
type Relays struct {
	list []Relay
	// single says that it was written without a list, address that it was one bare address.
	single, address bool
}

// Relay is a server that takes mails and sees to their delivery.
type Relay struct {
	URL         RelayURL   `yaml:"url" required:"true" doc:"smtps://HOST or smtp://HOST, with user and password in it if one likes." example:"smtps://mx.news.example"`
	Username    string     `yaml:"username" doc:"The user there."`
	Password    sdk.Secret `yaml:"password" doc:"The password there."`
	Rate        Rate       `yaml:"rate" doc:"The most mails in a time, such as 14/s or 5000/h; no limit unless given."`
	Connections int        `yaml:"connections" min:"0" max:"500" doc:"The most connections at once; as for all relays unless given."`
}

// Validate checks the address.
func (r *Relay) Validate() error {
	var ps sdk.Problems
	t, err := r.target()
	if err != nil {
		what, fix := sdk.Sentence(err)
		ps.Add("/url", what, fix)
	} else if t.user != "" && (r.Username != "" || !r.Password.Empty()) {
		ps.Add("/url", "the user is given twice", "keep it in the address, or in username and password", "/username", "/password")
	}
	return ps.Err()
}

const relayFix = "write it like smtps://mx.news.example or smtp://user:password@mx.news.example:587"

// DecodeTree implements sdk.TreeDecoder.
func (r *Relays) DecodeTree(tree any) error {
	*r = Relays{}
	switch t := tree.(type) {
	case []any:
		if len(t) == 0 {
			return sdk.Problems{{What: "the list has no relay", Fix: relayFix}}
		}
		list := make([]any, len(t))
		for i, entry := range t {
			list[i] = entry
			if s, ok := relayText(entry); ok {
				list[i] = map[string]any{"url": s}
			}
		}
		return sdk.Decode(list, &r.list)
	case map[string]any:
		r.single, r.list = true, make([]Relay, 1)
		return sdk.Decode(t, &r.list[0])
	}
	s, ok := relayText(tree)
	if !ok {
		return sdk.Problems{{What: "an address or a list of relays expected", Fix: relayFix}}
	}
	r.single, r.address, r.list = true, true, make([]Relay, 1)
	err := sdk.Decode(map[string]any{"url": s}, &r.list[0])
	if ps, ok := errors.AsType[sdk.Problems](err); ok {
		for i := range ps {
			ps[i].Pointer, ps[i].Needs = "", nil
		}
	}
	return err
}

func relayText(tree any) (string, bool) {
	switch t := tree.(type) {
	case string:
		return t, true
	case sdk.Untyped:
		return string(t), true
	}
	return "", false
}

// pointer is where the address of a relay stands.
func (r *Relays) pointer(i int) string {
	switch {
	case r.address:
		return "/relay"
	case r.single:
		return "/relay/url"
	}
	return sdk.Pointer("relay", i, "url")
}

// Format shows how many there are under every verb: what is in them may be secret.
func (r Relays) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[%d relays]", len(r.list)) }

// Tree implements sdk.TreeEncoder.
func (r Relays) Tree() any {
	switch {
	case r.address:
		return r.list[0].URL
	case r.single:
		return r.list[0]
	}
	return r.list
}

// JSONSchema describes the relays to editors.
func (Relays) JSONSchema() map[string]any {
	one := map[string]any{"type": "string", "pattern": "^smtps?://"}
	settings := sdk.SchemaOf(Relay{})
	return map[string]any{"anyOf": []any{one, settings,
		map[string]any{"type": "array", "minItems": 1, "items": map[string]any{"anyOf": []any{one, settings}}}}}
}

// TypeName names the type in the reference.
func (Relays) TypeName() string {
	return "address, or a list of {url, username, password, rate, connections}"
}

// RelayURL is a relay's address. It may hold a password and shows its host only.
type RelayURL struct{ raw string }

// UnmarshalText reads the address.
func (u *RelayURL) UnmarshalText(text []byte) error {
	u.raw = string(text)
	return nil
}

// MarshalText gives the address without user and password.
func (u RelayURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Hidden implements sdk.Hider.
func (u RelayURL) Hidden() (string, bool) { return u.raw, strings.Contains(u.raw, "@") }

// TypeName names the type in the reference.
func (RelayURL) TypeName() string { return "secret address" }

// String gives the address without user and password.
func (u RelayURL) String() string {
	parsed, err := url.Parse(u.raw)
	if err != nil || parsed.Host == "" {
		return "[address]"
	}
	if parsed.User != nil {
		return parsed.Scheme + "://[…]@" + parsed.Host
	}
	return parsed.Scheme + "://" + parsed.Host
}

// GoString gives the address without user and password in %#v.
func (u RelayURL) GoString() string { return u.String() }

// target is a relay's address, taken apart.
type target struct {
	host, port     string
	implicit       bool // TLS from the first byte
	user, password string
}

func (t target) hostPort() string { return net.JoinHostPort(t.host, t.port) }

func (r *Relay) target() (target, error) {
	u, err := url.Parse(r.URL.raw)
	if err != nil {
		fix := relayFix
		if strings.Contains(r.URL.raw, "@") {
			fix += "; signs like / # ? % in a password are written %2F %23 %3F %25, or the password stands under password"
		}
		return target{}, sdk.Errorf(sdk.CodeInvalid, "", "this is no address of a relay; %s", fix)
	}
	t := target{host: u.Hostname(), port: u.Port(), implicit: u.Scheme == "smtps"}
	switch {
	case u.Scheme != "smtps" && u.Scheme != "smtp":
		return target{}, sdk.Errorf(sdk.CodeInvalid, "", "a relay's address begins with smtps:// or smtp://; %s", relayFix)
	case t.host == "":
		return target{}, sdk.Errorf(sdk.CodeInvalid, "", "the relay's address names no host; %s", relayFix)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return target{}, sdk.Errorf(sdk.CodeInvalid, "", "a relay's address has nothing behind its host and port; %s", relayFix)
	}
	if _, err := netip.ParseAddr(t.host); err != nil && !isHost(t.host) {
		return target{}, sdk.Errorf(sdk.CodeInvalid, "", "%q is no name of a host; %s", t.host, relayFix)
	}
	if t.port == "" {
		if t.port = "587"; t.implicit {
			t.port = "465"
		}
	}
	if n, err := strconv.Atoi(t.port); err != nil || n < 1 || n > 65535 {
		return target{}, sdk.Errorf(sdk.CodeInvalid, "", "%s is no port; 465 and 587 are usual", t.port)
	}
	if u.User != nil {
		t.user = u.User.Username()
		t.password, _ = u.User.Password()
	}
	return t, nil
}

// isHost accepts names without dots, too.
func isHost(name string) bool {
	return isDomain(strings.TrimSuffix(name, ".")) || isDomain(name+".invalid")
}

// credential gives the user and the password at a relay; both are empty where none is wanted.
func (r *Relay) credential(c *Config) (user, password string) {
	t, err := r.target()
	if err == nil && t.user != "" {
		return t.user, t.password
	}
	if r.Username != "" || !r.Password.Empty() {
		return r.Username, r.Password.Reveal()
	}
	return c.Username, c.Password.Reveal()
}

// Rate is a number of mails in a time, like 14/s; its zero value is no limit.
type Rate struct {
	events int
	per    time.Duration
}

var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// UnmarshalText reads the rate.
func (r *Rate) UnmarshalText(text []byte) error {
	events, unit, _ := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(events)
	per, known := rateUnits[unit]
	if err != nil || !known || n < 1 || n > 1_000_000_000 {
		return fmt.Errorf("%q is no rate; write mails in a time, like 14/s, 600/m, 5000/h or 50000/d", text)
	}
	*r = Rate{n, per}
	return nil
}

// MarshalText writes the rate.
func (r Rate) MarshalText() ([]byte, error) {
	for unit, per := range rateUnits {
		if per == r.per {
			return []byte(strconv.Itoa(r.events) + "/" + unit), nil
		}
	}
	return nil, nil
}

// TypeName names the type in the reference.
func (Rate) TypeName() string { return "rate" }

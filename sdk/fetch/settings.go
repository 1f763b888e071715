package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/belfry-news/belfry/sdk"
)

// Bounds of the settings that every source over HTTP has.
const (
	DefaultMaxSize = 10 << 20
	LargestMaxSize = 15 << 20
	DefaultTimeout = time.Minute
)

// Guard permits the networks of the setting allow_private.
func Guard(allow []Prefix) sdk.Guard {
	g := sdk.Guard{}
	for _, p := range allow {
		g.Allow = append(g.Allow, netip.Prefix(p))
	}
	return g
}

// Access are the settings that every source over HTTP has, to be checked.
type Access struct {
	// AddressErr is what is wrong with the address, Document what it is the address of, and Example how one is written.
	AddressErr        error
	Document, Example string
	Username          string
	Password          sdk.Secret
	Headers           map[string]sdk.Secret
	Zone              string
	MaxSize           Size
	Timeout           sdk.Duration
	Contact           string
}

// Check adds what is wrong with the settings.
func (c Access) Check(ps *sdk.Problems) {
	if c.AddressErr != nil {
		what, fix := sdk.Sentence(c.AddressErr)
		switch refused, ok := errors.AsType[*sdk.AddressError](c.AddressErr); {
		case ok && refused.Own():
			fix = "if it is your own server, add its address to allow_private"
		case ok:
			fix = "no " + c.Document + " has such an address; write the one it has"
		case fix == "":
			fix = "write it like " + c.Example
		}
		ps.Add("/url", what, fix, "/allow_private")
	}
	if strings.EqualFold(c.Zone, "local") {
		ps.Add("/zone", "a zone must be named", "write a name such as Europe/Paris or UTC")
	} else if _, err := time.LoadLocation(c.Zone); err != nil {
		ps.Add("/zone", fmt.Sprintf("the time zone %q is unknown", c.Zone), "write a name such as Europe/Paris or UTC")
	}
	if c.MaxSize < 1<<10 || c.MaxSize > LargestMaxSize {
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

package http

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Endpoint is a receiver's address. Webhook addresses carry secrets in their path or query, so it shows its host only.
type Endpoint struct{ raw string }

// UnmarshalText reads the address.
func (e *Endpoint) UnmarshalText(text []byte) error {
	e.raw = string(text)
	return nil
}

// MarshalText gives the scheme and the host.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Hidden implements sdk.Hider.
func (e Endpoint) Hidden() (string, bool) { return e.raw, e.raw != "" }

// TypeName names the type in the reference.
func (Endpoint) TypeName() string { return "secret address" }

// String gives the scheme and the host.
func (e Endpoint) String() string {
	if e.raw == "" {
		return ""
	}
	u, err := url.Parse(e.origin())
	if err != nil {
		return "[address]"
	}
	return u.Scheme + "://" + u.Host + "/[…]"
}

// GoString gives the scheme and the host in %#v.
func (e Endpoint) GoString() string { return e.String() }

// origin is the part of the address in front of the path.
func (e Endpoint) origin() string {
	scheme, rest, ok := strings.Cut(e.raw, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme + "://" + rest
}

func (e Endpoint) host() string {
	u, err := url.Parse(e.origin())
	if err != nil {
		return ""
	}
	return u.Host
}

// check adds what is wrong with the address. A template may stand in its path and query.
func (e Endpoint) check(ps *sdk.Problems, at string, guard sdk.Guard, template bool) {
	origin, err := url.Parse(e.origin())
	private := len(guard.Allow) > 0
	switch {
	case strings.Contains(e.origin(), "{{"):
		ps.Add(at, "a template may not choose the host", "write the host as it is")
	case strings.ContainsAny(e.raw, " \t\r\n") && !strings.Contains(e.raw, "{{"):
		ps.Add(at, "the address holds a space or a line end", "take it out, or write %20")
	case err != nil || origin.Hostname() == "" || (origin.Scheme != "https" && origin.Scheme != "http"):
		ps.Add(at, "this is no http or https address", "write it like https://receiver.example/hook")
	case origin.User != nil:
		ps.Add(at, "the address holds a user or a password", "write them under basic:")
	case literal(guard, origin) != nil:
		refused := literal(guard, origin)
		ps.Add(at, refused.Error()+", and calls do not go there", mendRefused(refused), "/allow_private")
	case origin.Scheme == "http" && !private:
		ps.Add(at, "over plain http the call and its credentials could be read on the way",
			"use https, or name the receiver's own network under allow_private", "/allow_private")
	case strings.Contains(e.raw, "#"):
		ps.Add(at, "an address to send to has no #", "take out what follows it, or write %23")
	case !template && strings.Contains(e.raw, "{{"):
		ps.Add(at, "posts go to one address; a template is possible in update and delete", "put what varies into body:")
	default:
		if _, err := url.Parse(e.raw); err != nil && !template {
			ps.Add(at, "this is no http or https address", "write it like https://receiver.example/hook")
		}
	}
}

// literal says why the guard refuses the address that stands in place of a host's name; nil when it does not, or when a
// name stands there.
func literal(guard sdk.Guard, u *url.URL) *sdk.AddressError {
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		refused, _ := errors.AsType[*sdk.AddressError](guard.Check(addr))
		return refused
	}
	return nil
}

// mendRefused is the act that mends a refused address.
func mendRefused(refused *sdk.AddressError) string {
	if !refused.Own() {
		return "no receiver has such an address; write the one it has"
	}
	return fmt.Sprintf("if the receiver is your own, add allow_private: [%s]", netip.PrefixFrom(refused.Addr, refused.Addr.BitLen()))
}

// hidden lists the texts that nothing may show: they are taken out of what a receiver says.
func (c *Config) hidden() []string {
	var out []string
	add := func(s string) {
		if len(s) >= 4 && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	addURL := func(e Endpoint) {
		rest := strings.TrimPrefix(e.raw, e.origin())
		path, query, _ := strings.Cut(rest, "?")
		add(rest)
		add(path)
		for segment := range strings.SplitSeq(path, "/") {
			if len(segment) >= 12 {
				add(segment)
			}
		}
		values, _ := url.ParseQuery(query)
		for _, vs := range values {
			for _, v := range vs {
				add(v)
			}
		}
	}
	addHeaders := func(h map[string]sdk.Secret) {
		for _, v := range h {
			add(v.Reveal())
			if _, credential, ok := strings.Cut(v.Reveal(), " "); ok {
				add(credential)
			}
		}
	}
	addURL(c.URL)
	addHeaders(c.Headers)
	for _, s := range append(slices.Clone(c.Secrets), c.Secret) {
		add(s.Reveal())
		add(strings.TrimPrefix(s.Reveal(), "whsec_"))
	}
	if c.Basic != nil {
		add(c.Basic.Password.Reveal())
		add(basicCredential(c.Basic))
	}
	for _, call := range []*Call{c.Update, c.Delete} {
		if call != nil {
			addURL(call.URL)
			addHeaders(call.Headers)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}

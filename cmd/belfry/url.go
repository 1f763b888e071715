package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

type urlCmd struct {
	Check urlCheckCmd `cmd:"" default:"withargs" help:"Say whether an address may be fetched, and what would be dialled."`
}

type urlCheckCmd struct {
	URL          string   `arg:"" name:"url" help:"The address."`
	AllowPrivate networks `placeholder:"NETWORK" help:"Allow private addresses: all of them, or this network. May be repeated."`
}

// Help is the long help.
func (*urlCheckCmd) Help() string {
	return `The name is resolved, and each address judged as it would be at the moment of dialling. Nothing is fetched.

Example:

    belfry url check http://10.0.3.7/feed.xml --allow-private 10.0.3.7/32

With --json always one object: {url, host, allowed, reason, addresses: [{address, allowed, reason}]}. A password is left out
of url; host and reason may be "", and addresses may be empty.

Exit codes: 0 allowed, 1 refused or the name cannot be resolved, 2 not an http or https address, or one with a user name or
a password.`
}

type urlJSON struct {
	URL       string        `json:"url"`
	Host      string        `json:"host"`
	Allowed   bool          `json:"allowed"`
	Reason    string        `json:"reason"`
	Addresses []addressJSON `json:"addresses"`
}

type addressJSON struct {
	Address string `json:"address"`
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	own     bool   // it is refused, and can be the admin's own
}

// Run judges an address.
func (c *urlCheckCmd) Run(ctx context.Context, g *global, std streams) error {
	guard := sdk.Guard{Allow: []netip.Prefix(c.AllowPrivate)}
	u, err := guard.CheckURL(c.URL)
	out := urlJSON{URL: c.URL, Allowed: err == nil, Addresses: []addressJSON{}}
	if written, parseErr := url.Parse(c.URL); parseErr == nil {
		out.URL, out.Host = written.Redacted(), written.Hostname()
	}
	if err != nil {
		out.Reason = sdk.AsError(err).Public
	}
	if err != nil && sdk.AsError(err).Code != sdk.CodeForbidden {
		if !g.JSON {
			return unusable("%s", out.Reason)
		}
		if err := writeLine(std.out, out); err != nil {
			return err
		}
		return &exitError{code: exitUsage}
	}
	if u != nil {
		out.URL, out.Host = u.String(), u.Hostname()
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		found, err := guard.Resolve(ctx, u)
		if err != nil {
			out.Allowed, out.Reason = false, sdk.AsError(err).Public
		}
		for _, r := range found {
			a := addressJSON{Address: r.Addr.String(), Allowed: r.Refused == nil}
			if r.Refused != nil {
				a.Reason = sdk.AsError(r.Refused).Public
				refused, ok := errors.AsType[*sdk.AddressError](r.Refused)
				a.own = ok && refused.Own()
			}
			out.Addresses = append(out.Addresses, a)
		}
		out.judge()
	}
	if g.JSON {
		if err := writeLine(std.out, out); err != nil {
			return err
		}
	} else {
		out.print(std)
	}
	if !out.Allowed {
		return &exitError{code: exitFailed}
	}
	return nil
}

// judge refuses a name of which no address may be dialled. One refused address among others is left out when dialling.
func (u *urlJSON) judge() {
	if len(u.Addresses) == 0 {
		return
	}
	for _, a := range u.Addresses {
		if a.Allowed {
			return
		}
	}
	u.Allowed = false
	if u.Reason == "" {
		u.Reason = u.Addresses[0].Reason
	}
}

func (u *urlJSON) print(std streams) {
	verdict := "allowed"
	if !u.Allowed {
		verdict = "refused: " + u.Reason
	}
	fmt.Fprintf(std.out, "%s is %s\n", desk.Plain(u.URL), verdict)
	for _, a := range u.Addresses {
		if a.Allowed {
			fmt.Fprintf(std.out, "  would dial %s\n", a.Address)
		} else {
			fmt.Fprintf(std.out, "  would not dial: %s\n", a.Reason)
		}
	}
	if i := slices.IndexFunc(u.Addresses, func(a addressJSON) bool { return a.own }); i >= 0 && !u.Allowed {
		fmt.Fprintf(std.out, "  if this is your own server, allow it: allow_private: [%s]\n", hostPrefix(u.Addresses[i].Address))
	}
}

// hostPrefix writes one address as a network.
func hostPrefix(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	return netip.PrefixFrom(a, a.BitLen()).String()
}

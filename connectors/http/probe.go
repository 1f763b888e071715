package http

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

var _ sdk.Prober = (*Connector)(nil)

// Probe connects to every host that calls go to. A request is not made: a receiver could take it for a post.
func (c *Connector) Probe(ctx context.Context) (sdk.Probe, error) {
	var found sdk.Probe
	for _, origin := range c.origins() {
		u, err := url.Parse(origin)
		if err != nil {
			return sdk.Probe{}, sdk.Errorf(sdk.CodeInvalid, "connect", "%s is no http or https address", c.host)
		}
		if err := c.client.Connect(ctx, u, "connect"); err != nil {
			e := *sdk.AsError(err)
			e.Scope = sdk.ScopeDestination
			if refused, ok := errors.AsType[*sdk.AddressError](err); ok {
				e.Public += "; " + mendRefused(refused)
			}
			return sdk.Probe{}, &e
		}
		made := "a connection to " + u.Host + " was made"
		if u.Scheme == "https" {
			made = "a connection to " + u.Host + " was made, and its certificate is good"
		}
		found.Tested = strings.TrimPrefix(found.Tested+"; "+made, "; ")
	}
	found.Untested = "whether it takes a post there, and accepts the secret or credential; only a post can tell"
	return found, nil
}

// origins are the schemes and hosts that calls go to, each once.
func (c *Connector) origins() []string {
	out := []string{c.config.URL.origin()}
	for _, call := range []*Call{c.config.Update, c.config.Delete} {
		if call != nil && call.URL.raw != "" && !slices.Contains(out, call.URL.origin()) {
			out = append(out, call.URL.origin())
		}
	}
	return out
}

package sdk

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
)

// Prober tests the way to a platform that cannot be asked about a channel: the name is resolved and a connection made,
// but no request, so that nothing is posted and nothing counts as a call. It is for connectors inside the host only, like
// Rehearser; a check of the others rests on what their ResolveChannel asks.
type Prober interface {
	Connector
	// Probe fails with CodeUnavailable when the platform cannot be reached, and with CodeForbidden when the Guard refuses
	// its address.
	Probe(ctx context.Context) (Probe, error)
}

// Probe says what a Prober found, in halves of sentences that an admin reads.
type Probe struct {
	// Tested is what was tested and found good, such as "a connection with TLS was made to receiver.example". Several findings
	// stand in lines of their own.
	Tested string
	// Untested is what only a post can tell, such as "whether it accepts the secret"; empty when that is nothing. Lines after
	// the first say what should be mended although the way is open.
	Untested string
}

// Connect makes the connection that a request to the address would use, with its TLS handshake where it is https, and
// closes it. No request is made. The error has CodeUnavailable, or CodeForbidden when the Guard refuses the address.
func (c *Client) Connect(ctx context.Context, u *url.URL, op string) error {
	port := u.Port()
	if port == "" {
		if port = "443"; u.Scheme == "http" {
			port = "80"
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout/3)
	defer cancel()
	conn, err := c.dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return c.classify(err, op, u, false)
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return nil
	}
	if err := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname(), NextProtos: []string{"h2", "http/1.1"}}).HandshakeContext(ctx); err != nil {
		return c.classify(err, op, u, false)
	}
	return nil
}

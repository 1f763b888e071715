// Package email writes to people by e-mail over SMTP, and reads what comes back. Its one promise: one message reaches one
// address that a permit names, and its outcome is said as far as it is known; what is not known is never called a failure.
//
// A text that many messages share is composed once; each message puts its own values into it, signs it (DKIM) and leaves
// over a few connections that are used again and again. Bounces and complaints are believed only when they came to an
// address that carries a token of ours.
package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Medium is the name of the medium in addresses and handles.
const Medium = "email"

// Spec declares the connector.
func Spec() *sdk.Spec {
	return sdk.Define("email", "Writes to people by e-mail over one or several SMTP relays, and reads bounces, complaints "+
		"and replies.", defaults(), open).
		// Mail forbids nothing of that kind. Who gets it has agreed, and its providers judge by complaints.
		WithMedium(sdk.Medium{Hears: []sdk.EventKind{sdk.EventMessage, sdk.EventBounce, sdk.EventComplaint, sdk.EventStop}})
}

// Connector is one sender with its relays.
type Connector struct {
	config  Config
	log     *slog.Logger
	from    mail.Address // with its domain as A-labels
	replyTo *mail.Address
	// answers stands before the address of its own to which each message's reader answers; empty when there is one for all.
	answers  string
	idDomain string // right of the @ in Message-IDs
	listHost string // the end of List-IDs
	signers  []*signer
	tokens   *tokens // nil without a bounce address
	letters  letters
	pool     *pool
	hook     hook
	resolver resolver
	now      func() time.Time
}

func open(_ context.Context, s sdk.Settings, c Config) (*Connector, error) {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	conn := &Connector{config: c, log: s.Log, resolver: net.DefaultResolver, now: time.Now}
	from, err := mailbox(c.Sender)
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, "open", "sender: %s", sdk.AsError(err).Public)
	}
	conn.from = from
	_, conn.listHost, _ = cutLast(from.Address, '@')
	if conn.idDomain = conn.listHost; c.MessageIDDomain != "" {
		conn.idDomain = c.MessageIDDomain
	}
	if c.ReplyTo != "" {
		to, err := mailbox(c.ReplyTo)
		if err != nil {
			return nil, sdk.Errorf(sdk.CodeInvalid, "open", "reply_to: %s", sdk.AsError(err).Public)
		}
		conn.replyTo = &to
	}
	for _, k := range c.DKIM {
		signer, err := newSigner(k)
		if err != nil {
			return nil, err
		}
		conn.signers = append(conn.signers, signer)
	}
	if c.Bounce != "" {
		if conn.tokens, err = newTokens(c.Bounce, c.BounceSecrets); err != nil {
			return nil, err
		}
	}
	if conn.tokens != nil && c.Bounces.reads() && conn.replyTo == nil {
		conn.answers = crlf + " "
		if from.Name != "" {
			named := mail.Address{Name: from.Name, Address: "a@b"}
			conn.answers = strings.TrimSuffix(named.String(), "<a@b>") + crlf + " "
		}
	}
	if c.Bounces != nil && c.Bounces.Webhook != nil {
		if conn.hook, err = newHook(*c.Bounces.Webhook, s.UserAgent); err != nil {
			return nil, err
		}
	}
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	conn.pool = newPool(&c, roots)
	return conn, nil
}

// roots are the authorities a relay's certificate is checked against; nil means the system's.
func (c *Config) roots() (*x509.CertPool, error) {
	if c.CA == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM([]byte(c.CA)) {
		return nil, sdk.Errorf(sdk.CodeInvalid, "open", "ca holds no certificate in PEM")
	}
	return roots, nil
}

// guard judges the addresses of relays and mailboxes. Plain text is for loopback alone, and then nothing else is dialled.
func (c *Config) guard() sdk.Guard {
	if c.TLS == tlsNone {
		return sdk.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	}
	return sdk.Guard{Allow: c.AllowPrivate}
}

// handshake encrypts a connection to one server.
func handshake(ctx context.Context, conn net.Conn, host string, roots *x509.CertPool) (*tls.Conn, error) {
	secure := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: roots})
	return secure, secure.HandshakeContext(ctx)
}

// hello is how the connector calls itself in EHLO: a name that the world can look up, or else the address in brackets.
func (c *Config) hello(local net.Addr) string {
	if c.Hello != "" {
		return c.Hello
	}
	if name, err := os.Hostname(); err == nil && isDomain(name) {
		return name
	}
	if at, err := netip.ParseAddrPort(local.String()); err == nil {
		if addr := at.Addr().Unmap().WithZone(""); addr.Is6() {
			return "[IPv6:" + addr.String() + "]"
		}
		return "[" + at.Addr().Unmap().String() + "]"
	}
	return "localhost"
}

// Close says goodbye to the relays. Streams and calls have ended before it.
func (c *Connector) Close(context.Context) error {
	c.pool.close()
	c.hook.close()
	return nil
}

var (
	_ sdk.Messenger = (*Connector)(nil)
	_ sdk.Streamer  = (*Connector)(nil)
	_ sdk.Listener  = (*Connector)(nil)
	_ sdk.Receiver  = (*Connector)(nil)
	_ sdk.Prober    = (*Connector)(nil)
	_ sdk.Previewer = (*Connector)(nil)
)

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

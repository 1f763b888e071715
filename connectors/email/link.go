package email

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// link is one connection to a relay. It is for one goroutine at a time.
type link struct {
	relay *relay
	conn  net.Conn
	r     *bufio.Reader
	caps  capabilities
	tls   *tls.ConnectionState // nil in plain text

	out []byte // what is written next; used again
	// rooms hold a message and the one after it.
	rooms [2][]byte
	// used says that a mail's way has begun and ended here before: what breaks at the next one's first step broke between them.
	used bool
	// reset says that the server still has an envelope of ours.
	reset bool

	mu       sync.Mutex // deadlines are set by who aborts, too
	aborted  bool
	extended time.Time // when the deadline was last set
}

// capabilities are what a server announced after EHLO.
type capabilities struct {
	pipelining, dsn, utf8, eightBit, startTLS bool
	auth                                      []string
	size                                      int64 // 0: no limit is known
}

// maxReplyLine is the longest line of an answer; RFC 5321 asks for 512.
const maxReplyLine = 4096

// dial connects, encrypts and says who we are. The error is about the relay; nothing of a mail has left.
func (r *relay) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	conn, err := r.dialer.DialContext(ctx, "tcp", r.target.hostPort())
	if err != nil {
		return nil, r.unreachable(err)
	}
	l := &link{relay: r, conn: conn}
	if err := l.open(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// unreachable says why there is no connection.
func (r *relay) unreachable(err error) *sdk.Error {
	e := *sdk.TransportError(err, "connect", r.target.hostPort())
	e.Scope = sdk.ScopeAccount
	if e.Code == sdk.CodeForbidden {
		if refused, ok := errors.AsType[*sdk.AddressError](err); ok && refused.Own() {
			e.Public += "; if the relay is your own, add allow_private: [" + netip.PrefixFrom(refused.Addr, refused.Addr.BitLen()).String() + "]"
		}
	}
	return &e
}

// open takes the connection through TLS, greeting and authentication.
func (l *link) open(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	if err := l.conn.SetDeadline(deadline); err != nil {
		return l.relay.unreachable(err)
	}
	if l.relay.target.implicit {
		if err := l.encrypt(ctx); err != nil {
			return err
		}
	} else {
		l.r = bufio.NewReaderSize(l.conn, maxReplyLine)
	}
	if err := l.expect(stepConnect); err != nil {
		return err
	}
	if err := l.hello(); err != nil {
		return err
	}
	if l.tls == nil && !l.relay.plain {
		if !l.caps.startTLS {
			return &sdk.Error{Code: sdk.CodeForbidden, Scope: sdk.ScopeAccount, Op: "connect", Public: l.relay.target.host +
				" does not offer to encrypt (STARTTLS), so no mail leaves; use port 465 with smtps://, or mend the relay"}
		}
		if err := l.startTLS(ctx); err != nil {
			return err
		}
	}
	return l.authenticate()
}

func (l *link) encrypt(ctx context.Context) error {
	conn, err := handshake(ctx, l.conn, l.relay.target.host, l.relay.roots)
	if err != nil {
		return l.relay.badTLS(err)
	}
	state := conn.ConnectionState()
	// A new reader: nothing that came before the encryption counts (RFC 3207 section 4.2).
	l.conn, l.tls, l.r = conn, &state, bufio.NewReaderSize(conn, maxReplyLine)
	return nil
}

// badTLS says what is wrong with the encryption.
func (r *relay) badTLS(err error) *sdk.Error {
	host := r.target.host
	what := "the encryption with " + r.target.hostPort() + " failed"
	var unknown x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &wrongName):
		what = "the certificate of " + host + " is for another name; write the name that stands in it"
	case errors.As(err, &unknown):
		what = "the certificate of " + host + " is signed by nobody this machine trusts; give its authority under ca"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what = "the certificate of " + host + " has expired or is not valid yet"
	case errors.As(err, &plain):
		what = r.target.hostPort() + " does not speak TLS from the first byte; smtp:// with port 587 asks for STARTTLS"
	}
	return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "connect", Public: what + "; no mail leaves without encryption", Err: err}
}

// expect reads an answer that must be good.
func (l *link) expect(step string) error {
	r, err := readReply(l.r)
	if err != nil {
		return l.broken(step, err)
	}
	if !r.good() {
		return refused(step, l.relay.target.host, r)
	}
	return nil
}

func (l *link) broken(step string, err error) *sdk.Error {
	e := lost(l.relay.target.host, "at "+step, false, err)
	e.Scope = sdk.ScopeAccount
	if errors.Is(err, errReply) {
		e.Public = l.relay.target.hostPort() + " does not answer like a mail server"
	}
	return e
}

// command writes one line and reads its answer.
func (l *link) command(step, line string) (reply, error) {
	if _, err := l.conn.Write([]byte(line + crlf)); err != nil {
		return reply{}, l.broken(step, err)
	}
	r, err := readReply(l.r)
	if err != nil {
		return r, l.broken(step, err)
	}
	return r, nil
}

// hello says EHLO and reads what the server can do; what it said before is forgotten.
func (l *link) hello() error {
	l.caps = capabilities{}
	r, err := l.command(stepEHLO, "EHLO "+l.relay.hello(l.conn.LocalAddr()))
	if err != nil {
		return err
	}
	if !r.good() {
		return refused(stepEHLO, l.relay.target.host, r)
	}
	for i, line := range strings.Split(r.text, "\n") {
		words := strings.Fields(strings.ToUpper(line))
		if i == 0 || len(words) == 0 {
			continue
		}
		switch words[0] {
		case "PIPELINING":
			l.caps.pipelining = true
		case "DSN":
			l.caps.dsn = true
		case "SMTPUTF8":
			l.caps.utf8 = true
		case "8BITMIME":
			l.caps.eightBit = true
		case "STARTTLS":
			l.caps.startTLS = true
		case "AUTH":
			l.caps.auth = append(l.caps.auth, words[1:]...)
		case "SIZE":
			if len(words) > 1 {
				// What is no number is no limit.
				l.caps.size, _ = strconv.ParseInt(words[1], 10, 64)
			}
		}
	}
	return nil
}

func (l *link) startTLS(ctx context.Context) error {
	r, err := l.command(stepTLS, "STARTTLS")
	if err != nil {
		return err
	}
	if !r.good() {
		return refused(stepTLS, l.relay.target.host, r)
	}
	if l.r.Buffered() > 0 {
		return &sdk.Error{Code: sdk.CodeForbidden, Scope: sdk.ScopeAccount, Op: "connect", Public: l.relay.target.host +
			" sent something between its yes to STARTTLS and the encryption, as an attacker would; no mail leaves"}
	}
	if err := l.encrypt(ctx); err != nil {
		return err
	}
	return l.hello()
}

func (l *link) authenticate() error {
	user, password := l.relay.user, l.relay.password
	if user == "" {
		return nil
	}
	has := func(mechanism string) bool { return slices.Contains(l.caps.auth, mechanism) }
	mechanism := strings.ToUpper(l.relay.auth)
	switch {
	case l.relay.auth == authAuto && has("PLAIN"):
		mechanism = "PLAIN"
	case l.relay.auth == authAuto:
		mechanism = "LOGIN"
	}
	if !has(mechanism) {
		offered := "it offers none"
		if len(l.caps.auth) > 0 {
			offered = "it offers " + strings.Join(l.caps.auth, ", ")
		}
		return &sdk.Error{Code: sdk.CodeUnauthenticated, Scope: sdk.ScopeAccount, Op: "connect",
			Public: l.relay.target.host + " does not offer to log in by " + mechanism + " (" + offered + "); change auth, or take the user out"}
	}
	encode := base64.StdEncoding.EncodeToString
	lines := []string{"AUTH PLAIN " + encode([]byte("\x00"+user+"\x00"+password))}
	switch mechanism {
	case "LOGIN":
		lines = []string{"AUTH LOGIN", encode([]byte(user)), encode([]byte(password))}
	case "XOAUTH2":
		lines = []string{"AUTH XOAUTH2 " + encode([]byte("user="+user+"\x01auth=Bearer "+password+"\x01\x01"))}
	}
	for i, line := range lines {
		r, err := l.command(stepAuth, line)
		if err != nil {
			return err
		}
		if r.code == 334 && i+1 < len(lines) {
			continue
		}
		if r.code == 334 {
			// XOAUTH2 tells of an error and waits for an empty line before it says no.
			if r, err = l.command(stepAuth, ""); err != nil {
				return err
			}
		}
		if r.good() {
			return nil
		}
		return refused(stepAuth, l.relay.target.host, r)
	}
	return nil
}

// quit says goodbye without waiting for an answer.
func (l *link) quit() {
	if l.conn.SetDeadline(time.Now().Add(time.Second)) == nil {
		// Whether the server still hears it changes nothing.
		_, _ = l.conn.Write([]byte("QUIT\r\n"))
	}
	l.conn.Close()
}

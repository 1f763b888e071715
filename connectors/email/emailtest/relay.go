// Package emailtest is a mail relay for tests that refuses what real ones refuse. Its one promise: what it has accepted was
// spoken as RFC 5321 asks, with only those extensions that it announced.
package emailtest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say what a relay announces and asks for.
type Options struct {
	// Implicit speaks TLS from the first byte; StartTLS offers it. Neither is plain text.
	Implicit, StartTLS bool
	// Auth are the mechanisms, announced only under TLS or when the relay is plain; User and Password are what it accepts.
	Auth           []string
	User, Password string
	// Extensions it announces.
	Pipelining, DSN, UTF8 bool
	// Size is announced; 0 announces none.
	Size int
	// CloseAfter closes the connection without a word after so many messages; 0 never.
	CloseAfter int
	// Play answers a step in place of the relay: a reply, Drop, or "" for the usual answer.
	Play func(Step) string
	// Names the certificate is for; 127.0.0.1 and localhost unless given.
	Names []string
}

// Drop closes the connection without an answer.
const Drop = "drop"

// Step is one command, or the end of a text.
type Step struct {
	// Name is connect, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, text (the first line of a text has come), end, RSET or QUIT.
	Name string
	// Arg is what stands behind the command.
	Arg string
	// Connection counts from 1, Message is how many the connection has accepted, N how often this step came to the relay.
	Connection, Message, N int
}

// Mail is one that was accepted.
type Mail struct {
	From, To   string
	FromParams map[string]string
	ToParams   map[string]string
	Data       []byte
	Connection int
	TLS        bool
	User       string
}

// Relay is a running one.
type Relay struct {
	Addr string
	// CA is its authority's certificate in PEM; empty in plain text.
	CA string

	options  Options
	listener net.Listener
	tls      *tls.Config
	sessions sync.WaitGroup

	mu     sync.Mutex
	mails  []Mail
	faults []string
	steps  map[string]int
	conns  map[net.Conn]bool
	count  int
	joined int
	most   int
	closed bool
}

// Start runs a relay on loopback until the test ends.
func Start(tb testing.TB, o Options) *Relay {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Relay{Addr: l.Addr().String(), options: o, listener: l, steps: map[string]int{}, conns: map[net.Conn]bool{}}
	if o.Implicit || o.StartTLS {
		r.tls, r.CA = certificate(tb, o.Names)
	}
	r.sessions.Go(r.serve)
	tb.Cleanup(r.Close)
	return r
}

// certificate makes an authority and a certificate by it.
func certificate(tb testing.TB, names []string) (*tls.Config, string) {
	tb.Helper()
	if names == nil {
		names = []string{"localhost"}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(90 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if names[0] == "localhost" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Close ends every connection.
func (r *Relay) Close() {
	r.mu.Lock()
	r.closed = true
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.listener.Close()
	r.sessions.Wait()
}

// Mails are those accepted so far.
func (r *Relay) Mails() []Mail {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Mail{}, r.mails...)
}

// Faults are what a client did that RFC 5321 forbids.
func (r *Relay) Faults() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.faults...)
}

// Connections are how many were made, and how many stood at once at most.
func (r *Relay) Connections() (made, most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.most
}

func (r *Relay) serve() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		if r.closed {
			r.mu.Unlock()
			conn.Close()
			return
		}
		r.conns[conn] = true
		r.count++
		r.joined++
		r.most = max(r.most, r.joined)
		s := &session{relay: r, raw: conn, conn: conn, number: r.count}
		r.mu.Unlock()
		r.sessions.Go(func() {
			s.run()
			conn.Close()
			r.mu.Lock()
			delete(r.conns, conn)
			r.joined--
			r.mu.Unlock()
		})
	}
}

type session struct {
	relay     *Relay
	raw, conn net.Conn
	r         *bufio.Reader
	number    int
	accepted  int
	greeted   bool
	secure    bool
	user      string
	mail      *Mail
	rcpt      bool
	pipelined bool // what was announced after the last EHLO
}

func (s *session) fault(format string, args ...any) {
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.faults = append(s.relay.faults, fmt.Sprintf(format, args...))
}

// play asks the test for an answer.
func (s *session) play(name, arg string) string {
	s.relay.mu.Lock()
	s.relay.steps[name]++
	n := s.relay.steps[name]
	s.relay.mu.Unlock()
	if s.relay.options.Play == nil {
		return ""
	}
	return s.relay.options.Play(Step{Name: name, Arg: arg, Connection: s.number, Message: s.accepted, N: n})
}

// answer writes a reply; false ends the session.
func (s *session) answer(text string) bool {
	if text == Drop {
		return false
	}
	_, err := io.WriteString(s.conn, text+"\r\n")
	return err == nil && !strings.HasPrefix(text, "421")
}

func (s *session) run() {
	o := &s.relay.options
	if o.Implicit && !s.encrypt() {
		return
	}
	s.r = bufio.NewReaderSize(s.conn, 8<<10)
	greeting := s.play("connect", "")
	if greeting == "" {
		greeting = "220 relay.example ESMTP"
	}
	if !s.answer(greeting) {
		return
	}
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return
		}
		if !strings.HasSuffix(line, "\r\n") {
			s.fault("a command line ends without CR: %q", line)
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if strings.ContainsAny(line, "\r\x00") || len(line) > 1024 {
			s.fault("a command line holds CR or NUL, or is too long: %q", line)
		}
		if !s.command(line) {
			return
		}
	}
}

func (s *session) encrypt() bool {
	conn := tls.Server(s.raw, s.relay.tls)
	if conn.Handshake() != nil {
		return false
	}
	s.conn, s.secure, s.r = conn, true, bufio.NewReaderSize(conn, 8<<10)
	return true
}

func (s *session) command(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	// Whoever was not offered to write ahead must wait for the answer; MAIL, RCPT and RSET may be followed at once otherwise.
	ahead := s.r.Buffered() > 0
	if ahead && (!s.pipelined || verb != "MAIL" && verb != "RCPT" && verb != "RSET") {
		s.fault("%s is followed by more before its answer", verb)
	}
	switch verb {
	case "EHLO":
		return s.ehlo(arg)
	case "STARTTLS":
		return s.startTLS()
	case "AUTH":
		return s.auth(arg)
	case "MAIL":
		return s.mailFrom(arg)
	case "RCPT":
		return s.rcptTo(arg)
	case "DATA":
		return s.data()
	case "RSET":
		s.mail, s.rcpt = nil, false
		return s.or("RSET", arg, "250 2.0.0 ok")
	case "QUIT":
		s.play("QUIT", "")
		s.answer("221 2.0.0 bye")
		return false
	}
	s.fault("unknown command %q", verb)
	return s.answer("500 5.5.1 what?")
}

// or answers as played, or else as usual.
func (s *session) or(step, arg, usual string) bool {
	if played := s.play(step, arg); played != "" {
		return s.answer(played)
	}
	return s.answer(usual)
}

func (s *session) ehlo(arg string) bool {
	o := &s.relay.options
	if arg == "" || strings.Contains(arg, " ") || !strings.Contains(arg, ".") && !strings.HasPrefix(arg, "[") && arg != "localhost" {
		s.fault("EHLO %q is no full name or address", arg)
	}
	if played := s.play("EHLO", arg); played != "" {
		return s.answer(played)
	}
	s.greeted, s.mail = true, nil
	lines := []string{"relay.example greets you", "8BITMIME", "ENHANCEDSTATUSCODES"}
	add := func(on bool, line string) {
		if on {
			lines = append(lines, line)
		}
	}
	s.pipelined = o.Pipelining
	add(o.Pipelining, "PIPELINING")
	add(o.DSN, "DSN")
	add(o.UTF8, "SMTPUTF8")
	add(o.Size > 0, "SIZE "+strconv.Itoa(o.Size))
	add(o.StartTLS && !s.secure, "STARTTLS")
	add(len(o.Auth) > 0 && (s.secure || !o.StartTLS), "AUTH "+strings.Join(o.Auth, " "))
	for i, l := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		if _, err := io.WriteString(s.conn, "250"+sep+l+"\r\n"); err != nil {
			return false
		}
	}
	return true
}

func (s *session) startTLS() bool {
	if !s.relay.options.StartTLS || s.secure {
		s.fault("STARTTLS was not offered")
		return s.answer("502 5.5.1 no")
	}
	if played := s.play("STARTTLS", ""); played != "" {
		return s.answer(played)
	}
	if !s.answer("220 2.0.0 go on") || !s.encrypt() {
		return false
	}
	s.greeted, s.pipelined = false, false // everything is forgotten
	return true
}

func (s *session) auth(arg string) bool {
	o := &s.relay.options
	if o.StartTLS && !s.secure {
		s.fault("AUTH in plain text")
	}
	if played := s.play("AUTH", arg); played != "" {
		return s.answer(played)
	}
	ask := func() string {
		s.answer("334 ")
		line, err := s.r.ReadString('\n')
		if err != nil {
			return ""
		}
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			return ""
		}
		return string(b)
	}
	mechanism, initial, _ := strings.Cut(arg, " ")
	decoded, err := base64.StdEncoding.DecodeString(initial)
	if err != nil {
		s.fault("AUTH is not base64: %q", initial)
	}
	good := false
	switch mechanism {
	case "PLAIN":
		good = string(decoded) == "\x00"+o.User+"\x00"+o.Password
	case "LOGIN":
		user := ask()
		good = ask() == o.Password && user == o.User
	case "XOAUTH2":
		good = string(decoded) == "user="+o.User+"\x01auth=Bearer "+o.Password+"\x01\x01"
		if !good {
			ask() // it tells of the error and waits for an empty line
		}
	default:
		s.fault("AUTH %s was not offered", mechanism)
	}
	if !good {
		return s.answer("535 5.7.8 wrong")
	}
	s.user = o.User
	return s.answer("235 2.7.0 welcome")
}

// path reads "FROM:<a@b> PARAM=VALUE".
func (s *session) path(arg, begin string) (address string, params map[string]string, ok bool) {
	rest, found := strings.CutPrefix(arg, begin+"<")
	address, rest, closed := strings.Cut(rest, ">")
	if !found || !closed || strings.ContainsAny(address, " <") {
		return "", nil, false
	}
	params = map[string]string{}
	for f := range strings.FieldsSeq(rest) {
		k, v, _ := strings.Cut(f, "=")
		params[strings.ToUpper(k)] = v
	}
	return address, params, true
}

func (s *session) mailFrom(arg string) bool {
	o := &s.relay.options
	from, params, ok := s.path(arg, "FROM:")
	switch {
	case !s.greeted:
		s.fault("MAIL before EHLO")
		return s.answer("503 5.5.1 EHLO first")
	case !ok:
		s.fault("MAIL %q is misspelt", arg)
		return s.answer("501 5.5.4 misspelt")
	case s.mail != nil:
		s.fault("MAIL inside a mail, without RSET")
		return s.answer("503 5.5.1 nested MAIL")
	case o.User != "" && s.user == "":
		return s.answer("530 5.7.0 log in first")
	}
	for name := range params {
		known := name == "BODY" || name == "SIZE" && o.Size > 0 || (name == "RET" || name == "ENVID") && o.DSN || name == "SMTPUTF8" && o.UTF8
		if !known {
			s.fault("MAIL has the parameter %s, which was not announced", name)
			return s.answer("555 5.5.4 unknown parameter")
		}
	}
	if local, _, _ := strings.Cut(from, "@"); len(local) > 64 {
		s.fault("the sender's local part has %d bytes", len(local))
	}
	if played := s.play("MAIL", arg); played != "" {
		if strings.HasPrefix(played, "2") {
			s.mail = &Mail{From: from, FromParams: params}
		}
		return s.answer(played)
	}
	s.mail, s.rcpt = &Mail{From: from, FromParams: params}, false
	return s.answer("250 2.1.0 ok")
}

func (s *session) rcptTo(arg string) bool {
	to, params, ok := s.path(arg, "TO:")
	switch {
	case s.mail == nil:
		return s.answer("503 5.5.1 MAIL first")
	case !ok:
		s.fault("RCPT %q is misspelt", arg)
		return s.answer("501 5.5.4 misspelt")
	}
	for name := range params {
		if (name != "NOTIFY" && name != "ORCPT") || !s.relay.options.DSN {
			s.fault("RCPT has the parameter %s, which was not announced", name)
			return s.answer("555 5.5.4 unknown parameter")
		}
	}
	for i := range len(to) {
		if _, utf8 := s.mail.FromParams["SMTPUTF8"]; to[i] >= 0x80 && !utf8 {
			s.fault("RCPT holds bytes outside ASCII without SMTPUTF8")
			break
		}
	}
	if played := s.play("RCPT", arg); played != "" {
		s.rcpt = s.rcpt || strings.HasPrefix(played, "2")
		return s.answer(played)
	}
	s.mail.To, s.mail.ToParams, s.rcpt = to, params, true
	return s.answer("250 2.1.5 ok")
}

func (s *session) data() bool {
	played := s.play("DATA", "")
	if played == "" && (s.mail == nil || !s.rcpt) {
		return s.answer("503 5.5.1 nobody to send to")
	}
	if played != "" && !strings.HasPrefix(played, "354") {
		return s.answer(played)
	}
	if !s.answer("354 go on") {
		return false
	}
	data, ok := s.text()
	if !ok {
		return false
	}
	mail := s.mail
	if s.mail, s.rcpt = nil, false; mail == nil || mail.To == "" {
		return s.answer("554 5.5.1 no recipients")
	}
	mail.Data, mail.Connection, mail.TLS, mail.User = data, s.number, s.secure, s.user
	s.check(mail)
	played = s.play("end", mail.To)
	if played == "" || strings.HasPrefix(played, "2") || strings.HasPrefix(played, "keep ") {
		s.relay.mu.Lock()
		s.relay.mails = append(s.relay.mails, *mail)
		s.relay.mu.Unlock()
		s.accepted++
	}
	if rest, ok := strings.CutPrefix(played, "keep "); ok {
		played = rest // accepted, and yet this is what the client hears
	}
	if played == "" {
		played = "250 2.0.0 queued"
	}
	if !s.answer(played) {
		return false
	}
	return s.relay.options.CloseAfter == 0 || s.accepted < s.relay.options.CloseAfter
}

// text reads up to the final dot and undoes doubled ones.
func (s *session) text() ([]byte, bool) {
	var out []byte
	for first := true; ; first = false {
		line, err := s.r.ReadBytes('\n')
		if err != nil {
			return nil, false
		}
		if first && s.play("text", "") == Drop {
			return nil, false
		}
		if !bytes.HasSuffix(line, []byte("\r\n")) || bytes.IndexByte(line[:len(line)-2], '\r') >= 0 || bytes.IndexByte(line, 0) >= 0 {
			s.fault("a line of the text has a bare CR, LF or a NUL: %q", line)
		}
		if len(line) > 1000 {
			s.fault("a line of the text has %d bytes", len(line))
		}
		if bytes.Equal(line, []byte(".\r\n")) {
			return out, true
		}
		out = append(out, bytes.TrimPrefix(line, []byte("."))...)
	}
}

// single are header fields that may stand once (RFC 5322 section 3.6, and those that Gmail and Yahoo count).
var single = []string{"From", "To", "Date", "Subject", "Message-ID", "MIME-Version", "Reply-To", "Content-Type", "List-Id", "List-Unsubscribe",
	"List-Unsubscribe-Post", "Feedback-ID", "Auto-Submitted"}

// check looks at what every receiver looks at.
func (s *session) check(m *Mail) {
	header, _, found := bytes.Cut(m.Data, []byte("\r\n\r\n"))
	if !found {
		s.fault("the mail has no end of its header")
		return
	}
	count := map[string]int{}
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		if len(line) == 0 || line[0] == ' ' || line[0] == '\t' {
			if len(bytes.TrimSpace(line)) == 0 {
				s.fault("the header has an empty continuation")
			}
			continue
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		if !ok || bytes.ContainsAny(name, " \t") {
			s.fault("%q is no header field", line)
		}
		count[strings.ToLower(string(name))]++
	}
	for _, name := range single {
		if count[strings.ToLower(name)] > 1 {
			s.fault("%s stands %d times", name, count[strings.ToLower(name)])
		}
	}
	for _, name := range single[:6] {
		if count[strings.ToLower(name)] == 0 {
			s.fault("%s is missing", name)
		}
	}
	_, utf8 := m.FromParams["SMTPUTF8"]
	if !utf8 && bytes.ContainsFunc(m.Data, func(r rune) bool { return r >= 0x80 }) {
		s.fault("the mail holds bytes outside ASCII")
	}
	if s.relay.options.Size > 0 && len(m.Data) > s.relay.options.Size {
		s.fault("the mail has %d bytes, more than SIZE", len(m.Data))
	}
}

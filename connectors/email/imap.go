package email

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// mailboxAt is where an IMAP mailbox is.
type mailboxAt struct {
	host, port, folder string
	implicit           bool
}

func imapTarget(text string) (mailboxAt, error) {
	const fix = "write it like imaps://imap.news.example, with the folder behind it if it is not INBOX"
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "imaps" && u.Scheme != "imap" {
		return mailboxAt{}, sdk.Errorf(sdk.CodeInvalid, "", "this is no address of an IMAP server; %s", fix)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return mailboxAt{}, sdk.Errorf(sdk.CodeInvalid, "", "an IMAP address has no user, no question mark and no #; user and password have their own settings")
	}
	t := mailboxAt{host: u.Hostname(), port: u.Port(), folder: strings.Trim(u.Path, "/"), implicit: u.Scheme == "imaps"}
	if t.folder == "" {
		t.folder = "INBOX"
	}
	if strings.ContainsFunc(t.folder, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return mailboxAt{}, sdk.Errorf(sdk.CodeInvalid, "", "the folder's name must be ASCII without quotation marks; %s", fix)
	}
	if t.port == "" {
		if t.port = "143"; t.implicit {
			t.port = "993"
		}
	}
	return t, nil
}

// imapPlace is the cursor: the last mail that was given. UIDs mean something only under one UIDVALIDITY (RFC 9051 section 2.3.1.1).
type imapPlace struct {
	Validity uint64 `json:"validity"`
	UID      uint64 `json:"uid"`
}

// imap polls a mailbox. It speaks the few commands that IMAP4rev1 and rev2 share: LOGIN or AUTHENTICATE, SELECT, UID SEARCH,
// UID FETCH of whole mails and UID STORE.
type imap struct {
	c     *Connector
	at    mailboxAt
	place imapPlace
	uids  []uint64

	conn net.Conn
	r    *bufio.Reader
	tag  int
	caps []string

	mu      sync.Mutex // deadlines are set by who aborts, too
	aborted bool
}

// openIMAP logs in. Without a cursor, or when the mailbox was made anew, it begins with what nobody has read.
func (c *Connector) openIMAP(ctx context.Context, from sdk.Cursor) (*imap, error) {
	at, err := imapTarget(c.config.Bounces.IMAP)
	if err != nil {
		return nil, err
	}
	b := &imap{c: c, at: at}
	if len(from) > 0 && json.Unmarshal(from, &b.place) != nil {
		b.place = imapPlace{} // a cursor of another kind of letterbox
	}
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

const imapTimeout = time.Minute

func (b *imap) trouble(err error, what string) error {
	if known, ok := errors.AsType[*sdk.Error](err); ok {
		return known
	}
	return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "listen", Err: err, Public: "the mailbox at " + b.at.host + ": " + what}
}

func (b *imap) open(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, imapTimeout)
	defer cancel()
	conn, err := b.c.config.guard().Dialer(imapTimeout).DialContext(ctx, "tcp", net.JoinHostPort(b.at.host, b.at.port))
	if err != nil {
		e := sdk.TransportError(err, "listen", net.JoinHostPort(b.at.host, b.at.port))
		e.Scope = sdk.ScopeAccount
		return e
	}
	b.conn, b.r = conn, bufio.NewReaderSize(conn, 64<<10)
	defer func() {
		if err != nil {
			b.conn.Close()
		}
	}()
	if b.at.implicit {
		if err := b.encrypt(ctx); err != nil {
			return err
		}
	}
	b.extend()
	greeting, err := b.line()
	if err != nil || !strings.HasPrefix(greeting, "* OK") && !strings.HasPrefix(greeting, "* PREAUTH") {
		return b.trouble(err, "it does not greet like an IMAP server")
	}
	if err := b.capability(); err != nil {
		return err
	}
	if !b.at.implicit && b.c.config.TLS != tlsNone {
		if !slices.Contains(b.caps, "STARTTLS") {
			return &sdk.Error{Code: sdk.CodeForbidden, Scope: sdk.ScopeAccount, Op: "listen",
				Public: "the mailbox at " + b.at.host + " does not offer to encrypt (STARTTLS), so the password stays here; use imaps://"}
		}
		if _, err := b.command("STARTTLS"); err != nil {
			return b.trouble(err, "it refused to encrypt")
		}
		if b.r.Buffered() > 0 {
			return b.trouble(nil, "it sent something before the encryption, as an attacker would")
		}
		if err := b.encrypt(ctx); err != nil {
			return err
		}
		if err := b.capability(); err != nil {
			return err
		}
	}
	if err := b.login(); err != nil {
		return err
	}
	return b.selectFolder()
}

func (b *imap) encrypt(ctx context.Context) error {
	roots, err := b.c.config.roots()
	if err != nil {
		return err
	}
	conn, err := handshake(ctx, b.conn, b.at.host, roots)
	if err != nil {
		return b.trouble(err, "the encryption failed; check its certificate, or give its authority under ca")
	}
	b.conn, b.r = conn, bufio.NewReaderSize(conn, 64<<10)
	return nil
}

func (b *imap) extend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.aborted {
		_ = b.conn.SetDeadline(time.Now().Add(imapTimeout)) // an error shows at the next read
	}
}

// abort ends what is under way.
func (b *imap) abort() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aborted = true
	_ = b.conn.SetDeadline(time.Unix(1, 0))
}

// line reads one line without its end, with what literals hold put in quotation marks' place: a literal ends a line, and its
// bytes are read by literal.
func (b *imap) line() (string, error) {
	s, err := b.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(s), "\r\n"), nil
}

// literal says how long the literal is that a line announces at its end.
func literal(line string) (n int, ok bool) {
	if !strings.HasSuffix(line, "}") {
		return 0, false
	}
	i := strings.LastIndexByte(line, '{')
	if i < 0 {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(line[i+1:len(line)-1], "+"))
	return n, err == nil && n >= 0
}

// untagged is one answer before the last: its line, and the first literal in it.
type untagged struct {
	text string
	data []byte
}

var errNo = errors.New("the server said no")

// command sends one and reads its answers.
func (b *imap) command(text string, continued ...string) ([]untagged, error) {
	b.extend()
	b.tag++
	tag := "a" + strconv.Itoa(b.tag)
	if _, err := io.WriteString(b.conn, tag+" "+text+crlf); err != nil {
		return nil, err
	}
	var out []untagged
	for {
		u, err := b.answer()
		if err != nil {
			return nil, err
		}
		switch {
		case strings.HasPrefix(u.text, "+"):
			next := ""
			if len(continued) > 0 {
				next, continued = continued[0], continued[1:]
			}
			if _, err := io.WriteString(b.conn, next+crlf); err != nil {
				return nil, err
			}
		case strings.HasPrefix(u.text, tag+" "):
			if !strings.HasPrefix(strings.ToUpper(u.text[len(tag)+1:]), "OK") {
				return nil, fmt.Errorf("%w: %s", errNo, u.text[len(tag)+1:])
			}
			return out, nil
		case strings.HasPrefix(u.text, "* BYE"):
			return nil, io.ErrUnexpectedEOF
		default:
			out = append(out, u)
		}
	}
}

// answer reads one answer with its literals. Of a mail that is longer than what is read of mails, the rest is thrown away.
func (b *imap) answer() (untagged, error) {
	var out untagged
	for {
		line, err := b.line()
		if err != nil {
			return out, err
		}
		out.text += line
		n, ok := literal(line)
		if !ok {
			return out, nil
		}
		b.extend()
		data := make([]byte, min(n, maxMail))
		if _, err := io.ReadFull(b.r, data); err != nil {
			return out, err
		}
		if _, err := io.CopyN(io.Discard, b.r, int64(n-len(data))); err != nil {
			return out, err
		}
		if out.data == nil {
			out.data = data
		}
	}
}

func (b *imap) capability() error {
	answers, err := b.command("CAPABILITY")
	if err != nil {
		return b.trouble(err, "it does not say what it can do")
	}
	b.caps = nil
	for _, a := range answers {
		if rest, ok := strings.CutPrefix(strings.ToUpper(a.text), "* CAPABILITY "); ok {
			b.caps = strings.Fields(rest)
		}
	}
	return nil
}

func (b *imap) login() error {
	user, password := b.c.config.Bounces.User, b.c.config.Bounces.Password.Reveal()
	var err error
	if slices.Contains(b.caps, "AUTH=PLAIN") {
		_, err = b.command("AUTHENTICATE PLAIN", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)))
	} else {
		quote := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
		_, err = b.command("LOGIN " + quote(user) + " " + quote(password))
	}
	if errors.Is(err, errNo) {
		return &sdk.Error{Code: sdk.CodeUnauthenticated, Scope: sdk.ScopeAccount, Op: "listen",
			Public: "the mailbox at " + b.at.host + " refuses the user and password (bounces.user, bounces.password)"}
	}
	if err != nil {
		return b.trouble(err, "the connection broke")
	}
	return nil
}

func (b *imap) selectFolder() error {
	answers, err := b.command(`SELECT "` + b.at.folder + `"`)
	if err != nil {
		return b.trouble(err, fmt.Sprintf("the folder %q cannot be opened", b.at.folder))
	}
	for _, a := range answers {
		if _, rest, ok := strings.Cut(strings.ToUpper(a.text), "[UIDVALIDITY "); ok {
			number, _, _ := strings.Cut(rest, "]")
			validity, err := strconv.ParseUint(number, 10, 32)
			if err != nil {
				break
			}
			if b.place.Validity != validity {
				b.place = imapPlace{Validity: validity}
			}
			return nil
		}
	}
	return b.trouble(nil, "it does not say which mailbox it is (UIDVALIDITY)")
}

func (b *imap) next(ctx context.Context) (received, error) {
	defer context.AfterFunc(ctx, b.abort)()
	r, err := b.wait(ctx)
	if err != nil && ctx.Err() != nil {
		err = givenUp(ctx)
	}
	return r, err
}

func (b *imap) wait(ctx context.Context) (received, error) {
	for {
		if len(b.uids) > 0 {
			uid := b.uids[0]
			b.uids = b.uids[1:]
			r, found, err := b.fetch(uid)
			if err != nil || found {
				return r, err
			}
			continue
		}
		if err := b.search(); err != nil {
			return received{}, err
		}
		if len(b.uids) == 0 && !sleep(ctx, b.c.config.Bounces.Poll.Std()) {
			return received{}, givenUp(ctx)
		}
	}
}

// search finds what came since the last mail.
func (b *imap) search() error {
	what := "UNSEEN"
	if b.place.UID > 0 {
		what = fmt.Sprintf("UID %d:*", b.place.UID+1)
	}
	// A NOOP lets servers tell of new mails.
	if _, err := b.command("NOOP"); err != nil {
		return b.trouble(err, "the connection broke")
	}
	answers, err := b.command("UID SEARCH " + what)
	if err != nil {
		return b.trouble(err, "it cannot be searched")
	}
	for _, a := range answers {
		rest, ok := strings.CutPrefix(strings.ToUpper(a.text), "* SEARCH")
		if !ok {
			continue
		}
		for f := range strings.FieldsSeq(rest) {
			// "n:*" gives the last mail even when it is older than n.
			if uid, err := strconv.ParseUint(f, 10, 32); err == nil && uid > b.place.UID {
				b.uids = append(b.uids, uid)
			}
		}
	}
	slices.Sort(b.uids)
	return nil
}

// fetch gets one mail; false when it is gone.
func (b *imap) fetch(uid uint64) (received, bool, error) {
	answers, err := b.command(fmt.Sprintf("UID FETCH %d (BODY.PEEK[])", uid))
	if err != nil {
		return received{}, false, b.trouble(err, "a mail cannot be read")
	}
	for _, a := range answers {
		if a.data == nil || !strings.Contains(strings.ToUpper(a.text), " FETCH ") {
			continue
		}
		place := imapPlace{b.place.Validity, uid}
		cursor, err := json.Marshal(place)
		if err != nil {
			return received{}, false, b.trouble(err, "its place cannot be kept")
		}
		return received{raw: a.data, at: b.c.now(), cursor: cursor, settle: func() error {
			b.place = place
			if _, err := b.command(fmt.Sprintf(`UID STORE %d +FLAGS.SILENT (\Seen)`, uid)); err != nil && !errors.Is(err, errNo) {
				return b.trouble(err, "the connection broke")
			}
			return nil
		}}, true, nil
	}
	b.place.UID = max(b.place.UID, uid)
	return received{}, false, nil
}

func (b *imap) close() error {
	_ = b.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(b.conn, "z LOGOUT\r\n") // whether it is still heard changes nothing
	return b.conn.Close()
}

package email

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// outgoing is a message ready for a relay.
type outgoing struct {
	id       string // of the DirectMessage
	from, to string // of the envelope
	utf8     bool   // needs SMTPUTF8
	token    string // of the envelope's sender; empty without one
	ref      string // the Message-ID
	data     []byte // header and body, lines ended by CRLF, no line begins with a full stop
}

// assembler builds messages into rooms that it uses again. It is for one goroutine.
type assembler struct {
	c           *Connector
	body, canon []byte
	names       []byte
	qp          quoted
}

// build makes a message. data of the result is written into room. The errors are about this message or its text; nothing has
// left.
func (a *assembler) build(m sdk.DirectMessage, room []byte) (out outgoing, err error) {
	now := a.c.now()
	address, err := m.Recipient(now)
	if err != nil {
		return outgoing{}, err
	}
	value, ok := address.Reveal()
	if !ok {
		return outgoing{}, sdk.Errorf(sdk.CodeNoConsent, "message", "the message names nobody")
	}
	if address.Medium() != Medium {
		return outgoing{}, sdk.Errorf(sdk.CodeUnsupported, "message", "an address of the medium %q cannot be written to by e-mail", address.Medium())
	}
	to, err := parseRecipient(value)
	if err != nil {
		return outgoing{}, err
	}
	return a.assemble(m.ID(), m.MessageContent, to, room, now)
}

// assemble makes what a message is for one recipient.
func (a *assembler) assemble(id string, m sdk.MessageContent, to recipient, room []byte, now time.Time) (out outgoing, err error) {
	if m.Common == nil {
		return outgoing{}, templateError(sdk.CodeUnsupported, "e-mail has no templates on a platform; the message needs a text of its own")
	}
	l, err := a.c.letter(m.Common)
	if err != nil {
		return outgoing{}, err
	}
	out = outgoing{id: id, to: to.path, utf8: to.utf8, from: a.c.from.Address, ref: a.c.messageID(id)}
	if a.c.tokens != nil {
		if out.token, err = a.c.tokens.mint(id, forBounce, now); err != nil {
			return outgoing{}, err
		}
		out.from = a.c.tokens.envelope(out.token)
	}
	if out.data, err = a.header(room[:0], l, m, out, now); err != nil {
		return outgoing{}, err
	}
	if len(a.c.signers) == 0 {
		out.data, err = a.splice(append(a.c.hook.appendHeader(out.data, id), crlf...), l, m)
		return out, err
	}
	if a.body, err = a.splice(a.body[:0], l, m); err != nil {
		return outgoing{}, err
	}
	if out.data, err = a.sign(out.data, l, now); err != nil {
		return outgoing{}, err
	}
	// What is for the provider alone stands behind the signatures: it takes that out again.
	out.data = a.c.hook.appendHeader(out.data, id)
	out.data = append(append(out.data, crlf...), a.body...)
	return out, nil
}

// messageID is the same for every attempt at a message.
func (c *Connector) messageID(id string) string {
	if !idForm(id) {
		id = "x" + tokenAlphabet.EncodeToString([]byte(id))
	}
	return "<" + id + "@" + c.idDomain + ">"
}

func idForm(id string) bool {
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return id != ""
}

// field writes a header and remembers its name for the signature.
func (a *assembler) field(dst []byte, name, value string) []byte {
	a.names = append(append(a.names, name...), ':')
	return append(append(append(append(dst, name...), ": "...), value...), crlf...)
}

// header writes the header without its last empty line.
func (a *assembler) header(dst []byte, l *letter, m sdk.MessageContent, out outgoing, now time.Time) ([]byte, error) {
	a.names = a.names[:0]
	dst = append(dst, l.head...)
	a.names = append(a.names, l.headNames...)
	if a.c.answers != "" {
		token, err := a.c.tokens.mint(out.id, forAnswer, now)
		if err != nil {
			return dst, err
		}
		dst = a.field(dst, "Reply-To", a.c.answers+"<"+a.c.tokens.envelope(token)+">")
	}
	dst = a.field(dst, "To", "<"+out.to+">")
	subject := l.subject[0]
	if len(l.subjectSlots) > 0 {
		var b strings.Builder
		for i, fixed := range l.subject {
			b.WriteString(fixed)
			if i < len(l.subjectSlots) {
				b.WriteString(m.Slots[l.subjectSlots[i]])
			}
		}
		subject = b.String()
		if err := headerText("the subject with its values", subject, sdk.ScopeMessage); err != nil {
			return dst, err
		}
	}
	dst = append(dst, "Subject: "...)
	dst = append(appendUnstructured(dst, strings.TrimSpace(subject), len("Subject: ")), crlf...)
	dst = append(dst, "Date: "...)
	dst = append(now.UTC().AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 -0700"), crlf...)
	a.names = append(a.names, "Subject:Date:"...)
	dst = a.field(dst, "Message-ID", out.ref)
	if ref := m.ReplyTo; ref != "" {
		if !messageIDForm(ref) {
			return dst, sdk.Errorf(sdk.CodeInvalid, "message", "what the message answers is no Message-ID")
		}
		dst = a.field(dst, "In-Reply-To", ref)
		dst = a.field(dst, "References", ref)
	}
	if l.listID != "" {
		dst = a.field(dst, "List-Id", l.listID)
	}
	if u := m.Slots[sdk.SlotUnsubscribe]; u != "" && l.list {
		if err := checkURL(sdk.SlotUnsubscribe, u); err != nil {
			return dst, err
		}
		fold := ""
		if len(u) > 55 {
			fold = crlf + " "
		}
		dst = a.field(dst, "List-Unsubscribe", fold+"<"+u+">")
		dst = a.field(dst, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	if l.feedbackID != "" {
		dst = a.field(dst, "Feedback-ID", l.feedbackID)
	}
	dst = a.field(dst, "Auto-Submitted", l.autoSubmitted)
	return a.field(dst, "X-Auto-Response-Suppress", "All"), nil
}

// messageIDForm says that a text is one Message-ID.
func messageIDForm(s string) bool {
	if len(s) < 5 || len(s) > 900 || s[0] != '<' || s[len(s)-1] != '>' || strings.Count(s, "@") != 1 {
		return false
	}
	return !strings.ContainsFunc(s[1:len(s)-1], func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' })
}

// sign appends the signatures to a header that is otherwise complete. The body stands in a.body.
func (a *assembler) sign(dst []byte, l *letter, now time.Time) ([]byte, error) {
	h := l.bodyHash()
	// What the slots hold is canonical as it is written; of the pieces that is known.
	at := len(l.pieces[0])
	for i, end := range a.qp.ends {
		h.Write(a.body[at:end])
		h.Write(l.canonical[i+1])
		at = end + len(l.pieces[i+1])
	}
	var bodyHash [32]byte
	h.Sum(bodyHash[:0])
	a.canon = appendRelaxedHeader(a.canon[:0], dst)
	names := string(a.names) + strings.Join(oversigned, ":")
	for _, s := range a.c.signers {
		var err error
		if dst, err = s.appendSignature(dst, a.canon, names, bodyHash, now); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// splice writes the body: the pieces, and between them the message's own values.
func (a *assembler) splice(dst []byte, l *letter, m sdk.MessageContent) ([]byte, error) {
	q := &a.qp
	q.ends = q.ends[:0]
	dst = append(dst, l.pieces[0]...)
	for i := range l.slots {
		s := &l.slots[i]
		q.dst, q.col = dst, 0
		if err := q.slot(s, m); err != nil {
			return dst, err
		}
		q.finish()
		q.ends = append(q.ends, len(q.dst))
		q.dst = append(q.dst, l.pieces[i+1]...)
		dst = q.dst
	}
	q.dst = nil
	return dst, nil
}

// quoted writes quoted-printable (RFC 2045 section 6.7) from the beginning of a line on. What it writes is canonical under
// DKIM's relaxed form, and no line begins with a full stop or with "From ".
type quoted struct {
	dst []byte
	col int
	// ends are where each slot of the last splice ended.
	ends []int
}

func (q *quoted) slot(s *slot, m sdk.MessageContent) error {
	switch s.form {
	case slotText:
		q.text(clean(m.Slots[s.name]), false)
	case slotHTML:
		q.text(clean(m.Slots[s.name]), true)
	case slotURL, slotHref:
		u := m.Slots[s.name]
		if u == "" {
			return nil
		}
		if err := checkURL(s.name, u); err != nil {
			return err
		}
		q.raw(s.before)
		q.text(u, s.form == slotHref)
		q.raw(s.after)
	case slotButtons, slotHTMLButtons:
		for _, row := range m.Buttons {
			for _, b := range row {
				if err := q.button(b, s.form == slotHTMLButtons); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (q *quoted) button(b sdk.Button, html bool) error {
	if b.URL == "" {
		return nil // it would send something back, which a mail cannot
	}
	if err := checkURL("a button", b.URL); err != nil {
		return err
	}
	text := strings.ReplaceAll(clean(b.Text), "\n", " ")
	if html {
		q.raw(`<p class="act"><a href="`)
		q.text(b.URL, true)
		q.raw(`">`)
		q.text(text, true)
		q.raw("</a></p>\n")
		return nil
	}
	q.raw("\n")
	q.text(text, false)
	q.raw(" <")
	q.text(b.URL, false)
	q.raw(">\n")
	return nil
}

// checkURL refuses what is no web address or could end the place it stands in. Addresses with a token are not repeated.
func checkURL(name, u string) error {
	if len(u) > 900 || !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") ||
		strings.ContainsFunc(u, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' || r == '"' }) {
		return sdk.Errorf(sdk.CodeInvalid, "message", "the value of %q is no web address of at most 900 ASCII characters", name)
	}
	return nil
}

// clean takes out of a value what has no place in a text: control characters and those that turn the direction of what
// follows. Line ends become line feeds.
func clean(s string) string {
	dirty := false
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' || c >= 0x7f {
			dirty = true
			break
		}
	}
	if !dirty {
		return s
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == utf8.RuneError:
			return r
		case r < ' ', r >= 0x7f && r <= 0x9f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x206f, r == 0xfeff,
			r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
			return -1
		}
		return r
	}, s)
}

func (q *quoted) raw(s string) { q.text(s, false) }

// text writes a text; with html its signs are escaped and its line feeds are breaks.
func (q *quoted) text(s string, html bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if html {
			switch c {
			case '&':
				q.raw("&amp;")
				continue
			case '<':
				q.raw("&lt;")
				continue
			case '>':
				q.raw("&gt;")
				continue
			case '"':
				q.raw("&quot;")
				continue
			case '\'':
				q.raw("&#39;")
				continue
			case '\n':
				q.raw("<br>")
			}
		}
		switch {
		case c == '\n':
			q.dst, q.col = append(q.dst, crlf...), 0
		case c == ' ':
			// A space may stand as it is where another character follows it in the same line.
			if i+1 < len(s) && s[i+1] > ' ' && (i == 0 || s[i-1] != ' ') && q.col > 0 && q.dst[len(q.dst)-1] != ' ' {
				q.literal(c)
			} else {
				q.encoded(c)
			}
		case c == '=' || c < ' ' || c > '~', c == '.' && q.atStart(1), c == 'F' && q.atStart(1) && strings.HasPrefix(s[i:], "From "):
			q.encoded(c)
		default:
			i += q.run(s[i:]) - 1
		}
	}
}

// easy are the characters that stand as they are anywhere, also in HTML.
var easy = func() (t [256]bool) {
	for c := '!'; c <= '~'; c++ {
		t[c] = !strings.ContainsRune("=.F&<>\"'", c)
	}
	return t
}()

// run writes the first character and those after it that need no look, as far as the line goes; it gives how many.
func (q *quoted) run(s string) int {
	q.literal(s[0])
	n, room := 1, maxLine-1-q.col
	for n < len(s) && n <= room && easy[s[n]] {
		n++
	}
	q.dst, q.col = append(q.dst, s[1:n]...), q.col+n-1
	return n
}

// atStart says that the next character begins a line.
func (q *quoted) atStart(width int) bool { return q.col == 0 || q.col+width > maxLine-1 }

func (q *quoted) literal(c byte) {
	if q.col+1 > maxLine-1 {
		q.dst, q.col = append(q.dst, "=\r\n"...), 0
	}
	q.dst, q.col = append(q.dst, c), q.col+1
}

func (q *quoted) encoded(c byte) {
	const hex = "0123456789ABCDEF"
	if q.col+3 > maxLine-1 {
		q.dst, q.col = append(q.dst, "=\r\n"...), 0
	}
	q.dst, q.col = append(q.dst, '=', hex[c>>4], hex[c&15]), q.col+3
}

// finish ends the line by a soft break, unless it has just begun.
func (q *quoted) finish() {
	if q.col > 0 {
		q.dst, q.col = append(q.dst, "=\r\n"...), 0
	}
}

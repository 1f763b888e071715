package email

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
)

// ReportKind says what a mail that came back is.
type ReportKind string

const (
	// ReportBounce is a delivery status notification (RFC 3464), or a bounce in a server's own words.
	ReportBounce ReportKind = "bounce"
	// ReportComplaint is a feedback report (RFC 5965).
	ReportComplaint ReportKind = "complaint"
	// ReportAutomatic is an automatic answer, such as a note of absence.
	ReportAutomatic ReportKind = "automatic"
	// ReportOther is anything else: what a person wrote, or what cannot be read.
	ReportOther ReportKind = "other"
)

// Report is what a mail says about mails of ours. It is what somebody wrote: nothing in it is proved.
type Report struct {
	Kind       ReportKind
	Recipients []Recipient
	// Feedback is the type of a complaint: abuse, fraud, virus, other, not-spam…
	Feedback string
	// Addresses are the envelope senders that the report names for the mail it is about, and EnvelopeIDs its ENVIDs; a token
	// of ours may stand in them.
	Addresses, EnvelopeIDs []string
	// MessageID is the reported mail's, with its angle brackets; empty when it is not told.
	MessageID string
}

// Recipient is what a report says about one address.
type Recipient struct {
	// Address as we wrote to it, as far as the report tells; empty when it does not.
	Address string
	Class   sdk.BounceClass
	// Status is the enhanced status code (RFC 3463), empty when none is known.
	Status string
	// Reason is the remote server's own sentence.
	Reason string
	// Final says that the delivery has ended. A delay, and a success, are not final failures and count for nothing.
	Final bool
}

// Bounds on what is read of a mail.
const (
	maxMail       = 4 << 20
	maxParts      = 64
	maxDepth      = 4
	maxRecipients = 1000
	maxReason     = 1000
	maxText       = 256 << 10
)

// Classify reads a mail that came back. It never fails: what it cannot read is ReportOther without recipients.
func Classify(raw []byte) Report {
	m, err := parseMail(raw)
	if err != nil {
		return Report{Kind: ReportOther}
	}
	return m.report()
}

// parsed is a mail as far as reports need it.
type parsed struct {
	header mail.Header
	// parts are its leaves in order.
	parts []part
}

type part struct {
	kind   string // media type
	params map[string]string
	body   []byte // decoded
}

// parseMail reads a mail tolerantly: a part that is broken is what could be read of it.
func parseMail(raw []byte) (*parsed, error) {
	if len(raw) > maxMail {
		raw = raw[:maxMail]
	}
	// An mbox line before the header, and white space, are no header.
	raw = bytes.TrimLeft(raw, "\r\n\t ")
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	out := &parsed{header: m.Header}
	out.walk(textproto.MIMEHeader(m.Header), m.Body, 0)
	return out, nil
}

func (p *parsed) walk(h textproto.MIMEHeader, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || kind == "" {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" && depth < maxDepth {
		if depth == 0 {
			p.parts = append(p.parts, part{kind: kind, params: params})
		}
		r := multipart.NewReader(body, params["boundary"])
		for len(p.parts) < maxParts {
			next, err := r.NextRawPart()
			if err != nil {
				return // the end, or a break: what came before counts
			}
			p.walk(next.Header, next, depth+1)
		}
		return
	}
	p.parts = append(p.parts, part{kind: kind, params: params, body: decode(h.Get("Content-Transfer-Encoding"), body)})
}

// decode gives a body without its transfer encoding, as far as it can be read.
func decode(encoding string, body io.Reader) []byte {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, _ := io.ReadAll(io.LimitReader(body, maxMail)) // a break ends it; what came before counts
	return b
}

// report says what the mail is.
func (p *parsed) report() Report {
	out := Report{Kind: ReportOther}
	for _, part := range p.parts {
		switch part.kind {
		case "message/feedback-report":
			if !p.complaint(part.body, &out) {
				return Report{Kind: ReportOther} // a malformed report is not guessed at
			}
			return out
		case "message/delivery-status", "message/global-delivery-status":
			out.Kind = ReportBounce
			deliveryStatus(part.body, &out)
		}
	}
	p.original(&out)
	if out.Kind == ReportBounce {
		return out
	}
	if p.looksLikeBounce() {
		p.plainBounce(&out)
		if len(out.Recipients) > 0 {
			out.Kind = ReportBounce
			return out
		}
	}
	if p.automatic() {
		out.Kind = ReportAutomatic
	}
	out.Recipients = nil
	return out
}

// original reads the header of the mail that is reported about, which comes back whole or in part.
func (p *parsed) original(out *Report) {
	for _, part := range p.parts {
		if part.kind != "message/rfc822" && part.kind != "text/rfc822-headers" && part.kind != "message/rfc822-headers" && part.kind != "message/global" &&
			part.kind != "message/global-headers" {
			continue
		}
		out.headerOf(part.body)
		return
	}
}

// headerOf takes what identifies a mail from its header.
func (r *Report) headerOf(raw []byte) {
	h := fields(raw)
	if r.MessageID == "" {
		if id := strings.TrimSpace(h.Get("Message-Id")); messageIDForm(id) {
			r.MessageID = id
		}
	}
	if path := strings.TrimSpace(h.Get("Return-Path")); path != "" {
		r.Addresses = append(r.Addresses, path)
	}
}

// fields reads one block of header fields; lines that are none are left out.
func fields(raw []byte) textproto.MIMEHeader {
	out := textproto.MIMEHeader{}
	name := ""
	n := 0
	for line := range bytes.Lines(raw) {
		text := strings.TrimRight(string(line), "\r\n")
		if strings.TrimSpace(text) == "" {
			if n > 0 {
				break
			}
			continue
		}
		if n++; n > 2000 {
			break
		}
		if (text[0] == ' ' || text[0] == '\t') && name != "" {
			values := out[name]
			values[len(values)-1] += " " + strings.TrimSpace(text)
			continue
		}
		key, value, found := strings.Cut(text, ":")
		if key = strings.TrimRight(key, " \t"); !found || key == "" || strings.ContainsAny(key, " \t") {
			name = ""
			continue
		}
		name = textproto.CanonicalMIMEHeaderKey(key)
		out[name] = append(out[name], strings.TrimSpace(value))
	}
	return out
}

// blocks cuts the body of a report into its blocks of fields, which empty lines divide.
func blocks(body []byte) []textproto.MIMEHeader {
	var out []textproto.MIMEHeader
	var block []byte
	flush := func() {
		if h := fields(block); len(h) > 0 {
			out = append(out, h)
		}
		block = block[:0]
	}
	for line := range bytes.Lines(body) {
		if len(bytes.TrimSpace(line)) == 0 {
			if flush(); len(out) > maxRecipients {
				return out
			}
			continue
		}
		block = append(block, line...)
	}
	flush()
	return out
}

// deliveryStatus reads a message/delivery-status (RFC 3464): a block about the mail, then one for each recipient.
func deliveryStatus(body []byte, out *Report) {
	for _, h := range blocks(body) {
		if id := h.Get("Original-Envelope-Id"); id != "" {
			out.EnvelopeIDs = append(out.EnvelopeIDs, id)
		}
		final, original := h.Get("Final-Recipient"), h.Get("Original-Recipient")
		if final == "" && original == "" || len(out.Recipients) >= maxRecipients {
			continue
		}
		r := Recipient{Address: typedAddress(original), Final: true}
		if r.Address == "" {
			r.Address = typedAddress(final)
		}
		code, _ := parseStatus(strings.TrimSpace(h.Get("Status")))
		diagnostic := h.Get("Diagnostic-Code")
		kind, text, typed := strings.Cut(diagnostic, ";")
		if !typed {
			kind, text = "", diagnostic
		}
		text = strings.TrimSpace(text)
		basic := 0
		if strings.EqualFold(strings.TrimSpace(kind), "smtp") {
			basic = basicCode(text)
		}
		if better := findStatus(text); better.class != 0 && (!code.specific() || code.class == better.class && code.detail == 0 && better.detail != 0) {
			code = better
		}
		r.Reason = reasonText(text)
		action := strings.ToLower(strings.TrimSpace(h.Get("Action")))
		if action, _, _ = strings.Cut(action, " "); action == "" {
			action = "failed" // some servers leave it out of reports of failures
		}
		if action != "failed" {
			// Delayed, delivered, relayed, expanded: nothing has ended badly.
			r.Final, r.Class, r.Status = false, sdk.BounceOther, code.String()
			out.Recipients = append(out.Recipients, r)
			continue
		}
		if !code.specific() {
			if guessed := guess(max(basic, code.class*100), strings.ToLower(text)); guessed.specific() {
				code = guessed
			}
		}
		r.Class, r.Status = bounceClass(code, basic, text), code.String()
		out.Recipients = append(out.Recipients, r)
	}
}

// bounceClass is the class of a failed delivery. That the queue gave up on a temporary trouble is soft, whatever it was.
func bounceClass(code status, basic int, text string) sdk.BounceClass {
	return react(code, basic, text).class
}

// basicCode reads the three digits at the beginning of a server's answer.
func basicCode(text string) int {
	if len(text) >= 3 && (text[0] == '4' || text[0] == '5') && isDigit(text[1]) && isDigit(text[2]) && (len(text) == 3 || !isDigit(text[3])) {
		return int(text[0]-'0')*100 + int(text[1]-'0')*10 + int(text[2]-'0')
	}
	return 0
}

// typedAddress reads "rfc822; a@b" (RFC 3464 section 2.1.2), with xtext as ORCPT writes it (RFC 3461) and comments.
func typedAddress(s string) string {
	kind, address, found := strings.Cut(s, ";")
	if !found {
		kind, address = "rfc822", s
	}
	address = strings.TrimSpace(address)
	if i := strings.Index(address, " ("); i > 0 {
		address = address[:i]
	}
	address = strings.Trim(address, "<> ")
	if k := strings.ToLower(strings.TrimSpace(kind)); k != "rfc822" && k != "utf-8" && k != "smtp" {
		return ""
	}
	address = fromXtext(address)
	if !strings.Contains(address, "@") || strings.ContainsFunc(address, func(r rune) bool { return r == ' ' || unicode.IsControl(r) }) || len(address) > 320 {
		return ""
	}
	return address
}

// fromXtext undoes +XX, which stands for a sign that cannot stand there; a plus of the address stays.
func fromXtext(s string) string {
	if !strings.Contains(s, "+") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '+' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			if c := unhex(s[i+1])<<4 | unhex(s[i+2]); c == '+' || c == '=' {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isHex(c byte) bool { return isDigit(c) || c >= 'A' && c <= 'F' }

func unhex(c byte) byte {
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// reasonText brings a server's sentence into one line.
func reasonText(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f {
			return -1
		}
		return r
	}, s)
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return s
}

// complaint reads a message/feedback-report (RFC 5965); false for one that is malformed.
func (p *parsed) complaint(body []byte, out *Report) bool {
	var h textproto.MIMEHeader
	if all := blocks(body); len(all) > 0 {
		h = all[0]
	}
	kind := strings.ToLower(strings.TrimSpace(h.Get("Feedback-Type")))
	if kind == "" || strings.TrimSpace(h.Get("User-Agent")) == "" || !strings.HasPrefix(strings.TrimSpace(h.Get("Version")), "1") ||
		len(h.Values("Feedback-Type")) > 1 || len(h.Values("Version")) > 1 {
		return false
	}
	out.Kind, out.Feedback = ReportComplaint, kind
	if from := strings.TrimSpace(h.Get("Original-Mail-From")); from != "" {
		out.Addresses = append(out.Addresses, from)
	}
	if id := strings.TrimSpace(h.Get("Original-Envelope-Id")); id != "" {
		out.EnvelopeIDs = append(out.EnvelopeIDs, id)
	}
	p.original(out)
	reason := "complaint: " + reasonText(kind)
	for _, to := range h.Values("Original-Rcpt-To") {
		if len(out.Recipients) >= maxRecipients {
			break
		}
		out.Recipients = append(out.Recipients, Recipient{Address: typedAddress(to), Class: sdk.BounceOther, Reason: reason, Final: true})
	}
	if len(out.Recipients) == 0 {
		out.Recipients = []Recipient{{Class: sdk.BounceOther, Reason: reason, Final: true}}
	}
	return true
}

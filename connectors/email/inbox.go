package email

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// EventFeedback is a feedback report that is no complaint (not-spam, virus…): for the record, never acted upon.
const EventFeedback sdk.EventKind = "feedback"

// letterbox is where mails come back: a Maildir, an LMTP server or an IMAP mailbox.
type letterbox interface {
	// next waits for a mail.
	next(ctx context.Context) (received, error)
	close() error
}

// received is a mail that came back.
type received struct {
	raw []byte
	// to are the envelope's recipients, where they are known.
	to     []string
	at     time.Time
	cursor sdk.Cursor
	// settle is called once what the mail says is safe; the mail is not given again then. Nil where the cursor does that.
	settle func() error
}

// Listen reads what comes back. A mail is settled (moved to cur, answered with 250, marked as seen) when the next event is
// asked for, so that none is lost when the host stops in between; it may then be given again, with the same ID.
//
// Bounces and complaints have the ID of their message in Ref, proved by a token of ours that is at most 14 days old. One
// without such a token has an empty Ref: it is for a human, and changes nothing. Automatic answers, mails of lists and news of
// delays are read and passed over.
func (c *Connector) Listen(ctx context.Context, from sdk.Cursor) (sdk.Events, error) {
	in := c.config.Bounces
	if !in.reads() {
		return nil, sdk.Errorf(sdk.CodeUnsupported, "listen", "no place is configured where mails come back; add bounces with maildir, lmtp or imap")
	}
	var box letterbox
	var err error
	switch {
	case in.Maildir != "":
		box, err = openMaildir(in.Maildir, in.Poll.Std(), from)
	case in.LMTP != "":
		box, err = openLMTP(ctx, in.LMTP)
	default:
		box, err = c.openIMAP(ctx, from)
	}
	if err != nil {
		return nil, err
	}
	e := &events{c: c, box: box, cursor: from}
	e.open, e.end = context.WithCancel(context.WithoutCancel(ctx))
	return e, nil
}

// events reads one letterbox.
type events struct {
	c      *Connector
	box    letterbox
	cursor sdk.Cursor
	// last is the mail whose event was given; it is settled by the next call.
	last *received
	// open ends with Close, which then waits for mu.
	open   context.Context
	end    context.CancelFunc
	mu     sync.Mutex
	closed bool
}

// givenUp is the error of a call whose time is over, or whose events were closed.
func givenUp(ctx context.Context) error {
	return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "listen", Public: "listening was ended", Err: ctx.Err()}
}

// Next implements sdk.Events.
func (e *events) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.open, cancel)()
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if e.closed {
			return sdk.InboxEvent{}, e.cursor, sdk.Errorf(sdk.CodeUnavailable, "listen", "listening was ended")
		}
		if e.last != nil {
			if err := e.settle(*e.last); err != nil {
				return sdk.InboxEvent{}, e.cursor, err
			}
			e.last = nil
		}
		r, err := e.box.next(ctx)
		if err != nil {
			return sdk.InboxEvent{}, e.cursor, err
		}
		e.last = &r
		if r.cursor != nil {
			e.cursor = r.cursor
		}
		if event, ok := e.c.event(r); ok {
			return event, e.cursor, nil
		}
	}
}

func (e *events) settle(r received) error {
	if r.settle == nil {
		return nil
	}
	return r.settle()
}

// Close implements sdk.Events. It ends a Next that waits; the mail whose event was given last stays unsettled.
func (e *events) Close() error {
	e.end()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	return e.box.close()
}

// event says what a mail is; false for one that nobody needs to know of.
func (c *Connector) event(r received) (sdk.InboxEvent, bool) {
	sum := sha256.Sum256(append([]byte(strings.Join(r.to, "\n")+"\x00"), r.raw...))
	out := sdk.InboxEvent{ID: hex.EncodeToString(sum[:16]), At: r.at.UTC()}
	m, err := parseMail(r.raw)
	if err != nil {
		c.log.Info("a mail that came back cannot be read", "id", out.ID)
		return out, false
	}
	report := m.report()
	switch report.Kind {
	case ReportBounce:
		worst, failed := worstOf(report.Recipients)
		if !failed {
			return out, false
		}
		out.Kind = sdk.EventBounce
		out.Ref = c.proved(r, m, report)
		out.Bounce = sdk.Bounce{Class: worst.Class, Status: worst.Status, Reason: worst.unnamed(worst.Reason)}
		if out.Ref == "" {
			out.Text = worst.unnamed(headerWords(m.header.Get("Subject")))
		}
		return out, true
	case ReportComplaint:
		out.Kind = sdk.EventComplaint
		if report.Feedback != "abuse" && report.Feedback != "fraud" {
			out.Kind = EventFeedback
		}
		out.Ref, out.Text = c.proved(r, m, report), report.Feedback
		out.Bounce = sdk.Bounce{Class: sdk.BounceOther, Reason: "complaint: " + report.Feedback}
		return out, true
	case ReportOther:
		return c.written(out, r, m)
	}
	return out, false
}

// unnamed takes addresses out of what a server says, and what stands before the @ of the recipient's own.
func (r Recipient) unnamed(text string) string {
	text = addressIn().ReplaceAllString(text, masked)
	if local, _, _ := cutLast(r.Address, '@'); len(local) > 2 {
		text = strings.ReplaceAll(text, local, masked)
	}
	return text
}

// worstOf gives the recipient whose failure says most. A mail of ours has one recipient.
func worstOf(all []Recipient) (worst Recipient, failed bool) {
	weight := map[sdk.BounceClass]int{sdk.BounceHard: 3, sdk.BounceSoft: 2, sdk.BounceOther: 1}
	for _, r := range all {
		if r.Final && weight[r.Class] > weight[worst.Class] {
			worst, failed = r, true
		}
	}
	return worst, failed
}

// proved gives the ID of the message that a report is about, if a token of ours proves it: in the address it came to, then in
// what it says the envelope was. Empty when nothing does.
func (c *Connector) proved(r received, m *parsed, report Report) string {
	if c.tokens == nil {
		return ""
	}
	now := c.now()
	places := cameTo(r, m)
	for _, v := range report.Addresses {
		places = append(places, addressForm().FindAllString(v, 8)...)
	}
	for _, a := range places {
		if id, ok := c.tokens.of(a, forBounce, now); ok {
			return id
		}
	}
	for _, t := range report.EnvelopeIDs {
		if id, ok := c.tokens.read(strings.TrimSpace(t), forBounce, now); ok {
			return id
		}
	}
	return ""
}

// cameTo are the addresses that a mail may have come to.
func cameTo(r received, m *parsed) []string {
	places := slices.Clone(r.to)
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To"} {
		for _, v := range m.header[name] {
			places = append(places, addressForm().FindAllString(v, 8)...)
		}
	}
	return places
}

// answered gives the ID of the message that a mail answers, when it came to the address that this message alone named.
func (c *Connector) answered(r received, m *parsed) string {
	if c.tokens == nil {
		return ""
	}
	for _, a := range cameTo(r, m) {
		if id, ok := c.tokens.of(a, forAnswer, c.now()); ok {
			return id
		}
	}
	return ""
}

// written makes the event of a mail that a person wrote. From is a claim that anybody can make, unless the mail server that
// is trusted here says that the domain in it sent the mail.
func (c *Connector) written(out sdk.InboxEvent, r received, m *parsed) (sdk.InboxEvent, bool) {
	from, err := mail.ParseAddress(m.header.Get("From"))
	if err != nil || m.automatic() {
		return out, false
	}
	if strings.EqualFold(from.Address, c.from.Address) {
		return out, false // our own mail, come back by some rule of somebody's
	}
	out.Kind, out.From = sdk.EventMessage, sdk.Handle{Medium: Medium, Value: from.Address}
	out.Answers, out.Claimed = c.answered(r, m), !m.authentic(c.config.Bounces.trusted(), from.Address)
	if id := strings.TrimSpace(m.header.Get("Message-Id")); messageIDForm(id) {
		out.ReplyTo = id
	}
	if id := strings.TrimSpace(m.header.Get("In-Reply-To")); messageIDForm(id) {
		out.Ref = id
	}
	if out.Text = m.own(); out.Text == "" {
		out.Text = render.Line(headerWords(m.header.Get("Subject")))
	}
	return out, true
}

// maxWritten bounds what is given of a person's text, in bytes.
const maxWritten = 16 << 10

// own is what the sender wrote themselves: without what they quote, and without a signature.
func (p *parsed) own() string {
	text := ""
	for _, part := range p.parts {
		if part.kind == "text/plain" && len(bytes.TrimSpace(part.body)) > 0 {
			text = unicodeText(part)
			break
		}
	}
	if text == "" {
		for _, part := range p.parts {
			if part.kind == "text/html" {
				text = render.Render(render.FromHTML(unicodeText(part), nil).Body, render.Plain)
				break
			}
		}
	}
	var kept []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n\t ")
		if line == "--" || quoteBegins().MatchString(line) {
			break
		}
		if strings.HasPrefix(strings.TrimLeft(line, " "), ">") {
			continue
		}
		kept = append(kept, clean(line))
	}
	out := strings.TrimSpace(strings.Join(kept, "\n"))
	if len(out) > maxWritten {
		out = strings.ToValidUTF8(out[:maxWritten], "") + "…"
	}
	return out
}

// quoteBegins is the line before what is quoted.
var quoteBegins = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(on .{6,200} wrote:|le .{6,200} a écrit\s?:|am .{6,200} schrieb.{0,80}:|-{3,}\s*(original message|message d'origine|forwarded message).*|_{20,})$`)
})

// unicodeText reads a part's text in its character set.
func unicodeText(p part) string {
	body := p.body[:min(len(p.body), maxText)]
	if label := p.params["charset"]; label != "" && !strings.EqualFold(label, "utf-8") {
		if r, err := charset.NewReaderLabel(label, bytes.NewReader(body)); err == nil {
			if b, err := io.ReadAll(io.LimitReader(r, maxText)); err == nil {
				body = b
			}
		}
	}
	if !utf8.Valid(body) {
		return strings.ToValidUTF8(string(body), "\uFFFD")
	}
	return string(body)
}

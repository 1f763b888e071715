package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Mail is one that the relay took.
type Mail struct {
	ID int64     `json:"id"`
	At time.Time `json:"at"`
	// To is the recipient of the envelope.
	To        string `json:"to"`
	From      string `json:"from"`
	Subject   string `json:"subject"`
	MessageID string `json:"message_id"`
	// Copies counts how often it came: a mail program shows one of those that have the same Message-ID.
	Copies int `json:"copies"`
	// Unsubscribe is the web address of List-Unsubscribe. OneClick says that it takes a POST (RFC 8058).
	Unsubscribe string `json:"list_unsubscribe,omitempty"`
	OneClick    bool   `json:"one_click"`
	Text        string `json:"text"`
	HTML        string `json:"-"`
	// Click is what became of the button; nil while nobody pressed it.
	Click *Click `json:"click,omitempty"`
}

// Click is one POST to the address by which a mail is left.
type Click struct {
	At     time.Time     `json:"at"`
	Took   time.Duration `json:"took_ns"`
	Status int           `json:"status"` // 0 without an answer
}

// Done reports whether it was acknowledged: nothing more begins to leave for this reader.
func (c *Click) Done() bool { return c != nil && c.Status/100 == 2 }

// readMail reads a mail as it came. It takes what Belfry promises to write, a text beside its HTML, and nothing else.
func readMail(data []byte) (Mail, error) {
	msg, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return Mail{}, err
	}
	out := Mail{Copies: 1, MessageID: msg.Header.Get("Message-Id")}
	if out.MessageID == "" {
		return out, errors.New("it has no Message-ID")
	}
	if out.Subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		return out, fmt.Errorf("its subject: %w", err)
	}
	from, err := mail.ParseAddress(msg.Header.Get("From"))
	if err != nil {
		return out, fmt.Errorf("its sender: %w", err)
	}
	if out.From = from.Name; out.From == "" {
		out.From = from.Address
	}
	out.Unsubscribe = webAddress(msg.Header.Get("List-Unsubscribe"))
	out.OneClick = out.Unsubscribe != "" && msg.Header.Get("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return out, fmt.Errorf("it is %q, not a text beside its HTML", kind)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := parts.NextPart() // which undoes quoted-printable
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out, err
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return out, err
		}
		switch kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind {
		case "text/plain":
			out.Text = string(text)
		case "text/html":
			out.HTML = string(text)
		default:
			return out, fmt.Errorf("it has a part of type %q", kind)
		}
	}
	if out.Text == "" || out.HTML == "" {
		return out, errors.New("it has no text, or no HTML")
	}
	return out, nil
}

// webAddress is the first web address of a List-Unsubscribe (RFC 2369).
func webAddress(value string) string {
	for entry := range strings.SplitSeq(value, ",") {
		entry, begun := strings.CutPrefix(strings.TrimSpace(entry), "<")
		entry, ended := strings.CutSuffix(entry, ">")
		if u, err := url.Parse(entry); begun && ended && err == nil && (u.Scheme == "https" || u.Scheme == "http") {
			return entry
		}
	}
	return ""
}

var linkOf = regexp.MustCompile(`<(https?://[^<>\s]+)>`)

// Path is where the first link of a mail leads that begins with an address, such as base/me/, and ends in a certain way:
// the path on this origin. It is empty without such a link.
func (m Mail) Path(base, begin, end string) string {
	for _, found := range linkOf.FindAllStringSubmatch(m.Text, -1) {
		if path, ours := strings.CutPrefix(found[1], base); ours && strings.HasPrefix(path, begin) && strings.HasSuffix(path, end) {
			return path
		}
	}
	return ""
}

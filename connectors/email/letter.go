package email

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"hash"
	"html"
	"slices"
	"strings"
	"sync"

	gomail "github.com/wneessen/go-mail"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// letter is a text that many messages share, composed and encoded but for the places of their own values. It is not changed
// once it is made.
//
// pieces are what is fixed of the body and slots what stands between them: len(pieces) is len(slots)+1. Every piece, and
// every slot as it is written, begins at the beginning of a line and ends at the end of one, by a soft break of
// quoted-printable where the text goes on. So no line depends on what stands beside it, and what DKIM hashes of a piece is
// known beforehand.
type letter struct {
	// head is From, Reply-To, MIME-Version and Content-Type, as lines; headNames are their names, each with a colon behind it.
	head, headNames []byte
	// subject is cut at its slots.
	subject, subjectSlots []string
	listID                string
	feedbackID            string
	autoSubmitted         string
	list                  bool // List-Unsubscribe belongs here
	pieces, canonical     [][]byte
	slots                 []slot
	hashed                []byte // the state of SHA-256 after the first piece
	size                  int
}

// slot is a place for a message's own value.
type slot struct {
	name string
	form slotForm
	// before and after stand around a value that is there.
	before, after string
}

type slotForm int

const (
	slotText    slotForm = iota // as it is
	slotHTML                    // escaped, line feeds as br
	slotURL                     // an address in plain text
	slotHref                    // an address in an attribute
	slotButtons                 // the message's own buttons, in plain text
	slotHTMLButtons
)

// letters keeps the letters that were used last.
type letters struct {
	mu   sync.Mutex
	byID map[string]*composed
	tick uint64
}

type composed struct {
	once   sync.Once
	letter *letter
	err    error
	used   uint64
}

// maxLetters bounds the letters that are kept: texts under way at once are few.
const maxLetters = 64

// letter gives the letter of a text, composing it once.
func (c *Connector) letter(common *sdk.Common) (*letter, error) {
	if common.ID == "" {
		return c.compose(common)
	}
	l := &c.letters
	l.mu.Lock()
	l.tick++
	e, ok := l.byID[common.ID]
	if !ok {
		if l.byID == nil {
			l.byID = map[string]*composed{}
		}
		for len(l.byID) >= maxLetters {
			oldest, at := "", l.tick
			for id, e := range l.byID {
				if e.used < at {
					oldest, at = id, e.used
				}
			}
			delete(l.byID, oldest)
		}
		e = &composed{}
		l.byID[common.ID] = e
	}
	e.used = l.tick
	l.mu.Unlock()
	e.once.Do(func() { e.letter, e.err = c.compose(common) })
	return e.letter, e.err
}

// marks exchanges the marks of slots for words that survive rendering and that nobody outside can guess.
type marks struct {
	secret string
	slots  []slot
}

func (m *marks) put(s slot) string {
	m.slots = append(m.slots, s)
	return m.word(len(m.slots) - 1)
}

// word is of fixed length, so that it can be found and read back.
func (m *marks) word(i int) string {
	return m.secret + string([]byte{'a' + byte(i/676%26), 'a' + byte(i/26%26), 'a' + byte(i%26)})
}

// maxSlots is how many places a letter can have.
const maxSlots = 26 * 26 * 26

// text exchanges the marks in one text.
func (m *marks) text(s string, form slotForm) string {
	fixed, names := sdk.Slots(s)
	if len(names) == 0 {
		return s
	}
	var b strings.Builder
	for i, f := range fixed {
		b.WriteString(f)
		if i < len(names) {
			b.WriteString(m.put(slot{name: names[i], form: form}))
		}
	}
	return b.String()
}

func (m *marks) nodes(nodes []sdk.Node, form slotForm) []sdk.Node {
	out := slices.Clone(nodes)
	for i := range out {
		out[i].Text = m.text(out[i].Text, form)
		out[i].Children = m.nodes(out[i].Children, form)
	}
	return out
}

// segments cuts an encoded text at the words, which stand alone in their lines.
func (m *marks) segments(encoded []byte) (pieces [][]byte, slots []slot) {
	begin := []byte(crlf + m.secret)
	for {
		i := bytes.Index(encoded, begin)
		if i < 0 {
			return append(pieces, encoded), slots
		}
		word := encoded[i+len(begin) : i+len(begin)+3]
		n := int(word[0]-'a')*676 + int(word[1]-'a')*26 + int(word[2]-'a')
		pieces, slots = append(pieces, encoded[:i]), append(slots, m.slots[n])
		encoded = encoded[i+len(begin)+3+len(crlf):]
	}
}

// alone puts the words into lines of their own; the line ends go when the text is cut there.
func (m *marks) alone(s string) string {
	for i := range m.slots {
		w := m.word(i)
		s = strings.Replace(s, w, "\n"+w+"\n", 1)
	}
	return s
}

// compose makes a letter. The errors are about the text, for every message that has it.
func (c *Connector) compose(common *sdk.Common) (*letter, error) {
	if err := c.checkCommon(common); err != nil {
		return nil, err
	}
	m := marks{secret: "slot" + strings.ToLower(rand.Text())}
	text := m.alone(plainPart(&m, common))
	page := m.alone(c.htmlPart(&m, common))
	if len(m.slots) > maxSlots {
		return nil, templateError(sdk.CodeTooLarge, "the text has more than %d places for values", maxSlots)
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	msg.SetBoundary("part" + strings.ToLower(rand.Text()))
	msg.FromMailAddress(&c.from)
	if c.replyTo != nil {
		msg.ReplyToMailAddress(c.replyTo)
	}
	msg.SetBodyString(gomail.TypeTextPlain, text)
	msg.AddAlternativeString(gomail.TypeTextHTML, page)
	var out bytes.Buffer
	if _, err := msg.WriteTo(&out); err != nil {
		return nil, templateError(sdk.CodeInvalid, "the text cannot be made a mail: %w", err)
	}
	l := &letter{autoSubmitted: "auto-generated", list: common.Kind != sdk.CommonConfirm}
	if common.Kind == sdk.CommonAnswer {
		l.autoSubmitted = "auto-replied"
	}
	header, body, _ := bytes.Cut(out.Bytes(), []byte(crlf+crlf))
	l.head, l.headNames = pick(append(slices.Clip(header), crlf...), "From", "Reply-To", "MIME-Version", "Content-Type")
	l.subject, l.subjectSlots = sdk.Slots(common.Subject)
	if l.list {
		l.listID = listID(common.List, c.listHost)
	}
	if c.config.FeedbackID != "" {
		l.feedbackID = feedbackPart(common.List.ID) + ":" + feedbackPart(string(common.Kind)) + ":" + c.config.FeedbackID
	}
	pieces, slots := m.segments(bytes.TrimRight(body, crlf))
	pieces[len(pieces)-1] = append(slices.Clip(pieces[len(pieces)-1]), crlf...)
	l.slots = slots
	for _, p := range pieces {
		p = wholeLines(p)
		l.pieces, l.canonical = append(l.pieces, p), append(l.canonical, relaxedBody(p))
		l.size += len(p)
	}
	h := sha256.New()
	h.Write(l.canonical[0])
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	l.hashed = state
	return l, err
}

// bodyHash begins where the first piece ends.
func (l *letter) bodyHash() hash.Hash {
	h := sha256.New()
	if h.(encoding.BinaryUnmarshaler).UnmarshalBinary(l.hashed) != nil {
		h.Reset()
		h.Write(l.canonical[0])
	}
	return h
}

func templateError(code sdk.Code, format string, args ...any) error {
	e := sdk.Errorf(code, "message", format, args...)
	e.Scope = sdk.ScopeTemplate
	return e
}

// checkCommon refuses what could not be composed or would forge a header.
func (c *Connector) checkCommon(common *sdk.Common) error {
	for what, s := range map[string]string{"the subject": common.Subject, "the title of the list": common.List.Title,
		"the name of the list": common.List.ID} {
		if err := headerText(what, strings.NewReplacer("\ufdd0", "", "\ufdd1", "").Replace(s)); err != nil {
			return err
		}
	}
	if strings.TrimSpace(common.Subject) == "" {
		return templateError(sdk.CodeInvalid, "the text has no subject, and a mail needs one")
	}
	if err := common.Body.Validate(); err != nil {
		e := sdk.AsError(err)
		return templateError(e.Code, "%s", e.Public)
	}
	return nil
}

// feedbackPart is an identifier of a Feedback-ID, in which colons divide.
func feedbackPart(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
}

// pick gives the wanted fields of a header, each with its lines, and their names.
func pick(header []byte, wanted ...string) (fields, names []byte) {
	taking := false
	for line := range bytes.Lines(header) {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := bytes.Cut(line, []byte(":"))
			if taking = slices.Contains(wanted, string(name)); taking {
				names = append(append(names, name...), ':')
			}
		}
		if taking {
			fields = append(fields, line...)
		}
	}
	return fields, names
}

// wholeLines ends a piece with a soft break where it stops in mid-line, and writes a full stop at the beginning of a line so
// that SMTP need not double it.
func wholeLines(p []byte) []byte {
	if len(p) > 0 && !bytes.HasSuffix(p, []byte(crlf)) {
		p = append(slices.Clip(p), "=\r\n"...)
	}
	if !bytes.HasPrefix(p, []byte(".")) && !bytes.Contains(p, []byte("\n.")) {
		return p
	}
	var out []byte
	for line := range bytes.Lines(p) {
		for line[0] == '.' {
			out, line = append(out, "=2E"...), line[1:]
			if len(line)+len("=2E")-len(crlf) <= maxLine {
				break
			}
			out = append(out, "=\r\n"...)
		}
		out = append(out, line...)
	}
	return out
}

// plainPart is the text for readers without HTML, written as one writes a mail.
func plainPart(m *marks, common *sdk.Common) string {
	var b strings.Builder
	b.WriteString(render.Render(m.nodes(common.Body, slotText), render.Plain))
	b.WriteString("\n")
	if u, ok := webLink(common.Permalink); ok && !strings.Contains(b.String(), u) {
		b.WriteString("\n" + u + "\n")
	}
	for _, p := range pictures(common) {
		b.WriteString("\n" + strings.TrimLeft(p.label+" <"+p.url+">", " ") + "\n")
	}
	b.WriteString(m.put(slot{form: slotButtons}))
	links := func() {
		for _, l := range common.Links {
			label := render.Line(l.Text)
			b.WriteString(m.put(slot{name: l.Slot, form: slotURL, before: label + " <", after: ">\n"}))
		}
	}
	if common.Kind == sdk.CommonConfirm {
		b.WriteString("\n")
		links()
	}
	reason, sender := render.Line(m.text(common.Reason, slotText)), render.Line(common.Sender)
	if reason != "" || sender != "" || common.Kind != sdk.CommonConfirm && len(common.Links) > 0 {
		b.WriteString("\n-- \n")
	}
	if reason != "" {
		b.WriteString(reason + "\n")
	}
	if common.Kind != sdk.CommonConfirm {
		links()
	}
	if sender != "" {
		b.WriteString(sender + "\n")
	}
	return b.String()
}

// picture is linked, never embedded: a picture that loads by itself tells when the mail is opened.
type picture struct{ label, url string }

func pictures(common *sdk.Common) []picture {
	var out []picture
	for _, m := range common.Media {
		u, ok := webLink(m.URL)
		if !ok {
			continue
		}
		label := render.Line(m.Alt)
		if label == "" {
			label = render.Line(m.File.Name)
		}
		if credit := render.Line(m.Credit); credit != "" {
			label = strings.TrimPrefix(label+" · "+credit, " · ")
		}
		out = append(out, picture{label, u})
	}
	return out
}

// webLink accepts a web address that a reader may be sent to.
func webLink(s string) (string, bool) {
	u, err := sdk.CheckLink(s)
	return u, err == nil && u != "" && !strings.HasPrefix(u, "mailto:")
}

// style is the newspaper's: ink on warm paper, one accent, system fonts. Clients that drop it show plain, readable HTML.
const style = `:root{color-scheme:light dark;supported-color-schemes:light dark}
body{margin:0;padding:24px 16px;background:#faf7f2;color:#1c1a17;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.page{max-width:600px;margin:0 auto}
.from{margin:0 0 20px;padding-bottom:8px;border-bottom:1px solid #d8d0c2;font-size:14px;color:#5c554b}
h1,h2,h3,h4,h5,h6{margin:24px 0 8px;line-height:1.25;font-family:Charter,"Iowan Old Style",Georgia,serif}
a{color:#7a5200}
blockquote{margin:16px 0;padding-left:16px;border-left:3px solid #d8d0c2}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
.act a{display:inline-block;padding:12px 20px;border-radius:6px;background:#7a5200;color:#fff;text-decoration:none;line-height:20px}
.end{margin-top:32px;padding-top:12px;border-top:1px solid #d8d0c2;font-size:14px;color:#5c554b}
.end p{margin:4px 0}
@media (prefers-color-scheme:dark){body{background:#191714;color:#ece6dc}a{color:#e0b15c}.from,.end{color:#b5ab9b;border-color:#443e35}blockquote{border-color:#443e35}.act a{background:#e0b15c;color:#191714}}
`

// rightToLeft are the languages written from the right.
var rightToLeft = map[string]bool{"ar": true, "fa": true, "he": true, "iw": true, "ur": true, "ps": true, "yi": true, "dv": true, "ug": true}

// htmlPart is the same as plainPart, as a page.
func (c *Connector) htmlPart(m *marks, common *sdk.Common) string {
	var b strings.Builder
	esc := html.EscapeString
	lang := languageTag(common.Lang)
	attributes := ` lang="` + lang + `"`
	if lang == "" {
		attributes = ""
	}
	if primary, _, _ := strings.Cut(strings.ToLower(lang), "-"); rightToLeft[primary] {
		attributes += ` dir="rtl"`
	} else {
		attributes += ` dir="ltr"`
	}
	title := esc(render.Line(m.text(common.Subject, slotHTML)))
	b.WriteString("<!DOCTYPE html>\n<html" + attributes + ">\n<head>\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"supported-color-schemes\" content=\"light dark\">\n" +
		"<title>" + title + "</title>\n<style>\n" + style + "</style>\n</head>\n<body" + attributes + ">\n<div class=\"page\">\n")
	from := c.from.Name
	if from == "" {
		from = common.List.Title
	}
	if from = render.Line(from); from != "" {
		b.WriteString("<p class=\"from\">" + esc(from) + "</p>\n")
	}
	b.WriteString(render.RenderHTML(m.nodes(common.Body, slotHTML), render.HTMLOptions{}))
	b.WriteString("\n")
	if u, ok := webLink(common.Permalink); ok && !strings.Contains(b.String(), `href="`+esc(u)) {
		b.WriteString("<p><a href=\"" + esc(u) + "\">" + esc(strings.TrimPrefix(strings.TrimPrefix(u, "https://"), "http://")) + "</a></p>\n")
	}
	for _, p := range pictures(common) {
		label := p.label
		if label == "" {
			label = p.url
		}
		b.WriteString("<p><a href=\"" + esc(p.url) + "\">" + esc(label) + "</a></p>\n")
	}
	b.WriteString(m.put(slot{form: slotHTMLButtons}))
	links := func(class string) {
		for _, l := range common.Links {
			b.WriteString(m.put(slot{name: l.Slot, form: slotHref, before: "<p" + class + "><a href=\"",
				after: "\">" + esc(render.Line(l.Text)) + "</a></p>\n"}))
		}
	}
	if common.Kind == sdk.CommonConfirm {
		links(` class="act"`)
	}
	b.WriteString("<div class=\"end\">\n")
	if reason := esc(render.Line(m.text(common.Reason, slotHTML))); reason != "" {
		b.WriteString("<p>" + reason + "</p>\n")
	}
	if common.Kind != sdk.CommonConfirm {
		links("")
	}
	if sender := render.Line(common.Sender); sender != "" {
		b.WriteString("<p>" + esc(sender) + "</p>\n")
	}
	b.WriteString("</div>\n</div>\n</body>\n</html>\n")
	return b.String()
}

// languageTag gives a tag that can stand in an attribute.
func languageTag(s string) string {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return ""
		}
	}
	return s
}

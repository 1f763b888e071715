package email

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"slices"
	"strings"
	"sync"

	gomail "github.com/wneessen/go-mail"

	"github.com/belfry-news/belfry/sdk"
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
	prefix                hash.Hash // SHA-256 after the first piece; only cloned
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
	l.prefix = h
	return l, nil
}

// bodyHash begins where the first piece ends.
func (l *letter) bodyHash() hash.Hash {
	if c, ok := l.prefix.(hash.Cloner); ok {
		if h, err := c.Clone(); err == nil {
			return h
		}
	}
	h := sha256.New()
	h.Write(l.canonical[0])
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
		if err := headerText(what, strings.NewReplacer("\ufdd0", "", "\ufdd1", "").Replace(s), sdk.ScopeTemplate); err != nil {
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

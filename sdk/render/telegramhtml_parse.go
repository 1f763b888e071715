package render

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// refused is what Telegram answers with "can't parse entities".
func refused(at int, format string, args ...any) error {
	return sdk.Errorf(sdk.CodeInvalid, "parse", "%s, at byte offset %d", fmt.Sprintf(format, args...), at)
}

// telegramLink gives the target of a link as Telegram understands it: without a scheme it is http. What a Body cannot
// link to (tg://…) gives none, and the link is its text.
func telegramLink(url string) *anchor {
	if url != "" && !strings.Contains(url, ":") {
		url = "http://" + url
	}
	if u, ok := address(url); ok && !strings.HasPrefix(u, "mailto:") {
		return &anchor{url: u}
	}
	return nil
}

// telegramTag knows the tags of parse_mode HTML and what they mean in a Body.
func telegramTag(name string) (m mark, known bool) {
	switch name {
	case "b", "strong":
		return strong, true
	case "i", "em":
		return emphasis, true
	case "s", "strike", "del":
		return strike, true
	case "code":
		return code, true
	case "u", "ins", "span", "tg-spoiler", "tg-emoji", "tg-time", "a", "pre", "blockquote":
		return 0, true
	}
	return 0, false
}

const telegramTags = "b, strong, i, em, u, ins, s, strike, del, span, tg-spoiler, a, code, pre, blockquote, tg-emoji, tg-time"

// openTag is an element of Telegram HTML that is open.
type openTag struct {
	name  string
	at    int
	lang  string
	outer mark
	link  *anchor
}

type telegramHTMLParser struct {
	s     string
	i     int
	b     *builder
	stack []openTag
	marks mark
	link  *anchor
	pre   strings.Builder
	inPre bool
}

// parseTelegramHTML reads parse_mode HTML. Unknown entities and lone ampersands are text, as they are for Telegram.
func parseTelegramHTML(s string) ([]block, error) {
	p := &telegramHTMLParser{s: s, b: newBuilder()}
	for p.i < len(p.s) {
		next := strings.IndexAny(p.s[p.i:], "<&")
		if next < 0 {
			next = len(p.s) - p.i
		}
		p.text(p.s[p.i : p.i+next])
		if p.i += next; p.i == len(p.s) {
			break
		}
		if p.s[p.i] == '&' {
			text, n := telegramEntity(p.s[p.i:])
			if n == 0 {
				text, n = "&", 1
			}
			if !utf8.ValidString(text) {
				return nil, refused(p.i, "%q stands for half of a surrogate pair", p.s[p.i:p.i+n])
			}
			p.text(text)
			p.i += n
			continue
		}
		if err := p.tag(); err != nil {
			return nil, err
		}
	}
	if n := len(p.stack); n > 0 {
		return nil, refused(p.stack[n-1].at, "the tag <%s> is never closed", p.stack[n-1].name)
	}
	return p.b.finish(), nil
}

func (p *telegramHTMLParser) text(s string) {
	if p.inPre {
		p.pre.WriteString(s)
	} else {
		p.b.prose.write(s, p.marks, p.link)
	}
}

// telegramEntity reads a character reference: a numeric one, or lt, gt, amp or quot. The semicolon may be missing. A
// reference to a surrogate gives text that is not valid.
func telegramEntity(s string) (text string, n int) {
	end := 1
	if strings.HasPrefix(s, "&#") {
		base, digits := 10, "0123456789"
		if end = 2; len(s) > 2 && s[2] == 'x' {
			base, digits, end = 16, "0123456789abcdefABCDEF", 3
		}
		from := end
		for end < len(s) && strings.IndexByte(digits, s[end]) >= 0 {
			end++
		}
		v, err := strconv.ParseUint(s[from:end], base, 32)
		if err != nil || v == 0 || v >= 0x10ffff {
			return "", 0
		}
		text = string(rune(v))
		if v >= 0xd800 && v <= 0xdfff {
			text = "\xff"
		}
	} else {
		for end < len(s) && (s[end] >= 'a' && s[end] <= 'z' || s[end] >= 'A' && s[end] <= 'Z') {
			end++
		}
		switch s[1:end] {
		case "lt", "gt", "amp", "quot":
			text = html.UnescapeString(s[:end] + ";")
		default:
			return "", 0
		}
	}
	if end < len(s) && s[end] == ';' {
		end++
	}
	return text, end
}

func (p *telegramHTMLParser) tag() error {
	at := p.i
	if strings.HasPrefix(p.s[at:], "</") {
		return p.endTag(at)
	}
	end := at + 1
	for end < len(p.s) && !isHTMLSpace(p.s[end]) && p.s[end] != '>' {
		end++
	}
	name := strings.ToLower(p.s[at+1 : end])
	if end == len(p.s) {
		return refused(at, "\"<\" begins a tag that has no end; write &lt; for the character")
	}
	m, known := telegramTag(name)
	if !known {
		return refused(at, "the tag <%s> is not one of Telegram's (%s); write &lt; for the character \"<\"", name, telegramTags)
	}
	attrs, next, err := telegramAttributes(p.s, at, end)
	if err != nil {
		return err
	}
	t := openTag{name: name, at: at, outer: p.marks, link: p.link}
	if n := len(p.stack); n > 0 && (p.inPre || p.marks&code != 0) {
		if p.stack[n-1].name != "pre" || name != "code" || p.pre.Len() > 0 {
			return refused(at, "<%s> stands inside <%s>, which contains nothing", name, p.stack[n-1].name)
		}
		p.stack[n-1].lang, _ = strings.CutPrefix(attrs["class"], "language-")
		m = 0
	}
	switch name {
	case "span":
		if attrs["class"] != "tg-spoiler" {
			return refused(at, "the tag <span> must have the class \"tg-spoiler\"")
		}
	case "a":
		p.link = telegramLink(attrs["href"])
	case "pre":
		p.b.flush()
		p.inPre = true
		p.pre.Reset()
	case "blockquote":
		for _, o := range p.stack {
			if o.name == "blockquote" {
				return refused(at, "<blockquote> stands inside <blockquote>; quotations do not nest")
			}
		}
		p.b.open(block{kind: sdk.NodeQuote})
	}
	p.marks |= m
	p.stack = append(p.stack, t)
	p.i = next
	return nil
}

func (p *telegramHTMLParser) endTag(at int) error {
	if len(p.stack) == 0 {
		return refused(at, "an end tag has no start tag")
	}
	t := p.stack[len(p.stack)-1]
	end := at + 2
	for end < len(p.s) && !isHTMLSpace(p.s[end]) && p.s[end] != '>' {
		end++
	}
	name := strings.ToLower(p.s[at+2 : end])
	for end < len(p.s) && isHTMLSpace(p.s[end]) {
		end++
	}
	if end == len(p.s) || p.s[end] != '>' {
		return refused(at, "the end tag </%s has no \">\"", name)
	}
	if name != "" && name != t.name {
		return refused(at, "</%s> is expected to close <%s>, but </%s> stands", t.name, t.name, name)
	}
	switch t.name {
	case "pre":
		p.b.codeBlock(p.pre.String(), t.lang)
		p.inPre = false
	case "blockquote":
		p.b.close()
	}
	p.marks, p.link = t.outer, t.link
	p.stack = p.stack[:len(p.stack)-1]
	p.i = end + 1
	return nil
}

// telegramAttributes reads the attributes of the tag at the offset given, from i on, and gives the offset after it.
func telegramAttributes(s string, at, i int) (attrs map[string]string, next int, err error) {
	skip := func() {
		for i < len(s) && isHTMLSpace(s[i]) {
			i++
		}
	}
	unclosed := func() error { return refused(at, "a tag begins that has no end") }
	for {
		if skip(); i == len(s) {
			return nil, 0, unclosed()
		}
		if s[i] == '>' {
			return attrs, i + 1, nil
		}
		from := i
		for i < len(s) && !isHTMLSpace(s[i]) && s[i] != '=' && s[i] != '>' {
			i++
		}
		name := strings.ToLower(s[from:i])
		if name == "" {
			return nil, 0, refused(at, "a tag has an attribute without a name")
		}
		if skip(); i == len(s) {
			return nil, 0, unclosed()
		}
		if s[i] != '=' {
			continue
		}
		i++
		if skip(); i == len(s) {
			return nil, 0, unclosed()
		}
		var value string
		if quote := s[i]; quote == '"' || quote == '\'' {
			if value, i = telegramQuoted(s, i+1, quote); i == len(s) {
				return nil, 0, unclosed()
			}
			i++
		} else {
			from := i
			for i < len(s) && (s[i] == '.' || s[i] == '-' || s[i] >= '0' && s[i] <= '9' || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z') {
				i++
			}
			if i == len(s) || s[i] != '>' && !isHTMLSpace(s[i]) {
				return nil, 0, refused(from, "the value of the attribute %q needs quotation marks", name)
			}
			value = strings.ToLower(s[from:i])
		}
		if attrs == nil {
			attrs = map[string]string{}
		}
		attrs[name] = value
	}
}

// telegramQuoted reads the value of an attribute from i on, and gives the offset of the quotation mark that ends it, or of
// the end of the text.
func telegramQuoted(s string, i int, quote byte) (value string, end int) {
	var b strings.Builder
	for i < len(s) && s[i] != quote {
		if text, n := telegramEntity(s[i:]); s[i] == '&' && n > 0 {
			b.WriteString(text)
			i += n
		} else {
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String(), i
}

func isHTMLSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

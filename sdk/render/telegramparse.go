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
		var value strings.Builder
		if quote := s[i]; quote == '"' || quote == '\'' {
			i++
			for i < len(s) && s[i] != quote {
				if text, n := telegramEntity(s[i:]); s[i] == '&' && n > 0 {
					value.WriteString(text)
					i += n
				} else {
					value.WriteByte(s[i])
					i++
				}
			}
			if i == len(s) {
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
			value.WriteString(strings.ToLower(s[from:i]))
		}
		if attrs == nil {
			attrs = map[string]string{}
		}
		attrs[name] = value.String()
	}
}

func isHTMLSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// v2Entity is an entity of MarkdownV2 that is open.
type v2Entity struct {
	open  string // what it begins with, without the language of a code block
	at    int
	lang  string
	outer mark
	link  *anchor
}

type markdownV2Parser struct {
	s     string
	i     int
	b     *builder
	stack []v2Entity
	marks mark
	link  *anchor
	quote bool
	// start says that a quotation may begin here.
	start bool
	pre   strings.Builder
	// label is the text of the link that is open; dead says that there are links to nowhere.
	label strings.Builder
	dead  bool
}

// parseMarkdownV2 reads parse_mode MarkdownV2.
func parseMarkdownV2(s string) ([]block, error) {
	p := &markdownV2Parser{s: s, b: newBuilder(), start: true}
	for p.i < len(p.s) {
		if err := p.step(); err != nil {
			return nil, err
		}
	}
	if n := len(p.stack); n > 0 {
		return nil, p.neverEnds(p.stack[n-1])
	}
	blocks := p.b.finish()
	if p.dead {
		blocks = mapProse(blocks, func(q prose) prose {
			return q.restyle(func(s span) (mark, *anchor) {
				if s.link != nil && s.link.url == "" {
					return s.marks, nil
				}
				return s.marks, s.link
			})
		})
	}
	return blocks, nil
}

func (p *markdownV2Parser) neverEnds(e v2Entity) error {
	return refused(e.at, "the %s that begins with %q never ends; write \\%s for the character", v2Name(e.open), e.open, e.open[:1])
}

func v2Name(open string) string {
	switch open {
	case "*":
		return "bold text"
	case "_":
		return "italic text"
	case "__":
		return "underlined text"
	case "~":
		return "struck text"
	case "||":
		return "spoiler"
	case "[":
		return "link"
	case "![":
		return "custom emoji"
	}
	return "code"
}

func (p *markdownV2Parser) top() string {
	if len(p.stack) == 0 {
		return ""
	}
	return p.stack[len(p.stack)-1].open
}

func (p *markdownV2Parser) text(s string) {
	if p.top() == "```" {
		p.pre.WriteString(s)
	} else {
		p.b.prose.write(s, p.marks, p.link)
	}
	if p.link != nil {
		p.label.WriteString(s)
	}
}

func (p *markdownV2Parser) step() error {
	s, top := p.s[p.i:], p.top()
	special := "_*[]()~`>#+-=|{}.!\n\\"
	if top == "`" || top == "```" {
		special = "`\\"
	}
	if n := strings.IndexAny(s, special); n != 0 {
		if n < 0 {
			n = len(s)
		}
		p.text(s[:n])
		p.i += n
		p.start = false
		return nil
	}
	switch {
	case s[0] == '\\':
		p.start = false
		if len(s) > 1 && s[1] > 0 && s[1] <= 126 {
			p.text(s[1:2])
			p.i += 2
			return nil
		}
		p.text("\\")
		p.i++
		return nil
	case p.quote && s[0] == '\n' && !strings.HasPrefix(s, "\n>"):
		if top != "" {
			return p.neverEnds(p.stack[len(p.stack)-1])
		}
		p.b.close()
		p.quote, p.start = false, true
		p.i++
		return nil
	case p.quote && top == "" && strings.HasPrefix(s, "||") && (len(s) == 2 || s[2] == '\n'):
		p.i += 2 // the mark of a quotation that readers unfold
		return nil
	case top != "" && p.ends(s, top):
		return p.end(top)
	}
	return p.begin(s)
}

// ends reports whether s begins with the end of the innermost entity.
func (p *markdownV2Parser) ends(s, top string) bool {
	switch top {
	case "[", "![":
		return s[0] == ']'
	case "_":
		return s[0] == '_' && !strings.HasPrefix(s, "__")
	}
	return strings.HasPrefix(s, top)
}

func (p *markdownV2Parser) begin(s string) error {
	if s[0] == '\n' {
		p.text("\n")
		if p.i++; p.quote {
			p.i++ // the ">" of the next line
		} else {
			p.start = true
		}
		return nil
	}
	if s[0] == '>' && p.start {
		p.b.open(block{kind: sdk.NodeQuote})
		p.quote, p.start = true, false
		p.i++
		return nil
	}
	if p.top() == "```" {
		return refused(p.i, "the character \"`\" is reserved in code; write \\`")
	}
	e := v2Entity{at: p.i, outer: p.marks, link: p.link}
	for _, open := range []string{"```", "`", "__", "_", "*", "~", "||", "![", "["} {
		if strings.HasPrefix(s, open) {
			e.open = open
			break
		}
	}
	switch e.open {
	case "":
		return refused(p.i, "the character %q is reserved; write \\%s", s[:1], s[:1])
	case "*":
		p.marks |= strong
	case "_":
		p.marks |= emphasis
	case "~":
		p.marks |= strike
	case "`":
		p.marks |= code
	case "[":
		p.link = &anchor{}
		p.label.Reset()
	}
	p.i += len(e.open)
	if e.open == "```" {
		p.b.flush()
		p.pre.Reset()
		e.lang = p.codeStart()
	}
	if !strings.HasPrefix(s, "**>") {
		p.start = false
	}
	p.stack = append(p.stack, e)
	return nil
}

// codeStart reads the language of a code block and the line feed after it.
func (p *markdownV2Parser) codeStart() (lang string) {
	rest := p.s[p.i:]
	n := strings.IndexFunc(rest, func(r rune) bool { return r == '`' || r <= 0x7f && isHTMLSpace(byte(r)) })
	if n > 0 && rest[n] != '`' {
		lang = rest[:n]
		p.i += n
	}
	for _, feed := range []string{"\r\n", "\n\r", "\n", "\r"} {
		if strings.HasPrefix(p.s[p.i:], feed) {
			p.i += len(feed)
			break
		}
	}
	return lang
}

func (p *markdownV2Parser) end(top string) error {
	e := p.stack[len(p.stack)-1]
	p.i++
	switch top {
	case "__", "||":
		p.i++
	case "```":
		p.i += 2
		p.b.codeBlock(p.pre.String(), e.lang)
	case "[", "![":
		url, err := p.target(e)
		if err != nil {
			return err
		}
		if top == "[" {
			p.linkTo(url)
		}
	}
	p.marks, p.link = e.outer, e.link
	p.stack = p.stack[:len(p.stack)-1]
	return nil
}

// target reads the address in parentheses after a link's text. Without one the text is the address.
func (p *markdownV2Parser) target(e v2Entity) (string, error) {
	if !strings.HasPrefix(p.s[p.i:], "(") {
		if e.open == "![" {
			return "", refused(e.at, "a custom emoji needs its address in parentheses: ![👍](tg://emoji?id=…)")
		}
		return "", nil
	}
	from := p.i
	p.i++
	var url strings.Builder
	for ; p.i < len(p.s); p.i++ {
		c := p.s[p.i]
		switch {
		case c == ')':
			p.i++
			return url.String(), nil
		case c == '\\' && p.i+1 < len(p.s) && p.s[p.i+1] > 0 && p.s[p.i+1] <= 126:
			p.i++
			c = p.s[p.i]
		}
		url.WriteByte(c)
	}
	return "", refused(from, "the address of a link has no closing parenthesis")
}

// linkTo gives the link that ends here its target. Without one it stays empty, and is text in the end.
func (p *markdownV2Parser) linkTo(url string) {
	if url == "" {
		url = p.label.String()
	}
	if a := telegramLink(url); a != nil {
		*p.link = *a
	} else {
		p.dead = true
	}
}

package render

import (
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

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

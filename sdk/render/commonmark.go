package render

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// commonMark writes CommonMark. Emphasis is "_", strong emphasis "**", so that delimiters of both never run together.
// Where the flanking rules (CommonMark 0.31, section 6.2) forbid a delimiter, the letter beside it is written as a
// numeric reference, which counts as punctuation and reads the same.
type commonMark struct {
	*writer
	// prefix begins every line but the first of a block.
	prefix []byte
	// lineStart says that the next text begins a line, where more characters mean something.
	lineStart bool
	heading   bool
	// autolink says that text is the address between angle brackets, where nothing is escaped.
	autolink bool
	// opened are delimiters that wait for what follows them; closed ones stand already.
	opened []string
	closed []string
	// groups are the rows of opening delimiters in this text.
	groups []delimiters
}

// delimiters is a row of opening delimiters in the output.
type delimiters struct {
	from, to int
	// first says that nothing stands before them in their line.
	first bool
}

func writeCommonMark(w *writer, blocks []block) {
	c := commonMark{writer: w}
	c.blocks(blocks, false)
}

func (c *commonMark) newline() {
	c.text("\n")
	if !c.visible {
		c.buf = append(c.buf, c.prefix...)
	}
}

// blank writes an empty line, without white space at its end.
func (c *commonMark) blank() {
	c.text("\n")
	if !c.visible {
		c.buf = append(c.buf, strings.TrimRight(string(c.prefix), " ")...)
	}
	c.newline()
}

func (c *commonMark) blocks(blocks []block, tight bool) {
	alternate := false
	for i := range blocks {
		bl := &blocks[i]
		// Lists that follow each other are told apart by their markers.
		alternate = i > 0 && !alternate && bl.kind == sdk.NodeList && blocks[i-1].kind == sdk.NodeList &&
			blocks[i-1].ordered == bl.ordered
		if i > 0 {
			// A list can follow a paragraph without an empty line only if it begins with a bullet or 1.
			if tight && bl.kind == sdk.NodeList && blocks[i-1].kind == sdk.NodeParagraph && bl.level <= 1 {
				c.newline()
			} else {
				c.blank()
			}
		}
		switch bl.kind {
		case sdk.NodeParagraph:
			c.inline(bl.text)
		case sdk.NodeHeading:
			c.tag(strings.Repeat("#", bl.level) + " ")
			c.heading = true
			c.inline(bl.text)
			c.heading = false
		case sdk.NodeCodeBlock:
			c.codeBlock(bl)
		case sdk.NodeRule:
			c.tag("___")
		case sdk.NodeQuote:
			c.indented("> ", func() { c.tag("> "); c.blocks(bl.blocks, false) })
		case sdk.NodeList:
			c.list(bl, alternate)
		}
	}
}

func (c *commonMark) indented(prefix string, f func()) {
	n := len(c.prefix)
	c.prefix = append(c.prefix, prefix...)
	f()
	c.prefix = c.prefix[:n]
}

func (c *commonMark) list(list *block, alternate bool) {
	loose := false
	for _, item := range list.blocks {
		loose = loose || !onlyLists(item.blocks[1:])
	}
	for i := range list.blocks {
		if i > 0 {
			if loose {
				c.blank()
			} else {
				c.newline()
			}
		}
		marker := "- "
		switch {
		case list.ordered && alternate:
			marker = strconv.Itoa(list.level+i) + ") "
		case list.ordered:
			marker = strconv.Itoa(list.level+i) + ". "
		case alternate:
			marker = "* "
		}
		c.tag(marker)
		c.indented(strings.Repeat(" ", len(marker)), func() { c.blocks(list.blocks[i].blocks, true) })
	}
}

func (c *commonMark) codeBlock(bl *block) {
	fence := strings.Repeat("`", max(3, longestRun(bl.text.text, '`')+1))
	c.tag(fence + bl.lang)
	if !c.visible {
		c.newline()
	}
	for text := bl.text.text; ; {
		line, rest, more := strings.Cut(text, "\n")
		c.text(line)
		if !more {
			break
		}
		if rest == "" || rest[0] == '\n' {
			c.text("\n")
			c.tag(strings.TrimRight(string(c.prefix), " "))
		} else {
			c.newline()
		}
		text = rest
	}
	if !c.visible {
		c.newline()
	}
	c.tag(fence)
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] == c {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}

func (c *commonMark) inline(p prose) {
	c.lineStart = true
	c.groups = c.groups[:0]
	p.write(c)
	c.settle(' ')
}

func (c *commonMark) open(m mark) {
	d := "**"
	switch m {
	case emphasis:
		d = "_"
	case strike:
		d = "~~"
	}
	c.opened = append(c.opened, d)
}

func (c *commonMark) close(m mark) {
	d := "**"
	switch m {
	case emphasis:
		d = "_"
	case strike:
		d = "~~"
	}
	if len(c.closed) == 0 && !c.visible {
		// A closing delimiter cannot follow white space, which no-break spaces are too, nor strike follow a tilde.
		if r, n := utf8.DecodeLastRune(c.buf); isUnicodeSpace(r) {
			c.buf = c.buf[:len(c.buf)-n]
			c.reference(r)
		}
	}
	c.closed = append(c.closed, d)
	c.tag(d)
}

// settle ends a row of delimiters, closing ones before opening ones, now that the character after them is known. It
// reports whether that character must be written as a reference.
func (c *commonMark) settle(next rune) (encode bool) {
	if c.visible {
		return false
	}
	word := !isUnicodeSpace(next) && !isPunctuation(next)
	switch n := len(c.closed); {
	case n > 0 && len(c.opened) > 0:
		if c.mixesStrike() {
			// Some parsers look past the tildes for the characters around a delimiter. Punctuation on both sides is
			// right for either view.
			row := strings.Join(c.closed, "")
			c.buf = c.buf[:len(c.buf)-len(row)]
			c.separate()
			c.tag(row)
			encode = word
		}
	case n > 0 && word:
		before, _ := utf8.DecodeLastRune(c.buf[:len(c.buf)-len(c.closed[n-1])])
		encode = c.closed[n-1] == "_" || !isWordRune(before)
	}
	c.closed = c.closed[:0]
	if n := len(c.opened); n > 0 {
		encode = encode || isUnicodeSpace(next)
		if !c.lineStart && (n > 1 || encode || !isWordRune(next) || c.opened[0] == "_") {
			c.separate()
		}
		g := delimiters{from: len(c.buf), first: c.lineStart}
		for _, d := range c.opened {
			c.tag(d)
		}
		g.to = len(c.buf)
		c.groups = append(c.groups, g)
		c.opened = c.opened[:0]
		c.lineStart = false
	}
	return encode
}

// mixesStrike reports whether the row holds delimiters of strikethrough and of another format.
func (c *commonMark) mixesStrike() bool {
	strike, other := false, false
	for _, row := range [][]string{c.closed, c.opened} {
		for _, d := range row {
			strike = strike || d == "~~"
			other = other || d != "~~"
		}
	}
	return strike && other
}

// separate makes sure that the last character is white space or punctuation, so that what follows can open.
func (c *commonMark) separate() {
	r, size := utf8.DecodeLastRune(c.buf)
	if isUnicodeSpace(r) || isPunctuation(r) {
		return
	}
	c.buf = c.buf[:len(c.buf)-size]
	// Punctuation right after delimiters that opened before a letter needs them separated as well.
	if n := len(c.groups); n > 0 && c.groups[n-1].to == len(c.buf) && !c.groups[n-1].first {
		g := c.groups[n-1]
		row := string(c.buf[g.from:g.to])
		c.buf, c.groups = c.buf[:g.from], c.groups[:n-1]
		c.separate()
		c.groups = append(c.groups, delimiters{from: len(c.buf), to: len(c.buf) + len(row)})
		c.tag(row)
	}
	c.reference(r)
}

func (c *commonMark) reference(r rune) {
	c.buf = append(c.buf, "&#"...)
	c.buf = strconv.AppendInt(c.buf, int64(r), 10)
	c.buf = append(c.buf, ';')
}

// isPunctuation reports what every version of CommonMark counts as punctuation; symbols such as emoji count in some.
func isPunctuation(r rune) bool {
	return r < utf8.RuneSelf && r > ' ' && !isWordRune(r) || r >= utf8.RuneSelf && unicode.IsPunct(r)
}

// isWordRune reports what no version counts as punctuation or white space.
func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	return !unicode.IsPunct(r) && !unicode.IsSymbol(r) && !unicode.IsSpace(r)
}

func isUnicodeSpace(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Zs, r) }

// isAutolink reports whether a link can be written as <address>. Parsers disagree on references in one.
func isAutolink(a *anchor, label string) bool {
	return label == a.url && !strings.HasPrefix(a.url, "mailto:") && !holdsEntity(a.url)
}

// openLink writes an autolink where the label is the address itself.
func (c *commonMark) openLink(a *anchor, label string) {
	if c.visible {
		return
	}
	c.settle('[')
	if isAutolink(a, label) {
		c.tag("<")
		c.autolink = true
	} else {
		if n := len(c.buf); n > 0 && c.buf[n-1] == '!' {
			c.buf = append(c.buf[:n-1], `\!`...)
		}
		c.tag("[")
	}
	c.lineStart = false
}

func (c *commonMark) closeLink(a *anchor, label string) {
	if c.visible {
		return
	}
	if c.autolink {
		c.tag(">")
		c.autolink = false
		return
	}
	c.settle(']')
	c.tag("](")
	for i := range len(a.url) {
		ch := a.url[i]
		switch {
		case ch == '(' || ch == ')':
			c.tag(`\`)
		case ch == '&' && looksLikeEntity(a.url[i:]):
			c.tag("&amp;") // some parsers resolve references before backslashes here
			continue
		}
		c.buf = append(c.buf, ch)
	}
	c.tag(")")
}

func (c *commonMark) code(s string) {
	if c.visible {
		c.text(s)
		return
	}
	c.settle('`')
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	pad := ""
	if s[0] == '`' || s[len(s)-1] == '`' {
		pad = " "
	}
	c.text(fence + pad + s + pad + fence)
	c.lineStart = false
}

// prose writes text. A break is two spaces before the line feed, which readers that know no hard breaks do not show.
func (c *commonMark) prose(s string) {
	if c.visible || c.autolink {
		c.text(s)
		return
	}
	for {
		line, rest, more := strings.Cut(s, "\n")
		c.line(line)
		if !more {
			return
		}
		c.settle(' ')
		c.text("  ")
		c.newline()
		c.lineStart = true
		s = rest
	}
}

// line writes a piece of a line with everything escaped that could mean something.
func (c *commonMark) line(s string) {
	if s == "" {
		return
	}
	if r, n := utf8.DecodeRuneInString(s); c.settle(r) {
		c.reference(r)
		c.lineStart = false
		s = s[n:]
	}
	if c.lineStart && !c.heading {
		s = c.beginning(s)
	}
	c.lineStart = false
	from := 0
	for i := range len(s) {
		switch ch := s[i]; ch {
		case '\\', '`', '*', '_', '[', ']', '<', '>', '|':
		case '#':
			if !c.heading {
				continue
			}
		case '~':
			// Strikethrough cannot begin or end beside a tilde, not even an escaped one.
			c.text(s[from:i])
			c.reference('~')
			from = i + 1
			continue
		case '&':
			if !looksLikeEntity(s[i:]) {
				continue
			}
		default:
			continue
		}
		c.text(s[from:i])
		c.text(`\`)
		from = i
	}
	c.text(s[from:])
}

// beginning escapes what only means something at the beginning of a line: headings, items, underlines of headings and of
// table heads, and white space that would indent or be trimmed. It gives what is left to write.
func (c *commonMark) beginning(s string) string {
	ends := func(i int) bool { return i == len(s) || s[i] == ' ' || s[i] == '\t' }
	if r, n := utf8.DecodeRuneInString(s); r != ' ' && isUnicodeSpace(r) {
		c.reference(r)
		return s[n:]
	}
	switch s[0] {
	case '#':
		if n := len(s) - len(strings.TrimLeft(s, "#")); ends(n) {
			c.text(`\#`)
			return s[1:]
		}
	case '-':
		if ends(1) || s[1] == '-' || s[1] == ':' {
			c.text(`\-`)
			return s[1:]
		}
	case '+':
		if ends(1) {
			c.text(`\+`)
			return s[1:]
		}
	case '=':
		c.text(`\=`)
		return s[1:]
	case ':':
		if len(s) > 1 && s[1] == '-' {
			c.text(`\:`)
			return s[1:]
		}
	}
	n := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if n > 0 && n < 10 && n < len(s) && (s[n] == '.' || s[n] == ')') && ends(n+1) {
		c.text(s[:n] + `\`)
		c.text(s[n : n+1])
		return s[n+1:]
	}
	return s
}

func holdsEntity(s string) bool {
	for i := range len(s) {
		if s[i] == '&' && looksLikeEntity(s[i:]) {
			return true
		}
	}
	return false
}

// looksLikeEntity reports whether s begins with what could be a character reference.
func looksLikeEntity(s string) bool {
	end := strings.IndexByte(s[:min(len(s), 40)], ';')
	if end < 2 {
		return false
	}
	for _, c := range []byte(strings.TrimPrefix(s[1:end], "#")) {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			return false
		}
	}
	return true
}

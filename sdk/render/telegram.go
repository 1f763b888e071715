package render

import (
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// forTelegram gives the blocks that Telegram's text with entities can express, which read as the given ones: paragraphs,
// code blocks outside quotations, and quotations of paragraphs. Inline code stands alone and never in a link; links are
// http or https (Bot API, "Formatting options"; Telegram drops other links without a word).
func forTelegram(blocks []block) []block {
	t := telegramBlocks{}
	t.blocks(blocks)
	t.endQuote()
	return t.out
}

type telegramBlocks struct {
	out []block
	// quoted collects the blocks of the quotation that is open; depth counts the open ones.
	quoted []block
	depth  int
	// lines are the items of a list so far.
	lines joiner
}

func (t *telegramBlocks) blocks(blocks []block) {
	for i := range blocks {
		bl := &blocks[i]
		switch bl.kind {
		case sdk.NodeParagraph, sdk.NodeHeading:
			t.add(paragraph(telegramProse(bl)))
		case sdk.NodeCodeBlock:
			t.endQuote()
			t.out = append(t.out, *bl)
		case sdk.NodeRule:
			t.line(ruleLine)
			t.endLines()
		case sdk.NodeQuote:
			t.depth++
			t.blocks(bl.blocks)
			if t.depth--; t.depth == 0 {
				t.endQuote()
			}
		case sdk.NodeList:
			t.list(bl, "", "")
			t.endLines()
		}
	}
}

func (t *telegramBlocks) add(bl block) {
	if t.depth > 0 {
		t.quoted = append(t.quoted, bl)
	} else {
		t.out = append(t.out, bl)
	}
}

func (t *telegramBlocks) endQuote() {
	if len(t.quoted) > 0 {
		t.out = append(t.out, block{kind: sdk.NodeQuote, blocks: t.quoted})
		t.quoted = nil
	}
}

// line begins a line of a list with the text given.
func (t *telegramBlocks) line(s string) {
	if len(t.lines.buf) > 0 {
		t.lines.add("\n", 0, nil)
	}
	t.lines.add(s, 0, nil)
}

func (t *telegramBlocks) endLines() {
	if p := t.lines.take(); p.text != "" {
		t.add(paragraph(p.slice(0, len(p.text))))
	}
}

// list writes items as lines. The indentation is made of no-break spaces, which stay where lines are trimmed; lead, if
// any, begins the first line instead.
func (t *telegramBlocks) list(list *block, indent, lead string) {
	const step = "\u00a0\u00a0\u00a0"
	for i := range list.blocks {
		marker := "• "
		if list.ordered {
			marker = strconv.Itoa(list.level+i) + ". "
		}
		if i == 0 && lead != "" {
			marker = lead + marker
		} else {
			marker = indent + marker
		}
		for _, bl := range list.blocks[i].blocks {
			switch bl.kind {
			case sdk.NodeParagraph, sdk.NodeHeading:
				t.line(marker)
				t.indentLines(telegramProse(&bl), indent+step)
			case sdk.NodeList:
				if marker == indent+step {
					t.list(&bl, indent+step, "")
				} else {
					t.list(&bl, indent+step, marker)
				}
			default:
				if marker != indent+step {
					t.line(strings.TrimRight(marker, " "))
				}
				t.endLines()
				t.blocks([]block{bl})
			}
			marker = indent + step
		}
	}
}

// indentLines adds text whose further lines are indented.
func (t *telegramBlocks) indentLines(p prose, indent string) {
	for _, s := range p.spans {
		t.lines.add(strings.ReplaceAll(p.text[s.start:s.end], "\n", "\n"+indent), s.marks, s.link)
	}
}

// telegramProse gives a paragraph's or heading's text with the formats that Telegram can nest.
func telegramProse(bl *block) prose {
	p := bl.text
	base := mark(0)
	if bl.kind == sdk.NodeHeading {
		base = strong
	} else if !slices.ContainsFunc(p.spans, func(s span) bool {
		return s.marks&code != 0 || s.link != nil && strings.HasPrefix(s.link.url, "mailto:")
	}) {
		return p
	}
	var b proseBuilder
	for i, s := range p.spans {
		switch {
		case s.marks&code == 0:
			s.marks |= base
		case s.link == nil:
			s.marks = code
		default:
			s.marks = s.marks&^code | base
		}
		mail, isMail := "", false
		if s.link != nil {
			mail, isMail = strings.CutPrefix(s.link.url, "mailto:")
		}
		if !isMail {
			b.write(p.text[s.start:s.end], s.marks, s.link)
			continue
		}
		b.write(p.text[s.start:s.end], s.marks, nil)
		if i+1 == p.linkEnd(i) && !shows(p.label(p.linkStart(i)), s.link.url) {
			b.write(" ("+mail+")", base, nil)
		}
	}
	if done := b.finish(); len(done) > 0 {
		return done[0]
	}
	return p
}

// writeTelegramHTML writes blocks that forTelegram gave.
func writeTelegramHTML(w *writer, blocks []block) {
	t := telegramHTML{w}
	for i := range blocks {
		if i > 0 {
			t.text("\n\n")
		}
		switch bl := &blocks[i]; bl.kind {
		case sdk.NodeQuote:
			t.tag("<blockquote>")
			for j := range bl.blocks {
				if j > 0 {
					t.text("\n\n")
				}
				bl.blocks[j].text.write(t)
			}
			t.tag("</blockquote>")
		case sdk.NodeCodeBlock:
			end := "</pre>"
			t.tag("<pre>")
			if bl.lang != "" {
				t.tag(`<code class="language-` + bl.lang + `">`)
				end = "</code></pre>"
			}
			t.escape(bl.text.text)
			t.tag(end)
		default:
			bl.text.write(t)
		}
	}
}

type telegramHTML struct{ *writer }

func (t telegramHTML) open(m mark) {
	switch m {
	case strong:
		t.tag("<b>")
	case emphasis:
		t.tag("<i>")
	case strike:
		t.tag("<s>")
	}
}

func (t telegramHTML) close(m mark) {
	switch m {
	case strong:
		t.tag("</b>")
	case emphasis:
		t.tag("</i>")
	case strike:
		t.tag("</s>")
	}
}

func (t telegramHTML) openLink(a *anchor, _ string) {
	if !t.visible {
		t.tag(`<a href="`)
		t.escape(a.url)
		t.tag(`">`)
	}
}

func (t telegramHTML) closeLink(*anchor, string) { t.tag("</a>") }
func (t telegramHTML) prose(s string)            { t.escape(s) }

func (t telegramHTML) code(s string) {
	t.tag("<code>")
	t.escape(s)
	t.tag("</code>")
}

// writeMarkdownV2 writes blocks that forTelegram gave.
func writeMarkdownV2(w *writer, blocks []block) {
	t := &markdownV2{writer: w}
	for i := range blocks {
		if i > 0 {
			t.text("\n\n")
		}
		switch bl := &blocks[i]; bl.kind {
		case sdk.NodeQuote:
			t.quote = true
			t.tag(">")
			for j := range bl.blocks {
				if j > 0 {
					t.prose("\n\n")
				}
				bl.blocks[j].text.write(t)
			}
			t.quote = false
		case sdk.NodeCodeBlock:
			t.tag("```" + bl.lang + "\n")
			t.backslash(bl.text.text, "`\\")
			t.tag("```")
		default:
			bl.text.write(t)
		}
	}
}

type markdownV2 struct {
	*writer
	// quote says that every line begins with ">".
	quote bool
}

func (t *markdownV2) open(m mark) {
	switch m {
	case strong:
		t.tag("*")
	case emphasis:
		t.tag("_")
	case strike:
		t.tag("~")
	}
}

func (t *markdownV2) close(m mark) { t.open(m) }

func (t *markdownV2) openLink(*anchor, string) { t.tag("[") }

func (t *markdownV2) closeLink(a *anchor, _ string) {
	if !t.visible {
		t.tag("](")
		t.backslash(a.url, ")\\")
		t.tag(")")
	}
}

func (t *markdownV2) prose(s string) {
	for {
		line, rest, more := strings.Cut(s, "\n")
		t.backslash(line, "_*[]()~`>#+-=|{}.!\\")
		if !more {
			return
		}
		t.text("\n")
		if t.quote {
			t.tag(">")
		}
		s = rest
	}
}

func (t *markdownV2) code(s string) {
	t.tag("`")
	t.backslash(s, "`\\")
	t.tag("`")
}

// backslash writes text with a backslash before each of the characters given.
func (t *markdownV2) backslash(s, escaped string) {
	for !t.visible {
		i := strings.IndexAny(s, escaped)
		if i < 0 {
			break
		}
		t.buf = append(append(t.buf, s[:i]...), '\\', s[i])
		s = s[i+1:]
	}
	t.text(s)
}

package render

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// mark is a set of inline formats.
type mark uint8

const (
	strong mark = 1 << iota
	emphasis
	strike
	code

	// These exist only while HTML is read: the words of a caption that name an author, and raised and lowered text.
	credit
	superscript
	subscript
)

// formats are the marks that wrap others, in the order in which equally wide ones nest.
var formats = [...]mark{strong, emphasis, strike}

// anchor is the target of one link. Two links to one address are two anchors.
type anchor struct{ url string }

// span is a stretch of text with one set of marks.
type span struct {
	start, end int
	marks      mark
	link       *anchor
}

// prose is the running text of a paragraph or heading: a text whose line feeds are breaks, and spans that cover it without
// gaps. Flat spans instead of nested nodes make formats that overlap, merge or get cut a matter of bounds.
type prose struct {
	text  string
	spans []span
}

// slice gives a part of the text, without white space at its ends.
func (p prose) slice(from, to int) prose {
	text := p.text[from:to]
	from += len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	to -= len(text) - len(strings.TrimRightFunc(text, unicode.IsSpace))
	return p.clip(from, max(from, to))
}

// trim takes white space off the ends, which no-break spaces are too.
func (p prose) trim() prose {
	if strings.TrimSpace(p.text) == p.text {
		return p
	}
	return p.slice(0, len(p.text))
}

// clip gives a part of the text as it is.
func (p prose) clip(from, to int) prose {
	out := prose{text: p.text[from:to]}
	for _, s := range p.spans {
		if s.end <= from || s.start >= to {
			continue
		}
		s.start, s.end = max(s.start, from)-from, min(s.end, to)-from
		out.spans = append(out.spans, s)
	}
	return out
}

// joiner puts prose together from pieces that are clean already.
type joiner struct {
	buf   []byte
	spans []span
}

func (j *joiner) add(s string, m mark, link *anchor) {
	if s != "" {
		start := len(j.buf)
		j.buf = append(j.buf, s...)
		j.spans = appendSpan(j.spans, span{start, len(j.buf), m, link})
	}
}

// take gives what was added and begins anew.
func (j *joiner) take() prose {
	p := prose{text: string(j.buf), spans: j.spans}
	*j = joiner{}
	return p
}

func appendSpan(spans []span, s span) []span {
	if n := len(spans); n > 0 && spans[n-1].marks == s.marks && spans[n-1].link == s.link {
		spans[n-1].end = s.end
		return spans
	}
	return append(spans, s)
}

// restyle gives the text with the marks and links that f chooses for each span.
func (p prose) restyle(f func(s span) (mark, *anchor)) prose {
	out := prose{text: p.text, spans: make([]span, 0, len(p.spans))}
	for _, s := range p.spans {
		s.marks, s.link = f(s)
		out.spans = appendSpan(out.spans, s)
	}
	return out
}

// linkEnd gives the index after the last span of the link that the span at i belongs to.
func (p prose) linkEnd(i int) int {
	link := p.spans[i].link
	for i < len(p.spans) && p.spans[i].link == link {
		i++
	}
	return i
}

// linkStart gives the index of the first span of the link that the span at i belongs to.
func (p prose) linkStart(i int) int {
	for i > 0 && p.spans[i-1].link == p.spans[i].link {
		i--
	}
	return i
}

// label is the text of the link that begins with the span at i.
func (p prose) label(i int) string { return p.text[p.spans[i].start:p.spans[p.linkEnd(i)-1].end] }

// inlineWriter takes prose as properly nested events. A text may hold line feeds, which are breaks; nothing else does.
type inlineWriter interface {
	open(m mark)
	close(m mark)
	openLink(a *anchor, label string)
	closeLink(a *anchor, label string)
	prose(s string)
	code(s string)
}

// write sends the text to w. At each place the format that reaches furthest is opened first.
func (p prose) write(w inlineWriter) { p.writeSpans(w, 0, len(p.spans), 0, nil) }

func (p prose) writeSpans(w inlineWriter, lo, hi int, active mark, link *anchor) {
	for lo < hi {
		s := &p.spans[lo]
		if m, end := p.widest(lo, hi, active, link); m != 0 {
			w.open(m)
			p.writeSpans(w, lo, end, active|m, link)
			w.close(m)
			lo = end
			continue
		}
		if s.link != link && s.link != nil {
			end := p.linkEnd(lo)
			label := p.label(lo)
			w.openLink(s.link, label)
			p.writeSpans(w, lo, end, active, s.link)
			w.closeLink(s.link, label)
			lo = end
			continue
		}
		if s.marks&code != 0 {
			w.code(p.text[s.start:s.end])
		} else {
			w.prose(p.text[s.start:s.end])
		}
		lo++
	}
}

// widest finds the format to open at lo and where it ends: never inside a link that begins after lo.
func (p prose) widest(lo, hi int, active mark, link *anchor) (best mark, end int) {
	for _, m := range formats {
		if p.spans[lo].marks&m == 0 || active&m != 0 {
			continue
		}
		e := lo + 1
		for e < hi && p.spans[e].marks&m != 0 {
			e++
		}
		if link == nil && e < hi {
			for e > lo && p.spans[e].link != nil && p.spans[e-1].link == p.spans[e].link {
				e--
			}
		}
		if e > lo && e > end {
			best, end = m, e
		}
	}
	return best, end
}

// nodes gives the text as inline nodes.
func (p prose) nodes() []sdk.Node {
	w := nodeWriter{stack: make([][]sdk.Node, 1, 4)}
	p.write(&w)
	return w.stack[0]
}

type nodeWriter struct{ stack [][]sdk.Node }

func (w *nodeWriter) add(n sdk.Node) {
	top := len(w.stack) - 1
	w.stack[top] = append(w.stack[top], n)
}

func (w *nodeWriter) pop() []sdk.Node {
	top := len(w.stack) - 1
	nodes := w.stack[top]
	w.stack = w.stack[:top]
	return nodes
}

func (w *nodeWriter) open(mark)                { w.stack = append(w.stack, nil) }
func (w *nodeWriter) openLink(*anchor, string) { w.stack = append(w.stack, nil) }

func (w *nodeWriter) close(m mark) {
	kind := sdk.NodeStrong
	switch m {
	case emphasis:
		kind = sdk.NodeEmphasis
	case strike:
		kind = sdk.NodeStrike
	}
	w.add(sdk.Node{Kind: kind, Children: w.pop()})
}

func (w *nodeWriter) closeLink(a *anchor, _ string) { w.add(sdk.Link(a.url, w.pop()...)) }

func (w *nodeWriter) code(s string) { w.add(sdk.Node{Kind: sdk.NodeCode, Text: s}) }

func (w *nodeWriter) prose(s string) {
	for {
		line, rest, more := strings.Cut(s, "\n")
		if line != "" {
			w.add(sdk.Text(line))
		}
		if !more {
			return
		}
		w.add(sdk.Node{Kind: sdk.NodeBreak})
		s = rest
	}
}

// cost is an upper bound of the nodes that the span becomes.
func (p prose) cost(s span) int {
	n := 1 + bits.OnesCount8(uint8(s.marks&^code)) + 2*strings.Count(p.text[s.start:s.end], "\n")
	if s.link != nil {
		n++
	}
	return n
}

// proseBuilder makes prose of pieces of text: it cleans, collapses white space and merges spans.
type proseBuilder struct {
	// oneLine says that breaks are spaces, as in a heading.
	oneLine bool

	buf   []byte
	spans []span
	done  []prose
	// ink counts what was written besides white space.
	ink    int
	breaks int
	// space says that white space is due before the next character, and what it was.
	space      bool
	spaceMarks mark
	spaceLink  *anchor
}

// write adds text in which line feeds are breaks.
func (b *proseBuilder) write(s string, m mark, link *anchor) { b.put(s, m, link, false) }

// flow adds text in which line feeds are white space, as in HTML.
func (b *proseBuilder) flow(s string, m mark, link *anchor) { b.put(s, m, link, true) }

// br adds a break.
func (b *proseBuilder) br(m mark, link *anchor) {
	if b.oneLine || link != nil || m&code != 0 {
		b.blank(m, link)
		return
	}
	b.breaks++
}

func (b *proseBuilder) blank(m mark, link *anchor) {
	if !b.space {
		b.space, b.spaceMarks, b.spaceLink = true, m, link
	}
}

func (b *proseBuilder) put(s string, m mark, link *anchor, flow bool) {
	for i := 0; i < len(s); {
		if j := plainEnd(s, i); j > i {
			b.emit(s[i:j], m, link)
			i = j
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == ' ' || r == '\t' || r == '\v' || r == '\f':
			b.blank(m, link)
		case r == '\n' || r == '\r' || r == 0x85:
			if r == '\r' && i < len(s) && s[i] == '\n' {
				i++
			}
			if flow {
				b.blank(m, link)
			} else {
				b.br(m, link)
			}
		case r == 0x2028:
			b.br(m, link)
		case r == 0x2029:
			b.br(m, link)
			b.br(m, link)
		case r == utf8.RuneError && !b.endsWith("\uFFFD"):
			b.emit("\uFFFD", m, link)
		}
	}
}

// plainEnd finds the end of the characters from i on that are taken as they are, single spaces between them included.
func plainEnd(s string, i int) int {
	start, end := i, i
	for i < len(s) {
		c := s[i]
		switch {
		case c > ' ' && c < 0x7f:
			i++
			end = i
		case c == ' ' && end == i && i > start:
			i++
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError || r == 0x2028 || r == 0x2029 || unwanted(r) {
				return end
			}
			i += size
			end = i
		default:
			return end
		}
	}
	return end
}

// endsWith asks for what stands right before the next character.
func (b *proseBuilder) endsWith(s string) bool {
	return !b.space && b.breaks == 0 && strings.HasSuffix(string(b.buf[max(0, len(b.buf)-len(s)):]), s)
}

// unwanted reports whether a character has no place in text that people read: it is a control, changes the direction of
// what surrounds it, or stands for nothing.
func unwanted(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f, r == 0xfeff,
		r >= 0x202a && r <= 0x202e,                     // embeddings and overrides
		r >= 0x2066 && r <= 0x206f,                     // isolates and deprecated formats
		r >= 0xfff9 && r <= 0xfffb,                     // interlinear annotations
		r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe, // noncharacters
		r == 0xe0001: // language tag
		return true
	}
	return false
}

// emit adds characters that are no white space, and first the break or space that is due.
func (b *proseBuilder) emit(s string, m mark, link *anchor) {
	switch {
	case b.breaks > 0:
		if b.breaks > 1 {
			b.paragraph()
		} else if len(b.buf) > 0 {
			b.put1("\n", 0, nil)
		}
	case b.space && len(b.buf) > 0:
		// A space at the edge of a format lies outside it.
		last := b.spans[len(b.spans)-1]
		sm, sl := b.spaceMarks&last.marks&m, b.spaceLink
		if sl != last.link || sl != link {
			sl = nil
		}
		if last.marks != m {
			sm &^= code
		}
		b.put1(" ", sm, sl)
	}
	b.breaks, b.space = 0, false
	b.ink += len(s)
	b.put1(s, m, link)
}

func (b *proseBuilder) put1(s string, m mark, link *anchor) {
	start := len(b.buf)
	b.buf = append(b.buf, s...)
	b.spans = appendSpan(b.spans, span{start, len(b.buf), m, link})
}

// paragraph ends one paragraph.
func (b *proseBuilder) paragraph() {
	if len(b.buf) > 0 {
		p := prose{text: string(b.buf), spans: b.spans}
		// No-break and other wide spaces at the ends indent and pad; paragraphs made of them alone are spacers.
		if hasInk(p.text) {
			b.done = append(b.done, p.trim().withoutDefinition())
		}
	}
	b.buf, b.spans = b.buf[:0], nil
	b.breaks, b.space = 0, false
}

// withoutDefinition makes text of code in a link that begins the paragraph where "]:" is in it. CommonMark would take the
// whole for a link reference definition, in which nothing can be escaped, and show nothing.
func (p prose) withoutDefinition() prose {
	if len(p.spans) == 0 {
		return p
	}
	first := p.spans[0].link
	if first == nil || !strings.Contains(p.label(0), "]:") {
		return p
	}
	return p.restyle(func(s span) (mark, *anchor) {
		if s.link == first && strings.Contains(p.text[s.start:s.end], "]:") {
			s.marks &^= code
		}
		return s.marks, s.link
	})
}

// finish gives the paragraphs and empties the builder.
func (b *proseBuilder) finish() []prose {
	b.paragraph()
	done := b.done
	b.done = nil
	return done
}

// hasInk reports whether any character of the text can be seen.
func hasInk(s string) bool {
	for _, r := range s {
		if r > ' ' && r < 0x7f || !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) {
			return true
		}
	}
	return false
}

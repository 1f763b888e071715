package render

import (
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// ruleLine is a rule where no markup draws one.
const ruleLine = "———"

// plainWriter writes text for people.
type plainWriter struct {
	*writer
	// prefix begins every line but the first of a block.
	prefix []byte
}

func writePlain(w *writer, blocks []block) {
	p := plainWriter{writer: w}
	p.blocks(blocks, false)
}

func (p *plainWriter) newline() {
	p.text("\n")
	p.buf = append(p.buf, p.prefix...)
}

// blank writes an empty line, without white space at its end.
func (p *plainWriter) blank() {
	p.text("\n")
	p.buf = append(p.buf, strings.TrimRight(string(p.prefix), " ")...)
	p.newline()
}

// blocks writes blocks, in a tight item with nested lists right below their line.
func (p *plainWriter) blocks(blocks []block, tight bool) {
	for i := range blocks {
		bl := &blocks[i]
		if i > 0 {
			if tight && bl.kind == sdk.NodeList {
				p.newline()
			} else {
				p.blank()
			}
		}
		switch bl.kind {
		case sdk.NodeParagraph, sdk.NodeHeading:
			bl.text.write(p)
		case sdk.NodeCodeBlock:
			p.prose(bl.text.text)
		case sdk.NodeRule:
			p.text(ruleLine)
		case sdk.NodeQuote:
			p.indented("> ", func() { p.text("> "); p.blocks(bl.blocks, false) })
		case sdk.NodeList:
			p.list(bl)
		}
	}
}

func (p *plainWriter) indented(prefix string, f func()) {
	n := len(p.prefix)
	p.prefix = append(p.prefix, prefix...)
	f()
	p.prefix = p.prefix[:n]
}

func (p *plainWriter) list(list *block) {
	for i := range list.blocks {
		if i > 0 {
			p.newline()
		}
		marker, indent := "• ", "  "
		if list.ordered {
			marker = strconv.Itoa(list.level+i) + ". "
			indent = strings.Repeat(" ", len(marker))
		}
		p.text(marker)
		p.indented(indent, func() { p.blocks(list.blocks[i].blocks, true) })
	}
}

func (p *plainWriter) open(mark)     {}
func (p *plainWriter) close(mark)    {}
func (p *plainWriter) code(s string) { p.text(s) }

func (p *plainWriter) prose(s string) {
	for {
		line, rest, more := strings.Cut(s, "\n")
		p.text(line)
		if !more {
			return
		}
		p.newline()
		s = rest
	}
}

// closeLink writes the address after the label, unless the label is the address; then it stands for it, whole.
func (p *plainWriter) openLink(*anchor, string) {}

func (p *plainWriter) closeLink(a *anchor, label string) {
	url := strings.TrimPrefix(a.url, "mailto:")
	if shows(label, a.url) {
		p.buf = append(p.buf[:len(p.buf)-len(label)], url...)
		return
	}
	p.text(" (" + url + ")")
}

// parsePlain reads text as people type it.
func parsePlain(text string) []block {
	b := newBuilder()
	for text != "" {
		from, to := findAddress(text)
		if from < 0 {
			break
		}
		b.prose.write(text[:from], 0, nil)
		if url, ok := address(text[from:to]); ok {
			b.prose.write(text[from:to], 0, &anchor{url: url})
		} else {
			b.prose.write(text[from:to], 0, nil)
		}
		text = text[to:]
	}
	b.prose.write(text, 0, nil)
	return b.finish()
}

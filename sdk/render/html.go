package render

import (
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// HTMLOptions change how HTML is written. The zero value is what Render uses.
type HTMLOptions struct {
	// HeadingShift is added to the level of headings, which end at h6: 1 where the page has its own h1.
	HeadingShift int
	// Rel is the rel attribute of links. It is empty by default: links open in the same window, where "noopener" says
	// nothing, and "nofollow" or "ugc" would disown the newsroom's own articles. Pages that show strangers' words set
	// "nofollow ugc".
	Rel string
}

// RenderHTML writes a body as an HTML fragment of p, h1 to h6, blockquote, ul, ol, li, pre, code, hr, br, strong, em, s
// and a. It has no class, style or id; a code block's language is its data-lang attribute. FromHTML reads it back.
func RenderHTML(b sdk.Body, o HTMLOptions) string {
	w := writer{}
	writeHTML(&w, normalize(b), o)
	return string(w.buf)
}

type htmlWriter struct {
	*writer
	options HTMLOptions
}

func writeHTML(w *writer, blocks []block, o HTMLOptions) {
	h := htmlWriter{writer: w, options: o}
	h.blocks(blocks)
}

func (h *htmlWriter) blocks(blocks []block) {
	for i := range blocks {
		if i > 0 {
			h.separate()
		}
		h.block(&blocks[i])
	}
}

// separate writes what stands between blocks: one line feed in the source, an empty line for the reader.
func (h *htmlWriter) separate() {
	h.text("\n")
	if h.visible {
		h.text("\n")
	}
}

func (h *htmlWriter) block(bl *block) {
	switch bl.kind {
	case sdk.NodeParagraph:
		h.tag("<p>")
		bl.text.write(h)
		h.tag("</p>")
	case sdk.NodeHeading:
		level := strconv.Itoa(min(max(bl.level+h.options.HeadingShift, 1), 6))
		h.tag("<h" + level + ">")
		bl.text.write(h)
		h.tag("</h" + level + ">")
	case sdk.NodeCodeBlock:
		if bl.lang == "" {
			h.tag("<pre><code>")
		} else {
			h.tag(`<pre data-lang="` + bl.lang + `"><code>`)
		}
		h.escape(bl.text.text)
		h.tag("</code></pre>")
	case sdk.NodeRule:
		h.tag("<hr>")
	case sdk.NodeQuote:
		h.tag("<blockquote>\n")
		h.blocks(bl.blocks)
		h.tag("\n</blockquote>")
	case sdk.NodeList:
		h.list(bl)
	}
}

func (h *htmlWriter) list(list *block) {
	end := "</ul>"
	switch {
	case !list.ordered:
		h.tag("<ul>")
	case list.level == 1:
		h.tag("<ol>")
		end = "</ol>"
	default:
		h.tag(`<ol start="` + strconv.Itoa(list.level) + `">`)
		end = "</ol>"
	}
	for i := range list.blocks {
		if !h.visible || i > 0 {
			h.text("\n")
		}
		h.tag("<li>")
		h.item(list.blocks[i].blocks)
		h.tag("</li>")
	}
	h.tag("\n" + end)
}

// item writes a paragraph without p where only lists follow it.
func (h *htmlWriter) item(blocks []block) {
	if blocks[0].kind == sdk.NodeParagraph && onlyLists(blocks[1:]) {
		blocks[0].text.write(h)
		for i := range blocks[1:] {
			h.text("\n")
			h.block(&blocks[1+i])
		}
		return
	}
	h.blocks(blocks)
}

func onlyLists(blocks []block) bool {
	for i := range blocks {
		if blocks[i].kind != sdk.NodeList {
			return false
		}
	}
	return true
}

func (h *htmlWriter) open(m mark) {
	switch m {
	case strong:
		h.tag("<strong>")
	case emphasis:
		h.tag("<em>")
	case strike:
		h.tag("<s>")
	}
}

func (h *htmlWriter) close(m mark) {
	switch m {
	case strong:
		h.tag("</strong>")
	case emphasis:
		h.tag("</em>")
	case strike:
		h.tag("</s>")
	}
}

func (h *htmlWriter) openLink(a *anchor, _ string) {
	if h.visible {
		return
	}
	h.tag(`<a href="`)
	h.escape(a.url)
	if h.options.Rel != "" {
		h.tag(`" rel="`)
		h.escape(h.options.Rel)
	}
	h.tag(`">`)
}

func (h *htmlWriter) closeLink(*anchor, string) { h.tag("</a>") }

func (h *htmlWriter) prose(s string) {
	for {
		line, rest, more := strings.Cut(s, "\n")
		h.escape(line)
		if !more {
			return
		}
		h.tag("<br>")
		h.text("\n")
		s = rest
	}
}

func (h *htmlWriter) code(s string) {
	h.tag("<code>")
	h.escape(s)
	h.tag("</code>")
}

// escape writes text for an element or a quoted attribute.
func (w *writer) escape(s string) {
	if w.visible {
		w.text(s)
		return
	}
	from := 0
	for i := range len(s) {
		var ref string
		switch s[i] {
		case '&':
			ref = "&amp;"
		case '<':
			ref = "&lt;"
		case '>':
			ref = "&gt;"
		case '"':
			ref = "&quot;"
		default:
			continue
		}
		w.buf = append(append(w.buf, s[from:i]...), ref...)
		from = i + 1
	}
	w.buf = append(w.buf, s[from:]...)
}

package render

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"github.com/belfry-news/belfry/sdk"
)

// Document is what a fragment of HTML holds.
type Document struct {
	// Body is normal and valid.
	Body sdk.Body
	// Media are the pictures, films and sounds in the order of the text, each address once, at most sdk.MaxMedia.
	Media []sdk.Media
	// Truncated says that the fragment exceeded a bound and that its end, or further media, are missing.
	Truncated bool
}

const (
	// maxHTML is how many bytes FromHTML reads.
	maxHTML = 4 << 20
	// maxOpen is how deep elements are told apart; deeper ones count as part of those around them.
	maxOpen = 256
)

// Kinds of blocks that exist only while HTML is read.
const (
	blockTable   sdk.NodeKind = "table"
	blockRow     sdk.NodeKind = "row"
	blockCell    sdk.NodeKind = "cell"
	blockFigure  sdk.NodeKind = "figure"
	blockCaption sdk.NodeKind = "caption"
)

// FromHTML reads a stranger's HTML. It takes anything and never fails: markup that makes no sense is read nearly as a
// browser reads it. Relative addresses are resolved against base; with a nil base they are dropped, as are links within
// the page and all that sdk.CheckLink refuses. The text of a dropped link stays.
//
// It keeps paragraphs, headings, quotations, lists, preformatted text, rules, breaks, emphasis, struck text, code and
// links. A table of short cells is a paragraph with a line for each row; any other is the blocks of its cells. In a
// figure with media the caption is the Alt of those that have none, and the Credit where it names one; it is not in the
// text. Left out are scripts, styles, forms, frames, drawings and formulas, comments, and what the hidden or aria-hidden
// attribute or an inline style hides. Pictures of one pixel or less only count readers, and are left out too.
//
// At most 4 MiB are read, in time linear to what is read. The body is bounded as Normalize says.
func FromHTML(fragment string, base *url.URL) Document {
	r := htmlReader{b: newBuilder()}
	if base != nil && (base.Scheme == "http" || base.Scheme == "https") {
		open := *base
		open.User = nil
		r.base = &open
	}
	if len(fragment) > maxHTML {
		fragment, r.truncated = cutBytes(fragment, maxHTML), true
	}
	r.read(fragment)
	r.popTo(0)
	body, cut := toBody(r.b.finish())
	return Document{Body: body, Media: r.media, Truncated: r.truncated || cut}
}

// element is one that is open.
type element struct {
	tag  string
	role role
	mark mark
	link *anchor
	// frames and media are how many containers and media there were before it.
	frames, media int
}

// htmlReader follows the tokens of a document with a list of open elements, as in the tree construction of the HTML
// Standard, but makes blocks at once. The list is short, so every step takes bounded time.
type htmlReader struct {
	b         *builder
	base      *url.URL
	open      []element
	media     []sdk.Media
	truncated bool

	// What the open elements mean for the text that follows.
	marks     mark
	link      *anchor
	skipping  bool
	caption   bool
	paragraph bool

	// Preformatted text so far.
	pre     bool
	preText strings.Builder
	preLang string
	// source is the address in the source elements of the picture that is open, film the film or sound that is.
	source string
	film   sdk.Media
}

func (r *htmlReader) read(fragment string) {
	if !strings.Contains(fragment, "<") { // one text, for which no tokenizer and its four kilobytes are needed
		r.text(html.UnescapeString(newlines.Replace(fragment)))
		return
	}
	z := html.NewTokenizer(strings.NewReader(fragment))
	z.AllowCDATA(true)
	for {
		if r.b.leaves > sdk.MaxBodyNodes {
			r.truncated = true
			return
		}
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.TextToken:
			r.text(string(z.Text()))
		case html.StartTagToken:
			r.start(z, false)
		case html.SelfClosingTagToken:
			r.start(z, true)
		case html.EndTagToken:
			name, _ := z.TagName()
			r.end(string(name))
		default:
			continue
		}
	}
}

// newlines are what a tokenizer makes of the ends of lines.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func (r *htmlReader) text(s string) {
	switch {
	case r.skipping:
	case r.pre:
		r.preText.WriteString(s)
	case r.marks&(superscript|subscript) != 0:
		r.inline(scriptDigits(s, r.marks&superscript != 0))
	default:
		r.inline(s)
	}
}

func (r *htmlReader) inline(s string) { r.b.prose.flow(s, r.marks&^(superscript|subscript), r.link) }

// start reads a start tag. An element that closes itself, as in XHTML, is empty.
func (r *htmlReader) start(z *html.Tokenizer, closed bool) {
	name, more := z.TagName()
	tag := string(name)
	if closed || tag == "noscript" {
		z.NextIsNotRawText()
	}
	var a attributes
	if more {
		a.read(z)
	}
	role := roleOf(tag)
	r.implied(tag, role)
	if r.skipping {
		switch {
		case tag == "source":
			r.film.URL = firstOf(r.film.URL, r.resolve(a.src, false))
			r.film.Type = firstOf(r.film.Type, mediaType(a.typ))
		case role == roleSkip:
			r.push(element{tag: tag, role: roleSkip})
		case role != roleVoid && !closed:
			r.push(element{tag: tag, role: roleInline})
		}
		return
	}
	switch {
	case a.hides():
		if role != roleVoid && !closed {
			r.push(element{tag: tag, role: roleSkip})
		}
	case role == roleVoid:
		r.void(tag, &a)
	case closed && (tag != "a" || a.href == ""):
		if tag == "video" || tag == "audio" {
			r.startFilm(tag, &a)
			r.endFilm()
		} else if role != roleInline && role != roleSkip {
			r.boundary()
		}
	default:
		r.element(tag, role, &a)
	}
}

// implied closes the elements that a start tag ends.
func (r *htmlReader) implied(tag string, role role) {
	if len(r.open) == 0 {
		return
	}
	switch tag {
	case "li":
		r.closeOpen("li", "ul ol menu dir table")
	case "dt", "dd":
		r.closeOpen("dt dd", "dl table")
	case "td", "th":
		r.closeOpen("td th", "tr table")
	case "tr", "thead", "tbody", "tfoot":
		r.closeOpen("tr", "table")
	case "a":
		r.closeOpen("a", "td th table")
	case "body":
		r.closeOpen("head", "")
	}
	if role == roleHeading {
		r.closeOpen("h1 h2 h3 h4 h5 h6", "td th table")
	}
	if r.paragraph && role != roleInline && role != roleSkip && (role != roleVoid || tag == "hr") {
		r.closeOpen("p", "li td th table blockquote figure figcaption button")
	}
}

// closeOpen closes the innermost of the elements named, unless a limit is further in.
func (r *htmlReader) closeOpen(tags, limits string) {
	for i, v := range slices.Backward(r.open) {
		if hasWord(tags, v.tag) {
			r.popTo(i)
			return
		}
		if hasWord(limits, v.tag) {
			return
		}
	}
}

func hasWord(words, word string) bool {
	for w := range strings.SplitSeq(words, " ") {
		if w == word {
			return true
		}
	}
	return false
}

// boundary ends a paragraph. In a heading it is white space, and in preformatted text a line feed.
func (r *htmlReader) boundary() {
	switch {
	case r.skipping:
	case r.pre:
		if s := r.preText.String(); s != "" && !strings.HasSuffix(s, "\n") {
			r.preText.WriteByte('\n')
		}
	case r.b.heading > 0:
		r.b.prose.flow(" ", 0, nil)
	default:
		r.b.flush()
	}
}

// element opens an element that is no void one.
func (r *htmlReader) element(tag string, role role, a *attributes) {
	e := element{tag: tag, role: role}
	switch {
	case role == roleSkip:
		if tag == "video" || tag == "audio" {
			r.startFilm(tag, a)
		}
	case r.pre:
		// Preformatted text holds nothing but text.
		if tag == "code" && r.preLang == "" {
			r.preLang = a.language()
		}
		if role != roleInline {
			e.role = roleBlock
			r.boundary()
		}
	case role == roleInline:
		r.inlineElement(&e, a)
	case role == roleBlock:
		r.boundary()
		e.mark = a.marks(tag)
		if r.caption && a.credits(tag) {
			e.mark |= credit
		}
	case role == roleHeading:
		if r.push(e) {
			r.b.startHeading(int(tag[1] - '0'))
		}
		return
	case role == rolePre:
		if r.push(e) {
			r.b.flush()
			r.pre, r.preLang = true, a.language()
			r.preText.Reset()
		}
		return
	case role == roleSection:
		r.boundary()
		return
	default:
		r.container(e, a)
		return
	}
	r.push(e)
}

func (r *htmlReader) inlineElement(e *element, a *attributes) {
	e.mark = a.marks(e.tag)
	if r.caption && a.credits(e.tag) {
		e.mark |= credit
	}
	switch e.tag {
	case "a":
		if u := r.resolve(a.href, true); u != "" {
			e.link = &anchor{url: u}
		}
	case "q":
		r.inline("“")
	case "picture":
		r.source = ""
	}
}

// container opens an element that holds blocks of its own. A part of a table or an item needs its container around it.
func (r *htmlReader) container(e element, a *attributes) {
	if r.b.heading > 0 {
		r.b.endHeading()
	}
	r.boundary()
	if !r.push(e) {
		return
	}
	around := r.b.frames[len(r.b.frames)-1].kind
	switch e.role {
	case roleQuote:
		r.b.open(block{kind: sdk.NodeQuote})
	case roleList:
		start, err := strconv.Atoi(strings.TrimSpace(a.start))
		if err != nil {
			start = 1
		}
		r.b.open(block{kind: sdk.NodeList, ordered: e.tag == "ol", level: start})
	case roleItem:
		if around != sdk.NodeList {
			r.b.open(block{kind: sdk.NodeList})
		}
		r.b.open(block{kind: sdk.NodeItem})
	case roleTable:
		r.b.open(block{kind: blockTable})
	case roleRow:
		if around == blockTable {
			r.b.open(block{kind: blockRow})
		}
	case roleCell:
		if around == blockRow {
			r.b.open(block{kind: blockCell, ordered: e.tag == "th"})
		}
	case roleFigure:
		r.b.open(block{kind: blockFigure})
	case roleCaption:
		r.b.open(block{kind: blockCaption})
	}
}

// push opens an element, unless too many are open. Where skipping begins always counts, since text would leak otherwise.
func (r *htmlReader) push(e element) bool {
	if len(r.open) >= maxOpen && (e.role != roleSkip || r.skipping) {
		return false
	}
	e.frames, e.media = len(r.b.frames), len(r.media)
	r.open = append(r.open, e)
	r.derive()
	return true
}

func (r *htmlReader) derive() {
	r.marks, r.link, r.skipping, r.caption, r.paragraph = 0, nil, false, false, false
	for i := range r.open {
		e := &r.open[i]
		r.paragraph = r.paragraph || e.tag == "p"
		switch e.role {
		case roleSkip:
			r.skipping = true
		case roleCell:
			r.marks, r.link = 0, nil
		case roleCaption:
			r.caption = true
		}
		r.marks |= e.mark
		if e.link != nil {
			r.link = e.link
		}
	}
}

// end reads an end tag. Without a start tag that it can reach it only ends a paragraph.
func (r *htmlReader) end(tag string) {
	role := roleOf(tag)
	switch role {
	case roleVoid:
		if tag == "br" && !r.skipping {
			r.void(tag, &attributes{})
		}
		return
	case roleSection:
		if !r.skipping {
			r.closeOpen("tr", "table")
			return
		}
	}
	for i := len(r.open) - 1; i >= 0; i-- {
		e := &r.open[i]
		if e.tag == tag || role == roleHeading && e.role == roleHeading {
			if e.role == roleInline {
				r.endInline(i)
			} else {
				r.popTo(i)
			}
			return
		}
		if e.role == roleTable && role != roleTable ||
			e.role == roleCell && role != roleCell && role != roleRow && role != roleTable ||
			e.role == roleList && role == roleItem {
			return
		}
	}
	if role == roleBlock {
		r.boundary()
	}
}

// endInline ends a format, but not the blocks that begin inside it.
func (r *htmlReader) endInline(i int) {
	if r.open[i].tag == "q" && !r.skipping && !r.pre {
		r.inline("”")
	}
	r.open = append(r.open[:i], r.open[i+1:]...)
	r.derive()
}

// popTo closes the element at i and all that are in it.
func (r *htmlReader) popTo(i int) {
	for len(r.open) > i {
		e := r.open[len(r.open)-1]
		r.open = r.open[:len(r.open)-1]
		r.derive()
		switch e.role {
		case roleInline:
		case roleSkip:
			if (e.tag == "video" || e.tag == "audio") && !r.skipping {
				r.endFilm()
			}
		case roleBlock:
			r.boundary()
		case roleHeading:
			r.b.endHeading()
		case rolePre:
			r.pre = false
			r.b.codeBlock(r.preText.String(), r.preLang)
		default:
			for len(r.b.frames) > e.frames {
				r.closeFrame(e.media)
			}
			r.boundary()
		}
	}
}

// closeFrame closes the innermost container.
func (r *htmlReader) closeFrame(mediaBefore int) {
	bl := r.b.take()
	switch bl.kind {
	case blockTable:
		r.addAll(tableBlocks(bl))
	case blockFigure:
		r.closeFigure(bl, mediaBefore)
	case blockCaption:
		if r.b.frames[len(r.b.frames)-1].kind == blockFigure {
			r.b.add(bl)
		} else {
			r.addAll(withoutCredits(bl.blocks))
		}
	case blockRow, blockCell:
		r.b.add(bl)
	default:
		if bl, ok := settle(bl); ok {
			r.b.add(bl)
		}
	}
}

func (r *htmlReader) addAll(blocks []block) {
	for _, bl := range blocks {
		r.b.add(bl)
	}
}

func (r *htmlReader) void(tag string, a *attributes) {
	switch tag {
	case "br":
		if r.pre {
			r.preText.WriteByte('\n')
		} else {
			r.b.prose.br(0, r.link)
		}
	case "hr":
		if r.pre {
			r.boundary()
		} else {
			r.b.rule()
		}
	case "img":
		r.image(a)
	case "source":
		r.source = firstOf(r.source, r.resolve(largest(a.srcset), false))
	}
}

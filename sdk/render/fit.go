package render

import (
	"strings"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
)

// Bound says what a rendered piece may measure.
type Bound struct {
	Markup Markup
	Unit   sdk.Unit
	// Max is the most that a piece may measure, in Unit; 0 means that there is no limit.
	Max int
	// First is the most for the first piece where it differs (a caption); 0 means Max.
	First int
	// Visible says that what counts is the text that remains when the markup is parsed, as Telegram measures it, and not
	// the rendered text.
	Visible bool
}

// limit gives what the piece with the given index may measure; 0 means that there is no limit.
func (b Bound) limit(piece int) int {
	if piece == 0 && b.First > 0 {
		return b.First
	}
	return max(b.Max, 0)
}

// Measure gives what a body measures.
func Measure(b sdk.Body, bound Bound) int { return bound.measure(normalize(b)) }

func (b Bound) measure(blocks []block) int {
	return Count(string(appendMarkup(nil, blocks, b.Markup, b.Visible)), b.Unit)
}

// fits reports whether blocks measure at most limit and may be a Body.
func (b Bound) fits(blocks []block, limit int) bool {
	if limit <= 0 {
		return valid(blocks)
	}
	// What is certainly too long need not be rendered. Twice the limit, since an address may be shown shorter than its label.
	long := false
	each(blocks, func(bl *block) { long = long || exceeds(bl.text.text, b.Unit, 2*limit) })
	return !long && valid(blocks) && b.measure(blocks) <= limit
}

// container is a quotation, list or item that leaves stand in.
type container struct {
	kind    sdk.NodeKind
	ordered bool
	// number of a list's first item, or of the item.
	number int
	// first is the index of the first leaf in it.
	first int
}

// leaf is a block without blocks, and where it stands.
type leaf struct {
	path []*container
	block
	// divisible is a link that may be cut, because it exceeds the bound by itself.
	divisible *anchor
}

// leavesOf takes a tree apart.
func leavesOf(blocks []block) []leaf {
	var out []leaf
	var walk func(blocks []block, path []*container)
	walk = func(blocks []block, path []*container) {
		for i, bl := range blocks {
			inside := path
			switch bl.kind {
			case sdk.NodeQuote, sdk.NodeList:
				inside = append(path[:len(path):len(path)], &container{kind: bl.kind, ordered: bl.ordered, number: bl.level, first: len(out)})
			case sdk.NodeItem:
				list := path[len(path)-1]
				inside = append(path[:len(path):len(path)], &container{kind: bl.kind, number: list.number + i, first: len(out)})
			default:
				out = append(out, leaf{path: path, block: bl})
				continue
			}
			walk(bl.blocks, inside)
		}
	}
	walk(blocks, nil)
	return out
}

// assemble puts leaves together again. Items for which begun holds are continued: they have their marker already, so what
// is left of them stands in no list.
func assemble(leaves []leaf, begun func(*container) bool) []block {
	filtered := make([]leaf, len(leaves))
	for i, l := range leaves {
		path := make([]*container, 0, len(l.path))
		for j, c := range l.path {
			switch {
			case c.kind == sdk.NodeList && begun(l.path[j+1]), c.kind == sdk.NodeItem && begun(c):
			default:
				path = append(path, c)
			}
		}
		filtered[i] = leaf{path: path, block: l.block}
	}
	return group(filtered, 0)
}

func group(leaves []leaf, depth int) []block {
	var out []block
	for i := 0; i < len(leaves); {
		if len(leaves[i].path) == depth {
			out = append(out, leaves[i].block)
			i++
			continue
		}
		c := leaves[i].path[depth]
		j := i + 1
		for j < len(leaves) && len(leaves[j].path) > depth && leaves[j].path[depth] == c {
			j++
		}
		bl := block{kind: c.kind, ordered: c.ordered, blocks: group(leaves[i:j], depth+1)}
		if c.ordered {
			bl.level = leaves[i].path[depth+1].number
		}
		out = append(out, bl)
		i = j
	}
	return out
}

// seams gives the places where the text of a leaf can be cut, beginning at from, at most n of them; n 0 means all. There
// is none inside a link, and the text's end is not among them.
func (l *leaf) seams(from, n int) []seam {
	var out []seam
	text := l.text.text
	next := 0
	forSeams(text[from:], func(s seam) bool {
		s.off += from
		if s.off == len(text) {
			return false
		}
		if l.kind == sdk.NodeCodeBlock && s.level == seamSentence {
			s.level = seamWord
		}
		for next < len(l.text.spans) && l.text.spans[next].end < s.off {
			next++
		}
		if next+1 < len(l.text.spans) {
			// The seam lies in the span or at its end.
			here, after := l.text.spans[next], l.text.spans[next+1]
			if here.link != nil && here.link != l.divisible && (s.off < here.end || here.link == after.link) {
				return true
			}
		} else if next < len(l.text.spans) && l.text.spans[next].link != nil && l.text.spans[next].link != l.divisible {
			return true
		}
		out = append(out, s)
		return n == 0 || len(out) < n
	})
	return out
}

// part gives a part of the leaf's text; it is empty where only white space is left.
func (l leaf) part(from, to int) leaf {
	if l.kind == sdk.NodeRule || from == 0 && to == len(l.text.text) {
		return l
	}
	if l.kind == sdk.NodeCodeBlock {
		l.text = prose{text: trimCode(l.text.text[from:to])}
	} else {
		l.text = l.text.slice(from, to)
	}
	return l
}

// Cut shortens a body so that its rendering fits; one that fits comes back in its normal form. The bound of the first
// piece counts.
//
// A closing paragraph that is made only of links, #hashtags and white space is kept whole as long as it fits by itself;
// what stands before it is shortened, and ends with an ellipsis. The cut is at the end of a word when one is near, never
// inside a grapheme cluster, and never inside a link: a link is kept whole or left out. Only a link that exceeds the bound
// by itself becomes text, which is then cut; if that text is its address it is left out, since a part of an address leads
// to the wrong place. Where formats leave no room for text they are dropped. The result always fits and is valid; where
// not even an ellipsis fits it is empty.
func Cut(b sdk.Body, bound Bound) sdk.Body {
	blocks := normalize(b)
	limit := bound.limit(0)
	if bound.fits(blocks, limit) {
		return toNodes(blocks)
	}
	if limit == 0 {
		body, _ := toBody(blocks)
		return body
	}
	text, closing := blocks, []block(nil)
	if n := len(blocks); n > 1 && closes(&blocks[n-1]) && bound.fits(blocks[n-1:], limit) {
		text, closing = blocks[:n-1], blocks[n-1:]
	}
	c := cutter{bound: bound, limit: limit, closing: closing}
	if out := c.cut(leavesOf(text)); out != nil {
		return toNodes(out)
	}
	if out := c.cut(leavesOf(unformatted(text))); out != nil {
		return toNodes(out)
	}
	if closing != nil {
		return toNodes(closing)
	}
	if alone := []block{paragraph(textProse(ellipsis))}; bound.fits(alone, limit) {
		return toNodes(alone)
	}
	return nil
}

func textProse(s string) prose { return prose{text: s, spans: []span{{0, len(s), 0, nil}}} }

// unformatted gives the same text in paragraphs.
func unformatted(blocks []block) []block {
	var out []block
	each(blocks, func(bl *block) {
		p := bl.text.restyle(func(s span) (mark, *anchor) { return 0, s.link })
		if bl.kind == sdk.NodeCodeBlock {
			var b proseBuilder
			b.write(p.text, 0, nil)
			for _, p := range b.finish() {
				out = append(out, paragraph(p))
			}
		} else if p.text != "" {
			out = append(out, paragraph(p))
		}
	})
	return out
}

// closes reports whether a block is a paragraph made only of links, addresses, hashtags and white space.
func closes(bl *block) bool {
	if bl.kind != sdk.NodeParagraph {
		return false
	}
	for _, s := range bl.text.spans {
		if s.link != nil {
			continue
		}
		for word := range strings.FieldsSeq(bl.text.text[s.start:s.end]) {
			tag, ok := strings.CutPrefix(word, "#")
			if from, to := findAddress(word); from == 0 && to == len(word) {
				continue
			}
			if !ok || tag == "" || strings.ContainsFunc(tag, func(r rune) bool {
				return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.Pc) && r != '-'
			}) {
				return false
			}
		}
	}
	return true
}

// cutter shortens one body.
type cutter struct {
	bound   Bound
	limit   int
	closing []block
}

func (c *cutter) fits(blocks []block) bool { return c.bound.fits(blocks, c.limit) }

// with gives the first leaves, a part of the one after them, an ellipsis and the closing paragraph. It is nil where no
// text is left.
func (c *cutter) with(leaves []leaf, whole, off int) []block {
	kept := leaves[:whole:whole]
	if off > 0 {
		kept = append(kept, leaves[whole].part(0, off))
	}
	for len(kept) > 0 {
		last := kept[len(kept)-1]
		if last.kind != sdk.NodeRule && last.text.text != "" {
			if last = withEllipsis(last); last.text.text != "" {
				kept = append(kept[:len(kept)-1:len(kept)-1], last)
				break
			}
		}
		kept = kept[:len(kept)-1]
	}
	if len(kept) == 0 {
		return nil
	}
	return append(assemble(kept, func(*container) bool { return false }), c.closing...)
}

// withEllipsis ends a leaf with an ellipsis; it is empty where nothing is left before it.
func withEllipsis(l leaf) leaf {
	if l.kind == sdk.NodeCodeBlock {
		l.text.text = strings.TrimRight(l.text.text, " \t\n") + ellipsis
		return l
	}
	last := l.text.spans[len(l.text.spans)-1]
	if last.link == nil && last.marks&code == 0 {
		end := last.start + len(trimForEllipsis(l.text.text[last.start:]))
		if l.text = l.text.slice(0, end); l.text.text == "" {
			return l
		}
		last = l.text.spans[len(l.text.spans)-1]
	}
	m := last.marks &^ code
	if last.link != nil {
		m = 0
	}
	var j joiner
	for _, s := range l.text.spans {
		j.add(l.text.text[s.start:s.end], s.marks, s.link)
	}
	j.add(ellipsis, m, nil)
	l.text = j.take()
	return l
}

// cut gives the longest beginning that fits, or nil where none does.
func (c *cutter) cut(leaves []leaf) []block {
	leaves = c.freeLongLinks(leaves)
	// How many leaves fit whole, with something after them.
	whole := lastThat(len(leaves), func(n int) bool { return c.fitsLeaves(leaves, n) })
	if whole == len(leaves) {
		if all := append(assemble(leaves, func(*container) bool { return false }), c.closing...); c.fits(all) {
			return all
		}
		whole--
	}
	if whole < 0 {
		return nil
	}
	seams := leaves[whole].seams(0, c.limit+1)
	n := lastThat(len(seams), func(n int) bool {
		out := c.with(leaves, whole, seams[n-1].off)
		return out == nil || c.fits(out)
	})
	at := n - 1
	if at >= 0 {
		at = nearWord(seams, at)
		if seams[at].level < seamWord && whole > 0 && at < 20 {
			at = -1 // so little of a word that the end of the block before it reads better
		}
	}
	for ; at >= 0; at-- {
		if out := c.with(leaves, whole, seams[at].off); out != nil && c.fits(out) {
			return out
		}
	}
	for ; whole > 0; whole-- {
		if out := c.with(leaves, whole, 0); out != nil && c.fits(out) {
			return out
		}
	}
	return nil
}

// fitsLeaves reports whether the first n leaves fit with an ellipsis.
func (c *cutter) fitsLeaves(leaves []leaf, n int) bool {
	if n > c.limit {
		return false // every leaf measures something
	}
	out := c.with(leaves, n, 0)
	return out == nil || c.fits(out)
}

// lastThat gives the largest n up to max for which f holds, where f holds for all smaller ones; 0 counts as holding. It
// looks near the beginning first, since what fits is often a small part.
func lastThat(max int, f func(n int) bool) int {
	low, high := 0, 1
	for high <= max && f(high) {
		low, high = high, high*2
	}
	high = min(high, max+1)
	for low+1 < high {
		if mid := (low + high) / 2; f(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// freeLongLinks makes text of links that exceed the bound by themselves, and leaves out those whose text is their address.
func (c *cutter) freeLongLinks(leaves []leaf) []leaf {
	out := make([]leaf, 0, len(leaves))
	for _, l := range leaves {
		long := map[*anchor]bool{} // whether the label is the address
		for i, s := range l.text.spans {
			if s.link == nil || i > 0 && l.text.spans[i-1].link == s.link {
				continue
			}
			label := l.text.label(i)
			if len(label)+2*len(s.link.url)+40 <= c.limit {
				continue
			}
			alone := paragraph(l.text.clip(s.start, s.start+len(label)))
			if !c.bound.fits([]block{alone}, c.limit) {
				long[s.link] = shows(label, s.link.url)
			}
		}
		if len(long) > 0 {
			var b proseBuilder
			for _, s := range l.text.spans {
				drop, isLong := long[s.link]
				switch {
				case drop:
				case isLong:
					b.write(l.text.text[s.start:s.end], s.marks, nil)
				default:
					b.write(l.text.text[s.start:s.end], s.marks, s.link)
				}
			}
			ps := b.finish()
			if len(ps) == 0 {
				continue
			}
			l.text = ps[0]
		}
		out = append(out, l)
	}
	return out
}

package render

import (
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Cut shortens a body so that its rendering fits; one that fits comes back in its normal form. The bound of the first
// piece counts.
//
// A closing paragraph that is made only of links, #hashtags and white space is kept whole as long as it fits by itself;
// what stands before it is shortened, and ends with an ellipsis. The cut is at the end of a word when one is near, never
// inside a grapheme cluster, a #hashtag or @mention, and never inside a link: a link is kept whole or left out. Only a link
// that exceeds the bound by itself becomes text, which is then cut; if that text is its address it is left out, since a
// part of an address leads to the wrong place. Where formats leave no room for text they are dropped. The result always
// fits and is valid; where not even an ellipsis fits it is empty.
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
	plain := leavesOf(unformatted(text))
	if out := c.cut(plain); out != nil {
		return toNodes(out)
	}
	for i := range plain {
		plain[i].tagsFrom = len(plain[i].text.text)
	}
	if out := c.cut(plain); out != nil {
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
			if !ok || tag == "" || strings.ContainsFunc(tag, func(r rune) bool { return !isTagRune(r) && r != '-' }) {
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
		n := len(kept) - 1
		last := kept[n]
		// A heading of nothing is left out, as is a rule.
		if last.kind != sdk.NodeRule && (last.kind != sdk.NodeHeading || off > 0 || n == 0) {
			if last = withEllipsis(last); last.text.text != "" {
				kept = append(kept[:n:n], last)
				break
			}
		}
		kept = kept[:n]
	}
	if len(kept) == 0 {
		return nil
	}
	return append(assemble(kept, func(*container) bool { return false }), c.closing...)
}

// withEllipsis ends a leaf with an ellipsis; it is empty where nothing is left before it.
func withEllipsis(l leaf) leaf {
	if l.text.text == "" {
		return l
	}
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
	if all := append(assemble(leaves, func(*container) bool { return false }), c.closing...); c.fits(all) {
		return all // what was too long is gone
	}
	// How many leaves fit whole, with an ellipsis after them; it cannot be all.
	whole := min(lastThat(len(leaves), func(n int) bool { return c.fitsLeaves(leaves, n) }), len(leaves)-1)
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
		at = nearWord(seams, at, whole > 0)
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

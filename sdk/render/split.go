package render

import (
	"slices"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// Split divides a body into bodies that continue each other; the rendering of each fits the bound of its place, and each
// is valid. Joined, their text is that of the body, except for white space at the seams and rules beside them.
//
// A seam is the border of a block where that block fits into a piece of its own, else of a line, of a sentence, of a word
// and of a grapheme cluster, by the same rule. A heading stays with what follows it. Formats and quotations that span a
// seam are closed and opened again; an item that is continued has no second marker, and numbers go on.
//
// The bound decides against the text only where something exceeds it by itself. A link is then divided, every part with
// the same target, or becomes text where its address leaves no room; a #hashtag, @mention or address in text is divided;
// formats are dropped where they leave no room; a grapheme cluster is divided between code points; a code point that does
// not fit is left out. Where only the first piece has no room (First), it is empty. An empty body has no pieces.
func Split(b sdk.Body, bound Bound) []sdk.Body {
	blocks := normalize(b)
	s := splitter{bound: bound, leaves: leavesOf(blocks)}
	if len(blocks) > 0 && bound.fits(blocks, bound.limit(0)) {
		return []sdk.Body{toNodes(blocks)}
	}
	for s.next() {
	}
	return s.out
}

// place is a place in the leaves: before the byte off of the leaf with the index leaf.
type place struct{ leaf, off int }

// splitter makes pieces one after the other.
type splitter struct {
	bound  Bound
	leaves []leaf
	at     place
	out    []sdk.Body
	// codePoints says that the cluster at the place may be divided.
	codePoints bool
}

// piece gives what stands between two places.
func (s *splitter) piece(from, to place) []block {
	var kept []leaf
	for i := from.leaf; i <= to.leaf && i < len(s.leaves); i++ {
		l := s.leaves[i]
		start, end := 0, len(l.text.text)
		if i == from.leaf {
			start = from.off
		}
		if i == to.leaf {
			end = to.off
		}
		switch {
		case l.kind == sdk.NodeRule:
			// Beside a seam a rule divides nothing.
			if i == to.leaf || len(kept) == 0 && (i > 0 || len(s.out) > 0) {
				continue
			}
		default:
			if l = l.part(start, end); !hasInk(l.text.text) {
				continue
			}
		}
		kept = append(kept, l)
	}
	if to.leaf < len(s.leaves) {
		for len(kept) > 0 && kept[len(kept)-1].kind == sdk.NodeRule {
			kept = kept[:len(kept)-1]
		}
	}
	return assemble(kept, func(c *container) bool {
		return c.first < from.leaf || c.first == from.leaf && from.off > 0
	})
}

func (s *splitter) limit() int { return s.bound.limit(len(s.out)) }

// fits reports whether what stands up to a place fits into the piece that is being made.
func (s *splitter) fits(to place) bool { return s.bound.fits(s.piece(s.at, to), s.limit()) }

// alone reports whether what stands between two places fits into a piece of its own.
func (s *splitter) alone(from, to place) bool {
	return s.bound.fits(s.piece(from, to), s.bound.limit(len(s.out)+1))
}

// emit ends the piece at a place.
func (s *splitter) emit(to place) {
	if blocks := s.piece(s.at, to); len(blocks) > 0 {
		s.out = append(s.out, toNodes(blocks))
	}
	s.at = to
	s.codePoints = false
	if s.at.leaf < len(s.leaves) && s.at.off >= len(s.leaves[s.at.leaf].text.text) && s.leaves[s.at.leaf].kind != sdk.NodeRule {
		s.at = place{s.at.leaf + 1, 0}
	}
}

// next makes a piece and reports whether more is left.
func (s *splitter) next() bool {
	if s.at.leaf >= len(s.leaves) {
		return false
	}
	limit := s.limit()
	left := len(s.leaves) - s.at.leaf
	if limit > 0 {
		left = min(left, limit+1)
	}
	whole := s.at.leaf + lastThat(left, func(n int) bool { return s.fits(place{s.at.leaf + n, 0}) })
	if whole == len(s.leaves) {
		s.emit(place{whole, 0})
		return false
	}
	if to, ok := s.blockSeam(whole); ok {
		s.emit(to)
		return true
	}
	if to, ok := s.textSeam(whole); ok {
		s.emit(to)
		return true
	}
	switch {
	case whole > s.at.leaf:
		if before := s.beforeHeadings(whole); before > s.at.leaf {
			whole = before
		}
		s.emit(place{whole, 0})
	case len(s.out) == 0 && s.bound.First > 0 && (s.bound.Max <= 0 || s.bound.Max > s.bound.First):
		s.out = append(s.out, nil)
	default:
		s.yield()
	}
	return true
}

// blockSeam cuts before the block that does not fit any more, if it fits elsewhere.
func (s *splitter) blockSeam(over int) (place, bool) {
	if over == s.at.leaf || !s.alone(place{over, 0}, place{over + 1, 0}) {
		return place{}, false
	}
	// Headings alone are no piece; what follows them is divided instead.
	cut := s.beforeHeadings(over)
	return place{cut, 0}, cut > s.at.leaf
}

// beforeHeadings gives the leaf at which a piece ends that would end before the one given, but not with a heading.
func (s *splitter) beforeHeadings(over int) int {
	for over > s.at.leaf && s.leaves[over-1].kind == sdk.NodeHeading {
		over--
	}
	return over
}

// textSeam cuts inside the block that does not fit, or before it.
func (s *splitter) textSeam(over int) (place, bool) {
	l := &s.leaves[over]
	start := 0
	if over == s.at.leaf {
		start = s.at.off
	}
	seams := s.seamsOf(l, start)
	n := lastThat(len(seams), func(n int) bool { return s.fits(place{over, seams[n-1].off}) })
	if n == 0 {
		return place{}, false
	}
	last := seams[n-1]
	for level := seamLine; level > seamCluster; level-- {
		if last.level >= level {
			break
		}
		// The unit of this level that the end of the room divides.
		begin, end := start, len(l.text.text)
		for i := n - 2; i >= 0; i-- {
			if seams[i].level >= level {
				begin = seams[i].off
				break
			}
		}
		i := n + slices.IndexFunc(seams[n:], func(x seam) bool { return x.level >= level })
		if i >= n {
			end = seams[i].off
		}
		if begin == start && over == s.at.leaf {
			continue
		}
		strands := begin == 0 && s.beforeHeadings(over) < over
		if !strands && s.alone(place{over, begin}, place{over, end}) {
			return place{over, begin}, true
		}
	}
	return place{over, last.off}, true
}

// seamsOf gives the seams that can matter for the piece that is being made and the unit after it.
func (s *splitter) seamsOf(l *leaf, from int) []seam {
	if s.codePoints {
		var out []seam
		for off := range firstCluster(l.text.text[from:]) {
			if off > 0 {
				out = append(out, seam{off: from + off})
			}
		}
		return out
	}
	n := 0
	if limit := max(s.limit(), s.bound.limit(len(s.out)+1)); limit > 0 {
		n = 2*limit + 2
	}
	return l.seams(from, n)
}

// yield makes it possible to go on where not even the next cluster or link fits into an empty piece.
func (s *splitter) yield() {
	l := &s.leaves[s.at.leaf]
	if l.kind == sdk.NodeRule {
		s.at = place{s.at.leaf + 1, 0}
		return
	}
	text := l.text.text[s.at.off:]
	cluster := firstCluster(text)
	marked := func(sp span) bool { return sp.end > s.at.off && sp.marks != 0 }
	formatted := l.kind != sdk.NodeParagraph || len(l.path) > 0 || slices.ContainsFunc(l.text.spans, marked)
	left := func(sp span) bool { return sp.end > s.at.off }
	if i := slices.IndexFunc(l.text.spans, left); i >= 0 && l.text.spans[i].link != nil {
		end := l.text.spans[l.text.linkEnd(i)-1].end
		alone := l.text.slice(s.at.off, end).restyle(func(sp span) (mark, *anchor) { return 0, sp.link })
		switch fits := s.bound.fits([]block{paragraph(alone)}, s.limit()); {
		case fits && formatted:
		case fits && l.tagsFrom < end:
			l.tagsFrom = end // a hashtag that begins in the link may go on after it
			return
		default:
			s.freeLink(l, l.text.spans[i].link, l.text.label(l.text.linkStart(i)), len(cluster))
			return
		}
	}
	if tag := endOfTag(l.text.text, s.at.off); s.at.off >= l.tagsFrom && tag > s.at.off && l.kind != sdk.NodeCodeBlock {
		alone := paragraph(textProse(l.text.text[s.at.off:tag]))
		if !formatted || !s.bound.fits([]block{alone}, s.limit()) {
			l.tagsFrom = tag
			return
		}
	}
	if formatted {
		s.unformat(l)
		return
	}
	if !s.codePoints && utf8.RuneCountInString(cluster) > 1 {
		s.codePoints = true
		return
	}
	_, size := utf8.DecodeRuneInString(text)
	s.codePoints = false
	if s.at.off += size; s.at.off >= len(l.text.text) {
		s.at = place{s.at.leaf + 1, 0}
	}
}

// freeLink lets a link be divided if its address leaves room for text, and makes it text if not. A link that shows its own
// address becomes text too, for a part of it would not show it any more.
func (s *splitter) freeLink(l *leaf, a *anchor, label string, cluster int) {
	if l.divisible != a && !shows(label, a.url) && s.fits(place{s.at.leaf, s.at.off + cluster}) {
		l.divisible = a
		return
	}
	l.text = l.text.restyle(func(sp span) (mark, *anchor) {
		if sp.link == a {
			sp.link = nil
		}
		return sp.marks, sp.link
	})
}

// unformat makes a plain paragraph of what is left of a leaf; links stay.
func (s *splitter) unformat(l *leaf) {
	var b proseBuilder
	text := l.text.text
	if l.kind == sdk.NodeCodeBlock {
		b.write(text[s.at.off:], 0, nil)
	}
	for _, sp := range l.text.spans {
		if sp.end > s.at.off {
			b.write(text[max(sp.start, s.at.off):sp.end], 0, sp.link)
		}
	}
	var lines joiner
	for i, p := range b.finish() {
		if i > 0 {
			lines.add("\n", 0, nil)
		}
		for _, sp := range p.spans {
			lines.add(p.text[sp.start:sp.end], sp.marks, sp.link)
		}
	}
	l.block, l.path, l.tagsFrom, s.at.off = paragraph(lines.take()), nil, 0, 0
	if l.text.text == "" {
		s.at = place{s.at.leaf + 1, 0}
	}
}

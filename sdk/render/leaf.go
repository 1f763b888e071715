package render

import "slices"

import "github.com/belfry-news/belfry/sdk"

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
	// tagsFrom is where hashtags, mentions and addresses in its text begin to stay whole.
	tagsFrom int
}

// leavesOf takes a tree apart.
func leavesOf(blocks []block) []leaf {
	var out []leaf
	join := func(path []*container, c *container) []*container { return append(slices.Clip(path), c) }
	var walk func(blocks []block, path []*container)
	walk = func(blocks []block, path []*container) {
		for i, bl := range blocks {
			var inside []*container
			switch bl.kind {
			case sdk.NodeQuote, sdk.NodeList:
				inside = join(path, &container{kind: bl.kind, ordered: bl.ordered, number: bl.level, first: len(out)})
			case sdk.NodeItem:
				list := path[len(path)-1]
				inside = join(path, &container{kind: bl.kind, number: list.number + i, first: len(out)})
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

// seams gives the places where the text of a leaf can be cut, in n clusters from an offset on, or in all if n is 0. There is
// none inside a link, and the text's end is not among them.
func (l *leaf) seams(from, n int) []seam {
	var out []seam
	text := l.text.text
	next := 0
	tagsFrom := l.tagsFrom
	if l.kind == sdk.NodeCodeBlock {
		tagsFrom = len(text)
	}
	forSeams(text, from, n, tagsFrom, func(s seam) bool {
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
		return true
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
		l.text = l.text.slice(from, to).withoutDefinition()
	}
	return l
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

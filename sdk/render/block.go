package render

import (
	"strings"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
)

// block is a block of the normal form.
type block struct {
	kind    sdk.NodeKind
	level   int
	ordered bool
	lang    string
	// text of a paragraph or heading; of a code block only its text.
	text prose
	// blocks of a quotation or item, items of a list.
	blocks []block
}

func paragraph(p prose) block { return block{kind: sdk.NodeParagraph, text: p} }

const (
	// maxLeafDepth leaves room below a paragraph for a link, three formats and the text.
	maxLeafDepth = sdk.MaxBodyDepth - 6
	// maxNumber is the highest number of an item; CommonMark takes nine digits.
	maxNumber = 999_999_999
)

// builder puts blocks together while a text is read or a tree is walked.
type builder struct {
	prose proseBuilder
	// heading is the level of the heading that is being written; 0 in paragraphs.
	heading int
	frames  []block
	// deepest is the most frames that were open, leaves how many blocks without blocks there are.
	deepest, leaves int
}

func newBuilder() *builder { return &builder{frames: make([]block, 1, 8)} }

// flush ends the paragraph or heading.
func (b *builder) flush() {
	for _, p := range b.prose.finish() {
		if b.heading > 0 {
			b.add(block{kind: sdk.NodeHeading, level: b.heading, text: p})
		} else {
			b.add(paragraph(p))
		}
	}
}

// add appends a finished block to the innermost container.
func (b *builder) add(bl block) {
	if bl.blocks == nil {
		b.leaves++
	}
	top := &b.frames[len(b.frames)-1]
	top.blocks = append(top.blocks, bl)
}

// open begins a container.
func (b *builder) open(bl block) {
	b.flush()
	b.frames = append(b.frames, bl)
	b.deepest = max(b.deepest, len(b.frames))
}

// take ends the innermost container and gives it.
func (b *builder) take() block {
	b.flush()
	top := b.frames[len(b.frames)-1]
	b.frames = b.frames[:len(b.frames)-1]
	return top
}

// close ends the innermost container and appends it to the one around it, unless it is empty.
func (b *builder) close() {
	if top, ok := settle(b.take()); ok {
		b.add(top)
	}
}

// finish closes everything and gives the blocks.
func (b *builder) finish() []block {
	for len(b.frames) > 1 {
		b.close()
	}
	blocks := b.take().blocks
	if 2*b.deepest > maxLeafDepth { // a list in a list has an item around it that nobody opened
		blocks = flatten(nil, blocks, 1)
	}
	return blocks
}

// startHeading begins a heading, whose breaks are spaces.
func (b *builder) startHeading(level int) {
	b.flush()
	b.heading, b.prose.oneLine = min(max(level, 1), 6), true
}

func (b *builder) endHeading() {
	b.flush()
	b.heading, b.prose.oneLine = 0, false
}

// codeBlock adds a code block, unless there is nothing to see in it.
func (b *builder) codeBlock(text, lang string) {
	b.flush()
	if text = trimCode(cleanCode(text)); !hasInk(text) {
		return
	}
	b.add(block{kind: sdk.NodeCodeBlock, lang: language(lang), text: prose{text: text}})
}

// trimCode takes empty lines off the beginning and white space off the end.
func trimCode(s string) string {
	s = strings.TrimRightFunc(s, unicode.IsSpace)
	for {
		line, rest, more := strings.Cut(s, "\n")
		if !more || strings.TrimSpace(line) != "" {
			return s
		}
		s = rest
	}
}

func (b *builder) rule() {
	b.flush()
	b.add(block{kind: sdk.NodeRule})
}

// language gives a programming language's name as a Body may hold it.
func language(s string) string {
	if len(s) > 40 {
		return ""
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-+_#", c) >= 0) {
			return ""
		}
	}
	return s
}

// cleanCode cleans the text of a code block: as other text, but white space stays, except in lines that hold nothing else.
func cleanCode(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && (unwanted(r) || r >= 0x2028) }) {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s)
		var out strings.Builder
		last := rune(0)
		for _, r := range s {
			if r != '\n' && r != '\t' && unwanted(r) || r == '\uFFFD' && last == r {
				continue
			}
			out.WriteRune(r)
			last = r
		}
		s = out.String()
	}
	if !strings.Contains(s, " \n") && !strings.Contains(s, "\t\n") {
		return s
	}
	var out strings.Builder
	for line := range strings.Lines(s) {
		if strings.TrimLeft(line, " \t") == "\n" {
			line = "\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

// settle brings a finished container into its normal form; an empty one is not ok.
func settle(c block) (block, bool) {
	if c.kind != sdk.NodeList {
		return c, len(c.blocks) > 0
	}
	items := c.blocks[:0:0]
	loose := false // the last item was made here, for blocks that stand in the list without one
	for _, bl := range c.blocks {
		switch {
		case bl.kind == sdk.NodeItem:
			items, loose = append(items, bl), false
			continue
		case len(items) == 0 || !loose && bl.kind != sdk.NodeList:
			items, loose = append(items, block{kind: sdk.NodeItem}), true
		}
		last := &items[len(items)-1]
		last.blocks = append(last.blocks, bl)
	}
	c.blocks = items
	switch {
	case !c.ordered:
		c.level = 0
	case c.level < 1 || c.level > maxNumber-len(items):
		c.level = 1
	}
	return c, len(items) > 0
}

// flatten appends blocks to out and takes those quotations and lists apart that stand too deep.
func flatten(out, blocks []block, depth int) []block {
	for _, bl := range blocks {
		switch bl.kind {
		case sdk.NodeQuote:
			if depth+1 > maxLeafDepth {
				out = flatten(out, bl.blocks, depth)
				continue
			}
			bl.blocks = flatten(nil, bl.blocks, depth+1)
		case sdk.NodeList:
			if depth+2 > maxLeafDepth {
				for _, item := range bl.blocks {
					out = flatten(out, item.blocks, depth)
				}
				continue
			}
			items := make([]block, len(bl.blocks))
			for i, item := range bl.blocks {
				item.blocks = flatten(nil, item.blocks, depth+2)
				items[i] = item
			}
			bl.blocks = items
		}
		out = append(out, bl)
	}
	return out
}

// normalize reads a tree, valid or not.
func normalize(body sdk.Body) []block {
	b := newBuilder()
	b.nodes(body, 0, nil)
	return b.finish()
}

func (b *builder) nodes(nodes []sdk.Node, m mark, link *anchor) {
	for i := range nodes {
		n := &nodes[i]
		switch n.Kind {
		case sdk.NodeText:
			b.prose.write(n.Text, m, link)
		case sdk.NodeCode:
			b.prose.write(n.Text, m|code, link)
		case sdk.NodeBreak:
			b.prose.br(m, link)
		case sdk.NodeStrong:
			b.nodes(n.Children, m|strong, link)
		case sdk.NodeEmphasis:
			b.nodes(n.Children, m|emphasis, link)
		case sdk.NodeStrike:
			b.nodes(n.Children, m|strike, link)
		case sdk.NodeLink:
			b.link(n, m, link)
		case sdk.NodeParagraph:
			b.flush()
			b.nodes(n.Children, m, link)
			b.flush()
		case sdk.NodeHeading:
			b.startHeading(n.Level)
			b.nodes(n.Children, m, link)
			b.endHeading()
		case sdk.NodeQuote, sdk.NodeItem:
			if n.Kind == sdk.NodeItem && b.frames[len(b.frames)-1].kind != sdk.NodeList {
				b.flush()
				b.nodes(n.Children, m, link)
				b.flush()
				continue
			}
			b.open(block{kind: n.Kind})
			b.nodes(n.Children, m, link)
			b.close()
		case sdk.NodeList:
			b.open(block{kind: n.Kind, ordered: n.Ordered, level: n.Level})
			b.nodes(n.Children, m, link)
			b.close()
		case sdk.NodeCodeBlock:
			b.codeBlock(n.Text, n.Lang)
		case sdk.NodeRule:
			b.rule()
		default:
			b.prose.write(n.Text, m, link)
			b.nodes(n.Children, m, link)
		}
	}
}

func (b *builder) link(n *sdk.Node, m mark, outer *anchor) {
	url, ok := address(n.URL)
	if outer != nil || !ok {
		b.nodes(n.Children, m, outer)
		return
	}
	a := &anchor{url: url}
	ink := b.prose.ink
	b.nodes(n.Children, m, a)
	if b.prose.ink == ink {
		b.prose.write(url, m, a)
	}
}

// toBody writes the tree. What exceeds the bounds of a Body is made simpler and then cut, as Normalize says.
func toBody(blocks []block) (body sdk.Body, cut bool) {
	if !valid(blocks) {
		blocks, cut = lighten(blocks)
	}
	return toNodes(blocks), cut
}

func toNodes(blocks []block) []sdk.Node {
	if len(blocks) == 0 {
		return nil
	}
	nodes := make([]sdk.Node, len(blocks))
	for i, bl := range blocks {
		n := sdk.Node{Kind: bl.kind, Level: bl.level, Ordered: bl.ordered, Lang: bl.lang}
		switch bl.kind {
		case sdk.NodeCodeBlock:
			n.Text = bl.text.text
		case sdk.NodeParagraph, sdk.NodeHeading:
			n.Children = bl.text.nodes()
		default:
			n.Children = toNodes(bl.blocks)
		}
		nodes[i] = n
	}
	return nodes
}

// valid reports whether blocks make a valid Body.
func valid(blocks []block) bool {
	nodes, text := weigh(blocks)
	return nodes <= sdk.MaxBodyNodes && text <= sdk.MaxBodyText
}

// weigh counts the nodes, exactly where it matters, and the bytes of text.
func weigh(blocks []block) (nodes, text int) {
	bound := 0
	each(blocks, func(bl *block) {
		bound++
		text += len(bl.text.text)
		for _, s := range bl.text.spans {
			bound += bl.text.cost(s)
		}
	})
	if bound <= sdk.MaxBodyNodes {
		return bound, text
	}
	count := nodeCounter{}
	each(blocks, func(bl *block) {
		count.n++
		bl.text.write(&count)
	})
	return count.n, text
}

func each(blocks []block, f func(*block)) {
	for i := range blocks {
		f(&blocks[i])
		each(blocks[i].blocks, f)
	}
}

// nodeCounter counts what nodeWriter would make.
type nodeCounter struct{ n int }

func (c *nodeCounter) open(mark)                 { c.n++ }
func (c *nodeCounter) close(mark)                {}
func (c *nodeCounter) openLink(*anchor, string)  { c.n++ }
func (c *nodeCounter) closeLink(*anchor, string) {}
func (c *nodeCounter) code(string)               { c.n++ }
func (c *nodeCounter) prose(s string) {
	for {
		line, rest, more := strings.Cut(s, "\n")
		if line != "" {
			c.n++
		}
		if !more {
			return
		}
		c.n++
		s = rest
	}
}

// lighten brings blocks within the bounds of a Body.
func lighten(blocks []block) (lighter []block, cut bool) {
	unmarked := mapProse(blocks, func(p prose) prose {
		return p.restyle(func(s span) (mark, *anchor) { return 0, s.link })
	})
	if valid(unmarked) {
		return unmarked, false
	}
	unbroken := mapProse(unmarked, func(p prose) prose {
		p.text = strings.ReplaceAll(p.text, "\n", " ")
		return p
	})
	if valid(unbroken) {
		return unbroken, false
	}
	budget := budget{nodes: sdk.MaxBodyNodes, text: sdk.MaxBodyText}
	return budget.take(unbroken), true
}

// mapProse changes every text besides code blocks.
func mapProse(blocks []block, f func(prose) prose) []block {
	out := make([]block, len(blocks))
	for i, bl := range blocks {
		if bl.kind == sdk.NodeParagraph || bl.kind == sdk.NodeHeading {
			bl.text = f(bl.text)
		}
		bl.blocks = mapProse(bl.blocks, f)
		out[i] = bl
	}
	return out
}

// budget is what may still be taken.
type budget struct{ nodes, text int }

func (b *budget) take(blocks []block) []block {
	var out []block
	for _, bl := range blocks {
		if b.nodes < 2 || b.text <= 0 {
			break
		}
		b.nodes--
		switch bl.kind {
		case sdk.NodeRule:
		case sdk.NodeCodeBlock:
			bl.text.text = trimCode(cutBytes(bl.text.text, b.text))
			b.text -= len(bl.text.text)
			if !hasInk(bl.text.text) {
				continue
			}
		case sdk.NodeParagraph, sdk.NodeHeading:
			end := 0
			for _, s := range bl.text.spans {
				if b.nodes -= bl.text.cost(s); b.nodes < 0 {
					break
				}
				end = s.start + len(cutBytes(bl.text.text[s.start:s.end], b.text))
				if b.text -= end - s.start; end < s.end {
					break
				}
			}
			if bl.text = bl.text.slice(0, end); !hasInk(bl.text.text) {
				continue
			}
		default:
			if bl.blocks = b.take(bl.blocks); len(bl.blocks) == 0 {
				continue
			}
		}
		out = append(out, bl)
	}
	return out
}

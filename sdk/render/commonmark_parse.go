package render

import (
	"html"
	"strings"
	"sync"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/belfry-news/belfry/sdk"
)

// markdownParser has no parsers for HTML, so that tags stay the text they are.
var markdownParser = sync.OnceValue(func() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000)),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
			util.Prioritized(extension.NewStrikethroughParser(), 500)),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...))
})

// Bounds of what the parser is given, far beyond what people write. It needs time by the square of these numbers.
const (
	maxBrackets   = 2000 // "[" without an empty line between them
	maxDelimiters = 4000 // "*", "_", "~" and "`" without an empty line between them
	maxMarkers    = 100  // ">" and markers of items at the beginning of one line
	maxAllBracket = 20_000
)

// checkIntricacy refuses what would keep the parser busy for long.
func checkIntricacy(s string) error {
	intricate := func(at int, what string) error {
		return sdk.Errorf(sdk.CodeTooLarge, "parse", "the text is too intricate at byte offset %d: %s; simplify it", at, what)
	}
	brackets, delimiters, all, at := 0, 0, 0, 0
	for line := range strings.Lines(s) {
		if markers(line) > maxMarkers {
			return intricate(at, "quotations and lists are nested too deep")
		}
		if strings.Trim(line, " \t>\r\n") == "" {
			brackets, delimiters = 0, 0
		}
		for i := range len(line) {
			switch line[i] {
			case '[':
				brackets++
				all++
			case '*', '_', '~', '`':
				delimiters++
			}
		}
		if brackets > maxBrackets || all > maxAllBracket {
			return intricate(at, "it has too many brackets")
		}
		if delimiters > maxDelimiters {
			return intricate(at, "a paragraph has too many delimiters of formats")
		}
		at += len(line)
	}
	return nil
}

// markers counts the markers of quotations and items at the beginning of a line.
func markers(line string) int {
	n := 0
	for {
		line = strings.TrimLeft(line, " \t")
		rest, quote := strings.CutPrefix(line, ">")
		if !quote {
			if rest = strings.TrimLeft(line, "0123456789"); len(rest) < 2 || strings.IndexByte("-+*.)", rest[0]) < 0 ||
				strings.IndexByte(" \t", rest[1]) < 0 {
				return n
			}
			rest = rest[1:]
		}
		n++
		line = rest
	}
}

func parseCommonMark(s string) ([]block, error) {
	if err := checkIntricacy(s); err != nil {
		return nil, err
	}
	src := []byte(s)
	m := markdownReader{b: newBuilder(), src: src}
	m.blocks(markdownParser().Parse(text.NewReader(src)))
	return m.b.finish(), nil
}

type markdownReader struct {
	b   *builder
	src []byte
}

func (m *markdownReader) blocks(parent ast.Node) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Heading:
			m.b.startHeading(n.Level)
			m.inlines(n, 0, nil)
			m.b.endHeading()
		case *ast.Blockquote:
			m.container(n, block{kind: sdk.NodeQuote})
		case *ast.List:
			m.container(n, block{kind: sdk.NodeList, ordered: n.IsOrdered(), level: n.Start})
		case *ast.ListItem:
			m.container(n, block{kind: sdk.NodeItem})
		case *ast.FencedCodeBlock:
			m.b.codeBlock(m.lines(n), string(n.Language(m.src)))
		case *ast.CodeBlock:
			m.b.codeBlock(m.lines(n), "")
		case *ast.ThematicBreak:
			m.b.rule()
		default:
			m.b.flush()
			m.inlines(n, 0, nil)
			m.b.flush()
		}
	}
}

func (m *markdownReader) container(n ast.Node, bl block) {
	m.b.open(bl)
	m.blocks(n)
	m.b.close()
}

func (m *markdownReader) lines(n ast.Node) string {
	var s strings.Builder
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		s.Write(line.Value(m.src))
	}
	return s.String()
}

func (m *markdownReader) inlines(parent ast.Node, f mark, link *anchor) {
	p := &m.b.prose
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			p.flow(unescape(string(n.Segment.Value(m.src))), f, link)
			if n.HardLineBreak() {
				p.br(f, link)
			} else if n.SoftLineBreak() {
				p.flow(" ", f, link)
			}
		case *ast.CodeSpan:
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				if t, ok := c.(*ast.Text); ok {
					p.flow(string(t.Segment.Value(m.src)), f|code, link)
				}
			}
		case *ast.Emphasis:
			if n.Level == 1 {
				m.inlines(n, f|emphasis, link)
			} else {
				m.inlines(n, f|strong, link)
			}
		case *extast.Strikethrough:
			m.inlines(n, f|strike, link)
		case *ast.Link:
			m.target(n, string(n.Destination), f, link)
		case *ast.Image:
			m.target(n, string(n.Destination), f, link)
		case *ast.AutoLink:
			url := string(n.URL(m.src))
			if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(url, "mailto:") {
				url = "mailto:" + url
			}
			a := link
			if u, ok := address(url); ok && link == nil {
				a = &anchor{url: u}
			}
			p.flow(string(n.Label(m.src)), f, a)
		default:
			m.inlines(n, f, link)
		}
	}
}

// target reads a link or, as a link, an image.
func (m *markdownReader) target(n ast.Node, destination string, f mark, outer *anchor) {
	url, ok := address(unescape(destination))
	if outer != nil || !ok {
		m.inlines(n, f, outer)
		return
	}
	a, ink := &anchor{url: url}, m.b.prose.ink
	m.inlines(n, f, a)
	if m.b.prose.ink == ink {
		m.b.prose.flow(url, f, a)
	}
}

// unescape resolves backslash escapes and character references (CommonMark 0.31, sections 2.4 and 2.5).
func unescape(s string) string {
	if !strings.ContainsAny(s, `\&`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && util.IsPunct(s[i+1]):
			i++
			out.WriteByte(s[i])
		case s[i] == '&' && looksLikeEntity(s[i:]):
			end := i + strings.IndexByte(s[i:], ';') + 1
			// The standard library also takes a name that is only the beginning of an entity's; CommonMark does not.
			ref := html.UnescapeString(s[i:end])
			if s[i+1] != '#' && strings.HasSuffix(ref, ";") {
				ref = s[i:end]
			}
			out.WriteString(ref)
			i = end - 1
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}

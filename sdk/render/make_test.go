package render

import (
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// naughty are texts that break careless writers, cutters and readers.
var naughty = []string{
	"plain words", "a", " ", "  two  spaces ", "line\nfeed", "two\n\nfeeds", "\ttab\t", "end ", " start", ".", "…",
	"<b>not bold</b>", "<script>alert(1)</script>", "&amp; &lt; &copy; &#65; &notit; &", "a & b < c > d \"e\" 'f'", "</p></a>",
	"*stars* **two** ***three***", "_under_ __two__ snake_case_name", "~tilde~ ~~two~~ ~~~", "`tick` ``two`` ```", "\\ \\\\ \\* \\n",
	"[link](https://evil.example) ![img](x) [ref] [^1]", "<https://auto.example>", "# heading", "## two ##", "#", "###### six #",
	"- item", "+ item", "* item", "-", "--", "---", "- - -", "===", "=", "1. one", "12) twelve", "1234567890. ten digits", "1.", "2)",
	"> quote", ">", "| a | b |", ":--", "|", "||spoiler||", "~~~", "    indented", "a  ", "!", "bang!", "{brace} {#id}", "%", "$x$",
	"http://bare.example/a_b*c?d=e&f=g#h", "see https://x.example/path(1), and", "@name #tag a@b.example", "#été2026 #a-b",
	"été", "e\u0301te\u0301", "\u0301lone", "👨‍👩‍👧‍👦", "🇫🇷🇩🇪", "👍🏽", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️", "1️⃣", "🔥hot", "نص عربي", "العربية، نعم؟", "עברית", "हिन्दी क्षि", "ไทย", "日本語。これは", "한국어", "각",
	"\u00a0", "a\u00a0b", "\u00a0pad\u00a0", "\u202fthin\u202f!", "\u3000wide", "« guillemets »", "“quotes”", "‘single’", "—dash—", "€5", "5°", "+5", "=x",
	"zero\u200bwidth", "\u200b", "soft\u00adhyphen", "\u200dzwj", "\u202eRTL\u202c", "\u2066iso\u2069", "\ufeffbom", "nul\x00nul", "bell\a", "del\x7f",
	"bad\xffutf8\xc3", "\ufffd\ufffd", "sep\u2028line\u2029para", "nel\u0085x", "cr\r\nlf\rcr", "\ufffe", "Z̷̢̛a̴̡͝l̶̨̈́g̵̛̜o̸͜͠",
	"Sentence one. Sentence two! Three? Four…", "Mr. Smith went. 3.5 km. U.S.A. ok.", "anticonstitutionnellementanticonstitutionnellement",
	strings.Repeat("x", 120), strings.Repeat("word ", 30), strings.Repeat("é", 40), strings.Repeat("👩‍🚀", 12),
}

var naughtyLinks = []string{
	"https://x.example/", "http://X.Example/a b", "https://x.example/(a)(b", "https://x.example/?a[]=1&copy=2&amp;x=\"<>`{|}", "https://x.example/é\u202e?ü#ß",
	"mailto:a@b.example", "mailto:a@b.example?subject=x y", "javascript:alert(1)", "ftp://x.example", "/relative", "", "https://u:p@x.example/",
	"https://x.example/" + strings.Repeat("p", 150), "https://x.example/\\)_*", "https://x.example/100%25", "https://x.example/#", "https://x.example/a)b'c",
}

// maker builds trees, sensible and not, from bytes.
type maker struct {
	shape []byte
	words []string
	nodes int
}

func (m *maker) byte() int {
	if len(m.shape) == 0 {
		return 0
	}
	c := m.shape[0]
	m.shape = m.shape[1:]
	return int(c)
}

func (m *maker) word() string { return m.words[m.byte()%len(m.words)] }

// makeBody makes a tree; text takes part in it.
func makeBody(shape []byte, text string) sdk.Body {
	m := maker{shape: shape, words: append([]string{text, text}, naughty...)}
	return m.blocks(0)
}

func (m *maker) more() bool {
	m.nodes++
	return len(m.shape) > 0 && m.nodes < 400
}

func (m *maker) blocks(depth int) []sdk.Node {
	var out []sdk.Node
	for n := m.byte()%5 + 1; n > 0 && m.more(); n-- {
		out = append(out, m.block(depth))
	}
	return out
}

func (m *maker) block(depth int) sdk.Node {
	kind := m.byte() % 16
	if depth > 20 {
		kind = 0
	}
	switch kind {
	case 1:
		return sdk.Node{Kind: sdk.NodeHeading, Level: m.byte()%8 - 1, Children: m.inlines(0)}
	case 2, 3:
		return sdk.Node{Kind: sdk.NodeQuote, Children: m.blocks(depth + 1)}
	case 4, 5, 6:
		list := sdk.Node{Kind: sdk.NodeList, Ordered: m.byte()%2 == 0, Level: m.byte()%5 - 1}
		for n := m.byte()%4 + 1; n > 0 && m.more(); n-- {
			list.Children = append(list.Children, sdk.Node{Kind: sdk.NodeItem, Children: m.blocks(depth + 2)})
		}
		if m.byte()%16 == 0 {
			list.Children = append(list.Children, m.block(depth+1))
		}
		return list
	case 7:
		lang := []string{"", "go", "c++", "c#", "x_y-z", "bad lang", "`"}[m.byte()%7]
		return sdk.Node{Kind: sdk.NodeCodeBlock, Text: m.word() + "\n" + m.word() + "\n\n  " + m.word(), Lang: lang}
	case 8:
		return sdk.Node{Kind: sdk.NodeRule}
	case 9:
		return sdk.Node{Kind: "unknown", Children: m.blocks(depth + 1)}
	case 10:
		return m.inline(0)
	}
	return sdk.Paragraph(m.inlines(0)...)
}

func (m *maker) inlines(depth int) []sdk.Node {
	var out []sdk.Node
	for n := m.byte()%6 + 1; n > 0 && m.more(); n-- {
		out = append(out, m.inline(depth))
	}
	return out
}

func (m *maker) inline(depth int) sdk.Node {
	kind := m.byte() % 14
	if depth > 8 {
		kind = 0
	}
	switch kind {
	case 1, 2:
		return sdk.Strong(m.inlines(depth + 1)...)
	case 3, 4:
		return sdk.Node{Kind: sdk.NodeEmphasis, Children: m.inlines(depth + 1)}
	case 5:
		return sdk.Node{Kind: sdk.NodeStrike, Children: m.inlines(depth + 1)}
	case 6:
		return sdk.Node{Kind: sdk.NodeCode, Text: m.word()}
	case 7, 8:
		url := naughtyLinks[m.byte()%len(naughtyLinks)]
		if m.byte()%4 == 0 {
			return sdk.Link(url, sdk.Text(url))
		}
		return sdk.Link(url, m.inlines(depth+1)...)
	case 9:
		return sdk.Node{Kind: sdk.NodeBreak}
	case 10:
		if m.byte()%8 == 0 {
			return sdk.Paragraph(m.inlines(depth + 1)...)
		}
	}
	return sdk.Text(m.word())
}

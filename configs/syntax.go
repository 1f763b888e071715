package configs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxMends bounds how many plain mistakes of one file are told of at once.
const maxMends = 20

// mistake is what keeps a file from being YAML, at a byte of the text that is read.
type mistake struct {
	at        int
	what, fix string
	// mend lets the rest be read as it is meant; nil when that is not plain.
	mend *mend
	// sure says that the text is wrong for certain, even if another mistake beside it hides that the mend helps.
	sure bool
	// tabs says that it is one of indentation by tabs, whose mend is a guess.
	tabs bool
}

// parse reads the text. Every mistake is a problem; where what is meant is plain, the rest is read as if it stood there.
// Messages show no extract: neighbouring lines hold secrets.
func (r *reader) parse() (*ast.File, bool) {
	tabs := false
	for n := 0; ; n++ {
		f, fault := r.src.parse()
		if fault == nil {
			return f, true
		}
		m := r.explain(*fault)
		if tabs && m.mend == nil {
			return nil, false // it is hardly a mistake of its own
		}
		tabs = tabs || m.tabs
		r.problem(r.src.place(m.at), m.what, m.fix)
		if m.mend == nil || n == maxMends {
			return nil, false
		}
		r.src.apply(*m.mend)
	}
}

// fault is where and in which words the parser gives up.
type fault struct {
	at   int
	said string
}

// saidTag is said of a tag, which the parser takes.
const saidTag = "a tag"

// same reports whether a fault is still the one that was there before a mend, or one of the mend itself.
func (f fault) same(before fault, m mend) bool {
	if before.at >= m.to {
		before.at += len(m.with) - (m.to - m.from)
	}
	return f == before || f.at > m.from && f.at < m.from+len(m.with)
}

// parse reads the text as it stands now.
func (s *source) parse() (f *ast.File, bad *fault) {
	defer func() {
		if recover() != nil { // a fault of the parser must not be ours
			f, bad = nil, &fault{}
		}
	}()
	tokens := lexer.Tokenize(s.text)
	rest := s.note(tokens)
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		for _, t := range tokens {
			if t.Type == token.TagType && t.Value != "!!str" {
				return nil, &fault{s.at(t), saidTag} // what the parser makes of it is not to be relied on
			}
		}
		if rest < len(s.text) { // the parser passes it over
			if s.text[rest] == '!' {
				return nil, &fault{rest, saidTag}
			}
			return nil, &fault{at: rest}
		}
		return f, nil
	}
	bad = &fault{}
	if se, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		bad.at, bad.said = s.at(se.GetToken()), se.GetMessage()
	}
	return nil, bad
}

// explain finds the mistake behind a fault: the first plain one at its line or the one above whose mend helps, or else what
// the parser's words and the lines around tell.
func (r *reader) explain(bad fault) mistake {
	s := r.src
	line := strings.Count(s.text[:bad.at], "\n")
	if bad.said == saidTag {
		return r.tag(bad.at, line)
	}
	for _, m := range r.candidates(line) {
		if m.mend == nil && m.sure {
			return m
		}
		if m.mend == nil {
			continue
		}
		after := *s
		after.text = s.mended(*m.mend)
		_, next := after.parse()
		if next == nil || m.sure || !next.same(bad, *m.mend) {
			return m
		}
	}
	return r.describe(bad, line)
}

// lineSpan gives the bytes of a line of the text, from 0, without its end.
func (s *source) lineSpan(line int) (from, to int) {
	for ; line > 0; line-- {
		next := strings.IndexByte(s.text[from:], '\n')
		if next < 0 {
			return len(s.text), len(s.text)
		}
		from += next + 1
	}
	if n := strings.IndexByte(s.text[from:], '\n'); n >= 0 {
		return from, from + n
	}
	return from, len(s.text)
}

// candidates are the mistakes that a line and the lines around it may hold.
func (r *reader) candidates(line int) []mistake {
	var out []mistake
	for _, n := range []int{line, line - 1} {
		if n < 0 {
			continue
		}
		from, to := r.src.lineSpan(n)
		text := strings.TrimRight(r.src.text[from:to], " \t\r")
		l := readLine(from, text)
		if l.tab >= 0 {
			out = append(out, r.tabs(l))
			continue
		}
		out = append(out, r.lineMistakes(l)...)
	}
	return out
}

// tabs is the mistake of tabs in the indentation, of all lines at once.
func (r *reader) tabs(l yamlLine) mistake {
	lines := strings.SplitAfter(r.src.text[l.from:], "\n")
	for i, line := range lines {
		blank := len(line) - len(strings.TrimLeft(line, " \t"))
		lines[i] = strings.ReplaceAll(line[:blank], "\t", "  ") + line[blank:]
	}
	return mistake{at: l.from + l.tab, what: "a tab in the indentation", fix: "YAML indents with spaces only", tabs: true,
		mend: &mend{from: l.from, to: len(r.src.text), with: strings.Join(lines, "")}}
}

// describe says what is wrong where no mend is plain.
func (r *reader) describe(bad fault, line int) mistake {
	m := mistake{at: bad.at}
	from, to := r.src.lineSpan(line)
	l := readLine(from, strings.TrimRight(r.src.text[from:to], " \t\r"))
	switch said := bad.said; {
	case l.tab >= 0:
		m.at, m.what, m.fix = from+l.tab, "a tab in the indentation", "YAML indents with spaces only"
		return m
	case strings.Contains(said, "could not find end character of"):
		m.what, m.fix = "a quotation mark is opened here and never closed", "close it"
		return m
	case strings.HasPrefix(l.text[l.indent:], "- "):
		if above, column := r.listAbove(from, l.indent); above > 0 {
			m.at, m.what = from+l.indent, "this entry stands less deep than its list"
			m.fix = fmt.Sprintf("begin it at column %d, as in line %d", column, above)
			return m
		}
	}
	if open, bracket := r.openBracket(bad.at); bracket != "" {
		m.at, m.what = open, fmt.Sprintf("the %s that opens here is not closed", bracket)
		m.fix = "close it with " + map[string]string{"{": "}", "[": "]"}[bracket]
		return m
	}
	if bad.at < len(r.src.text) && strings.ContainsRune("}]", rune(r.src.text[bad.at])) {
		m.what, m.fix = fmt.Sprintf("there is a %c too many", r.src.text[bad.at]), "take it out"
		return m
	}
	if at, found := r.oddQuotes(line); found {
		m.at, m.what = at, fmt.Sprintf("a quotation mark is missing on this line, and line %d cannot be read", r.src.place(bad.at).Line)
		m.fix = "write quotation marks in pairs"
		return m
	}
	switch said := bad.said; {
	case strings.Contains(said, "mapping value is not allowed"):
		m.what, m.fix = `a second ": " on the line`, "put the value in quotes if the colon belongs to it"
	case strings.Contains(said, "is not allowed in this context"), strings.Contains(said, "unexpected key name"), strings.Contains(said, "non-map value"):
		m.what, m.fix = "this line does not fit those above it", "give settings that belong together the same indentation"
	default:
		m.what, m.fix = "this cannot be read as YAML", "look at the quotation marks, brackets, colons and indentation of this line and the one above it"
	}
	return m
}

// listAbove finds the list to which an entry at a lesser indentation was meant to belong: its line and its column, from 1.
func (r *reader) listAbove(from, indent int) (line, column int) {
	n := strings.Count(r.src.text[:from], "\n")
	for n--; n >= 0; n-- {
		at, to := r.src.lineSpan(n)
		text := strings.TrimRight(r.src.text[at:to], " \t\r")
		above := readLine(at, text)
		switch {
		case strings.TrimSpace(text) == "":
		case above.indent < indent:
			return 0, 0
		case above.indent > indent && strings.HasPrefix(text[above.indent:], "- "):
			return n + 1, above.indent + 1
		case above.indent > indent && above.name != "" && above.value == "":
			return n + 1, above.indent + 1
		}
	}
	return 0, 0
}

// openBracket finds the innermost bracket that is open where the parser gives up, when that is on a line below it or at the
// bracket itself.
func (r *reader) openBracket(at int) (open int, bracket string) {
	var stack []int
	for _, t := range lexer.Tokenize(r.src.text) {
		if t.Position == nil {
			continue
		}
		here := r.src.offset(t.Position.Line, max(t.Position.Column, 1))
		if here > at {
			break
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			stack = append(stack, here)
		case token.MappingEndType, token.SequenceEndType:
			if len(stack) > 0 && here < at {
				stack = stack[:len(stack)-1]
			}
		}
	}
	if len(stack) == 0 {
		return 0, ""
	}
	open = stack[len(stack)-1]
	if open != at && !strings.Contains(r.src.text[open:at], "\n") {
		return 0, "" // something else is wrong between the brackets
	}
	return open, r.src.text[open : open+1]
}

// oddQuotes finds the first line, up to one, with a quotation mark that has no partner.
func (r *reader) oddQuotes(until int) (at int, found bool) {
	for n := range until + 1 {
		from, to := r.src.lineSpan(n)
		line := r.src.text[from:to]
		if (strings.Count(line, `"`)-strings.Count(line, `\"`))%2 == 1 {
			return from + strings.IndexByte(line, '"'), true
		}
	}
	return 0, false
}

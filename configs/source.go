package configs

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// source is the text of a file, with the mends that let the rest of it be read after a plain mistake.
type source struct {
	file string
	// written is what the file holds, and text what is read.
	written, text string
	mends         []mend
	// lines are where the lines of written begin.
	lines []int
	// tokens says where in text each token stands, without white space around it.
	tokens map[*token.Token]span
}

// mend puts something else in the place of some bytes of a text.
type mend struct {
	from, to int
	with     string
	// shift is how far what was there stands behind the beginning of with: 1 behind a quotation mark.
	shift int
}

func newSource(file, text string) *source {
	s := &source{file: file, written: text, text: text, lines: []int{0}}
	for i, c := range []byte(text) {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// mended is the text after one more mend.
func (s *source) mended(m mend) string { return s.text[:m.from] + m.with + s.text[m.to:] }

func (s *source) apply(m mend) {
	s.text = s.mended(m)
	s.mends = append(s.mends, m)
}

// place says where in the file a byte of the text stands.
func (s *source) place(offset int) Position {
	for _, m := range slices.Backward(s.mends) {
		switch end := m.from + len(m.with); {
		case offset >= end:
			offset += m.to - m.from - len(m.with)
		case offset > m.from:
			offset = m.from + min(max(offset-m.from-m.shift, 0), m.to-m.from)
		}
	}
	offset = min(max(offset, 0), len(s.written))
	line := sort.SearchInts(s.lines, offset+1) - 1
	return Position{File: s.file, Line: line + 1, Column: utf8.RuneCountInString(s.written[s.lines[line]:offset]) + 1}
}

// offset says where a line and column of the text are, as the parser counts them.
func (s *source) offset(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(s.text[at:], '\n')
		if next < 0 {
			return len(s.text)
		}
		at += next + 1
	}
	for ; column > 1 && at < len(s.text) && s.text[at] != '\n'; column-- {
		_, size := utf8.DecodeRuneInString(s.text[at:])
		at += size
	}
	return at
}

// note says where the tokens of the text begin and end. Their origins, one after the other, are the text but for white space;
// of a text in double quotes the lexer loses digits, so its end is looked for. rest is where something stands that became no
// token; the end of the text when nothing does.
func (s *source) note(tokens token.Tokens) (rest int) {
	s.tokens = make(map[*token.Token]span, len(tokens))
	const blank = " \t\r\n"
	at := 0
	for _, t := range tokens {
		origin := strings.Trim(t.Origin, blank)
		if origin == "" {
			continue
		}
		at += len(s.text[at:]) - len(strings.TrimLeft(s.text[at:], blank))
		end := at + len(origin)
		switch {
		case t.Type == token.DoubleQuoteType && strings.HasPrefix(s.text[at:], `"`):
			if end = at + closingQuote(s.text[at:]); end < at {
				return len(s.text)
			}
		case !strings.HasPrefix(s.text[at:], origin):
			return len(s.text) // from here on the parser's own positions have to do
		}
		s.tokens[t] = span{at, end}
		at = end
	}
	return len(s.text) - len(strings.TrimLeft(s.text[at:], blank))
}

// span is from where to where in the text something stands.
type span struct{ from, to int }

// at says where in the text a token begins.
func (s *source) at(t *token.Token) int {
	if t == nil {
		return 0
	}
	if where, known := s.tokens[t]; known {
		return where.from
	}
	if t.Position == nil {
		return 0
	}
	return s.offset(t.Position.Line, max(t.Position.Column, 1))
}

// scalar is where a text of the configuration is written, so that places inside it can be told.
type scalar struct {
	src  *source
	from int // of raw in the text of src
	// raw is how it is written, with its quotation marks, indentations and escapes, and value what that means.
	raw, value string
	quote      byte // ' or ", or 0
}

// place finds a line and column of the value, from 1 and in characters, in the file; false when it cannot be told.
func (v *scalar) place(line, column int) (Position, bool) {
	index, at := 0, 1
	for _, r := range v.value {
		if at == line {
			break
		}
		if r == '\n' {
			at++
		}
		index++
	}
	value := []rune(v.value)
	offsets, ok := align(v.raw, v.quote, value)
	if index += max(column, 1) - 1; !ok || at != line || index >= len(offsets) {
		return Position{}, false
	}
	last := len(value)
	for last > 0 && unicode.IsSpace(value[last-1]) {
		last--
	}
	if index >= last && last > 0 && last < len(value) { // at the end of what is seen
		_, size := utf8.DecodeRuneInString(v.raw[offsets[last-1]:])
		return v.src.place(v.from + offsets[last-1] + size), true
	}
	return v.src.place(v.from + offsets[index]), true
}

// unit is what stands for one character of a value, or for none.
type unit struct {
	at, size int
	r        rune // -1 for none
}

func (u unit) blank() bool { return u.r == -1 || unicode.IsSpace(u.r) }

// align finds the byte of raw at which each character of a value is written, and after them the end; false when the value
// is not what raw says. White space is aligned by runs, since how it is folded differs by style and indentation; every other
// character has its own place.
func align(raw string, quote byte, value []rune) (offsets []int, ok bool) {
	units := unitsOf(raw, quote)
	offsets = make([]int, 0, len(value)+1)
	for i, j := 0, 0; ; {
		var gap []unit
		for ; i < len(units) && units[i].blank(); i++ {
			gap = append(gap, units[i])
		}
		blanks := j
		for j < len(value) && unicode.IsSpace(value[j]) {
			j++
		}
		if len(gap) == 0 && i == len(units) {
			gap = []unit{{at: len(raw)}} // line ends at the end of the file
		}
		offsets = append(offsets, alignBlanks(gap, value[blanks:j])...)
		if len(offsets) != j {
			return nil, false
		}
		if j == len(value) {
			end := len(raw)
			if i < len(units) {
				return nil, false
			}
			switch {
			case quote != 0:
				end--
			case blanks == j:
				end = gap[0].at
			}
			return append(offsets, end), true
		}
		if i == len(units) || units[i].r != value[j] {
			return nil, false
		}
		offsets = append(offsets, units[i].at)
		i, j = i+1, j+1
	}
}

// alignBlanks places white space: line ends at line ends, from the first on, and the spaces after the last of them at the
// last spaces that are written.
func alignBlanks(gap []unit, blanks []rune) []int {
	if len(gap) == 0 {
		return nil
	}
	out := make([]int, len(blanks))
	next := 0
	for i, r := range blanks {
		at := gap[max(len(gap)-len(blanks)+i, 0)].at
		if r == '\n' {
			for k := next; k < len(gap); k++ {
				if gap[k].r == '\n' {
					at, next = gap[k].at, k+1
					break
				}
			}
		}
		out[i] = at
	}
	return out
}

// unitsOf takes a written scalar apart.
func unitsOf(raw string, quote byte) []unit {
	units := make([]unit, 0, len(raw))
	i, end := 0, len(raw)
	if quote != 0 {
		i, end = 1, max(len(raw)-1, 1)
	}
	for i < end {
		r, size := utf8.DecodeRuneInString(raw[i:end])
		switch {
		case quote == '\'' && strings.HasPrefix(raw[i:end], "''"):
			size = 2
		case quote == '"' && r == '\\':
			r, size = escape(raw[i:end])
		}
		units = append(units, unit{i, size, r})
		i += size
	}
	return units
}

// escapes are the characters after a backslash in double quotes that stand for another one (YAML 1.2.2, 5.7).
var escapes = map[byte]rune{'0': 0, 'a': '\a', 'b': '\b', 't': '\t', '\t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': '\x1b',
	' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': '\u0085', '_': '\u00a0', 'L': '\u2028', 'P': '\u2029'}

// escape reads an escape in double quotes.
func escape(raw string) (r rune, size int) {
	if len(raw) < 2 {
		return '\\', 1
	}
	if digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[raw[1]]; digits > 0 && len(raw) >= 2+digits {
		n, err := strconv.ParseUint(raw[2:2+digits], 16, 32)
		if err == nil {
			return rune(n), 2 + digits
		}
	}
	if r, known := escapes[raw[1]]; known {
		return r, 2
	}
	if raw[1] == '\n' || strings.HasPrefix(raw[1:], "\r\n") {
		return -1, 1 // the line goes on
	}
	return '\\', 1
}

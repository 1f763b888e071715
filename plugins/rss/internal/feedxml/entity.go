package feedxml

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxEntity bounds how far behind an ampersand its semicolon may stand; the longest name of HTML has 31 letters.
const maxEntity = 40

// windows1252 are the characters meant by the code points 0x80 to 0x9F, which carry nothing visible themselves but are
// what becomes of windows-1252 text that somebody took for ISO-8859-1.
var windows1252 = [32]rune{'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8D, 'Ž', 0x8F,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9D, 'ž', 'Ÿ'}

// appendDecoded appends a run of character data with its references resolved and without what XML forbids. literal is set
// for CDATA, where an ampersand is one.
func (s *scanner) appendDecoded(dst, run []byte, literal bool) []byte {
	start := 0
	for i := 0; i < len(run); i++ {
		c := run[i]
		if c >= 0x20 && c != '&' && c != 0xC2 && c != 0xEF || c == '\n' || c == '\t' || c == '\r' {
			continue
		}
		skip := 1
		switch {
		case c == '&':
			if literal {
				continue
			}
			dst = append(dst, run[start:i]...)
			dst, skip = s.appendEntity(dst, run[i:])
		case c == 0xC2:
			if i+1 >= len(run) || run[i+1] < 0x80 || run[i+1] > 0x9F {
				continue
			}
			dst = append(dst, run[start:i]...)
			dst = utf8.AppendRune(dst, windows1252[run[i+1]-0x80])
			s.fixed.latin++
			skip = 2
		case c == 0xEF:
			// U+FFFE and U+FFFF are no characters of XML.
			if i+2 >= len(run) || run[i+1] != 0xBF || run[i+2] < 0xBE {
				continue
			}
			dst = append(dst, run[start:i]...)
			s.fixed.control++
			skip = 3
		default:
			dst = append(dst, run[start:i]...)
			s.fixed.control++
		}
		i += skip - 1
		start = i + 1
	}
	return append(dst, run[start:]...)
}

// appendEntity resolves the reference at the beginning of run and tells how many bytes it took. What is no reference is a
// bare ampersand.
func (s *scanner) appendEntity(dst, run []byte) ([]byte, int) {
	end := bytes.IndexByte(run[:min(len(run), maxEntity)], ';')
	if end < 2 {
		s.fixed.ampersand++
		return append(dst, '&'), 1
	}
	name := run[1:end]
	if name[0] == '#' {
		if r, ok := character(name[1:]); ok {
			if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
				s.fixed.control++
				return dst, end + 1
			}
			return utf8.AppendRune(dst, r), end + 1
		}
		s.fixed.ampersand++
		return append(dst, '&'), 1
	}
	switch string(name) {
	case "amp":
		return append(dst, '&'), end + 1
	case "lt":
		return append(dst, '<'), end + 1
	case "gt":
		return append(dst, '>'), end + 1
	case "quot":
		return append(dst, '"'), end + 1
	case "apos":
		return append(dst, '\''), end + 1
	}
	if text, ok := htmlEntity(name); ok {
		s.fixed.entity++
		return append(dst, text...), end + 1
	}
	if s.declared[string(name)] && s.err == nil {
		s.err = invalid("the feed uses an entity that it declares itself (&%s;), which is how XML bombs are built; "+
			"it would have to write the text instead", name)
	}
	s.fixed.ampersand++
	return append(dst, '&'), 1
}

// character reads the number of a character reference. Numbers that are no character give U+FFFD, as in HTML.
func character(digits []byte) (rune, bool) {
	base := 10
	if len(digits) > 1 && (digits[0] == 'x' || digits[0] == 'X') {
		base, digits = 16, digits[1:]
	}
	n, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil {
		return 0, false
	}
	switch {
	case n >= 0x80 && n <= 0x9F:
		return windows1252[n-0x80], true
	case n == 0 || n > utf8.MaxRune || n >= 0xD800 && n <= 0xDFFF:
		return utf8.RuneError, true
	}
	return rune(n), true
}

// htmlEntity gives the text of a named entity of HTML.
func htmlEntity(name []byte) (string, bool) {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return "", false
		}
	}
	if string(name) == "semi" {
		return ";", true
	}
	text := html.UnescapeString("&" + string(name) + ";")
	// A prefix that HTML knows without its semicolon (&notit;) would leave the semicolon behind.
	if strings.HasSuffix(text, ";") {
		return "", false
	}
	return text, true
}

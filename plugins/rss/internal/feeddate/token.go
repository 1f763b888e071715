package feeddate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a run of letters, a number with what belongs to it (12:30:05.5, 2026-01-05, 05/01/2026), or a sign.
type token struct {
	text string
	kind byte // 'a' letters, 'n' number, '+' or '-' a signed number, '(' a comment
}

var eastern = strings.NewReplacer("年", "-", "月", "-", "日", " ", "時", ":", "时", ":", "分", " ")

// tokens cuts a text at blanks, commas and changes between letters and digits. Chinese and Japanese date marks count as
// separators of numbers.
func tokens(text string) []token {
	text = eastern.Replace(text)
	var out []token
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		j := i + n
		switch {
		case unicode.IsLetter(r):
			for j < len(text) {
				r, n := utf8.DecodeRuneInString(text[j:])
				if !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) {
					break
				}
				j += n
			}
			out = append(out, token{fold(text[i:j]), 'a'})
		case r >= '0' && r <= '9':
			for j < len(text) && (isDigit(text[j]) || joins(text, j)) {
				j++
			}
			out = append(out, token{text[i:j], 'n'})
		case (r == '+' || r == '-' || r == '−' || r == '–') && j < len(text) && isDigit(text[j]):
			k := j
			for k < len(text) && (isDigit(text[k]) || text[k] == ':' && k+1 < len(text) && isDigit(text[k+1])) {
				k++
			}
			kind := byte('-')
			if r == '+' {
				kind = '+'
			}
			out = append(out, token{text[j:k], kind})
			j = k
		case r == '(':
			if end := strings.IndexByte(text[j:], ')'); end >= 0 {
				out = append(out, token{fold(strings.TrimSpace(text[j : j+end])), '('})
				j += end + 1
			}
		}
		i = j
	}
	return out
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// joins tells whether the sign at i stands between two digits of one number; a hyphen only joins the parts of a date, so
// that the offset in "10:00:00-0500" stays apart.
func joins(text string, i int) bool {
	if i+1 >= len(text) || !isDigit(text[i+1]) {
		return false
	}
	switch text[i] {
	case ':', '/', '.':
		return true
	case '-':
		start := i
		for start > 0 && (isDigit(text[start-1]) || text[start-1] == '-') {
			start--
		}
		return start == 0 || text[start-1] != ':' && text[start-1] != '.' && text[start-1] != '+'
	}
	return false
}

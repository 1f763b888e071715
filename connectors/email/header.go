package email

import (
	"strings"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

const crlf = "\r\n"

// headerText refuses what would end a header or hide in it. what names the value in the sentence, scope whose it is.
func headerText(what, s string, scope sdk.Scope) error {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			e := sdk.Errorf(sdk.CodeInvalid, "message", "%s holds a line end or another control character, which would forge a header; "+
				"take it out where the text is made", what)
			e.Scope = scope
			return e
		}
	}
	if !utf8.ValidString(s) {
		e := sdk.Errorf(sdk.CodeInvalid, "message", "%s is not UTF-8", what)
		e.Scope = scope
		return e
	}
	return nil
}

// maxLine is where header lines are folded (RFC 5322 section 2.1.1).
const maxLine = 76

// appendUnstructured writes the value of a header that is free text, folded, with encoded words (RFC 2047) where it is not
// ASCII. at is the column it begins at. The text has passed headerText.
func appendUnstructured(dst []byte, s string, at int) []byte {
	if !plainHeader(s) {
		return appendEncodedWords(dst, s, at)
	}
	for s != "" {
		// A word goes with the white space before it.
		i := 0
		for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
			i++
		}
		for i < len(s) && s[i] != ' ' && s[i] != '\t' {
			i++
		}
		if at+i > maxLine && at > 1 && (s[0] == ' ' || s[0] == '\t') {
			dst, at = append(dst, crlf...), 0
		}
		dst, at, s = append(dst, s[:i]...), at+i, s[i:]
	}
	return dst
}

// plainHeader says that a text can stand as it is: printable ASCII in words that fit a line, nothing that reads like an
// encoded word, no white space that folding would lose.
func plainHeader(s string) bool {
	word := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			word = 0
		case c < ' ' || c > '~':
			return false
		default:
			if word++; word > 200 {
				return false
			}
		}
	}
	return !strings.Contains(s, "=?") && s == strings.TrimSpace(s) && !strings.Contains(s, "  ")
}

// appendEncodedWords writes a text as encoded words of at most 75 characters, one a line (RFC 2047 section 2).
func appendEncodedWords(dst []byte, s string, at int) []byte {
	const begin, end, hex = "=?utf-8?q?", "?=", "0123456789ABCDEF"
	width := 0 // of the word that is open; 0 when none is
	for i := 0; i < len(s); {
		_, size := utf8.DecodeRuneInString(s[i:])
		cost := size * 3
		c := s[i]
		literal := c == ' ' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!*+-/", c) >= 0
		if literal {
			cost = 1
		}
		if width > 0 && (width+cost+len(end) > 75 || at+cost+len(end) > maxLine) {
			dst = append(append(append(dst, end...), crlf...), ' ')
			width, at = 0, 1
		}
		if width == 0 {
			if at > 1 && at+len(begin)+cost+len(end) > maxLine {
				dst, at = append(append(dst, crlf...), ' '), 1
			}
			dst, width, at = append(dst, begin...), len(begin), at+len(begin)
		}
		switch {
		case c == ' ':
			dst = append(dst, '_')
		case literal:
			dst = append(dst, c)
		default:
			for _, b := range []byte(s[i : i+size]) {
				dst = append(dst, '=', hex[b>>4], hex[b&15])
			}
		}
		i, width, at = i+size, width+cost, at+cost
	}
	if width > 0 {
		dst = append(dst, end...)
	}
	return dst
}

// listID is the value of List-Id (RFC 2919): the phrase may be encoded, what stands in brackets never is. It is empty for a
// list without a name that could stand there.
func listID(list sdk.List, host string) string {
	if list.ID == "" {
		return ""
	}
	id := make([]byte, 0, len(list.ID))
	for i := range len(list.ID) {
		switch c := list.ID[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			id = append(id, c)
		case c >= 'A' && c <= 'Z':
			id = append(id, c+'a'-'A')
		default:
			id = append(id, '-')
		}
	}
	bracket := "<" + strings.Trim(string(id), "-") + "." + host + ">"
	if list.Title == "" || len(list.Title)*3+len(bracket) > 200 {
		return bracket
	}
	if plainHeader(list.Title) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(list.Title) + `" ` + bracket
	}
	phrase := appendEncodedWords(nil, list.Title, len("List-Id: "))
	return string(phrase) + crlf + " " + bracket
}

package http

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	webAddress = regexp.MustCompile(`https?://[A-Za-z0-9.-]+(?::[0-9]+)?/[^\s<>()"]*`)
	groupNames = regexp.MustCompile(`^(?i)(?:all|here|channel|everyone|group|room|topic|team|stream)\b|^[\\*_]`)
)

// quiet takes the ring out of mentions: an @ that a chat would read as the beginning of a name or of a group (@all,
// @channel, @everyone, @here, @**name**) becomes ＠ (U+FF20), and the ! of <!channel> becomes ！ (U+FF01). Both are as
// long as what they replace, in code points and UTF-16, so that a fitted text still fits. Mail addresses stay, and so do
// web addresses with a user's @ in their path.
func quiet(s string) string {
	if !strings.ContainsAny(s, "@<") {
		return s
	}
	var b strings.Builder
	rest := s
	for rest != "" {
		at := webAddress.FindStringIndex(rest)
		if at == nil {
			quietText(&b, rest, before(s, rest), false)
			break
		}
		quietText(&b, rest[:at[0]], before(s, rest), false)
		quietText(&b, rest[at[0]:at[1]], before(s, rest[at[0]:]), true)
		rest = rest[at[1]:]
	}
	return b.String()
}

// before is the rune in front of the tail of s.
func before(s, tail string) rune {
	r, _ := utf8.DecodeLastRuneInString(s[:len(s)-len(tail)])
	return r
}

func quietText(b *strings.Builder, s string, last rune, address bool) {
	for s != "" {
		r, width := utf8.DecodeRuneInString(s)
		char, after := s[:width], s[width:]
		switch {
		case r == '@' && mentions(last, after, address):
			char = "＠"
		case r == '!' && last == '<':
			char = "！"
		}
		b.WriteString(char)
		last, s = r, after
	}
}

// mentions reports whether an @ between a rune and a text could begin a mention.
func mentions(last rune, after string, address bool) bool {
	if address {
		return groupNames.MatchString(after)
	}
	next, _ := utf8.DecodeRuneInString(after)
	if after == "" || unicode.IsSpace(next) {
		return false
	}
	return !unicode.IsLetter(last) && !unicode.IsDigit(last) && last != '_'
}

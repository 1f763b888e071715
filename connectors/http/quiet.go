package http

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

var webAddress = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`https?://[A-Za-z0-9.-]+(?::[0-9]+)?/[^\s<>()"]*`) })

// quiet takes the ring out of mentions: an @ that a chat would read as the beginning of a name or of a group (@all,
// @channel, @everyone, @here, @**name**) becomes ＠ (U+FF20), and the ! of <!channel> becomes ！ (U+FF01). Both are as
// long as what they replace, in code points and UTF-16. In the path of a web address, which must go on leading to the
// same place, an @ becomes %40; that is two longer. Mail addresses stay.
func quiet(s string) string {
	if !strings.ContainsAny(s, "@<") {
		return s
	}
	var b strings.Builder
	last, rest := utf8.RuneError, s
	for {
		at := webAddress().FindStringIndex(rest)
		if at == nil {
			quietText(&b, rest, last)
			return b.String()
		}
		quietText(&b, rest[:at[0]], last)
		b.WriteString(strings.ReplaceAll(rest[at[0]:at[1]], "@", "%40"))
		last, _ = utf8.DecodeLastRuneInString(rest[:at[1]])
		rest = rest[at[1]:]
	}
}

// quietText deals with a piece of text without addresses; last is the rune in front of it.
func quietText(b *strings.Builder, s string, last rune) {
	for s != "" {
		r, width := utf8.DecodeRuneInString(s)
		char, after := s[:width], s[width:]
		switch {
		case r == '@' && mentions(last, after):
			char = "＠"
		case r == '!' && last == '<':
			char = "！"
		}
		b.WriteString(char)
		last, s = r, after
	}
}

// mentions reports whether an @ between a rune and a text could begin a mention.
func mentions(last rune, after string) bool {
	next, _ := utf8.DecodeRuneInString(after)
	if after == "" || unicode.IsSpace(next) {
		return false
	}
	return !unicode.IsLetter(last) && !unicode.IsDigit(last) && last != '_'
}

package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// address gives a link's address in the one spelling that every markup can carry: as sdk.CheckLink spells it, and with
// every character that RFC 3986 forbids percent-encoded.
func address(link string) (string, bool) {
	u, err := sdk.CheckLink(link)
	if err != nil {
		return "", false
	}
	enc := percentEncode(u)
	if enc == u {
		return u, true
	}
	// The encoding may have made it too long, or stand in a host, where it is not possible.
	u, err = sdk.CheckLink(enc)
	return u, err == nil && u == enc
}

func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	clean := 0
	for clean < len(s) && !forbiddenInURL(s[clean]) {
		clean++
	}
	if clean == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := range len(s) {
		if c := s[i]; forbiddenInURL(c) {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func forbiddenInURL(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0
}

// bare takes off an address what people leave out when they write it.
func bare(s string) string {
	for _, prefix := range []string{"https://", "http://", "mailto:", "www."} {
		if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
			s = s[len(prefix):]
		}
	}
	return strings.TrimSuffix(s, "/")
}

// shows reports whether a link's label is its own address, whole or shortened with an ellipsis at its end.
func shows(label, url string) bool {
	if label == url {
		return true
	}
	l, u := bare(label), bare(url)
	if cut, ok := strings.CutSuffix(l, "…"); ok && len(cut) > 3 && len(cut) < len(u) {
		return strings.EqualFold(cut, u[:len(cut)])
	}
	if strings.EqualFold(l, u) {
		return true
	}
	if !strings.Contains(l, ".") {
		return false
	}
	checked, ok := address("http://" + l)
	return ok && strings.EqualFold(bare(checked), u)
}

// findAddress finds the first http or https address in running text. It stands at the beginning of a word and ends before
// white space, quotation marks and angle brackets, and before punctuation that belongs to the sentence.
func findAddress(s string) (from, to int) {
	for at := 0; at < len(s); {
		i := strings.Index(s[at:], "://")
		if i < 0 {
			break
		}
		i += at
		at = i + 3
		start := i
		for _, scheme := range []string{"https", "http"} {
			if i >= len(scheme) && strings.EqualFold(s[i-len(scheme):i], scheme) {
				start = i - len(scheme)
				break
			}
		}
		if start == i {
			continue
		}
		if r, _ := utf8.DecodeLastRuneInString(s[:start]); start > 0 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			continue
		}
		end := strings.IndexFunc(s[at:], endsAddress)
		if end < 0 {
			end = len(s) - at
		}
		if end = trimAddress(s[at : at+end]); end == 0 {
			continue
		}
		return start, at + end
	}
	return -1, -1
}

func endsAddress(r rune) bool {
	return r == utf8.RuneError || r < 0x20 || unicode.IsSpace(r) || unwanted(r) ||
		strings.ContainsRune("<>\"`«»“”„‟‹›…、。，；：！？「」『』（）【】《》〈〉", r)
}

// trimAddress gives the length of an address without the punctuation that follows it: full stops, commas and the like,
// and closing brackets that it did not open.
func trimAddress(s string) int {
	surplus := func(open, end string) int { return strings.Count(s, end) - strings.Count(s, open) }
	round, square, curly := surplus("(", ")"), surplus("[", "]"), surplus("{", "}")
	closes := func(surplus *int) bool { *surplus--; return *surplus >= 0 }
	for s != "" {
		switch c := s[len(s)-1]; {
		case strings.IndexByte(".,;:!?'*_~", c) >= 0:
		case c == ')' && closes(&round), c == ']' && closes(&square), c == '}' && closes(&curly):
		default:
			return len(s)
		}
		s = s[:len(s)-1]
	}
	return 0
}

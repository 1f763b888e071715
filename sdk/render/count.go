package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/belfry-news/belfry/sdk"
)

// Count measures a text. Bytes that are no UTF-8 count one each; an unknown unit counts bytes, which are never fewer.
func Count(text string, u sdk.Unit) int {
	switch u {
	case sdk.UnitUTF16:
		n := 0
		for _, r := range text {
			n++
			if r > 0xffff {
				n++
			}
		}
		return n
	case sdk.UnitCodePoints:
		return utf8.RuneCountInString(text)
	case sdk.UnitGraphemes:
		if isASCII(text) {
			return len(text) - strings.Count(text, "\r\n")
		}
		return uniseg.GraphemeClusterCount(text)
	}
	return len(text)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// exceeds reports whether a text counts more than limit, without reading much further than that.
func exceeds(text string, u sdk.Unit, limit int) bool {
	if len(text) <= limit {
		return false // no unit counts more than bytes
	}
	switch u {
	case sdk.UnitUTF16, sdk.UnitCodePoints:
		if len(text) > 4*limit {
			return true
		}
	case sdk.UnitGraphemes:
		state, n := -1, 0
		for text != "" && n <= limit {
			_, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
			n++
		}
		return n > limit
	}
	return Count(text, u) > limit
}

const ellipsis = "…"

// CutText shortens plain text to at most limit units. What is cut off is shown by an ellipsis, which counts; it is left out
// where it does not fit. The cut is at the border of a word when one is near (within 40 characters, and leaving a third of
// the room), and never inside a grapheme cluster, a #hashtag, an @mention or an address that fits. A limit of 0 or less
// gives nothing.
func CutText(text string, limit int, u sdk.Unit) string {
	if limit <= 0 {
		return ""
	}
	if !exceeds(text, u, limit) {
		return text
	}
	room, mark := limit-Count(ellipsis, u), ellipsis
	if room < 0 {
		room, mark = limit, ""
	}
	kept, ok := cutAt(text, room, u, 0)
	if !ok {
		if kept, ok = cutAt(text, room, u, len(text)); !ok {
			return mark
		}
	}
	if mark == "" {
		return strings.TrimRightFunc(kept, unicode.IsSpace)
	}
	return trimForEllipsis(kept) + mark
}

// cutAt gives what is kept of a text in the room given, with tags whole from an offset on; ok says that it is something.
func cutAt(text string, room int, u sdk.Unit, tagsFrom int) (kept string, ok bool) {
	var seams []seam
	used, counted := 0, 0
	forSeams(text, 0, 0, tagsFrom, func(s seam) bool {
		if used += Count(text[counted:s.off], u); used > room {
			return false
		}
		counted = s.off
		seams = append(seams, s)
		return true
	})
	if len(seams) == 0 {
		return "", false
	}
	return text[:seams[nearWord(seams, len(seams)-1, false)].off], true
}

// trimForEllipsis takes off what reads badly before an ellipsis: white space, and punctuation that ends a part of a
// sentence or begins another.
func trimForEllipsis(s string) string {
	t := strings.TrimRightFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(".,;:…-–—([{«‹“„¿¡、。，；：", r)
	})
	if len(cutBytes(s, len(t))) < len(t) {
		return s // the punctuation belongs to a cluster
	}
	return t
}

// seamLevel says what a seam is the border of; a higher one is a better place to cut.
type seamLevel uint8

const (
	seamCluster seamLevel = iota
	seamWord
	seamSentence
	seamLine
)

// seam is a place after which a text can be cut.
type seam struct {
	off   int
	level seamLevel
}

// forSeams finds the borders of grapheme clusters (UAX 29) after each cluster from an offset on, until f says stop or, if n
// is not 0, in n clusters. Borders of words are where a line may break (UAX 14), which keeps together what a no-break space
// joins. There is none inside a #hashtag, @mention or address, which would become another one, unless it begins before tagsFrom.
func forSeams(text string, from, n, tagsFrom int, f func(seam) bool) {
	state, off, tagEnd := -1, from, 0
	rest := text[from:]
	for count := 0; rest != "" && (n == 0 || count < n); count++ {
		var cluster string
		var borders int
		if off >= tagsFrom && off >= tagEnd {
			tagEnd = endOfTag(text, off)
		}
		cluster, rest, borders, state = uniseg.StepString(rest, state)
		off += len(cluster)
		s := seam{off: off}
		switch {
		case off < tagEnd:
			continue
		case rest == "" || strings.HasSuffix(cluster, "\n"):
			s.level = seamLine
		case borders&uniseg.MaskSentence != 0:
			s.level = seamSentence
		case borders&uniseg.MaskLine != uniseg.LineDontBreak, rest[0] == ' ', rest[0] == '\n':
			s.level = seamWord
		}
		if !f(s) {
			return
		}
	}
}

// endOfTag gives where the hashtag, mention or address ends that begins at an offset, or the offset.
func endOfTag(text string, off int) int {
	const longest = 256 // bytes; what is longer is no hashtag
	if r, _ := utf8.DecodeLastRuneInString(text[:off]); off > 0 && isTagRune(r) {
		return off
	}
	switch rest := text[off:]; rest[0] {
	case '#', '@':
		n := strings.IndexFunc(rest[1:], func(r rune) bool { return !isTagRune(r) })
		if n < 0 {
			n = len(rest) - 1
		}
		if n > 0 && n < longest {
			return off + 1 + n
		}
	case 'h', 'H':
		if len(rest) > 8 && (strings.EqualFold(rest[:7], "http://") || strings.EqualFold(rest[:8], "https://")) {
			if from, to := findAddress(rest); from == 0 {
				return off + to
			}
		}
	}
	return off
}

// isTagRune reports what a hashtag is made of, besides its sign.
func isTagRune(r rune) bool { return r == '_' || unicode.In(r, unicode.L, unicode.M, unicode.N) }

// nearWord gives the index of a border of a word at or shortly before the seam at i, or i. Unless there is more before the
// first seam, at least a third of the text must be left.
func nearWord(seams []seam, i int, more bool) int {
	for j := i; j >= 0 && i-j <= 40 && (more || 3*j >= i); j-- {
		if seams[j].level >= seamWord {
			return j
		}
	}
	return i
}

func firstCluster(s string) string {
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(s, -1) //nolint:dogsled // the rest is of no use here
	return cluster
}

// cutBytes gives the longest beginning of at most limit bytes that ends at the border of a cluster.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	// Clusters are counted from the last space on, where one certainly begins.
	from := max(strings.LastIndexByte(s[:limit], ' '), 0)
	end, state := from, -1
	for rest := s[from:]; ; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if end+len(cluster) > limit {
			return s[:end]
		}
		end += len(cluster)
	}
}

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

// CutText shortens plain text to at most max units. What is cut off is shown by an ellipsis, which counts; it is left out
// where it does not fit. The cut is at the border of a word when one is near (in the second half and within 40
// characters), and never inside a grapheme cluster. A max of 0 or less gives nothing.
func CutText(text string, max int, u sdk.Unit) string {
	if max <= 0 {
		return ""
	}
	if !exceeds(text, u, max) {
		return text
	}
	room, mark := max-Count(ellipsis, u), ellipsis
	if room < 0 {
		room, mark = max, ""
	}
	var borders []seam
	used := 0
	forSeams(text, func(s seam) bool {
		from := 0
		if len(borders) > 0 {
			from = borders[len(borders)-1].off
		}
		if used += Count(text[from:s.off], u); used > room {
			return false
		}
		borders = append(borders, s)
		return true
	})
	if len(borders) == 0 {
		return mark
	}
	kept := text[:borders[nearWord(borders, len(borders)-1)].off]
	if mark == "" {
		return strings.TrimRightFunc(kept, unicode.IsSpace)
	}
	return trimForEllipsis(kept) + mark
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

// forSeams finds the borders of grapheme clusters (UAX 29) after each cluster, until f says stop. Borders of words are
// where a line may break (UAX 14), which keeps together what a no-break space joins.
func forSeams(text string, f func(seam) bool) {
	state, off := -1, 0
	for rest := text; rest != ""; {
		var cluster string
		var borders int
		cluster, rest, borders, state = uniseg.StepString(rest, state)
		off += len(cluster)
		s := seam{off: off}
		switch {
		case rest == "" || strings.HasSuffix(cluster, "\n"):
			s.level = seamLine
		case borders&uniseg.MaskSentence != 0:
			s.level = seamSentence
		case borders&uniseg.MaskLine != uniseg.LineDontBreak:
			s.level = seamWord
		}
		if !f(s) {
			return
		}
	}
}

// nearWord gives the index of a border of a word at or shortly before the seam at i, or i.
func nearWord(seams []seam, i int) int {
	for j := i; j >= 0 && i-j <= 40 && 2*j >= i; j-- {
		if seams[j].level >= seamWord {
			return j
		}
	}
	return i
}

func firstCluster(s string) string {
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(s, -1)
	return cluster
}

// cutBytes gives the longest beginning of at most max bytes that ends at the border of a cluster.
func cutBytes(s string, max int) string {
	if len(s) <= max {
		return s
	}
	// Clusters are counted from the last space on, where one certainly begins.
	from := strings.LastIndexByte(s[:max], ' ')
	if from < 0 {
		from = 0
	}
	end, state := from, -1
	for rest := s[from:]; ; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if end+len(cluster) > max {
			return s[:end]
		}
		end += len(cluster)
	}
}

// Package keyword recognises what somebody wants who answers with a word: to end, to begin, or help. Its one promise: the
// words of every language always count, on every medium and whatever language the person chose, and only a message that is
// such a word or begins with one is acted upon.
//
// A word in another place ("don't stop") is no order; it is told apart, so that a person reads it and nothing is sent
// meanwhile.
package keyword

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Meaning is what a message asks for.
type Meaning string

const (
	// None is any other text.
	None Meaning = "none"
	// Stop ends everything on the medium.
	Stop Meaning = "stop"
	// Start asks for what can be followed; it is no consent by itself.
	Start Meaning = "start"
	// Help asks what can be written.
	Help Meaning = "help"
	// Maybe holds a word of Stop where it is no order. A person has to read it, and nothing is sent until then.
	Maybe Meaning = "maybe"
)

// longest is how many bytes of a text are looked at, which is more than anybody writes to be left alone.
const longest = 32 << 10

// Classify says what a message asks for. The whole text is compared with the words, and its beginning; the order of the
// meanings is Stop, Help, Start, Maybe. A word of Start beside one of Stop is Maybe. Compared are forms (see Normalize), so that "Arrêt !" is ARRET.
func Classify(text string) Meaning {
	if len(text) > longest {
		text = text[:longest]
	}
	words := Normalize(text)
	switch {
	case begins(words, stops()):
		return Stop
	case begins(words, helps()):
		return Help
	case begins(words, starts()) && !holds(text, stops()):
		return Start
	case holds(text, stops()):
		return Maybe
	}
	return None
}

// Normalize cuts a text into words at white space and brings each into the form in which words are compared: Unicode NFKC,
// case folded, without punctuation, quotation marks, emoji and other symbols, invisible characters and the diacritics of
// Latin letters. Of Arabic, tatweel (U+0640) and the marks U+064B to U+0652 go, and the forms of alef (U+0622, U+0623,
// U+0625) become U+0627. Words of which nothing is left are left out.
func Normalize(text string) []string {
	var out []string
	for field := range strings.FieldsSeq(compatible(text)) {
		if word := bare(field); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// compatible is the text in NFKC with its case folded.
func compatible(text string) string {
	text = norm.NFKC.String(strings.ToValidUTF8(text, " "))
	return norm.NFKC.String(cases.Fold().String(text))
}

// bare takes from a word what is no letter or digit of it. A mark stays only on a letter that keeps its own: not on a Latin
// one, and not on what is gone.
func bare(word string) string {
	var b strings.Builder
	marked := false
	for _, r := range norm.NFD.String(arabic(word)) {
		switch {
		case unicode.IsMark(r):
			if marked && !unicode.Is(unicode.Variation_Selector, r) && !unicode.Is(unicode.Me, r) {
				b.WriteRune(r)
			}
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
			marked = !unicode.Is(unicode.Latin, r)
			continue
		}
		marked = false
	}
	return norm.NFC.String(b.String())
}

// arabic folds what is written in several ways in Arabic.
func arabic(word string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0x0640 || r >= 0x064B && r <= 0x0652:
			return -1
		case r == 0x0622 || r == 0x0623 || r == 0x0625:
			return 0x0627
		}
		return r
	}, word)
}

// begins reports whether words begin with one of the phrases, which includes being it.
func begins(words []string, phrases [][]string) bool {
	return slices.ContainsFunc(phrases, func(p []string) bool {
		return len(words) >= len(p) && slices.Equal(words[:len(p)], p)
	})
}

// holds reports whether one of the phrases stands anywhere. For that a text is cut at punctuation too, but not inside words
// that hyphens and apostrophes join.
func holds(text string, phrases [][]string) bool {
	cut := strings.Map(func(r rune) rune {
		if unicode.IsPunct(r) && !strings.ContainsRune("-'’‐‑", r) || unicode.IsSymbol(r) {
			return ' '
		}
		return r
	}, compatible(text))
	words := Normalize(cut)
	for i := range words {
		if begins(words[i:], phrases) {
			return true
		}
	}
	return false
}

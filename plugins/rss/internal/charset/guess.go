package charset

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// guess names the encoding of bytes that are not UTF-8 and that nobody labelled. Western text has its accented letters
// one by one among ASCII; where the high bytes come in runs, the text is Cyrillic or East Asian, and the candidates are
// decoded and judged by the letters that come out. What convinces nobody is windows-1252.
func guess(body []byte) (encoding.Encoding, string) {
	sample := body[:min(len(body), 64<<10)]
	runs, high := highRuns(sample)
	if high == 0 || runs*2 < high {
		return windows1252, "windows-1252"
	}
	best, bestScore := struct {
		enc  encoding.Encoding
		name string
	}{windows1252, "windows-1252"}, 0.5
	for _, c := range []struct {
		enc   encoding.Encoding
		name  string
		score func(letters) float64
	}{
		{japanese.EUCJP, "euc-jp", letters.japanese},
		{japanese.ShiftJIS, "shift_jis", letters.japanese},
		{korean.EUCKR, "euc-kr", letters.korean},
		{simplifiedchinese.GB18030, "gb18030", letters.chinese},
		{charmap.KOI8R, "koi8-r", letters.cyrillic},
		{charmap.Windows1251, "windows-1251", letters.cyrillic},
	} {
		l, ok := read(sample, c.enc)
		if !ok {
			continue
		}
		if score := c.score(l); score > bestScore {
			best.enc, best.name, bestScore = c.enc, c.name, score
		}
	}
	return best.enc, best.name
}

// highRuns counts the bytes above ASCII, and those of them that stand in runs of at least four.
func highRuns(b []byte) (inRuns, high int) {
	run := 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] >= utf8.RuneSelf {
			high++
			run++
			continue
		}
		if run >= 4 {
			inRuns += run
		}
		// In double-byte encodings the second byte may be ASCII; one letter between high bytes does not end a run.
		if i < len(b) && i+1 < len(b) && run > 0 && b[i] >= '@' && b[i+1] >= utf8.RuneSelf {
			continue
		}
		run = 0
	}
	return inRuns, high
}

// letters counts what decoding gave, beyond ASCII.
type letters struct{ all, kana, han, hangul, lower, upper, odd int }

// read decodes a sample; ok is false when it is not of the encoding at all. A sample may end in the middle of a character.
func read(sample []byte, enc encoding.Encoding) (l letters, ok bool) {
	out, err := enc.NewDecoder().Bytes(sample)
	if err != nil {
		return l, false
	}
	bad := 0
	for len(out) > 0 {
		r, n := utf8.DecodeRune(out)
		out = out[n:]
		if r < utf8.RuneSelf {
			continue
		}
		l.all++
		switch {
		case r == utf8.RuneError:
			bad++
		case unicode.In(r, unicode.Hiragana, unicode.Katakana) && r < 0xFF00:
			l.kana++
		case unicode.Is(unicode.Hangul, r):
			l.hangul++
		case unicode.Is(unicode.Han, r):
			l.han++
		case unicode.Is(unicode.Cyrillic, r) && unicode.IsLower(r):
			l.lower++
		case unicode.Is(unicode.Cyrillic, r):
			l.upper++
		case unicode.IsPunct(r) || unicode.IsSpace(r) || unicode.In(r, unicode.Latin) || r >= 0xFF00 && r < 0xFF5F:
		default:
			l.odd++
		}
	}
	return l, l.all > 0 && bad*50 <= l.all
}

func (l letters) share(n int) float64 { return float64(n) / float64(l.all) }

// japanese text is a mixture of kana and kanji.
func (l letters) japanese() float64 {
	if l.share(l.kana) < 0.15 {
		return 0
	}
	return l.share(l.kana+l.han) - l.share(l.odd)
}

// korean text is nearly all Hangul; Chinese bytes read as Korean give Hanja too.
func (l letters) korean() float64 {
	if l.share(l.hangul) < 0.85 {
		return 0
	}
	return l.share(l.hangul) - l.share(l.odd)
}

// chinese text is nearly all Han; it comes after Japanese and Korean, whose bytes it would also take.
func (l letters) chinese() float64 {
	if l.share(l.kana) > 0.15 {
		return 0
	}
	return 0.8 * (l.share(l.han) - l.share(l.odd))
}

// cyrillic text is mostly lower case; read in the wrong one of its encodings it is mostly upper case.
func (l letters) cyrillic() float64 {
	if l.upper > l.lower {
		return 0
	}
	return l.share(l.lower+l.upper) - l.share(l.odd)
}

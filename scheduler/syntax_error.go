package scheduler

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says what is wrong with an expression, where, and what would be right.
type SyntaxError struct {
	What string // what was being read: "cron" or "hours"
	Text string // the expression as it was given
	// Field is the part that is meant: "minute", "hour", "day of month", "month", "day of week", "zone", "interval" or
	// "name" (of a descriptor); "days" or "time" in hours; "" for the whole.
	Field   string
	Column  int    // where in Text, counted in characters from 1; 0 when the whole is meant
	Problem string // what is wrong
	Fix     string // what would be right
}

// Error gives all of it as one sentence.
func (e *SyntaxError) Error() string {
	where := ""
	if e.Column > 0 {
		where = fmt.Sprintf(", column %d", e.Column)
	}
	return fmt.Sprintf("%s %s%s: %s; %s", e.What, shown(e.Text), where, e.Problem, e.Fix)
}

// longest is the length in bytes beyond which no expression is read.
const longest = 400

// shown quotes text from outside for an error: control characters visible, and not endless.
func shown(text string) string {
	const most = 80
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// word is a piece of an expression with its column.
type word struct {
	text   string
	column int
}

// words cuts a text at its white space.
func words(text string) []word {
	var found []word
	start, column, startColumn := -1, 0, 0
	for i, r := range text {
		column++
		switch space := unicode.IsSpace(r); {
		case space && start >= 0:
			found = append(found, word{text[start:i], startColumn})
			start = -1
		case !space && start < 0:
			start, startColumn = i, column
		}
	}
	if start >= 0 {
		found = append(found, word{text[start:], startColumn})
	}
	return found
}

// split cuts a word at a separator; the pieces keep their columns.
func (w word) split(sep string) []word {
	var pieces []word
	column := w.column
	for piece := range strings.SplitSeq(w.text, sep) {
		pieces = append(pieces, word{piece, column})
		column += utf8.RuneCountInString(piece) + utf8.RuneCountInString(sep)
	}
	return pieces
}

// trim cuts white space off both ends of a word.
func (w word) trim() word {
	text := strings.TrimLeftFunc(w.text, unicode.IsSpace)
	skipped := utf8.RuneCountInString(w.text) - utf8.RuneCountInString(text)
	return word{strings.TrimRightFunc(text, unicode.IsSpace), w.column + skipped}
}

// from gives the rest of a word from a column on, without white space at its end.
func (w word) from(column int) word {
	return word{string([]rune(w.text)[column-w.column:]), column}.trim()
}

func texts(ws []word) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = w.text
	}
	return out
}

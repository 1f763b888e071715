package compose

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/belfry-news/belfry/sdk"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// ExpressionError is a fault of an expression, at a line and column from 1 of its text; 0 when it is about the whole.
type ExpressionError struct {
	Line, Column int
	What, Fix    string
}

// Error says what is wrong and what would be right.
func (e *ExpressionError) Error() string { return sentenceOf(e.What, e.Fix) }

func sentenceOf(what, fix string) string {
	if fix == "" {
		return what
	}
	return what + "; " + fix
}

// What an expression may name.
var (
	expressionFunctions = []string{"hasTag", "hasWord", "titleHas", "hasAuthor", "fromSource", "inLang"}
	expressionFields    = []string{"source", "key", "group", "title", "summary", "text", "url", "lang", "tags", "authors", "urgency", "has_image", "published"}
)

// faultAt places a fault at a character of the text, from 0.
func faultAt(text string, at int, what, fix string) *ExpressionError {
	e := &ExpressionError{Line: 1, Column: 1, What: what, Fix: fix}
	for i, r := range []rune(text) {
		if i == at {
			break
		}
		e.Column++
		if r == '\n' {
			e.Line, e.Column = e.Line+1, 1
		}
	}
	return e
}

// expressionError puts what the library says of a text into a sentence and a place.
func expressionError(text string, err error) error {
	if slip := habit(text); slip != nil {
		return slip
	}
	var fe *file.Error
	if !errors.As(err, &fe) {
		what, _, _ := strings.Cut(err.Error(), "\n")
		if typ, other := strings.CutPrefix(what, "expected bool, but got "); other {
			return faultAt(text, 0, fmt.Sprintf("the expression gives %s", kindWord(typ)), `it must be true or false, such as hasTag("alerte") or item.urgency <= 2`)
		}
		return faultAt(text, 0, what, "see the functions and fields in docs/configuration.md")
	}
	said := strings.TrimSpace(fe.Message)
	at, runes := fe.From, []rune(text)
	for _, known := range expressionSentences() {
		if m := known.said.FindStringSubmatch(said); m != nil {
			what, fix := known.say(m)
			if known.atEnd {
				at = len(runes)
			}
			return faultAt(text, at, what, fix)
		}
	}
	return faultAt(text, at, strings.ReplaceAll(said, "compose.ItemView", "item"), "see the functions and fields in docs/configuration.md")
}

type expressionSentence struct {
	said  *regexp.Regexp
	say   func(m []string) (what, fix string)
	atEnd bool
}

// expressionSentences are what the library says, and what is said instead.
var expressionSentences = sync.OnceValue(func() []expressionSentence {
	return []expressionSentence{
		{said: regexp.MustCompile(`^unknown name (\S+)`), say: func(m []string) (string, string) {
			what, name := "unknown name "+m[1], strings.ToLower(m[1])
			if slices.Contains(expressionFields, name) {
				return what, "write item." + name
			}
			if near := sdk.Nearest(m[1], append(slices.Clone(expressionFunctions), "item")); near != "" {
				return what, fmt.Sprintf("did you mean %s?", near)
			}
			return what, "an expression may use item and the functions " + strings.Join(expressionFunctions, ", ") + "; text stands in quotes"
		}},
		{said: regexp.MustCompile(`has no field (\S+)`), say: func(m []string) (string, string) {
			what := "item has no field " + m[1]
			if near := sdk.Nearest(m[1], expressionFields); near != "" {
				return what, fmt.Sprintf("did you mean item.%s?", near)
			}
			return what, "item has " + strings.Join(expressionFields, ", ")
		}},
		{said: regexp.MustCompile(`^unexpected (token EOF|end of expression)`), atEnd: true, say: func([]string) (string, string) {
			return "the expression ends too early", "close every bracket and every quotation mark, and put something behind the last word"
		}},
		{said: regexp.MustCompile(`^literal not terminated`), say: func([]string) (string, string) {
			return "a quotation mark is opened and never closed", "close it"
		}},
		{said: regexp.MustCompile(`^unexpected token \w+\("(.*)"\)`), say: func(m []string) (string, string) {
			return fmt.Sprintf("%q cannot stand here", m[1]), "join conditions with and or or, and separate words with a comma"
		}},
		{said: regexp.MustCompile(`^unrecognized character: \S+ '(.*)'`), say: func(m []string) (string, string) {
			return fmt.Sprintf("%s cannot stand here", m[1]), "put text in quotes"
		}},
		{said: regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (\S+) and (\S+)\)`), say: func(m []string) (string, string) {
			what := fmt.Sprintf("%s stands between %s and %s", m[1], kindWord(m[2]), kindWord(m[3]))
			switch {
			case strings.HasPrefix(m[2], "[]"):
				return what, `ask for one entry: hasTag("alerte"), or "alerte" in item.tags`
			case m[2] == "time.Time" || m[3] == "time.Time":
				return what, `compare times, such as item.published > date("2027-01-31")`
			}
			return what, "compare numbers with numbers, and text with text in quotes"
		}},
		{said: regexp.MustCompile(`^cannot use (\S+) as argument \(type (\S+)\) to call (\S+)`), say: func(m []string) (string, string) {
			return fmt.Sprintf("%s is called with %s", m[3], kindWord(m[1])), fmt.Sprintf(`write words in quotes: %s("…", "…")`, m[3])
		}},
		{said: regexp.MustCompile(`^error parsing regexp: ([^:]*)`), say: func(m []string) (string, string) {
			return "the pattern behind matches is no regular expression: " + m[1], "close every bracket in it, or ask for plain text with contains"
		}},
		{said: regexp.MustCompile(`^(not enough|too many) arguments to call (\S+)`), say: func(m []string) (string, string) {
			return fmt.Sprintf("%s is called with %s values", m[2], map[string]string{"not enough": "too few", "too many": "too many"}[m[1]]), "look at what stands in its brackets"
		}},
	}
})

// habits are what people write who know another language. What stands in quotes is none.
var habits = []struct {
	written   *regexp.Regexp
	what, fix string
}{
	{regexp.MustCompile(`[` + typographic + `]`), noTypographic, `write straight ones, such as hasTag("alerte")`},
	{regexp.MustCompile(`===`), "=== is no comparison", "write =="},
	{regexp.MustCompile(`=>|=<`), "the two signs stand in the wrong order", "write >= or <="},
	{regexp.MustCompile(`<>`), "<> is no comparison", "write != for not equal"},
	{regexp.MustCompile(`[^=!<>]=[^=]`), "= is no comparison", "write == for equal"},
	{regexp.MustCompile(`[^&]&[^&]`), "& joins no conditions", "write and"},
	{regexp.MustCompile(`[^|]\|[^|]`), "| joins no conditions", "write or"},
	{regexp.MustCompile(`\b(AND|And)\b`), "and is written in small letters", "write and"},
	{regexp.MustCompile(`\b(OR|Or)\b`), "or is written in small letters", "write or"},
	{regexp.MustCompile(`\b(NOT|Not)\b`), "not is written in small letters", "write not"},
}

// habit finds such a thing in a text that does not compile; nil when there is none.
func habit(text string) *ExpressionError {
	bare := []rune(text)
	var quote rune
	for i := 0; i < len(bare); i++ {
		switch c := bare[i]; {
		case quote != 0 && c == '\\' && i+1 < len(bare):
			bare[i], bare[i+1] = ' ', ' '
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
			bare[i] = '"'
		case c == '"' || c == '\'' || c == '`':
			quote = c
			bare[i] = '"'
		}
	}
	if quote != 0 {
		return nil // it is not told where the text ends
	}
	open := string(bare)
	for _, h := range habits {
		where := h.written.FindStringIndex(open)
		if where == nil {
			continue
		}
		m, at := open[where[0]:where[1]], len([]rune(open[:where[0]]))
		if sign := strings.IndexAny(m, "=&|<"); sign > 0 {
			at += len([]rune(m[:sign])) // the pattern begins with what stands before the sign
		}
		return faultAt(text, at, h.what, h.fix)
	}
	return nil
}

// neverHolds finds a call that can never be true; nil when there is none.
func neverHolds(node ast.Node, text string) error {
	never := &neverTrue{}
	ast.Walk(&node, never)
	if never.function == "" {
		return nil
	}
	return faultAt(text, never.at, never.function+" asks for nothing, so it is never true", fmt.Sprintf(`name what it asks for: %s("…")`, never.function))
}

// neverTrue looks for a call that can never be true: one without any word.
type neverTrue struct {
	function string
	at       int
}

// Visit implements ast.Visitor.
func (n *neverTrue) Visit(node *ast.Node) {
	call, ok := (*node).(*ast.CallNode)
	if !ok || n.function != "" {
		return
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	if !ok || !slices.Contains(expressionFunctions, callee.Value) {
		return
	}
	words := slices.Contains([]string{"hasWord", "titleHas"}, callee.Value)
	empty := !slices.ContainsFunc(call.Arguments, func(a ast.Node) bool {
		s, literal := a.(*ast.StringNode)
		return !literal || words && len(wordsOf(s.Value)) > 0 || !words && strings.TrimSpace(s.Value) != ""
	})
	if empty {
		n.function, n.at = callee.Value, callee.Location().From
	}
}

// kindWord is a type of Go in the words of who writes a configuration.
func kindWord(typ string) string {
	switch {
	case typ == "int" || typ == "float64":
		return "a number"
	case typ == "string":
		return "a text"
	case typ == "bool":
		return "a condition"
	case typ == "time.Time":
		return "a time"
	case strings.HasSuffix(typ, "ItemView"):
		return "the whole item"
	case strings.HasPrefix(typ, "[]"):
		return "a list"
	case strings.HasPrefix(typ, "func"):
		return "a function, which has to be called"
	}
	return "something else"
}

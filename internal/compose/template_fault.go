package compose

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"text/template/parse"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// TemplateError is a fault of a template, at a line and column from 1 of its text, in characters; 0 when it is about the
// whole.
type TemplateError struct {
	Line, Column int
	What, Fix    string
}

// Error says what is wrong and what would be right.
func (e *TemplateError) Error() string {
	s := sentenceOf(e.What, e.Fix)
	if e.Line > 0 {
		s = fmt.Sprintf("template line %d: %s", e.Line, s)
	}
	return s
}

func unknownField(tree *parse.Tree, n parse.Node, name string) error {
	fix := "known are " + strings.Join(topFields, ", ")
	if near := sdk.Nearest(name, topFields); near != "" {
		fix = fmt.Sprintf("did you mean .%s?", near)
	}
	return at(tree, n, fmt.Sprintf("there is no field .%s", name), fix)
}

// at places a fault at a node. The column is in bytes; see inCharacters.
func at(tree *parse.Tree, n parse.Node, what, fix string) error {
	location, _ := tree.ErrorContext(n)
	e := &TemplateError{What: what, Fix: fix}
	if m := place().FindStringSubmatch(location + ": "); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Column, _ = strconv.Atoi(m[2])
		e.Column++
	}
	return e
}

var (
	place    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^template:(\d+):(?:(\d+):)? ?`) })
	inAction = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^executing "[^"]*" at <(.*?)>: `) })
)

// templateError puts what text/template says into a sentence and a place.
func templateError(err error) error {
	said := strings.TrimPrefix(err.Error(), "template: ")
	e := &TemplateError{}
	if m := place().FindStringSubmatch(said); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		if m[2] != "" {
			e.Column, _ = strconv.Atoi(m[2])
			e.Column++
		}
		said = strings.TrimPrefix(said, m[0])
	}
	action := ""
	if m := inAction().FindStringSubmatch(said); m != nil {
		action, said = m[1], strings.TrimPrefix(said, m[0])
	}
	e.What, e.Fix = said, "see the fields and functions in docs/configuration.md"
	for _, known := range templateSentences() {
		if m := known.said.FindStringSubmatch(said); m != nil {
			e.What, e.Fix = known.say(m, action)
			break
		}
	}
	return e
}

// inCharacters gives a fault its place in characters. The library counts bytes, and says of what it cannot parse the line
// alone: there it is looked for.
func inCharacters(text string, err error) error {
	e, ok := err.(*TemplateError) //nolint:errorlint // it was made here, and is not wrapped
	if !ok || e.Line == 0 {
		return err
	}
	line := ""
	for i, l := range strings.Split(text, "\n") {
		if i+1 == e.Line {
			line = l
		}
	}
	if e.Column == 0 {
		for _, m := range quotedPart().FindAllStringSubmatch(e.What, -1) {
			if i := strings.Index(line, m[1]); i >= 0 && m[1] != "" {
				e.Column = i + 1
				break
			}
		}
	}
	if i := strings.IndexAny(line, typographic); e.Column == 0 && i >= 0 && e.What == noTypographic {
		e.Column = i + 1
	}
	if i := strings.LastIndex(line, "{{"); e.Column == 0 && i >= 0 {
		e.Column = i + 1
	}
	if e.Column > 0 {
		e.Column = utf8.RuneCountInString(line[:min(e.Column-1, len(line))]) + 1
	}
	return e
}

// typographic are the quotation marks that word processors make of straight ones.
const (
	typographic   = "“”„‘’"
	noTypographic = "typographic quotation marks hold no text"
)

var quotedPart = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"([^"]*)"`) })

type templateSentence struct {
	said *regexp.Regexp
	say  func(m []string, action string) (what, fix string)
}

// templateSentences are what text/template says, and what is said instead. action is what it was doing.
var templateSentences = sync.OnceValue(func() []templateSentence {
	return []templateSentence{
		{regexp.MustCompile(`map has no entry for key "([^"]*)"`), func(m []string, _ string) (string, string) {
			return fmt.Sprintf("there is no field .%s here", m[1]), "inside Items known are " + strings.Join(itemFields, ", ")
		}},
		{regexp.MustCompile(`^function "([^"]*)" not defined`), func(m []string, _ string) (string, string) {
			for _, f := range topFields {
				if strings.EqualFold(f, m[1]) {
					return fmt.Sprintf("function %q not defined", m[1]), fmt.Sprintf("a field begins with a dot: {{.%s}}", f)
				}
			}
			return m[0], "besides those of text/template there are cut, upper, lower, date, join and default"
		}},
		{regexp.MustCompile(`^unexpected EOF`), fixed("the template ends inside an if, range, with or block", "close it with {{end}}")},
		{regexp.MustCompile(`^wrong type for value; expected (\S+); got (.+)`), func(m []string, action string) (string, string) {
			what := fmt.Sprintf("%s is %s, and %s is wanted", action, valueWord(m[2]), valueWord(m[1]))
			switch valueWord(m[1]) {
			case "a time":
				return what, `times are .Published, .Updated and .Now, as in {{date "15:04" .Published}}`
			case "a number":
				return what, "the number stands first, as in {{cut 60 .Title}}"
			}
			return what, `the text in quotes stands first, as in {{date "15:04" .Published}} or {{join ", " .Tags}}`
		}},
		{regexp.MustCompile(`^expected integer; found (.+)`), func(m []string, _ string) (string, string) {
			return fmt.Sprintf("%s stands where a number is wanted", m[1]), "write it without quotes, as in {{cut 60 .Title}}"
		}},
		{regexp.MustCompile(`^wrong number of args for (\w+): want (?:at least )?(\d+) got (\d+)`), func(m []string, _ string) (string, string) {
			return fmt.Sprintf("%s takes %s, and here it has %s", m[1], argumentWords(m[2]), m[3]), "write it like " + example(m[1])
		}},
		{regexp.MustCompile(`^error calling index: .*index out of range: (\d+)`), func(m []string, action string) (string, string) {
			list := ".Tags"
			if words := strings.Fields(action); len(words) > 1 {
				list = words[1]
			}
			return fmt.Sprintf("there may be no entry %s in %s", m[1], list), fmt.Sprintf("ask first: {{if gt (len %s) %s}}{{index %s %s}}{{end}}; the first entry is 0", list, m[1], list, m[1])
		}},
		{regexp.MustCompile(`^error calling index: cannot index`), fixed("index wants a number behind the list", "write it like {{index .Tags 0}}")},
		{regexp.MustCompile(`^can't evaluate field (\w+) in type`), func(m []string, action string) (string, string) {
			parent := strings.TrimSuffix(action, "."+m[1])
			what := fmt.Sprintf("%s has no field .%s", parent, m[1])
			switch parent {
			case ".Items", ".Authors", ".Tags", ".Hashtags":
				return what, fmt.Sprintf("it is a list: go over it with {{range %s}}…{{end}}", parent)
			}
			return what, fmt.Sprintf("write {{%s}} alone", parent)
		}},
		{regexp.MustCompile(`^(\w+) is not a method but has arguments`), func(m []string, _ string) (string, string) {
			return fmt.Sprintf("something stands behind .%s, which takes nothing", m[1]), fmt.Sprintf("take it out, or call a function, as in {{cut 60 .%s}}", m[1])
		}},
		{regexp.MustCompile(`^unclosed action`), fixed("a {{ is not closed", "close it with }}")},
		{regexp.MustCompile(`^unterminated (character constant|(raw )?quoted string)`), fixed("a quotation mark is opened here and never closed", "close it before }}")},
		{regexp.MustCompile(`^(?:bad character|unrecognized character in action:|unexpected bad character) U\+\w+ '(.*)'`), func(m []string, _ string) (string, string) {
			switch {
			case m[1] == "}":
				return "a {{ is closed with a single }", "write }}"
			case strings.ContainsAny(m[1], typographic):
				return noTypographic, `write straight ones, as in {{date "15:04" .Published}}`
			}
			return fmt.Sprintf("%q cannot stand here", m[1]), "look at what stands between {{ and }}"
		}},
		{regexp.MustCompile(`^unexpected \{\{(end|else)\b`), func(m []string, _ string) (string, string) {
			return fmt.Sprintf("{{%s}} belongs to nothing", m[1]), "take it out, or begin with {{if …}}, {{range …}} or {{with …}}"
		}},
		{regexp.MustCompile(`^missing value for (\w+)`), func(m []string, _ string) (string, string) {
			return m[1] + " asks for nothing", fmt.Sprintf("say what it is about, as in {{%s .Tags}}", m[1])
		}},
		{regexp.MustCompile(`^error calling (eq|ne|lt|le|gt|ge): incompatible types for comparison(?:: (.+) and (.+))?`), func(m []string, _ string) (string, string) {
			if m[2] == "" {
				return m[1] + " compares things that cannot be compared", "compare numbers with numbers, and text with text in quotes"
			}
			return fmt.Sprintf("%s compares %s with %s", m[1], valueWord(m[2]), valueWord(m[3])), "compare numbers with numbers, and text with text in quotes"
		}},
		{regexp.MustCompile(`^error calling (eq|ne|lt|le|gt|ge): missing argument`), func(m []string, _ string) (string, string) {
			return m[1] + " has nothing to compare with", fmt.Sprintf(`write it like {{if %s .Lang "fr"}}`, m[1])
		}},
		{regexp.MustCompile(`^error calling len: len of type (.+)`), func(m []string, _ string) (string, string) {
			return "len cannot count " + valueWord(m[1]), "it counts lists and texts, as in {{len .Tags}}"
		}},
		{regexp.MustCompile(`^error calling call`), fixed("call wants a function, and no field is one", "take call out")},
		{regexp.MustCompile(`^template "([^"]*)" not defined`), func(m []string, _ string) (string, string) {
			return fmt.Sprintf("there is no template %q in this text", m[1]), fmt.Sprintf("define it before: {{define %q}}…{{end}}", m[1])
		}},
		{regexp.MustCompile(`^undefined variable "([^"]*)"`), func(m []string, _ string) (string, string) {
			return fmt.Sprintf("there is no variable %q", m[1]), fmt.Sprintf("set it before: {{%s := .Title}}", m[1])
		}},
		{regexp.MustCompile(`^\{\{(break|continue)\}\} outside`), func(m []string, _ string) (string, string) {
			return fmt.Sprintf("{{%s}} stands outside a range", m[1]), "write it between {{range …}} and its {{end}}"
		}},
		{regexp.MustCompile(`^unclosed comment`), fixed("a comment is not closed", "close it with */}}")},
		{regexp.MustCompile(`^illegal number syntax: "-"`), fixed("a hyphen cannot stand here", "to take blanks away write {{- or -}}, with a blank between the hyphen and what follows or precedes it")},
		{regexp.MustCompile(`^the template writes too much`), fixed("the template writes too much", "write less in its loops")},
	}
})

// fixed is a sentence that does not depend on anything.
func fixed(what, fix string) func([]string, string) (string, string) {
	return func([]string, string) (string, string) { return what, fix }
}

// valueWord is what a template handles, in the words of who writes one.
func valueWord(typ string) string {
	switch {
	case strings.HasSuffix(typ, "stamp"):
		return "a time"
	case strings.HasPrefix(typ, "[]"):
		return "a list"
	case typ == "int":
		return "a number"
	case typ == "string":
		return "a text in quotes"
	case strings.HasSuffix(typ, "address"):
		return "an address"
	case strings.HasSuffix(typ, ".value"):
		return "a text"
	case typ == "bool":
		return "true or false"
	}
	return "something else"
}

func argumentWords(n string) string {
	if n == "1" {
		return "one value"
	}
	return n + " values"
}

// example is how a function is used.
func example(function string) string {
	switch function {
	case "cut":
		return "{{cut 60 .Title}}"
	case "date":
		return `{{date "15:04" .Published}}`
	case "join":
		return `{{join ", " .Tags}}`
	case "default":
		return `{{default "…" .Summary}}`
	case "len":
		return "{{len .Tags}}"
	}
	return "{{" + function + " .Title}}"
}

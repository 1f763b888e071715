package compose

import (
	"errors"
	"fmt"
	"testing"
)

// Who writes an expression is told in his words what is wrong, where, and what to write.
func TestExpressionFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`item.urgency = 2`:                    `1:14: = is no comparison; write == for equal`,
		`item.urgency === 2`:                  `1:14: === is no comparison; write ==`,
		`item.urgency => 2`:                   `1:14: the two signs stand in the wrong order; write >= or <=`,
		`item.urgency <> 2`:                   `1:14: <> is no comparison; write != for not equal`,
		`hasTag("a = b") and item.titel`:      `1:26: item has no field titel; did you mean item.title?`,
		`hasTag("é") AND hasTag("b")`:         `1:13: and is written in small letters; write and`,
		`hasTag("a") & hasTag("b")`:           `1:13: & joins no conditions; write and`,
		`hasTag("a") | hasTag("b")`:           `1:13: | joins no conditions; write or`,
		`hasTag(“a”)`:                         `1:8: typographic quotation marks hold no text; write straight ones, such as hasTag("alerte")`,
		`hasTag("a" "b")`:                     `1:12: "b" cannot stand here; join conditions with and or or, and separate words with a comma`,
		`hasTag("a"`:                          `1:11: the expression ends too early; close every bracket and every quotation mark, and put something behind the last word`,
		`hasTag("a) and x`:                    `1:17: a quotation mark is opened and never closed; close it`,
		`hasTag(a)`:                           `1:8: unknown name a; an expression may use item and the functions hasTag, hasWord, titleHas, hasAuthor, fromSource, inLang; text stands in quotes`,
		`title == "x"`:                        `1:1: unknown name title; write item.title`,
		`hasTag("a") and hasTags("b")`:        `1:17: unknown name hasTags; did you mean hasTag?`,
		"hasTag(\"é\")\nand hasTags(\"b\")":   `2:5: unknown name hasTags; did you mean hasTag?`,
		`item.urgency == "2"`:                 `1:14: == stands between a number and a text; compare numbers with numbers, and text with text in quotes`,
		`item.tags == "a"`:                    `1:11: == stands between a list and a text; ask for one entry: hasTag("alerte"), or "alerte" in item.tags`,
		`item.published > "2027-01-31"`:       `1:16: > stands between a time and a text; compare times, such as item.published > date("2027-01-31")`,
		`hasTag(1)`:                           `1:8: hasTag is called with a number; write words in quotes: hasTag("…", "…")`,
		`item.title matches "["`:              `1:12: the pattern behind matches is no regular expression: missing closing ]; close every bracket in it, or ask for plain text with contains`,
		`item.urgency`:                        `1:1: the expression gives a number; it must be true or false, such as hasTag("alerte") or item.urgency <= 2`,
		`item.urgency < 3 and hasTag()`:       `1:22: hasTag asks for nothing, so it is never true; name what it asks for: hasTag("…")`,
		`hasTag(" ")`:                         `1:1: hasTag asks for nothing, so it is never true; name what it asks for: hasTag("…")`,
		`hasWord("!", "…")`:                   `1:1: hasWord asks for nothing, so it is never true; name what it asks for: hasWord("…")`,
		`hasWord("!", "x") or hasTag("C#")`:   ``,
		`hasTag(item.title) and inLang("fr")`: ``,
		`item.title == "a = b" or hasTag("AND", "“x”", "a|b")`: ``,
	} {
		_, err := CompileCondition(text)
		got := ""
		if e, ok := errors.AsType[*ExpressionError](err); ok {
			got = fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e)
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// So is who writes a template.
func TestTemplateFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{{date "YYYY" .Title}}`:        `1:15: .Title is a text, and a time is wanted; times are .Published, .Updated and .Now, as in {{date "15:04" .Published}}`,
		`{{date .Published "15:04"}}`:   `1:8: .Published is a time, and a text in quotes is wanted; the text in quotes stands first, as in {{date "15:04" .Published}} or {{join ", " .Tags}}`,
		`{{cut .Title 60}}`:             `1:7: .Title is a text, and a number is wanted; the number stands first, as in {{cut 60 .Title}}`,
		`{{cut "60" .Title}}`:           `1:7: "60" stands where a number is wanted; write it without quotes, as in {{cut 60 .Title}}`,
		`{{cut .Title}}`:                `1:3: cut takes 2 values, and here it has 1; write it like {{cut 60 .Title}}`,
		`{{(index .Items 3).Title}}`:    `1:4: there may be no entry 3 in .Items; ask first: {{if gt (len .Items) 3}}{{index .Items 3}}{{end}}; the first entry is 0`,
		`{{index .Tags "a"}}`:           `1:3: index wants a number behind the list; write it like {{index .Tags 0}}`,
		`{{.Items.Title}}`:              `1:9: .Items has no field .Title; it is a list: go over it with {{range .Items}}…{{end}}`,
		`{{.Title.Text}}`:               `1:9: .Title has no field .Text; write {{.Title}} alone`,
		`{{.Title "x"}}`:                `1:3: something stands behind .Title, which takes nothing; take it out, or call a function, as in {{cut 60 .Title}}`,
		"é\n é{{Title}}":                `2:5: function "Title" not defined; a field begins with a dot: {{.Title}}`,
		"l'été {{.Titel}}":              `1:9: there is no field .Titel; did you mean .Title?`,
		`é {{.Title`:                    `1:3: a {{ is not closed; close it with }}`,
		`é {{.Title}`:                   `1:3: a {{ is closed with a single }; write }}`,
		`é {{date “15:04” .Published}}`: `1:10: typographic quotation marks hold no text; write straight ones, as in {{date "15:04" .Published}}`,
		`{{"a}}`:                        `1:1: a quotation mark is opened here and never closed; close it before }}`,
		`{{end}}`:                       `1:1: {{end}} belongs to nothing; take it out, or begin with {{if …}}, {{range …}} or {{with …}}`,
		`{{eq .Count "a"}}`:             `1:3: eq compares a number with a text in quotes; compare numbers with numbers, and text with text in quotes`,
		`{{eq .Lang}}`:                  `1:3: eq has nothing to compare with; write it like {{if eq .Lang "fr"}}`,
		`{{len .Published}}`:            `1:3: len cannot count a time; it counts lists and texts, as in {{len .Tags}}`,
		`{{template "x"}}`:              `1:12: there is no template "x" in this text; define it before: {{define "x"}}…{{end}}`,
		`é{{$x}}`:                       `1:4: there is no variable "$x"; set it before: {{$x := .Title}}`,
		`{{break}}`:                     `1:1: {{break}} stands outside a range; write it between {{range …}} and its {{end}}`,
		`{{/* a }}`:                     `1:1: a comment is not closed; close it with */}}`,
		`{{if gt (len .Tags) 5}}{{index .Tags 5}}{{end}} {{date "15:04" .Published}}`: ``,
	} {
		_, err := CompileTemplate(text)
		got := ""
		if e, ok := errors.AsType[*TemplateError](err); ok {
			got = fmt.Sprintf("%d:%d: %s", e.Line, e.Column, sentenceOf(e.What, e.Fix))
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

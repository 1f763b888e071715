package configs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
)

// checkSlips refuses what can be read and is never meant.
func (l *Loaded) checkSlips(c *collector) {
	c.oneLine("/site/title", l.Site.Title)
	c.printable("/site/description", l.Site.Description)
	was := map[string][]formerly{}
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		was["sources"] = append(was["sources"], formerly{name, l.Sources[name].Was})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Destinations)) {
		was["destinations"] = append(was["destinations"], formerly{name, l.Destinations[name].Was})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Channels)) {
		ch, at := l.Channels[name], sdk.Pointer("channels", name)
		was["channels"] = append(was["channels"], formerly{name, ch.Was})
		for lang, text := range ch.Title {
			c.oneLine(textAt(at+"/title", lang), text)
		}
		for lang, text := range ch.Description {
			c.printable(textAt(at+"/description", lang), text)
		}
		c.once(at+"/sources", ch.Sources)
		l.campaign(c, at+"/utm", &ch.UTM)
		for i, t := range ch.PublishTo {
			l.campaign(c, at+sdk.Pointer("publish_to", i, "utm"), t.UTM)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Blackouts)) {
		c.once(sdk.Pointer("blackouts", name, "channels"), l.Blackouts[name].Channels)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Admin.Tokens)) {
		c.once(sdk.Pointer("admin", "tokens", name, "scopes"), l.Admin.Tokens[name].Scopes)
	}
	c.once("/retired", l.Retired)
	for _, section := range []string{"sources", "destinations", "channels"} {
		c.renamed(section, was[section])
	}
}

// formerly is a name and the one that it had before; empty without one.
type formerly struct{ name, was string }

// renamed refuses former names that say nothing, or that two claim.
func (c *collector) renamed(section string, list []formerly) {
	first := map[string]string{}
	for _, f := range list {
		at := sdk.Pointer(section, f.name, "was")
		switch other, twice := first[f.was]; {
		case f.was == "":
			continue
		case f.was == f.name:
			c.at(at, "this is its name now", "write the name it had before, or take was: out")
		case twice:
			c.at(at, fmt.Sprintf("%s was %s already", other, f.was), "only one can go on with what a name holds; take one was: out")
		}
		first[f.was] = f.name
	}
}

// once refuses a word that stands twice in a list.
func (c *collector) once(at string, list []string) {
	for i, word := range list {
		if slices.Contains(list[:i], word) {
			c.at(at+sdk.Pointer(i), fmt.Sprintf("%s stands twice", word), "take one out")
		}
	}
}

// campaign refuses a parameter that is given and empty.
func (l *Loaded) campaign(c *collector, at string, utm *UTM) {
	if utm == nil {
		return
	}
	for name, value := range map[string]string{"source": utm.Source, "medium": utm.Medium, "campaign": utm.Campaign} {
		if p := at + sdk.Pointer(name); value == "" && l.Says(p) {
			c.at(p, fmt.Sprintf("utm_%s would be empty", name), "give it a value or take the line out")
		}
	}
}

// textAt is where the text of a language stands; a text for all languages stands at the setting itself.
func textAt(at, lang string) string {
	if lang == "" {
		return at
	}
	return at + sdk.Pointer(lang)
}

// oneLine refuses a title that is empty or no line of text. A block of YAML ends with a line end.
func (c *collector) oneLine(at, text string) {
	if strings.TrimSpace(text) == "" {
		c.at(at, "the text is empty", "write a title")
		return
	}
	if i := strings.IndexFunc(strings.TrimRight(text, "\r\n"), control); i >= 0 {
		c.atControl(at, text, i, "a title is one line of text")
	}
}

// printable refuses control characters other than those that shape a text.
func (c *collector) printable(at, text string) {
	if i := strings.IndexFunc(text, func(r rune) bool { return control(r) && !strings.ContainsRune("\n\r\t", r) }); i >= 0 {
		c.atControl(at, text, i, "take it out")
	}
}

func (c *collector) atControl(at, text string, i int, fix string) {
	line := strings.Count(text[:i], "\n") + 1
	column := len([]rune(text[strings.LastIndexByte(text[:i], '\n')+1:i])) + 1
	name := fmt.Sprintf("the control character %U", []rune(text[i:])[0])
	if text[i] == '\n' || text[i] == '\r' {
		name = "a line end"
	}
	c.addAll(sdk.Problems{{Pointer: at, What: "the text holds " + name, Fix: fix, Line: line, Column: column}})
}

// control reports whether a character shows nothing and ends or shapes lines (Unicode Cc, Zl and Zp).
func control(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }

// Package i18n holds what readers see in words: message catalogues in English and French, with their plurals, dates and
// times. A test keeps the catalogues alike.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed catalogue/*.json
var files embed.FS

// Catalogue is the words of one language.
type Catalogue struct {
	lang  string
	words map[string]string
	// months and weekdays are cut once: a date stands in every message.
	months, weekdays []string
}

// Languages are the tags of the catalogues, the default first.
var languages = [...]string{"en", "fr"}

// Languages lists the languages there are words for, the default first.
func Languages() []string { return languages[:] }

// catalogues are read once, for the first word that a reader is to see; they are part of the program and never change.
var catalogues = sync.OnceValue(func() map[string]*Catalogue {
	out := map[string]*Catalogue{}
	for _, lang := range languages {
		text, err := files.ReadFile("catalogue/" + lang + ".json")
		if err != nil {
			panic("i18n: " + err.Error())
		}
		c := &Catalogue{lang: lang}
		if err := json.Unmarshal(text, &c.words); err != nil {
			panic("i18n: " + lang + ": " + err.Error())
		}
		c.months, c.weekdays = strings.Fields(c.words["months"]), strings.Fields(c.words["weekdays"])
		out[lang] = c
	}
	return out
})

// For gives the catalogue of a language tag (BCP 47), by its main language; English when there is none.
func For(lang string) *Catalogue {
	main, _, _ := strings.Cut(strings.ToLower(lang), "-")
	if c, ok := catalogues()[main]; ok {
		return c
	}
	return catalogues()[languages[0]]
}

// Match chooses among the languages of an Accept-Language header (RFC 9110); fallback when none of them has words.
func Match(acceptLanguage, fallback string) string {
	best, bestQ := "", -1.0
	for part := range strings.SplitSeq(acceptLanguage, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if _, err := fmt.Sscanf(strings.TrimSpace(params), "q=%f", &q); err != nil && params != "" {
			continue
		}
		main, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if _, ok := catalogues()[main]; ok && q > bestQ && q > 0 {
			best, bestQ = main, q
		}
	}
	if best == "" {
		return For(fallback).lang
	}
	return best
}

// Lang is the language of the catalogue.
func (c *Catalogue) Lang() string { return c.lang }

// Text gives a message, with {name} replaced by the value that follows the name in args. A message that does not exist is
// its key in brackets, which a test finds.
func (c *Catalogue) Text(key string, args ...string) string {
	text, ok := c.words[key]
	if !ok {
		return "[" + key + "]"
	}
	if len(args) == 0 {
		return text
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, "{"+args[i]+"}", args[i+1])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Count gives a message about a number: key.one or key.other, with {n} replaced. English says one of 1 only, French of 0
// and 1 (CLDR plural rules).
func (c *Catalogue) Count(key string, n int, args ...string) string {
	form := ".other"
	if n == 1 || n == 0 && c.lang == "fr" {
		form = ".one"
	}
	return c.Text(key+form, append([]string{"n", c.Number(n)}, args...)...)
}

// Number groups a whole number's digits by threes, as the language does.
func (c *Catalogue) Number(n int) string {
	s := fmt.Sprint(n)
	sep := ","
	if c.lang == "fr" {
		sep = "\u202f"
	}
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + sep + s[i:]
	}
	return sign + s
}

// Date writes a day: "20 November 2026", "20 novembre 2026".
func (c *Catalogue) Date(t time.Time) string {
	year, month, d := t.Date()
	day := strconv.Itoa(d)
	if c.lang == "fr" && d == 1 {
		day = "1er"
	}
	return fmt.Sprintf("%s %s %04d", day, c.month(month), year)
}

// Day writes a day with its weekday: "Friday 20 November 2026", "vendredi 20 novembre 2026".
func (c *Catalogue) Day(t time.Time) string {
	return at(c.weekdays, int(t.Weekday())) + " " + c.Date(t)
}

// Time writes a time of day: "07:12", "7 h 12".
func (c *Catalogue) Time(t time.Time) string {
	if c.lang == "fr" {
		return fmt.Sprintf("%d\u00a0h\u00a0%02d", t.Hour(), t.Minute())
	}
	return t.Format("15:04")
}

// Zone names a time's zone as people know it: "Paris", "UTC".
func Zone(t time.Time) string {
	name := t.Location().String()
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	return strings.ReplaceAll(name, "_", " ")
}

func (c *Catalogue) month(m time.Month) string { return at(c.months, int(m)-1) }

func at(words []string, i int) string {
	if i < 0 || i >= len(words) {
		return ""
	}
	return words[i]
}

// List joins texts as the language does in a sentence.
func (c *Catalogue) List(texts []string) string {
	last := len(texts) - 1
	if last < 1 {
		return strings.Join(texts, "")
	}
	return strings.Join(texts[:last], ", ") + " " + c.Text("list.and") + " " + texts[last]
}

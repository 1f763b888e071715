package demo

import (
	"embed"
	"fmt"
	"html"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed newsroom/*.yaml newsroom/pictures/*.jpg
var material embed.FS

// Story is an article as it was written.
type Story struct {
	Slug    string     `yaml:"slug"`
	Title   string     `yaml:"title"`
	Summary string     `yaml:"summary"`
	Text    string     `yaml:"text"`
	By      string     `yaml:"by"`
	Tags    []string   `yaml:"tags"`
	Urgency int        `yaml:"urgency"`
	Picture Picture    `yaml:"picture"`
	Fix     Correction `yaml:"correction"`
}

// Picture is one of the drawings, with its words.
type Picture struct {
	Name   string `yaml:"name"`
	Alt    string `yaml:"alt"`
	Credit string `yaml:"credit"`
}

// Correction is what a story says once it is corrected; an empty text leaves what is there.
type Correction struct {
	Title   string `yaml:"title"`
	Summary string `yaml:"summary"`
	Note    string `yaml:"note"`
}

// bulletin is a form for short news that never runs out.
type bulletin struct {
	Slug    string `yaml:"slug"`
	Tag     string `yaml:"tag"`
	Title   string `yaml:"title"`
	Summary string `yaml:"summary"`
	Note    string `yaml:"note"`
}

// stock is everything one desk has written.
type stock struct {
	Lang string `yaml:"-"`
	// Front is in the feed from the beginning, the newest first; Coming follows by itself, in this order.
	Front     []Story    `yaml:"front"`
	Coming    []Story    `yaml:"coming"`
	Bulletins []bulletin `yaml:"bulletins"`
	// Generic corrects what has no correction of its own.
	Generic Correction `yaml:"generic"`
}

// desks are the languages of the newspaper.
var desks = [...]string{"fr", "en"}

// readStocks reads what the desks have written. It is part of the program: a fault is the program's.
func readStocks() (map[string]*stock, error) {
	out := map[string]*stock{}
	for _, lang := range desks {
		text, err := material.ReadFile("newsroom/" + lang + ".yaml")
		if err != nil {
			return nil, err
		}
		s := &stock{Lang: lang}
		if err := yaml.UnmarshalWithOptions(text, s, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("newsroom/%s.yaml: %w", lang, err)
		}
		for _, list := range [][]Story{s.Front, s.Coming} {
			for i := range list {
				list[i].Text = strings.TrimSpace(list[i].Text)
			}
		}
		out[lang] = s
	}
	return out, nil
}

var numberField = regexp.MustCompile(`\{n (\d+) (\d+)\}`)

// fill writes the fields of a form: {time}, and {n A B} for a number between two.
func fill(form, clock string, random *rand.Rand) string {
	form = numberField.ReplaceAllStringFunc(form, func(field string) string {
		m := numberField.FindStringSubmatch(field)
		from, _ := strconv.Atoi(m[1])
		to, _ := strconv.Atoi(m[2])
		return strconv.Itoa(from + random.IntN(max(to-from, 0)+1))
	})
	return strings.ReplaceAll(form, "{time}", clock)
}

// clock writes a time of day as the desk does.
func clock(lang string, t time.Time) string {
	if lang == "fr" {
		return fmt.Sprintf("%d\u00a0h\u00a0%02d", t.Hour(), t.Minute())
	}
	return t.Format("15:04")
}

// bulletin makes the n-th short news of a desk.
func (s *stock) bulletin(n int, at time.Time) Story {
	b := s.Bulletins[n%len(s.Bulletins)]
	random := rand.New(rand.NewPCG(uint64(n), 11))
	when := clock(s.Lang, at)
	return Story{Slug: fmt.Sprintf("%s-%d", b.Slug, n+1), Title: fill(b.Title, when, random), Summary: fill(b.Summary, when, random),
		Tags: []string{b.Tag}, Fix: Correction{Note: b.Note}}
}

// paragraphs writes a plain text as HTML.
func paragraphs(text string) string {
	if text == "" {
		return ""
	}
	return "<p>" + html.EscapeString(text) + "</p>"
}

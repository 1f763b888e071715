package feed

import (
	"html"
	"regexp"
	"strings"

	"github.com/mmcdole/gofeed/atom"
	ext "github.com/mmcdole/gofeed/extensions"

	"github.com/belfry-news/belfry/sdk"
)

var (
	addressFirst = regexp.MustCompile(`^[^\s@()<>]+@[^\s@()<>]+\s*\(([^()]*)\)$`)      // jane@news.example (Jane)
	addressLast  = regexp.MustCompile(`^(.*\S)\s*[(<]\s*[^\s@()<>]+@[^\s@()<>]+[)>]$`) // Jane <jane@news.example>
	addressOnly  = regexp.MustCompile(`^(?:mailto:)?[^\s@()<>]+@[^\s@()<>]+$`)
)

// person takes the name out of what stands in an author element. Mail addresses are nobody's business and no names.
func person(s string) string {
	s = line(decodeOnce(s), 200)
	if !strings.Contains(s, "@") {
		return s
	}
	for _, form := range []*regexp.Regexp{addressFirst, addressLast} {
		if m := form.FindStringSubmatch(s); m != nil {
			return strings.Trim(m[1], ` "'`)
		}
	}
	if addressOnly.MatchString(s) {
		return ""
	}
	return s
}

// people gathers the authors of an RSS item, each name once.
func (r *reader) people(authors, creators []string, atomAuthors []ext.Extension) []sdk.Author {
	var out []sdk.Author
	add := func(name, address string) {
		if name == "" {
			return
		}
		for _, known := range out {
			if known.Name == name {
				return
			}
		}
		out = append(out, sdk.Author{Name: name, URL: address})
	}
	for _, a := range atomAuthors {
		add(person(first(a.Children["name"])), r.personLink(first(a.Children["uri"])))
	}
	for _, list := range [][]string{creators, authors} {
		for _, s := range list {
			add(person(s), "")
		}
	}
	return out
}

func persons(r *reader, list []*atom.Person) []sdk.Author {
	var out []sdk.Author
	for _, p := range list {
		a := sdk.Author{Name: person(p.Name), URL: r.personLink(p.URI)}
		if a.Name != "" {
			out = append(out, a)
		}
	}
	return out
}

// personLink resolves an author's address; a bad one is not worth a notice.
func (r *reader) personLink(raw string) string {
	if raw == "" {
		return ""
	}
	before := r.counts.badLinks
	link := r.resolve(raw, nil)
	r.counts.badLinks = before
	return link
}

func escapeText(s string) string { return html.EscapeString(s) }

package exec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// itemLine is an item as a command prints it.
type itemLine struct {
	Key           string   `yaml:"key" required:"true" doc:"the CMS's own id of the article, the same for each of its revisions"`
	Group         string   `yaml:"group"`
	Title         string   `yaml:"title"`
	Summary       string   `yaml:"summary"`
	HTML          string   `yaml:"html"`
	Markdown      string   `yaml:"markdown"`
	Text          string   `yaml:"text"`
	URL           string   `yaml:"url"`
	Authors       []author `yaml:"authors"`
	Tags          []string `yaml:"tags"`
	Lang          string   `yaml:"lang"`
	Media         []medium `yaml:"media"`
	Published     stamp    `yaml:"published"`
	Updated       stamp    `yaml:"updated"`
	NotBefore     stamp    `yaml:"not_before"`
	Due           stamp    `yaml:"due"`
	Expires       stamp    `yaml:"expires"`
	Urgency       int      `yaml:"urgency" min:"0" max:"9"`
	Correction    string   `yaml:"correction"`
	TranslationOf string   `yaml:"translation_of"`
}

// item takes an item.
func (r *lineReader) item(tree any) error {
	zoned := stamp{zone: r.source.zone}
	l := itemLine{Published: zoned, Updated: zoned, NotBefore: zoned, Due: zoned, Expires: zoned}
	if err := r.decode("item", tree, &l); err != nil {
		return err
	}
	if err := r.once("item", l.Key); err != nil {
		return err
	}
	it := sdk.Item{Key: l.Key, Group: l.Group, Title: render.Line(l.Title), Summary: strings.TrimSpace(l.Summary), Tags: l.Tags, Lang: l.Lang,
		Published: l.Published.Time, Updated: l.Updated.Time, NotBefore: l.NotBefore.Time, Due: l.Due.Time, ExpiresAt: l.Expires.Time, Urgency: l.Urgency,
		Correction: render.Line(l.Correction), TranslationOf: l.TranslationOf}
	var err error
	if it.URL, err = r.link("item.url", l.URL); err != nil {
		return err
	}
	if it.Body, it.Media, err = r.content(l, it.URL); err != nil {
		return err
	}
	if err := r.media(l.Media, &it); err != nil {
		return err
	}
	for i, a := range l.Authors {
		if a.URL, err = r.link(fmt.Sprintf("item.authors.%d.url", i), a.URL); err != nil {
			return err
		}
		it.Authors = append(it.Authors, sdk.Author(a))
	}
	if err := r.bounds(&it); err != nil {
		return err
	}
	r.batch.Items = append(r.batch.Items, it)
	return nil
}

// bounds refuses what the host would cut: the command's author shall hear of it.
func (r *lineReader) bounds(it *sdk.Item) error {
	if it.Title == "" && it.Summary == "" && len(it.Body) == 0 {
		return r.fail(sdk.CodeInvalid, "item %q has neither title nor summary nor text", cutText(it.Key))
	}
	for _, t := range []struct {
		name, text string
		most       int
	}{{"title", it.Title, sdk.MaxTitle}, {"summary", it.Summary, sdk.MaxSummary}, {"correction", it.Correction, sdk.MaxTitle}, {"group", it.Group, sdk.MaxKey},
		{"translation_of", it.TranslationOf, sdk.MaxKey}, {"lang", it.Lang, sdk.MaxTag}} {
		if len(t.text) > t.most {
			return r.fail(sdk.CodeTooLarge, "item.%s has %d bytes; at most %d are kept", t.name, len(t.text), t.most)
		}
	}
	for _, n := range []struct {
		name         string
		number, most int
	}{{"tags", len(it.Tags), sdk.MaxTags}, {"authors", len(it.Authors), sdk.MaxAuthors}, {"media", len(it.Media), sdk.MaxMedia}} {
		if n.number > n.most {
			return r.fail(sdk.CodeTooLarge, "item.%s has %d entries; at most %d are kept", n.name, n.number, n.most)
		}
	}
	for i, tag := range it.Tags {
		if it.Tags[i] = render.Line(tag); len(it.Tags[i]) > sdk.MaxTag {
			return r.fail(sdk.CodeTooLarge, "item.tags.%d has %d bytes; at most %d are kept", i, len(tag), sdk.MaxTag)
		}
	}
	for i, a := range it.Authors {
		if it.Authors[i].Name = render.Line(a.Name); len(it.Authors[i].Name) > sdk.MaxTag {
			return r.fail(sdk.CodeTooLarge, "item.authors.%d.name has %d bytes; at most %d are kept", i, len(a.Name), sdk.MaxTag)
		}
	}
	for i := range it.Media {
		if len(it.Media[i].Alt) > sdk.MaxAlt {
			return r.fail(sdk.CodeTooLarge, "item.media.%d.alt has %d bytes; at most %d are kept", i, len(it.Media[i].Alt), sdk.MaxAlt)
		}
	}
	return nil
}

// content makes the text, and finds the pictures in it.
func (r *lineReader) content(l itemLine, address string) (sdk.Body, []sdk.Media, error) {
	var name, text string
	var markup render.Markup
	for _, given := range []struct {
		name, text string
		markup     render.Markup
	}{{"html", l.HTML, ""}, {"markdown", l.Markdown, render.CommonMark}, {"text", l.Text, render.Plain}} {
		if given.text == "" {
			continue
		}
		if name != "" {
			return nil, nil, r.fail(sdk.CodeInvalid, "item has its text more than once; print one of html, markdown and text")
		}
		name, text, markup = given.name, given.text, given.markup
	}
	switch {
	case name == "":
		return nil, nil, nil
	case len(text) > maxContent:
		return nil, nil, r.fail(sdk.CodeTooLarge, "item.%s has %d bytes; at most %d are read", name, len(text), maxContent)
	case name == "html":
		base := r.source.base
		if u, err := url.Parse(address); err == nil && u.IsAbs() {
			base = u
		}
		doc := render.FromHTML(text, base)
		return doc.Body, doc.Media[:min(len(doc.Media), sdk.MaxMedia)], nil
	}
	body, err := render.Parse(text, markup)
	if err != nil {
		return nil, nil, r.fail(sdk.AsError(err).Code, "item.%s: %s", name, sdk.AsError(err).Public)
	}
	return body, nil, nil
}

// maxContent is the longest text of an item as it is printed, in bytes.
const maxContent = 2 << 20

// media puts what the command names before what its HTML shows.
func (r *lineReader) media(list []medium, it *sdk.Item) error {
	found := it.Media
	it.Media = nil
	seen := map[string]bool{}
	for i, m := range list {
		address, err := r.link(fmt.Sprintf("item.media.%d.url", i), m.URL)
		if err != nil {
			return err
		}
		if address == "" {
			return r.fail(sdk.CodeInvalid, "item.media.%d has no url", i)
		}
		if m.Duration < 0 || m.Duration > float64(math.MaxInt32) {
			return r.fail(sdk.CodeInvalid, "item.media.%d.duration is no number of seconds", i)
		}
		seen[address] = true
		it.Media = append(it.Media, sdk.Media{URL: address, Type: m.Type, Alt: m.Alt, Credit: m.Credit, Width: m.Width, Height: m.Height, Duration: time.Duration(m.Duration * float64(time.Second))})
	}
	for _, m := range found {
		if !seen[m.URL] && len(it.Media) < sdk.MaxMedia {
			it.Media = append(it.Media, m)
		}
	}
	return nil
}

// link makes an address whole.
func (r *lineReader) link(field, address string) (string, error) {
	if address = strings.TrimSpace(address); address == "" {
		return "", nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", r.fail(sdk.CodeInvalid, "%s %q is no address", field, cutText(address))
	}
	if !u.IsAbs() {
		if r.source.base == nil {
			return "", r.fail(sdk.CodeInvalid, "%s %q is relative; print it whole, or set base_url", field, cutText(address))
		}
		u = r.source.base.ResolveReference(u)
	}
	whole, err := sdk.CheckLink(u.String())
	if err == nil && strings.HasPrefix(whole, "mailto:") && !strings.HasPrefix(field, "item.authors") {
		err = sdk.Errorf(sdk.CodeInvalid, opFetch, "it is a mail address")
	}
	if err != nil {
		return "", r.fail(sdk.AsError(err).Code, "%s: %s", field, cutText(sdk.AsError(err).Public))
	}
	return whole, nil
}

// author is a name, or an object.
type author sdk.Author

// DecodeTree implements sdk.TreeDecoder.
func (a *author) DecodeTree(tree any) error {
	if name, ok := tree.(string); ok {
		a.Name = name
		return nil
	}
	var o struct {
		Name string `yaml:"name" required:"true"`
		URL  string `yaml:"url"`
	}
	if _, ok := tree.(map[string]any); !ok {
		return errors.New("an author is a name, or {name, url}")
	}
	if err := sdk.Decode(withoutNulls(tree), &o); err != nil {
		return err
	}
	a.Name, a.URL = o.Name, o.URL
	return nil
}

// medium is an address, or an object.
type medium struct {
	URL      string  `yaml:"url" required:"true"`
	Type     string  `yaml:"type"`
	Alt      string  `yaml:"alt"`
	Credit   string  `yaml:"credit"`
	Width    int     `yaml:"width" min:"0" max:"100000"`
	Height   int     `yaml:"height" min:"0" max:"100000"`
	Duration float64 `yaml:"duration"` // seconds
}

// DecodeTree implements sdk.TreeDecoder.
func (m *medium) DecodeTree(tree any) error {
	if address, ok := tree.(string); ok {
		m.URL = address
		return nil
	}
	type plain medium
	var p plain
	if _, ok := tree.(map[string]any); !ok {
		return errors.New("a medium is an address, or {url, type, alt, credit, width, height, duration}")
	}
	if err := sdk.Decode(withoutNulls(tree), &p); err != nil {
		return err
	}
	*m = medium(p)
	return nil
}

// stamp is a time: RFC 3339, or seconds since 1970. One without an offset is of the zone, or an error where there is none.
type stamp struct {
	time.Time
	zone *time.Location
}

// DecodeTree implements sdk.TreeDecoder.
func (s *stamp) DecodeTree(tree any) error {
	const how = "write it like 2026-11-20T06:00:00Z, or as seconds since 1970"
	switch v := tree.(type) {
	case json.Number:
		n, err := v.Float64()
		if err != nil || math.IsNaN(n) || n < 0 || n > 253402300799 { // the end of the year 9999
			return fmt.Errorf("%s is no time; %s", v, how)
		}
		whole, part := math.Modf(n)
		s.Time = time.Unix(int64(whole), int64(part*1e9)).UTC()
		return nil
	case string:
		v = strings.TrimSpace(v)
		if v == "" {
			return nil
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00"} {
			if t, err := time.Parse(layout, v); err == nil && t.Year() >= 1 {
				s.Time = t.UTC()
				return nil
			}
		}
		for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
			zone := s.zone
			if zone == nil {
				zone = time.UTC
			}
			t, err := time.ParseInLocation(layout, v, zone)
			if err != nil || t.Year() < 1 {
				continue
			}
			if s.zone == nil {
				return fmt.Errorf("%q names no zone; print the offset (2026-11-20T06:00:00+01:00), or set zone of the source", v)
			}
			s.Time = t.UTC()
			return nil
		}
		return fmt.Errorf("%q is no time; %s", cutText(v), how)
	}
	return errors.New("a time expected; " + how)
}

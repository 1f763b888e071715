package compose

import (
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Content is what one revision of a post says, before it is made ready for any destination. It is stored with the
// revision.
type Content struct {
	Lang    string       `json:"lang,omitempty"`
	Title   string       `json:"title"`
	Summary string       `json:"summary,omitempty"`
	URL     string       `json:"url,omitempty"`
	Body    sdk.Body     `json:"body,omitempty"`
	Authors []sdk.Author `json:"authors,omitempty"`
	Tags    []string     `json:"tags,omitempty"`
	// Own says that an editor wrote Body: a template shows it, with its markup, as .Text or .Summary. Derived says that
	// Title was taken from the text that the editor wrote.
	Own     bool `json:"own,omitempty"`
	Derived bool `json:"derived,omitempty"`
	// Media as the source publishes them; the stored copies are found by their addresses.
	Media []sdk.Media `json:"media,omitempty"`
	// Entries of a digest, in order.
	Entries []Entry `json:"entries,omitempty"`
	// Note says what this revision corrects; it is shown with the time of the revision.
	Note      string    `json:"note,omitempty"`
	Published time.Time `json:"published,omitzero"`
	// Purged says that it was retracted for good: nothing of what it said is kept.
	Purged bool `json:"purged,omitempty"`
	// Withdrawn says that the post was taken back; Reason is for the record.
	Withdrawn bool   `json:"withdrawn,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Entry is one item of a digest.
type Entry struct {
	Item      int64        `json:"item"`
	Title     string       `json:"title"`
	Summary   string       `json:"summary,omitempty"`
	URL       string       `json:"url,omitempty"`
	Tags      []string     `json:"tags,omitempty"`
	Authors   []sdk.Author `json:"authors,omitempty"`
	Media     []sdk.Media  `json:"media,omitempty"`
	Published time.Time    `json:"published,omitzero"`
}

// summaryLength is how long a summary made from the text is, in grapheme clusters.
const summaryLength = 300

// maxImages is how many images of an item are kept.
const maxImages = 10

// ItemContent makes the content of a post from one item. Full says whether the whole text is shown.
func ItemContent(it sdk.Item, lang string, full bool) Content {
	c := Content{Lang: it.Lang, Title: it.Title, Summary: it.Summary, URL: it.URL, Authors: it.Authors, Tags: it.Tags,
		Media: images(it.Media), Note: it.Correction, Published: it.Published}
	if c.Lang == "" {
		c.Lang = lang
	}
	if c.Summary == "" {
		c.Summary = render.CutText(render.Render(it.Body, render.Plain), summaryLength, sdk.UnitGraphemes)
	}
	if c.Title == "" {
		c.Title = render.CutText(c.Summary, 80, sdk.UnitGraphemes)
	}
	if full {
		c.Body = it.Body
	}
	return c
}

func images(media []sdk.Media) []sdk.Media {
	var out []sdk.Media
	for _, m := range media {
		if isImage(m) && m.URL != "" && len(out) < maxImages {
			out = append(out, m)
		}
	}
	return out
}

// itemEntry makes an entry of a digest from an item.
func itemEntry(id int64, it sdk.Item) Entry {
	c := ItemContent(it, "", false)
	return Entry{Item: id, Title: c.Title, Summary: c.Summary, URL: c.URL, Tags: c.Tags, Authors: c.Authors,
		Media: c.Media[:min(len(c.Media), 1)], Published: c.Published}
}

// digestContent makes the content of a digest from its entries. Its pictures are those of its entries.
func digestContent(lang, title string, entries []Entry) Content {
	c := Content{Lang: lang, Title: title, Entries: entries}
	for _, e := range entries {
		c.Media = append(c.Media, e.Media...)
	}
	c.Media = c.Media[:min(len(c.Media), maxImages)]
	return c
}

// campaign are parameters added to links.
type campaign struct{ source, medium, name string }

// addCampaign puts campaign parameters into an article's address, in place of all that it has: a click that counts half
// for an older campaign counts for none. What else stands there stays as it is written: not every server reads it as a
// form.
func addCampaign(raw string, c campaign) string {
	if raw == "" || c == (campaign{}) {
		return raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return raw
	}
	pairs := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), isCampaign)
	for _, p := range [][2]string{{"utm_source", c.source}, {"utm_medium", c.medium}, {"utm_campaign", c.name}} {
		if p[1] != "" {
			pairs = append(pairs, p[0]+"="+url.QueryEscape(p[1]))
		}
	}
	u.RawQuery = strings.TrimPrefix(strings.Join(pairs, "&"), "&")
	return u.String()
}

// isCampaign says that a parameter, as it stands in an address, names a campaign (utm_source and its like).
func isCampaign(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return strings.HasPrefix(strings.ToLower(name), "utm_")
}

// hashtag makes a hashtag of a tag: its words run together, each with a capital; empty when nothing stays or when it is
// a mere number, which platforms do not take for a hashtag.
func hashtag(tag string) string {
	words := strings.FieldsFunc(tag, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	var b strings.Builder
	for _, w := range words {
		r := []rune(w)
		if len(words) > 1 {
			r[0] = unicode.ToUpper(r[0])
		}
		b.WriteString(string(r))
	}
	if strings.TrimFunc(b.String(), unicode.IsDigit) == "" {
		return ""
	}
	return "#" + b.String()
}

// Images are the addresses of the content's images, as their source publishes them.
func (c Content) Images() []string {
	out := make([]string, len(c.Media))
	for i, m := range c.Media {
		out[i] = m.URL
	}
	return out
}

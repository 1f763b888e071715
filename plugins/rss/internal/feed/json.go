package feed

import (
	"bytes"
	"encoding/json"
	"html"
	"strings"
	"time"

	jsonfeed "github.com/mmcdole/gofeed/json"

	"github.com/belfry-news/belfry/plugins/rss/internal/feeddate"
	"github.com/belfry-news/belfry/plugins/rss/internal/feedjson"
	"github.com/belfry-news/belfry/sdk"
)

// belfryKey marks documents and items with an extension of ours, so that the others are not decoded twice.
var belfryKey = []byte(`"_belfry"`)

// json reads JSON Feed 1 and 1.1.
func (r *reader) json(text []byte) error {
	o := feedjson.Options{Keep: MaxItems}
	d, err := feedjson.Scan(r.ctx, text, o)
	if err != nil {
		return err
	}
	if d.Total > len(d.Items) && r.jsonAscends(d) {
		o.Skip = d.Total - MaxItems
		if d, err = feedjson.Scan(r.ctx, text, o); err != nil {
			return err
		}
	}
	if d.Truncated && len(d.Items) == 0 {
		return sdk.Errorf(sdk.CodeInvalid, op, "the feed is broken off before its first item is complete")
	}
	r.feed.Whole = !d.Truncated
	r.feed.Notices = append(r.feed.Notices, d.Repairs...)
	if d.Total > len(d.Items) {
		r.notice("the feed has %d items; the newest %d were read", d.Total, len(d.Items))
	}
	r.jsonHead(d.Head)
	for _, raw := range d.Items {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		f, err := (&jsonfeed.Parser{}).Parse(bytes.NewReader(feedjson.Wrap([][]byte{raw})))
		if err != nil || len(f.Items) != 1 || f.Items[0] == nil {
			r.counts.unread++
			continue
		}
		r.jsonItem(f.Items[0], raw)
	}
	return nil
}

func (r *reader) jsonAscends(d *feedjson.Document) bool {
	date := func(raw []byte) (time.Time, bool) {
		var it struct {
			Date string `json:"date_published"`
		}
		_ = json.Unmarshal(raw, &it) // an item that cannot be read has no date
		t, _, ok := feeddate.Parse(it.Date, r.in.Zone)
		return t, ok
	}
	head, ok1 := date(d.Items[0])
	tail, ok2 := date(d.Items[len(d.Items)-1])
	return ok1 && ok2 && tail.After(head)
}

// jsonHead reads the feed's own members; one that is of another type than it should be costs the head, not the items.
func (r *reader) jsonHead(head []byte) {
	r.feed.Format = "JSON Feed"
	f, err := (&jsonfeed.Parser{}).Parse(bytes.NewReader(head))
	if err != nil {
		r.notice("what the feed says of itself cannot be read")
		return
	}
	if !strings.HasPrefix(f.Version, "https://jsonfeed.org/version/1") && !strings.HasPrefix(f.Version, "http://jsonfeed.org/version/1") {
		r.notice("the document does not say that it is JSON Feed 1 or 1.1; it was read as such")
	}
	r.setSite(f.HomePageURL, nil)
	a := &r.feed.About
	a.Title, a.Description = line(f.Title, sdk.MaxTitle), line(f.Description, maxSummary)
	r.lang = r.language(f.Language)
	a.Lang = r.lang
	r.authors = r.jsonAuthors(f.Authors, f.Author)
	r.feed.Expired = f.Expired
	r.jsonHub(head)
	if !bytes.Contains(head, belfryKey) {
		return
	}
	var own struct {
		Belfry struct {
			Removed []struct {
				ID     string `json:"id"`
				At     string `json:"at"`
				Reason string `json:"reason"`
			} `json:"removed"`
		} `json:"_belfry"`
	}
	if err := json.Unmarshal(head, &own); err != nil {
		r.notice("the feed's _belfry member cannot be read")
		return
	}
	for _, t := range own.Belfry.Removed {
		if identifier(t.ID) == "" {
			continue
		}
		reason := "tombstone in the feed"
		if why := line(t.Reason, 200); why != "" {
			reason += ": " + why
		}
		at, _, _ := feeddate.Parse(t.At, r.in.Zone)
		r.feed.Removed = append(r.feed.Removed, sdk.Removal{Key: Key(t.ID), Reason: reason, At: at})
	}
}

func (r *reader) jsonItem(in *jsonfeed.Item, raw []byte) {
	p := pictures{r: r}
	it := sdk.Item{Title: line(in.Title, sdk.MaxTitle), Lang: r.language(in.Language, r.lang),
		Published: r.date(in.DatePublished), Updated: r.date(in.DateModified), Authors: r.jsonAuthors(in.Authors, in.Author)}
	if len(it.Authors) == 0 {
		it.Authors = r.authors
	}
	for _, tag := range in.Tags {
		it.Tags = append(it.Tags, line(tag, sdk.MaxTag))
	}
	for _, link := range []string{in.URL, in.ExternalURL} {
		if it.URL == "" && link != "" {
			it.URL = r.resolve(link, nil)
		}
	}
	if bytes.Contains(raw, belfryKey) {
		var own struct {
			Belfry struct {
				extra
				Urgency json.Number `json:"urgency"`
			} `json:"_belfry"`
		}
		if err := json.Unmarshal(raw, &own); err != nil {
			// It may have held an embargo.
			r.counts.embargo++
			return
		}
		own.Belfry.extra.Urgency = own.Belfry.Urgency.String()
		if !r.apply(&it, own.Belfry.extra) {
			return
		}
	}
	for _, image := range []string{in.Image, in.BannerImage} {
		if image != "" && len(p.declared) == 0 {
			p.add(sdk.Media{URL: image}, true)
		}
	}
	if in.Attachments != nil {
		for _, a := range *in.Attachments {
			seconds := min(max(a.DurationInSeconds, 0), 1e7)
			p.enclosure(a.URL, a.MimeType, a.Title, time.Duration(seconds)*time.Second)
		}
	}
	content := in.ContentHTML
	if strings.TrimSpace(content) == "" {
		content = paragraphs(in.ContentText)
	}
	r.prose(&it, &p, escapeText(in.Summary), content, nil, nil)
	it.Media = p.list()
	if it.Title == "" && it.Summary == "" && it.URL == "" && len(it.Body) == 0 && len(it.Media) == 0 {
		r.counts.unread++
		return
	}
	r.add(Entry{Item: it}, in.ID)
}

// paragraphs writes plain text as HTML: an empty line ends a paragraph, a line feed breaks the line.
func paragraphs(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	text = html.EscapeString(strings.ReplaceAll(text, "\r\n", "\n"))
	return "<p>" + strings.ReplaceAll(strings.ReplaceAll(text, "\n\n", "</p><p>"), "\n", "<br>") + "</p>"
}

func (r *reader) jsonAuthors(list []*jsonfeed.Author, single *jsonfeed.Author) []sdk.Author {
	var out []sdk.Author
	for _, a := range append(list, single) {
		if a == nil {
			continue
		}
		author := sdk.Author{Name: person(a.Name), URL: r.personLink(a.URL)}
		if author.Name != "" && (len(out) == 0 || a != single) {
			out = append(out, author)
		}
	}
	return out
}

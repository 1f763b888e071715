package feed

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/mmcdole/gofeed/atom"
	"github.com/mmcdole/gofeed/rss"

	"github.com/belfry-news/belfry/plugins/rss/internal/feeddate"
	"github.com/belfry-news/belfry/plugins/rss/internal/feedxml"
	"github.com/belfry-news/belfry/sdk"
)

// How much of a document gofeed is given at once, which bounds the memory that its trees take.
const (
	chunkItems = 64
	chunkBytes = 512 << 10
)

// xml reads RSS and Atom.
func (r *reader) xml(text []byte) error {
	d, err := r.scan(text)
	if err != nil {
		return err
	}
	r.feed.Whole = !d.Truncated
	r.feed.Notices = append(r.feed.Notices, d.Repairs...)
	if d.Total > len(d.Items) {
		r.notice("the feed has %d items; the newest %d were read", d.Total, len(d.Items))
	}
	r.lang = r.language(d.Lang)
	read := r.rssItems
	if d.Format == feedxml.Atom {
		err, read = r.atomHead(d), r.atomItems
	} else {
		err = r.rssHead(d)
	}
	if err != nil {
		return err
	}
	for from := 0; from < len(d.Items); {
		to, size := from, 0
		for to < len(d.Items) && to-from < chunkItems && size < chunkBytes {
			size += len(d.Items[to].Canonical)
			to++
		}
		if err := read(d.Wrap(d.Items[from:to]), d.Items[from:to]); err != nil {
			return err
		}
		from = to
	}
	r.feed.Complete = r.feed.Complete && !d.Truncated && d.Total == len(d.Items)
	return nil
}

// scan guards and repairs the document. Of a feed with too many items the newest are kept: the first ones, or the last
// ones where dates ascend.
func (r *reader) scan(text []byte) (*feedxml.Document, error) {
	o := feedxml.Options{URL: r.in.URL, Keep: MaxItems}
	d, err := feedxml.Scan(r.ctx, text, o)
	if other, ok := errors.AsType[*feedxml.NotFeedError](err); ok {
		if other.Page {
			return nil, &PageError{Feeds: FindFeeds(text, r.in.URL)}
		}
		return nil, sdk.Errorf(sdk.CodeInvalid, op, "%s", other)
	}
	if err != nil {
		return nil, err
	}
	if d.Truncated && len(d.Items) == 0 {
		return nil, sdk.Errorf(sdk.CodeInvalid, op, "the feed is broken off before its first item is complete")
	}
	if d.Total > len(d.Items) && len(d.Items) > 1 {
		head, _, ok1 := feeddate.Parse(d.Items[0].Date, r.in.Zone)
		tail, _, ok2 := feeddate.Parse(d.Items[len(d.Items)-1].Date, r.in.Zone)
		if ok1 && ok2 && tail.After(head) {
			o.Skip = d.Total - MaxItems
			return feedxml.Scan(r.ctx, text, o)
		}
	}
	return d, nil
}

var errUneven = sdk.Errorf(sdk.CodeInvalid, op, "the feed cannot be parsed: its items do not add up")

func unparsed(err error) error {
	return &sdk.Error{Code: sdk.CodeInvalid, Op: op, Public: "the feed cannot be parsed", Err: err}
}

func (r *reader) rssHead(d *feedxml.Document) error {
	f, err := (&rss.Parser{}).Parse(bytes.NewReader(d.Head))
	if err != nil {
		return unparsed(err)
	}
	e := extensions(f.Extensions)
	r.feed.Format = "RSS"
	for _, link := range f.Links {
		if r.site == nil {
			r.setSite(link, d.Base)
		}
	}
	for _, l := range e.all("atom", "link") {
		if rel := l.Attrs["rel"]; r.site == nil && (rel == "" || rel == "alternate") {
			r.setSite(l.Attrs["href"], d.Base)
		}
	}
	a := &r.feed.About
	a.Title = unknownTitle(or(f.Title, e.text("dc", "title")))
	a.Description = summary(plain(r.html(or(f.Description, e.text("itunes", "summary")), d.Base).Body))
	r.lang = r.language(f.Language, e.text("dc", "language"), r.lang)
	a.Lang = r.lang
	a.Updated = r.firstDate(f.LastBuildDate, f.PubDate, e.text("dc", "date"), e.text("dcterms", "modified"))
	r.authors = r.people(nil, e.texts("dc", "creator"), nil)
	if name := line(e.text("itunes", "author"), 200); name != "" && len(r.authors) == 0 {
		r.authors = []sdk.Author{{Name: name}}
	}
	r.feed.Hints = hints(f.TTL, f.SkipHours, f.SkipDays, e)
	var h hubs
	for _, l := range e.all("atom", "link") {
		h.link(l.Attrs["rel"], l.Attrs["href"], r.base(d.Base))
	}
	a.Hub, a.Topic = h.hub, h.topic
	r.common(e)
	return nil
}

// common takes from the head what both families share.
func (r *reader) common(e extensions) {
	r.feed.Complete = len(e.all("fh", "complete")) > 0
	if strings.EqualFold(e.text("itunes", "complete"), "yes") {
		r.notice("the feed says that it is complete and will have no further items (itunes:complete)")
	}
	if to := e.text("itunes", "new-feed-url"); to != "" {
		r.notice("the feed names a new address (itunes:new-feed-url): %s", to)
	}
	for _, t := range e.all("at", "deleted-entry") {
		ref := identifier(t.Attrs["ref"])
		if ref == "" {
			continue
		}
		reason := "tombstone in the feed"
		if comment := line(first(t.Children["comment"]), 200); comment != "" {
			reason += ": " + comment
		}
		at, _, _ := feeddate.Parse(t.Attrs["when"], r.in.Zone)
		r.feed.Removed = append(r.feed.Removed, sdk.Removal{Key: Key(ref), Reason: reason, At: at})
	}
}

func or(texts ...string) string {
	for _, t := range texts {
		if strings.TrimSpace(t) != "" {
			return t
		}
	}
	return ""
}

func (r *reader) rssItems(doc []byte, facts []feedxml.Item) error {
	f, err := (&rss.Parser{}).Parse(bytes.NewReader(doc))
	if err != nil {
		return unparsed(err)
	}
	if len(f.Items) != len(facts) {
		return errUneven
	}
	for i, it := range f.Items {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		r.rssItem(it, &facts[i])
	}
	return nil
}

func (r *reader) rssItem(in *rss.Item, facts *feedxml.Item) {
	e := extensions(in.Extensions)
	p := pictures{r: r, base: facts.Base}
	it := sdk.Item{
		Title: unknownTitle(or(in.Title, e.text("dc", "title"), e.text("itunes", "title"), e.text("media", "title"))),
		URL:   r.rssLink(in, e, facts),
		Lang:  r.language(e.text("dc", "language"), facts.Lang, r.lang),
		// dc:date stands for the publication in RSS 1.0, which has no other.
		Published: r.firstDate(in.PubDate, e.text("atom", "published"), e.text("dcterms", "issued"), e.text("dc", "date"),
			e.text("dcterms", "created")),
		Updated:   r.firstDate(e.text("atom", "updated"), e.text("dcterms", "modified")),
		ExpiresAt: r.expiration(in.Custom),
		Authors:   r.people([]string{in.Author}, append(e.texts("dc", "creator"), e.text("itunes", "author")), e.all("atom", "author")),
	}
	if len(it.Authors) == 0 {
		it.Authors = r.authors
	}
	for _, c := range in.Categories {
		it.Tags = append(it.Tags, line(decodeOnce(c.Value), sdk.MaxTag))
	}
	for _, c := range e.all("atom", "category") {
		it.Tags = append(it.Tags, line(or(c.Attrs["label"], c.Attrs["term"]), sdk.MaxTag))
	}
	if !r.extended(&it, e) {
		return
	}
	p.mediaRSS(e)
	for _, enc := range in.Enclosures {
		p.enclosure(enc.URL, enc.Type, "", duration(e.text("itunes", "duration")))
	}
	for _, l := range e.all("atom", "link") {
		if l.Attrs["rel"] == "enclosure" {
			p.enclosure(l.Attrs["href"], l.Attrs["type"], l.Attrs["title"], 0)
		}
	}
	description := or(in.Description, e.text("atom", "summary"), e.text("dc", "description"), e.text("itunes", "summary"),
		e.text("itunes", "subtitle"))
	r.prose(&it, &p, description, or(in.Content, e.text("atom", "content")), facts.Base, facts.ContentBase)
	r.itunesImage(&p, e)
	it.Media = p.list()
	r.keep(it, facts)
}

// keep adds an XML item unless it is empty.
func (r *reader) keep(it sdk.Item, facts *feedxml.Item) {
	if it.Title == "" && it.Summary == "" && it.URL == "" && len(it.Body) == 0 && len(it.Media) == 0 {
		r.counts.unread++
		return
	}
	entry := Entry{Item: it}
	if facts.About && facts.ID != "" {
		entry.Rule = ByAbout
	}
	r.add(entry, facts.ID)
}

// itunesImage is the episode's picture, which is taken when there is no other.
func (r *reader) itunesImage(p *pictures, e extensions) {
	if len(p.declared) > 0 {
		return
	}
	for _, image := range e.all("itunes", "image") {
		p.add(sdk.Media{URL: or(image.Attrs["href"], image.Attrs["url"])}, true)
	}
}

// rssLink chooses the article's address: the original behind a counter, the link, an Atom link, or a guid that is one.
func (r *reader) rssLink(in *rss.Item, e extensions, facts *feedxml.Item) string {
	for _, raw := range append([]string{e.text("feedburner", "origlink")}, in.Links...) {
		if link := r.resolve(raw, facts.Base); link != "" {
			return link
		}
	}
	for _, l := range e.all("atom", "link") {
		if rel := l.Attrs["rel"]; rel == "" || rel == "alternate" {
			if link := r.resolve(l.Attrs["href"], facts.Base); link != "" {
				return link
			}
		}
	}
	if in.GUID != nil && strings.EqualFold(strings.TrimSpace(in.GUID.IsPermalink), "true") {
		guid := strings.TrimSpace(in.GUID.Value)
		if strings.HasPrefix(guid, "http://") || strings.HasPrefix(guid, "https://") {
			return r.resolve(guid, nil)
		}
	}
	return ""
}

// expiration reads the element that RSS 0.93 had.
func (r *reader) expiration(custom map[string]string) (t time.Time) {
	if text := custom["expirationDate"]; text != "" {
		t, _ = r.moment(text)
	}
	return t
}

func (r *reader) atomHead(d *feedxml.Document) error {
	f, err := (&atom.Parser{}).Parse(bytes.NewReader(d.Head))
	if err != nil {
		return unparsed(err)
	}
	e := extensions(f.Extensions)
	r.feed.Format = "Atom"
	if l := alternate(f.Links, ""); l != nil {
		r.setSite(l.Href, d.Base)
	}
	a := &r.feed.About
	a.Title = textOf(f.Title, sdk.MaxTitle)
	a.Description = textOf(f.Subtitle, maxSummary)
	r.lang = r.language(r.lang, e.text("dc", "language"))
	a.Lang = r.lang
	a.Updated = r.firstDate(f.Updated)
	r.authors = persons(r, f.Authors)
	r.feed.Hints = hints("", nil, nil, e)
	var h hubs
	for _, l := range f.Links {
		h.link(l.Rel, l.Href, r.base(d.Base))
	}
	a.Hub, a.Topic = h.hub, h.topic
	r.common(e)
	return nil
}

func (r *reader) atomItems(doc []byte, facts []feedxml.Item) error {
	f, err := (&atom.Parser{}).Parse(bytes.NewReader(doc))
	if err != nil {
		return unparsed(err)
	}
	if len(f.Entries) != len(facts) {
		return errUneven
	}
	for i, entry := range f.Entries {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		r.atomEntry(entry, &facts[i])
	}
	return nil
}

func (r *reader) atomEntry(in *atom.Entry, facts *feedxml.Item) {
	e := extensions(in.Extensions)
	p := pictures{r: r, base: facts.Base}
	it := sdk.Item{
		Title:     textOf(or(in.Title, e.text("media", "title")), sdk.MaxTitle),
		Lang:      r.language(facts.Lang, e.text("dc", "language"), r.lang),
		Published: r.firstDate(in.Published),
		Updated:   r.firstDate(in.Updated, e.text("dcterms", "modified")),
		Authors:   persons(r, in.Authors),
	}
	if len(it.Authors) == 0 && in.Source != nil {
		it.Authors = persons(r, in.Source.Authors)
	}
	if len(it.Authors) == 0 {
		it.Authors = r.people(nil, e.texts("dc", "creator"), nil)
	}
	if len(it.Authors) == 0 {
		it.Authors = r.authors
	}
	for _, c := range in.Categories {
		it.Tags = append(it.Tags, line(or(c.Label, c.Term), sdk.MaxTag))
	}
	if !r.extended(&it, e) {
		return
	}
	content := ""
	if in.Content != nil {
		content = in.Content.Value
	}
	if l := alternate(in.Links, it.Lang); l != nil {
		it.URL = r.resolve(l.Href, facts.Base)
	} else if in.Content != nil && in.Content.Src != "" && content == "" {
		it.URL = r.resolve(in.Content.Src, facts.Base)
	}
	p.mediaRSS(e)
	for _, l := range in.Links {
		if l.Rel == "enclosure" {
			p.enclosure(l.Href, l.Type, l.Title, duration(e.text("itunes", "duration")))
		}
	}
	r.prose(&it, &p, or(in.Summary, groupDescription(e), e.text("itunes", "summary")), or(content, e.text("content", "encoded")),
		facts.Base, facts.ContentBase)
	r.itunesImage(&p, e)
	it.Media = p.list()
	r.keep(it, facts)
}

// groupDescription is where video sites put the text of an entry.
func groupDescription(e extensions) string {
	for _, g := range e.all("media", "group") {
		if text := first(g.Children["description"]); text != "" {
			return escapeText(text)
		}
	}
	return ""
}

// alternate chooses the link to the article: of type HTML before others, in the entry's language before others.
func alternate(links []*atom.Link, lang string) *atom.Link {
	var best *atom.Link
	bestScore := -1
	for _, l := range links {
		if l.Rel != "alternate" && l.Rel != "http://www.iana.org/assignments/relation/alternate" || strings.TrimSpace(l.Href) == "" {
			continue
		}
		score := 0
		if l.Type == "" || strings.Contains(l.Type, "html") {
			score += 2
		}
		if lang != "" && strings.EqualFold(l.Hreflang, lang) {
			score++
		}
		if score > bestScore {
			best, bestScore = l, score
		}
	}
	return best
}

package web

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk/render"
	"github.com/google/uuid"
)

const (
	// feedPosts is how many posts a feed has at most, and feedBytes how large their texts may be together.
	feedPosts = 50
	feedBytes = 512 << 10
)

// feed is a channel as feeds show it, whatever their format.
type feed struct {
	channel, title, text, lang string
	updated                    time.Time
	items                      []feedItem
	gone                       []tombstone
}

// feedItem is a post in a feed.
type feedItem struct {
	id, title, summary, lang string
	article, permalink       string
	html                     string
	correction               string
	by                       []author
	tags                     []string
	picture                  *picture
	published, updated       time.Time
}

// tombstone stands for a post that was taken back.
type tombstone struct {
	id string
	at time.Time
}

// postID is the identity of a post in feeds: a name-based UUID (RFC 9562) of its public id, which neither another domain
// nor another name of the channel changes.
func postID(publicID string) string { return feedID("post/" + publicID) }

func feedID(name string) string {
	return "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceOID, []byte("belfry/"+name)).String()
}

type feedFormat int

const (
	feedAtom feedFormat = iota
	feedJSON
)

// serveFeed answers with a channel's feed, in the channel's language for everybody.
func (s *Server) serveFeed(format feedFormat) http.HandlerFunc {
	file, write := "/feed.atom", (*feed).atom
	if format == feedJSON {
		file, write = "/feed.json", (*feed).json
	}
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("channel")
		if !isName(name) {
			s.fail(w, r, http.StatusNotFound, "404")
			return
		}
		st := s.site.Load()
		v := &view{site: st, words: i18n.For(st.langOf(name)), now: s.s.Now().UTC()}
		s.show(w, r, v, "feed "+name+file, func(ctx context.Context) (document, error) {
			v := &view{site: s.site.Load(), words: v.words, now: v.now}
			if _, ok := v.site.config.Channels[name]; !ok {
				return document{}, s.unknownChannel(ctx, v.site, name, file)
			}
			v.words = i18n.For(v.site.langOf(name))
			f, err := s.feed(ctx, v, name)
			if err != nil {
				return document{}, err
			}
			kind, body, err := write(f, v)
			return document{status: http.StatusOK, kind: kind, lang: f.lang, control: controlFeed, open: true, body: body, until: v.until}, err
		})
	}
}

// feed gathers a channel's newest posts.
func (s *Server) feed(ctx context.Context, v *view, name string) (*feed, error) {
	ch := v.site.config.Channels[name]
	posts, err := s.s.Store.ShownPosts(ctx, Range{Channel: name, Now: v.now, Since: v.site.since(name, v.now), Most: feedPosts})
	if err != nil {
		return nil, err
	}
	if v.files, err = s.s.Store.Files(ctx, images(posts)); err != nil {
		return nil, err
	}
	if err := s.awaitNext(ctx, v, name); err != nil {
		return nil, err
	}
	f := &feed{channel: name, lang: v.site.langOf(name), updated: v.site.loaded}
	title, _ := words(ch.Title, f.lang)
	text, _ := words(ch.Description, f.lang)
	f.title, f.text = cut(render.Line(title), cardTitle, cardTitleBytes)+" · "+v.site.title, cut(render.Line(text), cardSummary, cardSummaryBytes)
	size := 0
	for i := range posts {
		p := &posts[i]
		if i == 0 {
			f.updated = p.VisibleAt
		}
		if hide := ch.HideAfter.Std(); hide > 0 {
			v.tick(p.VisibleAt.Add(hide))
		}
		if p.ChangedAt.After(f.updated) {
			f.updated = p.ChangedAt
		}
		if !p.live() {
			f.gone = append(f.gone, tombstone{id: postID(p.PublicID), at: p.ChangedAt})
			continue
		}
		it, err := v.feedItem(p)
		if err != nil {
			return nil, err
		}
		if size += len(it.html) + len(it.summary); size > feedBytes && len(f.items) > 0 {
			break
		}
		f.items = append(f.items, it)
	}
	return f, nil
}

// feedContent is what the content of a feed's item is made of.
type feedContent struct {
	*i18n.Catalogue
	Page     *postPage
	Pictures []*picture
	Base     string
}

func (v *view) feedItem(p *Post) (feedItem, error) {
	it := feedItem{id: postID(p.PublicID), title: v.title(p), summary: prose(p.Content.Summary), lang: language(p.Content.Lang), article: link(p.Content.URL),
		permalink: v.site.abs(permalink(p)), by: authors(p.Content), published: p.VisibleAt, updated: changed(p)}
	for _, t := range p.Content.Tags {
		if t = render.Line(t); t != "" {
			it.tags = append(it.tags, t)
		}
	}
	page := postPage{Headline: it.title, Summary: it.summary, Article: it.article, Host: hostOf(it.article), Corrections: v.corrections(p)}
	if it.summary == it.title {
		page.Summary = ""
	}
	if n := len(page.Corrections); n > 0 {
		it.correction = page.Corrections[n-1].Text
	}
	if v.whole(p) {
		page.Body, page.Summary = bodyHTML(p.Content.Body), ""
		if repeats(p.Content) {
			it.summary = ""
		}
	}
	for _, e := range p.Content.Entries {
		page.Entries = append(page.Entries, v.entry(e, ""))
	}
	pictures := v.pictures(p.Content.Media, 1, "")
	if len(pictures) > 0 {
		it.picture = pictures[0]
	}
	html, err := execute("feed", feedContent{Catalogue: v.words, Page: &page, Pictures: pictures, Base: v.site.base})
	it.html = strings.TrimSpace(string(html))
	if err != nil {
		return it, fmt.Errorf("make post %s for the feed: %w", p.PublicID, err)
	}
	return it, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Atom (RFC 4287) with tombstones (RFC 6721), Media RSS for the pictures, and Belfry's own words for corrections.
type (
	atomFeed struct {
		XMLName   xml.Name        `xml:"feed"`
		NS        string          `xml:"xmlns,attr"`
		Tombs     string          `xml:"xmlns:at,attr"`
		Media     string          `xml:"xmlns:media,attr"`
		Belfry    string          `xml:"xmlns:belfry,attr"`
		Lang      string          `xml:"xml:lang,attr,omitempty"`
		Title     string          `xml:"title"`
		Subtitle  string          `xml:"subtitle,omitempty"`
		ID        string          `xml:"id"`
		Updated   string          `xml:"updated"`
		Author    atomPerson      `xml:"author"`
		Links     []atomLink      `xml:"link"`
		Icon      string          `xml:"icon,omitempty"`
		Generator string          `xml:"generator"`
		Deleted   []atomTombstone `xml:"at:deleted-entry"`
		Entries   []atomEntry     `xml:"entry"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr,omitempty"`
		Href string `xml:"href,attr"`
	}
	atomPerson struct {
		Name string `xml:"name"`
		URI  string `xml:"uri,omitempty"`
	}
	atomText struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	}
	atomTerm struct {
		Term string `xml:"term,attr"`
	}
	atomTombstone struct {
		Ref     string `xml:"ref,attr"`
		When    string `xml:"when,attr"`
		Comment string `xml:"at:comment"`
	}
	atomMedia struct {
		URL    string `xml:"url,attr"`
		Type   string `xml:"type,attr"`
		Medium string `xml:"medium,attr"`
		Width  int    `xml:"width,attr"`
		Height int    `xml:"height,attr"`
		Alt    string `xml:"media:description,omitempty"`
		Credit string `xml:"media:credit,omitempty"`
	}
	atomEntry struct {
		Lang       string       `xml:"xml:lang,attr,omitempty"`
		ID         string       `xml:"id"`
		Title      atomText     `xml:"title"`
		Links      []atomLink   `xml:"link"`
		Published  string       `xml:"published"`
		Updated    string       `xml:"updated"`
		Authors    []atomPerson `xml:"author"`
		Categories []atomTerm   `xml:"category"`
		Summary    *atomText    `xml:"summary"`
		Content    *atomText    `xml:"content"`
		Picture    *atomMedia   `xml:"media:content"`
		Correction string       `xml:"belfry:correction,omitempty"`
	}
)

func (f *feed) atom(v *view) (string, []byte, error) {
	path := "/c/" + f.channel
	out := atomFeed{NS: "http://www.w3.org/2005/Atom", Tombs: "http://purl.org/atompub/tombstones/1.0", Media: "http://search.yahoo.com/mrss/",
		Belfry: "urn:belfry:feed:1", Lang: f.lang, Title: f.title, Subtitle: f.text, ID: feedID("channel/" + f.channel), Updated: stamp(f.updated),
		Author: atomPerson{Name: v.site.title, URI: v.site.abs("/")}, Icon: v.site.abs("/favicon.svg"), Generator: "Belfry",
		Links: []atomLink{{"self", "application/atom+xml", v.site.abs(path + "/feed.atom")}, {"alternate", "text/html", v.site.abs(path)}}}
	for _, t := range f.gone {
		out.Deleted = append(out.Deleted, atomTombstone{Ref: t.id, When: stamp(t.at), Comment: v.words.Text("post.withdrawn")})
	}
	for _, it := range f.items {
		e := atomEntry{Lang: it.lang, ID: it.id, Title: atomText{"text", it.title}, Published: stamp(it.published), Updated: stamp(it.updated), Correction: it.correction}
		if it.article != "" {
			e.Links = []atomLink{{"alternate", "text/html", it.article}, {"related", "text/html", it.permalink}}
		} else {
			e.Links = []atomLink{{"alternate", "text/html", it.permalink}}
		}
		for _, a := range it.by {
			e.Authors = append(e.Authors, atomPerson{a.Name, a.URL})
		}
		for _, t := range it.tags {
			e.Categories = append(e.Categories, atomTerm{t})
		}
		if it.summary != "" {
			e.Summary = &atomText{"text", it.summary}
		}
		if it.html != "" {
			e.Content = &atomText{"html", it.html}
		}
		if p := it.picture; p != nil {
			e.Picture = &atomMedia{URL: v.site.abs(p.Src), Type: p.Type, Medium: "image", Width: p.Width, Height: p.Height, Alt: p.Alt, Credit: p.Owner}
		}
		out.Entries = append(out.Entries, e)
	}
	body, err := xml.MarshalIndent(out, "", " ")
	return "application/atom+xml; charset=utf-8", append([]byte(xml.Header), append(body, '\n')...), err
}

// JSON Feed 1.1 (jsonfeed.org/version/1.1). What it has no words for stands under _belfry.
type (
	jsonDocument struct {
		Version     string       `json:"version"`
		Title       string       `json:"title"`
		Home        string       `json:"home_page_url,omitempty"`
		Self        string       `json:"feed_url,omitempty"`
		Description string       `json:"description,omitempty"`
		Icon        string       `json:"icon,omitempty"`
		Lang        string       `json:"language,omitempty"`
		Authors     []jsonAuthor `json:"authors,omitempty"`
		Items       []jsonItem   `json:"items"`
		Own         *jsonRemoved `json:"_belfry,omitempty"`
	}
	jsonAuthor struct {
		Name string `json:"name"`
		URL  string `json:"url,omitempty"`
	}
	jsonItem struct {
		ID        string          `json:"id"`
		URL       string          `json:"url,omitempty"`
		External  string          `json:"external_url,omitempty"`
		Title     string          `json:"title"`
		HTML      string          `json:"content_html"`
		Summary   string          `json:"summary,omitempty"`
		Image     string          `json:"image,omitempty"`
		Published string          `json:"date_published"`
		Modified  string          `json:"date_modified"`
		Authors   []jsonAuthor    `json:"authors,omitempty"`
		Tags      []string        `json:"tags,omitempty"`
		Lang      string          `json:"language,omitempty"`
		Own       *jsonCorrection `json:"_belfry,omitempty"`
	}
	jsonCorrection struct {
		Correction string `json:"correction"`
	}
	jsonRemoved struct {
		Removed []jsonTombstone `json:"removed"`
	}
	jsonTombstone struct {
		ID string `json:"id"`
		At string `json:"at"`
	}
)

func (f *feed) json(v *view) (string, []byte, error) {
	path := "/c/" + f.channel
	out := jsonDocument{Version: "https://jsonfeed.org/version/1.1", Title: f.title, Home: v.site.abs(path), Self: v.site.abs(path + "/feed.json"),
		Description: f.text, Lang: f.lang, Authors: []jsonAuthor{{v.site.title, v.site.abs("/")}}, Items: []jsonItem{}}
	for _, it := range f.items {
		j := jsonItem{ID: it.id, URL: it.permalink, External: it.article, Title: it.title, HTML: it.html, Summary: it.summary, Published: stamp(it.published),
			Modified: stamp(it.updated), Tags: it.tags, Lang: it.lang}
		for _, a := range it.by {
			j.Authors = append(j.Authors, jsonAuthor(a))
		}
		if it.picture != nil {
			j.Image = v.site.abs(it.picture.Src)
		}
		if it.correction != "" {
			j.Own = &jsonCorrection{it.correction}
		}
		out.Items = append(out.Items, j)
	}
	for _, t := range f.gone {
		if out.Own == nil {
			out.Own = &jsonRemoved{}
		}
		out.Own.Removed = append(out.Own.Removed, jsonTombstone{t.id, stamp(t.at)})
	}
	body, err := json.MarshalIndent(out, "", " ")
	return "application/feed+json; charset=utf-8", append(body, '\n'), err
}

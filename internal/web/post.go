package web

import (
	"context"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk/render"
)

// postPage is one post.
type postPage struct {
	layout
	// Channel is the way back; a channel that is no longer configured has a name and no path.
	Channel, ChannelLang, ChannelPath string
	PostLang                          string
	Headline, Summary                 string
	Article, Host                     string
	Time                              moment
	By                                string
	Body                              template.HTML
	// Picture stands above the text, More below it.
	Picture *picture
	More    []*picture
	Entries []entryView
	// Sites says that the entries lead to several sites, which are then named.
	Sites       bool
	Corrections []note
	Updated     *moment
}

type author struct{ Name, URL string }

// openGraph describes a page to those who show previews of links.
type openGraph struct {
	Type, URL, Title, Description string
	// Published and Modified of an article; empty for other pages.
	Published, Modified string
	Image               *graphImage
}

type graphImage struct {
	URL, Alt, Type string
	Width, Height  int
}

// post makes the page of a post.
func (s *Server) post(ctx context.Context, v *view, p *Post) (document, error) {
	if !p.live() {
		return v.withdrawn(p)
	}
	var err error
	if v.files, err = s.s.Store.Files(ctx, images([]Post{*p})); err != nil {
		return document{}, err
	}
	return v.post(p)
}

// withdrawn says that a post was taken back, and nothing of what it was.
func (v *view) withdrawn(p *Post) (document, error) {
	back, text := "", ""
	if ch, ok := v.site.config.Channels[p.Channel]; ok {
		name, _ := v.say(ch.Title, p.Channel)
		back, text = v.href("/c/"+p.Channel), v.words.Text("post.back", "channel", name)
	}
	return v.failure(http.StatusGone, "410", back, text)
}

func (v *view) post(p *Post) (document, error) {
	ch, configured := v.site.config.Channels[p.Channel]
	page := postPage{Channel: p.Channel, PostLang: language(p.Content.Lang), Headline: v.title(p), By: v.by(authors(p.Content))}
	if configured {
		page.Channel, page.ChannelLang = v.say(ch.Title, p.Channel)
		page.ChannelPath = v.href("/c/" + p.Channel)
	}
	page.layout = v.layout(page.Headline+" · "+v.site.title, permalink(p))
	if configured {
		page.Feeds = feeds(p.Channel, page.Channel)
	}
	if page.Article = link(p.Content.URL); page.Article != "" {
		page.Host, page.Canonical = hostOf(page.Article), page.Article
	}
	if !p.VisibleAt.IsZero() {
		page.Time = v.full(p.VisibleAt)
	}
	if page.Summary = prose(p.Content.Summary); page.Summary == page.Headline {
		page.Summary = ""
	}
	page.Description = render.CutText(strings.ReplaceAll(page.Summary, "\n", " "), 200, graphemes)
	if v.whole(p) {
		page.Body = bodyHTML(p.Content.Body)
		if repeats(p.Content) {
			page.Summary = ""
		}
	}
	for i, e := range p.Content.Entries {
		page.Entries = append(page.Entries, v.entry(e, sizesCard))
		page.Sites = page.Sites || page.Entries[i].Host != page.Entries[0].Host
	}
	// The pictures of a digest stand beside its entries.
	if pics := v.pictures(p.Content.Media, len(p.Content.Media), sizesPost); len(pics) > 0 && len(page.Entries) == 0 {
		page.Picture, page.More = pics[0], pics[1:]
		page.Picture.Eager = true
	}
	page.Corrections = v.corrections(p)
	if at := updated(p, page.Corrections); !at.IsZero() {
		m := v.event("post.updated", at, p.VisibleAt)
		page.Updated = &m
	}
	page.Graph = v.graph(p, &page)
	page.Linked = v.linked(p, &page)
	return v.document("post", http.StatusOK, page)
}

func authors(c compose.Content) []author {
	var out []author
	for _, a := range c.Authors {
		if name := render.Line(a.Name); name != "" {
			out = append(out, author{Name: name, URL: link(a.URL)})
		}
	}
	return out
}

// by names the authors in a line.
func (v *view) by(list []author) string {
	if len(list) == 0 {
		return ""
	}
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Name
	}
	last := len(names) - 1
	line := names[last]
	if last > 0 {
		line = strings.Join(names[:last], ", ") + " " + v.words.Text("list.and") + " " + line
	}
	return v.words.Text("post.by", "names", line)
}

// changed is when what the page says last changed.
func changed(p *Post) time.Time {
	if n := len(p.Revisions); n > 0 {
		return p.Revisions[n-1].At
	}
	return p.VisibleAt
}

// graph describes the post for previews of its link.
func (v *view) graph(p *Post, page *postPage) *openGraph {
	if v.site.base == "" {
		return nil
	}
	g := &openGraph{Type: "article", URL: v.site.abs(permalink(p)), Title: page.Headline, Description: page.Description,
		Published: p.VisibleAt.UTC().Format(time.RFC3339), Modified: changed(p).UTC().Format(time.RFC3339)}
	if pic := firstPicture(page); pic != nil {
		g.Image = &graphImage{URL: v.site.abs(pic.Src), Alt: pic.Alt, Type: pic.Type, Width: pic.Width, Height: pic.Height}
	}
	return g
}

func firstPicture(page *postPage) *picture {
	if page.Picture != nil {
		return page.Picture
	}
	for _, e := range page.Entries {
		if e.Picture != nil {
			return e.Picture
		}
	}
	return nil
}

// linked is the post as schema.org describes news, corrections included.
func (v *view) linked(p *Post, page *postPage) map[string]any {
	type object = map[string]any
	out := object{"@context": "https://schema.org", "@type": "NewsArticle", "headline": render.CutText(page.Headline, 110, graphemes),
		"mainEntityOfPage": page.Canonical, "url": page.Canonical,
		"publisher": object{"@type": "NewsMediaOrganization", "name": page.Site, "url": v.site.abs("/")}}
	if !p.VisibleAt.IsZero() {
		out["datePublished"], out["dateModified"] = v.iso(p.VisibleAt), v.iso(changed(p))
	}
	if page.PostLang != "" {
		out["inLanguage"] = page.PostLang
	}
	if page.Description != "" {
		out["description"] = page.Description
	}
	if pic := firstPicture(page); pic != nil && v.site.base != "" {
		out["image"] = []string{v.site.abs(pic.Src)}
	}
	var by []object
	for _, a := range authors(p.Content) {
		o := object{"@type": "Person", "name": a.Name}
		if a.URL != "" {
			o["url"] = a.URL
		}
		by = append(by, o)
	}
	if len(by) > 0 {
		out["author"] = by
	}
	var corrections []object
	for _, n := range page.Corrections {
		corrections = append(corrections, object{"@type": "CorrectionComment", "text": n.Text, "datePublished": n.At.ISO})
	}
	if len(corrections) > 0 {
		out["correction"] = corrections
	}
	if len(page.Entries) == 0 {
		return out
	}
	out["@type"] = "CollectionPage"
	delete(out, "correction")
	var entries []object
	for i, e := range page.Entries {
		o := object{"@type": "ListItem", "position": i + 1, "name": e.Title}
		if e.URL != "" {
			o["url"] = e.URL
		}
		entries = append(entries, o)
	}
	out["mainEntity"] = object{"@type": "ItemList", "itemListElement": slices.Clip(entries)}
	return out
}

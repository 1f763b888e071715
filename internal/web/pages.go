package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk/render"
)

// layout is what every page has around its content.
type layout struct {
	*i18n.Catalogue
	// Site is the name over every page and Home its front page.
	Site, Home string
	// Title of the window; Description for previews.
	Title, Description string
	// Self is the page's own address, Canonical the one that search engines should keep, and Any the one that gives every
	// reader their own language.
	Self, Canonical, Any string
	Languages            []tongue
	Feeds                []feedLink
	// Zone names the zone of all times.
	Zone string
	// Front says that the page is the front page, which has the site's name in large letters already.
	Front bool
	// Hidden keeps search engines from listing the page.
	Hidden bool
	Graph  *openGraph
	// Linked is the page's content as JSON-LD.
	Linked map[string]any
	// Style is the stylesheet; Sheet a second one, or empty.
	Style, Sheet string
}

// tongue is one of the languages that the page can be read in.
type tongue struct {
	Tag, Name string
	// Path is the link in the page, Address the absolute one for hreflang.
	Path, Address string
	Current       bool
}

type feedLink struct{ Type, Path, Title string }

func (v *view) layout(title, path string, query ...string) layout {
	st := v.site
	l := layout{Catalogue: v.words, Site: st.title, Home: v.href("/"), Title: title, Zone: i18n.Zone(st.loaded.In(st.zone)), Style: style().path}
	l.Self = st.abs(v.href(path, query...))
	l.Canonical = l.Self
	l.Any = st.abs((&view{site: st, words: v.words}).href(path, query...))
	for _, tag := range i18n.Languages() {
		in := view{site: st, words: i18n.For(tag), chosen: true}
		p := in.href(path, query...)
		l.Languages = append(l.Languages, tongue{Tag: tag, Name: v.inWords().Tongue(tag), Path: p, Address: st.abs(p), Current: tag == v.words.Lang()})
	}
	return l
}

// frontPage is the directory of channels.
type frontPage struct {
	layout
	About, AboutLang string
	Today            moment
	// Lead is the channel with the latest news; nil when there is no channel.
	Lead *channelCard
	Rest []channelCard
}

// channelCard is a channel on the front page.
type channelCard struct {
	Path             string
	Name, NameLang   string
	About, AboutLang string
	// Newest is the newest post; nil when there is none.
	Newest *card
	Time   moment
	// Silent says that there is none.
	Silent string
	// Follow are the ways to get its posts as messages; ID tells its links apart from those of other channels.
	Follow []followButton
	ID     string
}

func (s *Server) front(ctx context.Context, v *view) (document, error) {
	st := v.site
	var listed []string
	for _, name := range slices.Sorted(maps.Keys(st.config.Channels)) {
		if st.config.Channels[name].Listed {
			listed = append(listed, name)
		}
	}
	posts, err := s.s.Store.NewestPosts(ctx, listed, v.now)
	if err != nil {
		return document{}, err
	}
	if v.files, err = s.s.Store.Files(ctx, images(posts)); err != nil {
		return document{}, err
	}
	if err := s.awaitNext(ctx, v, listed...); err != nil {
		return document{}, err
	}
	newest := map[string]*Post{}
	for i := range posts {
		p := &posts[i]
		if hide := st.config.Channels[p.Channel].HideAfter.Std(); hide > 0 {
			if p.VisibleAt.Before(v.now.Add(-hide)) {
				continue
			}
			v.tick(p.VisibleAt.Add(hide))
		}
		newest[p.Channel] = p
	}
	// The channel with the latest news stands first, and of those with news of the same moment one in the reader's language;
	// those without any come last, by name.
	slices.SortStableFunc(listed, func(a, b string) int {
		pa, pb := newest[a], newest[b]
		return cmp.Or(newsTime(pb).Compare(newsTime(pa)), cmp.Compare(v.foreign(a, pa), v.foreign(b, pb)))
	})
	page := frontPage{layout: v.layout(st.title, "/"), About: cut(render.Line(st.config.Site.Description), cardSummary, cardSummaryBytes), AboutLang: st.lang()}
	page.Description, page.Front = page.About, true
	page.Graph = v.preview(&page.layout)
	local := v.now.In(st.zone)
	page.Today = moment{ISO: local.Format(time.DateOnly), Text: capital(v.words.Day(local))}
	v.tick(v.tomorrow())
	offers := s.offers()
	for i, name := range listed {
		c := v.channelCard(name)
		c.Follow = v.followButtons(name, offers, nil)
		if p := newest[name]; p != nil {
			sizes := sizesFront
			if i == 0 {
				sizes = sizesLead
			}
			shown := v.card(p, sizes)
			c.Newest, c.Time = &shown, v.when(p.VisibleAt)
			if shown.Picture != nil {
				shown.Picture.Eager = i < 2
			}
		}
		if i == 0 {
			page.Lead = &c
			continue
		}
		page.Rest = append(page.Rest, c)
	}
	return v.document("front", http.StatusOK, page)
}

// onTime is within which time of its occurrence a digest was made on time.
const onTime = time.Minute

// newsTime is when a channel's newest post came, to the second; zero when there is none. Digests that were made for the same
// occurrence came together, whichever was written first.
func newsTime(p *Post) time.Time {
	if p == nil {
		return time.Time{}
	}
	at := p.VisibleAt
	if due := p.Content.Published; p.Kind == compose.KindDigest && !due.After(at) && at.Sub(due) < onTime {
		at = due
	}
	return at.Truncate(time.Second)
}

// foreign is 1 for a channel's newest post in another language than the reader's, and 0 for one in that, or for none.
func (v *view) foreign(channel string, p *Post) int {
	if p == nil {
		return 0
	}
	lang := p.Content.Lang
	if lang == "" {
		lang = v.site.langOf(channel)
	}
	if lang, _, _ = strings.Cut(strings.ToLower(lang), "-"); lang == v.words.Lang() {
		return 0
	}
	return 1
}

// awaitNext notes when the next post comes on show.
func (s *Server) awaitNext(ctx context.Context, v *view, channels ...string) error {
	next, err := s.s.Store.NextPost(ctx, channels, v.now)
	if err == nil && !next.IsZero() {
		v.tick(next)
	}
	return err
}

func (v *view) channelCard(name string) channelCard {
	ch := v.site.config.Channels[name]
	c := channelCard{ID: name, Path: v.href("/c/" + name), Silent: v.words.Text("front.silent")}
	c.Name, c.NameLang = v.say(ch.Title, name)
	c.About, c.AboutLang = v.say(ch.Description, name)
	return c
}

// say gives a configured text in the reader's language, or as it is, with the language it is in.
func (v *view) say(l configs.Localized, channel string) (text, lang string) {
	text, lang = words(l, v.words.Lang())
	if lang == "" {
		lang = v.site.langOf(channel)
	}
	return cut(render.Line(text), cardSummary, cardTitleBytes), lang
}

// channelPage is a run of a channel's posts.
type channelPage struct {
	layout
	Name, NameLang   string
	About, AboutLang string
	// Personal are the ways to get its posts as messages, Follow the places where it is public.
	Personal []followButton
	Follow   []follow
	Days     []day
	// Older and Newest lead to the other pages of the channel; empty when there is none.
	Older, Newest string
	// Empty says why there is nothing, and EmptyNext what can be done.
	Empty, EmptyNext string
	Path             string
}

// follow is a way to follow a channel.
type follow struct{ Name, URL string }

// day is a day's posts.
type day struct {
	ISO, Name string
	Posts     []card
}

const (
	// pagePosts is how many posts a page of a channel has at most.
	pagePosts = 20
	// pageBytes is the largest page, so that with the stylesheet it stays under 50 KB; one that would be larger has fewer
	// posts.
	pageBytes = 38 << 10
)

// channel makes a page of a channel; before is the post after which it begins.
func (s *Server) channel(ctx context.Context, v *view, name string, before *Post) (document, error) {
	st := v.site
	since := st.since(name, v.now)
	posts, err := s.s.Store.ShownPosts(ctx, Range{Channel: name, Now: v.now, Since: since, Before: before, Most: pagePosts + 1})
	if err != nil {
		return document{}, err
	}
	more := len(posts) > pagePosts
	posts = posts[:min(len(posts), pagePosts)]
	if v.files, err = s.s.Store.Files(ctx, images(posts)); err != nil {
		return document{}, err
	}
	places, err := s.s.Store.Places(ctx)
	if err != nil {
		return document{}, err
	}
	if err := s.awaitNext(ctx, v, name); err != nil {
		return document{}, err
	}
	elsewhere := v.follow(name, places)
	personal := v.followButtons(name, s.offers(), elsewhere)
	for {
		doc, err := v.channelPage(name, before, posts, more, personal, elsewhere)
		if err != nil || len(doc.body) <= pageBytes || len(posts) <= 1 {
			return doc, err
		}
		posts, more = posts[:max(1, (len(posts)-1)*pageBytes/len(doc.body))], true
	}
}

func (v *view) channelPage(name string, before *Post, posts []Post, more bool, personal []followButton, places []follow) (document, error) {
	ch := v.site.config.Channels[name]
	path := "/c/" + name
	var query []string
	if before != nil {
		query = []string{"before", before.PublicID}
	}
	page := channelPage{Path: v.href(path), Personal: personal, Follow: places}
	page.Name, page.NameLang = v.say(ch.Title, name)
	page.About, page.AboutLang = v.say(ch.Description, name)
	page.layout = v.layout(page.Name+" · "+v.site.title, path, query...)
	page.Description = page.About
	page.Feeds = feeds(name, page.Name)
	page.Graph = v.preview(&page.layout)
	hide := ch.HideAfter.Std()
	for i := range posts {
		p := &posts[i]
		c := v.card(p, sizesCard)
		if c.Picture != nil {
			c.Picture.Eager = i < 2
		}
		local := p.VisibleAt.In(v.site.zone)
		if n := len(page.Days); n == 0 || page.Days[n-1].ISO != local.Format(time.DateOnly) {
			page.Days = append(page.Days, day{ISO: local.Format(time.DateOnly), Name: capital(v.words.Day(local))})
		}
		page.Days[len(page.Days)-1].Posts = append(page.Days[len(page.Days)-1].Posts, c)
		if hide > 0 {
			v.tick(p.VisibleAt.Add(hide))
		}
	}
	if more {
		page.Older = v.href(path, "before", posts[len(posts)-1].PublicID)
	}
	if before != nil {
		page.Newest = page.Path
	}
	if len(posts) == 0 {
		switch {
		case before != nil:
			page.Empty = v.words.Text("channel.end")
		case hide > 0:
			page.Empty, page.EmptyNext = v.words.Text("channel.quiet"), v.words.Text("channel.quiet.next")
		default:
			page.Empty, page.EmptyNext = v.words.Text("channel.empty"), v.words.Text("channel.empty.next")
		}
	}
	return v.document("channel", http.StatusOK, page)
}

// preview describes a page that is no post to those who show previews of links.
func (v *view) preview(l *layout) *openGraph {
	if v.site.base == "" {
		return nil
	}
	return &openGraph{Type: "website", URL: l.Any, Title: l.Title, Description: l.Description}
}

// follow lists where a channel can be followed elsewhere.
func (v *view) follow(name string, places []Place) []follow {
	var out []follow
	for _, t := range v.site.config.Channels[name].PublishTo {
		for _, p := range places {
			if p.Destination != t.Destination || p.Chat != t.Chat {
				continue
			}
			if u := link(p.URL); u != "" {
				out = append(out, follow{Name: capital(v.site.config.Destinations[p.Destination].Type), URL: u})
			}
		}
	}
	return out
}

func feeds(channel, title string) []feedLink {
	return []feedLink{{"application/atom+xml", "/c/" + channel + "/feed.atom", title + " (Atom)"},
		{"application/feed+json", "/c/" + channel + "/feed.json", title + " (JSON Feed)"}}
}

// capital makes the first letter of a text a capital.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// errorPage says that there is no such page, or that it cannot be shown.
type errorPage struct {
	layout
	Status         int
	Heading, Say   string
	Back, BackText string
}

// failure is the page for a status, whatever its address: its languages are chosen at the same address. code chooses the words; back leads to where one can go on.
func (v *view) failure(status int, code, back, backText string) (document, error) {
	return v.document("error", status, v.errorPage(status, code, back, backText))
}

func (v *view) errorPage(status int, code, back, backText string) errorPage {
	page := errorPage{layout: v.layout(v.words.Text("error."+code), ""), Status: status, Heading: v.words.Text("error." + code), Say: v.words.Text("error." + code + ".text"),
		Back: back, BackText: backText}
	page.Hidden = true
	if back == "" {
		page.Back, page.BackText = v.href("/"), v.words.Text("page.home")
	}
	return page
}

// Cache-Control of the answers. Proxies may keep pages for moments only, so that a withdrawal is everywhere within a
// minute; see docs/decisions on caching.
const (
	controlPage  = "public, max-age=15, stale-while-revalidate=30"
	controlFeed  = "public, max-age=60"
	controlError = "public, max-age=15"
	controlNone  = "no-store"
)

// document writes a page by its template.
func (v *view) document(name string, status int, page any) (document, error) {
	body, err := execute(name, page)
	if err != nil {
		return document{}, fmt.Errorf("make page %s: %w", name, err)
	}
	doc := document{status: status, kind: "text/html; charset=utf-8", lang: v.words.Lang(), control: controlPage, negotiated: !v.chosen, body: body, until: v.until}
	switch {
	case status >= 500 || status == http.StatusMethodNotAllowed || status == http.StatusRequestEntityTooLarge:
		doc.control = controlNone
	case status >= 400:
		doc.control, doc.index = controlError, "noindex"
	}
	return doc, nil
}

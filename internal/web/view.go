package web

import (
	"html/template"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
	"golang.org/x/net/idna"
)

// view turns posts into what templates show, for one reader's language at one moment.
type view struct {
	site  *site
	words *i18n.Catalogue
	// chosen says that the reader chose the language, which links then keep.
	chosen bool
	now    time.Time
	files  compose.Files
	// until is when time changes something that was shown; zero when it does not.
	until time.Time
}

// tick notes a moment at which what is shown changes by itself.
func (v *view) tick(at time.Time) {
	if v.until.IsZero() || at.Before(v.until) {
		v.until = at
	}
}

// href is a link within the site, in the language the reader chose.
func (v *view) href(path string, query ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	if v.chosen {
		q.Set("lang", v.words.Lang())
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Bounds of what a card shows, in grapheme clusters and bytes. They keep a page small whatever a source sends.
const (
	cardTitle        = 160
	cardTitleBytes   = 600
	cardSummary      = 280
	cardSummaryBytes = 1000
	cardNote         = 240
	cardNoteBytes    = 800
	cardEntries      = 4
	titleFromText    = 80
	creditLength     = 120
	creditBytes      = 400
	altLength        = 400
	altBytes         = 800
)

// graphemes is what readers count as characters.
const graphemes = sdk.UnitGraphemes

func cut(s string, clusters, size int) string {
	return render.CutText(render.CutText(s, clusters, graphemes), size, sdk.UnitBytes)
}

// prose cleans a plain text of several lines.
func prose(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = render.Line(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// link gives an address readers may be sent to, in ASCII as RFC 3986 spells it and with the host's registered name; empty
// when it is none.
func link(raw string) string {
	checked, err := sdk.CheckLink(raw)
	if err != nil || strings.HasPrefix(checked, "mailto:") {
		return ""
	}
	u, err := url.Parse(checked)
	if err != nil {
		return ""
	}
	if net.ParseIP(u.Hostname()) == nil {
		host, err := idna.Lookup.ToASCII(u.Hostname())
		if err != nil {
			return ""
		}
		if port := u.Port(); port != "" {
			host += ":" + port
		}
		u.Host = host
	}
	// A body's links are spelled in one way; this is that way.
	body := render.Normalize(sdk.Body{sdk.Paragraph(sdk.Link(u.String(), sdk.Text("x")))})
	if len(body) == 0 || len(body[0].Children) == 0 {
		return ""
	}
	return body[0].Children[0].URL
}

// language gives a language tag (BCP 47); empty when it is none.
func language(tag string) string {
	if len(tag) > 35 || !langTag.MatchString(tag) {
		return ""
	}
	return tag
}

var langTag = regexp.MustCompile(`^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$`)

// hostOf names the site of a link.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return render.CutText(strings.TrimPrefix(u.Hostname(), "www."), 60, sdk.UnitBytes)
}

// bodyHTML is the one place where text becomes markup: package render writes it, and nothing in it runs. Its highest
// headings follow the page's own.
func bodyHTML(b sdk.Body) template.HTML {
	return template.HTML(render.RenderHTML(b, render.HTMLOptions{HeadingShift: 2 - highestHeading(b)})) //nolint:gosec // see above
}

// highestHeading is the lowest level of the headings; 2 when there are none.
func highestHeading(nodes []sdk.Node) int {
	level := 7
	var walk func(nodes []sdk.Node)
	walk = func(nodes []sdk.Node) {
		for i := range nodes {
			if nodes[i].Kind == sdk.NodeHeading {
				level = min(level, nodes[i].Level)
			}
			walk(nodes[i].Children)
		}
	}
	if walk(nodes); level == 7 {
		return 2
	}
	return level
}

// moment is a time as it is shown.
type moment struct {
	// ISO is for programs, with the zone's offset; Text for people; Ago besides it within the hour.
	ISO, Text, Ago string
}

func (v *view) iso(t time.Time) string { return t.In(v.site.zone).Format(time.RFC3339) }

// clock shows a time of day.
func (v *view) clock(t time.Time) moment {
	return moment{ISO: v.iso(t), Text: v.words.Time(t.In(v.site.zone)), Ago: v.ago(t)}
}

// when shows a time of today by itself, and any other with its date.
func (v *view) when(t time.Time) moment {
	local := t.In(v.site.zone)
	m := moment{ISO: v.iso(t), Text: v.words.Text("time.at", "date", v.words.Date(local), "time", v.words.Time(local))}
	if sameDay(local, v.now.In(v.site.zone)) {
		m.Text, m.Ago = v.words.Time(local), v.ago(t)
		v.tick(v.tomorrow())
	}
	return m
}

// full shows a time with its day and zone.
func (v *view) full(t time.Time) moment {
	local := t.In(v.site.zone)
	return moment{ISO: v.iso(t), Ago: v.ago(t),
		Text: v.words.Text("time.full", "day", v.words.Day(local), "time", v.words.Time(local), "zone", i18n.Zone(local))}
}

// event says that something happened to a post, with the date unless it was on the day of its publication.
func (v *view) event(key string, at, published time.Time) moment {
	local := at.In(v.site.zone)
	if sameDay(local, published.In(v.site.zone)) {
		return moment{ISO: v.iso(at), Text: v.words.Text(key, "time", v.words.Time(local))}
	}
	return moment{ISO: v.iso(at), Text: v.words.Text(key+".day", "date", v.words.Date(local), "time", v.words.Time(local))}
}

// ago says how long ago a time of the last hour was, in minutes as clocks show them.
func (v *view) ago(t time.Time) string {
	if v.now.IsZero() {
		return ""
	}
	minute := v.now.Truncate(time.Minute)
	n := int(minute.Sub(t.Truncate(time.Minute)) / time.Minute)
	if n < 0 || n >= 60 {
		return ""
	}
	v.tick(minute.Add(time.Minute))
	if n == 0 {
		return v.words.Text("time.now")
	}
	return v.words.Count("time.minutes", n)
}

// tomorrow is when the next day begins. A day has 23 to 25 hours nearly everywhere: 36 hours after its start lies in the
// next one.
func (v *view) tomorrow() time.Time {
	return scheduler.DayStart(v.site.zone, scheduler.DayStart(v.site.zone, v.now).Add(36*time.Hour))
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// picture is a stored image as it is shown.
type picture struct {
	Src, Srcset, Sizes string
	Alt                string
	// Owner names whom it belongs to, and Credit is the line that says so.
	Owner, Credit string
	Width, Height int
	// Eager loads it at once: it is seen without scrolling.
	Eager bool
	Type  string
}

// Sizes of images, for browsers to choose among the variants. They follow the stylesheet.
const (
	sizesFront = "(min-width: 64em) 24em, (min-width: 42em) 46vw, 92vw"
	sizesLead  = "(min-width: 64em) 44em, (min-width: 48em) 60vw, 92vw"
	sizesCard  = "(min-width: 40em) 14em, 92vw"
	sizesPost  = "(min-width: 46em) 42em, 92vw"
)

// pictures gives the images that are stored, in order.
func (v *view) pictures(list []sdk.Media, most int, sizes string) []*picture {
	var out []*picture
	for _, m := range list {
		f, stored := v.files[m.URL]
		if _, valid := media.ID(f.Name); !stored || !valid || len(out) == most {
			continue
		}
		p := &picture{Src: "/media/" + f.Name, Sizes: sizes, Alt: cut(prose(m.Alt), altLength, altBytes), Width: f.Width, Height: f.Height,
			Type: f.Type}
		if p.Owner = cut(render.Line(m.Credit), creditLength, creditBytes); p.Owner != "" {
			p.Credit = v.words.Text("post.credit", "credit", p.Owner)
		}
		if f.Width > media.SmallWidth {
			p.Srcset = "/media/" + media.SmallName(f.Name) + " " + strconv.Itoa(media.SmallWidth) + "w, " + p.Src + " " + strconv.Itoa(f.Width) + "w"
		}
		out = append(out, p)
	}
	return out
}

// Tall reports whether a picture is higher than wide.
func (p *picture) Tall() bool { return p.Height > p.Width }

// note is a correction, with the time at which it first appeared.
type note struct {
	At   moment
	Text string
	time time.Time
}

// corrections are a post's notes in the order of their appearance. A note repeats in revisions that change something else.
func (v *view) corrections(p *Post) []note {
	var out []note
	last := ""
	for _, r := range p.Revisions {
		text := render.Line(r.Note)
		if text != "" && text != last {
			out = append(out, note{At: v.event("post.corrected", r.At, p.VisibleAt), Text: text, time: r.At})
		}
		last = text
	}
	return out
}

// updated is when a post last changed without saying so in a note; zero when it did not since its last note.
func updated(p *Post, notes []note) time.Time {
	if len(p.Revisions) == 0 {
		return time.Time{}
	}
	last := p.Revisions[len(p.Revisions)-1].At
	if len(notes) > 0 && !last.After(notes[len(notes)-1].time) {
		return time.Time{}
	}
	return last
}

// entry of a digest as it is shown.
type entryView struct {
	*i18n.Catalogue
	Title, Summary, URL, Host string
	Picture                   *picture
}

// card is a post as a list shows it.
type card struct {
	*i18n.Catalogue
	ID, Permalink string
	// Link is where the headline leads: the article, or the post's own page where there is more to read.
	Link string
	// Article is the article's address and Host its site; empty when there is none.
	Article, Host string
	// PostLang is the post's language; empty when unknown.
	PostLang       string
	Title, Summary string
	Picture        *picture
	Time           moment
	// Corrected is the newest correction.
	Corrected *note
	// Gone says when the post was taken back; nothing else is shown of it then.
	Gone    *moment
	Entries []entryView
	// More counts the entries that are not shown.
	More int
	// Whole says that there is more to read on the post's page.
	Whole bool
}

// permalink is the path of a post's page.
func permalink(p *Post) string { return "/c/" + p.Channel + "/" + p.PublicID }

// title is a post's headline; one without a title has the beginning of its text.
func (v *view) title(p *Post) string {
	c := p.Content
	for _, s := range []string{c.Title, c.Summary, render.Render(c.Body, render.Plain)} {
		if t := render.Line(s); t != "" {
			if s != c.Title {
				t = render.CutText(t, titleFromText, graphemes)
			}
			return t
		}
	}
	ch := v.site.config.Channels[p.Channel]
	name, _ := words(ch.Title, v.words.Lang())
	if name == "" {
		return p.Channel
	}
	return name
}

// whole reports whether the full text of a post is shown on its page.
func (v *view) whole(p *Post) bool {
	return len(p.Content.Body) > 0 && (p.Kind == compose.KindEditor || v.site.config.Channels[p.Channel].Content == "full")
}

// repeats reports whether a post's summary says no more than the beginning of its text: an editor's own text is both, and
// many feeds have one description only, of which the summary was made.
func repeats(c compose.Content) bool {
	summary := letters(c.Summary)
	return c.Own || summary != "" && (strings.HasPrefix(letters(textOf(c.Body)), summary) || strings.HasPrefix(letters(render.Render(c.Body, render.Plain)), summary))
}

// textOf is the text of a body without anything that stands for its markup.
func textOf(b sdk.Body) string {
	var text strings.Builder
	for _, n := range b {
		text.WriteString(sdk.PlainText([]sdk.Node{n}))
	}
	return text.String()
}

// letters are the letters and digits of a text: what stays of it however it is set.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

func (v *view) card(p *Post, sizes string) card {
	c := card{Catalogue: v.words, ID: p.PublicID, Permalink: v.href(permalink(p)), PostLang: language(p.Content.Lang), Time: v.clock(p.VisibleAt)}
	if !p.live() {
		gone := v.event("post.gone", p.ChangedAt, p.VisibleAt)
		c.Gone = &gone
		return c
	}
	c.Title = cut(v.title(p), cardTitle, cardTitleBytes)
	if s := prose(p.Content.Summary); s != c.Title {
		c.Summary = cut(s, cardSummary, cardSummaryBytes)
	}
	if c.Article = link(p.Content.URL); c.Article != "" {
		c.Host = hostOf(c.Article)
	}
	c.Link, c.Whole = c.Article, v.whole(p)
	if c.Link == "" || c.Whole || len(p.Content.Entries) > 0 {
		c.Link = c.Permalink
	}
	if pics := v.pictures(p.Content.Media, 1, sizes); len(pics) > 0 {
		c.Picture = pics[0]
	}
	if notes := v.corrections(p); len(notes) > 0 {
		c.Corrected = &notes[len(notes)-1]
		c.Corrected.Text = cut(c.Corrected.Text, cardNote, cardNoteBytes)
	}
	for i, e := range p.Content.Entries {
		if i == cardEntries {
			c.More = len(p.Content.Entries) - i
			break
		}
		c.Entries = append(c.Entries, v.entry(e, ""))
		c.Entries[i].Title = cut(c.Entries[i].Title, cardTitle, cardTitleBytes)
	}
	return c
}

// entry shows an entry of a digest; without sizes, no picture.
func (v *view) entry(e compose.Entry, sizes string) entryView {
	out := entryView{Catalogue: v.words, Title: render.Line(e.Title), Summary: cut(prose(e.Summary), cardSummary, cardSummaryBytes), URL: link(e.URL)}
	if out.Title == "" {
		out.Title = render.CutText(render.Line(e.Summary), titleFromText, graphemes)
	}
	if out.URL != "" {
		out.Host = hostOf(out.URL)
	}
	if sizes != "" {
		if pics := v.pictures(e.Media, 1, sizes); len(pics) > 0 {
			out.Picture = pics[0]
		}
	}
	return out
}

// images are the addresses of the images that posts may show.
func images(posts []Post) []string {
	var out []string
	for i := range posts {
		out = append(out, posts[i].Content.Images()...)
		for _, e := range posts[i].Content.Entries {
			for _, m := range e.Media {
				out = append(out, m.URL)
			}
		}
	}
	return out
}

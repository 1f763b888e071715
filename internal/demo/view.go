package demo

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/internal/i18n"
)

// view is what the page shows to one reader.
type view struct {
	*i18n.Catalogue
	Style, Script string
	Languages     []tongue
	// Channel is the hosted page, Feed its Atom feed, Frame the page as it stands in the window, Address what the window
	// says.
	Channel, Feed, Frame, Address string
	// Command starts the other demonstration.
	Command, Zone string
	Now           string
	Said          string
	// Nothing says that the button before was about something that is gone.
	Nothing bool

	// It is the article that the buttons are about; nil when there is none.
	It       *articleView
	Articles []articleView
	Dark     bool
	// The next article and digest, in Unix milliseconds and as a time of day.
	NextAt, DigestAt       int64
	NextClock, DigestClock string
	Brief                  string

	Act      *Act
	Stations []station
	Cut      *cutView

	Reader *readerView
	// Follow leads to the form by which anybody follows the channel by mail.
	Follow string
	Mails  []mailView
	Letter *mailView
	// Chosen is the mail that the reader of the page chose; empty while the newest is shown.
	Chosen string

	ChatTitle string
	Messages  []bubble
	Endpoint  string
	Events    []eventView

	// Own says that the feed is somebody's own.
	Own                             bool
	OwnAddress, OwnTrouble, OwnLine string
	Unposted                        int
	Waiting                         []articleView
}

type tongue struct {
	Tag, Name string
	Current   bool
}

// articleView is an article as the page shows it.
type articleView struct {
	ID, Language            string
	Title, Summary, Note    string
	Link, Image, Alt, Clock string
	Tags                    []string
	Urgent                  bool
	Gone                    string
	By, Credit, Body, Date  string
}

// station is one place on the way of an act.
type station struct{ Name, Time, State string }

// bubble is a message as a phone draws it.
type bubble struct {
	ID              int64
	Language, Clock string
	HTML            template.HTML
	Photo           *photo
	Edited          bool
}

type photo struct {
	Src           string
	Width, Height int
}

// eventView is a line of the webhook receiver's log.
type eventView struct {
	Key, Clock, Type, Class, Title, Post string
	Revision                             string
}

// cutView is a power cut as it is told.
type cutView struct {
	Phase                 Phase
	Heading, Story, Count string
	// Score has the figures once everything is counted.
	Score   []figure
	Trouble []string
	Unknown []unknownView
}

// figure is a count, and whether it is as it should be.
type figure struct{ Say, Class string }

type unknownView struct {
	Say      string
	Delivery int64
}

// Bounds of what the page shows.
const (
	shownArticles = 9
	shownMessages = 7
	shownEvents   = 9
	shownWaiting  = 12
	// cutShown is how long the result of a cut stays.
	cutShown = 3 * time.Minute
)

func (p *pages) view(r *http.Request) (*view, error) {
	d, c := p.d, words(r)
	e := d.edition(c.Lang())
	now := time.Now().In(d.zone)
	v := &view{Catalogue: c, Style: p.style.path, Script: p.script.path, Channel: "/c/" + e.Channel + "?lang=" + c.Lang(), Feed: "/c/" + e.Channel + "/feed.atom",
		Command: d.command("FEED=", "--feed ", "https://…"), Zone: i18n.Zone(now), Now: now.Format("15:04"), Dark: d.breaker.Busy(), Endpoint: webhookPath,
		Nothing: r.FormValue("nothing") != ""}
	v.Frame = v.Channel
	v.Address = strings.TrimPrefix(d.base, "http://") + "/c/" + e.Channel
	for _, tag := range i18n.Languages() {
		v.Languages = append(v.Languages, tongue{tag, map[string]string{"en": "English", "fr": "Français"}[tag], tag == c.Lang()})
	}
	list, err := d.paper.Live(r.Context(), e.Lang)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		it := v.article(d, list[0])
		v.It = &it
	}
	v.articles(d, e, list)
	if d.own != nil {
		if err := v.ownFeed(r, d); err != nil {
			return nil, err
		}
		v.Command = d.command("", "", "")
	} else {
		v.NextAt = d.nextAt.Load()
		v.NextClock = time.UnixMilli(v.NextAt).In(d.zone).Format("15:04:05")
		v.Brief = "/c/" + e.Digest + "?lang=" + c.Lang()
		if o, ok := d.digests[e.Digest].Next(now); ok {
			v.DigestAt, v.DigestClock = o.At.UnixMilli(), o.At.In(d.zone).Format("15:04")
		}
	}
	v.wire(d, e)
	v.phone(d, e)
	v.reader(d, e)
	v.inbox(d, e, r.FormValue("mail"))
	v.log(d, e)
	v.outage(d)
	v.Said = v.say()
	return v, nil
}

func (v *view) article(d *Demo, a Article) articleView {
	out := articleView{ID: a.ID, Language: a.Language(), Title: a.Title, Summary: a.Summary, Note: a.Note, Link: d.paper.Link(a), Image: a.Image, Alt: a.Picture.Alt,
		Clock: a.Published.In(d.zone).Format("15:04"), Tags: a.Tags, Urgent: a.urgent(), By: a.By, Credit: a.Picture.Credit, Body: a.Text}
	if a.Picture.Name != "" {
		out.Image = "/newsroom/pictures/" + a.Picture.Name + ".jpg"
	}
	if u, err := url.Parse(out.Link); err == nil && strings.HasPrefix(out.Link, d.base+"/") {
		out.Link = u.Path // the reader may have come by another name of this machine
	}
	if !a.Withdrawn.IsZero() {
		out.Gone = a.Withdrawn.In(d.zone).Format("15:04:05")
	}
	return out
}

// Language is the language of an article's words.
func (a Article) Language() string {
	if a.Dialect != "" || a.Lang == ownEdition {
		return a.Dialect
	}
	return a.Lang
}

// articles lists what stands in the feed; one that was just withdrawn stays for a moment, struck out.
func (v *view) articles(d *Demo, e edition, list []Article) {
	if act, ok := d.watch.Last(e.Lang); ok && act.Kind == KindWithdrawn && time.Since(act.At) < 20*time.Second {
		gone := act.Article
		if gone.Withdrawn.IsZero() {
			gone.Withdrawn = act.At
		}
		shown := v.article(d, gone)
		shown.Image, shown.Link = "", ""
		v.Articles = append(v.Articles, shown)
	}
	for _, a := range list[:min(len(list), shownArticles)] {
		v.Articles = append(v.Articles, v.article(d, a))
	}
}

func (v *view) ownFeed(r *http.Request, d *Demo) error {
	st, err := d.own.State(r.Context())
	if err != nil {
		return err
	}
	v.Own, v.OwnAddress, v.OwnTrouble, v.Unposted = true, st.Address, st.Trouble, st.Unposted
	for _, a := range st.Waiting[:min(len(st.Waiting), shownWaiting)] {
		v.Waiting = append(v.Waiting, v.article(d, a))
	}
	switch {
	case st.Trouble != "":
		v.OwnLine = v.Text("demo.own.failed")
	case !st.Read:
		v.OwnLine = v.Text("demo.own.reading")
	case st.Unposted == st.Found:
		v.OwnLine = v.Count("demo.own.found", st.Found)
	default:
		v.OwnLine = v.Count("demo.own.posted", st.Found, "posted", v.Number(st.Found-st.Unposted))
	}
	return nil
}

// wire tells when the last act was where.
func (v *view) wire(d *Demo, e edition) {
	names := []string{v.Text("demo.at.feed"), v.Text("demo.at.page"), v.Text("demo.at.telegram"), v.Text("demo.at.webhook")}
	if d.own != nil {
		names[0] = v.Text("demo.at.released")
	}
	act, ok := d.watch.Last(e.Lang)
	if !ok {
		for _, n := range names {
			v.Stations = append(v.Stations, station{n, "·", "idle"})
		}
		return
	}
	v.Act = &act
	v.Stations = append(v.Stations, station{names[0], act.At.In(d.zone).Format("15:04:05.000"), "there"})
	for i, at := range []time.Time{act.Page, act.Telegram, act.Webhook} {
		s := station{names[i+1], "…", "under-way"}
		switch {
		case !at.IsZero():
			s.Time, s.State = seconds(v.Lang(), max(at.Sub(act.At), 0)), "there"
		case act.Late:
			s.Time, s.State = v.Text("demo.late"), "late"
		}
		v.Stations = append(v.Stations, s)
	}
}

func (v *view) phone(d *Demo, e edition) {
	v.ChatTitle = d.receivers.titles()[strconv.FormatInt(e.Chat, 10)]
	list := d.receivers.Messages(e.Chat)
	for _, m := range list[max(0, len(list)-shownMessages):] {
		b := bubble{ID: m.ID, Clock: m.Date.In(d.zone).Format("15:04"), Edited: !m.Edited.IsZero(),
			// The stand-in writes this HTML itself from what it parsed, as Telegram's own applications do.
			HTML: template.HTML(m.HTML)} //nolint:gosec // see above
		if e.Lang != ownEdition {
			b.Language = e.Lang
		}
		if m.Photo != nil {
			b.Photo = &photo{"/demo" + m.Photo.Path, m.Photo.Width, m.Photo.Height}
		}
		v.Messages = append(v.Messages, b)
	}
}

func (v *view) log(d *Demo, e edition) {
	for _, x := range d.receivers.Events(shownEvents, func(p receivertest.Post) bool { return p.Channel == e.Channel }) {
		out := eventView{Key: x.ID, Clock: x.At.In(d.zone).Format("15:04:05.000"), Type: x.Type, Class: strings.TrimPrefix(x.Type, "post."), Title: x.Title,
			Post: x.Event.Post, Revision: fmt.Sprint(x.Revision)}
		if out.Title == "" {
			out.Title = x.Post.Title
		}
		if x.Revision == 0 {
			out.Revision = fmt.Sprint(x.Post.Revision)
		}
		v.Events = append(v.Events, out)
	}
}

// outage tells the latest power cut.
func (v *view) outage(d *Demo) {
	c := d.breaker.Last()
	if c == nil || c.Phase == PhaseCounted && time.Since(c.Back) > cutShown && len(c.Audit.Unknown) == 0 {
		return
	}
	out := &cutView{Phase: c.Phase, Heading: v.Text("demo.cut.heading." + string(c.Phase))}
	burst := v.Count("demo.cut.burst", len(c.Burst))
	switch c.Phase {
	case PhaseWriting:
		out.Story = v.Text("demo.cut.story.writing")
	case PhaseDark:
		out.Story = v.Text("demo.cut.story.dark", "time", c.Killed.In(d.zone).Format("15:04:05.000"), "burst", burst, "before", v.Number(c.Before), "calls", v.Number(c.Calls))
	case PhaseCounting, PhaseCounted:
		out.Story = v.Text("demo.cut.story.back", "time", c.Killed.In(d.zone).Format("15:04:05.000"), "burst", burst, "before", v.Number(c.Before), "calls", v.Number(c.Calls),
			"away", strings.TrimPrefix(seconds(v.Lang(), c.Back.Sub(c.Killed)), "+"))
		v.score(out, c, d.receivers.titles())
	case PhaseFailed:
		out.Story = c.Trouble
	}
	v.Cut = out
}

// score tells what was counted.
func (v *view) score(out *cutView, c *Cut, chats map[string]string) {
	a := c.Audit
	if a.Articles == 0 {
		return
	}
	out.Count = v.Text("demo.cut.count", "articles", v.Count("demo.articles", a.Articles), "copies", v.Number(a.Copies))
	if a.Repeats > 0 {
		out.Count += " " + v.Count("demo.cut.repeats", a.Repeats)
	}
	if a.Open > 0 {
		out.Count += " " + v.Count("demo.cut.open", a.Open)
	}
	if c.Phase != PhaseCounted {
		return
	}
	out.Score = append(out.Score, figureOf(v.Count("demo.lost", len(a.Lost)), len(a.Lost), "wrong"),
		figureOf(v.Count("demo.doubled", len(a.Doubled)), len(a.Doubled), "wrong"))
	for _, f := range a.Lost {
		out.Trouble = append(out.Trouble, v.Text("demo.lost.which", "title", f.Title, "place", v.Text("demo.at."+f.Place)))
	}
	for _, f := range a.Doubled {
		out.Trouble = append(out.Trouble, v.Text("demo.doubled.which", "title", f.Title, "place", v.Text("demo.at."+f.Place)))
	}
	if n := len(a.Unknown); n > 0 {
		out.Score = append(out.Score, figureOf(v.Count("demo.unknown", n), n, "open"))
	}
	for _, f := range a.Unknown {
		out.Unknown = append(out.Unknown, unknownView{v.Text("demo.unknown.which", "title", f.Title, "chat", chats[f.Chat]), f.Delivery})
	}
}

func figureOf(say string, n int, class string) figure {
	if n == 0 {
		class = "fine"
	}
	return figure{say, class}
}

// say is what a screen reader is told when something happened.
func (v *view) say() string {
	if c := v.Cut; c != nil && (len(c.Score) > 0 || c.Phase == PhaseDark) {
		said := []string{c.Heading}
		for _, f := range c.Score {
			said = append(said, f.Say)
		}
		return strings.Join(said, ", ")
	}
	if v.Act == nil || !v.Act.Done() {
		return ""
	}
	return v.Text("demo.kind."+string(v.Act.Kind)) + " " + v.Act.Article.Title
}

// index lists the newspaper's articles.
func (p *pages) index(w http.ResponseWriter, r *http.Request) {
	c := words(r)
	list, err := p.d.paper.Live(r.Context(), "")
	if err != nil {
		http.Error(w, "The newspaper cannot be read right now; try again in a moment.", http.StatusServiceUnavailable)
		return
	}
	page := p.sheet(c)
	page.Heading = "La Gazette de Port-Ermine"
	v := &view{Catalogue: c}
	for _, a := range list {
		page.List = append(page.List, v.article(p.d, a))
	}
	p.write(w, http.StatusOK, "article", page)
}

// sheet is a page of the newspaper.
type sheet struct {
	*i18n.Catalogue
	Style, Heading, Say string
	Story               *articleView
	List                []articleView
}

func (p *pages) sheet(c *i18n.Catalogue) sheet { return sheet{Catalogue: c, Style: p.style.path} }

// article shows one article, or says that it was withdrawn.
func (p *pages) article(w http.ResponseWriter, r *http.Request) {
	a, ok := p.d.newsroom.Article(r.PathValue("lang") + "/" + r.PathValue("slug"))
	page := p.sheet(i18n.For(r.PathValue("lang")))
	switch {
	case !ok:
		page.Heading, page.Say = page.Text("demo.paper.404"), page.Text("demo.paper.404.text")
		p.write(w, http.StatusNotFound, "article", page)
	case !a.Withdrawn.IsZero():
		page.Heading, page.Say = page.Text("demo.paper.410"), page.Text("demo.paper.410.text")
		p.write(w, http.StatusGone, "article", page)
	default:
		v := (&view{Catalogue: page.Catalogue}).article(p.d, a)
		v.Date = page.Text("time.at", "date", page.Date(a.Published.In(p.d.zone)), "time", page.Time(a.Published.In(p.d.zone)))
		page.Heading, page.Story = a.Title, &v
		p.write(w, http.StatusOK, "article", page)
	}
}

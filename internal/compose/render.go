package compose

import (
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
)

// Revision is one stored revision of a post with what rendering needs besides its content.
type Revision struct {
	PublicID string
	Channel  string
	Number   int
	Content  Content
	// Published is when the channel published the post, At when this revision was made.
	Published, At time.Time
}

// Files finds the stored copies of images by the addresses at which the source publishes them.
type Files map[string]sdk.File

// permalink is the hosted page of a post; empty when the site has no address.
func (p *Program) permalink(channel, publicID string) string {
	if p.Site.URL == "" {
		return ""
	}
	return fmt.Sprintf("%s/c/%s/%s", strings.TrimSuffix(p.Site.URL, "/"), channel, publicID)
}

// Post makes a revision ready for one target of its channel: links with their campaign, images with their files, the
// text by the target's template. A channel or target that is no longer configured is rendered with the defaults, so that
// corrections still travel.
func (p *Program) Post(r Revision, destination, chat string, files Files) (sdk.Post, error) {
	ch, target := p.target(r.Channel, destination, chat)
	return p.post(ch, target, r, files)
}

// Message makes a revision ready for the followers whom a destination writes to.
func (p *Program) Message(r Revision, destination string, files Files) (sdk.Post, error) {
	ch, target := p.target(r.Channel, "", "")
	for _, m := range ch.messages {
		if m.Config.Destination == destination {
			target = m
		}
	}
	return p.post(ch, target, r, files)
}

// PersonalDigest makes the digest of some posts of a channel, for those who get just these.
func (p *Program) PersonalDigest(channel string, posts []Revision, at time.Time) (Content, sdk.Post, error) {
	ch, target := p.target(channel, "", "")
	var entries []Entry
	for _, r := range posts {
		c := r.Content
		e := Entry{Title: c.Title, Summary: c.Summary, URL: c.URL, Tags: c.Tags, Authors: c.Authors, Published: r.Published}
		if link := p.permalink(r.Channel, r.PublicID); e.URL == "" {
			e.URL = link
		}
		entries = append(entries, e)
	}
	content := digestContent(ch.Lang, p.digestTitle(ch, entries, at), entries)
	if ch.Config.Digest == nil {
		t, err := CompileTemplate(DefaultDigest)
		if err != nil {
			return content, sdk.Post{}, err
		}
		target.template = t
	}
	post, err := p.post(ch, target, Revision{Channel: channel, Number: 1, Content: content, Published: at, At: at}, nil)
	post.Permalink = ""
	return content, post, err
}

func (p *Program) post(ch *Channel, target Target, r Revision, files Files) (sdk.Post, error) {
	c := r.Content
	link := addCampaign(c.URL, ch.campaign(target))
	post := sdk.Post{ID: r.PublicID, Revision: r.Number, Channel: r.Channel, ChannelTitle: ch.Config.Title.In(c.Lang), Lang: c.Lang,
		Title: c.Title, Summary: c.Summary, URL: link, Permalink: p.permalink(r.Channel, r.PublicID), Authors: c.Authors, Tags: c.Tags,
		Published: r.Published.UTC(), Updated: r.At.UTC(), Correction: c.Note, State: sdk.PostLive, Overflow: sdk.Overflow(target.Config.Overflow)}
	for _, e := range c.Entries {
		post.Items = append(post.Items, sdk.PostItem{Key: fmt.Sprint(e.Item), Title: e.Title, Summary: e.Summary,
			URL: addCampaign(e.URL, ch.campaign(target)), Published: e.Published})
	}
	if c.Withdrawn {
		post.State = sdk.PostWithdrawn
		post.Title, post.Summary, post.URL, post.Items, post.Authors, post.Tags = "", "", "", nil, nil, nil
		post.Body = sdk.Body{sdk.Paragraph(sdk.Text(i18n.For(c.Lang).Text("post.withdrawn")))}
		post.Content = post.Body
		return post, nil
	}
	post.Content = c.Body
	if len(post.Content) == 0 && c.Summary != "" {
		post.Content = sdk.Body{sdk.Paragraph(sdk.Text(c.Summary))}
	}
	for _, m := range c.Media {
		if f, stored := files[m.URL]; stored && len(post.Media) < target.most() {
			m.File, m.Type, m.Width, m.Height = f, f.Type, f.Width, f.Height
			m.URL = ""
			if p.Site.URL != "" {
				m.URL = strings.TrimSuffix(p.Site.URL, "/") + "/media/" + f.Name
			}
			post.Media = append(post.Media, m)
		}
	}
	template, data := target.template, p.data(ch, r, post)
	var own *written
	if c.Own {
		if template.names("Items") && len(c.Entries) == 0 {
			template = fallbackTemplate() // a digest's template has no place for a text
		}
		own = &written{text: strings.TrimSpace(c.Summary), body: c.Body}
		data["Text"], data["Summary"] = value(own.text), value(own.text)
		if template.names("Text") {
			data["Summary"] = value("") // the text stands once
		}
	}
	body, err := template.execute(data, own)
	if err != nil {
		return sdk.Post{}, &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeTemplate, Op: "render", Public: err.Error(), Err: err}
	}
	post.Body = body
	return post, nil
}

// Variant is in what the posts of two targets of a channel can differ: with equal ones, Post makes the same of a revision
// and its files. Whatever else of a target Post looks at has to stand here too.
type Variant struct {
	program  *Program
	template *Template
	campaign campaign
	overflow string
	media    int
}

// Variant gives the variant of a target.
func (p *Program) Variant(channel, destination, chat string) Variant {
	ch, target := p.target(channel, destination, chat)
	return Variant{program: p, template: target.template, campaign: ch.campaign(target), overflow: target.Config.Overflow, media: target.most()}
}

// most is how many images a post to the target has.
func (t Target) most() int {
	if t.Config.Destination == "" {
		return 1
	}
	return t.Config.Media
}

// Reply makes the post that answers a copy which cannot be edited: the correction's note, or that it was withdrawn.
func (p *Program) Reply(r Revision, destination, chat string) sdk.Post {
	ch, target := p.target(r.Channel, destination, chat)
	words := i18n.For(r.Content.Lang)
	post := sdk.Post{ID: r.PublicID, Revision: r.Number, Channel: r.Channel, ChannelTitle: ch.Config.Title.In(r.Content.Lang), Lang: r.Content.Lang,
		Permalink: p.permalink(r.Channel, r.PublicID), Published: r.Published.UTC(), Updated: r.At.UTC(), State: sdk.PostLive,
		Overflow: sdk.OverflowCut}
	if r.Content.Withdrawn {
		post.Body = sdk.Body{sdk.Paragraph(sdk.Text(words.Text("post.withdrawn")))}
		return post
	}
	post.Title, post.Correction = r.Content.Title, r.Content.Note
	post.URL = addCampaign(r.Content.URL, ch.campaign(target))
	post.Body = sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(words.Text("post.correction"))), sdk.Text(" "+r.Content.Note))}
	if post.URL != "" {
		post.Body = append(post.Body, sdk.Paragraph(sdk.Link(post.URL, sdk.Text(post.URL))))
	}
	return post
}

// target finds a channel and target, or what stands for them when they are not configured any more.
func (p *Program) target(channel, destination, chat string) (*Channel, Target) {
	ch, ok := p.Channels[channel]
	if !ok {
		ch = &Channel{Name: channel, Lang: p.Site.Lang, template: fallbackTemplate()}
		ch.Config.SetDefaults()
		ch.Config.Title = configs.Localized{"": channel}
	}
	for _, t := range ch.Targets {
		if t.Config.Destination == destination && t.Config.Chat == chat {
			return ch, t
		}
	}
	t := Target{template: ch.template}
	t.Config.SetDefaults()
	t.Config.Destination, t.Config.Chat = destination, chat
	return ch, t
}

func fallbackTemplate() *Template {
	t, err := CompileTemplate(DefaultEach)
	if err != nil {
		panic("compose: the default template does not compile: " + err.Error())
	}
	return t
}

func (ch *Channel) campaign(t Target) campaign {
	u := ch.Config.UTM
	if t.Config.UTM != nil {
		u = *t.Config.UTM
	}
	return campaign{u.Source, u.Medium, u.Campaign}
}

// Corrections are the ladders of the channel, or the defaults when it is not configured any more.
func (p *Program) Corrections(channel string) configs.Corrections {
	if ch, ok := p.Channels[channel]; ok {
		return ch.Config.Corrections
	}
	var c configs.Corrections
	c.SetDefaults()
	return c
}

// data is what a template sees.
func (p *Program) data(ch *Channel, r Revision, post sdk.Post) map[string]any {
	c := r.Content
	d := map[string]any{
		"Title": value(c.Title), "Summary": value(c.Summary), "Text": value(strings.TrimSpace(textOf(post.Content))),
		"URL": address(post.URL), "Permalink": address(post.Permalink), "Lang": value(c.Lang), "Channel": value(post.ChannelTitle),
		"Correction": value(c.Note), "Credit": value(credit(post.Media)), "Count": len(c.Entries),
		"Published": stamp{local(c.Published, p.Zone)}, "Updated": stamp{local(r.At, p.Zone)}, "Now": stamp{local(r.At, p.Zone)},
		"Tags": values(c.Tags), "Hashtags": hashtags(c.Tags, ch.Config.Hashtags), "Authors": authors(c.Authors),
	}
	items := []map[string]any{}
	for i, e := range c.Entries {
		items = append(items, map[string]any{"Title": value(e.Title), "Summary": value(e.Summary), "URL": address(post.Items[i].URL),
			"Tags": values(e.Tags), "Authors": authors(e.Authors), "Published": stamp{local(e.Published, p.Zone)}})
	}
	if len(c.Entries) == 0 {
		items = append(items, map[string]any{"Title": d["Title"], "Summary": d["Summary"], "URL": d["URL"], "Tags": d["Tags"],
			"Authors": d["Authors"], "Published": d["Published"]})
		d["Count"] = 1
	}
	d["Items"] = items
	return d
}

func local(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

func textOf(b sdk.Body) string {
	var parts []string
	for _, n := range b {
		parts = append(parts, sdk.PlainText([]sdk.Node{n}))
	}
	return strings.Join(parts, "\n\n")
}

func values(list []string) []value {
	out := make([]value, len(list))
	for i, s := range list {
		out[i] = value(s)
	}
	return out
}

func authors(list []sdk.Author) []map[string]any {
	out := []map[string]any{}
	for _, a := range list {
		out = append(out, map[string]any{"Name": value(a.Name), "URL": address(a.URL)})
	}
	return out
}

func hashtags(tags []string, most int) []value {
	var out []value
	for _, t := range tags {
		if h := hashtag(t); h != "" && len(out) < most {
			out = append(out, value(h))
		}
	}
	return out
}

func credit(media []sdk.Media) string {
	for _, m := range media {
		if m.Credit != "" {
			return m.Credit
		}
	}
	return ""
}

// sampleData is what a template is tried on: everything filled in, or only what every post has.
func sampleData(full bool) map[string]any {
	c := Content{Lang: "en", Title: "Title"}
	post := sdk.Post{ChannelTitle: "Channel"}
	if full {
		at := time.Date(2026, 11, 20, 7, 12, 0, 0, time.UTC)
		c = Content{Lang: "en", Title: "Title", Summary: "Summary", URL: "https://news.example/a", Tags: []string{"Tag"}, Note: "Note",
			Authors: []sdk.Author{{Name: "Author"}}, Published: at,
			Entries: []Entry{{Title: "First", Summary: "Summary", URL: "https://news.example/1", Tags: []string{"Tag"}, Published: at}, {Title: "Second"}}}
		post = sdk.Post{URL: c.URL, Permalink: "https://news.example/c/x/1", ChannelTitle: "Channel",
			Items: []sdk.PostItem{{URL: "https://news.example/1"}, {}}, Media: []sdk.Media{{Credit: "Credit"}}}
	}
	p := &Program{Zone: time.UTC}
	return p.data(&Channel{Config: configs.Channel{Hashtags: 3}}, Revision{Content: c}, post)
}

// Title makes the title of a digest.
func (p *Program) digestTitle(ch *Channel, entries []Entry, at time.Time) string {
	if ch.title != nil {
		r := Revision{Content: Content{Lang: ch.Lang, Entries: entries}, At: at, Channel: ch.Name}
		post := sdk.Post{ChannelTitle: ch.Config.Title.In(ch.Lang), Items: make([]sdk.PostItem, len(entries))}
		if line, err := ch.title.ExecuteLine(p.data(ch, r, post)); err == nil && line != "" {
			return line
		}
	}
	words := i18n.For(ch.Lang)
	return words.Text("digest.title", "title", ch.Config.Title.In(ch.Lang), "date", words.Date(at.In(p.Zone)))
}

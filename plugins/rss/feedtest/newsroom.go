package feedtest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Channel describes a newsroom's feed.
type Channel struct {
	Title, Link, Description, Lang string
	Updated                        time.Time
}

// Article is one article as a newsroom's system knows it.
type Article struct {
	// ID is the guid.
	ID, Title, Link, Summary string
	// HTML is the full text; empty for none.
	HTML      string
	Author    string
	Tags      []string
	Lang      string
	Image     string
	ImageAlt  string
	Credit    string
	Published time.Time
	Updated   time.Time
	NotBefore time.Time
	Urgency   int
	// Correction is the note on the last change.
	Correction string
}

// Newsroom holds articles and writes them as a feed, newest first.
type Newsroom struct {
	Channel  Channel
	articles []Article
	removed  []tombstone
}

type tombstone struct {
	id, why string
	at      time.Time
}

// Publish adds an article, or replaces the one with its ID.
func (n *Newsroom) Publish(a Article) {
	n.articles = slices.DeleteFunc(n.articles, func(old Article) bool { return old.ID == a.ID })
	n.articles = append(n.articles, a)
	slices.SortStableFunc(n.articles, func(a, b Article) int { return b.Published.Compare(a.Published) })
	n.touch(a.Published, a.Updated)
}

// Withdraw takes an article away and leaves a tombstone.
func (n *Newsroom) Withdraw(id, why string, at time.Time) {
	n.articles = slices.DeleteFunc(n.articles, func(old Article) bool { return old.ID == id })
	n.removed = append(n.removed, tombstone{id, why, at})
	n.touch(at)
}

// Keep lets all but the newest articles and tombstones slide off the end of the feed.
func (n *Newsroom) Keep(newest int) {
	n.articles = n.articles[:min(len(n.articles), newest)]
	n.removed = n.removed[max(0, len(n.removed)-newest):]
}

func (n *Newsroom) touch(times ...time.Time) {
	for _, t := range times {
		if t.After(n.Channel.Updated) {
			n.Channel.Updated = t
		}
	}
}

// Articles gives what is published, newest first.
func (n *Newsroom) Articles() []Article { return slices.Clone(n.articles) }

// text escapes character data of XML.
func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}

type writer struct{ strings.Builder }

func (w *writer) f(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// element writes an element unless its text is empty.
func (w *writer) element(name, value string) {
	if value != "" {
		w.f("<%s>%s</%s>", name, text(value), name)
	}
}

// own writes what both XML forms share.
func (w *writer) own(a Article) {
	if a.Image != "" {
		w.f(`<media:content url="%s" medium="image">`, text(a.Image))
		w.element("media:description", a.ImageAlt)
		w.element("media:credit", a.Credit)
		w.f("</media:content>")
	}
	w.element("belfry:correction", a.Correction)
	if a.Urgency > 0 {
		w.f("<belfry:urgency>%d</belfry:urgency>", a.Urgency)
	}
	if !a.NotBefore.IsZero() {
		w.element("belfry:not-before", a.NotBefore.Format(time.RFC3339))
	}
}

func (w *writer) tombstones(n *Newsroom) {
	for _, t := range n.removed {
		w.f(`<at:deleted-entry ref="%s" when="%s"><at:comment>%s</at:comment></at:deleted-entry>`, text(t.id), t.at.Format(time.RFC3339), text(t.why))
	}
}

const namespaces = ` xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"` +
	` xmlns:media="http://search.yahoo.com/mrss/" xmlns:at="http://purl.org/atompub/tombstones/1.0" xmlns:belfry="urn:belfry:feed:1"`

// RSS writes the feed as RSS 2.0.
func (n *Newsroom) RSS() []byte {
	var w writer
	w.f(`<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"%s xmlns:atom="http://www.w3.org/2005/Atom"><channel>`, namespaces)
	w.element("title", n.Channel.Title)
	w.element("link", n.Channel.Link)
	w.element("description", n.Channel.Description)
	w.element("language", n.Channel.Lang)
	if !n.Channel.Updated.IsZero() {
		w.element("lastBuildDate", n.Channel.Updated.Format(time.RFC1123Z))
	}
	w.tombstones(n)
	for _, a := range n.articles {
		w.f("\n<item>")
		w.element("title", a.Title)
		w.element("link", a.Link)
		w.f(`<guid isPermaLink="false">%s</guid>`, text(a.ID))
		w.element("description", a.Summary)
		w.element("content:encoded", a.HTML)
		w.element("dc:creator", a.Author)
		w.element("dc:language", a.Lang)
		for _, tag := range a.Tags {
			w.element("category", tag)
		}
		if !a.Published.IsZero() {
			w.element("pubDate", a.Published.Format(time.RFC1123Z))
		}
		if !a.Updated.IsZero() {
			w.element("atom:updated", a.Updated.Format(time.RFC3339))
		}
		w.own(a)
		w.f("</item>")
	}
	w.f("\n</channel></rss>\n")
	return []byte(w.String())
}

// Atom writes the feed as Atom 1.0.
func (n *Newsroom) Atom() []byte {
	var w writer
	w.f(`<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"%s xml:lang="%s">`, namespaces, text(n.Channel.Lang))
	w.element("title", n.Channel.Title)
	w.element("subtitle", n.Channel.Description)
	w.element("id", n.Channel.Link)
	w.element("updated", n.Channel.Updated.Format(time.RFC3339))
	w.f(`<link rel="alternate" type="text/html" href="%s"/>`, text(n.Channel.Link))
	w.tombstones(n)
	for _, a := range n.articles {
		lang := ""
		if a.Lang != "" {
			lang = fmt.Sprintf(` xml:lang="%s"`, text(a.Lang))
		}
		w.f("\n<entry%s>", lang)
		w.element("title", a.Title)
		w.element("id", a.ID)
		w.f(`<link rel="alternate" type="text/html" href="%s"/>`, text(a.Link))
		if a.Summary != "" {
			w.f(`<summary type="html">%s</summary>`, text(a.Summary))
		}
		if a.HTML != "" {
			w.f(`<content type="html">%s</content>`, text(a.HTML))
		}
		if a.Author != "" {
			w.f("<author><name>%s</name></author>", text(a.Author))
		}
		for _, tag := range a.Tags {
			w.f(`<category term="%s"/>`, text(tag))
		}
		w.element("published", a.Published.Format(time.RFC3339))
		updated := a.Updated
		if updated.IsZero() {
			updated = a.Published
		}
		w.element("updated", updated.Format(time.RFC3339))
		w.own(a)
		w.f("</entry>")
	}
	w.f("\n</feed>\n")
	return []byte(w.String())
}

// JSON writes the feed as JSON Feed 1.1.
func (n *Newsroom) JSON() []byte {
	type object = map[string]any
	put := func(o object, name, value string) {
		if value != "" {
			o[name] = value
		}
	}
	items := []object{}
	for _, a := range n.articles {
		it, own := object{"id": a.ID}, object{}
		for name, value := range map[string]string{"url": a.Link, "title": a.Title, "summary": a.Summary, "content_html": a.HTML,
			"image": a.Image, "language": a.Lang} {
			put(it, name, value)
		}
		if a.HTML == "" {
			it["content_text"] = a.Summary
		}
		if a.Author != "" {
			it["authors"] = []object{{"name": a.Author}}
		}
		if len(a.Tags) > 0 {
			it["tags"] = a.Tags
		}
		for name, t := range map[string]time.Time{"date_published": a.Published, "date_modified": a.Updated} {
			if !t.IsZero() {
				it[name] = t.Format(time.RFC3339)
			}
		}
		put(own, "correction", a.Correction)
		if a.Urgency > 0 {
			own["urgency"] = a.Urgency
		}
		if !a.NotBefore.IsZero() {
			own["not-before"] = a.NotBefore.Format(time.RFC3339)
		}
		if len(own) > 0 {
			it["_belfry"] = own
		}
		items = append(items, it)
	}
	top := object{"version": "https://jsonfeed.org/version/1.1", "title": n.Channel.Title, "items": items}
	put(top, "home_page_url", n.Channel.Link)
	put(top, "description", n.Channel.Description)
	put(top, "language", n.Channel.Lang)
	if len(n.removed) > 0 {
		removed := []object{}
		for _, t := range n.removed {
			removed = append(removed, object{"id": t.id, "at": t.at.Format(time.RFC3339), "reason": t.why})
		}
		top["_belfry"] = object{"removed": removed}
	}
	out, err := json.MarshalIndent(top, "", " ")
	if err != nil {
		panic("feedtest: a feed that cannot be written: " + err.Error())
	}
	return out
}

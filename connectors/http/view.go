package http

import (
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// View is what a body template sees of a post. Every field is plain text unless its name says otherwise.
type View struct {
	ID, Channel, ChannelTitle, Lang string
	Revision                        int
	// To is what chat: says in the channel's publish_to; empty when it says nothing.
	To                             string
	Title, Summary, URL, Permalink string
	// Text is the text to post, and Content the article's own, both in the form of markup:.
	Text, Content      string
	Authors            []ViewAuthor
	Tags               []string
	Media              []ViewMedia
	Items              []ViewItem
	Published, Updated time.Time
	Correction         string
	Withdrawn          bool
}

// ViewAuthor is an author.
type ViewAuthor struct{ Name, URL string }

// ViewMedia is a picture or another medium, on Belfry's own origin.
type ViewMedia struct {
	URL, Type, Alt, Credit string
	Width, Height          int
}

// ViewItem is an item of a digest.
type ViewItem struct {
	Key, Title, Summary, URL string
	Published                time.Time
}

// CallView is what the templates of update and delete see.
type CallView struct {
	// Ref is the receiver's name for the post. In an address it is escaped already.
	Ref string
	// Sent is what the body would be for a new post: the fields of JSON or of a form, or the plain text. Only in update.
	Sent any
}

func viewOf(to sdk.ChannelRef, p sdk.Post, text, content string) View {
	v := View{
		ID: p.ID, Channel: p.Channel, ChannelTitle: p.ChannelTitle, Lang: p.Lang, Revision: p.Revision, To: string(to.State),
		Title: p.Title, Summary: p.Summary, URL: p.URL, Permalink: p.Permalink,
		Text: text, Content: content, Tags: p.Tags,
		Published: p.Published.UTC(), Updated: p.Updated.UTC(), Correction: p.Correction,
		Withdrawn: p.State == sdk.PostWithdrawn,
	}
	for _, a := range p.Authors {
		v.Authors = append(v.Authors, ViewAuthor(a))
	}
	for _, m := range p.Media {
		width, height := m.Width, m.Height
		if m.File.Width > 0 {
			width, height = m.File.Width, m.File.Height
		}
		v.Media = append(v.Media, ViewMedia{URL: m.URL, Type: m.Type, Alt: m.Alt, Credit: m.Credit, Width: width,
			Height: height})
	}
	for _, i := range p.Items {
		v.Items = append(v.Items, ViewItem{Key: i.Key, Title: i.Title, Summary: i.Summary, URL: i.URL,
			Published: i.Published.UTC()})
	}
	return v
}

// sample is a post every text of which is s, for trying templates.
func sample(s string) View {
	at := time.Date(2026, time.November, 20, 7, 0, 0, 0, time.UTC)
	return View{
		ID: s, Channel: s, ChannelTitle: s, Lang: s, Revision: 2, To: s, Title: s, Summary: s, URL: s, Permalink: s,
		Text: s, Content: s,
		Authors: []ViewAuthor{{s, s}, {s, s}}, Tags: []string{s, s},
		Media: []ViewMedia{{s, s, s, s, 1200, 800}, {s, s, s, s, 0, 0}},
		Items: []ViewItem{{s, s, s, s, at}, {s, s, s, s, at}}, Published: at, Updated: at, Correction: s,
	}
}

// benign is the text of the sample that nothing is wrong with; hostile texts try to break out of JSON, forms, quotes and
// lines. None of them is empty, so that conditions go the same way for all.
const benign = "sample"

var hostile = []string{
	`"`, `\`, `'`, "`", "\n", "\r\n", "\t", "\x00", "\u2028", "\ufeff", "\xff", "&", "=", "+", "%", "%zz", ";", "#", ",",
	":", "}", "]", "{{", "}}",
	`","admin":true,"x":"`, `"}],"x":[{"y":"`, `&admin=true&x=`, "\r\nX-Admin: true\r\n\r\n", `</script><!--`, "null",
	"true", "1",
	"\U0001F469\u200D\U0001F469\u200D\U0001F466", "\u202Etxt", "@all",
}

// hostileFew are enough to see whether a text can break out.
var hostileFew = []string{`"`, `,"admin":true`, `","admin":true,"x":"`, "&admin=true&x=", "\n"}

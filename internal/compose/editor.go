package compose

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Draft is what an editor wrote. Text is Markdown; HTML in it is text like any other.
type Draft struct {
	Title, Text string
	// Link is the address of the article, if there is one.
	Link string
	// Lang is the language; empty for the channel's.
	Lang string
	// Image as it is recorded in the store; a zero URL means that there is none.
	Image sdk.Media
}

// longestTitle is up to which length a first paragraph becomes the title of a text that has none, in grapheme clusters.
const longestTitle = 120

// Write makes the content of a post from a draft. The words of a text without a title are not repeated: a short first
// paragraph becomes the title and leaves the text. An error says what is wrong with the draft.
func (ch *Channel) Write(d Draft, now time.Time) (Content, error) {
	c := Content{Lang: d.Lang, Published: now.UTC()}
	if c.Lang == "" {
		c.Lang = ch.Lang
	}
	r := Redraft{Link: &d.Link, Text: &d.Text}
	if d.Title != "" {
		r.Title = &d.Title
	}
	c.Derived = d.Title == ""
	if d.Image.URL != "" {
		r.Image = &d.Image
	}
	c, err := r.apply(c)
	if err != nil {
		return c, err
	}
	if c.Title == "" {
		return c, errors.New("there is neither a title nor a text")
	}
	return c, nil
}

// titleFromText takes the first paragraph or heading for the title when it is short, and its beginning when it is not. A
// text that is corrected later gives the title anew: the old one would stand over the new text.
func (c *Content) titleFromText() {
	c.Title = ""
	if len(c.Body) == 0 {
		return
	}
	first := strings.Join(strings.Fields(render.Render(c.Body[:1], render.Plain)), " ")
	kind := c.Body[0].Kind
	if (kind == sdk.NodeParagraph || kind == sdk.NodeHeading) && render.Count(first, sdk.UnitGraphemes) <= longestTitle {
		c.Title = first
		c.Body = c.Body[1:]
		c.Summary = render.Render(c.Body, render.Plain)
		if len(c.Body) == 0 {
			c.Body = nil
		}
		return
	}
	c.Title = render.CutText(first, 80, sdk.UnitGraphemes)
}

// Redraft is what an editor changes about a post; nil leaves what is there.
type Redraft struct {
	Title, Text, Link, Note *string
	// Image replaces the images; one without an address takes them away.
	Image *sdk.Media
	// Alt and Credit change the words of the first image.
	Alt, Credit *string
}

// Revise makes the next revision's content of a post. An error says why the post cannot be changed like that.
func (r Redraft) Revise(p PostKind, status PostStatus, c Content) (Content, error) {
	switch {
	case status == PostRetracted:
		return c, errors.New("it was retracted, and stays so")
	case status == PostWithdrawn:
		return c, errors.New("its source withdrew it; it comes back when the source shows it again")
	case p == KindDigest && (r.Text != nil || r.Link != nil || r.Image != nil || r.Alt != nil || r.Credit != nil):
		return c, errors.New("it is a digest: its entries follow their items, and only its title and note can be changed")
	case r == (Redraft{}):
		return c, errors.New("nothing would change")
	}
	before := c
	c, err := r.apply(c)
	if err != nil {
		return before, err
	}
	if c.Title == "" {
		return before, errors.New("a post needs a title")
	}
	if sameContent(before, c) {
		return before, errors.New("it says that already")
	}
	return c, nil
}

func (r Redraft) apply(c Content) (Content, error) {
	if r.Title != nil {
		c.Title, c.Derived = render.Line(*r.Title), false
		if len(c.Title) > sdk.MaxTitle {
			return c, fmt.Errorf("the title has %d bytes; at most %d are possible", len(c.Title), sdk.MaxTitle)
		}
	}
	if r.Text != nil {
		body, err := readText(*r.Text)
		if err != nil {
			return c, err
		}
		c.Body, c.Summary, c.Own = body, render.Render(body, render.Plain), true
		if len(c.Summary) > sdk.MaxSummary {
			return c, fmt.Errorf("the text has %d bytes; at most %d are possible", len(c.Summary), sdk.MaxSummary)
		}
		if c.Derived {
			c.titleFromText()
		}
	}
	if r.Link != nil {
		c.URL = ""
		if *r.Link != "" {
			link, err := sdk.CheckLink(*r.Link)
			if err != nil || strings.HasPrefix(link, "mailto:") {
				return c, fmt.Errorf("%q is no address of an article; write it like https://news.example/article", *r.Link)
			}
			c.URL = link
		}
	}
	if r.Image != nil {
		c.Media = nil
		if r.Image.URL != "" {
			c.Media = []sdk.Media{*r.Image}
		}
	}
	if r.Alt != nil || r.Credit != nil {
		if len(c.Media) == 0 {
			return c, errors.New("it has no picture to describe")
		}
		c.Media = slices.Clone(c.Media)
		if r.Alt != nil {
			c.Media[0].Alt = render.Line(*r.Alt)
		}
		if r.Credit != nil {
			c.Media[0].Credit = render.Line(*r.Credit)
		}
	}
	if r.Note != nil {
		c.Note = render.Line(*r.Note)
		if len(c.Note) > sdk.MaxTitle {
			return c, fmt.Errorf("the note has %d bytes; at most %d are possible", len(c.Note), sdk.MaxTitle)
		}
	}
	return c, nil
}

// readText reads an editor's Markdown.
func readText(text string) (sdk.Body, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("the text is not UTF-8")
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	body, err := render.Parse(text, render.CommonMark)
	if err != nil {
		return nil, errors.New(sdk.AsError(err).Public)
	}
	return body, nil
}

// EditorPost makes an editor's post for a channel, to leave at a time. Whether a blackout holds it is decided then.
func (ch *Channel) EditorPost(c Content, at time.Time, urgent bool, now time.Time) NewPost {
	return NewPost{Channel: ch.Name, Kind: KindEditor, Status: PostScheduled, Content: c, VisibleAt: at.UTC(), Urgent: urgent,
		Targets: ch.targets(nil, now)}
}

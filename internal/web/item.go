package web

import (
	"fmt"
	"maps"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
)

// Preview says how an item is to be shown by ItemPage. Its zero value shows it as a site without a configuration would.
type Preview struct {
	// Config is the configuration; nil means the defaults.
	Config *configs.Config
	// Channel is the channel that publishes the item; empty or unknown means one that shows summaries.
	Channel string
	// Lang is the reader's language; empty means the channel's.
	Lang string
	// Full shows the whole text where Channel names no configured channel.
	Full bool
	// At is when the post is published; zero means when the item was.
	At time.Time
	// Files are the stored copies of its images by the addresses in the item. An image without one is not shown, as on the
	// real page.
	Files compose.Files
}

// ItemPage is the page of the post that a channel would make of an item. It is pure: it reads no clock and no store, and
// the same item gives the same bytes.
func ItemPage(it sdk.Item, pr Preview) ([]byte, error) {
	c := configs.Default()
	if pr.Config != nil {
		c = *pr.Config
	}
	name := pr.Channel
	if name == "" {
		name = "preview"
	}
	lang := "" // of an item that does not say: the channel's, where there is one
	ch, ok := c.Channels[name]
	if ok {
		lang = ch.Lang
		if lang == "" {
			lang = c.Site.Lang
		}
	} else {
		ch.SetDefaults()
		ch.Title = configs.Localized{"": c.Site.Title}
		if pr.Full {
			ch.Content = "full"
		}
		c.Channels = maps.Clone(c.Channels)
		if c.Channels == nil {
			c.Channels = map[string]configs.Channel{}
		}
		c.Channels[name] = ch
	}
	st := newSite(&c, "")
	if pr.Lang == "" {
		pr.Lang = st.langOf(name)
	}
	if pr.At.IsZero() {
		pr.At = it.Published
	}
	p := Post{PublicID: "preview", Channel: name, Kind: compose.KindEach, Status: compose.PostLive, VisibleAt: pr.At, ChangedAt: pr.At,
		Content: compose.ItemContent(it, lang, ch.Content == "full")}
	if it.Correction != "" {
		p.Revisions = []Revision{{At: it.Updated, Note: it.Correction}}
		if it.Updated.IsZero() {
			p.Revisions[0].At = pr.At
		}
	}
	v := &view{site: st, words: i18n.For(pr.Lang), files: pr.Files}
	doc, err := v.post(&p)
	if err != nil {
		return nil, fmt.Errorf("show the item: %w", err)
	}
	return doc.body, nil
}

package main

import (
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/web"
)

type pageCmd struct {
	Item pageItemCmd `cmd:"" default:"withargs" help:"Print the hosted page of an item."`
}

type pageItemCmd struct {
	Item    string `required:"" placeholder:"FILE" help:"The item, as belfry try --json prints it; - for standard input."`
	Channel string `placeholder:"NAME" help:"A channel of the configuration; without it, a site without a configuration."`
	Lang    string `placeholder:"TAG" help:"The reader's language; without it, the channel's."`
	Full    bool   `help:"Show the whole text, as with content: full."`
}

// Help is the long help.
func (*pageItemCmd) Help() string {
	return `Prints the HTML of the page that a channel would show of the item. Images are shown only from Belfry's own origin, so an item
that no daemon has taken in shows none.

Example:

    belfry try rss feed.xml --json | belfry page item --item - > page.html

With --json: {"html": …}.

Exit codes: 0 printed, 2 the item or the channel cannot be used.`
}

// Run prints a page.
func (c *pageItemCmd) Run(g *global, std streams) error {
	it, err := readItem(c.Item, std)
	if err != nil {
		return err
	}
	preview := web.Preview{Lang: c.Lang, Full: c.Full, Channel: c.Channel}
	if it.Published.IsZero() {
		preview.At = time.Now().UTC()
	}
	if c.Channel != "" {
		cfg, err := g.load()
		if err != nil {
			return err
		}
		if _, ok := cfg.Channels[c.Channel]; !ok {
			return desk.UnknownName("channel", c.Channel, slices.Collect(maps.Keys(cfg.Channels)))
		}
		preview.Config = &cfg.Config
	}
	html, err := web.ItemPage(it, preview)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, map[string]string{"html": string(html)})
	}
	_, err = std.out.Write(html)
	return err
}

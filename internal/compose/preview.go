package compose

import "github.com/belfry-news/belfry/sdk"

// ItemContent is what the first revision of a post says that is made of one item. lang is the channel's language; full says
// whether the channel shows the whole text.
func ItemContent(it sdk.Item, lang string, full bool) Content { return itemContent(it, lang, full) }

package feed

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	xhtml "golang.org/x/net/html"

	"github.com/belfry-news/belfry/sdk"
)

// Bounds on looking for feeds in a page.
const (
	maxPage  = 1 << 20 // bytes that are looked at
	maxFeeds = 10
)

// FindFeeds gives the addresses of the feeds that a page names by <link rel="alternate">, without those of comments, in
// the page's order. Relative ones are resolved against <base href> and the page's own address.
func FindFeeds(page []byte, address *url.URL) []string {
	var found []string
	z := xhtml.NewTokenizer(bytes.NewReader(page[:min(len(page), maxPage)]))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return found
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			name, more := z.TagName()
			if !more || string(name) != "link" && string(name) != "base" {
				continue
			}
			base := string(name) == "base"
			attrs := map[string]string{}
			for more {
				var key, value []byte
				key, value, more = z.TagAttr()
				if _, known := attrs[string(key)]; !known && len(attrs) < 32 {
					attrs[string(key)] = string(value)
				}
			}
			if base {
				if u, ok := join(address, attrs["href"]); ok {
					address = u
				}
				continue
			}
			if link, ok := FeedLink(attrs["rel"], attrs["type"], attrs["title"], attrs["href"], address); ok && !slices.Contains(found, link) {
				if found = append(found, link); len(found) == maxFeeds {
					return found
				}
			}
		}
	}
}

// FeedLink tells whether a link, from a page or a Link header, leads to a feed, and where.
func FeedLink(rel, mediaType, title, href string, base *url.URL) (string, bool) {
	if !slices.Contains(strings.Fields(strings.ToLower(rel)), "alternate") {
		return "", false
	}
	mediaType, _, _ = strings.Cut(strings.ToLower(mediaType), ";")
	switch strings.TrimSpace(mediaType) {
	case "application/rss+xml", "application/atom+xml", "application/feed+json", "application/json":
	default:
		return "", false
	}
	u, ok := join(base, href)
	if !ok {
		return "", false
	}
	// WordPress names the data of the page itself as JSON.
	if strings.Contains(u.Path, "/wp-json/") || strings.Contains(u.RawQuery, "oembed") {
		return "", false
	}
	if comments(title) || comments(strings.ReplaceAll(u.Path, "-", "/")) {
		return "", false
	}
	return u.String(), true
}

// comments tells whether a title or path names a feed of comments.
func comments(s string) bool {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" /»:.|-\u00a0", r) })
	for _, w := range words {
		switch w {
		case "comments", "comment", "commentaires", "kommentare", "kommentar", "comentarios", "commenti", "reacties":
			return true
		}
	}
	return false
}

func join(base *url.URL, href string) (*url.URL, bool) {
	u, err := url.Parse(strings.TrimSpace(href))
	if err != nil || href == "" {
		return nil, false
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	if u.Scheme == "" && base == nil {
		return u, true
	}
	if _, err := sdk.CheckLink(u.String()); err != nil {
		return nil, false
	}
	return u, true
}

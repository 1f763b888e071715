package web

import (
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk/render"
)

// site is a configuration as the pages need it.
type site struct {
	config *configs.Config
	zone   *time.Location
	// title is the name over every page.
	title string
	// base is the address before every path, without a slash at its end; empty when nobody knows it.
	base string
	// renamed leads from a channel's former name to its name.
	renamed map[string]string
	loaded  time.Time
}

func newSite(c *configs.Config, local string) *site {
	st := &site{config: c, title: cut(render.Line(c.Site.Title), siteTitle, siteTitleBytes), base: strings.TrimSuffix(c.Site.URL, "/"), renamed: map[string]string{}, loaded: time.Now().UTC().Truncate(time.Second)}
	if st.base == "" {
		st.base = local
	}
	var err error
	if st.zone, err = scheduler.LoadZone(c.Timezone); err != nil {
		st.zone = time.UTC // a checked configuration has a zone
	}
	for name, ch := range c.Channels {
		if ch.Was != "" {
			st.renamed[ch.Was] = name
		}
	}
	return st
}

// Bounds of the site's name, in grapheme clusters and bytes.
const (
	siteTitle      = 120
	siteTitleBytes = 500
)

// lang is the language of a site whose configuration names one.
func (st *site) lang() string { return st.config.Site.Lang }

// langOf is the language of a channel's posts.
func (st *site) langOf(name string) string {
	if ch, ok := st.config.Channels[name]; ok && ch.Lang != "" {
		return ch.Lang
	}
	return st.lang()
}

// closed reports whether a name stands among the retired ones.
func (st *site) closed(name string) bool { return slices.Contains(st.config.Retired, name) }

// since is the time before which a channel's posts are hidden; zero when none are.
func (st *site) since(name string, now time.Time) time.Time {
	if hide := st.config.Channels[name].HideAfter.Std(); hide > 0 {
		return now.Add(-hide)
	}
	return time.Time{}
}

// abs makes a path on this site an address.
func (st *site) abs(path string) string { return st.base + path }

// words gives a text in a language and the language it is in; empty when that is not known.
func words(l configs.Localized, lang string) (text, in string) {
	main, _, _ := strings.Cut(lang, "-")
	for _, k := range []string{lang, main} {
		if s, ok := l[k]; ok {
			return s, k
		}
	}
	text = l.In(lang)
	for k, s := range l {
		if k != "" && s == text {
			return text, k
		}
	}
	return text, ""
}

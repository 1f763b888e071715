package rss

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/belfry-news/belfry/sdk/fetch"
)

// settled is how long a permanent redirect must be seen before it is believed.
const settled = 24 * time.Hour

// moved is what is known of permanent redirects of the feed.
type moved struct {
	// Use is fetched instead of the configured address.
	Use string `json:"use,omitempty"`
	// To was seen as the target of a permanent way, first at Since.
	To    string `json:"to,omitempty"`
	Since int64  `json:"since,omitempty"`
	// History has the addresses that were in use before, the latest last.
	History []move `json:"history,omitempty"`
}

type move struct {
	To string `json:"to"`
	At int64  `json:"at"`
}

// permanent tells whether a whole way may replace its beginning: every hop says so, and none leaves https.
func permanent(way []fetch.Hop) bool {
	for _, h := range way {
		if h.Status != http.StatusMovedPermanently && h.Status != http.StatusPermanentRedirect {
			return false
		}
		if h.From.Scheme == "https" && h.To.Scheme != "https" {
			return false
		}
	}
	return len(way) > 0
}

// follow takes note of the way from the address in use to a document which proved to be a feed. The target of a permanent
// way replaces the address once it was seen on two fetches at least a day apart; any other way in between forgets it. It
// gives a notice when the address changed.
func (m *moved) follow(way []fetch.Hop, now time.Time) string {
	if !permanent(way) {
		m.To, m.Since = "", 0
		return ""
	}
	target := way[len(way)-1].To
	if to := target.String(); m.To != to {
		m.To, m.Since = to, now.Unix()
		return ""
	}
	if now.Sub(time.Unix(m.Since, 0)) < settled {
		return ""
	}
	m.use(m.To, now)
	return fmt.Sprintf("the feed has moved for good to %s and is fetched there from now on; a forced fetch asks the configured address again",
		shown(target))
}

// same tells whether nothing was learnt since it was like that.
func (m *moved) same(was moved) bool {
	return m.Use == was.Use && m.To == was.To && m.Since == was.Since && len(m.History) == len(was.History)
}

// use changes the address in use; "" goes back to the configured one.
func (m *moved) use(to string, now time.Time) {
	if m.Use != "" {
		m.History = append(m.History, move{To: m.Use, At: now.Unix()})
		m.History = m.History[max(0, len(m.History)-maxHistory):]
	}
	m.Use, m.To, m.Since = to, "", 0
}

// shown is an address as a notice may show it: without its query, where tokens are.
func shown(u *url.URL) string {
	s := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		s += "?…"
	}
	return s
}

package rss

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/internal/feed"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// acceptFeeds asks for feeds first; some servers refuse without a wildcard.
const acceptFeeds = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"

// failf makes an Error about the feed.
func failf(code sdk.Code, format string, args ...any) *sdk.Error {
	e := sdk.Errorf(code, fetch.Op, format, args...)
	e.Scope = sdk.ScopeDestination
	return e
}

// loaded is an answer, with the feed in it where it had to be read to be sure of it.
type loaded struct {
	answer  *fetch.Answer
	feed    *feed.Feed
	notices []string
}

// load fetches the feed from where it is known to be: the configured address, the feed found in the page there, or the
// address it moved to for good. What it learns of that goes into the cursor.
func (s *Source) load(ctx context.Context, r sdk.FetchRequest, c *cursor) (loaded, error) {
	ask := fetch.Request{URL: c.start(s.address), Accept: acceptFeeds}
	if r.Force {
		ask.URL = s.address
	} else if r.Now.Sub(time.Unix(c.Full, 0)) < fullEvery {
		ask.At, ask.ETag, ask.Modified = c.At, c.ETag, c.Modified
	}
	l, err := s.loadFrom(ctx, ask, c, r)
	if err != nil && c.Moved.Use != "" && ask.URL.String() == c.Moved.Use && lasting(err) {
		// The new address failed us; the configured one may have come back to life.
		back := fetch.Request{URL: (&cursor{Found: c.Found}).start(s.address), Accept: acceptFeeds}
		again, err2 := s.loadFrom(ctx, back, c, r)
		if err2 != nil {
			return l, err
		}
		again.notices = append(again.notices, fmt.Sprintf("the address that the feed had moved to fails (%s); the configured one is fetched again",
			sdk.AsError(err).Public))
		c.Moved.use("", r.Now)
		return again, nil
	}
	if err != nil {
		return l, err
	}
	if r.Force && c.Moved.Use != "" {
		if way := l.answer.Way; !permanent(way) || way[len(way)-1].To.String() != c.Moved.Use {
			c.Moved.use("", r.Now)
		} else {
			return l, nil
		}
	}
	if n := c.Moved.follow(l.answer.Way, r.Now); n != "" {
		l.notices = append(l.notices, n)
	}
	return l, nil
}

// lasting tells whether a failure is one that time alone does not mend.
func lasting(err error) bool {
	if status, ok := errors.AsType[fetch.StatusCause](err); ok {
		return status < 500 && status != http.StatusTooManyRequests
	}
	return sdk.AsError(err).Code == sdk.CodeInvalid
}

// loadFrom fetches one address. A new document is read at once, since only then it is known to be a feed; the page that
// stands in its place at the first fetch is asked for its feed.
func (s *Source) loadFrom(ctx context.Context, ask fetch.Request, c *cursor, r sdk.FetchRequest) (loaded, error) {
	a, err := s.client.Get(ctx, ask, r.Now)
	if err != nil {
		return loaded{}, err
	}
	defer a.Done()
	if a.Status == http.StatusNotModified || bodyHash(a) == c.Body && !r.Force {
		if c.Expired {
			return loaded{}, failf(sdk.CodeGone, "the feed has declared itself finished; take the source out, or force a fetch if it goes on")
		}
		return loaded{answer: a}, nil
	}
	f, err := s.read(ctx, a, r.Now)
	var page *feed.PageError
	if errors.As(err, &page) && s.config.Discover && (c.first() || r.Force) {
		return s.discover(ctx, a, page, c, r)
	}
	if err != nil {
		return loaded{}, s.explain(err, a.URL)
	}
	if r.Force && ask.URL == s.address {
		c.Found = ""
	}
	return loaded{answer: a, feed: f}, nil
}

// discover fetches the first feed that a page names, and remembers it.
func (s *Source) discover(ctx context.Context, a *fetch.Answer, page *feed.PageError, c *cursor, r sdk.FetchRequest) (loaded, error) {
	a.Done()
	found := headerFeeds(a)
	for _, f := range page.Feeds {
		if len(found) == 0 || f != found[0] {
			found = append(found, f)
		}
	}
	for _, candidate := range found {
		u, err := s.client.Guard().CheckURL(candidate)
		if err != nil {
			continue
		}
		b, err := s.client.Get(ctx, fetch.Request{URL: u, Accept: acceptFeeds}, r.Now)
		if err != nil {
			return loaded{}, err
		}
		defer b.Done()
		f, err := s.read(ctx, b, r.Now)
		if err != nil {
			return loaded{}, s.explain(err, b.URL)
		}
		c.Found = u.String()
		l := loaded{answer: b, feed: f, notices: []string{fmt.Sprintf("the address is a web page; its feed is at %s", shown(u))}}
		if len(found) > 1 {
			l.notices = append(l.notices, fmt.Sprintf("the page names %d feeds; the first is fetched, the others are: %s",
				len(found), strings.Join(shownAll(found[1:]), ", ")))
		}
		return l, nil
	}
	return loaded{}, s.explain(page, a.URL)
}

// headerFeeds gives the feeds named by Link headers (RFC 8288).
func headerFeeds(a *fetch.Answer) []string {
	var found []string
	for _, l := range feed.Links(a.Header.Values("Link")) {
		if u, ok := feed.FeedLink(l.Params["rel"], l.Params["type"], l.Params["title"], l.Target, a.URL); ok {
			found = append(found, u)
		}
	}
	return found
}

func shownAll(addresses []string) []string {
	out := make([]string, 0, len(addresses))
	for _, a := range addresses {
		if u, err := url.Parse(a); err == nil {
			out = append(out, shown(u))
		}
	}
	return out
}

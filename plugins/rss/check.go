package rss

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// checkTimeout of one request to an item's page.
const checkTimeout = 20 * time.Second

// CheckItems asks each item's address whether it is still there, by HEAD, and by GET where HEAD does not settle it: that
// an item is gone is believed of GET only. Redirects are followed under the same guard and manners as those of the feed. A
// redirect to the site's front page, a server that refuses or fails, and an address that cannot be reached are no
// evidence. No page is read.
func (s *Source) CheckItems(ctx context.Context, items []sdk.ItemRef) ([]sdk.Presence, error) {
	out := make([]sdk.Presence, len(items))
	for i, item := range items {
		if ctx.Err() != nil {
			out[i] = unknown("it was not asked, for lack of time")
			continue
		}
		out[i] = s.check(ctx, item.URL)
	}
	return out, nil
}

func unknown(format string, args ...any) sdk.Presence {
	return sdk.Presence{State: sdk.PresenceUnknown, Reason: fmt.Sprintf(format, args...)}
}

func (s *Source) check(ctx context.Context, address string) sdk.Presence {
	if address == "" {
		return unknown("the item has no address")
	}
	u, err := s.client.Guard().CheckURL(address)
	if err != nil {
		return unknown("%s", sdk.AsError(err).Public)
	}
	p, settled := s.ask(ctx, http.MethodHead, u)
	if !settled {
		p, _ = s.ask(ctx, http.MethodGet, u)
	}
	return p
}

// ask follows one address. settled is false where another method may give another answer.
func (s *Source) ask(ctx context.Context, method string, first *url.URL) (p sdk.Presence, settled bool) {
	u := first
	for range fetch.MaxRedirects + 1 {
		status, location, err := s.client.Status(ctx, method, u, checkTimeout)
		if err != nil {
			return unknown("%s", sdk.AsError(fetch.TransportError(err, u)).Public), true
		}
		text := fmt.Sprintf("%d %s", status, http.StatusText(status))
		switch {
		case status >= 200 && status < 300:
			return sdk.Presence{State: sdk.PresenceThere, Reason: text}, true
		case status == http.StatusNotFound || status == http.StatusGone || status == http.StatusUnavailableForLegalReasons:
			return sdk.Presence{State: sdk.PresenceGone, Reason: text}, method == http.MethodGet
		case status == http.StatusMovedPermanently || status == http.StatusFound || status == http.StatusSeeOther ||
			status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect:
		default:
			return unknown("%s", text), status == http.StatusTooManyRequests
		}
		next, err := u.Parse(strings.TrimSpace(location))
		if err == nil {
			next, err = s.client.Guard().CheckURL(next.String())
		}
		if location == "" || err != nil {
			return unknown("%s to an address that cannot be asked", text), true
		}
		if front(next) && !front(first) {
			return unknown("%s to the front page of %s", text, next.Host), true
		}
		u = next
	}
	return unknown("more than %d redirects", fetch.MaxRedirects), true
}

// front tells whether an address is that of a site's front page, in one language or all.
func front(u *url.URL) bool {
	path := strings.Trim(u.Path, "/")
	return (path == "" || len(path) == 2 || path == "index.html" || path == "index.php") && u.RawQuery == ""
}

package rss

import (
	"fmt"
	"net/http"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

const opFetch = "fetch"

const (
	// leftAlone is how long a server that is overloaded, and does not say for how long, is left alone.
	leftAlone = time.Hour
	// refused is how long a server that refuses the request is left alone: it is often a protection against robots.
	refused = 24 * time.Hour
	// longestPause bounds what Retry-After may ask for.
	longestPause = 7 * 24 * time.Hour
)

// failf makes an Error about the feed.
func failf(code sdk.Code, format string, args ...any) *sdk.Error {
	e := sdk.Errorf(code, opFetch, format, args...)
	e.Scope = sdk.ScopeDestination
	return e
}

// statusCause is the status behind an Error.
type statusCause int

// Error gives the figure.
func (s statusCause) Error() string { return fmt.Sprintf("status %d", int(s)) }

// statusError says what an answer without a document means. ok is false for answers that are handled otherwise.
func statusError(status int, h http.Header, host string, now time.Time) (e *sdk.Error, failed bool) {
	switch status {
	case http.StatusOK, http.StatusNotModified, http.StatusNonAuthoritativeInfo:
		return nil, false
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return nil, false
	}
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	fail := func(code sdk.Code, after time.Duration, format string) (*sdk.Error, bool) {
		return &sdk.Error{Code: code, Scope: sdk.ScopeDestination, Op: opFetch, RetryAfter: after,
			Public: fmt.Sprintf(format, host, text), Err: statusCause(status)}, true
	}
	after, told := sdk.RetryAfter(h, now)
	after = min(after, longestPause)
	switch status {
	case http.StatusGone:
		return fail(sdk.CodeGone, 0, "%s answers %s: the feed was taken down for good; take the source out or give it the feed's new address")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if !told || after == 0 {
			after = leftAlone
		}
		return fail(sdk.CodeRateLimited, after, "%s answers %s and wants to be left alone")
	case http.StatusUnauthorized:
		return fail(sdk.CodeForbidden, max(after, refused), "%s answers %s: the feed needs a login; set username and password, or headers")
	case http.StatusForbidden:
		return fail(sdk.CodeForbidden, max(after, refused),
			"%s answers %s: the server refuses Belfry, often by a protection against robots; ask its operator to permit it")
	case http.StatusUnavailableForLegalReasons:
		return fail(sdk.CodeForbidden, max(after, refused), "%s answers %s: the feed may not be shown here for legal reasons")
	case http.StatusNotFound:
		return fail(sdk.CodeUnavailable, after, "%s answers %s: there is no feed at this address; check url")
	case http.StatusBadRequest:
		return fail(sdk.CodeUnavailable, after, "%s answers %s: the server does not understand the address; check url")
	case http.StatusNoContent, http.StatusResetContent:
		return fail(sdk.CodeUnavailable, after, "%s answers %s, without a feed")
	}
	if status >= 500 {
		return fail(sdk.CodeUnavailable, after, "%s answers %s: the server has a problem")
	}
	return fail(sdk.CodeUnavailable, after, "%s answers %s instead of a feed")
}

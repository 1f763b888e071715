package fetch

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Op is the operation in the errors of this package.
const Op = "fetch"

const (
	// leftAlone is how long a server that is overloaded, and does not say for how long, is left alone.
	leftAlone = time.Hour
	// refused is how long a server that refuses the request is left alone: it is often a protection against robots.
	refused = 24 * time.Hour
	// LongestPause bounds what Retry-After may ask for.
	LongestPause = 7 * 24 * time.Hour
)

// failf makes an Error about the document.
func failf(code sdk.Code, format string, args ...any) *sdk.Error {
	e := sdk.Errorf(code, Op, format, args...)
	e.Scope = sdk.ScopeDestination
	return e
}

// StatusCause is the status behind an Error.
type StatusCause int

// Error gives the figure.
func (s StatusCause) Error() string { return fmt.Sprintf("status %d", int(s)) }

// statusError says what an answer without a document means. ok is false for answers that are handled otherwise.
func (c *Client) statusError(status int, h http.Header, host string, now time.Time) (e *sdk.Error, failed bool) {
	switch status {
	case http.StatusOK, http.StatusNotModified, http.StatusNonAuthoritativeInfo:
		return nil, false
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return nil, false
	}
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	what := c.config.What
	fail := func(code sdk.Code, after time.Duration, format string) (*sdk.Error, bool) {
		format = strings.ReplaceAll(format, "DOC", what)
		return &sdk.Error{Code: code, Scope: sdk.ScopeDestination, Op: Op, RetryAfter: after,
			Public: fmt.Sprintf(format, host, text), Err: StatusCause(status)}, true
	}
	after, told := sdk.RetryAfter(h, now)
	after = min(after, LongestPause)
	switch status {
	case http.StatusGone:
		return fail(sdk.CodeGone, 0, "%s answers %s: the DOC was taken down for good; take the source out or give it the DOC's new address")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if !told || after == 0 {
			after = leftAlone
		}
		return fail(sdk.CodeRateLimited, after, "%s answers %s and wants to be left alone")
	case http.StatusUnauthorized:
		if c.config.Username != "" {
			return fail(sdk.CodeForbidden, max(after, refused), "%s answers %s: it does not accept the username and the password; check them")
		}
		return fail(sdk.CodeForbidden, max(after, refused), "%s answers %s: the DOC needs a login; set username and password, or headers")
	case http.StatusForbidden:
		return fail(sdk.CodeForbidden, max(after, refused),
			"%s answers %s: the server refuses Belfry, often by a protection against robots; ask its operator to permit it")
	case http.StatusUnavailableForLegalReasons:
		return fail(sdk.CodeForbidden, max(after, refused), "%s answers %s: the DOC may not be shown here for legal reasons")
	case http.StatusNotFound:
		return fail(sdk.CodeUnavailable, after, "%s answers %s: there is no DOC at this address; check url")
	case http.StatusBadRequest:
		return fail(sdk.CodeUnavailable, after, "%s answers %s: the server does not understand the address; check url")
	case http.StatusNoContent, http.StatusResetContent:
		return fail(sdk.CodeUnavailable, after, "%s answers %s, without a DOC")
	}
	if status >= 500 {
		return fail(sdk.CodeUnavailable, after, "%s answers %s: the server has a problem")
	}
	return fail(sdk.CodeUnavailable, after, "%s answers %s instead of a DOC")
}

func tooLarge(limit int64) error {
	return failf(sdk.CodeTooLarge, "the document is larger than %s; max_size allows up to 15MiB", Size(limit))
}

package rss

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/internal/feed"
	"github.com/belfry-news/belfry/sdk"
)

const (
	// longestWait is the most that a server or a document can ask for, so that a wrong figure cannot silence a feed.
	longestWait = 24 * time.Hour
	// longestQuiet is the most that a feed waits of its own accord because nothing happens.
	longestQuiet = time.Hour
	// quietShare of the time since the last change is waited.
	quietShare = 24
)

// wait says when to fetch again: after the longest of what the server and the document ask for and of the 24th part of
// the time since the feed last changed (at most an hour: a feed that was quiet for a day is asked an hour later, one that
// was quiet for an hour after two and a half minutes). Then it leaves the hours and days that the document excludes.
func wait(h http.Header, hints feed.Hints, changed, now time.Time) time.Duration {
	asked := max(freshness(h, now), hints.Every)
	if after, ok := sdk.RetryAfter(h, now); ok {
		asked = max(asked, after)
	}
	asked = min(asked, longestWait)
	quiet := time.Duration(0)
	if !changed.IsZero() && now.After(changed) {
		quiet = min(now.Sub(changed)/quietShare, longestQuiet)
	}
	return skip(max(asked, quiet).Round(time.Second), hints, now)
}

// freshness reads the caching headers (RFC 9111): max-age less Age, or else Expires less Date. s-maxage is for shared
// caches, and what forbids or ends caching gives no hint.
func freshness(h http.Header, now time.Time) time.Duration {
	control := strings.ToLower(strings.Join(h.Values("Cache-Control"), ","))
	for part := range strings.SplitSeq(control, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			secs, err := strconv.ParseInt(strings.Trim(value, `" `), 10, 32)
			if err != nil {
				return 0
			}
			age, _ := strconv.ParseInt(strings.TrimSpace(h.Get("Age")), 10, 32) // none is no age
			return max(time.Duration(secs-max(age, 0))*time.Second, 0)
		}
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(expires.Sub(now), 0)
}

// skip moves the next fetch to the first hour that the document allows, within the longest wait. Hours and days are in
// GMT.
func skip(d time.Duration, hints feed.Hints, now time.Time) time.Duration {
	if hints.Hours == 0 && hints.Days == 0 {
		return d
	}
	at := now.Add(d).UTC()
	for at.Sub(now) < longestWait && (hints.Hours&(1<<at.Hour()) != 0 || hints.Days&(1<<at.Weekday()) != 0) {
		at = at.Truncate(time.Hour).Add(time.Hour)
	}
	return min(at.Sub(now), longestWait)
}

package rss

import (
	"net/http"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/plugins/rss/internal/feed"
)

func TestWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 30, 0, 0, time.UTC) // a Friday
	head := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	hours := func(list ...int) (mask uint32) {
		for _, h := range list {
			mask |= 1 << h
		}
		return mask
	}
	for _, c := range []struct {
		name   string
		header http.Header
		hints  feed.Hints
		quiet  time.Duration
		want   time.Duration
	}{
		{name: "nothing"},
		{name: "max-age", header: head("Cache-Control", "public, max-age=1800"), want: 30 * time.Minute},
		{name: "max-age less Age", header: head("Cache-Control", "max-age=1800", "Age", "600"), want: 20 * time.Minute},
		{name: "max-age older than it may be", header: head("Cache-Control", "max-age=60", "Age", "600")},
		{name: "s-maxage is for others", header: head("Cache-Control", "s-maxage=1800")},
		{name: "quoted, among several headers", header: head("Cache-Control", "public", "Cache-Control", `max-age="600"`), want: 10 * time.Minute},
		{name: "no-cache", header: head("Cache-Control", "no-cache, max-age=1800", "Expires", "Fri, 20 Nov 2026 09:30:00 GMT")},
		{name: "no-store", header: head("Cache-Control", "no-store, max-age=1800")},
		{name: "max-age=0 beats Expires", header: head("Cache-Control", "max-age=0", "Expires", "Fri, 20 Nov 2026 09:30:00 GMT")},
		{name: "Expires", header: head("Expires", "Fri, 20 Nov 2026 08:00:00 GMT"), want: 30 * time.Minute},
		{name: "Expires less Date", header: head("Expires", "Fri, 20 Nov 2026 09:00:00 GMT", "Date", "Fri, 20 Nov 2026 08:00:00 GMT"), want: time.Hour},
		{name: "Expires in the past", header: head("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")},
		{name: "Expires that is none", header: head("Expires", "0")},
		{name: "a year", header: head("Cache-Control", "max-age=31536000"), want: 24 * time.Hour},
		{name: "Retry-After", header: head("Retry-After", "7200"), want: 2 * time.Hour},
		{name: "the document", hints: feed.Hints{Every: 90 * time.Minute}, want: 90 * time.Minute},
		{name: "the longest wins", header: head("Cache-Control", "max-age=600", "Retry-After", "1200"), hints: feed.Hints{Every: 5 * time.Minute}, quiet: time.Hour, want: 20 * time.Minute},
		{name: "quiet for an hour", quiet: time.Hour, want: 150 * time.Second},
		{name: "quiet for a day", quiet: 24 * time.Hour, want: time.Hour},
		{name: "quiet for a year", quiet: 365 * 24 * time.Hour, want: time.Hour},
		{name: "a clock that went back", quiet: -time.Hour},
		{name: "an excluded hour", hints: feed.Hints{Hours: hours(7, 8)}, want: 90 * time.Minute},
		{name: "an excluded hour after the wait", header: head("Cache-Control", "max-age=3600"), hints: feed.Hints{Hours: hours(8)}, want: 90 * time.Minute},
		{name: "an excluded hour that is not now", hints: feed.Hints{Hours: hours(9)}},
		{name: "an excluded day", hints: feed.Hints{Days: 1 << time.Friday}, want: 16*time.Hour + 30*time.Minute},
		{name: "an excluded weekend is asked once a day", hints: feed.Hints{Days: 1<<time.Friday | 1<<time.Saturday | 1<<time.Sunday}, want: 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := wait(c.header, c.hints, now.Add(-c.quiet), now); got != c.want {
				t.Errorf("the wait is %s, want %s", got, c.want)
			}
		})
	}
}

// TestWaitOfBatches follows a feed through its days.
func TestWaitOfBatches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page := feedtest.Page{Type: "application/rss+xml", ETag: `"1"`, Body: []byte(`<rss><channel><ttl>10</ttl><skipHours><hour>9</hour></skipHours><item><title>x</title></item></channel></rss>`)}
	b.site.Set("/feed", page)
	for i, s := range []struct {
		after, want time.Duration
		unchanged   bool
	}{
		{0, 10 * time.Minute, false},
		{10 * time.Minute, 10 * time.Minute, true},  // the document's hint is remembered
		{100 * time.Minute, 70 * time.Minute, true}, // 08:50: the next would be in the excluded hour
		{10 * time.Hour, 30 * time.Minute, true},    // quiet for 11 h 50: a 24th of it
		{48 * time.Hour, time.Hour, true},
	} {
		b.later(s.after)
		got := b.fetch(t)
		want := s.want
		if i == 3 {
			want = (11*time.Hour + 50*time.Minute) / quietShare
		}
		if got.Wait != want.Round(time.Second) || got.Unchanged != s.unchanged {
			t.Errorf("fetch %d at %s: wait %s, unchanged %v; want %s, %v", i, b.now.Format("15:04"), got.Wait, got.Unchanged, want, s.unchanged)
		}
	}
	page.Body, page.ETag = []byte(`<rss><channel><item><title>y</title></item></channel></rss>`), `"2"`
	b.site.Set("/feed", page)
	b.later(time.Hour)
	if got := b.fetch(t); got.Wait != 0 || got.Unchanged {
		t.Errorf("after a change the wait is %s", got.Wait)
	}
}

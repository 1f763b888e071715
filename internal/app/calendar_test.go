package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

const withAgenda = base + `
sources:
  agenda: {type: calendar, url: "%SITE%/agenda.ics", announce: [1d, 0s], zone: Europe/Paris, poll: 1s, isolation: none, allow_private: [127.0.0.0/8]}
destinations:
  telegram: {type: telegram, token: "%TOKEN%", api: "%TELEGRAM%", rates: off, allow_private: [127.0.0.0/8]}
channels:
  agenda:
    title: Agenda
    sources: [agenda]
    each: {}
    template: "{{.Title}}\n\n{{.Summary}}"
    publish_to: [{destination: telegram, chat: "@gazette"}]
    corrections: {min_gap: 0s}
`

// An event is announced when its turn comes and not before, also when it was there from the beginning; the post follows when
// it is moved, and goes when it is called off.
func TestAPostFollowsItsEvent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	show := func(events ...string) {
		s.site.Set("/agenda.ics", feedtest.Page{Type: "text/calendar", Body: []byte("BEGIN:VCALENDAR\r\n" + strings.Join(events, "") + "END:VCALENDAR\r\n")})
	}
	event := func(uid string, at time.Time, more string) string {
		return fmt.Sprintf("BEGIN:VEVENT\r\nUID:%s\r\nSUMMARY:Concert %s\r\nDTSTART:%s\r\nDURATION:PT2H\r\n%sEND:VEVENT\r\n", uid, uid, at.UTC().Format("20060102T150405Z"), more)
	}
	turn := time.Now().Add(24*time.Hour + 5*time.Second)
	other := event("other", time.Now().Add(72*time.Hour), "")
	show(event("soon", turn, ""), event("missed", time.Now().Add(20*time.Hour), ""), other)
	s.config(withAgenda)
	s.start()
	s.until("the calendar was read", func() bool { return s.source("agenda").Primed })
	if early := time.Until(turn.Add(-24*time.Hour)) > 500*time.Millisecond; early && len(s.messages()) > 0 {
		t.Errorf("posted before their time: %q", s.messages())
	}
	only := func(what string) func() bool {
		return func() bool {
			m := s.messages()
			return len(m) == 1 && strings.Contains(m[0], "Concert soon") && strings.Contains(m[0], what) && s.idle()
		}
	}
	day := func(at time.Time) string { return at.UTC().Format(time.DateOnly) }
	s.until("its turn comes", only(day(turn)))
	moved := turn.Add(60 * 24 * time.Hour) // beyond the horizon
	show(event("soon", moved, ""), event("missed", time.Now().Add(20*time.Hour), ""), other)
	s.until("the post says the new day", only(day(moved)))
	show(event("soon", moved, "STATUS:CANCELLED\r\n"), event("missed", time.Now().Add(20*time.Hour), ""), other)
	s.until("the post is gone", func() bool { return len(s.messages()) == 0 && s.idle() })
}

package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

const withElections = base + `
sources:
  articles: {type: rss, url: "%SITE%/feed", poll: 1s, baseline: all, isolation: none, allow_private: [127.0.0.0/8]}
  elections: {type: calendar, url: "%SITE%/elections.ics", zone: Europe/Paris, poll: 1s, isolation: none, allow_private: [127.0.0.0/8]}
blackouts:
  silence: {source: elections, where: 'hasTag("politique")'}
` + toHook

// The events of a calendar silence a channel. When one is moved the silence is moved, also while the calendar is unread the last
// known one counts, and when one is called off there is none.
func TestACalendarSilences(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	calendar := func(events string) {
		s.site.Set("/elections.ics", feedtest.Page{Type: "text/calendar", Body: []byte("BEGIN:VCALENDAR\r\n" + events + "END:VCALENDAR\r\n")})
	}
	event := func(from, to time.Time, more string) string {
		const layout = "20060102T150405Z"
		return fmt.Sprintf("BEGIN:VEVENT\r\nUID:vote\r\nSUMMARY:Scrutin\r\nDTSTART:%s\r\nDTEND:%s\r\n%sEND:VEVENT\r\n", from.UTC().Format(layout), to.UTC().Format(layout), more)
	}
	now := time.Now()
	calendar(event(now.Add(48*time.Hour), now.Add(72*time.Hour), ""))
	s.config(withElections)
	s.start()
	until := func(what string, at time.Time, silenced bool) {
		t.Helper()
		s.until(what, func() bool {
			name, _, got := s.app.engine.Program().Silenced("alertes", contentOf("politique"), at)
			return got == silenced && (!got || name == "silence")
		})
	}
	until("it silences in two days", now.Add(50*time.Hour), true)
	if _, _, silenced := s.app.engine.Program().Silenced("alertes", contentOf("sport"), now.Add(50*time.Hour)); silenced {
		t.Error("where: does not count")
	}

	calendar(event(now.Add(-time.Minute).Truncate(time.Second), now.Add(time.Hour), "")) // moved to now
	until("it silences now", time.Now(), true)
	until("it does not silence in two days", now.Add(50*time.Hour), false)
	s.publish(feedtest.Article{ID: "a", Title: "Un discours", Tags: []string{"politique"}})
	s.publish(feedtest.Article{ID: "b", Title: "Un match", Tags: []string{"sport"}})
	posted := func(title string) bool {
		for _, p := range s.hook.State().Posts {
			if p.Title == title {
				return true
			}
		}
		return false
	}
	s.until("what is not silenced is posted", func() bool { return posted("Un match") })
	s.until("what is silenced is held", func() bool {
		held, err := s.app.Store().ChannelCounts(t.Context())
		return err == nil && held["alertes"].Held == 1
	})
	if posted("Un discours") {
		t.Error("it was posted in the silence")
	}

	// Fetches of the calendar that bring nothing new, and what other sources bring, let nobody read its events again.
	program, fetched := s.app.engine.Program(), s.source("elections").FetchedAt
	s.until("it was fetched twice", func() bool { return s.source("elections").FetchedAt.After(fetched.Add(time.Second)) })
	s.app.useEvents(t.Context())
	s.app.taken("articles")
	if s.app.engine.Program() != program {
		t.Error("the events were read again, although nothing about them changed")
	}

	// A calendar that gets another name silences all the time.
	s.config(strings.NewReplacer("  elections: {", "  votes: {was: elections, ", "source: elections", "source: votes").Replace(withElections))
	if r := s.app.Reload(t.Context()); r.Err != nil {
		t.Fatal(r.Err)
	}
	if _, _, silenced := s.app.engine.Program().Silenced("alertes", contentOf("politique"), time.Now()); !silenced {
		t.Error("a calendar of another name does not silence")
	}

	asked := desk.Desk{Config: s.app.Config(), Store: s.app.Store(), Now: time.Now()}
	program, err := asked.Program(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if name, _, silenced := program.Silenced("alertes", contentOf("politique"), time.Now()); !silenced || name != "silence" {
		t.Error("commands do not know of it")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := asked.Program(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a store that cannot tell of it: %v", err)
	}

	s.site.Set("/elections.ics", feedtest.Page{Status: 404})
	s.until("the calendar fails", func() bool { return s.source("votes").Failures > 0 })
	s.app.useEvents(t.Context())
	until("the last known silence counts", time.Now(), true)

	calendar(event(now.Add(-time.Minute).Truncate(time.Second), now.Add(time.Hour), "STATUS:CANCELLED\r\n"))
	if err := s.app.Store().FetchNow(t.Context(), "votes", true, time.Now()); err != nil {
		t.Fatal(err)
	}
	until("it is called off", time.Now(), false)
	if n := len(s.deliveries(store.DeliveryFilter{})); n != 1 || strings.Contains(fmt.Sprint(s.hook.State().Posts), "discours") {
		t.Errorf("%d deliveries; what is held stays held after its end", n)
	}
}

func contentOf(tag string) compose.Content { return compose.Content{Title: "t", Tags: []string{tag}} }

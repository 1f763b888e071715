package app

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// age makes a database what a daemon would have written whose clock stood by otherwise: every time in it moves.
func age(t *testing.T, file string, by time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'INTEGER'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	isTime := regexp.MustCompile(`(^|_)(at|until|since|before)$|^(lease|published)$`)
	var statements []string
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		if isTime.MatchString(column) {
			statements = append(statements, fmt.Sprintf(`UPDATE %[1]s SET %[2]s = %[2]s + %[3]d WHERE %[2]s > 0`, table, column, by.Microseconds()))
		}
	}
	if err := rows.Err(); err != nil || len(statements) < 50 {
		t.Fatalf("%d times, %v", len(statements), err)
	}
	statements = append(statements, fmt.Sprintf(`UPDATE meta SET value = value + %d WHERE name = 'clock'`, by.Microseconds()))
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// A clock that was set while the daemon was down, by an hour or by ten years, either way: what waited leaves, feeds are read,
// digests are made, corrections follow, and nothing comes twice.
func TestTheClockWasSet(t *testing.T) {
	t.Parallel()
	const years = 10 * 365 * 24 * time.Hour
	for name, by := range map[string]time.Duration{"an hour back": -time.Hour, "ten years back": -years, "an hour ahead": time.Hour, "ten years ahead": years} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			var down atomic.Bool
			gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if down.Load() {
					w.Header().Set("Retry-After", "3")
					http.Error(w, "not now", http.StatusServiceUnavailable)
					return
				}
				s.hook.ServeHTTP(w, r)
			}))
			t.Cleanup(gate.Close)
			s.urls["hook"] = gate.URL
			s.config(plain + `
  bref:
    title: En bref
    sources: [articles]
    digest: {cron: "@every 2s", timezone: Europe/Paris, catch_up: last}
    publish_to: [{destination: telegram, chat: "@gazette"}]
`)
			a := s.start()
			// has says how often the hook shows an article, by its exact title.
			has := func(title string) (n int) {
				for _, p := range s.hook.State().Posts {
					if p.Title == title {
						n++
					}
				}
				return n
			}
			digests := func(title string) int {
				return len(slices.DeleteFunc(s.messages(), func(m string) bool { return !strings.Contains(m, title) || !strings.Contains(m, "En bref") }))
			}
			s.publish(feedtest.Article{ID: "a", Title: "Premier"})
			s.until("it is posted", func() bool { return has("Premier") == 1 && digests("Premier") == 1 && s.idle() })
			down.Store(true)
			s.publish(feedtest.Article{ID: "b", Title: "Deuxième"})
			s.until("one waits", func() bool { return digests("Deuxième") == 1 && strings.Contains(s.state(), "to hook: pending") })
			s.stop(a)
			age(t, Database(a.Config()), -by)
			down.Store(false)

			a = s.start()
			told := s.alerts()["clock_changed"]
			if by < 0 != strings.HasPrefix(told, "the clock was set back by ") {
				t.Errorf("the alert says %q", told)
			}
			s.publish(feedtest.Article{ID: "c", Title: "Troisième"})
			s.publish(feedtest.Article{ID: "a", Title: "Premier, corrigé"})
			s.until("everything goes on", func() bool {
				return has("Premier, corrigé") == 1 && has("Troisième") == 1 && digests("Troisième") == 1 && digests("Premier, corrigé") == 1 && s.idle()
			})
			want := 1
			if by == years {
				want = 0 // it has expired long ago, with a record
				if s.alerts()["post_expired"] == "" {
					t.Error("nobody is told that a post expired")
				}
			}
			if n := has("Deuxième"); n != want {
				t.Errorf("what waited is there %d times, want %d", n, want)
			}
			for _, title := range []string{"Premier", "Deuxième", "Troisième"} {
				if n := digests(title); n != 1 {
					t.Errorf("%s is in %d digests", title, n)
				}
			}
			s.stop(a)
			s.start()
			if by < 0 && strings.Contains(s.alerts()["clock_changed"], "0s") {
				t.Errorf("the next start says again: %s", s.alerts()["clock_changed"])
			}
		})
	}
}

// The two clocks tell by how much one of them was set.
func TestMoved(t *testing.T) {
	t.Parallel()
	at := func(wall string, ran time.Duration) clockReading {
		w, err := time.Parse(time.RFC3339, wall)
		if err != nil {
			t.Fatal(err)
		}
		return clockReading{w, ran}
	}
	first := at("2026-03-29T00:59:58Z", time.Minute)
	for _, c := range []struct {
		later clockReading
		want  time.Duration
	}{
		{at("2026-03-29T01:00:03Z", time.Minute+5*time.Second), 0}, // summer time begins somewhere: the clock goes on
		{at("2026-03-29T00:00:03Z", time.Minute+5*time.Second), -time.Hour},
		{at("2036-03-29T01:00:03Z", time.Minute+5*time.Second), 3653 * 24 * time.Hour},
		{at("2026-03-29T00:59:58Z", time.Minute+5*time.Second), -5 * time.Second},
	} {
		if got := first.moved(c.later); got != c.want {
			t.Errorf("%v: %s, want %s", c.later, got, c.want)
		}
	}
}

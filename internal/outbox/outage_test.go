package outbox_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
	wirefault "github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// An outage of ten minutes in which a post comes every half a minute: nothing is lost or doubled, the order is kept, few
// calls are made, few posts become a person's matter, somebody is told, and its end is noticed soon and told too.
func TestTenMinutesOfTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault wirefault.Fault
		// unclear are how many posts may wait for a person in the end, where the platform knows no repetitions.
		custom, telegram int
		// later is how long after the end of the outage everything is out.
		standardLater, otherLater time.Duration
	}{
		{"500", wirefault.Fault{Status: 500}, 8, 1, time.Minute, 5 * time.Minute},
		{"500 with a page", wirefault.Fault{Status: 500, Body: signIn}, 8, 1, time.Minute, 5 * time.Minute},
		{"502", wirefault.Fault{Status: 502}, 8, 1, time.Minute, 5 * time.Minute},
		{"503", wirefault.Fault{Status: 503}, 0, 1, time.Minute, 5 * time.Minute},
		{"503 that asks for seconds", wirefault.Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}}, 0, 1, time.Minute, 5 * time.Minute},
		{"429 that asks for nothing", wirefault.Fault{Status: 429}, 0, 0, 8 * time.Minute, 8 * time.Minute},
		{"no answers", wirefault.Fault{Before: time.Hour}, 8, 1, 90 * time.Second, 5 * time.Minute},
		{"answers that are lost", wirefault.Fault{Accepted: true, Drop: true}, 8, 1, time.Minute, 5 * time.Minute},
		{"nobody listens", wirefault.Fault{}, 0, 0, time.Minute, time.Minute},
		{"200 with a page", wirefault.Fault{Status: 200, Body: signIn}, 8, 1, time.Minute, 5 * time.Minute},
	} {
		if raceEnabled && c.name != "500" {
			continue // the detector makes the store slow, and what it looks for shows in one of them
		}
		for _, kind := range kinds {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				wired(t, func(s *stage) {
					s.adjust = func(d *outbox.Destination) { d.RetryFor = 24 * time.Hour }
					r := s.with(kind, "hook")
					s.start()
					want := []string{"00"}
					s.post(want[0], r.target())
					s.pass(3 * time.Second)
					deserted := c.name == "nobody listens"
					if r.desert(deserted); !deserted {
						c.fault.Every = 1
						r.faults.Add(c.fault)
					}
					for i := range 20 {
						want = append(want, fmt.Sprintf("%02d", i+1))
						s.post(want[i+1], r.target())
						s.pass(30 * time.Second)
					}
					// A wait that the platform left open is a random one of at most five minutes; the call after it tells.
					for range 11 {
						if slices.Contains(s.alerts(), string(alert.DestinationDown)) {
							break
						}
						s.pass(30 * time.Second)
					}
					a := s.alert(alert.DestinationDown)
					if a.Subject != "hook" || a.Sentence == "" || a.Mend != "look: belfry destination check hook" {
						t.Errorf("%+v", a)
					}
					if n := r.faults.Met(); n > 150 {
						t.Errorf("%d calls were made in ten minutes", n)
					}
					r.faults.Clear()
					r.desert(false)
					later, most := c.otherLater, map[string]int{"custom": c.custom, "telegram": c.telegram}[kind]
					if kind == "standard" {
						later = c.standardLater
					}
					s.pass(later)
					unknown := s.deliveries(store.DeliveryFilter{State: "unknown"})
					if len(unknown) > most {
						t.Errorf("%d posts wait for a person, want at most %d", len(unknown), most)
					}
					s.same("told of each by itself", len(unknown), count(s.alerts(), string(alert.OutcomeUnknown)))
					if slices.Contains(s.alerts(), string(alert.DestinationDown)) {
						t.Error("nobody is told that it is well again")
					}
					// What went by itself is there in its order; a person looks after the rest.
					// A call that hung when the outage ended was the last to learn of it.
					hung := 0
					if c.fault.Before > 0 {
						hung = 1
					}
					if shown := r.shown(); displaced(shown) > hung || len(shown) < len(want)-most {
						t.Errorf("it shows %q", shown)
					}
					s.mend(r, "resolve")
					s.pass(time.Minute)
					shown := r.shown()
					slices.Sort(shown)
					s.same("shown in the end", want, shown)
					s.same("alerts in the end", []string{}, s.alerts())
					for _, state := range s.states() {
						if state != "sent" {
							t.Errorf("a delivery is %s in the end", state)
						}
					}
				})
			})
		}
	}
}

// displaced counts what comes after something younger.
func displaced(list []string) (n int) {
	for i := range list {
		if i > 0 && list[i] < slices.Max(list[:i]) {
			n++
		}
	}
	return n
}

// about makes a fault's condition: the call is about one of these.
func about(titles ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		return err == nil && slices.ContainsFunc(titles, func(title string) bool { return bytes.Contains(body, []byte(title)) })
	}
}

// Posts that their receiver cannot take are no outage: one of them delays no other by more than five seconds, several by no
// more than a minute and only until the first of the others is accepted.
func TestPoisonIsNoOutage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		poison []string
		first  time.Duration
	}{
		{"one, 500", 500, []string{"bad 1"}, 5 * time.Second},
		{"one, 503", 503, []string{"bad 1"}, 5 * time.Second},
		{"three, 500", 500, []string{"bad 1", "bad 2", "bad 3"}, time.Minute},
		{"three, 503", 503, []string{"bad 1", "bad 2", "bad 3"}, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wired(t, func(s *stage) {
				s.adjust = func(d *outbox.Destination) { d.RetryFor = 24 * time.Hour }
				r := s.with("standard", "hook")
				r.faults.Add(wirefault.Fault{On: about(slices.Concat(c.poison, []string{"bad 9"})...), Status: c.status, Every: 1})
				s.start()
				for _, title := range c.poison {
					s.post(title, r.target())
				}
				s.pass(time.Minute)
				within := c.first
				for i := range 12 {
					title := fmt.Sprintf("good %d", i)
					s.post(title, r.target())
					s.engine.Wake()
					s.pass(within)
					if shown := r.shown(); !slices.Contains(shown, title) {
						t.Fatalf("%q is not there %s after it was made: %q", title, within, shown)
					}
					s.pass(20 * time.Second)
					within = 5 * time.Second
				}
				// Those from before make nothing of one more.
				s.post("bad 9", r.target())
				s.engine.Wake()
				s.pass(time.Second)
				s.post("good 99", r.target())
				s.engine.Wake()
				s.pass(5 * time.Second)
				if shown := r.shown(); !slices.Contains(shown, "good 99") {
					t.Errorf("one more keeps others waiting: %q", shown)
				}
				// And what cannot be taken is not tried all the time.
				if n := r.faults.Met(); n > 25*(len(c.poison)+1) {
					t.Errorf("%d calls for %d posts that cannot be taken, in a few minutes", n, len(c.poison))
				}
				r.faults.Clear()
				s.pass(17 * time.Minute)
				s.same("shown", 12+len(c.poison)+2, len(r.shown()))
			})
		})
	}
}

// A wait of millennia is one of a day, and a person ends it before that.
func TestAWaitThatIsTooLong(t *testing.T) {
	t.Parallel()
	refuse := func(s *stage, scope sdk.Scope, code sdk.Code) *platform {
		p := s.platforms["a"]
		a := refusal(code, scope, 0)
		a.err.(*sdk.Error).RetryAfter = sdk.Forever / 2
		p.then(a)
		s.post("one", "a x")
		s.post("two", "a x")
		s.start()
		s.pass(time.Second)
		p.mu.Lock()
		clear(p.waits) // the platform does not mean it
		p.mu.Unlock()
		s.same("refused", 1, len(p.made()))
		if d := s.deliveries(store.DeliveryFilter{})[1]; d.NextAt.Sub(d.StartedAt) != outbox.LongestWait {
			t.Errorf("it is tried again after %s", d.NextAt.Sub(d.StartedAt))
		}
		return p
	}
	for _, c := range []struct {
		scope sdk.Scope
		code  sdk.Code
	}{{sdk.ScopeDestination, sdk.CodeRateLimited}, {sdk.ScopeAccount, sdk.CodeRateLimited}, {sdk.ScopeDestination, sdk.CodeUnavailable}, {sdk.ScopeAccount, sdk.CodeUnavailable}} {
		for name, lift := range map[string]func(s *stage){
			"check": func(s *stage) {
				put, err := s.db.PutOff(s.t.Context(), "a", time.Now())
				s.ok(err)
				if !put {
					s.t.Error("nothing is put off")
				}
				s.ok(s.db.StartAgain(s.t.Context(), "a", time.Now()))
				put, err = s.db.PutOff(s.t.Context(), "a", time.Now())
				s.ok(err)
				if put {
					s.t.Error("it is still put off")
				}
			},
			"resume": func(s *stage) {
				changed, err := s.db.Resume(s.t.Context(), store.PauseDestination, "a", "test", time.Now())
				s.ok(err)
				if !changed {
					s.t.Error("nothing was resumed")
				}
				changed, err = s.db.Resume(s.t.Context(), store.PauseDestination, "a", "test", time.Now())
				s.ok(err)
				if changed {
					s.t.Error("something was resumed twice")
				}
			},
			"the day": func(s *stage) {
				// Without an engine the day is short.
				_, err := s.stop(time.Minute)
				s.ok(err)
				s.pass(outbox.LongestWait - 10*time.Second)
				s.start()
				s.pass(5 * time.Second)
				s.same("shown before its end", []string{}, s.platforms["a"].texts("x"))
				s.pass(5 * time.Second)
			},
		} {
			t.Run(fmt.Sprint(name, " ", c.scope, " ", c.code), func(t *testing.T) {
				t.Parallel()
				play(t, func(s *stage) {
					p := refuse(s, c.scope, c.code)
					s.same("alerts", []string{"destination_down"}, s.alerts())
					lift(s)
					s.pass(2 * time.Second)
					s.same("shown", []string{"one", "two"}, p.texts("x"))
					s.same("alerts in the end", []string{}, s.alerts())
				})
			})
		}
	}
}

// What a person ends is trouble, and neither a wait for the rates nor one for the next edit.
func TestPutOffIsTrouble(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		p.rules.Rates = []sdk.Rate{{Scope: sdk.RateChannel, Events: 1, Per: time.Hour}}
		s.words.ladders.MinGap = time.Hour
		id := s.post("one", "a")
		s.start()
		s.pass(time.Second)
		s.revise(id, content("one, corrected"))
		s.post("two", "a")
		s.pass(time.Minute)
		put, err := s.db.PutOff(s.t.Context(), "a", time.Now())
		s.ok(err)
		if put {
			t.Error("it is put off")
		}
		s.ok(s.db.StartAgain(s.t.Context(), "a", time.Now()))
		s.pass(time.Minute)
		s.same("calls", []string{"publish one"}, p.said())
	})
}

// An alert names the cause of the doubt, and not always the same one.
func TestAnAlertNamesTheCause(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a    answer
		says string
	}{
		"an answer": {answer{err: sdk.Errorf(sdk.CodeUnknownOutcome, "send", "ops.example failed (500); whether it took the call is not known")},
			"on a: ops.example failed (500); whether it took the call is not known, and the platform cannot tell"},
		"no sentence": {answer{err: errPlain}, "on a: the connector failed without saying what happened, and the platform cannot tell"},
		"a deadline":  {answer{deaf: true}, "on a: no answer within 15s, and the platform cannot tell"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				s.platforms["a"].then(c.a)
				s.post("news", "a")
				s.start()
				s.pass(20 * time.Second)
				if a := s.alert(alert.OutcomeUnknown); !strings.Contains(a.Sentence, c.says) {
					t.Errorf("it says %q, want %q", a.Sentence, c.says)
				}
			})
		})
	}
	t.Run("an end of the daemon", func(t *testing.T) {
		t.Parallel()
		play(t, func(s *stage) {
			s.platforms["a"].then(answer{deaf: true})
			s.post("news", "a")
			s.start()
			s.pass(time.Second)
			_, _ = s.stop(time.Second)
			s.start()
			s.pass(3 * time.Second)
			if a := s.alert(alert.OutcomeUnknown); a.Sentence == "" || strings.Contains(a.Sentence, ": , and") {
				t.Errorf("it says %q", a.Sentence)
			}
		})
	})
}

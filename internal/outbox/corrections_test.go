package outbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

func TestCopiesFollow(t *testing.T) {
	t.Parallel()
	lost := answer{err: errPlain, effect: true} // done, but nobody heard of it
	unheard := answer{err: errPlain}
	for _, c := range []struct {
		name string
		able func(*platform)
		// script answers the calls that follow the first post.
		script []answer
		first  string
		acts   func(s *stage, id int64)
		texts  []string
		said   []string // nil: not looked at
		state  string   // of the copy
	}{
		{name: "a revision is an edit", first: "one", acts: func(s *stage, id int64) { s.revise(id, content("two")) },
			texts: []string{"two"}, said: []string{"publish one", "edit two"}, state: "done"},
		{name: "what changes nothing here stays", first: "one", acts: func(s *stage, id int64) {
			s.revise(id, compose.Content{Title: "one", Summary: "for others"})
		}, texts: []string{"one"}, said: []string{"publish one"}, state: "done"},
		{name: "a thread changes where it differs", first: "a|b|c", acts: func(s *stage, id int64) { s.revise(id, content("a|B")) },
			texts: []string{"a", "B"}, said: []string{"publish a", "publish b", "publish c", "edit B", "delete"}, state: "done"},
		{name: "a withdrawal deletes every part", first: "a|b", acts: func(s *stage, id int64) { s.withdraw(id) }, texts: []string{}, state: "done"},
		{name: "a withdrawal marks what cannot be deleted", able: func(p *platform) { p.deletes = false }, first: "a",
			acts: func(s *stage, id int64) { s.withdraw(id) }, texts: []string{"withdrawn"}, state: "done"},
		{name: "a withdrawal that nothing can carry out is listed", able: func(p *platform) { p.deletes, p.edits = false, false }, first: "a",
			acts: func(s *stage, id int64) { s.withdraw(id) }, texts: []string{"a"}, state: "listed"},
		{name: "it comes back", first: "a", acts: func(s *stage, id int64) {
			s.withdraw(id)
			s.pass(time.Minute)
			s.revise(id, content("b"))
		}, texts: []string{"b"}, state: "done"},
		{name: "a refused edit goes on to a note", first: "one", script: []answer{refusal(sdk.CodeWindowClosed, "", 0)}, acts: func(s *stage, id int64) {
			s.revise(id, compose.Content{Title: "two", Note: "corrected"})
		}, texts: []string{"one", "note on two"}, state: "done"},
		{name: "a refused edit without a note is listed", first: "one", script: []answer{refusal(sdk.CodeInvalid, "", 0)}, acts: func(s *stage, id int64) {
			s.revise(id, content("two"))
		}, texts: []string{"one"}, said: []string{"publish one", "edit two"}, state: "listed"},
		{name: "a revision that cannot be shown is listed", first: "one", acts: func(s *stage, id int64) { s.revise(id, content("too large")) },
			texts: []string{"one"}, said: []string{"publish one"}, state: "listed"},
		{name: "a revision that breaks the plan is listed", first: "one", acts: func(s *stage, id int64) { s.revise(id, content("panic")) },
			texts: []string{"one"}, said: []string{"publish one"}, state: "listed"},
		{name: "an edit nobody heard of, and then the old text again", first: "one", script: []answer{lost}, acts: func(s *stage, id int64) {
			s.revise(id, content("two"))
			s.engine.Wake()
			s.pass(10 * time.Millisecond)
			s.revise(id, content("one"))
		}, texts: []string{"one"}, state: "done"},
		{name: "a deletion nobody heard of, and then the post comes back as it was", first: "one", script: []answer{lost}, acts: func(s *stage, id int64) {
			s.withdraw(id)
			s.engine.Wake()
			s.pass(10 * time.Millisecond)
			s.revise(id, content("one"))
		}, texts: []string{"one"}, state: "done"},
		{name: "a deletion nobody heard of that did not happen", first: "one", script: []answer{unheard}, acts: func(s *stage, id int64) {
			s.withdraw(id)
			s.engine.Wake()
			s.pass(10 * time.Millisecond)
			s.revise(id, content("one"))
		}, texts: []string{"one"}, state: "done"},
		{name: "a deletion is repeated until it is done", first: "one", script: many(5, refusal(sdk.CodeUnavailable, "", 0)),
			acts: func(s *stage, id int64) { s.withdraw(id) }, texts: []string{}, state: "done"},
		{name: "a copy that somebody else deleted is listed", first: "one", acts: func(s *stage, id int64) {
			s.platforms["a"].held = nil
			s.revise(id, content("two"))
		}, texts: []string{}, state: "listed"},
		{name: "a legal retraction is tried by every means", first: "a|b", script: []answer{refusal(sdk.CodeUnavailable, "", 0), lost},
			acts: func(s *stage, id int64) { s.retract(id) }, texts: []string{}, state: "done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				p := s.platforms["a"]
				if c.able != nil {
					c.able(p)
				}
				id := s.post(c.first, "a")
				s.start()
				s.pass(time.Second)
				p.then(c.script...)
				c.acts(s, id)
				s.pass(5 * time.Minute)
				s.same("shown", c.texts, p.texts(""))
				if c.said != nil {
					s.same("calls", c.said, p.said())
				}
				if copies := s.copies(id); copies[0].State != c.state {
					t.Errorf("the copy is %+v, want it %s", copies[0], c.state)
				}
				if n := len(s.deliveries(store.DeliveryFilter{Limit: 1000})); n > 12 {
					t.Errorf("it took %d deliveries", n)
				}
			})
		})
	}
}

// What is refused while half of a thread is out does not turn in circles, and what is missing follows.
func TestHalfAThreadIsOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		script []answer
		title  string
		texts  []string
		state  string
	}{
		{"its edit is refused", []answer{refusal(sdk.CodeGone, "", 0)}, "A|B", []string{"a", "B"}, "listed"},
		{"its revision cannot be shown", nil, "too large", []string{"a"}, "failed"},
		{"it is revised", nil, "A|B", []string{"A", "B"}, "done"},
		{"it becomes shorter", nil, "A", []string{"A"}, "done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				p := s.platforms["a"]
				p.then(answer{}, refusal(sdk.CodeUnavailable, "", time.Minute))
				id := s.post("a|b", "a")
				s.start()
				s.pass(time.Second)
				s.same("half", []string{"a"}, p.texts(""))
				s.revise(id, content(c.title))
				p.then(c.script...)
				s.pass(5 * time.Minute)
				s.same("shown", c.texts, p.texts(""))
				s.same("state", c.state, s.copies(id)[0].State)
				if n := len(p.said()); n > 6 {
					t.Errorf("%d calls: %q", n, p.said())
				}
			})
		})
	}
}

func TestTenRevisionsWhileItIsDownAreOneEdit(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		id := s.post("0", "a", "b")
		s.start()
		s.pass(time.Second)
		p.then(refusal(sdk.CodeUnavailable, "", time.Minute))
		for i := 1; i <= 10; i++ {
			s.revise(id, content(fmt.Sprint(i)))
			s.pass(2 * time.Second)
		}
		s.pass(2 * time.Minute)
		s.same("calls", []string{"publish 0", "edit 1", "edit 10"}, p.said())
		s.same("shown", []string{"10"}, p.texts(""))
		s.same("shown by the other", []string{"10"}, s.platforms["b"].texts(""))
	})
}

func TestWithdrawnBeforeItsStartNeverLeaves(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*stage, int64){"withdrawn": (*stage).withdraw, "retracted": (*stage).retract} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				_, err := s.db.Pause(s.t.Context(), store.PauseDestination, "a", "test", time.Now())
				s.ok(err)
				id := s.post("news", "a")
				s.start()
				s.pass(3 * time.Second)
				take(s, id)
				_, err = s.db.Resume(s.t.Context(), store.PauseDestination, "a", "test", time.Now())
				s.ok(err)
				s.pass(3 * time.Second)
				s.same("calls", []string{}, s.platforms["a"].said())
				s.same("states", []string{"suppressed withdrawn_before"}, s.states())
			})
		})
	}
}

func TestEditsKeepTheirDistanceAndTheLastWins(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.words.ladders.MinGap = time.Minute
		p := s.platforms["a"]
		id := s.post("0", "a")
		s.start()
		s.pass(time.Second)
		for i := 1; i <= 5; i++ {
			s.revise(id, content(fmt.Sprint(i)))
			s.pass(5 * time.Second)
		}
		s.same("at first", []string{"publish 0", "edit 1"}, p.said())
		s.pass(2 * time.Minute)
		s.same("in the end", []string{"publish 0", "edit 1", "edit 5"}, p.said())
		made := p.made()
		if gap := made[2].at.Sub(made[1].at); gap < time.Minute {
			t.Errorf("the edits are %s apart", gap)
		}
	})
}

// A post is taken back while the call that publishes it is under way, and the call ends in every way.
func TestTakenBackWhileItLeaves(t *testing.T) {
	t.Parallel()
	dedup := func(p *platform) { p.dedup = true }
	finds := func(p *platform) { p.finds = true }
	for _, c := range []struct {
		name string
		able func(*platform)
		a    answer
		// published is how often the text may have left.
		published int
		listed    bool // a person has to look
	}{
		{name: "accepted", published: 1},
		{name: "refused", a: refusal(sdk.CodeInvalid, "", 0), published: 1},
		{name: "not taken", a: refusal(sdk.CodeUnavailable, "", 0), published: 1},
		{name: "unknown and there", a: answer{err: errPlain, effect: true}, published: 1, listed: true},
		{name: "unknown and found", able: finds, a: answer{err: errPlain, effect: true}, published: 1},
		{name: "unknown and surely missing", able: finds, a: answer{err: errPlain}, published: 1},
		{name: "unknown where repeats are known", able: dedup, a: answer{err: errPlain, effect: true}, published: 2},
	} {
		for _, legal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, legal %v", c.name, legal), func(t *testing.T) {
				t.Parallel()
				play(t, func(s *stage) {
					p := s.platforms["a"]
					if c.able != nil {
						c.able(p)
					}
					id := s.post("news", "a")
					c.a.before = func() {
						if legal {
							s.retract(id)
						} else {
							s.withdraw(id)
						}
					}
					p.then(c.a)
					s.start()
					s.pass(5 * time.Minute)
					if n := len(p.said()); n == 0 || count(p.said(), "publish news") > c.published {
						t.Errorf("calls: %q", p.said())
					}
					unknown := s.deliveries(store.DeliveryFilter{State: "unknown"})
					if c.listed {
						if len(unknown) != 1 {
							t.Errorf("nobody is asked: %q", s.states())
						}
						return
					}
					s.same("shown", []string{}, p.texts(""))
					if len(unknown) != 0 || s.copies(id)[0].State == "open" {
						t.Errorf("%q, %+v", s.states(), s.copies(id))
					}
				})
			})
		}
	}
}

// The text of a legal retraction is kept only as long as a repeat needs it.
func TestALegalRetractionDuringARepeatFindsTheCopy(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		p.dedup = true
		p.then(answer{err: errPlain, effect: true}, refusal(sdk.CodeUnavailable, "", time.Minute))
		id := s.post("defamation", "a")
		s.start()
		s.pass(30 * time.Second) // the repeat waits for its next attempt
		s.same("waits", []string{"pending (unavailable)"}, s.states())
		s.retract(id)
		s.pass(10 * time.Minute)
		s.same("shown", []string{}, p.texts(""))
		n, err := s.db.CountText(s.t.Context(), "defamation")
		s.ok(err)
		if n != 0 {
			t.Errorf("the text is still in %d places", n)
		}
	})
}

// A call that a person finds missing is decided anew: what was taken back meanwhile does not leave.
func TestAMissingCallIsDecidedAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		act  func(s *stage, id int64)
		want []string
	}{
		"taken back": {(*stage).retract, []string{}},
		"revised":    {func(s *stage, id int64) { s.revise(id, content("two")) }, []string{"two"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				p := s.platforms["a"]
				p.then(answer{err: errPlain})
				id := s.post("one", "a")
				s.start()
				s.pass(3 * time.Second)
				c.act(s, id)
				d := s.deliveries(store.DeliveryFilter{State: "unknown"})
				s.ok(s.db.ResolveByHand(s.t.Context(), d[0].ID, store.SayMissing, "", "test", time.Now()))
				s.pass(time.Minute)
				s.same("shown", c.want, p.texts(""))
				if n := count(p.said(), "publish one"); n != 1 {
					t.Errorf("the old text left %d times", n)
				}
			})
		})
	}
}

// With "resend", a post that was taken back is not sent a second time only to be deleted, while a first copy may stay.
func TestResendDoesNotSendWhatWasTakenBack(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.adjust = func(d *outbox.Destination) { d.Resend = true }
		p := s.platforms["a"]
		id := s.post("one", "a")
		p.then(answer{err: errPlain, effect: true, before: func() { s.withdraw(id) }})
		s.start()
		s.pass(time.Minute)
		s.same("calls", []string{"publish one"}, p.said())
		s.same("alerts", []string{"outcome_unknown"}, s.alerts())
	})
}

// A revision that comes while an older one is being refused is not refused with it.
func TestARevisionOutlivesTheRefusalOfAnOlderOne(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		id := s.post("bad", "a")
		a := refusal(sdk.CodeInvalid, "", 0)
		a.before = func() { s.revise(id, content("good")) }
		p.then(a)
		s.start()
		s.pass(time.Minute)
		s.same("shown", []string{"good"}, p.texts(""))
		s.same("alerts", []string{}, s.alerts())
		s.same("states", []string{"failed (invalid)", "sent"}, s.states())
	})
}

// A thread of which a part is refused, and which was withdrawn meanwhile, does not stay.
func TestAWithdrawalOutlivesTheRefusalOfAPart(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		id := s.post("a|b", "a")
		refused := refusal(sdk.CodeInvalid, "", 0)
		refused.before = func() { s.withdraw(id) }
		p.then(answer{}, refused)
		s.start()
		s.pass(time.Minute)
		s.same("shown", []string{}, p.texts(""))
		s.same("alerts", []string{}, s.alerts())
	})
}

// A repost takes the old copy away and stands by its own age: what may be done with it counts from when it came.
func TestARepostIsANewCopy(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.words.ladders.Revised = []string{"edit", "repost", "list"}
		p := s.platforms["a"]
		p.rules.EditFor = 2 * time.Minute
		id := s.post("one", "a")
		s.start()
		s.pass(3 * time.Minute)
		s.revise(id, compose.Content{Title: "two", Note: "wrong"})
		s.pass(time.Minute)
		s.revise(id, content("three"))
		s.pass(time.Minute)
		s.same("calls", []string{"publish one", "delete", "publish two", "edit three"}, p.said())
		s.same("shown", []string{"three"}, p.texts(""))
	})
}

// Notes that answered a post go with it, also when the post itself is already being posted anew.
func TestNotesGoWithTheirPost(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.words.ladders.Revised = []string{"edit", "reply"}
		p := s.platforms["a"]
		p.edits = false
		id := s.post("one", "a")
		s.start()
		s.pass(time.Second)
		s.revise(id, compose.Content{Title: "two", Note: "wrong"})
		s.pass(time.Minute)
		s.same("shown", []string{"one", "note on two"}, p.texts(""))
		s.words.ladders.Revised = []string{"repost"}
		p.then(answer{}, refusal(sdk.CodeUnavailable, "", time.Minute))
		s.revise(id, compose.Content{Title: "three", Note: "wrong"})
		s.pass(10 * time.Second)
		s.same("while it waits to be posted anew", []string{"note on two"}, p.texts(""))
		s.withdraw(id)
		s.pass(5 * time.Minute)
		s.same("shown", []string{}, p.texts(""))
	})
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		p.then(refusal(sdk.CodeRateLimited, "", 10*time.Minute))
		id := s.expiring("old news", 5*time.Minute, "a")
		s.post("news", "a")
		s.start()
		s.pass(time.Second)
		s.pass(15 * time.Minute)
		s.same("shown", []string{"news"}, p.texts(""))
		s.same("states", []string{"expired", "sent"}, s.states())
		s.same("alerts", []string{"post_expired"}, s.alerts())
		d := s.deliveries(store.DeliveryFilter{State: "expired"})[0]
		if d.Error != "it waited longer than max_age" {
			t.Errorf("the record says %q", d.Error)
		}
		// What was dropped for its age stays so, whatever its source does; a person may send it all the same.
		s.revise(id, content("older news"))
		s.pass(time.Minute)
		s.same("shown", []string{"news"}, p.texts(""))
		s.ok(s.db.Resend(s.t.Context(), d.ID, "test", time.Now()))
		s.pass(time.Minute)
		s.same("shown", []string{"news", "older news"}, p.texts(""))
		s.same("alerts", []string{}, s.alerts())
	})
}

func TestABlackoutHoldsOrDrops(t *testing.T) {
	t.Parallel()
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprint("drop ", drop), func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				p := s.platforms["a"]
				before := s.post("before", "a")
				s.start()
				s.pass(time.Second)
				begun := time.Now()
				s.words.silenced = func(now time.Time) (string, bool, bool) { return "election", drop, now.Before(begun.Add(time.Hour)) }
				id := s.post("during", "a")
				s.revise(before, content("corrected"))
				s.pass(time.Minute)
				s.same("shown: corrections go on", []string{"corrected"}, p.texts(""))
				if drop {
					s.same("state", "dropped", s.copies(id)[0].State)
					return
				}
				s.same("alerts", []string{"held_for_release"}, s.alerts())
				held, err := s.db.Posts(s.t.Context(), "alertes", true, 10)
				s.ok(err)
				if len(held) != 1 || held[0].ID != id {
					t.Fatalf("listed as held: %+v", held)
				}
				n, err := s.db.ReleaseHeld(s.t.Context(), "alertes", false, "test", time.Now())
				s.ok(err)
				if n != 1 {
					t.Errorf("%d released", n)
				}
				s.pass(time.Minute)
				s.same("shown", []string{"corrected", "during"}, p.texts(""))
			})
		})
	}
}

func count(list []string, what string) int {
	n := 0
	for _, x := range list {
		if x == what {
			n++
		}
	}
	return n
}

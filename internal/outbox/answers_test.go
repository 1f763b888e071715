package outbox_test

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// What becomes of a post when the first call for it is answered in every way there is.
func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	dedup := func(p *platform) { p.dedup = true }
	finds := func(p *platform) { p.finds = true }
	one := []string{"news"}
	for _, c := range []struct {
		name   string
		able   func(*platform)
		adjust func(*outbox.Destination)
		script []answer
		states []string
		alerts []string
		texts  []string
		calls  int // without look-ups; 0 means any number
	}{
		{name: "accepted", script: []answer{{}}, states: []string{"sent"}, texts: one, calls: 1},
		{name: "rate limited", script: []answer{refusal(sdk.CodeRateLimited, "", 90*time.Second)}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "rate limited for the account", script: []answer{refusal(sdk.CodeRateLimited, sdk.ScopeAccount, 90*time.Second)}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "rate limited without a time", script: []answer{refusal(sdk.CodeRateLimited, "", 0)}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "unavailable", script: []answer{refusal(sdk.CodeUnavailable, "", 0), refusal(sdk.CodeUnavailable, "", 0)}, states: []string{"sent"}, texts: one, calls: 3},
		{name: "unavailable for a time", script: []answer{refusal(sdk.CodeUnavailable, "", 200*time.Second)}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "account unavailable for a time", script: []answer{refusal(sdk.CodeUnavailable, sdk.ScopeAccount, 200*time.Second)}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "invalid", script: []answer{refusal(sdk.CodeInvalid, "", 0)}, states: []string{"failed (invalid)"}, alerts: []string{"post_failed"}, texts: []string{}, calls: 1},
		{name: "too large", script: []answer{refusal(sdk.CodeTooLarge, "", 0)}, states: []string{"failed (too_large)"}, alerts: []string{"post_failed"}, texts: []string{}, calls: 1},
		{name: "unsupported", script: []answer{refusal(sdk.CodeUnsupported, "", 0)}, states: []string{"failed (unsupported)"}, alerts: []string{"post_failed"}, texts: []string{}, calls: 1},
		{name: "window closed", script: []answer{refusal(sdk.CodeWindowClosed, "", 0)}, states: []string{"failed (window_closed)"}, alerts: []string{"post_failed"}, texts: []string{}, calls: 1},
		{name: "unauthenticated", script: []answer{refusal(sdk.CodeUnauthenticated, "", 0)}, states: []string{"pending (unauthenticated)"}, alerts: []string{"destination_stop"}, texts: []string{}, calls: 1},
		{name: "forbidden", script: []answer{refusal(sdk.CodeForbidden, sdk.ScopeDestination, 0)}, states: []string{"pending (forbidden)"}, alerts: []string{"destination_stop"}, texts: []string{}, calls: 1},
		{name: "gone", script: []answer{refusal(sdk.CodeGone, "", 0)}, states: []string{"pending (gone)"}, alerts: []string{"destination_stop"}, texts: []string{}, calls: 1},
		{name: "no channel", script: []answer{refusal(sdk.CodeNotAChannel, "", 0)}, states: []string{"pending (not_a_channel)"}, alerts: []string{"destination_stop"}, texts: []string{}, calls: 1},
		{name: "no consent", script: []answer{refusal(sdk.CodeNoConsent, "", 0)}, states: []string{"pending (no_consent)"}, alerts: []string{"destination_stop"}, texts: []string{}, calls: 1},
		{name: "unknown, arrived", script: []answer{{err: sdk.Errorf(sdk.CodeUnknownOutcome, "send", "cut off"), effect: true}},
			states: []string{"unknown asked (unknown_outcome)"}, alerts: []string{"outcome_unknown"}, texts: one, calls: 1},
		{name: "unknown, missing", script: []answer{refusal(sdk.CodeUnknownOutcome, "", 0)},
			states: []string{"unknown asked (unknown_outcome)"}, alerts: []string{"outcome_unknown"}, texts: []string{}, calls: 1},
		{name: "unknown where repeats are known, arrived", able: dedup, script: []answer{{err: errPlain, effect: true}}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "unknown where repeats are known, missing", able: dedup, script: []answer{{err: errPlain}}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "unknown where calls can be found, arrived", able: finds, script: []answer{{err: errPlain, effect: true}}, states: []string{"sent"}, texts: one, calls: 1},
		{name: "unknown where calls can be found, missing", able: finds, script: []answer{{err: errPlain}}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "unknown and sent again", adjust: func(d *outbox.Destination) { d.Resend = true }, script: []answer{{err: errPlain, effect: true}}, states: []string{"sent"}, texts: []string{"news", "news"}, calls: 2},
		{name: "an error of another kind", script: []answer{{err: errPlain}}, states: []string{"unknown asked (unknown_outcome)"}, alerts: []string{"outcome_unknown"}, texts: []string{}, calls: 1},
		{name: "a code of tomorrow", script: []answer{refusal("of_tomorrow", "", 0)}, states: []string{"unknown asked (of_tomorrow)"}, alerts: []string{"outcome_unknown"}, texts: []string{}, calls: 1},
		{name: "a panic", script: []answer{{panics: true, effect: true}}, states: []string{"unknown asked (unknown_outcome)"}, alerts: []string{"outcome_unknown"}, texts: one, calls: 1},
		{name: "no answer", script: []answer{{hang: true}}, states: []string{"unknown asked (unknown_outcome)"}, alerts: []string{"outcome_unknown"}, texts: []string{}, calls: 1},
		{name: "no answer, but an effect", able: dedup, script: []answer{{hang: true, effect: true}}, states: []string{"sent"}, texts: one, calls: 2},
		{name: "deaf to the deadline", script: []answer{{deaf: true}}, states: []string{"unknown asked (unknown_outcome)"}, alerts: []string{"outcome_unknown"}, texts: []string{}, calls: 1},
		{name: "an unknown call that then cannot be repeated for long", able: dedup, adjust: func(d *outbox.Destination) { d.RetryFor = 20 * time.Second },
			script: append([]answer{{err: errPlain, effect: true}}, many(40, refusal(sdk.CodeUnavailable, "", 0))...),
			states: []string{"unknown asked (unavailable)"}, alerts: []string{"outcome_unknown"}, texts: one},
		{name: "unavailable for longer than it is retried", adjust: func(d *outbox.Destination) { d.RetryFor = 20 * time.Second }, script: many(40, refusal(sdk.CodeUnavailable, "", 0)),
			states: []string{"failed (unavailable)"}, alerts: []string{"post_failed"}, texts: []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				p := s.platforms["a"]
				if c.able != nil {
					c.able(p)
				}
				s.adjust = c.adjust
				p.then(c.script...)
				s.post("news", "a")
				s.start()
				s.pass(5 * time.Minute)
				s.same("states", c.states, s.states())
				if c.alerts == nil {
					c.alerts = []string{}
				}
				s.same("alerts", c.alerts, s.alerts())
				s.same("what is shown", c.texts, p.texts(""))
				calls := 0
				for _, m := range p.made() {
					if m.op != "find" {
						calls++
					}
				}
				if c.calls > 0 && calls != c.calls {
					t.Errorf("%d calls were made, want %d", calls, c.calls)
				}
			})
		})
	}
}

func many(n int, a answer) []answer {
	out := make([]answer, n)
	for i := range out {
		out[i] = a
	}
	return out
}

// An error that a connector keeps and gives again and again is not changed by whoever reads it.
func TestErrorsOfConnectorsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		kept := &sdk.Error{Code: sdk.CodeUnknownOutcome, Op: "edit"}
		id := s.post("one", "a")
		s.start()
		s.pass(time.Second)
		s.platforms["a"].then(answer{err: kept})
		s.revise(id, content("two"))
		s.pass(time.Minute)
		s.same("shown", []string{"two"}, s.platforms["a"].texts(""))
		if kept.Code != sdk.CodeUnknownOutcome {
			t.Errorf("the error is %q by now", kept.Code)
		}
	})
}

// Waits between attempts are rows, spread at random below a bound that grows.
func TestRetriesAreRows(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		p.then(many(400, refusal(sdk.CodeUnavailable, "", 0))...)
		for range 40 {
			s.post("news", "a")
		}
		s.start()
		s.pass(time.Millisecond)
		first := map[time.Time]bool{}
		for _, d := range s.deliveries(store.DeliveryFilter{}) {
			wait := d.NextAt.Sub(d.StartedAt)
			if d.State != outbox.Pending || d.Attempt != 1 || wait < 200*time.Millisecond || wait > 2300*time.Millisecond {
				t.Fatalf("a first failure left %+v, which waits for %s", d, wait)
			}
			first[d.NextAt] = true
		}
		if len(first) < 30 {
			t.Errorf("40 failures are tried again at %d moments only", len(first))
		}
		s.pass(20 * time.Second)
		longest := time.Duration(0)
		for _, d := range s.deliveries(store.DeliveryFilter{}) {
			longest = max(longest, d.NextAt.Sub(d.StartedAt))
			if d.Attempt < 3 {
				t.Errorf("only %d attempts in 20 s", d.Attempt)
			}
		}
		if longest < 3*time.Second {
			t.Errorf("the longest wait is %s: waits do not grow", longest)
		}
	})
}

// What the platform asks to wait for holds for its scope, also after a restart and after a success elsewhere.
func TestRetryAfterHolds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		scope sdk.Scope
		code  sdk.Code
		other time.Duration // after which the other chat may be served at the latest
	}{
		{"one channel", sdk.ScopeDestination, sdk.CodeRateLimited, 10 * time.Second},
		{"the account", sdk.ScopeAccount, sdk.CodeRateLimited, 5 * time.Minute},
		{"one channel that is down", sdk.ScopeDestination, sdk.CodeUnavailable, 10 * time.Second},
		{"an account that is down", sdk.ScopeAccount, sdk.CodeUnavailable, 5 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				p := s.platforms["a"]
				s.start()
				// A call to another chat is under way when the refusal comes, and is accepted after it.
				p.then(answer{before: func() { time.Sleep(3 * time.Second) }})
				s.post("slow", "a y")
				s.pass(time.Second)
				p.then(refusal(c.code, c.scope, 4*time.Minute))
				s.post("one", "a x")
				s.pass(5 * time.Second)
				s.post("two", "a x")
				s.post("three", "a y")
				s.pass(time.Minute)
				_, err := s.stop(time.Minute)
				s.ok(err)
				s.start()
				s.pass(c.other)
				if got := p.texts("y"); len(got) != 2 {
					t.Errorf("the other chat shows %q", got)
				}
				s.pass(6 * time.Minute)
				s.same("shown", []string{"one", "two"}, p.texts("x"))
				s.same("states", []string{"sent", "sent", "sent", "sent"}, s.states())
			})
		})
	}
}

// A person finds what failed, and sends it again.
func TestDeadLettersAreListedAndSentAgain(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		p.then(refusal(sdk.CodeInvalid, "", 0))
		s.post("news", "a")
		s.start()
		s.pass(time.Second)
		dead := s.deliveries(store.DeliveryFilter{Destination: "a", State: "failed"})
		if len(dead) != 1 || dead[0].Title != "news" || dead[0].Error == "" || dead[0].SettledAt.IsZero() {
			t.Fatalf("%+v", dead)
		}
		a := s.alert(alert.PostFailed)
		if a.Subject != "a" || a.Mend == "" {
			t.Errorf("%+v", a)
		}
		s.ok(s.db.Resend(s.t.Context(), dead[0].ID, "test", time.Now()))
		if err := s.db.Resend(s.t.Context(), dead[0].ID, "test", time.Now()); err == nil {
			t.Error("it is sent twice")
		}
		s.pass(2 * time.Second)
		s.same("shown", []string{"news"}, p.texts(""))
		s.same("states", []string{"failed (invalid)", "sent"}, s.states())
		s.same("alerts", []string{}, s.alerts())
		for _, d := range s.deliveries(store.DeliveryFilter{State: "sent"}) {
			if err := s.db.Resend(s.t.Context(), d.ID, "test", time.Now()); err == nil {
				t.Error("what was sent is sent again")
			}
		}
	})
}

// A person says what became of a call that nobody else knows of.
func TestAPersonResolvesAnUnknownCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		say   store.Say
		texts []string
		calls int
	}{{store.SayArrived, []string{"news"}, 1}, {store.SayMissing, []string{"news", "news"}, 2}} {
		t.Run(string(c.say), func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				p := s.platforms["a"]
				p.then(answer{err: errPlain, effect: true})
				s.post("news", "a")
				s.start()
				s.pass(5 * time.Second)
				d := s.deliveries(store.DeliveryFilter{State: "unknown"})
				if len(d) != 1 {
					t.Fatalf("%+v", d)
				}
				if err := s.db.ResolveByHand(s.t.Context(), d[0].ID, store.SayDone, "", "test", time.Now()); err == nil {
					t.Error("an unknown call was done by hand")
				}
				s.ok(s.db.ResolveByHand(s.t.Context(), d[0].ID, c.say, "", "test", time.Now()))
				s.pass(5 * time.Second)
				s.same("shown", c.texts, p.texts(""))
				s.same("states", []string{"sent"}, s.states())
				s.same("alerts", []string{}, s.alerts())
			})
		})
	}
}

// A platform that cannot be asked right now is asked again, less and less often, and a person is not troubled before.
func TestLookUpsBackOff(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		p.finds, p.findFails = true, sdk.Errorf(sdk.CodeUnavailable, "find", "down")
		p.then(answer{err: errPlain, effect: true})
		s.post("news", "a")
		s.start()
		s.pass(5 * time.Minute)
		finds := len(p.made()) - 1
		if finds < 3 || finds > 60 {
			t.Errorf("it was asked %d times in five minutes", finds)
		}
		s.same("alerts", []string{}, s.alerts())
		s.pass(25 * time.Minute) // asked at last before retry_for is over, it is asked again within 16.5 minutes
		s.same("alerts", []string{"outcome_unknown"}, s.alerts())
		p.mu.Lock()
		p.findFails = nil
		p.mu.Unlock()
		s.pass(20 * time.Minute)
		s.same("states", []string{"sent"}, s.states())
		s.same("alerts", []string{}, s.alerts())
		s.same("shown", []string{"news"}, p.texts(""))
	})
}

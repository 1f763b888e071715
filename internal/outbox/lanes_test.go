package outbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// Posts leave in their order, the parts of a thread together; one that has to wait delays no other, and urgent matters go
// first.
func TestOrder(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		p := s.platforms["a"]
		_, err := s.db.Pause(s.t.Context(), store.PauseAll, "", "test", time.Now())
		s.ok(err)
		out := s.post("out", "a")
		s.start()
		s.pass(2 * time.Second)
		s.same("while everything is paused", []string{}, p.said())
		_, err = s.db.Resume(s.t.Context(), store.PauseAll, "", "test", time.Now())
		s.ok(err)
		s.pass(2 * time.Second)
		_, err = s.db.Pause(s.t.Context(), store.PauseDestination, "a", "test", time.Now())
		s.ok(err)
		var want []string
		for i := range 50 {
			s.post(fmt.Sprintf("%d|and on", i), "a")
			want = append(want, fmt.Sprintf("publish %d", i), "publish and on")
		}
		s.withdraw(out)
		_, err = s.db.Resume(s.t.Context(), store.PauseDestination, "a", "test", time.Now())
		s.ok(err)
		p.then(answer{}, answer{}, answer{}, refusal(sdk.CodeUnavailable, "", 0)) // the withdrawal, the first post, the second
		s.pass(time.Minute)
		said := p.said()
		s.same("first", []string{"publish out", "delete"}, said[:2])
		s.same("after it", append([]string{"publish 0", "publish and on", "publish 1"}, want[4:]...), said[2:len(said)-2])
		s.same("the one that had to wait", want[2:4], said[len(said)-2:])
		for i, m := range p.held {
			if m.text == "and on" && m.replyTo != p.held[i-1].id {
				t.Fatalf("%+v answers another post", m)
			}
		}
	})
}

// Rates hold for every stretch of time, per channel and for the destination, over a restart too.
func TestRates(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		rates := []sdk.Rate{{Scope: sdk.RateChannel, Events: 2, Per: time.Second}, {Scope: sdk.RateChannel, Events: 5, Per: 10 * time.Second},
			{Scope: sdk.RateDestination, Events: 12, Per: 20 * time.Second}, {Scope: sdk.RateDestination, Events: 100_000, Per: time.Hour}}
		p := s.platforms["a"]
		p.rules.Rates = rates
		for i := range 20 {
			s.post(fmt.Sprint("x", i), "a x")
			s.post(fmt.Sprint("y", i), "a y")
		}
		s.start()
		s.pass(13 * time.Second)
		_, err := s.stop(time.Minute)
		s.ok(err)
		s.start()
		s.pass(2 * time.Minute)
		made := p.made()
		if len(made) != 40 {
			t.Fatalf("%d calls were made", len(made))
		}
		for _, r := range rates {
			for i := range made {
				n := 0
				for _, m := range made[i:] {
					if m.at.Sub(made[i].at) < r.Per && (r.Scope == sdk.RateDestination || m.chat == made[i].chat) {
						n++
					}
				}
				if n > r.Events {
					t.Errorf("%d calls within %s from %s on", n, r.Per, made[i].at)
				}
			}
		}
		// Nor are they slower than they have to be: 40 calls at 12 in 20 s.
		if took := made[39].at.Sub(made[0].at); took > 65*time.Second {
			t.Errorf("40 calls took %s", took)
		}
	})
}

func TestRatesOff(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.adjust = func(d *outbox.Destination) { d.NoRates = true }
		s.platforms["a"].rules.Rates = []sdk.Rate{{Scope: sdk.RateChannel, Events: 1, Per: time.Hour}}
		for i := range 5 {
			s.post(fmt.Sprint(i), "a")
		}
		s.start()
		s.pass(time.Second)
		if n := len(s.platforms["a"].texts("")); n != 5 {
			t.Errorf("%d left", n)
		}
	})
}

// Rates of the admin's own take the place of the platform's, whether these are stricter or looser.
func TestRatesOfOnesOwn(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.adjust = func(d *outbox.Destination) {
			d.Rates = []sdk.Rate{{Scope: sdk.RateDestination, Events: 3, Per: time.Minute}}
		}
		s.platforms["a"].rules.Rates = []sdk.Rate{{Scope: sdk.RateChannel, Events: 1, Per: time.Hour}}
		for i := range 5 {
			s.post(fmt.Sprint(i), "a")
		}
		s.start()
		s.pass(30 * time.Second)
		if n := len(s.platforms["a"].texts("")); n != 3 {
			t.Errorf("%d left at first", n)
		}
		s.pass(time.Minute)
		if n := len(s.platforms["a"].texts("")); n != 5 {
			t.Errorf("%d left in the end", n)
		}
	})
}

// A destination that fails, hangs, or is deaf delays no other, nor its own other channels.
func TestTroubleStaysWhereItIs(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answer{"down": refusal(sdk.CodeUnavailable, "", 0), "hanging": {hang: true}, "deaf": {deaf: true}, "panicking": {panics: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				bad, good := s.platforms["a"], s.platforms["b"]
				a.chat = "x"
				bad.then(many(3, a)...)
				for range 3 {
					s.post("news", "a x")
				}
				s.start()
				s.pass(2 * time.Second)
				for i := range 3 {
					s.post(fmt.Sprint("other ", i), "a y", "b")
					begun := time.Now()
					s.engine.Wake()
					s.pass(100 * time.Millisecond)
					m := good.made()
					if len(m) != i+1 || m[i].at.Sub(begun) > 50*time.Millisecond {
						t.Fatalf("the healthy destination was not called at once: %+v", m)
					}
					s.pass(5 * time.Second)
				}
				if name != "down" {
					s.pass(time.Minute)
				}
				if got := bad.texts("y"); len(got) != 3 {
					t.Errorf("its other channel shows %q", got)
				}
			})
		})
	}
}

// A delivery that cannot even be worked on is put aside: the posts behind it leave, and it ends with a record.
func TestPoisonIsSetAside(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		asked := 0
		s.words.fails = func(title string) error {
			if strings.Contains(title, "poison") {
				asked++
				return errors.New("the template is broken")
			}
			return nil
		}
		s.post("poison", "a")
		s.post("news", "a")
		s.start()
		s.pass(2 * time.Second)
		s.same("shown", []string{"news"}, s.platforms["a"].texts(""))
		s.pass(30 * time.Minute)
		s.same("states", []string{"failed", "sent"}, s.states())
		s.same("alerts", []string{"post_failed"}, s.alerts())
		if asked > 20 {
			t.Errorf("it was tried %d times", asked)
		}
	})
}

// A channel that cannot be resolved says so once, and its posts wait for a mended configuration.
func TestAChannelThatIsNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		alerts []string
		shown  []string
	}{
		"a private chat": {sdk.Errorf(sdk.CodeNotAChannel, "resolve", "@reader is a person"), []string{"destination_stop"}, []string{}},
		"not there":      {sdk.Errorf(sdk.CodeInvalid, "resolve", "there is no @gazete"), []string{"destination_stop"}, []string{}},
		"forbidden":      {sdk.Errorf(sdk.CodeForbidden, "resolve", "the bot may not post"), []string{"destination_stop"}, []string{}},
		"down":           {sdk.Errorf(sdk.CodeUnavailable, "resolve", "down"), []string{}, []string{"news"}},
		"unclear":        {errPlain, []string{}, []string{"news"}},
		"a panic":        {nil, []string{}, []string{"news"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *stage) {
				tries := 0
				s.platforms["a"].resolve = func(string) error {
					if tries++; tries > 3 {
						return nil
					}
					if c.err == nil {
						panic("resolving fails")
					}
					return c.err
				}
				s.post("news", "a @gazette")
				s.post("other", "b")
				s.start()
				s.pass(5 * time.Minute)
				s.same("alerts", c.alerts, s.alerts())
				s.same("shown", c.shown, s.platforms["a"].texts("@gazette"))
				s.same("shown elsewhere", []string{"other"}, s.platforms["b"].texts(""))
				if len(c.alerts) > 0 {
					if tries != 1 {
						t.Errorf("%d tries", tries)
					}
					rows, err := s.db.Alerts(s.t.Context())
					s.ok(err)
					if !strings.Contains(rows[0].Sentence, "destination a @gazette: "+strings.TrimPrefix(c.err.Error(), "resolve: ")) {
						t.Errorf("the sentence is %q", rows[0].Sentence)
					}
				}
			})
		})
	}
}

// Somebody is told of a destination that stays down, once, and that it came back.
func TestADestinationThatStaysDown(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.adjust = func(d *outbox.Destination) { d.RetryFor = 24 * time.Hour }
		p := s.platforms["a"]
		p.then(many(8, refusal(sdk.CodeUnavailable, "", 2*time.Minute))...)
		s.post("news", "a")
		s.start()
		s.pass(5 * time.Minute)
		s.same("early", []string{}, s.alerts())
		s.pass(8 * time.Minute)
		s.same("later", []string{"destination_down"}, s.alerts())
		s.pass(30 * time.Minute)
		s.same("in the end", []string{}, s.alerts())
		s.same("shown", []string{"news"}, p.texts(""))
	})
}

// More channels than may be served at once: all get their turn, and nobody looks at the store all the time meanwhile.
func TestMoreChannelsThanPlaces(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.adjust = func(d *outbox.Destination) { d.Parallel = 2 }
		p := s.platforms["a"]
		for i := range 6 {
			p.then(answer{before: func() { time.Sleep(10 * time.Second) }})
			s.post("news", fmt.Sprint("a chat", i))
		}
		s.start()
		s.pass(29 * time.Second)
		if n := len(p.made()); n != 6 {
			t.Errorf("%d calls were begun", n)
		}
		s.pass(10 * time.Second)
		s.same("states", []string{"sent", "sent", "sent", "sent", "sent", "sent"}, s.states())
	})
}

// A call may take longer than a lease is by default: nobody takes it for lost meanwhile.
func TestALongCallKeepsItsLease(t *testing.T) {
	t.Parallel()
	play(t, func(s *stage) {
		s.adjust = func(d *outbox.Destination) { d.Timeout = 3 * time.Minute }
		p := s.platforms["a"]
		p.then(answer{before: func() { time.Sleep(150 * time.Second) }})
		s.post("news", "a")
		s.post("more", "a")
		s.start()
		s.pass(140 * time.Second)
		s.same("meanwhile", []string{"started", "pending"}, s.states())
		s.pass(time.Minute)
		s.same("states", []string{"sent", "sent"}, s.states())
		s.same("calls", []string{"publish news", "publish more"}, p.said())
	})
}

package outbox

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The moments of an outage are the same for everybody, come closely at first, and never further apart than a bound.
func TestPace(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		pace pace
		want []time.Duration // the first moments
	}{
		"harmless": {harmless, []time.Duration{2 * time.Second, 4 * time.Second, 6 * time.Second, 9 * time.Second, 13500 * time.Millisecond}},
		"risky":    {risky, []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []time.Duration
			at := since
			for range c.want {
				at = c.pace.after(since, at)
				got = append(got, at.Sub(since))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			for at.Sub(since) < 30*time.Hour {
				next := c.pace.after(since, at)
				if step := next.Sub(at); step < c.pace.least/2 || step > c.pace.most {
					t.Fatalf("%s after its begin the next moment is %s away", at.Sub(since), step)
				}
				// Whoever asks a little later is told the same, unless the moment is near.
				if later := c.pace.after(since, at.Add(c.pace.least/4)); at.Sub(since) < 24*time.Hour-c.pace.most && !later.Equal(next) {
					t.Fatalf("%s after its begin there are two next moments, %s and %s", at.Sub(since), next, later)
				}
				at = next
			}
			if early := c.pace.after(since, since.Add(-time.Hour)); early.Before(since.Add(-time.Hour)) || early.After(since.Add(c.pace.most)) {
				t.Errorf("with a clock that was set back, the next moment is %s", early)
			}
		})
	}
}

// What failed before others were accepted has one more chance soon; what fails then has trouble of its own, until it is
// accepted.
func TestWhoseTrouble(t *testing.T) {
	t.Parallel()
	var o outages
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	check := func(what string, delivery int64, wantAlone, wantOK bool) {
		t.Helper()
		again, alone, ok := o.failed("x", delivery, harmless, now)
		if alone != wantAlone || ok != wantOK || ok && !again.After(now) {
			t.Errorf("%s: %s, alone %v, in an outage %v", what, again, alone, ok)
		}
	}
	o.accepted("x", 9) // nothing failed yet
	check("the first", 1, true, true)
	check("the first again", 1, true, true)
	check("a second one", 2, false, true)
	if at, ok := o.again("x", 2, harmless, now.Add(time.Second)); !ok || !at.After(now.Add(time.Second)) {
		t.Errorf("the second one is tried again at %s, %v", at, ok)
	}
	if _, ok := o.again("x", 3, harmless, now); ok {
		t.Error("what never failed is tried again")
	}
	o.accepted("x", 1)
	if at, ok := o.again("x", 2, harmless, now); !ok || at != now.Add(harmless.least) {
		t.Errorf("after the end the second one is tried again at %s, %v", at, ok)
	}
	check("the second one, after that", 2, false, false)
	check("a third one", 3, true, true)
	o.accepted("y", 4) // another channel says nothing of this one
	check("a fifth one", 5, false, true)
	o.accepted("x", 2)
	check("the second one, once it was accepted", 2, true, true)
	now = now.Add(forgetAfter + time.Minute)
	check("another outage, much later", 6, true, true)
}

package outbox_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/sdk"
)

// aCall is how long a destination takes for a call. What it is told apart from are the writer's waits, of a millisecond each, which
// fall among the lanes as the machine lets them.
const aCall = 500 * time.Millisecond

// ten destinations take a post every other second for two minutes; the first of them answers so. It gives how long each
// post was under way to each of the other nine, sorted.
func ten(t *testing.T, first answer) (lags []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		platforms, targets := map[string]*platform{}, []string{}
		for i := range 10 {
			name := fmt.Sprint("d", i)
			platforms[name] = newPlatform()
			targets = append(targets, name)
			// Their calls take some time, each another one. Who waits for a call of another waits for longer than for anything else.
			platforms[name].then(many(100, answer{before: func() { time.Sleep(aCall + time.Duration(i)*time.Millisecond) }})...)
		}
		platforms["d0"].script = many(500, first)
		s := newStage(t, platforms)
		s.adjust = func(d *outbox.Destination) { d.RetryFor = 24 * time.Hour }
		s.start()
		s.pass(time.Second)
		begun := map[string]time.Time{}
		for i := range 60 {
			title := fmt.Sprint("post ", i)
			begun[title] = time.Now()
			s.post(title, targets...)
			s.engine.Wake()
			s.pass(2 * time.Second)
		}
		for _, name := range targets[1:] {
			made := platforms[name].made()
			s.same("calls to "+name, 60, len(made))
			for _, m := range made {
				lags = append(lags, m.at.Sub(begun[m.text]))
			}
		}
	})
	slices.Sort(lags)
	return lags
}

// One of ten destinations that hangs, fails, drips or breaks the daemon's rules changes nothing for the other nine: none
// of their posts waits for a call of another. How that is in real time is measured by the bench (one-bad).
func TestOneBadOfTen(t *testing.T) {
	t.Parallel()
	slow := func(d time.Duration) answer { return answer{before: func() { time.Sleep(d) }} }
	for name, a := range map[string]answer{
		"is as the others":          slow(aCall),
		"hangs":                     {hang: true},
		"hangs and is deaf":         {deaf: true},
		"drips":                     slow(14 * time.Second),
		"answers 500":               {err: sdk.Errorf(sdk.CodeUnknownOutcome, "publish", "it failed (500)")},
		"answers 503":               refusal(sdk.CodeUnavailable, sdk.ScopeDestination, 0),
		"refuses connections":       refusal(sdk.CodeUnavailable, sdk.ScopeAccount, 0),
		"asks for a minute":         refusal(sdk.CodeRateLimited, sdk.ScopeDestination, time.Minute),
		"has revoked its token":     refusal(sdk.CodeUnauthenticated, sdk.ScopeAccount, 0),
		"refuses every post":        refusal(sdk.CodeInvalid, "", 0),
		"makes its connector panic": {panics: true},
	} {
		if raceEnabled && name != "hangs" && name != "answers 500" {
			continue // the detector makes the store slow
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lags := ten(t, a)
			if longest := lags[len(lags)-1]; len(lags) != 540 || longest > aCall/10 {
				t.Errorf("%d calls to the others, the last %s after its post", len(lags), longest)
			}
		})
	}
}

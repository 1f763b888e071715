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
			// Their calls take some time, each another one.
			platforms[name].then(many(100, answer{before: func() { time.Sleep(time.Duration(20+i) * time.Millisecond) }})...)
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

// One of ten destinations that hangs, fails, drips or breaks the daemon's rules changes nothing for the other nine: not
// their p95, nor any other part of their lag. How that is in real time is measured by the bench (one-bad).
func TestOneBadOfTen(t *testing.T) {
	t.Parallel()
	slow := func(d time.Duration) answer { return answer{before: func() { time.Sleep(d) }} }
	good := ten(t, slow(20*time.Millisecond))
	p95 := func(lags []time.Duration) time.Duration { return lags[len(lags)*95/100] }
	if len(good) != 540 || p95(good) > 50*time.Millisecond {
		t.Fatalf("%d calls in health, p95 %s", len(good), p95(good))
	}
	for name, a := range map[string]answer{
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
			// How the writer's waits of a millisecond fall among the lanes is the machine's affair. Who waits for another
			// destination waits at least for one of its calls, of 20 ms.
			const writer = 10 * time.Millisecond
			if len(lags) != len(good) || p95(lags) > 2*p95(good)+writer || lags[len(lags)-1] > 2*good[len(good)-1]+writer {
				t.Errorf("the p95 of the others is %s instead of %s, the longest %s instead of %s", p95(lags), p95(good), lags[len(lags)-1], good[len(good)-1])
			}
		})
	}
}

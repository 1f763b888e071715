package conformance

import (
	"context"

	"github.com/belfry-news/belfry/sdk"
)

// SendingFaults checks that a call which sends says, whatever goes wrong at its platform, what may have happened. prepare readies
// one call; its second answer is asked once the call is over, and told whether the platform did what it was asked to.
func SendingFaults(o FaultOptions, what string, prepare func(p *Probe, when string) (call func(ctx context.Context) error, over func(done bool))) (checks []Check) {
	for _, h := range happenings() {
		checks = append(checks, Check{what + ": " + h.name, func(tb T) {
			p := NewProbe(tb, o.Options)
			call, over := prepare(p, h.name)
			p.judge(what, h, h.sent, p.under(o, h, true, call))
			over(h.done)
		}})
	}
	return checks
}

// Length measures a text in a unit; false for one that is not measured here.
func Length(s string, u sdk.Unit) (int, bool) { return length(s, u) }

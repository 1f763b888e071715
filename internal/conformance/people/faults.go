package people

import (
	"context"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/sdk"
)

// MessengerFaults checks that a connector whose platform goes wrong says "unavailable" only when nobody can have been written to, and
// "unknown_outcome" when somebody may have been, and that it repeats nothing by itself.
func MessengerFaults(o MessengerOptions, f conformance.FaultOptions) []conformance.Check {
	f.Options = o.Options
	return conformance.SendingFaults(f, "message", func(c *conformance.Probe, when string) (func(ctx context.Context) error, func(done bool)) {
		p := &probe{c}
		m := open[sdk.Messenger](p)
		message := p.message(o, "fault "+when, content(sampleCommon("fault"), "anna"))
		before := len(o.Got(p.T))
		call := func(ctx context.Context) error {
			_, err := m.Message(ctx, message)
			p.silent("Message when "+when, err, o.Address)
			return err
		}
		return call, func(done bool) {
			want := 0
			if done {
				want = 1
			}
			if n := len(o.Got(p.T)) - before; n != want {
				p.Errorf("one message when %s came %d times, wanted is %d", when, n, want)
			}
		}
	})
}

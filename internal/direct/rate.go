package direct

import (
	"context"

	"golang.org/x/time/rate"

	"github.com/belfry-news/belfry/sdk"
)

// limits are the rates that a platform allows for messages in the whole destination. Those for one person hardly ever count,
// since a stream has one message for each; a connector waits for them by itself, or is told to.
func limits(c sdk.Connector, own []sdk.Rate, off bool) (out []*rate.Limiter) {
	rates := own
	if limiter, known := sdk.As[sdk.MessageLimiter](c); known && len(rates) == 0 && !off {
		rates = limiter.MessageLimits().Rules.Rates
	}
	for _, r := range rates {
		if r.Scope != sdk.RateDestination || r.Events <= 0 || r.Per <= 0 {
			continue
		}
		out = append(out, rate.NewLimiter(rate.Limit(float64(r.Events)/r.Per.Seconds()), r.Events))
	}
	return out
}

// allowed waits until the rates let one more message go; false when ctx has ended.
func (l *lane) allowed(ctx context.Context) bool {
	for _, r := range l.limits {
		if r.Wait(ctx) != nil {
			return false
		}
	}
	return ctx.Err() == nil
}

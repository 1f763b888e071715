package app

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/configs"
)

// watchEvery is how often the files of the configuration are looked at. Looking by name and time, and not by the
// kernel's notices, follows every way in which editors and Kubernetes replace files.
const watchEvery = time.Second

// watchConfig reloads when the files of the configuration changed and then stayed the same for a moment.
func (a *App) watchConfig(ctx context.Context) {
	applied := configs.Stamp(a.Config())
	last := applied
	for range ticks(ctx, watchEvery) {
		now := configs.Stamp(a.Config())
		if now == last && now != applied && a.tryReload(ctx) {
			applied = configs.Stamp(a.Config())
		}
		last = now
	}
}

// ticks yields again and again, a time apart, until ctx ends.
func ticks(ctx context.Context, apart time.Duration) func(yield func() bool) {
	return func(yield func() bool) {
		t := time.NewTicker(apart)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if !yield() {
					return
				}
			}
		}
	}
}

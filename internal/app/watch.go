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
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	applied := configs.Stamp(a.Config())
	last := applied
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := configs.Stamp(a.Config())
		if now == last && now != applied && a.tryReload(ctx) {
			applied = configs.Stamp(a.Config())
		}
		last = now
	}
}

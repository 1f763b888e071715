package app

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// newHubs makes what has hubs tell what is new in feeds.
func (a *App) newHubs() *websub.Subscriber {
	return websub.New(websub.Settings{Store: a.db, Log: a.log, UserAgent: UserAgent(a.o.Version, a.Config()),
		Origin: func() string { return a.Config().Site.Callable() },
		Guard:  func(source string) sdk.Guard { return hubGuard(a.Config().Sources[source].Options) },
		Poll:   func(source string) time.Duration { return a.Config().Sources[source].Poll.Std() },
		Due: func() {
			if a.mapper.Load() != nil { // the poller runs
				a.poller.Wake()
			}
		}})
}

func (a *App) hubMissed(ctx context.Context, source string) {
	if err := a.hubs.Missed(ctx, source); err != nil && ctx.Err() == nil {
		a.log.Error("it cannot be noted that a hub missed something", "source", source, "err", err)
	}
}

// hubGuard permits the private networks that a source permits: a hub that stands beside its feed may be asked there.
func hubGuard(options map[string]any) sdk.Guard {
	var o struct {
		AllowPrivate []fetch.Prefix `yaml:"allow_private"`
	}
	if list, ok := options["allow_private"]; ok && sdk.Decode(map[string]any{"allow_private": list}, &o) != nil {
		return sdk.Guard{} // a type of source that means something else by it
	}
	return fetch.Guard(o.AllowPrivate)
}

package app

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/belfry-news/belfry/internal/websub"
)

// newHubs makes what has hubs tell what is new in feeds.
func (a *App) newHubs() *websub.Subscriber {
	return websub.New(websub.Settings{Store: a.db, Log: a.log, UserAgent: UserAgent(a.o.Version, a.Config()),
		Origin: func() string { return a.Config().Site.Callable() },
		Allow:  func(source string) []netip.Prefix { return allowed(a.Config().Sources[source].Options) },
		Poll:   func(source string) time.Duration { return a.Config().Sources[source].Poll.Std() },
		Due: func() {
			if a.mapper.Load() != nil { // the poller runs
				a.poller.Wake()
			}
		}})
}

// wakeHubs looks at subscriptions after a source named another hub.
func (a *App) wakeHubs() {
	if a.hubs != nil {
		a.hubs.Wake()
	}
}

func (a *App) hubMissed(ctx context.Context, source string) {
	if err := a.hubs.Missed(ctx, source); err != nil && ctx.Err() == nil {
		a.log.Error("it cannot be noted that a hub missed something", "source", source, "err", err)
	}
}

// allowed are the private networks that a source's options permit. A hub that stands beside its feed may be asked there.
func allowed(options map[string]any) (out []netip.Prefix) {
	list, _ := options["allow_private"].([]any)
	for _, x := range list {
		text := fmt.Sprint(x)
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		} else if addr, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	return out
}

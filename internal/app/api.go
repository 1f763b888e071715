package app

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/serve"
	"github.com/belfry-news/belfry/sdk"
)

// apiHandler serves what commands do to programs.
func (a *App) apiHandler() http.Handler {
	var people api.People
	if a.people != nil {
		people = a.people
	}
	return api.New(api.Settings{Store: a.db, People: people, Config: a.Config, Dir: DataDir(a.Config()), Tokens: a.tokens, Log: a.log, UserAgent: a.opener.UserAgent, Version: a.o.Version,
		Specs: a.o.Config.Specs, Open: a.openToCheck, Problems: a.problems, StartPlugin: a.startPlugin})
}

// proxy says of a peer of the admin address that many clients come through it.
func (a *App) proxy(peer netip.Addr) bool {
	return peer.IsLoopback() || serve.Among(peer, a.Config().Proxies)
}

// problems finds what is wrong with the configuration as its file is now, by itself and against the store.
func (a *App) problems(ctx context.Context) ([]configs.Located, error) {
	l, err := configs.Load(a.o.Config)
	if invalid, ok := errors.AsType[*configs.Invalid](err); ok {
		return invalid.Problems, nil
	}
	if err != nil {
		return nil, err
	}
	return CheckStore(ctx, a.db, l)
}

// startPlugin starts the process of a kind, unless it runs.
func (a *App) startPlugin(ctx context.Context, kind string) error {
	if _, err := a.host.Describe(ctx, kind); err != nil {
		return desk.Sentence(err)
	}
	return nil
}

// openToCheck opens a destination beside the one in use, to ask its platform.
func (a *App) openToCheck(ctx context.Context, name string) (c sdk.Connector, foreign bool, err error) {
	l := a.Config()
	d := l.Destinations[name]
	_, foreign = l.Plugin(d.Type)
	c, err = a.opener.Open(ctx, name, d.Type, false, d.Options)
	return c, foreign, err
}

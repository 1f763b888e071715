package app

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/admin"
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/serve"
)

// startAdmin serves what operators see. The address that nobody has asked for is given up when it cannot be used.
func (a *App) startAdmin(ctx context.Context) error {
	l := a.Config()
	if l.AdminListen == configs.AdminNone || a.rehearsal != nil {
		return nil
	}
	a.tokens = api.NewTokens(func(r *http.Request) netip.Addr { return serve.Client(r, a.Config().Proxies) })
	if err := a.tokens.Use(l.Admin.Tokens); err != nil {
		return err
	}
	server := admin.New(admin.Settings{Listen: l.AdminListen, Tokens: a.tokens, Metrics: a.metrics.Handler(), Ready: a.ready.Load, Log: a.log,
		Trusted: a.proxy, API: a.apiHandler()})
	if err := server.Start(ctx); err != nil {
		if !l.Says("/admin_listen") {
			a.log.Warn("nothing is served to operators", "err", err)
			return nil
		}
		return err
	}
	a.adminAddr = server.Addr()
	a.onStop("the admin address", server.Stop)
	return nil
}

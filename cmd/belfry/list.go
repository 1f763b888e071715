package main

import (
	"github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/plugins/rss"
	"github.com/belfry-news/belfry/sdk"
)

// builtIn is the one list of the connectors and plugins inside the binary.
func builtIn() []*sdk.Spec {
	return []*sdk.Spec{http.Spec(), telegram.Spec(), rss.Spec()}
}

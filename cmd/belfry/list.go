package main

import (
	"slices"

	"github.com/belfry-news/belfry/connectors/email"
	"github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/plugins/calendar"
	"github.com/belfry-news/belfry/plugins/exec"
	"github.com/belfry-news/belfry/plugins/rss"
	"github.com/belfry-news/belfry/plugins/webhook"
	"github.com/belfry-news/belfry/sdk"
)

// builtIn is the one list of the connectors and plugins inside the binary.
func builtIn() []*sdk.Spec {
	return []*sdk.Spec{email.Spec(), http.Spec(), telegram.Spec(), rss.Spec(), calendar.Spec(), webhook.Spec(), exec.Spec(commandSandbox())}
}

// specOf finds a built-in type; nil when there is none of that name.
func specOf(typ string) *sdk.Spec {
	for _, s := range builtIn() {
		if s.Type == typ {
			return s
		}
	}
	return nil
}

// typesWith lists the built-in types that have one of the roles.
func typesWith(roles ...sdk.Role) []string {
	var out []string
	for _, s := range builtIn() {
		if slices.ContainsFunc(roles, s.Has) {
			out = append(out, s.Type)
		}
	}
	slices.Sort(out)
	return out
}

// sampleOptions are the settings and the chat with which a type is rendered when none are given: what it requires, made
// up.
func sampleOptions(typ string) (options map[string]any, chat string) {
	switch typ {
	case "telegram":
		return map[string]any{"token": "123456:preview"}, "@channel"
	case "http":
		return map[string]any{"url": "https://receiver.example/hook", "secret": "whsec_cHJldmlld3ByZXZpZXdwcmV2aWV3cHJldmlldw=="}, ""
	}
	return map[string]any{}, ""
}

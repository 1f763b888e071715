package sdktest

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/sdk"
)

func runChecks(t *testing.T, checks []conformance.Check) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.Name, func(t *testing.T) { c.Run(t) })
	}
}

// Source checks a source whose test server has at least one item.
func Source(t *testing.T, o SourceOptions) {
	t.Helper()
	runChecks(t, sourceChecks(o))
}

func sourceChecks(o SourceOptions) []conformance.Check { return conformance.Source(o.suite()) }

// Checker checks a connector that looks whether items are still there.
func Checker(t *testing.T, o CheckerOptions) {
	t.Helper()
	runChecks(t, checkerChecks(o))
}

func checkerChecks(o CheckerOptions) []conformance.Check {
	return conformance.Checker(conformance.CheckerOptions{Options: o.suite(), There: o.There, Gone: o.Gone})
}

// Webhook checks a connector that receives items from a publishing system.
func Webhook(t *testing.T, o WebhookOptions) {
	t.Helper()
	runChecks(t, webhookChecks(o))
}

func webhookChecks(o WebhookOptions) []conformance.Check {
	return conformance.Webhook(conformance.WebhookOptions{Options: o.suite(), Genuine: o.Genuine, Forged: o.Forged})
}

// Resolver checks a connector that turns names of channels into references.
func Resolver(t *testing.T, o ResolverOptions) {
	t.Helper()
	runChecks(t, resolverChecks(o))
}

func resolverChecks(o ResolverOptions) []conformance.Check {
	return conformance.Resolver(conformance.ResolverOptions{Options: o.suite(), Channels: o.Channels, NotChannels: o.NotChannels, Missing: o.Missing})
}

// Publisher checks a connector that posts to channels.
func Publisher(t *testing.T, o PublisherOptions) {
	t.Helper()
	runChecks(t, publisherChecks(o))
}

func publisherChecks(o PublisherOptions) []conformance.Check { return conformance.Publisher(o.suite()) }

// Editor checks a connector that replaces what a part shows.
func Editor(t *testing.T, o PublisherOptions) {
	t.Helper()
	runChecks(t, editorChecks(o))
}

func editorChecks(o PublisherOptions) []conformance.Check { return conformance.Editor(o.suite()) }

// Deleter checks a connector that takes parts away.
func Deleter(t *testing.T, o PublisherOptions) {
	t.Helper()
	runChecks(t, deleterChecks(o))
}

func deleterChecks(o PublisherOptions) []conformance.Check { return conformance.Deleter(o.suite()) }

// Finder checks a connector that finds parts by their keys.
func Finder(t *testing.T, o PublisherOptions) {
	t.Helper()
	runChecks(t, finderChecks(o))
}

func finderChecks(o PublisherOptions) []conformance.Check { return conformance.Finder(o.suite()) }

// Messenger checks a connector that writes to people, directly and over Loopback. It writes to addresses alone that nobody has.
func Messenger(t *testing.T, o MessengerOptions) {
	t.Helper()
	runChecks(t, messengerChecks(o))
}

func messengerChecks(o MessengerOptions) []conformance.Check {
	out := people.MessengerOptions{Options: o.suite(), Medium: o.Medium, Address: o.Address, Lost: o.Lost,
		Mint: func(t conformance.T, id, medium, address string, notAfter time.Time) sdk.Permit {
			return PermitFor(of(t), id, medium, address, sdk.PurposeDelivery, notAfter)
		}}
	if o.Got != nil {
		out.Got = func(t conformance.T) []string { return o.Got(of(t)) }
	}
	return people.Messenger(out)
}

// Listener checks a connector that hears people. It runs directly only: the role does not cross to another process.
func Listener(t *testing.T, o ListenerOptions) {
	t.Helper()
	runChecks(t, listenerChecks(o))
}

func listenerChecks(o ListenerOptions) []conformance.Check {
	out := people.ListenerOptions{Options: o.suite(), Medium: o.Medium}
	if o.Say != nil {
		out.Say = func(t conformance.T, text string) { o.Say(of(t), text) }
	}
	return people.Listener(out)
}

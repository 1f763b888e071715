package sdktest

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/sdk"
)

// run runs a suite: the options as a test writes them, and the checks that are made of them.
func run[O any](t *testing.T, checks func(O) []conformance.Check, o O) {
	t.Helper()
	for _, c := range checks(o) {
		t.Run(c.Name, func(t *testing.T) { c.Run(t) })
	}
}

// Source checks a source whose test server has at least one item.
func Source(t *testing.T, o SourceOptions) {
	t.Helper()
	run(t, sourceChecks, o)
}

func sourceChecks(o SourceOptions) []conformance.Check { return conformance.Source(o.suite()) }

// Checker checks a connector that looks whether items are still there.
func Checker(t *testing.T, o CheckerOptions) {
	t.Helper()
	run(t, checkerChecks, o)
}

func checkerChecks(o CheckerOptions) []conformance.Check {
	return conformance.Checker(conformance.CheckerOptions{Options: o.suite(), There: o.There, Gone: o.Gone})
}

// Webhook checks a connector that receives items from a publishing system.
func Webhook(t *testing.T, o WebhookOptions) {
	t.Helper()
	run(t, webhookChecks, o)
}

func webhookChecks(o WebhookOptions) []conformance.Check {
	return conformance.Webhook(conformance.WebhookOptions{Options: o.suite(), Genuine: o.Genuine, Forged: o.Forged})
}

// Resolver checks a connector that turns names of channels into references.
func Resolver(t *testing.T, o ResolverOptions) {
	t.Helper()
	run(t, resolverChecks, o)
}

func resolverChecks(o ResolverOptions) []conformance.Check {
	return conformance.Resolver(conformance.ResolverOptions{Options: o.suite(), Channels: o.Channels, NotChannels: o.NotChannels, Missing: o.Missing})
}

// posting makes the checks of one of the abilities that post.
func posting(checks func(conformance.PublisherOptions) []conformance.Check) func(PublisherOptions) []conformance.Check {
	return func(o PublisherOptions) []conformance.Check { return checks(o.suite()) }
}

// Publisher checks a connector that posts to channels.
func Publisher(t *testing.T, o PublisherOptions) {
	t.Helper()
	run(t, posting(conformance.Publisher), o)
}

// Editor checks a connector that replaces what a part shows.
func Editor(t *testing.T, o PublisherOptions) {
	t.Helper()
	run(t, posting(conformance.Editor), o)
}

// Deleter checks a connector that takes parts away.
func Deleter(t *testing.T, o PublisherOptions) {
	t.Helper()
	run(t, posting(conformance.Deleter), o)
}

// Finder checks a connector that finds parts by their keys.
func Finder(t *testing.T, o PublisherOptions) {
	t.Helper()
	run(t, posting(conformance.Finder), o)
}

// Messenger checks a connector that writes to people, directly and over Loopback. It writes to addresses alone that nobody has.
func Messenger(t *testing.T, o MessengerOptions) {
	t.Helper()
	run(t, messengerChecks, o)
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

// Listener checks a connector that hears people, directly and over Loopback.
func Listener(t *testing.T, o ListenerOptions) {
	t.Helper()
	run(t, listenerChecks, o)
}

func listenerChecks(o ListenerOptions) []conformance.Check {
	out := people.ListenerOptions{Options: o.suite(), Medium: o.Medium, From: o.From}
	if o.Say != nil {
		out.Say = func(t conformance.T, text string) { o.Say(of(t), text) }
	}
	return people.Listener(out)
}

// Receiver checks a connector whose platform calls when people do something.
func Receiver(t *testing.T, o ReceiverOptions) {
	t.Helper()
	run(t, receiverChecks, o)
}

func receiverChecks(o ReceiverOptions) []conformance.Check {
	return people.Receiver(people.ReceiverOptions{Options: o.suite(), Genuine: o.Genuine, Forged: o.Forged, Medium: o.Medium, From: o.From})
}

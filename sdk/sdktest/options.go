package sdktest

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/sdk"
)

// Options are what every suite needs.
type Options struct {
	// Open makes the connector: its spec's Open, or a Loopback of the spec. Required.
	Open Opener
	// Config works against the test's server.
	Config map[string]any
	// Secrets are the credentials in Config, which must appear in no error, no log line and no part.
	Secrets []string
	// Break makes what the connector talks to fail until the test is over or restore is called. Nil leaves the checks out
	// that need it; so it is with every function of the options.
	Break func(tb testing.TB) (restore func())
	// Stall makes what the connector talks to take a request and not answer it until restore is called.
	Stall func(tb testing.TB) (restore func())
}

// SourceOptions are what the suite Source needs.
type SourceOptions struct {
	Options
	// Now is the clock of the fetches; zero means the present.
	Now time.Time
	// Change makes the source have a new item or a new revision of one.
	Change func(tb testing.TB)
	// Withdraw takes away an item that the source has, and undoes nothing.
	Withdraw func(tb testing.TB)
}

// CheckerOptions are what the suite Checker needs.
type CheckerOptions struct {
	Options
	// There and Gone are items that are still published and items whose address says that they are withdrawn.
	There, Gone []sdk.ItemRef
}

// WebhookOptions are what the suite Webhook needs.
type WebhookOptions struct {
	Options
	// Genuine are requests of the sender, Forged are requests of somebody else.
	Genuine, Forged []sdk.WebhookRequest
}

// ResolverOptions are what the suite Resolver needs.
type ResolverOptions struct {
	Options
	// Channels are names that the credential may post to.
	Channels []string
	// NotChannels are names of people, private chats and other things that are no channel.
	NotChannels []string
	// Missing are names of nothing.
	Missing []string
}

// PublisherOptions are what the suites Publisher, Editor, Deleter and Finder need.
type PublisherOptions struct {
	Options
	// Channel is the name of a channel, for connectors that resolve names.
	Channel string
	// To is the channel for connectors that do not.
	To sdk.ChannelRef
	// Forged are references to people and private chats, made by hand as a faulty host might; Publish refuses them.
	Forged []sdk.ChannelRef
	// Shows tells what the platform shows of a part: false when it is not there.
	Shows func(tb testing.TB, ref sdk.PartRef) (text string, there bool)
	// Posts is how many parts the platform has accepted so far.
	Posts func(tb testing.TB) int
}

// MessengerOptions are what the suite Messenger needs.
type MessengerOptions struct {
	Options
	// Medium and Address reach somebody who takes messages; Address is one of those that Permit names.
	Medium, Address string
	// Lost reaches nobody for good, such as somebody who blocked the sender, on the same medium; empty leaves out what needs it.
	Lost string
	// Got gives the visible text of the messages that Address was sent, oldest first.
	Got func(tb testing.TB) []string
}

// ListenerOptions are what the suite Listener needs.
type ListenerOptions struct {
	Options
	// Say lets somebody write, which becomes an EventMessage with this text.
	Say func(tb testing.TB, text string)
	// Medium of the handles. From is the address of who writes; empty where it is not known.
	Medium, From string
}

// ReceiverOptions are what the suite Receiver needs.
type ReceiverOptions struct {
	Options
	// Genuine are calls of the platform, each of which tells something; Forged are calls of somebody else.
	Genuine, Forged []sdk.WebhookRequest
	// Medium of the handles. From is the address of whoever the calls are about; empty where it is not known, or there are several.
	Medium, From string
}

// of gives the test behind what a check holds: a check that runs in a Go test has nothing else.
func of(t conformance.T) testing.TB {
	tb, ok := t.(testing.TB)
	if !ok {
		t.Fatalf("sdktest: the check runs outside a test, in a %T", t)
	}
	return tb
}

func (o Options) suite() conformance.Options {
	during := func(f func(tb testing.TB) func()) func(conformance.T) func() {
		if f == nil {
			return nil
		}
		return func(t conformance.T) func() { return f(of(t)) }
	}
	return conformance.Options{Open: conformance.Opener(o.Open), Config: o.Config, Secrets: o.Secrets, Break: during(o.Break), Stall: during(o.Stall)}
}

func (o SourceOptions) suite() conformance.SourceOptions {
	out := conformance.SourceOptions{Options: o.Options.suite(), Now: o.Now}
	if o.Change != nil {
		out.Change = func(t conformance.T) { o.Change(of(t)) }
	}
	if o.Withdraw != nil {
		out.Withdraw = func(t conformance.T) { o.Withdraw(of(t)) }
	}
	return out
}

func (o PublisherOptions) suite() conformance.PublisherOptions {
	out := conformance.PublisherOptions{Options: o.Options.suite(), Channel: o.Channel, To: o.To, Forged: o.Forged}
	if o.Shows != nil {
		out.Shows = func(t conformance.T, ref sdk.PartRef) (string, bool) { return o.Shows(of(t), ref) }
	}
	if o.Posts != nil {
		out.Posts = func(t conformance.T) int { return o.Posts(of(t)) }
	}
	return out
}

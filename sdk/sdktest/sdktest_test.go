package sdktest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "hunter2-hunter2"

func newNewsroom() *Newsroom {
	n := &Newsroom{}
	for i := range 45 {
		n.Put(SampleItem(fmt.Sprint("item-", i)))
	}
	n.Remove("item-7")
	return n
}

func newPlatform() *Platform {
	p := &Platform{}
	p.AddChannel("@gazette")
	p.AddChannel("@alertes")
	p.AddPerson("@someone")
	return p
}

func commonOptions(open Opener, f *faults) Options {
	return Options{Open: open, Config: map[string]any{"token": secret}, Secrets: []string{secret},
		Break: func(testing.TB) func() { return f.Break(nil) }, Stall: func(testing.TB) func() { return f.Stall() }}
}

func sourceOptions(n *Newsroom, open Opener) SourceOptions {
	changes := 0
	return SourceOptions{Options: commonOptions(open, &n.faults), Now: time.Date(2026, 3, 29, 5, 0, 0, 0, time.UTC),
		Change: func(testing.TB) {
			changes++
			it := SampleItem("item-0")
			it.Title = fmt.Sprintf("Incendie maîtrisé (%d)", changes)
			n.Put(it)
		}, Withdraw: func(testing.TB) { n.Remove("item-9") }}
}

func checkerOptions(n *Newsroom, open Opener) CheckerOptions {
	return CheckerOptions{Options: commonOptions(open, &n.faults),
		There: []sdk.ItemRef{{Key: "item-1", URL: "https://news.example/a/item-1"}, {Key: "item-2"}}, Gone: []sdk.ItemRef{{Key: "item-7"}}}
}

func webhookOptions(n *Newsroom, open Opener) WebhookOptions {
	at := time.Date(2026, 3, 29, 5, 0, 0, 0, time.UTC)
	body := []byte(`{"key":"1","title":"Incendie","url":"https://news.example/a/1"}`)
	return WebhookOptions{Options: commonOptions(open, &n.faults),
		Genuine: []sdk.WebhookRequest{{Method: "POST", Path: "/hook", Header: map[string][]string{"Token": {secret}, "Delivery": {"d1"}}, Body: body, ReceivedAt: at}},
		Forged:  []sdk.WebhookRequest{{Method: "POST", Path: "/hook", Header: map[string][]string{"Token": {"guess"}}, Body: body, ReceivedAt: at}}}
}

func resolverOptions(p *Platform, open Opener) ResolverOptions {
	return ResolverOptions{Options: commonOptions(open, &p.faults), Channels: []string{"@gazette", "@alertes"},
		NotChannels: []string{"@someone"}, Missing: []string{"@nobody"}}
}

func publisherOptions(p *Platform, open Opener) PublisherOptions {
	return PublisherOptions{Options: commonOptions(open, &p.faults), Channel: "@gazette", Forged: []sdk.ChannelRef{{ID: "@someone"}},
		Shows: func(_ testing.TB, ref sdk.PartRef) (string, bool) { return p.Shows(ref) },
		Posts: func(testing.TB) int { return p.Posts() }}
}

// TestGood runs every suite on good connectors, directly and over Loopback.
func TestGood(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"direct", "loopback"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opener := func(spec *sdk.Spec) Opener {
				if name == "loopback" {
					return Loopback(t, spec)
				}
				return spec.Open
			}
			n, p := newNewsroom(), newPlatform()
			source, destination := opener(n.Spec()), opener(p.Spec())
			t.Run("source", func(t *testing.T) { Source(t, sourceOptions(n, source)) })
			t.Run("checker", func(t *testing.T) { Checker(t, checkerOptions(n, source)) })
			t.Run("webhook", func(t *testing.T) { Webhook(t, webhookOptions(n, source)) })
			t.Run("resolver", func(t *testing.T) { Resolver(t, resolverOptions(p, destination)) })
			t.Run("publisher", func(t *testing.T) { Publisher(t, publisherOptions(p, destination)) })
			t.Run("editor", func(t *testing.T) { Editor(t, publisherOptions(p, destination)) })
			t.Run("deleter", func(t *testing.T) { Deleter(t, publisherOptions(p, destination)) })
			t.Run("finder", func(t *testing.T) { Finder(t, publisherOptions(p, destination)) })
		})
	}
}

func TestLoopbackAnswersAsFromTheRoles(t *testing.T) {
	t.Parallel()
	conn, err := Loopback(t, newNewsroom().Spec())(t.Context(), sdk.Settings{Instance: "x"}, map[string]any{"token": "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for name, tc := range map[string]struct{ got, want bool }{
		"source":    {has[sdk.Source](conn), true},
		"checker":   {has[sdk.Checker](conn), true},
		"webhook":   {has[sdk.WebhookReceiver](conn), true},
		"publisher": {has[sdk.Publisher](conn), false},
		"editor":    {has[sdk.Editor](conn), false},
		"messenger": {has[sdk.Messenger](conn), false},
		"streamer":  {has[sdk.Streamer](conn), false},
		"receiver":  {has[sdk.Receiver](conn), false},
		"listener":  {has[sdk.Listener](conn), false},
		"assistant": {has[sdk.Assistant](conn), false},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %t", name, tc.got)
		}
	}
	if _, ok := conn.(sdk.Publisher); !ok {
		t.Error("a client of another process has every method; if this changed, sdk.As may be simpler")
	}
}

func has[T any](c sdk.Connector) bool { _, ok := sdk.As[T](c); return ok }

func TestLoopbackBringsProblemsBack(t *testing.T) {
	t.Parallel()
	spec := newNewsroom().Spec()
	config := map[string]any{"tokn": "x", "page": "many"}
	want := spec.Check(config)
	_, err := Loopback(t, spec)(t.Context(), sdk.Settings{Instance: "x"}, config)
	if _, ok := err.(sdk.Problems); !ok || err.Error() != want.Error() {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestPermit(t *testing.T) {
	t.Parallel()
	if got, _ := Permit(t, "d1", "email", "reader@example.invalid").Address().Reveal(); got != "reader@example.invalid" {
		t.Errorf("got %q", got)
	}
	if got, _ := Permit(t, "d1", "telegram", "4503599627370496").Address().Reveal(); got != "4503599627370496" {
		t.Errorf("got %q", got)
	}
	for _, address := range []string{"4503599627370495", "+4503599627370496", "04503599627370496", "reader@news.example", "@example.invalid", "a@b.example, c@example.invalid",
		"a@evil.example\n@example.invalid", "", "@gazette"} {
		if r := record(t, func(tb testing.TB) { Permit(tb, "d1", "email", address) }); !r.Failed() {
			t.Errorf("a permit for %q was minted", address)
		}
	}
}

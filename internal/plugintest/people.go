package plugintest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// fakeMessage is what a fake says of one message that it handed over.
type fakeMessage struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// messages are what the fake handed over.
func (f *Fake) messages(ctx context.Context) ([]fakeMessage, error) {
	return told[fakeMessage](ctx, f, "/.belfry/messages")
}

// got are the texts that somebody was sent.
func (f *Fake) got(tb conformance.T, address string) (out []string) {
	list, err := f.messages(tb.Context())
	if err != nil {
		tb.Fatalf("%v", err)
	}
	for _, m := range list {
		if m.To == address {
			out = append(out, m.Text)
		}
	}
	return out
}

// needsPeople says what is missing for looking at messages; empty when nothing is. People are written to at a fake alone.
func (t *tester) needsPeople() string {
	const all = "all of it: address: in the file, somebody who takes messages, and a fake (--fake) that says at /.belfry/messages what it handed over"
	if t.o.Scenario.Address == "" || t.o.Fake == nil {
		return all
	}
	if _, err := t.o.Fake.messages(context.Background()); errors.Is(err, errSilent) {
		return all
	}
	return ""
}

// checkAddresses refuses addresses of a scenario that could be somebody's.
func (s *Scenario) checkAddresses() (ps sdk.Problems) {
	for _, a := range []struct{ name, address string }{{"address", s.Address}, {"lost", s.Lost}} {
		if a.address == "" {
			continue
		}
		if err := people.CheckNobody(a.address); err != nil {
			ps.Add("/"+a.name, a.name+": "+err.Error(), "")
		}
	}
	return ps
}

func (t *tester) messenger(options conformance.Options) people.MessengerOptions {
	return people.MessengerOptions{Options: options, Medium: t.o.Kind, Address: t.o.Scenario.Address, Lost: t.o.Scenario.Lost,
		Got: func(tb conformance.T) []string { return t.o.Fake.got(tb, t.o.Scenario.Address) },
		Mint: func(tb conformance.T, id, medium, address string, notAfter time.Time) sdk.Permit {
			p, err := people.Mint(id, medium, address, sdk.PurposeDelivery, notAfter)
			if err != nil {
				tb.Fatal(err)
			}
			return p
		}}
}

// messengerChecks are the suite of the role, and what Belfry itself never sends: the plugin is the last to look.
func (t *tester) messengerChecks(options conformance.Options) []conformance.Check {
	if t.found.Medium == nil {
		return []conformance.Check{{Name: "it says what its medium allows", Run: func(tb conformance.T) {
			tb.Error("the type writes to people and does not say what its medium allows (Spec.WithMedium; Type.medium), be it everything; Belfry writes to nobody by it")
		}}}
	}
	checks := people.Messenger(t.messenger(options))
	for _, wrong := range []struct {
		name   string
		change func(m *wire.DirectMessage)
	}{
		{"a message whose time is over", func(m *wire.DirectMessage) { m.NotAfter = timestamppb.New(time.Now().Add(-time.Minute)) }},
		{"a message without an end of its time", func(m *wire.DirectMessage) { m.NotAfter = nil }},
		{"a message to nobody", func(m *wire.DirectMessage) { m.Address = "" }},
		{"a message for another medium", func(m *wire.DirectMessage) { m.Medium = "belfry-plugin-test" }},
	} {
		checks = append(checks, conformance.Check{Name: "a faulty host sends " + wrong.name, Run: func(tb conformance.T) { t.refuses(tb, wrong.name, wrong.change) }})
	}
	return checks
}

// raw is a message as it crosses.
func (t *tester) raw(id string) *wire.DirectMessage {
	return &wire.DirectMessage{Id: id, Medium: t.o.Kind, Address: t.o.Scenario.Address, Purpose: "delivery", NotAfter: timestamppb.New(time.Now().Add(time.Hour)),
		Common: &wire.Common{Id: id, Kind: "notice", Lang: "en", Subject: "A test", Body: []*wire.Node{{Kind: "paragraph", Children: []*wire.Node{{Kind: "text", Text: "A test of " + id}}}}}}
}

// refuses has the plugin get what no host may send, after something that is right: that one arrives.
func (t *tester) refuses(tb conformance.T, what string, change func(m *wire.DirectMessage)) {
	at := wire.At{Conn: t.conn(tb), Handle: "belfry-plugin-test-people", Call: 1}
	if _, err := wire.OpenInstance(tb.Context(), at, t.o.Kind, t.settings("people"), t.o.Scenario.Config); err != nil {
		tb.Fatalf("Open: %v", err)
	}
	defer func() { _ = wire.CloseInstance(tb.Context(), at) }()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	total := func() int {
		list, err := t.o.Fake.messages(ctx)
		if err != nil {
			tb.Fatalf("%v", err)
		}
		return len(list)
	}
	before := total()
	t.runs++
	if err := wire.TryMessage(ctx, at, t.raw(fmt.Sprintf("belfry-right-%d-%d", t.runs, time.Now().UnixNano()))); err != nil {
		tb.Fatalf("a message that is right: %v", err)
	}
	if n := total() - before; n != 1 {
		tb.Fatalf("a message that is right came %d times", n)
	}
	at.Call++
	m := t.raw(fmt.Sprintf("belfry-wrong-%d-%d", t.runs, time.Now().UnixNano()))
	change(m)
	wantCrossing(tb, what, wire.TryMessage(ctx, at, m), sdk.CodeNoConsent, sdk.CodeInvalid, sdk.CodeUnsupported)
	if total() != before+1 {
		tb.Errorf("%s was sent", what)
	}
}

// page makes one call of a messenger that reaches the fake, without a host.
func (t *tester) page(ctx context.Context, at wire.At) error {
	return wire.TryMessage(ctx, at, t.raw(fmt.Sprintf("belfry-page-%d", time.Now().UnixNano())))
}

// writeOnce has a messenger write to the fake.
func (t *tester) writeOnce(ctx context.Context, tb conformance.T, m sdk.Messenger) {
	tb.Helper()
	p, err := people.Mint(fmt.Sprintf("belfry-once-%d", time.Now().UnixNano()), t.o.Kind, t.o.Scenario.Address, sdk.PurposeDelivery, time.Now().Add(time.Minute))
	if err != nil {
		tb.Fatal(err)
	}
	content := sdk.MessageContent{Common: &sdk.Common{ID: "once", Kind: sdk.CommonNotice, Lang: "en", Subject: "A test", Body: sdk.Body{sdk.Paragraph(sdk.Text("A test."))}}}
	if ref, err := m.Message(ctx, sdk.NewDirectMessage(p, content)); err != nil || ref.ID == "" {
		tb.Errorf("Message gave the id %q, %v", ref.ID, err)
	}
}

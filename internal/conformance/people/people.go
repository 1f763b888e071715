// Package people holds the suites of connectors that write to people and hear them, and makes the permits that tests need: for
// addresses that nobody has. That of messengers runs directly, over the wire, and against finished programs; that of listeners runs
// in Go tests only, since the role does not cross to another process.
package people

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/sdk"
)

// MessengerOptions are what the suite Messenger needs.
type MessengerOptions struct {
	conformance.Options
	// Medium and Address reach somebody who takes messages; Address is one of those that Permit names.
	Medium, Address string
	// Lost reaches nobody for good, such as somebody who blocked the sender, on the same medium; empty leaves out what needs it.
	Lost string
	// Mint makes a permit for a test.
	Mint func(tb conformance.T, id, medium, address string, notAfter time.Time) sdk.Permit
	// Got gives the visible text of the messages that Address was sent, oldest first.
	Got func(tb conformance.T) []string
}

// content is a message with the person's own value in it, in the text, in the reason and behind a link.
func content(common *sdk.Common, value string) sdk.MessageContent {
	return sdk.MessageContent{Common: common, Slots: map[string]string{"name": value, "since": value,
		sdk.SlotPreferences: "https://news.example/me/" + strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, value)}}
}

func sampleCommon(id string) *sdk.Common {
	return &sdk.Common{ID: id, Kind: sdk.CommonPost, Lang: "en", Subject: "Fire at the station",
		Body: sdk.Body{sdk.Paragraph(sdk.Text("Fire at the station "+id+" for "), sdk.Strong(sdk.Text(sdk.Slot("name"))),
			sdk.Text(". "), sdk.Link("https://news.example/a/1", sdk.Text("Read on")))},
		Reason: "You get this because you follow Breaking since " + sdk.Slot("since") + ".",
		Links:  []sdk.CommonLink{{Text: "Preferences", Slot: sdk.SlotPreferences}},
		List:   sdk.List{ID: "breaking", Title: "Breaking"}, Sender: "La Gazette, https://news.example/"}
}

func (p *probe) message(o MessengerOptions, name string, c sdk.MessageContent) sdk.DirectMessage {
	return sdk.NewDirectMessage(o.Mint(p.T, p.Key(name), o.Medium, o.Address, time.Now().Add(time.Hour)), c)
}

// news gives what came while f ran.
func (p *probe) news(o MessengerOptions, f func()) []string {
	before := len(o.Got(p.T))
	f()
	return o.Got(p.T)[before:]
}

// silent checks an error for an address.
func (p *probe) silent(what string, err error, addresses ...string) {
	p.Helper()
	for _, a := range addresses {
		hidden := []string{a}
		if local, _, _ := strings.Cut(a, "@"); len(local) >= 8 {
			hidden = append(hidden, local) // a shorter one may be a word of the sentence
		}
		for _, secret := range hidden {
			if a != "" && err != nil && strings.Contains(fmt.Sprintf("%v %+v %s", err, err, conformance.Causes(err)), secret) {
				p.Errorf("%s: the address of the person stands in the error", what)
			}
			if _, found := p.Logged(secret); a != "" && found {
				p.Errorf("%s: the address of the person stands in the log", what)
			}
		}
	}
}

// ownValues checks that each message holds its own person's values, as they are.
func ownValues(p *probe, o MessengerOptions) {
	c := open[sdk.Messenger](p)
	common := sampleCommon("values")
	values := []string{"anna", `<b>&amp;"o'neill`, "a*b_c[d](e) `f` \\g"}
	got := p.news(o, func() {
		for i, v := range values {
			ref, err := c.Message(p.Ctx(), p.message(o, fmt.Sprint("values", i), content(common, v)))
			if err != nil {
				p.Fails("Message", err)
				p.Fatalf("Message: %v", err)
			}
			if ref.ID == "" {
				p.Error("Message gave a reference without an id")
			}
		}
	})
	if len(got) != len(values) {
		p.Fatalf("%d messages came of %d", len(got), len(values))
	}
	for i, text := range got {
		for j, v := range values {
			switch has := strings.Contains(text, "for "+v+"."); {
			case i == j && !has:
				p.Errorf("the value %q does not stand in its message as it is: %q", v, text)
			case i != j && has:
				p.Errorf("the value %q stands in somebody else's message", v)
			}
		}
		if fixed, names := sdk.Slots(text); len(names) > 0 || strings.ContainsAny(text, "\ufdd0\ufdd1") {
			p.Errorf("places for slots are left in the text: %q", fixed)
		}
	}
}

// sideBySide checks that messages that are sent at once arrive once each.
func sideBySide(p *probe, o MessengerOptions) {
	c := open[sdk.Messenger](p)
	common := sampleCommon("together")
	const n = 8
	errs := make([]error, n)
	messages := make([]sdk.DirectMessage, n)
	for i := range n {
		messages[i] = p.message(o, fmt.Sprint("together", i), content(common, fmt.Sprint("number", i)))
	}
	ctx := p.Ctx()
	got := p.news(o, func() {
		conformance.Together(n, func(i int) { _, errs[i] = c.Message(ctx, messages[i]) })
	})
	for i, err := range errs {
		if err != nil {
			p.Fails("Message", err)
			p.Errorf("message %d of %d at once: %v", i, n, err)
		}
		if count := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool {
			return !strings.Contains(s, fmt.Sprintf("number%d.", i))
		})); err == nil && count != 1 {
			p.Errorf("message %d came %d times", i, count)
		}
	}
}

// manners checks what a connector says of its messages against a long one: no text of it is longer, and why the person gets it is
// not cut away.
func manners(p *probe, o MessengerOptions) {
	l, ok := sdk.As[sdk.MessageLimiter](p.OpenAny())
	if !ok {
		return
	}
	limits := l.MessageLimits()
	if _, measured := conformance.Length("", limits.Unit); !measured || limits.Text <= 0 || limits.Text > 100_000 {
		return
	}
	common := sampleCommon("long")
	common.Body = append(common.Body, sdk.Paragraph(sdk.Text(strings.Repeat("naïve words ", limits.Text/4))))
	got := p.news(o, func() {
		if _, err := l.Message(p.Ctx(), p.message(o, "long", content(common, "anna"))); err != nil {
			p.Fails("Message", err)
			p.Fatalf("a long message: %v", err)
		}
	})
	for _, text := range got {
		if n, _ := conformance.Length(text, limits.Unit); n > limits.Text {
			p.Errorf("a message has %d %s, and says that it takes %d", n, limits.Unit, limits.Text)
		}
	}
	if all := strings.Join(got, "\n"); !strings.Contains(all, sdk.Fill(common.Reason, map[string]string{"since": "anna"})) {
		p.Errorf("of a long message the reason why the person gets it is cut away: %.200q", all)
	}
}

// Messenger checks a connector that writes to people.
func Messenger(o MessengerOptions) []conformance.Check {
	send := func(p *probe, m sdk.Messenger) func(ctx context.Context) error {
		message := p.message(o, "conduct", content(sampleCommon("conduct"), "anna"))
		return func(ctx context.Context) error {
			_, err := m.Message(ctx, message)
			p.silent("Message", err, o.Address)
			return err
		}
	}
	refused := func(p *probe, what string, m sdk.DirectMessage, codes ...sdk.Code) {
		p.Helper()
		c := open[sdk.Messenger](p)
		got := p.news(o, func() {
			_, err := c.Message(p.Ctx(), m)
			p.Fails(what, err, codes...)
			p.silent(what, err, o.Address)
		})
		if len(got) > 0 {
			p.Errorf("%s was sent", what)
		}
	}
	checks := []conformance.Check{
		{Name: "a message without a permit", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			refused(p, "a message without a permit", sdk.DirectMessage{MessageContent: content(sampleCommon("none"), "anna")},
				sdk.CodeNoConsent)
		}},
		{Name: "a permit that is over", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			over := o.Mint(p.T, p.Key("over"), o.Medium, o.Address, time.Now().Add(-time.Second))
			refused(p, "a message whose permit is over", sdk.NewDirectMessage(over, content(sampleCommon("over"), "anna")),
				sdk.CodeNoConsent)
		}},
		{Name: "a permit for another medium", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			other := o.Mint(p.T, p.Key("other"), "sdktest-"+o.Medium, o.Address, time.Now().Add(time.Hour))
			refused(p, "a message for another medium", sdk.NewDirectMessage(other, content(sampleCommon("other"), "anna")),
				sdk.CodeInvalid, sdk.CodeNoConsent, sdk.CodeUnsupported)
		}},
		{Name: "a message without a text", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			refused(p, "a message without a text", p.message(o, "empty", sdk.MessageContent{}), sdk.CodeInvalid, sdk.CodeUnsupported)
		}},
		{Name: "each person's own values", Run: func(tb conformance.T) { ownValues(newProbe(tb, o.Options), o) }},
		{Name: "messages side by side", Run: func(tb conformance.T) { sideBySide(newProbe(tb, o.Options), o) }},
		{Name: "a shared text stays as it is", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			c := open[sdk.Messenger](p)
			common := sampleCommon("shared")
			got := p.news(o, func() {
				for _, name := range []string{"shared", "shared again"} {
					if _, err := c.Message(p.Ctx(), p.message(o, name, content(common, "anna"))); err != nil {
						p.Fails("Message", err)
						p.Fatalf("Message: %v", err)
					}
				}
			})
			if len(got) != 2 || got[0] != got[1] {
				p.Errorf("two messages that say the same came as %q", got)
			}
			if fmt.Sprintf("%+v", *common) != fmt.Sprintf("%+v", *sampleCommon("shared")) {
				p.Error("Message changed the text that messages share")
			}
		}},
	}
	checks = append(checks, conformance.Check{Name: "a long message", Run: func(tb conformance.T) { manners(newProbe(tb, o.Options), o) }})
	if o.Lost != "" {
		checks = append(checks, conformance.Check{Name: "an address that reaches nobody", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			lost := sdk.NewDirectMessage(o.Mint(p.T, p.Key("lost"), o.Medium, o.Lost, time.Now().Add(time.Hour)), content(sampleCommon("lost"), "anna"))
			_, err := open[sdk.Messenger](p).Message(p.Ctx(), lost)
			p.Fails("a message to nobody", err, sdk.CodeGone)
			p.silent("a message to nobody", err, o.Lost)
			if err != nil && sdk.AsError(err).Scope != sdk.ScopePerson {
				p.Errorf("that somebody is gone is about %q and not about the person", sdk.AsError(err).Scope)
			}
		}})
	}
	return append(checks, conduct(o.Options, "Message", send)...)
}

// ListenerOptions are what the suite Listener needs.
type ListenerOptions struct {
	conformance.Options
	// Say lets somebody write, which becomes an EventMessage with this text.
	Say func(tb conformance.T, text string)
	// Medium of the handles.
	Medium string
}

// given is an event with the cursor behind it.
type given struct {
	sdk.InboxEvent
	next sdk.Cursor
}

func (p *probe) listen(l sdk.Listener, from sdk.Cursor) sdk.Events {
	p.Helper()
	e, err := l.Listen(p.Ctx(), from)
	if err != nil {
		p.Fails("Listen", err)
		p.Fatalf("Listen: %v", err)
	}
	p.Cleanup(func() { _ = e.Close() })
	return e
}

// take reads n events.
func (p *probe) take(o ListenerOptions, e sdk.Events, n int) (out []given) {
	p.Helper()
	for range n {
		event, next, err := e.Next(p.Ctx())
		if err != nil {
			p.Fails("Next", err)
			p.Fatalf("Next: %v", err)
		}
		switch {
		case event.ID == "":
			p.Error("an event has no id")
		case event.Kind != sdk.EventMessage:
			p.Errorf("the event is a %q and no message", event.Kind)
		case event.From.Medium != o.Medium || event.From.Value == "":
			p.Errorf("the event comes from somebody of the medium %q", event.From.Medium)
		case event.At.IsZero() || time.Since(event.At).Abs() > 48*time.Hour || event.At.Location() != time.UTC:
			p.Errorf("the event's time is %s", event.At)
		case len(next) > sdk.MaxCursor:
			p.Errorf("the cursor has %d bytes; at most %d are kept", len(next), sdk.MaxCursor)
		}
		out = append(out, given{event, next})
	}
	return out
}

// Listener checks a connector that hears people. It runs directly only: the role does not cross to another process.
func Listener(o ListenerOptions) []conformance.Check {
	// begin says some texts and gives them as events, with everything before them acknowledged.
	begin := func(p *probe, l sdk.Listener, texts ...string) (from sdk.Cursor) {
		p.Helper()
		// What waits from other checks is taken away first, up to a mark.
		mark := p.Key("mark")
		o.Say(p.T, mark)
		e := p.listen(l, nil)
		for {
			g := p.take(o, e, 1)[0]
			if from = g.next; g.Text == mark {
				break
			}
		}
		_ = e.Close()
		for _, text := range texts {
			o.Say(p.T, text)
		}
		return from
	}
	texts := func(events []given) (out []string) {
		for _, e := range events {
			out = append(out, e.Text)
		}
		return out
	}
	expect := func(p *probe, what string, events []given, want ...string) {
		p.Helper()
		if got := texts(events); !slices.Equal(got, want) {
			p.Errorf("%s: the events are %q, wanted are %q", what, got, want)
		}
	}
	return []conformance.Check{
		{Name: "events in their order", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			from := begin(p, l, "one", "two", "three")
			events := p.take(o, p.listen(l, from), 3)
			expect(p, "listening from a cursor", events, "one", "two", "three")
			for i := range events {
				for j := range i {
					if events[i].ID == events[j].ID {
						p.Errorf("two events have the id %q", events[i].ID)
					}
				}
			}
		}},
		{Name: "what was not acknowledged comes again", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			from := begin(p, l, "one", "two", "three")
			e := p.listen(l, from)
			first := p.take(o, e, 1)
			_ = e.Close()
			again := p.take(o, p.listen(l, from), 1)
			expect(p, "an event that nobody acknowledged", again, "one")
			if again[0].ID != first[0].ID {
				p.Errorf("the same event has the id %q and then %q", first[0].ID, again[0].ID)
			}
		}},
		{Name: "listening goes on at its cursor", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			from := begin(p, l, "one", "two", "three")
			e := p.listen(l, from)
			events := p.take(o, e, 2)
			_ = e.Close()
			expect(p, "from the cursor of the first", p.take(o, p.listen(l, events[0].next), 2), "two", "three")
			expect(p, "from the cursor of the second", p.take(o, p.listen(open[sdk.Listener](p), events[1].next), 1), "three")
		}},
		{Name: "what was acknowledged is not given again", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			from := begin(p, l, "one", "two")
			e := p.listen(l, from)
			events := p.take(o, e, 2)
			o.Say(p.T, "three")
			expect(p, "the next call", p.take(o, e, 1), "three")
			_ = e.Close()
			o.Say(p.T, "four")
			expect(p, "from the last cursor", p.take(o, p.listen(l, events[1].next), 2), "three", "four")
		}},
		{Name: "waiting ends with its context", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			e := p.listen(l, begin(p, l))
			ctx, cancel := context.WithTimeout(p.Background(), 200*time.Millisecond)
			defer cancel()
			p.InTime("Next", func() {
				_, _, err := e.Next(ctx)
				p.Fails("Next that is given up", err, sdk.CodeUnavailable, sdk.CodeUnknownOutcome)
			})
		}},
		{Name: "waiting ends with Close", Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			e := p.listen(l, begin(p, l))
			timer := time.AfterFunc(200*time.Millisecond, func() { _ = e.Close() })
			defer timer.Stop()
			p.InTime("Next", func() {
				_, _, err := e.Next(p.Ctx())
				p.Fails("Next of what is closed", err)
			})
			if err := e.Close(); err != nil {
				p.Errorf("the second Close: %v", err)
			}
		}},
		{Name: "an instance that is closed at once", Run: func(tb conformance.T) { newProbe(tb, o.Options).OpenAny() }},
	}
}

// probe is a probe with words for people.
type probe struct{ *conformance.Probe }

func newProbe(tb conformance.T, o conformance.Options) *probe {
	tb.Helper()
	return &probe{conformance.NewProbe(tb, o)}
}

func open[A any](p *probe) A {
	p.Helper()
	return conformance.Open[A](p.Probe)
}

func conduct[A any](o conformance.Options, role string, prepare func(p *probe, ability A) func(ctx context.Context) error) []conformance.Check {
	return conformance.Conduct(o, role, func(p *conformance.Probe, ability A) func(ctx context.Context) error {
		return prepare(&probe{p}, ability)
	})
}

package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// MessengerOptions are what the suite Messenger needs.
type MessengerOptions struct {
	Options
	// Medium and Address reach somebody who takes messages; Address is one of those that Permit names.
	Medium, Address string
	// Lost reaches nobody for good, such as somebody who blocked the sender, on the same medium; empty leaves out what needs it.
	Lost string
	// Mint makes a permit for a test.
	Mint func(tb T, id, medium, address string, notAfter time.Time) sdk.Permit
	// Got gives the visible text of the messages that Address was sent, oldest first.
	Got func(tb T) []string
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
	return sdk.NewDirectMessage(o.Mint(p.T, p.key(name), o.Medium, o.Address, time.Now().Add(time.Hour)), c)
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
			if a != "" && err != nil && strings.Contains(fmt.Sprintf("%v %+v %s", err, err, causes(err)), secret) {
				p.Errorf("%s: the address of the person stands in the error", what)
			}
			if _, found := p.log.holds(secret); a != "" && found {
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
			ref, err := c.Message(p.ctx(), p.message(o, fmt.Sprint("values", i), content(common, v)))
			if err != nil {
				p.fails("Message", err)
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
	ctx := p.ctx()
	got := p.news(o, func() {
		together(n, func(i int) { _, errs[i] = c.Message(ctx, messages[i]) })
	})
	for i, err := range errs {
		if err != nil {
			p.fails("Message", err)
			p.Errorf("message %d of %d at once: %v", i, n, err)
		}
		if count := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool {
			return !strings.Contains(s, fmt.Sprintf("number%d.", i))
		})); err == nil && count != 1 {
			p.Errorf("message %d came %d times", i, count)
		}
	}
}

// Messenger checks a connector that writes to people. It runs directly only: the role does not cross to another process.
func Messenger(o MessengerOptions) []Check {
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
			_, err := c.Message(p.ctx(), m)
			p.fails(what, err, codes...)
			p.silent(what, err, o.Address)
		})
		if len(got) > 0 {
			p.Errorf("%s was sent", what)
		}
	}
	checks := []Check{
		{"a message without a permit", func(tb T) {
			p := newProbe(tb, o.Options)
			refused(p, "a message without a permit", sdk.DirectMessage{MessageContent: content(sampleCommon("none"), "anna")},
				sdk.CodeNoConsent)
		}},
		{"a permit that is over", func(tb T) {
			p := newProbe(tb, o.Options)
			over := o.Mint(p.T, p.key("over"), o.Medium, o.Address, time.Now().Add(-time.Second))
			refused(p, "a message whose permit is over", sdk.NewDirectMessage(over, content(sampleCommon("over"), "anna")),
				sdk.CodeNoConsent)
		}},
		{"a permit for another medium", func(tb T) {
			p := newProbe(tb, o.Options)
			other := o.Mint(p.T, p.key("other"), "sdktest-"+o.Medium, o.Address, time.Now().Add(time.Hour))
			refused(p, "a message for another medium", sdk.NewDirectMessage(other, content(sampleCommon("other"), "anna")),
				sdk.CodeInvalid, sdk.CodeNoConsent, sdk.CodeUnsupported)
		}},
		{"a message without a text", func(tb T) {
			p := newProbe(tb, o.Options)
			refused(p, "a message without a text", p.message(o, "empty", sdk.MessageContent{}), sdk.CodeInvalid, sdk.CodeUnsupported)
		}},
		{"each person's own values", func(tb T) { ownValues(newProbe(tb, o.Options), o) }},
		{"messages side by side", func(tb T) { sideBySide(newProbe(tb, o.Options), o) }},
		{"a shared text stays as it is", func(tb T) {
			p := newProbe(tb, o.Options)
			c := open[sdk.Messenger](p)
			common := sampleCommon("shared")
			if _, err := c.Message(p.ctx(), p.message(o, "shared", content(common, "anna"))); err != nil {
				p.Fatalf("Message: %v", err)
			}
			if fmt.Sprintf("%+v", *common) != fmt.Sprintf("%+v", *sampleCommon("shared")) {
				p.Error("Message changed the text that messages share")
			}
		}},
	}
	if o.Lost != "" {
		checks = append(checks, Check{"an address that reaches nobody", func(tb T) {
			p := newProbe(tb, o.Options)
			lost := sdk.NewDirectMessage(o.Mint(p.T, p.key("lost"), o.Medium, o.Lost, time.Now().Add(time.Hour)), content(sampleCommon("lost"), "anna"))
			_, err := open[sdk.Messenger](p).Message(p.ctx(), lost)
			p.fails("a message to nobody", err, sdk.CodeGone)
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
	Options
	// Say lets somebody write, which becomes an EventMessage with this text.
	Say func(tb T, text string)
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
	e, err := l.Listen(p.ctx(), from)
	if err != nil {
		p.fails("Listen", err)
		p.Fatalf("Listen: %v", err)
	}
	p.Cleanup(func() { _ = e.Close() })
	return e
}

// take reads n events.
func (p *probe) take(o ListenerOptions, e sdk.Events, n int) (out []given) {
	p.Helper()
	for range n {
		event, next, err := e.Next(p.ctx())
		if err != nil {
			p.fails("Next", err)
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

// Listener checks a connector that hears people. It runs directly only.
func Listener(o ListenerOptions) []Check {
	// begin says some texts and gives them as events, with everything before them acknowledged.
	begin := func(p *probe, l sdk.Listener, texts ...string) (from sdk.Cursor) {
		p.Helper()
		// What waits from other checks is taken away first, up to a mark.
		mark := p.key("mark")
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
	return []Check{
		{"events in their order", func(tb T) {
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
		{"what was not acknowledged comes again", func(tb T) {
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
		{"listening goes on at its cursor", func(tb T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			from := begin(p, l, "one", "two", "three")
			e := p.listen(l, from)
			events := p.take(o, e, 2)
			_ = e.Close()
			expect(p, "from the cursor of the first", p.take(o, p.listen(l, events[0].next), 2), "two", "three")
			expect(p, "from the cursor of the second", p.take(o, p.listen(open[sdk.Listener](p), events[1].next), 1), "three")
		}},
		{"what was acknowledged is not given again", func(tb T) {
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
		{"waiting ends with its context", func(tb T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			e := p.listen(l, begin(p, l))
			ctx, cancel := context.WithTimeout(p.labels.context(), 200*time.Millisecond)
			defer cancel()
			p.inTime("Next", func() {
				_, _, err := e.Next(ctx)
				p.fails("Next that is given up", err, sdk.CodeUnavailable, sdk.CodeUnknownOutcome)
			})
		}},
		{"waiting ends with Close", func(tb T) {
			p := newProbe(tb, o.Options)
			l := open[sdk.Listener](p)
			e := p.listen(l, begin(p, l))
			timer := time.AfterFunc(200*time.Millisecond, func() { _ = e.Close() })
			defer timer.Stop()
			p.inTime("Next", func() {
				_, _, err := e.Next(p.ctx())
				p.fails("Next of what is closed", err)
			})
			if err := e.Close(); err != nil {
				p.Errorf("the second Close: %v", err)
			}
		}},
		{"an instance that is closed at once", func(tb T) { newProbe(tb, o.Options).openAny() }},
	}
}

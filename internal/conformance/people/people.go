// Package people holds the suites of connectors that write to people and hear them, and makes the permits that tests need: for
// addresses that nobody has. They run directly, over the wire, and against finished programs.
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

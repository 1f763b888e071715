package people

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/sdk"
)

// ListenerOptions are what the suite Listener needs.
type ListenerOptions struct {
	conformance.Options
	// Say lets somebody write, which becomes an EventMessage with this text.
	Say func(tb conformance.T, text string)
	// Medium of the handles. From is the address of who writes; empty where it is not known.
	Medium, From string
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

// sound checks what every event keeps to. It was told at about a time.
func (p *probe) sound(event sdk.InboxEvent, medium, from string, told time.Time) {
	p.Helper()
	nameless := (event.Kind == sdk.EventBounce || event.Kind == sdk.EventComplaint || event.Kind == sdk.EventReceipt) && event.Ref != ""
	switch {
	case event.ID == "":
		p.Error("an event has no id")
	case nameless && event.From.Value == "":
	case event.From.Medium != medium || event.From.Value == "":
		p.Errorf("the event comes from somebody of the medium %q", event.From.Medium)
	case from != "" && event.From.Value != from:
		p.Error("the event comes from somebody else than who wrote; the address of an event is the one that messages to them name")
	case event.At.IsZero() || told.Sub(event.At).Abs() > 48*time.Hour || event.At.Location() != time.UTC:
		p.Errorf("the event's time is %s", event.At)
	}
}

// take reads n events.
func (p *probe) take(o ListenerOptions, e sdk.Events, n int) (out []given) {
	p.Helper()
	for range n {
		event, next, err := e.Next(p.Ctx())
		if err != nil {
			p.Fails("Next", err)
			p.silent("Next", err, o.From)
			p.Fatalf("Next: %v", err)
		}
		p.sound(event, o.Medium, o.From, time.Now())
		switch {
		case event.Kind != sdk.EventMessage:
			p.Errorf("the event is a %q and no message", event.Kind)
		case len(next) > sdk.MaxCursor:
			p.Errorf("the cursor has %d bytes; at most %d are kept", len(next), sdk.MaxCursor)
		}
		out = append(out, given{event, next})
	}
	return out
}

// begin says some texts and gives the place before them, with everything that came earlier acknowledged.
func (p *probe) begin(o ListenerOptions, l sdk.Listener, texts ...string) (from sdk.Cursor) {
	p.Helper()
	// What waits from other checks is taken away first, up to a mark.
	mark := p.Key("mark " + rand.Text())
	o.Say(p.T, mark)
	e := p.listen(l, nil)
	seen := map[string]bool{}
	for {
		g := p.take(o, e, 1)[0]
		if seen[g.ID] {
			p.Fatalf("the event %q is given again, and nothing behind it: listening does not go on", g.ID)
		}
		seen[g.ID] = true
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

// heard compares the texts of events.
func (p *probe) heard(what string, events []given, want ...string) {
	p.Helper()
	var got []string
	for _, e := range events {
		got = append(got, e.Text)
	}
	if !slices.Equal(got, want) {
		p.Errorf("%s: the events are %q, wanted are %q", what, got, want)
	}
}

// Listener checks a connector that hears people.
func Listener(o ListenerOptions) []conformance.Check {
	check := func(name string, run func(p *probe, l sdk.Listener)) conformance.Check {
		return conformance.Check{Name: name, Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			run(p, open[sdk.Listener](p))
		}}
	}
	checks := []conformance.Check{
		check("events in their order", func(p *probe, l sdk.Listener) {
			from := p.begin(o, l, "one", "two", "three")
			events := p.take(o, p.listen(l, from), 3)
			p.heard("listening from a cursor", events, "one", "two", "three")
			for i := range events {
				for j := range i {
					if events[i].ID == events[j].ID {
						p.Errorf("two events have the id %q", events[i].ID)
					}
				}
			}
		}),
		check("what people write arrives as they wrote it", func(p *probe, l sdk.Listener) {
			wrote := []string{"STOP", "ARRÊT", "/start alertes", `<b>&amp;"o'neill` + " a*b_c \\g 👍", strings.Repeat("naïve words ", 50) + "STOP"}
			from := p.begin(o, l, wrote...)
			p.heard("what was written", p.take(o, p.listen(l, from), len(wrote)), wrote...)
			for _, secret := range []string{o.From, wrote[3]} {
				if line, found := p.Logged(secret); secret != "" && found {
					p.Errorf("who wrote, or what, stands in the log: %.20q…", line)
				}
			}
		}),
		check("what was not acknowledged comes again", func(p *probe, l sdk.Listener) {
			from := p.begin(o, l, "one", "two", "three")
			e := p.listen(l, from)
			first := p.take(o, e, 1)
			_ = e.Close()
			again := p.take(o, p.listen(l, from), 1)
			p.heard("an event that nobody acknowledged", again, "one")
			if again[0].ID != first[0].ID {
				p.Errorf("the same event has the id %q and then %q", first[0].ID, again[0].ID)
			}
		}),
		check("listening goes on at its cursor", func(p *probe, l sdk.Listener) {
			from := p.begin(o, l, "one", "two", "three")
			e := p.listen(l, from)
			events := p.take(o, e, 2)
			_ = e.Close()
			p.heard("from the cursor of the first", p.take(o, p.listen(l, events[0].next), 2), "two", "three")
			p.heard("from the cursor of the second", p.take(o, p.listen(open[sdk.Listener](p), events[1].next), 1), "three")
		}),
		check("what was acknowledged is not given again", func(p *probe, l sdk.Listener) {
			from := p.begin(o, l, "one", "two")
			e := p.listen(l, from)
			events := p.take(o, e, 2)
			o.Say(p.T, "three")
			p.heard("the next call", p.take(o, e, 1), "three")
			_ = e.Close()
			o.Say(p.T, "four")
			p.heard("from the last cursor", p.take(o, p.listen(l, events[1].next), 2), "three", "four")
		}),
		check("a cursor that is not its own", func(p *probe, l sdk.Listener) {
			p.begin(o, l)
			for _, odd := range []sdk.Cursor{sdk.Cursor("\x00\xff{"), sdk.Cursor(strings.Repeat("9", 100)), make(sdk.Cursor, sdk.MaxCursor)} {
				ctx, cancel := context.WithTimeout(p.Background(), 200*time.Millisecond)
				p.InTime("listening from another's cursor", func() {
					e, err := l.Listen(ctx, odd)
					if err == nil {
						_, _, err = e.Next(ctx) // beginning anew is right, too
						_ = e.Close()
					}
					if err != nil {
						p.Fails("listening from another's cursor", err)
					}
				})
				cancel()
			}
			from := p.begin(o, l, "after")
			p.heard("afterwards", p.take(o, p.listen(l, from), 1), "after")
		}),
		check("waiting ends with its context", func(p *probe, l sdk.Listener) {
			e := p.listen(l, p.begin(o, l))
			ctx, cancel := context.WithTimeout(p.Background(), 200*time.Millisecond)
			defer cancel()
			p.InTime("Next", func() {
				_, _, err := e.Next(ctx)
				p.Fails("Next that is given up", err, sdk.CodeUnavailable, sdk.CodeUnknownOutcome)
			})
		}),
		check("waiting ends with Close", func(p *probe, l sdk.Listener) {
			e := p.listen(l, p.begin(o, l))
			timer := time.AfterFunc(200*time.Millisecond, func() { _ = e.Close() })
			defer timer.Stop()
			p.InTime("Next", func() {
				_, _, err := e.Next(p.Ctx())
				p.Fails("Next of what is closed", err)
			})
			if err := e.Close(); err != nil {
				p.Errorf("the second Close: %v", err)
			}
		}),
	}
	return append(checks, conduct(o.Options, "Next", func(p *probe, l sdk.Listener) func(ctx context.Context) error {
		e := p.listen(l, p.begin(o, l))
		return func(ctx context.Context) error {
			_, _, err := e.Next(ctx)
			return err
		}
	})...)
}

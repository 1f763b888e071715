package conformance

import (
	"context"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

// WebhookOptions are what the suite Webhook needs.
type WebhookOptions struct {
	Options
	// Genuine are requests of the sender, Forged are requests of somebody else.
	Genuine, Forged []sdk.WebhookRequest
}

// Webhook checks a connector that receives items from a publishing system.
func Webhook(o WebhookOptions) []Check {
	verify := func(_ *Probe, w sdk.WebhookReceiver) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			if v, err := w.Verify(ctx, o.Genuine[0]); err != nil || v.Accept {
				return err
			}
			return sdk.Errorf(sdk.CodeUnavailable, "verify", "not accepted")
		}
	}
	// Verify and Map reach no platform; a context that has ended may be met or not, but never ends in a lie.
	conducted := Conduct(o.Options, "Verify", verify)[1:]
	return append([]Check{
		{"genuine requests are kept", func(tb T) {
			p := NewProbe(tb, o.Options)
			w := Open[sdk.WebhookReceiver](p)
			for i, r := range o.Genuine {
				v, err := w.Verify(p.Ctx(), r)
				again, err2 := w.Verify(p.Ctx(), r)
				if err != nil || err2 != nil || !v.Accept || v.Reply.Status < 200 || v.Reply.Status > 299 {
					p.Errorf("request %d: %v, %v; accepted %t with status %d", i+1, err, err2, v.Accept, v.Reply.Status)
				}
				if v.DeliveryID != again.DeliveryID {
					p.Errorf("request %d: a retry has another delivery id: %q, then %q", i+1, v.DeliveryID, again.DeliveryID)
				}
			}
		}},
		{"forged requests are refused", func(tb T) {
			p := NewProbe(tb, o.Options)
			w := Open[sdk.WebhookReceiver](p)
			for i, r := range append([]sdk.WebhookRequest{{}, {Method: "POST", Body: []byte("\x00\xff")}}, o.Forged...) {
				v, err := w.Verify(p.Ctx(), r)
				switch {
				case err != nil:
					p.Fails("Verify", err)
				case v.Accept || v.Reply.Status >= 200 && v.Reply.Status <= 299:
					p.Errorf("forged request %d: accepted %t with status %d", i-1, v.Accept, v.Reply.Status)
				}
			}
		}},
		{"mapping gives the same every time", func(tb T) {
			p := NewProbe(tb, o.Options)
			a, b := Open[sdk.WebhookReceiver](p), Open[sdk.WebhookReceiver](p)
			for i, r := range o.Genuine {
				want, err := a.Map(p.Ctx(), r)
				if err != nil {
					p.Fails("Map", err)
					p.Errorf("request %d: %v", i+1, err)
					continue
				}
				checkBatch(p, want)
				for _, by := range []sdk.WebhookReceiver{a, b} {
					got, err := by.Map(p.Ctx(), r)
					if diff := cmp.Diff(want, got, equal()); err != nil || diff != "" {
						p.Errorf("request %d maps to something else the next time (%v, -first +second):\n%s", i+1, err, diff)
					}
				}
			}
		}},
		{"a body that makes no sense", func(tb T) {
			p := NewProbe(tb, o.Options)
			w := Open[sdk.WebhookReceiver](p)
			for _, body := range []string{"", "{", "null", "[]", "\x00\xff", "<x/>"} {
				r := o.Genuine[0]
				r.Body = []byte(body)
				if b, err := w.Map(p.Ctx(), r); err != nil {
					p.Fails("Map", err)
				} else {
					checkBatch(p, b)
				}
			}
		}},
	}, conducted...)
}

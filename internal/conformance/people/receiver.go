package people

import (
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/sdk"
)

// ReceiverOptions are what the suite Receiver needs.
type ReceiverOptions struct {
	conformance.Options
	// Genuine are calls of the platform, each of which tells something; Forged are calls of somebody else.
	Genuine, Forged []sdk.WebhookRequest
	// Medium of the handles. From is the address of whoever the calls are about; empty where it is not known, or there are several.
	Medium, From string
}

// taken says of a call whether it was taken.
func taken(reply sdk.WebhookReply) bool { return reply.Status >= 200 && reply.Status <= 299 }

// hook makes one call, and looks for credentials in what it is answered.
func (p *probe) hook(o ReceiverOptions, r sdk.Receiver, call sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	p.Helper()
	reply, events, err := r.ReceiveEvents(p.Ctx(), call)
	for _, secret := range o.Secrets {
		if strings.Contains(fmt.Sprintf("%v %s", reply.Header, reply.Body), secret) {
			p.Error("a secret of the configuration stands in what a call is answered")
		}
	}
	p.silent("ReceiveEvents", err, o.From)
	if err == nil && !taken(reply) && len(events) > 0 {
		p.Errorf("a call is refused with the status %d, and %d events are taken out of it", reply.Status, len(events))
	}
	return reply, events, err
}

// Receiver checks a connector whose platform calls when people do something.
func Receiver(o ReceiverOptions) []conformance.Check {
	check := func(name string, run func(p *probe, r sdk.Receiver)) conformance.Check {
		return conformance.Check{Name: name, Run: func(tb conformance.T) {
			p := newProbe(tb, o.Options)
			run(p, open[sdk.Receiver](p))
		}}
	}
	told := func(p *probe, r sdk.Receiver, n int) (ids []string) {
		p.Helper()
		reply, events, err := p.hook(o, r, o.Genuine[n])
		if err != nil || !taken(reply) || len(events) == 0 {
			p.Errorf("call %d of the platform: %d events, status %d, %v", n+1, len(events), reply.Status, err)
		}
		for _, e := range events {
			p.sound(e, o.Medium, o.From, o.Genuine[n].ReceivedAt)
			if slices.Contains(ids, e.ID) {
				p.Errorf("two events of one call have the id %q", e.ID)
			}
			ids = append(ids, e.ID)
		}
		return ids
	}
	return []conformance.Check{
		check("calls of the platform are taken", func(p *probe, r sdk.Receiver) {
			for n := range o.Genuine {
				told(p, r, n)
			}
		}),
		check("a call that comes again tells the same", func(p *probe, r sdk.Receiver) {
			other := open[sdk.Receiver](p)
			for n := range o.Genuine {
				first := told(p, r, n)
				for _, by := range []sdk.Receiver{r, other} {
					if again := told(p, by, n); !slices.Equal(first, again) {
						p.Errorf("call %d has events with the ids %q, and %q when it comes again; what it tells would count twice", n+1, first, again)
					}
				}
			}
		}),
		check("forged calls are refused", func(p *probe, r sdk.Receiver) {
			refuses := func(what string, call sdk.WebhookRequest) {
				p.Helper()
				reply, events, err := p.hook(o, r, call)
				switch {
				case err != nil:
					p.Fails(what, err)
				case taken(reply) || len(events) > 0:
					p.Errorf("%s: status %d, %d events; anybody could say that somebody follows or leaves", what, reply.Status, len(events))
				}
			}
			refuses("an empty call", sdk.WebhookRequest{})
			refuses("a call of noise", sdk.WebhookRequest{Method: "POST", Body: []byte("\x00\xff")})
			for n, call := range o.Forged {
				refuses(fmt.Sprintf("forged call %d", n+1), call)
			}
		}),
		check("a call that makes no sense", func(p *probe, r sdk.Receiver) {
			for _, body := range []string{"", "{", "null", "[]", "\x00\xff", "<x/>"} {
				call := o.Genuine[0]
				call.Body = []byte(body)
				if _, events, err := p.hook(o, r, call); err != nil {
					p.Fails("ReceiveEvents", err)
				} else if len(events) > 0 {
					p.Errorf("%d events are taken out of the body %q", len(events), body)
				}
			}
			told(p, r, 0)
		}),
		// ReceiveEvents reaches no platform, or need not: a context that has ended may be met or not, so that it is no promise.
		{Name: "an instance that is closed at once", Run: func(tb conformance.T) { conformance.NewProbe(tb, o.Options).OpenAny() }},
	}
}

package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// FaultOptions are what the suite Faults needs: a platform that goes wrong on a script.
type FaultOptions struct {
	PublisherOptions
	// Script stands before the platform.
	Script *fault.Script
	// Refuse makes the platform refuse connections until restore is called.
	Refuse func(tb T) (restore func())
	// Now is the clock of fetches; zero means the present.
	Now time.Time
}

const (
	// retryAfter is what a platform asks for in a header: no connector would choose it by itself.
	retryAfter = 7 * time.Second
	// late is how long a slow platform keeps its answer.
	late = time.Second
)

// happening is one thing that goes wrong, and what a call makes of it.
type happening struct {
	name  string
	fault fault.Fault
	// refuse has the platform take no connection instead.
	refuse bool
	// sent are the codes of a call that changes something at the platform, asked those of one that does not.
	sent, asked []sdk.Code
	retry       time.Duration
	// done says that the platform did what it was asked to.
	done bool
	// mayWork says that a call may succeed all the same.
	mayWork bool
}

func happenings() []happening {
	unknown, unavailable := []sdk.Code{sdk.CodeUnknownOutcome}, []sdk.Code{sdk.CodeUnavailable}
	wait := http.Header{"Retry-After": {"7"}}
	limited := []sdk.Code{sdk.CodeRateLimited}
	strange := []sdk.Code{sdk.CodeUnauthenticated}
	return []happening{
		{name: "nobody listens", refuse: true, sent: unavailable, asked: unavailable},
		{name: "the connection is cut before an answer", fault: fault.Fault{Drop: true}, sent: unknown, asked: unavailable},
		{name: "the connection is cut after the work was done", fault: fault.Fault{Drop: true, Accepted: true}, sent: unknown, asked: unavailable, done: true},
		{name: "the answer is cut in half", fault: fault.Fault{Half: true, Accepted: true}, sent: unknown, asked: unavailable, done: true, mayWork: true},
		{name: "the platform asks to wait", fault: fault.Fault{Status: http.StatusTooManyRequests, Header: wait}, sent: limited, asked: limited, retry: retryAfter},
		{name: "the credential is refused", fault: fault.Fault{Status: http.StatusUnauthorized}, sent: strange, asked: strange},
	}
}

// slow is a platform that takes its time. One call of each kind is enough to wait for.
func slow() happening {
	return happening{name: "the answer comes late", fault: fault.Fault{After: late, Accepted: true}, sent: []sdk.Code{sdk.CodeUnknownOutcome},
		asked: []sdk.Code{sdk.CodeUnavailable}, done: true, mayWork: true}
}

// writes says which requests change something.
func writes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// under makes one call while something goes wrong.
func (p *Probe) under(o FaultOptions, h happening, sends bool, call func(ctx context.Context) error) error {
	p.Helper()
	met := o.Script.Met()
	restore := func() { o.Script.Clear() }
	if h.refuse {
		restore = o.Refuse(p.T)
	} else {
		f := h.fault
		f.Every = 1
		if sends {
			f.On = writes
		}
		o.Script.Add(f)
	}
	err := call(p.Ctx())
	restore()
	if !h.refuse && o.Script.Met() == met {
		p.Fatalf("no request of this call reached the fake; does the configuration name it?")
	}
	return err
}

// judge checks what a call made of it.
func (p *Probe) judge(what string, h happening, codes []sdk.Code, err error) {
	p.Helper()
	if err == nil && h.mayWork {
		return
	}
	p.Fails(what+" when "+h.name, err, codes...)
	if e := sdk.AsError(err); e != nil && h.retry > 0 && e.Code == sdk.CodeRateLimited && e.RetryAfter != h.retry {
		p.Errorf("%s when %s: the platform asked for %s, and the error for %s", what, h.name, h.retry, e.RetryAfter)
	}
}

// SourceFaults checks that a source whose server goes wrong says so with the right code.
func SourceFaults(o FaultOptions) (checks []Check) {
	now := o.Now
	if now.IsZero() {
		now = time.Now().UTC()
	}
	for _, h := range append(happenings(), slow()) {
		checks = append(checks, Check{"fetch: " + h.name, func(tb T) {
			p := NewProbe(tb, o.Options)
			s := Open[sdk.Source](p)
			p.fetch(s, sdk.FetchRequest{Now: now})
			err := p.under(o, h, false, func(ctx context.Context) error {
				_, err := s.Fetch(ctx, sdk.FetchRequest{Now: now, Force: true})
				return err
			})
			p.judge("Fetch", h, h.asked, err)
		}})
	}
	return checks
}

// PublisherFaults checks that a connector whose platform goes wrong says "unavailable" only when nothing can have happened,
// and "unknown_outcome" when something can; that Find then tells which; and that the same key posts once.
func PublisherFaults(o FaultOptions) (checks []Check) {
	for _, h := range append(happenings(), slow()) {
		checks = append(checks, Check{"publish: " + h.name, func(tb T) {
			p := NewProbe(tb, o.Options)
			c := Open[sdk.Publisher](p)
			to, limits := p.channel(c, o.PublisherOptions)
			part := p.ready(p.plan(c, to, samplePost("posted when "+h.name))[0], h.name)
			before := p.posts(o.PublisherOptions)
			err := p.under(o, h, true, func(ctx context.Context) error {
				_, err := c.Publish(ctx, to, part)
				return err
			})
			p.judge("Publish", h, h.sent, err)
			if n := p.posts(o.PublisherOptions) - before; n > 1 {
				p.Errorf("one attempt when %s made %d posts", h.name, n)
			}
			if f, ok := sdk.As[sdk.Finder](c); ok {
				_, found, err := f.Find(p.Ctx(), to, part.Key)
				if err != nil {
					p.Fails("Find", err)
				}
				if found != h.done || err != nil {
					p.Errorf("Find after a publication when %s: %t, %v; the platform has it: %t", h.name, found, err, h.done)
				}
			}
			if limits.Rules.SameKeyFor > 0 {
				p.publish(c, to, part)
				if after := p.posts(o.PublisherOptions); o.Posts != nil && after != before+1 {
					p.Errorf("an attempt when %s and one more with the same key made %d posts", h.name, after-before)
				}
			}
		}})
	}
	return checks
}

// repeatable are the codes of a revision and of a deletion: they may be made again, so that both codes of an answer that
// never came whole lead to the same.
func (h happening) repeatable() []sdk.Code {
	if !h.refuse && h.fault.Status == 0 {
		return []sdk.Code{sdk.CodeUnknownOutcome, sdk.CodeUnavailable}
	}
	return h.sent
}

// EditorFaults checks that an edit against a platform that goes wrong says so with the right code.
func EditorFaults(o FaultOptions) (checks []Check) {
	for _, h := range happenings() {
		checks = append(checks, Check{"edit: " + h.name, func(tb T) {
			p := NewProbe(tb, o.Options)
			c, e, to, ref := p.published(o.PublisherOptions, "edited when "+h.name)
			part := p.ready(p.plan(c, to, samplePost("edit when "+h.name))[0], "edit when "+h.name)
			err := p.under(o, h, true, func(ctx context.Context) error { _, err := e.Edit(ctx, ref, part); return err })
			p.judge("Edit", h, h.repeatable(), err)
		}})
	}
	return checks
}

// DeleterFaults checks the same of deletions.
func DeleterFaults(o FaultOptions) (checks []Check) {
	for _, h := range happenings() {
		checks = append(checks, Check{"delete: " + h.name, func(tb T) {
			p := NewProbe(tb, o.Options)
			d := Open[sdk.Deleter](p)
			ref := p.publishedBy(ability[sdk.Publisher](p, d), o.PublisherOptions, "deleted when "+h.name)
			err := p.under(o, h, true, func(ctx context.Context) error { return d.Delete(ctx, ref) })
			p.judge("Delete", h, h.repeatable(), err)
		}})
	}
	return checks
}

// FinderFaults checks that who cannot look does not say that nothing is there.
func FinderFaults(o FaultOptions) (checks []Check) {
	for _, h := range happenings() {
		checks = append(checks, Check{"find: " + h.name, func(tb T) {
			p := NewProbe(tb, o.Options)
			f := Open[sdk.Finder](p)
			to, _ := p.channel(f, o.PublisherOptions)
			err := p.under(o, h, false, func(ctx context.Context) error {
				_, found, err := f.Find(ctx, to, p.Key("never"))
				if err == nil && !found && !h.mayWork {
					p.Errorf("Find when %s answered that nothing was accepted, although it could not look", h.name)
				}
				return err
			})
			p.judge("Find", h, h.asked, err)
		}})
	}
	return checks
}

package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Opener makes an instance of a connector from its configuration, as (*sdk.Spec).Open does.
type Opener func(ctx context.Context, s sdk.Settings, config map[string]any) (sdk.Connector, error)

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
	Break func(tb T) (restore func())
	// Stall makes what the connector talks to take a request and not answer it until restore is called.
	Stall func(tb T) (restore func())
	// Elsewhere says that instances live in another process, so that nothing of them can be left in this one.
	Elsewhere bool
}

const (
	// callTime is the longest that one call of a suite may take.
	callTime = 30 * time.Second
	// promptly is how soon a call returns once its context has ended.
	promptly = 5 * time.Second
)

// Check is one rule of a contract.
type Check struct {
	Name string
	Run  func(tb T)
}

// Probe opens instances for one check and watches them.
type Probe struct {
	T
	o      Options
	log    *secretLog
	labels *labels
	conns  []sdk.Connector
	unique string
}

// NewProbe makes the probe of one check, which ends with it.
func NewProbe(tb T, o Options) *Probe {
	tb.Helper()
	if o.Open == nil {
		tb.Fatal("sdktest: Options.Open is missing")
	}
	p := &Probe{T: tb, o: o, log: &secretLog{}, labels: labelGoroutine(), unique: rand.Text()}
	tb.Cleanup(p.finish)
	return p
}

// finish closes what the check opened. Then no goroutine of it may be left.
func (p *Probe) finish() {
	defer p.labels.restore()
	ctx, cancel := context.WithTimeout(p.labels.context(), callTime)
	defer cancel()
	for _, conn := range p.conns {
		if err := conn.Close(ctx); err != nil {
			p.Errorf("Close: %v", err)
		}
	}
	if p.o.Elsewhere {
		return // its log is judged with its process
	}
	if left := p.labels.left(promptly); left != "" {
		p.Errorf("Close returned, but goroutines of the connector go on:\n%s", left)
	}
	for _, secret := range p.o.Secrets {
		if line, ok := p.log.holds(secret); ok {
			p.Errorf("a secret of the configuration stands in the log: %s", strings.ReplaceAll(line, secret, "…"))
		}
	}
}

// Key makes an idempotency key that no other check and no other run uses.
func (p *Probe) Key(name string) string {
	sum := sha256.Sum256([]byte(p.unique + name))
	return hex.EncodeToString(sum[:16])
}

// Ctx is for one call.
func (p *Probe) Ctx() context.Context {
	ctx, cancel := context.WithTimeout(p.labels.context(), callTime)
	p.Cleanup(cancel)
	return ctx
}

// Background is the context of whatever the check does.
func (p *Probe) Background() context.Context { return p.labels.context() }

// Logged finds a line of the connector's log that holds a text.
func (p *Probe) Logged(text string) (line string, found bool) { return p.log.holds(text) }

// cancelled is a context that is over.
func (p *Probe) cancelled() context.Context {
	ctx, cancel := context.WithCancel(p.labels.context())
	cancel()
	return ctx
}

// OpenAny opens an instance, which is closed with the check.
func (p *Probe) OpenAny() sdk.Connector {
	p.Helper()
	conn, err := p.o.Open(p.Ctx(), sdk.Settings{Instance: "sdktest", UserAgent: "belfry-sdktest", Log: slog.New(p.log)}, p.o.Config)
	if err != nil {
		p.Fatalf("the connector does not open: %v", err)
	}
	p.conns = append(p.conns, conn)
	return conn
}

// Open opens an instance and finds an ability of it.
func Open[A any](p *Probe) A {
	p.Helper()
	return ability[A](p, p.OpenAny())
}

func ability[A any](p *Probe, conn sdk.Connector) A {
	p.Helper()
	a, ok := sdk.As[A](conn)
	if !ok {
		var t *A
		p.Fatalf("the connector does not have the role of %s", strings.TrimPrefix(fmt.Sprintf("%T", t), "*sdk."))
	}
	return a
}

// knownCodes are the codes of sdk.
var knownCodes = []sdk.Code{sdk.CodeRateLimited, sdk.CodeUnavailable, sdk.CodeUnknownOutcome, sdk.CodeInvalid, sdk.CodeTooLarge,
	sdk.CodeUnsupported, sdk.CodeUnauthenticated, sdk.CodeForbidden, sdk.CodeGone, sdk.CodeNoConsent, sdk.CodeWindowClosed,
	sdk.CodeNotAChannel}

// Fails checks that err keeps to the rules of sdk.Error and has one of the codes, if any are named.
func (p *Probe) Fails(what string, err error, codes ...sdk.Code) {
	p.Helper()
	if err == nil {
		p.Errorf("%s: no error", what)
		return
	}
	for _, secret := range p.o.Secrets {
		if strings.Contains(fmt.Sprintf("%v %+v %s", err, err, Causes(err)), secret) {
			p.Errorf("%s: a secret of the configuration stands in the error: %s", what, strings.ReplaceAll(err.Error(), secret, "…"))
		}
	}
	var e *sdk.Error
	if !errors.As(err, &e) {
		p.Errorf("%s: the error is no *sdk.Error: %v", what, err)
		return
	}
	switch {
	case !slices.Contains(knownCodes, e.Code):
		p.Errorf("%s: the error has the code %q, which is none of sdk: %v", what, e.Code, err)
	case len(codes) > 0 && !slices.Contains(codes, e.Code):
		p.Errorf("%s: the error has the code %s, wanted is %v: %v", what, e.Code, codes, err)
	case e.Public == "":
		p.Errorf("%s: the error (%s) has no sentence for people", what, e.Code)
	case e.RetryAfter < 0:
		p.Errorf("%s: the error asks to wait %s", what, e.RetryAfter)
	}
}

// Causes writes an error with everything it wraps.
func Causes(err error) string {
	var b strings.Builder
	for err != nil {
		fmt.Fprintf(&b, "%v\n", err)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				b.WriteString(Causes(e))
			}
			break
		}
		err = errors.Unwrap(err)
	}
	return b.String()
}

// InTime runs a call whose context has ended, and says whether it returned soon.
func (p *Probe) InTime(what string, call func()) {
	p.Helper()
	start := time.Now()
	call()
	if took := time.Since(start); took > promptly {
		p.Errorf("%s: the call went on for %s after its context had ended", what, took.Round(time.Millisecond))
	}
}

// Conduct is what every role keeps to, besides its own rules. prepare readies one call that reaches the platform.
func Conduct[A any](o Options, role string, prepare func(p *Probe, ability A) func(ctx context.Context) error) []Check {
	gaveUp := []sdk.Code{sdk.CodeUnavailable, sdk.CodeUnknownOutcome}
	checks := []Check{
		{"the context that has ended", func(tb T) {
			p := NewProbe(tb, o)
			call := prepare(p, Open[A](p))
			p.InTime(role, func() { p.Fails(role+" with a context that has ended", call(p.cancelled()), gaveUp...) })
		}},
		{"an instance that is closed at once", func(tb T) { NewProbe(tb, o).OpenAny() }},
	}
	if o.Stall != nil {
		checks = append(checks, Check{"the context that ends during a call", func(tb T) {
			p := NewProbe(tb, o)
			call := prepare(p, Open[A](p))
			restore := o.Stall(p.T)
			defer restore()
			ctx, cancel := context.WithTimeout(p.labels.context(), 200*time.Millisecond)
			defer cancel()
			p.InTime(role, func() { p.Fails(role+" that is given up", call(ctx), gaveUp...) })
		}})
	}
	if o.Break != nil {
		checks = append(checks, Check{"a platform that fails", func(tb T) {
			p := NewProbe(tb, o)
			call := prepare(p, Open[A](p))
			restore := o.Break(p.T)
			err := call(p.Ctx())
			restore()
			p.Fails(role+" against a platform that fails", err)
		}})
	}
	return checks
}

// Together runs n calls at once, for the race detector and for rules about concurrency.
func Together(n int, call func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { call(i) })
	}
	wg.Wait()
}

// equal compares what two calls gave: an empty list is like none, and bytes are compared at once.
func equal() cmp.Option {
	return cmp.Options{cmpopts.EquateEmpty(),
		cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Comparer(bytes.Equal))}
}

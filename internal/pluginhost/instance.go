package pluginhost

import (
	"context"
	"errors"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
)

// instance is one connector of a kind. It brings its calls to the process that holds it (wire.Caller).
type instance struct {
	k        *kind
	settings sdk.Settings
	config   map[string]any

	// Guarded by the kind's lock.
	suspect bool
	strikes budget
	held    *HeldError
	last    string
}

// Call implements wire.Caller.
func (i *instance) Call(ctx context.Context, op wire.Op, f func(ctx context.Context, at wire.At) error) error {
	ctx, cancel := context.WithTimeout(ctx, i.k.h.limits.Call)
	defer cancel()
	if !op.Waits {
		leave, refused := i.k.turn(ctx, op.Name)
		if refused != nil {
			return refused
		}
		defer leave()
	}
	for {
		if err := i.admit(ctx, op); err != nil {
			return err
		}
		if i.k.mustBeAlone(i) {
			return i.named(op, i.callAlone(ctx, op, f))
		}
		p, failed := i.k.process(ctx, op.Name)
		if failed != nil {
			return failed
		}
		how, err := p.call(ctx, i, op, f)
		switch how {
		case answered:
			return i.named(op, err)
		case neverBegan:
			continue
		}
		// Whoever was under way is a suspect now (see kind.watch), unless the process was no longer wanted.
		if ctx.Err() != nil || !op.Repeats || i.k.h.isClosed() {
			return i.named(op, err)
		}
	}
}

// admit refuses calls that must not be made now.
func (i *instance) admit(ctx context.Context, op wire.Op) error {
	if i.k.h.isClosed() {
		return i.k.stopping(op.Name)
	}
	if err := i.k.admit(i, op.Name); err != nil {
		return err
	}
	if ctx.Err() != nil {
		e := i.k.unavailable(op.Name, "the call was given up before it was made")
		e.Err = context.Cause(ctx)
		return e
	}
	return nil
}

// callAlone makes one call in a fresh process that holds nothing else.
func (i *instance) callAlone(ctx context.Context, op wire.Op, f func(ctx context.Context, at wire.At) error) error {
	k := i.k
	select {
	case k.alone <- struct{}{}:
	case <-ctx.Done():
		e := k.unavailable(op.Name, "%s waits to be tried alone", i.settings.Instance)
		e.Err = context.Cause(ctx)
		return e
	}
	release := func() { <-k.alone }
	// Whoever was tried before may have changed what is known.
	if err := i.admit(ctx, op); err != nil {
		release()
		return err
	}
	k.mu.Lock()
	failed := k.mayStart(op.Name)
	k.mu.Unlock()
	if failed != nil {
		release()
		return failed
	}
	p, failed := k.startNow(ctx, op.Name, true)
	if failed != nil {
		release()
		return failed
	}
	how, err := p.call(ctx, i, op, f)
	switch {
	case how == crashed:
		k.strike(i, p.endText())
	case how == neverBegan:
		err = k.unavailable(op.Name, "its process ended at once (%s)", p.run.exitText())
	case ctx.Err() == nil:
		k.clear(i)
	}
	end := func(context.Context) {
		defer release()
		p.idle(i)
		ctx, cancel := context.WithTimeout(context.Background(), k.h.limits.Grace)
		defer cancel()
		p.stop(ctx, idleEnd)
	}
	if !k.h.goRun(end) {
		release() // the host ends, and the process with it
	}
	return err
}

// named puts the plugin's name before the sentence of an error that the process did not give itself.
func (i *instance) named(op wire.Op, err error) error {
	if ps := (sdk.Problems{}); errors.As(err, &ps) {
		return sdk.Errorf(sdk.CodeInvalid, op.Name, "plugin %s refuses the configuration of %s: %w", i.k.name, i.settings.Instance, ps)
	}
	var e *sdk.Error
	_, broken := errors.AsType[*wire.TransportError](err)
	_, against := errors.AsType[*wire.RuleError](err)
	if !broken && !against || !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Op, out.Scope, out.Public = op.Name, sdk.ScopeAccount, "plugin "+i.k.name+": "+e.Public
	return &out
}

// Close implements wire.Caller.
func (i *instance) Close(ctx context.Context) error { return i.k.remove(ctx, i) }

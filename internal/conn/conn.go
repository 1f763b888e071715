// Package conn opens the connectors that a configuration names: in the daemon or in a process of their own, decorated so
// that a fault of one stays its own.
package conn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/belfry-news/belfry/sdk"
)

// Isolator opens connectors in processes of their own.
type Isolator interface {
	Open(ctx context.Context, kind string, spec *sdk.Spec, s sdk.Settings, config map[string]any) (sdk.Connector, error)
}

// Opener opens connectors.
type Opener struct {
	// Specs are the built-in types by name; a type that is not among them is a third party's, and always isolated.
	Specs     map[string]*sdk.Spec
	Isolator  Isolator
	Log       *slog.Logger
	UserAgent string
	// Observe, if any, is given each instance of a third party's type, and gives what is used in its place.
	Observe func(name string, c sdk.Connector) sdk.Connector
}

// Open opens an instance. isolated says whether a built-in type gets a process; a third party's always does.
func (o *Opener) Open(ctx context.Context, name, typ string, isolated bool, options map[string]any) (sdk.Connector, error) {
	s := sdk.Settings{Instance: name, Log: o.Log.With("instance", name, "type", typ), UserAgent: o.UserAgent}
	spec := o.Specs[typ]
	if spec == nil || isolated {
		if o.Isolator == nil {
			return nil, fmt.Errorf("%s: plugins cannot be started here", name)
		}
		far, err := o.Isolator.Open(ctx, typ, spec, s, options)
		if err == nil && spec == nil && o.Observe != nil {
			far = o.Observe(name, far)
		}
		if err != nil || spec == nil || !spec.Has(sdk.RoleWebhook) {
			return far, err
		}
		return o.withNearVerify(ctx, far, spec, s, options)
	}
	c, err := spec.Open(ctx, s, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return Recovering(c, s.Log), nil
}

// withNearVerify opens a built-in type that is called a second time, in the daemon: a call is verified there, on its raw
// bytes and within microseconds, and mapped in the process of its own.
func (o *Opener) withNearVerify(ctx context.Context, far sdk.Connector, spec *sdk.Spec, s sdk.Settings, options map[string]any) (sdk.Connector, error) {
	opened, err := spec.Open(ctx, s, options)
	if err == nil {
		if near, ok := sdk.As[sdk.WebhookReceiver](opened); ok {
			return &called{far, near}, nil
		}
		err = fmt.Errorf("%s: it is declared to be called, and cannot be", s.Instance)
	} else {
		err = fmt.Errorf("%s: %w", s.Instance, err)
	}
	return nil, errors.Join(err, far.Close(ctx))
}

// called is a source whose calls are verified near and mapped far.
type called struct {
	sdk.Connector
	near sdk.WebhookReceiver
}

// As implements the look-up of sdk.As.
func (c *called) As(target any) bool {
	t, ok := target.(*sdk.WebhookReceiver)
	if !ok {
		return lookUp(c.Connector, target)
	}
	far, ok := sdk.As[sdk.WebhookReceiver](c.Connector)
	if ok {
		*t = calledReceiver{far, c.near}
	}
	return ok
}

// Close closes both.
func (c *called) Close(ctx context.Context) error {
	return errors.Join(c.near.Close(ctx), c.Connector.Close(ctx))
}

type calledReceiver struct {
	sdk.WebhookReceiver
	near sdk.WebhookReceiver
}

func (c calledReceiver) Verify(ctx context.Context, r sdk.WebhookRequest) (sdk.Verdict, error) {
	return c.near.Verify(ctx, r)
}

// Recovering keeps a panic of a source from ending the daemon. Other abilities are passed on as they are: their callers
// have more to say about what a panic means.
func Recovering(c sdk.Connector, log *slog.Logger) sdk.Connector { return &recovering{c, log} }

type recovering struct {
	sdk.Connector
	log *slog.Logger
}

// As implements the look-up of sdk.As.
func (r *recovering) As(target any) bool {
	switch t := target.(type) {
	case *sdk.Source:
		source, ok := sdk.As[sdk.Source](r.Connector)
		if ok {
			*t = recoveringSource{source, r.log}
		}
		return ok
	case *sdk.Checker:
		checker, ok := sdk.As[sdk.Checker](r.Connector)
		if ok {
			*t = recoveringChecker{checker, r.log}
		}
		return ok
	case *sdk.WebhookReceiver:
		receiver, ok := sdk.As[sdk.WebhookReceiver](r.Connector)
		if ok {
			*t = recoveringReceiver{receiver, r.log}
		}
		return ok
	}
	return lookUp(r.Connector, target)
}

// lookUp finds an ability of a connector where only a target tells which.
func lookUp(c sdk.Connector, target any) bool {
	switch t := target.(type) {
	case *sdk.Source:
		return pass(c, t)
	case *sdk.Checker:
		return pass(c, t)
	case *sdk.WebhookReceiver:
		return pass(c, t)
	case *sdk.Resolver:
		return pass(c, t)
	case *sdk.Publisher:
		return pass(c, t)
	case *sdk.SharedPlanner:
		return pass(c, t)
	case *sdk.Editor:
		return pass(c, t)
	case *sdk.Deleter:
		return pass(c, t)
	case *sdk.Finder:
		return pass(c, t)
	case *sdk.Assistant:
		return pass(c, t)
	case *sdk.Messenger:
		return pass(c, t)
	case *sdk.Streamer:
		return pass(c, t)
	case *sdk.Receiver:
		return pass(c, t)
	case *sdk.Listener:
		return pass(c, t)
	case *sdk.MessageLimiter:
		return pass(c, t)
	case *sdk.Linker:
		return pass(c, t)
	case *sdk.Previewer:
		return pass(c, t)
	case *sdk.CommandMenu:
		return pass(c, t)
	case *sdk.Rehearser:
		return pass(c, t)
	case *sdk.Prober:
		return pass(c, t)
	}
	return false
}

func pass[T any](c sdk.Connector, target *T) bool {
	ability, ok := sdk.As[T](c)
	if ok {
		*target = ability
	}
	return ok
}

type recoveringSource struct {
	sdk.Source
	log *slog.Logger
}

func (r recoveringSource) Fetch(ctx context.Context, req sdk.FetchRequest) (b sdk.Batch, err error) {
	defer recovered(&err, "fetch", r.log)
	return r.Source.Fetch(ctx, req)
}

type recoveringChecker struct {
	sdk.Checker
	log *slog.Logger
}

func (r recoveringChecker) CheckItems(ctx context.Context, items []sdk.ItemRef) (p []sdk.Presence, err error) {
	defer recovered(&err, "check items", r.log)
	return r.Checker.CheckItems(ctx, items)
}

type recoveringReceiver struct {
	sdk.WebhookReceiver
	log *slog.Logger
}

func (r recoveringReceiver) Verify(ctx context.Context, req sdk.WebhookRequest) (v sdk.Verdict, err error) {
	defer recovered(&err, "verify", r.log)
	return r.WebhookReceiver.Verify(ctx, req)
}

func (r recoveringReceiver) Map(ctx context.Context, req sdk.WebhookRequest) (b sdk.Batch, err error) {
	defer recovered(&err, "map", r.log)
	return r.WebhookReceiver.Map(ctx, req)
}

func recovered(err *error, op string, log *slog.Logger) {
	if p := recover(); p != nil {
		log.Error("a connector failed", "op", op, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = &sdk.Error{Code: sdk.CodeUnavailable, Op: op, Public: "the connector failed; the log has the details"}
	}
}

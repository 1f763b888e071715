// Package conn opens the connectors that a configuration names: in the daemon or in a process of their own, decorated so
// that a fault of one stays its own.
package conn

import (
	"context"
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
}

// Open opens an instance. isolated says whether a built-in type gets a process; a third party's always does.
func (o *Opener) Open(ctx context.Context, name, typ string, isolated bool, options map[string]any) (sdk.Connector, error) {
	s := sdk.Settings{Instance: name, Log: o.Log.With("instance", name, "type", typ), UserAgent: o.UserAgent}
	spec := o.Specs[typ]
	if spec == nil || isolated {
		if o.Isolator == nil {
			return nil, fmt.Errorf("%s: plugins cannot be started here", name)
		}
		return o.Isolator.Open(ctx, typ, spec, s, options)
	}
	c, err := spec.Open(ctx, s, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return Recovering(c, s.Log), nil
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

func recovered(err *error, op string, log *slog.Logger) {
	if p := recover(); p != nil {
		log.Error("a connector failed", "op", op, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = &sdk.Error{Code: sdk.CodeUnavailable, Op: op, Public: "the connector failed; the log has the details"}
	}
}

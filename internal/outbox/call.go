package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// grace is how long a connector may take to give up once its deadline is over.
const grace = time.Second

// bounded makes one call of a connector within the deadline. A panic costs the call and not the daemon; a connector that
// ignores its deadline is left alone with what it does, and its lane goes on. code is what both mean.
func bounded[T any](ctx context.Context, l *destinationLanes, op string, code sdk.Code, do func(context.Context) (T, error)) (T, error) {
	c := caller{l: l}
	defer c.leave()
	return launch(ctx, &c, op, code, do)()
}

// caller makes calls of a connector, one after the other, in one goroutine: the stack of a new one for each call would
// have to grow anew each time.
type caller struct {
	l     *destinationLanes
	todo  chan func() // nil when no goroutine waits
	ended chan struct{}
}

// begin makes a call beside its caller. The call before has ended, or leave was called.
func (c *caller) begin(call func()) {
	if c.todo != nil {
		select {
		case c.todo <- call:
			return
		case <-c.ended: // a call took its goroutine with it
		}
	}
	todo, ended := make(chan func()), make(chan struct{})
	c.todo, c.ended = todo, ended
	c.l.calls.Go(func() {
		defer close(ended)
		for call := call; call != nil; call = <-todo {
			call()
		}
	})
}

// leave lets the goroutine end, once the call that it is at has.
func (c *caller) leave() {
	if c.todo != nil {
		close(c.todo)
		c.todo = nil
	}
}

// launch begins what bounded does; the function that it gives waits for the end, and has to be called.
func launch[T any](ctx context.Context, c *caller, op string, code sdk.Code, do func(context.Context) (T, error)) func() (T, error) {
	l := c.l
	ctx, cancel := context.WithTimeout(ctx, l.dest.Timeout)
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	c.begin(func() {
		var r result
		defer func() { done <- r }()
		defer recovered(&r.err, code, op, l.e.s.Log)
		r.value, r.err = do(ctx)
	})
	return func() (T, error) {
		defer cancel()
		select {
		case r := <-done:
			return r.value, r.err
		case <-ctx.Done():
		}
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case r := <-done:
			return r.value, r.err
		case <-t.C:
			c.leave()
			l.e.s.Log.Error("a connector does not give up at its deadline", "destination", l.dest.Name, "op", op)
			var none T
			return none, &sdk.Error{Code: code, Op: op, Public: fmt.Sprintf("no answer within %s", sdk.D(l.dest.Timeout)), Err: context.Cause(ctx)}
		}
	}
}

// recovered turns a panic of a connector into an error, so that it costs its delivery and not the daemon.
func recovered(err *error, code sdk.Code, op string, log *slog.Logger) {
	if p := recover(); p != nil {
		log.Error("a connector failed", "op", op, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = &sdk.Error{Code: code, Op: op, Public: "the connector failed; the log has the details"}
	}
}

// call begins one platform call within the deadline; the function that it gives waits for the answer. A panic may have
// come after the call had its effect.
func (l *destinationLanes) call(ctx context.Context, by *caller, lane Lane, c Call) func() (sdk.PartRef, error) {
	if len(c.Part.Files) > 0 {
		if err := l.e.s.Renderer.Fill(ctx, c.Part.Files); err != nil {
			return func() (sdk.PartRef, error) {
				return sdk.PartRef{}, &sdk.Error{Code: sdk.CodeUnavailable, Op: "load images", Err: err}
			}
		}
	}
	c.Part.Key = c.Key
	answer := launch(ctx, by, string(c.Op), sdk.CodeUnknownOutcome, func(ctx context.Context) (sdk.PartRef, error) {
		return l.request(ctx, lane, c)
	})
	return func() (sdk.PartRef, error) {
		ref, err := answer()
		if err == nil && len(ref.State) > sdk.MaxPartState {
			ref.State = nil // what is too long is not half kept; the part can then not be edited
		}
		return ref, err
	}
}

// request asks the connector for what the call is.
func (l *destinationLanes) request(ctx context.Context, lane Lane, c Call) (sdk.PartRef, error) {
	unsupported := func() (sdk.PartRef, error) {
		return sdk.PartRef{}, sdk.Errorf(sdk.CodeUnsupported, string(c.Op), "this type of destination cannot %s", c.Op)
	}
	switch c.Op {
	case OpPublish, OpReply:
		publisher, ok := sdk.As[sdk.Publisher](l.dest.Conn)
		if !ok {
			return unsupported()
		}
		return publisher.Publish(ctx, lane.Ref, c.Part)
	case OpEdit:
		editor, ok := sdk.As[sdk.Editor](l.dest.Conn)
		if !ok {
			return unsupported()
		}
		return editor.Edit(ctx, c.Ref, c.Part)
	case OpDelete:
		deleter, ok := sdk.As[sdk.Deleter](l.dest.Conn)
		if !ok {
			return unsupported()
		}
		return sdk.PartRef{}, deleter.Delete(ctx, c.Ref)
	}
	return unsupported()
}

package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Op is one operation of a connector, as it counts for errors and for what may be done after a crash.
type Op struct {
	Name string
	// Sends says that the call may change something at a platform. When it breaks off, its outcome is unknown; a call
	// that does not send certainly had no effect.
	Sends bool
	// Repeats says that the call may be made again after it broke off.
	Repeats bool
	// OneAtATime says that an instance has at most one call of this operation under way.
	OneAtATime bool
	// Waits says that the call mostly waits for somebody else, and costs nothing meanwhile.
	Waits bool
}

// broken is the code of a call that ended without an answer.
func (o Op) broken() sdk.Code {
	if o.Sends {
		return sdk.CodeUnknownOutcome
	}
	return sdk.CodeUnavailable
}

// Errorf makes the error of a call that ended without an answer.
func (o Op) Errorf(format string, args ...any) *sdk.Error {
	e := sdk.Errorf(o.broken(), o.Name, format, args...)
	if o.Sends {
		e.Public += "; whether it took effect is not known"
	}
	return e
}

// TransportError is the cause of an error that the process itself did not give: the call was given up, the connection
// broke, the answer could not be read.
type TransportError struct {
	Code codes.Code
	Err  error
}

// Error gives the transport's own words. They are for logs.
func (e *TransportError) Error() string { return fmt.Sprintf("%s: %v", e.Code, e.Err) }

// Unwrap gives the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// crossing makes what crosses of what a connector returned; nil for no error.
func crossing(err error) *Error {
	if err == nil {
		return nil
	}
	e := sdk.AsError(err)
	public := e.Public
	if public == "" {
		public = generalSentence(e.Code)
	}
	return &Error{Code: text(string(e.Code)), Scope: text(string(e.Scope)), Op: cut(text(e.Op), 200), Public: cut(text(public), maxPublic),
		RetryAfter: toDuration(e.RetryAfter)}
}

// toStatus turns what a connector returned into the status of a call.
func toStatus(err error, op Op) error {
	e := crossing(err)
	if e == nil {
		return nil
	}
	st, detailErr := status.New(codes.Aborted, e.GetPublic()).WithDetails(e)
	if detailErr != nil {
		return status.Error(codes.Internal, op.Name+": the error cannot be written")
	}
	return st.Err()
}

// generalSentence stands for an error that says nothing to people.
func generalSentence(c sdk.Code) string {
	return "the connector says only: " + strings.ReplaceAll(string(c), "_", " ")
}

// cut shortens UTF-8 text to at most limit bytes.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit-len("…")], "") + "…"
}

// fromStatus turns what a call ended with into an *sdk.Error: the one that crossed, or one with a TransportError as its
// cause.
func fromStatus(ctx context.Context, err error, op Op) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*sdk.Error](err); ok {
		return err
	}
	st := status.Convert(err)
	for _, d := range st.Details() {
		if e, ok := d.(*Error); ok && st.Code() == codes.Aborted {
			return fromError(ctx, e, op)
		}
	}
	cause := &TransportError{Code: st.Code(), Err: err}
	if cause.Code == codes.Canceled && ctx.Err() == nil {
		// Nobody gave the call up: the connection was closed because the process is gone.
		cause.Code = codes.Unavailable
	}
	var e *sdk.Error
	switch cause.Code {
	case codes.DeadlineExceeded, codes.Canceled:
		if ctx.Err() != nil {
			cause.Err = ctx.Err()
		}
		if errors.Is(cause.Err, context.Canceled) {
			e = op.Errorf("the call was given up before the plugin answered")
		} else {
			e = op.Errorf("the plugin did not answer in time")
		}
	case codes.ResourceExhausted:
		e = op.Errorf("the plugin's answer is larger than the %d MiB that are taken", MaxMessage>>20)
		if !op.Sends {
			e.Code = sdk.CodeTooLarge
		}
	case codes.Unimplemented:
		e = sdk.Errorf(sdk.CodeUnsupported, op.Name, "the plugin cannot do this")
	case codes.Unavailable:
		e = op.Errorf("the plugin's process broke off the call")
	default:
		e = op.Errorf("the plugin's answer cannot be read")
	}
	e.Err = cause
	return e
}

// fromError reads an error that crossed. One that breaks the rules of sdk.Error keeps what can be used.
func fromError(ctx context.Context, e *Error, op Op) *sdk.Error {
	out := &sdk.Error{Code: sdk.Code(e.GetCode()), Scope: sdk.Scope(e.GetScope()), Op: cut(e.GetOp(), 200),
		Public: cut(e.GetPublic(), maxPublic), RetryAfter: fromDuration(e.GetRetryAfter())}
	out.Err = ctx.Err() // so that errors.Is finds it, as it would without a wire
	if out.Code == "" {
		out.Code = op.broken()
	}
	return out
}

// lie is the error of an answer that breaks the contract of its call.
func lie(op Op, code sdk.Code, format string, args ...any) *sdk.Error {
	e := op.Errorf("the plugin broke the rules of its role: "+format, args...)
	if !op.Sends {
		e.Code = code
	}
	e.Err = &RuleError{}
	return e
}

// RuleError is the cause of an error about an answer that breaks the contract of its call.
type RuleError struct{}

// Error says so.
func (*RuleError) Error() string { return "the answer breaks the contract of its call" }

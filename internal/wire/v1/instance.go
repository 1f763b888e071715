package wire

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// At is where an instance is for the length of one call.
type At struct {
	Conn   grpc.ClientConnInterface
	Handle string
	// Call numbers the call among those of the instance; SettleInstance asks for it.
	Call uint64
	// Many carries fetches; nil where each is made by itself.
	Many *FetchStream
	// Soon says that others wait for the end of the call.
	Soon bool
}

// Caller brings the calls of one instance to the process that holds it.
type Caller interface {
	// Call runs f with the place of the instance, under a deadline of its own if ctx has none. It may run f again in
	// another process when op.Repeats. Its errors are *sdk.Error.
	Call(ctx context.Context, op Op, f func(ctx context.Context, at At) error) error
	// Close frees the instance.
	Close(ctx context.Context) error
}

// Instance is a connector in another process. It has the methods of every role that crosses; As tells which of them it
// can do.
type Instance struct {
	caller Caller
	typ    string
	roles  []sdk.Role
	limits *sdk.Limits // of messages to people; nil when it tells none
	ear    *ear        // nil when it is not heard
	clock  clock
}

// NewInstance makes an instance of a type with the roles that its process advertised, as far as they cross.
func NewInstance(c Caller, typ string, roles []sdk.Role) *Instance {
	i := &Instance{caller: c, typ: typ, clock: realClock()}
	for _, r := range roles {
		if Crosses(r) && !slices.Contains(i.roles, r) {
			i.roles = append(i.roles, r)
		}
	}
	return i
}

// As answers sdk.As from the advertised roles.
func (i *Instance) As(target any) bool {
	switch t := target.(type) {
	case *sdk.Connector:
		*t = i
		return true
	case *sdk.Source:
		return has(i, t, sdk.Source(i), sdk.RoleSource)
	case *sdk.WebhookReceiver:
		return has(i, t, sdk.WebhookReceiver(i), sdk.RoleWebhook)
	case *sdk.Checker:
		return has(i, t, sdk.Checker(i), sdk.RoleChecker)
	case *sdk.Resolver:
		return has(i, t, sdk.Resolver(i), sdk.RoleResolver)
	case *sdk.Publisher:
		return has(i, t, sdk.Publisher(i), sdk.RolePublisher)
	case *sdk.Editor:
		return has(i, t, sdk.Editor(i), sdk.RoleEditor)
	case *sdk.Deleter:
		return has(i, t, sdk.Deleter(i), sdk.RoleDeleter)
	case *sdk.Finder:
		return has(i, t, sdk.Finder(i), sdk.RoleFinder)
	case *sdk.Messenger:
		return has(i, t, sdk.Messenger(i), sdk.RoleMessenger)
	case *sdk.MessageLimiter:
		return i.hasLimits(t)
	case *sdk.Listener:
		return i.ear != nil && has(i, t, sdk.Listener(i), sdk.RoleListener)
	case *sdk.Receiver:
		return i.ear != nil && has(i, t, sdk.Receiver(i), sdk.RoleReceiver)
	}
	return false
}

func has[T any](i *Instance, target *T, as T, role sdk.Role) bool {
	if !slices.Contains(i.roles, role) {
		return false
	}
	*target = as
	return true
}

// The operations.
func opFetch() Op      { return Op{Name: "fetch", Repeats: true, OneAtATime: true} }
func opVerify() Op     { return Op{Name: "verify", Repeats: true} }
func opMap() Op        { return Op{Name: "map", Repeats: true} }
func opCheckItems() Op { return Op{Name: "check items", Repeats: true} }
func opResolve() Op    { return Op{Name: "resolve", Repeats: true} }
func opPlan() Op       { return Op{Name: "plan", Repeats: true} }
func opPublish() Op    { return Op{Name: "publish", Sends: true} }
func opEdit() Op       { return Op{Name: "edit", Sends: true, Repeats: true} }
func opDelete() Op     { return Op{Name: "delete", Sends: true, Repeats: true} }
func opFind() Op       { return Op{Name: "find", Repeats: true} }
func opMessage() Op    { return Op{Name: "message", Sends: true} }

func opMessageLimits() Op { return Op{Name: "message limits", Repeats: true} }
func opListen() Op        { return Op{Name: "listen", Repeats: true, OneAtATime: true, Waits: true} }
func opReceive() Op       { return Op{Name: "receive", Repeats: true} }

// call makes one call. f decodes its answers with the options it is given.
func (i *Instance) call(ctx context.Context, op Op, f func(ctx context.Context, at At, opt ...grpc.CallOption) error) error {
	return i.caller.Call(ctx, op, func(ctx context.Context, at At) error {
		in := newAnswers()
		err := f(ctx, at, grpc.ForceCodecV2(in), grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage))
		return fromStatus(ctx, in.status(err), op)
	})
}

// fits refuses a request that the process would not take.
func fits(op Op, req proto.Message) error {
	if n := proto.Size(req); n > MaxMessage {
		return sdk.Errorf(sdk.CodeTooLarge, op.Name, "the request has %d bytes; a plugin takes at most %d", n, MaxMessage)
	}
	return nil
}

// Fetch implements sdk.Source.
func (i *Instance) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	var out sdk.Batch
	op := opFetch()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := toFetchRequest(at, &r)
		if at.Many != nil {
			var err error
			if out, err = at.Many.fetch(ctx, op, req); !errors.Is(err, errByItself) && !errors.Is(err, errStreamEnded) {
				return err
			}
			if errors.Is(err, errStreamEnded) {
				if err := SettleInstance(ctx, at); err != nil {
					return err
				}
			}
		}
		if err := fits(op, req); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := NewSourceClient(at.Conn).Fetch(ctx, req, opt...)
		if err != nil {
			return err
		}
		out, err = receiveBatch(op, chunks(stream))
		return err
	})
	return out, err
}

// Verify implements sdk.WebhookReceiver.
func (i *Instance) Verify(ctx context.Context, r sdk.WebhookRequest) (sdk.Verdict, error) {
	var out sdk.Verdict
	op := opVerify()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := &VerifyRequest{Handle: at.Handle, Call: at.Call, Request: toWebhookRequest(&r)}
		if err := fits(op, req); err != nil {
			return err
		}
		resp, err := NewWebhookClient(at.Conn).Verify(ctx, req, opt...)
		out = fromVerdict(resp)
		return err
	})
	return out, err
}

// Map implements sdk.WebhookReceiver.
func (i *Instance) Map(ctx context.Context, r sdk.WebhookRequest) (sdk.Batch, error) {
	var out sdk.Batch
	op := opMap()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := &MapRequest{Handle: at.Handle, Call: at.Call, Request: toWebhookRequest(&r)}
		if err := fits(op, req); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := NewWebhookClient(at.Conn).Map(ctx, req, opt...)
		if err != nil {
			return err
		}
		out, err = receiveBatch(op, chunks(stream))
		return err
	})
	return out, err
}

// receiveBatch reads a batch chunk by chunk.
func receiveBatch(op Op, recv func() (rawChunk, error)) (sdk.Batch, error) {
	r := batchReader{op: op}
	for {
		c, err := recv()
		if errors.Is(err, io.EOF) {
			return r.finish()
		}
		if err == nil {
			err = r.add(c)
		}
		if err != nil {
			return sdk.Batch{}, err
		}
	}
}

// chunks reads the chunks of a stream that one call has for itself.
func chunks(stream grpc.ServerStreamingClient[BatchChunk]) func() (rawChunk, error) {
	return func() (c rawChunk, err error) {
		err = stream.RecvMsg(&c)
		return c, err
	}
}

// CheckItems implements sdk.Checker.
func (i *Instance) CheckItems(ctx context.Context, items []sdk.ItemRef) ([]sdk.Presence, error) {
	var out []sdk.Presence
	op := opCheckItems()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := &CheckItemsRequest{Handle: at.Handle, Call: at.Call, Items: each(items, toItemRef)}
		if err := fits(op, req); err != nil {
			return err
		}
		resp, err := NewCheckerClient(at.Conn).CheckItems(ctx, req, opt...)
		if err != nil {
			return err
		}
		if n := len(resp.GetPresences()); n != len(items) {
			return lie(op, sdk.CodeInvalid, "it answered for %d items, not for the %d it was asked about", n, len(items))
		}
		out = eachFrom(resp.GetPresences(), fromPresence)
		return nil
	})
	return out, err
}

// Close implements sdk.Connector.
func (i *Instance) Close(ctx context.Context) error { return i.caller.Close(ctx) }

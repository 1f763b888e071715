package wire

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
)

// Message implements sdk.Messenger. The address leaves the host here, for this one call, and only for the medium that bears the
// name of the instance's type.
func (i *Instance) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	var out sdk.MessageRef
	op, reached := opMessage(), false
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		reached = true
		// It is asked when the call is made: the call may have waited for its turn.
		to, err := m.Recipient(time.Now())
		if err != nil {
			return err
		}
		if to.Medium() != i.typ {
			return sdk.Errorf(sdk.CodeInvalid, op.Name, "the message is for the medium %s, and %s writes by its own alone", to.Medium(), i.typ)
		}
		address, ok := to.Reveal()
		if !ok || text(address) != address {
			return sdk.Errorf(sdk.CodeInvalid, op.Name, "the address cannot be handed to a plugin: it is no text")
		}
		var files []sdk.File
		if m.Common != nil {
			files = filesOf(m.Common.Media)
		}
		head := &MessageRequest{Handle: at.Handle, Call: at.Call, Message: toMessage(&m, to.Medium(), address), Content: sizes(files)}
		if err := fits(op, head); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := NewMessengerClient(at.Conn).Message(ctx, opt...)
		if err != nil {
			return err
		}
		if err := upload(head, files, stream.Send, func(p *FilePiece) *MessageRequest { return &MessageRequest{Piece: p} }); err != nil {
			return err
		}
		resp, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		out = sdk.MessageRef{ID: resp.GetId(), State: resp.GetState()}
		return checkMessageRef(op, &out)
	})
	if err != nil {
		return sdk.MessageRef{}, withoutAddress(aboutWhom(err, reached), m)
	}
	return out, nil
}

// aboutWhom keeps what is wrong with a plugin or an account from counting against a person: who is gone is not written to again, and
// a message that is invalid is given up.
func aboutWhom(err error, reached bool) error {
	e := *sdk.AsError(err)
	switch {
	case reached && e.Code == sdk.CodeGone && (e.Scope == sdk.ScopeAccount || e.Scope == sdk.ScopeDestination || e.Scope == sdk.ScopeTemplate):
		e.Code, e.Scope = sdk.CodeForbidden, sdk.ScopeAccount
	case reached:
		return err
	default: // the instance could not be opened, and nobody was written to
		switch e.Code {
		case sdk.CodeUnauthenticated, sdk.CodeForbidden, sdk.CodeRateLimited, sdk.CodeUnavailable:
		default:
			e.Code = sdk.CodeUnavailable
		}
		e.Scope = sdk.ScopeAccount
	}
	return &e
}

func checkMessageRef(op Op, ref *sdk.MessageRef) error {
	switch n := len(ref.ID) + len(ref.State); {
	case ref.ID == "":
		return lie(op, sdk.CodeInvalid, "it accepted the message and gave no id for it")
	case n > MaxRefState:
		return lie(op, sdk.CodeTooLarge, "its reference has %d bytes; at most %d are kept", n, MaxRefState)
	}
	return nil
}

// withoutAddress takes the address out of an error: what a plugin says of a message is kept with it, and shown to people.
func withoutAddress(err error, m sdk.DirectMessage) error {
	to, errTo := m.Recipient(time.Time{})
	value, ok := to.Reveal()
	e, is := errors.AsType[*sdk.Error](err)
	if errTo != nil || !ok || !is || !strings.Contains(e.Public+e.Op, value) {
		return err
	}
	masked := *e
	masked.Public, masked.Op = strings.ReplaceAll(e.Public, value, to.String()), strings.ReplaceAll(e.Op, value, to.String())
	return &masked
}

// TryMessage makes the call of one message as it is given, whatever stands in it, for tools that look whether a process refuses what
// no host may send. Its error is like those of an Instance.
func TryMessage(ctx context.Context, at At, m *DirectMessage) error {
	in := newAnswers()
	stream, err := NewMessengerClient(at.Conn).Message(ctx, grpc.ForceCodecV2(in))
	if err == nil {
		if err = stream.Send(&MessageRequest{Handle: at.Handle, Call: at.Call, Message: m}); err == nil || errors.Is(err, io.EOF) {
			_, err = stream.CloseAndRecv()
		}
	}
	return fromStatus(ctx, in.status(err), opMessage())
}

// filesOf are the files of media.
func filesOf(media []sdk.Media) []sdk.File {
	return each(media, func(m *sdk.Media) sdk.File { return m.File })
}

// AskMessageLimits asks what the messages of an instance may hold, before it is used: from then on it is a MessageLimiter. One that
// has nothing to say is none.
func (i *Instance) AskMessageLimits(ctx context.Context) error {
	if !slices.Contains(i.roles, sdk.RoleMessenger) {
		return nil
	}
	var limits sdk.Limits
	op := opMessageLimits()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		resp, err := NewMessengerClient(at.Conn).MessageLimits(ctx, &MessageLimitsRequest{Handle: at.Handle, Call: at.Call}, opt...)
		if err != nil {
			return err
		}
		limits = fromLimits(resp.GetLimits())
		return checkLimits(op, &limits)
	})
	switch e := sdk.AsError(err); {
	case e == nil:
		i.limits = &limits
	case e.Code != sdk.CodeUnsupported:
		return err
	}
	return nil
}

// MessageLimits implements sdk.MessageLimiter.
func (i *Instance) MessageLimits() sdk.Limits { return *i.limits }

// hasLimits answers sdk.As for the limits of messages.
func (i *Instance) hasLimits(target *sdk.MessageLimiter) bool {
	return i.limits != nil && has(i, target, sdk.MessageLimiter(i), sdk.RoleMessenger)
}

package wire

import (
	"context"
	"errors"
	"io"

	"github.com/belfry-news/belfry/internal/permit"
	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
)

type messengerServer struct {
	UnimplementedMessengerServer
	s *Server
}

func (r *messengerServer) Message(stream grpc.ClientStreamingServer[MessageRequest, MessageResponse]) error {
	op := opMessage()
	head, err := first(op, stream.Recv, (*MessageRequest).GetHandle)
	if err != nil {
		return err
	}
	return use(stream.Context(), r.s, head, op, func(c sdk.Messenger) error {
		common, err := r.s.common(op, head, stream.Recv)
		if err != nil {
			return err
		}
		p, err := permitOf(op, head.GetMessage())
		if err != nil {
			return err
		}
		ref, err := c.Message(stream.Context(), sdk.NewDirectMessage(p, fromContent(head.GetMessage(), common)))
		if err != nil {
			return err
		}
		return stream.SendAndClose(&MessageResponse{Id: text(ref.ID), State: ref.State})
	})
}

func (r *messengerServer) MessageLimits(ctx context.Context, req *MessageLimitsRequest) (*MessageLimitsResponse, error) {
	out := &MessageLimitsResponse{}
	err := use(ctx, r.s, req, opMessageLimits(), func(c sdk.MessageLimiter) error {
		limits := c.MessageLimits()
		out.Limits = toLimits(&limits)
		return nil
	})
	return out, err
}

// permitOf makes the permit of a message that the host started. A message without an address names nobody, as it does in the
// host, and the connector refuses it.
func permitOf(op Op, m *DirectMessage) (sdk.Permit, error) {
	purpose := sdk.Purpose(m.GetPurpose())
	if !purpose.Valid() {
		purpose = sdk.PurposeDelivery // one that a newer host knows
	}
	switch end := fromTime(m.GetNotAfter()); {
	case m.GetAddress() == "":
		return sdk.Permit{}, nil
	case m.GetId() == "" || m.GetMedium() == "" || end.IsZero():
		return sdk.Permit{}, sdk.Errorf(sdk.CodeInvalid, op.Name, "the message has no id, no medium or no end")
	default:
		return permit.Mint(m.GetId(), m.GetMedium(), m.GetAddress(), purpose, end), nil
	}
}

// common gives the text of a message with the content of its files. Messages that share a text get the same value, as they do
// in the host, so that a connector makes it ready once; the newest is kept.
func (s *Server) common(op Op, head *MessageRequest, recv func() (*MessageRequest, error)) (*sdk.Common, error) {
	wired := head.GetMessage().GetCommon()
	i := s.instance(head.GetHandle())
	if i == nil || wired == nil || wired.GetId() == "" {
		return readCommon(op, head, recv)
	}
	if known := i.common.Load(); known != nil && known.ID == wired.GetId() {
		return known, skip(op, recv)
	}
	fresh, err := readCommon(op, head, recv)
	if err == nil {
		i.common.Store(fresh)
	}
	return fresh, err
}

// readCommon decodes a text and fills the content of its files in.
func readCommon(op Op, head *MessageRequest, recv func() (*MessageRequest, error)) (*sdk.Common, error) {
	common := fromCommon(head.GetMessage().GetCommon())
	if common == nil {
		return nil, skip(op, recv)
	}
	files := filesOf(common.Media)
	if err := download(op, files, head.GetContent(), recv, (*MessageRequest).GetPiece); err != nil {
		return nil, err
	}
	for i := range files {
		common.Media[i].File = files[i]
	}
	return common, nil
}

// skip reads a request to its end: what breaks off in the middle is not acted upon.
func skip(op Op, recv func() (*MessageRequest, error)) error {
	for {
		if _, err := recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return sdk.Errorf(sdk.CodeUnavailable, op.Name, "the request broke off: %w", err)
		}
	}
}

package wire

import (
	"context"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

type sourceServer struct {
	UnimplementedSourceServer
	s *Server
}

func (r *sourceServer) Fetch(req *FetchRequest, stream grpc.ServerStreamingServer[BatchChunk]) error {
	return use(stream.Context(), r.s, req, opFetch(), func(c sdk.Source) error {
		b, err := c.Fetch(stream.Context(), fromFetchRequest(req))
		if err != nil {
			return err
		}
		return sendBatch(&b, stream.Send)
	})
}

type webhookServer struct {
	UnimplementedWebhookServer
	s *Server
}

func (r *webhookServer) Verify(ctx context.Context, req *VerifyRequest) (*VerifyResponse, error) {
	out := &VerifyResponse{}
	err := use(ctx, r.s, req, opVerify(), func(c sdk.WebhookReceiver) error {
		v, err := c.Verify(ctx, fromWebhookRequest(req.GetRequest()))
		if err == nil {
			out = toVerdict(&v)
		}
		return err
	})
	return out, err
}

func (r *webhookServer) Map(req *MapRequest, stream grpc.ServerStreamingServer[BatchChunk]) error {
	return use(stream.Context(), r.s, req, opMap(), func(c sdk.WebhookReceiver) error {
		b, err := c.Map(stream.Context(), fromWebhookRequest(req.GetRequest()))
		if err != nil {
			return err
		}
		return sendBatch(&b, stream.Send)
	})
}

// sendBatch sends a batch in chunks of about the size of chunk, the end with the last of them.
func sendBatch(b *sdk.Batch, send func(*BatchChunk) error) error {
	c, size := &BatchChunk{}, 0
	flush := func(next int) error {
		if size == 0 || size+next <= chunk {
			size += next
			return nil
		}
		err := send(c)
		c, size = &BatchChunk{}, next
		return err
	}
	for i := range b.Items {
		m := toItem(&b.Items[i])
		n := proto.Size(m)
		if n > MaxMessage-chunk {
			return sdk.Errorf(sdk.CodeTooLarge, "send", "an item of %d bytes does not fit into a message", n)
		}
		if err := flush(n); err != nil {
			return err
		}
		c.Items = append(c.Items, m)
	}
	for i := range b.Removed {
		m := toRemoval(&b.Removed[i])
		if err := flush(proto.Size(m)); err != nil {
			return err
		}
		c.Removed = append(c.Removed, m)
	}
	for _, group := range b.Whole {
		if err := flush(len(group)); err != nil {
			return err
		}
		c.Whole = append(c.Whole, text(group))
	}
	end := toBatchEnd(b)
	if n := proto.Size(end); n > MaxMessage-chunk {
		return sdk.Errorf(sdk.CodeTooLarge, "send", "the end of a batch has %d bytes and does not fit into a message", n)
	} else if err := flush(n); err != nil {
		return err
	}
	c.End = end
	return send(c)
}

type checkerServer struct {
	UnimplementedCheckerServer
	s *Server
}

func (r *checkerServer) CheckItems(ctx context.Context, req *CheckItemsRequest) (*CheckItemsResponse, error) {
	out := &CheckItemsResponse{}
	err := use(ctx, r.s, req, opCheckItems(), func(c sdk.Checker) error {
		ps, err := c.CheckItems(ctx, eachFrom(req.GetItems(), fromItemRef))
		out.Presences = each(ps, toPresence)
		return err
	})
	return out, err
}

package wire

import (
	"context"
	"errors"
	"io"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
)

type resolverServer struct {
	UnimplementedResolverServer
	s *Server
}

func (r *resolverServer) ResolveChannel(ctx context.Context, req *ResolveChannelRequest) (*ResolveChannelResponse, error) {
	out := &ResolveChannelResponse{}
	err := use(ctx, r.s, req, opResolve(), func(c sdk.Resolver) error {
		ref, limits, err := c.ResolveChannel(ctx, req.GetName())
		if err == nil {
			out.Channel, out.Limits = toChannelRef(&ref), toLimits(&limits)
		}
		return err
	})
	return out, err
}

type publisherServer struct {
	UnimplementedPublisherServer
	s *Server
}

func (r *publisherServer) Plan(ctx context.Context, req *PlanRequest) (*PlanResponse, error) {
	out := &PlanResponse{}
	err := use(ctx, r.s, req, opPlan(), func(c sdk.Publisher) error {
		parts, err := c.Plan(fromChannelRef(req.GetTo()), fromPost(req.GetPost()))
		if err == nil {
			out.Parts = each(parts, toPart)
		}
		return err
	})
	return out, err
}

func (r *publisherServer) Publish(stream grpc.ClientStreamingServer[PublishRequest, PublishResponse]) error {
	head, err := first(opPublish(), stream.Recv, (*PublishRequest).GetHandle)
	if err != nil {
		return err
	}
	return use(stream.Context(), r.s, head, opPublish(), func(c sdk.Publisher) error {
		part := fromPart(head.GetPart())
		if err := download(opPublish(), part.Files, head.GetContent(), stream.Recv, (*PublishRequest).GetPiece); err != nil {
			return err
		}
		ref, err := c.Publish(stream.Context(), fromChannelRef(head.GetTo()), part)
		if err != nil {
			return err
		}
		return stream.SendAndClose(&PublishResponse{Ref: toPartRef(&ref)})
	})
}

type editorServer struct {
	UnimplementedEditorServer
	s *Server
}

func (r *editorServer) Edit(stream grpc.ClientStreamingServer[EditRequest, EditResponse]) error {
	head, err := first(opEdit(), stream.Recv, (*EditRequest).GetHandle)
	if err != nil {
		return err
	}
	return use(stream.Context(), r.s, head, opEdit(), func(c sdk.Editor) error {
		part := fromPart(head.GetPart())
		if err := download(opEdit(), part.Files, head.GetContent(), stream.Recv, (*EditRequest).GetPiece); err != nil {
			return err
		}
		ref, err := c.Edit(stream.Context(), fromPartRef(head.GetRef()), part)
		if err != nil {
			return err
		}
		return stream.SendAndClose(&EditResponse{Ref: toPartRef(&ref)})
	})
}

// first receives the head of an upload; messages in which nothing is known come before it at most.
func first[M any](op Op, recv func() (M, error), handle func(M) string) (M, error) {
	for {
		m, err := recv()
		if errors.Is(err, io.EOF) {
			return m, toStatus(sdk.Errorf(sdk.CodeUnavailable, op.Name, "the request ended before it began"), op)
		}
		if err != nil || handle(m) != "" {
			return m, err
		}
	}
}

// download fills the content of files in. Nothing has left for a platform yet, so whatever fails here had no effect.
func download[M any](op Op, files []sdk.File, sizes []int64, recv func() (M, error), piece func(M) *FilePiece) error {
	for i := range files {
		if i < len(sizes) && sizes[i] > 0 {
			files[i].Data = make([]byte, 0, min(sizes[i], MaxMessage))
		}
	}
	for {
		m, err := recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sdk.Errorf(sdk.CodeUnavailable, op.Name, "the request broke off: %w", err)
		}
		p := piece(m)
		if p == nil {
			continue
		}
		if n := p.GetFile(); n < 0 || n >= int64(len(files)) {
			return sdk.Errorf(sdk.CodeInvalid, op.Name, "the request carries content of a file it does not name")
		}
		files[p.GetFile()].Data = append(files[p.GetFile()].Data, p.GetData()...)
	}
	for i := range files {
		if i < len(sizes) && int64(len(files[i].Data)) != sizes[i] {
			return sdk.Errorf(sdk.CodeUnavailable, op.Name, "%d of %d bytes of a file arrived", len(files[i].Data), sizes[i])
		}
	}
	return nil
}

type deleterServer struct {
	UnimplementedDeleterServer
	s *Server
}

func (r *deleterServer) Delete(ctx context.Context, req *DeleteRequest) (*DeleteResponse, error) {
	err := use(ctx, r.s, req, opDelete(), func(c sdk.Deleter) error {
		return c.Delete(ctx, fromPartRef(req.GetRef()))
	})
	return &DeleteResponse{}, err
}

type finderServer struct {
	UnimplementedFinderServer
	s *Server
}

func (r *finderServer) Find(ctx context.Context, req *FindRequest) (*FindResponse, error) {
	out := &FindResponse{}
	err := use(ctx, r.s, req, opFind(), func(c sdk.Finder) error {
		ref, found, err := c.Find(ctx, fromChannelRef(req.GetTo()), req.GetKey())
		if err == nil && found {
			out.Found, out.Ref = true, toPartRef(&ref)
		}
		return err
	})
	return out, err
}

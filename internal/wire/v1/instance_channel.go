package wire

import (
	"context"
	"errors"
	"io"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
)

// ResolveChannel implements sdk.Resolver.
func (i *Instance) ResolveChannel(ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	var ref sdk.ChannelRef
	var limits sdk.Limits
	op := opResolve()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := &ResolveChannelRequest{Handle: at.Handle, Call: at.Call, Name: text(name)}
		if err := fits(op, req); err != nil {
			return err
		}
		resp, err := NewResolverClient(at.Conn).ResolveChannel(ctx, req, opt...)
		if err != nil {
			return err
		}
		ref, limits = fromChannelRef(resp.GetChannel()), fromLimits(resp.GetLimits())
		return checkChannel(op, &ref, &limits)
	})
	if err != nil {
		return sdk.ChannelRef{}, sdk.Limits{}, err
	}
	return ref, limits, nil
}

func checkChannel(op Op, ref *sdk.ChannelRef, l *sdk.Limits) error {
	switch {
	case ref.ID == "":
		return lie(op, sdk.CodeInvalid, "its channel has no id")
	case len(ref.State) > MaxRefState:
		return lie(op, sdk.CodeTooLarge, "its channel carries a state of %d bytes; at most %d are kept", len(ref.State), MaxRefState)
	}
	return checkLimits(op, l)
}

func checkLimits(op Op, l *sdk.Limits) error {
	if l.Text < 0 || l.Caption < 0 || l.Media < 0 || l.MediaBytes < 0 || l.Rules.Parallel < 0 {
		return lie(op, sdk.CodeInvalid, "one of its limits is negative")
	}
	for _, r := range l.Rules.Rates {
		if r.Events <= 0 || r.Per <= 0 {
			return lie(op, sdk.CodeInvalid, "one of its rates allows nothing or has no length of time")
		}
	}
	return nil
}

// Plan implements sdk.Publisher. It needs the process, and therefore may fail where a plan in the daemon would not.
func (i *Instance) Plan(to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	var out []sdk.Part
	op := opPlan()
	err := i.call(context.Background(), op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := &PlanRequest{Handle: at.Handle, Call: at.Call, To: toChannelRef(&to), Post: toPost(&p)}
		if err := fits(op, req); err != nil {
			return err
		}
		resp, err := NewPublisherClient(at.Conn).Plan(ctx, req, opt...)
		if err != nil {
			return err
		}
		if n := len(resp.GetParts()); n > MaxParts {
			return lie(op, sdk.CodeTooLarge, "its plan has %d parts; at most %d are taken", n, MaxParts)
		}
		out = eachFrom(resp.GetParts(), fromPart)
		return nil
	})
	return out, err
}

// Publish implements sdk.Publisher.
func (i *Instance) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	var out sdk.PartRef
	op := opPublish()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		head := &PublishRequest{Handle: at.Handle, Call: at.Call, To: toChannelRef(&to), Part: toPart(&part), Content: sizes(part.Files)}
		if err := fits(op, head); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := NewPublisherClient(at.Conn).Publish(ctx, opt...)
		if err != nil {
			return err
		}
		err = upload(head, part.Files, stream.Send, func(p *FilePiece) *PublishRequest { return &PublishRequest{Piece: p} })
		if err != nil {
			return err
		}
		resp, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		out = fromPartRef(resp.GetRef())
		return checkPartRef(op, &out)
	})
	if err != nil {
		return sdk.PartRef{}, err
	}
	return out, nil
}

// Edit implements sdk.Editor.
func (i *Instance) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	var out sdk.PartRef
	op := opEdit()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		head := &EditRequest{Handle: at.Handle, Call: at.Call, Ref: toPartRef(&ref), Part: toPart(&part), Content: sizes(part.Files)}
		if err := fits(op, head); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := NewEditorClient(at.Conn).Edit(ctx, opt...)
		if err != nil {
			return err
		}
		err = upload(head, part.Files, stream.Send, func(p *FilePiece) *EditRequest { return &EditRequest{Piece: p} })
		if err != nil {
			return err
		}
		resp, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		out = fromPartRef(resp.GetRef())
		return checkPartRef(op, &out)
	})
	if err != nil {
		return sdk.PartRef{}, err
	}
	return out, nil
}

func checkPartRef(op Op, ref *sdk.PartRef) error {
	switch {
	case len(ref.IDs) == 0:
		return lie(op, sdk.CodeInvalid, "it accepted the part and gave no id for it")
	case len(ref.State) > sdk.MaxPartState:
		return lie(op, sdk.CodeTooLarge, "its reference carries a state of %d bytes; at most %d are kept", len(ref.State), sdk.MaxPartState)
	}
	return nil
}

// sizes says how many bytes of content follow for each file.
func sizes(files []sdk.File) []int64 {
	return each(files, func(f *sdk.File) int64 { return int64(len(f.Data)) })
}

// upload sends the head and then the content of the files in pieces. When the other side has already answered, its
// answer comes from the call that receives it.
func upload[M any](head M, files []sdk.File, send func(M) error, wrap func(*FilePiece) M) error {
	err := send(head)
	for i := range files {
		for data := files[i].Data; len(data) > 0 && err == nil; {
			n := min(len(data), chunk)
			err = send(wrap(&FilePiece{File: int64(i), Data: data[:n]}))
			data = data[n:]
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Delete implements sdk.Deleter.
func (i *Instance) Delete(ctx context.Context, ref sdk.PartRef) error {
	op := opDelete()
	return i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := &DeleteRequest{Handle: at.Handle, Call: at.Call, Ref: toPartRef(&ref)}
		if err := fits(op, req); err != nil {
			return err
		}
		_, err := NewDeleterClient(at.Conn).Delete(ctx, req, opt...)
		return err
	})
}

// Find implements sdk.Finder.
func (i *Instance) Find(ctx context.Context, to sdk.ChannelRef, key string) (sdk.PartRef, bool, error) {
	var out sdk.PartRef
	var found bool
	op := opFind()
	err := i.call(ctx, op, func(ctx context.Context, at At, opt ...grpc.CallOption) error {
		req := &FindRequest{Handle: at.Handle, Call: at.Call, To: toChannelRef(&to), Key: text(key)}
		if err := fits(op, req); err != nil {
			return err
		}
		resp, err := NewFinderClient(at.Conn).Find(ctx, req, opt...)
		if err != nil {
			return err
		}
		found = resp.GetFound()
		if out = fromPartRef(resp.GetRef()); found {
			return checkPartRef(op, &out)
		}
		return nil
	})
	if err != nil || !found {
		return sdk.PartRef{}, false, err
	}
	return out, true, nil
}

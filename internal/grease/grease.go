// Package grease throws into messages of the plugin protocol what a peer of another version would send: unknown fields,
// unknown words, messages without known content. Its one promise: a peer that trips over them is found before such a
// version exists.
package grease

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Grease is what a peer of another version would send and this one does not know. It is the same in every run.
type Grease struct {
	encoding.CodecV2
	mu   sync.Mutex
	rand *rand.Rand
}

// New makes grease, the same in every run.
func New() *Grease {
	return &Grease{CodecV2: encoding.GetCodecV2("proto"), rand: rand.New(rand.NewPCG(7, 21))}
}

func (g *Grease) draw(n int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rand.IntN(n)
}

// Marshal writes a greased copy of the message.
func (g *Grease) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return g.CodecV2.Marshal(v)
	}
	m = proto.Clone(m)
	switch m := m.(type) {
	case *wire.OpenResponse:
		m.Roles = append([]string{g.word()}, append(m.Roles, g.word())...)
	case *wire.DescribeResponse:
		for _, t := range m.GetTypes() {
			t.Roles = append(t.Roles, g.word())
		}
	}
	g.message(m.ProtoReflect())
	return g.CodecV2.Marshal(m)
}

// word is one that stands in no list.
func (g *Grease) word() string { return fmt.Sprintf("grease-%04x", g.draw(1<<16)) }

// message adds unknown fields to a message and to those inside it.
func (g *Grease) message(m protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := range v.List().Len() {
				g.message(v.List().Get(i).Message())
			}
		default:
			g.message(v.Message())
		}
		return true
	})
	m.SetUnknown(append(m.GetUnknown(), g.field()...))
}

// field is one of a number that no message of the protocol uses, in any of the wire types.
func (g *Grease) field() []byte {
	num := protowire.Number(20_000 + g.draw(1000))
	switch g.draw(5) {
	case 0:
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), uint64(g.draw(1<<30)))
	case 1:
		return protowire.AppendFixed32(protowire.AppendTag(nil, num, protowire.Fixed32Type), uint32(g.draw(1<<30)))
	case 2:
		return protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), uint64(g.draw(1<<30)))
	case 3:
		b := protowire.AppendTag(nil, num, protowire.StartGroupType)
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), 1)
		return protowire.AppendTag(b, num, protowire.EndGroupType)
	}
	return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), "\xff grease \x00")
}

// Unary greases the requests; the instance's own codec stays for the answers.
func (g *Grease) Unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, append(opts, g.requests(opts))...)
}

// Stream greases the requests and puts empty messages between them.
func (g *Grease) Stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := streamer(ctx, desc, cc, method, append(opts, g.requests(opts))...)
	if err != nil || !desc.ClientStreams {
		return s, err
	}
	return &greasedClientStream{ClientStream: s, g: g}, nil
}

// requests gives a codec that writes with grease and reads as the call wants.
func (g *Grease) requests(opts []grpc.CallOption) grpc.CallOption {
	read := g.CodecV2
	for _, o := range opts {
		if f, ok := o.(grpc.ForceCodecV2CallOption); ok {
			read = f.CodecV2
		}
	}
	return grpc.ForceCodecV2(&greasedRequests{CodecV2: read, g: g})
}

type greasedRequests struct {
	encoding.CodecV2
	g *Grease
}

// Marshal implements encoding.CodecV2.
func (c *greasedRequests) Marshal(v any) (mem.BufferSlice, error) { return c.g.Marshal(v) }

type greasedClientStream struct {
	grpc.ClientStream
	g *Grease
}

// SendMsg sends a message, sometimes with an empty one of its kind around it.
func (s *greasedClientStream) SendMsg(m any) error { return s.g.between(m, s.ClientStream.SendMsg) }

// ServerStream greases the answers of a server whose codec is g.
func (g *Grease) ServerStream(s grpc.ServerStream) grpc.ServerStream {
	return &greasedServerStream{s, g}
}

type greasedServerStream struct {
	grpc.ServerStream
	g *Grease
}

// SendMsg sends a message, sometimes with an empty one of its kind around it.
func (s *greasedServerStream) SendMsg(m any) error { return s.g.between(m, s.ServerStream.SendMsg) }

// between sends empty messages, which the codec fills with unknown fields, around a message of a stream.
func (g *Grease) between(m any, send func(any) error) error {
	empty := func() error {
		if msg, ok := m.(proto.Message); ok && g.draw(2) == 0 {
			return send(msg.ProtoReflect().New().Interface())
		}
		return nil
	}
	if err := empty(); err != nil {
		return err
	}
	if err := send(m); err != nil {
		return err
	}
	return empty()
}

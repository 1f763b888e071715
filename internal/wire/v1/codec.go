package wire

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// answers decodes the messages of one call from a process that is not trusted. Two bytes on the wire can be a message of
// two hundred bytes in memory, so what a message would take is estimated before it is decoded.
type answers struct {
	encoding.CodecV2
	left    int
	refused bool
}

func newAnswers() *answers { return &answers{CodecV2: encoding.GetCodecV2("proto"), left: MaxAnswer} }

// Unmarshal decodes one message.
func (a *answers) Unmarshal(data mem.BufferSlice, v any) error {
	if c, raw := v.(*rawChunk); raw {
		var err error
		*c, err = a.take(data.Materialize())
		return err
	}
	m, ok := v.(proto.Message)
	if !ok {
		return a.CodecV2.Unmarshal(data, v)
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	return a.decode(buf.ReadOnlyData(), m)
}

func (a *answers) decode(b []byte, m proto.Message) error {
	if err := a.admit(b, m.ProtoReflect().Descriptor()); err != nil {
		return err
	}
	return decoding().Unmarshal(b, m)
}

// admit refuses a message that would take more than is left.
func (a *answers) admit(b []byte, md protoreflect.MessageDescriptor) error {
	size := len(b)
	if err := footprint(b, md, maxDepth, &size); err != nil {
		return err
	}
	if a.left -= size; a.left < 0 {
		a.refused = true
		return fmt.Errorf("an answer would take more than %d bytes of memory", MaxAnswer)
	}
	return nil
}

// frames decodes the messages of a stream that many calls share: each message by itself has the bounds of an answer.
type frames struct{ encoding.CodecV2 }

func newFrames() frames { return frames{encoding.GetCodecV2("proto")} }

// Unmarshal decodes one message.
func (frames) Unmarshal(data mem.BufferSlice, v any) error { return newAnswers().Unmarshal(data, v) }

// status gives what a call ended with. gRPC forgets why its codec refused a message.
func (a *answers) status(err error) error {
	if err != nil && a.refused {
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	return err
}

// What decoding takes besides the bytes themselves, in bytes: the generated struct with its counterpart in package sdk,
// and the header of a string.
const (
	messageCost = 256
	valueCost   = 24
)

// footprint adds to total the memory that a message takes once it is decoded and converted.
func footprint(b []byte, md protoreflect.MessageDescriptor, depth int, total *int) error {
	if depth == 0 {
		return fmt.Errorf("a message is nested more than %d levels deep", maxDepth)
	}
	*total += messageCost
	for len(b) > 0 && *total <= MaxAnswer {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return protowire.ParseError(n)
		}
		if typ == protowire.BytesType {
			*total += valueCost
			if fd := md.Fields().ByNumber(num); fd != nil && fd.Message() != nil {
				value, _ := protowire.ConsumeBytes(b)
				if err := footprint(value, fd.Message(), depth-1, total); err != nil {
					return err
				}
			}
		}
		b = b[n:]
	}
	return nil
}

package wire

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/belfry-news/belfry/sdk"
)

// rawChunk is a BatchChunk that was not decoded yet. What it holds is counted, so that a batch which is refused for its size
// costs next to nothing.
type rawChunk struct {
	raw                   []byte
	items, removed, whole int
	end                   bool
}

// count reads what there is, without what is inside.
func (c *rawChunk) count() error {
	for b := c.raw; len(b) > 0; {
		num, typ, n := protowire.ConsumeField(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if typ != protowire.BytesType {
			continue // no field of a chunk is one
		}
		switch num {
		case chunkItems:
			c.items++
		case chunkRemoved:
			c.removed++
		case chunkWhole:
			c.whole++
		case chunkEnd:
			c.end = true
		}
	}
	return nil
}

// The numbers of a BatchChunk's fields.
const (
	chunkItems   = 1
	chunkRemoved = 2
	chunkWhole   = 3
	chunkEnd     = 4
)

// holds is how much it holds.
func (c *rawChunk) holds() int { return c.items + c.removed + c.whole }

func (c *rawChunk) decode() (*BatchChunk, error) {
	out := &BatchChunk{}
	if err := decoding().Unmarshal(c.raw, out); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return out, nil
}

// Undecoded is a message that is received before it is decoded; who looks over a stream's shoulder decodes it alone.
type Undecoded interface{ Decoded() (proto.Message, error) }

// Decoded implements Undecoded.
func (c *rawChunk) Decoded() (proto.Message, error) { return c.decode() }

// decoding is how messages are decoded. Unknown fields come from newer plugins; nothing here passes them on.
func decoding() proto.UnmarshalOptions {
	return proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}
}

// decodedAtOnce is how many items, removals and groups of a batch are decoded as they come. Of a larger one the end is waited
// for first: it may have none, or be refused for its size.
const decodedAtOnce = 1000

// batchReader puts a batch together and checks what only a broken source gets wrong.
type batchReader struct {
	op                    Op
	batch                 sdk.Batch
	items, removed, whole int
	empty                 int // chunks with nothing in them that is known
	ended                 bool
	waiting               []rawChunk
}

// add takes the next chunk.
func (r *batchReader) add(c rawChunk) error {
	switch {
	case c.holds() == 0 && !c.end:
		if r.empty++; r.empty > maxStray {
			return lie(r.op, sdk.CodeTooLarge, "its batch has more than %d parts without anything in them", maxStray)
		}
		return nil
	case r.ended:
		return lie(r.op, sdk.CodeInvalid, "its batch goes on after its end")
	}
	r.items, r.removed, r.whole, r.ended = r.items+c.items, r.removed+c.removed, r.whole+c.whole, c.end
	if max(r.items, r.removed, r.whole) > MaxItems {
		return lie(r.op, sdk.CodeTooLarge, "its batch has more than %d items, removals or groups", MaxItems)
	}
	r.waiting = append(r.waiting, c)
	if r.items+r.removed+r.whole <= decodedAtOnce {
		return r.decode()
	}
	return nil
}

// decode decodes what waits.
func (r *batchReader) decode() error {
	for i, raw := range r.waiting {
		c, err := raw.decode()
		if err != nil {
			return err
		}
		addChunk(&r.batch, c)
		r.waiting[i] = rawChunk{} // its bytes are not needed any more
	}
	r.waiting = r.waiting[:0]
	return nil
}

// finish gives the whole batch.
func (r *batchReader) finish() (sdk.Batch, error) {
	if !r.ended {
		return sdk.Batch{}, r.op.Errorf("the plugin broke off in the middle of a batch")
	}
	if err := r.decode(); err != nil {
		return sdk.Batch{}, err
	}
	if err := r.batch.Validate(); err != nil {
		e := sdk.AsError(err)
		return sdk.Batch{}, lie(r.op, e.Code, "%s", e.Public)
	}
	return r.batch, nil
}

// take counts what a chunk would cost of what an answer may.
func (a *answers) take(raw []byte) (rawChunk, error) {
	c := rawChunk{raw: raw}
	if err := a.admit(raw, (&BatchChunk{}).ProtoReflect().Descriptor()); err != nil {
		return c, err
	}
	if err := c.count(); err != nil {
		return c, fmt.Errorf("a part of a batch: %w", err)
	}
	return c, nil
}

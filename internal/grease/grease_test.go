package grease

import (
	"slices"
	"testing"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"google.golang.org/protobuf/proto"
)

// TestGreaseIsThrownIn: a tolerance that is never needed would be tested by nothing.
func TestGreaseIsThrownIn(t *testing.T) {
	t.Parallel()
	g := New()
	in := &wire.BatchChunk{Items: []*wire.Item{{Key: "1", Body: []*wire.Node{{Kind: "paragraph"}}}}}
	data, err := g.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out := &wire.BatchChunk{}
	if err := proto.Unmarshal(data.Materialize(), out); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]proto.Message{"the chunk": out, "the item": out.GetItems()[0], "the node": out.GetItems()[0].GetBody()[0]} {
		if len(m.ProtoReflect().GetUnknown()) == 0 {
			t.Errorf("%s has no unknown field", name)
		}
	}
	if len(in.ProtoReflect().GetUnknown()) > 0 {
		t.Error("the message itself was changed")
	}
	data, err = g.Marshal(&wire.OpenResponse{Roles: []string{"source"}})
	if err != nil {
		t.Fatal(err)
	}
	opened := &wire.OpenResponse{}
	if err := proto.Unmarshal(data.Materialize(), opened); err != nil || len(opened.GetRoles()) < 3 || !slices.Contains(opened.GetRoles(), "source") {
		t.Errorf("%v, %v", opened.GetRoles(), err)
	}
	empty, all := 0, 0
	for range 100 {
		err := g.between(&wire.BatchChunk{Items: in.GetItems()}, func(m any) error {
			all++
			if proto.Size(m.(proto.Message)) == 0 {
				empty++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if empty < 50 || all-empty != 100 {
		t.Errorf("%d messages, %d of them empty", all, empty)
	}
}

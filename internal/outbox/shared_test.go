package outbox

import (
	"context"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

// oneForm plans posts in a form that its key names, and counts how often it is asked.
type oneForm struct {
	sdk.Publisher
	form  string
	files []sdk.File
	asked *int
}

func (o oneForm) PlanKey(sdk.ChannelRef) string { return o.form }

func (o oneForm) Plan(_ sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	*o.asked++
	if p.Title == "" {
		return nil, sdk.Errorf(sdk.CodeInvalid, "plan", "there is no title")
	}
	return []sdk.Part{{Kind: o.form, Request: []byte(p.Title), Files: o.files}}, nil
}

// onePost renders every delivery as the same post.
type onePost struct {
	Renderer
	post *Post
}

func (o onePost) Post(context.Context, Work) (*Post, error) { return o.post, nil }

func TestPlansAreSharedByTheirKey(t *testing.T) {
	t.Parallel()
	image := []sdk.File{{Name: "image"}}
	for _, tt := range []struct {
		name  string
		title string
		forms []oneForm
		want  int // how often connectors are asked
	}{
		{"the same form", "fire", []oneForm{{form: "x 1"}, {form: "x 1"}, {form: "x 1"}}, 1},
		{"two forms", "fire", []oneForm{{form: "x 1"}, {form: "x 2"}, {form: "x 1"}}, 2},
		{"nothing to share", "fire", []oneForm{{form: ""}, {form: ""}}, 2},
		{"files, whose data comes and goes", "fire", []oneForm{{form: "x 1", files: image}, {form: "x 1", files: image}}, 2},
		{"more forms than are kept", "fire", []oneForm{{form: "x 1"}, {form: "x 2"}, {form: "x 3"}, {form: "x 4"}, {form: "x 5"}, {form: "x 5"}, {form: "x 4"}}, 6},
		{"a long text", strings.Repeat("fire ", largestShared), []oneForm{{form: "x 1"}, {form: "x 1"}}, 2},
		{"a refusal", "", []oneForm{{form: "x 1"}, {form: "x 1"}}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			e := NewEngine(Settings{Renderer: onePost{post: &Post{Post: sdk.Post{Title: tt.title}}}})
			for _, form := range tt.forms {
				form.asked = &asked
				p := &plans{ctx: t.Context(), l: newDestinationLanes(e, Destination{Conn: form})}
				parts, err := p.Post()
				if tt.title == "" {
					if err == nil {
						t.Error("a plan that was refused is given")
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				want := []sdk.Part{{Kind: form.form, Request: []byte(tt.title), Files: form.files}}
				if diff := cmp.Diff(want, parts); diff != "" {
					t.Errorf("form %q:\n%s", form.form, diff)
				}
				parts[0].Key = "msg_1" // what a call adds to its part is its own
			}
			if asked != tt.want {
				t.Errorf("connectors were asked %d times, want %d", asked, tt.want)
			}
		})
	}
}

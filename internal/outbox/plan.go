package outbox

import (
	"context"

	"github.com/belfry-news/belfry/sdk"
)

// plans asks renderer and connector for the parts of a publication.
type plans struct {
	ctx  context.Context
	l    *destinationLanes
	lane Lane
	w    Work
}

func (p *plans) Post() (parts []sdk.Part, err error) {
	defer recovered(&err, sdk.CodeInvalid, "plan", p.l.e.s.Log)
	post, err := p.l.e.s.Renderer.Post(p.ctx, p.w)
	if err != nil {
		return nil, err
	}
	return p.plan(post)
}

func (p *plans) Reply() (parts []sdk.Part, err error) {
	defer recovered(&err, sdk.CodeInvalid, "plan", p.l.e.s.Log)
	post, err := p.l.e.s.Renderer.Reply(p.ctx, p.w)
	if err != nil {
		return nil, err
	}
	return p.plan(post)
}

// plan calls the connector. A plan is pure, so that whatever goes wrong in it goes wrong every time.
func (p *plans) plan(post sdk.Post) ([]sdk.Part, error) {
	publisher, ok := sdk.As[sdk.Publisher](p.l.dest.Conn)
	if !ok {
		return nil, sdk.Errorf(sdk.CodeUnsupported, "plan", "this type of destination has no channels to post to")
	}
	parts, err := publisher.Plan(p.lane.Ref, post)
	if err == nil && len(parts) == 0 {
		err = sdk.Errorf(sdk.CodeInvalid, "plan", "there is nothing to post")
	}
	return parts, err
}

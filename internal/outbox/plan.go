package outbox

import (
	"context"
	"slices"
	"sync"

	"github.com/belfry-news/belfry/sdk"
)

const (
	// mostShared is how many plans of a post are kept: a destination with many rooms has one for each.
	mostShared = 4
	// largestShared is up to how many bytes a plan is kept.
	largestShared = 16 << 10
)

// Post is a post that was made ready. The destinations that show it the same way share it, and with it the plans that
// their connectors say are the same.
type Post struct {
	sdk.Post

	mu    sync.Mutex
	plans map[string][]sdk.Part // by sdk.SharedPlanner's key
}

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
	key := ""
	if shared, ok := sdk.As[sdk.SharedPlanner](p.l.dest.Conn); ok {
		key = shared.PlanKey(p.lane.Ref)
	}
	if key == "" {
		return p.plan(post.Post)
	}
	post.mu.Lock()
	defer post.mu.Unlock()
	if known, ok := post.plans[key]; ok {
		return slices.Clone(known), nil
	}
	if parts, err = p.plan(post.Post); err == nil && len(post.plans) < mostShared && shareable(parts) {
		if post.plans == nil {
			post.plans = map[string][]sdk.Part{}
		}
		post.plans[key] = slices.Clone(parts)
	}
	return parts, err
}

// shareable reports whether a plan can serve several destinations. The data of files comes and goes in the parts
// themselves.
func shareable(parts []sdk.Part) bool {
	size := 0
	for _, p := range parts {
		if size += len(p.Request) + len(p.Text); len(p.Files) > 0 || size > largestShared {
			return false
		}
	}
	return true
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

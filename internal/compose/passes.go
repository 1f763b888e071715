package compose

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

func (e *Engine) evaluate(ctx context.Context, p *Program) error {
	for {
		items, err := e.s.Store.ChangedItems(ctx, batch)
		if err != nil || len(items) == 0 {
			return err
		}
		created, err := e.s.Store.ChannelsSince(ctx)
		if err != nil {
			return err
		}
		es := p.EvaluateItems(items, created)
		var images []string
		for i := range es {
			images = append(images, es[i].Images...)
		}
		now := time.Now()
		if len(images) > 0 {
			if err := e.s.Store.WantImages(ctx, images, now); err != nil {
				return err
			}
			if e.s.Wanted != nil {
				e.s.Wanted()
			}
		}
		if err := e.s.Store.CommitEvaluations(ctx, es, now); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
		if len(items) < batch {
			return nil
		}
	}
}

// recompose makes the posts anew whose items changed, and says when it has to look again for the sake of images that are
// still being fetched (a copy must not lose its picture because the new one is late) or for the end of an embargo.
func (e *Engine) recompose(ctx context.Context, p *Program) (look time.Time, err error) {
	after := int64(0)
	for {
		posts, err := e.s.Store.StalePosts(ctx, after, batch)
		if err != nil || len(posts) == 0 {
			return look, err
		}
		for _, s := range posts {
			after = s.Post
			now := time.Now()
			r := p.Recompose(s, now)
			look = sooner(look, r.Until)
			if r.Content == nil && !r.Until.IsZero() {
				continue // it stays stale until then
			}
			if r.Content != nil {
				pending, err := e.s.Store.PendingImages(ctx, r.Content.Images())
				if err != nil {
					return look, err
				}
				if until := lastOf(pending).Add(p.MediaWait); len(pending) > 0 && until.After(now) {
					look = sooner(look, until)
					continue
				}
			}
			err := e.s.Store.CommitRevision(ctx, r, now)
			if errors.Is(err, ErrConflict) {
				look = now // it is still stale
				continue
			}
			if err != nil {
				return look, err
			}
			if r.Content != nil {
				e.s.Log.Info("a post was revised", "channel", s.Channel, "post", s.PublicID, "status", r.Status)
				e.composed()
			}
		}
	}
}

// lastOf is when the last of some images was asked for.
func lastOf(pending map[string]time.Time) time.Time {
	var last time.Time
	for _, at := range pending {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// sooner is the earlier of two times; a zero time is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// scheduled lets editors' posts out whose time has come.
func (e *Engine) scheduled(ctx context.Context, p *Program, paused map[string]time.Time) (time.Time, error) {
	now := time.Now()
	due, err := e.s.Store.DuePosts(ctx, now)
	if err != nil {
		return time.Time{}, err
	}
	for _, s := range due {
		_, all := paused[""]
		if _, one := paused[s.Channel]; one || all {
			continue
		}
		status, reason := PostLive, ""
		if name, _, silenced := p.Silenced(s.Channel, s.Content, now); silenced && !s.Released {
			status, reason = PostHeld, "blackout "+name
		}
		var alerts []alert.Alert
		if status == PostHeld {
			alerts = heldAlerts(s.Channel, []LeaveOut{{Hold: true}})
		}
		if err := e.s.Store.CommitDue(ctx, s.Post, status, reason, alerts, now); err != nil && !errors.Is(err, ErrConflict) {
			return time.Time{}, err
		}
		e.composed()
	}
	next, err := e.s.Store.NextScheduled(ctx)
	if !next.After(now) {
		next = time.Time{} // its channel is paused, which is looked at again soon enough
	}
	return next, err
}

package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// NewPost is a post that an editor writes.
type NewPost struct {
	Channel string
	Draft   compose.Draft
	// At is when it is published; zero means now.
	At     time.Time
	Urgent bool
	// Request is recorded with the act; see Repeated. Its zero value names none.
	Request Request
}

// Request identifies a request that may come again because its answer was lost: a digest of its key, and one of what it
// asks for, both hexadecimal.
type Request struct{ Key, Sum string }

// repeatsFor is how long a request is known that may come again.
const repeatsFor = 7 * 24 * time.Hour

// Create writes a post. Whoever gives a Request asks Repeated first, and lets no other request of that key in between.
func (d *Desk) Create(ctx context.Context, n NewPost) (Post, error) {
	if err := d.channel(n.Channel); err != nil {
		return Post{}, err
	}
	program, _ := compose.Compile(&d.Config.Config) // it was checked; a blackout has its say when the post is due
	ch := program.Channels[n.Channel]
	now, actor := time.Now(), d.Actor
	if n.Request.Key != "" {
		// The record of the act commits with the post, so both are known, or neither.
		actor = d.requests(n.Request) + n.Request.Sum
	}
	at := n.At
	if at.IsZero() {
		at = now
	}
	if at.Before(now.Add(-time.Minute)) {
		return Post{}, unusable("%s is in the past; give a later time, or leave it out to publish at once", d.At(at))
	}
	content, err := ch.Write(n.Draft, now)
	if err != nil {
		return Post{}, unusable("the post cannot be written: %w", err)
	}
	id, err := d.Store.CreatePost(ctx, ch.EditorPost(content, at, n.Urgent, now), nil, actor, now)
	if err != nil {
		return Post{}, d.notBlocked(err)
	}
	return d.Post(ctx, id)
}

// mayLink is a Conflict when the article at an address was retracted for good.
func (d *Desk) mayLink(ctx context.Context, address string) error {
	if _, err := sdk.CheckLink(address); err != nil {
		return nil //nolint:nilerr // it is no address, which others say
	}
	return d.notBlocked(d.Store.BlockedLink(ctx, address))
}

// notBlocked tells of a retraction for good in the zone of the configuration.
func (d *Desk) notBlocked(err error) error {
	var blocked *store.BlockedError
	if !errors.As(err, &blocked) {
		return err
	}
	return errorf(Conflict, "%s was retracted for good on %s (%s): no post may lead there; leave the link out, or give another",
		blocked.URL, d.At(blocked.At), Plain(blocked.Reason))
}

// requests is how the record of acts begins to name a request of this actor.
func (d *Desk) requests(r Request) string { return fmt.Sprintf("%s, request %s ", d.Actor, r.Key) }

// Repeated finds the post that the same request of the same actor made within the last seven days; false when there is
// none. The same key for something else is Unusable.
func (d *Desk) Repeated(ctx context.Context, r Request) (Post, bool, error) {
	actor, id, err := d.Store.CreatedBy(ctx, d.requests(r), d.Now.Add(-repeatsFor))
	if errors.Is(err, store.ErrNotFound) {
		return Post{}, false, nil
	}
	if err != nil {
		return Post{}, false, err
	}
	if actor != d.requests(r)+r.Sum {
		return Post{}, false, unusable("another request with the same key made post %s; give every request a key of its own", id)
	}
	p, err := d.Post(ctx, id)
	return p, err == nil, err
}

// Edit corrects a post; every copy follows by the ladder of its channel. What the change leaves out stays.
func (d *Desk) Edit(ctx context.Context, id string, change compose.Redraft) (Post, error) {
	for range 5 {
		p, err := d.find(ctx, id)
		if err != nil {
			return Post{}, err
		}
		content, err := change.Revise(p.Kind, p.Status, p.Content)
		if err != nil {
			return Post{}, errorf(Conflict, "post %s cannot be changed like that: %w", p.PublicID, err)
		}
		err = d.Store.EditPost(ctx, p.ID, p.Revision, content, nil, d.Actor, time.Now())
		if errors.Is(err, compose.ErrConflict) {
			continue // somebody else changed it in between
		}
		if err != nil {
			return Post{}, d.notBlocked(err)
		}
		return d.Post(ctx, p.PublicID)
	}
	return Post{}, errorf(Conflict, "post %s is being changed by somebody else all the time; try again", id)
}

package web

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
)

// Store is what the pages need of the store. All times are UTC. Nothing it gives is before its time: a post is on show
// when it is live, withdrawn or retracted and its time of publication is not ahead of now.
type Store interface {
	// PagesVersion gives a text that changes whenever a post was made, revised or taken back, by whichever process.
	PagesVersion(ctx context.Context) (string, error)
	// ShownPosts gives a channel's posts on show, the newest first.
	ShownPosts(ctx context.Context, q Range) ([]Post, error)
	// ShownPost gives one post on show by its public id; false when there is none.
	ShownPost(ctx context.Context, publicID string, now time.Time) (Post, bool, error)
	// NewestPosts gives the newest live post of each channel that has one.
	NewestPosts(ctx context.Context, channels []string, now time.Time) ([]Post, error)
	// NextPost is when the next live post of these channels comes on show whose time lies ahead; zero when there is none.
	NextPost(ctx context.Context, channels []string, now time.Time) (time.Time, error)
	// Places gives where destinations show channels to the public, as far as that is known.
	Places(ctx context.Context) ([]Place, error)
	// Files finds the stored copies of images by the addresses at which their source publishes them.
	Files(ctx context.Context, urls []string) (compose.Files, error)
	// MediaShown reports whether a live post on show uses the stored image.
	MediaShown(ctx context.Context, sha256 string, now time.Time) (bool, error)
}

// Range asks for a run of a channel's posts.
type Range struct {
	Channel string
	// Now bounds what is on show; Since, unless zero, leaves out what was published before it.
	Now, Since time.Time
	// Before is the post after which the run begins; nil for the newest.
	Before *Post
	// Most is the largest number of posts.
	Most int
}

// Post is a post on show.
type Post struct {
	ID        int64
	PublicID  string
	Channel   string
	Kind      compose.PostKind
	Status    compose.PostStatus
	VisibleAt time.Time
	// ChangedAt is when the newest revision was made.
	ChangedAt time.Time
	// Content of the newest revision. Of a post that was taken back only the language is given.
	Content compose.Content
	// Revisions after the first, in order.
	Revisions []Revision
}

// Revision is a later revision of a post.
type Revision struct {
	At time.Time
	// Note is what it says about corrections; it repeats in revisions that change something else.
	Note string
}

// live reports whether the post's content may be shown.
func (p *Post) live() bool { return p.Status == compose.PostLive && !p.Content.Withdrawn }

// Place is where a destination shows a channel to the public.
type Place struct{ Destination, Chat, URL string }

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

const (
	// mostRendered is how many revisions are kept ready; a post that goes to many destinations is rendered once for all of
	// them that show it the same way.
	mostRendered = 128
	// largestRendered is up to how many bytes of content a revision is kept ready.
	largestRendered = 32 << 10
)

// renderer makes posts ready for destinations with the program in force.
type renderer struct {
	program func() *compose.Program
	store   *store.DB
	files   *media.Files

	mu       sync.Mutex
	rendered map[revisionKey]*rendered
	order    []revisionKey // the oldest first
}

var _ outbox.Renderer = (*renderer)(nil)

func newRenderer(program func() *compose.Program, db *store.DB, files *media.Files) *renderer {
	return &renderer{program: program, store: db, files: files, rendered: map[revisionKey]*rendered{}}
}

type revisionKey struct {
	post   string
	number int
}

// rendered is a revision with the posts that were made of it. Nothing of it is changed once it is there but posts.
type rendered struct {
	content []byte
	compose.Revision

	mu    sync.Mutex
	posts map[compose.Variant]ready
}

// ready is a post and the images that it was made with.
type ready struct {
	post  *outbox.Post
	files compose.Files
}

// revision gives the revision that a delivery wants. Its content may have been taken out since it was last asked for: it
// is the same only when all of it is.
func (r *renderer) revision(w outbox.Work) (*rendered, error) {
	key := revisionKey{w.PublicID, w.Want}
	r.mu.Lock()
	known, ok := r.rendered[key]
	r.mu.Unlock()
	if ok && known.Channel == w.Channel && known.Published.Equal(w.Published) && known.At.Equal(w.RevisedAt) && bytes.Equal(known.content, w.Content) {
		return known, nil
	}
	fresh := &rendered{content: w.Content, posts: map[compose.Variant]ready{},
		Revision: compose.Revision{PublicID: w.PublicID, Channel: w.Channel, Number: w.Want, Published: w.Published, At: w.RevisedAt}}
	if err := json.Unmarshal(w.Content, &fresh.Content); err != nil {
		return nil, fmt.Errorf("post %s: its content cannot be read: %w", w.PublicID, err)
	}
	if len(w.Content) <= largestRendered {
		r.keep(key, fresh)
	}
	return fresh, nil
}

func (r *renderer) keep(key revisionKey, fresh *rendered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, replaces := r.rendered[key]; !replaces {
		if len(r.order) == mostRendered {
			delete(r.rendered, r.order[0])
			r.order = append(r.order[:0], r.order[1:]...)
		}
		r.order = append(r.order, key)
	}
	r.rendered[key] = fresh
}

// Post implements outbox.Renderer.
func (r *renderer) Post(ctx context.Context, w outbox.Work) (*outbox.Post, error) {
	rev, err := r.revision(w)
	if err != nil {
		return nil, err
	}
	files, err := r.store.Files(ctx, rev.Content.Images())
	if err != nil {
		return nil, err
	}
	program := r.program()
	variant := program.Variant(w.Channel, w.Destination, w.Chat)
	rev.mu.Lock()
	defer rev.mu.Unlock()
	if p, ok := rev.posts[variant]; ok && maps.EqualFunc(p.files, files, func(a, b sdk.File) bool { return a.SHA256 == b.SHA256 && a.Name == b.Name }) {
		return p.post, nil
	}
	made, err := program.Post(rev.Revision, w.Destination, w.Chat, files)
	if err != nil {
		return nil, err
	}
	post := &outbox.Post{Post: made}
	rev.posts[variant] = ready{post, files}
	return post, nil
}

// Reply implements outbox.Renderer.
func (r *renderer) Reply(_ context.Context, w outbox.Work) (sdk.Post, error) {
	rev, err := r.revision(w)
	if err != nil {
		return sdk.Post{}, err
	}
	return r.program().Reply(rev.Revision, w.Destination, w.Chat), nil
}

// Ladders implements outbox.Renderer.
func (r *renderer) Ladders(channel string) outbox.Ladders {
	c := r.program().Corrections(channel)
	return outbox.Ladders{Revised: c.Revised, Withdrawn: c.Withdrawn, MinGap: c.MinGap.Std()}
}

// Silenced implements outbox.Renderer.
func (r *renderer) Silenced(w outbox.Work, now time.Time) (name string, drop, silenced bool) {
	rev, err := r.revision(w)
	if err != nil {
		return "", false, false
	}
	return r.program().Silenced(w.Channel, rev.Content, now)
}

// Fill implements outbox.Renderer.
func (r *renderer) Fill(_ context.Context, files []sdk.File) error {
	for i := range files {
		data, err := r.files.Read(files[i].Name)
		if err != nil {
			return err
		}
		files[i].Data = data
	}
	return nil
}

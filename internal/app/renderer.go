package app

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// renderer makes posts ready for destinations with the program in force.
type renderer struct {
	program func() *compose.Program
	store   *store.DB
	files   *media.Files
}

var _ outbox.Renderer = (*renderer)(nil)

func revision(w outbox.Work) (compose.Revision, error) {
	r := compose.Revision{PublicID: w.PublicID, Channel: w.Channel, Number: w.Want, Published: w.Published, At: w.RevisedAt}
	if err := json.Unmarshal(w.Content, &r.Content); err != nil {
		return r, fmt.Errorf("post %s: its content cannot be read: %w", w.PublicID, err)
	}
	return r, nil
}

// Post implements outbox.Renderer.
func (r *renderer) Post(ctx context.Context, w outbox.Work) (sdk.Post, error) {
	rev, err := revision(w)
	if err != nil {
		return sdk.Post{}, err
	}
	files, err := r.store.Files(ctx, rev.Content.Images())
	if err != nil {
		return sdk.Post{}, err
	}
	return r.program().Post(rev, w.Destination, w.Chat, files)
}

// Reply implements outbox.Renderer.
func (r *renderer) Reply(_ context.Context, w outbox.Work) (sdk.Post, error) {
	rev, err := revision(w)
	if err != nil {
		return sdk.Post{}, err
	}
	return r.program().Reply(rev, w.Destination, w.Chat), nil
}

// Ladders implements outbox.Renderer.
func (r *renderer) Ladders(channel string) outbox.Ladders {
	c := r.program().Corrections(channel)
	return outbox.Ladders{Revised: c.Revised, Withdrawn: c.Withdrawn, MinGap: c.MinGap.Std()}
}

// Silenced implements outbox.Renderer.
func (r *renderer) Silenced(w outbox.Work, now time.Time) (name string, drop, silenced bool) {
	rev, err := revision(w)
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

package desk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
)

// Retraction is what was taken back, and where something of it still is. Done says that nothing is.
type Retraction struct {
	Posts  []string        `json:"posts"`
	Legal  bool            `json:"legal"`
	Files  int             `json:"files_removed"`
	Daemon bool            `json:"daemon"`
	Done   bool            `json:"done"`
	Copies []RetractedCopy `json:"copies"`
	// Trouble says which files could not be removed; the posts are retracted all the same.
	Trouble error `json:"-"`
}

// RetractedCopy is a copy of a post that was taken back.
type RetractedCopy struct {
	Post string `json:"post"`
	Copy
}

// Retract takes a post back everywhere, and waits for a running daemon to delete its copies. A legal one is for good: every
// post of the same item goes with it, and its text and images are purged.
func (d *Desk) Retract(ctx context.Context, id string, legal bool, reason string, wait time.Duration) (Retraction, error) {
	p, err := d.find(ctx, id)
	if err != nil {
		return Retraction{}, err
	}
	if p.Status == compose.PostRetracted && !legal {
		return Retraction{}, errorf(Conflict, "post %s is retracted already: %s", p.PublicID, d.StatusSentence(p))
	}
	done, err := d.Store.RetractPost(ctx, p.ID, legal, reason, d.Actor, time.Now())
	if err != nil {
		return Retraction{}, err
	}
	out := Retraction{Posts: done.Posts, Legal: legal, Daemon: d.Running(), Files: len(done.Files)}
	// The record comes first: a file that cannot be removed must not keep the post on show.
	out.Trouble = d.removeFiles(done.Files)
	if !out.Daemon {
		wait = 0
	}
	if _, err := waitFor(ctx, wait, func() (bool, error) {
		out.Copies, err = d.retracted(ctx, done.Posts)
		return err == nil && !AnyCopy(out.Copies, CopyWaiting), err
	}); err != nil {
		return out, err
	}
	out.Done = out.Trouble == nil
	for _, x := range out.Copies {
		out.Done = out.Done && x.State == CopyGone
	}
	return out, nil
}

// removeFiles removes the files of images that nothing shows any more.
func (d *Desk) removeFiles(names []string) error {
	if len(names) == 0 {
		return nil
	}
	files, err := media.NewFiles(filepath.Join(d.Dir, "media"))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if err := files.Remove(name); err != nil {
			errs = append(errs, fmt.Errorf("the image %s is purged from the record, but its file cannot be removed; remove it by hand: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// retracted reads the copies of the posts that were taken back.
func (d *Desk) retracted(ctx context.Context, posts []string) ([]RetractedCopy, error) {
	out := []RetractedCopy{}
	for _, id := range posts {
		p, err := d.Store.PostByID(ctx, id)
		if err != nil {
			return nil, err
		}
		copies, err := d.copies(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		for _, x := range copies {
			out = append(out, RetractedCopy{id, x})
		}
	}
	return out, nil
}

// AnyCopy says whether one of the copies is in the state.
func AnyCopy(copies []RetractedCopy, state string) bool {
	for _, c := range copies {
		if c.State == state {
			return true
		}
	}
	return false
}

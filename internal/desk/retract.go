package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// Retraction is what was taken back, and where something of it still is. Done says that nothing is.
type Retraction struct {
	Posts []string `json:"posts"`
	// Digests lost an item that was retracted for good; their copies are corrected.
	Digests []string `json:"digests"`
	// Items are blocked for ever.
	Items []RetractedItem `json:"items"`
	Legal bool            `json:"legal"`
	// Again says that it was retracted for good before, so that nothing changed.
	Again  bool `json:"again"`
	Files  int  `json:"files_removed"`
	Daemon bool `json:"daemon"`
	// Purged says that no file of the store holds what was purged.
	Purged bool `json:"purged"`
	// Backups are older copies of the store that lie beside it, and may still hold it.
	Backups []string        `json:"backups"`
	Done    bool            `json:"done"`
	Copies  []RetractedCopy `json:"copies"`
	// Trouble says which files could not be removed; the posts are retracted all the same.
	Trouble error `json:"-"`
	// Kept are the items of a digest that was retracted by itself.
	Kept []store.ItemName `json:"-"`
}

// RetractedItem is an item that was retracted for good.
type RetractedItem struct {
	Number int64  `json:"number"`
	Source string `json:"source"`
	Key    string `json:"key"`
}

// RetractedCopy is a copy of a post that was taken back, or of a digest that lost an item.
type RetractedCopy struct {
	Post string `json:"post"`
	// Digest says that the copy is to be corrected, and not to be deleted.
	Digest bool `json:"digest"`
	Copy
}

// Over says whether nothing of what was retracted is there.
func (c RetractedCopy) Over() bool {
	return c.State == CopyGone || c.Digest && (c.State == CopyThere || c.State == CopyNotSent)
}

// Retract takes a post back everywhere, and waits for a running daemon to delete its copies. A legal one is for good: every
// post of the same item goes with it, digests lose the item, and its text and images are purged. A digest goes by itself. A
// second legal retraction changes nothing, and tells what has become of the first.
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
	out, err := d.takenBack(ctx, done, legal, wait)
	if err == nil && legal && p.Kind == compose.KindDigest {
		out.Kept, err = d.Store.PostItems(ctx, p.ID)
	}
	return out, err
}

// RetractItem takes an item back for good, by its key, its address or its number; of all sources when the source is empty,
// if only one has such an item. Every post of it goes, digests lose it, and it never comes back.
func (d *Desk) RetractItem(ctx context.Context, item, source, reason string, wait time.Duration) (Retraction, error) {
	found, err := d.Store.FindItem(ctx, source, item)
	if err != nil {
		return Retraction{}, err
	}
	if len(found) == 0 {
		// Items of a source that is no longer configured are found all the same.
		if _, ok := d.Config.Sources[source]; source != "" && !ok {
			return Retraction{}, UnknownName("source", source, slices.Collect(maps.Keys(d.Config.Sources)))
		}
		if err := d.mayLink(ctx, item); err != nil {
			return Retraction{}, err
		}
		return Retraction{}, errorf(Missing, "no item %q is known%s; see what is posted: belfry why --post ID, belfry post show ID", item, inSource(source))
	}
	if len(found) > 1 {
		var names []string
		for _, it := range found {
			names = append(names, fmt.Sprintf("%d (%s %s)", it.ID, it.Source, Plain(it.Key)))
		}
		return Retraction{}, unusable("%q is %d items: %s; give the number of one, and retract each", item, len(found), strings.Join(names, ", "))
	}
	done, err := d.Store.RetractItem(ctx, found[0].ID, reason, d.Actor, time.Now())
	if err != nil {
		return Retraction{}, err
	}
	return d.takenBack(ctx, done, true, wait)
}

// forgetFor is how long to try to empty the store's log of what was purged; the daemon goes on trying.
const forgetFor = 3 * time.Second

// takenBack sees to what a retraction leaves to be done outside of the rows, and waits for its copies.
func (d *Desk) takenBack(ctx context.Context, done store.Retracted, legal bool, wait time.Duration) (Retraction, error) {
	out := Retraction{Posts: orEmpty(done.Posts), Digests: orEmpty(done.Digests), Items: []RetractedItem{}, Backups: []string{}, Legal: legal, Again: legal && done.Again,
		Daemon: d.Running(), Files: len(done.Files), Purged: true}
	for _, it := range done.Items {
		out.Items = append(out.Items, RetractedItem{it.ID, it.Source, it.Key})
	}
	// The record comes first: a file that cannot be removed must not keep the post on show.
	out.Trouble = d.removeFiles(done.Files)
	forget := func() (bool, error) {
		var err error
		out.Purged, err = d.Store.Forget(ctx)
		return out.Purged, err
	}
	if legal {
		if _, err := forget(); err != nil {
			return out, err
		}
		backups, err := sqlite.Copies(filepath.Join(d.Dir, sqlite.FileName))
		if err != nil {
			return out, err
		}
		out.Backups = append(out.Backups, backups...)
	}
	if !out.Daemon {
		wait = 0
	}
	if _, err := waitFor(ctx, wait, func() (bool, error) {
		var err error
		out.Copies, err = d.retracted(ctx, done)
		return err == nil && !AnyCopy(out.Copies, CopyWaiting), err
	}); err != nil {
		return out, err
	}
	if legal && !out.Purged && !AnyCopy(out.Copies, CopyWaiting) && !AnyCopy(out.Copies, CopyUnknown) {
		if _, err := waitFor(ctx, forgetFor, forget); err != nil {
			return out, err
		}
	}
	out.Done = out.Trouble == nil && out.Purged
	for _, x := range out.Copies {
		out.Done = out.Done && x.Over()
	}
	return out, nil
}

func orEmpty(list []string) []string { return append([]string{}, list...) }

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

// retracted reads the copies of the posts that were taken back and of the digests that lost an item.
func (d *Desk) retracted(ctx context.Context, done store.Retracted) ([]RetractedCopy, error) {
	out := []RetractedCopy{}
	for i, id := range slices.Concat(done.Posts, done.Digests) {
		p, err := d.Store.PostByID(ctx, id)
		if err != nil {
			return nil, err
		}
		copies, err := d.copies(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		for _, x := range copies {
			out = append(out, RetractedCopy{id, i >= len(done.Posts), x})
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

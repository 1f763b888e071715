package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/store"
)

// Post is a post as it is now. Copies and Revisions are only there where they were asked for.
type Post struct {
	ID        string   `json:"id"`
	Channel   string   `json:"channel"`
	Kind      string   `json:"kind"`
	Status    string   `json:"status"`
	Reason    string   `json:"reason"`
	Revision  int      `json:"revision"`
	Created   Stamp    `json:"created"`
	Visible   Stamp    `json:"visible"`
	Changed   Stamp    `json:"changed"`
	Title     string   `json:"title"`
	Summary   string   `json:"summary"`
	URL       string   `json:"url"`
	Permalink string   `json:"permalink"`
	Lang      string   `json:"lang"`
	Note      string   `json:"note"`
	Images    []string `json:"images"`
	// Lost says of images that the post goes without why it does.
	Lost      []string   `json:"lost_images,omitempty"`
	Copies    []Copy     `json:"copies,omitempty"`
	Revisions []Revision `json:"revisions,omitempty"`
	// Items are what it was made of, and Row is its row, for sentences.
	Items []store.ItemName `json:"-"`
	Row   store.Post       `json:"-"`
}

// Revision is one revision of a post.
type Revision struct {
	Number  int    `json:"number"`
	At      Stamp  `json:"at"`
	Title   string `json:"title"`
	Summary string `json:"summary"`
	Note    string `json:"note"`
}

func (d *Desk) newPost(p store.Post) Post {
	return Post{ID: p.PublicID, Channel: p.Channel, Kind: string(p.Kind), Status: string(p.Status), Reason: p.Reason, Revision: p.Revision,
		Created: Stamp{p.CreatedAt}, Visible: Stamp{p.VisibleAt}, Changed: Stamp{p.ChangedAt}, Title: p.Content.Title, Summary: p.Content.Summary,
		URL: p.Content.URL, Lang: p.Content.Lang, Note: p.Content.Note, Images: p.Content.Images(), Row: p,
		Permalink: d.permalink(p)}
}

// find finds a post by its id or by the beginning of it.
func (d *Desk) find(ctx context.Context, id string) (store.Post, error) {
	p, err := d.Store.PostByID(ctx, strings.ToLower(id))
	if !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	found, err := d.Store.PostsByPrefix(ctx, id, 2)
	switch {
	case err != nil:
		return p, err
	case len(found) == 0:
		return p, errorf(Missing, "there is no post %q; see: belfry post list", id)
	case len(found) > 1:
		return p, unusable("several posts begin with %q; write more of the id", id)
	}
	return found[0], nil
}

// permalink is the hosted page of a post; empty when the site has no address or the post is not shown.
func (d *Desk) permalink(p store.Post) string {
	if d.Config.Site.URL == "" || p.VisibleAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s/c/%s/%s", strings.TrimSuffix(d.Config.Site.URL, "/"), p.Channel, p.PublicID)
}

// PostTime is when a post was published, or is to be.
func (d *Desk) PostTime(p store.Post) string {
	if p.VisibleAt.IsZero() {
		return "made " + d.At(p.CreatedAt)
	}
	return d.At(p.VisibleAt)
}

// StatusSentence says what the status of a post means.
func (d *Desk) StatusSentence(p store.Post) string {
	reason := p.Content.Reason
	if reason == "" {
		reason = p.Reason
	}
	switch p.Status {
	case compose.PostScheduled:
		s := "it leaves " + d.Until(p.VisibleAt)
		if !p.VisibleAt.After(d.Now) && !d.Running() {
			s = "it leaves when the daemon runs"
		}
		return s
	case compose.PostHeld:
		return fmt.Sprintf("held (%s); post it: belfry post release --channel %s", Plain(OrDash(reason)), p.Channel)
	case compose.PostWithdrawn:
		return "withdrawn: " + Plain(OrDash(reason))
	case compose.PostRetracted:
		return "retracted: " + Plain(OrDash(reason))
	}
	return "live"
}

// channel says whether a channel is configured.
func (d *Desk) channel(name string) error {
	if _, ok := d.Config.Channels[name]; !ok {
		return UnknownName("channel", name, slices.Collect(maps.Keys(d.Config.Channels)))
	}
	return nil
}

// full is a post with everything that belongs to it.
func (d *Desk) full(ctx context.Context, p store.Post) (Post, error) {
	out := d.newPost(p)
	revisions, err := d.Store.Revisions(ctx, p.ID)
	if err != nil {
		return out, err
	}
	for _, r := range revisions {
		out.Revisions = append(out.Revisions, Revision{r.Number, Stamp{r.At}, r.Content.Title, r.Content.Summary, r.Note})
	}
	if out.Items, err = d.Store.PostItems(ctx, p.ID); err != nil {
		return out, err
	}
	if out.Lost, err = d.lost(ctx, out.Images); err != nil {
		return out, err
	}
	out.Copies, err = d.copies(ctx, p.ID)
	return out, err
}

// lost says why images will not be had, in their order.
func (d *Desk) lost(ctx context.Context, urls []string) ([]string, error) {
	why, err := d.Store.LostImages(ctx, urls)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, u := range urls {
		if w, ok := why[u]; ok {
			out = append(out, w)
		}
	}
	return out, nil
}

// Post tells everything of a post, by its id or the beginning of it.
func (d *Desk) Post(ctx context.Context, id string) (Post, error) {
	p, err := d.find(ctx, id)
	if err != nil {
		return Post{}, err
	}
	return d.full(ctx, p)
}

// PostQuery chooses posts; empty fields choose all.
type PostQuery struct {
	Channel string
	// Held chooses those that a blackout holds, here or at a destination.
	Held bool
	// Before is the id of the post after which the list goes on; empty for the newest.
	Before string
	// Limit is the most that are given.
	Limit int
}

// Posts lists posts, the newest first, without their copies and revisions.
func (d *Desk) Posts(ctx context.Context, q PostQuery) ([]Post, error) {
	if q.Channel != "" {
		if err := d.channel(q.Channel); err != nil && !slices.Contains(d.Config.Retired, q.Channel) {
			return nil, err
		}
	}
	f := store.PostFilter{Channel: q.Channel, Held: q.Held, Limit: q.Limit}
	if q.Before != "" {
		p, err := d.find(ctx, q.Before)
		if err != nil {
			return nil, err
		}
		f.Before = p.ID
	}
	rows, err := d.Store.PostsBefore(ctx, f)
	out := []Post{}
	for _, p := range rows {
		out = append(out, d.newPost(p))
	}
	return out, err
}

// PostOn tells what became of a post at a destination, or with an empty name at all of them.
func (d *Desk) PostOn(ctx context.Context, id, destination string) (Post, error) {
	p, err := d.find(ctx, id)
	if err != nil {
		return Post{}, err
	}
	out := d.newPost(p)
	out.Permalink = ""
	if out.Copies, err = d.copies(ctx, p.ID); err != nil || destination == "" {
		return out, err
	}
	out.Copies = slices.DeleteFunc(out.Copies, func(x Copy) bool { return x.Destination != destination })
	if len(out.Copies) == 0 {
		return out, errorf(Missing, "post %s was never meant for destination %s", p.PublicID, destination)
	}
	return out, nil
}

package main

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

type postCmd struct {
	Create     postCreateCmd     `cmd:"" help:"Write a post in a channel."`
	Edit       postEditCmd       `cmd:"" help:"Correct a post; every copy follows."`
	Retract    postRetractCmd    `cmd:"" help:"Take a post back everywhere."`
	List       postListCmd       `cmd:"" help:"List posts, the newest first."`
	Show       postShowCmd       `cmd:"" help:"A post with its revisions and copies."`
	Deliveries postDeliveriesCmd `cmd:"" help:"List what was, or is to be, sent to destinations."`
	Resend     postResendCmd     `cmd:"" help:"Send a delivery again that ended without success."`
	Resolve    postResolveCmd    `cmd:"" help:"Say what only a person can know of a delivery."`
	Release    postReleaseCmd    `cmd:"" help:"Let posts go that a blackout held, or drop them."`
}

// postJSON is a post as commands print it.
type postJSON struct {
	ID        string           `json:"id"`
	Channel   string           `json:"channel"`
	Kind      string           `json:"kind"`
	Status    string           `json:"status"`
	Reason    string           `json:"reason"`
	Revision  int              `json:"revision"`
	Created   stamp            `json:"created"`
	Visible   stamp            `json:"visible"`
	Changed   stamp            `json:"changed"`
	Title     string           `json:"title"`
	Summary   string           `json:"summary"`
	URL       string           `json:"url"`
	Permalink string           `json:"permalink"`
	Lang      string           `json:"lang"`
	Note      string           `json:"note"`
	Images    []string         `json:"images"`
	Items     []store.ItemName `json:"-"`
	Copies    []copyJSON       `json:"copies,omitempty"`
	Revisions []revisionJSON   `json:"revisions,omitempty"`
}

type revisionJSON struct {
	Number  int    `json:"number"`
	At      stamp  `json:"at"`
	Title   string `json:"title"`
	Summary string `json:"summary"`
	Note    string `json:"note"`
}

func newPostJSON(p store.Post) postJSON {
	return postJSON{ID: p.PublicID, Channel: p.Channel, Kind: string(p.Kind), Status: string(p.Status), Reason: p.Reason, Revision: p.Revision,
		Created: stamp{p.CreatedAt}, Visible: stamp{p.VisibleAt}, Changed: stamp{p.ChangedAt}, Title: p.Content.Title, Summary: p.Content.Summary,
		URL: p.Content.URL, Lang: p.Content.Lang, Note: p.Content.Note, Images: p.Content.Images()}
}

// post finds a post by its id or by the beginning of it.
func (d *desk) post(ctx context.Context, id string) (store.Post, error) {
	p, err := d.db.PostByID(ctx, strings.ToLower(id))
	if !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	found, err := d.db.PostsByPrefix(ctx, id, 2)
	switch {
	case err != nil:
		return p, err
	case len(found) == 0:
		return p, fmt.Errorf("there is no post %q; see: belfry post list", id)
	case len(found) > 1:
		return p, unusable("several posts begin with %q; write more of the id", id)
	}
	return found[0], nil
}

// permalink is the hosted page of a post; empty when the site has no address or the post is not shown.
func (d *desk) permalink(p store.Post) string {
	if d.cfg.Site.URL == "" || p.VisibleAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s/c/%s/%s", strings.TrimSuffix(d.cfg.Site.URL, "/"), p.Channel, p.PublicID)
}

// postTime is when a post was published, or is to be.
func (d *desk) postTime(p store.Post) string {
	if p.VisibleAt.IsZero() {
		return "made " + d.at(p.CreatedAt)
	}
	return d.at(p.VisibleAt)
}

// statusSentence says what the status of a post means.
func (d *desk) statusSentence(p store.Post) string {
	reason := p.Content.Reason
	if reason == "" {
		reason = p.Reason
	}
	switch p.Status {
	case compose.PostScheduled:
		s := "it leaves " + d.until(p.VisibleAt)
		if !p.VisibleAt.After(d.now) && !d.running() {
			s = "it leaves when the daemon runs"
		}
		return s
	case compose.PostHeld:
		return fmt.Sprintf("held (%s); post it: belfry post release --channel %s", plain(orDash(reason)), p.Channel)
	case compose.PostWithdrawn:
		return "withdrawn: " + plain(orDash(reason))
	case compose.PostRetracted:
		return "retracted: " + plain(orDash(reason))
	}
	return "live"
}

// channel finds a configured channel.
func (d *desk) channel(name string) (*compose.Channel, error) {
	ch, ok := d.program().Channels[name]
	if !ok {
		return nil, unknownName("channel", name, slices.Collect(maps.Keys(d.cfg.Channels)))
	}
	return ch, nil
}

type postListCmd struct {
	Channel string `placeholder:"NAME" help:"Only of this channel."`
	Held    bool   `help:"Only posts that a blackout holds, here or at a destination."`
	Limit   int    `default:"20" placeholder:"N" help:"The most that are listed."`
}

// Help is the long help.
func (*postListCmd) Help() string {
	return `Example:

    belfry post list --channel alertes

Exit codes: 0 listed, 1 there is no store, 2 no such channel. With --json a list of posts.`
}

// Run lists posts.
func (c *postListCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if c.Channel != "" {
		if _, err := d.channel(c.Channel); err != nil && !slices.Contains(d.cfg.Retired, c.Channel) {
			return err
		}
	}
	if c.Limit < 1 {
		return unusable("--limit %d lists nothing; at least 1", c.Limit)
	}
	posts, err := d.db.Posts(ctx, c.Channel, c.Held, c.Limit)
	if err != nil {
		return err
	}
	if g.JSON {
		list := []postJSON{}
		for _, p := range posts {
			x := newPostJSON(p)
			x.Permalink = d.permalink(p)
			list = append(list, x)
		}
		return writeJSON(std.out, list)
	}
	if len(posts) == 0 {
		d.print("there is no such post")
		return nil
	}
	t := newTable("POST", "CHANNEL", "KIND", "STATUS", "PUBLISHED", "REV", "TITLE")
	for _, p := range posts {
		t.add(p.PublicID, p.Channel, string(p.Kind), string(p.Status), d.at(p.VisibleAt), fmt.Sprint(p.Revision), clip(orDash(p.Content.Title), 60))
	}
	t.write(std.out)
	return nil
}

type postShowCmd struct {
	ID string `arg:"" help:"The post: its id, or the beginning of it."`
}

// Help is the long help.
func (*postShowCmd) Help() string {
	return `Example:

    belfry post show 8f21

Exit codes: 0 printed, 1 there is no such post, 2 the id is not clear.`
}

// Run prints one post.
func (c *postShowCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	p, err := d.post(ctx, c.ID)
	if err != nil {
		return err
	}
	out, err := d.fullPost(ctx, p)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	d.print("post %s %q", p.PublicID, plain(p.Content.Title))
	t := newTable()
	t.add("  channel", fmt.Sprintf("%s (%s, %s)", p.Channel, p.Kind, orDash(p.Content.Lang)))
	t.add("  published", d.at(p.VisibleAt))
	t.add("  status", d.statusSentence(p))
	if p.Content.Summary != "" {
		t.add("  text", clip(p.Content.Summary, 200))
	}
	if p.Content.URL != "" {
		t.add("  article", plain(p.Content.URL))
	}
	if out.Permalink != "" {
		t.add("  page", out.Permalink)
	}
	for _, it := range out.Items {
		t.add("  item", plain(it.Source+" "+it.Key))
	}
	t.write(std.out)
	d.print("\nrevisions:")
	for _, r := range out.Revisions {
		line := fmt.Sprintf("  %d  %s  %s", r.Number, d.at(r.At.Time), clip(orDash(r.Title), 70))
		if r.Note != "" {
			line += "  (" + plain(r.Note) + ")"
		}
		d.print("%s", line)
	}
	d.print("\ncopies: %s", copyCounts(out.Copies))
	d.printCopies(out.Copies)
	return nil
}

// fullPost is a post with everything that belongs to it.
func (d *desk) fullPost(ctx context.Context, p store.Post) (postJSON, error) {
	out := newPostJSON(p)
	out.Permalink = d.permalink(p)
	revisions, err := d.db.Revisions(ctx, p.ID)
	if err != nil {
		return out, err
	}
	for _, r := range revisions {
		out.Revisions = append(out.Revisions, revisionJSON{r.Number, stamp{r.At}, r.Content.Title, r.Content.Summary, r.Note})
	}
	if out.Items, err = d.db.PostItems(ctx, p.ID); err != nil {
		return out, err
	}
	out.Copies, err = d.copies(ctx, p.ID)
	return out, err
}

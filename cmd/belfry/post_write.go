package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

type postCreateCmd struct {
	Channel string `required:"" placeholder:"NAME" help:"The channel."`
	Text    string `placeholder:"TEXT" help:"The text, in Markdown; - reads standard input."`
	Title   string `placeholder:"TEXT" help:"The title; without it a short first paragraph becomes it."`
	Link    string `placeholder:"URL" help:"The article."`
	Image   string `placeholder:"FILE|URL" help:"A picture."`
	Alt     string `placeholder:"TEXT" help:"The picture in words, for those who do not see it."`
	Credit  string `placeholder:"TEXT" help:"Whose picture it is."`
	Lang    string `placeholder:"TAG" help:"The language; without it, the channel's."`
	At      string `placeholder:"TIME" help:"When it is published; without it, now."`
	Urgent  bool   `help:"Mark it as urgent."`
}

// Help is the long help.
func (*postCreateCmd) Help() string {
	return `The post goes the way of every other: the channel's page and feeds, and its destinations, with its templates. A blackout or
a pause holds it. HTML in the text is text.

Example:

    belfry post create --channel alertes --text "La gare est évacuée." --link https://news.example/gare
    belfry post create --channel alertes --title "Bonne année" --text - --at "2027-01-01 00:00" < voeux.md

Exit codes: 0 written, 1 it could not be written, 2 the command line cannot be used. With --json the post.`
}

// Run writes a post.
func (c *postCreateCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	ch, err := d.channel(c.Channel)
	if err != nil {
		return err
	}
	now := time.Now()
	at, err := parseTime(c.At, d.zone, now)
	if err != nil {
		return err
	}
	if at.Before(now.Add(-time.Minute)) {
		return unusable("--at %s is over", c.At)
	}
	draft := compose.Draft{Title: c.Title, Link: c.Link, Lang: c.Lang}
	if draft.Text, err = textOf(c.Text, std); err != nil {
		return err
	}
	if draft.Image, err = d.image(ctx, c.Image, c.Alt, c.Credit); err != nil {
		return err
	}
	content, err := ch.Write(draft, now)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("the post cannot be written: %w", err)}
	}
	id, err := d.db.CreatePost(ctx, ch.EditorPost(content, at, c.Urgent, now), nil, actor(), now)
	if err != nil {
		return err
	}
	p, err := d.db.PostByID(ctx, id)
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
	d.print("post %s %q", id, plain(content.Title))
	d.print("  goes to %s", strings.Join(places(out.Copies), ", "))
	blackout, drop, silenced := d.program().Silenced(c.Channel, content, at)
	switch {
	case silenced && drop:
		d.print("  the blackout %s will keep it from destinations", blackout)
	case silenced:
		d.print("  the blackout %s will hold it; post it all the same: belfry post release --channel %s", blackout, c.Channel)
	case at.After(now):
		d.print("  leaves %s", d.until(at))
	case !d.running():
		d.print("  the daemon is not running; it leaves when it starts")
	default:
		d.print("  leaves within a second; see: belfry why --post %s", id)
	}
	return nil
}

func places(copies []copyJSON) []string {
	out := []string{"its page"}
	for _, c := range copies {
		out = append(out, c.place())
	}
	return out
}

// textOf reads --text, which may mean standard input.
func textOf(text string, std streams) (string, error) {
	if text != "-" {
		return text, nil
	}
	b, err := readInput("-", std, sdk.MaxBodyText)
	return string(b), err
}

// image takes a picture in: it is processed as every picture is, kept in the data folder, and recorded.
func (d *desk) image(ctx context.Context, from, alt, credit string) (sdk.Media, error) {
	if from == "" {
		if alt != "" || credit != "" {
			return sdk.Media{}, unusable("--alt and --credit belong to a picture; give it with --image")
		}
		return sdk.Media{}, nil
	}
	data, err := d.pictureData(ctx, from)
	if err != nil {
		return sdk.Media{}, err
	}
	p, err := media.Process(data, media.Bounds{MaxBytes: d.cfg.Media.MaxBytes, MaxPixels: d.cfg.Media.MaxPixels, Width: d.cfg.Media.Width})
	if err != nil {
		return sdk.Media{}, unusable("the picture %s cannot be used: %w", from, err)
	}
	files, err := media.NewFiles(filepath.Join(d.dir, "media"))
	if err != nil {
		return sdk.Media{}, err
	}
	file, err := files.Put(p)
	if err != nil {
		return sdk.Media{}, fmt.Errorf("the picture %s cannot be stored: %w", from, err)
	}
	// Its address is known to this store alone, so that no reader and no fetch goes anywhere else.
	m := sdk.Media{URL: "belfry:" + file.SHA256, Type: file.Type, Alt: plain(alt), Credit: plain(credit), Width: file.Width, Height: file.Height}
	return m, d.db.PutImage(ctx, m.URL, file, time.Now())
}

// pictureData reads a picture from a file, or from an address under the guard.
func (d *desk) pictureData(ctx context.Context, from string) ([]byte, error) {
	if !isAddress(from) {
		return readInput(from, d.std, int64(d.cfg.Media.MaxBytes))
	}
	guard := sdk.Guard{Allow: d.cfg.Media.AllowPrivate}
	client := sdk.NewClient(sdk.ClientConfig{AllowPrivate: d.cfg.Media.AllowPrivate, UserAgent: app.UserAgent(version, d.cfg), MaxBody: int64(d.cfg.Media.MaxBytes) + 1})
	defer client.CloseIdle()
	address := from
	for range 6 {
		u, err := guard.CheckURL(address)
		if err != nil {
			return nil, unusable("the picture %s cannot be fetched: %s", from, sdk.AsError(err).Public)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, unusable("the picture %s cannot be fetched", from)
		}
		req.Header.Set("Accept", "image/jpeg, image/png, image/webp, image/gif;q=0.8, */*;q=0.1")
		a, err := client.Send(req, "image")
		if err != nil {
			return nil, fmt.Errorf("the picture %s cannot be fetched: %s", from, strings.TrimSuffix(sdk.AsError(err).Public, "; whether it arrived is not known"))
		}
		if location := a.Header.Get("Location"); a.Status >= 300 && a.Status < 400 && location != "" {
			next, err := url.Parse(location)
			if err != nil {
				return nil, fmt.Errorf("the picture %s leads nowhere", from)
			}
			address = u.ResolveReference(next).String()
			continue
		}
		if a.Status != http.StatusOK {
			return nil, fmt.Errorf("the picture %s cannot be fetched: its server answers %d", from, a.Status)
		}
		return a.Body, nil
	}
	return nil, fmt.Errorf("the picture %s leads on and on", from)
}

type postEditCmd struct {
	ID     string  `arg:"" help:"The post: its id, or the beginning of it."`
	Text   *string `placeholder:"TEXT" help:"Another text, in Markdown; - reads standard input."`
	Title  *string `placeholder:"TEXT" help:"Another title."`
	Link   *string `placeholder:"URL" help:"Another article; an empty text takes it away."`
	Image  *string `placeholder:"FILE|URL" help:"Another picture; an empty text takes it away."`
	Alt    *string `placeholder:"TEXT" help:"The picture in words."`
	Credit *string `placeholder:"TEXT" help:"Whose picture it is."`
	Note   *string `placeholder:"TEXT" help:"What is corrected, for readers."`
}

// Help is the long help.
func (*postEditCmd) Help() string {
	return `What is not given stays. Every copy follows by the channel's ladder (corrections:); where a platform can only be answered or
posted to anew, that needs a --note. The next revision from a source replaces what an editor changed about its item.

Example:

    belfry post edit 8f21 --text "La gare a rouvert." --note "La gare n’était pas évacuée mais fermée."

Exit codes: 0 written, 1 the post cannot be changed like that, 2 the command line cannot be used. With --json the post.`
}

// Run corrects a post.
func (c *postEditCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	change := compose.Redraft{Text: c.Text, Title: c.Title, Link: c.Link, Alt: c.Alt, Credit: c.Credit, Note: c.Note}
	if c.Text != nil {
		text, err := textOf(*c.Text, std)
		if err != nil {
			return err
		}
		change.Text = &text
	}
	if c.Image != nil {
		m, err := d.image(ctx, *c.Image, "", "")
		if err != nil {
			return err
		}
		change.Image = &m
	}
	var p store.Post
	for range 5 {
		if p, err = d.post(ctx, c.ID); err != nil {
			return err
		}
		content, err := change.Revise(p.Kind, p.Status, p.Content)
		if err != nil {
			return fmt.Errorf("post %s cannot be changed like that: %w", p.PublicID, err)
		}
		err = d.db.EditPost(ctx, p.ID, p.Revision, content, nil, actor(), time.Now())
		if errors.Is(err, compose.ErrConflict) {
			continue // somebody else changed it in between
		}
		if err != nil {
			return err
		}
		return c.tell(ctx, d, p)
	}
	return fmt.Errorf("post %s is being changed by somebody else all the time; try again", p.PublicID)
}

func (c *postEditCmd) tell(ctx context.Context, d *desk, before store.Post) error {
	p, err := d.db.PostByID(ctx, before.PublicID)
	if err != nil {
		return err
	}
	out, err := d.fullPost(ctx, p)
	if err != nil {
		return err
	}
	if d.json {
		return writeJSON(d.std.out, out)
	}
	d.print("post %s is at revision %d: %q", p.PublicID, p.Revision, plain(p.Content.Title))
	if p.Kind != compose.KindEditor {
		d.print("  the next revision from its source replaces this")
	}
	if len(out.Copies) > 0 {
		d.print("  %s; see how they follow: belfry why --post %s", copiesText(len(out.Copies)), p.PublicID)
	}
	if !d.running() {
		d.print("  the daemon is not running; copies follow when it starts")
	}
	return nil
}

func copiesText(n int) string {
	if n == 1 {
		return "1 copy follows"
	}
	return fmt.Sprintf("%d copies follow", n)
}

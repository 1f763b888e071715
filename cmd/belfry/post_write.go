package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
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
	return `The post goes the way of every other: the channel's page and feeds, and its destinations by their templates, where the text
is .Text or .Summary, with its markup; .Permalink, .URL with its campaign and .Hashtags are there too. A digest's template,
which lists .Items, has no place for a text: there the default template of single posts is used. A blackout or a pause
holds it. HTML in the text is text. An address that was retracted for good is refused.

Example:

    belfry post create --channel alertes --text "La gare est évacuée." --link https://news.example/gare
    belfry post create --channel alertes --title "Bonne année" --text - --at "2027-01-01 00:00" < voeux.md

Exit codes: 0 written, 1 it could not be written or leads to what was retracted for good, 2 the command line cannot be used. With --json the post.`
}

// Run writes a post.
func (c *postCreateCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if _, ok := d.Config.Channels[c.Channel]; !ok {
		return desk.UnknownName("channel", c.Channel, slices.Collect(maps.Keys(d.Config.Channels)))
	}
	now := time.Now()
	at, err := desk.ParseTime(c.At, d.Zone(), now)
	if err != nil {
		return err
	}
	if at.Before(now.Add(-time.Minute)) {
		return unusable("--at %s is in the past; it is %s now. Give a later time, or leave --at out to publish at once", c.At, d.At(now))
	}
	draft := compose.Draft{Title: c.Title, Link: c.Link, Lang: c.Lang}
	if draft.Text, err = textOf(c.Text, std); err != nil {
		return err
	}
	if draft.Image, err = d.picture(ctx, c.Image, c.Alt, c.Credit); err != nil {
		return err
	}
	out, err := d.Create(ctx, desk.NewPost{Channel: c.Channel, Draft: draft, At: at, Urgent: c.Urgent})
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	d.print("post %s %q", out.ID, desk.Plain(out.Title))
	d.print("  goes to %s", strings.Join(places(out.Copies, d.Config.Channels[c.Channel].Messages), ", "))
	program, err := d.Program(ctx)
	if err != nil {
		return err
	}
	blackout, drop, silenced := program.Silenced(c.Channel, out.Row.Content, at)
	switch {
	case silenced && drop:
		d.print("  the blackout %s will keep it from destinations", blackout)
	case silenced:
		d.print("  the blackout %s will hold it; post it all the same: belfry post release --channel %s", blackout, c.Channel)
	case at.After(now):
		d.print("  leaves %s", d.Until(at))
	case !d.Running():
		d.print("  the daemon is not running; it leaves when it starts")
	default:
		d.print("  leaves within a second; see: belfry why --post %s", out.ID)
	}
	return nil
}

// picture takes a picture in, from a file or an address.
func (d *clerk) picture(ctx context.Context, from, alt, credit string) (sdk.Media, error) {
	if from == "" {
		if alt != "" || credit != "" {
			return sdk.Media{}, unusable("--alt and --credit belong to a picture; give it with --image")
		}
		return sdk.Media{}, nil
	}
	var data []byte
	var err error
	if isAddress(from) {
		data, err = d.FetchPicture(ctx, from)
	} else {
		data, err = readInput(from, d.std, int64(d.Config.Media.MaxBytes))
	}
	if err != nil {
		return sdk.Media{}, err
	}
	return d.KeepPicture(ctx, from, data, alt, credit)
}

func places(copies []desk.Copy, messages []configs.Messages) []string {
	out := []string{"its page"}
	for _, c := range copies {
		out = append(out, c.Place())
	}
	for _, m := range messages {
		out = append(out, "followers by "+m.Destination)
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
posted to anew, that needs a --note. The next revision from a source replaces what an editor changed about its item. A
title that was taken from the text is taken from the new text; one that was given stays until --title gives another.

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
		m, err := d.picture(ctx, *c.Image, "", "")
		if err != nil {
			return err
		}
		change.Image = &m
	}
	out, err := d.Edit(ctx, c.ID, change)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	d.print("post %s is at revision %d: %q", out.ID, out.Revision, desk.Plain(out.Title))
	if c.Text != nil && c.Title == nil && !out.Row.Content.Derived {
		d.print("  its title stays as it is; change it with --title")
	}
	if out.Row.Kind != compose.KindEditor {
		d.print("  the next revision from its source replaces this")
	}
	if len(out.Copies) > 0 {
		d.print("  %s; see how they follow: belfry why --post %s", copiesText(len(out.Copies)), out.ID)
	}
	if !d.Running() {
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

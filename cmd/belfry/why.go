package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
)

type whyCmd struct {
	Item        string `xor:"what" required:"" placeholder:"KEY" help:"An item: its key, its address, or its number."`
	Post        string `xor:"what" required:"" placeholder:"ID" help:"A post: its id, or the beginning of it."`
	Source      string `placeholder:"NAME" help:"With --item: the source it comes from."`
	Channel     string `placeholder:"NAME" help:"With --item: only what this channel makes of it."`
	Destination string `placeholder:"NAME" help:"With --post: only what became of it there."`
}

// Help is the long help.
func (*whyCmd) Help() string {
	return `For an item: what the source said, and for each channel whether it waits (for what, until when), is used (in which post,
with its copies), or is left out, with the reason. For a post: what became of it on each destination.

Examples:

    belfry why --item https://news.example/gare --channel alertes
    belfry why --post 8f21 --destination telegram

Exit codes: 0 told, 1 nothing is known of it, 2 the command line cannot be used. With --json: a list of items, or a post.`
}

type whyItem struct {
	Number    int64        `json:"number"`
	Source    string       `json:"source"`
	Key       string       `json:"key"`
	Title     string       `json:"title"`
	URL       string       `json:"url"`
	State     string       `json:"state"`
	Sentence  string       `json:"sentence"`
	Revision  int          `json:"revision"`
	Baseline  bool         `json:"baseline"`
	Seen      stamp        `json:"seen"`
	Published stamp        `json:"published"`
	NotBefore stamp        `json:"not_before"`
	Channels  []whyChannel `json:"channels"`
}

type whyChannel struct {
	Channel string `json:"channel"`
	// State is waiting, used, left_out, held or not_taken.
	State    string     `json:"state"`
	Reason   string     `json:"reason"`
	Detail   string     `json:"detail"`
	Sentence string     `json:"sentence"`
	For      string     `json:"for"`
	Until    stamp      `json:"until"`
	Expected stamp      `json:"expected"`
	Post     string     `json:"post"`
	Copies   []copyJSON `json:"copies"`
}

// Run tells why.
func (c *whyCmd) Run(ctx context.Context, g *global, std streams) error {
	switch {
	case c.Post != "" && (c.Source != "" || c.Channel != ""):
		return unusable("--source and --channel belong to --item")
	case c.Item != "" && c.Destination != "":
		return unusable("--destination belongs to --post")
	}
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	if c.Channel != "" {
		if _, ok := d.cfg.Channels[c.Channel]; !ok {
			return unknownName("channel", c.Channel, slices.Collect(maps.Keys(d.cfg.Channels)))
		}
	}
	if c.Post != "" {
		return c.post(ctx, d)
	}
	return c.item(ctx, d)
}

func (c *whyCmd) post(ctx context.Context, d *desk) error {
	p, err := d.post(ctx, c.Post)
	if err != nil {
		return err
	}
	copies, err := d.copies(ctx, p.ID)
	if err != nil {
		return err
	}
	if c.Destination != "" {
		copies = slices.DeleteFunc(copies, func(x copyJSON) bool { return x.Destination != c.Destination })
		if len(copies) == 0 {
			return fmt.Errorf("post %s was never meant for destination %s", p.PublicID, c.Destination)
		}
	}
	out := newPostJSON(p)
	out.Copies = copies
	if d.json {
		return writeJSON(d.std.out, out)
	}
	d.print("post %s %q (%s, %s): %s", p.PublicID, plain(p.Content.Title), p.Channel, d.postTime(p), copyCounts(copies))
	if p.Status != compose.PostLive {
		d.print("  %s", d.statusSentence(p))
	}
	d.printCopies(copies)
	return nil
}

func (c *whyCmd) item(ctx context.Context, d *desk) error {
	if c.Source != "" {
		if _, ok := d.cfg.Sources[c.Source]; !ok {
			return unknownName("source", c.Source, slices.Collect(maps.Keys(d.cfg.Sources)))
		}
	}
	found, err := d.db.FindItem(ctx, c.Source, c.Item)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no item %q is known%s; see what a source brings: belfry source list, belfry try", c.Item, inSource(c.Source))
	}
	program := d.program()
	rows, _, err := d.rows(ctx, program, d.now.Add(lookAhead))
	if err != nil {
		return err
	}
	ahead := program.LookAhead(rows, d.now, d.now.Add(lookAhead))
	out := []whyItem{}
	for _, it := range found {
		w, err := c.explain(ctx, d, it, program, rows, ahead)
		if err != nil {
			return err
		}
		out = append(out, w)
	}
	if d.json {
		return writeJSON(d.std.out, out)
	}
	for i, w := range out {
		if i > 0 {
			d.print("")
		}
		w.print(d)
	}
	return nil
}

// lookAhead is how far ahead a waiting item's post is looked for.
const lookAhead = 7 * 24 * time.Hour

func inSource(name string) string {
	if name == "" {
		return ""
	}
	return " of source " + name
}

func (c *whyCmd) explain(ctx context.Context, d *desk, it store.ItemRow, program *compose.Program, rows compose.Rows, ahead compose.Forecast) (whyItem, error) {
	w := whyItem{Number: it.ID, Source: it.Source, Key: it.Key, Title: it.Title, URL: it.URL, State: it.State, Revision: it.Revision, Baseline: it.Baseline,
		Seen: stamp{it.SeenAt}, Published: stamp{it.Published}, NotBefore: stamp{it.NotBefore}, Sentence: d.itemSentence(it), Channels: []whyChannel{}}
	in := map[string]compose.Membership{}
	for _, m := range it.In {
		in[m.Channel] = m
	}
	for _, name := range slices.Sorted(maps.Keys(program.Channels)) {
		if c.Channel != "" && c.Channel != name {
			continue
		}
		m, has := in[name]
		takes := slices.Contains(program.Channels[name].Config.Sources, it.Source)
		if !has && !takes && c.Channel == "" {
			continue
		}
		x := whyChannel{Channel: name, State: string(m.State), Reason: string(m.Reason), Detail: m.Detail, Copies: []copyJSON{}}
		switch {
		case !has && !takes:
			x.State, x.Sentence = "not_taken", "it takes nothing from source "+it.Source
		case !has:
			x.State, x.Sentence = "not_taken", d.notTaken(it)
		case m.State == compose.StateUsed:
			if err := x.used(ctx, d, m); err != nil {
				return w, err
			}
		case m.State == compose.StateWaiting:
			x.waits(d, it, program.Channels[name], rows, ahead)
		case m.State == compose.StateHeld:
			x.Sentence = fmt.Sprintf("held: %s; post it: belfry post release --channel %s", reasonSentence(m.Reason, m.Detail), name)
		default:
			x.Sentence = "left out: " + reasonSentence(m.Reason, m.Detail)
		}
		w.Channels = append(w.Channels, x)
	}
	return w, nil
}

// notTaken says why a channel has not looked at an item.
func (d *desk) notTaken(it store.ItemRow) string {
	switch {
	case it.State == string(intake.Held):
		return "nothing is decided while the item is held"
	case it.State == string(intake.Removed):
		return "it was withdrawn before the channel looked at it"
	case it.Unseen && !d.running():
		return "the channel looks at it when the daemon runs"
	case it.Unseen:
		return "the channel looks at it within a second"
	}
	return "the channel did not take from this source when it came"
}

func (d *desk) itemSentence(it store.ItemRow) string {
	switch intake.ItemState(it.State) {
	case intake.Held:
		return fmt.Sprintf("held: %s; post it: belfry source release %s", plain(it.Hold), it.Source)
	case intake.Removed:
		return "withdrawn: " + plain(orDash(it.Reason))
	case intake.Blocked:
		return "retracted for good: " + plain(orDash(it.Reason))
	}
	if it.NotBefore.After(d.now) {
		return "under embargo until " + d.at(it.NotBefore)
	}
	if it.Baseline {
		return "known since the source's first fetch"
	}
	return "live"
}

func (x *whyChannel) used(ctx context.Context, d *desk, m compose.Membership) error {
	public, err := d.db.PostPublicID(ctx, m.Post)
	if errors.Is(err, store.ErrNotFound) {
		x.Sentence = "used in a post that is gone"
		return nil
	}
	if err != nil {
		return err
	}
	p, err := d.db.PostByID(ctx, public)
	if err != nil {
		return err
	}
	if x.Copies, err = d.copies(ctx, m.Post); err != nil {
		return err
	}
	x.Post = public
	x.Sentence = fmt.Sprintf("in post %s (%s): %s", public, d.postTime(p), copyCounts(x.Copies))
	if p.Status != compose.PostLive {
		x.Sentence += "; " + d.statusSentence(p)
	}
	return nil
}

// waits says what an item waits for, and when it is likely to be posted.
func (x *whyChannel) waits(d *desk, it store.ItemRow, ch *compose.Channel, rows compose.Rows, ahead compose.Forecast) {
	x.For, x.Until = "its turn", stamp{}
	_, all := rows.Paused[""]
	_, one := rows.Paused[ch.Name]
	switch {
	case all || one:
		x.For = "the channel is paused"
	case ch.Config.Digest != nil:
		x.For = "the next digest"
	case ch.Config.Each != nil:
		now := ch.DecideEach(d.zone, d.cfg.Media.Timeout.Std(), rows.Waiting[ch.Name], rows.Recent[ch.Name], d.now)
		for _, w := range now.Why {
			if w.Item == it.ID {
				x.For, x.Until = w.For, stamp{w.Until}
			}
		}
	}
	for _, p := range ahead.Posts {
		if p.Channel == ch.Name && x.Expected.IsZero() && slices.ContainsFunc(p.Items, func(w compose.Waiting) bool { return w.Item == it.ID }) {
			x.Expected = stamp{p.At}
		}
	}
	x.Sentence = "waits for " + x.For
	if x.For == "the channel is paused" {
		x.Sentence = "waits: the channel is paused; belfry resume channel " + ch.Name
	}
	if !x.Until.IsZero() {
		x.Sentence += ", " + d.until(x.Until.Time)
	}
	if !x.Expected.IsZero() && x.Expected.After(x.Until.Time) {
		x.Sentence += "; likely posted " + d.until(x.Expected.Time)
	}
	for _, o := range ahead.Out {
		if o.Channel == ch.Name && o.Item == it.ID {
			x.Sentence += fmt.Sprintf("; unless something changes, %s: %s", d.until(o.At), reasonSentence(o.Reason, o.Detail))
		}
	}
	if !d.running() {
		x.Sentence += "; the daemon is not running"
	}
}

func (w *whyItem) print(d *desk) {
	d.print("item %q (%s, seen %s, revision %d): %s", plain(w.Title), w.Source, d.at(w.Seen.Time), w.Revision, w.Sentence)
	d.print("  %s", strings.TrimSpace(plain(w.Key)+"  "+strings.TrimPrefix(plain(w.URL), plain(w.Key))))
	if len(w.Channels) == 0 {
		d.print("  no channel takes items from source %s", w.Source)
	}
	for _, x := range w.Channels {
		d.print("  %s: %s", x.Channel, x.Sentence)
		for _, c := range x.Copies {
			d.print("    %s: %s", c.place(), strings.TrimSpace(c.Sentence+" "+strings.Join(c.URLs, " ")))
		}
	}
}

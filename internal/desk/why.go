package desk

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

// WhyItem is an item with what became of it in each channel. State is live, held, removed or blocked.
type WhyItem struct {
	Number    int64        `json:"number"`
	Source    string       `json:"source"`
	Key       string       `json:"key"`
	Title     string       `json:"title"`
	URL       string       `json:"url"`
	State     string       `json:"state"`
	Sentence  string       `json:"sentence"`
	Revision  int          `json:"revision"`
	Baseline  bool         `json:"baseline"`
	Seen      Stamp        `json:"seen"`
	Published Stamp        `json:"published"`
	NotBefore Stamp        `json:"not_before"`
	Channels  []WhyChannel `json:"channels"`
}

// WhyChannel is what a channel makes of an item.
type WhyChannel struct {
	Channel string `json:"channel"`
	// State is waiting, used, left_out, held or not_taken.
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Detail   string `json:"detail"`
	Sentence string `json:"sentence"`
	For      string `json:"for"`
	Until    Stamp  `json:"until"`
	Expected Stamp  `json:"expected"`
	Post     string `json:"post"`
	Copies   []Copy `json:"copies"`
	// NotTo are the places of the channel that the item does not go to.
	NotTo []WhyNotTo `json:"not_to"`
}

// WhyNotTo is a place of a channel whose own where: does not hold for an item, or failed for it.
type WhyNotTo struct {
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
	Where       string `json:"where"`
	// Failed says how the where: failed; the item's copy there is held. Empty when it works.
	Failed string `json:"failed,omitempty"`
}

// Place names it.
func (n *WhyNotTo) Place() string { return strings.TrimSpace(n.Destination + " " + n.Chat) }

// Sentence says why the item does not go there.
func (n *WhyNotTo) Sentence() string {
	if n.Failed != "" {
		return fmt.Sprintf("its copy will be held: the where: of this place failed for it (%s)", n.Failed)
	}
	return fmt.Sprintf("left out: the where: of this place does not hold for it (%s)", Plain(n.Where))
}

// WhyItem tells why an item is, or is not, where it should be: by its key, its address or its number; of all sources when
// the source is empty, and of all channels when the channel is.
func (d *Desk) WhyItem(ctx context.Context, item, source, channel string) ([]WhyItem, error) {
	if channel != "" {
		if _, ok := d.Config.Channels[channel]; !ok {
			return nil, UnknownName("channel", channel, slices.Collect(maps.Keys(d.Config.Channels)))
		}
	}
	if source != "" {
		if _, ok := d.Config.Sources[source]; !ok {
			return nil, UnknownName("source", source, slices.Collect(maps.Keys(d.Config.Sources)))
		}
	}
	found, err := d.Store.FindItem(ctx, source, item)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		blocked, err := d.blockedName(ctx, source, item)
		if err != nil {
			return nil, err
		}
		if blocked == "" {
			return nil, errorf(Missing, "no item %q is known%s; see what a source brings: belfry source list, belfry try", item, inSource(source))
		}
		return []WhyItem{{Source: source, Key: item, State: string(intake.Blocked), Channels: []WhyChannel{},
			Sentence: "blocked by the retraction of " + blocked + "; nothing that comes under it is taken"}}, nil
	}
	program, err := d.Program(ctx)
	if err != nil {
		return nil, err
	}
	rows, _, err := d.rows(ctx, program, d.Now.Add(lookAhead))
	if err != nil {
		return nil, err
	}
	ahead := program.LookAhead(rows, compose.Span{Now: d.Now, From: d.Now, Until: d.Now.Add(lookAhead)})
	out := []WhyItem{}
	for _, it := range found {
		w, err := d.explain(ctx, it, channel, program, rows, ahead)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// lookAhead is how far ahead a waiting item's post is looked for.
const lookAhead = 7 * 24 * time.Hour

func inSource(name string) string {
	if name == "" {
		return ""
	}
	return " of source " + name
}

func (d *Desk) explain(ctx context.Context, it store.ItemRow, channel string, program *compose.Program, rows compose.Rows, ahead compose.Forecast) (WhyItem, error) {
	w := WhyItem{Number: it.ID, Source: it.Source, Key: it.Key, Title: it.Title, URL: it.URL, State: it.State, Revision: it.Revision, Baseline: it.Baseline,
		Seen: Stamp{it.SeenAt}, Published: Stamp{it.Published}, NotBefore: Stamp{it.NotBefore}, Sentence: d.itemSentence(it), Channels: []WhyChannel{}}
	if intake.ItemState(it.State) == intake.Blocked {
		blocked, err := d.blockedName(ctx, it.Source, it.Key)
		if err != nil {
			return w, err
		}
		if blocked != "" {
			w.Sentence = "retracted for good on " + blocked
		}
	}
	in := map[string]compose.Membership{}
	for _, m := range it.In {
		in[m.Channel] = m
	}
	for _, name := range slices.Sorted(maps.Keys(program.Channels)) {
		if channel != "" && channel != name {
			continue
		}
		m, has := in[name]
		takes := slices.Contains(program.Channels[name].Config.Sources, it.Source)
		if !has && !takes && channel == "" {
			continue
		}
		x := WhyChannel{Channel: name, State: string(m.State), Reason: string(m.Reason), Detail: m.Detail, Copies: []Copy{}, NotTo: []WhyNotTo{}}
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
			x.waits(d, it, program, rows, ahead)
		case m.State == compose.StateHeld:
			x.Sentence = fmt.Sprintf("held: %s; post it: belfry post release --channel %s", reasonSentence(m.Reason, m.Detail), name)
		default:
			x.Sentence = "left out: " + reasonSentence(m.Reason, m.Detail)
		}
		if m.State == compose.StateUsed || m.State == compose.StateWaiting {
			x.notTo(program.Channels[name], it)
		}
		w.Channels = append(w.Channels, x)
	}
	return w, nil
}

// notTaken says why a channel has not looked at an item.
func (d *Desk) notTaken(it store.ItemRow) string {
	switch {
	case it.State == string(intake.Held):
		return "nothing is decided while the item is held"
	case it.State == string(intake.Removed):
		return "it was withdrawn before the channel looked at it"
	case it.Unseen && !d.Running():
		return "the channel looks at it when the daemon runs"
	case it.Unseen:
		return "the channel looks at it within a second"
	}
	return "the channel did not take from this source when it came"
}

// blockedName gives the date of the retraction that blocks a key or an address, with its reason; empty when none does.
func (d *Desk) blockedName(ctx context.Context, source, name string) (string, error) {
	err := d.Store.BlockedName(ctx, source, name)
	if b, ok := errors.AsType[*store.BlockedError](err); ok {
		return fmt.Sprintf("%s (%s)", b.At.In(d.Zone()).Format(time.DateOnly), Plain(OrDash(b.Reason))), nil
	}
	return "", err
}

// heldSentence says why the flood brake holds an item.
func heldSentence(note, source string) string {
	return fmt.Sprintf("held: %s; post it: belfry source release %s", Plain(note), source)
}

func (d *Desk) itemSentence(it store.ItemRow) string {
	switch intake.ItemState(it.State) {
	case intake.Held:
		return heldSentence(it.Hold, it.Source)
	case intake.Removed:
		return "withdrawn: " + Plain(OrDash(it.Reason))
	case intake.Blocked:
		return "retracted for good: " + Plain(OrDash(it.Reason))
	}
	if it.NotBefore.After(d.Now) {
		return "under embargo until " + d.At(it.NotBefore)
	}
	if it.Baseline {
		return "known since the source's first fetch"
	}
	return "live"
}

// notTo notes the places that the item does not go to; one where it is nevertheless, with others in a digest or by the
// configuration of then, is among the copies.
func (x *WhyChannel) notTo(ch *compose.Channel, it store.ItemRow) {
	for _, e := range ch.NotFor(compose.View(it.Source, it.Content)) {
		if !slices.ContainsFunc(x.Copies, func(c Copy) bool { return c.Destination == e.Destination && c.Chat == e.Chat }) {
			n := WhyNotTo{Destination: e.Destination, Chat: e.Chat, Where: e.Where}
			if e.Failed != nil {
				n.Failed = e.Failed.Error()
			}
			x.NotTo = append(x.NotTo, n)
		}
	}
}

func (x *WhyChannel) used(ctx context.Context, d *Desk, m compose.Membership) error {
	public, err := d.Store.PostPublicID(ctx, m.Post)
	if errors.Is(err, store.ErrNotFound) {
		x.Sentence = "used in a post that is gone"
		return nil
	}
	if err != nil {
		return err
	}
	p, err := d.Store.PostByID(ctx, public)
	if err != nil {
		return err
	}
	if x.Copies, err = d.copies(ctx, m.Post); err != nil {
		return err
	}
	x.Post = public
	x.Sentence = fmt.Sprintf("in post %s (%s): %s", public, d.PostTime(p), CopyCounts(x.Copies))
	if p.Status != compose.PostLive {
		x.Sentence += "; " + d.StatusSentence(p)
	}
	lost, err := d.lost(ctx, p.Content.Images())
	for _, why := range lost {
		x.Sentence += "; without its image: " + Plain(why)
	}
	return err
}

// waits says what an item waits for, and when it is likely to be posted.
func (x *WhyChannel) waits(d *Desk, it store.ItemRow, program *compose.Program, rows compose.Rows, ahead compose.Forecast) {
	x.For, x.Until = "its turn", Stamp{}
	ch := program.Channels[x.Channel]
	waiting := rows.Waiting[ch.Name]
	pause := rows.Pause(ch.Name)
	switch {
	case pause != "":
		x.For = pause
	case ch.Config.Digest != nil:
		if i := slices.IndexFunc(waiting, func(w compose.Waiting) bool { return w.Item == it.ID }); i >= 0 {
			var until time.Time
			x.For, until = program.WaitForDigest(rows, ch.Name, waiting[i], d.Now)
			x.Until = Stamp{until}
		}
	case ch.Config.Each != nil:
		now := ch.DecideEach(d.Zone(), d.Config.Media.Timeout.Std(), waiting, rows.Recent[ch.Name], d.Now)
		for _, w := range now.Why {
			if w.Item == it.ID {
				x.For, x.Until = w.For, Stamp{w.Until}
			}
		}
	}
	for _, p := range ahead.Posts {
		if p.Channel == ch.Name && x.Expected.IsZero() && slices.ContainsFunc(p.Items, func(w compose.Waiting) bool { return w.Item == it.ID }) {
			x.Expected = Stamp{p.At}
		}
	}
	x.Sentence = "waits for " + x.For
	switch x.For {
	case compose.AllPaused:
		x.Sentence = "waits: everything is paused; belfry resume all"
	case compose.ChannelPaused:
		x.Sentence = "waits: the channel is paused; belfry resume channel " + ch.Name
	}
	if !x.Until.IsZero() {
		x.Sentence += ", " + d.Until(x.Until.Time)
	}
	if !x.Expected.IsZero() && x.Expected.After(x.Until.Time) {
		x.Sentence += "; likely posted " + d.Until(x.Expected.Time)
	}
	for _, o := range ahead.Out {
		if o.Channel == ch.Name && o.Item == it.ID {
			x.Sentence += fmt.Sprintf("; unless something changes, %s: %s", d.Until(o.At), reasonSentence(o.Reason, o.Detail))
		}
	}
	if !d.Running() {
		x.Sentence += "; the daemon is not running"
	}
}

// reasonSentence says in words why a channel does not use an item.
func reasonSentence(r compose.Reason, detail string) string {
	with := func(s string) string {
		if detail == "" {
			return s
		}
		return s + " (" + Plain(detail) + ")"
	}
	switch r {
	case compose.ReasonBaseline:
		return "it was there at the source's first fetch, and baseline: does not ask for it"
	case compose.ReasonBefore:
		return "it is older than the channel"
	case compose.ReasonWhere:
		return with("the channel's where: does not hold for it")
	case compose.ReasonDuplicate:
		return with("another source brought the same article first")
	case compose.ReasonMaxAge:
		return with("it waited longer than max_age")
	case compose.ReasonExpired:
		return with("it lost its meaning before it could be used")
	case compose.ReasonWithdrawn:
		return "it was withdrawn before it was used"
	case compose.ReasonBlocked:
		return "an editor retracted it for good"
	case compose.ReasonBlackout:
		return with("a blackout silenced it")
	case compose.ReasonRestored:
		return "the store came from a backup, and it may have been posted since"
	case compose.ReasonDropped:
		return "a person dropped what was held"
	case compose.ReasonFailed:
		return with("no post could be made of it")
	case compose.ReasonWhereFailed:
		return with("the channel's where: failed for it")
	case "":
		return "it is not known why"
	}
	return with(strings.ReplaceAll(string(r), "_", " "))
}

package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

// Plan is what will happen between two times. Items are named by source and key.
type Plan struct {
	From   Stamp `json:"from"`
	Until  Stamp `json:"until"`
	Store  bool  `json:"store"`
	Daemon bool  `json:"daemon"`
	// Changes are what the configuration changes about the running one; null when that was not asked for.
	Changes     []configs.Change  `json:"changes"`
	NeedRestart []string          `json:"need_restart"`
	Posts       []PlannedPost     `json:"posts"`
	LeftOut     []PlannedOut      `json:"left_out"`
	Waiting     []PlannedWait     `json:"waiting"`
	Deliveries  []PlannedDelivery `json:"deliveries"`
	// FirstOnly are the sources that brought nothing since their first fetch, of which nothing is posted.
	FirstOnly []PlannedFirst `json:"first_only"`
	// More says that there is more than is listed.
	More bool `json:"more"`
}

// PlannedFirst is a source whose items, so many, were all there at its first fetch.
type PlannedFirst struct {
	Source string `json:"source"`
	Items  int    `json:"items"`
}

// PlannedPost is a post to come, or a digest that will not be posted.
type PlannedPost struct {
	At      Stamp           `json:"at"`
	Local   string          `json:"local"`
	Channel string          `json:"channel"`
	Kind    string          `json:"kind"`
	Title   string          `json:"title"`
	Post    string          `json:"post,omitempty"`
	Due     Stamp           `json:"due"`
	Shift   string          `json:"shift,omitempty"`
	Late    bool            `json:"late"`
	Items   []PlannedItem   `json:"items"`
	To      []PlannedTarget `json:"to"`
	// Missed says that the time of a digest was or will be missed.
	Missed bool `json:"missed"`
	// Note says why nothing is posted: an empty or missed digest, a blackout, a pause.
	Note string `json:"note"`
}

// PlannedItem names an item.
type PlannedItem struct {
	Source string `json:"source"`
	Key    string `json:"key"`
	Title  string `json:"title"`
}

// PlannedTarget is where a post goes besides its page.
type PlannedTarget struct {
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
}

// PlannedOut is an item that a channel leaves out, or that a blackout holds; or, with an empty Channel, one that the flood
// brake of its source holds before any channel looks at it.
type PlannedOut struct {
	Channel string `json:"channel"`
	PlannedItem
	// State is left_out, or held for what a blackout or the flood brake keeps; Future says that it is so only from At on.
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Detail   string `json:"detail"`
	Sentence string `json:"sentence"`
	At       Stamp  `json:"at"`
	Future   bool   `json:"future"`
}

// PlannedWait is an item that still waits at the end.
type PlannedWait struct {
	Channel string `json:"channel"`
	PlannedItem
	For   string `json:"for"`
	Until Stamp  `json:"until"`
}

// PlannedDelivery is a delivery that has not ended.
type PlannedDelivery struct {
	ID          int64  `json:"id"`
	Post        string `json:"post"`
	Channel     string `json:"channel"`
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
	Title       string `json:"title"`
	State       string `json:"state"`
	Next        Stamp  `json:"next"`
	Error       string `json:"error"`
}

// Plan plays the decisions of every channel forward over the rows as they stand, from now on, and tells what falls between
// two times. Nothing is changed.
func (d *Desk) Plan(ctx context.Context, from, until time.Time) (*Plan, error) {
	p := &Plan{From: Stamp{from}, Until: Stamp{until}, Store: d.Store != nil, Daemon: d.Running(), NeedRestart: []string{},
		Posts: []PlannedPost{}, LeftOut: []PlannedOut{}, Waiting: []PlannedWait{}, Deliveries: []PlannedDelivery{}, FirstOnly: []PlannedFirst{}}
	return p, p.lookAhead(ctx, d)
}

func (p *Plan) lookAhead(ctx context.Context, d *Desk) error {
	program, err := d.Program(ctx)
	if err != nil {
		return err
	}
	rows, public, err := d.rows(ctx, program, p.Until.Time)
	if err != nil {
		return err
	}
	// What happens until From decides what is left at From.
	f := program.LookAhead(rows, compose.Span{Now: d.Now, From: p.From.Time, Until: p.Until.Time})
	p.More = f.More
	for _, post := range f.Posts {
		p.Posts = append(p.Posts, d.planned(post, public))
	}
	for _, o := range f.Out {
		state := compose.StateLeftOut
		if o.Hold {
			state = compose.StateHeld
		}
		p.LeftOut = append(p.LeftOut, PlannedOut{Channel: o.Channel, PlannedItem: itemOf(o.Waiting), State: string(state), Reason: string(o.Reason),
			Detail: o.Detail, Sentence: reasonSentence(o.Reason, o.Detail), At: Stamp{o.At}, Future: true})
	}
	for _, w := range f.Waiting {
		p.Waiting = append(p.Waiting, PlannedWait{Channel: w.Channel, PlannedItem: itemOf(w.Waiting), For: w.For, Until: Stamp{w.Until}})
	}
	if d.Store == nil {
		return nil
	}
	for _, read := range []func(context.Context, *Desk) error{p.heldAtSources, p.leftOutBefore} {
		if err := read(ctx, d); err != nil {
			return err
		}
	}
	return p.openDeliveries(ctx, d)
}

// recentlyOut is how far back items are listed that were left out, and mostOut how many.
const (
	recentlyOut = 7 * 24 * time.Hour
	mostOut     = 500
)

// heldAtSources lists what the flood brakes hold, and the sources that brought nothing since their first fetch.
func (p *Plan) heldAtSources(ctx context.Context, d *Desk) error {
	sources, err := d.Sources(ctx)
	if err != nil {
		return err
	}
	for _, s := range sources {
		if s.FirstOnly() {
			p.FirstOnly = append(p.FirstOnly, PlannedFirst{s.Name, s.Baseline})
		}
		for _, h := range s.Holds {
			if h.Kind == string(intake.HoldRemoval) {
				continue // what is held there is a withdrawal
			}
			for _, it := range h.Items {
				p.LeftOut = append(p.LeftOut, PlannedOut{PlannedItem: PlannedItem{s.Name, it.Key, it.Title}, State: string(compose.StateHeld), Reason: h.Kind, Detail: h.Note,
					Sentence: heldSentence(h.Note, s.Name), At: h.At})
			}
		}
	}
	return nil
}

// former are the names that channels had before and that the store still knows them by.
func (d *Desk) former() map[string]string {
	out := map[string]string{}
	for name, ch := range d.Config.Channels {
		if _, again := d.Config.Channels[ch.Was]; ch.Was != "" && !again {
			out[ch.Was] = name
		}
	}
	return out
}

func (p *Plan) leftOutBefore(ctx context.Context, d *Desk) error {
	list, err := d.Store.NotUsed(ctx, "", d.Now.Add(-recentlyOut), mostOut+1)
	if err != nil {
		return err
	}
	if len(list) > mostOut {
		list, p.More = list[:mostOut], true
	}
	former := d.former()
	for _, n := range list {
		if name, renamed := former[n.Channel]; renamed {
			n.Channel = name
		}
		if _, ok := d.Config.Channels[n.Channel]; !ok {
			continue
		}
		p.LeftOut = append(p.LeftOut, notUsed(n))
	}
	return nil
}

func notUsed(n store.NotUsed) PlannedOut {
	return PlannedOut{Channel: n.Channel, PlannedItem: PlannedItem{n.Source, n.Key, n.Title}, State: string(n.State), Reason: string(n.Reason), Detail: n.Detail,
		Sentence: reasonSentence(n.Reason, n.Detail), At: Stamp{n.Since}}
}

// HeldItems are the newest items that a blackout holds before they become posts of a channel, or of any when it is empty.
func (d *Desk) HeldItems(ctx context.Context, channel string, limit int) ([]PlannedOut, error) {
	list, err := d.Store.HeldItems(ctx, channel, limit)
	out := []PlannedOut{}
	for _, n := range list {
		out = append(out, notUsed(n))
	}
	return out, err
}

func (p *Plan) openDeliveries(ctx context.Context, d *Desk) error {
	for _, state := range []outbox.State{outbox.Pending, outbox.Started, outbox.Unknown, outbox.Held, outbox.AwaitingPerson} {
		list, err := d.Store.Deliveries(ctx, store.DeliveryFilter{State: string(state), Limit: mostOut})
		if err != nil {
			return err
		}
		p.More = p.More || len(list) == mostOut
		for _, x := range list {
			next := x.NextAt
			if state != outbox.Pending {
				next = time.Time{}
			}
			p.Deliveries = append(p.Deliveries, PlannedDelivery{x.ID, x.Post, x.Channel, x.Destination, x.Chat, x.Title, string(x.State), Stamp{next}, x.Error})
		}
	}
	return nil
}

func itemOf(w compose.Waiting) PlannedItem {
	return PlannedItem{w.Source, w.Content.Key, w.Content.Title}
}

// rows reads what a look ahead starts from, and the public ids of posts that exist already. Without a store there is
// nothing.
func (d *Desk) rows(ctx context.Context, program *compose.Program, until time.Time) (compose.Rows, map[int64]string, error) {
	rows := compose.Rows{Waiting: map[string][]compose.Waiting{}, Recent: map[string]compose.Recent{}}
	public := map[int64]string{}
	if d.Store == nil {
		return rows, public, nil
	}
	fresh, err := d.unseen(ctx, program)
	if err != nil {
		return rows, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(program.Channels)) {
		for _, known := range d.known(name) {
			if err := d.channelRows(ctx, &rows, program, name, known); err != nil {
				return rows, nil, err
			}
		}
		rows.Waiting[name] = append(rows.Waiting[name], fresh[name]...)
	}
	if rows.Scheduled, err = d.Store.DuePosts(ctx, until); err != nil {
		return rows, nil, err
	}
	for _, s := range rows.Scheduled {
		if public[s.Post], err = d.Store.PostPublicID(ctx, s.Post); err != nil {
			return rows, nil, err
		}
	}
	for was, name := range d.former() {
		for i := range rows.Scheduled {
			if rows.Scheduled[i].Channel == was {
				rows.Scheduled[i].Channel = name
			}
		}
	}
	err = d.timetable(ctx, program, &rows)
	return rows, public, err
}

// known are the names by which the store may know a channel.
func (d *Desk) known(channel string) []string {
	names := []string{channel}
	for was, name := range d.former() {
		if name == channel {
			names = append(names, was)
		}
	}
	return names
}

// timetable reads what says when digests are made: how far schedules were looked at, and what is paused.
func (d *Desk) timetable(ctx context.Context, program *compose.Program, rows *compose.Rows) (err error) {
	rows.Schedules = map[string]compose.ScheduleState{}
	for name, ch := range program.Channels {
		if ch.Config.Digest == nil {
			continue
		}
		for _, known := range d.known(name) {
			schedule, err := d.Store.Schedule(ctx, (&compose.Channel{Name: known}).ScheduleName())
			if err != nil {
				return err
			}
			if schedule.CheckedUntil.After(rows.Schedules[name].CheckedUntil) {
				rows.Schedules[name] = schedule
			}
		}
	}
	if rows.Paused, err = d.Store.PausedChannels(ctx); err != nil {
		return err
	}
	for was, name := range d.former() {
		if since, paused := rows.Paused[was]; paused {
			rows.Paused[name] = since
		}
	}
	return nil
}

// channelRows adds what the store has of a channel by one of its names.
func (d *Desk) channelRows(ctx context.Context, rows *compose.Rows, program *compose.Program, name, known string) error {
	waiting, err := d.Store.WaitingItems(ctx, known)
	if err != nil {
		return err
	}
	rows.Waiting[name] = append(rows.Waiting[name], waiting...)
	most := 0
	if each := d.Config.Channels[name].Each; each != nil {
		most = each.Pace.PerDay
	}
	recent, err := d.Store.RecentPosts(ctx, known, program.DayStart(d.Now), most)
	if err != nil {
		return err
	}
	if sum := rows.Recent[name]; recent.Last.After(sum.Last) || recent.Today > 0 {
		rows.Recent[name] = compose.Recent{Last: later(sum.Last, recent.Last), Today: sum.Today + recent.Today}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// unseen are items that channels will take up at the daemon's next look.
func (d *Desk) unseen(ctx context.Context, program *compose.Program) (map[string][]compose.Waiting, error) {
	out := map[string][]compose.Waiting{}
	changed, err := d.Store.ChangedItems(ctx, 2000)
	if err != nil || len(changed) == 0 {
		return out, err
	}
	since, err := d.Store.ChannelsSince(ctx)
	if err != nil {
		return out, err
	}
	former := d.former()
	for was, name := range former {
		if at, known := since[was]; known {
			since[name] = at
		}
	}
	for _, it := range changed {
		for i, m := range it.In {
			if name, renamed := former[m.Channel]; renamed {
				it.In[i].Channel = name
			}
		}
		e := program.EvaluateItem(it, since)
		waits := map[string]bool{}
		for _, m := range e.Set {
			waits[m.Channel] = m.State == compose.StateWaiting
		}
		for _, m := range it.In {
			if _, decided := waits[m.Channel]; !decided && m.State == compose.StateWaiting && it.State == "live" {
				waits[m.Channel] = true // it waited before, and was revised
			}
		}
		notBefore := it.Content.NotBefore
		if at := it.Content.Published; program.Sources[it.Source].Future == "hold" && at.After(d.Now.Add(10*time.Minute)) && at.After(notBefore) {
			notBefore = at
		}
		for name, waiting := range waits {
			if waiting {
				out[name] = append(out[name], compose.Waiting{Item: it.ID, Revision: it.Revision, Source: it.Source, Content: it.Content, SeenAt: it.SeenAt,
					ChangedAt: d.Now, NotBefore: notBefore, Since: d.Now})
			}
		}
	}
	return out, nil
}

func (d *Desk) planned(f compose.Foreseen, public map[int64]string) PlannedPost {
	out := PlannedPost{At: Stamp{f.At}, Local: f.At.In(d.Zone()).Format(time.RFC3339), Channel: f.Channel, Kind: string(f.Kind), Title: f.Title, Post: public[f.Post],
		Due: Stamp{f.Due.At}, Shift: string(f.Due.Shift), Late: f.Late, Items: []PlannedItem{}, To: []PlannedTarget{}, Missed: f.Missed, Note: f.Empty}
	switch {
	case f.Missed:
		out.Note = "missed: " + missedWord(f.Empty)
	case f.Held != "":
		out.Note = "the blackout " + f.Held + " will hold it"
	case f.Silenced != "":
		out.Note = d.silencedBy(f.Silenced, f.SilencedUntil)
	}
	for _, w := range f.Items {
		out.Items = append(out.Items, itemOf(w))
	}
	for _, t := range f.Targets {
		out.To = append(out.To, PlannedTarget{t.Destination, t.Chat})
	}
	return out
}

// silencedBy says that a blackout silences a digest, and until when; a zero time means for ever.
func (d *Desk) silencedBy(blackout string, until time.Time) string {
	if until.IsZero() {
		return fmt.Sprintf("the blackout %s silences it, without an end", blackout)
	}
	return fmt.Sprintf("the blackout %s silences it until %s", blackout, d.At(until))
}

func missedWord(reason string) string {
	switch reason {
	case "downtime":
		return "the daemon was not running"
	case "blackout":
		return "it lies in a blackout or a pause"
	case "window":
		return "it is too late for catch_up_window"
	case "superseded":
		return "a later one stands for it"
	}
	return reason
}

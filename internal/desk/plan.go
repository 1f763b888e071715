package desk

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
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
	// More says that there is more than is listed.
	More bool `json:"more"`
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

// PlannedOut is an item that a channel leaves out, or that a blackout holds.
type PlannedOut struct {
	Channel string `json:"channel"`
	PlannedItem
	// State is left_out, or held for what a blackout keeps; Future says that it is so only from At on.
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

// Plan plays the decisions of every channel forward over the rows as they stand. Nothing is changed.
func (d *Desk) Plan(ctx context.Context, from, until time.Time) (*Plan, error) {
	p := &Plan{From: Stamp{from}, Until: Stamp{until}, Store: d.Store != nil, Daemon: d.Running(), NeedRestart: []string{},
		Posts: []PlannedPost{}, LeftOut: []PlannedOut{}, Waiting: []PlannedWait{}, Deliveries: []PlannedDelivery{}}
	return p, p.lookAhead(ctx, d)
}

func (p *Plan) lookAhead(ctx context.Context, d *Desk) error {
	program := d.Program()
	rows, public, err := d.rows(ctx, program, p.Until.Time)
	if err != nil {
		return err
	}
	f := program.LookAhead(rows, p.From.Time, p.Until.Time)
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
	if err := p.leftOutBefore(ctx, d); err != nil {
		return err
	}
	return p.openDeliveries(ctx, d)
}

// recentlyOut is how far back items are listed that were left out, and mostOut how many.
const (
	recentlyOut = 7 * 24 * time.Hour
	mostOut     = 500
)

func (p *Plan) leftOutBefore(ctx context.Context, d *Desk) error {
	list, err := d.Store.NotUsed(ctx, "", d.Now.Add(-recentlyOut), mostOut+1)
	if err != nil {
		return err
	}
	if len(list) > mostOut {
		list, p.More = list[:mostOut], true
	}
	for _, n := range list {
		if _, ok := d.Config.Channels[n.Channel]; !ok {
			continue
		}
		p.LeftOut = append(p.LeftOut, PlannedOut{Channel: n.Channel, PlannedItem: PlannedItem{n.Source, n.Key, n.Title}, State: string(n.State),
			Reason: string(n.Reason), Detail: n.Detail, Sentence: reasonSentence(n.Reason, n.Detail), At: Stamp{n.Since}})
	}
	return nil
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
	rows := compose.Rows{Waiting: map[string][]compose.Waiting{}, Recent: map[string]compose.Recent{}, Schedules: map[string]compose.ScheduleState{}}
	public := map[int64]string{}
	if d.Store == nil {
		return rows, public, nil
	}
	fresh, err := d.unseen(ctx, program)
	if err != nil {
		return rows, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(program.Channels)) {
		ch := program.Channels[name]
		waiting, err := d.Store.WaitingItems(ctx, name)
		if err != nil {
			return rows, nil, err
		}
		rows.Waiting[name] = append(waiting, fresh[name]...)
		if rows.Recent[name], err = d.Store.RecentPosts(ctx, name, program.DayStart(d.Now)); err != nil {
			return rows, nil, err
		}
		if rows.Schedules[name], err = d.Store.Schedule(ctx, ch.ScheduleName()); err != nil {
			return rows, nil, err
		}
	}
	if rows.Scheduled, err = d.Store.DuePosts(ctx, until); err != nil {
		return rows, nil, err
	}
	for _, s := range rows.Scheduled {
		if public[s.Post], err = d.Store.PostPublicID(ctx, s.Post); err != nil {
			return rows, nil, err
		}
	}
	rows.Paused, err = d.Store.PausedChannels(ctx)
	return rows, public, err
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
	for _, it := range changed {
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
		Due: Stamp{f.Due.At}, Shift: string(f.Due.Shift), Late: f.Late, Items: []PlannedItem{}, To: []PlannedTarget{}, Note: f.Empty}
	switch {
	case f.Missed:
		out.Note = "missed: " + missedWord(f.Empty)
	case f.Held != "":
		out.Note = "the blackout " + f.Held + " will hold it"
	}
	for _, w := range f.Items {
		out.Items = append(out.Items, itemOf(w))
	}
	for _, t := range f.Targets {
		out.To = append(out.To, PlannedTarget{t.Destination, t.Chat})
	}
	return out
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

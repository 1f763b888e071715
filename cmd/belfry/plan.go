package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

type planCmd struct {
	At  string       `placeholder:"TIME" help:"Look ahead from this time instead of from now."`
	For sdk.Duration `default:"24h" placeholder:"TIME" help:"How far to look ahead."`
	New string       `placeholder:"PATH" help:"A new configuration, when it lies elsewhere than the running one, which --config then names."`
}

// Help is the long help.
func (*planCmd) Help() string {
	return `Nothing is changed. The decisions of every channel are played forward in time over the rows of the store as they stand: the
digests to come with their items, which waiting items become posts when and where, and why others do not. Without a store
the digests to come are listed. New items, revisions and images that arrive meanwhile change the outcome.

With --config NEW on the command line, what that configuration would change about the running one comes first. The store is
the one in its data_dir; where NEW lies elsewhere, name the running configuration with --config and the new one with --new.

Examples:

    belfry plan --for 48h
    belfry plan --config belfry.new.yaml
    belfry plan --config /etc/belfry/belfry.yaml --new /tmp/new.yaml

With --json one object: {from, until, changes, need_restart, posts, left_out, waiting, deliveries}.

Exit codes: 0 nothing changes, 1 the configuration has problems, 2 the command line cannot be used, 3 with --config or
--new: something would change.`
}

// planJSON is what plan prints. Items are named by source and key.
type planJSON struct {
	From   stamp `json:"from"`
	Until  stamp `json:"until"`
	Store  bool  `json:"store"`
	Daemon bool  `json:"daemon"`
	// Changes are what the configuration changes about the running one; null when that was not asked for.
	Changes     []configs.Change  `json:"changes"`
	NeedRestart []string          `json:"need_restart"`
	Posts       []plannedPost     `json:"posts"`
	LeftOut     []plannedOut      `json:"left_out"`
	Waiting     []plannedWait     `json:"waiting"`
	Deliveries  []plannedDelivery `json:"deliveries"`
	// More says that there is more than is listed.
	More bool `json:"more"`
}

type plannedPost struct {
	At      stamp           `json:"at"`
	Local   string          `json:"local"`
	Channel string          `json:"channel"`
	Kind    string          `json:"kind"`
	Title   string          `json:"title"`
	Post    string          `json:"post,omitempty"`
	Due     stamp           `json:"due"`
	Shift   string          `json:"shift,omitempty"`
	Late    bool            `json:"late"`
	Items   []plannedItem   `json:"items"`
	To      []plannedTarget `json:"to"`
	// Note says why nothing is posted: an empty or missed digest, a blackout, a pause.
	Note string `json:"note"`
}

type plannedItem struct {
	Source string `json:"source"`
	Key    string `json:"key"`
	Title  string `json:"title"`
}

type plannedTarget struct {
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
}

type plannedOut struct {
	Channel string `json:"channel"`
	plannedItem
	// State is left_out, or held for what a blackout keeps; Future says that it is so only from At on.
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Detail   string `json:"detail"`
	Sentence string `json:"sentence"`
	At       stamp  `json:"at"`
	Future   bool   `json:"future"`
}

type plannedWait struct {
	Channel string `json:"channel"`
	plannedItem
	For   string `json:"for"`
	Until stamp  `json:"until"`
}

type plannedDelivery struct {
	ID          int64  `json:"id"`
	Post        string `json:"post"`
	Channel     string `json:"channel"`
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
	Title       string `json:"title"`
	State       string `json:"state"`
	Next        stamp  `json:"next"`
	Error       string `json:"error"`
}

// Run prints what will happen.
func (c *planCmd) Run(ctx context.Context, g *global, std streams) error {
	running, err := g.load()
	if err != nil {
		return err
	}
	proposed := running
	if c.New != "" {
		if proposed, err = g.loadFrom(c.New); err != nil {
			return err
		}
	}
	d := g.desk(proposed, std)
	d.dir = app.DataDir(running)
	if d.db, err = sqlite.OpenExisting(ctx, app.Database(running)); err == nil {
		defer d.close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	from, err := parseTime(c.At, d.zone, d.now)
	if err != nil {
		return err
	}
	out := planJSON{From: stamp{from}, Until: stamp{from.Add(c.For.Std())}, Store: d.db != nil, Daemon: d.running(), NeedRestart: []string{},
		Posts: []plannedPost{}, LeftOut: []plannedOut{}, Waiting: []plannedWait{}, Deliveries: []plannedDelivery{}}
	if g.explicit || c.New != "" {
		if err := out.compare(ctx, d); err != nil {
			return err
		}
	}
	if err := out.lookAhead(ctx, d); err != nil {
		return err
	}
	if g.JSON {
		if err := writeJSON(std.out, out); err != nil {
			return err
		}
	} else {
		out.print(d)
	}
	if len(out.Changes) > 0 {
		return &exitError{code: exitChanged}
	}
	return nil
}

// compare finds what the configuration changes about the one that was last applied.
func (p *planJSON) compare(ctx context.Context, d *desk) error {
	p.Changes = []configs.Change{}
	if d.db == nil {
		return nil
	}
	problems, err := app.CheckStore(ctx, d.db, d.cfg)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return &configs.Invalid{Problems: problems}
	}
	applied, err := d.db.Applied(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p.Changes = append(p.Changes, configs.Diff(applied.Tree, d.cfg.Tree())...)
	p.NeedRestart = append(p.NeedRestart, app.NeedRestart(p.Changes)...)
	return nil
}

func (p *planJSON) lookAhead(ctx context.Context, d *desk) error {
	program := d.program()
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
		p.LeftOut = append(p.LeftOut, plannedOut{Channel: o.Channel, plannedItem: itemOf(o.Waiting), State: string(state), Reason: string(o.Reason),
			Detail: o.Detail, Sentence: reasonSentence(o.Reason, o.Detail), At: stamp{o.At}, Future: true})
	}
	for _, w := range f.Waiting {
		p.Waiting = append(p.Waiting, plannedWait{Channel: w.Channel, plannedItem: itemOf(w.Waiting), For: w.For, Until: stamp{w.Until}})
	}
	if d.db == nil {
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

func (p *planJSON) leftOutBefore(ctx context.Context, d *desk) error {
	list, err := d.db.NotUsed(ctx, "", d.now.Add(-recentlyOut), mostOut+1)
	if err != nil {
		return err
	}
	if len(list) > mostOut {
		list, p.More = list[:mostOut], true
	}
	for _, n := range list {
		if _, ok := d.cfg.Channels[n.Channel]; !ok {
			continue
		}
		p.LeftOut = append(p.LeftOut, plannedOut{Channel: n.Channel, plannedItem: plannedItem{n.Source, n.Key, n.Title}, State: string(n.State),
			Reason: string(n.Reason), Detail: n.Detail, Sentence: reasonSentence(n.Reason, n.Detail), At: stamp{n.Since}})
	}
	return nil
}

func (p *planJSON) openDeliveries(ctx context.Context, d *desk) error {
	for _, state := range []outbox.State{outbox.Pending, outbox.Started, outbox.Unknown, outbox.Held, outbox.AwaitingPerson} {
		list, err := d.db.Deliveries(ctx, store.DeliveryFilter{State: string(state), Limit: mostOut})
		if err != nil {
			return err
		}
		p.More = p.More || len(list) == mostOut
		for _, x := range list {
			next := x.NextAt
			if state != outbox.Pending {
				next = time.Time{}
			}
			p.Deliveries = append(p.Deliveries, plannedDelivery{x.ID, x.Post, x.Channel, x.Destination, x.Chat, x.Title, string(x.State), stamp{next}, x.Error})
		}
	}
	return nil
}

func itemOf(w compose.Waiting) plannedItem {
	return plannedItem{w.Source, w.Content.Key, w.Content.Title}
}

// rows reads what a look ahead starts from, and the public ids of posts that exist already. Without a store there is
// nothing.
func (d *desk) rows(ctx context.Context, program *compose.Program, until time.Time) (compose.Rows, map[int64]string, error) {
	rows := compose.Rows{Waiting: map[string][]compose.Waiting{}, Recent: map[string]compose.Recent{}, Schedules: map[string]compose.ScheduleState{}}
	public := map[int64]string{}
	if d.db == nil {
		return rows, public, nil
	}
	fresh, err := d.unseen(ctx, program)
	if err != nil {
		return rows, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(program.Channels)) {
		ch := program.Channels[name]
		waiting, err := d.db.WaitingItems(ctx, name)
		if err != nil {
			return rows, nil, err
		}
		rows.Waiting[name] = append(waiting, fresh[name]...)
		if rows.Recent[name], err = d.db.RecentPosts(ctx, name, program.DayStart(d.now)); err != nil {
			return rows, nil, err
		}
		if rows.Schedules[name], err = d.db.Schedule(ctx, ch.ScheduleName()); err != nil {
			return rows, nil, err
		}
	}
	if rows.Scheduled, err = d.db.DuePosts(ctx, until); err != nil {
		return rows, nil, err
	}
	for _, s := range rows.Scheduled {
		if public[s.Post], err = d.db.PostPublicID(ctx, s.Post); err != nil {
			return rows, nil, err
		}
	}
	rows.Paused, err = d.db.PausedChannels(ctx)
	return rows, public, err
}

// unseen are items that channels will take up at the daemon's next look.
func (d *desk) unseen(ctx context.Context, program *compose.Program) (map[string][]compose.Waiting, error) {
	out := map[string][]compose.Waiting{}
	changed, err := d.db.ChangedItems(ctx, 2000)
	if err != nil || len(changed) == 0 {
		return out, err
	}
	since, err := d.db.ChannelsSince(ctx)
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
		if at := it.Content.Published; program.Sources[it.Source].Future == "hold" && at.After(d.now.Add(10*time.Minute)) && at.After(notBefore) {
			notBefore = at
		}
		for name, waiting := range waits {
			if waiting {
				out[name] = append(out[name], compose.Waiting{Item: it.ID, Revision: it.Revision, Source: it.Source, Content: it.Content, SeenAt: it.SeenAt,
					ChangedAt: d.now, NotBefore: notBefore, Since: d.now})
			}
		}
	}
	return out, nil
}

func (d *desk) planned(f compose.Foreseen, public map[int64]string) plannedPost {
	out := plannedPost{At: stamp{f.At}, Local: f.At.In(d.zone).Format(time.RFC3339), Channel: f.Channel, Kind: string(f.Kind), Title: f.Title, Post: public[f.Post],
		Due: stamp{f.Due.At}, Shift: string(f.Due.Shift), Late: f.Late, Items: []plannedItem{}, To: []plannedTarget{}, Note: f.Empty}
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
		out.To = append(out.To, plannedTarget{t.Destination, t.Chat})
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

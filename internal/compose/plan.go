package compose

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/scheduler"
)

// Rows are what a look ahead starts from: what the store holds now, by channel.
type Rows struct {
	Waiting   map[string][]Waiting
	Recent    map[string]Recent
	Schedules map[string]ScheduleState
	// Scheduled are editors' posts that wait for their time.
	Scheduled []Scheduled
	// Paused are the channels that a person paused, with the time since; "" stands for all of them.
	Paused map[string]time.Time
}

// Foreseen is a post that will be made, or an occurrence at which none will.
type Foreseen struct {
	Channel string
	Kind    PostKind
	At      time.Time
	// Due is the occurrence of a digest; zero for other posts.
	Due scheduler.Occurrence
	// Late says that the occurrence was missed and is caught up.
	Late bool
	// Empty says why there is no digest, or why an occurrence is missed.
	Empty  string
	Missed bool
	// Paused says that a person's pause keeps the digest from being made.
	Paused  bool
	Title   string
	Items   []Waiting
	Targets []NewTarget
	// Post is an editor's post that exists already; 0 for others.
	Post int64
	// Held is the blackout that keeps an editor's post; empty when none does.
	Held string
}

// ForeseenOut is an item that will be left out, or held by a blackout.
type ForeseenOut struct {
	Channel string
	LeaveOut
	At      time.Time
	Waiting Waiting
}

// StillWaiting is an item that no post uses within the time looked at.
type StillWaiting struct {
	Channel string
	Waiting Waiting
	// For is what it waits for, and Until when that ends; zero when it is not known.
	For   string
	Until time.Time
}

// Forecast is what will happen unless new rows change it.
type Forecast struct {
	Posts   []Foreseen
	Out     []ForeseenOut
	Waiting []StillWaiting
	// More is set when a channel has more occurrences than are listed.
	More bool
}

// maxForeseen bounds how many posts and occurrences of one channel are listed.
const maxForeseen = 1000

// LookAhead plays the decisions of every channel forward in time over the rows as they stand. It is pure. Images that are
// still being fetched are taken to come as late as a post waits for them.
func (p *Program) LookAhead(rows Rows, from, until time.Time) Forecast {
	var f Forecast
	for _, name := range slices.Sorted(maps.Keys(p.Channels)) {
		ch := p.Channels[name]
		pause := rows.pause(name)
		switch {
		case ch.Config.Each != nil && pause != "":
			f.wait(ch, rows.Waiting[name], pause)
		case ch.Config.Each != nil:
			p.foreseeEach(&f, ch, rows, from, until)
		case ch.Config.Digest != nil:
			p.foreseeDigests(&f, ch, rows, pause, from, until)
		}
	}
	p.foreseeScheduled(&f, rows, from, until)
	slices.SortStableFunc(f.Posts, func(a, b Foreseen) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Channel, b.Channel)) })
	slices.SortStableFunc(f.Out, func(a, b ForeseenOut) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Channel, b.Channel)) })
	return f
}

// pause says which pause a channel is under; empty when under none.
func (r Rows) pause(channel string) string {
	if _, all := r.Paused[""]; all {
		return AllPaused
	}
	if _, one := r.Paused[channel]; one {
		return ChannelPaused
	}
	return ""
}

// What a pause is called by what waits for its end.
const (
	AllPaused     = "everything is paused"
	ChannelPaused = "the channel is paused"
)

// wait notes that all of a channel's items wait for the same.
func (f *Forecast) wait(ch *Channel, waiting []Waiting, what string) {
	for _, w := range waiting {
		f.Waiting = append(f.Waiting, StillWaiting{Channel: ch.Name, Waiting: w, For: what})
	}
}

func (p *Program) foreseeEach(f *Forecast, ch *Channel, rows Rows, from, until time.Time) {
	waiting := rows.Waiting[ch.Name]
	began := rows.Recent[ch.Name]
	var made []time.Time
	for now := from; ; {
		d := ch.DecideEach(p.Zone, p.MediaWait, waiting, recentAt(p.Zone, began, from, made, now), now)
		gone := map[int64]bool{}
		for _, w := range d.Post {
			post := p.eachPost(ch, w, now)
			f.Posts = append(f.Posts, Foreseen{Channel: ch.Name, Kind: KindEach, At: now, Title: post.Content.Title, Items: []Waiting{w}, Targets: post.Targets})
			made = append(made, now)
			gone[w.Item] = true
		}
		f.leaveOut(ch, d.Out, waiting, now)
		for _, o := range d.Out {
			gone[o.Item] = true
		}
		waiting = slices.DeleteFunc(slices.Clone(waiting), func(w Waiting) bool { return gone[w.Item] })
		if next := d.Look; next.IsZero() || next.After(until) || !next.After(now) || len(made) > maxForeseen {
			f.More = f.More || len(made) > maxForeseen
			for _, why := range d.Why {
				f.Waiting = append(f.Waiting, StillWaiting{Channel: ch.Name, Waiting: find(waiting, why.Item), For: why.For, Until: why.Until})
			}
			return
		}
		now = d.Look
	}
}

// recentAt is what the channel will have posted lately at a later time.
func recentAt(zone *time.Location, began Recent, from time.Time, made []time.Time, now time.Time) Recent {
	today := dayStart(zone, now)
	r := Recent{Last: began.Last}
	if dayStart(zone, from).Equal(today) {
		r.Today = began.Today
	}
	for _, t := range made {
		r.Last = t
		if !t.Before(today) {
			r.Today++
		}
	}
	return r
}

func (f *Forecast) leaveOut(ch *Channel, out []LeaveOut, waiting []Waiting, now time.Time) {
	for _, o := range out {
		f.Out = append(f.Out, ForeseenOut{Channel: ch.Name, LeaveOut: o, At: now, Waiting: find(waiting, o.Item)})
	}
}

func find(waiting []Waiting, item int64) Waiting {
	if i := slices.IndexFunc(waiting, func(w Waiting) bool { return w.Item == item }); i >= 0 {
		return waiting[i]
	}
	return Waiting{Item: item}
}

func (p *Program) foreseeDigests(f *Forecast, ch *Channel, rows Rows, pause string, from, until time.Time) {
	waiting := rows.Waiting[ch.Name]
	if pause != "" {
		f.pausedDigests(ch, pause, from, until)
		f.wait(ch, waiting, pause)
		return
	}
	rule := ch.Rule()
	checked, listed := rows.Schedules[ch.Name].CheckedUntil, 0
	for now := from; ; {
		due := rule.Due(checked, now)
		for _, m := range due.Missed {
			f.Posts = append(f.Posts, Foreseen{Channel: ch.Name, Kind: KindDigest, At: m.At, Due: m.Occurrence, Missed: true, Empty: string(m.Reason)})
		}
		for _, fire := range due.Fire {
			d := ch.DecideDigest(waiting, now)
			next := Foreseen{Channel: ch.Name, Kind: KindDigest, At: now, Due: fire.Occurrence, Late: fire.Late, Empty: d.Empty, Targets: ch.targets(nil, now)}
			if d.Empty == "" {
				post := p.digestPost(ch, fire.Occurrence, d.Items, now)
				next.Title, next.Items, next.Targets = post.Content.Title, d.Items, post.Targets
			}
			f.Posts = append(f.Posts, next)
			f.leaveOut(ch, d.Out, waiting, now)
			waiting = without(waiting, d)
		}
		checked = due.CheckedUntil
		listed += len(due.Fire) + len(due.Missed)
		if next := due.NextLook; next.IsZero() || next.After(until) || !next.After(now) || listed > maxForeseen {
			f.More = f.More || listed > maxForeseen
			break
		}
		now = due.NextLook
	}
	for _, w := range waiting {
		still := StillWaiting{Channel: ch.Name, Waiting: w}
		if still.For, still.Until = ch.WaitForDigest(waiting, w, until); still.Until.IsZero() {
			if next, ok := rule.Spec.Next(until); ok {
				still.Until = next.At
			}
		}
		f.Waiting = append(f.Waiting, still)
	}
}

// pausedDigests lists the digests that are due and not made while a pause lasts.
func (f *Forecast) pausedDigests(ch *Channel, pause string, from, until time.Time) {
	listed, at := 0, from
	for {
		next, ok := ch.Schedule.Next(at)
		if !ok || next.At.After(until) {
			return
		}
		if listed++; listed > maxForeseen {
			f.More = true
			return
		}
		f.Posts = append(f.Posts, Foreseen{Channel: ch.Name, Kind: KindDigest, At: next.At, Due: next, Empty: pause, Paused: true, Targets: ch.targets(nil, next.At)})
		at = next.At
	}
}

func (p *Program) foreseeScheduled(f *Forecast, rows Rows, from, until time.Time) {
	for _, s := range rows.Scheduled {
		at := s.At
		if at.Before(from) {
			at = from
		}
		if at.After(until) {
			continue
		}
		next := Foreseen{Channel: s.Channel, Kind: KindEditor, At: at, Title: s.Content.Title, Post: s.Post}
		if ch, ok := p.Channels[s.Channel]; ok {
			next.Targets = ch.targets(nil, at)
		}
		if name, _, silenced := p.Silenced(s.Channel, s.Content, at); silenced && !s.Released {
			next.Held = name
		}
		next.Empty = rows.pause(s.Channel)
		f.Posts = append(f.Posts, next)
	}
}

// DayStart is when the day of an instant began in the daemon's zone.
func (p *Program) DayStart(t time.Time) time.Time { return dayStart(p.Zone, t) }

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
	Paused bool
	// Silenced is the blackout that keeps the digest from being made, and SilencedUntil when it ends; zero when it does not.
	Silenced      string
	SilencedUntil time.Time

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
	// More is set when a channel has more posts or occurrences than are listed.
	More bool
}

// Span is the time that is looked ahead over: decisions are played forward from Now on, and told of from From until Until.
type Span struct{ Now, From, Until time.Time }

// begin is when playing begins.
func (s Span) begin() time.Time {
	if s.Now.IsZero() || s.From.Before(s.Now) {
		return s.From
	}
	return s.Now
}

// tells reports whether what happens at a time is told of. What was missed before the beginning is, when the telling
// begins there.
func (s Span) tells(at time.Time) bool { return !at.Before(s.From) || s.begin().Equal(s.From) }

const (
	// maxForeseen bounds how many posts and occurrences of one channel are listed.
	maxForeseen = 1000
	// maxLooks bounds the work for one channel: how many times, in all, a waiting item is looked at.
	maxLooks = 4_000_000
)

// LookAhead plays the decisions of every channel forward in time over the rows as they stand. It is pure. Images that are
// still being fetched are taken to come as late as a post waits for them.
func (p *Program) LookAhead(rows Rows, span Span) Forecast {
	var f Forecast
	for _, name := range slices.Sorted(maps.Keys(p.Channels)) {
		ch := p.Channels[name]
		pause := rows.Pause(name)
		switch {
		case ch.Config.Each != nil && pause != "":
			f.wait(ch, rows.Waiting[name], pause)
		case ch.Config.Each != nil:
			p.foreseeEach(&f, ch, rows, span)
		case ch.Config.Digest != nil:
			p.foreseeDigests(&f, ch, rows, span)
		}
	}
	p.foreseeScheduled(&f, rows, span)
	slices.SortStableFunc(f.Posts, func(a, b Foreseen) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Channel, b.Channel)) })
	slices.SortStableFunc(f.Out, func(a, b ForeseenOut) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Channel, b.Channel)) })
	return f
}

// Pause says which pause a channel is under; empty when under none.
func (r Rows) Pause(channel string) string {
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

func (p *Program) foreseeEach(f *Forecast, ch *Channel, rows Rows, span Span) {
	waiting := rows.Waiting[ch.Name]
	began := rows.Recent[ch.Name]
	urgent := urgencies{}
	var made []time.Time
	listed, looks := 0, 0
	for now := span.begin(); ; {
		d := ch.decideEach(urgent, p.Zone, p.MediaWait, waiting, recentAt(p.Zone, began, span.begin(), made, now), now)
		looks += 1 + len(waiting)
		gone := map[int64]bool{}
		for _, w := range d.Post {
			made = append(made, now)
			gone[w.Item] = true
			if !span.tells(now) {
				continue
			}
			if listed++; listed <= maxForeseen {
				post := p.eachPost(ch, w, now)
				f.Posts = append(f.Posts, Foreseen{Channel: ch.Name, Kind: KindEach, At: now, Title: post.Content.Title, Items: []Waiting{w}, Targets: post.Targets})
			}
		}
		f.leaveOut(ch, d.Out, waiting, now)
		for _, o := range d.Out {
			gone[o.Item] = true
		}
		waiting = slices.DeleteFunc(slices.Clone(waiting), func(w Waiting) bool { return gone[w.Item] })
		full := listed > maxForeseen || looks > maxLooks
		if next := d.Look; next.IsZero() || next.After(span.Until) || !next.After(now) || full {
			f.More = f.More || full
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

func (p *Program) foreseeScheduled(f *Forecast, rows Rows, span Span) {
	for _, s := range rows.Scheduled {
		at := s.At
		if at.Before(span.begin()) {
			at = span.begin()
		}
		if at.After(span.Until) || !span.tells(at) {
			continue
		}
		next := Foreseen{Channel: s.Channel, Kind: KindEditor, At: at, Title: s.Content.Title, Post: s.Post}
		if ch, ok := p.Channels[s.Channel]; ok {
			next.Targets = ch.targets(nil, at)
		}
		if name, _, silenced := p.Silenced(s.Channel, s.Content, at); silenced && !s.Released {
			next.Held = name
		}
		next.Empty = rows.Pause(s.Channel)
		f.Posts = append(f.Posts, next)
	}
}

// DayStart is when the day of an instant began in the daemon's zone.
func (p *Program) DayStart(t time.Time) time.Time { return dayStart(p.Zone, t) }

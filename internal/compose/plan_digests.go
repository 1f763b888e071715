package compose

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/scheduler"
)

// digestAhead plays the digests of one channel forward in time.
type digestAhead struct {
	*Channel
	p    *Program
	f    *Forecast
	span Span
	rule scheduler.Rule
	// overAll are the blackouts that silence the digest itself, and not only some items.
	overAll scheduler.Windows
	waiting []Waiting
	checked time.Time
	posts   []Foreseen
	// silenced are the keys of the occurrences that are listed as silenced.
	silenced map[string]bool
	looks    int
}

func (p *Program) foreseeDigests(f *Forecast, ch *Channel, rows Rows, span Span) {
	if pause := rows.Pause(ch.Name); pause != "" {
		f.pausedDigests(ch, pause, span)
		f.wait(ch, rows.Waiting[ch.Name], pause)
		return
	}
	a := &digestAhead{Channel: ch, p: p, f: f, span: span, rule: ch.Rule(), waiting: rows.Waiting[ch.Name], checked: rows.Schedules[ch.Name].CheckedUntil,
		silenced: map[string]bool{}}
	a.overAll = scheduler.Windows(a.rule.Blackouts).In(a.rule.Spec.Zone())
	a.silences()
	end, cut := a.play()
	slices.SortStableFunc(a.posts, func(x, y Foreseen) int { return x.At.Compare(y.At) })
	if len(a.posts) > maxForeseen {
		a.posts, f.More = a.posts[:maxForeseen], true
	}
	f.Posts = append(f.Posts, a.posts...)
	if !cut {
		end = span.Until // nothing happens between the last look and this
	}
	next := ch.nextDigest(a.checked, end)
	for _, w := range a.waiting {
		still := StillWaiting{Channel: ch.Name, Waiting: w}
		if still.For, still.Until = ch.waitForDigest(a.waiting, w, next, end); still.Until.IsZero() {
			still.Until = next.At
		}
		f.Waiting = append(f.Waiting, still)
	}
}

// silences lists the occurrences that lie in a blackout of the digest itself.
func (a *digestAhead) silences() {
	for at := a.span.From; ; {
		start, ok := a.overAll.Start(at)
		if !ok || start.After(a.span.Until) {
			return
		}
		end := a.overAll.End(start)
		last := a.span.Until
		if !end.IsZero() && !end.After(last) {
			last = end.Add(-1)
		}
		for o := range a.rule.Spec.Between(start.Add(-1), last) {
			a.silenced[o.Key] = true
			a.posts = append(a.posts, Foreseen{Channel: a.Name, Kind: KindDigest, At: o.At, Due: o, Silenced: a.silencer(o.At), SilencedUntil: end, Targets: a.targets(nil, o.At)})
			if len(a.posts) > maxForeseen {
				return
			}
		}
		if end.IsZero() || end.After(a.span.Until) {
			return
		}
		at = end
	}
}

// silencer names the blackout that silences the channel's digests at a time.
func (ch *Channel) silencer(at time.Time) string {
	for _, b := range ch.blackouts {
		if b.all && b.window.In(ch.Schedule.Zone()).Covers(at) {
			return b.name
		}
	}
	return ""
}

// play decides about one look after the other, and gives the last, and whether there would have been more.
func (a *digestAhead) play() (last time.Time, cut bool) {
	full := len(a.posts) // of silenced ones, which are counted by themselves
	for now := a.span.begin(); ; {
		due := a.rule.Due(a.checked, now)
		for _, m := range due.Missed {
			if !a.silenced[m.Key] && a.span.tells(m.At) {
				a.posts = append(a.posts, Foreseen{Channel: a.Name, Kind: KindDigest, At: m.At, Due: m.Occurrence, Missed: true, Empty: string(m.Reason)})
			}
		}
		for _, fire := range due.Fire {
			a.fire(fire, now)
		}
		a.checked = due.CheckedUntil
		next := due.NextLook
		if next.Before(a.span.From) && !next.IsZero() {
			next = a.skip(next)
		}
		if cut = len(a.posts)-full > maxForeseen; cut || next.IsZero() || next.After(a.span.Until) || !next.After(now) {
			return now, cut
		}
		now = next
	}
}

func (a *digestAhead) fire(fire scheduler.Fire, now time.Time) {
	d := a.DecideDigest(a.waiting, now)
	a.looks += 1 + len(a.waiting)
	if a.span.tells(now) {
		next := Foreseen{Channel: a.Name, Kind: KindDigest, At: now, Due: fire.Occurrence, Late: fire.Late, Empty: d.Empty, Targets: a.targets(nil, now)}
		if d.Empty == "" {
			post := a.p.digestPost(a.Channel, fire.Occurrence, d.Items, now)
			next.Title, next.Items, next.Targets = post.Content.Title, d.Items, post.Targets
		}
		a.posts = append(a.posts, next)
	}
	a.f.leaveOut(a.Channel, d.Out, a.waiting, now)
	a.waiting = without(a.waiting, d)
}

// skip passes over the looks before the telling begins at which nothing would happen, from next on, and gives the first at
// which something may. A schedule of every minute over a month would have more of them than anybody waits for.
func (a *digestAhead) skip(next time.Time) time.Time {
	to := a.span.From
	if a.looks += 1 + len(a.waiting); a.looks > maxLooks {
		a.f.More = true
	} else {
		if d := a.DecideDigest(a.waiting, next); len(d.Items)+len(d.Out) > 0 {
			return next
		}
		to = sooner(to, a.turn(next))
		// What lies in a blackout is decided at its end.
		if start, ok := a.overAll.Start(next); ok {
			to = sooner(to, start)
		}
	}
	if !to.After(next) {
		return next
	}
	a.checked = to.Add(-1)
	return a.rule.Due(a.checked, a.checked).NextLook
}

// turn is when a waiting item, after now, becomes another one for a digest; zero when none does.
func (a *digestAhead) turn(now time.Time) time.Time {
	var turn time.Time
	note := func(t time.Time) {
		if t.After(now) {
			turn = sooner(turn, t)
		}
	}
	for _, w := range a.waiting {
		at, _ := w.readyAt(0, false)
		note(at)
		note(w.Content.ExpiresAt)
		if age := a.Config.Digest.MaxAge.Std(); age > 0 {
			note(at.Add(age + 1))
		}
	}
	if len(a.waiting) == 0 {
		return turn
	}
	for _, b := range a.blackouts {
		if b.all {
			continue
		}
		if start, ok := b.window.Start(now); ok {
			note(start)
		}
		note(b.window.End(now))
	}
	return turn
}

// pausedDigests lists the digests that are due and not made while a pause lasts.
func (f *Forecast) pausedDigests(ch *Channel, pause string, span Span) {
	listed := 0
	for o := range ch.Schedule.Between(span.From.Add(-1), span.Until) {
		if listed++; listed > maxForeseen {
			f.More = true
			return
		}
		f.Posts = append(f.Posts, Foreseen{Channel: ch.Name, Kind: KindDigest, At: o.At, Due: o, Empty: pause, Paused: true, Targets: ch.targets(nil, o.At)})
	}
}

// NextDigest is when a channel makes its next digest, as far as its schedule, blackouts and pauses say.
type NextDigest struct {
	// At is when it is made; zero when none will be, or when a pause lasts.
	At time.Time
	// Paused is the pause that lasts; empty when none does.
	Paused string
	// Silenced is the blackout in which the next occurrence of the schedule lies, and Until when that ends; zero when it does
	// not.
	Silenced string
	Until    time.Time
}

// NextDigest says when a channel makes its next digest after now.
func (p *Program) NextDigest(rows Rows, channel string, now time.Time) NextDigest {
	ch, ok := p.Channels[channel]
	if !ok || ch.Config.Digest == nil {
		return NextDigest{}
	}
	if pause := rows.Pause(channel); pause != "" {
		return NextDigest{Paused: pause}
	}
	return ch.nextDigest(rows.Schedules[channel].CheckedUntil, now)
}

// maxNextLooks is after how many looks without a digest none is expected any more: a schedule of which every occurrence
// lies in a blackout.
const maxNextLooks = 400

// nextDigest is when the channel makes its next digest after now, when it is not paused and looked at its schedule until
// checked.
func (ch *Channel) nextDigest(checked, now time.Time) NextDigest {
	rule := ch.Rule()
	blackouts := scheduler.Windows(rule.Blackouts).In(rule.Spec.Zone())
	var out NextDigest
	if o, ok := rule.Spec.Next(now); ok && blackouts.Covers(o.At) {
		out.Silenced, out.Until = ch.silencer(o.At), blackouts.End(o.At)
	}
	for at, looks := now, 0; looks < maxNextLooks; looks++ {
		due := rule.Due(checked, at)
		if len(due.Fire) > 0 {
			out.At = at
			return out
		}
		if due.NextLook.IsZero() || !due.NextLook.After(at) {
			return out
		}
		checked, at = due.CheckedUntil, due.NextLook
	}
	return out
}

// WaitForDigest says what an item of a digest channel waits for at a moment, and until when; zero when that is not known.
func (p *Program) WaitForDigest(rows Rows, channel string, w Waiting, now time.Time) (what string, until time.Time) {
	ch := p.Channels[channel]
	next := p.NextDigest(rows, channel, now)
	if next.Paused != "" {
		return next.Paused, time.Time{}
	}
	return ch.waitForDigest(rows.Waiting[channel], w, next, now)
}

func (ch *Channel) waitForDigest(waiting []Waiting, w Waiting, next NextDigest, now time.Time) (what string, until time.Time) {
	if at, reason := w.readyAt(0, false); at.After(now) && reason != "" {
		return reason, at
	}
	if next.Silenced != "" {
		return fmt.Sprintf("the end of the blackout %s, which silences the digest", next.Silenced), next.Until
	}
	if !next.At.IsZero() && !w.Released {
		if b, silenced := ch.silencing(w.view, next.At); silenced {
			what = "the end of the blackout " + b.name
			if b.failed != nil {
				what += ", whose where: failed for it"
			}
			return what, b.window.End(next.At)
		}
	}
	if least := ch.Config.Digest.MinItems; least > 1 {
		if d := ch.DecideDigest(waiting, now); d.Empty != "" {
			return "the next digest: " + d.Empty, time.Time{}
		}
	}
	return "the next digest", time.Time{}
}

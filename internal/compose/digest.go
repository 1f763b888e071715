package compose

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/scheduler"
)

func (e *Engine) digest(ctx context.Context, p *Program, ch *Channel, pausedSince time.Time) (time.Time, error) {
	for range 5 {
		now := time.Now()
		st, err := e.s.Store.Schedule(ctx, ch.ScheduleName())
		if err != nil {
			return time.Time{}, err
		}
		rule := ch.Rule()
		if !pausedSince.IsZero() {
			rule.Blackouts = append(rule.Blackouts, scheduler.Window{From: pausedSince})
		}
		due := rule.Due(st.CheckedUntil, now)
		if due.CheckedUntil.Equal(st.CheckedUntil) && len(due.Fire) == 0 || !e.worthStoring(st, rule, due) {
			return due.NextLook, nil
		}
		c, err := e.digestCommit(ctx, p, ch, due, now)
		if err != nil {
			return time.Time{}, err
		}
		c.Schedule, c.Spec, c.CheckedFrom, c.CheckedUntil = ch.ScheduleName(), rule.Spec.String(), st.CheckedUntil, due.CheckedUntil
		made, err := e.s.Store.CommitPosts(ctx, c, now)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		if len(c.Posts) > 0 {
			for i, post := range c.Posts {
				if made[i] != "" {
					e.s.Log.Info("a digest was made", "channel", ch.Name, "post", made[i], "items", len(post.Items))
				}
			}
			e.composed()
		}
		return due.NextLook, nil
	}
	return time.Now().Add(lookEvery), nil
}

// worthStoring keeps a schedule at which nothing happens from being written at every look: it is enough to move it on
// now and then.
func (e *Engine) worthStoring(st ScheduleState, rule scheduler.Rule, due scheduler.Decision) bool {
	return len(due.Fire)+len(due.Missed)+due.MissedMore > 0 || st.CheckedUntil.IsZero() || st.Spec != rule.Spec.String() ||
		due.CheckedUntil.Sub(st.CheckedUntil) > 10*time.Minute
}

// digestCommit makes what the fired occurrences ask for. Occurrences after the first find what the first left waiting.
func (e *Engine) digestCommit(ctx context.Context, p *Program, ch *Channel, due scheduler.Decision, now time.Time) (Commit, error) {
	c := Commit{Channel: ch.Name}
	for _, m := range due.Missed {
		c.Occurrences = append(c.Occurrences, Occurrence{Schedule: ch.ScheduleName(), Key: m.Key, At: m.At, Outcome: "missed", Reason: string(m.Reason)})
	}
	if missed := len(due.Missed) + due.MissedMore; missed > 0 && len(due.Fire) == 0 {
		c.Alerts = append(c.Alerts, alert.Alert{Code: alert.ScheduleMissed, Subject: ch.Name,
			Sentence: fmt.Sprintf("channel %s: %d planned digests were missed (%s) and are not made up for; their items wait for the next one", ch.Name, missed, lastReason(due.Missed)),
			Mend:     "nothing has to be done; catch_up and catch_up_window say which missed digests are still made"})
	}
	if len(due.Fire) == 0 {
		return c, nil
	}
	c.Resolve = append(c.Resolve, alert.Key{Code: alert.ScheduleMissed, Subject: ch.Name})
	waiting, err := e.s.Store.WaitingItems(ctx, ch.Name)
	if err != nil {
		return c, err
	}
	for _, f := range due.Fire {
		d := ch.DecideDigest(waiting, now)
		o := Occurrence{Schedule: ch.ScheduleName(), Key: f.Key, At: f.At, Outcome: "fired"}
		if f.Late {
			o.Reason = fmt.Sprintf("caught up, stands for %d", f.Covers)
		}
		if d.Empty != "" {
			o.Outcome, o.Reason = "empty", d.Empty
		} else {
			post := p.digestPost(ch, f.Occurrence, d.Items, now)
			c.Posts = append(c.Posts, post)
			c.Alerts = append(c.Alerts, ch.targetAlerts(post, d.Items)...)
		}
		for _, s := range d.Failed {
			c.Alerts = append(c.Alerts, ch.blackoutAlert(s.Failure, s.Blackout, refOf(find(waiting, s.Item))))
		}
		c.Occurrences = append(c.Occurrences, o)
		c.Out = append(c.Out, d.Out...)
		waiting = without(waiting, d)
	}
	return c, nil
}

func lastReason(missed []scheduler.Missed) string {
	if len(missed) == 0 {
		return "downtime"
	}
	return string(missed[len(missed)-1].Reason)
}

func without(waiting []Waiting, d DigestDecision) []Waiting {
	gone := map[int64]bool{}
	for _, w := range d.Items {
		gone[w.Item] = true
	}
	for _, o := range d.Out {
		gone[o.Item] = true
	}
	var out []Waiting
	for _, w := range waiting {
		if !gone[w.Item] {
			out = append(out, w)
		}
	}
	return out
}

func (p *Program) digestPost(ch *Channel, o scheduler.Occurrence, items []Waiting, now time.Time) NewPost {
	var entries []Entry
	post := NewPost{Channel: ch.Name, Key: "occurrence:" + o.Key, Kind: KindDigest, Status: PostLive, VisibleAt: now, DueAt: o.At, Targets: ch.targets(items, now)}
	for _, w := range items {
		entries = append(entries, itemEntry(w.Item, w.Content))
		post.Items = append(post.Items, PostItem{w.Item, w.Revision})
	}
	post.Content = digestContent(ch.Lang, p.digestTitle(ch, entries, o.At), entries)
	post.Content.Published = o.At
	return post
}

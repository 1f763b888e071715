package compose

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

func (e *Engine) each(ctx context.Context, p *Program, ch *Channel) (time.Time, error) {
	for range 5 {
		now := time.Now()
		waiting, err := e.s.Store.WaitingItems(ctx, ch.Name)
		if err != nil || len(waiting) == 0 {
			return time.Time{}, err
		}
		recent, err := e.s.Store.RecentPosts(ctx, ch.Name, dayStart(p.Zone, now), ch.Config.Each.Pace.PerDay)
		if err != nil {
			return time.Time{}, err
		}
		d := ch.DecideEach(p.Zone, p.MediaWait, waiting, recent, now)
		if len(d.Post)+len(d.Out) == 0 {
			return d.Look, nil
		}
		c := Commit{Channel: ch.Name, Out: d.Out, Alerts: append(heldAlerts(ch.Name, d.Out), ch.silenceAlerts(d.Out, waiting)...)}
		for _, w := range d.Post {
			post := p.eachPost(ch, w, now)
			c.Posts = append(c.Posts, post)
			c.Alerts = append(c.Alerts, ch.targetAlerts(post, []Waiting{w})...)
			if w.Released { // it was held when it came, and its urgency was not asked for then
				c.Alerts = append(c.Alerts, ch.tryUrgent(w.view(), refOf(w))...)
			}
		}
		made, err := e.s.Store.CommitPosts(ctx, c, now)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		for i, w := range d.Post {
			e.s.Log.Info("a post was made", "channel", ch.Name, "post", made[i], "source", w.Source, "item", w.Item, "key", keyInLogs(w.Content.Key))
		}
		e.composed()
		return d.Look, nil
	}
	return time.Now().Add(lookEvery), nil
}

// keyInLogs is the key of an item as logs show it: many keys are addresses, of which the host says nothing and a query may
// say too much.
func keyInLogs(key string) string {
	if u, err := url.Parse(key); err == nil && u.Host != "" {
		key = u.EscapedPath()
	}
	return render.CutText(render.Line(key), 100, sdk.UnitBytes)
}

// eachPost makes the post of one item.
func (p *Program) eachPost(ch *Channel, w Waiting, now time.Time) NewPost {
	c := ItemContent(w.Content, ch.Lang, ch.Config.Content == "full")
	c.Note = "" // a first revision corrects nothing that anybody has read
	due := w.SeenAt
	if w.NotBefore.After(due) {
		due = w.NotBefore
	}
	if w.Released && w.Since.After(due) {
		due = w.Since // what a person held back is no lag
	}
	return NewPost{Channel: ch.Name, Key: fmt.Sprintf("item:%d", w.Item), Kind: KindEach, Status: PostLive, Content: c,
		Items: []PostItem{{w.Item, w.Revision}}, VisibleAt: now, DueAt: due, Urgent: ch.isUrgent(w),
		Targets: ch.targets([]Waiting{w}, now)}
}

// targets are the places a post of these items goes to. Where the place's condition failed for an item, and holds for no
// other, the copy is made and held for a person.
func (ch *Channel) targets(items []Waiting, now time.Time) []NewTarget {
	var out []NewTarget
	for _, t := range ch.Targets {
		goes := t.where.program == nil || len(items) == 0
		n := NewTarget{Destination: t.Config.Destination, Chat: t.Config.Chat}
		for _, w := range items {
			if goes {
				break
			}
			ok, err := t.where.Match(w.view())
			goes = ok
			if err != nil && n.Failed == nil {
				n.Failed, n.FailedItem = asFailure(err), w.Item
			}
		}
		if goes {
			n.Failed, n.FailedItem = nil, 0
		}
		if goes || n.Failed != nil {
			if age := t.Config.MaxAge.Std(); age > 0 {
				n.ExpiresAt = now.Add(age)
			}
			out = append(out, n)
		}
	}
	return out
}

// targetAlerts tell of the copies that are held because the condition of their place failed.
func (ch *Channel) targetAlerts(p NewPost, items []Waiting) []alert.Alert {
	var out []alert.Alert
	for _, t := range p.Targets {
		if t.Failed != nil {
			out = append(out, ch.targetAlert(t.Failed, strings.TrimSpace(t.Destination+" "+t.Chat), refOf(find(items, t.FailedItem))))
		}
	}
	return out
}

// silenceAlerts tell of the conditions of blackouts that failed.
func (ch *Channel) silenceAlerts(out []LeaveOut, waiting []Waiting) []alert.Alert {
	var alerts []alert.Alert
	for _, o := range out {
		if o.Failed != nil {
			alerts = append(alerts, ch.blackoutAlert(o.Failed, o.Detail, refOf(find(waiting, o.Item))))
		}
	}
	return alerts
}

func refOf(w Waiting) itemRef { return itemRef{w.Item, w.Source} }

// Elsewhere is a place that a channel publishes to and that an item does not go to.
type Elsewhere struct {
	Destination, Chat string
	// Where is the condition of the place, which does not hold for the item.
	Where string
	// Failed is set when the condition failed for the item: its copy there is held.
	Failed *Failure
}

// NotFor lists the places of a channel whose condition does not hold for an item, or failed for it.
func (ch *Channel) NotFor(v ItemView) []Elsewhere {
	var out []Elsewhere
	for _, t := range ch.Targets {
		if ok, err := t.where.Match(v); !ok {
			out = append(out, Elsewhere{t.Config.Destination, t.Config.Chat, t.Config.Where, asFailure(err)})
		}
	}
	return out
}

func heldAlerts(channel string, out []LeaveOut) []alert.Alert {
	held := 0
	for _, o := range out {
		if o.Hold {
			held++
		}
	}
	if held == 0 {
		return nil
	}
	return []alert.Alert{{Code: alert.HeldForRelease, Subject: channel,
		Sentence: fmt.Sprintf("channel %s: a blackout holds posts; they stay held after its end until a person releases them", channel),
		Mend:     fmt.Sprintf("look: belfry post list --channel %s --held; post them: belfry post release --channel %s; drop them: add --drop", channel, channel)}}
}

package desk

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

// Delivery is one call to a platform, or the wait for it.
type Delivery struct {
	ID          int64  `json:"id"`
	Post        string `json:"post"`
	Channel     string `json:"channel"`
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
	Title       string `json:"title"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	Op          string `json:"op"`
	Revision    int    `json:"revision"`
	Attempt     int    `json:"attempt"`
	Code        string `json:"code"`
	Error       string `json:"error"`
	Created     Stamp  `json:"created"`
	Started     Stamp  `json:"started"`
	Settled     Stamp  `json:"settled"`
	Next        Stamp  `json:"next"`
}

func newDelivery(x store.Delivery) Delivery {
	out := Delivery{ID: x.ID, Post: x.Post, Channel: x.Channel, Destination: x.Destination, Chat: x.Chat, Title: x.Title, State: string(x.State), Reason: x.Reason,
		Op: string(x.Op), Revision: x.Revision, Attempt: x.Attempt, Code: x.Code, Error: x.Error, Created: Stamp{x.CreatedAt}, Started: Stamp{x.StartedAt},
		Settled: Stamp{x.SettledAt}}
	if x.State == outbox.Pending {
		out.Next = Stamp{x.NextAt}
	}
	return out
}

// DeliveryQuery chooses deliveries; empty fields choose all.
type DeliveryQuery struct {
	// State is one of States; Post the id of a post or the beginning of it.
	State, Destination, Channel, Post string
	// Before is the number of the delivery after which the list goes on; 0 for the newest.
	Before int64
	// Limit is the most that are given.
	Limit int
}

// States are the states of deliveries: first the waits, then the ends.
func States() []string {
	out := []string{}
	for _, s := range []outbox.State{outbox.Pending, outbox.Started, outbox.Unknown, outbox.Held, outbox.AwaitingPerson, outbox.Sent, outbox.Failed,
		outbox.Suppressed, outbox.Expired, outbox.Dropped} {
		out = append(out, string(s))
	}
	return out
}

// Deliveries lists deliveries, the newest first.
func (d *Desk) Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, error) {
	if q.Destination != "" {
		if _, ok := d.Config.Destinations[q.Destination]; !ok && !slices.Contains(d.Config.Retired, q.Destination) {
			return nil, UnknownName("destination", q.Destination, slices.Collect(maps.Keys(d.Config.Destinations)))
		}
	}
	f := store.DeliveryFilter{State: q.State, Destination: q.Destination, Channel: q.Channel, Limit: q.Limit}
	if q.Post != "" {
		p, err := d.find(ctx, q.Post)
		if err != nil {
			return nil, err
		}
		f.Post = p.PublicID
	}
	rows, err := d.Store.DeliveriesBefore(ctx, f, q.Before)
	out := []Delivery{}
	for _, x := range rows {
		out = append(out, newDelivery(x))
	}
	return out, err
}

// Resent says that a delivery is sent again.
type Resent struct {
	Delivery int64 `json:"delivery"`
	Resent   bool  `json:"resent"`
}

// Resend sends a delivery again that ended without success; the post goes as it is now.
func (d *Desk) Resend(ctx context.Context, delivery int64) (Resent, error) {
	err := d.deliveryTrouble(ctx, delivery, d.Store.Resend(ctx, delivery, d.Actor, time.Now()))
	return Resent{delivery, err == nil}, err
}

// Resolved is what a person said of a delivery.
type Resolved struct {
	Delivery int64  `json:"delivery"`
	Resolved string `json:"resolved"`
}

// Resolve records what only a person can know of a delivery; url, which may be empty, is where a post is that arrived.
func (d *Desk) Resolve(ctx context.Context, delivery int64, say store.Say, url string) (Resolved, error) {
	if url != "" && say != store.SayArrived {
		return Resolved{}, unusable("an address says where a post is that arrived; it belongs to %q", store.SayArrived)
	}
	err := d.deliveryTrouble(ctx, delivery, d.Store.ResolveByHand(ctx, delivery, say, url, d.Actor, time.Now()))
	return Resolved{delivery, string(say)}, err
}

// deliveryTrouble tells apart what the store refused about a delivery, because of the state it is in, and what it could
// not do.
func (d *Desk) deliveryTrouble(ctx context.Context, id int64, err error) error {
	if err == nil || errors.Is(err, store.ErrFailed) {
		return err
	}
	if errors.Is(err, store.ErrNotFound) {
		return errorf(Missing, "there is no delivery %d; see: belfry post deliveries", id)
	}
	state, open, lookErr := d.Store.DeliveryState(ctx, id)
	if lookErr != nil {
		return err
	}
	switch state {
	case outbox.Failed, outbox.Expired, outbox.Dropped:
		if !open {
			return err // it could have been sent again
		}
	}
	return &Error{Conflict, err}
}

// ChannelReleased says how many things of a channel were let go, or dropped.
type ChannelReleased struct {
	Channel  string `json:"channel"`
	Dropped  int    `json:"dropped"`
	Released int    `json:"released"`
}

// ReleaseChannel lets go what a blackout held in a channel, or drops it.
func (d *Desk) ReleaseChannel(ctx context.Context, name string, drop bool) (ChannelReleased, error) {
	out := ChannelReleased{Channel: name}
	if err := d.channel(name); err != nil {
		return out, err
	}
	n, err := d.Store.ReleaseHeld(ctx, name, drop, d.Actor, time.Now())
	if err != nil {
		return out, err
	}
	if n == 0 {
		return out, errorf(Conflict, "channel %s holds nothing", name)
	}
	if drop {
		out.Dropped = n
	} else {
		out.Released = n
	}
	return out, nil
}

// PostReleased says how many things of a post were let go, or dropped.
type PostReleased struct {
	Post     string `json:"post"`
	Dropped  int    `json:"dropped"`
	Released int    `json:"released"`
}

// ReleasePost lets one post go that a blackout holds, here or at a destination, or drops what is held of it.
func (d *Desk) ReleasePost(ctx context.Context, id string, drop bool) (PostReleased, error) {
	p, err := d.find(ctx, id)
	if err != nil {
		return PostReleased{Post: id}, err
	}
	out := PostReleased{Post: p.PublicID}
	n, err := d.Store.ReleasePost(ctx, p.ID, drop, d.Actor, time.Now())
	switch {
	case err != nil:
		return out, err
	case n == 0:
		return out, errorf(Conflict, "nothing of post %s is held", p.PublicID)
	case drop:
		out.Dropped = n
	default:
		out.Released = n
	}
	return out, nil
}

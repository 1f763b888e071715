package desk

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/store"
)

// Status is one screen: what runs, what waits, what needs a person.
type Status struct {
	Site         string        `json:"site"`
	Daemon       Daemon        `json:"daemon"`
	Generation   int           `json:"generation"`
	Applied      Stamp         `json:"applied"`
	Differs      bool          `json:"differs"`
	Sources      []Source      `json:"sources"`
	Destinations []Destination `json:"destinations"`
	Channels     []Channel     `json:"channels"`
	Paused       []Pause       `json:"paused"`
	Alerts       []Alert       `json:"alerts"`
	Telling      Telling       `json:"telling"`
}

// Daemon says whether a daemon uses the store.
type Daemon struct {
	Running bool `json:"running"`
	PID     int  `json:"pid"`
}

// Channel is a configured channel with what it has. Posts are on show, Waiting and Held are items.
type Channel struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Kind    string `json:"kind"`
	Posts   int    `json:"posts"`
	Waiting int    `json:"waiting"`
	Held    int    `json:"held"`
	Last    Stamp  `json:"last"`
	// Next is when the next digest is made: null when nothing says when, and NextNote says why, such as a pause or a blackout.
	Next     Stamp  `json:"next_digest"`
	NextNote string `json:"next_note,omitempty"`
}

// Status tells how everything is.
func (d *Desk) Status(ctx context.Context) (*Status, error) {
	s := &Status{Site: d.Config.Site.Title}
	s.Daemon.PID, s.Daemon.Running = d.Daemon()
	applied, err := d.Store.Applied(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	s.Generation, s.Applied = applied.Generation, Stamp{applied.AppliedAt}
	s.Differs = d.Fallback || err == nil && d.Config.Unlike(applied.Tree, applied.Key, applied.Outside)
	if s.Sources, err = d.Sources(ctx); err != nil {
		return nil, err
	}
	if s.Destinations, err = d.Destinations(ctx); err != nil {
		return nil, err
	}
	if s.Channels, err = d.Channels(ctx); err != nil {
		return nil, err
	}
	if s.Paused, err = d.Pauses(ctx); err != nil {
		return nil, err
	}
	if s.Alerts, err = d.Alerts(ctx); err != nil {
		return nil, err
	}
	s.Telling, err = d.Telling(ctx)
	return s, err
}

// Channels tells of all configured channels, by name.
func (d *Desk) Channels(ctx context.Context) ([]Channel, error) {
	counts, err := d.Store.ChannelCounts(ctx)
	if err != nil {
		return nil, err
	}
	program, err := d.Program(ctx)
	if err != nil {
		return nil, err
	}
	var rows compose.Rows
	if err := d.timetable(ctx, program, &rows); err != nil {
		return nil, err
	}
	out := []Channel{}
	for _, name := range slices.Sorted(maps.Keys(d.Config.Channels)) {
		ch, n := d.Config.Channels[name], counts[name]
		x := Channel{Name: name, Title: ch.Title.In(d.Config.Site.Lang), Kind: "editor", Posts: n.Posts, Waiting: n.Waiting, Held: n.Held, Last: Stamp{n.LastPost}}
		switch {
		case ch.Each != nil:
			x.Kind = "each"
		case ch.Digest != nil:
			x.Kind = "digest"
			next := program.NextDigest(rows, name, d.Now)
			x.Next, x.NextNote = Stamp{next.At}, next.Paused
			if next.Silenced != "" {
				x.NextNote = d.silencedBy(next.Silenced, next.Until)
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// Channel tells of one configured channel.
func (d *Desk) Channel(ctx context.Context, name string) (Channel, error) {
	if err := d.channel(name); err != nil {
		return Channel{}, err
	}
	all, err := d.Channels(ctx)
	if err != nil {
		return Channel{}, err
	}
	return all[slices.IndexFunc(all, func(c Channel) bool { return c.Name == name })], nil
}

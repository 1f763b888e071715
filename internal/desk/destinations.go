package desk

import (
	"context"
	"maps"
	"slices"

	"github.com/belfry-news/belfry/internal/store"
)

// Destination is a configured destination with what waits for it. State is ok, failing, waits, stopped or paused.
type Destination struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	State   string `json:"state"`
	Waiting int    `json:"waiting"`
	Oldest  Stamp  `json:"oldest"`
	Unknown int    `json:"unknown"`
	Failed  int    `json:"failed"`
	Held    int    `json:"held"`
	Listed  int    `json:"needs_a_person"`
	OK      Stamp  `json:"ok"`
	Error   string `json:"error"`
	Until   Stamp  `json:"paused_until"`
	Chats   []Chat `json:"chats"`
}

// Chat is one channel on a destination, with the channels that post there.
type Chat struct {
	Chat     string   `json:"chat"`
	Channels []string `json:"channels"`
	Title    string   `json:"title"`
	URL      string   `json:"url"`
	Stopped  bool     `json:"stopped"`
	Error    string   `json:"error"`
}

// chats are the chats of a destination that channels use, with the channels; alerts count as one.
func (d *Desk) chats(destination string) []Chat {
	by := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(d.Config.Channels)) {
		for _, t := range d.Config.Channels[name].PublishTo {
			if t.Destination == destination && !slices.Contains(by[t.Chat], name) {
				by[t.Chat] = append(by[t.Chat], name)
			}
		}
	}
	for _, t := range d.Config.Alerts.To {
		if t.Destination == destination {
			by[t.Chat] = append(by[t.Chat], "alerts")
		}
	}
	out := []Chat{}
	for _, chat := range slices.Sorted(maps.Keys(by)) {
		out = append(out, Chat{Chat: chat, Channels: by[chat]})
	}
	return out
}

// Destinations reads all configured destinations.
func (d *Desk) Destinations(ctx context.Context) ([]Destination, error) {
	rows, err := d.Store.DestinationRows(ctx)
	if err != nil {
		return nil, err
	}
	pauses, err := d.Store.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	telling, err := d.Telling(ctx)
	if err != nil {
		return nil, err
	}
	out := []Destination{}
	for _, name := range slices.Sorted(maps.Keys(d.Config.Destinations)) {
		r := rows[name]
		x := Destination{Name: name, Type: d.Config.Destinations[name].Type, State: "ok", Waiting: r.Waiting, Oldest: Stamp{r.OldestAt}, Unknown: r.Unknown,
			Failed: r.Failed, Held: r.Held, Listed: r.Listed, OK: Stamp{r.OKAt}, Error: r.Error, Until: Stamp{r.PausedUntil}, Chats: d.chats(name)}
		for i := range x.Chats {
			for _, l := range r.Lanes {
				if c := &x.Chats[i]; l.Chat == c.Chat {
					c.Title, c.URL, c.Stopped, c.Error = l.Title, l.URL, !l.StoppedAt.IsZero(), l.Error
				}
			}
		}
		x.State = d.judge(x, r, pauses)
		for _, p := range telling.Failing() {
			if p.Destination == name && x.State == "ok" {
				x.State, x.Error = "failing", p.Error // what it is told of trouble is all that it is told, or as good as
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// judge says in a word how a destination is.
func (d *Desk) judge(x Destination, r store.DestinationRow, pauses []store.Pause) string {
	paused := slices.ContainsFunc(pauses, func(p store.Pause) bool {
		return p.Scope == store.PauseAll || p.Scope == store.PauseDestination && p.Name == x.Name
	})
	switch {
	case paused:
		return "paused"
	case !r.StoppedAt.IsZero() || slices.ContainsFunc(x.Chats, func(c Chat) bool { return c.Stopped }):
		return "stopped"
	case r.PausedUntil.After(d.Now):
		return "waits"
	case r.Failures > 0:
		return "failing"
	}
	return "ok"
}

// Destination tells of one configured destination.
func (d *Desk) Destination(ctx context.Context, name string) (Destination, error) {
	if _, ok := d.Config.Destinations[name]; !ok {
		return Destination{}, UnknownName("destination", name, slices.Collect(maps.Keys(d.Config.Destinations)))
	}
	all, err := d.Destinations(ctx)
	if err != nil {
		return Destination{}, err
	}
	return all[slices.IndexFunc(all, func(x Destination) bool { return x.Name == name })], nil
}

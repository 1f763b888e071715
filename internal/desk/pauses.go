package desk

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/store"
)

// Pause is something that a person paused, or what became of pausing it.
type Pause struct {
	Scope   string `json:"scope"`
	Name    string `json:"name"`
	Paused  bool   `json:"paused"`
	Since   Stamp  `json:"since"`
	Changed bool   `json:"changed"`
	// Reason is why everything is paused, when it was not a person who paused it.
	Reason string `json:"reason"`
}

// About names what is paused.
func (p Pause) About() string {
	if p.Scope == store.PauseAll {
		return "everything"
	}
	return p.Scope + " " + p.Name
}

// Pauses lists what is paused, the oldest first.
func (d *Desk) Pauses(ctx context.Context) ([]Pause, error) {
	rows, err := d.Store.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	reason, err := d.Store.PauseReason(ctx)
	out := []Pause{}
	for _, p := range rows {
		x := Pause{Scope: p.Scope, Name: p.Name, Paused: true, Since: Stamp{p.Since}}
		if p.Scope == store.PauseAll {
			x.Reason = reason
		}
		out = append(out, x)
	}
	return out, err
}

// pausable checks a scope and a name against the configuration.
func (d *Desk) pausable(scope, name string) error {
	known := map[string][]string{
		store.PauseSource:      slices.Collect(maps.Keys(d.Config.Sources)),
		store.PauseChannel:     slices.Collect(maps.Keys(d.Config.Channels)),
		store.PauseDestination: slices.Collect(maps.Keys(d.Config.Destinations)),
	}
	names, ok := known[scope]
	switch {
	case scope == store.PauseAll && name != "":
		return unusable("all needs no name; to pause one source write: belfry pause source %s", name)
	case scope == store.PauseAll:
		return nil
	case !ok:
		return unusable("%q cannot be paused; there are all, source, channel and destination", scope)
	case name == "":
		return unusable("which %s? known are %s", scope, strings.Join(slices.Sorted(slices.Values(names)), ", "))
	case !slices.Contains(names, name):
		return UnknownName(scope, name, names)
	}
	return nil
}

// Pause pauses a source, a channel or a destination by its name, or everything. Changed is false when it was paused before.
func (d *Desk) Pause(ctx context.Context, scope, name string) (Pause, error) {
	if err := d.pausable(scope, name); err != nil {
		return Pause{}, err
	}
	changed, err := d.Store.Pause(ctx, scope, name, d.Actor, time.Now())
	return Pause{Scope: scope, Name: name, Paused: true, Since: Stamp{d.Now}, Changed: changed}, err
}

// Resume ends a pause, and lets a destination that stopped by itself serve again. Paused says that everything is still
// paused; Changed is false when nothing was.
func (d *Desk) Resume(ctx context.Context, scope, name string) (Pause, error) {
	if err := d.pausable(scope, name); err != nil {
		return Pause{}, err
	}
	changed, err := d.Store.Resume(ctx, scope, name, d.Actor, time.Now())
	if err != nil {
		return Pause{}, err
	}
	rest, err := d.Store.Pauses(ctx)
	everything := slices.ContainsFunc(rest, func(p store.Pause) bool { return p.Scope == store.PauseAll })
	return Pause{Scope: scope, Name: name, Paused: everything, Changed: changed}, err
}

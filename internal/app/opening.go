package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/conn"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/sdk"
)

// A third party's plugin is a program that may be missing, may be another one than it was, may not start, or may hang.
// Nothing waits for it: its sources are opened by their fetches, and its destinations by a goroutine each; what cannot be
// opened fails alone, with an alert, and is opened again later.

// later gives a connector of a third party's type that is opened when it is needed.
func (a *App) later(l *configs.Loaded, section, name, typ string, options map[string]any) *conn.Late {
	return conn.NewLate(func(ctx context.Context, force bool) (sdk.Connector, error) {
		a.letStart(typ, force)
		c, err := a.opener.Open(ctx, name, typ, true, options)
		if err == nil {
			return c, nil
		}
		if ps, wrong := errors.AsType[sdk.Problems](err); wrong && len(ps) > 0 {
			err = &sdk.Error{Code: sdk.CodeInvalid, Op: "open", Public: l.LocateOptions(section, name, ps)[0].String(), Err: err}
		} else {
			e := *sdk.AsError(err)
			e.Public, e.Err = fmt.Sprintf("plugin %s cannot be used: %s", typ, pluginSentence(typ, err)), err
			err = &e
		}
		if ctx.Err() != nil {
			return nil, err // it was given up, which says nothing about the plugin
		}
		return nil, &sdk.Error{Code: sdk.AsError(err).Code, Op: "open", Public: sdk.AsError(err).Public, RetryAfter: sdk.AsError(err).RetryAfter,
			Err: &intake.UnopenedError{Mend: "look: " + pluginCheckCommand(l, typ), Err: err}}
	})
}

// letStart forgets the failed starts of a type of which nothing is open yet: whoever opens it has a back-off of its own,
// or a person asked.
func (a *App) letStart(typ string, asked bool) {
	for _, p := range a.host.Status() {
		if p.Kind == typ && len(p.Instances) == 0 && (asked || p.State == pluginhost.StateHeld) {
			_ = a.host.Release(typ, "") // there may be nothing to forget
		}
	}
}

// releasePlugin lets the plugin of a source be called again: a person asked for it.
func (a *App) releasePlugin(source string) {
	s, ok := a.Config().Sources[source]
	if !ok {
		return
	}
	for _, p := range a.host.Status() {
		if p.Kind == s.Type && p.State == pluginhost.StateHeld {
			_ = a.host.Release(s.Type, "")
		}
	}
	_ = a.host.Release(s.Type, source) // there may be nothing to forget
}

// lanes are the destinations that are served, and those that are still to be opened.
type lanes struct {
	mu sync.Mutex
	// all are what the outbox serves once they are open, by name.
	all map[string]outbox.Destination
	// writers are what the direct lane serves once they are open.
	writers map[string]direct.Destination
	// unopened are of all those which are not.
	unopened map[string]bool
	// openers are the goroutines that open, until stop.
	openers sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
}

// startOpeners lets destinations be opened in the background; what stops them runs before the lanes stop.
func (a *App) startOpeners() {
	//nolint:fatcontext // it is made once, and lives as long as the lanes do
	a.lanes.ctx, a.lanes.stop = context.WithCancel(context.Background())
	a.onStop("opening", func(ctx context.Context) error {
		a.lanes.stop()
		return wait(ctx, &a.lanes.openers)
	})
}

// serve lets the outbox serve these destinations, those that are not open as soon as they are.
func (a *App) serve(ctx context.Context, l *configs.Loaded, all map[string]*instance, dests map[string]outbox.Destination) {
	a.lanes.mu.Lock()
	defer a.lanes.mu.Unlock()
	before := a.lanes.unopened
	a.lanes.all, a.lanes.unopened = dests, map[string]bool{}
	for name, inst := range all {
		if inst.late == nil || inst.late.Opened() {
			continue
		}
		a.lanes.unopened[name] = true
		if before[name] && inst.opening {
			inst.hint() // it is being opened, and is tried anew now
			continue
		}
		inst.opening = true
		kind := l.Destinations[name].Type
		a.lanes.openers.Go(func() { a.openDestination(name, kind, inst) })
	}
	a.outbox.Use(ctx, a.lanes.open())
}

// endLanes ends the lanes of the destinations that do not stay as they are, and keeps what is opened late from beginning them
// anew. again begins them as they were, for when the others cannot be put in force.
func (a *App) endLanes(ctx context.Context, stays func(destination string) bool) (again func()) {
	a.lanes.mu.Lock()
	all, writers := a.lanes.all, a.lanes.writers
	a.lanes.all, a.lanes.writers = maps.Clone(all), maps.Clone(writers)
	maps.DeleteFunc(a.lanes.all, func(name string, _ outbox.Destination) bool { return !stays(name) })
	maps.DeleteFunc(a.lanes.writers, func(name string, _ direct.Destination) bool { return !stays(name) })
	a.lanes.mu.Unlock()
	a.outbox.End(ctx, stays)
	if a.direct != nil {
		a.direct.End(ctx, stays)
	}
	return func() {
		a.lanes.mu.Lock()
		defer a.lanes.mu.Unlock()
		a.lanes.all, a.lanes.writers = all, writers
		a.outbox.Use(ctx, a.lanes.open())
		if a.direct != nil {
			a.direct.Use(ctx, a.lanes.openWriters())
		}
	}
}

// open are the destinations that can be served. The lock is held.
func (l *lanes) open() map[string]outbox.Destination {
	out := maps.Clone(l.all)
	for name := range l.unopened {
		delete(out, name)
	}
	return out
}

const (
	// firstReopen is how long after a destination could not be opened it is opened again; the wait doubles up to
	// longestReopen.
	firstReopen   = time.Minute
	longestReopen = 15 * time.Minute
)

// openDestination opens a destination, however often it takes, and has it served then. Until then its posts wait.
func (a *App) openDestination(name, kind string, inst *instance) {
	ctx, cancel := context.WithCancel(a.lanes.ctx)
	defer cancel()
	defer context.AfterFunc(inst.life, cancel)()
	key := alert.Key{Code: alert.DestinationDown, Subject: name}
	for wait, force := firstReopen, false; ; wait = min(2*wait, longestReopen) {
		err := inst.late.Open(ctx, force)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		said := sdk.AsError(err).Public
		a.log.Warn("a destination cannot be opened; its posts wait", "destination", name, "err", said, "again_in", wait)
		if err := a.db.Raise(ctx, alert.Alert{Code: key.Code, Subject: name,
			Sentence: fmt.Sprintf("destination %s cannot be opened: %s; its posts wait, and other destinations are unaffected", name, said),
			Mend:     fmt.Sprintf("look: belfry destination check %s; it is opened again at the next reload, or by itself", name)}, time.Now()); err != nil && ctx.Err() == nil {
			a.log.Error("an alert cannot be recorded", "destination", name, "err", err)
		}
		if force = inst.rest(ctx, wait); force {
			wait = firstReopen
		}
	}
	if err := a.db.ResolveAlerts(ctx, []alert.Key{key}, time.Now()); err != nil && ctx.Err() == nil {
		a.log.Error("the end of an alert cannot be recorded", "destination", name, "err", err)
	}
	a.log.Info("a destination was opened", "destination", name, "plugin", kind)
	a.lanes.mu.Lock()
	defer a.lanes.mu.Unlock()
	if a.destinations.all()[name] != inst || ctx.Err() != nil {
		return // another configuration is in force
	}
	delete(a.lanes.unopened, name)
	a.outbox.Use(ctx, a.lanes.open())
	a.writersChanged(ctx, name)
}

// retryPlugins lets plugins be called again that failed too often, and makes sources due that are not open or were held: a
// reload is a good moment to try again.
func (a *App) retryPlugins(ctx context.Context) {
	held := map[string]bool{}
	for _, p := range a.host.Status() {
		if p.State == pluginhost.StateHeld {
			_ = a.host.Release(p.Kind, "")
		}
		for _, i := range p.Instances {
			if p.State == pluginhost.StateHeld || i.State == pluginhost.StateHeld {
				held[i.Name] = true
				_ = a.host.Release(p.Kind, i.Name)
			}
		}
	}
	for name, inst := range a.sources.all() {
		if !held[name] && (inst.late == nil || inst.late.Opened()) {
			continue
		}
		if err := a.db.FetchNow(ctx, name, true, time.Now()); err != nil {
			a.log.Error("a source cannot be made due", "source", name, "err", err)
		}
	}
}

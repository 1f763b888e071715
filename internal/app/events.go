package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
)

// lookAtEvents is how often it is looked whether calendars of blackouts changed, besides after each change that a source brings:
// commands change them too.
const lookAtEvents = 10 * time.Second

// events guards the times of blackouts that come from calendars.
type events struct {
	mu sync.Mutex
	// seen is which events were read (store.DB.EventVersions).
	seen string
}

// withEvents gives a program the times of its blackouts that come from calendars, as the store has them: of a calendar that
// cannot be read now, the last known.
func (a *App) withEvents(ctx context.Context, p *compose.Program) (*compose.Program, error) {
	calendars := p.Calendars()
	if len(calendars) == 0 {
		a.events.seen = ""
		return p, nil
	}
	version, err := a.db.EventVersions(ctx, calendars)
	if err != nil {
		return nil, err
	}
	if p, err = p.WithEvents(ctx, a.db, time.Now()); err != nil {
		return nil, err
	}
	a.events.seen = version
	return p, nil
}

// swap puts a program in force after a change of the store, with the times that come from calendars: the change may give a
// calendar the name by which the program knows it.
func (a *App) swap(ctx context.Context, p *compose.Program, change func() error) error {
	a.events.mu.Lock()
	defer a.events.mu.Unlock()
	return a.engine.Swap(func() (*compose.Program, error) {
		if err := change(); err != nil {
			return nil, err
		}
		return a.withEvents(ctx, p)
	})
}

// useEvents lets blackouts follow their calendars. While no event changed it reads a row for each calendar, and no item.
func (a *App) useEvents(ctx context.Context) {
	a.events.mu.Lock()
	defer a.events.mu.Unlock()
	p := a.engine.Program()
	if len(p.Calendars()) == 0 {
		return
	}
	version, err := a.db.EventVersions(ctx, p.Calendars())
	if err == nil && version == a.events.seen {
		return
	}
	if err == nil {
		err = a.engine.Swap(func() (*compose.Program, error) { return a.withEvents(ctx, p) })
	}
	if err != nil && ctx.Err() == nil {
		a.log.Error("the calendars of blackouts cannot be read; their last known times stay", "err", err)
	}
}

// watchEvents looks at the calendars of blackouts now and then.
func (a *App) watchEvents(ctx context.Context) {
	for range ticks(ctx, lookAtEvents) {
		a.useEvents(ctx)
	}
}

// taken follows what a source brought.
func (a *App) taken(source string) {
	if slices.Contains(a.engine.Program().Calendars(), source) {
		a.useEvents(a.life)
	}
	a.engine.Wake()
}

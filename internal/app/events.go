package app

import (
	"context"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
)

// lookAtEvents is how often the calendars of blackouts are looked at, besides after each fetch: commands change them too.
const lookAtEvents = 10 * time.Second

// events guards the times of blackouts that come from calendars.
type events struct {
	mu sync.Mutex
	// seen tells apart what was read of the calendars.
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
	version, err := a.db.SourceVersions(ctx, calendars)
	if err != nil {
		return nil, err
	}
	if p, err = p.WithEvents(ctx, a.db, time.Now()); err != nil {
		return nil, err
	}
	a.events.seen = version
	return p, nil
}

// swap puts a program in force after a change, with the times that come from calendars.
func (a *App) swap(ctx context.Context, p *compose.Program, change func() error) error {
	a.events.mu.Lock()
	defer a.events.mu.Unlock()
	p, err := a.withEvents(ctx, p)
	if err != nil {
		return err
	}
	return a.engine.Swap(p, change)
}

// useEvents lets blackouts follow their calendars.
func (a *App) useEvents(ctx context.Context) {
	calendars := a.engine.Program().Calendars()
	if len(calendars) == 0 {
		return
	}
	a.events.mu.Lock()
	defer a.events.mu.Unlock()
	version, err := a.db.SourceVersions(ctx, calendars)
	if err == nil && version == a.events.seen {
		return
	}
	if err == nil {
		var p *compose.Program
		if p, err = a.withEvents(ctx, a.engine.Program()); err == nil {
			err = a.engine.Swap(p, func() error { return nil })
		}
	}
	if err != nil && ctx.Err() == nil {
		a.log.Error("the calendars of blackouts cannot be read; their last known times stay", "err", err)
	}
}

// watchEvents looks at the calendars of blackouts now and then.
func (a *App) watchEvents(ctx context.Context) {
	t := time.NewTicker(lookAtEvents)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			a.useEvents(ctx)
		}
	}
}

// taken follows what sources brought.
func (a *App) taken() {
	a.useEvents(a.life)
	a.engine.Wake()
}

package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/lanes"
	"github.com/belfry-news/belfry/sdk"
)

// Destination is an opened destination with what the configuration says about it.
type Destination struct {
	Name string
	Conn sdk.Connector
	// Resend says that a call with an unknown outcome is sent again even where that may double it.
	Resend bool
	// NoRates lets calls leave as they come, whatever the platform is known to allow. Rates, when there are any, take the
	// place of what it is known to allow.
	NoRates bool
	Rates   []sdk.Rate
	// Timeout bounds one call; RetryFor is how long passing failures of one post are retried.
	Timeout, RetryFor time.Duration
	// Parallel is how many of its channels are served at once.
	Parallel int
}

// same reports whether nothing about a destination differs.
func (d Destination) same(o Destination) bool {
	return d.Name == o.Name && d.Conn == o.Conn && d.Resend == o.Resend && d.NoRates == o.NoRates && slices.Equal(d.Rates, o.Rates) &&
		d.Timeout == o.Timeout && d.RetryFor == o.RetryFor && d.Parallel == o.Parallel
}

// Renderer makes posts ready for a destination. It is given by whoever knows templates and images.
type Renderer interface {
	Post(ctx context.Context, w Work) (*Post, error)
	Reply(ctx context.Context, w Work) (sdk.Post, error)
	Ladders(channel string) Ladders
	// Silenced says which blackout stops a post that never left, and whether it drops it.
	Silenced(w Work, now time.Time) (name string, drop, silenced bool)
	// Fill loads the data of files.
	Fill(ctx context.Context, files []sdk.File) error
}

// Settings wire an Engine.
type Settings struct {
	Store    Store
	Renderer Renderer
	Log      *slog.Logger
	// Settled is called after a call was accepted, for those who wait for news of it; may be nil.
	Settled func()
	// Called is told of each call: the code is empty when it was accepted. Accepted is told when a post has arrived in full
	// for the first time, and how long after it was due. Both may be nil.
	Called   func(destination string, code sdk.Code, took time.Duration)
	Accepted func(destination string, lag time.Duration)
}

// Engine serves all destinations, each in lanes of its own, so that one that is down delays no other.
type Engine struct {
	s      Settings
	lanes  lanes.Set[*destinationLanes]
	cancel context.CancelFunc
	ctx    context.Context
	done   sync.WaitGroup
}

// NewEngine makes an Engine; Start starts it.
func NewEngine(s Settings) *Engine { return &Engine{s: s} }

// Start recovers what an earlier run left and begins to serve. alone says that no other node can be alive, so that every
// lease of before is over.
func (e *Engine) Start(ctx context.Context, alone bool) error {
	unknown, err := e.s.Store.Recover(ctx, alone, time.Now())
	if err != nil {
		return fmt.Errorf("recover deliveries: %w", err)
	}
	if unknown > 0 {
		e.s.Log.Warn("calls were under way when the daemon ended; what became of them is not known yet", "unknown", unknown)
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.done.Go(e.recoverLoop)
	return nil
}

// Use serves exactly these destinations from now on. A destination whose connector changed is served by the new one once
// the calls under way have ended; Use returns when nothing uses the old connectors any more, or soon after ctx has ended:
// then only calls that ignored their deadline may still do so.
func (e *Engine) Use(ctx context.Context, destinations map[string]Destination) {
	e.lanes.End(ctx, func(name string, l *destinationLanes) bool {
		d, stays := destinations[name]
		return stays && d.same(l.dest)
	})
	for name, d := range destinations {
		e.lanes.Begin(e.ctx, name, func() *destinationLanes { return newDestinationLanes(e, d) })
	}
}

// End ends the lanes of the destinations that do not stay as they are. Until then a lane may call with what was configured before.
func (e *Engine) End(ctx context.Context, stays func(destination string) bool) {
	e.lanes.End(ctx, func(name string, _ *destinationLanes) bool { return stays(name) })
}

// Wake makes every lane look for due deliveries now.
func (e *Engine) Wake() { e.lanes.Wake() }

// Stop starts no further call, waits for those under way until ctx ends, and then gives them up: their outcome is
// unknown, and the next start finds them so.
func (e *Engine) Stop(ctx context.Context) error {
	if e.cancel == nil {
		return nil
	}
	e.lanes.Stop(ctx)
	e.cancel()
	e.done.Wait()
	if err := context.Cause(ctx); err != nil {
		return errors.Join(errors.New("calls were still under way"), err)
	}
	return nil
}

// recoverLoop ends the leases of nodes that died.
func (e *Engine) recoverLoop() {
	t := time.NewTicker(leaseTime / 4)
	defer t.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-t.C:
			if n, err := e.s.Store.Recover(e.ctx, false, time.Now()); err != nil && e.ctx.Err() == nil {
				e.s.Log.Error("leases cannot be looked after", "err", err)
			} else if n > 0 {
				e.s.Log.Warn("a node ended while calls were under way; what became of them is not known yet", "unknown", n)
				e.Wake()
			}
		}
	}
}

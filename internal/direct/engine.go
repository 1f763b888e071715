package direct

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/lanes"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/sdk"
)

// Store keeps streams and messages.
type Store interface {
	consent.MessageStore
	HalfMade(ctx context.Context) ([]consent.Stream, error)
	FanOut(ctx context.Context, stream int64, most int, slot, zone, siteZone string) (made int64, whole bool, err error)
	ClaimMessages(ctx context.Context, destination string, now time.Time, lease time.Duration, size int) (*consent.Batch, error)
	NextMessages(ctx context.Context, destination string) (time.Time, error)
	SettleMessages(ctx context.Context, results []consent.Result) error
	EndBatch(ctx context.Context, b consent.Batch, results []consent.Result, now time.Time) error
	RecoverMessages(ctx context.Context, alone bool, now time.Time) (unknown int, err error)
	ResendUnknown(ctx context.Context, destination string, at time.Time) error
	FinishStreams(ctx context.Context, now time.Time) (int64, error)
	// StopDestination stops a destination whose account does not work, with an alert; PauseDestination waits.
	StopDestination(ctx context.Context, name string, code sdk.Code, sentence string, now time.Time) error
	PauseDestination(ctx context.Context, name string, until time.Time) error
}

// People starts messages, and hears of addresses that are gone.
type People interface {
	Start(ctx context.Context, store consent.MessageStore, w consent.Window, judge func(*consent.Candidate) consent.Judgement) (consent.Begun, error)
	// Gone suppresses the address of a person on a medium.
	Gone(ctx context.Context, p consent.PersonID, medium, reason string, e consent.Evidence) error
	// Work looks at sign-ups.
	Work(ctx context.Context) (int, error)
}

// Text is what a message says, ready for the connector.
type Text struct {
	Common  *sdk.Common
	Slots   map[string]string
	Buttons [][]sdk.Button
	ReplyTo string
	// Revision of the post that is shown; 0 where it is no post, or several.
	Revision int
}

// Writer knows posts and words.
type Writer interface {
	// Facts fills in what the policy has to know of a stream: content, rules, caps, zones. It is asked once for a window, and
	// digest gives the posts that a digest holds for a candidate, from what Facts read.
	Facts(ctx context.Context, s consent.Stream, now time.Time) (base policy.Facts, digest func(*consent.Candidate) []int64, err error)
	// Text makes the text of a started message, of the newest revision.
	Text(ctx context.Context, m consent.Start) (Text, error)
	// Zone is the zone of the site.
	Zone() *time.Location
	// Sunset says after how long without a sign of a person messages ask whether they still read, and how long after that
	// nothing is sent to who does not answer; 0 never asks, or never stops.
	Sunset() (ask, pause time.Duration)
}

// Destination is an opened destination that writes to people.
type Destination struct {
	Name, Medium string
	Conn         sdk.Connector
	// Resend says that a message with an unknown outcome is sent again, under the same name.
	Resend bool
	// Timeout bounds one message; Parallel is how many are under way at
	// once with a connector that takes them one by one.
	Timeout  time.Duration
	Parallel int
	// NoRates lets messages leave as they come, whatever the platform is known to allow. Rates, when there are any, take the
	// place of what it is known to allow.
	NoRates bool
	Rates   []sdk.Rate
}

// Settings wire an Engine.
type Settings struct {
	Store  Store
	People People
	Writer Writer
	Log    *slog.Logger
	Now    func() time.Time
	// Sent is told of each outcome of a message, for metrics; may be nil.
	Sent func(destination string, code sdk.Code, took time.Duration)
	// Settled is called when something became of messages; may be nil.
	Settled func()
}

// Engine serves all destinations that write to people.
type Engine struct {
	s       Settings
	lanes   lanes.Set[*lane]
	wake    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup
	blocked atomic.Bool
}

// The times of the protocol.
const (
	leaseTime = time.Minute
	batchSize = 500
	maxWindow = 32
	windowFor = 50 * time.Millisecond
	fanChunk  = 10_000 // others who write wait some 15 ms for one
	idlePoll  = time.Second
	// correctAfter is longer than a Writer may show what it read: what starts later shows what corrects.
	correctAfter = 1500 * time.Millisecond
)

// New makes an Engine; Start starts it.
func New(s Settings) *Engine {
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Engine{s: s, wake: make(chan struct{}, 1)}
}

// Start recovers what an earlier run left and begins. alone says that no other node can be alive.
func (e *Engine) Start(ctx context.Context, alone bool) error {
	unknown, err := e.s.Store.RecoverMessages(ctx, alone, e.s.Now())
	if err != nil {
		return fmt.Errorf("recover messages: %w", err)
	}
	if unknown > 0 {
		e.s.Log.Warn("messages were under way when the daemon ended; what became of them is not known", "unknown", unknown)
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.done.Go(e.make)
	e.done.Go(e.keep)
	return nil
}

// Block stops every lane for a reason, such as that withdrawals may be missing; nil lets them go.
func (e *Engine) Block(why error) {
	e.blocked.Store(why != nil)
	e.Wake()
}

// Use serves exactly these destinations from now on, and returns when nothing uses the old connectors any more.
func (e *Engine) Use(ctx context.Context, destinations map[string]Destination) {
	e.lanes.End(ctx, func(name string, l *lane) bool {
		d, stays := destinations[name]
		return stays && d.same(l.d)
	})
	for _, d := range destinations {
		e.resend(ctx, d)
	}
	for name, d := range destinations {
		e.lanes.Begin(e.ctx, name, func() *lane { return newLane(e, d) })
	}
}

// End ends the lanes of the destinations that do not stay as they are. Until then a lane may call with what was configured before.
func (e *Engine) End(ctx context.Context, stays func(destination string) bool) {
	e.lanes.End(ctx, func(name string, _ *lane) bool { return stays(name) })
}

// resend lets what was under way when a node died be sent again, under the same name, where the destination says so. It says
// whether that is written.
func (e *Engine) resend(ctx context.Context, d Destination) bool {
	if !d.Resend {
		return true
	}
	err := e.s.Store.ResendUnknown(ctx, d.Name, e.s.Now().Add(resendAfter))
	if err != nil && ctx.Err() == nil {
		e.s.Log.Error("messages whose outcome is not known cannot be sent again", "destination", d.Name, "err", err)
	}
	return err == nil
}

func (d Destination) same(o Destination) bool {
	return d.Name == o.Name && d.Medium == o.Medium && d.Conn == o.Conn && d.Resend == o.Resend && d.Timeout == o.Timeout && d.Parallel == o.Parallel &&
		d.NoRates == o.NoRates && slices.Equal(d.Rates, o.Rates)
}

// Wake makes the engine look for work now.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
	e.lanes.Wake()
}

// Stop starts nothing more, waits for what is under way until ctx ends, and gives the rest up: it is unknown then.
func (e *Engine) Stop(ctx context.Context) error {
	if e.cancel == nil {
		return nil
	}
	e.lanes.Stop(ctx)
	e.cancel()
	e.done.Wait()
	return context.Cause(ctx)
}

// make looks at sign-ups and makes the messages of streams, chunk by chunk.
func (e *Engine) make() {
	t := time.NewTicker(idlePoll)
	defer t.Stop()
	for {
		if n, err := e.s.People.Work(e.ctx); err != nil && e.ctx.Err() == nil {
			e.s.Log.Error("sign-ups cannot be worked on", "err", err)
		} else if n > 0 {
			e.lanes.Wake()
		}
		if err := e.fanOut(); err != nil && e.ctx.Err() == nil {
			e.s.Log.Error("messages cannot be made", "err", err)
		}
		select {
		case <-e.ctx.Done():
			return
		case <-e.wake:
		case <-t.C:
		}
	}
}

func (e *Engine) fanOut() error {
	streams, err := e.s.Store.HalfMade(e.ctx)
	if err != nil {
		return err
	}
	for _, s := range streams {
		if age := e.s.Now().Sub(s.Created); s.Kind == consent.StreamCorrection && age >= 0 && age < correctAfter {
			continue
		}
		slot, zone := SlotOf(s.Occurrence)
		for {
			made, whole, err := e.s.Store.FanOut(e.ctx, s.ID, fanChunk, slot, zone, e.s.Writer.Zone().String())
			if err != nil {
				return fmt.Errorf("stream %d: %w", s.ID, err)
			}
			if made > 0 {
				e.lanes.Wake()
			}
			if whole || made == 0 {
				break // a correction that made none waits for what is under way
			}
		}
	}
	return nil
}

// keep ends the leases of nodes that died and the streams of which nothing is left to do.
func (e *Engine) keep() {
	t := time.NewTicker(leaseTime / 12)
	defer t.Stop()
	lost := false // what a node that died had under way may be sent again, and that is not written yet
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-t.C:
		}
		unknown, err := e.s.Store.RecoverMessages(e.ctx, false, e.s.Now())
		if err != nil && e.ctx.Err() == nil {
			e.s.Log.Error("the leases of messages cannot be looked after", "err", err)
		}
		if lost = lost || unknown > 0; lost {
			lost = false
			for _, l := range e.lanes.All() {
				lost = !e.resend(e.ctx, l.d) || lost
			}
		}
		if _, err := e.s.Store.FinishStreams(e.ctx, e.s.Now()); err != nil && e.ctx.Err() == nil {
			e.s.Log.Error("streams cannot be ended", "err", err)
		}
	}
}

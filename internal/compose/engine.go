package compose

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// ErrConflict says that a row changed between the reading and the commit; what was decided is decided again.
var ErrConflict = errors.New("compose: a row changed meanwhile")

// NewPost is a post to be made, with its outbox rows.
type NewPost struct {
	Channel string
	// Key makes the post unique in its channel.
	Key     string
	Kind    PostKind
	Status  PostStatus
	Content Content
	Items   []PostItem
	// VisibleAt is when it is shown and leaves; for a scheduled post, in the future.
	VisibleAt time.Time
	// DueAt is from when the lag of its copies counts, unless that is VisibleAt: the fetch that brought its item, the end of
	// an embargo, the time of a digest.
	DueAt   time.Time
	Urgent  bool
	Targets []NewTarget
}

// PostItem is an item that a post uses, at the revision it was decided on.
type PostItem struct {
	Item     int64
	Revision int
}

// NewTarget is one place a post goes to.
type NewTarget struct {
	Destination, Chat string
	// ExpiresAt is when it is dropped if it could not leave; zero when it never is.
	ExpiresAt time.Time
	// Failed is the place's condition that failed for FailedItem, so that the copy is held for a person; nil for others.
	Failed     *Failure
	FailedItem int64
}

// Occurrence is one due time of a schedule with what became of it.
type Occurrence struct {
	Schedule, Key string
	At            time.Time
	// Outcome: fired, empty, or missed with its reason.
	Outcome, Reason string
}

// Commit is one transaction about a channel.
type Commit struct {
	Channel string
	Posts   []NewPost
	Out     []LeaveOut
	// Occurrences are recorded with the posts; one that is known already makes the whole commit a conflict, because
	// somebody else decided it.
	Occurrences []Occurrence
	// Schedule and CheckedUntil say how far a schedule was looked at; empty when it was not.
	Schedule, Spec string
	CheckedFrom    time.Time
	CheckedUntil   time.Time
	Alerts         []alert.Alert
	Resolve        []alert.Key
}

// ScheduleState is how far a schedule was looked at.
type ScheduleState struct {
	CheckedUntil time.Time
	Spec         string
}

// Store is what composing needs of the store. Every commit gives ErrConflict when what it was decided on changed.
type Store interface {
	ChangedItems(ctx context.Context, limit int) ([]Changed, error)
	CommitEvaluations(ctx context.Context, es []Evaluation, now time.Time) error
	// StalePosts gives posts of which an item changed, by their ids above after.
	StalePosts(ctx context.Context, after int64, limit int) ([]Stale, error)
	CommitRevision(ctx context.Context, r Revise, now time.Time) error
	WaitingItems(ctx context.Context, channel string) ([]Waiting, error)
	// RecentPosts tells of the posts of single items; Today counts no further than most.
	RecentPosts(ctx context.Context, channel string, since time.Time, most int) (Recent, error)
	Schedule(ctx context.Context, name string) (ScheduleState, error)
	// CommitPosts gives the public ids of the posts that it made, in order; "" for one whose occurrence was decided before.
	CommitPosts(ctx context.Context, c Commit, now time.Time) ([]string, error)
	// DuePosts gives scheduled editors' posts whose time has come.
	DuePosts(ctx context.Context, now time.Time) ([]Scheduled, error)
	// NextScheduled is when the next of them is due; zero when there is none.
	NextScheduled(ctx context.Context) (time.Time, error)
	CommitDue(ctx context.Context, post int64, status PostStatus, reason string, alerts []alert.Alert, now time.Time) error
	// PausedChannels are the channels that a person paused; "" stands for all of them.
	PausedChannels(ctx context.Context) (map[string]time.Time, error)
	ChannelsSince(ctx context.Context) (map[string]time.Time, error)
	// WantImages notes images that posts may need.
	WantImages(ctx context.Context, urls []string, now time.Time) error
	// KeepExpressionAlerts ends the alerts about expressions, except those of these subjects.
	KeepExpressionAlerts(ctx context.Context, subjects []string, now time.Time) error
	// PendingImages says which of these images are still being fetched, and since when.
	PendingImages(ctx context.Context, urls []string) (map[string]time.Time, error)
}

// Scheduled is an editor's post that waits for its time.
type Scheduled struct {
	Post    int64
	Channel string
	Content Content
	At      time.Time
	// Released says that a person released it from a hold.
	Released bool
}

// Settings wire an Engine.
type Settings struct {
	Store Store
	Log   *slog.Logger
	// Composed is called after posts changed, and Wanted after images were asked for.
	Composed, Wanted func()
}

// Engine composes whenever something is due.
type Engine struct {
	s       Settings
	program atomic.Pointer[Program]
	look    sync.Mutex // held during a look
	settled *Program   // whose expressions the alerts in the store are about; guarded by look
	wake    chan struct{}
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// NewEngine makes an Engine for a program; Start starts it.
func NewEngine(s Settings, p *Program) *Engine {
	e := &Engine{s: s, wake: make(chan struct{}, 1)}
	e.program.Store(p)
	return e
}

// Swap puts the program in force that next gives, which may change what it rests on, such as the names in the store. No look
// is under way meanwhile; when next fails, the program stays.
func (e *Engine) Swap(next func() (*Program, error)) error {
	e.look.Lock()
	defer e.look.Unlock()
	p, err := next()
	if err != nil {
		return err
	}
	e.program.Store(p)
	e.Wake()
	return nil
}

// Program gives the program in force.
func (e *Engine) Program() *Program { return e.program.Load() }

// Wake makes the engine look now.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Start begins to compose.
func (e *Engine) Start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.done.Go(func() { e.loop(ctx) })
	return nil
}

// Stop ends composing; what is not committed is as if it had never been decided.
func (e *Engine) Stop(context.Context) error {
	if e.cancel != nil {
		e.cancel()
		e.done.Wait()
	}
	return nil
}

// lookEvery is the contract: a row that became due is noticed within this time, whatever hint was lost.
const lookEvery = time.Second

func (e *Engine) loop(ctx context.Context) {
	for ctx.Err() == nil {
		next, err := e.Look(ctx)
		if err != nil && ctx.Err() == nil {
			e.s.Log.Error("composing failed and is tried again", "err", err)
		}
		wait := lookEvery
		if !next.IsZero() {
			wait = min(wait, max(time.Until(next), time.Millisecond))
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-e.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// Look does everything that is due, and says when something will be due again; zero when only new rows can change that.
func (e *Engine) Look(ctx context.Context) (time.Time, error) {
	e.look.Lock()
	defer e.look.Unlock()
	p := e.program.Load()
	errs := []error{e.settle(ctx, p), e.evaluate(ctx, p)}
	next, err := e.recompose(ctx, p)
	errs = append(errs, err)
	paused, err := e.s.Store.PausedChannels(ctx)
	if err != nil {
		return next, errors.Join(append(errs, err)...)
	}
	for _, ch := range p.Channels {
		since, isPaused := paused[ch.Name]
		if all, allPaused := paused[""]; allPaused {
			since, isPaused = all, true
		}
		var look time.Time
		err = nil
		switch {
		case ch.Config.Each != nil && !isPaused:
			look, err = e.each(ctx, p, ch)
		case ch.Config.Digest != nil:
			look, err = e.digest(ctx, p, ch, since)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("channel %s: %w", ch.Name, err))
		}
		next = sooner(next, look)
	}
	look, err := e.scheduled(ctx, p, paused)
	return sooner(next, look), errors.Join(append(errs, err)...)
}

// settle ends the alerts about expressions that the program in force does not have: whoever changed one mended it.
func (e *Engine) settle(ctx context.Context, p *Program) error {
	if e.settled == p {
		return nil
	}
	err := e.s.Store.KeepExpressionAlerts(ctx, p.Expressions(), time.Now())
	if err == nil {
		e.settled = p
	}
	return err
}

// batch is how many rows one transaction looks at.
const batch = 200

func (e *Engine) composed() {
	if e.s.Composed != nil {
		e.s.Composed()
	}
}

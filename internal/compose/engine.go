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
	"github.com/belfry-news/belfry/scheduler"
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
	Urgent    bool
	Targets   []NewTarget
}

// PostItem is an item that a post uses, at the revision it was decided on.
type PostItem struct {
	Item     int64
	Revision int
}

// NewTarget is one place a post goes to.
type NewTarget struct {
	Destination, Chat string
	// ExpiresAt is when it is dropped if it could not leave.
	ExpiresAt time.Time
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
	RecentPosts(ctx context.Context, channel string, since time.Time) (Recent, error)
	Schedule(ctx context.Context, name string) (ScheduleState, error)
	CommitPosts(ctx context.Context, c Commit, now time.Time) error
	// DuePosts gives scheduled editors' posts whose time has come.
	DuePosts(ctx context.Context, now time.Time) ([]Scheduled, error)
	// NextScheduled is when the next of them is due; zero when there is none.
	NextScheduled(ctx context.Context) (time.Time, error)
	CommitDue(ctx context.Context, post int64, status PostStatus, reason string, now time.Time) error
	// PausedChannels are the channels that a person paused; "" stands for all of them.
	PausedChannels(ctx context.Context) (map[string]time.Time, error)
	ChannelsSince(ctx context.Context) (map[string]time.Time, error)
	// WantImages notes images that posts may need.
	WantImages(ctx context.Context, urls []string, now time.Time) error
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

// Use puts another program in force from the next look on.
func (e *Engine) Use(p *Program) {
	e.program.Store(p)
	e.Wake()
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
	p := e.program.Load()
	errs := []error{e.evaluate(ctx, p)}
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

// batch is how many rows one transaction looks at.
const batch = 200

func (e *Engine) evaluate(ctx context.Context, p *Program) error {
	for {
		items, err := e.s.Store.ChangedItems(ctx, batch)
		if err != nil || len(items) == 0 {
			return err
		}
		created, err := e.s.Store.ChannelsSince(ctx)
		if err != nil {
			return err
		}
		es := make([]Evaluation, len(items))
		var images []string
		for i, it := range items {
			es[i] = p.EvaluateItem(it, created)
			images = append(images, es[i].Images...)
		}
		now := time.Now()
		if len(images) > 0 {
			if err := e.s.Store.WantImages(ctx, images, now); err != nil {
				return err
			}
			if e.s.Wanted != nil {
				e.s.Wanted()
			}
		}
		if err := e.s.Store.CommitEvaluations(ctx, es, now); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
		if len(items) < batch {
			return nil
		}
	}
}

// recompose makes the posts anew whose items changed, and says when it has to look again for the sake of images that are
// still being fetched: a copy must not lose its picture because the new one is late.
func (e *Engine) recompose(ctx context.Context, p *Program) (look time.Time, err error) {
	after := int64(0)
	for {
		posts, err := e.s.Store.StalePosts(ctx, after, batch)
		if err != nil || len(posts) == 0 {
			return look, err
		}
		for _, s := range posts {
			after = s.Post
			now := time.Now()
			r := p.Recompose(s, now)
			if r.Content != nil {
				pending, err := e.s.Store.PendingImages(ctx, r.Content.Images())
				if err != nil {
					return look, err
				}
				if until := lastOf(pending).Add(p.MediaWait); len(pending) > 0 && until.After(now) {
					look = sooner(look, until)
					continue
				}
			}
			err := e.s.Store.CommitRevision(ctx, r, now)
			if errors.Is(err, ErrConflict) {
				look = now // it is still stale
				continue
			}
			if err != nil {
				return look, err
			}
			if r.Content != nil {
				e.s.Log.Info("a post was revised", "channel", s.Channel, "post", s.Post, "status", r.Status)
				e.composed()
			}
		}
	}
}

// lastOf is when the last of some images was asked for.
func lastOf(pending map[string]time.Time) time.Time {
	var last time.Time
	for _, at := range pending {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// sooner is the earlier of two times; a zero time is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (e *Engine) composed() {
	if e.s.Composed != nil {
		e.s.Composed()
	}
}

func (e *Engine) each(ctx context.Context, p *Program, ch *Channel) (time.Time, error) {
	for range 5 {
		now := time.Now()
		waiting, err := e.s.Store.WaitingItems(ctx, ch.Name)
		if err != nil || len(waiting) == 0 {
			return time.Time{}, err
		}
		recent, err := e.s.Store.RecentPosts(ctx, ch.Name, dayStart(p.Zone, now))
		if err != nil {
			return time.Time{}, err
		}
		d := ch.DecideEach(p.Zone, p.MediaWait, waiting, recent, now)
		if len(d.Post)+len(d.Out) == 0 {
			return d.Look, nil
		}
		c := Commit{Channel: ch.Name, Out: d.Out, Alerts: heldAlerts(ch.Name, d.Out)}
		for _, w := range d.Post {
			c.Posts = append(c.Posts, p.eachPost(ch, w, now))
		}
		err = e.s.Store.CommitPosts(ctx, c, now)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		for _, w := range d.Post {
			e.s.Log.Info("a post was made", "channel", ch.Name, "item", w.Item)
		}
		e.composed()
		return d.Look, nil
	}
	return time.Now().Add(lookEvery), nil
}

// eachPost makes the post of one item.
func (p *Program) eachPost(ch *Channel, w Waiting, now time.Time) NewPost {
	c := itemContent(w.Content, ch.Lang, ch.Config.Content == "full")
	c.Note = "" // a first revision corrects nothing that anybody has read
	return NewPost{Channel: ch.Name, Key: fmt.Sprintf("item:%d", w.Item), Kind: KindEach, Status: PostLive, Content: c,
		Items: []PostItem{{w.Item, w.Revision}}, VisibleAt: now, Urgent: ch.isUrgent(View(w.Source, w.Content)),
		Targets: ch.targets([]Waiting{w}, now)}
}

// targets are the places a post of these items goes to.
func (ch *Channel) targets(items []Waiting, now time.Time) []NewTarget {
	var out []NewTarget
	for _, t := range ch.Targets {
		goes := t.where.program == nil || len(items) == 0
		for _, w := range items {
			ok, err := t.where.Match(View(w.Source, w.Content))
			goes = goes || ok && err == nil
		}
		if goes {
			out = append(out, NewTarget{Destination: t.Config.Destination, Chat: t.Config.Chat, ExpiresAt: now.Add(t.Config.MaxAge.Std())})
		}
	}
	return out
}

func heldAlerts(channel string, out []LeaveOut) []alert.Alert {
	held := 0
	for _, o := range out {
		if o.Hold {
			held++
		}
	}
	if held == 0 {
		return nil
	}
	return []alert.Alert{{Code: alert.HeldForRelease, Subject: channel,
		Sentence: fmt.Sprintf("channel %s: a blackout holds posts; they stay held after its end until a person releases them", channel),
		Mend:     fmt.Sprintf("look: belfry post list --channel %s --held; post them: belfry post release --channel %s; drop them: add --drop", channel, channel)}}
}

func (e *Engine) digest(ctx context.Context, p *Program, ch *Channel, pausedSince time.Time) (time.Time, error) {
	for range 5 {
		now := time.Now()
		st, err := e.s.Store.Schedule(ctx, ch.ScheduleName())
		if err != nil {
			return time.Time{}, err
		}
		rule := ch.Rule()
		if !pausedSince.IsZero() {
			rule.Blackouts = append(rule.Blackouts, scheduler.Window{From: pausedSince})
		}
		due := rule.Due(st.CheckedUntil, now)
		if due.CheckedUntil.Equal(st.CheckedUntil) && len(due.Fire) == 0 || !e.worthStoring(st, rule, due) {
			return due.NextLook, nil
		}
		c, err := e.digestCommit(ctx, p, ch, due, now)
		if err != nil {
			return time.Time{}, err
		}
		c.Schedule, c.Spec, c.CheckedFrom, c.CheckedUntil = ch.ScheduleName(), rule.Spec.String(), st.CheckedUntil, due.CheckedUntil
		err = e.s.Store.CommitPosts(ctx, c, now)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		if len(c.Posts) > 0 {
			e.s.Log.Info("a digest was made", "channel", ch.Name, "items", len(c.Posts[0].Items))
			e.composed()
		}
		return due.NextLook, nil
	}
	return time.Now().Add(lookEvery), nil
}

// worthStoring keeps a schedule at which nothing happens from being written at every look: it is enough to move it on
// now and then.
func (e *Engine) worthStoring(st ScheduleState, rule scheduler.Rule, due scheduler.Decision) bool {
	return len(due.Fire)+len(due.Missed)+due.MissedMore > 0 || st.CheckedUntil.IsZero() || st.Spec != rule.Spec.String() ||
		due.CheckedUntil.Sub(st.CheckedUntil) > 10*time.Minute
}

// digestCommit makes what the fired occurrences ask for. Occurrences after the first find what the first left waiting.
func (e *Engine) digestCommit(ctx context.Context, p *Program, ch *Channel, due scheduler.Decision, now time.Time) (Commit, error) {
	c := Commit{Channel: ch.Name}
	for _, m := range due.Missed {
		c.Occurrences = append(c.Occurrences, Occurrence{Schedule: ch.ScheduleName(), Key: m.Key, At: m.At, Outcome: "missed", Reason: string(m.Reason)})
	}
	if missed := len(due.Missed) + due.MissedMore; missed > 0 && len(due.Fire) == 0 {
		c.Alerts = append(c.Alerts, alert.Alert{Code: alert.ScheduleMissed, Subject: ch.Name,
			Sentence: fmt.Sprintf("channel %s: %d planned digests were missed (%s) and are not made up for; their items wait for the next one", ch.Name, missed, lastReason(due.Missed)),
			Mend:     "nothing has to be done; catch_up and catch_up_window say which missed digests are still made"})
	}
	if len(due.Fire) == 0 {
		return c, nil
	}
	c.Resolve = append(c.Resolve, alert.Key{Code: alert.ScheduleMissed, Subject: ch.Name})
	waiting, err := e.s.Store.WaitingItems(ctx, ch.Name)
	if err != nil {
		return c, err
	}
	for _, f := range due.Fire {
		d := ch.DecideDigest(waiting, now)
		o := Occurrence{Schedule: ch.ScheduleName(), Key: f.Key, At: f.At, Outcome: "fired"}
		if f.Late {
			o.Reason = fmt.Sprintf("caught up, stands for %d", f.Covers)
		}
		if d.Empty != "" {
			o.Outcome, o.Reason = "empty", d.Empty
		} else {
			c.Posts = append(c.Posts, p.digestPost(ch, f.Occurrence, d.Items, now))
		}
		c.Occurrences = append(c.Occurrences, o)
		c.Out = append(c.Out, d.Out...)
		waiting = without(waiting, d)
	}
	return c, nil
}

func lastReason(missed []scheduler.Missed) string {
	if len(missed) == 0 {
		return "downtime"
	}
	return string(missed[len(missed)-1].Reason)
}

func without(waiting []Waiting, d DigestDecision) []Waiting {
	gone := map[int64]bool{}
	for _, w := range d.Items {
		gone[w.Item] = true
	}
	for _, o := range d.Out {
		gone[o.Item] = true
	}
	var out []Waiting
	for _, w := range waiting {
		if !gone[w.Item] {
			out = append(out, w)
		}
	}
	return out
}

func (p *Program) digestPost(ch *Channel, o scheduler.Occurrence, items []Waiting, now time.Time) NewPost {
	var entries []Entry
	post := NewPost{Channel: ch.Name, Key: "occurrence:" + o.Key, Kind: KindDigest, Status: PostLive, VisibleAt: now, Targets: ch.targets(items, now)}
	for _, w := range items {
		entries = append(entries, itemEntry(w.Item, w.Content))
		post.Items = append(post.Items, PostItem{w.Item, w.Revision})
	}
	post.Content = digestContent(ch.Lang, p.digestTitle(ch, entries, o.At), entries)
	post.Content.Published = o.At
	return post
}

// scheduled lets editors' posts out whose time has come.
func (e *Engine) scheduled(ctx context.Context, p *Program, paused map[string]time.Time) (time.Time, error) {
	now := time.Now()
	due, err := e.s.Store.DuePosts(ctx, now)
	if err != nil {
		return time.Time{}, err
	}
	for _, s := range due {
		_, all := paused[""]
		if _, one := paused[s.Channel]; one || all {
			continue
		}
		status, reason := PostLive, ""
		if name, _, silenced := p.Silenced(s.Channel, s.Content, now); silenced && !s.Released {
			status, reason = PostHeld, "blackout "+name
		}
		if err := e.s.Store.CommitDue(ctx, s.Post, status, reason, now); err != nil && !errors.Is(err, ErrConflict) {
			return time.Time{}, err
		}
		e.composed()
	}
	return e.s.Store.NextScheduled(ctx)
}

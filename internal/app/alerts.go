package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// patience is how long a place is left alone that could not take an alert: as long as it asks for, and longer each time.
type patience struct {
	failures int
	until    time.Time
	// with is the instance that failed: one that was configured anew is tried at once.
	with *instance
}

func (p *patience) failed(err error, now time.Time) {
	p.failures++
	p.until = now.Add(max(min(5*time.Second<<min(p.failures-1, 10), 10*time.Minute), min(sdk.AsError(err).RetryAfter, outbox.LongestWait)))
}

// maxOwed bounds what is kept for a place that takes nothing; the oldest goes first, and all of it stands in the log.
const maxOwed = 100

// teller tells of alerts.
type teller struct {
	*App
	waits  map[configs.AlertTarget]*patience
	logged map[string]bool // what stands in the log already, although nobody was told
	// marked is what somebody was told and the store could not keep, because its disk is full: it is not told again.
	marked map[string]bool
	// owed is what some place was told and this one could not take yet.
	owed map[configs.AlertTarget][]alert.Row
	// by is the configuration of the last round.
	by *configs.Loaded
}

func newTeller(a *App) *teller {
	return &teller{App: a, waits: map[configs.AlertTarget]*patience{}, logged: map[string]bool{}, marked: map[string]bool{}, owed: map[configs.AlertTarget][]alert.Row{}}
}

// tellAlerts tells of alerts that are new, last, or are over: in the log, and at the places of alerts.to.
func (a *App) tellAlerts(ctx context.Context) {
	tell := newTeller(a)
	t := time.NewTicker(2 * time.Second)
	defer t.Stop()
	said := ""
	for {
		now := ""
		if err := tell.once(ctx, a.life); err != nil && ctx.Err() == nil {
			if now = err.Error(); now != said {
				a.log.Error("what is told of alerts cannot be read or recorded; it is tried again", "err", err)
			}
		}
		said = now
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// use takes up a configuration: nothing is kept of places that it does not name.
func (t *teller) use(ctx context.Context, cfg *configs.Loaded) error {
	if cfg == t.by {
		return nil
	}
	if err := t.db.KeepAlertPlaces(ctx, func(destination, chat string) bool {
		return slices.Contains(cfg.Alerts.To, configs.AlertTarget{Destination: destination, Chat: chat})
	}); err != nil {
		return err
	}
	t.by = cfg
	return nil
}

func (t *teller) once(ctx, life context.Context) error {
	cfg := t.Config()
	failed := t.use(ctx, cfg) // what cannot be recorded is no reason to tell nobody
	t.payOwed(ctx, life, cfg)
	u := t.untaken.Load()
	if u != nil && !u.told.Load() && t.everywhere(life, u.Row, cfg) {
		u.told.Store(true)
	}
	rows, err := t.db.UntoldAlerts(ctx, cfg.Alerts.Repeat.Std(), cfg.Alerts.Settle.Std(), time.Now())
	if err != nil {
		return errors.Join(failed, err)
	}
	for _, r := range rows {
		if ctx.Err() != nil {
			break
		}
		key := logKey(r)
		early := u != nil && u.told.Load() && r.Resolved.IsZero() && r.Key() == u.Key()
		if !early && !t.marked[key] && !t.everywhere(life, r, cfg) {
			continue
		}
		if err := t.db.AlertTold(ctx, r, time.Now()); err != nil {
			t.marked[key] = true
			failed = errors.Join(failed, err)
			continue
		}
		delete(t.marked, key)
		if early {
			t.untaken.CompareAndSwap(u, nil)
		}
	}
	return failed
}

// everywhere tells every place of one alert, and writes it into the log. It reports whether any place took it; what the others
// could not take is kept for them then.
func (t *teller) everywhere(life context.Context, r alert.Row, cfg *configs.Loaded) bool {
	told := len(cfg.Alerts.To) == 0
	var missed []configs.AlertTarget
	for _, to := range cfg.Alerts.To {
		// What a place could not take before goes first.
		if len(t.owed[to]) > 0 || !t.try(life, to, r, cfg) {
			missed = append(missed, to)
			continue
		}
		told = true
	}
	t.note(r)
	if !told {
		return false
	}
	delete(t.logged, logKey(r))
	for _, to := range missed {
		t.owe(to, r)
	}
	return true
}

// try tells one place, unless it wants to be left alone. A call under way is not cut off by the end of the watching: it
// has the time that stopping has. What became of it is kept in the store, where status and doctor see that nobody is told.
func (t *teller) try(life context.Context, to configs.AlertTarget, r alert.Row, cfg *configs.Loaded) bool {
	inst := t.destinations.all()[to.Destination]
	if p := t.waits[to]; p != nil && p.with == inst && time.Now().Before(p.until) {
		return false
	}
	err := t.tell(life, to, r, cfg)
	if err == nil {
		delete(t.waits, to)
		if err := t.db.AlertTaken(life, to.Destination, to.Chat, time.Now()); err != nil {
			t.log.Error("that an alert arrived cannot be recorded", "destination", to.Key(), "err", err)
		}
		return true
	}
	if t.waits[to] == nil || t.waits[to].with != inst {
		t.waits[to] = &patience{with: inst}
	}
	t.waits[to].failed(err, time.Now())
	t.log.Warn("an alert did not reach a destination", "destination", to.Key(), "code", r.Code, "err", err, "again", t.waits[to].until)
	if err := t.db.AlertRefused(life, refusal(to, err), time.Now()); err != nil {
		t.log.Error("that an alert did not arrive cannot be recorded", "destination", to.Key(), "err", err)
	}
	return false
}

// refusal is what is kept of a place that did not take an alert.
func refusal(to configs.AlertTarget, err error) store.AlertPlace {
	p := store.AlertPlace{Destination: to.Destination, Chat: to.Chat, Error: desk.Sentence(err).Error()}
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		p.Code = e.Code
	}
	return p
}

// owe keeps what is newest of an alert for a place that could not take it.
func (t *teller) owe(to configs.AlertTarget, r alert.Row) {
	list := slices.DeleteFunc(t.owed[to], func(old alert.Row) bool { return old.ID == r.ID })
	list = append(list, r)
	t.owed[to] = list[max(0, len(list)-maxOwed):]
}

// payOwed tells places of what they could not take before.
func (t *teller) payOwed(ctx, life context.Context, cfg *configs.Loaded) {
	for to := range t.owed {
		wanted := slices.Contains(cfg.Alerts.To, to)
		for wanted && ctx.Err() == nil && len(t.owed[to]) > 0 && t.try(life, to, t.owed[to][0], cfg) {
			t.owed[to] = t.owed[to][1:]
		}
		if !wanted || len(t.owed[to]) == 0 {
			delete(t.owed, to)
		}
	}
}

func logKey(r alert.Row) string { return fmt.Sprint(r.ID, " ", r.Count, " ", r.Resolved.IsZero()) }

// note writes an alert, or its end, into the log, once.
func (t *teller) note(r alert.Row) {
	key := logKey(r)
	switch {
	case t.logged[key]:
	case r.Resolved.IsZero():
		t.log.Warn("alert", "code", r.Code, "subject", r.Subject, "sentence", r.Sentence, "mend", r.Mend, "count", r.Count)
	default:
		t.log.Info("an alert is over", "code", r.Code, "subject", r.Subject)
	}
	t.logged[key] = true
}

// tell tells one place of one alert. It counts as a call to the destination.
func (a *App) tell(ctx context.Context, to configs.AlertTarget, r alert.Row, cfg *configs.Loaded) error {
	inst, done, ok := a.destinations.acquire(to.Destination)
	if !ok {
		return errors.New("it is not open")
	}
	defer done()
	begun := time.Now()
	err := alert.Tell(ctx, inst.conn, to.Chat, r, alert.Site{Title: cfg.Site.Title, Zone: cfg.Zone()})
	code := sdk.Code("")
	if err != nil {
		code = sdk.AsError(err).Code
	}
	a.metrics.Called(to.Destination, code, time.Since(begun))
	return err
}

// unheard says that people are not told of trouble although there is some to tell of: no place of alerts.to has taken
// anything since a time.
func unheard(ctx context.Context, db *store.DB, cfg *configs.Loaded, since time.Time) (bool, error) {
	if len(cfg.Alerts.To) == 0 {
		return false, nil
	}
	failing, err := db.AlertPlaces(ctx)
	if err != nil {
		return false, err
	}
	for _, to := range cfg.Alerts.To {
		if !slices.ContainsFunc(failing, func(p store.AlertPlace) bool {
			return p.Destination == to.Destination && p.Chat == to.Chat && p.Since.Before(since)
		}) {
			return false, nil
		}
	}
	n, _, err := db.UnheardAlerts(ctx)
	return n > 0, err
}

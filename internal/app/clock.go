package app

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

const (
	// lookAtClock is how often the clock is compared with the time that went by.
	lookAtClock = 5 * time.Second
	// clockSlack is how far the clock may move without anybody acting: whatever waits for it waits that much longer.
	clockSlack = 30 * time.Second
	// farAhead is from when on a clock that moved ahead, or a daemon that was away, keeps the store from being pruned for
	// pruneLater: what a wrong clock calls old would be gone for good.
	farAhead   = 24 * time.Hour
	longAway   = 7 * 24 * time.Hour
	pruneLater = 24 * time.Hour
	// keepClock is how often the store keeps what the clock reads.
	keepClock = time.Minute
	// clockSettled is for how long a clock has to stand right until the alert about it ends.
	clockSettled = time.Hour
)

var clockAlert = alert.Key{Code: alert.ClockChanged, Subject: "clock"}

// clockReading is one look at the clock, and for how long the process ran then, by a clock that nobody sets.
type clockReading struct {
	wall time.Time
	ran  time.Duration
}

func (a *App) readClock() clockReading {
	now := time.Now()
	return clockReading{now.Round(0), now.Sub(a.born)}
}

// moved is by how much the clock was set between two looks.
func (r clockReading) moved(later clockReading) time.Duration {
	return later.wall.Sub(r.wall) - (later.ran - r.ran)
}

// startClock notices a clock that was set back since the daemon before, before anything is planned by it.
func (a *App) startClock(ctx context.Context) error {
	last, err := a.db.ClockRead(ctx)
	if err != nil {
		return err
	}
	newest, err := a.db.NewestStamp(ctx)
	if err != nil {
		return err
	}
	if newest.After(last) {
		last = newest
	}
	now := time.Now()
	away := now.Sub(last)
	switch {
	case last.IsZero():
	case away < -clockSlack:
		return a.clockMoved(ctx, away, now)
	case away > longAway:
		a.pruneAfter.Store(new(now.Add(pruneLater)))
	}
	return a.db.KeepClock(ctx, now)
}

// watchClock notices when the clock is set.
func (a *App) watchClock(ctx context.Context) {
	last := a.readClock()
	kept, set := last.ran, last.ran
	told := true // an alert of before may last
	for range ticks(ctx, lookAtClock) {
		r := a.readClock()
		by := last.moved(r)
		var err error
		switch {
		case by < -clockSlack, by > farAhead:
			if err = a.clockMoved(ctx, by, r.wall); err == nil {
				kept, set, told = r.ran, r.ran, true
			}
		case r.ran-kept >= keepClock:
			if err = a.db.KeepClock(ctx, r.wall); err == nil {
				kept = r.ran
			}
		}
		if told && r.ran-set >= clockSettled && err == nil {
			err = a.db.ResolveAlerts(ctx, []alert.Key{clockAlert}, r.wall)
			told = err != nil
		}
		if err != nil {
			if ctx.Err() == nil {
				a.log.Error("what the clock reads cannot be kept; it is tried again", "err", err)
			}
			continue // a jump that could not be acted on is met again
		}
		last = r
	}
}

// clockMoved makes everything that waits fit a clock that was set, and tells of it.
func (a *App) clockMoved(ctx context.Context, by time.Duration, now time.Time) error {
	a.log.Warn("the clock was set", "by", by, "now", now)
	sentence := fmt.Sprintf("the clock was set ahead by %s: what waited until a time in between is due now, and what was to leave by then has expired; nothing is pruned for %s",
		sdk.D(by.Round(time.Second)), sdk.D(pruneLater))
	if by < 0 {
		by = -by
		sentence = fmt.Sprintf("the clock was set back by %s: what waits keeps its wait, what was recorded as later counts as of now, and no schedule fires twice", sdk.D(by.Round(time.Second)))
		if err := a.db.ClockSetBack(ctx, by, now); err != nil {
			return err
		}
	} else {
		a.pruneAfter.Store(new(time.Now().Add(pruneLater))) // by the time that goes by, whatever the clock is set to
		if err := a.db.KeepClock(ctx, now); err != nil {
			return err
		}
	}
	if a.poller != nil { // it runs
		a.poller.Wake()
		a.engine.Wake()
		a.outbox.Wake()
	}
	return a.db.Raise(ctx, alert.Alert{Code: clockAlert.Code, Subject: clockAlert.Subject, Sentence: sentence,
		Mend: "see that the network sets this machine's clock, and that it is right now: timedatectl"}, now)
}

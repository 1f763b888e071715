package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/disk"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// upkeep is what a daemon knows of its store's room and past.
type upkeep struct {
	// free tells the room of a folder's disk.
	free func(dir string) (int64, bool)
	// low says that there is less room than disk_floor.
	low atomic.Bool
	// unreserved says that the reserve could not be made, which is said once.
	unreserved bool
	// untaken is the alert about the disk while the store has no room for it; nil when it has.
	untaken atomic.Pointer[untaken]
	// pressed asks to prune now, because room is short.
	pressed chan struct{}
	// pruneAfter is until when nothing is pruned, because the clock may be wrong; nil when it always may.
	pruneAfter atomic.Pointer[time.Time]
	// back is set when the store came from a backup.
	back *store.ComeBack
}

// untaken is an alert that the store could not take: the one about a full disk has to reach somebody all the same.
type untaken struct {
	alert.Row
	// told says that a place took it.
	told atomic.Bool
}

const (
	// lookAtDisk is how often the room on the disk is looked at.
	lookAtDisk = 10 * time.Second
	// firstTidy is how long after a start, and tidyEvery how often, the store is pruned.
	firstTidy = 2 * time.Minute
	tidyEvery = time.Hour
	// pruneRows is how many rows one small transaction of pruning touches, and givePages how many pages one gives back.
	pruneRows = 200
	givePages = 250
	// freePages are left in the file for what comes next.
	freePages = 1000
	// noRoom is the room in which the store may find none for a commit, beside its log: the reserve is given up.
	noRoom = disk.ReserveSize / 4
	// longestQuiet is how long pruning waits for a quiet moment before it goes on all the same.
	longestQuiet = 30 * time.Second
)

// startUpkeep learns what counts from the first fetch on.
func (a *App) startUpkeep(ctx context.Context) error {
	back, came, err := a.db.ComeBack(ctx)
	if err != nil {
		return err
	}
	if came {
		a.back = &back
	}
	return a.checkDisk(ctx)
}

// cameBack completes the rules of a source that a backup knew.
func (a *App) cameBack(name string, r intake.Rules) intake.Rules {
	if a.back != nil && slices.Contains(a.back.Sources, name) {
		r.CameBack, r.BackupTaken = a.back.At, a.back.Taken
	}
	return r
}

// roomySources gives no source to fetch while room is short. Looking at items' addresses, which finds withdrawals, goes on.
type roomySources struct {
	*store.DB
	low *atomic.Bool
}

// ClaimSources implements intake.Store.
func (r roomySources) ClaimSources(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]intake.State, error) {
	if r.low.Load() {
		return nil, nil
	}
	return r.DB.ClaimSources(ctx, now, lease, limit)
}

// roomyMedia gives no image to fetch while room is short.
type roomyMedia struct {
	*store.DB
	low *atomic.Bool
}

// WantedMedia implements media.Store.
func (r roomyMedia) WantedMedia(ctx context.Context, now time.Time, limit int) ([]media.Wanted, error) {
	if r.low.Load() {
		return nil, nil
	}
	return r.DB.WantedMedia(ctx, now, limit)
}

// watchDisk looks at the room on the disk, and at what is to be gone from it.
func (a *App) watchDisk(ctx context.Context) {
	for range ticks(ctx, lookAtDisk) {
		a.keepReserve()
		if err := a.checkDisk(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("the alert about the room on the disk cannot be recorded", "err", err)
		}
		// What a legal retraction purged is gone from the files too, also when the command that asked for it has ended.
		if _, err := a.db.Forget(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("the log of the store cannot be emptied of what was purged; it is tried again", "err", err)
		}
	}
}

// keepReserve holds a little room beside the store while there is enough, and gives it up when there is none: nothing is
// fetched then, and what takes it are retractions, the outcomes of calls, and people who leave.
func (a *App) keepReserve() {
	cfg := a.Config()
	dir, floor := DataDir(cfg), int64(cfg.DiskFloor)
	free, known := a.free(dir)
	switch {
	case floor == 0 || known && free < noRoom:
		was, err := disk.GiveUp(dir)
		if err != nil {
			a.log.Error("the reserve beside the store cannot be given up", "err", err)
		}
		if was {
			a.log.Warn("the reserve beside the store is given up", "free", free, "bytes", disk.ReserveSize)
		}
	case known && free >= floor+floor/10+disk.ReserveSize:
		err := disk.Hold(dir)
		if err != nil && !a.unreserved {
			a.log.Warn("no room can be reserved beside the store; it is tried again", "err", err)
		}
		a.unreserved = err != nil
	}
}

// checkDisk stops the fetching below disk_floor, and lets it go on once there is a tenth more than that.
func (a *App) checkDisk(ctx context.Context) error {
	cfg := a.Config()
	dir, floor := DataDir(cfg), int64(cfg.DiskFloor)
	free, known := a.free(dir)
	enough := floor
	if a.low.Load() {
		enough += floor / 10
	}
	low := known && floor > 0 && free < enough
	if a.low.Swap(low) != low {
		a.log.Warn("the room on the disk", "low", low, "free", free, "disk_floor", floor)
	}
	key := alert.Key{Code: alert.DiskLow, Subject: dir}
	open, err := a.db.Alerted(ctx, key)
	if err != nil {
		return err
	}
	now := time.Now()
	switch {
	case !low:
		return a.roomAgain(ctx, key, open, now)
	case open:
		return nil
	}
	select {
	case a.pressed <- struct{}{}:
	default: // it is asked for already
	}
	raised := alert.Alert{Code: key.Code, Subject: key.Subject,
		Sentence: fmt.Sprintf("the disk of %s has %s left, less than disk_floor (%s); nothing is fetched any more, so that what a source withdraws or corrects now is not noticed; "+
			"retractions by people, withdrawals that are known already, and what was taken in still go",
			dir, disk.Bytes(free), disk.Bytes(floor)),
		Mend: "see what takes room: belfry store size; make room, keep less (retention:), or lower disk_floor:; fetching then goes on by itself"}
	if err := a.db.Raise(ctx, raised, now); err != nil {
		if ctx.Err() == nil && a.untaken.Load() == nil {
			// What the sentence promises of a disk with little room does not hold on one without any.
			raised.Sentence = fmt.Sprintf("the disk of %s has %s left, and the store takes nothing: until there is room nothing is fetched and nothing leaves, retractions neither",
				dir, disk.Bytes(free))
			a.untaken.Store(&untaken{Row: alert.Row{Alert: raised, First: now, Last: now, Count: 1}})
		}
		return err
	}
	return nil
}

// roomAgain ends the alert about the disk. One that the store could not take is recorded now, so that whoever was told of it
// is told of its end as well.
func (a *App) roomAgain(ctx context.Context, key alert.Key, open bool, now time.Time) error {
	u := a.untaken.Load()
	if u != nil && u.told.Load() {
		if !open {
			if err := a.db.Raise(ctx, u.Alert, now); err != nil {
				return err
			}
			open = true
		}
		rows, err := a.db.Alerts(ctx)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Key() != key {
				continue
			}
			if err := a.db.AlertTold(ctx, r, now); err != nil {
				return err
			}
		}
	}
	if open {
		if err := a.db.ResolveAlerts(ctx, []alert.Key{key}, now); err != nil {
			return err
		}
	}
	a.untaken.Store(nil)
	return nil
}

// tidy prunes the store, hourly and when room is short.
func (a *App) tidy(ctx context.Context) {
	wait := firstTidy
	for {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-a.pressed:
		case <-t.C:
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
		wait = tidyEvery
		if after := a.pruneAfter.Load(); after != nil && time.Until(*after) > 0 {
			a.log.Warn("nothing is pruned yet: the clock moved far ahead, or the daemon was away for long", "for", time.Until(*after).Round(time.Minute))
			continue
		}
		if err := a.prune(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.log.Error("the store cannot be pruned", "err", err)
		}
	}
}

// retentionOf is what a configuration says of the store.
func retentionOf(r configs.Retention) store.Retention {
	return store.Retention{Items: r.Items.Std(), Posts: r.Posts.Std(), Deliveries: r.Deliveries.Std(), Messages: r.Messages.Std(), Webhooks: r.Webhooks.Std(), Media: r.Media.Std(), Alerts: r.Alerts.Std(), Acts: r.Acts.Std()}
}

// prune makes one pass over the store: what is older than its retention goes, then images that no row names, then the
// room goes back to the disk.
func (a *App) prune(ctx context.Context, now time.Time) error {
	pass := a.db.Prune(retentionOf(a.Config().Retention), pruneRows, now)
	var total store.Pruned
	if err := a.gently(ctx, func() (bool, error) {
		out, err := pass.Step(ctx)
		total.Add(out)
		for _, name := range out.Files {
			err = errors.Join(err, a.files.Remove(name))
		}
		return out.More, err
	}); err != nil {
		return err
	}
	if a.people != nil {
		n, err := a.people.Tidy(ctx)
		if err != nil {
			return fmt.Errorf("people who never confirmed: %w", err)
		}
		if n > 0 {
			a.log.Info("people who never confirmed were forgotten", "people", n)
		}
	}
	files, bytes := 0, int64(0)
	if a.Config().Retention.Media > 0 {
		named, err := a.db.NamedFiles(ctx)
		if err != nil {
			return err
		}
		if files, bytes, err = a.files.Sweep(ctx, named, now); err != nil {
			return err
		}
	}
	if total.Sum()+files > 0 {
		a.log.Info("the store was pruned", "items", total.Items, "posts", total.Posts, "deliveries", total.Deliveries, "messages", total.Messages, "images", total.Media,
			"alerts", total.Alerts, "acts", total.Acts, "files", files, "file_bytes", bytes)
	}
	return a.gently(ctx, func() (bool, error) {
		left, err := a.db.GiveBack(ctx, freePages, givePages)
		return left > 0, err
	})
}

// gently does step after step, each in a quiet moment, and rests four times as long as each took.
func (a *App) gently(ctx context.Context, step func() (more bool, err error)) error {
	for {
		if err := a.quiet(ctx); err != nil {
			return err
		}
		began := time.Now()
		more, err := step()
		if err != nil || !more {
			return err
		}
		if err := rest(ctx, 4*time.Since(began)); err != nil {
			return err
		}
	}
}

// quiet waits until nothing is being written or sent, but not for ever.
func (a *App) quiet(ctx context.Context) error {
	for until := time.Now().Add(longestQuiet); time.Now().Before(until); {
		quiet, err := a.db.Quiet(ctx)
		if err != nil || quiet {
			return err
		}
		if err := rest(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Restore puts a backup in the place of the store of a configuration. It refuses while a daemon uses it.
func Restore(ctx context.Context, l *configs.Loaded, file string, progress func(done, total int64)) (sqlite.Restored, error) {
	dir := DataDir(l)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return sqlite.Restored{}, fmt.Errorf("the data folder %s cannot be made: %w", dir, err)
	}
	release, err := lock(dir)
	if err != nil {
		return sqlite.Restored{}, err
	}
	defer release()
	return sqlite.Restore{From: file, To: Database(l), Folder: filepath.Join(dir, "media"), Now: time.Now(), Progress: progress}.Run(ctx)
}

package storetest

import (
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/store"
)

// health is what says that a daemon works, and that its clock stood right.
func health(f *fixture) {
	overdue := func() string {
		name, since, err := f.Overdue(f.ctx(), f.now.Add(-5*time.Minute))
		if errors.Is(err, store.ErrNotFound) {
			return ""
		}
		f.ok(err)
		if !since.Before(f.now.Add(-5 * time.Minute)) {
			f.Errorf("%s is due since %s", name, since)
		}
		return name
	}
	f.same("nothing happened", time.Time{}, must[time.Time](f)(f.NewestStamp(f.ctx())))
	f.ok(f.UseSources(f.ctx(), []store.SourceSetting{{Name: "feed", Poll: time.Minute}, {Name: "desk", Poll: time.Minute}}, f.now))
	f.same("just due", "", overdue())
	f.later(10 * time.Minute)
	f.same("late", "desk", overdue())
	f.same("paused", true, must[bool](f)(f.Pause(f.ctx(), store.PauseSource, "desk", "test", f.now)))
	f.same("the other one", "feed", overdue())
	if _, err := f.ClaimSources(f.ctx(), f.now, time.Minute, 10); err != nil {
		f.Error(err)
	}
	f.same("being fetched", "", overdue())
	f.later(10 * time.Minute)
	f.same("the lease is long over", "feed", overdue())
	f.same("paused as a whole", true, must[bool](f)(f.Pause(f.ctx(), store.PauseAll, "", "test", f.now)))
	f.same("nothing is expected", "", overdue())
	f.same("the newest act", f.now, must[time.Time](f)(f.NewestStamp(f.ctx())))
}

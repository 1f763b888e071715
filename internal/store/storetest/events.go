package storetest

import (
	"time"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

// events holds that whoever watches the events of calendars learns of each change, and has nothing to read again otherwise.
func events(f *fixture) {
	event := func(key string, from time.Time) sdk.Item {
		it := item(key, key)
		it.Event = &sdk.Event{UID: key, Start: from, End: from.Add(time.Hour)}
		return it
	}
	f.ok(f.UseSources(f.ctx(), []store.SourceSetting{{Name: "agenda"}, {Name: "feed"}}, f.now))
	names := []string{"agenda", "other"}
	version := must[string](f)(f.EventVersions(f.ctx(), names))
	step := func(what string, moves bool, windows ...scheduler.Window) {
		f.Helper()
		now := must[string](f)(f.EventVersions(f.ctx(), names))
		f.same(what+" is another version", moves, now != version)
		version = now
		f.same(what+": the times", scheduler.Windows(windows), must[map[string]scheduler.Windows](f)(f.EventTimes(f.ctx(), names, f.now))["agenda"])
	}
	commit := func(source string, ch intake.Change) {
		f.Helper()
		ch.State = must[intake.State](f)(f.SourceState(f.ctx(), source))
		f.ok(f.CommitIntake(f.ctx(), ch, f.now))
	}
	at := func(hours int) scheduler.Window {
		from := f.now.Add(time.Duration(hours) * time.Hour)
		return scheduler.Window{From: from, To: from.Add(time.Hour)}
	}
	one, two := event("one", at(1).From), event("two", at(5).From)
	step("nothing", false)
	f.bring("agenda", one)
	step("a new event", true, at(1))
	f.bring("agenda", two)
	step("a second one", true, at(5), at(1))
	id := f.item("agenda", "one").ID
	commit("agenda", intake.Change{})
	step("a fetch without a change", false, at(5), at(1))
	commit("agenda", intake.Change{Updates: []intake.Update{{ID: id, State: intake.Live, Listed: true, ListedAt: f.now}}})
	step("an event that is still there", false, at(5), at(1))
	f.bring("feed", item("a", "A"))
	step("what a feed brings", false, at(5), at(1))
	f.bring("agenda", item("note", "A note without an event"))
	step("what is no event", false, at(5), at(1))
	later := event("one", at(2).From)
	commit("agenda", intake.Change{Updates: []intake.Update{{ID: id, Item: &later, Substance: "s2", Facts: "f2"}}})
	step("an event that was moved", true, at(5), at(2))
	commit("agenda", intake.Change{Updates: []intake.Update{{ID: id, State: intake.Removed, Reason: "absent"}}})
	step("an event that is gone", true, at(5))
	commit("agenda", intake.Change{Updates: []intake.Update{{ID: id, State: intake.Live}}})
	step("an event that came back", true, at(5), at(2))

	// What people decide.
	commit("agenda", intake.Change{Holds: []intake.Hold{{Kind: intake.HoldRemoval, Note: "many are gone", Removals: []int64{id}, Reason: "absent"}}})
	step("a withdrawal that waits", false, at(5), at(2))
	must[int](f)(f.ReleaseSourceHolds(f.ctx(), "agenda", false, "test", f.now))
	step("its release", true, at(5))
	must[store.Retracted](f)(f.RetractItem(f.ctx(), f.item("agenda", "two").ID, "ruling", "test", f.now))
	step("a retraction for good", true)
}

// Package storetest is what every engine of the store has to pass: one suite about behaviour, run on real databases.
package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Open opens a database by its name, which is new the first time. The same name within one test is the same database,
// as two processes have it. The database is closed by whoever asked for it.
type Open func(t *testing.T, name string) *store.DB

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*fixture)
	}{
		{"transactions happen whole or not at all", transactions},
		{"many writers at once", manyWriters},
		{"the end", theEnd},
		{"texts come back as they were", texts},
		{"times come back as instants", times},
		{"secrets, configurations, names", names},
		{"pauses", pauses},
		{"alerts", alerts},
		{"alerts that come and go", flapping},
		{"places that take no alerts", alertPlaces},
		{"one post is released", onePost},
		{"health", health},
		{"sources are claimed once", sources},
		{"what a fetch brings is one transaction", fetches},
		{"items that wait for a person", holds},
		{"the events of calendars", events},
		{"what a person let go leaves", released},
		{"what an expression failed for", failedExpressions},
		{"the first fetch", baseline},
		{"addresses are checked", checks},
		{"channels take items up", channels},
		{"posts use items once", posts},
		{"digests", digests},
		{"revisions", revisions},
		{"posts for later", scheduled},
		{"editors", editors},
		{"images", images},
		{"pages", pages},
		{"a retraction for good", retraction},
		{"a retraction for good of what a digest has", digestRetraction},
		{"batches are claimed once", batches},
		{"an outcome and the next start are one", follows},
		{"rates keep the next start back and not the outcome", followsRates},
		{"a call is kept as long as it may be needed", callsKept},
		{"a call starts only under its lease", starts},
		{"outcomes", outcomes},
		{"unknown outcomes", unknowns},
		{"rates", rates},
		{"troubled destinations", trouble},
		{"renamed destinations", renames},
		{"webhooks", webhooks},
		{"subscriptions", subscriptions},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fixture{T: t, open: open, now: time.Date(2026, 11, 20, 6, 12, 13, 456_789_000, time.UTC)}
			f.DB = f.opened("one")
			c.test(f)
		})
	}
}

// fixture is a test with a database and a clock.
type fixture struct {
	*testing.T
	*store.DB
	open Open
	now  time.Time
}

// opened opens a database, closed with the test.
func (f *fixture) opened(name string) *store.DB {
	f.Helper()
	db := f.open(f.T, name)
	f.Cleanup(func() {
		if err := db.Close(); err != nil {
			f.Error(err)
		}
	})
	return db
}

func (f *fixture) ctx() context.Context { return f.Context() }

// later moves the clock.
func (f *fixture) later(d time.Duration) time.Time {
	f.now = f.now.Add(d)
	return f.now
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) same(what string, want, got any) {
	f.Helper()
	if reflect.DeepEqual(want, got) {
		return // long texts are slow to tell apart
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Errorf("%s:\n%s", what, diff)
	}
}

// must is for calls whose error ends the test.
func must[T any](f *fixture) func(T, error) T {
	return func(v T, err error) T {
		f.Helper()
		f.ok(err)
		return v
	}
}

// source configures a source and gives its state.
func (f *fixture) source(name string) intake.State {
	f.Helper()
	f.ok(f.UseSources(f.ctx(), []store.SourceSetting{{Name: name, Poll: time.Minute}}, f.now))
	return must[intake.State](f)(f.SourceState(f.ctx(), name))
}

func item(key, title string) sdk.Item {
	return sdk.Item{Key: key, Title: title, URL: "https://news.example/" + key}
}

func insert(it sdk.Item, state intake.ItemState, seen time.Time) intake.Insert {
	return intake.Insert{Item: it, Substance: "s:" + it.Title, Facts: "f:" + it.Title, Link: intake.Canonical(it.URL), TitleKey: it.Title, State: state, SeenAt: seen}
}

// bring commits items of a source.
func (f *fixture) bring(source string, items ...sdk.Item) {
	f.Helper()
	ch := intake.Change{State: must[intake.State](f)(f.SourceState(f.ctx(), source))}
	ch.State.Primed = true
	for _, it := range items {
		ch.Inserts = append(ch.Inserts, insert(it, intake.Live, f.now))
	}
	f.ok(f.CommitIntake(f.ctx(), ch, f.now))
}

// item finds an item of a source.
func (f *fixture) item(source, key string) store.ItemRow {
	f.Helper()
	rows := must[[]store.ItemRow](f)(f.FindItem(f.ctx(), source, key))
	if len(rows) != 1 {
		f.Fatalf("%d items have the key %q", len(rows), key)
	}
	return rows[0]
}

// take lets a channel take up every changed item, in a state and for a reason.
func (f *fixture) take(channel string, state compose.MembershipState, reason compose.Reason) {
	f.Helper()
	var es []compose.Evaluation
	for _, c := range must[[]compose.Changed](f)(f.ChangedItems(f.ctx(), 1000)) {
		es = append(es, compose.Evaluation{Item: c.ID, Change: c.Change, Set: []compose.Membership{{Channel: channel, Item: c.ID, State: state, Reason: reason}}})
	}
	f.ok(f.CommitEvaluations(f.ctx(), es, f.now))
}

// each posts an item to a channel and its destinations.
func (f *fixture) each(channel, source, key string, targets ...compose.NewTarget) store.Post {
	f.Helper()
	it := f.item(source, key)
	must[[]string](f)(f.CommitPosts(f.ctx(), compose.Commit{Channel: channel, Posts: []compose.NewPost{{Channel: channel, Key: "each:" + key, Kind: compose.KindEach,
		Status: compose.PostLive, Content: compose.Content{Title: it.Title, URL: it.URL}, Items: []compose.PostItem{{Item: it.ID, Revision: it.Revision}},
		VisibleAt: f.now, Targets: targets}}}, f.now))
	return must[[]store.Post](f)(f.Posts(f.ctx(), channel, false, 1))[0]
}

// own is an editor's post, live, to destinations.
func (f *fixture) own(title string, targets ...string) store.Post {
	f.Helper()
	p := compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, Content: compose.Content{Title: title}, VisibleAt: f.now}
	for _, d := range targets {
		p.Targets = append(p.Targets, compose.NewTarget{Destination: d})
	}
	return f.created(p)
}

func (f *fixture) created(p compose.NewPost, images ...string) store.Post {
	f.Helper()
	public := must[string](f)(f.CreatePost(f.ctx(), p, images, "test", f.now))
	return must[store.Post](f)(f.PostByID(f.ctx(), public))
}

// claim claims everything due at a destination.
func (f *fixture) claim(destination string) []outbox.Batch {
	f.Helper()
	return must[[]outbox.Batch](f)(f.Claim(f.ctx(), destination, f.now, time.Minute, 10, 100))
}

// begin starts the first call of a batch, to publish.
func (f *fixture) begin(b outbox.Batch, key string) (outbox.Work, outbox.Settlement) {
	f.Helper()
	w := must[outbox.Work](f)(f.Work(f.ctx(), b.Deliveries[0]))
	call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: w.Want, Wanted: w.Want, Final: true, Key: key,
		Part: sdk.Part{Kind: "send", Request: []byte("text of " + key)}}
	if w.Retry != nil {
		call = *w.Retry
	}
	wait := must[time.Time](f)(f.Start(f.ctx(), outbox.Start{Batch: b, Delivery: w.Delivery, Version: w.Version, Call: call, Repeat: w.Retry != nil}, f.now))
	if !wait.IsZero() {
		f.Fatalf("it has to wait until %s", wait)
	}
	return w, outbox.Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: b.ID, Fence: b.Fence, Call: &call,
		Ref: sdk.PartRef{IDs: []string{"m" + key}, URL: "https://platform.example/" + key, State: []byte{0, 255}}, Succeeded: true}
}

func (f *fixture) states(filter store.DeliveryFilter) []string {
	f.Helper()
	var out []string
	for _, d := range must[[]store.Delivery](f)(f.Deliveries(f.ctx(), filter)) {
		out = append([]string{string(d.State)}, out...)
	}
	return out
}

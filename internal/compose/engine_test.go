package compose_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

// desk is an engine over a real store.
type desk struct {
	t      *testing.T
	db     *store.DB
	engine *compose.Engine
}

func compiled(t *testing.T, c configs.Config) *compose.Program {
	t.Helper()
	p, problems := compose.Compile(&c)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

func newDesk(t *testing.T, c configs.Config) *desk {
	t.Helper()
	db := sqlitetest.Open(t, filepath.Join(t.TempDir(), "belfry.db"))
	t.Cleanup(func() { _ = db.Close() })
	d := &desk{t, db, compose.NewEngine(compose.Settings{Store: db, Log: slog.New(slog.DiscardHandler)}, compiled(t, c))}
	then := time.Now().Add(-time.Hour)
	d.ok(db.UseSources(t.Context(), []store.SourceSetting{{Name: "s", Poll: time.Minute}}, then))
	d.ok(db.UseChannels(t.Context(), []string{"alertes"}, then))
	d.ok(db.UseDestinations(t.Context(), []store.DestinationSetting{{Name: "hook"}}))
	return d
}

func (d *desk) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) look() {
	d.t.Helper()
	_, err := d.engine.Look(context.Background())
	d.ok(err)
}

// swap puts another program in force.
func (d *desk) swap(p *compose.Program) {
	d.t.Helper()
	d.ok(d.engine.Swap(func() (*compose.Program, error) { return p, nil }))
}

// bring takes a new item in and lets the engine look.
func (d *desk) bring(it sdk.Item) {
	d.t.Helper()
	st, err := d.db.SourceState(d.t.Context(), "s")
	d.ok(err)
	d.ok(d.db.CommitIntake(d.t.Context(), intake.Change{State: st, Inserts: []intake.Insert{{Item: it, Substance: it.Key, Facts: it.Key, State: intake.Live, SeenAt: time.Now()}}}, time.Now()))
	d.look()
}

// state tells what is in the channel, what waits at destinations, and what lasts.
func (d *desk) state() []string {
	d.t.Helper()
	var out []string
	list, err := d.db.NotUsed(d.t.Context(), "", time.Time{}, 100)
	d.ok(err)
	for _, n := range list {
		out = append(out, n.Key+" "+string(n.State)+" "+string(n.Reason))
	}
	deliveries, err := d.db.Deliveries(d.t.Context(), store.DeliveryFilter{})
	d.ok(err)
	for _, x := range deliveries {
		out = append(out, x.Title+" at "+x.Chat+" "+string(x.State)+" "+x.Error)
	}
	alerts, err := d.db.Alerts(d.t.Context())
	d.ok(err)
	for _, a := range alerts {
		if a.Code == alert.ExpressionFailed {
			out = append(out, "alert "+a.Subject)
		}
	}
	slices.Sort(out)
	return out
}

func (d *desk) same(what string, want ...string) {
	d.t.Helper()
	if diff := cmp.Diff(want, d.state()); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// What an expression fails for is held where a person sees it, is posted when the person lets it go, and is told of until
// then, or until the expression is mended.
func TestWhatAnExpressionFailsForIsHeld(t *testing.T) {
	t.Parallel()
	const fails = `item.tags[0] == "sport"`
	config := func(where, placeWhere string) configs.Config {
		c := configs.Default()
		ch := configs.Channel{}
		ch.SetDefaults()
		ch.Title, ch.Sources, ch.Each, ch.Where = configs.Localized{"": "Alertes"}, []string{"s"}, &configs.Each{}, where
		ch.Each.SetDefaults()
		target := configs.Target{}
		target.SetDefaults()
		target.Destination, target.Chat, target.Where = "hook", "@sport", placeWhere
		ch.PublishTo = []configs.Target{target}
		c.Channels = map[string]configs.Channel{"alertes": ch}
		return c
	}
	d := newDesk(t, config(fails, ""))
	d.bring(sdk.Item{Key: "a", Title: "A"})
	d.same("held", "a held where_failed", "alert channels.alertes.where: "+fails)
	n, err := d.db.ReleaseHeld(t.Context(), "alertes", false, "test", time.Now())
	d.ok(err)
	if n != 1 {
		t.Errorf("%d things were released", n)
	}
	d.look()
	d.same("released", "A at @sport pending ")

	d.bring(sdk.Item{Key: "b", Title: "B"})
	_, err = d.db.ReleaseHeld(t.Context(), "alertes", true, "test", time.Now())
	d.ok(err)
	d.same("dropped", "A at @sport pending ", "b left_out dropped")

	// Mended, it is told of no more; what is held stays so.
	d.bring(sdk.Item{Key: "c", Title: "C"})
	d.same("held", "A at @sport pending ", "alert channels.alertes.where: "+fails, "b left_out dropped", "c held where_failed")
	d.swap(compiled(t, config(`hasTag("sport")`, fails)))
	d.look()
	d.same("mended", "A at @sport pending ", "b left_out dropped", "c held where_failed")
	_, err = d.db.ReleaseHeld(t.Context(), "alertes", true, "test", time.Now())
	d.ok(err)

	// A place whose condition fails has a copy that is held.
	d.swap(compiled(t, config("", fails)))
	d.bring(sdk.Item{Key: "d", Title: "D"})
	left := []string{"A at @sport pending ", "b left_out dropped", "c left_out dropped"}
	d.same("held", "A at @sport pending ", "D at @sport held its where: failed, column 10: it asks for an element that is not there",
		"alert channels.alertes.publish_to.0.where: "+fails, left[1], left[2])
	_, err = d.db.ReleaseHeld(t.Context(), "alertes", false, "test", time.Now())
	d.ok(err)
	d.same("released", "A at @sport pending ", "D at @sport pending ", left[1], left[2])
	if batches, err := d.db.Claim(t.Context(), "hook", time.Now(), time.Minute, 10, 10); err != nil || len(batches) != 1 || len(batches[0].Deliveries) != 2 {
		t.Errorf("%+v, %v", batches, err)
	}
}

// What a blackout held and a person let go leaves once and for all: its copies are not held again by the same blackout.
func TestReleasedItemsLeaveWhileTheBlackoutLasts(t *testing.T) {
	t.Parallel()
	c := configs.Default()
	ch := configs.Channel{}
	ch.SetDefaults()
	ch.Title, ch.Sources, ch.Each = configs.Localized{"": "Alertes"}, []string{"s"}, &configs.Each{}
	ch.Each.SetDefaults()
	ch.Each.Urgent = `item.tags[0] == "eilt"`
	target := configs.Target{}
	target.SetDefaults()
	target.Destination = "hook"
	ch.PublishTo = []configs.Target{target}
	c.Channels = map[string]configs.Channel{"alertes": ch}
	c.Blackouts = map[string]configs.Blackout{"b": {Hours: "00:00-24:00", Then: "hold"}}
	d := newDesk(t, c)
	d.bring(sdk.Item{Key: "a", Title: "A"})
	d.same("held", "a held blackout", "alert channels.alertes.each.urgent: "+ch.Each.Urgent)
	n, err := d.db.ReleaseHeld(t.Context(), "alertes", false, "test", time.Now())
	d.ok(err)
	d.look()
	d.same("released", "A at  pending ", "alert channels.alertes.each.urgent: "+ch.Each.Urgent)
	deliveries, err := d.db.Deliveries(t.Context(), store.DeliveryFilter{})
	d.ok(err)
	w, err := d.db.Work(t.Context(), deliveries[0].ID)
	d.ok(err)
	if n != 1 || !w.Released {
		t.Errorf("%d released; the copy is released: %v", n, w.Released)
	}
}

// Package desktest makes a newsroom at work for tests: a configuration and a real store whose rows were made as the daemon
// makes them. Its one promise: nothing in it was written past the store's own methods.
package desktest

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

// Config is the configuration of the newsroom. Its sources are of the type feed, its destinations of the type hook.
const Config = `
timezone: Europe/Paris
site: {title: La Gazette, url: "https://news.example", lang: fr}
alerts: {to: [ops]}
sources:
  articles: {type: feed}
  agenda: {type: feed}
destinations:
  ops: {type: hook}
  wire: {type: hook}
channels:
  alertes: {title: Alertes, sources: [articles], each: {}, publish_to: [{destination: ops}, {destination: wire, chat: "@gazette"}]}
  brief: {title: Le brief, sources: [articles, agenda], digest: {cron: "0 7 * * *"}}
  desk: {title: Desk, publish_to: [{destination: ops}]}
media: {allow_private: [127.0.0.1/32]}
`

// Newsroom is a configuration with its store.
type Newsroom struct {
	Config *configs.Loaded
	Store  *store.DB
	// Dir is the data folder.
	Dir string
	// Now is the moment of the newest row.
	Now time.Time
	// Platform is what every destination is connected to.
	Platform *Platform
	// Post is an editor's post of alertes with two copies that wait, at ops and at wire.
	Post string
	// Waiting is the key of an item of articles that channels may use; Held one that the flood brake holds.
	Waiting, Held string
}

// Load loads a configuration of the types feed and hook.
func Load(t testing.TB, text string) *configs.Loaded {
	t.Helper()
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(context.Context, sdk.Settings, struct{}) (*Platform, error) { return &Platform{}, nil }
	l, err := configs.Load(configs.Options{Path: path, Checks: []func(*configs.Loaded) sdk.Problems{compose.Check},
		Specs: []*sdk.Spec{sdk.Define("feed", "a source", struct{}{}, open), sdk.Define("hook", "a destination", struct{}{}, open)}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// New makes a newsroom at a moment.
func New(t testing.TB, now time.Time) *Newsroom {
	t.Helper()
	n := &Newsroom{Config: Load(t, Config), Dir: t.TempDir(), Now: now, Platform: &Platform{}, Waiting: "gare", Held: "pont"}
	db := sqlitetest.Open(t, filepath.Join(n.Dir, "belfry.db"))
	t.Cleanup(func() { _ = db.Close() })
	n.Store = db
	ctx := t.Context()
	must(t, db.UseChannels(ctx, []string{"alertes", "brief", "desk"}, now.Add(-time.Hour)))
	must(t, db.UseSources(ctx, []store.SourceSetting{{Name: "articles"}, {Name: "agenda"}}, now.Add(-time.Hour)))
	must(t, db.UseDestinations(ctx, []store.DestinationSetting{{Name: "ops"}, {Name: "wire"}}))
	item := func(key, title string) sdk.Item {
		return sdk.Item{Key: key, Title: title, URL: "https://news.example/" + key, Published: now.Add(-time.Minute)}
	}
	n.Fetch(t, "articles", item("gare", "Incendie à la gare"))
	n.Fetch(t, "articles", item("gare", "Incendie à la gare"), item("pont", "Le pont"), item("quai", "Le quai"))
	n.Evaluate(t)
	n.Post = n.Write(t, "alertes", "La gare est évacuée", compose.NewTarget{Destination: "ops"}, compose.NewTarget{Destination: "wire", Chat: "@gazette"})
	must(t, db.Raise(ctx, alert.Alert{Code: alert.SourceFailing, Subject: "agenda", Sentence: "source agenda cannot be read", Mend: "belfry source show agenda"}, now))
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Fetch takes items of a source in, as the poller does. More than one new item at once is held.
func (n *Newsroom) Fetch(t testing.TB, source string, items ...sdk.Item) {
	t.Helper()
	st, err := n.Store.SourceState(t.Context(), source)
	must(t, err)
	batch := sdk.Batch{Items: items}
	found, err := n.Store.Found(t.Context(), source, batch)
	must(t, err)
	rules := intake.Rules{Name: source, Poll: 5 * time.Minute, BaselineAll: true, MaxNew: 1}
	must(t, n.Store.CommitIntake(t.Context(), intake.Decide(rules, st, batch, found, n.Now), n.Now))
}

// Evaluate lets channels look at what changed, as the composing engine does.
func (n *Newsroom) Evaluate(t testing.TB) {
	t.Helper()
	program, problems := compose.Compile(&n.Config.Config)
	must(t, problems.Err())
	changed, err := n.Store.ChangedItems(t.Context(), 100)
	must(t, err)
	since, err := n.Store.ChannelsSince(t.Context())
	must(t, err)
	var es []compose.Evaluation
	for _, it := range changed {
		es = append(es, program.EvaluateItem(it, since))
	}
	must(t, n.Store.CommitEvaluations(t.Context(), es, n.Now))
}

// Write makes an editor's post that is live, a minute before Now, and gives its id.
func (n *Newsroom) Write(t testing.TB, channel, title string, to ...compose.NewTarget) string {
	t.Helper()
	at := n.Now.Add(-time.Minute)
	id, err := n.Store.CreatePost(t.Context(), compose.NewPost{Channel: channel, Kind: compose.KindEditor, Status: compose.PostLive,
		Content: compose.Content{Title: title, Lang: "fr", Published: at}, VisibleAt: at, Targets: to}, nil, "test", at)
	must(t, err)
	return id
}

// Begin starts the first call that waits for a destination, as its lane does, and gives the delivery with what is to be
// settled.
func (n *Newsroom) Begin(t testing.TB, destination string) outbox.Settlement {
	t.Helper()
	batches, err := n.Store.Claim(t.Context(), destination, n.Now, time.Minute, 1, 1)
	must(t, err)
	if len(batches) == 0 {
		t.Fatalf("nothing waits for %s", destination)
	}
	w, err := n.Store.Work(t.Context(), batches[0].Deliveries[0])
	must(t, err)
	call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: w.Want, Key: w.PublicID, Final: true, Wanted: w.Want}
	_, err = n.Store.Start(t.Context(), outbox.Start{Batch: batches[0], Delivery: w.Delivery, Version: w.Version, Call: call}, n.Now)
	must(t, err)
	return outbox.Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: batches[0].ID, Fence: batches[0].Fence}
}

// Lose begins a call whose answer is lost, as when the daemon is killed, and gives its delivery.
func (n *Newsroom) Lose(t testing.TB, destination string) int64 {
	t.Helper()
	s := n.Begin(t, destination)
	_, err := n.Store.Recover(t.Context(), true, n.Now)
	must(t, err)
	return s.Delivery
}

// Refuse begins a call that the platform refuses for good, and gives its delivery.
func (n *Newsroom) Refuse(t testing.TB, destination string) int64 {
	t.Helper()
	s := n.Begin(t, destination)
	s.State, s.Code, s.Error, s.CountAttempt = outbox.Failed, sdk.CodeInvalid, "the platform does not take it", true
	_, err := n.Store.Settle(t.Context(), s, n.Now)
	must(t, err)
	return s.Delivery
}

// Stop begins a call for which a right is missing, so that the destination stops.
func (n *Newsroom) Stop(t testing.TB, destination string) {
	t.Helper()
	s := n.Begin(t, destination)
	s.StopDestination, s.Code, s.Error, s.Postpone = true, sdk.CodeForbidden, "the bot may not post", n.Now.Add(time.Second)
	_, err := n.Store.Settle(t.Context(), s, n.Now)
	must(t, err)
}

// Platform can be asked for its channels; Broken says that it refuses.
type Platform struct{ Broken atomic.Bool }

// Close implements sdk.Connector.
func (*Platform) Close(context.Context) error { return nil }

// Fetch implements sdk.Source: nothing is ever new.
func (*Platform) Fetch(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
	return sdk.Batch{Unchanged: true}, nil
}

// Plan implements sdk.Publisher.
func (*Platform) Plan(sdk.ChannelRef, sdk.Post) ([]sdk.Part, error) { return nil, nil }

// Publish implements sdk.Publisher: nothing is ever posted.
func (*Platform) Publish(context.Context, sdk.ChannelRef, sdk.Part) (sdk.PartRef, error) {
	return sdk.PartRef{}, sdk.Errorf(sdk.CodeUnsupported, "publish", "nothing is posted here")
}

// ResolveChannel implements sdk.Resolver.
func (p *Platform) ResolveChannel(_ context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	if p.Broken.Load() {
		return sdk.ChannelRef{}, sdk.Limits{}, sdk.Errorf(sdk.CodeForbidden, "resolve", "the bot may not post in %q", name)
	}
	return sdk.ChannelRef{Title: "La Gazette", URL: "https://hook.example/gazette"}, sdk.Limits{Text: 4096, Unit: sdk.UnitUTF16,
		Rules: sdk.Rules{EditFor: sdk.Forever, Rates: []sdk.Rate{{Events: 20, Per: time.Minute, Scope: sdk.RateDestination}}}}, nil
}
